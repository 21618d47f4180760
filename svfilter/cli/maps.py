"""`svfilter maps`: what can drive a map, in words."""

from __future__ import annotations

import click


@click.command()
def maps() -> None:
    """List what can drive a parameter, and what expressions may say.

    A SOURCE, as in --sigma-map SOURCE, is one of these words, which mean INPUT's own pixels; an
    image file, FILE alone for its luma or FILE:WORD; or an expression of words, of names that are
    bound by --map NAME=FILE, and of the functions.
    """
    click.echo("\n\n".join(_block(title, rows) for title, rows in tables().items()))


def tables() -> dict[str, dict[str, str]]:
    """Give what there is by its kind, each with its meaning."""
    from svfilter.maps.channels import CHANNELS
    from svfilter.maps.expressions import FUNCTIONS, GENERATORS

    words = {
        **CHANNELS,
        "1, 2, ...": "after FILE: the channel of that number",
        "edges": "the length of luma's gradient, 1 where it steps from 0 to 1",
    }
    places = {
        "x": "the pixel's column, 0 to 1 from left to right",
        "y": "its row, 0 to 1 from top to bottom",
        **{generator.usage: generator.help for generator in GENERATORS.values()},
    }
    operators = {
        "+ - * / **": "as usual; ** is the power",
        "< <= > >= == !=": "1 where it holds, 0 where it does not",
        **{function.usage: function.help for function in FUNCTIONS.values()},
        "pi": "3.14159...",
    }
    return {"words": words, "places": places, "operators and functions": operators}


def _block(title: str, rows: dict[str, str]) -> str:
    width = 2 + max(len(name) for name in rows if len(name) < 20)
    lines = [title]
    for name, words in rows.items():
        if len(name) < 20:
            lines.append(f"  {name:<{width}}{words}")
        else:
            lines += [f"  {name}", f"  {'':<{width}}{words}"]
    return "\n".join(lines)
