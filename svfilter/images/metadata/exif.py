"""EXIF edited in place, so that what a camera's maker points to by offsets stays where it is."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Iterator

from svfilter.errors import SvfilterWarning
from svfilter.images.metadata import xmp
from svfilter.images.metadata.directory import Entry, read_directory

_ORIENTATION = 0x0112
_INTEGERS = {1: "B", 3: "H", 4: "I", 6: "b", 8: "h", 9: "i"}
_EXIF, _GPS, _INTEROP = 0x8769, 0x8825, 0xA005
# Where pixels of a directory's image are, and how many bytes: strips, tiles, a JPEG stream.
_PIXELS = {0x0111: 0x0117, 0x0144: 0x0145, 0x0201: 0x0202}
# Pairs that change places when a picture is turned by a quarter: sizes and resolutions.
_TURNED = ((0x0100, 0x0101), (0x011A, 0x011B), (0xA002, 0xA003), (0xA20E, 0xA20F))
_MOST_PICTURES = 4
_MOST_STRIPS = 10_000

_Range = tuple[int, int]


def orientation(block: bytes, default: int = 1) -> int:
    """Give the orientation, 1 to 8; the default where it is absent, senseless or unreadable."""
    try:
        order, first = _header(block)
        entries, _ = read_directory(block, first, order, strict=False)
    except (ValueError, struct.error):
        return default
    stated = (next(_integers(entry, order)) for entry in entries if _is_orientation(entry))
    return next((n for n in stated if 1 <= n <= 8), default)


def upright(block: bytes, *, turned: bool) -> bytes:
    r"""Give a block that says that the picture is upright, and holds no other picture of it.

    Orientation becomes 1. The directories behind the first one, which are thumbnails, become
    zeros with their pixels, or are cut off if they are the block's end. All the other bytes stay
    where and as they are.

    Args:
        block: from "II*\0" or "MM\0*" on.
        turned: whether the picture was turned by a quarter: width and height change places.

    Raises:
        ValueError: the block is damaged.
        struct.error: the same.
    """
    order, first = _header(block)
    edited = bytearray(block)
    entries, following = read_directory(block, first, order, strict=False)
    for entry in filter(_is_orientation, entries):
        struct.pack_into(order + _INTEGERS[entry.kind], edited, entry.place, 1)
    directories = {first: entries, **_children(block, entries, order)}
    kept = [(0, 8)]
    for offset, inside in directories.items():
        kept += _extent(block, offset, inside, order)
        if turned:
            _turn(edited, offset, order)
    link = _records(block, first, order).stop
    # Some leave the link out, and values stand in its place.
    if following and not any(start < link + 4 and link < stop for start, stop in kept):
        struct.pack_into(order + "I", edited, link, 0)
        kept.append((link, link + 4))
        _erase(edited, _without(_thumbnails(block, following, order), kept, len(block)))
    return bytes(edited)


def carried(
    block: bytes | None, packet: bytes | None, default: int = 1
) -> tuple[bytes | None, bytes | None, int]:
    """Give EXIF and XMP made upright, and the orientation that they had.

    That of EXIF counts; if it has none, that of XMP. What is damaged is left out with a warning.

    Args:
        block: EXIF as `upright` takes it.
        packet: XMP as `xmp.upright` takes it.
        default: the orientation if neither has one.
    """
    before = orientation(block or b"", xmp.orientation(packet or b"", default))
    try:
        packet = packet and xmp.upright(packet, turned=before > 4)
    except ValueError as error:
        _warn("XMP", error)
        packet = None
    try:
        block = block and upright(block, turned=before > 4)
    except (ValueError, struct.error) as error:
        _warn("EXIF", error)
        block = None
    return block or None, packet or None, before


def _warn(what: str, error: Exception) -> None:
    message = f"{what} is damaged and is left out: {error}"
    warnings.warn(message, SvfilterWarning, stacklevel=3)


def _header(block: bytes) -> tuple[str, int]:
    """Give the byte order and where the first directory is."""
    orders = {b"II*\0": "<", b"MM\0*": ">"}
    if block[:4] not in orders:
        raise ValueError(f"it begins with {block[:4]!r}, not as a TIFF does")
    order = orders[block[:4]]
    (first,) = struct.unpack_from(order + "I", block, 4)
    return order, first


def _is_orientation(entry: Entry) -> bool:
    return entry.tag == _ORIENTATION and entry.kind in _INTEGERS and entry.count > 0


def _integers(entry: Entry, order: str) -> Iterator[int]:
    return (n for (n,) in struct.iter_unpack(order + _INTEGERS[entry.kind], entry.data))


def _find(entries: list[Entry], tag: int, order: str) -> Iterator[int]:
    """Give the integers of a tag; none if it is absent or of another kind."""
    found = (entry for entry in entries if entry.tag == tag and entry.kind in (3, 4, 13))
    for entry in found:
        if entry.count > _MOST_STRIPS:
            raise ValueError(f"tag {tag} has {entry.count} values")
        kind = "H" if entry.kind == 3 else "I"
        return (n for (n,) in struct.iter_unpack(order + kind, entry.data))
    return iter(())


def _children(block: bytes, entries: list[Entry], order: str) -> dict[int, list[Entry]]:
    """Give the directories that describe the same picture, by offset; not any that is damaged."""
    found: dict[int, list[Entry]] = {}
    waiting = [(entries, _EXIF), (entries, _GPS)]
    while waiting:
        parent, tag = waiting.pop()
        offset = next(_find(parent, tag, order), 0)
        try:
            found[offset], _ = read_directory(block, offset, order, strict=False)
        except (ValueError, struct.error):
            continue
        if tag == _EXIF:
            waiting.append((found[offset], _INTEROP))
    return found


def _records(block: bytes | bytearray, offset: int, order: str) -> range:
    """Give the places of a directory's entries; the link to the next one is where they stop."""
    (count,) = struct.unpack_from(order + "H", block, offset)
    return range(offset + 2, offset + 2 + 12 * count, 12)


