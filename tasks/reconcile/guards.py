"""What stops a mistake upstream before the first write: proof of completeness, protected accounts, thresholds.

`plan` lets the guards judge the whole plan. Their verdict depends on which operations there are, never on their order.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa

from tasks.job import Guards, Threshold
from tasks.model import REMOVALS, CycleKind, Decision, Manifest, Operation, Situation, Verdict
from tasks.reconcile import protection
from tasks.reconcile.columns import Mask, mask_of
from tasks.reconcile.target import Identity

TOO_MANY_DELETES: Final = "TooManyDeletes"
"""Microsoft's reason for a quarantine because of removals over the threshold."""
INCOMPLETE_READ: Final = "IncompleteRead"
"""Our code for a removal that waits for a whole read of the source."""
TOO_MANY_CHANGES: Final = "TooManyChanges"
"""Our code for operations other than removals over their threshold."""
STOPPED: Final = "PlanStopped"
"""Our code for what is not carried out because the job stops a plan that is over a threshold."""
_COUNTED: Final[Mapping[str, str]] = {"objects": "people and groups", "assignments": "assignments"}


@dataclasses.dataclass(frozen=True)
class Evidence:
    """What the guards judge by, besides the plan itself."""

    kind: CycleKind
    manifest: Manifest
    last_complete: Mapping[str, Any] | None
    """The manifest of the last complete read, as `Manifest.as_dict` gives it; null when there was none."""
    links: pd.DataFrame
    identity: Identity
    shielded: pa.Array = dataclasses.field(default_factory=lambda: pa.array([], pa.string()))
    """URIs of the accounts in protected groups or with protected permission sets; see `protection.shielded`."""


def judge(
    operations: pd.DataFrame, changes: pd.DataFrame, guards: Guards, evidence: Evidence
) -> tuple[pd.DataFrame, Verdict]:
    """Give `operations` with what the guards forbid held or staged, and their verdict.

    Held: whatever would harm a protected account or give a protected permission set, and every removal when the source
    was not read whole. Staged: the operations of each kind of which more remain than the job allows, and those that
    change an attribute which changes for too many; where the job says stop, everything else with them.
    """
    judged = operations.copy()
    reasons: list[str] = []
    harmed = protection.harmed(judged, changes, guards, evidence.identity, evidence.shielded)
    _hold(judged, harmed, protection.PROTECTED, protection.WHY_PROTECTED, reasons)
    given = protection.overreaching(judged, changes, guards)
    _hold(judged, given, protection.PROTECTED_RIGHT, protection.WHY_NOT_GIVEN, reasons)
    doubt = incompleteness(evidence.manifest) or shrinkage(evidence, guards)
    if doubt:
        _hold(judged, _removals(judged), INCOMPLETE_READ, doubt, reasons)
    excess = _excess(judged, guards, evidence.links)
    over = [(_removals(judged), TOO_MANY_DELETES, excess)] if excess else []
    over += _mass(judged, changes, guards, evidence.links)
    for where, code, reason in over:
        staged = where & mask_of(judged["decision"].eq(Decision.GO.value))
        judged.loc[staged, ["decision", "error_code", "reason"]] = Decision.STAGED, code, reason
        reasons.append(reason)
    stopped = bool(over) and guards.when_exceeded == "stop"
    if stopped:
        rest = mask_of(judged["decision"].eq(Decision.GO.value))
        judged.loc[rest, ["decision", "error_code", "reason"]] = Decision.STAGED, STOPPED, _STOP
        reasons.append(_STOP)
    quarantine = TOO_MANY_DELETES if excess else None
    return judged, Verdict(go=not reasons, reasons=tuple(reasons), quarantine=quarantine, stopped=stopped)


_STOP: Final = (
    "The plan is over a limit of `guards`, and `guards.when_exceeded` says stop, so that nothing at all is carried out "
    "until somebody approves."
)


def _mass(
    operations: pd.DataFrame, changes: pd.DataFrame, guards: Guards, links: pd.DataFrame
) -> list[tuple[Mask, str, str]]:
    """Give what else is over a limit: which rows, under which code, and why."""
    going = mask_of(operations["decision"].eq(Decision.GO.value))
    existing = int(np.count_nonzero(mask_of(links["active"])))
    existing += int(np.count_nonzero(mask_of(operations["situation"].eq(Situation.FOUND.value))))
    over = []
    for operation, threshold in sorted(guards.operations.items()):
        rows = going & mask_of(operations["operation"].eq(operation))
        found = _over(int(np.count_nonzero(rows)), threshold, existing, f"guards.operations.{operation}.")
        if found:
            over.append((rows, TOO_MANY_CHANGES, f"{found[0]} accounts would be affected by `{operation}`{found[1]}"))
    if guards.attribute_percent is None or not existing:
        return over
    threshold = Threshold(percent=guards.attribute_percent)
    there = operations.loc[going & mask_of(operations["target_uri"].notna()), "change_id"]
    counts = changes.loc[mask_of(changes["change_id"].isin(there)), "attribute"].value_counts()
    for attribute, count in sorted(counts.items()):
        found = _over(int(count), threshold, existing, "guards.attribute_")
        if found:
            ids = changes.loc[mask_of(changes["attribute"].eq(attribute)), "change_id"]
            rows = going & mask_of(operations["change_id"].isin(ids)) & mask_of(operations["target_uri"].notna())
            over.append((rows, TOO_MANY_CHANGES, f"{attribute} would change for {found[0]} accounts{found[1]}"))
    return over


