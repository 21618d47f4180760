"""A family's parameters as options, and what is given of them as maps and constants."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

import click

from svfilter.cli.options import ANY_FILE, Decorator, together
from svfilter.errors import InvalidArgument
from svfilter.kernels.base import Family, Parameter
from svfilter.maps import INTENSITY, Channel, Driver, EachChannel, Ramp, Shaped, Shaping
from svfilter.maps.levels import Level
from svfilter.maps.written import bind_all, read_source

Parameters = Mapping[str, Parameter]
Shapes = Mapping[str, Parameters]
"""The parameters of each shape that a command knows, by its name."""

ENDS = ("", "_min", "_map")
SHAPING = {
    "map_clip": "clip",
    "map_smooth": "smooth",
    "map_range": "stretch",
    "invert": "invert",
    "map_gamma": "gamma",
}
"""The field of `Shaping` of each option."""


@dataclass(frozen=True)
class Painted:
    """One map whose channels drive several parameters."""

    option: str
    channels: Mapping[str, str]
    """The channel by the name of the parameter."""


def of(family: type[Family], *, omit: tuple[str, ...] = (), **defaults: float) -> Parameters:
    """Give a family's parameters but some, and some with other defaults."""
    parameters = {n: p for n, p in family.parameters().items() if n not in omit}
    return {n: replace(p, default=defaults.get(n, p.default)) for n, p in parameters.items()}


def flag(name: str) -> str:
    """Give the option of a name."""
    return f"--{name.replace('_', '-')}"


def present(options: Mapping[str, Any], *names: str) -> list[str]:
    """Give the options, of some names, that were given."""
    values = {name: options.get(name) for name in names}
    return [flag(name) for name, v in values.items() if v is not None and v is not False]


def present_of(options: Mapping[str, Any], *names: str) -> list[str]:
    """Give the options of some parameters that were given."""
    return present(options, *(name + end for name in names for end in ENDS))


def either(words: list[str]) -> str:
    """List words: a, b or c."""
    return " or ".join([", ".join(words[:-1]), words[-1]] if words[1:] else words)


def family(parameters: Parameters) -> Decorator:
    """The options of one family: --NAME, and for per-pixel ones --NAME-min and --NAME-map."""
    return families({"": parameters})


def families(shapes: Shapes) -> Decorator:
    """The options of several families: those that share a parameter share its options."""
    ordered = sorted(_owners(shapes), key=lambda name: not _first(shapes, name).per_pixel)
    driven = [name for name in ordered if _first(shapes, name).per_pixel]
    return together(*(option for name in ordered for option in _options(shapes, name, driven[0])))


def _owners(shapes: Shapes) -> dict[str, list[str]]:
    """Give the shapes that have each parameter."""
    names = dict.fromkeys(name for parameters in shapes.values() for name in parameters)
    return {name: [shape for shape in shapes if name in shapes[shape]] for name in names}


def _first(shapes: Shapes, name: str) -> Parameter:
    return next(parameters[name] for parameters in shapes.values() if name in parameters)


def _options(shapes: Shapes, name: str, model: str) -> Iterator[Decorator]:
    """Give the options of one parameter; the help of its map refers to that of the model's."""
    owners, parameter = _owners(shapes)[name], _first(shapes, name)
    option, metavar = flag(name), parameter.unit.upper()
    text = f"{'' if len(owners) == len(shapes) else f'of {either(owners)}: '}{parameter.help}"
    for other in _owners(shapes):
        text = text.replace(other, flag(other)) if "_" in other else text
    span = f"{parameter.low:g} to {parameter.high:g}"
    others = {shape: shapes[shape][name] for shape in owners[1:]}
    told = span + "".join(
        f"; of {shape} {other.low:g} to {other.high:g} {other.unit}"
        for shape, other in others.items()
        if (other.low, other.high, other.unit) != (parameter.low, parameter.high, parameter.unit)
    )
    yield click.option(
        option,
        type=float,
        metavar=metavar,
        help=f"{text[0].upper()}{text[1:]}.  [default: {parameter.default:g}; {told}]",
    )
    if not parameter.per_pixel:
        return
    yield click.option(
        f"{option}-min",
        type=float,
        metavar=metavar,
        help=f"The {option[2:]} where the map is 0.  [default: {_least(parameter):g}; {span}]",
    )
    drives = f"What drives {option[2:]} from {option}-min (map 0) to {option} (map 1)"
    kinds = (
        "an image file, a channel, or an expression of some (see svfilter maps); without SOURCE "
        f"the pixel's own intensity. Before INPUT write {option}-map=SOURCE."
    )
    yield click.option(
        f"{option}-map",
        metavar="[SOURCE]",
        type=ANY_FILE,
        is_flag=False,
        flag_value=INTENSITY,
        help=f"{drives}: {kinds if name == model else f'as for {flag(model)}-map.'}",
    )


def _least(parameter: Parameter) -> float:
    """Give the value where a map is 0, if no other is asked for."""
    return max(parameter.low, 0.0)


def check_shape(shapes: Shapes, shape: str, options: Mapping[str, Any]) -> None:
    """Refuse options that only other shapes have."""
    for name, owners in _owners(shapes).items():
        if shape not in owners and (found := present_of(options, name)):
            own = [flag(n) for n in shapes[shape]]
            raise click.UsageError(
                f"{found[0]} is for --shape {either(owners)}, but the shape is {shape}, whose "
                f"options are {', '.join(own)}."
            )


def constants(parameters: Parameters, options: Mapping[str, Any]) -> dict[str, float]:
    """Give what was given of the parameters that are one number for the whole image."""
    names = [n for n, p in parameters.items() if not p.per_pixel and options[n] is not None]
    for name in names:
        _check(parameters[name], name, options)
    return {name: options[name] for name in names}


