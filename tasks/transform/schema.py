"""The door to mappings: load one, check one, and have it written as JSON or YAML.

Flows and the `provision mapping` commands call it. Reading, judging and writing are in the `schema_*` modules.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from tasks.model import BadInputError, TargetAttribute
from tasks.transform.document import Problem
from tasks.transform.mapping import AttributeMapping
from tasks.transform.schema_check import check_schema
from tasks.transform.schema_reader import read_schema


def load_mapping(
    path: Path, target: Mapping[str, TargetAttribute], source_attributes: Collection[str] | None = None
) -> AttributeMapping:
    """Load the mapping at `path`: JSON as Microsoft exports it, or YAML with the defaults left out.

    `target` is what accounts can have; `source_attributes` are the names that the directory can be read for, null for
    those that Microsoft Entra ID has. Attributes that the file's source directory declares are known as well.
    Raises `BadInputError` with every problem as `file:line: attribute: what is wrong and what to do`.
    """
    mapping, problems = check_schema(read_schema(path), target, source_attributes)
    if mapping is None:
        raise BadInputError("\n".join(str(problem) for problem in problems))
    return mapping


def check_mapping(
    path: Path, target: Mapping[str, TargetAttribute], source_attributes: Collection[str] | None = None
) -> list[Problem]:
    """Give every problem of the mapping at `path` in the order of the file; none when it can be loaded."""
    return check_schema(read_schema(path), target, source_attributes)[1]
