"""PNG's chunks: what is said in them beside the pixels, read and written."""

from __future__ import annotations

import re
import struct
import warnings
import zlib
from dataclasses import dataclass
from typing import Any, BinaryIO

from svfilter.errors import ImageReadError, SvfilterWarning
from svfilter.images.metadata import Metadata, exif, photoshop, xmp
from svfilter.images.metadata.chunks import CRITICAL, walk

_BITS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
_MOST_INFLATED = 2**26
_METRES_PER_INCH = 0.0254

# What belongs to the pixels as they were stored, or is said anew.
_STRUCTURE = {
    *CRITICAL, b"tRNS", b"sBIT", b"bKGD", b"hIST", b"acTL", b"fcTL", b"fdAT", b"iDOT", b"orNT",
}  # fmt: skip
_SIGNING = {b"caBX", b"dSIG"}
# What must stand before a palette, and what else before the pixels: elsewhere it does not count.
_COLOUR = {b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"cICP", b"mDCV", b"cLLI", b"mDCv", b"cLLi"}
_EARLY = _COLOUR | {b"pHYs", b"sPLT", b"oFFs", b"pCAL", b"sCAL", b"sTER"}
# Chunks right to keep although their names say that they depend on the pixels.
_KEPT = _EARLY | {b"tIME"}
_TEXTS = {b"tEXt", b"zTXt", b"iTXt"}
_RAW = b"Raw profile type "  # ImageMagick's way to put into text what PNG had no chunk for
_RAW_KINDS = {b"icc", b"icm", b"iptc", b"8bim", b"xmp", b"exif", b"APP1"}


@dataclass(frozen=True)
class PngHeader:
    """What a PNG says beside its pixels."""

    width: int
    height: int
    bits: int
    """Of a channel, or of an index into the palette."""
    colour_type: int
    interlaced: bool
    palette: bytes | None
    """The data of PLTE."""
    transparency: bytes | None
    """The data of tRNS."""
    animated: bool
    complete: bool
    """Whether its chunks are there to the last one; the data of the pixels is not looked at."""
    metadata: Metadata
    orientation: int


def read(file: BinaryIO) -> PngHeader:
    """Read all but the pixels, over which it seeks.

    Raises:
        ImageReadError: it needs a chunk to be understood that PNG does not know.
        ValueError: it is damaged.
        struct.error: the same.
    """
    before: dict[bytes, bytes] = {}  # the pixels
    others: list[tuple[bytes, bytes]] = []
    name = b""
    for name, data in walk(file):
        if not before and name not in (b"IHDR", b"CgBI"):
            raise ValueError(f"it begins with a chunk {name!r}, not with its size")
        if name[:1].isupper() and name not in CRITICAL:
            raise ImageReadError(f"has a chunk {name.decode()}, which is not PNG's; convert it")
        if b"IDAT" not in before:
            before.setdefault(name, data)
        elif name in _EARLY:
            continue
        if name != b"IDAT":
            others.append((name, data))
    header = _header(before)
    if b"IDAT" not in before:
        raise ValueError("it ends before its pixels")
    metadata, orientation = _metadata(others)
    return PngHeader(
        *header,
        palette=before.get(b"PLTE"),
        transparency=before.get(b"tRNS"),
        animated=b"acTL" in before,
        complete=name == b"IEND",
        metadata=metadata,
        orientation=orientation,
    )


def _header(chunks: dict[bytes, bytes]) -> tuple[int, int, int, int, bool]:
    values = struct.unpack(">IIBBBBB", chunks.get(b"IHDR", b""))
    width, height, bits, kind, packing, filtering, interlaced = values
    if not (0 < width < 2**31 and 0 < height < 2**31 and bits in _BITS.get(kind, ())):
        raise ValueError(f"its header states {width} x {height} pixels, {bits} bits, type {kind}")
    if packing or filtering or interlaced > 1:
        raise ValueError(f"its header states methods {packing}, {filtering}, {interlaced}")
    entries, odd = divmod(len(chunks.get(b"PLTE", b"")), 3)
    if odd or entries > 256 or (kind == 3 and not entries):
        raise ValueError("its palette is damaged")
    return width, height, bits, kind, interlaced == 1


