"""From what a directory gives to the Assignments frame: everyone entitled, everyone linked, and how whole that is.

The extract task and the on-demand flow call it. Who is entitled is worked out in `entitlement`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Final

import pandas as pd

from tasks.connectors.directory import COMPUTED, Directory, DirectoryRead
from tasks.extract.entitlement import entitlements
from tasks.job import Scope
from tasks.model import ASSIGNMENT_COLUMNS, BOOL, STRING, STRINGS, Extraction, Presence, Progress, conform, silent

_APP_ROLES: Final = "appRoleAssignments"
_SHOWN: Final = 3


def extract_assignments(
    directory: Directory,
    attributes: frozenset[str],
    scope: Scope,
    known: pd.Series | None = None,
    progress: Progress = silent,
) -> Extraction:
    """Read everybody and give the Assignments frame: who is entitled now, and who is linked (`known` source ids).

    Whoever should be in the read and is not is looked up by id before anything is concluded. A linked person who is
    not found then is hard-deleted when the read was complete; otherwise they have no row and the manifest says so.
    Raises what the directory raises.
    """
    read = directory.read_all(attributes, scope, progress)
    linked = _ids(known)
    people = entitlements(read, scope)
    expected = pd.concat([people.loc[people["entitled"], "source_id"], linked]).drop_duplicates()
    read = _with_latecomers(directory, read, attributes, expected)
    assignments = _rows(read, people, scope)
    wanted = assignments["presence"].eq(Presence.PRESENT) & assignments["entitled"]
    wanted |= assignments["source_id"].isin(linked)
    return _extraction(read, assignments[wanted], linked, attributes)


def extract_people(
    directory: Directory,
    names: Sequence[str],
    attributes: frozenset[str],
    scope: Scope,
    known: pd.Series | None = None,
) -> Extraction:
    """Read the people named by source id, sign-in name or mail as they are now, entitled or not.

    `known` are those of them that are linked: absent from a complete read, they are hard-deleted. Somebody else who
    is not found has no row. The manifest is about these people only; when it is not complete, whoever only seems not
    to be entitled has no row either, so that a row is always an answer.
    """
    read = directory.read_people(names, attributes, scope)
    rows = _rows(read, entitlements(read, scope), scope)
    if not read.manifest.complete:
        rows = rows[rows["entitled"] | rows["presence"].ne(Presence.PRESENT)]
    return _extraction(read, rows, _ids(known), attributes)


def _ids(known: pd.Series | None) -> pd.Series:
    ids = pd.Series([], dtype=STRING) if known is None else known.astype(STRING)
    return ids.dropna().drop_duplicates().reset_index(drop=True)


def _with_latecomers(
    directory: Directory, read: DirectoryRead, attributes: frozenset[str], expected: pd.Series
) -> DirectoryRead:
    """Add those of `expected` who are not in the read and are found by id.

    People move while pages are read: from the directory to its recycle bin and back, or into it.
    """
    lost = expected[~expected.isin(read.users["source_id"])]
    if not len(lost):
        return read
    found = directory.find_people(lost.tolist(), attributes)
    missing = (*read.manifest.missing, *found.missing)
    return dataclasses.replace(
        read,
        users=pd.concat([read.users, found.users], ignore_index=True).drop_duplicates("source_id", ignore_index=True),
        manifest=dataclasses.replace(read.manifest, complete=not missing, missing=missing),
    )


def _rows(read: DirectoryRead, people: pd.DataFrame, scope: Scope) -> pd.DataFrame:
    """Give everybody in the read with their entitlement."""
    # Aligning three columns and adding them spares a copy of all the attributes.
    theirs = people.set_index("source_id").reindex(read.users["source_id"]).set_axis(read.users.index)
    rows = read.users.assign(**{str(name): theirs[name] for name in theirs.columns})
    if scope.who == "all":
        rows["entitled"] = pd.Series(data=True, index=rows.index, dtype=BOOL)
        rows["entitlement_reason"] = pd.Series(
            "everybody in the directory is in this job's scope", index=rows.index, dtype=STRING
        )
    rows["entitled"] = rows["entitled"].fillna(False)
    rows["entitlement_reason"] = rows["entitlement_reason"].fillna("not effectively entitled: not assigned")
    return rows


def _extraction(read: DirectoryRead, rows: pd.DataFrame, linked: pd.Series, attributes: frozenset[str]) -> Extraction:
    gone = linked[~linked.isin(rows["source_id"])]
    manifest = read.manifest
    if len(gone) and not manifest.complete:
        named = ", ".join(gone.head(_SHOWN)) + (", ..." if len(gone) > _SHOWN else "")
        note = f"linked people whom this read did not find and who are left alone: {len(gone):,} ({named})"
        manifest = dataclasses.replace(manifest, missing=(*manifest.missing, note))
    elif len(gone):
        rows = pd.concat([rows, _gone(gone, read.absent_means)], ignore_index=True)
    fixed = {**ASSIGNMENT_COLUMNS, _APP_ROLES: STRINGS}
    names = [*fixed, *sorted(attributes - COMPUTED - set(fixed))]
    return Extraction(
        assignments=conform(rows[names].reset_index(drop=True), fixed, "extract"),
        manifest=manifest,
        watermark=read.watermark,
        default_domain=read.default_domain,
    )


def _gone(ids: pd.Series, presence: Presence) -> pd.DataFrame:
    size = len(ids)
    return pd.DataFrame(
        {
            "source_id": ids.reset_index(drop=True),
            "presence": pd.Series([str(presence)] * size, dtype=STRING),
            "entitled": pd.Series([False] * size, dtype=BOOL),
            "entitlement_reason": pd.Series(["not in the directory any more"] * size, dtype=STRING),
        }
    )
