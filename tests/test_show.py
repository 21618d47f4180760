"""Pictures of kernels: they show what the filters weigh, and refuse what the filters refuse."""

from __future__ import annotations

import shlex
import subprocess
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from cases import VARIANTS, Variant
from click.testing import CliRunner, Result
from PIL import Image
from test_commands import (  # noqa: F401  (fixtures too)
    COMMANDS,
    HEIGHT,
    MAKES,
    REFUSED,
    WIDTH,
    desk,
    expected,
    images,
    level,
    luma,
    of,
    planes,
)

from svfilter import Gaussian, KernelField, Lens, UnsharpMask, filter_image
from svfilter.cli import cli
from svfilter.cli.show import FILTERS, IDLE
from svfilter.errors import SvfilterWarning
from svfilter.images import reading
from svfilter.images.reading import ImageReader
from svfilter.kernels.base import Family
from svfilter.kernels.stored import STORED, Basis, Codebook, Dense, Grid
from svfilter.looking import site as sites
from svfilter.looking.canvas import fitted
from svfilter.looking.field import Found, look
from svfilter.looking.kernel import of_pixel, weights_at
from svfilter.looking.site import Site, open_site
from svfilter.looking.stamps import Stamp, grid, stamp, stamped
from svfilter.maps import Channel, Driver, EachChannel, Ramp, Spin
from svfilter.request import Request

GOLDEN = Path(__file__).parent / "golden"
PAD = {"replicate": "edge", "reflect": "reflect", "circular": "wrap", "constant": "constant"}
MARGIN = 24
TEXT_LINE = 26


def run(command: str, **options: Any) -> Result:
    """Run a command line as a user writes it, after `svfilter`."""
    return CliRunner().invoke(cli, shlex.split(command), catch_exceptions=False, **options)


def shown(command: str, x: int, y: int, source: str = "in.png") -> np.ndarray:
    """Give the weights that `show --at` prints."""
    name, _, options = command.partition(" ")
    result = run(f"show {name} {source} {options} --at {x},{y}")
    assert (result.exit_code, result.stderr) == (0, "")
    return np.loadtxt(BytesIO(result.stdout_bytes), ndmin=2)


def weights_of(family: Family) -> np.ndarray:
    return weights_at(of_pixel(KernelField(family)))


def stamp_of(family: Family) -> Stamp:
    return stamp(of_pixel(KernelField(family)), None)


def gathered(weights: np.ndarray, image: np.ndarray, y: int, x: int, boundary: str) -> np.ndarray:
    """Give Σ w(d) · x(p + d) for the channels of an image [C, H, W]."""
    radius = len(weights) // 2
    around = ((0, 0), (radius, radius), (radius, radius))
    padded = np.pad(image, around, mode=PAD[boundary])
    side = len(weights)
    return (padded[:, y : y + side, x : x + side] * weights).sum((1, 2))


def spread(weights: np.ndarray, y: int, x: int) -> np.ndarray:
    """Give the light [H, W] of a pixel that spreads by its weights."""
    radius = len(weights) // 2
    canvas = np.zeros((HEIGHT + 2 * radius, WIDTH + 2 * radius))
    canvas[y : y + len(weights), x : x + len(weights)] = weights
    return canvas[radius : radius + HEIGHT, radius : radius + WIDTH]


# The kernel of a pixel


def rough_stored(kind: type[Family], shape: tuple[int, int], rng: np.random.Generator) -> Family:
    """Give stored kernels of any sign, and maps that jump from pixel to pixel."""
    if kind is Codebook:
        return Codebook(kernels=rng.normal(size=(3, 3, 5)), index=rng.integers(0, 3, shape))
    if kind is Basis:
        return Basis(kernels=rng.normal(size=(2, 3, 3)), coefficients=rng.normal(size=(2, *shape)))
    if kind is Dense:
        return Dense(taps=rng.normal(size=(9, *shape)))
    places = rng.uniform(0, 1, (2, *shape))
    return Grid(kernels=rng.normal(size=(2, 3, 3, 3)), row=places[0], column=2 * places[1])


