"""What tells two images apart, in numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import reduce
from typing import TYPE_CHECKING

from svfilter.errors import InvalidArgument

if TYPE_CHECKING:
    from svfilter.images.layout import Colour, Layout
    from svfilter.images.reading import ImageReader
    from svfilter.kernels.base import Array

_NAMES: dict[Colour, list[str]] = {
    "grey": ["grey"],
    "rgb": ["red", "green", "blue"],
    "cmyk": ["cyan", "magenta", "yellow", "black"],
}


@dataclass(frozen=True)
class Comparison:
    """How far two images a and b are apart, over all of their channels, alpha too.

    Integers are taken as shares of their type's largest, floats as they are. What is NaN in both
    is equal; what is NaN in one of them, or infinite, is infinitely far off.
    """

    largest: float
    """The largest |a - b|,"""
    x: int
    y: int
    """the first pixel that has it, row by row, counted from 0,"""
    channel: str
    """and the first channel."""
    mean: float
    """Of |a - b|."""
    rms: float
    """The square root of the mean of (a - b)²."""
    differing: int
    """Pixels that differ in any channel,"""
    pixels: int
    """of so many."""
    steps: int | None
    """Of integers, how many steps the range has, in the coarser of the two; of floats None."""

    @property
    def psnr(self) -> float:
        """The ratio of the peak, 1, to the RMS, in dB; infinite where they are equal."""
        return -20 * math.log10(self.rms) if self.rms else math.inf

    @property
    def unit(self) -> str:
        """What `in_unit` counts in: steps of integers; floats have units of their own."""
        return f"steps of 1/{self.steps}" if self.steps else ""

    def in_unit(self, value: float) -> float:
        """Give a difference in steps, or a float's as it is."""
        return value * (self.steps or 1)

    @property
    def place(self) -> str:
        """Where the largest is."""
        return f"x={self.x}, y={self.y}, {self.channel}"

    @property
    def share(self) -> float:
        """Per cent of the pixels that differ."""
        return 100 * self.differing / self.pixels

    def words(self) -> dict[str, str]:
        """Give all of it by its name."""
        place = f" at {self.place}" if self.largest else ""
        return {
            "largest": self._sized(self.largest) + place,
            "mean": self._sized(self.mean),
            "rms": self._sized(self.rms),
            "psnr": f"{self.psnr:.6g} dB",
            "differing": f"{self.share:.4g} % of pixels, {self.differing} of {self.pixels}",
        }

    def _sized(self, value: float) -> str:
        return f"{value:.6g}" + (f" ({self.in_unit(value):.6g} {self.unit})" if self.steps else "")


