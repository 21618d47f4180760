"""Gaussian fields at a cost that hardly grows with sigma, within a stated error."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache, cached_property, partial
from importlib.resources import files
from typing import TYPE_CHECKING, ClassVar

from svfilter import compiled
from svfilter.engines.base import ROUNDING, CpuEngine, Problem
from svfilter.kernels.base import extent
from svfilter.kernels.gaussian import Gaussian

if TYPE_CHECKING:
    from svfilter.borders import Bordered
    from svfilter.field import KernelField
    from svfilter.kernels.base import Array

STRIP = 1024
"""Columns of a strip: its rings of rows stay near the processor."""
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
    per_octave: int
    dilations: Array  # int64 [K − 1]
    sides: Array  # float32 [K − 1]
    table: Array  # float32 [N, K]
    levels: Array  # int64 [N − 1]

    @cached_property
    def error(self) -> float:
        """The bound, and rounding, which grows with the coefficients."""
        largest = float(abs(self.table).sum(1).max())
        return self.bound + max(ROUNDING, 1e-7 * largest)

    @property
    def shift(self) -> int:
        """Bits of a float32 that lie within a cell of the table."""
        return 23 - (self.per_octave.bit_length() - 1)

    def levels_needed(self, sigma: float) -> int:
        """Give the last level that a sigma up to this one needs."""
        import numpy as np

        bits = (np.array([sigma, 0.0], np.float32) + np.float32(0.5)).view(np.int32)
        return int(self.levels[int(bits[0] - bits[1]) >> self.shift])

    def reach(self, sigma: float) -> int:
        """Give how far the levels that a sigma needs reach."""
        return int(self.dilations[: self.levels_needed(sigma)].sum())

    def within(self, reach: int) -> list[int]:
        """Give the dilations of the levels that reach so far."""
        return [int(d) for d in self.dilations[self.dilations.cumsum() <= reach]]

    def padded_table(self, length: int) -> Array:
        """Give the table with rows of a multiple of `length`."""
        import numpy as np

        missing = -self.table.shape[1] % length
        return np.pad(self.table, ((0, 0), (0, missing)))


@cache
def chains() -> tuple[Chain, ...]:
    """Load the stored chains: the looser tolerance first, then by sigma_max."""
    import numpy as np

    with np.load(str(files("svfilter.engines") / "scale_space.npz")) as stored:
        count = len({key.partition("_")[0] for key in stored})
        return tuple(_chain(stored, i) for i in range(count))


def _chain(stored: Array, i: int) -> Chain:
    import numpy as np

    return Chain(
        sigma_max=float(stored[f"{i}_sigma_max"]),
        tolerance=float(stored[f"{i}_tolerance"]),
        bound=float(stored[f"{i}_bound"]),
        per_octave=int(stored[f"{i}_per_octave"]),
        dilations=stored[f"{i}_dilations"].astype(np.int64),
        sides=stored[f"{i}_sides"].astype(np.float32),
        table=stored[f"{i}_table"].astype(np.float32),
        levels=stored[f"{i}_levels"].astype(np.int64),
    )


class ScaleSpace(CpuEngine):
    """Blend a few blurred images, each pixel with its own coefficients.

        L_0 = x,   L_k = L_(k−1) filtered by [a_k, 1 − 2a_k, a_k] at dilation D_k, down and across
        out(p) = Σ_k c_k(σ(p)) · L_k(p)

    Nothing is decimated, so that nothing depends on where a pixel lies. The c_k are fitted for
    every σ so that ½ ‖K − K̂‖₁, which no image with values in 0 to 1 can exceed, keeps the
    tolerance; K is the kernel of `Gaussian` itself, cut at 4 sigmas. Small sigmas need few
    levels, and rows that only have small sigmas get no more.

    Where an image holds NaN or infinities, the result does as far as each pixel's own kernel
    reaches.

    Cost: about 9 operations a level and 2 a blended level for each value; memory for each thread
    two rows a pixel of reach, 1024 columns wide.

    Source: the levels are an à trous cascade (Holschneider et al. 1989); a blend of few fixed
    responses for a family of filters is Perona's (1995, doi 10.1109/34.391394).
    """

    name: ClassVar[str] = "scale_space"
    summary: ClassVar[str] = "Gaussians as a blend of few blurred images; the CPU, any sigma map"
    compiled: ClassVar[bool] = True
    error: ClassVar[str] = "the tolerance: 0.5/255 or 2.5e-4"

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
        each = 1.5e-9 + 0.45e-9 * chain.levels_needed(largest)
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
        assert self.margin(problem, field) <= image.margin, "else it would leave its memory"
        table = chain.padded_table(machine.HALF)
        kernel = Kernel(
            function=compiled.kernel("cascade"),
            rows=None,
            cols=STRIP,
            scratch=partial(
                machine.cascade_scratch,
                margin=image.margin,
                dilations=chain.within(image.margin),
            ),
            more=(
                chain.dilations.ctypes.data,
                chain.sides.ctypes.data,
                table.ctypes.data,
                table.strides[0],
                chain.levels.ctypes.data,
                chain.sigma_max,
                chain.shift,
            ),
        )
        sigma = field.maps["sigma"]
        out, wild = filter_planes(image, [sigma], kernel, memory=memory, jobs=jobs)
        if wild:
            spread_nonfinite(out, image, Gaussian(sigma=sigma, truncate=TRUNCATE).radii())
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
