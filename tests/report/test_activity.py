"""Activities made of a plan and its outcomes."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.model import STRING
from tasks.report.activity import COLUMNS, account_names, activities_of, changes_in, shown_value
from tests.report.samples import CASES, Case, activities, plan_of


def test_columns_are_the_ledgers_own() -> None:
    frame = activities()
    assert {name: frame[name].dtype for name in frame.columns} == {**COLUMNS, "risks": STRING}


def test_changes_are_told_with_before_and_after() -> None:
    frame = activities().set_index("source_id")
    assert changes_in(frame.at["s-jane.doe", "changes"]) == [
        {"attribute": "Supervisor", "before": None, "after": "urn:user:boss"},
        {"attribute": "FirstName", "before": "Jane", "after": "Janet"},
    ]
    assert changes_in(frame.at["s-guest", "changes"]) == []
    assert json.loads(frame.at["s-jane.doe", "refused"]) == ["Supervisor"]


@settings(deadline=None)
@given(st.lists(st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=8)), max_size=5))
def test_any_text_survives_in_changes(values: list[str | None]) -> None:
    case = Case("a", "confirmed", "update", changes=tuple((f"A{n}", None, value) for n, value in enumerate(values)))
    frame = activities_of(plan_of((case,)))
    assert [change["after"] for change in changes_in(frame.at[0, "changes"])] == values


def test_escapes_survive_and_other_control_characters_become_spaces() -> None:
    case = Case("a", "confirmed", "update", changes=(("A", 'say "hi"\\n\n\t', "\x01x"),))
    change = changes_in(activities_of(plan_of((case,))).at[0, "changes"])[0]
    assert (change["before"], change["after"]) == ('say "hi"\\n\n\t', " x")


def test_a_plan_alone_has_no_status() -> None:
    assert activities_of(plan_of())["status"].isna().all()
    assert len(activities_of(plan_of())) == len(CASES)


def test_accounts_are_shown_by_name_and_lists_with_commas() -> None:
    names = account_names(activities())
    assert shown_value("urn:user:boss", names) == "boss@acme.test"
    assert shown_value("source:s-taken", names) == "taken@acme.test"
    assert shown_value("urn:replicon-tenant:0a1b:user:7", names) == "user:7"
    assert shown_value('["a", "b"]', names) == "a, b"
    assert shown_value(None, names) == ""
