"""Progress bars of the terminal. Stages tell a `Progress`; who started the run decides whether anyone draws it."""

from __future__ import annotations

import contextlib
import contextvars
import threading
from collections.abc import Iterator

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from tasks.model import Progress, silent

_current: contextvars.ContextVar[Progress] = contextvars.ContextVar("progress", default=silent)


def current() -> Progress:
    """Give the `Progress` of whoever started this run; one that tells nobody when nobody asked."""
    return _current.get()


@contextlib.contextmanager
def bars(console: Console) -> Iterator[None]:
    """Draw a bar a stage on `console` for every run started within."""
    columns = (
        TextColumn("  {task.description:<10}"),
        BarColumn(bar_width=28),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("[dim]{task.fields[note]}"),
    )
    with Bars(*columns, console=console, transient=False) as drawn:
        token = _current.set(_Drawer(drawn))
        try:
            yield
        finally:
            _current.reset(token)


class _Drawer:
    """Turns what stages say into bars; stages may speak from several threads."""

    def __init__(self, drawn: Bars) -> None:
        self._drawn = drawn
        self._bars: dict[str, TaskID] = {}
        self._lock = threading.Lock()

    def __call__(self, stage: str, done: int, total: int | None, note: str = "") -> None:
        with self._lock:
            if stage not in self._bars:
                self._bars[stage] = self._drawn.add_task(stage, total=total, note=note)
            self._drawn.update(self._bars[stage], completed=done, total=total, note=note)
