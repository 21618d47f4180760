"""From a name to the decoder that fits: a file is known by its first bytes, not by its suffix."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from svfilter.errors import ImageReadError, SvfilterWarning
from svfilter.images.sources import Source, is_array

if TYPE_CHECKING:
    from svfilter.images.decoders.base import Decoder

SUSPECT_PIXELS = 2**28
"""Images of more pixels than this may be decompression bombs,"""
SUSPECT_RATIO = 250
"""if their pixels take this many times the file's bytes."""

# What a file starts with -> its decoder, and what that is opened by.
_BY_PATH = {
    b"\x89PNG\r\n\x1a\n": "scanlines.PngDecoder",
    b"\xff\xd8\xff": "whole.decoder_for_jpeg",
    b"\x76\x2f\x31\x01": "exr.ExrDecoder",
    **dict.fromkeys((b"\xff\x0a", b"\0\0\0\x0cJXL \r\n\x87\n"), "jxl.JxlDecoder"),
    **dict.fromkeys((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"), "tiff.TiffDecoder"),
}
_BY_STREAM = {
    **dict.fromkeys((b"\x93NUMPY", b"PK\x03\x04"), "npy.NpyDecoder"),
    **dict.fromkeys((b"P%d" % kind for kind in range(1, 8)), "netpbm.NetpbmDecoder"),
    **dict.fromkeys((b"PF", b"Pf"), "netpbm.NetpbmDecoder"),
    b"PIEH": "flo.FloDecoder",
}
_LONGEST = 300
"""Characters of a message."""
_RAW_SUFFIXES = {".arw", ".cr2", ".dng", ".nef", ".nrw", ".orf", ".pef", ".rw2", ".sr2", ".srw"}
"""Of camera raw files that begin as a TIFF does."""


def open_decoder(
    source: Source, *, page: int = 0, jobs: int = 1, max_pixels: int | None = None
) -> Decoder:
    """Open an image's decoder.

    Args:
        source: where its bytes come from; to be closed after the decoder.
        page: which of its images, from 0.
        jobs: threads for decoders that use any.
        max_pixels: how large the image may be; default: any, unless it looks like a bomb.

    Raises:
        ImageReadError: it is no image, it is damaged or too large, or it could only be decoded
            with a loss.
    """
    with decoding(source.name), naming_warnings(source.name):
        decoder = _decoder(source, page, jobs)
    layout = decoder.layout
    pixels, squeezed = layout.height * layout.width, layout.height * layout.row_bytes
    if max_pixels is None:
        size = source.size if pixels > SUSPECT_PIXELS else None
        too_large = size is not None and squeezed > SUSPECT_RATIO * size
        rule = f"so many for its {size} bytes that it looks like a decompression bomb"
    else:
        too_large, rule = pixels > max_pixels, f"more than {max_pixels}"
    if too_large:
        decoder.close()
        raise ImageReadError(
            f"{source.name}: has {layout.width} x {layout.height} pixels, {rule}; if you trust "
            f"it, raise the limit with --max-pixels {pixels}"
        )
    return decoder


def _decoder(source: Source, page: int, jobs: int) -> Decoder:
    head = source.head
    if source.folder:
        if not is_array(source.path()):
            raise ImageReadError("is a folder; give the name of an image file")
        return _named("zarr.ZarrDecoder")(source.path(), page)
    by_path = {start: name for start, name in _BY_PATH.items() if head.startswith(start)}
    for name in by_path.values():
        if name != "tiff.TiffDecoder":
            return _named(name)(source.path())
        if Path(source.name).suffix.lower() in _RAW_SUFFIXES:
            return _named("whole.WholeDecoder")(source.path())
        return _named(name)(source.path(), page, jobs)
    for start, name in _BY_STREAM.items():
        if head.startswith(start):
            return _named(name)(source.stream)
    return _named("whole.WholeDecoder")(source.path())


def _named(name: str) -> Callable[..., Decoder]:
    module, _, kind = name.partition(".")
    found: Callable[..., Decoder] = getattr(
        import_module(f"svfilter.images.decoders.{module}"), kind
    )
    return found


@contextmanager
def decoding(name: str) -> Iterator[None]:
    """Let nothing of a decoder through but an ImageReadError that names the file."""
    try:
        yield
    except ImageReadError as error:
        raise ImageReadError(f"{name}: {_line(error)}") from error
    except (ImportError, MemoryError):
        raise
    except Exception as error:  # damaged bytes lead to errors of any kind
        raise ImageReadError(f"{name}: is truncated or damaged: {_line(error)}") from error


def _line(error: object) -> str:
    """Give a message as one line that prints, however much of a damaged file is in it."""
    text = " ".join(str(error).split())
    text = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


@contextmanager
def naming_warnings(name: str) -> Iterator[None]:
    """Put a file's name before what its decoder or encoder warns of."""
    with warnings.catch_warnings(record=True) as heard:
        warnings.simplefilter("always", UserWarning)
        yield
    for message, kind in dict.fromkeys(
        (str(w.message), w.category) for w in heard if issubclass(w.category, UserWarning)
    ):
        ours = issubclass(kind, SvfilterWarning)
        what = "" if ours else "is damaged outside its pixels, in EXIF or the like: "
        warnings.warn(f"{name}: {what}{_line(message)}", SvfilterWarning, stacklevel=4)
