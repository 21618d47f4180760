"""Calls from compiled code to functions that are known by their addresses only."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types

from svfilter.compiled.lanes import I64
from svfilter.compiled.simd import intrinsic


def _call(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    address, *rest = arguments
    kind = ir.FunctionType(ir.VoidType(), [I64] * len(rest))
    builder.call(builder.inttoptr(address, kind.as_pointer()), rest)
    return context.get_dummy_value()


@intrinsic
def call_own_kernels(
    context: Any, function: Any,
    x: Any, pitch: Any, plane: Any, guide: Any, guide_plane: Any,
    coefficients: Any, coefficient_pitch: Any, coefficient_plane: Any, reach: Any,
    sides: Any, tables: Any, table_pitch: Any, table_plane: Any, out: Any, out_plane: Any,
    channels: Any,
) -> Any:  # fmt: skip
    """Call an `OWN_KERNELS` function of `svfilter.compiled.blocks`."""
    return types.void(*[types.int64] * 17), _call


@intrinsic
def call_one_kernel(
    context: Any, function: Any, coefficients: Any, coefficient_plane: Any, radius: Any,
    bank: Any, bank_pitch: Any, bank_plane: Any, kernel: Any,
) -> Any:  # fmt: skip
    """Call a `ONE_KERNEL` function of `svfilter.compiled.functions`."""
    return types.void(*[types.int64] * 8), _call
