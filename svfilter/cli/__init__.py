"""The command line: parse, call, report. One file per command."""

from __future__ import annotations

import click

from svfilter import __version__
from svfilter.cli.apply import apply
from svfilter.cli.bench import bench
from svfilter.cli.blur import blur
from svfilter.cli.compare import compare
from svfilter.cli.info import info
from svfilter.cli.kernels import kernels
from svfilter.cli.lens import lens
from svfilter.cli.maps import maps
from svfilter.cli.motion import motion
from svfilter.cli.report import ReportingGroup
from svfilter.cli.sharpen import sharpen
from svfilter.cli.show import show
from svfilter.cli.smooth import smooth


@click.group(
    cls=ReportingGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="svfilter")
def cli() -> None:
    """Filter images with a kernel of its own at every pixel.

    \b
    Examples:
      svfilter blur photo.png out.png --sigma-map
      svfilter blur photo.png out.png --sigma-map depth.png --sigma 12
      svfilter lens photo.png out.png --depth depth.png --focus 0.2 --aperture 20
      cat photo.png | svfilter motion - - --length 20 --angle 30 > out.png
      svfilter apply photo.png out.png --kernels psf.npy
      svfilter show blur photo.png out.png --sigma-map
      svfilter kernels

    Exit codes: 0 done, 1 an input failed or the output could not be written, 2 wrong usage,
    130 interrupted.
    """  # noqa: D301  (\b tells click to keep the lines)


for command in (
    *(apply, bench, blur, compare, info, kernels),
    *(lens, maps, motion, sharpen, show, smooth),
):
    cli.add_command(command)
