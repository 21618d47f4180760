"""The commands end to end: each makes what filter_image makes, and refuses what means nothing."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result
from conftest import assert_parity
from PIL import Image

from svfilter import (
    Basis,
    Bilateral,
    Box,
    Codebook,
    Dense,
    Elliptical,
    Gaussian,
    Grid,
    KernelField,
    Lens,
    Moffat,
    Motion,
    Triangle,
    UnsharpMask,
    filter_image,
)
from svfilter.cli import cli
from svfilter.cli.blur import SHAPES
from svfilter.cli.kernels import FORMS, MADE_BY
from svfilter.engines import ENGINES
from svfilter.engines.base import MODES
from svfilter.kernels import FAMILIES
from svfilter.kernels.stored import STORED

FILTERS = ("blur", "lens", "motion", "sharpen", "smooth")
COMMANDS = (*FILTERS, "apply")
HEIGHT, WIDTH = 9, 14


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the images that the commands name."""
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(20)
    colours = dict.fromkeys(("in.png", "flash.png", "ellipses.png"), (HEIGHT, WIDTH, 3))
    greys = dict.fromkeys(("depth.png", "mask.png"), (HEIGHT, WIDTH))
    shapes = {**colours, **greys, "alpha.png": (HEIGHT, WIDTH, 4), "dot.png": (1, 1, 3)}
    for name, shape in {**shapes, "small.png": (5, 4, 3)}.items():
        Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8)).save(folder / name)
    deep = rng.integers(0, 65536, (HEIGHT, WIDTH), dtype=np.uint16)
    Image.fromarray(deep).save(folder / "deep.png")
    flow = 4 * rng.standard_normal((HEIGHT, WIDTH, 2), dtype=np.float32)
    head = np.float32(202021.25).tobytes() + np.array([WIDTH, HEIGHT], "<i4").tobytes()
    (folder / "flow.flo").write_bytes(head + flow.tobytes())
    np.save(folder / "far.npy", rng.uniform(1, 25, (HEIGHT, WIDTH)).astype(np.float32))
    bring_kernels(folder, rng)
    return folder


def bring_kernels(folder: Path, rng: np.random.Generator) -> None:
    """Write kernels of every form."""
    (folder / "sharp.txt").write_text("0 -1 0\n-1 5 -1\n0 -1 0\n")
    (folder / "edge.csv").write_text("0.1,0.2,-0.3\n")
    star = rng.integers(0, 256, (5, 4), dtype=np.uint8)
    index = rng.integers(0, 4, (HEIGHT, WIDTH), dtype=np.uint8)
    for name, values in {"star": star, "index": index}.items():
        Image.fromarray(values).save(folder / f"{name}.png")
    kernels, coefficients = rng.uniform(-0.1, 0.3, (4, 3, 3)), rng.random((4, HEIGHT, WIDTH))
    np.savez(folder / "both.npz", kernels=kernels, coefficients=coefficients)
    none = coefficients.copy()
    none[:, 3, 5] = 0
    arrays = {"kernels": kernels, "coefficients": coefficients, "none": none}
    arrays["psf"] = rng.random((2, 3, 3, 3)) / 9
    arrays["taps"] = rng.random((9, HEIGHT, WIDTH)) / 9
    for name, values in arrays.items():
        np.save(folder / f"{name}.npy", values)


