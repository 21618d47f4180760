"""OpenEXR in scanlines, written here: chunk by chunk, in threads.

OpenImageIO's writer hangs on a full disk and writes to no Python file, and OpenEXR's own package
wants the whole image. The format's plainest kind, written here, takes less than guarding those.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar

import numpy as np
from zlib_ng import zlib_ng

from svfilter.images.encoders.base import Encoder
from svfilter.images.encoders.pool import Pool
from svfilter.images.encoders.strips import Strips

if TYPE_CHECKING:
    from svfilter.images.layout import Layout
    from svfilter.images.metadata import Metadata
    from svfilter.kernels.base import Array

_MAGIC, _VERSION, _LONG_NAMES = 20000630, 2, 0x400
_LONGEST_SHORT_NAME = 31
_LARGEST_CHUNK = 2**31 - 1
_LARGEST_SIDE = 2**30
# The number in the header, and how many rows are packed together.
_COMPRESSIONS = {"none": (0, 1), "zips": (2, 1), "zip": (3, 16)}
_LEVEL = 4
"""Of zlib, as OpenEXR's own."""
_STRIP_BYTES = 2**20
_PIXEL_TYPES = {2: 1, 4: 2}
_NAMES = {"grey": ("Y",), "rgb": ("R", "G", "B")}


class ExrEncoder(Encoder):
    """Writes halves and floats, in memory of a few strips.

    Options:
        compression: "none", "zips" or "zip": single rows or 16 of them deflated; any other is
            "zip", which loses nothing.
        channels: their names, different ones; default Y or R, G, B, then A, or numbers.
        origin: column and row of the first pixel; default (0, 0).
        native: whether the native metadata is the header of an OpenEXR file; default False.
    """

    seeks: ClassVar[bool] = True

    def __init__(self, file: BinaryIO, *, jobs: int) -> None:
        super().__init__(file, jobs=jobs)
        self._pool: Pool[list[bytes]] = Pool(jobs, self._take)
        self._offsets: list[int] = []

    def begin(self, layout: Layout, metadata: Metadata, options: dict[str, Any]) -> None:
        """Write the header, and leave room for where the chunks are."""
        kind = options.get("compression")
        self._number, self._rows = _COMPRESSIONS[kind if kind in _COMPRESSIONS else "zip"]
        if self._rows * layout.row_bytes > _LARGEST_CHUNK or layout.height > _LARGEST_SIDE:
            raise ValueError(f"{layout.width} x {layout.height} pixels are too many for OpenEXR")
        names = _names(layout, options.get("channels", ()))
        self._order = sorted(range(len(names)), key=names.__getitem__)
        left, self._top = options.get("origin", (0, 0))
        box = struct.pack(
            "<4i", left, self._top, left + layout.width - 1, self._top + layout.height - 1
        )
        kept = metadata.native if options.get("native") else ()
        attributes = {
            b"displayWindow\0box2i": box,
            b"pixelAspectRatio\0float": struct.pack("<f", 1),
            b"screenWindowCenter\0v2f": bytes(8),
            b"screenWindowWidth\0float": struct.pack("<f", 1),
            **{key: value for key, value in kept if isinstance(key, bytes)},
            b"channels\0chlist": _channel_list([names[n] for n in self._order], layout),
            b"compression\0compression": bytes((self._number,)),
            b"dataWindow\0box2i": box,
            b"lineOrder\0lineOrder": b"\0",
        }
        longest = max(len(name) for key in attributes for name in (*key.split(b"\0"), *names))
        flags = _LONG_NAMES if longest > _LONGEST_SHORT_NAME else 0
        header = struct.pack("<II", _MAGIC, _VERSION | flags) + b"".join(
            key + b"\0" + struct.pack("<I", len(value)) + value for key, value in attributes.items()
        )
        self._table = len(header) + 1
        self._chunks = -(-layout.height // self._rows)
        self._end = self._table + 8 * self._chunks
        self.file.write(header + bytes(1 + 8 * self._chunks))
        rows = max(_STRIP_BYTES // (layout.row_bytes * self._rows), 1) * self._rows
        self._strips = Strips(layout, rows)
        self.memory = (2 * self.jobs + 2) * 3 * rows * layout.row_bytes + 16 * self._chunks

    def write(self, rows: Array) -> None:
        """Take the next rows."""
        for strip in self._strips.cut(rows):
            self._pool.add(_pack, strip, self._order, self._rows, bool(self._number))

    def _take(self, packed: list[bytes]) -> None:
        for data in packed:
            first = self._top + len(self._offsets) * self._rows
            self._offsets.append(self._end)
            self._end += 8 + len(data)
            self.file.write(struct.pack("<ii", first, len(data)))
            self.file.write(data)

    def end(self) -> None:
        """Write what is left, and say before it where the chunks are."""
        try:
            self._strips.finish()
            self._pool.finish()
        finally:
            self.abandon()
        self.file.seek(self._table)
        self.file.write(struct.pack(f"<{self._chunks}Q", *self._offsets))
        self.file.seek(self._end)

    def abandon(self) -> None:
        """Stop the threads."""
        self._pool.stop()


def _names(layout: Layout, names: tuple[str, ...]) -> list[bytes]:
    """Give the channels' names; numbers sort as the channels do."""
    if len({*names}) != layout.channels:
        numbers = (f"{n:04}" for n in range(layout.colours))
        names = (*_NAMES.get(layout.colour, numbers), *(["A"] if layout.alpha else []))
    return [name.encode() for name in names]


def _channel_list(names: list[bytes], layout: Layout) -> bytes:
    kind = struct.pack("<IIII", _PIXEL_TYPES[layout.dtype.itemsize], 0, 1, 1)
    return b"".join(name + b"\0" + kind for name in names) + b"\0"


def _pack(strip: Array, order: list[int], rows: int, deflated: bool) -> list[bytes]:
    """Give the data of a strip's chunks: in each row one channel after the other."""
    values = strip.transpose(0, 2, 1)[:, order]  # [h, C, w]
    values = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
    chunks = (values[top : top + rows].tobytes() for top in range(0, len(values), rows))
    return [_deflated(chunk) if deflated else chunk for chunk in chunks]


def _deflated(chunk: bytes) -> bytes:
    """Deflate the differences between bytes, the even ones first; or give them as they are."""
    data = np.frombuffer(chunk, np.uint8)
    data = np.concatenate((data[::2], data[1::2]))
    data[1:] -= data[:-1] + np.uint8(128)
    packed: bytes = zlib_ng.compress(data, _LEVEL)
    return packed if len(packed) < len(chunk) else chunk
