"""PNG and JPEG, row by row: OpenImageIO decodes, and what it is silent about is checked."""

from __future__ import annotations

import re
import shutil
import struct
import tempfile
import warnings
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import OpenImageIO

from svfilter.errors import ImageReadError, SvfilterWarning
from svfilter.images.decoders.base import Decoder
from svfilter.images.layout import Alpha, Colour, Layout, Storage
from svfilter.images.metadata import jpeg, png

if TYPE_CHECKING:
    from svfilter.kernels.base import Array

_BLOCK = 2**19
"""Bytes decoded at a time, or as many rows as belong together."""
SLACK = 2**20
"""Bytes that the libraries take beside what depends on the image."""
_FORMATS = {"u1": "uint8", "u2": "uint16", "f2": "half", "f4": "float"}

# Of a JPEG with a gain map, by which OpenImageIO would make it an HDR picture.
_GAIN_MAP = re.compile(rb"urn:iso:std:|http://ns\.adobe\.com/xap/1\.0/\0.*hdrgm:Version", re.DOTALL)
# Which tables the components of a JPEG may use so that a list of them says it.
_TABLES_OF = ((0,), (0, 0, 0), (0, 1, 1), (0, 1, 2), (0, 0, 0, 0))
_SUBSAMPLINGS: dict[tuple[float, float], str] = {
    (1, 1): "4:4:4", (2, 1): "4:2:2", (2, 2): "4:2:0", (1, 2): "4:4:0", (4, 1): "4:1:1",
    (4, 2): "4:1:0",
}  # fmt: skip
# The places of a block's coefficients, row by row, in JPEG's order.
_DIAGONALS = sorted(
    range(64), key=lambda n: (n // 8 + n % 8, n // 8 if (n // 8 + n % 8) % 2 else n % 8)
)

OpenImageIO.attribute("threads", 1)  # who decodes has threads of its own
OpenImageIO.attribute(
    "limits:imagesize_MB", 0
)  # it counts whole images, and here rows are in memory


class RowDecoder(Decoder):
    """Rows by OpenImageIO, which is not trusted to have understood the file.

    It knows a file by its suffix first, turns some pixels into others and tells of damage only
    when it is asked: all that is compared with the header that we read. Nothing is opened before
    the first rows are asked for, because libjpeg decodes some files whole when it opens them.
    """

    in_order: ClassVar[bool] = True
    kind: ClassVar[str]
    """OpenImageIO's name of the format."""

    def __init__(self, path: str, layout: Layout, *, together: int = 1) -> None:
        self._path = path
        self._input: OpenImageIO.ImageInput | None = None
        self._top = 0
        self.layout = layout
        self.block = max(_BLOCK // (layout.row_bytes * together), 1) * together

    def rows(self, start: int, stop: int) -> Array:
        """Decode the next rows."""
        if self._input is None:
            self._input = self._opened(self._path)
            self._top = self._input.spec().y
        rows = self._read(self._input, start, stop)
        if rows is None or self._input.has_error:
            raise ValueError(_reason(self._input.geterror(), self._path))
        return rows.reshape(stop - start, self.layout.width, self.layout.channels)

    def _read(self, opened: OpenImageIO.ImageInput, start: int, stop: int) -> Array | None:
        top, channels = self._top, self.layout.channels
        return opened.read_scanlines(top + start, top + stop, 0, 0, channels, self._format)

    @property
    def _format(self) -> str:
        return _FORMATS[self.layout.dtype.str[1:]]

    def _opened(self, path: str) -> OpenImageIO.ImageInput:
        """Open the file.

        Raises:
            ValueError: OpenImageIO finds it damaged, or not what its header says.
        """
        config = OpenImageIO.ImageSpec()
        config.attribute("oiio:UnassociatedAlpha", 1)
        opened = OpenImageIO.ImageInput.open(path, config)
        if opened is None:
            raise ValueError(_reason(OpenImageIO.geterror(), path))
        spec, layout = opened.spec(), self.layout
        size = spec.height, spec.width, spec.nchannels
        found = opened.format_name(), *size, str(spec.format)
        stored = self.kind, layout.height, layout.width, layout.channels, self._format
        if opened.has_error or found != stored:
            error = opened.geterror() or f"{found} was found where {stored} is stored"
            opened.close()
            raise ValueError(_reason(error, path))
        return opened

    def close(self) -> None:
        """Let go of the file."""
        if self._input is not None:
            self._input.close()
            self._input = None


class PngDecoder(RowDecoder):
    """PNG of any kind: fewer bits than 8 become 8, palettes RGB, transparent values alpha.

    libpng checks the checksum of every byte of the pixels.
    """

    kind = "png"
    _LARGEST_SIDE = 1_000_000  # of libpng, as it is built everywhere

    def __init__(self, path: str) -> None:
        with Path(path).open("rb") as file:
            header = png.read(file)
        if (side := max(header.width, header.height)) > self._LARGEST_SIDE:
            raise ImageReadError(
                f"is a PNG with a side of {side} pixels, more than the {self._LARGEST_SIDE} that "
                "libpng reads; cut it in two or convert it to TIFF"
            )
        if header.animated:
            _warn("is animated; only its first picture is filtered")
        if not header.complete:
            _warn("is damaged outside its pixels, or cut: its end is missing")
        colour: Colour = "grey" if header.colour_type in (0, 4) else "rgb"
        alpha: Alpha = "straight" if header.colour_type > 3 or header.transparency else ""
        channels = (1 if colour == "grey" else 3) + bool(alpha)
        dtype = np.dtype("u2" if header.bits == 16 else "u1")
        super().__init__(path, Layout(header.height, header.width, channels, dtype, colour, alpha))
        self.metadata, self.orientation = header.metadata, header.orientation
        self.storage = Storage("png")
        whole = header.height * self.layout.row_bytes if header.interlaced else 0
        self.memory = whole + 4 * self.layout.row_bytes + SLACK


class JpegDecoder(RowDecoder):
    """Grey and RGB JPEG of 8 bits.

    What libjpeg only warns of is an error here: it fills with grey what is missing. JPEG has no
    checksums, so that damage which leaves the codes in step shows in the picture alone.
    """

    kind = "jpeg"

    def __init__(self, path: str) -> None:
        with Path(path).open("rb") as file:
            header = jpeg.read(file)
        if header.precision != 8 or header.hierarchical or header.components not in (1, 3):
            raise ImageReadError(
                f"is a JPEG of {header.components} channels of {header.precision} bits"
                f"{', hierarchical' * header.hierarchical}; only grey, RGB and CMYK of 8 bits are "
                "read. Convert it to PNG or TIFF"
            )
        colour: Colour = "grey" if header.components == 1 else "rgb"
        layout = Layout(header.height, header.width, header.components, np.dtype("u1"), colour)
        super().__init__(path, layout)
        self._copy: str | None = None
        self.metadata, self.orientation = header.metadata, header.orientation
        self.storage = Storage("jpeg", jpeg_options(header))
        whole = coefficient_bytes(header) if header.progressive else 0
        self.memory = whole + 64 * layout.row_bytes + SLACK

    def _opened(self, path: str) -> OpenImageIO.ImageInput:
        """Open the file, or a copy without metadata where that stands in the way.

        OpenImageIO makes an HDR picture of one with a gain map. And libjpeg tells of its first
        trouble only, so that none may be left when the pixels begin.
        """
        with Path(path).open("rb") as file:
            segments = list(jpeg.walk(file))
            if not any(_GAIN_MAP.match(data) for _, data in segments):
                with suppress(ValueError):
                    return super()._opened(path)
            with tempfile.NamedTemporaryFile(suffix=".jpg", delete=False) as copy:
                self._copy = copy.name
                copy.write(b"\xff\xd8")
                for marker, data in segments:
                    if marker < 0xE0 or data.startswith((b"JFIF\0", b"Adobe")):
                        copy.write(struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data)
                copy.write(b"\xff\xda")
                shutil.copyfileobj(file, copy, 2**20)
        return super()._opened(self._copy)

    def close(self) -> None:
        """Let go of the file."""
        super().close()
        if self._copy is not None:
            Path(self._copy).unlink(missing_ok=True)
            self._copy = None


def check_entropy(path: str, height: int) -> None:
    """Raise ValueError if a JPEG's pixels are damaged, for who decodes without being told of it."""
    opened = OpenImageIO.ImageInput.open(path)
    if opened is None:
        raise ValueError(_reason(OpenImageIO.geterror(), path))
    with closing(opened):
        channels = opened.spec().nchannels
        for start in range(0, height, 64):
            opened.read_scanlines(start, min(start + 64, height), 0, 0, channels, "uint8")
            if opened.has_error:
                raise ValueError(_reason(opened.geterror(), path))


def _reason(error: str, path: str) -> str:
    """Give the first thing that OpenImageIO says, without the file's name."""
    first = error.partition("\n")[0]
    names = rf' \("[^"]*"\)| \({re.escape(path)}\)'
    return re.sub(names, "", first) or "it cannot be decoded"


def jpeg_options(header: jpeg.JpegHeader) -> dict[str, Any]:
    """Give how a JPEG is stored, in the words of Pillow's encoder."""
    options: dict[str, Any] = {"progressive": header.progressive}
    if header.table_of in _TABLES_OF and header.tables:
        options["tables"] = [
            [value for _, value in sorted(zip(_DIAGONALS, table, strict=True))]
            for table in header.tables
        ]
    luma, *chroma = header.sampling[:3]
    if len(set(chroma)) == 1 and header.components == 3:
        steps = luma[0] / chroma[0][0], luma[1] / chroma[0][1]
        if steps in _SUBSAMPLINGS:
            options["subsampling"] = _SUBSAMPLINGS[steps]
    return options


def coefficient_bytes(header: jpeg.JpegHeader) -> int:
    """Give the memory of all coefficients, which libjpeg holds of a progressive JPEG."""
    most = [max(sizes) for sizes in zip(*header.sampling, strict=True)]
    return sum(
        -(-header.width * across // (8 * most[0])) * -(-header.height * down // (8 * most[1])) * 128
        for across, down in header.sampling
    )


def _warn(message: str) -> None:
    warnings.warn(message, SvfilterWarning, stacklevel=3)
