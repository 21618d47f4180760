"""How a result is stored: what was asked for, what the format holds, what the image was."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from svfilter.errors import InvalidArgument, SvfilterWarning
from svfilter.images.formats import FORMATS, WORDS, Format
from svfilter.images.metadata import Metadata
from svfilter.images.sources import STREAM
from svfilter.images.values import output_dtype

if TYPE_CHECKING:
    import numpy as np

    from svfilter.images.layout import Layout, Storage

_MISSED = ("icc_profile", "exif", "xmp", "iptc", "comments")
"""What a user is told of when a format cannot hold it."""


class Like(Protocol):
    """What is known of an image before it is written; one that is read is such."""

    @property
    def name(self) -> str:
        """What messages call it."""

    @property
    def layout(self) -> Layout:
        """What its pixels are."""

    @property
    def storage(self) -> Storage:
        """How a file keeps them."""

    @property
    def metadata(self) -> Metadata:
        """What else is said of it."""


@dataclass(frozen=True)
class Output:
    """How a result shall be written; None: as the image that was read, as far as it goes."""

    format: str | None = None
    """A key of FORMATS; default by the target's suffix, for stdout as the image."""
    bit_depth: str | None = None
    """One of `values.BIT_DEPTHS`."""
    dither: bool = False
    """Whether what is lost in rounding to integers is spread as noise."""
    compression: str | None = None
    quality: int | None = None
    """1 to 100."""
    strip: bool = False
    """Whether to write no metadata but the colour profile."""


def format_name(target: str, format: str | None, like: Like) -> str:
    """Choose the format: the one asked for, or by the suffix, or for stdout that of the image."""
    if format is not None:
        if format not in FORMATS:
            raise InvalidArgument(f"--format must be one of {', '.join(FORMATS)}, not {format}")
        return format
    if target == STREAM:
        if like.storage.format not in FORMATS:
            raise InvalidArgument(
                f"OUTPUT -: {like.storage.format} cannot be written; name a --format"
            )
        return like.storage.format
    suffix = Path(target).suffix.lower()
    for name, holds in FORMATS.items():
        if suffix in holds.suffixes:
            return name
    known = ", ".join(s for holds in FORMATS.values() for s in holds.suffixes)
    received = f"is {suffix}" if suffix else "has none"
    raise InvalidArgument(
        f"OUTPUT {target}: the suffix tells the format and must be one of {known}, but {received}; "
        "or give --format"
    )


def check_options(target: str, name: str, output: Output) -> None:
    """Refuse options that would do nothing."""
    holds = FORMATS[name]
    if output.quality is not None:
        if not holds.qualities:
            able = " and ".join(key for key, other in FORMATS.items() if other.qualities)
            raise InvalidArgument(f"--quality is for {able}, but OUTPUT {target} is {name}")
        if not 1 <= output.quality <= 100:
            raise InvalidArgument(f"--quality must be from 1 to 100, but is {output.quality}")
    if output.compression is not None and output.compression not in holds.compressions:
        choice = ", ".join(holds.compressions) or "nothing to choose"
        raise InvalidArgument(
            f"--compression of {name} must be one of {choice}, but is {output.compression}"
        )


def stored_as(target: str, name: str, layout: Layout, bit_depth: str | None) -> Layout:
    """Give what the pixels become in the target's format."""
    holds = FORMATS[name]
    dtype = output_dtype(layout.dtype, bit_depth)
    if bit_depth is None and dtype.str[1:] not in holds.depths:
        dtype = _next_best(holds, dtype)
    alpha = layout.alpha
    if alpha and alpha not in holds.alphas and set(holds.alphas) - {""}:
        alpha = "associated" if alpha == "straight" else "straight"
    wanted = replace(layout, dtype=dtype, alpha=alpha)
    if not holds.holds(wanted):
        able = [key for key, other in FORMATS.items() if other.holds(wanted)]
        raise InvalidArgument(
            f"OUTPUT {target}: {name} cannot hold {wanted.words}; take {' or '.join(able)}"
            + (
                ", or give --bit-depth 8 or 16, for which 0 to 1 is the full range"
                if dtype.kind == "f" and "u1" in holds.depths
                else ""
            )
        )
    return wanted


def _next_best(holds: Format, dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Give the deepest type of the same kind that the format has, or the same if it has none."""
    import numpy as np

    able = [np.dtype(name) for name in holds.depths if name[0] == dtype.kind]
    return max(able, key=lambda other: other.itemsize, default=dtype)


def storage_options(name: str, like: Like, output: Output, pages: int) -> dict[str, Any]:
    """Give how to store it: as the image was in the same format, but for what is asked."""
    native = like.storage.format == name
    options = dict(like.storage.options) if native else {}
    options |= {"native": native and not output.strip, "pages": pages}
    asked = {"quality": output.quality, "compression": output.compression}
    return options | {key: value for key, value in asked.items() if value is not None}


def carried(target: str, name: str, metadata: Metadata, *, strip: bool) -> Metadata:
    """Give the metadata that the format can hold, and warn of what is missed."""
    if strip:
        return Metadata(icc_profile=metadata.icc_profile)
    holds = FORMATS[name]
    missed = [
        WORDS[name] for name in _MISSED if getattr(metadata, name) and name not in holds.carries
    ]
    if missed:
        warnings.warn(
            f"{target}: {name} cannot hold the image's {' and '.join(missed)}; left out",
            SvfilterWarning,
            stacklevel=3,
        )
    return metadata
