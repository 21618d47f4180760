"""How levels are picked, fitted and changed: each against plain NumPy, SciPy or colorsys."""

from __future__ import annotations

import colorsys
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from arrays import reader
from PIL import Image
from scipy import ndimage

from svfilter.budget import Needs, _taken
from svfilter.errors import InvalidArgument, SvfilterWarning
from svfilter.images import reading, resizing
from svfilter.images.reading import ImageReader, open_image
from svfilter.maps import Channel, EachChannel, Focus, Maps, Percent, Ramp, Shaped, Shaping
from svfilter.maps.channels import is_channel
from svfilter.maps.extremes import levels_at
from svfilter.maps.levels import Level, Levels
from svfilter.maps.sources import Sources
from svfilter.maps.written import read_source
from svfilter.tiles import Window, plan

SIZE = 61, 43
TALL = 150, 11
"""More rows than are resized, or looked at, together."""


def levels_of(
    level: Level, image: ImageReader, window: Window | None = None, **again: Callable[[], object]
) -> np.ndarray:
    """Give a level's values, read through a ramp that changes nothing."""
    with Maps([Ramp("m", 1.0, 0.0, level)], image, open_image, **again) as maps:
        return np.asarray(maps.read(window or image.whole)["m"])


def shaped(pixels: np.ndarray, **shaping: object) -> np.ndarray:
    """Give the image's own intensity, shaped."""
    level = Shaped(Channel(), Shaping(**shaping))
    return levels_of(level, reader(pixels), image_again=lambda: reader(pixels))[0]


