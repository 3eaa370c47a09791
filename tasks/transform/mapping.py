"""A checked mapping, ready to run: compiled expressions and filters beside the target's attributes.

`schema.load_mapping` makes it; the transform, the preview and the tables read it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from tasks.model import TargetAttribute
from tasks.transform.expressions.engine import Expression
from tasks.transform.filters import CompiledFilter
from tasks.transform.schema_model import FlowAction, FlowType, ObjectMapping, Schema

OBJECT_FILTER: Final = "objectFilter"
"""Target name under which an expression may take a whole person out of a cycle; no account has it."""


LOGIN_ENABLED: Final = "LoginEnabled"
"""The target attribute that switches an account on and off."""

SELECT_UNIQUE: Final = "SelectUniqueValue"
"""The function that asks the target which of several values is free."""


class MappingKind(StrEnum):
    """Where a target attribute's value comes from, as the portal names it."""

    DIRECT = "Direct"
    """From one source attribute."""
    CONSTANT = "Constant"
    """A literal."""
    EXPRESSION = "Expression"
    """From an expression."""
    NONE = "None"
    """From nowhere: the target keeps what it has; a new account gets the default."""


@dataclass(frozen=True)
class Matching:
    """How unlinked accounts are found: by this target attribute, the lowest priority first."""

    attribute: str
    priority: int


@dataclass(frozen=True)
class MappedAttribute:
    """How one target attribute gets its value.

    `expression` is null exactly when `kind` is None; `default` counts on creation only; `flow_nulls` says that a
    null value clears the target; `required` that an account without a value is an error; `line` is where the
    mapping file says so.
    """

    target: TargetAttribute
    kind: MappingKind
    expression: Expression | None
    default: str | None
    flow_type: FlowType
    matching_priority: int
    flow_nulls: bool
    required: bool
    line: int

    @property
    def name(self) -> str:
        """The target attribute's name."""
        return self.target.name

    @property
    def chooses_unique(self) -> bool:
        """Whether the target is asked which of several values is still free."""
        return self.expression is not None and SELECT_UNIQUE in self.expression.functions

    @property
    def on_creation_only(self) -> bool:
        """Whether existing accounts keep what they have."""
        return self.kind is MappingKind.NONE or self.flow_type is FlowType.OBJECT_ADD_ONLY or self.chooses_unique


@dataclass(frozen=True)
class AttributeMapping:
    """The whole mapping of a job, checked.

    `source_attributes` are what the directory has to be read for: everything that expressions and filters name, and
    what is always needed, without what is computed. `matching` is in order of precedence. `flow_types` are the
    target object actions that the mapping allows. `scope` decides who is in scope; who fails `input_scope` is left
    alone. `object_filter` may leave further people alone. `digest` is the same for two files that mean the same.
    `notes` says, by name, what the file asks for and is not honoured here.
    """

    file: Path
    document: Schema
    user_mapping: ObjectMapping
    attributes: tuple[MappedAttribute, ...]
    matching: tuple[Matching, ...]
    flow_types: frozenset[FlowAction]
    scope: CompiledFilter
    input_scope: CompiledFilter
    object_filter: Expression | None
    source_attributes: frozenset[str]
    digest: str
    notes: tuple[str, ...]

    @property
    def by_name(self) -> Mapping[str, MappedAttribute]:
        """The mapped attributes by target name."""
        return {attribute.name: attribute for attribute in self.attributes}

    @property
    def add_only(self) -> frozenset[str]:
        """Names of the multi-valued attributes whose values are added and never taken away."""
        return frozenset(
            attribute.name
            for attribute in self.attributes
            if attribute.target.multivalued and attribute.flow_type is FlowType.MULTI_VALUE_ADD_ONLY
        )

    @property
    def redacted(self) -> frozenset[str]:
        """Names of the attributes whose values do not belong in logs and reports (the Redact function)."""
        return frozenset(one.name for one in self.attributes if one.expression is not None and one.expression.redacted)
