"""Filter thousands of damaged files and tell what went wrong: python -m tests.fuzz.run --help."""

from __future__ import annotations

import argparse
import json
import os
import pickle
import re
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .cases import Case, case, sound
from .seeds import Seed, corpus

FINE = ("refused", "done", "suspect")
"""Outcomes that are no findings."""
FAULT = ""
"""A function of `faults` by which the program's own runs are made worse, in a test of it."""
_START = 120.0
"""Seconds for a worker to come up."""
_ROOT = Path(__file__).parent.parent


@dataclass
class Finding:
    """One thing that went wrong, however often."""

    kind: str
    why: str
    detail: str
    case: Case
    count: int = 1

    @property
    def name(self) -> str:
        """Give a name for its file."""
        words = re.sub(r"\W+", "-", f"{self.case.seed.format} {self.kind}").lower()
        return f"{words}-{self.case.number}"

    def keep(self, folder: Path) -> None:
        """Write the file, and how it was treated."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{self.name}{self.case.suffix}").write_bytes(self.case.damaged.data)
        if self.case.seed.place:
            for name, data in {
                **self.case.seed.beside, self.case.seed.place: self.case.damaged.data
            }.items():  # fmt: skip
                path = folder / f"{self.name}.folder" / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
        text = f"{self.case}\n{self.kind}: {self.why}\n({self.count} times)\n\n{self.detail}\n"
        (folder / f"{self.name}.txt").write_text(text)


@dataclass
class Result:
    """What became of a run's files."""

    counts: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    found: dict[str, Finding] = field(default_factory=dict)
    suspects: dict[str, Finding] = field(default_factory=dict)
    refusals: Counter[str] = field(default_factory=Counter)
    """How often what was said."""
    growth: int = 0
    """Bytes that a worker's memory had grown by at its end, at most."""

    def add(self, one: Case, outcomes: list[tuple[str, str, str]]) -> None:
        """Count what became of a case."""
        counts = self.counts[one.seed.format]
        counts["files"] += 1
        counts.update({kind if kind in FINE else "findings" for kind, _, _ in outcomes})
        for kind, why, detail in outcomes:
            if kind == "refused":
                said = why.partition(": ")[2]
                self.refusals[f"{one.seed.format}: {_plain(said)}"] += 1
            elif kind != "done":
                self._find(Finding(kind, why, detail, one))

    def _find(self, new: Finding) -> None:
        where = self.suspects if new.kind == "suspect" else self.found
        key = f"{new.kind} {_plain(new.why)}"
        known = where.setdefault(key, new)
        if known is not new:
            new.count += known.count
            smaller = len(new.case.damaged.data) < len(known.case.damaged.data)
            where[key] = new if smaller else known
            known.count = new.count

    def table(self) -> Iterator[str]:
        """Give the counts by format, in lines."""
        heads = ("files", "refused", "done", "suspect", "findings")
        yield " ".join([f"{'format':10}", *(f"{head:>9}" for head in heads)])
        total: Counter[str] = Counter()
        for name, counts in sorted(self.counts.items()):
            yield " ".join([f"{name:10}", *(f"{counts[head]:9}" for head in heads)])
            total += counts
        yield " ".join([f"{'all':10}", *(f"{total[head]:9}" for head in heads)])


def _plain(why: str) -> str:
    """Give a reason without what differs from file to file."""
    why = re.sub(r"b?'[^']*'|b?\"[^\"]*\"|\([^()]*\)|\[[^\[\]]*\]|<[^<>]*>", "…", why)
    return re.sub(r"-?\d+(\.\d+)?|0x[0-9a-f]+", "N", why)[:160]


def fuzz(
    formats: tuple[str, ...] = (),
    *,
    run: int,
    numbers: range,
    jobs: int = 1,
    limit: float = 20.0,
    fault: str = "",
    heard: Callable[[Result], object] = lambda result: None,
) -> Result:
    """Filter the files of a run.

    Args:
        formats: those to damage; default all.
        run: which run: the same number gives the same files.
        numbers: of the cases; negative ones are sound seeds.
        jobs: processes.
        limit: seconds for a file.
        fault: a function of `faults` that makes svfilter worse.
        heard: called after each file.
    """
    seeds = corpus(formats)
    result = Result()
    with tempfile.TemporaryDirectory(dir=_quick_folder()) as folder:
        path = Path(folder, "corpus")
        path.write_bytes(pickle.dumps(seeds))
        asked = {"corpus": str(path), "run": run, "fault": fault}

        def work(part: range) -> None:
            at = part.start
            while at in part:
                with tempfile.TemporaryDirectory(dir=folder) as place:
                    at = _watch({**asked, "folder": place}, at, part, seeds, result, limit, heard)

        with ThreadPoolExecutor(jobs) as pool:
            parts = [numbers[first::jobs] for first in range(jobs)]
            for done in [pool.submit(work, part) for part in parts]:
                done.result()
    return result


