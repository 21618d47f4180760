"""Square box kernels of fractional width."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from array_api_compat import array_namespace

from svfilter.kernels.base import Array, Family, extent, per_pixel


@dataclass(frozen=True, kw_only=True)
class Box(Family):
    """Give each pixel the mean over a square around it.

        u(dy, dx; R) = c(dy) · c(dx),   c(d) = clip(R + 1 − |d|, 0, 1)

    over the square |dy|, |dx| ≤ ⌈R⌉. The square is 2·R + 1 pixels wide: the taps at its rim
    weigh the share that it covers of them, so that the mean grows continuously with R. R = 0 is
    the identity.

    Args:
        radius: R, how many pixels the square reaches beyond its own pixel, 0 to 1000; a
            number or a map [..., H, W].

    Source: at a whole R `scipy.ndimage.uniform_filter` of the size 2·R + 1.
    """

    summary: ClassVar[str] = "mean over a square"
    compact: ClassVar[bool] = True

    radius: Array = per_pixel(
        8.0,
        unit="px",
        low=0.0,
        high=1000.0,
        help="reach of the square beyond its own pixel; 0 leaves the pixel untouched",
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
        """Give the share of each tap that the square covers."""
        xp = array_namespace(dy)
        edge = self.radius + 1
        cover: Array = xp.clip(edge - abs(dy), 0.0, 1.0) * xp.clip(edge - abs(dx), 0.0, 1.0)
        return cover
