"""Rows on whole processes: files in and out, other programs, memory."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import peers
from pictures import files
from PIL import Image
from table import Figure, Missing, Row, Setting, at_least, at_most

from svfilter.bench import TOLERANCE, Red, check, error_of, luma
from svfilter.engines.base import ROUNDING

HERE = Path(__file__).parent
ROUNDED = 0.5 / 255 + ROUNDING
"""What writing 8 bits adds to an error."""


@dataclass(frozen=True)
class Cost:
    """What one process took: seconds, processor seconds, bytes at its peak."""

    wall: float
    cpu: float
    peak: int


def watch(command: list[str], **environment: str) -> Cost:
    """Run a command to its end; Python keeps its bytecode, as it does where it is installed."""
    usual = {key: v for key, v in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(
        [sys.executable, "-S", str(HERE / "watch.py"), *command],
        env={**usual, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Missing(f"{command[0]} ended with {done.returncode}: {done.stderr[-300:]}")
    return Cost(**json.loads(done.stdout))


def ours(photo: Path, out: Path, sigma: float) -> list[str]:
    """Give the command line of svfilter, all else at its defaults."""
    command = [sys.executable, "-m", "svfilter", "blur", str(photo), str(out)]
    return [*command, "--sigma-map", "--sigma", f"{sigma:g}"]


def read(path: Path) -> np.ndarray:
    """Read an 8-bit RGB image as [3, H, W] in 0 to 1."""
    planes = np.asarray(Image.open(path).convert("RGB")).transpose(2, 0, 1)
    return planes.astype(np.float32) / np.float32(255)


def prove(photo: Path, sigma: float) -> tuple[list[str], float]:
    """Give the command line of svfilter, its result proven right, and the error."""
    out = photo.with_name("ours.png")
    command = ours(photo, out, sigma)
    watch(command)
    image = read(photo)
    return command, check(image, luma(image) * sigma, read(out), TOLERANCE + ROUNDED)


def against_imagemagick(setting: Setting) -> Iterator[Figure]:
    """Compare with ImageMagick, which runs once, between runs of ours."""
    photo, levels = files(setting.folder, *setting.size(1500, 2000))
    command, _ = prove(photo, 16)
    peer = peers.imagemagick(photo, levels, photo.with_name("peer.png"), 16)
    before, theirs, after = (watch(c).wall for c in (command, peer, command))
    mine = (before + after) / 2
    yield Figure(f"{theirs / mine:.0f}x ({mine:.3g} s against {theirs:.3g} s, once)", theirs / mine)


def against_gegl(setting: Setting, *, high_quality: bool) -> Iterator[Figure]:
    """Compare with GEGL, given all cores and enough memory, and the errors of both.

    GEGL's radius is a sigma too, times the map's grey value, in linear light: so its model is
    the exact Gaussian of radius · map on decoded values, encoded again.
    """
    photo, levels = files(setting.folder, *setting.size(1500, 2000))
    command, error = prove(photo, 16)
    out = photo.with_name("peer.png")
    peer = partial(
        watch,
        peers.gegl(photo, levels, out, 16, high_quality=high_quality),
        **peers.GEGL_ENVIRONMENT,
    )
    peer()
    pairs = [(watch(command), peer()) for _ in range(setting.rounds(3))]
    mine, theirs = ([pair[i] for pair in pairs] for i in (0, 1))
    ratio = statistics.median(a.wall / b.wall for a, b in pairs)
    grey = np.asarray(Image.open(levels)).astype(np.float64) / 255
    light = peers.to_linear(read(photo).astype(np.float64))
    its_error = error_of(light, 16 * grey, read(out), seen=peers.to_encoded)
    yield Figure(
        f"{ratio:.2f} (wall {_wall(mine)} against {_wall(theirs)}, processor {_cpu(mine)} against "
        f"{_cpu(theirs)}, rounds: {len(pairs)}; largest error {255 * error:.1f}/255 against "
        f"{255 * its_error:.1f}/255, each by its own model)",
        ratio,
    )


def against_ffmpeg(setting: Setting) -> Iterator[Figure]:
    """Compare with boxes of ffmpeg."""
    photo, levels = files(setting.folder, *setting.size(1500, 2000))
    command, _ = prove(photo, 16)
    peer = peers.ffmpeg(photo, levels, photo.with_name("peer.png"), 16)
    pairs = [(watch(command), watch(peer)) for _ in range(setting.rounds(3))]
    mine, theirs = ([pair[i] for pair in pairs] for i in (0, 1))
    ratio = statistics.median(a.wall / b.wall for a, b in pairs)
    yield Figure(f"{ratio:.2f} ({_wall(mine)} against {_wall(theirs)}, rounds: {len(pairs)})")


def one_megapixel(setting: Setting, *, sigma: float) -> Iterator[Figure]:
    """Time a small file in and out."""
    photo, _ = files(setting.folder, *setting.size(1000, 1000))
    command, _ = prove(photo, sigma)
    yield from _seconds(command, setting.rounds(5))


def imports(setting: Setting) -> Iterator[Figure]:
    """Time what no start can do without."""
    yield from _seconds([sys.executable, "-c", "import numpy, PIL.Image, numba"], setting.rounds(5))


def _seconds(command: list[str], rounds: int) -> Iterator[Figure]:
    walls = sorted(watch(command).wall for _ in range(rounds))
    median = statistics.median(walls)
    yield Figure(f"{median:.2f} s ({walls[0]:.2f} to {walls[-1]:.2f}, runs: {rounds})", median)


def memory_in_python(setting: Setting) -> Iterator[Figure]:
    """Measure by how much `filter_image` lets a fresh process grow, beyond the result."""
    if platform.system() != "Linux":
        raise Missing("a process can make its peak begin anew on Linux only")
    for engine, sigma in (("scale_space", 16), ("direct", 4)):
        words = map(str, (engine, sigma, *setting.size(3000, 4000)))
        command = [sys.executable, str(HERE / "growth.py"), *words]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            last = done.stderr.splitlines()[-1]
            raise Red(last) if "RED" in last else Missing(last)
        megabytes = int(done.stdout) / 1e6
        yield Figure(f"{engine} 0..{sigma} {megabytes:.0f} MB", megabytes)


def memory_of_a_file(setting: Setting) -> Iterator[Figure]:
    """Measure a process's peak, less both images in 8 bits and what a single pixel takes."""
    photo, _ = files(setting.folder, *setting.size(3000, 4000))
    dot, _ = files(setting.folder, 1, 1)
    command, _ = prove(photo, 16)
    least = ours(dot, dot.with_name("dot.png"), 16)
    watch(least)  # compiles what the large one may not have used
    large, small = watch(command).peak, watch(least).peak
    height, width = setting.size(3000, 4000)
    megabytes = (large - small - 2 * 3 * height * width) / 1e6
    yield Figure(
        f"{megabytes:.0f} MB (peak {large / 1e6:.0f} MB, of one pixel {small / 1e6:.0f} MB)",
        megabytes,
    )


