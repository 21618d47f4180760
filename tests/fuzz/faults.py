"""Faults that a decoder could have, for tests that show that they are found."""

from __future__ import annotations

import ctypes
import os
import sys
import tempfile
import threading
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np

from svfilter import pipeline
from svfilter.errors import ImageReadError
from svfilter.images import opening, reading
from svfilter.images.decoders import netpbm


def raises() -> None:
    """Let an error through that is of no kind of svfilter's."""

    def faulty(*args: Any, **kwargs: Any) -> Any:
        raise TypeError("'NoneType' object is not subscriptable")

    reading.open_decoder = faulty


def hangs() -> None:
    """Never end."""

    def faulty(self: Any, start: int, stop: int) -> Any:
        while True:
            time.sleep(0.1)

    netpbm.NetpbmDecoder.rows = faulty  # type: ignore[method-assign]


def crashes() -> None:
    """End the process."""

    def faulty(self: Any, start: int, stop: int) -> Any:
        ctypes.string_at(0)

    netpbm.NetpbmDecoder.rows = faulty  # type: ignore[method-assign]


def makes_up() -> None:
    """Give zeros where the file has ended."""

    def faulty(file: Any, size: int) -> bytearray:
        return bytearray(file.read(size).ljust(size, b"\0"))

    netpbm.read_exactly = faulty
    netpbm.check_size = lambda file, size, another: file.tell()


def hoards() -> None:
    """Take more memory than is given."""
    rows = netpbm.NetpbmDecoder.rows

    def faulty(self: Any, start: int, stop: int) -> Any:
        np.ones(2**25)
        return rows(self, start, stop)

    netpbm.NetpbmDecoder.rows = faulty  # type: ignore[method-assign]


def leaves() -> None:
    """Leave a temporary file behind."""
    rows = netpbm.NetpbmDecoder.rows

    def faulty(self: Any, start: int, stop: int) -> Any:
        with tempfile.NamedTemporaryFile(prefix="svfilter-", delete=False) as file:
            file.write(b"left")
        return rows(self, start, stop)

    netpbm.NetpbmDecoder.rows = faulty  # type: ignore[method-assign]


def half_writes() -> None:
    """Leave half an output behind where the file is refused."""
    filter_file = pipeline.filter_file

    def faulty(source: str, target: str, *args: Any, **kwargs: Any) -> Any:
        try:
            return filter_file(source, target, *args, **kwargs)
        except ImageReadError:
            Path(target).write_bytes(b"half")
            raise

    pipeline.filter_file = faulty


def keeps_threads() -> None:
    """Leave a thread running."""
    decoder = opening.open_decoder

    def faulty(*args: Any, **kwargs: Any) -> Any:
        threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()
        return decoder(*args, **kwargs)

    reading.open_decoder = faulty


def keeps_files() -> None:
    """Leave the file open."""
    decoder, kept = opening.open_decoder, []

    def faulty(source: Any, **kwargs: Any) -> Any:
        kept.append(os.open(__file__, os.O_RDONLY))
        return decoder(source, **kwargs)

    reading.open_decoder = faulty


def is_noisy() -> None:
    """Write to stderr."""
    decoder = opening.open_decoder

    def faulty(*args: Any, **kwargs: Any) -> Any:
        sys.stderr.write("libsomething warning: odd\n")
        return decoder(*args, **kwargs)

    reading.open_decoder = faulty


def warns() -> None:
    """Warn of what no user understands."""
    decoder = opening.open_decoder

    def faulty(*args: Any, **kwargs: Any) -> Any:
        warnings.warn("overflow encountered in cast", RuntimeWarning, stacklevel=1)
        return decoder(*args, **kwargs)

    reading.open_decoder = faulty


def mumbles() -> None:
    """Refuse without a name, in two lines."""

    def faulty(*args: Any, **kwargs: Any) -> Any:
        raise ImageReadError("it failed:\nbadly")

    reading.open_decoder = faulty


def hides() -> None:
    """Have an error in the code, which is taken for one of the file's."""

    def faulty(self: Any, start: int, stop: int) -> Any:
        return undefined  # type: ignore[name-defined]  # noqa: F821

    netpbm.NetpbmDecoder.rows = faulty  # type: ignore[method-assign]
