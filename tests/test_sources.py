"""What a user writes as the source of a map, on the command line and in a file's result."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from click.testing import CliRunner, Result
from conftest import SAMPLES
from PIL import Image
from scipy import ndimage

from svfilter import Elliptical, Gaussian, KernelField, UnsharpMask, filter_image
from svfilter.cli import cli
from svfilter.cli.types import Ends
from svfilter.errors import InvalidArgument, SvfilterError
from svfilter.images import reading
from svfilter.images.reading import ImageReader
from svfilter.images.sources import Source
from svfilter.looking import site
from svfilter.looking.mapping import write_map
from svfilter.maps import Channel, Percent, Ramp
from svfilter.maps.written import WORDS, Expression, bind, read_source
from svfilter.request import Request

HEIGHT, WIDTH = 23, 31


@pytest.fixture(autouse=True)
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator) -> None:
    """Work in a folder with images."""
    monkeypatch.chdir(tmp_path)
    shape = HEIGHT, WIDTH
    deep = rng.integers(0, 65536, shape, dtype=np.uint16)
    images = {"in": (*shape, 3), "mattes": (*shape, 3), "mask": shape, "alpha": (*shape, 4)}
    for name, size in images.items():
        Image.fromarray(rng.integers(0, 256, size, dtype=np.uint8)).save(f"{name}.png")
    Image.fromarray(deep).save("depth.png")
    np.save("far.npy", (1 + 24 * (deep / 65535)).astype(np.float32))
    np.save("bands.npy", rng.random((*shape, 5)).astype(np.float32))
    np.save("nan.npy", np.where(deep < 6000, np.nan, 0.5).astype(np.float32))
    Image.new("L", (WIDTH, HEIGHT), 51).save("flat.png")
    Image.new("L", (5, 5), 51).save("small.png")


def run(command: str, **given: bytes) -> Result:
    return CliRunner().invoke(cli, shlex.split(command), catch_exceptions=False, **given)


def planes(name: str) -> np.ndarray:
    """Give an image's channels, [C, H, W] in float64, 0 to 1."""
    values = np.asarray(Image.open(name))
    return np.atleast_3d(values).transpose(2, 0, 1) / float(np.iinfo(values.dtype).max)


def depth() -> np.ndarray:
    return planes("depth.png")[0]


@pytest.mark.parametrize(
    ("text", "level"),
    [
        *((word, Channel(None, word)) for word in WORDS),
        ("depth.png", Channel("depth.png")),
        ("mattes.png:g", Channel("mattes.png", "g")),
        ("mattes.png:edges", Channel("mattes.png", "edges")),
        ("bands.npy:4", Channel("bands.npy", "4")),
        ("bands.npy:0", Channel("bands.npy", "0")),
        ("-", Channel("-")),
        ("-:b", Channel("-", "b")),
        ("-:edges", Channel("-", "edges")),
        ("missing.png", Channel("missing.png")),
        ("missing.png:blue", Channel("missing.png", "blue")),
        ("not there/missing-1.tiff:r", Channel("not there/missing-1.tiff", "r")),
        ("C:\\depth.png", Channel("C:\\depth.png")),
        ("bound", Channel("mask.png")),
        ("r.g", Channel("r.g")),
    ],
)
def test_a_source_is_what_it_looks_like(text: str, level: Channel) -> None:
    assert read_source(text, {"bound": Channel("mask.png")}) == level


@pytest.mark.parametrize("name", ["depth", "1-depth", "abs(depth)", "mattes.png:g", "r:g"])
def test_a_file_that_is_there_comes_first(name: str) -> None:
    Image.new("L", (2, 2)).save("x.png")
    Path("x.png").rename(name)
    assert read_source(name) == Channel(name)
    assert read_source(f"{name}:blue") == Channel(name, "blue")


def test_a_words_own_file_needs_a_path() -> None:
    Image.new("L", (2, 2)).save("x.png")
    Path("x.png").rename("max")
    assert read_source("max") == Channel(None, "max")
    assert read_source("./max") == Channel("./max")


