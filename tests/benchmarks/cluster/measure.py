"""Transforms people in parts on real workers, and says how long it took. Called by `__main__` and the test."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import pandas as pd
from distributed import Client

from tasks.connectors.replicon.attributes import TARGET_ATTRIBUTES
from tasks.model import BOOL, STRING, Accounts, Presence
from tasks.transform.accounts import to_accounts
from tasks.transform.parts import cut_people, together, transform_part
from tasks.transform.schema import load_mapping
from tests.benchmarks.mapping.people import people

MAPPING: Final = Path(__file__).parents[3] / "deployments" / "mappings" / "replicon.yaml"
NOW: Final = dt.datetime(2026, 3, 9, 12, 0, tzinfo=dt.UTC)


def assignments(count: int) -> pd.DataFrame:
    """Give an Assignments frame of `count` people, all entitled."""
    frame = people(count)
    return frame.assign(
        source_id=pd.Series([f"{number:08}-0000-4000-8000-000000000000" for number in range(count)], dtype=STRING),
        presence=pd.Series(Presence.PRESENT.value, index=frame.index, dtype=STRING),
        entitled=pd.Series(True, index=frame.index, dtype=BOOL),
        entitlement_reason=pd.Series("role User", index=frame.index, dtype=STRING),
    )


def part_done(part: str, digest: str) -> str:
    """Do what a worker does with a part: load the mapping, evaluate, write; give the path of the accounts."""
    return str(transform_part(Path(part), load_mapping(MAPPING, TARGET_ATTRIBUTES), digest, now=NOW))


def evaluated(client: Client, parts: Sequence[Path], digest: str, workers: Sequence[str]) -> tuple[float, list[Path]]:
    """Have these workers evaluate parts; give the seconds from handing out to the last path, and the paths."""
    began = time.perf_counter()
    futures = [client.submit(part_done, str(part), digest, workers=list(workers), pure=False) for part in parts]
    made = [Path(future.result()) for future in futures]
    return time.perf_counter() - began, made


def in_parts(
    client: Client, frame: pd.DataFrame, size: int, folder: Path, workers: Sequence[str]
) -> tuple[float, float, Accounts]:
    """Transform in parts; give the seconds that the workers took, those for cutting and joining, and the accounts."""
    mapping = load_mapping(MAPPING, TARGET_ATTRIBUTES)
    began = time.perf_counter()
    cut = cut_people(frame, None, size, folder)
    seconds, made = evaluated(client, cut, mapping.digest, workers)
    accounts = together(made, mapping)
    whole = time.perf_counter() - began
    for file in (*cut, *made):
        file.unlink()
    return seconds, whole - seconds, accounts


def in_one_piece(frame: pd.DataFrame) -> tuple[float, Accounts]:
    """Transform here, as a job without a cluster does; give the seconds that took, and the accounts."""
    mapping = load_mapping(MAPPING, TARGET_ATTRIBUTES)
    began = time.perf_counter()
    accounts = to_accounts(frame, mapping, now=NOW)
    return time.perf_counter() - began, accounts
