"""Runs cases, one after another, in a process of its own: it may be killed by one of them."""

from __future__ import annotations

import faulthandler
import gc
import json
import os
import pickle
import re
import resource
import shutil
import sys
import tempfile
import threading
import time
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from svfilter import devices, pipeline
from svfilter.errors import ImageWriteError, SvfilterError, SvfilterWarning
from svfilter.images.reading import ImageReader
from svfilter.kernels.gaussian import Gaussian
from svfilter.maps import Channel, Ramp

from . import faults
from .cases import Case, case, sound
from .oracle import objection, pixels_of
from .seeds import PAGED

ALLOWANCE = 160 * 2**20
"""Bytes that a file may take beyond what the process has: the memory that is given."""
_OWN = (NameError, AttributeError, AssertionError, RecursionError)
"""Errors that no damage excuses, where svfilter's own code raises them."""
_HERE = (str(Path(pipeline.__file__).parent), str(Path(__file__).parent))
_ADDRESSES = 4 * 2**30
_LONGEST = 600
"""Letters of a message."""
_PATIENCE = 0.5
"""Seconds for threads to end."""
_LONG = 5.0
"""Seconds after which a case is given up that is at work: a header may claim much, rightly."""
_LIBPNG = re.compile("libpng error: [ -~]+")
"""What OpenImageIO lets libpng write to stderr; an error with its reason follows."""


class Outcome(NamedTuple):
    """What became of a case."""

    kind: str
    """refused, done, suspect, or what was found."""
    why: str = ""
    detail: str = ""


class GivenUp(BaseException):
    """Ends a case that takes long, as an interruption does."""