def _watch(
    asked: dict[str, Any],
    first: int,
    part: range,
    seeds: dict[str, list[Seed]],
    result: Result,
    limit: float,
    heard: Callable[[Result], object],
) -> int:
    """Run a worker from a case on, until it ends or must be ended; give the next case."""
    asked["range"] = first, part.stop, part.step
    module = f"{__package__}.worker"
    root = _ROOT.parent if __package__ == "tests.fuzz" else _ROOT
    python_path = os.pathsep.join([str(root), os.environ.get("PYTHONPATH", "")])
    worker = subprocess.Popen(
        [sys.executable, "-m", module, json.dumps(asked)],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": python_path},
        text=True,
    )
    ready = at = None
    late = False
    with worker:
        for line in _lines(worker, limit):
            if line is None:
                late = True
                worker.send_signal(signal.SIGABRT)  # for which it writes where it is
                break
            told = json.loads(line)
            ready = told.get("ready", ready)
            at = told.get("start", at)
            if "end" in told:
                result.add(_case(seeds, asked["run"], told["end"]), told["outcomes"])
                heard(result)
            if "bye" in told:
                result.growth = max(result.growth, told["bye"] - (ready or 0))
                return part.stop
    trace = Path(asked["folder"], "trace").read_text()
    if at is None:
        raise RuntimeError(f"a worker did not come up, {worker.returncode}: {trace}")
    number = worker.returncode
    why = f"more than {limit:g} s" if late else f"the process ended, {number}"
    frames = [match.groups() for match in re.finditer(r'File "(.*?)", line \d+ in (\w+)', trace)]
    ours = [f"{Path(path).name} {name}" for path, name in frames if "/svfilter/" in path]
    where = ours[0] if ours else "an unknown place"
    outcome = "hang" if late else "crash", f"{why} at {where}", trace
    result.add(_case(seeds, asked["run"], at), [outcome])
    heard(result)
    return at + part.step


def _lines(worker: subprocess.Popen[str], limit: float) -> Iterator[str | None]:
    """Give what a worker tells, line by line; None when it is silent for too long."""
    assert worker.stdout is not None
    handle, rest = worker.stdout.fileno(), b""
    patience = _START
    with selectors.DefaultSelector() as selector:
        selector.register(handle, selectors.EVENT_READ)
        while selector.select(patience):
            data = os.read(handle, 2**16)
            if not data:
                return
            *lines, rest = (rest + data).split(b"\n")
            yield from (line.decode() for line in lines)
            patience = limit
    yield None


def _case(seeds: dict[str, list[Seed]], run: int, number: int) -> Case:
    return sound(seeds)[-1 - number] if number < 0 else case(seeds, run, number)


def _quick_folder() -> str | None:
    """Give a folder in memory, if there is one: the files are many and short-lived."""
    memory = Path("/dev/shm")
    return str(memory) if os.access(memory, os.W_OK) else None


def main(arguments: list[str] | None = None) -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(prog="tests.fuzz.run", description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="how many files")
    parser.add_argument("--seed", type=int, default=1, help="which files")
    parser.add_argument("--first", type=int, default=0, help="the number of the first one")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--limit", type=float, default=20.0, help="seconds for a file")
    parser.add_argument("--formats", default="", help="some of the formats, with commas")
    parser.add_argument("--sound", action="store_true", help="the seeds as they are, undamaged")
    parser.add_argument("--refusals", action="store_true", help="tell what was refused and why")
    parser.add_argument("--keep", type=Path, help="a folder for what is found")
    asked = parser.parse_args(arguments)
    formats = tuple(filter(None, asked.formats.split(",")))
    numbers = range(asked.first, asked.first + asked.count)
    if asked.sound:
        numbers = range(-len(sound(corpus(formats))), 0)
    start = time.monotonic()

    def heard(result: Result) -> None:
        done = sum(counts["files"] for counts in result.counts.values())
        if done % 1000 == 0:
            sys.stderr.write(f"{done} files, {len(result.found)} findings\n")

    result = fuzz(
        formats,
        run=asked.seed,
        numbers=numbers,
        jobs=asked.jobs,
        limit=asked.limit,
        fault=FAULT,
        heard=heard,
    )
    speed = len(numbers) / (time.monotonic() - start)
    lines = [
        *result.table(),
        f"{speed:.0f} files a second; a worker's memory grew by {result.growth >> 20} MB",
    ]
    if asked.refusals:
        said = sorted(result.refusals.items())
        lines += ["", "Refusals:", *(f"- {count} x {words}" for words, count in said)]
    for title, some in (("Suspects", result.suspects), ("Findings", result.found)):
        lines += ["", f"{title}:"] if some else []
        for one in sorted(some.values(), key=lambda one: (one.kind, one.why)):
            lines += [f"- {one.count} x {one.kind}: {one.why[:300]}", f"  {one.name}: {one.case}"]
            if asked.keep:
                one.keep(asked.keep)
    sys.stdout.write("\n".join(lines) + "\n")
    return bool(result.found)


if __name__ == "__main__":
    sys.exit(main())
