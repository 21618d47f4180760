"""The values of parameters that vary over an image, as an image themselves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from svfilter.errors import InvalidArgument
from svfilter.images.formats import FORMATS
from svfilter.images.layout import Layout, Storage
from svfilter.images.metadata import Metadata
from svfilter.images.storing import Output, format_name
from svfilter.images.writing import create_image
from svfilter.looking.site import open_site

if TYPE_CHECKING:
    import numpy as np

    from svfilter.kernels.base import Array
    from svfilter.looking.site import Site
    from svfilter.maps.base import Span
    from svfilter.request import Request
    from svfilter.tiles import Window

_DEPTHS = ("f4", "u2", "u1")
"""What maps are stored as, the first of these that a format holds."""


@dataclass(frozen=True)
class _Drawn:
    """What is known of an image that no file holds yet."""

    name: str
    layout: Layout
    storage: Storage
    metadata: Metadata = Metadata()


def write_map(
    asked: Request,
    source: str,
    target: str,
    *,
    page: int | None = None,
    output: Output = Output(),
    max_pixels: int | None = None,
    progress: Callable[[int, int], object] = lambda done, total: None,
) -> tuple[dict[str, Span], bool]:
    """Write what drives an image's kernels in place of what they make of it.

    Each parameter that varies is a channel: one is grey, three are red, green and blue, others
    are bands; with a map for each channel, the channels of the one parameter are those of the
    image's colours. Floats are the values themselves. Integers are 0 at the least value that the
    parameter may have and full at the largest: a map of levels again, for the same range. Without
    `output.bit_depth` it is the deepest of floats, 16 and 8 bits that the format holds.

    Args:
        asked: what the image would be filtered with.
        source: the image, or "-" for stdin.
        target: the file to write, replaced at once or not at all, or "-" for stdout.
        page: which of the file's images, from 0; default the first.
        output: how the map is stored.
        max_pixels: as in `filter_file`.
        progress: as in `filter_file`.

    Returns:
        The parameters, with what the ends of integers stand for; and whether it has integers.

    Raises:
        SvfilterError: no parameter varies, or as `filter_file`.
    """
    with open_site(asked, source, page=page, max_pixels=max_pixels) as site:
        spans = _varying(site)
        drawn = _drawn(site, spans, target, output)
        inputs = [source, *asked.sources]
        with create_image(target, drawn, inputs=inputs, output=output, jobs=asked.jobs) as writer:
            writer.begin(drawn)
            scaled = writer.layout.dtype.kind != "f"
            for window in site.strips(drawn.layout.height - 1):
                writer.write(window, _planes(site, spans, window, scaled=scaled))
                done = window.rows.stop * drawn.layout.width
                progress(done, drawn.layout.width * drawn.layout.height)
            site.page.maps.end()
            writer.end()
    return spans, scaled


def _varying(site: Site) -> dict[str, Span]:
    """Give the parameters that may differ from pixel to pixel, with their spans."""
    spans = {name: span for name, span in site.page.maps.spans.items() if span[0] < span[1]}
    if not spans:
        raise InvalidArgument(
            "no parameter varies over the image, so there is no map to show; give one a map"
        )
    if site.page.maps.per_channel and len(spans) > 1:
        raise InvalidArgument(
            f"{' and '.join(spans)} vary, and for each channel by its own intensity: that is more "
            "than one image can show; give a map to one of them"
        )
    return spans


def _drawn(site: Site, spans: dict[str, Span], target: str, output: Output) -> _Drawn:
    image = site.page.image
    own = image.layout.colours if site.page.maps.per_channel else len(spans)
    layout = replace(
        image.layout,
        channels=own,
        dtype=_dtype("f4"),
        colour="grey" if own == 1 else "rgb" if own == 3 else "bands",
        alpha="",
    )
    drawn = _Drawn(image.name, layout, Storage(image.storage.format))
    if output.bit_depth is not None:
        return drawn
    holds = FORMATS[format_name(target, output.format, drawn)]
    depth = next(depth for depth in _DEPTHS if depth in holds.depths)
    return replace(drawn, layout=replace(layout, dtype=_dtype(depth)))


def _dtype(name: str) -> np.dtype[Any]:
    import numpy as np

    return np.dtype(name)


def _planes(site: Site, spans: dict[str, Span], window: Window, *, scaled: bool) -> Array:
    """Give a window's values, or how far they lie from the least to the largest."""
    import numpy as np

    values, planes = site.page.maps.read(window), []
    for name, (low, high) in spans.items():
        plane = np.asarray(values[name], np.float32)[: site.page.image.layout.colours]
        planes.append((plane - np.float32(low)) / np.float32(high - low) if scaled else plane)
    return np.concatenate(planes)
