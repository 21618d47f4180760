"""Write the README's tables, and some of its examples, from the code.

    python tools/readme.py            write them
    python tools/readme.py --check    only say whether they are up to date (exit code 1: not)

Each table stands between `<!-- NAME -->` and `<!-- /NAME -->`.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import click
from gallery import ACROSS, KERNELS, MAPS

from svfilter.cli import cli
from svfilter.cli.kernels import FORMS, MADE_BY
from svfilter.cli.kernels import engines as engines_of
from svfilter.cli.maps import tables as said
from svfilter.engines import ENGINES
from svfilter.engines.base import MODES
from svfilter.images.formats import FORMATS, WORDS
from svfilter.kernels import FAMILIES
from svfilter.kernels.stored import STORED

FILTERS = ("blur", "lens", "motion", "sharpen", "smooth", "apply")
FIRST = ("`--per-channel`", "`--invert`", "`--mode [gather|scatter]`")
"""Of the options after those of the kernels, one of these is the first."""
README = Path(__file__).parent.parent / "README.md"


Rows = Iterator[tuple[str, ...]]


def records(command: str) -> Rows:
    """Give each option of a command and what it does."""
    context = click.Context(cli.commands[command])
    for parameter in cli.commands[command].params:
        if isinstance(parameter, click.Option) and (record := parameter.get_help_record(context)):
            yield f"`{record[0]}`", " ".join(record[1].split())


def split(command: str) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """Give the options of a command's kernels, and those after them, of which others have some."""
    found = list(records(command))
    names = [record[0] for record in found]
    first = min(names.index(name) for name in FIRST if name in names)
    return found[:first], found[first:]


def shared() -> list[tuple[str, ...]]:
    """Give the options that several commands have alike."""
    count = Counter(record for command in FILTERS for record in split(command)[1])
    return [record for record, commands in count.items() if commands > 1]


def options(command: str | None) -> Rows:
    """Give a row for each option of one command, or for those that several commands have."""
    yield "option", "what it does"
    if command is None:
        yield from shared()
    else:
        own, others = split(command)
        yield from own
        yield from (record for record in others if record not in shared())


def families() -> Rows:
    """Give a row for each kernel family."""
    yield "family", "in Python", "kernels", "command", "engines, to gather", "engines, to scatter"
    for name, family in {**FAMILIES, **STORED}.items():
        made = f"`{MADE_BY[name]}`" if name in MADE_BY else "none"
        made = "`apply`" if name in STORED else made
        able = (", ".join(engines_of(family, mode)) or "not these kernels" for mode in MODES)
        yield name, f"`{family.__name__}`", family.summary, made, *able


def forms() -> Rows:
    """Give a row for each way in which kernels may lie in a file."""
    yield "kernels", "the file holds"
    for name, form in FORMS.items():
        yield STORED[name].summary, form


def parameters() -> Rows:
    """Give a row for each parameter of each kernel family."""
    yield "family", "parameter", "per pixel", "range", "default", "meaning"
    for name, family in FAMILIES.items():
        for p in family.parameters().values():
            span = f"{p.low:g} to {p.high:g} {p.unit}"
            per_pixel = "yes" if p.per_pixel else "no"
            yield name, p.name, per_pixel, span, f"{p.default:g}", p.help


def engines() -> Rows:
    """Give a row for each engine."""
    yield "engine", "what it is", "error at most", "chosen by itself"
    for name, engine in ENGINES.items():
        yield f"`{name}`", engine.summary, engine.error, "yes" if engine.automatic else "no"


def gallery() -> Rows:
    """Give a row for each panel of the picture of the kernels."""
    yield "panel", "made by `svfilter` with"
    for i, command in enumerate(KERNELS):
        row, col = divmod(i, ACROSS)
        yield f"row {row + 1}, {('left', 'right')[col]}", f"`{command.replace('OUT', 'out.png')}`"


def words() -> Rows:
    """Give a row for each word that a map may be."""
    yield "word", "what it is of a pixel"
    yield from ((f"`{name}`", meaning) for name, meaning in said()["words"].items())


def functions() -> Rows:
    """Give a row for all else that an expression of maps may say."""
    yield "in expressions", "what it is"
    for kind in ("places", "operators and functions"):
        yield from ((f"`{name}`", meaning) for name, meaning in said()[kind].items())


def tasks() -> str:
    """Give the commands of the gallery of maps as examples."""
    lines = [
        f"# {task}\nsvfilter {command.replace('OUT', 'out.png')}" for task, command in MAPS.items()
    ]
    return "<!-- examples -->\n```sh\n" + "\n\n".join(lines) + "\n```"


def formats() -> Rows:
    """Give a row for each file format that can be written."""
    yield "format", "suffixes", "holds", "carries"
    for name, held in FORMATS.items():
        carried = ", ".join(WORDS[key] for key in held.carries) or "nothing more"
        yield f"`{name}`", " ".join(held.suffixes), held.pixels, carried


TABLES = {
    "gallery": gallery,
    "words": words,
    "functions": functions,
    "options": partial(options, None),
    **{command: partial(options, command) for command in FILTERS},
    "forms": forms,
    "families": families,
    "parameters": parameters,
    "engines": engines,
    "formats": formats,
}


def markdown(rows: Rows) -> str:
    """Lay out rows, the first of them the head, as a Markdown table."""
    head, *body = ([cell.replace("|", "\\|") for cell in row] for row in rows)
    lines = [head, ["---"] * len(head), *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def updated(text: str) -> str:
    """Give the README's text with its tables written anew."""
    tables = {name: markdown(rows()) for name, rows in TABLES.items()}
    for name, table in {**tables, "tasks": tasks()}.items():
        start, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        if text.count(start) != 1 or text.count(end) != 1:
            raise SystemExit(f"README.md must have one place for the table {name}")
        before, rest = text.split(start)
        text = f"{before}{start}{table}\n{end}{rest.split(end)[1]}"
    return text


def main() -> None:
    """Write the tables, or check them."""
    text = README.read_text(encoding="utf-8")
    if "--check" not in sys.argv:
        README.write_text(updated(text), encoding="utf-8")
    elif updated(text) != text:
        raise SystemExit("README.md is out of date: run python tools/readme.py")


if __name__ == "__main__":
    main()
