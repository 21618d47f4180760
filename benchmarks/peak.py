"""How many multiply-adds a second the processor can do at most."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import binding, ir
from numba import get_num_threads, int64, njit, prange, types
from numba.extending import intrinsic

FEATURES = binding.get_host_cpu_features()
LANES = 16 if FEATURES.get("avx512f") else 8 if FEATURES.get("avx") else 4
"""Float32 values in a vector register."""
CHAINS = 16
"""Sums that do not wait for each other: more than the latency of a few units asks for."""
VECTOR = ir.VectorType(ir.FloatType(), LANES)
I64 = ir.IntType(64)


@intrinsic
def _chains(context: Any, address: Any, count: Any) -> Any:
    """Do q ← q·m + m, `count` times in each of CHAINS registers; m is at the address."""

    def write(context: Any, builder: ir.IRBuilder, signature: Any, arguments: Any) -> Any:
        address, count = arguments
        place = builder.inttoptr(address, VECTOR.as_pointer())
        m = builder.load(place, align=4)
        before = builder.block
        loop, after = builder.append_basic_block("loop"), builder.append_basic_block("after")
        builder.branch(loop)
        builder.position_at_end(loop)
        step, *sums = [builder.phi(kind) for kind in (I64, *[VECTOR] * CHAINS)]
        fused = {"flags": ("contract",)}
        grown = [builder.fadd(builder.fmul(q, m, **fused), m, **fused) for q in sums]
        following = builder.add(step, I64(1))
        for phi, first, then in zip(
            (step, *sums), (I64(0), *[m] * CHAINS), (following, *grown), strict=True
        ):
            phi.add_incoming(first, before)
            phi.add_incoming(then, loop)
        builder.cbranch(builder.icmp_signed("<", following, count), loop, after)
        builder.position_at_end(after)
        total = grown[0]
        for q in grown[1:]:
            total = builder.fadd(total, q)
        builder.store(total, place, align=4)
        return context.get_dummy_value()

    return types.void(int64, int64), write


@njit(parallel=True)
def _run(cells: np.ndarray, count: int) -> None:
    for thread in prange(len(cells)):
        _chains(cells[thread].ctypes.data, count)


def multiply_add(count: int) -> float:
    """Do multiply-adds on all cores; give the number of operations, two for each."""
    cells = np.full((get_num_threads(), 1024), 0.5, dtype=np.float32)  # a page for each thread
    _run(cells, count)
    return 2.0 * LANES * CHAINS * len(cells) * count
