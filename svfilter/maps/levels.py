"""What images say at every pixel: their luma or a channel, at the size of the image filtered."""

from __future__ import annotations

import math
import warnings
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

from svfilter.errors import InvalidArgument, SvfilterWarning
from svfilter.tiles import Window, plan

if TYPE_CHECKING:
    from svfilter.images.layout import Colour, Layout
    from svfilter.images.reading import ImageReader
    from svfilter.kernels.base import Array
    from svfilter.maps.sources import Hold, Sources

INTENSITY = "intensity"
"""The source that stands for the image's own pixels."""

SHARES = (2126, 7152, 722)
"""Ten thousandths of red, green and blue in luma (Rec. ITU-R BT.709), of the encoded values."""
REC_709 = tuple(share / sum(SHARES) for share in SHARES)
"""The same as shares of 1."""

_CHANNELS = {"r": 0, "g": 1, "b": 2}
_SLAB = 16
"""Rows read and mixed at a time: few enough to stay in the processor's cache."""
_RESIZED = 64
"""Rows resized at a time, always the same ones: so the values do not depend on the windows."""


@dataclass(frozen=True)
class Pick:
    """What is taken of an image's channels: their luma, or one of them, times alpha.

    Args:
        channel: None for luma; "r", "g" or "b" of an RGB image; "a" for alpha itself.
        bounded: whether floats must lie in 0..1; else they need only be finite.
    """

    channel: str | None = None
    bounded: bool = True

    def check(self, image: ImageReader) -> None:
        """Refuse an image that has no such thing.

        Raises:
            InvalidArgument: it has no such channel, or luma is not defined for its channels.
        """
        layout = image.layout
        if self.channel is None:
            if layout.colour == "bands":
                raise InvalidArgument(
                    f"{image.name}: the intensity of {layout.channels} bands is not defined; give "
                    "a grey or RGB image as the map, or --per-channel"
                )
        elif not (layout.alpha if self.channel == "a" else
                  layout.colour == "rgb" and self.channel in _CHANNELS):  # fmt: skip
            raise InvalidArgument(
                f"{image.name}: has no channel {self.channel!r}: it is {layout.words}"
            )

    def read(self, image: ImageReader, window: Window) -> Array:
        """Give a window's levels, [1, h, w] float32."""
        import numpy as np

        levels = np.empty((1, window.height, window.width), np.float32)
        for slab in plan(window.height, window.width, _SLAB, window.width):
            part = Window(window.row_off + slab.row_off, window.col_off, slab.height, slab.width)
            levels[:, slab.rows] = self._slab(image, part)
        return self._checked(levels, image)

    def _slab(self, image: ImageReader, window: Window) -> Array:
        import numpy as np

        layout = image.layout
        if (
            self.channel is None
            and (layout.colour, layout.alpha) == ("rgb", "")
            and layout.dtype.str[1:] in ("u1", "u2")
        ):
            return _luma_of_integers(image.stored(window))
        pixels = image.read(window)
        if self.channel == "a":
            return pixels[-1]
        with np.errstate(all="ignore"):  # what is beyond the range is refused later
            if self.channel is None:
                mixed = _mixed(pixels[: layout.colours], layout.colour)
            else:
                mixed = pixels[_CHANNELS[self.channel]]
            return mixed * pixels[-1] if layout.alpha == "straight" else mixed

    def _checked(self, levels: Array, source: ImageReader) -> Array:
        if source.layout.dtype.kind == "u":  # those are scaled to 0..1 as they are read
            return levels
        low, high = float(levels.min()), float(levels.max())
        if self.bounded:
            return _in_range(levels, source, low, high)
        if not (math.isfinite(low) and math.isfinite(high)):
            raise InvalidArgument(
                f"{source.name}: a map's values must be finite, but these are {low:g} to {high:g}; "
                "replace those that are not"
            )
        return levels


def _in_range(levels: Array, source: ImageReader, low: float, high: float) -> Array:
    if not (low >= 0 and high <= 1):
        raise InvalidArgument(
            f"{source.name}: a map's values must lie in 0 to 1, but these are {low:g} to "
            f"{high:g}; rescale it, or give another map"
        )
    return levels


class Levels(ABC):
    """Levels for the windows of an image, as `Opened` has values."""

    layout: Layout
    """Of what they are picked from."""
    row_bytes = 0
    """Bytes that are held for each row of the image,"""
    fixed_bytes = 0
    """and beside them; without what the source holds."""

    @abstractmethod
    def read(self, window: Window) -> Array:
        """Give a window's levels, [1 or more, h, w] float32."""

    def let_go(self, row: int) -> None:  # noqa: B027  (nothing is held)
        """Forget what only windows above a row would need."""


