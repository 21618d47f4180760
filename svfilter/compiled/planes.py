"""Planes of an image, cut into pieces that threads hand to a compiled function."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial, reduce
from operator import or_

import numpy as np

from svfilter import devices
from svfilter.borders import Bordered
from svfilter.compiled.machine import CHANNELS, HUGE, LANES, TOO_FAR, WILD
from svfilter.errors import InvalidArgument
from svfilter.kernels.base import Array
from svfilter.tiles import OUTSIDE, Window, plan

LEAST = 16
"""Pieces are not cut smaller than this to either side, whatever the memory."""
_ALIGNED = 64
_PAGE = 1024
"""Values on the smallest page of memory that there is."""
_LARGE, _SPARE = 2.0**125, 2.0**16
"""Sums of larger values might become infinite; by how much more than needed they are scaled."""


@dataclass(frozen=True)
class Kernel:
    """A compiled function and what it must be handed beyond the planes."""

    function: Callable[..., int]
    rows: int | None
    """Rows of a piece; None: all."""
    cols: int
    """Columns of a piece, or fewer where the memory demands it."""
    scratch: Callable[[int, int, int], int]
    """Bytes for a piece of so many rows and columns and channels."""
    more: tuple[float, ...]
    """Arguments after the ones that say where the planes are."""
    growth: float = 1.0
    """A power of 2 by which no value on the way exceeds the largest of the image."""
    prepare: Callable[[list[Array]], Array] | None = None
    """Makes of a piece's parameters the coefficients that the function takes in their place,
    float32 [n, H, W and more], for whole blocks of which there is room; each function that has
    them is handed the bytes from one to the next after `large`."""
    around: bool = False
    """Whether the parameters are those of the margin, too."""
    kept: tuple[object, ...] = ()
    """What `more` has addresses of."""


@dataclass(frozen=True)
class _Planes:
    """Planes that share their parameters, the parameters, and where the results go."""

    pixels: Array  # [C, h, w] float32, values of a row next to each other
    rows: Array  # int64 [H + 2 · margin]: which row of pixels stands there, or OUTSIDE
    cols: Array  # int64 [W + 2 · margin]
    run: tuple[int, int]  # of cols: from where to where they follow each other
    parameters: list[Array]  # each [H, W], values of a row next to each other
    target: Array  # [C, H, W] float32
    margin: int

    def places(self, window: Window) -> list[int]:
        """Give a compiled function's first arguments: where the pixels of a window are."""
        first, last = (at - window.col_off for at in self.run)
        return [
            self.pixels.ctypes.data,
            *self.pixels.strides[1::-1],
            self.rows.ctypes.data + 8 * window.row_off,
            self.cols.ctypes.data + 8 * window.col_off,
            max(first, 0),
            min(last, window.width + 2 * self.margin),
        ]

    def results(self, window: Window) -> list[int]:
        """Give those after the parameters: where the results go, and how many there are."""
        target = _address(self.target, window), *self.target.strides[1::-1]
        return [*target, window.height, window.width, self.margin, len(self.target)]


def filter_planes(
    image: Bordered,
    parameters: list[Array],
    kernel: Kernel,
    *,
    memory: int,
    jobs: int | None,
) -> tuple[Array, bool]:
    """Filter a window with a compiled function.

    Args:
        image: the window with its border, pixels [..., h, w] float32.
        parameters: each [..., H, W] or [], leading axes as in `KernelField`; of the window, or
            with its margin.
        kernel: what to run.
        memory: bytes of scratch that all threads may use together.
        jobs: threads; None: one for each core.

    Returns:
        The result [..., H, W], and whether there were NaN or infinities, which are taken for 0.

    Raises:
        InvalidArgument: the memory does not suffice for the narrowest piece.
    """
    height, width, _ = image.size
    out = np.empty((*image.pixels.shape[:-2], height, width), np.float32)
    groups = list(_groups(image, parameters, out, kernel.around))
    channels = max((len(planes.target) for planes in groups), default=0)
    threads, rows, cols = _share(kernel, height, width, channels, memory, devices.threads(jobs))
    tasks = [
        partial(_call, kernel, planes, window)
        for planes in groups
        for window in plan(height, width, rows, cols)
    ]
    seen = _run_all(tasks, threads, kernel.scratch(rows, cols, channels), out.reshape(-1))
    assert not seen & TOO_FAR, "the margin is too small"
    if seen & HUGE:  # the same result, but for the smallest numbers that there are
        scale = np.float32(_SPARE * kernel.growth)
        with np.errstate(all="ignore"):  # NaN of any kind among them
            smaller = image.transform(lambda pixels: pixels * (1 / scale))
            out, seen = filter_planes(smaller, parameters, kernel, memory=memory, jobs=jobs)
            largest = np.finfo(np.float32).max / scale
            out = out.clip(-largest, largest) * scale
    return out, bool(seen & WILD)


