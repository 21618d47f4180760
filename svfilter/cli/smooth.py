"""`svfilter smooth`: a bilateral kernel of its own at every pixel."""

from __future__ import annotations

from typing import Any

import click

from svfilter.cli import options, parameters
from svfilter.cli.run import Filter, Recipe
from svfilter.kernels.bilateral import Bilateral

PARAMETERS = parameters.of(Bilateral)


@click.command(cls=Filter)
@options.files
@parameters.family(PARAMETERS)
@click.option(
    "--guide",
    metavar="FILE",
    type=options.ANY_FILE,
    help="An image of INPUT's size, whose edges are kept.  [default: INPUT]",
)
@options.shaping
@options.reading
@options.writing
@options.computing
@options.talking
def smooth(**given: Any) -> Recipe:
    """Smooth an image and keep its edges (bilateral).

    INPUT and OUTPUT are image files, or - for stdin and stdout. Each pixel becomes the mean of
    those around it that look alike, by all colours of the guide together. Sigma-space 0 and
    sigma-range 0 leave it as it is.

    \b
    Examples:
      svfilter smooth in.png out.png --sigma-space 3 --sigma-range 0.1
          noise goes, edges stay
      svfilter smooth in.png out.png --sigma-range-map depth.png
          less where the map is dark, which ends at no smoothing
      svfilter smooth in.png out.png --guide flash.png --sigma-range 0.05
          the edges of another picture are kept
    """  # noqa: D301  (\b tells click to keep the lines)
    maps = parameters.drivers(PARAMETERS, given)
    constants = parameters.constants(PARAMETERS, given)
    return Recipe(Bilateral, maps, {"constants": constants, "guide": given["guide"]})
