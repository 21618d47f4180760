"""Where parameter maps come from: a number, the pixel's own intensity, another image."""

from __future__ import annotations

import math
import warnings
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from svfilter.errors import InvalidArgument, SvfilterWarning
from svfilter.tiles import Window, plan

if TYPE_CHECKING:
    from svfilter.images.layout import Colour
    from svfilter.images.reading import ImageReader
    from svfilter.kernels.base import Array

INTENSITY = "intensity"
"""The source that stands for the image's own pixels."""

SHARES = (2126, 7152, 722)
"""Ten thousandths of red, green and blue in luma (Rec. ITU-R BT.709), of the encoded values."""
REC_709 = tuple(share / sum(SHARES) for share in SHARES)
"""The same as shares of 1."""

_SLAB = 16
"""Rows read and mixed at a time: few enough to stay in the processor's cache."""
_RESIZED = 64
"""Rows resized at a time, always the same ones: so the values do not depend on the windows."""


@dataclass(frozen=True)
class MapSpec:
    """How one parameter gets its value at every pixel.

        level m in 0..1 from the source; m ← 1 − m if inverted; m ← m^gamma;
        value = low · (1 − m) + high · m

    Without a source the value is `high` everywhere.
    """

    high: float
    low: float = 0.0
    source: str | None = None
    """None, INTENSITY, or the name of an image file."""
    per_channel: bool = False
    """With INTENSITY: each channel's own value is its level, not the luma that they share."""
    invert: bool = False
    gamma: float = 1.0


class Levels(ABC):
    """Levels in 0..1 for the windows of an image, which are asked for from top to bottom."""

    row_bytes = 0
    """Bytes that are held for each row of the image,"""
    fixed_bytes = 0
    """and beside them."""

    @abstractmethod
    def read(self, window: Window) -> Array:
        """Give a window's levels, [1 or more, h, w] float32."""

    def let_go(self, row: int) -> None:  # noqa: B027  (nothing is held)
        """Forget what only windows above a row would need."""


@dataclass(frozen=True)
class ParameterMap:
    """The values of one parameter for an image."""

    spec: MapSpec
    levels: Levels | None
    """None: there is no source."""

    def read(self, window: Window) -> Array | float:
        """Give a window's values, [1 or more, h, w] float32, or the one value of all pixels."""
        if self.levels is None:
            return self.spec.high
        level = self.levels.read(window)
        m = 1 - level if self.spec.invert else level
        m = m**self.spec.gamma if self.spec.gamma != 1 else m.copy()
        values = 1 - m
        values *= self.spec.low
        m *= self.spec.high
        values += m
        return values

    def let_go(self, row: int) -> None:
        """Forget what only windows above a row would need."""
        if self.levels is not None:
            self.levels.let_go(row)


def open_map(
    spec: MapSpec, image: ImageReader, open_source: Callable[[str], ImageReader]
) -> ParameterMap:
    """Open the source of a map for an image.

    Args:
        spec: what the map shall be.
        image: the image that will be filtered.
        open_source: opens another image by its name; whoever gave it closes it.

    Raises:
        InvalidArgument: intensity is not defined for the image's channels. (Floats beyond 0..1
            are found when they are read.)
        ImageReadError: the source cannot be read.
    """
    if spec.source is None:
        return ParameterMap(spec, None)
    if spec.source == INTENSITY:
        if not spec.per_channel:
            _check_mixable(image)
        return ParameterMap(spec, _Intensity(image, per_channel=spec.per_channel))
    source = open_source(spec.source)
    _check_mixable(source)
    if (source.height, source.width) == (image.height, image.width):
        return ParameterMap(spec, _Luma(source))
    return ParameterMap(spec, _Resized(source, image.height, image.width))


class _Intensity(Levels):
    """The image's own values: their luma, or each channel's own."""

    def __init__(self, image: ImageReader, *, per_channel: bool) -> None:
        self._image, self._per_channel = image, per_channel

    def read(self, window: Window) -> Array:
        """Give luma, or the colours and, for alpha, their luma; weighted by alpha."""
        image = self._image
        if not self._per_channel:
            return _luma(image, window)
        pixels = image.read(window)
        colours = pixels[: image.layout.colours]
        if not image.layout.alpha:
            return _checked(colours, image)
        import numpy as np

        if image.layout.alpha == "straight":
            colours = colours * pixels[-1]
        return np.concatenate([_checked(colours, image), _luma(image, window)])


