"""`svfilter bench`: how fast each engine is on this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from svfilter.bench import Speed


@click.command()
@click.option("--quick", is_flag=True, help="A small image: some seconds, rough figures.")
@click.option("--jobs", type=click.IntRange(1), help="Threads.  [default: all cores]")
@click.pass_context
def bench(ctx: click.Context, quick: bool, jobs: int | None) -> None:
    """Measure every engine's speed on the CPU.

    Megapixels per second of an RGB image in memory, sigma from 0 up to a largest one by the
    pixel's intensity. Before it is timed, a result is compared with a float64 oracle on
    crops; one that is wrong is called RED, has no figure, and makes the exit code 1.
    """
    from svfilter import bench as measuring
    from svfilter import devices

    size = measuring.QUICK_SIZE if quick else measuring.SIZE
    limit = measuring.QUICK_LIMIT if quick else measuring.LIMIT
    click.echo("\n".join(measuring.machine()))
    threads = devices.threads(jobs)
    click.echo(f"RGB float32, {size[1]} x {size[0]}, threads: {threads}, median of 3\n")
    click.echo(f"{'engine':<13}{'sigma 0 to':>10}{'MP/s':>9}{'error':>10}")
    red = False
    for speed in measuring.speeds(size, limit, jobs=jobs):
        click.echo(_row(speed))
        red = red or speed.red
    ctx.exit(int(red))


def _row(speed: Speed) -> str:
    start = f"{speed.engine:<13}{speed.sigma:>10g}"
    if speed.megapixels_per_second is None:
        return f"{start}  {speed.note}"
    return f"{start}{speed.megapixels_per_second:>9.2f}{speed.error:>10.1e}"
