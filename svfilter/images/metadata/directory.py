"""TIFF directories in memory: the structure of EXIF, of MPF and of TIFF files themselves."""

from __future__ import annotations

import struct
from array import array
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from mmap import mmap

SIZES = {
    1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4,
    16: 8, 17: 8, 18: 8,
}  # fmt: skip
"""Bytes of a value of each kind; BigTIFF has the last three as well."""

_MOST_ENTRIES = 2**16

# What is turned when the byte order is: rationals are pairs.
_WORDS = {3: "H", 8: "H", 4: "I", 5: "I", 9: "I", 10: "I", 11: "I", 13: "I"} | dict.fromkeys(
    (12, 16, 17, 18), "Q"
)

Fields: TypeAlias = "Sequence[tuple[int, int, int, bytes | Fields]]"
"""Tag, kind, count and value of entries to write; fields for a value are a directory."""


@dataclass(frozen=True)
class Entry:
    """One entry of a directory."""

    tag: int
    kind: int
    """A key of SIZES."""
    count: int
    data: bytes
    """The value, in the block's byte order."""
    place: int
    """Where in the block the value stands."""


class _Form(NamedTuple):
    head: struct.Struct
    record: struct.Struct
    pointer: struct.Struct


def _form(order: str, big: bool) -> _Form:
    formats = ("Q", "HHQ8s", "Q") if big else ("H", "HHI4s", "I")
    return _Form(*(struct.Struct(order + format) for format in formats))


def read_directory(
    block: bytes | mmap, offset: int, order: str, *, big: bool = False, strict: bool = True
) -> tuple[list[Entry], int]:
    """Give the entries of the directory at an offset, and the offset of the one that follows it.

    Args:
        block: offsets count from its start.
        offset: where the directory begins.
        order: "<" or ">".
        big: whether it is one of BigTIFF.
        strict: whether to refuse what cannot be understood; else an entry of an unknown kind or
            with a value outside the block is left out, and a senseless following offset is 0.

    Raises:
        ValueError: the directory or, if strict, anything in it lies outside the block; or it
            has so many entries, or values that overlap, that they would fill the memory.
    """
    form = _form(order, big)
    if not 0 < offset <= len(block) - form.head.size:
        raise ValueError(f"a directory at {offset} lies outside the {len(block)} bytes")
    table = offset + form.head.size
    (count,) = form.head.unpack_from(block, offset)
    end = table + count * form.record.size
    if count > _MOST_ENTRIES:
        raise ValueError(f"a directory has {count} entries, more than there are tags")
    if end + form.pointer.size * strict > len(block):
        raise ValueError(f"a directory of {count} entries reaches beyond the {len(block)} bytes")
    entries, total = [], 0
    for at in range(table, end, form.record.size):
        entry = _read_entry(block, at, form, strict)
        if entry is not None:
            entries.append(entry)
            total += len(entry.data)
            if total > len(block):
                raise ValueError("the values of a directory overlap")
    following = 0
    if end + form.pointer.size <= len(block):
        (following,) = form.pointer.unpack_from(block, end)
    if following >= len(block):
        if strict:
            raise ValueError(f"a directory at {following} lies outside the {len(block)} bytes")
        following = 0
    return entries, following


def _read_entry(block: bytes | mmap, at: int, form: _Form, strict: bool) -> Entry | None:
    tag, kind, count, field = form.record.unpack_from(block, at)
    length = SIZES.get(kind, 0) * count
    place = at + form.record.size - form.pointer.size
    if length > form.pointer.size:
        (place,) = form.pointer.unpack(field)
    if kind in SIZES and place + length <= len(block):
        return Entry(tag, kind, count, bytes(block[place : place + length]), place)
    if strict:
        raise ValueError(f"the value of tag {tag} is of kind {kind} or lies outside the block")
    return None


def write_directory(
    fields: Fields, offset: int, order: str, *, following: int = 0, big: bool = False
) -> bytes:
    """Give the bytes of a directory that will stand at an offset, its values behind it.

    Args:
        fields: tag, kind, count and value, in any order. A value is bytes in the byte order
            `order`, or fields in their turn, which become a directory behind this one: of such
            an entry the kind is an offset's, 4 or 13, or 16 or 18 if big, and the count 1.
        offset: an even one.
        order: "<" or ">".
        following: the offset of the next directory.
        big: whether to write one of BigTIFF.

    Raises:
        ValueError: a value is not as long as its kind and count say, or the offset is odd.
        struct.error: an offset is too large for a directory that is not a big one.
    """
    form = _form(order, big)
    if offset % 2:
        raise ValueError(f"a directory must begin at an even offset, not at {offset}")
    pieces = [form.head.pack(len(fields))]
    behind = []
    end = offset + form.head.size + len(fields) * form.record.size + form.pointer.size
    for tag, kind, count, value in sorted(fields, key=lambda field: field[0]):
        if isinstance(value, bytes):
            data = field = value
        else:
            data, field = write_directory(value, end, order, big=big), form.pointer.pack(end)
        if SIZES[kind] * count != len(field):
            raise ValueError(f"the value of tag {tag} is not as long as its kind and count say")
        if len(field) > form.pointer.size:
            field = form.pointer.pack(end)
        elif data is field:
            data = b""
        pieces.append(form.record.pack(tag, kind, count, field))
        behind.append(data + b"\0" * (len(data) % 2))
        end += len(behind[-1])
    return b"".join((*pieces, form.pointer.pack(following), *behind))


def swap(kind: int, data: bytes) -> bytes:
    """Give a value in the other byte order.

    Raises:
        ValueError: it is not a whole number of words.
    """
    if kind not in _WORDS:
        return data
    words = array(_WORDS[kind])
    words.frombytes(data)
    words.byteswap()
    return words.tobytes()
