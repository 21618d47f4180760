"""Laws that every kernel family keeps, and what is particular to the Gaussian."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from array_api_compat import array_namespace
from cases import every_family, rough_field

from svfilter import Gaussian, KernelField, filter_image
from svfilter.errors import InvalidArgument
from svfilter.kernels import FAMILIES
from svfilter.kernels.base import Family

EXACT = {"gaussian", "unsharp"}
"""Families whose weights sum their taps in one order, whatever the other pixels are."""


def reach(family: Family, extra: int = 0, dtype: str = "float64") -> np.ndarray:
    return np.arange(-family.reach() - extra, family.reach() + extra + 1).astype(dtype)


def differ(dy: Any, dx: Any, contrast: float) -> Any:
    """Give a guide's differences that an offset alone decides: 0 at the pixel itself."""
    return contrast * array_namespace(dy).sin(dy + 2 * dx)


def looks(family: Family, dy: Any, dx: Any, contrast: float) -> tuple[Any, ...]:
    """Give the differences that a family asks for: two planes of them, or none."""
    if not family.guided:
        return ()
    return differ(dy, dx, contrast), differ(dx, dy, contrast)


def weigh(family: Family, dy: Any, dx: Any, contrast: float = 0.3) -> Any:
    """Give a family's weights, of a guided one before a guide of some contrast."""
    if not family.guided:
        return family.weights(dy, dx)
    t = array_namespace(dy).arange(-family.reach(), family.reach() + 1, dtype=dy.dtype)
    rows, cols = t[:, None, None, None], t[None, :, None, None]
    u = family.masked(rows, cols, *looks(family, rows, cols, contrast))
    total = u.sum(1).sum(0)
    return family.masked(dy, dx, *looks(family, dy, dx, contrast)) / total


def all_weights(
    family: Family, extra: int = 0, dtype: str = "float64", contrast: float = 0.3
) -> np.ndarray:
    t = reach(family, extra, dtype)
    return np.asarray(weigh(family, t[:, None, None, None], t[None, :, None, None], contrast))


@pytest.fixture(params=every_family())
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def family(name: str, rng: np.random.Generator) -> Family:
    return rough_field(FAMILIES[name], (6, 7), rng).family


def test_weights_sum_to_one(family: Family) -> None:
    np.testing.assert_allclose(all_weights(family).sum((0, 1)), 1, rtol=0, atol=1e-13)


def test_weights_beyond_the_radius_are_zero(family: Family) -> None:
    wide = all_weights(family, extra=3)
    np.testing.assert_array_equal(wide[3:-3, 3:-3], all_weights(family))
    wide[3:-3, 3:-3] = 0
    assert not wide.any()


def test_weights_beyond_a_pixels_own_radius_are_zero(family: Family) -> None:
    t = np.abs(reach(family))
    own = np.maximum(t[:, None], t)[..., None, None] <= np.asarray(family.reaches())
    assert not all_weights(family)[~own].any()


def test_the_profile_is_finite_beyond_the_radius_too(name: str, family: Family) -> None:
    least = KernelField(family).transform(lambda v: np.where(v < 0.2, 1e-30, v)).family
    for some in (family, least):
        for dtype in ("float32", "float64"):
            t = reach(some, 40, dtype)
            dy, dx = t[:, None, None, None], t[None, :, None, None]
            ready = KernelField(some).transform(lambda v: v.astype(dtype)).family  # noqa: B023
            profile = ready.profile(dy, dx, *looks(ready, dy, dx, 0.3))
            assert profile.dtype == dtype
            assert np.isfinite(profile).all()


def test_weights_do_not_depend_on_which_taps_are_asked_for(family: Family) -> None:
    t = reach(family)
    some = weigh(family, t[1:3, None, None, None], t[None, -3:, None, None])
    np.testing.assert_array_equal(some, all_weights(family)[1:3, -3:])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_weights_do_not_depend_on_the_other_pixels(name: str, family: Family, dtype: str) -> None:
    field = KernelField(family).transform(lambda v: v.astype(dtype))
    rounding = 0 if name in EXACT else {"float32": 2e-6, "float64": 1e-14}[dtype]
    whole = all_weights(field.family, dtype=dtype)
    assert whole.dtype == dtype
    for row, col in np.ndindex(6, 7):
        alone = field.transform(lambda v: v[row : row + 1, col : col + 1]).family  # noqa: B023
        inset = field.reach - alone.reach()
        near = whole[inset : len(whole) - inset, inset : len(whole) - inset]
        got = all_weights(alone, dtype=dtype)[:, :, 0, 0]
        np.testing.assert_allclose(got, near[:, :, row, col], rtol=rounding, atol=0)


