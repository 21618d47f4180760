"""What all families of stored kernels share."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar

from array_api_compat import array_namespace, device

from svfilter.errors import InvalidArgument
from svfilter.kernels.base import Array, Blend, Family, extent
from svfilter.kernels.stored.bank import Bank, as_arrays


@dataclass(frozen=True, kw_only=True)
class Stored(Family):
    """Kernels that are blended from stored ones; any sign, any sum, never normalised.

    w(dy, dx; p) = Σ_j share_j(p) · bank[index_j(p), r + dy, r + dx]
    """

    normalised: ClassVar[bool] = False

    @abstractmethod
    def blend(self) -> Blend:
        """Give the stored kernels, and how much of which makes a pixel's."""

    @abstractmethod
    def shares(self) -> list[Array]:
        """Give the per-pixel parameters, numbers or arrays."""

    def reaches(self) -> Array:
        """Give r at every pixel, int64: that of the largest kernel stored."""
        arrays = as_arrays(*self.shares())
        xp = array_namespace(*arrays)
        shape = _together(arrays)
        return xp.full(shape, self.reach(), dtype=xp.int64, device=device(arrays[0]))

    def profile(self, dy: Array, dx: Array, *differences: Array) -> Array:
        """Give w; beyond the radius that of the nearest tap within."""
        xp, radius = array_namespace(dy), self.reach()
        row, col = (xp.astype(xp.clip(d, -radius, radius), xp.int64) + radius for d in (dy, dx))
        taps = row * (2 * radius + 1) + col
        blend = self.blend()
        own = max(values.ndim for values in (*blend.indices, *blend.shares))
        leading = tuple(taps.shape[: max(taps.ndim - own, 0)])
        taps = xp.reshape(taps, (-1,))
        if blend.bank is None:
            shape = _together(blend.shares)
            picked = [xp.broadcast_to(blend.shares[tap], shape) for tap in taps.tolist()]
            return xp.reshape(xp.astype(xp.stack(picked), dy.dtype), (*leading, *shape))
        bank = xp.reshape(blend.bank, (blend.bank.shape[0], -1))  # [N, k · k]
        total: Array = None
        for index, share in zip(blend.indices, blend.shares, strict=True):
            picked = _pick(bank, taps, xp.reshape(index, (-1,)))
            ones = (1,) * (own - index.ndim)
            part = share * xp.reshape(picked, (*leading, *ones, *index.shape))
            total = part if total is None else total + part
        return total


def _pick(bank: Array, taps: Array, index: Array) -> Array:
    """Give some taps of some of the kernels [N, k · k], as [taps, kernels]."""
    xp = array_namespace(bank)
    if index.shape[0] < bank.shape[0]:  # first what leaves less
        return xp.take(xp.take(bank, index, axis=0), taps, axis=1).T
    return xp.take(xp.take(bank.T, taps, axis=0), index, axis=1)


def bank_like(kernels: Bank, *arrays: Array) -> Array:
    """Give the kernels, [N, k, k], of the kind, dtype and device of a family's parameters."""
    real = next((a for a in arrays if "float" in str(a.dtype)), None)
    xp = array_namespace(arrays[0])
    return kernels.like(arrays[0], xp.float64 if real is None else real.dtype)


def check_places(family: Family, name: str, count: int, *, whole: bool) -> None:
    """Refuse places among `count` stored kernels where there is none.

    Raises:
        InvalidArgument: one lies beyond them, or between them if they must be whole.
    """
    values = getattr(family, name)
    if not isinstance(values, (int, float)) and not hasattr(values, "dtype"):
        return  # the field says what is wrong with its type
    low, high = extent(values)
    if not (low >= 0 and high <= count - 1):
        received = f"{low:g}" if not low < high else f"{low:g} to {high:g}"
        raise InvalidArgument(
            f"{name} must lie in 0 to {count - 1}, for {count} stored, but is {received}"
        )
    if whole:
        array = as_arrays(values)[0]
        xp = array_namespace(array)
        if not xp.all(array == xp.astype(xp.astype(array, xp.int64), array.dtype)):
            raise InvalidArgument(f"{name} must be whole numbers, but holds fractions")


def as_maps(name: str, values: Any) -> tuple[Array, ...]:
    """Give the maps of a parameter that has several.

    Raises:
        InvalidArgument: it is a single number, or nothing of that kind.
    """
    if isinstance(values, (tuple, list)) or getattr(values, "ndim", 0) > 0:
        return tuple(values)
    received = getattr(values, "dtype", type(values).__name__)
    raise InvalidArgument(f"{name} must be several maps or numbers, but are of type {received}")


def _together(arrays: list[Array]) -> tuple[int, ...]:
    import numpy as np

    return np.broadcast_shapes(*(tuple(array.shape) for array in arrays))
