"""A result compared with the oracle's, in a few places."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from svfilter.engines import ENGINES
from svfilter.errors import VerificationFailed
from svfilter.tiles import Window
from svfilter.work import Given, Work, to_numpy

if TYPE_CHECKING:
    from svfilter.kernels.base import Array

WINDOWS, SIDE = 8, 3
"""How many windows are compared, and their side in pixels: the oracle is slow."""


@dataclass
class Verification:
    """Compares small windows of an engine's own result, drawn at random, with plain loops."""

    work: Work
    error_seen: float = 0.0
    """As a share of the image's range of values, or of their size if it is larger."""
    windows_seen: int = 0
    _worst: float = 0.0
    _low: float = 0.0
    _high: float = 0.0
    _places: list[tuple[int, int]] = field(init=False)

    def __post_init__(self) -> None:
        height, width = self.work.size
        self._places = [(random.randrange(height), random.randrange(width)) for _ in range(WINDOWS)]

    def compare(self, window: Window, given: Given, filtered: Array) -> None:
        """Compare the places drawn that lie in a window with its result, a NumPy array."""
        for row, col in self._places:
            top, left = row - window.row_off, col - window.col_off
            if not (0 <= top < window.height and 0 <= left < window.width):
                continue
            height, width = min(SIDE, window.height - top), min(SIDE, window.width - left)
            inside = Window(top, left, height, width)
            truth = self._truth(Window(row, col, height, width), inside, given)
            got = filtered[..., inside.rows, inside.cols]
            self._worst = max(self._worst, _largest_error(got, truth))
            self.windows_seen += 1
        if self._worst == math.inf:  # what holds NaN cannot go on to be stored
            self.judge()

    def _truth(self, window: Window, inside: Window, given: Given) -> Array:
        """Give what the oracle makes of a window; it reads the image again."""
        scatter = self.work.problem.mode == "scatter"
        margin = given.image.margin if scatter else 0
        owners = Window(*inside[:2], *(side + 2 * margin for side in inside[2:]))
        oracle = replace(self.work, engine=ENGINES["reference"])
        field = given.field.transform(to_numpy).window(owners)
        return oracle.run(oracle.surround(window, field, margin if scatter else None), memory=0)

    def watch(self, read: Callable[[Window], Array]) -> Callable[[Window], Array]:
        """Give a way to read that notes the range of what is read."""

        def seen(window: Window) -> Array:
            import numpy as np

            values = read(window)
            finite = np.isfinite(values)
            self._low = float(values.min(where=finite, initial=self._low))
            self._high = float(values.max(where=finite, initial=self._high))
            return values

        return seen

    def judge(self) -> None:
        """Compare the largest error seen with what the engine states.

        Raises:
            VerificationFailed: it is larger.
        """
        self.error_seen = self._worst / ((self._high - self._low) or 1)
        engine = self.work.engine
        bound = engine.bound(self.work.problem) * self.work.problem.widest.gain()
        if self.error_seen > bound:
            raise VerificationFailed(
                f"engine {engine.name} is off by {self.error_seen:.2g}, but states "
                f"{bound:.2g}; nothing was written. Please report this, with the image"
            )


def _largest_error(got: Array, truth: Array) -> float:
    """Give the largest difference; NaN and infinities must be the same in the same places."""
    import numpy as np

    finite = np.isfinite(truth)
    if not np.array_equal(np.where(finite, 0, got), np.where(finite, 0, truth), equal_nan=True):
        return math.inf
    error = float(np.abs(got[finite] - truth[finite]).max(initial=0))
    return math.inf if math.isnan(error) else error