class Worker:
    """Filters damaged files in a folder, and looks at all that must hold."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "files"
        self.folder.mkdir()
        self.spare = folder / "temporary"
        self.spare.mkdir()
        tempfile.tempdir = str(self.spare)
        self.other = folder / "other.png"
        pixels = np.random.default_rng(3).integers(0, 256, (16, 16, 3), np.uint8)
        Image.fromarray(pixels).save(self.other)
        self.noise = os.open(folder / "noise", os.O_RDWR | os.O_CREAT | os.O_APPEND)
        for stream in (1, 2):
            os.dup2(self.noise, stream)
        self.threads = _threads()
        self.files = 0
        self.starved = ""
        """What a decoder could not get, while the thread that would be told was not listening."""
        self.end = 0.0
        """When the case that is being run takes long."""
        self._listen()

    def _go_on(self, *progress: int) -> None:
        if time.monotonic() > self.end:
            raise GivenUp

    def _listen(self) -> None:
        rows = ImageReader._rows

        def listened(reader: ImageReader, start: int, stop: int) -> Any:
            self._go_on()
            try:
                return rows(reader, start, stop)
            except MemoryError as error:
                self.starved = _place_of(error)
                raise

        ImageReader._rows = listened  # type: ignore[method-assign]

    def settle(self, firsts: list[Case]) -> None:
        """Read some sound files; then what is there is what every file must leave behind."""
        for one in firsts:
            self.run(one)
        gc.collect()
        self.threads, self.files = _threads(), _open_files()
        limit = _status("VmSize") + _ADDRESSES
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))

    def run(self, one: Case) -> list[Outcome]:
        """Filter a case's file: what became of it, and then whatever must not be."""
        source = self._put(one)
        target = self.folder / f"out{one.target}"
        with _named(source, one) as name, warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            names = (name, str(target), str(self.other))
            outcomes, peak = self._filter(one, names)
        outcomes += _too_much(*peak)
        if self.starved:
            outcomes.append(Outcome("memory", f"a decoder asks for too much, {self.starved}"))
            self.starved = ""
        outcomes += _warned(heard, names)
        outcomes += self._written()
        outcomes += self._left(one, target, outcomes[0].kind)
        if outcomes[0].kind == "done":
            outcomes += self._doubts(one, target)
        self._clear()
        return outcomes

    def _put(self, one: Case) -> str:
        path = self.folder / f"in{one.suffix}"
        if not one.seed.place:
            path.write_bytes(one.damaged.data)
            return str(path)
        files = {**one.seed.beside, one.seed.place: one.damaged.data}
        for name, data in files.items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(data)
        return str(path)

    def _filter(
        self, one: Case, names: tuple[str, str, str]
    ) -> tuple[list[Outcome], tuple[int, int]]:
        """Filter; give what became of it, and the memory that was used and was given."""
        name, target, other = names
        spec = Ramp("sigma", high=one.sigma)
        if one.is_map:
            spec = Ramp("sigma", high=one.sigma or 0.5, level=Channel(name))
        memory = devices.process_memory() + ALLOWANCE
        Path("/proc/self/clear_refs").write_text("5")  # the peak is counted anew
        self.end = time.monotonic() + _LONG
        try:
            pipeline.filter_file(
                other if one.is_map else name,
                target,
                Gaussian,
                [spec],
                boundary=one.boundary,
                jobs=one.jobs,
                memory=memory,
                progress=self._go_on,
            )
            outcomes = [Outcome("done")]
        except SvfilterError as error:
            outcomes = [Outcome("refused", str(error)), *_unfit_refusal(error, names)]
        except GivenUp:
            outcomes = [Outcome("suspect", f"{one.seed.format}: takes more than {_LONG:g} s")]
        except BaseException as error:
            outcomes = [Outcome("exception", _place_of(error), traceback.format_exc())]
        return outcomes, (_status("VmHWM"), memory)

    def _written(self) -> Iterator[Outcome]:
        """Look at what libraries have written."""
        sys.stdout.flush()
        sys.stderr.flush()
        text = os.pread(self.noise, os.fstat(self.noise).st_size, 0).decode(errors="replace")
        if lines := [line for line in text.splitlines() if not _LIBPNG.fullmatch(line)]:
            yield Outcome("noise", lines[0].partition(":")[0], text)

    def _left(self, one: Case, target: Path, kind: str) -> Iterator[Outcome]:
        """Look for what was left behind."""
        expected = {f"in{one.suffix}"} | ({target.name} if kind == "done" else set())
        if (found := {path.name for path in self.folder.iterdir()}) != expected:
            yield Outcome("left over", f"{sorted(found)} in the folder, not {sorted(expected)}")
        if found := {re.sub(r"-\w+", "-…", path.name) for path in self.spare.iterdir()}:
            yield Outcome("left over", f"{sorted(found)} among the temporary files")
        end = time.monotonic() + _PATIENCE
        while (threads := _threads()) - self.threads and time.monotonic() < end:
            time.sleep(0.001)
        if more := threads - self.threads:
            self.threads = threads
            yield Outcome("thread", str(sorted(thread.name for thread in more)))
        if _open_files() > self.files:
            gc.collect()
        if (count := _open_files()) > self.files:
            self.files = count
            paths = Path("/proc/self/fd").iterdir()
            yield Outcome("open file", "", str([str(p.readlink()) for p in paths if p.exists()]))

    @staticmethod
    def _doubts(one: Case, target: Path) -> Iterator[Outcome]:
        """Ask whether what was done could be done."""
        if one.cut_short and not (one.is_map and one.seed.name in PAGED):
            kept = f"{one.damaged.kept} of {one.seed.needs} needed bytes"
            yield Outcome("made up", f"{one.seed.format}: cut to {kept}")
        if one.is_map:
            return
        pixels = pixels_of(target) if one.sigma == 0 else None
        if doubt := objection(one.seed.format, one.damaged.data, pixels):
            what = f"{one.seed.format}, {one.seed.name}" if doubt.sure else one.seed.format
            yield Outcome("made up" if doubt.sure else "suspect", f"{what}: {doubt.why}")

    def _clear(self) -> None:
        for path in [*self.folder.iterdir(), *self.spare.iterdir()]:
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
        os.ftruncate(self.noise, 0)


