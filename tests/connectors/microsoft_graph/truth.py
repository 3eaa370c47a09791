"""What the sandbox's directory really holds, to compare reads with. Written from Graph's rules, not from the client."""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import pandas as pd

from deployments.sandbox.sandbox import Sandbox
from tasks.connectors.directory import DirectoryChanges, DirectoryRead


def present(sandbox: Sandbox) -> dict[str, dict[str, Any]]:
    return sandbox.run(lambda: {user["id"]: user for user in sandbox.tenant.users()})


def members(sandbox: Sandbox, *, nested: bool = False) -> set[tuple[str, str]]:
    """People in each assigned group: its direct members, or with `nested` everybody below it."""
    tenant = sandbox.tenant
    groups = {group.id for group in tenant.groups()}

    def people(group_id: str, seen: set[str]) -> set[str]:
        seen.add(group_id)
        found = set()
        for member in tenant.members(group_id):
            if member not in groups:
                found.add(member)
            elif nested and member not in seen:
                found |= people(member, seen)
        return found

    assigned = {each.principal_id for each in tenant.assignments() if each.principal_id in groups}
    return sandbox.run(lambda: {(group, member) for group in assigned for member in people(group, set())})


def by_id(users: pd.DataFrame, name: str) -> dict[str, Any]:
    values = [None if value is pd.NA or value is None else value for value in users[name]]
    return dict(zip(users["source_id"], values, strict=True))


def present_ids(read: DirectoryRead) -> set[str]:
    return set(read.users.loc[read.users["presence"].eq("present"), "source_id"])


def member_pairs(read: DirectoryRead) -> set[tuple[str, str]]:
    return set(zip(read.members["group_id"], read.members["member_id"], strict=True))


def is_whole(read: DirectoryRead, sandbox: Sandbox) -> bool:
    """Tell whether a read has everybody and every member."""
    found = set(zip(read.assignments["principal_id"], read.assignments["role_id"], strict=True))
    return (present_ids(read), member_pairs(read), found) == _truth(sandbox, sandbox.tenant.version)


@functools.lru_cache(maxsize=2)
def _truth(sandbox: Sandbox, version: int) -> tuple[set[str], set[tuple[str, str]], set[tuple[str, str]]]:  # noqa: ARG001  # part of the cache's key
    grants = {(each.principal_id, each.role_id) for each in sandbox.tenant.assignments()}
    return set(present(sandbox)), members(sandbox), grants


def merge(remembered: DirectoryRead, changes: DirectoryChanges) -> DirectoryRead:
    """Give the `remembered` read brought up to date. Merging the same changes again changes nothing."""
    users = remembered.users[~remembered.users["source_id"].isin(changes.changed)]
    members = remembered.members
    assigned = changes.assignments.loc[changes.assignments["principal_type"].eq("Group").fillna(False), "principal_id"]
    stale = members["member_id"].isin(changes.changed) | members["group_id"].isin(list(changes.groups_read))
    return dataclasses.replace(
        remembered,
        users=pd.concat([users, changes.users], ignore_index=True),
        roles=changes.roles,
        assignments=changes.assignments,
        members=pd.concat([members[~stale & members["group_id"].isin(assigned)], changes.members], ignore_index=True),
        default_domain=changes.default_domain,
        manifest=changes.manifest,
        watermark=changes.watermark,
    )
