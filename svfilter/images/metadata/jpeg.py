"""JPEG's segments before the pixels, read and written."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from svfilter.images.metadata import Metadata, application

_SOI, _EOI, _SOS, _DQT, _COM = 0xD8, 0xD9, 0xDA, 0xDB, 0xFE
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_SAYING = {*range(0xE0, 0xF0), _COM}
_CODING = {0xC4, 0xCC, 0xDC, 0xDD}  # Huffman's and arithmetic tables, a late height, restarts
_BARE = {0x01, *range(0xD0, 0xD8)}  # which no data follows
_MOST_SEGMENTS = 2**16


@dataclass(frozen=True)
class JpegHeader:
    """What a JPEG says before its pixels."""

    width: int
    height: int
    components: int
    precision: int
    """Bits of a component."""
    frame: int
    """The marker of the frame, 0xC0 to 0xCF, which is the kind of coding."""
    sampling: tuple[tuple[int, int], ...]
    """Of each component, its samples across and down in a block of those of all."""
    tables: tuple[list[int], ...]
    """The quantisation tables that components use, in zigzag order, by the number they have in
    the file; none if not all of them stand before the pixels."""
    table_of: tuple[int, ...]
    """For each component, which of `tables` it uses."""
    adobe_transform: int | None
    """What Adobe's segment says: 0 the components are as meant, 1 YCbCr, 2 YCCK."""
    pictures: int
    """How many more pictures hang behind this one, such as a gain map or a preview."""
    metadata: Metadata
    orientation: int

    @property
    def progressive(self) -> bool:
        """Whether each scan refines the whole picture."""
        return self.frame & 3 == 2

    @property
    def arithmetic(self) -> bool:
        """Whether it is coded arithmetically, not by Huffman."""
        return self.frame > 0xC8

    @property
    def lossless(self) -> bool:
        """Whether it is of the old lossless kind."""
        return self.frame & 3 == 3

    @property
    def hierarchical(self) -> bool:
        """Whether it is a pyramid of pictures."""
        return self.frame & 7 > 4


def read(file: BinaryIO) -> JpegHeader:
    """Read what stands before the pixels.

    Raises:
        ValueError: it is damaged.
        struct.error: the same.
    """
    frames: list[tuple[int, bytes]] = []
    saying: list[tuple[int, bytes]] = []
    tables: dict[int, list[int]] = {}
    for marker, data in walk(file):
        if marker in _FRAMES:
            frames.append((marker, data))
        elif marker in _SAYING:
            saying.append((marker, data))
        elif marker == _DQT:
            tables |= _tables(data)
        elif marker not in _CODING:
            raise ValueError(f"it has an unknown marker {marker:#x}")
    if len(frames) != 1:
        raise ValueError(f"it has {len(frames)} frames")
    ((frame, data),) = frames
    precision, height, width, count = struct.unpack_from(">BHHB", data)
    components = [struct.unpack_from("BBB", data, at) for at in range(6, 6 + 3 * count, 3)]
    sampling = tuple((both >> 4, both & 15) for _, both, _ in components)
    if not (width and height and count and all(1 <= n <= 4 for pair in sampling for n in pair)):
        raise ValueError(f"it states {width} x {height} pixels of {count} components, {sampling}")
    used = sorted({table for *_, table in components})
    said = application.read(saying)
    return JpegHeader(
        width=width,
        height=height,
        components=count,
        precision=precision,
        frame=frame,
        sampling=sampling,
        tables=tuple(tables[n] for n in used) if tables.keys() >= set(used) else (),
        table_of=tuple(used.index(table) for *_, table in components),
        adobe_transform=said.adobe_transform,
        pictures=said.pictures,
        metadata=said.metadata,
        orientation=said.orientation,
    )


def segments(metadata: Metadata, *, native: bool) -> bytes:
    """Give the segments that hold an image's metadata, JFIF's first, to stand behind SOI.

    What is too large for them is left out with a warning.

    Args:
        metadata: what to write.
        native: whether its native part is a JPEG's.
    """
    return b"".join(
        struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data
        for marker, data in application.write(metadata, native=native)
    )


def walk(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    """Give markers and data of the segments before the first scan."""
    file.seek(0)
    if file.read(2) != bytes((0xFF, _SOI)):
        raise ValueError("it does not begin as a JPEG does")
    for _ in range(_MOST_SEGMENTS):
        marker = _next_marker(file)
        if marker == _SOS:
            return
        if marker in (_SOI, _EOI):
            raise ValueError("it ends before its pixels")
        if marker not in _BARE:
            (length,) = struct.unpack(">H", file.read(2))
            data = file.read(max(length - 2, 0))
            if len(data) != length - 2:
                raise ValueError("a segment is cut")
            yield marker, data
    raise ValueError(f"it has more than {_MOST_SEGMENTS} segments")


def _next_marker(file: BinaryIO) -> int:
    """Find the next marker, past whatever is none, as libjpeg does."""
    while len(block := file.read(512)) > 1:
        if found := re.search(rb"\xff([^\0\xff])", block):
            file.seek(found.end() - len(block), 1)
            return found[1][0]
        file.seek(-block.endswith(b"\xff"), 1)
    raise ValueError("it is cut before its pixels")


def _tables(data: bytes) -> dict[int, list[int]]:
    tables = {}
    at = 0
    while at < len(data):
        kind = struct.Struct(">64H" if data[at] >> 4 else ">64B")
        tables[data[at] & 15] = list(kind.unpack_from(data, at + 1))
        at += 1 + kind.size
    return tables
