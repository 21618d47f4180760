"""Exact kernels on the CPU, compiled."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from svfilter.engines.base import ROUNDING, CpuEngine, Problem
from svfilter.kernels.gaussian import Gaussian

if TYPE_CHECKING:
    from svfilter.borders import Bordered
    from svfilter.field import KernelField
    from svfilter.kernels.base import Array


class Direct(CpuEngine):
    """Sum over every tap, each pixel with its own weights and no further than it reaches.

    Weights are made in registers, from the pixels' own parameters, by a function that is written
    out for each family: the family computes once with symbols instead of numbers, and what it
    did becomes machine code (`svfilter.compiled.formulas`). There are three ways:

    - Gaussians that gather: the product of a column and a row of weights, both symmetric, so that
      a tap costs one multiplication and half an addition, and no loading of weights.
    - Other formulas: one weight a tap and pixel, for all channels. To scatter, the weights of
      those that give are made again for each pixel that receives: nothing is written but results.
    - Stored kernels: blended in memory, pixel by pixel, as dot products or as what is spread.

    NaN and infinities spread as far as a kernel has weights; those of a Gaussian, over its square.

    Cost: about 1.5 · kernel_size² operations for each value of a Gaussian that gathers; of other
    formulas 2 · kernel_size² and what the formula costs, with the reach of the widest kernel that
    a block of 4 x 16 pixels has or receives from; of stored kernels 2 · kernel_size² rounded up to
    whole vectors, and several times that to scatter.
    """

    name: ClassVar[str] = "direct"
    summary: ClassVar[str] = "every tap, compiled for the processor's vector registers; the CPU"
    compiled: ClassVar[bool] = True
    error: ClassVar[str] = "1e-6 (float32 rounding, truncate up to 4)"

    def bound(self, problem: Problem) -> float:
        """Give what rounding may amount to."""
        return ROUNDING

    def why_not(self, problem: Problem) -> str | None:
        """It needs stored kernels, or the formula of the family's weights."""
        if reason := super().why_not(problem):
            return reason
        if problem.widest.blend() is not None:
            return None
        from svfilter.compiled.formulas import UnknownOperation, formula_of

        try:
            formula_of(problem.widest, problem.guides)
        except UnknownOperation as unknown:
            return str(unknown)
        return None

    def cost(self, problem: Problem) -> float:
        """Count the taps of kernels spread evenly from the narrowest to the widest."""
        fixed, each = 2e-8, 0.07e-9 if problem.mode == "gather" else 0.15e-9
        if _by_rows(problem) and problem.mode == "gather":
            fixed, each = 5e-9, 0.033e-9
        elif problem.widest.blend() is not None:
            fixed, each = 4e-8, 0.13e-9
        return problem.pixels * problem.planes * (fixed + each * problem.mean_taps())

    def run(
        self,
        image: Bordered,
        field: KernelField,
        problem: Problem,
        *,
        guide: Bordered | None = None,
        memory: int,
        jobs: int | None = None,
    ) -> Array:
        """Filter a window tile by tile.

        Raises:
            InvalidArgument: the memory does not suffice for a small tile.
        """
        from svfilter.compiled import making
        from svfilter.compiled.nonfinite import see_by_signs, see_nonfinite, spread_nonfinite
        from svfilter.compiled.planes import Kernel, filter_planes

        scatter = problem.mode == "scatter" and not _the_same(field)
        stored = problem.widest.blend() is not None
        if stored:
            kernel, parameters = making.kernels_in_memory(image, field, scatter=scatter)
        elif _by_rows(problem) and not scatter:
            kernel, parameters = making.gaussians(image, field), [field.maps["sigma"]]
        elif scatter:
            kernel, parameters = making.light_in_registers(image, field)
        else:
            kernel, parameters = making.kernels_in_registers(image, field, guide)

        def filtered(pixels: Bordered, kernel: Kernel = kernel) -> tuple[Array, bool]:
            return filter_planes(pixels, parameters, kernel, memory=memory, jobs=jobs)

        out, wild = filtered(image)
        if wild and stored:
            positive, negative = (
                making.kernels_in_memory(image, field, scatter=scatter, sign=sign)[0]
                for sign in (1, -1)
            )
            see_by_signs(
                out, image, lambda x: filtered(x, positive)[0], lambda x: filtered(x, negative)[0]
            )
        elif wild and _by_rows(problem) and not scatter:
            spread_nonfinite(out, image, field.family.reaches())
        elif wild:
            see_nonfinite(out, image, lambda mask: filtered(mask)[0])
        return out


def _by_rows(problem: Problem) -> bool:
    """Tell whether weights are made as products of a row and a column, as a Gaussian's can be."""
    return isinstance(problem.widest, Gaussian)


def _the_same(field: KernelField) -> bool:
    """Tell whether all pixels have one kernel, and a mirrored one: then to give is to receive."""
    alike = all(values.ndim == 0 for values in field.maps.values())
    return alike and field.family.even and field.family.blend() is None


ENGINE = Direct()
