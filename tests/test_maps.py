"""Where sigma comes from: values follow their equations exactly."""

from __future__ import annotations

from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import tifffile
from arrays import reader
from PIL import Image

from svfilter.errors import InvalidArgument, SvfilterWarning
from svfilter.images.reading import ImageReader, open_image
from svfilter.maps import INTENSITY, MapSpec, open_map
from svfilter.tiles import Window, plan


def read(spec: MapSpec, image: ImageReader, window: Window | None = None) -> np.ndarray:
    with ExitStack() as opened:
        got = open_map(spec, image, lambda name: opened.enter_context(open_image(name)))
        return np.asarray(got.read(window or image.whole))


@pytest.fixture
def rgb(rng: np.random.Generator) -> np.ndarray:
    pixels = rng.integers(0, 256, (5, 7, 3), dtype=np.uint8)
    pixels[0, 0], pixels[0, 1] = 0, 255
    return pixels


def luma(rgb: np.ndarray) -> np.ndarray:
    return (0.2126 * rgb[..., 0] + 0.7152 * rgb[..., 1] + 0.0722 * rgb[..., 2]) / 255.0


def test_without_a_source_the_value_is_the_number(rgb: np.ndarray) -> None:
    assert read(MapSpec(high=3.5), reader(rgb)) == 3.5


def test_intensity_is_rec_709_luma_of_the_encoded_values(rgb: np.ndarray) -> None:
    got = read(MapSpec(high=8, low=1, source=INTENSITY), reader(rgb))
    assert got.shape == (1, 5, 7)
    np.testing.assert_allclose(got[0], 1 + 7 * luma(rgb), rtol=0, atol=2e-6)
    assert got[0, 0, 0] == 1  # black is sigma-min and white is sigma, exactly
    assert got[0, 0, 1] == 8


@pytest.mark.parametrize("per_channel", [False, True])
def test_intensity_is_weighted_by_alpha(per_channel: bool, rgb: np.ndarray) -> None:
    """What is transparent has no colour that could drive anything."""
    alpha = np.linspace(0, 255, 35).astype(np.uint8).reshape(5, 7)
    spec = MapSpec(high=8, source=INTENSITY, per_channel=per_channel)
    got = read(spec, reader(np.dstack([rgb, alpha])))
    colours = 8 * (rgb / 255.0).transpose(2, 0, 1) * (alpha / 255)
    shared = 8 * luma(rgb)[None] * (alpha / 255)
    expected = np.concatenate([colours, shared]) if per_channel else shared
    np.testing.assert_allclose(got, expected, rtol=0, atol=2e-6)
    premultiplied = np.dstack([rgb / 255.0 * (alpha / 255)[..., None], alpha / 255])
    got = read(spec, reader(premultiplied.astype(np.float32), alpha="associated"))
    np.testing.assert_allclose(got, expected, rtol=0, atol=2e-6)


def test_intensity_of_inks_is_what_they_leave() -> None:
    inks = np.array([[[0, 0, 0, 0], [255, 255, 255, 0], [0, 0, 0, 255], [0, 255, 0, 127]]], "u1")
    got = read(MapSpec(high=1, source=INTENSITY), reader(inks, colour="cmyk", alpha=""))
    expected = [1, 0, 0, (1 - 0.7152) * (1 - 127 / 255)]
    np.testing.assert_allclose(got[0, 0], expected, rtol=0, atol=2e-6)


def test_intensity_of_bands_is_refused(rng: np.random.Generator) -> None:
    bands = rng.random((5, 7, 6)).astype(np.float32)
    with pytest.raises(InvalidArgument, match="intensity of 6 bands is not defined"):
        read(MapSpec(high=1, source=INTENSITY), reader(bands))
    spec = MapSpec(high=1, source=INTENSITY, per_channel=True)
    np.testing.assert_array_equal(read(spec, reader(bands)), bands.transpose(2, 0, 1))


def test_per_channel_each_channel_drives_itself_and_alpha_follows_luma(rgb: np.ndarray) -> None:
    spec = MapSpec(high=8, source=INTENSITY, per_channel=True)
    expected = 8 * (rgb.transpose(2, 0, 1) / 255.0)
    np.testing.assert_allclose(read(spec, reader(rgb)), expected, rtol=0, atol=2e-6)
    opaque = np.dstack([rgb, np.full((5, 7), 255, np.uint8)])
    got = read(spec, reader(opaque))
    np.testing.assert_allclose(got[:3], expected, rtol=0, atol=2e-6)
    np.testing.assert_allclose(got[3], 8 * luma(rgb), rtol=0, atol=2e-6)


def test_invert_comes_before_gamma() -> None:
    grey = np.array([[0, 51, 255]], np.uint8)
    got = read(MapSpec(high=10, source=INTENSITY, invert=True, gamma=2), reader(grey))
    np.testing.assert_allclose(got, [[[10, 10 * 0.8**2, 0]]], rtol=0, atol=2e-6)


def test_a_window_gives_the_same_values_as_the_whole(rgb: np.ndarray) -> None:
    spec = MapSpec(high=8, low=0.3, source=INTENSITY, gamma=0.7)
    part = read(spec, reader(rgb), Window(1, 2, 3, 4))
    np.testing.assert_array_equal(part, read(spec, reader(rgb))[:, 1:4, 2:6])


