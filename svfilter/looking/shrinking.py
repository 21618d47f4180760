"""Planes made as small as a picture of them, while they go by from top to bottom."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

    from svfilter.kernels.base import Array


class Shrinking:
    """Takes the rows of planes [n, h, w] and ends with a picture of them, [n, H, W].

    A cell (Y, X) of the picture covers rows Y·h/H to (Y + 1)·h/H and columns X·w/W to (X + 1)·w/W.
    It becomes the mean of the pixels within, each by the area that is covered of it, or the
    largest of all that are touched. Where the picture is larger, pixels are repeated.

    Areas are counted in whole numbers, of pixels cut into H·W parts, and sums are float64. So
    means of integers are the nearest float64 to the true ones where sums stay below 2^53, and
    constants stay what they are. Rows are added one by one: the result has the same bits however
    they were taken together.

    Cost: the memory of a few rows and of the picture.
    """

    def __init__(
        self, planes: int, size: tuple[int, int], picture: tuple[int, int], *, largest: bool = False
    ) -> None:
        """Begin.

        Args:
            planes: how many.
            size: their rows and columns, h and w.
            picture: rows and columns of the picture, H and W.
            largest: whether a cell becomes the largest value in it, not the mean. NaN counts as
                larger than any.
        """
        import numpy as np

        self._rows, self._columns = _Cells(size[0], picture[0]), _Cells(size[1], picture[1])
        self._largest = largest
        self._height, self._row = size[0], 0
        self._picture = np.empty((planes, *picture))
        self._gathering: dict[int, Array] = {}  # what is known of cells' rows that are begun

    def add(self, values: Array) -> None:
        """Take the next rows, [n, some, w] of any numbers."""
        import numpy as np

        with np.errstate(invalid="ignore"):  # infinities of both signs make NaN
            for offset in range(values.shape[-2]):
                self._add_row(values[:, offset])

    def _add_row(self, row: Array) -> None:
        import numpy as np

        for cell, part in self._rows.of(self._row):
            if self._largest:
                known: Array = self._gathering.get(cell, row)
                self._gathering[cell] = np.maximum(known, row)
            else:
                weighted = np.multiply(row, part, dtype=np.float64)
                if cell in self._gathering:
                    weighted += self._gathering[cell]
                self._gathering[cell] = weighted
        self._row += 1
        for cell in [cell for cell in self._gathering if self._rows.last[cell] < self._row]:
            self._picture[:, cell] = self._across(self._gathering.pop(cell))

    def _across(self, row: Array) -> Array:
        """Give the cells of one row of the picture."""
        import numpy as np

        if self._largest:
            return self._columns.largest(row)
        sums: Array = self._columns.sums(row)
        sums /= np.float64(self._rows.size * self._columns.size)
        return sums

    def end(self) -> Array:
        """Give the picture, [n, H, W] float64."""
        assert self._row == self._height, "rows are missing"
        return self._picture


class _Cells:
    """Pixels and cells along one axis, in units of which both are whole numbers."""

    def __init__(self, pixels: int, cells: int) -> None:
        import numpy as np

        common = math.gcd(pixels, cells)
        self.size, self.pixel = pixels // common, cells // common
        """Units of a cell and of a pixel."""
        begin = np.arange(cells) * self.size
        self.first, self.last = begin // self.pixel, (begin + self.size - 1) // self.pixel
        """The pixels that are touched by each cell,"""
        self._head = np.minimum((self.first + 1) * self.pixel - begin, self.size)
        self._tail = begin + self.size - self.last * self.pixel
        """and how much of them."""

    def of(self, pixel: int) -> list[tuple[int, float]]:
        """Give the cells that a pixel is part of, and how much of it is in each."""
        begin, end = pixel * self.pixel, (pixel + 1) * self.pixel
        cells = range(begin // self.size, (end - 1) // self.size + 1)
        return [
            (cell, float(min(end, (cell + 1) * self.size) - max(begin, cell * self.size)))
            for cell in cells
        ]

    def sums(self, row: Array) -> Array:
        """Give the sums over each cell of [n, pixels] float64, pixels by how much of them it is."""
        import numpy as np

        several = self.last > self.first
        within = _segments(np.add, row, self.first + 1, np.maximum(self.last, self.first + 1))
        sums: Array = np.where(self.last - self.first > 1, within, 0) * self.pixel
        sums += row[:, self.first] * self._head
        sums += np.where(several, row[:, self.last], 0) * self._tail
        return sums

    def largest(self, row: Array) -> Array:
        """Give the largest of [n, pixels] that each cell touches."""
        import numpy as np

        return _segments(np.maximum, row, self.first, self.last + 1)


def _segments(join: np.ufunc, row: Array, first: Array, stop: Array) -> Array:
    """Join [n, pixels] from each first one to before its stop; of none it is any number."""
    import numpy as np

    padded = np.concatenate([row, row[:, -1:]], axis=1)  # all must begin and stop within
    bounds = np.minimum(np.stack([first, stop], axis=1), row.shape[1]).ravel()
    joined: Array = join.reduceat(padded, bounds, axis=1)[:, ::2]
    return joined
