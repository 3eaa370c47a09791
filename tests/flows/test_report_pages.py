"""`provision report --html`: a page of the latest cycle, one of a span of time, and what is refused."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from tests.flows.conftest import Ended, Sandboxes
from tests.flows.running import ledger_of, run_cycle


def test_a_page_is_written_of_a_cycle_and_of_a_span_of_time(
    sandboxes: Sandboxes, tmp_path: Path, command: Callable[..., Ended]
) -> None:
    sandbox = sandboxes(users=30)
    job = sandbox.job_file(tmp_path)
    run_cycle(job)
    sandbox.month_passes(share=0.3)
    told = run_cycle(job)
    one, span = tmp_path / "one.html", tmp_path / "new" / "span.html"
    assert f"wrote {one}" in command("report", job, "--html", one).out
    assert f"wrote {span}" in command("report", job, "--html", span, "--since", "2020-01-01").out
    assert told.verdict.sentence in one.read_text(encoding="utf-8").replace("&#39;", "'").lower()
    with ledger_of(job) as ledger:
        count = len(ledger.activities(job="sandbox"))
    total = re.search(r"<tfoot.*?</tfoot>", span.read_text(encoding="utf-8"), re.DOTALL)
    assert total is not None
    assert re.findall(r">\s*([\d,]+)\s*<", total.group())[-1] == f"{count:,}"
    assert not list(tmp_path.rglob(".*.html.*"))


def test_a_page_of_both_or_in_a_place_that_cannot_be_is_refused(
    sandboxes: Sandboxes, tmp_path: Path, command: Callable[..., Ended]
) -> None:
    job = sandboxes(users=20).job_file(tmp_path)
    run_cycle(job)
    both = command("report", job, "--html", tmp_path / "x.html", "--cycle", "abc", "--since", "2020-01-01")
    assert (both.code, "give --cycle or --since" in both.err) == (2, True)
    nowhere = command("report", job, "--html", job / "x.html")
    assert (nowhere.code, "cannot be written" in nowhere.err) == (2, True)
