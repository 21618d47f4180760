"""Write the README's tables from the code.

    python tools/readme.py            write them
    python tools/readme.py --check    only say whether they are up to date (exit code 1: not)

Each table stands between `<!-- NAME -->` and `<!-- /NAME -->`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from svfilter.cli import cli
from svfilter.engines import ENGINES
from svfilter.images.formats import FORMATS, WORDS
from svfilter.kernels import FAMILIES

README = Path(__file__).parent.parent / "README.md"


def options() -> Iterator[tuple[str, ...]]:
    """Give a row for each option of `blur`."""
    yield "option", "what it does"
    context = click.Context(cli.commands["blur"])
    for parameter in cli.commands["blur"].params:
        if isinstance(parameter, click.Option) and (record := parameter.get_help_record(context)):
            name, text = record
            yield f"`{name}`", " ".join(text.split())


def families() -> Iterator[tuple[str, ...]]:
    """Give a row for each parameter of each kernel family."""
    yield "family", "parameter", "per pixel", "range", "default", "meaning"
    for name, family in FAMILIES.items():
        for p in family.parameters().values():
            span = f"{p.low:g} to {p.high:g} {p.unit}"
            per_pixel = "yes" if p.per_pixel else "no"
            yield f"{name}: {family.summary}", p.name, per_pixel, span, f"{p.default:g}", p.help


def engines() -> Iterator[tuple[str, ...]]:
    """Give a row for each engine."""
    yield "engine", "what it is", "error at most", "chosen by itself"
    for name, engine in ENGINES.items():
        yield f"`{name}`", engine.summary, engine.error, "yes" if engine.automatic else "no"


def formats() -> Iterator[tuple[str, ...]]:
    """Give a row for each file format that can be written."""
    yield "format", "suffixes", "holds", "carries"
    for name, held in FORMATS.items():
        carried = ", ".join(WORDS[key] for key in held.carries) or "nothing more"
        yield f"`{name}`", " ".join(held.suffixes), held.pixels, carried


TABLES = {"options": options, "families": families, "engines": engines, "formats": formats}


def markdown(rows: Iterator[tuple[str, ...]]) -> str:
    """Lay out rows, the first of them the head, as a Markdown table."""
    head, *body = ([cell.replace("|", "\\|") for cell in row] for row in rows)
    lines = [head, ["---"] * len(head), *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def updated(text: str) -> str:
    """Give the README's text with its tables written anew."""
    for name, rows in TABLES.items():
        start, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        if text.count(start) != 1 or text.count(end) != 1:
            raise SystemExit(f"README.md must have one place for the table {name}")
        before, rest = text.split(start)
        text = f"{before}{start}{markdown(rows())}\n{end}{rest.split(end)[1]}"
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