@pytest.fixture(autouse=True)
def desk(images: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder with links to the images."""
    for path in images.iterdir():
        (tmp_path / path.name).symlink_to(path)
    monkeypatch.chdir(tmp_path)


def run(command: str) -> Result:
    return CliRunner().invoke(cli, shlex.split(command), catch_exceptions=False)


def planes(name: str) -> np.ndarray:
    """Give an image's channels, [C, H, W] in float64, 0 to 1."""
    values = np.asarray(Image.open(name))
    full = np.iinfo(values.dtype).max
    return np.atleast_3d(values).transpose(2, 0, 1) / full


def luma(name: str) -> np.ndarray:
    return np.tensordot([0.2126, 0.7152, 0.0722], planes(name), axes=1)


def level(name: str = "depth.png") -> np.ndarray:
    return planes(name)[0]


def focused(z: np.ndarray) -> np.ndarray:
    return np.minimum(6, 20 * abs(z - 0.2))


def distant(z: np.ndarray) -> np.ndarray:
    return np.minimum(3, 4 * abs(1 - 5 / z))


def turning(*, along: float = 0, around: float = 0, centre: tuple[float, float]) -> dict[str, Any]:
    """Give the path of a point that is moved by along · (p − c), and by around at right angles."""
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(float)
    x, y = x - centre[0], y - centre[1]
    return path(along * x - around * y, along * y + around * x)


def path(x: np.ndarray, y: np.ndarray) -> dict[str, Any]:
    return {"length": np.hypot(x, y), "angle": np.degrees(np.arctan2(y, x))}


def flow() -> dict[str, Any]:
    values = np.fromfile("flow.flo", "<f4")[3:].reshape(HEIGHT, WIDTH, 2).astype(float)
    return path(values[..., 0] / 2, values[..., 1] / 2)


def brought(name: str) -> np.ndarray:
    """Give an array of a file."""
    return np.load(f"{name}.npy")


def star() -> np.ndarray:
    return planes("star.png")[0] / planes("star.png").sum()


def index() -> np.ndarray:
    return np.asarray(Image.open("index.png")).astype(int)


def summed(*, to_one: bool) -> Basis:
    kernels, coefficients = brought("kernels"), brought("coefficients")
    if to_one:
        coefficients /= np.tensordot(kernels.sum((1, 2)), coefficients, axes=1)
    return Basis(kernels=kernels, coefficients=coefficients)


def spread() -> Grid:
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    return Grid(kernels=brought("psf"), row=y / (HEIGHT - 1), column=x * 2 / (WIDTH - 1))


MIDDLE = ((WIDTH - 1) / 2, (HEIGHT - 1) / 2)
SCATTER = {"mode": "scatter"}
LENS = {"mode": "scatter", "normalise": "weights"}
Made = tuple[Callable[[], Any], dict[str, Any]]
MAKES: dict[str, Made] = {
    "blur --truncate 1": (lambda: Gaussian(sigma=8.0, truncate=1), {}),
    "blur --sigma 2 --sigma-map": (lambda: Gaussian(sigma=2 * luma("in.png")), {}),
    "blur --sigma 2 --sigma-map --per-channel": (lambda: Gaussian(sigma=2 * planes("in.png")), {}),
    "blur --sigma 2 --sigma-min 1 --sigma-map depth.png --invert --map-gamma 2": (
        lambda: Gaussian(sigma=1 + (1 - level()) ** 2),
        {},
    ),
    "blur --sigma 2 --truncate 2 --mode scatter": (lambda: Gaussian(sigma=2, truncate=2), SCATTER),
    "blur --sigma 1 --sigma-map --mode scatter --normalise weights": (
        lambda: Gaussian(sigma=luma("in.png")),
        LENS,
    ),
    "blur --sigma-x 3 --truncate 2": (lambda: Elliptical(sigma_x=3, sigma_y=0, truncate=2), {}),
    "blur --shape gaussian --sigma-y 2 --angle -30": (
        lambda: Elliptical(sigma_x=0, sigma_y=2, angle=-30),
        {},
    ),
    "blur --sigma-x 3 --sigma-x-map --sigma-y 2 --angle 90 --angle-map depth.png": (
        lambda: Elliptical(sigma_x=3 * luma("in.png"), sigma_y=2, angle=90 * level()),
        {},
    ),
    "blur --sigma-x 2 --angle 0 --angle-min 120 --angle-map depth.png": (
        lambda: Elliptical(sigma_x=2, sigma_y=0, angle=120 * (1 - level())),
        {},
    ),
    "blur --sigma-x 2 --sigma-y 3 --angle 20 --ellipse-map ellipses.png": (
        lambda: Elliptical(
            sigma_x=2 * planes("ellipses.png")[0], sigma_y=3 * planes("ellipses.png")[1], angle=20
        ),
        {},
    ),
    "blur --sigma-x 2 --sigma-y 3 --angle 90 --angle-min -90 --ellipse-map ellipses.png": (
        lambda: Elliptical(
            sigma_x=2 * planes("ellipses.png")[0],
            sigma_y=3 * planes("ellipses.png")[1],
            angle=180 * planes("ellipses.png")[2] - 90,
        ),
        {},
    ),
    "blur --shape box --radius 2.5": (lambda: Box(radius=2.5), {}),
    "blur --shape box --radius 4 --radius-map --boundary circular": (
        lambda: Box(radius=4 * luma("in.png")),
        {"boundary": "circular"},
    ),
    "blur --shape triangle --radius-map depth.png": (lambda: Triangle(radius=8 * level()), {}),
    "blur --shape moffat --fwhm 0.8 --fwhm-map --beta 1.5 --truncate 10": (
        lambda: Moffat(fwhm=0.8 * luma("in.png"), beta=1.5, truncate=10),
        {},
    ),
    "lens --radius 5 --radius-map depth.png": (lambda: Lens(radius=5 * level()), LENS),
    "lens --radius 5 --blades 6 --rotation 15 --curvature 0.3 --mode gather": (
        lambda: Lens(radius=5, blades=6, rotation=15, curvature=0.3),
        {},
    ),
    "lens --depth depth.png --focus 0.2 --aperture 20 --max-radius 6 --normalise energy": (
        lambda: Lens(radius=focused(level())),
        SCATTER,
    ),
    "lens --depth far.npy --focus 5 --aperture 4 --max-radius 3 --depth-model thin": (
        lambda: Lens(radius=distant(np.load("far.npy").astype(float))),
        LENS,
    ),
    "motion --length 9 --angle 30": (lambda: Motion(length=9, angle=30), {}),
    "motion --length-map depth.png --angle 90 --angle-map --path start": (
        lambda: Motion(length=16 * level(), angle=90 * luma("in.png"), path=1),
        {},
    ),
    "motion --length 9 --path end --mode scatter": (lambda: Motion(length=9, path=-1), SCATTER),
    "motion --flow flow.flo --flow-scale 0.5": (lambda: Motion(**flow()), {}),
    "motion --flow flow.flo --flow-scale 0.5 --max-length 1": (
        lambda: Motion(**flow() | {"length": np.minimum(1, flow()["length"])}),
        {},
    ),
    "motion --spin 20": (lambda: Motion(**turning(around=np.radians(20), centre=MIDDLE)), {}),
    "motion --zoom 1.5 --centre 3,-2.5": (
        lambda: Motion(**turning(along=0.5, centre=(3, -2.5))),
        {},
    ),
    "sharpen --sigma 1.5 --sigma-map depth.png --threshold 0.02": (
        lambda: UnsharpMask(sigma=1.5 * level(), threshold=0.02),
        {},
    ),
    "sharpen --amount 3 --amount-map --per-channel": (
        lambda: UnsharpMask(amount=3 * planes("in.png")),
        {},
    ),
    "smooth --sigma-space 2": (lambda: Bilateral(sigma_space=2), {}),
    "smooth --sigma-range 0.5 --sigma-range-map depth.png --guide flash.png": (
        lambda: Bilateral(sigma_range=0.5 * level()),
        {"guide": "flash.png"},
    ),
    "apply --kernels sharp.txt": (lambda: Codebook(kernels=np.loadtxt("sharp.txt")), {}),
    "apply --kernels star.png --mode scatter --boundary reflect": (
        lambda: Codebook(kernels=star()),
        {"mode": "scatter", "boundary": "reflect"},
    ),
    "apply --kernels kernels.npy --index index.png": (
        lambda: Codebook(kernels=brought("kernels"), index=index()),
        {},
    ),
    "apply --kernels kernels.npy --index index.png --sum-to-one": (
        lambda: Codebook(
            kernels=brought("kernels") / brought("kernels").sum((1, 2), keepdims=True),
            index=index(),
        ),
        {},
    ),
    "apply --kernels psf.npy": (spread, SCATTER),
    "apply --kernels psf.npy --mode gather": (spread, {}),
    "apply --kernels kernels.npy --coefficients coefficients.npy": (
        lambda: summed(to_one=False),
        {},
    ),
    "apply --kernels both.npz --sum-to-one --tile 4": (lambda: summed(to_one=True), {}),
    "apply --kernels taps.npy": (lambda: Dense(taps=brought("taps")), {}),
    "apply --kernels taps.npy --sum-to-one --mode scatter --normalise weights": (
        lambda: Dense(taps=brought("taps") / brought("taps").sum(0)),
        LENS,
    ),
}


def expected(command: str, name: str = "in.png") -> np.ndarray:
    """Give what the oracle makes of an image."""
    make, options = MAKES[command]
    if "guide" in options:
        options = {**options, "guide": planes(options["guide"])}
    return filter_image(planes(name), KernelField(make()), engine="reference", **options)


def of(command: str, source: str, target: str) -> str:
    """Put INPUT and OUTPUT into a command."""
    name, _, options = command.partition(" ")
    return f"{name} {source} {target} {options}"


@pytest.mark.parametrize("command", MAKES)
def test_command_makes_what_filter_image_makes(command: str) -> None:
    result = run(of(command, "in.png", "out.npy") + " --exact --bit-depth 32f")
    assert (result.exit_code, result.output) == (0, "")
    assert_parity(np.load("out.npy").transpose(2, 0, 1), expected(command), maximum=1e-5)


STATIONARY = [
    "blur --sigma-x 3 --truncate 2",
    "blur --shape box --radius 2.5",
    "blur --sigma 2 --truncate 2 --mode scatter",
    "lens --radius 5 --blades 6 --rotation 15 --curvature 0.3 --mode gather",
    "motion --length 9 --angle 30",
    "smooth --sigma-space 2",
]


@pytest.mark.parametrize("command", STATIONARY)
@pytest.mark.parametrize(("name", "steps"), [("in.png", 255), ("deep.png", 65535)])
def test_integers_are_rounded_to_nearest(command: str, name: str, steps: int) -> None:
    assert run(of(command, name, "out.png") + " --exact").output == ""
    result = planes("out.png")
    assert np.asarray(Image.open("out.png")).dtype == np.asarray(Image.open(name)).dtype
    off = abs(result - expected(command, name).clip(0, 1)) * steps
    assert off.max() < 0.51 + 65535e-6 * (steps == 65535)


@pytest.mark.parametrize("command", STATIONARY[:-1])
def test_colours_are_weighted_by_alpha(command: str) -> None:
    assert run(of(command, "alpha.png", "out.tif") + " --exact --bit-depth 32f").output == ""
    make, options = MAKES[command]
    pixels = planes("alpha.png")
    weighted = np.concatenate([pixels[:3] * pixels[3:], pixels[3:]])
    made = filter_image(weighted, KernelField(make()), engine="reference", **options)
    made[:3] /= made[3:]
    tifffile = pytest.importorskip("tifffile")
    assert_parity(tifffile.imread("out.tif").transpose(2, 0, 1), made, maximum=1e-5)


@pytest.mark.parametrize(
    "command",
    ["sharpen --threshold 0.1", "sharpen --per-channel --amount 2 --amount-map", "smooth"],
)
def test_sharpen_and_smooth_take_alpha(command: str) -> None:
    assert run(of(command, "alpha.png", "out.png")).output == ""
    before, after = planes("alpha.png"), planes("out.png")
    assert after.shape == before.shape
    assert (after[:3] != before[:3]).any()


@pytest.mark.parametrize("name", ["alpha.png", "deep.png", "dot.png", "small.png"])
def test_kernels_that_sum_to_one_take_every_image(name: str) -> None:
    for words in ("star.png", "psf.npy --sum-to-one --mode gather"):
        assert run(f"apply {name} out.png --kernels {words}").output == ""
        before, after = np.asarray(Image.open(name)), np.asarray(Image.open("out.png"))
        assert (after.dtype, after.shape) == (before.dtype, before.shape)
        assert name != "dot.png" or np.array_equal(after, before)


def test_kernels_that_are_not_there_are_an_input_that_failed() -> None:
    result = run("apply in.png new.png --kernels missing.npy")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "missing.npy: cannot be read: No such file" in result.stderr


def test_to_scatter_is_to_convolve() -> None:
    np.savetxt("right.txt", [[0, 0, 1]])
    for mode, columns in (("gather", slice(1, None)), ("scatter", slice(None, -1))):
        assert run(f"apply in.png out.png --kernels right.txt --mode {mode}").output == ""
        kept = planes("in.png")[:, :, columns]
        moved = slice(None, -1) if mode == "gather" else slice(1, None)
        assert np.array_equal(planes("out.png")[:, :, moved], kept)


def test_what_is_nearer_hides_what_is_behind() -> None:
    square = np.zeros((20, 24), np.uint8)
    square[6:14, 8:16] = 255
    Image.fromarray(square).save("square.png")
    command = "lens square.png out.png --depth square.png --focus 1 --aperture 4"
    made = {}
    for words in ("", "--occlusion", "--occlusion --near black"):
        assert run(f"{command} {words}").output == ""
        made[words] = np.asarray(Image.open("out.png")).astype(int)
    inside = square == 255
    assert np.array_equal(made["--occlusion"], square)  # in front, and sharp
    assert made[""][inside].min() < 200  # what is black behind it spreads over it
    assert made["--occlusion --near black"][inside].min() < 200  # and so it does before it


def test_highlights_are_brighter_before_they_spread() -> None:
    dots = np.zeros((15, 21), np.uint8)
    dots[7, 7], dots[7, 16] = 255, 188  # light 1 and 0.5
    Image.fromarray(dots).save("dots.png")
    command = "lens dots.png out.npy --radius 3 --exact --bit-depth 32f"
    made = {}
    for words in ("--linear", "--highlights 3", "--highlights 3 --highlights-above 0.2"):
        assert run(f"{command} {words}").output == ""
        v = np.load("out.npy").reshape(dots.shape)
        made[words] = np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)
    bright, dim = slice(0, 12), slice(12, None)
    for words, times in (("--highlights 3", 1), ("--highlights 3 --highlights-above 0.2", 4)):
        assert_parity(made[words][:, bright], 4 * made["--linear"][:, bright], maximum=1e-6)
        assert_parity(made[words][:, dim], times * made["--linear"][:, dim], maximum=1e-6)