@pytest.mark.parametrize("name", STORED)
def test_weights_of_stored_kernels_are_those_that_filter(
    name: str, rng: np.random.Generator
) -> None:
    assert_weights_filter(KernelField(rough_stored(STORED[name], (7, 13), rng)), rng)


@pytest.mark.parametrize("variant", VARIANTS, ids=str)
def test_weights_are_those_that_filter(variant: Variant, rng: np.random.Generator) -> None:
    field = variant.field((7, 13), rng)
    if isinstance(field.family, UnsharpMask):  # which its threshold makes no sum over weights
        field = KernelField(UnsharpMask(sigma=field.family.sigma, amount=field.family.amount))
    assert_weights_filter(field, rng)


def assert_weights_filter(field: KernelField, rng: np.random.Generator) -> None:
    image = rng.random((2, 7, 13))
    made = filter_image(image, field, engine="reference", boundary="constant")
    far = field.reach
    guide = np.pad(image, ((0, 0), (far, far), (far, far)))
    for y, x in np.ndindex(7, 13):
        own = field.transform(lambda values: values[y : y + 1, x : x + 1])  # noqa: B023
        around = guide[:, y : y + 2 * far + 1, x : x + 2 * far + 1]
        weights = weights_at(of_pixel(own), around if field.family.guided else None)
        assert weights.dtype == np.float64
        assert weights.shape == (2 * own.reach + 1,) * 2
        got = gathered(weights, image, y, x, "constant")
        np.testing.assert_allclose(got, made[:, y, x], rtol=0, atol=1e-13)


def test_an_unsharp_mask_adds_what_the_gaussian_takes_away() -> None:
    gaussian = weights_of(Gaussian(sigma=0.9))
    delta = np.zeros_like(gaussian)
    delta[len(delta) // 2, len(delta) // 2] = 1
    mask = weights_of(UnsharpMask(sigma=0.9, amount=2.5))
    np.testing.assert_allclose(mask, 3.5 * delta - 2.5 * gaussian, rtol=0, atol=1e-15)
    assert weights_of(UnsharpMask(sigma=0.9, amount=2.5, threshold=0.1)).tolist() == mask.tolist()


# The text of a kernel


@pytest.mark.parametrize("command", [name for name in MAKES if "threshold" not in name])
def test_weights_printed_are_those_of_the_oracle(command: str) -> None:
    make, options = MAKES[command]
    scatters = options.get("mode") == "scatter"
    made = None if scatters else expected(command)
    one = slice(0, 1 if "--per-channel" in command else None)  # it is of the first channel
    for x, y in ((4, 3), (13, 8))[: 1 if scatters else 2]:
        weights = shown(command, x, y)
        if scatters:
            point = np.zeros((HEIGHT, WIDTH))
            point[y, x] = 1
            light = filter_image(
                point, KernelField(make()), engine="reference", mode="scatter", boundary="constant"
            )
            np.testing.assert_allclose(spread(weights, y, x), light, rtol=0, atol=2e-6)
            continue
        got = gathered(weights, planes("in.png"), y, x, options.get("boundary", "replicate"))
        np.testing.assert_allclose(got[one], made[one, y, x], rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    "command",
    [
        "blur --sigma 2 --sigma-map depth.png",
        "blur --sigma-x 3 --sigma-x-map --sigma-y 1 --angle 70",
        "sharpen --amount 3 --amount-map depth.png",
        "smooth --sigma-space 2",
        "apply --kernels taps.npy",
    ],
)
def test_the_text_is_a_kernel_that_does_the_same_there(command: str) -> None:
    name, _, options = command.partition(" ")
    result = run(f"show {name} in.png {options} --at 5,4")
    Path("kernel.txt").write_bytes(result.stdout_bytes)
    for line, target in ((of(command, "in.png", "a.npy"), "a.npy"),
                         ("apply in.png b.npy --kernels kernel.txt", "b.npy")):  # fmt: skip
        assert run(f"{line} --exact --bit-depth 32f").output == "", target
    np.testing.assert_allclose(np.load("b.npy")[4, 5], np.load("a.npy")[4, 5], atol=1e-6)


@pytest.mark.parametrize(
    "command",
    ["lens --radius 3 --radius-map depth.png --normalise energy", "apply --kernels psf.npy"],
)
def test_the_text_spreads_the_same_light_there(command: str) -> None:
    point = np.zeros((HEIGHT, WIDTH), np.uint8)
    point[4, 5] = 255
    Image.fromarray(point).save("point.png")
    name, _, options = command.partition(" ")
    Path("kernel.txt").write_bytes(run(f"show {name} point.png {options} --at 5,4").stdout_bytes)
    run(of(command, "point.png", "a.npy") + " --exact --bit-depth 32f")
    assert run(
        "apply point.png b.npy --kernels kernel.txt --mode scatter --exact --bit-depth 32f"
    ).output == ""  # fmt: skip
    np.testing.assert_allclose(np.load("b.npy"), np.load("a.npy"), atol=1e-6)


def test_the_text_says_whose_kernel_it_is() -> None:
    result = run("show lens in.png --radius 5 --radius-map=depth.png --blades 6 --at 3,2")
    radius = 5 * level()[2, 3]
    lines = result.stdout.splitlines()
    remarks = [line for line in lines if line.startswith("#")]
    assert remarks == lines[: len(remarks)]
    side = len(lines) - len(remarks)
    assert remarks[0] == f"# pixel 3,2 of in.png, {WIDTH} x {HEIGHT}"
    assert remarks[1] == "# svfilter lens in.png --radius 5 --radius-map depth.png --blades 6"
    assert f"# radius {np.float32(radius):.7g} px, blades 6, rotation 0 degrees" in result.stdout
    assert f"# {side} x {side} weights with the sum 1" in remarks
    assert remarks[-1] == "# Each pixel spreads its light by its kernel."
    assert all(len(line.split()) == side for line in lines[len(remarks) :])


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("sharpen in.png --threshold 0.1", "The threshold is left out."),
        ("in.png --sigma-map --per-channel", "Each channel has its own: these are of the first."),
        (
            "lens in.png --depth depth.png --focus 1 --aperture 9 --occlusion",
            "What hides what is left out.",
        ),
        ("apply in.png --kernels taps.npy", "Each pixel gathers what its kernel covers."),
    ],
)
def test_what_weights_do_not_say_is_said(command: str, words: str) -> None:
    assert words in run(f"show {command} --at 3,2").stdout


