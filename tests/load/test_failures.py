"""What goes wrong on the way: every failure is recorded as what it is, and nothing is done twice because of it."""

from __future__ import annotations

import datetime as dt
import threading
from typing import Any

import orjson
import pytest

from deployments.sandbox.faults import FaultKind
from tasks.ledger.records import State
from tasks.load.patience import Patience
from tasks.model import Decision, Operation, Situation
from tests.load.rig import DELETE, READ, UPSERT, Rig, Row, create

LOST = [FaultKind.LOST_RESPONSE, FaultKind.RESET, FaultKind.TIMEOUT, FaultKind.INTERNAL, FaultKind.UNAVAILABLE]
TOO_LONG: dict[str, Any] = {"FirstName": "x" * 60}


@pytest.mark.parametrize("kind", [*LOST, FaultKind.ERROR_ON_200])
@pytest.mark.parametrize("committed", [False, True])
def test_a_request_without_a_clear_answer_goes_out_again_unchanged(rig: Rig, kind: FaultKind, committed: bool) -> None:
    rig.strike(kind, count=1, committed=committed)
    row = rig.apply(create("jane", EmployeeId="E1")).iloc[0]
    assert (row["status"], row["attempts"]) == ("success", 2)
    assert rig.writes() == [("create", "jane@acme.test")]
    assert rig.activity("jane")["attempts"] == 2


def test_a_response_lost_twice_makes_one_account(rig: Rig) -> None:
    rig.strike(FaultKind.LOST_RESPONSE, count=2)
    assert rig.apply(create("jane"))["status"].tolist() == ["success"]
    assert rig.state.replays == 2
    assert rig.writes() == [("create", "jane@acme.test")]


def test_a_create_that_replicon_forgot_is_found_again_and_linked(rig: Rig) -> None:
    rig.state.settings.change(unit_of_work_seconds=0.0)
    rig.strike(FaultKind.LOST_RESPONSE, count=1)
    row = rig.apply(create("jane", EmployeeId="E1")).iloc[0]
    assert (row["status"], row["operation"]) == ("success", "create")
    assert rig.writes() == [("create", "jane@acme.test")]
    assert rig.link("jane")["target_uri"] == rig.uri("jane")


@pytest.mark.parametrize("style", ["error", "partial"])
def test_an_account_made_meanwhile_is_linked_and_brought_up_to_date(rig: Rig, style: str) -> None:
    rig.state.settings.change(duplicate_login=style)
    uri = rig.add("jane", employee_id="E1")
    row = rig.apply(create("jane", EmployeeId="E1", LastName="Doe")).iloc[0]
    assert (row["status"], row["operation"], row["target_uri"]) == ("success", "update", uri)
    assert [change.changes for change in rig.state.change_log] == [{"lastName": ("Example", "Doe")}]
    assert (rig.link("jane")["target_uri"], rig.link("jane")["account_digest"]) == (uri, "digest")


def test_a_login_that_somebody_else_has_is_a_conflict(rig: Rig) -> None:
    rig.add("jane", employee_id="E2")
    row = rig.apply(create("jane", EmployeeId="E1")).iloc[0]
    assert (row["status"], row["error_code"]) == ("failure", "EntryConflict")
    assert "already exists" in row["reason"]
    assert (rig.link("jane"), rig.writes()) == (None, [])


def test_a_login_that_is_linked_to_somebody_else_is_a_conflict(rig: Rig) -> None:
    rig.linked("jane")
    impostor = create("jane")
    impostor.source_id = "other"
    row = rig.apply(impostor).iloc[0]
    assert (row["status"], row["error_code"]) == ("failure", "EntryConflict")
    assert rig.ledger.links("acme")["source_id"].tolist() == ["jane"]


