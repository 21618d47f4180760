"""Encoded values and linear light: the tone curves of sRGB and of ICC profiles, both ways."""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from svfilter.errors import InvalidArgument
from svfilter.images.layout import COLOURS
from svfilter.images.tones import Formula, Room, Table
from svfilter.images.values import slabs

if TYPE_CHECKING:
    from svfilter.images.layout import Colour
    from svfilter.kernels.base import Array

_GAP = 1e-3
"""How far the two parts of a curve may miss each other, by the rounding of its numbers."""
_BRIGHTEST = 1e4
"""How much light white may be: with more, float32 would not be enough."""
_PARAMETERS = (1, 3, 4, 5, 7)
"""How many numbers each of ICC's parametric functions has."""


@dataclass(frozen=True)
class Curve:
    """How the colours of an image are encoded: y = f(x), x encoded, y proportional to light.

    Every f rises strictly, so that it has an inverse. Below 0 it goes on as the mirror image,
    f(0) - (f(-x) - f(0)), and above 1 as the formula or the table's last line does.
    """

    tones: tuple[Formula | Table, ...]
    """One for all channels, or one for each."""

    identity: ClassVar[Curve]
    """Of values that are linear as they are stored."""
    srgb: ClassVar[Curve]
    """Of IEC 61966-2-1."""

    def to_linear(self, planes: Array, out: Array | None = None) -> Array:
        """Give the light of encoded colours, [C, h, w] float32 without alpha; in `out` if given."""
        return self._convert(_light, planes, out)

    def to_encoded(self, planes: Array, out: Array | None = None) -> Array:
        """Give the encoded colours of light: the inverse of `to_linear`.

        From encoded values of 0 to 1 and back is within 1e-6, but where a table is nearly level:
        there float32 cannot tell the light of neighbours apart.
        """
        return self._convert(_encoded, planes, out)

    def tolerance(self, encoded: float) -> float:
        """Give how wrong light may be for no encoded value of 0 to 1 to be wrong by more.

        It is the least rise of any f over such a step, mostly the one from black: of sRGB,
        encoded / 12.92 for small ones; of a pure power next to nothing.
        """
        import numpy as np

        x = np.linspace(0, max(1 - encoded, 0), 2**14, dtype=np.float32)
        x = np.broadcast_to(x, (len(self.tones), 1, x.size))
        return float((self.to_linear(x + np.float32(encoded)) - self.to_linear(x)).min())

    def _convert(
        self,
        convert: Callable[[Formula | Table, Array, Room], None],
        planes: Array,
        out: Array | None,
    ) -> Array:
        import numpy as np

        channels, height, width = planes.shape
        if out is None:
            out = np.empty(planes.shape, np.float32)
        tones = self.tones * channels if len(self.tones) == 1 else self.tones
        rows = next(slabs(height, width)).stop
        values = np.empty((2, rows, width), np.float32)
        places = np.empty((rows, width), np.intp)
        with np.errstate(all="ignore"):  # log(0) is meant, and NaN and infinities pass
            for channel, tone in zip(range(channels), tones, strict=True):
                for slab in slabs(height, width):
                    size = slab.stop - slab.start
                    x = values[0, :size]
                    x[...] = planes[channel, slab]
                    convert(tone, x, Room(values[1, :size], places[:size]))
                    out[channel, slab] = x
        return out


def for_profile(icc_profile: bytes | None, colour: Colour) -> Curve:
    """Find the curve of an image's colours: that of its ICC profile, or sRGB's if it has none.

    Raises:
        InvalidArgument: the colours are neither grey nor RGB, or the profile is damaged, is of
            other colours, or has no tone curves that can be undone.
    """
    if colour not in ("grey", "rgb"):
        words = {"cmyk": "CMYK", "bands": "bands of no known colour"}
        raise InvalidArgument(f"--linear needs grey or RGB pixels, but these are {words[colour]}")
    if icc_profile is None:
        return Curve.srgb
    return _profile_curve(icc_profile, colour)


def _profile_curve(profile: bytes, colour: Colour) -> Curve:
    if len(profile) < 132 or profile[36:40] != b"acsp":
        raise _damaged("it has no header of one")
    space, connection = profile[16:20], profile[20:24]
    tags = _tags(profile)
    names = [b"kTRC"] if space == b"GRAY" else [b"rTRC", b"gTRC", b"bTRC"]
    if connection != b"XYZ " or not all(name in tags for name in names):
        raise InvalidArgument(
            "--linear needs a profile with tone curves, but the image's ICC profile, for "
            f"{_shown(space)}, has none; convert the image to sRGB first"
        )
    curves = [tags[name] for name in names]
    if len(set(curves)) == 1:  # then a profile of RGB tells what grey is, too
        curves = curves[:1]
    if (space, colour) != (b"GRAY", "grey") and (space != b"RGB " or len(curves) > COLOURS[colour]):
        raise InvalidArgument(
            f"--linear needs a profile of the image's colours, but these are {colour} and the ICC "
            f"profile is for {_shown(space)}"
        )
    return Curve(tuple(_tone(data) for data in curves))


