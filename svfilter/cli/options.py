"""Options that commands share, as decorators."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from svfilter.cli import types
from svfilter.engines import ENGINES
from svfilter.engines.base import MODES, Mode
from svfilter.functional import NORMALISE
from svfilter.images.formats import FORMATS
from svfilter.images.planes import NANS
from svfilter.images.values import BIT_DEPTHS
from svfilter.maps.pictures import FITS
from svfilter.maps.smoothing import LARGEST
from svfilter.tiles import BOUNDARIES

Command = Callable[..., Any]
Decorator = Callable[[Command], Command]


def together(*options: Decorator) -> Decorator:
    """Make one decorator of several options, shown in this order."""

    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


# Whether a file is there, and may be read, is for the reader to say.
ANY_FILE = click.Path(allow_dash=True, readable=False)

files = together(
    *(
        # Not required here: `files_of` knows which option may have taken a missing one.
        click.argument(name, metavar=name.upper(), required=False, type=ANY_FILE)
        for name in ("input", "output")
    )
)
"""INPUT and OUTPUT."""


by_channel = click.option(
    "--per-channel",
    is_flag=True,
    help="Let each channel's own intensity drive it, not the luma of all.",
)
"""Whether channels have kernels of their own."""

shaping = together(
    click.option(
        "--map",
        "bound",
        multiple=True,
        metavar="NAME=FILE",
        help="Give an image, or FILE:CHANNEL, a name for the expressions of maps. As often as "
        "there are names.",
    ),
    click.option(
        "--map-resize",
        type=click.Choice(FITS),
        help="How a map of another size is fitted to INPUT.  [default: bilinear]",
    ),
    click.option(
        "--map-clip",
        type=types.Ends(),
        metavar="LOW,HIGH",
        help="First cut the map's levels to LOW to HIGH.",
    ),
    click.option(
        "--map-smooth",
        type=types.FiniteRange(0, LARGEST),
        metavar="PX",
        help="Then blur the map by a Gaussian of this sigma.",
    ),
    click.option(
        "--map-range",
        type=types.Ends(percent=True),
        metavar="LOW,HIGH",
        help="Then stretch it: LOW becomes 0, HIGH 1, and what is beyond them too. Levels, or "
        "percentiles of the whole map such as 1%,99%; 0%,100% are its least and its largest.",
    ),
    click.option("--invert", is_flag=True, help="Then swap the map's 0 and 1."),
    click.option(
        "--map-gamma",
        type=types.FiniteRange(0, 100, min_open=True),
        metavar="POWER",
        help="At last raise the map to this power.  [default: 1]",
    ),
)
"""How a map's levels are changed before they become values: the same for all maps."""


def spreading(mode: Mode | None, normalise: str) -> Decorator:
    """Whose kernel it is; a command's own defaults, or None where it depends on the kernels."""
    told = "" if mode else "  [default: gather; for a grid of kernels scatter]"
    return together(
        click.option(
            "--mode",
            type=click.Choice(MODES),
            default=mode,
            show_default=True,
            help="gather: a pixel is made of what its own kernel covers; scatter: each pixel "
            f"spreads its light by its own kernel, as lenses and movements do.{told}",
        ),
        click.option(
            "--normalise",
            type=click.Choice(NORMALISE),
            help="Of --mode scatter: energy neither loses nor makes light; weights leaves flat "
            f"what is flat.  [default: {normalise}]",
        ),
    )


reading = together(
    click.option(
        "--page",
        type=click.IntRange(1),
        metavar="N",
        help="Of INPUT, which of its images, from 1.  [default: all, where OUTPUT can hold them]",
    ),
    click.option(
        "--linear",
        is_flag=True,
        help="Filter in linear light: by the curves of the colour profile, else by sRGB's. What "
        "drives a map stays encoded.",
    ),
    click.option(
        "--nan",
        type=click.Choice(NANS),
        default="keep",
        show_default=True,
        help="Of floats: keep lets NaN and infinities spread as far as kernels see them; ignore "
        "leaves them where they are and out of all sums; fill puts what surrounds them in their "
        "place.",
    ),
)
"""What is taken of INPUT, and how it is understood."""

