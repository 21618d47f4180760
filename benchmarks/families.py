"""Rows on the kernel families other than the Gaussian: arrays in memory, and files."""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import peers
from arrays import THREE, TWELVE, maps
from pictures import files, photograph
from PIL import Image, ImageDraw
from processes import ROUNDED, read, watch
from table import Figure, Goal, Row, Setting, at_most, in_turn

from svfilter.bench import TOLERANCE, Red, intensity, luma, rough, smooth
from svfilter.engines.base import ROUNDING, Mode
from svfilter.field import KernelField
from svfilter.functional import filter_image
from svfilter.kernels.base import Family
from svfilter.kernels.bilateral import Bilateral
from svfilter.kernels.box import Box
from svfilter.kernels.elliptical import Elliptical
from svfilter.kernels.lens import Lens
from svfilter.kernels.moffat import Moffat
from svfilter.kernels.motion import Motion
from svfilter.kernels.stored import Grid
from svfilter.kernels.triangle import Triangle
from svfilter.kernels.unsharp import UnsharpMask
from svfilter.maps import Channel, Focus
from svfilter.occlusion import defocus, margin
from svfilter.pipeline import filter_file
from svfilter.tiles import Window

ELLIPSE = {"x": 16, "y": 4}
"""The largest sigmas, along the angle and across it, of what is compared with ImageMagick."""
RADIUS = 24
"""The largest of a lens."""
CROP = (2, 16)
"""Height and width of a place: wide as a vector register,"""
PLACES, DEAR_PLACES = 8, 3
"""and the number of such places beside the corners, or alone where they cost more."""

Choose = Callable[[np.ndarray], dict[str, Family]]
"""Gives families by the names of their maps, for an image."""


def checked(
    image: np.ndarray,
    family: Family,
    *,
    mode: Mode = "gather",
    guide: np.ndarray | None = None,
    tolerance: float = 0.0,
) -> Callable[[], np.ndarray]:
    """Give a run of ours that is proven right; it has run once, and so is compiled."""
    run = partial(
        filter_image,
        image,
        KernelField(family),
        mode=mode,
        normalise="weights" if mode == "scatter" else "energy",
        guide=guide,
        tolerance=tolerance,
    )
    exact = partial(scattered, image, family)
    if mode == "gather":
        exact = partial(gathered, image, family, guide=image if guide is None else guide)
    limit = 2 * ROUNDING if mode == "scatter" else max(ROUNDING * family.gain(), tolerance)
    check(run(), exact, limit)
    return run


def against_one_kernel(setting: Setting, *, choose: Choose, mode: Mode) -> Iterator[Figure]:
    """Compare with OpenCV's filter2D, with the family's largest kernel at every pixel."""
    image = photograph(*setting.size(*TWELVE))
    for name, family in choose(image).items():
        run = checked(image, family, mode=mode)
        largest = KernelField(family).ends()[1]
        peer = peers.opencv_filter(image, kernel(largest))
        exact = partial(gathered, image, largest)
        check(peer().transpose(2, 0, 1), exact, 10 * ROUNDING)
        pairs = in_turn(run, peer, setting.rounds(3))
        yield Figure(f"{name} {pairs.ratio:.2f} ({pairs})", pairs.ratio)


def against_bilateral(setting: Setting, *, joint: bool) -> Iterator[Figure]:
    """Compare with OpenCV's bilateral filter, which has no joint one."""
    image = photograph(*setting.size(*THREE))
    family = Bilateral(sigma_space=5.0, sigma_range=0.1)
    run = checked(image, family, guide=intensity(image)[None] if joint else None)
    peer = peers.opencv_bilateral(image, reach=family.reach(), sigma_space=5, sigma_range=0.1)
    peer()
    pairs = in_turn(run, peer, setting.rounds(3))
    yield Figure(
        f"{pairs.ratio:.2f} ({pairs}; OpenCV takes a round window, not a square, and adds up the "
        "colours' absolute differences, not their squares)",
        pairs.ratio,
    )


