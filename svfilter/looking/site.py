"""An image that is open to be looked at, with what gives the kernels of its pixels."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from svfilter.borders import surround
from svfilter.desk import Desk
from svfilter.errors import SvfilterWarning
from svfilter.looking.kernel import of_pixel
from svfilter.tiles import Window, plan

if TYPE_CHECKING:
    from svfilter.kernels.base import Array, Family
    from svfilter.page import Page
    from svfilter.request import Request

Place = tuple[int, int]
"""A pixel's row and column."""

_PIXELS = 2**19
"""Pixels that are read at a time, but no fewer rows than maps read around them."""


class Site:
    """An image, the drivers of its kernels and the guide, none of them read yet."""

    def __init__(self, page: Page) -> None:
        self.page, self.size = page, (page.image.height, page.image.width)
        self._look_at = page.work().guide if page.asked.family.guided else None

    def kernel(self, place: Place) -> tuple[Family, Array | None]:
        """Give the family with a pixel's parameters, and the guide around it if it looks at one."""
        window = Window(*place, 1, 1)
        family = of_pixel(self.page.kernels(window))
        if self._look_at is None:
            return family, None
        boundary = self.page.asked.boundary
        around = surround(self._look_at, window, family.reach(), self.size, boundary)
        return family, around.padded()

    def strips(self, last: int) -> Iterator[Window]:
        """Give windows of whole rows down to the one that holds a row; those above are let go."""
        page, (height, width) = self.page, self.size
        _, widest = page.asked.ends(page.maps.spans)
        around = widest.reach() + 1 if self._look_at else 0  # rounded otherwise it may be 1 more
        rows = max(_PIXELS // width, page.maps.margin, 1)
        for window in plan(height, width, rows, width):
            if self._look_at:  # what is not read is not let go of
                self._look_at(Window(window.row_off, 0, window.height, 1))
            yield window
            bottom = window.rows.stop
            page.maps.let_go(bottom)
            page.image.let_go(bottom - around - page.maps.margin)
            if page.guide:
                page.guide.let_go(bottom - around)
            if bottom > last:
                break


@contextmanager
def open_site(
    asked: Request, source: str, *, page: int | None = None, max_pixels: int | None = None
) -> Iterator[Site]:
    """Open an image, its maps and its guide.

    Args:
        asked: what it would be filtered with.
        source: its name, or "-" for stdin.
        page: which of a file's images, from 0; default the first.
        max_pixels: how large the image may be, as in `filter_file`.

    Raises:
        SvfilterError: as `filter_file`.
    """
    number = page or 0
    with (
        Desk(asked, source, page=number, max_pixels=max_pixels) as desk,
        desk.open_page(number) as opened,
    ):
        if page is None and opened.image.pages > 1:
            warnings.warn(
                f"{opened.image.name}: holds {opened.image.pages} images, of which the first is "
                "shown; --page takes another",
                SvfilterWarning,
                stacklevel=4,
            )
        yield Site(opened)
