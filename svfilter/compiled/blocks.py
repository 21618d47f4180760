"""The function that filters a block of pixels, written for a formula in LLVM instructions.

Each lane is a pixel with its own weights, which stay in registers.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache, reduce
from typing import Literal

from svfilter.compiled.formulas import Formula
from svfilter.compiled.functions import compiled_function
from svfilter.compiled.lanes import F32, I64, Lanes, Value
from svfilter.compiled.machine import BYTES, CHANNELS, ROWS
from svfilter.compiled.operations import OPERATIONS, Place, leaves

OWN_KERNELS = (
    *("x", "pitch", "plane", "guide", "guide_plane"),
    *("coefficients", "coefficient_pitch", "coefficient_plane", "reach"),
    "sides",
    *("tables", "table_pitch", "table_plane", "out", "out_plane", "channels"),
)
"""Arguments of `own_kernels`: addresses of the block's first pixel in each, the farthest tap, and
the address of int64[2 · reach + ROWS]: how far to the side taps are, for each row that is seen."""


@dataclass(frozen=True)
class Sums:
    """What a block of pixels adds up, for each tap d of the kernels with the formula u."""

    mode: Literal["gather", "scatter", "totals"]
    """u(d; θ(p)) · x(p + d) and u(d; θ(p)); u(d; θ(p − d)) · x(p − d); or u(d; θ(p)) alone."""
    normalised: bool = True
    """Whether to divide what is gathered by the sum of u; a kernel of one tap is the identity."""
    even: bool = False
    """Whether u(dy, dx) = u(|dy|, |dx|)."""
    compact: bool = False
    """Whether u is 0 by itself beyond the pixel's radius."""


@lru_cache(maxsize=64)
def own_kernels(formula: Formula, sums: Sums) -> int:
    """Write the function that filters ROWS vectors of pixels, each by its own kernel.

    The vectors stand below each other. Coefficient 0 is the pixels' radius. A row of taps is added
    up by itself before it is added to the others, and a tap beyond a pixel's own radius adds
    exactly 0.
    """
    return compiled_function(OWN_KERNELS, lambda lanes, a: _Block(lanes, a, formula, sums).write())


