"""One expression tried for one person: what comes out, and how. `provision mapping test` calls it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import pandas as pd
import pyarrow as pa

from tasks.model import BadInputError
from tasks.transform.accounts import source_columns
from tasks.transform.expressions.engine import Rows, Step, compile_expression
from tasks.transform.mapping import AttributeMapping

Value = str | list[str] | None
"""What an attribute of one person holds."""


class Outcome(StrEnum):
    """How an expression ended for one person."""

    VALUE = "value"
    """It gave a value, or null."""
    IGNORE_ATTRIBUTE = "ignore attribute"
    """The target keeps what it has in this attribute."""
    IGNORE_OBJECT = "ignore object"
    """The person is left alone in this cycle."""
    ERROR = "error"
    """It could not be evaluated for this person."""


@dataclass(frozen=True)
class Trial:
    """What an expression gave for one person: `value` when the outcome is one, `error` when it is that.

    `steps` are the values of all its parts, the innermost first.
    """

    outcome: Outcome
    value: Value
    error: str | None
    steps: tuple[Step, ...]


def try_expression(
    text: str,
    values: Mapping[str, Value],
    *,
    now: dt.datetime,
    known_attributes: Collection[str] | None = None,
    default_domain: str | None = None,
) -> Trial:
    """Evaluate `text` for a person with the given attribute values; attributes not given are null.

    `known_attributes` are the names it may use, null for any. Raises `BadInputError` when it is no expression.
    """
    expression = compile_expression(text, known_attributes=known_attributes)
    rows = Rows(
        columns={name: _column(value) for name, value in values.items()},
        count=1,
        now=now,
        default_domain=default_domain,
    )
    evaluated = expression.evaluate(rows)
    steps = tuple(expression.explain(rows))
    if evaluated.errors[0].is_valid:
        return Trial(Outcome.ERROR, None, str(evaluated.errors[0]), steps)
    if evaluated.ignore_object[0].as_py():
        return Trial(Outcome.IGNORE_OBJECT, None, None, steps)
    if evaluated.ignore_attribute[0].as_py():
        return Trial(Outcome.IGNORE_ATTRIBUTE, None, None, steps)
    return Trial(Outcome.VALUE, evaluated.values[0].as_py(), None, steps)


def person_values(assignments: pd.DataFrame, mapping: AttributeMapping, source_id: str) -> dict[str, Value]:
    """Give the attribute values of one person of `assignments`, IsSoftDeleted by `mapping`'s filters included.

    Raises `BadInputError` when the person is not among them.
    """
    found = assignments[assignments["source_id"] == source_id]
    if found.empty:
        raise BadInputError(
            f"There is no person with the id {source_id!r} among the assigned and the linked ones. "
            "Assign them to the application, or give values with --set."
        )
    columns = source_columns(found.head(1).reset_index(drop=True), mapping)
    return {name: column[0].as_py() for name, column in columns.items()}


def read_settings(settings: Sequence[str]) -> dict[str, Value]:
    """Read `attribute=value` settings; a name given several times is multi-valued, `attribute=` an empty text.

    Raises `BadInputError` naming the setting that has no equals sign or no name.
    """
    values: dict[str, Value] = {}
    for setting in settings:
        name, equals, text = setting.partition("=")
        if not equals or not name.strip():
            raise BadInputError(f"{setting!r} sets nothing: write it as attribute=value, such as department=Sales.")
        earlier = values.get(name.strip())
        more = [*earlier, text] if isinstance(earlier, list) else [earlier, text]
        values[name.strip()] = text if earlier is None else [one for one in more if one is not None]
    return values


def _column(value: Value) -> pa.Array:
    kind = pa.list_(pa.string()) if isinstance(value, list) else pa.string()
    return pa.array([value], kind)