def _metadata(chunks: list[tuple[bytes, bytes]]) -> tuple[Metadata, int]:
    found: dict[str, Any] = {}
    comments: list[str] = []
    native: list[tuple[int | bytes, bytes]] = []
    inflate = _Inflate()
    for name, data in chunks:
        try:
            said = _said(name, data, inflate)
        except (ValueError, struct.error, zlib.error) as error:
            _warn(f"its chunk {name.decode()} is damaged and is left out: {error}")
            continue
        for key, value in said.items():
            if key == "comments":
                comments.append(value)
            elif value is not None and found.setdefault(key, value) != value:
                _warn(f"holds its {key} more than once; the first one counts")
        if _is_native(name) and (not said or name == b"iCCP" or "comments" in said):
            native.append((name, data))
    found["exif"], found["xmp"], orientation = exif.carried(found.get("exif"), found.get("xmp"))
    if orientation > 4:
        found["dpi"] = found["dpi"][::-1] if "dpi" in found else None
        native = [(n, d[4:8] + d[:4] + d[8:] if n == b"pHYs" else d) for n, d in native]
    return Metadata(comments=tuple(comments), native=tuple(native), **found), orientation


def _said(name: bytes, data: bytes, inflate: _Inflate) -> dict[str, Any]:
    """Give what a chunk says of Metadata's fields."""
    if name == b"iCCP":
        return {"icc_profile": _profile(data, inflate)}
    if name == b"eXIf":
        return {"exif": data.removeprefix(b"Exif\0\0")}
    if name == b"pHYs":
        across, down, unit = struct.unpack(">IIB", data)
        dpi = across * _METRES_PER_INCH, down * _METRES_PER_INCH
        return {"dpi": dpi} if unit == 1 and min(dpi) > 0 and max(dpi) < 1e6 else {}
    return _said_in_text(name, data, inflate)


def _said_in_text(name: bytes, data: bytes, inflate: _Inflate) -> dict[str, Any]:
    keyword = _keyword(name, data)
    if keyword == b"XML:com.adobe.xmp":
        return {"xmp": _text(name, data, inflate)}
    if keyword.lower() == b"comment":
        encoding = "utf-8" if name == b"iTXt" else "latin-1"
        return {"comments": _text(name, data, inflate).decode(encoding, "replace")}
    if keyword.startswith(_RAW) and (kind := keyword.removeprefix(_RAW)) in _RAW_KINDS:
        return _raw_profile(kind, _text(name, data, inflate))
    return {}


def _keyword(name: bytes, data: bytes) -> bytes:
    return data[:80].split(b"\0")[0] if name in _TEXTS else b""


def _is_native(name: bytes) -> bool:
    """Tell whether a chunk can stay as it is although the pixels change; warn of some that cannot.

    That the fourth letter is upper case means that it depends on the pixels.
    """
    if name in _SIGNING:
        _warn("holds content credentials, which sign the old pixels; they are left out")
    elif name not in _STRUCTURE | _KEPT and name[3:].isupper():
        what = name.decode()
        _warn(f"holds a chunk {what}, which says that it depends on the pixels; it is left out")
    return name in _KEPT or (name[3:].islower() and name not in _SIGNING | _STRUCTURE)


class _Inflate:
    """Undoes deflating, to so many bytes in all that a small file cannot fill the memory."""

    def __init__(self) -> None:
        self._left = _MOST_INFLATED

    def __call__(self, data: bytes) -> bytes:
        inflating = zlib.decompressobj()
        inflated = inflating.decompress(data, self._left) if self._left else b""
        self._left -= len(inflated)
        if not inflating.eof or not self._left:
            raise ValueError("it is cut, or too large when inflated")
        return inflated


def _profile(data: bytes, inflate: _Inflate) -> bytes:
    return inflate(data.partition(b"\0")[2][1:])  # behind the name and the method


