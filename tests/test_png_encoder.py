"""PNG as we write it: read back by Pillow and by hand, the same bytes for any threads."""

from __future__ import annotations

import io
import struct
import zlib

import imagecodecs
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from zlib_ng import zlib_ng

from svfilter.images.encoders import png
from svfilter.images.encoders.png import PngEncoder
from svfilter.images.layout import Layout
from svfilter.images.metadata import Metadata

RNG = np.random.default_rng(3)
MODES = {(1, 8): "L", (2, 8): "LA", (3, 8): "RGB", (4, 8): "RGBA", (1, 16): "I;16"}
KINDS = {1: ("grey", ""), 2: ("grey", "straight"), 3: ("rgb", ""), 4: ("rgb", "straight")}
SMALL = 4096, 4096
"""Bytes of a strip here, that small images have several."""
NOTHING = Metadata()


def layout_of(pixels: np.ndarray) -> Layout:
    return Layout(*pixels.shape, pixels.dtype, *KINDS[pixels.shape[2]])


def encode(
    pixels: np.ndarray,
    *,
    jobs: int = 2,
    cuts: list[int] | None = None,
    metadata: Metadata = NOTHING,
    **options: object,
) -> bytes:
    file = io.BytesIO()
    encoder = PngEncoder(file, jobs=jobs)
    encoder.begin(layout_of(pixels), metadata, options)
    for rows in np.split(pixels, cuts or []):
        encoder.write(rows)
    encoder.end()
    encoder.close()
    return file.getvalue()


def chunks_of(data: bytes) -> list[tuple[bytes, bytes]]:
    """Take a file apart, checking every chunk's sum."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    at, found = 8, []
    while at < len(data):
        (size,) = struct.unpack_from(">I", data, at)
        name, content = data[at + 4 : at + 8], data[at + 8 : at + 8 + size]
        (stated,) = struct.unpack_from(">I", data, at + 8 + size)
        assert stated == zlib.crc32(name + content)
        found.append((name, content))
        at += 12 + size
    return found


def foretell(kind: int, a: int, b: int, c: int) -> int:
    """The specification's words, byte by byte."""
    if kind < 3:
        return (0, a, b)[kind]
    if kind == 3:
        return (a + b) // 2
    p = a + b - c
    return min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]


def decode(data: bytes) -> np.ndarray:
    """Read a file back with zlib and plain loops."""
    found = chunks_of(data)
    assert found[0][0] == b"IHDR"
    assert found[-1] == (b"IEND", b"")
    header = struct.unpack(">IIBBBBB", found[0][1])
    width, height, depth, colour, *zeros = header
    assert zeros == [0, 0, 0]
    channels = {0: 1, 4: 2, 2: 3, 6: 4}[colour]
    step = channels * depth // 8
    raw = zlib.decompress(b"".join(content for name, content in found if name == b"IDAT"))
    row = width * step
    assert len(raw) == height * (row + 1)
    above, lines = bytes(row), []
    for y in range(height):
        kind, line = raw[y * (row + 1)], bytearray(raw[y * (row + 1) + 1 : (y + 1) * (row + 1)])
        for i in range(row):
            a, c = (line[i - step], above[i - step]) if i >= step else (0, 0)
            line[i] = (line[i] + foretell(kind, a, above[i], c)) % 256
        above = bytes(line)
        lines.append(above)
    values = np.frombuffer(b"".join(lines), f">u{depth // 8}").reshape(height, width, channels)
    return values.astype(f"u{depth // 8}")


def by_pillow(pixels: np.ndarray, **options) -> bytes:
    file = io.BytesIO()
    flat = pixels[..., 0] if pixels.shape[2] == 1 else pixels
    Image.fromarray(flat).save(file, "PNG", **options)
    return file.getvalue()


def read_by_pillow(data: bytes) -> np.ndarray:
    pixels = np.asarray(Image.open(io.BytesIO(data)))
    return pixels if pixels.ndim == 3 else pixels[..., None]


