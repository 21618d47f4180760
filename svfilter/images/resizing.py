"""Planes of another size, through Pillow."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from svfilter.kernels.base import Array


def resize(plane: Array, height: int, width: int, rows: tuple[float, float]) -> Array:
    """Resize a part of [H, W] floats with a triangle filter, antialiased when the size shrinks.

    Args:
        plane: with the rows around the part that the filter reaches, where there are any.
        height: of the result.
        width: of the result, from all columns.
        rows: where the part begins and ends, in rows of the plane; it need not be at whole ones.
    """
    import numpy as np
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(plane, dtype=np.float32))
    box = (0, rows[0], plane.shape[1], rows[1])
    return np.asarray(image.resize((width, height), Image.Resampling.BILINEAR, box))
