"""From a command's parsed options to a filtered file: what all filters share."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from svfilter.cli.report import warnings_on_stderr
from svfilter.errors import InvalidArgument
from svfilter.kernels.base import Family
from svfilter.maps import INTENSITY, Driver

if TYPE_CHECKING:
    from svfilter.images.storing import Output
    from svfilter.pipeline import Report
    from svfilter.request import Request


@dataclass(frozen=True)
class Recipe:
    """The kernels that a command's options describe."""

    family: type[Family]
    drivers: Sequence[Driver]
    more: Mapping[str, Any] = field(default_factory=dict)
    """Others of `filter_file`'s arguments that say what is done with them."""
    remedies: Mapping[str, str] = field(default_factory=dict)
    """What to do if a parameter is out of its range, where a driver makes it."""


class Filter(click.Command):
    """A command whose function gives a recipe, by which INPUT is filtered into OUTPUT."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse, but for what would be misunderstood."""
        check_sources(args)
        return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> None:
        """Ask for the recipe, and filter."""
        given = ctx.params
        check_talking(given)
        files_of(given)
        with warnings_on_stderr(quiet=given["quiet"]):
            recipe: Recipe = super().invoke(ctx)
            (_chart if given["show_map"] else _filter)(recipe, given)


def check_sources(args: Sequence[str]) -> None:
    """Refuse sources of maps that begin with -, which click would take for options."""
    for arg in args:
        option, equals, source = arg.partition("=")
        if option.endswith("-map") and equals and re.match(r"-.", source):
            raise click.UsageError(
                f"{option} cannot take {source!r}, which looks like an option: write 0{source} for "
                f"an expression, ./{source} for a file."
            )


def check_talking(options: Mapping[str, Any]) -> None:
    """Refuse to be both quiet and verbose."""
    if options["quiet"] and options["verbose"]:
        raise click.UsageError("--quiet and --verbose exclude each other.")


@contextmanager
def remedying(recipe: Recipe) -> Iterator[None]:
    """Say what to do about a parameter that is out of its range."""
    try:
        yield
    except InvalidArgument as error:
        name = str(error).partition(" ")[0]
        if name not in recipe.remedies:
            raise
        raise InvalidArgument(f"{error} {recipe.remedies[name]}") from error


def asked(recipe: Recipe, options: Mapping[str, Any]) -> dict[str, Any]:
    """Give those of `filter_file`'s arguments that say what is done with the kernels.

    Raises:
        UsageError: an option that would do nothing.
    """
    given = {name: options.get(name) for name in ("mode", "normalise", "boundary")}
    arguments = {name: value for name, value in given.items() if value is not None}
    arguments |= recipe.more
    if given["normalise"] is not None and arguments.get("mode") != "scatter":
        raise click.UsageError("--normalise needs --mode scatter.")
    return arguments


def _filter(recipe: Recipe, options: Mapping[str, Any]) -> None:
    """Filter INPUT into OUTPUT."""
    source, target = files_of(options)
    quiet = options["quiet"]
    passed = ("engine", "verify", "device", "memory", "jobs", "tile", "linear", "nan", "max_pixels")
    from svfilter.pipeline import filter_file

    arguments = {name: options[name] for name in passed} | asked(recipe, options)
    with progress_bar(source, quiet=quiet) as progress, remedying(recipe):
        report = filter_file(
            source,
            target,
            recipe.family,
            recipe.drivers,
            tolerance=_tolerance(options),
            page=page_of(options),
            output=_output(options),
            progress=progress,
            **arguments,
        )
    if not quiet:
        _tell(report, verbose=options["verbose"])


def _output(options: Mapping[str, Any]) -> Output:
    from svfilter.images.storing import Output

    written = ("format", "bit_depth", "dither", "compression", "quality", "strip")
    return Output(**{name: options[name] for name in written})


def request_of(recipe: Recipe, options: Mapping[str, Any]) -> Request:
    """Give what INPUT would be filtered with, to look at its kernels alone."""
    from svfilter.request import Request

    # The oracle is there for all kernels; it is asked for their guide, and computes nothing.
    return Request(
        recipe.family,
        tuple(recipe.drivers),
        engine="reference",
        verify=options["verify"],
        **{name: options[name] for name in ("memory", "jobs")},
        **asked(recipe, options),
    )


def _chart(recipe: Recipe, options: Mapping[str, Any]) -> None:
    """Write the map of INPUT's kernels into OUTPUT."""
    source, target = files_of(options)
    from svfilter.looking.mapping import write_map

    quiet = options["quiet"]
    with progress_bar(source, quiet=quiet) as progress, remedying(recipe):
        spans, scaled = write_map(
            request_of(recipe, options),
            source,
            target,
            page=page_of(options),
            output=_output(options),
            max_pixels=options["max_pixels"],
            progress=progress,
        )
    if quiet:
        return
    for name, (low, high) in spans.items():
        unit = recipe.family.parameters()[name.partition("[")[0]].unit
        ends = f"black is {low:g}, white {high:g} {unit}" if scaled else f"in {unit}"
        click.echo(f"svfilter: the map of {name.replace('_', '-')}: {ends}", err=True)


def page_of(options: Mapping[str, Any]) -> int | None:
    """Give the page asked for, from 0."""
    return None if options["page"] is None else options["page"] - 1


def _tell(report: Report, *, verbose: bool) -> None:
    if report.error_seen is not None:
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
def progress_bar(name: str, *, quiet: bool) -> Iterator[Callable[[int, int], None]]:
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
