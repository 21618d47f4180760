"""THE table: the awkward images and fields on which every engine must agree with the oracle."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from svfilter import KernelField, filter_image
from svfilter.engines import ENGINES, choose_engine
from svfilter.engines.base import Problem
from svfilter.errors import EngineUnavailable
from svfilter.functional import filter_window
from svfilter.kernels import FAMILIES
from svfilter.kernels.base import Family
from svfilter.tiles import Window, plan

LARGEST = 4.0
"""Per-pixel parameters go from their least value up to this, roughly from pixel to pixel."""


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
    kind: type[Family], shape: tuple[int, ...], rng: np.random.Generator
) -> KernelField:
    """Give a float64 field that jumps from pixel to pixel, with both ends of the range in it."""
    values = {}
    for name, parameter in kind.parameters().items():
        if not parameter.per_pixel:
            continue
        high = min(parameter.high, LARGEST)
        drawn = rng.uniform(parameter.low, high, shape)
        ends = rng.random(shape)
        drawn = np.where(ends < 0.1, parameter.low, np.where(ends > 0.9, high, drawn))
        values[name] = drawn.astype(np.float32).astype(np.float64)  # exact in both
    return KernelField(kind(**values))


def every_family() -> list[str]:
    return list(FAMILIES)


LOOSE, TIGHT = 0.5 / 255, 2.5e-4
TOLERANCES = {"scale_space": (LOOSE, TIGHT), "lowrank": (LOOSE, TIGHT)}
"""What the engines that are not exact are run at; the others are at 0."""


def problem_of(image: np.ndarray, field: KernelField, **facts: Any) -> Problem:
    """Give the problem that `filter_image` would make of a NumPy image."""
    return Problem(
        facts.pop("device", "cpu"),
        *field.ends(),
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
        return ENGINES[self.engine].bound(problem)

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
        memory: int = 2**28,
        jobs: int | None = None,
    ) -> np.ndarray:
        """Filter window by window, as the pipeline does."""
        problem = problem_of(image, field, tolerance=self.tolerance)
        out = np.empty_like(image)
        for window in plan(*image.shape[-2:], rows, cols):
            out[..., window.rows, window.cols] = filter_window(
                lambda source: image[..., source.rows, source.cols],
                field.window(window),
                Window(*window),
                size=image.shape[-2:],
                boundary=boundary,
                engine=ENGINES[self.engine],
                problem=problem,
                memory=memory,
                jobs=jobs,
            )
        return out


WAYS = [
    Way(name, tolerance)
    for name in ENGINES
    if name != "reference"
    for tolerance in TOLERANCES.get(name, (0.0,))
]
"""Every engine but the oracle, at each tolerance that makes a difference."""
COMPILED = [way for way in WAYS if way.engine in ("direct", "scale_space")]
