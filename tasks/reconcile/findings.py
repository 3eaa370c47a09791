"""What is found for each person, and the operation that follows: one function a group of situations.

`plan` stacks what these give. Whether the job or the guards allow an operation is decided there.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tasks.job import Drift, Job
from tasks.model import INT, OPERATION_COLUMNS, Decision, Operation, Situation, conform, empty_frame
from tasks.reconcile.columns import (
    Mask,
    Places,
    array_of,
    differ,
    joined,
    listed,
    mask_of,
    nulls,
    places_of,
    series_of,
    table_of,
    take,
    text_of,
)
from tasks.reconcile.compare import DIFFERENCE_COLUMNS, Canonical, creations, differences, login_taken, remembered
from tasks.reconcile.gathering import Gathered, linked_name
from tasks.reconcile.situations import RULES
from tasks.reconcile.standing import LOGIN_ENABLED

END_DATE: Final = "EndDate"
"""The target attribute that a return to work clears."""
SKIPPED: Final = "EntrySynchronizationSkipped"
"""Microsoft's code for a person who is passed over."""
MAPPING_FAILED: Final = "MappingFailed"
"""Our code for a person whose values the mapping could not work out."""
VANISHED: Final = "InvalidAnchor"
"""Microsoft's code for a link whose account is gone."""
DRIFT_ADOPTED: Final = "DriftAdopted"
"""Our code for an account that was changed outside provisioning and is left so."""
WITHHELD: Final = "InsufficientRights"
"""Microsoft's code for an account that the signed-in account may not see."""

FINDING_COLUMNS = {"person": INT} | {
    name: OPERATION_COLUMNS[name]
    for name in ("situation", "operation", "decision", "error_code", "reason", "target_uri", "target_name")
}
"""Findings: one row a person whom the plan says something about; `person` is the row in `Accounts.people`."""


@dataclasses.dataclass(frozen=True)
class Findings:
    """`rows` (`FINDING_COLUMNS`) and the attributes that their operations write (`DIFFERENCE_COLUMNS`)."""

    rows: pd.DataFrame
    changes: pd.DataFrame


def findings(gathered: Gathered, canonical: Canonical, job: Job) -> Findings:
    """Give what is found for everybody; people for whom nothing is to be done or said have no row."""
    parts = [
        _passed_over(gathered),
        _unqualified(gathered),
        _failed(gathered),
        _withheld(gathered),
        _unmatched(gathered),
        _new(gathered),
        _matched(gathered, canonical),
        _confirmed(gathered, canonical, job.drift),
        _leaving(gathered, deletes=Situation.SOURCE_DELETED not in job.situations),
        _vanished(gathered),
    ]
    return Findings(
        _stacked(FINDING_COLUMNS, [part.rows for part in parts]),
        _stacked(DIFFERENCE_COLUMNS, [part.changes for part in parts]),
    )


def _stacked(columns: Mapping[str, pd.ArrowDtype], frames: list[pd.DataFrame]) -> pd.DataFrame:
    """Put frames below each other; one that stands alone is not copied, as it may hold everybody."""
    full = [frame for frame in frames if len(frame)]
    whole = full[0] if len(full) == 1 else pd.concat([empty_frame(columns), *full])
    return conform(whole.reset_index(drop=True), columns, "findings")


def _passed_over(gathered: Gathered) -> Findings:
    """People whom an input filter or the mapping takes out of this cycle."""
    people = np.flatnonzero(gathered.standing.alone)
    linked = gathered.standing.linked[people]
    why = pc.coalesce(take(gathered.standing.scope_reason, people), "the mapping passes over them")
    return _said(
        gathered,
        people,
        pa.array(np.where(linked, Situation.CONFIRMED.value, Situation.UNQUALIFIED.value), pa.string()),
        Operation.NONE,
        Decision.SKIP,
        SKIPPED,
        joined("Left alone in this cycle, whatever changes: ", why, "."),
    )


