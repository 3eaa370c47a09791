"""A plan carried out: accounts made, changed and taken away, each change told once, each link as it has to be."""

from __future__ import annotations

import datetime as dt
import os
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from tasks.model import OUTCOME_COLUMNS, Decision, HeldError, Operation, Situation
from tests.load.rig import Rig, Row, create, looked, person, plan_of, running

SUPERVISES: dict[str, Any] = {"PermissionSets": ["User", "Supervisor"]}
"""What makes somebody fit to be a supervisor."""
TOO_LONG: dict[str, Any] = {"FirstName": "x" * 60}
"""A name that Replicon does not take."""


def test_an_account_is_made_linked_and_told(rig: Rig) -> None:
    outcomes = rig.apply(create("jane", EmployeeId="E1", SsoName="jane-sso", PermissionSets=["User", "Supervisor"]))
    row = outcomes.iloc[0]
    assert (row["status"], row["operation"], row["attempts"]) == ("success", "create", 1)
    assert rig.account("jane")["permissionSets"] == ["Supervisor", "User"]
    link = rig.link("jane")
    assert (link["target_uri"], link["account_digest"], link["active"]) == (rig.uri("jane"), "digest", True)
    assert orjson.loads(link["written"])["SsoName"] == "jane-sso"
    activity = rig.activity("jane")
    assert (activity["status"], activity["decision"], activity["target_name"]) == ("success", "go", "jane@acme.test")
    assert {"attribute": "EmployeeId", "before": None, "after": "E1"} in orjson.loads(activity["changes"])


def test_the_outcomes_have_the_vocabularys_columns(rig: Rig) -> None:
    outcomes = rig.apply(create("jane")).reset_index()
    assert {name: outcomes[name].dtype for name in OUTCOME_COLUMNS} == dict(OUTCOME_COLUMNS)


def test_it_works_the_same_on_either_database(ledger_url: str, tmp_path: Path) -> None:
    with running(ledger_url, tmp_path) as rig:
        uri = rig.linked("old")
        rows = [create(f"new{number}") for number in range(30)]
        leaver = Row("old", Operation.DISABLE, {"LoginEnabled": "False"}, target_uri=uri)
        outcomes = rig.apply(*rows, leaver, Row("out", Operation.NONE, decision=Decision.SKIP, reason="not assigned"))
        assert outcomes["status"].value_counts().to_dict() == {"success": 31, "skipped": 1}
        assert len(rig.logins()) == 31
        assert len(rig.ledger.activities(cycle_id=rig.cycle_id)) == 32
        assert rig.ledger.links("acme")["active"].sum() == 30
        assert rig.ledger.skips("acme")["source_id"].tolist() == ["out"]
        assert rig.ledger.open_requests("acme") == []


def test_an_update_writes_only_what_the_plan_names(rig: Rig) -> None:
    uri = rig.linked("jane", employee_id="E1")
    rig.apply(Row("jane", Operation.UPDATE, {"LastName": "Doe"}, {"LastName": "Example"}, target_uri=uri))
    assert [change.changes for change in rig.state.change_log] == [{"lastName": ("Example", "Doe")}]
    assert rig.link("jane")["account_digest"] == "digest"


def test_supervisors_are_made_before_their_reports_and_referred_to(rig: Rig) -> None:
    rows = [
        create("c", supervisor="b"),
        create("b", supervisor="a", **SUPERVISES),
        create("a", **SUPERVISES),
        create("d", supervisor="a"),
    ]
    outcomes = rig.apply(*rows)
    assert set(outcomes["status"]) == {"success"}
    assert [rig.account(name)["supervisor"] for name in "abcd"] == [
        None,
        rig.uri("a"),
        rig.uri("b"),
        rig.uri("a"),
    ]
    assert len(rig.state.change_log) == 4


def test_the_activity_names_the_supervisors_account(rig: Rig) -> None:
    rig.apply(create("a", PermissionSets=["Supervisor"]), create("b", supervisor="a"))
    changes = orjson.loads(rig.activity("b")["changes"])
    assert {"attribute": "Supervisor", "before": None, "after": rig.uri("a")} in changes


