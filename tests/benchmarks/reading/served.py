"""A sandbox in a process of its own, for measuring: `python -m tests.benchmarks.reading.served PEOPLE`.

It says where it is as a line of JSON, then makes changes as it is told on its standard input, and answers each.
"""

from __future__ import annotations

import dataclasses
import gc
import json
import subprocess
import sys
from types import TracebackType
from typing import Any, Self

from deployments.sandbox.sandbox import Sandbox
from deployments.sandbox.tenant import Tenant, generate
from deployments.sandbox.tenant_access import PrincipalType

ASSIGNMENTS = 300
"""Assignments made to people directly. Graph lists assignments whole, so that they have to be as many in every size."""


class Served:
    """Starts such a process, and tells it what to do."""

    def __init__(self, people: int) -> None:
        command = [sys.executable, "-m", "tests.benchmarks.reading.served", str(people)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.where: dict[str, Any] = json.loads(self._ask(None))

    def change(self, people: int) -> int:
        """Let about so many people change, in the mix in which months bring changes; give how many did."""
        return int(self._ask(str(people)))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    def _ask(self, line: str | None) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        if line is not None:
            print(line, file=self._process.stdin, flush=True)
        return self._process.stdout.readline()


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