def _unqualified(gathered: Gathered) -> Findings:
    """People who were never provisioned and are not active: no account is ever created for them.

    Of who is gone for good and has no link, nothing is left to be said.
    """
    standing = gathered.standing
    people = np.flatnonzero(~standing.linked & ~standing.active & ~standing.alone & ~standing.gone)
    situation = take(standing.situation, people)
    out = pc.equal(situation, Situation.OUT_OF_SCOPE.value)
    scope = joined("not in scope: ", pc.coalesce(take(standing.scope_reason, people), "not assigned"), ".")
    why = pc.if_else(out, scope, "not active in Microsoft Entra ID; no account is created until the person is.")
    why = joined(f"{RULES[Situation.UNQUALIFIED].why}, and ", why)
    return _said(gathered, people, Situation.UNQUALIFIED, Operation.NONE, Decision.SKIP, SKIPPED, why)


def _failed(gathered: Gathered) -> Findings:
    standing = gathered.standing
    people = np.flatnonzero(standing.failed)
    why = joined(
        "The mapping could not be worked out, so nothing is written: ",
        take(standing.error_attribute, people),
        ": ",
        take(standing.error, people),
    )
    situation = np.where(standing.linked[people], Situation.CONFIRMED.value, Situation.UNQUALIFIED.value)
    return _said(gathered, people, pa.array(situation, pa.string()), Operation.NONE, Decision.HOLD, MAPPING_FAILED, why)


def _withheld(gathered: Gathered) -> Findings:
    people = np.flatnonzero(gathered.withheld)
    why = (
        "Replicon has the linked account but does not show it to the account that provisioning signs in with, so it "
        "is neither compared nor written. Give that account access to all groups."
    )
    return _said(gathered, people, Situation.CONFIRMED, Operation.NONE, Decision.HOLD, WITHHELD, why)


def _unmatched(gathered: Gathered) -> Findings:
    """People whose account cannot be told, or who have nothing to be matched by."""
    settled = [Situation.FOUND.value, Situation.ABSENT.value]
    matches = gathered.matches[~gathered.matches["situation"].isin(settled)]
    rows = matches.assign(
        operation=Operation.NONE.value,
        decision=matches["situation"].map({situation.value: RULES[situation].decision.value for situation in RULES}),
    )
    return Findings(rows[list(FINDING_COLUMNS)].astype(FINDING_COLUMNS), empty_frame(DIFFERENCE_COLUMNS))


def _new(gathered: Gathered) -> Findings:
    """People for whom an account is made."""
    people = _those(gathered, Situation.ABSENT)
    dead = gathered.dead[people]
    reason = pc.coalesce(take(gathered.standing.scope_reason, people), "in scope")
    why = pc.if_else(
        pa.array(dead),
        joined(RULES[Situation.MISSING].why, _named(gathered, people), ", and no other matches."),
        joined(RULES[Situation.ABSENT].why, " (", reason, ")."),
    )
    situation = pa.array(np.where(dead, Situation.MISSING.value, Situation.ABSENT.value), pa.string())
    changes = creations(gathered.wanted, people, gathered.resolved)
    nameless = (nulls(len(people)), nulls(len(people)))
    operation, decision = RULES[Situation.ABSENT].operation, RULES[Situation.ABSENT].decision
    made = _rows(people, situation, operation, decision, None, joined(why, _noted(gathered, people)), nameless)
    return Findings(made, changes)


def _matched(gathered: Gathered, canonical: Canonical) -> Findings:
    """People whose account was found: it is linked, and written where it differs."""
    people = _those(gathered, Situation.FOUND)
    found = gathered.matches[gathered.matches["situation"].eq(Situation.FOUND.value)]
    dead = gathered.dead[people]
    before = pc.if_else(pa.array(dead), joined(RULES[Situation.MISSING].why, _named(gathered, people), ". "), "")
    uri = array_of(found["target_uri"])
    changes = _compared(gathered, people, places_of(uri, gathered.present.uri), nulls(len(people)), canonical)
    linking = f" {RULES[Situation.FOUND].why}"
    why = joined(before, array_of(found["reason"]), linking, _differing(people, changes, "; "))
    situation = pa.array(np.where(dead, Situation.MISSING.value, Situation.FOUND.value), pa.string())
    account = (uri, array_of(found["target_name"]))
    return Findings(_written(gathered, people, situation, changes, why, account), changes)


