"""Whole images through Pillow, refused where Pillow would lose something without a word."""

from __future__ import annotations

import io
import struct
import threading
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from PIL import Image, UnidentifiedImageError

from svfilter.errors import ImageReadError, SvfilterWarning
from svfilter.images.metadata import Metadata, read_metadata
from svfilter.images.streams import read_bytes, shown
from svfilter.tiles import Window

if TYPE_CHECKING:
    import numpy as np

    from svfilter.kernels.base import Array

READABLE = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "PPM", "GIF")
"""Pillow's formats of which the depth is known to survive, or is checked here."""

MAX_PIXELS = 2 * (Image.MAX_IMAGE_PIXELS or 0)
"""Where Pillow refuses an image as a decompression bomb: 179 megapixels."""

# Pillow's mode -> the mode filtered; each keeps every bit that the file has.
_MODES = {
    "1": "L", "L": "L", "LA": "LA", "La": "LA", "P": "RGB", "PA": "RGBA",
    "RGB": "RGB", "RGBX": "RGB", "RGBA": "RGBA", "RGBa": "RGBA",
    "I;16": "I;16", "I;16L": "I;16", "I;16B": "I;16", "I;16N": "I;16", "F": "F",
}  # fmt: skip

_ALONE = threading.Lock()


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
        import numpy as np

        values = self._pixels[window.rows, window.cols].transpose(2, 0, 1).astype(np.float32)
        if self.dtype.kind == "u":
            values /= np.float32(np.iinfo(self.dtype).max)
        return values


def open_image(
    source: str,
    *,
    max_pixels: int | None = None,
    meanwhile: Callable[[], object] = lambda: None,
) -> ImageReader:
    """Decode an image from a file, or from stdin for "-"; its content tells its format.

    Args:
        source: a file's name, or "-".
        max_pixels: how large an image may be; default MAX_PIXELS.
        meanwhile: called in a thread while Pillow decodes; what it raises is lost.

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
        if (frames := getattr(image, "n_frames", 1)) > 1:
            message = f"holds {frames} frames or pages; only the first is filtered"
            warnings.warn(message, SvfilterWarning, stacklevel=2)
        _refuse_loss(image, name)
        _scale_key(image)
        _feed_at_once(image)
        with ThreadPoolExecutor(1) as pool:
            pool.submit(meanwhile)
            image.load()
        vars(image).pop("load_read", None)  # which holds the image that holds it
        metadata, orientation = read_metadata(image)
        pixels = _upright(_as_filtered(image), orientation)
    return ImageReader(name, image.format or "", pixels, metadata)


def resize(plane: Array, height: int, width: int) -> Array:
    """Resize [H, W] floats with a triangle filter, antialiased when the size shrinks."""
    import numpy as np

    image = Image.fromarray(np.ascontiguousarray(plane, dtype=np.float32))
    return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR))


@contextmanager
def _decoding(name: str) -> Iterator[None]:
    """Let nothing of a decoder through but an ImageReadError or SvfilterWarnings.

    Pillow's limit of pixels is lifted meanwhile. It and the filters of warnings belong to the
    whole process, so that one image is decoded at a time.
    """
    with _ALONE, warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always", UserWarning)
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        except ImageReadError:
            raise
        except UnidentifiedImageError as error:
            raise ImageReadError(
                f"{name}: is not an image that can be read; the formats are "
                f"{', '.join(READABLE)} (of TIFF: 1, 8 and 16-bit integers and grey 32-bit floats)"
            ) from error
        except Exception as error:  # what a decoder raises on damaged bytes is of any kind
            raise ImageReadError(f"{name}: is truncated or damaged: {error}") from error
        finally:
            Image.MAX_IMAGE_PIXELS = limit
    for message, kind in dict.fromkeys(
        (str(w.message), w.category) for w in heard if issubclass(w.category, UserWarning)
    ):
        ours = issubclass(kind, SvfilterWarning)
        what = "" if ours else "is damaged outside its pixels, in EXIF or the like: "
        warnings.warn(f"{name}: {what}{message}", SvfilterWarning, stacklevel=4)


def _refuse_loss(image: Image.Image, name: str) -> None:
    """Refuse, before decoding, what Pillow can only give with fewer bits or other values."""
    stored = _stored_as(image)
    if image.format == "TIFF" and (lost := _tiff_loss(image, stored)):
        pass
    elif (image.format == "PNG" and ";16" in stored and image.mode != "I;16") or (
        image.format == "PPM" and image.mode == "RGB" and _maxval(image) > 255
    ):
        lost = "16-bit colour, which would be cut to 8 bits"
    elif image.mode == "I;16" and "transparency" in image.info:
        lost = "16-bit grey with a transparent value, which would be lost"
    elif image.mode not in _MODES and not (image.mode == "I" and image.format == "PPM"):
        lost = f"{image.mode} pixels ({stored or image.format})"
    else:
        return
    raise ImageReadError(
        f"{name}: holds {lost}; only 8-bit grey and RGB with or without alpha, palettes, "
        "16-bit grey and grey floats are read without loss. Convert it first"
    )


def _tiff_loss(image: Image.Image, stored: str) -> str:
    """Say what Pillow would lose or take for something else; "" where it is right."""
    tags = image.tag_v2  # type: ignore[attr-defined]
    bits, white_is_0 = max(tags.get(258, (1,))), tags.get(262, 0) == 0
    # (photometric, samples, bits, fill order) of which Pillow joins planes rightly: grey, RGB, RGBA
    layout = (tags.get(262, 0), tags.get(277, 1), bits, tags.get(266, 1))
    joined = tags.get(284, 1) == 1 or layout in ((1, 1, 8, 1), (2, 3, 8, 1), (2, 4, 8, 1))
    losses = {
        "signed integers": 2 in tags.get(339, ()),
        "12-bit values, which would be taken for 16 bits": bits == 12,
        "16-bit colour, which would be cut to 8 bits": bits > 8 and image.mode in ("RGB", "RGBA"),
        "deep values of which 0 is white, which would be inverted": bits > 8 and white_is_0,
        "a channel that is not said to be alpha, which would be lost": 0 in tags.get(338, ()),
        "planes that would not be joined": not joined,
        "compressed floats in the byte order that would be read wrongly": (
            stored == "F;32BF" and image.info["compression"] != "raw"
        ),
        "a raw photo, of which only the preview would be read": tags.get(254, 0) & 1
        and 330 in tags,
    }
    return next((loss for loss, happens in losses.items() if happens), "")


def _stored_as(image: Image.Image) -> str:
    """Give Pillow's name for the layout of the bytes in the file, such as "RGB;16B"."""
    layout = image.tile[0].args if getattr(image, "tile", None) else ""  # type: ignore[attr-defined]
    return str(layout[0] if isinstance(layout, tuple) and layout else layout)


