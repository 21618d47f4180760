"""Pictures that explain: what is drawn is what was given, at its place, in its colours."""

from __future__ import annotations

import io
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from svfilter.errors import ImageWriteError, InvalidArgument
from svfilter.images.layout import Alpha, Colour, Layout
from svfilter.looking.appearance import Appearance, Seen, span_of
from svfilter.looking.canvas import (
    LONGER,
    WIDEST,
    Bar,
    Panel,
    check,
    fitted,
    labels,
    save,
    sheet,
    ticks,
)
from svfilter.looking.colours import diverging, viridis
from svfilter.looking.lettering import font, length, plain, shortened, wrapped
from svfilter.looking.shrinking import Shrinking

MARGIN, BAR = 24, 8
"""Where a sheet's first panel is, and how far below a picture its bar is."""


# Colours


def light(colours: np.ndarray) -> np.ndarray:
    """Give linear sRGB, [..., 3]."""
    values = colours / 255.0
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def lightness(colours: np.ndarray) -> np.ndarray:
    """Give CIE L*, 0 to 100."""
    y = light(colours) @ [0.2126, 0.7152, 0.0722]
    return 116 * np.where(y > 216 / 24389, np.cbrt(y), y * 841 / 108 + 4 / 29) - 16


def test_viridis_is_that_of_matplotlib_at_every_quarter() -> None:
    known = [(68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37)]
    got = viridis(np.linspace(0, 1, 5))
    assert got.dtype == np.uint8
    np.testing.assert_allclose(got, known, rtol=0, atol=2)


def test_viridis_grows_lighter_evenly() -> None:
    rises = np.diff(lightness(viridis(np.linspace(0, 1, 11))))
    assert rises.min() > 5
    assert rises.max() < 10


def test_colours_beyond_the_range_are_those_of_the_ends() -> None:
    for colours, low in ((viridis, 0.0), (diverging, -1.0)):
        got = colours(np.array([[low, 1], [-np.inf, np.inf], [low - 5, 7]]))
        assert got.shape == (3, 2, 3)
        assert (got == got[0]).all()
        assert (got[0, 0] != got[0, 1]).any()


def test_diverging_is_grey_at_zero_and_as_light_on_either_side() -> None:
    values = np.linspace(0, 1, 9)
    assert np.ptp(diverging(np.zeros(1)).astype(int)) <= 4
    above, below = lightness(diverging(values)), lightness(diverging(-values))
    np.testing.assert_allclose(above, below, rtol=0, atol=1.5)
    assert (np.diff(above) < -5).all()


def test_diverging_has_two_sides_for_people_who_see_two_colours() -> None:
    """The matrix is that of deuteranopia in Machado et al., 2009, doi:10.1109/TVCG.2009.113."""
    seen = np.array([[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]])
    values = np.linspace(0.2, 1, 5)
    orange, blue = (light(diverging(side)) @ seen.T for side in (values, -values))
    assert (orange[:, 0] > orange[:, 2]).all()
    assert (blue[:, 0] < blue[:, 2]).all()


# Shrinking

SIZES = [
    ((1, 1), (1, 1)),
    ((7, 13), (3, 5)),
    ((13, 7), (4, 7)),
    ((5, 3), (10, 6)),
    ((3, 4), (7, 9)),
    ((30, 1), (8, 1)),
    ((30, 5), (1, 4)),
    ((1, 50), (1, 7)),
    ((6, 6), (6, 6)),
]


def shrunk(planes: np.ndarray, size: tuple[int, int], step: int, **options: bool) -> np.ndarray:
    made = Shrinking(len(planes), planes.shape[1:], size, **options)
    for row in range(0, planes.shape[1], step):
        made.add(planes[:, row : row + step])
    return made.end()


def covered(pixels: int, cells: int, cell: int) -> list[tuple[int, Fraction]]:
    """Give the pixels that a cell touches and how much of each it covers."""
    begin, end = Fraction(cell * pixels, cells), Fraction((cell + 1) * pixels, cells)
    parts = [(p, min(end, p + 1) - max(begin, p)) for p in range(pixels)]
    return [(pixel, part) for pixel, part in parts if part > 0]


