"""All that drives an image's kernels, as one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from svfilter.maps.base import Driver, Opened, Span
from svfilter.maps.sources import Sources

if TYPE_CHECKING:
    from svfilter.images.reading import ImageReader
    from svfilter.kernels.base import Array
    from svfilter.tiles import Window


class Maps(Opened):
    """Several drivers at work for one image, and the files that they read."""

    def __init__(
        self,
        drivers: Sequence[Driver],
        image: ImageReader,
        open_image: Callable[[str], ImageReader],
        image_again: Callable[[], AbstractContextManager[ImageReader]] | None = None,
        *,
        jobs: int | None = None,
        boundary: str = "replicate",
    ) -> None:
        """Open them.

        Args:
            drivers: each gives other parameters.
            image: what will be filtered.
            open_image: opens a source by its name; it is closed when this is left.
            image_again: opens the image once more, to read it from the top; default by its name.
            jobs: threads, as in `filter_image`.
            boundary: as in `filter_image`.
        """
        again = image_again or (lambda: open_image(image.name))
        self._sources = Sources(open_image, again, jobs=jobs, boundary=boundary)
        try:
            self.opened = [driver.open(image, self._sources) for driver in drivers]
        except BaseException:
            self._sources.close()
            raise
        self.spans: dict[str, Span] = {}
        for opened in self.opened:
            self.spans |= opened.spans
        self.per_channel = any(opened.per_channel for opened in self.opened)
        self.margin = max(opened.margin for opened in self.opened) if self.opened else 0
        held = sum(opened.row_bytes for opened in self.opened)
        self.row_bytes = held + self._sources.row_bytes(image.height)
        held = sum(opened.fixed_bytes for opened in self.opened)
        self.fixed_bytes = held + self._sources.fixed_bytes

    def read(self, window: Window) -> dict[str, Array | float]:
        """Give a window's values of all parameters that are driven."""
        values: dict[str, Array | float] = {}
        for opened in self.opened:
            values |= opened.read(window)
        return values

    def read_depth(self, window: Window) -> Array | None:
        """Give how near pixels are, from the first driver that knows."""
        depths = (opened.read_depth(window) for opened in self.opened)
        return next((depth for depth in depths if depth is not None), None)

    def let_go(self, row: int) -> None:
        """Forget what only windows above a row would need."""
        for opened in self.opened:
            opened.let_go(row)

    def end(self) -> None:
        """Warn of what is odd, now that all of the image was read."""
        for opened in self.opened:
            opened.end()

    def __enter__(self) -> Maps:
        """Begin."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close the files."""
        self._sources.close()
