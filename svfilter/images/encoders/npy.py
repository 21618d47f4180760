"""NumPy's .npy: a short header, then nothing but numbers."""

from __future__ import annotations

import io
import shutil
import tempfile
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from numpy.lib import format as npy_format

from svfilter.images.encoders.base import Encoder
from svfilter.images.encoders.netpbm import check_complete, check_shape, put

if TYPE_CHECKING:
    from svfilter.images.layout import Layout
    from svfilter.images.metadata import Metadata
    from svfilter.kernels.base import Array


class NpyEncoder(Encoder):
    """An array in C's order, the least significant byte first.

    Its option is "axes": "hwc", "chw", or "hw" of one channel, which is the default for it. The
    planes of "chw" are put together in a temporary file where the file is a pipe.
    """

    def begin(self, layout: Layout, metadata: Metadata, options: dict[str, Any]) -> None:
        """Write the header."""
        axes = options.get("axes", "hw")
        if axes == "hw" and layout.channels > 1:
            axes = "hwc"
        sizes = {"h": layout.height, "w": layout.width, "c": layout.channels}
        self._layout = layout
        self._done = 0
        self._dtype = layout.dtype.newbyteorder("<")
        self._planes = layout.channels if axes == "chw" else 1
        header = io.BytesIO()
        about = {
            "descr": npy_format.dtype_to_descr(self._dtype),
            "fortran_order": False,
            "shape": tuple(sizes[axis] for axis in axes),
        }
        npy_format.write_array_header_1_0(header, about)
        self._start = len(header.getvalue())
        self._held: BinaryIO | None = None
        if self._planes > 1 and not self.file.seekable():
            held = tempfile.TemporaryFile(prefix="svfilter-")  # noqa: SIM115  (closed at the end)
            self._held = cast("BinaryIO", held)
        self._target = self._held or self.file
        self._target.write(header.getvalue())

    def write(self, rows: Array) -> None:
        """Write the next rows."""
        layout, first = self._layout, self._done
        self._done += len(rows)
        check_shape(rows, self._done, layout)
        if self._planes == 1:
            put(self._target, rows, self._dtype)
            return
        row_bytes = layout.row_bytes // self._planes
        for plane in range(self._planes):
            self._target.seek(self._start + (plane * layout.height + first) * row_bytes)
            put(self._target, rows[..., plane], self._dtype)

    def end(self) -> None:
        """Check that all rows came."""
        check_complete(self._done, self._layout)
        if self._held is not None:
            self._held.seek(0)
            shutil.copyfileobj(self._held, self.file, 2**20)
            self._held.close()

    def abandon(self) -> None:
        """Let go of the temporary file."""
        if self._held is not None:
            self._held.close()
