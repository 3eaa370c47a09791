"""What automations are told: bounded, worst first, and a turn only when there is one."""

from __future__ import annotations

from tasks.ledger.notices import Cause, Turn
from tasks.report.causes import CauseKind
from tasks.report.events import operation_events, turn_events, verdict_event
from tests.report.samples import activities, told

FULL = Cause(CauseKind.QUARANTINE, "TooManyDeletes", "Too many.")
BROKEN = Cause(CauseKind.QUARANTINE, "EncounteredQuarantineException", "Refused.")
FAILING = Cause(CauseKind.FAILURE, "EntryConflict", "2 people fail.")


def names(turn: Turn, *still: Cause) -> list[str]:
    return [said.event.removeprefix("provisioning.") for said in turn_events(turn, "acme", still=still)]


def test_each_operation_is_an_event_of_its_person_the_worst_first() -> None:
    said = list(operation_events(activities(), "acme"))
    assert [one.event for one in said][:3] == [
        "provisioning.operation.failed",
        "provisioning.operation.staged",
        "provisioning.operation.held",
    ]
    assert said[0].resource["prefect.resource.id"] == "provisioning.job.acme.person.s-taken"
    assert said[0].resource["provisioning.error-code"] == "EntryConflict"
    assert said[0].related[0]["prefect.resource.id"] == "provisioning.job.acme"


def test_beyond_the_limit_one_event_counts_the_rest() -> None:
    whole = list(operation_events(activities(), "acme"))
    few = list(operation_events(activities(), "acme", limit=3))
    assert len(few) == 4
    assert few[-1].event == "provisioning.operations.further"
    assert sum(few[-1].payload.values()) == len(whole) - 3


def test_the_verdict_carries_its_state_and_counts() -> None:
    said = verdict_event(told(activities()))
    assert said.event == "provisioning.cycle.completed-with-errors"
    assert (said.payload["counts"]["created"], said.resource["provisioning.quarantine"]) == (1, "none")


def test_a_quarantine_is_entered_changes_and_is_left() -> None:
    assert names(Turn((FULL,), ()), FULL) == ["quarantine.entered"]
    assert names(Turn((BROKEN,), (FULL,)), BROKEN) == ["quarantine.reason-changed"]
    assert names(Turn((), (BROKEN,)), FAILING) == ["quarantine.left"]
    assert names(Turn((), (BROKEN,))) == ["quarantine.left", "job.recovered"]
    assert names(Turn((), ()), FULL) == []
