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
HALF = LANES // 2
BYTES = 4 * LANES

HAS_FMA = "+fma" in FEATURES.split(",") or platform.machine() not in ("x86_64", "AMD64", "i686")

ROWS = 4
"""Rows of a block of `gaussian`: 4 rows of 3 channels are 12 sums in registers."""
CHANNELS = 4
"""The most planes of one map that are filtered together."""
MOST_LEVELS = 62
"""Levels of a cascade at most: a row's needs are bits of an int64."""

WILD, HUGE = 1, 2
"""What a function may have seen in the image: NaN or infinities, which it took for 0; values so
large that their sums might become infinite."""

ARGUMENTS = {"gaussian": "q" * 16 + "fq", "codebook": "q" * 20, "cascade": "q" * 21 + "fiq"}
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


def codebook_scratch(height: int, width: int, channels: int, *, margin: int) -> int:
    """Give the scratch that a tile of `codebook` needs, in bytes."""
    return channels * (height + 2 * margin) * row_bytes(width + 2 * margin)


def cascade_scratch(
    height: int, width: int, channels: int, *, margin: int, dilations: list[int]
) -> int:
    """Give the scratch that a strip of `cascade` needs when all of these levels are, in bytes."""
    inner = vectors(margin) * BYTES + BYTES
    plane = vectors(width) * BYTES + 2 * inner
    rows = 0
    for k, d in enumerate((*dilations, 0)):
        lag = sum(dilations[k : k // HALF * HALF + HALF - 1])  # until its group is blended
        rows += max(lag + 1, 2 * d + 1)
    needs = MOST_LEVELS * 3 * 8 + 8 * (2 * height + 2 * margin) + 64
    return CASCADE_SMALL + needs + 3 * inner + (rows + 1) * channels * plane


CASCADE_SMALL = (3 + CHANNELS) * BYTES + 8 * LANES
"""Bytes of sigmas, places and ways, results, and addresses of levels."""
