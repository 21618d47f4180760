"""A kernel of its own for every pixel, each tap a map."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

from svfilter.errors import InvalidArgument
from svfilter.kernels.base import Array, Blend, extent, per_pixel
from svfilter.kernels.stored.bank import LARGEST, as_arrays
from svfilter.kernels.stored.base import Stored, as_maps


@dataclass(frozen=True, kw_only=True)
class Dense(Stored):
    """Give each pixel the kernel that maps of its taps say.

        w(dy, dx; p) = taps[(r + dy) · (2 · r + 1) + r + dx](p)

    Weights are taken as they are: of any sign and sum.

    Args:
        taps: (2 · r + 1)² numbers or maps [..., H, W], −1e9 to 1e9, row by row; an array
            [K, H, W] is K maps. They are what kernel prediction networks give.

    Source: Bako et al., Kernel-Predicting Convolutional Networks for Denoising Monte Carlo
        Renderings, SIGGRAPH 2017, doi:10.1145/3072959.3073708.
    """

    summary: ClassVar[str] = "stored kernels, a map for each tap"

    taps: tuple[Array, ...] = per_pixel(
        1.0, unit="times", low=-LARGEST, high=LARGEST, help="the weight of each tap, row by row"
    )

    def __post_init__(self) -> None:
        taps = as_maps("taps", self.taps)
        size = math.isqrt(len(taps))
        if size * size != len(taps) or size % 2 == 0:
            raise InvalidArgument(
                f"taps must be as many as an odd square has, such as 9 or 25, but are {len(taps)}"
            )
        object.__setattr__(self, "taps", taps)

    def reach(self) -> int:
        """Give r."""
        return math.isqrt(len(self.taps)) // 2

    def shares(self) -> list[Array]:
        """Give the taps."""
        return list(self.taps)

    def blend(self) -> Blend:
        """Give the taps."""
        return Blend(None, [], as_arrays(*self.taps))

    def gain(self) -> float:
        """Give a number that Σ |w| exceeds nowhere, at least 1."""
        return max(1.0, sum(max(map(abs, extent(values))) for values in self.taps))
