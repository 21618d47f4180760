"""NumPy's .npy: what numpy.save writes is read, and what is written numpy.load reads."""

from __future__ import annotations

import io
import math
import os
import struct
import threading
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from svfilter.errors import ImageReadError, SvfilterWarning
from svfilter.images.decoders import npy, plain
from svfilter.images.decoders.npy import NpyDecoder
from svfilter.images.encoders.npy import NpyEncoder
from svfilter.images.layout import Layout
from svfilter.images.metadata import Metadata

RNG = np.random.default_rng(12)
DTYPES = ["u1", "u2", "u4", "i1", "i2", "i4", "f2", "f4", "f8"]

SHAPES = {
    (1, 1): "hw",
    (7, 13): "hw",
    (300, 5): "hw",
    (2, 3): "hw",
    (1, 1, 1): "hwc",
    (7, 13, 1): "hwc",
    (7, 13, 2): "hwc",
    (300, 5, 3): "hwc",
    (7, 13, 3): "hwc",
    (7, 13, 4): "hwc",
    (3, 4, 4): "hwc",
    (3, 13, 4): "hwc",
    (1, 1, 5): "chw",
    (1, 7, 13): "chw",
    (2, 7, 13): "chw",
    (3, 300, 5): "chw",
    (3, 7, 13): "chw",
    (4, 2, 5): "chw",
}
"""Shapes, and the axes that they are taken for."""
TURNS = {"hw": (0, 1, None), "hwc": (0, 1, 2), "chw": (1, 2, 0)}


def numbers(shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """Values over all of a type's range."""
    values = np.frombuffer(RNG.bytes(int(np.prod(shape)) * np.dtype(dtype).itemsize), dtype)
    return (values & 1 if dtype == "b1" else values).reshape(shape)


def saved(array: np.ndarray, version: tuple[int, int] | None = None) -> bytes:
    file = io.BytesIO()
    np.lib.format.write_array(file, array, version, allow_pickle=True)
    return file.getvalue()


def upright(array: np.ndarray, axes: str) -> np.ndarray:
    """An array's pixels, [H, W, C]."""
    order = TURNS[axes]
    return array[..., None] if order[2] is None else array.transpose(order)


class Unseekable(io.BytesIO):
    """Gives at most a few bytes at a time, as an unbuffered pipe does."""

    def read(self, size: int | None = -1) -> bytes:
        assert size is not None
        assert size >= 0, "a pipe must not be read to its end"
        return super().read(min(size, 777))

    def seekable(self) -> bool:
        return False

    def seek(self, *where: object) -> int:
        raise io.UnsupportedOperation


def rows_of(decoder: NpyDecoder, seed: int = 1) -> np.ndarray:
    """All rows, some at a time, turned upright."""
    parts, at, heights = [], 0, np.random.default_rng(seed)
    layout = decoder.layout
    while at < layout.height:
        stop = min(at + int(heights.integers(1, 9)), layout.height)
        parts.append(decoder.rows(at, stop))
        at = stop
    whole = np.concatenate(parts)
    assert whole.shape == (layout.height, layout.width, layout.channels)
    assert whole.dtype == layout.dtype
    assert whole.dtype.isnative
    return whole.swapaxes(0, 1) if decoder.orientation == 5 else whole


def decode(data: bytes) -> tuple[NpyDecoder, np.ndarray]:
    """Rows of a file, and the same of a pipe."""
    decoder, piped = NpyDecoder(io.BytesIO(data)), NpyDecoder(Unseekable(data))
    pixels = rows_of(decoder)
    assert_same(rows_of(piped, 2), pixels)
    assert (piped.layout, piped.storage) == (decoder.layout, decoder.storage)
    return decoder, pixels


def encode(file: io.BytesIO, pixels: np.ndarray, **options: object) -> bytes:
    encoder = NpyEncoder(file, jobs=1)
    encoder.begin(Layout(*pixels.shape, pixels.dtype, "bands"), Metadata(), options)
    for part in np.split(pixels, sorted(RNG.integers(0, len(pixels) + 1, 3))):
        encoder.write(part)
    encoder.end()
    encoder.close()
    return file.getvalue()


def assert_same(actual: np.ndarray, expected: np.ndarray) -> None:
    assert actual.dtype == expected.dtype
    assert actual.shape == expected.shape
    assert actual.tobytes() == expected.tobytes()  # NaNs too


# Reading.


@pytest.mark.parametrize("order", "CF")
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_every_shape_is_read(shape: tuple[int, ...], order: str) -> None:
    axes = SHAPES[shape]
    array = np.asarray(numbers(shape, "u2"), order=order)
    decoder, pixels = decode(saved(array))
    expected = upright(array, axes)
    assert_same(pixels, expected)
    colour = {1: "grey", 2: "bands", 3: "rgb", 4: "bands"}[expected.shape[2]]
    assert (decoder.layout.colour, decoder.layout.alpha) == (colour, "")
    assert decoder.storage.options == {"axes": axes}
    assert_same(
        np.load(io.BytesIO(encode(io.BytesIO(), pixels, axes=axes))), np.ascontiguousarray(array)
    )


@pytest.mark.parametrize("version", [(1, 0), (2, 0)])
@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(7, 13), (7, 13, 3), (3, 7, 13)])
def test_every_type_is_read(
    shape: tuple[int, ...], dtype: str, order: str, version: tuple[int, int]
) -> None:
    array = numbers(shape, order + dtype)
    _, pixels = decode(saved(array, version))
    assert_same(pixels, upright(array.astype(dtype), SHAPES[shape]))