@pytest.mark.parametrize("at", ["14,2", "3,9", "-1,0", "2,-0.6", "13.5,0", "1e9,1e9"])
def test_a_pixel_outside_is_refused(at: str) -> None:
    result = run(f"show in.png new.png --sigma-map --at {at}")
    assert (result.exit_code, result.stdout) == (2, "")
    assert "outside of in.png: its 14 x 9 pixels are 0,0 to 13,8" in result.stderr
    assert not Path("new.png").exists()


def test_a_point_is_the_pixel_that_it_lies_in() -> None:
    command = "show in.png --sigma-map --at"
    texts = {at: run(f"{command} {at}").stdout for at in ("3,2", "3.4,1.5", "3.5,2")}
    assert texts["3,2"] == texts["3.4,1.5"] != texts["3.5,2"]


# The command


def test_without_a_command_it_is_blur() -> None:
    for words in ("show blur in.png a.png --sigma-map", "show --sigma-map=intensity in.png b.png"):
        assert run(words).output == ""
    assert Path("a.png").read_bytes() != Path("b.png").read_bytes()  # the title says how it was had
    a, b = (np.asarray(Image.open(name)) for name in ("a.png", "b.png"))
    assert a.shape == b.shape
    assert (a[100:] == b[100:]).all()


@pytest.mark.parametrize("command", list(MAKES)[::6])
def test_filters_are_shown(command: str) -> None:
    name, _, options = command.partition(" ")
    result = run(f"show {name} in.png new.bmp {options} --quality 90 --exact --verbose --jobs 1")
    assert (result.exit_code, result.output) == (0, "")
    assert np.asarray(Image.open("new.bmp")).shape[1] <= 1600


