"""Stored kernels, each blended in memory before it meets the image.

    gather:  out(p) = Σ_d w(d; θ(p)) · x(p + d)
    scatter: out(p) = Σ_q w(p − q; θ(q)) · x(q)

A vector is LANES taps of a row of one pixel's kernel; it is used for all channels. The function
that blends a kernel is written for the number of its parts (`svfilter.compiled.functions`). To
gather, a kernel meets the pixels around its own; to scatter, it is added to the results around it.
What the sources of one row give is added up by itself before it is added to what came from others.
"""

from __future__ import annotations

from typing import Any

from numba import int64, types

from svfilter.compiled.calls import call_one_kernel
from svfilter.compiled.lanes import F32, I64, Lanes
from svfilter.compiled.machine import ARGUMENTS, BYTES, CHANNELS, LANES, TOO_FAR, row_bytes
from svfilter.compiled.memory import (
    add_values,
    clear,
    copy_some_values,
    is_empty,
    load_planes,
    peek,
)
from svfilter.compiled.simd import intrinsic, jit, signature


@intrinsic
def _dot(
    context: Any, weights: Any, rows: Any, vectors: Any, x: Any, pitch: Any, plane: Any,
    target: Any, target_plane: Any, channels: Any,
) -> Any:  # fmt: skip
    """Write the dot product of one kernel with each channel at x, its upper left tap."""

    def write(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        b, lanes = builder, Lanes(builder)
        weights, rows, vectors, x, pitch, plane, target, apart, channels = arguments
        width = b.mul(vectors, I64(BYTES))

        def sum_up(count: int) -> None:
            zeros = [lanes.constant(0.0)] * count
            with lanes.loop(I64(0), rows, 1, *zeros) as (row, totals, leave_row):
                line = b.add(weights, b.mul(row, width))
                pixels = b.add(x, b.mul(row, pitch))
                with lanes.loop(I64(0), width, BYTES, *zeros) as (offset, inner, leave):
                    w = lanes.load(line, offset)
                    here = b.add(pixels, offset)
                    values = [lanes.load(here, b.mul(plane, I64(c))) for c in range(count)]
                    leave([lanes.fma(w, v, s) for v, s in zip(values, inner, strict=True)])
                leave_row([b.fadd(t, s) for t, s in zip(totals, lanes.results, strict=True)])
            for c, total in enumerate(lanes.results):
                lanes.store(lanes.fold(b.fadd, total), target, b.mul(apart, I64(c)))

        lanes.switch(channels, range(1, CHANNELS + 1), sum_up)
        return context.get_dummy_value()

    return types.void(*[int64] * 9), write


@intrinsic
def _spread(
    context: Any, weights: Any, rows: Any, vectors: Any, source: Any, plane: Any,
    target: Any, pitch: Any, target_plane: Any, channels: Any,
) -> Any:  # fmt: skip
    """Add one kernel times each channel's value at `source` to target, its upper left tap."""

    def write(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        b, lanes = builder, Lanes(builder)
        weights, rows, vectors, source, plane, target, pitch, apart, channels = arguments
        width = b.mul(vectors, I64(BYTES))

        def add_up(count: int) -> None:
            own = [lanes.splat(lanes.load(source, b.mul(plane, I64(c)), F32)) for c in range(count)]
            with lanes.loop(I64(0), rows, 1) as (row, _, _leave):
                line = b.add(weights, b.mul(row, width))
                there = b.add(target, b.mul(row, pitch))
                with lanes.loop(I64(0), width, BYTES) as (offset, _, _leave_row):
                    w = lanes.load(line, offset)
                    for c, value in enumerate(own):
                        place = b.add(b.add(there, offset), b.mul(apart, I64(c)))
                        lanes.store(lanes.fma(w, value, lanes.load(place)), place)

        lanes.switch(channels, range(1, CHANNELS + 1), add_up)
        return context.get_dummy_value()

    return types.void(*[int64] * 9), write


def _tile(
    source: int,  # address of the first plane, float32
    source_row: int,  # bytes from row to row
    source_plane: int,  # bytes from plane to plane
    rows: int,  # address of int64[height + 2 · margin]: where each row comes from, or −1
    cols: int,  # address of int64[width + 2 · margin]
    run: int,  # cols[run:run_stop] follow each other
    run_stop: int,
    coefficients: int,  # address of float32 [1 + n, …]: radii, and what the function needs
    coefficient_row: int,
    target: int,  # address of the tile's first result
    target_row: int,
    target_plane: int,
    height: int,
    width: int,
    margin: int,  # no kernel reaches further
    channels: int,
    large: float,  # values from here on, a power of 2, are HUGE
    coefficient_plane: int,
    function: int,
    bank: int,  # address of the central tap of the first stored kernel
    bank_pitch: int,
    bank_plane: int,
    scatter: int,  # then the coefficients are those of the margin, too
    scratch: int,
) -> Any:
    """Filter a tile of up to 4 planes; give what `load_row` saw."""
    tall, wide = height + 2 * margin, width + 2 * margin
    pitch = _pitch(wide)
    plane = tall * pitch
    seen = load_planes(
        scratch, pitch, plane, source, source_row, source_plane, channels, rows, tall, cols, wide,
        run, run_stop, large,
    )  # fmt: skip
    kernel = scratch + channels * plane
    if not scatter:
        for y in range(height):
            for x in range(width):
                place = coefficients + y * coefficient_row + 4 * x
                radius = int(peek(place))
                if radius > margin:
                    return TOO_FAR
                here = scratch + (y + margin) * pitch + 4 * (x + margin)
                out = target + y * target_row + 4 * x
                call_one_kernel(
                    function, place, coefficient_plane, radius, bank, bank_pitch, bank_plane, kernel
                )
                size = 2 * radius + 1
                vectors = (size + LANES - 1) // LANES
                first = here - radius * (pitch + 4)
                _dot(kernel, size, vectors, first, pitch, plane, out, target_plane, channels)
        return seen
    # `row` holds what the sources of one row give to each row around it, `sums` what all give.
    reach = 2 * margin + 1
    row_pitch = _pitch(width + 4 * margin)
    row_plane = reach * row_pitch
    row = kernel + reach * _pitch(reach)
    sums = row + channels * row_plane
    sum_pitch = _pitch(width)
    sum_plane = height * sum_pitch
    clear(row, channels * row_plane // BYTES)
    clear(sums, channels * sum_plane // BYTES)
    for y in range(tall):
        farthest = -1
        for x in range(wide):
            place = coefficients + y * coefficient_row + 4 * x
            radius = int(peek(place))
            if radius > margin:
                return TOO_FAR
            here = scratch + y * pitch + 4 * x
            # Those that reach nothing of the tile are left out, and those that give nothing.
            beyond = max(margin - y, y - margin - height + 1, margin - x, x - margin - width + 1)
            if radius < beyond or is_empty(here, plane, channels):
                continue
            farthest = max(farthest, radius)
            call_one_kernel(
                function, place, coefficient_plane, radius, bank, bank_pitch, bank_plane, kernel
            )
            size = 2 * radius + 1
            vectors = (size + LANES - 1) // LANES
            above = max(margin - y, -radius)  # the first of the kernel's rows within the tile
            below = min(margin + height - 1 - y, radius)
            first = kernel + (above + radius) * vectors * BYTES
            there = row + (margin + above) * row_pitch + 4 * (x + margin - radius)
            _spread(
                first, below - above + 1, vectors, here, plane, there, row_pitch, row_plane,
                channels,
            )  # fmt: skip
        for dy in range(max(-farthest, margin - y), min(farthest, margin + height - 1 - y) + 1):
            for c in range(channels):
                given = row + c * row_plane + (margin + dy) * row_pitch + 8 * margin
                add_values(sums + c * sum_plane + (y + dy - margin) * sum_pitch, given, width)
                clear(given - 8 * margin, row_pitch // BYTES)
    for c in range(channels):
        for y in range(height):
            out = target + c * target_plane + y * target_row
            copy_some_values(out, sums + c * sum_plane + y * sum_pitch, width)
    return seen


_pitch = jit(row_bytes)
KERNEL = _tile
SIGNATURE = signature(ARGUMENTS["taps"])
