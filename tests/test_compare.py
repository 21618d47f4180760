"""Comparing: numbers equal plain loops, and the picture shows where the difference is."""

from __future__ import annotations

import io
import math
import re
import shlex
import subprocess
import sys
from contextlib import ExitStack
from fractions import Fraction
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from arrays import ArrayDecoder, reader
from click.testing import CliRunner, Result
from PIL import Image

from svfilter.cli import cli
from svfilter.errors import InvalidArgument, SvfilterWarning
from svfilter.images.reading import ImageReader
from svfilter.looking import comparing
from svfilter.looking.canvas import fitted
from svfilter.looking.colours import viridis
from svfilter.looking.comparing import compare_files
from svfilter.looking.differences import Comparison, Differences

GOLDEN = Path(__file__).parent / "golden"
MARGIN = 24
SHAPES = [(1, 1, 1), (7, 13, 3), (60, 5, 4), (5, 90, 2)]
TYPES = ["u1", "u2", "u4", "i1", "i2", "f2", "f4", "f8"]


def made(shape: tuple[int, ...], dtype: str, rng: np.random.Generator) -> np.ndarray:
    """Give any values of a type: all integers, floats of both signs."""
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return rng.normal(size=shape).astype(kind)
    limits = np.iinfo(kind)
    return rng.integers(limits.min, limits.max, shape, dtype=kind, endpoint=True)


def compared(a: np.ndarray, b: np.ndarray, *, rows: int = 3, **options: Any) -> Comparison:
    first, second = reader(a, "a.png", **options), reader(b, "b.png", **options)
    differences = Differences(first, second)
    for row in range(0, len(a), rows):
        differences.add(*(np.atleast_3d(pixels)[row : row + rows] for pixels in (a, b)))
    return differences.end()


def share(value: np.generic) -> Fraction:
    if value.dtype.kind == "f":
        return Fraction(value.item())
    return Fraction(value.item(), int(np.iinfo(value.dtype).max))


def pixel_by_pixel(a: np.ndarray, b: np.ndarray) -> dict[str, Any]:
    """Give the numbers of images [h, w, C] without rounding, but for the root."""
    total = squares = largest = Fraction(0)
    place, differing = (0, 0, 0), 0
    for y, x in product(*map(range, a.shape[:2])):
        apart = [abs(share(p) - share(q)) for p, q in zip(a[y, x], b[y, x], strict=True)]
        differing += max(apart) > 0
        total, squares = total + sum(apart), squares + sum(d * d for d in apart)
        if max(apart) > largest:
            largest = max(apart)
            place = x, y, apart.index(largest)
    return {
        "largest": float(largest),
        "place": place,
        "mean": float(total / a.size),
        "rms": math.sqrt(squares / a.size),
        "differing": differing,
    }


# Numbers


@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("dtype", TYPES)
def test_numbers_are_those_of_a_plain_loop(
    dtype: str, shape: tuple[int, ...], rng: np.random.Generator
) -> None:
    a, b = made(shape, dtype, rng), made(shape, dtype, rng)
    b = np.where(rng.random(shape[:2])[..., None] < 0.5, a, b)  # about half of them are equal
    got, expected = compared(a, b), pixel_by_pixel(a, b)
    for name in ("largest", "mean", "rms"):
        assert getattr(got, name) == pytest.approx(expected[name], rel=1e-14), name
    channels = {1: ["grey"], 2: ["grey", "alpha"]}.get(shape[2], ["red", "green", "blue", "alpha"])
    x, y, channel = expected["place"]
    assert (got.x, got.y, got.channel) == (x, y, channels[channel])
    assert (got.differing, got.pixels) == (expected["differing"], shape[0] * shape[1])
    assert got.steps == (None if dtype[0] == "f" else np.iinfo(dtype).max)


def test_large_sums_of_integers_are_exact(rng: np.random.Generator) -> None:
    a = np.zeros((700, 900), np.uint16)
    b = a + 65535
    b[3, 4] = 65534
    values = 700 * 900
    got = compared(a, b, rows=64)
    assert got.mean == float(Fraction(65535 * values - 1, 65535 * values))
    squares = Fraction(65535**2 * (values - 1) + 65534**2, 65535**2 * values)
    assert got.rms == pytest.approx(math.sqrt(squares), rel=1e-16)
    assert got.rms < 1


