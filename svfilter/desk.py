"""What is open while a file is filtered, or looked at: the image, its maps and its guide."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING

from svfilter import devices
from svfilter.budget import RESERVE
from svfilter.errors import InvalidArgument
from svfilter.images.reading import ImageReader, open_image
from svfilter.images.sources import STREAM, Source, is_pipe, shown
from svfilter.maps import Maps
from svfilter.page import Page, open_guide

if TYPE_CHECKING:
    from svfilter.request import Request


class Desk:
    """An input file, open at its first page; a `with` statement closes it."""

    def __init__(
        self, asked: Request, source: str, *, page: int | None = None, max_pixels: int | None = None
    ) -> None:
        """Open it.

        Args:
            asked: what it is filtered with.
            source: the image to read, or "-" for stdin.
            page: which of the file's images, from 0; default all of them.
            max_pixels: as in `filter_file`.

        Raises:
            InvalidArgument: stdin is asked for twice, or there is no such page.
            ImageReadError: it cannot be read.
        """
        self._asked, self.names = asked, [source, *asked.sources]
        if self.names.count(STREAM) > 1:
            raise InvalidArgument("only one of INPUT, the maps and the guide can be - (stdin)")
        self._open = partial(
            open_image,
            any_order=asked.boundary == "circular",  # the opposite side is near
            jobs=devices.threads(asked.jobs),
            max_pixels=max_pixels,
            memory=asked.allowance - devices.process_memory() - RESERVE,
        )
        with ExitStack() as opened:
            self._source = opened.enter_context(Source(source))
            if any(driver.rereads_image for driver in asked.drivers):
                self._source.path()  # a pipe is copied to a file
            self.image = opened.enter_context(self._open(self._source, page=page or 0))
            self.pages = _pages(self.image, page)
            self._check_pipes()
            self._opened = opened.pop_all()

    def _check_pipes(self) -> None:
        """Refuse to read for each of several pages what can be read once only."""
        pipes = [name for name in self._asked.sources if is_pipe(name)]
        if pipes and len(self.pages) > 1:
            raise InvalidArgument(
                f"{self.image.name}: holds {len(self.pages)} pages, but {shown(pipes[0])} can be "
                "read once only; choose one with --page, or put what is piped in into a file"
            )

    @contextmanager
    def open_page(self, number: int) -> Iterator[Page]:
        """Open one of the pages, from 0, with its maps and its guide."""
        with ExitStack() as opened:
            image = self.image
            if number != self.pages[0]:
                image = opened.enter_context(self._open(self._source, page=number))
            maps = Maps(
                self._asked.drivers,
                image,
                self._open,
                partial(self._again, number),
                jobs=self._asked.jobs,
                boundary=self._asked.boundary,
            )
            opened.enter_context(maps)
            guide = open_guide(
                self._asked, image, lambda name: opened.enter_context(self._open(name))
            )
            yield Page(self._asked, image, maps, guide)

    @contextmanager
    def _again(self, number: int) -> Iterator[ImageReader]:
        """Open a page once more, to read it from the top."""
        with self._source.again() as fresh, self._open(fresh, page=number) as image:
            yield image

    def __enter__(self) -> Desk:
        """Begin."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close the input."""
        self._opened.close()


def _pages(image: ImageReader, page: int | None) -> list[int]:
    """Give the pages to filter."""
    if page is not None and not 0 <= page < image.pages:
        raise InvalidArgument(f"{image.name}: --page must be 1 to {image.pages}, but is {page + 1}")
    return list(range(image.pages)) if page is None else [page]
