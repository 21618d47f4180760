"""svfilter: an image filter whose kernel differs at every pixel.

    out(p) = Σ_d w(d; θ(p)) · x(p + d)

`filter_image(image, KernelField(Gaussian(sigma=sigma_map)))` is the whole Python interface, with
any other family in the place of `Gaussian`; `svfilter blur`, `lens`, `motion`, `sharpen`,
`smooth` and `apply` are the same on files. Names are loaded when first used, so that the command
line can print its help without NumPy or torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from svfilter.errors import EngineUnavailable, InvalidArgument, SvfilterError

if TYPE_CHECKING:
    from svfilter.field import KernelField
    from svfilter.functional import filter_image
    from svfilter.kernels.bilateral import Bilateral
    from svfilter.kernels.box import Box
    from svfilter.kernels.elliptical import Elliptical
    from svfilter.kernels.gaussian import Gaussian
    from svfilter.kernels.lens import Lens
    from svfilter.kernels.moffat import Moffat
    from svfilter.kernels.motion import Motion
    from svfilter.kernels.stored import Basis, Codebook, Dense, Grid
    from svfilter.kernels.triangle import Triangle
    from svfilter.kernels.unsharp import UnsharpMask

__version__ = "0.1.0"
__all__ = [
    "Basis",
    "Bilateral",
    "Box",
    "Codebook",
    "Dense",
    "Elliptical",
    "EngineUnavailable",
    "Gaussian",
    "Grid",
    "InvalidArgument",
    "KernelField",
    "Lens",
    "Moffat",
    "Motion",
    "SvfilterError",
    "Triangle",
    "UnsharpMask",
    "filter_image",
]

_HOMES = {
    "Basis": "svfilter.kernels.stored",
    "Bilateral": "svfilter.kernels.bilateral",
    "Box": "svfilter.kernels.box",
    "Codebook": "svfilter.kernels.stored",
    "Dense": "svfilter.kernels.stored",
    "Elliptical": "svfilter.kernels.elliptical",
    "Gaussian": "svfilter.kernels.gaussian",
    "Grid": "svfilter.kernels.stored",
    "Lens": "svfilter.kernels.lens",
    "Moffat": "svfilter.kernels.moffat",
    "Motion": "svfilter.kernels.motion",
    "Triangle": "svfilter.kernels.triangle",
    "UnsharpMask": "svfilter.kernels.unsharp",
    "KernelField": "svfilter.field",
    "filter_image": "svfilter.functional",
}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