def test_a_circle_is_opened_and_closed_by_a_second_write(rig: Rig) -> None:
    outcomes = rig.apply(
        create("a", supervisor="c", **SUPERVISES),
        create("b", supervisor="a", **SUPERVISES),
        create("c", supervisor="b", **SUPERVISES),
        create("d", supervisor="c"),
    )
    assert set(outcomes["status"]) == {"success"}
    assert [rig.account(name)["supervisor"] for name in "abc"] == [rig.uri("c"), rig.uri("a"), rig.uri("b")]
    assert len(rig.ledger.activities()) == 4
    assert rig.link("a")["account_digest"] == "digest"


def test_a_failed_supervisor_costs_the_report_the_reference_and_not_the_account(rig: Rig) -> None:
    outcomes = rig.apply(create("a", **TOO_LONG), create("b", supervisor="a"))
    assert outcomes["status"].tolist() == ["failure", "warning"]
    assert rig.account("b")["supervisor"] is None
    activity = rig.activity("b")
    assert activity["error_code"] == "UnableToResolveReferenceAttributeValue"
    assert orjson.loads(activity["refused"]) == ["Supervisor"]
    assert rig.ledger.links("acme", ["b"])["account_digest"].isna().all()
    assert sorted(rig.ledger.escrow("acme")["source_id"]) == ["a", "b"]


def test_reports_of_an_account_that_is_made_again_refer_to_the_new_one(rig: Rig) -> None:
    old = rig.linked("a")
    rig.remove(old)
    again = create("a", **SUPERVISES)
    again.situation = Situation.MISSING
    assert set(rig.apply(again, create("b", supervisor="a"))["status"]) == {"success"}
    assert rig.account("b")["supervisor"] == rig.uri("a") != old


def test_reports_of_an_account_that_cannot_be_made_again_are_made_without(rig: Rig) -> None:
    rig.remove(rig.linked("a"))
    again = create("a", **TOO_LONG)
    again.situation = Situation.MISSING
    assert rig.apply(again, create("b", supervisor="a"))["status"].tolist() == ["failure", "warning"]
    assert rig.account("b")["supervisor"] is None


def test_a_disable_keeps_the_link_and_takes_the_login(rig: Rig) -> None:
    uri = rig.linked("jane")
    [status] = rig.apply(Row("jane", Operation.DISABLE, {"LoginEnabled": "False"}, target_uri=uri))["status"]
    assert (status, rig.account("jane")["loginEnabled"]) == ("success", False)
    assert not rig.link("jane")["active"]


def test_an_enable_gives_the_login_back_and_ends_the_end(rig: Rig) -> None:
    uri = rig.linked("jane", enabled=False, end=dt.date(2026, 1, 31))
    rig.apply(Row("jane", Operation.ENABLE, {"LoginEnabled": "True", "LastName": "Doe"}, target_uri=uri))
    account = rig.account("jane")
    assert (account["loginEnabled"], account["endDate"], account["lastName"]) == (True, None, "Doe")
    assert rig.link("jane")["active"]


def test_a_delete_ends_the_link(rig: Rig) -> None:
    uri = rig.linked("jane")
    [status] = rig.apply(Row("jane", Operation.DELETE, target_uri=uri))["status"]
    assert (status, rig.logins(), rig.link("jane")) == ("success", [], None)


def test_a_refused_delete_becomes_a_disable(rig: Rig) -> None:
    uri = rig.linked("jane", has_data=True)
    row = rig.apply(Row("jane", Operation.DELETE, target_uri=uri)).iloc[0]
    assert (row["status"], row["operation"]) == ("success", "disable")
    assert "disabled instead" in row["reason"]
    assert rig.account("jane")["loginEnabled"] is False
    assert rig.link("jane") is None
    assert len(rig.ledger.activities()) == 1


@pytest.mark.parametrize("operation", [Operation.DISABLE, Operation.DELETE])
def test_a_removal_of_an_account_that_is_gone_has_nothing_left_to_do(rig: Rig, operation: Operation) -> None:
    uri = rig.linked("jane")
    rig.remove(uri)
    row = rig.apply(Row("jane", operation, {"LoginEnabled": "False"}, target_uri=uri)).iloc[0]
    assert (row["status"], rig.link("jane")) == ("success", None)
    assert "gone from Replicon already" in row["reason"]