def test_weights_of_torch_equal_those_of_numpy(family: Family) -> None:
    t = torch.from_numpy(reach(family))
    same = KernelField(family).transform(torch.from_numpy).family
    got = weigh(same, t[:, None, None, None], t[None, :, None, None])
    np.testing.assert_allclose(got.numpy(), all_weights(family), rtol=0, atol=1e-14)
    np.testing.assert_array_equal(same.reaches().numpy(), family.reaches())
    assert same.reach() == family.reach()


def test_numbers_that_fill_a_map_are_the_same_as_numbers(name: str) -> None:
    kind = FAMILIES[name]
    values = {n: p.default / 2 for n, p in kind.parameters().items() if p.per_pixel}
    few = KernelField(kind(**values)).transform(np.float64).family
    full = KernelField(kind(**values)).transform(lambda v: np.full((1, 2), v)).family
    assert kind(**values).reach() == few.reach() == full.reach()
    t = reach(few)
    one = weigh(few, t[:, None, None, None], t[None, :, None, None])
    np.testing.assert_allclose(np.broadcast_to(one, (*one.shape[:2], 1, 2)), all_weights(full))


@pytest.mark.parametrize("even", [name for name in every_family() if FAMILIES[name]().even])
def test_an_even_familys_weights_are_mirrored(even: str, rng: np.random.Generator) -> None:
    weights = all_weights(rough_field(FAMILIES[even], (6, 7), rng).family)
    np.testing.assert_array_equal(weights, weights[::-1])
    np.testing.assert_array_equal(weights, weights[:, ::-1])


def test_a_delta_returns_the_kernel_and_a_constant_stays(family: Family) -> None:
    alone = KernelField(family).transform(lambda v: v[3, 4]).family
    kernel = all_weights(alone, contrast=0)[:, :, 0, 0] if alone.reach() else np.ones((1, 1))
    size = len(kernel)
    delta = np.zeros((2 * size + 1, 2 * size + 1))
    delta[size, size] = 1
    options: dict[str, Any] = {"boundary": "constant", "engine": "unfold"}
    flat = {"guide": np.zeros_like(delta)} if family.guided else {}
    got = filter_image(delta, KernelField(alone), **options, **flat)
    inside = slice(size - alone.reach(), size + alone.reach() + 1)
    np.testing.assert_allclose(got[inside, inside], kernel[::-1, ::-1], rtol=0, atol=1e-14)
    assert math.isclose(got.sum(), 1, abs_tol=1e-12)
    grey = filter_image(np.full((6, 7), 0.7), KernelField(family), engine="unfold")
    np.testing.assert_allclose(grey, 0.7, rtol=0, atol=1e-13)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_all_parameters_at_zero_are_the_identity_exactly(
    name: str, dtype: str, rng: np.random.Generator
) -> None:
    kind = FAMILIES[name]
    zeros = {n: np.zeros((5, 4), dtype) for n, p in kind.parameters().items() if p.per_pixel}
    assert kind(**zeros).reach() == 0
    assert kind(**dict.fromkeys(zeros, 0.0)).reach() == 0
    np.testing.assert_array_equal(all_weights(kind(**zeros), dtype=dtype), np.ones((1, 1, 5, 4)))
    image = rng.random((3, 5, 4)).astype(dtype)
    got = filter_image(image, KernelField(kind(**zeros)), engine="unfold")
    np.testing.assert_array_equal(got, image)


