"""An image of which windows are read from top to bottom, while a thread decodes what follows."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

from svfilter.errors import ImageReadError
from svfilter.images.opening import decoding, open_decoder
from svfilter.images.sources import Source
from svfilter.images.values import to_float
from svfilter.relay import Ahead
from svfilter.tiles import Window

if TYPE_CHECKING:
    from types import TracebackType

    from svfilter.images.decoders.base import Decoder
    from svfilter.kernels.base import Array

_AHEAD = 2**23
"""Bytes decoded ahead of who reads, until more is asked for."""
_BLOCK = 2**20
"""Bytes decoded at a time, or as many rows as belong together."""


class ImageReader:
    """An image, upright. Windows are read from top to bottom, by any thread; rows may be let go.

    A thread decodes ahead, from the first window that is read, or `begin`, on. With a decoder that
    gives rows in any order, windows far from the others may be read too.
    """

    def __init__(self, name: str, decoder: Decoder, opened: ExitStack) -> None:
        self.name = name
        self.layout = decoder.layout
        self.metadata = decoder.metadata
        self.storage = decoder.storage
        self.pages = decoder.pages
        self._decoder = decoder
        self._opened = opened
        self._alone = threading.Lock()  # who asks the decoder,
        self._looking = threading.Lock()  # and who looks at what it gave
        self._blocks: deque[tuple[int, Array]] = deque()  # first row, rows
        self._end = 0
        self._ahead: Ahead[Array] | None = None
        self._step = block_rows(decoder)

    @property
    def height(self) -> int:
        """Rows."""
        return self.layout.height

    @property
    def width(self) -> int:
        """Columns."""
        return self.layout.width

    @property
    def whole(self) -> Window:
        """The window of all pixels."""
        return Window(0, 0, self.height, self.width)

    @property
    def block_bytes(self) -> int:
        """Bytes that are decoded at a time."""
        return self._step * self.layout.row_bytes

    @property
    def decoder_bytes(self) -> int:
        """Bytes that the decoder holds."""
        return self._decoder.memory

    def begin(self, ahead: int = _AHEAD) -> None:
        """Let the thread decode, as many bytes ahead as are given."""
        most = max(ahead // self.block_bytes, 1)
        if self._ahead is None:
            self._ahead = Ahead(self._decoded(), most)
        self._ahead.most = most

    def _decoded(self) -> Iterator[Array]:
        for start in range(0, self.height, self._step):
            yield self._rows(start, min(start + self._step, self.height))

    def _rows(self, start: int, stop: int) -> Array:
        with self._alone, decoding(self.name):
            rows = self._decoder.rows(start, stop)
            layout = self.layout
            if rows.shape != (stop - start, layout.width, layout.channels):
                raise ImageReadError(f"its decoder gave rows of shape {rows.shape}")
            return rows

    def read(self, window: Window) -> Array:
        """Give a window's pixels, [C, h, w] float32: integers as shares of their largest value."""
        import numpy as np

        out = np.empty((self.layout.channels, window.height, window.width), np.float32)
        for row, piece in self._pieces(window):
            with decoding(self.name):
                to_float(piece, out=out[:, row : row + len(piece)])
        return out

    def stored(self, window: Window) -> Array:
        """Give a window's pixels as stored, [h, w, C]."""
        import numpy as np

        return np.concatenate([piece for _, piece in self._pieces(window)])

    def _pieces(self, window: Window) -> list[tuple[int, Array]]:
        """Give the parts of a window that were decoded together, and where in it they begin."""
        first, stop = window.row_off, window.row_off + window.height
        with self._looking:
            top = self._blocks[0][0] if self._blocks else self._end
            if self._decoder.in_order or top <= first <= self._end:
                while self._end < stop:
                    self._take()
                assert first >= self._blocks[0][0], "rows were let go that are still needed"
                return [
                    (a - first, rows[a - start : b - start, window.cols])
                    for start, rows in self._blocks
                    if (a := max(first, start)) < (b := min(stop, start + len(rows)))
                ]
        return [(0, self._rows(first, stop)[:, window.cols])]

    def _take(self) -> None:
        if self._ahead is None:
            self.begin()
        assert self._ahead is not None
        rows = self._ahead.take()
        assert rows is not None
        self._blocks.append((self._end, rows))
        self._end += len(rows)

    def let_go(self, row: int) -> None:
        """Forget the rows above one: no window will touch them."""
        with self._looking:
            while self._blocks and self._blocks[0][0] + len(self._blocks[0][1]) <= row:
                self._blocks.popleft()

    def close(self) -> None:
        """Stop the thread and close the file."""
        if self._ahead is not None:
            self._ahead.stop()
        self._blocks.clear()
        self._opened.close()

    def __enter__(self) -> ImageReader:
        """Begin."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close."""
        self.close()


def open_image(
    source: str | Source,
    *,
    page: int = 0,
    any_order: bool = False,
    jobs: int = 1,
    max_pixels: int | None = None,
    memory: int | None = None,
) -> ImageReader:
    """Open an image from a file, or from stdin for "-"; its content tells its format.

    Args:
        source: a file's name or "-"; or a source, which the caller closes after the image.
        page: which of the images in it, from 0.
        any_order: whether windows will be read in another order than from top to bottom.
        jobs: threads for decoding.
        max_pixels: how large the image may be; default: any, unless it looks like a bomb.
        memory: bytes that a decoder may hold; default: any number. An image that must be turned
            upright, or is read in any order, goes to a temporary file where it would take more.

    Raises:
        ImageReadError: there is no such image, it is damaged or too large, or it could only be
            decoded with a loss.
    """
    with ExitStack() as opened:
        if isinstance(source, str):
            source = opened.enter_context(Source(source))
        decoder = open_decoder(source, page=page, jobs=jobs, max_pixels=max_pixels)
        opened.callback(decoder.close)
        needed = decoder.memory + 2 * block_rows(decoder) * decoder.layout.row_bytes
        if memory is not None and needed > memory:
            raise ImageReadError(
                f"{source.name}: to decode its {decoder.layout.width} x {decoder.layout.height} "
                f"pixels as they are stored takes {_size(needed)} of memory, but "
                f"{_size(max(memory, 0))} are left of --memory; raise it by "
                f"{_size(needed - memory)}, or convert the file to one that can be read in "
                "smaller parts, such as tiled TIFF"
            )
        if decoder.orientation != 1 or (any_order and decoder.in_order):
            from svfilter.images.decoders.held import Held

            whole = decoder.layout.height * decoder.layout.row_bytes
            decoder = Held(decoder, on_disk=memory is not None and decoder.memory + whole > memory)
            opened.callback(decoder.close)
        return ImageReader(source.name, decoder, opened.pop_all())


def block_rows(decoder: Decoder) -> int:
    """Give how many rows are decoded at a time."""
    layout = decoder.layout
    rows = max(_BLOCK // (layout.row_bytes * decoder.block), 1) * decoder.block
    return min(rows, layout.height)


def _size(count: int) -> str:
    return f"{math.ceil(count / 2**20)}M"
