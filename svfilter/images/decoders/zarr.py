"""Zarr arrays, and the pictures of OME-Zarr: folders of chunks."""

from __future__ import annotations

import json
import math
import warnings
from collections.abc import Iterator
from importlib import import_module
from itertools import product
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from svfilter.errors import ImageReadError, SvfilterWarning
from svfilter.images.decoders.base import Decoder
from svfilter.images.decoders.npy import axes_of, colour_of, native
from svfilter.images.layout import Layout, Storage
from svfilter.images.metadata import Metadata

if TYPE_CHECKING:
    from svfilter.kernels.base import Array

_V2 = (".zarray", ".zgroup", ".zattrs")
_V3 = ("zarr.json",)
_PIXEL_AXES = ("y", "x", "c")
_IN_FLIGHT = 10
"""How many chunks Zarr decodes at a time, and how many in each shard."""
_MOST_CHUNKS = 1000
"""Read by one call: of each, Zarr makes a task, which may be larger than the chunk."""
_COPIES = 3
"""Of a chunk: as stored, decoded, and one more on the way."""


class ZarrDecoder(Decoder):
    """A Zarr array of version 2 or 3, or the largest picture of an OME-Zarr group.

    An array by itself is taken for what the same .npy would be. In OME-Zarr the axes have names:
    y, x and c are a picture, and along all others there are pages. Chunks that are missing are the
    fill value, as Zarr has it.

    Args:
        path: the folder.
        page: which picture, from 0; the last axis counts fastest.
    """

    in_order: ClassVar[bool] = False

    def __init__(self, path: str, page: int = 0) -> None:
        root = Path(path)
        inner, axes, documents = _find(root)
        document = _array_document(inner, documents)
        array = _open(root / inner, document)
        axes = axes or tuple(axes_of(array.shape).replace("h", "y").replace("w", "x"))
        if len(axes) != array.ndim or not {"y", "x"} <= set(axes) or len(set(axes)) < len(axes):
            raise ValueError(f"its shape {array.shape} has the axes {', '.join(axes)}")
        sizes = dict(zip(axes, array.shape, strict=True))
        if not all(array.shape):
            raise ImageReadError(f"is an array {list(array.shape)}, which has no pixels")
        others = [size for axis, size in sizes.items() if axis not in _PIXEL_AXES]
        self.pages = math.prod(others)
        self.page = page
        if not 0 <= page < self.pages:
            raise ImageReadError(f"holds {self.pages} pages; there is no page {page + 1}")
        channels = sizes.get("c", 1)
        dtype = native(np.dtype(array.dtype))
        self.layout = Layout(sizes["y"], sizes["x"], channels, dtype, colour_of(channels))
        self.metadata = Metadata()
        options = {"documents": documents, "array": inner, "axes": axes}
        self.storage = Storage("zarr", options)
        self._array = array
        self._axes = axes
        self._at = [int(i) for i in np.unravel_index(page, others)] if others else []
        self._chunks = _Chunks(root / inner, document)
        in_flight = _IN_FLIGHT**2 if self._chunks.sharded else _IN_FLIGHT
        number = math.prod(-(-n // m) for n, m in zip(array.shape, array.chunks, strict=True))
        chunk_bytes = math.prod(array.chunks) * array.dtype.itemsize
        self.block = array.chunks[axes.index("y")]
        self.memory = _COPIES * chunk_bytes * min(number, in_flight)

    def rows(self, start: int, stop: int) -> Array:
        """Give rows."""
        page = iter(self._at)
        whole = {"y": range(start, stop), "x": range(self.layout.width)}
        whole["c"] = range(self.layout.channels)
        places = [whole[a] if a in whole else range(i := next(page), i + 1) for a in self._axes]
        self._chunks.check(places)
        values = np.empty([len(place) for place in places], self._array.dtype)
        for parts in _parts(places, self._array.chunks):
            here = zip(parts, places, strict=True)
            into = tuple(slice(a.start - b.start, a.stop - b.start) for a, b in here)
            values[into] = self._array[tuple(slice(p.start, p.stop) for p in parts)]
        kept = [self._axes.index(axis) for axis in _PIXEL_AXES if axis in self._axes]
        rest = [i for i in range(len(places)) if i not in kept]
        shape = (stop - start, self.layout.width, self.layout.channels)
        values = values.transpose(*kept, *rest).reshape(shape)
        if values.dtype.kind == "b":
            return np.where(values, np.uint8(255), np.uint8(0))
        return values.astype(self.layout.dtype, copy=False)


def _parts(places: list[range], chunks: tuple[int, ...]) -> Iterator[list[range]]:
    """Cut places along every axis between chunks, until none are in too many chunks."""
    ends = zip(places, chunks, strict=True)
    counts = [(place.stop - 1) // size - place.start // size + 1 for place, size in ends]
    if math.prod(counts) <= _MOST_CHUNKS:
        yield places
        return
    axis = counts.index(max(counts))
    place, size = places[axis], chunks[axis]
    cut = (place.start // size + counts[axis] // 2) * size
    for part in (range(place.start, cut), range(cut, place.stop)):
        yield from _parts([*places[:axis], part, *places[axis + 1 :]], chunks)


class _Chunks:
    """The files of an array's chunks, looked at before they are decoded.

    A chunk that is cut short must not pass: numcodecs' Blosc reads on behind the end of it, into
    whatever is in memory there, and Zarr takes an empty shard for one that is missing.
    """

    def __init__(self, folder: Path, document: dict[str, Any]) -> None:
        self._folder = folder
        self._checked: set[tuple[int, ...]] = set()
        self._inside = 0
        if document["zarr_format"] == 2:
            self._shape = document["chunks"]
            self._start, self._between = "", document.get("dimension_separator", ".")
            codecs = [{"name": (document.get("compressor") or {}).get("id", "")}]
        else:
            self._shape = document["chunk_grid"]["configuration"]["chunk_shape"]
            key = document["chunk_key_encoding"]
            old = key["name"] == "v2"
            self._between = key.get("configuration", {}).get("separator", "." if old else "/")
            self._start = "" if old else f"c{self._between}"
            codecs = document["codecs"]
        if codecs[0]["name"] == "sharding_indexed":
            shards = codecs[0]["configuration"]
            inner = shards["chunk_shape"]
            self._inside = math.prod(n // m for n, m in zip(self._shape, inner, strict=True))
            self._index_first = shards.get("index_location") == "start"
            self._index_sum = 4 * (shards["index_codecs"][-1]["name"] == "crc32c")
            codecs = shards["codecs"]
        self._blosc = codecs[-1]["name"].rpartition(".")[2] == "blosc"
        self.sharded = self._inside > 0

    def check(self, places: list[range]) -> None:
        """Check the chunks that have values at some places along every axis.

        Raises:
            ValueError: one is damaged.
        """
        along = [
            range(place.start // size, (place.stop - 1) // size + 1)
            for place, size in zip(places, self._shape, strict=True)
        ]
        for chunk in product(*along):
            if chunk not in self._checked:
                self._check(self._start + self._between.join(map(str, chunk)))
                self._checked.add(chunk)

    def _check(self, name: str) -> None:
        path = self._folder / name
        if not path.exists():
            return
        size = path.stat().st_size
        if size == 0:
            raise ValueError(f"its chunk {name} is empty")
        if not self._blosc:
            return
        with path.open("rb") as file:
            parts = [(0, size)]
            if self.sharded:
                index = 16 * self._inside
                file.seek(0 if self._index_first else max(size - index - self._index_sum, 0))
                pairs = np.frombuffer(file.read(index), "<u8").reshape(-1, 2).tolist()
                parts = [(at, n) for at, n in pairs if at != 2**64 - 1]
            for at, length in parts:
                if at + length > size or length < 16:
                    raise ValueError(f"its chunk {name} is cut short")
                file.seek(at + 12)  # of Blosc's header, where the length stands
                if int.from_bytes(file.read(4), "little") > length:
                    raise ValueError(f"its chunk {name} is cut short")


def _open(folder: Path, document: dict[str, Any]) -> Any:
    """Open an array with Zarr.

    Raises:
        ImageReadError: it is not installed, or cannot be trusted with this array.
    """
    try:
        zarr = import_module("zarr")
    except ImportError as error:
        raise ImageReadError(
            "is a Zarr array, for which a package is needed: pip install 'svfilter[zarr]'"
        ) from error
    if document["zarr_format"] == 3 and zarr.__version__.startswith("2."):
        raise ImageReadError("is of Zarr's version 3, which needs Python 3.11 and zarr 3")
    codecs = [document.get(key) for key in ("compressor", "filters", "codecs")]
    if "pickle" in json.dumps(codecs):
        raise ImageReadError("holds pickles, and to read these could run any program in them")
    with warnings.catch_warnings():  # of codecs that are not in Zarr's own specification
        warnings.simplefilter("ignore")
        return zarr.open_array(str(folder), mode="r")


def _find(root: Path) -> tuple[str, tuple[str, ...], dict[str, Any]]:
    """Find the array of a folder: its name, its axes if they have names, and all metadata."""
    documents = _documents(root, "")
    about = documents.get("zarr.json", {})
    if ".zarray" in documents or about.get("node_type") == "array":
        return "", (), documents
    if not documents:
        raise ImageReadError("is a folder, and no Zarr array; give the name of an image file")
    attributes = about.get("attributes") or documents.get(".zattrs", {})
    ome = attributes.get("ome", attributes)
    known = (*_V2, *_V3)
    children = sorted(p.name for p in root.iterdir() if any((p / name).is_file() for name in known))
    if not ome.get("multiscales"):
        raise ImageReadError(
            f"is a group of Zarr arrays; give the name of one, such as "
            f"{root / (children or ['ARRAY'])[0]}"
        )
    multiscale = ome["multiscales"][0]
    inner = multiscale["datasets"][0]["path"]
    parts = PurePosixPath(inner).parts
    if not parts or {"/", ".."} & set(parts) or "\\" in inner or ":" in inner:
        raise ValueError(f"its picture is at {inner!r}, outside of it")
    for depth in range(1, len(parts) + 1):
        documents |= _documents(root, "/".join(parts[:depth]))
    if others := [name for name in children if name != parts[0]]:
        message = f"only {inner} is filtered, the largest picture; not {', '.join(others)}"
        warnings.warn(message, SvfilterWarning, stacklevel=2)
    axes = multiscale.get("axes", "tczyx")
    names = tuple(axis["name"] if isinstance(axis, dict) else axis for axis in axes)
    return "/".join(parts), names, documents


def _documents(root: Path, inner: str) -> dict[str, Any]:
    """Read the metadata of a folder, by their names below the root."""
    names = _V3 if (root / _V3[0]).is_file() else _V2
    paths = [str(PurePosixPath(inner, name)) for name in names]
    return {
        path: json.loads((root / path).read_bytes()) for path in paths if (root / path).is_file()
    }


def _array_document(inner: str, documents: dict[str, Any]) -> dict[str, Any]:
    for name in (".zarray", "zarr.json"):
        if (path := str(PurePosixPath(inner, name))) in documents:
            document: dict[str, Any] = documents[path]
            return document
    raise ValueError(f"it lacks the array {inner}")
