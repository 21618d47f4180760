"""Encoders that go strip by strip or hold the whole: what they owe to whoever hands them rows."""

from __future__ import annotations

import io
import struct
import threading
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import OpenImageIO
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, features

from svfilter.images.encoders import exr, jpeg, png, whole
from svfilter.images.encoders.base import Encoder
from svfilter.images.encoders.pool import Pool
from svfilter.images.encoders.strips import Strips
from svfilter.images.layout import Layout
from svfilter.images.metadata import Metadata

RNG = np.random.default_rng(21)
NOTHING = Metadata()
# Each encoder with its options, and of the pixels it gets here dtype, channels, colour and alpha.
ENCODERS: dict[str, tuple[type[Encoder], dict[str, Any], tuple[str, int, Any, Any]]] = {
    "png": (png.PngEncoder, {}, ("u1", 3, "rgb", "")),
    "png of 16 bits": (png.PngEncoder, {}, ("u2", 4, "rgb", "straight")),
    "jpeg": (jpeg.JpegEncoder, {}, ("u1", 3, "rgb", "")),
    "exr": (exr.ExrEncoder, {}, ("f4", 3, "rgb", "")),
    "exr, single rows": (exr.ExrEncoder, {"compression": "zips"}, ("f2", 2, "grey", "associated")),
    "webp": (whole.WebpEncoder, {}, ("u1", 3, "rgb", "")),
    "bmp": (whole.BmpEncoder, {}, ("u1", 1, "grey", "")),
}
IN_STRIPS = [name for name in ENCODERS if not issubclass(ENCODERS[name][0], whole.WholeEncoder)]


@pytest.fixture
def small_strips(monkeypatch: pytest.MonkeyPatch) -> None:
    make_strips_small(monkeypatch)


