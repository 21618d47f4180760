"""Expressions of maps: they mean what Python would, the same in any window, or are refused."""

from __future__ import annotations

import inspect
import math
import operator
import pickle
import random
import sys
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import pytest
from wrong_expressions import KNOWN, WIDE, WRONG

from svfilter.errors import InvalidArgument
from svfilter.maps.expressions import computing, evaluate
from svfilter.maps.expressions.functions import FUNCTIONS, GENERATORS, OPERATORS
from svfilter.maps.expressions.grammar import Number, check_name, parse
from svfilter.maps.expressions.tokens import wrong
from svfilter.maps.steady import steady
from svfilter.tiles import Window

Maps = dict[str, np.ndarray]
SIZES = [(1, 1), (7, 13), (5, 300), (31, 1)]


def some_maps(height: int, width: int) -> Maps:
    """Levels 0..1 with both ends, and equal ones here and there."""
    rng = np.random.default_rng(5)
    maps = {name: rng.random((1, height, width), np.float32) for name in KNOWN}
    maps["mask"][0, ::2, ::3] = maps["depth"][0, ::2, ::3]
    maps["depth"][0, -1, 0], maps["depth"][0, 0, -1] = 0, 1
    return maps


def computed(text: str, maps: Maps, window: Window | None = None) -> np.ndarray:
    height, width = maps["depth"].shape[1:]
    window = window or Window(0, 0, height, width)
    levels = {name: values[:, window.rows, window.cols] for name, values in maps.items()}
    result: np.ndarray = evaluate(parse(text, KNOWN), levels, window, (height, width))
    assert result.shape == (1, window.height, window.width)
    assert result.dtype == np.float32
    assert result.flags.owndata
    return result


def constant(text: str) -> float:
    (step,) = parse(text, KNOWN).steps
    assert isinstance(step, Number)
    return step.value


# What is refused


@pytest.mark.parametrize(
    ("reason", "marked"),
    [pytest.param(r, m, id=f"{r}-{i}") for r, group in WRONG.items() for i, m in enumerate(group)],
)
def test_what_is_wrong_is_refused_with_its_place(reason: str, marked: str) -> None:
    at, text = marked.index("¦"), marked.replace("¦", "", 1)
    with pytest.raises(InvalidArgument) as error:
        parse(text, KNOWN)
    message, shown, caret = str(error.value).rsplit("\n", 2)
    assert reason in message
    column = caret.index("^")
    assert caret == " " * column + "^"
    if len(text) <= 70 and text.isprintable():
        assert (shown, column) == (f"  {text}", at + 2)
    assert len(shown) <= 2 + 70 + 2 * len("...")
    here = text[at : at + 1] or " "
    assert f"{shown} "[column] == (here if here.isprintable() else " " if here.isspace() else "\\")


@pytest.mark.parametrize(("marked", "column", "reason"), WIDE, ids=range(len(WIDE)))
def test_the_caret_stands_under_any_character(marked: str, column: int, reason: str) -> None:
    with pytest.raises(InvalidArgument) as error:
        parse(marked.replace("¦", "", 1), KNOWN)
    message, shown, caret = str(error.value).rsplit("\n", 2)
    assert reason in message
    assert caret == " " * (2 + column) + "^"
    assert shown.isprintable()
    assert str(error.value).encode()  # no lone surrogates, which no terminal could be given


