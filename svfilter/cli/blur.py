"""`svfilter blur`: a Gaussian of its own spread at every pixel."""

from __future__ import annotations

from typing import Any

import click

from svfilter.cli import options
from svfilter.cli.run import run_family
from svfilter.kernels.gaussian import Gaussian


@click.command()
@options.files
@options.family(Gaussian)
@options.shaping
@options.reading
@options.writing
@options.computing
@options.talking
def blur(**given: Any) -> None:
    """Blur an image, each pixel by its own sigma.

    INPUT and OUTPUT are image files, or - for stdin and stdout. OUTPUT is replaced when it is
    complete, and never is an INPUT. Sigma 0 leaves a pixel as it is.

    \b
    Examples:
      svfilter blur in.png out.png --sigma-map
          by the pixel's own intensity: black stays sharp, white gets sigma 8
      svfilter blur in.png out.png --sigma-map depth.png --sigma 12 --sigma-min 1
          by a depth map: sigma 1 where it is black, 12 where it is white
      svfilter blur in.png out.png --sigma 3
          the same blur everywhere
      cat in.png | svfilter blur - - --sigma-map --invert > out.png
          in a pipeline; dark pixels are blurred
    """  # noqa: D301  (\b tells click to keep the lines)
    run_family(Gaussian, given)
