"""Files <-> values, by hand-built files, tifffile and Pillow: exact, or refused by name."""

from __future__ import annotations

import errno
import gc
import io
import os
import stat
import struct
import sys
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from svfilter.errors import ImageReadError, ImageWriteError, InvalidArgument, SvfilterWarning
from svfilter.images import reading
from svfilter.images.alpha import FilterPlanes
from svfilter.images.formats import FORMATS, WORDS
from svfilter.images.reading import ImageReader, open_image
from svfilter.images.writing import create_image

RNG = np.random.default_rng(7)
H, W = 9, 13
RGBA = RNG.integers(0, 256, (H, W, 4), dtype=np.uint8)
RGB, LA, L = RGBA[..., :3].copy(), RGBA[..., :2].copy(), RGBA[..., 0].copy()
DEEP = RNG.integers(0, 65536, (H, W), dtype=np.uint16)
DEEP4 = RNG.integers(0, 65536, (H, W, 4), dtype=np.uint16)
FLOAT = RNG.normal(0, 9, (H, W)).astype(np.float32)
BITS = L > 99
PALETTE = RNG.integers(0, 256, (256, 3), dtype=np.uint8)
BY_MODE = {"L": L, "LA": LA, "RGB": RGB, "RGBA": RGBA, "I;16": DEEP, "F": FLOAT}


# Files by hand.


def png(size: tuple[int, int], bits: int, kind: int, rows: list[bytes], **chunks: bytes) -> bytes:
    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    header = struct.pack(">IIBBBBB", size[1], size[0], bits, kind, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    named = [(b"IHDR", header), *((k.encode(), v) for k, v in chunks.items())]
    named += [(b"IDAT", pixels), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*pair) for pair in named)


def png_of(array: np.ndarray, bits: int = 8, kind: int = 0, **chunks: bytes) -> bytes:
    flat = array.reshape(len(array), -1).astype(">u2")
    planes = np.unpackbits(flat.view(np.uint8).reshape(*flat.shape, 2), axis=2)[..., 16 - bits :]
    rows = [row.tobytes() for row in np.packbits(planes.reshape(len(array), -1), axis=1)]
    return png(array.shape[:2], bits, kind, rows, **chunks)


def ifd(entries: dict, start: int, following: int = 0) -> bytes:
    """One little-endian directory: str, bytes, ints, [(n, d)] or a directory of its own."""
    body, tail, behind = b"", b"", start + 6 + 12 * len(entries)
    for tag, value in sorted(entries.items()):
        here = behind + len(tail)
        if isinstance(value, dict):
            kind, count, data = 4, 1, struct.pack("<I", here)
            tail += ifd(value, here)
        elif isinstance(value, str):
            kind, count, data = 2, len(value) + 1, value.encode() + b"\0"
        elif isinstance(value, bytes):
            kind, count, data = 7, len(value), value
        elif isinstance(value, list):
            kind, count, data = 5, len(value), b"".join(struct.pack("<II", *v) for v in value)
        else:
            values = value if isinstance(value, tuple) else (value,)
            kind, count, data = 3, len(values), struct.pack(f"<{len(values)}H", *values)
        if len(data) > 4:
            data, tail = (
                struct.pack("<I", behind + len(tail)),
                tail + data + b"\0" * (len(data) % 2),
            )
        body += struct.pack("<HHI", tag, kind, count) + data.ljust(4, b"\0")
    return struct.pack("<H", len(entries)) + body + struct.pack("<I", following) + tail


def tiff(pixels: bytes, entries: dict) -> bytes:
    """A TIFF of one strip at 8192; 8-bit grey unless the entries say otherwise."""
    needed = {256: W, 257: H, 258: 8, 259: 1, 262: 1, 273: 8192, 277: 1, 278: H}
    needed |= {279: len(pixels)} | entries
    return (b"II*\0\x08\0\0\0" + ifd(needed, 8)).ljust(8192, b"\0") + pixels


def tf(array: np.ndarray, **options) -> bytes:
    file = io.BytesIO()
    tifffile.imwrite(file, array, metadata=None, **options)
    return file.getvalue()


def pil(array: np.ndarray | Image.Image, format: str, **options) -> bytes:
    file = io.BytesIO()
    image = array if isinstance(array, Image.Image) else Image.fromarray(array)
    image.save(file, format, **options)
    return file.getvalue()


def pnm(head: str, data: bytes) -> bytes:
    return f"{head.format(f'{W} {H}')}\n".encode() + data


def planar(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array.transpose(2, 0, 1))


