"""What each file format can hold: the one table of what can be written."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Format:
    """What a file format can hold."""

    pillow: str
    suffixes: tuple[str, ...]
    modes: tuple[str, ...]
    carries: tuple[str, ...]
    """Of "icc_profile", "exif" and "dpi"."""
    lossy: bool = False
    largest_exif: int = 2**32
    """In bytes."""


FORMATS = {
    "png": Format(
        "PNG", (".png",), ("L", "LA", "RGB", "RGBA", "I;16"), ("icc_profile", "exif", "dpi")
    ),
    "jpeg": Format(
        "JPEG",
        (".jpg", ".jpeg"),
        ("L", "RGB"),
        ("icc_profile", "exif", "dpi"),
        lossy=True,
        largest_exif=65533,
    ),
    "webp": Format(
        "WEBP", (".webp",), ("L", "LA", "RGB", "RGBA"), ("icc_profile", "exif"), lossy=True
    ),
    "tiff": Format(
        "TIFF",
        (".tif", ".tiff"),
        ("L", "LA", "RGB", "RGBA", "I;16", "F"),
        ("icc_profile", "exif", "dpi"),
    ),
    "bmp": Format("BMP", (".bmp",), ("L", "RGB"), ("dpi",)),
    "ppm": Format("PPM", (".ppm", ".pnm"), ("L", "RGB", "I;16"), ()),
    "pgm": Format("PPM", (".pgm",), ("L", "I;16"), ()),
    "pfm": Format("PPM", (".pfm",), ("F",), ()),
}
"""Every format that can be written, by the name that --format takes."""

WORDS = {
    "L": "8-bit grey", "LA": "8-bit grey with alpha", "RGB": "8-bit RGB",
    "RGBA": "8-bit RGB with alpha", "I;16": "16-bit grey", "F": "32-bit float grey",
    "icc_profile": "colour profile", "exif": "EXIF",
}  # fmt: skip
"""What a user calls a mode or a part of the metadata."""

# Pillow's name of the format read -> the format written when nothing else tells.
NAMES_READ = {"MPO": "jpeg"} | {holds.pillow: name for name, holds in FORMATS.items()}
NAMES_READ["PPM"] = "ppm"
