"""A schema loads as Microsoft exports it, says what is not honoured, and comes back from a round trip unchanged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.connectors.replicon.attributes import TARGET_ATTRIBUTES
from tasks.transform.mapping import AttributeMapping, MappingKind
from tasks.transform.schema import load_mapping
from tasks.transform.schema_model import FlowAction, FlowType, Schema
from tasks.transform.schema_sources import Source, from_expression, to_expression
from tasks.transform.schema_writer import export_json, export_yaml
from tests.transform.cases import DEFAULT_MAPPING, FIXTURES, entry, load, mapping_text, scope_text, written

EXPORTED = FIXTURES / "exported_schema.json"


@pytest.fixture(scope="module")
def exported() -> AttributeMapping:
    return load_mapping(EXPORTED, TARGET_ATTRIBUTES)


def test_an_exported_schema_loads_unchanged(exported: AttributeMapping) -> None:
    kinds = {attribute.name: attribute.kind for attribute in exported.attributes}
    assert kinds["LoginName"] is MappingKind.DIRECT
    assert kinds["DisplayName"] is MappingKind.EXPRESSION
    assert kinds["TimeZone"] is MappingKind.NONE
    assert [(one.attribute, one.priority) for one in exported.matching] == [("LoginName", 1), ("EmailAddress", 2)]
    assert exported.flow_types == frozenset(FlowAction)


def test_definitions_of_the_target_directory_count(exported: AttributeMapping) -> None:
    mapped = exported.by_name
    assert mapped["StartDate"].flow_type is FlowType.OBJECT_ADD_ONLY, "an immutable attribute is written once"
    assert mapped["Location"].flow_nulls
    assert not mapped["Department"].flow_nulls
    assert mapped["LoginName"].required


def test_the_source_has_to_be_read_for_what_expressions_and_filters_name(exported: AttributeMapping) -> None:
    assert {"employeeHireDate", "dirSyncEnabled", "country", "accountEnabled"} <= exported.source_attributes
    assert not {"IsSoftDeleted", "appRoleAssignments"} & exported.source_attributes


@pytest.mark.parametrize(
    "name",
    [
        "Synchronize Azure Active Directory Groups to Replicon",
        "TimeZone",
        "EscrowBehavior",
        "provisioningTaskIdentifier",
    ],
)
def test_what_is_not_honoured_is_noted_by_name(exported: AttributeMapping, name: str) -> None:
    assert any(name in note for note in exported.notes)


@pytest.mark.parametrize(
    ("key", "value", "note"),
    [
        ("flowBehavior", "FlowAlways", "flowBehavior FlowAlways of FirstName"),
        ("exportMissingReferences", True, "exportMissingReferences of FirstName"),
        ("flowType", "MultiValueAddOnly", "flowType MultiValueAddOnly of FirstName"),
        ("somethingNew", 1, "keys somethingNew"),
    ],
)
def test_a_property_that_is_not_honoured_is_noted(tmp_path: Path, key: str, value: object, note: str) -> None:
    further = {"targetAttributeName": "FirstName", "source": {"type": "Attribute", "name": "givenName"}, key: value}
    mapping = load_mapping(_with_entry(tmp_path, further), TARGET_ATTRIBUTES)
    assert any(one.startswith(note) for one in mapping.notes)


def test_filters_of_unknown_meaning_are_noted(tmp_path: Path) -> None:
    groups = "- {name: Category A, clauses: [{sourceOperandName: city, operatorName: IS NULL}]}"
    mapping = load(tmp_path, mapping_text(scope=scope_text(groups, "categoryFilterGroups")))
    assert any(note.startswith("categoryFilterGroups of Category A: NOT honoured") for note in mapping.notes)


def test_parameters_that_contradict_the_expression_are_noted(tmp_path: Path) -> None:
    parameters = [{"key": "source", "value": {"type": "Attribute", "name": "surname", "expression": "[surname]"}}]
    source = {"type": "Function", "name": "ToLower", "expression": "ToLower([givenName])", "parameters": parameters}
    mapping = load_mapping(
        _with_entry(tmp_path, {"targetAttributeName": "FirstName", "source": source}), TARGET_ATTRIBUTES
    )
    assert any(note.startswith("the source's parameters of FirstName") for note in mapping.notes)
    assert mapping.by_name["FirstName"].expression.attributes == {"givenName"}  # type: ignore[union-attr]  # it has one


def test_a_mapping_that_never_disables_is_noted(tmp_path: Path) -> None:
    login = "          - {targetAttributeName: LoginName, source: '[mail]', matchingPriority: 1}\n"
    mapping = load(tmp_path, mapping_text(login=login))
    assert any(note.startswith("LoginEnabled: no expression of it reads IsSoftDeleted") for note in mapping.notes)


@pytest.mark.parametrize("file", [EXPORTED, DEFAULT_MAPPING], ids=["exported", "default"])
def test_json_and_yaml_round_trips_mean_the_same(tmp_path: Path, file: Path) -> None:
    first = load_mapping(file, TARGET_ATTRIBUTES)
    as_json = load_mapping(written(tmp_path, export_json(first), "a.json"), TARGET_ATTRIBUTES)
    as_yaml = load_mapping(written(tmp_path, export_yaml(as_json), "b.yaml"), TARGET_ATTRIBUTES)
    assert first.digest == as_json.digest == as_yaml.digest
    assert as_yaml.document == as_json.document
    assert load_mapping(written(tmp_path, export_yaml(first), "c.yaml"), TARGET_ATTRIBUTES).document == first.document


def test_an_export_gives_back_everything_that_was_exported(exported: AttributeMapping) -> None:
    before = json.loads(EXPORTED.read_text(encoding="utf-8"))
    assert json.loads(export_json(exported)) == before


def test_an_export_declares_every_attribute_and_writes_whole_source_trees(tmp_path: Path) -> None:
    text = mapping_text(
        '- targetAttributeName: FirstName\n  source: Join(" ", [givenName], [surname])\n  flowNullValues: true'
    )
    document = json.loads(export_json(load(tmp_path, text)))
    source, target = document["directories"]
    assert {"objectId", "givenName", "surname"} <= {one["name"] for one in source["objects"][0]["attributes"]}
    definitions = {one["name"]: one for one in target["objects"][0]["attributes"]}
    assert definitions["FirstName"]["flowNullValues"] is True
    written_entry = document["synchronizationRules"][0]["objectMappings"][0]["attributeMappings"][-1]
    assert "flowNullValues" not in written_entry
    assert [parameter["key"] for parameter in written_entry["source"]["parameters"]] == [
        "separator",
        "source",
        "source",
    ]
    assert written_entry["source"]["parameters"][1]["value"]["expression"] == "[givenName]"


@pytest.mark.parametrize(
    ("source", "kind", "text"),
    [
        ("'[givenName]'", MappingKind.DIRECT, "[givenName]"),
        ("[givenName]", MappingKind.DIRECT, "[givenName]"),
        ("'\"Consultant\"'", MappingKind.CONSTANT, '"Consultant"'),
        ("42", MappingKind.CONSTANT, "42"),
        ("ToLower([givenName])", MappingKind.EXPRESSION, "ToLower([givenName])"),
        ("{type: Attribute, name: givenName}", MappingKind.DIRECT, "[givenName]"),
        ("{type: Constant, name: US}", MappingKind.CONSTANT, '"US"'),
    ],
)
def test_a_source_may_be_an_expression_or_a_tree(tmp_path: Path, source: str, kind: MappingKind, text: str) -> None:
    mapped = load(tmp_path, mapping_text(f"- targetAttributeName: FirstName\n  source: {source}")).by_name["FirstName"]
    assert mapped.kind is kind
    assert mapped.expression is not None
    assert mapped.expression.text == text


def test_spacing_order_and_form_do_not_change_the_digest(tmp_path: Path) -> None:
    first, last = entry("FirstName", "ToLower( [givenName] )"), entry("LastName", "'[surname]'")
    one = load(tmp_path, mapping_text(first + last))
    other = load(tmp_path, mapping_text(last + entry("FirstName", "ToLower([givenName])")))
    changed = load(tmp_path, mapping_text(last + entry("FirstName", "ToLower([surname])")))
    assert one.digest == other.digest
    assert one.digest != changed.digest


def test_directory_extensions_and_declared_attributes_are_known(tmp_path: Path) -> None:
    extension = "extension_" + "0a" * 16 + "_shoeSize"
    declared = (
        "directories:\n  - name: Azure Active Directory\n    objects:\n"
        "      - {name: User, attributes: [{name: favouriteColour}]}\n"
    )
    text = declared + mapping_text(
        f"- targetAttributeName: FirstName\n  source: '[{extension}]'\n"
        "- targetAttributeName: LastName\n  source: '[favouriteColour]'\n"
        "- targetAttributeName: 'CustomField:Badge'\n  source: '[extensionAttribute15]'"
    )
    assert {extension, "favouriteColour", "extensionAttribute15"} <= load(tmp_path, text).source_attributes


ARGUMENTS = st.sampled_from(["[mail]", '"a \\"b\\" \\\\c"', "7", "vbTextCompare", "[x] = [y]", "[x] & [y]"])
EXPRESSIONS = st.recursive(
    ARGUMENTS,
    lambda inner: st.builds(
        lambda name, arguments: f"{name}({', '.join(arguments)})",
        st.sampled_from(["ToLower", "Join", "Switch", "Replace", "FormatDateTime", "Coalesce", "Split", "Unheard"]),
        st.lists(inner | st.just(""), min_size=1, max_size=8),
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(EXPRESSIONS)
def test_source_trees_say_what_their_expressions_say(text: str) -> None:
    source = from_expression(text)
    assert from_expression(source.expression) == source
    assert Source.model_validate(source.model_dump(by_alias=True)) == source


@pytest.mark.parametrize(
    "text",
    [
        'Replace([mail], , "(?<Suffix>@(.)*)", "Suffix", "", , )',
        'Switch([Active], , "1", "True", "0", "False")',
        'Join("", [givenName], ".", [surname])',
        'FormatDateTime([hired], "yyyyMMdd", "dd/MM/yyyy")',
        "Not([IsSoftDeleted])",
    ],
)
def test_a_tree_without_its_expression_becomes_the_expression_with_its_blanks(text: str) -> None:
    bare = _without_expressions(from_expression(text).model_dump(mode="json", by_alias=True))
    assert to_expression(Source.model_validate(bare)) == text


ENTRIES = st.fixed_dictionaries(
    {},
    optional={
        "source": st.sampled_from(["[givenName]", 'Join(" ", [givenName], [surname])', '"a: \\"b\\" # c"', None]),
        "defaultValue": st.text(min_size=1, max_size=8).filter(str.isprintable),
        "flowType": st.sampled_from(list(FlowType)).map(str),
        "flowBehavior": st.sampled_from(["FlowWhenChanged", "FlowAlways"]),
        "exportMissingReferences": st.booleans(),
        "flowNullValues": st.booleans(),
        "keyOfTheFuture": st.none() | st.integers() | st.lists(st.text(max_size=3), max_size=2),
    },
)
CLAUSES = st.fixed_dictionaries(
    {
        "sourceOperandName": st.sampled_from(["city", "otherMails", "accountEnabled"]),
        "operatorName": st.sampled_from(["EQUALS", "IS NULL", "REGEX MATCH", "!&"]),
        "targetOperand": st.fixed_dictionaries({"values": st.lists(st.sampled_from(["a", "007", "True"]), min_size=1)}),
    },
    optional={"multivaluedComparisonType": st.sampled_from(["All", "Any"])},
)
GROUPS = st.lists(
    st.fixed_dictionaries(
        {"clauses": st.lists(CLAUSES, min_size=1, max_size=2)}, optional={"name": st.text(max_size=5)}
    ),
    max_size=2,
)


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(st.sampled_from(["FirstName", "LastName", "Department", "CustomField:Desk: 1"]), ENTRIES),
    GROUPS,
    GROUPS,
    st.sets(st.sampled_from(list(FlowAction)).map(str)),
)
def test_any_mapping_survives_both_round_trips(
    tmp_path_factory: pytest.TempPathFactory,
    entries: dict[str, dict[str, object]],
    groups: list[object],
    inputs: list[object],
    flow_types: set[str],
) -> None:
    folder = tmp_path_factory.mktemp("mapping")
    login = {"targetAttributeName": "LoginName", "matchingPriority": 1, "source": "[userPrincipalName]"}
    user = {
        "flowTypes": ", ".join(sorted(flow_types)),
        "scope": {"groups": groups, "inputFilterGroups": inputs},
        "attributeMappings": [login, *({"targetAttributeName": name, **rest} for name, rest in entries.items())],
    }
    text = json.dumps({"synchronizationRules": [{"objectMappings": [user]}]})
    first = load_mapping(written(folder, text, "a.json"), TARGET_ATTRIBUTES)
    as_json = load_mapping(written(folder, export_json(first), "b.json"), TARGET_ATTRIBUTES)
    as_yaml = load_mapping(written(folder, export_yaml(first), "c.yaml"), TARGET_ATTRIBUTES)
    assert as_yaml.document == first.document
    assert first.digest == as_json.digest == as_yaml.digest
    assert export_json(as_json) == export_json(first)


def test_attributes_that_logs_must_not_show_are_named(tmp_path: Path) -> None:
    mapping = load(tmp_path, mapping_text(entry("FirstName", "Redact([givenName])") + entry("LastName", "'[surname]'")))
    assert mapping.redacted == {"FirstName"}


def test_null_means_the_default_of_a_key(tmp_path: Path) -> None:
    nulls = {"source": None, "flowType": None, "matchingPriority": None, "exportMissingReferences": None}
    mapping = load_mapping(
        _with_entry(tmp_path, {"targetAttributeName": "FirstName", "defaultValue": "X", **nulls}), TARGET_ATTRIBUTES
    )
    assert mapping.by_name["FirstName"].flow_type is FlowType.ALWAYS


def test_an_empty_schema_equals_itself_through_the_wire() -> None:
    assert Schema.model_validate(Schema().model_dump(by_alias=True)) == Schema()


def _without_expressions(source: dict[str, object]) -> dict[str, object]:
    parameters = source["parameters"]
    assert isinstance(parameters, list)
    kept = [{"key": one["key"], "value": _without_expressions(one["value"])} for one in parameters]
    return {"type": source["type"], "name": source["name"], "parameters": kept}


def _with_entry(folder: Path, further: dict[str, object]) -> Path:
    login = {"targetAttributeName": "LoginName", "matchingPriority": 1, "source": "[userPrincipalName]"}
    enabled = {"targetAttributeName": "LoginEnabled", "source": "Not([IsSoftDeleted])"}
    rules = [{"objectMappings": [{"attributeMappings": [login, enabled, further]}]}]
    return written(folder, json.dumps({"synchronizationRules": rules}, indent=1), "mapping.json")


def test_a_declared_target_attribute_that_replicon_has_not_is_noted_and_kept(tmp_path: Path) -> None:
    schema = json.loads(EXPORTED.read_text(encoding="utf-8"))
    rule = schema["synchronizationRules"][0]
    directory = next(one for one in schema["directories"] if one["name"] == rule["targetDirectoryName"])
    directory["objects"][0]["attributes"].append({"name": "HourlyMood", "type": "String"})
    rule["objectMappings"][0]["attributeMappings"].append(
        {"targetAttributeName": "HourlyMood", "source": {"type": "Attribute", "name": "city", "expression": "[city]"}}
    )
    file = tmp_path / "schema.json"
    file.write_text(json.dumps(schema), encoding="utf-8")
    mapping = load_mapping(file, TARGET_ATTRIBUTES)
    assert "HourlyMood" not in mapping.by_name
    assert any(note.startswith("mapping of HourlyMood: not honoured") for note in mapping.notes)
    assert "HourlyMood" in export_json(mapping)
