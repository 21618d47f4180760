"""Depth of field that respects what is in front."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from itertools import product
from typing import TYPE_CHECKING

from svfilter.errors import InvalidArgument

if TYPE_CHECKING:
    from svfilter.kernels.base import Array

LAYERS = 16
"""Layers of depth, unless others are asked for."""
_GAP = 1.5
"""By how many layers depth must fall for something to be behind: never in the same layer."""
_SOFT = 4
"""How far a silhouette's depth may be smeared to either side, in pixels."""
_SHARP = 0.5
"""Kernels of a smaller radius have one tap."""
_UNSURE = 1e-3
"""What a pixel that may be a mixture weighs where pure colours are wanted."""
_NOISE = 1e-3
"""Variance of texture, of values from 0 to 1: less contrast says nothing of a pixel's cover."""
_STRANGE = 10
"""How much more texture there seems to be where a pixel's colour is no mixture of the two."""

_AROUND = [d for d in product((-1, 0, 1), repeat=2) if any(d)]
_NEAR = list(product((-2, -1, 0, 1, 2), repeat=2))
_COLOUR, _RADIUS, _DEPTH, _COVER = slice(-3), -3, -2, -1
"""Planes of fragments, [C + 3, ...]: what a pixel shows, and how much of the pixel it covers."""


def defocus(
    image: Array,
    radius: Array,
    depth: Array,
    *,
    scatter: Callable[[Array, Array], Array],
    depth_range: tuple[float, float],
    layers: int = LAYERS,
) -> Array:
    """Spread every pixel's light by its own kernel, but never over what is nearer.

        out = Σ_k t_k · S_k[a·x] / S_k[a]  /  Σ_k t_k,   t_k = min(S_k[a], 1 − Σ_{j<k} t_j)

    where k counts layers of depth from the nearest on, S_k spreads a layer's fragments, each by
    the kernel of its own radius, and x are their colours, a their covers. Layers fill what those
    in front leave; so a slanted surface, whose covers in its layers add up to 1, stays whole.

    Most pixels are one fragment of cover 1. At a silhouette, where pixels are mixtures, they
    are two: what is in front, of colour x_F and cover a, and what is behind, of colour x_B and
    cover 1. Both colours come from purer pixels around, and a·x_F + (1 − a)·x_B = x. Inwards
    from there, as far as what is in front is blurred, what is behind is continued.

    So a sharp object gives nothing to a blurred ground behind it, and the edge of a blurred one
    is soft on both sides, with the ground seen through. What is behind is a guess. Silhouettes
    of the depth may be soft by some pixels, but should be right to a pixel.

    Args:
        image: [C, H, W], finite, values from 0 to 1 or thereabouts, best in linear light.
        radius: [H, W], of the circle of confusion in pixels, 0 or more; sharp below ½.
        depth: [H, W], finite, larger where things are nearer, in any measure of which equal
            steps matter alike, such as disparity.
        scatter: spreads planes [n, h, w] by kernels of radii [h, w], which sum to 1, reach no
            farther than their radius + 1 and are one tap below ½. Beyond the border is nothing.
        depth_range: the least and the largest depth of the whole image.
        layers: 2 or more. Surfaces in one layer are mixed where they overlap; those that are
            1.5 layers apart are told apart.

    Returns:
        [C, H, W], float32. Where the array is a part of an image, the pixels that are at least
        `margin` from its border are those that the whole image would give.

    Raises:
        InvalidArgument: shapes do not agree, or there are too few layers.

    Cost: each fragment is spread once. Beside that some 50 operations a pixel, 30 in the
        rectangle around each layer, and some hundreds near silhouettes; 8·(C + 3) floats a pixel.

    Source: pixels of two fragments are those of Shade et al. 1998, Layered Depth Images;
        blurred layers of depth, those of Kraus & Strengert 2007, Depth-of-Field Rendering by
        Pyramidal Image Processing; covers that saturate, OpenGL's GL_SRC_ALPHA_SATURATE.
    """
    import numpy as np

    if image.ndim != 3 or not image.shape[1:] == radius.shape == depth.shape:
        shapes = ", ".join(str(list(values.shape)) for values in (image, radius, depth))
        raise InvalidArgument(
            f"image, radius and depth must be [C, H, W], [H, W] and [H, W], but are {shapes}"
        )
    if layers < 2:
        raise InvalidArgument(f"layers must be 2 or more, but is {layers}")
    low, high = depth_range
    scale = layers / (high - low) if high > low else 0.0  # from here on depth counts layers
    layered = ((np.asarray(depth, np.float64) - low) * scale).clip(0, layers - 1e-3)
    own = np.concatenate([image, np.stack([radius, layered, np.ones_like(layered)])])
    front, back = _fragments(own.astype(np.float32))
    out = np.zeros_like(front[_COLOUR])
    filled = np.zeros_like(front[:1])
    for part, spread in _spread(front, back, layers, scatter):
        cover = spread[-1:]
        taken = np.minimum(cover, 1 - filled[part])
        out[part] += spread[:-1] * (taken / np.maximum(cover, 1e-6))
        filled[part] += taken
    return out / filled


