"""What Pillow encodes as a whole: WebP, BMP and AVIF, and HEIC by its plugin."""

from __future__ import annotations

import io
from abc import abstractmethod
from importlib import import_module
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar

import numpy as np
from PIL import Image, features

from svfilter.images.encoders.base import Encoder

if TYPE_CHECKING:
    from svfilter.images.layout import Layout
    from svfilter.images.metadata import Metadata
    from svfilter.kernels.base import Array

DEFAULT_QUALITY = 95
"""Hardly a visible loss."""
_BMP_HEADER, _LARGEST_BMP = 2**11, 2**32
_MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}


class WholeEncoder(Encoder):
    """Holds all rows until the last one is there.

    Options:
        quality: 1 to 100, if it is lossy; default 95.
        lossless: of WebP; default False, and of no effect if there is a quality.
    """

    format: ClassVar[str]
    """What Pillow calls it."""
    largest_side: ClassVar[int]
    peak: ClassVar[int]
    """Bytes for a pixel at the most, measured with 4 channels."""

    def __init__(self, file: BinaryIO, *, jobs: int) -> None:
        super().__init__(file, jobs=jobs)
        self._pixels = np.empty((0, 0, 0), np.uint8)

    def begin(self, layout: Layout, metadata: Metadata, options: dict[str, Any]) -> None:
        """Make room for the pixels."""
        if max(layout.height, layout.width) > self.largest_side:
            raise ValueError(f"its sides must be at most {self.largest_side} pixels")
        self._saved = self._save_options(metadata, options)
        self._filled = 0
        self._pixels = np.empty((layout.height, layout.width, layout.channels), layout.dtype)
        self.memory = layout.height * layout.width * self.peak

    def write(self, rows: Array) -> None:
        """Take the next rows."""
        self._pixels[self._filled : self._filled + len(rows)] = rows
        self._filled += len(rows)

    def end(self) -> None:
        """Encode the image."""
        height, width, channels = self._pixels.shape
        if self._filled < height:
            raise ValueError(f"{height - self._filled} of its rows are missing")
        mode = _MODES[channels]
        image = Image.frombuffer(mode, (width, height), self._pixels, "raw", mode, 0, 1)
        self.abandon()
        encoded = io.BytesIO()  # a file of the system Pillow could leave cut, with no error
        try:
            image.save(encoded, self.format, **self._saved)
        except RuntimeError as error:  # of the plugin, for example where x265 refuses the size
            raise ValueError(str(error)) from error
        self.file.write(encoded.getbuffer())

    def abandon(self) -> None:
        """Let go of the pixels."""
        self._pixels = np.empty((0, 0, 0), np.uint8)

    @abstractmethod
    def _save_options(self, metadata: Metadata, options: dict[str, Any]) -> dict[str, Any]:
        """Give the options of Pillow's `save`."""


class BmpEncoder(WholeEncoder):
    """Writes BMP, which holds the resolution beside the pixels."""

    format = "BMP"
    largest_side = 2**31 - 1
    peak = 12

    def begin(self, layout: Layout, metadata: Metadata, options: dict[str, Any]) -> None:
        """Make room for the pixels."""
        if layout.height * (layout.row_bytes + 3) + _BMP_HEADER >= _LARGEST_BMP:
            raise ValueError("it would be larger than the 4 GB that a BMP can have")
        super().begin(layout, metadata, options)

    def _save_options(self, metadata: Metadata, options: dict[str, Any]) -> dict[str, Any]:
        return {} if metadata.dpi is None else {"dpi": metadata.dpi}


class WebpEncoder(WholeEncoder):
    """Writes WebP, lossless if so asked for; else of colours thinned to a quarter."""

    format = "WEBP"
    largest_side = 16383
    peak = 40

    def _save_options(self, metadata: Metadata, options: dict[str, Any]) -> dict[str, Any]:
        if options.get("lossless") and "quality" not in options:
            # Colours are kept where nothing is seen of them.
            return {"lossless": True, "exact": True, **_described(metadata)}
        return {"quality": options.get("quality", DEFAULT_QUALITY), **_described(metadata)}


class AvifEncoder(WholeEncoder):
    """Writes AVIF of 8 bits, with colours as fine as they are."""

    format = "AVIF"
    largest_side = 32768
    """Beyond it libavif, which wrote the file, refuses to read it."""
    peak = 48

    def _save_options(self, metadata: Metadata, options: dict[str, Any]) -> dict[str, Any]:
        if not features.check("avif"):
            raise ValueError("this Pillow was built without AVIF")
        quality = options.get("quality", DEFAULT_QUALITY)
        return {"quality": quality, "subsampling": "4:4:4", **_described(metadata)}


class HeicEncoder(WholeEncoder):
    """Writes HEIC of 8 bits, with colours as fine as they are."""

    format = "HEIF"
    largest_side = 16384
    peak = 64

    def _save_options(self, metadata: Metadata, options: dict[str, Any]) -> dict[str, Any]:
        try:
            import_module("pillow_heif").register_heif_opener()
        except ImportError as error:
            raise ValueError("it needs a package: pip install pillow-heif") from error
        quality = options.get("quality", DEFAULT_QUALITY)
        return {"quality": quality, "chroma": 444, **_described(metadata)}


def _described(metadata: Metadata) -> dict[str, bytes]:
    """Give a picture's metadata as Pillow's options."""
    exif = None if metadata.exif is None else b"Exif\0\0" + metadata.exif
    said = {"icc_profile": metadata.icc_profile, "exif": exif, "xmp": metadata.xmp}
    return {key: value for key, value in said.items() if value is not None}
