"""One of a few kernels at every pixel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from array_api_compat import array_namespace, device

from svfilter.kernels.base import Array, Blend, per_pixel
from svfilter.kernels.stored.bank import MOST_KERNELS, Bank, as_arrays
from svfilter.kernels.stored.base import Stored, bank_like, check_places


@dataclass(frozen=True, kw_only=True)
class Codebook(Stored):
    """Give each pixel one of a few kernels.

        w(dy, dx; p) = kernels[index(p), r + dy, r + dx]

    Weights are taken as they are: of any sign and sum. Gathering does not flip them.

    Args:
        kernels: [N, kh, kw], or [kh, kw] for the same kernel everywhere; padded as `Bank` says.
        index: which kernel, a whole number 0 to N − 1; a number or a map [..., H, W].

    Example:
        >>> import numpy as np
        >>> from svfilter import KernelField, filter_image
        >>> right = np.array([[0.0, 0.0, 1.0]])
        >>> filter_image(np.array([[1.0, 2.0, 3.0]]), KernelField(Codebook(kernels=right)))
        array([[2., 3., 3.]])
    """

    summary: ClassVar[str] = "stored kernels, one for each pixel"

    kernels: Array
    index: Array = per_pixel(
        0.0, unit="of the kernels", low=0.0, high=float(MOST_KERNELS - 1), help="which kernel"
    )

    def __post_init__(self) -> None:
        plain = getattr(self.kernels, "ndim", 3) == 2
        kernels = self.kernels[None] if plain else self.kernels
        object.__setattr__(self, "kernels", Bank.of(kernels, "N, kh, kw"))
        check_places(self, "index", self.kernels.nodes[0], whole=True)

    def reach(self) -> int:
        """Give r, that of all kernels."""
        return int(self.kernels.radius)

    def shares(self) -> list[Array]:
        """Give the index."""
        return [self.index]

    def blend(self) -> Blend:
        """Give the one kernel, and all of it."""
        (index,) = as_arrays(self.index)
        xp = array_namespace(index)
        bank = bank_like(self.kernels, index)
        one = xp.ones((), dtype=bank.dtype, device=device(index))
        return Blend(bank, [xp.astype(index, xp.int64)], [one])

    def gain(self) -> float:
        """Give the largest Σ |w|, or 1."""
        return max(1.0, float(self.kernels.absolute_sums().max()))
