"""Activities in files: whole, joined, in the documented shape, read by Microsoft's client, safe in a spreadsheet."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import jsonschema
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kiota_serialization_json.json_parse_node import JsonParseNode
from msgraph.generated.models.provisioning_object_summary import ProvisioningObjectSummary

from tasks.job import ReportFormat
from tasks.report.activity import COLUMNS, activities_of
from tasks.report.files import FILES, write_activities
from tasks.report.spreadsheet import harmless
from tasks.report.summaries import Systems, summaries
from tests.report.samples import CASES, CYCLE, Case, activities, outcomes_of, plan_of
from tests.report.summary_shape import SUMMARY

SYSTEMS = Systems("tenant-1", "app-1", "sp-1", "Replicon", "acme")
EVERY = tuple(ReportFormat)


def write(folder: Path, frame: pd.DataFrame, formats: tuple[ReportFormat, ...] = EVERY) -> Path:
    write_activities(folder, frame.assign(cycle_id=CYCLE), SYSTEMS, formats, job="acme")
    return folder


def sheet(path: Path) -> list[dict[str, str]]:
    """Read a CSV file as Python's own reader does, which takes an empty cell for an empty text."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def lines(folder: Path) -> list[dict[str, Any]]:
    text = (folder / "ProvisioningLogs.ndjson").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("files"), activities())


def test_each_format_has_its_files_and_nothing_else_is_left(folder: Path) -> None:
    assert {path.name for path in folder.iterdir()} == {name for names in FILES.values() for name in names}


def test_every_line_is_of_the_documented_shape(folder: Path) -> None:
    told = lines(folder)
    assert [one["changeId"] for one in told] == [f"change-{case.name}" for case in CASES]
    for one in told:
        jsonschema.validate(one, SUMMARY)


def test_the_shape_refuses_what_is_not_documented(folder: Path) -> None:
    one = lines(folder)[0]
    for wrong in ({**one, "extra": 1}, {**one, "provisioningAction": "enable"}, {**one, "activityDateTime": None}):
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(wrong, SUMMARY)


def test_every_line_loads_through_microsofts_model(folder: Path) -> None:
    for one in lines(folder):
        loaded = JsonParseNode(one).get_object_value(ProvisioningObjectSummary)
        assert isinstance(loaded, ProvisioningObjectSummary)
        assert (loaded.change_id, loaded.cycle_id) == (one["changeId"], CYCLE)
        assert loaded.activity_date_time is not None
        assert loaded.additional_data == {}
        assert loaded.provisioning_status_info is not None
        assert loaded.provisioning_status_info.status == one["provisioningStatusInfo"]["status"]
        assert len(loaded.provisioning_steps or []) == len(one["provisioningSteps"])
        assert [each.new_value for each in loaded.modified_properties or []] == [
            each["newValue"] for each in one["modifiedProperties"]
        ]


def test_json_is_one_array_of_the_same(folder: Path) -> None:
    assert json.loads((folder / "ProvisioningLogs.json").read_bytes()) == lines(folder)


def test_parquet_holds_all_that_the_lines_hold(folder: Path) -> None:
    read = pq.read_table(folder / "ProvisioningLogs.parquet").to_pylist()
    for row, line in zip(read, lines(folder), strict=True):
        for side in ("sourceIdentity", "targetIdentity"):
            assert line[side].pop("details") == {}
        when = pd.Timestamp(row.pop("activityDateTime"))
        assert when == pd.Timestamp(line.pop("activityDateTime"))
        for step in row["provisioningSteps"]:
            step["details"] = {name: value for name, value in step["details"].items() if value is not None}
        assert row == line


