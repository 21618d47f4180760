"""A cascade of dilated filters and, for every pixel, a blend of its levels.

    L_0 = x,   L_k = L_(k−1) filtered by [b, 1, b] at dilation D, down and across
    out(p) = Σ_k c_k(σ(p)) · L_k(p)

In each segment of sigmas the c_k are polynomials. A strip of columns streams through by rows:
every level keeps a ring of rows, just long enough for the next level and for the blend. Rows of
a level that no pixel needs are not computed.
"""

from __future__ import annotations

from numba import int64

from svfilter.compiled.machine import (
    ARGUMENTS,
    BLENDED,
    BLOCK,
    BYTES,
    CASCADE_SMALL,
    CHANNELS,
    LANES,
    MOST_LEVELS,
    RING,
    TOO_FAR,
    WINDOW,
    blocks,
    vectors,
)
from svfilter.compiled.memory import (
    clear,
    copy_some,
    load_row,
    peek,
    peek_index,
    poke_index,
    prefetch,
)
from svfilter.compiled.rings import lay_rings, ring_row, turn_rings
from svfilter.compiled.simd import jit, signature
from svfilter.compiled.steps import blend, filter_row, segments_of

_BLOCK, _APART = BLOCK * LANES, BLOCK * BYTES
"""Pixels that are blended together, and the bytes of a plane of them."""


@jit
def _needed_rows(
    need: int, tops: int, spans: int, sigma: int, sigma_row: int, height: int, width: int,
    margin: int, dilations: int, begins: int, levels: int, segments: int, small: int,
) -> int:  # fmt: skip
    """Set bit k of need[r] where level k of row r is needed; give the last level needed at all.

    Give −1 if that reaches further than the margin. tops[r] becomes the last level that the
    pixels of row r themselves need; `spans` receives the first and the last segment of each of
    their blocks.

    `need` is the address of the int64 of the strip's first row; rows before and after it,
    as far as the cascade reaches, are there too and are 0.
    """
    top = 0
    for r in range(height):
        last = 0
        for x in range(0, width, _BLOCK):
            here = _sigmas(small, sigma + r * sigma_row + 4 * x, min(_BLOCK, width - x))
            span = segments_of(here, begins, segments)
            poke_index(spans, span)
            spans += 8
            last = max(last, span >> 8)
        k = peek_index(levels + 8 * last)
        poke_index(need + 8 * r, int64(1) << k)
        poke_index(tops + 8 * r, k)
        top = max(top, k)
    if _reach(dilations, top) > margin:
        return -1
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
def _reach(dilations: int, level: int) -> int:
    """Give how far a level reaches."""
    reach = 0
    for k in range(level):
        reach += peek_index(dilations + 8 * k)
    return reach


@jit
def _sigmas(small: int, sigma: int, count: int) -> int:
    """Give the address of a block of sigmas, those beyond the row's end 0."""
    if count == _BLOCK:
        return sigma
    clear(small, BLOCK)
    _copy(small, sigma, count)
    return small


@jit
def _copy(target: int, source: int, count: int) -> None:
    """Copy some values."""
    for x in range(0, count, LANES):
        copy_some(target + 4 * x, source + 4 * x, min(LANES, count - x))


