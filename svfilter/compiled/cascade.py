"""A cascade of dilated filters and, for every pixel, a blend of its levels.

    L_0 = x,   L_k = L_(k−1) filtered by [a, 1 − 2a, a] at dilation D, down and across
    out(p) = Σ_k c_k(σ(p)) · L_k(p)

A strip of columns streams through by rows: every level keeps a ring of rows, just long enough
for the next level and for the blend. Rows of a level that no pixel needs are not computed: the
coefficients of a small sigma are 0 from some level on.
"""

from __future__ import annotations

from typing import Any

from numba import int32, int64

from svfilter.compiled.machine import (
    ARGUMENTS,
    BYTES,
    CASCADE_SMALL,
    CHANNELS,
    HALF,
    LANES,
    MOST_LEVELS,
    vectors,
)
from svfilter.compiled.memory import clear, copy_some, load_row, peek, peek_index, poke_index
from svfilter.compiled.simd import jit, signature
from svfilter.compiled.steps import blend, cells, filter_row


@jit
def _needed_rows(
    need: int, tops: int, sigma: int, sigma_row: int, height: int, width: int, dilations: int,
    levels: int, limit: float, shift: int, scratch: int,
) -> int:  # fmt: skip
    """Set bit k of need[r] where level k of row r is needed; give the last level needed at all.

    tops[r] becomes the last level that the pixels of row r themselves need.

    `need` is the address of the int64 of the strip's first row; rows before and after it,
    as far as the cascade reaches, are there too and are 0.
    """
    top = 0
    for r in range(height):
        last = 0
        for x in range(0, width, LANES):
            here = _sigmas(scratch, sigma + r * sigma_row + 4 * x, min(LANES, width - x))
            cell = cells(here, scratch + BYTES, scratch + 2 * BYTES, limit, shift, int32(0))
            last = max(last, cell)
        k = peek_index(levels + 8 * last)
        poke_index(need + 8 * r, int64(1) << k)
        poke_index(tops + 8 * r, k)
        top = max(top, k)
    reach = 0
    for k in range(top, 0, -1):
        d = peek_index(dilations + 8 * (k - 1))
        for r in range(-reach, height + reach):
            if peek_index(need + 8 * r) >> k & 1:
                for other in (r - d, r, r + d):
                    poke_index(need + 8 * other, peek_index(need + 8 * other) | int64(1) << (k - 1))
        reach += d
    return top


@jit
def _sigmas(scratch: int, sigma: int, count: int) -> int:
    """Give the address of LANES sigmas, those beyond the row's end 0."""
    if count == LANES:
        return sigma
    clear(scratch, 1)
    copy_some(scratch, sigma, count)
    return scratch


@jit
def _ring_row(rings: int, k: int, r: int) -> Any:
    """Give the address of the strip's first column in row r of level k."""
    ring = rings + 3 * 8 * k
    return peek_index(ring) + r % peek_index(ring + 8) * peek_index(ring + 16)


