"""Stored pixels to floats and back: exact, rounded to the nearest, dithered by place alone."""

from __future__ import annotations

import numpy as np
import pytest

from svfilter.errors import ImageReadError, InvalidArgument, SvfilterWarning
from svfilter.images.values import Clipped, output_dtype, to_float, to_stored

SHAPES = [(1, 1, 1), (7, 13, 4), (300, 5, 3), (3, 70000, 2), (13, 7, 6)]
SMALL_INTEGERS = ["u1", "u2", "i1", "i2"]
INTEGERS = [*SMALL_INTEGERS, "u4", "i4"]
FLOATS = ["f2", "f4", "f8"]
NAN, INF = np.nan, np.inf


def some(dtype: str, shape: tuple[int, int, int], rng: np.random.Generator) -> np.ndarray:
    if dtype in FLOATS:
        return (rng.normal(size=shape) * 9).astype(dtype)
    limits = np.iinfo(dtype)
    return rng.integers(limits.min, limits.max, shape, dtype=dtype, endpoint=True)


def levels(dtype: str) -> np.ndarray:
    """Every value of a small integer type, [256 or 1, 256, 1]."""
    limits = np.iinfo(dtype)
    every = np.arange(limits.min, limits.max + 1).astype(dtype)
    return every.reshape(-1, 256, 1)


def planes_of(*values: float) -> np.ndarray:
    return np.array(values, np.float32)[None, None]


# Stored to float.


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", INTEGERS + FLOATS)
def test_floats_are_the_nearest_to_the_quotient(
    dtype: str, shape: tuple[int, int, int], rng: np.random.Generator
) -> None:
    rows = some(dtype, shape, rng)
    exact = rows.astype(np.float64) / (1 if dtype in FLOATS else np.iinfo(dtype).max)
    expected = exact.astype(np.float32).transpose(2, 0, 1)
    got = to_float(rows)
    assert got.dtype == np.float32 and got.flags.c_contiguous
    np.testing.assert_array_equal(got, expected)
    out = np.full((shape[2] + 1, shape[0], shape[1] + 2), 7, np.float32)
    to_float(rows, out[1:, :, 1:-1])
    np.testing.assert_array_equal(out[1:, :, 1:-1], expected)
    assert (out[0] == 7).all() and (out[:, :, [0, -1]] == 7).all()


@pytest.mark.parametrize("dtype", SMALL_INTEGERS)
def test_every_level_is_its_float32_quotient_and_comes_back(dtype: str) -> None:
    rows = levels(dtype)
    got = to_float(rows)
    assert (got[0] == rows[..., 0].astype(np.float32) / np.float32(np.iinfo(dtype).max)).all()
    assert got.max() == 1
    np.testing.assert_array_equal(to_stored(got, rows.dtype), rows)
    np.testing.assert_array_equal(to_stored(got, rows.dtype, dither=True), rows)


@pytest.mark.parametrize("turned", ["flipped", "transposed", "cropped"])
def test_turned_rows_are_read_as_they_look(turned: str, rng: np.random.Generator) -> None:
    rows = some("u2", (9, 14, 3), rng)
    views = {"flipped": rows[::-1, ::-1], "transposed": rows.swapaxes(0, 1), "cropped": rows[2:5]}
    view = views[turned]
    np.testing.assert_array_equal(to_float(view), to_float(view.copy()))


@pytest.mark.parametrize("dtype", FLOATS)
def test_what_is_not_finite_stays(dtype: str) -> None:
    rows = np.array([NAN, INF, -INF, -0.0, 0.5], dtype)[None, :, None]
    got = to_float(rows)
    np.testing.assert_array_equal(got[0, 0], rows[0, :, 0].astype(np.float32))
    assert np.signbit(got[0, 0, 3])
    back = to_stored(got, rows.dtype)
    assert back.dtype == rows.dtype
    np.testing.assert_array_equal(back, rows)


@pytest.mark.parametrize(
    ("bits", "dtype"), [(0x7C01, "f2"), (0x7F800001, "f4"), (0x7FF0000000000001, "f8")]
)
def test_signalling_nan_is_nan(bits: int, dtype: str) -> None:
    rows = np.array(bits, f"u{dtype[1]}").view(dtype).reshape(1, 1, 1)
    planes = to_float(rows)
    for stored in FLOATS:
        assert np.isnan(to_stored(planes, np.dtype(stored))).all()


def test_doubles_beyond_float32_are_refused_and_tiny_ones_are_rounded() -> None:
    rows = np.array([3.4e38, 1e-300])[None, :, None]
    np.testing.assert_array_equal(to_float(rows)[0, 0], rows[0, :, 0].astype(np.float32))
    with pytest.raises(ImageReadError, match=r"beyond ±3.4e38.* rescale"):
        to_float(np.array([[[0.0], [-3.5e38]]]))


