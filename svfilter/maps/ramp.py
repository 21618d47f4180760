"""One parameter from low to high: by a number, the pixel's own intensity, another image."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from svfilter.errors import InvalidArgument
from svfilter.maps.base import Driver, Opened, Span
from svfilter.maps.levels import INTENSITY, Intensity, Levels, Pick, open_levels

if TYPE_CHECKING:
    from svfilter.images.reading import ImageReader
    from svfilter.kernels.base import Array
    from svfilter.maps.sources import Sources
    from svfilter.tiles import Window


@dataclass(frozen=True)
class Ramp(Driver):
    """Give a parameter the value that a level stands for.

        level m in 0..1 from the source; m ← 1 − m if inverted; m ← m^gamma;
        value = low · (1 − m) + high · m

    Without a source the value is `high` everywhere. The level is luma (Rec. ITU-R BT.709) of the
    encoded values, or a channel; colours count by their alpha. A source of another size is resized.

    Args:
        parameter: its name in the family.
        high: the value at level 1, in the parameter's unit.
        low: the value at level 0.
        source: None, INTENSITY (the image's own pixels), or the name of an image file.
        per_channel: with INTENSITY, each channel's own value is its level.
        invert: whether 0 and 1 are swapped.
        gamma: the power, above 0.
        channel: "r", "g", "b" or "a" (alpha itself) in place of luma.
    """

    parameter: str
    high: float
    low: float = 0.0
    source: str | None = None
    per_channel: bool = False
    invert: bool = False
    gamma: float = 1.0
    channel: str | None = None

    def __post_init__(self) -> None:
        if self.channel is not None and self.per_channel:
            raise InvalidArgument(
                f"channel {self.channel!r} drives all channels alike: it excludes per_channel"
            )

    @property
    def gives(self) -> dict[str, Span | None]:
        """The parameter."""
        low, high = sorted((self.high if self.source is None else self.low, self.high))
        return {self.parameter: (low, high)}

    @property
    def sources(self) -> tuple[str, ...]:
        """The image file, if there is one."""
        return () if self.source in (None, INTENSITY) else (str(self.source),)

    def open(self, image: ImageReader, sources: Sources) -> Opened:
        """Open the source.

        Raises:
            InvalidArgument: intensity is not defined for the source's channels, or it has no such
                channel. (Floats beyond 0..1 are found when they are read.)
            ImageReadError: the source cannot be read.
        """
        if self.source is None:
            return _OpenedRamp(self, None)
        if self.per_channel and self.source == INTENSITY:
            return _OpenedRamp(self, Intensity(image, None))
        return _OpenedRamp(self, open_levels(self.source, Pick(self.channel), image, sources))


class _OpenedRamp(Opened):
    """The values of one parameter for an image."""

    def __init__(self, ramp: Ramp, levels: Levels | None) -> None:
        self._ramp, self._levels = ramp, levels
        self.spans = {name: span for name, span in ramp.gives.items() if span is not None}
        self.per_channel = ramp.per_channel
        if levels is not None:
            self.row_bytes, self.fixed_bytes = levels.row_bytes, levels.fixed_bytes

    def read(self, window: Window) -> dict[str, Array | float]:
        """Give the parameter's values."""
        ramp = self._ramp
        if self._levels is None:
            return {ramp.parameter: ramp.high}
        import numpy as np

        level = self._levels.read(window)
        m = 1 - level if ramp.invert else level
        m = m**ramp.gamma if ramp.gamma != 1 else m.copy()
        values = 1 - m
        values *= ramp.low
        m *= ramp.high
        values += m
        if ramp.low != 0:  # else no rounding can lead beyond the ends
            np.clip(values, *self.spans[ramp.parameter], out=values)
        return {ramp.parameter: values}

    def let_go(self, row: int) -> None:
        """Forget what only windows above a row would need."""
        if self._levels is not None:
            self._levels.let_go(row)