def _confirmed(gathered: Gathered, canonical: Canonical, drift: Drift) -> Findings:
    """People whose linked account is there: written where it differs, else only remembered as unchanged.

    What was changed outside provisioning and is adopted is not written; an account that differs in nothing else is
    skipped, and told.
    """
    standing, links = gathered.standing, gathered.links
    people = np.flatnonzero(gathered.read & standing.usual & ~gathered.dead & ~gathered.withheld)
    link = standing.link[people]
    uri = take(gathered.linked_uri, people)
    changes = _compared(gathered, people, gathered.account[people], take(links.written, link), canonical)
    differing = np.zeros(gathered.wanted.count, bool)
    differing[changes["person"].to_numpy(dtype=np.int64)] = True
    known = ~differ(take(gathered.digests, people), take(links.digest, link)) & standing.link_active[people]
    # Of those who are as they were remembered nothing is said, so nothing more is worked out.
    keep = differing[people] | ~known
    people, known, uri = people[keep], known[keep], uri.filter(pa.array(keep))
    drifted = known & differing[people]
    adopted = _adopted(gathered, people, changes, known, drift)
    left, changes = changes[adopted], changes[~adopted]
    changed = np.isin(people, changes["person"].to_numpy(dtype=np.int64))
    why = _differing(people, changes, f"{RULES[Situation.CONFIRMED].why}: ")
    if drifted.any():
        put_back = _differing(people[drifted], changes, f"{RULES[Situation.DRIFTED].why}: ")
        why = pc.replace_with_mask(why, pa.array(drifted), put_back)
    situation = _either(drifted, Situation.DRIFTED.value, Situation.CONFIRMED.value)
    account = (uri, linked_name(gathered, people))
    rows = _written(gathered, people, situation, changes, joined(why, _left_so(people, left)), account)
    rows.loc[drifted & ~changed, ["decision", "error_code"]] = Decision.SKIP.value, DRIFT_ADOPTED
    return Findings(rows, changes)


def _adopted(gathered: Gathered, people: Places, changes: pd.DataFrame, known: Mask, drift: Drift) -> Mask:
    """Mark the changes that would put back what was changed outside provisioning, and that the job leaves so.

    A value was changed outside when the source still wants what was last written: the whole account, or this value.
    """
    marked = mask_of(changes["attribute"].map({name: drift.adopts(name) for name in gathered.wanted.attributes}))
    marked &= mask_of(changes["attribute"].ne(LOGIN_ENABLED))
    if not marked.any():
        return marked
    place = np.searchsorted(people, changes["person"].to_numpy(dtype=np.int64))
    same = known[place]
    names = {name: gathered.wanted.attributes[name] for name in changes.loc[marked, "attribute"].unique()}
    written = take(gathered.links.written, gathered.standing.link[people])
    for name, values in remembered(written, names).items():
        mine = mask_of(changes["attribute"].eq(name))
        last = take(text_of(values, names[name]), place[mine])
        same[mine] |= ~differ(last, array_of(changes.loc[mine, "after"])) & last.is_valid().to_numpy(
            zero_copy_only=False
        )
    return marked & same


def _left_so(people: Places, left: pd.DataFrame) -> pa.Array | str:
    """Say of each of `people` what was changed outside provisioning and stays."""
    if left.empty:
        return ""
    named = _differing(people, left, "")
    none = pc.equal(named, "nothing differs.")
    names = pc.replace_substring_regex(named, r"^it differs in (.*)\.$", r"\1")
    said = joined(" Changed outside provisioning and left so, as the job says (`drift`): ", names, ".")
    return pc.if_else(none, "", said)


