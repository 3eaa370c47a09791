"""Assignments to Accounts: what each person's account should hold, by the mapping. Whole columns at a time.

The flows call `to_accounts`; it knows neither where people come from nor what Replicon has.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tasks.model import (
    ASSIGNMENT_COLUMNS,
    PEOPLE_COLUMNS,
    Accounts,
    Presence,
    Progress,
    conform,
    silent,
)
from tasks.transform.expressions.engine import Evaluated, Rows
from tasks.transform.mapping import LOGIN_ENABLED, OBJECT_FILTER, AttributeMapping, MappedAttribute
from tasks.transform.source_attributes import ACCOUNT_ENABLED, IS_SOFT_DELETED, USER_PRINCIPAL_NAME
from tasks.transform.values import convert, either

NAMES: Final = (USER_PRINCIPAL_NAME, "mail", "displayName", "source_id")
"""What reports name a person by: the first of these that has a value."""

STAGE: Final = "transform"
"""What this stage is called where its progress is shown."""
FAILS_SCOPE: Final = "does not pass the scoping filter: "
"""What stands before the failing clause of a person who is out of scope."""
FAILS_INPUT: Final = "left alone, because the input filter does not let it pass: "
"""What stands before the failing clause of a person who is left alone."""

Taken = Callable[[str, pa.Array], pa.Array]
"""Tells which of an array of texts accounts have in the named target attribute already (for SelectUniqueValue)."""


@dataclass(frozen=True)
class _Scoping:
    """Who is in scope, to be switched off, gone for good, left alone. One row a person; only texts have nulls."""

    in_scope: pa.Array
    soft_deleted: pa.Array
    hard_deleted: pa.Array
    left_alone: pa.Array
    reason: pa.Array
    error: pa.Array


@dataclass(frozen=True)
class _Newcomers:
    """The people for whom the target is asked about free values: others would find their own account's taken."""

    mask: pa.Array
    taken: Taken | None

    def evaluate(self, attribute: MappedAttribute, rows: Rows) -> Evaluated:
        """Evaluate `attribute` for them alone; everybody else has no value."""
        assert attribute.expression is not None
        places = np.flatnonzero(self.mask.to_numpy(zero_copy_only=False))
        columns = {name: column.take(pa.array(places)) for name, column in rows.columns.items()}
        taken = None if self.taken is None else functools.partial(self.taken, attribute.name)
        theirs = dataclasses.replace(rows, columns=columns, count=len(places), taken=taken)
        found = attribute.expression.evaluate(theirs)
        back = np.full(rows.count, -1)
        back[places] = np.arange(len(places))
        index = pa.array(back, mask=back < 0)
        return Evaluated(
            values=found.values.take(index),
            ignore_attribute=pc.fill_null(found.ignore_attribute.take(index), False),
            ignore_object=pc.fill_null(found.ignore_object.take(index), False),
            errors=found.errors.take(index),
        )


@dataclass(frozen=True)
class _Flow:
    """One target attribute of everybody: the value and whether it is written, for an account that is there and for a
    new one; `error` says why there is none, `ignores_object` who is to be left alone."""

    value: pa.Array
    writes: pa.Array
    on_create: pa.Array
    writes_on_create: pa.Array
    error: pa.Array
    ignores_object: pa.Array

    def without(self, people: pa.Array) -> _Flow:
        """Give the same with nothing written for the people marked."""
        return dataclasses.replace(
            self,
            writes=pc.and_not(self.writes, people),
            writes_on_create=pc.and_not(self.writes_on_create, people),
        )


