"""Mappings and people for the tests of the transform: short texts in, loaded mappings and frames out."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import pandas as pd

from tasks.connectors.replicon.attributes import TARGET_ATTRIBUTES
from tasks.model import ASSIGNMENT_COLUMNS, STRING, STRINGS, Accounts, Presence
from tasks.transform.accounts import to_accounts
from tasks.transform.document import Problem
from tasks.transform.mapping import AttributeMapping
from tasks.transform.schema import check_mapping, load_mapping

FIXTURES: Final = Path(__file__).parent / "fixtures"
DEFAULT_MAPPING: Final = Path(__file__).parents[2] / "deployments" / "mappings" / "replicon.yaml"
NOW: Final = dt.datetime(2026, 3, 9, 12, 0, tzinfo=dt.UTC)

LOGIN: Final = """\
          - targetAttributeName: LoginName
            source: '[userPrincipalName]'
            matchingPriority: 1
          - targetAttributeName: LoginEnabled
            source: Not([IsSoftDeleted])
"""
HEAD: Final = """\
synchronizationRules:
  - objectMappings:
"""


def mapping_text(attributes: str = "", *, scope: str = "", head: str = HEAD, login: str = LOGIN) -> str:
    """Give a mapping as YAML: the login, the scope's lines, and further attributes, indented as they have to be."""
    return f"{head}      - enabled: true\n{scope}        attributeMappings:\n{login}{_indented(attributes, 10)}"


def scope_text(groups: str, key: str = "groups") -> str:
    """Give the scope's lines for groups written as YAML without indentation."""
    return f"        scope:\n          {key}:\n{_indented(groups, 12)}"


def group_text(attribute: str, operator: str, *values: str, name: str = "Staff") -> str:
    """Give a filter group of one clause, without indentation; the clause stands on its third line."""
    wanted = f"{{values: [{', '.join(values)}]}}"
    clause = f"{{sourceOperandName: {attribute}, operatorName: {operator}, targetOperand: {wanted}}}"
    return f"- name: {name}\n  clauses:\n    - {clause}"


def entry(name: str, source: str, *lines: str) -> str:
    """Give one attribute's mapping, without indentation; `lines` are its further keys."""
    return "\n  ".join([f"- targetAttributeName: {name}", f"source: {source}", *lines]) + "\n"


def _indented(text: str, spaces: int) -> str:
    lines = text.strip("\n").splitlines()
    return "".join(f"{' ' * spaces}{line}\n" for line in lines)


def load(folder: Path, text: str) -> AttributeMapping:
    """Write `text` as a mapping file and load it."""
    return load_mapping(written(folder, text), TARGET_ATTRIBUTES)


def problems(folder: Path, text: str) -> list[Problem]:
    """Write `text` as a mapping file and give what is wrong with it."""
    return check_mapping(written(folder, text), TARGET_ATTRIBUTES)


def written(folder: Path, text: str, name: str = "mapping.yaml") -> Path:
    """Write `text` to a file."""
    file = folder / name
    file.write_text(text, encoding="utf-8")
    return file


def people(*rows: Mapping[str, Any]) -> pd.DataFrame:
    """Give an Assignments frame: a row a person, entitled and present unless it says otherwise."""
    usual = {"presence": Presence.PRESENT.value, "entitled": True, "entitlement_reason": "role User"}
    filled = [
        {"source_id": f"id-{number}", "userPrincipalName": f"p{number}@acme.test", **usual, **row}
        for number, row in enumerate(rows)
    ]
    names = list(dict.fromkeys(name for row in filled for name in row))
    return pd.DataFrame({name: _column(name, [row.get(name) for row in filled]) for name in names})


def _column(name: str, values: Sequence[Any]) -> pd.Series:
    if name in ASSIGNMENT_COLUMNS:
        return pd.Series(values, dtype=ASSIGNMENT_COLUMNS[name])
    return pd.Series(values, dtype=STRINGS if any(isinstance(value, list) for value in values) else STRING)


def accounts(mapping: AttributeMapping, *rows: Mapping[str, Any]) -> Accounts:
    """Give the accounts of the people that `rows` describe."""
    return to_accounts(people(*rows), mapping, now=NOW)


def values_of(frame: pd.DataFrame, column: str) -> list[Any]:
    """Give a column as plain values, null as None."""
    return [None if value is pd.NA else value for value in frame[column].array.tolist()]
