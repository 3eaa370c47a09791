"""Microsoft's synchronizationSchema as data: directories, rules, object mappings, attribute mappings, filters.

Names and defaults follow the Microsoft Graph resources synchronizationSchema, synchronizationRule, objectMapping,
attributeMapping, attributeMappingSource, attributeDefinition and filter. Keys that are not known here are kept, so
that an export gives them back. Reading, checking and writing are elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Annotated, Any, Final

import pydantic
from pydantic import AfterValidator, BeforeValidator

from tasks.transform.schema_base import Part, Text
from tasks.transform.schema_sources import Source, coerce_source, complete_source

DIRECTORY: Final = "Azure Active Directory"
"""Name that Microsoft's exports give the source directory."""
DIRECTORY_NAMES: Final = frozenset({DIRECTORY, "Microsoft Entra ID"})
"""Names under which the source directory is known."""
TARGET: Final = "Replicon"
"""Name that a mapping written by hand has as target directory unless it says otherwise."""
USER: Final = "User"
"""Name of the objects that are provisioned."""


class AttributeType(StrEnum):
    """What an attribute holds (Microsoft Graph, attributeDefinition.type)."""

    STRING = "String"
    """Text."""
    INTEGER = "Integer"
    """A whole number, as its text."""
    REFERENCE = "Reference"
    """The id of another object."""
    BINARY = "Binary"
    """Bytes, as base64 text."""
    BOOLEAN = "Boolean"
    """True or False, as that text."""
    DATE_TIME = "DateTime"
    """A date or an instant, as text."""


class Mutability(StrEnum):
    """When an attribute can be written (Microsoft Graph, attributeDefinition.mutability)."""

    READ_WRITE = "ReadWrite"
    """At any time."""
    READ_ONLY = "ReadOnly"
    """Never."""
    IMMUTABLE = "Immutable"
    """On creation only."""
    WRITE_ONLY = "WriteOnly"
    """At any time, without being given back."""


class FlowAction(StrEnum):
    """A target object action that an object mapping allows (Microsoft Graph, objectMapping.flowTypes)."""

    ADD = "Add"
    """Accounts may be created."""
    UPDATE = "Update"
    """Accounts may be changed; a disable is a change."""
    DELETE = "Delete"
    """Accounts may be deleted."""


class FlowType(StrEnum):
    """When an attribute's value flows (Microsoft Graph, attributeMapping.flowType)."""

    ALWAYS = "Always"
    """On creation and on every change."""
    OBJECT_ADD_ONLY = "ObjectAddOnly"
    """On creation only."""
    MULTI_VALUE_ADD_ONLY = "MultiValueAddOnly"
    """Values are added to a multi-valued attribute and never taken away."""


class FlowBehavior(StrEnum):
    """Whether an unchanged value flows (Microsoft Graph, attributeMapping.flowBehavior)."""

    FLOW_WHEN_CHANGED = "FlowWhenChanged"
    """Only values that differ are written."""
    FLOW_ALWAYS = "FlowAlways"
    """Values are written whether they differ or not."""


class Comparison(StrEnum):
    """How a filter clause judges a multi-valued attribute (Microsoft Graph, multivaluedComparisonType)."""

    ALL = "All"
    """Every value has to satisfy it."""
    ANY = "Any"
    """One value is enough."""


def _as_actions(value: Any) -> Any:
    """Split `flowTypes`, which is one text of names between commas; a list is taken as well."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return value


class MetadataEntry(Part):
    """A key and value that only Microsoft's engine reads."""

    key: Text
    value: Text | None = None


Metadata = tuple[MetadataEntry, ...]


class ReferencedObject(Part):
    """What kind of object a reference attribute points at."""

    referenced_object_name: Text = ""
    referenced_property: Text | None = None


class AttributeDefinition(Part):
    """One attribute of a directory's objects."""

    name: Text
    type: AttributeType = AttributeType.STRING
    anchor: bool = False
    case_exact: bool = False
    default_value: Text | None = None
    flow_null_values: bool = False
    metadata: Metadata = ()
    multivalued: bool = False
    mutability: Mutability = Mutability.READ_WRITE
    required: bool = False
    referenced_objects: tuple[ReferencedObject, ...] = ()


