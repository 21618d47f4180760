"""The known answer, unfold and a batched dot, in bounded memory."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, ClassVar, Literal

from svfilter.engines.base import ROUNDING, Engine, Problem, needs_gradient
from svfilter.errors import InvalidArgument
from svfilter.tiles import Window, plan

if TYPE_CHECKING:
    from torch import Tensor

    from svfilter.borders import Bordered
    from svfilter.field import KernelField

CPU_VALUES = 2**15
"""Values in a chunk: in the cache, and few enough for torch not to split an operation between
threads, which on a busy machine wait for each other longer than they work."""
START = 1.7
"""Seconds that importing torch takes."""
CPU_SIDE, GPU_SIDE = 128, 1024
"""Pixels along a chunk's side at most; a GPU wants many for each kernel that it launches."""


class Unfold(Engine):
    """Unfold the image, then take the dot product with each pixel's weights, in torch.

        columns[d] = x(p + d)   (unfold),   out(p) = Σ_d w(d; θ(p)) · columns[d]   (dot)

    The formula is the usual one; what differs is that it is taken one row of taps at a time
    on a view, and that the dot adds tap after tap in one order:

    - No column matrix [C·kernel_size², H·W] is ever made. Weights are made for a chunk of
      pixels and, where that is still too much, for a block of tap rows.
    - A pixel's sum is the same whatever chunk it is in, and taps beyond its own kernel add
      exactly 0, so that tiles leave no trace, to the last bit. Multiplication and addition
      stay apart for that reason: a fused multiply-add would round by where a pixel lies.
    - With gradients the chunk is computed again in the backward pass instead of being stored.

    Cost: kernel_size² · (1 + 2·C) operations a pixel; memory about as given, whatever the radius.
    """

    name: ClassVar[str] = "unfold"
    summary: ClassVar[str] = "torch unfold and batched dot; any device, any family, gradients"
    error: ClassVar[str] = "1e-6 (float32 rounding, truncate up to 4)"
    arrays: ClassVar[Literal["numpy", "torch"]] = "torch"

    def why_not(self, problem: Problem) -> str | None:
        """It runs wherever torch does."""
        if problem.device.startswith("mps") and problem.dtype == "float64":
            return "the image is float64, and MPS has no float64"
        return None

    def bound(self, problem: Problem) -> float:
        """Give what rounding may amount to."""
        return ROUNDING if problem.dtype == "float32" else 1e-14

    def cost(self, problem: Problem) -> float:
        """Count the taps; on a GPU they cost a hundredth."""
        share = 1.0 if problem.device.startswith("cpu") else 0.01
        return START + problem.pixels * problem.planes * 6e-9 * share * (10 + problem.mean_taps())

    def run(
        self,
        image: Bordered,
        field: KernelField,
        problem: Problem,
        *,
        memory: int,
        jobs: int | None = None,
    ) -> Tensor:
        """Filter a window chunk by chunk.

        Raises:
            InvalidArgument: the memory does not suffice for a single pixel's weights.
        """
        import torch

        pixels: Tensor = image.padded()
        height, width, _ = image.size
        gradient = needs_gradient(pixels, field)
        side, tap_rows = _fit(pixels, field, memory, gradient=gradient)
        rows: list[list[Tensor]] = []
        with _threads(jobs):
            for window in plan(height, width, side, side):
                if window.col_off == 0:
                    rows.append([])
                rows[-1].append(_chunk(pixels, field, window, tap_rows, gradient=gradient))
        return torch.cat([torch.cat(row, dim=-1) for row in rows], dim=-2)


@contextmanager
def _threads(jobs: int | None) -> Iterator[None]:
    """Let torch use so many threads meanwhile."""
    import torch

    before = torch.get_num_threads()
    if jobs is not None and jobs != before:
        torch.set_num_threads(jobs)
    try:
        yield
    finally:
        if jobs is not None and jobs != before:
            torch.set_num_threads(before)