class Intensity(Levels):
    """The image's own values: what is picked of them, or each channel's own for None."""

    def __init__(self, image: ImageReader, pick: Pick | None) -> None:
        self._image, self._pick, self.layout = image, pick, image.layout
        if pick is not None:
            pick.check(image)

    def read(self, window: Window) -> Array:
        """Give what is picked, or the colours and, for alpha, their luma; weighted by alpha."""
        image = self._image
        if self._pick is not None:
            return self._pick.read(image, window)
        pixels = image.read(window)
        colours = pixels[: image.layout.colours]
        if image.layout.alpha == "straight":
            colours = colours * pixels[-1]
        if image.layout.dtype.kind != "u":
            _in_range(colours, image, float(colours.min()), float(colours.max()))
        if not image.layout.alpha:
            return colours
        import numpy as np

        return np.concatenate([colours, Pick().read(image, window)])


def open_levels(source: str, pick: Pick, image: ImageReader, sources: Sources) -> Levels:
    """Open what is picked of a source: INTENSITY, the image itself, or the name of another one.

    Raises:
        InvalidArgument: there is nothing of that kind to pick.
        ImageReadError: it cannot be read.
    """
    if source == INTENSITY:
        return Intensity(image, pick)
    hold = sources.open(source)
    pick.check(hold.image)
    if (hold.image.height, hold.image.width) == (image.height, image.width):
        return _OfSource(hold, pick)
    return _Resized(hold, pick, image.height, image.width)


class _OfSource(Levels):
    """Of another image of the same size."""

    def __init__(self, hold: Hold, pick: Pick) -> None:
        self._hold, self._pick, self.layout = hold, pick, hold.image.layout

    def read(self, window: Window) -> Array:
        """Give what is picked of the source at the window."""
        return self._pick.read(self._hold.image, window)

    def let_go(self, row: int) -> None:
        """Forget the source's rows above it."""
        self._hold.let_go(row)


class _Resized(Levels):
    """Of another image, resized with a triangle filter, antialiased when it shrinks.

    It is resized in blocks of rows that begin at multiples of _RESIZED.
    """

    def __init__(self, hold: Hold, pick: Pick, height: int, width: int) -> None:
        self._hold, self._pick, self._height, self._width = hold, pick, height, width
        source = hold.image
        self.layout = source.layout
        self._scale = source.height / height
        self._blocks: dict[int, Array] = {}
        self.row_bytes = 4 * width
        self.fixed_bytes = (
            2 * _RESIZED * math.ceil(self._scale) * (source.layout.row_bytes + 8 * source.width)
        )
        stretch = (source.width / source.height) / (width / height)
        shape = "" if abs(stretch - 1) < 0.01 else ", which changes its proportions"
        warnings.warn(
            f"{source.name}: the map of {source.width} x {source.height} pixels is resized to the "
            f"image's {width} x {height}{shape}",
            SvfilterWarning,
            stacklevel=4,
        )

    def read(self, window: Window) -> Array:
        """Give the levels at the window."""
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
            ends = (0, 1) if self._pick.bounded else (levels.min(), levels.max())
            self._blocks[top] = resize(levels, stop - top, self._width, span).clip(*ends)
        return self._blocks[top]

    def _first_row(self, top: int) -> int:
        """Give the first row of the source that the block at `top` needs."""
        return max(math.floor(top * self._scale - max(self._scale, 1)) - 1, 0)

    def let_go(self, row: int) -> None:
        """Forget the blocks above the row, and what they were made of."""
        block = row - row % _RESIZED
        self._blocks = {top: rows for top, rows in self._blocks.items() if top >= block}
        made = block + _RESIZED if block in self._blocks else block
        self._hold.let_go(self._first_row(made))


def _luma_of_integers(stored: Array) -> Array:
    """Give the luma of stored RGB [h, w, 3] of 8 or 16 bits, [h, w]: the nearest float32 to it."""
    import numpy as np

    total = np.zeros(stored.shape[:2], np.int32)  # at most 10000 · 65535
    for channel, share in enumerate(SHARES):
        total += np.multiply(stored[..., channel], np.int32(share), dtype=np.int32)
    # What float32 holds of 8 bits is exact: it is divided once.
    luma = total.astype(np.float32 if stored.itemsize == 1 else np.float64)
    luma /= sum(SHARES) * np.iinfo(stored.dtype).max
    return luma


def _mixed(colour: Array, kind: Colour) -> Array:
    if kind == "cmyk":  # the plainest of conversions: each ink takes away its share
        colour = (1 - colour[:3]) * (1 - colour[3])
    if len(colour) == 1:
        return colour[0]
    # Pixel by pixel in one order: a matrix product would round by the window's shape.
    total = REC_709[0] * colour[0].astype("float64")
    for share, plane in zip(REC_709[1:], colour[1:], strict=True):
        total += share * plane.astype("float64")
    return total
