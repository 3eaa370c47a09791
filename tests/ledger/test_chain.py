"""The chain of activities: whoever changes, removes, inserts or moves a record is found out."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.ledger.chain import ChainHead, record_of
from tasks.ledger.ledger import Ledger
from tasks.ledger.records import Moves
from tasks.model import CycleKind
from tests.ledger.changes import change, ending
from tests.ledger.edits import edit, engine_of

JOB = "acme"


def record(ledger: Ledger, *numbers: int, ends: bool = True) -> str:
    """Run a cycle with an activity of each person, one transaction each; give its id."""
    cycle = ledger.begin_cycle(JOB, CycleKind.INITIAL)
    for number in numbers:
        ledger.record(JOB, cycle, Moves(endings=[ending(change(number))]))
    if ends:
        ledger.end_cycle(cycle, "Completed")
    return cycle


def found(ledger: Ledger, head: str = "") -> list[str]:
    """Give what a check finds, in words."""
    return [finding.what for finding in ledger.verify(JOB, head).findings]


def test_an_untouched_ledger_is_sound(ledger: Ledger) -> None:
    record(ledger, 1, 2, 3)
    record(ledger, 4)
    checked = ledger.verify(JOB)
    assert (checked.sound, checked.records, checked.head.position) == (True, 4, 4)


def test_a_job_that_recorded_nothing_is_sound(ledger: Ledger) -> None:
    assert ledger.verify(JOB).sound
    assert ledger.chain_head(JOB) == ChainHead(0, "")


@pytest.mark.parametrize(
    "altered",
    [
        "status = 'failure'",
        "reason = 'Nothing happened.'",
        "changes = '[]'",
        "source_name = NULL",
        "operation = 'disable'",
        "duration_ms = 13",
        "attempts = 2",
        "started_at = '2026-03-01 08:00:00.000001+00:00'",
        "cycle_id = (SELECT MAX(cycle_id) FROM cycles WHERE cycle_id <> activities.cycle_id)",
        "seal = 'abc'",
        "position = 99",
    ],
)
def test_an_auditors_edit_of_one_row_is_found_and_the_record_named(
    ledger: Ledger, ledger_url: str, altered: str
) -> None:
    record(ledger, 1, 2, 3)
    record(ledger, 4)
    assert edit(ledger_url, f"UPDATE activities SET {altered} WHERE change_id = 'change-2'") == 1
    checked = ledger.verify(JOB)
    assert "change-2" in {finding.change_id for finding in checked.findings}
    assert "jürgen.2@acme.test" in {finding.person for finding in checked.findings} or "source_name" in altered


def test_only_the_altered_record_is_named(ledger: Ledger, ledger_url: str) -> None:
    record(ledger, *range(1, 8))
    edit(ledger_url, "UPDATE activities SET reason = 'other' WHERE change_id = 'change-3'")
    assert [finding.change_id for finding in ledger.verify(JOB).findings] == ["change-3"]


def test_a_record_taken_out_of_the_middle_is_missed(ledger: Ledger, ledger_url: str) -> None:
    record(ledger, 1, 2, 3)
    edit(ledger_url, "DELETE FROM activities WHERE change_id = 'change-2'")
    assert found(ledger) == ["Record 2 is missing."]


def test_records_taken_off_the_end_are_missed(ledger: Ledger, ledger_url: str) -> None:
    record(ledger, 1, 2, 3, 4)
    edit(ledger_url, "DELETE FROM activities WHERE position > 2")
    assert found(ledger) == ["Records 3 to 4 are missing."]


def test_records_taken_off_the_end_are_missed_though_the_chains_own_end_was_set_back(
    ledger: Ledger, ledger_url: str
) -> None:
    record(ledger, 1, 2, 3, 4)
    edit(ledger_url, "DELETE FROM activities WHERE position > 2")
    edit(
        ledger_url,
        "UPDATE chains SET position = 2, seal = (SELECT seal FROM activities WHERE activities.position = 2)",
    )
    assert found(ledger) == ["A cycle ended at record 4, with a head that is not in the chain."]


def test_two_records_that_changed_places_are_both_named(ledger: Ledger, ledger_url: str) -> None:
    record(ledger, 1, 2, 3, 4)
    for one, other in ((2, -1), (3, 2), (-1, 3)):
        edit(ledger_url, f"UPDATE activities SET position = {other} WHERE position = {one}")
    assert {finding.change_id for finding in ledger.verify(JOB).findings} >= {"change-2", "change-3"}


def test_a_record_put_in_by_hand_is_found(ledger: Ledger, ledger_url: str) -> None:
    record(ledger, 1, 2)
    edit(
        ledger_url,
        "INSERT INTO activities (number, change_id, cycle_id, job, situation, operation, decision, status, changes, "
        "refused, attempts, started_at, duration_ms) SELECT 50, 'forged', cycle_id, job, situation, operation, "
        "decision, status, changes, refused, attempts, started_at, duration_ms FROM activities WHERE position = 1",
    )
    assert [finding.change_id for finding in ledger.verify(JOB).findings] == ["forged"]


def test_a_chain_made_anew_is_found_by_a_head_kept_elsewhere(ledger: Ledger, tmp_path: Path) -> None:
    record(ledger, 1, 2, 3)
    kept = ledger.chain_head(JOB).seal
    assert found(ledger, kept) == []
    with Ledger.open(f"sqlite:///{tmp_path / 'forged.db'}") as forged:
        record(forged, 1, 2, 4)
        assert forged.verify(JOB).sound
        assert len(found(forged, kept)) == 1


def test_each_cycle_keeps_where_the_chain_stood_at_its_end(ledger: Ledger) -> None:
    record(ledger, 1, 2)
    head = ledger.chain_head(JOB)
    record(ledger)
    kept = ledger.cycles(JOB)[["chain_position", "chain_head"]].to_numpy().tolist()
    assert kept == [[2, head.seal], [2, head.seal]]


def test_an_outcome_brought_up_to_date_keeps_what_was_said_before(ledger: Ledger, ledger_url: str) -> None:
    cycle = record(ledger, 1, 2, ends=False)
    ledger.record(JOB, cycle, Moves(endings=[ending(change(1), reason="Settled.")]))
    ledger.end_cycle(cycle, "Completed")
    checked = ledger.verify(JOB)
    assert (checked.findings, checked.records, checked.superseded) == ((), 3, 1)
    assert ledger.activities_of(["change-1"])["reason"].tolist() == ["Settled."]
    edit(ledger_url, "UPDATE superseded SET record = REPLACE(record, 'Created', 'Deleted')")
    assert [finding.position for finding in ledger.verify(JOB).findings] == [1]


def test_a_removal_dressed_up_as_superseded_is_found(ledger: Ledger, ledger_url: str) -> None:
    record(ledger, 1, 2, 3)
    row = ledger.activities_of(["change-2"]).to_dict("records")[0]
    edit(
        ledger_url,
        "INSERT INTO superseded SELECT job, position, change_id, :record, seal FROM activities WHERE position = 2",
        record=record_of({**row, "started_at": row["started_at"].to_pydatetime()}),
    )
    edit(ledger_url, "DELETE FROM activities WHERE position = 2")
    assert found(ledger) == ["Record 2 was superseded, and nothing stands in its place."]


def test_writers_at_once_leave_one_whole_chain(ledger: Ledger, ledger_url: str) -> None:
    cycle = record(ledger, ends=False)

    def write(first: int) -> None:
        with Ledger.open(ledger_url) as own:
            for number in range(first, first + 10):
                own.record(JOB, cycle, Moves(endings=[ending(change(number)), ending(change(number + 500))]))

    writers = [threading.Thread(target=write, args=(100 * number,)) for number in range(1, 5)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    ledger.end_cycle(cycle, "Completed")
    checked = ledger.verify(JOB)
    assert (checked.findings, checked.records) == ((), 80)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    """Give one ledger for many examples, each with a job of its own."""
    with Ledger.open(f"sqlite:///{tmp_path_factory.mktemp('chain') / 'ledger.db'}") as ledger:
        yield ledger


@settings(max_examples=25, deadline=None)
@given(endings=st.lists(st.lists(st.integers(1, 6), max_size=4), max_size=6))
def test_whatever_is_recorded_in_whatever_order_is_sound(shared: Ledger, endings: list[list[int]]) -> None:
    job = f"job-{uuid.uuid4().hex}"
    cycle = shared.begin_cycle(job, CycleKind.INITIAL)
    for numbers in endings:
        given_ids = [(number, f"{job}-{number}") for number in numbers]
        shared.record(job, cycle, Moves(endings=[ending(change(number, change_id=name)) for number, name in given_ids]))
    shared.end_cycle(cycle, "Completed")
    checked = shared.verify(job)
    assert (checked.findings, checked.records) == ((), sum(len(set(numbers)) for numbers in endings))


def test_a_ledger_from_before_the_chain_is_sealed_when_it_is_opened(ledger_url: str) -> None:
    config = Config()
    config.set_main_option("script_location", "tasks.ledger:migrations")
    with engine_of(ledger_url).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0003")
        for statement in OLD_ROWS:
            connection.execute(sa.text(statement))
    with Ledger.open(ledger_url) as ledger:
        checked = ledger.verify(JOB)
        assert (checked.findings, checked.records, checked.head.position) == ((), 2, 2)
        record(ledger, 1)
        assert ledger.verify(JOB).sound


_OLD = (
    "'acme', 's', NULL, 'u', NULL, 'absent', 'create', 'go', 'success', NULL, 'Zoë', NULL, '[]', '[]', 1, "
    "'2026-03-01 08:00:00.120000+00:00', 12"
)
_CYCLE = (
    "INSERT INTO cycles (cycle_id, job, kind, state, flow_run_id, holder, started_at, counts, message) "
    "VALUES ('c', 'acme', 'initial', 'Completed', '', '', '2026-03-01 08:00:00', '{}', '')"
)
OLD_ROWS = (
    "INSERT INTO jobs (job, status, created_at) VALUES ('acme', 'on', '2026-03-01 08:00:00')",
    _CYCLE,
    *(
        "INSERT INTO activities (number, change_id, cycle_id, job, source_id, source_name, target_uri, target_name, "
        "situation, operation, decision, status, error_code, reason, remedy, changes, refused, attempts, started_at, "
        f"duration_ms) VALUES ({1000 + number}, 'old-{number}', 'c', {_OLD})"
        for number in (1, 2)
    ),
)
"""Two activities as the schema 0003 held them."""
