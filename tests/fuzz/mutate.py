"""Ways to damage a file. Each takes a generator and the bytes, and changes these in place."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import dataclass

from .seeds import Seed
from .structure import PNG, mended

NUMBERS = (
    0, 1, 2, 3, 4, 8, 0x7F, 0x80, 0xFF, 0x100, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0xFFFFFF,
    0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF, 2**40, 2**63 - 1, 2**63, 2**64 - 1,
)  # fmt: skip
WORDS = (
    b"0", b"1", b"-1", b"2", b"5", b"64", b"255", b"256", b"65535", b"65536", b"99999",
    b"2147483647", b"2147483648", b"4294967295", b"4294967296", b"18446744073709551616",
    b"9" * 30, b"1e9", b"nan", b"inf", b"", b"null", b"[]", b'""',
)  # fmt: skip
_HEADER = 256


@dataclass(frozen=True)
class Damaged:
    """A damaged file."""

    data: bytes
    how: tuple[str, ...]
    """The names of what was done to it."""
    kept: int | None = None
    """The bytes that are left of the seed, if it was only cut."""


class Wrecker:
    """Damages one seed, as a generator decides."""

    def __init__(self, rng: random.Random, seed: Seed, others: list[Seed]) -> None:
        self.rng, self.seed, self.others = rng, seed, others
        self.data = bytearray(seed.data)

    def at(self) -> int:
        """Choose a place: mostly in a header."""
        size, draw = len(self.data), self.rng.random()
        if not size:
            return 0
        if draw < 0.5 and self.seed.marks:
            return min(self.rng.choice(self.seed.marks) + self.rng.randrange(4), size - 1)
        return self.rng.randrange(min(size, _HEADER) if draw < 0.6 else size)

    def block(self) -> slice:
        """Choose a piece."""
        start = self.at()
        longest = self.rng.choice((4, 16, 64, 512, len(self.data) + 1))
        return slice(start, start + self.rng.randrange(1, longest + 1))

    def flip(self) -> None:
        """Flip bits."""
        for _ in range(self.rng.choice((1, 1, 1, 2, 8))):
            if self.data:
                self.data[self.at()] ^= 1 << self.rng.randrange(8)

    def put_byte(self) -> None:
        """Set bytes."""
        for _ in range(self.rng.choice((1, 1, 4))):
            if self.data:
                value = self.rng.choice((0, 0xFF, self.rng.randrange(256)))
                self.data[self.at()] = value

    def put_number(self) -> None:
        """Set a number of a field, or change it a little."""
        size, order = self.rng.choice((1, 2, 4, 4, 8)), self.rng.choice(("little", "big"))
        at = self.at()
        old = int.from_bytes(self.data[at : at + size], order)  # type: ignore[arg-type]
        near = (old + 1, old - 1, old * 2, old << 8, old ^ 0xFF, len(self.data))
        value = self.rng.choice((*NUMBERS, *near)) % 2 ** (8 * size)
        self.data[at : at + size] = value.to_bytes(size, order)  # type: ignore[arg-type]

    def put_word(self) -> None:
        """Set a number that is written in digits."""
        words = list(re.finditer(rb"-?\d+", self.data[:1024]))
        if words:
            word = self.rng.choice(words)
            self.data[word.start() : word.end()] = self.rng.choice(WORDS)

    def cut(self) -> None:
        """Leave the end out."""
        draw = self.rng.random()
        place = self.at() if draw < 0.6 else self.rng.randrange(len(self.data) or 1)
        if draw > 0.9:
            place = len(self.data) - self.rng.randrange(1, 64)
        del self.data[max(place, 1) :]

    def cut_out(self) -> None:
        """Leave a piece out."""
        del self.data[self.block()]

    def double(self) -> None:
        """Write a piece twice, or many times."""
        piece = self.data[self.block()]
        at = self.at()
        times = self.rng.choice((1, 1, 2, 200))
        self.data[at:at] = bytes(piece[: 2**16 // times] * times)

    def swap(self) -> None:
        """Let two pieces change places."""
        a, b = sorted((self.at(), self.at()))
        size = min(self.rng.choice((4, 16, 256)), b - a)
        one, other = bytes(self.data[a : a + size]), bytes(self.data[b : b + size])
        self.data[a : a + size], self.data[b : b + len(one)] = other, one

    def blank(self) -> None:
        """Set a piece to zeros or ones."""
        piece = self.block()
        size = len(self.data[piece])
        self.data[piece] = self.rng.choice((b"\0", b"\xff")) * size

    def splice(self) -> None:
        """Go on as another file of the format does."""
        other = self.rng.choice(self.others)
        at = self.at()
        start = at
        if self.rng.random() < 0.5 and other.marks:
            start = self.rng.choice(other.marks)
        self.data[at:] = other.data[start:]

    def take(self) -> None:
        """Put in a piece of another file of the format."""
        other = self.rng.choice(self.others)
        start = self.rng.choice(other.marks or (0,))
        at = self.at()
        end = at if self.rng.random() < 0.5 else at + self.rng.randrange(64)
        self.data[at:end] = other.data[start : start + self.rng.choice((16, 64, 512))]

    def append(self) -> None:
        """Let something follow."""
        rest = (b"\0" * 100, self.rng.randbytes(500), self.rng.choice(self.others).data)
        self.data += self.rng.choice(rest)


WAYS: tuple[tuple[Callable[[Wrecker], None], int], ...] = (
    (Wrecker.flip, 4), (Wrecker.put_byte, 3), (Wrecker.put_number, 5), (Wrecker.put_word, 1),
    (Wrecker.cut, 4), (Wrecker.cut_out, 2), (Wrecker.double, 2), (Wrecker.swap, 1),
    (Wrecker.blank, 2), (Wrecker.splice, 2), (Wrecker.take, 1), (Wrecker.append, 1),
)  # fmt: skip
_TEXTS = {"netpbm", "pam", "pfm", "npy", "zarr"}


def damaged(rng: random.Random, seed: Seed, others: list[Seed]) -> Damaged:
    """Damage a seed in one way or in several."""
    wrecker = Wrecker(rng, seed, others)
    ways, weights = [way for way, _ in WAYS], [weight for _, weight in WAYS]
    if seed.format in _TEXTS:
        weights[ways.index(Wrecker.put_word)] = 8
    chosen = rng.choices(ways, weights, k=rng.choice((1, 1, 1, 2, 3)))
    for way in chosen:
        way(wrecker)
    data = bytes(wrecker.data)
    how = [way.__name__ for way in chosen]
    if how != ["cut"] and data.startswith(PNG) and rng.random() < 0.7:
        data = mended(data)
        how.append("mend")
    kept = len(data) if how == ["cut"] else None
    return Damaged(data, tuple(how), kept)
