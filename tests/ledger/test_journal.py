"""The journal: a request is there before it leaves, moves one way, and ends together with link, activity and escrow."""

from __future__ import annotations

import datetime as dt

import orjson
import pytest
from sqlalchemy.exc import IntegrityError

from tasks.ledger.ledger import Ledger
from tasks.ledger.records import Answer, Difference, Keep, Moves, State
from tasks.model import CycleKind, Operation, Status
from tests.ledger.changes import MORNING, change, ending, link, request
from tests.ledger.conftest import Clock


@pytest.fixture
def cycle_id(ledger: Ledger) -> str:
    return ledger.begin_cycle("acme", CycleKind.INITIAL)


def test_a_request_comes_back_from_the_journal_byte_for_byte(ledger: Ledger, cycle_id: str) -> None:
    stored = request(change(), body='{"firstName":"Zoë"}'.encode(), refused={"Location": "unknown"})
    ledger.record("acme", cycle_id, Moves(intents=[stored]))
    [found] = ledger.open_requests("acme")
    assert found.change == stored.change
    assert (found.body, found.unit_of_work_id, found.refused) == (stored.body, "u1", {"Location": "unknown"})
    assert (found.state, found.intended_at) == (State.INTENT, MORNING)


def test_a_request_moves_from_intent_over_sent_to_answered(ledger: Ledger, cycle_id: str) -> None:
    stored = request(change())
    ledger.record("acme", cycle_id, Moves(intents=[stored], sent=[stored.key]))
    assert [found.state for found in ledger.open_requests("acme")] == [State.SENT]
    answer = Answer(stored.key, "urn:user:1", "j1", {"Supervisor": "no permission"}, 3, "c0ffee")
    ledger.record("acme", cycle_id, Moves(answers=[answer]))
    [found] = ledger.open_requests("acme")
    assert (found.state, found.attempts) == (State.ANSWERED, 3)
    assert (found.change.target_uri, found.refused) == ("urn:user:1", {"Supervisor": "no permission"})


def test_an_ending_leaves_nothing_open_and_forgets_the_request(ledger: Ledger, cycle_id: str) -> None:
    first, second = request(change()), request(change(), step=2, operation=Operation.UPDATE)
    ledger.record("acme", cycle_id, Moves(intents=[first, second], sent=[first.key, second.key]))
    ledger.record("acme", cycle_id, Moves(endings=[ending(change(), link=link())]))
    assert ledger.open_requests("acme") == []
    assert ledger.finished(["change-1", "change-2"]) == {"change-1"}
    assert ledger.activities()["change_id"].tolist() == ["change-1"]
    assert ledger.links("acme")["target_uri"].tolist() == [link().target_uri]


def test_an_ending_without_an_answer_stays_open_and_is_brought_up_to_date(ledger: Ledger, cycle_id: str) -> None:
    stored = request(change())
    lost = ending(change(), status=Status.FAILURE, error_code="Timeout", open=True, escrow=True)
    ledger.record("acme", cycle_id, Moves(intents=[stored], sent=[stored.key]))
    ledger.record("acme", cycle_id, Moves(endings=[lost]))
    assert [found.state for found in ledger.open_requests("acme")] == [State.SENT]
    ledger.record("acme", cycle_id, Moves(endings=[ending(change(), link=link())]))
    activities = ledger.activities()
    assert activities[["change_id", "status"]].to_numpy().tolist() == [["change-1", "success"]]
    assert ledger.escrow("acme").empty


def test_a_dropped_request_leaves_no_trace(ledger: Ledger, cycle_id: str) -> None:
    stored = request(change())
    ledger.record("acme", cycle_id, Moves(intents=[stored]))
    ledger.record("acme", cycle_id, Moves(dropped=[stored.key]))
    assert ledger.open_requests("acme") == []
    assert ledger.finished(["change-1"]) == set()


def test_what_cannot_be_recorded_whole_is_not_recorded_at_all(ledger: Ledger, cycle_id: str) -> None:
    ledger.record("acme", cycle_id, Moves(endings=[ending(change(), link=link())]))
    twice = ending(change(2), link=link(1))
    with pytest.raises(IntegrityError):
        ledger.record("acme", cycle_id, Moves(intents=[request(change(2))], endings=[twice]))
    assert ledger.open_requests("acme") == []
    assert len(ledger.activities()) == 1


def test_a_link_remembers_what_was_written_over_time(ledger: Ledger, cycle_id: str, clock: Clock) -> None:
    ledger.record("acme", cycle_id, Moves(endings=[ending(change(), link=link(written={"A": "1", "B": ["x", "y"]}))]))
    clock.pass_by(days=1)
    later = link(written={"A": None, "C": "ü"}, active=False, account_digest=None)
    ledger.record("acme", cycle_id, Moves(endings=[ending(change(change_id="later"), link=later)]))
    row = ledger.links("acme").iloc[0]
    assert row["written"] == '{"A":null,"B":["x","y"],"C":"ü"}'
    assert (bool(row["active"]), row["linked_at"]) == (False, MORNING)
    assert ledger.links("acme")["account_digest"].isna().all()


def test_links_end_or_are_looked_at_again(ledger: Ledger, cycle_id: str) -> None:
    made = [ending(change(number), link=link(number)) for number in (1, 2, 3)]
    ledger.record("acme", cycle_id, Moves(endings=made))
    again = ending(change(1, change_id="a"), link=Keep.LOOK_AGAIN)
    gone = ending(change(2, change_id="b"), link=Keep.END)
    ledger.record("acme", cycle_id, Moves(endings=[again, gone]))
    digests = ledger.links("acme").set_index("source_id")["account_digest"]
    assert digests.fillna("none").to_dict() == {"person-1": "none", "person-3": "digest-3"}
    assert ledger.link_holders("acme", [link(2).target_uri, link(3).target_uri]) == {link(3).target_uri: "person-3"}
    assert ledger.links("acme", ["person-3", "nobody"])["source_id"].tolist() == ["person-3"]