class _Luma(Levels):
    """The luma of another image of the same size."""

    def __init__(self, source: ImageReader) -> None:
        self._source = source
        self.row_bytes = source.layout.row_bytes
        self.fixed_bytes = source.decoder_bytes + 2 * source.block_bytes

    def read(self, window: Window) -> Array:
        """Give the source's luma at the window."""
        return _luma(self._source, window)

    def let_go(self, row: int) -> None:
        """Forget the source's rows above it."""
        self._source.let_go(row)


class _Resized(Levels):
    """The luma of another image, resized with a triangle filter, antialiased when it shrinks.

    It is resized in blocks of rows that begin at multiples of _RESIZED.
    """

    def __init__(self, source: ImageReader, height: int, width: int) -> None:
        self._source, self._height, self._width = source, height, width
        self._scale = source.height / height
        self._blocks: dict[int, Array] = {}
        self.row_bytes = 4 * width + math.ceil(source.layout.row_bytes * self._scale)
        around = (
            2 * _RESIZED * math.ceil(self._scale) * (source.layout.row_bytes + 8 * source.width)
        )
        self.fixed_bytes = source.decoder_bytes + 2 * source.block_bytes + around
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

            stop = min(top + _RESIZED, self._height)
            begin, end = (row * self._scale for row in (top, stop))
            first = self._first_row(top)
            last = min(math.ceil(end + max(self._scale, 1)) + 1, self._source.height)
            luma = _luma(self._source, Window(first, 0, last - first, self._source.width))[0]
            span = (begin - first, min(end, self._source.height) - first)
            self._blocks[top] = resize(luma, stop - top, self._width, span).clip(0, 1)
        return self._blocks[top]

    def _first_row(self, top: int) -> int:
        """Give the first row of the source that the block at `top` needs."""
        return max(math.floor(top * self._scale - max(self._scale, 1)) - 1, 0)

    def let_go(self, row: int) -> None:
        """Forget the blocks above the row, and what they were made of."""
        block = row - row % _RESIZED
        self._blocks = {top: rows for top, rows in self._blocks.items() if top >= block}
        made = block + _RESIZED if block in self._blocks else block
        self._source.let_go(self._first_row(made))


def _luma(image: ImageReader, window: Window) -> Array:
    """Give a window's luma times its alpha, [1, h, w]."""
    import numpy as np

    layout = image.layout
    luma = np.empty((1, window.height, window.width), np.float32)
    of_integers = (
        layout.colour == "rgb" and not layout.alpha and layout.dtype.str[1:] in ("u1", "u2")
    )
    for slab in plan(window.height, window.width, _SLAB, window.width):
        read = Window(window.row_off + slab.row_off, window.col_off, slab.height, slab.width)
        if of_integers:
            luma[:, slab.rows] = _luma_of_integers(image.stored(read))
            continue
        pixels = image.read(read)
        with np.errstate(all="ignore"):  # what is beyond 0..1 is refused below
            mixed = _mixed(pixels[: layout.colours], layout.colour)
            if layout.alpha == "straight":
                mixed = mixed * pixels[-1]
            luma[:, slab.rows] = mixed
    return _checked(luma, image)


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


def _check_mixable(image: ImageReader) -> None:
    if image.layout.colour == "bands":
        raise InvalidArgument(
            f"{image.name}: the intensity of {image.layout.channels} bands is not defined; give a "
            "grey or RGB image as the map, or --per-channel"
        )


def _checked(levels: Array, source: ImageReader) -> Array:
    if source.layout.dtype.kind != "u":  # those are scaled to 0..1 as they are read
        low, high = float(levels.min()), float(levels.max())
        if not (low >= 0 and high <= 1):
            raise InvalidArgument(
                f"{source.name}: a map's values must lie in 0 to 1, but these are {low:g} to "
                f"{high:g}; rescale it, or give another --sigma-map"
            )
    return levels
