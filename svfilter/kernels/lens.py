"""The blur of a lens out of focus: an image of its aperture."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from array_api_compat import array_namespace

from svfilter.errors import InvalidArgument
from svfilter.kernels.base import Array, Family, constant, extent, per_pixel


@dataclass(frozen=True, kw_only=True)
class Lens(Family):
    """Give each pixel an image of the lens's aperture, round or a polygon, evenly bright.

        u(d; R) = clip(R + ½ − ρ(d), 0, 1),   ρ(d) = |d| / g(φ),   φ = atan2(dy, dx)
        g(φ) = (1 − k) · cos(π/n) / cos((φ − φ₀) mod 2π/n − π/n) + k

    over the square |dy|, |dx| ≤ ⌈R + ½⌉ − 1, with n blades of curvature k, the first corner at
    φ₀; g = 1 without blades. The rim falls off over one pixel, half bright where ρ = R. R ≤ ½ is
    the identity, bit for bit.

    Args:
        radius: R in pixels, from the centre to a corner or the rim, 0 to 1000: the circle
            of confusion's; a number or a map [..., H, W].
        blades: n, a whole number of 3 to 32; 0 is a round aperture.
        rotation: φ₀ in degrees, from the x axis (right) towards the y axis (down), −360 to 360.
        curvature: k, 0 to 1: from straight blades to a full circle.

    Raises:
        InvalidArgument: `blades` is 1, 2 or not a whole number.

    Source: Potmesil and Chakravarty, A Lens and Aperture Camera Model for Synthetic Image
        Generation, SIGGRAPH 1981, doi:10.1145/800224.806818, whose aperture is round.
    """

    summary: ClassVar[str] = "lens out of focus: a disk or a polygon"
    compact: ClassVar[bool] = True
    circle: ClassVar[bool] = True

    radius: Array = per_pixel(
        8.0,
        unit="px",
        low=0.0,
        high=1000.0,
        help="radius of the circle of confusion; up to 0.5 leaves the pixel untouched",
    )
    blades: float = constant(
        0.0,
        unit="blades",
        low=0.0,
        high=32.0,
        help="how many blades the aperture has, 3 or more; 0 is a round one",
    )
    rotation: float = constant(
        0.0,
        unit="deg",
        low=-360.0,
        high=360.0,
        help="direction of the aperture's first corner, clockwise from the right",
    )
    curvature: float = constant(
        0.0,
        unit="share",
        low=0.0,
        high=1.0,
        help="how round the blades are; 0 is straight, 1 a full circle",
    )

    def __post_init__(self) -> None:
        """Refuse what is no polygon; the range is checked where those of all parameters are."""
        n = self.blades
        if isinstance(n, (int, float)) and 0 < n < math.inf and (n < 3 or n % 1):
            raise InvalidArgument(
                f"blades must be 0 (round) or a whole number of 3 or more, but is {n:g}"
            )

    @property
    def even(self) -> bool:
        """A round aperture is."""
        return self.blades == 0

    def reach(self) -> int:
        """Give the largest whole number below R + ½, of the largest R."""
        return math.ceil(extent(self.radius)[1] + 0.5) - 1

    def reaches(self) -> Array:
        """Give the largest whole number below R + ½ at every pixel, int64."""
        xp = array_namespace(self.radius)
        return xp.astype(xp.ceil(xp.astype(self.radius, xp.float64) + 0.5) - 1, xp.int64)

    def profile(self, dy: Array, dx: Array, *differences: Array) -> Array:
        """Give how bright the aperture's image is at each tap."""
        xp = array_namespace(dy)
        distance = xp.sqrt(dy * dy + dx * dx)
        if self.blades:
            side = 2 * math.pi / self.blades
            turned = xp.arctan2(dy, dx) - math.radians(self.rotation)
            within = turned - side * xp.floor(turned / side) - side / 2
            straight = math.cos(side / 2) / xp.cos(within)
            distance = distance / ((1 - self.curvature) * straight + self.curvature)
        bright: Array = xp.clip(self.radius + 0.5 - distance, 0.0, 1.0)
        return bright
