"""People who are to lose their login once the job's days of grace are over.

Statements on a connection of `database.py`; `ledger.py` calls them.
"""

from __future__ import annotations

import pandas as pd
import sqlalchemy as sa

from tasks.ledger.frames import fetch, records
from tasks.ledger.tables import LEAVING
from tasks.model import LEAVING_COLUMNS


def read(connection: sa.Connection, job: str) -> pd.DataFrame:
    """Give who is leaving since when (`LEAVING_COLUMNS`)."""
    return fetch(connection, LEAVING, LEAVING_COLUMNS, sa.select(LEAVING).where(LEAVING.c.job == job))


def replace(connection: sa.Connection, job: str, people: pd.DataFrame) -> None:
    """Remember these people (`LEAVING_COLUMNS`) and nobody else."""
    connection.execute(LEAVING.delete().where(LEAVING.c.job == job))
    rows = [{**row, "job": job} for row in records(people, tuple(LEAVING_COLUMNS))]
    if rows:
        connection.execute(LEAVING.insert(), rows)
