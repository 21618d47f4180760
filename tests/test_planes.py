"""What is filtered in place of channels, against sums over pixels in plain loops."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

from svfilter.errors import InvalidArgument
from svfilter.images.layout import Alpha, Colour, Layout
from svfilter.images.light import Curve
from svfilter.images.planes import FilterPlanes
from svfilter.tiles import Window

NAN, INF = np.nan, np.inf


class Picture:
    """Planes [C, h, w] as an image, which must not be written to."""

    def __init__(
        self, planes: np.ndarray, colour: Colour, alpha: Alpha = "", dtype: str = "f4"
    ) -> None:
        channels, height, width = planes.shape
        self.planes = planes.astype(np.float32)
        self.layout = Layout(height, width, channels, np.dtype(dtype), colour, alpha)

    def read(self, window: Window) -> np.ndarray:
        return self.planes[:, window.rows, window.cols].copy()

    @property
    def whole(self) -> Window:
        return Window(0, 0, self.layout.height, self.layout.width)


class Case(NamedTuple):
    channels: int
    colour: Colour
    alpha: Alpha = ""


CASES = {
    "grey": Case(1, "grey"),
    "grey-alpha": Case(2, "grey", "straight"),
    "rgb": Case(3, "rgb"),
    "rgb-alpha": Case(4, "rgb", "straight"),
    "rgb-associated": Case(4, "rgb", "associated"),
    "cmyk": Case(4, "cmyk"),
    "bands": Case(5, "bands"),
    "bands-alpha": Case(6, "bands", "straight"),
}
SHAPES = [(1, 1), (6, 9), (12, 2)]


def picture(
    name: str, shape: tuple[int, int], rng: np.random.Generator, *, holes: bool = False
) -> Picture:
    case = CASES[name]
    planes = rng.random((case.channels, *shape))
    if case.alpha:
        alpha = planes[-1]
        alpha[rng.random(shape) < 0.4] = 0
        alpha[: shape[0] // 2, : shape[1] // 2] = 0  # where kernels see none of it
        if case.alpha == "associated":
            planes[:-1] *= alpha
    if holes:
        for plane in planes:
            for value in (NAN, INF, -INF):
                plane[rng.random(shape) < 0.12] = value
            plane[shape[0] // 2 :, shape[1] // 2 :] = NAN
    return Picture(planes, case.colour, case.alpha)


def weights(radius: int, shape: tuple[int, int], y: int, x: int) -> np.ndarray:
    """Uneven weights of one pixel's kernel over the whole image, without a border."""
    rows, cols = np.ogrid[: shape[0], : shape[1]]
    kernel = 1.0 + 0.3 * np.sin(rows + 2 * cols)
    kernel[(np.abs(rows - y) > radius) | (np.abs(cols - x) > radius)] = 0
    return kernel / kernel.sum()


def filtered(planes: np.ndarray, radii: np.ndarray) -> np.ndarray:
    """Filter planes [P, h, w] by radii [1 or P, h, w], in float64 by plain loops."""
    out = np.empty(planes.shape)
    for plane, y, x in np.ndindex(planes.shape):
        kernel = weights(radii[plane % len(radii), y, x], planes.shape[1:], y, x)
        with np.errstate(invalid="ignore"):  # a weight of 0 says: beyond the kernel
            out[plane, y, x] = (planes[plane][kernel > 0] * kernel[kernel > 0]).sum()
    return out


def through(planes: FilterPlanes, image: Picture, radii: np.ndarray) -> np.ndarray:
    read = planes.read(image.whole)
    assert read.shape == (planes.count, *image.planes.shape[1:]) and read.dtype == np.float32
    spread = planes.spread(radii)
    assert len(spread) in (1, planes.count)
    before = image.planes.copy()
    made = filtered(read.astype(np.float64), spread).astype(np.float32)
    kept = made.copy()
    result = planes.restore(made, image.whole)
    np.testing.assert_array_equal(image.planes, before)
    np.testing.assert_array_equal(made, kept)
    return result


