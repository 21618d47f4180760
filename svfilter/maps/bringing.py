"""Files of kernels that a user brings: what family they are of, and what drives it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from svfilter.errors import ImageReadError, InvalidArgument
from svfilter.images.reading import open_image
from svfilter.images.sources import why
from svfilter.kernels.stored import Basis, Codebook, Dense, Grid
from svfilter.kernels.stored.bank import Bank
from svfilter.maps.arrays import load_arrays, refuse_stream
from svfilter.maps.channels import Pick
from svfilter.maps.levels import check_finite
from svfilter.maps.stored import ROUNDING, Indices, Nodes, Planes

if TYPE_CHECKING:
    from svfilter.kernels.base import Array, Family
    from svfilter.maps.base import Driver

_ARRAYS = (b"\x93NUMPY", b"PK\x03\x04")
"""What an .npy and an .npz begin with."""
_TEXTS = (".txt", ".csv")


@dataclass(frozen=True)
class Brought:
    """Kernels from files, as the pipeline takes them."""

    family: type[Family]
    drivers: tuple[Driver, ...] = ()
    constants: Mapping[str, Bank] = field(default_factory=dict)
    """The family's arguments that no driver gives."""


def read_kernels(
    name: str,
    *,
    index: str | None = None,
    coefficients: str | None = None,
    sum_to_one: bool = False,
) -> Brought:
    """Read kernels, all but those that differ at every pixel.

    - [kh, kw], the same kernel everywhere: numbers in a .txt or .csv, an .npy, or an image, whose
      luma is divided by its sum. An array's numbers are taken as they are.
    - [N, kh, kw] with an index map: each pixel has one of the kernels.
    - [R, kh, kw] with coefficients [R, H, W]: each pixel has a sum of them.
    - [K, H, W] alone, of the image's size: each pixel has K = (2 · r + 1)² taps of its own.
    - [gy, gx, kh, kw]: kernels at the nodes of a grid that spans the image.

    Args:
        name: a file. In an .npz the array `kernels` is meant, and `index` or `coefficients` are
            taken from there too.
        index: an .npy or an image of integers; see `Indices`.
        coefficients: an .npy.
        sum_to_one: whether each pixel's kernel is divided by its sum.

    Raises:
        InvalidArgument: what is given does not go together, an array is not what it must be, or a
            sum is 0 that should be 1.
        ImageReadError: a file cannot be read.
    """
    if index is not None and coefficients is not None:
        raise InvalidArgument("an index and coefficients exclude each other")
    if _head(name) not in _ARRAYS:
        _refuse(name, index, coefficients)
        kernel = _text(name) if Path(name).suffix.lower() in _TEXTS else _picture(name)
        bank = _bank(name, kernel[None], "N, kh, kw", sum_to_one=sum_to_one)
        return Brought(Codebook, (), {"kernels": bank})
    arrays = load_arrays(name)
    key = "" if "" in arrays else "kernels"
    if key not in arrays:
        held = ", ".join(arrays) or "none"
        raise InvalidArgument(f"{name}: has no array named kernels, but {held}")
    kernels, at = arrays[key], _Arrays(name, arrays)
    if kernels.ndim == 3:
        many = len(kernels)
        if driver := at.index(index, many):
            bank = _bank(name, kernels, "N, kh, kw", sum_to_one=sum_to_one)
            return Brought(Codebook, (driver,), {"kernels": bank})
        if driver := at.coefficients(coefficients, many):
            bank = _bank(name, kernels, "R, kh, kw")
            driver = replace(driver, sums=_sums(bank)) if sum_to_one else driver
            return Brought(Basis, (driver,), {"kernels": bank})
        if math.isqrt(many) ** 2 != many or many % 2 == 0:
            raise InvalidArgument(
                f"{name}: {many} planes are not the taps of an odd square, such as 9 or 25; if "
                "they are kernels, give their index or their coefficients"
            )
        sums = (1.0,) * many if sum_to_one else None
        return Brought(Dense, (Planes("taps", name, many, key, sums),))
    _refuse(name, at.index(index, 1), at.coefficients(coefficients, 1))
    if kernels.ndim == 4:
        bank = _bank(name, kernels, "gy, gx, kh, kw", sum_to_one=sum_to_one)
        return Brought(Grid, (Nodes(*bank.nodes),), {"kernels": bank})
    if kernels.ndim == 2:
        bank = _bank(name, kernels[None], "N, kh, kw", sum_to_one=sum_to_one)
        return Brought(Codebook, (), {"kernels": bank})
    raise InvalidArgument(
        f"{name}: kernels must be [kh, kw], [N, kh, kw], [gy, gx, kh, kw] or taps [K, H, W], but "
        f"have shape {list(kernels.shape)}"
    )


