"""Gaussian fields at a cost that hardly grows with sigma, within a stated error."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from functools import cache, cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from svfilter import compiled
from svfilter.engines.base import ROUNDING, CpuEngine, Problem
from svfilter.kernels.base import extent
from svfilter.kernels.gaussian import Gaussian

if TYPE_CHECKING:
    from svfilter.borders import Bordered
    from svfilter.field import KernelField
    from svfilter.kernels.base import Array

STRIP = 1024
"""Columns of a strip: its rings of rows stay near the processor,"""
NEAR = 5 * 2**18
"""of several planes together if those are no more bytes than this: most of an L2 cache of 2 MB."""
TRUNCATE = 4.0
"""What the coefficients are fitted to."""


@dataclass(frozen=True, eq=False)
class Chain:
    """Levels, and for every sigma the coefficients that blend them into its Gaussian.

    Derived by `tools/derive_chains.py`, which says what each array holds and proves the bound.
    """

    sigma_max: float
    tolerance: float
    bound: float
    """½ ‖K − K̂‖₁ at most, for any sigma from 0 to sigma_max."""
    dilations: Array  # int64 [K − 1]
    sides: Array  # float32 [K − 1]
    begins: Array  # float32 [S]: the least sigma of each segment
    ways: Array  # float32 [S, 2]: t = ways[s, 0] · σ + ways[s, 1]
    coefficients: Array  # float32 [S, K, 5]: c_k = Σ_j coefficients[s, k, j] · t^j
    levels: Array  # int64 [S]: the last level that a segment needs

    @cached_property
    def grown(self) -> Array:
        """How much larger than the image each level may be, float64 [K]."""
        import numpy as np

        return np.cumprod(np.append(1.0, (1 + 2 * self.sides.astype(np.float64)) ** 2))

    @cached_property
    def error(self) -> float:
        """The bound, and rounding, which grows with the coefficients and the levels."""
        largest = float((abs(self.coefficients).sum(2) @ self.grown).max())
        return self.bound + max(ROUNDING, 1e-7 * largest)

    def levels_needed(self, sigma: float) -> int:
        """Give the last level that a sigma up to this one needs."""
        import numpy as np

        return int(self.levels[(self.begins <= np.float32(sigma)).sum() - 1])

    def reach(self, sigma: float) -> int:
        """Give how far the levels that a sigma needs reach."""
        return int(self.dilations[: self.levels_needed(sigma)].sum())

    def within(self, reach: int) -> list[int]:
        """Give the dilations of the levels that reach so far."""
        return [int(d) for d in self.dilations[self.dilations.cumsum() <= reach]]

    def ends(self) -> Array:
        """Give where segments begin, and the end of the last one, which holds all that is left."""
        import numpy as np

        return np.append(self.begins, np.float32(np.inf))

    def table(self, lanes: int) -> Array:
        """Give ways and polynomials [2 + K · 5, S and more], so that any S may begin a vector."""
        import numpy as np

        polynomials = self.coefficients.reshape(len(self.levels), -1)
        rows = np.concatenate([self.ways, polynomials], axis=1)
        length = -(-(len(rows) + lanes - 1) // lanes) * lanes
        return np.ascontiguousarray(np.pad(rows, ((0, length - len(rows)), (0, 0))).T)


@cache
def chains() -> tuple[Chain, ...]:
    """Load the stored chains: the looser tolerance first, then by sigma_max."""
    stored = json.loads(Path(__file__).with_name("scale_space.json").read_text())
    return tuple(_chain(**values) for values in stored)


def _chain(**values: Any) -> Chain:
    import numpy as np

    for name, value in values.items():
        if isinstance(value, list):
            whole = name in {"dilations", "levels"}
            values[name] = np.array(value, np.int64 if whole else np.float32)
    return Chain(**values)


class ScaleSpace(CpuEngine):
    """Blend a few blurred images, each pixel with its own coefficients.

        L_0 = x,   L_k = L_(k−1) filtered by [b_k, 1, b_k] at dilation D_k, down and across
        out(p) = Σ_k c_k(σ(p)) · L_k(p)

    Nothing is decimated, so that nothing depends on where a pixel lies. The c_k are polynomials
    of σ in each of some segments, fitted so that ½ ‖K − K̂‖₁, which no image with values in 0 to
    1 can exceed, keeps the tolerance; K is the kernel of `Gaussian` itself, cut at 4 sigmas.
    Small sigmas need few levels, and rows that only have small sigmas get no more.

    Where an image holds NaN or infinities, the result does as far as each pixel's own kernel
    reaches.

    Cost: for each value 6 operations a level, and 2 a blended level, with a share of the 8 for
    its coefficient; memory for each thread two rows a pixel of reach, 1024 columns wide.

    Source: the levels are an à trous cascade (Holschneider et al. 1989); a blend of few fixed
    responses for a family of filters is Perona's (1995, doi 10.1109/34.391394).
    """

    name: ClassVar[str] = "scale_space"
    summary: ClassVar[str] = "Gaussians as a blend of few blurred images; the CPU, any sigma map"
    compiled: ClassVar[bool] = True
    error: ClassVar[str] = "the tolerance: 0.5/255 or 2.5e-4"

    any_kernels: ClassVar[bool] = False

    def why_not(self, problem: Problem) -> str | None:
        """It blends Gaussians of truncate 4 up to the largest sigma that it has levels for."""
        widest = problem.widest
        if reason := super().why_not(problem):
            return reason
        if not isinstance(widest, Gaussian):
            return "it is for Gaussians"
        if widest.truncate != TRUNCATE:
            return f"its levels are fitted to truncate 4, and truncate is {widest.truncate:g}"
        able = _within(problem.tolerance)
        if not able:
            least = min(chain.error for chain in chains())
            return (
                f"its error is at most {least:.2g} at best (the part of a Gaussian beyond 4 sigmas "
                f"alone weighs 1.3e-4), and the tolerance is {problem.tolerance:.3g}"
            )
        largest = max(chain.sigma_max for chain in able)
        if _sigma_max(problem) > largest:
            return (
                f"sigma goes up to {_sigma_max(problem):g}, and its levels for a tolerance of "
                f"{problem.tolerance:.3g} only to {largest:g}"
            )
        return None

    def bound(self, problem: Problem) -> float:
        """Give the proven bound of the chain that is taken, and rounding."""
        return _chosen(problem).error

    def cost(self, problem: Problem) -> float:
        """Count the levels, and the margin that they are made of."""
        chain, largest = _chosen(problem), _sigma_max(problem)
        around = (1 + chain.reach(largest) / math.sqrt(problem.pixels)) ** 2
        each = 0.5e-9 + 0.4e-9 * chain.levels_needed(largest)
        return problem.pixels * problem.planes * around * each

    def margin(self, problem: Problem, field: KernelField) -> int:
        """Give the reach of the levels that the window needs."""
        return _chosen(problem).reach(field.extents["sigma"][1])

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
        """Filter a window in strips of columns.

        Raises:
            InvalidArgument: the memory does not suffice for a narrow strip.
        """
        from svfilter.compiled import machine
        from svfilter.compiled.nonfinite import spread_nonfinite
        from svfilter.compiled.planes import Kernel, filter_planes

        chain = _chosen(problem)
        begins, table = chain.ends(), chain.table(machine.LANES)
        dilations = chain.within(image.margin)
        rings = machine.cascade_rows(dilations) * 4 * (STRIP + 2 * image.margin)
        together = max(1, min(NEAR // rings, machine.CHANNELS))
        kernel = Kernel(
            function=compiled.kernel("cascade"),
            rows=None,
            cols=STRIP,
            scratch=partial(
                machine.cascade_scratch,
                margin=image.margin,
                dilations=dilations,
                together=together,
            ),
            more=(
                chain.dilations.ctypes.data,
                chain.sides.ctypes.data,
                begins.ctypes.data,
                table.ctypes.data,
                table.strides[0],
                chain.levels.ctypes.data,
                len(chain.levels),
                together,
            ),
            growth=2.0 ** math.ceil(math.log2(chain.grown[len(dilations)])),
        )
        sigma = field.maps["sigma"]
        out, wild = filter_planes(image, [sigma], kernel, memory=memory, jobs=jobs)
        if wild:
            spread_nonfinite(out, image, Gaussian(sigma=sigma, truncate=TRUNCATE).reaches())
        return out


def _within(tolerance: float) -> list[Chain]:
    return [chain for chain in chains() if chain.error <= tolerance]


def _chosen(problem: Problem) -> Chain:
    """Give the cheapest chain that keeps the tolerance, the same for the whole image."""
    largest = _sigma_max(problem)
    able = [chain for chain in _within(problem.tolerance) if largest <= chain.sigma_max]
    return min(able, key=lambda chain: chain.levels_needed(largest))


def _sigma_max(problem: Problem) -> float:
    assert isinstance(problem.widest, Gaussian), "why_not has been asked"
    return extent(problem.widest.sigma)[1]


ENGINE = ScaleSpace()
