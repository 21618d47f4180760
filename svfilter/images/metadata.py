"""What a file says about its pixels, carried from the image read to the image written."""

from __future__ import annotations

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
# Said as well as `dpi`, and by the pixels being upright: alone they are not worth an EXIF.
_PLAIN = {282, 283, 296, ORIENTATION}

_SIZES = (ExifTags.Base.ExifImageWidth, ExifTags.Base.ExifImageHeight)


@dataclass(frozen=True)
class Metadata:
    """ICC profile, EXIF and resolution of an image; None where it has none."""

    icc_profile: bytes | None = None
    exif: bytes | None = None
    dpi: tuple[float, float] | None = None


def read_metadata(image: Image.Image) -> tuple[Metadata, int]:
    """Take an image's metadata, said to be upright, and the EXIF orientation that it had.

    The EXIF is written anew, without its thumbnail: that would show the old pixels.
    """
    dpi = tuple(float(d) for d in image.info.get("dpi", ()))
    exif, orientation = _exif(image)
    metadata = Metadata(
        icc_profile=image.info.get("icc_profile") or None,
        exif=exif,
        dpi=dpi if len(dpi) == 2 and all(0 < d < 1e6 for d in dpi) else None,
    )
    return metadata, orientation


def _exif(image: Image.Image) -> tuple[bytes | None, int]:
    orientation = 1
    try:
        exif = image.getexif()
        if image.info.get("exif") and not len(exif):
            raise ValueError("nothing in it can be read")
        orientation = exif.get(ORIENTATION, 1)
        for tag in _STRUCTURE | _OLD_PIXELS:
            if tag in exif:
                del exif[tag]
        if ORIENTATION in exif:
            exif[ORIENTATION] = 1
        if orientation in (5, 6, 7, 8):  # turned by a quarter: so are the sizes that it states
            sizes = exif.get_ifd(ExifTags.IFD.Exif)
            stated = [sizes.pop(tag, None) for tag in _SIZES]
            sizes |= {tag: n for tag, n in zip(_SIZES, reversed(stated), strict=True) if n}
        exif.bigtiff = False
        return (exif.tobytes() if set(exif) - _PLAIN else None), orientation
    except Exception as error:  # what damaged bytes lead to is of any kind
        warnings.warn(f"EXIF is damaged and is left out ({error})", SvfilterWarning, stacklevel=2)
        return None, orientation
