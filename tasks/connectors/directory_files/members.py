"""Who is in which assigned group, from a table of groups and members, inner groups included where wanted.

The reader calls it. Circles of groups end by themselves: no pair is followed twice.
"""

from __future__ import annotations

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tasks.model import MEMBER_COLUMNS


def closure(edges: pa.Table, groups: pd.Series, *, nested: bool) -> pd.DataFrame:
    """Give the members of `groups` as `MEMBER_COLUMNS`, groups themselves left out.

    `edges` has `groupId`, `memberId` and perhaps `memberType`. With `nested`, members of inner groups follow, not
    `direct`.
    """
    pairs = edges.select(["groupId", "memberId"]).to_pandas(types_mapper=pd.ArrowDtype).drop_duplicates()
    pairs.columns = pd.Index(["group_id", "member_id"])
    inner_groups = set(pc.unique(edges["groupId"]).to_pylist())
    is_group = pairs["member_id"].isin(inner_groups)
    is_person = ~is_group
    if "memberType" in edges.column_names:
        types = edges.to_pandas(types_mapper=pd.ArrowDtype).loc[pairs.index, "memberType"].str.lower()
        is_person &= types.fillna("user").str.endswith("user")
    reach = _reachable(groups, pairs[is_group]) if nested else _themselves(groups)
    people = reach.merge(pairs[is_person], left_on="inner_id", right_on="group_id", suffixes=("", "_inner"))
    people["direct"] = people["group_id"].eq(people["inner_id"])
    people = people.sort_values("direct", ascending=False, kind="stable")
    people = people.drop_duplicates(["group_id", "member_id"], ignore_index=True)
    return people[list(MEMBER_COLUMNS)].astype(dict(MEMBER_COLUMNS))


def _themselves(groups: pd.Series) -> pd.DataFrame:
    ids = groups.reset_index(drop=True)
    return pd.DataFrame({"group_id": ids, "inner_id": ids})


def _reachable(groups: pd.Series, edges: pd.DataFrame) -> pd.DataFrame:
    """Give every group that can be reached from each of `groups`, itself included, one level of nesting a round."""
    reached = _themselves(groups)
    fresh = reached
    while len(fresh):
        step = fresh.merge(edges, left_on="inner_id", right_on="group_id", suffixes=("", "_outer"))
        step = step[["group_id", "member_id"]].set_axis(["group_id", "inner_id"], axis=1).drop_duplicates()
        known = step.merge(reached, how="left", on=["group_id", "inner_id"], indicator=True)["_merge"].eq("both")
        fresh = step[~known.to_numpy()]
        reached = pd.concat([reached, fresh], ignore_index=True)
    return reached