def test_what_is_bound_comes_before_a_word() -> None:
    mask = Channel("mask.png")
    assert read_source("max", {"max": mask}) == mask
    assert dict(read_source("1 - hue", {"hue": mask}).levels) == {"hue": mask}


def test_an_expression_reads_what_it_names_once() -> None:
    bound = {"depth": Channel("depth.png"), "mask": Channel("mask.png", "r")}
    level = read_source("clip(2*abs(depth-0.4),0,1)*(1-mask)*r*depth", bound)
    assert isinstance(level, Expression)
    assert dict(level.levels) == {**bound, "r": Channel(None, "r")}
    assert level.sources == ("depth.png", "mask.png")
    assert level.own
    assert not read_source("1-depth", bound).own


@pytest.mark.parametrize("fit", ["bilinear", "nearest"])
def test_a_fit_is_that_of_all_files(fit: str) -> None:
    assert read_source("depth.png:r", fit=fit) == Channel("depth.png", "r", fit)
    assert bind("d=depth.png", fit) == ("d", Channel("depth.png", fit=fit))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("depth", "a map is bound as NAME=FILE, such as depth=depth.png, not as 'depth'"),
        ("=depth.png", "a map is bound as NAME=FILE"),
        ("d=", "a map is bound as NAME=FILE"),
        ("1d=depth.png", "a map's name is made of letters"),
        ("my map=depth.png", "a map's name is made of letters"),
        ("ünder=depth.png", "a map's name is made of letters"),
        ("x=depth.png", "'x' has a meaning of its own"),
        ("linear=depth.png", "'linear' has a meaning of its own"),
        ("hue=depth.png", "'hue' is the image's own"),
    ],
)
def test_a_name_that_cannot_be_is_refused(text: str, message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        bind(text)


def focused() -> np.ndarray:
    return 6 * np.minimum(1, 3 * abs(depth() - 0.3))


def banded() -> np.ndarray:
    y = np.arange(HEIGHT)[:, None] + np.zeros(WIDTH)
    return 6 * ((abs(y - 0.4 * (HEIGHT - 1)) - 0.1 * HEIGHT) / (0.5 * HEIGHT)).clip(0, 1)


def masked() -> np.ndarray:
    return 6 * (1 - planes("mask.png")[0])


def edges() -> np.ndarray:
    luma = np.tensordot([0.2126, 0.7152, 0.0722], planes("in.png"), axes=1)
    slopes = [ndimage.sobel(luma, axis, mode="nearest") / 4 for axis in (0, 1)]
    return 3 * ((np.minimum(np.hypot(*slopes), 1) - 0.1) / 0.3).clip(0, 1)


def two() -> np.ndarray:
    return 6 * np.clip(2 * abs(depth() - 0.4), 0, 1) * (1 - planes("mask.png")[0])


TASKS: dict[str, Callable[[], np.ndarray]] = {
    'blur in.png OUT --sigma 6 --sigma-map "linear(y=0.4, width=0.2, feather=0.5)"': banded,
    'blur in.png OUT --sigma 6 --sigma-map "min(1, 3*abs(z-0.3))" --map z=depth.png': focused,
    "blur in.png OUT --sigma 6 --sigma-map mask.png --invert": masked,
    "sharpen in.png OUT --amount 3 --amount-map edges --map-range 0.1,0.4": edges,
    "blur in.png OUT --sigma 6 --sigma-map mattes.png:g": lambda: 6 * planes("mattes.png")[1],
    'blur in.png OUT --sigma 6 --sigma-map "clip(2*abs(depth-0.4),0,1)*(1-mask)" '
    "--map depth=depth.png --map mask=mask.png": two,
}  # fmt: skip
"""What people ask for, each with the values that it stands for."""


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("tile", ["", " --tile 7"])
def test_a_task_is_one_command(task: str, tile: str) -> None:
    done = run(task.replace("OUT", "out.png") + " --exact" + tile)
    assert (done.exit_code, done.output) == (0, "")
    values = TASKS[task]()
    family = UnsharpMask(amount=values) if "sharpen" in task else Gaussian(sigma=values)
    expected = filter_image(planes("in.png"), KernelField(family)).clip(0, 1)
    error = np.abs(planes("out.png") - expected)
    assert error.max() <= 0.501 / 255


MISTAKES = {
    "--sigma-map mask.png:g": (2, "mask.png: has no channel 'g': it is 8-bit grey, of which there"),
    "--sigma-map a": (2, "in.png: has no channel 'a': it is 8-bit RGB, of which there are inten"),
    "--sigma-map bands.npy": (2, "bands.npy: the intensity of 5 bands is not defined; name one of"),
    "--sigma-map bands.npy:6": (2, "bands.npy: has no channel '6': it is 32-bit float 5 bands"),
    "--sigma-map mattes.png:blue": (2, "mattes.png: has no channel 'blue': it is 8-bit RGB, of"),
    "--sigma-map nan.npy": (2, "nan.npy: a map's values must be finite, but in row"),
    "--sigma-map 1-n --map n=nan.npy": (2, "'1-n': a map's values must be finite, but in row"),
    "--sigma-map 1/(d-d) --map d=depth.png": (2, "'1/(d-d)': a map's values must be finite, but"),
    "--sigma-map far.npy": (2, "far.npy: a map's values must lie in 0 to 1, but these are 1"),
    "--sigma-map 3*d --map d=depth.png": (2, "'3*d': a map's values must lie in 0 to 1, but the"),
    "--sigma-map far.npy --invert": (2, "far.npy: a map's values must lie in 0 to 1, but these"),
    "--sigma-map flat.png --map-range 0%,100%": (2, "flat.png: the map is 0.2 at every pixel"),
    "--sigma-map missing.png": (1, "missing.png: cannot be read: No such file"),
    "--sigma-map 1-d --map d=missing.png": (1, "missing.png: cannot be read: No such file"),
    "--sigma-map missing": (2, "no map is named 'missing'"),
    "--sigma-map 'missing (1)'": (2, "no function is named 'missing'"),
    "--sigma-map 'missing (1).png'": (2, "no function is named 'missing'"),
    "--sigma-map missing.png:blue": (1, "missing.png: cannot be read: No such file"),
    "--sigma-map mask.png:": (2, "no map is named 'mask'"),
    "--sigma-map depth --map dpeth=depth.png": (2, "did you mean 'dpeth'?"),
    "--sigma-map 1-r --map d=depth.png": (2, "--map d=... is not used: no expression has d."),
    "--sigma-map mask.png --map d=depth.png": (2, "--map d=... is not used: no expression has d."),
    "--sigma 3 --map d=depth.png": (2, "--map needs --sigma-map."),
    "--sigma-map 1-d --map d": (2, "Invalid value for '--map': a map is bound as NAME=FILE"),
    "--sigma 3 --map-range 0,1": (2, "--map-range needs --sigma-map."),
    "--sigma 3 --map-resize nearest": (2, "--map-resize needs --sigma-map."),
    "--sigma 3 --per-channel": (2, "--per-channel needs --sigma-map."),
    "--sigma-map - --map-range 0%,50%": (2, "'--map-range': stdin: a map that is piped in can be"),
    "--sigma-map=r --map-range 0.5,0.2": (2, "'--map-range': levels are stretched from the lower"),
    "--sigma-map=r --map-range 1": (2, "'--map-range': '1' is not a pair LOW,HIGH; write it like"),
    "--sigma-map=r --map-range 1,110%": (2, "a percentile must lie in 0% to 100%, but is 110%"),
    "--sigma-map=r --map-range 1,nan": (2, "'--map-range': 'nan' is not a finite number"),
    "--sigma-map=r --map-clip 0.5,0.2": (2, "'--map-clip': levels are cut to LOW,HIGH, but 0.5 is"),
    "--sigma-map=r --map-clip 1": (2, "'1' is not a pair LOW,HIGH; write it like 0.2,0.8\n"),
    "--sigma-map=r --map-range 1,2,3": (2, "is not a pair LOW,HIGH; write it like 0.2,0.8 or 1%,"),
    "--sigma-map=r --map-clip 1%,2%": (2, "'--map-clip': '1%' is not a valid float"),
    "--sigma-map=r --map-smooth 65": (2, "'--map-smooth': 65"),
    "--sigma-map=r --per-channel": (2, "--per-channel is for the pixel's own intensity, but --s"),
    "--sigma-map '2*'": (2, "  2*\n    ^"),
    "--sigma-map 2*": (2, "Invalid value for '--sigma-map': "),
}
"""What goes wrong with maps, and what is said of it."""


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_map_that_cannot_be_is_named(mistake: str) -> None:
    code, words = MISTAKES[mistake]
    done = run(f"blur in.png out.png {mistake}")
    assert done.exit_code == code
    assert words in done.output
    assert not Path("out.png").exists()


def test_kernels_that_are_not_of_the_images_size_are_named() -> None:
    np.save("taps.npy", np.ones((9, HEIGHT, WIDTH + 1)) / 9)
    done = run("apply in.png out.png --kernels taps.npy")
    assert done.exit_code == 2
    assert f"taps.npy: taps must have shape [9, {HEIGHT}, {WIDTH}] for an image" in done.output


@pytest.mark.parametrize(
    ("given", "warned"),
    [
        ("flat.png", "flat.png: the map is 0.2 at every pixel"),
        ("small.png", "small.png: the map of 5 x 5 pixels is resized"),
        ("small.png --map-resize nearest", "small.png: the map of 5 x 5 pixels is resized"),
        ("'0*d' --map d=depth.png", "'0*d': the map is 0 at every pixel"),
        ("0.5", "'0.5': the map is 0.5 at every pixel"),
        ("linear(width=9)", "'linear(width=9)': the map is 0 at every pixel"),
    ],
)
def test_what_is_odd_is_warned_of(given: str, warned: str | None) -> None:
    done = run(f"blur in.png out.png --sigma 2 --sigma-map {given}")
    assert done.exit_code == 0
    assert f"svfilter: warning: {warned}" in done.stderr if warned else not done.stderr


def test_all_maps_are_shaped_alike() -> None:
    """And a stretch is that of each map itself."""
    done = run(
        "blur in.png out.tif --bit-depth 32f --exact --sigma-x 4 --sigma-y 2 --sigma-x-map far.npy "
        "--sigma-y-map=r --map-range 0%,100% --invert"
    )
    assert done.exit_code == 0, done.output
    far, red = np.load("far.npy"), planes("in.png")[0]
    far, red = ((m - m.min()) / (m.max() - m.min()) for m in (far.astype(float), red))
    family = Elliptical(sigma_x=4 - 4 * far, sigma_y=2 - 2 * red, angle=0.0)
    expected = filter_image(planes("in.png"), KernelField(family))
    got = tifffile.imread("out.tif").transpose(2, 0, 1)
    np.testing.assert_allclose(got, expected, rtol=0, atol=2e-5)


@pytest.mark.parametrize(
    "shaping", ["--map-clip 2,20 --map-range 2,20", "--map-range 10%,90% --map-smooth 2 --invert"]
)
def test_a_depth_is_shaped_before_it_is_focused(shaping: str) -> None:
    command = "lens in.png map.tif --depth far.npy --focus 0.3 --aperture 9 --show-map"
    assert run(f"{command} {shaping}").exit_code == 0
    z = np.load("far.npy").astype(float)
    if "clip" in shaping:
        z = (z.clip(2, 20) - 2) / 18
    else:
        z = ndimage.gaussian_filter(z, 2, mode="nearest", truncate=4)
        ends = np.percentile(z, [10, 90], method="inverted_cdf")
        z = 1 - ((z - ends[0]) / (ends[1] - ends[0])).clip(0, 1)
    np.testing.assert_allclose(tifffile.imread("map.tif"), 9 * abs(z - 0.3), atol=0.02)


@pytest.mark.parametrize("name", ["in.png", "in.npy", "in.ppm", "in.tif"])
@pytest.mark.parametrize("redirected", [False, True])
def test_percentiles_of_what_is_piped_in(name: str, redirected: bool) -> None:
    """A pipe is read once, and copied for the second time."""
    pixels = np.asarray(Image.open("in.png"))
    if name == "in.npy":
        np.save(name, pixels)
    elif name == "in.tif":
        tifffile.imwrite(name, pixels)
    else:
        Image.fromarray(pixels).save(name)
    options = "--sigma 3 --sigma-map=intensity --map-range 10%,90%"
    assert run(f"blur {name} file.png {options}").exit_code == 0
    program = f"{shlex.quote(sys.executable)} -m svfilter blur - pipe.png {options}"
    command = f"{program} < {name}" if redirected else f"cat {name} | {program}"
    done = subprocess.run(
        ["bash", "-c", command], capture_output=True, check=False, env={**os.environ}
    )
    assert (done.returncode, done.stderr) == (0, b"")
    np.testing.assert_array_equal(*map(planes, ("file.png", "pipe.png")))


@pytest.mark.parametrize(
    ("command", "output", "expected"),
    [
        ("blur --sigma 4 --sigma-map=depth.png", "map.png", depth),
        ("blur --sigma 4 --sigma-map=depth.png", "map.tif", lambda: 4 * depth()),
        ("blur --sigma 4 --sigma-min 1 --sigma-map=depth.png", "map.npy", lambda: 1 + 3 * depth()),
        ("blur --sigma 4 --sigma-min 1 --sigma-map=depth.png", "map.bmp", depth),
        ("blur --sigma 4 --sigma-map=r --per-channel", "map.png", None),
        ("blur --sigma-map=intensity --per-channel", "map.png", lambda: planes("in.png")),
        ("blur --sigma 2 --sigma-map=intensity --per-channel --map-clip 0.2,0.7 --invert",
         "map.tif", lambda: 2 - 2 * planes("in.png").clip(0.2, 0.7)),
        ("blur --sigma-x 5 --sigma-y 2 --ellipse-map mattes.png --angle-min 0 --angle 90",
         "map.png", lambda: planes("mattes.png")),
        ("blur --sigma-x 1 --sigma-y 1 --ellipse-map mattes.png --angle-min 0 --angle 1 --invert "
         "--map-gamma 2", "map.tif", lambda: (1 - planes("mattes.png")) ** 2),
        ("sharpen --sigma 2 --sigma-map=mask.png --amount 3 --amount-map=r", "map.tif",
         lambda: np.stack([2 * planes("mask.png")[0], 3 * planes("in.png")[0]])),
    ],
)  # fmt: skip
def test_show_map_writes_the_map(
    command: str, output: str, expected: Callable[[], np.ndarray] | None
) -> None:
    done = run(f"{command} in.png {output} --show-map")
    assert (done.exit_code == 0) == (expected is not None)
    if expected is None:
        return
    if output.endswith((".png", ".bmp")):
        got, step = planes(output), 0.51 / (65535 if output.endswith(".png") else 255)
        if np.asarray(Image.open(output)).dtype == np.uint8:
            step = 0.51 / 255
        assert "black is" in done.stderr
    else:
        got = np.load(output) if output.endswith(".npy") else tifffile.imread(output)
        got, step = np.moveaxis(np.atleast_3d(got), -1, 0), 1e-5
    np.testing.assert_allclose(got, np.broadcast_to(expected(), got.shape), rtol=0, atol=step)


@pytest.mark.parametrize(
    "given",
    [
        "blur --sigma 1 --sigma-map two.png",
        "blur --sigma 1 --sigma-map 1-d --map d=two.png",
        "blur --sigma 1 --sigma-map d --map d=two.png",
        "lens --depth two.png --focus 0 --aperture 1",
        "blur --sigma-x 1 --sigma-y 1 --ellipse-map two.png --angle-min 0 --angle 1",
    ],
)
def test_a_map_is_fitted_as_it_was_asked_for(given: str) -> None:
    Image.fromarray(np.uint8([[[0] * 3, [255] * 3]])).save("two.png")
    for fit, mixed in (("", True), (" --map-resize bilinear", True), (" --map-resize nearest", 0)):
        assert run(f"{given} --show-map in.png map.tif{fit}").exit_code == 0
        assert (len(np.unique(tifffile.imread("map.tif"))) > 2) == mixed


def test_show_map_of_each_channel_has_no_alpha() -> None:
    """Its own kernels are those of the luma, which is no colour."""
    command = "blur alpha.png map.tif --sigma 2 --sigma-map=intensity --per-channel --show-map"
    assert run(command).exit_code == 0
    pixels, got = planes("alpha.png"), tifffile.imread("map.tif").transpose(2, 0, 1)
    np.testing.assert_allclose(got, 2 * pixels[:3] * pixels[3], atol=1e-5)


def test_show_map_of_bands_is_of_bands() -> None:
    command = "blur bands.npy map.npy --sigma 2 --sigma-map=intensity --per-channel --show-map"
    assert run(command).exit_code == 0
    np.testing.assert_allclose(np.load("map.npy"), 2 * np.load("bands.npy"), atol=1e-6)
    assert run(command.replace("map.npy", "map.tif")).exit_code == 0
    with tifffile.TiffFile("map.tif") as file:
        assert file.pages[0].photometric == tifffile.PHOTOMETRIC.MINISBLACK
        np.testing.assert_allclose(file.asarray(), 2 * np.load("bands.npy"), atol=1e-6)


def test_show_map_warns_of_what_is_odd() -> None:
    done = run("blur in.png map.tif --sigma 2 --sigma-map flat.png --show-map")
    assert "svfilter: warning: flat.png: the map is 0.2 at every pixel" in done.stderr


def test_two_parameters_for_each_channel_cannot_be_shown() -> None:
    maps = "--sigma 2 --sigma-map=intensity --amount 3 --amount-map=intensity --per-channel"
    done = run(f"sharpen in.png map.tif {maps} --show-map")
    assert done.exit_code == 2
    assert "sigma and amount vary, and for each channel by its own intensity" in done.output


def test_a_map_is_written_strip_by_strip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site, "_PIXELS", 5 * WIDTH)
    seen: list[tuple[int, int]] = []
    asked = Request(Gaussian, (Ramp("sigma", 4.0, 0.0, Channel("depth.png")),))
    spans, scaled = write_map(
        asked, "in.png", "map.tif", progress=lambda done, total: seen.append((done, total))
    )
    assert (spans, scaled) == ({"sigma": (0, 4)}, False)
    assert seen == [(WIDTH * row, WIDTH * HEIGHT) for row in (5, 10, 15, 20, 23)]
    np.testing.assert_allclose(tifffile.imread("map.tif"), 4 * depth(), atol=1e-5)
    with pytest.raises(SvfilterError, match="pixels"):
        write_map(asked, "in.png", "map.tif", max_pixels=WIDTH * HEIGHT - 1)


