"""TIFF and BigTIFF through tifffile: any rows, any time, only the strips or tiles they are in."""

from __future__ import annotations

import logging
import re
import warnings
from mmap import ACCESS_READ, mmap
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, cast

import numpy as np
from tifffile import TiffFile, TiffPage

from svfilter.errors import ImageReadError, SvfilterWarning
from svfilter.images.decoders.base import Decoder
from svfilter.images.decoders.tiff_kinds import COMPRESSIONS, Kind, kind_of, refusal
from svfilter.images.decoders.tiff_pages import Chain
from svfilter.images.decoders.tiff_segments import Segments
from svfilter.images.layout import Storage
from svfilter.images.metadata import tiff as metadata

if TYPE_CHECKING:
    from svfilter.images.metadata.directory import Entry
    from svfilter.kernels.base import Array

# What tifffile finds odd is checked here, and raised or warned of.
logging.getLogger("tifffile").addHandler(logging.NullHandler())

_NEEDED = {
    *range(256, 260), 262, 266, 273, 277, 278, 279, 284, 292, 317, *range(322, 326), 338, 339, 347,
    530, 32997, 32998,
}  # fmt: skip
"""Tags without which pixels would be taken for others."""
_SAMPLE_FORMAT = 339
_STACK = 33629
"""MetaMorph's tag, with a value for each image."""
_PREDICTED = ("lzw", "deflate", "zstd")


class TiffDecoder(Decoder):
    """A page of a TIFF file.

    A row of strips or tiles of which only some rows are asked for is kept, since the others are
    usually asked for next.

    Args:
        path: a file on a disk.
        page: which of the full-size images.
        jobs: threads that decode.
    """

    in_order: ClassVar[bool] = False

    def __init__(self, path: str, page: int = 0, jobs: int = 2) -> None:
        self.page = page
        self._kept: tuple[int, Array] | None = None
        with Path(path).open("rb") as file, mmap(file.fileno(), 0, access=ACCESS_READ) as block:
            chain = Chain(block)
            self.pages = len(chain.pages)
            number, entries = _entries(chain, page)
            self.metadata, self.orientation = metadata.split(
                entries, block, chain.order, big=chain.big
            )
        # These would get pages that no directory describes.
        self._file = TiffFile(path, is_lsm=False, is_ndpi=False, is_scanimage=False)
        try:
            read = cast(TiffPage, self._file.pages[number])
            _check_tags(read, entries)
            kind = kind_of(read)
            self.storage = Storage("tiff", _options(read, kind, chain.order))
            self._segments = Segments(read, kind, jobs)
        except BaseException:
            self._file.close()
            raise
        self.layout = kind.layout
        self.block = min(self._segments.rows, self.layout.height)
        kept = self.block * self.layout.row_bytes if self.block > 1 else 0
        self.memory = kept + self._segments.memory
        if page == 0:
            _warn_of_others(entries, self.pages, chain.copies)

    def rows(self, start: int, stop: int) -> Array:
        """Decode rows start to stop - 1: [stop - start, width, channels], of the layout's dtype."""
        layout = self.layout
        if not 0 <= start < stop <= layout.height:
            raise ValueError(f"rows {start} to {stop} are asked for, of {layout.height}")
        out = np.empty((stop - start, layout.width, layout.channels), layout.dtype)
        at = start
        while at < stop:
            band, skipped = divmod(at, self.block)
            end = min((band + 1) * self.block, layout.height)
            if skipped or end > stop:  # not all of its rows
                end = min(end, stop)
                out[at - start : end - start] = self._band(band)[skipped : skipped + end - at]
            else:
                end = stop if stop == layout.height else stop - stop % self.block
                self._segments.decode(band, out[at - start : end - start])
            at = end
        return out

    def _band(self, band: int) -> Array:
        """Give a row of strips or tiles, and keep it."""
        if self._kept is None or self._kept[0] != band:
            self._kept = None
            height = min(self.block, self.layout.height - band * self.block)
            shape = height, self.layout.width, self.layout.channels
            pixels = np.empty(shape, self.layout.dtype)
            self._segments.decode(band, pixels)
            self._kept = band, pixels
        return self._kept[1]

    def close(self) -> None:
        """Let go of the file."""
        self._kept = None
        self._segments.close()
        self._file.close()


def _entries(chain: Chain, page: int) -> tuple[int, list[Entry]]:
    """Give the number in the chain and the entries of a page."""
    if not chain.pages:
        raise ImageReadError(
            "holds only smaller copies where TIFF files have their images, as raw photos do; "
            "develop it first"
        )
    if page >= len(chain.pages):
        raise ImageReadError(f"holds {len(chain.pages)} pages, so that there is no page {page + 1}")
    directory = chain.pages[page]
    entries, damaged = chain.entries(directory, metadata.OLD_PIXELS)
    if damaged & _NEEDED:
        raise ValueError(f"the tags {sorted(damaged & _NEEDED)} cannot be read")
    for entry in entries:
        if entry.tag == _SAMPLE_FORMAT and len(set(metadata.integers(entry, chain.order))) > 1:
            raise refusal("channels of different kinds of values", "give them all the same")
    if damaged := damaged - metadata.STRUCTURE:
        message = f"the tags {sorted(damaged)} are damaged or too large and are left out"
        warnings.warn(message, SvfilterWarning, stacklevel=3)
    return directory.number, entries


def _warn_of_others(entries: list[Entry], pages: int, copies: int) -> None:
    """Warn of images that are in the file beside its pages."""
    if copies:
        message = (
            f"holds {copies} smaller copies or masks of its images, which are left out: "
            "they would show the old ones"
        )
        warnings.warn(message, SvfilterWarning, stacklevel=3)
    found = {entry.tag: entry for entry in entries}
    imagej = re.match(rb"ImageJ=.*?images=(\d+)", getattr(found.get(270), "data", b""), re.DOTALL)
    planes = int(imagej[1]) if imagej else getattr(found.get(_STACK), "count", 0)
    if planes > pages:
        message = f"holds {planes} images, but says where only of {pages}; the others are left out"
        warnings.warn(message, SvfilterWarning, stacklevel=3)


def _check_tags(page: TiffPage, entries: list[Entry]) -> None:
    """Refuse a page if tifffile has left out, with no more than a line in a log, what matters."""
    lost = {entry.tag for entry in entries} & _NEEDED - set(page.tags.keys())
    if lost:
        raise ValueError(f"the tags {sorted(lost)} cannot be read")


def _options(page: TiffPage, kind: Kind, order: str) -> dict[str, Any]:
    """Give what TiffEncoder needs to store an image in the same way."""
    compression = COMPRESSIONS[int(page.compression)]
    options: dict[str, Any] = {"compression": compression, "byteorder": order}
    if compression in _PREDICTED:
        options["predictor"] = page.predictor != 1
    if not page.is_tiled:
        options["rowsperstrip"] = min(page.rowsperstrip, page.imagelength)
    elif page.tilelength % 16 == 0 and page.tilewidth % 16 == 0:
        options["tile"] = (page.tilelength, page.tilewidth)
    if kind.layout.channels > 1:
        options["planar"] = page.planarconfig == 2
    if kind.layout.colour == "bands":
        options["photometric"] = int(page.photometric)
        options["extrasamples"] = tuple(map(int, page.extrasamples))
    return options
