"""From planes to files: the format, the depth, and a file that is there whole or not at all."""

from __future__ import annotations

import errno
import io
import os
import stat
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
import tifffile
from arrays import reader
from PIL import Image

from svfilter.errors import ImageWriteError, InvalidArgument, SvfilterWarning
from svfilter.images.formats import FORMATS
from svfilter.images.metadata import Metadata
from svfilter.images.reading import ImageReader, open_image
from svfilter.images.storing import Output
from svfilter.images.writing import create_image
from svfilter.tiles import plan

RNG = np.random.default_rng(7)
H, W = 9, 13
RGB = RNG.integers(0, 256, (H, W, 3), dtype=np.uint8)
RGBA = RNG.integers(0, 256, (H, W, 4), dtype=np.uint8)
DEEP = RNG.integers(0, 65536, (H, W, 3), dtype=np.uint16)
FLOAT = RNG.normal(0, 9, (H, W)).astype(np.float32)


def copy(
    image: ImageReader, target: Path | str, *, inputs: tuple[str, ...] = (), rows: int = 4,
    cols: int = 5, **output: object,
) -> None:  # fmt: skip
    """Write an image as it was read, in windows."""
    wanted = Output(**output)
    with image, create_image(str(target), image, inputs=[*inputs], output=wanted, jobs=2) as writer:
        writer.begin(image)
        for window in plan(image.height, image.width, rows, cols):
            writer.write(window, image.read(window))
        writer.end()


def decode(path: Path) -> np.ndarray:
    with Image.open(path) as image:
        return np.asarray(image)


def read_back(path: Path) -> np.ndarray:
    with open_image(str(path)) as image:
        pixels = image.stored(image.whole)
    return pixels[..., 0] if pixels.shape[2] == 1 else pixels


LOSSLESS = {
    "png": RGB, "tiff": DEEP, "bmp": RGB, "ppm": DEEP, "pam": RGBA, "pfm": FLOAT, "npy": FLOAT,
    "exr": FLOAT,
}  # fmt: skip


@pytest.mark.parametrize("name", LOSSLESS)
@pytest.mark.parametrize(("rows", "cols"), [(1, 13), (4, 5), (9, 13), (9, 1)])
def test_windows_become_the_file(name: str, rows: int, cols: int, tmp_path: Path) -> None:
    target = tmp_path / f"out{FORMATS[name].suffixes[0]}"
    copy(reader(LOSSLESS[name]), target, rows=rows, cols=cols)
    np.testing.assert_array_equal(read_back(target), LOSSLESS[name])
    assert [path.name for path in tmp_path.iterdir()] == [target.name]


@pytest.mark.parametrize(
    ("target", "options", "message"),
    [
        ("out.png", {"quality": 90}, "--quality is for jpeg"),
        ("out.jpg", {"quality": 0}, "from 1 to 100, but is 0"),
        (
            "out.png",
            {"compression": "lzw"},
            "--compression of png must be one of 0, .*, but is lzw",
        ),
        ("out.bmp", {"compression": "9"}, "--compression of bmp must be one of nothing to choose"),
        ("out.png", {"bit_depth": "12"}, "--bit-depth must be one of 8, 16, 32f, not 12"),
        ("out.png", {"bit_depth": "32f"}, "png cannot hold 32-bit float RGB; take tiff or"),
        ("out.gif", {}, r"one of \.png.*, but is \.gif; or give --format"),
        ("out", {}, "has none; or give --format"),
        ("out.png", {"format": "gif"}, "--format must be one of png"),
        ("in.png", {"format": "png"}, "is also an input"),
        ("symlink.png", {}, "is also an input"),
        ("hardlink.png", {}, "is also an input"),
        ("folder.png", {}, "is a folder"),
    ],
)
def test_what_cannot_be_is_refused(
    target: str, options: dict, message: str, tmp_path: Path
) -> None:
    source = tmp_path / "in.png"
    Image.fromarray(RGB).save(source)
    before = source.read_bytes()
    (tmp_path / "symlink.png").symlink_to(source)
    (tmp_path / "hardlink.png").hardlink_to(source)
    (tmp_path / "folder.png").mkdir()
    with pytest.raises(InvalidArgument, match=message):
        copy(open_image(str(source)), tmp_path / target, inputs=(str(source),), **options)
    assert source.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 4


def test_alpha_is_refused_where_it_cannot_be_held(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="jpeg cannot hold 8-bit RGB with alpha; take png or"):
        copy(reader(RGBA), tmp_path / "out.jpg")


@pytest.mark.parametrize("target", ["out.jpg", "out.webp", "out.bmp"])
def test_depth_goes_down_with_a_word_and_rounded(target: str, tmp_path: Path) -> None:
    smooth = np.full((H, W, 3), 30000, np.uint16)
    with pytest.warns(SvfilterWarning, match="cannot hold 16-bit RGB; written as 8-bit RGB"):
        copy(reader(smooth), tmp_path / target)
    assert np.abs(decode(tmp_path / target).astype(int) - round(30000 / 257)).max() <= 2