def margin(radius: float) -> int:
    """Give how far away the pixels may be that a pixel depends on, for the largest radius."""
    return math.floor(radius) + 1 + _border(radius) + 2 * _SOFT


def _spread(
    front: Array, back: Array, layers: int, scatter: Callable[[Array, Array], Array]
) -> Iterator[tuple[tuple[slice, ...], Array]]:
    """Give for each layer from the nearest on where it is, and colours times cover, and cover."""
    import numpy as np

    both = [(each, np.where(each[_COVER] > 0, each[_DEPTH], -1).astype(np.int16))
            for each in (front, back)]  # fmt: skip
    for layer in range(layers - 1, -1, -1):
        own = [(each, number == layer) for each, number in both]
        if not (either := own[0][1] | own[1][1]).any():  # never both: one is behind the other
            continue
        reach = max(each[_RADIUS][here].max(initial=0) for each, here in own)
        part = _rectangle(either, math.floor(reach) + 1)
        seen = np.zeros_like(front[part])
        for each, here in own:
            seen[:, here[part[1:]]] = each[:, here]
        seen[_COLOUR] *= seen[_COVER]
        radius, seen[_RADIUS] = seen[_RADIUS].copy(), seen[_COVER]
        yield part, scatter(seen[:_DEPTH], radius)


def _rectangle(where: Array, border: int) -> tuple[slice, ...]:
    """Give the smallest rectangle with all that is True and a border, to index planes."""
    found = (where.any(axis=axis).nonzero()[0] for axis in (1, 0))
    sides = (slice(max(int(at[0]) - border, 0), int(at[-1]) + border + 1) for at in found)
    return (slice(None), *sides)


def _fragments(own: Array) -> tuple[Array, Array]:
    """Give what is in front at every pixel, and what is behind it, of cover 0 where unknown."""
    import numpy as np

    spacings, border = _spacings(own[_RADIUS].max()), _border(own[_RADIUS].max())
    front = np.pad(own, [(0, 0), (border, border), (border, border)], mode="edge")
    shape, width = front.shape, front.shape[-1]
    front = front.reshape(len(own), -1)  # so that a neighbour is always as far away
    depth = front[_DEPTH].reshape(shape[1:])  # of the same memory

    def places(where: Array, rim: int) -> Array:
        return np.flatnonzero(np.pad(where[rim:-rim, rim:-rim], rim))

    low, high = _extreme(depth, _SOFT, np.minimum), _extreme(depth, _SOFT, np.maximum)
    _steepen(front, places(high - low >= _GAP, 1), width)
    low, high = _extreme(depth, 1, np.minimum), _extreme(depth, 1, np.maximum)
    back = front.copy()  # what is farthest: the pixel itself, until something is found behind
    back[_COVER] = 0
    hiding = places(depth - _extreme(depth, border, np.minimum) >= _GAP, border)
    _unmix(front, back, places(high - low >= _GAP, 2), (low + high).ravel() / 2, width)
    _continue(back, hiding, spacings, width)
    inner = np.s_[:, border:-border, border:-border]
    return front.reshape(shape)[inner], back.reshape(shape)[inner]


def _steepen(front: Array, at: Array, width: int) -> None:
    """Make soft silhouettes hard: let pixels take the depth and radius of the closer extreme.

    The extremes of the pixels around, again and again (Kramer & Bruckner 1975, Iterations of a
    non-linear transformation for enhancement of digital images). Pixels that are an extreme, or
    in the middle, stay: hard silhouettes and slanted surfaces.
    """
    import numpy as np

    for _ in range(_SOFT):
        own = front[_RADIUS:_COVER, at]  # radius, depth
        low, high = own.copy(), own.copy()
        for dy, dx in _AROUND:
            other = front[_RADIUS:_COVER, at + (dy * width + dx)]
            low = np.where(other[1] < low[1], other, low)
            high = np.where(other[1] > high[1], other, high)
        up, down = high[1] - own[1], own[1] - low[1]
        front[_RADIUS:_COVER, at] = np.where(up < down, high, np.where(down < up, low, own))


