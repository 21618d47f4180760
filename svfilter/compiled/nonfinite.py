"""NaN and infinities, which compiled functions take for 0, put where they belong."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from svfilter.borders import Bordered
from svfilter.kernels.base import Array


def spread_nonfinite(out: Array, image: Bordered, radii: Array) -> None:
    """Give every pixel what the NaN and infinities within its kernel make of it.

    Args:
        out: the result [..., H, W] made with 0 in their place; written to.
        image: the window that was filtered, its margin no less than any radius.
        radii: int64, broadcast against out: the pixel's kernel weighs all of the square
            |dy|, |dx| ≤ radius with positive weights.
    """
    pixels = image.padded()
    radii = np.broadcast_to(radii, out.shape)
    for index in np.ndindex(out.shape[:-2]):
        plane = pixels[index]
        nan, above, below = (
            _any_within(mask, radii[index], image.margin)
            for mask in (np.isnan(plane), plane == np.inf, plane == -np.inf)
        )
        out[index][above] = np.inf
        out[index][below] = -np.inf
        out[index][nan | (above & below)] = np.nan


def see_nonfinite(out: Array, image: Bordered, run: Callable[[Bordered], Array]) -> None:
    """Give every pixel what the NaN and infinities make of it that its weights let it see.

    Args:
        out: the result [..., H, W] made with 0 in their place; written to.
        image: the window that was filtered.
        run: how it was filtered.
    """

    def seen(mask: Array) -> Array:
        return run(image.transform(lambda pixels: mask(pixels).astype(np.float32)))

    nan = seen(np.isnan) != 0
    above, below = (seen(partial(np.equal, value)) for value in (np.inf, -np.inf))
    up, down = (above > 0) | (below < 0), (above < 0) | (below > 0)
    out[up] = np.inf
    out[down] = -np.inf
    out[nan | (up & down)] = np.nan


def see_by_signs(
    out: Array,
    image: Bordered,
    by_positive: Callable[[Bordered], Array],
    by_negative: Callable[[Bordered], Array],
) -> None:
    """Do what `see_nonfinite` does where weights of both signs might cancel.

    Args:
        out: the result [..., H, W] made with 0 in their place; written to.
        image: the window that was filtered.
        by_positive: how it is filtered by max(w, 0),
        by_negative: and by max(−w, 0).
    """
    for run, pixels in ((by_positive, image), (by_negative, image.transform(np.negative))):
        seen = np.zeros_like(out)
        see_nonfinite(seen, pixels, run)
        with np.errstate(invalid="ignore"):  # ∞ − ∞
            out += seen


def _any_within(mask: Array, radii: Array, margin: int) -> Array:
    """Tell for every pixel whether the mask holds anywhere within its radius."""
    sums = np.zeros((mask.shape[0] + 1, mask.shape[1] + 1), np.int64)
    sums[1:, 1:] = mask.cumsum(0).cumsum(1)
    rows, cols = (np.arange(size) + margin for size in radii.shape)
    top, bottom = rows[:, None] - radii, rows[:, None] + radii + 1
    left, right = cols - radii, cols + radii + 1
    found: Array = sums[bottom, right] - sums[top, right] - sums[bottom, left] + sums[top, left]
    return found > 0
