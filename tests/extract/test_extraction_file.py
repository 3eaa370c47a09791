"""A read that is kept and taken up again leaves the ledger with what it would have left at once."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from deployments.sandbox.sandbox import Sandbox
from tasks.extract.extraction_file import load_read, save_read
from tasks.model import CycleKind, Extraction, SourceUpdate
from tests.extract.rig import Rig

FRAMES = ("people", "members", "grants", "roles", "members_gone")


@pytest.fixture
def rig(small: Sandbox, tmp_path: Path) -> Rig:
    return Rig(small, tmp_path)


def same(left: pd.DataFrame | None, right: pd.DataFrame | None) -> bool:
    if left is None or right is None:
        return left is right
    pd.testing.assert_frame_equal(left.reset_index(drop=True), right)
    return True


def facts(update: SourceUpdate | None) -> tuple[object, ...]:
    assert update is not None
    return (update.whole, update.default_domain, update.people_gone, update.grants_gone, update.touched)


def kept(extraction: Extraction, folder: Path) -> Extraction:
    folder.mkdir()
    save_read(extraction, folder)
    return load_read(folder)


@pytest.mark.parametrize("kind", [CycleKind.INITIAL, CycleKind.INCREMENTAL])
def test_a_read_is_taken_up_as_it_was_kept(rig: Rig, tmp_path: Path, kind: CycleKind) -> None:
    rig.cycle(CycleKind.INITIAL)
    rig.sandbox.month_passes(share=0.3)
    read = rig.read(kind)
    found = kept(read, tmp_path / "kept")
    assert (found.manifest, found.whole, found.default_domain) == (read.manifest, read.whole, read.default_domain)
    assert found.watermark == json.loads(json.dumps(dict(read.watermark)))
    assert facts(found.update) == facts(read.update)
    assert all(same(getattr(read.update, name), getattr(found.update, name)) for name in FRAMES)


def test_what_is_damaged_is_refused(rig: Rig, tmp_path: Path) -> None:
    kept(rig.read(CycleKind.INITIAL), tmp_path / "kept")
    (tmp_path / "kept" / "people.parquet").write_bytes(b"PAR1")
    with pytest.raises((OSError, ValueError)):
        load_read(tmp_path / "kept")
