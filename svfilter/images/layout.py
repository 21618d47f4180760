"""What pixels are, and how a file stores them: words that decoders and encoders share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np

Colour = Literal["grey", "rgb", "cmyk", "bands"]
"""What the channels before alpha are; "bands" are any number of unnamed ones."""
Alpha = Literal["", "straight", "associated"]
"""Whether the last channel is alpha, and whether the colours are stored times alpha."""

COLOURS: dict[Colour, int] = {"grey": 1, "rgb": 3, "cmyk": 4}
"""The number of channels of a colour space; of "bands" there can be any."""


@dataclass(frozen=True)
class Layout:
    """The size and kind of an image's pixels."""

    height: int
    width: int
    channels: int
    """With alpha."""
    dtype: np.dtype[Any]
    """As stored, in this machine's byte order: u1 u2 u4 i1 i2 i4 f2 f4 f8. Integers mean
    value / the type's largest; a file of fewer bits is scaled to the type's full range."""
    colour: Colour
    alpha: Alpha = ""

    @property
    def colours(self) -> int:
        """The number of channels before alpha."""
        return self.channels - bool(self.alpha)

    @property
    def words(self) -> str:
        """What a user calls such pixels, as in "16-bit RGB with alpha"."""
        bits, kind = 8 * self.dtype.itemsize, {"f": " float", "i": " signed"}
        names = {"grey": "grey", "rgb": "RGB", "cmyk": "CMYK", "bands": f"{self.colours} bands"}
        alpha = {"": "", "straight": " with alpha", "associated": " with associated alpha"}
        return f"{bits}-bit{kind.get(self.dtype.kind, '')} {names[self.colour]}{alpha[self.alpha]}"

    @property
    def row_bytes(self) -> int:
        """Bytes of a row of pixels."""
        return self.width * self.channels * self.dtype.itemsize


@dataclass(frozen=True)
class Storage:
    """How a file keeps its pixels: what a file of the same format written after it follows."""

    format: str
    """A key of FORMATS, or what was read and cannot be written."""
    options: dict[str, Any] = field(default_factory=dict)
    """In the words of the format's encoder, such as {"compression": "lzw", "tile": (256, 256)}."""
