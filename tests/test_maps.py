"""Where sigma comes from: values follow their equations exactly."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import tifffile
from arrays import reader
from PIL import Image

from svfilter import Gaussian
from svfilter.errors import InvalidArgument, SvfilterWarning
from svfilter.images import reading
from svfilter.images.reading import ImageReader, open_image
from svfilter.maps import Channel, Driver, EachChannel, Maps, Ramp, Shaped, Shaping, Spin
from svfilter.pipeline import filter_file
from svfilter.tiles import Window, plan


def read(spec: Ramp, image: ImageReader, window: Window | None = None) -> np.ndarray:
    with Maps([spec], image, open_image) as maps:
        return np.asarray(maps.read(window or image.whole)["sigma"])


@pytest.fixture
def rgb(rng: np.random.Generator) -> np.ndarray:
    pixels = rng.integers(0, 256, (5, 7, 3), dtype=np.uint8)
    pixels[0, 0], pixels[0, 1] = 0, 255
    return pixels


def luma(rgb: np.ndarray) -> np.ndarray:
    return (0.2126 * rgb[..., 0] + 0.7152 * rgb[..., 1] + 0.0722 * rgb[..., 2]) / 255.0


def test_without_a_source_the_value_is_the_number(rgb: np.ndarray) -> None:
    assert read(Ramp("sigma", high=3.5), reader(rgb)) == 3.5


def test_intensity_is_rec_709_luma_of_the_encoded_values(rgb: np.ndarray) -> None:
    got = read(Ramp("sigma", high=8, low=1, level=Channel()), reader(rgb))
    assert got.shape == (1, 5, 7)
    np.testing.assert_allclose(got[0], 1 + 7 * luma(rgb), rtol=0, atol=2e-6)
    assert got[0, 0, 0] == 1  # black is sigma-min and white is sigma, exactly
    assert got[0, 0, 1] == 8


@pytest.mark.parametrize("per_channel", [False, True])
def test_intensity_is_weighted_by_alpha(per_channel: bool, rgb: np.ndarray) -> None:
    """What is transparent has no colour that could drive anything."""
    alpha = np.linspace(0, 255, 35).astype(np.uint8).reshape(5, 7)
    spec = Ramp("sigma", high=8, level=EachChannel() if per_channel else Channel())
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
    got = read(Ramp("sigma", high=1, level=Channel()), reader(inks, colour="cmyk", alpha=""))
    expected = [1, 0, 0, (1 - 0.7152) * (1 - 127 / 255)]
    np.testing.assert_allclose(got[0, 0], expected, rtol=0, atol=2e-6)


def test_intensity_of_bands_is_refused(rng: np.random.Generator) -> None:
    bands = rng.random((5, 7, 6)).astype(np.float32)
    with pytest.raises(InvalidArgument, match="intensity of 6 bands is not defined"):
        read(Ramp("sigma", high=1, level=Channel()), reader(bands))
    spec = Ramp("sigma", high=1, level=EachChannel())
    np.testing.assert_array_equal(read(spec, reader(bands)), bands.transpose(2, 0, 1))


def test_per_channel_each_channel_drives_itself_and_alpha_follows_luma(rgb: np.ndarray) -> None:
    spec = Ramp("sigma", high=8, level=EachChannel())
    expected = 8 * (rgb.transpose(2, 0, 1) / 255.0)
    np.testing.assert_allclose(read(spec, reader(rgb)), expected, rtol=0, atol=2e-6)
    opaque = np.dstack([rgb, np.full((5, 7), 255, np.uint8)])
    got = read(spec, reader(opaque))
    np.testing.assert_allclose(got[:3], expected, rtol=0, atol=2e-6)
    np.testing.assert_allclose(got[3], 8 * luma(rgb), rtol=0, atol=2e-6)


def test_invert_comes_before_gamma() -> None:
    grey = np.array([[0, 51, 255]], np.uint8)
    got = read(
        Ramp("sigma", high=10, level=Shaped(Channel(), Shaping(invert=True, gamma=2))), reader(grey)
    )
    np.testing.assert_allclose(got, [[[10, 10 * 0.8**2, 0]]], rtol=0, atol=2e-6)


def test_a_window_gives_the_same_values_as_the_whole(rgb: np.ndarray) -> None:
    spec = Ramp("sigma", high=8, low=0.3, level=Shaped(Channel(), Shaping(gamma=0.7)))
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
    spec = Ramp("sigma", high=6, low=2, level=Channel(str(tmp_path / "map.tif")))
    got = read(spec, reader(np.zeros((5, 7, 3), np.uint8)))
    np.testing.assert_allclose(got[0], 2 + 4 * (levels / top), rtol=0, atol=2e-6)


def test_a_map_is_turned_upright_like_the_image(tmp_path: Path, rng: np.random.Generator) -> None:
    levels = rng.integers(0, 256, (7, 5), dtype=np.uint8)
    exif = Image.Exif()
    exif[0x0112] = 6  # shown turned by 90 degrees clockwise
    Image.fromarray(levels).save(tmp_path / "map.png", exif=exif)
    got = read(
        Ramp("sigma", high=255, level=Channel(str(tmp_path / "map.png"))),
        reader(np.zeros((5, 7), "u1")),
    )
    np.testing.assert_allclose(got[0], np.rot90(levels, -1), rtol=0, atol=1e-4)


def test_a_map_of_another_size_is_resized_with_a_warning(tmp_path: Path) -> None:
    ramp = np.linspace(0, 255, 40).astype(np.uint8)[None].repeat(20, axis=0)
    Image.fromarray(ramp).save(tmp_path / "map.png")
    with pytest.warns(SvfilterWarning, match=r"map.png: .* 40 x 20 .* resized .* 80 x 60"):
        got = read(
            Ramp("sigma", high=1, level=Channel(str(tmp_path / "map.png"))),
            reader(np.zeros((60, 80), "u1")),
        )
    assert got.shape == (1, 60, 80)
    assert 0 <= got.min() <= got.max() <= 1
    inner = got[0, :, 2:-2]
    np.testing.assert_allclose(inner, inner[:1].repeat(60, axis=0), atol=1e-6)
    np.testing.assert_allclose(np.diff(inner[0]), 1 / 78, atol=4e-3)  # a ramp stays a ramp


def test_a_map_with_alpha_is_weighted_by_it(tmp_path: Path) -> None:
    Image.new("LA", (8, 4), (255, 51)).save(tmp_path / "map.png")
    got = read(
        Ramp("sigma", high=1, level=Channel(str(tmp_path / "map.png"))),
        reader(np.zeros((4, 8), "u1")),
    )
    np.testing.assert_allclose(got, np.full((1, 4, 8), 0.2), rtol=0, atol=1e-6)


def test_a_map_that_is_stretched_is_warned_about(tmp_path: Path) -> None:
    Image.new("L", (5, 5), 255).save(tmp_path / "map.png")
    with pytest.warns(SvfilterWarning, match="resized to the image's 8 x 4, which changes its"):
        got = read(
            Ramp("sigma", high=1, level=Channel(str(tmp_path / "map.png"))),
            reader(np.zeros((4, 8), "u1")),
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
    image, spec = (
        np.zeros((170, 90), "u1"),
        Ramp("sigma", high=1, level=Channel(str(tmp_path / "map.tif"))),
    )
    whole = read(spec, reader(image))
    with Maps([spec], reader(image), open_image) as maps:
        for window in plan(170, 90, rows, 40):
            np.testing.assert_array_equal(
                maps.read(window)["sigma"], whole[:, window.rows, window.cols]
            )
            if window.col_off + window.width == 90:
                maps.let_go(window.row_off + window.height)
    # Only the places differ by rounding from those in a resize of all rows at once.
    at_once = Image.fromarray(levels).resize((90, 170), Image.Resampling.BILINEAR)
    np.testing.assert_allclose(whole[0], np.asarray(at_once).clip(0, 1), atol=3e-6)


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize(
    ("bad", "rule"),
    [
        (1.5, "must lie in 0 to 1, but these are 0.5 to 1.5; stretch them with --map-range"),
        (-0.25, "must lie in 0 to 1, but these are -0.25 to 0.5"),
        (np.nan, "must be finite, but in row 2, column 1 it is nan"),
        (-np.inf, "must be finite, but in row 2, column 1 it is -inf"),
    ],
)
def test_floats_that_are_no_levels_are_refused(
    bad: float, rule: str, own: bool, tmp_path: Path
) -> None:
    levels = np.full((4, 4), 0.5, np.float32)
    levels[2, 1] = bad
    tifffile.imwrite(tmp_path / "map.tif", levels)
    level = Channel(None if own else str(tmp_path / "map.tif"))
    image = reader(levels if own else np.zeros((4, 4), "u1"))
    name = "image.png" if own else "map.tif"
    for window in (image.whole, Window(1, 1, 3, 2)):
        with pytest.raises(InvalidArgument, match=f"{name}: a map's values {rule}"):
            read(Ramp("sigma", high=1, level=level), image, window)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_luma_of_integers_is_the_nearest_float(dtype: type, rng: np.random.Generator) -> None:
    top = np.iinfo(dtype).max
    pixels = rng.integers(0, top, (60, 70, 3), dtype, endpoint=True)
    pixels[0, :2] = [[0, 0, 0], [top, top, top]]
    got = read(Ramp("sigma", high=1, level=Channel()), reader(pixels))[0]
    shares = [Fraction(2126, 10000), Fraction(7152, 10000), Fraction(722, 10000)]
    for y, x in np.ndindex(3, 70):
        exact = sum(s * int(v) for s, v in zip(shares, pixels[y, x], strict=True)) / top
        assert got[y, x] == np.float32(float(exact))


CHANNELS = [("r", 3), ("r", 4), ("g", 3), ("b", 4), ("a", 2), ("a", 4)]


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize(("channel", "count"), CHANNELS)
def test_a_channel_drives_in_place_of_luma(
    channel: str, count: int, own: bool, tmp_path: Path, rng: np.random.Generator
) -> None:
    pixels = rng.integers(0, 256, (7, 13, count), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "map.png")
    source = None if own else str(tmp_path / "map.png")
    got = read(Ramp("sigma", 8, 1, Channel(source, channel)), reader(pixels))
    at = count - 1 if channel == "a" else "rgb".index(channel)
    level = pixels[..., at] / 255.0
    if channel != "a" and count == 4:
        level = level * (pixels[..., 3] / 255.0)
    np.testing.assert_allclose(got, 1 + 7 * level[None], rtol=0, atol=2e-6)


@pytest.mark.parametrize(
    ("channel", "shape"), [("r", (4, 5)), ("a", (4, 5, 3)), ("g", (4, 5, 6)), ("x", (4, 5, 4))]
)
def test_a_channel_that_is_not_there_is_refused(channel: str, shape: tuple[int, ...]) -> None:
    image = reader(np.zeros(shape, np.uint8))
    with pytest.raises(InvalidArgument, match=f"image.png: has no channel '{channel}': it is"):
        read(Ramp("sigma", 8, level=Channel(None, channel)), image)


def test_a_file_that_drives_several_parameters_is_decoded_once(
    tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "block_rows", lambda decoder: 1)
    pixels = rng.integers(0, 256, (90, 7, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "map.png")
    name, seen = str(tmp_path / "map.png"), []

    def open_counted(source: str) -> ImageReader:
        seen.append(open_image(source))
        return seen[-1]

    drivers = [Ramp(channel, 255, level=Channel(name, channel)) for channel in "rgb"]
    with Maps(drivers, reader(np.zeros((90, 7), "u1")), open_counted) as maps:
        (source,) = seen
        assert maps.row_bytes == source.layout.row_bytes
        for window in plan(90, 7, 10, 7):
            for channel, values in maps.read(window).items():
                expected = pixels[window.rows, :, "rgb".index(channel)]
                np.testing.assert_allclose(values, expected[None], rtol=0, atol=1e-4)
            for opened in maps.opened[:2]:
                opened.let_go(window.row_off + 10)
            assert source._blocks[0][0] == window.row_off  # the third still holds its rows
            maps.opened[2].let_go(window.row_off + 10)
            assert not source._blocks or source._blocks[0][0] >= window.row_off + 10


@pytest.mark.parametrize("low", [0.1, 8.7])
@pytest.mark.parametrize("gamma", [1, 0.37])
def test_values_never_leave_their_span(low: float, gamma: float, rng: np.random.Generator) -> None:
    """An ulp more could be a radius more than what was planned for."""
    levels = rng.random((64, 300)).astype(np.float32)
    ramp = Ramp("sigma", high=8.7, low=low, level=Shaped(Channel(), Shaping(gamma=gamma)))
    got = read(ramp, reader(levels))
    least, most = ramp.gives["sigma"]
    assert np.float32(least) <= got.min() <= got.max() <= np.float32(most)


@pytest.mark.parametrize(
    ("drivers", "message"),
    [
        ([Ramp("sigma", 1), Ramp("sigma", 2)], "sigma is given by more than one map"),
        ([Ramp("length", 1)], "a map gives length, but what Gaussian can take .* is sigma"),
        ([Spin(3.0)], "a map gives length, but"),
    ],
)
def test_what_the_family_cannot_take_is_refused(drivers: list[Driver], message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        filter_file("missing.png", "out.png", Gaussian, drivers)
