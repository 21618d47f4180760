"""Where a file's fields are, and where its pixels end: as far as damage needs to know."""

from __future__ import annotations

import io
import re
import struct
import zlib
from collections.abc import Iterator

import tifffile

PNG = b"\x89PNG\r\n\x1a\n"
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


def places(data: bytes) -> tuple[int, ...]:
    """Give where fields begin."""
    if data.startswith(PNG):
        found = [at + step for at, _, _ in png_chunks(data) for step in (0, 4, 8, 12, 16)]
    elif data.startswith(b"\xff\xd8"):
        segments = re.finditer(rb"\xff[\xc0-\xfe]", data)
        found = [match.start() + step for match in segments for step in (0, 1, 2, 4, 6, 10)]
    elif data.startswith(_TIFF):
        found = list(_tiff_places(data))
    else:
        found = list(range(min(len(data), 64)))
        found += [match.start() - step for match in re.finditer(rb"[A-Za-z]{4}", data)
                  for step in (4, 0, -4, -8)]  # fmt: skip
    return tuple(sorted({at for at in found if 0 <= at < len(data)}))


def png_chunks(data: bytes) -> Iterator[tuple[int, bytes, bytes]]:
    """Give places, names and data of a PNG's chunks."""
    at = len(PNG)
    while at + 12 <= len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        yield at, name, data[at + 8 : at + 8 + length]
        at += 12 + length


def mended(data: bytes) -> bytes:
    """Give a PNG with the right checksums."""
    parts = [data[: len(PNG)]]
    at = len(PNG)
    for at, name, held in png_chunks(data):
        parts.append(data[at : at + 8] + held + struct.pack(">I", zlib.crc32(name + held)))
        at += 12 + len(held)  # noqa: PLW2901  (of what is behind the last one)
    return b"".join((*parts, data[at:]))


def _tiff_places(data: bytes) -> Iterator[int]:
    order = "<" if data[:2] == b"II" else ">"
    big = 43 in data[2:4]
    pointer = order + ("Q" if big else "I")
    count_of, size = (order + "Q", 20) if big else (order + "H", 12)
    at = 8 if big else 4
    yield from range(at + struct.calcsize(pointer))
    seen = set()
    while at + 8 <= len(data) and at not in seen:
        seen.add(at)
        (place,) = struct.unpack_from(pointer, data, at)
        if not 0 < place < len(data) - 8:
            return
        (count,) = struct.unpack_from(count_of, data, place)
        first = place + struct.calcsize(count_of)
        yield place
        for entry in range(first, first + count * size, size):
            yield from (entry, entry + 2, entry + 4, entry + size - (size - 4) // 2)
            (value,) = struct.unpack_from(pointer, data, entry + size - struct.calcsize(pointer))
            yield from (value, value + 2, value + 8)
        at = first + count * size
        yield at


def ends_of(data: bytes) -> int:
    """Give the bytes from the start without which pixels would be missing; 0: not known.

    What need not be there is not counted: checksums, marks of the end, padding.
    """
    if data.startswith(PNG):
        ends = [at + 8 + len(held) for at, name, held in png_chunks(data) if name == b"IDAT"]
        return ends[-1] - 8
    if data.startswith(b"\xff\xd8"):
        return data.rfind(b"\xff\xd9") - 3
    if data.startswith(_TIFF):
        with tifffile.TiffFile(io.BytesIO(data)) as file:
            ends = [
                offset + count
                for page in file.pages
                if not page.is_reduced
                for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True)
            ]
        return max(ends) - 9
    return _end_of_plain(data)


def _end_of_plain(data: bytes) -> int:
    if data[:2] in (b"P1", b"P2", b"P3"):
        return len(data.rstrip().rstrip(b"0123456789")) + 1  # nobody sees a digit that is cut
    if data.startswith((b"P4", b"P5", b"P6", b"P7", b"Pf", b"PF", b"\x93NUMPY")):
        return len(data)
    if data.startswith(b"BM"):
        return len(data) - 3
    if data.startswith(b"RIFF"):
        return data.rfind(b"EXIF") % (len(data) + 1) - 16
    if data.startswith((b"GIF8", b"\x76\x2f\x31\x01")):
        return len(data) - 8
    return 0
