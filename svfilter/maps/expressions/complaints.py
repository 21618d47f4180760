"""What is said of expressions that are wrong, and what to write in their place."""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Collection, Iterable

from svfilter.errors import InvalidArgument
from svfilter.maps.expressions.functions import CONSTANTS, FUNCTIONS, GENERATORS, PLACES, SINGLE_MAX
from svfilter.maps.expressions.tokens import Token, named, quoted, token_at, wrong

SIGNS = {
    "^": "write ** for a power",
    "%": "write a - b*floor(a/b) for the remainder of a/b",
    "//": "write floor(a/b)",
    "&&": "write a*b or min(a, b) for 'and'",
    "&": "write a*b or min(a, b) for 'and'",
    "||": "write max(a, b) for 'or'",
    "|": "write max(a, b) for 'or'",
    "!": "write 1 - a for 'not', and a != b to compare",
    "~": "write 1 - a for 'not'",
    "?": "write where(condition, a, b)",
    ":": "a channel is picked where a file is bound: --map NAME=FILE:channel",
    "=": "write == to compare; = names the parameters of linear and radial",
    ".": "nothing has attributes; a file is bound to a name with --map NAME=FILE",
    "[": "nothing can be indexed; a channel is picked with --map NAME=FILE:channel",
    "{": "write round parentheses",
    "'": "there are no strings; a file is bound to a name with --map NAME=FILE",
    '"': "there are no strings; a file is bound to a name with --map NAME=FILE",
    ";": "there is one expression and nothing beside it",
    "#": "there are no comments",
    "\\": "a file is bound to a name with --map NAME=FILE",
    "@": "write * for a product",
    "×": "write *",
    "·": "write *",
    "÷": "write /",
    "−": "write -",
    "–": "write -",
    "≤": "write <=",
    "≥": "write >=",
    "≠": "write !=",
    "²": "write **2",
    "³": "write **3",
    "√": "write sqrt(v)",
    "π": "write pi",
}  # fmt: skip

WORDS = {
    "and": "write a*b or min(a, b) for 'and'",
    "or": "write max(a, b) for 'or'",
    "not": "write 1 - a for 'not'",
    "if": "write where(condition, a, b)",
    "else": "write where(condition, a, b)",
    "True": "write 1",
    "False": "write 0",
    "true": "write 1",
    "false": "write 0",
}
"""In place of words; none of them can be the name of a map."""

CALLS = {
    "ceil": "write -floor(-v)",
    "clamp": "write clip(v, low, high)",
    "lerp": "write mix(a, b, t)",
    "ln": "write log(v)",
    "log2": "write log(v)/log(2)",
    "log10": "write log(v)/log(10)",
    "mod": "write a - b*floor(a/b)",
    "pow": "write a**b",
    "round": "write floor(v + 0.5)",
    "step": "write v >= edge",
    "tan": "write sin(v)/cos(v)",
}


def missing(text: str, token: Token) -> InvalidArgument:
    """Complain of what stands where a value should."""
    if token.kind in ("foreign", "other"):
        return _stray(text, token)
    if token.kind != "end":
        return wrong(text, token.at, f"a value is missing before '{token.text}'")
    reason = "a value is missing at the end" if text.strip() else "the expression is empty"
    return wrong(text, token.at, reason)


def unexpected(text: str, token: Token) -> InvalidArgument:
    """Complain of what stands where an operator or the end should."""
    if token.kind in ("foreign", "other") or token.text == "=":
        return _stray(text, token)
    if token.text == ")":
        return wrong(text, token.at, "this parenthesis was never opened")
    if token.text == ",":
        reason = "commas are for the arguments of functions; a decimal is written 0.5"
        return wrong(text, token.at, reason)
    if token.text in WORDS:
        return word(text, token)
    return wrong(text, token.at, f"an operator is missing before {quoted(token.text)}")


def word(text: str, token: Token) -> InvalidArgument:
    """Complain of a word of other languages."""
    return wrong(text, token.at, f"there is no {token.text!r}; {WORDS[token.text]}")


def _stray(text: str, token: Token) -> InvalidArgument:
    remedy = SIGNS.get(token.text) or _remedy(token.text)
    name = named(token.text) if len(token.text) == 1 else repr(token.text)
    return wrong(text, token.at, f"{name} has no meaning here{'; ' if remedy else ''}{remedy}")


def _remedy(character: str) -> str:
    plain = unicodedata.normalize("NFKC", character)
    if plain != character and plain.isascii() and plain.isprintable():
        return f"did you mean '{plain}'?" if plain.strip() else "write a plain blank"
    letter = character.isidentifier()
    return "names are made of the letters a to z and A to Z, digits and _" if letter else ""


def unknown_map(text: str, token: Token, known: Collection[str]) -> InvalidArgument:
    """Complain of a name that stands for nothing."""
    name, following = token.text, token_at(text, token.end)
    adjacent = following.kind == "other" and following.at == token.end
    if adjacent and f"_{following.text}".isidentifier():
        return _stray(text, following)  # a letter that is not ASCII, within the name
    if name in FUNCTIONS:
        reason = f"{name!r} is a function; write {FUNCTIONS[name].usage}"
        return wrong(text, token.at, reason)
    hint = _suggestion(name, [*known, *PLACES, *CONSTANTS, *GENERATORS])
    maps = f"A map is one of {', '.join(known)}; others are" if known else "Maps are"
    name = name if quoted(name) == repr(name) else "NAME"
    reason = (
        f"no map is named {quoted(token.text)}{hint or '.'} {maps} bound with --map {name}=FILE"
    )
    return wrong(text, token.at, reason)


def unknown_function(text: str, token: Token) -> InvalidArgument:
    """Complain of a name before a parenthesis."""
    name, names = token.text, [*FUNCTIONS, *GENERATORS]
    hint = f"; {CALLS[name]}." if name in CALLS else _suggestion(name, names) or "."
    reason = f"no function is named {quoted(name)}{hint} There are {', '.join(names)}"
    return wrong(text, token.at, reason)


def _suggestion(name: str, names: Iterable[str]) -> str:
    """Ask for the name that is most like another, whatever the case of its letters."""
    lower = {each.lower(): each for each in names}
    found = difflib.get_close_matches(name.lower()[:100], lower, 1)
    return f"; did you mean {lower[found[0]]!r}?" if found else ""


def arity(text: str, token: Token, count: int, known: Collection[str]) -> InvalidArgument:
    """Complain of the number of a function's arguments."""
    function = FUNCTIONS[token.text]
    alone = "; the map of that name has no parentheses" if token.text in known else ""
    reason = f"{function.usage} takes {function.arity}, not {count}{alone}"
    return wrong(text, token.at, reason)


def parameter(text: str, token: Token, generator: str) -> InvalidArgument:
    """Complain of a name that is none of a generator's parameters."""
    known = GENERATORS[generator]
    hint = _suggestion(token.text, known.parameters) or ";"
    reason = f"{generator} has no {quoted(token.text)}{hint} it is {known.usage}"
    return wrong(text, token.at, reason)


def no_value(text: str, token: Token, values: list[float], error: Exception) -> InvalidArgument:
    """Complain of constants of which a function or an operator has no value."""
    name = token.text
    if name in FUNCTIONS:
        call = f"{name}({', '.join(f'{value:g}' for value in values)})"
    else:
        call = f" {name} ".join(f"({v:g})" if v < 0 else f"{v:g}" for v in values)
    if isinstance(error, OverflowError):
        return wrong(text, token.at, f"{call} is beyond ±{SINGLE_MAX:.6g}, where float32 ends")
    return wrong(text, token.at, f"{call} is no real and finite number")
