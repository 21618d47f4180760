"""PGM, PPM, PAM and PFM: a short header, then nothing but samples."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar

import numpy as np

from svfilter.images.encoders.base import Encoder

if TYPE_CHECKING:
    from svfilter.images.layout import Layout
    from svfilter.images.metadata import Metadata
    from svfilter.kernels.base import Array

_TUPLTYPES = {
    ("grey", ""): "GRAYSCALE",
    ("grey", "straight"): "GRAYSCALE_ALPHA",
    ("rgb", ""): "RGB",
    ("rgb", "straight"): "RGB_ALPHA",
}


class _PlainEncoder(Encoder):
    """Writes a header, then rows as they come, the most significant byte first."""

    def begin(self, layout: Layout, metadata: Metadata, options: dict[str, Any]) -> None:
        """Write the header."""
        self._layout = layout
        self._done = 0
        self._dtype = layout.dtype.newbyteorder(">")
        self.file.write(self._header(layout, metadata, options))

    @abstractmethod
    def _header(self, layout: Layout, metadata: Metadata, options: dict[str, Any]) -> bytes:
        """Give the header."""

    def write(self, rows: Array) -> None:
        """Write the next rows."""
        self._done += len(rows)
        check_shape(rows, self._done, self._layout)
        put(self.file, rows, self._dtype)

    def end(self) -> None:
        """Check that all rows came."""
        check_complete(self._done, self._layout)


class PnmEncoder(_PlainEncoder):
    """PGM of grey images, PPM of RGB images, of 8 or 16 bits, without alpha."""

    def _header(self, layout: Layout, metadata: Metadata, options: dict[str, Any]) -> bytes:
        kind = {"grey": b"P5", "rgb": b"P6"}[layout.colour]
        size = b"%d %d\n%d\n" % (layout.width, layout.height, np.iinfo(layout.dtype).max)
        return kind + b"\n" + _comments(metadata) + size


class PamEncoder(_PlainEncoder):
    """PAM, of 8 or 16 bits: with alpha, or any number of bands.

    Its option is "tupltype": what bands are called.
    """

    def _header(self, layout: Layout, metadata: Metadata, options: dict[str, Any]) -> bytes:
        tupltype = _TUPLTYPES.get((layout.colour, layout.alpha), options.get("tupltype"))
        fields = {
            "WIDTH": layout.width,
            "HEIGHT": layout.height,
            "DEPTH": layout.channels,
            "MAXVAL": np.iinfo(layout.dtype).max,
            **({"TUPLTYPE": tupltype} if tupltype else {}),
        }
        lines = "".join(f"{name} {value}\n" for name, value in fields.items())
        return b"P7\n" + _comments(metadata) + lines.encode("ascii") + b"ENDHDR\n"


class PfmEncoder(_PlainEncoder):
    """PFM, grey or RGB floats of 32 bits; its rows stand from the bottom to the top.

    Its option is "scale": the unit of the samples, negative where the least significant byte
    comes first.
    """

    seeks: ClassVar[bool] = True

    def _header(self, layout: Layout, metadata: Metadata, options: dict[str, Any]) -> bytes:
        scale = float(options.get("scale", -1.0))
        self._dtype = layout.dtype.newbyteorder("<" if scale < 0 else ">")
        kind = {"grey": "Pf", "rgb": "PF"}[layout.colour]
        header = f"{kind}\n{layout.width} {layout.height}\n{scale}\n".encode("ascii")
        self._start = len(header)
        return header

    def write(self, rows: Array) -> None:
        """Write the next rows above those before."""
        below = self._layout.height - self._done - len(rows)
        self.file.seek(self._start + max(below, 0) * self._layout.row_bytes)
        super().write(rows[::-1])


def _comments(metadata: Metadata) -> bytes:
    lines = (line for comment in metadata.comments for line in comment.splitlines())
    return b"".join(b"# %s\n" % line.encode("utf-8", "replace") for line in lines)


def check_shape(rows: Array, done: int, layout: Layout) -> None:
    """Check that rows fit an image of which there are, with them, so many.

    Raises:
        ValueError: they do not.
    """
    if rows.shape[1:] != (layout.width, layout.channels) or done > layout.height:
        raise ValueError(f"rows {rows.shape} up to row {done} are not those of {layout}")


def check_complete(done: int, layout: Layout) -> None:
    """Check that an image has all its rows.

    Raises:
        ValueError: some are missing.
    """
    if done != layout.height:
        raise ValueError(f"{layout.height - done} of its rows are missing")


def put(file: BinaryIO, rows: Array, dtype: np.dtype[Any]) -> None:
    """Write samples, in the byte order of a type."""
    file.write(np.ascontiguousarray(rows, dtype).reshape(-1).view(np.uint8).data)
