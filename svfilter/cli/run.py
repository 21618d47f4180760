"""From a family's parsed options to a filtered file: what all such commands share."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from svfilter.cli.report import warnings_on_stderr
from svfilter.kernels.base import Family, Parameter
from svfilter.maps import INTENSITY, MapSpec


def run_family(family: type[Family], options: dict[str, Any]) -> None:
    """Filter INPUT into OUTPUT with the kernels that the options describe."""
    parameters = family.parameters()
    names = [name for name, p in parameters.items() if p.per_pixel]
    if options["quiet"] and options["verbose"]:
        raise click.UsageError("--quiet and --verbose exclude each other.")
    source, target = _files(options, names)
    _check_shaping(options, names)
    maps = {name: _map_spec(options, parameters[name]) for name in names}
    given = {name: options[name] for name in parameters if name not in names}
    constants = {name: value for name, value in given.items() if value is not None}
    quiet, verbose = options["quiet"], options["verbose"]
    passed = (
        *("boundary", "engine", "verify", "device", "memory", "jobs", "tile"),
        *("linear", "nan", "max_pixels"),
    )
    written = ("format", "bit_depth", "dither", "compression", "quality", "strip")
    with warnings_on_stderr(quiet=quiet):
        from svfilter.images.storing import Output
        from svfilter.pipeline import filter_file

        with _progress_bar(source, quiet=quiet) as progress:
            report = filter_file(
                source,
                target,
                family,
                maps,
                constants=constants,
                tolerance=_tolerance(options),
                page=None if options["page"] is None else options["page"] - 1,
                output=Output(**{name: options[name] for name in written}),
                progress=progress,
                **{name: options[name] for name in passed},
            )
    if report.error_seen is not None and not quiet:
        click.echo(
            f"svfilter: verified: error at most {report.error_seen:.2g} in {report.windows_seen} "
            f"windows; stated is {report.bound:.2g}",
            err=True,
        )
    if verbose:
        click.echo(
            f"svfilter: engine {report.engine} on {report.device}, error at most "
            f"{report.bound:.2g} of the image's range; kernels reach {report.reach} px; windows "
            f"of {report.window[1]} x {report.window[0]} px",
            err=True,
        )
        for name, reason in report.passed_over.items():
            click.echo(f"svfilter: not {name}: {reason}", err=True)


def _tolerance(options: dict[str, Any]) -> float | None:
    if not options["exact"]:
        tolerance: float | None = options["tolerance"]
        return tolerance
    if options["tolerance"] is not None:
        raise click.UsageError("--exact and --tolerance exclude each other.")
    return 0.0


def _files(options: dict[str, Any], names: list[str]) -> tuple[str, str]:
    """Give INPUT and OUTPUT; where one is missing, say which option took it."""
    source, target = options["input"], options["output"]
    for name, path in (("INPUT", source), ("OUTPUT", target)):
        if path == "":
            raise click.UsageError(f"{name} is an empty name.")
    if target is not None:
        return source, target
    missing = "OUTPUT" if source is not None else "INPUT"
    for name in names:
        taken = options[f"{name}_map"]
        if taken not in (None, INTENSITY):
            raise click.UsageError(
                f"Missing argument '{missing}': --{name}-map took {taken!r} as its SOURCE. Put "
                f"--{name}-map last, or write --{name}-map=SOURCE."
            )
    raise click.UsageError(f"Missing argument '{missing}'.")


def _check_shaping(options: dict[str, Any], names: list[str]) -> None:
    """Refuse options that would do nothing."""
    sources = [options[f"{name}_map"] for name in names]
    maps = " or ".join(f"--{name}-map" for name in names)
    for name in ("invert", "per_channel", "map_gamma", *(f"{name}_min" for name in names)):
        given = options[name] is not None and options[name] is not False
        if given and sources == [None] * len(names):
            raise click.UsageError(f"--{name.replace('_', '-')} needs {maps}.")
    if options["per_channel"] and INTENSITY not in sources:
        raise click.UsageError(
            f"--per-channel is for the pixel's own intensity, but {maps} is an image."
        )


def _map_spec(options: dict[str, Any], parameter: Parameter) -> MapSpec:
    high, low, source = (options[parameter.name + end] for end in ("", "_min", "_map"))
    high = parameter.default if high is None else high
    low = parameter.low if low is None else low
    if low > high:
        raise click.UsageError(
            f"--{parameter.name}-min {low:g} is larger than --{parameter.name} {high:g}; to "
            "swap the ends of the map, use --invert."
        )
    return MapSpec(
        high=high,
        low=high if source is None else low,
        source=source,
        per_channel=options["per_channel"],
        invert=options["invert"],
        gamma=1.0 if options["map_gamma"] is None else options["map_gamma"],
    )


@contextmanager
def _progress_bar(name: str, *, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on a terminal once the work has taken a second."""
    if quiet or sys.stderr is None or not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from tqdm import tqdm

    label = Path(name).name
    with tqdm(desc=label, unit="px", unit_scale=True, delay=1, leave=False) as bar:

        def progress(done: int, total: int) -> None:
            bar.total = total
            bar.update(done - bar.n)

        yield progress