@pytest.mark.parametrize("shape", [(7, 13), (7, 13, 3), (3, 7, 13)])
def test_booleans_are_black_and_white(shape: tuple[int, ...]) -> None:
    array = RNG.integers(0, 2, shape).astype(bool)
    _, pixels = decode(saved(array))
    assert_same(pixels, upright(np.where(array, np.uint8(255), np.uint8(0)), SHAPES[shape]))
    odd = saved(np.ones((1, 3), bool)).replace(b"\1\1\1", b"\0\2\xff")
    assert decode(odd)[1].ravel().tolist() == [0, 255, 255]


def test_headers_of_python_2_are_read() -> None:
    old = saved(numbers((7, 13), "u1")).replace(b"(7, 13)  ", b"(7L, 13L)")
    assert decode(old)[0].layout.width == 13


@pytest.mark.parametrize("shape", [(70, 51, 3), (3, 70, 51), (3, 2, 4001)])
def test_pieces_join(shape: tuple[int, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(npy, "PIECE", 1000)
    monkeypatch.setattr(plain, "PIECE", 1000)
    array = numbers(shape, ">u2")
    expected = array if shape[-1] == 3 else array.transpose(1, 2, 0)
    assert_same(decode(saved(array))[1], expected.astype("u2"))


@pytest.mark.parametrize("shape", [(300, 200, 3), (3, 200, 300)])
def test_pipes_are_read(shape: tuple[int, ...]) -> None:
    array = numbers(shape, "u1")
    end, to = os.pipe()

    def write() -> None:
        with os.fdopen(to, "wb") as file:
            file.write(saved(array))

    thread = threading.Thread(target=write)
    thread.start()
    with os.fdopen(end, "rb") as file:
        assert_same(rows_of(NpyDecoder(file)), upright(array, "hwc" if shape[2] == 3 else "chw"))
    thread.join()


def test_arrays_behind_the_first_are_told_of() -> None:
    array = numbers((7, 13), "u1")
    with pytest.warns(SvfilterWarning, match="more than one image"):
        decoder = NpyDecoder(io.BytesIO(saved(array) + saved(array)))
    assert_same(rows_of(decoder), array[..., None])
    decode(saved(array) + b"and what follows")


# Refusing.


def test_npz_is_refused_with_a_remedy() -> None:
    file = io.BytesIO()
    np.savez(file, a=np.zeros((2, 3)))
    with pytest.raises(ImageReadError, match=r"is an \.npz.*numpy\.save"):
        NpyDecoder(io.BytesIO(file.getvalue()))


@pytest.mark.parametrize("dtype", ["u8", "i8", "c8", "c16", "O", "S3", "U2", "M8[s]", "u1,f4"])
def test_other_types_are_refused(dtype: str) -> None:
    array = np.zeros((2, 3), dtype)
    with pytest.raises(ImageReadError, match=r"it must be bool, an integer.*astype"):
        NpyDecoder(io.BytesIO(saved(array)))


@pytest.mark.parametrize(
    ("shape", "axes"),
    [((9, 8, 7), "hwc"), ((5, 6, 7), "chw"), ((5, 3, 5), "hwc"), ((6, 99, 99), "chw")],
)
def test_many_channels_are_the_shorter_axis(shape: tuple[int, ...], axes: str) -> None:
    array = np.arange(math.prod(shape), dtype=np.uint16).reshape(shape)
    decoder = NpyDecoder(io.BytesIO(saved(array)))
    expected = array if axes == "hwc" else array.transpose(1, 2, 0)
    assert decoder.layout.colour == "bands"
    np.testing.assert_array_equal(decoder.rows(0, len(expected)), expected)


@pytest.mark.parametrize("shape", [(), (5,), (0, 3), (3, 0), (3, 5, 0), (1, 1, 5, 5), (0,) * 4])
def test_other_shapes_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ImageReadError, match="is an array"):
        NpyDecoder(io.BytesIO(saved(np.zeros(shape, np.uint8))))


def test_version_3_is_refused() -> None:
    with pytest.raises(ImageReadError, match="version"):
        NpyDecoder(io.BytesIO(saved(np.zeros((2, 3), [("é", "u1")]), (3, 0))))


def of_header(text: bytes, *, wide: bool = False) -> bytes:
    length = struct.pack("<I" if wide else "<H", len(text))
    return b"\x93NUMPY" + (b"\2\0" if wide else b"\1\0") + length + text + bytes(9)


ABOUT = b"{'descr': '%s', 'fortran_order': %s, 'shape': (%s)}"
BAD = {
    "magic": b"\x93NUMBY\1\0" + saved(np.zeros((2, 3), np.uint8))[8:],
    "version": b"\x93NUMPY\1\7" + saved(np.zeros((2, 3), np.uint8))[8:],
    "no header": b"\x93NUMPY\1\0\xff\xff",
    "header of 4 GB": b"\x93NUMPY\2\0\xff\xff\xff\xff" + bytes(99),
    "empty header": of_header(b""),
    "no dictionary": of_header(b"(3, 4)"),
    "missing key": of_header(b"{'descr': '|u1', 'shape': (3, 3)}"),
    "no type": of_header(ABOUT % (b"spam", b"False", b"3, 3")),
    "no order": of_header(ABOUT % (b"|u1", b"'C'", b"3, 3")),
    "negative": of_header(ABOUT % (b"|u1", b"False", b"-3, 3")),
    "two negatives": of_header(ABOUT % (b"|u1", b"False", b"-3, -3")),
    "float": of_header(ABOUT % (b"|u1", b"False", b"3.0, 3")),
    "many digits": of_header(ABOUT % (b"|u1", b"False", b"9" * 4000 + b", 3")),
    "too many digits": of_header(ABOUT % (b"|u1", b"False", b"9" * 9000 + b", 3")),
    "a call": of_header(ABOUT % (b"|u1", b"False", b"exit(), 3")),
    **{f"brackets {b}": of_header(b * 9000) for b in (b"(", b"[", b"{", b"-", b"{1:", b"1+")},
    "wide brackets": of_header(b"(" * 9000, wide=True),
    "long": of_header(b" " * 20000 + ABOUT % (b"|u1", b"False", b"3, 3")),
}


@pytest.mark.parametrize("data", BAD.values(), ids=BAD)
def test_damage_raises(data: bytes) -> None:
    tracemalloc.start()
    try:
        for file in (io.BytesIO(data), Unseekable(data)):
            # Not MemoryError, which would look as if there were too little of it.
            with pytest.raises((ImageReadError, ValueError, EOFError)):
                rows_of(NpyDecoder(file))
        assert tracemalloc.get_traced_memory()[1] < 10**7
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("order", "CF")
@pytest.mark.parametrize("shape", [(3, 6), (2, 3, 3), (3, 2, 6)])
def test_every_truncation_raises(shape: tuple[int, ...], order: str) -> None:
    data = saved(np.asarray(numbers(shape, "u2"), order=order))
    for end in range(1, len(data)):
        for file in (io.BytesIO(data[:end]), Unseekable(data[:end])):
            with pytest.raises((ValueError, EOFError)):
                rows_of(NpyDecoder(file))


@pytest.mark.parametrize("shape", ["1000, 999999999", "999999999, 1000, 4", "3, 999999999, 1000"])
@pytest.mark.parametrize("fortran", [b"True", b"False"])
def test_headers_alone_take_no_memory(shape: str, fortran: bytes) -> None:
    data = of_header(ABOUT % (b"|u1", fortran, shape.encode()))
    tracemalloc.start()
    try:
        with pytest.raises(EOFError):
            NpyDecoder(io.BytesIO(data))
        end, to = os.pipe()
        with os.fdopen(end, "rb") as file, os.fdopen(to, "wb") as writing:
            writing.write(data)
            writing.close()
            piped = NpyDecoder(file)
            if piped.layout.width < 10**6:
                with pytest.raises(EOFError):
                    piped.rows(0, 8)
        assert tracemalloc.get_traced_memory()[1] < 3 * 10**6
    finally:
        tracemalloc.stop()


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_mutations_raise_or_give_pixels(data: st.DataObject) -> None:
    shape = data.draw(st.sampled_from([(3, 6), (2, 3, 3), (3, 2, 6)]))
    mutated = bytearray(saved(np.ones(shape, "u2")))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, 70))
        new = data.draw(st.sampled_from([b"", b"0", b"9", b" ", b"'", b"(", b"\xff", b"-", b","]))
        mutated[at : at + data.draw(st.integers(0, 2))] = new
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            decoder = NpyDecoder(io.BytesIO(bytes(mutated)))
        except MemoryError:
            raise
        except Exception:
            return
    assert decoder.layout.height * decoder.layout.row_bytes <= len(mutated)
    rows_of(decoder)


