"""Digests of wanted accounts: fixed bytes, fixed hash, and no two accounts alike."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.connectors.replicon.attributes import TARGET_ATTRIBUTES
from tasks.reconcile.columns import Mask, new_ids
from tasks.reconcile.digest import digests, hashed, spell, total

TABLE = {name: TARGET_ATTRIBUTES[name] for name in ("LoginName", "Department", "StartDate", "PermissionSets")}


def digests_of(columns: Mapping[str, pa.Array], flows: Mapping[str, Mask] | None = None) -> list[str | None]:
    """Give the digest of each row of `columns`, all of which flow unless `flows` says otherwise."""
    count = len(next(iter(columns.values())))
    everywhere = np.ones(count, bool)
    parts = (
        (hashed(name, column, TABLE[name]), (flows or {}).get(name, everywhere)) for name, column in columns.items()
    )
    given_digests: list[str | None] = digests(total(parts, count), everywhere).to_pylist()
    return given_digests


def test_the_digest_is_the_same_everywhere_and_for_ever() -> None:
    columns = {"LoginName": pa.array(["ann", "zoë"]), "Department": pa.array([None, "sales"])}
    flows = {"Department": np.array([True, False])}
    assert digests_of(columns, flows) == [
        "2:1dd5c567a38797552c181fbd996d729a",
        "2:eb548dc36f7c3671c9953881d898c202",
    ]


def test_people_who_are_not_wanted_have_no_digest() -> None:
    sums = total([(hashed("LoginName", pa.array(["ann", "bob"]), TABLE["LoginName"]), np.array([True, True]))], 2)
    assert digests(sums, np.array([False, True])).is_valid().to_pylist() == [False, True]


def test_what_does_not_flow_does_not_count() -> None:
    names = pa.array(["ann", "ann"])
    with_department = {"LoginName": names, "Department": pa.array(["sales", "tax"])}
    nowhere = {"Department": np.array([False, False])}
    assert digests_of(with_department, nowhere) == digests_of({"LoginName": names})


def test_values_that_the_target_holds_equal_have_one_digest() -> None:
    first, second = digests_of(
        {
            "LoginName": pa.array(["Ann@Acme.test", "ann@acme.test"]),
            "StartDate": pa.array(["2026-03-09T00:00:00Z", "2026-03-09"]),
            "PermissionSets": pa.array([["User", "Payroll"], ["Payroll", "User", "User"]]),
        }
    )
    assert first == second


def test_a_value_counts_for_its_own_attribute_only() -> None:
    texts = {"LoginName": pa.array(["a", "b"]), "Department": pa.array(["b", "a"])}
    first, second = digests_of(texts)
    assert first != second


@settings(deadline=None, max_examples=20)
@given(st.lists(st.one_of(st.none(), st.sampled_from(["", "A", "a", "sales", "Sales", "é", "É"])), min_size=1))
def test_few_values_that_repeat_are_hashed_like_many_that_do_not(some: list[str | None]) -> None:
    many = (some * 4_096)[:4_096]
    coded = hashed("Department", pa.array(many, pa.string()), TABLE["Department"])
    plain = hashed("Department", pa.array(some, pa.string()), TABLE["Department"])
    assert [lane[: len(some)].tolist() for lane in coded] == [lane[:4_096].tolist() for lane in plain]


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
