"""Ray-trace the sample scene, and the exact depth map and mattes that belong to it.

Usage: ``python make_scene.py [OUTPUT_FOLDER]`` (default: the folder of this file).
It writes ``scene.png`` (8-bit RGB, sRGB), ``scene_depth.png`` (16-bit grey) and
``scene_mattes.png`` (8-bit RGB).

Geometry, all lengths in metres: x points right, y up, z away from the viewer. The floor is
the plane y = 0 with square tiles, and every ball rests on it. The camera is a pinhole at
``CAMERA``, turned down by ``PITCH`` radians. Lamp, hills, town lights and sky are infinitely
far away. Nothing is random: the texture and the lights come from an integer hash.

Depth is the distance from the camera measured along its optical axis (not along the ray),
which is the distance a thin lens focuses at. It is stored linearly:

    depth = NEAR + (FAR - NEAR) * value / 65535

so 0 is the near plane and 65535 stands for the far plane or anything beyond it (the sky too).
The colour of a pixel is the mean of ``SUPER`` x ``SUPER`` rays, but its depth comes from the
one ray through the pixel's centre, so depths of two surfaces are never mixed at an edge.

The mattes say how much of each pixel shows balls (red), floor (green) and what is infinitely far
(blue), in 255ths, counted over the same rays as the colour.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.float64]

WIDTH, HEIGHT = 960, 640  # pixels
SUPER = 4  # colour rays per pixel along each axis
NEAR, FAR = 1.0, 25.0  # depths stored as 0 and as 65535, metres
CAMERA = np.array([0.0, 1.15, 0.0])
PITCH = 0.115  # radians below the horizontal
PIXEL = 2 * np.tan(np.radians(25)) / WIDTH  # side of a pixel on the image plane at distance 1
TILE = 0.5  # side of a floor tile, metres
BOUNCES = 3  # mirror reflections followed
KEY = np.array([-0.52, 0.74, -0.43]) / np.linalg.norm([-0.52, 0.74, -0.43])  # to the lamp
KEY_RADIUS = 0.09  # angular radius of the lamp, radians
KEY_COLOUR = np.array([1.62, 1.45, 1.2])  # light that falls on a surface facing the lamp
HAZE = np.array([0.105, 0.085, 0.12])

# One ball a row: centre x, radius (= centre y), centre z; diffuse RGB; RGB reflected head-on.
BALLS = np.array(
    [
        (-0.80, 0.50, 3.1, 0.55, 0.025, 0.02, 0.04, 0.04, 0.04),
        (-0.50, 0.50, 4.7, 0.02, 0.02, 0.02, 0.85, 0.86, 0.88),
        (0.02, 0.50, 6.6, 0.72, 0.34, 0.02, 0.04, 0.04, 0.04),
        (0.66, 0.50, 8.9, 0.02, 0.26, 0.28, 0.04, 0.04, 0.04),
        (1.45, 0.50, 11.7, 0.12, 0.07, 0.02, 0.85, 0.60, 0.26),
        (2.45, 0.50, 15.2, 0.30, 0.05, 0.42, 0.04, 0.04, 0.04),
        (3.70, 0.50, 19.6, 0.70, 0.68, 0.62, 0.04, 0.04, 0.04),
        (0.62, 0.20, 2.75, 0.05, 0.27, 0.06, 0.04, 0.04, 0.04),
        (1.25, 0.28, 4.1, 0.04, 0.11, 0.50, 0.04, 0.04, 0.04),
        (-2.75, 0.45, 7.8, 0.12, 0.05, 0.03, 0.85, 0.50, 0.38),
        (-3.35, 0.60, 13.5, 0.12, 0.32, 0.07, 0.04, 0.04, 0.04),
    ]
)
CENTRES, RADII, COLOURS, MIRRORS = BALLS[:, :3], BALLS[:, 1], BALLS[:, 3:6], BALLS[:, 6:]
FLOOR, SKY = len(BALLS), -1  # what a ray hit, beside the row of a ball


def chance(i: Floats, j: Floats | float) -> Floats:
    """Return a fixed, evenly spread value in 0..1 for each pair of whole numbers."""
    key = np.asarray(i * 374761393 + j * 668265263).astype(np.int64)
    key = ((key ^ (key >> 13)) & 0x7FFFFFFF) * 1274126177
    return np.asarray(((key ^ (key >> 16)) & 0xFFFF) / 65535.0)


def step(low: Floats | float, high: Floats | float, x: Floats) -> Floats:
    """Return a smooth step from 0 where x <= low to 1 where x >= high."""
    u = np.clip((x - low) / (high - low), 0.0, 1.0)
    return np.asarray(u * u * (3.0 - 2.0 * u))


def noise(x: Floats, z: Floats) -> Floats:
    """Return smooth noise in 0..1 with one chance value at each whole-numbered point."""
    total, x0, z0 = np.zeros_like(x), np.floor(x), np.floor(z)
    u, v = step(0.0, 1.0, x - x0), step(0.0, 1.0, z - z0)
    for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)):
        total += chance(x0 + i, z0 + j) * (u if i else 1.0 - u) * (v if j else 1.0 - v)
    return total


def dot(a: Floats, b: Floats) -> Floats:
    """Return the dot products of vectors held along the last axis."""
    return np.asarray(np.einsum("...i,...i->...", a, b))


def camera_rays(column: Floats, row: Floats) -> Floats:
    """Return unit directions through image points given in pixels from the top left corner."""
    right, up = (column - WIDTH / 2) * PIXEL, (HEIGHT / 2 - row) * PIXEL
    y = up * np.cos(PITCH) - np.sin(PITCH)
    z = up * np.sin(PITCH) + np.cos(PITCH)
    rays = np.stack([right, y, z], axis=-1)
    return np.asarray(rays / np.linalg.norm(rays, axis=-1, keepdims=True))


def nearest(origin: Floats, ray: Floats) -> tuple[Floats, NDArray[np.int64]]:
    """Return the distance along each unit ray to the first surface, and which surface it is."""
    down = np.minimum(ray[:, 1], -1e-9)
    distance = np.where(ray[:, 1] < -1e-4, -origin[:, 1] / down, np.inf)
    surface = np.where(np.isfinite(distance), FLOOR, SKY).astype(np.int64)
    for index in range(len(BALLS)):
        offset = origin - CENTRES[index]
        b = dot(offset, ray)
        h = b * b - dot(offset, offset) + RADII[index] ** 2
        t = -b - np.sqrt(np.maximum(h, 0.0))
        hit = (h > 0.0) & (t > 1e-4) & (t < distance)
        distance[hit], surface[hit] = t[hit], index
    return distance, surface


def sky(ray: Floats, angle: Floats) -> Floats:
    """Return the light from infinitely far; angle is the width of the ray's cone, radians."""
    up = np.maximum(ray[:, 1], 0.0)[:, None]
    azimuth = np.arctan2(ray[:, 0], ray[:, 2])
    glow = (0.30 + 0.70 * np.exp(-(((azimuth - 0.25) / 0.6) ** 2)))[:, None]
    colour = np.array([0.02, 0.04, 0.13]) + np.array([0.15, 0.15, 0.23]) * np.exp(-up / 0.25)
    colour += glow * np.array([0.62, 0.24, 0.05]) * np.exp(-up / 0.085)
    lamp = np.arccos(np.clip(ray @ KEY, -1.0, 1.0))[:, None]
    wide = angle[:, None]
    disc = 1.0 - step(-wide - 0.01, wide + 0.01, lamp - KEY_RADIUS)
    colour += 22.0 * disc / (1.0 + (wide / KEY_RADIUS) ** 2)
    colour += np.array([0.85, 0.75, 0.62]) * np.exp(-((lamp / 0.55) ** 2))
    ridge = 0.034 + 0.009 * np.sin(5.0 * azimuth + 0.6) + 0.004 * np.sin(17.0 * azimuth)
    hill = HAZE + (np.array([0.022, 0.024, 0.045]) - HAZE) * (1.0 - np.exp(-up / 0.010))
    colour += (1.0 - step(-wide, wide, (ray[:, 1] - ridge)[:, None])) * (hill - colour)
    low = np.flatnonzero((ray[:, 1] < 0.05) & (ray[:, 2] > 0.0))
    for number in range(36):  # the lights of a town on the hills
        pick, place, size, level = chance(np.arange(4.0), 100.0 + number)
        side = (number + 0.8 * place - 17.9) * 0.027
        centre = np.array([np.sin(side), 0.006 + 0.024 * level, np.cos(side)])
        radius = PIXEL * (0.9 + 2.7 * size**2)
        wide = np.maximum(radius, angle[low, None])
        away = np.linalg.norm(ray[low] - centre, axis=1, keepdims=True)
        disc = (1.0 - step(0.7 * wide, 1.3 * wide, away)) * (radius / wide) ** 2
        warm = np.array([1.0, 0.28 + 0.62 * pick, 0.08 + 0.72 * pick**2])
        colour[low] += disc * (warm if pick < 0.85 else np.array([0.55, 0.8, 1.0]))
    return np.asarray(colour)


