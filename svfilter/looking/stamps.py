"""Kernels of single pixels drawn over the image, all at one scale."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from svfilter.looking.kernel import profile_at

if TYPE_CHECKING:
    from svfilter.kernels.base import Array, Family
    from svfilter.looking.site import Place

_ACROSS, _EACH = 10, 14
"""Kernels along the longer side; up to so many pixels each has its own."""
_MOST_TAPS, _KEPT = 1025, 257
"""Of a side: of wider kernels not every tap is looked at, and of so many means are kept."""
_FAINT = 1 / 64
"""Weights below this share of the largest cannot be seen, and do not count for the size."""
_FILLED = 0.92
"""How much of its cell's side the largest kernel takes."""
_COARSEST = 0.2
"""The largest side of a drawn tap, as a share of its cell's,"""
_DOT = 4.0
"""and the smallest diameter of a kernel in pixels: it is a dot then."""
_RING = 3.5
"""The radius of the ring that stands for a kernel of one tap."""
_ABOVE, _BELOW = (255, 205, 85), (0, 30, 150)
"""Weights above 0 are light, those below dark, yellow and blue to any kind of colour vision."""
_DARKEST, _LIGHTEST = 70, 145
"""Of the greys of the image under them."""


@dataclass(frozen=True)
class Stamp:
    """A kernel as it is drawn."""

    weights: Array
    """[n, n], of any unit; means over squares of taps."""
    step: int
    """The side of such a square."""
    radius: int
    """How far the taps lie that can be seen; 0 for a kernel of one tap."""


def grid(height: int, width: int) -> list[Place]:
    """Give pixels spread evenly over an image, from top to bottom.

    Example:
        >>> grid(2, 3)
        [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2)]
    """
    longer = max(height, width)
    cell = 1 if longer <= _EACH else longer / _ACROSS
    rows, columns = (
        [(2 * i + 1) * side // (2 * n) for i in range(n)]
        for side in (height, width)
        for n in [min(max(round(side / cell), 1), side)]
    )
    return [(row, column) for row in rows for column in columns]


def stamp(family: Family, around: Array | None) -> Stamp:
    """Give what is drawn of a pixel's kernel."""
    import numpy as np

    step = math.ceil((2 * family.reach() + 1) / _MOST_TAPS)
    weights = profile_at(family, around, step=step)
    rows, columns = np.nonzero(abs(_shares(weights)) >= _FAINT)
    middle = len(weights) // 2
    far = max(abs(rows - middle).max(), abs(columns - middle).max()) if len(rows) else 0
    kept = slice(middle - far, middle + far + 1)
    pooled, side = _pooled(weights[kept, kept])
    return Stamp(pooled, step * side, int(far) * step)


def _pooled(weights: Array) -> tuple[Array, int]:
    """Give means over squares around the middle, few enough to be kept, and their side."""
    import numpy as np

    side = math.ceil(len(weights) / _KEPT) // 2 * 2 + 1
    count = math.ceil(len(weights) / side) // 2 * 2 + 1
    beyond = (count * side - len(weights)) // 2
    squares = np.pad(weights, beyond).reshape(count, side, count, side)
    return squares.mean(axis=(1, 3)), side


def _shares(weights: Array) -> Array:
    """Give weights by the largest; those below 0 by the smallest, and as strong as all together."""
    import numpy as np

    above, below = np.maximum(weights, 0), np.maximum(-weights, 0)
    strength = min(1.0, below.sum() / max(above.sum(), 1e-300))
    shares: Array = above / max(above.max(), 1e-300)
    shares -= strength * below / max(below.max(), 1e-300)
    return shares


def stamped(
    picture: Array, size: tuple[int, int], stamps: Mapping[Place, Stamp]
) -> tuple[Array, float | None]:
    """Draw kernels over a picture of their image.

    Args:
        picture: uint8 [H, W, 3].
        size: the image's rows and columns.
        stamps: by their pixels.

    Returns:
        The picture, and how many times as large as on it the kernels are; None if all are of one
        tap.
    """
    import numpy as np

    grey = picture @ np.array([0.2126, 0.7152, 0.0722])
    drawn = np.repeat((_DARKEST + grey * ((_LIGHTEST - _DARKEST) / 255))[..., None], 3, axis=-1)
    by = picture.shape[0] / size[0], picture.shape[1] / size[1]
    widest = 2 * max(one.radius for one in stamps.values()) + 1
    cell = _cell(picture.shape[:2], stamps)
    tap = min(_FILLED / widest, _COARSEST) * cell
    times = _rounded_down(tap / by[1])
    for (row, column), one in stamps.items():
        centre = round((row + 0.5) * by[0] - 0.5), round((column + 0.5) * by[1] - 0.5)
        _put(drawn, centre, one, times * by[1])
    return np.rint(drawn).astype(np.uint8), times if widest > 1 else None


def _cell(picture: tuple[int, int], places: Iterable[Place]) -> float:
    """Give the shorter side of the room for each kernel."""
    counts = (len(set(axis)) for axis in zip(*places, strict=True))
    return min(side / count for side, count in zip(picture, counts, strict=True))


def _rounded_down(value: float) -> float:
    """Give two digits of a number."""
    unit = 10.0 ** (math.floor(math.log10(value)) - 1)
    return math.floor(value / unit + 1e-9) * unit


def _put(drawn: Array, centre: tuple[int, int], one: Stamp, tap: float) -> None:
    """Draw a kernel, taps of a side of so many pixels, its middle there; cut at the borders."""
    import numpy as np

    small = tap * one.step * len(one.weights) < _DOT
    shares = _mark(ring=one.radius == 0) if small or one.radius == 0 else _enlarged(one, tap)
    half = len(shares) // 2
    (top, bottom), (left, right) = (
        (max(half - at, 0), min(side - at + half, 2 * half + 1))
        for at, side in zip(centre, drawn.shape[:2], strict=True)
    )
    shares = shares[top:bottom, left:right, None]
    under = drawn[
        centre[0] - half + top : centre[0] - half + bottom,
        centre[1] - half + left : centre[1] - half + right,
    ]
    under += abs(shares) * (np.where(shares < 0, _BELOW, _ABOVE) - under)


def _enlarged(one: Stamp, tap: float) -> Array:
    """Give the shares of a kernel by area: what each pixel covers of it."""
    import numpy as np

    end = len(one.weights) // 2
    side = tap * one.step
    half = math.ceil((end + 0.5) * side - 0.5)
    pixels, taps = np.arange(-half, half + 1)[:, None], np.arange(-end, end + 1) * side
    begin = np.maximum(pixels - 0.5, taps - side / 2)
    covered = np.clip(np.minimum(pixels + 0.5, taps + side / 2) - begin, 0, None)
    return _shares(covered @ one.weights @ covered.T)


def _mark(*, ring: bool) -> Array:
    """Give the mark of a kernel of one tap, or of one that is too small to be drawn."""
    import numpy as np

    half = math.ceil(_RING) + 1
    d = np.arange(-half, half + 1)
    far = np.hypot(d[:, None], d)
    mark: Array = np.clip(1.5 - abs(far - _RING) if ring else 0.5 + _DOT / 2 - far, 0, 1)
    return mark
