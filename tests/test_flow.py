"""Paths follow their vectors: of a flow field, of turning and of moving in."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
import tifffile
from arrays import reader

from svfilter.errors import ImageReadError, InvalidArgument
from svfilter.images import reading
from svfilter.images.reading import ImageReader, open_image
from svfilter.maps import Driver, Flow, Maps, Spin, Zoom
from svfilter.tiles import plan


def write_flo(path: Path, flow: np.ndarray) -> None:
    """Write [2, H, W] as Middlebury does."""
    _, height, width = flow.shape
    pixels = flow.transpose(1, 2, 0).astype("<f4").tobytes()
    path.write_bytes(struct.pack("<fii", 202021.25, width, height) + pixels)


WRITERS: dict[str, Callable[[Path, np.ndarray], object]] = {
    ".flo": write_flo,
    ".npy": np.save,
    ".tif": lambda path, flow: tifffile.imwrite(
        path, flow.transpose(1, 2, 0), photometric="minisblack", planarconfig="contig"
    ),
}


def write_kitti(path: Path, flow: np.ndarray, known: np.ndarray) -> None:
    stored = np.concatenate([np.rint(flow * 64) + 2**15, known[None]]).astype(np.uint16)
    pixels = np.ascontiguousarray(stored.transpose(1, 2, 0))
    path.write_bytes(imagecodecs.png_encode(pixels))


def field(rng: np.random.Generator, shape: tuple[int, int] = (7, 13)) -> np.ndarray:
    return (rng.standard_normal((2, *shape)) * 9).astype(np.float32)


def maps_of(driver: Driver, shape: tuple[int, int]) -> Maps:
    return Maps([driver], reader(np.zeros(shape, np.uint8)), open_image)


def paths(driver: Driver, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    with maps_of(driver, shape) as maps:
        values = maps.read(reader(np.zeros(shape, np.uint8)).whole)
        assert (values["length"].dtype, values["angle"].dtype) == (np.float32, np.float32)
        return values["length"][0], values["angle"][0]


def vectors(length: np.ndarray, angle: np.ndarray) -> np.ndarray:
    """Give [2, H, W], to the right and down."""
    turned = np.radians(angle.astype(float))
    return np.stack([length * np.cos(turned), length * np.sin(turned)])


@pytest.mark.parametrize("suffix", WRITERS)
def test_flow_is_a_length_and_an_angle(
    suffix: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    flow = field(rng)
    flow[:, 0, :5] = [[0, 3, 0, -3, 0], [0, 0, 4, 0, -4]]
    WRITERS[suffix](tmp_path / f"flow{suffix}", flow)
    length, angle = paths(Flow(str(tmp_path / f"flow{suffix}"), scale=0.5), (7, 13))
    np.testing.assert_array_equal(length[0, :5], [0, 1.5, 2, 1.5, 2])
    np.testing.assert_array_equal(angle[0, :5], [0, 0, 90, 180, -90])  # down is positive
    np.testing.assert_allclose(vectors(length, angle), 0.5 * flow, rtol=0, atol=1e-5)


def test_kitti_is_64ths_of_a_pixel_where_it_is_known(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    flow, known = np.rint(field(rng) * 64) / 64, rng.integers(0, 2, (7, 13))
    write_kitti(tmp_path / "flow.png", flow, known)
    got = vectors(*paths(Flow(str(tmp_path / "flow.png")), (7, 13)))
    np.testing.assert_allclose(got, flow * known, rtol=0, atol=1e-5)


def test_flow_that_is_not_known_does_not_move(tmp_path: Path) -> None:
    flow = np.full((2, 3, 4), 2.0, np.float32)
    flow[0, 1, 1], flow[1, 2, 2] = 1.666666752e9, -1e10
    write_flo(tmp_path / "flow.flo", flow)
    with maps_of(Flow(str(tmp_path / "flow.flo")), (3, 4)) as maps:
        assert maps.spans["length"] == (0.0, float(np.float32(np.sqrt(8))))
    length, _ = paths(Flow(str(tmp_path / "flow.flo")), (3, 4))
    assert length[1, 1] == length[2, 2] == 0
    assert np.count_nonzero(length) == 10


def test_the_longest_path_is_looked_for_or_given(tmp_path: Path, rng: np.random.Generator) -> None:
    flow, name = field(rng, (300, 5)), str(tmp_path / "flow.flo")
    write_flo(tmp_path / "flow.flo", flow)
    lengths, angles = paths(Flow(name), (300, 5))
    with maps_of(Flow(name), (300, 5)) as maps:
        assert maps.spans == {"length": (0.0, lengths.max()), "angle": (-180.0, 180.0)}
    assert Flow(name).gives["length"] is None
    cut = Flow(name, max_length=5.1)
    assert cut.gives["length"] == (0.0, np.float32(5.1))
    got = paths(cut, (300, 5))
    np.testing.assert_array_equal(got[0], np.minimum(lengths, np.float32(5.1)))
    np.testing.assert_array_equal(got[1], angles)


def test_flow_from_stdin_needs_a_largest_length() -> None:
    with pytest.raises(InvalidArgument, match="stdin.* can be read once only: give the length"):
        Flow("-")
    assert Flow("-", max_length=9).sources == ("-",)


@pytest.mark.parametrize("options", [{"scale": -1}, {"scale": np.nan}, {"max_length": -0.5}])
def test_a_flow_that_cannot_be_is_refused(options: dict[str, float]) -> None:
    with pytest.raises(
        InvalidArgument, match=f"{next(iter(options))} must be finite and at least 0"
    ):
        Flow("flow.flo", **options)


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        (np.zeros((7, 12, 2), "f4"), "flow of 12 x 7 .* image of 13 x 7: a flow is not resized"),
        (np.zeros((7, 13, 2), "i2"), "holds no flow: it is 16-bit signed 2 bands, but two chan"),
        (np.zeros((7, 13), "f4"), "holds no flow: it is 32-bit float grey"),
        (np.zeros((7, 13, 3), "u1"), "holds no flow: it is 8-bit RGB"),
        (np.full((7, 13, 2), np.nan, "f4"), "holds flow that is not finite"),
    ],
)
def test_a_file_without_a_fitting_flow_is_refused(
    stored: np.ndarray, message: str, tmp_path: Path
) -> None:
    np.save(tmp_path / "flow.npy", stored)
    with pytest.raises(InvalidArgument, match=f"flow.npy: .*{message}"):
        paths(Flow(str(tmp_path / "flow.npy")), (7, 13))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data[:-1], "ends|bytes of pixels"),
        (lambda data: data[:9], "too early"),
        (lambda data: data[:4] + struct.pack("<ii", -13, 7) + data[12:], "says -13 x 7"),
    ],
)
def test_a_damaged_flo_is_refused_by_name(
    change: Callable[[bytes], bytes], message: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    path = tmp_path / "flow.flo"
    write_flo(path, field(rng))
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(ImageReadError, match=f"flow.flo: is truncated or damaged: .*({message})"):
        paths(Flow(str(path)), (7, 13))


SHAPES = [(1, 1), (7, 13), (300, 5)]
CENTRES = [None, (0.0, 0.0), (3.25, -40.0)]


def offsets(shape: tuple[int, int], centre: tuple[float, float] | None) -> np.ndarray:
    """Give p − c, [2, H, W], to the right and down."""
    y, x = np.mgrid[: shape[0], : shape[1]].astype(float)
    at = ((shape[1] - 1) / 2, (shape[0] - 1) / 2) if centre is None else centre
    return np.stack([x - at[0], y - at[1]])


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("centre", CENTRES)
@pytest.mark.parametrize("degrees", [5.0, -20.0, 0.0])
def test_spin_is_the_arcs_tangent(
    degrees: float, centre: tuple[float, float] | None, shape: tuple[int, int]
) -> None:
    dx, dy = offsets(shape, centre)
    got = vectors(*paths(Spin(degrees, centre), shape))
    expected = np.radians(degrees) * np.stack([-dy, dx])
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)


def test_spin_turns_clockwise_and_bends_as_little_as_is_said() -> None:
    driver, degrees = Spin(10.0, (0.0, 0.0)), np.radians(10)
    length, angle = paths(driver, (1, 101))
    assert angle[0, 100] == 90  # right of the centre it moves down
    assert length[0, 100] == np.float32(100 * degrees)
    end = np.hypot(100, length[0, 100] / 2)  # of the line, from the centre
    assert end - 100 == pytest.approx(length[0, 100] ** 2 / (8 * 100), rel=0.01)
    assert end - 100 == pytest.approx(0.4, rel=0.1)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("centre", CENTRES)
@pytest.mark.parametrize("factor", [1.1, 0.5, 1.0])
def test_zoom_is_along_the_ray(
    factor: float, centre: tuple[float, float] | None, shape: tuple[int, int]
) -> None:
    length, angle = paths(Zoom(factor, centre), shape)
    assert (angle[length == 0] == 0).all()
    got = vectors(length, angle)
    expected = (factor - 1) * offsets(shape, centre)
    np.testing.assert_allclose(got, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("driver", [Spin(7.0), Zoom(0.3), Spin(-3.0, (2.0, 55.0))])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_span_is_that_of_the_farthest_corner(driver: Driver, shape: tuple[int, int]) -> None:
    length, _ = paths(driver, shape)
    with maps_of(driver, shape) as maps:
        assert maps.spans["length"] == (0.0, length.max())
    assert driver.gives["length"] is None


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Spin(np.inf), "degrees must be finite, but is inf"),
        (lambda: Zoom(-0.1), "factor must be finite and at least 0, but is -0.1"),
        (lambda: Spin(1.0, (np.nan, 0.0)), "centre's x must be finite, but is nan"),
    ],
)
def test_a_movement_that_cannot_be_is_refused(make: Callable[[], Driver], message: str) -> None:
    with pytest.raises(InvalidArgument, match=message):
        make()


@pytest.mark.parametrize("kind", ["flow", "kitti", "spin", "zoom"])
@pytest.mark.parametrize("side", [1, 3, 17])
def test_paths_do_not_depend_on_the_windows(
    side: int, kind: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    shape = (37, 45)
    write_flo(tmp_path / "flow.flo", field(rng, shape))
    write_kitti(tmp_path / "kitti.png", field(rng, shape), np.ones(shape))
    driver = {
        "flow": Flow(str(tmp_path / "flow.flo"), scale=0.7),
        "kitti": Flow(str(tmp_path / "kitti.png"), scale=0.7),
        "spin": Spin(7.3),
        "zoom": Zoom(1.37, (3.1, 9.7)),
    }[kind]
    whole = dict(zip(("length", "angle"), paths(driver, shape), strict=True))
    with maps_of(driver, shape) as maps:
        for window in plan(*shape, side, side):
            for name, values in maps.read(window).items():
                np.testing.assert_array_equal(values[0], whole[name][window.rows, window.cols])
            if window.cols.stop == shape[1]:
                maps.let_go(window.rows.stop)


@pytest.mark.parametrize("options", [{}, {"max_length": 3.0}])
def test_rows_of_a_flow_are_held_no_longer_than_needed(
    options: dict[str, float],
    tmp_path: Path,
    rng: np.random.Generator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    held, take = [], ImageReader._take

    def counted(image: ImageReader) -> None:
        take(image)
        held.append(len(image._blocks))

    monkeypatch.setattr(reading, "block_rows", lambda decoder: 1)
    monkeypatch.setattr(ImageReader, "_take", counted)
    write_flo(tmp_path / "flow.flo", field(rng, (200, 9)))
    with maps_of(Flow(str(tmp_path / "flow.flo"), **options), (200, 9)) as maps:
        for window in plan(200, 9, 20, 9):
            maps.read(window)
            maps.let_go(window.rows.stop)
    assert len(held) == (200 if options else 400)  # the longest path is looked for first
    assert max(held) <= 20
