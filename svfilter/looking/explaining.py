"""A sheet that explains a kernel field: the image, some kernels, and what drives them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from svfilter.looking import canvas
from svfilter.looking.appearance import span_of
from svfilter.looking.canvas import Bar, Panel
from svfilter.looking.colours import viridis
from svfilter.looking.lettering import shortened
from svfilter.looking.stamps import stamped

if TYPE_CHECKING:
    from svfilter.kernels.base import Array
    from svfilter.looking.field import Found
    from svfilter.looking.site import Site

_UNITS = {"deg": "degrees", "share": ""}
_UNSAID = ("blades", "power", "half-lengths")
"""Units that say no more than the parameter's name."""


def explained(site: Site, found: Found, title: str) -> Array:
    """Give the sheet, uint8 [H, W, 3], of all that was found with `stamp`."""
    picture, words = image_panel(site, found)
    drawn, times = stamped(picture, site.size, found.kernels)
    panels = [Panel(picture, words), Panel(drawn, "\n".join(_of_kernels(site, found, times)))]
    for name, chart in found.charts.items():
        if chart.values is not None:
            shares = (chart.values - chart.low) / (chart.high - chart.low)
            unit = _unit(site, name)
            bar = Bar(chart.low, chart.high, _UNITS.get(unit, unit), viridis)
            panels.append(Panel(viridis(shares), valued(site, name, chart.low, chart.high), bar))
    return canvas.sheet(panels, title)


def image_panel(site: Site, found: Found) -> tuple[Array, str]:
    """Give the image's picture, uint8 [H, W, 3], and what is to be said of it."""
    assert found.seen is not None
    span, (height, width) = span_of(found.seen), site.size
    words = f"{shortened(site.page.image.name)}, {width} x {height}"
    if span != (0, 1):
        words += f"; black is {span[0]:.3g}, white is {span[1]:.3g}"
    return found.seen.picture(span), words


def valued(site: Site, name: str, *values: float, digits: int = 3) -> str:
    """Say a parameter's value, or between what its values lie."""
    unit = _unit(site, name)
    words = [name.replace("_", "-"), " to ".join(f"{value:.{digits}g}" for value in values)]
    return " ".join(words + ([_UNITS.get(unit, unit)] if unit not in _UNSAID else [])).rstrip()


def _unit(site: Site, name: str) -> str:
    return site.page.asked.family.parameters()[name.partition("[")[0]].unit


def _everywhere(site: Site, found: Found) -> list[str]:
    """Say which parameters are the same for all pixels."""
    asked = site.page.asked
    same = {name: chart.low for name, chart in found.charts.items() if not chart.varies}
    for name, parameter in asked.family.parameters().items():
        if not parameter.per_pixel:
            same[name] = asked.constants.get(name, parameter.default)
    return [valued(site, name, value) for name, value in same.items()]


def whose(site: Site) -> str:
    """Say what a pixel's kernel does."""
    if site.page.asked.mode == "scatter":
        return "Each pixel spreads its light by its kernel."
    return "Each pixel gathers what its kernel covers."


def left_out(site: Site) -> list[str]:
    """Say what kernels do not show."""
    asked, words = site.page.asked, []
    if site.page.maps.per_channel:
        words.append("Each channel has its own: these are of the first.")
    if asked.constants.get("threshold"):
        words.append("The threshold is left out.")
    if asked.occlusion:
        words.append("What hides what is left out.")
    return words


def _of_kernels(site: Site, found: Found, times: float | None) -> list[str]:
    """Give the lines under the kernels."""
    stamps = found.kernels.values()
    count = "1 kernel" if len(stamps) == 1 else f"{len(stamps)} kernels"
    words = [f"{count}{_scaled(times)}", whose(site), *left_out(site)]
    if any((one.weights < 0).any() for one in stamps):
        words.append("What is dark and blue weighs less than 0.")
    if any(one.radius == 0 for one in stamps):
        words.append("A ring is a kernel of hardly more than one tap.")
    if same := _everywhere(site, found):
        words.append(f"Everywhere: {', '.join(same)}")
    charts = {name: chart for name, chart in found.charts.items() if chart.varies}
    hidden = [
        valued(site, name, chart.low, chart.high)
        for name, chart in charts.items()
        if chart.values is None
    ]
    if hidden:
        more = f" and {len(hidden) - 2} more" if hidden[2:] else ""
        words.append(f"Not drawn: {', '.join(hidden[:2])}{more}")
    return words


def _scaled(times: float | None) -> str:
    if times is None:
        return ""
    larger = "" if times == 1 else f"{times:.2g} times "
    return f", drawn {larger}as large as the picture"
