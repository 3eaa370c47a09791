"""What a job's owners are told by mail over several cycles, and that a run gets to its end whatever cannot be told."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from deployments.sandbox.sandbox import Sandbox
from tasks.connectors.microsoft_graph.errors import SignInError
from tests.flows.conftest import Sandboxes
from tests.flows.running import ledger_of, run_cycle
from tests.mailbox import PASSWORD, Mailbox, mail_server


@pytest.fixture
def mailbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    monkeypatch.setenv("MAIL_PASSWORD", PASSWORD)
    with mail_server(tmp_path) as running:
        yield running


@pytest.fixture
def sandbox(sandboxes: Sandboxes) -> Sandbox:
    return sandboxes(users=25, seed=6)


def test_a_quarantine_is_mailed_once_and_its_end_once(sandbox: Sandbox, mailbox: Mailbox, tmp_path: Path) -> None:
    job = sandbox.job_file(tmp_path, notify=mailbox.settings())
    run_cycle(job)
    assert mailbox.mails == []
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("GRAPH_CLIENT_SECRET", "not-the-secret")
        for _ in range(2):
            with pytest.raises(SignInError):
                run_cycle(job)
    assert mailbox.subjects() == ["sandbox: quarantined, EncounteredQuarantineException"]
    run_cycle(job)
    run_cycle(job)
    assert mailbox.subjects()[1:] == ["sandbox: recovered"]
    assert (mailbox.over_tls, mailbox.signed_in[0]) == ([True, True], "provisioning")


def test_removals_over_the_threshold_are_mailed_with_who_and_what_to_do(
    sandbox: Sandbox, mailbox: Mailbox, tmp_path: Path
) -> None:
    job = sandbox.job_file(tmp_path, notify=mailbox.settings(), guards={"removals": {"count": 0}})
    run_cycle(job)
    sandbox.month_passes(share=0.5)
    run_cycle(job)
    assert mailbox.subjects() == ["sandbox: quarantined, too many removals"]
    with ledger_of(job) as ledger:
        staged = ledger.activities(job="sandbox", error_code="TooManyDeletes")["source_name"].tolist()
    for part in ("plain", "html"):
        body = mailbox.mails[0].get_body((part,))
        assert body is not None
        text = body.get_content()
        assert [name for name in staged[:5] if name not in text] == []
        assert f"provision plan {job} --save FILE" in text


def test_a_refused_mail_is_sent_by_the_next_cycle(sandbox: Sandbox, mailbox: Mailbox, tmp_path: Path) -> None:
    job = sandbox.job_file(tmp_path, notify=mailbox.settings(), guards={"removals": {"count": 0}})
    run_cycle(job)
    sandbox.month_passes(share=0.5)
    mailbox.refuses = "451 Try again later"
    told = run_cycle(job)
    with ledger_of(job) as ledger:
        assert ledger.cycles("sandbox", 1)["message"].iloc[0] == told.verdict.sentence
    assert mailbox.mails == []
    mailbox.refuses = ""
    run_cycle(job)
    assert mailbox.subjects() == ["sandbox: quarantined, too many removals"]


def test_failures_are_mailed_only_when_asked(sandboxes: Sandboxes, mailbox: Mailbox, tmp_path: Path) -> None:
    sandbox = sandboxes(users=30, seed=11, missing_departments=2)
    job = sandbox.job_file(tmp_path, notify=mailbox.settings())
    run_cycle(job)
    assert mailbox.mails == []
    asked = sandbox.job_file(tmp_path, name="asked", notify=mailbox.settings(failures=True))
    run_cycle(asked)
    run_cycle(asked)
    with ledger_of(asked) as ledger:
        failing = ledger.escrow("asked")
    assert len(failing) > 0
    assert len(mailbox.mails) == 1
    assert mailbox.subjects()[0].startswith("asked: people fail: ")


def test_a_mail_server_that_is_not_there_stops_no_cycle(sandbox: Sandbox, tmp_path: Path, unused: int) -> None:
    smtp = {"host": "localhost", "port": unused, "security": "none"}
    notify = {"to": ["owners@acme.example"], "sender": "provisioning@acme.example", "smtp": smtp}
    job = sandbox.job_file(tmp_path, notify=notify, guards={"removals": {"count": 0}})
    run_cycle(job)
    sandbox.month_passes(share=0.5)
    told = run_cycle(job)
    with ledger_of(job) as ledger:
        cycle, notices = ledger.cycles("sandbox", 1).iloc[0], ledger.notices("sandbox")
    assert (cycle["state"], cycle["message"]) == ("Quarantined", told.verdict.sentence)
    assert {notice.cause.code: notice.told for notice in notices}["TooManyDeletes"] is False
