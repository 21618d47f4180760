"""Netpbm's formats and PFM: by hand-made files, Pillow and Netpbm's own programs."""

from __future__ import annotations

import io
import os
import shutil
import subprocess
import threading
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from svfilter.errors import ImageReadError, SvfilterWarning
from svfilter.images.decoders import netpbm, plain
from svfilter.images.decoders.netpbm import NetpbmDecoder
from svfilter.images.encoders.netpbm import PamEncoder, PfmEncoder, PnmEncoder
from svfilter.images.layout import Layout
from svfilter.images.metadata import Metadata

RNG = np.random.default_rng(11)
SIZES = [(1, 1), (7, 13), (300, 5), (2, 8), (3, 17)]
MAXVALS = [1, 2, 6, 100, 254, 255, 256, 1023, 4095, 65534, 65535]
CHANNELS = {"P1": 1, "P2": 1, "P3": 3, "P4": 1, "P5": 1, "P6": 3}
ENCODERS = {"ppm": PnmEncoder, "pam": PamEncoder, "pfm": PfmEncoder}


class Pipe:
    """The reading end of a pipe into which a thread writes; it can do no more than a pipe can."""

    def __init__(self, data: bytes) -> None:
        end, self._to = os.pipe()
        self.file = os.fdopen(end, "rb")
        self._thread = threading.Thread(target=self._write, args=(data,))

    def _write(self, data: bytes) -> None:
        try:
            with os.fdopen(self._to, "wb") as file:
                file.write(data)
        except BrokenPipeError:
            pass

    def __enter__(self):
        self._thread.start()
        return self.file

    def __exit__(self, *error: object) -> None:
        self.file.close()
        self._thread.join()


def samples(height: int, width: int, channels: int, maxval: int) -> np.ndarray:
    return RNG.integers(0, maxval + 1, (height, width, channels))


def words(values: np.ndarray, maxval: int) -> bytes:
    return values.astype("u1" if maxval < 256 else ">u2").tobytes()


