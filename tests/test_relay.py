"""Threads that run ahead and behind: in order, bounded, and ended by an error on either side."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from svfilter.relay import Ahead, Behind


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    assert set(threading.enumerate()) <= before


def eventually(true: Callable[[], bool]) -> bool:
    """Wait for what another thread does, a few seconds at most."""
    for _ in range(500):
        if true():
            return True
        time.sleep(0.01)
    return False


def test_ahead_gives_the_items_in_order_and_then_none() -> None:
    ahead = Ahead(iter(range(100)), most=3)
    assert [ahead.take() for _ in range(102)] == [*range(100), None, None]
    ahead.stop()


def test_ahead_runs_no_more_items_ahead_than_it_may() -> None:
    made = []
    ahead = Ahead((made.append(i) or i for i in range(50)), most=4)
    assert eventually(lambda: len(made) == 4)
    time.sleep(0.05)
    assert len(made) == 4
    assert ahead.take() == 0
    assert eventually(lambda: len(made) == 5)
    ahead.stop()
    assert len(made) <= 6


def test_an_error_ahead_is_raised_after_the_items_before_it() -> None:
    def items() -> Iterator[int]:
        yield 1
        raise KeyError("broken")

    ahead = Ahead(items(), most=5)
    assert ahead.take() == 1
    for _ in range(2):
        with pytest.raises(KeyError, match="broken"):
            ahead.take()
    ahead.stop()


def test_ahead_stops_although_nobody_takes_its_items() -> None:
    Ahead(iter(range(10**9)), most=2).stop()


def test_behind_works_on_the_items_in_order() -> None:
    done: list[int] = []
    behind = Behind(done.append)
    for i in range(50):
        behind.put(i)
    behind.finish()
    assert done == list(range(50))


def test_behind_lets_one_item_wait_at_most() -> None:
    gate, waiting = threading.Event(), []
    behind = Behind(lambda i: gate.wait(10))

    def put() -> None:
        for i in range(4):
            behind.put(i)
            waiting.append(i)

    thread = threading.Thread(target=put)
    thread.start()
    assert eventually(lambda: len(waiting) == 2)  # one is worked on, one waits
    time.sleep(0.05)
    assert len(waiting) == 2
    gate.set()
    thread.join()
    behind.finish()


def test_an_error_behind_is_raised_when_the_next_item_is_put() -> None:
    def work(i: int) -> None:
        raise KeyError(i)

    behind = Behind(work)

    def put_all() -> None:
        for i in range(9):
            behind.put(i)

    with pytest.raises(KeyError, match="0"):
        put_all()
    with pytest.raises(KeyError, match="0"):
        behind.finish()


def test_an_error_behind_is_raised_at_the_latest_by_finish() -> None:
    behind = Behind(lambda i: 1 / i)
    behind.put(0)
    with pytest.raises(ZeroDivisionError):
        behind.finish()


def test_behind_stops_without_working_on_what_waits() -> None:
    gate, done = threading.Event(), []

    def work(i: int) -> None:
        done.append(i)
        gate.wait(10)

    behind = Behind(work)
    behind.put(1)
    behind.put(2)
    threading.Timer(0.05, gate.set).start()
    behind.stop()
    assert done == [1]
