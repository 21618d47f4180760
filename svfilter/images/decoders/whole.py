"""What can only be decoded whole: WebP, GIF, BMP, AVIF and CMYK JPEG; by plugins HEIC and raw."""

from __future__ import annotations

import re
import struct
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from PIL import Image

from svfilter.errors import ImageReadError, SvfilterWarning
from svfilter.images.decoders.base import Decoder
from svfilter.images.decoders.heif import avif_bits, open_heif, to_full_range, warn_of_colours
from svfilter.images.decoders.picture import MODES, Picture, plugin
from svfilter.images.decoders.scanlines import (
    JpegDecoder,
    check_entropy,
    coefficient_bytes,
    jpeg_options,
)
from svfilter.images.layout import Layout, Storage
from svfilter.images.metadata import Metadata, exif, jpeg

if TYPE_CHECKING:
    from svfilter.kernels.base import Array

_HEAD = 256
_BLOCK = 2**20

# Pillow's mode -> the mode that its pixels are given in.
_MODES = {"1": "L", "L": "L", "P": "RGB", "RGB": "RGB", "RGBA": "RGBA", "CMYK": "CMYK"}
# Bytes a pixel at the peak, measured: the codec's own pictures, one as bytes, and Pillow's; and how
# often the file itself is in memory.
_PEAK = {"webp": (17, 1), "avif": (14, 1), "gif": (2, 0), "bmp": (5, 0), "jpeg": (4, 0)}

_HEIF_BRANDS = {
    b"heic", b"heix", b"hevc", b"hevx", b"heim", b"heis", b"hevm", b"hevs", b"mif1", b"msf1",
}  # fmt: skip
_PILLOW = threading.Lock()


def decoder_for_jpeg(path: str) -> Decoder:
    """Open a JPEG: CMYK whole, which OpenImageIO would turn to RGB, anything else by rows."""
    with Path(path).open("rb") as file:
        components = jpeg.read(file).components
    return WholeDecoder(path) if components == 4 else JpegDecoder(path)