@pytest.fixture
def row_by_row(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let images be decoded row by row, so that each row can be let go alone."""
    monkeypatch.setattr(reading, "block_rows", lambda decoder: 1)


@pytest.fixture
def grey(rng: np.random.Generator) -> np.ndarray:
    return rng.integers(0, 65536, SIZE, dtype=np.uint16)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_made_channels_are_those_of_colorsys(dtype: type, rng: np.random.Generator) -> None:
    top = 1.0 if dtype is np.float32 else np.iinfo(dtype).max
    pixels = (rng.random((9, 11, 3)) * top).astype(dtype)
    pixels[0, :5] = [[0, 0, 0], [top, top, top], [top, 0, 0], [0, top, top], [top, 0, top]]
    shares = pixels.astype(float) / top
    hsv = np.array([[colorsys.rgb_to_hsv(*pixel) for pixel in row] for row in shares])
    expected = {"hue": hsv[..., 0], "saturation": hsv[..., 1], "max": hsv[..., 2]}
    for channel, values in {**expected, "min": shares.min(-1)}.items():
        got = levels_of(Channel(None, channel), reader(pixels))[0]
        np.testing.assert_allclose(got, values, rtol=0, atol=3e-6, err_msg=channel)
        assert got.min() >= 0
        assert got.max() < 1 or channel != "hue"


@pytest.mark.parametrize("channel", ["hue", "saturation", "max", "min", "intensity"])
def test_channels_of_greys_and_inks(channel: str, rng: np.random.Generator) -> None:
    grey = rng.integers(0, 256, (5, 7), dtype=np.uint8)
    got = levels_of(Channel(None, channel), reader(grey))[0]
    np.testing.assert_allclose(
        got, grey / 255.0 * (channel not in ("hue", "saturation")), atol=1e-6
    )
    inks = rng.integers(0, 256, (5, 7, 4), dtype=np.uint8)
    light = (1 - inks[..., :3] / 255) * (1 - inks[..., 3:] / 255)
    got = levels_of(Channel(None, channel), reader(inks, colour="cmyk", alpha=""))
    as_rgb = levels_of(Channel(None, channel), reader(light.astype(np.float32)))
    np.testing.assert_allclose(got, as_rgb, atol=3e-6)


@pytest.mark.parametrize("alpha", ["straight", "associated"])
@pytest.mark.parametrize("channel", ["r", "2", "4", "hue", "saturation", "max", "min"])
def test_alpha_weights_what_is_an_amount(
    channel: str, alpha: str, rng: np.random.Generator
) -> None:
    pixels = rng.random((5, 7, 4)).astype(np.float32)
    pixels[0, :, 3] = 0
    stored = pixels.copy()
    if alpha == "associated":
        stored[..., :3] *= pixels[..., 3:]
    got = levels_of(Channel(None, channel), reader(stored, alpha=alpha))[0]
    plain = levels_of(Channel(None, channel), reader(pixels[..., :3]))[0] if channel != "4" else 1
    seen = pixels[..., 3] > 0  # a hue of what is transparent may be any
    expected = plain * (1 if channel == "hue" else pixels[..., 3])
    np.testing.assert_allclose(got[seen], np.broadcast_to(expected, got.shape)[seen], atol=3e-6)


def test_colours_of_floats_that_have_no_usual_range() -> None:
    """Below 0 nothing is saturated; a hue that rounds to a whole turn is red's."""
    dark = np.float32([[[-0.5, -0.25, -1], [-1, -1, -1], [-0.5, 0, -0.5]]])
    np.testing.assert_array_equal(levels_of(Channel(None, "saturation"), reader(dark)), 0)
    nearly = np.float32([[[1, 0, 1e-9], [1, 0.5, 0.501]]])
    got = levels_of(Channel(None, "hue"), reader(nearly))[0, 0]
    assert got[0] == 0
    assert 0.99 < got[1] < 1


@pytest.mark.parametrize("channel", ["intensity", "saturation", "max", "min", "r", "edges"])
def test_colours_that_are_not_finite_are_refused(channel: str) -> None:
    pixels = np.zeros((3, 4, 4), np.float32)
    pixels[1, 2] = np.inf, -np.inf, 1, 0
    with pytest.raises(InvalidArgument, match="must be finite, but in row 1, column 2 it is nan"):
        levels_of(Channel(None, channel), reader(pixels))


def test_bands_that_are_not_finite_are_refused(rng: np.random.Generator) -> None:
    bands = rng.random((5, 7, 6)).astype(np.float32)
    bands[3, 4, 5] = np.nan
    with pytest.raises(InvalidArgument, match="must be finite, but in row 3, column 4 it is nan"):
        levels_of(EachChannel(), reader(bands))


def test_luma_of_32_bits_does_not_overflow(rng: np.random.Generator) -> None:
    pixels = rng.integers(0, 2**32, (5, 7, 3), dtype=np.uint32)
    expected = pixels / (2**32 - 1) @ [0.2126, 0.7152, 0.0722]
    got = levels_of(Channel(), reader(pixels))[0]
    np.testing.assert_allclose(got, expected, rtol=0, atol=2e-7)


@pytest.mark.parametrize(
    ("name", "known"),
    [("1", True), ("12", True), ("0", False), ("", False), ("²", False), ("٣", False)],
)
def test_channels_are_counted_from_1_in_plain_digits(name: str, known: bool) -> None:
    assert is_channel(name) == known


def test_a_channel_by_its_number(rng: np.random.Generator) -> None:
    bands = rng.random((5, 7, 6)).astype(np.float32)
    for number in range(1, 7):
        got = levels_of(Channel(None, str(number)), reader(bands))[0]
        np.testing.assert_array_equal(got, bands[..., number - 1])


@pytest.mark.parametrize(
    ("channel", "shape", "words"),
    [
        ("r", (4, 5), "8-bit grey, of which there are intensity, hue, .* and the numbers 1 to 1"),
        ("7", (4, 5, 6), "8-bit 6 bands, of which there are max, min and the numbers 1 to 6"),
        ("hue", (4, 5, 6), "8-bit 6 bands"),
        ("0", (4, 5, 3), "8-bit RGB, of which"),
    ],
)
def test_a_channel_that_is_not_there_names_those_that_are(
    channel: str, shape: tuple[int, ...], words: str
) -> None:
    with pytest.raises(
        InvalidArgument, match=f"image.png: has no channel '{channel}': it is {words}"
    ):
        levels_of(Channel(None, channel), reader(np.zeros(shape, np.uint8)))


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (7, 13), (70, 5)])
def test_edges_are_the_gradient_by_sobel(shape: tuple[int, int], rng: np.random.Generator) -> None:
    pixels = rng.random(shape).astype(np.float32)
    slopes = [ndimage.sobel(pixels.astype(float), axis, mode="nearest") / 4 for axis in (0, 1)]
    expected = np.minimum(np.hypot(*slopes), 1)
    got = levels_of(Channel(None, "edges"), reader(pixels))
    np.testing.assert_allclose(got[0], expected, rtol=0, atol=1e-6)


