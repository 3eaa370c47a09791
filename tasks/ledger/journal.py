"""The journal: requests before they leave, what came of them, and those that an earlier run left open.

Statements on a connection of `database.py`; `ledger.py` calls them. Knows no HTTP.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence, Set
from typing import Any

import orjson
import sqlalchemy as sa

from tasks.ledger import activities, escrow, links
from tasks.ledger.many import execute_many
from tasks.ledger.records import Answer, Change, Difference, Ending, Moves, Request, State
from tasks.ledger.tables import JOURNAL
from tasks.model import Operation, Situation


def record(
    connection: sa.Connection,
    job: str,
    cycle_id: str,
    moves: Moves,
    now: dt.datetime,
    withheld: Set[str] = frozenset(),
) -> None:
    """Write `moves` in one transaction, which the caller holds; `withheld` as in `activities.put`."""
    execute_many(connection, _INTENT, [_row(job, cycle_id, request, now) for request in moves.intents])
    sent = [{"id": change_id, "number": step, "moment": now} for change_id, step in moves.sent]
    execute_many(connection, _SENT, sent)
    execute_many(connection, _ANSWERED, [_answered(answer) for answer in moves.answers])
    execute_many(connection, _DROPPED, [{"id": change_id, "number": step} for change_id, step in moves.dropped])
    if moves.endings:
        _end(connection, job, cycle_id, moves.endings, now, withheld)


def open_requests(connection: sa.Connection, job: str) -> list[Request]:
    """Give the requests of `job` that are not done, oldest first."""
    statement = (
        sa.select(JOURNAL)
        .where(JOURNAL.c.job == job, JOURNAL.c.state != State.DONE)
        .order_by(JOURNAL.c.intended_at, JOURNAL.c.change_id, JOURNAL.c.step)
    )
    return [_request(row) for row in connection.execute(statement)]


def finished(connection: sa.Connection, change_ids: Sequence[str]) -> set[str]:
    """Give those of `change_ids` that have been carried out already."""
    statement = sa.select(JOURNAL.c.change_id).where(JOURNAL.c.change_id.in_(change_ids), JOURNAL.c.state == State.DONE)
    return set(connection.execute(statement).scalars())


def to_json(differences: Iterable[Difference]) -> str:
    """Give what a change writes as JSON [{attribute, before, after}]."""
    return orjson.dumps(list(differences)).decode()


_KEY = (JOURNAL.c.change_id == sa.bindparam("id"), JOURNAL.c.step == sa.bindparam("number"))
_BY_KEY = JOURNAL.update().where(*_KEY)
_DROPPED = JOURNAL.delete().where(*_KEY)
_INTENT = JOURNAL.insert()
_SENT = _BY_KEY.values(state=State.SENT, sent_at=sa.bindparam("moment"))
_DONE = (
    JOURNAL.update()
    .where(JOURNAL.c.change_id == sa.bindparam("id"), JOURNAL.c.state != State.DONE)
    .values(state=State.DONE, ended_at=sa.bindparam("moment"), body=None, changes=None)
)
_ANSWERED = _BY_KEY.values(
    state=State.ANSWERED,
    target_uri=sa.bindparam("uri"),
    target_name=sa.bindparam("name"),
    refused=sa.bindparam("not_taken"),
    attempts=sa.bindparam("tries"),
    correlation_id=sa.bindparam("correlation"),
)


def _answered(answer: Answer) -> dict[str, Any]:
    change_id, step = answer.key
    return {
        "id": change_id,
        "number": step,
        "uri": answer.target_uri,
        "name": answer.target_name,
        "not_taken": orjson.dumps(dict(answer.refused)).decode(),
        "tries": answer.attempts,
        "correlation": answer.correlation_id or None,
    }


def _end(
    connection: sa.Connection,
    job: str,
    cycle_id: str,
    endings: Sequence[Ending],
    now: dt.datetime,
    withheld: Set[str],
) -> None:
    closed = [{"id": ending.change.change_id, "moment": now} for ending in endings if not ending.open]
    execute_many(connection, _DONE, closed)
    links.settle(connection, job, endings, now)
    escrow.settle(connection, job, endings, now)
    activities.put(connection, [_activity(job, cycle_id, ending) for ending in endings], withheld)


def _activity(job: str, cycle_id: str, ending: Ending) -> dict[str, Any]:
    change = ending.change
    return {
        "change_id": change.change_id,
        "cycle_id": cycle_id,
        "job": job,
        "source_id": change.source_id,
        "source_name": change.source_name,
        "target_uri": ending.target_uri,
        "target_name": ending.target_name,
        "situation": change.situation,
        "operation": ending.operation,
        "decision": ending.decision,
        "status": ending.status,
        "error_code": ending.error_code,
        "reason": ending.reason,
        "remedy": ending.remedy,
        "changes": to_json(change.differences),
        "refused": orjson.dumps(ending.refused).decode(),
        "attempts": ending.attempts,
        "started_at": ending.started_at,
        "duration_ms": ending.duration_ms,
    }


def _row(job: str, cycle_id: str, request: Request, now: dt.datetime) -> dict[str, Any]:
    change = request.change
    return {
        "change_id": change.change_id,
        "step": request.step,
        "job": job,
        "cycle_id": cycle_id,
        "state": State.INTENT,
        "operation": request.operation,
        "service": request.service,
        "method": request.method,
        "unit_of_work_id": request.unit_of_work_id,
        "body": request.body,
        "refused": orjson.dumps(dict(request.refused)).decode(),
        "source_id": change.source_id,
        "source_name": change.source_name,
        "target_uri": change.target_uri,
        "target_name": change.target_name,
        "situation": change.situation,
        "planned": change.operation,
        "account_digest": change.account_digest,
        "mapping_digest": change.mapping_digest,
        "changes": to_json(change.differences),
        "why": change.why,
        "intended_at": now,
        "attempts": 0,
    }


def _request(row: sa.Row[Any]) -> Request:
    return Request(
        change=Change(
            change_id=row.change_id,
            source_id=row.source_id,
            source_name=row.source_name,
            target_uri=row.target_uri,
            target_name=row.target_name,
            situation=Situation(row.situation),
            operation=Operation(row.planned),
            account_digest=row.account_digest,
            mapping_digest=row.mapping_digest,
            differences=tuple(Difference(**entry) for entry in orjson.loads(row.changes)),
            why=row.why,
        ),
        step=row.step,
        operation=Operation(row.operation),
        service=row.service,
        method=row.method,
        body=row.body,
        unit_of_work_id=row.unit_of_work_id,
        refused=orjson.loads(row.refused),
        state=State(row.state),
        attempts=row.attempts,
        intended_at=row.intended_at,
    )
