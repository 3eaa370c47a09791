"""What a mapping may not say is refused when it is loaded: all of it at once, with file, line, attribute and remedy."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tasks.connectors.replicon.attributes import TARGET_ATTRIBUTES
from tasks.model import BadInputError
from tasks.transform.schema import check_mapping, load_mapping
from tests.transform.cases import LOGIN, group_text, mapping_text, problems, scope_text, written


def lines(name: str, *keys: str) -> str:
    """Give one attribute's mapping with these keys."""
    return "\n  ".join([f"- targetAttributeName: {name}", *keys])


@pytest.mark.parametrize(
    ("attributes", "line", "attribute", "message"),
    [
        (
            lines("FirstNme", "source: '[givenName]'"),
            10,
            "FirstNme",
            r"no such target attribute\. Did you mean FirstName\?",
        ),
        (lines("FirstName", "source: '[givenNme]'"), 11, "FirstName", r"givenNme.*Did you mean \[givenName\]\?"),
        (lines("FirstName", "source: ToLowr([mail])"), 11, "FirstName", r"ToLowr.*Did you mean ToLower\?"),
        (lines("FirstName", "source: ToLower([mail]"), 11, "FirstName", r"line 1, column 15.*parenthesis"),
        (lines("FirstName", f"source: '\"{'x' * 10_000}\"'"), 11, "FirstName", "10,002 characters"),
        (lines("FirstName", "source: '[samAccountName]'"), 11, "FirstName", "samAccountName"),
        (lines("LoginName", "source: '[mail]'"), 10, "LoginName", "mapped twice"),
        (lines("FirstName", "source: '[mail]'", "matchingPriority: 2"), 12, "FirstName", "cannot be found by"),
        (lines("FirstName", "source: '[mail]'", "matchingPriority: -1"), 12, "FirstName", "0 .* or more"),
        (
            lines("EmailAddress", "source: '[mail]'", "matchingPriority: 1"),
            10,
            "EmailAddress",
            "LoginName has the same",
        ),
        (lines("EmailAddress", "defaultValue: x", "matchingPriority: 2"), 10, "EmailAddress", "needs a source"),
        (
            lines("EmailAddress", "source: SelectUniqueValue([mail], [city])", "matchingPriority: 2"),
            11,
            "EmailAddress",
            "not allowed on a matching attribute",
        ),
        (
            lines("FirstName", "source: ToLower(SelectUniqueValue([mail], [city]))"),
            11,
            "FirstName",
            "SelectUniqueValue",
        ),
        (lines("Supervisor", 'source: Switch([city], [manager], "a", "b")'), 11, "Supervisor", "Switch is not allowed"),
        (lines("FirstName", 'source: Switch([manager], "", "a", "b")'), 11, "FirstName", "Switch is not allowed"),
        (lines("StartDate", "source: '\"soon\"'"), 11, "StartDate", r"takes a date, found 'soon'"),
        (lines("StartDate", "source: '[mail]'", "defaultValue: 31/12/2026"), 12, "StartDate", "takes a date"),
        (
            lines("FirstName", "source: '[mail]'", "flowType: Alway"),
            12,
            "FirstName",
            r"Always, .*Did you mean Always\?",
        ),
        (
            lines("FirstName", "source: '[mail]'", "matchingPriority: first"),
            12,
            "FirstName",
            "matchingPriority.*'first'",
        ),
        (
            lines("FirstName", "source: '[mail]'", "matchingPriorty: 1"),
            12,
            "FirstName",
            r"Did you mean matchingPriority\?",
        ),
        (lines("FirstName", "source: '[mail]'", "source: '[city]'"), 12, "", "`source` stands twice"),
        (lines("FirstName", "source: {type: Atribute, name: mail}"), 11, "FirstName", r"Did you mean Attribute\?"),
        ("- targetAttributeName:\n  source: '[mail]'", 10, "", "`targetAttributeName` is required and absent"),
        ("- source: '[mail]'", 10, "", "`targetAttributeName` is required and absent"),
    ],
)
def test_a_wrong_attribute_is_told_with_its_line_and_remedy(
    tmp_path: Path, attributes: str, line: int, attribute: str, message: str
) -> None:
    found = problems(tmp_path, mapping_text(attributes))
    assert [(one.line, one.attribute) for one in found] == [(line, attribute)]
    assert re.search(message, found[0].message)


@pytest.mark.parametrize("key", ["groups", "inputFilterGroups"])
@pytest.mark.parametrize(
    ("attribute", "operator", "value", "message"),
    [
        ("manager", "EQUALS", "x", "cannot be used in a scoping filter"),
        ("appRoleAssignments", "EQUALS", "x", "cannot be used in a scoping filter"),
        ("userType", "EQUALS", "Guest", "cannot be used in a scoping filter"),
        ("IsMemberOf", "EQUALS", "x", "cannot be used in a scoping filter"),
        ("IsSoftDeleted", "IS TRUE", "", "cannot be used in a scoping filter"),
        ("employeeHireDate", "IS NULL", "", "holds a date"),
        ("departmnt", "EQUALS", "x", r"no such source attribute\. Did you mean department\?"),
        ("department", "EQUAL", "x", r"no operator 'EQUAL'\. Did you mean EQUALS\?"),
        ("department", "EQUALS", "", "needs a value"),
        ("department", "REGEX MATCH", "'(a'", "the pattern .* is wrong"),
        ("employeeId", "Greater_Than", "ten", "one integer"),
        ("employeeId", "Greater_Than_OR_EQUALS", "1, 2", "one integer"),
        ("department", "Includes", "x" * 10_001, "more than 10,000 characters"),
    ],
)
def test_a_wrong_filter_clause_is_told_with_its_line(
    tmp_path: Path, key: str, attribute: str, operator: str, value: str, message: str
) -> None:
    text = mapping_text(scope=scope_text(group_text(attribute, operator, value), key))
    found = problems(tmp_path, text)
    assert [(one.line, one.attribute) for one in found] == [(8, f"filter on {attribute}")]
    assert re.search(message, found[0].message)


