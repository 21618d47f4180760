"""The work of an engine on an image, window by window: what it needs of it, and its result."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from array_api_compat import array_namespace, is_torch_array

from svfilter.borders import Bordered, join, surround, take
from svfilter.engines.base import Engine, Problem
from svfilter.field import KernelField
from svfilter.tiles import Window, halo

if TYPE_CHECKING:
    from svfilter.kernels.base import Array


@dataclass(frozen=True)
class Given:
    """What an engine needs to filter a window."""

    image: Bordered
    field: KernelField
    guide: Bordered | None


@dataclass(frozen=True)
class Work:
    """A whole image to be filtered, window by window, and who does it."""

    read: Callable[[Window], Array]
    """Gives the pixels [..., h, w] of any window within the image."""
    kernels: Callable[[Window], KernelField]
    """Gives the kernels of such a window, already checked."""
    size: tuple[int, int]
    """Height and width of the image, where the boundary takes over."""
    boundary: str
    """A key of BOUNDARIES."""
    engine: Engine
    problem: Problem
    normalise: str = "energy"
    """As in `filter_image`."""
    guide: Callable[[Window], Array] | None = None
    """Gives the guide's pixels [G, h, w], if there is one."""

    @property
    def margin(self) -> int:
        """How far around a window pixels are needed at most."""
        return self.engine.margin(self.problem, KernelField(self.problem.widest))

    @property
    def planes_beside(self) -> int:
        """What it holds beside the planes that are filtered, counted in such planes."""
        return self.problem.guides + (self.normalise == "weights")

    def given(self, window: Window) -> Given:
        """Read no more of the image than what the kernels of a window reach, or what reaches it."""
        if self.problem.mode == "gather":
            return self.surround(window, self.kernels(window))
        reach = self.problem.widest.reach() + 1  # it may be another in another precision
        field = self.kernels_around(window, reach).transform(self._move)
        margin = min(field.reach, reach)
        inset = reach - margin
        sides = (side + 2 * margin for side in window[2:])
        return self.surround(window, field.window(Window(inset, inset, *sides)), margin)

    def surround(self, window: Window, field: KernelField, margin: int | None = None) -> Given:
        """Read a window and as much around it as a field needs.

        Args:
            window: which pixels.
            field: the kernels of a window, or to scatter, of those around it too.
            margin: to scatter, how far around it.
        """
        field = field.transform(self._move)  # first: a radius may be another in another precision
        if margin is None:
            margin = self.engine.margin(self.problem, field)
        image = surround(self.read, window, margin, self.size, self.boundary)
        guide = None
        if self.guide:
            guide = surround(self.guide, window, margin, self.size, self.boundary)
            guide = guide.transform(self._move)
        return Given(image.transform(self._move), field, guide)

    def run(self, given: Given, *, memory: int, jobs: int | None = None) -> Array:
        """Filter a window: the pixels [..., h, w], as the engine's kind of array."""
        run = partial(self.engine.run, problem=self.problem, memory=memory, jobs=jobs)
        if self.problem.mode == "gather" or self.normalise == "energy":
            return run(given.image, given.field, guide=given.guide)
        light, cover = _with_cover(given, run)
        xp = array_namespace(light)
        own = given.image.inner()
        somewhere = cover > 0
        return xp.where(somewhere, light / xp.where(somewhere, cover, xp.ones_like(cover)), own)

    def kernels_around(self, window: Window, margin: int) -> KernelField:
        """Give the kernels of a window and those of the pixels around it.

        Beyond the image a pixel has the kernel of the pixel whose value it has, or for values of
        0 any.
        """
        boundary = "replicate" if self.boundary == "constant" else self.boundary
        around = halo(window, margin, *self.size, boundary)
        fields = [[self.kernels(source) for source in row] for row in around.sources]

        def bordered(name: str, value: Array) -> Array:
            if getattr(value, "ndim", 0) == 0:
                return value
            joined = join([[field.maps[name] for field in row] for row in fields])
            return take(take(joined, around.rows, -2), around.cols, -1)

        first = fields[0][0]
        return first.with_maps((name, bordered(name, v)) for name, v in first.maps.items())

    def _move(self, values: Array) -> Array:
        dtype = "float64" if self.engine.always_float64 else self.problem.dtype
        return to_kind(values, self.engine.arrays, dtype, self.problem.device)


def _with_cover(given: Given, run: Callable[..., Array]) -> tuple[Array, Array]:
    """Give what an engine makes of the image, and of an image of ones."""
    pixels = given.image.pixels
    xp = array_namespace(pixels)
    ones = xp.ones_like(pixels)
    if any(math.prod(getattr(v, "shape", ())[:-2]) > 1 for v in given.field.maps.values()):
        image = given.image.transform(lambda pixels: ones)
        return run(given.image, given.field), run(image, given.field)
    # All planes have the same kernels: one more of them costs little.
    flat = xp.reshape(pixels, (-1, *pixels.shape[-2:]))
    one = xp.reshape(ones, flat.shape)[:1]
    both = run(given.image.transform(lambda pixels: xp.concat([flat, one])), given.field)
    return xp.reshape(both[:-1], (*pixels.shape[:-2], *both.shape[-2:])), both[-1]


def to_numpy(values: Array) -> Array:
    """Bring an engine's result back as a NumPy array."""
    return to_kind(values, "numpy", None, "cpu")


def to_kind(values: Array, kind: str, dtype: str | None, device: str) -> Array:
    """Give an array or a number as a NumPy array or as a tensor on the device."""
    import numpy as np

    if kind == "numpy" and not is_torch_array(values):
        return np.asarray(values, dtype=dtype)
    import torch

    if not is_torch_array(values):
        # Copied only if torch cannot share it: not contiguous, or not writeable.
        values = torch.from_numpy(
            np.require(values, dtype=np.dtype(dtype), requirements=["C", "W"])
        )
    values = values.to(device=device, dtype=getattr(torch, dtype) if dtype else None)
    return values.detach().numpy() if kind == "numpy" else values
