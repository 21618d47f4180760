"""One parameter from low to high, by the levels of a map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from svfilter.maps.base import Driver, Opened, Span
from svfilter.maps.levels import Finite, Level, Levels, Range, in_unit

if TYPE_CHECKING:
    from svfilter.images.reading import ImageReader
    from svfilter.kernels.base import Array
    from svfilter.maps.sources import Sources
    from svfilter.tiles import Window


@dataclass(frozen=True)
class Ramp(Driver):
    """Give a parameter the value that a level m stands for.

        value = low · (1 − m) + high · m,   m in 0..1

    Args:
        parameter: its name in the family.
        high: the value at level 1, in the parameter's unit.
        low: the value at level 0.
        level: where m comes from; without it the value is `high` everywhere.
    """

    parameter: str
    high: float
    low: float = 0.0
    level: Level | None = None

    @property
    def gives(self) -> dict[str, Span | None]:
        """The parameter."""
        low, high = sorted((self.high if self.level is None else self.low, self.high))
        return {self.parameter: (low, high)}

    @property
    def sources(self) -> tuple[str, ...]:
        """The files that the level is of."""
        return () if self.level is None else self.level.sources

    @property
    def rereads_image(self) -> bool:
        """Whether the level is of the image, and needs all of it before."""
        return self.level is not None and self.level.own and self.level.rereads

    def open(self, image: ImageReader, sources: Sources) -> Opened:
        """Open the level.

        Raises:
            InvalidArgument: there is no such level. (Floats beyond 0..1 are found when they are
                read.)
            ImageReadError: a source cannot be read.
        """
        levels = None if self.level is None else Finite(self.level.open(image, sources))
        return _OpenedRamp(self, levels, Range(image))


class _OpenedRamp(Opened):
    """The values of one parameter for an image."""

    def __init__(self, ramp: Ramp, levels: Levels | None, seen: Range) -> None:
        self._ramp, self._levels, self._seen = ramp, levels, seen
        self.spans = {name: span for name, span in ramp.gives.items() if span is not None}
        if levels is not None:
            self.per_channel, self.margin = levels.per_channel, levels.margin
            self.row_bytes, self.fixed_bytes = levels.row_bytes, levels.fixed_bytes

    def read(self, window: Window) -> dict[str, Array | float]:
        """Give the parameter's values."""
        ramp, levels = self._ramp, self._levels
        if levels is None:
            return {ramp.parameter: ramp.high}
        import numpy as np

        m = in_unit(levels.read(window), levels)
        self._seen.add(m)
        values = m * np.float32(ramp.high)
        if ramp.low != 0:
            values += (1 - m) * np.float32(ramp.low)
            np.clip(values, *self.spans[ramp.parameter], out=values)
        return {ramp.parameter: values}

    def let_go(self, row: int) -> None:
        """Forget what only windows above a row would need."""
        if self._levels is not None:
            self._levels.let_go(row)

    def end(self) -> None:
        """Warn of a map that is the same at every pixel."""
        if self._levels is not None:
            self._seen.warn_if_constant(self._levels.name)
