"""PNG written strip by strip, in threads: the file is the same for any number of them.

A strip is some rows. Each row is filtered, which leaves what its neighbours do not foretell, and
the strip deflated by itself. Which filter and which kind of deflating a strip gets is tried out
on a few of its rows.
"""

from __future__ import annotations

import struct
import zlib
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TYPE_CHECKING, BinaryIO

import numpy as np
from zlib_ng import zlib_ng

if TYPE_CHECKING:
    from types import TracebackType

    from svfilter.kernels.base import Array

DeflateError: type[Exception] = zlib_ng.error  # type: ignore[assignment]

LARGEST_SIDE = 2**31 - 1
_STRIP_BYTES = 512 * 1024
"""Bytes of pixels in a strip: smaller ones would cut more matches, larger ones share work badly."""
_SAMPLE_BYTES = 16 * 1024
"""Bytes of it that are tried out, in whole rows where these are not longer."""
_LEVEL = 4
"""Of zlib: levels above it take longer than the whole filter, for some per cent."""
_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}


# Each filter is handed bytes x, and for each of them the byte a left of it, b above it, c above a.


def _average(x: Array, a: Array, b: Array, c: Array) -> Array:
    """Give x − ⌊(a + b) / 2⌋."""
    mean = a ^ b
    mean >>= 1
    mean += a & b
    return np.subtract(x, mean, out=mean)


def _paeth(x: Array, a: Array, b: Array, c: Array) -> Array:
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
    return np.subtract(x, low, out=low)


_FILTERS: tuple[Callable[[Array, Array, Array, Array], Array], ...] = (
    lambda x, a, b, c: x,
    lambda x, a, b, c: x - a,
    lambda x, a, b, c: x - b,
    _average,
    _paeth,
)
"""By the number that PNG gives them."""

_WAYS = (
    (3, zlib_ng.Z_HUFFMAN_ONLY),
    (4, zlib_ng.Z_HUFFMAN_ONLY),
    (4, zlib_ng.Z_RLE),
    (0, zlib_ng.Z_DEFAULT_STRATEGY),
    (1, zlib_ng.Z_DEFAULT_STRATEGY),
    (2, zlib_ng.Z_DEFAULT_STRATEGY),
)
"""Filters and strategies of zlib worth a trial, quick ones first: photographs have few matches."""


class PngEncoder:
    """A PNG file that is written from top to bottom, in memory of a few strips.

    Used in a `with` statement, it is complete when that is left without an exception.

    Args:
        file: is written to, at its end only.
        width: in pixels.
        height: in pixels.
        channels: 1 to 4: grey or RGB, the last of 2 and 4 is alpha.
        depth: bits of a channel, 8 or 16.
        chunks: names and data of what stands before the pixels.
        jobs: threads.

    Raises:
        ValueError: a side is longer than PNG allows.
    """

    def __init__(
        self,
        file: BinaryIO,
        *,
        width: int,
        height: int,
        channels: int,
        depth: int,
        chunks: list[tuple[bytes, bytes]],
        jobs: int,
    ) -> None:
        if max(width, height) > LARGEST_SIDE:
            raise ValueError(f"its sides must be at most {LARGEST_SIDE} pixels")
        self._file = file
        self._step = channels * depth // 8
        self._dtype = np.dtype(f">u{depth // 8}")
        self._rows_left = height
        self._strip = max(_STRIP_BYTES // (width * self._step), 1)
        # What is left of the first column and above the first row counts as 0.
        self._lines = np.zeros((self._strip + 1, (width + 1) * self._step), np.uint8)
        self._filled = 0
        self._checksum = 1
        self._pool = ThreadPoolExecutor(jobs)
        self._waiting: deque[Future[tuple[Array, bytes]]] = deque()
        self._most_waiting = 2 * jobs
        file.write(b"\x89PNG\r\n\x1a\n")
        kind = _COLOUR_TYPES[channels]
        self._chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0))
        for name, data in chunks:
            self._chunk(name, data)
        self._chunk(b"IDAT", b"\x78\x01")  # how a zlib stream begins

    def __enter__(self) -> PngEncoder:
        """Begin."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Write what is left, unless it is too late for it; stop the threads."""
        try:
            if kind is None:
                self._finish()
        finally:
            self._pool.shutdown(cancel_futures=True)

    def write(self, rows: Array) -> None:
        """Take the next rows [n, width, channels], as many as are at hand."""
        self._rows_left -= len(rows)
        while len(rows):
            part, rows = np.split(rows, [self._strip - self._filled])
            values = np.ascontiguousarray(part, self._dtype).view(np.uint8)
            self._lines[self._filled + 1 :, self._step :][: len(part)] = values.reshape(
                len(part), -1
            )
            self._filled += len(part)
            if self._filled == self._strip:
                self._send()

    def _send(self) -> None:
        """Let a thread pack the rows that are filled, and go on with the next strip."""
        lines = self._lines[: self._filled + 1]
        self._waiting.append(self._pool.submit(_pack, lines, self._step))
        self._lines = np.empty_like(self._lines)
        self._lines[0] = lines[-1]
        self._lines[:, : self._step] = 0
        self._filled = 0
        while len(self._waiting) > self._most_waiting:
            self._receive()

    def _receive(self) -> None:
        filtered, packed = self._waiting.popleft().result()
        self._checksum = zlib_ng.adler32(filtered, self._checksum)
        self._chunk(b"IDAT", packed)

    def _finish(self) -> None:
        if self._rows_left:
            raise ValueError(f"{self._rows_left} of its rows are missing")
        if self._filled:
            self._send()
        while self._waiting:
            self._receive()
        # An empty last block ends the deflated data.
        self._chunk(b"IDAT", b"\x03\x00" + struct.pack(">I", self._checksum))
        self._chunk(b"IEND", b"")

    def _chunk(self, name: bytes, data: bytes) -> None:
        self._file.write(struct.pack(">I", len(data)) + name)
        self._file.write(data)
        self._file.write(struct.pack(">I", zlib_ng.crc32(data, zlib_ng.crc32(name))))


