"""Exact Gaussians of their own sigma at every pixel, their weights made in registers.

    out(p) = Σ_dy g(dy; σ(p)) · Σ_dx g(dx; σ(p)) · x(p + (dy, dx))

A vector is LANES neighbouring pixels, each lane with weights of its own; a block is ROWS rows
of them. An input value is loaded once for the block's rows, and left and right of the centre,
whose weights are equal, are added before they are multiplied. Every sum runs from the outside
in, where its terms are small, and rows are summed in groups of 8 at fixed places of the
kernel, so that rounding stays small and does not depend on the block.
"""

from __future__ import annotations

import math
from typing import Any

from numba import float32, float64, int64, types

from svfilter.compiled.lanes import F32, I64, INTEGERS, VECTOR, WIDE, Lanes
from svfilter.compiled.machine import ARGUMENTS, BYTES, CHANNELS, LANES, ROWS, row_bytes
from svfilter.compiled.memory import clear, copy_some, load_row, peek, peek_index
from svfilter.compiled.simd import intrinsic, jit, signature

GROUP = 8
"""Rows of the kernel that are summed before they join the total; a power of 2."""
SPAN = 16
"""Taps to each side that are summed before they join the row's total."""

_PITCH = ROWS * BYTES  # from one offset's weights to the next one's
_SUMS = CHANNELS * BYTES  # from one row's sums to the next one's

# 2**f for |f| <= 1/2, highest power first: a minimax fit, relative error 3e-9.
_EXP2 = (
    1.5353362e-4, 1.3398874e-3, 9.6184373e-3, 5.5503324e-2, 2.4022648e-1, 6.9314720e-1, 1.0,
)  # fmt: skip
_ROUND = 12582912.0  # 1.5 · 2**23: adding it rounds to whole numbers


def _exp2(lanes: Lanes, z: Any) -> Any:
    """Give 2**z for −126 <= z <= 0."""
    b = lanes.builder
    magic = lanes.constant(_ROUND)
    rounded = b.fadd(z, magic)
    f = b.fsub(z, b.fsub(rounded, magic))
    power = lanes.constant(_EXP2[0])
    for coefficient in _EXP2[1:]:
        power = lanes.fma(power, f, lanes.constant(coefficient))
    whole = b.sub(b.bitcast(rounded, INTEGERS), b.bitcast(magic, INTEGERS))
    exponent = b.shl(whole, lanes.constant(23, INTEGERS))
    return b.bitcast(b.add(b.bitcast(power, INTEGERS), exponent), VECTOR)


