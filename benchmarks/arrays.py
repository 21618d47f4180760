"""Rows on arrays in memory: svfilter's engines, other libraries, the processor."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
import peers
import torch
from pictures import photograph
from table import Figure, Missing, Row, Setting, at_least, at_most, in_turn

from svfilter import bench
from svfilter.bench import TOLERANCE, blur, check, cores, limit_of, timed
from svfilter.engines import ENGINES
from svfilter.engines.base import ROUNDING

TWELVE, THREE, ONE, SMALL = (3000, 4000), (1500, 2000), (1000, 1000), (768, 1024)


def maps(image: np.ndarray) -> dict[str, np.ndarray]:
    """Give the maps [H, W] in 0 to 1 that sigma follows."""
    size = image.shape[1:]
    return {
        "smooth": bench.smooth(*size),
        "intensity": bench.intensity(image),
        "rough": bench.rough(*size),
    }


def checked(
    engine: str, image: np.ndarray, sigma: np.ndarray, **options: Any
) -> Callable[[], np.ndarray]:
    """Give a run of ours that is proven right; it has run once, and so is compiled."""
    if engine not in ENGINES:
        raise Missing(f"there is no engine {engine}")
    tolerance = bench.tolerance_of(engine, sigma)
    run = partial(blur, image, sigma, engine, tolerance, **options)
    check(image, sigma, run(), limit_of(engine, sigma))
    return run


def against_opencv(setting: Setting, *, largest: float, rounds: int) -> Iterator[Figure]:
    """Compare with one Gaussian of the largest sigma for all pixels."""
    image = photograph(*setting.size(*TWELVE))
    peer = peers.opencv(image, largest)
    peer()
    for name, levels in maps(image).items():
        run = checked("scale_space", image, levels * np.float32(largest))
        pairs = in_turn(run, peer, setting.rounds(rounds))
        yield Figure(f"{name} {pairs.ratio:.2f} ({pairs})", pairs.ratio)


def largest_error(setting: Setting, *, largest: float) -> Iterator[Figure]:
    """Look for the largest error over images and maps that are hard."""
    size = setting.size(400, 500)
    rng = np.random.default_rng(4)
    noise = rng.random((3, *size), dtype=np.float32)
    images = {
        "photograph": photograph(*size),
        "noise": noise,
        "binary noise": np.rint(noise),
        "steps": bench.steps(*size),
    }
    worst = (0.0, "")
    for title, image in images.items():
        for name, levels in {**maps(image), "steps": bench.steps(*size)[2]}.items():
            sigma = levels * np.float32(largest)
            result = blur(image, sigma, "scale_space", TOLERANCE)
            worst = max(worst, (bench.error_of(image, sigma, result), f"{title} by {name}"))
    yield Figure(f"{255 * worst[0]:.2f}/255 ({worst[1]})", 255 * worst[0])


def against_usual(setting: Setting, *, largest: float) -> Iterator[Figure]:
    """Compare `direct` with the formula as it is usually written."""
    image = photograph(*setting.size(*SMALL))
    chosen = maps(image)
    chosen = {name: chosen[name] for name in ("rough", "smooth")}
    chosen["constant"] = np.ones(image.shape[1:], dtype=np.float32)
    for name, levels in chosen.items():
        sigma = levels * np.float32(largest)
        tensors = torch.from_numpy(image), torch.from_numpy(sigma)
        peer = partial(peers.usual, *tensors)
        check(image, sigma, peer().numpy(), 2 * ROUNDING)
        run = checked("direct", image, sigma)
        pairs = in_turn(peer, run, setting.rounds(3))
        yield Figure(f"{name} {pairs.ratio:.0f}x ({pairs})", pairs.ratio)


def share_of_peak(setting: Setting) -> Iterator[Figure]:
    """Give the useful operations of `direct`, full kernels, as a share of the peak."""
    from peak import multiply_add

    image = photograph(*setting.size(*SMALL))
    sigma = np.full(image.shape[1:], 4, dtype=np.float32)
    run = checked("direct", image, sigma)
    count = 20_000_000
    operations = multiply_add(count)
    pairs = in_turn(partial(multiply_add, count), run, setting.rounds(5))
    share = 2 * 33**2 * image.size / operations * pairs.ratio
    peak = operations / min(seconds for seconds, _ in pairs.seconds)
    yield Figure(f"{share:.0%} of {peak / 1e9:.0f} GFLOP/s ({pairs})", share)


def threads(
    setting: Setting, *, engine: str, largest: float, size: tuple[int, int]
) -> Iterator[Figure]:
    """Compare two threads with one."""
    if cores() < 2:
        raise Missing("this machine has one core")
    image = photograph(*setting.size(*size))
    for name, levels in maps(image).items():
        sigma = levels * np.float32(largest)
        one, two = (checked(engine, image, sigma, jobs=jobs) for jobs in (1, 2))
        pairs = in_turn(one, two, setting.rounds(5))
        yield Figure(f"{name} {pairs.ratio:.2f} ({pairs})", pairs.ratio)


def speed(
    setting: Setting, *, engine: str, largest: float, size: tuple[int, int], name: str
) -> Iterator[Figure]:
    """Say how fast an engine is."""
    image = photograph(*setting.size(*size))
    sigma = maps(image)[name] * np.float32(largest)
    run = checked(engine, image, sigma)
    seconds = float(np.median([timed(run) for _ in range(setting.rounds(3))]))
    yield Figure(f"{sigma.size / seconds / 1e6:.3g} MP/s ({seconds:.3g} s)")


def uniform(
    setting: Setting, *, peer: Callable[[np.ndarray, float], Callable[[], object]]
) -> Iterator[Figure]:
    """Compare with a library's one Gaussian for all pixels."""
    image = photograph(*setting.size(*THREE))
    levels = bench.intensity(image)
    for largest in (4.0, 16.0):
        run = checked("scale_space", image, levels * np.float32(largest))
        pairs = in_turn(run, peer(image, largest), setting.rounds(3))
        yield Figure(f"sigma {largest:g}: {pairs.ratio:.2f} ({pairs})")


