"""Options that commands share, as decorators; those of a family come from its parameters."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import click

from svfilter.engines import ENGINES
from svfilter.images.formats import FORMATS
from svfilter.kernels.base import Family, Parameter
from svfilter.tiles import BOUNDARIES

Command = Callable[..., Any]
Decorator = Callable[[Command], Command]


class MemorySize(click.ParamType[int]):
    """A number of bytes such as 512M or 2G."""

    name = "size"

    def convert(self, value: Any, param: Any, ctx: Any) -> int:
        """Turn "512M" into bytes."""
        units = {"K": 2**10, "M": 2**20, "G": 2**30}
        number, unit = value[:-1], value[-1:].upper()
        try:
            size = float(number) * units[unit] if unit in units else float(value)
        except ValueError:
            size = math.nan
        if not 0 < size < math.inf:
            self.fail(f"{value!r} is no size in bytes; write it like 512M or 2G", param, ctx)
        return int(size)


class FiniteRange(click.FloatRange):
    """A number in a range; NaN is in none."""

    def convert(self, value: Any, param: Any, ctx: Any) -> float:
        """Refuse NaN, which compares as if it were inside."""
        number: float = super().convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"{value!r} is not a number", param, ctx)
        return number


def files(command: Command) -> Command:
    """INPUT and OUTPUT, to which `check_files` adds a word on swallowed ones."""
    for name in ("output", "input"):
        command = click.argument(
            name,
            metavar=name.upper(),
            required=False,
            type=click.Path(allow_dash=True, readable=False),
        )(command)
    return command


def family(kind: type[Family]) -> Decorator:
    """The family's parameters: --NAME, and for per-pixel ones --NAME-min and --NAME-map."""

    def decorate(command: Command) -> Command:
        for parameter in reversed(kind.parameters().values()):
            for option in reversed(_parameter_options(parameter)):
                command = option(command)
        return command

    return decorate


def _parameter_options(parameter: Parameter) -> list[Decorator]:
    name, span = parameter.name, f"{parameter.low:g} to {parameter.high:g} {parameter.unit}"

    def check(ctx: click.Context, option: click.Parameter, value: float | None) -> float | None:
        if value is not None and (complaint := parameter.complaint(value, value)):
            raise click.BadParameter(complaint, ctx, option)
        return value

    def number(flag: str, default: float | None, text: str) -> Decorator:
        return click.option(
            flag,
            type=float,
            metavar=parameter.unit.upper(),
            default=default,
            show_default=default is not None,
            callback=check,
            help=text,
        )

    value = number(f"--{name}", parameter.default, f"{parameter.help.capitalize()}: {span}.")
    if not parameter.per_pixel:
        return [value]
    return [
        value,
        number(f"--{name}-min", None, f"Where the map is 0.  [default: {parameter.low:g}]"),
        click.option(
            f"--{name}-map",
            metavar="[SOURCE]",
            type=click.Path(allow_dash=True, readable=False),
            is_flag=False,
            flag_value="intensity",
            help=f"What drives {name} from --{name}-min (map 0) to --{name} (map 1): an image "
            "file by its luma, or without SOURCE the pixel's own intensity. Before INPUT write "
            f"--{name}-map=SOURCE.",
        ),
    ]


def shaping(command: Command) -> Command:
    """How a map's levels are changed before they become values."""
    for option in (
        click.option(
            "--map-gamma",
            type=FiniteRange(0, 100, min_open=True),
            help="Raise the map (after --invert) to this power.  [default: 1]",
        ),
        click.option("--invert", is_flag=True, help="Swap the map's 0 and 1."),
        click.option(
            "--per-channel",
            is_flag=True,
            help="Let each channel's own intensity drive it, not the luma of all.",
        ),
    ):
        command = option(command)
    return command


def computing(command: Command) -> Command:
    """How the filter is computed; none of these changes the result beyond the stated error."""
    for option in (
        click.option(
            "--max-pixels",
            type=click.IntRange(1),
            help="Decode images up to this size.  [default: 178956970]",
        ),
        click.option(
            "--tile", type=click.IntRange(1), help="Side of a tile in pixels; default by --memory."
        ),
        click.option(
            "--memory",
            type=MemorySize(),
            help="For tiles and weights, beyond the image itself.  "
            "[default: an eighth of what is free, at most 512M]",
        ),
        click.option(
            "--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:1, mps, xpu."
        ),
        click.option(
            "--engine", type=click.Choice(["auto", *ENGINES]), default="auto", show_default=True,
            help="See svfilter info.",
        ),
        click.option(
            "--boundary", type=click.Choice(list(BOUNDARIES)), default="replicate",
            show_default=True, help="What stands beyond the border; constant is 0.",
        ),
    ):  # fmt: skip
        command = option(command)
    return command


def writing(command: Command) -> Command:
    """How the result is written."""
    for option in (
        click.option("--quality", type=click.IntRange(1, 100), help="JPEG, WebP.  [default: 95]"),
        click.option(
            "--format",
            type=click.Choice(list(FORMATS)),
            help="Of OUTPUT.  [default: by its suffix; for - as INPUT]",
        ),
    ):
        command = option(command)
    return command


def talking(command: Command) -> Command:
    """How much is said on stderr."""
    command = click.option("-v", "--verbose", is_flag=True, help="Say how it was computed.")(
        command
    )
    return click.option("-q", "--quiet", is_flag=True, help="Errors only.")(command)
