"""Exact kernels of any family that has a formula, made in registers.

    out(p) = Σ_d u(d; θ(p)) · x(p + d) / Σ_d u(d; θ(p))

A vector is LANES neighbouring pixels of a row, each lane with weights of its own; the function
that sums them up is written for the family (`svfilter.compiled.blocks`).
"""

from __future__ import annotations

from typing import Any

from svfilter.compiled.calls import call_own_kernels
from svfilter.compiled.machine import ARGUMENTS, BYTES, CHANNELS, LANES, ROWS, TOO_FAR, row_bytes
from svfilter.compiled.memory import copy_some, largest_radius, load_planes, note_sides
from svfilter.compiled.simd import jit, signature


def _tile(
    source: int,  # address of the first plane, float32
    source_row: int,  # bytes from row to row
    source_plane: int,  # bytes from plane to plane
    rows: int,  # address of int64[height + 2 · margin]: where each row comes from, or −1
    cols: int,  # address of int64[width + 2 · margin]
    run: int,  # cols[run:run_stop] follow each other
    run_stop: int,
    coefficients: int,  # address of float32 [1 + n, height, …]: radii, and what the function needs
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
    guide: int,  # address of the guide's first plane, its rows and columns the image's
    guide_row: int,
    guide_plane: int,
    guides: int,
    function: int,
    circle: int,  # whether kernels lie within circles
    tables: int,  # address of the central tap in the first table
    table_pitch: int,
    table_plane: int,
    scratch: int,
) -> Any:
    """Filter a tile of up to 4 planes; give what `load_row` saw."""
    count = width + 2 * margin
    tall = height + 2 * margin + ROWS
    pitch = _pitch(count)
    plane = tall * pitch
    seen = load_planes(
        scratch, pitch, plane, source, source_row, source_plane, channels, rows, tall - ROWS, cols,
        count, run, run_stop, large,
    )  # fmt: skip
    load_planes(
        scratch + channels * plane, pitch, plane, guide, guide_row, guide_plane, guides, rows,
        tall - ROWS, cols, count, run, run_stop, large,
    )  # fmt: skip
    result = scratch + (channels + guides) * plane
    sides = result + ROWS * BYTES * CHANNELS
    noted = -1
    for y in range(0, height, ROWS):
        low = min(ROWS, height - y)
        for x in range(0, width, LANES):
            own = min(LANES, width - x)
            place = coefficients + y * coefficient_row + 4 * x
            reach = largest_radius(place, coefficient_row, low, own)
            if reach > margin:
                return TOO_FAR
            here = scratch + (y + margin) * pitch + 4 * (x + margin)
            made, apart, line = here, plane, pitch
            if reach != noted:
                note_sides(sides, reach, circle)
                noted = reach
            if reach > 0:
                made, apart, line = result, ROWS * BYTES, BYTES
                call_own_kernels(
                    function, here, pitch, plane, here + channels * plane, plane, place,
                    coefficient_row, coefficient_plane, reach, sides, tables, table_pitch,
                    table_plane, made, apart, channels,
                )  # fmt: skip
            for c in range(channels):
                for r in range(low):
                    out = target + c * target_plane + (y + r) * target_row + 4 * x
                    copy_some(out, made + c * apart + r * line, own)
    return seen


_pitch = jit(row_bytes)
KERNEL = _tile
SIGNATURE = signature(ARGUMENTS["gather"])
