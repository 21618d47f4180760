"""What is decoded whole, by files made by hand and by other readers; exact, or an exception."""

from __future__ import annotations

import io
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from svfilter.errors import ImageReadError, SvfilterWarning
from svfilter.images.decoders.base import Decoder
from svfilter.images.decoders.jxl import JxlDecoder
from svfilter.images.decoders.scanlines import JpegDecoder
from svfilter.images.decoders.whole import WholeDecoder, decoder_for_jpeg

imagecodecs = pytest.importorskip("imagecodecs")

RNG = np.random.default_rng(19)
H, W = 9, 13
RGBA = RNG.integers(0, 256, (H, W, 4), dtype=np.uint8)
RGB, GREY = RGBA[..., :3].copy(), RGBA[..., 0].copy()
WORDS = RNG.integers(0, 65536, (H, W, 4), dtype=np.uint16)
PALETTE = RNG.integers(0, 256, (256, 3), dtype=np.uint8)
SMOOTH = np.clip(np.cumsum(RNG.integers(-9, 10, (40, 48, 4)), 0) + 128, 0, 255).astype(np.uint8)


def put(folder: Path, data: bytes, name: str = "in") -> str:
    (folder / name).write_bytes(data)
    return str(folder / name)


def decode(decoder: Decoder, step: int = 4) -> np.ndarray:
    """All rows, the last ones first."""
    layout = decoder.layout
    starts = range(0, layout.height, step)
    ends = {start: min(start + step, layout.height) for start in starts}
    try:
        rows = {start: decoder.rows(start, ends[start]) for start in reversed(starts)}
    finally:
        decoder.close()
    array = np.concatenate([rows[start] for start in starts])
    assert array.shape == (layout.height, layout.width, layout.channels)
    assert array.dtype == layout.dtype
    return array


def assert_same(actual: np.ndarray, expected: np.ndarray) -> None:
    assert actual.dtype == expected.dtype
    np.testing.assert_array_equal(actual, expected.reshape(actual.shape))


def pil(array: np.ndarray | Image.Image, format: str, **options) -> bytes:
    file = io.BytesIO()
    image = array if isinstance(array, Image.Image) else Image.fromarray(array)
    image.save(file, format, **options)
    return file.getvalue()


def bmp(rows: list[bytes], bits: int, colours: bytes = b"", packing: int = 0) -> bytes:
    """A BMP of H x W pixels by hand; its rows, from the bottom, take 4 bytes or some times that."""
    pixels = b"".join(row + bytes(-len(row) % 4) for row in rows[::-1])
    start = 14 + 40 + len(colours)
    head = b"BM" + struct.pack("<IHHI", start + len(pixels), 0, 0, start)
    how = struct.pack("<IiiHHIIiiII", 40, W, H, 1, bits, packing, len(pixels), 2835, 5669, 0, 0)
    return head + how + colours + pixels


def indexed(array: np.ndarray) -> Image.Image:
    image = Image.fromarray(array).convert("P")
    image.putpalette(PALETTE.tobytes())
    return image


FIVES = RNG.integers(0, 32, (H, W, 3), dtype=np.uint16)
PACKED = (FIVES[..., 0] << 10 | FIVES[..., 1] << 5 | FIVES[..., 2]).astype("<u2")
COLOURS = b"".join(bytes(rgb[::-1]) + b"\0" for rgb in PALETTE)
GREYS = bytes(
    np.repeat(np.arange(256, dtype=np.uint8), 4) * np.tile([1, 1, 1, 0], 256).astype("u1")
)

