"""Isotropic Gaussian kernels."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

from array_api_compat import array_namespace, device

from svfilter.kernels.base import Array, Family, constant, extent, per_pixel

_LEAST = 1 / 32
"""Kernels of more than one tap have larger sigmas, whatever they are cut at."""


@dataclass(frozen=True, kw_only=True)
class Gaussian(Family):
    """Give each pixel a Gaussian of its own spread, sampled and normalised over its taps.

        w(dy, dx; σ) = g(dy) · g(dx),   g(d) = exp(−d² / 2σ²) / Σ_i exp(−i² / 2σ²)

    over the square |dy|, |dx| ≤ r(σ) = ⌊truncate·σ + ½⌋, which is SciPy's rule. Where
    truncate·σ < ½ the kernel is the single tap 1: σ = 0 is the identity, bit for bit.

    Args:
        sigma: standard deviation in pixels, 0 to 1000; a number or a map [..., H, W].
        truncate: where the Gaussian is cut, in sigmas, 1 to 8. At 4 the part left out weighs
            1.3e-4 in all.

    Whether a tap on the very edge, at truncate·σ + ½, belongs to the kernel is decided in the
    precision of σ.

    Cost: 4·radius exponentials and kernel_size² products a pixel when all taps are asked for at
    once.

    Source: `scipy.ndimage.gaussian_filter` uses the same taps for its `truncate`.

    Example:
        >>> import numpy as np
        >>> taps = np.arange(-4.0, 5.0)
        >>> w = Gaussian(sigma=np.float64(1.0)).weights(taps[:, None], taps[None, :])
        >>> w.shape, float(w.sum().round(12))
        ((9, 9), 1.0)
    """

    summary: ClassVar[str] = "isotropic Gaussian"
    smooth: ClassVar[bool] = True

    sigma: Array = per_pixel(
        8.0,
        unit="px",
        low=0.0,
        high=1000.0,
        help="standard deviation; 0 leaves the pixel untouched",
    )
    truncate: float = constant(
        4.0,
        unit="sigmas",
        low=1.0,
        high=8.0,
        help="where the kernel is cut",
    )

    @property
    def even(self) -> bool:
        """Rows and columns are alike on both sides."""
        return True

    def reach(self) -> int:
        """Give r(σ) of the largest σ."""
        sigma = self.sigma
        if not isinstance(sigma, (int, float)):  # its largest first, in its own precision
            sigma = sigma.reshape(-1)
            at = int(sigma.argmax())
            sigma = sigma[at : at + 1]
        return math.floor(extent(self.truncate * sigma)[1] + 0.5)

    def reaches(self) -> Array:
        """Give r(σ) at every pixel, int64."""
        xp = array_namespace(self.sigma)
        return xp.astype(
            xp.floor(xp.astype(self.truncate * self.sigma, xp.float64) + 0.5), xp.int64
        )

    def profile(self, dy: Array, dx: Array, *differences: Array) -> Array:
        """Give g(dy) · g(dx) before they are normalised."""
        return self._profile(dy) * self._profile(dx)

    def masked(self, dy: Array, dx: Array, *differences: Array) -> Array:
        """Give the product of a row and a column that end where the kernel does."""
        return self._masked(dy) * self._masked(dx)

    def total(self, dtype: Any) -> Array:
        """Give the square of the sum of a row."""
        xp = array_namespace(self.sigma)
        row = xp.ones_like(self.sigma)
        offsets = xp.arange(1, self.reach() + 1, dtype=dtype, device=device(self.sigma))
        tail = self._masked(xp.reshape(offsets, (-1,) + (1,) * self.sigma.ndim))
        # One after the other, what rounding loses kept apart (Neumaier 1974): an error here
        # would scale the whole result. A longer tail of zeros leaves every bit as it was.
        lost = xp.zeros_like(row)
        for term in xp.unstack(tail):
            longer = row + 2 * term
            lost = lost + ((row - longer) + 2 * term)
            row = longer
        return (row + lost) * (row + lost)

    def _profile(self, d: Array) -> Array:
        xp = array_namespace(self.sigma)
        # Kernels of one tap, of which only the centre is seen, have the gradient 0.
        z = d / xp.clip(self.sigma, _LEAST, 1000.0)
        return xp.exp(-0.5 * z * z)

    def _masked(self, d: Array) -> Array:
        xp = array_namespace(self.sigma)
        radii = xp.astype(self.reaches(), d.dtype)
        return xp.where(abs(d) <= radii, self._profile(d), 0.0)
