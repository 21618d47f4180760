"""Bilateral kernels: Gaussians that stop at edges."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from array_api_compat import array_namespace

from svfilter.kernels.base import Array, Family, constant, extent, per_pixel
from svfilter.kernels.gaussian import Gaussian

_LEAST_SPACE = 1 / 32
"""Kernels of more than one tap have larger ones, whatever they are cut at."""
_LEAST_RANGE = 1e-6
"""Smaller ranges count as this; squares of differences over less would not fit into float32."""


@dataclass(frozen=True, kw_only=True)
class Bilateral(Family):
    """Give each pixel the mean of those around it that look alike in a guide.

        u(d; p) = exp(−½·(dy² + dx²) / σs² − ½·Σ_g (g(p + d) − g(p))² / σr²)

    over the square |dy|, |dx| ≤ r = ⌊truncate·σs + ½⌋ and the guide's planes g: those of the
    image itself, or of another one (joint, or cross, bilateral filtering). Where truncate·σs < ½
    or σr = 0 it is the identity, bit for bit. For the image as its own guide that is the limit
    of σr → 0, since only equal values are averaged there. σr → ∞ is the Gaussian σs.

    Args:
        sigma_space: σs in pixels, the standard deviation, 0 to 200; a number or a map
            [..., H, W].
        sigma_range: σr, how far values may differ, as a share of the guide's range, 0 to 10;
            likewise. Between 0 and 1e-6 it counts as 1e-6.
        truncate: where the Gaussian of space is cut, in sigmas, 1 to 8. At 2 the part left out
            weighs 9 % in a flat region.

    Source: Tomasi and Manduchi, Bilateral Filtering for Gray and Color Images, ICCV 1998,
        doi:10.1109/ICCV.1998.710815; with another guide: Petschnigg et al., SIGGRAPH 2004,
        doi:10.1145/1015706.1015777, and Eisemann and Durand, SIGGRAPH 2004,
        doi:10.1145/1015706.1015778.
    """

    summary: ClassVar[str] = "bilateral: smooths, and keeps edges"
    guided: ClassVar[bool] = True
    scatters: ClassVar[bool] = False

    sigma_space: Array = per_pixel(
        4.0,
        unit="px",
        low=0.0,
        high=200.0,
        help="standard deviation in the image plane; 0 leaves the pixel untouched",
    )
    sigma_range: Array = per_pixel(
        0.1,
        unit="share",
        low=0.0,
        high=10.0,
        help="how far values may differ, as a share of the range; 0 leaves the pixel untouched",
    )
    truncate: float = constant(
        2.0,
        unit="sigmas",
        low=1.0,
        high=8.0,
        help="where the kernel is cut",
    )

    def reach(self) -> int:
        """Give r of the largest σs, or 0 if σr is 0 everywhere."""
        return self._space().reach() if extent(self.sigma_range)[1] > 0 else 0

    def reaches(self) -> Array:
        """Give r at every pixel, int64; 0 where σr is 0."""
        radii = self._space().reaches()
        xp = array_namespace(radii)
        return xp.where(self.sigma_range > 0, radii, xp.zeros_like(radii))

    def profile(self, dy: Array, dx: Array, *differences: Array) -> Array:
        """Give the Gaussian of the distance times those of the differences."""
        xp = array_namespace(dy)
        # Kernels of one tap, of which only the centre is seen, have the gradient 0.
        space = xp.clip(self.sigma_space, _LEAST_SPACE, 1000.0)
        exponent = (dy * dy + dx * dx) * (-0.5 / (space * space))
        likeness = 1 / xp.clip(self.sigma_range, _LEAST_RANGE, 10.0)
        for difference in differences:
            z = difference * likeness
            exponent = exponent - 0.5 * z * z
        u: Array = xp.exp(exponent)
        return u

    def _space(self) -> Gaussian:
        """Give a family of the same radii, but where σr is 0."""
        return Gaussian(sigma=self.sigma_space, truncate=self.truncate)
