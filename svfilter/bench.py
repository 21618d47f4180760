"""How fast each engine is here: no figure without parity with an oracle first."""

from __future__ import annotations

import math
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from svfilter import devices
from svfilter.engines import ENGINES, choose_engine
from svfilter.engines.base import ROUNDING, Problem
from svfilter.errors import EngineUnavailable
from svfilter.field import KernelField
from svfilter.functional import filter_image
from svfilter.kernels.base import Array
from svfilter.kernels.gaussian import Gaussian
from svfilter.maps import REC_709
from svfilter.tiles import Window

TOLERANCE = 0.5 / 255
"""Half a step of 8 bits: what an engine that is not exact is asked to keep."""
SIGMAS = (1.0, 4.0, 16.0, 64.0)
SIZE, QUICK_SIZE = (1500, 2000), (384, 512)
"""Height and width of the image."""
LIMIT, QUICK_LIMIT = 5.0, 2.0
"""Seconds that one run may take; what would take longer is estimated."""
CROP = (4, 16)
"""Height and width of a place where results are compared: wide as a vector register,"""
CROPS = 12
"""and the number of such places beside the corners."""


class Red(Exception):
    """A result that is wrong: it has no speed."""


@dataclass(frozen=True)
class Speed:
    """What was found of one engine at one largest sigma."""

    engine: str
    sigma: float
    error: float | None = None
    """The largest seen on the crops, for an image with values in 0 to 1."""
    megapixels_per_second: float | None = None
    note: str = ""
    """Why there is no speed."""
    red: bool = False


def speeds(size: tuple[int, int], limit: float, *, jobs: int | None = None) -> Iterator[Speed]:
    """Measure every engine on the CPU with sigma from 0 to each of SIGMAS, by intensity.

    Args:
        size: height and width of the RGB image.
        limit: seconds that one run may take.
        jobs: threads; None: all cores.
    """
    image = scene(*size)
    levels = intensity(image)
    for name in ENGINES:
        for sigma in SIGMAS:
            yield _measure(name, image, levels * levels.dtype.type(sigma), limit, jobs)


def _measure(name: str, image: Array, sigma: Array, limit: float, jobs: int | None) -> Speed:
    largest, tolerance = float(sigma.max()), tolerance_of(name, sigma)
    problem = _problem(sigma, tolerance)
    try:
        estimate = choose_engine(name, problem).cost(problem)
    except EngineUnavailable as reason:
        return Speed(name, largest, note=str(reason))
    if estimate > limit:
        duration = timedelta(seconds=math.ceil(estimate))
        return Speed(name, largest, note=f"skipped: too slow, about {duration} on one core")
    run = partial(blur, image, sigma, engine=name, tolerance=tolerance, jobs=jobs)
    try:
        error = check(image, sigma, run(), limit_of(name, sigma))
    except Red as red:
        return Speed(name, largest, note=str(red), red=True)
    seconds = statistics.median(timed(run) for _ in range(3))
    return Speed(name, largest, error, sigma.size / seconds / 1e6)


def tolerance_of(engine: str, sigma: Array) -> float:
    """Give 0 where the engine is exact, else TOLERANCE."""
    try:
        choose_engine(engine, _problem(sigma, 0.0))
    except EngineUnavailable:
        return TOLERANCE
    return 0.0


def limit_of(engine: str, sigma: Array) -> float:
    """Give the error that the engine states."""
    problem = _problem(sigma, tolerance_of(engine, sigma))
    return max(ROUNDING, ENGINES[engine].bound(problem))


def _problem(sigma: Array, tolerance: float) -> Problem:
    field = KernelField(Gaussian(sigma=sigma))
    return Problem("cpu", *field.ends(), tolerance=tolerance, pixels=sigma.size)


def blur(
    image: Array, sigma: Array, engine: str, tolerance: float = 0.0, jobs: int | None = None
) -> Array:
    """Filter by Gaussians with the engine of that name."""
    field = KernelField(Gaussian(sigma=sigma))
    return filter_image(image, field, engine=engine, tolerance=tolerance, jobs=jobs)


