"""An image written from top to bottom, while a thread encodes what is complete."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import ExitStack
from importlib import import_module
from typing import TYPE_CHECKING, Any

from svfilter import devices
from svfilter.errors import ImageWriteError, InvalidArgument, SvfilterError, SvfilterWarning
from svfilter.images.formats import FORMATS
from svfilter.images.opening import naming_warnings
from svfilter.images.storing import (
    Like,
    Output,
    carried,
    check_options,
    format_name,
    storage_options,
    stored_as,
)
from svfilter.images.targets import Target, TargetFolder, check_target
from svfilter.images.values import Clipped, to_stored
from svfilter.relay import Behind

if TYPE_CHECKING:
    from types import TracebackType

    from svfilter.images.encoders.base import Encoder
    from svfilter.images.layout import Alpha, Layout
    from svfilter.kernels.base import Array
    from svfilter.tiles import Window


class ImageWriter:
    """Takes windows from top to bottom, those of the same rows from left to right."""

    layout: Layout
    """Of the pixels as they are stored in the image that was begun last."""

    def __init__(self, target: str, name: str, output: Output, pages: int, jobs: int) -> None:
        self.target = target
        self._name = name
        self._pages = pages
        self._output = output
        encoder = encoder_of(name)
        self._put_in_place = ExitStack()
        into = TargetFolder(target) if FORMATS[name].folder else Target(target, seeks=encoder.seeks)
        self._encoder = encoder(self._put_in_place.enter_context(into), jobs=jobs)
        self._begun = False
        self._behind: Behind[Callable[[], object]] | None = None
        self._rows: Array | None = None

    @property
    def encoder_bytes(self) -> int:
        """Bytes that the encoder holds."""
        return self._encoder.memory

    def begin(self, like: Like) -> None:
        """Start an image like another, which is the next page if there was one before."""
        output, name = self._output, self._name
        layout = self.layout = stored_as(self.target, name, like.layout, output.bit_depth)
        metadata = carried(self.target, name, like.metadata, strip=output.strip)
        options = storage_options(name, like, output, self._pages)
        self._read, self._clipped = like.layout, Clipped(like.layout.dtype, layout.dtype)
        self._begun = True
        with naming_warnings(self.target):
            self._do(lambda: self._encoder.begin(layout, metadata, options))
        self._behind = Behind(lambda work: work())

    def write(self, window: Window, planes: Array, kept: tuple[Array, Array] | None = None) -> None:
        """Take a window's pixels, which a thread rounds and encodes.

        Args:
            window: where they are.
            planes: [C, h, w] float32, integers as shares of their largest value.
            kept: where pixels [h, w, 1] are not those but others, and these, [h, w, C] as stored.
        """
        self._put(lambda: self._take(window, self._stored(window, planes, kept)))

    def write_stored(self, window: Window, pixels: Array) -> None:
        """Take a window's pixels as they are stored, [h, w, C]."""
        self._put(lambda: self._take(window, pixels))

    def _put(self, work: Callable[[], object]) -> None:
        behind = self._behind
        assert behind is not None
        self._do(lambda: behind.put(work))

    def _stored(self, window: Window, planes: Array, kept: tuple[Array, Array] | None) -> Array:
        import numpy as np

        planes = _with_alpha(planes, self._read.alpha, self.layout.alpha)
        self._clipped.add(planes)
        origin = (window.row_off, window.col_off)
        pixels = to_stored(planes, self.layout.dtype, dither=self._output.dither, origin=origin)
        if kept is not None:
            np.copyto(pixels, kept[1], where=kept[0])
        return pixels

    def _take(self, window: Window, pixels: Array) -> None:
        """Encode rows of which all windows are there."""
        import numpy as np

        layout = self.layout
        if window.width < layout.width:
            if self._rows is None:
                shape = (window.height, layout.width, layout.channels)
                self._rows = np.empty(shape, layout.dtype)
            self._rows[:, window.cols] = pixels
            pixels = self._rows
        if window.col_off + window.width == layout.width:
            self._rows = None
            self._encoder.write(pixels)

    def end(self) -> None:
        """Finish the image that was begun last."""
        behind = self._behind
        assert behind is not None
        self._do(behind.finish)
        self._behind = None
        self._do(self._encoder.end)
        self._clipped.warn()

    def close(self) -> None:
        """Finish the file and put it in place.

        Raises:
            ImageWriteError: the format or the system refused.
        """
        self._do(self._encoder.close)
        self._put_in_place.close()

    def _do(self, work: Any) -> None:
        """Let the encoder work, and say whose file it is if it cannot."""
        try:
            work()
        except InvalidArgument as error:
            raise InvalidArgument(f"{self.target}: {error}") from error
        except (SvfilterError, BrokenPipeError, MemoryError):
            raise
        except OSError as error:
            raise ImageWriteError(
                f"{self.target}: cannot be written: {error.strerror or error}"
            ) from error
        except Exception as error:  # such as a side beyond the format's limit
            raise ImageWriteError(
                f"{self.target}: cannot be encoded as {self._name}: {error}"
            ) from error

    def __enter__(self) -> ImageWriter:
        """Begin."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close; or leave nothing behind if there was an exception."""
        if kind is None:
            self.close()
            return
        if self._behind is not None:
            self._behind.stop()
        if self._begun:
            self._encoder.abandon()
        self._put_in_place.__exit__(kind, error, trace)