def _leaving(gathered: Gathered, *, deletes: bool) -> Findings:
    """Linked people who are to lose their login, or, where the job `deletes`, their account."""
    standing = gathered.standing
    people = np.flatnonzero(gathered.read & standing.leaving & ~gathered.withheld & _there(gathered))
    deleted = standing.gone[people] & deletes
    reason = _why_leaving(gathered, people)
    changes = login_taken(people[~deleted], gathered.present, gathered.account[people[~deleted]])
    enabled = np.isin(people, changes["person"].to_numpy(dtype=np.int64))
    news = deleted | enabled | standing.link_active[people]
    usual = series_of(take(standing.situation, people)).map({one.value: RULES[one].operation.value for one in RULES})
    removal = usual.where(deleted, Operation.DISABLE.value).to_numpy(dtype=object)
    operation = np.where(deleted | enabled, removal, Operation.NONE.value)
    done = pc.if_else(pa.array(deleted | enabled), "", " The account's login is disabled already.")
    rows = _linked_rows(
        gathered,
        people,
        take(standing.situation, people),
        pa.array(operation, pa.string()),
        Decision.GO,
        None,
        joined(reason, done),
    )
    return Findings(rows[news], changes)


def _vanished(gathered: Gathered) -> Findings:
    """Linked people who are leaving and whose account is gone already.

    Who was deleted for good is deleted here too, so that the link ends; the others may come back, and wait.
    """
    standing = gathered.standing
    people = np.flatnonzero(gathered.read & standing.leaving & ~gathered.withheld & ~_there(gathered))
    why = joined(_why_leaving(gathered, people), " The account is gone from Replicon already.")
    gone = standing.gone[people]
    ended = _linked_rows(
        gathered,
        people[gone],
        Situation.SOURCE_DELETED,
        RULES[Situation.SOURCE_DELETED].operation,
        RULES[Situation.SOURCE_DELETED].decision,
        None,
        why.filter(pa.array(gone)),
    )
    rest = people[~gone], why.filter(pa.array(~gone))
    waiting = _said(gathered, rest[0], Situation.MISSING, Operation.NONE, Decision.SKIP, VANISHED, rest[1])
    return Findings(pd.concat([ended, waiting.rows], ignore_index=True), waiting.changes)


def _there(gathered: Gathered) -> Mask:
    """Mark people whose linked account the target gave."""
    there: Mask = gathered.account >= 0
    return there


def _why_leaving(gathered: Gathered, people: Places) -> pa.Array:
    situation = take(gathered.standing.situation, people)
    scope = pc.coalesce(take(gathered.standing.scope_reason, people), "not assigned")
    gone = pc.equal(situation, Situation.SOURCE_DELETED.value)
    out = pc.equal(situation, Situation.OUT_OF_SCOPE.value)
    inactive = f"{RULES[Situation.SOURCE_DISABLED].why}."
    why = pc.if_else(out, joined(RULES[Situation.OUT_OF_SCOPE].why, ": ", scope, "."), inactive)
    return pc.if_else(gone, f"{RULES[Situation.SOURCE_DELETED].why}.", why)


def _named(gathered: Gathered, people: Places) -> pa.Array:
    """Give each person's linked login name in brackets."""
    return joined(" (", linked_name(gathered, people), ")")


def _those(gathered: Gathered, situation: Situation) -> Places:
    people: Places = gathered.matches.loc[gathered.matches["situation"].eq(situation.value), "person"].to_numpy(
        dtype=np.int64
    )
    return people


def _compared(
    gathered: Gathered, people: Places, place: Places, written: pa.Array, canonical: Canonical
) -> pd.DataFrame:
    """Compare `people` with the accounts at `place`."""
    found = differences(gathered.wanted, people, gathered.present, place, written, gathered.resolved, canonical)
    return _with_end_dates(gathered, people, place, found)


def _with_end_dates(gathered: Gathered, people: Places, place: Places, changes: pd.DataFrame) -> pd.DataFrame:
    """Write the wanted end date of everybody who is enabled, also where the account has it.

    Giving a login back clears the end date of the employment that had ended, unless a date is written with it.
    """
    wanted = gathered.wanted
    if END_DATE not in wanted.attributes or not gathered.present.has(END_DATE):
        return changes
    named = {name: changes.loc[changes["attribute"].eq(name), "person"] for name in (LOGIN_ENABLED, END_DATE)}
    dated = wanted.flows(END_DATE) & wanted.values(END_DATE).is_valid().to_numpy(zero_copy_only=False)
    quiet = np.isin(people, named[LOGIN_ENABLED]) & ~np.isin(people, named[END_DATE]) & dated[people]
    if not quiet.any():
        return changes
    columns = {
        "person": pa.array(people[quiet]),
        "attribute": pa.array([END_DATE] * int(quiet.sum())),
        "before": gathered.present.values(END_DATE, place[quiet]),
        "after": take(wanted.values(END_DATE), people[quiet]),
    }
    return pd.concat([changes, table_of(columns).astype(changes.dtypes)], ignore_index=True)


