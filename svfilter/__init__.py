"""svfilter: an image filter whose kernel differs at every pixel.

    out(p) = Σ_d w(d; θ(p)) · x(p + d)

`filter_image(image, KernelField(Gaussian(sigma=sigma_map)))` is the whole Python interface;
`svfilter blur` is the same on files. Names are loaded when first used, so that the command
line can print its help without NumPy or torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from svfilter.errors import EngineUnavailable, InvalidArgument, SvfilterError

if TYPE_CHECKING:
    from svfilter.field import KernelField
    from svfilter.functional import filter_image
    from svfilter.kernels.gaussian import Gaussian

__version__ = "0.1.0"
__all__ = [
    "EngineUnavailable",
    "Gaussian",
    "InvalidArgument",
    "KernelField",
    "SvfilterError",
    "filter_image",
]

_HOMES = {
    "Gaussian": "svfilter.kernels.gaussian",
    "KernelField": "svfilter.field",
    "filter_image": "svfilter.functional",
}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*__all__, "__version__"]
