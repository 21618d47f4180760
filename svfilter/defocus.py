"""Depth of field as the work of an engine: highlights that flare, and what is in front."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from svfilter.borders import Bordered
from svfilter.errors import InvalidArgument
from svfilter.field import KernelField
from svfilter.kernels.lens import Lens
from svfilter.occlusion import defocus, margin
from svfilter.tiles import Window
from svfilter.work import Given, Work, to_numpy

if TYPE_CHECKING:
    from svfilter.kernels.base import Array

SOFT = 0.1
"""How far above the threshold a highlight flares in full, as a share of the range."""


@dataclass(frozen=True)
class Highlights:
    """Which light is made brighter before it is spread, as if it had not been cut off at white.

        x' = x · (1 + gain · s((Y − threshold) / SOFT) · min(1, max(0, R − ½)))

    with s the smooth step from 0 to 1, Y the mean of the colours and R the radius that the pixel
    is spread to: what is sharp stays as it is.
    """

    threshold: float = 0.6
    """Of light, as a share of the range."""
    gain: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.threshold < 1:
            raise InvalidArgument(f"threshold must lie in 0 to 1, but is {self.threshold:g}")
        if not 0 <= self.gain <= 1000:
            raise InvalidArgument(f"gain must lie in 0 to 1000, but is {self.gain:g}")

    def flare(self, colours: Array, radius: Array) -> Array:
        """Give brighter colours [C, h, w] for radii [h, w] or [C, h, w]."""
        import numpy as np

        with np.errstate(invalid="ignore"):  # infinities and NaN stay what they are
            t = ((colours.mean(axis=0) - self.threshold) / SOFT).clip(0, 1)
            share = t * t * (3 - 2 * t) * (radius - 0.5).clip(0, 1)
            brighter: Array = colours * (1 + self.gain * share).astype(colours.dtype)
        return brighter


@dataclass(frozen=True)
class Defocus(Work):
    """Scatter by `Lens`; with a depth, as the guide, nothing spreads over what is nearer."""

    highlights: Highlights | None = None
    colours: int = 3
    """How many of the planes are colours."""

    @property
    def margin(self) -> int:
        """How far around a window pixels are needed at most."""
        return margin(self._farthest) if self.guide else super().margin

    @property
    def planes_beside(self) -> int:
        """What is held beside the planes: fragments of two layers, mostly."""
        return 8 if self.guide else super().planes_beside

    @cached_property
    def _farthest(self) -> float:
        assert isinstance(self.problem.widest, Lens), "the request has been checked"
        return float(self.problem.widest.radius)

    def given(self, window: Window) -> Given:
        """Read a window and what may spread into it."""
        if not self.guide:
            return super().given(window)
        return self.surround(window, self.kernels_around(window, self.margin), self.margin)

    def run(self, given: Given, *, memory: int, jobs: int | None = None) -> Array:
        """Filter a window: the pixels [C, h, w]."""
        import numpy as np

        pixels = np.array(to_numpy(given.image.padded()))
        radius = to_numpy(given.field.maps["radius"])  # [h, w], [1 or C, h, w] or []
        if self.highlights:
            colours = pixels[: self.colours]
            colours[...] = self.highlights.flare(colours, radius)
        if given.guide is None:
            rows, cols = (list(range(side)) for side in pixels.shape[-2:])
            image = Bordered(pixels, rows, cols, given.image.margin).transform(self._move)
            return super().run(replace(given, image=image), memory=memory, jobs=jobs)
        if not np.isfinite(pixels).all():
            raise InvalidArgument("--occlusion needs finite pixels; replace others by --nan fill")

        def scatter(planes: Array, radii: Array) -> Array:
            return self._scattered(planes, radii, memory=memory, jobs=jobs)

        farthest = self._farthest
        made = defocus(
            pixels,
            np.broadcast_to(radius, (1, *pixels.shape[-2:]))[0],
            to_numpy(given.guide.padded())[0],
            scatter=scatter,
            depth_range=(-farthest, farthest),
        )
        inside = slice(given.image.margin, -given.image.margin)
        return made[:, inside, inside]

    def _scattered(self, planes: Array, radii: Array, *, memory: int, jobs: int | None) -> Array:
        """Spread planes [n, h, w] by kernels of radii [h, w], with nothing beyond the border."""
        work = Work(
            lambda window: planes[..., window.rows, window.cols],
            KernelField(self.problem.widest).with_maps({"radius": radii}.items()).window,
            planes.shape[-2:],
            "constant",
            self.engine,
            self.problem,
        )
        whole = Window(0, 0, *planes.shape[-2:])
        return to_numpy(work.run(work.given(whole), memory=memory, jobs=jobs))
