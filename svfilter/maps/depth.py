"""How far each pixel is out of focus, from a map of depth."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING

from svfilter.errors import InvalidArgument, SvfilterWarning
from svfilter.maps.base import Driver, Opened, Span, check_number, single
from svfilter.maps.levels import Finite, Level, Levels, Range

if TYPE_CHECKING:
    from svfilter.images.reading import ImageReader
    from svfilter.kernels.base import Array
    from svfilter.maps.sources import Sources
    from svfilter.tiles import Window

MODELS = ("linear", "thin")
NEAR = ("white", "black")


@dataclass(frozen=True)
class Focus(Driver):
    """Give a parameter the radius R of the circle of confusion.

        linear:  R = min(max_radius, aperture · |z − focus|)
        thin:    R = min(max_radius, aperture · |1 − focus / z|)

    where z is the level of the depth map at the pixel, in 0..1 of an image of integers; of floats
    the file's own values, of any finite range.

    `linear` is for disparity (a constant times 1 / distance, for which it is what a thin lens
    does) and for painted maps. `thin` is for distances z > 0 from the lens, in any unit: there
    `aperture` is the radius of what is infinitely far.

    Args:
        parameter: the radius's name in the family.
        level: where z comes from.
        focus: the level that is sharp; above 0 for `thin`.
        aperture: pixels for each unit of the level, or for `thin` pixels; 0 or more.
        max_radius: the largest radius in pixels, 0 or more.
        model: one of MODELS.
        near: whether the larger ("white") or the smaller ("black") level is nearer; default white
            for `linear`; for `thin` it is always black. The radius does not depend on it.

    Source: Potmesil and Chakravarty, A Lens and Aperture Camera Model for Synthetic Image
        Generation, SIGGRAPH 1981, doi:10.1145/800224.806818: a lens of focal length f and diameter
        A, focused at z₀, images a point at z as a circle of diameter A·f / (z₀ − f) · |1 − z₀/z|.
    """

    parameter: str
    level: Level
    focus: float
    aperture: float
    max_radius: float
    model: str = "linear"
    near: str | None = None

    def __post_init__(self) -> None:
        if self.model not in MODELS:
            raise InvalidArgument(f"model must be one of {', '.join(MODELS)}, not {self.model!r}")
        if self.near not in (None, *NEAR):
            raise InvalidArgument(f"near must be one of {', '.join(NEAR)}, not {self.near!r}")
        for name in ("aperture", "max_radius"):
            check_number(name, getattr(self, name), low=0)
        check_number("focus", self.focus)
        if self.model == "thin":
            if self.focus <= 0:
                raise InvalidArgument(
                    f"focus must be a distance above 0 for a thin lens, but is {self.focus:g}"
                )
            if self.near == "white":
                raise InvalidArgument(
                    "near 'white' is for disparity, but a thin lens takes distances, of which the "
                    "smaller is nearer"
                )

    @property
    def gives(self) -> dict[str, Span | None]:
        """The radius."""
        return {self.parameter: (0.0, single(self.max_radius))}

    @property
    def sources(self) -> tuple[str, ...]:
        """The files that the depth map is of."""
        return self.level.sources

    @property
    def rereads_image(self) -> bool:
        """Whether the depth is of the image, and needs all of it before."""
        return self.level.own and self.level.rereads

    @property
    def larger_is_nearer(self) -> bool:
        """Whether a larger level is nearer."""
        return self.model == "linear" if self.near is None else self.near == "white"

    def open(self, image: ImageReader, sources: Sources) -> Opened:
        """Open the depth map.

        Raises:
            InvalidArgument: there is no such level. (Those that are not finite, or for a thin lens
                not above 0, are found when they are read.)
            ImageReadError: it cannot be read.
        """
        return _OpenedFocus(self, Finite(self.level.open(image, sources)), Range(image))


class _OpenedFocus(Opened):
    """The radii of an image."""

    def __init__(self, focus: Focus, levels: Levels, seen: Range) -> None:
        self._focus, self._levels, self._seen = focus, levels, seen
        self.spans = {focus.parameter: (0.0, _largest(focus, levels.span))}
        self.margin = levels.margin
        self.row_bytes, self.fixed_bytes = levels.row_bytes, levels.fixed_bytes

    def read(self, window: Window) -> dict[str, Array | float]:
        """Give the radii."""
        import numpy as np

        return {self._focus.parameter: np.abs(self.read_depth(window))}

    def read_depth(self, window: Window) -> Array:
        """Give the radii, negative behind what is in focus."""
        import numpy as np

        focus, most = self._focus, self.spans[self._focus.parameter][1]
        z = self._read_levels(window)
        with np.errstate(over="ignore"):  # what is too large is max_radius
            if focus.model == "thin":
                signed = np.float32(focus.focus) / z - 1
            else:
                signed = z - np.float32(focus.focus)
            limit = np.finfo(np.float32).max
            np.clip(signed, -limit, limit, out=signed)  # times 0 it must be 0
            signed *= np.float32(focus.aperture)
        if focus.model == "linear" and not focus.larger_is_nearer:
            np.negative(signed, out=signed)
        return np.clip(signed, -most, most, out=signed)

    def _read_levels(self, window: Window) -> Array:
        z = self._levels.read(window)
        self._seen.add(z)
        if self._focus.model == "thin" and not (least := float(z.min())) > 0:
            raise InvalidArgument(
                f"{self._levels.name}: a thin lens needs distances above 0, but these begin at "
                f"{least:g}; for disparity or a painted map take the linear model"
            )
        return z

    def let_go(self, row: int) -> None:
        """Forget what only windows above a row would need."""
        self._levels.let_go(row)

    def end(self) -> None:
        """Warn of a depth that is the same at every pixel, or nowhere at the focus."""
        self._seen.warn_if_constant(self._levels.name)
        focus, seen = self._focus.focus, self._seen
        if seen.low < seen.high and not seen.low <= focus <= seen.high:
            warnings.warn(
                f"{self._levels.name}: the depth is {seen.low:g} to {seen.high:g}, nowhere at the "
                f"focus {focus:g}",
                SvfilterWarning,
                stacklevel=2,
            )


def _largest(focus: Focus, span: Span | None) -> float:
    """Give the largest radius, as far as it is known before the levels are."""
    largest = focus.max_radius
    if focus.model == "linear" and span is not None:
        largest = min(largest, focus.aperture * max(abs(end - focus.focus) for end in span))
    return single(largest)
