"""TIFF and BigTIFF, written strip by strip or tile by tile, the directory of a page behind it.

tifffile's writer is not used. It wants all of one plane before the next, so that planes cannot be
written while rows come; it has no Exif and GPS directories, leaves out some tags, and would have
to run in a thread of its own that pulls the pixels. Compression is imagecodecs', as tifffile's is.
"""

from __future__ import annotations

import struct
from itertools import product
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar, Literal

import imagecodecs
import numpy as np

from svfilter.images.encoders.base import Encoder
from svfilter.images.encoders.pool import Pool
from svfilter.images.encoders.strips import Strips
from svfilter.images.metadata import tiff as tags
from svfilter.images.metadata.directory import Fields, write_directory

if TYPE_CHECKING:
    from collections.abc import Callable

    from svfilter.images.layout import Layout
    from svfilter.images.metadata import Metadata
    from svfilter.kernels.base import Array

_NUMBERS = {"none": 1, "lzw": 5, "deflate": 8, "packbits": 32773, "zstd": 50000}
_COMPRESS: dict[str, Callable[..., bytes | bytearray]] = {
    "none": lambda data: data,
    "lzw": imagecodecs.lzw_encode,
    "deflate": imagecodecs.deflate_encode,
    "zstd": imagecodecs.zstd_encode,
}
_PREDICTED = ("lzw", "deflate", "zstd")
_GROWTH = {"lzw": 1.5, "packbits": 1.01}
"""What compression of noise leads to at the worst."""
_PHOTOMETRIC = {"grey": 1, "rgb": 2, "cmyk": 5}
_BASIC = {0: 1, 1: 1, 2: 3, 5: 4}
"""The channels of a photometric interpretation that bands may have."""
_ALPHAS = {"associated": 1, "straight": 2}
_SAMPLE_FORMATS = {"u": [], "i": [2], "f": [3]}
_STRIP = 2**18
_LARGEST_STRIP = 2**22
"""Bytes: files that are read may have a single strip."""
_CLASSIC = 2**32
_MARGIN = 2**26
"""For directories and metadata."""
_ALIGNED = 16
_TRANSFER = 301


