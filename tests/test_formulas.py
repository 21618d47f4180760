"""Formulas: what a family's profile says, compiled, is what NumPy makes of it."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest
from array_api_compat import array_namespace
from conftest import assert_parity

from svfilter import KernelField, filter_image
from svfilter.compiled.formulas import IN_LANES, Symbol, UnknownOperation, formula_of
from svfilter.compiled.functions import compiled_function
from svfilter.compiled.lanes import I64, Lanes
from svfilter.compiled.machine import BYTES, LANES
from svfilter.compiled.operations import Place
from svfilter.engines.base import Mode
from svfilter.errors import EngineUnavailable
from svfilter.kernels.base import Array, Family, constant, extent, per_pixel

Profile = Callable[..., Any]


@dataclass(frozen=True, kw_only=True)
class Plain(Family):
    """A square of radius ⌈size⌉; what weighs how much is said by those that derive from it."""

    summary: ClassVar[str] = "made for a test"

    size: Array = per_pixel(2.0, unit="px", low=0, high=40, help="radius")
    tilt: Array = per_pixel(0.5, unit="", low=0, high=1, help="anything")
    power: float = constant(3.0, unit="", low=0, high=9, help="a constant")

    def reach(self) -> int:
        return int(np.ceil(extent(self.size)[1]))

    def reaches(self) -> Array:
        xp = array_namespace(self.size)
        return xp.astype(xp.ceil(self.size), xp.int64)


def family_of(u: Profile, **flags: bool) -> type[Family]:
    """Make a family of a profile (xp, dy, dx, size, tilt)."""

    def profile(self: Plain, dy: Array, dx: Array, *differences: Array) -> Array:
        return u(array_namespace(dy), dy, dx, self.size, self.tilt)

    return type("Made", (Plain,), {"profile": profile, **flags})


def one(x: Any) -> Any:
    return array_namespace(x).ones_like(x)


PROFILES: dict[str, Profile] = {
    "arithmetic": lambda xp, dy, dx, s, t: 9 + dx * t - dy / (1 + s) + (1 - t) * (2 - dx) / 3,
    "reversed": lambda xp, dy, dx, s, t: (8 - dy * t) / (5 - dx / (2 + s)),
    "divided_by_taps": lambda xp, dy, dx, s, t: 1 / (1 + dx * dx * t + 3 / (1 + dy * dy * s)),
    "negative_abs": lambda xp, dy, dx, s, t: 9 - abs(-(dx * t) + dy) - (-t),
    "least_and_most": lambda xp, dy, dx, s, t: xp.minimum(dx, t) + xp.maximum(dy, -s) + 12,
    "clip": lambda xp, dy, dx, s, t: 2 + xp.clip(dx * t, -1.0, 0.5) + xp.clip(dy - s, -0.3, t),
    "sqrt": lambda xp, dy, dx, s, t: xp.sqrt(dy * dy * t + dx * dx + xp.sqrt(s)) + 0.1,
    "exp": lambda xp, dy, dx, s, t: xp.exp(-0.3 * (dy * dy + dx * t) / (1 + s)),
    "log": lambda xp, dy, dx, s, t: 0.1 + xp.log(1 + dx * dx * t + dy * dy * s),
    "floor": lambda xp, dy, dx, s, t: xp.floor(1.7 * dx * t - 0.4 * dy) + 20,
    "where": lambda xp, dy, dx, s, t: xp.where(dx * t < dy - 0.3, 2 * one(dx), dy * dy + t + 1),
    "orders": lambda xp, dy, dx, s, t: (
        xp.where(dx > s - 2, one(dx), 2 * one(dx))
        + xp.where(dx >= t, one(dx), 3 * one(dx))
        + xp.where(dy <= 2 * t - 1, one(dy), 5 * one(dy))
        + xp.where(dy == xp.floor(s - 1), one(dy), 7 * one(dy))
    ),
    "logic": lambda xp, dy, dx, s, t: xp.where(
        ((dx > t) & ~(dy < s - 2)) | (dx + t == dy + t), 3 * one(dx), one(dx)
    ),
    "logic_by_name": lambda xp, dy, dx, s, t: xp.where(
        xp.logical_and(dx > t, xp.logical_not(dy < s - 2)), 3 * one(dx), one(dx)
    ),
    "logic_of_offsets": lambda xp, dy, dx, s, t: xp.where(
        (dx == 0) & (dy > 0), 2 + t + 0 * dx, one(dx)
    ),
    "logic_of_parameters": lambda xp, dy, dx, s, t: (
        xp.where((s > 1) | (t < 0.2), dx * t, -dx) + xp.where(s > 1, one(s), 0 * s) + 9
    ),
    "powers": lambda xp, dy, dx, s, t: (
        xp.square(dx * t) + (dy * t) ** 2 + xp.pow(s + 1, 0.5) + t**3
    ),
    "coefficients": lambda xp, dy, dx, s, t: 9 + dx * xp.cos(t) + dy * xp.sin(t) + xp.tan(t) * dx,
    "angles_of_parameters": lambda xp, dy, dx, s, t: 9 + dx * xp.atan2(t, s) + xp.arctan2(s, t),
    "tables": lambda xp, dy, dx, s, t: 2 + t * xp.cos(3 * xp.arctan2(dy, dx)),
    "two_tables": lambda xp, dy, dx, s, t: 9 + t * xp.sin(dy + dx) + s * xp.cos(dy - 2 * dx),
    "constants": lambda xp, dy, dx, s, t: xp.exp(-xp.pi * t * dx * dx / 9) + xp.e * t,
    "zeros_and_ones": lambda xp, dy, dx, s, t: t * xp.ones_like(dx) + 1 + xp.zeros_like(dy) * dx,
    "only_ones": lambda xp, dy, dx, s, t: xp.ones_like(dx * t),
    "only_a_parameter": lambda xp, dy, dx, s, t: t + 1 + 0 * s,
    "only_offsets": lambda xp, dy, dx, s, t: dx * dx + dy + 50 + 0 * t,
    "slope": lambda xp, dy, dx, s, t: (1 + (0.5 * t * dx - 0.3 * dy) / (1 + s)) / (2 * s + 1) ** 2,
}


def plain_field(kind: type[Family], rng: np.random.Generator, largest: float = 4) -> KernelField:
    size = rng.uniform(0, largest, (9, 37)).astype(np.float32).astype(np.float64)
    size[:, :3] = 0
    tilt = rng.random((9, 37), dtype=np.float32).astype(np.float64)
    return KernelField(kind(size=size, tilt=tilt))


@pytest.mark.parametrize(
    ("profile", "normalised"),
    [*((name, True) for name in PROFILES), ("arithmetic", False), ("sqrt", False)],
)
def test_a_compiled_profile_is_what_numpy_makes_of_it(
    profile: str, normalised: bool, rng: np.random.Generator
) -> None:
    field = plain_field(family_of(PROFILES[profile], normalised=normalised), rng)
    image = rng.random((2, 9, 37), dtype=np.float32)
    modes: tuple[Mode, ...] = ("gather", "scatter")
    for mode in modes:
        truth = filter_image(image.astype(np.float64), field, engine="reference", mode=mode)
        scale = max(1.0, np.abs(truth).max()) if not normalised else 1.0
        got = filter_image(image, field, engine="direct", mode=mode)
        assert_parity(got / scale, truth / scale, maximum=1e-6)


def test_every_operation_for_taps_is_in_the_table() -> None:
    def operations(symbol: Symbol, apart: set[int]) -> set[str]:
        if id(symbol) in apart:
            return set()
        return {symbol.operation}.union(*(operations(a, apart) for a in symbol.arguments))

    seen: set[str] = set()
    for profile in PROFILES.values():
        formula = formula_of(family_of(profile)(), 0)
        seen |= operations(formula.result, {id(s) for s in formula.coefficients + formula.tables})
    assert seen >= IN_LANES


@pytest.mark.parametrize("taps", [LANES - 1, LANES + 1, 2 * LANES + 1])
def test_kernels_wider_than_a_vector(taps: int, rng: np.random.Generator) -> None:
    image = rng.random((5, 12, 40), dtype=np.float32)
    kind = family_of(PROFILES["slope"])
    field = KernelField(kind(size=np.full((12, 40), taps // 2, np.float32), tilt=0.5))
    truth = filter_image(image[:1].astype(np.float64), field, engine="reference")
    assert_parity(filter_image(image, field, engine="direct")[:1], truth, maximum=1e-6)


@pytest.mark.parametrize("power", [0.0, 1.0, 4.5])
def test_constants_are_their_own_numbers(power: float, rng: np.random.Generator) -> None:
    kind = type(
        "Made",
        (Plain,),
        {"profile": lambda self, dy, dx: (1 + self.tilt) * dx * self.power + 50 + self.power * dy},
    )
    image = rng.random((7, 13), dtype=np.float32)
    field = KernelField(kind(size=rng.uniform(0, 3, (7, 13)), tilt=0.5, power=power))
    truth = filter_image(image.astype(np.float64), field, engine="reference")
    assert_parity(filter_image(image, field, engine="direct"), truth, maximum=1e-6)


@pytest.mark.parametrize(
    ("flag", "profile"),
    [
        ("even", lambda xp, dy, dx, s, t: xp.exp(-t * (dx * dx + 2 * abs(dy)) / (1 + s))),
        ("even", lambda xp, dy, dx, s, t: 1 + t * xp.cos(dx * dy) + s),
        ("compact", lambda xp, dy, dx, s, t: xp.clip(s + 1 - xp.maximum(abs(dx), abs(dy)), 0.0, t)),
    ],
    ids=["even", "even_table", "compact"],
)
def test_what_a_family_says_of_itself_changes_no_result(
    flag: str, profile: Profile, rng: np.random.Generator
) -> None:
    image = rng.random((3, 9, 37), dtype=np.float32)
    field = plain_field(family_of(profile), rng)
    field.maps["tilt"][...] = np.maximum(field.maps["tilt"], 0.1)
    said = KernelField(family_of(profile, **{flag: True})(**field.maps))
    modes: tuple[Mode, ...] = ("gather", "scatter")
    for mode in modes:
        plain, told = (filter_image(image, f, engine="direct", mode=mode) for f in (field, said))
        np.testing.assert_allclose(told, plain, rtol=0, atol=1e-6)
        assert np.abs(plain - image).max() > 0.1


REFUSED: dict[str, tuple[Profile, str]] = {
    "unknown": (lambda xp, dy, dx, s, t: xp.tanh(dx * t), "its formula uses tanh"),
    "unknown_of_offsets": (lambda xp, dy, dx, s, t: xp.sinh(dx), "its formula uses sinh"),
    "not_for_taps": (lambda xp, dy, dx, s, t: xp.cos(dx * t), "uses cos for every tap"),
    "power": (lambda xp, dy, dx, s, t: (dx * t) ** 3, "uses power for every tap"),
    "if": (lambda xp, dy, dx, s, t: dx if s > 1 else dy, "its formula branches on a value"),
    "and": (lambda xp, dy, dx, s, t: dx * (t and s), "its formula branches on a value"),
    "max": (lambda xp, dy, dx, s, t: max(dx, dy), "its formula branches on a value"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_compiled_is_said(name: str) -> None:
    profile, words = REFUSED[name]
    kind = family_of(profile)
    with pytest.raises(UnknownOperation, match=words):
        formula_of(kind(), 0)
    with pytest.raises(EngineUnavailable, match=f"direct cannot run this: .*{words}"):
        filter_image(np.ones((4, 5), np.float32), KernelField(kind()), engine="direct")


def test_a_family_that_cannot_be_compiled_is_filtered_all_the_same(
    rng: np.random.Generator,
) -> None:
    field = plain_field(family_of(lambda xp, dy, dx, s, t: xp.cos(dx * t / 9) + 0 * s), rng, 2)
    image = rng.random((9, 37), dtype=np.float32)
    truth = filter_image(image.astype(np.float64), field, engine="reference")
    assert_parity(filter_image(image, field), truth, maximum=1e-6)


def compiled_operation(name: str, values: np.ndarray) -> np.ndarray:
    """Compute an operation of one argument for whole vectors of float32."""
    leaf = Symbol("parameter")

    def write(lanes: Lanes, a: dict[str, Any]) -> None:
        with lanes.loop(I64(0), a["size"], BYTES) as (offset, _, _leave):
            place = Place(lanes, {})
            place.know(leaf, lanes.load(a["source"], offset))
            lanes.store(place.write(Symbol(name, (leaf,))), a["target"], offset)

    address = compiled_function(("source", "target", "size"), write)
    values = np.ascontiguousarray(values[: len(values) // LANES * LANES], np.float32)
    out = np.empty_like(values)
    function = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 3)(address)
    function(values.ctypes.data, out.ctypes.data, values.nbytes)
    return out


def ulps(got: np.ndarray, exact: np.ndarray) -> np.ndarray:
    return np.abs(got - exact) / np.spacing(np.abs(exact).astype(np.float32))


def test_the_exponential_is_within_two_ulps() -> None:
    x = np.linspace(-87, 88, 2**18).astype(np.float32)
    assert ulps(compiled_operation("exp", x), np.exp(x.astype(np.float64))).max() <= 2
    ends = np.float32([0, -87.01, -1e4, -np.inf] * LANES)
    np.testing.assert_array_equal(compiled_operation("exp", ends)[:4], [1, 0, 0, 0])


def test_the_logarithm_is_within_two_ulps() -> None:
    x = np.concatenate(
        [
            np.geomspace(2.0**-126, 3.4e38, 2**17).astype(np.float32),
            np.linspace(0.4, 2.5, 2**17).astype(np.float32),
        ]
    )
    x = x[x != 1]
    assert ulps(compiled_operation("log", x), np.log(x.astype(np.float64))).max() <= 2
    assert (compiled_operation("log", np.ones(LANES)) == 0).all()
