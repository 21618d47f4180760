"""Derive the chains of the engine `scale_space`, and prove how far off they can be.

    python tools/derive_chains.py derive [--sigma-max 16 --tolerance 2.5e-4] [--seconds 300]
    python tools/derive_chains.py check        (exit code 1: a chain exceeds its tolerance)

A chain makes ever smoother copies of the image and mixes them anew at every pixel:

    L_0 = x,   L_k = L_{k−1} filtered by [a_k, 1 − 2a_k, a_k] at dilation D_k, down, then across
    out(p) = Σ_k c_k(σ(p)) · L_k(p)

It applies K̂(σ) = Σ_k c_k(σ) · b_k⊗b_k instead of the Gaussian K(σ) = g⊗g of `svfilter.kernels`
(truncate = 4), b_k being the convolution of the first k filters. An image in 0..1 comes out
wrong by at most

    E(σ) = max(Σ (K − K̂)⁺, Σ (K − K̂)⁻) = ½‖K − K̂‖₁ + ½|1 − Σ_k c_k|

How a chain is derived:

1. `refine` finds sides a that make the largest E small: Gauss-Newton on a, the c_k eliminated.
2. `search` changes dilations and sides at random and refines again. START holds what it found
   in one to five minutes for each chain, from random dilations of 0.9 to 1.6 times the sigma
   reached; the chains up to 64 began as those up to 16 with their last levels once more, four
   times as far apart. `derive` takes them as they are; --seconds searches on from there.
3. `segmented` cuts 0 ≤ σ ≤ sigma_max into segments, in each of which the c_k are polynomials of
   σ, and gives each segment the fewest levels that meet the tolerance.
4. `prove` bounds E between its samples, too.

In segment s, where begins[s] ≤ σ < begins[s + 1],

    c_k(σ) · Π_{j ≤ k} (1 − 2a_j)² = Σ_j coefficients[s, k, j] · t^j

    t = ways[s, 0] · σ + ways[s, 1]  in −1..1

for the engine filters by [b, 1, b], b = a / (1 − 2a), which saves it a multiplication, and its
levels grow. `sides` are the b. The bounds hold for these stored float32 and exact sums. Rounding
t moves σ by less than 1e-6 of itself, and E by less than 1e-6: the bounds leave room for that.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.integer[Any]]

DATA = Path(__file__).parent.parent / "svfilter" / "engines" / "scale_space.json"
LOOSE, TIGHT = 0.5 / 255, 2.5e-4
MARGIN = 0.995
"""The part of a tolerance that a bound may take."""
TERMS = 5
"""Coefficients of each polynomial."""
RATIO = {LOOSE: 1.6, TIGHT: 1.3}
"""The largest sigma of a segment by its least."""


@dataclass(frozen=True, eq=False)
class Chain:
    """What the engine needs to know, under the names that the file has for it."""

    sigma_max: float
    tolerance: float
    dilations: Ints
    sides: Floats
    bound: float = math.inf
    begins: Floats = field(default_factory=lambda: np.empty(0, np.float32))
    ways: Floats = field(default_factory=lambda: np.empty((0, 2), np.float32))
    coefficients: Floats = field(default_factory=lambda: np.empty((0, 0, TERMS), np.float32))
    levels: Ints = field(default_factory=lambda: np.empty(0, np.int32))
    """For each segment the last level that it uses."""

    @property
    def shares(self) -> Floats:
        """The a that the sides are stored for."""
        b = self.sides.astype(float)
        return b / (1 + 2 * b)

    @property
    def shrinks(self) -> Floats:
        """What makes c of the stored coefficients, [K, 1]: Π (1 − 2a)⁻², for they shrink."""
        return np.cumprod(np.append(1, (1 + 2 * self.sides.astype(float)) ** 2))[:, None]

    @property
    def reach(self) -> int:
        """The largest offset that K or K̂ has."""
        return widest(self.sigma_max, self.dilations)


def widest(sigma_max: float, dilations: Ints) -> int:
    """Give the largest offset that K or K̂ has."""
    return max(int(np.sum(dilations)), math.floor(4 * sigma_max + 0.5))


# Kernels ------------------------------------------------------------------------------------


class Octant:
    """The offsets 0 ≤ y ≤ x ≤ reach, and for how many of the plane each of them stands.

    A kernel is given by its half profiles [..., reach + 1], at offsets ≥ 0. A thinned octant
    takes one offset for a block of them beyond 24: to search in, never to prove with.
    """

    def __init__(self, reach: int, *, thin: bool = False) -> None:
        starts = [0]
        while starts[-1] <= reach:
            block = max(3, starts[-1] // 12 | 1) if thin and starts[-1] > 24 else 1
            starts.append(min(starts[-1] + block, reach + 1))
        first, end = np.array(starts[:-1]), np.array(starts[1:])
        self.offsets = (first + end - 1) // 2
        one_sided = (end - first) * np.where(first > 0, 2.0, 1.0)
        self.y, self.x = np.triu_indices(len(first))
        self.counts = one_sided[self.y] * one_sided[self.x] * np.where(self.y < self.x, 2, 1)

    def outer(self, down: Floats, across: Floats) -> Floats:
        """Give down ⊗ across at the octant's offsets, [..., P]."""
        down, across = down[..., self.offsets], across[..., self.offsets]
        return down[..., self.y] * across[..., self.x]

    def square(self, half: Floats) -> Floats:
        """Give half ⊗ half."""
        return self.outer(half, half)


