"""Expressions of maps, from text to steps: a grammar of our own, which knows nothing else."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from svfilter.errors import InvalidArgument
from svfilter.maps.expressions import complaints
from svfilter.maps.expressions.functions import (
    COMPARISON,
    CONSTANTS,
    FUNCTIONS,
    GENERATORS,
    LENGTHS,
    OPERATORS,
    PLACES,
    POWER,
    SINGLE_MAX,
    fold,
)
from svfilter.maps.expressions.tokens import Token, quoted, token_at, wrong

LONGEST = 4096
"""Characters of an expression."""
DEEPEST = 50
"""Parentheses, calls, signs and powers within each other."""


@dataclass(frozen=True)
class Number:
    """A constant."""

    value: float
    at: int


@dataclass(frozen=True)
class Name:
    """A map's value at the pixel, or x or y: its place."""

    name: str
    at: int


@dataclass(frozen=True)
class Apply:
    """What an operator, a function or a generator makes of as many values.

    Its name is a key of their tables, or "negative" for the sign. A generator takes all of its
    parameters in the order of the table.
    """

    name: str
    count: int
    at: int


Step = Number | Name | Apply


@dataclass(frozen=True)
class Formula:
    """An expression that has been understood.

    Its tree is stored in postfix order, operands before what takes them, so that a sum of a
    thousand terms is as flat as one of two. Each step has the place in the text of its number,
    word or sign. An operand is a `Number` only if all within it is constant: those are folded.
    """

    text: str
    steps: tuple[Step, ...]
    names: tuple[str, ...]
    """The maps that it reads, each once, in order of appearance."""


def parse(text: str, known: Collection[str]) -> Formula:
    """Read an expression.

    Args:
        text: numbers, maps, x, y and pi, joined by + - * / ** and comparisons (1 where they hold,
            else 0), functions and generators; precedence is Python's.
        known: the names of maps that there are.

    Raises:
        InvalidArgument: it is none; the message ends with the text and a caret under the place.

    Example:
        >>> [step.at for step in parse("2*depth - 1/4", ["depth"]).steps]
        [0, 2, 1, 11, 8]
    """
    if len(text) > LONGEST:
        reason = f"an expression has at most {LONGEST} characters, but this has {len(text)}"
        raise wrong(text, LONGEST, reason)
    return _Parser(text, known).formula()


def check_name(name: str) -> None:
    """Refuse the name of a map that no expression could read.

    Raises:
        InvalidArgument: it is not a name, or stands for something else.
    """
    token = token_at(name, 0)
    if (token.kind, token.text) != ("name", name):
        raise InvalidArgument(
            f"a map's name is made of letters (a to z, A to Z), digits and _, and does not begin "
            f"with a digit; {quoted(name)} is none"
        )
    if name in (*PLACES, *CONSTANTS, *GENERATORS, *complaints.WORDS):
        raise InvalidArgument(f"{name!r} has a meaning of its own; give the map another name")


