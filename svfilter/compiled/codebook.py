"""Exact kernels of any family, looked up: a bank of distinct kernels and an index map.

    out(p) = Σ_d bank[index(p)](d) · x(p + d)

A vector is LANES taps of a row; it meets the image's values at the pixel's own place, and is
used for all channels. Each kernel is stored as wide as it is itself, so that narrow ones are
cheap.
"""

from __future__ import annotations

from typing import Any

from numba import int64, types

from svfilter.compiled.machine import ARGUMENTS, BYTES, CHANNELS, LANES, row_bytes
from svfilter.compiled.memory import clear, load_row, peek_index
from svfilter.compiled.simd import I64, Lanes, intrinsic, jit, signature


@intrinsic
def _dot(
    context: Any,
    weights: Any,
    rows: Any,
    vectors: Any,
    x: Any,
    pitch: Any,
    plane: Any,
    target: Any,
    target_plane: Any,
    channels: Any,
) -> Any:
    """Write the dot product of one kernel with each channel at x, its upper left tap."""

    def write(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        b, lanes = builder, Lanes(builder)
        weights, rows, vectors, x, pitch, plane, target, apart, channels = arguments
        width = b.mul(vectors, I64(BYTES))

        def sum_up(count: int) -> None:
            zeros = [lanes.constant(0.0)] * count
            with lanes.loop(I64(0), rows, 1, *zeros) as (row, sums, leave_row):
                line = b.add(weights, b.mul(row, width))
                pixels = b.add(x, b.mul(row, pitch))
                with lanes.loop(I64(0), width, BYTES, *sums) as (offset, inner, leave):
                    w = lanes.load(line, offset)
                    here = b.add(pixels, offset)
                    values = [lanes.load(here, b.mul(plane, I64(c))) for c in range(count)]
                    leave([lanes.fma(w, v, s) for v, s in zip(values, inner, strict=True)])
                leave_row(lanes.results)
            for c, total in enumerate(lanes.results):
                lanes.store(lanes.fold(b.fadd, total), target, b.mul(apart, I64(c)))

        lanes.switch(channels, range(1, CHANNELS + 1), sum_up)
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
    index: int,  # address of the tile's first index, int64
    index_row: int,
    target: int,  # address of the tile's first result
    target_row: int,
    target_plane: int,
    height: int,
    width: int,
    margin: int,  # no kernel reaches further
    channels: int,
    large: float,  # values from here on, a power of 2, are HUGE
    bank: int,  # address of float32 [2 · radius + 1, whole vectors] for each kernel in turn
    offsets: int,  # address of int64: where in the bank each kernel begins, in bytes
    radii: int,  # address of int64
    scratch: int,  # `scratch_bytes` of them
) -> int:
    """Filter a tile of up to 4 planes; give what `load_row` saw."""
    count = width + 2 * margin
    pitch = _pitch(count)
    plane = (height + 2 * margin) * pitch
    seen = 0
    for c in range(channels):
        for i in range(height + 2 * margin):
            there = peek_index(rows + 8 * i)
            here = scratch + c * plane + i * pitch
            clear(here, pitch // BYTES)
            if there >= 0:
                line = source + c * source_plane + there * source_row
                seen |= load_row(here, line, source_row, cols, count, run, run_stop, large)
    for y in range(height):
        for x in range(width):
            code = peek_index(index + y * index_row + 8 * x)
            radius = peek_index(radii + 8 * code)
            weights = bank + peek_index(offsets + 8 * code)
            taps = 2 * radius + 1
            vectors = (taps + LANES - 1) // LANES
            inset = margin - radius
            here = scratch + (y + inset) * pitch + 4 * (x + inset)
            out = target + y * target_row + 4 * x
            _dot(weights, taps, vectors, here, pitch, plane, out, target_plane, channels)
    return seen


_pitch = jit(row_bytes)
KERNEL = _tile
SIGNATURE = signature(ARGUMENTS["codebook"])
