"""What a file is to be filtered with, as it was asked for, checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from svfilter import devices
from svfilter.defocus import Highlights
from svfilter.engines.base import Mode
from svfilter.errors import InvalidArgument
from svfilter.field import KernelField, by_parameter
from svfilter.functional import (
    check_boundary,
    check_jobs,
    check_mode,
    check_scatters,
    check_tolerance,
)
from svfilter.kernels.lens import Lens
from svfilter.maps.depth import Focus

if TYPE_CHECKING:
    from svfilter.kernels.base import Family
    from svfilter.maps.base import Driver, Span


@dataclass(frozen=True)
class Request:
    """How to filter, the same for every page of a file; see `pipeline.filter_file`."""

    family: type[Family]
    drivers: tuple[Driver, ...]
    constants: Mapping[str, float] = field(default_factory=dict)
    mode: Mode = "gather"
    normalise: str = "energy"
    guide: str | None = None
    """The name of an image, or None for the image itself."""
    occlusion: bool = False
    highlights: Highlights | None = None
    boundary: str = "replicate"
    engine: str = "auto"
    tolerance: float | None = None
    verify: bool = False
    place: str = "cpu"
    """The device, resolved."""
    memory: int | None = None
    """Bytes that the whole process may use, if there is a limit."""
    jobs: int | None = None
    tile: int | None = None
    linear: bool = False
    nan: str = "keep"

    @property
    def sources(self) -> list[str]:
        """The names of the maps, each once, and of the guide."""
        names = dict.fromkeys(name for driver in self.drivers for name in driver.sources)
        return [*names, *([self.guide] if self.guide is not None else [])]

    @cached_property
    def allowance(self) -> int:
        """Bytes that the whole process may use: default what it uses now and half of the rest."""
        if self.memory is not None:
            return self.memory
        return devices.process_memory() + devices.free_memory() // 2

    def __post_init__(self) -> None:
        check_boundary(self.boundary)
        check_mode(self.mode, self.normalise)
        check_scatters(self.mode, self.family)
        if self.guide is not None and not self.family.guided:
            raise InvalidArgument(f"a guide is not looked at by kernels of {self.family.summary}")
        if self.tolerance is not None:
            check_tolerance(self.tolerance)
        check_jobs(self.jobs)
        self._check_defocus()
        self._check_given()
        given = [item for driver in self.drivers for item in driver.gives.items()]
        known = self.family.parameters()
        unknown = {name: (known[name.partition("[")[0]].default,) * 2 for name, _ in given}
        self.ends({name: span or unknown[name] for name, span in given})

    def _check_defocus(self) -> None:
        for name in ("occlusion", "highlights"):
            if not getattr(self, name):
                continue
            if self.family is not Lens or self.mode != "scatter":
                raise InvalidArgument(f"{name} is for lenses that scatter: leave --mode as it is")
        if self.occlusion and not any(isinstance(driver, Focus) for driver in self.drivers):
            raise InvalidArgument("occlusion needs a depth: give --depth")
        if self.occlusion and self.verify:
            raise InvalidArgument(
                "--verify compares with a plain sum, which knows no occlusion; leave one of them"
            )

    def _check_given(self) -> None:
        names = [name for name, p in self.family.parameters().items() if p.per_pixel]
        given = [name for driver in self.drivers for name in driver.gives]
        for name in given:
            if name.partition("[")[0] not in names:
                raise InvalidArgument(
                    f"a map gives {name}, but what {self.family.__name__} can take from maps is "
                    f"{', '.join(names)}"
                )
            if given.count(name) > 1:
                raise InvalidArgument(f"{name} is given by more than one map")

    def ends(self, spans: Mapping[str, Span]) -> tuple[Family, Family]:
        """Give the family with every parameter at its least, and at its largest.

        Args:
            spans: of parameters by name; the others have their defaults.

        Raises:
            InvalidArgument: a value out of its range.
        """
        least, most = ({name: span[end] for name, span in spans.items()} for end in (0, 1))
        return self._checked(least), self._checked(most)

    def _checked(self, values: Mapping[str, float]) -> Family:
        kernels = KernelField(self.family(**by_parameter(values.items()), **self.constants))
        kernels.validate(1, 1)
        return kernels.family