def picture(kind: str, height: int, width: int, channels: int = 3, depth: int = 8) -> np.ndarray:
    largest = 2**depth - 1
    y, x, c = np.ogrid[:height, :width, :channels]
    values = {
        "noise": RNG.integers(0, largest + 1, (height, width, channels)),
        "flat": (y // 9 + x // 7) % 2 * largest + 0 * c,
        "black": 0 * (y + x + c),
        "gradient": (y * 3 + x * 5 + c * 40) * (depth // 8) ** 3 % (largest + 1),
        "smooth": (np.sin(y / 9 + c) + np.sin(x / 7) + 2) / 4 * largest
        + RNG.normal(0, largest / 99, (height, width, channels)),
        "texture": (np.sin(y * x / 999 + c) + 1) / 2 * largest,
        "repeated noise": RNG.integers(0, largest + 1, (8, 8, channels))[y % 8, x % 8, c],
    }[kind]
    return np.clip(values, 0, largest).astype(f"u{depth // 8}")


SIZES = [(1, 1), (1, 40), (40, 1), (3, 5), (5, 3), (37, 41)]


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("depth", [8, 16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_pixels_come_back(channels: int, depth: int, size: tuple[int, int]) -> None:
    for kind in ("noise", "flat", "black", "gradient", "smooth"):
        pixels = picture(kind, *size, channels, depth)
        data = encode(pixels)
        np.testing.assert_array_equal(decode(data), pixels)
        if (channels, depth) in MODES:  # Pillow cuts other 16-bit pixels to 8
            with Image.open(io.BytesIO(data)) as image:
                assert image.mode == MODES[channels, depth]
            np.testing.assert_array_equal(read_by_pillow(data), pixels)
        got = imagecodecs.png_decode(data).reshape(pixels.shape)
        np.testing.assert_array_equal(got, pixels)


@pytest.mark.parametrize("width", [11_000, 16_385, 200_000])
def test_rows_longer_than_a_window_or_a_strip(width: int) -> None:
    for kind in ("smooth", "flat"):
        pixels = picture(kind, 4, width)
        np.testing.assert_array_equal(read_by_pillow(encode(pixels)), pixels)


@pytest.mark.parametrize("more", [-1, 0, 1])
def test_strips_that_are_just_full(more: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(png, "_STRIP_BYTES", SMALL)
    rows = SMALL[0] // (40 * 3)
    for strips in (1, 2, 7):
        pixels = picture("smooth", strips * rows + more, 40)
        data = encode(pixels)
        assert len([name for name, _ in chunks_of(data) if name == b"IDAT"]) == (
            2 + strips + (more > 0)
        )
        np.testing.assert_array_equal(read_by_pillow(data), pixels)


@pytest.mark.parametrize("level", range(10))
def test_every_level_keeps_the_pixels(level: int) -> None:
    for kind in ("noise", "flat", "gradient", "smooth"):
        pixels = picture(kind, 40, 50)
        data = encode(pixels, compression=level)
        np.testing.assert_array_equal(read_by_pillow(data), pixels)
        assert encode(pixels, compression=str(level)) == data
        if level == png.DEFAULT_LEVEL:
            assert encode(pixels) == data


def test_higher_levels_make_smaller_files() -> None:
    pixels = picture("texture", 400, 300)
    sizes = [len(encode(pixels, compression=level)) for level in (0, 1, 4, 6, 9)]
    assert sizes == sorted(sizes, reverse=True)
    assert pixels.nbytes < sizes[0] < 1.01 * pixels.nbytes
    assert sizes[-1] < 0.97 * sizes[2]


# A picture, and what it is packed with at any level that looks for matches: filters, whether it
# has matches.
CHOICES = {
    "noise": ({3, 4}, False),
    "smooth": ({3, 4}, False),
    "repeated noise": ({0}, True),
    "gradient": ({1, 2}, True),
}


@pytest.mark.parametrize("kind", CHOICES)
def test_what_suits_a_picture_is_chosen(kind: str) -> None:
    filters, matched = CHOICES[kind]
    rows = png._bytes_of(picture(kind, 90, 100))
    for level in (1, 4, 6):
        way = png._best_way(rows, 3, level)
        assert way.strategy == zlib_ng.Z_DEFAULT_STRATEGY or not matched
        assert way.strategy != zlib_ng.Z_DEFAULT_STRATEGY or matched
        assert way.filter in filters


def test_every_filter_is_exact() -> None:
    a, b = (v.astype(np.uint8) for v in np.mgrid[:256, :256])
    x, got = np.zeros_like(a), np.empty_like(a)
    for corner in range(256):
        c = np.full_like(a, corner)
        png._FILTERS[4](x, a, b, c, got)
        p = a.astype(int) + b - corner
        far = abs(p - a), abs(p - b), abs(p - corner)
        nearest = np.where((far[0] <= far[1]) & (far[0] <= far[2]), a,
                           np.where(far[1] <= far[2], b, c))  # fmt: skip
        np.testing.assert_array_equal(-got, nearest)
    png._FILTERS[3](x, a, b, x, got)
    np.testing.assert_array_equal(-got, (a.astype(int) + b) // 2)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_bytes_depend_on_the_pixels_alone(data: st.DataObject) -> None:
    height, width = data.draw(st.integers(1, 90)), data.draw(st.integers(1, 60))
    kind = data.draw(st.sampled_from(["noise", "flat", "gradient", "smooth"]))
    channels, depth = data.draw(st.sampled_from(sorted(MODES)))
    pixels = picture(kind, height, width, channels, depth)
    cuts = sorted(data.draw(st.lists(st.integers(0, height), max_size=6)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(png, "_STRIP_BYTES", SMALL)
        whole = encode(pixels, jobs=1)
        np.testing.assert_array_equal(read_by_pillow(whole), pixels)
        for jobs in (1, 2, 3):
            assert encode(pixels, jobs=jobs, cuts=cuts) == whole
        turned = np.asfortranarray(pixels[::-1])[::-1]  # as of an image that EXIF turns
        assert encode(turned, cuts=cuts) == whole


@pytest.mark.parametrize("sizes", [(0, 5), (5, 0), (1, 1), (3, 700_000), (70_000, 70_001)], ids=str)
def test_checksums_are_joined(sizes: tuple[int, int]) -> None:
    first, second = (RNG.bytes(size) for size in sizes)
    got = png._joined(zlib.adler32(first), zlib.adler32(second), len(second))
    assert got == zlib.adler32(first + second)


def test_metadata_stands_before_the_pixels() -> None:
    block = b"II*\0\x08\0\0\0\0\0\0\0\0\0"
    metadata = Metadata(
        icc_profile=b"profile", exif=block, dpi=(300.0, 72.5), native=((b"vpAg", b"kept"),)
    )
    for native in (True, False):
        found = chunks_of(encode(picture("smooth", 8, 8), metadata=metadata, native=native))
        names = [name for name, _ in found]
        kept = [b"vpAg"] * native
        assert sorted(names[1 : names.index(b"IDAT")]) == sorted([b"iCCP", b"pHYs", b"eXIf", *kept])
        assert dict(found)[b"eXIf"] == block


@pytest.mark.parametrize(
    ("kind", "most"), [("noise", 1.01), ("flat", 1.05), ("black", 1.05), ("gradient", 1.05),
                       ("smooth", 1.01), ("texture", 1.02)]
)  # fmt: skip
def test_files_are_about_as_small_as_pillows(kind: str, most: float) -> None:
    pixels = picture(kind, 600, 700)
    strips = 2048  # each has its own beginning, which tells where there is next to nothing else
    assert len(encode(pixels)) <= most * len(by_pillow(pixels)) + strips


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(png, "_STRIP_BYTES", SMALL)
    pixels = picture("noise", 4000, 40)
    encoder = PngEncoder(io.BytesIO(), jobs=1)
    encoder.begin(layout_of(pixels), NOTHING, {})
    for rows in np.split(pixels, 100):
        encoder.write(rows)
        assert len(encoder._pool._under_way) <= 2
    encoder.end()


def test_sides_beyond_the_limit_are_refused() -> None:
    for sides in ({"width": 2**31, "height": 1}, {"width": 1, "height": 2**31}):
        layout = Layout(**sides, channels=3, dtype=np.dtype("u1"), colour="rgb")
        with pytest.raises(ValueError, match="at most 2147483647"):
            PngEncoder(io.BytesIO(), jobs=1).begin(layout, NOTHING, {})
