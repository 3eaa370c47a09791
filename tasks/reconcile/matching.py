"""Finding the accounts of people who are not linked: by matching attribute, in order, until the first hit.

Look-ups are bulk and their results are checked again by content. `plan` calls `find` and `judge`; nothing is linked
or written here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tasks.model import INT, STRING, Situation, empty_frame
from tasks.reconcile.columns import Mask, Places, array_of, joined, key_of, nulls, places_of, series_of, table_of, take
from tasks.reconcile.target import Matching, TargetReader
from tasks.reconcile.wanted import Wanted

DUPLICATE_TARGET = "DuplicateTargetEntries"
"""Microsoft's code for several accounts that match one person."""
DUPLICATE_SOURCE = "DuplicateSourceEntries"
"""Microsoft's code for several people who match one account."""
NO_MATCHING_VALUE = "ImportSkipped"
"""Microsoft's code for a person without a value to match by."""

MATCH_COLUMNS = {
    "person": INT,
    "situation": STRING,
    "target_uri": STRING,
    "target_name": STRING,
    "error_code": STRING,
    "reason": STRING,
}
"""Matches: one row a person who was looked for; `person` is the row in `Accounts.people`. `target_uri` is the one
account that matches, null in every situation but FOUND and CONTESTED."""
_HIT_COLUMNS = {"person": INT, "target_uri": STRING, "target_name": STRING, "attribute": STRING}
_NAMED = 3
"""How many of several sides a reason names."""


@dataclasses.dataclass(frozen=True)
class Found:
    """What the look-ups gave: `hits` (person, account, and by which attribute), the accounts, and who had no value."""

    hits: pd.DataFrame
    accounts: list[pd.DataFrame]
    asked: Places
    unasked: Places


def find(people: Places, wanted: Wanted, order: Sequence[Matching], target: TargetReader) -> Found:
    """Look for the accounts of `people`, one bulk look-up a matching attribute.

    Raises `TypeError` when the target's answer lacks the attribute that was asked for, which is a defect of its
    connector.
    """
    remaining, valued = people, np.zeros(len(people), bool)
    hits, accounts = [empty_frame(_HIT_COLUMNS)], []
    for name in in_order(order):
        keys = wanted.key(name, remaining)
        given = keys.is_valid().to_numpy(zero_copy_only=False)
        valued |= np.isin(people, remaining[given])
        asking = remaining[given]
        if not len(asking):
            continue
        answer = target.find(name, series_of(pc.unique(take(wanted.values(name), asking))))
        if name not in answer.columns:
            raise TypeError(f"find({name!r}): the target's answer has no column {name}; it has {list(answer.columns)}")
        accounts.append(answer)
        hit = _checked(
            asking, keys.filter(pa.array(given)), answer, key_of(array_of(answer[name]), wanted.attributes[name])
        )
        hits.append(hit.assign(attribute=pd.Series([name] * len(hit), dtype=STRING)))
        remaining = np.setdiff1d(remaining, hit["person"].to_numpy(dtype=np.int64), assume_unique=False)
    return Found(pd.concat(hits, ignore_index=True), accounts, people[valued], people[~valued])


def in_order(order: Sequence[Matching]) -> list[str]:
    """Give the matching attributes by precedence, the lowest number first."""
    return [step.attribute for step in sorted(order, key=lambda step: step.priority) if step.priority > 0]


@dataclasses.dataclass(frozen=True)
class Owners:
    """Who has which account already: the account's URI (unique), and the person's name and source id."""

    target_uri: pa.Array
    source_name: pa.Array
    source_id: pa.Array

    def of(self, hits: pd.DataFrame, own: pa.Array) -> tuple[pa.Array, Mask]:
        """Give the name of whoever has each hit's account, and whether that is another one than `own`."""
        place = places_of(array_of(hits["target_uri"]), self.target_uri)
        other = pc.fill_null(pc.not_equal(take(self.source_id, place), own), False)
        return take(self.source_name, place), other.to_numpy(zero_copy_only=False)


def judge(
    found: Found, wanted: Wanted, order: Sequence[Matching], who: pa.Array, names: pa.Array, owners: Owners
) -> pd.DataFrame:
    """Give the situation of everybody who was looked for (`MATCH_COLUMNS`).

    `who` and `names` are everybody's source id and name, `owners` who has which account already. Several people with
    one account, or with one matching value and no account, are all held: whose it is cannot be told.
    """
    hits = found.hits
    several = hits["person"].duplicated(keep=False).to_numpy(dtype=bool)
    one = hits[~several].reset_index(drop=True)
    owner, contested = owners.of(one, take(who, _people(one)))
    shared = one["target_uri"].duplicated(keep=False).to_numpy(dtype=bool) & ~contested
    absent = np.setdiff1d(found.asked, _people(hits))
    claims = _same_value(absent, wanted, order, names)
    parts = [
        _matched(one[~contested & ~shared]),
        _ambiguous(hits[several]),
        _contested(one[contested], names, owner.filter(pa.array(contested))),
        _shared(one[shared], names),
        claims,
        _nameless(np.setdiff1d(absent, _people(claims)), Situation.ABSENT),
        _nameless(found.unasked, Situation.UNQUALIFIED, NO_MATCHING_VALUE, _no_value(order)),
    ]
    return pd.concat([empty_frame(MATCH_COLUMNS), *parts], ignore_index=True)


def _people(frame: pd.DataFrame) -> Places:
    people: Places = frame["person"].to_numpy(dtype=np.int64)
    return people


