"""Pixels as a file stores them, in rows, and as they are filtered: planes of 32-bit floats."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from svfilter.errors import ImageReadError, InvalidArgument, SvfilterWarning

if TYPE_CHECKING:
    import numpy as np

    from svfilter.kernels.base import Array

BIT_DEPTHS = ("8", "16", "32f")
"""What a result can be stored in whatever the image was: integers of 8 or 16 bits, floats."""

_SLAB = 2**15
"""Values of a plane that are turned at a time: few enough to stay in the processor's cache."""
_NOISE_BITS = {1: 8, 2: 6}
"""Bytes of an integer -> bits of the noise that dithers it. Half a step of the noise is more than
what float32 makes of value · largest, so that rounding never carries a level to the next one."""


def to_float(rows: Array, out: Array | None = None) -> Array:
    """Turn stored pixels into planes: integers divided by their type's largest, floats as they are.

    The quotient is the float32 nearest to the exact one. Unsigned integers become 0 to 1, signed
    ones of b bits -1 - 1/(2^(b-1) - 1) to 1. Of 32-bit integers and 64-bit floats 24 bits are kept.

    Args:
        rows: [h, w, C], integers of up to 32 bits or floats.
        out: [C, h, w] float32 to write into; default: new.

    Raises:
        ImageReadError: a finite 64-bit float is beyond what 32 bits can hold. As an infinity it
            would spread through every kernel that reaches it.
    """
    import numpy as np

    height, width, channels = rows.shape
    if out is None:
        out = np.empty((channels, height, width), np.float32)
    largest = None if rows.dtype.kind == "f" else np.iinfo(rows.dtype).max
    try:
        with np.errstate(over="raise", invalid="ignore"):  # signalling NaN become quiet ones
            for slab in slabs(height, width):
                for channel in range(channels):  # much faster than all of them transposed
                    values, stored = out[channel, slab], rows[slab, :, channel]
                    if largest is not None and rows.itemsize == 4:
                        values[...] = stored / np.float64(largest)
                        continue
                    values[...] = stored
                    if largest is not None:
                        values /= np.float32(largest)
    except FloatingPointError:
        raise ImageReadError(
            "holds 64-bit floats beyond ±3.4e38, which the 32 bits that are filtered cannot hold; "
            "rescale it first"
        ) from None
    return out


def to_stored(
    planes: Array,
    dtype: np.dtype[Any],
    *,
    dither: bool = False,
    origin: tuple[int, int] = (0, 0),
    out: Array | None = None,
) -> Array:
    """Turn planes into pixels of a file: the inverse of `to_float`, rounded to the nearest.

    A value v becomes the integer rint(t), t = v · largest, with v cut to the type's range. With
    dither it becomes

        ⌊t + u⌋,   u = (n + ½) / N,   n = 0 to N - 1,

    where n is a hash of the pixel's row, column and channel, N = 256 for integers of 8 bits and
    64 for 16. So the mean over many pixels is t to within half a step of the noise, 1/(2N), and
    the result depends on nothing but values and places. A t within 1/(2N) of an integer always
    becomes that one: exact levels, black, white and what is opaque, stay clean. 32-bit integers
    have more levels than float32, and floats have none: neither is dithered.

    Args:
        planes: [C, h, w] float32.
        dtype: u1 u2 u4 i1 i2 i4, or f2 f4 f8: the nearest float, with what is finite kept so.
        dither: add the noise.
        origin: row and column of the first pixel in the whole image.
        out: [h, w, C] of that dtype to write into; default: new.

    Raises:
        InvalidArgument: NaN shall become an integer.
    """
    import numpy as np

    channels, height, width = planes.shape
    dtype = np.dtype(dtype)
    if out is None:
        out = np.empty((height, width, channels), dtype)
    rows = next(slabs(height, width)).stop
    room = np.empty((rows, width), np.float64 if dtype.itemsize == 4 else np.float32)
    try:
        with np.errstate(invalid="ignore" if dtype.kind == "f" else "raise"):
            for slab in slabs(height, width):
                for channel in range(channels):
                    if dtype.kind == "f":
                        out[slab, :, channel] = _finite(planes[channel, slab], dtype)
                        continue
                    levels = room[: slab.stop - slab.start]
                    _scale(planes[channel, slab], dtype, levels)
                    if dither and dtype.itemsize in _NOISE_BITS:
                        place = (origin[0] + slab.start, origin[1], channel)
                        levels += _noise(levels.shape, place, _NOISE_BITS[dtype.itemsize])
                        np.floor(levels, out=levels)
                    else:
                        np.rint(levels, out=levels)
                    out[slab, :, channel] = levels
    except FloatingPointError:
        raise _nan_in(dtype) from None
    return out