class TiffEncoder(Encoder):
    """Writes pages as strips or tiles, compressed in threads.

    Options:
        compression: "none", "lzw", "deflate", "zstd" or "packbits"; any other is "deflate".
        predictor: whether differences are compressed; default True.
        tile: (height, width), multiples of 16; default strips.
        rowsperstrip: default, and for very large strips: about 256 KB.
        planar: whether each channel is stored by itself; default False.
        byteorder: "<" or ">"; default that of the EXIF. Of the first page.
        bigtiff: default: whether the file could become larger than 4 GB. Of the first page.
        pages: how many pages there will be; default 1.
        photometric, extrasamples: TIFF's numbers for bands; default grey and unspecified.
    """

    seeks: ClassVar[bool] = True

    def __init__(self, file: BinaryIO, *, jobs: int) -> None:
        super().__init__(file, jobs=jobs)
        self._order: Literal["", "<", ">"] = ""
        self._big = False
        self._end = 0
        """How long the file is."""
        self._link = 0
        """Where the offset of the next directory belongs."""
        self._pool: Pool[tuple[int, bytes | bytearray]] | None = None

    def begin(self, layout: Layout, metadata: Metadata, options: dict[str, Any]) -> None:
        """Start a page; the first one starts the file."""
        if max(layout.height, layout.width) >= 2**32:
            raise ValueError(f"its sides must be at most {2**32 - 1} pixels")
        if layout.channels >= 2**16:
            raise ValueError(f"its channels must be at most {2**16 - 1}")
        if not self._order:
            self._begin_file(layout, metadata, options)
        self._layout, self._sent = layout, 0
        compression = options.get("compression")
        self._compression = compression if compression in _NUMBERS else "deflate"
        self._predictor = options.get("predictor", True) and self._compression in _PREDICTED
        self._planes = layout.channels if options.get("planar") else 1
        self._tile = tuple(options.get("tile") or ())
        self._rows = self._segment_rows(options.get("rowsperstrip"))
        self._width = self._tile[1] if self._tile else layout.width
        self._down = -(-layout.height // self._rows)
        self._across = -(-layout.width // self._width)
        count = self._planes * self._down * self._across
        self._offsets, self._counts = np.zeros(count, np.uint64), np.zeros(count, np.uint64)
        self._fields = self._page_fields(metadata, options)
        self._strips = Strips(layout, self._rows)
        self._pad(_ALIGNED)
        self._pool = Pool(self.jobs, self._take)
        self.memory = self._held(count)

    def _held(self, segments: int) -> int:
        """Give the bytes held at the peak: bands, segments under way, and where segments are."""
        pixel = self._layout.channels * self._layout.dtype.itemsize
        band = self._rows * self._across * self._width * pixel
        in_band = self._planes * self._across
        under_way = 2 * self.jobs
        bands = 2 + -(-under_way // in_band)
        return bands * band + under_way * 3 * -(-band // in_band) + 64 * segments

    def _begin_file(self, layout: Layout, metadata: Metadata, options: dict[str, Any]) -> None:
        raw = layout.height * layout.row_bytes * options.get("pages", 1)
        grown = raw * _GROWTH.get(options.get("compression", ""), 1.001)
        self._big = options.get("bigtiff", grown > _CLASSIC - _MARGIN)
        self._order = options.get("byteorder") or tags.exif_order(metadata)
        mark = {"<": b"II", ">": b"MM"}[self._order]
        version = (43, 8, 0) if self._big else (42,)
        self._append(mark + struct.pack(f"{self._order}{len(version)}H", *version))
        self._link = self._end
        self._append(bytes(8 if self._big else 4))

    def _segment_rows(self, rows: int | None) -> int:
        if self._tile:
            if any(side < 16 or side % 16 for side in self._tile):
                raise ValueError(f"the sides of tiles must be multiples of 16, not {self._tile}")
            return int(self._tile[0])
        row = self._layout.row_bytes // self._planes
        if not rows or rows * row > _LARGEST_STRIP:
            rows = _STRIP // row
        return max(1, min(rows, self._layout.height))

    def _page_fields(self, metadata: Metadata, options: dict[str, Any]) -> Fields:
        """Give all fields of the page but for where its segments are."""
        layout = self._layout
        photometric, extra = self._meaning(options)
        shorts = {
            258: [8 * layout.dtype.itemsize] * layout.channels,
            259: [_NUMBERS[self._compression]],
            262: [photometric],
            277: [layout.channels],
            284: [2 if self._planes > 1 else 1],
            338: extra,
            339: _SAMPLE_FORMATS[layout.dtype.kind] * layout.channels,
        }
        if self._predictor:
            shorts[317] = [3 if layout.dtype.kind == "f" else 2]
        longs = {256: layout.width, 257: layout.height}
        longs |= {322: self._width, 323: self._rows} if self._tile else {278: self._rows}
        fields: list[tags.Field] = [
            (tag, 3, len(values), struct.pack(f"{self._order}{len(values)}H", *values))
            for tag, values in shorts.items()
            if values
        ]
        fields += [(tag, 4, 1, struct.pack(self._order + "I", n)) for tag, n in longs.items()]
        levels = 2 ** (8 * layout.dtype.itemsize)
        for field in tags.join(metadata, self._order, big=self._big):
            misfits = field[0] in tags.INKS and photometric != tags.SEPARATED
            misfits |= field[0] == _TRANSFER and field[2] not in (levels, 3 * levels)
            if not misfits:
                fields.append(field)
        return fields

    def _meaning(self, options: dict[str, Any]) -> tuple[int, list[int]]:
        """Give the photometric interpretation, and what the channels beyond it are."""
        layout = self._layout
        if layout.colour != "bands":
            alpha = [_ALPHAS[layout.alpha]] if layout.alpha else []
            return _PHOTOMETRIC[layout.colour], alpha
        photometric = options.get("photometric", 1)
        extra = list(options.get("extrasamples", ()))
        basic = _BASIC.get(photometric, 0)
        if not 0 < basic <= layout.channels:
            photometric, basic = 1, 1
        others = layout.channels - basic
        # Any number of inks may take the place of CMYK's.
        if len(extra) != others and not (photometric == tags.SEPARATED and len(extra) < others):
            extra = [0] * others
        return photometric, extra

    def write(self, rows: Array) -> None:
        """Take the next rows."""
        layout = self._layout
        if rows.shape[1:] != (layout.width, layout.channels) or rows.dtype != layout.dtype:
            raise ValueError(f"rows of {rows.shape} {rows.dtype} do not fit {layout}")
        for band in self._strips.cut(rows):
            self._send(band)

    def _send(self, band: Array) -> None:
        """Have a row of strips or tiles encoded."""
        assert self._pool is not None
        step = self._layout.channels // self._planes
        for plane, across in product(range(self._planes), range(self._across)):
            left = across * self._width
            segment = band[:, left : left + self._width, plane * step : plane * step + step]
            index = (plane * self._down + self._sent) * self._across + across
            self._pool.add(self._encode, index, segment)
        self._sent += 1

    def _encode(self, index: int, segment: Array) -> tuple[int, bytes | bytearray]:
        values = np.ascontiguousarray(segment)
        if self._tile and segment.shape[:2] != self._tile:  # it sticks out of the image
            values = np.zeros((*self._tile, segment.shape[2]), segment.dtype)
            values[: segment.shape[0], : segment.shape[1]] = segment
        if self._predictor and values.dtype.kind == "f":  # the bytes in an order of its own
            values = imagecodecs.floatpred_encode(values, axis=-2)
        else:
            if self._predictor:
                values = imagecodecs.delta_encode(values, axis=-2)
            values = values.astype(values.dtype.newbyteorder(self._order or "="), copy=False)
        if self._compression == "packbits":  # row by row
            return index, imagecodecs.packbits_encode(values.view(np.uint8), axis=-2)
        return index, _COMPRESS[self._compression](values.tobytes())

    def _take(self, encoded: tuple[int, bytes | bytearray]) -> None:
        index, data = encoded
        self._offsets[index], self._counts[index] = self._end, len(data)
        self._append(data)

    def end(self) -> None:
        """Write the directory, and say before it where it is."""
        assert self._pool is not None
        self._strips.finish()
        self._pool.finish()
        kind, form = (16, "u8") if self._big else (4, "u4")
        where = {324: self._offsets, 325: self._counts}
        if not self._tile:
            where = {273: self._offsets, 279: self._counts}
        own = [
            (tag, kind, len(values), values.astype(self._order + form).tobytes())
            for tag, values in where.items()
        ]
        fields = {field[0]: field for field in (*self._fields, *own)}
        self._pad(_ALIGNED)
        start = self._end
        self._append(write_directory([*fields.values()], start, self._order, big=self._big))
        self.file.seek(self._link)
        self.file.write(struct.pack(self._order + "IQ"[self._big], start))
        self.file.seek(self._end)
        head, record = (8, 20) if self._big else (2, 12)
        self._link = start + head + len(fields) * record

    def _append(self, data: bytes | bytearray) -> None:
        self._end += len(data)
        if self._end >= _CLASSIC and not self._big:
            raise ValueError("it grows beyond the 4 GB that a TIFF can have which is no BigTIFF")
        self.file.write(data)

    def _pad(self, multiple: int) -> None:
        self._append(bytes(-self._end % multiple))

    def close(self) -> None:
        """Finish the file, after the last image."""
        self.file.flush()

    def abandon(self) -> None:
        """Stop the threads."""
        if self._pool is not None:
            self._pool.stop()
