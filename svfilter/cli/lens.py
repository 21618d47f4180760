"""`svfilter lens`: the image of an aperture, of its own size at every pixel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from svfilter.cli import options, parameters, types
from svfilter.cli.parameters import present, present_of
from svfilter.cli.run import Filter, Recipe
from svfilter.kernels.lens import Lens
from svfilter.maps import Driver, Focus
from svfilter.maps.depth import MODELS, NEAR

if TYPE_CHECKING:
    from svfilter.defocus import Highlights

PARAMETERS = parameters.of(Lens)
MAX_RADIUS = 32.0
HIGHLIGHTS_ABOVE = 0.6
WITH_DEPTH = ("focus", "aperture", "depth_model", "max_radius", "occlusion")


@click.command(cls=Filter)
@options.files
@parameters.family(PARAMETERS)
@click.option(
    "--depth",
    metavar="SOURCE",
    type=options.ANY_FILE,
    help="In place of --radius, the depth, from the same sources as --radius-map: --focus and "
    "--aperture make the radius of it.",
)
@click.option(
    "--focus",
    type=types.Finite(),
    metavar="LEVEL",
    help="The depth that is sharp, as --depth has it: of integers 0 to 1.",
)
@click.option(
    "--aperture",
    type=types.FiniteRange(0),
    metavar="PX",
    help="linear: the radius one unit of depth from the focus; thin: that of what is infinitely "
    "far.",
)
@click.option(
    "--depth-model",
    type=click.Choice(MODELS),
    help="linear: radius = aperture |depth - focus|, for disparity and painted maps; thin: radius "
    "= aperture |1 - focus / depth|, for distances.  [default: linear]",
)
@click.option(
    "--max-radius",
    type=types.FiniteRange(0, 1000),
    metavar="PX",
    help=f"With --depth, the largest radius.  [default: {MAX_RADIUS:g}]",
)
@click.option(
    "--occlusion",
    is_flag=True,
    help="With --depth, let what is nearer hide what is behind: what is sharp keeps its outline, "
    "and what is near spreads over it.",
)
@click.option(
    "--near",
    type=click.Choice(NEAR),
    help="With --occlusion, which end of --depth is near.  [default: white; thin: black]",
)
@click.option(
    "--highlights",
    type=types.FiniteRange(0, 1000),
    metavar="TIMES",
    help="Before it is spread, make light above --highlights-above brighter by so many times "
    "itself; with --linear, which need not be given.",
)
@click.option(
    "--highlights-above",
    type=types.FiniteRange(0, 1, max_open=True),
    metavar="LEVEL",
    help=f"Where highlights begin; full at 0.1 more.  [default: {HIGHLIGHTS_ABOVE:g}]",
)
@options.by_channel
@options.shaping
@options.spreading("scatter", "weights")
@options.reading
@options.writing
@options.computing
@options.talking
def lens(**given: Any) -> Recipe:
    """Put an image out of focus, by radius or by depth.

    INPUT and OUTPUT are image files, or - for stdin and stdout. Each pixel becomes a disk of its
    radius, or a polygon of --blades. A radius up to 0.5 leaves it as it is.

    \b
    Examples:
      svfilter lens in.png out.png --depth depth.png --focus 0.2 --aperture 20 --linear
          sharp where the depth map is 0.2, in linear light: highlights become disks
      svfilter lens in.png out.png --radius-map mask.png --radius 10 --blades 6 --rotation 15
          hexagons of radius 10 where the mask is white
      svfilter lens in.png out.png --depth depth.png --focus 0.9 --aperture 20 --occlusion
          what is sharp in front does not bleed into what is behind
    """  # noqa: D301  (\b tells click to keep the lines)
    if given["mode"] != "scatter" and (found := present(given, "occlusion", "highlights")):
        raise click.UsageError(f"{found[0]} needs --mode scatter: kernels that spread light.")
    highlights = _highlights(given)
    maps = _radius(given) if given["depth"] is None else _focus(given)
    more = {
        "constants": parameters.constants(PARAMETERS, given),
        "normalise": given["normalise"] or "weights",
        "occlusion": given["occlusion"],
        "highlights": highlights,
        "linear": given["linear"] or highlights is not None,  # a highlight is one of light
    }
    return Recipe(Lens, maps, more)


def _radius(options: Mapping[str, Any]) -> list[Driver]:
    if found := present(options, *WITH_DEPTH):
        raise click.UsageError(f"{found[0]} needs --depth.")
    if options["near"]:
        raise click.UsageError("--near needs --depth and --occlusion.")
    return parameters.drivers(PARAMETERS, options)


def _focus(options: Mapping[str, Any]) -> list[Driver]:
    if found := present_of(options, "radius"):
        raise click.UsageError(
            f"--depth and {found[0]} exclude each other: of --depth, --aperture makes the radius."
        )
    if options["per_channel"]:
        raise click.UsageError("--per-channel is for the pixel's own intensity, not for --depth.")
    if options["focus"] is None or options["aperture"] is None:
        raise click.UsageError("--depth needs --focus and --aperture.")
    if options["near"] and not options["occlusion"]:
        raise click.UsageError("--near needs --occlusion: no radius depends on which end is near.")
    if options["occlusion"] and options["normalise"]:
        raise click.UsageError(
            "--normalise and --occlusion exclude each other: what is hidden decides how it adds up."
        )
    thin = options["depth_model"] == "thin"
    if thin and options["focus"] <= 0:
        raise click.UsageError(
            f"--focus must be a distance above 0 with --depth-model thin, but is "
            f"{options['focus']:g}."
        )
    if thin and options["near"] == "white":
        raise click.UsageError(
            "--near white is for disparity, but --depth-model thin takes distances, of which the "
            "smaller is nearer."
        )
    most = options["max_radius"]
    focus = Focus(
        "radius",
        parameters.level("depth", options),
        focus=options["focus"],
        aperture=options["aperture"],
        max_radius=MAX_RADIUS if most is None else most,
        model=options["depth_model"] or "linear",
        near=options["near"],
    )
    parameters.check_bound(options, [focus])
    return [focus]


def _highlights(options: Mapping[str, Any]) -> Highlights | None:
    times, above = options["highlights"], options["highlights_above"]
    if times is None:
        if above is not None:
            raise click.UsageError("--highlights-above needs --highlights.")
        return None
    from svfilter.defocus import Highlights

    return Highlights(HIGHLIGHTS_ABOVE if above is None else above, times)
