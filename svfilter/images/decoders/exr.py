"""OpenEXR, row by row: the header is ours, OpenImageIO decodes."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from svfilter.errors import ImageReadError, SvfilterWarning
from svfilter.images.decoders.plain import read_exactly
from svfilter.images.decoders.scanlines import SLACK, RowDecoder
from svfilter.images.layout import Alpha, Colour, Layout, Storage
from svfilter.images.metadata import Metadata

if TYPE_CHECKING:
    import OpenImageIO

    from svfilter.kernels.base import Array

_MAGIC = b"\x76\x2f\x31\x01"
_DEEP, _PARTS = 0x800, 0x1000
_LONGEST_NAME = 256
_MOST_ATTRIBUTES = 2**16
_KINDS: dict[tuple[str, ...], tuple[Colour, Alpha]] = {
    ("Y",): ("grey", ""),
    ("Y", "A"): ("grey", "associated"),
    ("R", "G", "B"): ("rgb", ""),
    ("R", "G", "B", "A"): ("rgb", "associated"),
}
# By the number in the header, each with the rows that it packs together.
_COMPRESSIONS = (
    ("none", 1), ("rle", 1), ("zips", 1), ("zip", 16), ("piz", 32), ("pxr24", 16), ("b44", 32),
    ("b44a", 32), ("dwaa", 32), ("dwab", 256), ("htj2k256", 256), ("htj2k32", 32),
)  # fmt: skip
# How pixels are stored, which is said anew, and a thumbnail.
_STRUCTURE = {
    b"channels", b"chunkCount", b"compression", b"dataWindow", b"lineOrder", b"preview", b"tiles",
    b"type", b"version",
}  # fmt: skip

_Header = dict[bytes, tuple[bytes, bytes]]
"""Name -> type and value."""


class ExrDecoder(RowDecoder):
    """Halves and floats, in scanlines or tiles: the first part, at full size.

    The channels are grey or RGB, with associated alpha, if they are called so; else unnamed bands,
    whose names are an option of `storage`. Where some are halves and some floats, all are floats.
    What else the header says is in `metadata.native`: name, a zero and type; and the value.
    """

    kind = "openexr"

    def __init__(self, path: str) -> None:
        with Path(path).open("rb") as file:
            header, *others = _headers(file)
        if others:
            message = f"holds {1 + len(others)} parts; only the first is filtered and kept"
            warnings.warn(message, SvfilterWarning, stacklevel=2)
        left, top, right, bottom = struct.unpack("<4i", header[b"dataWindow"][1])
        height, width = bottom - top + 1, right - left + 1
        if height < 1 or width < 1:
            raise ValueError(f"its header states {width} x {height} pixels")
        channels = _channels(header)
        names = next((kind for kind in _KINDS if {*kind} == {*channels}), tuple(channels))
        colour, alpha = _KINDS.get(names, ("bands", ""))
        compression, together = _COMPRESSIONS[header[b"compression"][1][0]]
        options = {"compression": compression, "channels": names, "origin": (left, top)}
        self._tile = 0
        if b"tiles" in header:
            tile_width, self._tile, _ = struct.unpack("<IIB", header[b"tiles"][1])
            together = self._tile
            options["tile"] = (self._tile, tile_width)
        together = min(together, height)
        dtype = np.dtype("f4" if "f4" in channels.values() else "f2")
        layout = Layout(height, width, len(names), dtype, colour, alpha)
        super().__init__(path, layout, together=together)
        self.storage = Storage("exr", options)
        self.metadata = Metadata(
            native=tuple(
                (name + b"\0" + kind, value)
                for name, (kind, value) in header.items()
                if name not in _STRUCTURE
            )
        )
        self.memory = 3 * self.block * layout.row_bytes + SLACK

    def _opened(self, path: str) -> OpenImageIO.ImageInput:
        opened = super()._opened(path)
        found = opened.spec().channelnames
        self._order = [found.index(name) for name in self.storage.options["channels"]]
        return opened

    def _read(self, opened: OpenImageIO.ImageInput, start: int, stop: int) -> Array | None:
        if self._tile:
            rows = self._read_tiles(opened, start, stop)
        else:
            rows = super()._read(opened, start, stop)
        if rows is None or self._order == sorted(self._order):
            return rows
        return rows[..., self._order]

    def _read_tiles(self, opened: OpenImageIO.ImageInput, start: int, stop: int) -> Array | None:
        spec, layout = opened.spec_dimensions(0), self.layout
        first = start - start % self._tile
        last = min(-(-stop // self._tile) * self._tile, layout.height)
        rows = opened.read_tiles(
            spec.x, spec.x + layout.width, spec.y + first, spec.y + last, 0, 1,
            0, layout.channels, self._format,
        )  # fmt: skip
        return None if rows is None else rows[start - first : stop - first]


def _headers(file: BinaryIO) -> list[_Header]:
    """Read the headers of all parts.

    Raises:
        ImageReadError: it is deep.
        ValueError: it is damaged.
    """
    magic, flags = struct.unpack("<4sI", file.read(8))
    if magic != _MAGIC:
        raise ValueError("it does not begin as an OpenEXR file does")
    headers = []
    while header := dict(_attributes(file)):
        headers.append(header)
        if not flags & _PARTS:
            break
    kind = headers[0].get(b"type", (b"", b""))[1]
    if flags & _DEEP or kind.startswith(b"deep"):
        raise ImageReadError("holds deep pixels, of any number of samples each; flatten it first")
    return headers


def _attributes(file: BinaryIO) -> Iterator[tuple[bytes, tuple[bytes, bytes]]]:
    for _ in range(_MOST_ATTRIBUTES):
        name = _name(file)
        if not name:
            return
        kind = _name(file)
        (size,) = struct.unpack("<I", file.read(4))
        yield name, (kind, bytes(read_exactly(file, size)))
    raise ValueError(f"its header has more than {_MOST_ATTRIBUTES} attributes")


def _name(file: BinaryIO) -> bytes:
    """Read what stands before a zero."""
    data = file.read(_LONGEST_NAME)
    name, zero, after = data.partition(b"\0")
    if not zero:
        raise ValueError("a name in its header has no end")
    file.seek(-len(after), 1)
    return name


def _channels(header: _Header) -> dict[str, str]:
    """Give the types of the channels by name, in the file's order.

    Raises:
        ImageReadError: there are kinds that are not read.
    """
    channels: dict[str, str] = {}
    data = header[b"channels"][1]
    while data[:1] != b"\0":
        name, _, data = data.partition(b"\0")
        kind, across, down = struct.unpack_from("<I4xII", data)
        data = data[16:]
        if kind not in (1, 2):
            raise ImageReadError(
                f"holds 32-bit integers in its channel {name.decode()}; only halves and floats "
                "are read. Convert that channel or leave it out"
            )
        if (across, down) != (1, 1):
            raise ImageReadError(
                f"holds fewer samples in its channel {name.decode()} than it has pixels; convert "
                "it to RGB"
            )
        channels[name.decode()] = "f2" if kind == 1 else "f4"
    if not channels:
        raise ValueError("it has no channels")
    return channels
