"""The command line: parse, call, report. One file per command."""

from __future__ import annotations

import click

from svfilter import __version__
from svfilter.cli.bench import bench
from svfilter.cli.blur import blur
from svfilter.cli.info import info
from svfilter.cli.report import ReportingGroup


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
      cat photo.png | svfilter blur - - --sigma 3 > out.png
      svfilter info

    Exit codes: 0 done, 1 an input failed or the output could not be written, 2 wrong usage,
    130 interrupted.
    """  # noqa: D301  (\b tells click to keep the lines)


cli.add_command(bench)
cli.add_command(blur)
cli.add_command(info)
