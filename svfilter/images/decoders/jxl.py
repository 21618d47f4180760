"""JPEG XL: the header is ours, OpenImageIO decodes it whole."""

from __future__ import annotations

import shutil
import tempfile
import warnings
from pathlib import Path
from typing import BinaryIO, NamedTuple

import numpy as np

from svfilter.errors import ImageReadError, SvfilterWarning
from svfilter.images.decoders.scanlines import SLACK, RowDecoder
from svfilter.images.layout import Alpha, Layout, Storage
from svfilter.images.metadata import Metadata, exif

_CODESTREAM = b"\xff\x0a"
_CONTAINER = b"\0\0\0\x0cJXL \r\n\x87\n"
_HEADER = 4096
_LARGEST_BOX = 2**26
_LARGEST = 2**28
_LEAST = 128
"""Bytes by which OpenImageIO recognizes a JPEG XL."""

# How numbers are coded: by 2 bits, one of four ways, each of so many bits more and an offset.
_SIZES = ((9, 1), (13, 1), (18, 1), (30, 1))
_DEPTHS = ((0, 8), (0, 10), (0, 12), (6, 1))
_FLOAT_DEPTHS = ((0, 32), (0, 16), (0, 24), (6, 1))
_COUNTS = ((0, 0), (0, 1), (4, 2), (12, 1))
_CHOICES = ((0, 0), (0, 1), (4, 2), (6, 18))
_SHIFTS = ((0, 0), (0, 3), (0, 4), (3, 1))
_NAMES = ((0, 0), (4, 0), (5, 16), (10, 48))
# Width / height, by the number in the header, from 1 on.
_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))


class JxlDecoder(RowDecoder):
    """JPEG XL of one picture, grey or RGB, with alpha or without.

    It is decoded when it is opened: only then is its ICC profile known. libjxl turns it upright.
    """

    kind = "jpegxl"

    def __init__(self, path: str) -> None:
        with Path(path).open("rb") as file:
            boxes = _boxes(file)
        header = _read_header(boxes.get(b"jxlc") or boxes[b"jxlp"][4:])
        if Path(path).stat().st_size < _LEAST:
            raise ImageReadError(
                f"is a JPEG XL of fewer than {_LEAST} bytes, which OpenImageIO does not open; "
                "convert it to PNG"
            )
        if header.height * header.width > _LARGEST:
            raise ImageReadError(
                f"is a JPEG XL of {header.width} x {header.height} pixels, more than the "
                f"{_LARGEST} that are decoded at once; convert it to TIFF"
            )
        alpha = header.alpha
        layout = Layout(
            header.height,
            header.width,
            (1 if header.grey else 3) + bool(alpha),
            np.dtype(header.dtype),
            "grey" if header.grey else "rgb",
            alpha,
        )
        super().__init__(path, layout)
        with tempfile.TemporaryDirectory() as folder:  # OpenImageIO wants its suffix
            named = path
            if Path(path).suffix.lower() != ".jxl":
                named = shutil.copyfile(path, str(Path(folder) / "input.jxl"))
            self._input = self._opened(named)
        profile = self._input.spec().getattribute("ICCProfile")
        block, packet, _ = exif.carried(boxes.get(b"Exif", b"")[4:] or None, boxes.get(b"xml "))
        icc_profile = None if profile is None else np.asarray(profile, np.uint8).tobytes()
        self.metadata = Metadata(icc_profile=icc_profile, exif=block, xmp=packet)
        self.storage = Storage("jxl")
        pixels = header.height * header.width
        self.memory = 2 * header.height * layout.row_bytes + 8 * pixels + SLACK


class _Header(NamedTuple):
    height: int
    width: int
    """Upright."""
    dtype: str
    grey: bool
    alpha: Alpha


class _Bits:
    """Bits of bytes, the lowest first."""

    def __init__(self, data: bytes) -> None:
        self._left = int.from_bytes(data, "little")
        self._size = 8 * len(data)

    def take(self, count: int) -> int:
        """Take so many, as a number."""
        self._size -= count
        if self._size < 0:
            raise ValueError("it ends in its header")
        value = self._left & ((1 << count) - 1)
        self._left >>= count
        return value

    def number(self, ways: tuple[tuple[int, int], ...]) -> int:
        """Take a number that is coded in one of four ways."""
        count, offset = ways[self.take(2)]
        return self.take(count) + offset


