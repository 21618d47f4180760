"""The steps of a cascade, in vectors: filter a row, look up coefficients, blend levels."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import float32, int32, int64, types

from svfilter.compiled.machine import BYTES, HALF, LANES
from svfilter.compiled.simd import (  # fmt: skip
    F32,
    I32,
    I64,
    INTEGERS,
    VECTOR,
    Lanes,
    intrinsic,
    jit,
    literal_intrinsic,
    transpose,
)


def _three(lanes: Lanes, values: list[Any], centre: Any, side: Any) -> Any:
    """Give centre · middle + side · (low + high)."""
    b = lanes.builder
    low, middle, high = values
    return lanes.fma(side, b.fadd(low, high), b.fmul(centre, middle))


@literal_intrinsic
def _level(
    context: Any,
    target: Any,
    low: Any,
    middle: Any,
    high: Any,
    count: Any,
    centre: Any,
    side: Any,
    dilation: Any,
) -> Any:
    """Filter `count` vectors down and across at a dilation of at most LANES, in registers."""
    # Larger ones are never asked for: see filter_row.
    distance = min(dilation.literal_value, LANES)

    def write(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        b, lanes = builder, Lanes(builder)
        target, low, middle, high, count, centre, side, _ = arguments
        c, a = lanes.splat(centre), lanes.splat(side)

        def down(offset: Any) -> Any:
            rows = [lanes.load(row, offset) for row in (low, middle, high)]
            return _three(lanes, rows, c, a)

        size = b.mul(count, I64(BYTES))
        first = (down(I64(-BYTES)), down(I64(0)))
        with lanes.loop(I64(0), size, BYTES, *first) as (offset, (before, here), leave):
            after = down(b.add(offset, I64(BYTES)))
            left = lanes.shuffle(before, here, [LANES + i - distance for i in range(LANES)])
            right = lanes.shuffle(here, after, [i + distance for i in range(LANES)])
            lanes.store(_three(lanes, [left, here, right], c, a), target, offset)
            leave([here, after])
        return context.get_dummy_value()

    return types.void(*[int64] * 5, float32, float32, dilation), write


@intrinsic
def _taps(
    context: Any, target: Any, low: Any, middle: Any, high: Any, count: Any, centre: Any, side: Any
) -> Any:
    """Write centre · middle + side · (low + high) for `count` vectors."""

    def write(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        b, lanes = builder, Lanes(builder)
        target, low, middle, high, count, centre, side = arguments
        c, a = lanes.splat(centre), lanes.splat(side)
        with lanes.loop(I64(0), b.mul(count, I64(BYTES)), BYTES) as (offset, _, _leave):
            rows = [lanes.load(row, offset) for row in (low, middle, high)]
            lanes.store(_three(lanes, rows, c, a), target, offset)
        return context.get_dummy_value()

    return types.void(*[int64] * 5, float32, float32), write


@intrinsic
def cells(
    context: Any, sigma: Any, places: Any, ways: Any, limit: Any, shift: Any, pitch: Any
) -> Any:
    """Write for LANES sigmas the table's row, in bytes, and the way to the next one.

    Gives the number of the last row among them.
    """

    def write(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        b, lanes = builder, Lanes(builder)
        sigma, places, ways, limit, shift, pitch = arguments
        half, most = lanes.constant(0.5), lanes.splat(limit)
        spread = lanes.load(sigma)
        spread = b.select(b.fcmp_ordered("<", spread, most), spread, most)
        start = b.bitcast(half, INTEGERS)
        bits = b.sub(b.bitcast(b.fadd(spread, half), INTEGERS), start)
        row = b.lshr(bits, lanes.splat(shift))
        rest = b.sitofp(b.sub(bits, b.shl(row, lanes.splat(shift))), VECTOR)
        cell = b.uitofp(b.shl(I32(1), shift), F32)
        lanes.store(b.mul(row, lanes.splat(pitch)), places)
        lanes.store(b.fdiv(rest, lanes.splat(cell)), ways)

        def larger(one: Any, other: Any) -> Any:
            return b.select(b.icmp_signed(">", one, other), one, other)

        return b.sext(lanes.fold(larger, row), I64)

    return int64(int64, int64, int64, float32, int32, int32), write


@literal_intrinsic
def _blend(
    context: Any,
    table: Any,
    pitch: Any,
    places: Any,
    ways: Any,
    first: Any,
    levels: Any,
    plane: Any,
    target: Any,
    target_plane: Any,
    channels: Any,
) -> Any:
    """Add HALF levels, from `first` on, to the blend of LANES pixels; begin it if that is 0."""

    def write(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        b, lanes = builder, Lanes(builder)
        table, pitch, places, ways, first, levels, plane, target, apart, _ = arguments
        part = ir.VectorType(F32, HALF)
        block = b.add(table, b.mul(first, I64(4)))
        rows = []
        for i in range(LANES):
            address = b.add(block, b.sext(lanes.load(places, 4 * i, I32), I64))
            low, high = lanes.load(address, 0, part), lanes.load(address, pitch, part)
            way = lanes.splat(lanes.load(ways, 4 * i, F32), part)
            rows.append(lanes.fma(way, b.fsub(high, low), low))
        coefficients = transpose(lanes, rows)
        begun = b.icmp_signed(">", first, I64(0))
        for c in range(channels.literal_value):
            there = b.add(target, b.mul(apart, I64(c)))
            total = b.select(begun, lanes.load(there), lanes.constant(0.0))
            for k, coefficient in enumerate(coefficients):
                row = b.add(lanes.load(levels, 8 * k, I64), b.mul(plane, I64(c)))
                total = lanes.fma(coefficient, lanes.load(row), total)
            lanes.store(total, there)
        return context.get_dummy_value()

    return types.void(*[int64] * 9, channels), write


@jit
def blend(
    table: int, pitch: int, places: int, ways: int, first: int, levels: int, plane: int,
    target: int, target_plane: int, channels: int,
) -> None:  # fmt: skip
    """Add HALF levels, from `first` on, to the blend of LANES pixels; begin it if that is 0.

    `places` and `ways` are what `cells` wrote. `levels` holds the address of the pixels in each
    of the levels. Where there are fewer than HALF, the table is 0, and any address will do.
    """
    if channels == 1:
        _blend(table, pitch, places, ways, first, levels, plane, target, target_plane, 1)
    elif channels == 2:
        _blend(table, pitch, places, ways, first, levels, plane, target, target_plane, 2)
    elif channels == 3:
        _blend(table, pitch, places, ways, first, levels, plane, target, target_plane, 3)
    else:
        _blend(table, pitch, places, ways, first, levels, plane, target, target_plane, 4)


@jit
def filter_row(
    target: int, low: int, middle: int, high: int, count: int, side: float, d: int, spare: int
) -> None:
    """Filter `count` vectors at dilation d."""
    centre = float32(1) - float32(2) * side
    if d > LANES:
        more = (d + LANES - 1) // LANES
        back = more * BYTES
        _taps(spare - back, low - back, middle - back, high - back, count + 2 * more, centre, side)
        _taps(target, spare - 4 * d, spare, spare + 4 * d, count, centre, side)
    elif d == 1:
        _level(target, low, middle, high, count, centre, side, 1)
    elif d == 2:
        _level(target, low, middle, high, count, centre, side, 2)
    elif d == 3:
        _level(target, low, middle, high, count, centre, side, 3)
    elif d == 4:
        _level(target, low, middle, high, count, centre, side, 4)
    elif d == 5:
        _level(target, low, middle, high, count, centre, side, 5)
    elif d == 6:
        _level(target, low, middle, high, count, centre, side, 6)
    elif d == 7:
        _level(target, low, middle, high, count, centre, side, 7)
    elif d == 8:
        _level(target, low, middle, high, count, centre, side, 8)
    elif d == 9:
        _level(target, low, middle, high, count, centre, side, 9)
    elif d == 10:
        _level(target, low, middle, high, count, centre, side, 10)
    elif d == 11:
        _level(target, low, middle, high, count, centre, side, 11)
    elif d == 12:
        _level(target, low, middle, high, count, centre, side, 12)
    elif d == 13:
        _level(target, low, middle, high, count, centre, side, 13)
    elif d == 14:
        _level(target, low, middle, high, count, centre, side, 14)
    elif d == 15:
        _level(target, low, middle, high, count, centre, side, 15)
    elif d == 16:
        _level(target, low, middle, high, count, centre, side, 16)