def expected(
    image: Picture, radii: np.ndarray, curve: Curve | None, nan: str = "keep"
) -> np.ndarray:
    """What the result shall be: the mean of what is there, weighted by how much it is seen."""
    layout, stored = image.layout, image.planes.astype(np.float64)
    colours = slice(layout.colours)
    values, shares, absent = stored.copy(), np.ones(stored.shape), ~np.isfinite(stored)
    divided = layout.alpha == "associated" and curve is not None
    if layout.alpha == "straight" or divided:
        shares[colours] = stored[-1]
    with np.errstate(invalid="ignore"):
        np.divide(
            values[colours], stored[-1], out=values[colours], where=divided & (stored[-1] > 0)
        )
    if curve:
        values[colours] = curve.to_linear(values[colours].astype(np.float32))
    if nan != "keep":
        shares[absent | ~np.isfinite(shares)] = 0
    means, kept = np.full(stored.shape, NAN), np.zeros(stored.shape, bool)
    for channel, y, x in np.ndindex(stored.shape):
        total = cover = 0.0
        kernel = weights(radii[channel % len(radii), y, x], stored.shape[1:], y, x)
        for place in zip(*np.nonzero(kernel * shares[channel]), strict=True):
            weight = kernel[place] * shares[channel][place]
            total += weight * values[channel][place]
            cover += weight
        kept[channel, y, x] = cover == 0 or (nan == "ignore" and absent[channel, y, x])
        means[channel, y, x] = total / cover if cover else NAN
    if divided:
        kept[colours] |= np.isnan(means[-1])
    if curve:
        means[colours] = curve.to_encoded(means[colours].astype(np.float32))
    if divided:
        means[colours] *= means[-1]
    return np.where(kept, stored, means)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("curve", [None, Curve.srgb, Curve.identity], ids=["", "srgb", "linear"])
@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_results_are_weighted_by_alpha_in_light(
    name: str,
    per_channel: bool,
    curve: Curve | None,
    shape: tuple[int, int],
    rng: np.random.Generator,
) -> None:
    image = picture(name, shape, rng)
    radii = rng.integers(0, 4, (image.layout.channels if per_channel else 1, *shape))
    got = through(FilterPlanes(image, per_channel=per_channel, curve=curve), image, radii)
    curve = None if curve is Curve.identity else curve
    np.testing.assert_allclose(got, expected(image, radii, curve), atol=3e-6)


@pytest.mark.parametrize("nan", ["ignore", "fill"])
@pytest.mark.parametrize("curve", [None, Curve.srgb], ids=["", "srgb"])
@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_what_is_not_finite_weighs_nothing(
    name: str, per_channel: bool, curve: Curve | None, nan: str, rng: np.random.Generator
) -> None:
    image = picture(name, (8, 11), rng, holes=True)
    radii = rng.integers(0, 3, (image.layout.channels if per_channel else 1, 8, 11))
    planes = FilterPlanes(image, per_channel=per_channel, curve=curve, nan=nan)
    assert planes.count == 2 * image.layout.channels and planes.exact_only
    assert np.isfinite(planes.read(image.whole)).all()
    got, whole = through(planes, image, radii), np.isfinite(image.planes)
    np.testing.assert_allclose(got, expected(image, radii, curve, nan), atol=3e-6)
    if nan == "ignore":
        np.testing.assert_array_equal(got[~whole], image.planes[~whole])
    elif image.layout.alpha == "":
        assert np.isfinite(got[~whole]).any() and not np.isfinite(got).all()
    assert np.isfinite(got[whole]).all()


