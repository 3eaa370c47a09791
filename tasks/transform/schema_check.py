"""Judges a mapping that was read: refuses what is not allowed and compiles the rest.

`schema` calls it. The rules are those of Microsoft's pages on customising attribute mappings, on scoping filters and
on known issues, and of the target's own attributes. What is not honoured is noted by `schema_notes`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

import pyarrow as pa

from tasks.model import TargetAttribute
from tasks.transform.document import Problem
from tasks.transform.expressions.engine import Expression, compile_expression
from tasks.transform.expressions.errors import ExpressionError
from tasks.transform.expressions.grammar import parse
from tasks.transform.expressions.tree import Attribute, Call, Node, Number, Text, walk
from tasks.transform.filters import CompiledFilter, compile_filter
from tasks.transform.mapping import (
    OBJECT_FILTER,
    SELECT_UNIQUE,
    AttributeMapping,
    MappedAttribute,
    MappingKind,
    Matching,
)
from tasks.transform.schema_model import (
    USER,
    AttributeDefinition,
    AttributeEntry,
    AttributeType,
    FilterGroup,
    FlowAction,
    FlowType,
    Mutability,
    ObjectMapping,
    SynchronizationRule,
)
from tasks.transform.schema_notes import notes_on
from tasks.transform.schema_reader import Location, SchemaFile
from tasks.transform.source_attributes import ACCOUNT_ENABLED, COMPUTED, USER_PRINCIPAL_NAME, KnownAttributes
from tasks.transform.suggestions import did_you_mean
from tasks.transform.values import convert

"""Function that is not allowed for matching."""
SWITCH: Final = "Switch"
"""Function that is not allowed on references."""
ALWAYS_READ: Final = frozenset({ACCOUNT_ENABLED, USER_PRINCIPAL_NAME})
"""Source attributes that are read whether a mapping names them or not: who may sign in, and what reports call them."""


def check_schema(
    read: SchemaFile, target: Mapping[str, TargetAttribute], source_attributes: Collection[str] | None
) -> tuple[AttributeMapping | None, list[Problem]]:
    """Give the compiled mapping, null when there is anything wrong, and every problem in the order of its lines."""
    check = _Check(read, target, source_attributes)
    mapping = check.run() if read.readable else None
    problems = sorted({*read.problems, *check.problems}, key=lambda problem: (problem.line, str(problem)))
    return (None if problems else mapping), problems


def provisions_users(rule: SynchronizationRule, mapping: ObjectMapping) -> bool:
    """Tell whether an object mapping is the one that makes accounts of people."""
    kinds = {mapping.source_object_name, mapping.target_object_name}
    return rule.outbound and mapping.enabled and kinds == {USER}


class _Check:
    """One check of one file; collects problems as it goes."""

    def __init__(
        self, read: SchemaFile, target: Mapping[str, TargetAttribute], source_attributes: Collection[str] | None
    ) -> None:
        self.problems: list[Problem] = []
        self._read = read
        self._target = target
        self._offered = source_attributes
        self._known = KnownAttributes({}, source_attributes)
        self._definitions: Mapping[str, AttributeDefinition] = {}
        self._foreign: list[str] = []

    def run(self) -> AttributeMapping | None:
        """Check everything; gives null when there is no user mapping to check."""
        found = self._user_mapping()
        if found is None:
            return None
        place, rule, mapping = found
        schema = self._read.schema
        self._known = KnownAttributes(schema.definitions(rule.source_directory_name, USER), self._offered)
        self._definitions = schema.definitions(rule.target_directory_name, USER)
        scope = mapping.scope
        scoping = self._filter(scope.groups if scope else (), (*place, "scope", "groups"))
        inputs = self._filter(scope.input_filter_groups if scope else (), (*place, "scope", "inputFilterGroups"))
        self._refuse_doubles(mapping, place)
        attributes, object_filter = [], None
        for number, entry in enumerate(mapping.attribute_mappings):
            where = (*place, "attributeMappings", number)
            if entry.target_attribute_name == OBJECT_FILTER:
                object_filter = self._expression(entry, where)
            else:
                attributes.append(self._attribute(entry, where))
        mapped = tuple(attribute for attribute in attributes if attribute is not None)
        self._refuse_unmapped(mapping, place)
        matching = self._matching(mapped, mapping, place)
        if self.problems or self._read.problems:
            return None
        expressions = [attribute.expression for attribute in mapped if attribute.expression] + (
            [object_filter] if object_filter else []
        )
        named = frozenset[str]().union(*(expression.attributes for expression in expressions))
        return AttributeMapping(
            file=self._read.file,
            document=schema,
            user_mapping=mapping,
            attributes=mapped,
            matching=matching,
            flow_types=frozenset(mapping.flow_types),
            scope=scoping,
            input_scope=inputs,
            object_filter=object_filter,
            source_attributes=(named | scoping.attributes | inputs.attributes | ALWAYS_READ) - COMPUTED,
            digest=_digest(mapped, scoping, inputs, object_filter, mapping.flow_types),
            notes=notes_on(self._read, mapping, mapped, self._definitions, self._foreign),
        )

    def _tell(self, location: Location, attribute: str, message: str) -> None:
        self.problems.append(self._read.problem(location, attribute, message))

    def _user_mapping(self) -> tuple[Location, SynchronizationRule, ObjectMapping] | None:
        found = [
            (("synchronizationRules", first, "objectMappings", second), rule, mapping)
            for first, rule in enumerate(self._read.schema.synchronization_rules)
            for second, mapping in enumerate(rule.object_mappings)
            if provisions_users(rule, mapping)
        ]
        if not found:
            self._tell(
                (),
                "synchronizationRules",
                "no enabled object mapping makes users of an application from users of the directory. Add one under "
                "synchronizationRules, objectMappings, or enable it.",
            )
            return None
        for place, _, mapping in found[1:]:
            self._tell(place, mapping.name, "this is a second enabled mapping of users. Disable all but one.")
        return found[0]

    def _filter(self, groups: tuple[FilterGroup, ...], place: Location) -> CompiledFilter:
        return compile_filter(
            groups, self._known, lambda location, about, message: self._tell((*place, *location), about, message)
        )

    def _refuse_doubles(self, mapping: ObjectMapping, place: Location) -> None:
        seen: set[str] = set()
        for number, entry in enumerate(mapping.attribute_mappings):
            name = entry.target_attribute_name
            if name in seen:
                self._tell(
                    (*place, "attributeMappings", number, "targetAttributeName"),
                    name,
                    "this target attribute is mapped twice. Keep one of the mappings.",
                )
            seen.add(name)

    def _refuse_unmapped(self, mapping: ObjectMapping, place: Location) -> None:
        """Refuse a mapping that creates accounts without what they cannot be created without."""
        if FlowAction.ADD not in mapping.flow_types:
            return
        given = {
            entry.target_attribute_name
            for entry in mapping.attribute_mappings
            if entry.source is not None or entry.default_value
        }
        for name, attribute in self._target.items():
            if attribute.required and name not in given:
                self._tell(
                    (*place, "attributeMappings"), name, "no account can be created without it. Map it to a source."
                )

    def _unknown_target(self, entry: AttributeEntry, where: Location) -> None:
        """Refuse a target attribute that neither Replicon has nor the file declares.

        An exported schema declares what Microsoft's connector has; what of it ours has not is noted and not honoured.
        """
        name = entry.target_attribute_name
        self._expression(entry, where)
        if name in self._definitions:
            self._foreign.append(name)
            return
        hint = did_you_mean(name, list(self._target)) or " Correct its name or remove its mapping."
        self._tell((*where, "targetAttributeName"), name, f"there is no such target attribute.{hint}")

    def _attribute(self, entry: AttributeEntry, where: Location) -> MappedAttribute | None:
        name = entry.target_attribute_name
        target = self._target.get(name)
        if target is None:
            self._unknown_target(entry, where)
            return None
        definition = self._definitions.get(name) or AttributeDefinition(name=name, case_exact=target.case_exact)
        expression = self._expression(entry, where)
        for key, message in self._entry_problems(entry, target, definition, expression):
            self._tell((*where, key), name, message)
        immutable = definition.mutability is Mutability.IMMUTABLE
        return MappedAttribute(
            target=target,
            kind=_kind(expression),
            expression=expression,
            default=entry.default_value,
            flow_type=FlowType.OBJECT_ADD_ONLY if immutable else entry.flow_type,
            matching_priority=entry.matching_priority,
            flow_nulls=entry.flow_null_values or definition.flow_null_values,
            required=target.required or definition.required,
            line=self._read.root.line_of(where),
        )

    def _expression(self, entry: AttributeEntry, where: Location) -> Expression | None:
        if entry.source is None:
            return None
        try:
            return compile_expression(entry.source.expression, known_attributes=self._known)
        except ExpressionError as error:
            self._tell((*where, "source"), entry.target_attribute_name, f"in the expression, {error}")
            return None

    def _entry_problems(
        self,
        entry: AttributeEntry,
        target: TargetAttribute,
        definition: AttributeDefinition,
        expression: Expression | None,
    ) -> Iterator[tuple[str, str]]:
        """Give what is not allowed in one attribute's mapping: under which key, and what to do."""
        if definition.anchor or definition.mutability is Mutability.READ_ONLY:
            yield "targetAttributeName", "the target makes this attribute itself. Remove its mapping."
        if entry.matching_priority < 0:
            yield "matchingPriority", "expected 0 (not a matching attribute) or more. Correct the number."
        if entry.matching_priority > 0:
            yield from _matching_problems(entry, target, expression)
        if entry.source is None and entry.default_value is None and target.required:
            yield "source", "this attribute is required. Give it a source."
        if entry.default_value is not None:
            for problem in _misfits(entry.default_value, target):
                yield "defaultValue", problem
        if expression is not None:
            tree = parse(expression.text)
            if SELECT_UNIQUE in expression.functions and not target.matchable:
                yield (
                    "source",
                    (
                        f"{SELECT_UNIQUE} has to ask which values are taken, and accounts cannot be found by this "
                        "attribute. Use another function."
                    ),
                )
            if isinstance(tree, Text | Number):
                for problem in _misfits(tree.value, target):
                    yield "source", problem
            for problem in self._function_problems(tree, target):
                yield "source", problem

    def _function_problems(self, tree: Node, target: TargetAttribute) -> Iterator[str]:
        """Find Switch where it is not allowed."""
        for node, _ in walk(tree):
            if (
                isinstance(node, Call)
                and node.name == SWITCH
                and (target.type == AttributeType.REFERENCE or self._reads_reference(node))
            ):
                yield f"{SWITCH} is not allowed on references to other objects. Use IIF, or map the attribute directly."

    def _reads_reference(self, call: Call) -> bool:
        names = [argument.name for argument in call.arguments if isinstance(argument, Attribute)]
        found = [self._known.find(name) for name in names]
        return any(attribute is not None and attribute.type is AttributeType.REFERENCE for attribute in found)

    def _matching(
        self, attributes: tuple[MappedAttribute, ...], mapping: ObjectMapping, place: Location
    ) -> tuple[Matching, ...]:
        chosen = sorted(
            (attribute for attribute in attributes if attribute.matching_priority > 0),
            key=lambda attribute: attribute.matching_priority,
        )
        if not any(entry.matching_priority for entry in mapping.attribute_mappings):
            self._tell(
                (*place, "attributeMappings"),
                "matchingPriority",
                "no attribute is used for matching, so accounts that exist cannot be found. Give one of "
                f"{', '.join(name for name, one in self._target.items() if one.matchable)} a matchingPriority of 1.",
            )
        for one, other in itertools.pairwise(chosen):
            if one.matching_priority == other.matching_priority:
                problem = Problem(
                    self._read.file,
                    other.line,
                    other.name,
                    f"{one.name} has the same matchingPriority, {one.matching_priority}. Give each its own.",
                )
                self.problems.append(problem)
        return tuple(Matching(attribute.name, attribute.matching_priority) for attribute in chosen)


