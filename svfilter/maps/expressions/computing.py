"""The values of expressions of maps, window by window."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from svfilter.maps.expressions.functions import GENERATORS, PLACES
from svfilter.maps.expressions.grammar import Name, Number
from svfilter.maps.steady import steady
from svfilter.tiles import Window, plan

if TYPE_CHECKING:
    from svfilter.kernels.base import Array
    from svfilter.maps.expressions.grammar import Formula, Step

SLAB = 2**16
"""Pixels computed at a time: so few that all that is needed in between stays in the cache."""

EXACT = {
    "+": "add",
    "-": "subtract",
    "*": "multiply",
    "/": "divide",
    "negative": "negative",
    "abs": "absolute",
    "sqrt": "sqrt",
    "floor": "floor",
    "clip": "clip",
}
"""NumPy's functions that round in one way only;"""
REPEATED = {"min": "minimum", "max": "maximum"}
"""those of two values that serve for any number of them;"""
COMPARISONS = {
    "<": "less",
    "<=": "less_equal",
    ">": "greater",
    ">=": "greater_equal",
    "==": "equal",
    "!=": "not_equal",
}
"""those that give truths;"""
ROUNDED = {"**": "power", "exp": "exp", "log": "log", "sin": "sin", "cos": "cos"}
"""those for which `steady` is needed;"""


