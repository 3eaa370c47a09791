"""Threads that work off one queue and put what comes of it on another. `execute.py` has one crew to send, one to read.

A lighter ThreadPoolExecutor: thousands of results go to one thread, which needs no lock and no future for each.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

News = queue.SimpleQueue[tuple[Callable[[Any], None], Any]]
"""What is to be done next, and with which result, or exception."""


class Crew:
    """Up to `size` threads, called `name`; used as a context, which ends once all work is done."""

    def __init__(self, size: int, name: str, news: News) -> None:
        self._size = size
        self._name = name
        self._news = news
        self._work: queue.SimpleQueue[tuple[Callable[[], Any], Callable[[Any], None]] | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []

    def start(self, work: Callable[[], Any], then: Callable[[Any], None]) -> None:
        """Do `work` in another thread, and have `then` told of its result, or of its exception."""
        self._work.put((work, then))
        if len(self._threads) < self._size:
            thread = threading.Thread(target=self._run, name=f"{self._name}_{len(self._threads)}")
            self._threads.append(thread)
            thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for _ in self._threads:
            self._work.put(None)
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while (task := self._work.get()) is not None:
            work, then = task
            outcome = _Outcome()
            with outcome:
                outcome.result = work()
            self._news.put((then, outcome.result))


class _Outcome:
    """What came of some work: its result, or whatever exception ended it, which the deciding thread acts on."""

    result: Any = None

    def __enter__(self) -> None:
        pass

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if error is not None:
            self.result = error
        return True
