"""THE table: the awkward images and fields on which every engine must agree with the oracle."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from conftest import assert_parity

from svfilter import KernelField, filter_image
from svfilter.engines import ENGINES, choose_engine
from svfilter.engines.base import Mode, Problem
from svfilter.errors import EngineUnavailable
from svfilter.kernels import FAMILIES
from svfilter.kernels.base import Family
from svfilter.tiles import BOUNDARIES, plan
from svfilter.work import Work

LARGEST = 4.0
"""Per-pixel parameters go from their least value up to this, roughly from pixel to pixel,"""
HIGHEST = {
    "amount": 3.0,
    "angle": 360.0,
    "fwhm": 1.6,
    "sigma_range": 0.5,
    "sigma_space": 3.0,
    "sigma_x": 2.6,
    "sigma_y": 2.6,
}
"""or up to what makes kernels of some 17 x 17 taps, for the oracle's sake, if that is less."""


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
    kind: type[Family],
    shape: tuple[int, ...],
    rng: np.random.Generator,
    *,
    share: float = 1.0,
    **constants: float,
) -> KernelField:
    """Give a float64 field that jumps from pixel to pixel, with both ends of the range in it.

    Lengths go up to a share of what they do by themselves.
    """
    values = {}
    for name, parameter in kind.parameters().items():
        if not parameter.per_pixel:
            continue
        high = min(parameter.high, HIGHEST.get(name, LARGEST))
        high *= share if parameter.unit == "px" else 1
        drawn = rng.uniform(parameter.low, high, shape)
        ends = rng.random(shape)
        drawn = np.where(ends < 0.1, parameter.low, np.where(ends > 0.9, high, drawn))
        values[name] = drawn.astype(np.float32).astype(np.float64)  # exact in both
    return KernelField(kind(**values, **constants))


@dataclass(frozen=True)
class Variant:
    """A family and its constants, where they are not the default ones."""

    family: str
    constants: tuple[tuple[str, float], ...] = ()

    def __str__(self) -> str:
        return "_".join([self.family, *(f"{name}_{value:g}" for name, value in self.constants)])

    @property
    def kind(self) -> type[Family]:
        return FAMILIES[self.family]

    def field(
        self, shape: tuple[int, ...], rng: np.random.Generator, share: float = 1.0
    ) -> KernelField:
        return rough_field(self.kind, shape, rng, share=share, **dict(self.constants))

    def guide(self, image: np.ndarray, rng: np.random.Generator) -> np.ndarray | None:
        """Give a guide where the family wants one and the image itself cannot be it."""
        if not self.kind.guided or image.ndim < 4:
            return None
        return rng.random((2, *image.shape[-2:])).astype(image.dtype)


VARIANTS = [
    *(Variant(name) for name in FAMILIES),
    Variant("gaussian", (("truncate", 2.5),)),
    Variant("lens", (("blades", 5), ("rotation", 20), ("curvature", 0.25))),
    Variant("moffat", (("beta", 1.5), ("truncate", 2))),
    Variant("motion", (("path", 1),)),
    Variant("unsharp", (("threshold", 0.05),)),
]
"""Every family, and those of its constants that make another formula."""
SCATTERING = [variant for variant in VARIANTS if variant.kind.scatters]


def every_family() -> list[str]:
    return list(FAMILIES)


LOOSE, TIGHT = 0.5 / 255, 2.5e-4
TOLERANCES = {"scale_space": (LOOSE, TIGHT), "lowrank": (LOOSE, TIGHT)}
"""What the engines that are not exact are run at; the others are at 0."""


def problem_of(
    image: np.ndarray, field: KernelField, *, tolerance: float = 0.0, **facts: Any
) -> Problem:
    """Give the problem that `filter_image` would make of a NumPy image, its own guide if any."""
    family = field.family
    facts.setdefault("guides", image.shape[-3] if family.guided and image.ndim > 2 else 1)
    if not family.guided:
        facts["guides"] = 0
    return Problem(
        facts.pop("device", "cpu"),
        *KernelField(family.linear()).ends(),
        tolerance=tolerance / max(family.gain(), 1),
        dtype="float64" if image.dtype.itemsize == 8 else "float32",
        planes=int(np.prod(image.shape[:-2])),
        pixels=int(np.prod(image.shape[-2:])),
        **facts,
    )


