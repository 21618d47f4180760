"""The windows that memory allows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from svfilter.budget import LEAST_ENGINE, Needs, _taken, share
from svfilter.errors import InvalidArgument

LARGE = Needs(20000, 20000, 130, 4, read=60000, written=60000, fixed=2**24)


def test_more_memory_gives_windows_with_less_around_them() -> None:
    def work(memory: int) -> float:
        cut = share(memory, LARGE)
        return (cut.rows + 260) * (cut.cols + 260) / (cut.rows * cut.cols)

    assert work(2**30) <= work(2**28) <= work(2**27)
    assert work(2**30) < 1.8


@given(
    *(st.integers(1, 50000) for _ in range(2)),
    st.integers(0, 700),
    st.integers(1, 9),
    st.integers(2**24, 2**32),
)
def test_what_is_cut_fits_or_is_refused(
    height: int, width: int, margin: int, planes: int, memory: int
) -> None:
    needs = Needs(height, width, margin, planes, 3 * width, 6 * width, 2**22)
    try:
        cut = share(memory, needs)
    except InvalidArgument as error:
        assert "--memory must be larger by" in str(error)
        assert _taken(needs, 1, 1) + LEAST_ENGINE > memory
    else:
        assert 1 <= cut.rows <= height
        assert 1 <= cut.cols <= width
        assert _taken(needs, cut.rows, cut.cols) + cut.engine <= memory


def test_a_tile_that_was_asked_for_is_taken_or_refused() -> None:
    cut = share(2**30, LARGE, tile=100)
    assert (cut.rows, cut.cols) == (100, 100)
    with pytest.raises(InvalidArgument, match="--memory must be larger by [0-9]+M"):
        share(2**30, LARGE, tile=20000)


def test_the_amount_that_is_missing_is_enough() -> None:
    with pytest.raises(InvalidArgument) as caught:
        share(2**24, LARGE)
    missing = int(str(caught.value).split("larger by ")[1].split("M")[0])
    share(2**24 + missing * 2**20, LARGE)