@intrinsic
def _profile(context: Any, sigma: Any, table: Any, radius: Any, truncate: Any) -> Any:
    """Write g(d; σ) of LANES pixels for d = 0 to radius, normalised; beyond, ROWS − 1 zeros."""

    def write(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        b, lanes = builder, Lanes(builder)
        sigma, table, radius, truncate = arguments
        zero, one, half = lanes.constant(0.0), lanes.constant(1.0), lanes.constant(0.5)
        spread = lanes.load(sigma)
        cut = b.fmul(lanes.splat(truncate), spread)
        spread = b.select(b.fcmp_ordered(">=", cut, half), spread, one)
        # exp(−d² / 2σ²) = 2**(d² · scale)
        scale = b.fdiv(lanes.constant(-0.5 / math.log(2)), b.fmul(spread, spread))
        nothing = lanes.constant(0.0, WIDE)
        with lanes.loop(radius, I64(0), -1, nothing) as (d, (tail,), leave):
            distance = lanes.splat(b.sitofp(d, F32))
            z = b.fmul(b.fmul(distance, distance), scale)
            least = lanes.constant(-126.0)
            value = _exp2(lanes, b.select(b.fcmp_ordered(">", z, least), z, least))
            inside = b.fcmp_ordered("<=", b.fsub(distance, half), cut)
            value = b.select(inside, value, zero)
            lanes.store(value, table, b.mul(d, I64(_PITCH)))
            leave([b.fadd(tail, b.fpext(value, WIDE))])
        tail = lanes.results[0]
        total = b.fadd(b.fadd(tail, tail), lanes.constant(1.0, WIDE))
        share = b.fptrunc(b.fdiv(lanes.constant(1.0, WIDE), total), VECTOR)
        lanes.store(share, table)
        with lanes.loop(I64(1), b.add(radius, I64(1)), 1) as (d, _, _leave):
            place = b.mul(d, I64(_PITCH))
            lanes.store(b.fmul(share, lanes.load(table, place)), table, place)
        with lanes.loop(b.add(radius, I64(1)), b.add(radius, I64(ROWS)), 1) as (d, _, _leave):
            lanes.store(zero, table, b.mul(d, I64(_PITCH)))
        return context.get_dummy_value()

    return types.void(int64, int64, int64, float32), write


@intrinsic
def _add_row(
    context: Any, x: Any, plane: Any, table: Any, radius: Any, row: Any, sums: Any, channels: Any
) -> Any:
    """Add one row of the image, `row` below the block's first, to the sums of the block."""

    def write(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        b, lanes = builder, Lanes(builder)
        x, plane, table, radius, row, sums, channels = arguments

        def add(count: int) -> None:
            starts = [b.add(x, b.mul(plane, I64(c))) for c in range(count)]
            pairs = [(c, r) for c in range(count) for r in range(ROWS)]
            zeros = [lanes.constant(0.0) for _ in pairs]
            last = b.sdiv(b.sub(radius, I64(1)), I64(SPAN))
            with lanes.loop(last, I64(-1), -1, *zeros) as (group, totals, leave_group):
                stop = b.mul(group, I64(SPAN))
                first = b.add(stop, I64(SPAN))
                first = b.select(b.icmp_signed("<", first, radius), first, radius)
                with lanes.loop(first, stop, -1, *zeros) as (d, now, leave):
                    step = b.mul(d, I64(4))
                    both = [
                        b.fadd(lanes.load(b.sub(at, step)), lanes.load(at, step)) for at in starts
                    ]
                    weights = lanes.at(table, b.mul(d, I64(_PITCH)))
                    g = [lanes.load(weights, r * BYTES) for r in range(ROWS)]
                    leave([
                        lanes.fma(g[r], both[c], t) for (c, r), t in zip(pairs, now, strict=True)
                    ])  # fmt: skip
                leave_group([b.fadd(t, s) for t, s in zip(totals, lanes.results, strict=True)])
            totals = lanes.results
            centre = [lanes.load(start) for start in starts]
            g = [lanes.load(table, r * BYTES) for r in range(ROWS)]
            for (c, r), total in zip(pairs, totals, strict=True):
                across = lanes.fma(g[r], centre[c], total)
                dy = b.sub(row, I64(r))
                dy = b.select(b.icmp_signed("<", dy, I64(0)), b.neg(dy), dy)
                down = lanes.load(lanes.at(table, b.mul(dy, I64(_PITCH))), r * BYTES)
                place = r * _SUMS + c * BYTES
                lanes.store(lanes.fma(down, across, lanes.load(sums, place)), sums, place)

        lanes.switch(channels, range(1, CHANNELS + 1), add)
        return context.get_dummy_value()

    return types.void(*[int64] * 7), write


@intrinsic
def _move_sums(context: Any, sums: Any, totals: Any) -> Any:
    """Add one row's sums to its totals, and begin them again at 0."""

    def write(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        lanes = Lanes(builder)
        sums, totals = arguments
        for c in range(CHANNELS):
            total = builder.fadd(lanes.load(totals, c * BYTES), lanes.load(sums, c * BYTES))
            lanes.store(total, totals, c * BYTES)
            lanes.store(lanes.constant(0.0), sums, c * BYTES)
        return context.get_dummy_value()

    return types.void(int64, int64), write


@jit
def _block(
    x: int, pitch: int, plane: int, table: int, radius: int, sums: int, totals: int, channels: int
) -> None:
    """Sum a block of ROWS rows of LANES pixels; x is the address of its first pixel."""
    clear(sums, ROWS * CHANNELS)
    clear(totals, ROWS * CHANNELS)
    for row in range(-radius, radius + ROWS):
        here = x + row * pitch
        _add_row(here, plane, table, radius, row, sums, channels)
        # A kernel's row dy ends a group where dy is a multiple of GROUP.
        r = row & (GROUP - 1)
        if r < ROWS:
            _move_sums(sums + r * _SUMS, totals + r * _SUMS)
    for r in range(ROWS):
        _move_sums(sums + r * _SUMS, totals + r * _SUMS)


@jit
def _read_sigma(target: int, source: int, row_step: int, rows: int, count: int) -> Any:
    """Copy a block's sigmas, 0 where it goes beyond the image; give the largest."""
    clear(target, ROWS)
    largest = float32(0)
    for r in range(rows):
        copy_some(target + r * BYTES, source + r * row_step, count)
        for i in range(count):
            largest = max(largest, peek(target + r * BYTES + 4 * i))
    return largest


@jit
def _radius(sigma: float, truncate: float) -> Any:
    return int64(math.floor(float64(truncate * sigma) + 0.5))


@jit
def _reach(sigma: int, sigma_row: int, height: int, width: int, truncate: float) -> Any:
    """Give the largest radius in a tile."""
    largest = float32(0)
    for y in range(height):
        for x in range(width):
            largest = max(largest, peek(sigma + y * sigma_row + 4 * x))
    return _radius(largest, truncate)


def _tile(
    source: int,  # address of the first plane, float32
    source_row: int,  # bytes from row to row
    source_plane: int,  # bytes from plane to plane
    rows: int,  # address of int64[height + 2 · margin]: where each row comes from, or −1
    cols: int,  # address of int64[width + 2 · margin]
    run: int,  # cols[run:run_stop] follow each other
    run_stop: int,
    sigma: int,  # address of the tile's first sigma, float32
    sigma_row: int,
    target: int,  # address of the tile's first result
    target_row: int,
    target_plane: int,
    height: int,
    width: int,
    margin: int,  # no kernel reaches further
    channels: int,
    large: float,  # values from here on, a power of 2, are HUGE
    truncate: float,
    scratch: int,  # `scratch_bytes` of them
) -> int:
    """Filter a tile of up to 4 planes; give what `load_row` saw."""
    # Never beyond the memory, even if a radius was rounded otherwise where that was measured.
    reach = min(_reach(sigma, sigma_row, height, width, truncate), margin)
    sums = scratch
    totals = sums + ROWS * _SUMS
    sigmas = totals + ROWS * _SUMS
    table = sigmas + ROWS * BYTES
    pixels = table + (reach + ROWS) * _PITCH
    skipped = margin - reach
    count = width + 2 * reach
    around = (height + ROWS - 1) // ROWS * ROWS + 2 * reach
    pitch = _pitch(count)
    plane = around * pitch
    seen = 0
    for c in range(channels):
        for i in range(around):
            there = peek_index(rows + 8 * (i + skipped)) if i < height + 2 * reach else -1
            here = pixels + c * plane + i * pitch
            clear(here, pitch // BYTES)
            if there >= 0:
                line = source + c * source_plane + there * source_row
                first, stop = max(run - skipped, 0), min(run_stop - skipped, count)
                seen |= load_row(
                    here, line, source_row, cols + 8 * skipped, count, first, stop, large
                )
    for y in range(0, height, ROWS):
        low = min(ROWS, height - y)
        for x in range(0, width, LANES):
            own = min(LANES, width - x)
            largest = _read_sigma(sigmas, sigma + y * sigma_row + 4 * x, sigma_row, low, own)
            radius = min(_radius(largest, truncate), reach)
            here = pixels + (y + reach) * pitch + 4 * (x + reach)
            if radius > 0:
                for r in range(ROWS):
                    _profile(sigmas + r * BYTES, table + r * BYTES, radius, truncate)
                _block(here, pitch, plane, table, radius, sums, totals, channels)
            for c in range(channels):
                for r in range(low):
                    result = totals + r * _SUMS + c * BYTES
                    if radius == 0:
                        result = here + c * plane + r * pitch
                    place = target + c * target_plane + (y + r) * target_row + 4 * x
                    copy_some(place, result, own)
    return seen


_pitch = jit(row_bytes)
KERNEL = _tile
SIGNATURE = signature(ARGUMENTS["gaussian"])