def test_equal_images_are_infinitely_alike(rng: np.random.Generator) -> None:
    for dtype in TYPES:
        a = made((7, 13, 3), dtype, rng)
        got = compared(a, a.copy())
        assert (got.largest, got.mean, got.rms, got.psnr) == (0, 0, 0, math.inf)
        assert (got.differing, got.share) == (0, 0)


def test_psnr_has_the_peak_1() -> None:
    a = np.zeros((4, 5), np.uint8)
    assert compared(a, a + 255).psnr == 0
    assert compared(a, a + 51).psnr == pytest.approx(20 * math.log10(5))


def test_the_first_of_equal_differences_is_told() -> None:
    a = np.zeros((9, 6, 3), np.uint8)
    b = a.copy()
    b[2, 5, 2] = b[2, 5, 1] = b[7, 0, 0] = 9
    for rows in (1, 4, 9):
        got = compared(a, b, rows=rows)
        assert (got.x, got.y, got.channel) == (5, 2, "green")
    b[8, 1, 0] = 10
    assert (compared(a, b).x, compared(a, b).y, compared(a, b).channel) == (1, 8, "red")


NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        (NAN, NAN, 0),
        (INF, INF, 0),
        (-INF, -INF, 0),
        (NAN, 1, INF),
        (1, NAN, INF),
        (INF, 1, INF),
        (INF, -INF, INF),
        (INF, NAN, INF),
        (0.0, -0.0, 0),
    ],
)
def test_what_is_not_finite_is_equal_or_infinitely_far_off(
    a: float, b: float, expected: float
) -> None:
    first, second = (np.full((2, 3), 0.5, np.float32) for _ in range(2))
    first[1, 2], second[1, 2] = a, b
    got = compared(first, second)
    assert (got.largest, got.mean, got.rms) == (expected,) * 3
    assert got.differing == (expected > 0)
    assert got.psnr == (-INF if expected else INF)
    if expected:
        assert (got.x, got.y) == (2, 1)


def test_doubles_that_are_too_far_apart_are_infinitely_far() -> None:
    a = np.full((1, 1), 1.7e308)
    assert compared(a, -a).largest == INF
    assert (compared(a, a / 2).largest, compared(a, a / 2).rms) == (0.85e308, INF)


# What can be compared


def test_depths_differ_by_their_shares(rng: np.random.Generator) -> None:
    a = made((7, 13, 3), "u1", rng)
    deep = a.astype(np.uint16) * 257
    got = compared(a, deep)
    assert (got.largest, got.steps) == (0, 255)
    deep[3, 4, 1] ^= 1
    assert compared(deep, a).largest == pytest.approx(1 / 65535, rel=1e-9)
    floats = (a / 255).astype(np.float64)
    got = compared(a, floats)
    assert (got.largest, got.steps, got.unit) == (0, None, "")


def test_grey_is_compared_with_three_equal_channels(rng: np.random.Generator) -> None:
    grey = made((7, 13), "u1", rng)
    colours = np.dstack([grey] * 3)
    assert compared(grey, colours).largest == 0
    colours[2, 3, 1] ^= 8
    for a, b in ((grey, colours), (colours, grey)):
        got = compared(a, b)
        assert (got.in_unit(got.largest), got.channel, got.differing) == (8, "green", 1)
        assert got.mean == pytest.approx(8 / 255 / colours.size)


@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
def test_without_alpha_is_opaque(dtype: str, rng: np.random.Generator) -> None:
    colours = made((7, 13, 3), dtype, rng)
    opaque = 1 if dtype == "f4" else np.iinfo(dtype).max
    alpha = np.full((7, 13), opaque, dtype)
    assert compared(colours, np.dstack([colours, alpha])).largest == 0
    alpha[6, 5] = opaque - opaque // 2 if dtype != "f4" else 0.5
    got = compared(np.dstack([colours, alpha]), colours)
    assert (got.x, got.y, got.channel) == (5, 6, "alpha")
    assert got.largest == pytest.approx(0.5, abs=0.01)
    grey = np.full((7, 13), opaque, dtype)
    assert compared(grey, np.dstack([grey] * 4)).largest == 0


