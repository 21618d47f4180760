"""What a file says about its pixels, carried from the image read to the image written."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Metadata:
    """All that is kept of a file beside its pixels; None or empty where it has none of it.

    It describes the upright picture: no orientation but 1, no thumbnail of the old pixels.
    """

    icc_profile: bytes | None = None
    exif: bytes | None = None
    """A TIFF structure, from its byte order mark on ("II*\\0..." or "MM\\0*...")."""
    xmp: bytes | None = None
    """The packet, UTF-8."""
    iptc: bytes | None = None
    """Records of IPTC-IIM, as in TIFF's tag 33723 and Photoshop's resource 1028."""
    photoshop: bytes | None = None
    """Photoshop's other image resources, from "8BIM" on; without IPTC and thumbnails."""
    dpi: tuple[float, float] | None = None
    """Pixels per inch, across and down."""
    comments: tuple[str, ...] = ()
    native: tuple[tuple[int | bytes, bytes], ...] = ()
    """What only the same format can hold, in the file's order: PNG's chunks (name, data), JPEG's
    segments (marker, data). Of TIFF see `tags`."""
    tags: tuple[tuple[int, int, int, bytes, bool], ...] = ()
    """TIFF's further tags as tifffile's `extratags`: code, type, count, value (little-endian), only
    once."""