def test_a_value_that_replicon_refuses_fails_one_person_alone(rig: Rig) -> None:
    outcomes = rig.apply(create("jane", **TOO_LONG), create("joe"))
    assert outcomes["status"].tolist() == ["failure", "success"]
    row = outcomes.iloc[0]
    assert row["error_code"] == "UnprocessableEntity"
    assert "correlation id" in row["reason"]
    assert rig.ledger.escrow("acme")["source_id"].tolist() == ["jane"]


def test_a_part_that_replicon_refuses_is_a_warning_that_names_it(rig: Rig) -> None:
    uri = rig.add("nobodys-boss")
    row = rig.apply(create("jane", Supervisor=uri)).iloc[0]
    assert (row["status"], row["refused"]) == ("warning", ["Supervisor"])
    assert "permission set for supervision" in row["remedy"]
    link = rig.ledger.links("acme", ["jane"])
    assert link["account_digest"].isna().all()
    assert "Supervisor" not in orjson.loads(link["written"].iloc[0])


def test_a_group_that_replicon_does_not_have_is_a_warning_that_names_it(rig: Rig) -> None:
    row = rig.apply(create("jane", Location="Atlantis")).iloc[0]
    assert (row["status"], row["refused"]) == ("warning", ["Location"])
    assert "Create the Location in Replicon" in row["remedy"]


def test_an_update_of_which_nothing_can_be_written_fails(rig: Rig) -> None:
    uri = rig.linked("jane")
    row = rig.apply(Row("jane", Operation.UPDATE, {"Location": "Atlantis"}, target_uri=uri)).iloc[0]
    assert (row["status"], row["attempts"], rig.writes()) == ("failure", 0, [])


def test_a_success_that_made_no_account_is_a_failure(rig: Rig) -> None:
    rig.strike(FaultKind.NOT_APPLIED, count=1)
    row = rig.apply(create("jane")).iloc[0]
    assert (row["status"], row["error_code"]) == ("failure", "NotApplied")
    assert rig.link("jane") is None
    rig.next_cycle()
    assert rig.apply(create("jane"))["status"].tolist() == ["success"]


def test_a_success_that_changed_nothing_is_a_failure(rig: Rig) -> None:
    uri = rig.linked("jane")
    rig.strike(FaultKind.NOT_APPLIED, count=1)
    row = rig.apply(Row("jane", Operation.UPDATE, {"LastName": "Doe"}, target_uri=uri)).iloc[0]
    assert (row["status"], row["error_code"], row["refused"]) == ("failure", "NotApplied", ["LastName"])
    assert rig.ledger.links("acme")["account_digest"].isna().all()


@pytest.mark.parametrize("operation", [Operation.DISABLE, Operation.DELETE])
def test_a_removal_that_was_only_answered_is_a_failure(rig: Rig, operation: Operation) -> None:
    uri = rig.linked("jane")
    rig.strike(FaultKind.NOT_APPLIED, endpoint=UPSERT if operation is Operation.DISABLE else DELETE)
    row = rig.apply(Row("jane", operation, target_uri=uri)).iloc[0]
    assert (row["status"], row["error_code"]) == ("failure", "NotApplied")
    assert rig.link("jane")["target_uri"] == uri


def test_what_cannot_be_read_back_is_a_warning(rig: Rig) -> None:
    rig.strike(FaultKind.UNAVAILABLE, endpoint=READ)
    row = rig.apply(create("jane")).iloc[0]
    assert (row["status"], row["refused"]) == ("warning", [])
    assert "could not be read back" in row["reason"]
    assert rig.ledger.links("acme")["account_digest"].isna().all()


def test_the_rate_limit_is_waited_for(rig: Rig) -> None:
    rig.strike(FaultKind.RATE_LIMIT, endpoint="replicon:*", limit=5, window=0.2)
    outcomes = rig.apply(*(create(f"p{number}") for number in range(20)))
    assert set(outcomes["status"]) == {"success"}
    assert len(rig.logins()) == 20


