"""The engine `direct` on families that are looked up, here one that has no symmetry at all."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest
from array_api_compat import array_namespace
from cases import CASES, Case
from conftest import assert_parity

from svfilter import KernelField, filter_image
from svfilter.compiled.bank import find_distinct
from svfilter.compiled.machine import LANES
from svfilter.kernels.base import Array, Family, extent, per_pixel
from svfilter.tiles import BOUNDARIES


@dataclass(frozen=True, kw_only=True)
class Slope(Family):
    """A square of whole radius whose weights rise to the right and fall downwards."""

    summary: ClassVar[str] = "a square on a slope"

    size: Array = per_pixel(1.0, unit="px", low=0, high=40, help="radius")
    tilt: Array = per_pixel(0.0, unit="", low=-1, high=1, help="rise to the right")

    def radius(self) -> int:
        return int(np.ceil(extent(self.size)[1]))

    def radii(self) -> Array:
        xp = array_namespace(self.size)
        return xp.astype(xp.ceil(self.size), xp.int64) + 0 * xp.astype(self.tilt, xp.int64)

    def weights(self, dy: Array, dx: Array) -> Array:
        xp = array_namespace(self.size)
        reach = xp.ceil(self.size)
        weight = (1 + (0.5 * self.tilt * dx - 0.3 * dy) / (1 + reach)) / (2 * reach + 1) ** 2
        return xp.where((abs(dy) <= reach) & (abs(dx) <= reach), weight, 0 * weight)


def field(shape: tuple[int, ...], rng: np.random.Generator, largest: float = 5) -> KernelField:
    size = np.rint(rng.uniform(0, largest, shape)).astype(np.float32)
    tilt = rng.choice(np.float32([-1, 0, 0.5]), shape)
    return KernelField(Slope(size=size, tilt=tilt))


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("case", [case for case in CASES if case.maps], ids=str)
def test_looked_up_kernels_agree_with_the_oracle(
    case: Case, boundary: str, rng: np.random.Generator
) -> None:
    image = rng.random(case.image, dtype=np.float32)
    kernels = field(case.maps, rng)
    truth = filter_image(image.astype(np.float64), kernels, boundary=boundary, engine="reference")
    got = filter_image(image, kernels, boundary=boundary, engine="direct")
    assert_parity(got, truth, maximum=1e-6)


def test_a_stationary_kernel_is_looked_up_too(rng: np.random.Generator) -> None:
    image = rng.random((3, 19, 23), dtype=np.float32)
    kernels = KernelField(Slope(size=3.0, tilt=0.5))
    truth = filter_image(image.astype(np.float64), kernels, engine="reference")
    assert_parity(filter_image(image, kernels, engine="direct"), truth, maximum=1e-6)


@pytest.mark.parametrize("taps", [LANES - 1, LANES + 1, 2 * LANES + 1])
def test_kernels_wider_than_a_vector(taps: int, rng: np.random.Generator) -> None:
    image = rng.random((5, 12, 40), dtype=np.float32)
    kernels = KernelField(Slope(size=np.full((12, 40), taps // 2, np.float32), tilt=0.5))
    truth = filter_image(image[:1].astype(np.float64), kernels, engine="reference")
    assert_parity(filter_image(image, kernels, engine="direct")[:1], truth, maximum=1e-6)


def test_threads_memory_and_parts_leave_no_trace(rng: np.random.Generator) -> None:
    image = rng.random((3, 70, 90), dtype=np.float32)
    size = rng.uniform(0, 5, (70, 90)).astype(np.float32)  # a kernel of its own for each pixel
    kernels = KernelField(Slope(size=size, tilt=0.25))
    assert find_distinct(kernels).bytes(LANES) > 2**20  # so that 2**20 means parts
    whole = filter_image(image, kernels, engine="direct", jobs=1)
    for options in ({"jobs": 3}, {"memory": 2**20}, {"memory": 2**18, "jobs": 2}):
        again = filter_image(image, kernels, engine="direct", **options)
        np.testing.assert_array_equal(again, whole)


def test_radius_0_is_the_identity_and_nan_stays_within_the_square(
    rng: np.random.Generator,
) -> None:
    image = rng.random((30, 40), dtype=np.float32)
    image[15, 20] = np.nan
    kernels = field((30, 40), rng)
    got = filter_image(image, kernels, engine="direct")
    sharp = kernels.maps["size"] == 0
    np.testing.assert_array_equal(got[sharp], image[sharp])
    rows, cols = np.indices(image.shape)
    away = np.maximum(abs(rows - 15), abs(cols - 20))
    np.testing.assert_array_equal(np.isnan(got), away <= kernels.maps["size"])