@pytest.mark.parametrize(
    ("dtype", "top"), [(np.uint8, 255), (np.uint16, 65535), (np.float32, 1.0)], ids=str
)
def test_a_map_image_keeps_its_depth(
    dtype: type, top: float, tmp_path: Path, rng: np.random.Generator
) -> None:
    levels = (rng.random((5, 7)) * top).astype(dtype)
    tifffile.imwrite(tmp_path / "map.tif", levels)
    spec = MapSpec(high=6, low=2, source=str(tmp_path / "map.tif"))
    got = read(spec, reader(np.zeros((5, 7, 3), np.uint8)))
    np.testing.assert_allclose(got[0], 2 + 4 * (levels / top), rtol=0, atol=2e-6)


def test_a_map_is_turned_upright_like_the_image(tmp_path: Path, rng: np.random.Generator) -> None:
    levels = rng.integers(0, 256, (7, 5), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned by 90 degrees clockwise
    Image.fromarray(levels).save(tmp_path / "map.png", exif=exif)
    got = read(MapSpec(high=255, source=str(tmp_path / "map.png")), reader(np.zeros((5, 7), "u1")))
    np.testing.assert_allclose(got[0], np.rot90(levels, -1), rtol=0, atol=1e-4)


def test_a_map_of_another_size_is_resized_with_a_warning(tmp_path: Path) -> None:
    ramp = np.linspace(0, 255, 40).astype(np.uint8)[None].repeat(20, axis=0)
    Image.fromarray(ramp).save(tmp_path / "map.png")
    with pytest.warns(SvfilterWarning, match=r"map.png: .* 40 x 20 .* resized .* 80 x 60"):
        got = read(
            MapSpec(high=1, source=str(tmp_path / "map.png")), reader(np.zeros((60, 80), "u1"))
        )
    assert got.shape == (1, 60, 80)
    assert 0 <= got.min() <= got.max() <= 1
    inner = got[0, :, 2:-2]
    np.testing.assert_allclose(inner, inner[:1].repeat(60, axis=0), atol=1e-6)
    np.testing.assert_allclose(np.diff(inner[0]), 1 / 78, atol=4e-3)  # a ramp stays a ramp


def test_a_map_with_alpha_is_weighted_by_it(tmp_path: Path) -> None:
    Image.new("LA", (8, 4), (255, 51)).save(tmp_path / "map.png")
    got = read(MapSpec(high=1, source=str(tmp_path / "map.png")), reader(np.zeros((4, 8), "u1")))
    np.testing.assert_allclose(got, np.full((1, 4, 8), 0.2), rtol=0, atol=1e-6)


def test_a_map_that_is_stretched_is_warned_about(tmp_path: Path) -> None:
    Image.new("L", (5, 5), 255).save(tmp_path / "map.png")
    with pytest.warns(SvfilterWarning, match="resized to the image's 8 x 4, which changes its"):
        got = read(
            MapSpec(high=1, source=str(tmp_path / "map.png")), reader(np.zeros((4, 8), "u1"))
        )
    np.testing.assert_array_equal(got, np.ones((1, 4, 8)))


@pytest.mark.filterwarnings("ignore:.*resized")
@pytest.mark.parametrize("size", [(7, 9), (40, 60), (200, 150), (1000, 3)])
@pytest.mark.parametrize("rows", [1, 50, 64, 100])
def test_a_resized_map_does_not_depend_on_the_windows(
    size: tuple[int, int], rows: int, tmp_path: Path, rng: np.random.Generator
) -> None:
    levels = rng.random(size).astype(np.float32)
    tifffile.imwrite(tmp_path / "map.tif", levels)
    image, spec = np.zeros((170, 90), "u1"), MapSpec(high=1, source=str(tmp_path / "map.tif"))
    whole = read(spec, reader(image))
    with open_image(str(tmp_path / "map.tif")) as source:
        parameter = open_map(spec, reader(image), lambda name: source)
        for window in plan(170, 90, rows, 40):
            np.testing.assert_array_equal(
                parameter.read(window), whole[:, window.rows, window.cols]
            )
            if window.col_off + window.width == 90:
                parameter.let_go(window.row_off + window.height)
    # Only the places differ by rounding from those in a resize of all rows at once.
    at_once = Image.fromarray(levels).resize((90, 170), Image.Resampling.BILINEAR)
    np.testing.assert_allclose(whole[0], np.asarray(at_once).clip(0, 1), atol=3e-6)


@pytest.mark.parametrize("bad", [1.5, -0.25, np.nan])
def test_floats_beyond_0_to_1_are_refused(bad: float, tmp_path: Path) -> None:
    levels = np.full((4, 4), 0.5, np.float32)
    levels[2, 1] = bad
    tifffile.imwrite(tmp_path / "map.tif", levels)
    with pytest.raises(InvalidArgument, match=r"map.tif: a map's values must lie in 0 to 1"):
        read(MapSpec(high=1, source=str(tmp_path / "map.tif")), reader(np.zeros((4, 4), "u1")))
    with pytest.raises(InvalidArgument, match=r"image.png: a map's values must lie in 0 to 1"):
        read(MapSpec(high=1, source=INTENSITY), reader(levels))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_luma_of_integers_is_the_nearest_float(dtype: type, rng: np.random.Generator) -> None:
    top = np.iinfo(dtype).max
    pixels = rng.integers(0, top, (60, 70, 3), dtype, endpoint=True)
    pixels[0, :2] = [[0, 0, 0], [top, top, top]]
    got = read(MapSpec(high=1, source=INTENSITY), reader(pixels))[0]
    shares = [Fraction(2126, 10000), Fraction(7152, 10000), Fraction(722, 10000)]
    for y, x in np.ndindex(3, 70):
        exact = sum(s * int(v) for s, v in zip(shares, pixels[y, x], strict=True)) / top
        assert got[y, x] == np.float32(float(exact))