@pytest.mark.parametrize("dither", [False, True])
def test_bit_depth_is_followed_without_a_word(dither: bool, tmp_path: Path) -> None:
    copy(reader(DEEP), tmp_path / "out.png", bit_depth="8", dither=dither)
    got = decode(tmp_path / "out.png")
    if not dither:
        np.testing.assert_array_equal(got, np.rint(DEEP / 257.0).astype(np.uint8))
    assert np.abs(got - DEEP / 257.0).max() < (1 if dither else 0.501)
    copy(reader(RGB), tmp_path / "out.tif", bit_depth="32f")
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "out.tif"), RGB / np.float32(255))
    copy(reader(RGB), tmp_path / "deep.png", bit_depth="16")
    np.testing.assert_array_equal(read_back(tmp_path / "deep.png"), RGB.astype(np.uint16) * 257)


def test_floats_beyond_0_to_1_are_clipped_with_a_word(tmp_path: Path) -> None:
    values = np.array([[-3, 0, 0.5, 1, 7]], np.float32)
    with pytest.warns(SvfilterWarning, match="2 values lay outside 0 to 1 and were clipped"):
        copy(reader(values), tmp_path / "out.png", bit_depth="8")
    assert decode(tmp_path / "out.png").tolist() == [[0, 0, 128, 255, 255]]


def test_nan_does_not_become_an_integer(tmp_path: Path) -> None:
    with pytest.raises(InvalidArgument, match="NaN, .*--nan fill"):
        copy(reader(np.full((3, 3), np.nan, np.float32)), tmp_path / "out.png", bit_depth="8")
    assert not list(tmp_path.iterdir())


def test_associated_alpha_becomes_straight_and_back(tmp_path: Path) -> None:
    premultiplied = np.array([[[0.25, 0.5, 0.0, 0.5], [0, 0, 0, 0]]], np.float32)
    copy(reader(premultiplied, alpha="associated"), tmp_path / "out.png", bit_depth="8")
    assert decode(tmp_path / "out.png").tolist() == [[[128, 255, 0, 128], [0, 0, 0, 0]]]
    straight = np.array([[[0.5, 1.0, 0.0, 0.5], [1, 1, 1, 0]]], np.float32)
    copy(reader(straight), tmp_path / "out.exr")
    with open_image(str(tmp_path / "out.exr")) as image:
        assert image.layout.alpha == "associated"
        expected = [[[0.25, 0.5, 0.0, 0.5], [0, 0, 0, 0]]]
        np.testing.assert_array_equal(image.stored(image.whole), expected)


def test_metadata_that_is_missed_is_told(tmp_path: Path) -> None:
    metadata = Metadata(icc_profile=b"x", exif=b"II*\0\x08\0\0\0\0\0\0\0\0\0", xmp=b"<x/>")
    with pytest.warns(SvfilterWarning, match="bmp cannot hold the image's colour profile and EXIF"):
        copy(reader(RGB, metadata=metadata), tmp_path / "out.bmp")


def test_strip_leaves_the_profile_alone(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x010F] = "Maker"
    options = {"exif": exif, "icc_profile": b"a profile", "dpi": (300, 300)}
    Image.fromarray(RGB).save(tmp_path / "in.jpg", comment="hello", **options)
    copy(open_image(str(tmp_path / "in.jpg")), tmp_path / "out.jpg", strip=True)
    with Image.open(tmp_path / "out.jpg") as image:
        assert image.info["icc_profile"] == b"a profile"
        assert not image.getexif()
        assert "comment" not in image.info


def test_quality_and_compression_reach_the_file(tmp_path: Path) -> None:
    smooth = np.add.outer(np.arange(80), np.arange(90)).astype(np.uint8)[..., None].repeat(3, 2)
    smooth += RNG.integers(0, 20, smooth.shape, dtype=np.uint8)
    sizes = []
    for name, options in {
        "a.jpg": {"quality": 5}, "b.jpg": {"quality": 100}, "c.webp": {"quality": 5},
        "d.webp": {"quality": 100}, "e.png": {"compression": "9"}, "f.png": {"compression": "0"},
        "g.tif": {"compression": "deflate"}, "h.tif": {"compression": "none"},
    }.items():  # fmt: skip
        copy(reader(smooth), tmp_path / name, **options)
        sizes.append((tmp_path / name).stat().st_size)
    assert all(small < large for small, large in zip(sizes[::2], sizes[1::2], strict=True)), sizes


