"""`svfilter show`: a picture of the kernels by which another command filters."""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Callable, Mapping
from copy import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from svfilter.cli.apply import apply
from svfilter.cli.blur import blur
from svfilter.cli.lens import lens
from svfilter.cli.motion import motion
from svfilter.cli.report import warnings_on_stderr
from svfilter.cli.run import (
    Recipe,
    check_sources,
    check_talking,
    files_of,
    page_of,
    progress_bar,
    remedying,
    request_of,
)
from svfilter.cli.sharpen import sharpen
from svfilter.cli.smooth import smooth
from svfilter.cli.types import Point
from svfilter.errors import InvalidArgument
from svfilter.images.sources import STREAM

if TYPE_CHECKING:
    from svfilter.kernels.base import Array
    from svfilter.looking.site import Place, Site

FILTERS = (apply, blur, lens, motion, sharpen, smooth)
DEFAULT = "blur"
IDLE = (
    *("linear", "nan", "format", "bit_depth", "dither", "compression", "quality", "strip"),
    *("boundary", "engine", "tolerance", "exact", "verify", "device", "jobs", "memory", "tile"),
    *("show_map", "verbose"),
)
"""Options that say nothing about kernels; they are taken so that "show" can be put into any
command line. (Kernels that look at a guide do follow the boundary.)"""
RAW = f"{__name__}.raw"

AT = click.Option(
    ["--at"],
    type=Point(),
    metavar="X,Y",
    help="Of one pixel, counted from 0,0 at the top left, print the kernel as a text that "
    "svfilter apply --kernels reads. OUTPUT may be left out; else it shows this kernel alone.",
)
HELP = """Draw the kernels by which svfilter {name} filters an image.

INPUT is an image file, or - for stdin. OUTPUT is a picture: a PNG, JPEG, TIFF, WebP, BMP or PPM by
its suffix, or a PNG on stdout with -. It shows the image, the kernels of some of its pixels over
it, and every parameter that a map drives, in colours.

Options are those of svfilter {name}. Those that say nothing about kernels, such as --quality, may
be given too.

\b
Examples:
  svfilter show {name} in.png out.png{options}
      a picture of kernels and maps
  svfilter show {name} in.png{options} --at 7,5 > kernel.txt
      the weights of one pixel's kernel
"""
EXAMPLES = {
    "apply": " --kernels psf.npy",
    "blur": " --sigma-map depth.png --sigma 12",
    "lens": " --depth depth.png --focus 0.2 --aperture 20",
    "motion": " --spin 5",
    "sharpen": " --amount 3 --amount-map",
    "smooth": " --sigma-space 3",
}


class Drawing(click.Command):
    """A filter's command that draws the kernels of its recipe."""

    def __init__(self, of: click.Command) -> None:
        name = str(of.name)
        super().__init__(
            name,
            params=[*map(_of_picture, of.params), AT],
            callback=of.callback,
            help=HELP.format(name=name, options=EXAMPLES[name]),
            short_help=f"The kernels of svfilter {name}.",
        )

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Keep what was written, too."""
        check_sources(args)
        ctx.meta[RAW], _, _ = self.make_parser(ctx).parse_args(list(args))
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> None:
        """Ask for the recipe, and draw."""
        given = dict(ctx.params)
        check_talking(given)
        if given["at"] is not None and given["input"] is not None and given["output"] is None:
            ctx.params["output"] = STREAM  # for a filter one must be named
        with warnings_on_stderr(quiet=given["quiet"]):
            files_of(ctx.params)
            recipe: Recipe = super().invoke(ctx)
            with remedying(recipe):
                _draw(recipe, given, _written(ctx))


class Show(click.Group):
    """Drawings of the filters' kernels; without a filter's name it is the first one's."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put in the filter that is meant if none is named."""
        if args and args[0] not in (*self.commands, *ctx.help_option_names):
            if re.fullmatch(r"[a-z]+", args[0]) and not Path(args[0]).exists():
                known = ", ".join(self.commands)
                raise click.UsageError(f"No filter is named {args[0]!r}; there are {known}.", ctx)
            args = [DEFAULT, *args]
        return super().parse_args(ctx, args)