def radius_of(sigma: Floats) -> Floats:
    """Give the radius ⌊4σ + ½⌋ of K(σ)."""
    return np.floor(4 * sigma + 0.5)


def gaussians(sigma: Floats, radius: Floats, reach: int) -> Floats:
    """Give the half profiles g(d; σ) = exp(−d² / 2σ²) / Σ, [S, reach + 1]."""
    d = np.arange(reach + 1.0)
    z = d / np.where(radius > 0, sigma, 1.0)[:, None]
    g = np.exp(-0.5 * z * z) * (d <= radius[:, None])
    return g / (2 * g.sum(1, keepdims=True) - 1)


def composites(dilations: Ints, sides: Floats, reach: int) -> tuple[Floats, Floats]:
    """Give the half profiles b_k, [K, reach + 1], and ∂b_k / ∂a_j, [K, K − 1, reach + 1]."""
    b = np.zeros((1 + len(sides), 1 + len(sides), 2 * reach + 1))
    b[0, 0, reach] = 1  # b[k, 0] is b_k, b[k, 1 + j] is ∂b_k / ∂a_j
    for k, (dilation, side) in enumerate(zip(dilations, sides, strict=True), 1):
        spread = -2 * b[k - 1]  # b_{k−1} filtered by [1, −2, 1]
        spread[:, dilation:] += b[k - 1, :, :-dilation]
        spread[:, :-dilation] += b[k - 1, :, dilation:]
        b[k] = b[k - 1] + side * spread
        b[k, k] = spread[0]
    return b[:, 0, reach:], b[:, 1:, reach:]


# The mix for each sigma -----------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Mix:
    """Coefficients c of S kernels [S, K], what they leave, and the weights that found them."""

    coefficients: Floats
    residual: Floats
    weights: Floats
    error: Floats


def mix(
    basis: Floats, kernels: Floats, counts: Floats, *, sweeps: int, last: Mix | None = None
) -> Mix:
    """Minimise Σ counts · |kernel − c · basis| over c with Σ c = 1, for each kernel.

    With c_0 = 1 − z_1, c_k = z_k − z_{k+1} the constraint is gone: z multiplies the differences
    B_k − B_{k−1}. Each sweep solves a weighted least squares problem, whose weights
    counts / |residual| make it the L1 problem in the end; the geometric mean with the weights
    before keeps it from swinging. It goes on from `last`.
    """
    steps, wanted = np.diff(basis, axis=0), kernels - basis[0]
    weights = np.broadcast_to(counts, kernels.shape) if last is None else last.weights
    residual = None if last is None else last.residual
    for _ in range(sweeps):
        if residual is not None:
            size = np.abs(residual)
            size += 2e-3 * size.max(1, keepdims=True) + 1e-14
            weights = np.sqrt(weights * counts / size)
        weighted = steps * weights[:, None]
        z = solve(weighted @ steps.T, (weighted @ wanted[..., None])[..., 0], 1e-12)
        residual = wanted - z @ steps
    assert residual is not None
    coefficients = -np.diff(np.pad(z, ((0, 0), (1, 1)), constant_values=((0, 0), (1, 0))))
    return Mix(coefficients, residual, weights, 0.5 * np.abs(residual) @ counts)


