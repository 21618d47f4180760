"""Vectors of float32 in numba: what LLVM has and numba does not show.

The functions that write LLVM instructions are in `svfilter.compiled.lanes`; here is what makes
numba intrinsics of them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import extending, njit, types

Function = Callable[..., Any]


def jit(function: Function) -> Function:
    """Let compiled functions call this one; it is compiled with them."""
    jitted: Function = njit(function)
    return jitted


def intrinsic(function: Function) -> Function:
    """Let compiled functions call what this one writes in LLVM instructions."""
    made: Function = extending.intrinsic(function)
    return made


def signature(arguments: str) -> Any:
    """Give numba's signature of a function with these `ARGUMENTS`."""
    kinds = {"q": types.int64, "i": types.int32, "f": types.float32}
    return types.int64(*(kinds[kind] for kind in arguments))
