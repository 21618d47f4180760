"""A result whose backward pass computes it again instead of storing how it was made."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


class _Recomputed(torch.autograd.Function):
    """Forget the graph of a computation; make it again when gradients are asked for.

    `torch.utils.checkpoint` would keep a node for every operation, some 10 MB for each chunk of
    kernels with 65 x 65 taps.
    """

    @staticmethod
    def forward(ctx: Any, compute: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
        ctx.compute = compute
        ctx.save_for_backward(*inputs)
        return compute(*inputs)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        again = torch.is_grad_enabled()  # for gradients of gradients the graph is kept
        inputs = ctx.saved_tensors
        needed = ctx.needs_input_grad[1:]
        if not again:
            pairs = zip(inputs, needed, strict=True)
            inputs = tuple(t.detach().requires_grad_(need) for t, need in pairs)
        wanted = [t for t, need in zip(inputs, needed, strict=True) if need]
        with torch.enable_grad():
            result = ctx.compute(*inputs)
        found = iter(torch.autograd.grad(result, wanted, gradients[0], create_graph=again))
        return (None, *(next(found) if need else None for need in needed))


def recompute(compute: Callable[..., Tensor], *inputs: Tensor) -> Tensor:
    """Give compute(*inputs), differentiable in its inputs, any number of times."""
    result: Tensor = _Recomputed.apply(compute, *inputs)  # type: ignore[no-untyped-call]  # torch has no types for it
    return result