@pytest.mark.parametrize(
    ("text", "at", "shown", "column"),
    [
        ("深度*!", 3, "深度*!", 5),
        ("深度", 1, "深度", 2),
        ("ｄ!", 1, "ｄ!", 2),
        ("e\u0301!", 2, "e\u0301!", 1),
        ("e\u0301!", 1, "e\u0301!", 0),  # a mark is drawn into the letter before it
        ("\u1112\u1161\u11ab!", 3, "\u1112\u1161\u11ab!", 2),  # one syllable of three parts
        ("\U0001f600!", 1, "\U0001f600!", 2),
        ("a\tb\n!", 4, "a b !", 4),
        ("\x1b[1m!", 4, "\\x1b[1m!", 7),
        ("\u202e!", 1, "\\u202e!", 6),
        ("\ud800!", 1, "\\ud800!", 6),
        ("ab", 2, "ab", 2),
        ("", 0, "", 0),
        ("a" * 70, 70, "a" * 70, 70),
        ("a" * 71, 0, "a" * 70 + "...", 0),
        ("a" * 71, 71, "..." + "a" * 70, 73),
        ("a" * 100 + "!" + "b" * 100, 100, "..." + "a" * 45 + "!" + "b" * 24 + "...", 48),
        ("深" * 100 + "!" + "度" * 100, 100, "..." + "深" * 22 + "!" + "度" * 12 + "...", 47),
    ],
)
def test_the_caret_follows_the_columns_of_a_terminal(
    text: str, at: int, shown: str, column: int
) -> None:
    assert str(wrong(text, at, "no")) == f"no\n  {shown}\n  {' ' * column}^"


def test_whatever_is_written_is_read_or_refused() -> None:
    pieces = [
        *OPERATORS, *FUNCTIONS, *GENERATORS, *KNOWN, *"()()(),,.=^!;[]'\" \t\n", "1", "0.5", "1e",
        "1e9", "x=", "width=", "not", "if", "__", "é", "深", "\u0301", "\x1b", "\udc80", "&&", "//",
    ]  # fmt: skip
    source, maps, read = random.Random(4), some_maps(2, 3), 0
    for _ in range(3000):
        text = "".join(source.choices(pieces, k=source.randint(1, 7)))
        try:
            parse(text, KNOWN)
        except InvalidArgument as error:
            _, shown, caret = str(error).rsplit("\n", 2)
            assert shown.isprintable()
            assert caret.strip() == "^"
        else:
            computed(text, maps)
            read += 1
    assert read > 50


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "clip(2*abs(dpeth-0.4),0,1)*(1-mask)",
            "no map is named 'dpeth'; did you mean 'depth'? A map is one of depth, mask, min, max, "
            "intensity, r, g, b; others are bound with --map dpeth=FILE",
        ),
        ("DEPTH", "did you mean 'depth'? A map"),
        ("Radial", "did you mean 'radial'? A map"),
        ("qqq", "no map is named 'qqq'. A map is"),
        ("sine(1)", "no function is named 'sine'; did you mean 'sin'? There are abs, min, max, "),
        ("pow(1, 2)", "no function is named 'pow'; write a**b. There are abs"),
        ("clip + 1", "'clip' is a function; write clip(v, low, high)"),
        ("clip(1, 2)", "clip(v, low, high) takes 3 arguments, not 2"),
        ("max(1)", "max(a, b, ...) takes 2 or more arguments, not 1; the map of that name has no"),
        ("depth^2", "'^' has no meaning here; write ** for a power"),
        ("0,5", "a decimal is written 0.5"),
        ("0<depth<1", "write (a < b)*(b < c)"),
        ("depth.png", "a file is bound to a name with --map NAME=FILE"),
        ("depth[0]", "with --map NAME=FILE:channel"),
        ("a and b", "no map is named 'a'"),
        ("r and b", "there is no 'and'; write a*b or min(a, b)"),
        ("linear(0.5)", "linear(x=0.5, y=0.5, angle=0, width=0.1, feather=0.4)"),
        ("linear(heather=1)", "linear has no 'heather'; did you mean 'feather'? it is linear(x="),
        ("(-2)**0.5", "(-2) ** 0.5 is no real and finite number"),
        ("1/0", "1 / 0 is no real"),
        ("clip(3e38*2, 0, 1)", "3e+38 * 2 is beyond ±3.40282e+38, where float32 ends"),
    ],
)
def test_a_refusal_tells_the_remedy(text: str, message: str) -> None:
    with pytest.raises(InvalidArgument) as error:
        parse(text, KNOWN)
    assert message in str(error.value).splitlines()[0]


def test_names_are_suggested_whatever_their_case() -> None:
    with pytest.raises(InvalidArgument, match="did you mean 'DEPTHMAP'"):
        parse("depthmap", ["DEPTHMAP"])


