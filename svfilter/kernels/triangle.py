"""Triangular kernels: pyramids over a square."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from array_api_compat import array_namespace

from svfilter.kernels.base import Array, Family, extent, per_pixel


@dataclass(frozen=True, kw_only=True)
class Triangle(Family):
    """Give each pixel a mean whose weights fall off linearly along both axes.

        u(dy, dx; R) = t(dy) · t(dx),   t(d) = max(0, 1 − |d| / (R + 1))

    over the square |dy|, |dx| ≤ ⌈R⌉. R = 0 is the identity. At an even R it is the box of
    R + 1 pixels, filtered twice.

    Args:
        radius: R, how many pixels the kernel reaches beyond its own pixel, 0 to 1000; a
            number or a map [..., H, W].

    Source: Bartlett's window, along both axes.
    """

    summary: ClassVar[str] = "weights that fall off linearly"
    compact: ClassVar[bool] = True

    radius: Array = per_pixel(
        8.0,
        unit="px",
        low=0.0,
        high=1000.0,
        help="reach of the kernel beyond its own pixel; 0 leaves the pixel untouched",
    )

    @property
    def even(self) -> bool:
        """Rows and columns are alike on both sides."""
        return True

    def reach(self) -> int:
        """Give ⌈R⌉ of the largest R."""
        return math.ceil(extent(self.radius)[1])

    def reaches(self) -> Array:
        """Give ⌈R⌉ at every pixel, int64."""
        xp = array_namespace(self.radius)
        return xp.astype(xp.ceil(self.radius), xp.int64)

    def profile(self, dy: Array, dx: Array, *differences: Array) -> Array:
        """Give t(dy) · t(dx)."""
        xp = array_namespace(dy)
        slope = 1 / (self.radius + 1)
        height: Array = xp.clip(1 - abs(dy) * slope, 0.0, 1.0) * xp.clip(
            1 - abs(dx) * slope, 0.0, 1.0
        )
        return height
