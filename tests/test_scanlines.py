"""PNG, JPEG and OpenEXR by rows: by files made by hand and by Pillow; exact, or an exception."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import OpenImageIO
import pytest
from PIL import Image, JpegImagePlugin

from svfilter.errors import ImageReadError, SvfilterWarning
from svfilter.images.decoders.base import Decoder
from svfilter.images.decoders.exr import ExrDecoder
from svfilter.images.decoders.scanlines import JpegDecoder, PngDecoder, RowDecoder

RNG = np.random.default_rng(17)
H, W = 9, 13
BYTES = RNG.integers(0, 256, (H, W, 4), dtype=np.uint8)
BYTES[2, 3:7, 3] = 0  # colours under alpha 0 stay
WORDS = RNG.integers(0, 65536, (H, W, 4), dtype=np.uint16)
WORDS[0, 1] = WORDS[0, 0] ^ 1  # differs from the transparent value in its low byte alone
WORDS[2, 3:7, 3] = 0
PALETTE = RNG.integers(0, 256, (256, 3), dtype=np.uint8)
# First column and row, steps across and down.
ADAM7 = (
    (0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2),
    (0, 1, 1, 2),
)  # fmt: skip


def put(folder: Path, data: bytes, name: str = "in") -> str:
    (folder / name).write_bytes(data)
    return str(folder / name)


def decode(decoder: Decoder, step: int = 4) -> np.ndarray:
    """All rows, some at a time."""
    layout = decoder.layout
    starts = range(0, layout.height, step)
    try:
        rows = [decoder.rows(start, min(start + step, layout.height)) for start in starts]
    finally:
        decoder.close()
    for start, part in zip(starts, rows, strict=True):
        height = min(step, layout.height - start)
        assert part.shape == (height, layout.width, layout.channels)
        assert part.dtype == layout.dtype
    return np.concatenate(rows)


def assert_same(actual: np.ndarray, expected: np.ndarray) -> None:
    assert actual.dtype == expected.dtype
    np.testing.assert_array_equal(actual, expected.reshape(actual.shape))


# PNG by hand.


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def lines(array: np.ndarray, bits: int) -> bytes:
    """Rows of samples of so many bits, each behind filter 0."""
    flat = array.reshape(len(array), -1).astype(">u2")
    planes = np.unpackbits(flat.view(np.uint8).reshape(*flat.shape, 2), axis=2)[..., 16 - bits :]
    packed = np.packbits(planes.reshape(len(array), -1), axis=1)
    return b"".join(b"\0" + row.tobytes() for row in packed)


def png_of(
    array: np.ndarray, bits: int, kind: int, *, interlaced: bool = False, split: int = 0, **chunks
) -> bytes:
    """A PNG with chunks before the pixels, and the pixels in chunks of `split` bytes."""
    if interlaced:
        parts = (array[y::down, x::across] for x, y, across, down in ADAM7)
        raw = b"".join(lines(part, bits) for part in parts if part.size)
    else:
        raw = lines(array, bits)
    packed = zlib.compress(raw)
    split = split or len(packed)
    header = struct.pack(">IIBBBBB", *array.shape[1::-1], bits, kind, 0, 0, interlaced)
    named = [(b"IHDR", header), *((k.encode(), v) for k, v in chunks.items())]
    named += [(b"IDAT", packed[at : at + split]) for at in range(0, len(packed), split)]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*pair) for pair in [*named, (b"IEND", b"")])


def key(*values: int) -> bytes:
    return struct.pack(f">{len(values)}H", *map(int, values))


def with_key(pixels: np.ndarray) -> np.ndarray:
    """Pixels with alpha that is 0 where they are as the first one."""
    pixels = pixels.reshape(H, W, -1)
    clear = (pixels == pixels[0, 0]).all(2)
    return np.dstack([pixels, np.where(clear, 0, np.iinfo(pixels.dtype).max).astype(pixels.dtype)])


# PNG's colour type and chunks -> the samples stored, their bits, the pixels meant.
PNGS: dict[str, tuple[np.ndarray, int, int, dict, np.ndarray]] = {}
for bits, samples in ((8, BYTES), (16, WORDS)):
    PNGS |= {
        f"la-{bits}": (samples[..., :2], bits, 4, {}, samples[..., :2]),
        f"rgb-{bits}": (samples[..., :3], bits, 2, {}, samples[..., :3]),
        f"rgba-{bits}": (samples, bits, 6, {}, samples),
        f"rgb-{bits}-key": (
            samples[..., :3], bits, 2, {"tRNS": key(*samples[0, 0, :3])}, with_key(samples[..., :3])
        ),
    }  # fmt: skip
PNGS["grey-16"] = WORDS[..., 0], 16, 0, {}, WORDS[..., 0]
PNGS["grey-16-key"] = (
    WORDS[..., 0], 16, 0, {"tRNS": key(WORDS[0, 0, 0])}, with_key(WORDS[..., 0])
)  # fmt: skip
for bits in (1, 2, 4, 8):
    small = BYTES[..., 0] >> (8 - bits)
    grey = (small * (255 // (2**bits - 1))).astype(np.uint8)
    some = PALETTE[: 2**bits]
    alphas = np.full(2**bits, 255, np.uint8)
    alphas[:2] = 255, 7
    PNGS |= {
        f"grey-{bits}": (small, bits, 0, {}, grey),
        f"grey-{bits}-key": (small, bits, 0, {"tRNS": key(small[0, 0])}, with_key(grey)),
        f"palette-{bits}": (small, bits, 3, {"PLTE": some.tobytes()}, some[small]),
        f"palette-{bits}-alpha": (
            small, bits, 3, {"PLTE": some.tobytes(), "tRNS": bytes(alphas[:2])},
            np.dstack([some[small], alphas[small]]),
        ),
    }  # fmt: skip


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("case", PNGS)
def test_png_gives_exact_pixels(case: str, interlaced: bool, tmp_path: Path) -> None:
    samples, bits, kind, chunks, expected = PNGS[case]
    data = png_of(samples, bits, kind, interlaced=interlaced, **chunks)
    decoder = PngDecoder(put(tmp_path, data))
    layout = decoder.layout
    assert (layout.alpha == "straight") == (layout.channels in (2, 4))
    assert layout.colour == ("grey" if layout.channels < 3 else "rgb")
    assert_same(decode(decoder), expected)


@pytest.mark.parametrize("size", [(1, 1), (7, 13), (300, 5), (5, 300)])
@pytest.mark.parametrize("step", [1, 3, 1000])
def test_png_of_any_size_is_read_in_any_steps(
    size: tuple[int, int], step: int, tmp_path: Path
) -> None:
    array = RNG.integers(0, 65536, (*size, 3), dtype=np.uint16)
    for interlaced in (False, True):
        data = png_of(array, 16, 2, interlaced=interlaced, split=37)
        assert_same(decode(PngDecoder(put(tmp_path, data)), step), array)


@pytest.mark.parametrize(
    "chunks",
    [
        {"gAMA": struct.pack(">I", 100000)},
        {"gAMA": struct.pack(">I", 20000)},
        {"sRGB": b"\0"},
        {"sBIT": b"\5\5\5\5"},
        {"bKGD": key(1, 2, 3)},
        {"oFFs": struct.pack(">iiB", -5, 7, 0)},
    ],
)
@pytest.mark.parametrize("samples", [BYTES, WORDS])
def test_png_chunks_do_not_change_values(samples: np.ndarray, chunks: dict, tmp_path: Path) -> None:
    data = png_of(samples, samples.itemsize * 8, 6, **chunks)
    assert_same(decode(PngDecoder(put(tmp_path, data))), samples)


def test_png_without_its_end_is_whole_but_warned_of(tmp_path: Path) -> None:
    source = put(tmp_path, png_of(BYTES, 8, 6)[:-12])
    with pytest.warns(SvfilterWarning, match="its end is missing"):
        decoder = PngDecoder(source)
    assert_same(decode(decoder), BYTES)


def test_animated_png_warns(tmp_path: Path) -> None:
    source = put(tmp_path, png_of(BYTES, 8, 6, acTL=struct.pack(">II", 2, 0)))
    with pytest.warns(SvfilterWarning, match="is animated"):
        decoder = PngDecoder(source)
    assert_same(decode(decoder), BYTES)


def damaged_pngs() -> dict[str, bytes]:
    plain = png_of(BYTES, 8, 6, split=100)
    raw = zlib.compress(lines(BYTES, 8)[:-20])
    first, last = plain.index(b"IDAT"), plain.rindex(b"IDAT")
    short = plain[: first - 4] + chunk(b"IDAT", raw) + chunk(b"IEND", b"")
    flipped = {at: bytearray(plain) for at in (first + 60, last + 6, len(plain) - 13)}
    for at, data in flipped.items():
        data[at] ^= 1
    filtered = bytearray(lines(BYTES, 8))
    filtered[0] = 9
    unknown = plain[: first - 4] + chunk(b"IDAT", zlib.compress(filtered)) + chunk(b"IEND", b"")
    cuts = (len(plain) // 4, len(plain) // 2, len(plain) * 3 // 4, len(plain) - 13, len(plain) - 17)
    return {
        "rows missing": short,
        "filter unknown": unknown,
        **{f"flipped at {at}": bytes(data) for at, data in flipped.items()},
        **{f"cut at {at}": plain[:at] for at in cuts},
    }


@pytest.mark.filterwarnings("ignore:is damaged outside")
@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize("case", damaged_pngs())
def test_damaged_png_raises_at_the_last_row_at_the_latest(
    case: str, interlaced: bool, tmp_path: Path
) -> None:
    data = damaged_pngs()[case]
    if interlaced:
        data = data[:28] + b"\1" + struct.pack(">I", zlib.crc32(data[12:28] + b"\1")) + data[33:]
    with pytest.raises(ValueError, match=r"[a-z]"):
        decode(PngDecoder(put(tmp_path, data)))


def test_png_wider_than_libpng_reads_is_refused(tmp_path: Path) -> None:
    source = put(tmp_path, png_of(np.zeros((1, 1_000_001), np.uint8), 1, 0))
    with pytest.raises(ImageReadError, match="a side of 1000001 pixels"):
        PngDecoder(source)


@pytest.mark.parametrize(
    "name", ["in.png", "in.jpg", "in.exr", "in.tga", "in", "a?b=%04d.x", "ü .txt"]
)
def test_the_name_of_a_file_does_not_matter(name: str, tmp_path: Path) -> None:
    assert_same(decode(PngDecoder(put(tmp_path, png_of(BYTES, 8, 6), name))), BYTES)


def test_a_file_that_is_taken_for_another_format_raises(tmp_path: Path) -> None:
    """OpenImageIO gives black for any file of this suffix."""
    with pytest.raises(ValueError, match="null.*was found where.*png"):
        decode(PngDecoder(put(tmp_path, png_of(BYTES, 8, 6), "in.null")))


# JPEG.


def smooth(height: int, width: int) -> np.ndarray:
    steps = np.random.default_rng(height).integers(-9, 10, (height, width, 3))
    return np.clip(np.cumsum(steps, 0) + 128, 0, 255).astype(np.uint8)


def jpeg_of(array: np.ndarray | Image.Image, **options) -> bytes:
    file = io.BytesIO()
    image = array if isinstance(array, Image.Image) else Image.fromarray(array)
    image.save(file, "JPEG", **options)
    return file.getvalue()


def by_pillow(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        return np.asarray(image)


@pytest.mark.parametrize("size", [(1, 1), (7, 13), (300, 5), (5, 300), (64, 64)])
@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_rows": 1}])
def test_jpeg_gives_the_pixels_that_pillow_gives(
    size: tuple[int, int], subsampling: str, options: dict, tmp_path: Path
) -> None:
    data = jpeg_of(smooth(*size), subsampling=subsampling, quality=60, **options)
    assert_same(decode(JpegDecoder(put(tmp_path, data)), 7), by_pillow(data))


def test_grey_jpeg_gives_the_pixels_that_pillow_gives(tmp_path: Path) -> None:
    for options in ({}, {"progressive": True}):
        data = jpeg_of(smooth(33, 21)[..., 0], **options)
        assert_same(decode(JpegDecoder(put(tmp_path, data)), 5), by_pillow(data))


def test_rgb_jpeg_gives_the_pixels_that_pillow_gives(tmp_path: Path) -> None:
    """Colours that are not stored as YCbCr."""
    data = jpeg_of(smooth(33, 21), keep_rgb=True, subsampling=0)
    assert_same(decode(JpegDecoder(put(tmp_path, data)), 5), by_pillow(data))


def test_jpeg_says_how_it_is_stored(tmp_path: Path) -> None:
    for subsampling, number in (("4:4:4", 0), ("4:2:2", 1), ("4:2:0", 2)):
        for progressive in (False, True):
            data = jpeg_of(
                smooth(9, 9), quality=37, subsampling=subsampling, progressive=progressive
            )
            options = JpegDecoder(put(tmp_path, data)).storage.options
            with Image.open(io.BytesIO(data)) as image:
                assert isinstance(image, JpegImagePlugin.JpegImageFile)
                assert JpegImagePlugin.get_sampling(image) == number
                assert options["tables"] == [image.quantization[0], image.quantization[1]]
            assert options["subsampling"] == subsampling
            assert options["progressive"] == progressive
            again = jpeg_of(smooth(9, 9), qtables=options["tables"], subsampling=subsampling)
            assert JpegDecoder(put(tmp_path, again)).storage.options["tables"] == options["tables"]
    assert (
        "subsampling"
        not in JpegDecoder(put(tmp_path, jpeg_of(smooth(9, 9)[..., 0]))).storage.options
    )


def pixels_at(data: bytes) -> int:
    """Where the data of the first scan begins."""
    at = data.index(b"\xff\xda")
    return at + 2 + struct.unpack_from(">H", data, at + 2)[0]


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"restart_marker_rows": 1}])
def test_damaged_jpeg_raises(options: dict, tmp_path: Path) -> None:
    data = jpeg_of(smooth(64, 48), **options)
    start = pixels_at(data)
    middle = (start + len(data)) // 2
    cases = [data[:at] for at in (len(data) // 4, len(data) // 2, middle, len(data) - 30)]
    cases += [data[:middle] + data[middle + 40 :], data[:middle] + b"\xff\xd9"]
    if "restart_marker_rows" in options:
        cases.append(data.replace(b"\xff\xd1", b"\xff\xd4", 1))
    for case in cases:
        with pytest.raises(ValueError, match=r"[Cc]orrupt|[Pp]remature|cut"):
            decode(JpegDecoder(put(tmp_path, case)))


def segment(marker: int, data: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data


def copies(monkeypatch: pytest.MonkeyPatch, folder: Path) -> Callable[[], list[Path]]:
    """What lists the temporary copies."""
    (folder / "copies").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder / "copies"))
    return lambda: list((folder / "copies").iterdir())


def test_rubbish_in_a_jpegs_header_does_not_hide_what_follows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """libjpeg tells of its first trouble only."""
    left = copies(monkeypatch, tmp_path)
    data = jpeg_of(smooth(64, 48), comment=b"a comment")
    tables = data.index(b"\xff\xdb")
    rubbish = data[:tables] + b"\0\0\0" + data[tables:]
    decoder = JpegDecoder(put(tmp_path, rubbish))
    first = decoder.rows(0, 7)
    assert len(left()) == 1
    rest = decoder.rows(7, 64)
    decoder.close()
    assert_same(np.concatenate([first, rest]), by_pillow(data))
    with pytest.raises(ValueError, match="Premature end"):
        decode(JpegDecoder(put(tmp_path, rubbish[: len(rubbish) * 3 // 4])))
    assert not left()


@pytest.mark.parametrize(
    "said",
    [
        segment(0xE1, b'http://ns.adobe.com/xap/1.0/\0<x hdrgm:Version="1.0"/>'),
        segment(0xE2, b"urn:iso:std:iso:ts:21496:-1\0\0\0\0\0"),
    ],
)
def test_jpeg_with_a_gain_map_is_never_decoded_as_hdr(
    said: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenImageIO would, whole and when it opens the file: it must see a copy alone."""
    left = copies(monkeypatch, tmp_path)
    opened, seen = RowDecoder._opened, []

    def spy(self: RowDecoder, path: str) -> OpenImageIO.ImageInput:
        seen.append(Path(path).parent)
        return opened(self, path)

    monkeypatch.setattr(RowDecoder, "_opened", spy)
    data = jpeg_of(smooth(64, 48))
    behind = data[:2] + said + data[2:] + jpeg_of(smooth(16, 12))
    assert_same(decode(JpegDecoder(put(tmp_path, behind))), by_pillow(data))
    assert seen == [tmp_path / "copies"]
    assert not left()