def test_what_has_a_meaning_keeps_it() -> None:
    formula = parse("x + y + pi + linear + abs", ["abs", "x", "y", "pi", "linear"])
    assert formula.names == ("abs",)


def test_a_refusal_is_short_however_long_the_names_are() -> None:
    for text in ("a" * 4000, "a" * 4000 + "(1)", "1" + "a" * 4000, f"linear({'a' * 4000}=1)"):
        with pytest.raises(InvalidArgument) as error:
            parse(text, KNOWN)
        assert len(str(error.value)) < 600
    with pytest.raises(InvalidArgument, match="Maps are bound with --map"):
        parse("depth", ())


@pytest.mark.parametrize("name", ["", "a b", "a.b", "1a", " a", "a-b", "é", "a\n", "x", "y", "pi"])
def test_names_that_no_expression_could_read_are_refused(name: str) -> None:
    with pytest.raises(InvalidArgument, match="name"):
        check_name(name)


@pytest.mark.parametrize("name", ["linear", "radial", "and", "not", "if", "True"])
def test_names_with_a_meaning_are_refused(name: str) -> None:
    with pytest.raises(InvalidArgument, match="has a meaning of its own"):
        check_name(name)


@pytest.mark.parametrize("name", ["depth", "_", "X", "max", "abs", "a1", "e"])
def test_other_names_are_read(name: str) -> None:
    check_name(name)
    assert parse(f"1 - {name}", [name]).names == (name,)


# What they mean


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", 1), (".5", 0.5), ("5.", 5), ("0.5e1", 5), ("1E-3", 1e-3), ("1e+2", 100), ("007", 7),
        ("pi", math.pi), ("-2**2", -(2**2)), ("2**-1", 2**-1), ("2**3**2", 2**3**2),
        ("(2**3)**2", (2**3) ** 2), ("-2**-2", -(2**-2)), ("2**-1**2", 2 ** -(1**2)),
        ("1-2-3", 1 - 2 - 3), ("1-(2-3)", 1 - (2 - 3)), ("8/4/2", 8 / 4 / 2), ("8/4*2", 8 / 4 * 2),
        ("1-2*3", 1 - 2 * 3), ("2*3**2", 2 * 3**2), ("2*-3", 2 * -3), ("2--3", 2 - -3),
        ("+-+1", -1),
        ("1<1+1", 1), ("1+1<2", 0), ("2<=2", 1), ("2>2", 0), ("3>=2", 1), ("1==1", 1), ("1!=1", 0),
        ("-1<1", 1), ("2*3>5", 1), ("(1<2)+(2<3)", 2), ("0.1+0.2==0.3", 0), ("1<-1", 0),
        ("max(1, 2, 3)", 3), ("min(3, 2, 1, 4)", 1), ("clip(5, 0, 1)", 1), ("clip(5, 3, 1)", 1),
        ("smoothstep(0, 4, 1)", 0.15625), ("smoothstep(1, 1, 1)", 0), ("smoothstep(1, 1, 2)", 1),
        ("where(0, 1, 2)", 2), ("where(-1, 1, 2)", 1), ("mix(1, 3, 0.25)", 1.5), ("abs(-2)", 2),
        ("floor(-0.5)", -1), ("log(exp(2))", 2), ("sqrt(2)", math.sqrt(2)), ("sin(1)", math.sin(1)),
        ("cos(pi)", -1), (" 1\n+\t1\r ", 2),
    ],
)  # fmt: skip
def test_constants_are_folded_as_in_python(text: str, value: float) -> None:
    assert constant(text) == value
    assert isinstance(constant(text), float)


# Trees: a number, a name, ("negative", a) or (operator, a, b)
Tree = float | str | tuple
PYTHON: dict[str, tuple[int, Callable[..., float]]] = {
    "<": (1, operator.lt), "<=": (1, operator.le), ">": (1, operator.gt), ">=": (1, operator.ge),
    "==": (1, operator.eq), "!=": (1, operator.ne), "+": (2, operator.add), "-": (2, operator.sub),
    "*": (3, operator.mul), "/": (3, operator.truediv), "negative": (4, operator.neg),
    "**": (5, operator.pow),
}  # fmt: skip


