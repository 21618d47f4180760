"""The chunks that a PNG is made of, checked."""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Iterator
from typing import BinaryIO

from svfilter.errors import SvfilterWarning

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CRITICAL = {b"IHDR", b"PLTE", b"IDAT", b"IEND"}
"""What all who read PNG know."""


def walk(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """Give names and data of chunks, without the pixels' data, until the end or a cut."""
    size = file.seek(0, 2)
    file.seek(0)
    if file.read(8) != SIGNATURE:
        raise ValueError("it does not begin as a PNG does")
    at = 8
    while at + 12 <= size:
        length, name = struct.unpack(">I4s", file.read(8))
        at += 12 + length
        if name == b"IDAT":
            _check_pixels(file, length)
            yield name, b""
            continue
        if at > size or not name.isalpha():
            return
        if name == b"fdAT":
            file.seek(at)
            yield name, b""
            continue
        data = file.read(length)
        if int.from_bytes(file.read(4), "big") == zlib.crc32(data, zlib.crc32(name)):
            yield name, data
        elif name in CRITICAL or name == b"tRNS":
            raise ValueError(f"its chunk {name!r} is damaged")
        else:
            message = f"its chunk {name.decode()} has a wrong checksum and is left out"
            warnings.warn(message, SvfilterWarning, stacklevel=2)
        if name == b"IEND":
            return


def _check_pixels(file: BinaryIO, length: int) -> None:
    """Check a chunk of pixels: here, and not by libpng, which would print what it finds."""
    checksum = zlib.crc32(b"IDAT")
    while length:
        data = file.read(min(length, 2**20))
        if not data:
            raise ValueError(f"it is cut, {length} bytes before the end of a part of its pixels")
        checksum = zlib.crc32(data, checksum)
        length -= len(data)
    if int.from_bytes(file.read(4), "big") != checksum:
        raise ValueError("a part of its pixels has a wrong checksum")
