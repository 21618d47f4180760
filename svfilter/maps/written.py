"""What a user writes as the source of a map: a file, a channel, an expression of several."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from svfilter.errors import InvalidArgument
from svfilter.images.sources import STREAM
from svfilter.maps.channels import CHANNELS, INTENSITY, is_channel
from svfilter.maps.edges import EDGES
from svfilter.maps.expressions import Formula, check_name, evaluate, parse
from svfilter.maps.levels import Level, Levels
from svfilter.maps.pictures import Channel

if TYPE_CHECKING:
    from svfilter.images.reading import ImageReader
    from svfilter.kernels.base import Array
    from svfilter.maps.sources import Sources
    from svfilter.tiles import Window

WORDS = (*CHANNELS, EDGES)
"""Words that stand for levels of the image that is filtered, and after FILE: for those of it."""
_PLAIN = re.compile(r"x|y|[+-]?(\d+\.?\d*|\.\d+)")
_SUFFIX = re.compile(r"\.[A-Za-z]\w*$")
_SHOWN = 40
"""Characters of an expression in a message."""


def read_source(
    text: str, bound: Mapping[str, Level] | None = None, fit: str = "bilinear"
) -> Level:
    """Give the level that a text describes, the first of these that it is:

    - the name of a level in `bound`;
    - one of WORDS, of the image that is filtered;
    - a number, x or y;
    - a file, or "-": its luma; FILE:CHANNEL is its channel, one of WORDS or a number from 1;
    - an expression of such words and names; see `grammar`.

    What has the suffix of a file and no parenthesis is taken for one, whether it is there or not.

    Args:
        text: what was written.
        bound: levels by the names that stand for them.
        fit: how files of another size are resized, one of `pictures.FITS`.

    Raises:
        InvalidArgument: it is none of these.
    """  # noqa: D415  (the list follows)
    bound = bound or {}
    if text in bound:
        return bound[text]
    if text in WORDS:
        return Channel(None, text)
    if not _PLAIN.fullmatch(text) and (file := _as_file(text, fit)) is not None:
        _check_file(text, file, bound)
        return file
    formula = parse(text, (*bound, *WORDS))
    own = {name: Channel(None, name) for name in formula.names if name not in bound}
    levels = tuple((name, bound.get(name) or own[name]) for name in formula.names)
    return Expression(formula, levels)


def bind_all(texts: Sequence[str], fit: str = "bilinear") -> dict[str, Level]:
    """Give the levels of several NAME=FILE by their names.

    Raises:
        InvalidArgument: one is not written so, or a name is there twice.
    """
    bound: dict[str, Level] = {}
    for name, level in (bind(text, fit) for text in texts):
        if name in bound:
            raise InvalidArgument(f"the name {name!r} is given to two maps")
        bound[name] = level
    return bound


def bind(text: str, fit: str = "bilinear") -> tuple[str, Level]:
    """Give the name and the level of NAME=FILE, or NAME=FILE:CHANNEL.

    Raises:
        InvalidArgument: it is not written so, or the name cannot be used.
    """
    name, _, file = text.partition("=")
    if not (name and file):
        raise InvalidArgument(
            f"a map is bound as NAME=FILE, such as depth=depth.png, not as {text!r}"
        )
    check_name(name)
    if name in WORDS:
        raise InvalidArgument(f"{name!r} is the image's own; give the map another name")
    return name, _channel_of(file, fit)


def _as_file(text: str, fit: str) -> Channel | None:
    """Give the level of a file, if it looks like one or there is one."""
    channel = _channel_of(text, fit)
    name = str(channel.source)
    seems = "(" not in text and _SUFFIX.search(name)
    return channel if name == STREAM or seems or _exists(name) or _exists(text) else None


def _check_file(text: str, file: Channel, bound: Mapping[str, Level]) -> None:
    """Refuse what is an expression for people, but ends like a file's name.

    Raises:
        InvalidArgument: it has the name of a map in it, or begins with a number and an operator.
    """
    named = set(re.findall(r"[A-Za-z_]\w*", text)) & bound.keys()
    if (named or re.match(r"[\d.]+\s*[-+*/]", text)) and not _exists(str(file.source)):
        raise InvalidArgument(
            f"{text!r} ends as the name of a file does, but there is none; in an expression a file "
            "has a name that --map NAME=FILE gives it, and a channel is bound as NAME=FILE:CHANNEL"
        )


def _channel_of(text: str, fit: str) -> Channel:
    """Part FILE:CHANNEL; a file of that whole name comes first."""
    name, _, channel = text.rpartition(":")
    parted = channel == EDGES or is_channel(channel) or _exists(name) or _SUFFIX.search(name)
    if name and channel and parted and not _exists(text):
        return Channel(name, channel, fit)
    return Channel(text, INTENSITY, fit)


def _exists(name: str) -> bool:
    try:
        return name != "" and Path(name).exists()
    except (OSError, ValueError):  # too long, or a byte that no name has
        return False


@dataclass(frozen=True)
class Expression(Level):
    """Levels computed of others, pixel by pixel.

    Args:
        formula: how.
        levels: those that it reads, with the names that it has for them.
    """

    formula: Formula
    levels: tuple[tuple[str, Level], ...]

    @property
    def own(self) -> bool:
        """Whether any of them is of the image that is filtered."""
        return any(level.own for _, level in self.levels)

    @property
    def sources(self) -> tuple[str, ...]:
        """The files of all of them."""
        return tuple(dict.fromkeys(name for _, level in self.levels for name in level.sources))

    def open(self, image: ImageReader, sources: Sources) -> Levels:
        """Open all of them.

        Raises:
            InvalidArgument: one of them is refused.
            ImageReadError: one cannot be read.
        """
        opened = {name: level.open(image, sources) for name, level in self.levels}
        return _Computed(self.formula, opened, (image.height, image.width))


class _Computed(Levels):
    """Levels computed of others."""

    def __init__(
        self, formula: Formula, levels: Mapping[str, Levels], size: tuple[int, int]
    ) -> None:
        text = " ".join(formula.text.split())
        self.name = f"'{text}'" if len(text) <= _SHOWN else f"'{text[:_SHOWN]}...'"
        self._formula, self._levels, self._size = formula, levels, size
        self.margin = max((inner.margin for inner in levels.values()), default=0)
        self.row_bytes = sum(inner.row_bytes for inner in levels.values())
        self.fixed_bytes = sum(inner.fixed_bytes for inner in levels.values())

    def read(self, window: Window) -> Array:
        """Compute the levels."""
        levels = {name: inner.read(window) for name, inner in self._levels.items()}
        return evaluate(self._formula, levels, window, self._size)

    def let_go(self, row: int) -> None:
        """Forget what only windows above a row would need."""
        for inner in self._levels.values():
            inner.let_go(row)