class Differences:
    """Takes the rows of two images of the same size and counts what differs.

    Sums of differences of integers of 8 and 16 bits are exact; others are of float64.
    """

    def __init__(self, first: ImageReader, second: ImageReader) -> None:
        """Begin.

        Raises:
            InvalidArgument: they are of different sizes, or of kinds that cannot be compared.
        """
        import numpy as np

        self._own = first.layout, second.layout
        self._common = _common(first, second)
        kinds = [layout.dtype for layout in self._own]
        self._exact = kinds[0] == kinds[1] and kinds[0].str[1:] in ("u1", "u2")
        integers = all(kind.kind != "f" for kind in kinds)
        self._steps = min(int(np.iinfo(kind).max) for kind in kinds) if integers else None
        self.scale = float(np.iinfo(kinds[0]).max) if self._exact else 1.0
        """What `add` gives for a difference of the whole range."""
        self._largest: tuple[float, int, int, int] = (0.0, 0, 0, 0)
        self._sum: float = 0
        self._squares: float = 0
        self._differing = self._rows = 0

    def add(self, first: Array, second: Array) -> Array:
        """Take the next rows of both, [h, w, C] as stored; give each pixel's largest, [h, w]."""
        import numpy as np

        a, b = (
            _as(pixels, own, self._common)
            for pixels, own in zip((first, second), self._own, strict=True)
        )
        apart = np.maximum(a, b) - np.minimum(a, b) if self._exact else _apart(a, b)
        worst: Array = reduce(np.maximum, (apart[..., c] for c in range(apart.shape[-1])))
        self._count(apart, worst)
        self._rows += len(first)
        return worst

    def _count(self, apart: Array, worst: Array) -> None:
        import numpy as np

        most = worst.max()
        if not most:
            return
        if most > self._largest[0]:
            y, x = np.unravel_index(worst.argmax(), worst.shape)
            self._largest = (most.item(), int(x), self._rows + int(y), int(apart[y, x].argmax()))
        self._differing += np.count_nonzero(worst)
        wide = np.uint64 if self._exact else np.float64
        with np.errstate(over="ignore"):
            squares = np.square(apart, dtype=f"u{2 * apart.itemsize}" if self._exact else None)
            self._sum += apart.sum(dtype=wide).item()
            self._squares += squares.sum(dtype=wide).item()

    def end(self) -> Comparison:
        """Give what was found."""
        pixels = self._own[0].height * self._own[0].width
        values = pixels * self._common.channels
        largest, x, y, channel = self._largest
        return Comparison(
            largest / self.scale,
            x,
            y,
            _names(self._common)[channel],
            mean=self._sum / values / self.scale,
            rms=math.sqrt(self._squares / values) / self.scale,
            differing=self._differing,
            pixels=pixels,
            steps=self._steps,
        )


def _common(first: ImageReader, second: ImageReader) -> Layout:
    """Give the channels that both have or can be given: grey as RGB, opaque without alpha.

    Raises:
        InvalidArgument: there are none, or the sizes differ.
    """
    a, b = first.layout, second.layout
    if (a.height, a.width) != (b.height, b.width):
        raise InvalidArgument(
            f"A and B must be of the same size, but {first.name} is {a.width} x {a.height} and "
            f"{second.name} {b.width} x {b.height} pixels; resize or crop one of them"
        )
    alphas, kinds = {a.alpha, b.alpha} - {""}, {(one.colour, one.colours) for one in (a, b)}
    if len(alphas) > 1 or (len(kinds) > 1 and kinds != {("grey", 1), ("rgb", 3)}):
        raise InvalidArgument(
            f"A and B must be of the same channels, but {first.name} is {a.words} and "
            f"{second.name} {b.words}; convert one of them"
        )
    colour, colours = max(kinds, key=lambda kind: kind[1])
    alpha = alphas.pop() if alphas else ""
    return replace(a, colour=colour, channels=colours + bool(alpha), alpha=alpha)


def _as(pixels: Array, own: Layout, common: Layout) -> Array:
    """Give pixels the channels that they lack."""
    import numpy as np

    if own.channels == common.channels:
        return pixels
    colours, alpha = pixels[..., : own.colours], pixels[..., own.colours :]
    if own.colours < common.colours:
        colours = np.repeat(colours, common.colours, axis=-1)
    if common.alpha and not own.alpha:
        opaque = 1 if own.dtype.kind == "f" else np.iinfo(own.dtype).max
        alpha = np.full((*pixels.shape[:2], 1), opaque, own.dtype)
    return np.concatenate([colours, alpha], axis=-1)


def _value(pixels: Array) -> Array:
    """Give the nearest float64, integers as shares of their largest."""
    import numpy as np

    if pixels.dtype.kind == "f":
        return pixels.astype(np.float64)
    return pixels / np.float64(np.iinfo(pixels.dtype).max)


def _apart(first: Array, second: Array) -> Array:
    import numpy as np

    a, b = _value(first), _value(second)
    with np.errstate(all="ignore"):
        apart: Array = abs(a - b)
    apart[(a == b) | (np.isnan(a) & np.isnan(b))] = 0
    apart[np.isnan(apart)] = np.inf
    return apart


def _names(layout: Layout) -> list[str]:
    count = range(1, layout.colours + 1)
    names = _NAMES.get(layout.colour) or [f"band {number}" for number in count]
    return [*names, "alpha"]