def _chunk(
    image: Tensor, field: KernelField, window: Window, tap_rows: int, *, gradient: bool
) -> Tensor:
    from svfilter.recompute import recompute

    reach, part = field.reach, field.window(window)
    inset = reach - part.reach  # the chunk's own reach: sharp regions stay cheap
    needed = image[
        ...,
        window.row_off + inset : window.row_off + window.height + 2 * reach - inset,
        window.col_off + inset : window.col_off + window.width + 2 * reach - inset,
    ]
    if not gradient:
        return _dot(needed, part, tap_rows)

    def dot(pixels: Tensor, *values: Tensor) -> Tensor:
        return _dot(pixels, part.with_maps(zip(part.maps, values, strict=True)), tap_rows)

    return recompute(dot, needed, *part.maps.values())


def _dot(image: Tensor, field: KernelField, tap_rows: int) -> Tensor:
    """Filter one chunk; `tap_rows` rows of taps have their weights made together."""
    import torch

    reach = field.reach
    height, width = (size - 2 * reach for size in image.shape[-2:])
    offsets = torch.arange(-reach, reach + 1, dtype=image.dtype, device=image.device)
    pixels = (1,) * max(getattr(values, "ndim", 0) for values in field.maps.values())
    dx = offsets.reshape(1, -1, *pixels)
    finite = bool(torch.isfinite(image.detach().sum()))  # an overflow only costs time
    out = torch.zeros((*image.shape[:-2], height, width), dtype=image.dtype, device=image.device)
    lost = torch.zeros_like(out)  # by rounding, as rows are added: large kernels have many
    for first in range(0, len(offsets), tap_rows):
        dy = offsets[first : first + tap_rows].reshape(-1, 1, *pixels)
        weights = field.family.weights(dy, dx)  # [rows, kw, ..., h, w]
        for row, row_weights in enumerate(weights.unbind(0), start=first):
            columns = image[..., row : row + height, :].unfold(-1, 2 * reach + 1, 1)
            total = torch.zeros_like(out)
            for weight, column in zip(row_weights.unbind(0), columns.unbind(-1), strict=True):
                term = weight * column
                # 0 · NaN is NaN: a tap that is not the pixel's own must not be seen.
                total += term if finite else torch.where(weight == 0, 0, term)
            longer = out + total
            lost += _rounding_error(out.detach(), total.detach(), longer.detach())
            out = longer
    return out + lost


def _rounding_error(a: Tensor, b: Tensor, total: Tensor) -> Tensor:
    """Give exactly what the rounded sum `total` of a and b lacks (Knuth's two-sum)."""
    import torch

    part = total - a
    error = (a - (total - part)) + (b - part)
    return torch.where(torch.isfinite(error), error, 0)


def _fit(image: Tensor, field: KernelField, memory: int, *, gradient: bool) -> tuple[int, int]:
    """Choose the side of a chunk and how many tap rows go together, within the memory."""
    size = 2 * field.reach + 1
    planes = math.prod(image.shape[:-2])
    maps = max(math.prod(values.shape[:-2]) for values in field.maps.values())
    fixed = 8 * planes + 8 * maps * size  # sums and terms; the profiles and their parts
    each_row = 2 * maps * size  # a block is let go when the next one has been made
    least = fixed + each_row
    if gradient:  # the backward pass holds all weights, what made them, and their gradients
        least = fixed + 3 * each_row * size + 4 * planes * size
    available = memory // image.element_size()
    side = GPU_SIDE
    if image.device.type == "cpu":
        side = max(1, min(CPU_SIDE, math.isqrt(CPU_VALUES // max(planes, 1))))
    while side > 1 and least * side * side > available:
        side //= 2
    tap_rows = (available // (side * side) - fixed) // each_row
    if least > available:
        needed = least * image.element_size()
        raise InvalidArgument(
            f"memory must be at least {needed} bytes for kernels of {size} x {size} taps, "
            f"but {memory} bytes are left to the engine"
        )
    return side, min(tap_rows, size)


ENGINE = Unfold()
