"""`svfilter motion`: a movement of its own during the exposure at every pixel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from svfilter.cli import options, parameters, types
from svfilter.cli.parameters import present, present_of
from svfilter.cli.run import Filter, Recipe
from svfilter.kernels.motion import Motion
from svfilter.maps import Driver, Flow, Spin, Zoom

PARAMETERS = parameters.of(Motion, omit=("path",))
PATHS = {"start": 1.0, "centre": 0.0, "end": -1.0}
"""Where a pixel stands on its path: the family's `path`."""
REMEDIES = {
    "flow": "a smaller --flow-scale, or --max-length 1000",
    "spin": "fewer degrees of --spin",
    "zoom": "a --zoom nearer to 1",
}
"""What makes paths shorter, by the field of movements that gives them."""


@click.command(cls=Filter)
@options.files
@parameters.family(PARAMETERS)
@click.option(
    "--flow",
    metavar="FILE",
    type=options.ANY_FILE,
    help="In place of --length and --angle, optical flow of INPUT's size: .flo, KITTI's PNG, or "
    "two channels of floats, pixels to the right and down.",
)
@click.option(
    "--flow-scale",
    type=types.FiniteRange(0),
    metavar="SHARE",
    help="The share of the flow that the shutter is open for.  [default: 1]",
)
@click.option(
    "--max-length",
    type=types.FiniteRange(0, 1000),
    metavar="PX",
    help="With --flow, what longer paths are cut to.  [default: none is cut]",
)
@click.option(
    "--spin",
    type=types.FiniteRange(-360, 360),
    metavar="DEG",
    help="In place of --length and --angle, a turn about --centre, clockwise, along straight lines "
    "as long as the arcs.",
)
@click.option(
    "--zoom",
    type=types.FiniteRange(0, min_open=True),
    metavar="FACTOR",
    help="Likewise, a growth about --centre: 1.1 moves what is 100 px away by 10.",
)
@click.option(
    "--centre",
    type=types.Point(),
    metavar="X,Y",
    help="Of --spin and --zoom, in pixels from the middle of the one at the top left.  [default: "
    "the middle of the image]",
)
@click.option(
    "--path",
    type=click.Choice(list(PATHS)),
    default="centre",
    show_default=True,
    help="Whether a pixel stands at the start, the centre or the end of its path.",
)
@options.by_channel
@options.shaping
@options.spreading("gather", "energy")
@options.reading
@options.writing
@options.computing
@options.talking
def motion(**given: Any) -> Recipe:
    """Blur an image along movements.

    INPUT and OUTPUT are image files, or - for stdin and stdout. Each pixel becomes the mean along a
    straight line. A length up to 0.25 leaves it as it is.

    \b
    Examples:
      svfilter motion in.png out.png --length 20 --angle 30
          the same movement everywhere, 30 degrees clockwise from the right
      svfilter motion in.png out.png --length 30 --length-map depth.png --invert
          far things (black) move more than near ones
      svfilter motion in.png out.png --spin 5
          the camera rolls by 5 degrees about the middle
      svfilter motion in.png out.png --zoom 1.1 --centre 10,12
          it moves towards a point
      svfilter motion in.png out.png --flow flow.flo --flow-scale 0.5 --path start
          along optical flow, for half of the time between frames
    """  # noqa: D301  (\b tells click to keep the lines)
    more = {"constants": {"path": PATHS[given["path"]]}}
    field = next((name for name in REMEDIES if given[name] is not None), None)
    remedy = {"length": f"where the path is longest; take {REMEDIES[field]}"} if field else {}
    return Recipe(Motion, _maps(given), more, remedy)


def _maps(options: Mapping[str, Any]) -> list[Driver]:
    """Give the line, or the field of movements that is asked for in its place."""
    fields = present(options, *REMEDIES)
    for names, owners in ((("flow_scale", "max_length"), ["--flow"]),
                          (("centre",), ["--spin", "--zoom"])):  # fmt: skip
        if (found := present(options, *names)) and not set(fields) & set(owners):
            raise click.UsageError(f"{found[0]} needs {parameters.either(owners)}.")
    if not fields:
        return parameters.drivers(PARAMETERS, options)
    if others := [*fields[1:], *present_of(options, "length", "angle")]:
        raise click.UsageError(f"{fields[0]} and {others[0]} exclude each other.")
    parameters.refuse_shaping(options, f"{fields[0]} gives length and angle itself")
    if options["flow"] is not None:
        scale, most = options["flow_scale"], options["max_length"]
        return [Flow(options["flow"], 1.0 if scale is None else scale, most)]
    if options["spin"] is not None:
        return [Spin(options["spin"], options["centre"])]
    return [Zoom(options["zoom"], options["centre"])]
