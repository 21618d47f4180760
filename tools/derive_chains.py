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
3. `tabulate` gives each sigma of a table the fewest levels that meet the tolerance.
4. `prove` bounds E between the sigmas, too.

A table's row follows from the bits of a float32, so that rows are close where sigma is small:

    bits = int32(σ + ½) − int32(½),   row + fraction = bits / 2^(23 − log2(per_octave))

and c is interpolated between a row and the next. The bounds hold for exact sums. Rounding σ + ½
to float32 moves σ by at most 4e-6, and E by less than 1e-6: the bounds leave room for that.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Ints = NDArray[np.integer[Any]]

DATA = Path(__file__).parent.parent / "svfilter" / "engines" / "scale_space.npz"
LOOSE, TIGHT = 0.5 / 255, 2.5e-4
MARGIN = 0.995
"""The part of a tolerance that a bound may take."""


@dataclass(frozen=True, eq=False)
class Chain:
    """What the engine needs to know, under the names that the file has for it."""

    sigma_max: float
    tolerance: float
    dilations: Ints
    sides: Floats
    per_octave: int
    bound: float = math.inf
    table: Floats = field(default_factory=lambda: np.empty((0, 0), np.float32))
    levels: Ints = field(default_factory=lambda: np.empty(0, np.int32))
    """For each cell between two rows the last level that either row uses."""

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


# The table ------------------------------------------------------------------------------------