def _differing(people: Places, changes: pd.DataFrame, before: str) -> pa.Array:
    """Name what differs for each of `people`, and end the sentence."""
    who, group = np.unique(changes["person"].to_numpy(dtype=np.int64), return_inverse=True)
    order = np.argsort(group, kind="stable")
    names = listed(group[order], take(array_of(changes["attribute"]), order), len(who))
    said = [joined(f"{before}it differs in ", names, "."), pa.array([f"{before}nothing differs."])]
    place = np.searchsorted(who, people)
    place[~np.isin(people, who)] = len(who)
    return take(pa.concat_arrays(said), place)


def _noted(gathered: Gathered, people: Places) -> pa.Array | str:
    """Say of each of `people` when a reference cannot be written."""
    if not any(references.dropped.any() for references in gathered.resolved.values()):
        return ""
    dropped = np.zeros(len(people), bool)
    for references in gathered.resolved.values():
        dropped |= references.dropped[people]
    later = " The supervisor has no Replicon account, so none is written until they get one."
    return pc.if_else(pa.array(dropped), later, "")


def _written(
    gathered: Gathered,
    people: Places,
    situation: pa.Array,
    changes: pd.DataFrame,
    why: pa.Array,
    account: tuple[pa.Array, pa.Array],
) -> pd.DataFrame:
    """Give the rows of people whose account was compared: updated, enabled, or left as it is."""
    enabling = changes.loc[changes["attribute"].eq(LOGIN_ENABLED), "person"].to_numpy(dtype=np.int64)
    changed = np.isin(people, changes["person"].to_numpy(dtype=np.int64))
    operation = _either(changed, Operation.UPDATE.value, Operation.NONE.value)
    operation = pc.if_else(pa.array(np.isin(people, enabling)), Operation.ENABLE.value, operation)
    reason = joined(why, _noted(gathered, people))
    return _rows(people, situation, operation, Decision.GO, None, reason, account)


def _either(where: Mask, yes: str, no: str) -> pa.Array:
    return pc.if_else(pa.array(where), yes, no)


def _said(
    gathered: Gathered,
    people: Places,
    situation: pa.Array | Situation,
    operation: Operation,
    decision: Decision,
    error_code: str,
    reason: pa.Array | str,
) -> Findings:
    """Give rows that write nothing."""
    rows = _linked_rows(gathered, people, situation, operation, decision, error_code, reason)
    return Findings(rows, empty_frame(DIFFERENCE_COLUMNS))


def _linked_rows(
    gathered: Gathered,
    people: Places,
    situation: pa.Array | Situation,
    operation: pa.Array | Operation,
    decision: Decision,
    error_code: str | None,
    reason: pa.Array | str,
) -> pd.DataFrame:
    uri = take(gathered.linked_uri, people)
    account = (uri, linked_name(gathered, people))
    return _rows(people, situation, operation, decision, error_code, reason, account)


def _rows(
    people: Places,
    situation: pa.Array | Situation,
    operation: pa.Array | Operation,
    decision: Decision,
    error_code: str | None,
    reason: pa.Array | str,
    account: tuple[pa.Array, pa.Array],
) -> pd.DataFrame:
    uri, name = account
    given = {
        "person": pa.array(people, pa.int64()),
        "situation": situation,
        "operation": operation,
        "decision": decision,
        "error_code": error_code,
        "reason": reason,
        "target_uri": uri,
        "target_name": name,
    }
    count = len(people)
    return table_of(
        {
            column: value if isinstance(value, pa.Array) else pa.repeat(pa.scalar(value, pa.string()), count)
            for column, value in given.items()
        }
    )