def floor_colour(point: Floats, ray: Floats, width: Floats) -> Floats:
    """Return the tile colour averaged over the patch that a ray cone of this width covers."""
    patch = width[:, None] * (1.0 + np.abs(ray[:, [0, 2]] / ray[:, 1:2])) / TILE
    place = point[:, [0, 2]] / TILE + 0.5
    ends = np.stack([place - patch / 2, place + patch / 2])
    wave = np.diff(1.0 - np.abs(ends % 2.0 - 1.0), axis=0)[0] / patch
    joint = np.diff(np.floor(ends) * 0.03 + np.minimum(ends % 1.0, 0.03), axis=0)[0] / patch
    check = (0.5 + 0.5 * wave[:, 0] * wave[:, 1])[:, None]
    colour = np.array([0.075, 0.065, 0.07]) + check * np.array([0.42, 0.38, 0.32])
    grain = np.ones(len(point))
    for per_tile, strength in ((1.7, 0.15), (7.0, 0.25), (19.0, 0.35), (43.0, 0.35)):
        fade = strength * (1.0 - step(0.3, 1.0, patch.max(axis=1) * per_tile))
        seen = np.flatnonzero(fade)
        grain[seen] += fade[seen] * (2.0 * noise(*(place[seen] * per_tile).T) - 1.0)
    tile = np.prod(1.0 - joint, axis=1)[:, None]
    return np.asarray(colour * grain[:, None] * tile + 0.02 * (1.0 - tile))


