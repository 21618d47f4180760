"""What a file says about its pixels, carried from the image read to the image written."""

from __future__ import annotations

import struct
import warnings
from dataclasses import dataclass

from PIL import ExifTags, Image

from svfilter.errors import SvfilterWarning

ORIENTATION = ExifTags.Base.Orientation

# How a TIFF stores its own pixels, and the profile, which travels by another way.
_STRUCTURE = {
    *range(254, 260), 262, 266, 273, *range(277, 280), 284, 292, 293, 297, 317, 320,
    *range(321, 326), *range(330, 348), *range(512, 533), 34675,
}  # fmt: skip
# Photoshop's resources and layers: they show the picture as it was.
_OLD_PIXELS = {34377, 37724}


@dataclass(frozen=True)
class Metadata:
    """ICC profile, EXIF and resolution of an image; None where it has none."""

    icc_profile: bytes | None = None
    exif: bytes | None = None
    dpi: tuple[float, float] | None = None


def read_metadata(image: Image.Image, name: str) -> Metadata:
    """Take an image's metadata, with its orientation said to be upright.

    The EXIF is written anew, without its thumbnail: that would show the old pixels.
    """
    dpi = tuple(float(d) for d in image.info.get("dpi", ()))
    return Metadata(
        icc_profile=image.info.get("icc_profile") or None,
        exif=_exif(image, name),
        dpi=dpi if len(dpi) == 2 and all(0 < d < 1e6 for d in dpi) else None,
    )


def _exif(image: Image.Image, name: str) -> bytes | None:
    try:
        exif = image.getexif()
        for tag in [tag for tag in exif if tag in _STRUCTURE | _OLD_PIXELS]:
            del exif[tag]
        if ORIENTATION in exif:
            exif[ORIENTATION] = 1
        return exif.tobytes() if len(exif) else None
    except (OSError, SyntaxError, ValueError, TypeError, KeyError, struct.error) as error:
        warnings.warn(
            f"{name}: its EXIF is damaged and is not carried over ({error})",
            SvfilterWarning,
            stacklevel=2,
        )
        return None
