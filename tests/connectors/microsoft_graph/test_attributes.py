"""Mapping names and Graph names: what is selected, and what the columns hold."""

from __future__ import annotations

import pytest

from tasks.connectors.microsoft_graph.attributes import Selection
from tasks.model import Presence


def values(attribute: str, *people: dict[str, object]) -> list[object]:
    identified = [{"id": str(number), **person} for number, person in enumerate(people)]
    return Selection.of([attribute]).table(identified, Presence.PRESENT)[attribute].to_pylist()


@pytest.mark.parametrize(
    ("attribute", "selected"),
    [
        ("department", "id,department"),
        ("objectId", "id"),
        ("mobile", "id,mobilePhone"),
        ("telephoneNumber", "id,businessPhones"),
        ("physicalDeliveryOfficeName", "id,officeLocation"),
        ("dirSyncEnabled", "id,onPremisesSyncEnabled"),
        ("extensionAttribute7", "id,onPremisesExtensionAttributes"),
        ("originalUserPrincipalName", "id,userPrincipalName"),
        ("extension_0123456789abcdef0123456789abcdef_Badge", "id,extension_0123456789abcdef0123456789abcdef_Badge"),
        ("manager", "id"),
        ("IsSoftDeleted", "id"),
        ("appRoleAssignments", "id"),
    ],
)
def test_an_attribute_selects_its_graph_property(attribute: str, selected: str) -> None:
    assert Selection.of([attribute]).select == selected


def test_only_what_is_needed_is_selected_and_each_property_once() -> None:
    wanted = [
        "extensionAttribute1",
        "extensionAttribute2",
        "objectId",
        "userPrincipalName",
        "originalUserPrincipalName",
    ]
    assert Selection.of(wanted).query == {"$select": "id,onPremisesExtensionAttributes,userPrincipalName"}


def test_the_manager_is_expanded() -> None:
    assert Selection.of(["manager"]).query["$expand"] == "manager($levels=1;$select=id)"


@pytest.mark.parametrize(
    ("attribute", "person", "value"),
    [
        ("department", {"department": "Sales"}, "Sales"),
        ("department", {"department": None}, None),
        ("department", {}, None),
        ("accountEnabled", {"accountEnabled": True}, "True"),
        ("accountEnabled", {"accountEnabled": False}, "False"),
        ("objectId", {}, "0"),
        ("mobile", {"mobilePhone": "1"}, "1"),
        ("telephoneNumber", {"businessPhones": ["1", "2"]}, "1"),
        ("telephoneNumber", {"businessPhones": []}, None),
        ("businessPhones", {"businessPhones": ["1", "2"]}, ["1", "2"]),
        ("proxyAddresses", {"proxyAddresses": []}, None),
        ("extensionAttribute7", {"onPremisesExtensionAttributes": {"extensionAttribute7": "x"}}, "x"),
        ("extensionAttribute7", {"onPremisesExtensionAttributes": None}, None),
        ("manager", {"manager": {"id": "m"}}, "m"),
        ("manager", {}, None),
        ("employeeNumber", {"employeeNumber": 7}, "7"),
        ("employeeOrgData", {"employeeOrgData": {"division": "D"}}, '{"division":"D"}'),
        ("userPrincipalName", {"userPrincipalName": "a_b_c.org#EXT#@x.org"}, "a_b@c.org"),
        ("userPrincipalName", {"userPrincipalName": "a_b@c.org"}, "a_b@c.org"),
        ("originalUserPrincipalName", {"userPrincipalName": "a_c.org#EXT#@x.org"}, "a_c.org#EXT#@x.org"),
    ],
)
def test_a_value_is_written_as_mappings_see_it(attribute: str, person: dict[str, object], value: object) -> None:
    assert values(attribute, person) == [value]


def test_columns_have_the_same_types_whatever_a_page_holds() -> None:
    selection = Selection.of(["accountEnabled", "otherMails", "department"])
    full = [{"id": "1", "accountEnabled": True, "otherMails": ["a"], "department": "x"}]
    assert selection.table([], Presence.PRESENT).schema == selection.table(full, Presence.PRESENT).schema
