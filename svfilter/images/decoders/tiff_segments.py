"""The strips or tiles of a TIFF page: where their bytes are, and what pixels they hold."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice, product
from threading import Lock
from typing import TYPE_CHECKING, Any, cast

import imagecodecs
import numpy as np
from tifffile.tifffile import jpeg_shape

from svfilter.images.decoders import tiff_lzw

if TYPE_CHECKING:
    from tifffile import TiffPage

    from svfilter.images.decoders.tiff_kinds import Kind
    from svfilter.kernels.base import Array

_LZW, _JPEG, _JPEG2000, _LERC, _WEBP = 5, 7, 34712, 34887, 50001
_BY_CODECS = {_JPEG, _LERC, _JPEG2000, _WEBP}
"""Compressions that know of pixels: a tile at the edge may be smaller."""
_HELD = {1: 1, _JPEG2000: 6, _WEBP: 4}
"""How many times a segment's pixels are held while it is decoded; two times where not said."""
_NODATA = 42113
_MARGIN = 16
"""Rows or columns that a stream may have beyond a strip or tile."""
_PIECE = 2**20
"""Bytes of a long uncompressed strip that are read together."""
_TASK = 2**18
"""Bytes of pixels for which it is worth to wake a thread."""


class Segments:
    """Decodes the segments of a page, in a pool of threads.

    Uncompressed strips are taken as many short ones, because their rows lie one after another:
    there may be a single strip, as large as the image. A segment without bytes, which is how GDAL
    leaves out empty ones, is filled with the value that says "no data".
    """

    def __init__(self, page: TiffPage, kind: Kind, jobs: int) -> None:
        layout = kind.layout
        self._page, self._kind, self._jobs = page, kind, jobs
        self._pool: ThreadPoolExecutor | None = None
        self._lock = Lock()
        dtype = np.dtype(page.dtype)
        self._stored = np.dtype(np.uint8) if dtype == np.bool_ else dtype
        self._gap = _gap(page, self._stored)
        planar = page.planarconfig == 2 and page.samplesperpixel > 1
        self._planes = page.samplesperpixel if planar else 1
        self._samples = 1 if planar else page.samplesperpixel
        self.rows, self._width = self._size()
        if self.rows < 1 or self._width < 1:
            raise ValueError("the strips or tiles have no pixels")
        self._down = -(-layout.height // self.rows)
        self._across = -(-layout.width // self._width)
        self._offsets, self._counts = self._places()
        if not page.is_tiled and page.compression == 1:
            self._cut()
        _check(self._offsets, self._counts, page.parent.filehandle.size)
        page.decode  # noqa: B018  (made when it is first asked for: here, and not by threads)

    def _size(self) -> tuple[int, int]:
        page = self._page
        if page.is_tiled:
            return page.tilelength, page.tilewidth
        return min(page.rowsperstrip, page.imagelength), page.imagewidth

    def _places(self) -> tuple[Array, Array]:
        """Give the offsets and byte counts, [planes, down, across]."""
        shape = self._planes, self._down, self._across
        count = self._planes * self._down * self._across
        places = [
            np.asarray(values, np.int64)[:count]
            for values in (self._page.dataoffsets, self._page.databytecounts)
        ]
        if any(len(values) < count for values in places):
            raise ValueError(f"there are fewer strips or tiles than the {count} that there must be")
        return places[0].reshape(shape), places[1].reshape(shape)

    def _cut(self) -> None:
        """Take uncompressed strips as shorter ones."""
        page = self._page
        row = -(-page.imagewidth * self._samples * page.bitspersample // 8)
        strip, height = self.rows, page.imagelength
        tops = np.arange(self._down) * strip
        needed = (np.minimum(tops + strip, height) - tops)[:, None] * row
        size = page.parent.filehandle.size
        if strip * row > size or (self._counts < needed).any():  # they are cut short, or left out
            return
        rows = max(1, min(strip, _PIECE // (row * self._planes)))
        if self._down > 1:  # all must be cut alike
            rows = next(n for n in range(rows, 0, -1) if strip % n == 0)
        tops = np.arange(0, height, rows)
        self._offsets = self._offsets[:, tops // strip] + (tops % strip * row)[:, None]
        counts = (np.minimum(tops + rows, height) - tops)[:, None] * row
        self._counts = np.broadcast_to(counts, self._offsets.shape)
        self._down, self.rows = len(tops), rows
        page.rowsperstrip = rows  # which `decode` goes by

    @property
    def memory(self) -> int:
        """Bytes held at the peak, beyond the pixels given."""
        pixels = self.rows * self._width
        held = pixels * self._samples * self._stored.itemsize * _HELD.get(self._page.compression, 2)
        if self._kind.converts:
            held += pixels * self._kind.layout.channels * self._kind.layout.dtype.itemsize
        return min(self._jobs, int(self._counts.size)) * (int(self._counts.max()) + held)

    def decode(self, first: int, out: Array) -> None:
        """Decode whole rows of segments, from one on, into pixels [n, width, channels]."""
        tasks = list(self._tasks(first, first + -(-len(out) // self.rows)))
        if self._jobs == 1 or len(tasks) == 1:
            for task in tasks:
                self._run(task, first, out)
            return
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self._jobs)
        futures = [self._pool.submit(self._run, task, first, out) for task in tasks]
        try:
            for future in futures:
                future.result()
        finally:
            for future in futures:
                future.cancel()

    def close(self) -> None:
        """End the threads."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def _tasks(self, first: int, last: int) -> Iterator[list[tuple[int, int, int]]]:
        """Give the places [plane, down, across] of segments, those together that are small."""
        pixels = self.rows * self._width * self._samples * self._stored.itemsize
        places = product(range(self._planes), range(first, last), range(self._across))
        while task := list(islice(places, max(1, _TASK // pixels))):
            yield task

    def _run(self, task: list[tuple[int, int, int]], first: int, out: Array) -> None:
        for place in task:
            plane, down, across = place
            top, left = (down - first) * self.rows, across * self._width
            pixels = out[top : top + self.rows, left : left + self._width]
            values = self._kind.convert(self._decoded(place, *pixels.shape[:2]), plane)
            pixels[:, :, plane : plane + values.shape[2]] = values

    def _decoded(self, place: tuple[int, int, int], height: int, width: int) -> Array:
        """Give what is stored of a segment within the image, [height, width, samples]."""
        size = int(self._counts[place])
        if not size:
            return np.full((height, width, self._samples), self._gap, self._stored)
        with self._lock:
            file = self._page.parent.filehandle
            file.seek(int(self._offsets[place]))
            data = file.read(size)
        if len(data) < size:
            raise EOFError("it is truncated")
        plane, down, across = place
        stored = self._decode(data, (plane * self._down + down) * self._across + across)
        whole = stored.shape[2] == self._width or self._page.compression in _BY_CODECS
        stored = stored[0, :height, :width]
        if not whole or stored.shape != (height, width, self._samples):
            raise ValueError(f"the strip or tile {place} does not hold all its pixels")
        if stored.dtype == np.bool_:
            stored = stored.view(np.uint8)
        if stored.dtype != self._stored:
            raise ValueError(f"the strip or tile {place} holds {stored.dtype} values")
        return stored

    def _decode(self, data: bytes, index: int) -> Array:
        """Give all that is in a segment, [1, rows, columns, samples]."""
        page = self._page
        if page.compression == _LERC:
            return _lerc(data)
        if page.compression in (_JPEG, _JPEG2000):
            stated = _stated_size(data, page.compression)
            if stated[0] > self.rows + _MARGIN or stated[1] > self._width + _MARGIN:
                raise ValueError(f"a strip or tile states that it has {stated} pixels")
        if page.compression == _LZW:
            tiff_lzw.check(imagecodecs.bitorder_decode(data) if page.fillorder == 2 else data)
        decoded = page.decode(data, index, jpegtables=page.jpegtables)[0]
        return cast("Array", decoded)


def _stated_size(data: bytes, compression: int) -> tuple[int, int]:
    """Give the height and width that a stream states, for which memory would be taken."""
    if compression == _JPEG:
        if not data.rstrip(b"\0\xff").endswith(b"\xff\xd9"):
            raise ValueError("a JPEG in it is truncated")  # of which grey rows would be given
        return jpeg_shape(data)[1:3]
    right, below, left, above = struct.unpack_from(">4I", data, data.index(b"\xffO\xffQ") + 8)
    return below - above, right - left


def _lerc(data: bytes) -> Array:
    """Decode LERC, which may leave pixels out: they are no numbers."""
    pixels, known = imagecodecs.lerc_decode(data, masks=True)
    if known is not None and not known.all():
        if pixels.dtype.kind != "f":
            raise ValueError("it leaves pixels out")
        pixels[~known] = np.nan
    values: Array = pixels.reshape(1, *pixels.shape[:2], -1)
    return values


def _check(offsets: Array, counts: Array, size: int) -> None:
    """Refuse segments that are not within the file."""
    if ((counts == 0) != (offsets == 0)).any():
        raise ValueError("a strip or tile has no bytes, or no place")
    beyond = (offsets > size) | (counts > size - offsets)
    if (offsets < 0).any() or (counts < 0).any() or beyond.any():
        raise EOFError(f"it is truncated: pixels are said to lie beyond its {size} bytes")


def _gap(page: TiffPage, dtype: np.dtype[Any]) -> Any:
    """Give the value of segments that are left out, as GDAL defines it."""
    try:
        value = float(page.tags.valueof(_NODATA, "0").replace(",", "."))
    except (AttributeError, ValueError):
        return 0
    if dtype.kind == "f":
        with np.errstate(over="ignore"):
            near = dtype.type(value)
        return near if np.isinf(near) == np.isinf(value) else 0
    limits = np.iinfo(dtype)
    return int(value) if value.is_integer() and limits.min <= value <= limits.max else 0
