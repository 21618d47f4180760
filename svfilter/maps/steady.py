"""Functions whose value at a pixel does not depend on where the pixel stands in an array."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from svfilter.kernels.base import Array

LANES = 64
"""A multiple of the elements that any processor's registers hold."""


def steady(function: Callable[..., Array], *arrays: Array) -> Array:
    """Give a function of arrays, element by element, the same bits wherever an element stands.

    Sums, products, quotients and square roots are rounded in one way only. Powers, exponentials,
    logarithms, sines and the like are not: a library may compute whole registers by one formula
    and what is left at the end, or what does not lie side by side, by another. So elements are put
    side by side here, and filled up to whole registers.

    Args:
        function: a ufunc, or what calls some, of as many arrays.
        arrays: of one floating type and of shapes that broadcast; none is modified. What has no
            axes is handed on as the one number that it is.

    Returns:
        An array of its own, of their common shape.

    Cost: a pass over each array beside the function's own, so hand over what fits into the cache.
    """
    import numpy as np

    shape = np.broadcast_shapes(*(np.shape(array) for array in arrays))
    if not shape:
        return function(*arrays)
    size = math.prod(shape)
    filled = [_filled(array, shape, -(-size // LANES) * LANES) for array in arrays]
    result: Array = function(*filled)
    return result[:size].reshape(shape)


def _filled(array: Array, shape: tuple[int, ...], length: int) -> Array:
    """Give elements side by side, then ones, of which every function has a value."""
    import numpy as np

    if not array.shape:
        return array
    if array.shape == shape and array.size == length and array.flags.c_contiguous:
        return array.reshape(-1)
    filled = np.ones(length, array.dtype)
    filled[: math.prod(shape)].reshape(shape)[...] = array
    return filled
