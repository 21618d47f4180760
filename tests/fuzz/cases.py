"""Which file is damaged how, and filtered how: all of it follows from two numbers."""

from __future__ import annotations

import random
from dataclasses import dataclass

from .mutate import Damaged, damaged
from .seeds import PAGED, Seed

SCHEDULE = (
    "png", "tiff", "jpeg", "exr", "png", "netpbm", "tiff", "jpeg", "webp", "npy", "tiff", "png",
    "jpeg", "exr", "gif", "tiff", "pam", "jpeg", "bmp", "png", "tiff", "avif", "pfm", "jxl",
    "zarr",
)  # fmt: skip
"""The formats in turn: more often those that can go wrong in more ways."""
_PIPE = 60_000
"""Bytes that a pipe takes before anybody reads."""
MISLEADING = (".jpg", ".png")
_SAME = {"png": ".png", "jpeg": ".jpg", "exr": ".exr", "netpbm": ".ppm", "webp": ".webp"}


@dataclass(frozen=True)
class Case:
    """A damaged file, and how it is filtered."""

    number: int
    seed: Seed
    damaged: Damaged
    suffix: str
    """Of the file, mostly the right one."""
    target: str
    """The suffix of what is written."""
    sigma: float = 0.0
    boundary: str = "replicate"
    jobs: int = 1
    piped: bool = False
    is_map: bool = False
    """Whether it drives the filter of another image."""

    @property
    def cut_short(self) -> bool:
        """Whether pixels are certainly missing."""
        return self.damaged.kept is not None and self.damaged.kept < self.seed.needs

    def __str__(self) -> str:
        """Say what it is."""
        how = f"sigma {self.sigma:g} to {self.target}, {self.boundary}, {self.jobs} jobs"
        ways = ", ".join(self.damaged.how) or "nothing"
        more = ", piped" * self.piped + ", as a map" * self.is_map
        return f"{self.seed.format}: {self.seed.name}; damage: {ways}; {how}{more}"


def case(corpus: dict[str, list[Seed]], run: int, number: int) -> Case:
    """Give a case of a run."""
    rng = random.Random(f"{run} {number}")
    schedule = [name for name in SCHEDULE if name in corpus]
    seeds = corpus[schedule[number % len(schedule)]]
    seed = rng.choice(seeds)
    wrecked = damaged(rng, seed, seeds)
    folder = bool(seed.place)
    sigma = rng.choice((0.0, 1.0))
    targets = (".npy", ".npy", ".tif", ".tif", _SAME.get(seed.format, ".tif"))
    target = rng.choice(targets if _fits_npy(seed) else targets[2:])
    return Case(
        number,
        seed,
        wrecked,
        seed.suffix if rng.random() < 0.9 else rng.choice(("", ".png", ".exr", ".jpg", ".dat")),
        target,
        sigma,
        boundary="circular" if rng.random() < 0.1 else "replicate",
        jobs=rng.choice((1, 2)),
        piped=not folder and rng.random() < 0.1 and len(wrecked.data) < _PIPE,
        is_map=rng.random() < 0.05,
    )


def _fits_npy(seed: Seed) -> bool:
    return seed.name not in PAGED and "CMYK" not in seed.name and seed.name != "inks"


def sound(corpus: dict[str, list[Seed]]) -> list[Case]:
    """Give the cases of all seeds as they are: by their right names, by wrong ones, and piped."""
    cases: list[Case] = []
    for seed in (seed for some in corpus.values() for seed in some):
        whole = Damaged(seed.data, ())
        for suffix, piped in (
            (seed.suffix, False),
            ("", False),
            (MISLEADING[seed.suffix == ".jpg"], False),
            ("", True),
        ):
            if (seed.place and suffix != seed.suffix) or (
                piped and (seed.place or len(seed.data) > _PIPE)
            ):
                continue
            target = ".npy" if _fits_npy(seed) else ".tif"
            cases.append(Case(-1 - len(cases), seed, whole, suffix, target, piped=piped))
    return cases
