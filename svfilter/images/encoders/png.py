"""PNG written strip by strip, in threads: the file is the same for any number of them.

A strip is some rows. Each row is filtered, which leaves what its neighbours do not foretell, and
the strip deflated by itself. Which filter and which kind of deflating a strip gets is tried out
on a few of its rows.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

import numpy as np
from zlib_ng import zlib_ng

from svfilter.images.encoders.base import Encoder
from svfilter.images.encoders.pool import Pool
from svfilter.images.encoders.strips import Strips
from svfilter.images.metadata.png import chunks

if TYPE_CHECKING:
    from svfilter.images.layout import Layout
    from svfilter.images.metadata import Metadata
    from svfilter.kernels.base import Array

LARGEST_SIDE = 2**31 - 1
DEFAULT_LEVEL = 4
_STRIPS = 24
"""In how many strips an image is cut, if each of them then has"""
_STRIP_BYTES = 2**18, 2**20
"""so many bytes: more strips cost more trials, fewer differ more in themselves."""
_SAMPLE_BYTES = 2**14
"""Bytes of a strip that are tried out."""
_CONTEXT_BYTES = 2**14
"""Bytes above it in which matches may be: more would find few more."""
_BLOCK_BYTES = 2**18
"""Bytes that are filtered at a time: few enough to stay in the processor's cache."""
_FLAT_LEVEL = 6
_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
_ADLER = 65521


# Each filter is handed bytes x, for each of them the byte a left of it, b above it, c above a, and
# where to write.


def _average(x: Array, a: Array, b: Array, c: Array, out: Array) -> None:
    """Give x − ⌊(a + b) / 2⌋."""
    mean = a ^ b
    mean >>= 1
    mean += a & b
    np.subtract(x, mean, out=out)


def _paeth(x: Array, a: Array, b: Array, c: Array, out: Array) -> None:
    """Give x − p, where p is that of a, b and c which is nearest to a + b − c.

    With lo and hi the smaller and the larger of a and b, p is lo where hi − c ≤ (c − lo) / 2, hi
    where c − lo ≤ (hi − c) / 2, and else c. The differences are held at 0 from below; so bytes
    hold them all.
    """
    low, high = np.minimum(a, b), np.maximum(a, b)
    above = np.maximum(high, c)
    above -= c
    below = np.minimum(low, c)
    np.subtract(c, below, out=below)
    take_low = (above <= below >> 1).view(np.int8)
    take_high = (below <= above >> 1).view(np.int8)
    low ^= c
    low &= np.negative(take_low, out=take_low).view(np.uint8)  # 0, or all bits set
    high ^= c
    high &= np.negative(take_high, out=take_high).view(np.uint8)
    low ^= high  # where both are taken, both are c
    low ^= c
    np.subtract(x, low, out=out)


_FILTERS: tuple[Callable[[Array, Array, Array, Array, Array], object], ...] = (
    lambda x, a, b, c, out: np.copyto(out, x),
    lambda x, a, b, c, out: np.subtract(x, a, out=out),
    lambda x, a, b, c, out: np.subtract(x, b, out=out),
    _average,
    _paeth,
)
"""By the number that PNG gives them."""


class _Way(NamedTuple):
    """How a strip is packed."""

    filter: int
    strategy: int
    level: int
    """Of zlib, for matches; the other strategies have none."""


_MATCHLESS = (
    _Way(3, zlib_ng.Z_HUFFMAN_ONLY, 1),
    _Way(4, zlib_ng.Z_HUFFMAN_ONLY, 1),
    _Way(4, zlib_ng.Z_RLE, 1),
)
"""Ways that look for no matches: of these photographs have few."""


