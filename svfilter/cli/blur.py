"""`svfilter blur`: a smoothing kernel of its own size at every pixel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from svfilter.cli import options, parameters
from svfilter.cli.parameters import Painted, present, present_of
from svfilter.cli.run import Filter, Recipe
from svfilter.kernels.base import Family
from svfilter.kernels.box import Box
from svfilter.kernels.elliptical import Elliptical
from svfilter.kernels.gaussian import Gaussian
from svfilter.kernels.moffat import Moffat
from svfilter.kernels.triangle import Triangle

ROUND = parameters.of(Gaussian)
ELLIPSE = parameters.of(Elliptical, sigma_x=0.0, sigma_y=0.0)
SHAPES = {
    "gaussian": {**ROUND, **ELLIPSE, **ROUND},
    "box": parameters.of(Box),
    "triangle": parameters.of(Triangle),
    "moffat": parameters.of(Moffat),
}
FAMILIES: Mapping[str, type[Family]] = {
    "gaussian": Gaussian,
    "box": Box,
    "triangle": Triangle,
    "moffat": Moffat,
}
AXES = ("sigma_x", "sigma_y")


@click.command(cls=Filter)
@options.files
@click.option(
    "--shape",
    type=click.Choice(list(SHAPES)),
    default="gaussian",
    show_default=True,
    help="What the kernels look like. A gaussian with --sigma-x or --sigma-y is an ellipse.",
)
@parameters.families(SHAPES)
@click.option(
    "--ellipse-map",
    metavar="FILE",
    type=options.ANY_FILE,
    help="An RGB image: its red drives sigma-x, its green sigma-y and, with --angle-min, its blue "
    "the angle.",
)
@options.by_channel
@options.shaping
@options.spreading("gather", "energy")
@options.reading
@options.writing
@options.computing
@options.talking
def blur(**given: Any) -> Recipe:
    """Blur an image, each pixel by its own kernel.

    INPUT and OUTPUT are image files, or - for stdin and stdout. OUTPUT is replaced when it is
    complete, and never is an INPUT. Sigma, radius or fwhm 0 leaves a pixel as it is. Of sigma-x
    and sigma-y, what is not given is 0: --sigma-x 8 alone blurs along rows only, or along --angle.

    \b
    Examples:
      svfilter blur in.png out.png --sigma-map
          by the pixel's own intensity: black stays sharp, white gets sigma 8
      svfilter blur in.png out.png --sigma-map depth.png --sigma 12 --sigma-min 1
          by a depth map: sigma 1 where it is black, 12 where it is white
      svfilter blur in.png out.png --sigma 12 --sigma-map "linear(y=0.6, width=0.2)"
          tilt-shift: sharp in a band, more and more blurred above and below it
      svfilter blur in.png out.png --sigma-map "d*(1-m)" --map d=depth.png --map m=mask.png
          by a depth map, but not where a mask is white
      svfilter blur in.png out.png --sigma 3
          the same blur everywhere
      svfilter blur in.png out.png --shape box --radius 5 --radius-map
          means over squares
      svfilter blur in.png out.png --sigma-x 8 --sigma-y 2 --angle 90 --angle-map depth.png
          ellipses that a map turns by up to 90 degrees
      cat in.png | svfilter blur - - --sigma-map --invert > out.png
          in a pipeline; dark pixels are blurred
    """  # noqa: D301  (\b tells click to keep the lines)
    shape = given["shape"]
    parameters.check_shape(SHAPES, shape, given)
    family, known, painted = FAMILIES[shape], SHAPES[shape], None
    if shape == "gaussian":
        family, known, painted = _gaussian(given)
    elif found := present(given, "ellipse_map"):
        raise click.UsageError(f"{found[0]} is for --shape gaussian, but the shape is {shape}.")
    maps = parameters.drivers(known, given, painted)
    return Recipe(family, maps, {"constants": parameters.constants(known, given)})


def _asked(options: Mapping[str, Any]) -> list[str]:
    """Give the options that only ellipses have."""
    return [*present_of(options, *AXES, "angle"), *present(options, "ellipse_map")]


def _gaussian(
    options: Mapping[str, Any],
) -> tuple[type[Family], parameters.Parameters, Painted | None]:
    """Give the round Gaussian, or the ellipse if one is asked for."""
    asked = _asked(options)
    if not asked:
        return Gaussian, ROUND, None
    if found := present_of(options, "sigma"):
        raise click.UsageError(
            f"{found[0]} and {asked[0]} exclude each other: --sigma is for round Gaussians, "
            "--sigma-x and --sigma-y are for ellipses."
        )
    if not present(options, *AXES):
        raise click.UsageError(
            f"{asked[0]} needs --sigma-x or --sigma-y, the sigmas of an ellipse."
        )
    channels = {"sigma_x": "r", "sigma_y": "g"}
    if present(options, "angle_min") and not present(options, "angle_map"):
        channels["angle"] = "b"
    return Elliptical, ELLIPSE, Painted("ellipse_map", channels)
