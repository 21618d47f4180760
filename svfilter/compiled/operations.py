"""A formula's operations in LLVM instructions, and a formula written out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from llvmlite import ir

from svfilter.compiled.formulas import Formula, Symbol
from svfilter.compiled.lanes import INTEGERS, VECTOR, Lanes, Value
from svfilter.compiled.machine import LANES

_LOGICAL = ir.VectorType(ir.IntType(1), LANES)


@dataclass(frozen=True, eq=False)
class Place:
    """Where a formula is written out: what its leaves are there."""

    lanes: Lanes
    symbols: dict[int, Value]
    """What is known already, by the symbol."""

    def write(self, symbol: Symbol) -> Value:
        """Give the value of a symbol as a vector."""
        if symbol.operation == "constant":
            return self.lanes.constant(float(symbol.value))
        if id(symbol) not in self.symbols:
            arguments = [self.write(argument) for argument in symbol.arguments]
            self.symbols[id(symbol)] = OPERATIONS[symbol.operation](self.lanes, *arguments)
        return self.symbols[id(symbol)]

    def know(self, symbol: Symbol, value: Value) -> None:
        """Take a vector of floats for a symbol; for a logical one, 0 is false."""
        if symbol.logical:
            value = self.lanes.builder.fcmp_unordered("!=", value, self.lanes.constant(0.0))
        self.symbols[id(symbol)] = value


def _less(order: str) -> Any:
    return lambda lanes, a, b: lanes.builder.fcmp_ordered(order, a, b)


def _pick(order: str) -> Any:
    return lambda lanes, a, b: lanes.builder.select(lanes.builder.fcmp_ordered(order, a, b), a, b)


def _unary(name: str) -> Any:
    return lambda lanes, a: lanes.instruction(f"llvm.{name}.v{LANES}f32", VECTOR, [a])


def _exp(lanes: Lanes, x: Value) -> Value:
    """Give e^x within an ulp or two; 0 below e^-87.

    2^n times a polynomial of degree 6 for what is left (Cody & Waite's reduction).
    """
    b = lanes.builder
    low, high = lanes.constant(-87.0), lanes.constant(88.0)
    tiny = b.fcmp_ordered("<", x, low)
    x = _pick("<")(lanes, _pick(">")(lanes, x, low), high)
    n = _unary("rint")(lanes, b.fmul(x, lanes.constant(1.4426950408889634)))
    rest = lanes.fma(n, lanes.constant(-0.693359375), x)
    rest = lanes.fma(n, lanes.constant(2.12194440e-4), rest)
    total = lanes.constant(1.9875691500e-4)
    for term in (1.3981999507e-3, 8.3334519073e-3, 4.1665795894e-2, 1.6666665459e-1, 0.5, 1, 1):
        total = lanes.fma(total, rest, lanes.constant(term))
    exponent = b.shl(
        b.add(b.fptosi(n, INTEGERS), lanes.constant(127, INTEGERS)), lanes.constant(23, INTEGERS)
    )
    return b.select(tiny, lanes.constant(0.0), b.fmul(total, b.bitcast(exponent, VECTOR)))


def _log(lanes: Lanes, x: Value) -> Value:
    """Give the natural logarithm of a positive number within an ulp or two.

    log 2 times the exponent, and a polynomial of degree 9 for a mantissa between √½ and √2, with
    the coefficients of Cephes (Moshier 1989).
    """
    b = lanes.builder
    bits = b.bitcast(x, INTEGERS)
    shifted = b.sub(bits, lanes.constant(0x3F3504F3, INTEGERS))
    exponent = b.ashr(shifted, lanes.constant(23, INTEGERS))
    mantissa = b.sub(bits, b.shl(exponent, lanes.constant(23, INTEGERS)))
    m = b.fsub(b.bitcast(mantissa, VECTOR), lanes.constant(1.0))
    e = b.sitofp(exponent, VECTOR)
    total = lanes.constant(7.0376836292e-2)
    for term in (
        *(-1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1),
        *(-1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1),
    ):
        total = lanes.fma(total, m, lanes.constant(term))
    square = b.fmul(m, m)
    total = b.fmul(b.fmul(total, m), square)
    total = lanes.fma(e, lanes.constant(-2.12194440e-4), total)
    total = lanes.fma(square, lanes.constant(-0.5), total)
    return lanes.fma(e, lanes.constant(0.693359375), b.fadd(m, total))


OPERATIONS: dict[str, Any] = {
    "add": lambda lanes, a, b: lanes.builder.fadd(a, b),
    "subtract": lambda lanes, a, b: lanes.builder.fsub(a, b),
    "multiply": lambda lanes, a, b: lanes.builder.fmul(a, b),
    "divide": lambda lanes, a, b: lanes.builder.fdiv(a, b),
    "negative": lambda lanes, a: lanes.builder.fsub(lanes.constant(-0.0), a),
    "abs": _unary("fabs"),
    "minimum": _pick("<"),
    "maximum": _pick(">"),
    "sqrt": _unary("sqrt"),
    "floor": _unary("floor"),
    "exp": _exp,
    "log": _log,
    "where": lambda lanes, condition, a, b: lanes.builder.select(condition, a, b),
    "less": _less("<"),
    "less_equal": _less("<="),
    "equal": _less("=="),
    "logical_and": lambda lanes, a, b: lanes.builder.and_(a, b),
    "logical_or": lambda lanes, a, b: lanes.builder.or_(a, b),
    "logical_not": lambda lanes, a: lanes.builder.xor(a, ir.Constant(_LOGICAL, [1] * LANES)),
}


def leaves(formula: Formula) -> list[Symbol]:
    """Give the offsets and differences that are met on the way from the results."""
    found: dict[int, Symbol] = {}
    apart = {id(symbol) for symbol in (*formula.coefficients, *formula.tables)}

    def search(symbol: Symbol) -> None:
        if id(symbol) in apart:
            return
        if symbol.operation in ("dy", "dx", "difference"):
            found[id(symbol)] = symbol
        for argument in symbol.arguments:
            search(argument)

    for result in (formula.result, *(formula.span or ())):
        search(result)
    return list(found.values())