def file_of(kind: str, values: np.ndarray, maxval: int) -> bytes:
    """A file of samples, by the words of the specification."""
    height, width, _ = values.shape
    size = f"{width} {height}\n" + (f"{maxval}\n" if kind not in ("P1", "P4") else "")
    if kind in ("P5", "P6"):
        pixels = words(values, maxval)
    elif kind == "P4":
        bits = ["".join(map(str, row)) for row in values[..., 0]]
        pixels = b"".join(int(b.ljust(-(-width // 8) * 8, "1"), 2).to_bytes(-(-width // 8), "big")
                          for b in bits)  # fmt: skip
    else:
        pixels = " ".join(map(str, values.ravel())).encode()
    return f"{kind}\n{size}".encode() + pixels


def full(values: np.ndarray, maxval: int) -> np.ndarray:
    """What samples mean, in all values of 8 or 16 bits."""
    most = 255 if maxval < 256 else 65535
    table = [round(v * most / maxval) for v in range(maxval + 1)]
    return np.array(table, f"u{1 if maxval < 256 else 2}")[values]


def pam(values: np.ndarray, maxval: int, tupltype: str | None) -> bytes:
    height, width, depth = values.shape
    named = f"TUPLTYPE {tupltype}\n" if tupltype else ""
    head = f"P7\nWIDTH {width}\nHEIGHT {height}\nDEPTH {depth}\nMAXVAL {maxval}\n{named}ENDHDR\n"
    return head.encode() + words(values, maxval)


def pfm(values: np.ndarray, scale: float = -1.0) -> bytes:
    height, width, channels = values.shape
    head = f"P{'f' if channels == 1 else 'F'}\n{width} {height}\n{scale}\n"
    return head.encode() + values[::-1].astype("<f4" if scale < 0 else ">f4").tobytes()


def rows_of(decoder: NetpbmDecoder, seed: int = 1) -> np.ndarray:
    """All rows, some at a time."""
    parts, at, heights = [], 0, np.random.default_rng(seed)
    while at < decoder.layout.height:
        stop = min(at + int(heights.integers(1, 9)), decoder.layout.height)
        parts.append(decoder.rows(at, stop))
        at = stop
    whole = np.concatenate(parts)
    layout = decoder.layout
    assert whole.shape == (layout.height, layout.width, layout.channels)
    assert whole.dtype == layout.dtype
    return whole


def decode(data: bytes) -> tuple[NetpbmDecoder, np.ndarray]:
    """Rows of a file, and the same of a pipe."""
    decoder = NetpbmDecoder(io.BytesIO(data))
    pixels = rows_of(decoder)
    with Pipe(data) as pipe:
        piped = NetpbmDecoder(pipe)
        streamed = rows_of(piped, 2)
    assert piped.layout == decoder.layout
    assert decoder.orientation == 1
    np.testing.assert_array_equal(streamed[::-1] if piped.orientation == 4 else streamed, pixels)
    return decoder, pixels


def encode(format: str, pixels: np.ndarray, layout: Layout, metadata=None, **options) -> bytes:
    file = io.BytesIO()
    encoder = ENCODERS[format](file, jobs=1)
    encoder.begin(layout, metadata or Metadata(), options)
    for part in np.split(pixels, sorted(RNG.integers(0, len(pixels) + 1, 3))):
        encoder.write(part)
    encoder.end()
    encoder.close()
    return file.getvalue()


def layout_of(pixels: np.ndarray, colour: str, alpha: str = "") -> Layout:
    return Layout(*pixels.shape, pixels.dtype, colour, alpha)


def assert_same(actual: np.ndarray, expected: np.ndarray) -> None:
    assert actual.dtype == expected.dtype
    np.testing.assert_array_equal(actual, expected)


# Reading.


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("kind", CHANNELS)
def test_samples_are_read_at_every_size(kind: str, size: tuple[int, int]) -> None:
    maxval = 1 if kind in ("P1", "P4") else 255
    values = samples(*size, CHANNELS[kind], maxval)
    decoder, pixels = decode(file_of(kind, values, maxval))
    assert_same(pixels, full(1 - values if maxval == 1 else values, maxval))
    assert decoder.layout.colour == ("rgb" if kind in ("P3", "P6") else "grey")
    assert (decoder.layout.alpha, decoder.storage.format) == ("", "ppm")


@pytest.mark.parametrize("maxval", MAXVALS)
@pytest.mark.parametrize("kind", ["P2", "P3", "P5", "P6"])
def test_maxval_is_the_full_range(kind: str, maxval: int) -> None:
    values = samples(20, 20, CHANNELS[kind], maxval)
    values[0, :2, 0] = 0, maxval
    _, pixels = decode(file_of(kind, values, maxval))
    assert_same(pixels, full(values, maxval))


@pytest.mark.parametrize("kind", CHANNELS)
def test_pillow_reads_the_same(kind: str) -> None:
    maxval = 1 if kind in ("P1", "P4") else 77
    data = file_of(kind, samples(7, 13, CHANNELS[kind], maxval), maxval)
    with Image.open(io.BytesIO(data)) as image:
        expected = np.asarray(image.convert("RGB" if CHANNELS[kind] == 3 else "L"))
    assert_same(decode(data)[1].reshape(expected.shape), expected)


@pytest.mark.parametrize("maxval", [1, 255, 1000, 65535])
@pytest.mark.parametrize(
    ("tupltype", "depth", "colour", "alpha"),
    [
        ("BLACKANDWHITE", 1, "grey", ""),
        ("BLACKANDWHITE_ALPHA", 2, "grey", "straight"),
        ("GRAYSCALE", 1, "grey", ""),
        ("GRAYSCALE_ALPHA", 2, "grey", "straight"),
        ("RGB", 3, "rgb", ""),
        ("RGB_ALPHA", 4, "rgb", "straight"),
        ("RGB", 4, "bands", ""),
        ("GRAYSCALE", 3, "bands", ""),
        ("CMYK", 4, "bands", ""),
        ("annual rainfall", 11, "bands", ""),
        (None, 1, "bands", ""),
        (None, 3, "bands", ""),
    ],
)
def test_pam_is_what_its_tuples_are(
    tupltype: str | None, depth: int, colour: str, alpha: str, maxval: int
) -> None:
    values = samples(7, 13, depth, maxval)
    decoder, pixels = decode(pam(values, maxval, tupltype))
    assert_same(pixels, full(values, maxval))
    assert (decoder.layout.colour, decoder.layout.alpha) == (colour, alpha)
    again, kept = decode(encode("pam", pixels, decoder.layout, **decoder.storage.options))
    assert_same(kept, pixels)
    assert (again.layout, again.storage) == (decoder.layout, decoder.storage)


@pytest.mark.parametrize("scale", [-1.0, 1.0, -0.25, 300.5])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", SIZES)
def test_pfm_is_upside_down(size: tuple[int, int], channels: int, scale: float) -> None:
    values = RNG.normal(0, 9, (*size, channels)).astype(np.float32)
    values.flat[0] = np.nan
    data = pfm(values, scale)
    decoder, pixels = decode(data)
    assert_same(pixels, values)
    assert decoder.storage.options == {"scale": scale}
    assert encode("pfm", pixels, decoder.layout, **decoder.storage.options) == data


@pytest.mark.parametrize("size", [(70, 51), (3, 4001)])
def test_pieces_join(size: tuple[int, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(netpbm, "PIECE", 1000)
    monkeypatch.setattr(plain, "PIECE", 1000)
    deep = samples(*size, 3, 65535)
    assert_same(decode(file_of("P6", deep, 65535))[1], deep.astype("u2"))
    assert_same(decode(pfm(deep.astype("f4")))[1], deep.astype("f4"))
    bits = samples(*size, 1, 1)
    assert_same(decode(file_of("P4", bits, 1))[1], full(1 - bits, 1))


@pytest.mark.parametrize("kind", ["P1", "P2", "P3"])
def test_text_is_parsed_across_pieces(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(netpbm, "_TEXT", 1000)
    maxval = 1 if kind == "P1" else 65535
    values = samples(131, 101, CHANNELS[kind], maxval)
    text = file_of(kind, values, maxval)
    marks = [b" # a comment of 23 1 7\n", b"\n#\r", b"\t\v\f  ", b"#" * 999 + b"\r\n"]
    at = sorted(int(i) for i in RNG.integers(40, len(text), 500))
    cuts = [text.index(b" ", i - 20) for i in at]
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, None], strict=True)]
    noisy = b"".join(piece + marks[i % 4] for i, piece in enumerate(pieces))
    assert_same(decode(noisy)[1], full(1 - values if kind == "P1" else values, maxval))


BYTES = b"AB"
HEADERS = [
    (b"P5\n2 1\n255\nAB", ()),
    (b"P5 2 1 255 AB", ()),
    (b"P5\t2\r1\v255\fAB", ()),
    (b"P5#one\n2 1\n255\nAB", ("one",)),
    (b"P5\n# one\n#\n#two \r2 1\n255\nAB", ("one", "two")),
    (b"P5\n2#one\n#two\n 1\n255\nAB", ("one", "two")),
    (b"P5\n2 1\n255#one\nAB", ("one",)),
    (b"P5\n0002 1\n#gr\xc3\xbcn\n00255\nAB", ("grün",)),
    (b"P5\n2 1\n#gr\xfcn\n255\nAB", ("grün",)),
    (b"P5\n2 1\n255\nAB and what follows", ()),
    (b"P2\n2 1\n255\n65 66", ()),
    (b"P2\n2 1\n255\n65 66 and what follows", ()),
    (b"P2\n2 1\n255\n65#\n66#", ()),
    (b"P2\n2 1\n#one\n255\n00000065\n#two\n66\n", ("one",)),
    (b"P2\n2 1\n255 # not in the header\n 65 66", ()),
    (b"P7\n# one\n\nWIDTH 2\nDEPTH 1\n  HEIGHT\t1 \n#two\nMAXVAL 255\nENDHDR\nAB", ("one", "two")),
    (b"P7\r\nWIDTH 2\r\nDEPTH 1\r\nHEIGHT 1\r\nMAXVAL 255\r\nENDHDR\r\nAB", ()),
    (b"P7\nWIDTH 2\nDEPTH 1\nHEIGHT 1\nMAXVAL 255\nTUPLTYPE a  b\nTUPLTYPE c\nENDHDR\nAB", ()),
]


@pytest.mark.parametrize(("data", "comments"), HEADERS)
def test_headers_are_read_however_they_are_spaced(data: bytes, comments: tuple[str, ...]) -> None:
    decoder, pixels = decode(data)
    assert pixels.tolist() == [[[65], [66]]]
    assert decoder.metadata == Metadata(comments=comments)
    tupltype = decoder.storage.options.get("tupltype", "")
    assert tupltype == ("a  b c" if b"TUPLTYPE" in data else "")


def test_bits_need_no_space_between_them() -> None:
    assert decode(b"P1 3 2 01 1#0\n100junk")[1][..., 0].tolist() == [[255, 0, 0], [0, 255, 255]]


programs = pytest.mark.skipif(not shutil.which("pamtopnm"), reason="Netpbm is not installed")


@programs
@pytest.mark.parametrize("kind", CHANNELS)
def test_netpbm_reads_the_same(kind: str) -> None:
    maxval = 1 if kind in ("P1", "P4") else 65535
    data = file_of(kind, samples(7, 13, CHANNELS[kind], maxval), maxval)
    expected = subprocess.run(["pamdepth", str(max(maxval, 255))], input=data + b"\n", check=True,
                              capture_output=True).stdout  # fmt: skip
    _, pixels = decode(data)
    colour = "rgb" if CHANNELS[kind] == 3 else "grey"
    assert encode("ppm", pixels, layout_of(pixels, colour)) == expected


@programs
@pytest.mark.parametrize(("data", "comments"), HEADERS)
def test_netpbm_reads_the_same_headers(data: bytes, comments: tuple[str, ...]) -> None:
    command = ["pamtopnm", "-plain", "-assume"]
    output = subprocess.run(command, input=data + b"\n", capture_output=True, check=False).stdout
    assert output.split() == [b"P2", b"2", b"1", b"255", b"65", b"66"]


# Refusing.


BAD = {
    "no end": b"P5",
    "no sizes": b"P5\n",
    "kind": b"P8\n2 1\n255\nAB",
    "digit": b"P5\n2 x\n255\nAB",
    "negative": b"P5\n-2 1\n255\nAB",
    "float": b"P5\n2.0 1\n255\nAB",
    "no width": b"P5\n0 1\n255\nAB",
    "no height": b"P5\n2 0\n255\nAB",
    "no maxval": b"P5\n2 1\n0\nAB",
    "large maxval": b"P5\n2 1\n65536\nABCD",
    "many digits": b"P5\n" + b"0" * 99 + b"2 1\n255\nAB",
    "long header": b"P5\n" + b" " * 2**21 + b"2 1\n255\nAB",
    "long comment": b"P5\n#" + b"#" * 2**21 + b"\n2 1\n255\nAB",
    "other letters": "P5\n٢ 1\n255\nAB".encode(),
    "over maxval": b"P5\n2 1\n65\nAB",
    "over deep maxval": b"P5\n2 1\n256\nABAB",
    "over maxval in text": b"P2\n2 1\n65\n65 66",
    "over any number": b"P2\n2 1\n255\n65 " + b"9" * 40,
    "negative in text": b"P2\n2 1\n255\n65 -66",
    "point in text": b"P2\n2 1\n255\n65 66.0",
    "exponent in text": b"P2\n2 1\n255\n65 6e1",
    "letter in text": b"P2\n2 1\n255\n65 66x",
    "zero byte": b"P2\n2 1\n255\n65\x0066",
    "long number": b"P2\n2 1\n255\n65 " + b"0" * 2**21 + b"66",
    "hashes": b"P2\n2 1\n255\n65 " + b"#" * 2**21,
    "no bit": b"P1\n2 1\n02",
    "xv": b"P7 332\n#END_OF_COMMENTS\n2 1 255\nAB",
    "no field": b"P7\nWIDTH 2\nHEIGHT 1\nMAXVAL 255\nENDHDR\nAB",
    "field twice": b"P7\nWIDTH 2\nWIDTH 2\nHEIGHT 1\nDEPTH 1\nMAXVAL 255\nENDHDR\nAB",
    "unknown field": b"P7\nWIDTH 2\nSIZE 9\nHEIGHT 1\nDEPTH 1\nMAXVAL 255\nENDHDR\nAB",
    "two numbers": b"P7\nWIDTH 2 3\nHEIGHT 1\nDEPTH 1\nMAXVAL 255\nENDHDR\nAB",
    "no number": b"P7\nWIDTH\nHEIGHT 1\nDEPTH 1\nMAXVAL 255\nENDHDR\nAB",
    "no depth": b"P7\nWIDTH 2\nHEIGHT 1\nDEPTH 0\nMAXVAL 255\nENDHDR\nAB",
    "no scale": b"Pf\n2 1\n0\nABCDABCD",
    "infinite scale": b"Pf\n2 1\n-inf\nABCDABCD",
    "four floats": b"PF4\n2 1\n-1.0\n" + bytes(32),
    "half floats": b"Ph\n2 1\n-1.0\nABCD",
}


@pytest.mark.parametrize("data", BAD.values(), ids=BAD)
def test_damage_raises(data: bytes) -> None:
    with pytest.raises((ImageReadError, ValueError, EOFError)):
        rows_of(NetpbmDecoder(io.BytesIO(data)))
    with Pipe(data) as pipe, pytest.raises((ImageReadError, ValueError, EOFError)):
        rows_of(NetpbmDecoder(pipe))


WHOLE = {
    "P1": b"P1 9 2 101010101 111110011",
    "P2": b"P2 3 2 999 11 22 333 44 55 666",
    "P4": b"P4 9 2 ABCD",
    "P5": b"P5 3 2 999 ABCDABCDABCD".replace(b"A", b"\1").replace(b"C", b"\2"),
    "P6": b"P6 1 2 255 ABCDEF",
    "P7": b"P7\nWIDTH 1\nHEIGHT 2\nDEPTH 2\nMAXVAL 255\nTUPLTYPE GRAYSCALE_ALPHA\nENDHDR\nABCD",
    "Pf": b"Pf\n2 2\n-1.0\n" + bytes(range(16)),
}


@pytest.mark.parametrize("kind", WHOLE)
def test_every_truncation_raises(kind: str) -> None:
    data = WHOLE[kind]
    decode(data)
    # Of text the last digits of the last number are not known to be missing.
    for end in range(1, len(data) - (2 if kind == "P2" else 0)):
        with pytest.raises((ImageReadError, ValueError, EOFError)):
            rows_of(NetpbmDecoder(io.BytesIO(data[:end])))
        with pytest.raises((ImageReadError, ValueError, EOFError)):
            rows_of(NetpbmDecoder(Unseekable(data[:end])))


class Unseekable(io.BytesIO):
    """Gives at most a few bytes at a time, as an unbuffered pipe does."""

    def read(self, size: int | None = -1) -> bytes:
        assert size is not None
        assert size >= 0, "a pipe must not be read to its end"
        return super().read(min(size, 7))

    def seekable(self) -> bool:
        return False

    def seek(self, *where: object) -> int:
        raise io.UnsupportedOperation


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_mutations_raise_or_give_pixels(data: st.DataObject) -> None:
    mutated = bytearray(data.draw(st.sampled_from(list(WHOLE.values()))))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(mutated) - 1))
        new = data.draw(st.sampled_from([b"", b"0", b"9", b" ", b"#", b"\n", b"\xff", b"-", b"99"]))
        mutated[at : at + data.draw(st.integers(0, 2))] = new
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SvfilterWarning)
        try:
            decoder = NetpbmDecoder(io.BytesIO(bytes(mutated)))
            if decoder.layout.height * decoder.layout.row_bytes < 10**6:
                rows_of(decoder)
        except (ImageReadError, ValueError, EOFError):
            pass


