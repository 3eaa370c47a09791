"""Digests of wanted accounts: fixed bytes, fixed hash, and no two accounts alike."""

from __future__ import annotations

import uuid

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.reconcile.columns import new_ids
from tasks.reconcile.digest import digests, spell


def test_the_digest_is_the_same_everywhere_and_for_ever() -> None:
    keys = {"LoginName": pa.array(["ann", "zoë"]), "Department": pa.array([None, "sales"])}
    flows = {"LoginName": np.array([True, True]), "Department": np.array([True, False])}
    given_digests = digests(keys, flows, np.array([True, True])).to_pylist()
    assert spell(keys, flows).to_pylist() == ["Department~;LoginName=3:ann;", "LoginName=4:zoë;"]
    assert given_digests == ["1db43ae7c143fc6f3de21e7c43678e4c", "cadf7f1ebc0b691f24ca244010ee7f80"]


def test_people_who_are_not_wanted_have_no_digest() -> None:
    keys = {"LoginName": pa.array(["ann", "bob"])}
    flows = {"LoginName": np.array([True, True])}
    assert digests(keys, flows, np.array([False, True])).is_valid().to_pylist() == [False, True]


cells = st.one_of(st.none(), st.text(alphabet=";:=~a1", max_size=4))


@settings(deadline=None)
@given(st.tuples(cells, cells, st.booleans()), st.tuples(cells, cells, st.booleans()))
def test_two_accounts_are_spelled_alike_only_when_they_are_alike(
    one: tuple[str | None, str | None, bool], other: tuple[str | None, str | None, bool]
) -> None:
    keys = {
        "A": pa.array([one[0], other[0]], pa.string()),
        "B": pa.array([one[1], other[1]], pa.string()),
    }
    flows = {"A": np.array([True, True]), "B": np.array([one[2], other[2]])}
    first, second = spell(keys, flows).to_pylist()
    alike = one[0] == other[0] and one[2] == other[2] and (not one[2] or one[1] == other[1])
    assert (first == second) == alike


def test_new_ids_are_random_uuids() -> None:
    ids = new_ids(1000).to_pylist()
    assert len(set(ids)) == 1000
    assert {(uuid.UUID(one).version, uuid.UUID(one).variant) for one in ids} == {(4, uuid.RFC_4122)}
    assert [str(uuid.UUID(one)) for one in ids] == ids
    assert len(new_ids(0)) == 0
