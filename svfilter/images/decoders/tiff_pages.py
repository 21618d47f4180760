"""The directories of a TIFF file, looked at before anything of them is trusted."""

from __future__ import annotations

import struct
from collections.abc import Collection
from dataclasses import dataclass
from mmap import mmap
from typing import NamedTuple

from svfilter.images.metadata.directory import SIZES, Entry
from svfilter.images.metadata.tiff import STRUCTURE

_SUBFILE, _OLD_SUBFILE, _SUB_DIRECTORIES = 254, 255, 330
_REDUCED, _MASK = 1, 4
_OLD_REDUCED = 2
_MOST_ENTRIES = 4096
"""In a directory; tifffile takes no more."""
_LARGEST_VALUE = 2**26
"""Bytes of a value: 64 MB, or 8 million strips."""
_LOADED = {270, 282, 283, 305, 42113, *STRUCTURE}
"""Tags that tifffile reads as soon as it comes to them."""


class Record(NamedTuple):
    """An entry of a directory, as it stands there."""

    tag: int
    kind: int
    values: int
    field: bytes
    """The value, or where it is."""

    @property
    def length(self) -> int:
        """Bytes of the value."""
        return SIZES.get(self.kind, 0) * self.values


@dataclass(frozen=True)
class Directory:
    """One in the chain of directories."""

    number: int
    """In the chain, from 0."""
    offset: int
    records: tuple[Record, ...]
    first_value: int
    """Where the field of the first entry is."""


class Chain:
    """All directories of a file, and which of them are pages: full images.

    Args:
        block: the file.

    Raises:
        ValueError: it is no TIFF, the chain leads out of the file, or it has no end.
    """

    def __init__(self, block: mmap) -> None:
        self.block = block
        forms = {b"II*\0": ("<", 4), b"MM\0*": (">", 4), b"II+\0": ("<", 8), b"MM\0+": (">", 8)}
        if block[:4] not in forms:
            raise ValueError(f"it begins with {block[:4]!r}")
        self.order, self._size = forms[block[:4]]
        self.big = self._size == 8
        self._pointer = struct.Struct(self.order + "IQ"[self.big])
        self._head = struct.Struct(self.order + "HQ"[self.big])
        self._record = struct.Struct(self.order + ("HHQ8s" if self.big else "HHI4s"))
        self.pages: list[Directory] = []
        self.copies = 0
        """How many smaller images and masks there are beside the pages."""
        self._walk()

    def _walk(self) -> None:
        (offset,) = self._pointer.unpack_from(self.block, self._size)
        seen: set[int] = set()
        first = None
        while offset:
            if offset in seen:
                raise ValueError("its directories follow one another in a circle")
            directory, following = self._directory(len(seen), offset)
            seen.add(offset)
            first = first or directory
            numbers = {r.tag: self._number(r) for r in directory.records}
            if (
                numbers.get(_SUBFILE, 0) & (_REDUCED | _MASK)
                or numbers.get(_OLD_SUBFILE) == _OLD_REDUCED
            ):
                self.copies += 1
            else:
                self.pages.append(directory)
            self.copies += sum(r.values for r in directory.records if r.tag == _SUB_DIRECTORIES)
            offset = following
        if not self.pages and first and len(seen) == self.copies:  # and none in sub-directories
            self.pages.append(first)
            self.copies -= 1

    def _directory(self, number: int, offset: int) -> tuple[Directory, int]:
        (count,) = self._head.unpack_from(self.block, offset)
        if not 0 < count <= _MOST_ENTRIES:
            raise ValueError(f"a directory has {count} entries")
        start = offset + self._head.size
        stop = start + count * self._record.size
        records = tuple(map(Record._make, self._record.iter_unpack(self.block[start:stop])))
        if len(records) < count:
            raise ValueError("a directory reaches beyond the end")
        if any(r.tag in _LOADED and r.length > _LARGEST_VALUE for r in records):
            raise ValueError("a directory holds a value of more than 64 MB")
        (following,) = self._pointer.unpack_from(self.block, stop)
        field = start + self._record.size - self._size
        return Directory(number, offset, records, field), following

    def _number(self, record: Record) -> int:
        """Give a single small integer; 0 if it is none."""
        if record.kind not in (3, 4) or record.values != 1:
            return 0
        form = self.order + {3: "H", 4: "I"}[record.kind]
        return int(struct.unpack_from(form, record.field)[0])

    def entries(self, page: Directory, without: Collection[int]) -> tuple[list[Entry], set[int]]:
        """Give a page's entries but for some tags, and the tags that cannot be read."""
        entries: dict[int, Entry] = {}
        damaged = set()
        for number, record in enumerate(page.records):
            if record.tag in without or record.tag in entries:
                continue
            place = page.first_value + number * self._record.size
            if record.length > self._size:
                (place,) = self._pointer.unpack(record.field)
            outside = place + record.length > len(self.block)
            if record.kind not in SIZES or outside or record.length > _LARGEST_VALUE:
                damaged.add(record.tag)
                continue
            data = self.block[place : place + record.length]
            entries[record.tag] = Entry(record.tag, record.kind, record.values, data, place)
        return list(entries.values()), damaged
