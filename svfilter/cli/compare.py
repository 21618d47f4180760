"""`svfilter compare`: what tells two images apart."""

from __future__ import annotations

from typing import Any

import click

from svfilter.cli import options, types
from svfilter.cli.report import warnings_on_stderr
from svfilter.images.sources import STREAM
from svfilter.looking.comparing import LAYOUTS, compare_files


@click.command()
@click.argument("a", metavar="A", type=options.ANY_FILE)
@click.argument("b", metavar="B", type=options.ANY_FILE)
@click.argument("output", metavar="[OUTPUT]", required=False, type=options.ANY_FILE)
@click.option(
    "--layout",
    type=click.Choice(LAYOUTS),
    help="Of OUTPUT. side: A beside B; split: the left half of A with the right half of B.  "
    "[default: side]",
)
@click.option(
    "--times",
    type=types.FiniteRange(0, min_open=True),
    metavar="N",
    help="Of OUTPUT: what the difference is multiplied by before it is shown from 0 to 1.  "
    "[default: so that the largest becomes 1]",
)
@click.option(
    "--page",
    type=click.IntRange(1),
    metavar="N",
    help="Of A and B, which of their images, from 1.  [default: 1]",
)
@click.option(
    "--max-pixels",
    type=click.IntRange(1),
    metavar="COUNT",
    help="Read no image larger than this.  [default: any, unless its file is suspiciously small]",
)
@click.option("-q", "--quiet", is_flag=True, help="Nothing on stderr but errors.")
def compare(a: str, b: str, output: str | None, *, quiet: bool, **given: Any) -> None:
    """Tell how far two images are apart, and show it.

    A and B are image files of the same size, or - for stdin. Their channels must be the same, but
    grey is compared with RGB as three equal channels, and what has no alpha as opaque. Integers
    are taken as shares of their range, floats as they are.

    Of all channels, alpha too, it prints the largest difference and where it is, counted from 0;
    the mean difference and the RMS; the PSNR to a peak of 1; and how many pixels differ at all.
    What is NaN in one of the images alone is infinitely far off.

    OUTPUT is a picture of A, of B, and of the largest difference of each pixel in colours; a PNG,
    JPEG, TIFF, WebP, BMP or PPM by its suffix. With - it is a PNG on stdout, and the numbers are
    on stderr.

    \b
    Examples:
      svfilter compare a.png b.png
          the numbers alone
      svfilter compare a.png b.png picture.png
          and a picture of both and their difference, with colours as far as the largest
      svfilter compare a.png b.png picture.png --layout split --times 10
          the left half of one with the right half of the other, and ten times the difference
      svfilter blur a.png - --sigma 1 | svfilter compare a.png -
          what a blur changes
    """  # noqa: D301  (\b tells click to keep the lines)
    if "" in (a, b, output):
        raise click.UsageError("A, B and OUTPUT must not be empty names.")
    asked = {name: value for name, value in given.items() if value is not None}
    for name in ("layout", "times"):
        if name in asked and output is None:
            raise click.UsageError(f"--{name} is for a picture: name an OUTPUT.")
    if "page" in asked:
        asked["page"] -= 1
    with warnings_on_stderr(quiet=quiet):
        found = compare_files(a, b, output, **asked)
    if quiet and output == STREAM:
        return
    for name, words in found.words().items():
        click.echo(f"{name:<9}  {words}", err=output == STREAM)