# Through svfilter.


def values(reader: ImageReader) -> np.ndarray:
    """The values as stored, [H, W] or [H, W, C]."""
    pixels = reader.read(reader.whole).transpose(1, 2, 0)
    if reader.dtype.kind == "u":
        scaled = pixels.astype(np.float64) * np.iinfo(reader.dtype).max
        np.testing.assert_allclose(scaled, np.rint(scaled), atol=0.01)
        pixels = np.rint(scaled).astype(reader.dtype)
    return pixels[..., 0] if reader.channels == 1 else pixels


def put(folder: Path, data: bytes, name: str = "in") -> str:
    (folder / name).write_bytes(data)
    return str(folder / name)


def decode(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def copy(source: str, target: Path | str, **options) -> ImageReader:
    image = open_image(source)
    writer = create_image(str(target), image, inputs=[source], **options)
    writer.write(image.whole, image.read(image.whole))
    writer.close()
    return image


def assert_same(actual: np.ndarray, expected: np.ndarray) -> None:
    assert actual.dtype == expected.dtype
    np.testing.assert_array_equal(actual, expected)


# Reading.

READS: dict[str, tuple[bytes, np.ndarray]] = {
    "png-la": (png_of(LA, 8, 4), LA),
    "png-rgb": (png_of(RGB, 8, 2), RGB),
    "png-rgba": (png_of(RGBA, 8, 6), RGBA),
    "png-deep": (png_of(DEEP, 16), DEEP),
    "png-rgb-key": (
        png_of(RGB, 8, 2, tRNS=RGB[0, 0].astype(">u2").tobytes()),
        np.dstack([RGB, np.where((RGB[0, 0] == RGB).all(2), 0, 255).astype(np.uint8)]),
    ),
    "pbm": (pnm("P4 {}", np.packbits(BITS, axis=1).tobytes()), np.where(BITS, 0, 255).astype("u1")),
    "pgm-deep": (pnm("P5 {} 65535", DEEP.astype(">u2").tobytes()), DEEP),
    "pgm-1023": (
        pnm("P5 {} 1023", (DEEP % 1024).astype(">u2").tobytes()),
        np.rint(DEEP % 1024 / 1023 * 65535).astype(np.uint16),
    ),
    "ppm": (pnm("P6 {} 255", RGB.tobytes()), RGB),
    "pfm-little": (pnm("Pf {} -1.0", FLOAT[::-1].tobytes()), FLOAT),
    "pfm-big": (pnm("Pf {} 1.0", FLOAT[::-1].astype(">f4").tobytes()), FLOAT),
    "bmp-bits": (pil(BITS, "BMP"), np.where(BITS, 255, 0).astype(np.uint8)),
    "bmp-grey": (pil(L, "BMP"), L),
    "bmp-rgb": (pil(RGB, "BMP"), RGB),
    "webp-rgb": (pil(RGB, "WEBP", lossless=True), RGB),
    "webp-rgba": (pil(RGBA, "WEBP", lossless=True, exact=True), RGBA),
    "tiff-palette": (
        tf(L, photometric="palette", colormap=PALETTE.T.astype(np.uint16) * 257),
        PALETTE[L],
    ),
    "tiff-palette-alpha": (
        tiff(LA.tobytes(), {258: (8, 8), 262: 3, 277: 2, 338: 2}
             | {320: tuple(int(v) * 257 for v in PALETTE.T.ravel())}),
        np.dstack([PALETTE[L], LA[..., 1]]),
    ),
    "tiff-white-is-0": (tf(L, photometric="miniswhite"), 255 - L),
    "tiff-bits": (tf(BITS, photometric="minisblack"), np.where(BITS, 255, 0).astype(np.uint8)),
    "tiff-bits-white-is-0": (
        tf(BITS, photometric="miniswhite"), np.where(BITS, 0, 255).astype(np.uint8)
    ),
    "tiff-la": (tf(LA, photometric="minisblack", extrasamples=[2], planarconfig=1), LA),
    "tiff-big": (tf(DEEP, bigtiff=True), DEEP),
    "tiff-tiles": (tf(np.tile(DEEP, (3, 2)), tile=(16, 16)), np.tile(DEEP, (3, 2))),
    "tiff-float-big": (tf(FLOAT, byteorder=">"), FLOAT),
    "tiff-float-zlib": (tf(FLOAT, compression="zlib"), FLOAT),
    "tiff-fill-order": (
        tiff(np.packbits(np.unpackbits(L), bitorder="little").tobytes(), {266: 2}), L
    ),
    "jpeg-grey": (data := pil(L, "JPEG"), np.asarray(Image.open(io.BytesIO(data)))),
    "jpeg-rgb": (data := pil(RGB, "JPEG"), np.asarray(Image.open(io.BytesIO(data)))),
}  # fmt: skip
for bits in (1, 2, 4, 8):
    step, small, some = 255 // (2**bits - 1), L >> (8 - bits), PALETTE[: 2**bits]
    grey = (small * step).astype(np.uint8)
    alpha = np.where(small == small[0, 0], 0, 255).astype(np.uint8)
    key = struct.pack(">H", small[0, 0])
    READS[f"png-grey{bits}"] = png_of(small, bits), grey
    READS[f"png-grey{bits}-key"] = png_of(small, bits, tRNS=key), np.dstack([grey, alpha])
    READS[f"png-palette{bits}"] = png_of(small, bits, 3, PLTE=some.tobytes()), some[small]
    for kind, table in {"one": np.array([255, 0]), "many": PALETTE[: 2**bits, 1]}.items():
        full = np.full(2**bits, 255, np.uint8)
        full[: len(table)] = table
        READS[f"png-palette{bits}-{kind}"] = (
            png_of(small, bits, 3, PLTE=some.tobytes(), tRNS=table.astype(np.uint8).tobytes()),
            np.dstack([some[small], full[small]]),
        )
for order in "<>":
    for packed in (None, "zlib"):
        how = {"byteorder": order, "compression": packed}
        READS[f"tiff-deep-{order}{packed}"] = tf(DEEP, **how), DEEP
        READS[f"tiff-rgb-{order}{packed}"] = tf(RGB, photometric="rgb", **how), RGB
        READS[f"tiff-planes-{order}{packed}"] = (
            tf(planar(RGBA), photometric="rgb", planarconfig=2, extrasamples=[2], **how), RGBA
        )  # fmt: skip
indexed = Image.fromarray(L).convert("P")
indexed.putpalette(PALETTE.tobytes())
READS["gif"] = pil(indexed, "GIF"), PALETTE[L]
READS["gif-key"] = (
    pil(indexed, "GIF", transparency=int(L[0, 0])),
    np.dstack([PALETTE[L], np.where(L[0, 0] == L, 0, 255).astype(np.uint8)]),
)


@pytest.mark.parametrize("case", READS)
def test_open_image_gives_exact_values(case: str, tmp_path: Path) -> None:
    data, expected = READS[case]
    assert_same(values(open_image(put(tmp_path, data))), expected)


def test_associated_alpha_is_divided_out(tmp_path: Path) -> None:
    alpha = np.maximum(RGBA[..., 3:], 1)
    stored = np.dstack([RGB.astype(int) * alpha // 255, alpha]).astype(np.uint8)
    data = tf(stored, photometric="rgb", extrasamples=[1])
    got = values(open_image(put(tmp_path, data))).astype(int)
    assert (got[..., 3:] == alpha).all()
    assert (np.abs(got[..., :3] - stored[..., :3] * 255.0 / alpha) <= 1).all()


# Refused, because Pillow would change the values.

REFUSED = {
    "png-rgb16": png_of(DEEP4[..., :3], 16, 2),
    "png-rgba16": png_of(DEEP4, 16, 6),
    "png-la16": png_of(DEEP4[..., :2], 16, 4),
    "png-deep-key": png_of(DEEP, 16, tRNS=b"\0\1"),
    "ppm-deep": pnm("P6 {} 65535", DEEP4[..., :3].astype(">u2").tobytes()),
    "ppm-1023": pnm("P6 {} 1023", (DEEP4[..., :3] % 1024).astype(">u2").tobytes()),
    "pfm-rgb": pnm("PF {} -1.0", FLOAT.tobytes() * 3),
    "jpeg-cmyk": pil(Image.fromarray(RGB).convert("CMYK"), "JPEG"),
    "tiff-cmyk": tf(RGBA, photometric="separated"),
    "tiff-12-bit": tiff(bytes(W * H * 3 // 2 + H), {258: 12}),
    "tiff-preview": tiff(L.tobytes(), {254: 1, 330: {256: 1}}),
    "tiff-float-big-zlib": tf(FLOAT, byteorder=">", compression="zlib"),
    "tiff-rgb16-planes": tf(planar(DEEP4[..., :3]), photometric="rgb", planarconfig=2),
    "tiff-la-planes": tf(
        planar(LA), photometric="minisblack", planarconfig=2, extrasamples=[2], compression="zlib"
    ),
    "tiff-one-plane-white-is-0": tiff(L.tobytes(), {262: 0, 284: 2}),
    "tiff-extra-grey": tf(LA, photometric="minisblack", planarconfig=1, extrasamples=[0]),
    "tiff-extra-rgb": tf(RGBA, photometric="rgb", extrasamples=[0]),
    "tiff-extra-plane": tf(
        planar(RGBA), photometric="rgb", planarconfig=2, extrasamples=[0], compression="zlib"
    ),
    "tiff-5-channels": tf(np.dstack([RGBA, L]), photometric="minisblack", planarconfig=1),
} | {
    f"tiff-{name}-{packed}": tf(array, compression=packed, **options)
    for packed in (None, "zlib")
    for name, array, options in [
        ("rgb16", DEEP4[..., :3], {"photometric": "rgb"}),
        ("rgba16", DEEP4, {"photometric": "rgb", "extrasamples": [2]}),
        ("rgb-float", DEEP4[..., :3].astype(np.float32), {"photometric": "rgb"}),
        ("deep-white-is-0", DEEP, {"photometric": "miniswhite"}),
        ("float-white-is-0", FLOAT, {"photometric": "miniswhite"}),
        *((kind, L.astype(kind), {}) for kind in ("i1", "i2", "i4", "u4", "f2", "f8")),
    ]
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_open_image_refuses_what_it_would_change(case: str, tmp_path: Path) -> None:
    source = put(tmp_path, REFUSED[case], f"{case}.img")
    with pytest.raises(ImageReadError, match=f"{case}.img: (holds|is not an image)"):
        open_image(source)


def test_chunks_around_the_pixels_are_read(tmp_path: Path) -> None:
    """The pixels in many chunks, something before and EXIF behind them, and the end missing."""
    plain = png_of(RGB, 8, 2)
    at = plain.index(b"IDAT")
    (size,) = struct.unpack(">I", plain[at - 4 : at])

    def chunk(name: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    packed = plain[at + 4 : at + 4 + size]
    pieces = b"".join(chunk(b"IDAT", packed[i : i + 7]) for i in range(0, size, 7))
    turned = chunk(b"eXIf", b"II*\0\x08\0\0\0" + ifd({274: 3}, 8))
    whole = plain[: at - 4] + chunk(b"tEXt", b"a\0b") + pieces + turned + chunk(b"IEND", b"")
    assert_same(values(open_image(put(tmp_path, whole))), RGB[::-1, ::-1])
    for end in (12, 12 + len(turned)):
        assert values(open_image(put(tmp_path, whole[:-end]))).shape == RGB.shape


def test_meanwhile_is_called_and_may_fail(tmp_path: Path) -> None:
    called = []

    def meanwhile() -> None:
        called.append(1)
        raise ImportError("not here")

    assert_same(values(open_image(put(tmp_path, png_of(L)), meanwhile=meanwhile)), L)
    assert called


# Bad files.

SMOOTH = np.add.outer(np.arange(40), np.arange(48))[..., None] + RNG.integers(0, 40, (40, 48, 3))
SMOOTH = SMOOTH.astype(np.uint8)
WHOLE = {
    "png": pil(SMOOTH, "PNG"),
    "jpeg": pil(SMOOTH, "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0" + ifd({274: 6, 271: "Make"}, 8)),
    "jpeg-progressive": pil(SMOOTH, "JPEG", progressive=True),
    "tiff": pil(SMOOTH, "TIFF"),
    "tiff-lzw": pil(SMOOTH, "TIFF", compression="tiff_lzw"),
    "tiff-zlib": tf(SMOOTH, photometric="rgb", compression="zlib"),
    "webp": pil(SMOOTH, "WEBP"),
    "webp-lossless": pil(SMOOTH, "WEBP", lossless=True),
    "bmp": pil(SMOOTH, "BMP"),
    "ppm": pil(SMOOTH, "PPM"),
    "gif": pil(indexed, "GIF"),
    "deep": png_of(DEEP, 16),
}


@pytest.mark.parametrize("case", WHOLE)
def test_truncated_files_are_refused(case: str, tmp_path: Path) -> None:
    data = WHOLE[case]
    end = {"png": 30, "deep": 30, "gif": 4}.get(case, 1)  # what follows the last pixel
    for length in (len(data) // 4, len(data) // 2, len(data) * 3 // 4, len(data) - end):
        with pytest.raises(ImageReadError, match="/in: "):
            open_image(put(tmp_path, data[:length]))


@pytest.mark.filterwarnings("ignore::svfilter.errors.SvfilterWarning")
@pytest.mark.parametrize("case", WHOLE)
def test_damaged_bytes_decode_or_raise_read_error(case: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(11)
    before = Image.MAX_IMAGE_PIXELS
    for _ in range(60):
        data = bytearray(WHOLE[case])
        for _ in range(rng.integers(1, 6)):
            data[rng.integers(min(len(data), rng.choice([150, 9999])))] = rng.integers(256)
        try:
            values(open_image(put(tmp_path, data), max_pixels=10**6))
        except ImageReadError as error:
            assert "/in: " in str(error)
    assert before == Image.MAX_IMAGE_PIXELS


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("missing.png", None, "No such file"),
        ("x" * 300 + ".png", None, "cannot be read"),
        (".", None, "folder"),
        ("text.png", b"not a picture\n", "not an image"),
        ("empty.png", b"", "empty"),
        ("bomb.png", png((100000, 100000), 8, 2, []), "--max-pixels 10000000000"),
    ],
)
def test_bad_files_are_refused(name: str, data: bytes | None, message: str, tmp_path: Path) -> None:
    source = str(tmp_path / name) if data is None else put(tmp_path, data, name)
    with pytest.raises(ImageReadError, match=message) as caught:
        open_image(source)
    assert source in str(caught.value)


def test_max_pixels_lifts_both_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = put(tmp_path, png_of(L))
    monkeypatch.setattr(reading, "MAX_PIXELS", 20)
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(ImageReadError, match=f"--max-pixels {W * H}"):
        open_image(source)
    assert_same(values(open_image(source, max_pixels=W * H)), L)
    assert Image.MAX_IMAGE_PIXELS == 10


# Memory.


def test_what_was_decoded_goes_without_the_garbage_collector(tmp_path: Path) -> None:
    """Else an image would be in memory twice until the collector happens to come by."""
    file = tmp_path / "photo.png"
    Image.new("RGB", (8, 8)).save(file)
    gc.collect()
    gc.disable()
    try:
        pixels = open_image(str(file))
        left = [o for o in gc.get_objects() if type(o) is PngImageFile]
    finally:
        gc.enable()
    assert pixels.width == 8
    assert not left


# Orientation and metadata.

TURNS = {
    1: L, 2: L[:, ::-1], 3: L[::-1, ::-1], 4: L[::-1], 5: L.T,
    6: np.rot90(L, -1), 7: L[::-1, ::-1].T, 8: np.rot90(L),
}  # fmt: skip
THUMBNAIL = b"\xff\xd8 the old picture \xff\xd9"
TAGS = {272: "Camera", 282: [(300, 1)], 283: [(300, 1)], 296: 2}
TAGS[34665] = {36867: "2020:02:02 02:02:02", 33434: [(1, 250)]}
TAGS[34853] = {1: "N", 2: [(51, 1), (30, 1), (0, 1)]}


def exif(orientation: int) -> bytes:
    first = TAGS | {274: orientation}
    second = 8 + len(ifd(first, 8))
    thumbnail = ifd({259: 6, 513: second + 42, 514: len(THUMBNAIL)}, second) + THUMBNAIL
    return b"II*\0\x08\0\0\0" + ifd(first, 8, second) + thumbnail


def oriented(kind: str, orientation: int, icc: bytes = b"") -> tuple[bytes, type]:
    """A file of RGB or grey L with EXIF, and what its values are made of."""
    grey, app = np.dstack([L, L, L]), b"Exif\0\0" + exif(orientation)
    options = {"exif": app} | ({"icc_profile": icc} if icc else {})
    if kind == "png-deep":
        return png_of(L.astype(np.uint16), 16, eXIf=exif(orientation)), np.uint16
    if kind.startswith("tiff"):
        array = L if kind == "tiff" else L.astype(np.float32)
        more = {} if kind == "tiff" else {258: 32, 339: 3}
        more |= {34675: icc} if icc else {}
        return tiff(array.tobytes(), TAGS | {274: orientation} | more), array.dtype.type
    if kind == "jpeg":  # flat blocks come out of a JPEG nearly as they were
        return pil(
            np.kron(grey, np.ones((16, 16, 1), "u1")), "JPEG", dpi=(300, 300), **options
        ), np.uint8
    return pil(grey, kind.upper(), lossless=True, **options), np.uint8


@pytest.mark.parametrize("orientation", TURNS)
@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "png-deep", "tiff", "tiff-float"])
def test_orientation_is_applied_and_then_said_upright(
    kind: str, orientation: int, tmp_path: Path
) -> None:
    data, dtype = oriented(kind, orientation)
    target = tmp_path / f"out.{'tiff' if 'float' in kind else 'png'}"
    copy(put(tmp_path, data), target)
    with Image.open(target) as image:
        assert image.getexif().get(274, 1) == 1
        got = np.asarray(image)
    got = got[..., 0] if got.ndim == 3 else got
    got = got[8::16, 8::16] if kind == "jpeg" else got
    expected = TURNS[orientation].astype(dtype)
    assert got.dtype == dtype
    np.testing.assert_allclose(got, expected, atol=3 if kind == "jpeg" else 0)


ICC = b"a colour profile " * 5000  # over the 64 KiB of one JPEG segment


@pytest.mark.parametrize("target", ["jpg", "png", "webp", "tif"])
@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "tiff"])
def test_metadata_survives_without_the_thumbnail(kind: str, target: str, tmp_path: Path) -> None:
    data, _ = oriented(kind, 6, ICC)
    assert THUMBNAIL in data or kind == "tiff"
    copy(put(tmp_path, data), tmp_path / f"out.{target}")
    assert THUMBNAIL not in (tmp_path / f"out.{target}").read_bytes()
    with Image.open(tmp_path / f"out.{target}") as image:
        found = image.getexif()
        assert image.info["icc_profile"] == ICC
        assert (found[272], found.get(274, 1), found[282]) == ("Camera", 1, 300)
        assert found.get_ifd(34665)[36867] == "2020:02:02 02:02:02"
        assert found.get_ifd(34853) == {1: "N", 2: (51, 30, 0)}
        assert not found.get_ifd(0x7927)  # IFD1
        if target != "webp" and kind in ("jpeg", "tiff"):
            assert image.info["dpi"] == pytest.approx((300, 300), abs=0.1)


@pytest.mark.parametrize("target", ["png", "jpg", "tif", "bmp"])
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "BMP"])
def test_dpi_survives(kind: str, target: str, tmp_path: Path) -> None:
    copy(put(tmp_path, pil(RGB, kind, dpi=(240, 120))), tmp_path / f"out.{target}")
    with Image.open(tmp_path / f"out.{target}") as image:
        assert image.info["dpi"] == pytest.approx((240, 120), abs=0.1)


@pytest.mark.parametrize("target", ["bmp", "ppm"])
def test_formats_without_room_for_metadata_warn(target: str, tmp_path: Path) -> None:
    source = put(tmp_path, oriented("png", 6, b"profile")[0])
    with pytest.warns(SvfilterWarning) as caught:
        copy(source, tmp_path / f"out.{target}")
    assert {str(w.message).split("image's ")[1].split(";")[0] for w in caught} == {
        WORDS["icc_profile"], WORDS["exif"],
    }  # fmt: skip


@pytest.mark.parametrize("target", ["jpg", "png", "webp", "tif"])
def test_structure_of_a_tiff_does_not_reach_the_output(target: str, tmp_path: Path) -> None:
    kinds = {1: b"\1", 2: "text", 3: 7, 4: 70000, 5: (1, 3), 6: -1, 7: b"\0\1", 8: -3, 9: -70000,
             10: (-1, 3), 11: 1.5, 12: 2.5}  # fmt: skip
    more = [(65000 + kind, kind, 1, value, True) for kind, value in kinds.items()]
    large = [(700, 1, 70000, bytes(70000), True), (34377, 1, 4, b"8BPS", True)]
    big = np.tile(RGB, (4, 3, 1))
    data = tf(big, photometric="rgb", tile=(16, 16), compression="zlib", predictor=2,
              bigtiff=True, extratags=more + large)  # fmt: skip
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        copy(put(tmp_path, data), tmp_path / f"out.{target}")
    assert [w.category for w in caught] == ([SvfilterWarning] if target == "jpg" else [])
    with Image.open(tmp_path / f"out.{target}") as image:
        assert image.size == (big.shape[1], big.shape[0])
        if target in ("png", "tif"):
            assert_same(np.asarray(image), big)
    if target == "tif":
        assert_same(tifffile.imread(tmp_path / "out.tif"), big)


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp"])
@pytest.mark.parametrize("damage", [b"nonsense", b"II*\0\xff\xff\0\0", exif(1)[:70]])
def test_damaged_exif_only_warns(kind: str, damage: bytes, tmp_path: Path) -> None:
    data = pil(RGB, kind, lossless=True, exif=b"Exif\0\0" + damage)
    with pytest.warns(SvfilterWarning, match="/in: .*EXIF"):
        copy(put(tmp_path, data), tmp_path / "out.png")
    assert decode(tmp_path / "out.png").shape == RGB.shape


def test_further_pages_warn_and_the_first_is_upright(tmp_path: Path) -> None:
    file = io.BytesIO()
    with tifffile.TiffWriter(file) as writer:
        for page in (L, 255 - L):
            writer.write(page, metadata=None, extratags=[(274, 3, 1, 6, True)])
    with pytest.warns(SvfilterWarning, match="/in: holds 2 frames or pages"):
        assert_same(values(open_image(put(tmp_path, file.getvalue()))), TURNS[6])


# Writing.

KINDS = {"L": 0, "LA": 4, "RGB": 2, "RGBA": 6}
SOURCES = {
    "F": tf(FLOAT, software=False), "I;16": png_of(DEEP, 16),
    **{mode: png_of(BY_MODE[mode], 8, kind) for mode, kind in KINDS.items()},
}  # fmt: skip


@pytest.mark.parametrize("mode", SOURCES)
@pytest.mark.parametrize("name", FORMATS)
def test_create_image_writes_the_values_or_refuses(name: str, mode: str, tmp_path: Path) -> None:
    source, target, holds = put(tmp_path, SOURCES[mode]), tmp_path / "out", FORMATS[name]
    if mode not in holds.modes:
        able = [other for other in FORMATS if mode in FORMATS[other].modes]
        with pytest.raises(InvalidArgument, match=f"{WORDS[mode]}; take {' or '.join(able)}$"):
            copy(source, target, format=name)
        return
    copy(source, target, format=name)
    with Image.open(target) as image:
        got = np.asarray(image.convert(mode) if holds.lossy else image)
    got = got.astype(np.uint16) if mode == "I;16" else got
    if holds.lossy:
        assert got.shape == BY_MODE[mode].shape
    else:
        assert_same(got, BY_MODE[mode])


@pytest.mark.parametrize(
    ("target", "options", "message"),
    [
        ("out.png", {"quality": 90}, "--quality is for jpeg and webp"),
        ("out.jpg", {"quality": 0}, "from 1 to 100, but is 0"),
        ("out.gif", {}, r"one of \.png.*, but is \.gif; or give --format"),
        ("out", {}, "has none; or give --format"),
        ("out.png", {"format": "gif"}, "--format must be one of png"),
        ("in", {"format": "png"}, "is also an input"),
        ("symlink.png", {}, "is also an input"),
        ("hardlink.png", {}, "is also an input"),
        ("folder.png", {}, "is a folder"),
    ],
)
def test_create_image_refuses_arguments(
    target: str, options: dict, message: str, tmp_path: Path
) -> None:
    source = put(tmp_path, SOURCES["RGB"])
    (tmp_path / "symlink.png").symlink_to(source)
    (tmp_path / "hardlink.png").hardlink_to(source)
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(InvalidArgument, match=message):
        copy(source, tmp_path / target, **options)
    assert Path(source).read_bytes() == SOURCES["RGB"]


def test_quality_and_format_reach_the_file(tmp_path: Path) -> None:
    source, sizes = put(tmp_path, WHOLE["png"]), []
    for name in ("jpeg", "webp"):
        for quality in (5, None, 100):
            copy(source, tmp_path / "out.png", format=name, quality=quality)
            sizes.append((tmp_path / "out.png").stat().st_size)
        with Image.open(tmp_path / "out.png") as image:
            assert image.format == name.upper()
    assert sizes[0] < sizes[1] < sizes[2]
    assert sizes[3] < sizes[4] < sizes[5]


@pytest.mark.parametrize("case", ["png", "jpeg", "webp", "tiff", "bmp", "ppm", "gif"])
def test_stdout_takes_the_format_of_stdin(
    case: str, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(WHOLE[case])))
    if case == "gif":
        with pytest.raises(InvalidArgument, match="GIF cannot be written; name a --format"):
            copy("-", "-")
        return
    copy("-", "-")
    assert Image.open(io.BytesIO(capsysbinary.readouterr().out)).format == case.upper()


