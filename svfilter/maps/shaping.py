"""How the levels of a map are changed before they become values: the same for every map."""

from __future__ import annotations

import warnings
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from svfilter.errors import InvalidArgument
from svfilter.maps.extremes import Percent, levels_at
from svfilter.maps.levels import UNIT, Changed, Finite, Level, Levels, in_unit
from svfilter.maps.smoothing import LARGEST, Smoothed
from svfilter.maps.sources import check_rereadable
from svfilter.maps.steady import steady

if TYPE_CHECKING:
    from svfilter.images.reading import ImageReader
    from svfilter.kernels.base import Array
    from svfilter.maps.base import Span
    from svfilter.maps.sources import Sources
    from svfilter.tiles import Window

End = float | Percent


@dataclass(frozen=True)
class Shaping:
    """What is done to levels m, in this order.

    1. clip (a, b): m ← min(max(m, a), b)
    2. smooth σ: m ← Gaussian of σ pixels ⋆ m, within 2.5e-4 of the levels' range
    3. stretch (low, high): m ← min(max((m − low) / (high − low), 0), 1)
    4. invert: m ← 1 − m
    5. gamma γ: m ← m^γ

    Args:
        clip: a ≤ b.
        smooth: σ, 0 to 64.
        stretch: the levels low < high that become 0 and 1: numbers, or percentiles of the whole
            map as it is then, for which it is read once more before.
        invert: whether 0 and 1 are swapped.
        gamma: γ above 0.
    """

    clip: Span | None = None
    smooth: float = 0.0
    stretch: tuple[End, End] | None = None
    invert: bool = False
    gamma: float = 1.0

    def __post_init__(self) -> None:
        if self.clip is not None and not self.clip[0] <= self.clip[1]:
            low, high = self.clip
            raise InvalidArgument(f"levels are cut to LOW,HIGH, but {low:g} is above {high:g}")
        if not 0 <= self.smooth <= LARGEST:
            raise InvalidArgument(
                f"levels are smoothed by 0 to {LARGEST:g} px, but not by {self.smooth:g}"
            )
        self._check_stretch()
        if not self.gamma > 0:
            raise InvalidArgument(f"gamma must be above 0, but is {self.gamma:g}")

    def _check_stretch(self) -> None:
        if self.stretch is None:
            return
        low, high = (end.share if isinstance(end, Percent) else end for end in self.stretch)
        alike = isinstance(self.stretch[0], Percent) == isinstance(self.stretch[1], Percent)
        if alike and not low < high:
            raise InvalidArgument(
                f"levels are stretched from the lower to the higher, but {self.stretch[0]} is not "
                f"below {self.stretch[1]}; to swap the ends of the map, invert it"
            )


@dataclass(frozen=True)
class Shaped(Level):
    """Levels of another map, shaped."""

    level: Level
    shaping: Shaping

    def __post_init__(self) -> None:
        for name in self.sources if self.rereads else ():
            check_rereadable(name)

    @property
    def own(self) -> bool:
        """Whether the other one looks at the image that is filtered."""
        return self.level.own

    @property
    def rereads(self) -> bool:
        """Whether percentiles are asked for."""
        return any(isinstance(end, Percent) for end in self.shaping.stretch or ())

    @property
    def sources(self) -> tuple[str, ...]:
        """Those of the other one."""
        return self.level.sources

    def open(self, image: ImageReader, sources: Sources) -> Levels:
        """Open the other one; for percentiles, read it once.

        Raises:
            InvalidArgument: the other one is refused, is the same at every pixel where it is
                stretched, or lies beyond 0..1 where it is inverted or has a power.
            ImageReadError: a source cannot be read.
        """
        shaping = self.shaping
        levels = self.level.open(image, sources)
        if shaping.clip is not None:
            levels = _Clipped(levels, shaping.clip)
        levels = Finite(levels)
        if shaping.smooth:
            size = image.height, image.width
            levels = Smoothed(levels, shaping.smooth, size, sources)
        if shaping.stretch is not None:
            levels = _Stretched(levels, *self._ends(levels.name, image, sources))
        if shaping.invert or shaping.gamma != 1:
            levels = _Bent(levels, invert=shaping.invert, gamma=shaping.gamma)
        return levels

    def _ends(self, name: str, image: ImageReader, sources: Sources) -> tuple[float, float]:
        """Give the levels that become 0 and 1."""
        assert self.shaping.stretch is not None
        given = self.shaping.stretch
        shares = [end.share / 100 for end in given if isinstance(end, Percent)]
        if not shares:
            low, high = (end for end in given if not isinstance(end, Percent))
            return low, high
        with ExitStack() as opened, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they are heard when it is filtered
            again = opened.enter_context(sources.afresh())
            whole = opened.enter_context(sources.image_again()) if self.own else image
            before = replace(self.shaping, stretch=None, invert=False, gamma=1.0)
            levels = Shaped(self.level, before).open(whole, again)
            found = iter(levels_at(_Letting(levels, whole), (image.height, image.width), shares))
        # Whatever is in the bin of a percentile counts as beyond it.
        low, high = (
            next(found)[1 - place] if isinstance(end, Percent) else end
            for place, end in enumerate(given)
        )
        if low >= high and len(shares) == 1:
            raise InvalidArgument(
                f"{name}: levels are stretched from the lower to the higher, but of this map "
                f"{given[0]} to {given[1]} is {low:g} to {high:g}"
            )
        if low >= high:
            raise InvalidArgument(
                f"{name}: the map is {low:g} at every pixel, or nearly so, and cannot be stretched "
                "to 0..1; give other percentiles or levels, or no --map-range"
            )
        return low, high


class _Clipped(Changed):
    """Levels cut to a span."""

    def __init__(self, inner: Levels, span: Span) -> None:
        super().__init__(inner, span=span)

    def read(self, window: Window) -> Array:
        """Give the levels, cut."""
        import numpy as np

        assert self.span is not None
        return np.clip(self.inner.read(window), *map(np.float32, self.span))


class _Stretched(Changed):
    """Levels stretched from one span to 0..1, and cut."""

    def __init__(self, inner: Levels, low: float, high: float) -> None:
        super().__init__(inner, span=UNIT)
        self._low, self._high = low, high

    def read(self, window: Window) -> Array:
        """Give the levels, stretched."""
        import numpy as np

        low, high = np.float32(self._low), np.float32(self._high)
        with np.errstate(over="ignore"):  # and cut
            m = self.inner.read(window) - low
            m /= high - low
        return np.clip(m, np.float32(0), np.float32(1), out=m)


class _Bent(Changed):
    """Levels turned round, or raised to a power."""

    def __init__(self, inner: Levels, *, invert: bool, gamma: float) -> None:
        super().__init__(inner, span=UNIT)
        self._invert, self._gamma = invert, gamma

    def read(self, window: Window) -> Array:
        """Give the levels, bent.

        Raises:
            InvalidArgument: some lie beyond 0..1.
        """
        import numpy as np

        m = in_unit(self.inner.read(window), self.inner)
        m = 1 - m if self._invert else m
        return m if self._gamma == 1 else steady(np.power, m, np.float32(self._gamma))


class _Letting(Changed):
    """Levels read once from top to bottom, of an image that is read for them alone."""

    def __init__(self, inner: Levels, image: ImageReader) -> None:
        super().__init__(inner, span=inner.span)
        self._image = image

    def read(self, window: Window) -> Array:
        """Give the levels."""
        return self.inner.read(window)

    def let_go(self, row: int) -> None:
        """Forget the image's rows too."""
        super().let_go(row)
        self._image.let_go(row - self.margin)
