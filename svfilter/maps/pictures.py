"""Levels of images: of the one that is filtered, and of others at its size."""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

from svfilter.errors import InvalidArgument, SvfilterWarning
from svfilter.maps.channels import INTENSITY, Pick
from svfilter.maps.edges import EDGES, Edges
from svfilter.maps.levels import UNIT, Finite, Level, Levels
from svfilter.tiles import Window

if TYPE_CHECKING:
    from svfilter.images.reading import ImageReader
    from svfilter.kernels.base import Array
    from svfilter.maps.sources import Hold, Sources

FITS = ("bilinear", "nearest")
"""How a map of another size is resized."""
_RESIZED = 64
"""Rows resized at a time, always the same ones: so the values do not depend on the windows."""


@dataclass(frozen=True)
class Channel(Level):
    """A channel of an image, times alpha where there is one.

    Args:
        source: the name of a file, or None for the image that is filtered.
        channel: one of `channels.CHANNELS`, a number from "1", or EDGES.
        fit: one of FITS; how a file of another size is resized. "bilinear" is a triangle filter,
            antialiased when the size shrinks; "nearest" takes the pixel at the same place, for
            maps whose values must not be mixed.
    """

    source: str | None = None
    channel: str = INTENSITY
    fit: str = "bilinear"

    def __post_init__(self) -> None:
        if self.fit not in FITS:
            raise InvalidArgument(f"fit must be one of {', '.join(FITS)}, not {self.fit!r}")

    @property
    def own(self) -> bool:
        """Whether it is of the image that is filtered."""
        return self.source is None

    @property
    def sources(self) -> tuple[str, ...]:
        """The file, if there is one."""
        return () if self.source is None else (self.source,)

    def open(self, image: ImageReader, sources: Sources) -> Levels:
        """Open the file.

        Raises:
            InvalidArgument: it has no such channel.
            ImageReadError: it cannot be read.
        """
        if self.channel == EDGES:
            levels = Finite(self._open(Pick(), image, sources))
            return Edges(levels, (image.height, image.width), sources.boundary)
        return self._open(Pick(self.channel), image, sources)

    def _open(self, pick: Pick, image: ImageReader, sources: Sources) -> Levels:
        if self.source is None:
            return _Own(image, pick)
        hold = sources.open(self.source)
        pick.check(hold.image)
        if hold.image.pages > 1:
            warnings.warn(
                f"{hold.image.name}: holds {hold.image.pages} images, of which the first is the "
                "map",
                SvfilterWarning,
                stacklevel=4,
            )
        size = image.height, image.width
        if (hold.image.height, hold.image.width) == size:
            return _OfFile(hold, pick)
        _warn_of_sizes(hold.image, *size, stacklevel=5)
        return {"bilinear": _Resized, "nearest": _Nearest}[self.fit](hold, pick, *size)


@dataclass(frozen=True)
class EachChannel(Level):
    """Every channel of the image that is filtered: its own; of alpha, the luma of the colours."""

    @property
    def own(self) -> bool:
        """It does."""
        return True

    def open(self, image: ImageReader, sources: Sources) -> Levels:
        """Open nothing."""
        return _Each(image)


class _Own(Levels):
    """Of the image that is filtered."""

    def __init__(self, image: ImageReader, pick: Pick) -> None:
        pick.check(image)
        _describe(self, image)
        self._image, self._pick = image, pick

    def read(self, window: Window) -> Array:
        """Give what is picked of the image."""
        return self._pick.read(self._image, window)


class _Each(Levels):
    """Of each of its channels."""

    per_channel = True

    def __init__(self, image: ImageReader) -> None:
        self._image = image
        _describe(self, image)

    def read(self, window: Window) -> Array:
        """Give the colours and, for alpha, their luma; weighted by alpha."""
        image = self._image
        pixels = image.read(window)
        colours = pixels[: image.layout.colours]
        if image.layout.alpha == "straight":
            colours = colours * pixels[-1]
        if not image.layout.alpha:
            return colours
        import numpy as np

        return np.concatenate([colours, Pick().read(image, window)])


