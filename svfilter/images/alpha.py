"""Colours are weighted by their alpha while they are filtered, so that edges do not bleed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from svfilter.images.reading import ImageReader
    from svfilter.kernels.base import Array
    from svfilter.tiles import Window


class FilterPlanes:
    """The planes of an image that are filtered in place of its channels.

    Without alpha they are the channels. With alpha α and colours c they are α·c and α, and

        c'(p) = F(α·c)(p) / F(α)(p),   α'(p) = F(α)(p)

    Where F(α) is 0 nothing of a colour is visible; the pixel keeps the one that it had. When
    each channel has its own kernel F_c, α is filtered once for each of them, because numerator
    and denominator must have the same weights, and once more for α' itself.
    """

    def __init__(self, image: ImageReader, *, per_channel: bool) -> None:
        self._image = image
        self._own_kernels = per_channel

    @property
    def count(self) -> int:
        """The number of planes."""
        colours = self._image.colours
        if not self._image.has_alpha:
            return colours
        return 2 * colours + 1 if self._own_kernels else colours + 1

    def read(self, window: Window) -> Array:
        """Give a window's planes, [count, h, w]."""
        pixels = self._image.read(window)
        if not self._image.has_alpha:
            return pixels
        import numpy as np

        colour, alpha = pixels[:-1], pixels[-1:]
        copies = [alpha] * len(colour) if self._own_kernels else []
        return np.concatenate([colour * alpha, *copies, alpha])

    def spread(self, values: Array) -> Array:
        """Give a parameter map of the channels, alpha the last, to the planes."""
        import numpy as np

        shared = not self._own_kernels or np.ndim(values) == 0 or len(values) == 1
        if shared or not self._image.has_alpha:
            return values
        return np.concatenate([values[:-1], values])

    def restore(self, planes: Array, window: Window) -> Array:
        """Turn a window's filtered planes back into channels."""
        if not self._image.has_alpha:
            return planes
        import numpy as np

        colours = self._image.colours
        colour, alpha = planes[:colours], planes[-1:]
        cover = planes[colours:-1] if self._own_kernels else alpha
        straight = self._image.read(window)[:colours]
        np.divide(colour, cover, out=straight, where=cover > 0)
        return np.concatenate([straight, alpha])
