"""Where bytes come from: files, pipes, stdin."""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import BinaryIO, cast

from svfilter.errors import ImageReadError, InvalidArgument

STREAM = "-"
"""The name that stands for stdin and stdout."""
HEAD = 512
"""Bytes that tell what a file is."""


def shown(source: str) -> str:
    """Name a source in a message."""
    return "stdin" if source == STREAM else source


class Source:
    """An input: its first bytes, and then either a stream or a file on the disk.

    Raises:
        ImageReadError: there is no such file, it cannot be read, or it is empty.
        InvalidArgument: stdin is closed or a terminal.
    """

    def __init__(self, source: str) -> None:
        self.name = shown(source)
        self._path: str | None = None
        self._temporary: str | None = None
        self._closes = source != STREAM
        """Whether the stream is ours to close."""
        self.folder = source != STREAM and os.path.isdir(source)  # noqa: PTH112  (any name will do)
        """Whether it is a folder, as some arrays are."""
        if self.folder:
            self._path, self.head = source, b""
            return
        self.stream = _stdin() if source == STREAM else self._opened(source)
        try:
            self.head = _peek(self.stream)
        except OSError as error:
            raise ImageReadError(f"{self.name}: cannot be read: {why(error)}") from error
        if not self.head:
            self.close()
            raise ImageReadError(f"{self.name}: is empty (0 bytes)")
        if source != STREAM and self.stream.seekable():
            self._path = source

    def _opened(self, source: str) -> BinaryIO:
        try:
            return Path(source).open("rb")
        except OSError as error:
            raise ImageReadError(f"{source}: cannot be read: {why(error)}") from error

    def path(self) -> str:
        """Give the name of a file on the disk with all of the input, as text.

        A pipe is copied to a temporary one; a file whose name is no text is linked to.
        """
        if self._path is None or not _is_text(self._path):
            self._temporary = tempfile.mkdtemp(prefix="svfilter-")
            path = Path(self._temporary) / "input"
            try:
                if self._path is not None:
                    path.symlink_to(Path(self._path).absolute())
                else:
                    with path.open("wb") as file:
                        shutil.copyfileobj(self.stream, file, 2**20)
            except OSError as error:
                raise ImageReadError(
                    f"{self.name}: cannot be copied to {self._temporary}, where it must be to be "
                    f"read: {why(error)}"
                ) from error
            if self._path is None:
                self._close_stream()
                self.stream, self._closes = path.open("rb"), True
            self._path = str(path)
        return self._path

    def again(self) -> Source:
        """Give the same input once more from its beginning."""
        source = Source(self.path())
        source.name = self.name
        return source

    @property
    def size(self) -> int | None:
        """The bytes of a file, or of all in a folder; None of a stream."""
        if self._path is None:
            return None
        path = Path(self._path)
        files = path.rglob("*") if self.folder else [path]
        return sum(file.stat().st_size for file in files if file.is_file())

    def __enter__(self) -> Source:
        """Begin."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """Let go of it."""
        self._close_stream()
        if self._temporary is not None:
            shutil.rmtree(self._temporary, ignore_errors=True)

    def _close_stream(self) -> None:
        if not self.folder and self._closes:
            self.stream.close()


def is_pipe(name: str) -> bool:
    """Tell whether a name is that of what can be read once only."""
    path = Path(name)
    return name == STREAM or (path.exists() and not (path.is_file() or path.is_dir()))


def is_array(folder: str) -> bool:
    """Tell whether a folder holds a Zarr array or group."""
    return any((Path(folder) / name).exists() for name in ("zarr.json", ".zarray", ".zgroup"))


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:  # bytes that are no UTF-8, in Python's disguise
        return False
    return True


def _stdin() -> BinaryIO:
    if sys.stdin is None or sys.stdin.isatty():  # None: closed by who started the program
        raise InvalidArgument("INPUT is -, but nothing is piped into stdin")
    return cast("BinaryIO", sys.stdin.buffer)


def _peek(stream: BinaryIO) -> bytes:
    """Give the first bytes, which are read again afterwards."""
    if stream.seekable():
        head = stream.read(HEAD)
        stream.seek(0)
        return head
    peek = getattr(stream, "peek", None)
    return peek(HEAD)[:HEAD] if peek else b""


def why(error: OSError) -> str:
    """Give the reason that the system gave."""
    return error.strerror or str(error)
