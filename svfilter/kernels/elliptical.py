"""Elliptical Gaussian kernels, turned by any angle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from array_api_compat import array_namespace

from svfilter.kernels.angles import direction
from svfilter.kernels.base import Array, Family, constant, per_pixel
from svfilter.kernels.gaussian import Gaussian

_AROUND = 2.0001
"""So much, and not 2: rounding shall not cut the square's corners off."""
_THINNEST = 1e-4
"""The least variance: taps a pixel beside the axis weigh exp(−5000), which is exactly 0."""


@dataclass(frozen=True, kw_only=True)
class Elliptical(Family):
    """Give each pixel a Gaussian with an ellipse of its own: two spreads and an angle.

        u(d; Σ) = exp(−½ · dᵀ Σ⁻¹ d),   Σ = R(φ) · diag(σx², σy²) · R(φ)ᵀ

    over the square |dy|, |dx| ≤ r = ⌊truncate·σ + ½⌋, σ the larger spread, and within the ellipse
    dᵀ Σ⁻¹ d ≤ 2·(truncate + ½/σ)², which holds all of the square where σx = σy: there it is
    `Gaussian`. Where truncate·max(σx, σy) < ½ it is the identity, bit for bit.

    An ellipse much thinner than the pixels, and askew, would miss most of their centres: a dotted
    line. So no variance is taken for less than ¼·min(1, 2·σ·|sin 2φ|), σ the larger spread, nor
    is it raised over σ². This is half a pixel's spread for nearly every askew ellipse, nothing
    for a round one, and nothing along the axes: there σy = 0 is a Gaussian along one row. It
    grows faster than the ends of the ellipse leave that row (σ·|sin φ|), so that the kernel
    changes continuously as it turns; the spread along it stays within 4 % of σ.

    In float32 the direction is rounded too: the thinnest oblique kernels are off by ½‖K − K̂‖₁ of
    9e-7 at σ = 60 and 4e-6 at 250.

    Args:
        sigma_x: σx in pixels, the standard deviation along the angle, 0 to 1000; a number or a
            map [..., H, W].
        sigma_y: σy in pixels, that across it, 0 to 1000; likewise.
        angle: φ in degrees, from the x axis (right) towards the y axis (down), −360 to 360;
            likewise.
        truncate: where the Gaussian is cut, in larger sigmas, 1 to 8.

    Source: Heckbert, Fundamentals of Texture Mapping and Image Warping (1989), whose elliptical
        filters are never thinner than a pixel either: he adds a pixel's variance to every one.
    """

    summary: ClassVar[str] = "elliptical Gaussian at an angle"
    smooth: ClassVar[bool] = True

    sigma_x: Array = per_pixel(
        8.0,
        unit="px",
        low=0.0,
        high=1000.0,
        help="standard deviation along the angle",
    )
    sigma_y: Array = per_pixel(
        2.0,
        unit="px",
        low=0.0,
        high=1000.0,
        help="standard deviation across the angle",
    )
    angle: Array = per_pixel(
        0.0,
        unit="deg",
        low=-360.0,
        high=360.0,
        help="direction of sigma_x, clockwise from the right",
    )
    truncate: float = constant(
        4.0,
        unit="sigmas",
        low=1.0,
        high=8.0,
        help="where the kernel is cut, in sigmas of the longer axis",
    )

    def reach(self) -> int:
        """Give r of the largest spread."""
        return max(square.reach() for square in self._squares())

    def reaches(self) -> Array:
        """Give r at every pixel, int64."""
        xp = array_namespace(self.sigma_x)
        return xp.maximum(*(square.reaches() for square in self._squares()))

    def profile(self, dy: Array, dx: Array, *differences: Array) -> Array:
        """Give the Gaussian of each tap's distances along and across the angle."""
        xp = array_namespace(dy)
        cos, sin, narrow_x, narrow_y, limit = self._axes(xp)
        along, across = dx * cos + dy * sin, dy * cos - dx * sin
        far = along * along * narrow_x + across * across * narrow_y
        u: Array = xp.exp(-0.5 * far)
        return xp.where(far <= limit, u, xp.zeros_like(u))

    def span(self, dy: Array) -> tuple[Array, Array]:
        """Give where a row enters and leaves the ellipse."""
        xp = array_namespace(dy)
        cos, sin, narrow_x, narrow_y, limit = self._axes(xp)
        # far = a · dx² + 2 · b · dx · dy + c · dy²
        a = cos * cos * narrow_x + sin * sin * narrow_y
        middle = dy * (cos * sin * (narrow_y - narrow_x) / a)
        left = limit - dy * dy * (narrow_x * narrow_y / a)
        half = xp.sqrt(xp.maximum(left, xp.zeros_like(left)) / a)
        return middle - half, middle + half

    def _axes(self, xp: Any) -> tuple[Array, Array, Array, Array, Array]:
        """Give cosine and sine of the angle, one by each variance, and where the ellipse ends."""
        cos, sin = direction(self.angle, xp)
        longer = xp.maximum(self.sigma_x, self.sigma_y)
        askew = abs(4 * longer * sin * cos)
        least = xp.minimum(0.25 * xp.clip(askew, 0.0, 1.0), longer * longer)
        narrow_x, narrow_y = (
            1 / xp.clip(xp.maximum(sigma * sigma, least), _THINNEST, 1e6)
            for sigma in (self.sigma_x, self.sigma_y)
        )
        edge = self.truncate + 0.5 / xp.clip(longer, 1 / 32, 1000.0)
        return cos, sin, narrow_x, narrow_y, _AROUND * edge * edge

    def _squares(self) -> tuple[Gaussian, Gaussian]:
        """Give families of the radii that each spread asks for."""
        return (
            Gaussian(sigma=self.sigma_x, truncate=self.truncate),
            Gaussian(sigma=self.sigma_y, truncate=self.truncate),
        )