def _extent(block: bytes, offset: int, entries: list[Entry], order: str) -> list[_Range]:
    """Give where a directory stands, without its link, and where its values do."""
    values = [(entry.place, entry.place + len(entry.data)) for entry in entries]
    return [(offset, _records(block, offset, order).stop), *values]


def _turn(edited: bytearray, offset: int, order: str) -> None:
    """Let the values of a directory's pairs of tags change places."""
    places: dict[int, int] = {}
    for at in _records(edited, offset, order):
        places.setdefault(struct.unpack_from(order + "H", edited, at)[0], at)
    for one, other in _TURNED:
        if one in places and other in places:
            a, b = (slice(places[tag] + 2, places[tag] + 12) for tag in (one, other))
            edited[a], edited[b] = edited[b], edited[a]


def _thumbnails(block: bytes, offset: int, order: str) -> list[_Range]:
    """Give where the directories from an offset on stand, with their values and pixels."""
    ranges: list[_Range] = []
    for _ in range(_MOST_PICTURES):
        try:
            entries, following = read_directory(block, offset, order, strict=False)
        except (ValueError, struct.error):
            return ranges
        ranges += _extent(block, offset, entries, order)
        link = ranges[-1 - len(entries)][1]
        ranges.append((link, link + 4))
        for place, length in _PIXELS.items():
            sizes = _find(entries, length, order)
            for start, size in zip(_find(entries, place, order), sizes, strict=False):
                ranges.append((start, start + size))
        if not following:
            return ranges
        offset = following
    raise ValueError(f"it holds more than {_MOST_PICTURES} pictures")


def _without(ranges: list[_Range], kept: list[_Range], end: int) -> list[_Range]:
    """Give, in order, what of some ranges is before an end and in none of those kept."""
    inner = [(start, min(stop, end)) for start, stop in ranges if start < min(stop, end)]
    edges = [edge for start, stop in inner for edge in ((start, 1, 0), (stop, -1, 0))]
    edges += [edge for start, stop in kept for edge in ((start, 0, 1), (stop, 0, -1))]
    left: list[_Range] = []
    since = inside = protected = 0
    for at, of_ranges, of_kept in sorted(edges):
        if inside and not protected and since < at:
            left.append((since, at))
        since = at
        inside += of_ranges
        protected += of_kept
    return left


def _erase(edited: bytearray, ranges: list[_Range]) -> None:
    """Make ranges zeros, and cut them off from the end, with up to 3 bytes that pad them."""
    for start, stop in ranges:
        edited[start:stop] = bytes(stop - start)
    end = len(edited)
    for start, stop in reversed(ranges):
        if end - stop > 3 or any(edited[stop:end]):
            break
        end = start
    del edited[end:]
