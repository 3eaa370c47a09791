"""A cycle with a bit of everything, for the tests of the report: a plan, what became of it, and the facts."""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

import pandas as pd

from tasks.model import (
    CHANGE_COLUMNS,
    OPERATION_COLUMNS,
    OUTCOME_COLUMNS,
    CycleKind,
    Manifest,
    Plan,
    Verdict,
    conform,
)
from tasks.report.activity import activities_of
from tasks.report.cycle import CycleFacts, Told
from tasks.report.verdict import judge

START = dt.datetime(2026, 11, 24, 12, 0, tzinfo=dt.UTC)
CYCLE = "8d9f0b52-6f0e-4c43-9a55-3b1c8f6f2f10"


@dataclasses.dataclass(frozen=True)
class Case:
    """One row of the sample: what was planned, and how it ended (null when nobody has acted)."""

    name: str
    situation: str
    operation: str
    decision: str = "go"
    status: str | None = "success"
    error_code: str | None = None
    reason: str = "Because the test says so."
    target: str | None = None
    changes: tuple[tuple[str, str | None, str | None], ...] = ()
    refused: tuple[str, ...] = ()
    ended_as: str | None = None


NEW = (
    ("LoginName", None, "zoë.müller@acme.test"),
    ("FirstName", None, "Zoë"),
    ("LastName", None, "Müller"),
    ("EmailAddress", None, "zoe.muller@acme.test"),
    ("EmployeeId", None, "E10422"),
    ("StartDate", None, "2026-12-01"),
    ("LoginEnabled", None, "True"),
    ("Department", None, "Research & Development"),
    ("Supervisor", None, "source:s-boss"),
    ("PermissionSets", None, '["Project Manager", "User"]'),
)
CASES = (
    Case("boss", "found", "none", target="boss@acme.test", reason="The Replicon account boss matches by LoginName."),
    Case(
        "zoë.müller",
        "absent",
        "create",
        changes=NEW,
        target="zoë.müller@acme.test",
        reason="Assigned and active, and no Replicon account matches (role User, through the group Replicon Users).",
    ),
    Case(
        "mehmet.öztürk",
        "confirmed",
        "update",
        target="mehmet.ozturk@acme.test",
        reason="The linked account was compared with the mapping: it differs in Department, Supervisor, EndDate.",
        changes=(
            ("Department", "Sales", "Research & Development"),
            ("Supervisor", "urn:replicon-tenant:0a1b:user:7", "urn:user:boss"),
            ("PermissionSets", '["User"]', '["Project Manager", "User"]'),
            ("EndDate", "2026-12-31", None),
        ),
    ),
    Case(
        "jane.doe",
        "confirmed",
        "update",
        status="warning",
        error_code="UnableToResolveReferenceAttributeValue",
        reason="The supervisor holds no permission set for supervision.",
        target="jane.doe@acme.test",
        changes=(("Supervisor", None, "urn:user:boss"), ("FirstName", "Jane", "Janet")),
        refused=("Supervisor",),
    ),
    Case(
        "back.again",
        "confirmed",
        "enable",
        target="back.again@acme.test",
        changes=(("LoginEnabled", "False", "True"),),
        reason="The linked account was compared with the mapping: it differs in LoginEnabled.",
    ),
    Case(
        "leaver.one",
        "out_of_scope",
        "disable",
        target="leaver.one@acme.test",
        changes=(("LoginEnabled", "True", "False"),),
        reason="No longer in scope: not assigned to Replicon.",
    ),
    Case(
        "purged",
        "source_deleted",
        "delete",
        target="purged@acme.test",
        ended_as="disable",
        reason="Replicon keeps accounts that have data, so it was disabled.",
    ),
    Case(
        "taken",
        "absent",
        "create",
        status="failure",
        error_code="EntryConflict",
        reason="Replicon, ImportService2.CreateUserOrApplyModifications: another account has this login name: "
        "The specified user already exists (HTTP 400, correlation id 39d4f0).",
        changes=NEW[:3],
    ),
    Case(
        "two.sides",
        "ambiguous",
        "none",
        decision="hold",
        status="skipped",
        error_code="DuplicateTargetEntries",
        reason="Several Replicon accounts match by EmployeeId: j.doe, jane.doe, jd. Nothing is written until one alone "
        "matches: correct the value at the source or in the others.",
    ),
    Case(
        "staged.one",
        "out_of_scope",
        "disable",
        decision="staged",
        status="skipped",
        error_code="TooManyDeletes",
        target="staged.one@acme.test",
        changes=(("LoginEnabled", "True", "False"),),
        reason="612 accounts would be disabled or deleted, and at most 500 may be without approval.",
    ),
    Case(
        "guest",
        "unqualified",
        "none",
        decision="skip",
        status="skipped",
        error_code="EntrySynchronizationSkipped",
        reason="Never provisioned, and not active in Microsoft Entra ID; no account is created until the person is.",
    ),
    Case("same", "confirmed", "none", target="same@acme.test"),
)