def test_a_step_of_the_whole_range_is_an_edge_of_1() -> None:
    step = np.repeat(np.uint8([[0] * 4 + [255] * 4]), 6, axis=0)
    expected = np.repeat([[0, 0, 0, 1.0, 1.0, 0, 0, 0]], 6, axis=0)
    for pixels in (step, step.T):
        got = levels_of(Channel(None, "edges"), reader(np.ascontiguousarray(pixels)))[0]
        np.testing.assert_allclose(got, expected if pixels is step else expected.T, atol=1e-6)


@pytest.mark.parametrize("high", [1.0, 1e30])
def test_no_edge_is_steeper_than_1(high: float) -> None:
    places = np.add.outer(range(8), range(8))
    corner = np.where(places < 7, 0, high).astype(np.float32)
    got = levels_of(Channel(None, "edges"), reader(corner))[0]
    beside = (places == 6) | (places == 7)
    assert (got[1:-1, 1:-1][beside[1:-1, 1:-1]] == 1).all()
    assert got.max() == 1
    assert (got[places < 5] == 0).all()


@pytest.mark.filterwarnings("ignore:.*resized")
@pytest.mark.parametrize("size", [(1, 1), (7, 9), (61, 43), (200, 150), (1000, 3)])
def test_nearest_takes_the_pixel_at_the_same_place(
    size: tuple[int, int], tmp_path: Path, rng: np.random.Generator
) -> None:
    levels = rng.integers(0, 256, size, dtype=np.uint8)
    Image.fromarray(levels).save(tmp_path / "map.png")
    level = Channel(str(tmp_path / "map.png"), fit="nearest")
    got = levels_of(level, reader(np.zeros(SIZE, "u1")))[0]
    rows, cols = (
        [int((i + 0.5) * theirs / ours) for i in range(ours)]
        for theirs, ours in zip(size, SIZE, strict=True)
    )
    np.testing.assert_allclose(got, levels[np.ix_(rows, cols)] / 255, atol=1e-6)


def test_a_fit_that_is_none_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="fit must be one of bilinear, nearest, not 'cubic'"):
        Channel("map.png", fit="cubic")


def test_levels_are_cut_stretched_inverted_and_bent(grey: np.ndarray) -> None:
    m = grey / 65535.0
    for shaping, expected in (
        ({"clip": (0.2, 0.7)}, m.clip(0.2, 0.7)),
        ({"stretch": (0.2, 0.7)}, ((m - 0.2) / 0.5).clip(0, 1)),
        ({"invert": True}, 1 - m),
        ({"gamma": 2.2}, m**2.2),
        ({"invert": True, "gamma": 0.5}, (1 - m) ** 0.5),
        ({"clip": (0.1, 0.6), "stretch": (0.0, 0.8), "invert": True, "gamma": 3.0},
         (1 - m.clip(0.1, 0.6) / 0.8) ** 3),
    ):  # fmt: skip
        np.testing.assert_allclose(shaped(grey, **shaping), expected, rtol=0, atol=1e-6)


def test_levels_may_be_cut_to_one(grey: np.ndarray) -> None:
    np.testing.assert_array_equal(shaped(grey, clip=(0.5, 0.5)), 0.5)


def test_floats_far_beyond_a_span_are_stretched_to_its_ends() -> None:
    pixels = np.float32([[-1e30, 0, 5e-11, 1e30]])
    got = shaped(pixels, stretch=(0.0, 1e-10))[0]
    np.testing.assert_allclose(got, [0, 0, 0.5, 1], atol=1e-6)


@pytest.mark.parametrize("clip", [(0.0, 5.0), (-3.0, 1.0)])
def test_levels_that_are_cut_beyond_0_to_1_are_still_refused(clip: tuple[float, float]) -> None:
    pixels = np.linspace(-3, 5, 24, dtype=np.float32)[None]
    with pytest.raises(InvalidArgument, match="must lie in 0 to 1, but these are"):
        shaped(pixels, clip=clip)
    cut = clip[0] + 0.5, clip[1] - 0.5
    assert shaped(pixels, clip=clip, stretch=cut).max() == 1


