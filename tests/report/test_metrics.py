"""The gauges: each documented, each readable by a monitor's own reader, and silent about what is not known."""

from __future__ import annotations

import datetime as dt
import re
from pathlib import Path

import pandas as pd
from prometheus_client import CollectorRegistry
from prometheus_client.openmetrics.exposition import generate_latest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tasks.ledger.frames import CYCLE_COLUMNS, ESCROW_COLUMNS
from tasks.model import empty_frame
from tasks.report.metrics import GAUGES, JobMetrics, Standing

README = Path(__file__).parents[2] / "deployments" / "activity-log.md"
NOW = dt.datetime(2026, 3, 1, 8, 0, tzinfo=dt.UTC)


def standing(job: str = "acme", **known: object) -> Standing:
    values = {
        "cycles": empty_frame(CYCLE_COLUMNS),
        "escrow": empty_frame(ESCROW_COLUMNS),
        "linked": 0,
        "watermark_at": None,
        "quarantine": None,
        "quarantine_since": None,
    }
    return Standing(job=job, now=NOW, **{**values, **known})  # type: ignore[arg-type]


def text(*standings: Standing) -> str:
    registry = CollectorRegistry()
    registry.register(JobMetrics(list(standings)))
    return bytes(generate_latest(registry)).decode()


def test_every_gauge_is_documented_with_its_labels() -> None:
    table = README.read_text("utf-8").partition("## Metrics")[2]
    found = dict(re.findall(r"^\| `provision_(\w+)` \| (?:`(\w+)`)? ?\|", table, flags=re.MULTILINE))
    assert found == {name: labels[0] if labels else "" for name, (_, labels) in GAUGES.items()}


def test_a_job_that_never_ran_tells_what_is_known_and_no_more() -> None:
    samples = [sample for family in text_string_to_metric_families(text(standing())) for sample in family.samples]
    assert {sample.name: sample.value for sample in samples} == {
        "provision_quarantined": 0,
        "provision_linked_people": 0,
    }


def test_ages_are_counted_from_now_and_jobs_stand_side_by_side() -> None:
    away = standing("a", watermark_at=NOW - dt.timedelta(hours=1))
    held = standing("b", quarantine='Too"Many\n', quarantine_since=NOW - dt.timedelta(seconds=5), linked=7)
    samples = [s for family in text_string_to_metric_families(text(away, held)) for s in family.samples]
    found = {(sample.name, sample.labels["job"]): sample for sample in samples}
    assert found["provision_watermark_age_seconds", "a"].value == 3600
    assert found["provision_quarantine_seconds", "b"].value == 5
    assert found["provision_quarantine_seconds", "b"].labels["reason"] == 'Too"Many\n'
    assert found["provision_linked_people", "b"].value == 7


def test_a_running_cycle_is_not_the_last_one() -> None:
    row = {
        **dict.fromkeys(CYCLE_COLUMNS),
        "job": "acme",
        "state": "Completed",
        "started_at": NOW - dt.timedelta(minutes=2),
        "ended_at": NOW - dt.timedelta(minutes=1),
        "counts": '{"created": 3}',
    }
    running = {**row, "state": "running", "ended_at": None, "counts": "{}"}
    cycles = pd.DataFrame([running, row]).astype(dict(CYCLE_COLUMNS))
    samples = [s for family in text_string_to_metric_families(text(standing(cycles=cycles))) for s in family.samples]
    found = {(sample.name, sample.labels.get("result")): sample.value for sample in samples}
    assert found["provision_last_cycle_people", "created"] == 3
    assert found["provision_last_cycle_seconds", None] == 60
