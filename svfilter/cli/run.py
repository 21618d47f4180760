"""From a family's parsed options to a filtered file: what all such commands share."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from svfilter.cli.report import warnings_on_stderr
from svfilter.kernels.base import Family
from svfilter.maps import INTENSITY, Driver

if TYPE_CHECKING:
    from svfilter.pipeline import Report


def run_family(
    family: type[Family],
    maps: Sequence[Driver],
    options: Mapping[str, Any],
    *,
    constants: Mapping[str, Any],
    normalise: str = "energy",
    **more: Any,
) -> None:
    """Filter INPUT into OUTPUT with the kernels that the options describe.

    Args:
        family: what the kernels look like.
        maps: what drives the family's parameters.
        options: all that were given, by name.
        constants: the family's other parameters.
        normalise: how scattered light is normalised if --normalise does not say so.
        more: what this command alone hands on to `filter_file`.
    """
    if options["quiet"] and options["verbose"]:
        raise click.UsageError("--quiet and --verbose exclude each other.")
    source, target = files_of(options)
    quiet, verbose = options["quiet"], options["verbose"]
    mode = options.get("mode", "gather")
    if options.get("normalise") is not None and mode != "scatter":
        raise click.UsageError("--normalise needs --mode scatter.")
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
                mode=mode,
                normalise=options.get("normalise") or normalise,
                tolerance=_tolerance(options),
                page=None if options["page"] is None else options["page"] - 1,
                output=Output(**{name: options[name] for name in written}),
                progress=progress,
                **{name: options[name] for name in passed},
                **more,
            )
    if report.error_seen is not None and not quiet:
        click.echo(
            f"svfilter: verified: error at most {report.error_seen:.2g} in {report.windows_seen} "
            f"windows; stated is {report.bound:.2g}",
            err=True,
        )
    if verbose:
        click.echo(
            f"svfilter: engine {report.engine} on {report.device}, {_bound(report)}; kernels reach "
            f"{report.reach} px; windows of {report.window[1]} x {report.window[0]} px",
            err=True,
        )
        for name, reason in report.passed_over.items():
            click.echo(f"svfilter: not {name}: {reason}", err=True)


def _bound(report: Report) -> str:
    if report.bound is None:
        return "what is hidden is guessed, within no bound"
    return f"error at most {report.bound:.2g} of the image's range"


def _tolerance(options: Mapping[str, Any]) -> float | None:
    if not options["exact"]:
        tolerance: float | None = options["tolerance"]
        return tolerance
    if options["tolerance"] is not None:
        raise click.UsageError("--exact and --tolerance exclude each other.")
    return 0.0


def files_of(options: Mapping[str, Any]) -> tuple[str, str]:
    """Give INPUT and OUTPUT.

    Raises:
        UsageError: one is missing; it says which option may have taken it.
    """
    source, target = options["input"], options["output"]
    taking = []
    for parameter in click.get_current_context().command.params:
        if not isinstance(parameter.type, click.Path):
            continue
        path = options[str(parameter.name)]
        is_option = isinstance(parameter, click.Option)
        name = parameter.opts[0] if is_option else str(parameter.name).upper()
        if path == "":
            raise click.UsageError(f"{name} is an empty name.")
        if is_option and path not in (None, INTENSITY):
            taking.append((name, path, str(parameter.metavar).strip("[]")))
    if target is not None:
        return source, target
    missing = "OUTPUT" if source is not None else "INPUT"
    if taking:
        name, path, what = taking[0]
        raise click.UsageError(
            f"Missing argument '{missing}': {name} took {path!r} as its {what}. Put {name} last, "
            f"or write {name}={what}."
        )
    raise click.UsageError(f"Missing argument '{missing}'.")


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
