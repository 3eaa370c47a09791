"""Activities in the wire shape of Microsoft Graph's provisioningObjectSummary."""

from __future__ import annotations

import json
from typing import Any

import pytest
from kiota_serialization_json.json_parse_node import JsonParseNode
from msgraph.generated.models.provisioning_action import ProvisioningAction
from msgraph.generated.models.provisioning_object_summary import ProvisioningObjectSummary

from tasks.report.summaries import Systems, summaries
from tests.report.samples import CASES, CYCLE, activities

SYSTEMS = Systems("tenant-1", "app-1", "sp-1", "Replicon", "acme")
FIELDS = {
    "id",
    "activityDateTime",
    "tenantId",
    "jobId",
    "cycleId",
    "changeId",
    "provisioningAction",
    "durationInMilliseconds",
    "provisioningStatusInfo",
    "provisioningSteps",
    "modifiedProperties",
    "servicePrincipal",
    "sourceSystem",
    "targetSystem",
    "initiatedBy",
    "sourceIdentity",
    "targetIdentity",
}


@pytest.fixture(scope="module")
def told() -> dict[str, dict[str, Any]]:
    """Give the summaries by the person's short name, as they come out of JSON."""
    given = summaries(activities(), SYSTEMS, cycle_id=CYCLE, job="acme")
    return {one["changeId"].removeprefix("change-"): json.loads(json.dumps(one)) for one in given}


def test_every_activity_has_every_field(told: dict[str, dict[str, Any]]) -> None:
    assert set(told) == {case.name for case in CASES}
    assert {frozenset(summary) for summary in told.values()} == {frozenset(FIELDS)}


@pytest.mark.parametrize(
    ("name", "action", "status"),
    [
        ("zoë.müller", "create", "success"),
        ("mehmet.öztürk", "update", "success"),
        ("jane.doe", "update", "warning"),
        ("back.again", "update", "success"),
        ("leaver.one", "disable", "success"),
        ("purged", "disable", "success"),
        ("taken", "create", "failure"),
        ("two.sides", "other", "skipped"),
        ("staged.one", "stageddelete", "skipped"),
        ("guest", "other", "skipped"),
    ],
)
def test_action_and_status_are_microsofts(told: dict[str, dict[str, Any]], name: str, action: str, status: str) -> None:
    summary = told[name]
    assert (summary["provisioningAction"], summary["provisioningStatusInfo"]["status"]) == (action, status)


def test_a_failure_says_what_happened_and_what_to_do(told: dict[str, dict[str, Any]]) -> None:
    error = told["taken"]["provisioningStatusInfo"]["errorInformation"]
    assert error["errorCode"] == "EntryConflict"
    assert error["errorCategory"] == "nonServiceFailure"
    assert error["recommendedAction"].startswith("Rename one of the two")
    assert "already exists" in error["reason"]


def test_a_success_has_no_error(told: dict[str, dict[str, Any]]) -> None:
    assert told["zoë.müller"]["provisioningStatusInfo"]["errorInformation"] is None


def test_a_warning_names_what_was_not_taken(told: dict[str, dict[str, Any]]) -> None:
    error = told["jane.doe"]["provisioningStatusInfo"]["errorInformation"]
    assert error["additionalDetails"] == "Not taken: Supervisor."


def steps(summary: dict[str, Any]) -> list[tuple[str, str, str]]:
    """Give the steps' names, types and statuses."""
    return [(one["name"], one["provisioningStepType"], one["status"]) for one in summary["provisioningSteps"]]


def test_the_steps_of_a_failed_create_end_with_the_failed_export(told: dict[str, dict[str, Any]]) -> None:
    assert steps(told["taken"]) == [
        ("EntryImportAdd", "import", "success"),
        ("EntrySynchronizationScoping", "scoping", "success"),
        ("EntrySynchronizationAdd", "matching", "success"),
        ("EntryExportAdd", "export", "failure"),
    ]


def test_a_skip_has_no_export_and_says_why(told: dict[str, dict[str, Any]]) -> None:
    assert steps(told["guest"])[-1] == ("EntrySynchronizationSkip", "matching", "skipped")
    assert told["guest"]["provisioningSteps"][-1]["details"] == {"SkipReason": "EntrySynchronizationSkipped"}
    assert told["same"]["provisioningSteps"][-1]["details"] == {"SkipReason": "RedundantExport"}


def test_a_disable_is_exported_as_a_soft_delete(told: dict[str, dict[str, Any]]) -> None:
    assert steps(told["leaver.one"])[-1] == ("EntryExportUpdateSoftDelete", "export", "success")


def test_modified_properties_are_before_and_after(told: dict[str, dict[str, Any]]) -> None:
    assert told["mehmet.öztürk"]["modifiedProperties"][0] == {
        "displayName": "Department",
        "oldValue": "Sales",
        "newValue": "Research & Development",
    }


def test_instants_are_utc_in_iso_8601(told: dict[str, dict[str, Any]]) -> None:
    assert told["zoë.müller"]["activityDateTime"] == "2026-11-24T12:00:01.000Z"


def test_microsofts_own_model_reads_it(told: dict[str, dict[str, Any]]) -> None:
    node = JsonParseNode(told["taken"])
    read = node.get_object_value(ProvisioningObjectSummary)
    assert read is not None
    assert read.provisioning_action == ProvisioningAction.Create
    assert read.provisioning_steps is not None
    assert [step.name for step in read.provisioning_steps][-1] == "EntryExportAdd"
    assert read.additional_data == {}
