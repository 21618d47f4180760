"""What levels are: the numbers of a map, one at every pixel, before they become parameters."""

from __future__ import annotations

import math
import warnings
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from svfilter.errors import InvalidArgument, SvfilterWarning

if TYPE_CHECKING:
    from svfilter.images.reading import ImageReader
    from svfilter.kernels.base import Array
    from svfilter.maps.base import Span
    from svfilter.maps.sources import Sources
    from svfilter.tiles import Window

UNIT: Span = (0.0, 1.0)
"""What the levels of integers lie in, and those that lead a parameter from end to end."""


class Level(ABC):
    """What was asked for: frozen, hashable and cheap; no file is opened."""

    @property
    def own(self) -> bool:
        """Whether it looks at the pixels of the image that is filtered."""
        return False

    @property
    def rereads(self) -> bool:
        """Whether all of the map is read once before the image is filtered."""
        return False

    @property
    def sources(self) -> tuple[str, ...]:
        """The names of the files that it reads."""
        return ()

    @abstractmethod
    def open(self, image: ImageReader, sources: Sources) -> Levels:
        """Open what it reads, for an image that will be filtered.

        Raises:
            InvalidArgument: there is no such level in a source.
            ImageReadError: a source cannot be read.
        """


class Levels(ABC):
    """Levels for the windows of an image, as `Opened` has values."""

    name: str
    """What messages call the map."""
    span: Span | None = None
    """Between what they lie, where that is known before they are read."""
    per_channel: bool = False
    """Whether there are levels for each of the image's channels."""
    finite: bool = False
    """Whether none can be NaN or infinite."""
    slack: float = 0.0
    """How far levels may be off, so that they may lie beyond 0..1 where they should not."""
    margin: int = 0
    """How far around a window pixels are read."""
    row_bytes: int = 0
    """Bytes that are held for each row of the image,"""
    fixed_bytes: int = 0
    """and beside them; without what the source holds."""

    @abstractmethod
    def read(self, window: Window) -> Array:
        """Give a window's levels, [1 or more, h, w] float32; some may not be finite."""

    def let_go(self, row: int) -> None:  # noqa: B027  (nothing is held)
        """Forget what only windows above a row would need."""


class Changed(Levels):
    """Levels made of others; what is not said here is as of those."""

    def __init__(self, inner: Levels, *, span: Span | None, margin: int = 0) -> None:
        """Take over what does not change.

        Args:
            inner: the others.
            span: between what the new ones lie.
            margin: how far around a window those of the others are needed.
        """
        self.inner, self.span = inner, span
        self.name, self.per_channel = inner.name, inner.per_channel
        self.finite, self.slack = inner.finite, inner.slack
        self.margin = inner.margin + margin
        self.row_bytes, self.fixed_bytes = inner.row_bytes, inner.fixed_bytes
        self._around = margin

    def let_go(self, row: int) -> None:
        """Forget what only windows above a row would need."""
        self.inner.let_go(row - self._around)


class Finite(Changed):
    """Levels of which none may be NaN or infinite."""

    def __init__(self, inner: Levels) -> None:
        super().__init__(inner, span=inner.span)
        self.finite = True

    def read(self, window: Window) -> Array:
        """Give the levels.

        Raises:
            InvalidArgument: some are not finite.
        """
        levels = self.inner.read(window)
        if not self.inner.finite:
            check_finite(levels, self.name, window)
        return levels


class Range:
    """Between what the levels of an image lie that were read."""

    def __init__(self, image: ImageReader) -> None:
        self.low, self.high = math.inf, -math.inf
        self._single = image.height * image.width == 1

    def add(self, levels: Array) -> None:
        """Look at some more."""
        self.low = min(self.low, float(levels.min()))
        self.high = max(self.high, float(levels.max()))

    def warn_if_constant(self, name: str) -> None:
        """Warn of a map of more than one pixel that does not vary."""
        if self.low == self.high and not self._single:
            warnings.warn(
                f"{name}: the map is {self.low:g} at every pixel", SvfilterWarning, stacklevel=3
            )


def within_unit(span: Span | None) -> bool:
    """Tell whether levels are known to lie in 0..1."""
    return span is not None and span[0] >= 0 and span[1] <= 1


def check_finite(levels: Array, name: str, window: Window) -> None:
    """Refuse levels of a window that are not finite.

    Raises:
        InvalidArgument: there are some; it says where the first is.
    """
    import numpy as np

    if math.isfinite(float(levels.min())) and math.isfinite(float(levels.max())):
        return
    bad = np.argwhere(~np.isfinite(levels))
    plane, row, col = bad[0]
    raise InvalidArgument(
        f"{name}: a map's values must be finite, but in row {row + window.row_off}, column "
        f"{col + window.col_off} it is {levels[plane, row, col]:g}; cut infinities with "
        "--map-clip, or replace such values in an expression, as where(d == d, d, 0) does NaN"
    )


def in_unit(values: Array, levels: Levels) -> Array:
    """Give values of levels that lie in 0..1.

    Raises:
        InvalidArgument: some lie beyond, by more than the levels may be off.
    """
    if within_unit(levels.span):
        return values
    low, high = float(values.min()), float(values.max())
    if not (low >= -levels.slack and high <= 1 + levels.slack):
        raise InvalidArgument(
            f"{levels.name}: a map's values must lie in 0 to 1, but these are {low:g} to {high:g}; "
            "stretch them with --map-range 0%,100%, or between levels of your own"
        )
    return values.clip(0, 1) if levels.slack else values