def _call(kernel: Kernel, planes: _Planes, window: Window, scratch: int) -> int:
    places: list[float] = []
    more: list[float] = [_LARGE / kernel.growth]
    if kernel.prepare is None:
        for parameter in planes.parameters:
            places += (_address(parameter, window), parameter.strides[0])
    else:
        around = 2 * planes.margin * kernel.around
        owners = Window(*window[:2], window.height + around, window.width + around)
        made = kernel.prepare([p[owners.rows, owners.cols] for p in planes.parameters])
        places += (made.ctypes.data, made.strides[1])
        more.append(made.strides[0])
    arguments = [*planes.places(window), *places, *planes.results(window), *more]
    return kernel.function(*arguments, *kernel.more, scratch)


def _groups(
    image: Bordered, parameters: list[Array], target: Array, around: bool
) -> Iterator[_Planes]:
    """Put together neighbouring planes that have the same parameters."""
    height, width, margin = image.size
    size = tuple(side + 2 * margin * around for side in (height, width))
    leading = target.shape[:-2]
    pixels = _rows_together(image.pixels).reshape(-1, *image.pixels.shape[-2:])
    results = target.reshape(-1, height, width)
    rows, cols = (np.array(indices, np.int64) for indices in (image.rows, image.cols))
    run = _longest_run(cols)
    maps, owners = [], []
    for values in parameters:
        own = values.shape[:-2]
        owners.append(np.broadcast_to(np.arange(math.prod(own)).reshape(own), leading).ravel())
        flat = np.full(size[1], values) if values.ndim == 0 else values
        flat = _rows_together(np.broadcast_to(flat, (*own, *size)))
        maps.append(flat.reshape(-1, *size) if own else flat[None])
    start = 0
    for stop in range(1, len(results) + 1):
        full = stop - start == CHANNELS or stop == len(results)
        if full or any(owner[stop] != owner[start] for owner in owners):
            values = [m[owner[start]] for m, owner in zip(maps, owners, strict=True)]
            own = pixels[start:stop], rows, cols, run, values, results[start:stop]
            yield _Planes(*own, margin)
            start = stop


def _rows_together(values: Array) -> Array:
    """Give the same values, those of a row next to each other; copied only if they are not."""
    together = values.shape[-1] == 1 or values.strides[-1] == values.itemsize
    return values if together else np.ascontiguousarray(values)


def _longest_run(indices: Array) -> tuple[int, int]:
    """Give from where to where indices, none of them OUTSIDE, follow each other for longest."""
    breaks = np.flatnonzero((np.diff(indices) != 1) | (indices[:-1] == OUTSIDE)) + 1
    edges = np.concatenate([[0], breaks, [len(indices)]])
    longest = np.diff(edges).argmax()
    return int(edges[longest]), int(edges[longest + 1])


def _address(plane: Array, window: Window) -> int:
    rows, cols = plane.strides[-2:]
    return int(plane.ctypes.data + window.row_off * rows + window.col_off * cols)


def _share(
    kernel: Kernel, height: int, width: int, channels: int, memory: int, jobs: int
) -> tuple[int, int, int]:
    """Give the number of threads and the rows and columns of a piece that fit into the memory."""
    rows = height if kernel.rows is None else min(kernel.rows, height)
    cols = min(kernel.cols, width)
    across = -(-width // cols)
    if kernel.rows is None or -(-height // rows) * across < jobs:  # as many for every thread
        across = -(-across // jobs) * jobs
        cols = min(max(-(-width // (across * LANES)) * LANES, LEAST), width)
    while jobs * kernel.scratch(rows, cols, channels) > memory:
        if cols > LEAST:
            cols = max(cols // 2, LEAST)
        elif kernel.rows is not None and rows > LEAST:
            rows = max(rows // 2, LEAST)
        elif jobs > 1:
            jobs -= 1
        else:
            needed = kernel.scratch(rows, cols, channels)
            raise InvalidArgument(
                f"memory must be at least {needed} bytes for kernels of this reach, but {memory} "
                "bytes are left to the engine"
            )
    return jobs, rows, cols


def _run_all(tasks: Sequence[Callable[[int], int]], jobs: int, scratch: int, target: Array) -> int:
    """Run tasks in threads, each handed the address of `scratch` bytes; give what they saw.

    Tasks are independent: their order and the number of threads change nothing. They write into
    the fresh memory of `target`.
    """
    waiting = iter(tasks)

    def work(_: int) -> int:
        memory = np.zeros(scratch + _ALIGNED, np.uint8)
        start = -(-memory.ctypes.data // _ALIGNED) * _ALIGNED
        return reduce(or_, (task(start) for task in waiting), 0)

    jobs = min(jobs, len(tasks))
    if jobs <= 1:
        return work(0)
    with ThreadPoolExecutor(jobs) as pool:
        try:
            # The system clears a page when it is first written, and whoever else writes there
            # waits; so each thread has pages of its own cleared before they write side by side.
            list(pool.map(_touch, np.array_split(target, jobs)))
            return reduce(or_, pool.map(work, range(jobs)))
        except BaseException:  # an interrupt, above all: let no other task begin
            list(waiting)
            raise


def _touch(values: Array) -> None:
    values[::_PAGE] = 0
