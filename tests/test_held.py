"""Rows in any order, upright, from rows in order: in memory and on disk alike."""

from __future__ import annotations

import numpy as np
import pytest
from arrays import ArrayDecoder

from svfilter.images.decoders import held
from svfilter.images.decoders.held import Held

PIXELS = np.random.default_rng(3).integers(0, 65536, (23, 14, 3), dtype=np.uint16)
TURNS = {
    1: PIXELS, 2: PIXELS[:, ::-1], 3: PIXELS[::-1, ::-1], 4: PIXELS[::-1],
    5: PIXELS.swapaxes(0, 1), 6: np.rot90(PIXELS, -1),
    7: PIXELS[::-1, ::-1].swapaxes(0, 1), 8: np.rot90(PIXELS),
}  # fmt: skip


@pytest.mark.parametrize("piece", [1, 1000, 2**23])
@pytest.mark.parametrize("on_disk", [False, True])
@pytest.mark.parametrize("orientation", TURNS)
def test_rows_are_upright_in_any_order(
    orientation: int, on_disk: bool, piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(held, "_PIECE", piece)
    decoder = ArrayDecoder(PIXELS, orientation=orientation, block=4)
    kept, expected = Held(decoder, on_disk=on_disk), TURNS[orientation]
    assert (kept.layout.height, kept.layout.width) == expected.shape[:2]
    assert not decoder.asked  # nothing is decoded before it is needed
    height = len(expected)
    for start, stop in [(height - 1, height), (0, 1), (0, height), (5, 9), (3, 14)]:
        rows = kept.rows(start, stop)
        assert rows.flags.c_contiguous
        np.testing.assert_array_equal(rows, expected[start:stop])
    kept.close()
    assert decoder.closed


def test_the_memory_is_that_of_the_pixels_unless_they_are_on_disk() -> None:
    pixels = np.zeros((4000, 4000, 3), np.uint8)
    assert Held(ArrayDecoder(pixels), on_disk=False).memory == pixels.nbytes
    assert Held(ArrayDecoder(pixels), on_disk=True).memory < pixels.nbytes / 2
