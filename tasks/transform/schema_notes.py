"""Names what a mapping file asks for and is not honoured here, so that nothing is dropped in silence."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from tasks.transform.mapping import LOGIN_ENABLED, OBJECT_FILTER, MappedAttribute, MappingKind
from tasks.transform.schema_base import Part
from tasks.transform.schema_model import (
    AttributeDefinition,
    AttributeEntry,
    AttributeType,
    FlowBehavior,
    FlowType,
    MetadataEntry,
    Mutability,
    ObjectMapping,
)
from tasks.transform.schema_reader import SchemaFile
from tasks.transform.schema_sources import agrees
from tasks.transform.source_attributes import IS_SOFT_DELETED


def notes_on(
    read: SchemaFile,
    mapping: ObjectMapping,
    attributes: tuple[MappedAttribute, ...],
    definitions: Mapping[str, AttributeDefinition],
    foreign: list[str],
) -> tuple[str, ...]:
    """Give one sentence for each thing that is not honoured, with the names of what it concerns.

    `foreign` are the target attributes that the file declares and maps and that Replicon accounts do not have here.
    """
    return tuple(
        note
        for notes in (
            _other_mappings(read, mapping),
            _named(
                "mapping",
                foreign,
                "not honoured, because Replicon accounts have no such attribute here; map the ones they have.",
            ),
            _entries(mapping.attribute_mappings),
            _attributes(attributes),
            _definitions(attributes, definitions),
            _filters(mapping),
            _unread(read),
        )
        for note in notes
    )


def _named(what: str, names: list[str], why: str) -> Iterator[str]:
    if names:
        yield f"{what} of {', '.join(names)}: {why}"


def _other_mappings(read: SchemaFile, chosen: ObjectMapping) -> Iterator[str]:
    for rule in read.schema.synchronization_rules:
        for mapping in rule.object_mappings:
            if mapping is chosen:
                continue
            state = "is disabled" if not mapping.enabled else "is not honoured; only users become accounts here"
            yield (
                f"object mapping '{mapping.name}' of rule {rule.name} "
                f"({mapping.source_object_name} to {mapping.target_object_name}): {state}."
            )


def _entries(entries: tuple[AttributeEntry, ...]) -> Iterator[str]:
    def names(wanted: Callable[[AttributeEntry], bool]) -> list[str]:
        return [entry.target_attribute_name for entry in entries if wanted(entry)]

    yield from _named(
        "flowBehavior FlowAlways",
        names(lambda entry: entry.flow_behavior is FlowBehavior.FLOW_ALWAYS),
        "not honoured; only values that differ are written.",
    )
    yield from _named(
        "exportMissingReferences",
        names(lambda entry: entry.export_missing_references),
        "not honoured; a reference flows once the account it points at exists.",
    )
    yield from _named(
        "the source's parameters",
        names(lambda entry: entry.source is not None and not agrees(entry.source)),
        "they say something else than its expression; the expression counts.",
    )
    yield from _named(
        "the mapping",
        names(lambda entry: entry.target_attribute_name == OBJECT_FILTER and entry.source is None),
        "it has no source and does nothing.",
    )


def _attributes(attributes: tuple[MappedAttribute, ...]) -> Iterator[str]:
    yield from _named(
        "the default",
        [one.name for one in attributes if one.kind is MappingKind.NONE and one.default is not None],
        "given to new accounts; an account whose attribute is emptied later is left as it is.",
    )
    yield from _named(
        "the mapping",
        [one.name for one in attributes if one.kind is MappingKind.NONE and one.default is None],
        "it has neither source nor default and does nothing.",
    )
    yield from _named(
        "flowType MultiValueAddOnly",
        [
            one.name
            for one in attributes
            if one.flow_type is FlowType.MULTI_VALUE_ADD_ONLY and not one.target.multivalued
        ],
        "the attribute has one value; it flows always.",
    )
    login = next((one for one in attributes if one.name == LOGIN_ENABLED), None)
    if login is None or login.expression is None or IS_SOFT_DELETED not in login.expression.attributes:
        yield (
            f"{LOGIN_ENABLED}: no expression of it reads {IS_SOFT_DELETED}, so that whoever leaves the scope keeps "
            "the account as it is unless the expression gives False for them."
        )


def _definitions(
    attributes: tuple[MappedAttribute, ...], definitions: Mapping[str, AttributeDefinition]
) -> Iterator[str]:
    declared = [(one.target, definitions[one.name]) for one in attributes if one.name in definitions]
    yield from _named(
        "caseExact",
        [target.name for target, definition in declared if definition.case_exact != target.case_exact],
        "not honoured; whether letter case counts is the target's own rule.",
    )
    yield from _named(
        "type",
        [
            f"{target.name} ({definition.type})"
            for target, definition in declared
            if definition.type != target.type
            and not (target.type == "Group" and definition.type is AttributeType.STRING)
        ],
        "not honoured; the target's own type counts.",
    )
    yield from _named(
        "multivalued",
        [target.name for target, definition in declared if definition.multivalued != target.multivalued],
        "not honoured; the target's own rule counts.",
    )
    yield from _named(
        "mutability WriteOnly",
        [
            target.name
            for target, definition in declared
            if definition.mutability is Mutability.WRITE_ONLY and target.readable
        ],
        "not honoured; the target gives the attribute back, and it is compared.",
    )
    yield from _named(
        "defaultValue of the directory's definition",
        [target.name for target, definition in declared if definition.default_value is not None],
        "not honoured; give the attribute's mapping a defaultValue.",
    )


def _filters(mapping: ObjectMapping) -> Iterator[str]:
    groups = mapping.scope.category_filter_groups if mapping.scope else ()
    yield from _named(
        "categoryFilterGroups",
        [group.name or f"group {number}" for number, group in enumerate(groups, start=1)],
        "NOT honoured, because Microsoft does not say what they do; nobody is kept out of scope by them.",
    )


def _unread(read: SchemaFile) -> Iterator[str]:
    keys = sorted({entry.key for part in _parts(read.schema) for entry in getattr(part, "metadata", ())})
    if keys:
        yield f"metadata {', '.join(keys)}: kept for export, not honoured; they are for Microsoft's engine."
    unknown = sorted({key for _, key in read.unknown if not key.startswith("@odata.")})
    if unknown:
        yield f"keys {', '.join(unknown)}: not known, kept for export, not honoured."


def _parts(part: Part) -> Iterator[Part]:
    """Give a part and everything under it, metadata entries left out."""
    yield part
    for name in type(part).model_fields:
        value = getattr(part, name)
        for item in value if isinstance(value, tuple) else (value,):
            if isinstance(item, Part) and not isinstance(item, MetadataEntry):
                yield from _parts(item)
