"""The bound that `scale_space` states: recomputed, searched for exceptions, and nearly attained."""

from __future__ import annotations

import math

import numpy as np
import pytest
from cases import LOOSE, TIGHT, Way
from hypothesis import given, settings
from hypothesis import strategies as st

from svfilter import Gaussian, KernelField, filter_image
from svfilter.compiled import machine
from svfilter.engines.base import ROUNDING
from svfilter.engines.scale_space import Chain, chains

NUMPY_MODES = {"replicate": "edge", "reflect": "reflect", "circular": "wrap"}
ALL = pytest.mark.parametrize(
    "chain", chains(), ids=lambda chain: f"{chain.tolerance:.2g}_to_{chain.sigma_max:g}"
)


def profile(sigma: float) -> np.ndarray:
    """Give g(d; σ) for |d| ≤ ⌊4σ + ½⌋, float64."""
    radius = math.floor(4 * sigma + 0.5)
    d = np.arange(-radius, radius + 1.0)
    g = np.exp(-0.5 * (d / sigma) ** 2) if radius else np.ones(1)
    return g / g.sum()


def exact(image: np.ndarray, sigma: np.ndarray, boundary: str = "replicate") -> np.ndarray:
    """Filter [H, W] in float64, each pixel with the two profiles of its own sigma: an oracle."""
    most = math.floor(4 * float(sigma.max()) + 0.5)
    padded = np.pad(image.astype(np.float64), most, mode=NUMPY_MODES[boundary])
    out = np.empty(image.shape)
    for (y, x), s in np.ndenumerate(sigma):
        g = profile(float(s))
        first, size = most - len(g) // 2, len(g)
        out[y, x] = g @ padded[y + first :, x + first :][:size, :size] @ g
    return out


@pytest.mark.parametrize("boundary", NUMPY_MODES)
def test_the_oracle_of_these_tests_is_the_oracle(boundary: str, rng: np.random.Generator) -> None:
    image, sigma = rng.random((9, 12)), rng.uniform(0, 3, (9, 12))
    truth = filter_image(
        image, KernelField(Gaussian(sigma=sigma)), boundary=boundary, engine="reference"
    )
    np.testing.assert_allclose(exact(image, sigma, boundary), truth, rtol=0, atol=1e-14)


# Images and maps -----------------------------------------------------------------------------