def solve(matrix: Floats, right: Floats, ridge: float) -> Floats:
    """Solve matrix · x = right, [..., N, N] and [..., N], equilibrated, with a little damping."""
    scale = 1 / np.sqrt(np.diagonal(matrix, axis1=-2, axis2=-1))
    scaled = matrix * scale[..., :, None] * scale[..., None, :]
    scaled = scaled + ridge * np.eye(matrix.shape[-1])
    return scale * np.linalg.solve(scaled, (scale * right)[..., None])[..., 0]


# The sides ------------------------------------------------------------------------------------


class Fit:
    """The chain of given dilations as a least squares problem in its sides.

    With the weights of `mix`, Σ weights · residual² has the gradient of Σ counts · |residual|;
    the p-norm over sigma stands for the largest of them.
    """

    def __init__(self, sigma_max: float, dilations: Ints, sigmas: int) -> None:
        self.dilations, self.reach = dilations, widest(sigma_max, dilations)
        self.octant = Octant(self.reach, thin=self.reach > 50)
        sigma = np.geomspace(0.25, sigma_max, sigmas)
        self.kernels = self.octant.square(gaussians(sigma, radius_of(sigma), self.reach))

    def mix(self, sides: Floats, last: Mix | None) -> Mix:
        """Mix the levels that these sides make."""
        basis = self.octant.square(composites(self.dilations, sides, self.reach)[0])
        sweeps = 8 if last is None else 3
        return mix(basis, self.kernels, self.octant.counts, sweeps=sweeps, last=last)

    def normal(self, sides: Floats, mixed: Mix, p: float) -> tuple[Floats, Floats]:
        """Give the normal equations H · δa = h of a Gauss-Newton step (Kaufman 1975).

        What the c_k can do about a change of the residual, J, is taken out of it:
        H = Σ_σ q (JᵀWJ − JᵀWD (DᵀWD)⁻¹ DᵀWJ),  h = Σ_σ q JᵀW residual,  q = E^(p−1).
        """
        b, slopes = composites(self.dilations, sides, self.reach)
        steps = np.diff(self.octant.square(b), axis=0)
        slopes = self.octant.outer(slopes, b[:, None]) + self.octant.outer(b[:, None], slopes)
        jacobian = np.tensordot(mixed.coefficients, slopes, 1)
        residual, weights, error = mixed.residual, mixed.weights, mixed.error
        share = (error / error.max()) ** (p - 1) * error / (weights * residual**2).sum(1)
        weighted = jacobian * (weights * share[:, None])[:, None]
        left = weighted @ jacobian.transpose(0, 2, 1)
        cross = weighted @ steps.T
        inner = (steps * (weights * share[:, None])[:, None]) @ steps.T
        inner += 1e-11 * np.eye(len(inner[0])) * np.diagonal(inner, axis1=1, axis2=2)[:, None]
        left = left - cross @ np.linalg.solve(inner, cross.transpose(0, 2, 1))
        return left.sum(0), (weighted @ residual[..., None])[..., 0].sum(0)


def refine(
    sigma_max: float, dilations: Ints, sides: Floats, *, turns: int = 60, sigmas: int = 64
) -> tuple[float, Floats]:
    """Make the largest E over sigma small; give it (of a thinned octant) and the sides."""
    fit = Fit(sigma_max, dilations, sigmas)
    mixed, damping = fit.mix(sides, None), 1e-2
    best = float(mixed.error.max()), sides
    for p in np.linspace(6, 20, turns):
        left, right = fit.normal(sides, mixed, p)
        for _ in range(6):
            tried = np.clip(sides + np.clip(solve(left, right, damping), -0.05, 0.05), 0.01, 0.4)
            found = fit.mix(tried, mixed)
            if np.linalg.norm(found.error, p) < 1.0001 * np.linalg.norm(mixed.error, p):
                sides, mixed, damping = tried, found, max(damping / 3, 1e-7)
                break
            damping *= 4
        best = min(best, (float(mixed.error.max()), sides), key=lambda pair: pair[0])
    return best


