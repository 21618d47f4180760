"""Two image files side by side, and what tells them apart."""

from __future__ import annotations

import warnings
from contextlib import ExitStack
from functools import partial
from typing import TYPE_CHECKING, Literal

from svfilter import devices
from svfilter.errors import InvalidArgument, SvfilterWarning
from svfilter.images.reading import ImageReader, open_image
from svfilter.images.sources import STREAM
from svfilter.looking import canvas
from svfilter.looking.appearance import Appearance, Seen, span_of
from svfilter.looking.canvas import Bar, Panel
from svfilter.looking.colours import viridis
from svfilter.looking.differences import Comparison, Differences
from svfilter.looking.lettering import shortened
from svfilter.looking.shrinking import Shrinking
from svfilter.tiles import plan

if TYPE_CHECKING:
    from svfilter.kernels.base import Array
    from svfilter.tiles import Window

Beside = Literal["side", "split"]
LAYOUTS: tuple[Beside, ...] = ("side", "split")
"""Both images side by side, or the left half of one and the right half of the other."""
_VALUES = 2**18
"""Values compared at a time: few enough to stay in the processor's cache."""
_RING = 14
"""Pixels from the largest difference to the ring around it, for it may be a single pixel,"""
_PLAIN = 8
"""but one as large as this is seen without a ring."""


