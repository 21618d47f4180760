"""Depth of field with occlusion: against scenes traced ray by ray, and what must hold exactly."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import numpy as np
import pytest
from conftest import assert_parity
from scenes import Plane, View, mask, texture, view
from scipy.ndimage import gaussian_filter

from svfilter.defocus import Highlights
from svfilter.errors import InvalidArgument
from svfilter.occlusion import defocus, margin

HEIGHT, WIDTH, BAND = 64, 84, 10

EVERYWHERE = mask(HEIGHT, WIDTH, lambda y, x: abs(x) >= 0)
DISK = mask(HEIGHT, WIDTH, lambda y, x: np.hypot(y, x) < 19)
EDGE = mask(HEIGHT, WIDTH, lambda y, x: x + 0.3 * y < 5)
BARS = mask(HEIGHT, WIDTH, lambda y, x: (abs((x + 0.35 * y) % 22 - 11) < 5) & (abs(y) < 20))
STAR = mask(HEIGHT, WIDTH, lambda y, x: np.hypot(y, x) < 16 + 8 * np.cos(5 * np.arctan2(y, x)))

GROUND, MIDDLE, OBJECT = (0.2, 0.3, 0.55), (0.25, 0.65, 0.3), (0.85, 0.55, 0.25)
SCENES = {
    # name: (colour, mask, confusion, depth) of each plane
    **{
        f"{kind} {name}": [(GROUND, EVERYWHERE, behind, 0.0), (OBJECT, shape, before, 1.0)]
        for kind, behind, before in [
            ("sharp before blurred", 8.0, 0.0),
            ("blurred before sharp", 0.0, -8.0),
            ("both blurred", 4.0, -8.0),
        ]
        for name, shape in [("bars", BARS), ("star", STAR)]
    },
    "focus in the middle of three": [
        (GROUND, EVERYWHERE, 7.0, 0.0), (MIDDLE, EDGE, 0.0, 0.5), (OBJECT, DISK, -7.0, 1.0),
    ],
    "focus between three": [
        (GROUND, EVERYWHERE, 9.0, 0.0), (MIDDLE, EDGE, 3.0, 0.5), (OBJECT, DISK, -6.0, 1.0),
    ],
}  # fmt: skip


@cache
def seen(name: str) -> View:
    rng = np.random.default_rng(1)
    planes = [
        Plane(colour=texture(rng, HEIGHT, WIDTH, mean=mean), mask=shape, confusion=c, depth=z)
        for mean, shape, c, z in SCENES[name]
    ]
    return view(planes, samples=300)


def taps(radius: np.ndarray) -> Iterator[tuple[int, int, np.ndarray]]:
    """Give offsets and the weights of every pixel's disk there, before they are normalised."""
    reach = int(radius.max()) + 1
    for dy, dx in np.argwhere(np.ones((2 * reach + 1, 2 * reach + 1))) - reach:
        weight = (radius + 0.5 - np.hypot(dy, dx)).clip(0, 1)
        yield dy, dx, np.where(radius < 0.5, float(dy == dx == 0), weight)


