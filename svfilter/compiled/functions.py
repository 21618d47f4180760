"""Functions written in LLVM instructions at run time: their compiler, and blends of kernels.

They take milliseconds to compile, so that nothing of them is kept.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any

from llvmlite import binding, ir

from svfilter.compiled.lanes import F32, I64, VECTOR, Lanes, Value
from svfilter.compiled.machine import BYTES, CPU, FEATURES, LANES

_ALONE = threading.RLock()
_ENGINES: list[Any] = []

ONE_KERNEL = (
    *("coefficients", "coefficient_plane", "radius"),
    *("bank", "bank_pitch", "bank_plane", "kernel"),
)
"""Arguments of what makes one kernel: addresses of the pixel's coefficients and of the central tap
of the first stored kernel, and where to write."""
TOGETHER = 4
"""Stored kernels that are blended at once, in registers."""


@lru_cache(maxsize=64)
def one_blend(parts: int, sign: int) -> int:
    """Write the function that blends one pixel's kernel from stored ones.

    The coefficients are the index and the share of each part, one after the other; the bank holds
    the stored kernels, of the radius that the pixel's has, their rows padded to whole vectors.

    Args:
        parts: how many are blended.
        sign: 0 for weights w; 1 or −1 for max(sign · w, 0) in their place.
    """
    return compiled_function(ONE_KERNEL, lambda lanes, a: _write_blend(lanes, a, parts, sign))


def _write_blend(lanes: Lanes, a: dict[str, Value], parts: int, sign: int) -> None:
    b = lanes.builder

    def coefficient(k: int) -> Value:
        return lanes.load(a["coefficients"], b.mul(a["coefficient_plane"], I64(k)), F32)

    stop = b.add(a["radius"], I64(1))
    corner = b.mul(a["radius"], b.add(a["bank_pitch"], I64(4)))
    for first in range(0, parts, TOGETHER):
        places, shares = [], []
        for part in range(first, min(first + TOGETHER, parts)):
            index = b.fptosi(coefficient(1 + 2 * part), I64)
            there = b.add(a["bank"], b.mul(index, a["bank_plane"]))
            places.append(b.sub(there, corner))
            shares.append(lanes.splat(coefficient(2 + 2 * part)))
        begin = a["kernel"], I64(0)
        with lanes.loop(b.neg(a["radius"]), stop, 1, *begin) as (_, carried, leave_row):
            offsets = carried[1], b.add(carried[1], a["bank_pitch"]), BYTES
            with lanes.loop(*offsets, carried[0]) as (at, (target,), leave):
                w = lanes.load(target) if first else None
                for place, share in zip(places, shares, strict=True):
                    stored = lanes.load(place, at)
                    w = b.fmul(share, stored) if w is None else lanes.fma(share, stored, w)
                if first + TOGETHER >= parts:
                    w = _part(lanes, w, sign)
                lanes.store(w, target)
                leave([b.add(target, I64(BYTES))])
            leave_row([*lanes.results, offsets[1]])


def _part(lanes: Lanes, w: Value, sign: int) -> Value:
    """Give w, or what of it has a sign."""
    if sign == 0:
        return w
    zero = ir.Constant(w.type, [0.0] * LANES if w.type == VECTOR else 0.0)
    b = lanes.builder
    w = w if sign > 0 else b.fsub(zero, w)
    return b.select(b.fcmp_ordered(">", w, zero), w, zero)


@lru_cache(maxsize=3)
def one_dense(sign: int) -> int:
    """Write the function that collects one pixel's kernel from coefficients that are its taps.

    Args:
        sign: as in `one_blend`.
    """
    return compiled_function(ONE_KERNEL, lambda lanes, a: _write_dense(lanes, a, sign))


def _write_dense(lanes: Lanes, a: dict[str, Value], sign: int) -> None:
    b = lanes.builder
    size = b.add(b.mul(a["radius"], I64(2)), I64(1))
    count = b.udiv(b.add(size, I64(LANES - 1)), I64(LANES))
    pitch = b.mul(count, I64(BYTES))
    first = b.add(a["coefficients"], a["coefficient_plane"])
    with lanes.loop(I64(0), size, 1, first, a["kernel"]) as (_, (source, target), leave_row):
        # The last vector's padding first; the taps are stored over the rest of it.
        lanes.store(lanes.constant(0.0), b.add(target, b.sub(pitch, I64(BYTES))))
        with lanes.loop(I64(0), size, 1, source) as (col, (there,), leave):
            w = _part(lanes, lanes.load(there, 0, F32), sign)
            lanes.store(w, target, b.mul(col, I64(4)))
            leave([b.add(there, a["coefficient_plane"])])
        leave_row([*lanes.results, b.add(target, pitch)])


def compiled_function(
    names: Iterable[str], write: Callable[[Lanes, dict[str, Value]], None]
) -> int:
    """Give the address of a function of int64 arguments whose body is written."""
    names = tuple(names)
    module = ir.Module()
    kind = ir.FunctionType(ir.VoidType(), [I64] * len(names))
    function = ir.Function(module, kind, "function")
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    write(Lanes(builder), dict(zip(names, function.args, strict=True)))
    builder.ret_void()
    with _ALONE:
        binding.initialize_native_target()
        binding.initialize_native_asmprinter()
        target = binding.Target.from_default_triple().create_target_machine(
            cpu=CPU, features=FEATURES, opt=3, jit=True
        )
        parsed = binding.parse_assembly(str(module))
        options = binding.create_pipeline_tuning_options(speed_level=2)
        passes = binding.create_pass_builder(target, options)
        passes.getModulePassManager().run(parsed, passes)
        engine = binding.create_mcjit_compiler(parsed, target)
        engine.finalize_object()
        _ENGINES.append(engine)  # the code lives as long as it does
        return int(engine.get_function_address("function"))
