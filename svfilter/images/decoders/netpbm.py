"""The plain formats of Netpbm, and PFM: a short header, then nothing but samples."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar

import numpy as np

from svfilter.errors import ImageReadError
from svfilter.images.decoders.base import Decoder
from svfilter.images.decoders.plain import PIECE, check_size, read_exactly, seekable
from svfilter.images.layout import Alpha, Colour, Layout, Storage
from svfilter.images.metadata import Metadata

if TYPE_CHECKING:
    from svfilter.kernels.base import Array

TUPLTYPES: dict[str, tuple[int, Colour, Alpha]] = {
    "GRAYSCALE": (1, "grey", ""),
    "GRAYSCALE_ALPHA": (2, "grey", "straight"),
    "RGB": (3, "rgb", ""),
    "RGB_ALPHA": (4, "rgb", "straight"),
    "BLACKANDWHITE": (1, "grey", ""),
    "BLACKANDWHITE_ALPHA": (2, "grey", "straight"),
}
"""PAM's names of what pixels are: channels, colour and alpha."""

_CHANNELS = {b"P1": 1, b"P2": 1, b"P3": 3, b"P4": 1, b"P5": 1, b"P6": 3, b"Pf": 1, b"PF": 3}
_PLAIN = (b"P1", b"P2", b"P3")
_FLOATS = (b"Pf", b"PF")

_TEXT = 2**18
"""Bytes read at a time of samples written as text."""
_LONGEST_HEADER = 2**20
_LONGEST_NUMBER = 64
_LARGEST_SIDE = 2**31 - 1


@dataclass(frozen=True)
class _Header:
    kind: bytes
    width: int
    height: int
    depth: int
    maxval: int = 1
    tupltype: str = ""
    scale: float = 1.0


