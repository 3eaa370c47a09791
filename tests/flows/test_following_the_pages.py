"""Somebody follows the operator's pages, command by command, in an empty folder, and the sandbox is provisioned."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from deployments.sandbox.graph_settings import AppRegistration
from deployments.sandbox.sandbox import ADMIN_LOGIN, CLIENT_ID, COMPANY_KEY, Sandbox
from tasks.model import ExitCode
from tests.documented import ROOT, commands
from tests.flows.actual import differences, keeps, truth_of
from tests.flows.conftest import Ended, Sandboxes
from tests.flows.running import ledger_of

Command = Callable[..., Ended]
GOING_LIVE = ROOT / "deployments" / "going-live.md"
OPERATING = ROOT / "deployments" / "operating.md"
REFUSALS = {ExitCode.BAD_INPUT, ExitCode.UNREACHABLE}
NOBODY = "00000000-0000-0000-0000-000000000000"


@pytest.fixture(scope="module")
def sandbox(sandboxes: Sandboxes) -> Sandbox:
    return sandboxes(users=40, seed=7, existing=0.2)


@pytest.fixture
def follow(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, prefect_pages: str) -> Callable[..., str]:
    """Call commands of a page in order, with a real person and cycle where the page has examples.

    Gives what they printed. None may be refused as wrong or find an end out of reach.
    """
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PREFECT_API_URL", f"{prefect_pages}/api")

    def call(lines: list[str], person: str = "", cycle: str = "") -> str:
        printed = []
        for line in lines:
            told = line.replace("ada@acme.example", person).replace("CYCLE", cycle)
            ended = command(*shlex.split(told)[1:])
            assert ended.code not in REFUSALS, (told, ended)
            printed.append(ended.out)
        return "\n".join(printed)

    return call


def filled_in(sandbox: Sandbox, job: Path, **replaced: str) -> None:
    """Fill a job file in as a person does: what is marked, and where the sandbox is."""
    ids = {"tenant_id": sandbox.tenant.tenant_id, "client_id": CLIENT_ID, "application_id": sandbox.application_id}
    places = f"  graph_url: {sandbox.graph_url}\n  login_url: {sandbox.login_url}\n  ca_file: {sandbox.ca_file}\n"
    text = job.read_text(encoding="utf-8")
    for key, value in ids.items():
        text, found = re.subn(rf"{key}: {NOBODY}", f"{key}: {value}", text)
        assert found == 1
    for before, after in {
        "  type: microsoft_graph\n": f"  type: microsoft_graph\n{places}",
        "  company_key: acme\n": f"  company_key: {COMPANY_KEY}\n  discovery_url: {sandbox.discovery_url}\n",
        "login_name: svc.provisioning": f"login_name: {ADMIN_LOGIN}",
        **replaced,
    }.items():
        assert text.count(before) == 1, before
        text = text.replace(before, after)
    job.write_text(text, encoding="utf-8")


def test_whoever_follows_the_pages_in_an_empty_folder_provisions_the_sandbox_and_operates_it(
    sandbox: Sandbox, follow: Callable[..., str], tmp_path: Path
) -> None:
    truth, job = truth_of(sandbox), tmp_path / "acme.yaml"
    person = min(str(one["userPrincipalName"]) for one in sandbox.tenant.users())
    first, *others = commands(GOING_LIVE)
    follow([first])
    filled_in(sandbox, job)
    live = follow(others, person)
    truth.cycle(sandbox.tenant, keeps(sandbox))
    assert differences(truth, sandbox) == []
    assert "acme-replicon is deployed" in live
    with ledger_of(job) as ledger:
        cycle = str(ledger.cycles("acme-replicon")["cycle_id"].iloc[-1])
        someone = str(ledger.links("acme-replicon")["source_name"].min())
    sandbox.month_passes(share=0.2)
    follow(commands(OPERATING), someone, cycle)
    follow(["provision run acme.yaml --apply"])
    truth.cycle(sandbox.tenant, keeps(sandbox))
    assert differences(truth, sandbox) == []


@pytest.mark.skipif(shutil.which("openssl") is None, reason="the page's own command needs openssl")
def test_the_certificate_that_the_page_makes_signs_in(
    sandboxes: Sandboxes, command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    block = re.search(r"^ *openssl .*\n.*$", GOING_LIVE.read_text(encoding="utf-8"), re.MULTILINE)
    assert block is not None
    subprocess.run(["bash", "-euc", block.group()], check=True, capture_output=True)
    sandbox = sandboxes(users=20)
    certificate = (tmp_path / "graph.crt").read_text(encoding="utf-8")
    sandbox.graph_settings.clients = {CLIENT_ID: AppRegistration(certificate_pem=certificate)}
    command("job", "init", "acme.yaml")
    pem = f"certificate: {{pem: {{file: {tmp_path / 'graph.pem'}}}}}"
    filled_in(sandbox, tmp_path / "acme.yaml", **{"client_secret: {env: GRAPH_CLIENT_SECRET}": pem})
    ended = command("test-connection", "acme.yaml")
    assert (ended.code, sorted(path.name for path in tmp_path.glob("graph.*"))) == (
        ExitCode.DONE,
        ["graph.crt", "graph.pem"],
    ), ended
