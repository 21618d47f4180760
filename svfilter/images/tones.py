"""Tone curves that rise strictly, and their inverses."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from svfilter.kernels.base import Array

_BUCKETS = 2**14
"""So that nine 16-bit levels at most fall into one."""


class Room(NamedTuple):
    """Arrays as large as what is converted: to ask for memory anew can double the time."""

    values: Array
    """float32."""
    places: Array
    """Of the machine's indices."""

    def pick(self, table: Array) -> Array:
        """Give table[places] in `values`, in a third of the time that this would take."""
        return table.take(self.places, out=self.values, mode="clip")


@dataclass(frozen=True)
class Formula:
    """f(x) = start + slope·min(x, knee) + (gain·m + offset)^gamma - (gain·knee + offset)^gamma.

    m = max(x, knee): a straight line up to the knee and a power beyond it, in a form without
    branches. A choice value by value would take several times as long as both of them.
    """

    gamma: float
    gain: float = 1.0
    offset: float = 0.0
    slope: float = 1.0
    knee: float = 0.0
    start: float = 0.0

    def rise(self, x: Array, room: Room) -> None:
        """Turn x ≥ 0 into f(x) - f(0), in place."""
        import numpy as np

        knee = np.float32(self.knee)
        line = np.minimum(x, knee, out=room.values)
        line *= np.float32(self.slope)
        self._power(np.maximum(x, knee, out=x))
        x -= self._at_knee
        x += line

    def undo(self, y: Array, room: Room) -> None:
        """Turn y = f(x) - f(0) ≥ 0 into x, in place."""
        import numpy as np

        knee = np.float32(self.slope * self.knee)
        line = np.minimum(y, knee, out=room.values)
        line /= np.float32(self.slope)
        self._root(np.maximum(y, knee, out=y))
        y -= self._at_end
        y += line

    def _power(self, x: Array) -> Array:
        """Make (gain·x + offset)^gamma of x."""
        import numpy as np

        x *= np.float32(self.gain)
        x += np.float32(self.offset)
        return _raise(x, self.gamma)

    def _root(self, y: Array) -> Array:
        """Make x + offset / gain of y = f(x) - f(0), for x beyond the knee."""
        import numpy as np

        y += np.float32(
            (self.gain * self.knee + self.offset) ** self.gamma - self.slope * self.knee
        )
        _raise(y, 1 / self.gamma)
        y /= np.float32(self.gain)
        return y

    @cached_property
    def _at_knee(self) -> Array:
        """What `_power` makes of the knee, rounded as it does, so that nothing is left of it."""
        import numpy as np

        return self._power(np.full(1, self.knee, np.float32))

    @cached_property
    def _at_end(self) -> Array:
        """What `_root` makes of the straight part's end, likewise."""
        import numpy as np

        return self._root(np.full(1, self.slope * self.knee, np.float32))


class Table:
    """Samples at equal distances from 0 to 1, with straight lines between and beyond them.

    On the way back a value's line is found by the bucket of its square root, since curves are much
    like squares: `_first` begins no later than any value of the bucket, and few others do.
    """

    def __init__(self, samples: Array, kept: Array) -> None:
        """Take samples [n], and which of them, the ends too, are corners and not on a line."""
        import numpy as np

        self.start = float(samples[0])
        rises = samples - samples[0]
        self._begins = rises[:-1].astype(np.float32)
        self._steps = np.diff(rises).astype(np.float32)

        corners, places = rises[kept].astype(np.float32), np.flatnonzero(kept) / (len(rises) - 1)
        self._corners = corners[:-1]
        self._ends = np.append(corners[1:-1], np.float32(np.inf))  # the last line never does
        self._places = places[:-1].astype(np.float32)
        self._slopes = (np.diff(places) / np.diff(rises[kept])).astype(np.float32)
        self._scale = np.float32(1 / corners[-1])
        buckets = self._bucketed(corners.copy()).astype(int)
        first = np.searchsorted(buckets, np.arange(_BUCKETS + 1)) - 1
        self._first = first.clip(0, len(corners) - 2).astype(np.float32)
        self._most = int(np.bincount(buckets).max())

    def rise(self, x: Array, room: Room) -> None:
        """Turn x ≥ 0 into f(x) - f(0), in place."""
        import numpy as np

        x *= np.float32(len(self._steps))
        whole = np.floor(x, out=room.values)
        np.fmin(whole, np.float32(len(self._steps) - 1), out=whole)
        room.places[...] = whole
        x -= whole
        x *= room.pick(self._steps)
        x += room.pick(self._begins)

    def undo(self, y: Array, room: Room) -> None:
        """Turn y = f(x) - f(0) ≥ 0 into x, in place."""
        room.values[...] = y
        room.places[...] = self._bucketed(room.values)
        room.places[...] = room.pick(self._first)
        for _ in range(self._most):
            room.places[...] += room.pick(self._ends) <= y
        y -= room.pick(self._corners)
        y *= room.pick(self._slopes)
        y += room.pick(self._places)

    def _bucketed(self, y: Array) -> Array:
        """Make buckets of y: whole numbers, and what is cut off."""
        import numpy as np

        y *= self._scale
        np.sqrt(y, out=y)
        y *= np.float32(_BUCKETS)
        return np.fmin(y, np.float32(_BUCKETS), out=y)


def _raise(x: Array, power: float) -> Array:
    """Raise to a power in place; NumPy has a fast logarithm and exponential on most machines."""
    import numpy as np

    if power != 1:
        np.log(x, out=x)
        x *= np.float32(power)
        np.exp(x, out=x)
    return x
