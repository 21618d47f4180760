"""Whole images, by our PNG encoder or Pillow; refused where a format cannot hold what is there."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from svfilter import devices
from svfilter.errors import ImageWriteError, InvalidArgument, SvfilterWarning
from svfilter.images.formats import FORMATS, NAMES_READ, WORDS
from svfilter.images.streams import STREAM, check_target, write_whole

if TYPE_CHECKING:
    from svfilter.images.reading import ImageReader
    from svfilter.kernels.base import Array
    from svfilter.tiles import Window

DEFAULT_QUALITY = 95
"""Of JPEG and WebP: hardly a visible loss."""
_SLAB = 16
"""Rows rounded at a time: few enough to stay in the processor's cache."""


class ImageWriter:
    """An image that is filled window by window and written when it is complete."""

    def __init__(
        self, target: str, encoder: str, like: ImageReader, options: dict[str, Any], jobs: int
    ) -> None:
        import numpy as np

        self._target = target
        self._encoder = encoder
        self._options = options
        self._jobs = jobs
        self._pixels = np.zeros((like.height, like.width, like.channels), like.dtype)

    def write(self, window: Window, planes: Array) -> None:
        """Take a window's pixels [C, h, w]: as read, integers rounded from 0..1."""
        pixels = self._pixels[window.rows, window.cols]
        for top in range(0, window.height, _SLAB):
            rows = slice(top, top + _SLAB)
            values = self._as_stored(planes[:, rows])
            for channel, plane in enumerate(values):  # much faster than all of them transposed
                pixels[rows, :, channel] = plane

    def _as_stored(self, planes: Array) -> Array:
        import numpy as np

        dtype = self._pixels.dtype
        if dtype.kind == "f":
            return planes
        levels = np.clip(planes, 0, 1)
        levels *= np.float32(np.iinfo(dtype).max)
        return np.rint(levels, out=levels).astype(dtype)

    def close(self) -> None:
        """Encode the image and put it in place.

        Raises:
            ImageWriteError: the format or the system refused.
        """
        from PIL import Image

        from svfilter.images.png import DeflateError

        encoded = io.BytesIO()
        try:
            if self._encoder == "PNG":
                self._encode_png(encoded)
            else:
                pixels = self._pixels[:, :, 0] if self._pixels.shape[2] == 1 else self._pixels
                Image.fromarray(pixels).save(encoded, self._encoder, **self._options)
        except (OSError, ValueError, DeflateError) as error:  # such as a side beyond the limit
            raise ImageWriteError(
                f"{self._target}: cannot be encoded as {self._encoder}: {error}"
            ) from error
        write_whole(self._target, encoded.getbuffer())

    def _encode_png(self, file: BinaryIO) -> None:
        from svfilter.images.png import PngEncoder, metadata_chunks

        height, width, channels = self._pixels.shape
        with PngEncoder(
            file,
            width=width,
            height=height,
            channels=channels,
            depth=8 * self._pixels.itemsize,
            chunks=metadata_chunks(**self._options),
            jobs=self._jobs,
        ) as encoder:
            encoder.write(self._pixels)


def create_image(
    target: str,
    like: ImageReader,
    *,
    inputs: list[str],
    format: str | None = None,
    quality: int | None = None,
    jobs: int | None = None,
) -> ImageWriter:
    """Prepare to write an image of the size, depth and metadata of another one.

    Everything that can be refused before the work begins is refused here.

    Args:
        target: a file's name, or "-" for stdout.
        like: the image that is filtered.
        inputs: the names of files that must not be written onto.
        format: a key of FORMATS; default: by the target's suffix, for stdout as `like`.
        quality: of a lossy format, 1 to 100; default 95.
        jobs: threads; default one for each core. The file is the same for any number.

    Raises:
        InvalidArgument: there is no such format, it cannot hold the image, or the target is an
            input or a folder.
        ImageWriteError: the target's folder is missing or may not be written into.
    """
    check_target(target, inputs)
    name = _format_name(target, format, like)
    mode = _mode(like)
    holds = FORMATS[name]
    if mode not in holds.modes:
        able = [key for key, other in FORMATS.items() if mode in other.modes]
        raise InvalidArgument(
            f"OUTPUT {target}: {name} cannot hold {WORDS[mode]}; take {' or '.join(able)}"
        )
    if quality is not None and not holds.lossy:
        raise InvalidArgument(f"--quality is for jpeg and webp, but OUTPUT {target} is {name}")
    if quality is not None and not 1 <= quality <= 100:
        raise InvalidArgument(f"--quality must be from 1 to 100, but is {quality}")
    options = _carried(target, name, like)
    if holds.lossy:
        options["quality"] = DEFAULT_QUALITY if quality is None else quality
    return ImageWriter(target, holds.pillow, like, options, devices.threads(jobs))


def _format_name(target: str, format: str | None, like: ImageReader) -> str:
    if format is not None:
        if format not in FORMATS:
            raise InvalidArgument(f"--format must be one of {', '.join(FORMATS)}, not {format}")
        return format
    if target == STREAM:
        name = NAMES_READ.get(like.format, "")
        name = "pfm" if name == "ppm" and like.dtype.kind == "f" else name
        if not name:
            raise InvalidArgument(f"OUTPUT -: {like.format} cannot be written; name a --format")
        return name
    suffix = Path(target).suffix.lower()
    for name, holds in FORMATS.items():
        if suffix in holds.suffixes:
            return name
    known = ", ".join(s for holds in FORMATS.values() for s in holds.suffixes)
    received = f"is {suffix}" if suffix else "has none"
    raise InvalidArgument(
        f"OUTPUT {target}: the suffix tells the format and must be one of {known}, but {received}; "
        "or give --format"
    )


def _carried(target: str, name: str, like: ImageReader) -> dict[str, Any]:
    """Give the metadata that the format can hold, and warn of what it cannot."""
    holds = FORMATS[name]
    carried: dict[str, Any] = {}
    for key in ("icc_profile", "exif", "dpi"):
        value = getattr(like.metadata, key)
        too_large = key == "exif" and len(value or b"") > holds.largest_exif
        if value is not None and key in holds.carries and not too_large:
            carried[key] = value
        elif value is not None and key in WORDS:
            warnings.warn(
                f"{target}: {name} cannot hold the image's {WORDS[key]}"
                f"{f' of {len(value)} bytes' if too_large else ''}; it is left out",
                SvfilterWarning,
                stacklevel=3,
            )
    return carried


def _mode(like: ImageReader) -> str:
    if like.dtype == "uint8":
        return ("L", "LA", "RGB", "RGBA")[like.channels - 1]
    return "I;16" if like.dtype == "uint16" else "F"