@jit
def _blend_row(
    spans: int, sigma: int, sigma_row: int, width: int, begins: int, table: int, pitch: int,
    levels: int, rings: int, last: int, length: int, plane: int, target: int, target_row: int,
    target_plane: int, channels: int, small: int,
) -> None:  # fmt: skip
    """Add the group of levels that ends with `last` to a row, each pixel by its own sigma.

    The next row is asked for meanwhile: so many rows are in use that the processor does not.
    """
    results = small + BLOCK * BYTES
    addresses = results + CHANNELS * BLOCK * BYTES
    first = last // BLENDED * BLENDED
    for k in range(first, last + 1):
        lag = peek_index(rings + RING * k + 24)
        poke_index(addresses + 8 * (k - first), ring_row(rings, k, lag, length))
    for x in range(0, width, _BLOCK):
        span = peek_index(spans + x // _BLOCK * 8)
        segment, end = span & 255, span >> 8
        prefetch(sigma + sigma_row + 4 * x)
        for c in range(channels):
            prefetch(target + target_row + c * target_plane + 4 * x)
        if peek_index(levels + 8 * end) < first:
            continue
        own = min(_BLOCK, width - x)
        here = _sigmas(small, sigma + 4 * x, own)
        out, apart = target + 4 * x, target_plane
        if own < _BLOCK:
            out, apart = results, _APART
            for c in range(channels):
                _copy(out + c * apart, target + c * target_plane + 4 * x, own)
        base = segment // WINDOW * WINDOW
        if end - base >= WINDOW:
            base = segment
        while segment <= end:
            until = min(base + WINDOW - 1, end)
            stop = min(peek_index(levels + 8 * until), last) + 1
            if stop > first:
                blend(
                    begins, table, pitch, base, segment, until, here, first, stop, addresses,
                    4 * x, plane, out, apart, channels,
                )  # fmt: skip
            base = segment = until + 1
        if own < _BLOCK:
            for c in range(channels):
                _copy(target + c * target_plane + 4 * x, out + c * apart, own)


@jit
def _stream(
    source: int, source_row: int, source_plane: int, rows: int, cols: int, run: int, run_stop: int,
    sigma: int, sigma_row: int, target: int, target_row: int, target_plane: int, height: int,
    width: int, reach: int, channels: int, large: float, dilations: int, sides: int, begins: int,
    table: int, pitch: int, levels: int, top: int, rings: int, tops: int, need: int, spans: int,
    free: int, small: int,
) -> int:  # fmt: skip
    """Filter a strip of planes that share their rings; give what `load_row` saw."""
    # A row is one channel after the other, each with its margin and a vector to spare.
    inner = _vectors(reach) * BYTES + BYTES
    plane = _vectors(width) * BYTES + 2 * inner
    length = channels * plane
    spare = free + inner  # a row between down and across
    end = lay_rings(rings, spare + length + inner, top, dilations, length)
    # What lay there before, taken for floats, may be denormal: then all the filters crawl.
    clear(free, (end - free) // BYTES)
    seen = 0
    for newest in range(-reach, height + reach):
        if peek_index(need + 8 * newest) & 1:
            there = peek_index(rows + 8 * newest)
            here = ring_row(rings, 0, 0, length) - 4 * reach
            for c in range(channels):
                if there < 0:
                    clear(here + c * plane, _vectors(width + 2 * reach))
                else:
                    line = source + c * source_plane + there * source_row
                    seen |= load_row(
                        here + c * plane,
                        line,
                        source_row,
                        cols,
                        width + 2 * reach,
                        run,
                        run_stop,
                        large,
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
                    filter_row(
                        ring_row(rings, k, 0, length) - back,
                        ring_row(rings, k - 1, 2 * d, length) - back,
                        ring_row(rings, k - 1, d, length) - back,
                        ring_row(rings, k - 1, 0, length) - back,
                        ((channels - 1) * plane + _vectors(width) * BYTES + 2 * back) // BYTES,
                        peek(sides + 4 * (k - 1)), d, spare,
                    )  # fmt: skip
            # The rows of the group are still near the processor when its last level is made.
            complete = (k == top or k % BLENDED == BLENDED - 1) and 0 <= r < height
            if complete and peek_index(tops + 8 * r) >= k // BLENDED * BLENDED:
                _blend_row(
                    spans + 8 * r * _blocks(width), sigma + r * sigma_row, sigma_row, width,
                    begins, table, pitch, levels, rings, k, length, plane,
                    target + r * target_row, target_row, target_plane, channels, small,
                )  # fmt: skip
        turn_rings(rings, top)
    return seen


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
    margin: int,  # the levels that are needed must reach no further
    channels: int,
    large: float,  # values from here on, a power of 2, are HUGE
    dilations: int,  # address of int64[K − 1]
    sides: int,  # address of float32[K − 1]
    begins: int,  # address of float32[segments + 1]: their least sigmas, and infinity
    table: int,  # address of float32[2 + K · TERMS, pitch / 4]: what makes t of sigma; polynomials
    pitch: int,
    levels: int,  # address of int64[segments]: the last level that a segment needs
    segments: int,
    together: int,  # planes whose rings lie near the processor together
    scratch: int,  # `cascade_scratch` bytes of them
) -> int:
    """Filter a strip of up to 4 planes; give what `load_row` saw, or TOO_FAR."""
    rings = scratch + CASCADE_SMALL
    tops = rings + MOST_LEVELS * RING
    need = tops + 8 * height + 8 * margin
    spans = need + 8 * (height + margin)
    for r in range(-margin, height + margin):
        poke_index(need + 8 * r, 0)
    top = _needed_rows(
        need, tops, spans, sigma, sigma_row, height, width, margin, dilations, begins, levels,
        segments, scratch,
    )  # fmt: skip
    if top < 0:
        return TOO_FAR
    reach = _reach(dilations, top)
    skipped = margin - reach
    first, stop = max(run - skipped, 0), min(run_stop - skipped, width + 2 * reach)
    free = _aligned(spans + 8 * height * _blocks(width))
    seen = 0
    for c in range(0, channels, together):
        seen |= _stream(
            source + c * source_plane, source_row, source_plane, rows + 8 * margin,
            cols + 8 * skipped, first, stop, sigma, sigma_row, target + c * target_plane,
            target_row, target_plane, height, width, reach, min(together, channels - c), large,
            dilations, sides, begins, table, pitch, levels, top, rings, tops, need, spans, free,
            scratch,
        )  # fmt: skip
    return seen


@jit
def _aligned(address: int) -> int:
    return (address + 63) // 64 * 64


_vectors, _blocks = jit(vectors), jit(blocks)
KERNEL = _strip
SIGNATURE = signature(ARGUMENTS["cascade"])