def test_who_waits_too_long_for_the_rate_limit_goes_into_escrow_with_nothing_open(rig: Rig) -> None:
    rig.strike(FaultKind.RATE_LIMIT, limit=0)
    row = rig.apply(create("jane"), patience=Patience(throttled=(0.01,), throttled_for=0.03)).iloc[0]
    assert (row["status"], row["error_code"]) == ("failure", "TooManyRequests")
    assert rig.ledger.open_requests("acme") == []
    assert rig.ledger.escrow("acme")["error_code"].tolist() == ["TooManyRequests"]


def test_a_refused_sign_in_stops_the_run_and_quarantines_the_job(rig: Rig) -> None:
    rig.apply(create("first"))
    rig.strike(FaultKind.EXPIRED_TOKEN)
    outcomes = rig.apply(*(create(f"p{number:03}") for number in range(200)))
    codes = outcomes["error_code"].value_counts().to_dict()
    assert set(codes) == {"Unauthorized", "NotAttempted"}
    assert codes["Unauthorized"] <= 4 * rig.job.load.workers
    assert rig.logins() == ["first@acme.test"]
    state = rig.ledger.job_state("acme")
    assert state.quarantine_reason == "EncounteredQuarantineException"
    assert state.quarantine_message is not None
    assert rig.ledger.open_requests("acme") == []


def test_a_dead_replicon_stops_the_run_instead_of_trying_everybody(rig: Rig) -> None:
    rig.apply(create("first"))
    rig.strike(FaultKind.UNAVAILABLE, endpoint="replicon:*")
    outcomes = rig.apply(*(create(f"p{number:03}") for number in range(300)))
    left = outcomes[outcomes["error_code"].eq("NotAttempted")]
    assert len(left) > 200
    assert "requests in a row were not answered" in left["reason"].iloc[0]


def test_an_outcome_that_stays_unknown_is_settled_by_the_same_request_later(rig: Rig) -> None:
    rig.strike(FaultKind.LOST_RESPONSE, count=4)
    row = rig.apply(create("jane")).iloc[0]
    assert (row["status"], row["error_code"], row["attempts"]) == ("failure", "WebExceptionProtocolError", 4)
    [left] = rig.ledger.open_requests("acme")
    assert left.state is State.SENT
    rig.next_cycle()
    outcomes = rig.apply()
    assert outcomes["status"].tolist() == ["success"]
    assert rig.writes() == [("create", "jane@acme.test")]
    assert rig.state.replays == 4
    assert rig.activity("jane")["status"] == "success"
    assert (rig.link("jane")["target_uri"], len(rig.ledger.escrow("acme"))) == (rig.uri("jane"), 0)


def test_nothing_else_is_sent_for_a_person_with_an_open_request(rig: Rig) -> None:
    rig.strike(FaultKind.LOST_RESPONSE)
    rig.apply(create("jane"))
    rig.next_cycle()
    outcomes = rig.apply(create("jane"), create("joe"))
    assert outcomes["error_code"].iloc[0] == "InFlight"
    assert rig.writes() == [("create", "jane@acme.test"), ("create", "joe@acme.test")]


@pytest.mark.parametrize("removed", [True, False])
def test_a_delete_of_unknown_outcome_is_looked_up_and_not_repeated(rig: Rig, removed: bool) -> None:
    uri = rig.linked("jane")
    rig.strike(FaultKind.LOST_RESPONSE if removed else FaultKind.RESET, endpoint=DELETE)
    row = rig.apply(
        Row("jane", Operation.DELETE, target_uri=uri), patience=Patience(again=(), throttled=(), dead_after=20)
    ).iloc[0]
    assert row["status"] == "failure"
    rig.next_cycle()
    asked = rig.state.calls["UserService1.Delete"]
    outcomes = rig.apply()
    assert rig.state.calls["UserService1.Delete"] == asked
    assert rig.ledger.open_requests("acme") == []
    if removed:
        assert outcomes["status"].tolist() == ["success"]
        assert rig.link("jane") is None
    else:
        assert outcomes.empty
        assert rig.link("jane")["target_uri"] == uri