@pytest.mark.parametrize("piped", [False, True])
@pytest.mark.parametrize(
    "head",
    [b"%s 1000 1000000000 " % kind.encode() for kind in ("P1", "P4")]
    + [b"%s 1000 1000000000 255 " % kind.encode() for kind in ("P2", "P3", "P5", "P6")]
    + [b"PF 1000 1000000000 -1 "]
    + [b"P7\nWIDTH 9\nHEIGHT 999999999\nDEPTH 999\nMAXVAL 65535\nENDHDR\n"],
)
def test_headers_alone_take_no_memory(head: bytes, piped: bool) -> None:
    data = head + bytes(100)
    tracemalloc.start()
    try:
        with pytest.raises((ValueError, EOFError)):
            NetpbmDecoder(Unseekable(data) if piped else io.BytesIO(data)).rows(0, 8)
        assert tracemalloc.get_traced_memory()[1] < 3 * 10**6
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("kind", ["P1", "P3", "P4", "P5", "P6", "PF"])
def test_memory_is_as_stated(kind: str) -> None:
    if kind == "PF":
        data = pfm(samples(400, 900, 3, 255).astype("f4"))
    else:
        maxval = 1 if kind in ("P1", "P4") else 1000
        data = file_of(kind, samples(1300, 900 // CHANNELS[kind], CHANNELS[kind], maxval), maxval)
    file = io.BytesIO(data)
    tracemalloc.start()
    try:
        decoder = NetpbmDecoder(file)
        for top in range(0, decoder.layout.height, 100):
            decoder.rows(top, top + 100)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak <= decoder.memory + 2 * 100 * decoder.layout.row_bytes


def test_images_behind_the_first_are_told_of() -> None:
    one = b"P5\n2 1\n255\nAB"
    with pytest.warns(SvfilterWarning, match="more than one image"):
        decoder = NetpbmDecoder(io.BytesIO(one * 2))
    assert rows_of(decoder).tolist() == [[[65], [66]]]
    with Pipe(one * 2) as pipe:
        assert rows_of(NetpbmDecoder(pipe)).tolist() == [[[65], [66]]]


def test_a_pipe_is_read_no_farther_than_the_last_row() -> None:
    end, to = os.pipe()
    with os.fdopen(end, "rb", buffering=0) as file, os.fdopen(to, "wb", buffering=0) as writing:
        writing.write(b"P5\n2 1\n255\nAB")  # and the pipe stays open
        assert rows_of(NetpbmDecoder(file)).tolist() == [[[65], [66]]]


# Writing.


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", ["u1", "u2"])
@pytest.mark.parametrize("colour", ["grey", "rgb"])
def test_pnm_is_written_as_the_specification_says(
    colour: str, dtype: str, size: tuple[int, int]
) -> None:
    most = np.iinfo(dtype).max
    values = samples(*size, 3 if colour == "rgb" else 1, most).astype(dtype)
    data = encode("ppm", values, layout_of(values, colour))
    assert data == file_of("P6" if colour == "rgb" else "P5", values, most)
    with Image.open(io.BytesIO(data)) as image:
        assert image.size == size[::-1]
        if not (colour == "rgb" and dtype == "u2"):  # of which Pillow gives 8 bits
            np.testing.assert_array_equal(np.asarray(image).reshape(values.shape), values)


@pytest.mark.parametrize("dtype", ["u1", "u2"])
@pytest.mark.parametrize(
    ("colour", "alpha", "channels", "tupltype"),
    [
        ("grey", "", 1, "GRAYSCALE"),
        ("grey", "straight", 2, "GRAYSCALE_ALPHA"),
        ("rgb", "", 3, "RGB"),
        ("rgb", "straight", 4, "RGB_ALPHA"),
        ("bands", "", 5, None),
    ],
)
def test_pam_is_written_as_the_specification_says(
    colour: str, alpha: str, channels: int, tupltype: str | None, dtype: str
) -> None:
    most = np.iinfo(dtype).max
    values = samples(7, 13, channels, most).astype(dtype)
    assert encode("pam", values, layout_of(values, colour, alpha)) == pam(values, most, tupltype)


@pytest.mark.parametrize("channels", [1, 3])
def test_pfm_is_read_by_pillow(channels: int) -> None:
    values = RNG.normal(0, 9, (7, 13, channels)).astype(np.float32)
    data = encode("pfm", values, layout_of(values, "grey" if channels == 1 else "rgb"))
    assert data == pfm(values)
    if channels == 1:
        with Image.open(io.BytesIO(data)) as image:
            np.testing.assert_array_equal(np.asarray(image), values[..., 0])


def test_written_rows_may_be_views() -> None:
    wide = samples(14, 26, 6, 65535).astype("u2")
    view = wide[::-2, ::2, ::2]
    assert_same(decode(encode("ppm", view, layout_of(view, "rgb")))[1], view)
    floats = view.astype("f4")[:, ::-1]
    assert_same(decode(encode("pfm", floats, layout_of(floats, "rgb")))[1], floats)


@pytest.mark.parametrize("format", ["ppm", "pam"])
def test_comments_are_kept(format: str) -> None:
    values = samples(2, 3, 1, 255).astype("u1")
    metadata = Metadata(comments=("made by hand", "zwei\nZeilen: grün"))
    decoder, pixels = decode(encode(format, values, layout_of(values, "grey"), metadata))
    assert decoder.metadata.comments == ("made by hand", "zwei", "Zeilen: grün")
    assert_same(pixels, values)


@pytest.mark.parametrize("format", ENCODERS)
def test_wrong_rows_are_refused(format: str, tmp_path: Path) -> None:
    values = samples(4, 3, 1, 255).astype("f4" if format == "pfm" else "u1")
    layout = layout_of(values, "grey")
    with (tmp_path / "image").open("x+b") as file:
        encoder = ENCODERS[format](file, jobs=1)
        encoder.begin(layout, Metadata(), {})
        encoder.write(values[:3])
        with pytest.raises(ValueError, match="1 of its rows are missing"):
            encoder.end()
        with pytest.raises(ValueError, match="are not those"):
            encoder.write(values[:2])
        with pytest.raises(ValueError, match="are not those"):
            encoder.write(values[:, :2])


def test_pipes_take_what_needs_no_seeking() -> None:
    assert (PnmEncoder.seeks, PamEncoder.seeks, PfmEncoder.seeks) == (False, False, True)
    values = samples(50, 30, 3, 65535).astype("u2")
    end, to = os.pipe()
    with os.fdopen(end, "rb") as reading, os.fdopen(to, "wb") as writing:
        encoder = PnmEncoder(writing, jobs=1)
        encoder.begin(layout_of(values, "rgb"), Metadata(), {})
        encoder.write(values)
        encoder.end()
        writing.close()
        assert reading.read() == file_of("P6", values, 65535)
