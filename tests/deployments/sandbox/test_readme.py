"""The sandbox's README names everything there is to call, to set and to switch."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest

import deployments.sandbox
from deployments.sandbox.faults import FaultKind, FaultRule
from deployments.sandbox.replicon import RepliconService
from deployments.sandbox.replicon_catalog import GroupKind
from deployments.sandbox.replicon_settings import RepliconSettings
from deployments.sandbox.replicon_state import RepliconState

TEXT = (Path(deployments.sandbox.__file__).parent / "README.md").read_text(encoding="utf-8")
GROUP_SERVICES = {kind.service for kind in GroupKind}
ALIKE = {"GetAllCustomFieldDropDownOptions", "GetEnabledCustomFieldDropDownOptions"}
OPERATIONS = sorted(
    name
    for name in RepliconService(RepliconState(), "acme").operations
    if name.partition(".")[0] not in GROUP_SERVICES and name.partition(".")[2] not in ALIKE
)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_is_in_the_row_of_its_service(operation: str) -> None:
    service, _, name = operation.partition(".")
    row = next(line for line in TEXT.splitlines() if line.startswith("|") and service in line.split("|")[1])
    assert re.search(rf"\b{name}\b", row)


@pytest.mark.parametrize("setting", [field.name for field in dataclasses.fields(RepliconSettings)])
def test_every_setting_is_described(setting: str) -> None:
    assert re.search(rf"^\| .*`{setting}`.* \|.*\|.*\|$", TEXT, re.MULTILINE)


@pytest.mark.parametrize("kind", list(FaultKind))
def test_every_kind_of_fault_is_described(kind: FaultKind) -> None:
    assert f"| `{kind}` |" in TEXT


@pytest.mark.parametrize("parameter", sorted(set(FaultRule.model_fields) - {"kind", "endpoint"}))
def test_every_parameter_of_a_fault_is_named(parameter: str) -> None:
    assert f"`{parameter}`" in TEXT
