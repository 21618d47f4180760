"""Maps that people bring and that are not what they seem: made use of, or refused with a reason."""

from __future__ import annotations

import os
import shlex
import threading
from pathlib import Path

import numpy as np
import pytest
import tifffile
from arrays import reader
from click.testing import CliRunner, Result
from PIL import Image
from scipy import ndimage

from svfilter.cli import cli
from svfilter.errors import InvalidArgument
from svfilter.images.reading import open_image
from svfilter.maps import Channel, Maps, Percent, Ramp, Shaped, Shaping
from svfilter.maps.levels import Level
from svfilter.maps.written import bind_all, read_source
from svfilter.tiles import Window, plan

HEIGHT, WIDTH = 41, 53


@pytest.fixture(autouse=True)
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator) -> None:
    """Work in a folder with an image and a mask."""
    monkeypatch.chdir(tmp_path)
    Image.fromarray(rng.integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)).save("in.png")
    mask = rng.random((HEIGHT, WIDTH)) < 0.5
    Image.fromarray(mask).convert("L").save("mask.png")
    np.save("mask.npy", mask.astype(np.float32))


def run(command: str) -> Result:
    return CliRunner().invoke(cli, shlex.split(command), catch_exceptions=False)


def levels_of(level: Level, pixels: np.ndarray, boundary: str = "replicate") -> np.ndarray:
    """Give a level's values, read in small windows."""
    found = np.full((HEIGHT, WIDTH), np.nan, np.float32)
    with Maps([Ramp("m", 1.0, 0.0, level)], reader(pixels), open_image, boundary=boundary) as maps:
        for window in plan(HEIGHT, WIDTH, 7, 20):
            found[window.rows, window.cols] = maps.read(window)["m"][0]
    return found


@pytest.mark.parametrize("sigma", [0.3, 2.0, 20.0])
@pytest.mark.parametrize("invert", [False, True])
@pytest.mark.parametrize("text", ["mask.npy", "1-m", "m*m", "linear(angle=33, feather=0)"])
def test_what_lies_in_0_to_1_does_so_smoothed(text: str, invert: bool, sigma: float) -> None:
    """Whatever smoothing is off by."""
    source = read_source(text, {"m": Channel("mask.npy")})
    pixels = np.zeros((HEIGHT, WIDTH), np.uint8)
    plain = levels_of(source, pixels).astype(float)
    got = levels_of(Shaped(source, Shaping(smooth=sigma, invert=invert)), pixels)
    expected = ndimage.gaussian_filter(plain, sigma, mode="nearest", truncate=4)
    np.testing.assert_allclose(got, 1 - expected if invert else expected, rtol=0, atol=2.6e-4)
    assert 0 <= got.min() <= got.max() <= 1


@pytest.mark.parametrize("boundary", ["circular", "reflect"])
@pytest.mark.parametrize(
    "level",
    [Channel(None, "edges"), Shaped(Channel(), Shaping(smooth=3.0)), Channel("mask.npy", "edges")],
    ids=["edges", "smoothed", "edges of a file"],
)
def test_beyond_the_image_a_map_goes_on_as_the_image_does(
    level: Level, boundary: str, rng: np.random.Generator
) -> None:
    pixels = rng.integers(0, 256, (HEIGHT, WIDTH), dtype=np.uint8)
    got = levels_of(level, pixels, boundary)
    values = np.load("mask.npy").astype(float) if level.sources else pixels / 255.0
    around = np.pad(values, 40, mode="wrap" if boundary == "circular" else "reflect")
    if isinstance(level, Shaped):
        wide = ndimage.gaussian_filter(around, 3, mode="nearest", truncate=4)
    else:
        slopes = [ndimage.sobel(around, axis, mode="nearest") / 4 for axis in (0, 1)]
        wide = np.minimum(np.hypot(*slopes), 1)
    np.testing.assert_allclose(got, wide[40:-40, 40:-40], rtol=0, atol=2.6e-4)


def test_infinities_may_be_cut_and_nan_be_replaced() -> None:
    depth = np.linspace(0, 1, HEIGHT * WIDTH, dtype=np.float32).reshape(HEIGHT, WIDTH)
    depth[0, :3] = np.inf, -np.inf, np.nan
    np.save("depth.npy", depth)
    np.save("finite.npy", np.where(np.isnan(depth), np.float32(0), depth))
    for source, remedied in (
        ("depth.npy --map-clip 0,1", False),
        ("finite.npy --map-clip 0,1", True),
        ("'min(max(d, 0), 1)'", False),
        ("'where(d == d, min(max(d, 0), 1), 0)'", True),
    ):
        bound = " --map d=depth.npy" if "d," in source else ""
        done = run(f"blur in.png map.tif --show-map --sigma 1 --sigma-map {source}{bound}")
        assert (done.exit_code == 0) is remedied, done.output
        if not remedied:
            assert "in row 0, column 2 it is nan; cut infinities with --map-clip" in done.output
            continue
        got = tifffile.imread("map.tif")
        assert got[0, :3].tolist() == [1, 0, 0]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_is_not_opened_twice(tmp_path: Path) -> None:
    os.mkfifo("pipe")
    done = run("blur in.png out.png --sigma-map=pipe --map-range 1%,99%")
    assert done.exit_code == 2
    assert "pipe: a map that is piped in can be read once only" in done.output
    tifffile.imwrite("pages.tif", np.zeros((3, HEIGHT, WIDTH), np.uint8), photometric="minisblack")
    writer = threading.Thread(target=lambda: Path("pipe").write_bytes(b""), daemon=True)
    for source in ("-", "pipe"):
        done = run(f"blur pages.tif out.tif --sigma-map={source}")
        assert done.exit_code == 2
        assert "pages.tif: holds 3 pages, but " in done.output
        assert "can be read once only; choose one with --page" in done.output
    assert not writer.is_alive()


