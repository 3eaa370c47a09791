"""A plan as one Parquet file: a row an operation with its changes inside, and a head in JSON in the file's metadata.

The flows save plans for approval and load them to carry them out; any Parquet reader can look at one.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tasks.model import (
    CHANGE_COLUMNS,
    OPERATION_COLUMNS,
    BadInputError,
    CycleKind,
    Manifest,
    Plan,
    Verdict,
    conform,
)
from tasks.reconcile.columns import array_of, places_of, table_of
from tasks.reconcile.digest import spell

FORMAT: Final = 1
"""Version of the file's layout."""
HEAD: Final = b"provisioning_plan"
"""Key of the head in the Parquet schema's metadata."""
_CHANGES: Final = "changes"
_WRITTEN: Final = [name for name in CHANGE_COLUMNS if name != "change_id"]
_SLICE: Final = 100_000


def save_plan(plan: Plan, path: Path) -> str:
    """Write `plan` to `path`, all of it or nothing; give its digest (SHA-256, hexadecimal) to approve it by."""
    digest = plan_digest(plan)
    head = {**_head(plan), "digest": digest}
    table = pa.table(
        {name: array_of(plan.operations[name]) for name in OPERATION_COLUMNS} | {_CHANGES: _nested(plan)}
    ).replace_schema_metadata({HEAD: json.dumps(head, ensure_ascii=False).encode()})
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, scratch = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    try:
        pq.write_table(table, scratch, compression="zstd")
        Path(scratch).replace(path)
    finally:
        Path(scratch).unlink(missing_ok=True)
    return digest


def load_plan(path: Path, job: str) -> Plan:
    """Read the plan of the job named `job` from `path`.

    Raises `BadInputError` when the file cannot be read, is no plan, was changed after it was saved, or was made for
    another job. The digest tells accidents and careless edits; whoever can write the file can also write a digest,
    so compare it with the one that was approved.
    """
    table, head = _read(path)
    if head.get("job") != job:
        raise BadInputError(
            f"{path}: this plan was made for the job {head.get('job')!r} and not for {job!r}; nothing was changed. "
            f"Give the job file of {head.get('job')!r}, or make a plan for {job!r}."
        )
    try:
        plan = _plan(table, head)
    except (KeyError, TypeError, ValueError, pa.ArrowInvalid) as error:
        raise BadInputError(_spoiled(path, f"a part of it cannot be read: {error}")) from error
    if plan_digest(plan) != head.get("digest"):
        raise BadInputError(_spoiled(path, "its content does not agree with its digest"))
    return plan


def plan_digest(plan: Plan) -> str:
    """Give the SHA-256 of everything in `plan`, in hexadecimal; it depends on no library's version."""
    hashed = hashlib.sha256(json.dumps(_head(plan), sort_keys=True, ensure_ascii=False).encode())
    for frame, columns in ((plan.operations, OPERATION_COLUMNS), (plan.changes, CHANGE_COLUMNS)):
        hashed.update(f"{len(frame)};".encode())
        arrays = {name: array_of(frame[name]) for name in columns}
        for start in range(0, len(frame), _SLICE):
            part = {name: array.slice(start, _SLICE) for name, array in arrays.items()}
            everything = dict.fromkeys(part, np.ones(len(part["change_id"]), bool))
            lines = spell(part, everything)
            hashed.update(pc.binary_join(pa.ListArray.from_arrays([0, len(lines)], lines), "")[0].as_buffer())
    return hashed.hexdigest()


def _head(plan: Plan) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "plan_id": plan.plan_id,
        "job": plan.job,
        "cycle_id": plan.cycle_id,
        "kind": plan.kind.value,
        "created_at": plan.created_at.isoformat(),
        "mapping_digest": plan.mapping_digest,
        "manifest": plan.manifest.as_dict(),
        "verdict": {**dataclasses.asdict(plan.verdict), "reasons": list(plan.verdict.reasons)},
        "counts": plan.counts(),
        "state_digest": plan.state_digest,
        "per_second": plan.per_second,
        "undoes": plan.undoes,
    }


def _nested(plan: Plan) -> pa.Array:
    """Give the changes of each operation as a list in its row."""
    row = places_of(array_of(plan.changes["change_id"]), array_of(plan.operations["change_id"]))
    order = np.argsort(row, kind="stable")
    ends = np.searchsorted(row[order], np.arange(len(plan.operations) + 1)).astype(np.int32)
    fields = [array_of(plan.changes[name]).take(pa.array(order)) for name in _WRITTEN]
    return pa.ListArray.from_arrays(pa.array(ends), pa.StructArray.from_arrays(fields, names=_WRITTEN))


def _read(path: Path) -> tuple[pa.Table, Mapping[str, Any]]:
    try:
        table = pq.read_table(path)
    except FileNotFoundError as error:
        raise BadInputError(f"{path}: there is no such file. Give the path of a plan that was saved.") from error
    except (OSError, pa.ArrowInvalid) as error:
        raise BadInputError(_spoiled(path, f"it is not a whole Parquet file: {error}")) from error
    raw = (table.schema.metadata or {}).get(HEAD)
    try:
        head = json.loads(raw or b"null")
    except ValueError as error:
        raise BadInputError(_spoiled(path, f"its head is not JSON: {error}")) from error
    if not isinstance(head, dict):
        raise BadInputError(f"{path}: this Parquet file is not a plan. Give the path of a plan that was saved.")
    if head.get("format") != FORMAT:
        raise BadInputError(
            f"{path}: expected a plan of format {FORMAT}, found {head.get('format')!r}. "
            "It was saved by another version of this program: make the plan again."
        )
    return table, head


def _plan(table: pa.Table, head: Mapping[str, Any]) -> Plan:
    nested = table.column(_CHANGES).combine_chunks()
    parents = pc.list_parent_indices(nested)
    changes = pc.list_flatten(nested)
    columns = {"change_id": table.column("change_id").combine_chunks().take(parents)}
    columns |= {name: pc.struct_field(changes, name) for name in _WRITTEN}
    manifest, verdict = head["manifest"], head["verdict"]
    times = {name: dt.datetime.fromisoformat(manifest[name]) for name in ("started_at", "ended_at")}
    operations: pd.DataFrame = table.drop_columns([_CHANGES]).to_pandas(types_mapper=pd.ArrowDtype)
    return Plan(
        plan_id=head["plan_id"],
        job=head["job"],
        cycle_id=head["cycle_id"],
        kind=CycleKind(head["kind"]),
        created_at=dt.datetime.fromisoformat(head["created_at"]),
        mapping_digest=head["mapping_digest"],
        manifest=Manifest(**{**manifest, "missing": tuple(manifest["missing"]), **times}),
        operations=conform(operations, OPERATION_COLUMNS, "plan file"),
        changes=conform(table_of(columns), CHANGE_COLUMNS, "plan file"),
        verdict=Verdict(verdict["go"], tuple(verdict["reasons"]), verdict["quarantine"], verdict["stopped"]),
        state_digest=head["state_digest"],
        per_second=head["per_second"],
        undoes=head["undoes"],
    )


def _spoiled(path: Path, what: str) -> str:
    return (
        f"{path}: this plan was changed or damaged after it was saved ({what}), so it is not carried out; nothing was "
        "changed. Make the plan again."
    )
