"""The distinct kernels of a field, laid out for the compiled code that looks them up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from svfilter.field import KernelField
from svfilter.kernels.base import Array


@dataclass(frozen=True)
class Bank:
    """Kernels, and which of them each pixel has."""

    index: Array  # int64 [..., H, W] or []
    weights: Array  # float32, each kernel [2 · radius + 1, whole vectors] in turn
    offsets: Array  # int64 [N], bytes
    radii: Array  # int64 [N]


@dataclass(frozen=True)
class Distinct:
    """The distinct parameters of a field, and which of them each pixel has."""

    index: Array  # int64 [..., H, W] or []
    field: KernelField
    """Its parameters are [N]."""

    def bytes(self, lanes: int) -> int:
        """Give the bytes of the bank."""
        taps = 2 * self.field.family.radii() + 1
        return int((4 * taps * -(-taps // lanes) * lanes).sum())

    def bank(self, lanes: int) -> Bank:
        """Make the weights of every kernel, its rows padded to whole vectors."""
        radii = np.asarray(self.field.family.radii())
        taps = 2 * radii + 1
        pitch = -(-taps // lanes) * lanes
        starts = np.concatenate([[0], np.cumsum(taps * pitch)])
        weights = np.zeros(starts[-1], np.float32)
        for radius in np.unique(radii):
            same = np.flatnonzero(radii == radius)
            own = self.field.transform(lambda values: values[same]).family  # noqa: B023
            d = np.arange(-radius, radius + 1, dtype=np.float32)[:, None]
            kernels = own.weights(d[:, None], d[None])  # [kh, kw, n]
            for n, start in enumerate(starts[same]):
                size = (taps[same[0]], pitch[same[0]])
                place = weights[start : start + size[0] * size[1]].reshape(size)
                place[:, : len(d)] = kernels[..., n]
        return Bank(self.index, weights, 4 * starts[:-1], radii.astype(np.int64))


def find_distinct(field: KernelField) -> Distinct:
    """Find the distinct kernels of a field of NumPy arrays."""
    maps = np.broadcast_arrays(*field.maps.values())
    # One after the other: to sort rows of several numbers is slow.
    levels, places = zip(*(np.unique(values, return_inverse=True) for values in maps), strict=True)
    counts = tuple(len(own) for own in levels)
    codes = np.ravel_multi_index([place.ravel() for place in places], counts)
    distinct, index = np.unique(codes, return_inverse=True)
    values = (own[at] for own, at in zip(levels, np.unravel_index(distinct, counts), strict=True))
    kernels = field.with_maps(zip(field.maps, values, strict=True))
    return Distinct(index.reshape(maps[0].shape).astype(np.int64), kernels)
