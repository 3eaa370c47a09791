"""Activities in the shape of Microsoft Graph's provisioningObjectSummary, so that tools made for it read ours.

Shape and words follow the resource type provisioningObjectSummary (v1.0) and the page "Analyze the Microsoft Entra
provisioning logs". Pure; whoever exports activities calls `summaries`.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import pandas as pd

from tasks.model import REMOVALS, Decision, Operation, Situation, Status
from tasks.report.activity import changes_in
from tasks.report.remedies import Category, remedy_of

SOURCE: Final = "Microsoft Entra ID"
"""How the source system is named."""
TARGET: Final = "Replicon"
"""How the target system is named."""

_ACTIONS: Final[Mapping[Operation, str]] = {
    Operation.CREATE: "create",
    Operation.UPDATE: "update",
    Operation.ENABLE: "update",
    Operation.DISABLE: "disable",
    Operation.DELETE: "delete",
    Operation.NONE: "other",
}
_EXPORTS: Final[Mapping[Operation, tuple[str, str]]] = {
    Operation.CREATE: ("EntryExportAdd", "create"),
    Operation.UPDATE: ("EntryExportUpdate", "update"),
    Operation.ENABLE: ("EntryExportUpdate", "enable"),
    Operation.DISABLE: ("EntryExportUpdateSoftDelete", "disable"),
    Operation.DELETE: ("EntryExportDelete", "delete"),
}
_SYNCHRONIZATIONS: Final[Mapping[Operation, str]] = {
    Operation.CREATE: "EntrySynchronizationAdd",
    Operation.UPDATE: "EntrySynchronizationUpdate",
    Operation.ENABLE: "EntrySynchronizationUpdate",
    Operation.DISABLE: "EntrySynchronizationUpdate",
    Operation.DELETE: "EntrySynchronizationDelete",
    Operation.NONE: "EntrySynchronizationSkip",
}
_UNMATCHED: Final = frozenset({Situation.ABSENT, Situation.UNQUALIFIED})


@dataclasses.dataclass(frozen=True)
class Systems:
    """The two ends as the summaries name them. Ids may be empty where the job's source has none."""

    tenant_id: str
    application_id: str
    service_principal_id: str
    service_principal_name: str
    company_key: str


def summaries(activities: pd.DataFrame, systems: Systems, *, cycle_id: str, job: str) -> Iterator[dict[str, Any]]:
    """Give each activity as a provisioningObjectSummary, JSON-ready, in the order of the frame.

    `cycle_id` and `job` stand for activities that do not say theirs (the ledger's do).
    """
    plain = activities.astype(object).where(activities.notna(), None)
    for row in plain.to_dict("records"):
        yield _summary({str(name): value for name, value in row.items()}, systems, cycle_id, job)


def _summary(row: Mapping[str, Any], systems: Systems, cycle_id: str, job: str) -> dict[str, Any]:
    principal = {"id": systems.service_principal_id, "displayName": systems.service_principal_name}
    return {
        "id": row["change_id"],
        "activityDateTime": _instant(row.get("started_at")),
        "tenantId": systems.tenant_id,
        "jobId": row.get("job") or job,
        "cycleId": row.get("cycle_id") or cycle_id,
        "changeId": row["change_id"],
        "provisioningAction": _action(row),
        "durationInMilliseconds": int(row.get("duration_ms") or 0),
        "provisioningStatusInfo": {"status": _status(row), "errorInformation": _error(row)},
        "provisioningSteps": list(_steps(row)),
        "modifiedProperties": [
            {"displayName": change["attribute"], "oldValue": change["before"], "newValue": change["after"]}
            for change in changes_in(row.get("changes"))
        ],
        "servicePrincipal": principal,
        "sourceSystem": _system(systems.tenant_id, SOURCE, systems),
        "targetSystem": _system(systems.company_key, TARGET, systems),
        "initiatedBy": {"id": "", "displayName": "Replicon provisioning", "initiatorType": "system"},
        "sourceIdentity": _identity(row.get("source_id"), row.get("source_name")),
        "targetIdentity": _identity(row.get("target_uri"), row.get("target_name")),
    }