def planes(kind: str, shape: tuple[int, int], rng: np.random.Generator) -> np.ndarray:
    """Give values in 0..1 of one kind, float32."""
    height, width = shape
    y, x = np.mgrid[:height, :width]
    made = {
        "binary": lambda: rng.random(shape) < 0.5,
        "steps": lambda: (x // rng.integers(1, 9) + y // rng.integers(1, 9)) % 2,
        "half": lambda: x < rng.integers(0, width + 1),
        "impulses": lambda: rng.random(shape) < 3 / (height * width),
        "flat": lambda: np.full(shape, rng.random()),
        "ones": lambda: np.ones(shape),
        "rough": lambda: rng.random(shape),
        "smooth": lambda: 0.5 + 0.5 * np.sin(x * rng.random() + y * rng.random()),
        "mostly_zero": lambda: rng.random(shape) * (rng.random(shape) < 0.1),
    }
    return made[kind]().astype(np.float32)


KINDS = ["binary", "steps", "half", "impulses", "flat", "ones", "rough", "smooth", "mostly_zero"]


@pytest.mark.parametrize(("largest", "tolerance"), [(4, LOOSE), (4, TIGHT), (16, LOOSE)])
@settings(deadline=None)
@given(
    image=st.sampled_from(KINDS),
    map_of=st.sampled_from(KINDS),
    shape=st.tuples(st.integers(1, 30), st.integers(1, 40)),
    boundary=st.sampled_from(sorted(NUMPY_MODES)),
    seed=st.integers(0, 2**32 - 1),
)
def test_no_image_and_no_map_breaks_the_bound(
    largest: float,
    tolerance: float,
    image: str,
    map_of: str,
    shape: tuple[int, int],
    boundary: str,
    seed: int,
) -> None:
    rng = np.random.default_rng(seed)
    pixels = planes(image, shape, rng)
    sigma = planes(map_of, shape, rng) * np.float32(largest)
    field, way = KernelField(Gaussian(sigma=sigma)), Way("scale_space", tolerance)
    allowed = way.allowed(pixels, field)
    assert allowed <= tolerance
    got = way.filter(pixels, field, boundary=boundary)
    worst = np.abs(got - exact(pixels, sigma, boundary)).max()
    assert worst <= allowed
    if sigma.max() < 0.125:
        np.testing.assert_array_equal(got, pixels)


@pytest.mark.parametrize("tolerance", [LOOSE, TIGHT])
@pytest.mark.parametrize("largest", [4, 16, 64])
def test_neighbours_may_be_of_any_segments(
    largest: float, tolerance: float, rng: np.random.Generator
) -> None:
    """More of them than a processor can look up at once, with the identity among them."""
    pixels = planes("binary", (9, 75), rng)
    sigma = np.exp(rng.uniform(np.log(0.05), np.log(largest), (9, 75))).astype(np.float32)
    sigma[::2, ::7], sigma[1::2, 3::8] = 0, largest
    field, way = KernelField(Gaussian(sigma=sigma)), Way("scale_space", tolerance)
    got = way.filter(pixels, field, boundary="reflect")
    assert np.abs(got - exact(pixels, sigma, "reflect")).max() <= way.allowed(pixels, field)
    np.testing.assert_array_equal(got[sigma < 0.125], pixels[sigma < 0.125])


@pytest.mark.parametrize(
    ("largest", "tolerance", "sigmas"),
    [
        (4, LOOSE, (0.13, 0.4, 1.12, 1.13, 2.7, 4.0)),
        (16, LOOSE, (0.2, 0.7, 3.1, 15.9)),
        (4, TIGHT, (0.13, 0.4, 1.13, 4.0)),
        (64, LOOSE, (0.3, 5.0)),
    ],
)
def test_the_worst_image_attains_a_good_part_of_the_bound_and_no_more(
    largest: float, tolerance: float, sigmas: tuple[float, ...], rng: np.random.Generator
) -> None:
    """An impulse shows K̂; the image that is 1 where K > K̂, else 0, is the worst there is."""
    way, shares = Way("scale_space", tolerance), []
    for sigma in np.float32(sigmas):
        radius = 80  # what lies further out is only missed by the worst image
        size = 2 * radius + 1
        impulse = np.zeros((size, size), np.float32)
        impulse[radius, radius] = 1
        everywhere = np.full((size, size), sigma)
        everywhere[0, 0] = largest  # the same chain for every sigma
        allowed = way.allowed(impulse, KernelField(Gaussian(sigma=everywhere)))
        blended = way.filter(
            impulse, KernelField(Gaussian(sigma=everywhere)), boundary="constant"
        ).astype(np.float64)
        g = profile(float(sigma))
        margin = radius - len(g) // 2
        kernel = np.pad(np.outer(g, g), margin)
        worst = (kernel[::-1, ::-1] > blended[::-1, ::-1]).astype(np.float32)

        rough = rng.choice(
            np.float32([0, sigma, largest]), (size, size)
        )  # neighbours do not matter
        rough[radius, radius] = sigma
        for image in (worst, 1 - worst):
            got = way.filter(image, KernelField(Gaussian(sigma=rough)), boundary="constant")
            error = abs(float(got[radius, radius]) - float((kernel * image).sum()))
            assert error <= allowed, (sigma, error)
            shares.append(error / allowed)
    assert max(shares) >= 0.2, "the bound says nothing"


# The stored chains ---------------------------------------------------------------------------


def levels_of(chain: Chain, reach: int) -> np.ndarray:
    """Give the profiles of the levels as they grow, [K, 2 · reach + 1], float64."""
    levels = np.zeros((len(chain.dilations) + 1, 2 * reach + 1))
    levels[0, reach] = 1
    for k, (d, b) in enumerate(zip(chain.dilations, chain.sides.astype(np.float64), strict=True)):
        before = levels[k]
        levels[k + 1] = before + b * (np.roll(before, d) + np.roll(before, -d))
    return levels


def coefficients_of(chain: Chain, sigma: np.float32) -> np.ndarray:
    """Give c(σ) [K] for the levels as they grow, as the segment's polynomials say."""
    segment = np.searchsorted(chain.begins, sigma, side="right") - 1
    scale, shift = chain.ways[segment].astype(np.float64)
    polynomials = chain.coefficients[segment].astype(np.float64)
    return polynomials @ (scale * float(sigma) + shift) ** np.arange(polynomials.shape[1])


def error_of(chain: Chain, levels: np.ndarray, sigma: np.float32) -> float:
    """Give the largest error that an image in 0..1 can have: max(Σ(K − K̂)⁺, Σ(K − K̂)⁻)."""
    reach = levels.shape[1] // 2
    blended = (levels.T * coefficients_of(chain, sigma)) @ levels
    g = profile(float(sigma))
    g = np.pad(g, reach - len(g) // 2)
    difference = np.outer(g, g) - blended
    above, below = difference.clip(0).sum(), -difference.clip(None, 0).sum()
    assert max(above, below) == pytest.approx(
        0.5 * np.abs(difference).sum() + 0.5 * abs(difference.sum()), abs=1e-12
    )
    return max(above, below)


@ALL
def test_a_stored_bound_holds_at_any_sigma(chain: Chain, rng: np.random.Generator) -> None:
    reach = max(int(chain.dilations.sum()), math.floor(4 * chain.sigma_max + 0.5))
    levels = levels_of(chain, reach)
    count = {4: 400, 16: 120}.get(int(chain.sigma_max), 25)
    sigmas = np.concatenate(
        [
            chain.sigma_max * rng.random(count) ** 2,
            rng.uniform(0, min(chain.sigma_max, 2), count),
            (rng.integers(1, 4 * int(chain.sigma_max), count) - 0.5) / 4,  # where radii jump
            chain.begins,
            [chain.sigma_max],
        ]
    ).astype(np.float32)
    before = np.nextafter(sigmas[2 * count :][:20], np.float32(0))
    ends = np.nextafter(chain.begins[1:], np.float32(0))
    found = [error_of(chain, levels, sigma) for sigma in np.concatenate([sigmas, before, ends])]
    assert max(found) <= chain.bound + ROUNDING
    assert max(found) >= 0.5 * chain.bound, "the bound says little"
    assert chain.bound <= chain.tolerance


@ALL
def test_a_stored_chain_is_what_the_engine_takes_it_for(chain: Chain) -> None:
    count, segments = len(chain.dilations) + 1, len(chain.begins)
    assert chain.sides.shape == (count - 1,)
    assert chain.ways.shape == (segments, 2)
    assert chain.coefficients.shape == (segments, count, machine.TERMS)
    assert chain.levels.shape == (segments,)
    assert np.float32(chain.sigma_max) == chain.sigma_max
    assert (chain.dilations >= 1).all()
    assert (chain.sides > 0).all()

    assert chain.begins[0] == 0
    assert chain.begins[1] == 0.125, "what the radius of the kernel makes the identity, no more"
    assert (np.diff(chain.begins) > 0).all()
    assert chain.begins[-1] < chain.sigma_max
    identity = np.zeros(chain.coefficients.shape[1:])
    identity[0, 0] = 1
    np.testing.assert_array_equal(chain.coefficients[0], identity)
    np.testing.assert_array_equal(chain.ways[0], [0, 0])
    assert chain.levels[0] == 0

    ends = np.append(chain.begins[1:], chain.sigma_max)
    for at, sigmas in ((-1, chain.begins[1:]), (1, ends[1:])):
        t = chain.ways[1:, 0].astype(np.float64) * sigmas + chain.ways[1:, 1]
        np.testing.assert_allclose(t, at, rtol=0, atol=1e-5)
    assert (np.diff(chain.levels) >= 0).all()
    for segment, last in enumerate(chain.levels):
        assert (chain.coefficients[segment, last + 1 :] == 0).all()
        assert (chain.coefficients[segment, last] != 0).any()
    assert chain.levels[-1] == count - 1, "no level that is never used"

    reach = int(chain.dilations.sum())
    sums = levels_of(chain, reach).sum(1) ** 2
    np.testing.assert_allclose(sums, chain.grown, rtol=1e-12)
    for sigma in np.linspace(0, chain.sigma_max, 500, dtype=np.float32):
        assert abs(1 - coefficients_of(chain, sigma) @ sums) <= ROUNDING


@ALL
def test_rounding_is_no_more_than_is_stated(chain: Chain) -> None:
    """On a white image all levels are 1, and only the sum of the coefficients is left."""
    count = 400 if chain.sigma_max < 64 else 100
    sigma = np.linspace(0, chain.sigma_max, 16 * count, dtype=np.float32).reshape(16, count)
    white, field = np.ones(sigma.shape, np.float32), KernelField(Gaussian(sigma=sigma))
    way = Way("scale_space", chain.tolerance)
    stated = way.allowed(white, field) - chain.bound
    assert 0 < stated < 1e-5, "this is not the chain that is taken"
    reach = int(chain.dilations.sum())
    grown = levels_of(chain, reach).sum(1) ** 2
    blended = [coefficients_of(chain, s) @ grown for s in sigma.flat]
    off = np.abs(way.filter(white, field) - np.reshape(blended, sigma.shape))
    assert off.max() <= stated


@ALL
@pytest.mark.parametrize("power", [-60, 70, 90, 110, 125])
def test_levels_that_grow_stay_finite(chain: Chain, power: int, rng: np.random.Generator) -> None:
    """A power of 2 changes no bit, neither as it is nor scaled down and up again."""
    image = rng.random((8, 200), dtype=np.float32) + np.float32(0.5)
    field = KernelField(Gaussian(sigma=rng.uniform(0, chain.sigma_max, (8, 200)).astype("f4")))
    way, factor = Way("scale_space", chain.tolerance), np.float32(2.0**power)
    np.testing.assert_array_equal(
        way.filter(image * factor, field), way.filter(image, field) * factor
    )


@ALL
def test_levels_reach_as_far_as_the_kernels(chain: Chain) -> None:
    """NaN spread over a pixel's own square, which must lie within the margin that is read."""
    sigmas = np.linspace(0, chain.sigma_max, 4001, dtype=np.float32)
    short = [float(s) for s in sigmas if chain.reach(s) < math.floor(4 * float(s) + 0.5)]
    assert not short


def test_a_margin_that_is_too_small_is_noticed_before_memory_is_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    field = KernelField(Gaussian(sigma=np.full((9, 40), 4, np.float32)))
    monkeypatch.setattr(Chain, "reach", lambda chain, sigma: int(chain.dilations.sum()) - 1)
    with pytest.raises(AssertionError, match="margin"):
        Way("scale_space", LOOSE).filter(np.ones((9, 40), np.float32), field)