def create_image(
    target: str,
    like: Like,
    *,
    inputs: list[str],
    pages: list[int] | None = None,
    output: Output = Output(),
    jobs: int | None = None,
) -> ImageWriter:
    """Prepare to write an image of the size, depth and metadata of another one.

    Everything that can be refused before the work begins is refused here.

    Args:
        target: a file's name, or "-" for stdout.
        like: the image that is filtered.
        inputs: the names of files that must not be written onto.
        pages: those of the image that will be written; default: this one.
        output: what the user asks for.
        jobs: threads; default one for each core. The file is the same for any number.

    Raises:
        InvalidArgument: there is no such format, it cannot hold the image, or the target is an
            input or a folder.
        ImageWriteError: the target's folder is missing or may not be written into.
    """
    name = format_name(target, output.format, like)
    check_target(target, inputs, folder=FORMATS[name].folder)
    check_options(target, name, output)
    count = len(pages or [0])
    if count > 1 and not FORMATS[name].paged:
        raise InvalidArgument(
            f"{like.name}: holds {count} pages, and {name} can hold one; choose it with --page 1 "
            f"to {count}, or write a TIFF"
        )
    becomes = stored_as(target, name, like.layout, output.bit_depth)
    if becomes.dtype != like.layout.dtype and output.bit_depth is None:
        warnings.warn(
            f"{target}: {name} cannot hold {like.layout.words}; written as {becomes.words}",
            SvfilterWarning,
            stacklevel=2,
        )
    return ImageWriter(target, name, output, count, devices.threads(jobs))


def encoder_of(name: str) -> type[Encoder]:
    """Import the encoder of a format."""
    module, _, kind = FORMATS[name].encoder.partition(".")
    encoder: type[Encoder] = getattr(import_module(f"svfilter.images.encoders.{module}"), kind)
    return encoder


def _with_alpha(planes: Array, have: Alpha, want: Alpha) -> Array:
    """Give channels with their colours times alpha, or not, as the file has them."""
    if have == want:
        return planes
    import numpy as np

    colours, alpha = planes[:-1], planes[-1:]
    with np.errstate(all="ignore"):  # of what is hardly there, or not finite
        if want == "associated":
            colours = colours * alpha
        else:
            colours = np.divide(colours, alpha, out=np.zeros_like(colours), where=alpha > 0)
    return np.concatenate([colours, alpha])
