"""What an image looks like, made small while its rows go by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from svfilter.looking.shrinking import Shrinking
from svfilter.maps.channels import light

if TYPE_CHECKING:
    from svfilter.images.layout import Layout
    from svfilter.kernels.base import Array

_BOARD, _SQUARE = (0.55, 0.75), 8
"""Greys of the chequerboard behind what is transparent, and pixels of its squares' sides."""
_SHARE = 1.0
"""Per cent of a picture's values at either end that do not count for the range that is shown."""


class Appearance:
    """Takes an image's rows and ends with how it looks.

    Colours are shown as they are encoded; of bands it is their mean.
    """

    def __init__(self, layout: Layout, picture: tuple[int, int]) -> None:
        """Begin; `picture` is its rows and columns."""
        self._layout = layout
        count = 3 if layout.colour in ("rgb", "cmyk") else 1
        size = (layout.height, layout.width)
        self._shrinking = Shrinking(count + bool(layout.alpha), size, picture)

    def add(self, pixels: Array) -> None:
        """Take the next rows, [C, some, w], as `ImageReader.read` gives them."""
        import numpy as np

        layout = self._layout
        colours = pixels[: layout.colours]
        with np.errstate(all="ignore"):  # what is not finite is seen at the end
            colours = light(colours, layout)
            if layout.colour == "bands":
                colours = colours.mean(axis=0, keepdims=True, dtype=np.float64)
            if layout.alpha == "straight":
                colours = colours * pixels[-1]
        if layout.alpha:
            colours = np.concatenate([colours, pixels[-1:]])
        self._shrinking.add(colours)

    def end(self) -> Seen:
        """Give what was seen."""
        planes = self._shrinking.end()
        return Seen(planes[:-1], planes[-1]) if self._layout.alpha else Seen(planes)


@dataclass(frozen=True)
class Seen:
    """An image at the size of a picture."""

    colours: Array
    """[1 or 3, H, W], times alpha; of any range."""
    alpha: Array | float = 1.0
    """[H, W]."""

    def beyond(self, span: tuple[float, float]) -> bool:
        """Tell whether values are cut where it is shown."""
        return bool(((self.colours < span[0]) | (self.colours > span[1])).any())

    def picture(self, span: tuple[float, float] = (0, 1)) -> Array:
        """Give it, uint8 [H, W, 3], over a chequerboard where it is transparent.

        Args:
            span: the values that become black and white; what is beyond is cut, NaN is black.
        """
        import numpy as np

        low, high = span
        with np.errstate(invalid="ignore"):
            shown = np.clip((self.colours - low * self.alpha) / (high - low), 0, self.alpha)
            shown = shown + (1 - self.alpha) * _board(self.colours.shape[1:])
        shown = np.broadcast_to(np.nan_to_num(shown), (3, *shown.shape[1:]))
        return np.rint(255 * np.clip(shown, 0, 1)).astype(np.uint8).transpose(1, 2, 0)


def span_of(*seen: Seen) -> tuple[float, float]:
    """Give values for black and white that suit images: 0 and 1, or farther apart.

    They are as far out as all values but a hundredth at either end.
    """
    import numpy as np

    values = np.concatenate([one.colours.ravel() for one in seen])
    values = values[np.isfinite(values)]
    if not values.size or (values.min() >= 0 and values.max() <= 1):
        return 0.0, 1.0
    low, high = np.percentile(values, [_SHARE, 100 - _SHARE])
    return min(float(low), 0.0), max(float(high), 1.0)


def _board(size: tuple[int, ...]) -> Array:
    import numpy as np

    rows, columns = (np.arange(side) // _SQUARE for side in size)
    return np.where((rows[:, None] + columns) % 2, *_BOARD)
