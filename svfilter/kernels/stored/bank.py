"""Kernels in memory, checked once and padded to odd squares."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from array_api_compat import array_namespace, is_numpy_array, is_torch_array

from svfilter.errors import InvalidArgument
from svfilter.kernels.base import Array, extent

LARGEST = 1e9
"""The largest weight, coefficient or tap: products and sums of them stay far from overflow."""
MOST_KERNELS = 2**24
"""Whole numbers up to here are exact in float32, which indices are handed over in."""


@dataclass(frozen=True, eq=False)
class Bank:
    """Kernels [..., 2 · r + 1, 2 · r + 1] that all windows of an image share.

    A side of an even number of taps n gets one more of zeros at its end, so that the kernel's
    centre is tap n / 2, counted from 0; then the shorter side gets as many zeros on both ends as
    make it as long as the other.
    """

    values: Array  # NumPy, float32 or float64
    _copies: dict[tuple[Any, str], Array] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, kernels: Array | Bank, axes: str) -> Bank:
        """Check kernels, unless that has been done.

        Args:
            kernels: real numbers, a NumPy array or a torch tensor that needs no gradient.
            axes: the names of the axes that it must have, as in "N, kh, kw".

        Raises:
            InvalidArgument: they are something else, not finite, or too large or too many.
        """
        if isinstance(kernels, Bank):
            return kernels
        return cls(_padded(_checked(kernels, axes)))

    @property
    def nodes(self) -> tuple[int, ...]:
        """The axes before the kernels' own."""
        nodes: tuple[int, ...] = self.values.shape[:-2]
        return nodes

    @property
    def radius(self) -> int:
        """r, that of all kernels."""
        return int(self.values.shape[-1]) // 2

    def like(self, other: Array, dtype: Any) -> Array:
        """Give the kernels one after the other, [N, k, k], of another array's kind and device."""
        key = dtype, str(getattr(other, "device", "")) if is_torch_array(other) else ""
        if key not in self._copies:
            size = self.values.shape[-1]
            self._copies[key] = _like(self.values.reshape(-1, size, size), other, dtype)
        return self._copies[key]

    def absolute_sums(self) -> Array:
        """Give Σ |w| of every kernel."""
        return abs(self.values).sum(axis=(-2, -1), dtype="float64")


def as_arrays(*values: Array) -> list[Array]:
    """Give arrays, and numbers as arrays of the others' kind."""
    known = [value for value in values if not isinstance(value, (int, float))]
    if not known:
        import numpy as np

        return [np.asarray(value, np.float64) for value in values]
    xp, like = array_namespace(*known), known[0]
    options = {"device": like.device} if is_torch_array(like) else {}
    return [
        xp.asarray(value, dtype=like.dtype, **options) if isinstance(value, (int, float)) else value
        for value in values
    ]


def _like(values: Array, other: Array, dtype: Any) -> Array:
    if not is_torch_array(other):
        return values.astype(dtype, copy=False)
    import torch

    return torch.tensor(values, dtype=dtype, device=other.device)


def _checked(kernels: Any, axes: str) -> Array:
    import numpy as np

    if is_torch_array(kernels):
        if kernels.requires_grad:
            raise InvalidArgument(
                "kernels get no gradient: give kernels.detach(), or to learn kernels a Basis's "
                "coefficients or a Dense's taps"
            )
        kernels = kernels.cpu()
        half = "float16" in str(kernels.dtype)  # bfloat16 too, which NumPy does not know
        kernels = (kernels.float() if half else kernels).numpy()
    if not is_numpy_array(kernels) or kernels.dtype.kind not in "biuf":
        received = getattr(kernels, "dtype", type(kernels).__name__)
        raise InvalidArgument(f"kernels must be an array of real numbers, but are of {received}")
    count = axes.count(",") + 1
    if kernels.ndim != count or 0 in kernels.shape:
        raise InvalidArgument(
            f"kernels must be [{axes}] with one kernel of one tap at least, but have shape "
            f"{list(kernels.shape)}"
        )
    if (many := int(np.prod(kernels.shape[:-2]))) > MOST_KERNELS:
        raise InvalidArgument(f"kernels must be at most {MOST_KERNELS}, but are {many}")
    values = kernels if kernels.dtype == np.float32 else kernels.astype(np.float64)
    low, high = extent(values)
    if not (low >= -LARGEST and high <= LARGEST):  # never so for NaN
        raise InvalidArgument(
            f"kernels must lie in {-LARGEST:g} to {LARGEST:g}, but are {low:g} to {high:g}"
        )
    return values


def _padded(values: Array) -> Array:
    import numpy as np

    odd = [size + 1 - size % 2 for size in values.shape[-2:]]
    most = max(odd)
    sides = [
        (before := (most - side) // 2, most - size - before)
        for side, size in zip(odd, values.shape[-2:], strict=True)
    ]
    return np.ascontiguousarray(np.pad(values, [(0, 0)] * (values.ndim - 2) + sides))
