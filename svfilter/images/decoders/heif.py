"""HEIC through pillow_heif, and what the boxes of HEIC and AVIF say that Pillow does not."""

from __future__ import annotations

import re
import struct
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from svfilter.errors import SvfilterWarning
from svfilter.images.decoders.picture import MODES, Picture, plugin
from svfilter.images.layout import Layout, Storage
from svfilter.images.metadata import Metadata, exif

if TYPE_CHECKING:
    from collections.abc import Callable

    from svfilter.kernels.base import Array

_LARGEST_BOX = 2**24
_COLOUR = re.compile(rb"colrnclx(..)(..)", re.DOTALL)
_AV1_BITS = (8, 8, 10, 12)
# Primaries and transfer that are sRGB's, unknown, or as good as sRGB's.
_USUAL = {(primaries, transfer) for primaries in (1, 2) for transfer in (1, 2, 6, 13)}
_PEAK = 3
"""Times that the pixels are held at the peak: as they are, as bytes, and by the codec."""


def avif_bits(path: str) -> int:
    """Give the bits of an AVIF's channels, of the deepest one."""
    found = re.findall(rb"av1C..(.)", _description(path), re.DOTALL)
    return max((_AV1_BITS[flags[0] >> 5 & 3] for flags in found), default=8)


def warn_of_colours(path: str, metadata: Metadata) -> None:
    """Warn of colours that are stated by numbers alone, which are not carried."""
    found = _COLOUR.search(_description(path))
    if found is None or metadata.icc_profile is not None:
        return
    stated = struct.unpack(">HH", found[1] + found[2])
    if stated not in _USUAL:
        message = (
            "states its colours by numbers, not by an ICC profile: primaries {}, transfer {}; they "
            "are left out, and the colours will be taken for sRGB"
        )
        warnings.warn(message.format(*stated), SvfilterWarning, stacklevel=2)


def _description(path: str) -> bytes:
    """Give the boxes that describe what is in the file."""
    with Path(path).open("rb") as file:
        return b"".join(_boxes(file))


def _boxes(file: BinaryIO) -> list[bytes]:
    found = []
    while len(head := file.read(8)) == 8:
        size, kind = struct.unpack(">I4s", head)
        size -= 8
        if size == 1 - 8:
            size = int.from_bytes(file.read(8), "big") - 16
        if kind in (b"meta", b"moov"):
            found.append(file.read(_LARGEST_BOX if size < 0 else min(size, _LARGEST_BOX)))
            size -= len(found[-1])
        if size < 0:  # to the end, or damaged
            break
        file.seek(size, 1)
    return found


def open_heif(path: str) -> Picture:
    """Open the main picture of a file; the orientation that it states is applied by libheif."""
    package = plugin("pillow_heif", "pillow-heif", "a HEIC picture")
    pictures = package.open_heif(path, convert_hdr_to_8bit=False, hdr_to_16bit=False)
    if len(pictures) > 1:
        message = f"holds {len(pictures)} pictures; only the main one is filtered and kept"
        warnings.warn(message, SvfilterWarning, stacklevel=2)
    picture = pictures[pictures.primary_index]
    mode, _, depth = picture.mode.partition(";")
    channels, colour, alpha = MODES[mode]
    bits = int(depth or 8)
    width, height = picture.size
    layout = Layout(height, width, channels, np.dtype("u2" if bits > 8 else "u1"), colour, alpha)

    def load() -> Callable[[int, int], Array]:
        pixels = np.asarray(picture)
        if pixels.shape[:2] != (height, width):
            raise ValueError(f"{pixels.shape[:2]} pixels were decoded, not {(height, width)}")
        return lambda start, stop: to_full_range(pixels[start:stop], bits)

    info = picture.info
    block, packet, _ = exif.carried(
        (info.get("exif") or b"").removeprefix(b"Exif\0\0") or None, info.get("xmp")
    )
    metadata = Metadata(icc_profile=info.get("icc_profile"), exif=block, xmp=packet)
    warn_of_colours(path, metadata)
    memory = _PEAK * height * layout.row_bytes + 2 * Path(path).stat().st_size
    return Picture(layout, Storage("heif"), memory, load, metadata)


def to_full_range(rows: Array, bits: int) -> Array:
    """Scale values of some bits to those of the type that holds them."""
    if bits in (8, 16):
        return rows
    most = 2**bits - 1
    scaled: Array = (rows.astype(np.uint32) * 65535 + most // 2) // most
    return scaled.astype(np.uint16)
