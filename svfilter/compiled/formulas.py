"""The formula of a family's weights, found by having the family compute with symbols.

    u(d; θ) as `profile` says it  →  a graph of operations on offsets, parameters and a guide

What depends on the parameters alone is computed once for each pixel, by NumPy: a coefficient.
What depends on the offsets alone is computed once for all pixels: a table. Only what is left is
computed for each tap of each pixel, by the functions that `svfilter.compiled.blocks` writes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, ClassVar

import numpy as np

from svfilter.kernels.base import Array, Family

PIXEL, TAP, GUIDE = 1, 2, 4
"""What a symbol may depend on: the pixel's own parameters, the offset, the guide's values."""

IN_LANES = {
    *("add", "subtract", "multiply", "divide", "negative", "abs", "minimum", "maximum"),
    *("sqrt", "exp", "log", "floor", "where", "less", "less_equal", "equal"),
    *("logical_and", "logical_or", "logical_not"),
}
"""Operations that are computed for each tap of each pixel."""
_BY_NUMPY: dict[str, Callable[..., Array]] = {
    **{name: getattr(np, name) for name in IN_LANES | {"cos", "sin", "tan", "arctan2", "power"}},
}
_LOGICAL = {"less", "less_equal", "equal", "logical_and", "logical_or", "logical_not"}


class UnknownOperation(TypeError):
    """A profile does what cannot be compiled."""


@dataclass(frozen=True, eq=False)
class Symbol:
    """A value that is not known yet; operations on it are noted."""

    operation: str
    """One of those above, or "constant", "dy", "dx", "parameter", "difference"."""
    arguments: tuple[Symbol, ...] = ()
    value: float | int | str = 0
    """Of a constant; of a parameter its name; of a difference the guide's plane."""
    needs: int = 0
    dtype: ClassVar[str] = "float32"

    @property
    def logical(self) -> bool:
        """Whether it is true or false."""
        return self.operation in _LOGICAL

    def __array_namespace__(self, api_version: str | None = None) -> type[_Operations]:
        """Give the operations, as the array API standard has it."""
        return _Operations

    def __add__(self, other: Any) -> Symbol:
        return _note("add", self, other)

    def __radd__(self, other: Any) -> Symbol:
        return _note("add", other, self)

    def __sub__(self, other: Any) -> Symbol:
        return _note("subtract", self, other)

    def __rsub__(self, other: Any) -> Symbol:
        return _note("subtract", other, self)

    def __mul__(self, other: Any) -> Symbol:
        return _note("multiply", self, other)

    def __rmul__(self, other: Any) -> Symbol:
        return _note("multiply", other, self)

    def __truediv__(self, other: Any) -> Symbol:
        return _note("divide", self, other)

    def __rtruediv__(self, other: Any) -> Symbol:
        return _note("divide", other, self)

    def __pow__(self, power: Any) -> Symbol:
        if power == 2:
            return self * self
        return _note("power", self, power)

    def __neg__(self) -> Symbol:
        return _note("negative", self)

    def __abs__(self) -> Symbol:
        return _note("abs", self)

    def __lt__(self, other: Any) -> Symbol:
        return _note("less", self, other)

    def __le__(self, other: Any) -> Symbol:
        return _note("less_equal", self, other)

    def __gt__(self, other: Any) -> Symbol:
        return _note("less", other, self)

    def __ge__(self, other: Any) -> Symbol:
        return _note("less_equal", other, self)

    def __eq__(self, other: object) -> Any:
        return _note("equal", self, other)

    def __and__(self, other: Any) -> Symbol:
        return _note("logical_and", self, other)

    def __or__(self, other: Any) -> Symbol:
        return _note("logical_or", self, other)

    def __invert__(self) -> Symbol:
        return _note("logical_not", self)

    def __bool__(self) -> bool:
        raise UnknownOperation("its formula branches on a value")

    __hash__ = object.__hash__


class _OperationsOfNames(type):
    """Notes every function of the array API standard that is known here by its name."""

    def __getattr__(cls, name: str) -> Callable[..., Symbol]:
        if name in _BY_NUMPY:
            return lambda *arguments: _note(name, *arguments)
        if name.startswith("__"):  # what Python itself may ask of a class
            raise AttributeError(name)
        raise UnknownOperation(f"its formula uses {name}")


class _Operations(metaclass=_OperationsOfNames):
    """The namespace of symbols."""

    pi, e, float32, float64 = math.pi, math.e, "float32", "float64"

    @staticmethod
    def clip(value: Any, low: Any, high: Any) -> Symbol:
        return _note("minimum", _note("maximum", value, low), high)

    @staticmethod
    def square(value: Any) -> Symbol:
        return _note("multiply", value, value)

    @staticmethod
    def pow(value: Any, power: Any) -> Symbol:
        return _note("power", value, power)

    @staticmethod
    def atan2(y: Any, x: Any) -> Symbol:
        return _note("arctan2", y, x)

    @staticmethod
    def zeros_like(value: Any) -> Symbol:
        return _constant(0.0)

    @staticmethod
    def ones_like(value: Any) -> Symbol:
        return _constant(1.0)


_KNOWN: dict[tuple[Any, ...], Symbol] = {}
"""Symbols by what they are, so that what is the same is computed once."""