def test_filling_is_the_mean_of_what_is_there() -> None:
    """The figures of Astropy's convolve with its default nan_treatment, "interpolate"."""
    image = Picture(np.array([[[1, NAN, 3, 4, INF]]]), "grey")
    kernel = np.array([0.25, 0.5, 0.25])
    planes = FilterPlanes(image, per_channel=False, nan="fill")
    read = planes.read(image.whole)
    padded = np.pad(read, ((0, 0), (0, 0), (1, 1)))  # beyond the image there is nothing
    made = np.stack([np.convolve(plane[0], kernel, "valid")[None] for plane in padded])
    got = planes.restore(made.astype(np.float32), image.whole)
    np.testing.assert_allclose(got[0, 0], [1, 2, 10 / 3, 11 / 3, 4], rtol=1e-6)


@pytest.mark.parametrize("name", CASES)
def test_nan_is_kept_as_it_spreads(name: str, rng: np.random.Generator) -> None:
    image = picture(name, (5, 7), rng)
    image.planes[0, 2, 3] = NAN
    radii = np.ones((1, 5, 7), int)
    got = through(FilterPlanes(image, per_channel=False), image, radii)
    assert np.isnan(got[0, 1:4, 2:5]).all() or image.layout.alpha == "straight"
    assert np.isnan(got[0, 2, 3]) and not np.isnan(got[1:]).any()
    outside = np.ones((5, 7), bool)
    outside[1:4, 2:5] = False
    assert np.isfinite(got[0, outside]).all()


@pytest.mark.parametrize("nan", ["ignore", "fill"])
def test_integers_have_nothing_to_leave_out(nan: str, rng: np.random.Generator) -> None:
    planes = rng.random((4, 3, 5))
    for alpha, count in (("straight", 4), ("associated", 4)):
        image = Picture(planes, "rgb", alpha, dtype="u2")
        asked = FilterPlanes(image, per_channel=False, nan=nan)
        assert asked.count == count and not asked.exact_only


@pytest.mark.parametrize("curve", [None, Curve.srgb], ids=["", "srgb"])
@pytest.mark.parametrize("nan", ["keep", "ignore", "fill"])
@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_restored_planes_are_the_image(
    name: str, per_channel: bool, nan: str, curve: Curve | None, rng: np.random.Generator
) -> None:
    image = picture(name, (7, 13), rng, holes=nan != "keep")
    planes = FilterPlanes(image, per_channel=per_channel, curve=curve, nan=nan)
    window = Window(1, 2, 5, 8)
    got = planes.restore(planes.read(window), window)
    np.testing.assert_allclose(got, image.read(window), rtol=2e-6, atol=1e-7)
    if curve is None and name in ("grey", "rgb", "cmyk", "bands", "rgb-associated"):
        np.testing.assert_array_equal(got, image.read(window))


@pytest.mark.parametrize(
    ("name", "curve", "nan", "shared", "own"),
    [
        ("grey", None, "keep", [0], [0]),
        ("rgb", Curve.srgb, "keep", [0, 1, 2], [0, 1, 2]),
        ("rgb", None, "fill", [0, 1, 2, 0, 1, 2], [0, 1, 2, 0, 1, 2]),
        ("rgb-alpha", None, "keep", [0, 1, 2, 3], [0, 1, 2, 3, 0, 1, 2]),
        ("rgb-alpha", None, "ignore", 2 * [0, 1, 2, 3], 2 * [0, 1, 2, 3]),
        ("rgb-associated", None, "keep", [0, 1, 2, 3], [0, 1, 2, 3]),
        ("rgb-associated", Curve.srgb, "keep", [0, 1, 2, 3], [0, 1, 2, 3, 0, 1, 2]),
        ("grey-alpha", Curve.srgb, "fill", [0, 1, 0, 1], [0, 1, 0, 1]),
        ("bands", None, "keep", [0, 1, 2, 3, 4], [0, 1, 2, 3, 4]),
    ],
)
def test_covers_go_with_the_kernels_of_their_colours(
    name: str, curve: Curve | None, nan: str, shared: list[int], own: list[int]
) -> None:
    image = picture(name, (2, 3), np.random.default_rng(1))
    maps = np.broadcast_to(np.arange(image.layout.channels)[:, None, None], image.planes.shape)
    one = FilterPlanes(image, per_channel=False, curve=curve, nan=nan)
    each = FilterPlanes(image, per_channel=True, curve=curve, nan=nan)
    assert (one.count, each.count) == (len(shared), len(own))
    assert each.spread(maps)[:, 0, 0].tolist() == own
    assert len(one.spread(maps[:1])) == len(each.spread(maps[:1])) == 1
    assert one.spread(2.5) == each.spread(2.5) == 2.5
    assert each.exact_only == (len(own) > image.layout.channels)
    assert one.exact_only == (nan != "keep")


