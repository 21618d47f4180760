"""NumPy's .npy: an array of any size and type, of which those that are pictures are read."""

from __future__ import annotations

import io
import struct
import warnings
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar

import numpy as np
from numpy.lib import format as npy_format

from svfilter.errors import ImageReadError
from svfilter.images.decoders.base import Decoder
from svfilter.images.decoders.plain import PIECE, check_size, read_exactly, seekable
from svfilter.images.layout import Colour, Layout, Storage
from svfilter.images.metadata import Metadata

if TYPE_CHECKING:
    from svfilter.kernels.base import Array

DTYPES = ("b1", "u1", "u2", "u4", "i1", "i2", "i4", "f2", "f4", "f8")
MOST_CHANNELS = 4
_LONGEST_HEADER = 10_000


class NpyDecoder(Decoder):
    """An array [H, W], [H, W, C] or [C, H, W], from a file or a pipe, in pieces.

    Which axis has the channels, `axes_of` tells. A .npy says nothing of what they mean: one is
    grey, three are RGB, and two or four are unnamed bands, of which none is taken for alpha.
    Booleans are 0 and 255. In Fortran's order the columns come first, and are given as rows, which
    the orientation says. Of [C, H, W] every plane is needed at once: from a pipe it is read whole.

    Args:
        file: at its start; it is only read, and sought only if it says that it is seekable.
    """

    in_order: ClassVar[bool] = True

    def __init__(self, file: BinaryIO) -> None:
        shape, fortran, stored = _read_header(file)
        axes = axes_of(shape)
        sizes = dict(zip(axes, shape, strict=True))
        order = axes[::-1] if fortran else axes  # as in the file, the slowest first
        height, width = (sizes[axis] for axis in order if axis != "c")
        channels = sizes.get("c", 1)
        self.layout = Layout(height, width, channels, native(stored), colour_of(channels))
        self.orientation = 5 if fortran else 1
        self.metadata = Metadata()
        self.storage = Storage("npy", {"axes": axes})
        self.block = 1
        self._file = file
        self._stored = stored
        self._planes = channels if order[0] == "c" else 1
        self._row_bytes = width * channels // self._planes * stored.itemsize
        self._next = 0
        self._start = check_size(file, self._size, b"\x93NUMPY")
        self._whole = self._planes > 1 and not seekable(file)
        self.memory = 3 * max(PIECE, self._row_bytes) + (2 * self._size if self._whole else 0)

    @property
    def _size(self) -> int:
        return self.layout.height * self._row_bytes * self._planes

    def rows(self, start: int, stop: int) -> Array:
        """Give the next rows."""
        if start != self._next:
            raise ValueError(f"row {self._next} comes next, not {start}")
        self._next = stop
        if self._whole:
            self._file, self._whole = io.BytesIO(read_exactly(self._file, self._size)), False
        layout = self.layout
        rows = np.empty((stop - start, layout.width, layout.channels), layout.dtype)
        if self._planes == 1:
            self._fill(rows)
            return rows
        for plane in range(self._planes):
            self._file.seek(self._start + (plane * layout.height + start) * self._row_bytes)
            self._fill(rows[..., plane])
        return rows

    def _fill(self, rows: Array) -> None:
        """Fill rows with what comes next in the file."""
        step = max(PIECE // self._row_bytes, 1)
        for top in range(0, len(rows), step):
            part = rows[top : top + step]
            data = read_exactly(self._file, len(part) * self._row_bytes)
            if self._stored.kind == "b":
                values = np.where(np.frombuffer(data, np.uint8), np.uint8(255), np.uint8(0))
            else:
                values = np.frombuffer(data, self._stored)
            part[...] = values.reshape(part.shape)


def axes_of(shape: tuple[int, ...]) -> str:
    """Tell the axes of an array: "hw", "hwc" or "chw".

    The channels come last, if these are 1 to 4; but first, if the first axis has 1 to 4 and the
    last more, as is usual in PyTorch. So [3, 4, 4] has 3 rows and 4 channels. With more channels
    they are the shorter of the two axes.

    Raises:
        ImageReadError: it is no picture.
    """
    if not all(shape):
        raise ImageReadError(f"is an array {list(shape)}, which has no pixels")
    if len(shape) == 2:
        return "hw"
    if len(shape) != 3:
        raise ImageReadError(
            f"is an array {list(shape)}, but [height, width], [height, width, channels] or "
            "[channels, height, width] is needed: save a part of it"
        )
    last = shape[-1] <= MOST_CHANNELS or MOST_CHANNELS < shape[0] >= shape[-1]
    return "hwc" if last else "chw"


def colour_of(channels: int) -> Colour:
    """Tell what channels are taken for of which nothing is said."""
    return "grey" if channels == 1 else "rgb" if channels == 3 else "bands"


def native(stored: np.dtype[Any]) -> np.dtype[Any]:
    """Give the type that pixels are read as.

    Raises:
        ImageReadError: they are of a type that is none of pixels.
    """
    if stored.kind + str(stored.itemsize) not in DTYPES:
        raise ImageReadError(
            f"holds {stored}; it must be bool, an integer of 8 to 32 bits (uint64 and int64 are "
            "not) or a float of 16 to 64: convert it first, as with array.astype(numpy.float32)"
        )
    return np.dtype(np.uint8) if stored.kind == "b" else stored.newbyteorder("=")


def _read_header(file: BinaryIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    magic = bytes(read_exactly(file, 8))
    if magic.startswith(b"PK"):
        raise ImageReadError(
            "is an .npz, which may hold several arrays: save the one that is meant with numpy.save"
        )
    version = npy_format.read_magic(io.BytesIO(magic))
    if version not in ((1, 0), (2, 0)):
        raise ImageReadError(f"is an .npy of version {version}, which is not for plain numbers")
    wide = version == (2, 0)
    stated = bytes(read_exactly(file, 4 if wide else 2))
    (length,) = struct.unpack("<I" if wide else "<H", stated)
    if length > _LONGEST_HEADER:
        raise ValueError(f"its header has {length} bytes, more than {_LONGEST_HEADER}")
    text = io.BytesIO(stated + read_exactly(file, length))
    read = npy_format.read_array_header_2_0 if wide else npy_format.read_array_header_1_0
    try:
        with warnings.catch_warnings():  # of headers that Python 2 wrote
            warnings.simplefilter("ignore", UserWarning)
            shape, fortran, dtype = read(text, max_header_size=_LONGEST_HEADER)
    except Exception as error:  # of any kind: a MemoryError by thousands of brackets
        raise ValueError(f"its header cannot be parsed ({str(error)[:80]})") from error
    if not all(0 <= size < 2**31 for size in shape):
        raise ValueError("its header has sides below 0 or beyond 2147483647")
    return shape, fortran, dtype
