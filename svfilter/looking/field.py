"""What drives the kernels of an image, and some of them, gathered while its rows go by."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from svfilter.looking.appearance import Appearance, Seen
from svfilter.looking.canvas import fitted
from svfilter.looking.shrinking import Shrinking

if TYPE_CHECKING:
    from svfilter.kernels.base import Array, Family
    from svfilter.looking.site import Place, Site

MOST_CHARTS = 6
"""If more parameters vary, none is drawn."""


@dataclass(frozen=True)
class Chart:
    """The values of a parameter; of values for each channel, those of the first."""

    low: float
    """The least of any pixel,"""
    high: float
    """and the largest."""
    values: Array | None
    """They at the size of a picture, [H, W], if they vary and are drawn."""

    @property
    def varies(self) -> bool:
        """Whether pixels differ."""
        return self.low < self.high


@dataclass
class Found:
    """What was seen of an image and its kernels."""

    seen: Seen | None = None
    """The image, if all of it was looked at,"""
    charts: dict[str, Chart] = field(default_factory=dict)
    """and the parameters that maps give."""
    kernels: dict[Place, Any] = field(default_factory=dict)
    """What was taken of the kernels of some pixels."""


def look(
    site: Site,
    places: Sequence[Place],
    take: Callable[[Family, Array | None], Any],
    *,
    all_of_it: bool = True,
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> Found:
    """Go through an image from top to bottom.

    Args:
        site: the image.
        places: pixels whose kernels are looked at.
        take: gives what is kept of a kernel, from its family and the guide around it.
        all_of_it: whether the image and its parameters are looked at, not only those kernels.
        progress: called now and then with the pixels done and the pixels in all.

    Cost: time to decode; memory for some rows, of guided kernels for as many as they reach.
    """
    page, (height, width) = site.page, site.size
    found, appearance = Found(), Appearance(page.image.layout, fitted(height, width))
    charting: dict[str, _Charting] = {}
    for window in site.strips(height if all_of_it else max(row for row, _ in places)):
        values = page.maps.read(window)
        for row, column in places:
            if window.row_off <= row < window.rows.stop:
                found.kernels[row, column] = take(*site.kernel((row, column)))
        if not all_of_it:
            continue
        appearance.add(page.image.read(window))
        for name, value in values.items():
            if name not in charting:
                charting[name] = _Charting(site, name, drawn=len(values) <= MOST_CHARTS)
            charting[name].add(value)
        progress(window.rows.stop * width, height * width)
    if all_of_it:
        page.maps.end()
        found.seen = appearance.end()
        found.charts = {name: one.end() for name, one in charting.items()}
    return found


class _Charting:
    """A parameter, while it goes by."""

    def __init__(self, site: Site, name: str, *, drawn: bool) -> None:
        unit = site.page.asked.family.parameters()[name.partition("[")[0]].unit
        self._low, self._high = math.inf, -math.inf
        self._shrinking: Shrinking | None = None
        if drawn and unit != "nodes":  # the place in a grid is that in the image
            # The mean of -180 and 180 degrees is where no pixel looks; the larger is where some do.
            self._shrinking = Shrinking(1, site.size, fitted(*site.size), largest=unit == "deg")

    def add(self, values: Array | float) -> None:
        """Take the next rows, [1 or more, some, w], or the one value of all."""
        if isinstance(values, (int, float)):
            self._low, self._high, self._shrinking = values, values, None
            return
        first = values[:1]
        self._low = min(self._low, float(first.min()))
        self._high = max(self._high, float(first.max()))
        if self._shrinking:
            self._shrinking.add(first)

    def end(self) -> Chart:
        """Give what was seen."""
        varies = self._low < self._high
        values = self._shrinking.end()[0] if self._shrinking and varies else None
        return Chart(self._low, self._high, values)
