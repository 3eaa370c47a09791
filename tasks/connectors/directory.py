"""What every source directory gives: people, app roles, who is assigned which, and who is in the assigned groups.

The connectors give it, extract applies the rules of assignment to it. Nothing here knows a wire or a file.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Protocol

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tasks.job import Scope
from tasks.model import STRING, Manifest, Presence, Probe, Progress, silent

PERSON_COLUMNS: Final[Mapping[str, pd.ArrowDtype]] = {"source_id": STRING, "presence": STRING}
"""DirectoryRead.users: one row a person, `source_id` unique; the attributes asked for stand beside these."""
COMPUTED: Final = frozenset({"IsSoftDeleted", "appRoleAssignments"})
"""Source attributes that no directory holds: they follow from assignments and presence."""

_PART: Final = 50_000


@dataclasses.dataclass(frozen=True)
class DirectoryRead:
    """One read of a directory, with the proof of how whole it is.

    `roles`, `assignments` and `members` have `ROLE_COLUMNS`, `GRANT_COLUMNS` and `MEMBER_COLUMNS`.
    """

    users: pd.DataFrame
    roles: pd.DataFrame
    assignments: pd.DataFrame
    members: pd.DataFrame
    default_domain: str | None
    manifest: Manifest
    watermark: Mapping[str, Any]
    absent_means: Presence = Presence.HARD_DELETED
    """Where somebody stands whom a complete read did not find. A source that cannot tell deletion from an end of
    employment says soft-deleted, so that the account is disabled and never deleted."""


@dataclasses.dataclass(frozen=True)
class People:
    """Some people, looked up by name: `users` has those found, `unanswered` the names whose lookup failed.

    `missing` says in words why it failed.
    """

    users: pd.DataFrame
    unanswered: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class DirectoryChanges:
    """What changed since a watermark, each changed person as they are now.

    `changed` holds the source ids of everybody who changed and was read again: `users` and `members` say all about
    them, so that who is in `changed` and not in `users` is gone for good. `groups_read` are groups whose members are
    all in `members`. `roles` and `assignments` are whole, as in `DirectoryRead`.
    """

    changed: pd.Series
    users: pd.DataFrame
    members: pd.DataFrame
    groups_read: frozenset[str]
    roles: pd.DataFrame
    assignments: pd.DataFrame
    default_domain: str | None
    manifest: Manifest
    watermark: Mapping[str, Any]


class Directory(Protocol):
    """A source of people. Attributes are asked for by their mapping names; computed ones are passed over.

    In the frames, text attributes are `STRING` (booleans "True"/"False"), multi-valued ones `STRINGS`, `manager` the
    manager's source id. Reads raise `UnreachableError` when they cannot go on and `BadInputError` when the input is
    wrong; whatever else is not whole is told in the manifest.
    """

    def read_all(self, attributes: frozenset[str], scope: Scope, progress: Progress = silent) -> DirectoryRead:
        """Read everybody, in the recycle bin too, and every assignment."""

    def read_changes(
        self,
        watermark: Mapping[str, Any],
        attributes: frozenset[str],
        scope: Scope,
        progress: Progress = silent,
    ) -> DirectoryChanges | None:
        """Give what changed since `watermark`, or null when it no longer serves and everything has to be read."""

    def read_people(self, names: Sequence[str], attributes: frozenset[str], scope: Scope) -> DirectoryRead:
        """Read the people named by source id, sign-in name or mail, and the assignments as they are now."""

    def find_people(self, names: Sequence[str], attributes: frozenset[str]) -> People:
        """Look up people by source id, sign-in name or mail, without their assignments."""

    def some_people(self, size: int, scope: Scope) -> list[str]:
        """Give the source ids of at most `size` people who seem to be in scope, with as few requests as that takes."""

    def probe(self, scope: Scope) -> list[Probe]:
        """Try every kind of read that a cycle needs."""


def without_guest_marks(names: pa.ChunkedArray) -> pa.ChunkedArray:
    """Give sign-in names as mappings see them: a guest's `ann_there.com#EXT#@here.com` is `ann@there.com`.

    (Microsoft Entra, "How application provisioning works", B2B users; `originalUserPrincipalName` keeps the mark.)
    """
    return pc.replace_substring_regex(names, r"^(.*)_([^_]*)#EXT#@[^@]*$", r"\1@\2")


def digest_of(read_users: pd.DataFrame, assignments: pd.DataFrame, members: pd.DataFrame) -> str:
    """Give a digest of who was read and how they are assigned, whatever the order in which they came."""
    digest = hashlib.sha256()
    for frame, keys in (
        (read_users, ["source_id", "presence"]),
        (assignments, ["principal_id", "role_id"]),
        (members, ["group_id", "member_id"]),
    ):
        for part in _ordered(frame, keys):
            digest.update("\x1e".join(part.to_pylist()).encode())
        digest.update(b"\x1d")
        give_back()
    return digest.hexdigest()


def _ordered(frame: pd.DataFrame, keys: list[str]) -> Iterator[pa.ChunkedArray]:
    """Give the rows as texts in their order, some thousands at a time: a million would weigh as much as the read."""
    table = pa.Table.from_pandas(frame[keys], preserve_index=False)
    rows = pc.binary_join_element_wise(*table.columns, "\x1f", null_handling="replace", null_replacement="")
    order = pc.sort_indices(rows)
    for start in range(0, len(rows), _PART):
        yield rows.take(order.slice(start, _PART))


def give_back() -> None:
    """Give memory that Arrow needs no more back to the system: after a step over everybody it is a good part of all."""
    pa.default_memory_pool().release_unused()