@pytest.mark.parametrize("source", ["-q", "--invert", "-0.5+r", "-:r", "-dash.png"])
@pytest.mark.parametrize("show", ["", "show "])
def test_a_source_that_looks_like_an_option_is_refused(show: str, source: str) -> None:
    done = run(f"{show}blur in.png out.png --sigma-map={source}")
    assert done.exit_code == 2
    assert f"--sigma-map cannot take '{source}', which looks like an option: write 0{source}" in (
        " ".join(done.output.split())
    )


def test_a_large_map_of_a_small_image_takes_no_more_than_the_map() -> None:
    Image.new("L", (800, 600)).save("large.png")
    image = reader(np.zeros((1, 2), np.uint8))
    with pytest.warns(match="resized"):
        maps = Maps([Ramp("m", 1.0, 0.0, Channel("large.png"))], image, open_image)
    with maps:
        assert maps.fixed_bytes < 2 * 600 * 9 * 800 + 2**23


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ("--sigma-map=mask.png --map-range 100%,0.5", "mask.png: levels are stretched from the "),
        ("--sigma-map=r --map-range 50%,50%", "but 50% is not below 50%"),
        ("--sigma-map=1-d --map d=mask.png --map d=in.png", "the name 'd' is given to two maps"),
        ("--sigma-map=1-mask2.png", "'1-mask2.png' ends as the name of a file does, but there"),
        ("--sigma-map=d.r --map d=mask.png", "'d.r' ends as the name of a file does, but there"),
        ("--sigma-map=0.5*d.r --map d=mask.png", "ends as the name of a file does, but there"),
    ],
)
def test_what_goes_wrong_is_named(given: str, words: str) -> None:
    done = run(f"blur in.png out.png {given}")
    assert done.exit_code == 2
    assert words in " ".join(done.output.split())


@pytest.mark.parametrize("text", ["x", "y", "0.5", "1", ".25", "1."])
def test_a_number_or_a_place_is_no_file(text: str) -> None:
    Image.new("L", (2, 2)).save("some.png")
    Path("some.png").rename(text)
    assert read_source(text).sources == ()
    assert read_source(f"./{text}") == Channel(f"./{text}")


def test_names_are_given_once() -> None:
    assert bind_all(["d=mask.png", "e=in.png:r"]) == {
        "d": Channel("mask.png"),
        "e": Channel("in.png", "r"),
    }
    with pytest.raises(InvalidArgument, match="the name 'd' is given to two maps"):
        bind_all(["d=mask.png", "e=in.png:r", "d=in.png"])


def test_a_warning_is_heard_once() -> None:
    Image.new("RGB", (WIDTH // 2, HEIGHT), (9, 99, 199)).save("ellipses.png")
    done = run("blur in.png out.png --sigma-x 3 --sigma-y 1 --ellipse-map ellipses.png")
    assert done.exit_code == 0
    assert done.stderr.count("resized to the image's") == 1


def test_pages_that_are_not_looked_at_are_warned_of(rng: np.random.Generator) -> None:
    pages = rng.integers(0, 256, (3, HEIGHT, WIDTH), dtype=np.uint8)
    tifffile.imwrite("pages.tif", pages, photometric="minisblack")
    done = run("blur in.png out.png --sigma-map=pages.tif")
    assert "pages.tif: holds 3 images, of which the first is the map" in done.stderr
    for command in ("blur --show-map pages.tif map.tif --sigma-map", "show pages.tif m.png"):
        done = run(command)
        assert done.exit_code == 0
        assert "pages.tif: holds 3 images, of which the first is shown; --page takes" in done.stderr


@pytest.mark.parametrize(("focus", "warned"), [(-0.1, True), (0.5, False), (7.0, True)])
def test_a_focus_where_nothing_is_is_warned_of(focus: float, warned: bool) -> None:
    done = run(f"lens in.png out.png --depth mask.png --focus {focus} --aperture 3")
    assert done.exit_code == 0
    assert ("mask.png: the depth is 0 to 1, nowhere at the focus" in done.stderr) is warned


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full disk here")
@pytest.mark.parametrize(
    "command", ["show in.png full.png --sigma 2", "compare in.png in.png full.png"]
)
def test_a_picture_on_a_full_disk_is_named(command: str) -> None:
    Path("full.png").symlink_to("/dev/full")
    done = run(command)
    assert done.exit_code == 1
    assert "full.png: cannot be written: No space left on device" in done.output


def test_show_knows_no_such_filter() -> None:
    done = run("show focus in.png out.png")
    assert done.exit_code == 2
    assert "No filter is named 'focus'; there are apply, blur, lens" in done.output


def test_ends_are_found_where_smoothing_reaches_far(rng: np.random.Generator) -> None:
    pixels = rng.integers(0, 256, (200, 9), dtype=np.uint8)
    level = Shaped(Channel(), Shaping(smooth=30.0, stretch=(Percent(0), Percent(100))))
    with Maps(
        [Ramp("m", 1.0, 0.0, level)], reader(pixels), open_image, lambda: reader(pixels)
    ) as m:
        got = m.read(Window(0, 0, 200, 9))["m"]
    assert (got.min(), got.max()) == (0, 1)