class NetpbmDecoder(Decoder):
    """PBM, PGM, PPM, PAM and PFM, from a file or a pipe, in pieces.

    Samples of another maxval than 255 or 65535 are scaled to the full range of 8 or 16 bits. Of
    PAM, the tuple types in TUPLTYPES are known; pixels of any other are unnamed bands.

    A PFM's rows are stored from the bottom to the top: from a pipe they are given so, which the
    orientation says.

    Args:
        file: at its start; it is only read, and sought only if it says that it is seekable.
    """

    in_order: ClassVar[bool] = True

    def __init__(self, file: BinaryIO) -> None:
        words = _Words(file)
        head = _read_header(words)
        colour, alpha, self.storage = _meaning(head)
        self._file = file
        self._head = head
        self._next = 0
        self._backwards = head.kind in _FLOATS and seekable(file)
        self.orientation = 4 if head.kind in _FLOATS and not self._backwards else 1
        self._dtype = _stored(head)
        dtype = self._dtype.newbyteorder("=")
        self.layout = Layout(head.height, head.width, head.depth, dtype, colour, alpha)
        self.metadata = Metadata(comments=tuple(words.comments))
        self._row_bytes = -(-head.width // 8) if head.kind == b"P4" else self.layout.row_bytes
        self._levels = _levels(head, self.layout)
        self._samples = _bits(file) if head.kind == b"P1" else _numbers(file)
        self._parsed: Array = np.zeros(0, np.uint8)
        self.block = 1
        self.memory = 16 * _TEXT if head.kind in _PLAIN else 3 * max(PIECE, self._row_bytes)
        if head.kind not in _PLAIN:
            self._start = check_size(file, head.height * self._row_bytes, rb"P[1-7Ff]\s")

    def rows(self, start: int, stop: int) -> Array:
        """Give the next rows."""
        if start != self._next:
            raise ValueError(f"row {self._next} comes next, not {start}")
        self._next = stop
        layout = self.layout
        rows = np.empty((stop - start, layout.width, layout.channels), layout.dtype)
        if self._head.kind in _PLAIN:
            self._parse(rows.reshape(-1))
            return rows
        step = max(PIECE // self._row_bytes, 1)
        for top in range(0, len(rows), step):
            part = rows[top : top + step]
            if self._backwards:
                end = layout.height - start - top
                self._file.seek(self._start + (end - len(part)) * self._row_bytes)
            data = read_exactly(self._file, len(part) * self._row_bytes)
            self._convert(data, part)
        return rows

    def _convert(self, data: bytearray, rows: Array) -> None:
        """Turn stored bytes into rows."""
        if self._head.kind == b"P4":
            packed = np.frombuffer(data, np.uint8).reshape(len(rows), -1)
            bits = np.unpackbits(packed, axis=1, count=self.layout.width)
            np.subtract(bits, 1, out=rows[..., 0])  # 1 is black: 0; and 0 becomes 255
            return
        samples = np.frombuffer(data, self._dtype).reshape(rows.shape)
        rows[...] = samples[::-1] if self._backwards else self._scaled(samples)

    def _parse(self, flat: Array) -> None:
        """Fill an array with the next samples of a file that holds them as text."""
        done = 0
        while done < len(flat):
            if not len(self._parsed):
                values = next(self._samples, None)
                if values is None:
                    raise EOFError(f"it ends before row {self._next} of {self.layout.height}")
                self._parsed = values
            part = self._parsed[: len(flat) - done]
            flat[done : done + len(part)] = self._scaled(part)
            self._parsed = self._parsed[len(part) :]
            done += len(part)

    def _scaled(self, samples: Array) -> Array:
        if self._levels is None:
            return samples
        if (largest := samples.max(initial=0)) >= len(self._levels):
            raise ValueError(f"it holds {largest}, more than its maxval {len(self._levels) - 1}")
        scaled: Array = self._levels[samples]
        return scaled


class _Words:
    """The words of a header, read byte by byte, as the pixels may follow at once.

    Comments end a word, as they do for Netpbm's own programs.
    """

    def __init__(self, file: BinaryIO) -> None:
        self.comments: list[str] = []
        self._file = file
        self._left = _LONGEST_HEADER

    def word(self) -> bytes:
        """Read a word and the one byte of white space, or the comment, behind it."""
        word = b""
        while len(word) <= _LONGEST_NUMBER:
            byte = self._byte()
            if byte == b"#":
                self.comment(self.line(b"\r\n"))
            elif not byte.isspace():
                word += byte
                continue
            if word:
                return word
        raise ValueError(f"its header holds {word!r}")

    def line(self, ends: bytes = b"\n") -> bytes:
        """Read up to the end of the line."""
        line = bytearray()
        while (byte := self._byte()) not in ends:
            line += byte
        return bytes(line)

    def comment(self, text: bytes) -> None:
        """Keep a comment, which has no stated encoding."""
        try:
            comment = text.decode().strip()
        except UnicodeDecodeError:
            comment = text.decode("latin-1").strip()
        if comment:
            self.comments.append(comment)

    def _byte(self) -> bytes:
        byte = self._file.read(1)
        self._left -= 1
        if not byte:
            raise EOFError("it ends within its header")
        if self._left < 0:
            raise ValueError(f"its header is longer than {_LONGEST_HEADER} bytes")
        return byte


def _number(word: bytes, most: int = _LARGEST_SIDE) -> int:
    if not word.isdigit() or not 1 <= int(word) <= most:
        raise ValueError(f"its header has {word!r} where a number from 1 to {most} must be")
    return int(word)


def _read_header(words: _Words) -> _Header:
    kind = words.word()
    if kind == b"P7":
        return _read_pam_header(words)
    if kind not in _CHANNELS:
        raise ImageReadError(
            f"is of the kind {repr(kind)[1:]}; of Netpbm's, P1 to P7, PF and Pf "
            "can be read: convert it first, with pamtopnm or pfmtopam"
        )
    width, height = _number(words.word()), _number(words.word())
    if kind in _FLOATS:
        scale = float(words.word())
        if not scale or not math.isfinite(scale):
            raise ValueError(f"its header has the scale {scale}")
        return _Header(kind, width, height, _CHANNELS[kind], scale=scale)
    maxval = 1 if kind in (b"P1", b"P4") else _number(words.word(), 65535)
    return _Header(kind, width, height, _CHANNELS[kind], maxval)


def _read_pam_header(words: _Words) -> _Header:
    fields: dict[bytes, int] = {}
    types = []
    while (line := words.line().strip()) != b"ENDHDR":
        if line.startswith(b"#"):
            words.comment(line[1:])
            continue
        name, value = [*line.split(None, 1), b"", b""][:2]
        if name == b"TUPLTYPE":
            types.append(value.decode("ascii"))
        elif name in (b"WIDTH", b"HEIGHT", b"DEPTH", b"MAXVAL") and name not in fields:
            fields[name] = _number(value, 65535 if name == b"MAXVAL" else _LARGEST_SIDE)
        elif name:
            raise ValueError(f"its header has the line {line[:80]!r}")
    if len(fields) < 4:
        raise ValueError("its header has no WIDTH, HEIGHT, DEPTH or MAXVAL")
    width, height = fields[b"WIDTH"], fields[b"HEIGHT"]
    return _Header(b"P7", width, height, fields[b"DEPTH"], fields[b"MAXVAL"], " ".join(types))


def _meaning(head: _Header) -> tuple[Colour, Alpha, Storage]:
    """Tell what the channels are, and how to write such a file again."""
    if head.kind == b"P7":
        depth, colour, alpha = TUPLTYPES.get(head.tupltype, (0, "bands", ""))
        if depth == head.depth:
            return colour, alpha, Storage("pam")
        return "bands", "", Storage("pam", {"tupltype": head.tupltype})
    storage = Storage("pfm", {"scale": head.scale}) if head.kind in _FLOATS else Storage("ppm")
    return ("grey" if head.depth == 1 else "rgb"), "", storage


def _stored(head: _Header) -> np.dtype[Any]:
    if head.kind in _FLOATS:
        return np.dtype("<f4" if head.scale < 0 else ">f4")
    return np.dtype("u1" if head.maxval < 256 else ">u2")


def _levels(head: _Header, layout: Layout) -> Array | None:
    """Give the value of every sample, 0 to maxval; None if that is the sample itself."""
    if layout.dtype.kind == "f" or head.kind == b"P4":
        return None
    full = np.iinfo(layout.dtype).max
    if head.maxval == full and head.kind not in _PLAIN:
        return None
    return np.rint(np.arange(head.maxval + 1) * full / head.maxval).astype(layout.dtype)


def _texts(file: BinaryIO) -> Iterator[bytes]:
    """Give a file in pieces, without comments."""
    within = b""
    while piece := file.read(_TEXT):
        text = within + piece
        within = b"#" if text.rfind(b"#") > max(text.rfind(b"\n"), text.rfind(b"\r")) else b""
        yield re.sub(rb"#[^\r\n]*", b"", text) if b"#" in text else text


def _bits(file: BinaryIO) -> Iterator[Array]:
    """Parse zeros and ones, with or without white space between them: 1 is black."""
    for text in _texts(file):
        digits = np.frombuffer(text.translate(None, b" \t\n\v\f\r"), np.uint8)
        values = ord("1") - digits
        strange = np.flatnonzero(values > 1)
        yield values[: strange[0]] if len(strange) else values
        if len(strange):
            raise ValueError(f"it holds {chr(digits[strange[0]])!r} where 0 or 1 must be")


def _numbers(file: BinaryIO) -> Iterator[Array]:
    """Parse numbers with white space between them."""
    unfinished = b""
    for piece in chain(_texts(file), [b" "]):  # the last number may end with the file
        text = unfinished + piece
        strange = re.search(rb"[^0-9 \t-\r]", text)
        good = text[: strange.start()] if strange else text
        whole = good.rstrip(b"0123456789")
        unfinished = good[len(whole) :]
        if whole and not whole.isspace():
            yield np.fromstring(whole, np.int64, sep=" ")
        if strange or len(unfinished) > _LONGEST_NUMBER:
            raise ValueError(f"it holds {(strange[0] if strange else unfinished)!r}")