writing = together(
    click.option(
        "--format",
        type=click.Choice(list(FORMATS)),
        help="Of OUTPUT.  [default: by its suffix; for - as INPUT]",
    ),
    click.option(
        "--bit-depth",
        type=click.Choice(BIT_DEPTHS),
        help="Of OUTPUT: integers of 8 or 16 bits, or floats of 32, where 0 to 1 is the range of "
        "integers.  [default: as INPUT]",
    ),
    click.option(
        "--dither",
        is_flag=True,
        help="Round to integers with noise, the same at every run, instead of to the nearest.",
    ),
    click.option(
        "--compression",
        metavar="NAME",
        help="Of PNG 0 to 9, of TIFF none, lzw, deflate, zstd or packbits.  [default: as INPUT, if "
        "of the same format]",
    ),
    click.option(
        "--quality",
        type=click.IntRange(1, 100),
        metavar="1-100",
        help="Of JPEG and other lossy formats.  [default: as INPUT, if of the same format, else "
        "95]",
    ),
    click.option("--strip", is_flag=True, help="Write no metadata but the colour profile."),
    click.option(
        "--show-map",
        is_flag=True,
        help="Write what drives the kernels in place of what they make of INPUT: a channel for "
        "each parameter that varies. Floats are its values, integers 0 at its least and full at "
        "its largest.",
    ),
)
"""How the result is written."""

computing = together(
    click.option(
        "--boundary",
        type=click.Choice(list(BOUNDARIES)),
        default="replicate",
        show_default=True,
        help="What stands beyond the border: the nearest pixel, the mirrored image (its border "
        "pixel not repeated), the opposite side, or 0.",
    ),
    click.option(
        "--engine",
        type=click.Choice(["auto", *ENGINES]),
        default="auto",
        show_default=True,
        help="What computes; see svfilter info. auto: what should be fastest of what keeps the "
        "tolerance.",
    ),
    click.option(
        "--tolerance",
        type=types.FiniteRange(0, 1),
        metavar="SHARE",
        help="The largest error allowed, as a share of the image's range, before rounding.  "
        "[default: 0.5/255 for 8 bits, else 0.00025]",
    ),
    click.option("--exact", is_flag=True, help="The same as --tolerance 0: only float32 rounding."),
    click.option(
        "--verify",
        is_flag=True,
        help="Compare a few windows of the result with plain float64 loops, say the error seen, "
        "and write nothing if it is larger than stated.",
    ),
    click.option(
        "--device",
        metavar="NAME",
        default="auto",
        show_default=True,
        help="auto, cpu, cuda, cuda:1 and so on, mps, xpu; auto is cuda where there is one.",
    ),
    click.option(
        "--jobs",
        type=click.IntRange(1),
        metavar="N",
        help="Threads.  [default: one for each core]",
    ),
    click.option(
        "--memory",
        type=types.MemorySize(),
        help="What the whole process may use, such as 512M.  [default: half of what is free]",
    ),
    click.option(
        "--tile",
        type=click.IntRange(1),
        metavar="PX",
        help="Side of the windows that are filtered together.  [default: as --memory allows]",
    ),
    click.option(
        "--max-pixels",
        type=click.IntRange(1),
        metavar="COUNT",
        help="Read no image larger than this.  [default: any, unless its file is suspiciously "
        "small]",
    ),
)
"""How the filter is computed. The boundary changes the result, the engine and the tolerance
change it within the tolerance, and nothing else changes a bit of it."""

talking = together(
    click.option("-q", "--quiet", is_flag=True, help="Errors only."),
    click.option("-v", "--verbose", is_flag=True, help="Say how it was computed."),
)
"""How much is said on stderr."""
