"""Threads for encoders: pieces are packed side by side and handed on one after the other."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Generic, TypeVar

T = TypeVar("T")


class Pool(Generic[T]):
    """Runs work in threads and hands the results on in the order in which it was added.

    They are handed on by whoever adds the next, so that one thread writes the file. After any
    exception, the threads have ended.

    Args:
        jobs: threads; twice as many pieces of work may be under way.
        take: is called with each result.
    """

    def __init__(self, jobs: int, take: Callable[[T], object]) -> None:
        self._threads = ThreadPoolExecutor(jobs)
        self._take = take
        self._most = 2 * jobs
        self._under_way: deque[Future[T]] = deque()

    def add(self, work: Callable[..., T], *args: Any) -> None:
        """Have work(*args) run, after handing on results until there is room for it."""
        self._hand_on(self._most - 1)
        self._under_way.append(self._threads.submit(work, *args))

    def finish(self) -> None:
        """Hand on all results and end the threads."""
        self._hand_on(0)
        self.stop()

    def stop(self) -> None:
        """End the threads after what they are at; nothing more is handed on."""
        self._under_way.clear()
        self._threads.shutdown(cancel_futures=True)

    def _hand_on(self, most: int) -> None:
        try:
            while len(self._under_way) > most:
                self._take(self._under_way.popleft().result())
        except BaseException:
            self.stop()
            raise
