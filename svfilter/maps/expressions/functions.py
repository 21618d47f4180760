"""What expressions may call: the tables of operators, functions and generators."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

SINGLE_MAX = 3.4028234663852886e38
"""The largest finite float32."""

COMPARISON, SUM, PRODUCT, POWER = range(4)
"""How tightly operators bind, as in Python; a sign binds tighter than all but a power."""


@dataclass(frozen=True)
class Operator:
    """An operator between two values."""

    binding: int
    of_numbers: Callable[[float, float], float]


@dataclass(frozen=True)
class Function:
    """A function of values, handed over by position."""

    name: str
    parameters: tuple[str, ...]
    """Three dots at the end stand for any more."""
    help: str
    of_numbers: Callable[..., float]
    """What it is of constants; it raises or gives what is not finite where it has no value."""

    @property
    def usage(self) -> str:
        """How it is called."""
        return f"{self.name}({', '.join(self.parameters)})"

    @property
    def arity(self) -> str:
        """How many arguments it takes, in words."""
        count = len(self.parameters)
        if "..." in self.parameters:
            return f"{count - 1} or more arguments"
        return "1 argument" if count == 1 else f"{count} arguments"

    def takes(self, count: int) -> bool:
        """Tell whether it takes so many arguments."""
        if "..." in self.parameters:
            return count >= len(self.parameters) - 1
        return count == len(self.parameters)


@dataclass(frozen=True)
class Generator:
    """A function of the pixel's place, whose parameters are handed over by name."""

    name: str
    parameters: Mapping[str, float]
    """Their defaults."""
    help: str

    @property
    def usage(self) -> str:
        """How it is called, with its defaults."""
        return f"{self.name}({', '.join(f'{k}={v:g}' for k, v in self.parameters.items())})"


LENGTHS = ("width", "radius", "feather")
"""The generators' parameters that are never negative."""

PLACES = ("x", "y")
CONSTANTS = MappingProxyType({"pi": math.pi})


def _clip(v: float, low: float, high: float) -> float:
    return min(max(v, low), high)


def _mix(a: float, b: float, t: float) -> float:
    return a * (1 - t) + b * t


def _smoothstep(low: float, high: float, v: float) -> float:
    t = _clip((v - low) / (high - low), 0, 1) if high != low else v > low
    return t * t * (3 - 2 * t)


def _where(condition: float, a: float, b: float) -> float:
    return a if condition else b


OPERATORS = {
    "<": Operator(COMPARISON, operator.lt),
    "<=": Operator(COMPARISON, operator.le),
    ">": Operator(COMPARISON, operator.gt),
    ">=": Operator(COMPARISON, operator.ge),
    "==": Operator(COMPARISON, operator.eq),
    "!=": Operator(COMPARISON, operator.ne),
    "+": Operator(SUM, operator.add),
    "-": Operator(SUM, operator.sub),
    "*": Operator(PRODUCT, operator.mul),
    "/": Operator(PRODUCT, operator.truediv),
    "**": Operator(POWER, math.pow),
}

_FUNCTIONS = (
    Function("abs", ("v",), "v without its sign", abs),
    Function("min", ("a", "b", "..."), "the smallest", min),
    Function("max", ("a", "b", "..."), "the largest", max),
    Function("clip", ("v", "low", "high"), "v, but no less than low and no more than high", _clip),
    Function("sqrt", ("v",), "the square root", math.sqrt),
    Function("exp", ("v",), "e to the power of v", math.exp),
    Function("log", ("v",), "the natural logarithm", math.log),
    Function("sin", ("v",), "the sine of v in radians", math.sin),
    Function("cos", ("v",), "the cosine of v in radians", math.cos),
    Function("floor", ("v",), "the largest whole number that is not above v", math.floor),
    Function("mix", ("a", "b", "t"), "a·(1 − t) + b·t: a where t is 0, b where it is 1", _mix),
    Function(
        "smoothstep",
        ("low", "high", "v"),
        "0 up to low, 1 from high on, between them t²·(3 − 2t) of t = (v − low) / (high − low)",
        _smoothstep,
    ),
    Function("where", ("condition", "a", "b"), "b where the condition is 0, else a", _where),
)
FUNCTIONS = {function.name: function for function in _FUNCTIONS}

_GENERATORS = (
    Generator(
        "linear",
        {"x": 0.5, "y": 0.5, "angle": 0, "width": 0.1, "feather": 0.4},
        "0 in a band of that width through (x, y), along an angle in degrees clockwise from the "
        "right; beside it rising straight to 1 over feather. Width and feather are shares of the "
        "image's shorter side",
    ),
    Generator(
        "radial",
        {"x": 0.5, "y": 0.5, "radius": 0.2, "feather": 0.4},
        "0 in a disc of that radius about (x, y); around it rising straight to 1 over feather, "
        "both in shares of the image's shorter side",
    ),
)
GENERATORS = {generator.name: generator for generator in _GENERATORS}


def fold(name: str, values: list[float]) -> float:
    """Give what an operator, a function or the sign "negative" is of constants.

    Raises:
        ArithmeticError, ValueError: it has no value, or none that float32 can hold.
    """
    if name == "negative":
        return -values[0]
    of_numbers = OPERATORS[name].of_numbers if name in OPERATORS else FUNCTIONS[name].of_numbers
    value = float(of_numbers(*values))
    if not abs(value) <= SINGLE_MAX:
        raise OverflowError
    return value