def plan_of(cases: tuple[Case, ...] = CASES) -> Plan:
    """Give the plan of the cases."""
    operations = [
        {
            **dict.fromkeys(OPERATION_COLUMNS),
            "change_id": f"change-{case.name}",
            "source_id": f"s-{case.name}",
            "source_name": f"{case.name}@acme.test",
            "target_uri": f"urn:user:{case.name}" if case.target else None,
            "target_name": case.target,
            "situation": case.situation,
            "operation": case.operation,
            "decision": case.decision,
            "error_code": case.error_code if case.decision != "go" else None,
            "reason": case.reason,
        }
        for case in cases
    ]
    changes = [
        dict(zip(CHANGE_COLUMNS, (f"change-{case.name}", *change), strict=True))
        for case in cases
        for change in case.changes
    ]
    manifest = Manifest(True, (), 12, 9, 212, 5, 204, START, START, "m")
    return Plan(
        plan_id="plan-1",
        job="acme",
        cycle_id=CYCLE,
        kind=CycleKind.INCREMENTAL,
        created_at=START,
        mapping_digest="mapping-1",
        manifest=manifest,
        operations=conform(pd.DataFrame(operations, columns=list(OPERATION_COLUMNS)), OPERATION_COLUMNS, "sample"),
        changes=conform(pd.DataFrame(changes, columns=list(CHANGE_COLUMNS)), CHANGE_COLUMNS, "sample"),
        verdict=Verdict(False, ("612 accounts would be disabled or deleted, at most 500 may be.",), "TooManyDeletes"),
    )


def outcomes_of(cases: tuple[Case, ...] = CASES) -> pd.DataFrame:
    """Give what load would have made of the cases."""
    rows = [
        {
            "change_id": f"change-{case.name}",
            "status": case.status,
            "operation": case.ended_as or case.operation,
            "error_code": case.error_code,
            "reason": case.reason,
            "remedy": None,
            "target_uri": f"urn:user:{case.name}" if case.target else None,
            "target_name": case.target,
            "refused": list(case.refused),
            "attempts": 1,
            "started_at": START + dt.timedelta(seconds=number),
            "duration_ms": 120,
        }
        for number, case in enumerate(cases)
    ]
    return conform(pd.DataFrame(rows, columns=list(OUTCOME_COLUMNS)), OUTCOME_COLUMNS, "sample")


def activities() -> pd.DataFrame:
    """Give the sample's activities."""
    return activities_of(plan_of(), outcomes_of())


def told(frame: pd.DataFrame, **changes: Any) -> Told:
    """Give the sample's facts and verdict."""
    facts = CycleFacts(
        job="acme",
        cycle_id=CYCLE,
        kind=CycleKind.INCREMENTAL,
        source="Microsoft Entra ID, tenant acme.test",
        target="Replicon, company acme",
        started_at=START,
        ended_at=START + dt.timedelta(seconds=84),
        linked=196,
        manifest=plan_of().manifest,
        see="provision report --job acme",
    )
    return Told(dataclasses.replace(facts, **changes), judge(frame))