def metadata_chunks(
    icc_profile: bytes | None = None,
    exif: bytes | None = None,
    dpi: tuple[float, float] | None = None,
) -> list[tuple[bytes, bytes]]:
    """Give the chunks that hold an image's metadata, the same as Pillow's."""
    chunks = []
    if icc_profile is not None:
        chunks.append((b"iCCP", b"ICC Profile\0\0" + zlib.compress(icc_profile)))
    if dpi is not None:
        per_metre = (int(d / 0.0254 + 0.5) for d in dpi)
        chunks.append((b"pHYs", struct.pack(">IIB", *per_metre, 1)))
    if exif is not None:
        chunks.append((b"eXIf", exif.removeprefix(b"Exif\0\0")))
    return chunks


def _pack(lines: Array, step: int) -> tuple[Array, bytes]:
    """Give a strip filtered, and that deflated.

    Args:
        lines: the bytes of its rows, below the row before them and right of `step` zeros.
        step: bytes of a pixel.
    """
    kind, strategy = _best_way(lines, step)
    filtered = _filtered(lines, step, kind)
    return filtered, _deflate(filtered, strategy)


def _best_way(lines: Array, step: int) -> tuple[int, int]:
    """Give the filter and strategy by which a few rows from the middle become smallest."""
    sample = lines[:, : _SAMPLE_BYTES + step]
    rows = min(-(-_SAMPLE_BYTES // sample.shape[1]), len(lines) - 1)
    first = (len(lines) - 1 - rows) // 2
    sample = sample[first : first + rows + 1]
    filtered = {kind: _filtered(sample, step, kind) for kind, _ in _WAYS}
    return min(_WAYS, key=lambda way: len(_deflate(filtered[way[0]], way[1])))


def _filtered(lines: Array, step: int, kind: int) -> Array:
    """Give rows as PNG has them: the filter's number, then bytes less what it foretells."""
    x, left = lines[1:, step:], lines[1:, :-step]
    above, corner = lines[:-1, step:], lines[:-1, :-step]
    filtered = np.empty((len(x), x.shape[1] + 1), np.uint8)
    filtered[:, 0] = kind
    filtered[:, 1:] = _FILTERS[kind](x, left, above, corner)
    return filtered


def _deflate(filtered: Array, strategy: int) -> bytes:
    """Give deflated data, without header and end, that other such may follow."""
    deflating = zlib_ng.compressobj(_LEVEL, zlib_ng.DEFLATED, -15, 9, strategy)
    return deflating.compress(filtered) + deflating.flush(zlib_ng.Z_SYNC_FLUSH)