def cell_by_cell(plane: np.ndarray, size: tuple[int, int], *, largest: bool) -> np.ndarray:
    """Give means or maxima of one plane, exactly, each rounded once."""
    made = np.empty(size)
    for y, x in np.ndindex(size):
        touched = [
            (Fraction(plane[row, column].item()), height * width)
            for row, height in covered(plane.shape[0], size[0], y)
            for column, width in covered(plane.shape[1], size[1], x)
        ]
        if largest:
            made[y, x] = max(value for value, _ in touched)
        else:
            total = sum(value * area for value, area in touched)
            made[y, x] = total / sum(area for _, area in touched)
    return made


@pytest.mark.parametrize("largest", [False, True])
@pytest.mark.parametrize(("size", "picture"), SIZES, ids=str)
def test_shrinking_gives_means_by_area_or_maxima(
    size: tuple[int, int], picture: tuple[int, int], largest: bool, rng: np.random.Generator
) -> None:
    planes = rng.normal(size=(2, *size)).astype(np.float32)
    got = shrunk(planes, picture, 2, largest=largest)
    for plane, made in zip(planes, got, strict=True):
        expected = cell_by_cell(plane, picture, largest=largest)
        np.testing.assert_allclose(made, expected, rtol=0, atol=0 if largest else 1e-15)


@pytest.mark.parametrize(("size", "picture"), SIZES, ids=str)
def test_means_of_integers_are_exact(
    size: tuple[int, int], picture: tuple[int, int], rng: np.random.Generator
) -> None:
    stored = rng.integers(0, 65536, (*size, 2), dtype=np.uint16)
    got = shrunk(stored.transpose(2, 0, 1), picture, 3)
    for channel in range(2):
        expected = cell_by_cell(stored[..., channel], picture, largest=False)
        np.testing.assert_array_equal(got[channel], expected)


@pytest.mark.parametrize("largest", [False, True])
def test_shrinking_does_not_depend_on_the_windows(largest: bool, rng: np.random.Generator) -> None:
    planes = rng.normal(size=(3, 61, 97)) * 10.0 ** rng.integers(-9, 9, (3, 61, 97))
    whole = shrunk(planes, (17, 23), 61, largest=largest)
    for step in (1, 7, 20):
        np.testing.assert_array_equal(shrunk(planes, (17, 23), step, largest=largest), whole)


def test_a_larger_picture_repeats_pixels(rng: np.random.Generator) -> None:
    plane = rng.random((1, 3, 5)).astype(np.float32)
    expected = plane.repeat(7, axis=1).repeat(7, axis=2)
    for largest in (False, True):
        np.testing.assert_array_equal(shrunk(plane, (21, 35), 1, largest=largest), expected)


def test_one_large_pixel_survives_shrinking() -> None:
    plane = np.zeros((1, 90, 160), np.uint8)
    plane[0, 47, 101] = 3
    got = shrunk(plane, (9, 16), 10, largest=True)[0]
    assert got[4, 10] == 3
    assert np.count_nonzero(got) == 1


def test_what_is_not_finite_stays_in_its_cell() -> None:
    plane = np.ones((1, 9, 9), np.float32)
    plane[0, 1, 1], plane[0, 4, 7], plane[0, 7, 3:5] = np.nan, np.inf, (np.inf, -np.inf)
    got = shrunk(plane, (3, 3), 2)[0]
    expected = [[np.nan, 1, 1], [1, 1, np.inf], [1, np.nan, 1]]
    np.testing.assert_array_equal(got, expected)


# Letters


def test_plain_text_has_only_letters_that_the_typeface_has() -> None:
    text = plain("σ × 3° ± 1 − é Ö ß 日 … · ²µ∞\u00a0~")
    assert text == "sigma x 3° ± 1 - e O ? ? … · ^2uinf?~"
    missing = bytes(font().getmask("\uffff"))
    for letter in {*map(chr, range(33, 127)), *text} - {" "}:
        assert bytes(font().getmask(letter)) != missing, letter


