"""A TIFF page's tags taken apart into what every format can carry, and joined again."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Collection
from fractions import Fraction
from typing import TYPE_CHECKING, Literal, TypeAlias

from svfilter.errors import SvfilterWarning
from svfilter.images.metadata import Metadata, exif, photoshop
from svfilter.images.metadata.directory import (
    SIZES,
    Entry,
    Fields,
    read_directory,
    swap,
    write_directory,
)

if TYPE_CHECKING:
    from mmap import mmap

Field: TypeAlias = "tuple[int, int, int, bytes | Fields]"

STRUCTURE = {
    *range(254, 260), *range(262, 267), 273, *range(277, 282), 284, *range(288, 294), 297, 317,
    *range(320, 331), 338, 339, 340, 341, *range(342, 348), *range(512, 533), 32997, 32998,
    34412, *range(33628, 33632), 50674, 65426, 65432,
}  # fmt: skip
"""How a file stores its pixels and where; some makers have said it in tags of their own."""
OLD_PIXELS = {37724}
"""Photoshop's layers: they show the picture as it was."""
INKS = {332, 333, 334, 336, 337}
"""What the channels of separations are printed with."""
SEPARATED = 5

# What readers of EXIF know of the first directory, from the document's name to Windows' titles.
_DESCRIPTIVE = {
    269, 270, 271, 272, 285, 305, 306, 315, 316, 318, 319, 18246, 18249, 33432, 36867, 36868,
    36880, 36881, 36882, 37510, *range(40091, 40096), 50341,
}  # fmt: skip
_EXIF, _GPS, _INTEROP = 34665, 34853, 40965
_INSIDE: dict[int, tuple[int, ...]] = {0: (_EXIF, _GPS), _EXIF: (_INTEROP,), _GPS: (), _INTEROP: ()}
"""The directories in a directory; 0 is the page's own."""
_ORIENTATION = 274
_X, _Y, _UNIT = 282, 283, 296
_CM = 3
_XMP, _IPTC, _PHOTOSHOP, _ICC = 700, 33723, 34377, 34675

_POINTERS = (13, 18)
"""Kinds that say where a directory is; what is there is not known, and does not move along."""
_NARROW = {16: 4, 17: 9, 18: 13}
_INTEGERS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i", 13: "I", 16: "Q", 17: "q", 18: "Q"}
_FLOATS = {11: "f", 12: "d"}


def integers(entry: Entry, order: str) -> tuple[int, ...]:
    """Give the values of an entry; none if they are no integers."""
    if entry.kind not in _INTEGERS:
        return ()
    return struct.unpack(f"{order}{entry.count}{_INTEGERS[entry.kind]}", entry.data)


def split(
    entries: list[Entry], block: bytes | mmap, order: str, *, big: bool
) -> tuple[Metadata, int]:
    """Give what a page's entries say beside its pixels, and its orientation.

    What is damaged is left out with a warning.

    Args:
        entries: those of the page's directory.
        block: the file, in which its further directories are.
        order: its byte order.
        big: whether it is a BigTIFF.
    """
    found = {entry.tag: entry for entry in reversed(entries)}
    data = {tag: entry.data for tag, entry in found.items()}
    resources, iptc = _resources(data)
    about = [entry for tag, entry in found.items() if tag in _DESCRIPTIVE or tag in _INSIDE[0]]
    described = _fields(about, block, order, big, _INSIDE[0])
    before = next(iter(integers(found[_ORIENTATION], order)), 1) if _ORIENTATION in found else 1
    before = before if 1 <= before <= 8 else 1
    stated = (_ORIENTATION, 3, 1, struct.pack(order + "H", before))
    turned, xmp, _ = exif.carried(
        _block([*described, stated], order), data.get(_XMP, b"").rstrip(b"\0") or None
    )
    if _ORIENTATION not in found:
        turned = _block(described, order)
    dpi = _dpi(found, order)
    metadata = Metadata(
        icc_profile=data.get(_ICC) or None,
        exif=turned if described else None,
        xmp=xmp,
        iptc=data.get(_IPTC) or iptc,
        photoshop=resources,
        dpi=dpi[::-1] if dpi and before > 4 else dpi,
        tags=tuple(_others(found, order)),
    )
    return metadata, before


