"""A picture that is decoded whole, and packages that decode some and are not always there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any

from svfilter.errors import ImageReadError
from svfilter.images.layout import Alpha, Colour, Layout, Storage
from svfilter.images.metadata import Metadata

if TYPE_CHECKING:
    from svfilter.kernels.base import Array

MODES: dict[str, tuple[int, Colour, Alpha]] = {
    "L": (1, "grey", ""), "LA": (2, "grey", "straight"), "La": (2, "grey", "associated"),
    "I": (1, "grey", ""), "RGB": (3, "rgb", ""), "RGBA": (4, "rgb", "straight"),
    "RGBa": (4, "rgb", "associated"), "CMYK": (4, "cmyk", ""),
}  # fmt: skip
"""Pillow's names of what pixels are: channels, colour and alpha."""


@dataclass(frozen=True)
class Picture:
    """A picture that is not decoded yet."""

    layout: Layout
    storage: Storage
    memory: int
    """Bytes at the peak, when it is decoded."""
    load: Callable[[], Callable[[int, int], Array]]
    """Decodes it, and gives what gives rows of it, in any order."""
    metadata: Metadata
    orientation: int = 1
    close: Callable[[], object] = bool
    """Lets go of the file."""


def plugin(name: str, package: str, what: str) -> Any:
    """Import a package.

    Raises:
        ImageReadError: it is not installed.
    """
    try:
        return import_module(name)
    except ImportError as error:
        raise ImageReadError(
            f"is {what}, which needs the package {package}: pip install {package}"
        ) from error
