"""Middlebury's .flo: a field of optical flow."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, BinaryIO, ClassVar

import numpy as np

from svfilter.images.decoders.base import Decoder
from svfilter.images.decoders.plain import PIECE, check_size, read_exactly
from svfilter.images.layout import Layout, Storage
from svfilter.images.metadata import Metadata

if TYPE_CHECKING:
    from svfilter.kernels.base import Array

_MAGIC = b"PIEH"
"""202021.25 as a float of 32 bits."""


class FloDecoder(Decoder):
    """Two bands of 32-bit floats: pixels to the right and down. From a file or a pipe, in pieces.

    Args:
        file: at its start; it is only read, and sought only if it says that it is seekable.

    Source: D. Scharstein, flow-code, vision.middlebury.edu/flow/code.
    """

    in_order: ClassVar[bool] = True

    def __init__(self, file: BinaryIO) -> None:
        _, width, height = struct.unpack("<4sii", read_exactly(file, 12))
        if width < 1 or height < 1:
            raise ValueError(f"its header says {width} x {height} pixels")
        self.layout = Layout(height, width, 2, np.dtype(np.float32), "bands")
        self.metadata = Metadata()
        self.storage = Storage("flo")
        self.block = 1
        self.memory = 3 * max(PIECE, self.layout.row_bytes)
        self._file = file
        self._next = 0
        check_size(file, height * self.layout.row_bytes, _MAGIC)

    def rows(self, start: int, stop: int) -> Array:
        """Give the next rows."""
        if start != self._next:
            raise ValueError(f"row {self._next} comes next, not {start}")
        self._next = stop
        layout = self.layout
        rows = np.empty((stop - start, layout.width, 2), np.float32)
        step = max(PIECE // layout.row_bytes, 1)
        for top in range(0, len(rows), step):
            part = rows[top : top + step]
            data = read_exactly(self._file, part.nbytes)
            part[...] = np.frombuffer(data, "<f4").reshape(part.shape)
        return rows
