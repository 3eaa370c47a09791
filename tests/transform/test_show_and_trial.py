"""A mapping shows as the portal shows it, and an expression can be tried for one person."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.connectors.replicon.attributes import TARGET_ATTRIBUTES
from tasks.model import BadInputError
from tasks.transform.schema import load_mapping
from tasks.transform.show import MappingRow, mapping_rows, scope_lines
from tasks.transform.trial import Outcome, person_values, read_settings, try_expression
from tests.transform.cases import FIXTURES, NOW, load, mapping_text, people


def test_the_table_says_type_source_target_default_precedence_and_when() -> None:
    rows = mapping_rows(load_mapping(FIXTURES / "exported_schema.json", TARGET_ATTRIBUTES))
    assert rows[0] == MappingRow("Direct", "[userPrincipalName]", "LoginName", "", "1", "Always")
    assert rows[1].match == "2"
    by_target = {row.target: row for row in rows}
    assert by_target["TimeZone"] == MappingRow("None", "", "TimeZone", "Europe/Paris", "", "Only during creation")
    assert by_target["StartDate"].apply == "Only during creation"
    assert by_target["PermissionSets"].apply == "Always, adding values only"


def test_the_scope_reads_as_sentences() -> None:
    mapping = load_mapping(FIXTURES / "exported_schema.json", TARGET_ATTRIBUTES)
    assert scope_lines(mapping)[0] == (
        "in scope if Staff of Europe: dirSyncEnabled EQUALS True and country REGEX MATCH (DE|FR|GB)"
    )
    assert scope_lines(mapping)[-1] == "left alone unless No test accounts: userPrincipalName NOT REGEX MATCH test-.*"


def test_an_object_filter_shows_as_a_row(tmp_path: Path) -> None:
    mapping = load(
        tmp_path,
        mapping_text("- {targetAttributeName: objectFilter, source: 'IIF([city] = \"x\", IgnoreObjectFlow, [city])'}"),
    )
    assert mapping_rows(mapping)[-1].target == "objectFilter"


@pytest.mark.parametrize(
    ("text", "outcome", "value"),
    [
        ("ToLower([givenName])", Outcome.VALUE, "ada"),
        ("[absent]", Outcome.VALUE, None),
        ("[otherMails]", Outcome.VALUE, ["a@x", "b@x"]),
        ("IgnoreFlowIfNullOrEmpty([absent])", Outcome.IGNORE_ATTRIBUTE, None),
        ('IIF([givenName] = "Ada", IgnoreObjectFlow, "x")', Outcome.IGNORE_OBJECT, None),
        ('Error("no account name")', Outcome.ERROR, None),
    ],
)
def test_an_expression_is_tried_for_one_person(text: str, outcome: Outcome, value: object) -> None:
    tried = try_expression(text, {"givenName": "Ada", "otherMails": ["a@x", "b@x"]}, now=NOW)
    assert (tried.outcome, tried.value) == (outcome, value)
    assert (tried.error is not None) == (outcome is Outcome.ERROR)


def test_a_trial_tells_its_steps() -> None:
    assert len(try_expression("ToLower([givenName])", {"givenName": "Ada"}, now=NOW).steps) >= 2


def test_a_trial_of_an_unknown_attribute_is_refused() -> None:
    with pytest.raises(BadInputError, match="givenNme"):
        try_expression("[givenNme]", {}, now=NOW, known_attributes=["givenName"])


def test_settings_are_read_and_repeated_ones_are_lists() -> None:
    read = read_settings(["city=Oslo", "mail=", "role=a", "role=b=c", "role=d"])
    assert read == {"city": "Oslo", "mail": "", "role": ["a", "b=c", "d"]}


@pytest.mark.parametrize("setting", ["city", "=x", " =x"])
def test_a_setting_that_sets_nothing_is_refused(setting: str) -> None:
    with pytest.raises(BadInputError, match="attribute=value"):
        read_settings([setting])


def test_a_persons_values_include_what_is_computed(tmp_path: Path) -> None:
    values = person_values(people({"city": "Oslo"}, {"entitled": False}), load(tmp_path, mapping_text()), "id-1")
    assert values["IsSoftDeleted"] == "True"
    assert values["objectId"] == "id-1"
    assert values["city"] is None


def test_a_person_who_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="no person with the id 'id-9'"):
        person_values(people({}), load(tmp_path, mapping_text()), "id-9")
