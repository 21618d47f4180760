"""Unsharp masking: what a Gaussian takes away is added."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from array_api_compat import array_namespace

from svfilter.kernels.base import Array, Family, constant, extent, per_pixel
from svfilter.kernels.gaussian import Gaussian


@dataclass(frozen=True, kw_only=True)
class UnsharpMask(Family):
    """Sharpen each pixel by its difference from a Gaussian mean around it.

        out(p) = x(p) + a(p) · T(x(p) − Σ_d g(d; σ(p)) · x(p + d)),   T(e) = e − clip(e, −τ, τ)

    with the weights g of `Gaussian`. Differences up to the threshold τ are left alone, larger
    ones lose τ, so that no edge appears where the threshold is crossed. a = 0 and σ = 0 are the
    identity, bit for bit. At τ = 0 it is a linear filter, w = δ + a·(δ − g), whose weights sum
    to 1 without being divided by their sum.

    Args:
        sigma: σ in pixels, the standard deviation, 0 to 1000; a number or a map [..., H, W].
        amount: a, how many times the difference is added, 0 to 100; likewise.
        threshold: τ, as a share of the image's range, 0 to 1.
        truncate: where the Gaussian is cut, in sigmas, 1 to 8.

    Source: Gonzalez and Woods, Digital Image Processing, section "Unsharp Masking and Highboost
        Filtering"; soft thresholds: Donoho, De-noising by Soft-Thresholding (1995),
        doi:10.1109/18.382009.
    """

    summary: ClassVar[str] = "unsharp mask: sharpens"
    normalised: ClassVar[bool] = False
    scatters: ClassVar[bool] = False

    sigma: Array = per_pixel(
        2.0,
        unit="px",
        low=0.0,
        high=1000.0,
        help="standard deviation of what is sharpened; 0 leaves the pixel untouched",
    )
    amount: Array = per_pixel(
        1.0,
        unit="times",
        low=0.0,
        high=100.0,
        help="how strongly; 0 leaves the pixel untouched",
    )
    threshold: float = constant(
        0.0,
        unit="share",
        low=0.0,
        high=1.0,
        help="differences up to this share of the image's range are left alone",
    )
    truncate: float = constant(
        4.0,
        unit="sigmas",
        low=1.0,
        high=8.0,
        help="where the Gaussian is cut",
    )

    @property
    def even(self) -> bool:
        """As the Gaussian is."""
        return True

    def reach(self) -> int:
        """Give the radius of the widest Gaussian."""
        return self.linear().reach()

    def reaches(self) -> Array:
        """Give the Gaussian's radius at every pixel, int64."""
        return self.linear().reaches()

    def profile(self, dy: Array, dx: Array, *differences: Array) -> Array:
        """Give δ + a·(δ − g), the weights at the threshold 0."""
        xp = array_namespace(dy)
        own = xp.astype((dy == 0) & (dx == 0), dy.dtype)
        sharp: Array = own + self.amount * (own - self.linear().weights(dy, dx))
        return sharp

    def linear(self) -> Gaussian:
        """Give the Gaussian whose mean is compared with the pixel."""
        return Gaussian(sigma=self.sigma, truncate=self.truncate)

    def finish(self, own: Array, filtered: Array) -> Array:
        """Add what the Gaussian took away."""
        xp = array_namespace(own)
        # Infinities must pass where nothing is added.
        none = (filtered == own) | (self.amount == 0)
        zeros = xp.zeros_like(own)
        edge = xp.where(none, zeros, own) - xp.where(none, zeros, filtered)
        if self.threshold:
            edge = edge - xp.clip(edge, -self.threshold, self.threshold)
        return xp.where(none, own, own + self.amount * edge)

    def gain(self) -> float:
        """Give the largest amount, or 1 if that is less: the pixel itself is rounded too."""
        return max(1.0, extent(self.amount)[1])