def test_an_update_of_an_account_that_is_gone_is_matched_again_next_time(rig: Rig) -> None:
    uri = rig.linked("jane")
    rig.remove(uri)
    row = rig.apply(Row("jane", Operation.UPDATE, {"LastName": "Doe"}, target_uri=uri)).iloc[0]
    assert (row["status"], row["error_code"]) == ("failure", "InvalidAnchor")
    assert "matched again" in row["remedy"]
    assert rig.ledger.links("acme")["account_digest"].isna().all()


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        ({"jane": (True, "present")}, "active and entitled"),
        ({}, "did not give this person"),
        ({"jane": (False, "soft_deleted")}, "not deleted for good"),
    ],
)
def test_a_removal_that_the_second_look_does_not_confirm_is_held(
    rig: Rig, seen: dict[str, tuple[bool, str]], said: str
) -> None:
    uri = rig.linked("jane")
    row = rig.apply(Row("jane", Operation.DELETE, target_uri=uri), second_look=lambda _: looked(seen)).iloc[0]
    assert (row["status"], row["error_code"]) == ("skipped", "SecondLookDisagrees")
    assert said in row["reason"]
    assert rig.activity("jane")["decision"] == "hold"
    assert rig.writes() == []


def test_without_a_second_look_nobody_is_removed(rig: Rig) -> None:
    uri = rig.linked("jane")
    outcomes = rig.apply(Row("jane", Operation.DISABLE, target_uri=uri), create("joe"), second_look=None)
    assert outcomes["status"].tolist() == ["skipped", "success"]
    assert rig.account("jane")["loginEnabled"] is True


def test_a_second_look_that_fails_removes_nobody(rig: Rig) -> None:
    def fails(_: list[str]) -> Any:
        raise HeldError("Graph is down")

    uri = rig.linked("jane")
    row = rig.apply(Row("jane", Operation.DISABLE, target_uri=uri), second_look=fails).iloc[0]
    assert "Graph is down" in row["reason"]
    assert rig.writes() == []


def test_held_staged_and_skipped_rows_are_told_and_not_sent(rig: Rig) -> None:
    uri = rig.linked("jane")
    outcomes = rig.apply(
        Row("jane", Operation.DISABLE, target_uri=uri, decision=Decision.STAGED, error_code="TooManyDeletes"),
        Row("joe", Operation.NONE, decision=Decision.HOLD, situation=Situation.AMBIGUOUS, reason="two match"),
        Row("jim", Operation.NONE, decision=Decision.SKIP, situation=Situation.UNQUALIFIED, reason="not assigned"),
    )
    assert outcomes["status"].tolist() == ["skipped"] * 3
    assert outcomes["reason"].iloc[1:].tolist() == ["two match", "not assigned"]
    assert rig.ledger.activities()["decision"].tolist() == ["staged", "hold", "skip"]
    assert rig.ledger.skips("acme")["source_id"].tolist() == ["jim"]
    assert rig.writes() == []


def test_an_orphan_is_told_and_has_nothing_to_be_remembered_by(rig: Rig) -> None:
    uri = rig.add("nobody")
    orphan = Row("nobody", Operation.NONE, decision=Decision.SKIP, situation=Situation.ORPHAN, target_uri=uri)
    plan = plan_of(rig.cycle_id, orphan)
    plan.operations["source_id"] = plan.operations["source_id"].where([False])
    assert rig.apply(plan=plan)["status"].tolist() == ["skipped"]
    assert rig.ledger.skips("acme").empty
    assert rig.ledger.activities()["target_uri"].tolist() == [uri]


def test_a_found_account_without_a_difference_is_linked_and_told(rig: Rig) -> None:
    uri = rig.add("jane")
    [status] = rig.apply(Row("jane", Operation.NONE, target_uri=uri, situation=Situation.FOUND))["status"]
    assert (status, rig.link("jane")["target_uri"], rig.link("jane")["active"]) == ("success", uri, True)
    assert rig.activity("jane")["situation"] == "found"


def test_an_unchanged_person_is_remembered_and_not_told(rig: Rig) -> None:
    uri = rig.linked("jane")
    rig.apply(Row("jane", Operation.NONE, target_uri=uri, situation=Situation.CONFIRMED, digest="new"))
    assert rig.link("jane")["account_digest"] == "new"
    assert rig.ledger.activities().empty


def test_a_leaver_whose_login_was_taken_before_is_remembered_as_inactive(rig: Rig) -> None:
    uri = rig.linked("jane", enabled=False)
    rig.apply(Row("jane", Operation.NONE, target_uri=uri, situation=Situation.OUT_OF_SCOPE, digest=None))
    assert not rig.link("jane")["active"]
    assert rig.activity("jane")["operation"] == "none"