@pytest.mark.parametrize("command", [*FILTERS, "blur --sigma-x 3 --sigma-x-map", "motion --spin 5"])
def test_a_single_pixel_stays(command: str) -> None:
    assert run(of(command, "dot.png", "out.png")).output == ""
    assert np.array_equal(Image.open("out.png"), Image.open("dot.png"))


def test_commands_make_a_pipeline() -> None:
    program = shlex.join([sys.executable, "-m", "svfilter"])
    script = " | ".join(["cat in.png", *(f"{program} {name} - -" for name in FILTERS)])
    ended = subprocess.run(script, shell=True, capture_output=True, check=False)
    assert (ended.returncode, ended.stderr) == (0, b"")
    Path("out.png").write_bytes(ended.stdout)
    assert planes("out.png").shape == (3, HEIGHT, WIDTH)


REFUSED = {
    "blur --sigma 2 --sigma-x 3": ("--sigma and --sigma-x exclude each other", "ellipses"),
    "blur --sigma-map depth.png --sigma-y 3": ("--sigma-map and --sigma-y exclude",),
    "blur --angle 30": ("--angle needs --sigma-x or --sigma-y",),
    "blur --angle-map depth.png --angle 20": ("--angle needs --sigma-x or --sigma-y",),
    "blur --ellipse-map ellipses.png": ("--ellipse-map needs --sigma-x or --sigma-y",),
    "blur --sigma-x-map depth.png": ("--sigma-x-map needs --sigma-x",),
    "blur --sigma-y 2 --sigma-x-map depth.png": ("--sigma-x-map", "give --sigma-x"),
    "blur --sigma-x 2 --angle-map depth.png": ("--angle-map", "give --angle"),
    "blur --sigma-x 2 --ellipse-map ellipses.png --sigma-x-map depth.png": (
        "--ellipse-map and --sigma-x-map exclude",
    ),
    "blur --sigma-x 2 --angle-min 10": ("--angle-min needs --angle-map or --ellipse-map",),
    "blur --sigma-x 2 --ellipse-map depth.png": ("depth.png", "channel 'r'"),
    "blur --sigma-x 2 --ellipse-map ellipses.png --per-channel": ("--per-channel",),
    "blur --sigma-x 2 --invert": ("--invert needs --sigma-x-map, --sigma-y-map, --angle-map or",),
    "blur --sigma-x-min 3 --sigma-x 2 --sigma-x-map": ("--sigma-x-min 3 is larger", "--invert"),
    "blur --shape box --sigma 3": ("--sigma is for --shape gaussian", "--radius"),
    "blur --shape box --sigma-x 3": ("--sigma-x is for --shape gaussian",),
    "blur --shape box --truncate 3": ("--truncate is for --shape gaussian or moffat",),
    "blur --shape moffat --ellipse-map ellipses.png": ("--ellipse-map is for --shape gaussian",),
    "blur --radius 3": ("--radius is for --shape box or triangle", "gaussian"),
    "blur --radius-map --sigma 3": ("--radius-map is for --shape box or triangle",),
    "blur --shape triangle --fwhm-map depth.png": ("--fwhm-map is for --shape moffat",),
    "blur --beta 3": ("--beta is for --shape moffat",),
    "blur --truncate 20": ("'--truncate'", "1 to 8 sigmas"),
    "blur --shape moffat --truncate 60": ("'--truncate'", "1 to 50 widths"),
    "blur --shape round": ("--shape", "round"),
    "blur --shape box --radius nan": ("'--radius'", "0 to 1000"),
    "blur --normalise weights": ("--normalise needs --mode scatter",),
    "blur --mode spread": ("--mode", "spread"),
    "lens --mode gather --normalise energy": ("--normalise needs --mode scatter",),
    "lens --depth depth.png": ("--depth needs --focus and --aperture",),
    "lens --depth depth.png --focus 0.2": ("--depth needs --focus and --aperture",),
    "lens --focus 0.2": ("--focus needs --depth",),
    "lens --max-radius 9": ("--max-radius needs --depth",),
    "lens --aperture 0 --radius 5": ("--aperture needs --depth",),
    "lens --depth-model thin": ("--depth-model needs --depth",),
    "lens --depth depth.png --radius 5": ("--depth and --radius exclude",),
    "lens --depth depth.png --radius-map depth.png": ("--depth and --radius-map exclude",),
    "lens --depth depth.png --focus 1 --aperture 9 --per-channel": ("--per-channel", "--depth"),
    "lens --depth depth.png --focus nan --aperture 9": ("--focus", "nan"),
    "lens --depth depth.png --focus 1 --aperture -9": ("--aperture", "-9"),
    "lens --depth depth.png --focus 0 --aperture 9 --depth-model thin": ("--focus", "above 0"),
    "lens --occlusion": ("--occlusion needs --depth",),
    "lens --depth '' --focus 1 --aperture 9": ("--depth is an empty name",),
    "smooth --guide ''": ("--guide is an empty name",),
    "lens --near black": ("--near needs --depth and --occlusion",),
    "lens --depth depth.png --focus 1 --aperture 9 --near black": ("--near needs --occlusion",),
    "lens --depth depth.png --focus 1 --aperture 9 --occlusion --normalise energy": (
        "--normalise and --occlusion exclude",
    ),
    "lens --depth depth.png --focus 1 --aperture 9 --occlusion --mode gather": (
        "--occlusion needs --mode scatter",
    ),
    "lens --depth depth.png --focus 1 --aperture 9 --occlusion --verify": ("--verify",),
    "lens --depth depth.png --focus 1 --aperture 9 --occlusion --near white --depth-model thin": (
        "--near white is for disparity",
    ),
    "lens --highlights 2 --mode gather": ("--highlights needs --mode scatter",),
    "lens --highlights-above 0.5": ("--highlights-above needs --highlights",),
    "lens --highlights 2 --highlights-above 1": ("--highlights-above", "x<1"),
    "lens --highlights -1": ("--highlights", "x<=1000"),
    "lens --blades 2": ("blades", "3 or more"),
    "lens --blades 33": ("'--blades'", "0 to 32"),
    "lens --radius 5 --map-gamma 2": ("--map-gamma needs --radius-map",),
    "motion --flow flow.flo --spin 3": ("--flow and --spin exclude",),
    "motion --zoom 2 --spin 3": ("--spin and --zoom exclude",),
    "motion --spin 3 --length 4": ("--spin and --length exclude",),
    "motion --flow flow.flo --angle-map depth.png": ("--flow and --angle-map exclude",),
    "motion --flow-scale 0": ("--flow-scale needs --flow",),
    "motion --spin 9 --max-length 3": ("--max-length needs --flow",),
    "motion --centre 3,4": ("--centre needs --spin or --zoom",),
    "motion --flow flow.flo --centre 3,4": ("--centre needs --spin or --zoom",),
    "motion --spin 3 --centre 3": ("--centre", "320,240"),
    "motion --spin 3 --centre 3,x": ("--centre", "'x'"),
    "motion --spin 3 --centre 3,nan": ("--centre", "nan"),
    "motion --spin 3 --invert": ("--invert", "--spin"),
    "motion --spin inf": ("--spin", "inf"),
    "motion --zoom 0": ("--zoom", "x>0"),
    "motion --zoom inf": ("--zoom", "inf"),
    "motion --spin 90 --centre 2000,0": ("0 to 1000 px", "fewer degrees of --spin"),
    "motion --zoom 9 --centre 2000,0": ("0 to 1000 px", "a --zoom nearer to 1"),
    "motion --flow flow.flo --flow-scale 5000": ("0 to 1000 px", "a smaller --flow-scale"),
    "motion --path middle": ("--path", "middle"),
    "motion --flow small.png": ("small.png", "flow", "two channels of floats"),
    "motion --angle-map depth.png": ("--angle-map", "give --angle"),
    "sharpen --threshold 2": ("'--threshold'", "0 to 1"),
    "sharpen --amount-min 1": ("--amount-min needs --amount-map",),
    "sharpen --sigma-map --amount-min 0": ("--amount-min needs --amount-map",),
    "sharpen --mode scatter": ("--mode",),
    "smooth --guide small.png": ("small.png", "size", "14 x 9"),
    "smooth --per-channel": ("--per-channel",),
    "smooth --normalise weights": ("--normalise",),
    "smooth --invert": ("--invert needs --sigma-space-map or --sigma-range-map",),
    "smooth --sigma-space 201": ("'--sigma-space'", "0 to 200"),
    "apply": ("Missing option '--kernels'",),
    "apply --kernels ''": ("--kernels is an empty name",),
    "apply --kernels -": ("from - (stdin)", "name a file"),
    "apply --kernels sharp.txt --normalise weights": ("--normalise needs --mode scatter",),
    "apply --kernels sharp.txt --index index.png": ("sharp.txt", "an index or coefficients are"),
    "apply --kernels psf.npy --coefficients coefficients.npy": ("psf.npy", "are for kernels"),
    "apply --kernels kernels.npy --index index.png --coefficients coefficients.npy": (
        "exclude each other",
    ),
    "apply --kernels kernels.npy": ("kernels.npy: 4 planes", "give their index"),
    "apply --kernels kernels.npy --index mask.png": ("mask.png", "0 to 3"),
    "apply --kernels kernels.npy --index star.png": ("star.png", "14 x 9"),
    "apply --kernels edge.csv --sum-to-one": ("edge.csv", "that of this one is 0"),
    "apply --kernels kernels.npy --coefficients none.npy --sum-to-one": (
        "none.npy",
        "row 3, column 5",
    ),
}


