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

from tasks.job import Guards
from tasks.model import REMOVALS, STRING, CycleKind, Decision, Manifest, Operation, Verdict
from tasks.reconcile.columns import Mask, mask_of
from tasks.reconcile.target import Identity

TOO_MANY_DELETES: Final = "TooManyDeletes"
"""Microsoft's reason for a quarantine because of removals over the threshold."""
INCOMPLETE_READ: Final = "IncompleteRead"
"""Our code for a removal that waits for a whole read of the source."""
PROTECTED: Final = "ProtectedAccount"
"""Our code for an operation on an account that is never removed nor renamed."""
_LOGIN_NAME: Final = "LoginName"
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


def judge(
    operations: pd.DataFrame, changes: pd.DataFrame, guards: Guards, evidence: Evidence
) -> tuple[pd.DataFrame, Verdict]:
    """Give `operations` with what the guards forbid held or staged, and their verdict.

    Held: whatever would disable, delete or rename a protected account, and every removal when the source was not
    read whole. Staged: all removals, when those that remain are over the threshold.
    """
    judged = operations.copy()
    reasons: list[str] = []
    _hold(judged, _protected(judged, changes, guards, evidence.identity), PROTECTED, _protection(), reasons)
    doubt = incompleteness(evidence.manifest) or shrinkage(evidence, guards)
    if doubt:
        _hold(judged, _removals(judged), INCOMPLETE_READ, doubt, reasons)
    excess = _excess(judged, guards, evidence.links)
    if excess:
        staged = _removals(judged)
        judged.loc[staged, ["decision", "error_code", "reason"]] = Decision.STAGED, TOO_MANY_DELETES, excess
        reasons.append(excess)
    return judged, Verdict(go=not reasons, reasons=tuple(reasons), quarantine=TOO_MANY_DELETES if excess else None)


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


def _protected(operations: pd.DataFrame, changes: pd.DataFrame, guards: Guards, identity: Identity) -> Mask:
    """Mark what would take a protected account away or rename it."""
    logins = {login.lower() for login in (*guards.protected_logins, identity.login_name) if login}
    renames = changes.loc[changes["attribute"].eq(_LOGIN_NAME)].set_index("change_id")["before"].dropna()
    current = operations["change_id"].map(renames).astype(STRING).fillna(operations["target_name"])
    shielded = mask_of(current.str.lower().isin(logins)) | mask_of(operations["target_uri"].eq(identity.uri))
    harmful = mask_of(operations["operation"].isin(_names(REMOVALS))) | mask_of(
        operations["change_id"].isin(renames.index)
    )
    return shielded & harmful & mask_of(operations["decision"].eq(Decision.GO.value))


def _protection() -> str:
    return (
        "This account is protected (named under `guards.protected_logins`, or the one that provisioning signs in "
        "with), so it is never disabled, deleted or renamed. Take it out of the mapping's reach, or do it by hand."
    )


def _hold(operations: pd.DataFrame, where: Mask, error_code: str, reason: str, reasons: list[str]) -> None:
    if where.any():
        operations.loc[where, ["decision", "error_code", "reason"]] = Decision.HOLD, error_code, reason
        count = int(np.count_nonzero(where))
        reasons.append(f"{count:,} held: {reason}")
