"""JPEG's application segments and comments: what they say, and how to say it."""

from __future__ import annotations

import struct
import warnings
from collections import defaultdict
from dataclasses import dataclass

from svfilter.errors import SvfilterWarning
from svfilter.images.metadata import Metadata, exif, photoshop, xmp
from svfilter.images.metadata.directory import read_directory

_COM = 0xFE
_APP0, _APP1, _APP2, _APP8, _APP11, _APP13, _APP14 = 0xE0, 0xE1, 0xE2, 0xE8, 0xEB, 0xED, 0xEE
_JFIF, _EXIF = b"JFIF\0", b"Exif\0\0"
_ICC, _PHOTOSHOP = b"ICC_PROFILE\0", b"Photoshop 3.0\0"
# How segments begin that do not stay as they are, behind their marker.
_TAKEN = {
    "jfif": (_APP0, _JFIF),
    "exif": (_APP1, b"Exif\0"),
    "xmp": (_APP1, xmp.HEADER),
    "icc": (_APP2, _ICC),
    "mpf": (_APP2, b"MPF\0"),
    "photoshop": (_APP13, _PHOTOSHOP),
    "adobe": (_APP14, b"Adobe"),
    # Thumbnails, signatures and rests of the old pixels, and the word that a gain map is behind.
    "jfxx": (_APP0, b"JFXX\0"),
    "spiff": (_APP8, b"SPIFF\0"),
    "boxes": (_APP11, b""),
    "gain map": (_APP2, b"urn:iso:std:iso:ts:21496:-1\0"),
}
_LARGEST = 65533
_MOST_PARTS = 255
_CM_PER_INCH = 2.54
_MP_ENTRIES = 0xB002
_PREVIEWS = {0x010001, 0x010002}

_Segments = list[tuple[int, bytes]]


@dataclass(frozen=True)
class Said:
    """What the segments of a JPEG say."""

    metadata: Metadata
    orientation: int
    adobe_transform: int | None
    pictures: int
    """How many more hang behind the first one."""


def read(segments: _Segments) -> Said:
    """Understand a JPEG's application segments and comments, in the file's order."""
    taken, rest = _sort(segments)
    for kind in ("exif", "xmp"):
        if len(taken[kind]) > 1:
            _warn(f"holds {kind.upper()} more than once; the first one counts")
    block, packet, orientation = exif.carried(
        taken["exif"][0][1:] if taken["exif"] else None, taken["xmp"][0] if taken["xmp"] else None
    )
    iptc, others = _resources(taken["photoshop"])
    dpi, aspect = _density(taken["jfif"], turned=orientation > 4)
    if any(b"c2pa" in data for data in taken["boxes"]):
        _warn("holds content credentials, which sign the old pixels; they are left out")
    elif taken["boxes"]:
        _warn("holds boxes in APP11 that depend on the pixels; they are left out")
    metadata = Metadata(
        icc_profile=_profile(taken["icc"]),
        exif=block,
        xmp=packet,
        iptc=iptc,
        photoshop=others,
        dpi=dpi,
        comments=tuple(_comment(data) for marker, data in rest if marker == _COM),
        native=(*aspect, *rest),
    )
    transform = next((data[6] for data in taken["adobe"] if len(data) > 6), None)
    return Said(metadata, orientation, transform, _pictures(taken["mpf"]))


def _sort(segments: _Segments) -> tuple[dict[str, list[bytes]], _Segments]:
    """Give the data of segments of each kind, behind how they begin; and those that stay."""
    taken: dict[str, list[bytes]] = defaultdict(list)
    rest = []
    for marker, data in segments:
        for kind, (holder, start) in _TAKEN.items():
            if marker == holder and data.startswith(start):
                taken[kind].append(data[len(start) :])
                break
        else:
            rest.append((marker, data))
    return taken, rest


def _density(jfif: list[bytes], *, turned: bool) -> tuple[tuple[float, float] | None, _Segments]:
    """Give JFIF's resolution; or a segment that states the shape of pixels that are not square."""
    if not jfif or len(jfif[0]) < 7:
        return None, []
    unit, *values = struct.unpack_from(">xxBHH", jfif[0])
    across, down = reversed(values) if turned else values
    if unit in (1, 2) and across and down:
        scale = 1 if unit == 1 else _CM_PER_INCH
        return (across * scale, down * scale), []
    return None, [] if across == down else [(_APP0, _jfif(0, across, down))]


def _resources(parts: list[bytes]) -> tuple[bytes | None, bytes | None]:
    try:
        return photoshop.split(b"".join(parts))
    except (ValueError, struct.error) as error:
        _warn(f"Photoshop's resources are damaged and are left out: {error}")
        return None, None


