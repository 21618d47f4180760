"""Zarr and OME-Zarr: what zarr writes is read, and what is written zarr reads."""

from __future__ import annotations

import itertools
import json
import os
import pickle
import re
import shutil
import sys
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest

from svfilter.errors import ImageReadError, SvfilterWarning
from svfilter.images.decoders import zarr as zarr_decoder
from svfilter.images.decoders.zarr import ZarrDecoder
from svfilter.images.encoders.zarr import ZarrEncoder
from svfilter.images.layout import Layout
from svfilter.images.metadata import Metadata

zarr = pytest.importorskip("zarr")
numcodecs = pytest.importorskip("numcodecs")

VERSIONS = [2] if zarr.__version__.startswith("2.") else [2, 3]
three = pytest.mark.skipif(VERSIONS == [2], reason="needs zarr 3")
RNG = np.random.default_rng(13)
DTYPES = ["u1", "u2", "u4", "i1", "i2", "i4", "f2", "f4", "f8"]
SHAPES = {
    (1, 1): "yx",
    (7, 13): "yx",
    (300, 5): "yx",
    (7, 13, 1): "yxc",
    (41, 33, 3): "yxc",
    (7, 13, 4): "yxc",
    (1, 7, 13): "cyx",
    (3, 41, 33): "cyx",
}


def numbers(shape: tuple[int, ...], dtype: str = "u2") -> np.ndarray:
    values = np.frombuffer(RNG.bytes(int(np.prod(shape)) * np.dtype(dtype).itemsize), dtype)
    if np.dtype(dtype).kind == "f":  # finite, as -0.0 and NaN may be taken for a fill value
        values = np.nan_to_num(values) + np.dtype(dtype).type(0)
    return values.reshape(shape)


def document(path: Path) -> dict:
    found = json.loads(path.read_bytes())
    assert isinstance(found, dict)
    return found


def save(path: Path, array: np.ndarray, version: int = 2, **about: object) -> np.ndarray:
    """Write an array by metadata made here, and zarr."""
    path.mkdir(parents=True)
    chunks = [min(n, 16) for n in array.shape]
    if version == 2:
        metadata = {
            "zarr_format": 2, "shape": array.shape, "chunks": chunks, "dtype": array.dtype.str,
            "compressor": {"id": "zlib", "level": 1}, "fill_value": 0, "order": "C",
            "filters": None,
        }  # fmt: skip
        name = ".zarray"
    else:
        metadata = {
            "zarr_format": 3, "node_type": "array", "shape": array.shape, "fill_value": 0,
            "data_type": array.dtype.newbyteorder("=").name,
            "chunk_grid": {"name": "regular", "configuration": {"chunk_shape": chunks}},
            "chunk_key_encoding": {"name": "default", "configuration": {"separator": "/"}},
            "codecs": [{"name": "bytes", "configuration": {"endian": "little"}},
                       {"name": "gzip", "configuration": {"level": 1}}],
        }  # fmt: skip
        name = "zarr.json"
    (path / name).write_text(json.dumps(metadata | about))
    zarr.open_array(str(path), mode="r+")[...] = array
    return array


def group(
    path: Path, axes: str, array: np.ndarray, version: int, inner: str = "0", **about: object
) -> None:
    """Write an OME-Zarr of one level more than the array, and labels."""
    save(path / inner, array, version, **about)
    half = tuple(np.s_[::2] if a in "yx" else np.s_[:] for a in axes)
    save(path / "small", array[half], version, **about)
    save(path / "labels" / "cells" / "0", array[half], version, **about)
    levels = [
        {"path": name, "coordinateTransformations": [{"type": "scale", "scale": [n] * len(axes)}]}
        for n, name in enumerate([inner, "small"], 1)
    ]
    named = [{"name": a, "type": "channel" if a == "c" else "space"} for a in axes]
    multiscales = [{"version": "0.4", "name": "é", "axes": named, "datasets": levels}]
    folders = {path, path / "labels", path / "labels" / "cells", (path / inner).parent}
    for folder in folders:
        attributes = {"multiscales": multiscales, "omero": {"id": 1}} if folder == path else {}
        if version == 2:
            (folder / ".zgroup").write_text('{"zarr_format": 2}')
            (folder / ".zattrs").write_text(json.dumps(attributes))
        else:
            about = {"attributes": {"ome": attributes}, "zarr_format": 3, "node_type": "group"}
            (folder / "zarr.json").write_text(json.dumps(about | {"consolidated_metadata": {}}))