def test_a_page_is_stretched_by_its_own_percentiles() -> None:
    first, second = planes("mask.png")[0], planes("in.png")[0]
    tifffile.imwrite("two.tif", np.stack([first, second]).astype(np.float32))
    options = "--sigma 2 --sigma-map=intensity --map-range 10%,90%"
    assert run(f"blur two.tif map.tif {options} --show-map --page 2").exit_code == 0
    ends = np.percentile(second, [10, 90], method="inverted_cdf")
    sigma = 2 * ((second - ends[0]) / (ends[1] - ends[0])).clip(0, 1)
    np.testing.assert_allclose(tifffile.imread("map.tif"), sigma, atol=1e-3)
    assert run(f"blur two.tif both.tif {options} --exact").exit_code == 0
    assert run(f"blur two.tif one.tif {options} --exact --page 2").exit_code == 0
    np.testing.assert_array_equal(tifffile.imread("both.tif")[1], tifffile.imread("one.tif"))
    expected = filter_image(second[None], KernelField(Gaussian(sigma=sigma)))[0]
    np.testing.assert_allclose(tifffile.imread("one.tif"), expected, atol=1e-3)


def test_one_of_two_maps_may_be_of_each_channel() -> None:
    command = "sharpen in.png OUT --sigma 2 --sigma-map=r --amount 3 --amount-map=intensity"
    done = run(f"{command.replace('OUT', 'out.tif')} --per-channel --bit-depth 32f --exact")
    assert done.exit_code == 0, done.output
    pixels = planes("in.png")
    family = UnsharpMask(sigma=2 * pixels[:1], amount=3 * pixels)
    expected = filter_image(pixels, KernelField(family))
    got = tifffile.imread("out.tif").transpose(2, 0, 1)
    np.testing.assert_allclose(got, expected, rtol=0, atol=2e-5)