@jit
def _lay_rings(rings: int, start: int, top: int, dilations: int, length: int) -> None:
    """Write for each level the address of its first row, its number of rows and their length.

    A row is kept for the next level, and until its group of HALF levels is blended.
    """
    for k in range(top + 1):
        lag = 0
        for later in range(k, min(k // HALF * HALF + HALF - 1, top)):
            lag += peek_index(dilations + 8 * later)
        d = peek_index(dilations + 8 * k) if k < top else 0
        count = max(lag + 1, 2 * d + 1)
        poke_index(rings + 3 * 8 * k, start)
        poke_index(rings + 3 * 8 * k + 8, count)
        poke_index(rings + 3 * 8 * k + 16, length)
        start += count * length


@jit
def _blend_row(
    sigma: int, width: int, table: int, pitch: int, levels: int, limit: float, shift: int,
    rings: int, last: int, r: int, plane: int, target: int, target_plane: int, channels: int,
    small: int,
) -> None:  # fmt: skip
    """Add the group of levels that ends with `last` to row r, each pixel by its own sigma."""
    places, ways, results = small + BYTES, small + 2 * BYTES, small + 3 * BYTES
    addresses = results + CHANNELS * BYTES
    first = last // HALF * HALF
    for k in range(HALF):
        poke_index(addresses + 8 * k, _ring_row(rings, min(first + k, last), r))
    for x in range(0, width, LANES):
        own = min(LANES, width - x)
        cell = cells(_sigmas(small, sigma + 4 * x, own), places, ways, limit, shift, int32(pitch))
        needed = peek_index(levels + 8 * cell)
        out, apart = target + 4 * x, target_plane
        if needed == 0 and first == 0:  # the image itself
            for c in range(channels):
                copy_some(out + c * apart, peek_index(addresses) + c * plane, own)
        elif needed >= first:
            if own < LANES:
                out, apart = results, BYTES
                for c in range(channels):
                    copy_some(results + c * BYTES, target + c * target_plane + 4 * x, own)
            blend(table, pitch, places, ways, first, addresses, plane, out, apart, channels)
            if own < LANES:
                for c in range(channels):
                    copy_some(target + c * target_plane + 4 * x, results + c * BYTES, own)
        for k in range(HALF):
            poke_index(addresses + 8 * k, peek_index(addresses + 8 * k) + BYTES)


def _strip(
    source: int,  # address of the first plane, float32
    source_row: int,  # bytes from row to row
    source_plane: int,  # bytes from plane to plane
    rows: int,  # address of int64[height + 2 · margin]: where each row comes from, or −1
    cols: int,  # address of int64[width + 2 · margin]
    run: int,  # cols[run:run_stop] follow each other
    run_stop: int,
    sigma: int,  # address of the strip's first sigma, float32
    sigma_row: int,
    target: int,  # address of the strip's first result
    target_row: int,
    target_plane: int,
    height: int,
    width: int,
    margin: int,  # the levels that are needed reach no further
    channels: int,
    dilations: int,  # address of int64[K − 1]
    sides: int,  # address of float32[K − 1]
    table: int,  # address of float32[N, pitch / 4]
    pitch: int,
    levels: int,  # address of int64[N − 1]: the last level that a cell of the table needs
    limit: float,  # the largest sigma
    shift: int,  # bits of a sigma within a cell
    scratch: int,  # `scratch_bytes` of them
) -> int:
    """Filter a strip of up to 4 planes; give what `load_row` saw."""
    rings = scratch + CASCADE_SMALL
    tops = rings + MOST_LEVELS * 3 * 8
    need = tops + 8 * height + 8 * margin
    for r in range(-margin, height + margin):
        poke_index(need + 8 * r, 0)
    top = _needed_rows(
        need, tops, sigma, sigma_row, height, width, dilations, levels, limit, shift, scratch
    )
    reach = 0
    for k in range(top):
        reach += peek_index(dilations + 8 * k)
    # A row is one channel after the other, each with its margin and a vector to spare.
    inner = _vectors(reach) * BYTES + BYTES
    plane = _vectors(width) * BYTES + 2 * inner
    spare = _aligned(need + 8 * (height + margin)) + inner  # a row between down and across
    _lay_rings(rings, spare + channels * plane + inner, top, dilations, channels * plane)
    skipped = margin - reach
    seen = 0
    for newest in range(-reach, height + reach):
        if peek_index(need + 8 * newest) & 1:
            there = peek_index(rows + 8 * (newest + margin))
            here = _ring_row(rings, 0, newest) - 4 * reach
            for c in range(channels):
                if there < 0:
                    clear(here + c * plane, _vectors(width + 2 * reach))
                else:
                    line = source + c * source_plane + there * source_row
                    first, stop = max(run - skipped, 0), min(run_stop - skipped, width + 2 * reach)
                    seen |= load_row(
                        here + c * plane, line, cols + 8 * skipped, width + 2 * reach, first, stop
                    )
        r, far = newest, reach
        for k in range(top + 1):
            if k > 0:
                d = peek_index(dilations + 8 * (k - 1))
                r, far = r - d, far - d
                if r < -far:
                    break
                if r < height + far and peek_index(need + 8 * r) >> k & 1:
                    back = _vectors(far) * BYTES
                    # One stretch from the first channel to the last, margins between included.
                    length = (channels - 1) * plane + _vectors(width) * BYTES + 2 * back
                    filter_row(
                        _ring_row(rings, k, r) - back,
                        _ring_row(rings, k - 1, r - d) - back,
                        _ring_row(rings, k - 1, r) - back,
                        _ring_row(rings, k - 1, r + d) - back,
                        length // BYTES, peek(sides + 4 * (k - 1)), d, spare,
                    )  # fmt: skip
            # The rows of the group are still near the processor when its last level is made.
            complete = (k == top or k % HALF == HALF - 1) and 0 <= r < height
            if complete and peek_index(tops + 8 * r) >= k // HALF * HALF:
                _blend_row(
                    sigma + r * sigma_row, width, table, pitch, levels, limit, shift, rings,
                    k, r, plane, target + r * target_row, target_plane, channels, scratch,
                )  # fmt: skip
    return seen


@jit
def _aligned(address: int) -> int:
    return (address + 63) // 64 * 64


_vectors = jit(vectors)
KERNEL = _strip
SIGNATURE = signature(ARGUMENTS["cascade"])