def rows_of(decoder: ZarrDecoder) -> np.ndarray:
    """All rows, in pieces in any order."""
    layout = decoder.layout
    whole = np.empty((layout.height, layout.width, layout.channels), layout.dtype)
    cuts = sorted({0, layout.height, *RNG.integers(0, layout.height, 4).tolist()})
    for start, stop in RNG.permutation(list(itertools.pairwise(cuts))).tolist():
        rows = decoder.rows(start, stop)
        assert rows.shape == (stop - start, layout.width, layout.channels)
        assert rows.dtype == layout.dtype
        assert rows.dtype.isnative
        whole[start:stop] = rows
    return whole


def upright(array: np.ndarray, axes: str) -> np.ndarray:
    order = [axes.index(a) for a in "yxc" if a in axes]
    turned = array.transpose(order)
    return turned if "c" in axes else turned[..., None]


def write(path: Path, pages: list[np.ndarray], **options: object) -> None:
    encoder = ZarrEncoder(str(path), jobs=1)
    for pixels in pages:
        layout = Layout(*pixels.shape, pixels.dtype, "bands")
        encoder.begin(layout, Metadata(), options)
        for part in np.split(pixels, sorted(RNG.integers(0, len(pixels) + 1, 3))):
            encoder.write(part)
        encoder.end()
    encoder.close()


def assert_same(actual: np.ndarray, expected: np.ndarray) -> None:
    assert actual.dtype == expected.dtype
    np.testing.assert_array_equal(actual, expected)


def files(path: Path) -> dict[str, bytes]:
    found = [p for p in path.rglob("*") if p.is_file()]
    return {str(p.relative_to(path)): p.read_bytes() for p in found}


def chunks_of(path: Path) -> list[Path]:
    return sorted(p for p in path.rglob("*") if p.is_file() and p.name[:2] not in (".z", "za"))


# Arrays by themselves.


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_shape_is_read_and_written(
    shape: tuple[int, ...], version: int, tmp_path: Path
) -> None:
    axes = SHAPES[shape]
    array = save(tmp_path / "a", numbers(shape), version)
    decoder = ZarrDecoder(str(tmp_path / "a"))
    pixels = rows_of(decoder)
    assert_same(pixels, upright(array, axes))
    channels = shape[axes.index("c")] if "c" in axes else 1
    colour = {1: "grey", 3: "rgb"}.get(channels, "bands")
    assert (decoder.layout.colour, decoder.layout.alpha, decoder.pages) == (colour, "", 1)
    assert decoder.block == min(16, shape[axes.index("y")])
    write(tmp_path / "b", [pixels], **decoder.storage.options)
    assert files(tmp_path / "b").keys() == files(tmp_path / "a").keys()
    assert_same(zarr.open_array(str(tmp_path / "b"), mode="r")[...], array)
    name = ".zarray" if version == 2 else "zarr.json"
    assert document(tmp_path / "b" / name) == document(tmp_path / "a" / name)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_type_is_read_and_written(dtype: str, version: int, tmp_path: Path) -> None:
    for order in "<>":
        source, target = tmp_path / f"a{order}", tmp_path / f"b{order}"
        array = save(source, numbers((41, 33, 3), order + dtype), version)
        decoder = ZarrDecoder(str(source))
        pixels = rows_of(decoder)
        assert_same(pixels, array.astype(dtype))
        write(target, [pixels], **decoder.storage.options)
        assert_same(np.asarray(zarr.open_array(str(target), mode="r")[...]).astype(dtype), pixels)
        assert files(target).keys() == files(source).keys()


