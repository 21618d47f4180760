"""Which stored kernel, or how much of each, at every pixel: arrays, images of indices, grids."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from svfilter.errors import InvalidArgument
from svfilter.maps.arrays import load_arrays
from svfilter.maps.base import Driver, Opened, Span
from svfilter.tiles import Window, plan

if TYPE_CHECKING:
    from svfilter.images.reading import ImageReader
    from svfilter.kernels.base import Array
    from svfilter.maps.sources import Hold, Sources


ROUNDING = 1e-6
"""A sum no larger than this share of what was added up is 0 but for rounding."""
ROWS = 64
"""Rows of arrays that are looked at together."""


@dataclass(frozen=True)
class Planes(Driver):
    """Give the maps of a parameter that has several, from an array [n, H, W] in a file.

    Args:
        parameter: its name; its maps are called parameter[0] and so on.
        source: the name of an .npy or .npz.
        count: n.
        key: the array's name in an .npz.
        sums: what each map counts for in the sum that all are divided by, pixel by pixel; None
            divides by nothing.
    """

    parameter: str
    source: str
    count: int
    key: str = ""
    sums: tuple[float, ...] | None = None

    @property
    def gives(self) -> dict[str, Span | None]:
        """All of the maps; their spans, the file tells."""
        return {f"{self.parameter}[{i}]": None for i in range(self.count)}

    @property
    def sources(self) -> tuple[str, ...]:
        """The file."""
        return (self.source,)

    def open(self, image: ImageReader, sources: Sources) -> Opened:
        """Open the file, and look at all of its values.

        Raises:
            InvalidArgument: the array is not of the image's size, it holds NaN or infinities, or
                the sum that it is divided by is 0.
            ImageReadError: it cannot be read.
        """
        import numpy as np

        array = load_arrays(self.source)[self.key]
        wanted = (self.count, image.height, image.width)
        if array.shape != wanted:
            more = ""
            if self.parameter == "taps":
                more = "; if it holds kernels, give their index or their coefficients"
            raise InvalidArgument(
                f"{self.source}: {self.parameter} must have shape {list(wanted)} for an image of "
                f"{image.width} x {image.height} pixels, but have {list(array.shape)}{more}"
            )
        lows, highs = [], []
        for slab in plan(image.height, image.width, ROWS, image.width):
            part = self.values(array, slab)
            lows.append(part.min(axis=(1, 2)))
            highs.append(part.max(axis=(1, 2)))
        ends = zip(np.min(lows, 0).tolist(), np.max(highs, 0).tolist(), strict=True)
        spans: dict[str, Span] = {}
        for name, (low, high) in zip(self.gives, ends, strict=True):
            if not (np.isfinite(low) and np.isfinite(high)):
                raise InvalidArgument(
                    f"{self.source}: {self.parameter} must be finite, but {name} holds values "
                    f"from {low:g} to {high:g}"
                )
            spans[name] = low, high
        return _OpenedArray(spans, array, self.values)

    def values(self, array: Array, window: Window) -> Array:
        """Give a window of all maps, [n, h, w] float32, divided by their sum if they shall be.

        Raises:
            InvalidArgument: the sum is 0 somewhere.
        """
        import numpy as np

        part = _plain(array, window)
        if self.sums is None:
            return part
        with np.errstate(all="ignore"):  # what is not finite is refused
            total, most = np.zeros((2, window.height, window.width))
            for values, each in zip(part, self.sums, strict=True):
                total += each * values.astype(np.float64)
                most += abs(each * values.astype(np.float64))
            none = (abs(total) <= ROUNDING * most) & np.isfinite(most)
            if none.any():
                row, col = np.argwhere(none)[0] + window[:2]
                raise InvalidArgument(
                    f"{self.source}: kernels divided by their sum must have one other than 0, but "
                    f"that of the pixel in row {row}, column {col} is 0"
                )
            for values in part:
                np.divide(values, total, out=values, casting="same_kind")
        return part


Values = Callable[["Array", Window], "Array"]


def _plain(array: Array, window: Window) -> Array:
    """Give a window of an array [n, H, W] in float32."""
    import numpy as np

    with np.errstate(over="ignore"):  # what is not finite is refused
        return np.array(array[:, window.rows, window.cols], np.float32)


class _OpenedArray(Opened):
    """Maps in an array [n, H, W]."""

    def __init__(self, spans: dict[str, Span], array: Array, values: Values) -> None:
        import numpy as np

        self.spans, self._array, self._values = spans, array, values
        self.fixed_bytes = 0 if isinstance(array, np.memmap) else array.nbytes

    def read(self, window: Window) -> dict[str, Array | float]:
        """Give a window of all maps."""
        part = self._values(self._array, window)
        return dict(zip(self.spans, part[:, None], strict=True))


@dataclass(frozen=True)
class Indices(Driver):
    """Give `index`, from whole numbers at every pixel: an array [H, W], or an image as stored.

    Args:
        source: the name of an .npy, an .npz or a grey image, all of integers. The image must have
            8 bits or more: one of fewer is scaled to 8 as it is read.
        count: how many kernels there are; indices are 0 to count − 1.
        key: the array's name in an .npz; None for an image.
    """

    source: str
    count: int
    key: str | None = None

    @property
    def gives(self) -> dict[str, Span | None]:
        """The index."""
        return {"index": (0.0, self.count - 1.0)}

    @property
    def sources(self) -> tuple[str, ...]:
        """The file."""
        return (self.source,)

    def open(self, image: ImageReader, sources: Sources) -> Opened:
        """Open the file.

        Raises:
            InvalidArgument: it is not of the image's size, or not of integers; of an array, an
                index is out of range. (Those of an image are looked at when they are read.)
            ImageReadError: it cannot be read.
        """
        spans = {"index": (0.0, self.count - 1.0)}
        if self.key is None:
            hold = sources.open(self.source)
            stored = hold.image
            self._check(stored.layout.words, stored.layout.dtype.kind, image,
                        (stored.layout.channels, stored.height, stored.width))  # fmt: skip
            return _OpenedIndices(self, spans, hold)
        array = load_arrays(self.source)[self.key]
        kind, shape = array.dtype.kind, (1,) * (array.ndim == 2) + array.shape
        self._check(f"{list(array.shape)} of {array.dtype}", kind, image, shape)
        self.check_values(array)
        return _OpenedArray(spans, array[None], _plain)

    def _check(self, words: str, kind: str, image: ImageReader, shape: tuple[int, ...]) -> None:
        if kind not in "biu" or shape[0] != 1 or len(shape) != 3:
            raise InvalidArgument(
                f"{self.source}: an index map must be one plane of integers, but is {words}"
            )
        if shape[1:] != (image.height, image.width):
            raise InvalidArgument(
                f"{self.source}: the index map of {shape[2]} x {shape[1]} pixels does not belong "
                f"to the image of {image.width} x {image.height}: indices are not resized"
            )

    def check_values(self, values: Array) -> None:
        """Refuse indices of kernels that there are not.

        Raises:
            InvalidArgument: there are some.
        """
        low, high = int(values.min()), int(values.max())
        if low < 0 or high >= self.count:
            raise InvalidArgument(
                f"{self.source}: an index must lie in 0 to {self.count - 1}, one for each of "
                f"{self.count} kernels, but these are {low} to {high}"
            )


class _OpenedIndices(Opened):
    """Indices in an image, as stored."""

    def __init__(self, indices: Indices, spans: dict[str, Span], hold: Hold) -> None:
        self.spans, self._indices, self._hold = spans, indices, hold

    def read(self, window: Window) -> dict[str, Array | float]:
        """Give the indices."""
        import numpy as np

        stored = self._hold.image.stored(window)[..., 0]
        self._indices.check_values(stored)
        return {"index": stored.astype(np.float32)[None]}

    def let_go(self, row: int) -> None:
        """Forget the image's rows above it."""
        self._hold.let_go(row)