def test_jobs_do_not_see_each_other(ledger: Ledger, cycle_id: str) -> None:
    other = ledger.begin_cycle("other", CycleKind.INITIAL)
    ledger.record("acme", cycle_id, Moves(endings=[ending(change(), link=link())]))
    ledger.record("other", other, Moves(endings=[ending(change(change_id="theirs"), link=link())]))
    ledger.record("acme", cycle_id, Moves(endings=[ending(change(change_id="end"), link=Keep.END)]))
    assert ledger.links("acme").empty
    assert len(ledger.links("other")) == 1


def test_activities_are_chosen_by_what_is_asked(ledger: Ledger, cycle_id: str) -> None:
    other = ledger.begin_cycle("other", CycleKind.INITIAL)
    failed = ending(change(2), status=Status.FAILURE, error_code="Timeout", started_at=MORNING + dt.timedelta(hours=1))
    ledger.record("acme", cycle_id, Moves(endings=[ending(change(1)), failed]))
    ledger.record("other", other, Moves(endings=[ending(change(3), operation=Operation.DISABLE)]))
    by = ledger.activities
    assert by()["change_id"].tolist() == ["change-1", "change-2", "change-3"]
    assert by(job="other")["change_id"].tolist() == ["change-3"]
    assert by(cycle_id=cycle_id, status="failure")["change_id"].tolist() == ["change-2"]
    assert by(source="jürgen.1@acme.test")["change_id"].tolist() == ["change-1"]
    assert by(source="person-2", error_code="Timeout")["change_id"].tolist() == ["change-2"]
    assert by(operation="disable")["change_id"].tolist() == ["change-3"]
    assert by(since=MORNING + dt.timedelta(minutes=1))["change_id"].tolist() == ["change-2"]
    assert by(limit=2)["change_id"].tolist() == ["change-2", "change-3"]
    assert ledger.activities_of(["change-3", "none"])["job"].tolist() == ["other"]


def test_an_activity_says_what_was_and_what_is(ledger: Ledger, cycle_id: str) -> None:
    ledger.record("acme", cycle_id, Moves(endings=[ending(change(), refused=("Supervisor",), duration_ms=1234)]))
    row = ledger.activities().iloc[0]
    assert row["changes"].startswith('[{"attribute":"LoginName","before":null,"after":"jürgen.1@acme.test"}')
    assert (row["refused"], row["duration_ms"], row["started_at"]) == ('["Supervisor"]', 1234, MORNING)


def bulk_link(number: int, **given: object) -> dict[str, object]:
    values = {"source_name": None, "target_name": None, "account_digest": "d", "written": "{}", "active": True}
    return {"source_id": f"person-{number}", "target_uri": f"u{number}", **values, **given}


def skipped(change_id: str) -> dict[str, object]:
    return {
        **dict.fromkeys(["source_name", "target_uri", "target_name", "remedy"]),
        "change_id": change_id,
        "source_id": "person-9",
        "situation": "unqualified",
        "operation": "none",
        "decision": "skip",
        "status": "skipped",
        "error_code": "EntrySynchronizationSkipped",
        "reason": "not assigned",
        "changes": "[]",
        "refused": "[]",
        "attempts": 0,
        "started_at": MORNING,
        "duration_ms": 0,
    }


def test_bulk_rows_of_links_activities_and_skips(ledger: Ledger, cycle_id: str) -> None:
    rows = [skipped("skip-1"), skipped("held-1")]
    ledger.put_bulk("acme", cycle_id, rows, links_rows=[bulk_link(number) for number in range(7)], told=["skip-1"])
    assert len(ledger.links("acme")) == 7
    assert ledger.skips("acme").to_numpy().tolist() == [["person-9", "EntrySynchronizationSkipped", "not assigned"]]
    assert len(ledger.activities(cycle_id=cycle_id)) == 2


def test_a_bulk_link_keeps_what_was_written_before(ledger: Ledger, cycle_id: str) -> None:
    ledger.record("acme", cycle_id, Moves(endings=[ending(change(), link=link(written={"SsoName": "j"}))]))
    ledger.put_bulk("acme", cycle_id, [], links_rows=[bulk_link(1, account_digest="new")])
    row = ledger.links("acme").iloc[0]
    assert (row["written"], row["account_digest"], row["target_uri"]) == ('{"SsoName":"j"}', "new", "u1")


def test_who_gets_a_link_is_no_longer_skipped(ledger: Ledger, cycle_id: str) -> None:
    ledger.put_bulk("acme", cycle_id, [skipped("skip-9")], told=["skip-9"])
    ledger.record("acme", cycle_id, Moves(endings=[ending(change(9), link=link(9))]))
    assert ledger.skips("acme").empty


def test_withheld_values_are_not_recorded_only_that_they_changed(ledger: Ledger, cycle_id: str) -> None:
    ledger.withhold(frozenset({"EmployeeId"}))
    differences = (Difference("EmployeeId", None, "123-45-678"), Difference("FirstName", "Ann", "Anna"))
    ledger.record("acme", cycle_id, Moves(endings=[ending(change(1, differences=differences))]))
    assert orjson.loads(ledger.activities()["changes"].iloc[0]) == [
        {"attribute": "EmployeeId", "before": None, "after": "[Redact]"},
        {"attribute": "FirstName", "before": "Ann", "after": "Anna"},
    ]