@pytest.mark.parametrize("command", list(REFUSED)[::2])
def test_show_refuses_what_the_filter_refuses(command: str) -> None:
    theirs, ours = (run(words + of(command, "in.png", "new.png")) for words in ("", "show "))
    assert (ours.exit_code, ours.stdout) == (theirs.exit_code, theirs.stdout)
    told, known = (
        [line for line in result.stderr.splitlines() if not line.startswith(("Usage", "Try"))]
        for result in (ours, theirs)
    )
    assert told == known
    assert Path("new.png").exists() == (ours.exit_code == 0)


@pytest.mark.parametrize(
    ("command", "code", "words"),
    [
        ("show", 2, "Usage"),
        ("show in.png", 2, "Missing argument 'OUTPUT'"),
        ("show blur", 2, "Missing argument 'INPUT'"),
        ("show blur --at 3,4", 2, "Missing argument 'INPUT'"),
        ("show --sigma-map in.png --at 3,4", 2, "--sigma-map took 'in.png' as its SOURCE"),
        ("show in.png new.png --quiet --verbose", 2, "--quiet and --verbose exclude each other"),
        ("show in.png new.png --at 3", 2, "write it like 320,240"),
        ("show in.png new.tga", 2, "must be one of .png"),
        ("show in.png in.png", 2, "OUTPUT in.png is also an input"),
        ("show in.png depth.png --sigma-map depth.png", 2, "OUTPUT depth.png is also an input"),
        ("show smooth in.png flash.png --guide flash.png", 2, "OUTPUT flash.png is also an input"),
        ("show apply in.png psf.npy --kernels psf.npy", 2, "also an input"),
        ("show smooth - new.png --guide -", 2, "only one of INPUT, the maps and the guide can be"),
        ("show missing.png new.png", 1, "missing.png: cannot be read"),
        ("show in.png no/new.png", 1, "the folder"),
        ("show in.png new.png --max-pixels 9", 1, "in.png"),
    ],
)
def test_what_cannot_be_shown_is_refused(command: str, code: int, words: str) -> None:
    result = run(command)
    assert (result.exit_code, result.stdout) == (code, "")
    assert words in " ".join(result.stderr.split())
    assert not Path("new.png").exists()


@pytest.mark.parametrize("page", [1, 2, 3])
def test_a_page_is_shown(page: int) -> None:
    first, second = (Image.open(name) for name in ("depth.png", "mask.png"))
    first.save("pages.tif", save_all=True, append_images=[second])
    options = f"--sigma-map --sigma 3 --page {page}"
    ours, theirs = run(f"show pages.tif new.png {options}"), run(f"blur pages.tif a.tif {options}")
    assert (ours.exit_code, ours.stderr) == (theirs.exit_code, theirs.stderr)
    if page < 3:
        name = ("depth.png", "mask.png")[page - 1]
        one, other = (shown(f"blur --sigma-map --sigma 3{more}", 3, 2, file)
                      for more, file in (("", name), (f" --page {page}", "pages.tif")))  # fmt: skip
        assert one.tolist() == other.tolist()


def test_a_picture_on_stdout_leaves_the_text_to_stderr() -> None:
    result = run("show in.png - --sigma 1 --at 3,2")
    assert result.stdout_bytes.startswith(b"\x89PNG")
    assert result.stderr == run("show in.png --sigma 1 --at 3,2").stdout
    assert run("show - new.png --sigma-map", input=Path("in.png").read_bytes()).output == ""
    assert Path("new.png").read_bytes().startswith(b"\x89PNG")


