"""The Assignments frame of a read: everybody in it with their entitlement, and linked people who are gone.

`assignments` and `changes` call it, the one for whole reads and named people, the other for what changed.
"""

from __future__ import annotations

import dataclasses
from typing import Final

import pandas as pd

from tasks.connectors.directory import COMPUTED, DirectoryRead
from tasks.job import Scope
from tasks.model import ASSIGNMENT_COLUMNS, BOOL, STRING, STRINGS, Extraction, Presence, conform

_APP_ROLES: Final = "appRoleAssignments"
_SHOWN: Final = 3


def rows_of(read: DirectoryRead, people: pd.DataFrame, scope: Scope) -> pd.DataFrame:
    """Give everybody in the read with their entitlement (`people`, as `entitlements` gives it)."""
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


def concerning(rows: pd.DataFrame, linked: pd.Series) -> pd.DataFrame:
    """Give the rows of whoever is entitled and present, or linked. Takes the columns out of `rows` one by one, so that
    a directory is not held twice."""
    entitled = rows["presence"].eq(Presence.PRESENT) & rows["entitled"]
    wanted = (entitled | rows["source_id"].isin(linked)).to_numpy(dtype=bool)
    # Arrays, because each column of a frame that is filtered by itself brings an index of its own.
    return pd.DataFrame({name: rows.pop(name).array[wanted] for name in list(rows.columns)})


def extraction_of(read: DirectoryRead, rows: pd.DataFrame, linked: pd.Series, attributes: frozenset[str]) -> Extraction:
    """Give the extraction of these `rows`.

    Somebody `linked` without a row is gone for good when the read was complete; otherwise the manifest notes them.
    """
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
