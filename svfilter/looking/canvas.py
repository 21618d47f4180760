"""Panels with captions and colour bars, laid out on a sheet, and the sheet in a file."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from svfilter.errors import ImageWriteError, InvalidArgument
from svfilter.images.formats import FORMATS
from svfilter.images.sources import STREAM, why
from svfilter.images.targets import Target, check_target
from svfilter.looking.lettering import INK, LINE, font, length, plain, wrapped, write

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageDraw import ImageDraw

    from svfilter.kernels.base import Array

LONGER = 640
"""Pixels of a panel's longer side, at the most."""
WIDEST = 1600
"""Pixels of a sheet's width, at the most."""
_NARROWEST = 320
"""Pixels of a column, so that captions have room,"""
_MARGIN, _GAP, _BAR, _TICK = 24, 8, 16, 6
"""around panels, between their parts, of a colour bar's height and of its ticks';"""
_APART = 50
"""and between ticks, at the least."""
_GROUND, _FRAME = (36, 36, 36), (128, 128, 128)
"""The frames are between: they show on a white page, on a dark one, and around any picture."""
_SAVED: dict[str, tuple[str, dict[str, Any]]] = {
    "png": ("PNG", {}),
    "jpeg": ("JPEG", {"quality": 95, "subsampling": "4:4:4"}),
    "tiff": ("TIFF", {}),
    "webp": ("WEBP", {"lossless": True}),
    "bmp": ("BMP", {}),
    "ppm": ("PPM", {}),
}
"""What a sheet can be stored as: of FORMATS; Pillow's name and options."""


@dataclass(frozen=True)
class Bar:
    """What the colours of a panel mean."""

    low: float
    high: float
    unit: str
    colours: Callable[[Array], Array]
    """From shares of the way from low to high, to uint8 [..., 3]."""


@dataclass(frozen=True)
class Panel:
    """A picture, uint8 [h, w, 3], and what is said of it."""

    picture: Array
    caption: str = ""
    bar: Bar | None = None


def fitted(height: int, width: int) -> tuple[int, int]:
    """Give the size of an image's panel: smaller, or larger by a whole factor."""
    longer = max(height, width)
    if longer <= LONGER:
        factor = LONGER // longer
        return height * factor, width * factor
    return max(round(height * LONGER / longer), 1), max(round(width * LONGER / longer), 1)


def sheet(panels: Sequence[Panel], title: str = "") -> Array:
    """Lay panels out under a title.

    They stand in rows of two if any is wider than high, else of as many as fit into WIDEST.
    Lines of the title and of captions are broken to fit.

    Returns:
        uint8 [H, W, 3], with a ground and a frame of its own.
    """
    import numpy as np
    from PIL import Image, ImageDraw

    sizes = [panel.picture.shape[:2] for panel in panels]
    column = max(_NARROWEST, *(width for _, width in sizes))
    most = (WIDEST - _MARGIN) // (column + _MARGIN)
    if any(width > height for height, width in sizes):
        most = min(most, 2)
    columns = max(min(len(panels), most), 1)
    rows = [panels[first : first + columns] for first in range(0, len(panels), columns)]
    heights = [max(_height(panel, column) for panel in row) for row in rows]
    width = _MARGIN + columns * (column + _MARGIN)
    above = wrapped(title, width - 2 * _MARGIN)
    top = _MARGIN + (len(above) * LINE + _GAP if above else 0)
    image = Image.new("RGB", (width, top + sum(heights) + _MARGIN * len(rows)), _GROUND)
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, image.width - 1, image.height - 1), outline=_FRAME)
    write(draw, (_MARGIN, _MARGIN), above)
    for row, height in zip(rows, heights, strict=True):
        for place, panel in enumerate(row):
            _put(image, (_MARGIN + place * (column + _MARGIN), top), panel, column)
        top += height + _MARGIN
    return np.asarray(image)


def _height(panel: Panel, column: int) -> int:
    """Give how much room a panel takes."""
    bar = _GAP + _BAR + _TICK + LINE if panel.bar else 0
    lines = wrapped(panel.caption, column)
    height: int = panel.picture.shape[0]
    return height + bar + (_GAP + len(lines) * LINE if lines else 0)


def _put(image: Image, corner: tuple[int, int], panel: Panel, column: int) -> None:
    """Draw a panel with its upper left corner there."""
    from PIL import ImageDraw

    left, top = corner
    draw = ImageDraw.Draw(image)
    _frame(image, draw, corner, panel.picture)
    top += panel.picture.shape[0] + _GAP
    if panel.bar:
        _draw_bar(image, draw, (left, top), panel.bar, column)
        top += _BAR + _TICK + LINE + _GAP
    write(draw, (left, top), wrapped(panel.caption, column))