# Float to stored.


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("dtype", INTEGERS)
def test_stored_is_the_nearest_level(
    dtype: str, shape: tuple[int, int, int], rng: np.random.Generator
) -> None:
    limits = np.iinfo(dtype)
    planes = rng.uniform(-1.2, 1.2, (shape[2], *shape[:2])).astype(np.float32)
    exact = np.clip(planes.astype(np.float64) * limits.max, limits.min, limits.max)
    got = to_stored(planes, np.dtype(dtype))
    assert got.dtype == dtype and got.shape == shape
    off = np.abs(got.transpose(2, 0, 1).astype(np.float64) - exact)
    assert off.max() <= 0.5 + (0 if limits.bits == 32 else limits.max * 2.0**-24)
    out = np.full((shape[0], shape[1] + 2, shape[2]), 99, dtype)
    to_stored(planes, np.dtype(dtype), out=out[:, 1:-1])
    np.testing.assert_array_equal(out[:, 1:-1], got)
    assert (out[:, [0, -1]] == 99).all()


@pytest.mark.parametrize(
    ("dtype", "value", "expected"),
    [
        ("u1", -INF, 0),
        ("u1", INF, 255),
        ("u1", 3e38, 255),
        ("u1", 0.5, 128),
        ("u2", 1.0000001, 65535),
        ("u4", 1.5, 2**32 - 1),
        ("u4", 2.0**-24, 256),
        ("i1", -2, -128),
        ("i1", -0.5, -64),
        ("i2", -2, -32768),
        ("i4", -2, -(2**31)),
        ("i4", 1, 2**31 - 1),
        ("f2", 1e5, 65504),
        ("f2", -65520, -65504),
        ("f2", INF, INF),
        ("f2", 1 + 2**-11 + 2**-20, 1 + 2**-10),
        ("f4", 1e38, np.float32(1e38)),
        ("f8", -7.25, -7.25),
    ],
)
def test_values_beyond_the_type_are_its_ends(dtype: str, value: float, expected: float) -> None:
    assert to_stored(planes_of(value), np.dtype(dtype)).tolist() == [[[expected]]]


@pytest.mark.parametrize("dither", [False, True])
@pytest.mark.parametrize("dtype", INTEGERS)
def test_nan_never_becomes_an_integer(dtype: str, dither: bool) -> None:
    planes = np.full((2, 3, 300), 0.5, np.float32)
    planes[1, 2, 257] = NAN
    with pytest.raises(InvalidArgument, match=r"NaN.*--nan fill.*--bit-depth 32f"):
        to_stored(planes, np.dtype(dtype), dither=dither)


# Dither.


def hashed(row: int, column: int, channel: int) -> int:
    """The noise's 32 bits, in plain integers."""

    def mixed(n: int) -> int:
        for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
            n = (n ^ (n >> shift)) * factor % 2**32
        return n

    return mixed((mixed((mixed(channel) + row) % 2**32) + column) % 2**32)


@pytest.mark.parametrize(("dtype", "bits"), [("u1", 8), ("i1", 8), ("u2", 6), ("i2", 6)])
def test_dither_is_its_equation(dtype: str, bits: int, rng: np.random.Generator) -> None:
    largest = np.iinfo(dtype).max
    # Some levels and a share of one, a multiple of half the noise's step: no rounding decides.
    t = rng.integers(0, largest - 1, (3, 5, 9)) + rng.integers(0, 2**bits, (3, 5, 9)) / 2**bits
    row, column = 1000, 70001
    got = to_stored(
        (t / largest).astype(np.float32), np.dtype(dtype), dither=True, origin=(row, column)
    )
    near = 0
    for (channel, y, x), value in np.ndenumerate(t):
        noise = ((hashed(row + y, column + x, channel) >> (32 - bits)) + 0.5) / 2**bits
        near += int(got[y, x, channel]) != np.floor(value + noise)
    assert near == 0


@pytest.mark.parametrize("error", [-1, 1])
@pytest.mark.parametrize(("dtype", "off"), [("u1", 1 / 600), ("u2", 1 / 300)])
def test_what_is_a_level_but_for_rounding_is_not_dithered(
    dtype: str, off: float, error: int
) -> None:
    rows = np.broadcast_to(levels(dtype), (256, 256, 1))
    largest = np.iinfo(dtype).max
    planes = ((rows[None, ..., 0] + error * off) / largest).astype(np.float32)
    for origin in ((0, 0), (311, 5), (99, 12345)):
        got = to_stored(planes, np.dtype(dtype), dither=True, origin=origin)
        np.testing.assert_array_equal(got, rows)


@pytest.mark.parametrize("dtype", SMALL_INTEGERS)
@pytest.mark.parametrize("share", [0.01, 0.25, 0.5, 0.9])
def test_dither_keeps_the_mean(dtype: str, share: float) -> None:
    for level in {0, 100, np.iinfo(dtype).max - 1, max(np.iinfo(dtype).min, -100)}:
        value = np.float32((level + share) / np.iinfo(dtype).max)
        planes = np.full((2, 200, 200), value)
        got = to_stored(planes, np.dtype(dtype), dither=True).astype(np.float64)
        assert set(np.unique(got)) == {level, level + 1}
        # Half a step of the noise, and four sigmas of the mean of 80000 values.
        assert abs(got.mean() - level - share) < 1 / 128 + 4 * 0.5 / np.sqrt(got.size)


