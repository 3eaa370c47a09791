"""Writes a mapping as JSON that Microsoft Graph takes back, or as YAML with the defaults left out.

`provision mapping export` and `import` call it. What is written loads with the same meaning.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any, Final

import yaml

from tasks.model import TargetAttribute
from tasks.transform.mapping import AttributeMapping
from tasks.transform.schema_model import (
    USER,
    AttributeDefinition,
    AttributeType,
    Comparison,
    Directory,
    Mutability,
    ObjectDefinition,
    Schema,
    SynchronizationRule,
)
from tasks.transform.schema_sources import from_expression
from tasks.transform.source_attributes import KnownAttributes

WIDTH: Final = 110
"""Characters after which YAML lines are folded."""


def export_json(mapping: AttributeMapping) -> str:
    """Write the mapping as a synchronizationSchema with every field, both directories and all source trees.

    Attributes that the file uses and does not declare are declared; a `flowNullValues` of an attribute's mapping is
    moved to the target directory's definition. `id` and `version` are the provisioning job's own in Graph: they are
    written where the file has them, and otherwise have to be those of the job that the schema is put into.
    """
    document = _declared(mapping).model_dump(mode="json", by_alias=True)
    _drop_absent(document, "id", "version")
    for directory in document["directories"]:
        _drop_absent(directory, "id")
    for rule in document["synchronizationRules"]:
        _drop_absent(rule, "id")
        for object_mapping in rule["objectMappings"]:
            for entry in object_mapping["attributeMappings"]:
                del entry["flowNullValues"]
            for clause in _clauses(object_mapping["scope"]):
                if clause["multivaluedComparisonType"] == Comparison.ALL:
                    del clause["multivaluedComparisonType"]
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def export_yaml(mapping: AttributeMapping) -> str:
    """Write the mapping as YAML with the defaults left out; a source that its expression says in full is that text."""
    document = mapping.document.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    for rule, plain_rule in _pairs(mapping.document.synchronization_rules, document, "synchronizationRules"):
        for one, plain_one in _pairs(rule.object_mappings, plain_rule, "objectMappings"):
            for entry, plain_entry in _pairs(one.attribute_mappings, plain_one, "attributeMappings"):
                if entry.source is not None and entry.source == from_expression(entry.source.expression):
                    plain_entry["source"] = entry.source.expression
    return yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=WIDTH)


def _drop_absent(document: dict[str, Any], *keys: str) -> None:
    for key in keys:
        if document[key] is None:
            del document[key]


def _clauses(scope: dict[str, Any] | None) -> Iterator[dict[str, Any]]:
    """Give every clause of a scope: Graph's clauses do not have all the keys that ours may have."""
    for groups in ("groups", "inputFilterGroups", "categoryFilterGroups"):
        for group in (scope or {}).get(groups, ()):
            yield from group["clauses"]


def _pairs(parts: Iterable[Any], document: dict[str, Any], key: str) -> Iterator[tuple[Any, dict[str, Any]]]:
    return zip(parts, document.get(key, ()), strict=True)


def _declared(mapping: AttributeMapping) -> Schema:
    """Give the schema with both directories declaring every attribute that the mapping uses."""
    document = mapping.document
    rule = next(rule for rule in document.synchronization_rules if mapping.user_mapping in rule.object_mappings)
    sides = (
        (rule.source_directory_name, list(_source_definitions(mapping, rule))),
        (rule.target_directory_name, list(_target_definitions(mapping, rule))),
    )
    directories = list(document.directories)
    for name, definitions in sides:
        place = next((place for place, one in enumerate(directories) if one.name == name), None)
        if place is None:
            directories.append(
                Directory(name=name, objects=(ObjectDefinition(name=USER, attributes=tuple(definitions)),))
            )
        else:
            directories[place] = _extended(directories[place], definitions)
    return document.model_copy(update={"directories": tuple(directories)})


def _extended(directory: Directory, definitions: list[AttributeDefinition]) -> Directory:
    """Give the directory with `definitions` in place of those of the same name, new ones at the end."""
    objects = (
        directory.objects
        if any(one.name == USER for one in directory.objects)
        else (
            *directory.objects,
            ObjectDefinition(name=USER),
        )
    )
    by_name = {definition.name: definition for definition in definitions}

    def merged(one: ObjectDefinition) -> ObjectDefinition:
        if one.name != USER:
            return one
        kept = tuple(by_name.get(attribute.name, attribute) for attribute in one.attributes)
        known = {attribute.name for attribute in kept}
        added = tuple(definition for name, definition in by_name.items() if name not in known)
        return one.model_copy(update={"attributes": kept + added})

    return directory.model_copy(update={"objects": tuple(merged(one) for one in objects)})


def _source_definitions(mapping: AttributeMapping, rule: SynchronizationRule) -> Iterator[AttributeDefinition]:
    declared = mapping.document.definitions(rule.source_directory_name, USER)
    if not declared:
        yield AttributeDefinition(name="objectId", anchor=True)
    known = KnownAttributes(declared)
    used = {
        name for attribute in mapping.attributes if attribute.expression for name in attribute.expression.attributes
    }
    if mapping.object_filter is not None:
        used |= mapping.object_filter.attributes
    used |= mapping.scope.attributes | mapping.input_scope.attributes
    for name in sorted(used - declared.keys() - {"objectId"}):
        found = known.find(name)
        if found is not None:
            yield AttributeDefinition(name=name, type=found.type, multivalued=found.multivalued)


def _target_definitions(mapping: AttributeMapping, rule: SynchronizationRule) -> Iterator[AttributeDefinition]:
    declared = mapping.document.definitions(rule.target_directory_name, USER)
    for attribute in mapping.attributes:
        definition = declared.get(attribute.name)
        if definition is None:
            yield _definition(attribute.target, flow_nulls=attribute.flow_nulls)
        elif definition.flow_null_values != attribute.flow_nulls:
            yield definition.model_copy(update={"flow_null_values": attribute.flow_nulls})


def _definition(target: TargetAttribute, *, flow_nulls: bool) -> AttributeDefinition:
    """Declare a target attribute in Microsoft's words; a group is known to them as text."""
    known = target.type in set(AttributeType)
    return AttributeDefinition(
        name=target.name,
        type=AttributeType(target.type) if known else AttributeType.STRING,
        case_exact=target.case_exact,
        flow_null_values=flow_nulls,
        multivalued=target.multivalued,
        mutability=Mutability.READ_WRITE if target.readable else Mutability.WRITE_ONLY,
        required=target.required,
    )