@pytest.mark.parametrize("width", [1, 60, 200, 400])
def test_wrapped_lines_fit_and_keep_all_words(width: int) -> None:
    text = "A few words and\nan_extraordinarily_long_one_that_no_line_holds.png, then others"
    lines = wrapped(text, width)
    assert all(length(line) <= width or len(line) == 1 for line in lines)
    assert "".join(lines).replace(" ", "") == "".join(text.split())
    if width == 400:
        assert lines[0] == "A few words and"
    assert wrapped("", width) == []


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("photo.png", "photo.png"),
        ("/some/folder/photo.png", "photo.png"),
        ("C:\\folder\\photo.png", "photo.png"),
        ("array.zarr/", "array.zarr"),
        ("0123456789abcdefghij.png", "01234567…hij.png"),
        ("0123456789ab.png", "0123456789ab.png"),
    ],
)
def test_names_are_shortened_in_the_middle(name: str, expected: str) -> None:
    assert shortened(name, 16) == expected


# Numbers along a bar


@pytest.mark.parametrize(
    ("low", "high", "most", "expected"),
    [
        (0, 1, 6, ["0", "0.2", "0.4", "0.6", "0.8", "1"]),
        (0, 1, 5, ["0", "0.5", "1"]),
        (0, 37.3, 4, ["0", "10", "20", "30"]),
        (-90, 90, 5, ["-50", "0", "50"]),
        (0, 65535, 3, ["0", "50000"]),
        (0.3, 0.9, 7, ["0.3", "0.4", "0.5", "0.6", "0.7", "0.8", "0.9"]),
        (1000.0002, 1000.0014, 3, ["1000.0005", "1000.001"]),
        (-0.00012, 0.00012, 2, ["-0.00012", "0.00012"]),
        (3, 3, 5, ["3"]),
        (0, 0, 5, ["0"]),
        (0, 5e-324, 5, ["0"]),
    ],
)
def test_ticks_are_nice_numbers(low: float, high: float, most: int, expected: list[str]) -> None:
    assert labels(ticks(low, high, most)) == expected


def test_ticks_lie_within_and_are_as_many_as_may_be(rng: np.random.Generator) -> None:
    for _ in range(300):
        low, span = rng.normal() * 10.0 ** rng.integers(-6, 6), 10.0 ** rng.uniform(-5, 5)
        most = int(rng.integers(2, 10))
        got = ticks(low, low + span, most)
        assert 2 <= len(got) <= most
        assert all(low - 1e-6 * span <= tick <= low + (1 + 1e-6) * span for tick in got)
        assert len(set(labels(got))) == len(got)
        if most > 3:
            assert (got[1] - got[0]) <= 2.5 * 2 * span / most


# Sheets


def picture(height: int, width: int, value: int = 90) -> np.ndarray:
    rng = np.random.default_rng(value)
    return rng.integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((1, 1), (LONGER, LONGER)),
        ((100, 200), (300, 600)),
        ((300, 5), (600, 10)),
        ((400, 640), (400, 640)),
        ((321, 7), (321, 7)),
        ((3000, 4000), (480, 640)),
        ((9, 30000), (1, 640)),
        ((30000, 9), (640, 1)),
    ],
    ids=str,
)
def test_fitted_shrinks_or_enlarges_by_a_whole_factor(
    size: tuple[int, int], expected: tuple[int, int]
) -> None:
    assert fitted(*size) == expected


@pytest.mark.parametrize(
    ("size", "count", "columns"),
    [
        ((427, 640), 3, 2),
        ((200, 400), 3, 2),
        ((640, 427), 3, 3),
        ((640, 427), 4, 3),
        ((640, 640), 3, 2),
        ((640, 640), 1, 1),
        ((640, 11), 3, 3),
        ((9, 640), 5, 2),
    ],
    ids=str,
)
def test_panels_stand_in_rows_at_their_places(
    size: tuple[int, int], count: int, columns: int
) -> None:
    panels = [Panel(picture(*size, value), "caption") for value in range(count)]
    made = sheet(panels)
    assert made.shape[1] <= WIDEST
    column = max(size[1], 320) + MARGIN
    tall = (made.shape[0] - MARGIN) // -(-count // columns)
    for place, panel in enumerate(panels):
        top, left = MARGIN + place // columns * tall, MARGIN + place % columns * column
        got = made[top : top + size[0], left : left + size[1]]
        np.testing.assert_array_equal(got, panel.picture)
        below = made[top + size[0] + 1 : top + tall - MARGIN, left : left + 100]
        assert below.max() > 200, "the caption is missing"


