"""Circles of confusion follow their formulas, from painted maps and from distances."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile
from arrays import reader
from PIL import Image

from svfilter import Gaussian, KernelField, filter_image
from svfilter.errors import InvalidArgument, SvfilterWarning
from svfilter.images.reading import open_image
from svfilter.maps import Channel, Focus, Maps
from svfilter.pipeline import filter_file
from svfilter.tiles import plan


def opened(focus: Focus, shape: tuple[int, int]) -> Maps:
    return Maps([focus], reader(np.zeros(shape, np.uint8)), open_image)


def radii(focus: Focus, shape: tuple[int, int]) -> np.ndarray:
    with opened(focus, shape) as maps:
        values = maps.read(reader(np.zeros(shape, np.uint8)).whole)
        return np.asarray(values["radius"])


def write_floats(path: Path, values: np.ndarray) -> None:
    if path.suffix == ".npy":
        np.save(path, values)
    elif path.suffix == ".pfm":
        height, width = values.shape
        path.write_bytes(b"Pf\n%d %d\n-1.0\n" % (width, height) + values[::-1].tobytes())
    else:
        tifffile.imwrite(path, values)


@pytest.mark.parametrize(("dtype", "top"), [(np.uint8, 255), (np.uint16, 65535)], ids=str)
@pytest.mark.parametrize("max_radius", [100, 3.3])
def test_linear_grows_with_the_distance_from_the_focus(
    max_radius: float, dtype: type, top: int, tmp_path: Path, rng: np.random.Generator
) -> None:
    levels = rng.integers(0, top, (7, 13), dtype, endpoint=True)
    levels[0, :3] = 0, top, top // 4
    Image.fromarray(levels).save(tmp_path / "depth.png")
    focus = Focus("radius", Channel(str(tmp_path / "depth.png")), 0.25, 12, max_radius)
    expected = np.minimum(12 * np.abs(levels / float(top) - 0.25), max_radius)
    np.testing.assert_allclose(radii(focus, (7, 13))[0], expected, rtol=0, atol=2e-6)


@pytest.mark.parametrize("suffix", [".tif", ".npy", ".pfm"])
def test_floats_are_the_files_own_and_a_thin_lens_takes_distances(
    suffix: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    z = (rng.random((7, 13)) * 40 + 0.5).astype(np.float32)
    z[0, :2] = 5, 1e30
    path = tmp_path / f"depth{suffix}"
    write_floats(path, z)
    got = radii(Focus("radius", Channel(str(path)), 5, 6, 20, model="thin"), (7, 13))[0]
    expected = np.minimum(6 * np.abs(1 - 5 / z.astype(float)), 20)
    np.testing.assert_allclose(got, expected, rtol=1e-6, atol=3e-6)
    assert got[0, 0] == 0
    assert got[0, 1] == 6  # infinitely far: the aperture
    got = radii(Focus("radius", Channel(str(path)), 5, 0.5, 1000), (7, 13))[0]
    expected = np.minimum(0.5 * np.abs(z.astype(float) - 5), 1000)
    np.testing.assert_allclose(got, expected, rtol=1e-6, atol=3e-6)


def test_inverse_depth_is_linear_where_distance_is_a_thin_lens(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    z = (rng.random((9, 5)) * 9 + 1).astype(np.float32)
    write_floats(tmp_path / "z.npy", z)
    write_floats(tmp_path / "inverse.npy", 1 / z)
    thin = Focus("radius", Channel(str(tmp_path / "z.npy")), 4, 10, 30, model="thin")
    linear = Focus("radius", Channel(str(tmp_path / "inverse.npy")), 1 / 4, 10 * 4, 30)
    np.testing.assert_allclose(radii(thin, (9, 5)), radii(linear, (9, 5)), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("options", "sign"),
    [
        ({}, 1),
        ({"near": "white"}, 1),
        ({"near": "black"}, -1),
        ({"model": "thin"}, -1),
    ],
)
def test_depth_is_the_radius_with_a_sign_and_larger_where_it_is_nearer(
    options: dict[str, str], sign: int, tmp_path: Path, rng: np.random.Generator
) -> None:
    z = (rng.random((4, 5)) + 0.5).astype(np.float32)
    write_floats(tmp_path / "z.npy", z)
    with opened(Focus("r", Channel(str(tmp_path / "z.npy")), 1, 3, 0.9, **options), (4, 5)) as maps:
        depth = maps.read_depth(reader(z).whole)
        np.testing.assert_array_equal(abs(depth), maps.read(reader(z).whole)["r"])
        assert (abs(depth) == np.float32(0.9)).any()  # cut at the largest radius
        np.testing.assert_array_equal(np.sign(depth), sign * np.sign(z[None] - 1))


@pytest.mark.parametrize(
    ("focus", "expected"), [(0.25, 7.5), (0.75, 7.5), (0.5, 5.0), (2.0, 20.0), (-3.0, 25.0)]
)
def test_the_span_of_levels_in_0_to_1_is_that_of_their_ends(
    focus: float, expected: float, tmp_path: Path
) -> None:
    Image.fromarray(np.array([[0, 255]], np.uint8)).save(tmp_path / "depth.png")
    driver = Focus("radius", Channel(str(tmp_path / "depth.png")), focus, 10, 25)
    with opened(driver, (1, 2)) as maps:
        assert maps.spans == {"radius": (0.0, expected)}
    assert radii(driver, (1, 2)).max() == expected
    assert driver.gives == {"radius": (0.0, 25.0)}


@pytest.mark.parametrize("model", ["linear", "thin"])
@pytest.mark.parametrize("size", [(40, 33), (300, 5), (20, 70)])
@pytest.mark.parametrize("rows", [1, 7, 64])
@pytest.mark.filterwarnings("ignore:.*resized")
def test_radii_do_not_depend_on_the_windows(
    rows: int, size: tuple[int, int], model: str, tmp_path: Path, rng: np.random.Generator
) -> None:
    write_floats(tmp_path / "z.tif", (rng.random(size) * 9 + 1).astype(np.float32))
    driver = Focus("radius", Channel(str(tmp_path / "z.tif")), 3.7, 9.1, 11, model=model)
    shape = (130, 33) if size != (300, 5) else size
    whole = radii(driver, shape)
    with opened(driver, shape) as maps:
        for window in plan(*shape, rows, 12):
            part = maps.read(window)["radius"]
            np.testing.assert_array_equal(part, whole[:, window.rows, window.cols])
            if window.cols.stop == shape[1]:
                maps.let_go(window.rows.stop)


def test_a_resized_map_keeps_its_range(tmp_path: Path) -> None:
    write_floats(tmp_path / "z.npy", np.array([[3.0, 3.0], [7.0, 7.0]], np.float32))
    with pytest.warns(SvfilterWarning, match="resized"):
        got = radii(Focus("radius", Channel(str(tmp_path / "z.npy")), 0, 1, 99), (40, 40))
    assert (got.min(), got.max()) == (3, 7)


def test_the_images_own_alpha_may_be_its_depth(rng: np.random.Generator) -> None:
    pixels = rng.integers(0, 256, (7, 13, 4), dtype=np.uint8)
    driver = Focus("radius", Channel(None, "a"), 0.5, 8, 99)
    assert driver.sources == ()
    with Maps([driver], image := reader(pixels), open_image) as maps:
        got = maps.read(image.whole)["radius"]
    np.testing.assert_allclose(got[0], 8 * np.abs(pixels[..., 3] / 255 - 0.5), atol=2e-6)


def test_no_aperture_leaves_all_sharp_however_far_it_is(tmp_path: Path) -> None:
    write_floats(tmp_path / "z.npy", np.array([[1e-40, 1e38]], np.float32))
    driver = Focus("radius", Channel(str(tmp_path / "z.npy")), 9, 0, 5, model="thin")
    np.testing.assert_array_equal(radii(driver, (1, 2)), 0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"focus": np.nan}, "focus must be finite, but is nan"),
        ({"aperture": -1}, "aperture must be finite and at least 0, but is -1"),
        ({"max_radius": np.inf}, "max_radius must be finite and at least 0, but is inf"),
        ({"model": "thick"}, "model must be one of linear, thin, not 'thick'"),
        ({"near": "grey"}, "near must be one of white, black, not 'grey'"),
        ({"model": "thin", "focus": 0}, "focus must be a distance above 0 .* but is 0"),
        ({"model": "thin", "near": "white"}, "a thin lens takes distances"),
    ],
)
def test_a_focus_that_cannot_be_is_refused(options: dict[str, object], message: str) -> None:
    usual = {"focus": 0.5, "aperture": 8, "max_radius": 20}
    with pytest.raises(InvalidArgument, match=message):
        Focus("radius", Channel("depth.png"), **(usual | options))


@pytest.mark.parametrize(
    ("bad", "model", "message"),
    [
        (np.nan, "linear", "z.npy: a map's values must be finite"),
        (np.inf, "thin", "z.npy: a map's values must be finite"),
        (0.0, "thin", "z.npy: a thin lens needs distances above 0, but these begin at 0"),
        (-2.0, "thin", "begin at -2; for disparity or a painted map take the linear model"),
    ],
)
def test_depth_that_cannot_be_is_refused(
    bad: float, model: str, message: str, tmp_path: Path
) -> None:
    z = np.ones((4, 5), np.float32)
    z[2, 3] = bad
    write_floats(tmp_path / "z.npy", z)
    with pytest.raises(InvalidArgument, match=message):
        radii(Focus("r", Channel(str(tmp_path / "z.npy")), 1, 1, 9, model=model), (4, 5))


@pytest.mark.parametrize("tile", [7, 99])
def test_a_file_is_filtered_by_its_depth(
    tile: int, tmp_path: Path, rng: np.random.Generator
) -> None:
    pixels = rng.random((31, 23)).astype(np.float32)
    z = (rng.random((31, 23)) * 4 + 1).astype(np.float32)
    write_floats(tmp_path / "in.tif", pixels)
    write_floats(tmp_path / "z.npy", z)
    driver = Focus("sigma", Channel(str(tmp_path / "z.npy")), 2, 3, 4, model="thin")
    files = str(tmp_path / "in.tif"), str(tmp_path / "out.tif")
    report = filter_file(*files, Gaussian, [driver], tile=tile, tolerance=0)
    assert report.reach == 16
    sigma = np.minimum(3 * np.abs(1 - 2 / z.astype(float)), 4)
    exact = filter_image(pixels.astype(float), KernelField(Gaussian(sigma=sigma)))
    np.testing.assert_allclose(tifffile.imread(files[1]), exact, rtol=0, atol=3e-6)


@pytest.mark.parametrize("bad", [-1.0, np.nan])
def test_depth_that_cannot_be_leaves_nothing_behind(bad: float, tmp_path: Path) -> None:
    z = np.ones((31, 23), np.float32)
    z[30, 22] = bad
    write_floats(tmp_path / "z.npy", z)
    np.save(tmp_path / "in.npy", np.ones((31, 23), np.float32))
    driver = Focus("sigma", Channel(str(tmp_path / "z.npy")), 2, 3, 4, model="thin")
    files = str(tmp_path / "in.npy"), str(tmp_path / "out.tif")
    with pytest.raises(InvalidArgument, match="z.npy"):
        filter_file(*files, Gaussian, [driver], tile=7)
    assert not (tmp_path / "out.tif").exists()
    with pytest.raises(InvalidArgument, match="sigma must lie in 0 to 1000 px, but is 2000"):
        filter_file("missing.png", files[1], Gaussian, [replace(driver, max_radius=2000)])