def _action(row: Mapping[str, Any]) -> str:
    operation = Operation(row["operation"])
    staged = row["decision"] == Decision.STAGED and operation in REMOVALS
    return "stageddelete" if staged else _ACTIONS[operation]


def _status(row: Mapping[str, Any]) -> str:
    """Give the status; what nobody has acted on is skipped."""
    return str(row.get("status") or Status.SKIPPED)


def _error(row: Mapping[str, Any]) -> dict[str, Any] | None:
    code = row.get("error_code")
    if not code:
        return None
    known = remedy_of(code)
    failed = _status(row) in {Status.FAILURE, Status.WARNING}
    refused = json.loads(row.get("refused") or "[]")
    return {
        "errorCode": code,
        "reason": row.get("reason"),
        "additionalDetails": f"Not taken: {', '.join(refused)}." if refused else None,
        "errorCategory": (known.category if failed else Category.SUCCESS).value,
        "recommendedAction": row.get("remedy") or known.action,
    }


def _steps(row: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Tell what was done for the person, in order: import, scoping, matching, export."""
    who, operation = row.get("source_name") or row.get("source_id"), Operation(row["operation"])
    situation = Situation(row["situation"])
    name = "EntryImportAdd" if operation is Operation.CREATE else "EntryImport"
    yield _step(name, "import", Status.SUCCESS, f"Received User '{who}' from {SOURCE}")
    in_scope = situation not in {Situation.OUT_OF_SCOPE, Situation.SOURCE_DELETED, Situation.UNQUALIFIED}
    scoped = "is in scope" if in_scope else "is not to have an active account"
    yield _step(
        "EntrySynchronizationScoping",
        "scoping",
        Status.SUCCESS,
        f"User '{who}' {scoped}",
        {"Situation": situation.value},
    )
    acts = row["decision"] == Decision.GO and operation is not Operation.NONE
    synchronization = _SYNCHRONIZATIONS[operation] if acts else _SYNCHRONIZATIONS[Operation.NONE]
    details = {} if acts else {"SkipReason": row.get("error_code") or "RedundantExport"}
    matched = "no account" if situation in _UNMATCHED else f"'{row.get('target_name') or 'no single account'}'"
    yield _step(
        synchronization,
        "matching",
        Status.SUCCESS if acts else Status.SKIPPED,
        f"User '{who}' goes with {matched} in {TARGET}. {row.get('reason') or ''}".strip(),
        details,
    )
    if acts and row.get("status"):
        yield _export(row, operation, who)


def _export(row: Mapping[str, Any], operation: Operation, who: Any) -> dict[str, Any]:
    name, verb = _EXPORTS[operation]
    status = _status(row)
    done = f"User '{who}' was {verb}d in {TARGET}"
    description = f"Failed to {verb} User '{who}' in {TARGET}" if status == Status.FAILURE else done
    return _step(name, "export", status, description, {"ReportableIdentifier": who})


def _step(
    name: str, kind: str, status: str, description: str, details: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    return {
        "name": name,
        "provisioningStepType": kind,
        "status": str(status),
        "description": description,
        "details": dict(details or {}),
    }


def _system(identifier: str, name: str, systems: Systems) -> dict[str, Any]:
    details = {
        "ApplicationId": systems.application_id,
        "ServicePrincipalId": systems.service_principal_id,
        "ServicePrincipalDisplayName": systems.service_principal_name,
    }
    return {"id": identifier, "displayName": name, "details": details}


def _identity(identifier: Any, name: Any) -> dict[str, Any]:
    return {"id": identifier or "", "displayName": name or "", "identityType": "User", "details": {}}


def _instant(value: Any) -> str | None:
    if value is None:
        return None
    instant: dt.datetime = value
    return instant.astimezone(dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
