"""The table of error codes covers what this program says and what Microsoft documents."""

from __future__ import annotations

import pytest

from tasks.connectors.replicon.errors import TRAITS
from tasks.reconcile import approval, findings, grace, guards, matching, plan, protection
from tasks.report.remedies import REMEDIES, Category, remedy_of

OURS = [
    *(traits.error_code for traits in TRAITS.values()),
    findings.SKIPPED,
    findings.MAPPING_FAILED,
    findings.VANISHED,
    findings.WITHHELD,
    guards.TOO_MANY_DELETES,
    guards.INCOMPLETE_READ,
    protection.PROTECTED,
    protection.PROTECTED_RIGHT,
    guards.TOO_MANY_CHANGES,
    guards.STOPPED,
    grace.GRACE_PERIOD,
    findings.DRIFT_ADOPTED,
    plan.HELD_BY_JOB,
    approval.NOT_APPROVED,
    approval.NOT_IN_PLAN,
    matching.DUPLICATE_SOURCE,
    matching.DUPLICATE_TARGET,
    matching.NO_MATCHING_VALUE,
]


@pytest.mark.parametrize("code", sorted(set(OURS)))
def test_every_code_that_we_give_has_a_remedy(code: str) -> None:
    assert code in REMEDIES


def test_every_remedy_is_a_sentence() -> None:
    for code, remedy in REMEDIES.items():
        assert remedy.meaning.endswith("."), code
        assert remedy.action.endswith("."), code


def test_a_product_name_before_a_code_is_seen_through() -> None:
    assert remedy_of("RepliconEntryConflict") == REMEDIES["EntryConflict"]


def test_an_unknown_code_has_a_remedy_too() -> None:
    assert remedy_of("Never heard of").category is Category.NON_SERVICE_FAILURE