def test_an_account_is_not_linked_to_a_second_person(rig: Rig) -> None:
    uri = rig.linked("jane")
    outcomes = rig.apply(
        Row("joe", Operation.NONE, target_uri=uri, situation=Situation.FOUND),
        Row("jim", Operation.UPDATE, {"LastName": "Doe"}, target_uri=uri, situation=Situation.FOUND),
    )
    assert outcomes["error_code"].tolist() == ["EntryConflict", "EntryConflict"]
    assert rig.ledger.links("acme")["source_id"].tolist() == ["jane"]
    assert rig.writes() == []


def test_one_account_is_not_linked_to_two_people_of_one_plan(rig: Rig) -> None:
    uri = rig.add("jane")
    rows = [Row(name, Operation.NONE, target_uri=uri, situation=Situation.FOUND) for name in ("jane", "joe")]
    assert rig.apply(*rows)["status"].tolist() == ["success", "skipped"]
    assert rig.ledger.links("acme")["source_id"].tolist() == ["jane"]


def test_a_plan_that_no_longer_fits_is_not_carried_out(rig: Rig) -> None:
    uri = rig.linked("jane")
    outcomes = rig.apply(
        create("jane"), Row("joe", Operation.UPDATE, {"LastName": "Doe"}, target_uri=uri, situation=Situation.CONFIRMED)
    )
    assert outcomes["error_code"].tolist() == ["PlanOutdated", "PlanOutdated"]
    assert rig.writes() == []


def test_a_lost_account_is_made_again_under_the_same_link(rig: Rig) -> None:
    old = rig.linked("jane")
    rig.remove(old)
    row = create("jane")
    row.situation = Situation.MISSING
    [status] = rig.apply(row)["status"]
    assert (status, rig.link("jane")["target_uri"]) == ("success", rig.uri("jane"))
    assert rig.uri("jane") != old


def test_applying_a_plan_again_does_nothing_twice(rig: Rig) -> None:
    plan = plan_of(rig.cycle_id, create("jane"), create("joe", PermissionSets=["User"]))
    first = rig.apply(plan=plan)
    again = rig.apply(plan=plan)
    assert len(rig.state.change_log) == 2
    assert len(rig.ledger.activities()) == 2
    columns = ["status", "operation", "target_uri", "attempts"]
    assert again[columns].equals(first[columns])


def test_a_stopped_run_finishes_what_is_under_way_and_leaves_the_rest(rig: Rig) -> None:
    stop = threading.Event()

    def watch(stage: str, done: int, *_: object) -> None:
        if stage == "load" and done >= 1:
            stop.set()

    plan = plan_of(rig.cycle_id, *(create(f"p{number:03}") for number in range(600)))
    outcomes = rig.apply(plan=plan, stop=stop, progress=watch)
    done = outcomes["status"].eq("success").sum()
    assert 0 < done < 600
    assert len(rig.logins()) == done == len(rig.ledger.links("acme"))
    left = outcomes[outcomes["status"].ne("success")]
    assert set(left["error_code"]) == {"NotAttempted"}
    assert rig.ledger.open_requests("acme") == []
    assert len(rig.ledger.activities()) == 600
    again = rig.apply(plan=plan)
    assert set(again["status"]) == {"success"}
    assert len(rig.logins()) == 600
    assert len(rig.state.change_log) == 600
    assert len(rig.ledger.activities()) == 600


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Let SIGINT raise, also where the tests were started in the background and it is ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.skipif(os.name != "posix", reason="waiting is not interrupted elsewhere")
@pytest.mark.usefixtures("interruptible")
def test_a_cancelled_run_records_what_is_under_way_and_tells_the_rest(rig: Rig) -> None:
    def cancel(stage: str, done: int, *_: object) -> None:
        if (stage, done) == ("load", 1):
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        rig.apply(*(create(f"p{number:03}") for number in range(350)), progress=cancel)
    assert 0 < len(rig.logins()) < 350
    assert len(rig.ledger.links("acme")) == len(rig.logins())
    assert rig.ledger.open_requests("acme") == []
    assert len(rig.ledger.activities()) == 350


