"""Changes, requests and endings for the ledger's tests, with every field filled in."""

from __future__ import annotations

import datetime as dt
from typing import Any

from tasks.ledger.records import Change, Difference, Ending, Link, Request
from tasks.model import Operation, Situation, Status

MORNING = dt.datetime(2026, 3, 1, 8, 0, tzinfo=dt.UTC)


def change(number: int = 1, **given: Any) -> Change:
    """Give the change that creates the account of person `number`."""
    values: dict[str, Any] = {
        "change_id": f"change-{number}",
        "source_id": f"person-{number}",
        "source_name": f"jürgen.{number}@acme.test",
        "target_uri": None,
        "target_name": None,
        "situation": Situation.ABSENT,
        "operation": Operation.CREATE,
        "account_digest": f"digest-{number}",
        "mapping_digest": "mapping-1",
        "differences": (
            Difference("LoginName", None, f"jürgen.{number}@acme.test"),
            Difference("PermissionSets", None, ["Project Manager", "User"]),
        ),
    }
    return Change(**{**values, **given})


def request(about: Change, step: int = 1, **given: Any) -> Request:
    """Give the request of one step of a change."""
    values: dict[str, Any] = {
        "operation": about.operation,
        "service": "ImportService2",
        "method": "CreateUserOrApplyModifications",
        "body": b'{"unitOfWorkId":"u1"}',
        "unit_of_work_id": "u1",
        "refused": {},
    }
    return Request(about, step, **{**values, **given})


def link(number: int = 1, **given: Any) -> Link:
    """Give the link of person `number`."""
    values: dict[str, Any] = {
        "target_uri": f"urn:replicon-tenant:acme:user:{number}",
        "target_name": f"jürgen.{number}@acme.test",
        "account_digest": f"digest-{number}",
        "written": {"LoginName": f"jürgen.{number}@acme.test"},
        "active": True,
    }
    return Link(**{**values, **given})


def ending(about: Change, **given: Any) -> Ending:
    """Give an ending of a change: a success that changes no link, unless told otherwise."""
    values: dict[str, Any] = {
        "operation": about.operation,
        "status": Status.SUCCESS,
        "error_code": None,
        "reason": "Created.",
        "remedy": None,
        "target_uri": None,
        "target_name": None,
        "refused": (),
        "attempts": 1,
        "started_at": MORNING,
        "duration_ms": 12,
    }
    return Ending(about, **{**values, **given})