def test_jpegs_of_other_kinds_are_refused(tmp_path: Path) -> None:
    data = bytearray(jpeg_of(smooth(9, 9)))
    data[data.index(b"\xff\xc0") + 4] = 12
    cmyk = jpeg_of(Image.new("CMYK", (8, 8)))
    for case, what in ((data, "3 channels of 12 bits"), (cmyk, "4 channels of 8 bits")):
        with pytest.raises(ImageReadError, match=what):
            JpegDecoder(put(tmp_path, bytes(case)))


def test_what_is_held_of_a_picture_is_counted(tmp_path: Path) -> None:
    """Progressive JPEG and interlaced PNG cannot be read by rows alone."""
    picture = smooth(256, 192)
    plain = JpegDecoder(put(tmp_path, jpeg_of(picture))).memory
    for subsampling, samples in (("4:4:4", 3), ("4:2:0", 1.5)):
        data = jpeg_of(picture, subsampling=subsampling, progressive=True)
        assert JpegDecoder(put(tmp_path, data)).memory - plain == samples * 256 * 192 * 2
    rows = PngDecoder(put(tmp_path, png_of(picture, 8, 2))).memory
    whole = PngDecoder(put(tmp_path, png_of(picture, 8, 2, interlaced=True))).memory
    assert whole - rows == picture.nbytes


