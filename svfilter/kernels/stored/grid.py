"""Kernels known at the nodes of a grid, blended between them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from array_api_compat import array_namespace

from svfilter.kernels.base import Array, Blend, per_pixel
from svfilter.kernels.stored.bank import MOST_KERNELS, Bank, as_arrays
from svfilter.kernels.stored.base import Stored, bank_like, check_places


@dataclass(frozen=True, kw_only=True)
class Grid(Stored):
    """Give each pixel a kernel between those at the four nodes of a grid around it.

        w(dy, dx; p) = Σ_ij (1 − |row(p) − i|)⁺ · (1 − |column(p) − j|)⁺ · kernels[i, j, r + dy, r + dx]

    Weights are taken as they are: of any sign and sum.

    Args:
        kernels: [gy, gx, kh, kw], those at the nodes; padded as `Bank` says.
        row: where the pixel is in the grid, 0 to gy − 1; a number or a map [..., H, W].
        column: the same to the right, 0 to gx − 1.

    A grid that spans an image of H rows has its node i at pixel (H − 1) · i / (gy − 1), so that
    row = y · (gy − 1) / (H − 1).

    Source: point spread functions measured on a grid and interpolated between are common for
        telescopes, such as Bertin, Automated Morphometry with SExtractor and PSFEx (2011), ASP
        Conference Series 442.
    """  # noqa: E501  (an equation)

    summary: ClassVar[str] = "stored kernels at the nodes of a grid, blended between them"

    kernels: Array
    row: Array = per_pixel(
        0.0,
        unit="nodes",
        low=0.0,
        high=float(MOST_KERNELS - 1),
        help="place in the grid, downwards",
    )
    column: Array = per_pixel(
        0.0, unit="nodes", low=0.0, high=float(MOST_KERNELS - 1), help="the same to the right"
    )

    def __post_init__(self) -> None:
        object.__setattr__(self, "kernels", Bank.of(self.kernels, "gy, gx, kh, kw"))
        for name, count in zip(("row", "column"), self.kernels.nodes, strict=True):
            check_places(self, name, count, whole=False)

    def reach(self) -> int:
        """Give r, that of all kernels."""
        return int(self.kernels.radius)

    def shares(self) -> list[Array]:
        """Give the place."""
        return [self.row, self.column]

    def blend(self) -> Blend:
        """Give the nodes around each pixel: two along an axis that has more than one."""
        row, column = as_arrays(self.row, self.column)
        gy, gx = self.kernels.nodes
        across = _ends(column, gx)
        indices, shares = [], []
        for i, down in _ends(row, gy):
            for j, right in across:
                indices.append(i * gx + j)
                shares.append(down * right)
        return Blend(bank_like(self.kernels, row, column), indices, shares)

    def gain(self) -> float:
        """Give the largest Σ |w| of a node, or 1: between nodes it is no larger."""
        return max(1.0, float(self.kernels.absolute_sums().max()))


def _ends(place: Array, count: int) -> list[tuple[Array, Array]]:
    """Give the nodes before and after a place along an axis, and how much of each."""
    xp = array_namespace(place)
    place = place if "float" in str(place.dtype) else xp.astype(place, xp.float64)
    if count == 1:
        return [(xp.astype(place, xp.int64) * 0, xp.ones_like(place))]
    before = xp.clip(xp.astype(place, xp.int64), 0, count - 2)
    share = place - xp.astype(before, place.dtype)
    return [(before, 1 - share), (before + 1, share)]
