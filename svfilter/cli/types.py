"""Kinds of values that options take, beside click's own."""

from __future__ import annotations

import math
from typing import Any

import click

from svfilter.errors import InvalidArgument
from svfilter.maps import Percent


class MemorySize(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.4 on
    """A number of bytes such as 512M or 2G."""

    name = "size"

    def convert(self, value: Any, param: Any, ctx: Any) -> int:
        """Turn "512M" into bytes."""
        units = {"K": 2**10, "M": 2**20, "G": 2**30}
        value = value.upper().removesuffix("B")
        number, unit = value[:-1], value[-1:]
        try:
            size = float(number) * units[unit] if unit in units else float(value)
        except ValueError:
            size = math.nan
        if not 0 < size < math.inf:
            self.fail(f"{value!r} is no size in bytes; write it like 512M or 2G", param, ctx)
        return int(size)


class Finite(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.4 on
    """A number, but neither NaN nor an infinity."""

    name = "float"

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        """Turn "1.5" into a number."""
        number: float = click.FLOAT.convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value!r} is not a finite number", param, ctx)
        return number


class FiniteRange(click.FloatRange):
    """The same in a range."""

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        """Refuse NaN, which compares as if it were inside, and what no range ends."""
        Finite().convert(value, param, ctx)
        number: float = super().convert(value, param, ctx)
        return number


class Point(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.4 on
    """A place in the image such as 320,240."""

    name = "point"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[float, float]:
        """Turn "320,240" into numbers."""
        try:
            x, y = (Finite().convert(v, param, ctx) for v in value.split(","))
        except ValueError:
            self.fail(f"{value!r} is no point; write it like 320,240", param, ctx)
        return x, y


class Ends(click.ParamType):  # type: ignore[type-arg]  # generic from click 8.4 on
    """Two levels such as 0.2,0.8, or if they may be, percentiles such as 1%,99%."""

    name = "ends"

    def __init__(self, *, percent: bool = False) -> None:
        self._percent = percent

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[float | Percent, float | Percent]:
        """Turn "1%,99%" into levels."""
        if isinstance(value, tuple):
            return value
        try:
            low, high = (self._end(part.strip(), param, ctx) for part in value.split(","))
        except InvalidArgument as error:
            self.fail(f"{error}", param, ctx)
        except ValueError:
            also = " or 1%,99%" if self._percent else ""
            self.fail(f"{value!r} is not a pair LOW,HIGH; write it like 0.2,0.8{also}", param, ctx)
        return low, high

    def _end(self, text: str, param: Any, ctx: Any) -> float | Percent:
        if self._percent and text.endswith("%"):
            return Percent(Finite().convert(text[:-1], param, ctx))
        return Finite().convert(text, param, ctx)
