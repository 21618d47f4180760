"""Kernels that are sums of a few, each times a coefficient of its own at every pixel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from array_api_compat import array_namespace, device

from svfilter.errors import InvalidArgument
from svfilter.kernels.base import Array, Blend, extent, per_pixel
from svfilter.kernels.stored.bank import LARGEST, Bank, as_arrays
from svfilter.kernels.stored.base import Stored, as_maps, bank_like


@dataclass(frozen=True, kw_only=True)
class Basis(Stored):
    """Give each pixel a sum of the same few kernels, with coefficients of its own.

        w(dy, dx; p) = Σ_j coefficients[j](p) · kernels[j, r + dy, r + dx]

    Weights are taken as they are: of any sign and sum.

    Args:
        kernels: [R, kh, kw], padded as `Bank` says.
        coefficients: R numbers or maps [..., H, W], −1e9 to 1e9; an array [R, H, W] is R maps.
    """

    summary: ClassVar[str] = "sums of stored kernels, with coefficients for each pixel"

    kernels: Array
    coefficients: tuple[Array, ...] = per_pixel(
        1.0, unit="times", low=-LARGEST, high=LARGEST, help="how much of each kernel"
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "kernels", Bank.of(self.kernels, "R, kh, kw"))
        (rank,) = self.kernels.nodes
        coefficients = as_maps("coefficients", self.coefficients)
        if len(coefficients) != rank:
            raise InvalidArgument(
                f"coefficients must be {rank} maps, one for each of the kernels, but are "
                f"{len(coefficients)}"
            )
        object.__setattr__(self, "coefficients", coefficients)

    def reach(self) -> int:
        """Give r, that of all kernels."""
        return int(self.kernels.radius)

    def shares(self) -> list[Array]:
        """Give the coefficients."""
        return list(self.coefficients)

    def blend(self) -> Blend:
        """Give each kernel with its coefficient."""
        shares = as_arrays(*self.coefficients)
        xp, place = array_namespace(*shares), device(shares[0])
        indices = [xp.asarray(j, dtype=xp.int64, device=place) for j in range(len(shares))]
        return Blend(bank_like(self.kernels, *shares), indices, shares)

    def gain(self) -> float:
        """Give a number that Σ |w| exceeds nowhere, at least 1."""
        most = [max(map(abs, extent(values))) for values in self.coefficients]
        return max(1.0, float((self.kernels.absolute_sums() * most).sum()))