def test_ends_may_stand_apart_and_stay_as_they_are() -> None:
    pair = Percent(10), 0.9
    assert Ends(percent=True).convert(" 10% , 0.9 ", None, None) == pair
    assert Ends(percent=True).convert(pair, None, None) == pair


@pytest.mark.parametrize(
    "drive",
    [
        "blur --sigma 2 --sigma-map edges",
        "blur --sigma 2 --sigma-map 1-edges",
        "blur --sigma 2 --sigma-map r --map-smooth 3",
        "lens --mode gather --depth edges --focus 0.5 --aperture 5",
        "lens --depth depth.png --focus 0.5 --aperture 5",
        "lens --depth depth.png --focus 0.5 --aperture 5 --map-smooth 2 --occlusion",
    ],
)
def test_no_row_is_let_go_that_a_later_window_needs(
    drive: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "block_rows", lambda decoder: 1)
    for tile in (4, 99):
        done = run(f"{drive} --exact in.png out{tile}.tif --bit-depth 32f --tile {tile}")
        assert done.exit_code == 0, done.output
    np.testing.assert_allclose(*(tifffile.imread(f"out{t}.tif") for t in (4, 99)), atol=1e-5)


@pytest.mark.parametrize(("drive", "most"), [("edges", 3), ("intensity", 1), ("map.png", 1)])
def test_no_row_is_held_that_no_window_needs(
    drive: str, most: int, monkeypatch: pytest.MonkeyPatch, rng: np.random.Generator
) -> None:
    """While one window is filtered, the next is gathered."""
    monkeypatch.setattr(reading, "block_rows", lambda decoder: 1)
    held: dict[str, int] = {}
    rows, tile, reach = ImageReader._rows, 8, 8

    def watched(self: ImageReader, start: int, stop: int) -> np.ndarray:
        held[self.name] = max(held.get(self.name, 0), sum(len(b) for _, b in self._blocks))
        return rows(self, start, stop)

    monkeypatch.setattr(ImageReader, "_rows", watched)
    for name in ("tall.png", "map.png"):
        Image.fromarray(rng.integers(0, 256, (300, 5), dtype=np.uint8)).save(name)
    done = run(f"blur tall.png out.png --sigma 2 --sigma-map={drive} --tile {tile} --exact")
    assert done.exit_code == 0, done.output
    assert held["tall.png"] <= 2 * tile + 2 * reach + 2 * most
    assert held.get("map.png", 0) <= 2 * tile