def join(metadata: Metadata, order: str, *, big: bool) -> list[Field]:
    """Give the fields of a page that say what metadata do."""
    fields: dict[int, Field] = {}
    for tag, kind, count, value, _ in metadata.tags:
        if kind not in _NARROW or big:
            fields[tag] = (tag, kind, count, swap(kind, value) if order == ">" else value)
        else:
            _warn(f"tag {tag} holds 64-bit integers, which only a BigTIFF can; it is left out")
    if metadata.exif:
        fields |= {field[0]: field for field in _from_exif(metadata.exif, order, big)}
    iptc = metadata.iptc or b""
    iptc += bytes(-len(iptc) % 4)  # as LONG, because Photoshop does and some read nothing else
    plain = {
        _ICC: (7, metadata.icc_profile),
        _XMP: (1, metadata.xmp),
        _IPTC: (4, iptc),
        _PHOTOSHOP: (1, metadata.photoshop),
    }
    for tag, (kind, data) in plain.items():
        if data:
            fields[tag] = (tag, kind, len(data) // SIZES[kind], data)
    if metadata.dpi:
        for tag, density in zip((_X, _Y), metadata.dpi, strict=True):
            largest = min(10**6, int((2**32 - 1) / max(density, 1)))
            exact = Fraction(density).limit_denominator(largest)
            value = struct.pack(order + "II", exact.numerator, exact.denominator)
            fields[tag] = (tag, 5, 1, value)
        fields[_UNIT] = (_UNIT, 3, 1, struct.pack(order + "H", 2))
    return [field for tag, field in fields.items() if tag not in STRUCTURE | OLD_PIXELS]


def exif_order(metadata: Metadata) -> Literal["<", ">"]:
    """Give the byte order of the EXIF: what is of bytes in it may follow the same."""
    return ">" if (metadata.exif or b"").startswith(b"MM") else "<"


def _warn(message: str) -> None:
    warnings.warn(message, SvfilterWarning, stacklevel=4)


def _resources(data: dict[int, bytes]) -> tuple[bytes | None, bytes | None]:
    """Give Photoshop's resources, and the IPTC among them."""
    try:
        iptc, others = photoshop.split(data.get(_PHOTOSHOP, b""))
    except (ValueError, struct.error) as error:
        _warn(f"the Photoshop resources are damaged and are left out: {error}")
        return None, None
    return others, iptc


def _fields(
    entries: list[Entry], block: bytes | mmap, order: str, big: bool, inside: Collection[int]
) -> list[Field]:
    """Give entries as fields that a classic TIFF can hold, in the block's byte order.

    Args:
        entries: those of a directory.
        block: offsets count from its start.
        order: its byte order.
        big: whether it is a BigTIFF.
        inside: the tags of directories that may be inside this one.
    """
    fields: dict[int, Field] = {}
    for entry in entries:
        kind, count, value = entry.kind, entry.count, _narrow(entry, order)
        if entry.tag in inside:
            directory = _directory(entry, block, order, big)
            if directory:
                fields.setdefault(entry.tag, (entry.tag, 4, 1, directory))
        elif value is None:
            _warn(f"tag {entry.tag} holds 64-bit integers, which EXIF cannot; it is left out")
        elif kind not in _POINTERS:
            fields.setdefault(entry.tag, (entry.tag, _NARROW.get(kind, kind), count, value))
    return list(fields.values())


def _directory(entry: Entry, block: bytes | mmap, order: str, big: bool) -> list[Field]:
    """Give the fields of a directory that an entry points to; none, and a warning, if damaged."""
    try:
        (offset,) = integers(entry, order)
        entries, _ = read_directory(block, offset, order, big=big, strict=False)
    except (ValueError, struct.error) as error:
        _warn(f"the directory of tag {entry.tag} is damaged and is left out: {error}")
        return []
    return _fields(entries, block, order, big, _INSIDE[entry.tag])


def _narrow(entry: Entry, order: str) -> bytes | None:
    """Give a value with 32 bits for each 64-bit integer; None if they do not fit."""
    if entry.kind not in _NARROW:
        return entry.data
    form = f"{order}{entry.count}{_INTEGERS[_NARROW[entry.kind]]}"
    try:
        return struct.pack(form, *integers(entry, order))
    except struct.error:
        return None


def _block(fields: Fields, order: str) -> bytes:
    head = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(order + "I", 8)
    return head + write_directory(fields, 8, order)


def _dpi(found: dict[int, Entry], order: str) -> tuple[float, float] | None:
    unit = next(iter(integers(found[_UNIT], order)), 2) if _UNIT in found else 2
    if unit == 1 or not {_X, _Y} <= found.keys():
        return None
    across, down = (_real(found[tag], order) * (2.54 if unit == _CM else 1) for tag in (_X, _Y))
    return (across, down) if 0 < across < 1e6 and 0 < down < 1e6 else None


def _real(entry: Entry, order: str) -> float:
    """Give a single real number; 0 if it is none."""
    if entry.count != 1:
        return 0.0
    if entry.kind == 5:
        above, below = struct.unpack(order + "II", entry.data)
        return above / below if below else 0.0
    if entry.kind in _FLOATS:
        return float(struct.unpack(order + _FLOATS[entry.kind], entry.data)[0])
    return float(next(iter(integers(entry, order)), 0))


def _others(found: dict[int, Entry], order: str) -> list[tuple[int, int, int, bytes, bool]]:
    """Give the tags that only TIFF can hold, their values in little-endian order."""
    known = {*_INSIDE, _ORIENTATION, _X, _Y, _UNIT, _XMP, _IPTC, _PHOTOSHOP, _ICC}
    known |= STRUCTURE | OLD_PIXELS | _DESCRIPTIVE
    photometric = found.get(262)
    if photometric is None or integers(photometric, order) != (SEPARATED,):
        known |= INKS
    others = []
    for tag, entry in sorted(found.items()):
        if tag in known:
            continue
        if entry.kind in _POINTERS:
            _warn(f"tag {tag} points to a directory that is not known here; it is left out")
            continue
        kind, count, data = entry.kind, entry.count, entry.data
        others.append((tag, kind, count, swap(kind, data) if order == ">" else data, True))
    return others


def _from_exif(block: bytes, order: str, big: bool) -> list[Field]:
    """Give the fields of a page that say what an EXIF block does."""
    theirs = {b"II": "<", b"MM": ">"}[block[:2]]
    (first,) = struct.unpack_from(theirs + "I", block, 4)
    entries, _ = read_directory(block, first, theirs, strict=False)
    fields = _fields(entries, block, theirs, False, _INSIDE[0])
    return _turned(fields, order != theirs, big)


def _turned(fields: Fields, swapped: bool, big: bool) -> list[Field]:
    """Give fields for another file."""
    turned: list[Field] = []
    for tag, kind, count, value in fields:
        if not isinstance(value, bytes):
            turned.append((tag, 18 if big else 4, 1, _turned(value, swapped, big)))
        else:
            turned.append((tag, kind, count, swap(kind, value) if swapped else value))
    return turned
