"""What an expression gave, turned into what a target attribute takes. Knows no people and no flows.

The transform calls it, one column at a time. Every function gives the new column and, as long as it, a text column
that says why a row could not be turned (null where it could).
"""

from __future__ import annotations

import datetime as dt
import re
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks.model import TargetAttribute

SHOWN: Final = 60
"""Characters of a value that an error message quotes."""

Converted = tuple[pa.Array, pa.Array]
"""A column of values (text or lists of text) and the column of errors beside it."""

_ZONE: Final = r"(?P<zone>Z|[+-]\d{2}:?\d{2})?"
_ISO: Final = re.compile(
    r"(?P<year>\d{4})-(?P<month>\d{2})-(?P<day>\d{2})"
    r"(?:[T ](?P<hour>\d{2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.\d{1,9})?)?)?\s?" + _ZONE
)
_US: Final = re.compile(
    r"(?P<month>\d{1,2})/(?P<day>\d{1,2})/(?P<year>\d{4})"
    r"(?: (?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.\d{1,9})?)?(?: ?(?P<half>[AaPp][Mm]))?)?\s?"
    + _ZONE
)


def convert(values: pa.Array, target: TargetAttribute) -> Converted:
    """Turn `values` (text or lists of text) into what `target` takes; an empty text or list becomes null.

    Booleans become "True"/"False", dates yyyy-mm-dd; a text becomes a list of one for a multi-valued attribute; a
    list of several values is an error for a single-valued one, and so is a text longer than the target takes.
    """
    if target.multivalued:
        return _to_lists(values, target)
    single, error = _to_single(values, target)
    single = _blank_to_null(single)
    converter = {"Boolean": _to_boolean, "DateTime": _to_date}.get(target.type)
    if converter is not None:
        single, unfit = converter(single, target)
        error = either(error, unfit)
    return single, either(error, _too_long(single, target))


def either(first: pa.Array, second: pa.Array) -> pa.Array:
    """Give `first` with its nulls filled from `second`, without a copy where one of them says it all."""
    if first.null_count == 0 or second.null_count == len(second):
        return first
    return second if first.null_count == len(first) else pc.coalesce(first, second)


def _no_errors(count: int) -> pa.Array:
    return pa.nulls(count, pa.string())


def _blank_to_null(values: pa.Array) -> pa.Array:
    blank = pc.equal(values, "")
    return pc.if_else(blank, pa.scalar(None, pa.string()), values) if pc.any(blank).as_py() else values


def _to_single(values: pa.Array, target: TargetAttribute) -> Converted:
    count = len(values)
    if not pa.types.is_list(values.type):
        return values.cast(pa.string()), _no_errors(count)
    lists, _ = _clean_lists(values)
    lengths = pc.fill_null(pc.list_value_length(lists), 0)
    many = pc.greater(lengths, 1)
    error = pc.if_else(
        many,
        pc.binary_join_element_wise(
            f"{target.name} takes one value, and the expression gives",
            pc.cast(lengths, pa.string()),
            "of them. Pick one with Item, or make one text of them with Join.",
            " ",
        ),
        pa.scalar(None, pa.string()),
    )
    padded = pa.array(np.asarray(pc.equal(lengths, 1)))
    return _first(lists, padded), error


def _first(lists: pa.Array, having_one: pa.Array) -> pa.Array:
    """Give the only value of the lists marked in `having_one`, null for the others."""
    flat = pc.list_flatten(lists.filter(having_one))
    marked = np.asarray(having_one)
    places = np.cumsum(marked) - 1
    return flat.take(pa.array(places, pa.int64(), mask=~marked)) if len(flat) else pa.nulls(len(lists), pa.string())


def _clean_lists(values: pa.Array) -> tuple[pa.Array, np.ndarray]:
    """Give the lists without null and empty values, an empty list as null, and how many values each kept."""
    count = len(values)
    flat = pc.list_flatten(values)
    parents = pc.list_parent_indices(values).to_numpy(zero_copy_only=False)
    kept = np.asarray(pc.not_equal(pc.fill_null(flat, ""), ""))
    lengths = np.bincount(parents[kept], minlength=count)
    return _lists_of(flat.filter(pa.array(kept)), lengths), lengths


def _lists_of(flat: pa.Array, lengths: np.ndarray) -> pa.Array:
    """Cut `flat` into lists of the given lengths; a length of none becomes null."""
    offsets = np.concatenate(([0], np.cumsum(lengths)))
    return pa.ListArray.from_arrays(
        pa.array(offsets, pa.int32(), mask=np.append(lengths == 0, False)), flat.cast(pa.string())
    )