@pytest.mark.parametrize("version", VERSIONS)
def test_booleans_are_black_and_white(version: int, tmp_path: Path) -> None:
    bits = save(tmp_path / "a", RNG.integers(0, 2, (20, 30)) > 0, version, fill_value=False)
    decoder = ZarrDecoder(str(tmp_path / "a"))
    pixels = rows_of(decoder)
    assert_same(pixels[..., 0], np.where(bits, np.uint8(255), np.uint8(0)))
    write(tmp_path / "b", [pixels], **decoder.storage.options)
    assert_same(rows_of(ZarrDecoder(str(tmp_path / "b"))), pixels)


@pytest.mark.parametrize("version", VERSIONS)
def test_another_type_than_was_read_is_written(version: int, tmp_path: Path) -> None:
    save(tmp_path / "a", numbers((20, 30), "u1"), version, fill_value=7)
    options = ZarrDecoder(str(tmp_path / "a")).storage.options
    for dtype in ("u2", "f4"):
        pixels = numbers((20, 30, 1), dtype)
        write(tmp_path / dtype, [pixels], **options)
        assert_same(zarr.open_array(str(tmp_path / dtype), mode="r")[...], pixels[..., 0])


@pytest.mark.parametrize(
    "about",
    [
        {"compressor": None},
        {"compressor": {"id": "zstd", "level": 1}},
        {"compressor": {"id": "blosc", "cname": "lz4", "clevel": 5, "shuffle": 1, "blocksize": 0}},
        {"compressor": {"id": "lz4", "acceleration": 1}, "dimension_separator": "/"},
        {"filters": [{"id": "delta", "dtype": "<u2"}], "order": "F"},
        {"chunks": [41, 33, 1], "fill_value": 99},
        {"chunks": [1, 7, 2], "dimension_separator": "/"},
        {"chunks": [100, 100, 3]},
    ],
)
def test_version_2_is_written_as_it_was_read(about: dict, tmp_path: Path) -> None:
    array = save(tmp_path / "a", numbers((41, 33, 3), "<u2"), 2, **about)
    (tmp_path / "a" / ".zattrs").write_text('{"made by": "hand", "NaN": NaN}')
    decoder = ZarrDecoder(str(tmp_path / "a"))
    pixels = rows_of(decoder)
    assert_same(pixels, array)
    write(tmp_path / "b", [pixels], **decoder.storage.options)
    assert document(tmp_path / "b" / ".zarray") == document(tmp_path / "a" / ".zarray")
    assert files(tmp_path / "b").keys() == files(tmp_path / "a").keys()
    assert "NaN" in document(tmp_path / "b" / ".zattrs")
    assert_same(zarr.open_array(str(tmp_path / "b"), mode="r")[...], array)


LITTLE = {"name": "bytes", "configuration": {"endian": "little"}}
BLOSC = {
    "name": "blosc",
    "configuration": {
        "typesize": 2, "cname": "lz4", "clevel": 5, "shuffle": "shuffle", "blocksize": 0
    },
}  # fmt: skip
CRC = {"name": "crc32c"}


def sharded(*codecs: dict, at: str = "end") -> dict:
    about = {"chunk_shape": [8, 8], "codecs": [*codecs], "index_codecs": [LITTLE, CRC]}
    return {
        "codecs": [{"name": "sharding_indexed", "configuration": about | {"index_location": at}}]
    }


V3 = {
    "none": {"codecs": [LITTLE]},
    "big": {"codecs": [{"name": "bytes", "configuration": {"endian": "big"}}]},
    "transposed": {"codecs": [{"name": "transpose", "configuration": {"order": [1, 0]}}, LITTLE]},
    "blosc": {"codecs": [LITTLE, BLOSC]},
    "sum": {"codecs": [LITTLE, BLOSC, CRC]},
    "old keys": {"chunk_key_encoding": {"name": "v2"}},
    "dots": {"chunk_key_encoding": {"name": "default", "configuration": {"separator": "."}}},
    "shards": sharded(LITTLE),
    "shards of blosc": sharded(LITTLE, BLOSC),
    "shards, index first": sharded(LITTLE, BLOSC, at="start"),
    "names": {"dimension_names": ["y", None], "attributes": {"made by": "hand"}, "fill_value": 9},
}