def test_idle_options_are_taken_and_not_in_the_help() -> None:
    for filter_, drawing in zip(FILTERS, cli.commands["show"].commands.values(), strict=True):
        names = {parameter.name for parameter in filter_.params}
        assert {p.name for p in drawing.params} == names | {"at"}
        assert {p.name for p in drawing.params if getattr(p, "hidden", False)} == names & {*IDLE}
        assert not any(getattr(parameter, "hidden", False) for parameter in filter_.params)
    told = run("show lens --help").stdout
    assert "--bit-depth" not in told
    assert "--depth-model" in told


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_of_the_help_run(name: str) -> None:
    """Of each command; those of the group are of some."""
    words = str(cli.commands["show"].commands[name].help).splitlines()
    lines = [line.strip() for line in words if line.startswith("  svfilter")]
    lines += [line.strip() for line in str(cli.commands["show"].help).splitlines()
              if f"show {name} " in line]  # fmt: skip
    assert len(lines) >= 2
    for line in lines:
        command, _, target = line.removeprefix("svfilter ").partition(" > ")
        command = command.replace("out.png", "out.bmp")  # sooner written
        result = run(command)
        assert (result.exit_code, result.stderr, result.stdout != "") == (0, "", target != "")


def test_nothing_heavy_is_imported_for_help() -> None:
    code = """
import sys
from click.testing import CliRunner
from svfilter.cli import cli
for words in ["show", "show -h", "show lens --help"]:
    assert "Usage" in CliRunner().invoke(cli, words.split()).output, words
heavy = {"numpy", "torch", "PIL", "numba", "scipy", "tqdm"} & set(sys.modules)
assert not heavy, heavy
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert ended.returncode == 0, ended.stderr.decode()


# What is found on the way through an image


def found(name: str, kind: type[Family], *drivers: Driver, **more: Any) -> tuple[Site, Found]:
    asked = Request(kind, drivers, engine="reference", **more)
    with open_site(asked, name) as site:
        return site, look(site, grid(*site.size), stamp)


def test_charts_are_the_values_of_all_pixels() -> None:
    driver = Ramp("sigma", high=5, low=1, level=Channel("depth.png"))
    _, seen = found("in.png", Gaussian, driver)
    expected = 1 + 4 * level()
    chart = seen.charts["sigma"]
    np.testing.assert_allclose((chart.low, chart.high), (expected.min(), expected.max()), atol=1e-6)
    factor = fitted(HEIGHT, WIDTH)[0] // HEIGHT
    enlarged = expected.repeat(factor, 0).repeat(factor, 1)
    np.testing.assert_allclose(chart.values, enlarged, rtol=0, atol=1e-6)


def test_ends_are_those_of_pixels_that_no_picture_shows(rng: np.random.Generator) -> None:
    levels = rng.integers(100, 140, (40, 3000), dtype=np.uint8)
    levels[7, 1234], levels[21, 9] = 255, 0
    Image.fromarray(levels).save("wide.png")
    _, seen = found("wide.png", Gaussian, Ramp("sigma", high=2, level=Channel()))
    chart = seen.charts["sigma"]
    assert (chart.low, chart.high) == (0, 2)
    assert chart.values is not None
    assert chart.values.shape == fitted(40, 3000)
    assert chart.values.max() < 1.5  # a mean


def test_a_parameter_that_does_not_vary_is_not_drawn() -> None:
    Image.new("L", (WIDTH, HEIGHT), 51).save("flat.png")
    with pytest.warns(SvfilterWarning, match="flat.png: the map is 0.2 at every pixel"):
        _, seen = found("flat.png", Gaussian, Ramp("sigma", high=5, level=Channel()))
    assert seen.charts["sigma"].values is None
    assert seen.charts["sigma"].low == pytest.approx(1, abs=1e-6)


def test_directions_are_not_mixed() -> None:
    """Between -180 and 180 degrees the mean is where nothing moves."""
    from svfilter import Motion

    Image.new("L", (2001, 21)).save("wide.png")
    site, seen = found("wide.png", Motion, Spin(1.0, centre=(998.5, 10.0)))
    with open_site(site.page.asked, "wide.png") as again:
        below = again.page.maps.read(again.page.image.whole)["angle"][0, 15:]
    assert {-1.0, 1.0} <= {*np.sign(below[:, 990:1007]).ravel()}
    values = seen.charts["angle"].values
    assert values is not None
    middle = values[5:, values.shape[1] // 2 - 2 : values.shape[1] // 2 + 3]
    assert abs(middle).min() > 90


def test_of_channels_the_first_is_charted() -> None:
    _, seen = found("in.png", Gaussian, Ramp("sigma", high=1, level=EachChannel()))
    chart, red = seen.charts["sigma"], planes("in.png")[0]
    np.testing.assert_allclose((chart.low, chart.high), (red.min(), red.max()), atol=1e-6)
    assert chart.values is not None
    np.testing.assert_allclose(chart.values[0, 0], red[0, 0], atol=1e-6)


@pytest.mark.parametrize("kernels", ["taps.npy", "psf.npy"])
def test_many_parameters_and_places_in_a_grid_are_not_drawn(kernels: str) -> None:
    result = run(f"show apply in.png new.bmp --kernels {kernels}")
    assert (result.exit_code, result.output) == (0, "")
    height, width, _ = np.asarray(Image.open("new.bmp")).shape
    panel = fitted(HEIGHT, WIDTH)
    assert width == 3 * MARGIN + 2 * panel[1]
    assert height < MARGIN + 3 * TEXT_LINE + panel[0] + 7 * TEXT_LINE + MARGIN


@pytest.mark.parametrize(
    "command",
    [
        "blur --sigma 2 --sigma-map --map-smooth 2",
        "blur --sigma 2 --sigma-map edges",
        "smooth --guide flash.png --boundary circular",
    ],
)
def test_the_picture_does_not_depend_on_the_windows(
    command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pictures = []
    for pixels in (2**19, 2 * WIDTH):
        monkeypatch.setattr(sites, "_PIXELS", pixels)
        monkeypatch.setattr(reading, "block_rows", lambda decoder: 1)
        assert run(f"show {of(command, 'in.png', 'new.bmp')}").output == ""
        pictures.append(Path("new.bmp").read_bytes())
    assert len(set(pictures)) == 1


@pytest.mark.parametrize(
    ("command", "most"),
    [
        ("show tall.png new.bmp --sigma-map --sigma 20", 6),
        ("show tall.png new.bmp --sigma-map tall.png --sigma 20", 6),
        ("show tall.png --sigma-map --at 2,290", 6),
        ("show tall.png new.bmp --sigma-map edges --map-smooth 1", 20),
        ("show smooth tall.png new.bmp --sigma-space 4", 24),
        ("show smooth tall.png new.bmp --sigma-space 4 --guide tall.png", 24),
        ("show smooth tall.png --sigma-space 4 --at 2,290", 24),
    ],
)
def test_rows_are_let_go(
    command: str, most: int, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No image, no map and no guide is ever held as a whole."""
    held: list[int] = []
    take = ImageReader._take

    def counted(image: ImageReader) -> None:
        take(image)
        held.append(sum(len(rows) for _, rows in image._blocks))

    monkeypatch.setattr(reading, "block_rows", lambda decoder: 1)
    monkeypatch.setattr(sites, "_PIXELS", 5)
    monkeypatch.setattr(ImageReader, "_take", counted)
    Image.fromarray(rng.integers(0, 256, (300, 5), dtype=np.uint8)).save("tall.png")
    assert run(command).exit_code == 0
    assert len(held) >= 290
    assert max(held) <= most


