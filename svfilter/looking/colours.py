"""Colours for numbers, told apart by people who see fewer colours, and in grey."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from svfilter.kernels.base import Array

_VIRIDIS = """
440154 470d60 48186a 482374 472d7b 453781 424086 3e4989 3b528b 375b8d 33638d 2f6b8e 2c728e 297a8e
26828e 23898e 21908c 1f978b 1f9f88 21a685 27ad81 31b57b 3ebc74 4dc26c 5cc863 6ece58 82d34d 95d840
aadc32 c0df25 d5e21a eae51a fde725
"""
_DIVERGING = """
014168 015688 056fae 008ad6 43a7f6 8bc0f9 c2d9f9 f3f3f3
f5d0bc eead89 e08c5a ca6a2c ab5012 883c08 672d05
"""
_LEVELS = 512
"""Colours of a table: more than a byte tells apart."""


def viridis(values: Array) -> Array:
    """Give the colours of values from 0, dark violet, over green to 1, yellow.

    Lightness rises evenly, for any kind of colour vision.

    Args:
        values: of any shape; those beyond 0 to 1, infinities too, have the colours of the ends.

    Returns:
        uint8 [..., 3].

    Source: N. Smith and S. van der Walt, matplotlib's default map, CC0, 2015; every eighth of its
    256 colours.
    """
    return _looked_up(_VIRIDIS, values)


def diverging(values: Array) -> Array:
    """Give the colours of values from -1, blue, over light grey at 0 to 1, orange.

    Equal sizes are equally light, as K. Moreland (Diverging Color Maps for Scientific
    Visualization, 2009, doi:10.1007/978-3-642-10520-3_9) asks for; the hues are the blue and the
    vermilion of M. Okabe and K. Ito (Color Universal Design, 2008), which people who see fewer
    colours tell apart.

    Args:
        values: of any shape; those beyond -1 to 1, infinities too, have the colours of the ends.

    Returns:
        uint8 [..., 3].
    """
    return _looked_up(_DIVERGING, (values + 1) / 2)


def _looked_up(nodes: str, shares: Array) -> Array:
    import numpy as np

    places = np.rint(np.clip(shares, 0, 1) * (_LEVELS - 1)).astype(np.intp)
    colours: Array = _table(nodes)[places]
    return colours


@cache
def _table(nodes: str) -> Array:
    """Give the colours between nodes at even distances, [_LEVELS, 3]."""
    import numpy as np

    known = np.array([list(bytes.fromhex(node)) for node in nodes.split()])
    at, places = np.linspace(0, 1, len(known)), np.linspace(0, 1, _LEVELS)
    between = [np.interp(places, at, channel) for channel in known.T]
    return np.rint(np.stack(between, axis=-1)).astype(np.uint8)
