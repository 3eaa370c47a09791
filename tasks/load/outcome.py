"""How an operation ended: status, code, reason and remedy, and what becomes of the link. And the Outcomes frame.

`execute.py` and `apply.py` call it. No I/O here.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Final

import pandas as pd

from tasks.connectors.replicon.attributes import binding
from tasks.connectors.replicon.errors import RepliconError
from tasks.connectors.replicon.wires import Group
from tasks.ledger.records import Difference, Ending, Keep, Link
from tasks.load import policy
from tasks.load.verify import Finding, expected
from tasks.load.work import LOGIN_ENABLED, SUPERVISOR, Item
from tasks.model import OUTCOME_COLUMNS, Decision, Operation, ProvisioningError, Status

_DECISIVE: Final = {Operation.ENABLE: LOGIN_ENABLED, Operation.DISABLE: LOGIN_ENABLED}
"""The attribute without which the operation was not done at all."""

_AGAIN: Final = "Nothing to mend yet: it is tried again. If it recurs, look at the account in Replicon."


def verified(item: Item, finding: Finding, now: dt.datetime) -> Ending:
    """Give the ending of an operation that the target answered and that was read back."""
    done = item.done or item.operation
    if done is Operation.DELETE:
        return _deleted(item, finding, now)
    if not finding.there and done is Operation.DISABLE:
        return _gone_already(item, now)
    if not finding.there:
        return failed(item, policy.NOT_APPLIED, "Replicon answered with success, and the account is not there.", now)
    lost = {name: f"{name}: it is not as it was written" for name in finding.differing} | item.refused
    if finding.unread is not None:
        lost[""] = f"Replicon answered with success, but it could not be read back: {finding.unread}"
    status = _status(item, done, lost)
    code, remedy = (None, None) if status is Status.SUCCESS else _why(item, lost, finding)
    link: Link | Keep = Keep.LOOK_AGAIN
    if status is not Status.FAILURE or done is Operation.CREATE:
        link = _link(item, done, lost, whole=status is Status.SUCCESS)
    if item.change.operation is Operation.DELETE and status is Status.SUCCESS:
        # Whoever is gone for good never comes back under this id: the account is nobody's to manage any more.
        link = Keep.END
    reason = " ".join([*item.notes, *(f"{text.rstrip('.')}." for text in lost.values())]) or None
    return _ending(item, done, status, code, reason, remedy, now, link=link, lost=tuple(filter(None, lost)))


def failed(item: Item, code: str, reason: str, now: dt.datetime, remedy: str | None = None) -> Ending:
    """Give the ending of an operation that was not done, or of which it is not known."""
    return _ending(
        item,
        item.done or item.operation,
        Status.FAILURE,
        code,
        " ".join([*item.notes, reason]),
        remedy or _AGAIN,
        now,
        link=Keep.LOOK_AGAIN,
        lost=tuple(filter(None, item.refused)),
    )


def refused(item: Item, error: Exception, now: dt.datetime) -> Ending:
    """Give the ending of an operation that ended in an error."""
    if isinstance(error, RepliconError):
        return failed(item, error.error_code, str(error), now, error.remedy)
    if isinstance(error, ProvisioningError):
        return failed(item, policy.REFUSED, str(error), now)
    said = f"Provisioning itself failed: {type(error).__name__}: {error}"
    return failed(item, policy.DEFECT, said, now, "Report it with this cycle's id.")


def gone(item: Item, error: RepliconError, now: dt.datetime) -> Ending:
    """Give the ending of an operation on an account that is not there any more."""
    if not item.removal:
        return failed(item, error.error_code, str(error), now, error.remedy)
    return _gone_already(item, now)


def held(item: Item, doubt: str, now: dt.datetime) -> Ending:
    """Give the ending of a removal that the source does not confirm."""
    return _ending(
        item,
        item.operation,
        Status.SKIPPED,
        policy.DISAGREEMENT,
        f"Held, nothing was removed: {doubt}.",
        "Nothing to mend if the person is back; else the next cycle looks again.",
        now,
        link=Keep.LOOK_AGAIN,
        decision=Decision.HOLD,
    )


def not_attempted(item: Item, why: str, now: dt.datetime) -> Ending:
    """Give the ending of an operation whose turn did not come."""
    said = said_not_attempted(why)
    return _ending(item, item.operation, Status.SKIPPED, policy.NOT_ATTEMPTED, *said, now, link=Keep.LOOK_AGAIN)


def said_not_attempted(why: str) -> tuple[str, str]:
    """Give reason and remedy of an operation whose turn did not come."""
    return f"Not attempted, because {why}.", "Nothing to mend: the next cycle plans it again."


def frame_of(endings: Sequence[Ending]) -> pd.DataFrame:
    """Give endings as Outcomes (`OUTCOME_COLUMNS`)."""
    columns: Mapping[str, list[object]] = {
        "change_id": [ending.change.change_id for ending in endings],
        "refused": [list(ending.refused) for ending in endings],
        **{
            name: [getattr(ending, name) for ending in endings]
            for name in OUTCOME_COLUMNS
            if name not in {"change_id", "refused"}
        },
    }
    return pd.DataFrame({name: pd.array(columns[name], dtype=dtype) for name, dtype in OUTCOME_COLUMNS.items()})


def _gone_already(item: Item, now: dt.datetime) -> Ending:
    reason = " ".join([*item.notes, "The account was gone from Replicon already."])
    return _ending(item, item.operation, Status.SUCCESS, None, reason, None, now, link=Keep.END)


def _deleted(item: Item, finding: Finding, now: dt.datetime) -> Ending:
    if finding.there:
        said = finding.unread or "the account is still there"
        return failed(item, policy.NOT_APPLIED, f"Replicon answered with success, but {said}.", now)
    reason = " ".join(item.notes) or None
    return _ending(item, Operation.DELETE, Status.SUCCESS, None, reason, None, now, link=Keep.END)


def _status(item: Item, done: Operation, lost: Mapping[str, str]) -> Status:
    if not lost:
        return Status.SUCCESS
    decisive = _DECISIVE.get(done)
    if decisive is not None:
        return Status.FAILURE if decisive in lost else Status.WARNING
    wanted = {*item.wrote, *item.values, *item.refused} - {""}
    nothing = done is Operation.UPDATE and bool(wanted) and wanted <= lost.keys()
    return Status.FAILURE if nothing else Status.WARNING


def _why(item: Item, lost: Mapping[str, str], finding: Finding) -> tuple[str, str]:
    """Give code and remedy of what was not wholly done."""
    if item.code is not None:
        return item.code, item.remedy or _AGAIN
    if not item.refused:
        return policy.NOT_APPLIED, _AGAIN
    remedies = dict.fromkeys(_remedy(name) for name in item.refused)
    code = policy.REFERENCE if set(lost) == {SUPERVISOR} else policy.REFUSED
    return code, " ".join(remedies) + (f" {_AGAIN}" if finding.differing else "")


def _remedy(name: str) -> str:
    """Give what a person can do so that Replicon takes an attribute."""
    if not name:
        return "See the reason; correct the value at its source or in the mapping."
    if name == SUPERVISOR:
        return "Give the supervisor's Replicon account a permission set for supervision, so that it can be assigned."
    if isinstance(binding(name).wire, Group) or name in {"PermissionSets", "Products"}:
        return f"Create the {name} in Replicon under this name, or correct the mapping."
    return f"Correct {name} at its source or in the mapping."


def _link(item: Item, done: Operation, lost: Mapping[str, str], *, whole: bool) -> Link:
    assert item.target_uri is not None
    return Link(
        target_uri=item.target_uri,
        target_name=item.target_name,
        account_digest=item.change.account_digest if whole else None,
        written={name: value for name, value in expected(item).items() if name not in lost},
        active=done is not Operation.DISABLE,
    )


def _ending(
    item: Item,
    operation: Operation,
    status: Status,
    code: str | None,
    reason: str | None,
    remedy: str | None,
    now: dt.datetime,
    *,
    link: Link | Keep = Keep.AS_IS,
    lost: tuple[str, ...] = (),
    decision: Decision = Decision.GO,
) -> Ending:
    change = item.change
    if status in {Status.SUCCESS, Status.WARNING}:
        reason = " ".join(filter(None, (change.why, reason))) or None
    if operation is Operation.DISABLE and not any(entry.attribute == LOGIN_ENABLED for entry in change.differences):
        taken = (*change.differences, Difference(LOGIN_ENABLED, "True", "False"))
        change = dataclasses.replace(change, differences=taken)
    return Ending(
        change=change,
        operation=operation,
        status=status,
        error_code=code,
        reason=reason,
        remedy=remedy,
        target_uri=item.target_uri,
        target_name=item.target_name,
        refused=lost,
        attempts=item.attempts,
        started_at=item.started_at or now,
        duration_ms=item.took_ms(),
        link=link,
        escrow=status in {Status.FAILURE, Status.WARNING},
        open=item.open,
        decision=decision,
    )