def evaluate(
    formula: Formula, levels: Mapping[str, Array], window: Window, size: tuple[int, int]
) -> Array:
    """Compute an expression at every pixel of a window.

    In float32, but for generators, which compute in float64 and are rounded once. A value is the
    same, bit for bit, in any window. As in IEEE arithmetic what has no value is NaN or infinite,
    and comparisons with NaN do not hold: whoever asks must look at the result.

    Args:
        formula: the expression.
        levels: [1, h, w] float32 of the window by name, all that the formula reads; not modified.
        window: which pixels of the image these are.
        size: the image's height and width.

    Returns:
        [1, h, w] float32, an array of its own.

    Cost: a pass in the cache for each step; no memory beside the result's but a few slabs.
    """
    import numpy as np

    values = np.empty((1, window.height, window.width), np.float32)
    cols = min(window.width, SLAB)
    with np.errstate(all="ignore"):
        for slab in plan(window.height, window.width, max(SLAB // cols, 1), cols):
            here = (0, slab.rows, slab.cols)
            top, left = window.row_off + slab.row_off, window.col_off + slab.col_off
            maps = {name: levels[name][here] for name in formula.names}
            place = _Place(Window(top, left, slab.height, slab.width), size)
            values[here] = _computed(formula.steps, maps, place)
    return values


def _computed(steps: Sequence[Step], maps: Mapping[str, Array], place: _Place) -> Array | float:
    """Give the values of an expression, [h or 1, w or 1] float32, or the one value of all."""
    stack: list[tuple[Array, bool]] = []  # and whether it was made here
    for step in steps:
        if isinstance(step, Number):
            stack.append((step.value, False))
        elif isinstance(step, Name):
            at_place = step.name in PLACES
            stack.append((place.share(step.name) if at_place else maps[step.name], at_place))
        else:
            operands = stack[-step.count :]
            del stack[-step.count :]
            stack.append((_applied(step.name, operands, place), True))
    return stack[0][0]


def _applied(name: str, operands: list[tuple[Array, bool]], place: _Place) -> Array:
    """Give what an operator, a function or a generator makes of values."""
    import numpy as np

    if name in GENERATORS:
        wide = [np.float64(values) for values, _ in operands]
        m = place.linear(*wide) if name == "linear" else place.radial(*wide)
        return m.astype(np.float32)
    # What is constant must be a float32 too, or NumPy 1 would compute with it in float64.
    single = [np.float32(v) if isinstance(v, float) else v for v, _ in operands]
    if name in COMPARISONS:
        return getattr(np, COMPARISONS[name])(*single).astype(np.float32)
    if name in ROUNDED:
        return _rounded(name, *single)
    if name in COMPOSED:
        return COMPOSED[name](*single)
    room = (v for v, own in operands if own and v.shape == place.shape)
    if name in EXACT:
        return getattr(np, EXACT[name])(*single, out=next(room, None))
    function, found = getattr(np, REPEATED[name]), single[0]
    for other in single[1:]:
        found = function(found, other)
    return found


class _Place:
    """Where the pixels of a slab lie."""

    def __init__(self, window: Window, size: tuple[int, int]) -> None:
        self.shape = window.height, window.width
        self._window, (height, width) = window, size
        self._side = float(min(size))
        self._ends = float(width - 1), float(height - 1)  # as x and y are ordered

    def share(self, name: str) -> Array:
        """Give x, [1, w] float32, or y, [h, 1]."""
        axis = PLACES.index(name)
        return (self._pixels()[axis] / max(self._ends[axis], 1)).astype("float32")

    def _pixels(self) -> tuple[Array, Array]:
        """Give the columns [1, w] and the rows [h, 1]."""
        import numpy as np

        rows, cols = self._window.rows, self._window.cols
        columns = np.arange(cols.start, cols.stop, dtype=np.float64)
        return columns[None], np.arange(rows.start, rows.stop, dtype=np.float64)[:, None]

    def linear(self, x: Array, y: Array, angle: Array, width: Array, feather: Array) -> Array:
        """Give how far pixels lie beside a band."""
        import numpy as np

        sine, cosine = _direction(angle)
        right, down = self._from(x, y)
        if not np.any(sine):
            distance = cosine * down  # [h, 1] for a band along the rows: that is done at once
        elif not np.any(cosine):
            distance = sine * right
        else:
            distance = sine * right - cosine * down
        return self._beyond(np.abs(distance), width / 2, feather)

    def radial(self, x: Array, y: Array, radius: Array, feather: Array) -> Array:
        """Give how far pixels lie outside a disc."""
        import numpy as np

        right, down = self._from(x, y)
        distance = right * right + down * down
        return self._beyond(np.sqrt(distance, out=distance), radius, feather)

    def _from(self, x: Array, y: Array) -> tuple[Array, Array]:
        """Give how far pixels lie from a point."""
        columns, rows = self._pixels()
        return columns - x * self._ends[0], rows - y * self._ends[1]

    def _beyond(self, distance: Array, reach: Array, feather: Array) -> Array:
        """Give how far a distance lies beyond a reach, in feathers, 0 to 1."""
        import numpy as np

        over, feather = distance - reach * self._side, np.maximum(feather, 0) * self._side
        m = np.minimum(np.maximum(over / feather, 0), 1)
        return m if np.all(feather) else np.where(feather == 0, over > 0, m)


def _direction(degrees: Array) -> tuple[Array, Array]:
    """Give sine and cosine; of whole quarters of a turn exactly."""
    import numpy as np

    quarters = np.rint(degrees / 90)
    rest, turn = np.radians(degrees - 90 * quarters), quarters % 4
    sine, cosine = steady(np.sin, rest), steady(np.cos, rest)
    along = 1.0 * (turn == 0) - 1.0 * (turn == 2)
    across = 1.0 * (turn == 1) - 1.0 * (turn == 3)
    return sine * along + cosine * across, cosine * along - sine * across


def _rounded(name: str, *operands: Array) -> Array:
    import numpy as np

    if name == "**" and isinstance(operands[1], np.float32) and operands[1] == 2:
        return operands[0] * operands[0]
    return steady(getattr(np, ROUNDED[name]), *operands)


def _mix(a: Array, b: Array, t: Array) -> Array:
    import numpy as np

    # With a plain 1, NumPy 1 would compute in float64 where t is constant.
    return a * (np.float32(1) - t) + b * t


def _smoothstep(low: Array, high: Array, v: Array) -> Array:
    import numpy as np

    span = high - low
    t = np.clip((v - low) / span, 0, 1)
    if not np.all(span):
        t = np.where(span == 0, v > low, t).astype(np.float32)
    return t * t * (3 - 2 * t)


def _where(condition: Array, a: Array, b: Array) -> Array:
    import numpy as np

    return np.where(condition != 0, a, b)


COMPOSED = {"mix": _mix, "smoothstep": _smoothstep, "where": _where}
"""and those made of several."""
