"""Zarr arrays, and the pictures of OME-Zarr: folders of chunks."""

from __future__ import annotations

import copy
import json
import math
import warnings
from importlib import import_module
from itertools import chain
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np

from svfilter.images.encoders.base import Encoder
from svfilter.images.encoders.netpbm import check_complete, check_shape

if TYPE_CHECKING:
    from svfilter.images.layout import Layout
    from svfilter.images.metadata import Metadata
    from svfilter.kernels.base import Array

_PIXEL_AXES = ("y", "x", "c")
_CHUNK = 512
_ZSTD = {"id": "zstd", "level": 3}


class ZarrEncoder(Encoder):
    """A Zarr array, or an OME-Zarr group of one picture, as its options say.

    These are "documents", the metadata of all folders as in the image read, "array", the folder of
    the array, and "axes", the names of its axes. Without them the array is of version 2, which
    more programs read, and of one picture.

    Args:
        path: a folder that does not exist.
        jobs: is left to Zarr.
    """

    def __init__(self, path: str, *, jobs: int) -> None:
        self._root = Path(path)
        self.jobs = jobs
        self._page = -1
        self._others: list[int] = []

    def begin(self, layout: Layout, metadata: Metadata, options: dict[str, Any]) -> None:
        """Start a page; with the first, create the array."""
        self._page += 1
        if self._page == 0:
            self._layout = layout
            self._create(options)
        elif layout != self._layout or self._page >= math.prod(self._others):
            raise ValueError(f"it cannot hold {layout} as its page {self._page + 1}")
        self._done = 0
        self._filled = 0

    def _create(self, options: dict[str, Any]) -> None:
        layout = self._layout
        axes, inner = options.get("axes", ()), options.get("array", "")
        documents = copy.deepcopy(options.get("documents", {}))
        if not documents or ("c" not in axes and layout.channels > 1):
            axes, inner = _PIXEL_AXES[: 2 + (layout.channels > 1)], ""
            documents = {".zarray": _default(layout, len(axes))}
        name = str(PurePosixPath(inner, ".zarray"))
        name = name if name in documents else str(PurePosixPath(inner, "zarr.json"))
        document = documents[name]
        sizes = {"y": layout.height, "x": layout.width, "c": layout.channels}
        shape = dict(zip(axes, document["shape"], strict=True))
        shape |= {axis: size for axis, size in sizes.items() if axis in shape}
        document["shape"] = list(shape.values())
        self._others = [size for axis, size in shape.items() if axis not in sizes]
        self._axes, self._documents, self._document = axes, documents, document
        _set_type(document, layout.dtype)
        _trim(documents)
        self._save()
        self._array = _open(self._root / inner)
        rows = min(_chunks(document)[axes.index("y")], layout.height)
        self._rows = np.empty((rows, layout.width, layout.channels), layout.dtype)

    def _save(self) -> None:
        for name, document in self._documents.items():
            path = self._root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(document, indent=4), encoding="utf-8")

    def write(self, rows: Array) -> None:
        """Take the next rows; those of a row of chunks are written together."""
        self._done += len(rows)
        check_shape(rows, self._done, self._layout)
        while len(rows):
            part = rows[: len(self._rows) - self._filled]
            self._rows[self._filled : self._filled + len(part)] = part
            self._filled += len(part)
            rows = rows[len(part) :]
            if self._filled == len(self._rows):
                self._flush(self._done - len(rows))

    def _flush(self, stop: int) -> None:
        """Write the rows held, of which the last is before a row of the image."""
        page = iter(np.unravel_index(self._page, self._others) if self._others else ())
        place = {"y": slice(stop - self._filled, stop), "x": slice(None), "c": slice(None)}
        index = tuple(place[a] if a in place else int(next(page)) for a in self._axes)
        values = self._rows[: self._filled]
        order = [_PIXEL_AXES.index(axis) for axis in self._axes if axis in place]
        self._array[index] = (values if "c" in self._axes else values[..., 0]).transpose(order)
        self._filled = 0

    def end(self) -> None:
        """Write the last rows of a page."""
        check_complete(self._done, self._layout)
        if self._filled:
            self._flush(self._done)

    def close(self) -> None:
        """State how many pages there are, if these are fewer than in the image read."""
        pages, whole = self._page + 1, math.prod(self._others)
        if pages in (0, whole):
            return
        if pages > 1 and max(self._others) < whole:
            raise ValueError(f"{whole - pages} of its pages are missing")
        shape = zip(self._axes, self._document["shape"], strict=True)
        self._document["shape"] = [
            size if axis in _PIXEL_AXES else min(size, pages) for axis, size in shape
        ]
        self._save()


def _default(layout: Layout, axes: int) -> dict[str, Any]:
    """Give the metadata of an array of version 2, which more programs read than version 3."""
    size = [layout.height, layout.width, layout.channels][:axes]
    return {
        "zarr_format": 2,
        "shape": size,
        "chunks": [min(n, _CHUNK) for n in size],
        "dtype": layout.dtype.newbyteorder("<").str,
        "compressor": _ZSTD,
        "fill_value": 0,
        "order": "C",
        "filters": None,
        "dimension_separator": ".",
    }


def _chunks(document: dict[str, Any]) -> list[int]:
    """Give the size of what is written at a time: chunks, or shards of them."""
    grid = document.get("chunk_grid")
    found: list[int] = grid["configuration"]["chunk_shape"] if grid else document["chunks"]
    return found


def _set_type(document: dict[str, Any], dtype: np.dtype[Any]) -> None:
    """Make an array's metadata those of a type; unless it was of it, its fill value is 0."""
    if document["zarr_format"] == 2:
        if np.dtype(document["dtype"]).newbyteorder("=") != dtype:
            document |= {"dtype": dtype.newbyteorder("<").str, "fill_value": 0, "filters": None}
        elif document["fill_value"] is None:  # Zarr leaves out chunks of zeros all the same
            document["fill_value"] = 0
    elif document["data_type"] != dtype.name:
        document |= {"data_type": dtype.name, "fill_value": 0}
        inside = [
            codec["configuration"].get("codecs", [])
            for codec in document["codecs"]
            if "configuration" in codec
        ]
        for codec in chain(document["codecs"], *inside):
            if codec["name"] == "bytes":  # which bytes have no order
                codec["configuration"] = {"endian": "little"}


def _trim(documents: dict[str, Any]) -> None:
    """Leave out of a group's metadata what is not written: further pictures, and copies."""
    for document in documents.values():
        document.pop("consolidated_metadata", None)
    attributes = documents.get("zarr.json", {}).get("attributes") or documents.get(".zattrs", {})
    ome = attributes.get("ome", attributes)
    if ome.get("multiscales"):
        first = ome["multiscales"][0]
        ome["multiscales"] = [first | {"datasets": first["datasets"][:1]}]


def _open(folder: Path) -> Any:
    try:
        zarr = import_module("zarr")
    except ImportError as error:
        raise ValueError("needs a package: pip install 'svfilter[zarr]'") from error
    with warnings.catch_warnings():  # of codecs that are not in Zarr's own specification
        warnings.simplefilter("ignore")
        return zarr.open_array(str(folder), mode="r+")
