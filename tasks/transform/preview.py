"""What another mapping would change for the same people, attribute by attribute, without asking the target.

`provision mapping preview` calls it with what the directory gives and the two mappings.
"""

from __future__ import annotations

import datetime as dt
import json
from enum import StrEnum
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tasks.model import STRING, Accounts, Progress, empty_frame, silent
from tasks.transform.accounts import as_array, to_accounts
from tasks.transform.mapping import AttributeMapping


class Applies(StrEnum):
    """For which accounts a previewed change counts."""

    ALL = "all accounts"
    """Those that are there and new ones."""
    EXISTING = "existing accounts"
    """Those that are there."""
    NEW = "new accounts"
    """Those that would be made."""


PREVIEW_COLUMNS: Final = {
    "source_id": STRING,
    "source_name": STRING,
    "attribute": STRING,
    "before": STRING,
    "after": STRING,
    "applies": STRING,
}
"""Preview: one row a person and attribute that comes out differently.

`before` and `after` are the values that the old and the new mapping write, multi-valued ones as JSON arrays; null
where a mapping writes nothing, `""` where it clears the attribute; `applies` is an `Applies`. The attributes
`(scope)`, `(active)`, `(left alone)` and `(error)` stand for what is no attribute of the account.
"""


def preview(
    assignments: pd.DataFrame,
    new: AttributeMapping,
    old: AttributeMapping,
    *,
    now: dt.datetime,
    default_domain: str | None = None,
    progress: Progress = silent,
) -> pd.DataFrame:
    """Give `PREVIEW_COLUMNS` for what `new` makes of `assignments` otherwise than `old`, in the frame's order.

    The frame has to hold what either mapping reads. Raises `BadInputError` as `to_accounts` does.
    """
    before = to_accounts(assignments, old, now=now, default_domain=default_domain, progress=progress)
    after = to_accounts(assignments, new, now=now, default_domain=default_domain, progress=progress)
    parts = [*_people_differences(before, after), *_attribute_differences(before, after)]
    if not parts:
        return empty_frame(PREVIEW_COLUMNS)
    found = pd.concat(parts)
    found = found.sort_index(kind="stable")
    people = before.people.loc[found.index, ["source_id", "source_name"]]
    return pd.concat([people, found], axis=1)[[*PREVIEW_COLUMNS]].astype(PREVIEW_COLUMNS).reset_index(drop=True)


def _people_differences(before: Accounts, after: Accounts) -> list[pd.DataFrame]:
    def scope(accounts: Accounts) -> pd.Series:
        people = accounts.people
        words = people["in_scope"].map({True: "in scope: ", False: "out of scope: "}).astype(STRING)
        return words + people["scope_reason"].fillna("")

    def flag(accounts: Accounts, name: str) -> pd.Series:
        return accounts.people[name].map({True: "True", False: "False"}).astype(STRING)

    in_scope_differs = before.people["in_scope"] != after.people["in_scope"]
    return [
        part
        for part in (
            _rows("(scope)", scope(before), scope(after), in_scope_differs, Applies.ALL),
            _differences("(active)", flag(before, "active"), flag(after, "active")),
            _differences("(left alone)", flag(before, "left_alone"), flag(after, "left_alone")),
            _differences("(error)", before.people["error"], after.people["error"]),
        )
        if len(part)
    ]


def _attribute_differences(before: Accounts, after: Accounts) -> list[pd.DataFrame]:
    found = []
    for name in dict.fromkeys([*before.values.columns, *after.values.columns]):
        existing = _written(before.values, before.flows, name), _written(after.values, after.flows, name)
        created = (
            _written(before.on_create, before.flows_on_create, name),
            _written(after.on_create, after.flows_on_create, name),
        )
        changes, differs = _differing(*existing), _differing(*created)
        same = ~_differing(existing[0], created[0]) & ~_differing(existing[1], created[1])
        found += [
            _rows(name, *existing, changes & differs & same, Applies.ALL),
            _rows(name, *existing, changes & ~(differs & same), Applies.EXISTING),
            _rows(name, *created, differs & ~(changes & same), Applies.NEW),
        ]
    return [part for part in found if len(part)]


def _written(values: pd.DataFrame, flows: pd.DataFrame, name: str) -> pd.Series:
    """Give what is written of an attribute as text: null where nothing is, empty where it is cleared."""
    if name not in values.columns:
        return pd.Series(pd.array([None] * len(values), dtype=STRING), index=values.index)
    column = values[name]
    if pa.types.is_list(column.dtype.pyarrow_dtype):
        column = _as_json(column)
    return column.fillna("").where(flows[name], None)


def _as_json(column: pd.Series) -> pd.Series:
    """Write lists as JSON arrays, quoting each distinct value once."""
    lists = as_array(column)
    values = pc.dictionary_encode(pc.list_flatten(lists))
    quoted = pa.array([json.dumps(one, ensure_ascii=False) for one in values.dictionary.to_pylist()], pa.string())
    ends = np.cumsum(np.concatenate(([0], np.asarray(pc.fill_null(pc.list_value_length(lists), 0)))))
    relisted = pa.ListArray.from_arrays(pa.array(ends, pa.int32()), quoted.take(values.indices))
    joined = pc.binary_join_element_wise("[", pc.binary_join(relisted, ", "), "]", "")
    text = pc.if_else(pc.is_valid(lists), joined, pa.scalar(None, pa.string()))
    return pd.Series(pd.arrays.ArrowExtensionArray(text), index=column.index)


def _differing(before: pd.Series, after: pd.Series) -> pd.Series:
    """Mark rows whose texts differ, null counting as a value of its own."""
    return (before.isna() != after.isna()) | (before.fillna("") != after.fillna(""))


def _differences(attribute: str, before: pd.Series, after: pd.Series) -> pd.DataFrame:
    return _rows(attribute, before, after, _differing(before, after), Applies.ALL)


def _rows(attribute: str, before: pd.Series, after: pd.Series, where: pd.Series, applies: Applies) -> pd.DataFrame:
    return pd.DataFrame(
        {"attribute": attribute, "before": before[where], "after": after[where], "applies": applies.value}
    )
