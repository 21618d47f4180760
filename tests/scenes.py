"""Scenes of textured planes seen through a thin lens: the truth for depth of field."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

FINE = 8
"""Positions to a pixel, each way, at which a plane is known."""
MARGIN = 14
"""How far planes go on beyond the picture, in pixels."""


@dataclass(frozen=True, kw_only=True)
class Plane:
    """A textured plane parallel to the picture; rays pass where its mask is False.

    A ray through the pinhole's image at p and the point u of the lens, |u| ≤ 1, meets it at
    p + confusion · u: positive behind the focus, negative before it, in pixels.
    """

    colour: np.ndarray  # [FINE, FINE, C, h, w]: by position within the pixel, MARGIN around
    mask: np.ndarray  # [FINE, FINE, h, w]
    confusion: float
    depth: float  # larger is nearer


@dataclass(frozen=True, kw_only=True)
class View:
    """What a pinhole sees of a scene, and what a lens does."""

    pinhole: np.ndarray  # [C, H, W]
    radius: np.ndarray  # [H, W], of the plane seen at each pixel's centre
    depth: np.ndarray  # [H, W]
    truth: np.ndarray  # [C, H, W]

    def near_silhouettes(self, reach: int) -> np.ndarray:
        """Say which pixels have another depth within a distance, and are as far from the border."""
        height, width = self.depth.shape
        rows, cols = np.mgrid[reach : height - reach, reach : width - reach]
        own = self.depth[rows, cols]
        near = np.zeros_like(self.depth, bool)
        for dy, dx in np.argwhere(np.ones((2 * reach + 1, 2 * reach + 1))) - reach:
            if np.hypot(dy, dx) <= reach:
                near[rows, cols] |= self.depth[rows + dy, cols + dx] != own
        return near


def view(planes: Sequence[Plane], *, samples: int) -> View:
    """Look at planes by brute force: each sample is one ray of every pixel."""
    planes = sorted(planes, key=lambda plane: -plane.depth)  # the nearest first
    # Points of the unit hypercube, spread evenly (Roberts 2018, R sequence of 4 dimensions).
    ratio = 1.1673039782614187
    points = (0.5 + np.arange(1, samples + 1)[:, None] / ratio ** np.arange(1, 5)) % 1
    radius, angle = np.sqrt(points[:, :1]), 2 * np.pi * points[:, 1:2]
    lens = radius * np.concatenate([np.sin(angle), np.cos(angle)], axis=1)
    within = points[:, 2:] - 0.5
    sharp = sum(_trace(planes, at, np.zeros(2))[0] for at in within) / samples
    truth = sum(_trace(planes, at, u)[0] for at, u in zip(within, lens, strict=True)) / samples
    _, seen = _trace(planes, np.zeros(2), np.zeros(2))
    confusions, depths = np.array([(plane.confusion, plane.depth) for plane in planes]).T
    return View(pinhole=sharp, radius=abs(confusions)[seen], depth=depths[seen], truth=truth)


def _trace(
    planes: Sequence[Plane], within: np.ndarray, u: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Follow one ray of every pixel; give the colours met, and which plane it was."""
    height, width = (side - 2 * MARGIN for side in planes[0].mask.shape[-2:])
    colour = np.zeros((planes[0].colour.shape[2], height, width))
    seen = np.full((height, width), -1)
    for number, plane in enumerate(planes):
        at = np.floor((MARGIN + 0.5 + within + plane.confusion * u) * FINE).astype(int)
        (y, in_y), (x, in_x) = (divmod(int(i), FINE) for i in at)
        part = np.s_[..., y : y + height, x : x + width]
        met = plane.mask[in_y, in_x][part] & (seen < 0)
        colour = np.where(met, plane.colour[in_y, in_x][part], colour)
        seen = np.where(met, number, seen)
    return colour, seen


def texture(
    rng: np.random.Generator,
    height: int,
    width: int,
    *,
    mean: Sequence[float],
    contrast: float = 0.045,
) -> np.ndarray:
    """Make a smooth random texture with detail of 3, 7 and 20 pixels, to be a plane's colour."""
    channels = len(mean)
    positions = [_positions(side) for side in (height, width)]
    values = np.zeros((channels, *(len(at) for at in positions))) + np.reshape(mean, (-1, 1, 1))
    for size in (3, 7, 20):
        rows, cols = (_blends(at / size) for at in positions)
        coarse = rng.standard_normal((channels, rows.shape[1], cols.shape[1]))
        values += contrast * rows @ coarse @ cols.T
    return _by_position(values)


def mask(
    height: int, width: int, inside: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> np.ndarray:
    """Make a plane's mask of a rule about y and x in pixels from the middle of the picture."""
    y, x = (_positions(side) - MARGIN - side / 2 for side in (height, width))
    return _by_position(inside(*np.meshgrid(y, x, indexing="ij")))


def _positions(side: int) -> np.ndarray:
    return (np.arange((side + 2 * MARGIN) * FINE) + 0.5) / FINE


def _blends(at: np.ndarray) -> np.ndarray:
    """Give the weights that each of some whole positions has at others, smoothly."""
    near = (1 - abs(at[:, None] - np.arange(int(at[-1]) + 2))).clip(0)
    return near * near * (3 - 2 * near)


def _by_position(values: np.ndarray) -> np.ndarray:
    *leading, height, width = values.shape
    parts = values.reshape(*leading, height // FINE, FINE, width // FINE, FINE)
    return np.ascontiguousarray(np.moveaxis(parts, (-3, -1), (0, 1)))