def make_strips_small(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(png, "_STRIP_BYTES", (2048, 2048))
    patch.setattr(jpeg, "_STRIP_BYTES", 1)
    patch.setattr(exr, "_STRIP_BYTES", 2048)


def picture(name: str, height: int, width: int) -> tuple[Layout, np.ndarray]:
    dtype, channels, colour, alpha = ENCODERS[name][2]
    y, x, c = np.ogrid[:height, :width, :channels]
    values = 0.5 + 0.2 * np.sin(y / 9 + c) + 0.2 * np.sin(x / 7)
    values = np.clip(values + RNG.normal(0, 0.02, (height, width, channels)), 0, 1)
    pixels = (values * (1 if dtype[0] == "f" else np.iinfo(dtype).max)).astype(dtype)
    return Layout(height, width, channels, np.dtype(dtype), colour, alpha), pixels


def begun(name: str, file: io.BytesIO, layout: Layout, jobs: int = 2) -> Encoder:
    encoder, options, _ = ENCODERS[name]
    started = encoder(file, jobs=jobs)
    started.begin(layout, NOTHING, options)
    return started


def encode(name: str, layout: Layout, pieces: list[np.ndarray], jobs: int = 2) -> bytes:
    file = io.BytesIO()
    encoder = begun(name, file, layout, jobs)
    for rows in pieces:
        encoder.write(rows)
    encoder.end()
    encoder.close()
    return file.getvalue()


@pytest.mark.parametrize("name", ENCODERS)
@settings(max_examples=8, deadline=None)
@given(st.data())
def test_bytes_depend_neither_on_pieces_nor_on_jobs(name: str, data: st.DataObject) -> None:
    layout, pixels = picture(name, data.draw(st.integers(1, 300)), data.draw(st.integers(1, 30)))
    cuts = sorted(data.draw(st.lists(st.integers(0, layout.height), max_size=5)))
    with pytest.MonkeyPatch.context() as patch:
        make_strips_small(patch)
        expected = encode(name, layout, [pixels], jobs=1)
        for jobs in (1, 2):
            assert encode(name, layout, np.split(pixels, cuts), jobs) == expected
        planes = np.ascontiguousarray(pixels.transpose(2, 0, 1)).transpose(1, 2, 0)
        assert encode(name, layout, [planes]) == expected


@pytest.mark.parametrize("name", ENCODERS)
def test_rows_that_were_handed_over_may_change(name: str, small_strips: None) -> None:
    layout, pixels = picture(name, 300, 20)
    expected = encode(name, layout, [pixels])
    file = io.BytesIO()
    encoder = begun(name, file, layout)
    rows = np.empty_like(pixels[:10])
    for top in range(0, 300, 10):
        rows[...] = pixels[top : top + 10]
        encoder.write(rows)
        rows[...] = 77
    encoder.end()
    assert file.getvalue() == expected


@pytest.mark.parametrize("name", ENCODERS)
def test_missing_rows_are_told_and_leave_no_thread(name: str, small_strips: None) -> None:
    before = threading.enumerate()
    layout, pixels = picture(name, 300, 20)
    encoder = begun(name, io.BytesIO(), layout)
    encoder.write(pixels[:293])
    with pytest.raises(ValueError, match="7 of its rows are missing"):
        encoder.end()
    assert threading.enumerate() == before


@pytest.mark.parametrize("name", IN_STRIPS)
def test_rows_too_many_are_refused(name: str) -> None:
    layout, pixels = picture(name, 10, 20)
    encoder = begun(name, io.BytesIO(), layout)
    encoder.write(pixels)
    with pytest.raises(ValueError, match="1 rows are too many"):
        encoder.write(pixels[:1])
    encoder.abandon()


class FullDisk(io.BytesIO):
    """Has room for so many bytes."""

    def __init__(self, room: int) -> None:
        super().__init__()
        self.room = room

    def write(self, data: Any) -> int:
        if self.tell() + memoryview(data).nbytes > self.room:
            raise OSError(28, "No space left on device")
        return super().write(data)


@pytest.mark.parametrize("name", ENCODERS)
def test_a_full_disk_is_told_and_leaves_no_thread(name: str, small_strips: None) -> None:
    before = threading.enumerate()
    layout, pixels = picture(name, 300, 40)
    size = len(encode(name, layout, [pixels]))
    for room in (0, 10, size // 3, size // 2, size - 1):
        file = FullDisk(room)
        with pytest.raises(OSError, match="No space left") as caught:
            encoder = begun(name, file, layout)
            for rows in np.split(pixels, 30):
                encoder.write(rows)
            encoder.end()
        assert caught.value.errno == 28
        assert threading.enumerate() == before


@pytest.mark.parametrize("name", ENCODERS)
@pytest.mark.parametrize("rows", [0, 5, 290])
def test_what_is_abandoned_leaves_no_thread(name: str, rows: int, small_strips: None) -> None:
    before = threading.enumerate()
    layout, pixels = picture(name, 300, 40)
    ENCODERS[name][0](io.BytesIO(), jobs=2).abandon()
    encoder = begun(name, io.BytesIO(), layout)
    encoder.write(pixels[:rows])
    encoder.abandon()
    assert threading.enumerate() == before
    encoder.abandon()


@pytest.mark.parametrize("name", IN_STRIPS)
def test_what_is_stated_of_memory_is_a_few_strips(name: str) -> None:
    layout, _ = picture(name, 1, 1)
    for width in (1, 4000):
        large = Layout(60_000, width, layout.channels, layout.dtype, layout.colour, layout.alpha)
        encoder = begun(name, io.BytesIO(), large, jobs=2)
        assert 6 * 2**18 < encoder.memory < 6 * 3 * 2**21


def test_strips_are_cut_anywhere() -> None:
    layout, pixels = picture("png", 10, 3)
    strips = Strips(layout, 4)
    got = [strip for rows in np.split(pixels, [1, 1, 6]) for strip in strips.cut(rows)]
    strips.finish()
    assert [len(strip) for strip in got] == [4, 4, 2]
    np.testing.assert_array_equal(np.concatenate(got), pixels)


def test_a_pool_hands_on_in_order_and_stops_at_an_exception() -> None:
    before = threading.enumerate()
    done: list[int] = []
    pool = Pool(3, done.append)
    first = threading.Event()
    pool.add(lambda: first.wait(10) and 0)
    for n in range(1, 6):
        pool.add(lambda n=n: n)
    assert done == []
    first.set()
    pool.finish()
    assert done == [0, 1, 2, 3, 4, 5]
    assert threading.enumerate() == before
    pool = Pool(1, done.append)
    with pytest.raises(ZeroDivisionError):
        pool.add(lambda: 1 // 0)
        pool.finish()
    assert threading.enumerate() == before


# OpenEXR


NAMES = {
    ("grey", ""): ["Y"], ("grey", "associated"): ["Y", "A"], ("rgb", ""): ["R", "G", "B"],
    ("rgb", "associated"): ["R", "G", "B", "A"],
    ("bands", ""): ["0000", "0001", "0002", "0003", "0004"],
}  # fmt: skip


def encode_exr(
    pixels: np.ndarray,
    colour: Any = "rgb",
    alpha: Any = "",
    metadata: Metadata = NOTHING,
    **options: object,
) -> bytes:
    file = io.BytesIO()
    encoder = exr.ExrEncoder(file, jobs=2)
    encoder.begin(Layout(*pixels.shape, pixels.dtype, colour, alpha), metadata, options)
    encoder.write(pixels)
    encoder.end()
    assert file.tell() == len(file.getvalue())
    return file.getvalue()


def read_exr(data: bytes, folder: Path) -> tuple[dict[str, np.ndarray], OpenImageIO.ImageSpec]:
    """Read channels by name."""
    path = folder / "read.exr"
    path.write_bytes(data)
    image = OpenImageIO.ImageInput.open(str(path))
    spec = image.spec()
    pixels = image.read_image(0, 0, 0, spec.nchannels, spec.format)
    assert not image.has_error, image.geterror()
    image.close()
    return {name: pixels[..., n] for n, name in enumerate(spec.channelnames)}, spec


def attributes_of(data: bytes) -> tuple[dict[bytes, tuple[bytes, bytes]], int]:
    """Give a header's attributes, and where it ends."""
    at, found = 8, {}
    while data[at]:
        name, kind, rest = data[at : at + 600].split(b"\0", 2)
        (size,) = struct.unpack_from("<I", rest)
        at += len(name) + len(kind) + 6
        found[name] = kind, data[at : at + size]
        at += size
    return found, at + 1


@pytest.mark.parametrize("compression", ["none", "zips", "zip", "piz", None])
@pytest.mark.parametrize("dtype", ["f2", "f4"])
@pytest.mark.parametrize("kind", NAMES, ids=str)
def test_exr_keeps_every_float(
    kind: tuple[str, str], dtype: str, compression: str | None, tmp_path: Path, small_strips: None
) -> None:
    names = NAMES[kind]
    for height, width in ((1, 1), (7, 13), (16, 16), (17, 5), (300, 5)):
        pixels = RNG.normal(0, 1, (height, width, len(names))).cumsum(1).astype(dtype)
        pixels[0, 0, 0], pixels[-1, -1, -1] = -np.inf, np.nan
        data = encode_exr(pixels, *kind, compression=compression)
        found, spec = read_exr(data, tmp_path)
        assert found.keys() == {*names}
        for n, name in enumerate(names):
            assert found[name].dtype == dtype
            np.testing.assert_array_equal(found[name], pixels[..., n])
        packed = "zip" if compression in (None, "piz") else compression
        assert spec.getattribute("compression") == packed


def test_exr_is_packed_as_its_specification_says() -> None:
    pixels = (np.arange(20 * 30 * 3) // 50).astype("f4").reshape(20, 30, 3)
    data = encode_exr(pixels)
    _, table = attributes_of(data)
    rows = []
    for chunk, offset in enumerate(struct.unpack_from("<2Q", data, table)):
        first, size = struct.unpack_from("<ii", data, offset)
        assert first == 16 * chunk
        coded = bytearray(zlib.decompress(data[offset + 8 : offset + 8 + size]))
        for n in range(1, len(coded)):
            coded[n] = (coded[n] + coded[n - 1] - 128) % 256
        half = (len(coded) + 1) // 2
        plain = bytearray(len(coded))
        plain[::2], plain[1::2] = coded[:half], coded[half:]
        rows.append(np.frombuffer(bytes(plain), "<f4").reshape(-1, 3, 30))
    blue_green_red = np.concatenate(rows).transpose(0, 2, 1)
    np.testing.assert_array_equal(blue_green_red[..., ::-1], pixels)


def test_exr_follows_the_file_that_was_read(tmp_path: Path) -> None:
    long = "a_name_that_has_more_than_31_letters_in_it"
    native = (
        (b"owner\0string", b"somebody"),
        (b"displayWindow\0box2i", struct.pack("<4i", 0, 0, 99, 99)),
        (b"pixelAspectRatio\0float", struct.pack("<f", 2)),
    )
    options = {"channels": ("Z", "depth.V", long), "origin": (-3, 20), "compression": "zips"}
    pixels = RNG.normal(0, 1, (30, 20, 3)).astype("f2")
    data = encode_exr(pixels, "bands", metadata=Metadata(native=native), native=True, **options)
    found, spec = read_exr(data, tmp_path)
    for n, name in enumerate(("Z", "depth.V", long)):
        np.testing.assert_array_equal(found[name], pixels[..., n])
    assert (spec.x, spec.y, spec.full_width, spec.full_height) == (-3, 20, 100, 100)
    assert spec.getattribute("PixelAspectRatio") == 2
    attributes, _ = attributes_of(data)
    assert attributes[b"owner"] == (b"string", b"somebody")
    assert struct.unpack_from("<II", data) == (20000630, 2 | 0x400)
    data = encode_exr(pixels, metadata=Metadata(native=native), **options | {"channels": ("Z",)})
    attributes, _ = attributes_of(data)
    assert b"owner" not in attributes
    assert attributes[b"displayWindow"] == attributes[b"dataWindow"]
    assert read_exr(data, tmp_path)[0].keys() == {"R", "G", "B"}


def test_exr_refuses_what_its_numbers_cannot_count() -> None:
    for height, width in ((1, 2**25), (2**30 + 1, 1)):
        layout = Layout(height, width, 1, np.dtype("f4"), "grey")
        with pytest.raises(ValueError, match=f"{width} x {height} pixels are too many"):
            exr.ExrEncoder(io.BytesIO(), jobs=1).begin(layout, NOTHING, {})


# Formats that are encoded as a whole

WHOLE = {"webp": whole.WebpEncoder, "bmp": whole.BmpEncoder, "avif": whole.AvifEncoder}
KINDS: dict[int, tuple[Any, Any]] = {
    1: ("grey", ""), 2: ("grey", "straight"), 3: ("rgb", ""), 4: ("rgb", "straight"),
}  # fmt: skip
MODES = {1: "L", 2: "LA", 3: "RGB", 4: "RGBA"}
ABOUT = Metadata(
    icc_profile=bytes(range(256)),
    exif=b"II*\0\x08\0\0\0\x01\0\x0f\x01\x02\0\x04\0\0\0abc\0\0\0\0\0",
    xmp=b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>",
    dpi=(300.0, 150.0),
)


def encode_whole(
    name: str, pixels: np.ndarray, metadata: Metadata = NOTHING, **options: object
) -> Image.Image:
    file = io.BytesIO()
    encoder = WHOLE[name](file, jobs=2)
    layout = Layout(*pixels.shape, pixels.dtype, *KINDS[pixels.shape[2]])
    encoder.begin(layout, metadata, options)
    for rows in np.array_split(pixels, 3):
        encoder.write(rows)
    encoder.end()
    image = Image.open(io.BytesIO(file.getvalue()))
    image.load()
    assert image.format == name.upper()
    return image


# Format, options, channels, how far pixels may be off.
LOSSES = [
    ("bmp", {}, (1, 3), 0),
    ("webp", {"lossless": True}, (1, 2, 3, 4), 0),
    ("webp", {}, (1, 2, 3, 4), 12),
    ("webp", {"quality": 95, "lossless": True}, (3,), 12),
    ("avif", {}, (1, 2, 3, 4), 6),
]


@pytest.mark.parametrize(("name", "options", "channels", "most"), LOSSES)
def test_whole_images_come_back(
    name: str, options: dict[str, object], channels: tuple[int, ...], most: int
) -> None:
    if name == "avif" and not features.check("avif"):
        pytest.skip("Pillow has no AVIF")
    for count in channels:
        for height, width in ((1, 1), (7, 13), (40, 5)):
            y, x, c = np.ogrid[:height, :width, :count]
            pixels = (100 + 40 * np.sin(y / 9) + 50 * np.sin(x / 7) + 0 * c).astype(np.uint8)
            if not most:
                pixels[0, 0, -1] = 0  # transparent, but of a colour
            got = np.asarray(encode_whole(name, pixels, **options).convert(MODES[count]))
            off = abs(got.reshape(pixels.shape).astype(int) - pixels)
            assert off.max() <= most


def test_quality_is_that_of_pillow() -> None:
    _, pixels = picture("webp", 60, 50)
    for options, saved in (
        ({}, {"quality": 95}),
        ({"quality": 40}, {"quality": 40}),
        ({"lossless": True}, {"lossless": True, "exact": True}),
        ({"lossless": True, "quality": 40}, {"quality": 40}),
    ):
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "WEBP", **saved)
        with encode_whole("webp", pixels, **options) as ours, Image.open(file) as theirs:
            np.testing.assert_array_equal(np.asarray(ours), np.asarray(theirs))


def test_whole_formats_hold_the_metadata_that_they_can() -> None:
    _, pixels = picture("webp", 20, 10)
    with encode_whole("webp", pixels, ABOUT) as image:
        assert image.info["icc_profile"] == ABOUT.icc_profile
        assert image.info["exif"].removeprefix(b"Exif\0\0") == ABOUT.exif
        assert image.info["xmp"] == ABOUT.xmp
    with encode_whole("bmp", pixels, ABOUT) as image:
        assert [round(value) for value in image.info["dpi"]] == [300, 150]
    if features.check("avif"):
        with encode_whole("avif", pixels, ABOUT) as image:
            assert image.info["icc_profile"] == ABOUT.icc_profile
            assert image.getexif()[271] == "abc"
            assert image.info["xmp"] == ABOUT.xmp


# Format, height, width, and what the refusal says.
TOO_LARGE = [
    ("webp", 16384, 1, "at most 16383"),
    ("webp", 1, 16384, "at most 16383"),
    ("bmp", 40000, 40000, "4 GB"),
    ("avif", 32769, 1, "at most 32768"),
]


@pytest.mark.parametrize(("name", "height", "width", "words"), TOO_LARGE)
def test_sides_beyond_a_limit_are_refused_before_any_row(
    name: str, height: int, width: int, words: str
) -> None:
    layout = Layout(height, width, 3, np.dtype("u1"), "rgb")
    with pytest.raises(ValueError, match=words):
        WHOLE[name](io.BytesIO(), jobs=1).begin(layout, NOTHING, {})


def test_the_largest_webp_is_written() -> None:
    assert encode_whole("webp", np.zeros((16383, 1, 3), np.uint8)).size == (1, 16383)


def test_heic_asks_for_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr(whole, "import_module", missing)
    layout = Layout(1, 1, 3, np.dtype("u1"), "rgb")
    with pytest.raises(ValueError, match="pip install pillow-heif"):
        whole.HeicEncoder(io.BytesIO(), jobs=1).begin(layout, NOTHING, {})


def test_heic_comes_back() -> None:
    pytest.importorskip("pillow_heif")
    file = io.BytesIO()
    encoder = whole.HeicEncoder(file, jobs=1)
    pixels = np.full((64, 70, 3), (200, 100, 50), np.uint8)
    encoder.begin(Layout(64, 70, 3, np.dtype("u1"), "rgb"), ABOUT, {})
    encoder.write(pixels)
    encoder.end()
    with Image.open(file) as image:
        assert image.info["icc_profile"] == ABOUT.icc_profile
        assert abs(np.asarray(image.convert("RGB")).astype(int) - pixels).max() <= 4