@pytest.mark.parametrize("sigma", [0.3, 0.5, 3.0, 40.0])
def test_smoothed_levels_of_integers_stay_in_0_to_1(sigma: float) -> None:
    """Though an engine may be off by its tolerance."""
    blocks = np.kron([[0, 255], [255, 0]], np.ones((40, 40))).astype(np.uint8)
    got = shaped(blocks, smooth=sigma)
    assert 0 <= got.min() < 0.3
    assert 0.7 < got.max() <= 1


@pytest.mark.parametrize("sigma", [0.5, 3, 64])
def test_smoothed_levels_are_scipys(sigma: float, grey: np.ndarray) -> None:
    expected = ndimage.gaussian_filter(grey / 65535.0, sigma, mode="nearest", truncate=4)
    np.testing.assert_allclose(shaped(grey, smooth=sigma), expected, rtol=0, atol=2.5e-4)


def test_levels_are_cut_then_smoothed_then_stretched(grey: np.ndarray) -> None:
    m = ndimage.gaussian_filter((grey / 65535.0).clip(0.4, 1), 2, mode="nearest", truncate=4)
    expected = (m - m.min()) / (m.max() - m.min())
    got = shaped(grey, clip=(0.4, 1.0), smooth=2.0, stretch=(Percent(0), Percent(100)))
    assert (got.min(), got.max()) == (0, 1)
    np.testing.assert_allclose(got, expected, rtol=0, atol=2.5e-4 / (m.max() - m.min()))


@pytest.mark.parametrize("low", [-3.0, 0.0, 1e-30])
def test_floats_of_any_range_are_stretched(low: float, rng: np.random.Generator) -> None:
    z = (low + 40 * rng.random(SIZE)).astype(np.float32)
    got = shaped(z, stretch=(Percent(0), Percent(100)))
    expected = (z - z.min()).astype(float) / (float(z.max()) - z.min())
    np.testing.assert_allclose(got, expected, rtol=0, atol=2e-6)
    assert (got.min(), got.max()) == (0, 1)
    got = shaped(z, clip=(0.0, 1.0))
    np.testing.assert_array_equal(got, z.clip(0, 1))


@pytest.mark.parametrize("low", [1.0, 12.5, 50.0])
@pytest.mark.parametrize("values", ["bytes", "floats", "few"])
def test_percentiles_are_those_of_all_levels(
    values: str, low: float, rng: np.random.Generator
) -> None:
    pixels = {
        "bytes": rng.integers(0, 256, SIZE, dtype=np.uint8),
        "floats": (100 * rng.standard_normal(SIZE)).astype(np.float32),
        "few": rng.choice(np.float32([0, 0.25, 0.5, 1]), SIZE, p=[0.6, 0.2, 0.1, 0.1]),
    }[values]
    full = 255.0 if values == "bytes" else 1.0
    ends = np.percentile(pixels / full, [low, 99.0], method="inverted_cdf")
    got = shaped(pixels, stretch=(Percent(low), Percent(99.0)))
    expected = ((pixels / full - ends[0]) / (ends[1] - ends[0])).clip(0, 1)
    # A bin is 2**-14 of its level's size.
    np.testing.assert_allclose(got, expected, atol=2**-13 * abs(ends).max() / (ends[1] - ends[0]))
    assert (got[pixels / full <= ends[0]] == 0).all()
    assert (got[pixels / full >= ends[1]] == 1).all()


@pytest.mark.parametrize(
    "ends",
    [
        (0.2, 0.8),
        (Percent(0), Percent(100)),
        (Percent(3), Percent(90)),
        (0.1, Percent(50)),
        (Percent(10), 0.9),
    ],
)
@pytest.mark.parametrize("clip", [None, (0.15, 0.7)])
def test_a_stretch_comes_before_what_bends(
    ends: tuple[float | Percent, float | Percent], clip: tuple[float, float] | None
) -> None:
    rows, cols = np.indices(TALL)
    pixels = ((rows * 11 + cols) ** 2 % 65521).astype(np.uint16)
    pixels[0, 0], pixels[0, 1] = 0, 65535  # the extremes are in the first rows alone
    m = pixels / 65535
    m = m if clip is None else m.clip(*clip)
    low, high = (
        np.percentile(m, end.share, method="inverted_cdf") if isinstance(end, Percent) else end
        for end in ends
    )
    expected = (1 - ((m - low) / (high - low)).clip(0, 1)) ** 2.2
    got = shaped(pixels, clip=clip, stretch=ends, invert=True, gamma=2.2)
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-3)


