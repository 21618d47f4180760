"""Windows cover an image once; halos are what NumPy's padding says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from svfilter.tiles import BOUNDARIES, OUTSIDE, Window, halo, plan

NUMPY_MODES = {
    "replicate": "edge",
    "reflect": "reflect",
    "circular": "wrap",
    "constant": "constant",
}
sizes = st.integers(1, 12)


@given(height=st.integers(1, 40), width=st.integers(1, 40), side=st.integers(1, 50))
def test_plan_covers_every_pixel_once(height: int, width: int, side: int) -> None:
    seen = np.zeros((height, width), int)
    for window in plan(height, width, side, side):
        assert 1 <= window.height <= side
        assert 1 <= window.width <= side
        assert seen[window.rows, window.cols].size == window.pixels
        seen[window.rows, window.cols] += 1
    assert (seen == 1).all()


@pytest.mark.parametrize("boundary", BOUNDARIES)
@given(data=st.data(), height=sizes, width=sizes, reach=st.integers(0, 30))
def test_halo_equals_numpy_padding(
    boundary: str, data: st.DataObject, height: int, width: int, reach: int
) -> None:
    row = data.draw(st.integers(0, height - 1))
    col = data.draw(st.integers(0, width - 1))
    window = Window(
        row,
        col,
        data.draw(st.integers(1, height - row)),
        data.draw(st.integers(1, width - col)),
    )
    image = np.arange(1, 1 + height * width).reshape(height, width)

    around = halo(window, reach, height, width, boundary)
    read = np.block([[image[w.rows, w.cols] for w in row] for row in around.sources])
    rows, cols = np.array(around.rows), np.array(around.cols)
    got = np.where((rows == OUTSIDE)[:, None] | (cols == OUTSIDE), 0, read[np.ix_(rows, cols)])

    whole = np.pad(image, reach, mode=NUMPY_MODES[boundary])
    expected = whole[row : row + window.height + 2 * reach, col : col + window.width + 2 * reach]
    np.testing.assert_array_equal(got, expected)


def test_halo_reads_no_more_than_it_needs() -> None:
    around = halo(Window(10, 20, 5, 6), 3, 100, 100, "replicate")
    assert around.sources == [[Window(7, 17, 11, 12)]]
    around = halo(Window(0, 94, 5, 6), 3, 100, 100, "reflect")
    assert around.sources == [[Window(0, 91, 8, 9)]]
    around = halo(Window(0, 94, 5, 6), 3, 100, 100, "circular")
    assert [w.pixels for row in around.sources for w in row] == [8 * 3, 8 * 9, 3 * 3, 3 * 9]


def test_windows_far_from_the_origin_keep_their_indices() -> None:
    around = halo(Window(10**9, 10**9, 2, 2), 1, 2 * 10**9, 2 * 10**9, "replicate")
    ((source,),) = around.sources
    assert source == Window(10**9 - 1, 10**9 - 1, 4, 4)
    assert around.rows == [0, 1, 2, 3]
