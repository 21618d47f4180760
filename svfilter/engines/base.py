"""What every engine is: a reason why not, and a way to run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

if TYPE_CHECKING:
    from svfilter.field import KernelField
    from svfilter.kernels.base import Array


def needs_gradient(image: Array, field: KernelField) -> bool:
    """Tell whether the result must be differentiable."""
    if not any(getattr(a, "requires_grad", False) for a in (image, *field.maps.values())):
        return False
    import torch

    return torch.is_grad_enabled()


@dataclass(frozen=True)
class Problem:
    """What an engine must know to say whether it can run."""

    device: str
    """Where the arrays are: a torch device's name."""
    dtype: Literal["float32", "float64"] = "float32"
    """What is computed in."""
    needs_gradient: bool = False


class Engine(ABC):
    """A way to compute out(p) = Σ_d w(d; θ(p)) · x(p + d).

    One engine is one file of this package with one `ENGINE` in it.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    error: ClassVar[str]
    """The largest error of any output value, for an image with values in 0 to 1."""
    automatic: ClassVar[bool] = True
    """Whether it may be chosen without being asked for by name."""
    arrays: ClassVar[Literal["numpy", "torch"]]
    """The kind of arrays that `run` takes and gives."""
    always_float64: ClassVar[bool] = False
    """Whether it computes in float64 even where the image is of less."""

    @abstractmethod
    def why_not(self, problem: Problem) -> str | None:
        """Say why the engine cannot run the problem, or None if it can."""

    @abstractmethod
    def run(self, image: Array, field: KernelField, *, memory: int) -> Array:
        """Filter an image that is already padded by the field's reach.

        Args:
            image: [..., H + 2·reach, W + 2·reach], floating point.
            field: its per-pixel parameters are arrays of the image's dtype and device, of
                shape [..., H, W] or [] (stationary).
            memory: bytes that the engine may use beyond image, field and result.

        Returns:
            The result, [..., H, W]. It does not depend on how an image is cut into windows.
        """