def timed(run: Callable[[], object]) -> float:
    """Give the seconds that one call takes."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def check(image: Array, sigma: Array, result: Array, limit: float) -> float:
    """Give the largest error seen, as `error_of` does.

    Raises:
        Red: it is over the limit, or some value is NaN.
    """
    worst = error_of(image, sigma, result)
    if not worst <= limit:
        raise Red(f"RED: error {worst:.2g} is over {limit:.2g}")
    return worst


def error_of(
    image: Array,
    sigma: Array,
    result: Array,
    *,
    seen: Callable[[Array], Array] = lambda exact: exact,
) -> float:
    """Compare a result with the oracle in the four corners and at random places.

    Args:
        image: [C, H, W] in 0 to 1.
        sigma: [H, W].
        result: [C, H, W].
        seen: what the result should hold of the oracle's values, such as their encoding.

    Returns:
        The largest error seen.
    """
    import numpy as np

    size = [min(c, s) for c, s in zip(CROP, sigma.shape, strict=True)]
    last = [s - c for s, c in zip(sigma.shape, size, strict=True)]
    places = [(y, x) for y in (0, last[0]) for x in (0, last[1])]
    places += np.random.default_rng(7).integers(0, last, (CROPS, 2), endpoint=True).tolist()
    errors = []
    for place in places:
        crop = Window(*place, *size)
        exact = seen(oracle(image, sigma, crop))
        errors.append(np.abs(exact - result[:, crop.rows, crop.cols]).max())
    return float(np.max(errors))  # NaN if any is


def oracle(image: Array, sigma: Array, crop: Window) -> Array:
    """Compute a crop of the result in float64, each pixel's own kernel row by column.

    It shares no line with the engines, nor with the family: SciPy's radius rule and
    `replicate` at the border, as in `scipy.ndimage.gaussian_filter(mode="nearest")`.
    """
    import numpy as np

    own = np.asarray(sigma[crop.rows, crop.cols], dtype=np.float64)
    reach = int(4 * own.max() + 0.5)
    rows = crop.row_off + np.arange(-reach, crop.height + reach)
    cols = crop.col_off + np.arange(-reach, crop.width + reach)
    around = image[:, rows.clip(0, image.shape[1] - 1)][..., cols.clip(0, image.shape[2] - 1)]
    around = around.astype(np.float64)
    out = np.empty((len(image), *own.shape))
    for y, x in np.ndindex(own.shape):
        radius = int(4 * own[y, x] + 0.5)
        taps = np.arange(-radius, radius + 1)
        g = np.exp(-0.5 * (taps / (own[y, x] or 1.0)) ** 2)
        g /= g.sum()
        first, end = reach - radius, reach + radius + 1
        patch = around[:, y + first : y + end, x + first : x + end]
        out[:, y, x] = (patch @ g) @ g
    return out


def scene(height: int, width: int) -> Array:
    """Make an RGB image of what is hard to blur: noise, steps and a slope, side by side."""
    import numpy as np

    rng = np.random.default_rng(1)
    image = np.empty((3, height, width), dtype=np.float32)
    third = math.ceil(width / 3)
    image[..., :third] = rng.random((3, height, image[..., :third].shape[-1]), dtype=np.float32)
    image[..., third:] = steps(height, width)[..., third:]
    image[..., 2 * third :] = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    return image


def steps(height: int, width: int) -> Array:
    """Make an RGB image of 0 and 1 in bands, each channel in its own direction."""
    import numpy as np

    y, x = np.mgrid[:height, :width]
    return np.stack([x // 37 % 2, y // 37 % 2, (x + y) // 37 % 2]).astype(np.float32)


def luma(image: Array) -> Array:
    """Give the Rec. 709 luma of an RGB image, [H, W] float32."""
    import numpy as np

    return np.tensordot(np.array(REC_709), image, 1).astype(np.float32)


def intensity(image: Array) -> Array:
    """Give an RGB image's luma as a map, its largest value made 1."""
    levels = luma(image)
    return levels / levels.max()


def rough(height: int, width: int) -> Array:
    """Give a map [H, W] float32 in 0..1 that is another at every pixel."""
    import numpy as np

    return np.random.default_rng(2).random((height, width), dtype=np.float32)


def smooth(height: int, width: int) -> Array:
    """Give a map [H, W] float32 of noise as coarse as 128 pixels, stretched to 0..1."""
    import numpy as np

    def stretch(coarse: Array, size: int) -> Array:
        """Interpolate along the first axis, with a slope of 0 at the knots."""
        at = np.arange(size, dtype=np.float32) / 128
        low, t = at.astype(int), at % 1
        t = (t * t * (3 - 2 * t))[:, None]
        return coarse[low] * (1 - t) + coarse[low + 1] * t

    knots = height // 128 + 2, width // 128 + 2
    coarse = np.random.default_rng(3).random(knots, dtype=np.float32)
    noise = np.ascontiguousarray(stretch(stretch(coarse, height).T, width).T)
    return (noise - noise.min()) / (noise.max() - noise.min())


def cores() -> int:
    """Give the number of cores that this process may use."""
    return devices.threads(None)


def machine() -> list[str]:
    """Say in lines what is measured on: processor, caches, system, versions."""
    info = Path("/proc/cpuinfo")
    names = info.read_text().splitlines() if info.exists() else []
    names = [line.partition(": ")[2] for line in names if line.startswith("model name")]
    packages = ("numpy", "numba", "torch", "svfilter")
    return [
        f"{names[0] if names else platform.processor() or platform.machine()}, {cores()} cores",
        f"caches: {_caches() or 'not known'}",
        f"{platform.system()} {platform.release()}, Python {platform.python_version()}",
        ", ".join(f"{name} {package_version(name)}" for name in packages),
    ]


def package_version(name: str) -> str:
    """Give an installed package's version, or "-"."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "-"


def _caches() -> str:
    found = []
    for index in sorted(Path("/sys/devices/system/cpu/cpu0/cache").glob("index*")):
        level, kind, size = ((index / f).read_text().strip() for f in ("level", "type", "size"))
        if kind != "Instruction":
            found.append(f"L{level} {size}")
    return ", ".join(found)
