"""A preview tells which accounts another mapping would change, attribute by attribute."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from tasks.transform.preview import PREVIEW_COLUMNS, preview
from tests.transform.cases import NOW, group_text, load, mapping_text, people, scope_text

NAME = "- {targetAttributeName: FirstName, source: '[givenName]'}"


def changes(folder: Path, old: str, new: str, *rows: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """Give the preview's rows without the source id, null as None."""
    frame = preview(people(*rows), load(folder, new), load(folder, old), now=NOW)
    assert list(frame.columns) == list(PREVIEW_COLUMNS)
    plain = frame.astype(object).where(frame.notna(), None)
    return [tuple(row)[1:] for row in plain.itertuples(index=False)]


def test_the_same_mapping_changes_nothing(tmp_path: Path) -> None:
    assert changes(tmp_path, mapping_text(NAME), mapping_text(NAME), {"givenName": "Ada"}) == []


def test_a_changed_expression_shows_for_whom_it_gives_something_else(tmp_path: Path) -> None:
    new = mapping_text(NAME.replace("[givenName]", "ToLower([givenName])"))
    found = changes(tmp_path, mapping_text(NAME), new, {"givenName": "Ada"}, {"givenName": "bo"}, {"givenName": None})
    assert found == [("p0@acme.test", "FirstName", "Ada", "ada", "all accounts")]


def test_an_attribute_that_is_new_or_gone_shows_with_null(tmp_path: Path) -> None:
    row = {"givenName": "Ada"}
    assert changes(tmp_path, mapping_text(), mapping_text(NAME), row)[0][1:] == (
        "FirstName",
        None,
        "Ada",
        "all accounts",
    )
    assert changes(tmp_path, mapping_text(NAME), mapping_text(), row)[0][1:] == (
        "FirstName",
        "Ada",
        None,
        "all accounts",
    )


def test_a_default_shows_for_new_accounts_only(tmp_path: Path) -> None:
    new = mapping_text(NAME.replace("}", ", defaultValue: X}"))
    assert changes(tmp_path, mapping_text(NAME), new, {}) == [("p0@acme.test", "FirstName", None, "X", "new accounts")]


def test_a_value_that_starts_to_clear_shows_as_empty_for_existing_accounts(tmp_path: Path) -> None:
    new = mapping_text(NAME.replace("}", ", flowNullValues: true}"))
    found = changes(tmp_path, mapping_text(NAME), new, {})
    assert found == [("p0@acme.test", "FirstName", None, "", "existing accounts")]


def test_several_values_show_as_json(tmp_path: Path) -> None:
    new = mapping_text("- {targetAttributeName: PermissionSets, source: '[appRoleAssignments]'}")
    found = changes(tmp_path, mapping_text(), new, {"appRoleAssignments": ['a "b"', "é"]}, {})
    assert [row[3] for row in found] == ['["a \\"b\\"", "é"]']


def test_a_filter_shows_who_leaves_the_scope_and_why(tmp_path: Path) -> None:
    group = group_text("city", "EQUALS", "Oslo")
    found = changes(tmp_path, mapping_text(), mapping_text(scope=scope_text(group)), {"city": "Oslo"}, {"city": "Rome"})
    assert {row[0] for row in found} == {"p1@acme.test"}
    assert {row[1]: row[2:4] for row in found} == {
        "(scope)": ("in scope: role User", "out of scope: does not pass the scoping filter: Staff city EQUALS Oslo"),
        "(active)": ("True", "False"),
        "LoginEnabled": ("True", "False"),
    }


def test_an_error_shows_as_one(tmp_path: Path) -> None:
    new = mapping_text("- {targetAttributeName: StartDate, source: '[city]'}")
    found = {row[1]: row[3] for row in changes(tmp_path, mapping_text(), new, {"city": "Oslo"})}
    assert "takes a date" in found["(error)"]
    assert found["LoginName"] is None


def test_rows_come_in_the_order_of_the_people(tmp_path: Path) -> None:
    new = mapping_text(NAME + "\n- {targetAttributeName: LastName, source: '[givenName]'}")
    rows = [{"givenName": name} for name in ("Ada", "Bo", "Cy")]
    names = [row[0] for row in changes(tmp_path, mapping_text(), new, *rows)]
    assert names == sorted(names)
    assert len(names) == 6


def test_nobody_gives_an_empty_frame(tmp_path: Path) -> None:
    mapping = load(tmp_path, mapping_text())
    frame = preview(people({}).head(0), mapping, mapping, now=NOW)
    assert frame.dtypes.to_dict() == dict(PREVIEW_COLUMNS)
    assert isinstance(frame, pd.DataFrame)