@pytest.mark.parametrize("piped", [False, True])
@pytest.mark.parametrize("shape", [(1300, 900, 3), (3, 1300, 900)])
def test_memory_is_as_stated(shape: tuple[int, ...], piped: bool) -> None:
    data = saved(np.ones(shape, ">f4"))
    file = Unseekable(data) if piped else io.BytesIO(data)
    tracemalloc.start()
    try:
        decoder = NpyDecoder(file)
        for top in range(0, 1300, 100):
            decoder.rows(top, top + 100)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    whole = len(data) if piped and shape[0] == 3 else 0
    assert decoder.memory <= 4 * 10**6 + 2 * whole
    assert peak <= decoder.memory + 2 * 100 * decoder.layout.row_bytes


# Writing.


@pytest.mark.parametrize("axes", ["hw", "hwc", "chw", None])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_numpy_reads_what_is_written(channels: int, dtype: str, axes: str | None) -> None:
    wide = numbers((14, 13, 2 * channels), dtype)
    pixels = wide[::-2, :, ::2]
    options = {} if axes is None else {"axes": axes}
    expected = pixels.transpose(2, 0, 1) if axes == "chw" else pixels
    if channels == 1 and axes in ("hw", None):
        expected = pixels[..., 0]
    data = encode(io.BytesIO(), pixels, **options)
    assert data == saved(np.ascontiguousarray(expected))
    assert encode(Unseekable(), pixels, **options) == data


def test_types_of_the_other_byte_order_are_turned() -> None:
    pixels = numbers((7, 13, 3), ">u2")
    assert encode(io.BytesIO(), pixels) == saved(pixels.astype("<u2"))


@pytest.mark.parametrize("axes", ["hwc", "chw"])
def test_wrong_rows_are_refused(axes: str, tmp_path: Path) -> None:
    values = numbers((4, 5, 3), "u1")
    with (tmp_path / "array.npy").open("x+b") as file:
        encoder = NpyEncoder(file, jobs=1)
        encoder.begin(Layout(*values.shape, values.dtype, "rgb"), Metadata(), {"axes": axes})
        encoder.write(values[:3])
        with pytest.raises(ValueError, match="1 of its rows are missing"):
            encoder.end()
        with pytest.raises(ValueError, match="are not those"):
            encoder.write(values[:2])
        encoder.abandon()