def tree(source: random.Random, depth: int, signs: list[str], leaves: list[Tree]) -> Tree:
    if depth == 0 or source.random() < 0.15:
        return source.choice(leaves)
    sign = source.choice(signs)
    count = 1 if sign == "negative" else 2
    return (sign, *(tree(source, depth - 1, signs, leaves) for _ in range(count)))


def binding(node: Tree) -> int:
    return PYTHON[node[0]][0] if isinstance(node, tuple) else 9


def written(node: Tree, source: random.Random, least: int = 0) -> str:
    """Write a tree with the parentheses that Python needs, and a few more."""
    if not isinstance(node, tuple):
        return f"{node}"
    sign, *inner = node
    here = binding(node)
    if sign == "negative":
        text = "-" + written(inner[0], source, here)
    else:
        left, right = {1: (2, 2), 5: (6, 4)}.get(here, (here, here + 1))
        gap = source.choice(["", " "])
        text = (
            f"{written(inner[0], source, left)}{gap}{sign}{gap}{written(inner[1], source, right)}"
        )
    return f"({text})" if here < least or source.random() < 0.1 else text


def python(node: Tree, values: Mapping[str, float]) -> float:
    if isinstance(node, tuple):
        result = PYTHON[node[0]][1](*(python(inner, values) for inner in node[1:]))
        if isinstance(result, complex) or not abs(result) <= np.finfo(np.float32).max:
            raise OverflowError
        return float(result)
    return values[node] if isinstance(node, str) else node


def test_random_constants_have_python_s_value() -> None:
    source, refused = random.Random(8), 0
    for _ in range(1500):
        node = tree(source, 5, [*PYTHON], [0.0, 1.0, 2.0, 0.5, 3.0])
        text = written(node, source)
        try:
            value = python(node, {})
        except ArithmeticError:
            refused += 1
            with pytest.raises(InvalidArgument, match="no real and finite number|is beyond"):
                parse(text, ())
        else:
            assert constant(text) == value, text
    assert 50 < refused < 1000


def bounded(node: Tree, values: Mapping[str, float]) -> tuple[float, float]:
    """Give a value in float64, and how far the same in float32 may be off."""
    if not isinstance(node, tuple):
        return (values[node], 0) if isinstance(node, str) else (node, 2**-24 * node)
    sign, results = node[0], [bounded(each, values) for each in node[1:]]
    value = PYTHON[sign][1](*(result for result, _ in results))
    errors = [error for _, error in results]
    if sign == "*":
        (a, e), (b, f) = results
        errors = [abs(a) * f, abs(b) * e, e * f]
    return value, sum(errors) + (abs(value) + sum(errors)) * 2**-23


def test_random_expressions_of_maps_have_python_s_value() -> None:
    source, maps = random.Random(9), some_maps(3, 5)
    for _ in range(150):
        node = tree(source, 5, ["+", "-", "*", "negative"], ["depth", "mask", "r", 2.0, 0.3])
        result = computed(written(node, source), maps)
        for at in np.ndindex(3, 5):
            values = {name: float(levels[0][at]) for name, levels in maps.items()}
            value, error = bounded(node, values)
            assert abs(result[0][at] - value) <= error


# The slow truth: of d, m (two maps) and x, y of one pixel, in Python's floats.
Truth = Callable[[float, float, float, float], float]


def clip(v: float, low: float, high: float) -> float:
    return min(max(v, low), high)


def smooth(low: float, high: float, v: float) -> float:
    t = clip((v - low) / (high - low), 0, 1) if high != low else float(v > low)
    return t * t * (3 - 2 * t)


