"""Photoshop's image resources, as in JPEG's APP13 and TIFF's tag 34377."""

from __future__ import annotations

import struct

_IPTC = 1028
# ICC profile, EXIF and XMP travel by themselves; two kinds of thumbnail show the old pixels.
_LEFT_OUT = {1033, 1036, 1039, 1058, 1059, 1060}
_SIGNATURES = {b"8BIM", b"MeSa", b"AgHg", b"PHUT", b"DCSR"}


def split(resources: bytes) -> tuple[bytes | None, bytes | None]:
    """Give the records of IPTC, and the other resources without what travels otherwise.

    Raises:
        ValueError: they are damaged.
        struct.error: the same.
    """
    iptc, others = [], []
    at, end = 0, len(resources.rstrip(b"\0"))  # some pad them
    while at < end:
        signature, code, name = struct.unpack_from(">4sHB", resources, at)
        head = 8 + name // 2 * 2  # the name, behind its length, is padded to an even number
        (size,) = struct.unpack_from(">I", resources, at + head)
        start, stop = at + head + 4, at + head + 4 + size
        if signature not in _SIGNATURES or stop > len(resources):
            raise ValueError(f"Photoshop's resource at byte {at} is cut or none")
        if code == _IPTC:
            iptc.append(resources[start:stop])
        elif code not in _LEFT_OUT:
            others.append(resources[at:stop] + b"\0" * (size % 2))
        at = stop + size % 2
    return b"".join(iptc) or None, b"".join(others) or None


def join(iptc: bytes | None, photoshop: bytes | None) -> bytes:
    """Give the resources that `split` took apart; none if there are none."""
    if iptc is None:
        return photoshop or b""
    head = b"8BIM" + struct.pack(">HxxI", _IPTC, len(iptc))
    return head + iptc + b"\0" * (len(iptc) % 2) + (photoshop or b"")