@three
@pytest.mark.parametrize("about", V3.values(), ids=V3)
def test_version_3_is_written_as_it_was_read(about: dict, tmp_path: Path) -> None:
    array = save(tmp_path / "a", numbers((41, 33)), 3, **about)
    decoder = ZarrDecoder(str(tmp_path / "a"))
    pixels = rows_of(decoder)
    assert_same(pixels[..., 0], array)
    write(tmp_path / "b", [pixels], **decoder.storage.options)
    assert document(tmp_path / "b" / "zarr.json") == document(tmp_path / "a" / "zarr.json")
    assert files(tmp_path / "b").keys() == files(tmp_path / "a").keys()
    assert_same(zarr.open_array(str(tmp_path / "b"), mode="r")[...], array)


@pytest.mark.parametrize("shape", [(600, 700, 1), (600, 30, 3), (1, 1, 4)])
@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
def test_arrays_of_other_formats_are_written(
    shape: tuple[int, ...], dtype: str, tmp_path: Path
) -> None:
    pixels = numbers(shape, dtype)
    write(tmp_path / "a", [pixels])
    array = zarr.open_array(str(tmp_path / "a"), mode="r")
    assert_same(array[...], pixels[..., 0] if shape[2] == 1 else pixels)
    assert array.chunks == tuple(min(n, 512) for n in array.shape)
    assert document(tmp_path / "a" / ".zarray")["compressor"]["id"] == "zstd"
    assert_same(rows_of(ZarrDecoder(str(tmp_path / "a"))), pixels)


@pytest.mark.parametrize("version", VERSIONS)
def test_missing_chunks_are_the_fill_value(version: int, tmp_path: Path) -> None:
    array = save(tmp_path / "a", numbers((41, 33)), version, fill_value=77)
    chunks_of(tmp_path / "a")[1].unlink()  # the second of the first row
    expected = array.copy()
    expected[:16, 16:32] = 77
    assert_same(rows_of(ZarrDecoder(str(tmp_path / "a")))[..., 0], expected)


