"""The least and the largest of all levels of an image, and what lies between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from svfilter.errors import InvalidArgument
from svfilter.tiles import plan

if TYPE_CHECKING:
    from svfilter.kernels.base import Array
    from svfilter.maps.levels import Levels

_ROWS = 64
"""Rows that are looked at together, at least."""
_DROPPED = 9
"""Bits of a float32 that do not tell the bin of its value: 14 of 23 after the point do."""


@dataclass(frozen=True)
class Percent:
    """The level that a share of all levels do not exceed: 0 is the least, 100 the largest.

    Args:
        share: 0 to 100.
    """

    share: float

    def __post_init__(self) -> None:
        if not 0 <= self.share <= 100:
            raise InvalidArgument(f"a percentile must lie in 0% to 100%, but is {self}")

    def __str__(self) -> str:
        return f"{self.share:g}%"


def levels_at(
    levels: Levels, size: tuple[int, int], shares: Sequence[float]
) -> list[tuple[float, float]]:
    """Give the levels that shares of all levels of an image do not exceed, each as a span.

    The levels are read once, from top to bottom, and counted in bins of 2⁻¹⁴ of their size, which
    gives the same for windows of any size. A share of 0 or 1 is exact: both ends are the least or
    the largest level. Else the level lies in the span, the bin or a part of it.

    Args:
        levels: those of a whole image.
        size: its height and width.
        shares: 0 to 1.

    Cost: one pass over the levels; 64 MiB at most, of which only bins that are met are touched.
    """
    import numpy as np

    counts = np.zeros(2 ** (32 - _DROPPED), np.int64)
    least, largest = np.inf, -np.inf
    rows = max(_ROWS, levels.margin)  # else most of what is read would be read again and again
    for window in plan(*size, rows, size[1]):
        part = levels.read(window)
        least, largest = min(least, float(part.min())), max(largest, float(part.max()))
        if any(0 < share < 1 for share in shares):
            np.add.at(counts, _bins(part), 1)
        levels.let_go(window.row_off + window.height)
    found = []
    met = np.flatnonzero(counts)
    total = np.cumsum(counts[met])
    for share in shares:
        if 0 < share < 1:
            low, high = _ends(met[np.searchsorted(total, max(np.ceil(share * total[-1]), 1))])
            found.append((max(low, least), min(high, largest)))
        else:
            found.append((largest, largest) if share else (least, least))
    return found


def _bins(levels: Array) -> Array:
    """Give the bins of levels: whole numbers in the order of the values."""
    import numpy as np

    bits = (np.ravel(levels) + np.float32(0)).view(np.int32)  # −0 becomes 0
    # Of negative floats the bits grow with the size: turned round, they stand below the others.
    ordered = np.where(bits < 0, ~bits, bits | np.int32(-(2**31))).view(np.uint32)
    return ordered >> np.uint32(_DROPPED)


def _ends(place: Array) -> tuple[float, float]:
    """Give the least and the largest float32 of a bin."""
    import numpy as np

    first = int(place) << _DROPPED
    ends = np.array([first, first + 2**_DROPPED - 1], np.uint32).view(np.int32)
    bits = np.where(ends < 0, ends & np.int32(2**31 - 1), ~ends)
    low, high = bits.view(np.float32).tolist()
    return low, high