@dataclass(frozen=True)
class Way:
    """An engine at a tolerance: how to ask for it, and the error that it states."""

    engine: str
    tolerance: float = 0.0

    def __str__(self) -> str:
        return self.engine + (f"_{self.tolerance:.2g}" if self.tolerance else "")

    @property
    def options(self) -> dict[str, Any]:
        return {"engine": self.engine, "tolerance": self.tolerance}

    def why_not(self, image: np.ndarray, field: KernelField, **facts: Any) -> str | None:
        problem = problem_of(image, field, tolerance=self.tolerance, **facts)
        try:
            choose_engine(self.engine, problem)
        except EngineUnavailable as error:
            return str(error)
        return None

    def allowed(self, image: np.ndarray, field: KernelField, **facts: Any) -> float:
        """Give the bound that the engine states; where it cannot run, skip, and say why."""
        if reason := self.why_not(image, field, **facts):
            pytest.skip(f"{self}: {reason}")
        problem = problem_of(image, field, tolerance=self.tolerance, **facts)
        return ENGINES[self.engine].bound(problem) * max(field.family.gain(), 1)

    def filter(self, image: np.ndarray, field: KernelField, **options: Any) -> np.ndarray:
        return filter_image(image, field, **self.options, **options)

    def filter_in_tiles(
        self,
        image: np.ndarray,
        field: KernelField,
        rows: int,
        cols: int,
        *,
        boundary: str = "replicate",
        mode: Mode = "gather",
        normalise: str = "energy",
        memory: int = 2**28,
        jobs: int | None = None,
    ) -> np.ndarray:
        """Filter window by window, as the pipeline does; an image may be its own guide."""
        planes = image if image.ndim > 2 else image[None]
        work = Work(
            lambda source: image[..., source.rows, source.cols],
            KernelField(field.family.linear()).window,
            image.shape[-2:],
            boundary,
            ENGINES[self.engine],
            problem_of(image, field, tolerance=self.tolerance, mode=mode),
            normalise,
            (lambda source: planes[..., source.rows, source.cols]) if field.family.guided else None,
        )
        out = np.empty_like(image)
        for window in plan(*image.shape[-2:], rows, cols):
            done = work.run(work.given(window), memory=memory, jobs=jobs)
            out[..., window.rows, window.cols] = done
        own = field.transform(lambda values: np.asarray(values, image.dtype))
        return own.family.finish(image, out)


WAYS = [
    Way(name, tolerance)
    for name in ENGINES
    if name != "reference"
    for tolerance in TOLERANCES.get(name, (0.0,))
]
"""Every engine but the oracle, at each tolerance that makes a difference."""
COMPILED = [way for way in WAYS if way.engine in ("direct", "scale_space")]
EXACT = [way for way in WAYS if not way.tolerance]


def parity_cases(variants: list[Variant]) -> list[tuple[Variant, Case, str]]:
    """Give every case for every variant: small ones with every boundary, large ones with one.

    The oracle is slow. Which boundary a large case has differs from variant to variant.
    """
    chosen = []
    for n, variant in enumerate(variants):
        for m, case in enumerate(CASES):
            small = math.prod(case.image) < 150
            rest = [list(BOUNDARIES)[(n + m) % len(BOUNDARIES)]]
            chosen += [(variant, case, name) for name in (BOUNDARIES if small else rest)]
    return chosen


def assert_engines_agree(
    image: np.ndarray, field: KernelField, *, device: str = "cpu", **options: Any
) -> None:
    """Check every engine that can run against the oracle; the exact ones must be able to."""
    guide = options.pop("guide", None)
    wide = None if guide is None else guide.astype(np.float64)
    truth = filter_image(image.astype(np.float64), field, engine="reference", guide=wide, **options)
    facts: dict[str, Any] = {"device": device, "mode": options.get("mode", "gather")}
    if guide is not None:
        facts["guides"] = len(guide)
    able, wrong = set(), []
    for way in WAYS:
        if way.why_not(image, field, **facts):
            continue
        able.add(way.engine)
        allowed = way.allowed(image, field, **facts)
        got = way.filter(image, field, device=device, guide=guide, **options)
        assert got.dtype == image.dtype
        try:
            assert_parity(got, truth, maximum=allowed)
        except AssertionError as error:
            wrong.append(f"{way}: {error}")
    assert not wrong, "; ".join(wrong)
    assert able >= ({"direct", "unfold"} if device == "cpu" else {"unfold"})