def scatter(planes: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """Spread every pixel over its disk: out(p + d) = Σ w(d; r(p)) · x(p) / Σ w, in float64."""
    height, width = radius.shape
    share = planes / sum(weight for _, _, weight in taps(radius))
    out = np.zeros_like(share)
    for dy, dx, weight in taps(radius):
        if weight.any() and abs(dy) < height and abs(dx) < width:
            to = [slice(max(d, 0), n + min(d, 0)) for d, n in ((dy, height), (dx, width))]
            of = [slice(max(-d, 0), n - max(d, 0)) for d, n in ((dy, height), (dx, width))]
            out[:, to[0], to[1]] += (share * weight)[:, of[0], of[1]]
    return out.astype(planes.dtype)


def plain(image: np.ndarray, radius: np.ndarray) -> np.ndarray:
    spread = scatter(np.concatenate([image, np.ones_like(image[:1])]), radius)
    return spread[:-1] / spread[-1]


def gather(image: np.ndarray, radius: np.ndarray) -> np.ndarray:
    reach = int(radius.max()) + 1
    wide = np.pad(image, [(0, 0), (reach, reach), (reach, reach)], mode="edge")
    sums, total = np.zeros_like(image), np.zeros_like(radius)
    for dy, dx, weight in taps(radius):
        y, x = reach + dy, reach + dx
        sums += weight * wide[:, y : y + radius.shape[0], x : x + radius.shape[1]]
        total += weight
    return sums / total


def run(image: np.ndarray, radius: np.ndarray, depth: np.ndarray, **options: object) -> np.ndarray:
    given = {"scatter": scatter, "depth_range": (0.0, 1.0), **options}
    return defocus(*(np.asarray(v, np.float32) for v in (image, radius, depth)), **given)


def errors(result: np.ndarray, scene: View) -> tuple[float, float]:
    """Give the RMS and the largest error in the band around the silhouettes."""
    off = (result - scene.truth)[:, scene.near_silhouettes(BAND)]
    return float(np.sqrt(np.mean(off**2))), float(abs(off).max())


def rough(rng: np.random.Generator, height: int, width: int) -> tuple[np.ndarray, ...]:
    """Make an image, radii of 0 to 6 and depths that jump from block to block."""
    blocks = rng.random((-(-height // 5), -(-width // 5)))
    depth = blocks.repeat(5, axis=0).repeat(5, axis=1)[:height, :width]
    depth = 0.9 * depth + 0.1 * rng.random((height, width))
    return rng.random((3, height, width)), 10 * abs(depth - 0.4), depth


@pytest.mark.parametrize("name", SCENES)
def test_scene_is_three_times_closer_to_the_truth_than_gather(name: str) -> None:
    scene = seen(name)
    rms, _ = errors(run(scene.pinhole, scene.radius, scene.depth), scene)
    by_gather, _ = errors(gather(scene.pinhole, scene.radius), scene)
    assert rms < 0.016
    assert rms < by_gather / 3


@pytest.mark.parametrize("name", [name for name in SCENES if "three" not in name])
def test_no_pixel_is_far_from_the_truth(name: str) -> None:
    scene = seen(name)
    _, worst = errors(run(scene.pinhole, scene.radius, scene.depth), scene)
    assert worst < 0.2


@pytest.mark.parametrize("name", [name for name in SCENES if "star" in name])
@pytest.mark.parametrize("smear", [0.5, 1.0, 1.5])
def test_soft_silhouettes_of_the_depth_cost_little(name: str, smear: float) -> None:
    scene = seen(name)
    soft = gaussian_filter(scene.depth, smear)
    (_, _, behind, _), (_, _, before, _) = SCENES[name]
    result = run(scene.pinhole, abs(behind + soft * (before - behind)), soft)
    rms, _ = errors(result, scene)
    hard, _ = errors(run(scene.pinhole, scene.radius, scene.depth), scene)
    assert rms < 1.35 * hard


def test_blurred_edge_is_the_share_of_the_lens_that_it_hides() -> None:
    depth = np.zeros((40, 60))
    depth[:, :30] = 1
    radius = 7 * depth
    colours = np.array([[0.9, 0.1], [0.5, 0.5], [0.2, 0.4]])[..., None, None]
    image = np.where(depth, colours[:, 0], colours[:, 1])
    cover = scatter(depth[None], radius)
    result = run(image, radius, depth)[:, 10:-10, 10:]
    expected = (colours[:, 1] + cover * (colours[:, 0] - colours[:, 1]))[:, 10:-10, 10:]
    assert_parity(result, expected, maximum=2e-6)
    soft = cover[0, 20, 25:35]
    assert ((soft > 0.02) & (soft < 0.98)).all()


@pytest.mark.parametrize("nearer", [1.0, 0.13])
def test_sharp_object_gives_nothing_to_the_ground(rng: np.random.Generator, nearer: float) -> None:
    inside = np.zeros((30, 40), bool)
    inside[8:20, 10:25] = True
    ground = 0.2 + 0.05 * rng.random((3, 30, 40))
    dark, bright = (
        run(np.where(inside, c, ground), np.where(inside, 0, 6), nearer * inside)
        for c in (0.0, 1.0)
    )
    assert abs(dark - bright)[:, ~inside].max() < 0.02
    assert (bright[:, inside] > 0.98).all()
    assert (dark[:, inside] < 0.02).all()


def test_sharp_object_of_the_same_colours_keeps_its_edge(rng: np.random.Generator) -> None:
    depth = np.zeros((30, 40))
    depth[8:20, 10:25] = 1
    image = 0.5 + 0.02 * rng.standard_normal((3, 30, 40))
    result = run(image, 6 * (1 - depth), depth)
    off = (result - image)[:, depth == 1]
    assert np.sqrt(np.mean(off**2)) < 0.006


def test_behind_an_object_surfaces_are_not_mixed() -> None:
    depth = np.zeros((30, 45))
    depth[:, 20:] = 0.5
    depth[:, 18:25] = 1
    radius = np.where(depth == 1, 4, 0)
    image = np.select([depth == 1, depth == 0.5], [0.0, 1.0], 0.2)[None]
    cover = scatter((depth == 1.0)[None] * 1.0, radius)
    behind = run(image, radius, depth) / (1 - cover)  # the object itself is black
    inner = behind[0, 8:-8, 15:28]
    assert (abs(inner[..., None] - [0.2, 1.0]).min(axis=-1) < 1e-4).all()


def test_dark_hair_of_a_blurred_object_leaves_no_specks_on_the_ground() -> None:
    depth = np.zeros((40, 60))
    depth[:, :30] = 1
    image = np.where(depth, np.reshape([0.8, 0.5, 0.3], (3, 1, 1)), 0.4)
    image[:, 5::6, 29] = [[0.2], [0.1], [0.05]]  # no mixture of the two
    result = run(image, 7 * depth, depth)[:, 10:-10]
    assert abs(np.diff(result[:, :, 29:32], axis=1)).max() < 0.02


@pytest.mark.parametrize(("own", "around"), [(0.0, 1.0), (1.0, 0.0)])
def test_lone_pixel_is_parted_from_what_is_around_it(own: float, around: float) -> None:
    depth = np.full((31, 31), around)
    depth[15, 15] = own
    image = np.full((1, 31, 31), 0.4)
    image[:, 15, 15] = 0.9
    result = run(image, np.full((31, 31), 2.0), depth)
    assert ((result > 0.4 - 1e-6) & (result < 0.9)).all()
    assert_parity(result[:, :8], image[:, :8], maximum=1e-6)


def test_parted_pixels_add_up_to_what_they_were(rng: np.random.Generator) -> None:
    image, _, depth = rough(rng, 23, 31)
    just_blurred = np.full(depth.shape, 0.5)  # so that silhouettes are parted: yet of one tap
    assert_parity(run(image, just_blurred, depth), image, maximum=1e-6)


def test_sharp_pixels_are_untouched_out_of_reach(rng: np.random.Generator) -> None:
    image, _, depth = rough(rng, 40, 50)
    radius = np.zeros((40, 50))
    radius[:, 40:] = 5
    result = run(image, radius, depth)
    assert np.array_equal(result[..., : 40 - 6 - 4], image.astype(np.float32)[..., : 40 - 6 - 4])


@pytest.mark.parametrize("size", [(1, 1), (7, 13), (60, 5), (23, 31)])
def test_constant_image_stays(rng: np.random.Generator, size: tuple[int, int]) -> None:
    _, radius, depth = rough(rng, *size)
    image = np.full((2, *size), 0.7)
    assert_parity(run(image, radius, depth), image, maximum=1e-6)


@pytest.mark.parametrize("focus", [0.0, 0.5, 1.0])
def test_slanted_surface_stays_whole(rng: np.random.Generator, focus: float) -> None:
    depth = np.broadcast_to(np.linspace(0, 1, 90), (40, 90))
    radius = 9 * abs(depth - focus)
    image = gaussian_filter(rng.random((2, 40, 90)), (0, 1, 1))
    inner = np.s_[:, 10:-10, 10:-10]
    assert_parity(run(image, radius, depth)[inner], plain(image, radius)[inner], maximum=3e-3)


def test_one_layer_of_depth_is_plain_scatter(rng: np.random.Generator) -> None:
    image, radius, _ = rough(rng, 23, 31)
    depth = np.full(radius.shape, 3.0)
    result = run(image, radius, depth, depth_range=(3.0, 3.0))
    assert_parity(result, plain(image, radius), maximum=1e-6)


@pytest.mark.parametrize("largest", [2.4, 6.0])
@pytest.mark.parametrize("axis", [1, 2])
def test_part_of_an_image_gives_what_the_whole_gives(
    rng: np.random.Generator, largest: float, axis: int
) -> None:
    image, radius, depth = rough(rng, 90, 90)
    given = image, radius.clip(0, largest)[None], gaussian_filter(depth, 0.7)[None]
    around, start = margin(largest), 50

    def cut(off: int) -> np.ndarray:
        part = np.take(np.concatenate(given), range(start - off, 90), axis=axis)
        return np.take(run(part[:3], part[3], part[4]), range(off, off + 90 - start), axis=axis)

    assert_parity(cut(around), cut(start), maximum=1e-6)
    assert abs(cut(around // 3) - cut(start)).max() > 1e-5


def test_unit_of_depth_does_not_matter(rng: np.random.Generator) -> None:
    image, radius, depth = rough(rng, 23, 31)
    depth = depth.astype(np.float32)
    there = run(image, radius, 1024 * depth - 512, depth_range=(-512, 512))
    assert_parity(there, run(image, radius, depth), maximum=1e-5)


def test_inputs_are_left_alone(rng: np.random.Generator) -> None:
    given = [values.astype(np.float32) for values in rough(rng, 23, 31)]
    kept = [values.copy() for values in given]
    defocus(*given, scatter=scatter, depth_range=(0, 1))
    assert all(np.array_equal(a, b) for a, b in zip(given, kept, strict=True))


@pytest.mark.parametrize(
    ("shapes", "layers", "complaint"),
    [
        (([3, 4, 5], [4, 5], [5, 4]), 16, r"must be \[C, H, W\].*\[5, 4\]"),
        (([4, 5], [4, 5], [4, 5]), 16, r"must be \[C, H, W\]"),
        (([3, 4, 5], [4, 5], [4, 5]), 1, "layers must be 2 or more, but is 1"),
    ],
)
def test_wrong_arguments_are_refused(
    shapes: tuple[list[int], ...], layers: int, complaint: str
) -> None:
    with pytest.raises(InvalidArgument, match=complaint):
        run(*(np.zeros(shape) for shape in shapes), layers=layers)


def test_highlights_leave_what_is_sharp_as_it_is() -> None:
    colours = np.full((3, 1, 4), 0.9, np.float32)
    flared = Highlights(threshold=0.5, gain=3).flare(colours, np.float32([[0, 0.5, 1, 9]]))
    np.testing.assert_allclose(flared[0, 0], [0.9, 0.9, 0.9 * 2.5, 0.9 * 4], rtol=1e-6)
