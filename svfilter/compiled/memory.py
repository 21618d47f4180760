"""Single values and rows in memory, for compiled code that is handed addresses."""

from __future__ import annotations

import math
from typing import Any

from numba import types

from svfilter.compiled.lanes import F32, I32, I64, INTEGERS, Lanes
from svfilter.compiled.machine import BLOCK, BYTES, HUGE, LANES, ROWS, WILD
from svfilter.compiled.simd import intrinsic, jit

_EXPONENT = 0x7F800000
"""The bits of a float32 that are all set in NaN and infinities."""


def _loading(kind: Any) -> Any:
    return lambda context, builder, signature, arguments: Lanes(builder).load(arguments[0], 0, kind)


@intrinsic
def peek(context: Any, address: Any) -> Any:
    """Give the float32 at an address."""
    return types.float32(types.int64), _loading(F32)


@intrinsic
def peek_index(context: Any, address: Any) -> Any:
    """Give the int64 at an address."""
    return types.int64(types.int64), _loading(I64)


@intrinsic
def poke(context: Any, address: Any, value: Any) -> Any:
    """Store a float32 at an address."""

    def write(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        address, value = arguments
        Lanes(builder).store(value, address)
        return context.get_dummy_value()

    return types.void(types.int64, types.float32), write


@intrinsic
def poke_index(context: Any, address: Any, value: Any) -> Any:
    """Store an int64 at an address."""

    def write(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        Lanes(builder).store(arguments[1], arguments[0])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), write


@intrinsic
def copy_vector(context: Any, target: Any, source: Any) -> Any:
    """Copy LANES values."""

    def write(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        lanes = Lanes(builder)
        lanes.store(lanes.load(arguments[1]), arguments[0])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), write


@intrinsic
def prefetch(context: Any, address: Any) -> Any:
    """Ask for a block of values that will be wanted soon; any address will do."""

    def write(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        lanes = Lanes(builder)
        for v in range(BLOCK):
            lanes.prefetch(builder.add(arguments[0], I64(v * BYTES)))
        return context.get_dummy_value()

    return types.void(types.int64), write


@intrinsic
def clear(context: Any, address: Any, count: Any) -> Any:
    """Store `count` vectors of zeros, one or more."""

    def write(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        lanes = Lanes(builder)
        size = builder.mul(arguments[1], I64(BYTES))
        with lanes.loop(I64(0), size, BYTES) as (offset, _, _leave):
            lanes.store(lanes.constant(0.0), arguments[0], offset)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), write


@intrinsic
def _copy_finite(context: Any, target: Any, source: Any, ahead: Any, count: Any, large: Any) -> Any:
    """Copy `count` vectors, one or more, with 0 for NaN and infinities; give what was seen.

    From `large`, a power of 2, on a value is HUGE. What lies `ahead` bytes further is fetched
    from memory meanwhile.
    """

    def write(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        b, lanes = builder, Lanes(builder)
        target, source, ahead, count, large = arguments
        mask = lanes.constant(_EXPONENT, INTEGERS)
        none = lanes.constant(0, INTEGERS)
        with lanes.loop(I64(0), b.mul(count, I64(BYTES)), BYTES, none, none) as (
            offset, (wild, largest), leave,
        ):  # fmt: skip
            lanes.prefetch(b.add(b.add(source, offset), ahead))
            values = lanes.load(source, offset)
            exponent = b.and_(b.bitcast(values, INTEGERS), mask)
            here = b.icmp_unsigned("==", exponent, mask)
            lanes.store(b.select(here, lanes.constant(0.0), values), target, offset)
            finite = b.select(here, none, exponent)
            bigger = b.select(b.icmp_unsigned(">", finite, largest), finite, largest)
            leave([b.or_(wild, b.zext(here, INTEGERS)), bigger])
        wild, largest = lanes.results
        limit = lanes.splat(b.bitcast(large, I32))
        huge = b.icmp_unsigned(">=", largest, limit)
        seen = b.or_(wild, b.shl(b.zext(huge, INTEGERS), lanes.constant(1, INTEGERS)))
        return b.zext(lanes.fold(b.or_, seen), I64)

    return types.int64(*[types.int64] * 4, types.float32), write


@jit
def copy_some(target: int, source: int, count: int) -> None:
    """Copy up to LANES values."""
    if count == LANES:
        copy_vector(target, source)
    else:
        for i in range(count):
            poke(target + 4 * i, peek(source + 4 * i))


@jit
def copy_some_values(target: int, source: int, count: int) -> None:
    """Copy any number of values."""
    whole = count - count % LANES
    for i in range(0, whole, LANES):
        copy_vector(target + 4 * i, source + 4 * i)
    for i in range(whole, count):
        poke(target + 4 * i, peek(source + 4 * i))


@intrinsic
def _add_vector(context: Any, target: Any, source: Any) -> Any:
    """Add LANES values to others."""

    def write(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        lanes = Lanes(builder)
        target, source = arguments
        lanes.store(builder.fadd(lanes.load(target), lanes.load(source)), target)
        return context.get_dummy_value()

    return types.void(types.int64, types.int64), write


@jit
def add_values(target: int, source: int, count: int) -> None:
    """Add values to others, up to whole vectors."""
    for i in range(0, count, LANES):
        _add_vector(target + 4 * i, source + 4 * i)


@jit
def largest_radius(radii: int, pitch: int, height: int, width: int) -> Any:
    """Give the largest of some rows of radii, which are float32."""
    largest = types.float32(0)
    for y in range(height):
        for x in range(width):
            largest = max(largest, peek(radii + y * pitch + 4 * x))
    return int(largest)


@jit
def side_of(reach: int, near: int, circle: int) -> Any:
    """Give how far to the side a kernel's taps are in a row that is `near` rows away.

    Kernels are squares, or lie within a circle of the radius reach + 1.
    """
    if circle == 0:
        return reach
    return min(int(math.sqrt(max((reach + 1.0) ** 2 - near * near, 0.0))), reach)


@jit
def note_sides(sides: int, reach: int, circle: int) -> None:
    """Note that for each row that a block of ROWS rows sees, int64[2 · reach + ROWS]."""
    for i in range(2 * reach + ROWS):
        near = max(reach - i, i - reach - (ROWS - 1), 0)
        poke_index(sides + 8 * i, side_of(reach, near, circle))


@jit
def _gather(target: int, source: int, cols: int, first: int, stop: int, large: float) -> int:
    """Copy the pixels first to stop, each from the column that the index names."""
    seen = 0
    for i in range(first, stop):
        col = peek_index(cols + 8 * i)
        value = peek(source + 4 * col) if col >= 0 else types.float32(0)
        if value - value != 0:
            value = types.float32(0)
            seen |= WILD
        if abs(value) >= large:
            seen |= HUGE
        poke(target + 4 * i, value)
    return seen


@jit
def load_row(
    target: int, source: int, ahead: int, cols: int, count: int, run: int, run_stop: int,
    large: float,
) -> Any:  # fmt: skip
    """Copy a row with its border: pixel i comes from column cols[i], or is 0 where that is −1.

    NaN and infinities become 0; the result tells what was seen, and from `large`, a power of 2,
    on a value is HUGE. From `run` to `run_stop` the columns follow each other, which is nearly
    all of a row. The next row is taken to be `ahead` bytes further; if it is not, or there is
    none, only time is lost.
    """
    length = run_stop - run
    if length < LANES:
        return _gather(target, source, cols, 0, count, large)
    first = peek_index(cols + 8 * run)
    begin, rest = source + 4 * first, length - LANES
    seen = _copy_finite(target + 4 * run, begin, ahead, length // LANES, large)
    seen |= _copy_finite(
        target + 4 * (run + rest), begin + 4 * rest, ahead, 1, large
    )  # up to the end
    for other in range(count - length):
        i = other if other < run else other + length
        place = peek_index(cols + 8 * i) - first
        if 0 <= place < length:  # as nearly always: what was copied already
            poke(target + 4 * i, peek(target + 4 * (run + place)))
        else:
            seen |= _gather(target, source, cols, i, i + 1, large)
    return seen


@jit
def load_planes(
    target: int, pitch: int, plane: int, source: int, source_row: int, source_plane: int,
    planes: int, rows: int, height: int, cols: int, width: int, run: int, run_stop: int,
    large: float,
) -> Any:  # fmt: skip
    """Copy rows of planes with their border, as `load_row` does, each plane below the last."""
    seen = 0
    for c in range(planes):
        for i in range(height):
            there = peek_index(rows + 8 * i)
            here = target + c * plane + i * pitch
            clear(here, pitch // BYTES)
            if there >= 0:
                line = source + c * source_plane + there * source_row
                seen |= load_row(here, line, source_row, cols, width, run, run_stop, large)
    return seen


@jit
def is_empty(source: int, plane: int, channels: int) -> bool:
    """Tell whether a pixel has nothing to give."""
    for c in range(channels):  # noqa: SIM110  (numba knows no `all`)
        if peek(source + c * plane) != 0:
            return False
    return True