def _wall(costs: list[Cost]) -> str:
    return f"{statistics.median(cost.wall for cost in costs):.3g} s"


def _cpu(costs: list[Cost]) -> str:
    return f"{statistics.median(cost.cpu for cost in costs):.3g} s"


Measure = Callable[[Setting], Iterator[Figure]]
GEGL_HIGH: Measure = partial(against_gegl, high_quality=True)
GEGL_DEFAULT: Measure = partial(against_gegl, high_quality=False)
BLUR = "`blur --sigma-map --sigma 16`, 3 MP PNG"

ROWS = [
    Row(
        f"{BLUR}: times faster than ImageMagick's `-compose Blur`",
        at_least(80, 200, "{:g}x"),
        against_imagemagick,
    ),
    Row(f"{BLUR}: time by that of GEGL, high quality", at_most(0.7, 0.3), GEGL_HIGH),
    Row(f"{BLUR}: time by that of GEGL, default quality", None, GEGL_DEFAULT),
    Row(f"{BLUR}: time by that of ffmpeg's varblur, boxes", None, against_ffmpeg),
    Row(
        "`blur --sigma-map --sigma 8`, 1 MP PNG",
        at_most(0.8, 0.4, "{:g} s"),
        partial(one_megapixel, sigma=8),
    ),
    Row("`blur --sigma-map --sigma 0`, 1 MP PNG", None, partial(one_megapixel, sigma=0)),
    Row('`python -c "import numpy, PIL.Image, numba"`', None, imports),
    Row(
        "memory of filter_image, 12 MP, beyond image, map and result",
        at_most(100, 40, "{:g} MB"),
        memory_in_python,
    ),
    Row(
        "memory of `blur --sigma-map --sigma 16`, 12 MP PNG, beyond both images and a start",
        at_most(100, 40, "{:g} MB"),
        memory_of_a_file,
    ),
]