VALUES: dict[str, Truth] = {
    "depth": lambda d, m, x, y: d,
    "0.25": lambda d, m, x, y: 0.25,
    "x": lambda d, m, x, y: x,
    "y": lambda d, m, x, y: y,
    "x + y*depth": lambda d, m, x, y: x + y * d,
    "depth + mask": lambda d, m, x, y: d + m,
    "depth - 0.4": lambda d, m, x, y: d - 0.4,
    "depth * mask": lambda d, m, x, y: d * m,
    "depth / (1 + mask)": lambda d, m, x, y: d / (1 + m),
    "1 / (2 - x)": lambda d, m, x, y: 1 / (2 - x),
    "-depth": lambda d, m, x, y: -d,
    "+depth": lambda d, m, x, y: d,
    "depth ** 2": lambda d, m, x, y: d**2,
    "x ** 2": lambda d, m, x, y: x**2,
    "-depth ** 2": lambda d, m, x, y: -(d**2),
    "(depth + 0.1) ** 2.2": lambda d, m, x, y: (d + 0.1) ** 2.2,
    "(depth + 0.1) ** mask": lambda d, m, x, y: (d + 0.1) ** m,
    "2 ** -depth": lambda d, m, x, y: 2**-d,
    "2 ** y": lambda d, m, x, y: 2**y,
    "(-depth) ** 3": lambda d, m, x, y: (-d) ** 3,
    "depth ** 0": lambda d, m, x, y: 1,
    "depth < mask": lambda d, m, x, y: d < m,
    "depth <= mask": lambda d, m, x, y: d <= m,
    "depth > mask": lambda d, m, x, y: d > m,
    "depth >= mask": lambda d, m, x, y: d >= m,
    "depth == mask": lambda d, m, x, y: d == m,
    "depth != mask": lambda d, m, x, y: d != m,
    "x <= y": lambda d, m, x, y: np.float32(x) <= np.float32(y),
    "0.5 < depth": lambda d, m, x, y: d > 0.5,
    "abs(depth - mask)": lambda d, m, x, y: abs(d - m),
    "min(depth, mask)": lambda d, m, x, y: min(d, m),
    "max(depth, mask, 0.3)": lambda d, m, x, y: max(d, m, 0.3),
    "min(0.7, 0.6, depth)": lambda d, m, x, y: min(0.6, d),
    "max(x, y)": lambda d, m, x, y: max(x, y),
    "clip(depth, 0.2, 0.7)": lambda d, m, x, y: clip(d, 0.2, 0.7),
    "clip(depth, mask, 0.7)": lambda d, m, x, y: clip(d, m, 0.7),
    "clip(0.5, depth, mask)": lambda d, m, x, y: clip(0.5, d, m),
    "clip(x, depth, y)": lambda d, m, x, y: clip(x, d, y),
    "sqrt(depth)": lambda d, m, x, y: math.sqrt(d),
    "exp(3 * depth)": lambda d, m, x, y: math.exp(3 * d),
    "log(depth + 0.01)": lambda d, m, x, y: math.log(d + 0.01),
    "sin(9 * depth)": lambda d, m, x, y: math.sin(9 * d),
    "cos(9 * x)": lambda d, m, x, y: math.cos(9 * x),
    "floor(5 * depth - 2)": lambda d, m, x, y: math.floor(5 * d - 2),
    "mix(depth, mask, 0.3)": lambda d, m, x, y: d * 0.7 + m * 0.3,
    "mix(0, 2, depth)": lambda d, m, x, y: 2 * d,
    "mix(1, depth, y)": lambda d, m, x, y: (1 - y) + d * y,
    "smoothstep(0.2, 0.7, depth)": lambda d, m, x, y: smooth(0.2, 0.7, d),
    "smoothstep(0.7, 0.2, depth)": lambda d, m, x, y: smooth(0.7, 0.2, d),
    "smoothstep(0.4, 0.4, depth)": lambda d, m, x, y: d > 0.4,
    "smoothstep(depth, mask + 0.3, 0.5)": lambda d, m, x, y: smooth(d, m + 0.3, 0.5),
    "smoothstep(depth, depth, depth)": lambda d, m, x, y: 0,
    "smoothstep(depth, mask, 0.5)*0": lambda d, m, x, y: 0,
    "where(depth < 0.5, mask, 1)": lambda d, m, x, y: m if d < 0.5 else 1,
    "where(floor(2 * depth), 3, x)": lambda d, m, x, y: 3 if math.floor(2 * d) else x,
    "where(floor(2 * depth - 1), 3, x)": lambda d, m, x, y: 3 if d < 0.5 or d == 1 else x,
    "where(1, depth, mask)": lambda d, m, x, y: d,
    "clip(2*abs(depth-0.4),0,1)*(1-mask)": lambda d, m, x, y: (
        clip(2 * abs(d - 0.4), 0, 1) * (1 - m)
    ),
}
"""Every function and every operator, of maps, constants and places."""