@pytest.mark.parametrize("command", REFUSED)
def test_what_means_nothing_is_refused_by_name(command: str) -> None:
    result = run(of(command, "in.png", "new.png"))
    assert (result.exit_code, result.stdout) == (2, "")
    told = " ".join(result.stderr.split())
    for word in REFUSED[command]:
        assert word in told
    assert not Path("new.png").exists()


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("lens --depth in.png new.png", "--depth took 'in.png' as its SOURCE"),
        ("motion in.png --flow new.png", "--flow took 'new.png' as its FILE"),
        ("smooth --guide in.png new.png", "--guide took 'in.png' as its FILE"),
        ("blur --radius-map in.png new.png --shape box", "--radius-map=SOURCE"),
    ],
)
def test_an_option_that_took_a_file_is_named(command: str, words: str) -> None:
    if command.startswith("lens"):
        command += " --focus 0.5 --aperture 3"
    result = run(command)
    assert (result.exit_code, words in result.stderr) == (2, True), result.stderr


@pytest.mark.parametrize(
    "command",
    [
        "lens in.png depth.png --depth depth.png --focus 0 --aperture 9",
        "motion in.png flow.flo --flow flow.flo --format tiff",
        "smooth in.png flash.png --guide flash.png",
        "apply in.png sharp.txt --kernels sharp.txt --format png",
        "apply in.png index.png --kernels kernels.npy --index index.png",
    ],
)
def test_what_is_read_is_not_written_over(command: str) -> None:
    result = run(command)
    assert (result.exit_code, "OUTPUT" in result.stderr, "input" in result.stderr) == (
        2,
        True,
        True,
    )