def test_a_jpeg_keeps_its_tables_and_sampling(tmp_path: Path) -> None:
    for subsampling in ("4:4:4", "4:2:2", "4:2:0"):
        Image.fromarray(RGB).save(tmp_path / "in.jpg", quality=37, subsampling=subsampling)
        copy(open_image(str(tmp_path / "in.jpg")), tmp_path / "out.jpg")
        with Image.open(tmp_path / "in.jpg") as a, Image.open(tmp_path / "out.jpg") as b:
            assert a.quantization == b.quantization
            assert a.layer == b.layer


@pytest.mark.parametrize("name", ["png", "jpeg", "webp", "tiff", "ppm", "npy"])
def test_stdout_takes_the_format_of_the_input(
    name: str, tmp_path: Path, capsysbinary: pytest.CaptureFixture
) -> None:
    source = tmp_path / f"in{FORMATS[name].suffixes[0]}"
    copy(reader(RGB), source)
    copy(open_image(str(source)), "-")
    (tmp_path / "out").write_bytes(capsysbinary.readouterr().out)
    with open_image(str(tmp_path / "out")) as image:
        assert image.storage.format == name
        assert image.layout.channels == 3


def test_stdout_needs_a_format_that_can_be_written(tmp_path: Path) -> None:
    Image.fromarray(RGB).save(tmp_path / "in.gif")
    with pytest.raises(InvalidArgument, match="gif cannot be written; name a --format"):
        copy(open_image(str(tmp_path / "in.gif")), "-")


def test_closed_or_terminal_stdout_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.TextIOWrapper(io.BytesIO())
    monkeypatch.setattr(terminal, "isatty", lambda: True, raising=False)
    for replacement in (None, terminal):
        monkeypatch.setattr(sys, "stdout", replacement)
        with pytest.raises(InvalidArgument, match=r"OUTPUT is -, but stdout"):
            copy(reader(RGB), "-", format="png")


# In place at once, or not at all.


def test_existing_file_is_replaced_and_keeps_permissions_and_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real.png", tmp_path / "link.png"
    real.write_bytes(b"old")
    real.chmod(0o640)
    link.symlink_to("real.png")
    with real.open("rb") as still_open:
        copy(reader(RGB), link)
        assert still_open.read() == b"old"
    assert link.is_symlink()
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    np.testing.assert_array_equal(decode(real), RGB)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.png", "real.png"]


@pytest.mark.parametrize("name", ["png", "jpeg", "tiff", "webp", "ppm", "npy", "exr", "pfm"])
def test_a_full_disk_leaves_everything_as_it_was(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Refused by the last step, which is the first to notice on some file systems."""

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    target = tmp_path / f"out{FORMATS[name].suffixes[0]}"
    target.write_bytes(b"old")
    before = threading.active_count()
    pixels = FLOAT if name in ("exr", "pfm") else RGB
    with pytest.raises(ImageWriteError, match=r"out.\w+: cannot be written: No space left"):
        copy(reader(pixels), target)
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == [target.name]
    assert threading.active_count() == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("name", ["png", "jpeg", "tiff", "webp", "ppm", "npy", "bmp"])
def test_a_device_that_is_full_is_told(name: str) -> None:
    large = np.tile(RGB, (40, 30, 1))
    before = threading.active_count()
    with pytest.raises(ImageWriteError, match="/dev/full: cannot be written: No space left"):
        copy(reader(large), "/dev/full", format=name, rows=16)
    assert threading.active_count() == before


def test_an_error_while_filtering_leaves_nothing_behind(tmp_path: Path) -> None:
    image = reader(np.tile(RGB, (40, 30, 1)))
    before = threading.active_count()
    with (
        pytest.raises(KeyError),
        image,
        create_image(str(tmp_path / "out.png"), image, inputs=[], jobs=2) as writer,
    ):
        writer.begin(image)
        for window in plan(image.height, image.width, 100, 100):
            if window.row_off:
                raise KeyError
            writer.write(window, image.read(window))
    assert not list(tmp_path.iterdir())
    assert threading.active_count() == before


def test_target_that_cannot_be_a_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ImageWriteError, match="the folder .*nowhere does not exist"):
        copy(reader(RGB), tmp_path / "nowhere" / "out.png")
    with pytest.raises(ImageWriteError, match="File name too long"):
        copy(reader(RGB), tmp_path / ("x" * 300 + ".png"))
    with pytest.raises(ImageWriteError, match="out.webp: cannot be encoded as webp"):
        copy(reader(np.zeros((1, 17000, 3), np.uint8)), tmp_path / "out.webp")
    assert not list(tmp_path.iterdir())


def test_devices_and_pipes_are_written_directly() -> None:
    copy(reader(RGB), "/dev/null", format="png")
    assert not Path("/dev/null").is_file()
    for name in ("png", "tiff"):
        out, into = os.pipe()
        copy(reader(RGB), f"/dev/fd/{into}", format=name)
        os.close(into)
        with os.fdopen(out, "rb") as pipe:
            np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(pipe.read()))), RGB)
