"""`svfilter sharpen`: an unsharp mask of its own strength at every pixel."""

from __future__ import annotations

from typing import Any

import click

from svfilter.cli import options, parameters
from svfilter.cli.run import Filter, Recipe
from svfilter.kernels.unsharp import UnsharpMask

PARAMETERS = parameters.of(UnsharpMask)


@click.command(cls=Filter)
@options.files
@parameters.family(PARAMETERS)
@options.by_channel
@options.shaping
@options.reading
@options.writing
@options.computing
@options.talking
def sharpen(**given: Any) -> Recipe:
    """Sharpen an image, each pixel by its own amount.

    INPUT and OUTPUT are image files, or - for stdin and stdout. To each pixel, amount times its
    difference from a Gaussian mean is added. Amount 0 and sigma 0 leave it as it is.

    \b
    Examples:
      svfilter sharpen in.png out.png --sigma 1.5 --amount 2 --threshold 0.02
          the same everywhere; what differs by less than 2 % is noise, and left alone
      svfilter sharpen in.png out.png --amount 3 --amount-map depth.png --invert
          more where the map is dark
      svfilter sharpen in.png out.png --amount 3 --amount-map edges --map-range 0.02,0.2
          edges only
    """  # noqa: D301  (\b tells click to keep the lines)
    maps = parameters.drivers(PARAMETERS, given)
    return Recipe(UnsharpMask, maps, {"constants": parameters.constants(PARAMETERS, given)})