def against_sharpen(setting: Setting) -> Iterator[Figure]:
    """Compare with OpenCV's Gaussian and a weighted sum."""
    image = photograph(*setting.size(*TWELVE))
    peer = peers.opencv_sharpen(image, sigma=2, amount=1)
    peer()
    levels = {"everywhere": np.float32(1), **maps(image)}
    for name, level in levels.items():
        family = UnsharpMask(sigma=2 * level, amount=1.0)
        run = checked(image, family, tolerance=TOLERANCE)
        pairs = in_turn(run, peer, setting.rounds(5))
        yield Figure(f"{name} {pairs.ratio:.2f} ({pairs})", pairs.ratio)


def lens_files(setting: Setting) -> Iterator[Figure]:
    """Compare with GEGL's lens blur; each in linear light, by the same radii."""
    photo, levels = files(setting.folder, *setting.size(1000, 1000))
    out, peer_out = (photo.with_name(f"{name}.png") for name in ("ours", "peer"))
    command = [sys.executable, "-m", "svfilter", "lens", str(photo), str(out), "--linear"]
    command += ["--radius", f"{RADIUS}", "--radius-map", str(levels)]
    watch(command)
    grey = np.asarray(Image.open(levels)).astype(np.float64) / 255
    light = peers.to_linear(read(photo).astype(np.float64))
    exact = partial(scattered, light, Lens(radius=RADIUS * grey))
    check(read(out), lambda crop: peers.to_encoded(exact(crop)), TOLERANCE + ROUNDED)
    peer = peers.gegl_lens(photo, levels, peer_out, RADIUS)
    ratio, told = _beside(setting, command, peer)
    yield Figure(f"{told}; the two differ by {_apart(out, peer_out)})", ratio)


def elliptical_files(setting: Setting) -> Iterator[Figure]:
    """Compare with ImageMagick's elliptical weighted average; the angles have the same sign."""
    size = setting.size(1000, 1000)
    photo, _ = files(setting.folder, *size)
    out, peer_out, map_ = (photo.with_name(f"{name}.png") for name in ("ours", "peer", "ellipses"))
    levels = np.clip(1.5 * smooth(*size) - 0.5, 0, 1)
    colours = np.stack([levels, levels[::-1], smooth(*size)[:, ::-1]], axis=-1)
    Image.fromarray(np.rint(255 * colours).astype(np.uint8)).save(map_)
    command = [sys.executable, "-m", "svfilter", "blur", str(photo), str(out)]
    command += [f"--sigma-{axis}={sigma}" for axis, sigma in ELLIPSE.items()]
    command += ["--angle=180", "--angle-min=0", f"--ellipse-map={map_}"]
    watch(command)
    x, y, turn = read(map_)
    family = Elliptical(sigma_x=ELLIPSE["x"] * x, sigma_y=ELLIPSE["y"] * y, angle=180 * turn)
    check(read(out), partial(gathered, read(photo), family), TOLERANCE + ROUNDED)
    peer = peers.imagemagick_ellipses(photo, map_, peer_out, **ELLIPSE)
    ratio, told = _beside(setting, command, peer)
    least = np.minimum(family.sigma_x, family.sigma_y)
    yield Figure(
        f"{told}; the two differ by {_apart(out, peer_out, least >= 0.5)} where both sigmas are "
        f"0.5 or more, {_apart(out, peer_out, least < 0.5)} elsewhere: ImageMagick knows no "
        "sigma below 0.5, and rounds down to 8 bits)",
        ratio,
    )


def _beside(setting: Setting, command: list[str], peer: list[str]) -> tuple[float, str]:
    """Run ours and a peer in turn; give the ratio, and how it is told."""
    pairs = [(watch(command).wall, watch(peer, **peers.GEGL_ENVIRONMENT).wall)
             for _ in range(setting.rounds(3))]  # fmt: skip
    mine, theirs = (statistics.median(side) for side in zip(*pairs, strict=True))
    ratio = statistics.median(a / b for a, b in pairs)
    return ratio, f"{ratio:.2f} ({mine:.3g} s against {theirs:.3g} s, rounds: {len(pairs)}"


