"""The same results as the measured mappings, written by hand in Arrow as one would for these attributes alone.

Called by `measure`, which holds them against the engine's results.
"""

from __future__ import annotations

import datetime as dt
import unicodedata
from collections.abc import Callable, Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.transform.expressions.diacritics import PLAIN
from tests.benchmarks.mapping.mappings import GRADES, REGIONS

Columns = Mapping[str, pa.Array]
TRANSLATION = {ord(entry): plain for entry, plain in PLAIN.items() if len(entry) == 1}


def _not_deleted(columns: Columns) -> pa.Array:
    deleted = pc.fill_null(pc.equal(columns["IsSoftDeleted"], "True"), False)
    return pc.if_else(deleted, "False", "True")


def _address(columns: Columns) -> pa.Array:
    mail = columns["mail"]
    return pc.coalesce(pc.if_else(pc.equal(mail, ""), None, mail), columns["userPrincipalName"])


def _permission_sets(columns: Columns) -> pa.Array:
    roles = columns["appRoleAssignments"]
    short = pc.replace_substring(roles.flatten(), "Replicon.", "")
    named = pc.replace_substring(short, "ProjectManager", "Project Manager")
    return pa.ListArray.from_arrays(roles.offsets, named)


def default(columns: Columns, sources: Mapping[str, str]) -> dict[str, pa.Array]:
    """Give the default mapping's results; what is a plain attribute there is one here."""
    special: dict[str, Callable[[Columns], pa.Array]] = {
        "EmailAddress": _address,
        "LoginEnabled": _not_deleted,
        "PermissionSets": _permission_sets,
    }
    return {
        name: special[name](columns) if name in special else columns[source.strip("[]")]
        for name, source in sources.items()
    }


def _by_value(column: pa.Array, work: Callable[[str], str]) -> pa.Array:
    """Do Python's work once for each distinct value."""
    encoded = column.dictionary_encode()
    return pa.array([work(value) for value in encoded.dictionary.to_pylist()], pa.string()).take(encoded.indices)


def _region(columns: Columns) -> pa.Array:
    found = pc.index_in(columns["country"], value_set=pa.array(list(REGIONS)))
    return pa.array([*REGIONS.values(), "Elsewhere"]).take(pc.fill_null(found, len(REGIONS)))


def _grade(columns: Columns) -> pa.Array:
    found = pc.index_in(columns["employeeType"], value_set=pa.array(GRADES))
    names = [f"Grade {len(GRADES) - place}" for place in range(len(GRADES))]
    return pa.array([*names, "Unknown"]).take(pc.fill_null(found, len(GRADES)))


def _alias(columns: Columns) -> pa.Array:
    joined = pc.replace_substring(pc.binary_join_element_wise(columns["givenName"], columns["surname"], "."), " ", "")
    return pc.utf8_lower(_by_value(joined, lambda name: unicodedata.normalize("NFC", name).translate(TRANSLATION)))


def _tenure(columns: Columns, now: dt.datetime) -> pa.Array:
    year = pc.utf8_slice_codeunits(columns["employeeHireDate"], 0, 4).cast(pa.int32())
    return pc.if_else(pc.fill_null(pc.less_equal(year, now.year - 10), False), "senior", "junior")


def _hired(value: str) -> str:
    return f"{value[8:10]}.{value[5:7]}.{value[:4]}"


def _present(columns: Columns, *names: str, separator: str) -> pa.Array:
    return pc.binary_join_element_wise(*(columns[name] for name in names), separator, null_handling="skip")


def heavy(columns: Columns, now: dt.datetime) -> dict[str, pa.Array]:
    """Give the heavy mapping's results."""
    phone = columns["telephoneNumber"]
    surname = {**columns, "surname": pc.utf8_upper(columns["surname"])}
    code = pc.utf8_slice_codeunits(columns["extensionAttribute1"], 0, 4)
    return {
        "Region": _region(columns),
        "Grade": _grade(columns),
        "Phone": pc.replace_substring_regex(phone, r"[()\s-]+", ""),
        "Extension": pc.replace_substring_regex(phone, r"^\+(\d+) (.*)$", r"\2"),
        "Alias": _alias(columns),
        "Hired": _by_value(columns["employeeHireDate"], _hired),
        "Tenure": _tenure(columns, now),
        "Name": _present(surname, "surname", "givenName", "department", separator=", "),
        "Parts": pc.split_pattern(_present(columns, "department", "officeLocation", "companyName", separator=";"), ";"),
        "Account": pc.binary_join_element_wise(pc.utf8_slice_codeunits(columns["userPrincipalName"], 0, 12), code, ""),
    }


def equal(one: pa.Array, other: pa.Array) -> bool:
    """Tell whether two results are the same, value for value."""
    if isinstance(one.type, pa.ListType):
        lengths = [np.asarray(pc.fill_null(pc.list_value_length(values), -1)) for values in (one, other)]
        return bool((lengths[0] == lengths[1]).all()) and one.flatten().equals(other.flatten())
    return bool(one.equals(other))