def _tags(profile: bytes) -> dict[bytes, bytes]:
    count = int.from_bytes(profile[128:132], "big")
    if count > (len(profile) - 132) // 12:
        raise _damaged("it ends in its list of tags")
    tags = {}
    for entry in range(132, 132 + 12 * count, 12):
        name, offset, size = struct.unpack_from(">4sII", profile, entry)
        tags[name] = profile[offset : offset + size]
    return tags


def _tone(data: bytes) -> Formula | Table:
    """Read a curveType or a parametricCurveType.

    Source: ICC.1:2022, 10.6 and 10.18.
    """
    try:
        if data[:4] == b"curv":
            (count,) = struct.unpack_from(">I", data, 8)
            levels = struct.unpack_from(f">{count}H", data, 12)
            if count > 1:
                return _table(levels)
            return _formula(levels[0] / 256 if count else 1.0)
        (kind,) = struct.unpack_from(">H", data, 8)
        if data[:4] == b"para" and kind < len(_PARAMETERS):
            fixed = struct.unpack_from(f">{_PARAMETERS[kind]}i", data, 12)
            return _formula(*(number / 65536 for number in fixed))
    except (struct.error, OverflowError):
        raise _damaged("a tone curve ends early or goes too far") from None
    raise _damaged(f"a tone curve is of the unknown type {_shown(data[:4])}")


def _formula(gamma: float, *numbers: float) -> Formula:
    """Give a parametric function of 1, 3, 4, 5 or 7 numbers in the form without branches.

        (a·x + b)^gamma + e  from the knee d on,   c·x + f  below it

    The straight part is made to end where the power begins: they miss each other by what the
    file's 16 bits round.
    """
    a, b = numbers[:2] or (1.0, 0.0)
    c, d = numbers[2:4] if len(numbers) > 3 else (0.0, 0.0)
    e, f = numbers[4:6] if len(numbers) > 4 else (0.0, 0.0)
    if len(numbers) == 3:
        e = numbers[2]
    knee = max(d, 0.0)
    if gamma <= 0 or a <= 0 or a * knee + b < 0:
        raise _level()
    met = (a * knee + b) ** gamma + e
    if (a * max(knee, 1.0) + b) ** gamma > _BRIGHTEST:
        raise OverflowError
    if not knee:
        return Formula(gamma, a, b, start=met)
    if abs(c * knee + f - met) > _GAP or met <= f:
        raise _level()
    return Formula(gamma, a, b, slope=(met - f) / knee, knee=knee, start=f)


def _table(levels: tuple[int, ...]) -> Table:
    """Give a table in which equal neighbours, which had no inverse, rise towards the next level.

    They are what rounding makes of a slow rise, mostly from black, where a pure power has a
    few. So the first of them stays, or the last of those at the end: black is black, and white
    white.
    """
    import numpy as np

    samples = np.array(levels) / 65535
    rises = np.diff(samples)
    if rises.min() < 0 or samples[0] == samples[-1]:
        raise _level()
    kept = np.append(True, rises > 0)
    kept[np.flatnonzero(kept)[-1]] = False
    kept[[0, -1]] = True
    places = np.arange(len(samples))
    return Table(np.interp(places, places[kept], samples[kept]), kept)


def _light(tone: Formula | Table, x: Array, room: Room) -> None:
    _mirrored(tone.rise, x, room)
    x += x.dtype.type(tone.start)


def _encoded(tone: Formula | Table, y: Array, room: Room) -> None:
    y -= y.dtype.type(tone.start)
    _mirrored(tone.undo, y, room)


def _mirrored(function: Callable[[Array, Room], None], x: Array, room: Room) -> None:
    """Apply a function of what is no less than 0, in place, and give the result the sign of x."""
    import numpy as np

    if x.min() >= 0:
        function(x, room)
        return
    signs = x.copy()
    function(np.abs(x, out=x), room)
    np.copysign(x, signs, out=x)


def _damaged(how: str) -> InvalidArgument:
    return InvalidArgument(f"--linear cannot use the image's ICC profile: {how}")


def _level() -> InvalidArgument:
    return _damaged("a tone curve does not rise everywhere, so that it cannot be undone")


def _shown(signature: bytes) -> str:
    return signature.decode("latin-1").strip()


Curve.identity = Curve((Formula(1.0),))
Curve.srgb = Curve((_formula(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045),))
