"""What somebody with access to the database could do behind the ledger's back, for the tests of its evidence."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa


def engine_of(url: str) -> sa.Engine:
    """Give SQLAlchemy's own way to the database at `url`."""
    parsed = sa.make_url(url)
    name = "postgresql+psycopg" if parsed.get_backend_name() == "postgresql" else parsed.drivername
    return sa.create_engine(parsed.set(drivername=name), poolclass=sa.NullPool)


def edit(url: str, statement: str, **values: Any) -> int:
    """Run one SQL statement on the ledger at `url`; give how many rows it concerned."""
    with engine_of(url).begin() as connection:
        return connection.execute(sa.text(statement), values).rowcount


def rows(url: str, statement: str) -> list[dict[str, Any]]:
    """Give what a query finds in the ledger at `url`."""
    with engine_of(url).connect() as connection:
        return [dict(row) for row in connection.execute(sa.text(statement)).mappings()]
