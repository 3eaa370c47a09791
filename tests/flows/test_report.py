"""The activity log after real cycles: in files, filtered, verified, pruned, and measured."""

from __future__ import annotations

import csv
import io
import json
import shutil
import threading
import urllib.request
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from rich.console import Console

from deployments.sandbox.sandbox import DEFAULT_MAPPING, Sandbox
from flows.metrics import serve_metrics
from tasks.ledger.chain import record_of, seal
from tasks.ledger.ledger import Ledger
from tasks.model import REDACTED, ExitCode, UnreachableError
from tests.flows.actual import accounts
from tests.flows.conftest import Ended, Sandboxes
from tests.flows.running import ledger_of, run_cycle
from tests.ledger.edits import edit, rows

Command = Callable[..., Ended]


class Company:
    """A company with two cycles behind it, the second with a failure and a refused value, and all files kept."""

    def __init__(self, sandbox: Sandbox, folder: Path) -> None:
        self.sandbox, self.folder = sandbox, folder
        self.job = sandbox.job_file(folder, report={"folder": "told", "metrics_file": "provision.prom"})
        self.first = run_cycle(self.job)
        sandbox.month_passes(share=0.3)
        sandbox.faults.add("replicon:*CreateUserOrApply*", "error_on_200", count=1)
        self.second = run_cycle(self.job)
        sandbox.faults.clear()

    @property
    def url(self) -> str:
        """The ledger's database."""
        return f"sqlite:///{self.folder / 'ledger.db'}"


@pytest.fixture(scope="module")
def company(sandboxes: Sandboxes, tmp_path_factory: pytest.TempPathFactory) -> Company:
    return Company(sandboxes(users=40), tmp_path_factory.mktemp("report"))


def test_each_cycle_leaves_its_activities_in_files(company: Company) -> None:
    folders = sorted((company.folder / "told" / "sandbox").iterdir())
    ids = [company.first.facts.cycle_id, company.second.facts.cycle_id]
    assert [folder.name.rpartition("-")[2] for folder in folders] == ids
    with ledger_of(company.job) as ledger:
        for folder, cycle_id in zip(folders, ids, strict=True):
            known = ledger.activities(cycle_id=cycle_id)["change_id"].tolist()
            lines = (folder / "ProvisioningLogs.ndjson").read_text("utf-8").splitlines()
            assert [json.loads(line)["changeId"] for line in lines] == known
            assert pq.read_table(folder / "ProvisioningLogs.parquet")["changeId"].to_pylist() == known


def test_a_report_is_filtered_by_user_action_status_code_and_time(company: Company, command: Command) -> None:
    with ledger_of(company.job) as ledger:
        every = ledger.activities(job="sandbox")
    failed = every[every["status"].eq("failure")]
    assert len(failed)
    person, code = str(failed["source_name"].iloc[0]), str(failed["error_code"].iloc[0])
    moment = every[every["cycle_id"].eq(company.second.facts.cycle_id)]["started_at"].min()
    asked = {
        ("--user", person): every["source_name"].eq(person),
        ("--user", person, "--status", "failure"): every["source_name"].eq(person) & every["status"].eq("failure"),
        ("--since", "2020-01-01", "--error-code", code): every["error_code"].eq(code).fillna(False),
        ("--since", "2020-01-01", "--action", "create"): every["operation"].eq("create"),
        ("--cycle", company.first.facts.cycle_id): every["cycle_id"].eq(company.first.facts.cycle_id),
        ("--until", f"{moment:%Y-%m-%dT%H:%M:%S}"): every["started_at"].lt(moment.floor("s")),
        (): every["cycle_id"].eq(company.second.facts.cycle_id),
    }
    for options, chosen in asked.items():
        ended = command("report", company.job, *options, "--format", "json")
        assert [one["changeId"] for one in json.loads(ended.out)] == every[chosen]["change_id"].tolist(), options


def test_a_filtered_table_names_the_person_and_what_went_wrong(company: Company, command: Command) -> None:
    ended = command("report", company.job, "--since", "2020-01-01", "--status", "failure")
    assert "failed" in ended.out
    assert command("report", company.job, "--user", "nobody").out.strip() == "No activity is like that."


def test_csv_goes_to_the_screen_or_as_three_files(company: Company, command: Command, tmp_path: Path) -> None:
    ended = command("report", "show", company.job, "--format", "csv")
    shown = list(csv.DictReader(io.StringIO(ended.out.lstrip("\ufeff"))))
    command("report", company.job, "--format", "csv", "--out", tmp_path)
    with (tmp_path / "ProvisioningLogs.csv").open(encoding="utf-8-sig", newline="") as file:
        assert list(csv.DictReader(file)) == shown
    assert len(shown) > 3
    assert len(list(tmp_path.glob("ProvisioningLogs*.csv"))) == 3


