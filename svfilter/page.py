"""An image of a file, and what it is filtered with: from a request to an engine's work."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from functools import cached_property
from typing import TYPE_CHECKING

from svfilter.defocus import Defocus
from svfilter.engines import choose_engine
from svfilter.engines.base import Problem
from svfilter.errors import InvalidArgument
from svfilter.field import KernelField, by_parameter
from svfilter.images.light import Curve, for_profile
from svfilter.images.planes import FilterPlanes
from svfilter.work import Work

if TYPE_CHECKING:
    from svfilter.images.reading import ImageReader
    from svfilter.kernels.base import Array
    from svfilter.maps import Maps
    from svfilter.request import Request
    from svfilter.tiles import Window

TOLERANCE_8_BIT = 0.5 / 255
"""Half a step: a value is rounded to the step that it would have had, or to the next."""
TOLERANCE_DEEP = 2.5e-4
"""A step of 12 bits."""


class Page:
    """One image of a file, its planes and its kernels."""

    def __init__(
        self, asked: Request, image: ImageReader, maps: Maps, guide: ImageReader | None = None
    ) -> None:
        """Plan how it is filtered.

        Args:
            asked: what was asked for.
            image: the image.
            maps: what drives its kernels.
            guide: an image to look at in place of the image itself.

        Raises:
            InvalidArgument: a parameter out of its range, or one that does not fit the image.
        """
        self.asked, self.image, self.maps, self.guide = asked, image, maps, guide
        self._narrowest, self._widest = asked.ends(maps.spans)
        self._last: tuple[Window, KernelField] | None = None
        self.planes = FilterPlanes(
            image, per_channel=maps.per_channel, curve=self.curve, nan=asked.nan
        )

    @cached_property
    def curve(self) -> Curve | None:
        """The curve from the image's colours to light; floats without a profile are light."""
        if not self.asked.linear:
            return None
        profile = self.image.metadata.icc_profile
        if profile is None and self.image.layout.dtype.kind == "f":
            return Curve.identity
        return for_profile(profile, self.image.layout.colour)

    @property
    def gain(self) -> float:
        """How many times the engine's error that of the result may be."""
        return self._widest.gain()

    @property
    def finishes(self) -> bool:
        """Whether the family goes on with what an engine gives."""
        return self._widest.linear() is not self._widest

    def kernels(self, window: Window) -> KernelField:
        """Give the kernels of a window, for each of the planes."""
        if self._last is None or self._last[0] != window:
            values = by_parameter(self.maps.read(window).items())
            family = self.asked.family(**values, **self.asked.constants)
            self._last = window, KernelField(family).transform(self.planes.spread)
        return self._last[1]

    def finish(self, kernels: KernelField) -> Callable[[Array, Array], Array] | None:
        """Give what is left to do with the colours of a window, if anything is."""
        if not self.finishes:
            return None
        end = self.image.layout.colours

        def of_colours(values: Array) -> Array:
            return values[:end] if getattr(values, "ndim", 0) > 2 else values

        return kernels.transform(of_colours).family.finish

    def work(self) -> Work:
        """Give the work on it, with the engine that does it.

        Raises:
            EngineUnavailable: the engine asked for cannot do it.
        """
        looked_at, guided = self.guide or self.image, self.asked.family.guided
        problem = self._problem(looked_at.layout.colours if guided else 0)
        finishes = self.finishes

        def linear(window: Window) -> KernelField:
            kernels = self.kernels(window)
            return KernelField(kernels.family.linear()) if finishes else kernels

        asked = self.asked
        work = Work(
            self.planes.read,
            linear,
            (self.image.height, self.image.width),
            asked.boundary,
            choose_engine(asked.engine, problem),
            problem,
            asked.normalise,
            (lambda window: _colours(looked_at, window)) if guided else None,
        )
        if not asked.occlusion and asked.highlights is None:
            return work
        values = {field.name: getattr(work, field.name) for field in fields(work)}
        values["guide"] = self._depth if asked.occlusion else None
        return Defocus(**values, highlights=asked.highlights, colours=self.image.layout.colours)

    def _depth(self, window: Window) -> Array:
        """Give how near a window's pixels are."""
        depth = self.maps.read_depth(window)
        assert depth is not None, "it was asked for with a driver that knows"
        return depth

    def _problem(self, guides: int) -> Problem:
        """Give what the engines must know of the image and its kernels."""
        asked, image = self.asked, self.image
        tolerance = asked.tolerance
        if tolerance is None:
            shallow = image.layout.dtype.itemsize == 1
            tolerance = TOLERANCE_8_BIT if shallow else TOLERANCE_DEEP
        if self.curve is not None:
            tolerance = self.curve.tolerance(tolerance)
        if self.planes.exact_only:
            tolerance = 0.0
        return Problem(
            asked.place,
            self._narrowest.linear(),
            self._widest.linear(),
            tolerance=tolerance / self.gain,
            planes=self.planes.count,
            pixels=image.height * image.width,
            mode=asked.mode,
            guides=guides,
        )


def open_guide(
    asked: Request, image: ImageReader, open_image: Callable[[str], ImageReader]
) -> ImageReader | None:
    """Open the guide, if there is one beside the image.

    Raises:
        InvalidArgument: it is of another size.
        ImageReadError: it cannot be read.
    """
    if asked.guide is None:
        return None
    guide = open_image(asked.guide)
    if (guide.height, guide.width) != (image.height, image.width):
        raise InvalidArgument(
            f"{guide.name}: a guide must have the image's size, {image.width} x {image.height} "
            f"pixels, but has {guide.width} x {guide.height}"
        )
    guide.begin()
    return guide


def _colours(image: ImageReader, window: Window) -> Array:
    """Give a window's colours as they are stored, [G, h, w], 0 where they are not finite."""
    import numpy as np

    colours = image.read(window)[: image.layout.colours]
    finite = np.isfinite(colours)
    return colours if finite.all() else np.where(finite, colours, np.float32(0))
