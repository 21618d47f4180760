"""Where bytes go: files, pipes, stdout; there whole, or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO, cast

from svfilter.errors import ImageWriteError, InvalidArgument
from svfilter.images.sources import STREAM, is_array, why


def check_target(target: str, inputs: list[str], *, folder: bool = False) -> None:
    """Refuse, before any work, a target that could not be written or that is an input.

    Args:
        target: a file's name, or "-".
        inputs: the names of what is read.
        folder: whether the target will be a folder; one that is there is replaced if it holds
            an array, and refused if it holds anything else.

    Raises:
        InvalidArgument: the target is one of the inputs, a folder, or a terminal.
        ImageWriteError: its folder is missing or may not be written into.
    """
    if folder and (target == STREAM or _is_device(Path(target))):
        raise InvalidArgument(f"OUTPUT is {target}, but its format is a folder of files; name one")
    if target == STREAM:
        if sys.stdout is None:
            raise InvalidArgument("OUTPUT is -, but stdout is closed; pipe it or name a file")
        if sys.stdout.isatty():
            raise InvalidArgument("OUTPUT is -, but stdout is a terminal; pipe it or name a file")
        return
    try:
        _check_file(target, inputs, folder=folder)
    except OSError as error:  # such as a name that is too long
        raise ImageWriteError(f"{target}: cannot be written: {why(error)}") from error


def _check_file(target: str, inputs: list[str], *, folder: bool) -> None:
    path = Path(target)
    for name in inputs:
        if name != STREAM and path.exists() and Path(name).exists() and path.samefile(name):
            raise InvalidArgument(f"OUTPUT {target} is also an input; give it another name")
    if path.is_dir() and not (folder and is_array(target)):
        raise InvalidArgument(f"OUTPUT {target} is a folder; give the name of an image file")
    if folder and path.is_file():
        raise InvalidArgument(f"OUTPUT {target} is a file, but its format is a folder of files")
    if _is_device(path):
        return  # written as it is
    parent = _real(target).parent
    if not parent.is_dir():
        raise ImageWriteError(f"{target}: the folder {parent} does not exist")
    if not os.access(parent, os.W_OK | os.X_OK):
        raise ImageWriteError(f"{target}: the folder {parent} may not be written into")


class Target:
    """An output: there complete, or what was there before still is.

    A temporary file in the same folder is written, flushed to the disk and renamed when a `with`
    statement is left without an exception. An existing file's permissions are kept; a link keeps
    pointing where it did. Devices, pipes and stdout are written directly, or, where the encoder
    must seek, from a temporary file when it is complete.

    Raises:
        ImageWriteError: the system refused, such as on a full disk.
        BrokenPipeError: whoever reads the pipe went away.
    """

    def __init__(self, target: str, *, seeks: bool) -> None:
        self.name = "stdout" if target == STREAM else target
        self._final: Path | None = None
        self._temporary: Path | None = None
        self._pipe: BinaryIO | None = None
        self.file: BinaryIO
        with _refusals(self.name):
            if target == STREAM or _is_device(Path(target)):
                opened = _Stdout() if target == STREAM else Path(target).open("wb")  # noqa: SIM115
                self._pipe = cast("BinaryIO", opened)
                self.file = cast("BinaryIO", tempfile.TemporaryFile()) if seeks else self._pipe  # noqa: SIM115
            else:
                self._final = _real(target)
                self._temporary = _beside(self._final)
                self.file = self._temporary.open("x+b")

    def __enter__(self) -> BinaryIO:
        """Give the file to write."""
        return self.file

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        """Put the file in place, or away."""
        try:
            if kind is None:
                with _refusals(self.name):
                    self._commit()
        finally:
            with suppress(OSError):
                self.file.close()
            if self._pipe is not None:
                with suppress(OSError):
                    self._pipe.close()
            if self._temporary is not None:
                self._temporary.unlink(missing_ok=True)

    def _commit(self) -> None:
        if self._final is None or self._temporary is None:
            pipe = cast("BinaryIO", self._pipe)
            if self.file is not pipe:
                self.file.seek(0)
                shutil.copyfileobj(self.file, pipe, 2**20)
            pipe.flush()
            return
        self.file.flush()
        os.fsync(self.file.fileno())
        self.file.close()
        if self._final.exists():
            shutil.copymode(self._final, self._temporary)
        self._temporary.replace(self._final)


class TargetFolder:
    """The same for an output that is a folder of files; what was there is removed at the end."""

    def __init__(self, target: str) -> None:
        self._name, self._final = target, _real(target)
        self._temporary = _beside(self._final)

    def __enter__(self) -> str:
        """Give the name of the folder to make and fill."""
        return str(self._temporary)

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        """Put the folder in place, or away."""
        old = _beside(self._final)
        try:
            if kind is None:
                with _refusals(self._name):
                    if self._final.exists():
                        self._final.rename(old)
                    self._temporary.rename(self._final)
        finally:
            if old.exists() and not self._final.exists():
                old.rename(self._final)
            for path in (old, self._temporary):
                shutil.rmtree(path, ignore_errors=True)


def _beside(path: Path) -> Path:
    return path.with_name(f".svfilter-{secrets.token_hex(6)}.tmp")


@contextmanager
def _refusals(name: str) -> Iterator[None]:
    """Say whose file it is that the system refused to write."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        raise ImageWriteError(f"{name}: cannot be written: {why(error)}") from error


class _Stdout:
    """Stdout as a file that is never closed."""

    def write(self, data: bytes) -> int:
        left = memoryview(data).cast("B")
        try:
            while left:  # an unbuffered stdout may take only a part at a time
                left = left[sys.stdout.buffer.write(left) :]
        except OSError:
            silence_stdout()
            raise
        return len(data)

    def flush(self) -> None:
        try:
            sys.stdout.buffer.flush()
        except OSError:
            silence_stdout()
            raise

    def seekable(self) -> bool:
        return False

    def close(self) -> None:
        pass


def silence_stdout() -> None:
    """Send to nowhere what is still buffered: it would fail again, noisily, as Python ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _is_device(path: Path) -> bool:
    """Tell a device or a pipe; links to those of a process, as /dev/stdout, resolve to nothing."""
    try:
        return not stat.S_ISREG(path.stat().st_mode)
    except FileNotFoundError:
        return False


def _real(target: str) -> Path:
    return Path(os.path.realpath(target))
