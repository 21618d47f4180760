"""JPEG written strip by strip, in threads: its pixels are those of an image encoded as a whole.

A strip is encoded by libjpeg as an image of its own, with a restart marker behind each row of
blocks. At such a marker the codes begin anew: so those of strips can follow one another.
"""

from __future__ import annotations

import io
import struct
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from PIL import Image

from svfilter.images.encoders.base import Encoder
from svfilter.images.encoders.pool import Pool
from svfilter.images.encoders.strips import Strips
from svfilter.images.metadata.jpeg import segments

if TYPE_CHECKING:
    from svfilter.images.layout import Layout
    from svfilter.images.metadata import Metadata
    from svfilter.kernels.base import Array

LARGEST_SIDE = 65500
"""JPEG has 16 bits for a side, but libjpeg, with which nearly everybody reads it, refuses more."""
DEFAULT_QUALITY = 95
"""Hardly a visible loss."""
_FULL_COLOUR_QUALITY = 90
_ROWS = 128
"""Strips have a multiple of so many rows: 8 rows of blocks, whether of 8 or of 16 pixels. Restart
markers are numbered modulo 8, and so those of each strip are numbered as they must be."""
_STRIP_BYTES = 2**20
_SOI, _EOI, _LAST_RESTART = b"\xff\xd8", b"\xff\xd9", b"\xff\xd7"
_APP0, _APP14, _SOF, _SOS = 0xE0, 0xEE, 0xC0, 0xDA
_LARGEST_STEP = 255
"""Of quantisation, in baseline JPEG."""
_MODES = {"grey": "L", "rgb": "RGB", "cmyk": "CMYK"}
_SUBSAMPLINGS = ("4:4:4", "4:2:2", "4:2:0")


class JpegEncoder(Encoder):
    """Writes baseline JPEG in memory of a few strips.

    The Huffman tables are the usual ones: best ones would need all of the image.

    Options:
        quality: 1 to 100; default 95, unless there are tables.
        tables: a list of quantisation tables, as Pillow has them; of no effect if there is a
            quality.
        subsampling: "4:4:4", "4:2:2" or "4:2:0": how the colours are thinned. Any other is 4:4:4,
            which loses nothing. By default colours are thinned at qualities below 90 only.
        native: whether the native metadata is that of a JPEG; default False.
    """

    def __init__(self, file: BinaryIO, *, jobs: int) -> None:
        super().__init__(file, jobs=jobs)
        self._pool: Pool[bytes] = Pool(jobs, self._take)
        self._begun = False

    def begin(self, layout: Layout, metadata: Metadata, options: dict[str, Any]) -> None:
        """Write the metadata; the other headers are those of the first strip."""
        if max(layout.width, layout.height) > LARGEST_SIDE:
            raise ValueError(f"its sides must be at most {LARGEST_SIDE} pixels")
        self._layout = layout
        self._saved = _save_options(layout, options)
        rows = max(_STRIP_BYTES // (layout.row_bytes * _ROWS), 1) * _ROWS
        self._strips = Strips(layout, rows)
        self.memory = (2 * self.jobs + 2) * 3 * rows * layout.row_bytes
        self.file.write(_SOI)
        # JFIF is for grey and YCbCr: of CMYK it stands only where it states the resolution.
        stated = layout.colour != "cmyk" or metadata.dpi is not None
        for marker, segment in _segments(segments(metadata, native=options.get("native", False))):
            if marker != _APP0 or stated:
                self.file.write(segment)

    def write(self, rows: Array) -> None:
        """Take the next rows."""
        for strip in self._strips.cut(rows):
            self._pool.add(_encode, strip, _MODES[self._layout.colour], self._saved)

    def _take(self, encoded: bytes) -> None:
        """Write a strip's headers if it is the first one, and its codes without the end."""
        at = len(_SOI)
        for marker, segment in _segments(encoded[at:]):
            at += len(segment)
            if not self._begun and not _APP0 <= marker < _APP14:
                height = struct.pack(">H", self._layout.height)
                whole = segment[:5] + height + segment[7:]
                self.file.write(whole if marker == _SOF else segment)
        if self._begun:
            self.file.write(_LAST_RESTART)
        self._begun = True
        self.file.write(memoryview(encoded)[at : -len(_EOI)])

    def end(self) -> None:
        """Write what is left."""
        try:
            self._strips.finish()
            self._pool.finish()
        finally:
            self.abandon()
        self.file.write(_EOI)

    def abandon(self) -> None:
        """Stop the threads."""
        self._pool.stop()


def _save_options(layout: Layout, options: dict[str, Any]) -> dict[str, Any]:
    """Give the options of Pillow's `save`."""
    saved: dict[str, Any] = {"restart_marker_rows": 1}
    quality, tables = options.get("quality"), options.get("tables")
    if quality is None and tables is not None:
        # The first is for brightness; CMYK is stored as it is, and any ink bears brightness.
        used = tables[:1] if layout.colour == "cmyk" else tables
        saved["qtables"] = [[min(step, _LARGEST_STEP) for step in table] for table in used]
    else:
        saved["quality"] = quality = DEFAULT_QUALITY if quality is None else quality
    if layout.colour == "rgb":
        thinned = quality is not None and quality < _FULL_COLOUR_QUALITY
        wanted = options.get("subsampling", "4:2:0" if thinned else "4:4:4")
        saved["subsampling"] = wanted if wanted in _SUBSAMPLINGS else "4:4:4"
    return saved


def _encode(strip: Array, mode: str, options: dict[str, Any]) -> bytes:
    """Give a strip as a JPEG file."""
    height, width, _ = strip.shape
    image = Image.frombuffer(mode, (width, height), np.ascontiguousarray(strip), "raw", mode, 0, 1)
    # Only while it writes to a file of the system, Pillow lets other threads run. It overlooks
    # that one takes only a part; what fails for another reason will fail again.
    with suppress(OSError), tempfile.TemporaryFile(prefix="svfilter-") as file:
        image.save(file, "JPEG", **options)
        file.seek(0)
        encoded = file.read()
        if encoded.endswith(_EOI):
            return encoded
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", **options)
    return buffer.getvalue()


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Take apart the segments that data begins with, up to that which the codes follow."""
    at = 0
    marker = 0
    while at < len(data) and marker != _SOS:
        _, marker, length = struct.unpack_from(">BBH", data, at)
        yield marker, data[at : at + 2 + length]
        at += 2 + length
