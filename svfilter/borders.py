"""What stands around a window: the one place where an image's border is extended."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import array_api_compat as compat

from svfilter.tiles import OUTSIDE, Window, halo

if TYPE_CHECKING:
    from svfilter.kernels.base import Array


@dataclass(frozen=True)
class Bordered:
    """A window with a margin around it, not yet copied together.

    Pixel (i, j) of the bordered window is pixels[..., rows[i], cols[j]], or 0 where either index
    is OUTSIDE.
    """

    pixels: Array
    rows: list[int]
    cols: list[int]
    margin: int

    @property
    def size(self) -> tuple[int, int, int]:
        """Height and width of the window itself, and its margin."""
        return len(self.rows) - 2 * self.margin, len(self.cols) - 2 * self.margin, self.margin

    def transform(self, change: Callable[[Array], Array]) -> Bordered:
        """Give the same with the pixels changed, such as moved to a device."""
        return replace(self, pixels=change(self.pixels))

    def part(self, window: Window) -> Bordered:
        """Give a window of the window, with the same margin around it."""
        rows, cols = (slice(s.start, s.stop + 2 * self.margin) for s in (window.rows, window.cols))
        return replace(self, rows=self.rows[rows], cols=self.cols[cols])

    def inner(self) -> Array:
        """Give the window itself, without its margin."""
        end = -self.margin or None
        inside = slice(self.margin, end)
        return take(take(self.pixels, self.rows[inside], -2), self.cols[inside], -1)

    def padded(self) -> Array:
        """Give the bordered window as one array, [..., H + 2·margin, W + 2·margin]."""
        return take(take(self.pixels, self.rows, -2), self.cols, -1)


def surround(
    read: Callable[[Window], Array],
    window: Window,
    margin: int,
    size: tuple[int, int],
    boundary: str,
) -> Bordered:
    """Read a window and what lies up to `margin` around it; no pixel is read twice.

    Args:
        read: gives the pixels [..., h, w] of any window within the image.
        window: which pixels.
        margin: how far beyond it, which may be beyond the image too.
        size: height and width of the image.
        boundary: a key of BOUNDARIES: what stands beyond the image.
    """
    around = halo(window, margin, *size, boundary)
    pixels = join([[read(source) for source in row] for row in around.sources])
    return Bordered(pixels, around.rows, around.cols, margin)


def join(pieces: list[list[Array]]) -> Array:
    """Put pieces side by side and below each other; mostly there is one."""
    if len(pieces) == len(pieces[0]) == 1:
        return pieces[0][0]
    xp = compat.array_namespace(pieces[0][0])
    return xp.concat([xp.concat(row, axis=-1) for row in pieces], axis=-2)


def take(pixels: Array, indices: list[int], axis: int) -> Array:
    """Pick rows (axis -2) or columns (-1) by their indices; what is OUTSIDE becomes 0."""
    if indices == list(range(pixels.shape[axis])):
        return pixels
    xp = compat.array_namespace(pixels)
    place = compat.device(pixels)
    at = xp.asarray([max(i, 0) for i in indices], device=place)
    taken = xp.take(pixels, at, axis=axis)
    if OUTSIDE not in indices:
        return taken
    shape = (-1, 1) if axis == -2 else (-1,)
    inside = xp.reshape(xp.asarray([i != OUTSIDE for i in indices], device=place), shape)
    return xp.where(inside, taken, xp.zeros_like(taken))
