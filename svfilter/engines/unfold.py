"""The known answer, unfold and a batched dot, in bounded memory."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from svfilter.engines.base import ROUNDING, Engine, Problem
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
        if reason := super().why_not(problem):
            return reason
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
        guide: Bordered | None = None,
        memory: int,
        jobs: int | None = None,
    ) -> Tensor:
        """Filter a window chunk by chunk.

        Raises:
            InvalidArgument: the memory does not suffice for a single pixel's weights.
        """
        import torch

        pixels: Tensor = image.padded()
        planes: Tensor = guide.padded() if guide else pixels.new_empty(0, *pixels.shape[-2:])
        height, width, margin = image.size
        gradient = problem.needs_gradient and torch.is_grad_enabled()
        scatter = problem.mode == "scatter"
        work = _Chunks(pixels, planes, field, margin, gradient, scatter)
        side, tap_rows = _fit(work, memory)
        rows: list[list[Tensor]] = []
        with _threads(jobs):
            for window in plan(height, width, side, side):
                if window.col_off == 0:
                    rows.append([])
                rows[-1].append(work.chunk(window, tap_rows))
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


@dataclass(frozen=True)
class _Chunks:
    """What is filtered: pixels and guide with a margin, and the field of those that own kernels."""

    pixels: Tensor  # [..., H + 2 · margin, W + 2 · margin]
    guide: Tensor  # [G, H + 2 · margin, W + 2 · margin]
    field: KernelField
    margin: int
    gradient: bool
    scatter: bool

    def chunk(self, window: Window, tap_rows: int) -> Tensor:
        """Filter one chunk; `tap_rows` rows of taps have their weights made together."""
        from svfilter.recompute import recompute

        margin = self.margin
        around = Window(window.row_off, window.col_off, *(n + 2 * margin for n in window[2:]))
        part = self.field.window(around if self.scatter else window)
        while inset := margin - part.reach:  # the chunk's own reach: sharp regions stay cheap
            margin -= inset
            row, col, *sides = around
            around = Window(row + inset, col + inset, *(n - 2 * inset for n in sides))
            if self.scatter:  # the widest kernels may be left out now
                part = self.field.window(around)
        pixels, guide = (v[..., around.rows, around.cols] for v in (self.pixels, self.guide))
        apply = _spread if self.scatter else _dot
        if not self.gradient:
            return apply(pixels, guide, part, tap_rows)

        def again(pixels: Tensor, guide: Tensor, *values: Tensor) -> Tensor:
            field = part.with_maps(zip(part.maps, values, strict=True))
            return apply(pixels, guide, field, tap_rows)

        return recompute(again, pixels, guide, *part.maps.values())


class _Taps:
    """The weights of a field's taps, before they are normalised, a block of rows at a time."""

    def __init__(self, field: KernelField, like: Tensor, tap_rows: int) -> None:
        import torch

        self.family, self._tap_rows = field.family, tap_rows
        self.reach = field.reach
        self._d = torch.arange(-self.reach, self.reach + 1, dtype=like.dtype, device=like.device)
        least = 2 if self.family.guided else 0
        self._pixels = (1,) * max([least, *(getattr(v, "ndim", 0) for v in field.maps.values())])

    def blocks(self, guide: Tensor, height: int, width: int) -> Iterator[tuple[int, Tensor]]:
        """Give the first row of each block, and its weights, [rows, kw, ..., h, w]."""
        reach, taps = self.reach, len(self._d)
        dx = self._d.reshape(1, -1, *self._pixels)
        centre = guide[:, reach : reach + height, reach : reach + width]
        columns = guide.unfold(-2, height, 1).unfold(-2, width, 1)[:, :taps, :taps]
        for first in range(0, taps, self._tap_rows):
            rows = slice(first, first + self._tap_rows)
            dy = self._d[rows].reshape(-1, 1, *self._pixels)
            differences = [
                (there - here).reshape(*there.shape[:2], *self._pixels[2:], height, width)
                for there, here in zip(columns[:, rows], centre, strict=True)
            ]
            yield first, self.family.masked(dy, dx, *differences)


