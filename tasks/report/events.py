"""What is told to Prefect's automations: one event an operation up to a limit, one a verdict, one a turn for the
worse or the better. Pure; `task.py` sends them. `deployments/prefect.md` documents the names.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

import pandas as pd

from tasks.ledger.notices import Cause, Turn
from tasks.report.activity import Group, groups_of
from tasks.report.causes import CauseKind
from tasks.report.cycle import Told
from tasks.report.run_history import slug

OPERATION_EVENTS: Final = 300
"""Most operations of a cycle that have an event of their own; what is beyond is counted in one further event."""
JOB_ROLE: Final = "provisioning-job"
"""Role under which an operation's event names its job."""
_ORDER: Final = {group.value: place for place, group in enumerate(Group)}
_UNTOLD: Final = frozenset({Group.UNCHANGED.value, Group.SKIPPED.value})


@dataclasses.dataclass(frozen=True)
class Said:
    """One event as Prefect takes it: `resource` and `related` hold labels, `payload` JSON-ready values."""

    event: str
    resource: Mapping[str, str]
    payload: Mapping[str, Any]
    related: tuple[Mapping[str, str], ...] = ()


def job_resource(job: str) -> dict[str, str]:
    """Give the resource that stands for a job: `provisioning.job.acme`."""
    return {"prefect.resource.id": f"provisioning.job.{job}", "prefect.resource.name": job}


def operation_events(activities: pd.DataFrame, job: str, limit: int = OPERATION_EVENTS) -> Iterator[Said]:
    """Give `provisioning.operation.created`, `.failed` and so on, worst first, at most `limit` of them.

    The rest is counted by group in one `provisioning.operations.further`. Nothing is told of people who were skipped
    or found as they should be. `activities` has `activity.COLUMNS`.
    """
    groups = groups_of(activities)
    told = activities.assign(group=groups).loc[~groups.isin(_UNTOLD)]
    order = told["group"].map(_ORDER).sort_values(kind="stable").index
    related = ({**job_resource(job), "prefect.resource.role": JOB_ROLE},)
    first = told.loc[order[:limit]]
    plain = first.astype(object).where(first.notna(), None)
    for row in plain.to_dict("records"):
        yield Said(f"provisioning.operation.{row['group']}", _person(row, job), _facts(row), related)
    further = told.loc[order[limit:], "group"].value_counts()
    if len(further):
        counted = {str(group): int(count) for group, count in further.items()}
        yield Said("provisioning.operations.further", job_resource(job), counted)


def verdict_event(told: Told) -> Said:
    """Give `provisioning.cycle.completed`, `.completed-with-errors`, `.quarantined` and so on."""
    facts, verdict = told.facts, told.verdict
    labels = {"provisioning.state": verdict.state.value, "provisioning.quarantine": facts.quarantine or "none"}
    payload = {
        "sentence": verdict.sentence,
        "cycle": facts.cycle_id,
        "kind": facts.kind.value,
        "counts": {group.value: count for group, count in verdict.counts.items()},
    }
    return Said(f"provisioning.cycle.{slug(verdict.state)}", {**job_resource(facts.job), **labels}, payload)


def broken_event(job: str, cycle_id: str, message: str) -> Said:
    """Give `provisioning.cycle.failed` for a cycle that broke off before it could be judged."""
    labels = {"provisioning.state": "Failed", "provisioning.quarantine": "unknown"}
    return Said("provisioning.cycle.failed", {**job_resource(job), **labels}, {"sentence": message, "cycle": cycle_id})


def turn_events(turn: Turn, job: str, *, still: Iterable[Cause]) -> Iterator[Said]:
    """Give the events of what changed: quarantine entered, changed or left, credentials refused, recovered.

    `still` are the causes that stand now. `provisioning.job.recovered` is told when the last one is over.
    """
    standing = tuple(still)
    entered = [cause for cause in turn.entered if cause.kind == CauseKind.QUARANTINE]
    over = [cause for cause in turn.over if cause.kind == CauseKind.QUARANTINE]
    for cause in entered:
        word = "reason-changed" if over else "entered"
        before = {"provisioning.quarantine-before": over[0].code} if over else {}
        yield _of_cause(f"provisioning.quarantine.{word}", job, cause, before)
    for cause in over if not entered else ():
        yield _of_cause("provisioning.quarantine.left", job, cause)
    for cause in turn.entered:
        if cause.kind == CauseKind.CREDENTIALS:
            yield _of_cause("provisioning.credentials.refused", job, cause)
    if turn.over and not standing:
        yield Said("provisioning.job.recovered", job_resource(job), {"over": [cause.message for cause in turn.over]})


def _of_cause(event: str, job: str, cause: Cause, labels: Mapping[str, str] | None = None) -> Said:
    resource = {**job_resource(job), "provisioning.quarantine": cause.code, **(labels or {})}
    return Said(event, resource, {"message": cause.message})


def _person(row: Mapping[str, Any], job: str) -> dict[str, str]:
    return {
        "prefect.resource.id": f"provisioning.job.{job}.person.{row['source_id'] or row['target_uri']}",
        "prefect.resource.name": str(row["source_name"] or row["target_name"] or row["source_id"]),
        "provisioning.job": job,
        "provisioning.error-code": str(row["error_code"] or "none"),
    }


def _facts(row: Mapping[str, Any]) -> dict[str, Any]:
    # Prefect's pages show ids of resources and never their names.
    person = row["source_name"] or row["target_name"]
    return {"person": person} | {
        name: row[name] for name in ("change_id", "situation", "operation", "decision", "status", "reason")
    }
