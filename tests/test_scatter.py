"""Scattering: every engine against the oracle, and the laws of light that is spread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest
from array_api_compat import array_namespace
from cases import EXACT, SCATTERING, Case, Variant, Way, assert_engines_agree, parity_cases
from conftest import assert_parity

from svfilter import Box, Gaussian, KernelField, Lens, filter_image
from svfilter.engines import ENGINES
from svfilter.errors import EngineUnavailable, InvalidArgument
from svfilter.kernels import FAMILIES
from svfilter.kernels.base import Array, Family, per_pixel
from svfilter.kernels.bilateral import Bilateral
from svfilter.kernels.motion import Motion
from svfilter.tiles import BOUNDARIES

EVERY_VARIANT = pytest.mark.parametrize("variant", SCATTERING, ids=str)
EVERY_WAY = pytest.mark.parametrize("way", EXACT, ids=str)
SHARE = 0.3
"""Of the usual spans: the oracle makes the kernels of the margin, too."""
BITS = {"float32": 1e-6, "float64": 1e-14}
"""How exact a sum is, as a share."""


def scatter(way: Way, image: np.ndarray, field: KernelField, **options: Any) -> np.ndarray:
    return way.filter(image, field, mode="scatter", **options)


def dtype_of(way: Way) -> str:
    """Give the most that an exact engine computes in."""
    return "float64" if way.engine == "unfold" else "float32"


PARITY = [
    *((*place, "energy") for place in parity_cases(SCATTERING)),
    # One boundary is enough to see a sum divided by another.
    *((*place, "weights") for place in parity_cases(SCATTERING) if place[-1] == "constant"),
]


@pytest.mark.parametrize(("variant", "case", "boundary", "normalise"), PARITY, ids=str)
def test_engines_agree_with_the_oracle(
    variant: Variant,
    case: Case,
    boundary: str,
    normalise: str,
    device: str,
    rng: np.random.Generator,
) -> None:
    image = rng.random(case.image, dtype=np.float32)
    assert_engines_agree(
        image,
        variant.field(case.maps, rng, SHARE),
        device=device,
        boundary=boundary,
        mode="scatter",
        normalise=normalise,
    )


@EVERY_WAY
@EVERY_VARIANT
@pytest.mark.parametrize("boundary", ["constant", "circular"])
def test_scattering_is_the_adjoint_of_gathering(
    way: Way, variant: Variant, boundary: str, rng: np.random.Generator
) -> None:
    """⟨A x, y⟩ = ⟨x, Aᵀ y⟩, on an image that is narrower than the kernels too."""
    for shape in ((2, 19, 23), (3, 30)):
        x, y = (rng.standard_normal(shape).astype(dtype_of(way)) for _ in range(2))
        field = variant.field(shape[-2:], rng)
        gathered = way.filter(x, field, boundary=boundary).astype(np.float64)
        spread = scatter(way, y, field, boundary=boundary).astype(np.float64)
        scale = np.linalg.norm(gathered) * np.linalg.norm(y)
        off = abs((gathered * y).sum() - (x * spread).sum())
        assert off <= BITS[dtype_of(way)] * scale
        assert np.abs(gathered - spread).max() > 0.01  # else it would be no test


@EVERY_WAY
@EVERY_VARIANT
def test_energy_is_kept(way: Way, variant: Variant, rng: np.random.Generator) -> None:
    image = rng.random((2, 21, 40)).astype(dtype_of(way))
    field = variant.field((21, 40), rng)
    margin = field.reach
    wide = np.pad(image, [(0, 0), (margin, margin), (margin, margin)])
    around = field.transform(lambda values: np.pad(values, margin, mode="edge"))
    for pixels, kernels, boundary in ((image, field, "circular"), (wide, around, "constant")):
        got = scatter(way, pixels, kernels, boundary=boundary).astype(np.float64)
        before = pixels.sum(axis=(-2, -1), dtype=np.float64)
        np.testing.assert_allclose(got.sum(axis=(-2, -1)), before, rtol=BITS[dtype_of(way)])


@EVERY_WAY
@EVERY_VARIANT
def test_a_point_of_light_becomes_its_own_kernel(
    way: Way, variant: Variant, rng: np.random.Generator
) -> None:
    """Not mirrored, and whatever kernels the pixels around have."""
    field = variant.field((41, 43), rng)
    reach = field.reach
    middle = np.argwhere(field.family.reaches()[reach : 41 - reach, reach : 43 - reach] > 0)
    for row, col in middle[:: max(1, len(middle) // 4)] + reach:
        image = np.zeros((41, 43), dtype_of(way))
        image[row, col] = 1
        own = field.transform(lambda v: v[row : row + 1, col : col + 1])  # noqa: B023
        d = np.arange(-reach, reach + 1.0)
        weights = own.family.weights(d[:, None, None, None], d[None, :, None, None])[..., 0, 0]
        got = scatter(way, image, field)
        seen = got[row - reach : row + reach + 1, col - reach : col + reach + 1]
        np.testing.assert_allclose(seen, weights, rtol=0, atol=BITS[dtype_of(way)])
        assert got.sum() == pytest.approx(1, abs=1e-5)


@EVERY_WAY
def test_what_moves_to_the_right_leaves_its_light_there(way: Way) -> None:
    """To gather, it would come from there."""
    image = np.zeros((5, 20), np.float32)
    image[2, 9] = 1
    field = KernelField(Motion(length=np.full((5, 20), 4.0), angle=0.0, path=1))
    spread, gathered = scatter(way, image, field)[2], way.filter(image, field)[2]
    np.testing.assert_allclose(spread[9:14], [0.125, 0.25, 0.25, 0.25, 0.125], atol=1e-6)
    assert not spread[:9].any()
    np.testing.assert_allclose(gathered[5:10], [0.125, 0.25, 0.25, 0.25, 0.125], atol=1e-6)
    assert not gathered[10:].any()


@EVERY_WAY
@EVERY_VARIANT
@pytest.mark.parametrize("boundary", ["constant", "reflect"])
def test_normalised_by_weights_what_is_flat_stays_flat(
    way: Way, variant: Variant, boundary: str, rng: np.random.Generator
) -> None:
    dtype = dtype_of(way)
    field = variant.field((17, 30), rng)
    options: dict[str, Any] = {"boundary": boundary}
    flat = np.full((2, 17, 30), 0.7, dtype)
    got = scatter(way, flat, field, normalise="weights", **options)
    np.testing.assert_allclose(got, flat, rtol=0, atol=BITS[dtype])
    assert np.abs(scatter(way, flat, field, **options) - flat).max() > 0.01
    image = rng.random((2, 17, 30)).astype(dtype)
    got = scatter(way, image, field, normalise="weights", **options)
    cover = scatter(way, np.ones_like(image), field, **options)
    expected = scatter(way, image, field, **options) / cover
    np.testing.assert_allclose(got, expected, rtol=0, atol=BITS[dtype])


@pytest.mark.parametrize("shape", [(3, 9, 14), (2, 3, 9, 14)])
@pytest.mark.parametrize("own", [False, True])
@EVERY_WAY
def test_weights_are_those_of_each_planes_own_maps(
    way: Way, own: bool, shape: tuple[int, ...], rng: np.random.Generator
) -> None:
    image = rng.random(shape).astype(dtype_of(way))
    sigma = rng.uniform(0, 2, shape if own else shape[-2:])
    got = scatter(way, image, KernelField(Gaussian(sigma=sigma)), normalise="weights")
    sigma = np.broadcast_to(sigma, shape)
    for plane in np.ndindex(shape[:-2]):
        alone = KernelField(Gaussian(sigma=sigma[plane]))
        expected = scatter(way, image[plane], alone, normalise="weights")
        np.testing.assert_array_equal(got[plane], expected)


@pytest.mark.parametrize("normalise", ["energy", "weights"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("way", [Way("reference"), *EXACT], ids=str)
@EVERY_VARIANT
def test_kernels_of_one_tap_are_the_identity_bit_for_bit(
    variant: Variant, way: Way, dtype: str, normalise: str, rng: np.random.Generator
) -> None:
    image = (rng.random((3, 6, 25)) * 1e3 - 500).astype(dtype)
    image[0, 3, 4], image[1, 5, 6], image[2, 2, 7] = np.nan, np.inf, -np.inf
    field = variant.field((6, 25), rng).transform(np.zeros_like)
    way.allowed(image, field, mode="scatter")
    got = scatter(way, image, field, normalise=normalise)
    np.testing.assert_array_equal(got, image)


@EVERY_WAY
@EVERY_VARIANT
def test_where_no_other_light_arrives_sharp_pixels_stay_bit_for_bit(
    way: Way, variant: Variant, rng: np.random.Generator
) -> None:
    image = (rng.random((2, 20, 70)) * 10 - 5).astype(dtype_of(way))
    field = variant.field((20, 70), rng)
    blurred = np.zeros((20, 70), bool)
    blurred[4:9, 50:] = True
    field = field.transform(lambda values: np.where(blurred, values, 0))
    got = scatter(way, image, field)
    rows, cols = np.indices(blurred.shape)
    reached = np.zeros_like(blurred)
    for row, col in np.argwhere(blurred):
        reached |= np.maximum(abs(rows - row), abs(cols - col)) <= field.reach
    np.testing.assert_array_equal(got[:, ~reached], image[:, ~reached])
    assert (got[:, reached] != image[:, reached]).any()


@dataclass(frozen=True, kw_only=True)
class Aside(Family):
    """Put all light two pixels to the right, or leave it where it is."""

    summary: ClassVar[str] = "two pixels to the right"
    away: Array = per_pixel(1.0, unit="px", low=0, high=1, help="whether it is moved")

    def reach(self) -> int:
        return 2 * int(np.max(np.asarray(self.away)))

    def reaches(self) -> Array:
        xp = array_namespace(self.away)
        return 2 * xp.astype(self.away, xp.int64)

    def profile(self, dy: Array, dx: Array, *differences: Array) -> Array:
        xp = array_namespace(dy)
        there = (dy == 0) & (dx == 2)
        u: Array = xp.where(there & (self.away > 0), xp.ones_like(dx), xp.zeros_like(dx))
        return u


@pytest.mark.parametrize("way", [Way("reference"), *EXACT], ids=str)
@pytest.mark.parametrize("away", [np.ones((7, 13)), 1.0], ids=["map", "number"])
def test_a_pixel_that_gets_no_light_keeps_its_own_value(
    way: Way, away: Any, rng: np.random.Generator
) -> None:
    image = rng.random((2, 7, 13), dtype=np.float32) + 1
    field = KernelField(Aside(away=away))
    dark = scatter(way, image, field, boundary="constant")
    assert not dark[..., :2].any()
    np.testing.assert_array_equal(dark[..., 2:], image[..., :-2])
    got = scatter(way, image, field, boundary="constant", normalise="weights")
    np.testing.assert_array_equal(got[..., :2], image[..., :2])
    np.testing.assert_array_equal(got[..., 2:], image[..., :-2])


@EVERY_WAY
@EVERY_VARIANT
@pytest.mark.parametrize("shape", [(2, 25, 37), (1, 40), (40, 1)])
def test_tiles_threads_and_memory_leave_no_trace(
    way: Way, variant: Variant, shape: tuple[int, ...], rng: np.random.Generator
) -> None:
    image = rng.random(shape, dtype=np.float32)
    image.flat[::97] = np.nan
    field = variant.field(shape[-2:], rng, 0.5)
    boundary = ("circular", "constant", "reflect", "replicate")[SCATTERING.index(variant) % 4]
    options: dict[str, Any] = {"boundary": boundary, "normalise": "weights"}
    whole = scatter(way, image, field, jobs=1, **options)
    for jobs, memory in ((2, 2**28), (3, 2**21), (1, 2**20)):
        again = scatter(way, image, field, jobs=jobs, memory=memory, **options)
        np.testing.assert_array_equal(again, whole)
    for rows, cols in ((8, 9), (3, 100), (100, 16)):
        tiled = way.filter_in_tiles(image, field, rows, cols, mode="scatter", **options)
        np.testing.assert_array_equal(tiled, whole)


@EVERY_WAY
def test_tiles_read_no_more_than_what_reaches_them(way: Way, rng: np.random.Generator) -> None:
    """One far pixel with a wide kernel reaches tiles whose own kernels are small."""
    image = rng.random((30, 50), dtype=np.float32)
    sigma = np.zeros((30, 50))
    sigma[15, 25], sigma[2, 2] = 4, 1
    field = KernelField(Gaussian(sigma=sigma))
    whole = scatter(way, image, field)
    assert (whole[:10, 15:25] != image[:10, 15:25]).all()
    for side in (7, 16):
        tiled = way.filter_in_tiles(image, field, side, side, mode="scatter")
        np.testing.assert_array_equal(tiled, whole)


@pytest.mark.parametrize("variant", [v for v in SCATTERING if not v.constants], ids=str)
def test_nan_and_infinities_go_where_their_pixels_give_light(
    variant: Variant, rng: np.random.Generator
) -> None:
    image = rng.random((2, 16, 22), dtype=np.float32)
    image[0, 8, 11] = np.nan
    image[1, 8, 10], image[1, 8, 12] = np.inf, -np.inf  # where both arrive there is NaN
    field = variant.field((16, 22), rng, 0.5)
    for values in field.maps.values():
        values[7:10, 9:14] = values.max()  # kernels that reach each other

    def oracle(pixels: np.ndarray) -> np.ndarray:
        pixels = pixels.astype(np.float64)
        return filter_image(pixels, field, engine="reference", mode="scatter")

    tests = {"nan": np.isnan, "above": np.isposinf, "below": np.isneginf}
    light = {name: oracle(test(image)) for name, test in tests.items()}
    surely = {name: given > 1e-30 for name, given in light.items()}  # less is 0 in float32
    never = {name: given == 0 for name, given in light.items()}
    clear = never["nan"] & never["above"] & never["below"]
    truth = oracle(np.where(np.isfinite(image), image, 0))
    for way in EXACT:
        got = scatter(way, image, field)
        both = surely["above"] & surely["below"]
        up, down = surely["above"] & never["below"], surely["below"] & never["above"]
        assert all(mask.any() for mask in (surely["nan"], both, up, down))
        assert np.isnan(got[surely["nan"] | both]).all()
        assert (got[up] == np.inf).all()
        assert (got[down] == -np.inf).all()
        assert_parity(got[clear], truth[clear], maximum=1e-6)


@pytest.mark.parametrize("variant", [v for v in SCATTERING if not v.constants], ids=str)
@pytest.mark.parametrize("scale", [1e38, 1e-30])
def test_huge_and_tiny_numbers_are_not_lost(
    variant: Variant, scale: float, rng: np.random.Generator
) -> None:
    image = rng.random((12, 30), dtype=np.float32) * np.float32(scale)
    field = variant.field((12, 30), rng, SHARE)
    truth = filter_image(image.astype(np.float64), field, engine="reference", mode="scatter")
    assert truth.max() < np.finfo(np.float32).max
    for way in EXACT:
        np.testing.assert_allclose(scatter(way, image, field), truth, rtol=0, atol=1e-6 * scale)


@pytest.mark.parametrize("name", [name for name, kind in FAMILIES.items() if not kind.scatters])
def test_families_for_which_it_means_nothing_are_refused(name: str) -> None:
    field = KernelField(FAMILIES[name]())
    with pytest.raises(InvalidArgument, match=f"mode must be gather for kernels of .*{name}"):
        filter_image(np.ones((4, 5)), field, mode="scatter")


def test_engines_that_only_gather_say_so() -> None:
    field = KernelField(Gaussian(sigma=np.ones((8, 9))))
    for name in set(ENGINES) - {"reference", "unfold", "direct"}:
        with pytest.raises(EngineUnavailable, match=f"{name} cannot run this: it gathers only"):
            filter_image(
                np.ones((8, 9), np.float32), field, mode="scatter", engine=name, tolerance=0.01
            )


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"mode": "splat"}, "mode must be gather or scatter, but is 'splat'"),
    ({"normalise": "sum"}, "normalise must be energy or weights, but is 'sum'"),
]


@pytest.mark.parametrize(("options", "message"), WRONG)
def test_modes_without_a_name_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        filter_image(np.ones((4, 5)), KernelField(Gaussian(sigma=1.0)), **options)


def spoilt(*shape: int) -> np.ndarray:
    guide = np.ones(shape)
    guide.flat[0] = np.nan
    return guide


GUIDES: list[tuple[type[Family], tuple[int, ...], Any, str]] = [
    (Gaussian, (4, 5), np.ones((4, 5)), "guide is not looked at by kernels of isotropic Gaussian"),
    (Bilateral, (2, 3, 4, 5), None, "guide must be given for a batch"),
    (Bilateral, (3, 4, 5), np.ones((5, 4)), r"guide must be \[H, W\] or .* shape \[5, 4\]"),
    (Bilateral, (4, 5), np.ones((1, 1, 4, 5)), r"guide must be .* shape \[1, 1, 4, 5\]"),
    (Bilateral, (4, 5), spoilt(4, 5), "guide must be finite"),
]


@pytest.mark.parametrize(("kind", "shape", "guide", "message"), GUIDES)
def test_guides_that_do_not_fit_are_refused(
    kind: type[Family], shape: tuple[int, ...], guide: Any, message: str
) -> None:
    with pytest.raises(InvalidArgument, match=message):
        filter_image(np.ones(shape), KernelField(kind()), guide=guide)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("family", [Gaussian(sigma=2.3), Lens(radius=5.4), Box(radius=1.5)])
def test_one_mirrored_kernel_for_all_gives_what_it_receives(
    family: Family, boundary: str, rng: np.random.Generator
) -> None:
    image = rng.random((3, 21, 40), dtype=np.float32)
    image[1, 7, 9] = np.nan
    scattered, gathered = (
        filter_image(image, KernelField(family), engine="direct", boundary=boundary, mode=mode)
        for mode in ("scatter", "gather")
    )
    np.testing.assert_array_equal(scattered, gathered)


@pytest.mark.parametrize(("boundary", "pad"), [("reflect", "reflect"), ("circular", "wrap")])
def test_beyond_the_border_kernels_go_on_with_the_pixels(
    boundary: str, pad: str, rng: np.random.Generator
) -> None:
    image, radius = rng.random((9, 13)), rng.uniform(0, 4, (9, 13))
    reach = Lens(radius=radius).reach()
    wide, owners = (np.pad(values, reach, mode=pad) for values in (image, radius))
    scattered = filter_image(
        wide, KernelField(Lens(radius=owners)), mode="scatter", boundary="constant"
    )
    got = filter_image(image, KernelField(Lens(radius=radius)), mode="scatter", boundary=boundary)
    inside = slice(reach, -reach)
    np.testing.assert_allclose(got, scattered[inside, inside], rtol=0, atol=1e-13)