@pytest.mark.parametrize("most", [1, 2, 5, 1000])
def test_many_chunks_are_asked_for_in_parts(
    most: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stored = zarr.open_array(
        str(tmp_path / "a"), mode="w", shape=(41, 33, 7), chunks=(3, 5, 2), dtype="u2"
    )
    stored[...] = numbers((41, 33, 7), "u2")
    monkeypatch.setattr(zarr_decoder, "_MOST_CHUNKS", most)
    decoder = ZarrDecoder(str(tmp_path / "a"))
    assert_same(rows_of(decoder), stored[...])
    assert_same(decoder.rows(4, 9), stored[4:9])


def test_no_fill_value_becomes_0(tmp_path: Path) -> None:
    save(tmp_path / "a", np.zeros((9, 9), np.uint8), 2, fill_value=None)
    decoder = ZarrDecoder(str(tmp_path / "a"))
    write(tmp_path / "b", [rows_of(decoder)], **decoder.storage.options)
    assert document(tmp_path / "b" / ".zarray")["fill_value"] == 0


# OME-Zarr.


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(
    ("axes", "shape"),
    [
        ("yx", (41, 33)),
        ("cyx", (3, 41, 33)),
        ("cyx", (5, 41, 33)),
        ("zyx", (4, 41, 33)),
        ("czyx", (2, 3, 41, 33)),
        ("tczyx", (2, 3, 4, 20, 33)),
        ("tczyx", (1, 1, 1, 20, 33)),
        ("xyzt", (33, 20, 2, 3)),
    ],
)
def test_every_page_of_a_picture_is_read_and_written(
    axes: str, shape: tuple[int, ...], version: int, tmp_path: Path
) -> None:
    array = numbers(shape)
    group(tmp_path / "a", axes, array, version)
    with pytest.warns(SvfilterWarning, match="only 0 is filtered, .* not labels, small"):
        decoder = ZarrDecoder(str(tmp_path / "a"))
    others = [i for i, a in enumerate(axes) if a not in "cyx"]
    assert decoder.pages == np.prod([shape[i] for i in others])
    pages = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number, place in enumerate(np.ndindex(*(shape[i] for i in others))):
            decoder = ZarrDecoder(str(tmp_path / "a"), number)
            assert decoder.page == number
            index: list = [slice(None)] * len(axes)
            for i, at in zip(others, place, strict=True):
                index[i] = at
            kept = "".join(a for a in axes if a in "cyx")
            pages.append(rows_of(decoder))
            assert_same(pages[-1], upright(array[tuple(index)], kept))
        with pytest.raises(ImageReadError, match=f"holds {len(pages)} pages"):
            ZarrDecoder(str(tmp_path / "a"), len(pages))
    write(tmp_path / "b", pages, **decoder.storage.options)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # nothing else is left
        again = ZarrDecoder(str(tmp_path / "b"), len(pages) - 1)
    assert (again.layout, again.pages) == (decoder.layout, decoder.pages)
    assert_same(zarr.open_array(str(tmp_path / "b" / "0"), mode="r")[...], array)
    chunk_files = {
        f"0/{p.relative_to(tmp_path / 'a' / '0')}" for p in chunks_of(tmp_path / "a" / "0")
    }
    about = {".zgroup", ".zattrs", "0/.zarray"} if version == 2 else {"zarr.json", "0/zarr.json"}
    assert files(tmp_path / "b").keys() == chunk_files | about
    name = ".zattrs" if version == 2 else "zarr.json"
    old, new = document(tmp_path / "a" / name), document(tmp_path / "b" / name)
    if version == 3:
        assert "consolidated_metadata" not in new
        old, new = old["attributes"]["ome"], new["attributes"]["ome"]
    del old["multiscales"][0]["datasets"][1:]
    assert new == old


@pytest.mark.parametrize("version", VERSIONS)
def test_pictures_in_folders_of_folders_are_found(version: int, tmp_path: Path) -> None:
    array = numbers((20, 30))
    group(tmp_path / "a", "yx", array, version, "scale0/image")
    with pytest.warns(SvfilterWarning, match="scale0/image"):
        decoder = ZarrDecoder(str(tmp_path / "a"))
    assert_same(rows_of(decoder)[..., 0], array)
    write(tmp_path / "b", [rows_of(decoder)], **decoder.storage.options)
    assert_same(rows_of(ZarrDecoder(str(tmp_path / "b")))[..., 0], array)


@pytest.mark.parametrize("version", VERSIONS)
def test_fewer_pages_than_were_read_are_stated(version: int, tmp_path: Path) -> None:
    group(tmp_path / "a", "tczyx", numbers((2, 1, 3, 20, 30)), version)
    group(tmp_path / "z", "zyx", numbers((3, 20, 30)), version)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        decoder, stack = ZarrDecoder(str(tmp_path / "a"), 4), ZarrDecoder(str(tmp_path / "z"))
    pixels = rows_of(decoder)
    write(tmp_path / "one", [pixels], **decoder.storage.options)
    one = ZarrDecoder(str(tmp_path / "one"))
    assert one.pages == 1
    assert_same(rows_of(one), pixels)
    write(tmp_path / "two", [pixels] * 2, **stack.storage.options)
    assert ZarrDecoder(str(tmp_path / "two"), 1).pages == 2
    with pytest.raises(ValueError, match="4 of its pages are missing"):
        write(tmp_path / "many", [pixels] * 2, **decoder.storage.options)
    with pytest.raises(ValueError, match="cannot hold"):
        write(tmp_path / "more", [pixels] * 4, **stack.storage.options)
    with pytest.raises(ValueError, match="cannot hold"):
        write(tmp_path / "other", [pixels, pixels[1:]], **stack.storage.options)


def test_old_pictures_have_five_axes_or_plain_names(tmp_path: Path) -> None:
    array = numbers((2, 1, 3, 20, 30))
    group(tmp_path / "a", "tczyx", array, 2)
    about = document(tmp_path / "a" / ".zattrs")
    del about["multiscales"][0]["axes"]
    for axes in (None, list("tczyx")):
        about["multiscales"][0] |= {"axes": axes} if axes else {}
        (tmp_path / "a" / ".zattrs").write_text(json.dumps(about))
        with pytest.warns(SvfilterWarning):
            decoder = ZarrDecoder(str(tmp_path / "a"), 5)
        assert_same(rows_of(decoder)[..., 0], array[1, 0, 2])


# Refusing.


def test_folders_without_an_array_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("{}")
    with pytest.raises(ImageReadError, match="is a folder, and no Zarr array"):
        ZarrDecoder(str(tmp_path))
    save(tmp_path / "a", numbers((7, 13)))
    (tmp_path / ".zgroup").write_text('{"zarr_format": 2}')
    with pytest.raises(
        ImageReadError, match=f"a group .* such as {re.escape(str(tmp_path / 'a'))}"
    ):
        ZarrDecoder(str(tmp_path))


@pytest.mark.parametrize("dtype", ["u8", "i8", "c8", "S3"])
def test_other_types_are_refused(dtype: str, tmp_path: Path) -> None:
    fill = "" if dtype == "S3" else [0, 0] if dtype == "c8" else 0
    save(tmp_path / "a", np.zeros((7, 13), dtype), 2, fill_value=fill)
    with pytest.raises(ImageReadError, match="convert it first"):
        ZarrDecoder(str(tmp_path / "a"))


@pytest.mark.parametrize("shape", [(5,), (0, 3), (1, 1, 5, 5)])
def test_other_shapes_are_refused(shape: tuple[int, ...], tmp_path: Path) -> None:
    save(tmp_path / "a", np.zeros(shape, np.uint8), 2, chunks=[4] * len(shape))
    with pytest.raises(ImageReadError, match="is an array"):
        ZarrDecoder(str(tmp_path / "a"))


@pytest.mark.parametrize("inner", ["../a", "/etc", "", "0/../../a", "..\\a", "c:a"])
def test_pictures_elsewhere_are_refused(inner: str, tmp_path: Path) -> None:
    group(tmp_path / "b", "yx", numbers((7, 13)), 2)
    save(tmp_path / "a", numbers((7, 13)))
    about = document(tmp_path / "b" / ".zattrs")
    about["multiscales"][0]["datasets"][0]["path"] = inner
    (tmp_path / "b" / ".zattrs").write_text(json.dumps(about))
    with pytest.raises(ValueError, match="outside of it"):
        ZarrDecoder(str(tmp_path / "b"))


class Payload:
    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


@pytest.mark.parametrize("key", ["compressor", "filters"])
def test_pickles_are_not_opened(key: str, tmp_path: Path) -> None:
    save(tmp_path / "a", numbers((7, 13), "u1"))
    about = document(tmp_path / "a" / ".zarray")
    about |= {
        "compressor": None,
        key: {"id": "pickle"} if key == "compressor" else [{"id": "pickle"}],
    }
    (tmp_path / "a" / ".zarray").write_text(json.dumps(about))
    (tmp_path / "a" / "0.0").write_bytes(pickle.dumps(Payload(str(tmp_path / "run"))))
    with pytest.raises(ImageReadError, match="pickle"):
        ZarrDecoder(str(tmp_path / "a"))
    assert not (tmp_path / "run").exists()


def test_without_zarr_the_package_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path / "a", numbers((7, 13)))
    monkeypatch.setitem(sys.modules, "zarr", None)
    with pytest.raises(ImageReadError, match=r"pip install 'svfilter\[zarr\]'"):
        ZarrDecoder(str(tmp_path / "a"))
    with pytest.raises(ValueError, match=r"pip install 'svfilter\[zarr\]'"):
        write(tmp_path / "b", [numbers((7, 13, 1))])


