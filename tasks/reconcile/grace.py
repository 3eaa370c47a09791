"""The time between leaving and losing the login, where a job grants one: who is leaving since when, and who waits.

The flows remember what `still_leaving` gives; `plan` lets `wait` hold back the disables that are not due.
"""

from __future__ import annotations

import datetime as dt
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa

from tasks.model import LEAVING_COLUMNS, TIME, Accounts, Decision, Operation, empty_frame
from tasks.reconcile.columns import array_of, mask_of, places_of, series_of, take
from tasks.reconcile.standing import Links, Standing

GRACE_PERIOD: Final = "GracePeriod"
"""Our code for a disable that waits for its day."""


def still_leaving(accounts: Accounts, links: pd.DataFrame, leaving: pd.DataFrame, now: dt.datetime) -> pd.DataFrame:
    """Give who is leaving now and since when (`LEAVING_COLUMNS`).

    `leaving` is what the last cycle found. Who is not in `accounts` has not changed, and stays as they were.
    """
    standing = Standing.of(accounts, Links.of(links))
    going = pa.array(standing.leaving & standing.link_active & ~standing.gone)
    here = series_of(standing.source_id.filter(going))
    seen = mask_of(leaving["source_id"].isin(accounts.people["source_id"]))
    kept = leaving[~seen | mask_of(leaving["source_id"].isin(here))]
    new = here[~mask_of(here.isin(kept["source_id"]))]
    added = pd.DataFrame({"source_id": new.array, "since": pd.array([now] * len(new), dtype=TIME)})
    whole = pd.concat([empty_frame(LEAVING_COLUMNS), kept[list(LEAVING_COLUMNS)], added], ignore_index=True)
    return whole.astype(LEAVING_COLUMNS)


def wait(rows: pd.DataFrame, source_id: pa.Array, leaving: pd.DataFrame, days: float, now: dt.datetime) -> pd.DataFrame:
    """Give the findings `rows` with those disables skipped whose `days` are not over; `source_id` is everybody's."""
    person = take(source_id, rows["person"].to_numpy(dtype=np.int64))
    place = places_of(person, array_of(leaving["source_id"]))
    since = series_of(take(array_of(leaving["since"]), place))
    due = since.fillna(pd.Timestamp(now)) + pd.Timedelta(days=days)
    early = mask_of(due.gt(pd.Timestamp(now))) & mask_of(
        rows["operation"].eq(Operation.DISABLE.value) & rows["decision"].eq(Decision.GO.value)
    )
    if not early.any():
        return rows
    day = due[early].dt.strftime("%Y-%m-%d %H:%M").to_numpy(dtype=object)
    rows = rows.copy()
    reason = rows.loc[early, "reason"]
    rows.loc[early, "reason"] = [
        f"{why} The login is taken on {until} UTC, unless the person is back by then (`guards.grace_days` {days:g})."
        for why, until in zip(reason, day, strict=True)
    ]
    rows.loc[early, ["decision", "error_code"]] = Decision.SKIP.value, GRACE_PERIOD
    return rows