# The dilations --------------------------------------------------------------------------------


def search(
    sigma_max: float, dilations: Ints, sides: Floats, *, seconds: float
) -> tuple[Ints, Floats]:
    """Change dilations and sides at random for a while, from the best few so far."""
    rng, end = np.random.default_rng(0), time.monotonic() + seconds
    widest_sum = int(np.sum(dilations))
    pool = [(*refine(sigma_max, dilations, sides), dilations)]
    while time.monotonic() < end:
        _, sides, dilations = pool[min(len(pool) - 1, int(rng.exponential(1.5)))]
        dilations, sides = changed(dilations, sides, rng)
        if dilations.sum() <= widest_sum:
            found = refine(sigma_max, dilations, sides, turns=30, sigmas=40)
            pool = sorted([*pool, (*found, dilations)], key=lambda entry: entry[0])[:8]
    finals = [(*refine(sigma_max, d, a), d) for _, a, d in pool[:3]]
    _, sides, dilations = min(finals, key=lambda entry: entry[0])
    return dilations, sides


def changed(dilations: Ints, sides: Floats, rng: np.random.Generator) -> tuple[Ints, Floats]:
    """Change up to two dilations by up to a fifth, some sides altogether, all sides a little."""
    dilations, sides = dilations.copy(), sides + rng.normal(0, 0.01, len(sides))
    for j in rng.integers(1, len(sides), rng.integers(0, 3)):
        by = max(1, round(dilations[j] * rng.uniform(0, 0.2)))
        dilations[j] = max(1, dilations[j] + rng.choice([-by, by]))
    again = rng.integers(1, len(sides), rng.integers(0, 4))
    sides[again] = rng.uniform(0.05, 0.28, len(again))
    order = np.argsort(dilations, kind="stable")
    return dilations[order], np.clip(sides[order], 0.02, 0.35)


# The segments ---------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Segment:
    """What c is for sigmas from begin to end: one row of a chain's arrays, in float64."""

    begin: float
    end: float
    way: Floats
    coefficients: Floats
    level: int

    def mix(self, sigma: Floats) -> Floats:
        """Give c(σ), [S, K]."""
        t = self.way[0] * sigma + self.way[1]
        return np.vander(t, TERMS, increasing=True) @ self.coefficients.T

    def bend(self) -> float:
        """Bound Σ_k |∂²c_k / ∂σ²|, for |t| ≤ 1."""
        j = np.arange(TERMS)
        return float((np.abs(self.coefficients) @ (j * (j - 1))).sum() * self.way[0] ** 2)


def segments(chain: Chain) -> Iterator[Segment]:
    """Give a chain's segments."""
    ends = np.append(chain.begins[1:], chain.sigma_max)
    parts = chain.begins, ends, chain.ways, chain.coefficients, chain.levels
    for begin, end, way, coefficients, level in zip(*parts, strict=True):
        wide = way.astype(float), coefficients.astype(float) * chain.shrinks
        yield Segment(float(begin), float(end), *wide, int(level))


def segmented(chain: Chain) -> Chain:
    """Cut sigma into segments, and fit each with as few levels as the tolerance allows.

    A segment has no fewer levels than the one before it. The first is the identity.
    """
    ratios = math.log(chain.sigma_max / 0.25) / math.log(RATIO[chain.tolerance])
    edges = np.geomspace(0.25, chain.sigma_max, math.ceil(ratios) + 1)
    edges = np.append(0.125, edges).astype(np.float32).astype(float)
    identity = np.eye(1, TERMS).repeat(1 + len(chain.sides), 0)
    identity[1:] = 0
    found = [Segment(0, 0.125, np.zeros(2), identity, 0)]
    for low, high in pairwise(edges.tolist()):
        for level in range(max(found[-1].level, 1), len(chain.sides) + 1):
            segment = fitted(chain, low, high, level)
            if bound_of(chain, segment) <= MARGIN * chain.tolerance:
                break
        found.append(segment)
    chain = replace(
        chain,
        begins=np.array([one.begin for one in found], np.float32),
        ways=np.array([one.way for one in found], np.float32),
        coefficients=np.array([one.coefficients / chain.shrinks for one in found], np.float32),
        levels=np.array([one.level for one in found], np.int32),
    )
    return replace(chain, bound=max(prove(chain)))


