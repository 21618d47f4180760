"""The words and signs of expressions, and how to point at one that is wrong."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple

from svfilter.errors import InvalidArgument

_TOKEN = re.compile(
    r"""
    [ \t\r\n]*
    (?: (?P<number> (?: [0-9]+ \.? [0-9]* | \. [0-9]+ ) (?: [eE] [+-]? [0-9]+ )? )
      | (?P<name> [A-Za-z_] [A-Za-z0-9_]* )
      | (?P<foreign> // | && | \|\| )
      | (?P<sign> \*\* | [<>=!]= | [-+*/<>(),=] )
      | (?P<other> [^ \t\r\n] ) )
    """,
    re.VERBOSE,
)
_BEFORE, _AFTER = 45, 25
"""Columns of a long text that are shown on both sides of what is wrong."""
_NAME_SHOWN = 40


class Token(NamedTuple):
    """A word or a sign, and the place of its first character in the text."""

    kind: str
    """A group of the pattern above, or "end"."""
    text: str
    at: int

    @property
    def end(self) -> int:
        """The place after it."""
        return self.at + len(self.text)


def token_at(text: str, at: int) -> Token:
    """Give the token that follows a place; the end's place is right after the last token.

    Example:
        >>> token_at("2 * depth", 3)
        Token(kind='name', text='depth', at=4)
    """
    found = _TOKEN.match(text, at)
    if found is None or found.lastgroup is None:
        return Token("end", "", at)
    return Token(found.lastgroup, found[found.lastgroup], found.start(found.lastgroup))


def wrong(text: str, at: int, reason: str) -> InvalidArgument:
    """Give an error whose message ends with the text, and a caret under one of its characters.

    Args:
        text: the expression.
        at: the character's place; the text's length points behind it.
        reason: what is wrong, with the remedy.
    """
    # Marks are drawn into the character before them.
    while 0 < at < len(text) and not _columns(text[at]):
        at -= 1
    before, after = _shown(text[:at][-100:])[::-1], _shown(text[at : at + 100])
    room = _BEFORE + _AFTER
    first = _fitting(before, max(_BEFORE, room - _width(after)))
    last = _fitting(after, max(_AFTER, room - _width(before)))
    start = "".join(first[::-1])
    if len(text[:at]) > len(first):
        start = f"...{start}"
    more = "..." if len(text[at:]) > len(last) else ""
    caret = " " * _width(list(start)) + "^"
    return InvalidArgument(f"{reason}\n  {start}{''.join(last)}{more}\n  {caret}")


def quoted(name: str) -> str:
    """Give a name in quotes, shortened if it is very long."""
    return repr(name if len(name) <= _NAME_SHOWN else f"{name[:_NAME_SHOWN]}...")


def named(character: str) -> str:
    """Give a character by what it looks like, where it looks like something, and its number."""
    number = f"U+{ord(character):04X}"
    if not character.isprintable() or not _columns(character):
        return number
    return repr(character) if character.isascii() else f"'{character}' ({number})"


def _shown(text: str) -> list[str]:
    """Give what is printed for each character: nothing that would move or hide others."""
    return [
        " " if each.isspace() else each if each.isprintable() else
        each.encode("unicode_escape").decode()
        for each in text
    ]  # fmt: skip


def _fitting(cells: list[str], room: int) -> list[str]:
    """Give the first cells that have room."""
    count = 0
    while count < len(cells) and (room := room - _width([cells[count]])) >= 0:
        count += 1
    return cells[:count]


def _width(cells: list[str]) -> int:
    return sum(_columns(character) for cell in cells for character in cell)


def _columns(character: str) -> int:
    """Give the columns of a terminal that a character takes."""
    if unicodedata.category(character) in ("Mn", "Me") or "\u1160" <= character <= "\u11ff":
        return 0  # drawn into the one before, as the later parts of Korean syllables are
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
