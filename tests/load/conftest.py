"""Fixtures of load's tests: a Replicon on loopback and a ledger, by turns on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.databases import ledger_url, postgres_server
from tests.load.rig import Rig, running

__all__ = ["ledger_url", "postgres_server"]


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    """Give a running Replicon and a ledger on SQLite."""
    with running(f"sqlite:///{tmp_path / 'ledger.db'}", tmp_path) as started:
        yield started