@pytest.mark.parametrize("guide", ["", "--guide tall.png"])
def test_kernels_at_the_top_look_at_the_bottom_of_a_circle(
    guide: str, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "block_rows", lambda decoder: 1)
    monkeypatch.setattr(sites, "_PIXELS", 5)
    Image.fromarray(rng.integers(0, 256, (300, 5), dtype=np.uint8)).save("tall.png")
    command = f"smooth --sigma-space 20 --boundary circular {guide}"
    assert run(f"show {of(command, 'tall.png', 'new.bmp')}").output == ""
    for y in (0, 299):
        weights = shown(command, 2, y, "tall.png")
        other = (weights[:40] if y == 0 else weights[41:]).sum()
        assert 0.2 < other < 0.8


@pytest.mark.parametrize(
    "make",
    [
        lambda rng: rng.integers(0, 256, (1, 1), dtype=np.uint8),
        lambda rng: rng.integers(0, 256, (300, 5, 3), dtype=np.uint8),
        lambda rng: rng.integers(0, 256, (5, 300, 2), dtype=np.uint8),
        lambda rng: rng.integers(0, 256, (7, 13, 4), dtype=np.uint8),
        lambda rng: rng.integers(0, 65536, (7, 13), dtype=np.uint16),
        lambda rng: rng.random((650, 700), dtype=np.float32),
    ],
    ids=["pixel", "portrait", "landscape_alpha", "alpha", "deep", "float"],
)
def test_every_image_is_shown(make: Any, rng: np.random.Generator) -> None:
    pixels = make(rng)
    suffix = "tif" if pixels.dtype == np.float32 else "png"
    Image.fromarray(pixels).save(f"some.{suffix}")
    result = run(f"show some.{suffix} new.bmp --sigma-map --sigma 2")
    assert (result.exit_code, result.output) == (0, "")
    panel = fitted(*pixels.shape[:2])
    seen = np.asarray(Image.open("new.bmp"))
    assert seen.shape[0] > panel[0]
    assert seen.shape[1] > panel[1]
    assert run(f"show some.{suffix} new.bmp --at 0,0 --sigma 40").exit_code == 0