def places(height: int, width: int) -> Iterator[tuple[int, int, float, float]]:
    for row, col in np.ndindex(height, width):
        yield row, col, col / max(width - 1, 1), row / max(height - 1, 1)


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("text", VALUES)
def test_values_are_those_of_plain_loops(text: str, size: tuple[int, int]) -> None:
    maps = some_maps(*size)
    kept = {name: values.copy() for name, values in maps.items()}
    expected = np.empty((1, *size))
    for row, col, x, y in places(*size):
        depth, mask = (float(maps[name][0, row, col]) for name in ("depth", "mask"))
        expected[0, row, col] = VALUES[text](depth, mask, x, y)
    np.testing.assert_allclose(computed(text, maps), expected, rtol=5e-6, atol=5e-7)
    for name, values in kept.items():
        np.testing.assert_array_equal(maps[name], values)


def test_every_function_and_operator_is_computed() -> None:
    kinds = (computing.EXACT, computing.REPEATED, computing.COMPARISONS,
             computing.ROUNDED, computing.COMPOSED)  # fmt: skip
    names = [name for kind in kinds for name in kind]
    assert sorted(names) == sorted([*FUNCTIONS, *OPERATORS, "negative"])
    text = " ".join(VALUES)
    assert all(f"{name}(" in text for name in FUNCTIONS)
    assert all(f" {name} " in text for name in OPERATORS)


def test_tables_tell_how_things_are_called() -> None:
    for function in FUNCTIONS.values():
        parameters = [name for name in function.parameters if name != "..."]
        usage = function.usage.replace(", ...", "")
        assert parse(usage, parameters).names == tuple(parameters)
    for generator in GENERATORS.values():
        steps = parse(generator.usage, ()).steps
        bare = parse(generator.name, ()).steps
        numbers = [step.value for step in bare if isinstance(step, Number)]
        assert numbers == [step.value for step in steps if isinstance(step, Number)]
        assert numbers == list(generator.parameters.values())


# Generators


def beyond(distance: float, reach: float, feather: float, side: int) -> float:
    over = distance - reach * side
    return clip(over / (feather * side), 0, 1) if feather > 0 else float(over > 0)


def linear(
    size: tuple[int, int], row: int, col: int, *, x: float = 0.5, y: float = 0.5,
    angle: float = 0, width: float = 0.1, feather: float = 0.4,
) -> float:  # fmt: skip
    right, down = col - x * (size[1] - 1), row - y * (size[0] - 1)
    a = math.radians(angle)
    return beyond(abs(right * math.sin(a) - down * math.cos(a)), width / 2, feather, min(size))


def radial(
    size: tuple[int, int], row: int, col: int, *, x: float = 0.5, y: float = 0.5,
    radius: float = 0.2, feather: float = 0.4,
) -> float:  # fmt: skip
    right, down = col - x * (size[1] - 1), row - y * (size[0] - 1)
    return beyond(math.hypot(right, down), radius, feather, min(size))


