"""The oracle: plain float64 loops over pixels, as slow as they are plain."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from svfilter.engines.base import CpuEngine, Problem

if TYPE_CHECKING:
    from svfilter.borders import Bordered
    from svfilter.field import KernelField
    from svfilter.kernels.base import Array, Family


class Reference(CpuEngine):
    """Compute every pixel by itself, in float64, its sum rounded once.

    Each pixel has its own kernel made for it alone, of its own radius, so that nothing that
    faster engines share (chunks, a common reach, masks) can be wrong here too.

    Cost: some 0.2 ms a pixel and channel at kernels of 9 x 9 to 33 x 33, growing with kernel_size².
    """

    name: ClassVar[str] = "reference"
    summary: ClassVar[str] = "plain float64 loops; the oracle of the tests"
    error: ClassVar[str] = "float64 rounding"
    automatic: ClassVar[bool] = False
    always_float64: ClassVar[bool] = True

    def bound(self, problem: Problem) -> float:
        """Give what rounding may amount to."""
        return 1e-15

    def cost(self, problem: Problem) -> float:
        """Count the taps, and the making of every kernel."""
        return problem.pixels * problem.planes * (1e-4 + 2e-7 * problem.mean_taps())

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
        """Filter a window. It needs no memory to speak of, and one thread."""
        import numpy as np

        margin = image.margin
        height, width, _ = image.size
        pixels = image.padded()
        planes = guide.padded() if guide else np.empty((0, *pixels.shape[-2:]))
        scatter = problem.mode == "scatter"
        out = np.zeros((*pixels.shape[:-2], height, width), pixels.dtype)
        owners = pixels.shape if scatter else out.shape
        field = field.transform(lambda values: np.broadcast_to(values, owners))
        spread: dict[tuple[int, ...], list[float]] = defaultdict(list)
        for owner in np.ndindex(owners):
            family = field.transform(lambda values: values[owner]).family  # noqa: B023
            leading, inset = owner[:-2], 0 if scatter else margin
            row, col = owner[-2] + inset, owner[-1] + inset
            taps = _taps(family, planes, row, col)
            if not scatter:
                seen = [w * float(pixels[leading][row + dy, col + dx]) for dy, dx, w in taps]
                out[owner] = _sum(seen)
                continue
            for dy, dx, weight in taps:
                to = row + dy - margin, col + dx - margin
                if 0 <= to[0] < height and 0 <= to[1] < width:
                    spread[leading + to].append(weight * float(pixels[owner]))
        for index, received in spread.items():
            out[index] = _sum(received)
        return out


def _taps(family: Family, guide: Array, row: int, col: int) -> Iterator[tuple[int, int, float]]:
    """Give the taps of the kernel of the pixel at (row, col), those that weigh anything."""
    import numpy as np

    radius = family.reach()
    d = np.arange(-radius, radius + 1, dtype=np.float64)
    around = guide[:, row - radius : row + radius + 1, col - radius : col + radius + 1]
    differences = around - guide[:, row, col][:, None, None]
    u = family.masked(d[:, None], d[None], *differences) * np.ones((len(d), len(d)))
    total = math.fsum(u.flat) if family.normalised else 1.0
    for (i, j), value in np.ndenumerate(u):
        if value:
            yield i - radius, j - radius, value / total


def _sum(products: list[float]) -> float:
    """Sum without intermediate rounding; NaN and infinities as in IEEE 754."""
    return math.fsum(products) if all(map(math.isfinite, products)) else sum(map(float, products))


ENGINE = Reference()