def lighting(point: Floats, normal: Floats) -> Floats:
    """Return the light that falls on each point from the lamp (soft shadows) and the sky."""
    lit, open_sky = np.maximum(normal @ KEY, 0.0), np.ones(len(point))
    for centre, radius in zip(CENTRES, RADII, strict=True):
        to = centre - point
        along, square = to @ KEY, dot(to, to)
        aside = np.sqrt(np.maximum(square - along * along, 0.0))
        edge = np.maximum(along, 1e-6) * KEY_RADIUS
        lit *= np.where(along > 0.0, step(radius - edge, radius + edge, aside), 1.0)
        open_sky *= 1.0 - np.maximum(dot(normal, to), 0.0) * radius**2 / square**1.5
    up = (0.5 + 0.5 * normal[:, 1])[:, None]
    ambient = up * np.array([0.22, 0.25, 0.37]) + (1.0 - up) * np.array([0.15, 0.115, 0.10])
    return np.asarray(lit[:, None] * KEY_COLOUR + open_sky[:, None] * ambient)


def trace(origin: Floats, ray: Floats, width: Floats, angle: Floats, bounces: int) -> Floats:
    """Return the linear-light colour seen along rays that are cones.

    A cone is ``width`` metres wide at its origin and widens by ``angle`` metres per metre;
    textures are averaged over it, so that neither the distance nor a mirror makes them alias.
    """
    distance, surface = nearest(origin, ray)
    colour = np.empty_like(ray)
    colour[surface == SKY] = sky(ray[surface == SKY], angle[surface == SKY])
    hit = np.flatnonzero(surface != SKY)
    ray, t, which = ray[hit], distance[hit], surface[hit]
    angle, width = angle[hit], width[hit] + angle[hit] * t
    point = origin[hit] + ray * t[:, None]
    flat, ball = which == FLOOR, which != FLOOR
    on = which[ball]
    normal = np.tile([0.0, 1.0, 0.0], (len(hit), 1))
    normal[ball] = (point[ball] - CENTRES[on]) / RADII[on, None]
    base, mirror = np.empty_like(ray), np.full_like(ray, 0.03)
    base[ball], mirror[ball] = COLOURS[on], MIRRORS[on]
    base[flat] = floor_colour(point[flat], ray[flat], width[flat])
    seen = base * lighting(point, normal)
    facing = np.clip(-dot(ray, normal), 0.02, 1.0)
    mirror += (1.0 - mirror) * (np.where(flat, 0.35, 0.9) * (1.0 - facing) ** 5)[:, None]
    if bounces > 0 and len(hit) > 0:
        bent = ray + 2.0 * facing[:, None] * normal
        bent /= np.linalg.norm(bent, axis=1, keepdims=True)
        wider = angle + 0.02 * flat  # the floor is less polished than the balls
        wider[ball] += 2.0 * width[ball] / (RADII[on] * facing[ball])
        mirrored = trace(point + 1e-4 * normal, bent, width, wider, bounces - 1)
        seen += mirror * (mirrored - seen)
    clear = np.exp(-((t / 45.0) ** 1.5))[:, None]
    colour[hit] = seen * clear + HAZE * (1.0 - clear)
    return colour


