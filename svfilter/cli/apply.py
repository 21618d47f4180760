"""`svfilter apply`: kernels of the user's own, from files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from svfilter.cli import options
from svfilter.cli.run import Filter, Recipe, files_of


@click.command(cls=Filter)
@options.files
@click.option(
    "--kernels",
    required=True,
    metavar="FILE",
    type=options.ANY_FILE,
    help="One kernel: numbers in a .txt or .csv, an .npy [kh, kw], or an image, divided by its "
    "sum. Many: an .npy [N, kh, kw] with --index or --coefficients, [gy, gx, kh, kw] at the nodes "
    "of a grid that spans INPUT, or [K, H, W], the K taps of each pixel. An .npz has them as "
    "`kernels`, and may have `index` or `coefficients` beside them.",
)
@click.option(
    "--index",
    metavar="FILE",
    type=options.ANY_FILE,
    help="Which of N kernels each pixel has, from 0: an .npy or a grey image of integers, of "
    "INPUT's size.",
)
@click.option(
    "--coefficients",
    metavar="FILE",
    type=options.ANY_FILE,
    help="An .npy [N, H, W]: how much of each of N kernels a pixel's own is the sum of.",
)
@click.option(
    "--sum-to-one",
    is_flag=True,
    help="Divide each pixel's kernel by its sum, so that what is flat stays as it is.",
)
@options.spreading(None, "energy")
@options.reading
@options.writing
@options.computing
@options.talking
def apply(**given: Any) -> Recipe:
    """Filter an image with kernels from a file.

    INPUT and OUTPUT are image files, or - for stdin and stdout. Weights are taken as they are, of
    any sign and sum; what falls below 0 or above 1 is cut where OUTPUT holds integers. To gather
    does not flip kernels (a correlation), to scatter does (a convolution). A grid of kernels is
    taken for point spread functions, and scatters if --mode does not say otherwise.

    \b
    Examples:
      svfilter apply in.png out.png --kernels sharp.txt
          the same kernel everywhere, rows of numbers
      svfilter apply in.png out.png --kernels star.png --mode scatter
          every point becomes the picture of a star
      svfilter apply in.png out.png --kernels kernels.npy --index index.png --sum-to-one
          each pixel has the kernel whose number the map holds
      svfilter apply in.png out.png --kernels psf.npy
          point spread functions [gy, gx, kh, kw] of a lens, blended over the image
    """  # noqa: D301  (\b tells click to keep the lines)
    _, target = files_of(given)
    name = given["kernels"]
    if Path(name).exists() and Path(target).exists() and Path(target).samefile(name):
        raise click.UsageError(f"OUTPUT {target} is also an input; give it another name.")
    from svfilter.kernels.stored import Grid
    from svfilter.maps.bringing import read_kernels

    beside = {key: given[key] for key in ("index", "coefficients", "sum_to_one")}
    brought = read_kernels(name, **beside)
    mode = given["mode"] or ("scatter" if brought.family is Grid else "gather")
    more = {"constants": brought.constants, "mode": mode}
    return Recipe(brought.family, brought.drivers, more)
