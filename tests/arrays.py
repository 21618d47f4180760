"""Images that come from arrays and go into arrays, where a test needs no file."""

from __future__ import annotations

from contextlib import ExitStack
from typing import ClassVar

import numpy as np

from svfilter.images.decoders.base import Decoder
from svfilter.images.layout import Alpha, Colour, Layout, Storage
from svfilter.images.metadata import Metadata
from svfilter.images.reading import ImageReader

KINDS: dict[int, tuple[Colour, Alpha]] = {
    1: ("grey", ""), 2: ("grey", "straight"), 3: ("rgb", ""), 4: ("rgb", "straight"),
}  # fmt: skip


class ArrayDecoder(Decoder):
    """Rows of an array [H, W] or [H, W, C], handed out in order unless `any_order`."""

    in_order: ClassVar[bool] = True

    def __init__(
        self,
        pixels: np.ndarray,
        *,
        colour: Colour | None = None,
        alpha: Alpha | None = None,
        orientation: int = 1,
        block: int = 1,
        metadata: Metadata = Metadata(),
    ) -> None:
        self.pixels = pixels[..., None] if pixels.ndim == 2 else pixels
        height, width, channels = self.pixels.shape
        usual = KINDS.get(channels, ("bands", ""))
        self.layout = Layout(
            height, width, channels, self.pixels.dtype, colour or usual[0],
            usual[1] if alpha is None else alpha,
        )  # fmt: skip
        self.metadata, self.storage = metadata, Storage("array")
        self.orientation, self.block, self.memory = orientation, block, 0
        self.asked: list[tuple[int, int]] = []
        self.closed = False

    def rows(self, start: int, stop: int) -> np.ndarray:
        assert not self.in_order or start == (self.asked[-1][1] if self.asked else 0)
        assert 0 <= start < stop <= self.layout.height
        self.asked.append((start, stop))
        return self.pixels[start:stop]

    def close(self) -> None:
        self.closed = True


class AnyOrder(ArrayDecoder):
    """The same in any order."""

    in_order: ClassVar[bool] = False


def reader(pixels: np.ndarray, name: str = "image.png", **options: object) -> ImageReader:
    """Give an array as an image that is read."""
    return ImageReader(name, ArrayDecoder(pixels, **options), ExitStack())
