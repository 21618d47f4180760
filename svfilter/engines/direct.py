"""Exact kernels on the CPU, compiled."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, ClassVar

from svfilter import compiled
from svfilter.engines.base import ROUNDING, CpuEngine, Problem
from svfilter.kernels.gaussian import Gaussian
from svfilter.tiles import plan

if TYPE_CHECKING:
    from svfilter.borders import Bordered
    from svfilter.field import KernelField
    from svfilter.kernels.base import Array

TILE = (64, 512)
"""Rows and columns that are filtered at once: with their margin, they stay in the cache."""


class Direct(CpuEngine):
    """Sum over every tap, each pixel with its own weights and no further than it reaches.

    - The weights of a Gaussian are made in registers from the pixels' own sigmas. They are the
      product of a column and a row of weights, both symmetric, so that a tap costs one
      multiplication and half an addition, and no loading of weights.
    - Kernels of other families are made once for each distinct set of parameters and looked up.
      A map from an 8-bit image has at most 256 of them; a map of floats may have one for each
      pixel, and then making them is what takes the time.

    NaN and infinities spread over the square that the pixel's own kernel spans.

    Cost: about 1.5 · kernel_size² operations for each value of a Gaussian, 2 · kernel_size²
    rounded up to whole vectors for others.
    """

    name: ClassVar[str] = "direct"
    summary: ClassVar[str] = "every tap, compiled for the processor's vector registers; the CPU"
    compiled: ClassVar[bool] = True
    error: ClassVar[str] = "1e-6 (float32 rounding, truncate up to 4)"

    def bound(self, problem: Problem) -> float:
        """Give what rounding may amount to."""
        return ROUNDING

    def cost(self, problem: Problem) -> float:
        """Count the taps of kernels spread evenly from the narrowest to the widest."""
        fixed, each = (5e-9, 0.033e-9) if isinstance(problem.widest, Gaussian) else (4e-8, 0.13e-9)
        return problem.pixels * problem.planes * (fixed + each * problem.mean_taps())

    def run(
        self,
        image: Bordered,
        field: KernelField,
        problem: Problem,
        *,
        memory: int,
        jobs: int | None = None,
    ) -> Array:
        """Filter a window tile by tile.

        Raises:
            InvalidArgument: the memory does not suffice for a small tile.
        """
        from svfilter.compiled.nonfinite import spread_nonfinite

        run = _gaussian if isinstance(field.family, Gaussian) else _looked_up
        out, wild = run(image, field, memory, jobs)
        if wild:
            spread_nonfinite(out, image, field.family.radii())
        return out


def _gaussian(
    image: Bordered, field: KernelField, memory: int, jobs: int | None
) -> tuple[Array, bool]:
    """Filter with weights made in registers; tell if there were NaN or infinities, taken for 0."""
    from svfilter.compiled import machine
    from svfilter.compiled.planes import Kernel, filter_planes

    assert isinstance(field.family, Gaussian)
    kernel = Kernel(
        function=compiled.kernel("gaussian"),
        rows=TILE[0],
        cols=TILE[1],
        scratch=partial(machine.gaussian_scratch, margin=image.margin),
        more=(field.family.truncate,),
    )
    return filter_planes(image, [field.maps["sigma"]], kernel, memory=memory, jobs=jobs)


def _looked_up(
    image: Bordered, field: KernelField, memory: int, jobs: int | None
) -> tuple[Array, bool]:
    """Filter with a bank of the distinct kernels, in parts where it would not fit the memory."""
    import numpy as np

    from svfilter.compiled import machine
    from svfilter.compiled.bank import find_distinct
    from svfilter.compiled.planes import Kernel, filter_planes

    height, width, _ = image.size
    distinct = find_distinct(field)
    size = distinct.bytes(machine.LANES)
    if size > memory // 2 and height * width > 1:
        axis = -2 if height >= width else -1
        rows, cols = ((height + 1) // 2, width) if axis == -2 else (height, (width + 1) // 2)
        parts = [
            _looked_up(image.part(half), field.window(half), memory, jobs)
            for half in plan(height, width, rows, cols)
        ]
        return np.concatenate([part for part, _ in parts], axis), any(wild for _, wild in parts)
    bank = distinct.bank(machine.LANES)
    kernel = Kernel(
        function=compiled.kernel("codebook"),
        rows=TILE[0],
        cols=TILE[1],
        scratch=partial(machine.codebook_scratch, margin=image.margin),
        more=(bank.weights.ctypes.data, bank.offsets.ctypes.data, bank.radii.ctypes.data),
    )
    return filter_planes(image, [bank.index], kernel, memory=memory - size, jobs=jobs)


ENGINE = Direct()