class _OfFile(Levels):
    """Of another image of the same size."""

    def __init__(self, hold: Hold, pick: Pick) -> None:
        self._hold, self._pick = hold, pick
        _describe(self, hold.image)

    def read(self, window: Window) -> Array:
        """Give what is picked of the file."""
        return self._pick.read(self._hold.image, window)

    def let_go(self, row: int) -> None:
        """Forget the file's rows above it."""
        self._hold.let_go(row)


class _Nearest(_OfFile):
    """Of the pixel of another image at the same place: row ⌊(y + ½) · H' / H⌋."""

    def __init__(self, hold: Hold, pick: Pick, height: int, width: int) -> None:
        super().__init__(hold, pick)
        self._size = height, width

    def read(self, window: Window) -> Array:
        """Give what is picked of the file at the nearest pixels."""
        source = self._hold.image
        rows = self._places(window.rows, source.height, self._size[0])
        cols = self._places(window.cols, source.width, self._size[1])
        first, stop = int(rows[0]), int(rows[-1]) + 1
        levels = self._pick.read(source, Window(first, 0, stop - first, source.width))
        return levels[:, rows[:, None] - first, cols]

    def _places(self, places: slice, source: int, size: int) -> Array:
        import numpy as np

        return (2 * np.arange(places.start, places.stop) + 1) * source // (2 * size)

    def let_go(self, row: int) -> None:
        """Forget the file's rows above it."""
        self._hold.let_go((2 * row + 1) * self._hold.image.height // (2 * self._size[0]))


class _Resized(Levels):
    """Of another image, resized with a triangle filter, antialiased when it shrinks.

    It is resized in blocks of rows that begin at multiples of _RESIZED.
    """

    def __init__(self, hold: Hold, pick: Pick, height: int, width: int) -> None:
        self._hold, self._pick, self._height, self._width = hold, pick, height, width
        source = hold.image
        _describe(self, source)
        self._scale = source.height / height
        self._blocks: dict[int, Array] = {}
        self.row_bytes = 4 * width
        rows = min(2 * _RESIZED * math.ceil(self._scale), 2 * source.height)
        self.fixed_bytes = rows * (source.layout.row_bytes + 8 * source.width)

    def read(self, window: Window) -> Array:
        """Give what is picked of the resized source."""
        import numpy as np

        first, stop = window.row_off, window.row_off + window.height
        tops = range(first - first % _RESIZED, stop, _RESIZED)
        rows = np.concatenate([self._block(top) for top in tops])
        return rows[None, first - tops[0] : stop - tops[0], window.cols]

    def _block(self, top: int) -> Array:
        if top not in self._blocks:
            from svfilter.images.resizing import resize

            source = self._hold.image
            stop = min(top + _RESIZED, self._height)
            begin, end = (row * self._scale for row in (top, stop))
            first = self._first_row(top)
            last = min(math.ceil(end + max(self._scale, 1)) + 1, source.height)
            levels = self._pick.read(source, Window(first, 0, last - first, source.width))[0]
            span = (begin - first, min(end, source.height) - first)
            # Beyond the values that it was made of, a mean lies by rounding alone.
            ends = levels.min(), levels.max()
            self._blocks[top] = resize(levels, stop - top, self._width, span).clip(*ends)
        return self._blocks[top]

    def _first_row(self, top: int) -> int:
        """Give the first row of the source that the block at `top` needs."""
        return max(math.floor(top * self._scale - max(self._scale, 1)) - 1, 0)

    def let_go(self, row: int) -> None:
        """Forget the blocks above the row, and what they were made of."""
        block = max(row, 0) // _RESIZED * _RESIZED
        self._blocks = {top: rows for top, rows in self._blocks.items() if top >= block}
        made = block + _RESIZED if block in self._blocks else block
        self._hold.let_go(self._first_row(made))


def _describe(levels: Levels, image: ImageReader) -> None:
    levels.name = image.name
    if image.layout.dtype.kind == "u":  # integers are scaled as they are read
        levels.span, levels.finite = UNIT, True


def _warn_of_sizes(source: ImageReader, height: int, width: int, *, stacklevel: int) -> None:
    stretch = (source.width / source.height) / (width / height)
    shape = "" if abs(stretch - 1) < 0.01 else ", which changes its proportions"
    warnings.warn(
        f"{source.name}: the map of {source.width} x {source.height} pixels is resized to the "
        f"image's {width} x {height}{shape}",
        SvfilterWarning,
        stacklevel=stacklevel,
    )