def drivers(
    parameters: Parameters,
    options: Mapping[str, Any],
    painted: Painted | None = None,
) -> list[Driver]:
    """Give what drives the parameters that may differ at every pixel.

    Raises:
        UsageError: a value out of its range, or an option that would do nothing.
    """
    names = [name for name, p in parameters.items() if p.per_pixel]
    for name in names:
        _check(parameters[name], name, options)
        _check(parameters[name], f"{name}_min", options)
    _check_painted(options, painted)
    _check_shaping(options, names, painted)
    found: list[Driver] = [_ramp(parameters[name], options, painted) for name in names]
    check_bound(options, found)
    return found


def refuse_shaping(options: Mapping[str, Any], reason: str) -> None:
    """Refuse the options that shape maps, where there are none to shape."""
    if found := _shaped(options):
        raise click.UsageError(f"{found[0]} is for maps, but {reason}.")


def _shaped(options: Mapping[str, Any]) -> list[str]:
    """Give the options for maps that were given."""
    given = [flag("map")] if options["bound"] else []
    return given + present(options, "per_channel", "map_resize", *SHAPING)


def level(name: str, options: Mapping[str, Any]) -> Level:
    """Give the level that an option names, shaped as the others say.

    Raises:
        BadParameter: it is no file, channel or expression, or cannot be shaped so.
    """
    fit = options["map_resize"] or "bilinear"
    with _blaming("map"):
        bound = bind_all(options["bound"], fit)
    with _blaming(name):
        source = read_source(options[name], bound, fit)
    return _shape(source, options)


def _shape(source: Level, options: Mapping[str, Any]) -> Level:
    given = {field: options[name] for name, field in SHAPING.items() if options[name] is not None}
    for name, field in SHAPING.items():
        if field in given:
            with _blaming(name):
                Shaped(source, Shaping(**{field: given[field]}))
    shaping = Shaping(**given)
    return source if shaping == Shaping() else Shaped(source, shaping)


@contextmanager
def _blaming(name: str) -> Iterator[None]:
    """Say which option was wrong."""
    try:
        yield
    except InvalidArgument as error:
        raise click.BadParameter(str(error), param_hint=f"'{flag(name)}'") from error


def check_bound(options: Mapping[str, Any], drivers: Sequence[Driver]) -> None:
    """Refuse names that no expression has."""
    read = {source for driver in drivers for source in driver.sources}
    for name, source in bind_all(options["bound"]).items():
        if not read.intersection(source.sources):
            raise click.UsageError(f"--map {name}=... is not used: no expression has {name}.")


def _check(parameter: Parameter, name: str, options: Mapping[str, Any]) -> None:
    value = options[name]
    if value is not None and (complaint := parameter.complaint(value, value)):
        raise click.BadParameter(complaint, param_hint=f"'{flag(name)}'")


def _check_painted(options: Mapping[str, Any], painted: Painted | None) -> None:
    if painted is None or not present(options, painted.option):
        return
    if found := present(options, *(f"{name}_map" for name in painted.channels)):
        raise click.UsageError(
            f"{flag(painted.option)} and {found[0]} exclude each other: a channel of the first "
            "drives the same."
        )


def _check_shaping(options: Mapping[str, Any], names: list[str], painted: Painted | None) -> None:
    """Refuse options that would do nothing."""
    extra = [] if painted is None else [painted.option]
    driven = [f"{name}_map" for name in names] + extra
    sources = [options[name] for name in driven if options[name] is not None]
    if not sources and (found := _shaped(options)):
        raise click.UsageError(f"{found[0]} needs {either([flag(name) for name in driven])}.")
    for name in names:
        channels = MappingProxyType({}) if painted is None else painted.channels
        own = [f"{name}_map", *(extra if name in channels else [])]
        if present(options, f"{name}_min") and not present(options, *own):
            maps = either([flag(option) for option in own])
            raise click.UsageError(f"{flag(name)}-min needs {maps}.")
    if options.get("per_channel") and INTENSITY not in sources:
        raise click.UsageError(
            "--per-channel is for the pixel's own intensity, but "
            f"{present(options, *driven)[0]} is something else."
        )


def _ramp(parameter: Parameter, options: Mapping[str, Any], painted: Painted | None) -> Ramp:
    name, painting = parameter.name, None
    high, low, source = (options[name + end] for end in ENDS)
    if painted is not None and present(options, painted.option) and name in painted.channels:
        painting = source = options[painted.option]
    neither = high is None and low is None
    high = parameter.default if high is None else high
    low = _least(parameter) if low is None else low
    if source is not None and low > high and parameter.low >= 0:  # else it is a direction
        raise click.UsageError(
            f"{flag(name)}-min {low:g} is larger than {flag(name)} {high:g}; to swap the ends of "
            "the map, use --invert."
        )
    if source is not None and painting is None and neither and low == high:
        raise click.UsageError(
            f"{flag(name)}-map drives {flag(name)} from {low:g} to {high:g}: give {flag(name)}, "
            "the value where the map is 1."
        )
    if source is None:
        return Ramp(name, high)
    if source == INTENSITY and options.get("per_channel"):
        return Ramp(name, high, low, _shape(EachChannel(), options))
    if painting is None:
        return Ramp(name, high, low, level(f"{name}_map", options))
    assert painted is not None
    fit = options["map_resize"] or "bilinear"
    channel = Channel(painting, painted.channels[name], fit)
    return Ramp(name, high, low, _shape(channel, options))
