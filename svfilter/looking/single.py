"""The kernel of one pixel, as a text and as a picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

from svfilter.field import KernelField
from svfilter.looking import canvas
from svfilter.looking.canvas import Bar, Panel, fitted
from svfilter.looking.colours import diverging, viridis
from svfilter.looking.explaining import image_panel, left_out, valued, whose
from svfilter.looking.field import MOST_CHARTS
from svfilter.looking.lettering import font, shortened
from svfilter.looking.shrinking import Shrinking

if TYPE_CHECKING:
    from PIL.ImageDraw import ImageDraw

    from svfilter.kernels.base import Array, Family
    from svfilter.looking.field import Found
    from svfilter.looking.site import Place, Site

_NUMBERED = 9
"""Taps of a side at which there is room for their numbers."""
_LEAST_BOX = 5
"""Pixels from the middle to the sides of the mark of a kernel's place, at the least."""


def described(site: Site, place: Place, family: Family, weights: Array) -> list[str]:
    """Say whose kernel it is, its parameters, and what it does."""
    (row, column), (height, width) = place, site.size
    side, parameters = len(weights), ", ".join(_parameters(site, family))
    return [
        f"pixel {column},{row} of {shortened(site.page.image.name)}, {width} x {height}",
        *filter(None, [family.summary, parameters]),
        f"{side} x {side} weights with the sum {weights.sum():.9g}",
        " ".join([whose(site), *left_out(site)]),
    ]


def _parameters(site: Site, family: Family) -> list[str]:
    values = KernelField(family).maps
    if len(values) > MOST_CHARTS:
        values = {}
    constants = [name for name, p in family.parameters().items() if not p.per_pixel]
    values |= {name: getattr(family, name) for name in constants}
    return [valued(site, name, value, digits=7) for name, value in values.items()]


def as_text(described: list[str], weights: Array) -> str:
    """Give what `svfilter apply --kernels` reads, rows of weights under remarks."""
    rows = [" ".join(f"{weight:.9g}" for weight in row) for row in weights.tolist()]
    return "\n".join([f"# {line}" for line in described] + rows)


def enlarged(site: Site, place: Place, found: Found, described: list[str]) -> Array:
    """Give a sheet with the kernel that was found, large, and its place in the image."""
    weights = found.kernels[place][1]
    picture, words = image_panel(site, found)
    low, high = min(float(weights.min()), 0.0), max(float(weights.max()), 0.0)
    most = max(-low, high) or 1.0
    bar = Bar(-most, most, "", _signed) if low < 0 else Bar(0.0, most, "", viridis)
    panels = [
        Panel(_heat(weights, bar), "\n".join(described[-2:]), bar),
        Panel(_marked(picture, site.size, place, len(weights) // 2), words),
    ]
    return canvas.sheet(panels, "\n".join(described[:-2]))


def _signed(shares: Array) -> Array:
    """Give the colours of shares of the way from the most below 0 to the same above."""
    return diverging(2 * shares - 1)


def _heat(weights: Array, bar: Bar) -> Array:
    """Draw weights as squares, uint8 [H, W, 3], with their numbers where there is room."""
    import numpy as np
    from PIL import Image, ImageDraw

    size = fitted(*weights.shape)
    shrinking = Shrinking(1, weights.shape, size)
    shrinking.add(weights[None])
    colours = bar.colours((shrinking.end()[0] - bar.low) / (bar.high - bar.low))
    if len(weights) > _NUMBERED:
        return colours
    image = Image.fromarray(colours)
    draw, cell = ImageDraw.Draw(image), size[0] / len(weights)
    for (row, column), weight in np.ndenumerate(weights):
        middle = ((column + 0.5) * cell, (row + 0.5) * cell)
        _number(draw, middle, weight, light=colours[int(middle[1]), int(middle[0])].mean() > 128)
    return np.asarray(image)


def _number(draw: ImageDraw, at: tuple[float, float], weight: float, *, light: bool) -> None:
    """Write a weight in a few digits on a ground that is light or not."""
    text = f"{weight:.3f}" if abs(weight) >= 0.001 else f"{weight:.0e}" if weight else "0"
    draw.text(at, text, (0, 0, 0) if light else (255, 255, 255), font(), anchor="mm")


def _marked(picture: Array, size: tuple[int, int], place: Place, radius: int) -> Array:
    """Draw a frame around what the kernel of a pixel covers, and a dot at the pixel."""
    import numpy as np
    from PIL import Image, ImageDraw

    by = picture.shape[0] / size[0], picture.shape[1] / size[1]
    (y, x), (down, right) = (
        [(at + 0.5) * scale for at, scale in zip(place, by, strict=True)],
        [max((radius + 0.5) * scale, _LEAST_BOX) for scale in by],
    )
    image = Image.fromarray(picture)
    draw = ImageDraw.Draw(image)
    for wider, colour in ((2, (0, 0, 0)), (1, (255, 255, 255)), (0, (0, 0, 0))):
        left, top = x - right - wider, y - down - wider
        draw.rectangle((left, top, x + right + wider, y + down + wider), outline=colour)
    draw.ellipse((x - 3, y - 3, x + 3, y + 3), fill=(255, 255, 255), outline=(0, 0, 0))
    return np.asarray(image)