def test_dither_does_not_depend_on_windows(rng: np.random.Generator) -> None:
    planes = rng.random((3, 70, 1500), dtype=np.float32)
    whole = to_stored(planes, np.dtype("u1"), dither=True, origin=(5, 7))
    plain = to_stored(planes, np.dtype("u1"))
    assert (whole != plain).mean() > 0.1
    for top, left, height, width in [(0, 0, 1, 1500), (13, 40, 50, 1000), (69, 1499, 1, 1)]:
        part = planes[:, top : top + height, left : left + width]
        got = to_stored(part, np.dtype("u1"), dither=True, origin=(5 + top, 7 + left))
        np.testing.assert_array_equal(got, whole[top : top + height, left : left + width])


def test_dither_of_neighbours_is_unrelated() -> None:
    planes = np.full((3, 256, 256), 100.5 / 255, np.float32)
    noise = to_stored(planes, np.dtype("u1"), dither=True) - 100.5
    shifts = [(1, 0, 0), (0, 1, 0), (1, 1, 0), (0, 2, 0), (1, -1, 0), (0, 0, 1), (0, 0, 2)]
    for shift in shifts:
        related = np.mean(noise * np.roll(noise, shift, (0, 1, 2))) / np.mean(noise**2)
        assert abs(related) < 0.015, shift  # 4 sigmas of 65536 pairs or more
    assert np.abs(noise.mean((0, 2))).max() < 0.1 and np.abs(noise.mean((1, 2))).max() < 0.1


@pytest.mark.parametrize("dtype", ["u4", "i4", *FLOATS])
def test_fine_types_are_not_dithered(dtype: str, rng: np.random.Generator) -> None:
    planes = rng.random((2, 5, 6), dtype=np.float32)
    plain, dithered = (to_stored(planes, np.dtype(dtype), dither=d) for d in (False, True))
    np.testing.assert_array_equal(plain, dithered)


# Depths.


@pytest.mark.parametrize(
    ("source", "depth", "expected"),
    [
        *((dtype, None, dtype) for dtype in INTEGERS + FLOATS),
        *((dtype, "32f", "f4") for dtype in INTEGERS + FLOATS),
        ("u1", "16", "u2"),
        ("u2", "8", "u1"),
        ("u4", "16", "u2"),
        ("i2", "8", "i1"),
        ("i4", "16", "i2"),
        ("f4", "8", "u1"),
        ("f2", "16", "u2"),
    ],
)
def test_depths_keep_the_sign(source: str, depth: str | None, expected: str) -> None:
    assert output_dtype(np.dtype(source), depth) == np.dtype(expected)


@pytest.mark.parametrize("depth", ["32", "16f", "", "eight"])
def test_unknown_depths_are_refused(depth: str) -> None:
    with pytest.raises(InvalidArgument, match=r"--bit-depth must be one of 8, 16, 32f, not"):
        output_dtype(np.dtype("u1"), depth)


def test_integers_of_any_depth_are_the_same_float() -> None:
    rows = np.array([0, 1, 128, 255], np.uint8)[None, :, None]
    deep = to_stored(to_float(rows), np.dtype("u2"))
    assert deep.ravel().tolist() == [0, 257, 128 * 257, 65535]
    assert to_stored(to_float(deep), np.dtype("u1")).ravel().tolist() == [0, 1, 128, 255]
    assert to_stored(to_float(rows), np.dtype("f4"))[0, 3, 0] == 1


@pytest.mark.parametrize(
    ("source", "target", "values", "count"),
    [
        ("f4", "u1", (0, 1, 0.5), 0),
        ("f4", "u1", (-0.001, 1.001), 0),  # no farther than half a step: merely rounded
        ("f4", "u1", (-0.002, 1.002, 7), 3),
        ("f4", "u2", (-0.001, 1.001), 2),
        ("f2", "u1", (INF, -INF, 0.5), 2),
        ("f4", "f4", (-1, 2, NAN), 0),
        ("u2", "u1", (-1, 2), 0),
    ],
)
def test_clipped_values_are_counted(
    source: str, target: str, values: tuple[float, ...], count: int
) -> None:
    clipped = Clipped(np.dtype(source), np.dtype(target))
    for _ in range(2):
        clipped.add(planes_of(*values))
    assert clipped.count == 2 * count
    if count:
        with pytest.warns(SvfilterWarning, match=f"^{2 * count} values lay outside 0 to 1 and"):
            clipped.warn()
    else:
        clipped.warn()


def test_a_single_clipped_value_is_one_value() -> None:
    clipped = Clipped(np.dtype("f4"), np.dtype("u1"))
    clipped.add(planes_of(0, 3))
    with pytest.warns(SvfilterWarning, match="^1 value lay outside"):
        clipped.warn()


def test_nan_is_refused_before_it_is_clipped() -> None:
    with pytest.raises(InvalidArgument, match=r"integers of 16 bits.*--nan fill"):
        Clipped(np.dtype("f8"), np.dtype("u2")).add(planes_of(0.5, NAN))
