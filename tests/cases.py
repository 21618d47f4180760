"""THE table: the awkward images and fields on which every engine must agree with the oracle."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from svfilter import KernelField
from svfilter.kernels import FAMILIES
from svfilter.kernels.base import Family

LARGEST = 4.0
"""Per-pixel parameters go from their least value up to this, roughly from pixel to pixel."""


@dataclass(frozen=True)
class Case:
    """One image and the shape of the maps that go with it."""

    name: str
    image: tuple[int, ...]
    maps: tuple[int, ...]

    def __str__(self) -> str:
        return self.name


CASES = [
    Case("one_pixel", (1, 1), (1, 1)),
    Case("one_row", (1, 40), (1, 40)),
    Case("one_column", (3, 37, 1), (37, 1)),
    Case("narrower_than_radius", (7, 63), (7, 63)),
    Case("smaller_than_radius", (3, 5, 9), (5, 9)),
    Case("wider_than_a_chunk", (9, 140), (9, 140)),
    Case("one_channel", (1, 24, 17), (1, 24, 17)),
    Case("own_map_for_each_channel", (4, 13, 11), (4, 13, 11)),
    Case("batch", (2, 3, 8, 12), (8, 12)),
    Case("own_map_for_each_image", (2, 3, 8, 12), (2, 1, 8, 12)),
    Case("stationary", (3, 21, 19), ()),
]


def rough_field(
    kind: type[Family], shape: tuple[int, ...], rng: np.random.Generator
) -> KernelField:
    """Give a float64 field that jumps from pixel to pixel, with both ends of the range in it."""
    values = {}
    for name, parameter in kind.parameters().items():
        if not parameter.per_pixel:
            continue
        high = min(parameter.high, LARGEST)
        drawn = rng.uniform(parameter.low, high, shape)
        ends = rng.random(shape)
        drawn = np.where(ends < 0.1, parameter.low, np.where(ends > 0.9, high, drawn))
        values[name] = drawn.astype(np.float32).astype(np.float64)  # exact in both
    return KernelField(kind(**values))


def every_family() -> list[str]:
    return list(FAMILIES)
