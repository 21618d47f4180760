"""PNG as we write it: read back by Pillow and by hand, the same bytes for any threads."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from zlib_ng import zlib_ng

from svfilter.errors import ImageWriteError
from svfilter.images import png
from svfilter.images.png import PngEncoder, metadata_chunks
from svfilter.images.reading import open_image
from svfilter.images.writing import create_image

RNG = np.random.default_rng(3)
MODES = {(1, 8): "L", (2, 8): "LA", (3, 8): "RGB", (4, 8): "RGBA", (1, 16): "I;16"}
SMALL = 4096
"""Bytes of a strip here, that small images have several."""


def encode(
    pixels: np.ndarray, *, jobs: int = 2, cuts: list[int] | None = None, chunks: list | None = None
) -> bytes:
    file = io.BytesIO()
    height, width, channels = pixels.shape
    with PngEncoder(
        file,
        width=width,
        height=height,
        channels=channels,
        depth=8 * pixels.itemsize,
        chunks=chunks or [],
        jobs=jobs,
    ) as encoder:
        for rows in np.split(pixels, cuts or []):
            encoder.write(rows)
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


@pytest.mark.parametrize("width", [11_000, 16_385, 200_000])
def test_rows_longer_than_a_window_or_a_strip(width: int) -> None:
    for kind in ("smooth", "flat"):
        pixels = picture(kind, 4, width)
        np.testing.assert_array_equal(read_by_pillow(encode(pixels)), pixels)


@pytest.mark.parametrize("more", [-1, 0, 1])
def test_strips_that_are_just_full(more: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(png, "_STRIP_BYTES", SMALL)
    rows = SMALL // (40 * 3)
    for strips in (1, 2, 7):
        pixels = picture("smooth", strips * rows + more, 40)
        data = encode(pixels)
        assert len([name for name, _ in chunks_of(data) if name == b"IDAT"]) == (
            2 + strips + (more > 0)
        )
        np.testing.assert_array_equal(read_by_pillow(data), pixels)


def test_every_filter_is_exact() -> None:
    a, b = (v.astype(np.uint8) for v in np.mgrid[:256, :256])
    x = np.zeros_like(a)
    for corner in range(256):
        c = np.full_like(a, corner)
        got = -png._FILTERS[4](x, a, b, c)
        p = a.astype(int) + b - corner
        far = abs(p - a), abs(p - b), abs(p - corner)
        nearest = np.where((far[0] <= far[1]) & (far[0] <= far[2]), a,
                           np.where(far[1] <= far[2], b, c))  # fmt: skip
        np.testing.assert_array_equal(got, nearest)
    np.testing.assert_array_equal(-png._FILTERS[3](x, a, b, x), (a.astype(int) + b) // 2)


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


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"dpi": (300.0, 72.5)},
        {"icc_profile": bytes(range(256)) * 3},
        {"exif": b"Exif\0\0II*\0\x08\0\0\0\0\0\0\0\0\0"},
        {"exif": b"II*\0\x08\0\0\0\0\0\0\0\0\0", "dpi": (96.0, 96.0), "icc_profile": b"profile"},
    ],
)
def test_metadata_is_written_as_pillow_does(metadata: dict) -> None:
    pixels = picture("smooth", 8, 8)
    ours, theirs = (
        [chunk for chunk in chunks_of(data) if chunk[0] not in (b"IDAT", b"IEND")]
        for data in (
            encode(pixels, chunks=metadata_chunks(**metadata)),
            by_pillow(pixels, **metadata),
        )
    )
    assert ours == theirs


@pytest.mark.parametrize(
    ("kind", "most"), [("noise", 1.01), ("flat", 1.05), ("black", 1.05), ("gradient", 1.05),
                       ("smooth", 1.01)]
)  # fmt: skip
def test_files_are_about_as_small_as_pillows(kind: str, most: float) -> None:
    pixels = picture(kind, 600, 700)
    strips = 2048  # each has its own beginning, which tells where there is next to nothing else
    assert len(encode(pixels)) <= most * len(by_pillow(pixels, compress_level=4)) + strips


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(png, "_STRIP_BYTES", SMALL)
    file = io.BytesIO()
    options = {"width": 40, "height": 4000, "channels": 3, "depth": 8, "chunks": [], "jobs": 1}
    with PngEncoder(file, **options) as encoder:
        for rows in np.split(picture("noise", 4000, 40), 100):
            encoder.write(rows)
            assert len(encoder._waiting) <= 2


def test_a_file_that_cannot_be_is_refused() -> None:
    options = {"channels": 3, "depth": 8, "chunks": [], "jobs": 1}
    for sides in ({"width": 2**31, "height": 1}, {"width": 1, "height": 2**31}):
        with pytest.raises(ValueError, match="at most 2147483647"):
            PngEncoder(io.BytesIO(), **sides, **options)
    with (
        pytest.raises(ValueError, match="2 of its rows are missing"),
        PngEncoder(io.BytesIO(), width=4, height=5, **options) as encoder,
    ):
        encoder.write(picture("noise", 3, 4))


class Broken:
    def __init__(self, error: Exception) -> None:
        self.error = error

    def compress(self, data: object) -> bytes:
        raise self.error


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("error", [zlib_ng.error("it is broken"), OSError("it is broken")])
def test_what_fails_in_a_thread_is_said_and_leaves_no_file(
    error: Exception, jobs: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in.png").write_bytes(by_pillow(picture("smooth", 90, 40)))
    image = open_image(str(tmp_path / "in.png"))
    writer = create_image(str(tmp_path / "out.png"), image, inputs=[], jobs=jobs)
    writer.write(image.whole, image.read(image.whole))
    monkeypatch.setattr(png, "_STRIP_BYTES", SMALL)
    monkeypatch.setattr(zlib_ng, "compressobj", lambda *_: Broken(error))
    with pytest.raises(ImageWriteError, match="out.png: cannot be encoded as PNG: it is broken"):
        writer.close()
    assert [path.name for path in tmp_path.iterdir()] == ["in.png"]


def test_an_interrupt_stops_the_threads() -> None:
    options = {"width": 40, "height": 99, "channels": 3, "depth": 8, "chunks": [], "jobs": 2}
    file = io.BytesIO()
    with pytest.raises(KeyboardInterrupt), PngEncoder(file, **options) as encoder:
        encoder.write(picture("noise", 50, 40))
        raise KeyboardInterrupt
    assert not file.getvalue().endswith(b"IEND\xae\x42\x60\x82")
    with pytest.raises(RuntimeError):
        encoder._pool.submit(int)
