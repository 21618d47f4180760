"""The steps of a cascade, in vectors: filter a row, look up coefficients, blend levels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import float32, int64, types

from svfilter.compiled.lanes import F32, I32, I64, INTEGERS, Lanes
from svfilter.compiled.machine import BLOCK, BYTES, CHANNELS, LANES, TERMS
from svfilter.compiled.simd import intrinsic, jit


def _three(lanes: Lanes, values: list[Any], side: Any) -> Any:
    """Give middle + side · (low + high)."""
    low, middle, high = values
    return lanes.fma(side, lanes.builder.fadd(low, high), middle)


@intrinsic
def _level(
    context: Any, target: Any, low: Any, middle: Any, high: Any, count: Any, side: Any, d: Any
) -> Any:
    """Filter `count` vectors down and across at a dilation of at most LANES, in registers."""

    def write(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        b, lanes = builder, Lanes(builder)
        target, low, middle, high, count, side, d = arguments
        a, size = lanes.splat(side), b.mul(count, I64(BYTES))

        def down(offset: Any) -> Any:
            return _three(lanes, [lanes.load(row, offset) for row in (low, middle, high)], a)

        def filter_all(distance: int) -> None:
            first = (down(I64(-BYTES)), down(I64(0)))
            with lanes.loop(I64(0), size, BYTES, *first) as (offset, (before, here), leave):
                after = down(b.add(offset, I64(BYTES)))
                left = lanes.shuffle(before, here, [LANES + i - distance for i in range(LANES)])
                right = lanes.shuffle(here, after, [i + distance for i in range(LANES)])
                lanes.store(_three(lanes, [left, here, right], a), target, offset)
                leave([here, after])

        lanes.switch(d, range(1, LANES + 1), filter_all)
        return context.get_dummy_value()

    return types.void(*[int64] * 5, float32, int64), write


@intrinsic
def _taps(
    context: Any, target: Any, low: Any, middle: Any, high: Any, count: Any, side: Any
) -> Any:
    """Write middle + side · (low + high) for `count` vectors."""

    def write(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        b, lanes = builder, Lanes(builder)
        target, low, middle, high, count, side = arguments
        a = lanes.splat(side)
        with lanes.loop(I64(0), b.mul(count, I64(BYTES)), BYTES) as (offset, _, _leave):
            rows = [lanes.load(row, offset) for row in (low, middle, high)]
            lanes.store(_three(lanes, rows, a), target, offset)
        return context.get_dummy_value()

    return types.void(*[int64] * 5, float32), write


@intrinsic
def segments_of(context: Any, sigma: Any, begins: Any, count: Any) -> Any:
    """Give the first and the last segment among a block of sigmas, as first + 256 · last."""

    def write(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        b, lanes = builder, Lanes(builder)
        sigma, begins, count = arguments
        bits = ir.IntType(LANES)
        least = most = lanes.load(sigma)
        for v in range(1, BLOCK):
            spread = lanes.load(sigma, v * BYTES)
            least = b.select(b.fcmp_ordered("<", spread, least), spread, least)
            most = b.select(b.fcmp_ordered(">", spread, most), spread, most)
        with lanes.loop(I64(4), b.mul(count, I64(4)), 4, I64(0)) as (offset, (found,), leave):
            begin = lanes.splat(lanes.load(begins, offset, F32))
            every, some = (
                b.bitcast(b.fcmp_ordered(">=", end, begin), bits) for end in (least, most)
            )
            every = b.zext(b.icmp_signed("==", every, bits(-1)), I64)
            some = b.zext(b.icmp_signed("!=", some, bits(0)), I64)
            leave([b.add(found, b.add(every, b.shl(some, I64(8))))])
        return lanes.results[0]

    return int64(int64, int64, int64), write


@intrinsic
def blend(
    context: Any,
    begins: Any,
    table: Any,
    pitch: Any,
    base: Any,
    segment: Any,
    end: Any,
    sigma: Any,
    first: Any,
    stop: Any,
    levels: Any,
    offset: Any,
    plane: Any,
    target: Any,
    target_plane: Any,
    channels: Any,
) -> Any:
    """Add levels first to stop − 1 to the blend of a block's pixels of some segments.

    These go from `segment` to `end`, which is less than base + WINDOW. `levels` holds the address
    of a row of each level from `first` on, and the block is `offset` bytes from there.
    """

    def write(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        b, lanes = builder, Lanes(builder)
        begins, table, pitch, base, segment, end, sigma, first, stop, *rest = arguments
        levels, offset, plane, target, apart, channels = rest
        here = b.add(begins, b.mul(segment, I64(4)))
        spreads = [lanes.load(sigma, v * BYTES) for v in range(BLOCK)]
        least = lanes.splat(lanes.load(here, 0, F32))
        most = lanes.splat(lanes.load(begins, b.mul(b.add(end, I64(1)), I64(4)), F32))
        begun = b.icmp_signed(">", first, I64(0))
        identity = lanes.splat(lanes.load(begins, 4, F32))

        def fused(ones: list[Any], others: list[Any], more: list[Any]) -> list[Any]:
            return [lanes.fma(*values) for values in zip(ones, others, more, strict=True)]

        def add(count: int, look_up: Callable[[Any], list[Any]]) -> None:
            ways = fused(spreads, look_up(I64(0)), look_up(pitch))
            places = [(c, v) for c in range(count) for v in range(BLOCK)]
            own = [(b.add(target, b.mul(apart, I64(c))), I64(v * BYTES)) for c, v in places]
            before = [lanes.load(*place) for place in own]
            totals = [b.select(begun, value, lanes.constant(0.0)) for value in before]

            def pixels(level: Any) -> list[Any]:
                row = b.add(lanes.load(level, 0, I64), offset)
                planes = [b.add(row, b.mul(plane, I64(c))) for c in range(count)]
                return [lanes.load(planes[c], v * BYTES) for c, v in places]

            with lanes.loop(first, stop, 1, levels, *totals) as (k, (level, *totals), leave):
                row = b.mul(pitch, b.add(b.mul(k, I64(TERMS)), I64(TERMS + 1)))
                weights = look_up(row)
                for _ in range(TERMS - 1):
                    row = b.sub(row, pitch)
                    weights = fused(weights, ways, look_up(row))
                all_weights = [weights[v] for _, v in places]
                leave([b.add(level, I64(8)), *fused(all_weights, pixels(level), totals)])
            found = zip(places, own, before, lanes.results[1:], pixels(levels), strict=True)
            for (_, v), place, value, total, image in found:
                above = b.fcmp_ordered(">=", spreads[v], least)
                inside = b.and_(above, b.fcmp_ordered("<", spreads[v], most))
                kept = b.select(begun, value, image)  # every bit of it, were it −0
                result = b.select(b.fcmp_ordered("<", spreads[v], identity), kept, total)
                lanes.store(b.select(inside, result, value), *place)

        def add_one(count: int) -> None:
            column = b.add(table, b.mul(segment, I64(4)))
            add(count, lambda row: [lanes.splat(lanes.load(column, row, F32))] * BLOCK)

        def add_mixed(count: int) -> None:
            start = lanes.splat(b.trunc(b.sub(segment, base), I32))
            span = I64(4), b.mul(b.sub(b.add(end, I64(1)), segment), I64(4)), 4
            with lanes.loop(*span, *[start] * BLOCK) as (at, picks, leave):
                begin = lanes.splat(lanes.load(here, at, F32))
                more = [b.zext(b.fcmp_ordered(">=", s, begin), INTEGERS) for s in spreads]
                leave([b.add(*pair) for pair in zip(picks, more, strict=True)])
            picks, column = lanes.results, b.add(table, b.mul(base, I64(4)))
            add(count, lambda row: [lanes.look_up(b.add(column, row), pick) for pick in picks])

        def choose(mixed: int) -> None:
            lanes.switch(channels, range(1, CHANNELS + 1), add_mixed if mixed else add_one)

        lanes.switch(b.zext(b.icmp_signed("<", segment, end), I64), (0, 1), choose)
        return context.get_dummy_value()

    return types.void(*[int64] * 15), write


@jit
def filter_row(
    target: int, low: int, middle: int, high: int, count: int, side: float, d: int, spare: int
) -> None:
    """Filter `count` vectors by [side, 1, side] at dilation d, down and across."""
    if d <= LANES:
        _level(target, low, middle, high, count, side, d)
    else:
        more = (d + LANES - 1) // LANES
        back = more * BYTES
        _taps(spare - back, low - back, middle - back, high - back, count + 2 * more, side)
        _taps(target, spare - 4 * d, spare, spare + 4 * d, count, side)
