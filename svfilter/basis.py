"""A few kernels of a family whose blends stand for all the others, and how far off they are.

    K(θ) ≈ Σ_r c_r(θ) · K(θ_r)

The codebook is the family sampled along its one varying parameter. Its rank is small, because
neighbouring kernels are alike. The basis are members of the codebook itself, picked by pivoting:
they need no storing, for the family makes them when they are wanted.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache

import numpy as np

from svfilter.field import KernelField
from svfilter.kernels.base import Array, Family

MOST_SAMPLES, MOST_RANK = 256, 48
BETWEEN = 1.1
"""A tenth is added for what lies between: it is measured, not proven."""
_VALUES = 2**22  # of weights that are made at once
_FINEST = 1e-4
"""Cells of the codebook are not split when they are narrower than this share of its range."""


@dataclass(frozen=True, eq=False)
class Basis:
    """The kernels K(θ_r), the coefficients at the samples, and their slope between them."""

    members: list[Family]
    samples: Array  # float64 [N], increasing
    coefficients: Array  # float64 [N, R]
    slopes: Array  # float64 [N, R]
    bound: float
    """½‖K − K̂‖₁ at most: BETWEEN times the largest at the samples, at quarters of the way to the
    next, and on both sides of where a radius grows."""

    def blend(self, values: Array) -> Iterator[Array]:
        """Give c_r at every value of the parameter, float32, one r after the other."""
        place = np.clip(np.searchsorted(self.samples, values, side="right") - 1, 0, None)
        place = np.minimum(place, len(self.samples) - 2)
        step = np.diff(self.samples)[place]
        t = (np.clip(values, self.samples[0], self.samples[-1]) - self.samples[place]) / step
        parts = [part.astype(np.float32) for part in _hermite(t, step)]
        tables = (table.T.astype(np.float32) for table in (self.coefficients, self.slopes))
        for own, slope in zip(*tables, strict=True):
            yield (
                parts[0] * own[place]
                + parts[1] * slope[place]
                + parts[2] * own[place + 1]
                + parts[3] * slope[place + 1]
            )


def _hermite(t: Array, step: Array) -> tuple[Array, ...]:
    """Give the shares of value, slope, next value and next slope in a cubic."""
    u = 1 - t
    return (1 + 2 * t) * u * u, t * u * u * step, t * t * (3 - 2 * t), -t * t * u * step


@lru_cache(maxsize=8)
def derive(narrowest: Family, widest: Family, name: str, tolerance: float) -> Basis | None:
    """Find the smallest basis that keeps the tolerance, or None.

    Args:
        narrowest: the family with the parameter `name` at its least, all numbers.
        widest: the same at its largest.
        name: the parameter that varies.
        tolerance: ½‖K − K̂‖₁ at most.
    """
    low, high = float(getattr(narrowest, name)), float(getattr(widest, name))
    samples = _samples(widest, name, low, high, tolerance / 8)
    gram = sum(block.T @ block for block in _blocks(widest, name, samples))
    order = _pivots(gram)
    quarters = np.interp(np.arange(0, len(samples) - 0.75, 0.25), np.arange(len(samples)), samples)
    checked = np.concatenate([quarters, _jumps(widest, name, samples)])

    def attempt(rank: int) -> Basis:
        chosen = order[:rank]
        coefficients = _fit(gram, chosen)
        slopes = np.gradient(coefficients, samples, axis=0)
        members = [_members(widest, name, samples[i]) for i in chosen]
        basis = Basis(members, samples, coefficients, slopes, math.inf)
        shares = np.stack(list(basis.blend(checked)), axis=-1)
        total = np.zeros(len(checked))
        for block in _blocks(widest, name, np.concatenate([samples[chosen], checked])):
            total += 0.5 * np.abs(block[:, rank:] - block[:, :rank] @ shares.T).sum(0)
        return replace(basis, bound=BETWEEN * float(total.max()))

    good = attempt(len(order))
    if good.bound > tolerance:
        return None
    bad = 1
    while len(good.members) - bad > 1:
        middle = attempt((bad + len(good.members)) // 2)
        if middle.bound <= tolerance:
            good = middle
        else:
            bad = len(middle.members)
    return good


def _samples(widest: Family, name: str, low: float, high: float, tolerance: float) -> Array:
    """Place samples so that a cubic between them finds the kernels halfway.

    Only some rows of taps are looked at: the bound is taken of all of them later. Where kernels
    jump, as they do when their radius grows, no cubic does, however near the samples.
    """
    samples = np.unique(np.linspace(low, high, 9))  # there may be fewer numbers in between
    while len(samples) < MOST_SAMPLES:
        off = np.zeros(len(samples) - 1)
        for block in _blocks(widest, name, _with_halves(samples), every=8):
            own = block[:, ::2].T
            guess = _interpolated(own, np.gradient(own, samples, axis=0), samples)
            off += 4 * np.abs(guess[1::2] - block[:, 1::2].T).sum(1)
        far = (off > tolerance) & (np.diff(samples) > (high - low) * _FINEST)
        if not far.any():
            break
        halves = ((samples[:-1] + samples[1:]) / 2)[far]
        samples = np.sort(np.concatenate([samples, halves]))
    return samples


def _jumps(widest: Family, name: str, samples: Array) -> Array:
    """Give the values on both sides of where a radius grows: there kernels are not continuous."""

    def radii(values: Array) -> Array:
        return np.broadcast_to(_members(widest, name, values).reaches(), values.shape)

    grows = np.flatnonzero(np.diff(radii(samples)))
    below, above = samples[grows], samples[grows + 1]
    at_first = radii(below)
    for _ in range(60):  # bisection: to neighbouring numbers
        middle = (below + above) / 2
        same = radii(middle) == at_first
        below, above = np.where(same, middle, below), np.where(same, above, middle)
    return np.concatenate([below, above])


def _with_halves(samples: Array) -> Array:
    """Give the samples and the values halfway between them, in turn."""
    return np.sort(np.concatenate([samples, (samples[:-1] + samples[1:]) / 2]))


def _interpolated(values: Array, slopes: Array, samples: Array) -> Array:
    """Give the values [N, …] and those that a cubic finds halfway, in turn."""
    parts = _hermite(np.float64(0.5), np.diff(samples)[:, None])
    between = parts[0] * values[:-1] + parts[1] * slopes[:-1]
    between += parts[2] * values[1:] + parts[3] * slopes[1:]
    found = np.empty((2 * len(values) - 1, values.shape[1]))
    found[::2], found[1::2] = values, between
    return found


def _blocks(widest: Family, name: str, values: Array, every: int = 1) -> Iterator[Array]:
    """Give the kernels at these values, [taps, values], some rows of taps at a time.

    Only one row in `every` is given, the central one among them. Taps that are equal by symmetry
    are given once, as their sum.
    """
    family = _members(widest, name, values)
    radius, total = family.reach(), family.total(np.float64)
    d = np.arange(0 if family.even else -radius, radius + 1, dtype=np.float64)
    times = np.where((d != 0) & family.even, 2.0, 1.0)
    own = slice(0 if family.even else radius % every, None, every)
    rows = max(1, _VALUES // (len(d) * len(values)))
    for dy, twice in zip(_cut(d[own], rows), _cut(times[own], rows), strict=True):
        weights = family.masked(dy[:, None, None], d[None, :, None]) / total
        weights *= (twice[:, None] * times)[..., None]
        yield weights.reshape(-1, len(values))


def _members(widest: Family, name: str, values: Array) -> Family:
    """Give the family with one parameter at these values."""
    others = KernelField(widest).transform(np.float64).family
    return replace(others, **{name: values})


def _cut(values: Array, length: int) -> list[Array]:
    return [values[first : first + length] for first in range(0, len(values), length)]


def _pivots(gram: Array) -> Array:
    """Order kernels so that each next one is the least like a blend of those before it.

    A Cholesky factorisation with pivoting, of kernels scaled to one length.
    """
    scale = np.sqrt(np.diag(gram))
    rest = gram / np.outer(scale, scale)
    order: list[int] = []
    while len(order) < min(MOST_RANK, len(rest)):
        i = int(np.argmax(np.diag(rest)))
        if rest[i, i] < 1e-12:
            break
        order.append(i)
        rest = rest - np.outer(rest[:, i], rest[i]) / rest[i, i]
    return np.array(order)


def _fit(gram: Array, chosen: Array) -> Array:
    """Fit coefficients [N, R] that sum to 1 at the samples.

    Least squares, with the constraint as one more unknown.
    """
    count = len(chosen)
    scale = np.sqrt(np.diag(gram)[chosen])
    left = np.zeros((count + 1, count + 1))
    left[:-1, :-1] = gram[np.ix_(chosen, chosen)] / np.outer(scale, scale) + 1e-14 * np.eye(count)
    left[:-1, -1] = left[-1, :-1] = 1 / scale
    right = np.ones((count + 1, len(gram)))
    right[:-1] = gram[chosen] / scale[:, None]
    solved: Array = np.linalg.solve(left, right)[:-1] / scale[:, None]
    return solved.T
