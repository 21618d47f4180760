"""Which engine is taken, which is not, and the reasons that are given."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
from cases import LOOSE, TIGHT
from click.testing import CliRunner

from svfilter import Gaussian, KernelField, compiled, filter_image
from svfilter.cli import cli
from svfilter.engines import ENGINES, choose_engine, passed_over
from svfilter.engines.base import ROUNDING, Problem
from svfilter.engines.scale_space import chains
from svfilter.errors import EngineUnavailable, InvalidArgument
from svfilter.kernels import FAMILIES


def problem(sigma: float, *, truncate: float = 4.0, device: str = "cpu", **facts) -> Problem:
    ends = (Gaussian(sigma=s, truncate=truncate) for s in (0.0, sigma))
    return Problem(device, *ends, **facts)


def why_not(engine: str, what: Problem) -> str:
    return ENGINES[engine].why_not(what) or ""


def test_an_engine_by_name_is_that_engine_or_an_error() -> None:
    with pytest.raises(InvalidArgument, match="engine must be auto, .* but is 'magic'"):
        choose_engine("magic", problem(2))
    with pytest.raises(EngineUnavailable, match="reference .* no gradients"):
        choose_engine("reference", problem(2, needs_gradient=True))
    with pytest.raises(EngineUnavailable, match="reference .* device is cuda"):
        choose_engine("reference", problem(2, device="cuda"))
    with pytest.raises(EngineUnavailable, match="direct .* no gradients"):
        choose_engine("direct", problem(2, needs_gradient=True))
    with pytest.raises(EngineUnavailable, match="scale_space .* tolerance is 0"):
        choose_engine("scale_space", problem(2))
    for name in ("direct", "scale_space", "unfold", "reference"):
        assert choose_engine(name, problem(2, tolerance=LOOSE)) is ENGINES[name]


def test_where_none_can_every_reason_is_given() -> None:
    with pytest.raises(EngineUnavailable, match="MPS has no float64") as caught:
        choose_engine("auto", problem(2, device="mps", dtype="float64"))
    for name, engine in ENGINES.items():
        assert (f"{name}: " in str(caught.value)) == engine.automatic


@pytest.mark.parametrize("sigma", [0.0, 0.3, 2.0, 16.0, 64.0, 1000.0])
@pytest.mark.parametrize("facts", [{}, {"dtype": "float64"}, {"planes": 1, "pixels": 1}])
def test_without_a_tolerance_only_exact_engines_are_taken(sigma: float, facts: dict) -> None:
    what = problem(sigma, **facts)
    chosen = choose_engine("auto", what)
    assert chosen.bound(what) <= ROUNDING
    assert chosen.name != "scale_space"
    assert "tolerance" in why_not("scale_space", what) or what.dtype == "float64"


@pytest.mark.parametrize("sigma", [16.0, 40.0, 64.0])
def test_a_tolerance_that_is_met_makes_large_sigmas_cheap(sigma: float) -> None:
    assert choose_engine("auto", problem(sigma, tolerance=LOOSE)).name == "scale_space"


@pytest.mark.parametrize("tolerance", [1e-4, LOOSE, 0.01, 1.0])
@pytest.mark.parametrize("sigma", [0.1, 1.0, 4.0, 64.0, 65.0])
def test_what_is_chosen_states_an_error_within_the_tolerance(
    tolerance: float, sigma: float
) -> None:
    what = problem(sigma, tolerance=tolerance)
    assert choose_engine("auto", what).bound(what) <= max(tolerance, ROUNDING)


@pytest.mark.parametrize("above", [0.0, 5e-7, 2e-6])
def test_a_tolerance_is_kept_at_its_very_edge(above: float) -> None:
    """Who gives no reason why not states an error within the tolerance, rounding and all."""
    for chain in chains():
        what = problem(chain.sigma_max, tolerance=chain.bound + above)
        if not why_not("scale_space", what):
            assert ENGINES["scale_space"].bound(what) <= what.tolerance
            assert choose_engine("scale_space", what)
        else:
            assert above <= chain.error - chain.bound


def test_a_tolerance_below_every_bound_is_refused() -> None:
    least = min(chain.bound for chain in chains())
    for tolerance in (np.nextafter(least, 0), 1e-5, 0.0):
        assert "at most" in why_not("scale_space", problem(4, tolerance=float(tolerance)))


def test_a_tight_tolerance_gets_a_tight_chain() -> None:
    if all(chain.tolerance > TIGHT for chain in chains()):
        pytest.skip("there is no tight chain yet")
    what = problem(4, tolerance=TIGHT)
    assert ENGINES["scale_space"].bound(what) <= TIGHT
    loose = dataclasses.replace(what, tolerance=LOOSE)
    assert ENGINES["scale_space"].cost(loose) < ENGINES["scale_space"].cost(what)


@pytest.mark.parametrize(
    ("what", "words"),
    [
        (problem(65, tolerance=LOOSE), ("sigma goes up to 65", "only to 64")),
        (problem(2, tolerance=LOOSE, truncate=3), ("truncate 4", "truncate is 3")),
        (problem(2, tolerance=LOOSE, dtype="float64"), ("float32", "float64")),
        (problem(2, tolerance=LOOSE, needs_gradient=True), ("no gradients",)),
        (problem(2, tolerance=LOOSE, device="cuda:1"), ("CPU", "cuda:1")),
        (problem(2, tolerance=1e-5), ("1e-05",)),
    ],
)
def test_scale_space_says_what_it_is_not_for(what: Problem, words: tuple[str, ...]) -> None:
    assert all(word in why_not("scale_space", what) for word in words)
    assert choose_engine("auto", what).name != "scale_space"


UNSHARP = FAMILIES["unsharp"]()  # as it is, without going by its Gaussian


def of(family: str, narrow: dict[str, float], wide: dict[str, float], **facts) -> Problem:
    narrowest, widest = (FAMILIES[family](**values).linear() for values in (narrow, wide))
    return Problem("cpu", narrowest, widest, **{"tolerance": LOOSE, **facts})


@pytest.mark.parametrize(
    ("what", "engine", "words"),
    [
        (problem(2, tolerance=LOOSE, mode="scatter"), "scale_space", "it gathers only"),
        (problem(2, tolerance=LOOSE, mode="scatter"), "lowrank", "it gathers only"),
        (of("bilateral", {}, {}, guides=1), "lowrank", "it takes no guide"),
        (of("bilateral", {}, {}, guides=1), "scale_space", "it takes no guide"),
        (
            Problem("cpu", UNSHARP, UNSHARP, tolerance=LOOSE),
            "lowrank",
            "for kernels that add up to 1",
        ),
        (of("moffat", {"fwhm": 0.0}, {"fwhm": 3.0}), "scale_space", "it is for Gaussians"),
        (of("lens", {"radius": 0.0}, {"radius": 3.0}), "lowrank", "its kernels have edges"),
        (
            of("elliptical", {"sigma_x": 1.0, "angle": 0.0}, {"sigma_x": 2.0, "angle": 9.0}),
            "lowrank",
            "its basis follows one parameter, and sigma_x and angle vary",
        ),
        (of("moffat", {"fwhm": 0.0}, {"fwhm": 200.0}), "lowrank", "kernels reach 800"),
    ],
)
def test_what_an_engine_is_not_for_is_said(what: Problem, engine: str, words: str) -> None:
    assert words in why_not(engine, what)
    assert choose_engine("auto", what).name != engine


@pytest.mark.parametrize("family", FAMILIES)
def test_every_family_has_a_compiled_engine_and_one_with_gradients(family: str) -> None:
    kind = FAMILIES[family]
    for mode in ("gather", "scatter") if kind.scatters else ("gather",):
        facts = {"guides": 3 if kind.guided else 0, "mode": mode}
        assert why_not("direct", of(family, {}, {}, **facts)) == ""
        assert why_not("unfold", of(family, {}, {}, needs_gradient=True, **facts)) == ""
        assert choose_engine("auto", of(family, {}, {}, tolerance=0.0, **facts)).name == "direct"


def test_gradients_and_float64_go_to_torch() -> None:
    for facts in ({"needs_gradient": True}, {"dtype": "float64"}, {"device": "cuda"}):
        assert choose_engine("auto", problem(8, tolerance=LOOSE, **facts)).name == "unfold"


@pytest.mark.parametrize("cheapest", ["direct", "scale_space", "unfold"])
def test_the_cheapest_is_taken_and_the_others_know_why(
    cheapest: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, engine in ENGINES.items():
        cost = 1.0 if name == cheapest else 3.0
        monkeypatch.setattr(type(engine), "cost", lambda self, what, cost=cost: cost)
    monkeypatch.setattr(type(ENGINES["reference"]), "cost", lambda self, what: 0.0)
    what = problem(8, tolerance=LOOSE)
    chosen = choose_engine("auto", what)
    assert chosen.name == cheapest
    reasons = passed_over(chosen, what)
    assert set(reasons) == set(ENGINES) - {cheapest}
    assert reasons["reference"] == "it is never chosen by itself"
    others = {"direct", "scale_space", "unfold"} - {cheapest}
    assert all("about 3.0 times the cost" in reasons[name] for name in others)
    exact = passed_over(ENGINES["unfold"], problem(8))
    assert "tolerance is 0" in exact["scale_space"]


def test_an_engine_that_states_too_large_an_error_is_never_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    what = problem(64, tolerance=LOOSE)
    assert choose_engine("auto", what).name == "scale_space"
    monkeypatch.setattr(type(ENGINES["scale_space"]), "bound", lambda self, what: 0.0123)
    assert choose_engine("auto", what).name != "scale_space"
    with pytest.raises(EngineUnavailable, match="error is at most 0.012, .* tolerance is 0.002"):
        choose_engine("scale_space", what)


def test_costs_grow_with_the_work() -> None:
    for name, engine in ENGINES.items():
        what = problem(4, tolerance=LOOSE)
        more = dataclasses.replace(what, pixels=10 * what.pixels)
        if engine.why_not(what) is None:
            assert 0 < engine.cost(what) < engine.cost(more), name


def test_without_numba_torch_does_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(compiled, "missing", lambda: "numba cannot be imported (not here)")
    image = np.linspace(0, 1, 72, dtype=np.float32).reshape(8, 9)
    field = KernelField(Gaussian(sigma=image))
    assert choose_engine("auto", problem(4)).name == "unfold"
    np.testing.assert_array_equal(
        filter_image(image, field), filter_image(image, field, engine="unfold")
    )
    for name in ("direct", "scale_space"):
        with pytest.raises(EngineUnavailable, match=f"{name} .*numba cannot be imported"):
            filter_image(image, field, engine=name, tolerance=LOOSE)
    told = CliRunner().invoke(cli, ["info"], catch_exceptions=False).stdout
    assert len(re.findall("cpu +not available: numba cannot be imported .not here.", told)) == 2
