"""How a pixel travels from file to file: open, plan windows, read, map, filter, write."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

from svfilter import devices
from svfilter.engines import choose_engine
from svfilter.engines.base import Problem
from svfilter.errors import InvalidArgument
from svfilter.field import KernelField
from svfilter.functional import check_boundary, filter_window, to_numpy
from svfilter.images.alpha import FilterPlanes
from svfilter.images.reading import open_image
from svfilter.images.writing import create_image
from svfilter.kernels.base import Array, Family
from svfilter.maps import MapSpec, open_map
from svfilter.tiles import plan

MAX_SIDE = 512
"""Tiles are no larger than this by default: more gains nothing, and progress shows later."""


@dataclass(frozen=True)
class Report:
    """What was done with a file."""

    engine: str
    error: str
    """The engine's stated error."""
    device: str
    tile: int
    reach: int
    """The largest radius that any kernel could have, in pixels."""


def filter_file(
    source: str,
    target: str,
    family: type[Family],
    maps: Mapping[str, MapSpec],
    *,
    constants: Mapping[str, float] = MappingProxyType({}),
    boundary: str = "replicate",
    engine: str = "auto",
    device: str = "auto",
    memory: int | None = None,
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
        device: "auto" (CUDA where there is one), or a device's name.
        memory: bytes for tiles and weights, beyond the decoded image and the result, which
            are held whole; default as in `filter_image`.
        tile: side of a tile in pixels; default: as the memory allows, at most 512.
        format: of the target, a key of `svfilter.images.formats.FORMATS`; default by suffix.
        quality: of JPEG and WebP, 1 to 100.
        max_pixels: how large an image is decoded at all.
        progress: called after every tile with the pixels done and the pixels in all.

    Raises:
        SvfilterError: of the kind that fits, with nothing written.
    """
    check_boundary(boundary)
    place = devices.resolve(device)
    chosen = choose_engine(engine, Problem(place))
    reach = _reach(family, maps, constants)
    sources = [spec.source for spec in maps.values() if spec.source is not None]
    if [source, *sources].count("-") > 1:
        raise InvalidArgument("only one of INPUT and the maps can be - (stdin)")

    open_any = partial(open_image, max_pixels=max_pixels)
    image = open_any(source)
    writer = create_image(target, image, inputs=[source, *sources], format=format, quality=quality)
    opened = {name: open_map(spec, image, open_any) for name, spec in maps.items()}
    planes = FilterPlanes(image, per_channel=any(spec.per_channel for spec in maps.values()))

    budget = devices.modest_memory(place) if memory is None else memory
    side = tile or _side(budget // 2, planes.count, reach)
    done = 0
    for window in plan(image.height, image.width, side):
        values = {name: parameter.read(window) for name, parameter in opened.items()}
        filtered: Array = filter_window(
            planes.read,
            KernelField(family(**values, **constants)).transform(planes.spread),
            window,
            size=(image.height, image.width),
            boundary=boundary,
            engine=chosen,
            device=place,
            memory=budget // 2,
        )
        writer.write(window, planes.restore(to_numpy(filtered), window))
        done += window.pixels
        progress(done, image.height * image.width)
    writer.close()
    return Report(chosen.name, chosen.error, place, side, reach)


def _reach(
    family: type[Family], maps: Mapping[str, MapSpec], constants: Mapping[str, float]
) -> int:
    """Check the ends of every map's range, and give the largest radius within them."""
    reach = 0
    for end in ("low", "high"):
        values = {name: getattr(spec, end) for name, spec in maps.items()}
        field = KernelField(family(**values, **constants))
        field.validate(1, 1)
        reach = max(reach, field.reach)
    return reach


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