def image(channels: int, size: tuple[int, int] = (4, 6), **options: Any) -> ImageReader:
    name = f"{options.pop('name')}.png"
    return reader(np.zeros((*size, channels), np.uint8), name, **options)


@pytest.mark.parametrize(
    ("first", "second", "message"),
    [
        (
            {"channels": 3, "size": (4, 6)},
            {"channels": 3, "size": (6, 4)},
            "a.png is 6 x 4 and b.png 4 x 6 pixels; resize",
        ),
        (
            {"channels": 3},
            {"channels": 4, "colour": "cmyk", "alpha": ""},
            "a.png is 8-bit RGB and b.png 8-bit CMYK; convert",
        ),
        ({"channels": 5}, {"channels": 6}, "a.png is 8-bit 5 bands and b.png 8-bit 6 bands"),
        ({"channels": 1}, {"channels": 5}, "a.png is 8-bit grey and b.png 8-bit 5 bands"),
        (
            {"channels": 3, "colour": "bands", "alpha": ""},
            {"channels": 3},
            "a.png is 8-bit 3 bands and b.png 8-bit RGB",
        ),
        (
            {"channels": 4, "alpha": "associated"},
            {"channels": 4},
            "a.png is 8-bit RGB with associated alpha and b.png 8-bit RGB with alpha",
        ),
    ],
)
def test_others_are_refused_by_name(
    first: dict[str, Any], second: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidArgument, match=message):
        Differences(image(**first, name="a"), image(**second, name="b"))


# Files


def write(path: Path, pixels: np.ndarray) -> str:
    if path.suffix == ".tif":
        tifffile.imwrite(path, pixels)
    else:
        Image.fromarray(pixels).save(path)
    return str(path)


@pytest.fixture
def pair(tmp_path: Path, rng: np.random.Generator) -> tuple[str, str]:
    """Two images that differ in one pixel, by 4 steps."""
    a = rng.integers(0, 256, (9, 14, 3), dtype=np.uint8)
    b = a.copy()
    b[3, 5, 1] ^= 4
    return write(tmp_path / "a.png", a), write(tmp_path / "b.png", b)