def _frame(image: Image, draw: ImageDraw, corner: tuple[int, int], picture: Array) -> None:
    """Put a picture there, with a frame around it."""
    import numpy as np
    from PIL import Image

    left, top = corner
    height, width = picture.shape[:2]
    draw.rectangle((left - 1, top - 1, left + width, top + height), outline=_FRAME)
    image.paste(Image.fromarray(np.ascontiguousarray(picture)), corner)


def _draw_bar(
    image: Image, draw: ImageDraw, corner: tuple[int, int], bar: Bar, column: int
) -> None:
    """Draw a colour bar with ticks under it and its unit beside it."""
    import numpy as np

    left, top = corner
    unit = plain(bar.unit)
    width = column - (math.ceil(length(unit)) + _GAP if unit else 0)
    colours = bar.colours(np.linspace(0, 1, width)[None])
    _frame(image, draw, corner, np.repeat(colours, _BAR, axis=0))
    draw.text((left + column, top + _BAR // 2), unit, INK, font(), anchor="rm")
    below = top + _BAR
    for mark, label in _marks(bar, width):
        share = (mark - bar.low) / (bar.high - bar.low) if bar.high > bar.low else 0
        x = left + round(share * (width - 1))
        draw.line((x, below + 1, x, below + _TICK), INK)
        half = length(label) / 2
        middle = min(max(x, left + half), left + column - half)
        draw.text((middle, below + _TICK + 2), label, INK, font(), anchor="ma")


def _marks(bar: Bar, width: int) -> list[tuple[float, str]]:
    """Give as many ticks, with their labels, as have room on a bar."""
    for most in range(max(width // _APART, 2), 1, -1):
        marks = ticks(bar.low, bar.high, most)
        said = labels(marks)
        apart = width * (marks[1] - marks[0]) / (bar.high - bar.low) if len(marks) > 1 else width
        if max(map(length, said)) + 2 * _GAP <= apart:
            break
    return list(zip(marks, said, strict=True))


def ticks(low: float, high: float, most: int) -> list[float]:
    """Give nice numbers from low to high: the finest multiples of 1, 2 or 5 · 10^k, most at most.

    Where fewer than two are nice, it is the ends.
    """
    span = high - low
    if not (1e-300 < span < math.inf):
        return [low]
    tens = 10.0 ** math.floor(math.log10(span / most))
    for step in (factor * tens for factor in (1, 2, 5, 10, 20)):
        slack = 1e-9 * step  # a tick at the very end may be missed by rounding
        first, last = math.ceil((low - slack) / step), math.floor((high + slack) / step)
        if last - first < most:
            break
    return [number * step for number in range(first, last + 1)] if last > first else [low, high]


def labels(marks: Sequence[float]) -> list[str]:
    """Write numbers at even distances, with the digits that tell them apart."""
    step = marks[1] - marks[0] if len(marks) > 1 else 0
    most = max(map(abs, marks))
    digits = math.floor(math.log10(most / step)) + 2 if step and most else 0
    return [f"{mark:.{max(digits, 6)}g}" for mark in marks]


def check(target: str, inputs: Sequence[str]) -> str:
    """Give the format by the target's suffix, PNG for "-"; refuse what could not be written.

    Raises:
        InvalidArgument: no format of pictures, or the target is an input, a folder, a terminal.
        ImageWriteError: its folder is missing or may not be written into.
    """
    suffix = Path(target).suffix.lower()
    known = {end: name for name in _SAVED for end in FORMATS[name].suffixes}
    if target != STREAM and suffix not in known:
        received = f"is {suffix}" if suffix else "has none"
        raise InvalidArgument(
            f"OUTPUT {target}: the suffix tells the format of the picture and must be one of "
            f"{', '.join(known)}, but {received}"
        )
    check_target(target, list(inputs))
    return "png" if target == STREAM else known[suffix]


def save(target: str, picture: Array, inputs: Sequence[str]) -> None:
    """Write a picture, uint8 [h, w, 3], whole or not at all.

    Args:
        target: a file's name, or "-" for stdout.
        picture: such as a sheet.
        inputs: the names of what was read, which is never replaced.

    Raises:
        InvalidArgument: as `check`.
        ImageWriteError: as `check`, or the system or the format refuses.
    """
    from PIL import Image

    name, options = _SAVED[check(target, inputs)]
    encoded = io.BytesIO()  # a file of the system Pillow could leave cut, with no error
    try:
        Image.fromarray(picture).save(encoded, name, **options)
    except (OSError, ValueError) as error:  # such as a side that the format cannot hold
        raise ImageWriteError(f"{target}: cannot be written as {name}: {error}") from error
    try:
        with Target(target, seeks=False) as file:
            file.write(encoded.getbuffer())
    except BrokenPipeError:
        raise
    except OSError as error:
        raise ImageWriteError(f"{target}: cannot be written: {why(error)}") from error
