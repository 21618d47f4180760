"""Text on pictures, in the one typeface that Pillow always has, in one size."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw
    from PIL.ImageFont import FreeTypeFont

SIZE, LINE = 20, 26
"""Pixels of the letters' size and between lines: still read where a sheet is shown at half."""
INK = (232, 232, 232)
_SPOKEN = str.maketrans(
    {"σ": "sigma", "×": "x", "−": "-", "–": "-", "—": "-", "²": "^2", "µ": "u", "∞": "inf"}
)
_BEYOND_ASCII = "°±·…"
"""What the typeface has beside ASCII."""


@cache
def font() -> FreeTypeFont:
    """Give the typeface: a part of Aileron."""
    from PIL import ImageFont

    return cast("FreeTypeFont", ImageFont.load_default(SIZE))


def plain(text: str) -> str:
    """Say it with the letters that the typeface has: others without accents, or as ?."""
    text = unicodedata.normalize("NFD", text.translate(_SPOKEN))
    text = "".join(letter for letter in text if not unicodedata.combining(letter))
    return "".join(
        letter if (letter.isascii() and letter.isprintable()) or letter in _BEYOND_ASCII else "?"
        for letter in text
    )


def shortened(name: str, most: int = 32) -> str:
    """Give the last part of a file's path, with its middle left out where it is long."""
    name = name.replace("\\", "/").rstrip("/").rpartition("/")[2] or name
    if len(name) <= most:
        return name
    end = (most - 1) // 2
    return f"{name[: most - 1 - end]}…{name[-end:]}"


def length(text: str) -> float:
    """Give a text's width in pixels."""
    return font().getlength(text)


def wrapped(text: str, width: int) -> list[str]:
    """Break a text at its ends of lines, between words, and within words that are too long."""
    lines = []
    for line in text.splitlines():
        row = ""
        for word in _words(plain(line), width):
            longer = f"{row} {word}" if row else word
            if row and length(longer) > width:
                lines.append(row)
                longer = word
            row = longer
        lines += [row] if row else []
    return lines


def _words(line: str, width: int) -> Iterator[str]:
    for word in line.split():
        while length(word) > width and len(word) > 1:
            fits = max((n for n in range(1, len(word)) if length(word[:n]) <= width), default=1)
            yield word[:fits]
            word = word[fits:]  # noqa: PLW2901  (what is left of it)
        yield word


def write(draw: ImageDraw, corner: tuple[int, int], lines: Sequence[str]) -> None:
    """Write lines, the first with its upper left corner there."""
    left, top = corner
    for number, line in enumerate(lines):
        draw.text((left, top + number * LINE), line, INK, font(), anchor="la")