class PngEncoder(Encoder):
    """Writes PNG in memory of a few strips.

    Options:
        compression: 0 to 9, also as a string; default 4. It is zlib's level where matches are
            worth it, so that 9 makes the smallest file; 0 stores the pixels as they are.
        native: whether the native metadata is that of a PNG; default False.
    """

    def __init__(self, file: BinaryIO, *, jobs: int) -> None:
        super().__init__(file, jobs=jobs)
        self._pool: Pool[tuple[bytes, int, int]] = Pool(jobs, self._take)
        self._checksum = 1

    def begin(self, layout: Layout, metadata: Metadata, options: dict[str, Any]) -> None:
        """Write all that stands before the pixels."""
        if max(layout.width, layout.height) > LARGEST_SIDE:
            raise ValueError(f"its sides must be at most {LARGEST_SIDE} pixels")
        self._level = int(options.get("compression", DEFAULT_LEVEL))
        self._step = layout.channels * layout.dtype.itemsize
        least, most = _STRIP_BYTES
        wanted = min(max(layout.row_bytes * layout.height // _STRIPS, least), most)
        rows = max(wanted // layout.row_bytes, 1)
        self._strips = Strips(layout, rows)
        self.memory = (2 * self.jobs + 2) * 2 * rows * layout.row_bytes
        self._above = np.zeros((1, layout.width, layout.channels), layout.dtype)
        self.file.write(b"\x89PNG\r\n\x1a\n")
        bits, kind = 8 * layout.dtype.itemsize, _COLOUR_TYPES[layout.channels]
        header = struct.pack(">IIBBBBB", layout.width, layout.height, bits, kind, 0, 0, 0)
        self._chunk(b"IHDR", header)
        for name, data in chunks(metadata, native=options.get("native", False)):
            self._chunk(name, data)
        self._chunk(b"IDAT", b"\x78\x01")  # how a zlib stream begins

    def write(self, rows: Array) -> None:
        """Take the next rows."""
        for strip in self._strips.cut(rows):
            self._pool.add(_pack, self._above, strip, self._step, self._level)
            self._above = strip[-1:].copy()

    def _take(self, packed: tuple[bytes, int, int]) -> None:
        data, size, checksum = packed
        self._checksum = _joined(self._checksum, checksum, size)
        self._chunk(b"IDAT", data)

    def end(self) -> None:
        """Write what is left."""
        try:
            self._strips.finish()
            self._pool.finish()
        finally:
            self.abandon()
        # An empty last block ends the deflated data.
        self._chunk(b"IDAT", b"\x03\x00" + struct.pack(">I", self._checksum))
        self._chunk(b"IEND", b"")

    def abandon(self) -> None:
        """Stop the threads."""
        self._pool.stop()

    def _chunk(self, name: bytes, data: bytes) -> None:
        self.file.write(struct.pack(">I", len(data)) + name)
        self.file.write(data)
        self.file.write(struct.pack(">I", zlib_ng.crc32(data, zlib_ng.crc32(name))))


def _joined(first: int, second: int, size: int) -> int:
    """Give Adler's checksum of data from those of its two parts, the second of that size.

    It is 1 + Σ d_i in its lower half, and in its upper the sum of all lower halves on the way.
    """
    low, high = first & 0xFFFF, first >> 16
    high = (high + (second >> 16) + size * (low - 1)) % _ADLER
    low = (low + (second & 0xFFFF) - 1) % _ADLER
    return high << 16 | low


def _pack(above: Array, rows: Array, step: int, level: int) -> tuple[bytes, int, int]:
    """Give a strip deflated, without header and end, and of what was deflated size and checksum.

    Args:
        above: the row before it; zeros before the first.
        rows: those of the strip, [h, w, channels].
        step: bytes of a pixel.
        level: 0 to 9.
    """
    above, rows = _bytes_of(above), _bytes_of(rows)
    way = _best_way(rows, step, level) if level else _Way(0, zlib_ng.Z_DEFAULT_STRATEGY, 0)
    deflating = _deflating(way)
    checksum, size = 1, 0
    parts = []
    block = max(_BLOCK_BYTES // rows.shape[1], 1)
    for top in range(0, len(rows), block):
        x = rows[top : top + block]
        filtered = _filtered(above, x, step, way.filter)
        above = x[-1:]
        checksum = zlib_ng.adler32(filtered, checksum)
        size += filtered.size
        parts.append(deflating.compress(filtered))
    parts.append(deflating.flush(zlib_ng.Z_SYNC_FLUSH))
    return b"".join(parts), size, checksum


def _bytes_of(rows: Array) -> Array:
    """Give the bytes of rows as PNG has them, [h, n]."""
    return (
        rows.astype(rows.dtype.newbyteorder(">"), copy=False).view(np.uint8).reshape(len(rows), -1)
    )


def _best_way(rows: Array, step: int, level: int) -> _Way:
    """Give the way by which bytes from the middle of a strip become smallest."""
    height, width = rows.shape
    cols = min(width, max(_SAMPLE_BYTES // step, 1) * step)
    left = (width - cols) // 2 // step * step
    count = min(max(_SAMPLE_BYTES // cols, 1), height)
    top = (height - count) // 2
    before = min(top, _CONTEXT_BYTES // cols)  # rows, in which there may be matches
    sample = rows[max(top - before - 1, 0) : top + count, left : left + cols]
    above = sample[:1] if top > before else np.zeros_like(sample[:1])
    sample = sample[-(count + before) :]
    sizes = {}
    for kind in range(5 if level > _FLAT_LEVEL else 3):
        way = _Way(kind, zlib_ng.Z_DEFAULT_STRATEGY, level)
        sizes[way] = _size(_filtered(above, sample, step, kind), before, way)
    best = min(sizes, key=sizes.__getitem__)
    if sizes[best] * 8 < count * cols:  # codes without matches take at least 1 bit for a byte
        way = best._replace(level=max(level, _FLAT_LEVEL))  # which is nearly as fast here
        size = _size(_filtered(above, sample, step, way.filter), before, way)
        return way if size < 0.95 * sizes[best] else best
    if before:
        above, sample = sample[before - 1 : before], sample[before:]
    quick = {way: _size(_filtered(above, sample, step, way.filter), 0, way) for way in _MATCHLESS}
    sizes = quick | sizes  # of equal ones the first is taken
    return min(sizes, key=sizes.__getitem__)


def _size(filtered: Array, before: int, way: _Way) -> int:
    """Give the size of filtered rows when deflated, of which some were deflated before."""
    deflating = _deflating(way, filtered[:before])
    return len(deflating.compress(filtered[before:])) + len(deflating.flush())


def _deflating(way: _Way, before: Array | None = None) -> Any:
    dictionary = () if before is None or not before.size else (before,)
    return zlib_ng.compressobj(way.level, zlib_ng.DEFLATED, -15, 9, way.strategy, *dictionary)


def _filtered(above: Array, rows: Array, step: int, kind: int) -> Array:
    """Give rows as PNG has them: the filter's number, then bytes less what it foretells."""
    height, width = rows.shape
    lines = np.empty((height + 1, step + width), np.uint8)
    lines[:, :step] = 0  # what is left of the first column counts as 0
    lines[:1, step:] = above
    lines[1:, step:] = rows
    filtered = np.empty((height, 1 + width), np.uint8)
    filtered[:, 0] = kind
    x, a, b, c = lines[1:, step:], lines[1:, :-step], lines[:-1, step:], lines[:-1, :-step]
    _FILTERS[kind](x, a, b, c, filtered[:, 1:])
    return filtered
