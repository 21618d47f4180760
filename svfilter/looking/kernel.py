"""The kernel of one pixel, in float64."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from svfilter.field import KernelField
    from svfilter.kernels.base import Array, Family


def of_pixel(field: KernelField) -> Family:
    """Give the family with the numbers of a single pixel, those of its first channel."""
    import numpy as np

    return field.transform(lambda values: np.float64(np.ravel(values)[0])).family


def weights_at(family: Family, around: Array | None = None) -> Array:
    """Give the weights w(d) of a pixel's kernel; tap d = (dy, dx) is [r + dy, r + dx].

    Of an unsharp mask, which its threshold makes no sum over weights, they are those at the
    threshold 0.

    Args:
        family: with the pixel's own parameters, as `of_pixel` gives it.
        around: for a family that looks at a guide, its planes around the pixel, [G, k, k] or
            farther.

    Returns:
        float64 [k, k], k = 2 · r + 1.

    Cost: k² of time and memory, several times over for what a profile needs in between.
    """
    profile = profile_at(family, around)
    weights: Array = profile / profile.sum() if family.normalised else profile
    return weights


def profile_at(family: Family, around: Array | None = None, *, step: int = 1) -> Array:
    """Give the weights before they are normalised, of every tap or of those at every `step`."""
    import numpy as np

    end = family.reach() // step
    d = np.arange(-end, end + 1, dtype=np.float64) * step
    differences: tuple[Array, ...] = ()
    if around is not None:
        at = around.shape[-1] // 2 + d.astype(np.intp)
        seen = around[:, at[:, None], at].astype(np.float64)
        differences = tuple(seen - seen[:, end, end, None, None])
    profile: Array = family.masked(d[:, None], d[None], *differences)
    return profile