class WholeDecoder(Decoder):
    """A picture that is decoded at once, when rows are asked for first.

    Raises:
        ImageReadError: it is of no kind that is known, or of one that needs another package.
    """

    in_order: ClassVar[bool] = False

    def __init__(self, path: str) -> None:
        with Path(path).open("rb") as file:
            head = file.read(_HEAD)
        picture = _picture(path, head)
        self.layout, self.storage = picture.layout, picture.storage
        self.metadata, self.orientation = picture.metadata, picture.orientation
        self.memory = picture.memory
        self.block = max(_BLOCK // self.layout.row_bytes, 1)
        self._load, self._close = picture.load, picture.close
        self._rows: Callable[[int, int], Array] | None = None
        self._alone = threading.Lock()

    def rows(self, start: int, stop: int) -> Array:
        """Give rows, in any order."""
        with self._alone:
            if self._rows is None:
                self._rows = self._load()
        layout = self.layout
        return self._rows(start, stop).reshape(stop - start, layout.width, layout.channels)

    def close(self) -> None:
        """Let go of the pixels and the file."""
        self._rows = None
        self._close()


def _picture(path: str, head: bytes) -> Picture:
    """Open a file by what it starts with."""
    for start, opener in _OPENERS.items():
        if re.match(start, head, re.DOTALL):
            return opener(path)
    brands = _brands(head)
    if brands & {b"avif", b"avis"}:
        return _avif(path)
    if brands & _HEIF_BRANDS:
        return open_heif(path)
    raise ImageReadError(
        "is not an image that can be read; the formats are PNG, JPEG, TIFF, WebP, OpenEXR, PNM, "
        "PFM, PAM, NPY, Zarr, BMP, GIF, AVIF, JPEG XL, HEIC and camera raw"
    )


def _brands(head: bytes) -> set[bytes]:
    """Give what a file of boxes says that it is."""
    if head[4:8] != b"ftyp":
        return set()
    end = min(int.from_bytes(head[:4], "big"), len(head))
    return {head[at : at + 4] for at in (8, *range(16, end, 4))}


@contextmanager
def _unlimited() -> Iterator[None]:
    """Lift Pillow's limit of pixels, which belongs to the whole process, and is not ours."""
    with _PILLOW:
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit


def _by_pillow(path: str, format: str, options: dict[str, Any] | None = None) -> Picture:
    with _unlimited():
        image = Image.open(path, formats=(format,))
    try:
        return _picture_of(image, path, Storage(format.lower(), options or {}))
    except BaseException:
        image.close()
        raise


def _picture_of(image: Image.Image, path: str, storage: Storage) -> Picture:
    with _unlimited():
        animated = getattr(image, "is_animated", False)
    if animated:
        message = "is animated; only its first picture is filtered and kept"
        warnings.warn(message, SvfilterWarning, stacklevel=2)
    if image.mode not in _MODES:
        raise ImageReadError(f"holds {image.mode} pixels; convert it to RGB")
    mode = _MODES[image.mode]
    if "transparency" in image.info and mode in ("L", "RGB"):
        mode += "A"
    channels, colour, alpha = MODES[mode]
    layout = Layout(image.height, image.width, channels, np.dtype("u1"), colour, alpha)

    def load() -> Callable[[int, int], Array]:
        with _unlimited():
            image.load()
        return rows

    def rows(start: int, stop: int) -> Array:
        with _unlimited():
            part = image.crop((0, start, image.width, stop))
        return np.asarray(part if part.mode == mode else part.convert(mode))

    metadata, orientation = _metadata(image.info)
    of_pixel, of_file = _PEAK[storage.format]
    memory = of_pixel * image.height * image.width + of_file * Path(path).stat().st_size
    return Picture(layout, storage, memory, load, metadata, orientation, image.close)


def _metadata(info: dict[Any, Any]) -> tuple[Metadata, int]:
    """Give what Pillow found beside the pixels."""
    block = (info.get("exif") or b"").removeprefix(b"Exif\0\0")
    block, packet, orientation = exif.carried(block or None, info.get("xmp") or None)
    dpi = tuple(float(d) for d in info.get("dpi", ()))
    if orientation > 4:
        dpi = dpi[::-1]
    comment = info.get("comment", b"")
    metadata = Metadata(
        icc_profile=info.get("icc_profile") or None,
        exif=block,
        xmp=packet,
        dpi=(dpi[0], dpi[1]) if len(dpi) == 2 and all(0 < d < 1e6 for d in dpi) else None,
        comments=(comment.decode("latin-1"),) if comment else (),
    )
    return metadata, orientation


def _is_lossless(path: str) -> bool:
    """Tell whether a WebP is lossless."""
    with Path(path).open("rb") as file:
        file.seek(12)
        while len(head := file.read(8)) == 8:
            kind, size = struct.unpack("<4sI", head)
            if kind in (b"VP8L", b"VP8 "):
                return bool(kind == b"VP8L")
            file.seek(size + size % 2, 1)
    return False


def _cmyk_jpeg(path: str) -> Picture:
    """Open a JPEG; Pillow inverts CMYK, as Adobe stores it, so that 255 is full ink."""
    with Path(path).open("rb") as file:
        header = jpeg.read(file)
    picture = _by_pillow(path, "JPEG", jpeg_options(header))

    def load() -> Callable[[int, int], Array]:
        check_entropy(path, header.height)
        return picture.load()

    return replace(
        picture,
        load=load,
        memory=picture.memory + coefficient_bytes(header) * header.progressive,
        metadata=header.metadata,
        orientation=header.orientation,
    )


def _avif(path: str) -> Picture:
    """Open an AVIF; Pillow cuts more than 8 bits, so that imagecodecs decodes those."""
    picture = _by_pillow(path, "AVIF")
    warn_of_colours(path, picture.metadata)
    bits = avif_bits(path)
    if bits == 8:
        return picture
    codec = plugin("imagecodecs", "imagecodecs", f"an AVIF picture of {bits} bits")
    layout = replace(picture.layout, dtype=np.dtype("u2"))
    shape = layout.height, layout.width, layout.channels

    def load() -> Callable[[int, int], Array]:
        pixels = codec.avif_decode(Path(path).read_bytes())
        if pixels.ndim == 2:  # grey, which Pillow calls RGB
            pixels = np.broadcast_to(pixels[:, :, None], shape)
        if pixels.shape != shape:
            raise ValueError(f"{pixels.shape} pixels were decoded, not {shape}")
        return lambda start, stop: to_full_range(pixels[start:stop], bits)

    return replace(picture, layout=layout, load=load)


def _raw(path: str) -> Picture:
    """Open a camera's raw file, to be developed with the white balance that the camera chose."""
    rawpy = plugin("rawpy", "rawpy", "a camera's raw file")
    with rawpy.imread(path) as raw:
        sizes, grey = raw.sizes, raw.num_colors == 1
    height, width = sizes.iheight, sizes.iwidth
    if sizes.flip in (5, 6):
        height, width = width, height
    channels: int = 1 if grey else 3
    layout = Layout(height, width, channels, np.dtype("u2"), "grey" if grey else "rgb")
    message = "is a camera's raw file: it is developed in sRGB, and its metadata is not kept"
    warnings.warn(message, SvfilterWarning, stacklevel=2)

    def load() -> Callable[[int, int], Array]:
        with rawpy.imread(path) as raw:
            pixels = raw.postprocess(
                use_camera_wb=True, no_auto_bright=True, output_bps=16, gamma=(2.4, 12.92)
            )
        if pixels.shape[:2] != (height, width):
            raise ValueError(f"{pixels.shape[:2]} pixels were developed, not {(height, width)}")
        return lambda start, stop: pixels[start:stop, :, :channels]

    memory = 18 * height * width + Path(path).stat().st_size
    return Picture(layout, Storage("raw"), memory, load, Metadata())


_OPENERS: dict[bytes, Callable[[str], Picture]] = {
    b"RIFF....WEBP": lambda path: _by_pillow(path, "WEBP", {"lossless": _is_lossless(path)}),
    b"GIF8": lambda path: _by_pillow(path, "GIF"),
    b"BM": lambda path: _by_pillow(path, "BMP"),
    b"\xff\xd8\xff": _cmyk_jpeg,
    **dict.fromkeys(
        (
            rb"II\*\0", rb"MM\0\*", b"IIU\0", b"IIR[OS]", b"MMOR", b"II\x1a\0\0\0HEAPCCDR",
            b"FUJIFILM", b"FOVb", b"\0MRM", b"....ftypcrx ",
        ),
        _raw,
    ),
}  # fmt: skip
"""What opens a file by a pattern of its first bytes."""