def _read_header(stream: bytes) -> _Header:
    """Understand how a codestream begins.

    Raises:
        ImageReadError: it is animated, or has channels or depths that are not read.
        ValueError: it is damaged.
    """
    if not stream.startswith(_CODESTREAM):
        raise ValueError("it does not begin as a JPEG XL does")
    bits = _Bits(stream[2:_HEADER])
    height, width = _size(bits)
    if bits.take(1):  # all is as usual
        return _Header(height, width, "u1", grey=False, alpha="")
    if bits.take(1):
        orientation = 1 + bits.take(3)
        if bits.take(1):
            _size(bits)
        if bits.take(1) or bits.take(1):
            raise ImageReadError("is an animated JPEG XL, or one with a preview; convert it to PNG")
        if orientation > 4:
            height, width = width, height
    dtype, depth = _depth(bits)
    bits.take(1)
    alpha: Alpha = ""
    extra = bits.number(_COUNTS)
    if extra:
        alpha, alpha_depth = _alpha(bits)
        if extra > 1 or alpha_depth > depth:
            raise ImageReadError(
                "is a JPEG XL with channels beside colour and alpha, or with deeper alpha; convert "
                "it to TIFF"
            )
    bits.take(1)
    grey = False
    if not bits.take(1):  # the usual colours
        bits.take(1)
        grey = bits.number(_CHOICES) == 1
    return _Header(height, width, dtype, grey, alpha)


def _size(bits: _Bits) -> tuple[int, int]:
    """Read height and width."""
    small = bits.take(1)

    def side() -> int:
        return 8 * (1 + bits.take(5)) if small else bits.number(_SIZES)

    height, ratio = side(), bits.take(3)
    if not ratio:
        return height, side()
    across, down = _RATIOS[ratio - 1]
    return height, height * across // down


def _depth(bits: _Bits) -> tuple[str, int]:
    """Read the type and bits of a channel."""
    if bits.take(1):
        depth, exponent = bits.number(_FLOAT_DEPTHS), 1 + bits.take(4)
        if (depth, exponent) == (16, 5):
            return "f2", depth
        if depth > 16:
            return "f4", depth
    else:
        depth, exponent = bits.number(_DEPTHS), 0
        if depth <= 16:
            return ("u1" if depth <= 8 else "u2"), depth
    raise ImageReadError(f"is a JPEG XL of {depth} bits, {exponent} of them exponent; convert it")


def _alpha(bits: _Bits) -> tuple[Alpha, int]:
    """Read what the first channel beside colours is: alpha, and of how many bits."""
    if bits.take(1):
        return "straight", 8
    kind = bits.number(_CHOICES)
    _, depth = _depth(bits)
    if kind:
        raise ImageReadError("is a JPEG XL with a channel beside colour and alpha; convert it")
    bits.number(_SHIFTS)
    bits.take(8 * bits.number(_NAMES))
    return ("associated" if bits.take(1) else "straight"), depth


def _boxes(file: BinaryIO) -> dict[bytes, bytes]:
    """Read the boxes that describe the picture, and how its codestream begins."""
    head = file.read(len(_CONTAINER))
    if not head.startswith(_CONTAINER):
        return {b"jxlc": head + file.read(_HEADER)}
    boxes: dict[bytes, bytes] = {}
    while len(head := file.read(8)) == 8:
        size, kind = int.from_bytes(head[:4], "big") - 8, head[4:]
        if size == 1 - 8:
            size = int.from_bytes(file.read(8), "big") - 16
        if kind == b"brob":
            _warn("holds metadata that Brotli packed; it is left out")
        end = file.tell() + size
        if kind in (b"jxlc", b"jxlp", b"Exif", b"xml "):
            stream = kind.startswith(b"jxl")
            boxes.setdefault(kind, file.read(_HEADER if stream else min(size, _LARGEST_BOX)))
        if size < 0:
            break
        file.seek(end)
    return boxes


def _warn(message: str) -> None:
    warnings.warn(message, SvfilterWarning, stacklevel=4)