def _matching_problems(
    entry: AttributeEntry, target: TargetAttribute, expression: Expression | None
) -> Iterator[tuple[str, str]]:
    if not target.matchable:
        yield "matchingPriority", "accounts cannot be found by this attribute. Set its matchingPriority to 0."
    if entry.source is None:
        yield "source", "a matching attribute needs a source. Give it one, or set its matchingPriority to 0."
    if expression is not None and SELECT_UNIQUE in expression.functions:
        yield "source", f"{SELECT_UNIQUE} is not allowed on a matching attribute, because it finds no account again."


def _misfits(text: str, target: TargetAttribute) -> Iterator[str]:
    """Tell why a literal does not fit the target attribute."""
    _, error = convert(pa.array([text], pa.string()), target)
    if error[0].is_valid:
        yield str(error[0])


def _kind(expression: Expression | None) -> MappingKind:
    if expression is None:
        return MappingKind.NONE
    match parse(expression.text):
        case Attribute():
            return MappingKind.DIRECT
        case Text() | Number():
            return MappingKind.CONSTANT
        case _:
            return MappingKind.EXPRESSION


def _digest(
    attributes: tuple[MappedAttribute, ...],
    scope: CompiledFilter,
    input_scope: CompiledFilter,
    object_filter: Expression | None,
    flow_types: Collection[FlowAction],
) -> str:
    """Give a digest of what the mapping means, the same for JSON and YAML and whatever the spacing and order."""
    meaning: dict[str, Any] = {
        "attributes": [
            [
                attribute.name,
                attribute.expression.unparse() if attribute.expression else None,
                attribute.default,
                attribute.flow_type,
                attribute.matching_priority,
                attribute.flow_nulls,
                attribute.required,
            ]
            for attribute in sorted(attributes, key=lambda attribute: attribute.name)
        ],
        "scope": [[dataclasses.astuple(clause) for clause in group] for group in scope.groups],
        "inputScope": [[dataclasses.astuple(clause) for clause in group] for group in input_scope.groups],
        "objectFilter": object_filter.unparse() if object_filter else None,
        "flowTypes": sorted(flow_types),
    }
    return hashlib.sha256(json.dumps(meaning, sort_keys=True).encode()).hexdigest()
