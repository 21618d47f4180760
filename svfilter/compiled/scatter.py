"""Pixels that spread their light by exact kernels of any family that has a formula.

    out(p) = Σ_d u(d; θ(p − d)) · x(p − d) / U(p − d),   U(q) = Σ_d u(d; θ(q))

It is computed as the sum of what each result receives: a vector is LANES neighbouring results of
a row, and its weights are made in registers from the parameters of those that give.
"""

from __future__ import annotations

from typing import Any

from numba import float32

from svfilter.compiled.calls import call_own_kernels
from svfilter.compiled.machine import (
    ARGUMENTS,
    BYTES,
    CHANNELS,
    LANES,
    ROWS,
    TOO_FAR,
    row_bytes,
)
from svfilter.compiled.memory import (
    add_values,
    clear,
    copy_some,
    is_empty,
    load_planes,
    note_sides,
    peek,
    poke,
    poke_index,
    side_of,
)
from svfilter.compiled.simd import jit, signature


@jit
def _reach(cells: int, across: int, y: int, x: int, margin: int, sides: int, circle: int) -> int:
    """Give the largest radius of those that may reach the block of results at (y, x).

    A cell is LANES owners of a row, the first of them `margin` left of the tile. How far to the
    side those of each row reach is noted in `sides`, int64[2 · margin + ROWS].
    """
    reach = 0
    for row in range(2 * margin + ROWS):
        near = max(margin - row, row - margin - (ROWS - 1), 0)
        farthest = 0
        for cell in range(x // LANES, (x + LANES - 1 + 2 * margin) // LANES + 1):
            begin = cell * LANES - margin
            apart = max(begin - (x + LANES - 1), x - (begin + LANES - 1), near)
            radius = int(peek(cells + 4 * ((y + row) * across + cell)))
            if radius >= apart and radius > farthest:
                farthest = radius
        poke_index(sides + 8 * row, side_of(farthest, near, circle))
        reach = max(reach, farthest)
    return reach


@jit
def _farthest(radii: int, source: int, plane: int, channels: int, count: int) -> Any:
    """Give the largest of so many radii, of pixels that have something to give."""
    largest = float32(0)
    for i in range(count):
        radius = peek(radii + 4 * i)
        if radius > largest and not is_empty(source + 4 * i, plane, channels):
            largest = radius
    return int(largest)


@jit
def _multiply(place: int, plane: int, channels: int, factor: float) -> None:
    """Multiply each channel of a pixel."""
    for c in range(channels):
        poke(place + c * plane, factor * peek(place + c * plane))


@jit
def _take_out(
    own: int, own_pitch: int, own_plane: int, source: int, pitch: int, plane: int, radii: int,
    radii_row: int, height: int, width: int, margin: int, channels: int,
) -> None:  # fmt: skip
    """Take pixels that keep what they have out of what is spread; those of the tile are kept."""
    for y in range(height + 2 * margin):
        for x in range(width + 2 * margin):
            if peek(radii + y * radii_row + 4 * x) != 0:
                continue
            to_y, to_x = y - margin, x - margin
            for c in range(channels):
                here = source + c * plane + y * pitch + 4 * x
                if 0 <= to_y < height and 0 <= to_x < width:
                    poke(own + c * own_plane + to_y * own_pitch + 4 * to_x, peek(here))
                poke(here, float32(0))


def _tile(
    source: int,  # address of the first plane, float32
    source_row: int,  # bytes from row to row
    source_plane: int,  # bytes from plane to plane
    rows: int,  # address of int64[height + 2 · margin]: where each row comes from, or −1
    cols: int,  # address of int64[width + 2 · margin]
    run: int,  # cols[run:run_stop] follow each other
    run_stop: int,
    coefficients: int,  # address of float32 [1 + n, height + 2 · margin, …]: radii, and the others
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
    totals: int,  # the function that gives U, or 0 for U = 1
    function: int,  # the function that adds up
    circle: int,  # whether kernels lie within circles
    tables: int,  # address of the central tap in the first table
    table_pitch: int,
    table_plane: int,
    scratch: int,
) -> Any:
    """Filter a tile of up to 4 planes; give what `load_row` saw."""
    tall, wide = height + 2 * margin, width + 2 * margin
    pitch = _pitch(wide)
    plane = (tall + ROWS) * pitch
    across = wide // LANES + 2
    result = scratch + channels * plane
    own = result + ROWS * BYTES * CHANNELS
    own_pitch = _pitch(width)
    own_plane = (height + ROWS) * own_pitch
    sides = own + channels * own_plane
    cells = sides + 8 * (2 * margin + ROWS)
    clear(scratch, channels * plane // BYTES)
    seen = load_planes(
        scratch, pitch, plane, source, source_row, source_plane, channels, rows, tall, cols, wide,
        run, run_stop, large,
    )  # fmt: skip
    clear(own, channels * own_plane // BYTES)
    noted = -1
    if totals != 0:
        _take_out(
            own, own_pitch, own_plane, scratch, pitch, plane, coefficients, coefficient_row,
            height, width, margin, channels,
        )  # fmt: skip
    clear(cells, (4 * across * (tall + ROWS) + BYTES - 1) // BYTES)
    for y in range(0, tall, ROWS):
        low = min(ROWS, tall - y)
        for x in range(0, wide, LANES):
            count = min(LANES, wide - x)
            place = coefficients + y * coefficient_row + 4 * x
            reach = 0
            for r in range(low):
                here = scratch + (y + r) * pitch + 4 * x
                farthest = _farthest(place + r * coefficient_row, here, plane, channels, count)
                poke(cells + 4 * ((y + r) * across + x // LANES), float32(farthest))
                reach = max(reach, farthest)
            if reach > margin:
                return TOO_FAR
            if totals == 0:
                continue
            if reach != noted:
                note_sides(sides, reach, circle)
                noted = reach
            if reach > 0:
                call_own_kernels(
                    totals, 0, 0, 0, 0, 0, place, coefficient_row, coefficient_plane, reach,
                    sides, tables, table_pitch, table_plane, result, 0, 0,
                )  # fmt: skip
            for r in range(low):
                for i in range(count):
                    here = scratch + (y + r) * pitch + 4 * (x + i)
                    if not is_empty(here, plane, channels):
                        share = float32(1) / peek(result + r * BYTES + 4 * i)
                        _multiply(here, plane, channels, share)
    for y in range(0, height, ROWS):
        low = min(ROWS, height - y)
        for x in range(0, width, LANES):
            count = min(LANES, width - x)
            reach = _reach(cells, across, y, x, margin, sides, circle)
            line = own + y * own_pitch + 4 * x
            if reach > 0 or totals == 0:
                call_own_kernels(
                    function, scratch + (y + margin) * pitch + 4 * (x + margin), pitch, plane,
                    0, 0, coefficients + (y + margin) * coefficient_row + 4 * (x + margin),
                    coefficient_row, coefficient_plane, reach, sides + 8 * (margin - reach),
                    tables, table_pitch, table_plane, result, ROWS * BYTES, channels,
                )  # fmt: skip
                for c in range(channels):
                    for r in range(low):
                        place = line + c * own_plane + r * own_pitch
                        add_values(place, result + (c * ROWS + r) * BYTES, LANES)
            for c in range(channels):
                for r in range(low):
                    out = target + c * target_plane + (y + r) * target_row + 4 * x
                    copy_some(out, line + c * own_plane + r * own_pitch, count)
    return seen


_pitch = jit(row_bytes)
KERNEL = _tile
SIGNATURE = signature(ARGUMENTS["scatter"])