class _Block:
    """Writes the instructions of `own_kernels`.

    A row of pixels is loaded once for all the rows of a block that it matters to, and where taps
    at both sides weigh the same, it is folded before it is weighed.
    """

    def __init__(self, lanes: Lanes, a: dict[str, Value], formula: Formula, sums: Sums) -> None:
        self.lanes, self.a, self.formula, self.sums = lanes, a, formula, sums
        self.scatter = sums.mode == "scatter"
        self.leaves = leaves(formula)
        rows = range(ROWS)
        self.own = [] if self.scatter else [self.known(self.at("coefficient", r)) for r in rows]
        self.centres = [
            [self.load("guide", "guide_plane", g, self.at("", r)) for g in range(formula.guides)]
            for r in rows
        ]

    def at(
        self, kind: Literal["coefficient", ""], row: Value | int, dx: Value | None = None
    ) -> Value:
        """Give the offset of a place from the block's first pixel, in the pitch of a kind."""
        b = self.lanes.builder
        row = I64(row) if isinstance(row, int) else row
        line = b.mul(row, self.a[f"{kind}_pitch" if kind else "pitch"])
        return line if dx is None else b.add(line, b.mul(dx, I64(4)))

    def load(self, name: str, plane: str, k: int, offset: Value) -> Value:
        """Load a vector of plane k of one of the arguments."""
        b = self.lanes.builder
        return self.lanes.load(self.a[name], b.add(b.mul(self.a[plane], I64(k)), offset))

    def known(self, offset: Value) -> dict[int, Value]:
        """Load the coefficients of the pixels there; under 0 the radius."""
        place = Place(self.lanes, {})
        for k, symbol in enumerate(self.formula.coefficients, start=1):
            place.know(symbol, self.load("coefficients", "coefficient_plane", k, offset))
        place.symbols[0] = self.load("coefficients", "coefficient_plane", 0, offset)
        return place.symbols

    def write(self) -> None:
        """Write all of it, for each number of channels."""
        if self.sums.mode == "totals":
            self.write_for(0)
        else:
            self.lanes.switch(self.a["channels"], range(1, CHANNELS + 1), self.write_for)

    def write_for(self, channels: int) -> None:
        """Write it for a number of channels."""
        b, lanes, farthest = self.lanes.builder, self.lanes, self.a["reach"]
        zeros = [lanes.constant(0.0)] * (ROWS * (channels + 1))
        first_row = b.neg(farthest)
        folds = self.sums.even and not self.scatter
        last = b.add(farthest, I64(ROWS))
        with lanes.loop(first_row, last, 1, *zeros) as (row, totals, leave_row):
            place = b.mul(b.sub(row, first_row), I64(8))
            reach = lanes.load(self.a["sides"], place, I64)
            first, stop = b.neg(reach), b.add(reach, I64(1))
            begin, sums = first, zeros
            if self.formula.span and not self.scatter and not folds:
                begin, stop = self.between(row, reach)
            if folds:
                begin, sums = I64(1), self.add(zeros, channels, row, I64(0), [1])
            # A loop runs once at least: where nothing is beyond the centre, what it adds is 0.
            with lanes.loop(begin, stop, 1, *sums) as (dx, carried, leave):
                leave(self.add(carried, channels, row, dx, [1, -1] if folds else [1]))
            leave_row([b.fadd(t, s) for t, s in zip(totals, lanes.results, strict=True)])
        self.finish(lanes.results, channels)

    def between(self, row: Value, reach: Value) -> tuple[Value, Value]:
        """Give from where to where any of the block's pixels has taps in a row."""
        b, lanes, pick = self.lanes.builder, self.lanes, OPERATIONS
        assert self.formula.span is not None
        most = lanes.splat(b.sitofp(reach, F32))
        ends = [b.fsub(lanes.constant(0.0), most), most]
        wider = [most, ends[0]]
        for r in range(ROWS):
            place = self.place(b.sub(row, I64(r)), I64(0), self.own[r])
            # What is not a number, beyond the image's border, is as wide as can be.
            low, high = (place.write(symbol) for symbol in self.formula.span)
            low = pick["maximum"](lanes, low, ends[0])
            high = pick["minimum"](lanes, high, ends[1])
            wider = [pick["minimum"](lanes, wider[0], low), pick["maximum"](lanes, wider[1], high)]
        least = lanes.fold(lambda x, y: pick["minimum"](lanes, x, y), wider[0])
        largest = lanes.fold(lambda x, y: pick["maximum"](lanes, x, y), wider[1])
        first = b.sub(b.fptosi(least, I64), I64(2))
        last = b.add(b.fptosi(largest, I64), I64(2))
        lowest = b.neg(reach)
        first = b.select(b.icmp_signed(">", first, lowest), first, lowest)
        last = b.select(b.icmp_signed("<", last, reach), last, reach)
        return first, b.add(last, I64(1))

    def add(
        self, sums: list[Value], channels: int, row: Value, dx: Value, sides: list[int]
    ) -> list[Value]:
        """Add what stands in a row, dx to the right or to both sides, to the sums of each row."""
        b, lanes = self.lanes.builder, self.lanes
        places = [
            self.at("", row, b.mul(dx, I64(-side if self.scatter else side))) for side in sides
        ]
        values = [
            reduce(b.fadd, [self.load("x", "plane", c, place) for place in places])
            for c in range(channels)
        ]
        owners = self.known(self.at("coefficient", row, b.neg(dx))) if self.scatter else None
        there = [
            self.load("guide", "guide_plane", g, places[0]) for g in range(self.formula.guides)
        ]
        left: list[Value] = []
        for r in range(ROWS):
            own = sums[r * (channels + 1) : (r + 1) * (channels + 1)]
            dy = b.sub(I64(r), row) if self.scatter else b.sub(row, I64(r))
            u = self.weights(dy, dx, owners or self.own[r], there, r)
            left += [lanes.fma(u, value, total) for value, total in zip(values, own, strict=False)]
            if self.scatter:
                left.append(own[-1])
            elif len(sides) == 1:
                left.append(b.fadd(own[-1], u))
            else:
                left.append(lanes.fma(u, lanes.constant(float(len(sides))), own[-1]))
        return left

    def weights(
        self, dy: Value, dx: Value, known: dict[int, Value], there: list[Value], r: int
    ) -> Value:
        """Give u at an offset."""
        b, lanes = self.lanes.builder, self.lanes
        place = self.place(dy, dx, known)
        for symbol in self.leaves:
            if symbol.operation == "difference":
                g = int(symbol.value)
                place.know(symbol, b.fsub(there[g], self.centres[r][g]))
        u = place.write(self.formula.result)
        if self.sums.compact:
            return u
        far_y, far_x = (_absolute(lanes, d) for d in (dy, dx))
        far = lanes.splat(b.sitofp(b.select(b.icmp_signed(">", far_x, far_y), far_x, far_y), F32))
        return b.select(b.fcmp_ordered("<=", far, known[0]), u, lanes.constant(0.0))

    def place(self, dy: Value, dx: Value, known: dict[int, Value]) -> Place:
        """Give what is known at an offset, but for the guide."""
        b, lanes, a = self.lanes.builder, self.lanes, self.a
        place = Place(lanes, dict(known))
        for symbol in self.leaves:
            if symbol.operation != "difference":
                d = dy if symbol.operation == "dy" else dx
                place.know(symbol, lanes.splat(b.sitofp(d, F32)))
        at = b.add(b.mul(dy, a["table_pitch"]), b.mul(dx, I64(4)))
        for t, symbol in enumerate(self.formula.tables):
            value = lanes.load(a["tables"], b.add(at, b.mul(a["table_plane"], I64(t))), F32)
            place.know(symbol, lanes.splat(value))
        return place

    def finish(self, results: list[Value], channels: int) -> None:
        """Store the results, row by row."""
        b, lanes = self.lanes.builder, self.lanes
        for r in range(ROWS):
            *values, total = results[r * (channels + 1) : (r + 1) * (channels + 1)]
            if self.sums.mode == "totals":
                values = [total]
            for c, value in enumerate(values):
                made = value
                if self.sums.mode == "gather" and self.sums.normalised:
                    alone = b.fcmp_ordered("==", self.own[r][0], lanes.constant(0.0))
                    centre = self.load("x", "plane", c, self.at("", r))
                    made = b.select(alone, centre, b.fdiv(value, total))
                lanes.store(
                    made, self.a["out"], b.add(b.mul(self.a["out_plane"], I64(c)), I64(r * BYTES))
                )


def _absolute(lanes: Lanes, value: Value) -> Value:
    b = lanes.builder
    return b.select(b.icmp_signed("<", value, I64(0)), b.neg(value), value)
