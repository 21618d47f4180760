"""Pixels that stand in a file as they are: how many bytes there are, and reading them."""

from __future__ import annotations

import re
import warnings
from typing import BinaryIO

from svfilter.errors import SvfilterWarning

PIECE = 2**20
"""Bytes read at a time: a file that is shorter than it says must not take memory for the rest."""


def seekable(file: BinaryIO) -> bool:
    """Tell whether a file is on a disk, or the like."""
    return bool(getattr(file, "seekable", bool)())


def read_exactly(file: BinaryIO, size: int) -> bytearray:
    """Read so many bytes, taking memory only for what is there.

    Raises:
        EOFError: there are fewer.
    """
    data = bytearray()
    while len(data) < size:
        piece = file.read(min(size - len(data), PIECE))
        if not piece:
            raise EOFError(f"it ends {size - len(data)} bytes too early")
        data += piece
    return data


def check_size(file: BinaryIO, size: int, another: bytes) -> int:
    """Look, where it is possible, whether the pixels are all there, and whether more follow.

    Args:
        file: where the pixels begin.
        size: their bytes.
        another: what one more image would begin with, a pattern.

    Returns:
        Where the pixels begin; 0 in a pipe.

    Raises:
        EOFError: the file is too short.
    """
    if not seekable(file):
        return 0
    start = file.tell()
    if (held := file.seek(0, 2) - start) < size:
        raise EOFError(f"it holds {held} bytes of pixels, not {size}")
    file.seek(start + size)
    if re.match(another, file.read(8)):
        message = "holds more than one image; only the first is filtered"
        warnings.warn(message, SvfilterWarning, stacklevel=2)
    file.seek(start)
    return start
