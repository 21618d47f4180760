"""What every encoder is: it takes rows of pixels, from top to bottom, and writes a file."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from svfilter.images.layout import Layout
    from svfilter.images.metadata import Metadata
    from svfilter.kernels.base import Array


class Encoder(ABC):
    """Writes images into a file that is open and empty, or for some formats a folder to be made.

        encoder = SomeEncoder(file, jobs=2)
        encoder.begin(layout, metadata, options)   # once for every page, see Format.paged
        encoder.write(rows)                        # until there are layout.height of them
        encoder.end()
        encoder.close()

    What the format cannot hold was refused before. An OSError of the file comes through; what
    cannot be encoded for another reason is a ValueError.
    """

    seeks: ClassVar[bool] = False
    """Whether the file must be one on a disk, not a pipe."""
    memory: int = 2**24
    """Bytes that are held at the peak, beyond the rows given; known from `begin` on."""

    def __init__(self, file: Any, *, jobs: int) -> None:
        self.file = file
        """A BinaryIO, or the name of a folder where `Format.folder` says so."""
        self.jobs = jobs

    @abstractmethod
    def begin(self, layout: Layout, metadata: Metadata, options: dict[str, Any]) -> None:
        """Start an image.

        Args:
            layout: what the rows will be.
            metadata: what the format can hold of it is written.
            options: how to store it, as in Storage: those of the image read if it was of the same
                format, with what the user asked for in place of them. Every one has a default.
        """

    @abstractmethod
    def write(self, rows: Array) -> None:
        """Take the next rows, [n, width, channels], of the layout's dtype."""

    @abstractmethod
    def end(self) -> None:
        """Finish the image; a ValueError if rows are missing."""

    def close(self) -> None:  # noqa: B027  (nothing to do is a good default)
        """Finish the file, after the last image."""

    def abandon(self) -> None:  # noqa: B027
        """Stop threads and let go of what is held: the file will not be finished."""