@dataclass(frozen=True)
class Nodes(Driver):
    """Give `row` and `column` of each pixel in a grid that spans the image.

        row = y · (gy − 1) / (H − 1),   column = x · (gx − 1) / (W − 1)

    Args:
        down: gy, the grid's nodes from top to bottom, which lie on the first and the last row.
        across: gx, from left to right.
    """

    down: int
    across: int

    @property
    def gives(self) -> dict[str, Span | None]:
        """Both."""
        return {"row": (0.0, self.down - 1.0), "column": (0.0, self.across - 1.0)}

    def open(self, image: ImageReader, sources: Sources) -> Opened:
        """Measure the image."""
        return _OpenedNodes(self, image)


class _OpenedNodes(Opened):
    """Places in a grid."""

    def __init__(self, nodes: Nodes, image: ImageReader) -> None:
        self.spans = {"row": (0.0, nodes.down - 1.0), "column": (0.0, nodes.across - 1.0)}
        self._last = max(image.height - 1, 1), max(image.width - 1, 1)

    def read(self, window: Window) -> dict[str, Array | float]:
        """Give the places."""
        import numpy as np

        values: dict[str, Array | float] = {}
        at = np.mgrid[window.rows, window.cols]  # [2, h, w]
        for (name, (_, end)), pixels, last in zip(self.spans.items(), at, self._last, strict=True):
            values[name] = (pixels * end / last).astype(np.float32)[None]
        return values