def test_a_filter_group_without_clauses_is_refused(tmp_path: Path) -> None:
    found = problems(tmp_path, mapping_text(scope=scope_text("- {name: Staff, clauses: []}")))
    assert [(one.line, one.attribute) for one in found] == [(6, "Staff")]


def test_a_mapping_that_matches_nothing_is_refused(tmp_path: Path) -> None:
    found = problems(tmp_path, mapping_text(login=LOGIN.replace("            matchingPriority: 1\n", "")))
    assert [one.attribute for one in found] == ["matchingPriority"]
    assert "LoginName, EmailAddress, EmployeeId" in found[0].message


def test_an_account_without_its_required_attribute_is_refused(tmp_path: Path) -> None:
    login = "          - {targetAttributeName: EmailAddress, source: '[mail]', matchingPriority: 1}\n"
    found = problems(tmp_path, mapping_text(login=login))
    assert [one.attribute for one in found] == ["LoginName"]


@pytest.mark.parametrize("flow_types", ["Update, Delete", "Update"])
def test_nothing_is_required_of_a_mapping_that_creates_nothing(tmp_path: Path, flow_types: str) -> None:
    login = "          - {targetAttributeName: EmailAddress, source: '[mail]', matchingPriority: 1}\n"
    scope = f"        flowTypes: {flow_types}\n"
    assert problems(tmp_path, mapping_text(login=login, scope=scope)) == []


@pytest.mark.parametrize("definition", ["anchor: true", "mutability: ReadOnly"])
def test_what_the_target_makes_itself_is_no_target(tmp_path: Path, definition: str) -> None:
    user = f"{{name: User, attributes: [{{name: FirstName, {definition}}}]}}"
    declared = f"directories:\n- name: Replicon\n  objects: [{user}]\n"
    found = problems(tmp_path, declared + mapping_text(lines("FirstName", "source: '[givenName]'")))
    assert [one.message for one in found] == ["the target makes this attribute itself. Remove its mapping."]


def test_two_enabled_user_mappings_are_refused(tmp_path: Path) -> None:
    text = mapping_text()
    second = text.split("objectMappings:\n")[1]
    found = problems(tmp_path, text + second)
    assert [one.line for one in found] == [10]
    assert "second enabled mapping" in found[0].message


def test_a_file_without_a_user_mapping_is_refused(tmp_path: Path) -> None:
    found = problems(tmp_path, "synchronizationRules: []\n")
    assert "no enabled object mapping" in found[0].message


def test_all_problems_are_told_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = mapping_text(
        "\n".join(
            [
                lines("FirstNme", "source: '[givenName]'"),
                lines("LastName", "source: '[surnme]'", "flowType: Nver"),
                lines("Division", "source: ToLowr([city])"),
                lines("Location", "source: '[city]'", "matchingPriority: 4"),
                "- source: '[mail]'",
            ]
        ),
        scope=scope_text(group_text("manager", "EQUALS", "x")),
    )
    found = problems(tmp_path, text)
    assert [one.attribute for one in found] == [
        "filter on manager",
        "FirstNme",
        "LastName",
        "LastName",
        "Division",
        "Location",
        "",
    ]
    assert [one.line for one in found] == sorted(one.line for one in found)


def test_loading_raises_every_problem_with_file_line_and_attribute(tmp_path: Path) -> None:
    file = written(tmp_path, mapping_text(lines("FirstNme", "source: '[givenNme]'")))
    with pytest.raises(BadInputError) as caught:
        load_mapping(file, TARGET_ATTRIBUTES)
    told = str(caught.value).splitlines()
    assert [line.split(" ")[0] for line in told] == [f"{file}:10:", f"{file}:11:"]
    assert all("FirstNme: " in line for line in told)


@pytest.mark.parametrize(
    ("name", "content", "line"),
    [
        ("mapping.json", '{"synchronizationRules": [\n}', 2),
        ("mapping.yaml", "a: [\n", 2),
        ("mapping.yaml", "- a\n", 1),
        ("mapping.yaml", "", 1),
    ],
)
def test_what_is_no_schema_at_all_is_one_problem(tmp_path: Path, name: str, content: str, line: int) -> None:
    found = check_mapping(written(tmp_path, content, name), TARGET_ATTRIBUTES)
    assert [one.line for one in found] == [line]


def test_a_file_that_is_absent_is_one_problem(tmp_path: Path) -> None:
    found = check_mapping(tmp_path / "absent.yaml", TARGET_ATTRIBUTES)
    assert "cannot be read" in found[0].message


def test_a_file_that_is_not_text_is_one_problem(tmp_path: Path) -> None:
    file = tmp_path / "mapping.yaml"
    file.write_bytes(b"\xff\xfe\x00")
    assert "not UTF-8" in check_mapping(file, TARGET_ATTRIBUTES)[0].message


def test_only_what_the_source_offers_is_known(tmp_path: Path) -> None:
    file = written(tmp_path, mapping_text(lines("FirstName", "source: '[givenName]'")))
    found = check_mapping(file, TARGET_ATTRIBUTES, source_attributes=["userPrincipalName", "given"])
    assert [one.attribute for one in found] == ["FirstName"]
