"""What every decoder is: it says what the pixels are, then gives rows of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from svfilter.images.layout import Layout, Storage
    from svfilter.images.metadata import Metadata
    from svfilter.kernels.base import Array


class Decoder(ABC):
    """A file's pixels, as stored. Opening it reads the header alone.

    What cannot be given without a loss is refused with an ImageReadError when it is opened. Of
    damaged bytes any other exception may come, at any time: whoever opens it says which file it
    is. Rows that the file does not hold are never made up.
    """

    layout: Layout
    metadata: Metadata
    """Said to be upright: orientation 1."""
    storage: Storage
    orientation: int = 1
    """As in EXIF, 1 to 8: how the rows given here must be turned to be upright."""
    pages: int = 1
    """How many images the file holds that can be decoded."""
    page: int = 0
    """Which of them this is."""
    in_order: ClassVar[bool]
    """Whether `rows` must be asked for from top to bottom, each once."""
    block: int
    """How many rows are decoded together: a multiple of it is quickest."""
    memory: int
    """Bytes that are held at the peak, beyond the rows given."""

    @abstractmethod
    def rows(self, start: int, stop: int) -> Array:
        """Decode rows start to stop - 1: [stop - start, width, channels], of the layout's dtype.

        It may run in a thread of its own, and releases the interpreter's lock where it can.
        """

    def close(self) -> None:  # noqa: B027  (nothing to do is a good default)
        """Let go of the file."""
