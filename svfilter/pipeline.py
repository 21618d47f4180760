"""How a pixel travels from file to file: open, plan windows, read, map, filter, write."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from types import MappingProxyType

from svfilter import devices
from svfilter.borders import Bordered
from svfilter.budget import Cut, Needs, share
from svfilter.engines import choose_engine, passed_over
from svfilter.engines.base import Engine
from svfilter.errors import InvalidArgument
from svfilter.field import KernelField
from svfilter.functional import gather, to_numpy
from svfilter.images.layout import Layout
from svfilter.images.light import Curve
from svfilter.images.planes import FilterPlanes
from svfilter.images.reading import ImageReader, open_image
from svfilter.images.sources import STREAM, Source
from svfilter.images.storing import Output
from svfilter.images.writing import ImageWriter, create_image
from svfilter.kernels.base import Array, Family
from svfilter.maps import MapSpec, ParameterMap, open_map
from svfilter.relay import Ahead
from svfilter.request import Request
from svfilter.tiles import Window, plan
from svfilter.verify import Verification

RESERVE = 48 * 2**20
"""Bytes that a process grows by beyond what is planned: code that is loaded, gaps in the heap."""


@dataclass(frozen=True)
class Report:
    """What was done with a file; with several pages, with the last of them."""

    engine: str
    bound: float
    """The largest error of any value, as a share of the image's range, before it is rounded."""
    passed_over: dict[str, str]
    """Why each of the other engines was not taken."""
    device: str
    window: tuple[int, int]
    """Rows and columns that were filtered together."""
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
    page: int | None = None,
    linear: bool = False,
    nan: str = "keep",
    output: Output = Output(),
    max_pixels: int | None = None,
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> Report:
    """Filter an image file into another, from top to bottom.

    While windows of it are filtered, what follows is decoded and what is done is encoded. The
    result does not depend on the windows: they only bound the memory.

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
        memory: bytes that the whole process may use; default what it uses now and half of what
            is free.
        jobs: threads, as in `filter_image`.
        tile: side of a window in pixels; default: as the memory allows.
        page: which of a file's images, from 0; default all of them, which the target must hold.
        linear: whether colours are filtered in linear light.
        nan: "keep", "fill" or "ignore": what becomes of floats that are not finite.
        output: how the result is stored.
        max_pixels: how large an image may be; default any, unless it looks like a bomb.
        progress: called now and then with the pixels done and the pixels in all.

    Raises:
        SvfilterError: of the kind that fits, with nothing written.
    """
    sources = [spec.source for spec in maps.values() if spec.source is not None]
    if [source, *sources].count(STREAM) > 1:
        raise InvalidArgument("only one of INPUT and the maps can be - (stdin)")
    if memory is None:
        memory = devices.process_memory() + devices.free_memory() // 2
    asked = Request(
        family, maps, constants, boundary, engine, tolerance, verify, devices.resolve(device),
        memory, jobs, tile, linear, nan,
    )  # fmt: skip
    circular = boundary == "circular"
    with ExitStack() as opened:
        open_any = partial(
            open_image,
            jobs=devices.threads(jobs),
            max_pixels=max_pixels,
            memory=memory - devices.process_memory() - RESERVE,
        )
        open_page = partial(open_any, opened.enter_context(Source(source)), any_order=circular)
        image = opened.enter_context(open_page(page=page or 0))
        pages = _pages(image, page)
        image.begin()
        writer = opened.enter_context(
            create_image(target, image, inputs=[source, *sources], pages=pages, output=output,
                         jobs=jobs)
        )  # fmt: skip
        _import_ahead()
        for number in pages:
            with ExitStack() as of_page:
                if number != pages[0]:
                    image = of_page.enter_context(open_page(page=number))
                report = _filter_page(
                    asked, image, writer, open_any=open_any, opened=of_page, progress=progress
                )
    return report


