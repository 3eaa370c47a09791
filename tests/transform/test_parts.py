"""People transformed in parts become what they become in one piece, however many parts there are."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tasks.model import Accounts, BadInputError, Presence
from tasks.transform.accounts import to_accounts
from tasks.transform.mapping import AttributeMapping
from tasks.transform.parts import cut_people, together, transform_part
from tests.transform.cases import NOW, entry, group_text, load, mapping_text, people, scope_text

ATTRIBUTES = entry("EmployeeId", """'SelectUniqueValue([mailNickname], Append([mailNickname], "2"))'""") + entry(
    "FirstName", "'IIF([givenName]=\"\", IgnoreObjectFlow, ToUpper([givenName]))'", "defaultValue: Nobody"
)
LISTS = "- {targetAttributeName: PermissionSets, source: '[appRoleAssignments]'}\n"
TEXT = mapping_text(
    ATTRIBUTES + LISTS, scope=scope_text(group_text("employeeType", "EQUALS", "Employee", name="Staff"))
)

a_person = st.fixed_dictionaries(
    {
        "employeeType": st.sampled_from(["Employee", "Guest", None]),
        "mailNickname": st.sampled_from(["ada", "bob", "", None]),
        "givenName": st.sampled_from(["Ada", "", None, "x" * 60]),
        "appRoleAssignments": st.sampled_from([["User"], ["User", "Supervisor"], None]),
        "presence": st.sampled_from([presence.value for presence in Presence]),
        "entitled": st.booleans(),
    }
)


def taken(_attribute: str, values: pa.Array) -> pa.Array:
    """Tell that one name is taken."""
    return pc.equal(values, "ada")


def in_parts(frame: pd.DataFrame, mapping: AttributeMapping, linked: pd.Series, size: int, folder: Path) -> Accounts:
    """Transform in parts of `size` people."""
    cut = cut_people(frame, linked, size, folder)
    assert len(cut) == -(-len(frame) // size)
    return together([transform_part(part, mapping, mapping.digest, now=NOW, taken=taken) for part in cut], mapping)


@pytest.fixture(scope="module")
def mapping(tmp_path_factory: pytest.TempPathFactory) -> AttributeMapping:
    return load(tmp_path_factory.mktemp("mapping"), TEXT)


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(a_person, min_size=1, max_size=12), size=st.integers(1, 13), data=st.data())
def test_parts_of_any_size_give_what_the_whole_gives(
    mapping: AttributeMapping, rows: list[dict[str, Any]], size: int, data: st.DataObject
) -> None:
    rows[0] |= {"appRoleAssignments": ["User"]}
    frame = people(*rows)
    frame = frame.iloc[data.draw(st.permutations(range(len(frame))))].reset_index(drop=True)
    linked = frame["source_id"].head(data.draw(st.integers(0, len(frame))))
    whole = to_accounts(frame, mapping, now=NOW, taken=taken, linked=linked)

    with tempfile.TemporaryDirectory() as folder:
        parts = in_parts(frame, mapping, linked, size, Path(folder))

    for name in ("people", "values", "flows", "on_create", "flows_on_create"):
        pd.testing.assert_frame_equal(getattr(parts, name), getattr(whole, name))
    assert (parts.mapping_digest, parts.add_only) == (whole.mapping_digest, whole.add_only)


def test_parts_are_ranges_of_keys(tmp_path: Path) -> None:
    frame = people(*[{} for _ in range(7)]).iloc[::-1].reset_index(drop=True)
    ids = [pd.read_feather(part)["source_id"].tolist() for part in cut_people(frame, None, 3, tmp_path)]
    assert ids == [["id-0", "id-1", "id-2"], ["id-3", "id-4", "id-5"], ["id-6"]]


def test_a_worker_with_another_mapping_does_nothing(mapping: AttributeMapping, tmp_path: Path) -> None:
    (part,) = cut_people(people({"appRoleAssignments": ["User"]}), None, 5, tmp_path)
    with pytest.raises(BadInputError, match="another mapping"):
        transform_part(part, mapping, "another digest", now=NOW)
    assert [file.name for file in tmp_path.iterdir()] == [part.name]
