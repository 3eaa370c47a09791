"""The benchmark compares like with like: parts on a worker give what one piece gives."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
from distributed import Client

from tests.benchmarks.cluster.measure import assignments, in_one_piece, in_parts


def test_parts_on_a_worker_give_what_one_piece_gives(tmp_path: Path) -> None:
    frame = assignments(2_000)
    options = {"n_workers": 1, "threads_per_worker": 1, "processes": False, "dashboard_address": None}
    with Client(set_as_default=False, **options) as client:
        workers = list(client.scheduler_info()["workers"])
        took, around, accounts = in_parts(client, frame, 300, tmp_path, workers)
    whole, expected = in_one_piece(frame)
    assert min(took, around, whole) > 0
    pd.testing.assert_frame_equal(accounts.values, expected.values)