def test_the_end_of_a_bin_is_not_in_the_next() -> None:
    values = np.float32([[[1, 1 + 2**-14, 2]]])
    ((low, high),) = levels_at(_Given(values), (1, 3), [0.3])
    assert low == 1 <= high < values[0, 0, 1]


def test_levels_at_shares_are_exact_within_their_bin() -> None:
    values = np.float32([-np.inf, -7.25, -1e-40, 0, 1e-40, 3, 3.0001, 1e30])[1:]
    given = _Given(values[None, None])
    for share in np.linspace(0.01, 0.99, 40):
        ((low, high),) = levels_at(given, (1, 7), [share])
        exact = np.percentile(values.astype(float), 100 * share, method="inverted_cdf")
        assert low <= exact <= high
        assert high - low <= 2**-13 * abs(exact) + 1e-38
    assert levels_at(given, (1, 7), [0.0, 1.0]) == [(-7.25, -7.25), (float(values[-1]),) * 2]


class _Given(Levels):
    """Levels of an array."""

    name = "array"

    def __init__(self, values: np.ndarray) -> None:
        self.values, self.read_windows = values, []

    def read(self, window: Window) -> np.ndarray:
        self.read_windows.append(window)
        return self.values[..., window.rows, window.cols]


@pytest.mark.filterwarnings("ignore:.*resized")
@pytest.mark.parametrize(
    "kind", ["own", "file", "larger", "smaller", "nearest", "edges", "each", "both"]
)
@pytest.mark.parametrize(
    "shaping",
    [
        Shaping(clip=(0.1, 0.9), stretch=(0.2, 0.7), invert=True, gamma=0.37),
        Shaping(smooth=2.5),
        Shaping(smooth=0.3, stretch=(Percent(2), Percent(98)), gamma=1.7),
    ],
)
def test_levels_do_not_depend_on_the_windows(
    kind: str, shaping: Shaping, tmp_path: Path, rng: np.random.Generator, row_by_row: None
) -> None:
    sizes = {"larger": (310, 70), "smaller": (20, 30), "nearest": (20, 30)}
    name = str(tmp_path / "map.png")  # of which no row can be decoded again
    Image.fromarray(rng.integers(0, 65536, sizes.get(kind, TALL), dtype=np.uint16)).save(name)
    pixels = rng.integers(0, 256, (*TALL, 3), dtype=np.uint8)
    level = {
        "own": Channel(),
        "edges": Channel(None, "edges"),
        "each": EachChannel(),
        "both": read_source("edges * m", {"m": Channel(name, "edges")}),
        "nearest": Channel(name, fit="nearest"),
    }.get(kind, Channel(name))
    driver, again = Ramp("m", 1.0, 0.0, Shaped(level, shaping)), lambda: reader(pixels)
    with Maps([driver], reader(pixels), open_image, again) as maps:
        whole = maps.read(Window(0, 0, *TALL))["m"]
    for rows, cols in ((1, 11), (7, 3), (64, 11)):
        image = reader(pixels)
        with Maps([driver], image, open_image, again) as maps:
            for window in plan(*TALL, rows, cols):
                got = maps.read(window)["m"]
                np.testing.assert_array_equal(got, whole[:, window.rows, window.cols])
                if window.cols.stop == TALL[1]:
                    maps.let_go(window.rows.stop)
                    image.let_go(window.rows.stop - maps.margin)


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("smooth", [0.0, 2.0])
def test_the_whole_map_is_read_once_in_little_memory(
    smooth: float,
    own: bool,
    tmp_path: Path,
    rng: np.random.Generator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    height, width, name = 3000, 64, str(tmp_path / "m.png")
    Image.fromarray(rng.integers(0, 256, (height, width), dtype=np.uint8)).save(name)
    seen: list[ImageReader] = []
    held: list[int] = []
    rows = ImageReader._rows

    def watched(self: ImageReader, start: int, stop: int) -> np.ndarray:
        held.append(sum(len(block) for _, block in self._blocks))
        return rows(self, start, stop)

    def open_counted(source: str) -> ImageReader:
        seen.append(open_image(source))
        seen[-1]._step = 8  # rows decoded at a time
        return seen[-1]

    monkeypatch.setattr(ImageReader, "_rows", watched)
    stretch = Shaping(smooth=smooth, stretch=(Percent(1), Percent(99)))
    level = Shaped(Channel(None if own else name), stretch)
    image = reader(np.zeros((height, width), "u1"))
    with Maps(
        [Ramp("m", 1.0, 0.0, level)], image, open_counted, lambda: open_counted(name)
    ) as maps:
        first, again = (image, *seen) if own else seen
        assert len(held) * 8 == height  # every row once, and none for the filter yet
        assert first._end == 0 < again._end == height
        assert max(held) <= 64 + 16 + 2 * maps.margin


def test_only_a_map_of_the_image_opens_it_once_more(tmp_path: Path, grey: np.ndarray) -> None:
    Image.fromarray(grey).save(tmp_path / "map.png")

    def never() -> ImageReader:
        raise AssertionError("the image is read once more")

    level = Shaped(Channel(str(tmp_path / "map.png")), Shaping(stretch=(Percent(0), Percent(90))))
    got = levels_of(level, reader(grey), image_again=never)
    np.testing.assert_array_equal(got[0], shaped(grey, stretch=(Percent(0), Percent(90))))


def test_what_is_odd_is_warned_of_once_though_the_map_is_read_twice(tmp_path: Path) -> None:
    Image.fromarray(np.uint8([[0, 9], [100, 255]])).save(tmp_path / "map.png")
    level = Shaped(Channel(str(tmp_path / "map.png")), Shaping(stretch=(Percent(0), Percent(100))))
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always")
        levels_of(level, reader(np.zeros((7, 13), "u1")))
    (told,) = (str(one.message) for one in heard)
    assert "map.png: the map of 2 x 2 pixels is resized" in told


@pytest.mark.filterwarnings("ignore:.*resized")
def test_rows_are_resized_once_and_let_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made, resize = [], resizing.resize
    monkeypatch.setattr(resizing, "resize", lambda *args: made.append(args) or resize(*args))
    Image.fromarray(np.zeros((40, 11), np.uint8)).save(tmp_path / "map.png")
    image = reader(np.zeros(TALL, "u1"))
    sources = Sources(open_image, lambda: image)
    levels = Channel(str(tmp_path / "map.png")).open(image, sources)
    for window in plan(*TALL, 10, 11):
        levels.read(window)
        levels.let_go(window.rows.stop)
        assert len(levels._blocks) <= 1
    assert len(made) == 3  # 64 rows at a time
    sources.close()


def test_a_ramp_says_whether_it_reads_the_image_before() -> None:
    normal = Shaping(stretch=(Percent(0), Percent(100)))
    assert Ramp("m", 1.0, 0.0, Shaped(Channel(), normal)).rereads_image
    assert not Ramp("m", 1.0, 0.0, Shaped(Channel("map.png"), normal)).rereads_image
    assert not Ramp("m", 1.0, 0.0, Shaped(Channel(), Shaping(stretch=(0, 0.5)))).rereads_image
    assert Focus("m", Shaped(Channel(), normal), 0.5, 9, 99).rereads_image
    assert not Focus("m", Shaped(Channel("map.png"), normal), 0.5, 9, 99).rereads_image
    with pytest.raises(
        InvalidArgument, match="stdin: a map that is piped in can be read once only"
    ):
        Shaped(Channel("-"), normal)
    assert Shaped(Channel("-"), Shaping(stretch=(0.1, 0.5), invert=True)).sources == ("-",)


class _Spy(Level):
    """A level that notes how it is opened."""

    def __init__(self) -> None:
        self.jobs: list[int | None] = []

    def open(self, image: ImageReader, sources: Sources) -> Levels:
        self.jobs.append(sources.jobs)
        return _Given(np.linspace(0, 1, 12, dtype=np.float32).reshape(1, 3, 4))


def test_levels_are_told_of_the_threads() -> None:
    spy = _Spy()
    level = Shaped(spy, Shaping(stretch=(Percent(10), Percent(90))))
    with Maps([Ramp("m", 1.0, 0.0, level)], reader(np.zeros((3, 4), "u1")), open_image, jobs=3):
        assert spy.jobs == [3, 3]


def test_a_maps_ends_may_be_in_any_order() -> None:
    assert Ramp("m", high=0, low=90, level=Channel()).gives == {"m": (0, 90)}
    assert Ramp("m", high=-5, low=90).gives == {"m": (-5, -5)}
    ramp = Ramp("m", high=-45, low=45, level=Channel())
    with Maps([ramp], reader(np.uint8([[0, 51, 255]])), open_image) as maps:
        got = maps.read(Window(0, 0, 1, 3))["m"]
    np.testing.assert_allclose(got, [[[45, 27, -45]]], atol=1e-5)


@pytest.mark.parametrize(
    ("level", "most"),
    [
        (Channel(), 99),
        (Channel(None, "edges"), 5),
        (Shaped(Channel(), Shaping(clip=(0, 2))), 15),
        (Shaped(Channel(), Shaping(clip=(0, 2), smooth=2)), 15),
        (Shaped(Channel(), Shaping(stretch=(0, 2))), 5),
        (Shaped(Channel(), Shaping(invert=True)), 5),
    ],
)
def test_floats_whose_range_is_known_have_radii_whose_range_is(level: Level, most: float) -> None:
    pixels = np.linspace(0, 1, 20, dtype=np.float32)[None]
    with Maps([Focus("m", level, 0.5, 10, 99)], reader(pixels), open_image) as maps:
        assert maps.spans == {"m": (0, most)}
        assert np.max(maps.read(Window(0, 0, 1, 20))["m"]) <= most


def test_a_thin_lens_may_take_integers() -> None:
    """Near its focus the radius is small, but at 0 it is infinite."""
    focus = Focus("m", Channel(), 0.5, 10, 99, model="thin")
    with Maps([focus], reader(np.uint8([[1, 51, 255]])), open_image) as maps:
        assert maps.spans == {"m": (0, 99)}
        np.testing.assert_allclose(maps.read(Window(0, 0, 1, 3))["m"], [[[99, 15, 5]]], atol=1e-5)


def test_margins_and_channels_are_those_of_all_drivers(grey: np.ndarray) -> None:
    plain, edges = Ramp("a", 1.0, 0.0, Channel()), Focus("b", Channel(None, "edges"), 0.5, 9, 99)
    smooth = Ramp("c", 1.0, 0.0, Shaped(EachChannel(), Shaping(smooth=1)))
    with Maps([plain, edges], reader(grey), open_image) as maps:
        assert (maps.margin, maps.per_channel) == (1, False)
    with Maps([plain, smooth, edges], reader(grey), open_image) as maps:
        assert (maps.margin >= 4, maps.per_channel) == (True, True)
    both = Ramp("d", 1.0, 0.0, Shaped(Channel(None, "edges"), Shaping(smooth=1)))
    with (
        Maps([smooth], reader(grey), open_image) as one,
        Maps([both], reader(grey), open_image) as two,
    ):
        assert two.margin == one.margin + 1


def test_what_decoders_of_maps_hold_is_counted(tmp_path: Path) -> None:
    Image.new("L", (11, 150), 51).save(tmp_path / "map.png")
    seen: list[ImageReader] = []

    def open_seen(source: str) -> ImageReader:
        seen.append(open_image(source))
        return seen[-1]

    ramp = Ramp("m", 1.0, 0.0, Channel(str(tmp_path / "map.png")))
    with Maps([ramp, Ramp("n", 1.0)], reader(np.zeros(TALL, "u1")), open_seen) as maps:
        (file,) = seen
        assert maps.fixed_bytes == file.decoder_bytes + 2 * file.block_bytes > 0


@pytest.mark.parametrize("beside", [0, 5])
def test_rows_read_for_the_maps_sake_are_planned(beside: int) -> None:
    """Up to those that there are."""
    for height, more in ((1000, 10), (204, 4), (200, 0)):
        usual = Needs(height, 50, 0, 1, read=150, written=150, fixed=0)
        needs = Needs(height, 50, 0, 1, read=150, written=150, fixed=0, beside=beside)
        expected = 150 * min(more, 2 * beside)
        assert _taken(needs, 100, 50) - _taken(usual, 100, 50) == expected


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"clip": (0.7, 0.2)}, "levels are cut to LOW,HIGH, but 0.7 is above 0.2"),
        ({"clip": (np.nan, 0.2)}, "levels are cut to LOW,HIGH, but nan"),
        ({"smooth": 65.0}, "levels are smoothed by 0 to 64 px, but not by 65"),
        ({"smooth": -1.0}, "levels are smoothed by 0 to 64 px, but not by -1"),
        ({"smooth": np.nan}, "levels are smoothed by 0 to 64 px, but not by nan"),
        ({"stretch": (0.5, 0.5)}, "from the lower to the higher, but 0.5 is not below 0.5"),
        ({"stretch": (Percent(9), Percent(3))}, "but 9% is not below 3%; to swap the ends"),
        ({"gamma": 0.0}, "gamma must be above 0, but is 0"),
        ({"gamma": np.nan}, "gamma must be above 0, but is nan"),
    ],
)
def test_a_shape_that_cannot_be_is_refused(given: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        Shaping(**given)


@pytest.mark.parametrize("share", [-1, 100.5, np.nan])
def test_a_percentile_that_cannot_be_is_refused(share: float) -> None:
    with pytest.raises(InvalidArgument, match="a percentile must lie in 0% to 100%, but is"):
        Percent(share)


@pytest.mark.parametrize("ends", [(Percent(0), Percent(100)), (Percent(5), Percent(60))])
def test_a_map_that_does_not_vary_cannot_be_stretched(ends: tuple[Percent, Percent]) -> None:
    with pytest.raises(InvalidArgument, match=r"image.png: the map is 0.2 at every pixel, or near"):
        shaped(np.full(SIZE, 51, np.uint8), stretch=ends)


@pytest.mark.parametrize("shaping", [{"invert": True}, {"gamma": 2.0}])
def test_floats_beyond_0_to_1_cannot_be_bent(shaping: dict[str, object]) -> None:
    with pytest.raises(InvalidArgument, match="must lie in 0 to 1, but these are 0 to 7"):
        shaped(np.linspace(0, 7, 20, dtype=np.float32)[None], **shaping)


@pytest.mark.parametrize("focused", [False, True])
def test_a_map_that_does_not_vary_is_warned_of(focused: bool, tmp_path: Path) -> None:
    Image.new("L", (5, 4), 51).save(tmp_path / "map.png")
    for name in ("map.png", "image.png"):
        level = Channel(str(tmp_path / name) if name == "map.png" else None)
        image = reader(np.full((4, 5), 51, np.uint8))
        driver = Focus("m", level, 0.5, 9, 99) if focused else Ramp("m", 1.0, 0.0, level)
        with Maps([Ramp("n", 1.0), driver], image, open_image) as maps:
            for window in plan(4, 5, 2, 3):
                maps.read(window)
            with pytest.warns(SvfilterWarning, match=f"{name}: the map is 0.2 at every pixel"):
                maps.end()


@pytest.mark.parametrize("pixels", [[[51]], [[51] * 5, [51] * 5, [200] * 5], [[200] * 5, [51] * 5]])
def test_a_files_map_that_varies_or_is_one_pixel_is_not(
    pixels: list[list[int]], tmp_path: Path
) -> None:
    Image.fromarray(np.uint8(pixels)).save(tmp_path / "map.png")
    with Maps(
        [Ramp("m", 1.0, 0.0, Channel(str(tmp_path / "map.png")))],
        reader(np.uint8(pixels)),
        open_image,
    ) as maps:
        for window in plan(*np.shape(pixels), 1, 5):
            maps.read(window)
        maps.end()


@pytest.mark.parametrize(
    ("size", "words"),
    [((16, 8), ""), ((4, 2), ""), ((4, 8), ", which changes its proportions"),
     ((9, 4), ", which changes its proportions")],
)  # fmt: skip
def test_a_resize_that_keeps_the_proportions_is_not_said_to_change_them(
    size: tuple[int, int], words: str, tmp_path: Path
) -> None:
    Image.new("L", size, 255).save(tmp_path / "map.png")
    told = "map.png: the map of {} x {} pixels is resized to the image's 8 x 4{}$"
    with pytest.warns(SvfilterWarning, match=told.format(*size, words)):
        levels_of(Channel(str(tmp_path / "map.png")), reader(np.zeros((4, 8), "u1")))
