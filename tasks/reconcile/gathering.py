"""Everything that a plan is made from: who is linked to what, which accounts match, and what the accounts hold now.

All reads of the target happen here, in bulk, and only for people who are new, changed or leaving. `plan` calls
`gather`; `findings` turns the result into operations.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tasks.job import Job
from tasks.model import TARGET_COLUMNS, Accounts, CycleKind, Operation, Progress, Situation, empty_frame
from tasks.reconcile.columns import Mask, Places, array_of, differ, nulls, places_of, series_of, take
from tasks.reconcile.matching import Found, Owners, find, judge
from tasks.reconcile.references import Anchors, Resolved, depths, resolve
from tasks.reconcile.standing import Links, Standing
from tasks.reconcile.target import Matching, TargetReader
from tasks.reconcile.wanted import Present, Wanted

STAGE = "reconcile"
"""What this stage is called where its progress is shown."""


@dataclasses.dataclass(frozen=True)
class Gathered:
    """What is known before anything is decided; masks and places have a row a person.

    `read` marks people whose linked account was looked up, `dead` those of them whose account is gone, `withheld`
    those whose account the signed-in account may not see. `matches` (`MATCH_COLUMNS`) judges everybody who is not
    linked or whose link is dead. `linked_uri` is the URI of each one's linked account, and `account` its row in
    `present`, -1 where it was not read or is not there. `depth` is how many others each one waits for.
    """

    standing: Standing
    links: Links
    wanted: Wanted
    present: Present
    matches: pd.DataFrame
    resolved: dict[str, Resolved]
    digests: pa.Array
    linked_uri: pa.Array
    account: Places
    read: Mask
    dead: Mask
    withheld: Mask
    depth: Places


def gather(
    accounts: Accounts,
    order: Sequence[Matching],
    links_frame: pd.DataFrame,
    target: TargetReader,
    job: Job,
    kind: CycleKind,
    progress: Progress,
) -> Gathered:
    """Look for the accounts of new people and read those of people who changed or are leaving.

    When a linked account turns out to be gone, its person is matched again, and so is the comparison of everyone who
    reports to them, until nothing new comes to light.
    """
    links = Links.of(links_frame)
    standing, wanted = Standing.of(accounts, links), Wanted(accounts, target.schema)
    owners = Owners(links.target_uri, links.source_name, links.source_id)
    count = wanted.count
    progress(STAGE, 0, count, "matching")
    found = [find(np.flatnonzero(standing.usual & ~standing.linked), wanted, order, target)]
    frames = [empty_frame(TARGET_COLUMNS), *found[0].accounts]
    read, dead = np.zeros(count, bool), np.zeros(count, bool)
    linked_uri = take(links.target_uri, standing.link)
    owners_of = [_owners(frame, linked_uri) for frame in frames]
    creates = job.allows(Operation.CREATE) and Situation.ABSENT not in job.situations
    while True:
        matches = judge(_together(found), wanted, order, standing.source_id, standing.source_name, owners)
        resolved = _resolved(standing, links, wanted, matches, dead, creates=creates)
        digests = wanted.digests(resolved, standing.usual)
        more = (_due(standing, links, digests, kind) | _reports(standing, wanted, dead)) & ~read
        if not more.any():
            break
        progress(STAGE, int(np.count_nonzero(read)), count, "reading accounts")
        frames.append(target.read(series_of(take(linked_uri, np.flatnonzero(more)))))
        owners_of.append(_owners(frames[-1], linked_uri))
        read |= more
        gone = more & ~_given(owners_of[-1], count) & ~_among(linked_uri, target.withheld)
        dead |= gone & standing.usual
        if not (gone & standing.usual).any():
            break
        found.append(find(np.flatnonzero(gone & standing.usual), wanted, order, target))
        frames += found[-1].accounts
        owners_of += [_owners(frame, linked_uri) for frame in found[-1].accounts]
    progress(STAGE, count, count)
    present = Present(frames)
    return Gathered(
        standing=standing,
        links=links,
        wanted=wanted,
        present=present,
        matches=matches,
        resolved=resolved,
        digests=digests,
        linked_uri=linked_uri,
        account=_accounts(np.concatenate(owners_of)[present.rows], count),
        read=read,
        dead=dead,
        withheld=read & _among(linked_uri, target.withheld),
        depth=_depth(standing, resolved),
    )


def _due(standing: Standing, links: Links, digests: pa.Array, kind: CycleKind) -> Mask:
    """Mark the linked people whose account has to be looked at.

    An incremental cycle passes over active people whose wanted account is the one that was last written, and over
    leavers whose login was taken earlier.
    """
    everybody = kind is not CycleKind.INCREMENTAL
    if everybody:
        changed = np.ones(len(standing.linked), bool)
    else:
        changed = differ(digests, take(links.digest, standing.link)) | ~standing.link_active
    due: Mask = standing.linked & (
        (standing.usual & changed) | (standing.leaving & (everybody | standing.link_active | standing.gone))
    )
    return due


def _reports(standing: Standing, wanted: Wanted, dead: Mask) -> Mask:
    """Mark the linked people who refer to somebody whose account is gone."""
    reports = np.zeros(wanted.count, bool)
    if dead.any():
        lost = standing.source_id.filter(pa.array(dead))
        for name in wanted.references:
            reports |= pc.is_in(wanted.values(name), value_set=lost).to_numpy(zero_copy_only=False)
    return reports & standing.linked & standing.usual


def _owners(frame: pd.DataFrame, linked_uri: pa.Array) -> Places:
    """Give for each account of `frame` the person who is linked to it, -1 for nobody."""
    return places_of(array_of(frame["target_uri"]), linked_uri)


def _given(owners: Places, count: int) -> Mask:
    """Mark those of `count` people whose linked account is among those with these owners."""
    given = np.zeros(count, bool)
    given[owners[owners >= 0]] = True
    return given


def _accounts(owners: Places, count: int) -> Places:
    """Give for each of `count` people the row of their linked account, -1 for none; `owners` has a row an account."""
    account = np.full(count, -1, np.int64)
    rows = np.flatnonzero(owners >= 0)
    account[owners[rows]] = rows
    return account


def _among(uris: pa.Array, some: frozenset[str]) -> Mask:
    if not some:
        return np.zeros(len(uris), bool)
    among: Mask = pc.is_in(uris, value_set=pa.array(sorted(some), pa.string())).to_numpy(zero_copy_only=False)
    return among


def _together(found: Sequence[Found]) -> Found:
    return Found(
        hits=pd.concat([part.hits for part in found], ignore_index=True),
        accounts=[],
        asked=np.concatenate([part.asked for part in found]),
        unasked=np.concatenate([part.unasked for part in found]),
    )


def _resolved(
    standing: Standing, links: Links, wanted: Wanted, matches: pd.DataFrame, dead: Mask, *, creates: bool
) -> dict[str, Resolved]:
    """Find the accounts of everybody whom somebody refers to, by reference attribute."""
    if not wanted.references:
        return {}
    anchors = _anchors(standing, links, matches, dead, creates=creates)
    return {
        name: resolve(wanted.values(name), wanted.flows(name), standing.source_id, anchors)
        for name in wanted.references
    }


def _anchors(standing: Standing, links: Links, matches: pd.DataFrame, dead: Mask, *, creates: bool) -> Anchors:
    """Give everybody who has an account, or gets one by this plan; nobody refers to people deleted for good."""
    usable = [Situation.FOUND.value, *([Situation.ABSENT.value] if creates else [])]
    coming = matches[matches["situation"].isin(usable)]
    people = coming["person"].to_numpy(dtype=np.int64)
    lost = pc.is_in(links.source_id, value_set=standing.source_id.filter(pa.array(dead | standing.gone)))
    alive = pc.invert(lost)
    return Anchors(
        pa.concat_arrays([links.source_id.filter(alive), take(standing.source_id, people)]),
        pa.concat_arrays([links.target_uri.filter(alive), array_of(coming["target_uri"])]),
    )


def _depth(standing: Standing, resolved: Mapping[str, Resolved]) -> Places:
    """Give how deep each person stands below others whose account is new.

    Where new people wait for each other in a circle, the one with the lowest source id counts as the first.
    """
    count = len(standing.source_id)
    depth = np.zeros(count, np.int64)
    for references in resolved.values():
        if not references.pending.any():
            continue
        waited = pc.if_else(pa.array(references.pending), references.source_id, pa.scalar(None, pa.string()))
        order = pc.sort_indices(standing.source_id).to_numpy().astype(np.int64)
        rank = np.empty(count, np.int64)
        rank[order] = np.arange(count)
        place = places_of(waited, standing.source_id)
        deep, _ = depths(np.where(place >= 0, rank[place], -1)[order])
        depth = np.maximum(depth, deep[rank])
    return depth


def linked_name(gathered: Gathered, people: Places) -> pa.Array:
    """Give the login name of each person's linked account, as it is now if it was read, else as remembered."""
    if not len(people):
        return nulls(0)
    now = take(gathered.present.name, gathered.account[people])
    return pc.coalesce(now, take(gathered.links.target_name, gathered.standing.link[people]))
