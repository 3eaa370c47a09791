"""What a read leaves to its cycle's end, kept in a folder: the manifest, the watermark and what the ledger remembers.

Who is assigned is not kept: it is in the plan by then. `flows/resume.py` keeps and takes up what belongs to a cycle.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from tasks.model import ASSIGNMENT_COLUMNS, Extraction, Manifest, SourceUpdate, empty_frame

_HEAD: Final = "read.json"
_FRAMES: Final = ("people", "members", "grants", "roles", "members_gone")
_LISTS: Final = ("people_gone", "grants_gone", "touched")


def save_read(extraction: Extraction, folder: Path) -> None:
    """Write everything of a read but its assignments into `folder`. Raises `OSError` when the disk does not take it."""
    update = extraction.update
    head: dict[str, Any] = {
        "manifest": extraction.manifest.as_dict(),
        "watermark": dict(extraction.watermark),
        "default_domain": extraction.default_domain,
        "whole": extraction.whole,
        "update": None if update is None else _said(update),
    }
    for name, frame in _frames(update).items():
        # Whole columns: a directory of a million takes seconds.
        pq.write_table(
            pa.Table.from_pandas(frame, preserve_index=False), folder / f"{name}.parquet", compression="zstd"
        )
    (folder / _HEAD).write_text(json.dumps(head), encoding="utf-8")


def load_read(folder: Path) -> Extraction:
    """Give the read in `folder`, without assignments.

    Raises `OSError`, `ValueError`, `KeyError` or `TypeError` when it is not there or not whole.
    """
    head = json.loads((folder / _HEAD).read_text(encoding="utf-8"))
    return Extraction(
        assignments=empty_frame(ASSIGNMENT_COLUMNS),
        manifest=Manifest.from_dict(head["manifest"]),
        watermark=head["watermark"],
        default_domain=head["default_domain"],
        whole=head["whole"],
        update=None if head["update"] is None else _update(head["update"], folder),
    )


def _said(update: SourceUpdate) -> dict[str, Any]:
    """Give of a change of what is remembered everything but its frames, as JSON-ready values."""
    lists = {name: list(getattr(update, name)) for name in _LISTS}
    return {"whole": update.whole, "default_domain": update.default_domain, **lists, "frames": sorted(_frames(update))}


def _frames(update: SourceUpdate | None) -> dict[str, pd.DataFrame]:
    if update is None:
        return {}
    return {name: frame for name in _FRAMES if (frame := getattr(update, name)) is not None}


def _update(said: Mapping[str, Any], folder: Path) -> SourceUpdate:
    frames = {
        name: pq.read_table(folder / f"{name}.parquet").to_pandas(types_mapper=pd.ArrowDtype) for name in said["frames"]
    }
    lists = {name: tuple(said[name]) for name in _LISTS}
    known = {field.name for field in dataclasses.fields(SourceUpdate)}
    values = {name: value for name, value in said.items() if name in known}
    return SourceUpdate(**{**values, **lists, **frames})
