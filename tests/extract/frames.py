"""A directory held in frames, for tests of the rules of assignment. No wire, no file."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from tasks.connectors.directory import (
    PERSON_COLUMNS,
    DirectoryRead,
    People,
)
from tasks.job import Scope
from tasks.model import GRANT_COLUMNS, MEMBER_COLUMNS, ROLE_COLUMNS, Manifest, Presence, Probe, Progress, silent

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
ROLES = [
    ("r-user", "Replicon.User", "User", True),
    ("r-lead", "Replicon.Supervisor", "Supervisor", True),
    ("r-old", "Replicon.Old", "Old role", False),
    ("r-msiam", None, "msiam_access", True),
]


def frame(rows: Sequence[Sequence[Any]], columns: Mapping[str, pd.ArrowDtype]) -> pd.DataFrame:
    by_column = list(zip(*rows, strict=True)) if rows else [()] * len(columns)
    return pd.DataFrame(
        {
            name: pd.array(list(values), dtype=dtype)
            for (name, dtype), values in zip(columns.items(), by_column, strict=True)
        }
    )


def grants(*rows: tuple[str, str, str]) -> pd.DataFrame:
    """Rows of principal (`user:ann`, `group:g1`, `app:x`), its name, and role."""
    kinds = {"user": "User", "group": "Group", "app": "ServicePrincipal"}
    split = [(*principal.split(":", 1), name, role) for principal, name, role in rows]
    return frame(
        [(f"a{number}", who, kinds[kind], name, role) for number, (kind, who, name, role) in enumerate(split)],
        GRANT_COLUMNS,
    )


@dataclasses.dataclass
class Frames:
    """A `Directory` that gives what it was made with; `late` are people found by id only."""

    users: pd.DataFrame
    assignments: pd.DataFrame
    members: pd.DataFrame
    missing: tuple[str, ...] = ()
    late: pd.DataFrame = dataclasses.field(default_factory=lambda: frame([], PERSON_COLUMNS))

    def read_all(self, attributes: frozenset[str], scope: Scope, progress: Progress = silent) -> DirectoryRead:  # noqa: ARG002  # the frames have what they have
        manifest = Manifest(not self.missing, self.missing, 1, 1, len(self.users), 0, 0, NOW, NOW, "")
        roles = frame(ROLES, ROLE_COLUMNS)
        return DirectoryRead(self.users, roles, self.assignments, self.members, None, manifest, {})

    def read_changes(self, *_: Any, **__: Any) -> None:
        """Tell no changes."""

    def read_people(self, names: Sequence[str], attributes: frozenset[str], scope: Scope) -> DirectoryRead:
        read = self.read_all(attributes, scope)
        return dataclasses.replace(read, users=read.users[read.users["source_id"].isin(list(names))])

    def find_people(self, names: Sequence[str], attributes: frozenset[str]) -> People:  # noqa: ARG002  # as above
        return People(self.late[self.late["source_id"].isin(list(names))])

    def some_people(self, size: int, scope: Scope) -> list[str]:
        raise NotImplementedError

    def probe(self, scope: Scope) -> list[Probe]:
        raise NotImplementedError


def people(*ids: str, deleted: Sequence[str] = ()) -> pd.DataFrame:
    rows = [(each, Presence.SOFT_DELETED if each in deleted else Presence.PRESENT) for each in ids]
    return frame(rows, PERSON_COLUMNS)


def members(*rows: tuple[str, str, bool]) -> pd.DataFrame:
    return frame(rows, MEMBER_COLUMNS)