def _maxval(image: Image.Image) -> int:
    layout = image.tile[0].args  # type: ignore[attr-defined]
    return int(layout[1]) if isinstance(layout, tuple) else 255  # (mode, maxval)


def _feed_at_once(image: Image.Image) -> None:
    """Hand a decoder all its data in one piece.

    Pillow's pieces have 64 KB at most, and after each of them it would wait for the interpreter's
    lock, which another thread holds while it imports.
    """
    read = getattr(image, "load_read", None)  # of PNG and JPEG
    if read is None:
        return

    def read_all(_: int) -> bytes:
        pieces = []
        with suppress(OSError, SyntaxError, struct.error):  # the decoder tells what it misses
            while piece := read(2**30):
                pieces.append(piece)
        return b"".join(pieces)

    image.load_read = read_all  # type: ignore[attr-defined]


def _scale_key(image: Image.Image) -> None:
    """Scale a PNG's transparent grey as its pixels are, which Pillow forgets for 2 and 4 bits."""
    step = {"L;2": 85, "L;4": 17}.get(_stored_as(image), 1)
    if step > 1 and "transparency" in image.info:
        image.info["transparency"] *= step


def _as_filtered(image: Image.Image) -> Array:
    """Convert palettes, bits and transparent values to channels; the values stay."""
    import numpy as np

    mode = _MODES.get(image.mode, "I;16")
    if mode == "I;16":  # of any byte order, or 16 bits in 32
        return np.asarray(image).astype(np.uint16)
    if "transparency" in image.info and mode in ("L", "RGB"):
        mode += "A"
    return np.asarray(image if image.mode == mode else image.convert(mode))


def _upright(pixels: Array, orientation: int) -> Array:
    """Turn pixels [H, W, ...] as EXIF's orientation, 1 to 8, says that they are meant."""
    if orientation in (5, 6, 7, 8):
        pixels = pixels.swapaxes(0, 1)
    rows = -1 if orientation in (3, 4, 7, 8) else 1
    cols = -1 if orientation in (2, 3, 6, 7) else 1
    return pixels[::rows, ::cols]