def _to_lists(values: pa.Array, target: TargetAttribute) -> Converted:
    if pa.types.is_list(values.type):
        lists, lengths = _clean_lists(values)
    else:
        text = _blank_to_null(values.cast(pa.string()))
        lengths = np.asarray(pc.is_valid(text)).astype(np.int64)
        lists = _lists_of(text.drop_null(), lengths)
    bad = _too_long(pc.list_flatten(lists), target)
    if bad.null_count == len(bad):
        return lists, _no_errors(len(values))
    parents = np.repeat(np.arange(len(values)), lengths)
    where = np.asarray(pc.is_valid(bad))
    rows, first = np.unique(parents[where], return_index=True)
    places = np.full(len(values), -1)
    places[rows] = first
    return lists, bad.drop_null().take(pa.array(places, pa.int64(), mask=places < 0))


def _to_boolean(values: pa.Array, target: TargetAttribute) -> Converted:
    lower = pc.utf8_lower(values)
    known = pc.is_in(lower, value_set=pa.array(["true", "false"]))
    truth = pc.if_else(pc.equal(lower, "true"), "True", "False")
    result = pc.if_else(known, truth, pa.scalar(None, pa.string()))
    wrong = pc.and_(pc.is_valid(values), pc.invert(known))
    return result, _quoted(values, wrong, f"{target.name} takes True or False, found", "Give one of them, with IIF.")


def _to_date(values: pa.Array, target: TargetAttribute) -> Converted:
    encoded = pc.dictionary_encode(values)
    dates = pa.array([_date(text) for text in encoded.dictionary.to_pylist()], pa.string()).take(encoded.indices)
    wrong = pc.and_(pc.is_valid(values), pc.is_null(dates))
    remedy = "Give it as 2026-03-09, 2026-03-09T00:00:00Z or 3/9/2026 12:00:00 AM, for instance with FormatDateTime."
    return dates, _quoted(values, wrong, f"{target.name} takes a date, found", remedy)


def _date(text: str) -> str | None:
    """Give the UTC date of an ISO 8601 or a month-first text as yyyy-mm-dd; null when it is no such date."""
    found = _ISO.fullmatch(text.strip()) or _US.fullmatch(text.strip())
    if found is None:
        return None
    part = found.groupdict()
    try:
        moment = dt.datetime(
            int(part["year"]),
            int(part["month"]),
            int(part["day"]),
            _hour(int(part["hour"] or 0), (part.get("half") or "").lower()),
            int(part["minute"] or 0),
            int(part["second"] or 0),
            tzinfo=_zone(part["zone"] or "Z"),
        )
        return moment.astimezone(dt.UTC).date().isoformat()
    except (ValueError, OverflowError):
        return None


def _hour(hour: int, half: str) -> int:
    """Give the hour on a clock of 24. Raises `ValueError` for an hour that the half day does not have."""
    if not half:
        return hour
    if not 1 <= hour <= 12:
        raise ValueError(hour)
    return hour % 12 + (12 if half == "pm" else 0)


def _zone(text: str) -> dt.tzinfo:
    if text == "Z":
        return dt.UTC
    digits = text[1:].replace(":", "")
    offset = dt.timedelta(hours=int(digits[:2]), minutes=int(digits[2:]))
    return dt.timezone(-offset if text[0] == "-" else offset)


def _too_long(values: pa.Array, target: TargetAttribute) -> pa.Array:
    if target.max_length is None:
        return _no_errors(len(values))
    longer = pc.fill_null(pc.greater(pc.utf8_length(values), target.max_length), False)
    remedy = f"Shorten it in the directory or, in the mapping, with Left(..., {target.max_length})."
    return _quoted(values, longer, f"{target.name} takes at most {target.max_length} characters, found", remedy)


def _quoted(values: pa.Array, where: pa.Array, before: str, after: str) -> pa.Array:
    """Write an error around the value for the rows in `where`, null for the others."""
    if not pc.any(where).as_py():
        return _no_errors(len(values))
    shown = pc.utf8_slice_codeunits(values, 0, SHOWN)
    text = pc.binary_join_element_wise(before + " '", shown, "'. " + after, "")
    return pc.if_else(where, text, pa.scalar(None, pa.string()))
