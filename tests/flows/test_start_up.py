"""Commands that only look need no Prefect: it stays out of their process, which would start twice as slowly with it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.flows.conftest import Sandboxes
from tests.flows.running import run_cycle

CALL = """
import contextlib, io, sys
from flows.cli import main
with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.suppress(SystemExit):
    main()
assert out.getvalue()
print(sorted(name for name in sys.modules if name.split(".")[0] == "prefect"))
"""


def test_plan_explain_report_and_status_do_not_import_prefect(sandboxes: Sandboxes, tmp_path: Path) -> None:
    sandbox = sandboxes(users=20)
    run_cycle(job := sandbox.job_file(tmp_path))
    person = str(next(iter(sandbox.tenant.users()))["id"])
    for command, more in {"plan": [], "explain": [person], "report": [], "status": []}.items():
        ended = subprocess.run(
            [sys.executable, "-c", CALL, command, str(job), *more],
            capture_output=True,
            text=True,
            encoding="utf-8",
            env=os.environ,
            check=True,
        )
        assert ended.stdout.strip() == "[]", (command, ended.stdout[:500])
