"""Activities in files, in the shape of provisioningObjectSummary: NDJSON, JSON, Parquet, and the three CSV files.

Pure but for the files themselves. Flows write a cycle's files when it has ended, and downloads when somebody asks.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Final, Protocol

import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.job import ReportFormat
from tasks.report.replacing import replacing
from tasks.report.spreadsheet import SheetFile, sheets
from tasks.report.summaries import Systems, summaries

_PART: Final = 5_000
_TEXT: Final = pa.string()


def _fields(*names: str, **others: pa.DataType) -> pa.StructType:
    return pa.struct([*((name, _TEXT) for name in names), *others.items()])


_SYSTEM: Final = _fields(
    "id",
    "displayName",
    details=_fields("ApplicationId", "ServicePrincipalId", "ServicePrincipalDisplayName"),
)
_IDENTITY: Final = _fields("id", "displayName", "identityType")
SUMMARY_SCHEMA: Final = pa.schema(
    [
        ("id", _TEXT),
        ("activityDateTime", pa.timestamp("ms", tz="UTC")),
        ("tenantId", _TEXT),
        ("jobId", _TEXT),
        ("cycleId", _TEXT),
        ("changeId", _TEXT),
        ("provisioningAction", _TEXT),
        ("durationInMilliseconds", pa.int64()),
        (
            "provisioningStatusInfo",
            _fields(
                "status",
                errorInformation=_fields(
                    "errorCode", "reason", "additionalDetails", "errorCategory", "recommendedAction"
                ),
            ),
        ),
        (
            "provisioningSteps",
            pa.list_(
                _fields(
                    "name",
                    "provisioningStepType",
                    "status",
                    "description",
                    details=_fields("Situation", "SkipReason", "ReportableIdentifier"),
                )
            ),
        ),
        ("modifiedProperties", pa.list_(_fields("displayName", "oldValue", "newValue"))),
        ("servicePrincipal", _fields("id", "displayName")),
        ("sourceSystem", _SYSTEM),
        ("targetSystem", _SYSTEM),
        ("initiatedBy", _fields("id", "displayName", "initiatorType")),
        ("sourceIdentity", _IDENTITY),
        ("targetIdentity", _IDENTITY),
    ]
)
"""provisioningObjectSummary as Arrow has it. The `details` of the two identities are always empty and have no column,
since Parquet knows no empty structure."""

FILES: Final[Mapping[ReportFormat, tuple[str, ...]]] = {
    ReportFormat.NDJSON: ("ProvisioningLogs.ndjson",),
    ReportFormat.JSON: ("ProvisioningLogs.json",),
    ReportFormat.PARQUET: ("ProvisioningLogs.parquet",),
    ReportFormat.CSV: (
        "ProvisioningLogs.csv",
        "ProvisioningLogs_ProvisioningSteps.csv",
        "ProvisioningLogs_ModifiedProperties.csv",
    ),
}
"""The names of the files, by format; those of CSV are Microsoft's."""


def write_activities(
    folder: Path, activities: pd.DataFrame, systems: Systems, formats: Sequence[ReportFormat], *, job: str
) -> list[Path]:
    """Write activities (the ledger's frame) to files in `folder`, one set a format; give the files.

    Each takes its place once it is whole. Raises `OSError` when the disk does not take one; no part of it is left then.
    """
    with contextlib.ExitStack() as stack:
        writers = []
        for kind in formats:
            paths = [stack.enter_context(replacing(folder / name)) for name in FILES[kind]]
            files = [stack.enter_context(path.open("wb")) for path in paths]
            writers.append(stack.enter_context(contextlib.closing(_WRITERS[kind](files))))
        for part in _parts(activities, systems, job):
            for writer in writers:
                writer.write(part)
    return [folder / name for kind in formats for name in FILES[kind]]


def write_json(file: BinaryIO, activities: pd.DataFrame, systems: Systems, *, job: str) -> None:
    """Write activities as one JSON array, as Microsoft's JSON download is."""
    with contextlib.closing(_Json([file])) as writer:
        for part in _parts(activities, systems, job):
            writer.write(part)


def write_csv(file: BinaryIO, activities: pd.DataFrame, systems: Systems, *, job: str) -> None:
    """Write activities as the first of the three CSV files, that without steps and modified properties."""
    with contextlib.closing(SheetFile(file)) as sheet:
        for part in _parts(activities, systems, job):
            sheet.write(sheets(part.table)[0])


class _Part:
    """Some activities as summaries, and as an Arrow table."""

    def __init__(self, told: list[dict[str, Any]]) -> None:
        self.told = told

    @property
    def table(self) -> pa.Table:
        """Give them as a table with `SUMMARY_SCHEMA`."""
        place = SUMMARY_SCHEMA.get_field_index("activityDateTime")
        when = SUMMARY_SCHEMA.field(place)
        table = pa.Table.from_pylist(self.told, SUMMARY_SCHEMA.set(place, when.with_type(_TEXT)))
        return table.set_column(place, when, table["activityDateTime"].cast(when.type))


class _Writer(Protocol):
    def write(self, part: _Part) -> None: ...

    def close(self) -> None: ...


class _Ndjson:
    """One summary a line."""

    def __init__(self, files: Sequence[BinaryIO]) -> None:
        (self._file,) = files

    def write(self, part: _Part) -> None:
        self._file.writelines(orjson.dumps(one, option=orjson.OPT_APPEND_NEWLINE) for one in part.told)

    def close(self) -> None:
        self._file.flush()


class _Json:
    """One array of summaries."""

    def __init__(self, files: Sequence[BinaryIO]) -> None:
        (self._file,) = files
        self._between = b"[\n"

    def write(self, part: _Part) -> None:
        for one in part.told:
            self._file.write(self._between + orjson.dumps(one))
            self._between = b",\n"

    def close(self) -> None:
        self._file.write(b"[]\n" if self._between == b"[\n" else b"\n]\n")
        self._file.flush()


class _Parquet:
    def __init__(self, files: Sequence[BinaryIO]) -> None:
        (file,) = files
        self._writer = pq.ParquetWriter(file, SUMMARY_SCHEMA, compression="zstd")

    def write(self, part: _Part) -> None:
        self._writer.write_table(part.table)

    def close(self) -> None:
        self._writer.close()


class _Csv:
    def __init__(self, files: Sequence[BinaryIO]) -> None:
        self._sheets = [SheetFile(file) for file in files]

    def write(self, part: _Part) -> None:
        for sheet, table in zip(self._sheets, sheets(part.table), strict=True):
            sheet.write(table)

    def close(self) -> None:
        for sheet in self._sheets:
            sheet.close()


_WRITERS: Final[Mapping[ReportFormat, type[_Ndjson] | type[_Json] | type[_Parquet] | type[_Csv]]] = {
    ReportFormat.NDJSON: _Ndjson,
    ReportFormat.JSON: _Json,
    ReportFormat.PARQUET: _Parquet,
    ReportFormat.CSV: _Csv,
}


def _parts(activities: pd.DataFrame, systems: Systems, job: str) -> Iterator[_Part]:
    """Give the activities some thousands at a time, so that what is spelled out never grows with them.

    Without any there is one empty part, from which a file gets its header.
    """
    for start in range(0, max(len(activities), 1), _PART):
        yield _Part(list(summaries(activities.iloc[start : start + _PART], systems, cycle_id="", job=job)))
