"""Vectors of float32 in LLVM instructions.

A vector holds LANES neighbouring pixels, or taps. Addresses are int64, offsets bytes.

Every product that is added is one fused operation where the processor has it, and never left
to the compiler's choice, so that a pixel's bits do not depend on its place in a vector.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from llvmlite import ir

from svfilter.compiled.machine import HAS_FMA, LANES, PERMUTES

Value = Any
"""An LLVM value; llvmlite has no types."""
Function = Callable[..., Any]

F32, F64, I32, I64 = ir.FloatType(), ir.DoubleType(), ir.IntType(32), ir.IntType(64)
VECTOR, WIDE = ir.VectorType(F32, LANES), ir.VectorType(F64, LANES)
INTEGERS = ir.VectorType(I32, LANES)


class Lanes:
    """An LLVM builder with the vector operations that the kernels are written in."""

    def __init__(self, builder: Value) -> None:
        self.builder = builder

    def constant(self, value: float, kind: Value = VECTOR) -> Value:
        """Give a vector of one number."""
        return ir.Constant(kind, [value] * LANES)

    def splat(self, scalar: Value, kind: Value = None) -> Value:
        """Give a vector of one run-time value."""
        kind = kind or ir.VectorType(scalar.type, LANES)
        empty = ir.Constant(kind, ir.Undefined)
        first = self.builder.insert_element(empty, scalar, I32(0))
        zeros = ir.Constant(ir.VectorType(I32, kind.count), [0] * kind.count)
        return self.builder.shuffle_vector(first, empty, zeros)

    def shuffle(self, a: Value, b: Value, picks: list[int]) -> Value:
        """Pick lanes from a (0 to LANES − 1) and b (LANES and up)."""
        return self.builder.shuffle_vector(a, b, ir.Constant(INTEGERS, picks))

    def look_up(self, address: Value, picks: Value) -> Value:
        """Pick from WINDOW values at an address, for every lane its own."""
        if not PERMUTES:
            found = ir.Constant(VECTOR, ir.Undefined)
            for i in range(LANES):
                pick = self.builder.sext(self.builder.extract_element(picks, I32(i)), I64)
                value = self.load(address, self.builder.mul(pick, I64(4)), F32)
                found = self.builder.insert_element(found, value, I32(i))
            return found
        name = {16: "llvm.x86.avx512.permvar.sf.512", 8: "llvm.x86.avx2.permps"}[LANES]
        return self.instruction(name, VECTOR, [self.load(address), picks])

    def prefetch(self, address: Value) -> None:
        """Ask for a cache line that will be read soon; any address will do."""
        there = self.builder.inttoptr(address, ir.IntType(8).as_pointer())
        reading, near, data = I32(0), I32(3), I32(1)
        self.instruction("llvm.prefetch.p0i8", ir.VoidType(), [there, reading, near, data])

    def instruction(self, name: str, result: Value, arguments: list[Value]) -> Value:
        """Call what LLVM has a name for."""
        kind = ir.FunctionType(result, [argument.type for argument in arguments])
        module = self.builder.module
        function = module.globals.get(name) or ir.Function(module, kind, name)
        return self.builder.call(function, arguments)

    def at(self, address: Value, offset: Value | int) -> Value:
        """Add a byte offset to an address."""
        if isinstance(offset, int):
            if offset == 0:
                return address
            offset = I64(offset)
        return self.builder.add(address, offset)

    def load(self, address: Value, offset: Value | int = 0, kind: Value = VECTOR) -> Value:
        """Load a vector, or what `kind` says, from any address."""
        pointer = self.builder.inttoptr(self.at(address, offset), kind.as_pointer())
        return self.builder.load(pointer, align=4 if kind is not I64 else 8)

    def store(self, value: Value, address: Value, offset: Value | int = 0) -> None:
        """Store a vector to any address."""
        pointer = self.builder.inttoptr(self.at(address, offset), value.type.as_pointer())
        self.builder.store(value, pointer, align=4)

    def fma(self, a: Value, b: Value, c: Value) -> Value:
        """Give a · b + c, rounded once where the processor can."""
        if HAS_FMA:
            return self.instruction(f"llvm.fma.v{a.type.count}f32", a.type, [a, b, c])
        return self.builder.fadd(self.builder.fmul(a, b), c)

    def fold(self, combine: Function, vector: Value) -> Value:
        """Combine all lanes into one value, halves first."""
        block = LANES // 2
        while block:
            turned = self.shuffle(vector, vector, [(i + block) % LANES for i in range(LANES)])
            vector = combine(vector, turned)
            block //= 2
        return self.builder.extract_element(vector, I32(0))

    @contextmanager
    def loop(
        self, start: Value, stop: Value, step: int, *carried: Value
    ) -> Iterator[tuple[Value, list[Value], Callable[[list[Value]], None]]]:
        """Write a loop over start, start + step, … before stop, run at least once.

        Gives the index, the carried values as the iteration finds them, and a function that
        takes them as it leaves them; after the loop `self.results` holds the last ones.
        """
        builder = self.builder
        before = builder.basic_block
        body = builder.append_basic_block("loop")
        after = builder.append_basic_block("after")
        builder.branch(body)
        builder.position_at_end(body)
        index = builder.phi(I64)
        index.add_incoming(start, before)
        phis = [builder.phi(value.type) for value in carried]
        for phi, value in zip(phis, carried, strict=True):
            phi.add_incoming(value, before)
        left: list[Value] = []
        yield index, phis, left.extend
        following = builder.add(index, I64(step))
        end = builder.basic_block
        index.add_incoming(following, end)
        for phi, value in zip(phis, left, strict=True):
            phi.add_incoming(value, end)
        order = "<" if step > 0 else ">"
        builder.cbranch(builder.icmp_signed(order, following, stop), body, after)
        builder.position_at_end(after)
        self.results = left

    def switch(self, value: Value, cases: Iterable[int], write: Callable[[int], None]) -> None:
        """Write code for each case of a run-time value; the last is for all other values too.

        So a loop is written anew for each number of channels, its sums in registers.
        """
        builder = self.builder
        after, blocks = builder.append_basic_block("after"), {}
        before = builder.basic_block
        for case in cases:
            blocks[case] = builder.append_basic_block("case")
            builder.position_at_end(blocks[case])
            write(case)
            builder.branch(after)
        builder.position_at_end(before)
        chosen = builder.switch(value, list(blocks.values())[-1])
        for case, block in blocks.items():
            chosen.add_case(I64(case), block)
        builder.position_at_end(after)