def output_dtype(source: np.dtype[Any], bit_depth: str | None) -> np.dtype[Any]:
    """Give what a result is stored in: what the source is, unless another depth is asked for.

    Signed integers stay signed. Floats become integers with 0 to 1 as the whole range, and
    integers floats of 0 to 1.

    Raises:
        InvalidArgument: there is no such depth.
    """
    import numpy as np

    if bit_depth is None:
        return source
    if bit_depth not in BIT_DEPTHS:
        raise InvalidArgument(
            f"--bit-depth must be one of {', '.join(BIT_DEPTHS)}, not {bit_depth}"
        )
    if bit_depth == "32f":
        return np.dtype(np.float32)
    sign = "i" if source.kind == "i" else "u"
    return np.dtype(f"{sign}{int(bit_depth) // 8}")


class Clipped:
    """Counts the values of float images that integers cannot hold, to tell of them once.

    A value is counted if it lies beyond the last level by half a step or more: what is nearer is
    stored as that level by rounding, as any other is.
    """

    def __init__(self, source: np.dtype[Any], dtype: np.dtype[Any]) -> None:
        self._dtype = dtype
        self._possible = source.kind == "f" and dtype.kind != "f"
        self.count = 0

    def add(self, planes: Array) -> None:
        """Count those of some planes that will be stored.

        Raises:
            InvalidArgument: one of them is NaN.
        """
        if not self._possible:
            return
        import numpy as np

        half = np.float32(0.5 / np.iinfo(self._dtype).max)
        for plane in planes:
            if np.isnan(plane).any():
                raise _nan_in(self._dtype)
            self.count += int(np.count_nonzero((plane <= -half) | (plane >= 1 + half)))

    def warn(self) -> None:
        """Tell how many there were, if there were any."""
        if self.count:
            were = "values lay" if self.count > 1 else "value lay"
            message = f"{self.count} {were} outside 0 to 1 and were clipped"
            warnings.warn(message, SvfilterWarning, stacklevel=2)


def slabs(height: int, width: int) -> Iterator[slice]:
    """Cut planes into rows of which one channel stays in the processor's cache."""
    rows = max(_SLAB // max(width, 1), 1)
    return (slice(top, min(top + rows, height)) for top in range(0, height, rows))


def _scale(plane: Array, dtype: np.dtype[Any], levels: Array) -> None:
    """Turn values into levels that are not rounded yet."""
    import numpy as np

    limits, number = np.iinfo(dtype), levels.dtype.type
    plane = plane.astype(number, copy=False)
    np.clip(plane, number(limits.min / limits.max), number(1), out=levels)
    levels *= number(limits.max)


def _finite(plane: Array, dtype: np.dtype[Any]) -> Array:
    """Keep the finite values of a plane from becoming infinite as half floats."""
    if dtype.itemsize > 2:
        return plane
    import numpy as np

    most = np.float32(np.finfo(dtype).max)
    return np.where(np.isfinite(plane), np.clip(plane, -most, most), plane)


def _noise(shape: tuple[int, int], place: tuple[int, int, int], bits: int) -> Array:
    """Give (n + ½) / 2^bits, n a hash of each pixel's row, column and channel.

    Args:
        shape: rows and columns.
        place: row, column and channel of the first.
        bits: of n.
    """
    import numpy as np

    row, column, channel = place
    rows = np.arange(row, row + shape[0], dtype=np.uint32)[:, None]
    columns = np.arange(column, column + shape[1], dtype=np.uint32)
    seeds = _mixed(_mixed(np.array([[channel]], np.uint32)) + rows)
    noise: Array = (_mixed(seeds + columns) >> np.uint32(32 - bits)).astype(np.float32)
    noise += np.float32(0.5)
    noise *= np.float32(2.0**-bits)
    return noise


def _mixed(numbers: Array) -> Array:
    """Hash 32-bit integers in place; the high bits are good ones.

    Source: the rounds of "lowbias32", C. Wellons, Prospecting for Hash Functions, 2018, without
    its last shift, which only serves the low bits.
    """
    import numpy as np

    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        numbers ^= numbers >> np.uint32(shift)
        numbers *= np.uint32(factor)
    return numbers


def _nan_in(dtype: np.dtype[Any]) -> InvalidArgument:
    return InvalidArgument(
        f"the result holds NaN, which integers of {8 * dtype.itemsize} bits cannot hold; replace "
        "it by what surrounds it with --nan fill, or keep floats with --bit-depth 32f"
    )
