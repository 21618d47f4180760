"""What is filtered in place of an image's channels, so that nothing unseen or absent bleeds."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from svfilter.errors import InvalidArgument
from svfilter.images.light import Curve

if TYPE_CHECKING:
    from svfilter.images.layout import Layout
    from svfilter.kernels.base import Array
    from svfilter.tiles import Window

NANS = ("keep", "ignore", "fill")
"""What can be done about pixels that are not finite."""


class Pixels(Protocol):
    """An image of which windows can be read."""

    @property
    def layout(self) -> Layout:
        """What its pixels are."""

    def read(self, window: Window) -> Array:
        """Give a window's channels, [C, h, w] float32."""


class FilterPlanes:
    """The planes of an image that are filtered in place of its channels.

    They are the light L of a colour times the weight w of the pixel, and that weight, the cover:

        c'(p) = L⁻¹( F(w · L(c))(p) / F(w)(p) )

    - L is the curve of linear light, or nothing.
    - w is alpha, so that colours do not bleed out of what is transparent. Colours that are stored
      times alpha are w · c already, and stay so; for a curve they are divided, and multiplied
      again by the new alpha. (Light where alpha is 0, which only they can have, has no curve: it
      stays where it is.)
    - Where NaN and infinities of a float image are not kept, w is 0 for such a value, so that the
      mean is one of the others. Each channel has a weight of its own then, alpha too:
      α' = F(m · α) / F(m), m = 1 where α is finite, else 0.

    Where the cover is 0 a pixel keeps what it had, and so it does with nan="ignore" where its own
    value is not finite. Covers of colours are filtered with the colour's own kernel: numerator and
    denominator must have the same weights. Where a kernel has one tap only, rounding may change a
    value by a few 2^-24 of it.
    """

    def __init__(
        self, image: Pixels, *, per_channel: bool, curve: Curve | None = None, nan: str = "keep"
    ) -> None:
        """Plan the planes.

        Args:
            image: the image.
            per_channel: whether each channel has kernels of its own.
            curve: between colours and light, for filtering in linear light.
            nan: "keep": they are filtered like numbers, so that each makes NaN of all that its
                kernels reach; "ignore": they are left out and stay where they are; "fill": they
                are left out and replaced by the mean of the others. Integers have none.

        Raises:
            InvalidArgument: there is no such `nan`.
        """
        if nan not in NANS:
            raise InvalidArgument(f"--nan must be one of {', '.join(NANS)}, not {nan}")
        self._image = image
        self._own_kernels = per_channel
        layout = image.layout
        self._channels, self._colours = layout.channels, layout.colours
        self._curve = None if curve == Curve.identity else curve
        self._masked = nan != "keep" and layout.dtype.kind == "f"
        self._nan = nan
        self._divided = layout.alpha == "associated" and self._curve is not None
        self._weighted = layout.alpha == "straight" or self._divided
        self._as_read = not self._weighted and self._curve is None and not self._masked

    @property
    def count(self) -> int:
        """The number of planes: the channels, and covers after them where alpha is not the one."""
        if self._masked:
            return 2 * self._channels
        return self._channels + (self._colours if self._weighted and self._own_kernels else 0)

    @property
    def exact_only(self) -> bool:
        """Whether values are divided by covers that may be next to nothing where they are seen.

        An error of such a cover becomes one of the result, so that no tolerance holds but 0.
        Colours of which the new alpha itself is the cover are seen no more than it covers them.
        """
        return self.count > self._channels

    def read(self, window: Window) -> Array:
        """Give a window's planes, [count, h, w] float32."""
        import numpy as np

        pixels = self._image.read(window)
        if self._as_read:
            return pixels
        planes = np.empty((self.count, *pixels.shape[1:]), np.float32)
        channels, covers = planes[: self._channels], planes[self._channels :]
        colours = planes[: self._colours]
        channels[...] = pixels
        if self._masked:
            finite = np.isfinite(pixels)
            np.copyto(channels, np.float32(0), where=~finite)
        alpha = channels[self._colours :]
        with np.errstate(all="ignore"):
            if self._divided:
                np.divide(colours, alpha, out=colours, where=~(alpha <= 0))
            if self._curve is not None:
                self._curve.to_linear(colours, out=colours)
            if self._masked:
                covers[...] = finite
                if self._weighted:
                    covers[: self._colours] *= alpha
                channels *= covers
            elif self._weighted:
                covers[...] = alpha
                colours *= alpha
        return planes

    def spread(self, values: Array) -> Array:
        """Give a parameter map of the channels, alpha the last, to the planes."""
        import numpy as np

        covers = self.count - self._channels
        if not self._own_kernels or not covers or np.ndim(values) == 0 or len(values) == 1:
            return values
        return np.concatenate([values, values[:covers]])

    def restore(
        self,
        planes: Array,
        window: Window,
        finish: Callable[[Array, Array], Array] | None = None,
    ) -> Array:
        """Turn a window's filtered planes back into channels, [C, h, w].

        Args:
            planes: as they were filtered.
            window: where.
            finish: makes the final colours, or their light, of the image's own and the filtered
                ones; alpha is the image's own then.
        """
        import numpy as np

        if self._as_read:
            if finish is None:
                return planes
            own, end = self._image.read(window), self._colours
            return np.concatenate([finish(own[:end], planes[:end]), own[end:]])

        channels = np.array(planes[: self._channels])
        colours, alpha = channels[: self._colours], channels[self._colours :]
        covers = planes[self._channels :] if self.count > self._channels else alpha
        means = channels if self._masked else colours[: self._colours * self._weighted]
        with np.errstate(all="ignore"):
            means /= covers
            if finish:
                self._finish(channels, window, finish)
            if self._curve is not None:
                self._curve.to_encoded(colours, out=colours)
            if self._divided:
                colours *= alpha
        if not len(means):
            return channels
        kept, absent_stay = covers <= 0, self._masked and self._nan == "ignore"
        if self._divided and self._masked:
            kept |= kept[-1]  # times an alpha that is nowhere to be had
        if absent_stay or kept.any():
            stored = self._image.read(window)[: len(means)]
            if absent_stay:
                kept |= ~np.isfinite(stored)
            np.copyto(means, stored, where=kept)
        return channels

    def _finish(
        self, channels: Array, window: Window, finish: Callable[[Array, Array], Array]
    ) -> None:
        """Finish the colours, in light if there is a curve, and put the image's own alpha back."""
        import numpy as np

        own = np.array(self._image.read(window))
        colours, alpha = own[: self._colours], own[self._colours :]
        if self._divided:
            np.divide(colours, alpha, out=colours, where=~(alpha <= 0))
        if self._curve is not None:
            self._curve.to_linear(colours, out=colours)
        filtered = channels[: self._colours]
        seen = np.isfinite(colours) | (not self._masked)
        np.copyto(filtered, finish(colours, filtered), where=seen)
        np.copyto(channels[self._colours :], alpha, where=np.isfinite(alpha))
