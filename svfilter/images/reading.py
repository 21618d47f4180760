"""Whole images through Pillow, refused where Pillow would lose something without a word."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from svfilter.errors import ImageReadError, SvfilterWarning
from svfilter.images.metadata import ORIENTATION, Metadata, read_metadata
from svfilter.images.streams import read_bytes, shown
from svfilter.tiles import Window

if TYPE_CHECKING:
    from svfilter.kernels.base import Array

READABLE = ("PNG", "JPEG", "MPO", "WEBP", "TIFF", "BMP", "PPM", "GIF")
"""Pillow's formats of which the depth is known to survive, or is checked here."""

MAX_PIXELS = 2 * (Image.MAX_IMAGE_PIXELS or 0)
"""Where Pillow refuses an image as a decompression bomb: 179 megapixels."""

# Pillow's mode -> the mode filtered; each keeps every bit that the file has.
_MODES = {
    "1": "L", "L": "L", "LA": "LA", "La": "LA", "P": "RGB", "PA": "RGBA",
    "RGB": "RGB", "RGBX": "RGB", "RGBA": "RGBA", "RGBa": "RGBA",
    "I;16": "I;16", "I;16L": "I;16", "I;16B": "I;16", "I;16N": "I;16", "F": "F",
}  # fmt: skip


class ImageReader:
    """An image, upright, from which windows are read as planar floats.

    Integers are scaled to 0..1 (255 or 65535 is 1); floats are given as they are stored.
    """

    def __init__(self, name: str, format: str, pixels: Array, metadata: Metadata) -> None:
        self.name = name
        self.format = format
        self.metadata = metadata
        self._pixels = pixels if pixels.ndim == 3 else pixels[:, :, None]  # [H, W, C]
        self.height, self.width, self.channels = self._pixels.shape

    @property
    def dtype(self) -> np.dtype[Any]:
        """What a channel is stored as: uint8, uint16 or float32."""
        dtype: np.dtype[Any] = self._pixels.dtype
        return dtype

    @property
    def has_alpha(self) -> bool:
        """Whether the last channel is alpha."""
        return self.channels in (2, 4)

    @property
    def colours(self) -> int:
        """The number of channels that are colours: 1 or 3."""
        return 3 if self.channels > 2 else 1

    @property
    def whole(self) -> Window:
        """The window of all pixels."""
        return Window(0, 0, self.height, self.width)

    def read(self, window: Window) -> Array:
        """Give a window's pixels, [C, h, w] float32, a copy."""
        pixels = self._pixels[window.rows, window.cols].transpose(2, 0, 1)
        if self.dtype.kind == "f":
            return pixels.astype(np.float32)
        return pixels.astype(np.float32) / np.float32(np.iinfo(self.dtype).max)


def open_image(source: str, *, max_pixels: int | None = None) -> ImageReader:
    """Decode an image from a file, or from stdin for "-"; its content tells its format.

    Args:
        source: a file's name, or "-".
        max_pixels: how large an image may be; default MAX_PIXELS.

    Raises:
        ImageReadError: there is no such image, it is damaged or too large, or it could only be
            decoded with a loss (such as 16-bit colour, which Pillow cuts to 8).
    """
    name = shown(source)
    data = io.BytesIO(read_bytes(source))
    limit = MAX_PIXELS if max_pixels is None else max_pixels
    with _decoding(name):
        image = Image.open(data, formats=READABLE)
        if image.width * image.height > limit:
            raise ImageReadError(
                f"{name}: has {image.width} x {image.height} pixels, more than {limit}; if you "
                f"trust it, raise the limit with --max-pixels {image.width * image.height}"
            )
        _refuse_loss(image, name)
        image.load()
        if (frames := getattr(image, "n_frames", 1)) > 1:
            _warn(f"{name}: holds {frames} frames or pages; only the first is filtered")
        metadata = read_metadata(image, name)
        pixels = _upright(_as_filtered(image))
    return ImageReader(name, image.format or "", pixels, metadata)


def resize(plane: Array, height: int, width: int) -> Array:
    """Resize [H, W] floats with a triangle filter, antialiased when the size shrinks."""
    image = Image.fromarray(np.ascontiguousarray(plane, dtype=np.float32))
    return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))


@contextmanager
def _decoding(name: str) -> Iterator[None]:
    """Let no failure of a decoder through but as an ImageReadError, and lift Pillow's limit."""
    limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
    try:
        yield
    except ImageReadError:
        raise
    except UnidentifiedImageError as error:
        raise ImageReadError(
            f"{name}: is not an image that can be read; the formats are {', '.join(READABLE)} "
            "(of TIFF: 1, 8 and 16-bit integers and grey 32-bit floats)"
        ) from error
    except Exception as error:  # what a decoder raises on damaged bytes is of any kind
        raise ImageReadError(f"{name}: is truncated or damaged: {error}") from error
    finally:
        Image.MAX_IMAGE_PIXELS = limit


def _refuse_loss(image: Image.Image, name: str) -> None:
    """Refuse, before decoding, what Pillow can only give with fewer bits or other values."""
    stored = _stored_as(image)
    deep = image.mode not in ("I", "F") and not image.mode.startswith("I;16")
    if (deep and ";16" in stored and image.format in ("PNG", "TIFF")) or _netpbm_is_deep(image):
        lost = "16-bit colour, which would be cut to 8 bits"
    elif ";12" in stored:
        lost = "12-bit values, which would be taken for 16 bits"
    elif image.mode.startswith("I;16") and "transparency" in image.info:
        lost = "16-bit grey with a transparent value, which would be lost"
    elif image.format == "TIFF" and _is_signed(image):
        lost = "signed integers"
    elif image.mode not in _MODES and not (image.mode == "I" and image.format == "PPM"):
        lost = f"{image.mode} pixels ({stored or image.format})"
    else:
        return
    raise ImageReadError(
        f"{name}: holds {lost}; only 8-bit grey and RGB with or without alpha, palettes, "
        "16-bit grey and grey floats are read without loss. Convert it first"
    )


def _stored_as(image: Image.Image) -> str:
    """Give Pillow's name for the layout of the bytes in the file, such as "RGB;16B"."""
    layout = image.tile[0].args if getattr(image, "tile", None) else ""  # type: ignore[attr-defined]
    return str(layout[0] if isinstance(layout, tuple) and layout else layout)


def _netpbm_is_deep(image: Image.Image) -> bool:
    if image.format != "PPM" or image.mode != "RGB":
        return False
    layout = image.tile[0].args  # type: ignore[attr-defined]
    return isinstance(layout, tuple) and layout[1] > 255  # (mode, maxval)


def _is_signed(image: Image.Image) -> bool:
    sample_format = 339
    return 2 in tuple(image.tag_v2.get(sample_format, ()))  # type: ignore[attr-defined]


def _as_filtered(image: Image.Image) -> Image.Image:
    """Convert palettes, bits and transparent values to channels; the values stay."""
    if image.mode == "I":
        return Image.fromarray(np.asarray(image).astype(np.uint16))
    mode = _MODES[image.mode]
    if "transparency" in image.info and mode in ("L", "RGB"):
        mode = {"L": "LA", "RGB": "RGBA"}[mode]
    if mode == "I;16":  # of any byte order
        return Image.fromarray(np.asarray(image).astype(np.uint16))
    return image if image.mode == mode else image.convert(mode)


def _upright(image: Image.Image) -> Array:
    turned = ImageOps.exif_transpose(image) if ORIENTATION in image.getexif() else image
    return np.asarray(turned)


def _warn(message: str) -> None:
    warnings.warn(message, SvfilterWarning, stacklevel=3)
