"""The oracle: plain float64 loops over pixels, as slow as they are plain."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, ClassVar

from svfilter.engines.base import CpuEngine, Problem

if TYPE_CHECKING:
    from svfilter.borders import Bordered
    from svfilter.field import KernelField
    from svfilter.kernels.base import Array


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
        memory: int,
        jobs: int | None = None,
    ) -> Array:
        """Filter a window. It needs no memory to speak of, and one thread."""
        import numpy as np

        reach = image.margin
        pixels = image.padded()
        shape = pixels.shape[:-2] + image.size[:2]
        field = field.transform(lambda values: np.broadcast_to(values, shape))
        out = np.full(shape, np.nan, dtype=pixels.dtype)
        for index in np.ndindex(shape):
            row, col = index[-2:]
            family = field.transform(lambda values: values[index]).family  # noqa: B023
            radius = family.radius()
            taps = np.arange(-radius, radius + 1, dtype=np.float64)
            weights = family.weights(taps[:, None], taps[None, :])  # [kh, kw]
            top, left = row + reach - radius, col + reach - radius
            rows, cols = slice(top, top + len(taps)), slice(left, left + len(taps))
            patch = pixels[index[:-2]][rows, cols]
            products = [
                float(w) * float(x) for w, x in zip(weights.flat, patch.flat, strict=True) if w
            ]
            out[index] = _sum(products)
        return out


def _sum(products: list[float]) -> float:
    """Sum without intermediate rounding; NaN and infinities as in IEEE 754."""
    return math.fsum(products) if all(map(math.isfinite, products)) else sum(products)


ENGINE = Reference()