def to_accounts(
    assignments: pd.DataFrame,
    mapping: AttributeMapping,
    *,
    now: dt.datetime,
    default_domain: str | None = None,
    taken: Taken | None = None,
    linked: pd.Series | None = None,
    progress: Progress = silent,
) -> Accounts:
    """Give the account that each person of `assignments` (`ASSIGNMENT_COLUMNS` and source attributes) should have.

    `now` is what Now() gives, in UTC. For people who are not among the `linked` source ids, SelectUniqueValue asks
    `taken`; without it every value is free. A person for whom an expression fails, a value does not fit or a required
    attribute has no value gets an `error`, and nothing of theirs flows; nobody else is touched by it. People who are
    not active are not judged so, because nothing but their login is at stake. A person to be switched off is left
    alone by a mapping that does not turn `LoginEnabled` to False for them, as Microsoft documents for mappings that
    do not read IsSoftDeleted. A person whom a filter cannot judge has an error and counts as before the filter.

    Raises `BadInputError` when a filter or an expression takes too long altogether, `TypeError` when one of the
    frame's fixed columns is missing.
    """
    people = conform(assignments, ASSIGNMENT_COLUMNS, "assignments").reset_index(drop=True)
    count = len(people)
    columns = _columns(people)
    scoping = _scope(people, columns, mapping)
    columns[IS_SOFT_DELETED] = _as_text(scoping.soft_deleted)
    rows = Rows(columns=columns, count=count, now=now, default_domain=default_domain)
    flows = _flows(mapping, rows, _Newcomers(_unlinked(people, scoping, linked), taken), progress)
    filtered, unfiltered = _object_filter(mapping, rows)
    left_alone = _left_alone(scoping, flows.values(), flows.get(LOGIN_ENABLED), filtered)
    errors = {"scope": scoping.error, OBJECT_FILTER: unfiltered, **{name: flow.error for name, flow in flows.items()}}
    error_attribute, error = _first_error(errors, count)
    error = pc.if_else(pc.or_(left_alone, scoping.soft_deleted), pa.scalar(None, pa.string()), error)
    quiet = pc.or_(pc.is_valid(error), left_alone)
    table = {
        "source_id": columns["objectId"],
        "source_name": functools.reduce(either, [columns[name] for name in NAMES if name in columns]),
        "presence": as_array(people["presence"]),
        "in_scope": scoping.in_scope,
        "scope_reason": scoping.reason,
        "active": pc.invert(scoping.soft_deleted),
        "left_alone": left_alone,
        "error_attribute": pc.if_else(pc.is_valid(error), error_attribute, pa.scalar(None, pa.string())),
        "error": error,
    }
    written = {name: flow.without(quiet) for name, flow in flows.items()}
    return Accounts(
        people=conform(_frame(table, count), PEOPLE_COLUMNS, "people"),
        values=_frame({name: flow.value for name, flow in written.items()}, count),
        flows=_frame({name: flow.writes for name, flow in written.items()}, count),
        on_create=_frame({name: flow.on_create for name, flow in written.items()}, count),
        flows_on_create=_frame({name: flow.writes_on_create for name, flow in written.items()}, count),
        mapping_digest=mapping.digest,
        add_only=mapping.add_only,
    )


def source_columns(assignments: pd.DataFrame, mapping: AttributeMapping) -> dict[str, pa.Array]:
    """Give every source attribute of `assignments` as expressions see it, IsSoftDeleted included, by name."""
    people = conform(assignments, ASSIGNMENT_COLUMNS, "assignments")
    columns = _columns(people)
    return {**columns, IS_SOFT_DELETED: _as_text(_scope(people, columns, mapping).soft_deleted)}


def as_array(series: pd.Series) -> pa.Array:
    """Give a column of a frame as one Arrow array, without copying where it is one already."""
    array = pa.array(series.array)
    return array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array


def _columns(people: pd.DataFrame) -> dict[str, pa.Array]:
    """Give the source attributes as Arrow columns; the person's id counts as `objectId` and `id`."""
    names = [name for name in people.columns if name not in ASSIGNMENT_COLUMNS]
    columns = {str(name): _text_or_lists(as_array(people[name])) for name in names}
    source_id = as_array(people["source_id"])
    return {**columns, "objectId": source_id, "id": source_id, "source_id": source_id}


def _text_or_lists(array: pa.Array) -> pa.Array:
    """Give a column as text or lists of text, whatever a file or pandas made of it; booleans as True and False."""
    kind = array.type
    if pa.types.is_boolean(kind):
        return _as_text(array)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return array.cast(pa.list_(pa.string()))
    return array.cast(pa.string())


def _scope(people: pd.DataFrame, columns: Mapping[str, pa.Array], mapping: AttributeMapping) -> _Scoping:
    count = len(people)
    entitled = pc.fill_null(as_array(people["entitled"]), False)
    presence = as_array(people["presence"])
    hard_deleted = pc.equal(presence, Presence.HARD_DELETED.value)
    judged, read = mapping.scope.judge(columns, count), mapping.input_scope.judge(columns, count)
    unjudged = pc.or_(pc.is_valid(judged.error), pc.is_valid(read.error))
    in_scope = pc.and_(entitled, pc.or_(judged.passes, unjudged))
    enabled = columns.get(ACCOUNT_ENABLED, pa.nulls(count, pa.string()))
    blocked = pc.fill_null(pc.equal(pc.utf8_lower(enabled), "false"), False)
    gone = pc.not_equal(presence, Presence.PRESENT.value)
    # What is gone for good has no values that an input filter could have let pass.
    left_alone = pc.and_not(pc.and_not(pc.invert(read.passes), unjudged), hard_deleted)
    reason = as_array(people["entitlement_reason"])
    reason = pc.if_else(pc.and_not(entitled, in_scope), _told(FAILS_SCOPE, judged.failing), reason)
    reason = pc.if_else(left_alone, _told(FAILS_INPUT, read.failing), reason)
    return _Scoping(
        in_scope=in_scope,
        soft_deleted=pc.or_(pc.invert(in_scope), pc.or_(gone, blocked)),
        hard_deleted=hard_deleted,
        left_alone=left_alone,
        reason=reason,
        error=either(judged.error, read.error),
    )


def _told(before: str, clause: pa.Array) -> pa.Array:
    return pc.binary_join_element_wise(before, clause, "")


def _as_text(flags: pa.Array) -> pa.Array:
    return pc.if_else(flags, "True", "False")


