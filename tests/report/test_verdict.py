"""How a cycle went: the words, the state and the exit code that follow from its activities."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

from tasks.model import ExitCode
from tasks.report.activity import Group, activities_of, counts_of
from tasks.report.verdict import NOTHING, StateName, in_words, judge
from tests.report.samples import CASES, Case, activities, outcomes_of, plan_of


def cycle(*cases: Case) -> pd.DataFrame:
    """Give the activities of a cycle of these cases."""
    return activities_of(plan_of(cases), outcomes_of(cases))


CREATED = Case("a", "absent", "create")
FAILED = Case("b", "absent", "create", status="failure", error_code="EntryConflict")
HELD = Case("c", "ambiguous", "none", decision="hold", status="skipped", error_code="DuplicateTargetEntries")
STAGED = Case("d", "out_of_scope", "disable", decision="staged", status="skipped", error_code="TooManyDeletes")
SAME = Case("e", "confirmed", "none")


def test_the_sentence_counts_everything_that_happened() -> None:
    assert judge(activities()).sentence == (
        "1 created, 2 updated, 1 enabled, 2 disabled, 1 linked, 1 failed, 1 held, 1 staged, 1 skipped"
    )


def test_what_was_done_in_the_end_is_what_counts() -> None:
    refused = Case("purged", "source_deleted", "delete", ended_as="disable")
    assert counts_of(cycle(refused)) == {Group.DISABLED: 1}


def test_a_cycle_without_change_says_so() -> None:
    for frame in (cycle(), cycle(SAME)):
        verdict = judge(frame)
        assert (verdict.state, verdict.sentence, verdict.exit_code) == (StateName.COMPLETED, NOTHING, ExitCode.DONE)


@pytest.mark.parametrize(
    ("cases", "given", "state", "code"),
    [
        ((CREATED,), {}, StateName.COMPLETED, ExitCode.DONE),
        ((CREATED, FAILED, HELD), {}, StateName.COMPLETED_WITH_ERRORS, ExitCode.SOME_FAILED),
        ((CREATED, HELD), {}, StateName.HELD, ExitCode.HELD),
        ((STAGED,), {}, StateName.HELD, ExitCode.HELD),
        ((STAGED, FAILED), {"quarantine": "TooManyDeletes"}, StateName.QUARANTINED, ExitCode.HELD),
        ((FAILED,), {"complete": False}, StateName.INCOMPLETE_READ, ExitCode.SOME_FAILED),
        ((CREATED,), {"failure": "Replicon refuses the sign-in"}, StateName.FAILED, ExitCode.SOME_FAILED),
    ],
)
def test_the_worst_names_the_state(cases: tuple[Case, ...], given: dict[str, Any], state: StateName, code: int) -> None:
    verdict = judge(cycle(*cases), **given)
    assert (verdict.state, verdict.exit_code) == (state, code)


def test_the_sentence_says_why_it_is_not_only_a_matter_of_counts() -> None:
    verdict = judge(cycle(STAGED), quarantine="TooManyDeletes", complete=False)
    assert verdict.sentence == "1 staged; quarantined: TooManyDeletes; the source was not read whole"


def test_a_plan_speaks_of_what_is_to_come() -> None:
    counts = counts_of(activities_of(plan_of()))
    assert in_words(counts, planned=True) == (
        "2 to create, 2 to update, 1 to enable, 1 to disable, 1 to delete, 1 to link, 1 held, 1 staged, 1 skipped"
    )


def test_every_case_is_counted_once() -> None:
    assert sum(counts_of(activities()).values()) == len(CASES)
