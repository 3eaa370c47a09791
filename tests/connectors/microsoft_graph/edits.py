"""Random edits of the sandbox's directory, in the ways in which directories change."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Callable

from deployments.sandbox.sandbox import Sandbox
from deployments.sandbox.tenant_people import Standing


def edit(sandbox: Sandbox, chance: random.Random) -> None:
    """Change the directory in one of the ways in which directories change."""
    tenant = sandbox.tenant
    present = [user["id"] for user in tenant.users()]
    binned = [
        one for one in tenant.people.ids(tenant.people.after(-1, 500, Standing.SOFT_DELETED)) if one not in present
    ]
    groups = [group.id for group in tenant.groups()]
    someone, group = chance.choice(present), chance.choice(groups)
    role = chance.choice(tenant.roles).id
    edits: list[Callable[[], object]] = [
        lambda: tenant.update_user(someone, department=chance.choice(["Sales", "Legal", None])),
        lambda: tenant.update_user(someone, manager=chance.choice([None, chance.choice(present)])),
        lambda: tenant.update_user(someone, accountEnabled=chance.random() < 0.5, extensionAttribute1="x"),
        lambda: tenant.soft_delete(someone),
        lambda: tenant.hard_delete(chance.choice(binned)) if binned else None,
        lambda: tenant.restore(chance.choice(binned)) if binned else None,
        lambda: tenant.add_member(group, tenant.add_user(givenName="New")),
        lambda: tenant.add_member(group, someone),
        lambda: tenant.remove_member(group, someone),
        lambda: tenant.assign(someone, role),
        lambda: tenant.unassign(someone),
        lambda: tenant.assign(group, role),
        lambda: tenant.unassign(group),
        lambda: tenant.assign(tenant.add_group("More", [someone, chance.choice(groups)]), role),
    ]
    chance.choice(edits)()


def flip_role(sandbox: Sandbox, chance: random.Random) -> None:
    """Disable one of the application's roles, or enable it again."""
    access = sandbox.tenant.access
    chosen = chance.randrange(len(access.roles))
    access.roles = tuple(
        dataclasses.replace(role, enabled=not role.enabled) if number == chosen else role
        for number, role in enumerate(access.roles)
    )
