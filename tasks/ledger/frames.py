"""The frames that the ledger hands out: their columns, and reading them column by column. No query here."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

import pandas as pd
import pyarrow as pa
import sqlalchemy as sa

from tasks.model import BOOL, INT, STRING, TIME

LINK_COLUMNS: Final[Mapping[str, pd.ArrowDtype]] = {
    "source_id": STRING,
    "source_name": STRING,
    "target_uri": STRING,
    "target_name": STRING,
    "account_digest": STRING,
    "written": STRING,
    "active": BOOL,
    "linked_at": TIME,
}
"""Links: one row a linked pair. `account_digest` is null when the account is to be looked at again; `written` is a
JSON object of what was last written, by attribute: text, a list of text, or null; `active` is false once disabled."""

SKIP_COLUMNS: Final[Mapping[str, pd.ArrowDtype]] = {"source_id": STRING, "error_code": STRING, "reason": STRING}
"""Skips that have been told already, one row a person."""

CYCLE_COLUMNS: Final[Mapping[str, pd.ArrowDtype]] = {
    "cycle_id": STRING,
    "job": STRING,
    "kind": STRING,
    "state": STRING,
    "flow_run_id": STRING,
    "holder": STRING,
    "started_at": TIME,
    "ended_at": TIME,
    "counts": STRING,
    "message": STRING,
    "manifest": STRING,
    "measured": STRING,
    "chain_position": INT,
    "chain_head": STRING,
    "pruned_at": TIME,
}
"""Cycles: one row a run; `counts`, `manifest` and `measured` are JSON objects. `chain_position` and `chain_head` are
where the job's chain of activities stood at the end; `pruned_at` is when some of its activities were removed."""

ESCROW_COLUMNS: Final[Mapping[str, pd.ArrowDtype]] = {
    "source_id": STRING,
    "source_name": STRING,
    "error_code": STRING,
    "first_failed_at": TIME,
    "last_failed_at": TIME,
    "next_retry_at": TIME,
    "attempts": INT,
    "account_digest": STRING,
    "mapping_digest": STRING,
    "partial": BOOL,
    "reason": STRING,
}
"""Escrow: one row a person; `next_retry_at` is null once given up; `partial` marks operations that were partly done."""

ADMINISTRATION_COLUMNS: Final[Mapping[str, pd.ArrowDtype]] = {
    "at": TIME,
    "action": STRING,
    "detail": STRING,
    "by_whom": STRING,
    "why": STRING,
}
"""What administrators did: one row an action: `on`, `off` or `restart` with the parts that it reset."""

_PART: Final = 50_000


def fetch(
    connection: sa.Connection, table: sa.Table, columns: Mapping[str, pd.ArrowDtype], statement: sa.Select[Any]
) -> pd.DataFrame:
    """Give the rows of `table` that `statement` selects from as a frame with `columns`.

    `statement` selects `table` with its conditions; which columns are read is decided here.
    """
    chosen = statement.with_only_columns(*(table.c[name] for name in columns)).execution_options(yield_per=_PART)
    parts: list[list[pa.Array]] = [[] for _ in columns]
    types = [dtype.pyarrow_dtype for dtype in columns.values()]
    for rows in connection.execute(chosen).partitions():
        for part, kind, values in zip(parts, types, zip(*rows, strict=True), strict=True):
            part.append(pa.array(values, type=kind))
    return pd.DataFrame(
        {
            name: pd.Series(pd.arrays.ArrowExtensionArray(pa.chunked_array(part, type=kind)))
            for name, part, kind in zip(columns, parts, types, strict=True)
        }
    )


def records(frame: pd.DataFrame, names: Iterable[str]) -> list[dict[str, Any]]:
    """Give the columns `names` of `frame` as parameters of a statement, nulls as None; instants stay aware."""
    chosen = list(names)
    columns = [frame[name].array.__arrow_array__().to_pylist() for name in chosen]
    return [dict(zip(chosen, row, strict=True)) for row in zip(*columns, strict=True)]


def chunks(values: Sequence[str], size: int = 500) -> Iterable[Sequence[str]]:
    """Cut `values` into parts small enough for one IN clause."""
    return (values[start : start + size] for start in range(0, len(values), size))