class _Pipe:
    """Stands for stdin that is a pipe."""

    def __init__(self, data: bytes) -> None:
        end, begin = os.pipe()
        with os.fdopen(begin, "wb") as file:
            file.write(data)
        self.buffer = os.fdopen(end, "rb")

    def isatty(self) -> bool:
        return False


def test_a_pipe_that_is_read_twice_leaves_nothing_behind(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    monkeypatch.setattr(sys, "stdin", _Pipe(b"pixels"))
    source = Source("-")
    copied = source.path()
    assert source.path() == copied
    with source.again() as again:
        assert (again.name, again.head) == ("stdin", b"pixels")
        assert again.stream.read() == source.stream.read() == b"pixels"
        assert again.stream is not source.stream
    assert again.stream.closed
    source.close()
    assert source.stream.closed
    assert not sys.stdin.buffer.closed  # it is not ours
    assert not list((tmp_path / "temporary").iterdir())
    sys.stdin.buffer.close()


def test_a_file_that_is_read_twice_is_closed() -> None:
    source = Source("in.png")
    with source.again() as again:
        assert again.stream.read() == source.stream.read()
        assert again.path() == source.path() == "in.png"
    source.close()
    assert source.stream.closed
    assert Path("in.png").exists()


def test_a_pipe_that_is_read_once_is_not_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    Image.open("in.png").save("in.ppm")
    piped = Path("in.ppm").read_bytes()

    def never(**options: object) -> str:
        raise AssertionError("it is copied")

    monkeypatch.setattr(tempfile, "mkdtemp", never)
    for shaping in ("", " --map-range 0.1,0.9", " --map depth=depth.png"):
        drive = "depth" if "depth" in shaping else "intensity"
        done = run(f"blur - out.png --sigma 2 --sigma-map={drive}{shaping}", input=piped)
        assert done.exit_code == 0, done.output


@pytest.mark.parametrize("show", ["", " --show-map"])
def test_a_pipe_is_copied_for_any_of_the_maps(show: str) -> None:
    Image.open("in.png").save("in.ppm")
    command = "sharpen INPUT OUT --sigma 2 --amount 3 --amount-map=intensity --map-range 5%,95%"
    for source, output in (("in.ppm", "file.png"), ("-", "pipe.png")):
        named = command.replace("INPUT", source).replace("OUT", output)
        done = run(named + show, input=Path("in.ppm").read_bytes())
        assert done.exit_code == 0, done.output
    np.testing.assert_array_equal(*map(planes, ("file.png", "pipe.png")))


def test_a_map_that_is_shown_drives_the_same() -> None:
    drive = "blur in.png OUT --sigma 5 --exact --sigma-map"
    shown = drive.replace("OUT", "map.png").replace("--exact", "--show-map --bit-depth 16")
    assert run(f"{shown} depth.png").exit_code == 0
    for output, source in (("direct.png", "depth.png"), ("again.png", "map.png")):
        assert run(f"{drive.replace('OUT', output)} {source}").exit_code == 0
    assert Path("direct.png").read_bytes() == Path("again.png").read_bytes()


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("blur in.png map.png --sigma 3", "no parameter varies over the image"),
        ("motion in.png map.png --spin 3", "png cannot hold 16-bit 2 bands; take tiff"),
        ("blur in.png in.png --sigma-map", "OUTPUT in.png is also an input"),
        ("blur in.png depth.png --sigma-map=depth.png", "OUTPUT depth.png is also an input"),
        ("blur in.png no/map.png --sigma-map", "no does not exist"),
        ("blur in.png map.png --sigma-map far.npy", "far.npy: a map's values must lie in 0 to 1"),
    ],
)
def test_a_map_that_cannot_be_shown_is_refused(command: str, words: str) -> None:
    before = sorted(path.name for path in Path().iterdir())
    done = run(f"{command} --show-map" if "--sigma-map" not in command else
               command.replace("blur", "blur --show-map"))  # fmt: skip
    assert done.exit_code in (1, 2)
    assert words in done.output
    assert sorted(path.name for path in Path().iterdir()) == before


def test_the_samples_are_there() -> None:
    with Image.open(SAMPLES / "scene_mattes.png") as mattes, Image.open(SAMPLES / "scene.png") as s:
        assert mattes.size == s.size
        assert np.abs(np.asarray(mattes).astype(int).sum(-1) - 255).max() <= 1  # shares of a pixel
