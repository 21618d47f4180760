"""How a pixel travels from file to file: open, plan windows, read, map, filter, write."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from types import MappingProxyType
from typing import TypeVar

from svfilter import devices
from svfilter.budget import RESERVE, Cut, Needs, share
from svfilter.defocus import Highlights
from svfilter.desk import Desk
from svfilter.engines import passed_over
from svfilter.engines.base import Mode
from svfilter.field import KernelField
from svfilter.images.layout import Layout
from svfilter.images.light import Curve
from svfilter.images.storing import Output
from svfilter.images.writing import ImageWriter, create_image
from svfilter.kernels.base import Array, Family
from svfilter.maps import Driver
from svfilter.page import Page
from svfilter.relay import Ahead
from svfilter.request import Request
from svfilter.tiles import Window, plan
from svfilter.verify import Verification
from svfilter.work import Given, Work, to_numpy

T = TypeVar("T")


@dataclass(frozen=True)
class Report:
    """What was done with a file; with several pages, with the last of them."""

    engine: str
    bound: float | None
    """The largest error of any value, as a share of the image's range, before it is rounded; with
    occlusion there is none: what is hidden is a guess."""
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
    maps: Sequence[Driver],
    *,
    constants: Mapping[str, float] = MappingProxyType({}),
    mode: Mode = "gather",
    normalise: str = "energy",
    guide: str | None = None,
    occlusion: bool = False,
    highlights: Highlights | None = None,
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
        maps: where the family's per-pixel parameters come from; those that none gives have their
            defaults.
        constants: the family's other parameters that shall differ from their defaults.
        mode: as in `filter_image`.
        normalise: as in `filter_image`.
        guide: for a family that looks at one, the name of an image of the same size; default the
            image itself, its colours as they are stored.
        occlusion: for `Lens` driven by a depth: whether what is nearer hides what is behind.
        highlights: for `Lens`: which light is made brighter before it is spread.
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
    asked = Request(
        family, tuple(maps), constants, mode, normalise, guide, occlusion, highlights, boundary,
        engine, tolerance, verify, devices.resolve(device), memory, jobs, tile, linear, nan,
    )  # fmt: skip
    with ExitStack() as opened:
        desk = opened.enter_context(Desk(asked, source, page=page, max_pixels=max_pixels))
        desk.image.begin()
        create = partial(create_image, inputs=desk.names, pages=desk.pages, output=output)
        writer = opened.enter_context(create(target, desk.image, jobs=jobs))
        _import_ahead()
        for number in desk.pages:
            with desk.open_page(number) as of_file:
                report = _filter_page(of_file, writer, progress)
    return report


def _filter_page(page: Page, writer: ImageWriter, progress: Callable[[int, int], object]) -> Report:
    """Filter one image of a file into the next of another."""
    asked, image = page.asked, page.image
    work = page.work()
    engine, problem = work.engine, work.problem
    verification = Verification(work) if asked.verify else None
    if verification:
        work = replace(work, read=verification.watch(work.read))
    writer.begin(image)
    margin = max(work.margin, problem.widest.reach() if verification else 0)
    cut = _cut(page, work, writer, margin=margin)
    image.begin(cut.ahead * image.layout.row_bytes)
    loses = writer.layout == image.layout and _rounds(image.layout, page.curve)
    loses = loses and asked.mode == "gather"  # to scatter, a pixel receives whatever its kernel
    kept = margin + 1 if asked.mode == "scatter" else 0  # as far as `Work.given` looks

    def gathered() -> Iterator[tuple[Window, KernelField | None, Given]]:
        for window in plan(image.height, image.width, cut.rows, cut.cols):
            own = page.kernels(window) if loses or page.finishes else None
            yield window, own, work.given(window)
            if window.col_off + window.width == image.width:
                page.maps.let_go(window.row_off + window.height - kept)

    for window, own, given in _one_ahead(gathered()):
        result = to_numpy(work.run(given, memory=cut.engine, jobs=asked.jobs))
        if verification:
            verification.compare(window, given, result)
        stored = _alone(own, image.stored(window)) if own and loses else None
        finish = page.finish(own) if own else None
        writer.write(window, page.planes.restore(result, window, finish), stored)
        if window.col_off + window.width == image.width:
            bottom = window.row_off + window.height
            image.let_go(bottom - max(margin, kept) - page.maps.margin)
            if page.guide:
                page.guide.let_go(bottom - margin)
            progress(bottom * image.width, image.height * image.width)
    if verification:
        verification.judge()
    page.maps.end()
    writer.end()
    return Report(
        engine.name,
        None if asked.occlusion else engine.bound(problem) * page.gain,
        passed_over(engine, problem),
        asked.place,
        (cut.rows, cut.cols),
        problem.widest.reach(),
        verification.error_seen if verification else None,
        verification.windows_seen if verification else 0,
    )


def _one_ahead(windows: Iterator[T]) -> Iterator[T]:
    """Give what a thread gathers while the one before is in work."""
    ahead = Ahead(windows, most=1)
    try:
        while (following := ahead.take()) is not None:
            yield following
    finally:
        ahead.stop()


def _rounds(layout: Layout, curve: Curve | None) -> bool:
    """Tell whether values that no kernel changes may come back with other last bits."""
    return curve is not None or layout.dtype.kind == "f" or layout.dtype.itemsize > 2


def _alone(kernels: KernelField, stored: Array) -> tuple[Array, Array]:
    """Say where kernels have one tap only, [h or 1, w or 1, 1], and what the file has there."""
    import numpy as np

    radii = np.atleast_2d(kernels.transform(np.asarray).family.reaches())  # [H, W] or [n, H, W]
    alone: Array = (radii == 0) if radii.ndim == 2 else (radii == 0).all(axis=0)
    return alone[..., None], stored


def _import_ahead() -> None:
    """Import what takes long, while the image is being decoded.

    What cannot be imported is told of where it is used.
    """
    with suppress(ImportError, OSError):
        import_module("svfilter.compiled.planes")


def _cut(page: Page, work: Work, writer: ImageWriter, *, margin: int) -> Cut:
    """Share the memory that is left."""
    if work.engine.arrays == "torch":
        import_module("torch")  # before what is left is counted
    image, maps, guide, asked = page.image, page.maps, page.guide, page.asked
    beside = 2 * guide.block_bytes + guide.decoder_bytes if guide else 0
    needs = Needs(
        image.height,
        image.width,
        margin,
        page.planes.count + len(maps.spans) + work.planes_beside,
        image.layout.row_bytes + maps.row_bytes + (guide.layout.row_bytes if guide else 0),
        writer.layout.row_bytes,
        image.decoder_bytes + maps.fixed_bytes + writer.encoder_bytes + beside,
        maps.margin,
    )
    cut = share(asked.allowance - devices.process_memory() - RESERVE, needs, asked.tile)
    if asked.place != "cpu":
        return replace(cut, engine=devices.modest_memory(asked.place))
    return cut