# OpenEXR by hand.

FLOATS = RNG.normal(0, 9, (37, 29, 5)).astype(np.float32)
FLOATS[0, :4, 0] = np.inf, -np.inf, -0.0, 1e-40
NAMES = {1: ("Y",), 2: ("Y", "A"), 3: ("R", "G", "B"), 4: ("R", "G", "B", "A")}
TYPES = {"f2": 1, "f4": 2, "u4": 0}


def attribute(name: bytes, kind: bytes, value: bytes) -> bytes:
    return name + b"\0" + kind + b"\0" + struct.pack("<I", len(value)) + value


def squeezed(raw: bytes) -> bytes:
    """OpenEXR's ZIP: even bytes, odd bytes, differences, deflated, if that is shorter."""
    data = np.frombuffer(raw, np.uint8)
    data = np.concatenate([data[::2], data[1::2]])
    data[1:] = np.diff(data.astype(np.int16)) + 128
    packed = zlib.compress(data.tobytes())
    return packed if len(packed) < len(raw) else raw


def exr_of(
    planes: dict[str, np.ndarray], *, packed: bool = False, origin: tuple[int, int] = (0, 0),
    tile: tuple[int, int] | None = None, flags: int = 0, sampling: int = 1, more: bytes = b"",
) -> bytes:  # fmt: skip
    """An OpenEXR file of planes by name, in rows or in tiles (height, width)."""
    names = sorted(planes)
    height, width = planes[names[0]].shape
    (x, y), box = origin, "<4i"
    channels = b"".join(
        name.encode() + b"\0"
        + struct.pack("<IIII", TYPES[planes[name].dtype.str[1:]], 0, sampling, sampling)
        for name in names
    )  # fmt: skip
    window = struct.pack(box, x, y, x + width - 1, y + height - 1)
    header = b"\x76\x2f\x31\x01" + struct.pack("<I", 2 | flags | (0x200 if tile else 0))
    header += attribute(b"channels", b"chlist", channels + b"\0")
    header += attribute(b"compression", b"compression", b"\3" if packed else b"\0")
    header += attribute(b"dataWindow", b"box2i", window)
    header += attribute(b"displayWindow", b"box2i", struct.pack(box, 0, 0, 99, 99))
    header += attribute(b"lineOrder", b"lineOrder", b"\0")
    header += attribute(b"pixelAspectRatio", b"float", struct.pack("<f", 1))
    header += attribute(b"screenWindowCenter", b"v2f", bytes(8))
    header += attribute(b"screenWindowWidth", b"float", struct.pack("<f", 1))
    if tile:
        header += attribute(b"tiles", b"tiledesc", struct.pack("<IIB", tile[1], tile[0], 0))
    header += more + b"\0"
    chunks = []
    down, across = tile or (16 if packed else 1, width)
    for top in range(0, height, down):
        for left in range(0, width, across):
            rows = range(top, min(top + down, height))
            parts = [planes[name][row, left : left + across] for row in rows for name in names]
            raw = b"".join(part.tobytes() for part in parts)
            data = squeezed(raw) if packed else raw
            where = (left // across, top // down, 0, 0) if tile else (y + top,)
            chunks.append(struct.pack(f"<{len(where)}iI", *where, len(data)) + data)
    starts = np.cumsum([len(header) + 8 * len(chunks), *map(len, chunks)])[:-1]
    return header + starts.astype("<u8").tobytes() + b"".join(chunks)


def planes_of(array: np.ndarray, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    return {name: np.ascontiguousarray(array[..., n]) for n, name in enumerate(names)}


@pytest.mark.parametrize("tile", [None, (16, 8), (64, 64)])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("dtype", ["f2", "f4"])
@pytest.mark.parametrize("channels", NAMES)
def test_exr_gives_exact_pixels(
    channels: int, dtype: str, packed: bool, tile: tuple[int, int] | None, tmp_path: Path
) -> None:
    array = FLOATS[..., :channels].astype(dtype)
    planes = planes_of(array, NAMES[channels])
    data = exr_of(planes, packed=packed, tile=tile, origin=(-3, 11))
    for step in (1, 5, 16, 1000):
        decoder = ExrDecoder(put(tmp_path, data))
        assert_same(decode(decoder, step), array)
    layout, options = decoder.layout, decoder.storage.options
    assert layout.colour == ("grey" if channels < 3 else "rgb")
    assert layout.alpha == ("associated" if channels in (2, 4) else "")
    assert options["compression"] == ("zip" if packed else "none")
    assert (options["origin"], options.get("tile")) == ((-3, 11), tile)


@pytest.mark.parametrize(
    "compression",
    [
        "none",
        "rle",
        "zips",
        "zip",
        "piz",
        "pxr24",
        "b44",
        "b44a",
        "dwaa",
        "dwab",
        "htj2k32",
        "htj2k256",
    ],
)
def test_exr_of_every_compression_is_read_in_any_steps(compression: str, tmp_path: Path) -> None:
    path, array = str(tmp_path / "in.exr"), np.repeat(FLOATS[..., :3], 8, axis=0)
    spec = OpenImageIO.ImageSpec(array.shape[1], array.shape[0], 3, "half")
    spec.attribute("compression", compression)
    output = OpenImageIO.ImageOutput.create(path)
    assert output.open(path, spec)
    assert output.write_image(array)
    output.close()
    whole = OpenImageIO.ImageInput.open(path).read_image("half")
    for step in (7, 64):
        decoder = ExrDecoder(path)
        assert decoder.storage.options["compression"] == compression
        assert_same(decode(decoder, step), whole)


def test_exr_channels_of_other_names_are_bands_in_the_files_order(tmp_path: Path) -> None:
    planes = {"b.R": FLOATS[..., 0], "b.G": FLOATS[..., 1], "Z": FLOATS[..., 2].astype("f2")}
    planes = {name: np.ascontiguousarray(plane) for name, plane in planes.items()}
    for tile in (None, (8, 8)):
        decoder = ExrDecoder(put(tmp_path, exr_of(planes, tile=tile)))
        names = decoder.storage.options["channels"]
        assert (decoder.layout.colour, names) == ("bands", ("Z", "b.G", "b.R"))
        expected = np.dstack([planes[name].astype(np.float32) for name in names])
        assert_same(decode(decoder), expected)


def test_exr_header_is_carried(tmp_path: Path) -> None:
    more = attribute(b"chromaticities", b"chromaticities", bytes(range(32)))
    data = exr_of(planes_of(FLOATS[..., :3], NAMES[3]), more=more, tile=(8, 8))
    native = dict(ExrDecoder(put(tmp_path, data)).metadata.native)
    assert native[b"chromaticities\0chromaticities"] == bytes(range(32))
    assert native[b"displayWindow\0box2i"] == struct.pack("<4i", 0, 0, 99, 99)
    assert not {name.split(b"\0")[0] for name in native} & {
        b"channels", b"compression", b"dataWindow", b"lineOrder", b"tiles",
    }  # fmt: skip


def test_first_part_of_an_exr_is_read_with_a_warning(tmp_path: Path) -> None:
    path, arrays = str(tmp_path / "in.exr"), (FLOATS[..., :3], FLOATS[..., 3:4])
    specs = [OpenImageIO.ImageSpec(29, 37, array.shape[2], "float") for array in arrays]
    for name, spec in zip("ab", specs, strict=True):
        spec.attribute("oiio:subimagename", name)
    output = OpenImageIO.ImageOutput.create(path)
    output.open(path, specs)
    output.write_image(np.ascontiguousarray(arrays[0]))
    output.open(path, specs[1], "AppendSubimage")
    output.write_image(np.ascontiguousarray(arrays[1]))
    output.close()
    with pytest.warns(SvfilterWarning, match="holds 2 parts"):
        decoder = ExrDecoder(path)
    assert_same(decode(decoder), arrays[0])


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"flags": 0x800}, "deep pixels"),
        ({"sampling": 2}, "fewer samples in its channel Y"),
        ({"dtype": "u4"}, "32-bit integers in its channel Y"),
    ],
)
def test_exrs_of_other_kinds_are_refused(options: dict, what: str, tmp_path: Path) -> None:
    array = np.ones((8, 8), options.pop("dtype", "f4"))
    with pytest.raises(ImageReadError, match=what):
        ExrDecoder(put(tmp_path, exr_of({"Y": array}, **options)))