PARAMETERS: list[tuple[str, dict[str, str]]] = [
    ("linear", {}),
    ("radial", {}),
    ("linear", {"y": "0.6", "width": "0.2", "feather": "0.3"}),
    ("linear", {"x": "0.1", "y": "0.9", "angle": "33", "feather": "1"}),
    ("linear", {"angle": "-120.5", "width": "0", "feather": "2"}),
    ("linear", {"angle": "1e4", "x": "-1"}),
    ("linear", {"angle": "17", "feather": "0", "width": "0.31"}),
    ("linear", {"angle": "360*depth", "width": "mask", "feather": "0.1 + depth", "x": "mask"}),
    ("radial", {"x": "0.25", "y": "1", "radius": "0.5", "feather": "0.1"}),
    ("radial", {"radius": "0", "feather": "1"}),
    ("radial", {"radius": "0.317", "feather": "0"}),
    ("radial", {"radius": "depth", "feather": "mask", "y": "x", "x": "depth"}),
    ("radial", {"feather": "depth - 0.5"}),
]


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize(("name", "given"), PARAMETERS)
def test_generators_follow_their_equations(
    name: str, given: dict[str, str], size: tuple[int, int]
) -> None:
    maps, truth = some_maps(*size), {"linear": linear, "radial": radial}[name]
    arguments = ", ".join(f"{key}={value}" for key, value in given.items())
    numbers = {key: computed(value, maps)[0] for key, value in given.items()}
    for key, value in given.items():  # constants are not rounded to float32
        if not (set(value) & set("xdm")):
            numbers[key] = np.full(size, float(value))
    expected = np.empty((1, *size))
    for row, col in np.ndindex(*size):
        at = {key: float(values[row, col]) for key, values in numbers.items()}
        expected[0, row, col] = truth(size, row, col, **at)
    result = computed(f"{name}({arguments})" if given else name, maps)
    np.testing.assert_allclose(result, expected, rtol=2e-7, atol=1e-9)


def test_a_band_has_its_width_and_hard_ends() -> None:
    """Of 21 rows about row 10, those no more than 2 away: width 4 of 20 pixels."""
    maps = some_maps(21, 20)
    rows = np.abs(np.arange(21) - 10) > 2
    result = computed("linear(width=0.2, feather=0)", maps)
    np.testing.assert_array_equal(result[0], np.repeat(rows[:, None], 20, 1))
    maps = some_maps(20, 21)
    for angle in (90, -90, 270, 450):
        result = computed(f"linear(angle={angle}, width=0.2, feather=0)", maps)
        np.testing.assert_array_equal(result[0], np.repeat(rows[None], 20, 0))
        result = computed(f"linear(angle={angle} + 0*depth, width=0.2, feather=0)", maps)
        np.testing.assert_array_equal(result[0], np.repeat(rows[None], 20, 0))


def test_angles_turn_clockwise_and_discs_are_round() -> None:
    maps = some_maps(9, 9)
    falling = computed("linear(angle=45, width=1e-9, feather=0)", maps)[0]
    np.testing.assert_array_equal(falling, 1 - np.eye(9))
    disc = computed("radial(radius=0.35, feather=0)", some_maps(11, 31))[0]
    rows, cols = np.nonzero(disc == 0)
    assert (np.ptp(rows), np.ptp(cols)) == (6, 6)
    assert (rows.mean(), cols.mean()) == (5, 15)


def test_a_feather_rises_straight() -> None:
    result = computed("radial(x=0, y=0, radius=0.1, feather=0.8)", some_maps(11, 11))[0, 0]
    np.testing.assert_allclose(result, np.clip((np.arange(11) - 1.1) / 8.8, 0, 1), atol=1e-7)


# The same in any window


BITWISE = [
    *VALUES,
    *(f"{name}({', '.join(f'{k}={v}' for k, v in given.items())})" for name, given in PARAMETERS),
    "1000 * sin(1e6 * depth) ** 3",
    "log(depth - 0.5)",
    "1 / floor(2 * depth)",
    "1 / max(-floor(depth), floor(mask))",
    "exp(900 * (depth - 0.5))",
    "(depth - 0.5) ** mask",
    "linear(angle=log(depth - 0.5))",
]
WINDOWS = [
    *(Window(0, (7 * width) % 30, 1, width) for width in range(1, 71)),
    *(Window(3, 11, 5, width) for width in (1, 15, 16, 17, 63, 64, 65, 89)),
    Window(8, 0, 1, 100), Window(0, 99, 9, 1),
]  # fmt: skip


