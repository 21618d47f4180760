"""A look at LZW before imagecodecs decodes it, which would crash on some damaged data.

After a code that clears the table, it takes any code for a byte's; one that is no longer in the
table makes it read from nowhere. How wide a code is depends on how many there were since the last
clearing alone, so that all of them are found without being decoded.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from svfilter.kernels.base import Array

_CLEAR, _END = 256, 257
_WIDENED = (511, 1023, 2047)
"""Entries of the table from which on codes have one bit more."""
_LARGEST = 4100
"""Entries; imagecodecs has room for some more than there are codes for."""
_NARROWEST = 9


@cache
def _codes(bit: int) -> tuple[Array, Array, Array, Array]:
    """Give where the codes after a clearing are that ends at this bit of a byte.

    Returns:
        Of each code: the byte in which it begins; how far the 32 bits from there on must be
        shifted, to have it without its last bit; what masks it then; and the bit behind it.
    """
    entries = np.arange(_END, _LARGEST)
    entries[0] += 1  # the first code adds none
    widths: Array = np.full(entries.shape, _NARROWEST)
    for limit in _WIDENED:
        widths += entries >= limit
    ends = bit + np.cumsum(widths)
    begins = ends - widths
    shifts = 33 - widths - (begins & 7)
    return begins >> 3, shifts.astype("u4"), ((1 << widths - 1) - 1).astype("u4"), ends


def check(data: bytes | bytearray) -> None:
    """Refuse data in which a clearing is followed by a code that it has cleared.

    Raises:
        ValueError: there is one, or the data are of the kind that was in use before TIFF 6.
    """
    if data[:1] != b"\x80":
        raise ValueError("LZW does not begin as it must")
    words = np.ndarray(len(data), ">u4", bytes(data) + bytes(3), strides=(1,))  # from each byte on
    at, stop = _NARROWEST, 8 * len(data)
    while at + _NARROWEST <= stop:
        base, bit = divmod(at, 8)
        places, shifts, masks, ends = _codes(bit)
        count = int(ends.searchsorted(stop - 8 * base, side="right"))
        here = words[base : base + int(places[count - 1]) + 1].astype("u4")
        halves = here.take(places[:count])
        halves >>= shifts[:count]
        halves &= masks[:count]
        if halves[0] > _END >> 1:
            raise ValueError("LZW is damaged")
        special = halves == _CLEAR >> 1  # or the end
        first = int(special.argmax())
        at = 8 * base + int(ends[first])
        if not special[first] or data[(at - 1) >> 3] >> (-at & 7) & 1:
            return
