"""Attribute by attribute, what an account has and what it should have: only what differs becomes a change.

`plan` calls it for whole columns. Which accounts belong to whom is decided in `matching`.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.json as pj

from tasks.model import CHANGE_COLUMNS, INT, TargetAttribute, empty_frame
from tasks.reconcile.columns import (
    Mask,
    Places,
    array_of,
    differ,
    key_of,
    nulls,
    series_of,
    table_of,
    take,
    text_of,
    united,
)
from tasks.reconcile.digest import hashed, total
from tasks.reconcile.fingerprint import Lanes
from tasks.reconcile.references import Resolved
from tasks.reconcile.standing import LOGIN_ENABLED
from tasks.reconcile.wanted import Present, Wanted

Canonical = Callable[[str, pd.Series], pd.Series]
"""Gives an attribute's wished values as the target would give them back."""
DIFFERENCE_COLUMNS = {"person": INT} | {name: CHANGE_COLUMNS[name] for name in ("attribute", "before", "after")}
"""Differences: one row an attribute that is to be written; `person` is the row in `Accounts.people`."""


def differences(
    wanted: Wanted,
    people: Places,
    present: Present,
    accounts: Places,
    written: pa.Array,
    resolved: Mapping[str, Resolved],
    canonical: Canonical,
) -> pd.DataFrame:
    """Give what differs (`DIFFERENCE_COLUMNS`) between people and their accounts, pair by pair.

    `people` are rows of `wanted`, `accounts` the rows of `present` beside them; `written` holds what was last written
    to each account (JSON objects), which stands for attributes that the target does not give back. `canonical` gives
    wished values as the target would give them back; it is asked only for those that seem to differ.
    """
    blind = {name: attribute for name, attribute in wanted.attributes.items() if not present.has(name)}
    known = remembered(written, blind) if blind else {}
    unlike = ~_alike(wanted, people, present, accounts, resolved)
    suspects, theirs = people[unlike], accounts[unlike]
    parts = []
    for name, attribute in wanted.attributes.items():
        if name in known:
            who, before = people, known[name]
        else:
            covered = attribute.readable
            who, before = (suspects if covered else people), present.values(name, theirs if covered else accounts)
        if name in resolved:
            parts.append(_moved(name, resolved[name], who, before))
        else:
            parts.append(_differing(wanted, name, who, before, None if name in known else canonical))
    return _stacked(parts)


def _alike(
    wanted: Wanted, people: Places, present: Present, accounts: Places, resolved: Mapping[str, Resolved]
) -> Mask:
    """Mark people whose account holds every readable value that flows, by 128-bit hashes of whole accounts.

    Accounts are hashed in their own order and only the sums are brought beside the people: fetching every value from
    its place would cost several times as much. Of a small part of the accounts nobody is marked, and each value is
    compared; so it is where the target does not give back what it should.
    """
    names = [name for name, attribute in wanted.attributes.items() if attribute.readable]
    few = 2 * len(people) < len(present.uri)
    if few or not len(people) or not all(present.has(name) for name in names):
        return np.zeros(len(people), bool)
    owner = np.zeros(len(present.uri), np.int64)
    owner[accounts] = people

    def parts() -> Iterator[tuple[Lanes, Mask]]:
        for name in names:
            reference = resolved.get(name)
            attribute = None if reference else wanted.attributes[name]
            flows = reference.flows if reference else wanted.flows(name)
            yield hashed(name, present.column(name), attribute), flows if flows.all() else flows[owner]

    theirs, mine = total(parts(), len(owner)), wanted.readable_sums(resolved)
    alike = accounts >= 0
    for left, right in zip(mine, theirs, strict=True):
        alike &= left[people] == right[accounts]
    return alike


def creations(wanted: Wanted, people: Places, resolved: Mapping[str, Resolved]) -> pd.DataFrame:
    """Give what the new accounts of `people` are created with (`DIFFERENCE_COLUMNS`, nothing before)."""
    parts = []
    for name in wanted.attributes:
        after = take(resolved[name].uri, people) if name in resolved else wanted.text(name, people, creating=True)
        flows = resolved[name].flows if name in resolved else wanted.flows(name, creating=True)
        given = flows[people] & after.is_valid().to_numpy(zero_copy_only=False)
        parts.append(_rows(people, name, nulls(len(people)), after, given))
    return _stacked(parts)


