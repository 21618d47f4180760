"""Rows in any order, upright, of another decoder: held in memory or on disk."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from typing import TYPE_CHECKING, BinaryIO, ClassVar, cast

import numpy as np

from svfilter.images.decoders.base import Decoder

if TYPE_CHECKING:
    from svfilter.images.layout import Layout
    from svfilter.kernels.base import Array

_PIECE = 2**23
"""Bytes moved at a time, or one row if it has more."""


def upright(layout: Layout, orientation: int) -> Layout:
    """Give the layout of an image turned upright."""
    if orientation < 5:
        return layout
    return replace(layout, height=layout.width, width=layout.height)


class Held(Decoder):
    """All rows of another decoder, turned upright as EXIF's orientation asks.

    They are decoded when the first of them is asked for, and kept uncompressed: in memory, or in a
    temporary file, of which no more than a few rows are in memory at a time.

    Args:
        decoder: is read from top to bottom, and closed with this.
        on_disk: whether to keep the pixels in a file.
    """

    in_order: ClassVar[bool] = False

    def __init__(self, decoder: Decoder, *, on_disk: bool) -> None:
        self._decoder = decoder
        self._on_disk = on_disk
        self._pixels: Array | None = None
        self._file: BinaryIO | None = None
        self.layout = upright(decoder.layout, decoder.orientation)
        self.metadata, self.storage = decoder.metadata, decoder.storage
        self.pages, self.page = decoder.pages, decoder.page
        self.block = max(2**20 // self.layout.row_bytes, 1)
        whole = self.layout.row_bytes * self.layout.height
        self.memory = decoder.memory + (2 * _PIECE if on_disk else whole)

    def rows(self, start: int, stop: int) -> Array:
        """Give rows of the upright image."""
        if self._pixels is None and self._file is None:
            self._fill()
        if self._pixels is not None:
            return np.ascontiguousarray(self._pixels[start:stop])
        layout, file = self.layout, cast("BinaryIO", self._file)
        file.seek(start * layout.row_bytes)
        data = file.read((stop - start) * layout.row_bytes)
        shape = (stop - start, layout.width, layout.channels)
        return np.frombuffer(data, layout.dtype).reshape(shape)

    def _fill(self) -> None:
        layout = self._decoder.layout
        if self._on_disk:
            self._file = cast("BinaryIO", tempfile.TemporaryFile())  # noqa: SIM115
            pixels = None
        else:
            pixels = np.empty((layout.height, layout.width, layout.channels), layout.dtype)
        block = self._decoder.block
        step = max(_PIECE // (layout.row_bytes * block), 1) * block
        for start in range(0, layout.height, step):
            stop = min(start + step, layout.height)
            rows = self._decoder.rows(start, stop)
            if pixels is None:
                self._put(rows, start)
            else:
                pixels[start:stop] = rows
        if pixels is not None:
            self._pixels = _turn(pixels, self._decoder.orientation)

    def _put(self, rows: Array, start: int) -> None:
        """Write rows of the decoder's, from the row `start` on, where they belong in the file."""
        orientation, layout, file = self._decoder.orientation, self.layout, self._file
        assert file is not None
        piece = np.ascontiguousarray(_turn(rows, orientation))
        along = layout.height if orientation < 5 else layout.width
        backwards = orientation in ((3, 4) if orientation < 5 else (6, 7))
        at = along - start - len(rows) if backwards else start
        if orientation < 5:
            file.seek(at * layout.row_bytes)
            file.write(piece.data)
            return
        pixel = layout.row_bytes // layout.width
        for row, values in enumerate(piece):
            file.seek(row * layout.row_bytes + at * pixel)
            file.write(values.data)

    def close(self) -> None:
        """Let go of the pixels, the temporary file, and the decoder's file."""
        self._pixels = None
        if self._file is not None:
            self._file.close()
        self._decoder.close()


def _turn(pixels: Array, orientation: int) -> Array:
    """Turn pixels [H, W, C] as EXIF's orientation, 1 to 8, says that they are meant."""
    if orientation >= 5:
        pixels = pixels.swapaxes(0, 1)
    rows = -1 if orientation in (3, 4, 7, 8) else 1
    cols = -1 if orientation in (2, 3, 6, 7) else 1
    return pixels[::rows, ::cols]