@pytest.mark.parametrize("stream", ["stdin", "stdout"])
def test_closed_or_terminal_streams_are_refused(
    stream: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = io.TextIOWrapper(io.BytesIO())
    monkeypatch.setattr(terminal, "isatty", lambda: True, raising=False)
    source = put(tmp_path, SOURCES["RGB"])
    for replacement in (None, terminal):
        monkeypatch.setattr(sys, stream, replacement)
        with pytest.raises(InvalidArgument, match=f"is -, but .*{stream}"):
            copy("-" if stream == "stdin" else source, "-")


# In place at once, or not at all.


def test_existing_file_is_replaced_and_keeps_permissions_and_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real.png", tmp_path / "link.png"
    real.write_bytes(b"old")
    real.chmod(0o640)
    link.symlink_to("real.png")
    with real.open("rb") as still_open:
        copy(put(tmp_path, SOURCES["RGB"]), link)
        assert still_open.read() == b"old"
    assert link.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert_same(decode(real), RGB)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "link.png", "real.png"]


def test_failed_write_leaves_everything_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    put(tmp_path, b"old", "out.png")
    with pytest.raises(ImageWriteError, match="out.png: cannot be written: No space left"):
        copy(put(tmp_path, SOURCES["RGB"]), tmp_path / "out.png")
    assert (tmp_path / "out.png").read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "out.png"]


