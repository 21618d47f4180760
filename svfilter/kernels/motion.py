"""The blur of a movement along a straight line during the exposure."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from array_api_compat import array_namespace

from svfilter.kernels.angles import direction
from svfilter.kernels.base import Array, Family, constant, extent, per_pixel

_STILL = 0.25
"""Lengths up to here are the identity: no angle and no path reach another tap."""


_FLAT = 1e-4
"""A smaller sine is taken for this one: then a row says nothing of where the line is."""


@dataclass(frozen=True, kw_only=True)
class Motion(Family):
    """Give each pixel the mean along a straight line, one pixel thick.

        u(d; L, φ) = max(0, 1 − |s| / h) · clip(½·L + ½ − |t − ½·path·L|, 0, 1)
        t = dx·cos φ + dy·sin φ,   s = dy·cos φ − dx·sin φ,   h = min(1, ½ + ½·L)

    over the square |dy|, |dx| ≤ r, the largest whole number below √(T² + 1), T = ½·(1 + |path|)·L
    + ½: no angle reaches farther. The line lies from ½·(path − 1)·L to ½·(path + 1)·L; the pixels
    at its ends weigh the share that it covers of them. L ≤ ¼ is the identity, bit for bit, and
    for that lines shorter than a pixel are thinner (h). A centred line along an axis is the
    identity up to L = 1: it covers no other pixel.

    In float32 the direction is rounded too: long oblique kernels are off by ½‖K − K̂‖₁ of 1.2e-6
    at L = 200 and 5e-6 at 1000.

    Args:
        length: L in pixels, 0 to 1000; a number or a map [..., H, W].
        angle: φ in degrees, from the x axis (right) towards the y axis (down), −360 to 360;
            likewise.
        path: where the line lies: it ends at the pixel (−1), is centred on it (0), or starts
            from it (1).

    Source: Potmesil and Chakravarty, Modeling Motion Blur in Computer-Generated Images, SIGGRAPH
        1983, doi:10.1145/800059.801169: the exposure's integral along the path.
    """

    summary: ClassVar[str] = "motion along a straight line"

    length: Array = per_pixel(
        16.0,
        unit="px",
        low=0.0,
        high=1000.0,
        help="how far it moves; up to 0.25 leaves the pixel untouched",
    )
    angle: Array = per_pixel(
        0.0,
        unit="deg",
        low=-360.0,
        high=360.0,
        help="direction of the motion, clockwise from the right",
    )
    path: float = constant(
        0.0,
        unit="half-lengths",
        low=-1.0,
        high=1.0,
        help="where the line's middle lies along the angle: -1 ends it at the pixel, 1 starts it",
    )

    def reach(self) -> int:
        """Give r of the largest length."""
        length = extent(self.length)[1]
        if length <= _STILL:
            return 0
        tip = 0.5 * (1 + abs(self.path)) * length + 0.5
        return math.ceil(math.sqrt(tip * tip + 1)) - 1

    def reaches(self) -> Array:
        """Give r at every pixel, int64."""
        xp = array_namespace(self.length)
        length = xp.astype(self.length, xp.float64)
        tip = 0.5 * (1 + abs(self.path)) * length + 0.5
        reach = xp.astype(xp.ceil(xp.sqrt(tip * tip + 1)) - 1, xp.int64)
        return xp.where(length > _STILL, reach, xp.zeros_like(reach))

    def profile(self, dy: Array, dx: Array, *differences: Array) -> Array:
        """Give how much of each tap the line covers."""
        xp = array_namespace(dy)
        cos, sin = direction(self.angle, xp)
        along, across = dx * cos + dy * sin, dy * cos - dx * sin
        half = 0.5 * self.length
        thin = 1 / xp.clip(half + 0.5, 0.0, 1.0)
        beside = xp.clip(1 - abs(across) * thin, 0.0, 1.0)
        cover: Array = beside * xp.clip(half + 0.5 - abs(along - self.path * half), 0.0, 1.0)
        return cover

    def span(self, dy: Array) -> tuple[Array, Array]:
        """Give where a row enters and leaves the line and its ends."""
        xp = array_namespace(dy)
        cos, sin = direction(self.angle, xp)
        half = 0.5 * self.length
        # |dy · cos − dx · sin| ≤ wide and |dx · cos + dy · sin − middle| ≤ long
        wide, long = xp.clip(half + 0.5, 0.0, 1.0), half + 0.5
        per_sin, per_cos = (1 / xp.where(abs(v) < _FLAT, _FLAT + 0 * v, v) for v in (sin, cos))
        across, along = dy * cos * per_sin, (self.path * half - dy * sin) * per_cos
        aside, ahead = wide * abs(per_sin), long * abs(per_cos)
        return xp.maximum(across - aside, along - ahead), xp.minimum(across + aside, along + ahead)
