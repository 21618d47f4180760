"""Rings of rows: what a cascade keeps of each level, the oldest row making room for the newest."""

from __future__ import annotations

from typing import Any

from svfilter.compiled.machine import BLENDED, RING
from svfilter.compiled.memory import peek_index, poke_index
from svfilter.compiled.simd import jit


@jit
def lay_rings(rings: int, start: int, top: int, dilations: int, length: int) -> int:
    """Note for each level where its ring begins, its rows, the newest, and the lag of the blend.

    Give the end of the last. A row is kept for the next level, and until its group of BLENDED
    levels is blended.
    """
    for k in range(top + 1):
        lag = 0
        for later in range(k, min(k // BLENDED * BLENDED + BLENDED - 1, top)):
            lag += peek_index(dilations + 8 * later)
        d = peek_index(dilations + 8 * k) if k < top else 0
        count = max(lag + 1, 2 * d + 1)
        ring = rings + RING * k
        poke_index(ring, start)
        poke_index(ring + 8, count)
        poke_index(ring + 16, 0)
        poke_index(ring + 24, lag)
        start += count * length
    return start


@jit
def turn_rings(rings: int, top: int) -> None:
    """Let the oldest row of each ring become the newest."""
    for k in range(top + 1):
        ring = rings + RING * k
        newest = peek_index(ring + 16) + 1
        poke_index(ring + 16, newest if newest < peek_index(ring + 8) else 0)


@jit
def ring_row(rings: int, k: int, back: int, length: int) -> Any:
    """Give where the row of level k that is `back` before the newest begins, without margin."""
    ring = rings + RING * k
    row = peek_index(ring + 16) - back
    if row < 0:
        row += peek_index(ring + 8)
    return peek_index(ring) + row * length