def _checked(people: Places, keys: pa.Array, answer: pd.DataFrame, answer_keys: pa.Array) -> pd.DataFrame:
    """Pair people with accounts whose value is truly equal: an answer may hold others and in any order."""
    asked = table_of({"person": pa.array(people), "key": keys})
    accounts = answer[["target_uri", "target_name"]].assign(key=series_of(answer_keys)).dropna(subset=["key"])
    pairs = asked.merge(accounts.drop_duplicates("target_uri"), on="key")
    return pairs[["person", "target_uri", "target_name"]].astype({"person": INT})


def _matched(hits: pd.DataFrame) -> pd.DataFrame:
    why = joined(
        "The Replicon account ", array_of(hits["target_name"]), " matches by ", array_of(hits["attribute"]), "."
    )
    return _rows(hits, Situation.FOUND, None, why)


def _ambiguous(hits: pd.DataFrame) -> pd.DataFrame:
    """Hold people whom several accounts match, naming the accounts."""
    first = hits.drop_duplicates("person").reset_index(drop=True)
    sides = _sides(hits, hits["person"], hits["target_name"])
    why = joined(
        "Several Replicon accounts match by ",
        array_of(first["attribute"]),
        ": ",
        sides.reindex(first["person"]).pipe(array_of),
        ". Nothing is written until one alone matches: correct the value at the source or in the others.",
    )
    clear = first.assign(target_uri=pd.NA, target_name=pd.NA)
    return _rows(clear, Situation.AMBIGUOUS, DUPLICATE_TARGET, why)


def _contested(hits: pd.DataFrame, names: pa.Array, owner: pa.Array) -> pd.DataFrame:
    why = joined(
        take(names, _people(hits)),
        " matches the Replicon account ",
        array_of(hits["target_name"]),
        " by ",
        array_of(hits["attribute"]),
        ", but that account is linked to ",
        owner,
        ". Decide whose it is: correct the matching value of one of them, or remove the old link.",
    )
    return _rows(hits, Situation.CONTESTED, DUPLICATE_SOURCE, why)


def _shared(hits: pd.DataFrame, names: pa.Array) -> pd.DataFrame:
    """Hold people who match the same account, naming them."""
    sides = _sides(hits, hits["target_uri"], series_of(take(names, _people(hits))).set_axis(hits.index))
    why = joined(
        "Several people match the Replicon account ",
        array_of(hits["target_name"]),
        " by ",
        array_of(hits["attribute"]),
        ": ",
        sides.reindex(hits["target_uri"]).pipe(array_of),
        ". Nothing is written for any of them until one alone matches.",
    )
    return _rows(hits, Situation.CONTESTED, DUPLICATE_SOURCE, why)


def _same_value(people: Places, wanted: Wanted, order: Sequence[Matching], names: pa.Array) -> pd.DataFrame:
    """Hold people without an account who share a matching value: one account would then match them all."""
    claims = [empty_frame(MATCH_COLUMNS)]
    for attribute in in_order(order):
        keys = series_of(wanted.key(attribute, people))
        alike = (keys.notna() & keys.duplicated(keep=False)).to_numpy(dtype=bool)
        who = people[alike]
        rows = table_of({"person": pa.array(who), "target_uri": nulls(len(who)), "target_name": nulls(len(who))})
        sides = _sides(rows, keys[alike].reset_index(drop=True), series_of(take(names, who)))
        why = joined(
            f"Several people have the same {attribute} (",
            take(wanted.values(attribute), who),
            "): ",
            sides.reindex(keys[alike]).pipe(array_of),
            ". No account is created for any of them until the value is theirs alone.",
        )
        claims.append(_rows(rows, Situation.CONTESTED, DUPLICATE_SOURCE, why))
        people = people[~alike]
    return pd.concat(claims, ignore_index=True)


def _sides(rows: pd.DataFrame, groups: pd.Series, names: pd.Series) -> pd.Series:
    """Name the members of each group, the first few in order; indexed by group."""
    members = pd.DataFrame({"group": groups.array, "name": names.array}, index=rows.index)
    members = members.sort_values(["group", "name"], kind="stable")
    place = members.groupby("group", sort=False).cumcount()
    more = members.groupby("group").size() - _NAMED
    shown = members[place < _NAMED].groupby("group")["name"].agg(", ".join).astype(STRING)
    rest = " and " + more.astype(STRING) + " more"
    return shown + rest.where(more > 0, "")


def _no_value(order: Sequence[Matching]) -> str:
    return (
        f"There is no value to match by ({', '.join(in_order(order)) or 'the mapping has no matching attribute'}). "
        "Fill it in at the source, or let the mapping give one."
    )


def _nameless(
    people: Places, situation: Situation, error_code: str | None = None, reason: str | None = None
) -> pd.DataFrame:
    count = len(people)
    rows = table_of({"person": pa.array(people, pa.int64()), "target_uri": nulls(count), "target_name": nulls(count)})
    return _rows(rows, situation, error_code, pa.array([reason] * count, pa.string()))


def _rows(hits: pd.DataFrame, situation: Situation, error_code: str | None, reason: pa.Array) -> pd.DataFrame:
    columns = {
        "person": pa.array(_people(hits)),
        "situation": pa.array([situation.value] * len(hits), pa.string()),
        "target_uri": array_of(hits["target_uri"].astype(STRING)),
        "target_name": array_of(hits["target_name"].astype(STRING)),
        "error_code": pa.array([error_code] * len(hits), pa.string()),
        "reason": reason if len(hits) else nulls(0),
    }
    return table_of(columns)
