"""Work that overlaps: a thread that runs ahead with what comes next, or behind with the rest."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")


class Ahead(Generic[T]):
    """Runs an iterator in a thread, up to so many items ahead of who takes them.

    What the iterator raises is raised where its next item would have been taken.
    """

    def __init__(self, items: Iterator[T], most: int) -> None:
        self.most = most
        self._items = items
        self._ready: deque[T] = deque()
        self._error: BaseException | None = None
        self._done = self._stopped = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            for item in self._items:
                with self._changed:
                    self._ready.append(item)
                    self._changed.notify_all()
                    self._changed.wait_for(self._has_room)
                    if self._stopped:
                        return
        except BaseException as error:  # told to who waits for the next item
            self._error = error
        finally:
            with self._changed:
                self._done = True
                self._changed.notify_all()

    def _has_room(self) -> bool:
        return self._stopped or len(self._ready) < self.most

    def take(self) -> T | None:
        """Give the next item, or None after the last one."""
        with self._changed:
            self._changed.wait_for(lambda: self._ready or self._done)
            if self._ready:
                self._changed.notify_all()
                return self._ready.popleft()
            if self._error is not None:
                raise self._error
            return None

    def stop(self) -> None:
        """End the thread after the item that it is at."""
        with self._changed:
            self._stopped = True
            self._ready.clear()
            self._changed.notify_all()
        self._thread.join()


class Behind(Generic[T]):
    """Hands items to a function that runs in a thread, at most one of them waiting.

    What the function raises is raised where the next item is put, or by `finish`.
    """

    def __init__(self, work: Callable[[T], object]) -> None:
        self._work = work
        self._waiting: deque[T] = deque()
        self._error: BaseException | None = None
        self._closing = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._closing)
                if not self._waiting:
                    return
                item = self._waiting.popleft()
                self._changed.notify_all()
            try:
                self._work(item)
            except BaseException as error:  # told to who puts the next item
                with self._changed:
                    self._error = error
                    self._changed.notify_all()
                return
            del item  # its memory, while waiting for the next one

    def put(self, item: T) -> None:
        """Hand over an item as soon as the one before it is being worked on."""
        with self._changed:
            self._changed.wait_for(lambda: not self._waiting or self._error)
            if self._error is not None:
                raise self._error
            self._waiting.append(item)
            self._changed.notify_all()

    def finish(self) -> None:
        """Wait until all is done."""
        self._end()
        if self._error is not None:
            raise self._error

    def stop(self) -> None:
        """End the thread after the item that it is at."""
        with self._changed:
            self._waiting.clear()
        self._end()

    def _end(self) -> None:
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        self._thread.join()