def test_the_three_csv_files_join_by_change_id(folder: Path) -> None:
    logs, steps, properties = (sheet(folder / name) for name in FILES[ReportFormat.CSV])
    told = lines(folder)
    assert [row["changeId"] for row in logs] == [one["changeId"] for one in told]
    assert [(row["changeId"], row["number"], row["name"]) for row in steps] == [
        (one["changeId"], str(place), step["name"])
        for one in told
        for place, step in enumerate(one["provisioningSteps"], 1)
    ]
    assert [(row["changeId"], row["displayName"], row["newValue"]) for row in properties] == [
        (one["changeId"], each["displayName"], each["newValue"] or "")
        for one in told
        for each in one["modifiedProperties"]
    ]
    failed = next(row for row in logs if row["changeId"] == "change-taken")
    assert failed["provisioningStatusInfo.errorInformation.errorCode"] == "EntryConflict"


def test_no_activities_give_files_with_a_header(tmp_path: Path) -> None:
    write(tmp_path, activities().iloc[:0])
    assert lines(tmp_path) == json.loads((tmp_path / "ProvisioningLogs.json").read_bytes()) == []
    assert pq.read_table(tmp_path / "ProvisioningLogs.parquet").num_rows == 0
    assert (
        (tmp_path / "ProvisioningLogs_ProvisioningSteps.csv").read_text("utf-8-sig").startswith('"changeId","number"')
    )


def test_more_than_one_part_loses_and_doubles_nothing(tmp_path: Path) -> None:
    frame = pd.concat([activities()] * 900, ignore_index=True)
    frame["change_id"] = pd.Series(range(len(frame)), dtype="int64").astype(str).astype(COLUMNS["change_id"])
    write(tmp_path, frame)
    assert [int(one["changeId"]) for one in lines(tmp_path)] == list(range(len(frame)))
    assert pq.read_table(tmp_path / "ProvisioningLogs.parquet")["changeId"].to_pylist() == list(
        map(str, range(len(frame)))
    )
    steps = sheet(tmp_path / "ProvisioningLogs_ProvisioningSteps.csv")
    assert len(steps) == sum(len(one["provisioningSteps"]) for one in lines(tmp_path))


@pytest.mark.parametrize("evil", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "＝1+1", "\n=1", '=cmd|"/c calc"!A1'])
def test_no_cell_begins_as_a_formula_does(tmp_path: Path, evil: str) -> None:
    case = Case(evil, "confirmed", "update", target=evil, reason=evil, changes=((evil, evil, evil * 2),))
    frame = activities_of_case(case)
    write(tmp_path, frame, (ReportFormat.CSV, ReportFormat.NDJSON))
    logs, steps, properties = (sheet(tmp_path / name) for name in FILES[ReportFormat.CSV])
    cells = [cell for row in (*logs, *steps, *properties) for cell in row.values()]
    assert not [cell for cell in cells if cell.startswith(tuple("=+-@\t\r\n＝＋－＠"))]
    assert properties[0]["oldValue"] == f"'{evil}"
    assert lines(tmp_path)[0]["modifiedProperties"][0]["oldValue"] == evil


def activities_of_case(case: Case) -> pd.DataFrame:
    return activities_of(plan_of((case,)), outcomes_of((case,)))


@given(st.lists(st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"])))))
def test_taking_one_apostrophe_off_gives_every_text_back(texts: list[str | None]) -> None:
    cells = harmless(pa.chunked_array([pa.array(texts, pa.string())])).to_pylist()
    assert [None if cell is None else cell.removeprefix("'") for cell in cells] == texts
    assert not [cell for cell in cells if cell and cell.startswith(tuple("=+-@\t\r\n＝＋－＠"))]


def test_a_place_that_cannot_be_written_is_an_error_and_leaves_nothing_half_done(tmp_path: Path) -> None:
    blocked = tmp_path / "ProvisioningLogs.ndjson"
    blocked.mkdir()
    with pytest.raises(OSError, match="ProvisioningLogs"):
        write(tmp_path, activities(), (ReportFormat.NDJSON,))
    assert list(tmp_path.iterdir()) == [blocked]


def test_the_lines_are_those_of_the_summaries(folder: Path) -> None:
    given_ = list(summaries(activities().assign(cycle_id=CYCLE), SYSTEMS, cycle_id="", job="acme"))
    assert lines(folder) == json.loads(json.dumps(given_))
