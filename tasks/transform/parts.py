"""Transforming in parts: people cut by key range into files, each part evaluated by itself, the results put together.

Every person is judged by their own row alone, SelectUniqueValue too, which asks the target and not the frame; so parts
give what the whole gives. The flows hand the parts out. Files are in Arrow's own format, which costs least; they hold
personal data.
"""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.feather as feather

from tasks.model import Accounts, BadInputError
from tasks.transform.accounts import Taken, to_accounts
from tasks.transform.mapping import AttributeMapping

_LINKED: Final = "is_linked"
_PLACE: Final = "place"
"""Where a person stands in the whole frame."""
_FRAMES: Final = ("people", "values", "flows", "on_create", "flows_on_create")


def cut_people(assignments: pd.DataFrame, linked: pd.Series | None, size: int, folder: Path) -> list[Path]:
    """Write `assignments` (`ASSIGNMENT_COLUMNS` and source attributes) as files of up to `size` people each; give them.

    Each holds a range of source ids. `linked` are source ids, as for `to_accounts`.
    """
    table = pa.table({str(name): pa.chunked_array(pa.array(assignments[name].array)) for name in assignments.columns})
    known = assignments["source_id"].isin([] if linked is None else linked).to_numpy(dtype=bool)
    table = table.append_column(_LINKED, pa.array(known)).append_column(_PLACE, pa.array(np.arange(len(assignments))))
    order = pc.sort_indices(table["source_id"])
    paths: list[Path] = []
    for start in range(0, len(table), size):
        paths.append(folder / f"people-{len(paths):05}.arrow")
        feather.write_feather(table.take(order.slice(start, size)), paths[-1], compression="lz4")
    return paths


def transform_part(
    part: Path,
    mapping: AttributeMapping,
    mapping_digest: str,
    *,
    now: dt.datetime,
    default_domain: str | None = None,
    taken: Taken | None = None,
) -> Path:
    """Evaluate the people in the file `part`; give the path of the file with their accounts. See `to_accounts`.

    Raises `BadInputError` when `mapping` is not the one that the cycle was started with, by its `mapping_digest`.
    """
    if mapping.digest != mapping_digest:
        raise BadInputError(
            f"{mapping.file}: this worker sees another mapping than the machine that runs the cycle, so nothing was "
            "done. Put the same files of the job on all machines, and run the job again."
        )
    people = feather.read_table(part).to_pandas(types_mapper=pd.ArrowDtype)
    linked = people.loc[people.pop(_LINKED).to_numpy(dtype=bool), "source_id"]
    places = people.pop(_PLACE)
    accounts = to_accounts(people, mapping, now=now, default_domain=default_domain, taken=taken, linked=linked)
    frames = {name: getattr(accounts, name) for name in _FRAMES}
    columns = {f"{frame}.{name}": made[name] for frame, made in frames.items() for name in made.columns}
    # A name of its own: a worker that was taken for dead may still be at the same part.
    made = part.with_name(f"accounts-{uuid.uuid4().hex}.arrow")
    table = pa.table({_PLACE: pa.array(places.array), **{name: pa.array(one.array) for name, one in columns.items()}})
    feather.write_feather(table, made, compression="lz4")
    return made


def together(parts: Sequence[Path], mapping: AttributeMapping) -> Accounts:
    """Give the accounts in the files `parts`, everybody where they stood in the frame that was cut."""
    # In one chunk first: taking from many is many times as slow.
    table = pa.concat_tables(feather.read_table(part) for part in parts).combine_chunks()
    table = table.take(pc.sort_indices(table[_PLACE]))
    return Accounts(
        **{name: _frame(table, name) for name in _FRAMES},
        mapping_digest=mapping.digest,
        add_only=mapping.add_only,
    )


def _frame(table: pa.Table, name: str) -> pd.DataFrame:
    names = [column for column in table.column_names if column.startswith(f"{name}.")]
    chosen = table.select(names).rename_columns([column.removeprefix(f"{name}.") for column in names])
    return chosen.to_pandas(types_mapper=pd.ArrowDtype)