def test_the_radius_grows_with_every_parameter(name: str) -> None:
    kind = FAMILIES[name]
    table = {n: p for n, p in kind.parameters().items() if p.per_pixel}
    for grown, parameter in table.items():
        values = np.linspace(parameter.low, min(parameter.high, 20), 301)
        rest = {n: np.full_like(values, p.default) for n, p in table.items()}
        radii = np.asarray(kind(**{**rest, grown: values}).reaches())
        assert radii.dtype == np.int64
        assert (np.diff(radii) >= 0).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_radius_is_that_of_the_widest_pixel(family: Family, dtype: str) -> None:
    field = KernelField(family).transform(lambda v: v.astype(dtype))
    radii = np.asarray(field.family.reaches())
    assert radii.shape == (6, 7)
    assert radii.max() <= field.reach
    for index in np.ndindex(6, 7):
        alone = field.transform(lambda v: v[index]).family  # noqa: B023
        assert alone.reach() == alone.reaches() == radii[index]


def test_values_out_of_range_are_refused_by_name(name: str) -> None:
    kind = FAMILIES[name]
    for option, parameter in kind.parameters().items():
        for bad in (parameter.low - 1, parameter.high + 1, math.nan, math.inf, -math.inf):
            with pytest.raises(InvalidArgument, match=rf"^{option} must lie in .* but is "):
                KernelField(kind(**{option: bad})).validate(3, 3)


def test_every_parameter_is_described(name: str) -> None:
    kind = FAMILIES[name]
    assert kind.summary
    for parameter in kind.parameters().values():
        assert parameter.low <= parameter.default <= parameter.high
        assert parameter.unit
        assert parameter.help
    KernelField(kind()).validate(3, 3)  # the defaults are allowed


@pytest.mark.parametrize("least", [0.0, 1e-30, 1e-3])
def test_gradients_are_finite_where_kernels_vanish(name: str, least: float) -> None:
    kind = FAMILIES[name]
    for dtype in (torch.float32, torch.float64):
        leaves = {
            option: torch.tensor([[least, 2.0], [0.0, least]], dtype=dtype, requires_grad=True)
            for option, parameter in kind.parameters().items()
            if parameter.per_pixel
        }
        family = kind(**leaves)
        t = torch.arange(-family.reach(), family.reach() + 1, dtype=dtype)
        weights = weigh(family, t[:, None, None, None], t[None, :, None, None])
        (
            weights.square() * (1 + t[:, None, None, None] + 2 * t[None, :, None, None])
        ).sum().backward()
        for leaf in leaves.values():
            assert leaf.grad is not None
            assert torch.isfinite(leaf.grad).all()


@pytest.mark.parametrize(
    ("sigma", "truncate", "radius"),
    [(0, 4, 0), (0.12, 4, 0), (0.125, 4, 1), (1, 4, 4), (1.12, 4, 4), (1.125, 4, 5), (3, 2.5, 8)],
)
def test_gaussian_radius_follows_scipys_rule(sigma: float, truncate: float, radius: int) -> None:
    assert radius == int(truncate * sigma + 0.5)
    family = Gaussian(sigma=np.full((1, 1), float(sigma)), truncate=truncate)
    assert family.reach() == radius
    row = all_weights(family, extra=1)[radius + 1, :, 0, 0]
    assert (row > 0).sum() == 2 * radius + 1  # the tap on the edge belongs to it


def test_gaussian_weights_follow_their_equation() -> None:
    sigma = np.float64(1.7)
    d = np.arange(-7, 8)  # int(4 * 1.7 + 0.5) = 7
    g = np.exp(-(d**2) / (2 * sigma**2))
    expected = np.outer(g, g) / g.sum() ** 2
    got = Gaussian(sigma=sigma).weights(d[:, None].astype(float), d[None, :].astype(float))
    np.testing.assert_allclose(got, expected, rtol=1e-14)


def test_gaussian_below_half_a_tap_is_the_identity_exactly() -> None:
    for sigma in (0.0, 1e-300, 1e-30, 0.1249):
        weights = all_weights(Gaussian(sigma=np.full((1, 1), sigma)))
        np.testing.assert_array_equal(weights, [[[[1.0]]]])


def test_taps_beyond_the_span_weigh_nothing(family: Family) -> None:
    t = reach(family, 2)
    dy, dx = t[:, None, None, None], t[None, :, None, None]
    if (span := family.span(dy)) is None:
        return
    low, high = span
    u = np.broadcast_to(family.masked(dy, dx), (len(t), len(t), 6, 7))
    outside = np.broadcast_to((dx < low - 1) | (dx > high + 1), u.shape)
    assert outside.any()
    assert not u[outside].any()