# Stamps


@pytest.mark.parametrize("size", [(1, 1), (7, 13), (1, 14), (9, 15), (300, 5), (400, 600)])
def test_the_grid_is_even_and_within(size: tuple[int, int]) -> None:
    places = grid(*size)
    assert len(set(places)) == len(places)
    assert places == sorted(places)
    for side, axis in zip(size, zip(*places, strict=True), strict=True):
        at = sorted(set(axis))
        assert 0 <= at[0] <= at[-1] < side
        assert len(at) <= 14
        assert max(np.diff(at), default=0) - min(np.diff(at), default=0) <= 1
        assert abs(at[0] - (side - 1 - at[-1])) <= 1
        if side == max(size):
            assert len(at) == (side if side <= 14 else 10)


def drawn(families: dict[tuple[int, int], Family], size: tuple[int, int]) -> tuple[Any, Any]:
    black = np.zeros((*fitted(*size), 3), np.uint8)
    return stamped(black, size, {place: stamp_of(one) for place, one in families.items()})


def test_all_stamps_are_of_one_scale_and_the_largest_fits() -> None:
    """Disks of pixels: of as many times as many as is said."""
    size = (400, 600)
    radii = {(100, 150): 60.0, (100, 450): 120.0, (300, 150): 30.0, (300, 450): 120.0}
    picture, times = drawn({place: Lens(radius=r) for place, r in radii.items()}, size)
    assert times == pytest.approx(200 * 0.92 / 243, rel=0.1)
    ground = picture[0, 0].astype(int)
    lit = (picture.astype(int) - ground).sum(2) > 0.5 * (picture.astype(int) - ground).sum(2).max()
    for (row, column), radius in radii.items():
        cell = lit[row - 100 : row + 100, column - 150 : column + 150]
        assert np.sqrt(cell.sum() / np.pi) == pytest.approx(times * radius, rel=0.02)
        rows, columns = np.nonzero(cell)
        assert abs(rows.mean() - 100) < 1
        assert abs(columns.mean() - 150) < 1
        assert min(rows.min(), columns.min()) > 0


def test_a_stamp_is_its_kernel_by_its_largest_weight() -> None:
    """At a whole number of pixels for each tap nothing is interpolated."""
    kernel = np.array([[0.0, 0.25, 0.0], [0.1, 0.5, 0.3], [0.0, 0.0, 0.05]])
    picture, times = drawn({(0, 0): Codebook(kernels=kernel)}, (1, 1))
    assert times == pytest.approx(0.2)
    side = 0.2 * 640
    ground, full = float(picture[0, 0, 0]), float(picture[320, 320, 0])
    for (row, column), weight in np.ndenumerate(kernel):
        y, x = (int(320 + (i - 1) * side) for i in (row, column))
        assert (picture[y, x, 0] - ground) / (full - ground) == pytest.approx(2 * weight, abs=0.01)


