"""What a file is to be filtered with: as it was asked for, checked, and for an image at hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from svfilter.engines.base import Problem
from svfilter.field import KernelField
from svfilter.functional import check_boundary, check_jobs, check_tolerance
from svfilter.images.light import Curve, for_profile

if TYPE_CHECKING:
    from svfilter.images.planes import FilterPlanes
    from svfilter.images.reading import ImageReader
    from svfilter.kernels.base import Family
    from svfilter.maps import MapSpec

TOLERANCE_8_BIT = 0.5 / 255
"""Half a step: a value is rounded to the step that it would have had, or to the next."""
TOLERANCE_DEEP = 2.5e-4
"""A step of 12 bits."""


@dataclass(frozen=True)
class Request:
    """How to filter, the same for every page of a file; see `pipeline.filter_file`."""

    family: type[Family]
    maps: Mapping[str, MapSpec]
    constants: Mapping[str, float]
    boundary: str
    engine: str
    tolerance: float | None
    verify: bool
    place: str
    """The device, resolved."""
    memory: int
    """Bytes for the whole process."""
    jobs: int | None
    tile: int | None
    linear: bool
    nan: str
    narrowest: Family = field(init=False)
    """The family with every map at the least of its values,"""
    widest: Family = field(init=False)
    """and at the largest."""

    def __post_init__(self) -> None:
        check_boundary(self.boundary)
        if self.tolerance is not None:
            check_tolerance(self.tolerance)
        check_jobs(self.jobs)
        for name, end in (("narrowest", "low"), ("widest", "high")):
            values = {key: getattr(spec, end) for key, spec in self.maps.items()}
            kernels = KernelField(self.family(**values, **self.constants))
            kernels.validate(1, 1)
            object.__setattr__(self, name, kernels.family)

    def curve(self, image: ImageReader) -> Curve | None:
        """Give the curve from an image's colours to light; floats without a profile are light."""
        if not self.linear:
            return None
        profile = image.metadata.icc_profile
        if profile is None and image.layout.dtype.kind == "f":
            return Curve.identity
        return for_profile(profile, image.layout.colour)

    def problem(self, image: ImageReader, planes: FilterPlanes, curve: Curve | None) -> Problem:
        """Give what the engines must know of an image."""
        tolerance = self.tolerance
        if tolerance is None:
            shallow = image.layout.dtype.itemsize == 1
            tolerance = TOLERANCE_8_BIT if shallow else TOLERANCE_DEEP
        if curve is not None:
            tolerance = curve.tolerance(tolerance)
        if planes.exact_only:
            tolerance = 0.0
        return Problem(
            self.place,
            self.narrowest,
            self.widest,
            tolerance=tolerance,
            planes=planes.count,
            pixels=image.height * image.width,
        )
