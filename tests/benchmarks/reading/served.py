"""A sandbox in a process of its own, for measuring: `python -m tests.benchmarks.reading.served PEOPLE`.

It says where it is as a line of JSON, then makes changes as it is told on its standard input, and answers each.
"""

from __future__ import annotations

import dataclasses
import gc
import json
import sys
from typing import Any

from deployments.sandbox.sandbox import Sandbox
from deployments.sandbox.tenant import Tenant, generate
from deployments.sandbox.tenant_access import PrincipalType
from tests.benchmarks.child import Child

ASSIGNMENTS = 300
"""Assignments made to people directly. Graph lists assignments whole, so that they have to be as many in every size."""


class Served(Child):
    """Starts such a process, and tells it what to do."""

    def __init__(self, people: int) -> None:
        super().__init__("tests.benchmarks.reading.served", str(people))
        self.where: dict[str, Any] = json.loads(self.ask())

    def change(self, people: int) -> int:
        """Let about so many people change, in the mix in which months bring changes; give how many did."""
        return int(self.ask(str(people)))


def _with_few_assignments(tenant: Tenant) -> Tenant:
    direct = [each for each in tenant.assignments() if each.principal_type is PrincipalType.USER]
    for assignment in direct[ASSIGNMENTS:]:
        tenant.unassign(assignment.principal_id, assignment.role_id)
    return tenant


def main() -> None:
    """Serve until the standard input ends."""
    people = int(sys.argv[1])
    with Sandbox(tenant=_with_few_assignments(generate(people, seed=1))) as sandbox:
        gc.freeze()
        print(json.dumps(sandbox.describe()), flush=True)
        for line in sys.stdin:
            log = sandbox.month_passes(share=int(line) / people)
            print(sum(len(ids) for ids in dataclasses.astuple(log)), flush=True)


if __name__ == "__main__":
    main()