def _apart(one: Path, other: Path, where: np.ndarray | None = None) -> str:
    """Say how far two images of 8 bits differ, everywhere or at some pixels [H, W]."""
    off = 255 * (read(one).astype(np.float64) - read(other))
    off = off if where is None else off[:, where]
    psnr = 10 * np.log10(255**2 / (off**2).mean())
    largest, mean = np.abs(off).max(), np.abs(off).mean()
    return f"{largest:.0f}/255 at most, {mean:.2f}/255 in the mean, PSNR {psnr:.1f} dB"


def occlusion(setting: Setting) -> Iterator[Figure]:
    """Time depth of field that respects what is in front, and the same without."""
    size = setting.size(*TWELVE)
    photo, _ = files(setting.folder, *size)
    out, depth = (photo.with_name(f"{name}.png") for name in ("ours", "depth"))
    Image.fromarray(shapes(*size)).save(depth)
    focus = Focus("radius", Channel(str(depth)), focus=0.5, aperture=2 * RADIUS, max_radius=RADIUS)
    arguments = str(photo), str(out), Lens, [focus]
    run = partial(filter_file, *arguments, mode="scatter", normalise="weights")
    hiding = partial(run, occlusion=True)
    hiding()
    nearness = (luma(read(depth)) - np.float32(0.5)) * np.float32(2 * RADIUS)
    exact = partial(hidden, read(photo), nearness, (-RADIUS, RADIUS))
    edges = np.argwhere(np.abs(np.diff(nearness)) > RADIUS / 2)
    check(read(out), exact, TOLERANCE + ROUNDED, among=edges)
    run()
    exact = partial(scattered, read(photo), Lens(radius=np.abs(nearness)))
    check(read(out), exact, TOLERANCE + ROUNDED)
    pairs = in_turn(hiding, run, setting.rounds(3))
    yield Figure(f"{pairs.ratio:.2f} ({pairs})", pairs.ratio)


def sized(family: type[Family], name: str, largest: float, **others: float) -> Choose:
    """Let one parameter follow a smooth map, and the photograph's intensity."""

    def choose(image: np.ndarray) -> dict[str, Family]:
        levels = {key: maps(image)[key] for key in ("smooth", "intensity")}
        return {
            key: family(**{name: level * np.float32(largest)}, **others)
            for key, level in levels.items()
        }

    return choose


def ellipses(image: np.ndarray) -> dict[str, Family]:
    """Let sigmas follow a smooth map, and angles be any, from pixel to pixel."""
    size = image.shape[1:]
    level, angle = smooth(*size), np.float32(180) * rough(*size)
    family = Elliptical(sigma_x=np.float32(8) * level, sigma_y=np.float32(3) * level, angle=angle)
    return {"smooth sigmas, rough angles": family}