def examples(name: str) -> list[str]:
    """Give the examples in a command's help."""
    lines = (line.strip() for line in str(cli.commands[name].help).splitlines())
    return [line for line in lines if line.startswith(("svfilter ", "cat "))]


EXAMPLES = [example for name in COMMANDS for example in examples(name)]


def test_every_command_has_examples() -> None:
    assert all(examples(name) for name in COMMANDS)


@pytest.mark.parametrize("example", [line for line in EXAMPLES if "|" not in line])
def test_example_of_the_help_runs(example: str) -> None:
    result = run(example.removeprefix("svfilter "))
    assert (result.exit_code, result.output) == (0, "")
    assert (np.asarray(Image.open("out.png")) != np.asarray(Image.open("in.png"))).any()


def test_examples_with_pipes_run() -> None:
    piped = [line for line in EXAMPLES if "|" in line]
    assert piped
    for line in piped:
        script = line.replace("svfilter", shlex.join([sys.executable, "-m", "svfilter"]))
        ended = subprocess.run(script, shell=True, capture_output=True, check=False)
        assert (ended.returncode, ended.stderr) == (0, b"")
        assert planes("out.png").shape == (3, HEIGHT, WIDTH)


def test_help_of_no_command_imports_anything_heavy() -> None:
    code = """
import sys
from click.testing import CliRunner
from svfilter.cli import cli
for words in [[], *([name] for name in cli.commands)]:
    result = CliRunner().invoke(cli, [*words, "--help"])
    assert result.exit_code == 0 and "Usage" in result.output, words
heavy = {"numpy", "torch", "PIL", "numba", "scipy", "tqdm"} & set(sys.modules)
assert not heavy, heavy
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert ended.returncode == 0, ended.stderr.decode()


@pytest.mark.parametrize("name", FILTERS)
def test_options_of_the_kernels_come_first(name: str) -> None:
    known = {parameter.name: parameter for parameter in cli.commands[name].params}
    order = [option for option in known if option not in ("input", "output", "shape")]
    shared = order.index("per_channel") if "per_channel" in order else order.index("invert")
    families = [FAMILIES[family] for family, words in MADE_BY.items() if words.split()[0] == name]
    own = {p for family in families for p in family.parameters()}
    assert own <= {*order[:shared], *({"path"} if name == "motion" else ())}
    assert {"boundary", "engine", "page", "format", "quiet"} <= set(order[shared:])


def test_the_same_option_is_of_the_same_type_in_every_command() -> None:
    seen: dict[str, tuple[str, Any]] = {}
    for name in COMMANDS:
        for parameter in cli.commands[name].params:
            known = parameter.type.to_info_dict()
            other, expected = seen.setdefault(str(parameter.name), (name, known))
            assert known == expected, f"{parameter.name} of {name} is not that of {other}"


def test_shapes_that_share_a_parameter_share_its_default() -> None:
    seen: dict[str, float] = {}
    for parameters in SHAPES.values():
        for name, parameter in parameters.items():
            assert seen.setdefault(name, parameter.default) == parameter.default


@pytest.mark.parametrize("name", FAMILIES)
def test_the_list_of_kernels_says_who_makes_them(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    called: list[Any] = []

    def record(source: str, target: str, family: Any, *rest: Any, **options: Any) -> Any:
        called.append(family)
        return SimpleNamespace(error_seen=None)

    monkeypatch.setattr("svfilter.pipeline.filter_file", record)
    words = MADE_BY[name] + (" 3" if MADE_BY[name].endswith("--sigma-x") else "")
    assert run(of(words, "in.png", "out.png")).exit_code == 0
    assert called == [FAMILIES[name]]


def test_kernels_lists_families_parameters_and_engines() -> None:
    result = run("kernels")
    assert (result.exit_code, result.stderr) == (0, "")
    blocks = result.stdout.split("\n\n")
    assert FORMS.keys() == STORED.keys()
    for block, (name, family) in zip(blocks, [*FAMILIES.items(), *STORED.items()], strict=True):
        assert re.match(f"{name}\n  kernels +{re.escape(family.summary)}\n", block)
        if name in STORED:
            assert f"svfilter apply\n  file     {FORMS[name]}\n" in block
        for parameter in family.parameters().values() if name in FAMILIES else ():
            span = f"{parameter.low:g} to {parameter.high:g} {parameter.unit}"
            assert re.search(f"^  {parameter.name} +{re.escape(span)}, default", block, re.M)
        found = {mode: re.findall(f"^  {mode} +(.*)", block, re.M)[0].split(", ") for mode in MODES}
        assert {"reference", "unfold"} <= set(found["gather"]) <= set(ENGINES)
        assert (found["scatter"] == ["not these kernels"]) == (not family.scatters)