def _text(name: bytes, data: bytes, inflate: _Inflate) -> bytes:
    """Give the text of a chunk as it is encoded."""
    text = data.partition(b"\0")[2]
    if name == b"tEXt":
        return text
    if name == b"zTXt":
        return inflate(text[1:])
    deflated, (_, _, text) = text[:1] == b"\1", text[2:].split(b"\0", 2)
    return inflate(text) if deflated else text


def _raw_profile(kind: bytes, text: bytes) -> dict[str, Any]:
    """Give what a profile in hexadecimals says: a line of its name, one of its length, then it."""
    match = re.match(rb"\n[^\n]*\n\s*(\d{1,10})\n", text)
    profile = bytes.fromhex(text[match.end() :].decode("ascii")) if match else b""
    if not match or len(profile) != int(match[1]):
        raise ValueError("it is no profile in hexadecimals of the length stated")
    if kind in (b"icc", b"icm"):
        return {"icc_profile": profile}
    if kind in (b"iptc", b"8bim"):
        records = profile[:1] == b"\x1c"
        iptc, others = (profile, None) if records else photoshop.split(profile)
        return {"iptc": iptc, "photoshop": others}
    profile = profile.removeprefix(b"Exif\0\0")
    if kind == b"xmp" or profile.startswith(xmp.HEADER):
        return {"xmp": profile.removeprefix(xmp.HEADER)}
    return {"exif": profile} if profile[:4] in (b"II*\0", b"MM\0*") else {}


def _warn(message: str) -> None:
    warnings.warn(message, SvfilterWarning, stacklevel=2)


def chunks(metadata: Metadata, *, native: bool) -> list[tuple[bytes, bytes]]:
    """Give names and data of the chunks that hold an image's metadata, to stand before the pixels.

    Args:
        metadata: what to write.
        native: whether its native part is a PNG's.
    """
    kept = [(n, d) for n, d in metadata.native if isinstance(n, bytes)] if native else []
    colour = [chunk for chunk in kept if chunk[0] in _COLOUR - {b"iCCP"}]
    if metadata.icc_profile is not None:
        colour.append(_icc_chunk(metadata.icc_profile, kept))
    written = []
    per_metre = [int(d / _METRES_PER_INCH + 0.5) for d in metadata.dpi or (0,)]
    if all(0 < n < 2**31 for n in per_metre):
        written.append((b"pHYs", struct.pack(">IIB", *per_metre, 1)))
        kept = [chunk for chunk in kept if chunk[0] != b"pHYs"]
    if metadata.exif is not None:
        written.append((b"eXIf", metadata.exif))
    if metadata.xmp is not None:
        written.append((b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + metadata.xmp))
    if resources := photoshop.join(metadata.iptc, metadata.photoshop):
        written.append(_raw_chunk(resources))
    comments = [chunk for chunk in kept if _keyword(*chunk).lower() == b"comment"]
    if tuple(_said(*chunk, _Inflate())["comments"] for chunk in comments) != metadata.comments:
        kept = [chunk for chunk in kept if chunk not in comments]
        written += map(_comment_chunk, metadata.comments)
    return colour + written + [chunk for chunk in kept if chunk[0] not in _COLOUR]


def _icc_chunk(profile: bytes, kept: list[tuple[bytes, bytes]]) -> tuple[bytes, bytes]:
    """Give the chunk that the profile was read from, which names it, or a new one."""
    for name, data in kept:
        if name == b"iCCP" and _profile(data, _Inflate()) == profile:
            return name, data
    return b"iCCP", b"ICC Profile\0\0" + zlib.compress(profile)


def _comment_chunk(comment: str) -> tuple[bytes, bytes]:
    comment = comment.replace("\0", "")
    try:
        return b"tEXt", b"Comment\0" + comment.encode("latin-1")
    except UnicodeEncodeError:
        return b"iTXt", b"Comment\0\0\0\0\0" + comment.encode()


def _raw_chunk(resources: bytes) -> tuple[bytes, bytes]:
    lines = (resources[at : at + 36].hex().encode() for at in range(0, len(resources), 36))
    text = b"\niptc\n%8d\n%b\n" % (len(resources), b"\n".join(lines))
    return b"zTXt", _RAW + b"iptc\0\0" + zlib.compress(text)
