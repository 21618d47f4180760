"""Every engine against the oracle, the oracle against SciPy, and the laws of the sum."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.ndimage
import torch
import torch.nn.functional as F
from cases import (
    EXACT,
    LOOSE,
    VARIANTS,
    WAYS,
    Case,
    Variant,
    Way,
    assert_engines_agree,
    every_family,
    parity_cases,
    rough_field,
)
from conftest import assert_parity

from svfilter import Gaussian, KernelField, filter_image
from svfilter.engines import ENGINES
from svfilter.errors import InvalidArgument
from svfilter.kernels import FAMILIES
from svfilter.tiles import BOUNDARIES

SCIPY_MODES = {
    "replicate": "nearest",
    "reflect": "mirror",
    "circular": "wrap",
    "constant": "constant",
}


@pytest.mark.parametrize(("variant", "case", "boundary"), parity_cases(VARIANTS), ids=str)
def test_engines_agree_with_the_oracle(
    variant: Variant, case: Case, boundary: str, device: str, rng: np.random.Generator
) -> None:
    image = rng.random(case.image, dtype=np.float32)
    assert_engines_agree(
        image,
        variant.field(case.maps, rng),
        device=device,
        boundary=boundary,
        guide=variant.guide(image, rng),
    )


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_engine_agrees_on_views_and_leaves_its_inputs_alone(
    way: Way, rng: np.random.Generator
) -> None:
    image = rng.random((30, 3, 26), dtype=np.float32).transpose(1, 0, 2)[:, ::-1, ::2]
    sigma = np.broadcast_to(rng.uniform(0, 3, (30, 1)), (30, 13))  # stride 0, not writeable
    before, sigma_before = image.copy(), sigma.copy()
    field = KernelField(Gaussian(sigma=sigma))
    allowed = way.allowed(image, field)
    truth = filter_image(image.astype(np.float64), field, engine="reference")
    assert_parity(way.filter(image, field), truth, maximum=allowed)
    np.testing.assert_array_equal(image, before)
    np.testing.assert_array_equal(sigma, sigma_before)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("sigma", [0.1, 0.5, 1.0, 1.12, 2.6, 20.0])
@pytest.mark.parametrize("way", WAYS, ids=str)
def test_stationary_gaussian_equals_scipy(
    way: Way, sigma: float, boundary: str, rng: np.random.Generator
) -> None:
    image = rng.random((33, 47))
    field = KernelField(Gaussian(sigma=np.full((33, 47), sigma)))
    allowed = way.allowed(image.astype(np.float32), field)
    expected = scipy.ndimage.gaussian_filter(image, sigma, truncate=4, mode=SCIPY_MODES[boundary])
    got = way.filter(image.astype(np.float32), field, boundary=boundary)
    assert_parity(got, expected, maximum=allowed)


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_large_kernels_keep_the_stated_error_on_a_flat_image(way: Way) -> None:
    """Where all is 0.9, every rounding error of a plain sum would point the same way."""
    image = np.full((8, 9), 0.9)
    field = KernelField(Gaussian(sigma=np.linspace(30, 60, 72).reshape(8, 9)))
    way.allowed(image.astype(np.float32), field)
    got = way.filter(image.astype(np.float32), field)
    # The weights of every kernel, a blended one too, add up to 1.
    assert_parity(got, image, maximum=6e-7 if way.tolerance else 3e-7)


@pytest.mark.parametrize("truncate", [1.0, 4.0, 7.5])
@pytest.mark.parametrize("sigma", [1.125, 1.125 - 1e-12, 1.125 - 1e-9, 2.1, 4.2])
@pytest.mark.parametrize("image", ["float32", "float64"])
@pytest.mark.parametrize("maps", ["number", "float32", "float64"])
def test_a_radius_is_the_same_in_padding_and_weights(
    truncate: float, sigma: float, image: str, maps: str, rng: np.random.Generator
) -> None:
    """Where truncate · sigma + ½ is nearly whole, another precision means another radius."""
    pixels = rng.random((7, 9)).astype(image)
    value = sigma if maps == "number" else np.full((7, 9), sigma, maps)
    field = KernelField(Gaussian(sigma=value, truncate=truncate))
    used = float(np.asarray(value, image).max())  # sigma is taken in the image's precision
    same = KernelField(Gaussian(sigma=used, truncate=truncate))
    truth = filter_image(pixels.astype(np.float64), same, engine="reference")
    assert filter_image(pixels, field, engine="reference").shape == pixels.shape
    able = [way for way in WAYS if way.why_not(pixels, field) is None]
    assert {way.engine for way in able} >= ({"unfold"} if image == "float64" else {"direct"})
    for way in able:
        got = way.filter(pixels, field)
        assert got.shape == pixels.shape
        # A tap within rounding of the very cut may be in or out; then it weighs this much.
        on_edge = abs((truncate * used + 0.5) % 1 - 0.5) > 0.5 - 1e-5
        weight = 2 * np.exp(-((truncate + 0.5 / sigma) ** 2) / 2)
        allowed = max(way.allowed(pixels, field), 1e-6)
        np.testing.assert_allclose(got, truth, rtol=0, atol=allowed + on_edge * weight)


def test_the_precision_of_an_image_is_kept_in_any_byte_order(rng: np.random.Generator) -> None:
    image = rng.random((6, 7))
    swapped = filter_image(image.astype(">f8"), KernelField(Gaussian(sigma=1.0)))
    assert swapped.dtype == ">f8"
    np.testing.assert_array_equal(swapped, filter_image(image, KernelField(Gaussian(sigma=1.0))))


def test_no_grad_wants_no_gradient() -> None:
    image = torch.rand(8, 8)
    field = KernelField(Gaussian(sigma=torch.full((8, 8), 12.0, requires_grad=True)))
    with torch.no_grad():
        filter_image(image, field, engine="reference")
        filter_image(image, field, engine="unfold", memory=2**16)
    with pytest.raises(InvalidArgument, match="memory must be at least"):
        filter_image(image, field, engine="unfold", memory=2**16)


def test_the_parity_check_can_fail() -> None:
    good = np.linspace(0, 1, 12).reshape(3, 4)
    assert_parity(good, good, maximum=0)
    for bad in (good[:2], good + 1e-3, np.where(good == 1, np.nan, good)):
        with pytest.raises(AssertionError):
            assert_parity(bad, good, maximum=1e-6)
    with pytest.raises(AssertionError, match="relative RMS"):
        assert_parity(0.01 * good + 9e-7, 0.01 * good, maximum=1e-6)


def test_reference_equals_scipy_to_float64_rounding(rng: np.random.Generator) -> None:
    image = rng.random((11, 9))
    got = filter_image(image, KernelField(Gaussian(sigma=1.3)), engine="reference")
    expected = scipy.ndimage.gaussian_filter(image, 1.3, truncate=4, mode="nearest")
    assert_parity(got, expected, maximum=1e-14)


def test_unfold_matmul_fold_equals_conv2d_and_this_engine(rng: np.random.Generator) -> None:
    """The field's known answer: torch.nn.Unfold's own example, on a stationary kernel."""
    image = torch.from_numpy(rng.random((1, 1, 19, 23)))
    taps = torch.arange(-6.0, 7.0, dtype=torch.float64)
    weights = Gaussian(sigma=torch.tensor(1.5, dtype=torch.float64)).weights(
        taps[:, None], taps[None, :]
    )
    columns = F.unfold(image, 13)  # [1, 13 · 13, L]
    dotted = (columns.transpose(1, 2) @ weights.reshape(-1, 1)).transpose(1, 2)
    folded = F.fold(dotted, (7, 11), (1, 1))
    convolved = F.conv2d(image, weights[None, None])
    torch.testing.assert_close(folded, convolved, rtol=0, atol=1e-14)
    ours = filter_image(image, KernelField(Gaussian(sigma=1.5)), engine="unfold")
    torch.testing.assert_close(ours[..., 6:-6, 6:-6], convolved, rtol=0, atol=1e-14)


@pytest.mark.parametrize("way", [Way("reference"), *WAYS], ids=str)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_sigma_zero_is_the_identity_bit_for_bit(
    way: Way, dtype: str, rng: np.random.Generator
) -> None:
    image = (rng.random((3, 12, 14)) * 1e3 - 500).astype(dtype)
    image[0, 3, 4], image[1, 5, 6], image[2, 7, 7] = np.nan, np.inf, -np.inf
    sigma = np.zeros((12, 14), dtype)
    field = KernelField(Gaussian(sigma=sigma))
    way.allowed(image, field)
    np.testing.assert_array_equal(way.filter(image, field), image)
    sigma[:, 9:] = 0.4  # a reach of 2 in the same window changes nothing for the others
    field = KernelField(Gaussian(sigma=sigma))
    way.allowed(image, field)
    mixed = way.filter(image, field)
    np.testing.assert_array_equal(mixed[..., :9], image[..., :9])
    assert (mixed[..., 9:] != image[..., 9:]).any()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("way", WAYS, ids=str)
def test_nan_and_infinity_spread_as_far_as_each_pixels_own_kernel(
    way: Way, dtype: str, rng: np.random.Generator
) -> None:
    image = rng.random((2, 40, 41)).astype(dtype)
    image[0, 20, 20] = np.nan
    image[1, 11, 15], image[1, 20, 20] = np.inf, -np.inf  # where both are seen there is NaN
    field = rough_field(Gaussian, (40, 41), rng)
    allowed = max(way.allowed(image, field), 1e-12)
    truth = filter_image(image, field, engine="reference")
    got = way.filter(image, field)
    assert 0 < np.isnan(got[0]).sum() < 33 * 33
    assert all(kind(got[1]).any() for kind in (np.isposinf, np.isneginf, np.isnan))
    np.testing.assert_allclose(got, truth, rtol=0, atol=allowed)


@pytest.mark.parametrize("variant", [v for v in VARIANTS if not v.constants], ids=str)
def test_nan_and_infinities_are_seen_by_those_for_whom_they_weigh(
    variant: Variant, rng: np.random.Generator
) -> None:
    image = rng.random((2, 16, 22), dtype=np.float32)
    image[0, 8, 11] = np.nan
    image[1, 8, 10], image[1, 8, 12] = np.inf, -np.inf  # where both are seen there is NaN
    field = variant.field((16, 22), rng, 0.5)
    for values in field.maps.values():
        values[7:10, 9:14] = values.max()  # kernels that see both
    cleared = np.where(np.isfinite(image), image, 0)
    linear = KernelField(field.family.linear())
    guide = cleared if variant.kind.guided else None

    def oracle(pixels: np.ndarray, field: KernelField) -> np.ndarray:
        wide = None if guide is None else guide.astype(np.float64)
        return filter_image(pixels.astype(np.float64), field, guide=wide, engine="reference")

    tests = {"nan": np.isnan, "above": np.isposinf, "below": np.isneginf}
    shares = {name: oracle(test(image), linear) for name, test in tests.items()}
    surely = {name: share > 1e-30 for name, share in shares.items()}  # less is 0 in float32
    never = {name: share == 0 for name, share in shares.items()}
    clear = never["nan"] & never["above"] & never["below"]
    truth = oracle(cleared, field)
    for way in EXACT:
        got = way.filter(image, linear)
        both = surely["above"] & surely["below"]
        up, down = surely["above"] & never["below"], surely["below"] & never["above"]
        assert all(mask.any() for mask in (surely["nan"], both, up, down))
        assert np.isnan(got[surely["nan"] | both]).all()
        assert (got[up] == np.inf).all()
        assert (got[down] == -np.inf).all()
        finished = way.filter(image, field)
        allowed = 1e-6 * max(field.family.gain(), 1)
        assert_parity(finished[clear], truth[clear], maximum=allowed)


@pytest.mark.parametrize("variant", [v for v in VARIANTS if not v.constants], ids=str)
@pytest.mark.parametrize("scale", [1e38, 1e-30])
def test_huge_and_tiny_numbers_are_not_lost(
    variant: Variant, scale: float, rng: np.random.Generator
) -> None:
    image = rng.random((9, 30), dtype=np.float32)
    field = variant.field((9, 30), rng, 0.3)
    guide = image if variant.kind.guided else None
    wide = None if guide is None else guide.astype(np.float64)
    pixels = image * np.float32(scale)
    truth = filter_image(pixels.astype(np.float64), field, guide=wide, engine="reference")
    assert np.abs(truth).max() < np.finfo(np.float32).max
    for way in EXACT:
        got = way.filter(pixels, field, guide=guide)
        allowed = 1e-6 * scale * max(field.family.gain(), 1)
        np.testing.assert_allclose(got, truth, rtol=0, atol=allowed)


@pytest.mark.parametrize("way", EXACT, ids=str)
@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_tiles_threads_and_memory_leave_no_trace(
    variant: Variant, way: Way, rng: np.random.Generator
) -> None:
    image = rng.random((2, 25, 37), dtype=np.float32)
    field = variant.field((25, 37), rng, 0.5)
    boundary = ("circular", "constant", "reflect", "replicate")[VARIANTS.index(variant) % 4]
    whole = way.filter(image, field, boundary=boundary, jobs=1)
    for jobs, memory in ((2, 2**28), (3, 2**20), (1, 2**19)):
        again = way.filter(image, field, boundary=boundary, jobs=jobs, memory=memory)
        np.testing.assert_array_equal(again, whole)
    for rows, cols in ((8, 9), (3, 100), (100, 5)):
        tiled = way.filter_in_tiles(image, field, rows, cols, boundary=boundary)
        np.testing.assert_array_equal(tiled, whole)


@pytest.mark.parametrize("maps", ["float32", "float64"])
@pytest.mark.parametrize("pixels", ["float16", "float32", "float64"])
@pytest.mark.parametrize("name", every_family())
def test_the_result_has_the_images_kind_and_dtype_whatever_the_maps_have(
    name: str, pixels: str, maps: str, rng: np.random.Generator
) -> None:
    image = rng.random((6, 7)).astype(pixels)
    field = rough_field(FAMILIES[name], (6, 7), rng).transform(lambda values: values.astype(maps))
    got = filter_image(image, field)
    assert isinstance(got, np.ndarray)
    assert got.dtype == image.dtype
    tensor = filter_image(torch.from_numpy(image), field)
    assert tensor.dtype == getattr(torch, pixels)
    np.testing.assert_array_equal(tensor.numpy(), got)


@pytest.mark.parametrize("name", [name for name, kind in FAMILIES.items() if kind.guided])
@pytest.mark.parametrize("maps", [(), (9, 31), (3, 9, 31), (1, 9, 31)])
@pytest.mark.parametrize("guide", [(9, 31), (1, 9, 31), (4, 9, 31)])
def test_a_guide_may_have_other_planes_than_the_image(
    name: str, maps: tuple[int, ...], guide: tuple[int, ...], rng: np.random.Generator
) -> None:
    image = rng.random((3, 9, 31), dtype=np.float32)
    values = rng.random(guide, dtype=np.float32)
    field = rough_field(FAMILIES[name], maps, rng, share=0.5)
    truth = filter_image(
        image.astype(np.float64), field, guide=values.astype(np.float64), engine="reference"
    )
    numbers = (
        KernelField(type(field.family)(**{n: float(v) for n, v in field.maps.items()}))
        if (not maps)
        else field
    )
    for way in EXACT:
        assert_parity(way.filter(image, numbers, guide=values), truth, maximum=1e-6)


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_a_step_in_the_map_is_two_stationary_filters_side_by_side(
    way: Way, rng: np.random.Generator
) -> None:
    image = rng.random((20, 60), dtype=np.float32)
    sigma = np.where(np.arange(60) < 30, 0.5, 3.0) * np.ones((20, 1))
    field = KernelField(Gaussian(sigma=sigma))
    allowed = way.allowed(image, field)
    got = way.filter(image, field)
    for half, value in ((slice(30), 0.5), (slice(30, None), 3.0)):
        alone = way.filter(image, KernelField(Gaussian(sigma=value)))
        # By itself a half may be computed in another way, from which `got` may be this far.
        assert_parity(got[:, half], alone[:, half], maximum=2 * allowed if way.tolerance else 1e-6)


@pytest.mark.parametrize("memory", [2**14, 2**17, 2**20])
def test_memory_does_not_change_a_bit(memory: int, rng: np.random.Generator) -> None:
    image = rng.random((3, 18, 70), dtype=np.float32)
    field = rough_field(Gaussian, (18, 70), rng)
    whole, parts = (filter_image(image, field, engine="unfold", memory=m) for m in (2**30, memory))
    np.testing.assert_array_equal(parts, whole)


def test_too_little_memory_is_refused_with_what_is_needed() -> None:
    field = KernelField(Gaussian(sigma=np.full((8, 8), 60.0)))
    with pytest.raises(InvalidArgument, match="memory must be at least .* 481 x 481 taps"):
        filter_image(np.ones((8, 8)), field, memory=1000)
    for engine in ("direct", "scale_space"):
        with pytest.raises(InvalidArgument, match=r"memory must be at least \d+ .* but 1000 bytes"):
            filter_image(
                np.ones((8, 8), np.float32), field, engine=engine, tolerance=LOOSE, memory=1000
            )


def test_every_engine_says_what_it_is() -> None:
    for name, engine in ENGINES.items():
        assert engine.name == name
        assert engine.summary
        assert engine.error


def test_every_engine_but_the_oracle_is_in_the_table() -> None:
    assert {way.engine for way in WAYS} == set(ENGINES) - {"reference"}
