"""What others say of a file that svfilter has read: whether it holds all its pixels, and which."""

from __future__ import annotations

import io
import logging
import re
import struct
import tempfile
import warnings
import zlib
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import OpenImageIO
import tifffile
from PIL import Image, ImageFile, PngImagePlugin

from .structure import PNG, png_chunks

ImageFile.LOAD_TRUNCATED_IMAGES = False
PngImagePlugin.MAX_TEXT_CHUNK = PngImagePlugin.MAX_TEXT_MEMORY = 2**40
logging.getLogger("tifffile").addHandler(logging.NullHandler())

_SAMPLES = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_ADAM7 = (
    (0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
    (0, 1, 1, 2),
)  # fmt: skip
_SUM = "incorrect data check"
"""What zlib says of all bytes together; each of them has passed a checksum of PNG by then."""
_MISSING = re.compile("premature end of data segment|bad Huffman code|Premature end of JPEG file")
_SURE = "libjpeg: "
_LOSSY = 3
"""Steps by which two decoders of a lossy format may differ."""


class Objection(NamedTuple):
    """Why a success is doubted."""

    sure: bool
    """Whether it was certainly none."""
    why: str


def objection(format: str, data: bytes, pixels: np.ndarray | None) -> Objection | None:
    """Give what speaks against the success with a file.

    Args:
        format: of the seed, which the damage has not changed much.
        data: the file.
        pixels: what was read of it; None: unknown.
    """
    if data.startswith(PNG) and (missing := png_problem(data)):
        return Objection(not missing.endswith(_SUM), missing)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            expected = _READERS.get(format, _by_pillow)(data)
        except Exception as error:  # any that the reader may have
            sure = format == "npy" or str(error).startswith(_SURE)
            return Objection(sure, f"another reader: {type(error).__name__}: {error}")
    if expected is None or pixels is None:
        return None
    if expected.size != pixels.size:
        return Objection(False, f"another reader: {expected.shape}, not {pixels.shape}")
    if not _same(expected, pixels, _LOSSY if format == "jpeg" else 0):
        return Objection(format != "jpeg", "another reader: other pixels")
    return None


def _same(a: np.ndarray, b: np.ndarray, most: int) -> bool:
    """Compare pixels, wherever they are: an image may have been turned."""
    if a.dtype != b.dtype:
        return True
    one, other = np.sort(a, axis=None), np.sort(b, axis=None)
    if most:
        return bool(np.abs(one.astype(np.int64) - other).max() <= most)
    return np.array_equal(one, other, equal_nan=a.dtype.kind == "f")


def png_problem(data: bytes) -> str:
    """Say what a PNG lacks; nothing if its pixels are all there and sound."""
    header, packed, trouble = None, [], "it is cut"
    for at, name, held in png_chunks(data):
        stored = data[at + 8 + len(held) : at + 12 + len(held)]
        sound = stored == struct.pack(">I", zlib.crc32(name + held))
        if name in (b"IHDR", b"PLTE", b"tRNS", b"IDAT") and not sound:
            trouble = f"a wrong checksum of {name.decode()}"
            break
        if name == b"IHDR" and header is None:
            header = struct.unpack(">IIBBBBB", held)
        elif name == b"IDAT":
            packed.append(held)
        elif packed:
            trouble = "its pixels end too early"
            break
    if header is None:
        return trouble
    width, height, bits, kind, _, _, interlaced = header
    rows = [
        (-(-(height - down) // below), 1 + -(-wide * _SAMPLES[kind] * bits // 8))
        for across, down, right, below in (_ADAM7 if interlaced else ((0, 0, 1, 1),))
        if (wide := -(-(width - across) // right)) > 0
    ]
    needed = sum(count * size for count, size in rows if count > 0)
    raw, error = _inflated(b"".join(packed), needed)
    if len(raw) < needed:
        return f"bytes of pixels are missing: {error or trouble}"
    at = 0
    for count, size in rows:
        for start in range(at, at + max(count, 0) * size, size):
            if raw[start] > 4:
                return "an unknown filter"
        at += max(count, 0) * size
    return f"its pixels have another sum: {error}" if error.endswith(_SUM) else ""


def _inflated(packed: bytes, needed: int) -> tuple[bytes, str]:
    """Inflate byte by byte, to get all that comes before an error, and the error."""
    inflating, raw = zlib.decompressobj(), bytearray()
    try:
        for at in range(len(packed)):
            raw += inflating.decompress(packed[at : at + 1])
    except zlib.error as error:
        return bytes(raw[:needed]), str(error)
    return bytes(raw[:needed]), ""


def _by_pillow(data: bytes) -> np.ndarray | None:
    with Image.open(io.BytesIO(data)) as image:
        image.load()
        if "transparency" in image.info or (data.startswith(PNG) and data[24] == 16):
            return None
        if image.mode in ("1", "P"):
            image = image.convert("L" if image.mode == "1" else "RGB")  # noqa: PLW2901
        return np.asarray(image) if image.mode in ("L", "LA", "RGB", "RGBA") else None


def _by_numpy(data: bytes) -> np.ndarray:
    array: np.ndarray = np.load(io.BytesIO(data), allow_pickle=False)
    return (
        array * np.uint8(255)
        if array.dtype == bool
        else array.astype(array.dtype.newbyteorder("="))
    )


def _by_tifffile(data: bytes) -> np.ndarray | None:
    with tifffile.TiffFile(io.BytesIO(data)) as file:
        pages: list[Any] = [page for page in file.pages if not page.is_reduced]
        pixels = [page.asarray() for page in pages]
    plain = all(
        page.photometric in (1, 2, 5) and page.bitspersample % 8 == 0 and page.extrasamples != (1,)
        for page in pages
    )
    return np.concatenate([one.ravel() for one in pixels]) if plain and pages else None


def pixels_of(path: Path) -> np.ndarray | None:
    """Give all pixels of what svfilter has written."""
    if path.suffix == ".npy":
        array: np.ndarray = np.load(path)
        return array
    return _by_tifffile(path.read_bytes()) if path.suffix == ".tif" else None


def _unread(data: bytes) -> None:
    """Leave formats alone that no other reader here knows."""


def _by_libjpeg(data: bytes) -> np.ndarray | None:
    """Read by Pillow, but ask OpenImageIO what libjpeg has to say: Pillow does not pass it on."""
    with tempfile.NamedTemporaryFile(suffix=".jpg") as file:
        file.write(data)
        file.flush()
        opened = OpenImageIO.ImageInput.open(file.name)
        if opened is not None:
            opened.read_image()
            if found := _MISSING.search(opened.geterror()):
                raise ValueError(f"{_SURE}{found[0]}")
            opened.close()
    return _by_pillow(data)


_READERS: dict[str, Any] = {
    "npy": _by_numpy, "tiff": _by_tifffile, "exr": _unread, "pam": _unread, "zarr": _unread,
    "jxl": _unread, "pfm": _unread, "jpeg": _by_libjpeg,
}  # fmt: skip
