"""Laws that every kernel family keeps, and what is particular to each."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from cases import every_family, rough_field

from svfilter import Gaussian, KernelField, filter_image
from svfilter.errors import InvalidArgument
from svfilter.kernels import FAMILIES
from svfilter.kernels.base import Family


def taps(family: Family, extra: int = 0) -> np.ndarray:
    reach = family.radius() + extra
    return np.arange(-reach, reach + 1, dtype=np.float64)


def all_weights(family: Family, extra: int = 0) -> np.ndarray:
    t = taps(family, extra)
    return np.asarray(family.weights(t[:, None, None, None], t[None, :, None, None]))


@pytest.fixture(params=every_family())
def family(request: pytest.FixtureRequest, rng: np.random.Generator) -> Family:
    return rough_field(FAMILIES[request.param], (6, 7), rng).family


def test_weights_sum_to_one(family: Family) -> None:
    np.testing.assert_allclose(all_weights(family).sum((0, 1)), 1, rtol=0, atol=1e-14)


def test_weights_beyond_the_radius_are_zero(family: Family) -> None:
    wide = all_weights(family, extra=3)
    np.testing.assert_array_equal(wide[3:-3, 3:-3], all_weights(family))
    wide[3:-3, 3:-3] = 0
    assert not wide.any()


def test_weights_do_not_depend_on_which_taps_are_asked_for(family: Family) -> None:
    t = taps(family)
    some = family.weights(t[1:3, None, None, None], t[None, -3:, None, None])
    np.testing.assert_array_equal(some, all_weights(family)[1:3, -3:])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_weights_do_not_depend_on_the_other_pixels(family: Family, dtype: str) -> None:
    field = KernelField(family).transform(lambda v: v.astype(dtype))
    whole = all_weights(field.family)
    for row, col in np.ndindex(6, 7):
        alone = field.transform(lambda v: v[row : row + 1, col : col + 1]).family  # noqa: B023
        inset = family.radius() - alone.radius()
        near = whole[inset : len(whole) - inset, inset : len(whole) - inset]
        np.testing.assert_array_equal(all_weights(alone)[:, :, 0, 0], near[:, :, row, col])


def test_weights_of_torch_equal_those_of_numpy(family: Family) -> None:
    t = torch.from_numpy(taps(family))
    same = KernelField(family).transform(torch.from_numpy).family
    got = same.weights(t[:, None, None, None], t[None, :, None, None])
    np.testing.assert_allclose(got.numpy(), all_weights(family), rtol=0, atol=1e-16)


def test_a_delta_returns_the_kernel_and_a_constant_stays(family: Family) -> None:
    alone = KernelField(family).transform(lambda v: v[3, 4]).family
    kernel = all_weights(alone)[:, :, 0, 0] if alone.radius() else np.ones((1, 1))
    size = len(kernel)
    delta = np.zeros((2 * size + 1, 2 * size + 1))
    delta[size, size] = 1
    got = filter_image(delta, KernelField(alone), boundary="constant")
    inside = slice(size - alone.radius(), size + alone.radius() + 1)
    np.testing.assert_allclose(got[inside, inside], kernel[::-1, ::-1], rtol=0, atol=1e-15)
    assert math.isclose(got.sum(), 1, abs_tol=1e-12)
    flat = filter_image(np.full((6, 7), 0.7), KernelField(family))
    np.testing.assert_allclose(flat, 0.7, rtol=0, atol=1e-14)


def test_values_out_of_range_are_refused_by_name() -> None:
    for kind in FAMILIES.values():
        for name, parameter in kind.parameters().items():
            for bad in (parameter.low - 1, parameter.high * 2, math.nan, math.inf, -math.inf):
                field = KernelField(kind(**{name: bad}))
                with pytest.raises(InvalidArgument, match=rf"^{name} must lie in .* but is "):
                    field.validate(3, 3)


def test_every_parameter_is_described() -> None:
    assert "gaussian" in FAMILIES
    for kind in FAMILIES.values():
        assert kind.summary
        for parameter in kind.parameters().values():
            assert parameter.low <= parameter.default <= parameter.high
            assert parameter.unit
            assert parameter.help


@pytest.mark.parametrize(
    ("sigma", "truncate", "radius"),
    [(0, 4, 0), (0.12, 4, 0), (0.125, 4, 1), (1, 4, 4), (1.12, 4, 4), (1.125, 4, 5), (3, 2.5, 8)],
)
def test_gaussian_radius_follows_scipys_rule(sigma: float, truncate: float, radius: int) -> None:
    assert radius == int(truncate * sigma + 0.5)
    family = Gaussian(sigma=np.full((1, 1), float(sigma)), truncate=truncate)
    assert family.radius() == radius
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
