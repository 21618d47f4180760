"""Vectors in the plane as the length and the angle of a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from svfilter.maps.base import Span

if TYPE_CHECKING:
    from svfilter.kernels.base import Array

ANGLES: Span = (-180.0, 180.0)
"""What `polar` gives, in degrees."""
ROWS = 16
"""Rows turned at a time, so that what is needed in between stays small."""


def polar(x: Array, y: Array) -> tuple[Array, Array]:
    """Give the length √(x² + y²) and the angle atan2(y, x) of vectors, float32.

    Every value is the same wherever it stands in the arrays.

    Args:
        x: to the right, float64.
        y: downwards, likewise.

    Returns:
        Lengths, and angles in degrees from the x axis towards the y axis, −180 to 180; 0 for a
        vector of length 0.
    """
    import numpy as np

    with np.errstate(over="ignore"):  # how long a path may be, the family says
        length = np.sqrt(x * x + y * y).astype(np.float32)
    angle = np.degrees(np.arctan2(y + 0.0, x + 0.0))  # of −0 the angle would be 180
    return length, angle.astype(np.float32)
