"""Who is entitled, by which role and which way: the rules of assignment, over whole frames.

The assembly beside it calls it. It reads nothing and knows no connector.
"""

from __future__ import annotations

from typing import Final

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tasks.connectors.directory import DirectoryRead
from tasks.job import Scope
from tasks.model import BOOL, DEFAULT_ACCESS_ROLE_ID, STRING

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
    held = _holders(ways, read.members, nested=scope.nested_groups)
    counting = held.filter(held["counts"])
    summary = _summary(held, counting, ways["text"])
    roles = _roles(counting, ways["value"])
    return summary.merge(roles, how="left", on="source_id")


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


def _holders(ways: pd.DataFrame, members: pd.DataFrame, *, nested: bool) -> pa.Table:
    """Give who holds which way: `source_id`, `way` (its row), `counts`."""
    numbered = ways[["principal_id", "counts", "kind"]].reset_index(names="way")
    pieces = [numbered[numbered["kind"].eq("user")].rename(columns={"principal_id": "source_id"})]
    for kind, is_direct in (("direct", True), ("inner", False)):
        if is_direct or nested:
            theirs = members[members["direct"].eq(is_direct).fillna(False)]
            joined = theirs.merge(numbered[numbered["kind"].eq(kind)], left_on="group_id", right_on="principal_id")
            pieces.append(joined.rename(columns={"member_id": "source_id"}))
    columns = {"source_id": STRING, "way": "int64[pyarrow]", "counts": BOOL}
    held = pd.concat([piece[list(columns)] for piece in pieces], ignore_index=True).astype(columns)
    return pa.Table.from_pandas(held, preserve_index=False)


def _summary(held: pa.Table, counting: pa.Table, texts: pd.Series) -> pd.DataFrame:
    """Give the first way of everybody and how many others there are, of those that count where any does."""
    best = _first_and_number(held).rename(columns={"number": "all"})
    good = _first_and_number(counting)
    people = best.merge(good[["source_id", "number"]], how="left", on="source_id")
    entitled = people["number"].notna()
    others = people["number"].fillna(people["all"]) - 1
    plural = pd.Series(" other ways)", index=people.index, dtype=STRING).mask(others.eq(1), " other way)")
    more = (" (and " + others.astype(STRING) + plural).mask(others.eq(0), "")
    first = texts.astype(STRING).take(people["first"].astype("int64").to_numpy()).reset_index(drop=True)
    return pd.DataFrame(
        {
            "source_id": people["source_id"],
            "entitled": entitled.astype(BOOL),
            "entitlement_reason": (first + more).mask(~entitled, "not effectively entitled: only " + first + more),
        }
    )


def _first_and_number(held: pa.Table) -> pd.DataFrame:
    """Ways are numbered with the counting ones first, so the smallest number is the way to name."""
    grouped = held.group_by("source_id").aggregate([("way", "min"), ("way", "count_distinct")])
    grouped = grouped.select(["source_id", "way_min", "way_count_distinct"])
    return grouped.rename_columns(["source_id", "first", "number"]).to_pandas(types_mapper=pd.ArrowDtype)


def _roles(counting: pa.Table, values: pd.Series) -> pd.DataFrame:
    """Merge the role values of everybody into one sorted list each."""
    by_way = pa.array(values.astype(STRING))
    held = pa.table({"source_id": counting["source_id"], "value": by_way.take(counting["way"].combine_chunks())})
    distinct = held.filter(pc.is_valid(held["value"])).group_by(["source_id", "value"]).aggregate([])
    # One thread keeps the values of each person in the order they are sorted in.
    merged = distinct.sort_by("value").group_by("source_id", use_threads=False).aggregate([("value", "list")])
    merged = merged.select(["source_id", "value_list"]).rename_columns(["source_id", "appRoleAssignments"])
    return merged.to_pandas(types_mapper=pd.ArrowDtype)
