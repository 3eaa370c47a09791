"""Functions of multi-valued attributes, app roles among them, and of distinguished names. Registered in `functions`.

A multi-valued attribute without values counts as not there.
"""

from __future__ import annotations

import re
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.transform.expressions.columns import LIST, NUMBER, TEXT
from tasks.transform.expressions.elementwise import elementwise
from tasks.transform.expressions.errors import RowError
from tasks.transform.expressions.signature import Function, Kind, Parameter


def _count(values: list[str] | None) -> int:
    return len(values or [])


def _count_columns(values: pa.Array) -> pa.Array:
    return pc.fill_null(pc.list_value_length(values), 0)


def _item(values: list[str], index: int) -> str | None:
    if not values:
        return None
    if not 1 <= index <= len(values):
        raise RowError(f"argument index of Item counts from 1 to {len(values)} here, found {index}")
    return values[index - 1]


def _item_columns(values: pa.Array | list[str], index: pa.Array | int) -> pa.Array | None:
    if not isinstance(values, pa.Array) or not isinstance(index, int):
        return None
    lengths = pc.fill_null(pc.list_value_length(values), 0).to_numpy(zero_copy_only=False)
    if ((lengths > 0) & ((index < 1) | (index > lengths))).any():
        return None
    starts = np.concatenate([[0], np.cumsum(lengths)])[:-1] + index - 1
    return values.flatten().take(pa.array(starts, mask=lengths == 0))


def _first(values: list[str]) -> str | None:
    return values[0] if values else None


def _first_columns(values: pa.Array) -> pa.Array | None:
    return _item_columns(values, 1)


def _unique(values: list[str]) -> list[str]:
    return list(dict.fromkeys(values))


def _unique_columns(values: pa.Array) -> pa.Array:
    """Keep each list's first occurrences, in order, letter case counting."""
    flat = values.flatten()
    parents = pc.list_parent_indices(values).to_numpy()
    codes = flat.dictionary_encode(null_encoding="encode").indices.to_numpy().astype(np.int64)
    _, places = np.unique(parents * (codes.max(initial=0) + 1) + codes, return_index=True)
    kept = np.sort(places)
    offsets = np.searchsorted(parents[kept], np.arange(len(values) + 1)).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), flat.take(pa.array(kept)), mask=values.is_null())


def _contains(values: list[str] | None, text: str | None) -> int:
    """Give the place of the first value that has the text in it, 0 when none has."""
    return next((place for place, value in enumerate(values or [], 1) if text and value and text in value), 0)


def _roles(values: list[str]) -> list[str]:
    return values


_SEPARATOR: Final = re.compile(r"(?:[^,\\\"]|\\.|\"(?:[^\"\\]|\\.)*\")+", re.DOTALL)
_ESCAPE: Final = re.compile(r"((?:\\[0-9A-Fa-f]{2})+)|\\(.)", re.DOTALL)


def _component(dn: str, number: int) -> str | None:
    """Give the value of a component from the left, escapes resolved (RFC 4514); null beyond the last one."""
    parts = _SEPARATOR.findall(dn)
    if number < 1:
        raise RowError(f"argument ComponentNumber of DNComponent counts from 1, found {number}")
    if number > len(parts):
        return None
    value = parts[number - 1].partition("=")[2].strip()
    if len(value) > 1 and value[0] == value[-1] == '"':
        value = value[1:-1]
    return _ESCAPE.sub(_unescaped, value)


def _unescaped(found: re.Match[str]) -> str:
    if found.group(1):
        return bytes.fromhex(found.group(1).replace("\\", "")).decode("utf-8", "replace")
    return found.group(2)


_VALUES: Final = Parameter("attribute", Kind.LIST)
_ROLES: Final = Parameter("source", Kind.LIST)

FUNCTIONS: Final[tuple[Function, ...]] = (
    elementwise("Count", (_VALUES,), NUMBER, _count, _count_columns, takes_null=True),
    elementwise("Item", (_VALUES, Parameter("index", Kind.INTEGER)), TEXT, _item, _item_columns),
    elementwise("Contains", (_VALUES, Parameter("text")), NUMBER, _contains, takes_null=True),
    elementwise("RemoveDuplicates", (_VALUES,), LIST, _unique, _unique_columns),
    # The shapes that these three give a SCIM target (primary, type) mean nothing here: they are the roles' values.
    elementwise("AppRoleAssignments", (_ROLES,), LIST, _roles, _roles),
    elementwise("AppRoleAssignmentsComplex", (_ROLES,), LIST, _roles, _roles),
    elementwise("AssertiveAppRoleAssignmentsComplex", (_ROLES,), LIST, _roles, _roles),
    elementwise("SingleAppRoleAssignment", (_ROLES,), TEXT, _first, _first_columns),
    elementwise("DNComponent", (Parameter("dn"), Parameter("ComponentNumber", Kind.INTEGER)), TEXT, _component),
)
