"""A kernel field: which kernel each output pixel uses."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

from array_api_compat import array_namespace, is_numpy_array, is_torch_array

from svfilter.errors import InvalidArgument
from svfilter.kernels.base import extent

if TYPE_CHECKING:
    from svfilter.kernels.base import Array, Family
    from svfilter.tiles import Window


@dataclass(frozen=True, eq=False)  # maps are arrays: equal is not one bit
class KernelField:
    """Assign a kernel to every pixel: a family whose per-pixel parameters are numbers or maps.

    θ(p) in out(p) = Σ_d w(d; θ(p)) · x(p + d). A map is an array [..., H, W] in the unit that
    the family states, its last two axes those of the image; axes before them broadcast against
    the image's ([C, H, W]: every channel its own kernels). A number is the same kernel
    everywhere.

    Args:
        family: a family instance, such as `Gaussian(sigma=sigma_map)`.

    Example:
        >>> import numpy as np
        >>> from svfilter import Gaussian
        >>> KernelField(Gaussian(sigma=np.array([[0.0, 2.0]]))).reach
        8
    """

    family: Family

    @cached_property
    def reach(self) -> int:
        """The radius of the widest kernel in the field, in pixels."""
        return self.family.reach()

    @cached_property
    def maps(self) -> dict[str, Array]:
        """The per-pixel parameters by name: numbers and arrays; of a tuple, each by its place."""
        found: dict[str, Array] = {}
        for name, parameter in self.family.parameters().items():
            value = getattr(self.family, name)
            if parameter.per_pixel and isinstance(value, tuple):
                found |= {f"{name}[{i}]": part for i, part in enumerate(value)}
            elif parameter.per_pixel:
                found[name] = value
        return found

    @cached_property
    def extents(self) -> dict[str, tuple[float, float]]:
        """The least and the largest value of each per-pixel parameter."""
        return {name: extent(values) for name, values in self.maps.items()}

    def ends(self) -> tuple[Family, Family]:
        """Give the family with every per-pixel parameter at its least, and at its largest."""
        least, most = (
            self.with_maps((name, span[end]) for name, span in self.extents.items()).family
            for end in (0, 1)
        )
        return least, most

    def window(self, window: Window) -> KernelField:
        """Give the field of a window; its reach is the window's own."""
        return self.transform(lambda v: v[..., window.rows, window.cols] if _has_pixels(v) else v)

    def transform(self, change: Callable[[Array], Array]) -> KernelField:
        """Give the field with every per-pixel parameter changed, such as moved to a device."""
        changed = {name: change(value) for name, value in self.maps.items()}
        if all(value is self.maps[name] for name, value in changed.items()):
            return self  # with what it knows of them
        return self.with_maps(changed.items())

    def with_maps(self, values: Iterable[tuple[str, Array]]) -> KernelField:
        """Give the field with other per-pixel parameters, by name as in `maps`."""
        return KernelField(replace(self.family, **by_parameter(values)))

    def validate(self, height: int, width: int) -> None:
        """Check every parameter's range and every map's shape.

        Raises:
            InvalidArgument: a value out of its range or not finite, or a map of other sizes.
        """
        parameters = self.family.parameters()
        constants = {n: getattr(self.family, n) for n, p in parameters.items() if not p.per_pixel}
        for name, value in {**self.maps, **constants}.items():
            parameter = parameters[name.partition("[")[0]]
            number = isinstance(value, (int, float))
            if not (number or (parameter.per_pixel and _is_real(value))):
                rule = "a number" + " or an array of real numbers" * parameter.per_pixel
                received = getattr(value, "dtype", type(value).__name__)
                raise InvalidArgument(f"{name} must be {rule}, but is of type {received}")
            if _has_pixels(value):
                _check_sizes(name, tuple(value.shape), height, width)
            span = self.extents[name] if parameter.per_pixel else extent(value)
            if complaint := parameter.complaint(*span):
                raise InvalidArgument(f"{name} {complaint}")


def by_parameter(values: Iterable[tuple[str, Array]]) -> dict[str, Array]:
    """Give a family's arguments of values by the names in `KernelField.maps`."""
    found: dict[str, Array] = {}
    for name, value in values:
        whole, _, place = name.partition("[")
        found[whole] = (*found.get(whole, ()), value) if place else value
    return found


def _is_real(value: Array) -> bool:
    import numpy as np

    if not (is_numpy_array(value) or is_torch_array(value) or isinstance(value, np.generic)):
        return False
    xp = array_namespace(value)
    return bool(xp.isdtype(value.dtype, ("bool", "integral", "real floating")))


def _has_pixels(value: Array) -> bool:
    return getattr(value, "ndim", 0) > 0


def _check_sizes(name: str, shape: tuple[int, ...], height: int, width: int) -> None:
    if shape[-2:] != (height, width):
        raise InvalidArgument(
            f"{name} must be a number or a map [..., {height}, {width}] like the image, "
            f"but has shape {list(shape)}"
        )
