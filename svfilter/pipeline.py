"""How a pixel travels from file to file: open, plan windows, read, map, filter, write."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from types import MappingProxyType

from svfilter import devices
from svfilter.engines import choose_engine, passed_over
from svfilter.engines.base import Problem
from svfilter.errors import InvalidArgument
from svfilter.field import KernelField
from svfilter.functional import check_boundary, check_jobs, check_tolerance, filter_window, to_numpy
from svfilter.images.alpha import FilterPlanes
from svfilter.images.reading import ImageReader, open_image
from svfilter.images.writing import create_image
from svfilter.kernels.base import Family
from svfilter.maps import MapSpec, open_map
from svfilter.tiles import plan
from svfilter.verify import Verification

MAX_SIDE = 1024
"""Tiles are no larger than this by default: more gains little, and progress shows later."""
TOLERANCE_8_BIT = 0.5 / 255
"""Half a step: a value is rounded to the step that it would have had, or to the next."""
TOLERANCE_DEEP = 2.5e-4
"""A step of 12 bits."""


@dataclass(frozen=True)
class Report:
    """What was done with a file."""

    engine: str
    bound: float
    """The largest error of any value, as a share of the image's range, before it is rounded."""
    passed_over: dict[str, str]
    """Why each of the other engines was not taken."""
    device: str
    tile: int
    reach: int
    """The largest radius that any kernel could have, in pixels."""
    error_seen: float | None
    """The largest error found, as a share of the range, if there was a look."""
    windows_seen: int