def test_old_packages_are_not_trusted_with_version_3(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    about = {"zarr_format": 3, "node_type": "array"}
    (tmp_path / "zarr.json").write_text(json.dumps(about))
    monkeypatch.setattr(zarr, "__version__", "2.18.3")
    with pytest.raises(ImageReadError, match=r"needs Python 3\.11 and zarr 3"):
        ZarrDecoder(str(tmp_path))


BROKEN = {
    "no json": b"{",
    "a list": b"[]",
    "no sizes": b'{"zarr_format": 2}',
    "brackets": b"[" * 10**6,
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
def test_damaged_metadata_raise(data: bytes, tmp_path: Path) -> None:
    save(tmp_path / "a", numbers((7, 13)))
    (tmp_path / "a" / ".zarray").write_bytes(data)
    with pytest.raises(Exception):  # noqa: B017
        ZarrDecoder(str(tmp_path / "a"))


def test_axes_must_be_those_of_the_array(tmp_path: Path) -> None:
    for axes in ("yx", "zzyx", "tzcy", "tzyxc"):
        path = tmp_path / axes
        group(path, "czyx", numbers((2, 3, 7, 13)), 2)
        about = document(path / ".zattrs")
        about["multiscales"][0]["axes"] = list(axes)
        (path / ".zattrs").write_text(json.dumps(about))
        with pytest.warns(SvfilterWarning), pytest.raises(ValueError, match="has the axes"):
            ZarrDecoder(str(path))


CUT = {
    "plain": (2, {"compressor": None}),
    "zlib": (2, {}),
    "zstd": (2, {"compressor": {"id": "zstd", "level": 1}}),
    "blosc": (2, {"compressor": {"id": "blosc", "cname": "zstd", "clevel": 5, "shuffle": 1,
                                 "blocksize": 0}}),
    "plain 3": (3, V3["none"]),
    "gzip 3": (3, {}),
    "blosc 3": (3, V3["blosc"]),
    "blosc and sum 3": (3, V3["sum"]),
    "shards": (3, V3["shards"]),
    "shards of blosc": (3, V3["shards of blosc"]),
    "shards, index first": (3, V3["shards, index first"]),
}  # fmt: skip


@pytest.mark.parametrize(("version", "about"), CUT.values(), ids=CUT)
def test_chunks_cut_short_raise(version: int, about: dict, tmp_path: Path) -> None:
    if version not in VERSIONS:
        pytest.skip("needs zarr 3")
    save(tmp_path / "a", numbers((16, 16), "u2"), version, **about)
    [chunk] = chunks_of(tmp_path / "a")
    data = chunk.read_bytes()
    for cut in sorted({*range(0, 40), *range(40, len(data), 41), *range(len(data) - 9, len(data))}):
        chunk.write_bytes(data[:cut])
        with pytest.raises(Exception):  # noqa: B017
            ZarrDecoder(str(tmp_path / "a")).rows(0, 16)
    chunk.write_bytes(data)
    ZarrDecoder(str(tmp_path / "a")).rows(0, 16)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("shards", [False, True])
def test_memory_is_as_stated(version: int, shards: bool, tmp_path: Path) -> None:
    about: dict = {"chunks": [64, 64]} if version == 2 else {}
    if version == 3:
        size = [128, 128] if shards else [64, 64]
        about = {"chunk_grid": {"name": "regular", "configuration": {"chunk_shape": size}}}
        about |= sharded(LITTLE) if shards else {}
        if shards:
            about["codecs"][0]["configuration"]["chunk_shape"] = [64, 64]
    elif shards:
        pytest.skip("version 2 has no shards")
    save(tmp_path / "a", numbers((256, 4000), "f4"), version, **about)
    decoder = ZarrDecoder(str(tmp_path / "a"))
    assert decoder.block == 64
    decoder.rows(0, 64)
    tracemalloc.start()
    try:
        for top in range(0, 256, 64):
            decoder.rows(top, top + 64)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak <= decoder.memory + 2 * 64 * decoder.layout.row_bytes + 10**6


def test_wrong_rows_are_refused(tmp_path: Path) -> None:
    values = numbers((4, 5, 3), "u1")
    encoder = ZarrEncoder(str(tmp_path / "a"), jobs=1)
    encoder.begin(Layout(*values.shape, values.dtype, "rgb"), Metadata(), {})
    encoder.write(values[:3])
    with pytest.raises(ValueError, match="1 of its rows are missing"):
        encoder.end()
    with pytest.raises(ValueError, match="are not those"):
        encoder.write(values[:2])
    encoder.abandon()
    shutil.rmtree(tmp_path / "a")