def test_what_a_full_disk_refused_is_written_later_and_fails_no_cycle(
    sandboxes: Sandboxes, tmp_path: Path, command: Command
) -> None:
    sandbox = sandboxes(users=30)
    (tmp_path / "told").write_text("a file where the folder should be")
    job = sandbox.job_file(tmp_path, report={"folder": "told", "metrics_file": "told/metrics.prom"})
    run_cycle(job)
    assert command("report", "export", job).code == ExitCode.BAD_INPUT
    (tmp_path / "told").unlink()
    sandbox.month_passes(share=0.2)
    run_cycle(job)
    assert len(list((tmp_path / "told" / "sandbox").iterdir())) == 2
    next((tmp_path / "told" / "sandbox").glob("*/ProvisioningLogs.parquet")).unlink()
    assert command("report", "export", job).out.count("wrote") == 1
    assert "Nothing is missing" in command("report", "export", job).out


def test_an_edit_of_one_row_in_the_ledger_is_found(sandboxes: Sandboxes, tmp_path: Path, command: Command) -> None:
    job = sandboxes(users=30).job_file(tmp_path)
    told = run_cycle(job)
    head = told.facts.chain.rpartition(" ")[2]
    sound = command("report", "verify", job, "--head", head)
    assert (sound.code, head in sound.out) == (ExitCode.DONE, True)
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    person = rows(url, "SELECT source_name FROM activities WHERE status = 'success' AND position > 3 LIMIT 1")[0]
    edit(url, "UPDATE activities SET status = 'failure' WHERE source_name = :name", name=person["source_name"])
    found = command("report", "verify", job, "--head", head)
    assert (found.code, person["source_name"] in found.out) == (ExitCode.SOME_FAILED, True)
    assert command("report", "verify", job, "--head", "0" * 64).code == ExitCode.SOME_FAILED
    refused = command("prune", job, "--keep-days", 1)
    assert (refused.code, "does not verify" in refused.err) == (ExitCode.SOME_FAILED, True)


def test_the_summary_says_where_the_chain_stands(company: Company, command: Command) -> None:
    with ledger_of(company.job) as ledger:
        head = ledger.chain_head("sandbox")
    assert company.second.facts.chain == f"record {head.position:,}, head {head.seal}"
    assert head.seal in command("report", company.job).out.replace("\n", "").replace(" ", "")


def test_pruned_cycles_and_their_files_are_gone_and_cannot_be_undone(
    sandboxes: Sandboxes, tmp_path: Path, command: Command
) -> None:
    sandbox = sandboxes(users=30)
    job = sandbox.job_file(tmp_path, report={"folder": "told", "keep_days": 30})
    first = run_cycle(job).facts.cycle_id
    assert "0 activities" in command("prune", job).out
    _age_by(tmp_path, 40)
    sandbox.month_passes(share=0.2)
    second = run_cycle(job).facts.cycle_id
    pruned = command("prune", job)
    assert (pruned.code, "the files of 1 cycles" in pruned.out) == (ExitCode.DONE, True)
    refused = command("undo", job, first)
    assert (refused.code, "removed for" in refused.err) == (ExitCode.BAD_INPUT, True)
    assert command("report", "verify", job).code == ExitCode.DONE
    assert [folder.name.rpartition("-")[2] for folder in (tmp_path / "told" / "sandbox").iterdir()] == [second]
    assert run_cycle(job).verdict.exit_code == ExitCode.DONE


def _age_by(folder: Path, days: int) -> None:
    """Make everything that was recorded older, and the record anew, as if the cycle had been then."""
    url = f"sqlite:///{folder / 'ledger.db'}"
    for table, columns in {
        "activities": ("started_at",),
        "cycles": ("started_at", "ended_at"),
        "journal": ("intended_at", "ended_at"),
    }.items():
        for column in columns:
            edit(url, f"UPDATE {table} SET {column} = strftime('%Y-%m-%d %H:%M:%f', {column}, '-{days} days') || '000'")
    _seal_anew(url)
    # The next cycle writes the files again, where a cycle of that day has them.
    shutil.rmtree(folder / "told")


def _seal_anew(url: str) -> None:
    with Ledger.open(url) as ledger:
        records = ledger.activities(job="sandbox").to_dict("records")
    last = ""
    for row in records:
        plain = {name: None if value is None or value != value else value for name, value in row.items()}
        last = seal(last, record_of({**plain, "started_at": row["started_at"].to_pydatetime()}))
        edit(url, "UPDATE activities SET seal = :seal WHERE change_id = :change", seal=last, change=row["change_id"])
    edit(url, "UPDATE chains SET seal = :seal", seal=last)
    edit(url, "UPDATE cycles SET chain_head = :seal", seal=last)


