"""The processor that is compiled for, and what each compiled function must be handed.

Nothing here needs numba, so that code that lies compiled in the cache runs without it.
"""

from __future__ import annotations

import os
import platform

from llvmlite import binding

CPU = os.environ.get("NUMBA_CPU_NAME") or binding.get_host_cpu_name()
FEATURES = os.environ.get("NUMBA_CPU_FEATURES", binding.get_host_cpu_features().flatten())
"""As numba has them, its environment variables included."""


def _lanes() -> int:
    for feature, lanes in (("+avx512f", 16), ("+avx", 8)):
        if feature in FEATURES.split(","):
            return lanes
    return 4


LANES = _lanes()
"""Values in a vector register: 16 with AVX-512, 8 with AVX, else 4 (SSE, NEON)."""
BYTES = 4 * LANES

PERMUTES = LANES == 16 or "+avx2" in FEATURES.split(",")
"""Whether one instruction picks any values of a register for all lanes."""

HAS_FMA = "+fma" in FEATURES.split(",") or platform.machine() not in ("x86_64", "AMD64", "i686")

ROWS = 4
"""Rows of a block whose sums, of 3 channels, are in registers."""
CHANNELS = 4
"""The most planes of one map that are filtered together."""
BLENDED = 9
"""Levels of a cascade that are blended together,"""
BLOCK = 2
"""and vectors."""
TERMS = 5
"""Coefficients of a polynomial that says how much a level weighs."""
RING = 4 * 8
"""Bytes of what is noted of each level of a cascade."""
WINDOW = LANES if PERMUTES else 2**8
"""Segments of which a block's pixels can look up their polynomials together."""
MOST_LEVELS = 62
"""Levels of a cascade at most: a row's needs are bits of an int64."""

WILD, HUGE, TOO_FAR = 1, 2, 4
"""What a function may have seen: NaN or infinities, which it took for 0; values so large that
their sums might become infinite; kernels beyond the margin, for which it did nothing."""

ARGUMENTS = {
    "gaussian": "q" * 16 + "ffq",
    "gather": "q" * 16 + "f" + "q" * 11,
    "scatter": "q" * 16 + "f" + "q" * 8,
    "taps": "q" * 16 + "f" + "q" * 7,
    "cascade": "q" * 16 + "f" + "q" * 9,
}
"""For each function its arguments: q int64, i int32, f float32. All give an int64."""


def vectors(count: int) -> int:
    """Give the vectors that hold so many values."""
    return (count + LANES - 1) // LANES


def row_bytes(width: int) -> int:
    """Give the bytes of a row: whole vectors, and one to spare."""
    return (width + 2 * LANES - 1) // LANES * BYTES


def gaussian_scratch(height: int, width: int, channels: int, *, margin: int) -> int:
    """Give the scratch that a tile of `gaussian` needs, in bytes."""
    weights = (margin + ROWS) * ROWS * BYTES + (2 * CHANNELS + 1) * ROWS * BYTES
    return weights + channels * (height + ROWS + 2 * margin) * row_bytes(width + 2 * margin)


def gather_scratch(height: int, width: int, channels: int, *, margin: int, guides: int) -> int:
    """Give the scratch that a tile of `gather` needs, in bytes."""
    rows = height + 2 * margin + ROWS
    planes = (channels + guides) * rows * row_bytes(width + 2 * margin)
    return planes + ROWS * BYTES * CHANNELS + 8 * (2 * margin + ROWS)


def scatter_scratch(height: int, width: int, channels: int, *, margin: int) -> int:
    """Give the scratch that a tile of `scatter` needs, in bytes."""
    tall, wide = height + 2 * margin + ROWS, width + 2 * margin
    planes = channels * (tall * row_bytes(wide) + (height + ROWS) * row_bytes(width))
    cells = 4 * tall * (wide // LANES + 2) + BYTES
    return planes + cells + ROWS * BYTES * CHANNELS + 8 * (2 * margin + ROWS)


def taps_scratch(height: int, width: int, channels: int, *, margin: int, scatter: bool) -> int:
    """Give the scratch that a tile of `taps` needs, in bytes."""
    planes = channels * (height + 2 * margin) * row_bytes(width + 2 * margin)
    size = 2 * margin + 1
    kernel = size * row_bytes(size)
    sums = size * row_bytes(width + 4 * margin) + height * row_bytes(width)
    return planes + kernel + channels * sums * scatter


def cascade_scratch(
    height: int, width: int, channels: int, *, margin: int, dilations: list[int], together: int
) -> int:
    """Give the scratch that a strip of `cascade` needs when all of these levels are, in bytes."""
    inner = vectors(margin) * BYTES + BYTES
    row = min(together, channels) * (vectors(width) * BYTES + 2 * inner)
    needs = MOST_LEVELS * RING + 8 * (2 * height + 2 * margin) + 8 * height * blocks(width) + 64
    return CASCADE_SMALL + needs + 3 * inner + (cascade_rows(dilations) + 1) * row


def cascade_rows(dilations: list[int]) -> int:
    """Give how many rows of its levels a cascade keeps.

    A row is kept for the next level, and until its group of BLENDED levels is blended.
    """
    rows = 0
    for k, d in enumerate((*dilations, 0)):
        lag = sum(dilations[k : k // BLENDED * BLENDED + BLENDED - 1])
        rows += max(lag + 1, 2 * d + 1)
    return rows


def blocks(width: int) -> int:
    """Give the blocks of vectors that hold so many values."""
    return (width + BLOCK * LANES - 1) // (BLOCK * LANES)


CASCADE_SMALL = (1 + CHANNELS) * BLOCK * BYTES + 8 * BLENDED
"""Bytes of sigmas, results, and addresses of levels."""
