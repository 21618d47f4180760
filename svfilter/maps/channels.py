"""What one pixel of an image says: its luma, a channel, hue, saturation."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from svfilter.errors import InvalidArgument
from svfilter.tiles import Window, plan

if TYPE_CHECKING:
    from svfilter.images.layout import Layout
    from svfilter.images.reading import ImageReader
    from svfilter.kernels.base import Array

INTENSITY = "intensity"
"""The channel that is Rec. 709 luma."""
SHARES = (2126, 7152, 722)
"""Ten thousandths of red, green and blue in luma (Rec. ITU-R BT.709), of the encoded values."""
REC_709 = tuple(share / sum(SHARES) for share in SHARES)
"""The same as shares of 1."""

_PLACES = {"r": 0, "g": 1, "b": 2}
_SLAB = 16
"""Rows read and mixed at a time: few enough to stay in the processor's cache."""


@dataclass(frozen=True)
class Pick:
    """What is taken of a pixel, a number made of its channels.

    Args:
        channel: one of CHANNELS, or "1", "2" and so on for a channel by its number.
    """

    channel: str = INTENSITY

    def check(self, image: ImageReader) -> None:
        """Refuse an image that has no such thing.

        Raises:
            InvalidArgument: it has no such channel, or luma is not defined for its channels.
        """
        layout, channel = image.layout, self.channel
        if channel == INTENSITY and layout.colour == "bands":
            raise InvalidArgument(
                f"{image.name}: the intensity of {layout.channels} bands is not defined; name one "
                "of them, as in FILE:1, give a grey or RGB image as the map, or --per-channel"
            )
        if not self._is_in(layout):
            able = ", ".join(name for name in CHANNELS if Pick(name)._is_in(layout))
            raise InvalidArgument(
                f"{image.name}: has no channel {channel!r}: it is {layout.words}, of which there "
                f"are {able} and the numbers 1 to {layout.channels}"
            )

    def _is_in(self, layout: Layout) -> bool:
        channel = self.channel
        if channel.isdecimal():
            return 1 <= int(channel) <= layout.channels
        if channel == "a":
            return bool(layout.alpha)
        if channel in _PLACES:
            return layout.colour == "rgb"
        if channel in ("max", "min"):
            return True
        return channel in CHANNELS and layout.colour != "bands"

    def read(self, image: ImageReader, window: Window) -> Array:
        """Give a window's levels, [1, h, w] float32."""
        import numpy as np

        levels = np.empty((1, window.height, window.width), np.float32)
        for slab in plan(window.height, window.width, _SLAB, window.width):
            part = Window(window.row_off + slab.row_off, window.col_off, slab.height, slab.width)
            levels[:, slab.rows] = self._slab(image, part)
        return levels

    def _slab(self, image: ImageReader, window: Window) -> Array:
        import numpy as np

        layout, channel = image.layout, self.channel
        plain = (layout.colour, layout.alpha) == ("rgb", "") and layout.dtype.str[1:] in (
            "u1",
            "u2",
        )
        if channel == INTENSITY and plain:
            return _luma_of_integers(image.stored(window))
        pixels = image.read(window)
        if channel == "a" or (channel == str(layout.channels) and layout.alpha):
            return pixels[-1]
        with np.errstate(all="ignore"):  # what is not finite is refused later
            if channel.isdecimal() or channel in _PLACES:
                level = pixels[int(channel) - 1 if channel.isdecimal() else _PLACES[channel]]
                weighted = layout.alpha == "straight"
            else:
                make, kind = _MADE[channel]
                level = make(light(pixels[: layout.colours], layout))
                weighted = layout.alpha == kind or (kind == "any" and bool(layout.alpha))
            return level * pixels[-1] if weighted else level


def light(pixels: Array, layout: Layout) -> Array:
    """Give the colours [n, h, w] of an image: of inks what they leave, r = (1 − c)(1 − k)."""
    if layout.colour == "cmyk":
        return (1 - pixels[:3]) * (1 - pixels[3])
    return pixels


def _luma_of_integers(stored: Array) -> Array:
    """Give the luma of stored RGB [h, w, 3] of 8 or 16 bits, [h, w]: the nearest float32 to it."""
    import numpy as np

    total = np.zeros(stored.shape[:2], np.int32)  # at most 10000 · 65535
    for channel, share in enumerate(SHARES):
        total += np.multiply(stored[..., channel], np.int32(share), dtype=np.int32)
    # What float32 holds of 8 bits is exact: it is divided once.
    luma = total.astype(np.float32 if stored.itemsize == 1 else np.float64)
    luma /= sum(SHARES) * np.iinfo(stored.dtype).max
    return luma


def _luma(colour: Array) -> Array:
    if len(colour) == 1:
        return colour[0]
    # Pixel by pixel in one order: a matrix product would round by the window's shape.
    total = REC_709[0] * colour[0].astype("float64")
    for share, plane in zip(REC_709[1:], colour[1:], strict=True):
        total += share * plane.astype("float64")
    return total


def _saturation(colour: Array) -> Array:
    """Give (max − min) / max, 0 of black."""
    import numpy as np

    most, least = colour.max(0), colour.min(0)
    return np.divide(most - least, most, out=np.zeros_like(most), where=most > 0)


def _hue(colour: Array) -> Array:
    """Give the angle in the hexagon of hues as a share of a turn, red 0, green 1/3; 0 of greys."""
    import numpy as np

    if len(colour) == 1:
        return np.zeros_like(colour[0])
    red, green, blue = colour
    most, chroma = colour.max(0), colour.max(0) - colour.min(0)
    sixths = np.zeros_like(chroma)
    for value, ahead, behind, start in ((blue, red, green, 4), (green, blue, red, 2),
                                        (red, green, blue, 0)):  # fmt: skip
        share = np.divide(ahead - behind, chroma, out=np.zeros_like(chroma), where=chroma > 0)
        np.copyto(sixths, share + start, where=(value == most) & (chroma > 0))
    sixths += 6 * (sixths < 0)
    sixths /= 6
    return np.where(sixths < 1, sixths, np.float32(0))  # rounded up to a whole turn


_MADE: dict[str, tuple[Callable[[Array], Array], str]] = {
    INTENSITY: (_luma, "straight"),
    "hue": (_hue, "none"),
    "saturation": (_saturation, "any"),
    "max": (lambda colour: colour.max(0), "straight"),
    "min": (lambda colour: colour.min(0), "straight"),
}
"""How channels are made of colours, and of which alpha they must be weighted by it still. A hue is
no amount, and is not."""

CHANNELS: dict[str, str] = {
    INTENSITY: "luma (Rec. 709) of the encoded values",
    "r": "red",
    "g": "green",
    "b": "blue",
    "a": "alpha itself",
    "hue": "hue, red 0, green 1/3, blue 2/3",
    "saturation": "(max - min) / max of red, green and blue",
    "max": "the largest of the colours",
    "min": "the smallest of the colours",
}
"""The names of what can be taken of a pixel."""


def is_channel(name: str) -> bool:
    """Tell whether a word names a channel: one of CHANNELS, or a number from 1."""
    return name in CHANNELS or (name.isascii() and name.isdecimal() and math.inf > int(name) > 0)
