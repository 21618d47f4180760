"""JPEG as we write it: the pixels of an image that Pillow encodes as a whole, by any reader."""

from __future__ import annotations

import io
import struct
import tempfile
from pathlib import Path

import imagecodecs
import numpy as np
import OpenImageIO
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from svfilter.images.encoders import jpeg
from svfilter.images.encoders.jpeg import JpegEncoder
from svfilter.images.layout import Layout
from svfilter.images.metadata import Metadata

RNG = np.random.default_rng(8)
COLOURS = {1: "grey", 3: "rgb", 4: "cmyk"}
MODES = {1: "L", 3: "RGB", 4: "CMYK"}
SUBSAMPLINGS = ["4:4:4", "4:2:2", "4:2:0"]
NOTHING = Metadata()
TABLES = [[n // 2 + 1 for n in range(64)], [3 * n + 5 for n in range(64)]]
SIZES = [(1, 1), (15, 17), (7, 13), (16, 16), (17, 33), (300, 5), (1, 70), (70, 1), (127, 20),
         (128, 20), (129, 20), (256, 9), (511, 18)]  # fmt: skip


def picture(height: int, width: int, channels: int = 3) -> np.ndarray:
    y, x, c = np.ogrid[:height, :width, :channels]
    values = 127 + 60 * np.sin(y / 9 + c) + 60 * np.sin(x / 7)
    values = values + RNG.normal(0, 8, (height, width, channels))
    return np.clip(values, 0, 255).astype(np.uint8)


def encode(
    pixels: np.ndarray,
    *,
    jobs: int = 2,
    cuts: list[int] | None = None,
    metadata: Metadata = NOTHING,
    **options: object,
) -> bytes:
    file = io.BytesIO()
    height, width, channels = pixels.shape
    encoder = JpegEncoder(file, jobs=jobs)
    encoder.begin(
        Layout(height, width, channels, pixels.dtype, COLOURS[channels]), metadata, options
    )
    for rows in np.split(pixels, cuts or []):
        encoder.write(rows)
    encoder.end()
    encoder.close()
    return file.getvalue()


def by_pillow(pixels: np.ndarray, **options: object) -> bytes:
    file = io.BytesIO()
    height, width, channels = pixels.shape
    image = Image.frombytes(MODES[channels], (width, height), pixels.tobytes())
    image.save(file, "JPEG", **options)
    return file.getvalue()


def read_by_pillow(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as image:
        pixels = np.asarray(image)
    return pixels if pixels.ndim == 3 else pixels[..., None]


def read_by_oiio(data: bytes, folder: Path) -> np.ndarray:
    (folder / "read.jpg").write_bytes(data)
    image = OpenImageIO.ImageInput.open(str(folder / "read.jpg"))
    pixels = image.read_image("uint8")
    assert not image.has_error
    image.close()
    return pixels


def segments_of(data: bytes) -> list[tuple[int, bytes]]:
    """Take headers apart, to the one that the codes follow; and check what follows."""
    assert data[:2] == b"\xff\xd8"
    at, found = 2, []
    while not found or found[-1][0] != 0xDA:
        mark, marker, length = struct.unpack_from(">BBH", data, at)
        assert mark == 0xFF
        found.append((marker, data[at + 4 : at + 2 + length]))
        at += 2 + length
    codes = data[at:]
    markers = [codes[n + 1] for n in range(len(codes) - 1) if codes[n] == 0xFF and codes[n + 1]]
    assert markers == [0xD0 + n % 8 for n in range(len(markers) - 1)] + [0xD9]
    assert codes.endswith(b"\xff\xd9")
    return found


@pytest.mark.parametrize("size", SIZES, ids=str)
@pytest.mark.parametrize("channels", COLOURS)
def test_pixels_are_those_of_an_image_encoded_as_a_whole(
    channels: int, size: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jpeg, "_STRIP_BYTES", 1)
    pixels = picture(*size, channels)
    for subsampling in SUBSAMPLINGS if channels == 3 else ("",):
        thinned = {"subsampling": subsampling} if subsampling else {}
        for how in ({"quality": 80}, {"qtables": TABLES[: 1 if channels == 4 else 2]}):
            ours = encode(pixels, **thinned, quality=how.get("quality"), tables=TABLES)
            whole = by_pillow(pixels, **how, **thinned)
            np.testing.assert_array_equal(read_by_pillow(ours), read_by_pillow(whole))
            np.testing.assert_array_equal(
                imagecodecs.jpeg8_decode(ours), imagecodecs.jpeg8_decode(whole)
            )
            if channels < 4:  # OpenImageIO makes RGB of CMYK
                np.testing.assert_array_equal(
                    read_by_oiio(ours, tmp_path), read_by_oiio(whole, tmp_path)
                )
            segments_of(ours)


def test_strips_of_the_usual_size_follow_one_another() -> None:
    pixels = picture(700, 1000)  # in 256, 256 and 188 rows
    data = encode(pixels, quality=90)
    segments_of(data)
    whole = by_pillow(pixels, quality=90, subsampling="4:4:4")
    np.testing.assert_array_equal(read_by_pillow(data), read_by_pillow(whole))


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_bytes_depend_on_the_pixels_alone(data: st.DataObject) -> None:
    height, width = data.draw(st.integers(1, 400)), data.draw(st.integers(1, 40))
    pixels = picture(height, width, data.draw(st.sampled_from(sorted(COLOURS))))
    cuts = sorted(data.draw(st.lists(st.integers(0, height), max_size=6)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jpeg, "_STRIP_BYTES", 1)
        whole = encode(pixels, jobs=1)
        for jobs in (1, 2, 3):
            assert encode(pixels, jobs=jobs, cuts=cuts) == whole
        turned = np.asfortranarray(pixels[::-1])[::-1]
        assert encode(turned, cuts=cuts) == whole


# Options, and the quality and thinning that they come to.
CHOICES = {
    "nothing": ({}, 95, "4:4:4"),
    "high quality": ({"quality": 90}, 90, "4:4:4"),
    "low quality": ({"quality": 89}, 89, "4:2:0"),
    "lowest quality": ({"quality": 1}, 1, "4:2:0"),
    "of the source": ({"tables": TABLES, "subsampling": "4:2:2"}, None, "4:2:2"),
    "only tables": ({"tables": TABLES}, None, "4:4:4"),
    "quality instead": (
        {"tables": TABLES, "subsampling": "4:2:0", "quality": 97}, 97, "4:2:0",
    ),
    "what Pillow has not": ({"subsampling": "4:4:0"}, 95, "4:4:4"),
    "progressive": ({"progressive": True}, 95, "4:4:4"),
}  # fmt: skip


@pytest.mark.parametrize("name", CHOICES)
def test_options_choose_quality_and_thinning(name: str) -> None:
    options, quality, subsampling = CHOICES[name]
    pixels = picture(20, 30)
    how = {"qtables": TABLES} if quality is None else {"quality": quality}
    with (
        Image.open(io.BytesIO(encode(pixels, **options))) as ours,
        Image.open(io.BytesIO(by_pillow(pixels, subsampling=subsampling, **how))) as theirs,
    ):
        assert ours.quantization == theirs.quantization
        assert ours.layer == theirs.layer
        assert "progressive" not in ours.info


def test_tables_too_coarse_for_baseline_are_cut_at_255(capfd: pytest.CaptureFixture[str]) -> None:
    data = encode(picture(20, 30), tables=[[9 * n + 1 for n in range(64)]])
    with Image.open(io.BytesIO(data)) as image:
        assert image.quantization == {0: [min(9 * n + 1, 255) for n in range(64)]}
    assert capfd.readouterr().err == ""


def test_cmyk_is_inverted_as_adobe_does() -> None:
    pixels = np.zeros((16, 16, 4), np.uint8)
    pixels[...] = (255, 0, 30, 200)
    data = encode(pixels)
    markers = [marker for marker, _ in segments_of(data)]
    assert markers[0] == 0xEE
    assert 0xE0 not in markers
    assert dict(segments_of(data))[0xEE][:5] == b"Adobe"
    with Image.open(io.BytesIO(data)) as image:
        assert image.mode == "CMYK"
        assert abs(np.asarray(image).astype(int) - pixels).max() <= 1
    # Stored as 255 for no ink.
    assert abs(imagecodecs.jpeg8_decode(data, outcolorspace="CMYK")[0, 0].astype(int)
               - (0, 255, 225, 55)).max() <= 1  # fmt: skip


@pytest.mark.parametrize("channels", COLOURS)
def test_metadata_stands_before_the_pixels_once(channels: int) -> None:
    block = b"II*\0\x08\0\0\0\0\0\0\0\0\0"
    metadata = Metadata(
        icc_profile=bytes(range(256)) * 300, exif=block, dpi=(300.0, 300.0), comments=("über",),
        native=((0xE5, b"kept"), (0xFE, "über".encode())),
    )  # fmt: skip
    pixels = picture(300, 20, channels)
    for native in (True, False):
        data = encode(pixels, metadata=metadata, native=native)
        found = segments_of(data)
        with Image.open(io.BytesIO(data)) as image:
            assert image.info["icc_profile"] == metadata.icc_profile
            assert image.info["exif"] == b"Exif\0\0" + block
            assert image.info["comment"] == "über".encode()
            assert image.info["dpi"] == (300, 300)
        assert [d for m, d in found if m == 0xE5] == [b"kept"] * native
        for marker in (0xC0, 0xDD, 0xDA, 0xE0):
            assert [m for m, _ in found].count(marker) == 1, marker
        assert [m for m, _ in found].count(0xEE) == (channels == 4)


@pytest.mark.parametrize("side", ["height", "width"])
def test_sides_that_libjpeg_would_not_read_are_refused(side: str) -> None:
    sides = {"height": 1, "width": 1}
    encoder = JpegEncoder(io.BytesIO(), jobs=1)
    for size in (65501, 70000):
        layout = Layout(**sides | {side: size}, channels=1, dtype=np.dtype("u1"), colour="grey")
        with pytest.raises(ValueError, match="at most 65500 pixels"):
            encoder.begin(layout, Metadata(), {})
    shape = (65500, 1, 1) if side == "height" else (1, 65500, 1)
    pixels = np.full(shape, 77, np.uint8)
    np.testing.assert_array_equal(read_by_pillow(encode(pixels)), pixels)


class NoRoom:
    """Stands for the module tempfile where there is no room on the disk."""

    def __init__(self, room: int | None) -> None:
        self.room = room

    def TemporaryFile(self, **options: str) -> io.BufferedIOBase:  # noqa: N802
        if self.room is None:
            raise FileNotFoundError("No usable temporary directory found")
        file = tempfile.TemporaryFile(**options)  # noqa: SIM115
        read = file.read
        file.__dict__["read"] = lambda: read()[: self.room]
        return file


@pytest.mark.parametrize("room", [None, 0, 200])
def test_temporary_files_are_not_needed(room: int | None, monkeypatch: pytest.MonkeyPatch) -> None:
    pixels = picture(200, 30)
    expected = encode(pixels)
    monkeypatch.setattr(jpeg, "tempfile", NoRoom(room))
    assert encode(pixels) == expected
