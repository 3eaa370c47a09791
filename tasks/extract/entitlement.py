"""Who is entitled, by which role and which way: the rules of assignment, over whole frames.

The assembly beside it calls it. It reads nothing and knows no connector.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tasks.connectors.directory import DirectoryRead, give_back
from tasks.job import Scope
from tasks.model import BOOL, DEFAULT_ACCESS_ROLE_ID, INT, STRING

_WAY_COLUMNS: Final = ["principal_id", "counts", "text", "value"]


def entitlements(read: DirectoryRead, scope: Scope) -> pd.DataFrame:
    """Give one row for everybody with an assignment, whether it counts or not, in no order.

    Columns: `source_id`, `entitled`, `entitlement_reason`, and `appRoleAssignments`, the sorted values of the roles
    that count (null when none has a value). An assignment counts when its role is an enabled one of the application;
    Default Access counts unless the scope excludes it. A group passes its roles on to its direct members, with
    `nested_groups` to those of inner groups too (Microsoft Graph, resource appRoleAssignment). Assignments of service
    principals are no people's.
    """
    ways = _ways(read, scope)
    held, ids = _holders(ways, read.members, nested=scope.nested_groups)
    counting = held.filter(held["counts"])
    summary = _summary(held, counting, ways)
    people = summary.merge(_roles(counting, ways["value"]), how="left", on="person")
    source_id = _series(ids.take(_array(people["person"])))
    del held, counting, summary
    give_back()
    return people.drop(columns="person").assign(source_id=source_id)


def _ways(read: DirectoryRead, scope: Scope) -> pd.DataFrame:
    """Give every way to be assigned, the ones that count first: its text for people, and the value of its role.

    A group assignment is two ways, for direct members and for those of inner groups.
    """
    grants = read.assignments.merge(read.roles, how="left", on="role_id")
    default = grants["role_id"].eq(DEFAULT_ACCESS_ROLE_ID).fillna(False)
    enabled = grants["enabled"].fillna(False)
    label = grants["display_name"].fillna(grants["value"]).fillna(grants["role_id"]).mask(default, "Default Access")
    grants["counts"] = (enabled & ~default) | (default & (not scope.exclude_default_access))
    why_not = pd.Series("", index=grants.index, dtype=STRING)
    why_not = why_not.mask(~enabled, ", which is disabled")
    why_not = why_not.mask(grants["enabled"].isna(), ", which the application does not have")
    why_not = why_not.mask(default, ", which does not count in this job").mask(grants["counts"], "")
    grants["role"] = "role " + label + why_not
    grants["name"] = grants["principal_name"].fillna(grants["principal_id"])
    ways = pd.concat(
        [
            _way(grants, "User", "user", ", assigned directly", named=False),
            _way(grants, "Group", "direct", " through group ", named=True),
            _way(grants, "Group", "inner", " through a group within group ", named=True),
        ]
    )
    ways["order"] = ways["kind"].map({"user": 0, "direct": 1, "inner": 2})
    ways = ways.sort_values(["counts", "order", "text"], ascending=[False, True, True], ignore_index=True)
    return ways[[*_WAY_COLUMNS, "kind"]]


def _way(grants: pd.DataFrame, principal_type: str, kind: str, text: str, *, named: bool) -> pd.DataFrame:
    """Give the ways of one kind that the `grants` of one type of principal open."""
    theirs = grants[grants["principal_type"].eq(principal_type).fillna(False)].reset_index(drop=True)
    theirs["text"] = theirs["role"] + text + (theirs["name"] if named else "")
    theirs["kind"] = pd.Series(kind, index=theirs.index, dtype=STRING)
    return theirs


def _holders(ways: pd.DataFrame, members: pd.DataFrame, *, nested: bool) -> tuple[pa.Table, pa.Array]:
    """Give who holds which way, and the source ids: `person` (a place among those), `way` (its row), `counts`.

    People and groups are numbered first: a million memberships as pairs of texts would weigh more than the people.
    """
    numbered = ways[["principal_id", "counts", "kind"]].reset_index(names="way")
    users = numbered[numbered["kind"].eq("user")]
    coded = pa.concat_arrays([_array(users["principal_id"]), _array(members["member_id"])]).dictionary_encode()
    groups = _array(numbered["principal_id"]).unique()
    group = _series(pc.index_in(_array(members["group_id"]), value_set=groups))
    person, direct = _series(coded.indices.slice(len(users))), members["direct"].reset_index(drop=True)
    opened = numbered.assign(group=_series(pc.index_in(_array(numbered["principal_id"]), value_set=groups)))
    pieces = [users.assign(person=_series(coded.indices.slice(0, len(users))).set_axis(users.index))]
    for kind, is_direct in (("direct", True), ("inner", False)):
        if is_direct or nested:
            theirs = pd.DataFrame({"group": group, "person": person})[direct.eq(is_direct).fillna(False)]
            pieces.append(theirs.merge(opened.loc[opened["kind"].eq(kind), ["group", "way", "counts"]], on="group"))
    columns = {"person": "int32[pyarrow]", "way": "int64[pyarrow]", "counts": BOOL}
    held = pd.concat([piece[list(columns)] for piece in pieces], ignore_index=True).astype(columns)
    return pa.Table.from_pandas(held, preserve_index=False), coded.dictionary


def _array(series: pd.Series) -> pa.Array:
    array = pa.array(series.array)
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def _series(array: pa.Array) -> pd.Series:
    return pd.Series(pd.arrays.ArrowExtensionArray(pa.chunked_array([array])))


def _summary(held: pa.Table, counting: pa.Table, ways: pd.DataFrame) -> pd.DataFrame:
    """Give the first way of everybody and how many others there are, of those that count where any does."""
    best = _first_and_number(held).rename(columns={"number": "all"})
    good = _first_and_number(counting)
    people = best.merge(good[["person", "number"]], how="left", on="person")
    others = people["number"].fillna(people["all"]) - 1
    # Few different sentences are said of many people: each is put together once.
    width = int(others.max()) + 1 if len(others) else 1
    said = _array(people["first"] * width + others).dictionary_encode()
    place = said.dictionary.to_numpy(zero_copy_only=False).astype("int64")
    sentences = _sentences(ways.iloc[place // width], place % width)
    return pd.DataFrame(
        {
            "person": people["person"],
            "entitled": people["number"].notna().astype(BOOL),
            "entitlement_reason": _series(_array(sentences).take(said.indices)),
        }
    )


def _sentences(first: pd.DataFrame, others: np.ndarray[Any, np.dtype[np.int64]]) -> pd.Series:
    """Say by which way, besides so many others, somebody is entitled, or why not."""
    count = pd.Series(others, index=first.index, dtype=INT)
    plural = pd.Series(" other ways)", index=first.index, dtype=STRING).mask(count.eq(1), " other way)")
    text = first["text"].astype(STRING) + (" (and " + count.astype(STRING) + plural).mask(count.eq(0), "")
    return text.where(first["counts"], "not effectively entitled: only " + text)


def _first_and_number(held: pa.Table) -> pd.DataFrame:
    """Ways are numbered with the counting ones first, so the smallest number is the way to name."""
    grouped = held.group_by("person").aggregate([("way", "min"), ("way", "count_distinct")])
    grouped = grouped.select(["person", "way_min", "way_count_distinct"])
    return grouped.rename_columns(["person", "first", "number"]).to_pandas(types_mapper=pd.ArrowDtype)


def _roles(counting: pa.Table, values: pd.Series) -> pd.DataFrame:
    """Merge the role values of everybody into one sorted list each."""
    by_way = pa.array(values.astype(STRING))
    held = pa.table({"person": counting["person"], "value": by_way.take(counting["way"].combine_chunks())})
    distinct = held.filter(pc.is_valid(held["value"])).group_by(["person", "value"]).aggregate([])
    # One thread keeps the values of each person in the order they are sorted in.
    merged = distinct.sort_by("value").group_by("person", use_threads=False).aggregate([("value", "list")])
    merged = merged.select(["person", "value_list"]).rename_columns(["person", "appRoleAssignments"])
    return merged.to_pandas(types_mapper=pd.ArrowDtype)
