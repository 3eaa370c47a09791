"""From what changed in a directory to the Assignments frame of the people whom it concerns, everybody else left out.

`assignments` calls it for an incremental read. What is known of everybody else is looked up by id in the ledger.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Final

import pandas as pd

from tasks.connectors.directory import PERSON_COLUMNS, Directory, DirectoryChanges, DirectoryRead
from tasks.extract.entitlement import entitlements
from tasks.extract.frame import concerning, extraction_of, rows_of
from tasks.job import Scope
from tasks.ledger.source import SourceFacts, SourceMemory
from tasks.model import (
    MEMBER_COLUMNS,
    ROLE_COLUMNS,
    STRING,
    Extraction,
    Presence,
    Progress,
    SourceUpdate,
    silent,
)

_WORTH_A_WHOLE_READ: Final = 5000
"""People to be looked up one by one above which everybody is read instead."""
_UNIT: Final = "\x1f"
_NULL: Final = "\x00"


@dataclasses.dataclass(frozen=True)
class Since:
    """What an incremental read starts from: the watermark, what the ledger remembers, and whom to look at again.

    `again` are source ids of people whose last operation has to be tried again whether or not they change.
    """

    watermark: Mapping[str, Any]
    remembered: SourceMemory
    again: Sequence[str] = ()


@dataclasses.dataclass(frozen=True)
class _Touched:
    """Memberships and assignments before and after, as far as they differ, and everybody whom that concerns."""

    people: frozenset[str]
    members_new: pd.DataFrame
    members_gone: pd.DataFrame
    grants_new: pd.DataFrame
    grants_gone: tuple[str, ...]


def extract_changes(
    directory: Directory,
    attributes: frozenset[str],
    scope: Scope,
    since: Since,
    progress: Progress = silent,
) -> Extraction | None:
    """Read what changed and give the people it touches who are entitled or linked, each as a whole object.

    Touched are: who changed, whose membership or assignment changed, whose role changed, who is to be looked at
    `again`, and who reports to any of these, since a supervisor's account may come or go with them. Null when changes
    do not tell enough, so that everybody has to be read. Raises what the directory raises.
    """
    remembered, facts = since.remembered, since.remembered.facts()
    changes = None if facts is None else directory.read_changes(since.watermark, attributes, scope, progress)
    if facts is None or changes is None or changes.default_domain != facts.default_domain:
        return None
    touched = _touched(changes, facts, remembered)
    concerned = touched.people.union(since.again)
    concerned = concerned.union(remembered.reports_of(sorted(concerned)))
    linked = pd.Series(remembered.linked(sorted(concerned)), dtype=STRING)
    return _Reading(directory, attributes, scope, remembered, changes, touched, concerned, linked).extraction()


@dataclasses.dataclass(frozen=True)
class _Reading:
    """One incremental read, once it is known whom it concerns."""

    directory: Directory
    attributes: frozenset[str]
    scope: Scope
    remembered: SourceMemory
    changes: DirectoryChanges
    touched: _Touched
    concerned: frozenset[str]
    linked: pd.Series
    """Those concerned who are linked."""

    def extraction(self) -> Extraction | None:
        """Put the people together; null when too many of them have to be looked up one by one."""
        types = self.changes.users.dtypes.drop(list(PERSON_COLUMNS))
        known = self.remembered.people(sorted(self.concerned), {str(name): types[name] for name in types.index})
        stale = self._reports_of_who_moved(known)
        kept = known[~known["source_id"].isin([*self.changes.changed, *stale])]
        members = self._members()
        unread = stale.union(self._expected(members).difference(kept["source_id"], self.changes.changed))
        if len(unread) > _WORTH_A_WHOLE_READ:
            return None
        found = self.directory.find_people(sorted(unread), self.attributes)
        fresh = pd.concat([self.changes.users, found.users], ignore_index=True)
        missing = (*self.changes.manifest.missing, *found.missing)
        read = DirectoryRead(
            users=pd.concat([fresh, kept], ignore_index=True),
            roles=self.changes.roles,
            assignments=self._grants(members),
            members=members,
            default_domain=self.changes.default_domain,
            manifest=dataclasses.replace(self.changes.manifest, complete=not missing, missing=missing),
            watermark=self.changes.watermark,
        )
        rows = concerning(rows_of(read, entitlements(read, self.scope), self.scope), self.linked)
        extraction = extraction_of(read, rows, self.linked, self.attributes)
        return dataclasses.replace(extraction, whole=False, update=self._update(extraction.assignments, fresh))

    def _reports_of_who_moved(self, known: pd.DataFrame) -> frozenset[str]:
        """Give the reports of everybody who left the directory or came back.

        Who their manager is has changed with it, and change tracking need not tell of that.
        """
        changed = self.changes.changed
        before, now = (
            people.set_index("source_id")["presence"].reindex(changed).fillna("")
            for people in (known, self.changes.users)
        )
        moved = changed[(before != now).to_numpy(dtype=bool)]
        return frozenset(self.remembered.reports_of(moved.tolist())).difference(changed)

    def _members(self) -> pd.DataFrame:
        """Give the memberships of everybody concerned, as they are now."""
        before = self.remembered.memberships_of(sorted(self.concerned))
        now = pd.concat([_without(before, self.touched.members_gone), self.touched.members_new], ignore_index=True)
        return now.drop_duplicates(["group_id", "member_id"], keep="last", ignore_index=True)

    def _grants(self, members: pd.DataFrame) -> pd.DataFrame:
        """Give the assignments that can concern these people: their own, and those of their groups."""
        grants = self.changes.assignments
        return grants[grants["principal_id"].isin([*self.concerned, *members["group_id"].unique()])]

    def _expected(self, members: pd.DataFrame) -> frozenset[str]:
        """Give who of those concerned is assigned or linked, so that their object is needed."""
        assigned = self.changes.assignments["principal_id"]
        named = [*members["member_id"], *assigned[assigned.isin(self.concerned)], *self.linked]
        return self.concerned.intersection(named)

    def _update(self, assignments: pd.DataFrame, fresh: pd.DataFrame) -> SourceUpdate:
        """Give what changes in the ledger: objects read anew, and whoever is neither entitled nor linked any more."""
        here = assignments["presence"].ne(Presence.HARD_DELETED)
        return SourceUpdate(
            whole=False,
            people=assignments[here & assignments["source_id"].isin(fresh["source_id"])],
            members=self.touched.members_new,
            grants=self.touched.grants_new,
            roles=self.changes.roles,
            default_domain=self.changes.default_domain,
            people_gone=tuple(sorted(self.concerned.difference(assignments.loc[here, "source_id"]))),
            members_gone=self.touched.members_gone,
            grants_gone=self.touched.grants_gone,
            touched=tuple(sorted(self.concerned)),
        )


def _touched(changes: DirectoryChanges, facts: SourceFacts, remembered: SourceMemory) -> _Touched:
    """Compare memberships, assignments and roles with those remembered."""
    changed = frozenset(changes.changed)
    grants = remembered.grants()
    grants_gone = _without(grants, changes.assignments, list(grants.columns))
    grants_new = _without(changes.assignments, grants, list(grants.columns))
    assigned = _groups(changes.assignments)
    left = sorted(_groups(grants) - assigned)
    before = pd.concat(
        [
            remembered.memberships_of(sorted(changed)),
            remembered.members_of([*left, *sorted(changes.groups_read)]),
        ],
        ignore_index=True,
    ).drop_duplicates(["group_id", "member_id"], ignore_index=True)
    now = changes.members[changes.members["group_id"].isin(assigned)]
    members_gone, members_new = _without(before, now), _without(now, before)
    moved = pd.concat([grants_gone, grants_new])
    columns = list(ROLE_COLUMNS)
    roles = pd.concat([_without(facts.roles, changes.roles, columns), _without(changes.roles, facts.roles, columns)])
    moved = pd.concat([moved, changes.assignments[changes.assignments["role_id"].isin(roles["role_id"])]])
    principals = moved["principal_id"].dropna().unique().tolist()
    whole = sorted(_groups(moved))
    people = changed.union(
        [] if not whole else remembered.members_of(whole)["member_id"],
        now.loc[now["group_id"].isin(whole), "member_id"],
        members_gone["member_id"],
        members_new["member_id"],
        frozenset(principals) - frozenset(whole),
    )
    return _Touched(people, members_new, members_gone, grants_new, tuple(grants_gone["assignment_id"]))


def _groups(grants: pd.DataFrame) -> frozenset[str]:
    return frozenset(grants.loc[grants["principal_type"].eq("Group").fillna(False), "principal_id"])


def _without(rows: pd.DataFrame, others: pd.DataFrame, keys: Sequence[str] = tuple(MEMBER_COLUMNS)) -> pd.DataFrame:
    """Give the `rows` that are not among `others`, comparing the columns `keys`; missing equals missing."""
    return rows[~_spelled(rows, keys).isin(_spelled(others, keys))].reset_index(drop=True)


def _spelled(rows: pd.DataFrame, keys: Sequence[str]) -> pd.Series:
    spelled = pd.Series("", index=rows.index, dtype=STRING)
    for name in keys:
        spelled = spelled + _UNIT + rows[name].astype(STRING).fillna(_NULL)
    return spelled