def _profile(parts: list[bytes]) -> bytes | None:
    """Join an ICC profile; each of its parts begins with its number, from 1, and theirs."""
    parts = sorted(parts)
    expected = [(n + 1, len(parts)) for n in range(len(parts))]
    if [tuple(part[:2]) for part in parts] != expected:
        _warn("the ICC profile is damaged and is left out: its parts are not all there once")
        return None
    return b"".join(part[2:] for part in parts) or None


def _comment(data: bytes) -> str:
    try:
        return data.decode().rstrip("\0")
    except UnicodeDecodeError:
        return data.decode("latin-1").rstrip("\0")


def _pictures(parts: list[bytes]) -> int:
    """Count the further pictures that a list in MPF states; warn of those that are not previews."""
    kinds: list[int] = []
    for block in parts[:1]:
        order = "<" if block.startswith(b"II") else ">"
        try:
            (offset,) = struct.unpack_from(order + "I", block, 4)
            entries, _ = read_directory(block, offset, order, strict=False)
        except (ValueError, struct.error):
            continue
        listed = next((entry.data for entry in entries if entry.tag == _MP_ENTRIES), b"")
        pictures = range(16, len(listed) - 15, 16)
        kinds += (struct.unpack_from(order + "I", listed, at)[0] & 0xFFFFFF for at in pictures)
    if others := sum(kind not in _PREVIEWS for kind in kinds):
        _warn(f"holds {others} more pictures, such as a gain map or depth; they are left out")
    return len(kinds)


def write(metadata: Metadata, *, native: bool) -> _Segments:
    """Give markers and data of segments that hold an image's metadata, JFIF's first.

    Args:
        metadata: what to write; what is too large is left out with a warning.
        native: whether its native part is a JPEG's.
    """
    kept = [(m, d) for m, d in metadata.native if isinstance(m, int)] if native else []
    written = [(_APP0, _resolution(metadata.dpi, kept))]
    if metadata.exif is not None:
        written += _fitting("EXIF", _APP1, _EXIF + metadata.exif)
    if metadata.xmp is not None:
        written += ((_APP1, part) for part in xmp.segments(metadata.xmp))
    written += _profile_parts(metadata.icc_profile or b"")
    resources = photoshop.join(metadata.iptc, metadata.photoshop)
    step = _LARGEST - len(_PHOTOSHOP)
    for at in range(0, len(resources), step):
        written.append((_APP13, _PHOTOSHOP + resources[at : at + step]))
    kept = [segment for segment in kept if not _is_resolution(*segment)]
    comments = [segment for segment in kept if segment[0] == _COM]
    if tuple(_comment(data) for _, data in comments) != metadata.comments:
        kept = [segment for segment in kept if segment[0] != _COM]
        for comment in metadata.comments:
            written += _fitting("a comment", _COM, comment.encode())
    return written + kept


def _is_resolution(marker: int, data: bytes) -> bool:
    return marker == _APP0 and data.startswith(_JFIF)


def _resolution(dpi: tuple[float, float] | None, kept: _Segments) -> bytes:
    """Give JFIF's segment, per cm if the numbers are whole only so."""
    if dpi is not None:
        per_cm = dpi[0] / _CM_PER_INCH, dpi[1] / _CM_PER_INCH
        unit, values = (2, per_cm) if _is_whole(per_cm) and not _is_whole(dpi) else (1, dpi)
        across, down = (int(value + 0.5) for value in values)
        if min(across, down) > 0 and max(across, down) < 2**16:
            return _jfif(unit, across, down)
    return next((data for marker, data in kept if _is_resolution(marker, data)), _jfif(0, 1, 1))


def _is_whole(values: tuple[float, float]) -> bool:
    return all(abs(value - round(value)) < 1e-3 for value in values)


def _jfif(unit: int, across: int, down: int) -> bytes:
    return _JFIF + struct.pack(">HBHHxx", 0x0101, unit, across, down)


def _profile_parts(profile: bytes) -> _Segments:
    step = _LARGEST - len(_ICC) - 2
    count = -(-len(profile) // step)
    if count > _MOST_PARTS:
        _warn(f"a JPEG cannot hold an ICC profile of {len(profile)} bytes; it is left out")
        return []
    return [
        (_APP2, _ICC + bytes((n + 1, count)) + profile[n * step : (n + 1) * step])
        for n in range(count)
    ]


def _fitting(what: str, marker: int, data: bytes) -> _Segments:
    if len(data) <= _LARGEST:
        return [(marker, data)]
    _warn(f"a JPEG cannot hold {what} of {len(data)} bytes; it is left out")
    return []


def _warn(message: str) -> None:
    warnings.warn(message, SvfilterWarning, stacklevel=2)