def _over(count: int, threshold: Threshold, existing: int, key: str) -> tuple[str, str] | None:
    """Give the count and the end of the sentence when `count` is over the threshold; else null.

    A share means nothing while there is no account.
    """
    limits = [] if threshold.count is None else [(threshold.count, f"`{key}count` {threshold.count:,}")]
    if threshold.percent is not None and existing:
        share = math.floor(existing * threshold.percent / 100)
        limits.append((share, f"`{key}percent` {threshold.percent:g} % of {existing:,} accounts"))
    if not limits or count <= min(limits)[0]:
        return None
    limit, rule = min(limits)
    return f"{count:,}", f", and at most {limit:,} may be without approval ({rule}). They wait until somebody approves."


def incompleteness(manifest: Manifest) -> str | None:
    """Say why a read does not prove that somebody left; null when it was whole."""
    if manifest.complete:
        return None
    missing = "; ".join(manifest.missing) or "the read does not say what is missing"
    return (
        f"Microsoft Entra ID was not read whole ({missing}), so nobody is disabled or deleted by it. "
        "It is judged again after the next complete read."
    )


def shrinkage(evidence: Evidence, guards: Guards) -> str | None:
    """Say how far a read fell short of the last complete one when that is implausible; else null."""
    if evidence.kind is CycleKind.ON_DEMAND or not evidence.last_complete:
        return None
    for field, noun in _COUNTED.items():
        if field == "objects" and evidence.kind is CycleKind.INCREMENTAL:
            # A read of changes has the people who changed; how many there are it does not tell.
            continue
        before, now = int(evidence.last_complete.get(field) or 0), int(getattr(evidence.manifest, field))
        fall = 100 * (before - now) / before if before else 0
        if fall > guards.shrink_percent:
            return (
                f"The source gave {now:,} {noun} where the last complete read gave {before:,}: {fall:.0f} % fewer, and "
                f"`guards.shrink_percent` takes at most {guards.shrink_percent:g} % for plausible, so nobody is "
                "disabled or deleted by it. Check the assignments in Microsoft Entra ID; if so many really left, "
                "raise `guards.shrink_percent` for one cycle."
            )
    return None


def trusted(evidence: Evidence, guards: Guards) -> Manifest:
    """Give the read's manifest, not complete when it fell implausibly short of the last complete one.

    Otherwise the next cycle would measure itself by the shrunken read and find nothing amiss.
    """
    short = shrinkage(evidence, guards)
    if short is None:
        return evidence.manifest
    return dataclasses.replace(evidence.manifest, complete=False, missing=(*evidence.manifest.missing, short))


def _excess(operations: pd.DataFrame, guards: Guards, links: pd.DataFrame) -> str | None:
    """Say that the removals are over the threshold; null when they are not."""
    removed = operations.loc[_removals(operations), "source_id"]
    limits = []
    if guards.removals.count is not None:
        limits.append((guards.removals.count, f"`guards.removals.count` {guards.removals.count:,}"))
    if guards.removals.percent is not None:
        in_use = int(np.count_nonzero(mask_of(links["active"]) | mask_of(links["source_id"].isin(removed))))
        share = math.floor(in_use * guards.removals.percent / 100)
        limits.append((share, f"`guards.removals.percent` {guards.removals.percent:g} % of {in_use:,} accounts in use"))
    if not limits or len(removed) <= min(limits)[0]:
        return None
    limit, rule = min(limits)
    return (
        f"{len(removed):,} accounts would be disabled or deleted, and at most {limit:,} may be without approval "
        f"({rule}). Nobody is removed until somebody approves; if it is a mistake, correct the assignments or the "
        "scoping filter."
    )


def _removals(operations: pd.DataFrame) -> Mask:
    return mask_of(operations["operation"].isin(_names(REMOVALS)) & operations["decision"].eq(Decision.GO.value))


def _names(operations: Iterable[Operation]) -> list[str]:
    return [operation.value for operation in operations]


def _hold(operations: pd.DataFrame, where: Mask, error_code: str, reason: str, reasons: list[str]) -> None:
    if where.any():
        operations.loc[where, ["decision", "error_code", "reason"]] = Decision.HOLD, error_code, reason
        count = int(np.count_nonzero(where))
        reasons.append(f"{count:,} held: {reason}")
