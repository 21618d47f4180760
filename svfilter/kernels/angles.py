"""Directions from angles in degrees, exact where the axes are."""

from __future__ import annotations

import math
from typing import Any

from svfilter.kernels.base import Array


def direction(angle: Array, xp: Any) -> tuple[Array, Array]:
    """Give cosine and sine of an angle in degrees; at multiples of 90 exactly 0 and ±1.

    The angle is split into quarter turns and a rest in −45 to 45, without rounding. So a kernel
    along a column has no taps beside it, and a quarter turn swaps the axes to the last bit.
    """
    quarters = xp.floor(angle / 90 + 0.5)
    rest = (angle - 90 * quarters) * (math.pi / 180)
    cos, sin = xp.cos(rest), xp.sin(rest)
    halves = xp.floor(quarters / 2)
    odd = quarters - 2 * halves
    sign = 1 - 2 * (halves - 2 * xp.floor(halves / 2))
    return sign * (cos * (1 - odd) - sin * odd), sign * (sin * (1 - odd) + cos * odd)
