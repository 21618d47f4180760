"""What every driver is: it gives one or more parameters of a family at every pixel."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

from svfilter.errors import InvalidArgument

if TYPE_CHECKING:
    from svfilter.images.reading import ImageReader
    from svfilter.kernels.base import Array
    from svfilter.maps.sources import Sources
    from svfilter.tiles import Window

Span = tuple[float, float]
"""The least and the largest value that a parameter may have."""


class Driver(ABC):
    """What was asked for: frozen, hashable and cheap; no file is opened.

    A driver is one frozen dataclass. The values that it gives do not depend on the windows.
    """

    @property
    @abstractmethod
    def gives(self) -> dict[str, Span | None]:
        """The parameters by name, with their spans where no file is needed to know them."""

    @property
    def sources(self) -> tuple[str, ...]:
        """The names of the files that it reads."""
        return ()

    @property
    def rereads_image(self) -> bool:
        """Whether it reads the image that is filtered once before."""
        return False

    @abstractmethod
    def open(self, image: ImageReader, sources: Sources) -> Opened:
        """Open what it reads, for an image that will be filtered.

        Raises:
            InvalidArgument: it cannot drive this image, or a source is not what it needs.
            ImageReadError: a source cannot be read.
        """


class Opened(ABC):
    """A driver at work for one image.

    Windows may be any within the image whose rows have not been let go; they are mostly asked for
    from top to bottom, by one thread at a time.
    """

    spans: dict[str, Span]
    """What each parameter may be at any pixel; known before pixels are filtered."""
    per_channel: bool = False
    """Whether it gives a value for each of the image's channels."""
    margin: int = 0
    """How far around a window pixels are read."""
    row_bytes: int = 0
    """Bytes that are held for each row of the image,"""
    fixed_bytes: int = 0
    """and beside them; what `Sources` hold comes on top."""

    @abstractmethod
    def read(self, window: Window) -> dict[str, Array | float]:
        """Give a window's values, [1 or more, h, w] float32, or the one value of all pixels."""

    def read_depth(self, window: Window) -> Array | None:
        """Give how near a window's pixels are, [1, h, w] float32, larger where nearer.

        They are no larger than the radii that it gives. None if it knows nothing of that.
        """
        return None

    def let_go(self, row: int) -> None:  # noqa: B027  (nothing is held)
        """Forget what only windows above a row would need."""

    def end(self) -> None:  # noqa: B027  (nothing is odd)
        """Warn of what is odd, now that all of the image was read."""


def single(value: float) -> float:
    """Give the float32 nearest to a value: what the values of a map are compared with."""
    import numpy as np

    return float(np.float32(value))


def check_number(name: str, value: float, *, low: float = -math.inf) -> None:
    """Refuse a number that is not finite, or too small.

    Raises:
        InvalidArgument: it is.
    """
    if not (math.isfinite(value) and value >= low):
        rule = "finite" if low == -math.inf else f"finite and at least {low:g}"
        raise InvalidArgument(f"{name} must be {rule}, but is {value:g}")