def compare_files(
    first: str,
    second: str,
    target: str | None = None,
    *,
    times: float | None = None,
    layout: Beside = "side",
    page: int | None = None,
    max_pixels: int | None = None,
) -> Comparison:
    """Compare two images and, if a target is given, draw both and their difference.

    Both are read from top to bottom, a few rows at a time.

    Args:
        first: an image file, or "-" for stdin.
        second: another of the same size. A grey one is compared to RGB as three channels of the
            same, one without alpha as opaque; else their channels must be the same.
        target: a picture to write, or "-" for stdout.
        times: what the difference is multiplied by before it is drawn from 0 to 1; default: so
            that the largest becomes 1.
        layout: one of LAYOUTS.
        page: which of the images in each file, from 0; default the first, with a warning if there
            are more.
        max_pixels: how large they may be; default any, unless one looks like a bomb.

    Raises:
        InvalidArgument: they cannot be compared, or an argument breaks a rule.
        ImageReadError: one of them cannot be read.
        ImageWriteError: the picture cannot be written.
    """
    if [first, second].count(STREAM) > 1:
        raise InvalidArgument("only one of A and B can be - (stdin)")
    if times is not None and not 1e-300 <= times <= 1e300:
        raise InvalidArgument(f"--times must be from 1e-300 to 1e300, but is {times:g}")
    if target is not None:
        canvas.check(target, [first, second])
    with ExitStack() as opened:
        open_page = partial(
            open_image,
            page=page or 0,
            jobs=devices.threads(None),
            max_pixels=max_pixels,
            memory=devices.free_memory() // 2,
        )
        a, b = (_checked(opened.enter_context(open_page(name)), page) for name in (first, second))
        differences = Differences(a, b)
        drawing = Drawing(a, b) if target is not None else None
        a.begin()
        b.begin()
        rows = max(_VALUES // (a.width * a.layout.channels), 1)
        for window in plan(a.height, a.width, rows, a.width):
            worst = differences.add(a.stored(window), b.stored(window))
            if drawing:
                drawing.add(window, worst)
            for image in (a, b):
                image.let_go(window.row_off + window.height)
        found = differences.end()
        if drawing and target is not None:
            picture = drawing.end(found, differences.scale, times=times, layout=layout)
            canvas.save(target, picture, [first, second])
    return found


def _checked(image: ImageReader, page: int | None) -> ImageReader:
    """Refuse a page that is not there, and warn of those that are not looked at."""
    if page is not None and not 0 <= page < image.pages:
        raise InvalidArgument(f"{image.name}: --page must be 1 to {image.pages}, but is {page + 1}")
    if page is None and image.pages > 1:
        warnings.warn(
            f"{image.name}: holds {image.pages} images, of which the first is compared; --page "
            "takes another",
            SvfilterWarning,
            stacklevel=3,
        )
    return image


class Drawing:
    """Two images and their difference, made small while their rows are compared."""

    def __init__(self, first: ImageReader, second: ImageReader) -> None:
        self._images = first, second
        size = (first.height, first.width)
        self._size = canvas.fitted(*size)
        self._looks = [Appearance(image.layout, self._size) for image in self._images]
        self._worst = Shrinking(1, size, self._size, largest=True)

    def add(self, window: Window, worst: Array) -> None:
        """Take the next rows of both images, and of the largest differences of pixels."""
        for image, look in zip(self._images, self._looks, strict=True):
            look.add(image.read(window))
        self._worst.add(worst[None])

    def end(self, found: Comparison, scale: float, *, times: float | None, layout: Beside) -> Array:
        """Give the sheet; `scale` is the difference of the whole range."""
        seen = [look.end() for look in self._looks]
        span = span_of(*seen)
        panels = [
            Panel(one.picture(span), self._caption(which, one, span))
            for which, one in enumerate(seen)
        ]
        if layout == "split":
            halves = [panel.picture for panel in panels]
            panels = [Panel(_split(*halves), "\n".join(panel.caption for panel in panels))]
        return canvas.sheet([*panels, self._difference(found, scale, times)])

    def _difference(self, found: Comparison, scale: float, times: float | None) -> Panel:
        """Give the panel of the largest differences, in a ring the largest of all."""
        import numpy as np

        worst = self._worst.end()[0] / scale
        full = worst.max(initial=0, where=np.isfinite(worst)).item() or 1.0
        if times is not None:
            full = 1 / times
        with np.errstate(over="ignore"):
            picture = viridis(worst / full)
        image = self._images[0]
        ringed = found.largest > 0 and picture.shape[0] / image.height < _PLAIN
        if ringed:
            _ring(picture, (found.y + 0.5) / image.height, (found.x + 0.5) / image.width)
        bar = Bar(0, found.in_unit(full), found.unit, viridis)
        return Panel(picture, _said(found, 1 / full, ringed=ringed), bar)

    def _caption(self, which: int, seen: Seen, span: tuple[float, float]) -> str:
        image = self._images[which]
        layout = image.layout
        shown = f"{'AB'[which]}: {shortened(image.name)}, {layout.words}"
        if layout.colour == "bands":
            shown += ", their mean"
        if seen.beyond(span) or span != (0, 1):
            shown += f", shown from {span[0]:.4g} to {span[1]:.4g}"
        return f"{shown}, {layout.width} x {layout.height}"


def _split(left: Array, right: Array) -> Array:
    """Give the left half of a picture and the right half of another, and a line between them."""
    middle = left.shape[1] // 2
    joined: Array = left.copy()
    joined[:, middle:] = right[:, middle:]
    if joined.shape[1] > 8:
        joined[:, middle - 1], joined[:, middle] = 255, 0  # one of them shows on any ground
    return joined


def _ring(picture: Array, down: float, across: float) -> None:
    """Draw a ring around a place, given as shares of the height and of the width."""
    import numpy as np

    height, width = picture.shape[:2]
    y, x = np.ogrid[:height, :width]
    away = np.hypot(y + 0.5 - down * height, x + 0.5 - across * width)
    picture[abs(away - _RING) < 2] = 0  # white between black shows on any ground
    picture[abs(away - _RING) < 1] = 255


def _said(found: Comparison, times: float, *, ringed: bool) -> str:
    if not found.largest:
        return "A and B are equal"
    numbers = (found.largest, found.mean, found.rms)
    largest, mean, rms = (f"{found.in_unit(value):.4g}" for value in numbers)
    return (
        f"|A - B| times {times:.5g}: largest {largest}{', ringed,' * ringed} at {found.place}; "
        f"mean {mean}; rms {rms}; psnr {found.psnr:.4g} dB; {found.share:.4g} % of pixels differ"
    )
