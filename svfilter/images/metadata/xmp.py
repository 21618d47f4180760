"""XMP packets, edited as text: whatever is not said here to change stays byte for byte."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable

_NAMESPACES = {
    "tiff": b"http://ns.adobe.com/tiff/1.0/",
    "exif": b"http://ns.adobe.com/exif/1.0/",
    "xmp": b"http://ns.adobe.com/xap/1.0/",
    "xmpMM": b"http://ns.adobe.com/xap/1.0/mm/",
}
_MOST_PREFIXES = 8
# Pairs that change places when a picture is turned by a quarter.
_TURNED = (
    ("tiff", b"ImageWidth", b"ImageLength"),
    ("tiff", b"XResolution", b"YResolution"),
    ("exif", b"PixelXDimension", b"PixelYDimension"),
    ("exif", b"FocalPlaneXResolution", b"FocalPlaneYResolution"),
)

HEADER = b"http://ns.adobe.com/xap/1.0/\0"
"""How JPEG's segments of XMP begin."""
EXTENSION = b"http://ns.adobe.com/xmp/extension/\0"
"""How those begin that hold what is too large for the first one."""
_LARGEST = 65502
_LARGEST_PART = 65400
_MAIN = b"""<?xpacket begin="\xef\xbb\xbf" id="W5M0MpCehiHzreSzNTczkc9d"?>
<x:xmpmeta xmlns:x="adobe:ns:meta/">
 <rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">
  <rdf:Description rdf:about="" xmlns:xmpNote="http://ns.adobe.com/xmp/note/"
   xmpNote:HasExtendedXMP="%s"/>
 </rdf:RDF>
</x:xmpmeta>
<?xpacket end="w"?>"""


def orientation(packet: bytes, default: int = 1) -> int:
    """Give tiff:Orientation, 1 to 8; the default where it is absent, senseless or unreadable."""
    try:
        packet = _utf8(packet)
        parts = _apart(packet, _prefix(packet, "xmpMM") + b"Pantry")[::2]
        patterns = _stating(_prefix(packet, "tiff") + b"Orientation")
    except ValueError:
        return default
    found = (
        match[2] for pattern in patterns for part in parts for match in re.finditer(pattern, part)
    )
    return next((int(n) for n in found if n in b"1 2 3 4 5 6 7 8".split()), default)


def upright(packet: bytes, *, turned: bool) -> bytes:
    """Give a packet, in UTF-8, that says that the picture is upright, and holds no thumbnail of it.

    Args:
        packet: with or without its wrapping.
        turned: whether the picture was turned by a quarter: width and height change places.

    Raises:
        ValueError: it gives a namespace more names than could be meant.
    """
    packet = _utf8(packet)
    thumbnails = _prefix(packet, "xmp") + b"Thumbnails"
    orientations = _stating(_prefix(packet, "tiff") + b"Orientation")
    swaps = [_swap(packet, *pair) for pair in _TURNED] if turned else []

    def edited(part: bytes) -> bytes:
        part = b"".join(_apart(part, thumbnails)[::2])
        for pattern in orientations:
            part = re.sub(pattern, rb"\g<1>1\g<3>", part)
        for swap in swaps:
            part = swap(part)
        return part

    # What the picture was put together from is described in the pantry, and is not turned.
    parts = _apart(packet, _prefix(packet, "xmpMM") + b"Pantry")
    parts[::2] = map(edited, parts[::2])
    return b"".join(parts)


def segments(packet: bytes) -> list[bytes]:
    """Give the data of JPEG's APP1 segments that hold a packet of any size.

    Source: XMP specification, part 3, 1.1.3.1.
    """
    if len(packet) > _LARGEST:
        packet = re.sub(rb"(?<!\s)\s+(?=<\?xpacket end)", b"\n", packet)  # room to grow
    if len(packet) <= _LARGEST:
        return [HEADER + packet]
    packet = re.sub(rb"<\?xpacket [^<>]*\?>", b"", packet).strip(b"\xef\xbb\xbf\0 \t\r\n")
    name = hashlib.md5(packet, usedforsecurity=False).hexdigest().upper().encode()
    parts = [
        b"%b%b%b%b%b"
        % (
            EXTENSION,
            name,
            len(packet).to_bytes(4, "big"),
            at.to_bytes(4, "big"),
            packet[at : at + _LARGEST_PART],
        )
        for at in range(0, len(packet), _LARGEST_PART)
    ]
    return [HEADER + _MAIN % name, *parts]


def _utf8(packet: bytes) -> bytes:
    encodings = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"<\0": "utf-16-le"}
    encoding = (encodings | {b"\0<": "utf-16-be"}).get(packet[:2])
    return packet.decode(encoding).encode() if encoding else packet


def _prefix(packet: bytes, prefix: str) -> bytes:
    """Give a pattern for what stands before the names of a namespace, as the packet declares it."""
    declared = rb"xmlns:([\w.-]+)\s*=\s*([\"'])" + re.escape(_NAMESPACES[prefix]) + rb"\2"
    prefixes = {prefix.encode(), *(found[1] for found in re.finditer(declared, packet))}
    if len(prefixes) > _MOST_PREFIXES:
        raise ValueError(f"XMP gives {len(prefixes)} names to one namespace")
    return b"(?:" + b"|".join(map(re.escape, sorted(prefixes))) + b"):"


def _stating(name: bytes) -> tuple[bytes, bytes]:
    """Give patterns for an integer stated as an attribute or an element: before, it, behind."""
    return (
        rb"(\s" + name + rb"\s*=\s*[\"']\s*)(\d+)(\s*[\"'])",
        rb"(<" + name + rb"(?:\s[^<>]*)?>\s*)(\d+)(\s*</)",
    )


def _swap(packet: bytes, prefix: str, one: bytes, other: bytes) -> Callable[[bytes], bytes]:
    """Give a function that lets two names change places, and by that their values."""
    pattern = re.compile(
        rb"(?<=[\s/<])(%b)(%b|%b)(?=[\s=/>])" % (_prefix(packet, prefix), one, other)
    )
    names = {one: other, other: one}
    return lambda part: pattern.sub(lambda found: found[1] + names[found[2]], part)


def _apart(packet: bytes, name: bytes) -> list[bytes]:
    """Cut a packet at all elements of a name: every second piece is one of them."""
    opening = re.compile(rb"<(" + name + rb")(?:[\s/][^<>]*)?>")
    pieces, at = [], 0
    while found := opening.search(packet, at):
        end = found.end()
        if not found[0].endswith(b"/>"):
            closing = packet.find(b"</" + found[1], end)
            end = packet.find(b">", closing) + 1 if closing >= 0 else 0
        if not end:  # it is never closed
            break
        pieces += [packet[at : found.start()], packet[found.start() : end]]
        at = end
    return [*pieces, packet[at:]]