@contextmanager
def _named(source: str, one: Case) -> Iterator[str]:
    """Give the file's name, or that of a pipe from which it comes."""
    if not one.piped:
        yield source
        return
    read, write = os.pipe()
    try:
        os.write(write, one.damaged.data)
        os.close(write)
        yield f"/dev/fd/{read}"
    finally:
        os.close(read)


def _unfit_refusal(error: SvfilterError, names: tuple[str, ...]) -> Iterator[Outcome]:
    trace = "".join(traceback.format_exception(error))
    if trouble := _unfit(str(error), names):
        yield Outcome("message", f"{type(error).__name__}: {trouble}: {error}", trace)
    cause = error.__cause__
    if isinstance(cause, _OWN) and _innermost(cause).startswith(_HERE):
        yield Outcome("hidden", _place_of(cause), trace)
    if isinstance(error, ImageWriteError) and "must be at most" not in str(error):
        yield Outcome("unwritable", str(error).removeprefix(names[1]), trace)


def _warned(heard: list[Any], names: tuple[str, ...]) -> Iterator[Outcome]:
    for warning in heard:
        message = str(warning.message)
        if not issubclass(warning.category, SvfilterWarning):
            where = f"{warning.category.__name__} at {_short(warning.filename)}"
            yield Outcome("stray warning", f"{where}: {message}", f"{where}:{warning.lineno}")
        elif trouble := _unfit(message, names):
            yield Outcome("warning", f"{trouble}: {message}")


def _unfit(message: str, names: tuple[str, ...]) -> str:
    """Say what is wrong with a message for a user."""
    if len(message.splitlines()) != 1:
        return "not one line"
    if not message.isprintable():
        return "unprintable"
    if len(message) > _LONGEST:
        return f"longer than {_LONGEST} letters"
    if not any(name in message for name in names) and not message.startswith("--"):
        return "names no file"
    return ""


def _too_much(used: int, given: int) -> Iterator[Outcome]:
    if used > given:
        more = (used - given) // 2**20
        yield Outcome("memory", "more than the memory given", f"{more} MB more than {given >> 20}")


def _open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def _innermost(error: BaseException) -> str:
    return traceback.extract_tb(error.__traceback__)[-1].filename


def _place_of(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "svfilter" in frame.filename] or frames
    where = f"{_short(ours[-1].filename)} {ours[-1].name}"
    return f"{type(error).__name__} at {where}: {error}"


def _threads() -> set[threading.Thread]:
    """Give the threads but for those that Zarr keeps for good."""
    return {
        thread
        for thread in threading.enumerate()
        if not thread.name.startswith(("asyncio_", "zarr_io"))
    }


def _short(path: str) -> str:
    return "/".join(Path(path).parts[-2:])


def _status(name: str) -> int:
    found = re.search(rf"{name}:\s*(\d+) kB", Path("/proc/self/status").read_text())
    assert found is not None
    return int(found[1]) * 1024


def main() -> None:
    """Run the cases that the parent asks for, and tell it of each."""
    asked = json.loads(sys.argv[1])
    folder = Path(asked["folder"])
    tell = os.fdopen(os.dup(1), "w", buffering=1)
    faulthandler.enable(file=(folder / "trace").open("w"))
    corpus = pickle.loads(Path(asked["corpus"]).read_bytes())
    worker = Worker(folder)
    wholes = sound(corpus)
    worker.settle(list({one.seed.format: one for one in wholes}.values()))
    tell.write(json.dumps({"ready": devices.process_memory()}) + "\n")
    if asked["fault"]:
        getattr(faults, asked["fault"])()
    for number in range(*asked["range"]):
        tell.write(json.dumps({"start": number}) + "\n")
        one = wholes[-1 - number] if number < 0 else case(corpus, asked["run"], number)
        outcomes = worker.run(one)
        tell.write(json.dumps({"end": number, "outcomes": outcomes}) + "\n")
    tell.write(json.dumps({"bye": devices.process_memory()}) + "\n")


if __name__ == "__main__":
    main()