def login_taken(people: Places, present: Present, accounts: Places) -> pd.DataFrame:
    """Give the one change of a disable for `people` (`DIFFERENCE_COLUMNS`); none where the login is taken already."""
    before = present.values(LOGIN_ENABLED, accounts) if present.has(LOGIN_ENABLED) else nulls(len(people))
    enabled = pc.fill_null(pc.not_equal(pc.utf8_lower(before), "false"), True).to_numpy(zero_copy_only=False)
    return _stacked([_rows(people, LOGIN_ENABLED, before, pa.array(["False"] * len(people), pa.string()), enabled)])


def _moved(name: str, reference: Resolved, people: Places, before: pa.Array) -> pa.Table:
    after = take(reference.uri, people)
    return _rows(people, name, before, after, reference.flows[people] & differ(before, after))


def _differing(wanted: Wanted, name: str, people: Places, before: pa.Array, canonical: Canonical | None) -> pa.Table:
    attribute, add_only = wanted.attributes[name], name in wanted.add_only
    suspects = _suspects(wanted, name, people, before)
    people, before = people[suspects], before.filter(pa.array(suspects))
    after = take(wanted.values(name), people)
    if canonical is not None and len(people):
        after = array_of(canonical(name, series_of(after)))
    shown, text = text_of(before, attribute), text_of(after, attribute)
    if add_only:
        text = united(shown, text, fold=not attribute.case_exact)
        still = differ(pc.fill_null(shown, "[]"), text)
    else:
        still = differ(key_of(before, attribute), key_of(after, attribute))
        text = wanted.text(name, people)
    return _rows(people, name, shown, text, still)


def _suspects(wanted: Wanted, name: str, people: Places, before: pa.Array) -> Mask:
    """Tell for whom the attribute flows and seems to differ from what is there."""
    seems = differ(key_of(before, wanted.attributes[name]), wanted.key(name, people))
    return wanted.flows(name)[people] & seems


def _rows(people: Places, name: str, before: pa.Array, after: pa.Array, where: Mask) -> pa.Table:
    keep = pa.array(where)
    count = int(np.count_nonzero(where))
    columns = [pa.array(people[where]), pa.array([name] * count, pa.string()), before.filter(keep), after.filter(keep)]
    return pa.table(columns, names=list(DIFFERENCE_COLUMNS))


def _stacked(parts: Iterable[pa.Table]) -> pd.DataFrame:
    """Put the attributes of each person together, in the order in which the mapping has them."""
    tables = list(parts)
    if not tables:
        return empty_frame(DIFFERENCE_COLUMNS)
    whole = pa.concat_tables(tables)
    order = np.argsort(whole.column("person").to_numpy(), kind="stable")
    return table_of({name: whole.column(name).take(pa.array(order)) for name in DIFFERENCE_COLUMNS})


def remembered(written: pa.Array, attributes: Mapping[str, TargetAttribute]) -> dict[str, pa.Array]:
    """Read the given attributes out of JSON objects, one a row; null where a row does not have one."""
    if not len(written):
        return {name: pa.array([], _type_of(attribute)) for name, attribute in attributes.items()}
    lines = pc.binary_join(pa.ListArray.from_arrays([0, len(written)], pc.fill_null(written, "{}")), "\n")
    options = pj.ParseOptions(
        explicit_schema=pa.schema([(name, _type_of(attribute)) for name, attribute in attributes.items()]),
        unexpected_field_behavior="ignore",
    )
    read = pj.read_json(io.BytesIO(lines[0].as_buffer()), parse_options=options)
    return {name: read.column(name).combine_chunks() for name in attributes}


def _type_of(attribute: TargetAttribute) -> pa.DataType:
    return pa.list_(pa.string()) if attribute.multivalued else pa.string()
