"""Saved plans: read back as they were, and refused when they are not."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tasks.model import BadInputError, Plan
from tasks.reconcile.plan_file import HEAD, load_plan, plan_digest, save_plan
from tests.reconcile.world import World, person


@pytest.fixture
def plan() -> Plan:
    world = World()
    world.run([person("ann"), person("bob", FirstName="Bob"), person("cat")])
    return world.plan(
        [person("ann", FirstName="Zoë"), person("bob", active=False), person("cat"), person("new", Supervisor="ann")]
    )


def rewritten(path: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    """Change the file as somebody with a Parquet library would."""
    pq.write_table(change(pq.read_table(path)), path)


def test_a_plan_comes_back_as_it_was(plan: Plan, tmp_path: Path) -> None:
    path = tmp_path / "deep" / "plan.parquet"
    digest = save_plan(plan, path)
    again = load_plan(path, "acme")
    assert again.operations.equals(plan.operations)
    assert again.changes.equals(plan.changes)
    assert (again.verdict, again.manifest, again.created_at) == (plan.verdict, plan.manifest, plan.created_at)
    assert plan_digest(again) == digest
    assert list(path.parent.iterdir()) == [path]


def test_an_empty_plan_comes_back(tmp_path: Path) -> None:
    empty = World().plan([])
    save_plan(empty, tmp_path / "plan.parquet")
    assert load_plan(tmp_path / "plan.parquet", "acme").operations.empty


def test_others_read_it_with_any_parquet_reader(plan: Plan, tmp_path: Path) -> None:
    save_plan(plan, tmp_path / "plan.parquet")
    table = pq.read_table(tmp_path / "plan.parquet")
    ann = next(row for row in table.to_pylist() if row["source_id"] == "ann")
    assert ann["changes"] == [{"attribute": "FirstName", "before": None, "after": "Zoë"}]
    assert json.loads(table.schema.metadata[HEAD])["counts"] == {"create": 1, "disable": 1, "update": 1}


def test_a_changed_row_is_refused(plan: Plan, tmp_path: Path) -> None:
    path = tmp_path / "plan.parquet"
    save_plan(plan, path)
    rewritten(path, lambda table: table.slice(1))
    with pytest.raises(BadInputError, match="does not agree with its digest"):
        load_plan(path, "acme")


def test_a_changed_value_is_refused(plan: Plan, tmp_path: Path) -> None:
    path = tmp_path / "plan.parquet"
    save_plan(plan, path)
    place = pq.read_table(path).schema.get_field_index("decision")
    rewritten(path, lambda table: table.set_column(place, "decision", pa.array(["go"] * 2 + ["hold"])))
    with pytest.raises(BadInputError, match="does not agree with its digest"):
        load_plan(path, "acme")


def test_a_changed_head_is_refused(plan: Plan, tmp_path: Path) -> None:
    path = tmp_path / "plan.parquet"
    save_plan(plan, path)

    def approve(table: pa.Table) -> pa.Table:
        head = json.loads(table.schema.metadata[HEAD])
        head["verdict"]["reasons"] = ["fine"]
        return table.replace_schema_metadata({HEAD: json.dumps(head)})

    rewritten(path, approve)
    with pytest.raises(BadInputError, match="does not agree with its digest"):
        load_plan(path, "acme")


def test_a_plan_for_another_job_is_refused(plan: Plan, tmp_path: Path) -> None:
    save_plan(plan, tmp_path / "plan.parquet")
    with pytest.raises(BadInputError, match="made for the job 'acme' and not for 'other'"):
        load_plan(tmp_path / "plan.parquet", "other")


def test_a_plan_of_another_format_is_refused(plan: Plan, tmp_path: Path) -> None:
    path = tmp_path / "plan.parquet"
    save_plan(plan, path)
    rewritten(path, lambda table: table.replace_schema_metadata({HEAD: b'{"format": 99}'}))
    with pytest.raises(BadInputError, match="expected a plan of format 1, found 99"):
        load_plan(path, "acme")


@pytest.mark.parametrize("content", [b"", b"no parquet", None])
def test_what_is_no_plan_is_refused(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "plan.parquet"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(BadInputError, match=r"plan\.parquet"):
        load_plan(path, "acme")


def test_a_parquet_file_without_a_head_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1]}), tmp_path / "plan.parquet")
    with pytest.raises(BadInputError, match="is not a plan"):
        load_plan(tmp_path / "plan.parquet", "acme")