def test_a_title_stands_above() -> None:
    panel = Panel(picture(40, 400))
    plain_sheet, titled = sheet([panel]), sheet([panel], "A title " * 20)
    more = titled.shape[0] - plain_sheet.shape[0]
    assert more > 2 * 26
    np.testing.assert_array_equal(titled[more + MARGIN :, 1:-1], plain_sheet[MARGIN:, 1:-1])
    assert titled[MARGIN:more, MARGIN:-MARGIN].max() > 200


def test_a_sheet_has_a_frame_that_shows_on_white_and_on_black() -> None:
    made = sheet([Panel(picture(20, 30))])
    for edge in (made[0], made[-1], made[:, 0], made[:, -1]):
        assert (edge == (128, 128, 128)).all()
    assert (made[1:MARGIN, 1:-1].max(axis=(0, 1)) <= 128).all()


def test_a_bar_shows_its_colours_from_low_to_high() -> None:
    panel = Panel(np.zeros((50, 400, 3), np.uint8), "", Bar(-2, 2, "", viridis))
    made = sheet([panel])
    row = made[MARGIN + 50 + BAR + 8, MARGIN : MARGIN + 400]
    np.testing.assert_array_equal(row, viridis(np.linspace(0, 1, 400)))
    marks = np.flatnonzero((made[MARGIN + 50 + BAR + 20] > 200).all(axis=-1)) - MARGIN
    np.testing.assert_allclose(marks, [0, 100, 200, 299, 399], rtol=0, atol=1)


def test_a_unit_stands_beside_its_bar() -> None:
    bare, named = (
        sheet([Panel(np.zeros((50, 400, 3), np.uint8), "", Bar(0, 1, unit, viridis))])
        for unit in ("", "px")
    )
    beside = np.s_[MARGIN + 50 + BAR : MARGIN + 50 + BAR + 16, MARGIN + 376 : MARGIN + 400]
    np.testing.assert_array_equal(bare[beside][:, -1], viridis(np.ones(16)))
    assert (named[beside] == (36, 36, 36)).all(axis=-1).mean() > 0.3


# How images look


def seen(pixels: np.ndarray, colour: Colour, alpha: Alpha = "") -> Seen:
    """Give planes [C, h, w] at their own size."""
    layout = Layout(*pixels.shape[1:], len(pixels), np.dtype(np.float32), colour, alpha)
    look = Appearance(layout, pixels.shape[1:])
    for row in range(pixels.shape[1]):
        look.add(pixels[:, row : row + 1].astype(np.float32))
    return look.end()


def test_grey_and_colours_are_shown_as_they_are(rng: np.random.Generator) -> None:
    stored = rng.integers(0, 256, (7, 13, 3), dtype=np.uint8)
    planes = stored.transpose(2, 0, 1) / np.float32(255)
    np.testing.assert_array_equal(seen(planes, "rgb").picture(), stored)
    grey = seen(planes[:1], "grey").picture()
    np.testing.assert_array_equal(grey, stored[..., :1].repeat(3, axis=-1))


def test_inks_take_away_their_share_and_bands_are_their_mean(rng: np.random.Generator) -> None:
    inks = rng.random((4, 5, 3))
    expected = 255 * ((1 - inks[:3]) * (1 - inks[3])).transpose(1, 2, 0)
    np.testing.assert_allclose(seen(inks, "cmyk").picture(), expected, rtol=0, atol=0.501)
    bands = rng.random((6, 5, 3))
    expected = 255 * bands.mean(axis=0)[..., None].repeat(3, axis=-1)
    np.testing.assert_allclose(seen(bands, "bands").picture(), expected, rtol=0, atol=0.501)