def row_sigmas(sigma_max: float, per_octave: int) -> Floats:
    """Give the sigma of each row: from 0 to the one after sigma_max's."""
    half, top = np.array([0.5, sigma_max + 0.5], np.float32).view(np.int32)
    step = 2**23 // per_octave
    bits = np.arange(half, top + 2 * step, step, dtype=np.int32)[: (top - half) // step + 2]
    return bits.view(np.float32).astype(np.float64) - 0.5


def fitted_rows(chain: Chain, allowed: Floats) -> Floats:
    """Fit each row with as few levels as its error allows, and no fewer than the row before."""
    octant = Octant(chain.reach, thin=chain.reach > 200)
    basis = octant.square(composites(chain.dilations, chain.sides, chain.reach)[0])
    sigma = np.minimum(row_sigmas(chain.sigma_max, chain.per_octave), chain.sigma_max)
    table = np.zeros((len(sigma), len(basis)), np.float32)
    table[:, 0] = 1  # all there is to rows of radius 0
    row, level = int(np.sum(sigma <= 0.125)), 1
    while row < len(sigma):
        some = sigma[row : row + 32]
        # A row at a jump of the radius belongs to a cell with either radius.
        below, above = (
            octant.square(gaussians(some, radius_of(near), chain.reach))
            for near in (some - 1e-9, some)
        )
        mixed = mix(basis[: level + 1], (below + above) / 2, octant.counts, sweeps=16)
        jump = (above - below) / 2
        farther = np.maximum(
            np.abs(mixed.residual - jump) @ octant.counts,
            np.abs(mixed.residual + jump) @ octant.counts,
        )
        good = (farther / 2 <= allowed[row : row + 32]) | (level == len(basis) - 1)
        taken = len(good) if good.all() else int(good.argmin())
        table[row : row + taken, : level + 1] = mixed.coefficients[:taken]
        row, level = row + taken, level + (taken < len(good))
    return table


def tabulate(chain: Chain) -> Chain:
    """Fill the table, and tighten its rows until no cell between them exceeds the tolerance."""
    rows = row_sigmas(chain.sigma_max, chain.per_octave)
    # What the interpolation adds between two rows (see `prove`) is theirs to leave free.
    bend = curvature(rows, radius_of(rows), chain.reach) * np.gradient(rows) ** 2 / 16
    allowed = np.maximum(0.993 * chain.tolerance - bend, 0.5 * chain.tolerance)
    for _ in range(6):
        table = fitted_rows(chain, allowed)
        last = np.maximum.accumulate(((table != 0) * np.arange(table.shape[1])).max(1))
        chain = replace(chain, table=table, levels=last[1:].astype(np.int32))
        cells, _, bounds = prove(chain)
        over = bounds > MARGIN * chain.tolerance
        if not (over & (chain.levels[cells] < table.shape[1] - 1)).any():
            break
        for row in np.union1d(cells[over], cells[over] + 1):
            allowed[row] *= 0.94
    return replace(chain, bound=float(bounds.max()))


# The proof ------------------------------------------------------------------------------------


def prove(chain: Chain) -> tuple[Ints, Floats, Floats]:
    """Bound E on every piece of 0 ≤ σ ≤ sigma_max; give the pieces' cells, starts and bounds.

    A piece lies within a cell and between two jumps of the radius, at σ = (r − ½) / 4. There K̂
    is affine in σ and K smooth, so that between two samples δ apart

        E(σ) ≤ the larger E of both + δ² / 16 · sup ‖∂²K/∂σ²‖₁,

    for linear interpolation is off by δ² / 8 · sup at most, and E takes half the norm (K and
    its chord have the same sum). Samples are at 8 or more steps a cell, 4 for the largest
    chains; at a piece's upper end K has still the radius below the jump. The supremum is the
    largest of the samples', doubled for what may lie between them.
    """
    rows = row_sigmas(chain.sigma_max, chain.per_octave)
    jumps = (np.arange(1, 4 * chain.sigma_max + 1) - 0.5) / 4
    marks = np.union1d(rows, jumps)
    marks = np.append(marks[marks < chain.sigma_max], chain.sigma_max)
    low, high = marks[:-1], marks[1:]
    cells = np.searchsorted(rows, low, side="right") - 1
    radius = radius_of((low + high) / 2)
    octant = Octant(chain.reach)
    basis = octant.square(composites(chain.dilations, chain.sides, chain.reach)[0])
    start, rise = (
        chain.table[:-1].astype(np.float64),
        np.diff(chain.table.astype(np.float64), axis=0),
    )
    samples = 8 if chain.sigma_max <= 16 else 4
    worst, bend = np.zeros((2, len(low)))
    for sigma in np.linspace(low, high, samples + 1):
        along = (sigma - rows[cells]) / (rows[cells + 1] - rows[cells])
        coefficients = start[cells] + along[:, None] * rise[cells]
        bend = np.maximum(bend, curvature(sigma, radius, chain.reach))
        for part in np.array_split(np.arange(len(low)), 1 + len(low) * len(octant.counts) // 2**22):
            kernels = octant.square(gaussians(sigma[part], radius[part], chain.reach))
            off = kernels - coefficients[part] @ basis
            error = 0.5 * (np.abs(off) @ octant.counts + np.abs(off @ octant.counts))
            worst[part] = np.maximum(worst[part], error)
    return cells, low, worst + 2 * bend * ((high - low) / samples) ** 2 / 16


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
    with np.load(DATA) as data:
        for i in range(sum(key.endswith("_bound") for key in data)):
            values = {f.name: data[f"{i}_{f.name}"] for f in fields(Chain)}
            yield Chain(**{name: v if v.ndim else v.item() for name, v in values.items()})


def store(chain: Chain) -> None:
    """Put a chain into the file: loose ones first, each kind from the smallest sigma_max."""
    chains = {(-c.tolerance, c.sigma_max): c for c in (stored() if DATA.exists() else ())}
    chains[-chain.tolerance, chain.sigma_max] = chain
    arrays = {
        f"{i}_{f.name}": np.asarray(getattr(chains[key], f.name))
        for i, key in enumerate(sorted(chains))
        for f in fields(Chain)
    }
    np.savez_compressed(DATA, **arrays)


def derived(sigma_max: float, tolerance: float, seconds: float) -> Chain:
    """Derive a chain from what was found so far."""
    dilations, millionths = (np.array(text.split(), int) for text in START[sigma_max, tolerance])
    sides = millionths / 1e6
    if seconds:
        dilations, sides = search(sigma_max, dilations, sides, seconds=seconds)
    # So that 1 − 2a is exact in float32, and the filters' sum 1.
    sides = (np.round(sides * 2**24) / 2**24).astype(np.float32)
    per_octave = 128 if tolerance == LOOSE else 256
    return tabulate(Chain(sigma_max, tolerance, dilations, sides, per_octave))


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
    row = "{:>9} {:>9} {:>3} {:>5} {:>9} {:>8} {:>10} {:>5} {:>7}".format
    click.echo(
        row(
            "sigma_max",
            "tolerance",
            "K",
            "sum D",
            "bound",
            "at sigma",
            "max sum|c|",
            "rows",
            "bytes",
        )
    )
    wrong = False
    for chain in stored():
        _, starts, bounds = prove(chain)
        bound, table = bounds.max(), chain.table
        wrong |= bool(bound > min(chain.tolerance, chain.bound * (1 + 1e-9)))
        figures = (
            f"{chain.sigma_max:g}",
            f"{chain.tolerance:.3e}",
            table.shape[1],
            chain.dilations.sum(),
            f"{bound:.3e}",
            f"{starts[bounds.argmax()]:.3f}",
            f"{np.abs(table).sum(1).max():.2f}",
            len(table),
            table.nbytes,
        )
        click.echo(row(*figures))
    if wrong:
        raise SystemExit("a chain exceeds its tolerance or its stored bound")


if __name__ == "__main__":
    main()
