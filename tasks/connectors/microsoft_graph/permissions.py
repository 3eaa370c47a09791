"""The kinds of read that the Graph connector does, and the application permissions each of them needs.

The connection test and the errors of refused reads call it.
"""

from __future__ import annotations

from enum import Enum


class Reading(Enum):
    """A kind of read: how messages call it, and the permissions that suffice, the least one first.

    (Microsoft Graph, the permission tables of the API reference pages.)
    """

    APPLICATION = ("the enterprise application and its assignments", ("Application.Read.All", "Directory.Read.All"))
    """servicePrincipals and appRoleAssignedTo."""
    USERS = ("the users", ("User.Read.All", "Directory.Read.All"))
    """users, their managers, and the changes of both."""
    DELETED = ("the deleted users", ("User.Read.All", "Directory.Read.All"))
    """The recycle bin."""
    MEMBERS = (
        "the members of groups",
        ("GroupMember.Read.All", "Group.Read.All", "User.Read.All", "Directory.Read.All"),
    )
    """members and transitiveMembers."""
    ORGANIZATION = ("the organization", ("Organization.Read.All", "Directory.Read.All"))
    """The default domain; a cycle does without it when no expression asks for it."""

    def __init__(self, label: str, permissions: tuple[str, ...]) -> None:
        self.label = label
        self.permissions = permissions

    @property
    def least(self) -> str:
        """The least permission that suffices."""
        return self.permissions[0]

    def granted_by(self, roles: frozenset[str]) -> bool:
        """Tell whether a token with these `roles` may do the read; a permission to write includes reading."""
        return any(role in roles or role.replace(".Read.", ".ReadWrite.") in roles for role in self.permissions)
