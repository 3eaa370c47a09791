"""The sandbox as a whole: both ends together, its job file, months, control over HTTP, the foreground command."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import yaml

from deployments.sandbox.faults import FaultKind
from deployments.sandbox.replicon_catalog import GroupKind
from deployments.sandbox.sandbox import ADMIN_LOGIN, ADMIN_PASSWORD, LIMITED_LOGIN, Sandbox
from tasks.job import GraphSource, load_job


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    """A sandbox with 60 people that the tests of this file share."""
    with Sandbox(users=60, seed=3, existing=0.5, orphans=2) as sandbox:
        yield sandbox


def control(sandbox: Sandbox, method: str, path: str, **options: Any) -> Any:
    response = requests.request(method, f"{sandbox.graph_url}/_sandbox/{path}", timeout=30, **options)
    return response.json()


def whoami(sandbox: Sandbox) -> requests.Response:
    return requests.post(
        f"{sandbox.replicon_url}services/UserAccessControlService1.svc/GetMyIdentity",
        json={},
        auth=(f"{sandbox.company_key}\\{ADMIN_LOGIN}", ADMIN_PASSWORD),
        timeout=10,
    )


def test_a_token_from_the_login_end_reads_the_directory(sandbox: Sandbox) -> None:
    described = sandbox.describe()
    token = requests.post(
        f"{sandbox.login_url}/{described['tenant_id']}/oauth2/v2.0/token",
        data={
            "client_id": described["client_id"],
            "client_secret": sandbox.environment()["GRAPH_CLIENT_SECRET"],
            "grant_type": "client_credentials",
            "scope": "https://graph.microsoft.com/.default",
        },
        verify=str(sandbox.ca_file),
        timeout=10,
    ).json()["access_token"]
    page = requests.get(
        f"{sandbox.graph_url}/v1.0/users?$top=999", headers={"Authorization": f"Bearer {token}"}, timeout=10
    ).json()
    assert {user["id"] for user in page["value"]} == {user["id"] for user in sandbox.tenant.users()}


def test_discovery_leads_to_the_companys_replicon(sandbox: Sandbox) -> None:
    details = requests.post(
        f"{sandbox.discovery_url}/DiscoveryService1.svc/GetTenantEndpointDetails",
        json={"tenant": {"companyKey": sandbox.company_key}},
        timeout=10,
    ).json()["d"]
    assert details["applicationRootUrl"] == sandbox.replicon_url
    assert whoami(sandbox).json()["d"]["loginName"] == ADMIN_LOGIN


def test_the_job_file_is_valid_and_points_at_the_sandbox(sandbox: Sandbox, tmp_path: Path) -> None:
    job = load_job(sandbox.job_file(tmp_path))
    assert isinstance(job.source, GraphSource)
    assert (job.source.graph_url, job.source.login_url, job.target.discovery_url) == (
        sandbox.graph_url,
        sandbox.login_url,
        sandbox.discovery_url,
    )
    assert job.mapping.exists()
    assert str(tmp_path.resolve()) in job.ledger.url


def test_the_job_file_takes_changes_key_by_key(sandbox: Sandbox, tmp_path: Path) -> None:
    path = sandbox.job_file(
        tmp_path,
        name="other",
        target={"sign_in": {"login_name": LIMITED_LOGIN}},
        scope={"nested_groups": True},
        ledger=None,
    )
    written = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert path.name == "other.yaml"
    assert written["target"]["sign_in"] == {"login_name": LIMITED_LOGIN, "password": {"env": "REPLICON_PASSWORD"}}
    assert written["scope"] == {"nested_groups": True}
    assert "ledger" not in written


def test_replicon_has_every_group_that_people_are_in(sandbox: Sandbox) -> None:
    catalog = sandbox.replicon.catalog
    for user in sandbox.tenant.users():
        for kind, name in {
            GroupKind.DEPARTMENT: user["department"],
            GroupKind.LOCATION: user["officeLocation"],
            GroupKind.DIVISION: user["companyName"],
            GroupKind.EMPLOYEE_TYPE: user["employeeType"],
            GroupKind.COST_CENTER: (user["onPremisesExtensionAttributes"] or {}).get("extensionAttribute1"),
        }.items():
            assert name is None or catalog.find_group(kind, {"name": name}) is not None


def test_departments_can_be_left_out_on_purpose() -> None:
    def departments(missing: int) -> set[str]:
        sandbox = Sandbox(users=5, missing_departments=missing)
        return {group.name for group in sandbox.replicon.catalog.groups_of(GroupKind.DEPARTMENT)}

    assert len(departments(0) - departments(2)) == 2


def test_some_people_have_an_account_already_and_some_accounts_are_nobodys(sandbox: Sandbox) -> None:
    logins = {account.login for account in sandbox.replicon.accounts.values()}
    people = {user["userPrincipalName"].lower() for user in sandbox.tenant.users()}
    assert 15 < len(logins & people) < 45
    assert len(logins - people) == 4
    assert sandbox.replicon.change_log == []


def test_faults_are_switched_over_http(sandbox: Sandbox) -> None:
    numbers = control(sandbox, "POST", "faults", json={"kind": "internal500", "endpoint": "replicon:*"})["numbers"]
    assert whoami(sandbox).status_code == 500
    [rule] = control(sandbox, "GET", "state")["faults"]
    assert (rule["kind"], rule["struck"]) == ("internal500", 1)
    control(sandbox, "DELETE", f"faults?number={numbers[0]}")
    assert whoami(sandbox).status_code == 200
    control(sandbox, "POST", "faults", json=[{"kind": "reset"}, {"kind": "latency", "seconds": 0.001}])
    assert control(sandbox, "DELETE", "faults") == {"faults": []}


def test_a_fault_that_does_not_exist_is_refused_over_http(sandbox: Sandbox) -> None:
    assert "kind" in control(sandbox, "POST", "faults", json={"kind": "flood"})["error"]
    assert "404" in control(sandbox, "DELETE", "faults?number=404")["error"]


def test_settings_are_changed_over_http(sandbox: Sandbox) -> None:
    assert control(sandbox, "POST", "settings", json={"name_limit": 20})["name_limit"] == 20
    assert "no setting 'colour'" in control(sandbox, "POST", "settings", json={"colour": "red"})["error"]
    assert "error" in control(sandbox, "POST", "settings", json={"duplicate_login": "maybe"})
    assert sandbox.replicon.settings.duplicate_login == "error"


def test_a_fault_of_graph_speaks_graphs_language(sandbox: Sandbox) -> None:
    sandbox.faults.add("graph:*", FaultKind.RATE_LIMIT, limit=0, retry_after=3)
    response = requests.get(f"{sandbox.graph_url}/v1.0/users", timeout=10)
    sandbox.faults.clear()
    assert (response.status_code, response.headers["Retry-After"]) == (429, "3")
    assert response.json()["error"]["code"] == "TooManyRequests"


def test_a_month_passes_the_same_way_for_the_same_seed() -> None:
    logs = []
    for _ in range(2):
        sandbox = Sandbox(users=60, seed=5)
        logs.append([sandbox.month_passes(), sandbox.month_passes()])
    assert logs[0] == logs[1]
    assert logs[0][0] != logs[0][1]


def test_a_month_passes_over_http_while_it_runs(sandbox: Sandbox) -> None:
    before = control(sandbox, "GET", "state")["directory"]
    happened = control(sandbox, "POST", "month?share=0.2")
    after = control(sandbox, "GET", "state")["directory"]
    assert sum(happened.values()) > 0
    assert (after["months"], after["today"] > before["today"]) == (before["months"] + 1, True)


def test_changes_are_told_over_http(sandbox: Sandbox) -> None:
    account = next(iter(sandbox.replicon.accounts.values()))
    requests.post(
        f"{sandbox.replicon_url}services/UserService1.svc/UpdateEmployeeId",
        json={"userUri": account.uri, "employeeId": "E-1"},
        auth=(f"{sandbox.company_key}\\{ADMIN_LOGIN}", ADMIN_PASSWORD),
        timeout=10,
    )
    changes = control(sandbox, "GET", "changes")
    assert (changes[-1]["login"], changes[-1]["changes"]) == (ADMIN_LOGIN, {"employeeId": [None, "E-1"]})
    assert control(sandbox, "GET", f"changes?since={len(changes)}") == []


def test_started_again_it_is_found_where_it_was() -> None:
    sandbox = Sandbox(users=1)
    described = []
    for _ in range(2):
        with sandbox:
            described.append({name: value for name, value in sandbox.describe().items() if name.endswith("_url")})
    assert described[0] == described[1]


def test_the_certificate_is_gone_once_it_stops() -> None:
    with Sandbox(users=1) as sandbox:
        ca_file = sandbox.ca_file
        assert ca_file.exists()
    assert not ca_file.exists()
    with pytest.raises(RuntimeError, match="start it first"):
        sandbox.ca_file  # noqa: B018 - reading it is what is tested


@pytest.mark.skipif(os.name == "nt", reason="Windows cannot send SIGTERM to a process that handles it")
def test_the_foreground_command_says_where_it_is_and_ends_when_told() -> None:
    command = [sys.executable, "-m", "deployments.sandbox", "--users", "20", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        state = requests.get(f"{ready['graph_url']}/_sandbox/state", timeout=10).json()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
    assert state["replicon"]["users"] == 2