def render_rows(
    first: int, last: int
) -> tuple[NDArray[np.uint8], NDArray[np.uint16], NDArray[np.uint8]]:
    """Return the colour, the depth and the mattes of the pixel rows first..last-1."""
    shape = (last - first, WIDTH)
    row, column = np.mgrid[first:last, 0:WIDTH].reshape(2, -1, 1).astype(np.float64)
    dy, dx = (np.mgrid[0:SUPER, 0:SUPER].reshape(2, 1, -1) + 0.5) / SUPER
    rays = camera_rays(column + dx, row + dy).reshape(-1, 3)
    cone = np.full(len(rays), PIXEL / SUPER)
    linear = trace(np.broadcast_to(CAMERA, rays.shape), rays, 0.0 * cone, cone, BOUNCES)
    linear = np.clip(linear, 0.0, 1.0).reshape(*shape, SUPER * SUPER, 3).mean(axis=2)
    srgb = np.where(linear < 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)

    _, surface = nearest(np.broadcast_to(CAMERA, rays.shape), rays)
    shown = np.stack([(surface != FLOOR) & (surface != SKY), surface == FLOOR, surface == SKY], -1)
    mattes = shown.reshape(*shape, SUPER * SUPER, 3).mean(axis=2)

    middle = camera_rays(column + 0.5, row + 0.5).reshape(-1, 3)
    distance, _ = nearest(np.broadcast_to(CAMERA, middle.shape), middle)
    depth = distance * (middle @ np.array([0.0, -np.sin(PITCH), np.cos(PITCH)]))
    code = np.rint(65535 * np.clip((depth - NEAR) / (FAR - NEAR), 0.0, 1.0)).reshape(shape)
    colour, cover = (np.rint(255 * shares).astype(np.uint8) for shares in (srgb, mattes))
    return colour, code.astype(np.uint16), cover


def main() -> None:
    """Render the scene and write the pictures."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).resolve().parent
    folder.mkdir(parents=True, exist_ok=True)
    strips = [render_rows(row, min(row + 4, HEIGHT)) for row in range(0, HEIGHT, 4)]
    colour, depth, mattes = (np.concatenate(parts) for parts in zip(*strips, strict=True))
    Image.fromarray(colour).save(folder / "scene.png", optimize=True)
    Image.fromarray(depth).save(folder / "scene_depth.png", optimize=True)
    Image.fromarray(mattes).save(folder / "scene_mattes.png", optimize=True)


if __name__ == "__main__":
    main()
