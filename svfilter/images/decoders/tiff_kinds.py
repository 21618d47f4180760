"""What the values of a TIFF page mean, and how they become the values of a layout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from svfilter.errors import ImageReadError
from svfilter.images.layout import COLOURS, Alpha, Colour, Layout

if TYPE_CHECKING:
    from tifffile import TiffPage

    from svfilter.kernels.base import Array

COMPRESSIONS = {
    1: "none", 2: "ccitt", 3: "group3", 4: "group4", 5: "lzw", 7: "jpeg", 8: "deflate",
    32773: "packbits", 32946: "deflate", 34712: "jpeg2000", 34887: "lerc", 34925: "lzma",
    50000: "zstd", 50001: "webp",
}  # fmt: skip
"""TIFF's numbers -> the words of Storage."""

_WHITE_IS_0, _BLACK_IS_0, _RGB, _PALETTE, _SEPARATED, _YCBCR = 0, 1, 2, 3, 5, 6
_COLOURS: dict[int, Colour] = {
    _WHITE_IS_0: "grey",
    _BLACK_IS_0: "grey",
    _RGB: "rgb",
    _PALETTE: "rgb",
    _SEPARATED: "cmyk",
    _YCBCR: "rgb",
}
_REFUSED = {
    4: "a mask, not a picture",
    8: "Lab colour",
    9: "Lab colour",
    10: "Lab colour",
    32803: "a raw photo, whose pixels have one colour each",
    32844: "LogL values",
    32845: "LogLuv colour",
    34892: "a raw photo, whose values are the sensor's",
}
_ALPHAS: dict[tuple[int, ...], Alpha] = {(1,): "associated", (2,): "straight"}
_INK_SET = 332


@dataclass(frozen=True)
class Kind:
    """What comes out of a page, and how."""

    layout: Layout
    table: Array | None
    """Of packed integers and palettes: stored value -> value, or three."""
    inverted: bool
    """Whether 0 is white in the first channel."""

    @property
    def converts(self) -> bool:
        """Whether the values are not those that are stored."""
        return self.table is not None or self.inverted

    def convert(self, stored: Array, channel: int) -> Array:
        """Give the values [h, w, c] that stored ones mean, of which the first is a channel's."""
        if self.table is not None:
            values: Array = self.table.take(stored, axis=0)
            values = values[:, :, 0] if values.ndim == 4 else values  # palette: [h, w, 1, 3]
        else:
            values = stored
        if self.inverted and channel == 0:
            values = values.copy()
            np.invert(values[:, :, 0], out=values[:, :, 0])
        return values


def refusal(what: str, remedy: str) -> ImageReadError:
    """Give the error that says what a file holds and what can be done about it."""
    return ImageReadError(f"holds {what}, which is not read; {remedy} first")


def kind_of(page: TiffPage) -> Kind:
    """Find out what a page's values are.

    Raises:
        ImageReadError: they cannot be given without a loss.
    """
    photometric, samples = int(page.photometric), page.samplesperpixel
    _refuse_structure(page)
    dtype, table = _depth(page)
    colour, alpha = _channels(page)
    channels = samples
    if photometric == _PALETTE:
        table = _palette(page)
        dtype, channels = table.dtype, 3
    inverted = photometric == _WHITE_IS_0 and colour == "grey"
    if inverted and (dtype.kind != "u" or alpha == "associated"):
        raise refusal(f"{dtype.name} values of which 0 is white", "save it with 0 as black")
    layout = Layout(page.imagelength, page.imagewidth, channels, dtype, colour, alpha)
    return Kind(layout, table, inverted)


def _refuse_structure(page: TiffPage) -> None:
    photometric, compression = int(page.photometric), int(page.compression)
    if page.imagedepth != 1 or page.tiledepth != 1:
        raise refusal(f"a volume, {page.imagedepth} slices deep", "save its slices as pages")
    if page.imagewidth < 1 or page.imagelength < 1 or page.samplesperpixel < 1:
        raise ImageReadError(f"has {page.imagewidth} x {page.imagelength} pixels")
    if 262 not in page.tags:
        raise ImageReadError("does not say what its values mean (no PhotometricInterpretation)")
    if photometric in _REFUSED or photometric not in _COLOURS:
        what = _REFUSED.get(photometric, f"colour of TIFF's kind {photometric}")
        raise refusal(what, "convert it to RGB")
    if compression not in COMPRESSIONS:
        raise refusal(f"compression of TIFF's kind {compression}", "save it with LZW or deflate")
    if photometric == _YCBCR and (
        compression != 7 or page.samplesperpixel != 3 or page.planarconfig != 1
    ):
        raise refusal("YCbCr colour not in JPEG", "convert it to RGB")


def _depth(page: TiffPage) -> tuple[np.dtype[Any], Array | None]:
    """Give the type of the values, and the table that scales packed ones to its full range."""
    bits, dtype = page.bitspersample, page.dtype
    if isinstance(bits, tuple):
        raise refusal(f"channels of different depths, {bits}", "give them all the same")
    if dtype is not None and dtype.kind in "uif" and bits == 8 * dtype.itemsize:
        if bits < 64 or dtype.kind == "f":
            return dtype, None
    elif dtype is not None and dtype.kind in "ub" and bits <= 16:
        top = 255 if bits < 8 else 65535
        largest = 2**bits - 1
        levels = (np.arange(largest + 1) * top + largest // 2) // largest
        table = levels.astype(np.uint8 if bits < 8 else np.uint16)
        return table.dtype, table
    kinds = {1: "integers", 2: "signed integers", 3: "floats", 4: "values"}
    kind = kinds.get(int(page.sampleformat), "complex values")
    raise refusal(f"{bits}-bit {kind}", "convert it to at most 32 bits a channel")


def _channels(page: TiffPage) -> tuple[Colour, Alpha]:
    """Say what the channels are: a colour space, perhaps with alpha, or else unnamed bands."""
    photometric = int(page.photometric)
    colour = _COLOURS[photometric]
    basic = 1 if photometric == _PALETTE else COLOURS[colour]
    others = page.samplesperpixel - basic
    if photometric == _PALETTE and (others or page.extrasamples):
        raise refusal("a palette with more channels", "convert it to RGB with alpha")
    if photometric == _SEPARATED and page.tags.valueof(_INK_SET, 1) != 1:
        return "bands", ""
    if others == 0 and not page.extrasamples:
        return colour, ""
    if others == 1 and page.extrasamples in _ALPHAS:
        return colour, _ALPHAS[page.extrasamples]
    return "bands", ""


def _palette(page: TiffPage) -> Array:
    """Give the colours of a palette, of 8 bits if these are enough: [entries, 3]."""
    colours = page.colormap
    if page.dtype is None or page.dtype.kind not in "ub" or page.bitspersample > 16:
        raise refusal("a palette for values that are no integers", "convert it to RGB")
    if colours is None or colours.shape != (3, 2**page.bitspersample):
        raise ImageReadError("holds a palette that is damaged or not as long as its depth says")
    wide = np.ascontiguousarray(colours.T, dtype=np.uint16)
    if wide.max() < 256:  # some have written 8 bits into the 16, unscaled
        return wide.astype(np.uint8)
    high = wide >> 8
    # 8 bits are written times 257, or times 256
    if not (wide & 255).any() or np.array_equal(high * 257, wide):
        return high.astype(np.uint8)
    return wide