def test_the_metrics_file_tells_what_the_ledger_knows(company: Company, command: Command) -> None:
    text = (company.folder / "provision.prom").read_text("utf-8")
    samples = _samples(text)
    with ledger_of(company.job) as ledger:
        cycles, linked = ledger.cycles("sandbox"), len(ledger.links("sandbox"))
        waiting = len(ledger.escrow("sandbox"))
    assert samples["provision_linked_people", ()] == linked
    assert samples["provision_quarantined", ()] == 0
    ended = cycles.iloc[0]["ended_at"].timestamp()
    assert samples["provision_last_cycle_timestamp_seconds", ()] == pytest.approx(ended)
    assert samples["provision_last_success_timestamp_seconds", ()] == pytest.approx(ended)
    assert sum(value for (name, _), value in samples.items() if name == "provision_escrow_people") == waiting > 0
    counted = {labels[0]: value for (name, labels), value in samples.items() if name == "provision_last_cycle_people"}
    assert {name: value for name, value in counted.items() if value} == json.loads(cycles.iloc[0]["counts"])
    stages = {labels[0] for name, labels in samples if name == "provision_last_cycle_stage_seconds"}
    assert stages == {"extract", "transform", "reconcile", "load", "report"}
    requests = [value for (name, _), value in samples.items() if name == "provision_last_cycle_requests"]
    assert len(requests) >= 2
    assert min(requests) > 0
    assert set(_samples(command("metrics", company.job).out)) == set(samples)


def test_a_throttled_request_and_a_quarantine_are_measured(sandboxes: Sandboxes, tmp_path: Path) -> None:
    sandbox = sandboxes(users=30)
    job = sandbox.job_file(tmp_path, report={"metrics_file": "m.prom"}, guards={"removals": {"count": 0}})
    run_cycle(job)
    sandbox.month_passes(share=0.5)
    sandbox.faults.add("graph:*", "rate_limit", limit=0, window=60.0, retry_after=0, count=2)
    run_cycle(job)
    samples = _samples((tmp_path / "m.prom").read_text("utf-8"))
    throttled = [value for (name, _), value in samples.items() if name == "provision_last_cycle_throttled"]
    assert sum(throttled) == 2
    assert samples["provision_quarantined", ()] == 1
    assert ("provision_quarantine_seconds", ("TooManyDeletes",)) in samples
    assert samples["provision_last_cycle_people", ("staged",)] > 0


def test_a_cycle_that_breaks_off_is_measured_too(
    sandboxes: Sandboxes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WRONG_SECRET", "wrong")
    source = {"client_secret": {"env": "WRONG_SECRET"}}
    job = sandboxes(users=30).job_file(tmp_path, report={"metrics_file": "m.prom"}, source=source)
    with pytest.raises(UnreachableError):
        run_cycle(job)
    samples = _samples((tmp_path / "m.prom").read_text("utf-8"))
    assert samples["provision_last_cycle_state", ("Failed",)] == 1
    assert samples["provision_quarantined", ()] == 1
    assert ("provision_last_success_timestamp_seconds", ()) not in samples


def test_metrics_are_served_as_they_are_at_each_scrape(company: Company) -> None:
    told, stop = io.StringIO(), threading.Event()
    serving = threading.Thread(
        target=serve_metrics, args=(Console(file=told, width=200), [company.job], 0, "127.0.0.1", stop)
    )
    serving.start()
    try:
        while "http://" not in told.getvalue() and serving.is_alive():
            threading.Event().wait(0.05)
        url = told.getvalue().split()[3].rstrip(";")
        asked = urllib.request.Request(url, headers={"Accept": "application/openmetrics-text; version=1.0.0"})
        with urllib.request.urlopen(asked, timeout=30) as answer:
            samples = _samples(answer.read().decode())
    finally:
        stop.set()
        serving.join()
    assert samples["provision_linked_people", ()] > 0


def _samples(text: str) -> dict[tuple[str, tuple[str, ...]], float]:
    """Read OpenMetrics text with the reader that monitors use; give values by name and labels besides the job."""
    return {
        (sample.name, tuple(value for name, value in sample.labels.items() if name != "job")): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_redacted_values_reach_no_file(sandboxes: Sandboxes, tmp_path: Path, command: Command) -> None:
    sandbox = sandboxes(users=30)
    mapping = tmp_path / "redacted.yaml"
    text = DEFAULT_MAPPING.read_text(encoding="utf-8")
    mapping.write_text(text.replace("'[employeeId]'", "'Redact([employeeId])'"), encoding="utf-8")
    formats = ["ndjson", "json", "csv", "parquet"]
    job = sandbox.job_file(tmp_path, mapping=str(mapping), report={"folder": "told", "formats": formats})
    run_cycle(job)
    written = {str(account["employeeId"]) for account in accounts(sandbox).values() if account["employeeId"]}
    assert len(written) > 10
    (folder,) = (tmp_path / "told" / "sandbox").iterdir()
    texts = [path.read_text("utf-8") for path in folder.iterdir() if path.suffix != ".parquet"]
    texts += [str(pq.read_table(folder / "ProvisioningLogs.parquet").to_pylist())]
    texts += [command("report", job, "--format", form, "--all").out for form in ("table", "csv", "json")]
    assert sum(text.count(REDACTED) for text in texts) > len(written)
    assert not [one for one in written for text in texts if f'"{one}"' in text or f"'{one}'" in text]


def test_history_shows_prefects_runs_with_what_their_cycles_did(company: Company, command: Command) -> None:
    ended = command("history", company.job)
    assert company.first.facts.cycle_id[:8] in ended.out
    assert company.second.facts.cycle_id[:8] in ended.out
    assert "ledger" not in ended.out
