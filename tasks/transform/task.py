"""The transform stage as a Prefect task. Flows call it; all the work is in `accounts`."""

from __future__ import annotations

import datetime as dt

import pandas as pd
from prefect import task
from prefect.cache_policies import NO_CACHE

from tasks.model import Accounts, Progress, silent
from tasks.transform.accounts import Taken, to_accounts
from tasks.transform.mapping import AttributeMapping


@task(name="transform-via-mapping", cache_policy=NO_CACHE)
def transform_via_mapping_task(
    assignments: pd.DataFrame,
    mapping: AttributeMapping,
    now: dt.datetime,
    default_domain: str | None = None,
    taken: Taken | None = None,
    linked: pd.Series | None = None,
    progress: Progress = silent,
) -> Accounts:
    """Give the account that each person of the Assignments frame should have; see `to_accounts`."""
    return to_accounts(
        assignments,
        mapping,
        now=now,
        default_domain=default_domain,
        taken=taken,
        linked=linked,
        progress=progress,
    )
