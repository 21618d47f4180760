"""What the compiled functions are handed to make the kernels of a field."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import partial
from typing import Literal

import numpy as np

from svfilter import compiled
from svfilter.borders import Bordered
from svfilter.compiled import machine
from svfilter.compiled.blocks import Sums, own_kernels
from svfilter.compiled.formulas import Formula, formula_of
from svfilter.compiled.functions import one_blend, one_dense
from svfilter.compiled.planes import Kernel
from svfilter.field import KernelField
from svfilter.kernels.base import Array, Blend, Family
from svfilter.kernels.gaussian import Gaussian

GATHER_TILE = (64, 512)
"""Rows and columns that are filtered at once: with their margin, they stay in the cache."""
SCATTER_TILE = (128, 512)
"""The same to scatter: the kernels of the margin are made, too, so that there should be less."""


def gaussians(image: Bordered, field: KernelField) -> Kernel:
    """Gather by Gaussians: give the function to run, whose one parameter is sigma."""
    assert isinstance(field.family, Gaussian)
    return Kernel(
        function=compiled.kernel("gaussian"),
        rows=GATHER_TILE[0],
        cols=GATHER_TILE[1],
        scratch=partial(machine.gaussian_scratch, margin=image.margin),
        more=(float(field.family.truncate),),
    )


def kernels_in_registers(
    image: Bordered, field: KernelField, guide: Bordered | None
) -> tuple[Kernel, list[Array]]:
    """Gather by a formula: give the function to run, and its parameters."""
    planes = np.empty((0, 1, 1), np.float32)
    if guide is not None:
        planes = np.ascontiguousarray(guide.pixels, np.float32)
    formula = formula_of(field.family, len(planes))
    tables = _Tables(formula, field.reach)
    kernel = Kernel(
        function=compiled.kernel("gather"),
        rows=GATHER_TILE[0],
        cols=GATHER_TILE[1],
        scratch=partial(machine.gather_scratch, margin=image.margin, guides=len(planes)),
        more=(
            planes.ctypes.data,
            *planes.strides[1::-1],
            len(planes),
            own_kernels(formula, _sums(field.family, "gather")),
            int(field.family.circle),
            *tables.places,
        ),
        prepare=partial(_coefficients, field, formula),
        kept=(planes, tables),
    )
    return kernel, list(field.maps.values())


def light_in_registers(image: Bordered, field: KernelField) -> tuple[Kernel, list[Array]]:
    """Scatter by a formula: give the function to run, and its parameters."""
    formula, family = formula_of(field.family, 0), field.family
    tables = _Tables(formula, field.reach)
    kernel = Kernel(
        function=compiled.kernel("scatter"),
        rows=SCATTER_TILE[0],
        cols=SCATTER_TILE[1],
        scratch=partial(machine.scatter_scratch, margin=image.margin),
        more=(
            own_kernels(formula, _sums(family, "totals")) if family.normalised else 0,
            own_kernels(formula, _sums(family, "scatter")),
            int(family.circle),
            *tables.places,
        ),
        prepare=partial(_coefficients, field, formula),
        around=True,
        kept=(tables,),
    )
    return kernel, list(field.maps.values())


def kernels_in_memory(
    image: Bordered, field: KernelField, *, scatter: bool, sign: int = 0
) -> tuple[Kernel, list[Array]]:
    """Gather or scatter by stored kernels: give the function to run, and its parameters.

    Args:
        image: the window that is filtered.
        field: kernels that `Family.blend` says.
        scatter: whether they are those of the pixels that give.
        sign: 0 for weights w; 1 or −1 for max(sign · w, 0) in their place.
    """
    blend = field.family.blend()
    assert blend is not None
    bank = _Bank(blend)
    planes = 1 + len(blend.indices) + len(blend.shares)
    rows, cols = SCATTER_TILE if scatter else GATHER_TILE

    def scratch(height: int, width: int, channels: int) -> int:
        # The coefficients of a piece too: for dense kernels they are what takes the memory.
        size = machine.taps_scratch(height, width, channels, margin=image.margin, scatter=scatter)
        around = 2 * image.margin * scatter
        return int(size + 4 * planes * (height + around) * (width + around))

    kernel = Kernel(
        function=compiled.kernel("taps"),
        rows=rows,
        cols=cols,
        scratch=scratch,
        more=(
            one_dense(sign) if blend.bank is None else one_blend(len(blend.indices), sign),
            *bank.places,
            int(scatter),
        ),
        growth=2.0 ** math.ceil(math.log2(field.family.gain())),
        prepare=partial(_blends, field),
        around=scatter,
        kept=(bank,),
    )
    return kernel, list(field.maps.values())


def _sums(family: Family, mode: Literal["gather", "scatter", "totals"]) -> Sums:
    return Sums(mode, family.normalised, family.even, family.compact)


class _Tables:
    """A formula's tables in memory."""

    def __init__(self, formula: Formula, reach: int) -> None:
        reach += machine.ROWS  # of which the farthest rows of a block see more
        pitch = -(-(2 * reach + 1 + machine.LANES) // machine.LANES) * machine.LANES
        self._values = np.zeros((len(formula.tables), 2 * reach + 1, pitch), np.float32)
        for place, table in zip(self._values, formula.tables_of(reach), strict=True):
            place[:, : 2 * reach + 1] = table
        plane, row, _ = self._values.strides
        self.places = self._values.ctypes.data + reach * (row + 4), row, plane


class _Bank:
    """Stored kernels in memory, their rows padded to whole vectors."""

    def __init__(self, blend: Blend) -> None:
        bank = np.empty((0, 1, 1), np.float32) if blend.bank is None else blend.bank
        size = bank.shape[-1]
        self._values = np.zeros(
            (*bank.shape[:2], machine.vectors(size) * machine.LANES), np.float32
        )
        self._values[..., :size] = bank
        plane, row, _ = self._values.strides
        self.places = self._values.ctypes.data + size // 2 * (row + 4), row, plane


def _blends(field: KernelField, parameters: list[Array]) -> Array:
    """Give radii, and indices and shares of what is blended, of a piece."""
    maps = dict(zip(field.maps, parameters, strict=True))
    family = field.with_maps(maps.items()).family
    blend = family.blend()
    assert blend is not None
    pairs = zip(blend.indices, blend.shares, strict=True)
    parts = blend.shares if blend.bank is None else [value for pair in pairs for value in pair]
    shape = parameters[0].shape
    values = [np.broadcast_to(value, shape) for value in (family.reaches(), *parts)]
    return np.stack(values, dtype=np.float32)


def _coefficients(field: KernelField, formula: Formula, parameters: list[Array]) -> Array:
    """Give radii and coefficients of a piece, with room for whole blocks."""
    maps = dict(zip(field.maps, parameters, strict=True))
    shape = parameters[0].shape
    radii = field.with_maps(maps.items()).family.reaches()
    return _block([radii, *formula.coefficients_of(maps, shape)], shape)


def _block(values: Iterable[Array], shape: tuple[int, int]) -> Array:
    values = list(values)
    made = np.zeros((len(values), shape[0] + machine.ROWS, shape[1] + machine.LANES), np.float32)
    for place, value in zip(made, values, strict=True):
        place[: shape[0], : shape[1]] = value
    return made
