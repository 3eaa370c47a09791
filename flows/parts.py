"""What a run of a job works with: its mapping, its two ends and its ledger, opened from the job file."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pandas as pd
import pyarrow as pa

from tasks.connectors.directories import open_directory
from tasks.connectors.directory import Directory
from tasks.connectors.replicon.attributes import TARGET_ATTRIBUTES
from tasks.connectors.replicon.client import RepliconClient
from tasks.connectors.replicon.users import RepliconUsers
from tasks.job import Job, SecretReference, load_job
from tasks.ledger.ledger import Ledger
from tasks.load.pace import open_pace
from tasks.load.patience import Patience
from tasks.model import STRING
from tasks.reconcile import protection, supervision
from tasks.transform.mapping import AttributeMapping
from tasks.transform.schema import load_mapping
from tasks.transform.schema_model import FlowAction

_ACTIONS: Final = {FlowAction.ADD: "create", FlowAction.UPDATE: "update", FlowAction.DELETE: "delete"}
"""The job file's words for the actions that a mapping allows."""


@dataclasses.dataclass(frozen=True)
class Parts:
    """One job, ready to run. Nothing has been sent to either end yet."""

    job: Job
    mapping: AttributeMapping
    directory: Directory
    target: RepliconUsers
    ledger: Ledger
    patience: Patience = dataclasses.field(default_factory=Patience)
    """How long load waits and how often it tries."""


def open_parts(job_file: Path) -> Parts:
    """Open everything that the job at `job_file` names.

    Raises `BadInputError` when the job file, the mapping or a secret is wrong, `UnreachableError` when the ledger or
    Replicon's host cannot be reached.
    """
    job = load_job(job_file)
    mapping = open_mapping(job)
    allowed = job.actions & {_ACTIONS[action] for action in mapping.flow_types}
    ledger = open_ledger(job)
    ledger.withhold(mapping.redacted)
    return Parts(
        job=job.model_copy(update={"actions": allowed}),
        mapping=mapping,
        directory=open_directory(job.source),
        target=open_target(job, mapping, ledger),
        ledger=ledger,
    )


def _block(name: str, field: str) -> str:
    """Read a field of a Prefect block; Prefect is imported by jobs that keep secrets there, and by no others."""
    from flows.blocks import read_block

    return read_block(name, field)


SecretReference.reads_blocks = _block


def open_mapping(job: Job) -> AttributeMapping:
    """Load the job's mapping against the attributes that a Replicon account can have."""
    return load_mapping(job.mapping, TARGET_ATTRIBUTES)


def open_target(job: Job, mapping: AttributeMapping, ledger: Ledger | None = None) -> RepliconUsers:
    """Give the accounts of the job's Replicon tenant, with what the mapping writes and what plans are judged by.

    With a ledger, every call is made within the budget that all users of that ledger share.
    """
    # Look-ups go on beside the writers.
    pace = None if ledger is None else open_pace(ledger, job)
    client = RepliconClient(job.target, connections=job.load.workers + 8, pace=pace)
    read = protection.read_for(job.guards) | supervision.read_for(job.target)
    return RepliconUsers(client, frozenset(mapping.by_name) | read)


def taken_in(target: RepliconUsers) -> Callable[[str, pa.Array], pa.Array]:
    """Give what tells which of some values accounts of `target` have in an attribute already, whatever their case."""

    def taken(attribute: str, values: pa.Array) -> pa.Array:
        asked = pd.Series(values.to_pandas(types_mapper=pd.ArrowDtype), dtype=STRING)
        found = target.find(attribute, asked.dropna().drop_duplicates())
        return pa.array(asked.str.lower().isin(found[attribute].str.lower()), pa.bool_())

    return taken


def open_ledger(job: Job) -> Ledger:
    """Open the job's ledger, brought up to date. A relative SQLite path is relative to the current folder."""
    return Ledger.open(job.ledger.url, ledger_password(job))


def ledger_password(job: Job) -> str | None:
    """Give the password of the job's ledger, null when it has none. Raises `BadInputError` when it is not there."""
    return job.ledger.password.resolve("ledger password") if job.ledger.password else None
