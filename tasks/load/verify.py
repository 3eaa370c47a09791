"""Reading back in bulk what was written: which accounts are not there, and which attributes are not as answered.

Runs in load's worker threads; touches neither the ledger nor other operations. `execute.py` calls it. The target may
answer with success and not make the change ("Common API error scenarios"), so that its answer alone proves nothing.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Sequence

import pandas as pd
import pyarrow as pa

from tasks.connectors.replicon.attributes import attribute
from tasks.connectors.replicon.users import RepliconUsers
from tasks.ledger.records import Value
from tasks.load.work import LOGIN_ENABLED, Item
from tasks.model import STRING, STRINGS, Operation, TargetAttribute


@dataclasses.dataclass(frozen=True)
class Finding:
    """What reading back found of one account."""

    there: bool
    differing: tuple[str, ...] = ()
    """Attributes that are not as they were written; those that cannot be read are not among them."""
    unread: str | None = None
    """Why it could not be read."""


def read_back(items: Sequence[Item], target: RepliconUsers) -> list[Finding]:
    """Give what the target now has of each item's account, in the items' order. Raises `RepliconError`."""
    uris = pd.Series([item.target_uri for item in items], dtype=STRING)
    found = target.read(uris).drop_duplicates("target_uri").set_index("target_uri")
    differing = _differing(items, found, target)
    withheld = target.withheld
    return [
        Finding(True, unread="the account that provisioning signs in with may not see it")
        if uri in withheld
        else Finding(uri in found.index, tuple(differing[place]))
        for place, uri in enumerate(uris.tolist())
    ]


def expected(item: Item) -> dict[str, Value]:
    """Give what the account should have, as far as it was written and not refused."""
    if item.done is Operation.DELETE:
        return {}
    wanted = {name: value for name, value in item.wrote.items() if name not in item.refused}
    if item.done is Operation.DISABLE:
        wanted[LOGIN_ENABLED] = "False"
    return wanted


def _differing(items: Sequence[Item], found: pd.DataFrame, target: RepliconUsers) -> dict[int, list[str]]:
    """Give, by the items' places, the attributes that differ; compared a column at a time."""
    wanted: dict[str, tuple[list[int], list[Value]]] = defaultdict(lambda: ([], []))
    rows = found.index.get_indexer(pd.Index([item.target_uri for item in items], dtype=STRING))
    for place, item in enumerate(items):
        if rows[place] >= 0:
            for name, value in expected(item).items():
                wanted[name][0].append(place)
                wanted[name][1].append(value)
    differing: dict[int, list[str]] = defaultdict(list)
    for name, (places, values) in wanted.items():
        described = attribute(name)
        if name not in found.columns or not described.readable:
            continue
        wished = target.canonical(name, pd.Series(values, dtype=STRINGS if described.multivalued else STRING))
        had = found[name].take(rows[places]).reset_index(drop=True)
        unequal = _keys(wished, described).ne(_keys(had, described)).tolist()
        for place, differs in zip(places, unequal, strict=True):
            if differs:
                differing[place].append(name)
    return differing


def _keys(values: pd.Series, described: TargetAttribute) -> pd.Series:
    """Give comparable texts: no value is the empty one, lists are joined, letter case aside where it does not count."""
    if not described.multivalued:
        texts = values.astype(STRING).fillna("")
        return texts if described.case_exact else texts.str.casefold()
    rows = pa.array(values.astype(STRINGS).array).to_pylist()
    same = str if described.case_exact else str.casefold
    return pd.Series(["\n".join(sorted({same(text) for text in row or ()})) for row in rows], dtype=STRING)
