"""Moffat kernels: a core like a Gaussian's, with the wings of a star seen through air."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from array_api_compat import array_namespace

from svfilter.kernels.base import Array, Family, constant, per_pixel
from svfilter.kernels.gaussian import Gaussian

_LEAST = 1 / 200
"""Kernels of more than one tap are wider, wherever they are cut."""


@dataclass(frozen=True, kw_only=True)
class Moffat(Family):
    """Give each pixel a Moffat profile of its own width, sampled.

        u(d; F) = (1 + ρ² / α²)^−β,   ρ² = dy² + dx²,   α = F / (2·√(2^(1/β) − 1))

    over the square |dy|, |dx| ≤ r = ⌊truncate·F + ½⌋, where F is the full width at half maximum.
    Where truncate·F < ½ the kernel is the single tap 1: F = 0 is the identity, bit for bit.

    Beyond the distance ρ the wings weigh (1 + ρ² / α²)^(1 − β) of the whole profile: beyond
    truncate·F 0.3 % at the defaults, but 16 % at β = 1.5, and 7 % at a truncate of 10.

    Args:
        fwhm: F in pixels, 0 to 1000; a number or a map [..., H, W].
        beta: β, 1.1 to 30: the smaller, the heavier the wings; 30 is nearly a Gaussian.
        truncate: where the wings are cut, in widths F, 1 to 50.

    Source: Moffat, A Theoretical Investigation of Focal Stellar Images, Astronomy and
        Astrophysics 3, 455 (1969).
    """

    summary: ClassVar[str] = "Moffat profile: a star's image with its wings"
    smooth: ClassVar[bool] = True

    fwhm: Array = per_pixel(
        8.0,
        unit="px",
        low=0.0,
        high=1000.0,
        help="full width at half maximum; 0 leaves the pixel untouched",
    )
    beta: float = constant(
        3.0,
        unit="power",
        low=1.1,
        high=30.0,
        help="how steeply the wings fall; the smaller, the heavier they are",
    )
    truncate: float = constant(
        4.0,
        unit="widths",
        low=1.0,
        high=50.0,
        help="where the wings are cut",
    )

    @property
    def even(self) -> bool:
        """Rows and columns are alike on both sides."""
        return True

    def reach(self) -> int:
        """Give r of the largest F."""
        return self._square().reach()

    def reaches(self) -> Array:
        """Give r at every pixel, int64."""
        return self._square().reaches()

    def profile(self, dy: Array, dx: Array, *differences: Array) -> Array:
        """Give the Moffat profile, 1 at its centre."""
        xp = array_namespace(dy)
        # Kernels of one tap, of which only the centre is seen, have the gradient 0.
        width = xp.clip(self.fwhm, _LEAST, 1000.0)
        narrow = 4 * (2 ** (1 / self.beta) - 1) / (width * width)  # 1 / α²
        u: Array = xp.exp(-self.beta * xp.log(1 + (dy * dy + dx * dx) * narrow))
        return u

    def _square(self) -> Gaussian:
        """Give a family of the same radii."""
        return Gaussian(sigma=self.fwhm, truncate=self.truncate)
