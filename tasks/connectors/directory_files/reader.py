"""Exported files as a source directory: people, assignments, members, and whether they fit together.

Extract and the flows call it. A file that is broken is an error or an incomplete read, never people who left.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any, Final

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tasks.connectors.directory import (
    COMPUTED,
    DirectoryRead,
    People,
    digest_of,
    without_guest_marks,
)
from tasks.connectors.directory_files.members import closure
from tasks.connectors.directory_files.tables import FileTable, read_table
from tasks.job import FilesSource, Scope
from tasks.model import (
    GRANT_COLUMNS,
    MEMBER_COLUMNS,
    BadInputError,
    Manifest,
    Presence,
    Probe,
    Progress,
    ProvisioningError,
    silent,
)

END: Final = "directory files"
_MULTIVALUED: Final = frozenset({"businessPhones", "proxyAddresses", "otherMails", "imAddresses"})
_BOOLEANS: Final = frozenset({"accountEnabled", "dirSyncEnabled", "onPremisesSyncEnabled"})
_PRINCIPAL_TYPES: Final = ("User", "Group", "ServicePrincipal")
_SHOWN: Final = 3


class DirectoryFiles:
    """A `Directory` kept in the files of `source`, CSV in UTF-8 or Parquet.

    Users: `id`, and a column for every attribute that the mapping reads, by its mapping name; a value in
    `deletedDateTime` puts a person in the recycle bin. Assignments: `principalId`, `principalType`, `appRoleId`, and
    where known `id`, `principalDisplayName`, `appRoleValue`, `appRoleDisplayName`. Members: `groupId`, `memberId`, and
    where known `memberType`. Without `deletedDateTime` the files cannot tell deletion, so an absent person counts as
    soft-deleted.
    """

    def __init__(self, source: FilesSource) -> None:
        self._source = source

    def read_all(self, attributes: frozenset[str], scope: Scope, progress: Progress = silent) -> DirectoryRead:
        """Read all files. Raises `BadInputError` naming file, line and column when one is wrong."""
        started = dt.datetime.now(dt.UTC)
        users_file, users = self._users(attributes)
        progress("extract", len(users), len(users), users_file.path.name)
        grants_file, grants, roles = self._assignments()
        members_file, members = self._members(grants, scope)
        files = [file for file in (users_file, grants_file, members_file) if file is not None]
        missing = (
            *(problem for file in files for problem in file.problems),
            *_loose_ends(users, grants, grants_file),
            *(_loose_members(users, grants, members_file, members) if members_file else ()),
        )
        manifest = Manifest(
            complete=not missing,
            missing=missing,
            requests=len(files),
            pages=len(files),
            objects=len(users),
            groups=grants.loc[grants["principal_type"].eq("Group"), "principal_id"].nunique(),
            assignments=len(grants),
            started_at=started,
            ended_at=dt.datetime.now(dt.UTC),
            digest=digest_of(users, grants, members),
        )
        return DirectoryRead(
            users=users,
            roles=roles,
            assignments=grants,
            members=members,
            default_domain=None,
            manifest=manifest,
            watermark={},
            absent_means=Presence.HARD_DELETED if "deletedDateTime" in users_file.header else Presence.SOFT_DELETED,
        )

    def read_changes(self, *_: Any, **__: Any) -> None:
        """Give null: files hold states, not changes, so everything has to be read."""

    def read_people(self, names: Sequence[str], attributes: frozenset[str], scope: Scope) -> DirectoryRead:
        """Give the people named by id, sign-in name or mail, and all assignments."""
        read = self.read_all(attributes | {"userPrincipalName", "mail"} & self._columns(), scope)
        users = _named(read.users, names)
        return DirectoryRead(
            users=users,
            roles=read.roles,
            assignments=read.assignments,
            members=read.members[read.members["member_id"].isin(users["source_id"])].reset_index(drop=True),
            default_domain=None,
            manifest=read.manifest,
            watermark={},
            absent_means=read.absent_means,
        )

    def find_people(self, names: Sequence[str], attributes: frozenset[str]) -> People:
        """Look up people by id, sign-in name or mail."""
        file, users = self._users(attributes | {"userPrincipalName", "mail"} & self._columns())
        return People(_named(users, names), missing=file.problems)

    def some_people(self, size: int, scope: Scope) -> list[str]:
        """Give the source ids of at most `size` people: the first who are assigned, or members of assigned groups."""
        read = self.read_all(frozenset(), scope)
        ids = read.users["source_id"]
        if scope.who == "assigned":
            ids = ids[ids.isin(pd.concat([read.assignments["principal_id"], read.members["member_id"]]))]
        return ids.head(size).tolist()

    def probe(self, scope: Scope) -> list[Probe]:
        """Read every file once, with no attribute but the ids."""
        try:
            read = self.read_all(frozenset(), scope)
        except ProvisioningError as error:
            return [Probe(END, "files", good=False, detail=str(error), remedy="Do what the finding says.")]
        counts = f"{len(read.users):,} people, {len(read.assignments):,} assignments, {len(read.members):,} members"
        found = [Probe(END, "files", good=True, detail=counts)]
        remedy = "Export the files again, all at the same time."
        return found + [Probe(END, "whole", good=False, detail=each, remedy=remedy) for each in read.manifest.missing]

    def _columns(self) -> frozenset[str]:
        return frozenset(read_table(self._source.users, ["id"], [], frozenset()).header)

    def _users(self, attributes: frozenset[str]) -> tuple[FileTable, pd.DataFrame]:
        wanted = sorted(attributes - COMPUTED - {"id", "objectId"})
        columns = {name: "userPrincipalName" if name == "originalUserPrincipalName" else name for name in wanted}
        file = read_table(self._source.users, ["id", *columns.values()], ["deletedDateTime"], _MULTIVALUED)
        table = file.columns
        _check_ids(file, "id")
        users = {"source_id": table["id"], "presence": _presence(table)}
        for name, column in columns.items():
            values = table[column]
            if name in _BOOLEANS:
                values = _booleans(file, column)
            elif name == "userPrincipalName":
                values = without_guest_marks(values)
            users[name] = values
        users |= {name: table["id"] for name in ("id", "objectId") if name in attributes}
        return file, pa.table(users).to_pandas(types_mapper=pd.ArrowDtype)

    def _assignments(self) -> tuple[FileTable, pd.DataFrame, pd.DataFrame]:
        optional = ["id", "principalDisplayName", "appRoleValue", "appRoleDisplayName"]
        required = ["principalId", "principalType", "appRoleId"]
        file = read_table(self._source.assignments, required, optional, frozenset())
        table = file.columns
        for name in required:
            file.refuse(pc.is_null(table[name]), name, "expected a value, found none. Fill it in or remove the row.")
        known = pc.is_in(table["principalType"], pa.array(_PRINCIPAL_TYPES))
        file.refuse(pc.invert(known), "principalType", f"expected one of {', '.join(_PRINCIPAL_TYPES)}.")
        grants = pa.table(
            {
                "assignment_id": _optional(table, "id", pc.binary_join_element_wise(table[0], table[2], "/")),
                "principal_id": table["principalId"],
                "principal_type": table["principalType"],
                "principal_name": _optional(table, "principalDisplayName", table["principalId"]),
                "role_id": table["appRoleId"],
            }
        )
        roles = pa.table(
            {
                "role_id": table["appRoleId"],
                "value": _optional(table, "appRoleValue", pa.nulls(len(table), pa.string())),
                "display_name": _optional(table, "appRoleDisplayName", pa.nulls(len(table), pa.string())),
                "enabled": pa.repeat(pa.scalar(value=True), len(table)),
            }
        ).to_pandas(types_mapper=pd.ArrowDtype)
        typed = grants.to_pandas(types_mapper=pd.ArrowDtype).astype(dict(GRANT_COLUMNS))
        return file, typed, _one_meaning(file, roles.drop_duplicates(ignore_index=True))

    def _members(self, grants: pd.DataFrame, scope: Scope) -> tuple[FileTable | None, pd.DataFrame]:
        groups = grants.loc[grants["principal_type"].eq("Group"), "principal_id"].drop_duplicates()
        if self._source.members is None:
            if len(groups):
                raise BadInputError(
                    f"{self._source.assignments} assigns {len(groups)} groups, and the job names no file of their "
                    "members. Name it under `source.members`."
                )
            return None, pd.DataFrame({name: pd.array([], dtype=dtype) for name, dtype in MEMBER_COLUMNS.items()})
        file = read_table(self._source.members, ["groupId", "memberId"], ["memberType"], frozenset())
        for name in ("groupId", "memberId"):
            file.refuse(
                pc.is_null(file.columns[name]), name, "expected an id, found none. Fill it in or remove the row."
            )
        return file, closure(file.columns, groups, nested=scope.nested_groups)


def _presence(table: pa.Table) -> pa.ChunkedArray:
    if "deletedDateTime" not in table.column_names:
        return pa.chunked_array([pa.repeat(str(Presence.PRESENT), len(table))])
    return pc.if_else(pc.is_null(table["deletedDateTime"]), str(Presence.PRESENT), str(Presence.SOFT_DELETED))


def _check_ids(file: FileTable, name: str) -> None:
    ids = file.columns[name]
    file.refuse(pc.is_null(ids), name, "expected an id, found none. Fill it in or remove the row.")
    again = pa.chunked_array([pa.array(ids.to_pandas().duplicated())])
    file.refuse(again, name, "this id stands above already. Every person has one row: remove the other.")


def _booleans(file: FileTable, name: str) -> pa.ChunkedArray:
    lowered = pc.utf8_lower(file.columns[name])
    known = pc.is_in(lowered, pa.array(["true", "false", None], pa.string()))
    file.refuse(pc.invert(known), name, "expected true or false.")
    return pc.utf8_capitalize(lowered)


def _optional(table: pa.Table, name: str, otherwise: Any) -> Any:
    if name not in table.column_names:
        return otherwise
    return pc.coalesce(table[name], otherwise)


def _one_meaning(file: FileTable, roles: pd.DataFrame) -> pd.DataFrame:
    doubled = roles[roles["role_id"].duplicated()]
    if len(doubled):
        raise BadInputError(
            f"{file.path}: the role {doubled['role_id'].iloc[0]} has two values or names in different rows. "
            "Give it the same in every row."
        )
    return roles


def _loose_ends(users: pd.DataFrame, grants: pd.DataFrame, file: FileTable) -> list[str]:
    """Name assigned people whom the users file does not have: it may be cut off between two rows."""
    people = grants.loc[grants["principal_type"].eq("User"), "principal_id"]
    return _strangers(people, users, f"{file.path.name} assigns")


def _loose_members(users: pd.DataFrame, grants: pd.DataFrame, file: FileTable, members: pd.DataFrame) -> list[str]:
    """Name members whom the users file does not have, and assigned groups of which the members file has nobody."""
    groups = grants[grants["principal_type"].eq("Group")].drop_duplicates("principal_id")
    listed = pd.Series(pc.unique(file.columns["groupId"]).to_pandas(types_mapper=pd.ArrowDtype))
    empty = groups[~groups["principal_id"].isin(listed)]
    found = [
        f"{file.path.name} has no member of the assigned group {name}; list its members or remove its assignment"
        for name in empty["principal_name"]
    ]
    return [*found, *_strangers(members["member_id"], users, f"{file.path.name} names")]


def _strangers(ids: pd.Series, users: pd.DataFrame, who: str) -> list[str]:
    strangers = ids[~ids.isin(users["source_id"])].drop_duplicates()
    if not len(strangers):
        return []
    shown = ", ".join(strangers.head(_SHOWN)) + (", ..." if len(strangers) > _SHOWN else "")
    return [f"{who} people who are not in the users file: {len(strangers):,} ({shown})"]


def _named(users: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    wanted = [name.strip().lower() for name in names]
    hit = pd.Series(data=False, index=users.index)
    for column in ("source_id", "userPrincipalName", "mail"):
        if column in users.columns:
            hit |= users[column].str.lower().isin(wanted).fillna(False).astype(bool)
    return users[hit].reset_index(drop=True)
