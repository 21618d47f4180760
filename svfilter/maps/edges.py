"""How steeply levels change from pixel to pixel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from svfilter.borders import surround
from svfilter.maps.levels import UNIT, Changed, Levels
from svfilter.tiles import Window, plan

if TYPE_CHECKING:
    from svfilter.kernels.base import Array

EDGES = "edges"
"""The channel that is the gradient of luma."""
_SLAB = 32
"""Rows at a time: few enough to stay in the processor's cache."""


class Edges(Changed):
    """The length of the gradient of levels z, at most 1, which a step from 0 to 1 has:

        m = min(1, √(gx² + gy²)),   gx = (S ⊗ D) ⋆ z,   gy = (D ⊗ S) ⋆ z,
        S = (1, 2, 1) / 4,   D = (−1, 0, 1)

    Beyond the border stands what the boundary says.

    Source: I. Sobel's operator, in Duda and Hart, Pattern Classification and Scene Analysis, 1973,
        p. 271.
    """  # noqa: D415  (the equation follows)

    def __init__(self, inner: Levels, size: tuple[int, int], boundary: str) -> None:
        super().__init__(inner, span=UNIT, margin=1)
        self._size, self._boundary = size, boundary

    def read(self, window: Window) -> Array:
        """Give the gradient's length."""
        import numpy as np

        z = surround(self.inner.read, window, 1, self._size, self._boundary).padded()
        out = np.empty((len(z), window.height, window.width), np.float32)
        for slab in plan(window.height, window.width, _SLAB, window.width):
            out[:, slab.rows] = _slopes(z[:, slab.row_off : slab.row_off + slab.height + 2])
        return out


def _slopes(z: Array) -> Array:
    """Give the lengths of gradients within [n, h + 2, w + 2]."""
    import numpy as np

    along = z[..., 2:] - z[..., :-2]
    gx = along[:, :-2] + 2 * along[:, 1:-1] + along[:, 2:]
    across = z[..., :-2] + 2 * z[..., 1:-1] + z[..., 2:]
    gy = across[:, 2:] - across[:, :-2]
    with np.errstate(over="ignore"):
        lengths = np.sqrt(gx * gx + gy * gy) / 4
    return np.minimum(lengths, 1)