def test_target_that_cannot_be_a_file_is_named(tmp_path: Path) -> None:
    source = put(tmp_path, SOURCES["RGB"])
    with pytest.raises(ImageWriteError, match="the folder .*nowhere does not exist"):
        copy(source, tmp_path / "nowhere" / "out.png")
    with pytest.raises(ImageWriteError, match="File name too long"):
        copy(source, tmp_path / ("x" * 300 + ".png"))
    with pytest.raises(ImageWriteError, match="cannot be encoded as WEBP"):
        copy(put(tmp_path, png_of(np.zeros((1, 17000), np.uint8))), tmp_path / "out.webp")


def test_devices_and_pipes_are_written_directly(tmp_path: Path) -> None:
    source = put(tmp_path, SOURCES["RGB"])
    copy(source, "/dev/null", format="png")
    assert not Path("/dev/null").is_file()
    reader, writer = os.pipe()
    copy(source, f"/dev/fd/{writer}", format="png")
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        assert_same(np.asarray(Image.open(io.BytesIO(pipe.read()))), RGB)


# Planes.


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("mode", SOURCES)
def test_restored_planes_are_the_image(mode: str, per_channel: bool, tmp_path: Path) -> None:
    every = np.add.outer(np.arange(256), np.zeros(256, int))  # each value under each alpha
    alpha = {
        "LA": np.dstack([every, every.T]),
        "RGBA": np.dstack([every, 255 - every, every, every.T]),
    }
    array = alpha[mode].astype(np.uint8) if mode in alpha else BY_MODE[mode]
    kind = {"LA": 4, "RGBA": 6}.get(mode)
    image = open_image(put(tmp_path, png_of(array, 8, kind) if kind else SOURCES[mode]))
    planes = FilterPlanes(image, per_channel=per_channel)
    read = planes.read(image.whole)
    assert len(read) == planes.count
    writer = create_image(str(tmp_path / "out.tif"), image, inputs=[])
    writer.write(image.whole, planes.restore(read, image.whole))
    writer.close()
    assert_same(decode(tmp_path / "out.tif"), array)
    maps = np.arange(image.channels, dtype=np.float32)[:, None, None] + np.zeros((1, 2, 2))
    spread = planes.spread(maps if per_channel else maps[:1])
    assert len(spread) == (planes.count if per_channel else 1)
    if per_channel and kind:  # alpha goes with each colour's kernel, and last with its own
        colours = list(range(image.colours))
        assert spread[:, 0, 0].tolist() == [*colours, *colours, image.colours]


@pytest.mark.parametrize(("orientation", "sizes"), [(3, (31, 23)), (6, (23, 31)), (8, (23, 31))])
def test_sizes_in_the_exif_are_turned_with_the_picture(
    orientation: int, sizes: tuple[int, int], tmp_path: Path
) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    exif.get_ifd(0x8769).update({0xA002: 31, 0xA003: 23})
    exif[0x8769] = exif.get_ifd(0x8769)
    Image.new("RGB", (31, 23)).save(tmp_path / "in.jpg", exif=exif)
    image = open_image(str(tmp_path / "in.jpg"))
    assert (image.width, image.height) == sizes
    writer = create_image(str(tmp_path / "out.jpg"), image, inputs=[])
    writer.close()
    with Image.open(tmp_path / "out.jpg") as written:
        stated = written.getexif().get_ifd(0x8769)
    assert (stated[0xA002], stated[0xA003]) == sizes