def _dot(pixels: Tensor, guide: Tensor, field: KernelField, tap_rows: int) -> Tensor:
    """Gather: add up what the pixels around have to give, each by the output pixel's weights."""
    import torch

    reach = field.reach
    height, width = (size - 2 * reach for size in pixels.shape[-2:])
    finite = bool(torch.isfinite(pixels.detach().sum()))  # an overflow only costs time
    scale = 1.0 if finite else _smaller(pixels.detach())
    pixels = pixels if scale == 1 else pixels * scale
    out = _Sum(pixels.new_zeros(*pixels.shape[:-2], height, width))
    total = _Sum(pixels.new_zeros(()))
    taps = _Taps(field, pixels, tap_rows)
    for first, weights in taps.blocks(guide, height, width):
        for row, row_weights in enumerate(weights.unbind(0), start=first):
            columns = pixels[..., row : row + height, :].unfold(-1, 2 * reach + 1, 1)
            here, weighs = torch.zeros_like(out.value), torch.zeros_like(row_weights[0])
            for weight, column in zip(row_weights.unbind(0), columns.unbind(-1), strict=True):
                term = weight * column
                # 0 · NaN is NaN: a tap that is not the pixel's own must not be seen.
                here += term if finite else torch.where(weight == 0, 0, term)
                weighs += weight
            out.add(here)
            total.add(weighs)
    summed = out.result() / total.result() if field.family.normalised else out.result()
    return summed if scale == 1 else summed / scale


def _smaller(pixels: Tensor) -> float:
    """Give a power of 2 for values whose sums would be infinite, or 1: few rasters have them."""
    import torch

    sizes, most = pixels.abs(), torch.finfo(pixels.dtype).max
    scale = 2.0**-40  # there are fewer taps
    return scale if bool(((sizes > scale * most) & (sizes <= most)).any()) else 1.0


def _spread(pixels: Tensor, guide: Tensor, field: KernelField, tap_rows: int) -> Tensor:
    """Scatter: let every pixel, those of the margin too, give to the pixels around."""
    import torch

    reach = field.reach
    height, width = (size - 2 * reach for size in pixels.shape[-2:])
    taps = _Taps(field, pixels, tap_rows)
    if field.family.normalised:
        total = _Sum(pixels.new_zeros(()))
        for _, weights in taps.blocks(guide[:0], *pixels.shape[-2:]):
            for row_weights in weights.unbind(0):
                total.add(sum(row_weights.unbind(0), torch.zeros_like(row_weights[0])))
        pixels = pixels / total.result()
    finite = bool(torch.isfinite(pixels.detach().sum()))
    out = _Sum(pixels.new_zeros(*pixels.shape[:-2], height, width))
    for first, weights in taps.blocks(guide[:0], *pixels.shape[-2:]):
        for row, row_weights in enumerate(weights.unbind(0), start=first):
            here = torch.zeros_like(out.value)
            for col, weight in enumerate(row_weights.unbind(0)):
                term = weight * pixels
                term = term if finite else torch.where(weight == 0, 0, term)
                top, left = 2 * reach - row, 2 * reach - col  # of those that reach the window
                here += term[..., top : top + height, left : left + width]
            out.add(here)
    return out.result()


class _Sum:
    """A sum of which what rounding loses is kept apart: large kernels have many rows."""

    def __init__(self, zero: Tensor) -> None:
        self.value, self._lost = zero, zero

    def add(self, term: Tensor) -> None:
        """Add a row's sum."""
        longer = self.value + term
        parts = (part.detach() for part in (self.value, term, longer))
        self._lost = self._lost + _rounding_error(*parts)
        self.value = longer

    def result(self) -> Tensor:
        """Give the sum."""
        return self.value + self._lost


def _rounding_error(a: Tensor, b: Tensor, total: Tensor) -> Tensor:
    """Give exactly what the rounded sum `total` of a and b lacks (Knuth's two-sum)."""
    import torch

    part = total - a
    error = (a - (total - part)) + (b - part)
    return torch.where(torch.isfinite(error), error, 0)


def _fit(work: _Chunks, memory: int) -> tuple[int, int]:
    """Choose the side of a chunk and how many tap rows go together, within the memory."""
    image, field = work.pixels, work.field
    size = 2 * field.reach + 1
    planes = math.prod(image.shape[:-2])
    maps = max((math.prod(getattr(v, "shape", ())[:-2]) for v in field.maps.values()), default=1)
    fixed = 8 * planes + 8 * maps * size  # sums and terms; the profiles and their parts
    each_row = (3 * maps + 2 * len(work.guide)) * size  # let go when the next block has been made
    least = fixed + each_row
    if work.gradient:  # the backward pass holds all weights, what made them, and their gradients
        least = fixed + 3 * each_row * size + 4 * planes * size
    available = memory // image.element_size()
    side = GPU_SIDE
    if image.device.type == "cpu":
        side = max(1, min(CPU_SIDE, math.isqrt(CPU_VALUES // max(planes, 1))))
    around = size - 1 if work.scatter else 0  # pixels that own kernels, beyond the chunk
    while side > 1 and least * (side + around) ** 2 > available:
        side //= 2
    pixels = (side + around) ** 2
    if least * pixels > available:
        needed = least * pixels * image.element_size()
        raise InvalidArgument(
            f"memory must be at least {needed} bytes for kernels of {size} x {size} taps, "
            f"but {memory} bytes are left to the engine"
        )
    return side, min((available // pixels - fixed) // each_row, size)


ENGINE = Unfold()