@dataclass(frozen=True)
class _Arrays:
    """The arrays of a file of kernels, and what is given beside it."""

    name: str
    arrays: Mapping[str, Array]

    def index(self, source: str | None, count: int) -> Driver | None:
        """Give what drives the index, if there is one."""
        if self._within("index", source):
            return Indices(self.name, count, "index")
        if source is None:
            return None
        return Indices(source, count, "" if _head(source) == _ARRAYS[0] else None)

    def coefficients(self, source: str | None, count: int) -> Planes | None:
        """Give what drives the coefficients, if there are any."""
        if self._within("coefficients", source):
            return Planes("coefficients", self.name, count, "coefficients")
        return None if source is None else Planes("coefficients", source, count)

    def _within(self, name: str, source: str | None) -> bool:
        if name not in self.arrays:
            return False
        if source is not None or {"index", "coefficients"} <= set(self.arrays):
            raise InvalidArgument(
                f"{self.name}: holds {name}: no others may be given, and no index beside "
                "coefficients"
            )
        return True


def _refuse(name: str, *given: object) -> None:
    if any(thing is not None for thing in given):
        raise InvalidArgument(
            f"{name}: an index or coefficients are for kernels [N, kh, kw], but it holds others"
        )


def _bank(name: str, kernels: Array, axes: str, *, sum_to_one: bool = False) -> Bank:
    import numpy as np

    try:
        bank = Bank.of(kernels, axes)
        if not sum_to_one:
            return bank
        sums = np.reshape(_sums(bank), (*bank.nodes, 1, 1))
        if (sums == 0).any():
            first = np.argwhere(sums == 0)[0][:-2].tolist()
            which = f"kernels{first}" if sums.size > 1 else "this one"
            raise InvalidArgument(
                f"kernels divided by their sum must have one other than 0, but that of {which} is "
                "0, as that of an edge detector is: take them as they are"
            )
        return Bank.of(bank.values / sums, axes)
    except InvalidArgument as error:
        raise InvalidArgument(f"{name}: {error}") from error


def _sums(bank: Bank) -> tuple[float, ...]:
    """Give the sum of every kernel, exactly 0 where it is no more than rounding."""
    import numpy as np

    sums, most = bank.values.sum(axis=(-2, -1), dtype=np.float64), bank.absolute_sums()
    return tuple(np.where(abs(sums) > ROUNDING * most, sums, 0.0).ravel().tolist())


def _head(name: str) -> bytes:
    """Give the first bytes, as many as tell an array."""
    refuse_stream(name)
    try:
        with Path(name).open("rb") as file:
            head = file.read(6)
    except OSError as error:
        raise ImageReadError(f"{name}: cannot be read: {why(error)}") from error
    return next((start for start in _ARRAYS if head.startswith(start)), head)


def _text(name: str) -> Array:
    """Give a matrix of numbers, apart by spaces or commas; what follows # is a remark."""
    import numpy as np

    try:
        lines = Path(name).read_text("utf-8-sig").replace(",", " ").splitlines()
        rows = [row for line in lines if (row := line.partition("#")[0].split())]
        if not rows:
            raise ValueError("it is empty")
        if any(len(row) != len(rows[0]) for row in rows):
            raise ValueError("its rows are not of the same length")
        return np.array([[float(word) for word in row] for row in rows])
    except OSError as error:
        raise ImageReadError(f"{name}: cannot be read: {why(error)}") from error
    except ValueError as error:
        raise ImageReadError(f"{name}: is no matrix of numbers: {error}") from error


def _picture(name: str) -> Array:
    """Give an image's luma divided by its sum, in float64."""
    with open_image(name) as image:
        pick = Pick()
        pick.check(image)
        levels = pick.read(image, image.whole)
        check_finite(levels, image.name, image.whole)
    luma = levels[0].astype("float64")
    total = float(luma.sum())
    if not total > 0:
        raise InvalidArgument(
            f"{name}: a kernel's image is divided by its sum, which must be above 0, but is "
            f"{total:g}"
        )
    kernel: Array = luma / total
    return kernel
