"""Fixtures of the ledger's tests: every test runs on SQLite and on PostgreSQL."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator

import pytest

from tasks.ledger.ledger import Ledger
from tests.databases import ledger_url, postgres_server

__all__ = ["ledger_url", "postgres_server"]


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = dt.datetime(2026, 3, 1, 8, 0, tzinfo=dt.UTC)

    def __call__(self) -> dt.datetime:
        return self.now

    def pass_by(self, **time: float) -> None:
        """Let time pass."""
        self.now += dt.timedelta(**time)


@pytest.fixture
def clock() -> Clock:
    """Give a clock that stands until moved."""
    return Clock()


@pytest.fixture
def ledger(ledger_url: str, clock: Clock) -> Iterator[Ledger]:
    """Give an empty ledger."""
    with Ledger.open(ledger_url, clock=clock) as opened:
        yield opened
