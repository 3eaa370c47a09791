"""Assignments become accounts: who is in scope, what flows when, and that one person's error is theirs alone."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.model import BOOL, PEOPLE_COLUMNS, STRING, STRINGS, BadInputError, Presence
from tasks.transform.accounts import to_accounts
from tests.transform.cases import NOW, accounts, entry, group_text, load, mapping_text, people, scope_text, values_of

STAFF = group_text("employeeType", "EQUALS", "Employee")


def test_frames_have_the_agreed_columns_types_and_index(tmp_path: Path) -> None:
    mapping = load(tmp_path, mapping_text("- {targetAttributeName: PermissionSets, source: '[appRoleAssignments]'}"))
    made = accounts(mapping, {"appRoleAssignments": ["User"]}, {})
    assert {name: made.people[name].dtype for name in PEOPLE_COLUMNS} == dict(PEOPLE_COLUMNS)
    assert made.values.dtypes.to_dict() == {"LoginName": STRING, "LoginEnabled": STRING, "PermissionSets": STRINGS}
    assert set(made.flows.dtypes) == set(made.flows_on_create.dtypes) == {BOOL}
    frames = [made.people, made.values, made.flows, made.on_create, made.flows_on_create]
    assert all(frame.index.equals(pd.RangeIndex(2)) for frame in frames)
    assert made.mapping_digest == mapping.digest


def test_nobody_assigned_gives_empty_frames(tmp_path: Path) -> None:
    made = to_accounts(people({}).head(0), load(tmp_path, mapping_text()), now=NOW)
    assert len(made.people) == len(made.values) == len(made.flows) == 0


def test_people_are_named_by_the_best_name_they_have(tmp_path: Path) -> None:
    made = accounts(
        load(tmp_path, mapping_text()),
        {},
        {"userPrincipalName": None, "mail": "m@acme.test"},
        {"userPrincipalName": None},
    )
    assert values_of(made.people, "source_name") == ["p0@acme.test", "m@acme.test", "id-2"]


@pytest.mark.parametrize(
    ("row", "active", "in_scope"),
    [
        ({}, True, True),
        ({"entitled": False, "entitlement_reason": "unassigned"}, False, False),
        ({"accountEnabled": "False"}, False, True),
        ({"accountEnabled": "True"}, True, True),
        ({"presence": Presence.SOFT_DELETED.value}, False, True),
        ({"presence": Presence.HARD_DELETED.value, "entitled": False}, False, False),
        ({"entitled": None}, False, False),
    ],
)
def test_is_soft_deleted_follows_entitlement_presence_and_sign_in(
    tmp_path: Path, row: dict[str, object], active: bool, in_scope: bool
) -> None:
    made = accounts(load(tmp_path, mapping_text()), row)
    assert values_of(made.people, "active") == [active]
    assert values_of(made.people, "in_scope") == [in_scope]
    assert values_of(made.values, "LoginEnabled") == [str(active)]


def test_who_fails_the_filter_is_out_of_scope_for_the_clause_that_is_named(tmp_path: Path) -> None:
    mapping = load(tmp_path, mapping_text(scope=scope_text(STAFF)))
    made = accounts(
        mapping,
        {"employeeType": "Employee"},
        {"employeeType": "Guest"},
        {"entitled": False, "entitlement_reason": "unassigned"},
    )
    assert values_of(made.people, "in_scope") == [True, False, False]
    assert values_of(made.people, "active") == [True, False, False]
    assert values_of(made.people, "scope_reason") == [
        "role User",
        "does not pass the scoping filter: Staff employeeType EQUALS Employee",
        "unassigned",
    ]


def test_who_fails_an_input_filter_is_left_alone_and_nothing_of_theirs_flows(tmp_path: Path) -> None:
    mapping = load(tmp_path, mapping_text(scope=scope_text(STAFF, "inputFilterGroups")))
    gone = {"presence": Presence.HARD_DELETED.value, "entitled": False}
    made = accounts(mapping, {"employeeType": "Employee"}, {"employeeType": "Guest"}, gone)
    assert values_of(made.people, "left_alone") == [False, True, False]
    assert "input filter" in values_of(made.people, "scope_reason")[1]
    assert values_of(made.flows, "LoginName")[:2] == [True, False]


def test_a_person_whom_a_filter_cannot_judge_fails_and_keeps_the_account(tmp_path: Path) -> None:
    group = group_text("city", "REGEX MATCH", "'(a|aa)+b'")
    made = accounts(load(tmp_path, mapping_text(scope=scope_text(group))), {"city": "a" * 60}, {"city": "aab"})
    assert values_of(made.people, "active") == [True, True]
    assert values_of(made.people, "error_attribute") == ["scope", None]
    assert values_of(made.flows, "LoginName") == [False, True]


def test_a_null_value_is_not_written_unless_the_mapping_says_so(tmp_path: Path) -> None:
    mapping = load(
        tmp_path,
        mapping_text(entry("FirstName", "'[givenName]'") + entry("LastName", "'[surname]'", "flowNullValues: true")),
    )
    made = accounts(mapping, {"givenName": "", "surname": None}, {"givenName": "Ada", "surname": "Ng"})
    assert values_of(made.flows, "FirstName") == [False, True]
    assert values_of(made.flows, "LastName") == [True, True]
    assert values_of(made.values, "LastName") == [None, "Ng"]
    assert values_of(made.flows_on_create, "LastName") == [False, True]


def test_a_default_counts_on_creation_only(tmp_path: Path) -> None:
    mapping = load(tmp_path, mapping_text(entry("FirstName", "'[givenName]'", "defaultValue: Nobody")))
    made = accounts(mapping, {"givenName": None}, {"givenName": "Ada"})
    assert values_of(made.values, "FirstName") == [None, "Ada"]
    assert values_of(made.flows, "FirstName") == [False, True]
    assert values_of(made.on_create, "FirstName") == ["Nobody", "Ada"]
    assert values_of(made.flows_on_create, "FirstName") == [True, True]


def test_a_mapping_without_source_gives_its_default_to_new_accounts(tmp_path: Path) -> None:
    mapping = load(tmp_path, mapping_text("- {targetAttributeName: PermissionSets, defaultValue: User}"))
    made = accounts(mapping, {})
    assert values_of(made.flows, "PermissionSets") == [False]
    assert made.on_create["PermissionSets"].array.tolist() == [["User"]]
    assert values_of(made.flows_on_create, "PermissionSets") == [True]


def test_an_attribute_of_creation_only_is_not_written_later(tmp_path: Path) -> None:
    made = accounts(
        load(tmp_path, mapping_text(entry("FirstName", "'[givenName]'", "flowType: ObjectAddOnly"))),
        {"givenName": "Ada"},
    )
    assert values_of(made.flows, "FirstName") == [False]
    assert values_of(made.flows_on_create, "FirstName") == [True]


def test_attributes_that_only_grow_are_named(tmp_path: Path) -> None:
    mapping = load(
        tmp_path,
        mapping_text(
            "- {targetAttributeName: PermissionSets, source: '[appRoleAssignments]', flowType: MultiValueAddOnly}"
        ),
    )
    assert accounts(mapping, {}).add_only == {"PermissionSets"}


def test_an_ignored_attribute_keeps_what_the_target_has(tmp_path: Path) -> None:
    source = "IgnoreFlowIfNullOrEmpty([givenName])"
    mapping = load(tmp_path, mapping_text(entry("FirstName", source, "defaultValue: Nobody", "flowNullValues: true")))
    made = accounts(mapping, {"givenName": ""}, {"givenName": "Ada"})
    assert values_of(made.flows, "FirstName") == [False, True]
    assert values_of(made.flows_on_create, "FirstName") == [False, True]


@pytest.mark.parametrize("target", ["objectFilter", "FirstName"])
def test_an_ignored_object_is_left_alone(tmp_path: Path, target: str) -> None:
    source = 'IIF([city] = "Rome", IgnoreObjectFlow, [city])'
    made = accounts(
        load(tmp_path, mapping_text(f"- targetAttributeName: {target}\n  source: {source}")),
        {"city": "Rome"},
        {"city": "Oslo"},
    )
    assert values_of(made.people, "left_alone") == [True, False]
    assert values_of(made.flows, "LoginName") == [False, True]
    assert "objectFilter" not in made.values.columns


def test_an_object_filter_that_cannot_tell_is_that_persons_error(tmp_path: Path) -> None:
    mapping = load(tmp_path, mapping_text(entry("objectFilter", "Item([otherMails], 2)")))
    made = accounts(mapping, {"otherMails": ["a@acme.test"]}, {"otherMails": ["a@acme.test", "b@acme.test"]})
    assert values_of(made.people, "error_attribute") == ["objectFilter", None]
    assert values_of(made.flows, "LoginName") == [False, True]


def test_an_error_stops_that_person_and_nobody_else(tmp_path: Path) -> None:
    mapping = load(tmp_path, mapping_text("- {targetAttributeName: StartDate, source: '[employeeId]'}"))
    made = accounts(mapping, {"employeeId": "soon"}, {"employeeId": "2026-03-09"}, {"employeeId": None})
    assert values_of(made.people, "error_attribute") == ["StartDate", None, None]
    assert "takes a date, found 'soon'" in values_of(made.people, "error")[0]
    assert values_of(made.flows, "LoginName") == [False, True, True]
    assert values_of(made.flows_on_create, "LoginName") == [False, True, True]


def test_a_required_attribute_without_a_value_is_an_error(tmp_path: Path) -> None:
    made = accounts(load(tmp_path, mapping_text()), {"userPrincipalName": None}, {})
    assert values_of(made.people, "error_attribute") == ["LoginName", None]
    assert "LoginName is required" in values_of(made.people, "error")[0]


@pytest.mark.parametrize("row", [{"entitled": False}, {"accountEnabled": "False"}, {"presence": "hard_deleted"}])
def test_an_error_does_not_keep_a_leaver_signed_in(tmp_path: Path, row: dict[str, object]) -> None:
    made = accounts(load(tmp_path, mapping_text()), {"userPrincipalName": None, **row})
    assert values_of(made.people, "error") == [None]
    assert values_of(made.people, "active") == [False]
    assert values_of(made.people, "left_alone") == [False]


LOGIN_ONLY = "          - {targetAttributeName: LoginName, source: '[userPrincipalName]', matchingPriority: 1}\n"


@pytest.mark.parametrize(
    ("attributes", "row", "left_alone"),
    [
        ("", {"entitled": False}, True),
        ("", {"accountEnabled": "False"}, True),
        ("", {"presence": "hard_deleted"}, False),
        ("", {}, False),
        ("- {targetAttributeName: LoginEnabled, source: '[accountEnabled]'}", {"accountEnabled": "False"}, False),
        (
            "- {targetAttributeName: LoginEnabled, source: '[accountEnabled]'}",
            {"accountEnabled": "True", "entitled": False},
            True,
        ),
        (
            "- {targetAttributeName: LoginEnabled, source: 'Not([IsSoftDeleted])', flowType: ObjectAddOnly}",
            {"entitled": False},
            True,
        ),
        ("- {targetAttributeName: LoginEnabled, source: '[city]'}", {"entitled": False, "city": "x"}, False),
    ],
)
def test_a_mapping_that_takes_no_login_away_leaves_leavers_alone(
    tmp_path: Path, attributes: str, row: dict[str, object], left_alone: bool
) -> None:
    made = accounts(load(tmp_path, mapping_text(attributes, login=LOGIN_ONLY)), row)
    assert values_of(made.people, "left_alone") == [left_alone]


def test_the_persons_id_is_an_attribute_like_any_other(tmp_path: Path) -> None:
    made = accounts(load(tmp_path, mapping_text("- {targetAttributeName: EmployeeId, source: '[objectId]'}")), {})
    assert values_of(made.values, "EmployeeId") == ["id-0"]


@pytest.mark.parametrize(
    ("column", "text"),
    [
        (pd.Series(["Oslo"], dtype="str"), "Oslo"),
        (pd.Series(["Oslo"], dtype="category"), "Oslo"),
        (pd.Series([True]), "True"),
        (pd.Series([7]), "7"),
        (pd.Series([None]), None),
        (pd.Series([["Oslo"]], dtype=pd.ArrowDtype(pa.large_list(pa.large_string()))), "Oslo"),
    ],
)
def test_columns_of_other_types_are_read_as_text(tmp_path: Path, column: pd.Series, text: str | None) -> None:
    mapping = load(tmp_path, mapping_text(entry("FirstName", "'[city]'")))
    made = to_accounts(people({}).assign(city=column), mapping, now=NOW)
    assert values_of(made.values, "FirstName") == [text]


def test_progress_is_told_attribute_by_attribute(tmp_path: Path) -> None:
    told: list[tuple[str, int, int | None, str]] = []

    def progress(stage: str, done: int, total: int | None, note: str = "") -> None:
        told.append((stage, done, total, note))

    to_accounts(people({}), load(tmp_path, mapping_text()), now=NOW, progress=progress)
    assert told == [("transform", 0, 2, "LoginName"), ("transform", 1, 2, "LoginEnabled"), ("transform", 2, 2, "")]


PEOPLE = st.fixed_dictionaries(
    {
        "entitled": st.booleans(),
        "presence": st.sampled_from(list(Presence)).map(str),
        "accountEnabled": st.sampled_from(["True", "False", None]),
        "employeeType": st.sampled_from(["Employee", "Guest", None]),
        "employeeHireDate": st.sampled_from(["2026-03-09", "nonsense", "", None]),
        "userPrincipalName": st.sampled_from(["a@acme.test", None]),
    }
)


@settings(max_examples=40, deadline=None)
@given(st.lists(PEOPLE, min_size=1, max_size=6))
def test_everybody_together_equals_each_one_alone(
    tmp_path_factory: pytest.TempPathFactory, rows: list[dict[str, object]]
) -> None:
    mapping = load(
        tmp_path_factory.mktemp("mapping"),
        mapping_text(
            "- {targetAttributeName: StartDate, source: '[employeeHireDate]', defaultValue: 2026-01-01}",
            scope=scope_text(STAFF),
        ),
    )
    together = accounts(mapping, *rows)
    for place, row in enumerate(rows):
        alone = accounts(mapping, {**row, "source_id": f"id-{place}"})
        for part in ("people", "values", "flows", "on_create", "flows_on_create"):
            whole: pd.DataFrame = getattr(together, part)
            single: pd.DataFrame = getattr(alone, part)
            assert single.equals(whole.iloc[[place]].reset_index(drop=True))


UNIQUE = entry("EmployeeId", """'SelectUniqueValue([mailNickname], Append([mailNickname], "2"))'""")


def test_only_people_without_an_account_are_asked_about_unique_values(tmp_path: Path) -> None:
    asked: list[tuple[str, list[str]]] = []

    def taken(attribute: str, values: pa.Array) -> pa.Array:
        asked.append((attribute, values.to_pylist()))
        return pa.array([value == "ann" for value in values.to_pylist()])

    made = to_accounts(
        people(*({"mailNickname": name} for name in ("ann", "bob", "cid"))),
        load(tmp_path, mapping_text(UNIQUE)),
        now=NOW,
        taken=taken,
        linked=pd.Series(["id-1"], dtype=STRING),
    )
    assert made.on_create["EmployeeId"].fillna("nothing").tolist() == ["ann2", "nothing", "cid"]
    assert made.flows["EmployeeId"].tolist() == [False] * 3
    assert {attribute for attribute, _ in asked} == {"EmployeeId"}
    assert not any("bob" in values for _, values in asked)
    assert made.people["error"].isna().all()


def test_a_unique_value_needs_an_attribute_that_accounts_can_be_found_by(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match=r"FirstName.*cannot be found by this attribute"):
        load(tmp_path, mapping_text(UNIQUE.replace("EmployeeId", "FirstName")))
