"""The images that drivers read: each is opened once, however many parameters it drives."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import TYPE_CHECKING

from svfilter.errors import InvalidArgument
from svfilter.images.sources import is_pipe, shown

if TYPE_CHECKING:
    from svfilter.images.reading import ImageReader


def check_rereadable(name: str) -> None:
    """Refuse what can be read once only.

    Raises:
        InvalidArgument: it is stdin or a pipe.
    """
    if is_pipe(name):
        raise InvalidArgument(
            f"{shown(name)}: a map that is piped in can be read once only; stretch it between "
            "numbers, or put it into a file"
        )


class Sources:
    """Opens images by their names; whoever made it closes it."""

    def __init__(
        self,
        open_image: Callable[[str], ImageReader],
        image_again: Callable[[], AbstractContextManager[ImageReader]],
        *,
        jobs: int | None = None,
        boundary: str = "replicate",
    ) -> None:
        """Open nothing.

        Args:
            open_image: opens an image by its name.
            image_again: opens the image that is filtered once more, to read it from the top.
            jobs: threads, as in `filter_image`.
            boundary: what stands beyond the image; where that is 0, beyond a map it is the nearest
                level.
        """
        self._open_image, self.image_again, self.jobs = open_image, image_again, jobs
        self.boundary = "replicate" if boundary == "constant" else boundary
        self._opened = ExitStack()
        self._shared: dict[str, _Shared] = {}

    def open(self, name: str) -> Hold:
        """Open an image, or take hold of one that is open."""
        if name not in self._shared:
            self._shared[name] = _Shared(self._opened.enter_context(self._open_image(name)))
        return Hold(self._shared[name])

    def again(self, name: str) -> ImageReader:
        """Open an image once more, to read it from the top; whoever asked for it closes it.

        Raises:
            InvalidArgument: it is a pipe.
        """
        check_rereadable(name)
        return self._open_image(name)

    @contextmanager
    def afresh(self) -> Iterator[Sources]:
        """Give the same with nothing open, to read all of it once more from the top."""
        again = Sources(self._open_image, self.image_again, jobs=self.jobs, boundary=self.boundary)
        try:
            yield again
        finally:
            again.close()

    def row_bytes(self, height: int) -> int:
        """Give the bytes of all their rows that belong to one row of an image of that height."""
        images = [shared.image for shared in self._shared.values()]
        return sum(math.ceil(i.layout.row_bytes * (i.height / height)) for i in images)

    @property
    def fixed_bytes(self) -> int:
        """Bytes of the decoders, and of what they decode ahead."""
        images = [shared.image for shared in self._shared.values()]
        return sum(i.decoder_bytes + 2 * i.block_bytes for i in images)

    def close(self) -> None:
        """Close all."""
        self._opened.close()


class _Shared:
    """An image, and the row above which each of its holders has let go."""

    def __init__(self, image: ImageReader) -> None:
        self.image = image
        self.rows: list[int] = []


class Hold:
    """One reader's hold on an image: a row is forgotten when all have let go of it."""

    def __init__(self, shared: _Shared) -> None:
        self._shared, self._place = shared, len(shared.rows)
        shared.rows.append(0)

    @property
    def image(self) -> ImageReader:
        """The image."""
        return self._shared.image

    def let_go(self, row: int) -> None:
        """Say that rows above one are not needed any more."""
        self._shared.rows[self._place] = row
        self.image.let_go(min(self._shared.rows))
