"""What every kernel family is: parameters, a radius, weights."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

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


@dataclass(frozen=True, kw_only=True)
class Family(ABC):
    """Kernels of one kind; an instance holds their parameters, numbers or maps.

    A family is one frozen dataclass in one file of this package. Its lines use the array API
    standard only, so that they run on NumPy and on torch (any device, with gradients) alike.
    """

    summary: ClassVar[str]
    even: ClassVar[bool] = False
    """Whether w(dy, dx) = w(|dy|, |dx|) for all kernels: then a quarter of the taps tells all."""

    @classmethod
    def parameters(cls) -> dict[str, Parameter]:
        """The family's parameters by name, in order of declaration."""
        return {f.name: Parameter(name=f.name, **f.metadata["parameter"]) for f in fields(cls)}

    @abstractmethod
    def radius(self) -> int:
        """Give the reach in pixels of the widest kernel: no tap lies beyond it."""

    @abstractmethod
    def radii(self) -> Array:
        """Give the reach of every pixel's own kernel, int64; 0 is the identity."""

    @abstractmethod
    def weights(self, dy: Array, dx: Array) -> Array:
        """Give the weight of the taps at offsets (dy, dx), for every pixel.

        Args:
            dy: row offsets, whole numbers in the parameters' dtype; its leading axes stand
                before the parameters' own, as in [kh, 1, 1, 1] against sigma [H, W].
            dx: column offsets, likewise, as in [1, kw, 1, 1].

        Returns:
            The weights, [kh, kw, H, W] in that example. A tap beyond a pixel's own kernel
            weighs exactly 0, and a weight does not depend on which other taps are asked for.
        """


def extent(values: Array) -> tuple[float, float]:
    """Give the least and the largest of a number or an array as plain floats, without gradient.

    Both are NaN where any value is.
    """
    if isinstance(values, (int, float)):
        return float(values), float(values)
    plain = getattr(values, "detach", lambda: values)()
    return float(plain.min()), float(plain.max())
