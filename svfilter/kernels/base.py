"""What every kernel family is: parameters, a radius, weights."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

from array_api_compat import array_namespace, device

Array = Any
"""A NumPy array or a torch tensor: the array API standard gives them no common type."""


@dataclass(frozen=True)
class Parameter:
    """What is known of one parameter of a family: it feeds checks, options and tables."""

    name: str
    default: float
    unit: str
    low: float
    high: float
    help: str
    per_pixel: bool

    def complaint(self, low: float, high: float) -> str | None:
        """Say what is wrong with values from low to high, or None if nothing is."""
        if self.low <= low and high <= self.high:  # never so for NaN
            return None
        received = f"{low:g}" if not low < high else f"{low:g} to {high:g}"
        return f"must lie in {self.low:g} to {self.high:g} {self.unit}, but is {received}"


def per_pixel(default: float, *, unit: str, low: float, high: float, help: str) -> Any:
    """Declare a parameter that may differ at every pixel."""
    return _declare(default, unit=unit, low=low, high=high, help=help, per_pixel=True)


def constant(default: float, *, unit: str, low: float, high: float, help: str) -> Any:
    """Declare a parameter that is one number for the whole image."""
    return _declare(default, unit=unit, low=low, high=high, help=help, per_pixel=False)


def _declare(default: float, **facts: Any) -> Any:
    return field(default=default, metadata={"parameter": {"default": default, **facts}})


@dataclass(frozen=True, eq=False)
class Blend:
    """Kernels that are stored: w(dy, dx; p) = Σ_j share_j(p) · bank[index_j(p), r + dy, r + dx].

    Without a bank the shares are the taps themselves, row by row.
    """

    bank: Array | None  # [N, 2 · r + 1, 2 · r + 1]
    indices: list[Array]  # each [..., H, W] or [], whole numbers
    shares: list[Array]  # each [..., H, W] or []


@dataclass(frozen=True, kw_only=True)
class Family(ABC):
    """Kernels of one kind; an instance holds their parameters, numbers or maps.

        w(d; θ) = u(d; θ) / Σ_i u(i; θ),   d = (dy, dx), |dy|, |dx| ≤ r(θ)

    A family is one frozen dataclass in one file of this package: its parameters, the radius r and
    the profile u. Its lines use the array API standard only, so that they run on NumPy and on
    torch (any device, with gradients) alike, and can be compiled as they stand.

    No parameter may make the radius smaller as it grows.
    """

    summary: ClassVar[str]
    compact: ClassVar[bool] = False
    """Whether u is 0 by itself beyond a pixel's radius."""
    circle: ClassVar[bool] = False
    """Whether it is so beyond a circle of the radius r + 1, too."""
    smooth: ClassVar[bool] = False
    """Whether kernels change smoothly with the parameters, so that a few blend into all others."""
    guided: ClassVar[bool] = False
    """Whether the profile looks at the differences of a guide."""
    normalised: ClassVar[bool] = True
    """Whether weights are divided by their sum; else w = u."""
    scatters: ClassVar[bool] = True
    """Whether it makes sense for a pixel to spread its light by its kernel."""

    @property
    def even(self) -> bool:
        """Whether w(dy, dx) = w(|dy|, |dx|): then a quarter of the taps tells all."""
        return False

    @classmethod
    def parameters(cls) -> dict[str, Parameter]:
        """The family's parameters by name, in order of declaration."""
        return {
            f.name: Parameter(name=f.name, **f.metadata["parameter"])
            for f in fields(cls)
            if f.metadata
        }

    @abstractmethod
    def reach(self) -> int:
        """Give the reach in pixels of the widest kernel: no tap lies beyond it."""

    @abstractmethod
    def reaches(self) -> Array:
        """Give the reach r of every pixel's own kernel, int64; 0 is the identity."""

    @abstractmethod
    def profile(self, dy: Array, dx: Array, *differences: Array) -> Array:
        """Give u, the weights of the taps at offsets (dy, dx) before they are normalised.

        What it says of taps beyond a pixel's own radius does not matter; it must be finite.

        Args:
            dy: row offsets, whole numbers in the parameters' dtype; its leading axes stand
                before the parameters' own, as in [kh, 1, 1, 1] against sigma [H, W].
            dx: column offsets, likewise, as in [1, kw, 1, 1].
            differences: of a guided family, for each plane g of the guide g(p + d) − g(p), of
                the shape of the result.

        Returns:
            The weights, [kh, kw, H, W] in that example.
        """

    def span(self, dy: Array) -> tuple[Array, Array] | None:
        """Give between which dx the taps of a row weigh anything, if less than the radius says.

        Rounding may be off by a pixel; u is exactly 0 for what is farther out. Operations are the
        same as in a profile.
        """
        return None

    def masked(self, dy: Array, dx: Array, *differences: Array) -> Array:
        """Give u within the radius, and exactly 0 beyond; a normalised kernel of one tap is 1."""
        u = self.profile(dy, dx, *differences)
        xp = array_namespace(u)
        radii = xp.astype(self.reaches(), dy.dtype)
        if self.normalised:
            u = xp.where(radii == 0, 1.0, u)
        return xp.where(xp.maximum(abs(dy), abs(dx)) <= radii, u, 0.0)

    def total(self, dtype: Any) -> Array:
        """Give Σ u over each pixel's own taps, for a family without a guide, in a dtype."""
        radii, reach = self.reaches(), self.reach()
        xp = array_namespace(radii)
        offsets = xp.arange(-reach, reach + 1, dtype=dtype, device=device(radii))
        names = (name for name, parameter in self.parameters().items() if parameter.per_pixel)
        axes = max(getattr(getattr(self, name), "ndim", 0) for name in names)
        dx = xp.reshape(offsets, (-1,) + (1,) * axes)
        total: Array = sum(xp.sum(self.masked(dy, dx), axis=0) for dy in offsets)
        return total

    def weights(self, dy: Array, dx: Array) -> Array:
        """Give w, for a family without a guide; it does not depend on which taps are asked for."""
        u = self.masked(dy, dx)
        return u / self.total(dy.dtype) if self.normalised else u

    def blend(self) -> Blend | None:
        """Give the stored kernels that a pixel's kernel is a blend of, if that is what it is."""
        return None

    def linear(self) -> Family:
        """Give the family of the linear filter that `finish` starts from."""
        return self

    def finish(self, own: Array, filtered: Array) -> Array:
        """Give the result, from the image's own values and those that the linear filter made."""
        return filtered

    def gain(self) -> float:
        """Give how many times larger than the linear filter's error that of the result may be."""
        return 1.0


def extent(values: Array) -> tuple[float, float]:
    """Give the least and the largest of a number or an array as plain floats, without gradient.

    Both are NaN where any value is.
    """
    if isinstance(values, (int, float)):
        return float(values), float(values)
    plain = getattr(values, "detach", lambda: values)()
    return float(plain.min()), float(plain.max())
