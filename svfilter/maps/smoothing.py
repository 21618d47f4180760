"""Levels blurred by a Gaussian, with the engines that blur images."""

from __future__ import annotations

from typing import TYPE_CHECKING

from svfilter.engines import choose_engine
from svfilter.engines.base import Problem
from svfilter.field import KernelField
from svfilter.kernels.gaussian import Gaussian
from svfilter.maps.levels import Changed, Levels
from svfilter.work import Work, to_numpy

if TYPE_CHECKING:
    from svfilter.kernels.base import Array
    from svfilter.maps.sources import Sources
    from svfilter.tiles import Window

LARGEST = 64
"""Pixels: the largest sigma, and the largest of the engine that is fastest."""
TOLERANCE = 2.5e-4
"""How far a smoothed level may be off, as a share of the levels' range."""
_MEMORY = 2**24
"""Bytes for the engine."""


class Smoothed(Changed):
    """Levels convolved with a Gaussian; beyond the border stands what the boundary says."""

    def __init__(
        self, inner: Levels, sigma: float, size: tuple[int, int], sources: Sources
    ) -> None:
        """Choose an engine.

        Args:
            inner: the levels, all finite.
            sigma: pixels.
            size: height and width of the image.
            sources: says how many threads there are, and what is beyond the image.
        """
        kernel = Gaussian(sigma=sigma)
        problem = Problem(
            "cpu", kernel, kernel, tolerance=TOLERANCE, planes=1, pixels=size[0] * size[1]
        )
        self._work = Work(
            inner.read,
            lambda window: KernelField(kernel),
            size,
            sources.boundary,
            choose_engine("auto", problem),
            problem,
        )
        self._jobs = sources.jobs
        super().__init__(inner, span=inner.span, margin=self._work.margin)
        self.slack += TOLERANCE

    def read(self, window: Window) -> Array:
        """Give the smoothed levels."""
        import numpy as np

        given = self._work.given(window)
        smooth = to_numpy(self._work.run(given, memory=_MEMORY, jobs=self._jobs))
        return smooth if self.span is None else np.clip(smooth, *self.span)
