"""From what a directory gives to the Assignments frame: everyone entitled, everyone linked, and how whole that is.

The extract task and the on-demand flow call it. Who is entitled is worked out in `entitlement`, what a change touches
in `changes`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import pandas as pd

from tasks.connectors.directory import Directory, DirectoryRead
from tasks.extract.changes import Since, extract_changes
from tasks.extract.entitlement import entitlements
from tasks.extract.frame import concerning, extraction_of, rows_of
from tasks.job import Scope
from tasks.model import STRING, Extraction, Presence, Progress, SourceUpdate, silent


def extract_assignments(
    directory: Directory,
    attributes: frozenset[str],
    scope: Scope,
    known: pd.Series | None = None,
    progress: Progress = silent,
    since: Since | None = None,
) -> Extraction:
    """Read the directory and give the Assignments frame: who is entitled now, and who is linked (`known` source ids).

    With `since` only what changed is read, and only the people whom that concerns have a row; when changes do not tell
    enough, everybody is read all the same, and `Extraction.whole` says so. Raises what the directory raises.
    """
    changed = None if since is None else extract_changes(directory, attributes, scope, since, progress)
    return changed if changed is not None else _everybody(directory, attributes, scope, _ids(known), progress)


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
    rows = rows_of(read, entitlements(read, scope), scope)
    if not read.manifest.complete:
        rows = rows[rows["entitled"] | rows["presence"].ne(Presence.PRESENT)]
    return dataclasses.replace(extraction_of(read, rows, _ids(known), attributes), whole=False)


def _everybody(
    directory: Directory, attributes: frozenset[str], scope: Scope, linked: pd.Series, progress: Progress
) -> Extraction:
    """Read everybody.

    Whoever should be in the read and is not is looked up by id before anything is concluded. A linked person who is
    not found then is hard-deleted when the read was complete; otherwise they have no row and the manifest says so.
    """
    read = directory.read_all(attributes, scope, progress)
    people = entitlements(read, scope)
    entitled = people.loc[people["entitled"], "source_id"]
    lost = pd.concat([each[~each.isin(read.users["source_id"])] for each in (entitled, linked)]).drop_duplicates()
    del entitled
    read = _with_latecomers(directory, read, attributes, lost)
    rows = rows_of(read, people, scope)
    del people
    read = dataclasses.replace(read, users=read.users[["source_id"]])
    rows = concerning(rows, linked)
    extraction = extraction_of(read, rows, linked, attributes)
    if not read.watermark:
        # A source that tells no changes is read whole every time: nothing would be looked up.
        return extraction
    update = SourceUpdate(
        whole=True,
        people=extraction.assignments,
        members=read.members,
        grants=read.assignments,
        roles=read.roles,
        default_domain=read.default_domain,
    )
    return dataclasses.replace(extraction, update=update)


def _with_latecomers(
    directory: Directory, read: DirectoryRead, attributes: frozenset[str], lost: pd.Series
) -> DirectoryRead:
    """Add those of the `lost`, who should be in the read and are not, who are found by id.

    People move while pages are read: from the directory to its recycle bin and back, or into it.
    """
    if not len(lost):
        return read
    found = directory.find_people(lost.tolist(), attributes)
    missing = (*read.manifest.missing, *found.missing)
    return dataclasses.replace(
        read,
        users=pd.concat([read.users, found.users], ignore_index=True).drop_duplicates("source_id", ignore_index=True),
        manifest=dataclasses.replace(read.manifest, complete=not missing, missing=missing),
    )


def _ids(known: pd.Series | None) -> pd.Series:
    ids = pd.Series([], dtype=STRING) if known is None else known.astype(STRING)
    return ids.dropna().drop_duplicates().reset_index(drop=True)