def _unlinked(people: pd.DataFrame, scoping: _Scoping, linked: pd.Series | None) -> pa.Array:
    """Mark the people who may get an account in this cycle."""
    known = people["source_id"].isin([] if linked is None else linked).to_numpy(dtype=bool)
    return pc.and_not(pc.and_not(scoping.in_scope, scoping.soft_deleted), pa.array(known))


def _flows(mapping: AttributeMapping, rows: Rows, newcomers: _Newcomers, progress: Progress) -> dict[str, _Flow]:
    flows, total = {}, len(mapping.attributes)
    for done, attribute in enumerate(mapping.attributes):
        progress(STAGE, done, total, attribute.name)
        flows[attribute.name] = _flow(attribute, rows, newcomers)
    progress(STAGE, total, total)
    return flows


def _flow(attribute: MappedAttribute, rows: Rows, newcomers: _Newcomers) -> _Flow:
    """Evaluate one attribute for everybody and decide where it is written."""
    nobody = pa.array(np.zeros(rows.count, bool))
    if attribute.expression is None:
        value, error = convert(pa.nulls(rows.count, pa.string()), attribute.target)
        ignored = ignores_object = nobody
    else:
        unique = attribute.chooses_unique
        outcome = newcomers.evaluate(attribute, rows) if unique else attribute.expression.evaluate(rows)
        value, unfit = convert(outcome.values, attribute.target)
        error = either(outcome.errors, unfit)
        ignored, ignores_object = outcome.ignore_attribute, outcome.ignore_object
    if error.null_count < len(error):
        value = pc.if_else(pc.is_valid(error), pa.scalar(None, value.type), value)
    present = pc.is_valid(value)
    on_create = _with_default(value, attribute, pc.and_not(pc.is_null(error), ignored))
    if attribute.required:
        excused = pc.invert(newcomers.mask) if attribute.chooses_unique else nobody
        error = either(error, _missing(on_create, pc.or_(ignored, excused), attribute.name))
    writes = nobody if attribute.on_creation_only else pc.or_(present, pa.scalar(attribute.flow_nulls))
    return _Flow(
        value=value,
        writes=pc.and_not(writes, ignored),
        on_create=on_create,
        writes_on_create=pc.and_not(pc.is_valid(on_create), ignored),
        error=error,
        ignores_object=ignores_object,
    )


def _missing(on_create: pa.Array, ignored: pa.Array, name: str) -> pa.Array:
    """Say where a required attribute has no value."""
    if on_create.null_count == 0:
        return pa.nulls(len(on_create), pa.string())
    text = f"{name} is required, and the mapping gives it no value. Fill in what its source reads in the directory."
    return pc.if_else(pc.and_not(pc.is_null(on_create), ignored), text, pa.scalar(None, pa.string()))


def _with_default(value: pa.Array, attribute: MappedAttribute, where: pa.Array) -> pa.Array:
    """Fill the default in for new accounts where there is no value."""
    if attribute.default is None or value.null_count == 0:
        return value
    default, _ = convert(pa.array([attribute.default], pa.string()), attribute.target)
    return pc.if_else(pc.and_(pc.is_null(value), where), default[0], value)


def _object_filter(mapping: AttributeMapping, rows: Rows) -> tuple[pa.Array, pa.Array]:
    """Give whom the mapping's object filter leaves alone, and why it could not tell."""
    if mapping.object_filter is None:
        return pa.array(np.zeros(rows.count, bool)), pa.nulls(rows.count, pa.string())
    outcome = mapping.object_filter.evaluate(rows)
    return outcome.ignore_object, outcome.errors


def _left_alone(scoping: _Scoping, flows: Iterable[_Flow], login: _Flow | None, filtered: pa.Array) -> pa.Array:
    """Mark whom this cycle passes over: by an input filter, by IgnoreObjectFlow, or for a login that is not taken."""
    left = pc.or_(scoping.left_alone, filtered)
    for flow in flows:
        left = pc.or_(left, flow.ignores_object)
    keeps_login: pa.Array = pa.array(np.ones(len(left), bool))
    if login is not None:
        switched_off = pc.and_(login.writes, pc.fill_null(pc.equal(login.value, "False"), False))
        keeps_login = pc.and_not(pc.invert(switched_off), pc.is_valid(login.error))
    left = pc.or_(left, pc.and_(scoping.soft_deleted, keeps_login))
    return pc.and_not(left, scoping.hard_deleted)


def _first_error(errors: Mapping[str, pa.Array], count: int) -> tuple[pa.Array, pa.Array]:
    """Give for each person at what something went wrong first, and what."""
    first, place = pa.nulls(count, pa.string()), pa.nulls(count, pa.string())
    for name, error in errors.items():
        if error.null_count < len(error):
            place = pc.if_else(pc.and_(pc.is_null(first), pc.is_valid(error)), name, place)
            first = either(first, error)
    return place, first


def _frame(columns: Mapping[str, pa.Array], count: int) -> pd.DataFrame:
    """Make a frame of Arrow columns on `RangeIndex(count)`, without copying them."""
    arrays = {name: pd.arrays.ArrowExtensionArray(pa.chunked_array([array])) for name, array in columns.items()}
    return pd.DataFrame(arrays, index=pd.RangeIndex(count), copy=False)
