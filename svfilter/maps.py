"""Where parameter maps come from: a number, the pixel's own intensity, another image."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from svfilter.errors import InvalidArgument, SvfilterWarning
from svfilter.tiles import Window, plan

if TYPE_CHECKING:
    from svfilter.images.reading import ImageReader
    from svfilter.kernels.base import Array

INTENSITY = "intensity"
"""The source that stands for the image's own pixels."""

REC_709 = (0.2126, 0.7152, 0.0722)
"""Shares of red, green and blue in luma (Rec. ITU-R BT.709), taken of the encoded values."""

_SLAB = 16
"""Rows read and mixed at a time: few enough to stay in the processor's cache."""


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


@dataclass(frozen=True)
class ParameterMap:
    """The values of one parameter for an image."""

    spec: MapSpec
    levels: Callable[[Window], Array] | None
    """Gives a window's levels in 0..1, [1 or more, h, w] float32; None: there is no source."""

    def read(self, window: Window) -> Array | float:
        """Give a window's values, [1 or more, h, w] float32, or the one value of all pixels."""
        if self.levels is None:
            return self.spec.high
        level = self.levels(window)
        m = (1 - level if self.spec.invert else level) ** self.spec.gamma
        values = 1 - m
        values *= self.spec.low
        m *= self.spec.high
        values += m
        return values


def open_map(
    spec: MapSpec, image: ImageReader, open_source: Callable[[str], ImageReader]
) -> ParameterMap:
    """Open the source of a map for an image.

    Args:
        spec: what the map shall be.
        image: the image that will be filtered.
        open_source: opens another image by its name.

    Raises:
        InvalidArgument: the source holds floats beyond 0..1. (Those of the image itself are
            found when they are read.)
        ImageReadError: the source cannot be read.
    """
    if spec.source is None:
        return ParameterMap(spec, None)
    if spec.source == INTENSITY:
        return ParameterMap(spec, partial(_intensity, image, per_channel=spec.per_channel))
    plane = _plane(open_source(spec.source), image)
    return ParameterMap(spec, lambda window: plane[:, window.rows, window.cols])


def _intensity(image: ImageReader, window: Window, *, per_channel: bool) -> Array:
    luma = _luma(image, window)
    if not per_channel:
        return luma
    import numpy as np

    colour = image.read(window)[: image.colours]
    return np.concatenate([colour, luma]) if image.has_alpha else colour  # alpha follows luma


def _plane(source: ImageReader, image: ImageReader) -> Array:
    """Give a map's luma, [1, H, W], at the size of the image."""
    if source.has_alpha and source.read(source.whole)[-1].min() < 1:
        _warn(f"{source.name}: the map is this image's luma; its alpha is not used")
    plane = _luma(source, source.whole)
    if (source.height, source.width) == (image.height, image.width):
        return plane
    stretch = (source.width / source.height) / (image.width / image.height)
    shape = "" if abs(stretch - 1) < 0.01 else ", which changes its proportions"
    _warn(
        f"{source.name}: the map of {source.width} x {source.height} pixels is resized to the "
        f"image's {image.width} x {image.height}{shape}"
    )
    from svfilter.images.reading import resize

    return resize(plane[0], image.height, image.width)[None].clip(0, 1)


def _luma(image: ImageReader, window: Window) -> Array:
    """Give a window's luma, [1, h, w]."""
    import numpy as np

    luma = np.empty((1, window.height, window.width), np.float32)
    for slab in plan(window.height, window.width, _SLAB, window.width):
        read = Window(window.row_off + slab.row_off, window.col_off, slab.height, slab.width)
        luma[:, slab.rows] = _mixed(image.read(read)[: image.colours])
    _check_levels(luma, image)
    return luma


def _mixed(colour: Array) -> Array:
    if len(colour) == 1:
        return colour[0]
    # Pixel by pixel in one order: a matrix product would round by the window's shape.
    total = REC_709[0] * colour[0].astype("float64")
    for share, plane in zip(REC_709[1:], colour[1:], strict=True):
        total += share * plane.astype("float64")
    return total


def _check_levels(luma: Array, source: ImageReader) -> None:
    if source.dtype.kind == "f":  # grey; integers are scaled to 0..1 as they are read
        low, high = float(luma.min()), float(luma.max())
        if not (low >= 0 and high <= 1):
            raise InvalidArgument(
                f"{source.name}: a map's values must lie in 0 to 1, but these are {low:g} to "
                f"{high:g}; rescale it, or give another --sigma-map"
            )


def _warn(message: str) -> None:
    warnings.warn(message, SvfilterWarning, stacklevel=4)