class ObjectDefinition(Part):
    """One kind of object of a directory."""

    name: Text
    attributes: tuple[AttributeDefinition, ...] = ()
    metadata: Metadata = ()


class Directory(Part):
    """One side of the synchronisation and what its objects look like."""

    id: Text | None = None
    name: Text
    objects: tuple[ObjectDefinition, ...] = ()


class Operand(Part):
    """The values that a clause compares with."""

    values: tuple[Text, ...] = ()


class Clause(Part):
    """One condition on one source attribute."""

    source_operand_name: Text
    operator_name: Text
    target_operand: Operand = Operand()
    multivalued_comparison_type: Comparison = Comparison.ALL


class FilterGroup(Part):
    """Clauses that have to hold together; `name` is the title that reports show."""

    name: Text | None = None
    clauses: tuple[Clause, ...] = ()


FilterGroups = tuple[FilterGroup, ...]


class Filter(Part):
    """Who is in scope: one group has to hold. `input_filter_groups` take people out without disabling them."""

    groups: FilterGroups = ()
    input_filter_groups: FilterGroups = ()
    category_filter_groups: FilterGroups = ()


class AttributeEntry(Part):
    """How one target attribute gets its value (Microsoft Graph calls the resource attributeMapping).

    `flow_null_values` is an abbreviation for files written by hand; an export moves it to the target directory's
    attribute definition, where Microsoft keeps it.
    """

    target_attribute_name: Text
    source: Annotated[Source | None, BeforeValidator(coerce_source), AfterValidator(complete_source)] = None
    default_value: Text | None = None
    flow_type: FlowType = FlowType.ALWAYS
    flow_behavior: FlowBehavior = FlowBehavior.FLOW_WHEN_CHANGED
    matching_priority: int = 0
    export_missing_references: bool = False
    flow_null_values: bool = False


class ObjectMapping(Part):
    """How one kind of source object becomes one kind of target object."""

    name: Text = "Synchronize Azure Active Directory Users to Replicon"
    enabled: bool = True
    flow_types: Annotated[tuple[FlowAction, ...], BeforeValidator(_as_actions)] = tuple(FlowAction)
    source_object_name: Text = USER
    target_object_name: Text = USER
    scope: Filter | None = None
    attribute_mappings: tuple[AttributeEntry, ...] = ()
    metadata: Metadata = ()

    @pydantic.field_serializer("flow_types")
    def _one_text(self, actions: tuple[FlowAction, ...]) -> str:
        return ", ".join(actions)


class SynchronizationRule(Part):
    """How objects go from one directory to another."""

    id: Text | None = None
    name: Text = "USER_OUTBOUND_USER"
    editable: bool = True
    priority: int = 1
    metadata: Metadata = ()
    source_directory_name: Text = DIRECTORY
    target_directory_name: Text = TARGET
    object_mappings: tuple[ObjectMapping, ...] = ()

    @property
    def outbound(self) -> bool:
        """Whether the rule goes from the directory to an application."""
        return self.source_directory_name in DIRECTORY_NAMES and self.target_directory_name not in DIRECTORY_NAMES


class Schema(Part):
    """A whole synchronizationSchema; the smallest one has one rule, one object mapping and its attributes."""

    id: Text | None = None
    version: Text | None = None
    directories: tuple[Directory, ...] = ()
    synchronization_rules: tuple[SynchronizationRule, ...] = ()

    def definitions(self, directory: str, object_name: str) -> Mapping[str, AttributeDefinition]:
        """Give the attributes that the schema declares for one kind of object, by name; empty when it declares none."""
        return {
            attribute.name: attribute
            for side in self.directories
            if side.name == directory or (side.name in DIRECTORY_NAMES and directory in DIRECTORY_NAMES)
            for kind in side.objects
            if kind.name == object_name
            for attribute in kind.attributes
        }


def unknown_keys(part: Part, location: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], str, Part]]:
    """Find the keys that the schema does not know: where they stand, the key, and the part that carries it."""
    for key in part.model_extra or {}:
        yield (*location, key), key, part
    for name, field in type(part).model_fields.items():
        value, alias = getattr(part, name), field.alias or name
        if isinstance(value, Part):
            yield from unknown_keys(value, (*location, alias))
        elif isinstance(value, tuple):
            for index, item in enumerate(value):
                if isinstance(item, Part):
                    yield from unknown_keys(item, (*location, alias, index))