@pytest.mark.parametrize("text", BITWISE)
def test_a_value_is_the_same_bits_in_any_window(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    maps = some_maps(9, 100)
    whole = computed(text, maps)
    for pixels in (1, 37, 300):
        monkeypatch.setattr(computing, "SLAB", pixels)
        assert computed(text, maps).tobytes() == whole.tobytes()
    monkeypatch.undo()
    for window in WINDOWS:
        part = computed(text, maps, window)
        assert part.tobytes() == whole[:, window.rows, window.cols].tobytes()


def test_values_that_do_not_exist_are_given_without_a_warning() -> None:
    maps = some_maps(3, 5)
    assert np.isnan(computed("log(depth - 2)", maps)).all()
    assert np.isinf(computed("1 / (depth - depth)", maps)).all()
    assert np.isinf(computed("3e38 + 3e38*exp(depth)", maps)).all()
    assert np.isnan(computed("linear(angle=log(depth - 2))", maps)).all()


def ragged(*arrays: np.ndarray) -> np.ndarray:
    """Add arrays by one formula in whole registers, by another in what is left."""
    result = np.sum(np.broadcast_arrays(*arrays), axis=0)
    result[result.size // 16 * 16 :] += 1
    return result if all(a.flags.c_contiguous for a in arrays) else result + 2


@pytest.mark.parametrize("shape", [(1, 1), (1, 64), (3, 21), (64, 64), (5, 130)])
def test_steady_hands_over_whole_registers(shape: tuple[int, int]) -> None:
    a, b = np.random.default_rng(3).random((2, *shape), np.float32)
    for left, right in [
        (a, b),
        (a[:, :1], b),
        (a, b[:1]),
        (a[:, ::2], b[:, ::2]),
        (a, np.float32(3)),
    ]:
        kept = left.copy()
        np.testing.assert_array_equal(steady(ragged, left, right), left + right)
        np.testing.assert_array_equal(left, kept)
    assert steady(np.add, np.float32(1), np.float32(2)) == 3


# Large ones


def test_formulas_can_be_kept_and_compared() -> None:
    formula = parse("mask + depth*mask - linear(y=b, x=max)", KNOWN)
    assert formula.names == ("mask", "depth", "b", "max")
    assert {formula: 1}[parse(formula.text, KNOWN)] == 1
    assert parse("mask+depth", KNOWN) != parse("mask + depth", KNOWN)
    assert pickle.loads(pickle.dumps(formula)) == formula


@pytest.fixture
def few_frames() -> Iterator[None]:
    """Leave little room for recursion."""
    before = sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack()) + 500)
    yield
    sys.setrecursionlimit(before)


@pytest.mark.usefixtures("few_frames")
@pytest.mark.parametrize("sign", ["+", "-", "*"])
def test_a_chain_may_be_long(sign: str) -> None:
    formula = parse(sign.join(["x"] * 2048), ())
    assert len(formula.steps) == 2 * 2048 - 1
    assert formula == pickle.loads(pickle.dumps(formula))
    assert hash(formula) == hash(parse(formula.text, ()))
    assert len(repr(formula)) > 1000
    values = evaluate(formula, {}, Window(0, 0, 1, 3), (1, 3))
    assert values[0, 0, 0] == 0
    assert values[0, 0, 2] == {"+": 2048, "-": -2046, "*": 1}[sign]
    assert constant(sign.join(["1"] * 2048)) == values[0, 0, 2]


@pytest.mark.usefixtures("few_frames")
@pytest.mark.parametrize(
    ("before", "within", "after", "value"),
    [
        ("(", "x", ")", 1),
        ("abs(", "-x", ")", 1),
        ("1*1**max(0 < 1 + 1*", "x", ", 0)", 1),
        ("-", "x", "", 1),
        ("linear(x=1 > 0 + 1*", "x", ")", 0),
    ],
)
def test_nesting_may_be_deep(before: str, within: str, after: str, value: float) -> None:
    depth = 49 // (before.count("(") + before.count("**") + (before == "-"))
    for count in (depth, 5000 // len(before)):
        text = before * count + within + after * count
        if count == depth:
            values = evaluate(parse(text, ()), {}, Window(0, 0, 1, 3), (1, 3))
            assert abs(values[0, 0, 2]) == value
        else:
            with pytest.raises(InvalidArgument, match="more than 50|at most 4096"):
                parse(text[:4096], ())
