"""The table of what svfilter must reach, measured on this machine.

    python benchmarks/run.py [--only PATTERN] [--quick] [--write]

No speed without parity: each result of ours is first compared with a float64 oracle, in the
corners and at random places. One that is wrong is RED, and has no figure. Ratios are medians
of pairs run in turn; seconds are for orientation. --write keeps the table in RESULTS.md.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
import tempfile
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path

import arrays
import families
import levels
import peers
import processes
import streams
from table import Missing, Row, Setting

from svfilter.bench import Red, machine
from svfilter.errors import SvfilterError

RESULTS = Path(__file__).parent / "RESULTS.md"
NOTES = re.compile(r"<!-- notes -->.*<!-- /notes -->", re.DOTALL)
HEAD = "| what | must | aim | measured | met? |\n| --- | --- | --- | --- | --- |"


def main() -> None:
    """Measure the rows asked for, and print each when it is done."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", metavar="PATTERN", default="", help="rows that match it")
    parser.add_argument("--quick", action="store_true", help="sides a fifth, one round")
    parser.add_argument("--write", action="store_true", help=f"keep the table in {RESULTS.name}")
    asked = parser.parse_args()
    if asked.write and (asked.quick or asked.only):
        parser.error("--write is for a whole run: one table, one machine, one day")
    every = arrays.ROWS + families.ROWS + levels.ROWS + processes.ROWS + streams.ROWS
    rows = [row for row in every if re.search(asked.only, row.what)]
    header = describe()
    print(f"{header}\n\n{HEAD}", flush=True)
    red, lines = False, []
    with tempfile.TemporaryDirectory() as folder:
        for row in rows:
            line, wrong = measure(row, Setting(asked.quick, Path(folder)))
            print(line, flush=True)
            lines.append(line)
            red = red or wrong
    if asked.write:
        write("\n".join([header, "", HEAD, *lines]))
    sys.exit(int(red))


def measure(row: Row, setting: Setting) -> tuple[str, bool]:
    """Give a row's line, and whether it is red."""
    red = False
    try:
        figures = list(row.measure(setting))
        measured, verdict = "; ".join(figure.text for figure in figures), row.verdict(figures)
    except Red as wrong:
        red, measured, verdict = True, str(wrong), "RED"
    except (Missing, SvfilterError) as reason:
        measured, verdict = f"not measured: {reason}".replace("\n", " "), ""
    goal = row.goal
    levels = [goal.text(goal.must), goal.text(goal.aim)] if goal else ["", ""]
    return f"| {' | '.join([row.what, *levels, measured, verdict])} |", red


def describe() -> str:
    """Say what this is measured on, with what, and when."""
    return "\n".join(f"- {line}" for line in _facts())


def _facts() -> Iterator[str]:
    yield from machine()
    yield peers.versions()
    environment = " ".join(f"{name}={value}" for name, value in peers.GEGL_ENVIRONMENT.items())
    yield (
        f"GEGL runs with {environment}; its error is against what it claims: an exact Gaussian of "
        "sigma = radius · grey value of the map, in linear light, encoded again"
    )
    yield "errors are the largest seen on crops; of files, with their rounding to 8 bits"
    command = " ".join(["python", "benchmarks/run.py", *sys.argv[1:]])
    # A busy machine slows torch, whose threads wait for each other, far more than the rest.
    yield f"load of the machine at the start: {os.getloadavg()[0]:.2f}"
    yield f"{datetime.now(timezone.utc):%Y-%m-%d}, `{command}`"


def write(table: str) -> None:
    """Write the table; what a person has noted below it stays."""
    before = RESULTS.read_text(encoding="utf-8") if RESULTS.exists() else ""
    kept = NOTES.search(before)
    notes = kept.group() if kept else "<!-- notes -->\n<!-- /notes -->"
    text = f"# Results\n\n{table}\n\n## What limits each engine now\n\n{notes}\n"
    RESULTS.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
