"""How an image is cut so that the whole process keeps within its memory."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from svfilter.errors import InvalidArgument

ROWS = 512
"""Rows filtered together at most: more gains little, and reading and writing would wait."""
COLS = 2048
"""Columns of a window at most."""
COPIES = 7
"""Of a window's planes: read for the next one, padded, on their way to the engine, filtered, and
three on their way to the file: made, waiting, and being rounded."""
RESERVE = 48 * 2**20
"""Bytes that a process grows by beyond what is planned: code that is loaded, gaps in the heap."""
LEAST_ENGINE, MOST_ENGINE = 2**23, 2**29
"""Bytes for an engine."""


@dataclass(frozen=True)
class Needs:
    """What an image takes, in bytes and pixels."""

    height: int
    width: int
    margin: int
    """Rows and columns that a window's kernels reach beyond it."""
    planes: int
    read: int
    """Bytes of a row of the image and the maps, as they are kept until they are used."""
    written: int
    """Bytes of a row of the result."""
    fixed: int
    """Bytes of the decoders and the encoder."""
    beside: int = 0
    """Rows that are read above and below a window for its parameters' sake."""


@dataclass(frozen=True)
class Cut:
    """The windows of an image, and what else there is memory for."""

    rows: int
    cols: int
    ahead: int
    """Rows decoded ahead."""
    engine: int
    """Bytes for the engine."""


def share(memory: int, needs: Needs, tile: int | None = None) -> Cut:
    """Choose the windows for which as little as possible is read and filtered twice.

    Args:
        memory: bytes.
        needs: of the image.
        tile: the side of a window, if it was asked for.

    Raises:
        InvalidArgument: even the smallest windows would take more.
    """
    best = None
    for rows, cols in _sizes(needs, tile):
        taken = _taken(needs, rows, cols)
        if taken + LEAST_ENGINE > memory:
            continue
        around = 2 * (needs.margin + needs.beside)
        work = (rows + around) * (cols + around) / (rows * cols)
        if best is None or work < best[0]:
            best = work, rows, cols, memory - taken
    if best is None:
        least = min(_taken(needs, *size) for size in _sizes(needs, tile)) + LEAST_ENGINE
        raise InvalidArgument(
            f"--memory must be larger by {math.ceil((least - memory) / 2**20)}M for an image "
            f"{needs.width} pixels wide and kernels that reach {needs.margin} pixels; or take "
            f"smaller kernels{', or less of --map-smooth' if needs.beside else ''}"
        )
    _, rows, cols, left = best
    return Cut(rows, cols, rows, min(left, MOST_ENGINE))


def _sizes(needs: Needs, tile: int | None) -> Iterator[tuple[int, int]]:
    if tile is not None:
        yield min(tile, needs.height), min(tile, needs.width)
        return
    for rows in _halves(min(ROWS, needs.height)):
        for cols in _halves(min(COLS, needs.width)):
            yield rows, cols


def _halves(size: int) -> Iterator[int]:
    while True:
        yield size
        if size == 1:
            return
        size = -(-size // 2)


def _taken(needs: Needs, rows: int, cols: int) -> int:
    """Give the bytes that windows of this size take."""
    around = 2 * needs.margin
    window = 4 * COPIES * needs.planes * (rows + around) * (cols + around)
    # What windows are read from, those that are gathered ahead too, and what is decoded ahead.
    kept = min(2 * rows + around + 2 * needs.beside, needs.height) + rows
    return needs.fixed + window + kept * needs.read + 3 * rows * needs.written
