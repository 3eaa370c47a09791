"""Makes a frame of people with every source attribute that the measured mappings read; values repeat as in life.

Seeded. Called by `measure` and the tests; the people exist nowhere.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa

from tasks.model import STRING, STRINGS

GIVEN = ("Ada", "Björk", "Chloé", "Dănuț", "Elif", "Guðrún", "Henrik", "Jürgen", "Łukasz", "Mary-Ann", "Peter", "Zoë")
FAMILY = ("Ahlström", "Byron", "Curie", "Dvořák", "Eriksen", "García", "Hopper", "İnönü", "Kowalski", "Lee", "Novák")
_CODES = "ATBEBRCACHCNCZDEDKEEESFIFRGBGRHRHUIEINISITJPKRLTLULVMXNLNONZPLPTRORSSESGSISKTRUAUSZA"
COUNTRIES = tuple(_CODES[place : place + 2] for place in range(0, len(_CODES), 2))
ROLES = ("Replicon.User", "Replicon.Supervisor", "Replicon.ProjectManager")


def people(count: int, seed: int = 1) -> pd.DataFrame:
    """Give `count` people: text columns (`STRING`) and `appRoleAssignments` (`STRINGS`); some values are null."""
    draw = np.random.default_rng(seed)
    number = np.arange(count).astype(str)

    def pick(values: Sequence[str], missing: float = 0.0) -> pa.Array:
        return pa.array(np.array(values)[draw.integers(0, len(values), count)], mask=draw.random(count) < missing)

    def numbered(prefix: str, suffix: str, missing: float = 0.0) -> pa.Array:
        joined = np.char.add(np.char.add(prefix, number), suffix)
        return pa.array(joined, mask=draw.random(count) < missing)

    def days(first: str, span: int, missing: float = 0.0) -> pa.Array:
        drawn = np.datetime64(first) + draw.integers(0, span, count)
        return pa.array(np.char.add(np.datetime_as_string(drawn), "T00:00:00Z"), mask=draw.random(count) < missing)

    given, family = pick(GIVEN), pick([name + tail for name in FAMILY for tail in ("", "-Smith", " Jr", "son")])
    phones = np.char.add(
        np.char.add("+47 (0)55 ", draw.integers(100, 999, count).astype(str)), np.char.add("-", number)
    )
    columns = {
        "userPrincipalName": numbered("user", "@corp.example"),
        "mail": numbered("user", "@mail.example", missing=0.1),
        "givenName": given,
        "surname": family,
        "displayName": pa.compute.binary_join_element_wise(given, family, " "),
        "employeeId": numbered("", ""),
        "department": pick([f"Department {place}" for place in range(200)], missing=0.05),
        "employeeType": pick(["Employee", "Contractor", "Intern"]),
        "officeLocation": pick([f"Office {place}" for place in range(60)], missing=0.1),
        "companyName": pick([f"Company {place}" for place in range(8)]),
        "country": pick(COUNTRIES, missing=0.02),
        "employeeHireDate": days("2005-01-01", 7_000, missing=0.02),
        "employeeLeaveDateTime": days("2024-01-01", 900, missing=0.9),
        "extensionAttribute1": pick([f"CC{place:04}" for place in range(500)]),
        "extensionAttribute2": pick(["Europe/Oslo", "Europe/Paris", "Asia/Tokyo", "America/New_York"]),
        "manager": pick([f"{place:08}-0000-4000-8000-000000000000" for place in range(20_000)], missing=0.01),
        "telephoneNumber": pa.array(phones, mask=draw.random(count) < 0.2),
        "IsSoftDeleted": pick(["False"] * 19 + ["True"]),
    }
    frame = pd.DataFrame({name: pd.Series(values, dtype=STRING) for name, values in columns.items()})
    frame["appRoleAssignments"] = pd.Series(pd.arrays.ArrowExtensionArray(_roles(count, draw)), dtype=STRINGS)
    return frame


def _roles(count: int, draw: np.random.Generator) -> pa.Array:
    """Give one role to most people and two to one in ten."""
    sizes = np.where(draw.random(count) < 0.1, 2, 1)
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
    picked = np.array(ROLES)[draw.choice(3, int(offsets[-1]), p=[0.8, 0.15, 0.05])]
    return pa.ListArray.from_arrays(pa.array(offsets), pa.array(picked))