OPENCV = [(4.0, 1.0, 0.5, 7), (16.0, 0.25, 0.15, 5), (64.0, 0.10, 0.04, 3)]
USUAL = [(1.0, 30, 50), (2.0, 60, 100), (4.0, 150, 300)]

ROWS = [
    *(
        Row(
            f"scale_space, 12 MP, sigma 0..{largest:g}: time by that of OpenCV, sigma {largest:g} "
            "everywhere",
            at_most(must, aim, "{:.2f}"),
            partial(against_opencv, largest=largest, rounds=rounds),
        )
        for largest, must, aim, rounds in OPENCV
    ),
    *(
        Row(
            f"scale_space, sigma 0..{largest:g}: largest error, 4 images by 4 maps",
            at_most(0.5, None, "{:g}/255"),
            partial(largest_error, largest=largest),
        )
        for largest in (4.0, 16.0, 64.0)
    ),
    *(
        Row(
            f"direct, 1024 x 768, k = {2 * int(4 * largest + 0.5) + 1}: times faster than "
            "torch's unfold and dot",
            at_least(must, aim, "{:g}x"),
            partial(against_usual, largest=largest),
        )
        for largest, must, aim in USUAL
    ),
    Row(
        "direct, k = 33 at every pixel: share of the peak of multiply-adds",
        at_least(0.15, 0.35, "{:.0%}"),
        share_of_peak,
    ),
    Row(
        "scale_space, 12 MP, sigma 0..16: times faster with 2 threads than with 1",
        at_least(1.7, 1.95),
        partial(threads, engine="scale_space", largest=16.0, size=TWELVE),
    ),
    Row(
        "direct, 12 MP, k = 17: times faster with 2 threads than with 1",
        at_least(1.7, 1.95),
        partial(threads, engine="direct", largest=2.0, size=TWELVE),
    ),
    Row(
        "scale_space, 3 MP, by intensity: time by that of SciPy, uniform",
        None,
        partial(uniform, peer=peers.scipy),
    ),
    Row(
        "scale_space, 3 MP, by intensity: time by that of Pillow, uniform, 8 bits, boxes",
        None,
        partial(uniform, peer=peers.pillow),
    ),
    *(
        Row(
            f"{engine}, {title}, sigma 0..{largest:g}, {name}",
            None,
            partial(speed, engine=engine, largest=largest, size=size, name=name),
        )
        for engine, title, size, largest, name in (
            ("direct", "3 MP", THREE, 4.0, "rough"),
            ("unfold", "1024 x 768", SMALL, 4.0, "rough"),
            ("lowrank", "1 MP", ONE, 64.0, "smooth"),
            ("lowrank", "1 MP", ONE, 200.0, "smooth"),
        )
    ),
]
