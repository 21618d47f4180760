"""The low-rank basis: its stated bound, recomputed between the samples too."""

from __future__ import annotations

import math

import numpy as np
import pytest

from svfilter import Elliptical, Gaussian, KernelField, filter_image
from svfilter.basis import derive

ULP = math.nextafter(3.0, 4.0)


@pytest.mark.parametrize("tolerance", [0.5 / 255, 2.5e-4])
@pytest.mark.parametrize(
    ("low", "high"), [(0, 0.4), (0, 1), (0.5, 0.6), (0, 4), (2, 9), (3, 3.0001), (3, ULP)]
)
def test_the_bound_holds_at_any_sigma(
    low: float, high: float, tolerance: float, rng: np.random.Generator
) -> None:
    basis = derive(Gaussian(sigma=float(low)), Gaussian(sigma=float(high)), "sigma", tolerance)
    assert basis is not None
    assert basis.bound <= tolerance
    jumps = (np.arange(1, 40) - 0.5) / 4  # where a radius grows, both sides
    inside = jumps[(jumps > low) & (jumps < high)]
    sigmas = np.concatenate([rng.uniform(low, high, 60), inside, inside - 1e-9])
    radius = Gaussian(sigma=float(high)).reach()
    d = np.arange(-radius, radius + 1.0)
    blended = sum(
        share.astype(np.float64) * member.weights(d[:, None, None], d[None, :, None])
        for member, share in zip(basis.members, basis.blend(sigmas), strict=True)
    )
    exact = Gaussian(sigma=sigmas).weights(d[:, None, None], d[None, :, None])
    errors = 0.5 * np.abs(exact - blended).sum((0, 1))
    assert errors.max() <= basis.bound + 1e-6  # the shares are float32


def test_what_no_basis_can_keep_has_none() -> None:
    """Cut at 3 sigmas, kernels jump by more than the tolerance where their radius grows."""
    ends = Gaussian(sigma=0.0, truncate=3.0), Gaussian(sigma=4.0, truncate=3.0)
    assert derive(*ends, "sigma", 2.5e-4) is None


@pytest.mark.parametrize(
    ("name", "low", "high", "others"),
    [
        ("angle", 0.0, 90.0, {"sigma_x": 3.0, "sigma_y": 1.5}),
        ("sigma_x", 0.0, 4.0, {"sigma_y": 1.0, "angle": 30.0}),
    ],
)
def test_lowrank_keeps_its_bound_for_ellipses(
    name: str, low: float, high: float, others: dict[str, float], rng: np.random.Generator
) -> None:
    image = rng.random((40, 50), dtype=np.float32)
    field = KernelField(Elliptical(**{name: rng.uniform(low, high, (40, 50))}, **others))
    truth = filter_image(image.astype(np.float64), field, engine="unfold")
    got = filter_image(image, field, engine="lowrank", tolerance=0.5 / 255)
    assert 1e-6 < np.abs(got - truth).max() <= 0.5 / 255