def test_weights_below_zero_are_dark_and_blue() -> None:
    picture, _ = drawn({(0, 0): UnsharpMask(sigma=1.0, amount=3.0)}, (1, 1))
    ground, middle, beside = (picture[at, at].astype(int) for at in (0, 320, 220))
    assert middle.sum() > ground.sum() > beside.sum()
    assert middle[0] > middle[2]
    assert beside[2] > beside[0]


def test_kernels_of_one_tap_are_rings() -> None:
    picture, times = drawn({(0, 0): Gaussian(sigma=0.0)}, (1, 1))
    assert times is None
    lit = picture[..., 0] > picture[0, 0, 0]
    rows, columns = np.nonzero(lit)
    assert not lit[319, 319]
    assert 6 <= np.ptp(rows) <= 10
    assert np.ptp(rows) == np.ptp(columns)


def test_small_kernels_are_dots_beside_large_ones() -> None:
    families = {(100, 100): Lens(radius=500.0), (100, 300): Lens(radius=2.0)}
    picture, times = drawn(families, (200, 400))
    assert times < 0.2
    lit = picture[:, 200:, 0] > picture[0, 0, 0] + 20
    assert 9 <= lit.sum() <= 25


@pytest.mark.parametrize("family", [Lens(radius=700.0), Gaussian(sigma=400.0), Lens(radius=200.0)])
def test_of_wide_kernels_little_is_kept(family: Family) -> None:
    one = stamp_of(family)
    assert len(one.weights) <= 257
    span = one.step * len(one.weights)
    assert span == pytest.approx(2 * one.radius + 1, rel=0.02)
    middle = len(one.weights) // 2
    assert one.weights[middle, middle] == one.weights.max()
    np.testing.assert_allclose(one.weights, one.weights[::-1, ::-1], rtol=1e-12)


def test_a_kernel_of_zeros_is_drawn_as_one_tap() -> None:
    one = stamp_of(Codebook(kernels=np.zeros((3, 3))))
    assert (one.radius, one.weights.tolist()) == (0, [[0.0]])


def test_stamps_are_cut_at_the_border() -> None:
    size = (40, 40)
    here, there = (drawn({place: Lens(radius=9.0)}, size)[0] for place in ((20, 20), (0, 39)))
    lit = [(one[..., 0] > one[20, 60, 0]).sum() for one in (here, there)]
    assert 0 < lit[1] < 0.4 * lit[0]


# How the pictures look


def scene() -> np.ndarray:
    y, x = np.mgrid[:3, :4] / 4.0
    return np.rint(255 * np.stack([x, (x + y) / 2, y], axis=-1)).astype(np.uint8)


SHEETS = {
    "field": (
        "show scene.png out.png --shape box --radius 2 --radius-map r",
        [(84, 24), (84, 688), (674, 24)],
    ),
    "kernel": ("show sharpen scene.png out.png --sigma 0.3 --at 2,1", [(136, 688)]),
}
"""Commands, and the corners of the panels without letters."""


@pytest.mark.parametrize("name", SHEETS)
def test_sheets_look_as_they_did(name: str) -> None:
    """Panels within a step; the rest as a glance sees it, for type is drawn by other versions."""
    Image.fromarray(scene()).save("scene.png")
    command, corners = SHEETS[name]
    assert run(command).exit_code == 0
    drawn, known = (
        np.asarray(Image.open(path)).astype(int)
        for path in ("out.png", GOLDEN / f"show_{name}.png")
    )
    assert drawn.shape == known.shape
    height, width = fitted(3, 4)
    for top, left in corners:
        panel = np.s_[top : top + height, left : left + width]
        assert np.ptp(known[panel], axis=(0, 1)).max() > 100
        assert abs(drawn[panel] - known[panel]).max() <= 1
    glances = [np.asarray(Image.fromarray(p.astype("u1")).reduce(16)) for p in (drawn, known)]
    assert abs(glances[0].astype(int) - glances[1]).mean() < 0.5  # of captions it is more