class _Parser:
    """A parser by precedence (Pratt 1973): each operator knows how tightly it binds."""

    def __init__(self, text: str, known: Collection[str]) -> None:
        self._text, self._known = text, known
        self._names: dict[str, None] = {}
        self._depth = 0
        self._token = token_at(text, 0)

    def formula(self) -> Formula:
        """Read all of the text."""
        steps = self._expression()
        if self._token.kind != "end":
            raise complaints.unexpected(self._text, self._token)
        return Formula(self._text, tuple(steps), tuple(self._names))

    def _take(self) -> Token:
        token = self._token
        self._token = token_at(self._text, token.end)
        return token

    def _wrong(self, token: Token, reason: str) -> InvalidArgument:
        return wrong(self._text, token.at, reason)

    def _expression(self, least: int = COMPARISON) -> list[Step]:
        """Read operands joined by operators that bind at least so tightly."""
        left, compared = self._operand(), False
        while (found := OPERATORS.get(self._token.text)) and found.binding >= least:
            if compared and found.binding == COMPARISON:
                raise self._wrong(self._token, "comparisons are not chained; write (a < b)*(b < c)")
            sign = self._take()
            if found.binding == POWER:  # the last one first
                right = self._nested(sign, POWER)
            else:
                right = self._expression(found.binding + 1)
            left = self._apply(sign, [left, right])
            compared = found.binding == COMPARISON
        return left

    def _nested(self, token: Token, least: int = COMPARISON) -> list[Step]:
        if self._depth == DEEPEST:
            reason = f"more than {DEEPEST} parentheses, calls, signs and powers within each other"
            raise self._wrong(token, reason)
        self._depth += 1
        steps = self._expression(least)
        self._depth -= 1
        return steps

    def _operand(self) -> list[Step]:
        token = self._token
        if token.kind == "number":
            return self._number()
        if token.kind == "name":
            return self._named()
        if token.text == "(":
            self._take()
            steps = self._nested(token)
            self._close(token)
            return steps
        if token.text in ("+", "-"):
            self._take()
            steps = self._nested(token, POWER)
            return steps if token.text == "+" else self._apply(token, [steps], "negative")
        raise complaints.missing(self._text, token)

    def _number(self) -> list[Step]:
        token = self._take()
        value = float(token.text)
        if value > SINGLE_MAX:
            raise self._wrong(token, f"a number is at most {SINGLE_MAX:.6g}, the largest float32")
        return [Number(value, token.at)]

    def _close(self, opening: Token) -> None:
        if self._token.kind == "end":
            raise self._wrong(opening, "this parenthesis is never closed")
        if self._token.text != ")":
            raise complaints.unexpected(self._text, self._token)
        self._take()

    def _named(self) -> list[Step]:
        token = self._take()
        name, called = token.text, self._token.text == "("
        if name in complaints.WORDS:
            raise complaints.word(self._text, token)
        if name in GENERATORS:
            return self._generate(token, called)
        if name in FUNCTIONS and called:
            return self._call(token)
        if name in CONSTANTS:
            return [Number(CONSTANTS[name], token.at)]
        if name in self._known and name not in PLACES:
            self._names[name] = None
        elif name not in PLACES:
            if called:
                raise complaints.unknown_function(self._text, token)
            raise complaints.unknown_map(self._text, token, self._known)
        return [Name(name, token.at)]

    def _call(self, token: Token) -> list[Step]:
        opening, arguments = self._take(), list[list[Step]]()
        usage = FUNCTIONS[token.text].usage
        while self._token.text != ")" or arguments:
            if self._names_parameter():
                reason = f"the arguments of {usage} have no names; write == to compare"
                raise self._wrong(token_at(self._text, self._token.end), reason)
            arguments.append(self._nested(opening))
            if self._token.text != ",":
                break
            self._take()
        self._close(opening)
        if not FUNCTIONS[token.text].takes(len(arguments)):
            raise complaints.arity(self._text, token, len(arguments), self._known)
        return self._apply(token, arguments)

    def _generate(self, token: Token, called: bool) -> list[Step]:
        parameters, given = GENERATORS[token.text].parameters, dict[str, list[Step]]()
        opening = self._take() if called else token
        while called and (self._token.text != ")" or given):
            name = self._parameter(token.text)
            if name.text in given:
                raise self._wrong(name, f"{name.text} is given twice")
            at = self._token
            given[name.text] = self._nested(opening)
            self._check_length(name.text, at, given[name.text])
            if self._token.text != ",":
                break
            self._take()
        if called:
            self._close(opening)
        operands = [
            given.get(name) or [Number(value, token.at)] for name, value in parameters.items()
        ]
        return self._apply(token, operands)

    def _names_parameter(self) -> bool:
        """Tell whether `name =` comes next."""
        token = self._token
        return token.kind == "name" and token_at(self._text, token.end).text == "="

    def _parameter(self, generator: str) -> Token:
        """Read `name =`."""
        token = self._token
        if not self._names_parameter():
            if token.kind not in ("number", "name") and token.text not in ("(", "+", "-"):
                raise complaints.missing(self._text, token)
            usage = GENERATORS[generator].usage
            raise self._wrong(token, f"the arguments of {generator} need their names: {usage}")
        if token.text not in GENERATORS[generator].parameters:
            raise complaints.parameter(self._text, token, generator)
        self._take()
        self._take()
        return token

    def _check_length(self, name: str, token: Token, steps: list[Step]) -> None:
        value = _constant(steps)
        if name in LENGTHS and value is not None and value < 0:
            raise self._wrong(token, f"{name} must be 0 or more, but is {value:g}")

    def _apply(self, token: Token, operands: list[list[Step]], name: str = "") -> list[Step]:
        """Join operands, or fold them where all are constant."""
        name = name or token.text
        values = [value for steps in operands if (value := _constant(steps)) is not None]
        if len(values) == len(operands) and name not in GENERATORS:
            try:
                return [Number(fold(name, values), token.at)]
            except (ArithmeticError, ValueError) as error:
                raise complaints.no_value(self._text, token, values, error) from None
        steps = operands[0]
        for operand in operands[1:]:
            steps += operand
        steps.append(Apply(name, len(operands), token.at))
        return steps


def _constant(steps: list[Step]) -> float | None:
    first = steps[0]
    return first.value if len(steps) == 1 and isinstance(first, Number) else None
