"""Bytes from a file or stdin; bytes to a file, whole or not at all, or to stdout."""

from __future__ import annotations

import os
import secrets
import shutil
import sys
from contextlib import suppress
from pathlib import Path

from svfilter.errors import ImageReadError, ImageWriteError, InvalidArgument

STREAM = "-"
"""The name that stands for stdin and stdout."""


def read_bytes(source: str) -> bytes:
    """Read a whole file, or stdin for "-".

    Raises:
        ImageReadError: there is no such file, it is a folder, it cannot be read, or is empty.
    """
    if source == STREAM:
        if sys.stdin is None or sys.stdin.isatty():  # None: closed by who started the program
            raise InvalidArgument("INPUT is -, but nothing is piped into stdin")
        data = sys.stdin.buffer.read()
    else:
        try:
            data = Path(source).read_bytes()
        except IsADirectoryError as error:
            raise ImageReadError(
                f"{source}: is a folder; give the name of an image file"
            ) from error
        except OSError as error:
            raise ImageReadError(f"{source}: cannot be read: {_why(error)}") from error
    if not data:
        raise ImageReadError(f"{shown(source)}: is empty (0 bytes)")
    return data


def shown(source: str) -> str:
    """Name a source in a message."""
    return "stdin" if source == STREAM else source


def check_target(target: str, inputs: list[str]) -> None:
    """Refuse, before any work, a target that could not be written or that is an input.

    Raises:
        InvalidArgument: the target is one of the inputs, a folder, or a terminal.
        ImageWriteError: its folder is missing or may not be written into.
    """
    if target == STREAM:
        if sys.stdout is None:
            raise InvalidArgument("OUTPUT is -, but stdout is closed; pipe it or name a file")
        if sys.stdout.isatty():
            raise InvalidArgument("OUTPUT is -, but stdout is a terminal; pipe it or name a file")
        return
    try:
        _check_file(target, inputs)
    except OSError as error:  # such as a name that is too long
        raise ImageWriteError(f"{target}: cannot be written: {_why(error)}") from error


def _check_file(target: str, inputs: list[str]) -> None:
    path = Path(target)
    if path.is_dir():
        raise InvalidArgument(f"OUTPUT {target} is a folder; give the name of an image file")
    for name in inputs:
        if name != STREAM and path.exists() and Path(name).exists() and path.samefile(name):
            raise InvalidArgument(f"OUTPUT {target} is also an input; give it another name")
    if _is_device(path):
        return  # written as it is
    folder = _real(target).parent
    if not folder.is_dir():
        raise ImageWriteError(f"{target}: the folder {folder} does not exist")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise ImageWriteError(f"{target}: the folder {folder} may not be written into")


def write_whole(target: str, data: memoryview) -> None:
    """Write a file atomically: it is there complete, or what was there before still is.

    A temporary file in the same folder is written, flushed to the disk and renamed. An
    existing file's permissions are kept; a link keeps pointing where it did. Devices, pipes
    and stdout ("-") are written directly.

    Raises:
        ImageWriteError: the system refused, such as on a full disk.
        BrokenPipeError: whoever reads the pipe went away.
    """
    try:
        if target == STREAM:
            _write_stdout(data)
            return
        if _is_device(Path(target)):
            with Path(target).open("wb") as file:
                file.write(data)
        else:
            _replace(_real(target), data)
    except BrokenPipeError:
        raise
    except OSError as error:
        name = "stdout" if target == STREAM else target
        raise ImageWriteError(f"{name}: cannot be written: {_why(error)}") from error


def _write_stdout(data: memoryview) -> None:
    try:
        while data:  # an unbuffered stdout may take only a part at a time
            data = data[sys.stdout.buffer.write(data) :]
        sys.stdout.buffer.flush()
    except OSError:
        silence_stdout()
        raise


def silence_stdout() -> None:
    """Send to nowhere what is still buffered: it would fail again, noisily, as Python ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _replace(path: Path, data: memoryview) -> None:
    temporary = path.with_name(f".svfilter-{secrets.token_hex(6)}.tmp")
    try:
        with temporary.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if path.exists():
            shutil.copymode(path, temporary)
        temporary.replace(path)
    except BaseException:
        with suppress(FileNotFoundError):
            temporary.unlink()
        raise


def _is_device(path: Path) -> bool:
    """Tell a device or a pipe; links to those of a process, as /dev/stdout, resolve to nothing."""
    return path.exists() and not path.is_file()


def _real(target: str) -> Path:
    return Path(os.path.realpath(target))


def _why(error: OSError) -> str:
    return error.strerror or str(error)