def filter_file(
    source: str,
    target: str,
    family: type[Family],
    maps: Mapping[str, MapSpec],
    *,
    constants: Mapping[str, float] = MappingProxyType({}),
    boundary: str = "replicate",
    engine: str = "auto",
    tolerance: float | None = None,
    verify: bool = False,
    device: str = "auto",
    memory: int | None = None,
    jobs: int | None = None,
    tile: int | None = None,
    format: str | None = None,
    quality: int | None = None,
    max_pixels: int | None = None,
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> Report:
    """Filter an image file into another, one tile after the other.

    The result does not depend on the tiles: they only bound the memory.

    Args:
        source: the image to read, or "-" for stdin.
        target: the file to write, replaced at once or not at all, or "-" for stdout.
        family: what the kernels look like.
        maps: for each per-pixel parameter of the family, where its values come from.
        constants: the family's other parameters that shall differ from their defaults.
        boundary: as in `filter_image`.
        engine: as in `filter_image`.
        tolerance: as in `filter_image`; default half a step of 8 bits for 8-bit images, and a
            step of 12 bits for deeper ones. With alpha it holds for alpha and for the colours
            times alpha; and where each channel has its own kernels too, it is always 0.
        verify: compare some windows with the oracle.
        device: "auto" (CUDA where there is one), or a device's name.
        memory: bytes for tiles and weights, beyond the decoded image and the result, which
            are held whole; default as in `filter_image`.
        jobs: threads, as in `filter_image`.
        tile: side of a tile in pixels; default: as the memory allows, at most 1024.
        format: of the target, a key of `svfilter.images.formats.FORMATS`; default by suffix.
        quality: of JPEG and WebP, 1 to 100.
        max_pixels: how large an image is decoded at all.
        progress: called after every tile with the pixels done and the pixels in all.

    Raises:
        SvfilterError: of the kind that fits, with nothing written.
    """
    check_boundary(boundary)
    if tolerance is not None:
        check_tolerance(tolerance)
    check_jobs(jobs)
    place = devices.resolve(device)
    narrowest, widest = _ends(family, maps, constants)
    sources = [spec.source for spec in maps.values() if spec.source is not None]
    if [source, *sources].count("-") > 1:
        raise InvalidArgument("only one of INPUT and the maps can be - (stdin)")

    open_any = partial(open_image, max_pixels=max_pixels)
    image = open_any(source, meanwhile=_import_ahead)
    writer = create_image(
        target,
        image,
        inputs=[source, *sources],
        format=format,
        quality=quality,
        jobs=jobs,
    )
    opened = {name: open_map(spec, image, open_any) for name, spec in maps.items()}
    per_channel = any(spec.per_channel for spec in maps.values())
    planes = FilterPlanes(image, per_channel=per_channel)
    if tolerance is None:
        tolerance = _default_tolerance(image)
    if image.has_alpha and per_channel:
        # Colours are divided by an alpha filtered with their own kernels, which may be almost 0
        # where the result's alpha is not: there any error would become one of a visible colour.
        tolerance = 0.0

    problem = Problem(
        place,
        narrowest,
        widest,
        tolerance=tolerance,
        planes=planes.count,
        pixels=image.height * image.width,
    )
    chosen = choose_engine(engine, problem)
    budget = devices.modest_memory(place) if memory is None else memory
    margin = chosen.margin(problem, KernelField(widest))
    side = tile or _side(budget // 2, planes.count, margin)
    size = (image.height, image.width)
    verification = Verification(chosen, problem, size, boundary, _span(image)) if verify else None
    done = 0
    for window in plan(image.height, image.width, side, side):
        values = {name: parameter.read(window) for name, parameter in opened.items()}
        kernels = KernelField(family(**values, **constants)).transform(planes.spread)
        filtered = filter_window(
            planes.read,
            kernels,
            window,
            size=size,
            boundary=boundary,
            engine=chosen,
            problem=problem,
            memory=budget // 2,
            jobs=jobs,
        )
        result = to_numpy(filtered)
        if verification:
            verification.compare(planes.read, kernels, window, result)
        writer.write(window, planes.restore(result, window))
        done += window.pixels
        progress(done, image.height * image.width)
    writer.close()
    return Report(
        chosen.name,
        chosen.bound(problem),
        passed_over(chosen, problem),
        place,
        side,
        widest.radius(),
        verification.error_seen if verification else None,
        verification.windows_seen if verification else 0,
    )


def _import_ahead() -> None:
    """Import what takes long; what cannot be imported is told of where it is used."""
    for name in ("numpy", "svfilter.images.png", "psutil", "svfilter.compiled.planes"):
        import_module(name)


def _span(image: ImageReader) -> float:
    """Give what errors are a share of: 1 for integers, which are scaled to it.

    Of floats it is their range, or the largest of them if that is larger: it is what rounds.
    """
    if image.dtype.kind == "u":
        return 1.0
    import numpy as np

    values = image.read(image.whole)
    finite = values[np.isfinite(values)]
    if not finite.size:
        return 1.0
    low, high = float(finite.min()), float(finite.max())
    return max(high - low, -low, high)


def _default_tolerance(image: ImageReader) -> float:
    return TOLERANCE_8_BIT if image.dtype.itemsize == 1 else TOLERANCE_DEEP


def _ends(
    family: type[Family], maps: Mapping[str, MapSpec], constants: Mapping[str, float]
) -> tuple[Family, Family]:
    """Check the ends of every map's range, and give the family at each of them."""
    ends = []
    for end in ("low", "high"):
        values = {name: getattr(spec, end) for name, spec in maps.items()}
        field = KernelField(family(**values, **constants))
        field.validate(1, 1)
        ends.append(field.family)
    return ends[0], ends[1]


def _side(memory: int, planes: int, reach: int) -> int:
    """Give the largest tile of which the padded planes fit into the memory."""
    copies = 3  # padded, on its way to the engine, and what is read and filtered
    padded = math.isqrt(memory // (4 * copies * planes))
    if padded <= 2 * reach:
        needed = 2 * 4 * copies * planes * (2 * reach + 1) ** 2
        raise InvalidArgument(
            f"--memory must be at least {math.ceil(needed / 2**10)}K for kernels that reach "
            f"{reach} pixels; or give --tile, or a smaller sigma"
        )
    return min(padded - 2 * reach, MAX_SIDE)
