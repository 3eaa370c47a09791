"""A mapping as the table that the portal shows. `provision mapping show` prints it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tasks.transform.filters import CompiledFilter
from tasks.transform.mapping import OBJECT_FILTER, AttributeMapping, MappedAttribute, MappingKind
from tasks.transform.schema_model import FlowType

APPLIES: Final = {
    FlowType.ALWAYS: "Always",
    FlowType.OBJECT_ADD_ONLY: "Only during creation",
    FlowType.MULTI_VALUE_ADD_ONLY: "Always, adding values only",
}
"""The portal's words for when an attribute is applied."""


@dataclass(frozen=True)
class MappingRow:
    """One attribute's mapping in words; an empty text where there is nothing to say.

    `kind` is Direct, Constant, Expression or None; `match` the matching precedence; `apply` when it is applied.
    """

    kind: str
    source: str
    target: str
    default: str
    match: str
    apply: str


def mapping_rows(mapping: AttributeMapping) -> list[MappingRow]:
    """Give the mapping's rows: matching attributes by precedence, then the others in the order of the file."""
    matched = sorted(
        (one for one in mapping.attributes if one.matching_priority), key=lambda one: one.matching_priority
    )
    others = [one for one in mapping.attributes if not one.matching_priority]
    rows = [_row(attribute) for attribute in [*matched, *others]]
    if mapping.object_filter is not None:
        text = mapping.object_filter.text
        rows.append(MappingRow(MappingKind.EXPRESSION, text, OBJECT_FILTER, "", "", APPLIES[FlowType.ALWAYS]))
    return rows


def scope_lines(mapping: AttributeMapping) -> list[str]:
    """Say who is in scope, a line for each filter group; one of them has to hold."""
    return [*_lines(mapping.scope, "in scope if"), *_lines(mapping.input_scope, "left alone unless")]


def _lines(scope: CompiledFilter, before: str) -> Iterator[str]:
    for number, group in enumerate(scope.groups):
        title = f"{group[0].title}: " if group[0].title else ""
        yield f"{'or' if number else before} {title}{' and '.join(clause.condition for clause in group)}"


def _row(attribute: MappedAttribute) -> MappingRow:
    applied = FlowType.OBJECT_ADD_ONLY if attribute.on_creation_only else attribute.flow_type
    return MappingRow(
        kind=attribute.kind,
        source=attribute.expression.text if attribute.expression else "",
        target=attribute.name,
        default=attribute.default or "",
        match=str(attribute.matching_priority or ""),
        apply=APPLIES[applied],
    )
