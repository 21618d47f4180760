"""What encoders share that pack some rows at a time."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from svfilter.images.layout import Layout
    from svfilter.kernels.base import Array


class Strips:
    """Cuts rows that come in any pieces into strips of so many rows, the last of what is left."""

    def __init__(self, layout: Layout, rows: int) -> None:
        self._rows_left = layout.height
        self._rows = min(rows, layout.height)
        self._shape = (layout.width, layout.channels)
        self._dtype = layout.dtype
        self._filled = 0
        self._strip = np.empty((self._rows, *self._shape), self._dtype)

    def cut(self, rows: Array) -> Iterator[Array]:
        """Take the next rows, and give the strips that they complete, which are the caller's."""
        if len(rows) > self._rows_left:
            raise ValueError(f"{len(rows) - self._rows_left} rows are too many")
        while len(rows):
            part, rows = np.split(rows, [len(self._strip) - self._filled])
            self._strip[self._filled :][: len(part)] = part
            self._filled += len(part)
            self._rows_left -= len(part)
            if self._filled == len(self._strip):
                strip, self._filled = self._strip, 0
                height = min(self._rows, self._rows_left)
                self._strip = np.empty((height, *self._shape), self._dtype)
                yield strip

    def finish(self) -> None:
        """Check that the image is complete."""
        if self._rows_left:
            raise ValueError(f"{self._rows_left} of its rows are missing")