def grid(image: np.ndarray) -> dict[str, Family]:
    """Make 5 x 5 kernels of 25 x 25, as of stars that a lens draws out towards the corners."""
    nodes = np.empty((5, 5, 25, 25))
    for row, column in np.ndindex(5, 5):
        y, x = row - 2, column - 2
        long, turn = 1 + float(np.hypot(y, x)) / 2, float(np.degrees(np.arctan2(y, x)))
        star = kernel(Elliptical(sigma_x=long, sigma_y=1.0, angle=turn))
        nodes[row, column] = np.pad(star, 12 - len(star) // 2)
    rows, cols = (np.linspace(0, 4, side, dtype=np.float32) for side in image.shape[1:])
    row, column = np.meshgrid(rows, cols, indexing="ij")
    return {"5 x 5 nodes": Grid(kernels=nodes, row=row, column=column)}


def shapes(height: int, width: int) -> np.ndarray:
    """Give a depth [H, W] of 8 bits: ellipses, each nearer than those that it hides."""
    depth = Image.new("L", (width, height))
    draw = ImageDraw.Draw(depth)
    rng = np.random.default_rng(6)
    for level in range(5, 256, 5):
        y, x = rng.random(2) * (height, width)
        b, a = (0.05 + 0.2 * rng.random(2)) * height
        draw.ellipse((x - a, y - b, x + a, y + b), fill=level)
    return np.asarray(depth)


def check(
    result: np.ndarray,
    exact: Callable[[Window], np.ndarray],
    limit: float,
    *,
    among: np.ndarray | None = None,
) -> float:
    """Give the largest error seen in the corners and at random places, or at some among others.

    Args:
        result: [C, H, W].
        exact: gives what a crop of it should be.
        limit: the error allowed.
        among: candidates [n, 2] for a few places, where that costs more: rows and columns.

    Raises:
        Red: the error is over the limit, or some value is NaN.
    """
    size = [min(c, s) for c, s in zip(CROP, result.shape[1:], strict=True)]
    last = [s - c for s, c in zip(result.shape[1:], size, strict=True)]
    rng = np.random.default_rng(7)
    if among is None:
        places = [(y, x) for y in (0, last[0]) for x in (0, last[1])]
        places += rng.integers(0, last, (PLACES, 2), endpoint=True).tolist()
    else:
        places = np.minimum(rng.choice(among, DEAR_PLACES), last).tolist()
    crops = [Window(*place, *size) for place in places]
    worst = np.max([np.abs(exact(c) - result[:, c.rows, c.cols]).max() for c in crops])
    if not worst <= limit:
        raise Red(f"RED: error {worst:.2g} is over {limit:.2g}")
    return float(worst)


def kernel(family: Family) -> np.ndarray:
    """Give the weights [k, k] of a family whose parameters are numbers."""
    field = KernelField(family).transform(partial(np.asarray, dtype=np.float64))
    d = np.arange(-field.reach, field.reach + 1, dtype=np.float64)
    return np.asarray(field.family.weights(d[:, None], d))


def gathered(
    image: np.ndarray, family: Family, crop: Window, *, guide: np.ndarray | None = None
) -> np.ndarray:
    """Give a crop [C, h, w] of the image, each pixel the sum over its own kernel."""
    own = KernelField(family).window(crop).transform(partial(np.asarray, dtype=np.float64))
    reach = own.reach
    size = (2 * reach + 1, 2 * reach + 1)

    def seen(planes: np.ndarray) -> np.ndarray:
        around = _around(planes, crop, reach)
        views = np.lib.stride_tricks.sliding_window_view(around, size, axis=(1, 2))
        return views.transpose(0, 3, 4, 1, 2)  # [n, k, k, h, w]

    looked_at = seen(guide) if own.family.guided and guide is not None else ()
    differences = [plane - plane[reach, reach] for plane in looked_at]
    d = np.arange(-reach, reach + 1, dtype=np.float64)
    u = own.family.masked(d[:, None, None, None], d[:, None, None], *differences)
    weights = np.broadcast_to(u, (*size, *crop[2:]))
    if own.family.normalised:
        weights = weights / weights.sum(axis=(0, 1))
    return np.einsum("ijhw,cijhw->chw", weights, seen(image))


def scattered(image: np.ndarray, family: Family, crop: Window) -> np.ndarray:
    """Give a crop [C, h, w] of the light that all pixels spread, by that of an image of ones."""
    reach = family.reach()

    def around(values: np.ndarray) -> np.ndarray:
        return _around(values, crop, reach) if np.ndim(values) else np.float64(values)

    planes = around(np.concatenate([image, np.ones_like(image[:1])]))
    light = spread(planes, KernelField(family).transform(around).family, reach)
    return light[:-1] / light[-1]


def spread(planes: np.ndarray, family: Family, reach: int) -> np.ndarray:
    """Let every pixel of [n, H, W] spread its light; give what arrives at least reach inside."""
    height, width = (side - 2 * reach for side in planes.shape[-2:])
    out = np.zeros((len(planes), height, width))
    total = family.total(np.float64)
    d = np.arange(-reach, reach + 1)
    for dy in d:
        weights = family.masked(np.float64(dy), d.astype(np.float64)[:, None, None]) / total
        rows = slice(reach - dy, reach - dy + height)
        for dx, weight in zip(d, weights, strict=True):
            cols = slice(reach - dx, reach - dx + width)
            out += weight[rows, cols] * planes[:, rows, cols]
    return out


def hidden(
    image: np.ndarray, nearness: np.ndarray, depth_range: tuple[float, float], crop: Window
) -> np.ndarray:
    """Give a crop [C, h, w] of depth of field with occlusion, its light spread in float64.

    Args:
        image: [C, H, W].
        nearness: [H, W], signed radii, larger where nearer.
        depth_range: its ends.
        crop: which pixels.
    """
    inset = margin(max(map(abs, depth_range)))
    pixels, depth = (_around(values, crop, inset) for values in (image, nearness))

    def scatter(planes: np.ndarray, radii: np.ndarray) -> np.ndarray:
        own = Lens(radius=np.float64(radii))
        reach = own.reach()
        border = [(reach, reach)] * 2
        own = Lens(radius=np.pad(own.radius, border))
        return spread(np.pad(planes, [(0, 0), *border]), own, reach)

    made = defocus(pixels, abs(depth), depth, scatter=scatter, depth_range=depth_range)
    return made[:, inset:-inset, inset:-inset]


def _around(values: np.ndarray, crop: Window, reach: int) -> np.ndarray:
    """Give what is around a crop of [..., H, W]; beyond the border goes on what is there."""
    rows = crop.row_off + np.arange(-reach, crop.height + reach)
    cols = crop.col_off + np.arange(-reach, crop.width + reach)
    rows, cols = (at.clip(0, n - 1) for at, n in zip((rows, cols), values.shape[-2:], strict=True))
    return values[..., rows, :][..., cols].astype(np.float64)


def _against_opencv(
    title: str, choose: Choose, goal: Goal | None = None, mode: Mode = "gather"
) -> Row:
    what = f"{title}, 12 MP: time by that of OpenCV's filter2D, the largest kernel everywhere"
    return Row(what, goal, partial(against_one_kernel, choose=choose, mode=mode))


LENS = sized(Lens, "radius", RADIUS)

ROWS = [
    _against_opencv(f"lens, radius 0..{RADIUS}, scatter", LENS, at_most(3, 1, "{:.2f}"), "scatter"),
    _against_opencv(f"lens, radius 0..{RADIUS}, gather", LENS),
    Row(
        "bilateral, sigma 5 and 0.1, 3 MP: time by that of OpenCV, all else equal",
        at_most(2, 1, "{:.2f}"),
        partial(against_bilateral, joint=False),
    ),
    Row(
        "bilateral with a grey guide, sigma 5 and 0.1, 3 MP: time by that of OpenCV without one",
        None,
        partial(against_bilateral, joint=True),
    ),
    _against_opencv("motion, length 0..31, 30 degrees", sized(Motion, "length", 31, angle=30.0)),
    _against_opencv("moffat, fwhm 0..6", sized(Moffat, "fwhm", 6)),
    _against_opencv("box, radius 0..16", sized(Box, "radius", 16)),
    _against_opencv("triangle, radius 0..16", sized(Triangle, "radius", 16)),
    _against_opencv("elliptical, sigma 0..8 and 0..3", ellipses),
    _against_opencv("grid of stored kernels, 25 x 25", grid),
    Row(
        "unsharp, sigma 2 or up to it, 12 MP, within 0.5/255: time by that of OpenCV's Gaussian "
        "and sum",
        None,
        against_sharpen,
    ),
    Row(
        f"`lens --linear --radius-map --radius {RADIUS}`, 1 MP PNG: time by that of GEGL's "
        "lens-blur",
        None,
        lens_files,
    ),
    Row(
        "`blur --ellipse-map`, sigma 0..16 and 0..4, 1 MP PNG: time by that of ImageMagick's "
        "`-compose Blur`",
        None,
        elliptical_files,
    ),
    Row(
        f"lens, radius 0..{RADIUS}, 12 MP PNG: time with --occlusion by that without",
        None,
        occlusion,
    ),
]