@pytest.mark.parametrize("tile", [None, (16, 8)])
@pytest.mark.parametrize("packed", [False, True])
def test_truncated_exr_raises(packed: bool, tile: tuple[int, int] | None, tmp_path: Path) -> None:
    data = exr_of(planes_of(FLOATS[..., :3], NAMES[3]), packed=packed, tile=tile)
    for end in (100, len(data) // 4, len(data) // 2, len(data) * 3 // 4, len(data) - 1):
        with pytest.raises((ValueError, EOFError, struct.error)):
            decode(ExrDecoder(put(tmp_path, data[:end])))


# Damage of any kind.

CHILD = """
import sys, warnings
from pathlib import Path
from svfilter.images.decoders.exr import ExrDecoder
from svfilter.images.decoders.scanlines import JpegDecoder, PngDecoder
warnings.simplefilter("ignore")
kinds = {"png": PngDecoder, "jpeg": JpegDecoder, "exr": ExrDecoder}
for path in sorted(Path(sys.argv[1]).iterdir()):
    try:
        decoder = kinds[path.name.split("-")[0]](str(path))
        layout = decoder.layout
        if layout.height * layout.row_bytes < 10**6:
            rows = decoder.rows(0, layout.height)
            assert rows.shape == (layout.height, layout.width, layout.channels), path
            assert rows.dtype == layout.dtype
            print("rows", path.name)
        decoder.close()
    except AssertionError:
        raise
    except Exception as error:
        print("raised", path.name, type(error).__name__)
"""


def test_damaged_bytes_give_rows_or_exceptions_but_never_a_crash(tmp_path: Path) -> None:
    rng = np.random.default_rng(23)
    planes = planes_of(FLOATS[..., :3].astype("f2"), NAMES[3])
    picture, indices = smooth(40, 48), BYTES[..., 0] >> 4
    whole = {
        "png": png_of(BYTES, 8, 6, split=64),
        "png-palette": png_of(indices, 4, 3, interlaced=True, PLTE=PALETTE[:16].tobytes()),
        "jpeg": jpeg_of(picture),
        "jpeg-progressive": jpeg_of(picture, progressive=True),
        "exr": exr_of(planes),
        "exr-zip": exr_of(planes, packed=True),
        "exr-tiles": exr_of(planes, packed=True, tile=(8, 8)),
    }
    for name, data in whole.items():
        for n in range(60):
            damaged = bytearray(data)
            for _ in range(rng.integers(1, 5)):
                end = rng.choice([min(400, len(data)), len(data)])
                damaged[rng.integers(end)] = rng.integers(256)
            put(tmp_path, bytes(damaged), f"{name}-{n}")
    command = [sys.executable, "-c", CHILD, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    said = done.stdout.splitlines()
    assert sum(line.startswith("raised") for line in said) > 100
    assert sum(line.startswith("rows") for line in said) > 20