def test_a_person_in_escrow_waits_unless_something_changed(rig: Rig) -> None:
    rig.apply(create("jane", **TOO_LONG))
    rig.next_cycle()
    asked = rig.state.calls[UPSERT.removeprefix("replicon:")]
    row = rig.apply(create("jane", **TOO_LONG)).iloc[0]
    assert (row["status"], row["error_code"]) == ("skipped", "InEscrow")
    assert "tried again at" in row["reason"]
    assert rig.state.calls[UPSERT.removeprefix("replicon:")] == asked
    mended = create("jane")
    mended.digest = "mended"
    assert rig.apply(mended)["status"].tolist() == ["success"]
    assert rig.ledger.escrow("acme").empty


def test_waiting_in_escrow_is_told_once(rig: Rig) -> None:
    for _ in range(4):
        rig.apply(create("jane", **TOO_LONG))
        rig.next_cycle()
    assert rig.ledger.activities()["error_code"].tolist() == ["UnprocessableEntity", "InEscrow"]


def test_who_turns_out_to_need_nothing_leaves_the_escrow(rig: Rig) -> None:
    uri = rig.linked("jane")
    rig.apply(create("joe", **TOO_LONG), Row("jane", Operation.UPDATE, TOO_LONG, target_uri=uri))
    assert len(rig.ledger.escrow("acme")) == 2
    rig.apply(
        Row("jane", Operation.NONE, target_uri=uri, situation=Situation.CONFIRMED),
        Row("joe", Operation.NONE, decision=Decision.SKIP, situation=Situation.UNQUALIFIED),
    )
    assert rig.ledger.escrow("acme").empty


def test_what_was_meant_and_not_done_is_looked_at_again(rig: Rig) -> None:
    names = ["refused", "held", "stopped"]
    uris = {name: rig.linked(name) for name in names}
    drifted: dict[str, Any] = {"situation": Situation.DRIFTED, "digest": "old"}
    stop = threading.Event()
    rig.apply(
        Row("refused", Operation.UPDATE, TOO_LONG, target_uri=uris["refused"], **drifted),
        Row("held", Operation.DISABLE, target_uri=uris["held"]),
        second_look=None,
    )
    stop.set()
    rig.apply(Row("stopped", Operation.UPDATE, {"LastName": "Doe"}, target_uri=uris["stopped"], **drifted), stop=stop)
    assert rig.ledger.links("acme", names)["account_digest"].isna().all()


def test_a_retry_by_hand_does_not_wait(rig: Rig) -> None:
    for _ in range(2):
        rig.apply(create("jane", **TOO_LONG))
    rig.ledger.retry_now("acme")
    assert rig.apply(create("jane", **TOO_LONG))["error_code"].tolist() == ["UnprocessableEntity"]


def test_dates_that_are_written_alone_keep_the_other_one(rig: Rig) -> None:
    uri = rig.linked("jane", start=dt.date(2020, 1, 1))
    rig.apply(Row("jane", Operation.UPDATE, {"EndDate": "2026-12-31"}, target_uri=uri))
    account = rig.account("jane")
    assert (account["startDate"], account["endDate"]) == ("2020-01-01", "2026-12-31")


def test_a_report_whose_second_step_has_no_answer_is_finished_later(rig: Rig) -> None:
    supervises: dict[str, Any] = {"PermissionSets": ["User", "Supervisor"]}
    rig.strike(FaultKind.RESET, containing='"target":{"uri"')
    outcomes = rig.apply(create("a", supervisor="b", **supervises), create("b", supervisor="a", **supervises))
    assert sorted(outcomes["status"]) == ["success", "warning"]
    rig.faults.clear()
    rig.next_cycle()
    settled = rig.apply()
    assert settled["status"].tolist() == ["success"]
    assert {rig.account("a")["supervisor"], rig.account("b")["supervisor"]} == {rig.uri("a"), rig.uri("b")}
    assert len(rig.ledger.activities()) == 2
