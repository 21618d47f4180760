"""Movements of the camera about a point: turning, and moving in or out."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from svfilter.maps.base import Driver, Opened, Span, check_number
from svfilter.maps.paths import ANGLES, ROWS, polar
from svfilter.tiles import Window, plan

if TYPE_CHECKING:
    from svfilter.images.reading import ImageReader
    from svfilter.kernels.base import Array
    from svfilter.maps.sources import Sources

Centre = tuple[float, float]
"""x and y in pixels: (0, 0) is the middle of the pixel at the top left."""


@dataclass(frozen=True)
class Spin(Driver):
    """Give `length` and `angle` of the path of each pixel p when the image turns about a centre c.

        length = |p − c| · |φ|,   along (c_y − p_y, p_x − c_x) · φ,   φ = degrees · π / 180

    The path is an arc, and this the straight line that touches it at the pixel, as long as it.
    Centred on the pixel it lies beside the arc by length² / (8 · |p − c|) at its ends: at 10
    degrees by 0.004 · |p − c|, at 30 by 0.034 · |p − c|.

    Args:
        degrees: φ, clockwise.
        centre: c; default the middle of the image.

    Source: Potmesil and Chakravarty, Modeling Motion Blur in Computer-Generated Images, SIGGRAPH
        1983, doi:10.1145/800059.801169.
    """

    degrees: float
    centre: Centre | None = None

    def __post_init__(self) -> None:
        check_number("degrees", self.degrees)
        _check_centre(self.centre)

    @property
    def gives(self) -> dict[str, Span | None]:
        """Both; how long a line is depends on the image's size."""
        return {"length": None, "angle": ANGLES}

    def open(self, image: ImageReader, sources: Sources) -> Opened:
        """Measure the image."""
        return _OpenedTurn(image, self.centre, around=math.radians(self.degrees))


@dataclass(frozen=True)
class Zoom(Driver):
    """Give `length` and `angle` of the path of each pixel p when the image grows about a centre c.

        length = |p − c| · |factor − 1|,   along (p − c) · (factor − 1)

    Args:
        factor: how many times larger the image is at the end, above 0; 1 is no movement.
        centre: c; default the middle of the image.

    Source: as of `Spin`.
    """

    factor: float
    centre: Centre | None = None

    def __post_init__(self) -> None:
        check_number("factor", self.factor, low=0)
        _check_centre(self.centre)

    @property
    def gives(self) -> dict[str, Span | None]:
        """Both; how long a line is depends on the image's size."""
        return {"length": None, "angle": ANGLES}

    def open(self, image: ImageReader, sources: Sources) -> Opened:
        """Measure the image."""
        return _OpenedTurn(image, self.centre, along=self.factor - 1)


class _OpenedTurn(Opened):
    """The paths (along · x − around · y, around · x + along · y) of pixels (x, y) from a centre."""

    def __init__(
        self, image: ImageReader, centre: Centre | None, *, along: float = 0, around: float = 0
    ) -> None:
        self._along, self._around = along, around
        self._centre = centre or ((image.width - 1) / 2, (image.height - 1) / 2)
        ends = image.height - 1, image.width - 1
        corners = [Window(row, col, 1, 1) for row in (0, ends[0]) for col in (0, ends[1])]
        longest = max(float(self._paths(corner)[0][0, 0]) for corner in corners)
        self.spans = {"length": (0.0, longest), "angle": ANGLES}

    def read(self, window: Window) -> dict[str, Array | float]:
        """Give the paths."""
        import numpy as np

        length, angle = np.empty((2, 1, window.height, window.width), np.float32)
        for slab in plan(window.height, window.width, ROWS, window.width):
            part = Window(window.row_off + slab.row_off, window.col_off, slab.height, slab.width)
            length[0, slab.rows], angle[0, slab.rows] = self._paths(part)
        return {"length": length, "angle": angle}

    def _paths(self, window: Window) -> tuple[Array, Array]:
        import numpy as np

        x = np.arange(window.cols.start, window.cols.stop) - self._centre[0]  # [w]
        y = (np.arange(window.rows.start, window.rows.stop) - self._centre[1])[:, None]  # [h, 1]
        return polar(self._along * x - self._around * y, self._around * x + self._along * y)


def _check_centre(centre: Centre | None) -> None:
    for name, value in zip(("x", "y"), centre or (), strict=False):
        check_number(f"centre's {name}", value)
