"""Rows on what drives kernels: expressions and generators of maps."""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np
from arrays import TWELVE, checked
from pictures import files, photograph
from processes import watch
from table import Figure, Row, Setting, at_most

from svfilter import bench
from svfilter.bench import Red
from svfilter.maps.expressions import evaluate, parse
from svfilter.tiles import plan

ROWS_OF, COLS_OF = 512, 2048
"""The windows of a file's filter."""
EXPRESSION = "clip(2*abs(depth-0.4),0,1)*(1-mask)"
BAND = "linear(y=0.6, width=0.2, feather=0.3)"


def exact(text: str, maps: dict[str, np.ndarray], size: tuple[int, int]) -> np.ndarray:
    """Give what an expression is, in float64."""
    if text == EXPRESSION:
        depth, mask = (maps[name].astype(np.float64) for name in ("depth", "mask"))
        return np.clip(2 * np.abs(depth - 0.4), 0, 1) * (1 - mask)
    down = np.abs(np.arange(size[0]) - 0.6 * (size[0] - 1))[:, None] + np.zeros(size[1])
    return np.clip((down / min(size) - 0.1) / 0.3, 0, 1)


def processor(run: Callable[[], object]) -> float:
    """Give the seconds of all threads that one call takes, after another one."""
    run()
    start = time.process_time()
    run()
    return time.process_time() - start


def share(setting: Setting, *, text: str) -> Iterator[Figure]:
    """Compare what computing an expression takes with the filter that it drives."""
    size = setting.size(*TWELVE)
    image = photograph(*size)
    maps = {"depth": bench.smooth(*size), "mask": bench.intensity(image)}
    formula = parse(text, maps)
    levels = np.full((1, *size), np.nan, np.float32)

    def compute() -> None:
        for window in plan(*size, ROWS_OF, COLS_OF):
            part = {n: m[None, window.rows, window.cols] for n, m in maps.items()}
            levels[:, window.rows, window.cols] = evaluate(formula, part, window, size)

    compute()
    worst = np.abs(levels[0] - exact(text, maps, size)).max()
    if not worst <= 1e-6:
        raise Red(f"{text} is off by {worst:.2g}")
    for largest in (4, 16):
        run = checked("scale_space", image, levels[0] * np.float32(largest))
        pairs = [(processor(compute), processor(run)) for _ in range(setting.rounds(5))]
        mine, filters = (statistics.median(side) for side in zip(*pairs, strict=True))
        ratio = statistics.median(a / b for a, b in pairs)
        per_pixel = 1e9 * mine / levels.size
        yield Figure(
            f"sigma 0..{largest} {ratio:.3f} ({per_pixel:.2g} ns a pixel, filter {filters:.3g} s)",
            ratio,
        )


def whole(setting: Setting) -> Iterator[Figure]:
    """Compare a run driven by an expression of two files with one driven by one of them."""
    photo, depth = files(setting.folder, *setting.size(*TWELVE))
    command = [sys.executable, "-m", "svfilter", "blur", str(photo), str(photo.with_name("o.png"))]
    plain = [*command, "--sigma-map", str(depth)]
    given = [*command, "--sigma-map", EXPRESSION, "--map", f"depth={depth}", "--map"]
    others = {
        "an expression of it and itself": [*given, f"mask={photo}"],
        "percentiles of it": [*plain, "--map-range", "1%,99%"],
        "it smoothed by 4": [*plain, "--map-smooth", "4"],
    }
    for name, other in others.items():
        pairs = [(watch(other).wall, watch(plain).wall) for _ in range(setting.rounds(3))]
        mine, theirs = (statistics.median(side) for side in zip(*pairs, strict=True))
        ratio = statistics.median(a / b for a, b in pairs)
        yield Figure(f"{name} {ratio:.2f} ({mine:.3g} s against {theirs:.3g} s)")


GOAL = at_most(0.1, None)
ROWS = [
    Row(
        f"`{EXPRESSION}`, 12 MP in memory: processor time by that of the filter within 0.5/255",
        GOAL,
        lambda setting: share(setting, text=EXPRESSION),
    ),
    Row(
        f"`{BAND}`, 12 MP: processor time by that of the filter within 0.5/255",
        GOAL,
        lambda setting: share(setting, text=BAND),
    ),
    Row(
        "`blur --sigma-map depth.png`, 12 MP PNG: time of maps made of it, by its own", None, whole
    ),
]