def fitted(chain: Chain, low: float, high: float, level: int) -> Segment:
    """Make the largest E between two sigmas small, c being polynomials that use some levels.

    As in `mix`, weights turn least squares into L1, here for all sigmas of the segment at once;
    and weights of the sigmas raise the worst of them.
    """
    reach = widest(high, chain.dilations[:level])
    octant = Octant(reach, thin=reach > 50)
    basis = octant.square(composites(chain.dilations, chain.shares, reach)[0][: level + 1])
    nodes = (low + high) / 2 + (high - low) / 2 * np.cos(np.pi * (np.arange(26) + 0.5) / 26)
    jumps = jumps_between(low, high)[:8]
    sigma = np.concatenate([nodes, jumps - 1e-9, jumps])
    way = np.array([2 / (high - low), -(high + low) / (high - low)], np.float32).astype(float)
    powers = np.polynomial.chebyshev.chebvander(way[0] * sigma + way[1], TERMS - 1)
    kernels = octant.square(gaussians(sigma, radius_of(sigma), reach))
    steps, wanted, counts = np.diff(basis, axis=0), kernels - basis[0], octant.counts
    size, share = level * TERMS, np.ones(len(sigma))
    weights = np.broadcast_to(counts, wanted.shape)
    best, least = np.empty(0), math.inf
    for sweep in range(20):
        matrix, right = np.zeros((size, size)), np.zeros(size)
        for own, power, kernel in zip(weights * share[:, None], powers, wanted, strict=True):
            weighted = steps * own
            matrix += np.kron(weighted @ steps.T, np.outer(power, power))
            right += np.kron(weighted @ kernel, power)
        z = solve(matrix, right, 1e-13).reshape(level, TERMS)
        residual = wanted - powers @ z.T @ steps
        error = 0.5 * np.abs(residual) @ counts
        if error.max() < least:
            best, least = z, error.max()
        floor = 2e-3 * np.abs(residual).max(1, keepdims=True) + 1e-14
        weights = np.sqrt(weights * counts / (np.abs(residual) + floor))
        if sweep > 3:
            share = np.sqrt(share * (error / error.max()) ** 8)
    one = np.eye(1, TERMS)
    c = -np.diff(np.concatenate([one, best, 0 * one]), axis=0)
    coefficients = np.zeros((1 + len(chain.sides), TERMS))
    for k, row in enumerate(c):
        monomials = np.polynomial.chebyshev.cheb2poly(row)
        coefficients[k, : len(monomials)] = monomials
    stored = (coefficients / chain.shrinks).astype(np.float32)
    return Segment(low, high, way, stored * chain.shrinks, level)


# The proof ------------------------------------------------------------------------------------


def prove(chain: Chain) -> list[float]:
    """Bound E on every segment of 0 ≤ σ ≤ sigma_max."""
    return [bound_of(chain, segment) for segment in segments(chain)]