# What is seen.


def box(image: Picture, *, curve: Curve | None = None) -> np.ndarray:
    """Filter with boxes of 5 x 5."""
    radii = np.full((1, *image.planes.shape[1:]), 2)
    return through(FilterPlanes(image, per_channel=False, curve=curve), image, radii)


@pytest.mark.parametrize("curve", [None, Curve.srgb], ids=["", "srgb"])
@pytest.mark.parametrize("alpha", ["straight", "associated"])
def test_no_green_bleeds_out_of_what_is_transparent(alpha: Alpha, curve: Curve | None) -> None:
    planes = np.zeros((4, 9, 12))
    planes[[0, 3], :, :6] = 1  # a red square
    if alpha == "straight":
        planes[1, :, 6:] = 1  # beside transparent green
    got = box(Picture(planes, "rgb", alpha), curve=curve)
    edge = got[:, :, 4:8]
    assert (np.diff(edge[3]) < 0).all() and (edge[3] > 0).all()
    red = 1 if alpha == "straight" else edge[3]
    np.testing.assert_allclose(edge[0], np.broadcast_to(red, edge[0].shape), atol=1e-6)
    assert (np.abs(edge[1:3]) < 1e-6).all()
    np.testing.assert_array_equal(got[:, :, 8:], planes[:, :, 8:])  # green where none is seen


@pytest.mark.parametrize(("curve", "grey"), [(None, 128), (Curve.srgb, 188)])
def test_the_middle_of_an_edge_is_half_the_light(curve: Curve | None, grey: int) -> None:
    image = Picture(np.tile(np.float32([0, 1]), (1, 8, 8)), "grey")  # lines, half of them white
    planes = FilterPlanes(image, per_channel=False, curve=curve)
    halves = planes.read(image.whole)
    halves = np.broadcast_to(halves.mean(axis=(1, 2), keepdims=True), halves.shape)
    assert (np.rint(255 * planes.restore(halves, image.whole)) == grey).all()


def test_light_without_alpha_is_filtered_as_it_comes() -> None:
    """A glow, as renderers store it: colours times alpha, with an alpha of 0."""
    planes = np.zeros((4, 9, 9))
    planes[0, 4, 4] = 25
    got = box(Picture(planes, "rgb", "associated"), curve=Curve.identity)
    assert (got[0, 2:7, 2:7] > 0.5).all() and (got[3] == 0).all()


def test_alpha_is_not_light() -> None:
    image = picture("rgb-alpha", (5, 6), np.random.default_rng(3))
    plain, lit = (
        FilterPlanes(image, per_channel=False, curve=curve).read(image.whole)
        for curve in (None, Curve.srgb)
    )
    np.testing.assert_array_equal(plain[3], lit[3])
    np.testing.assert_array_equal(plain[3], image.planes[3])
    assert (plain[:3] != lit[:3]).any()


def test_an_unknown_treatment_of_nan_is_refused() -> None:
    with pytest.raises(InvalidArgument, match="--nan must be one of keep, ignore, fill, not zero"):
        FilterPlanes(Picture(np.zeros((1, 1, 1)), "grey"), per_channel=False, nan="zero")