def blocks(a: np.ndarray, b: np.ndarray, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Have arrays read instead of files, in blocks of two rows."""
    arrays = {"a": a, "b": b}

    def open_array(name: str, **options: Any) -> ImageReader:
        return ImageReader(name, ArrayDecoder(arrays[name], block=2), ExitStack())

    monkeypatch.setattr(comparing, "open_image", open_array)
    return arrays


@pytest.mark.parametrize("dtype", ["u1", "f4"])
def test_rows_taken_together_change_nothing(
    dtype: str, tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = made((25, 700, 3), dtype, rng), made((25, 700, 3), dtype, rng)
    blocks(a, b, monkeypatch)
    monkeypatch.setattr(comparing.canvas, "LONGER", 100)
    numbers, pictures = [], []
    for values in (1, 2100 * 7, 10**9):
        monkeypatch.setattr(comparing, "_VALUES", values)
        target = tmp_path / f"{values}.png"
        numbers.append(compare_files("a", "b", str(target)))
        pictures.append(target.read_bytes())
    assert pictures[0] == pictures[1] == pictures[2]
    for name in ("mean", "rms"):
        tolerance = 0 if dtype == "u1" else 1e-14
        values = [getattr(one, name) for one in numbers]
        assert values == pytest.approx(values[:1] * 3, rel=tolerance, abs=0)
    assert len({(one.largest, one.x, one.y, one.channel, one.differing) for one in numbers}) == 1


def test_rows_are_let_go_as_they_are_compared(
    tmp_path: Path, rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    a = made((60, 50, 3), "u1", rng)
    blocks(a, a, monkeypatch)
    monkeypatch.setattr(comparing, "_VALUES", 50 * 3 * 4)
    held = []
    let_go = ImageReader.let_go

    def counted(image: ImageReader, row: int) -> None:
        let_go(image, row)
        held.append((row, sum(len(rows) for _, rows in image._blocks)))

    monkeypatch.setattr(ImageReader, "let_go", counted)
    monkeypatch.setattr(comparing.canvas, "LONGER", 50)
    compare_files("a", "b", str(tmp_path / "out.png"))
    assert [row for row, _ in held[::2]] == list(range(4, 61, 4))
    assert all(rows == 0 or row < 60 for row, rows in held)


def test_arguments_out_of_range_are_refused(pair: tuple[str, str], tmp_path: Path) -> None:
    out = str(tmp_path / "out.png")
    for times in (0.0, -1.0, math.nan, math.inf):
        with pytest.raises(InvalidArgument, match="--times must be from"):
            compare_files(*pair, out, times=times)
    with pytest.raises(InvalidArgument, match="only one of A and B"):
        compare_files("-", "-")
    with pytest.raises(InvalidArgument, match="a.png: --page must be 1 to 1, but is 2"):
        compare_files(*pair, page=1)
    with pytest.raises(InvalidArgument, match="is also an input"):
        compare_files(*pair, pair[1])


def test_pages_are_compared_one_by_one(tmp_path: Path, rng: np.random.Generator) -> None:
    pages = made((2, 7, 13), "u1", rng)
    both, one = str(tmp_path / "both.tif"), write(tmp_path / "one.tif", pages[1])
    tifffile.imwrite(both, pages, photometric="minisblack")
    with pytest.warns(SvfilterWarning, match="both.tif: holds 2 images, of which the first"):
        assert compare_files(both, one).largest > 0
    second = str(tmp_path / "second.tif")
    tifffile.imwrite(second, pages[::-1], photometric="minisblack")
    assert compare_files(both, both, page=1).largest == 0
    assert compare_files(both, second, page=1).largest > 0


# Pictures


def panels(sheet: Path, size: tuple[int, int]) -> list[np.ndarray]:
    """Give those of images that are taller than wide, which stand in a row."""
    height, width = fitted(*size)
    drawn = np.asarray(Image.open(sheet))
    column = max(width, 320) + MARGIN
    lefts = range(MARGIN, drawn.shape[1] - MARGIN, column)
    return [drawn[MARGIN : MARGIN + height, left : left + width] for left in lefts]


def test_panels_show_both_and_the_difference(tmp_path: Path, rng: np.random.Generator) -> None:
    a, b = made((30, 20, 3), "u1", rng), made((30, 20, 3), "u1", rng)
    files = write(tmp_path / "a.png", a), write(tmp_path / "b.png", b)
    compare_files(*files, str(tmp_path / "out.png"), times=2)
    first, second, third = panels(tmp_path / "out.png", (30, 20))
    enlarged = [pixels.repeat(21, axis=0).repeat(21, axis=1) for pixels in (a, b)]
    np.testing.assert_array_equal(first, enlarged[0])
    np.testing.assert_array_equal(second, enlarged[1])
    apart = abs(enlarged[0].astype(float) - enlarged[1]).max(axis=-1) / 255
    np.testing.assert_array_equal(third, viridis(2 * apart))


def test_the_largest_difference_fills_the_bar_by_default(pair: tuple[str, str]) -> None:
    out = Path(pair[0]).with_name("out.png")
    compare_files(*pair, str(out))
    drawn = np.asarray(Image.open(out))
    factor = 640 // 14
    top = MARGIN + 9 * factor + 8 + 26 + MARGIN  # the difference is under one line of caption
    third = drawn[top : top + 9 * factor, MARGIN : MARGIN + 14 * factor]
    changed = np.zeros((9, 14))
    changed[3, 5] = 1
    np.testing.assert_array_equal(third[::factor, ::factor], viridis(changed))


def test_split_joins_the_left_of_one_and_the_right_of_the_other(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    a, b = made((300, 201), "u1", rng), made((300, 201), "u1", rng)
    files = write(tmp_path / "a.png", a), write(tmp_path / "b.png", b)
    compare_files(*files, str(tmp_path / "out.png"), layout="split")
    joined, difference = panels(tmp_path / "out.png", (300, 201))
    wide, middle = 402, 201
    assert (joined.shape, difference.shape) == ((600, wide, 3), (600, wide, 3))
    left, right = (pixels.repeat(2, axis=0).repeat(2, axis=1) for pixels in (a, b))
    np.testing.assert_array_equal(joined[:, : middle - 1, 0], left[:, : middle - 1])
    np.testing.assert_array_equal(joined[:, middle + 1 :, 2], right[:, middle + 1 :])
    assert (joined[:, middle - 1] == 255).all() and (joined[:, middle] == 0).all()


def test_one_wrong_pixel_of_many_is_drawn_and_ringed(tmp_path: Path) -> None:
    a = np.full((2600, 1300), 90, np.uint8)
    b = a.copy()
    b[1733, 802] += 1
    files = write(tmp_path / "a.png", a), write(tmp_path / "b.png", b)
    compare_files(*files, str(tmp_path / "out.png"), times=255)
    difference = panels(tmp_path / "out.png", (2600, 1300))[2]
    y, x = 1733 * 640 // 2600, 802 * 320 // 1300
    np.testing.assert_array_equal(difference[y, x], viridis(np.ones(())))
    plain = (difference == viridis(np.zeros(()))).all(axis=-1)
    rows, columns = np.nonzero(~plain)
    away = np.hypot(rows - y, columns - x)
    assert (away > 0).sum() > 50, "there is no ring"
    assert ((away == 0) | (abs(away - 14) < 4)).all()


def test_equal_images_are_drawn_as_equal(tmp_path: Path) -> None:
    path = write(tmp_path / "a.png", np.full((300, 5), 7, np.uint8))
    found = compare_files(path, path, str(tmp_path / "out.png"))
    assert found.psnr == math.inf
    assert (panels(tmp_path / "out.png", (300, 5))[2] == viridis(np.zeros(()))).all()


@pytest.mark.parametrize("shape", [(1, 1), (1, 700, 3), (2000, 1, 4), (3, 2, 6)], ids=str)
@pytest.mark.parametrize("dtype", ["u1", "u2", "f4"])
@pytest.mark.parametrize("layout", comparing.LAYOUTS)
def test_any_shape_can_be_drawn(
    layout: comparing.Beside, dtype: str, shape: tuple[int, ...], tmp_path: Path,
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    a, b = made(shape, dtype, rng), made(shape, dtype, rng)
    if dtype == "f4":
        a.flat[0], b.flat[-1] = np.nan, np.inf
    blocks(a, b, monkeypatch)
    monkeypatch.setattr(comparing.canvas, "LONGER", 100)  # the same in less time
    compare_files("a", "b", str(tmp_path / "out.png"), layout=layout)
    drawn = np.asarray(Image.open(tmp_path / "out.png"))
    assert drawn.shape[1] <= 1600


def test_a_difference_beyond_all_numbers_has_the_last_colour(tmp_path: Path) -> None:
    a = np.zeros((300, 5), np.float32)
    files = write(tmp_path / "a.tif", a), write(tmp_path / "b.tif", a + 1e20)
    compare_files(*files, str(tmp_path / "out.png"), times=1e300)
    difference = panels(tmp_path / "out.png", (300, 5))[2]
    np.testing.assert_array_equal(difference[-1, -1], viridis(np.ones(())))


def scene(dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """Give a small picture of smooth colours and squares, and a changed one."""
    y, x = np.mgrid[:16, :24] / 24.0
    a = np.stack([x, y, 1 - x], axis=-1)
    a[4:9, 5:11] = 0.9
    b = a.copy()
    b[8:13, 12:20, 1] *= 0.8
    top = np.iinfo(dtype).max
    return np.rint(a * top).astype(dtype), np.rint(b * top).astype(dtype)


@pytest.mark.parametrize("layout", comparing.LAYOUTS)
def test_sheets_look_as_they_did(
    layout: comparing.Beside, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Panels within a step; the rest as a glance sees it, for type is drawn by other versions."""
    a, b = scene("u1")
    monkeypatch.chdir(tmp_path)
    write(Path("first.png"), a), write(Path("second.png"), b)
    compare_files("first.png", "second.png", "out.png", layout=layout)
    drawn, known = (
        np.asarray(Image.open(path)).astype(int)
        for path in ("out.png", GOLDEN / f"compare_{layout}.png")
    )
    assert drawn.shape == known.shape
    height, width = fitted(16, 24)
    below = MARGIN + height + 8 + 26 + MARGIN
    corners = {"side": [(MARGIN, MARGIN), (MARGIN, 2 * MARGIN + width), (below, MARGIN)],
               "split": [(MARGIN, MARGIN), (MARGIN, 2 * MARGIN + width)]}  # fmt: skip
    for top, left in corners[layout]:
        panel = np.s_[top : top + height, left : left + width]
        assert abs(drawn[panel] - known[panel]).max() <= 1
    glances = [np.asarray(Image.fromarray(p.astype("u1")).reduce(16)) for p in (drawn, known)]
    assert abs(glances[0].astype(int) - glances[1]).mean() < 0.5  # 0.8 without captions


# The command


def run(*words: str, **options: Any) -> Result:
    return CliRunner().invoke(cli, ["compare", *words], catch_exceptions=False, **options)


def test_numbers_are_printed(pair: tuple[str, str]) -> None:
    result = run(*pair)
    assert (result.exit_code, result.stderr) == (0, "")
    rms = 4 / math.sqrt(9 * 14 * 3)
    assert result.stdout.splitlines() == [
        "largest    0.0156863 (4 steps of 1/255) at x=5, y=3, green",
        f"mean       {4 / 255 / 378:.6g} ({4 / 378:.6g} steps of 1/255)",
        f"rms        {rms / 255:.6g} ({rms:.6g} steps of 1/255)",
        f"psnr       {-20 * math.log10(rms / 255):.6g} dB",
        "differing  0.7937 % of pixels, 1 of 126",
    ]
    equal = run(pair[0], pair[0]).stdout
    assert equal.startswith("largest    0 (0 steps of 1/255)\n")
    assert "psnr       inf dB" in equal


def test_floats_have_no_steps(tmp_path: Path) -> None:
    a = np.zeros((3, 4), np.float32)
    files = write(tmp_path / "a.tif", a), write(tmp_path / "b.tif", a + 2)
    stdout = run(*files).stdout
    assert stdout.startswith("largest    2 at x=0, y=0, grey\nmean       2\nrms        2\n")


def test_a_picture_on_stdout_leaves_the_words_to_stderr(pair: tuple[str, str]) -> None:
    for quiet in ([], ["--quiet"]):
        words = [sys.executable, "-m", "svfilter", "compare", "-", pair[1], "-", *quiet]
        given = Path(pair[0]).read_bytes()
        ended = subprocess.run(words, input=given, capture_output=True, check=False)
        assert ended.returncode == 0
        assert Image.open(io.BytesIO(ended.stdout)).format == "PNG"
        said = re.sub(rb"\r", b"", ended.stderr)
        assert (said == b"") if quiet else said.startswith(b"largest    0.0156863 (4 steps")


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        ("a.png", 2, "Missing argument 'B'"),
        ("a.png b.png --times 3", 2, "--times is for a picture: name an OUTPUT."),
        ("a.png b.png --layout side", 2, "--layout is for a picture: name an OUTPUT."),
        ("a.png b.png out.png --times 0", 2, "--times"),
        ("a.png b.png out.exr", 2, "must be one of .png"),
        ("a.png ''", 2, "must not be empty"),
        ("a.png b.png a.png", 2, "is also an input"),
        ("- -", 2, "only one of A and B"),
        ("a.png missing.png", 1, "missing.png: cannot be read"),
        ("a.png b.png --max-pixels 5", 1, "a.png: has 14 x 9 pixels, more than 5"),
        ("a.png b.png --page 2", 2, "--page must be 1 to 1, but is 2"),
    ],
)
def test_what_means_nothing_is_refused(
    words: str, code: int, message: str, pair: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(pair[0]).parent)
    result = run(*shlex.split(words))
    assert (result.exit_code, result.stdout) == (code, "")
    assert message in result.stderr
    assert not Path("out.png").exists()


def test_examples_of_the_help_run(pair: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(Path(pair[0]).parent)
    lines = (line.strip() for line in str(cli.commands["compare"].help).splitlines())
    examples = [line for line in lines if line.startswith("svfilter ")]
    assert len(examples) == 4
    for line in examples:
        script = line.replace("svfilter", shlex.join([sys.executable, "-m", "svfilter"]))
        ended = subprocess.run(script, shell=True, capture_output=True, check=False)
        assert (ended.returncode, ended.stderr) == (0, b"")
        assert ended.stdout.startswith(b"largest ")
    with Image.open("picture.png") as picture:
        assert picture.width > 1000