def bound_of(chain: Chain, segment: Segment) -> float:
    """Bound E on a segment.

    A piece lies within the segment and between two jumps of the radius. There K and K̂ are
    smooth, so that between two samples δ apart

        E(σ) ≤ the larger E of both + δ² / 8 · (sup ‖∂²K/∂σ²‖₁ + sup Σ_k |∂²c_k/∂σ²|)

    for linear interpolation is off by δ² / 8 · sup at most, E is no more than the norm, and
    ‖b_k⊗b_k‖₁ = 1. Samples are so close that this adds a hundredth of the tolerance; at a
    piece's upper end K has still the radius below the jump. The first supremum is the largest
    of 17 samples', doubled for what may lie between them.
    """
    reach = widest(segment.end, chain.dilations[: segment.level])
    octant = Octant(reach)
    basis = octant.square(composites(chain.dilations, chain.shares, reach)[0][: segment.level + 1])
    worst = 0.0
    for low, high in pairwise(
        [segment.begin, *jumps_between(segment.begin, segment.end), segment.end]
    ):
        radius = radius_of(np.array([(low + high) / 2]))
        some = np.linspace(low, high, 17)
        bend = 2 * curvature(some, radius.repeat(17), reach).max() + segment.bend()
        count = 2 + int((high - low) * math.sqrt(bend / (8 * 0.01 * chain.tolerance)))
        sigma = np.linspace(low, high, count)
        between = ((high - low) / (count - 1)) ** 2 / 8 * bend
        for part in np.array_split(sigma, 1 + count * len(octant.counts) // 2**22):
            kernels = octant.square(gaussians(part, radius.repeat(len(part)), reach))
            off = kernels - segment.mix(part)[:, : segment.level + 1] @ basis
            error = 0.5 * (np.abs(off) @ octant.counts + np.abs(off @ octant.counts))
            worst = max(worst, float(error.max()) + between)
    return worst


def jumps_between(low: float, high: float) -> Floats:
    """Give the sigmas (r − ½) / 4 inside an interval: there the radius becomes r."""
    jumps = (np.arange(1, 4 * high + 1) - 0.5) / 4
    return jumps[(jumps > low) & (jumps < high)]


def curvature(sigma: Floats, radius: Floats, reach: int) -> Floats:
    """Bound ‖∂²K/∂σ²‖₁ ≤ 2‖g''‖₁ + 2‖g'‖₁² at each sigma (‖g‖₁ = 1).

    With s = 1/σ³ and m_n = Σ dⁿ g:  g' = g u,  u = s (d² − m_2),
    g'' = g (u² − 3u/σ − s² (m_4 − m_2²)).
    """
    g = gaussians(sigma, radius, reach)
    one_sided = np.where(np.arange(reach + 1) > 0, 2.0, 1.0)
    square = np.arange(reach + 1.0) ** 2
    second, fourth = g @ (one_sided * square), g @ (one_sided * square**2)
    sigma = np.where(radius > 0, sigma, 1.0)
    u = (square - second[:, None]) / sigma[:, None] ** 3
    spread = ((fourth - second**2) / sigma**6)[:, None]
    first = np.abs(g * u) @ one_sided
    return 2 * np.abs(g * (u * u - 3 * u / sigma[:, None] - spread)) @ one_sided + 2 * first**2


# The file and the command line ----------------------------------------------------------------

# What was found so far, by sigma_max and tolerance: the dilations, and the sides in millionths.
START: dict[tuple[float, float], tuple[str, str]] = {
    (4, LOOSE): (
        "1 1 1 1 1 2 2 3 3 3",
        "110123 214220 206125 223896 296566 149131 206032 192589 149999 161975",
    ),
    (16, LOOSE): (
        "1 1 1 1 1 2 2 3 4 4 6 6 8 11 13 17",
        "105499 215453 210865 207595 286916 179982 204610 235004 135403 194301 196058 187103 "
        "244416 110912 191278 172074",
    ),
    (64, LOOSE): (
        "1 1 1 1 1 2 2 3 4 4 5 6 8 11 11 16 17 23 24 32 44 45 68",
        "103528 215111 207276 209813 288061 169116 209830 232512 128032 182940 189269 193576 "
        "240111 151249 191110 186956 189725 200561 187391 248771 136793 208895 176071",
    ),
    (4, TIGHT): (
        "1 1 1 1 1 1 1 1 2 2 2 3 3 3",
        "45000 152000 140000 226000 203000 196000 201000 296000 150000 205000 256000 100000 "
        "156000 190000",
    ),
    (16, TIGHT): (
        "1 1 1 1 1 1 1 1 2 2 2 3 3 3 3 4 4 4 5 5 7 7 7 8 11 12",
        "93146 61125 243606 141578 177871 202160 221199 291112 141324 200358 251130 137013 "
        "199524 231045 317078 186557 217887 330560 225929 339759 191278 259633 160373 171507 "
        "127699 140800",
    ),
    (64, TIGHT): (
        "1 1 1 1 1 1 1 1 2 2 2 3 3 3 4 4 4 5 6 9 9 9 10 12 13 16 16 16 20 24 36 36 36 40 52",
        "31210 132948 115936 235039 187886 194678 214649 289127 148136 202929 262578 143836 "
        "208798 261712 160550 230717 319841 175730 255166 149154 216373 262847 163319 217832 "
        "286462 172070 239409 358591 188415 260956 125861 201416 226123 109918 135294",
    ),
}


def stored() -> Iterator[Chain]:
    """Read the chains from the file."""
    for values in json.loads(DATA.read_text()):
        yield Chain(**{name: _KINDS.get(name, float)(value) for name, value in values.items()})


def _floats(values: Any) -> Floats:
    return np.array(values, np.float32)


_KINDS = {
    "dilations": np.array,
    "levels": np.array,
    "sides": _floats,
    "begins": _floats,
    "ways": _floats,
    "coefficients": _floats,
}
"""What makes arrays of the file's lists; the rest are numbers."""


def store(chain: Chain) -> None:
    """Put a chain into the file: loose ones first, each kind from the smallest sigma_max."""
    chains = {(-c.tolerance, c.sigma_max): c for c in (stored() if DATA.exists() else ())}
    chains[-chain.tolerance, chain.sigma_max] = chain
    lines = [json.dumps(plain(chains[key])) for key in sorted(chains)]
    DATA.write_text("[\n" + ",\n".join(lines) + "\n]\n")


def plain(chain: Chain) -> dict[str, Any]:
    """Give what JSON can hold: float32 by the few digits that make them again."""

    def shortest(values: Any) -> Any:
        if isinstance(values, list):
            return [shortest(value) for value in values]
        return float(str(np.float32(values))) if isinstance(values, float) else values

    values = {f.name: getattr(chain, f.name) for f in fields(Chain)}
    return {
        name: shortest(value.tolist()) if isinstance(value, np.ndarray) else value
        for name, value in values.items()
    }


def derived(sigma_max: float, tolerance: float, seconds: float) -> Chain:
    """Derive a chain from what was found so far."""
    dilations, millionths = (np.array(text.split(), int) for text in START[sigma_max, tolerance])
    sides = millionths / 1e6
    if seconds:
        dilations, sides = search(sigma_max, dilations, sides, seconds=seconds)
    sides = (sides / (1 - 2 * sides)).astype(np.float32)
    return segmented(Chain(sigma_max, tolerance, dilations, sides))


@click.group()
def main() -> None:
    """Derive the chains of the engine `scale_space`, or check them."""


@main.command()
@click.option("--sigma-max", type=float, help="Derive only the chains up to this sigma.")
@click.option("--tolerance", type=float, help="Derive only the chains of about this tolerance.")
@click.option(
    "--seconds", default=0.0, help="Search on so long for each chain; default: not at all."
)
def derive(sigma_max: float | None, tolerance: float | None, seconds: float) -> None:
    """Derive chains and write those that meet their tolerance to the file."""
    for largest, limit in START:
        if sigma_max not in {None, largest}:
            continue
        if tolerance is not None and not math.isclose(tolerance, limit, rel_tol=0.01):
            continue
        begin = time.monotonic()
        chain = derived(largest, limit, seconds)
        if met := chain.bound <= MARGIN * limit:
            store(chain)
        click.echo(
            f"sigma_max {largest:g}, tolerance {limit:.3g}: K {len(chain.sides) + 1}, "
            f"bound {chain.bound:.4g}{'' if met else ', NOT MET'}, {time.monotonic() - begin:.0f} s"
        )


@main.command()
def check() -> None:
    """Prove every stored chain's bound again and print what there is to know about it."""
    row = "{:>9} {:>9} {:>3} {:>5} {:>9} {:>8} {:>10} {:>8}".format
    click.echo(
        row("sigma_max", "tolerance", "K", "sum D", "bound", "at sigma", "max sum|c|", "segments")
    )
    wrong = False
    for chain in stored():
        bounds = prove(chain)
        bound, worst = max(bounds), int(np.argmax(bounds))
        wrong |= bound > min(chain.tolerance, chain.bound * (1 + 1e-9))
        largest = max(
            np.abs(segment.mix(np.linspace(segment.begin, segment.end, 65))).sum(1).max()
            for segment in segments(chain)
        )
        figures = (
            f"{chain.sigma_max:g}",
            f"{chain.tolerance:.3e}",
            len(chain.sides) + 1,
            chain.dilations.sum(),
            f"{bound:.3e}",
            f"{chain.begins[worst]:.3f}",
            f"{largest:.2f}",
            len(chain.begins),
        )
        click.echo(row(*figures))
    if wrong:
        raise SystemExit("a chain exceeds its tolerance or its stored bound")


if __name__ == "__main__":
    main()
