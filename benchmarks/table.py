"""What a row of the table is: a goal, a way to measure, and a verdict."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from svfilter.bench import timed


class Missing(Exception):
    """Something that a row needs is not on this machine."""


@dataclass(frozen=True)
class Goal:
    """What a figure must reach, and what we aim at."""

    must: float
    aim: float | None
    form: str
    """How a figure is written, as in "{:g} s"."""
    at_most: bool

    def reached(self, value: float, level: float | None) -> bool:
        """Tell whether a figure is as good as a level."""
        return level is not None and (value <= level if self.at_most else value >= level)

    def text(self, level: float | None) -> str:
        """Write a level with its unit."""
        return "" if level is None else ("≤ " if self.at_most else "≥ ") + self.form.format(level)


def at_most(must: float, aim: float | None, form: str = "{:g}") -> Goal:
    """Small is good."""
    return Goal(must, aim, form, at_most=True)


def at_least(must: float, aim: float | None, form: str = "{:g}") -> Goal:
    """Large is good."""
    return Goal(must, aim, form, at_most=False)


@dataclass(frozen=True)
class Figure:
    """One measurement: the value that is judged, and how it is told."""

    text: str
    value: float | None = None


@dataclass(frozen=True)
class Setting:
    """What a run is asked for."""

    quick: bool
    folder: Path
    """For files; empty at first."""

    def size(self, height: int, width: int) -> tuple[int, int]:
        """Give the size of an image: as asked, or a fifth of each side if it must be quick."""
        return (height // 5, width // 5) if self.quick else (height, width)

    def rounds(self, count: int) -> int:
        """Give the number of rounds: as asked, or 1 if it must be quick."""
        return 1 if self.quick else count


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    what: str
    goal: Goal | None
    measure: Callable[[Setting], Iterator[Figure]]

    def verdict(self, figures: list[Figure]) -> str:
        """Judge by the worst figure."""
        values = [figure.value for figure in figures if figure.value is not None]
        if self.goal is None or not values:
            return ""
        worst = max(values) if self.goal.at_most else min(values)
        if not self.goal.reached(worst, self.goal.must):
            return "no"
        return "yes, and the aim" if self.goal.reached(worst, self.goal.aim) else "yes"


@dataclass(frozen=True)
class Pairs:
    """Seconds of two runs in turn."""

    seconds: list[tuple[float, float]]

    @property
    def ratio(self) -> float:
        """The median of first by second."""
        return statistics.median(a / b for a, b in self.seconds)

    def __str__(self) -> str:
        first, second = (statistics.median(side) for side in zip(*self.seconds, strict=True))
        low, high = (pick(a / b for a, b in self.seconds) for pick in (min, max))
        spread = f"ratios {low:.3g} to {high:.3g}, rounds: {len(self.seconds)}"
        return f"{first:.3g} s against {second:.3g} s, {spread}"


def in_turn(first: Callable[[], object], second: Callable[[], object], rounds: int) -> Pairs:
    """Time two runs alternately: what slows the machine down slows both."""
    return Pairs([(_settled(first), _settled(second)) for _ in range(rounds)])


def _settled(run: Callable[[], object]) -> float:
    """Time a run after another of its own kind, unless it is so long that this does not matter.

    Else it would pay for the other library's threads, which still spin or have fallen asleep.
    """
    seconds = timed(run)
    return timed(run) if seconds < 1 else seconds