def test_a_plan_for_a_cycle_that_does_not_hold_the_job_is_refused(rig: Rig) -> None:
    stale = plan_of(rig.cycle_id, create("jane"))
    rig.next_cycle()
    with pytest.raises(HeldError):
        rig.apply(plan=stale)
    assert rig.logins() == []


def test_progress_ends_at_the_total(rig: Rig) -> None:
    seen: list[tuple[int, int]] = []
    rig.apply(create("a"), create("b"), progress=lambda _stage, done, total, _note="": seen.append((done, total)))
    assert seen[-1] == (2, 2)


def test_reports_of_somebody_who_becomes_a_supervisor_in_this_plan_are_written_without_a_warning(rig: Rig) -> None:
    for name in ("a", "b", "c"):
        rig.linked(name)
    outcomes = rig.apply(
        Row("a", Operation.UPDATE, {"Supervisor": rig.uri("c")}, target_uri=rig.uri("a"), waits_for="c"),
        Row("b", Operation.UPDATE, {"Supervisor": rig.uri("c")}, target_uri=rig.uri("b"), waits_for="c"),
        Row("c", Operation.UPDATE, SUPERVISES, target_uri=rig.uri("c")),
        Row("d", Operation.CREATE, person("d", Supervisor=rig.uri("c")), waits_for="c"),
    )
    assert outcomes["status"].tolist() == ["success"] * 4
    assert [rig.account(name)["supervisor"] for name in "abd"] == [rig.uri("c")] * 3


def test_reports_of_somebody_whose_change_fails_go_on_all_the_same(rig: Rig) -> None:
    rig.linked("a"), rig.linked("b")
    outcomes = rig.apply(
        Row(
            "a",
            Operation.UPDATE,
            {"FirstName": "Ann", "Supervisor": rig.uri("b")},
            target_uri=rig.uri("a"),
            waits_for="b",
        ),
        Row("b", Operation.UPDATE, {"PermissionSets": ["There Is None"]}, target_uri=rig.uri("b")),
    )
    assert outcomes["status"].tolist() == ["warning", "failure"]


@pytest.mark.parametrize("giver", ["renamed", "deleted"])
@pytest.mark.parametrize("taker", ["new", "linked"])
def test_a_login_name_is_handed_over_within_one_plan(rig: Rig, giver: str, taker: str) -> None:
    old = rig.linked("x")
    gives = Row("x", Operation.UPDATE, {"LoginName": "y@acme.test"}, {"LoginName": "X@acme.test"}, target_uri=old)
    if giver == "deleted":
        gives = Row("x", Operation.DELETE, target_uri=old)
    takes = Row("b", Operation.CREATE, person("x"))
    if taker == "linked":
        after, before = {"LoginName": "x@acme.test"}, {"LoginName": "b@acme.test"}
        takes = Row("b", Operation.UPDATE, after, before, target_uri=rig.linked("b"))
    outcomes = rig.apply(takes, gives)
    assert outcomes["status"].tolist() == ["success", "success"]
    assert rig.uri("x") == rig.link("b")["target_uri"]
    assert rig.logins() == (["x@acme.test"] if giver == "deleted" else ["x@acme.test", "y@acme.test"])


def test_two_who_swap_their_login_names_do_not_wait_for_each_other_for_ever(rig: Rig) -> None:
    rows = [
        Row(name, Operation.UPDATE, {"LoginName": f"{other}@acme.test"}, {"LoginName": f"{name}@acme.test"})
        for name, other in (("a", "b"), ("b", "a"))
    ]
    for row in rows:
        row.target_uri = rig.linked(row.source_id)
    assert rig.apply(*rows)["error_code"].tolist() == ["EntryConflict", "EntryConflict"]
    assert rig.logins() == ["a@acme.test", "b@acme.test"]


def test_a_report_whose_login_name_its_new_supervisor_takes_does_not_wait_for_ever(rig: Rig) -> None:
    uri = rig.linked("a")
    outcomes = rig.apply(
        Row(
            "a",
            Operation.UPDATE,
            {"LoginName": "c@acme.test", "Supervisor": "source:b"},
            {"LoginName": "a@acme.test"},
            target_uri=uri,
            waits_for="b",
        ),
        Row("b", Operation.CREATE, person("a")),
    )
    assert rig.account("c")["loginName"] == "c@acme.test"
    assert outcomes["status"].tolist() == ["warning", "failure"]
