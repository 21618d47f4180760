"""Windows and halos: integers only, no arrays, no pixels.

A leaf of the project: every other room may use it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

OUTSIDE = -1
"""The index of a pixel that the boundary `constant` puts beyond the image's border."""


class Window(NamedTuple):
    """A half-open rectangle of pixels, rows before columns."""

    row_off: int
    col_off: int
    height: int
    width: int

    @property
    def pixels(self) -> int:
        """Number of pixels covered."""
        return self.height * self.width

    @property
    def rows(self) -> slice:
        """The rows covered, to index an array's axis -2."""
        return slice(self.row_off, self.row_off + self.height)

    @property
    def cols(self) -> slice:
        """The columns covered, to index an array's axis -1."""
        return slice(self.col_off, self.col_off + self.width)


class Halo(NamedTuple):
    """What to read, and how to index it, to see a window with its surroundings."""

    sources: list[list[Window]]
    """The windows of the image that hold the pixels needed: one, unless the boundary is
    circular, where the opposite side is needed too. They fit together row by row."""
    rows: list[int]
    """For each row of the padded window, its row within the joined sources, or OUTSIDE."""
    cols: list[int]
    """The same for the columns."""


def plan(height: int, width: int, rows: int, cols: int) -> Iterator[Window]:
    """Cut a height x width image into windows of at most rows x cols, row by row.

    Each pixel is covered exactly once; the last window of a row or column is the smaller one.

    Example:
        >>> [tuple(window) for window in plan(2, 3, 2, 2)]
        [(0, 0, 2, 2), (0, 2, 2, 1)]
    """
    for row_off in range(0, height, rows):
        for col_off in range(0, width, cols):
            yield Window(row_off, col_off, min(rows, height - row_off), min(cols, width - col_off))


def halo(window: Window, reach: int, height: int, width: int, boundary: str) -> Halo:
    """Say which pixels a window needs when its kernels reach `reach` pixels beyond it.

    The boundary (a key of BOUNDARIES) tells what stands beyond the border of the
    height x width image; the reach may exceed the image.

    Example:
        >>> halo(Window(0, 0, 1, 2), 1, 4, 4, "replicate")
        Halo(sources=[[Window(row_off=0, col_off=0, height=2, width=3)]], rows=[0, 0, 1], cols=[0, 0, 1, 2])
    """  # noqa: E501  (a doctest's output is one line)
    row_runs, rows = _axis(window.row_off, window.height, reach, height, boundary)
    col_runs, cols = _axis(window.col_off, window.width, reach, width, boundary)
    sources = [[Window(r[0], c[0], len(r), len(c)) for c in col_runs] for r in row_runs]
    return Halo(sources, rows, cols)


def _axis(
    start: int, length: int, reach: int, size: int, boundary: str
) -> tuple[list[range], list[int]]:
    """Give the runs of indices needed along an axis, and each index within the joined runs."""
    resolve = BOUNDARIES[boundary]
    first, stop = start - reach, start + length + reach
    inside = range(max(first, 0), min(stop, size))
    before = [resolve(i, size) for i in range(first, min(stop, 0))]
    after = [resolve(i, size) for i in range(max(first, size), stop)]
    beyond = set(before + after) - {OUTSIDE}
    runs = [inside]
    if not all(i in inside for i in beyond):
        runs = _runs(sorted(beyond.union(inside)))
    place = {OUTSIDE: OUTSIDE}
    count = 0
    for run in runs:
        place |= {i: count + i - run.start for i in beyond if i in run}
        if inside.start in run:
            start_inside = count + inside.start - run.start
        count += len(run)
    middle = range(start_inside, start_inside + len(inside))
    return runs, [*(place[i] for i in before), *middle, *(place[i] for i in after)]


def _runs(indices: list[int]) -> list[range]:
    """Give increasing indices as ranges."""
    runs: list[range] = []
    for i in indices:
        if runs and runs[-1].stop == i:
            runs[-1] = range(runs[-1].start, i + 1)
        else:
            runs.append(range(i, i + 1))
    return runs


def _replicate(i: int, size: int) -> int:
    return min(max(i, 0), size - 1)


def _reflect(i: int, size: int) -> int:
    if size == 1:
        return 0
    i %= 2 * (size - 1)
    return min(i, 2 * (size - 1) - i)


def _circular(i: int, size: int) -> int:
    return i % size


def _constant(i: int, size: int) -> int:
    return i if 0 <= i < size else OUTSIDE


BOUNDARIES: dict[str, Callable[[int, int], int]] = {
    "replicate": _replicate,  # a a | a b c d | d d
    "reflect": _reflect,  #     c b | a b c d | c b   (the border pixel is not repeated)
    "circular": _circular,  #   c d | a b c d | a b
    "constant": _constant,  #   0 0 | a b c d | 0 0
}
"""What stands beyond the border: from any index to the index of a pixel (torch's names)."""