def test_what_is_transparent_shows_a_chequerboard(rng: np.random.Generator) -> None:
    y, x = np.mgrid[:20, :30]
    board = np.where((y // 8 + x // 8) % 2, 0.55, 0.75)
    colours, alpha = rng.random((3, 20, 30)), rng.random((1, 20, 30))
    alpha[0, :3], alpha[0, 3:6] = 0, 1
    expected = 255 * (colours * alpha + (1 - alpha) * board).transpose(1, 2, 0)
    straight = seen(np.concatenate([colours, alpha]), "rgb", "straight").picture()
    np.testing.assert_allclose(straight, expected, rtol=0, atol=0.501)
    associated = seen(np.concatenate([colours * alpha, alpha]), "rgb", "associated").picture()
    np.testing.assert_allclose(associated, expected, rtol=0, atol=0.501)


def test_alpha_is_not_widened_with_the_span() -> None:
    colours, alpha = np.full((1, 1, 3), -1.0), np.array([[[1, 0.5, 0]]])
    colours[0, 0, 1] = 1
    made = seen(np.concatenate([colours, alpha]), "grey", "straight")
    expected = 255 * np.array([0, 0.25 + 0.5 * 0.75, 0.75])
    np.testing.assert_allclose(made.picture((-1, 3))[0, :, 0], expected, rtol=0, atol=0.501)


def test_floats_beyond_0_to_1_widen_the_span_for_both() -> None:
    dark, bright = seen(np.full((1, 2, 2), 0.5), "grey"), seen(np.full((1, 2, 2), 8.0), "grey")
    negative = seen(np.full((1, 2, 2), -2.0), "grey")
    assert span_of(dark) == (0, 1)
    assert span_of(dark, bright) == pytest.approx((0, 8))
    assert span_of(dark, negative) == pytest.approx((-2, 1))
    assert (dark.picture((0, 8)) == 16).all()
    assert (bright.picture((0, 8)) == 255).all()
    assert bright.beyond((0, 1)) and not bright.beyond((0, 8))


def test_a_few_bright_pixels_do_not_darken_the_others(rng: np.random.Generator) -> None:
    values = rng.random((1, 40, 50))
    values[0, 3, 4:8] = 1000
    assert span_of(seen(values, "grey")) == (0, 1)


def test_what_is_not_finite_has_a_colour_too() -> None:
    values = np.array([[[np.nan, np.inf, -np.inf, 0.2]]])
    made = seen(values, "grey")
    assert made.picture()[0, :, 0].tolist() == [0, 255, 0, 51]
    assert span_of(seen(np.full((1, 2, 2), np.nan), "grey")) == (0, 1)


# Files


@pytest.mark.parametrize(
    "name", ["a.png", "a.PNG", "a.tif", "a.tiff", "a.webp", "a.bmp", "a.ppm", "a.jpg", "a.jpeg"]
)
def test_a_picture_is_saved_by_its_suffix(name: str, tmp_path: Path) -> None:
    pixels = np.full((8, 16, 3), (200, 30, 90), np.uint8)
    save(str(tmp_path / name), pixels, [])
    read = np.asarray(Image.open(tmp_path / name)).astype(int)
    assert abs(read - pixels).max() <= (3 if name.startswith("a.jp") else 0)
    if name.startswith("a.tif"):
        assert tifffile.imread(tmp_path / name).shape == (8, 16, 3)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_stdout_gets_a_png(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    save("-", picture(7, 13), [])
    encoded = capfdbinary.readouterr().out
    assert encoded[:4] == b"\x89PNG"
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(encoded))), picture(7, 13))


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("a.exr", InvalidArgument, "suffix .* must be one of .png, .* but is .exr"),
        ("a", InvalidArgument, "but has none"),
        ("input.png", InvalidArgument, "is also an input"),
        ("missing/a.png", ImageWriteError, "does not exist"),
    ],
)
def test_a_target_that_cannot_be_is_refused_before_the_work(
    name: str, error: type[Exception], message: str, tmp_path: Path
) -> None:
    (tmp_path / "input.png").write_bytes(b"kept")
    for attempt in (check, lambda target, inputs: save(target, picture(2, 2), inputs)):
        with pytest.raises(error, match=message):
            attempt(str(tmp_path / name), [str(tmp_path / "input.png")])
    assert (tmp_path / "input.png").read_bytes() == b"kept"


def test_what_a_format_refuses_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "a.webp"
    target.write_bytes(b"old")
    with pytest.raises(ImageWriteError, match="a.webp: cannot be written as WEBP"):
        save(str(target), np.zeros((1, 17000, 3), np.uint8), [])
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]