def _symbol(
    operation: str, arguments: tuple[Symbol, ...] = (), value: float | int | str = 0, needs: int = 0
) -> Symbol:
    key = operation, tuple(map(id, arguments)), value, needs
    return _KNOWN.setdefault(key, Symbol(operation, arguments, value, needs))


def _constant(value: float) -> Symbol:
    return _symbol("constant", value=float(value))


def _note(operation: str, *arguments: Any) -> Symbol:
    """Note an operation, with what would be computed again for every tap moved out of there."""
    a = tuple(v if isinstance(v, Symbol) else _constant(v) for v in arguments)
    needs = 0
    for symbol in a:
        needs |= symbol.needs
    if needs == 0:
        return _constant(float(_BY_NUMPY[operation](*(s.value for s in a))))
    if operation == "divide" and not a[1].needs & ~PIXEL and needs != PIXEL:
        return _note("multiply", a[0], _note("divide", 1.0, a[1]))
    if operation == "multiply" and needs & ~PIXEL:
        # (a · b) · c with b and c known for the pixel: a · (b · c)
        for one, other in (a, a[::-1]):
            if one.operation == "multiply" and not other.needs & ~PIXEL:
                for inner, rest in (one.arguments, one.arguments[::-1]):
                    if not inner.needs & ~PIXEL:
                        return _note("multiply", rest, _note("multiply", inner, other))
    return _symbol(operation, a, needs=needs)


@dataclass(frozen=True, eq=False)
class Formula:
    """A family's u, split into what is computed where."""

    result: Symbol
    coefficients: tuple[Symbol, ...]
    """Computed for each pixel,"""
    tables: tuple[Symbol, ...]
    """and for each offset, by NumPy."""
    span: tuple[Symbol, Symbol] | None
    """Between which dx a row has taps."""
    guides: int

    def coefficients_of(self, maps: dict[str, Array], shape: tuple[int, int]) -> Iterator[Array]:
        """Give every coefficient [H, W] for parameters [H, W] or []."""
        known: dict[int, Array] = {}
        maps = {name: np.asarray(values, np.float64) for name, values in maps.items()}
        with np.errstate(all="ignore"):  # what a `where` leaves out, above all
            for symbol in self.coefficients:
                yield np.broadcast_to(_evaluate(symbol, maps, known), shape)

    def tables_of(self, reach: int) -> Iterator[Array]:
        """Give every table, for offsets from −reach to reach."""
        d = np.arange(-reach, reach + 1, dtype=np.float64)
        known: dict[int, Array] = {}
        with np.errstate(all="ignore"):
            for symbol in self.tables:
                values = _evaluate(symbol, {"dy": d[:, None], "dx": d}, known)
                yield np.broadcast_to(values, (len(d), len(d)))


def _evaluate(symbol: Symbol, leaves: dict[str, Array], known: dict[int, Array]) -> Array:
    if symbol.operation == "constant":
        return symbol.value
    if symbol.operation in ("dy", "dx"):
        return leaves[symbol.operation]
    if symbol.operation == "parameter":
        return leaves[str(symbol.value)]
    if id(symbol) not in known:
        arguments = (_evaluate(argument, leaves, known) for argument in symbol.arguments)
        known[id(symbol)] = _BY_NUMPY[symbol.operation](*arguments)
    return known[id(symbol)]


def formula_of(family: Family, guides: int) -> Formula:
    """Find the formula of a family with these constants.

    Raises:
        UnknownOperation: its profile does what cannot be compiled.
    """
    parameters = family.parameters()
    constants = tuple(
        (name, float(getattr(family, name))) for name, p in parameters.items() if not p.per_pixel
    )
    return _formula(type(family), constants, guides)


@lru_cache(maxsize=64)
def _formula(kind: type[Family], constants: tuple[tuple[str, float], ...], guides: int) -> Formula:
    leaves = {
        name: _symbol("parameter", value=name, needs=PIXEL)
        for name, parameter in kind.parameters().items()
        if parameter.per_pixel
    }
    offsets = _symbol("dy", needs=TAP), _symbol("dx", needs=TAP)
    differences = [_symbol("difference", value=g, needs=GUIDE) for g in range(guides)]
    family = replace(kind(), **leaves, **dict(constants))
    try:
        result = family.profile(*offsets, *differences)
        span = family.span(offsets[0])
    except (AttributeError, TypeError, ValueError) as error:  # what only arrays can do
        if isinstance(error, UnknownOperation):
            raise
        raise UnknownOperation(f"its formula does not take symbols ({error})") from error
    coefficients: dict[int, Symbol] = {}
    tables: dict[int, Symbol] = {}
    for symbol in (result, *(span or ())):
        _split(symbol, coefficients, tables)
    found = tuple(coefficients.values()), tuple(tables.values())
    return Formula(result, *found, span, guides)


def _split(symbol: Symbol, coefficients: dict[int, Symbol], tables: dict[int, Symbol]) -> None:
    """Find the largest parts that depend on the parameters or on the offsets alone."""
    if symbol.needs == PIXEL:
        coefficients[id(symbol)] = symbol
    elif symbol.needs == TAP and symbol.arguments:
        tables[id(symbol)] = symbol
    elif symbol.arguments:
        if symbol.operation not in IN_LANES:
            raise UnknownOperation(f"its formula uses {symbol.operation} for every tap")
        for argument in symbol.arguments:
            _split(argument, coefficients, tables)
