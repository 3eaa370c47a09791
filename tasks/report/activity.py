"""Activities as the report reads them: what a plan and its outcomes say of each change, one row a change.

The ledger hands out the same columns; a plan that nobody has carried out yet has them too, without a status.
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tasks.model import (
    ACTIVITY_COLUMNS,
    OPERATION_COLUMNS,
    OUTCOME_COLUMNS,
    REDACTED,
    STRING,
    Decision,
    Operation,
    Plan,
    Situation,
    Status,
)

COLUMNS: Final[Mapping[str, pd.ArrowDtype]] = {
    name: dtype for name, dtype in ACTIVITY_COLUMNS.items() if name not in {"cycle_id", "job"}
}
"""What the report reads of an activity; the ledger's frame says its cycle and job too."""

_ESCAPES: Final = (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t"))
_TENANT_URI: Final = re.compile(r"^urn:replicon-tenant:[^:]*:")
_CONTROL: Final = r"[\x00-\x1f]"
_FROM_OUTCOME: Final = ("status", "operation", "error_code", "reason", "remedy", "target_uri", "target_name")


class Group(StrEnum):
    """What became of a person, as the report counts and lists it."""

    FAILED = "failed"
    """Tried, and not done."""
    STAGED = "staged"
    """An operation over a threshold, waiting for approval."""
    HELD = "held"
    """Waiting for a person to look."""
    CREATED = "created"
    """An account was made."""
    UPDATED = "updated"
    """Attributes were changed."""
    ENABLED = "enabled"
    """The login was given back."""
    DISABLED = "disabled"
    """The login was taken."""
    DELETED = "deleted"
    """The account was removed."""
    LINKED = "linked"
    """An account was found that needed no write."""
    SKIPPED = "skipped"
    """Passed over, with a reason."""
    UNCHANGED = "unchanged"
    """Compared, and found as it should be."""


DONE: Final[Mapping[Operation, Group]] = {
    Operation.CREATE: Group.CREATED,
    Operation.UPDATE: Group.UPDATED,
    Operation.ENABLE: Group.ENABLED,
    Operation.DISABLE: Group.DISABLED,
    Operation.DELETE: Group.DELETED,
}
"""What an operation is called once it is done."""


def activities_of(plan: Plan, outcomes: pd.DataFrame | None = None) -> pd.DataFrame:
    """Give the activities (`COLUMNS`) of a plan and, where given, its outcomes (`OUTCOME_COLUMNS`).

    What an outcome says stands over what the plan said, since a refused delete may have become a disable. The plan's
    `risks` come as a further column.
    """
    known = plan.operations[list(OPERATION_COLUMNS)].set_index("change_id")
    said = (pd.DataFrame(columns=list(OUTCOME_COLUMNS)) if outcomes is None else outcomes).set_index("change_id")
    said = said.reindex(known.index)
    for name in _FROM_OUTCOME:
        planned = known[name] if name in known.columns else pd.Series(pd.NA, index=known.index)
        known[name] = said[name].astype(STRING).fillna(planned.astype(STRING))
    for name in ("attempts", "started_at", "duration_ms"):
        known[name] = said[name]
    known["refused"] = _refused(said["refused"])
    known["changes"] = _changes(plan)
    frame = known.reset_index()[[*COLUMNS, "risks"]]
    return frame.astype(dict(COLUMNS))


def without_values(plan: Plan, attributes: frozenset[str]) -> Plan:
    """Give `plan` as people may see it: the values of `attributes` hidden, that there was none still visible."""
    changes = plan.changes.copy()
    hidden = changes["attribute"].isin(attributes)
    for name in ("before", "after"):
        changes[name] = changes[name].mask(hidden & changes[name].notna(), REDACTED)
    return dataclasses.replace(plan, changes=changes)


def groups_of(activities: pd.DataFrame) -> pd.Series:
    """Give the `Group` of each activity, as text; while nothing has a status, of what would become of it."""
    decision, status, operation = activities["decision"], activities["status"], activities["operation"]
    group = operation.map({one.value: name.value for one, name in DONE.items()}).astype(STRING)
    found = activities["situation"].isin([Situation.FOUND.value, Situation.MISSING.value])
    idle = pd.Series(Group.UNCHANGED.value, index=activities.index, dtype=STRING).mask(found, Group.LINKED.value)
    group = group.fillna(idle)
    group = group.mask(decision.eq(Decision.SKIP.value) | _is(status, Status.SKIPPED), Group.SKIPPED.value)
    group = group.mask(decision.eq(Decision.HOLD.value), Group.HELD.value)
    group = group.mask(decision.eq(Decision.STAGED.value), Group.STAGED.value)
    return group.mask(_is(status, Status.FAILURE), Group.FAILED.value)


def endings_of(activities: pd.DataFrame) -> pd.Series:
    """Give how each activity ended: held or staged by the plan, else its status; what is planned counts as done."""
    waits = activities["decision"].map({"hold": "held", "staged": "staged"})
    planned = activities["decision"].map({"go": "success"})
    return waits.fillna(activities["status"]).fillna(planned).fillna("skipped").astype(STRING)


def counts_of(activities: pd.DataFrame) -> dict[Group, int]:
    """Count the activities by group, in the groups' order, without those that are empty."""
    counted = groups_of(activities).value_counts()
    return {group: int(counted[group.value]) for group in Group if group.value in counted.index}


def changes_in(text: str | None) -> list[dict[str, Any]]:
    """Read the changes of one activity; several values are one JSON text, as in a plan, however they were kept.

    What was only written once more, as it was, is left out.
    """
    changes: list[dict[str, Any]] = json.loads(text) if isinstance(text, str) else []
    return [
        {
            name: json.dumps(value, ensure_ascii=False) if isinstance(value, list) else value
            for name, value in change.items()
        }
        for change in changes
        if change["before"] is None or change["before"] != change["after"]
    ]


def account_names(activities: pd.DataFrame, known: Mapping[str, str] | None = None) -> dict[str, str]:
    """Give people's names by what references hold: an account's URI, or `source:<source id>`.

    `known` are names by URI of other accounts.
    """
    linked = activities.dropna(subset=["target_uri", "target_name"])
    pending = activities.dropna(subset=["source_id", "source_name"])
    return {
        **(known or {}),
        **dict(zip("source:" + pending["source_id"], pending["source_name"], strict=True)),
        **dict(zip(linked["target_uri"], linked["target_name"], strict=True)),
    }


def shown_value(value: str | None, names: Mapping[str, str]) -> str:
    """Show a value of a change as people write it: several with commas, an account by its name, empty for none."""
    if value is None:
        return ""
    if (several := _several(value)) is not None:
        return ", ".join(several)
    return names.get(value) or _TENANT_URI.sub("", value)


def _several(value: str) -> list[str] | None:
    """Give the values that a JSON array of text holds; null for any other text, however it begins."""
    try:
        values = json.loads(value) if value.startswith("[") else None
    except ValueError:
        return None
    return values if isinstance(values, list) and all(isinstance(one, str) for one in values) else None


def _is(status: pd.Series, one: Status) -> pd.Series:
    return status.eq(one.value).fillna(False)


def _refused(lists: pd.Series) -> pd.Series:
    """Write what was not taken as JSON; it is nothing for most."""
    texts = pd.Series("[]", index=lists.index, dtype=STRING)
    some = lists.dropna()
    some = some[some.map(len) > 0]
    texts.loc[some.index] = [json.dumps(list(names)) for names in some]
    return texts


def _changes(plan: Plan) -> pd.Series:
    """Give the changes of each operation as one JSON text, by change id."""
    changes, known = plan.changes, pa.array(plan.operations["change_id"].array)
    text = pc.binary_join_element_wise(
        '{"attribute": ',
        _quoted(changes["attribute"]),
        ', "before": ',
        _quoted(changes["before"]),
        ', "after": ',
        _quoted(changes["after"]),
        "}",
        "",
    )
    row = pc.fill_null(pc.index_in(_whole(changes["change_id"]), value_set=_chunk(known)), -1).to_numpy()
    order = np.argsort(row, kind="stable")
    ends = np.searchsorted(row[order], np.arange(len(known) + 1)).astype(np.int32)
    joined = pc.binary_join(pa.ListArray.from_arrays(pa.array(ends), text.take(pa.array(order))), ", ")
    whole = pc.binary_join_element_wise("[", joined, "]", "")
    return pd.Series(pd.arrays.ArrowExtensionArray(pa.chunked_array([whole])), index=plan.operations["change_id"])


def _quoted(column: pd.Series) -> pa.Array:
    """Write a text column as JSON: quoted and escaped, `null` where there is none."""
    text = _whole(column)
    for plain, escaped in _ESCAPES:
        text = pc.replace_substring(text, plain, escaped)
    text = pc.replace_substring_regex(text, _CONTROL, " ")
    return pc.fill_null(pc.binary_join_element_wise('"', text, '"', ""), "null")


def _whole(column: pd.Series) -> pa.Array:
    return _chunk(pa.array(column.array))


def _chunk(array: pa.Array | pa.ChunkedArray) -> pa.Array:
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array