def _unmix(front: Array, back: Array, at: Array, middle: Array, width: int) -> None:
    """Part the pixels of a silhouette into what is in front and what is behind.

    cover = argmin_a ‖x − a·x_F − (1 − a)·x_B‖², drawn towards the side that the pixel's depth
    is on where the colours say little. What they do not explain goes to who covers more.
    """
    import numpy as np

    mixed = np.zeros(front.shape[1], bool)
    mixed[at] = True
    nearer, farther = _Mean(front, at), _Mean(front, at)
    for dy, dx in _NEAR:
        other = at + (dy * width + dx)
        weight = np.where(mixed[other], _UNSURE, 1) / max(dy * dy + dx * dx, 1)
        above = front[_DEPTH, other] > middle[at]
        nearer.add(other, weight * above)
        farther.add(other, weight * ~above)
    ahead, behind = nearer.values(), farther.values()
    # Where nothing around is blurred the pixel is seen as it is.
    keep = np.maximum(ahead[_RADIUS], behind[_RADIUS]) >= _SHARP
    keep &= np.floor(ahead[_DEPTH]) > np.floor(behind[_DEPTH])
    at, ahead, behind = at[keep], ahead[:, keep], behind[:, keep]
    colour, contrast = front[_COLOUR, at], ahead[_COLOUR] - behind[_COLOUR]
    side = front[_DEPTH, at] > middle[at]
    length, noise = (contrast**2).sum(axis=0), np.float32(_NOISE)
    along = ((colour - behind[_COLOUR]) * contrast).sum(axis=0)
    for _ in range(2):  # the second time knowing how well it went
        cover = ((along + noise * side) / (length + noise)).clip(0, 1)
        rest = colour - cover * ahead[_COLOUR] - (1 - cover) * behind[_COLOUR]
        noise = np.float32(_NOISE) + _STRANGE * (rest**2).sum(axis=0)
    rest /= cover**4 + (1 - cover) ** 4
    ahead[_COLOUR] += cover**3 * rest
    behind[_COLOUR] += (1 - cover) ** 3 * rest
    ahead[_COVER], behind[_COVER] = cover, 1
    front[:, at], back[:, at] = ahead, behind


def _continue(back: Array, at: Array, spacings: list[int], width: int) -> None:
    """Continue what is behind: each pixel is the mean of the farthest of 8 that are known.

    They are 1 pixel away, then 2, 4 and so on, so that the nearest known count, whatever their
    distance. A pixel takes part as far as its own blur may uncover what is behind it.
    """
    import numpy as np

    gap = np.float32(_GAP)
    start = 0
    for spacing in spacings:
        at = at[(back[_RADIUS, at] + 1 > start) & (back[_COVER, at] == 0)]
        limit = back[_DEPTH, at] - gap
        farthest = np.full_like(limit, np.inf)
        for dy, dx in _AROUND:
            farthest = np.minimum(farthest, back[_DEPTH, at + spacing * (dy * width + dx)])
        found = farthest <= limit
        to, limit = at[found], np.minimum(limit, farthest + gap)[found]
        mean = _Mean(back, to)
        for dy, dx in _AROUND:
            near = to + spacing * (dy * width + dx)
            mean.add(near, (back[_DEPTH, near] <= limit) / (dy * dy + dx * dx))
        back[:, to] = mean.values()
        back[_COVER, to] = 1
        start += spacing


class _Mean:
    """Weighted means of fragments, one for each of some pixels."""

    def __init__(self, fragments: Array, at: Array) -> None:
        import numpy as np

        self.fragments = fragments
        self.sums = np.zeros((len(fragments), len(at)), np.float32)
        self.weights = np.zeros(len(at), np.float32)

    def add(self, other: Array, weight: Array) -> None:
        """Add the fragments of other pixels, one for each."""
        weight = weight.astype(self.sums.dtype)
        self.sums += self.fragments[:, other] * weight
        self.weights += weight

    def values(self) -> Array:
        """Give the means."""
        return self.sums / self.weights


def _spacings(radius: float) -> list[int]:
    """Give the distances at which what is behind is looked for, for the largest radius."""
    spacings: list[int] = []
    while sum(spacings) < radius + 1:
        spacings.append(2 ** len(spacings))
    return spacings


def _border(radius: float) -> int:
    """Give how far away the pixels may be that a fragment depends on, once depth is steep."""
    return sum(_spacings(radius)) + 3


def _extreme(values: Array, reach: int, pick: Callable[[Array, Array], Array]) -> Array:
    """Give the least or the largest value of the square around each pixel, in logarithmic time."""
    import numpy as np

    for _ in range(2):  # columns, then rows
        values = np.pad(values.T, [(reach, reach), (0, 0)], mode="edge")
        size = 1
        while size < 2 * reach + 1:
            step = min(size, 2 * reach + 1 - size)
            values = pick(values[:-step], values[step:])
            size += step
    return values
