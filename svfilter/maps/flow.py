"""How far and where to each pixel moves, from a field of optical flow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from svfilter.errors import InvalidArgument
from svfilter.images.sources import STREAM
from svfilter.maps.base import Driver, Opened, Span, check_number, single
from svfilter.maps.paths import ANGLES, ROWS, polar
from svfilter.tiles import Window, plan

if TYPE_CHECKING:
    from svfilter.images.reading import ImageReader
    from svfilter.kernels.base import Array
    from svfilter.maps.sources import Hold, Sources

UNKNOWN = 1e9
"""Pixels beyond which Middlebury's files say that a flow is not known."""
_KITTI_ZERO, _KITTI_UNIT = 2**15, 64


@dataclass(frozen=True)
class Flow(Driver):
    """Give `length` and `angle` of the path of each pixel that a flow field (v_x, v_y) describes.

        length = min(max_length, scale · √(v_x² + v_y²)),   angle = atan2(v_y, v_x)

    v_x counts pixels to the right, v_y pixels down. Files are of the image's size, and:

    - two channels of floats, v_x and v_y: .flo, .npy or TIFF. Where either is beyond 1e9 the flow
      is not known, and the length is 0;
    - RGB of 16-bit integers, as in KITTI's PNG: v = (channel − 2¹⁵) / 64 from red and green; where
      blue is 0 the flow is not known, and the length is 0.

    Two channels of integers have no sign and are refused.

    Args:
        source: the file.
        scale: the share of the flow that happens while the shutter is open, 0 or more.
        max_length: pixels that longer paths are cut to, 0 or more; default none, for which the
            file is read once more to know the longest.

    Source: Baker et al., A Database and Evaluation Methodology for Optical Flow, IJCV 2011,
        doi:10.1007/s11263-010-0390-2; Geiger et al., Vision meets Robotics: The KITTI Dataset,
        IJRR 2013, doi:10.1177/0278364913491297.
    """

    source: str
    scale: float = 1.0
    max_length: float | None = None

    def __post_init__(self) -> None:
        check_number("scale", self.scale, low=0)
        if self.max_length is not None:
            check_number("max_length", self.max_length, low=0)
        elif self.source == STREAM:
            raise InvalidArgument(
                "a flow from - (stdin) can be read once only: give the length that paths may have"
            )

    @property
    def gives(self) -> dict[str, Span | None]:
        """Both; how long a path is, the file tells, unless there is a largest length."""
        longest = self.max_length
        return {"length": None if longest is None else (0.0, single(longest)), "angle": ANGLES}

    @property
    def sources(self) -> tuple[str, ...]:
        """The file."""
        return (self.source,)

    def open(self, image: ImageReader, sources: Sources) -> Opened:
        """Open the file, and look for the longest path if none is given.

        Raises:
            InvalidArgument: it is not of the image's size, or holds no flow. (Values that are not
                finite are found when they are read.)
            ImageReadError: it cannot be read.
        """
        hold = sources.open(self.source)
        _check(hold.image, image)
        if self.max_length is not None:
            return _OpenedFlow(self, hold, single(self.max_length))
        longest = 0.0
        with sources.again(self.source) as flow:
            for window in plan(flow.height, flow.width, ROWS, flow.width):
                longest = max(longest, float(_paths(flow, window, self.scale)[0].max()))
                flow.let_go(window.rows.stop)
        return _OpenedFlow(self, hold, longest)


class _OpenedFlow(Opened):
    """The paths in a file."""

    def __init__(self, flow: Flow, hold: Hold, longest: float) -> None:
        self._scale, self._hold, self._longest = flow.scale, hold, longest
        self.spans = {"length": (0.0, longest), "angle": ANGLES}

    def read(self, window: Window) -> dict[str, Array | float]:
        """Give the paths."""
        import numpy as np

        length, angle = np.empty((2, 1, window.height, window.width), np.float32)
        for slab in plan(window.height, window.width, ROWS, window.width):
            part = Window(window.row_off + slab.row_off, window.col_off, slab.height, slab.width)
            paths = _paths(self._hold.image, part, self._scale)
            length[0, slab.rows], angle[0, slab.rows] = paths
        return {"length": np.minimum(length, self._longest, out=length), "angle": angle}

    def let_go(self, row: int) -> None:
        """Forget the file's rows above it."""
        self._hold.let_go(row)


def _check(flow: ImageReader, image: ImageReader) -> None:
    layout = flow.layout
    if not (layout.channels == 2 and layout.dtype.kind == "f") and not _is_kitti(flow):
        raise InvalidArgument(
            f"{flow.name}: holds no flow: it is {layout.words}, but two channels of floats or "
            "KITTI's 16-bit RGB are needed"
        )
    if (flow.height, flow.width) != (image.height, image.width):
        raise InvalidArgument(
            f"{flow.name}: the flow of {flow.width} x {flow.height} pixels does not belong to the "
            f"image of {image.width} x {image.height}: a flow is not resized"
        )


def _is_kitti(flow: ImageReader) -> bool:
    return (flow.layout.colour, flow.layout.alpha, flow.layout.dtype.str[1:]) == ("rgb", "", "u2")


def _paths(flow: ImageReader, window: Window, scale: float) -> tuple[Array, Array]:
    """Give the lengths and angles of a window, [h, w] each."""
    import numpy as np

    if _is_kitti(flow):
        stored = flow.stored(window)
        v = np.moveaxis((stored[..., :2] - float(_KITTI_ZERO)) / _KITTI_UNIT, -1, 0)  # [2, h, w]
        known = stored[..., 2] != 0
    else:
        v = flow.read(window).astype(np.float64)
        if not np.isfinite(v).all():
            raise InvalidArgument(
                f"{flow.name}: holds flow that is not finite; where it is not known, write 0 or "
                "more than 1e9"
            )
        known = (np.abs(v) <= UNKNOWN).all(axis=0)
    x, y = np.where(known, v, 0.0) * scale
    return polar(x, y)
