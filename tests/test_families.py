"""What is particular to each kernel family: its equation, its limits, what SciPy makes of it."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import scipy.ndimage
import torch

from svfilter import Gaussian, KernelField, filter_image
from svfilter.errors import InvalidArgument
from svfilter.kernels.angles import direction
from svfilter.kernels.base import Family
from svfilter.kernels.bilateral import Bilateral
from svfilter.kernels.box import Box
from svfilter.kernels.elliptical import Elliptical
from svfilter.kernels.lens import Lens
from svfilter.kernels.moffat import Moffat
from svfilter.kernels.motion import Motion
from svfilter.kernels.triangle import Triangle
from svfilter.kernels.unsharp import UnsharpMask


def ready(kind: type[Family], dtype: str = "float64", **values: float) -> Family:
    """Give one kernel, its per-pixel parameters arrays of no axes."""
    return KernelField(kind(**values)).transform(lambda v: np.asarray(v, dtype)).family


def kernel(kind: type[Family], dtype: str = "float64", **values: float) -> np.ndarray:
    family = ready(kind, dtype, **values)
    t = np.arange(-family.reach(), family.reach() + 1).astype(dtype)
    return np.asarray(family.weights(t[:, None], t[None, :]))


def from_loops(radius: int, u: Callable[[int, int], float]) -> np.ndarray:
    """Give the normalised kernel of a formula for one tap."""
    taps = range(-radius, radius + 1)
    values = np.array([[u(dy, dx) for dx in taps] for dy in taps])
    return values / math.fsum(values.flat)


def grown(weights: np.ndarray, radius: int) -> np.ndarray:
    """Give a kernel with zeros around it, up to a radius."""
    return np.pad(weights, radius - len(weights) // 2)


def distance(one: np.ndarray, other: np.ndarray) -> float:
    """Give ½‖K − K̂‖₁."""
    radius = max(len(one), len(other)) // 2
    return 0.5 * float(np.abs(grown(one, radius) - grown(other, radius)).sum())


def within(values: float, low: float, high: float) -> float:
    return min(max(values, low), high)


# Formulas for one tap, of Python floats, written apart from the package's.


def gauss(sigma: float) -> Callable[[int, int], float]:
    return lambda dy, dx: math.exp(-(dy * dy + dx * dx) / (2 * sigma**2))


def moffat(fwhm: float, beta: float) -> Callable[[int, int], float]:
    alpha = fwhm / (2 * math.sqrt(2 ** (1 / beta) - 1))
    return lambda dy, dx: (1 + (dy * dy + dx * dx) / alpha**2) ** -beta


def box(radius: float) -> Callable[[int, int], float]:
    def overlap(d: int) -> float:  # of a pixel and the square
        return max(0.0, min(d + 0.5, radius + 0.5) - max(d - 0.5, -radius - 0.5))

    return lambda dy, dx: overlap(dy) * overlap(dx)


def triangle(radius: float) -> Callable[[int, int], float]:
    return lambda dy, dx: max(0, 1 - abs(dy) / (radius + 1)) * max(0, 1 - abs(dx) / (radius + 1))


def ellipse(
    sigma_x: float, sigma_y: float, angle: float, truncate: float = 4.0
) -> Callable[[int, int], float]:
    a = math.radians(angle)
    turn = np.array([[math.cos(a), -math.sin(a)], [math.sin(a), math.cos(a)]])  # of (x, y)
    inverse = np.linalg.inv(turn @ np.diag([sigma_x**2, sigma_y**2]) @ turn.T)

    def gaussian(dy: int, dx: int) -> float:
        far = float(np.array([dx, dy]) @ inverse @ np.array([dx, dy]))
        return (
            math.exp(-0.5 * far)
            if far <= 2.0001 * (truncate + 0.5 / max(sigma_x, sigma_y)) ** 2
            else 0
        )

    return gaussian


def polygon(radius: float, blades: int, rotation: float) -> Callable[[int, int], float]:
    """Give how bright a polygon is, from the distances of its sides."""
    step = 2 * math.pi / blades
    sides = [math.radians(rotation) + step * (i + 0.5) for i in range(blades)]

    def bright(dy: int, dx: int) -> float:
        farthest = max(dx * math.cos(side) + dy * math.sin(side) for side in sides)
        return within(radius + 0.5 - farthest / math.cos(step / 2), 0, 1)

    return bright


def line(length: float, angle: float, path: float) -> Callable[[int, int], float]:
    a = math.radians(angle)
    first, last = length * (path - 1) / 2, length * (path + 1) / 2

    def cover(dy: int, dx: int) -> float:
        along = dx * math.cos(a) + dy * math.sin(a)
        across = -dx * math.sin(a) + dy * math.cos(a)
        return max(0, 1 - abs(across)) * max(0, min(along + 0.5, last) - max(along - 0.5, first))

    return cover


EQUATIONS: list[tuple[type[Family], dict[str, float], int, Callable[[int, int], float]]] = [
    (Box, {"radius": 2.0}, 2, box(2.0)),
    (Box, {"radius": 2.3}, 3, box(2.3)),
    (Box, {"radius": 0.01}, 1, box(0.01)),
    (Triangle, {"radius": 3.0}, 3, triangle(3.0)),
    (Triangle, {"radius": 2.6}, 3, triangle(2.6)),
    (Moffat, {"fwhm": 2.2}, 9, moffat(2.2, 3.0)),
    (Moffat, {"fwhm": 3.1, "beta": 1.7, "truncate": 6.0}, 19, moffat(3.1, 1.7)),
    (Elliptical, {"sigma_x": 2.0, "sigma_y": 0.9, "angle": 25.0}, 8, ellipse(2.0, 0.9, 25.0)),
    (Elliptical, {"sigma_x": 0.9, "sigma_y": 2.0, "angle": -250.0}, 8, ellipse(0.9, 2.0, -250.0)),
    (
        Elliptical,
        {"sigma_x": 1.7, "sigma_y": 1.2, "angle": 110.0, "truncate": 2.5},
        4,
        ellipse(1.7, 1.2, 110.0, 2.5),
    ),
    (Lens, {"radius": 2.5}, 2, lambda dy, dx: within(3.0 - math.hypot(dy, dx), 0, 1)),
    (Lens, {"radius": 4.2}, 4, lambda dy, dx: within(4.7 - math.hypot(dy, dx), 0, 1)),
    (Lens, {"radius": 6.3, "blades": 3}, 6, polygon(6.3, 3, 0.0)),
    (Lens, {"radius": 6.3, "blades": 5, "rotation": 20.0}, 6, polygon(6.3, 5, 20.0)),
    (Lens, {"radius": 5.1, "blades": 8, "rotation": -100.0}, 5, polygon(5.1, 8, -100.0)),
    (Motion, {"length": 7.0, "angle": 0.0}, 4, line(7.0, 0.0, 0.0)),
    (Motion, {"length": 6.4, "angle": 33.0}, 3, line(6.4, 33.0, 0.0)),
    (Motion, {"length": 5.3, "angle": -200.0, "path": 1.0}, 5, line(5.3, -200.0, 1.0)),
    (Motion, {"length": 5.3, "angle": 290.0, "path": -0.4}, 4, line(5.3, 290.0, -0.4)),
]


@pytest.mark.parametrize(("kind", "values", "radius", "u"), EQUATIONS)
def test_weights_follow_their_equation(
    kind: type[Family], values: dict[str, float], radius: int, u: Callable[[int, int], float]
) -> None:
    assert kind(**values).reach() == radius
    np.testing.assert_allclose(kernel(kind, **values), from_loops(radius, u), rtol=0, atol=1e-14)
    single = kernel(kind, "float32", **values)
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, from_loops(radius, u), rtol=0, atol=3e-7)


@pytest.mark.parametrize(("kind", "values"), [case[:2] for case in EQUATIONS])
def test_torch_gives_the_same_whatever_the_constants_are(
    kind: type[Family], values: dict[str, float]
) -> None:
    family = KernelField(ready(kind, **values)).transform(torch.from_numpy).family
    t = torch.arange(-family.reach(), family.reach() + 1, dtype=torch.float64)
    got = family.weights(t[:, None], t[None, :])
    np.testing.assert_allclose(got.numpy(), kernel(kind, **values), rtol=0, atol=1e-14)


def test_nothing_of_a_kernel_with_an_end_lies_beyond_its_radius(rng: np.random.Generator) -> None:
    size = {"radius": rng.uniform(0, 6, 300)}
    turn = {"length": rng.uniform(0.26, 6, 300), "angle": rng.uniform(-360, 360, 300)}
    families = [Box(**size), Triangle(**size), Lens(**size), Lens(**size, blades=5, rotation=9.0)]
    families += [Motion(**turn, path=path) for path in (-1.0, -0.3, 0.0, 1.0)]
    t = np.arange(-12.0, 13.0)
    for family in families:
        profile = family.profile(t[:, None, None], t[None, :, None])
        far = np.maximum(abs(t)[:, None], abs(t))[..., None] > family.reaches()
        assert far.any(axis=(0, 1)).all()
        assert not profile[far].any()


LIMITS: list[tuple[type[Family], dict[str, float]]] = [
    (Box, {"radius": 0.0}),
    (Triangle, {"radius": 0.0}),
    (Moffat, {"fwhm": 0.1249}),
    (Elliptical, {"sigma_x": 0.1249, "sigma_y": 0.0, "angle": 77.0}),
    (Elliptical, {"sigma_x": 0.02, "sigma_y": 0.1249, "angle": 45.0}),
    (Lens, {"radius": 0.5}),
    (Lens, {"radius": 0.5, "blades": 3}),
    (Motion, {"length": 0.25, "angle": 75.0}),
    (Motion, {"length": 0.25, "angle": 60.0, "path": 1.0}),
    (UnsharpMask, {"sigma": 0.1249, "amount": 3.3}),
]


@pytest.mark.parametrize(("kind", "values"), LIMITS)
def test_limits_are_the_identity_exactly(kind: type[Family], values: dict[str, float]) -> None:
    assert kind(**values).reach() == 0
    for dtype in ("float32", "float64"):
        np.testing.assert_array_equal(kernel(kind, dtype, **values), [[1.0]])


CONTINUOUS: list[tuple[type[Family], str, float, float, dict[str, float]]] = [
    (Box, "radius", 0.0, 4.0, {}),
    (Triangle, "radius", 0.0, 4.0, {}),
    (Lens, "radius", 0.0, 4.0, {}),
    (Lens, "radius", 0.0, 4.0, {"blades": 5, "curvature": 0.5}),
    (Motion, "length", 0.0, 4.0, {"angle": 0.0}),
    (Motion, "length", 0.0, 4.0, {"angle": 75.0}),
    (Motion, "length", 0.0, 4.0, {"angle": 60.0, "path": 1.0}),
    (Motion, "angle", -180.0, 180.0, {"length": 6.0, "path": 0.5}),
    (Elliptical, "angle", -90.0, 90.0, {"sigma_x": 4.0, "sigma_y": 0.0}),
    (Elliptical, "angle", -90.0, 90.0, {"sigma_x": 0.3, "sigma_y": 3.0}),
    (Elliptical, "sigma_y", 0.0, 4.0, {"sigma_x": 2.0, "angle": 10.0}),
]


@pytest.mark.parametrize(("kind", "name", "low", "high", "rest"), CONTINUOUS)
def test_kernels_change_continuously(
    kind: type[Family], name: str, low: float, high: float, rest: dict[str, float]
) -> None:
    steps = 200
    fewer = [kernel(kind, **rest, **{name: v}) for v in np.linspace(low, high, steps // 2 + 1)]
    more = [kernel(kind, **rest, **{name: v}) for v in np.linspace(low, high, steps + 1)]
    coarse, fine = (max(distance(a, b) for a, b in pairwise(k)) for k in (fewer, more))
    assert 0 < fine < 0.8 * coarse  # a jump is as large at half the step


@pytest.mark.parametrize("radius", [1, 2, 5])
def test_box_of_whole_radius_is_scipys_uniform_filter(
    radius: int, rng: np.random.Generator
) -> None:
    image = rng.random((7, 13))
    field = KernelField(Box(radius=float(radius)))
    expected = scipy.ndimage.uniform_filter(image, 2 * radius + 1, mode="nearest")
    got = filter_image(image, field, engine="unfold")
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("radius", [0.0, 0.25, 1.0, 2.75])
def test_box_weighs_its_area(radius: float) -> None:
    total = ready(Box, radius=radius).total(np.float64)
    assert math.isclose(total, (2 * radius + 1) ** 2, rel_tol=1e-14)


@pytest.mark.parametrize("radius", [2, 4, 10])
def test_triangle_of_even_radius_is_a_box_twice(radius: int) -> None:
    row = np.convolve(np.ones(radius + 1), np.ones(radius + 1)) / (radius + 1) ** 2
    got = kernel(Triangle, radius=radius)
    np.testing.assert_allclose(got, np.outer(row, row), rtol=0, atol=1e-15)


@pytest.mark.parametrize("beta", [1.1, 2.5, 3.0, 30.0])
def test_moffat_is_half_as_high_at_half_its_width(beta: float) -> None:
    half = ready(Moffat, fwhm=5.0, beta=beta).profile(np.asarray(1.5), np.asarray(2.0))
    assert math.isclose(half, 0.5, rel_tol=1e-13)  # √(1.5² + 2²) = 2.5


@pytest.mark.parametrize("beta", [1.5, 3.0])
def test_moffats_wings_weigh_what_is_stated(beta: float) -> None:
    fwhm = 2.0
    family = ready(Moffat, fwhm=fwhm, beta=beta)
    t = np.arange(-600.0, 601.0)
    u = family.profile(t[:, None], t[None, :])
    alpha = fwhm / (2 * math.sqrt(2 ** (1 / beta) - 1))
    ring = np.hypot(t[:, None], t) > 8
    left_out = (1 + 600**2 / alpha**2) ** (1 - beta)  # even of this sum
    stated = (1 + 8**2 / alpha**2) ** (1 - beta)
    assert math.isclose(u[ring].sum() / u.sum(), stated, rel_tol=0.05, abs_tol=left_out)


def test_moffat_of_a_large_beta_is_nearly_a_gaussian() -> None:
    sigma = 3 / math.sqrt(8 * math.log(2))
    expected = from_loops(12, gauss(sigma))
    assert distance(kernel(Moffat, fwhm=3.0, beta=30.0), expected) < 0.02
    assert distance(kernel(Moffat, fwhm=3.0, beta=3.0), expected) > 0.05


@pytest.mark.parametrize("angle", [0.0, 90.0, -90.0, 180.0, 270.0, -360.0])
def test_elliptical_along_the_axes_is_scipys_gaussian_filter(
    angle: float, rng: np.random.Generator
) -> None:
    image = rng.random((11, 17))
    field = KernelField(Elliptical(sigma_x=2.5, sigma_y=0.8, angle=angle))
    spreads = (2.5, 0.8) if angle % 180 else (0.8, 2.5)
    expected = scipy.ndimage.gaussian_filter(image, spreads, radius=10, mode="nearest")
    got = filter_image(image, field, engine="unfold")
    np.testing.assert_allclose(got, expected, rtol=0, atol=5e-9)  # beyond the ellipse


@pytest.mark.parametrize("sigma", [0.125, 0.3, 1.12, 1.7])
@pytest.mark.parametrize("angle", [0.0, 10.0, 45.0, -123.4])
def test_elliptical_of_equal_spreads_is_the_gaussian(sigma: float, angle: float) -> None:
    values = {"sigma_x": sigma, "sigma_y": sigma, "angle": angle, "truncate": 3.3}
    expected = kernel(Gaussian, sigma=sigma, truncate=3.3)
    np.testing.assert_allclose(kernel(Elliptical, **values), expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize("angle", [0.0, 12.5, 45.0, -77.0])
def test_turning_an_ellipse_by_a_right_angle_swaps_its_axes(angle: float) -> None:
    first = kernel(Elliptical, sigma_x=3.0, sigma_y=0.7, angle=angle)
    second = kernel(Elliptical, sigma_x=0.7, sigma_y=3.0, angle=angle + 90)
    np.testing.assert_array_equal(first, second)
    np.testing.assert_array_equal(first, first[::-1, ::-1])
    turned = kernel(Elliptical, sigma_x=3.0, sigma_y=0.7, angle=angle + 90)
    np.testing.assert_allclose(turned, first.T[:, ::-1], rtol=1e-14)  # of another sum


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("thin", [0.0, 1e-30, 0.01])
@pytest.mark.parametrize("angle", [0.0, 90.0, -180.0, 270.0])
def test_an_ellipse_without_width_along_an_axis_is_one_row_or_column(
    dtype: str, thin: float, angle: float
) -> None:
    weights = kernel(Elliptical, dtype, sigma_x=3.0, sigma_y=thin, angle=angle)
    row = np.exp(-(np.arange(-12, 13) ** 2) / 18)
    expected = np.zeros((25, 25))
    expected[12] = row / row.sum()
    expected = expected.T if angle % 180 else expected
    np.testing.assert_allclose(
        weights, expected, rtol=0, atol=1e-7 if dtype == "float32" else 1e-16
    )
    np.testing.assert_array_equal(weights == 0, expected == 0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_an_ellipse_without_width_has_finite_gradients(dtype: torch.dtype) -> None:
    thin, angles = torch.tensor([0.0, 1e-12, 1e-3]), torch.tensor([0.0, 45.0, 90.0, 1e-6, -180.0])
    spread = torch.full((3, 5), 3.0, dtype=dtype, requires_grad=True)
    width = thin[:, None].to(dtype).expand(3, 5).clone().requires_grad_()
    angle = angles.to(dtype).expand(3, 5).clone().requires_grad_()
    t = torch.arange(-12, 13, dtype=dtype)
    for sigmas in ((spread, width), (width, spread)):
        family = Elliptical(sigma_x=sigmas[0], sigma_y=sigmas[1], angle=angle)
        family.weights(t[:, None, None, None], t[None, :, None, None]).square().sum().backward()
    for leaf in (spread, width, angle):
        assert leaf.grad is not None
        assert torch.isfinite(leaf.grad).all()
    assert (spread.grad != 0).all()


@pytest.mark.parametrize("sigma", [3.0, 10.0])
def test_a_thin_ellipse_askew_is_no_dotted_line(sigma: float) -> None:
    for angle in [1e-6, 1e-3, 0.01, 0.1, 0.3, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 45.0]:
        weights = kernel(Elliptical, sigma_x=sigma, sigma_y=0.0, angle=angle)
        t = np.arange(len(weights)) - len(weights) // 2
        ideal = np.exp(-0.5 * (t / (sigma * math.cos(math.radians(angle)))) ** 2)
        columns = weights.sum(0)  # those of a line, seen from the side, whatever its slope
        assert np.abs(columns - ideal / ideal.sum()).max() < 0.05 * columns.max()
        along = t * math.cos(math.radians(angle)) + t[:, None] * math.sin(math.radians(angle))
        assert 0.95 < math.sqrt((weights * along**2).sum()) / sigma < 1.001


def test_lens_weighs_the_area_of_its_aperture() -> None:
    for radius in (20.0, 33.3):
        disk = ready(Lens, radius=radius).total(np.float64)
        assert math.isclose(disk, math.pi * radius**2, rel_tol=1e-3)
        for blades in (3, 6, 9):
            area = blades / 2 * radius**2 * math.sin(2 * math.pi / blades)
            shape = ready(Lens, radius=radius, blades=blades, rotation=11.0)
            assert math.isclose(shape.total(np.float64), area, rel_tol=3e-3)


def test_curved_blades_lie_between_the_polygon_and_the_disk() -> None:
    disk = kernel(Lens, radius=7.2)
    curved = [
        kernel(Lens, radius=7.2, blades=5, rotation=30.0, curvature=k) for k in (0.0, 0.5, 1.0)
    ]
    np.testing.assert_allclose(curved[2], disk, rtol=0, atol=1e-15)
    assert 0.01 < distance(curved[1], disk) < distance(curved[0], disk) - 0.01


def test_the_first_corner_lies_at_the_rotation() -> None:
    for rotation, row, col in [(0.0, 12, 24), (90.0, 24, 12), (180.0, 12, 0), (-90.0, 0, 12)]:
        weights = kernel(Lens, radius=12.0, blades=3, rotation=rotation)
        assert weights[row, col] > 0
        assert weights[24 - row, 24 - col] == 0


@pytest.mark.parametrize("blades", [1, 2, 2.5, 3.5, 0.5])
def test_blades_that_make_no_polygon_are_refused(blades: float) -> None:
    with pytest.raises(InvalidArgument, match=rf"^blades must be 0 .* but is {blades:g}$"):
        Lens(blades=blades)


@pytest.mark.parametrize(
    ("length", "path", "row"),
    [
        (1.0, 0.0, [1]),
        (2.0, 0.0, [0.25, 0.5, 0.25]),
        (5.0, 0.0, [0, 0.2, 0.2, 0.2, 0.2, 0.2, 0]),
        (4.0, 0.0, [0.125, 0.25, 0.25, 0.25, 0.125]),
        (2.0, 1.0, [0, 0, 0.25, 0.5, 0.25]),
        (2.0, -1.0, [0.25, 0.5, 0.25, 0, 0]),
    ],
)
def test_motion_along_the_axes_is_the_line_itself(
    length: float, path: float, row: list[float]
) -> None:
    for angle, turn in [(0, 0), (90, -1), (180, 2), (-90, 1), (360, 0), (-270, -1)]:
        weights = kernel(Motion, length=length, angle=angle, path=path)
        radius = len(weights) // 2
        expected = np.zeros_like(weights)
        expected[radius] = np.pad(row, radius - len(row) // 2)
        np.testing.assert_allclose(weights, np.rot90(expected, turn), rtol=0, atol=1e-16)
        np.testing.assert_array_equal(weights == 0, np.rot90(expected, turn) == 0)


def test_motion_along_the_diagonal_is_its_own_mirror_image() -> None:
    weights = kernel(Motion, length=3 * math.sqrt(2), angle=45.0)
    np.testing.assert_allclose(weights, weights.T, rtol=0, atol=1e-16)
    assert len(weights) == 5
    middle, beside = weights[2, 2], weights[2, 3]
    assert math.isclose(beside / middle, 1 - math.sqrt(0.5), rel_tol=1e-13)
    assert math.isclose(weights[1, 1], middle, rel_tol=1e-13)
    assert weights[2, 4] == weights[0, 0] == 0  # at √8, farther than ½·3·√2 + ½


@pytest.mark.parametrize("path", [-1.0, 0.0, 0.5, 1.0])
@pytest.mark.parametrize("angle", [0.0, 20.0, 45.0, 100.0, 250.0])
def test_motion_has_the_middle_and_the_spread_of_its_line(angle: float, path: float) -> None:
    length = 20.0
    weights = kernel(Motion, length=length, angle=angle, path=path)
    t = np.arange(len(weights)) - len(weights) // 2
    a = math.radians(angle)
    middle = (weights * t).sum(), (weights * t[:, None]).sum()
    expected = 0.5 * path * length * np.array([math.cos(a), math.sin(a)])
    np.testing.assert_allclose(middle, expected, rtol=0, atol=0.02 * length)
    along = t * math.cos(a) + t[:, None] * math.sin(a) - 0.5 * path * length
    spread = math.sqrt((weights * along**2).sum())
    assert math.isclose(spread, length / math.sqrt(12), rel_tol=0.02)


def test_a_motion_of_next_to_nothing_is_next_to_the_identity() -> None:
    for angle in range(0, 360, 5):
        for path in (-1.0, 0.0, 1.0):
            weights = kernel(Motion, length=0.27, angle=angle, path=path)
            assert distance(weights, np.ones((1, 1))) < 0.02


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_directions_are_exact_along_the_axes(dtype: str) -> None:
    quarters = np.arange(-4, 5)
    cos, sin = direction(np.asarray(90 * quarters, dtype), np)
    assert cos.dtype == sin.dtype == dtype
    np.testing.assert_array_equal(cos, [1, 0, -1, 0, 1, 0, -1, 0, 1])
    np.testing.assert_array_equal(sin, [0, 1, 0, -1, 0, 1, 0, -1, 0])
    angles = np.linspace(-360, 360, 1441)
    cos, sin = direction(angles.astype(dtype), np)
    close = {"rtol": 0, "atol": 1e-6 if dtype == "float32" else 1e-14}
    np.testing.assert_allclose(cos, np.cos(np.radians(angles)), **close)
    np.testing.assert_allclose(sin, np.sin(np.radians(angles)), **close)
    _, sin = direction(np.asarray([-1e-6, 1e-6, 1e-30], dtype), np)  # nothing is lost near 0
    np.testing.assert_allclose(sin, np.radians([-1e-6, 1e-6, 1e-30]), rtol=1e-6)


def test_unsharp_mask_adds_what_scipys_gaussian_takes_away(rng: np.random.Generator) -> None:
    image, amount = rng.random((9, 14)), rng.uniform(0, 3, (9, 14))
    blurred = scipy.ndimage.gaussian_filter(image, 1.3, mode="nearest")
    family = UnsharpMask(sigma=np.asarray(1.3), amount=amount)
    expected = image + amount * (image - blurred)
    np.testing.assert_allclose(family.finish(image, blurred), expected, rtol=0, atol=1e-15)
    got = filter_image(image, KernelField(family.linear()), engine="unfold")
    np.testing.assert_allclose(family.finish(image, got), expected, rtol=0, atol=1e-13)
    weights = kernel(UnsharpMask, sigma=1.3, amount=2.5)
    own = np.zeros_like(weights)
    own[5, 5] = 1
    g = kernel(Gaussian, sigma=1.3)
    np.testing.assert_allclose(weights, 3.5 * own - 2.5 * g, rtol=0, atol=1e-15)


@pytest.mark.parametrize("edge", [-0.5, -0.1, -0.05, 0.0, 0.05, 0.1, 0.5])
def test_unsharp_mask_leaves_small_differences_alone_and_makes_no_jump(edge: float) -> None:
    family = UnsharpMask(sigma=2.0, amount=np.asarray([2.0]), threshold=0.1)
    for own, filtered in [(np.asarray([0.5]), np.asarray([0.5 - edge]))]:
        expected = 0.5 + 2 * math.copysign(max(abs(edge) - 0.1, 0), edge)
        np.testing.assert_allclose(family.finish(own, filtered), [expected], rtol=0, atol=1e-15)
        tensors = torch.from_numpy(own), torch.from_numpy(filtered)
        same = UnsharpMask(sigma=2.0, amount=torch.tensor([2.0]).double(), threshold=0.1)
        np.testing.assert_array_equal(same.finish(*tensors), family.finish(own, filtered))


def test_unsharp_mask_of_nothing_is_the_identity_exactly() -> None:
    own = np.array([0.3, -0.0, 1e-40, np.inf, -np.inf, np.nan], np.float32)
    blurred = np.array([0.9, 1.0, 0.5, np.inf, np.nan, np.nan], np.float32)
    nothing = UnsharpMask(amount=np.zeros(6, np.float32))
    assert nothing.finish(own, blurred).tobytes() == own.tobytes()
    strong = UnsharpMask(amount=np.full(6, 7, np.float32), threshold=0.1)
    assert strong.finish(own, own).tobytes() == own.tobytes()
    weights = kernel(UnsharpMask, sigma=2.0, amount=0.0)
    assert weights[8, 8] == 1
    assert np.abs(weights).sum() == 1


def test_unsharp_masks_gain_is_that_of_its_largest_amount(rng: np.random.Generator) -> None:
    assert UnsharpMask(amount=0.2).gain() == 1
    family = UnsharpMask(amount=np.array([[0.5, 3.0]]), threshold=0.05)
    assert family.gain() == 3
    own, filtered, error = rng.random((3, 100, 1))
    moved = np.abs(family.finish(own, filtered + error) - family.finish(own, filtered))
    assert (moved <= 3 * error * (1 + 1e-12)).all()


def test_bilateral_follows_its_equation(rng: np.random.Generator) -> None:
    image, guide = rng.random((7, 13)), rng.random((2, 7, 13))
    space, likeness = rng.uniform(0.3, 1.4, (7, 13)), rng.uniform(0.05, 1, (7, 13))
    expected = np.empty_like(image)
    for row, col in np.ndindex(7, 13):
        radius = int(2 * space[row, col] + 0.5)
        total = weight = 0.0
        for dy in range(-radius, radius + 1):
            for dx in range(-radius, radius + 1):
                at = within(row + dy, 0, 6), within(col + dx, 0, 12)
                apart = ((guide[:, at[0], at[1]] - guide[:, row, col]) ** 2).sum()
                u = math.exp(-(dy**2 + dx**2) / (2 * space[row, col] ** 2))
                u *= math.exp(-apart / (2 * likeness[row, col] ** 2))
                total, weight = total + u * image[at], weight + u
        expected[row, col] = total / weight
    field = KernelField(Bilateral(sigma_space=space, sigma_range=likeness))
    got = filter_image(image, field, guide=guide, engine="unfold")
    np.testing.assert_allclose(got, expected, rtol=0, atol=1e-13)


def test_bilateral_smooths_a_step_without_crossing_it(rng: np.random.Generator) -> None:
    step = np.where(np.arange(30) < 15, 0.2, 0.8) + np.zeros((20, 1))
    noisy = step + rng.normal(0, 0.02, step.shape)
    field = KernelField(Bilateral(sigma_space=3.0, sigma_range=0.1))
    got = filter_image(noisy, field, engine="unfold")
    assert np.abs(got - step).mean() < 0.4 * np.abs(noisy - step).mean()
    blurred = filter_image(noisy, KernelField(Gaussian(sigma=3.0)), engine="unfold")
    assert np.abs(got - step).max() < 0.1 < np.abs(blurred - step).max()


def look(difference: float, dtype: str = "float64", **values: float) -> Any:
    """Give a bilateral's weights before a guide of 1 pixel that differs from all around it."""
    family = ready(Bilateral, dtype, **values)
    t = np.arange(-2, 3).astype(dtype)
    apart = np.full((5, 5), difference, dtype)
    apart[2, 2] = 0
    return family.masked(t[:, None], t[None, :], apart)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_bilaterals_range_goes_from_the_identity_to_the_gaussian(dtype: str) -> None:
    only = np.zeros((5, 5))
    only[2, 2] = 1
    for tiny in (0.0, 1e-30, 1e-3):
        got = look(0.5, dtype, sigma_space=1.0, sigma_range=tiny)
        np.testing.assert_array_equal(got, only)
    wide = look(1e-3, dtype, sigma_space=1.0, sigma_range=10.0)
    np.testing.assert_allclose(wide / wide.sum(), from_loops(2, gauss(1.0)), rtol=0, atol=1e-7)
    assert Bilateral(sigma_space=5.0, sigma_range=0.0).reach() == 0
    assert Bilateral(sigma_space=5.0, sigma_range=1e-9).reach() == 10
    np.testing.assert_array_equal(
        Bilateral(sigma_space=np.array([5.0, 5.0]), sigma_range=np.array([0.0, 0.1])).reaches(),
        [0, 10],
    )