def _filter_page(
    asked: Request,
    image: ImageReader,
    writer: ImageWriter,
    *,
    open_any: Callable[[str], ImageReader],
    opened: ExitStack,
    progress: Callable[[int, int], object],
) -> Report:
    """Filter one image of a file into the next of another."""

    def open_source(name: str) -> ImageReader:
        return opened.enter_context(open_any(name))

    maps = {name: open_map(spec, image, open_source) for name, spec in asked.maps.items()}
    curve = asked.curve(image)
    per_channel = any(spec.per_channel for spec in asked.maps.values())
    planes = FilterPlanes(image, per_channel=per_channel, curve=curve, nan=asked.nan)
    problem = asked.problem(image, planes, curve)
    engine = choose_engine(asked.engine, problem)
    size = (image.height, image.width)
    verification = Verification(engine, problem, size, asked.boundary) if asked.verify else None
    read = verification.watch(planes.read) if verification else planes.read
    writer.begin(image)
    margin = engine.margin(problem, KernelField(asked.widest))
    if verification:
        margin = max(margin, asked.widest.radius())
    cut = _cut(
        asked, image, list(maps.values()), planes.count, writer, engine=engine, margin=margin
    )
    image.begin(cut.ahead * image.layout.row_bytes)
    loses = writer.layout == image.layout and _rounds(image.layout, curve)

    def gathered() -> Iterator[tuple[Window, KernelField, Bordered, KernelField]]:
        for window in plan(*size, cut.rows, cut.cols):
            values = {name: parameter.read(window) for name, parameter in maps.items()}
            family = asked.family(**values, **asked.constants)
            kernels = KernelField(family).transform(planes.spread)
            given = gather(
                read, kernels, window, size=size, boundary=asked.boundary, engine=engine,
                problem=problem,
            )  # fmt: skip
            yield window, kernels, *given
            if window.col_off + window.width == image.width:
                for parameter in maps.values():
                    parameter.let_go(window.row_off + window.height)

    ahead = Ahead(gathered(), most=1)
    opened.callback(ahead.stop)
    while (following := ahead.take()) is not None:
        window, kernels, bordered, field = following
        filtered = engine.run(bordered, field, problem, memory=cut.engine, jobs=asked.jobs)
        result = to_numpy(filtered)
        if verification:
            verification.compare(planes.read, kernels, window, result)
        stored = _alone(kernels, image.stored(window)) if loses else None
        writer.write(window, planes.restore(result, window), stored)
        if window.col_off + window.width == image.width:
            bottom = window.row_off + window.height
            image.let_go(bottom - margin)
            progress(bottom * image.width, image.height * image.width)
    if verification:
        verification.judge()
    writer.end()
    return Report(
        engine.name,
        engine.bound(problem),
        passed_over(engine, problem),
        asked.place,
        (cut.rows, cut.cols),
        asked.widest.radius(),
        verification.error_seen if verification else None,
        verification.windows_seen if verification else 0,
    )


def _rounds(layout: Layout, curve: Curve | None) -> bool:
    """Tell whether values that no kernel changes may come back with other last bits."""
    return curve is not None or layout.dtype.kind == "f" or layout.dtype.itemsize > 2


def _alone(kernels: KernelField, stored: Array) -> tuple[Array, Array]:
    """Say where kernels have one tap only, [h or 1, w or 1, 1], and what the file has there."""
    import numpy as np

    radii = np.atleast_2d(kernels.transform(np.asarray).family.radii())  # [H, W] or [n, H, W]
    alone: Array = (radii == 0) if radii.ndim == 2 else (radii == 0).all(axis=0)
    return alone[..., None], stored


def _pages(image: ImageReader, page: int | None) -> list[int]:
    """Give the pages to filter."""
    if page is not None and not 0 <= page < image.pages:
        raise InvalidArgument(f"{image.name}: --page must be 1 to {image.pages}, but is {page + 1}")
    return list(range(image.pages)) if page is None else [page]


def _import_ahead() -> None:
    """Import what takes long, while the image is being decoded.

    What cannot be imported is told of where it is used.
    """
    with suppress(ImportError, OSError):
        import_module("svfilter.compiled.planes")


def _cut(
    asked: Request,
    image: ImageReader,
    maps: list[ParameterMap],
    planes: int,
    writer: ImageWriter,
    *,
    engine: Engine,
    margin: int,
) -> Cut:
    """Share the memory that is left."""
    if engine.arrays == "torch":
        import_module("torch")  # before what is left is counted
    levels = [parameter.levels for parameter in maps if parameter.levels is not None]
    needs = Needs(
        image.height,
        image.width,
        margin,
        planes + len(maps),
        image.layout.row_bytes + sum(level.row_bytes for level in levels),
        writer.layout.row_bytes,
        image.decoder_bytes + writer.encoder_bytes + sum(level.fixed_bytes for level in levels),
    )
    cut = share(asked.memory - devices.process_memory() - RESERVE, needs, asked.tile)
    if asked.place != "cpu":
        return replace(cut, engine=devices.modest_memory(asked.place))
    return cut
