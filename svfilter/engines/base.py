"""What every engine is: a reason why not, a bound, a cost, and a way to run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from svfilter import compiled

if TYPE_CHECKING:
    from svfilter.borders import Bordered
    from svfilter.field import KernelField
    from svfilter.kernels.base import Array, Family

Mode = Literal["gather", "scatter"]
MODES: tuple[Mode, ...] = ("gather", "scatter")
"""Whose kernel it is: the output pixel's, which gathers, or the input pixel's, which spreads."""

ROUNDING = 1e-6
"""The error of an exact engine in float32: only rounding, for truncate up to 4."""


def needs_gradient(image: Array, field: KernelField, guide: Array | None = None) -> bool:
    """Tell whether the result must be differentiable."""
    if not any(getattr(a, "requires_grad", False) for a in (image, guide, *field.maps.values())):
        return False
    import torch

    return torch.is_grad_enabled()


@dataclass(frozen=True)
class Problem:
    """What an engine must know of the whole image to say whether it can run, and how well.

    It holds nothing of a single window, so that what is decided from it leaves no trace.
    """

    device: str
    """Where the arrays are: a torch device's name."""
    narrowest: Family
    """The family with each per-pixel parameter at the least value that it may have."""
    widest: Family
    """The same at the largest."""
    dtype: Literal["float32", "float64"] = "float32"
    """What is computed in."""
    needs_gradient: bool = False
    tolerance: float = 0.0
    """The largest error allowed, for an image with values in 0 to 1; 0: none but rounding."""
    planes: int = 3
    pixels: int = 1_000_000
    mode: Mode = "gather"
    guides: int = 0
    """Planes of the guide."""

    def mean_taps(self) -> float:
        """Guess the taps of a kernel: radii spread evenly from the narrowest to the widest."""
        least, most = (2 * family.reach() + 1 for family in (self.narrowest, self.widest))
        return (least * least + least * most + most * most) / 3


class Engine(ABC):
    """A way to compute one or both of

        gather:  out(p) = Σ_d w(d; θ(p)) · x(p + d)
        scatter: out(p) = Σ_q w(p − q; θ(q)) · x(q)

    One engine is one file of this package with one `ENGINE` in it.
    """  # noqa: D415  (the equations end the sentence)

    name: ClassVar[str]
    summary: ClassVar[str]
    error: ClassVar[str]
    """The largest error of any output value, for an image with values in 0 to 1, in words."""
    automatic: ClassVar[bool] = True
    """Whether it may be chosen without being asked for by name."""
    arrays: ClassVar[Literal["numpy", "torch"]]
    """The kind of arrays that `run` takes and gives."""
    always_float64: ClassVar[bool] = False
    """Whether it computes in float64 even where the image is of less."""
    any_kernels: ClassVar[bool] = True
    """Whether it scatters too, takes a guide, and weights of any sum."""

    def why_not(self, problem: Problem) -> str | None:
        """Say why the engine cannot run the problem, or None if it can."""
        if self.any_kernels:
            return None
        if problem.mode != "gather":
            return "it gathers only"
        if problem.widest.guided:
            return "it takes no guide"
        if not problem.widest.normalised:
            return "it is for kernels that add up to 1"
        return None

    @abstractmethod
    def bound(self, problem: Problem) -> float:
        """Give the largest error of any output value, for an image with values in 0 to 1."""

    @abstractmethod
    def cost(self, problem: Problem) -> float:
        """Estimate the seconds that one thread of a recent processor would take.

        Only the ratios between engines matter; `svfilter bench` measures them.
        """

    def margin(self, problem: Problem, field: KernelField) -> int:
        """Give how many pixels around a window are needed for the window's field."""
        return field.reach

    @abstractmethod
    def run(
        self,
        image: Bordered,
        field: KernelField,
        problem: Problem,
        *,
        guide: Bordered | None = None,
        memory: int,
        jobs: int | None = None,
    ) -> Array:
        """Filter a window.

        Args:
            image: the window, [..., H, W] floating point, with the engine's margin around it.
            field: its per-pixel parameters are arrays of the image's dtype and device, of
                shape [..., H, W] or [] (stationary); to scatter, of the window and its margin.
            problem: of the whole image.
            guide: for a guided family, finite planes [G, H, W] with the same margin.
            memory: bytes that the engine may use beyond image, field and result.
            jobs: threads; default one for each core. The result does not depend on it.

        Returns:
            The result, [..., H, W]. It does not depend on how an image is cut into windows.
        """


class CpuEngine(Engine):
    """An engine on NumPy arrays, in float32 if not always in float64."""

    arrays: ClassVar[Literal["numpy", "torch"]] = "numpy"
    compiled: ClassVar[bool] = False
    """Whether its functions are compiled by numba."""

    def why_not(self, problem: Problem) -> str | None:
        """It needs the CPU, an image of its precision, and gives no gradients."""
        if reason := super().why_not(problem):
            return reason
        if not problem.device.startswith("cpu"):
            return f"it runs on the CPU, and the device is {problem.device}"
        if problem.needs_gradient:
            return "it gives no gradients"
        if problem.dtype != "float32" and not self.always_float64:
            return f"it computes in float32, and the image is {problem.dtype}"
        return compiled.missing() if self.compiled else None
