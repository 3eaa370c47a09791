"""What is remembered of a job's source: whole objects, members of assigned groups, assignments, whom to see again.

Changes are merged into it at the end of a cycle, in the transaction of the watermark. Extract looks up what a change
touches through `SourceMemory`; the statements are all here.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from tasks.ledger.database import Database, insert, upsert
from tasks.ledger.frames import chunks, fetch, records
from tasks.ledger.tables import ESCROW, LEAVING, LINKS, SOURCE_GRANTS, SOURCE_MEMBERS, SOURCE_PEOPLE, SOURCES, UNSETTLED
from tasks.model import ASSIGNMENT_COLUMNS, GRANT_COLUMNS, MEMBER_COLUMNS, ROLE_COLUMNS, STRING, Presence, SourceUpdate

_PART: Final = 20_000
_NOT_ATTRIBUTES: Final = frozenset({*ASSIGNMENT_COLUMNS, "appRoleAssignments"})
_PERSON: Final[Mapping[str, pd.ArrowDtype]] = {"source_id": STRING, "presence": STRING, "attributes": STRING}
_ID: Final[Mapping[str, pd.ArrowDtype]] = {"source_id": STRING}


@dataclasses.dataclass(frozen=True)
class Remember:
    """What the end of a cycle makes the ledger remember: how the read changes it, and whom to look at again.

    `settings` names how the source was read: what was read otherwise cannot be built upon.
    """

    update: SourceUpdate
    settings: str
    unsettled: Sequence[str]


@dataclasses.dataclass(frozen=True)
class SourceFacts:
    """What is remembered of the source as a whole; `roles` has `ROLE_COLUMNS`."""

    settings: str
    default_domain: str | None
    roles: pd.DataFrame


class SourceMemory:
    """What one job remembers of its source, looked up by id. Frames are in no order; unknown ids have no row."""

    def __init__(self, database: Database, job: str) -> None:
        self._database = database
        self._job = job

    def facts(self) -> SourceFacts | None:
        """Give what is remembered of the source as a whole; null when nothing is."""
        with self._database.reading() as connection:
            row = connection.execute(sa.select(SOURCES).where(SOURCES.c.job == self._job)).one_or_none()
        if row is None:
            return None
        roles = pd.DataFrame(orjson.loads(row.roles), columns=list(ROLE_COLUMNS)).astype(dict(ROLE_COLUMNS))
        return SourceFacts(row.settings, row.default_domain, roles)

    def grants(self) -> pd.DataFrame:
        """Give all assignments (`GRANT_COLUMNS`) as they were listed last."""
        return self._read(SOURCE_GRANTS, GRANT_COLUMNS)

    def members_of(self, group_ids: Sequence[str]) -> pd.DataFrame:
        """Give the members (`MEMBER_COLUMNS`) of these groups."""
        return self._read(SOURCE_MEMBERS, MEMBER_COLUMNS, "group_id", group_ids)

    def memberships_of(self, source_ids: Sequence[str]) -> pd.DataFrame:
        """Give the memberships (`MEMBER_COLUMNS`) of these people."""
        return self._read(SOURCE_MEMBERS, MEMBER_COLUMNS, "member_id", source_ids)

    def people(self, source_ids: Sequence[str] | None, attributes: Mapping[str, pd.ArrowDtype]) -> pd.DataFrame:
        """Give the whole objects of these people, or of everybody: `source_id`, `presence`, and `attributes`."""
        found = self._read(SOURCE_PEOPLE, _PERSON, "source_id", source_ids)
        schema = pa.schema([(name, dtype.pyarrow_dtype) for name, dtype in attributes.items()])
        held = [orjson.loads(text) for text in found["attributes"]]
        values = pa.Table.from_pylist(held, schema=schema).to_pandas(types_mapper=pd.ArrowDtype)
        return pd.concat([found[["source_id", "presence"]], values], axis=1)

    def reports_of(self, source_ids: Sequence[str]) -> list[str]:
        """Give the source ids of everybody whose manager, as last known, is one of these people."""
        return self._read(SOURCE_PEOPLE, _ID, "manager", source_ids)["source_id"].tolist()

    def linked(self, source_ids: Sequence[str]) -> list[str]:
        """Give those of these people who are linked."""
        return self._read(LINKS, _ID, "source_id", source_ids)["source_id"].tolist()

    def again(self, now: dt.datetime) -> list[str]:
        """Give the source ids of everybody who has to be looked at again whether or not they change.

        They are those held, staged or not come to, those whose account has to be compared, those who leave once their
        days of grace are over, and those in escrow whose time has come; whoever is in escrow and whose time has not is
        left out.
        """
        escrow = sa.select(ESCROW.c.source_id).where(ESCROW.c.job == self._job)
        due = ESCROW.c.next_retry_at <= now
        compare = LINKS.c.account_digest.is_(None) & LINKS.c.active
        wanted = sa.union(
            sa.select(UNSETTLED.c.source_id).where(UNSETTLED.c.job == self._job),
            sa.select(LINKS.c.source_id).where(LINKS.c.job == self._job, compare),
            escrow.where(due),
            sa.select(LEAVING.c.source_id).where(LEAVING.c.job == self._job),
        )
        waiting = escrow.where(sa.or_(ESCROW.c.next_retry_at.is_(None), ESCROW.c.next_retry_at > now))
        with self._database.reading() as connection:
            people = set(connection.execute(wanted).scalars())
            return sorted(people.difference(connection.execute(waiting).scalars()))

    def _read(
        self,
        table: sa.Table,
        columns: Mapping[str, pd.ArrowDtype],
        key: str = "",
        values: Sequence[str] | None = None,
    ) -> pd.DataFrame:
        chosen = sa.select(table).where(table.c.job == self._job)
        with self._database.reading() as connection:
            if values is None:
                return fetch(connection, table, columns, chosen)
            parts = [fetch(connection, table, columns, chosen.limit(0))]
            parts += [
                fetch(connection, table, columns, chosen.where(table.c[key].in_(part))) for part in chunks(values)
            ]
        return pd.concat(parts, ignore_index=True)


def remember(connection: sa.Connection, job: str, news: Remember) -> None:
    """Bring what `job` remembers of its source up to date."""
    update = news.update
    if update.whole:
        for table in (SOURCE_PEOPLE, SOURCE_MEMBERS, SOURCE_GRANTS, UNSETTLED):
            connection.execute(table.delete().where(table.c.job == job))
    else:
        _forget(connection, job, update)
    row = {
        "job": job,
        "settings": news.settings,
        "default_domain": update.default_domain,
        "roles": orjson.dumps(records(update.roles, ROLE_COLUMNS)).decode(),
    }
    connection.execute(upsert(connection, SOURCES), row)
    _put_people(connection, job, update.people)
    _put(connection, SOURCE_MEMBERS, job, update.members, MEMBER_COLUMNS)
    _put(connection, SOURCE_GRANTS, job, update.grants, GRANT_COLUMNS)
    look_again(connection, job, news.unsettled)


def look_again(connection: sa.Connection, job: str, source_ids: Sequence[str]) -> None:
    """Have the next cycle look at these people whether or not they change."""
    unsettled = [{"job": job, "source_id": source_id} for source_id in dict.fromkeys(source_ids)]
    if unsettled:
        again = insert(connection, UNSETTLED).on_conflict_do_nothing(index_elements=["job", "source_id"])
        connection.execute(again, unsettled)


def _forget(connection: sa.Connection, job: str, update: SourceUpdate) -> None:
    for table, key, gone in (
        (SOURCE_PEOPLE, "source_id", update.people_gone),
        (SOURCE_GRANTS, "assignment_id", update.grants_gone),
        (UNSETTLED, "source_id", update.touched),
    ):
        for part in chunks(gone):
            connection.execute(table.delete().where(table.c.job == job, table.c[key].in_(part)))
    if update.members_gone is not None and len(update.members_gone):
        left = SOURCE_MEMBERS.delete().where(
            SOURCE_MEMBERS.c.job == job,
            SOURCE_MEMBERS.c.member_id == sa.bindparam("member"),
            SOURCE_MEMBERS.c.group_id == sa.bindparam("group"),
        )
        pairs = update.members_gone[["member_id", "group_id"]].set_axis(["member", "group"], axis=1)
        connection.execute(left, records(pairs, pairs.columns))


def _put_people(connection: sa.Connection, job: str, people: pd.DataFrame) -> None:
    """Write whole objects, some thousands at a time, so that a directory is never held twice."""
    names = [name for name in people.columns if name not in _NOT_ATTRIBUTES]
    putting = insert(connection, SOURCE_PEOPLE)
    last_known = sa.func.coalesce(putting.excluded["manager"], SOURCE_PEOPLE.c.manager)
    putting = putting.on_conflict_do_update(
        index_elements=["job", "source_id"],
        set_={
            "presence": putting.excluded["presence"],
            "attributes": putting.excluded["attributes"],
            "manager": last_known,
        },
    )
    for part in _parts(people[people["presence"].ne(Presence.HARD_DELETED)], ["source_id"]):
        objects = records(part, names)
        ids = zip(part["source_id"].tolist(), part["presence"].tolist(), objects, strict=True)
        connection.execute(putting, [_person(job, *each) for each in ids])


def _person(job: str, source_id: str, presence: str, held: Mapping[str, Any]) -> dict[str, Any]:
    text = orjson.dumps({name: value for name, value in held.items() if value is not None}).decode()
    return {
        "job": job,
        "source_id": source_id,
        "presence": presence,
        "manager": held.get("manager"),
        "attributes": text,
    }


def _put(
    connection: sa.Connection, table: sa.Table, job: str, frame: pd.DataFrame, columns: Mapping[str, pd.ArrowDtype]
) -> None:
    for part in _parts(frame, [column.name for column in table.primary_key if column.name != "job"]):
        connection.execute(upsert(connection, table), [{"job": job, **row} for row in records(part, columns)])


def _parts(frame: pd.DataFrame, key: Sequence[str]) -> Iterator[pd.DataFrame]:
    """Give the rows some thousands at a time, in the order of their `key`.

    In that order they are added at the end of the table; in any other, most of a large table is rewritten for each.
    """
    keys = pa.table({name: pa.array(frame[name].array) for name in key})
    order = pc.sort_indices(keys, [(name, "ascending") for name in key]).to_numpy()
    return (frame.iloc[order[start : start + _PART]] for start in range(0, len(order), _PART))