READS: dict[str, tuple[bytes, np.ndarray]] = {
    "bmp-rgb": (bmp([row[:, ::-1].tobytes() for row in RGB], 24), RGB),
    "bmp-palette": (bmp([row.tobytes() for row in GREY], 8, COLOURS), PALETTE[GREY]),
    "bmp-palette-4": (
        bmp([np.packbits(np.unpackbits(row[:, None], axis=1)[:, 4:]).tobytes() for row in GREY], 4,
            COLOURS[:64]),
        PALETTE[GREY & 15],
    ),
    "bmp-grey": (bmp([row.tobytes() for row in GREY], 8, GREYS), GREY),
    "bmp-bits": (
        bmp([np.packbits(row > 99).tobytes() for row in GREY], 1, bytes(4) + b"\xff\xff\xff\0"),
        np.where(GREY > 99, 255, 0).astype(np.uint8),
    ),
    "bmp-16": (bmp([row.tobytes() for row in PACKED], 16), (FIVES * 255 // 31).astype(np.uint8)),
    "webp": (data := pil(SMOOTH[..., :3], "WEBP"), imagecodecs.webp_decode(data)[..., :3]),
    "webp-lossless": (pil(RGB, "WEBP", lossless=True), RGB),
    "webp-alpha": (pil(RGBA, "WEBP", lossless=True, exact=True), RGBA),
    "gif": (pil(indexed(GREY), "GIF"), PALETTE[GREY]),
    "gif-interlaced": (pil(indexed(GREY), "GIF", interlace=1), PALETTE[GREY]),
    "gif-grey": (pil(GREY, "GIF"), np.dstack([GREY] * 3)),
    "gif-key": (
        pil(indexed(GREY), "GIF", transparency=int(GREY[0, 0])),
        np.dstack([PALETTE[GREY], np.where(GREY[0, 0] == GREY, 0, 255).astype(np.uint8)]),
    ),
    "avif": (data := pil(SMOOTH[..., :3], "AVIF"), imagecodecs.avif_decode(data)),
    "avif-alpha": (data := pil(SMOOTH, "AVIF"), imagecodecs.avif_decode(data)),
}  # fmt: skip
for bits in (10, 12):
    stored = imagecodecs.avif_encode(WORDS[..., :3] >> (16 - bits), level=100, bitspersample=bits)
    values = imagecodecs.avif_decode(stored).astype(float)
    READS[f"avif-{bits}"] = stored, np.rint(values * 65535 / (2**bits - 1)).astype(np.uint16)


@pytest.mark.parametrize("case", READS)
def test_whole_decoder_gives_exact_pixels(case: str, tmp_path: Path) -> None:
    data, expected = READS[case]
    for step in (1, 4, 1000):
        decoder = WholeDecoder(put(tmp_path, data))
        assert_same(decode(decoder, step), expected)
    layout = decoder.layout
    assert layout.alpha == ("straight" if layout.channels in (2, 4) else "")
    assert layout.colour == ("grey" if layout.channels < 3 else "rgb")
    assert decoder.storage.format == case.split("-", maxsplit=1)[0]


def test_first_picture_of_an_animation_is_read_with_a_warning(tmp_path: Path) -> None:
    frames = [indexed(GREY), indexed(255 - GREY)]
    for format, expected in (("GIF", PALETTE[GREY]), ("WEBP", PALETTE[GREY])):
        data = pil(frames[0], format, save_all=True, append_images=frames[1:], lossless=True)
        with pytest.warns(SvfilterWarning, match="is animated"):
            decoder = WholeDecoder(put(tmp_path, data))
        assert_same(decode(decoder)[..., :3], expected)


@pytest.mark.parametrize("format", ["WEBP", "AVIF"])
def test_metadata_is_carried_upright(format: str, tmp_path: Path) -> None:
    tags = Image.Exif()
    tags[272], tags[274] = "Camera", 6
    packet = b'<x:xmpmeta xmlns:x="adobe:ns:meta/"></x:xmpmeta>'
    data = pil(RGB, format, exif=tags.tobytes(), icc_profile=b"profile", xmp=packet)
    decoder = WholeDecoder(put(tmp_path, data))
    metadata = decoder.metadata
    decoder.close()
    assert (decoder.orientation, decoder.layout.height) == (6, H)
    assert (metadata.icc_profile, metadata.xmp) == (b"profile", packet)
    assert metadata.exif is not None
    assert metadata.exif[:4] in (b"II*\0", b"MM\0*")
    found = Image.Exif()
    found.load(metadata.exif)
    assert (found[272], found[274]) == ("Camera", 1)


def test_resolution_and_comment_are_carried(tmp_path: Path) -> None:
    decoder = WholeDecoder(put(tmp_path, READS["bmp-rgb"][0]))
    assert decoder.metadata.dpi == pytest.approx((72, 144), abs=0.01)
    decoder.close()
    decoder = WholeDecoder(put(tmp_path, pil(GREY, "GIF", comment=b"made by h\xe4nd")))
    assert decoder.metadata.comments == ("made by händ",)
    decoder.close()


@pytest.mark.parametrize("lossless", [False, True])
@pytest.mark.parametrize("icc_profile", [b"", b"odd"])
def test_webp_says_whether_it_is_lossless(
    lossless: bool, icc_profile: bytes, tmp_path: Path
) -> None:
    data = pil(RGB, "WEBP", lossless=lossless, icc_profile=icc_profile)
    decoder = WholeDecoder(put(tmp_path, data))
    decoder.close()
    assert decoder.storage.options == {"lossless": lossless}


def test_limits_of_pillow_are_lifted_and_put_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    for case in ("webp-lossless", "gif", "bmp-rgb"):
        data, expected = READS[case]
        assert_same(decode(WholeDecoder(put(tmp_path, data)), 1000), expected)
    assert Image.MAX_IMAGE_PIXELS == 10


def test_nothing_is_decoded_before_rows_are_asked_for(tmp_path: Path) -> None:
    decoder = WholeDecoder(put(tmp_path, READS["bmp-rgb"][0][:200]))
    assert (decoder.layout.height, decoder.layout.width) == (H, W)
    with pytest.raises(OSError, match="truncated"):
        decoder.rows(0, 1)
    decoder.close()


def test_colours_stated_by_numbers_alone_are_warned_of(tmp_path: Path) -> None:
    data = imagecodecs.avif_encode(SMOOTH[..., :3], primaries=9, transfer=16)
    with pytest.warns(SvfilterWarning, match="primaries 9, transfer 16"):
        WholeDecoder(put(tmp_path, data)).close()


# CMYK.


@pytest.mark.parametrize("options", [{}, {"progressive": True}])
def test_cmyk_jpeg_has_255_for_full_ink(options: dict, tmp_path: Path) -> None:
    ink = np.repeat(np.repeat(RGBA[:5, :6], 8, 0), 8, 1)
    data = pil(Image.fromarray(ink, "CMYK"), "JPEG", quality=100, **options)
    decoder = decoder_for_jpeg(put(tmp_path, data))
    assert isinstance(decoder, WholeDecoder)
    assert (decoder.layout.colour, decoder.layout.alpha) == ("cmyk", "")
    got = decode(decoder)
    assert_same(got, 255 - imagecodecs.jpeg8_decode(data, outcolorspace="CMYK"))
    assert np.abs(got.astype(int) - ink).max() < 5
    assert decoder.storage.format == "jpeg"
    with Image.open(io.BytesIO(data)) as image:
        assert decoder.storage.options["tables"] == list(image.quantization.values())


def test_other_jpegs_are_decoded_by_rows(tmp_path: Path) -> None:
    for array in (RGB, GREY):
        assert isinstance(decoder_for_jpeg(put(tmp_path, pil(array, "JPEG"))), JpegDecoder)


# Packages that may be missing.


@pytest.mark.parametrize(
    ("head", "package", "install"),
    [
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "pillow_heif", "pillow-heif"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "pillow_heif", "pillow-heif"),
        (b"II*\0\x10\0\0\0CR\2\0", "rawpy", "rawpy"),
        (b"\0\0\0\x18ftypcrx \0\0\0\1crx isom", "rawpy", "rawpy"),
        (b"FUJIFILMCCD-RAW 0201", "rawpy", "rawpy"),
    ],
)
def test_missing_packages_are_named(
    head: bytes, package: str, install: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImageReadError, match=f"which needs .* pip install {install}$"):
        WholeDecoder(put(tmp_path, head + bytes(99)))


@pytest.mark.parametrize(
    "data", [b"some words\n", b"\0" * 50, b"<svg></svg>", b"\0\0\0\x18ftypisom"]
)
def test_what_is_no_image_is_refused(data: bytes, tmp_path: Path) -> None:
    with pytest.raises(ImageReadError, match="is not an image that can be read; the formats are"):
        WholeDecoder(put(tmp_path, data))


@pytest.mark.parametrize("bits", [8, 10, 12])
def test_heic_is_read_at_its_depth(bits: int, tmp_path: Path) -> None:
    pillow_heif = pytest.importorskip("pillow_heif")
    stored = SMOOTH[..., :3] if bits == 8 else SMOOTH[..., :3].astype("<u2") << 8
    pillow_heif.options.SAVE_HDR_TO_12_BIT = bits == 12
    file = io.BytesIO()
    mode = "RGB" if bits == 8 else "RGB;16"
    picture = pillow_heif.from_bytes(mode, (48, 40), stored.tobytes())
    picture.save(file, quality=-1, chroma=444)
    got = decode(WholeDecoder(put(tmp_path, file.getvalue())))
    assert got.dtype == ("u1" if bits == 8 else "u2")
    scale = 1 if bits == 8 else 257
    assert np.abs(got / scale - SMOOTH[..., :3]).max() < 4


@pytest.mark.parametrize(("orientation", "shape"), [(1, (64, 96)), (3, (64, 96)), (6, (96, 64))])
def test_camera_raw_is_developed_to_16_bits(
    orientation: int, shape: tuple[int, int], tmp_path: Path
) -> None:
    pytest.importorskip("rawpy")
    tifffile = pytest.importorskip("tifffile")
    path = str(tmp_path / "in.dng")
    values = np.full((64, 96), 9000, np.uint16)
    tags = [
        (50706, 1, 4, b"\1\4\0\0", True), (50708, 2, 6, b"Model\0", True),
        (33421, 3, 2, (2, 2), True), (33422, 1, 4, b"\0\1\1\2", True), (50717, 4, 1, 16383, True),
        (50721, 10, 9, (1, 1, 0, 1, 0, 1, 0, 1, 1, 1, 0, 1, 0, 1, 0, 1, 1, 1), True),
        (50728, 5, 3, (1, 1, 1, 1, 1, 1), True), (50778, 3, 1, 21, True),
        (274, 3, 1, orientation, True),
    ]  # fmt: skip
    tifffile.imwrite(path, values, photometric=32803, extratags=tags, metadata=None)
    with pytest.warns(SvfilterWarning, match="camera's raw file"):
        decoder = WholeDecoder(path)
    got = decode(decoder)
    assert (got.shape, got.dtype) == ((*shape, 3), np.uint16)
    assert got.min() > 30000


# JPEG XL.

XLS = {
    "grey": GREY, "grey-alpha": RGBA[..., :2], "rgb": RGB, "rgb-alpha": RGBA,
    "grey-16": WORDS[..., 0], "rgb-16": WORDS[..., :3], "rgb-16-alpha": WORDS,
    "rgb-half": (RGB / 255).astype(np.float16), "rgb-float": (WORDS[..., :3] / 65535).astype("f4"),
}  # fmt: skip


@pytest.mark.parametrize("case", XLS)
def test_jpeg_xl_gives_exact_pixels(case: str, tmp_path: Path) -> None:
    expected = np.ascontiguousarray(XLS[case])
    decoder = JxlDecoder(put(tmp_path, imagecodecs.jpegxl_encode(expected, lossless=True)))
    layout = decoder.layout
    assert (layout.colour, layout.alpha) == (
        case.split("-", maxsplit=1)[0],
        "straight" * ("alpha" in case),
    )
    assert decoder.metadata.icc_profile is not None
    assert_same(decode(decoder), expected)


@pytest.mark.parametrize("size", [(8, 8), (256, 256), (30, 40), (9, 16), (300, 5), (1, 600)])
def test_jpeg_xl_of_any_size_is_read(size: tuple[int, int], tmp_path: Path) -> None:
    array = RNG.integers(0, 256, (*size, 3), dtype=np.uint8)
    data = imagecodecs.jpegxl_encode(array, lossless=True)
    assert_same(decode(JxlDecoder(put(tmp_path, data))), array)


@pytest.mark.parametrize("bits", [10, 12])
def test_jpeg_xl_of_other_depths_is_scaled(bits: int, tmp_path: Path) -> None:
    stored = WORDS[..., :3] >> (16 - bits)
    data = imagecodecs.jpegxl_encode(stored, lossless=True, bitspersample=bits)
    expected = np.rint(stored * (65535 / (2**bits - 1))).astype(np.uint16)
    assert_same(decode(JxlDecoder(put(tmp_path, data))), expected)


def test_lossy_jpeg_xl_is_read_as_others_do(tmp_path: Path) -> None:
    data = imagecodecs.jpegxl_encode(SMOOTH[..., :3], lossless=False)
    got = decode(JxlDecoder(put(tmp_path, data))).astype(int)
    assert np.abs(got - imagecodecs.jpegxl_decode(data)).max() <= 1


def test_metadata_of_a_jpeg_xl_is_carried(tmp_path: Path) -> None:
    stream = imagecodecs.jpegxl_encode(RGB, lossless=True, usecontainer=False)
    tags = Image.Exif()
    tags[272], tags[274] = "Camera", 6

    def box(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I4s", 8 + len(data), kind) + data

    data = box(b"JXL ", b"\r\n\x87\n") + box(b"ftyp", b"jxl \0\0\0\0jxl ")
    data += box(b"Exif", bytes(4) + tags.tobytes()[6:]) + box(b"xml ", b"<x/>")
    data += box(b"jxlc", stream)
    decoder = JxlDecoder(put(tmp_path, data))
    assert decoder.orientation == 1
    assert decoder.metadata.xmp == b"<x/>"
    found = Image.Exif()
    found.load(decoder.metadata.exif)
    assert (found[272], found[274]) == ("Camera", 1)
    assert_same(decode(decoder), RGB)


@pytest.mark.parametrize("name", ["a.jxl", "a.JXL", "a.jpg", "a.png", "a.exr", "a"])
def test_jpeg_xl_of_any_name_is_read(name: str, tmp_path: Path) -> None:
    path = put(tmp_path, imagecodecs.jpegxl_encode(RGB, lossless=True), name)
    assert_same(decode(JxlDecoder(path)), RGB)


def test_tiny_jpeg_xl_is_refused(tmp_path: Path) -> None:
    data = imagecodecs.jpegxl_encode(np.zeros((30, 40, 3), np.uint8), lossless=True)
    assert len(data) < 128
    with pytest.raises(ImageReadError, match="fewer than 128 bytes"):
        JxlDecoder(put(tmp_path, data))


def test_animated_jpeg_xl_is_refused(tmp_path: Path) -> None:
    data = imagecodecs.jpegxl_encode(np.stack([RGB, 255 - RGB]), lossless=True)
    with pytest.raises(ImageReadError, match="animated"):
        JxlDecoder(put(tmp_path, data))


def test_jpeg_xl_too_large_to_be_held_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    """30 bits of height - 1, the same of width, and all else as usual."""
    bits = "0" + "11" + f"{2**29:030b}"[::-1] + "000" + "11" + f"{2**29:030b}"[::-1] + "1"
    data = b"\xff\x0a" + int(bits[::-1], 2).to_bytes(20, "little") + bytes(200)
    with pytest.raises(ImageReadError, match="536870913 x 536870913 pixels"):
        JxlDecoder(put(tmp_path, data))


# Damage.

WHOLE = {
    "bmp": pil(SMOOTH[..., :3], "BMP"),
    "gif": pil(Image.fromarray(SMOOTH[..., :3]).quantize(64), "GIF"),
    "webp": pil(SMOOTH[..., :3], "WEBP"),
    "webp-lossless": pil(SMOOTH, "WEBP", lossless=True),
    "avif": pil(SMOOTH, "AVIF"),
    "cmyk": pil(Image.fromarray(SMOOTH, "CMYK"), "JPEG"),
    "jxl": imagecodecs.jpegxl_encode(SMOOTH, lossless=True),
}


@pytest.mark.parametrize("case", WHOLE)
def test_truncated_files_raise(case: str, tmp_path: Path) -> None:
    data = WHOLE[case]
    end = 3 if case == "gif" else 1  # what follows the last pixel
    opened = JxlDecoder if case == "jxl" else WholeDecoder
    for length in (len(data) // 4, len(data) // 2, len(data) * 3 // 4, len(data) - end):
        with pytest.raises((OSError, ValueError, SyntaxError, RuntimeError)):
            decode(opened(put(tmp_path, data[:length])))


CHILD = """
import sys, warnings
from pathlib import Path
from svfilter.images.decoders.jxl import JxlDecoder
from svfilter.images.decoders.whole import WholeDecoder
warnings.simplefilter("ignore")
for path in sorted(Path(sys.argv[1]).iterdir()):
    try:
        decoder = (JxlDecoder if path.name.startswith("jxl") else WholeDecoder)(str(path))
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
    rng = np.random.default_rng(29)
    for name, data in WHOLE.items():
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
    assert sum(line.startswith("raised") for line in said) > 60
    assert sum(line.startswith("rows") for line in said) > 60