def _of_picture(parameter: click.Parameter) -> click.Parameter:
    """Give a filter's parameter as it is said of a picture; what is idle is left unsaid."""
    if not isinstance(parameter, click.Option) or parameter.name not in (*IDLE, "page"):
        return parameter
    parameter = copy(parameter)
    parameter.hidden = parameter.name in IDLE
    parameter.help = "Of INPUT, which of its images, from 1.  [default: 1]"
    return parameter


def _written(ctx: click.Context) -> str:
    """Give the filter's command line, without what is idle."""
    from svfilter.looking.lettering import shortened

    raw, words = ctx.meta[RAW], ["svfilter", str(ctx.command.name), shortened(ctx.params["input"])]
    for option in ctx.command.params:
        if option.name not in raw or not isinstance(option, click.Option):
            continue
        if option.hidden or option is AT:
            continue
        value = raw[option.name]
        for text in value if isinstance(value, list) else [value]:
            words.append(option.opts[0])
            if isinstance(text, str) and not option.is_flag:
                words.append(shlex.quote(shortened(text) if Path(text).is_file() else text))
    return " ".join(words)


def _draw(recipe: Recipe, given: Mapping[str, Any], title: str) -> None:
    """Look at INPUT; print a kernel, or draw OUTPUT."""
    from svfilter.looking import canvas
    from svfilter.looking.site import open_site

    source, target = given["input"], given["output"]
    request = request_of(recipe, given)
    inputs = [source, *request.sources]
    if target is not None:
        canvas.check(target, inputs)
    with (
        progress_bar(source, quiet=given["quiet"]) as progress,
        open_site(request, source, page=page_of(given), max_pixels=given["max_pixels"]) as site,
    ):
        if given["at"] is None:
            sheet, text = _of_many(site, title, progress), ""
        else:
            place, draws = _place(site, given["at"]), target is not None
            sheet, text = _of_one(site, place, title, progress, draws=draws)
    if sheet is not None:
        canvas.save(target, sheet, inputs)
    if text:
        click.echo(text, err=target == STREAM)


def _of_many(site: Site, title: str, progress: Callable[[int, int], None]) -> Array:
    """Give the sheet of an image's kernels."""
    from svfilter.looking.explaining import explained
    from svfilter.looking.field import look
    from svfilter.looking.stamps import grid, stamp

    found = look(site, grid(*site.size), stamp, progress=progress)
    return explained(site, found, f"{site.page.asked.family.summary}\n{title}")


def _of_one(
    site: Site, place: Place, title: str, progress: Callable[[int, int], None], *, draws: bool
) -> tuple[Array | None, str]:
    """Give the sheet of one kernel, if it shall be drawn, and its text."""
    from svfilter.looking.field import look
    from svfilter.looking.kernel import weights_at
    from svfilter.looking.single import as_text, described, enlarged

    found = look(
        site, [place], lambda *of: (of[0], weights_at(*of)), all_of_it=draws, progress=progress
    )
    family, weights = found.kernels[place]
    first, *words = described(site, place, family, weights)
    words = [first, title, *words]
    return enlarged(site, place, found, words) if draws else None, as_text(words, weights)


def _place(site: Site, at: tuple[float, float]) -> Place:
    """Give the row and the column of the pixel that a point lies in.

    Raises:
        InvalidArgument: it lies in none.
    """
    (height, width), (x, y) = site.size, at
    column, row = math.floor(x + 0.5), math.floor(y + 0.5)
    if not (0 <= row < height and 0 <= column < width):
        raise InvalidArgument(
            f"--at {x:g},{y:g} is outside of {site.page.image.name}: its {width} x {height} pixels "
            f"are 0,0 to {width - 1},{height - 1}"
        )
    return row, column


show = Show(
    "show",
    commands=[Drawing(command) for command in FILTERS],
    subcommand_metavar="[COMMAND] INPUT [OUTPUT] ...",
    help="""Draw the kernels by which a filter filters.

Put show before the COMMAND of a filter, and OUTPUT becomes a picture of its kernels: the image,
the kernels of some of its pixels over it, and every parameter that a map drives, in colours.
Without COMMAND it is blur.

\b
Examples:
  svfilter show in.png out.png --sigma-map depth.png --sigma 12
      by what sigma each part of the picture is blurred
  svfilter show lens in.png out.png --depth depth.png --focus 0.2 --aperture 20
      what is sharp, and how large the disks are elsewhere
  svfilter show motion in.png --spin 5 --at 7,5 > kernel.txt
      the weights of one pixel's kernel, which svfilter apply --kernels reads
""",
)
