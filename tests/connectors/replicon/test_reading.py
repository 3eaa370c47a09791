"""Accounts are read in bulk and matched by content; searches are checked again; no answer is taken for whole unseen."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from tasks.connectors.replicon import reading
from tasks.connectors.replicon.errors import Failure, NotPermittedError, RepliconError
from tasks.connectors.replicon.users import RepliconUsers
from tasks.model import STRING, STRINGS, BadInputError
from tests.connectors.replicon.scripted import ScriptedReplicon, failure, scripted

BULK = "ImportService1.BulkGetUsers3"
LIST = "UserListService1.GetData"
ME = "UserAccessControlService1.GetMyActualUserIdentity"
TODAY = dt.date(2026, 6, 15)


def uri(number: int) -> str:
    return f"urn:replicon-tenant:slug:user:{number}"


def item(number: int, **details: Any) -> dict[str, Any]:
    return {
        "userDetails": {"uri": uri(number), "firstName": f"First{number}", "employeeId": f"E{number}", **details},
        "securityConfiguration": {"loginName": f"user{number}@acme.test", "isLoginEnabled": True},
    }


def users_of(replicon: ScriptedReplicon, *attributes: str) -> RepliconUsers:
    return RepliconUsers(replicon.client(attempts=1), frozenset(attributes), today=TODAY)


def series(*values: str) -> pd.Series:
    return pd.Series(list(values), dtype=STRING)


def numbers(frame: pd.DataFrame) -> list[int]:
    return sorted(int(target.rpartition(":")[2]) for target in frame["target_uri"])


def bulk(there: dict[int, dict[str, Any]], hidden: frozenset[int] = frozenset()) -> Callable[[Any], Any]:
    """Answer a bulk read by URI: null slots for the unknown, no slot at all for the hidden."""

    def answer(body: Any) -> list[Any]:
        asked = [int(target["uri"].rpartition(":")[2]) for target in body["users"]]
        return [there.get(number) for number in asked if number not in hidden]

    return answer


def pages(*rows: tuple[str, ...]) -> Callable[[Any], Any]:
    """Answer a list with these rows on the first page and nothing on the others; the first cell is a URI."""

    def answer(body: Any) -> dict[str, Any]:
        shown = rows if body["page"] == 1 else ()
        return {"rows": [{"cells": [{"uri": row[0]}, *({"textValue": text} for text in row[1:])]} for row in shown]}

    return answer


def test_null_slots_are_accounts_that_are_gone() -> None:
    with scripted({BULK: bulk({1: item(1), 3: item(3)})}) as replicon:
        frame = users_of(replicon, "FirstName").read(series(uri(1), uri(2), uri(3)))
    assert dict(zip(frame["target_uri"], frame["FirstName"], strict=True)) == {uri(1): "First1", uri(3): "First3"}


def test_shifted_slots_give_nobody_the_values_of_another() -> None:
    there = {number: item(number) for number in range(1, 9)}
    with scripted({BULK: bulk(there, hidden=frozenset({2, 5}))}) as replicon:
        users = users_of(replicon, "FirstName")
        frame = users.read(series(*map(uri, range(1, 10))))
    assert numbers(frame) == [1, 3, 4, 6, 7, 8]
    assert (frame["FirstName"] == "First" + frame["target_uri"].str.rpartition(":")[2]).all()
    assert users.withheld == {uri(2), uri(5)}


def test_accounts_that_were_not_asked_for_are_left_out() -> None:
    with scripted({BULK: lambda _: [item(7), item(1)]}) as replicon:
        assert numbers(users_of(replicon).read(series(uri(1), uri(2)))) == [1]


@pytest.mark.parametrize("named", [True, False])
def test_a_deleted_account_that_fails_the_whole_call_costs_only_itself(named: bool) -> None:
    def answer(body: Any) -> Any:
        asked = [target["uri"] for target in body["users"]]
        if uri(2) not in asked:
            return [item(int(each.rpartition(":")[2])) for each in asked]
        details = {"uri": uri(2)} if named else {}
        return failure(400, {"code": "Client", "type": "UriError1", "details": details})

    with scripted({BULK: answer}) as replicon:
        assert numbers(users_of(replicon).read(series(*map(uri, range(1, 6))))) == [1, 3, 4, 5]


def test_a_slice_of_which_nobody_is_left_ends() -> None:
    answer = failure(400, {"code": "Client", "type": "UriError1"})
    with scripted({BULK: lambda _: answer}) as replicon:
        assert users_of(replicon).read(series(*map(uri, range(reading.SLICE)))).empty
        assert len(replicon.calls(BULK)) < 2 * reading.SLICE


def test_reading_nobody_asks_nothing_and_gives_typed_columns() -> None:
    with scripted() as replicon:
        frame = users_of(replicon, "PermissionSets", "Department", "SsoName").read(series())
        assert replicon.requests == []
    assert (frame["PermissionSets"].dtype, frame["Department"].dtype) == (STRINGS, STRING)
    assert "SsoName" not in frame


def test_many_accounts_are_read_in_slices() -> None:
    many = range(1, 2 * reading.SLICE + 2)
    with scripted({BULK: bulk({number: item(number) for number in many})}) as replicon:
        frame = users_of(replicon).read(series(*map(uri, many)))
        sizes = sorted(len(body["users"]) for body in replicon.calls(BULK))
    assert (len(frame), sizes) == (len(many), [1, reading.SLICE, reading.SLICE])


def test_every_target_of_a_bulk_read_has_exactly_one_identifier() -> None:
    with scripted({BULK: bulk({1: item(1)})}) as replicon:
        users_of(replicon).read(series(uri(1)))
        [body] = replicon.calls(BULK)
    assert [{name for name, value in target.items() if value is not None} for target in body["users"]] == [{"uri"}]


def test_a_login_name_is_searched_for_where_a_direct_look_up_minds_letter_case() -> None:
    def answer(body: Any) -> list[Any]:
        return [item(1) if target["uri"] == uri(1) else None for target in body["users"]]

    scripts = {
        BULK: answer,
        LIST: pages((uri(1), "USER1@acme.test")),
        ME: lambda _: {"uri": uri(9), "loginName": "svc"},
    }
    with scripted(scripts) as replicon:
        users = users_of(replicon)
        found = users.find("LoginName", series("User1@acme.test"))
        assert len(users.find("LoginName", series("User1@acme.test"))) == 1
        assert len(replicon.calls(ME)) == 1
    assert numbers(found) == [1]


def test_a_login_name_is_not_searched_for_where_a_direct_look_up_knows_best() -> None:
    def answer(body: Any) -> list[Any]:
        return [item(9) if target["loginName"] == "SVC" else None for target in body["users"]]

    with scripted({BULK: answer, ME: lambda _: {"uri": uri(9), "loginName": "svc"}}) as replicon:
        assert users_of(replicon).find("LoginName", series("nobody@acme.test")).empty
        assert replicon.calls(LIST) == []


def test_everyone_who_shares_an_employee_id_is_found() -> None:
    def answer(body: Any) -> list[Any]:
        by_uri = {uri(1): item(1, employeeId="E9"), uri(2): item(2, employeeId="E9")}
        return [by_uri.get(target["uri"] or uri(1)) for target in body["users"]]

    with scripted({BULK: answer, LIST: pages((uri(1), "E9"), (uri(2), "E9"))}) as replicon:
        assert numbers(users_of(replicon).find("EmployeeId", series("E9"))) == [1, 2]


def test_an_e_mail_search_is_checked_again_for_equality() -> None:
    there = {
        1: item(1, emailAddress="Jane@acme.test"),
        2: item(2, emailAddress="jane@acme.test.example"),
    }
    rows = pages((uri(1), "Jane@acme.test"), (uri(2), "jane@acme.test.example"))
    with scripted({BULK: bulk(there), LIST: rows}) as replicon:
        found = users_of(replicon, "EmailAddress").find("EmailAddress", series("jane@acme.test", "x@acme.test"))
        body = replicon.calls(LIST)[0]["filterExpression"]
    assert numbers(found) == [1]
    assert body["operatorUri"] == "urn:replicon:filter-operator:or"
    assert body["leftExpression"]["operatorUri"] == "urn:replicon:filter-operator:equal"
    assert body["rightExpression"]["rightExpression"] == {"value": {"text": "x@acme.test"}}


def test_many_values_are_found_by_reading_the_list_once() -> None:
    wanted = [f"e{number}@acme.test" for number in range(reading.LISTED_FROM)]
    there = {5: item(5, emailAddress="e5@acme.test")}
    rows = pages((uri(5), "e5@acme.test"), (uri(6), "other@acme.test"))
    with scripted({BULK: bulk(there), LIST: rows}) as replicon:
        found = users_of(replicon, "EmailAddress").find("EmailAddress", series(*wanted))
        assert len(replicon.calls(LIST)) == 2
        assert len(replicon.calls(BULK)) == 1
    assert numbers(found) == [5]


def test_accounts_cannot_be_found_by_an_attribute_that_does_not_match() -> None:
    with scripted() as replicon, pytest.raises(BadInputError, match="match by one of LoginName, EmployeeId, Email"):
        users_of(replicon).find("Department", series("Sales"))


def test_the_whole_list_is_read_until_a_page_is_empty_and_repeated_pages_count_once() -> None:
    first, second = [1, 2], [3]
    by_page = {1: first, 2: first, 3: second}

    def answer(body: Any) -> dict[str, Any]:
        return {"rows": [{"cells": [{"uri": uri(number)}]} for number in by_page.get(body["page"], [])]}

    there = {number: item(number) for number in (1, 2, 3)}
    with scripted({BULK: bulk(there), LIST: answer}) as replicon:
        assert numbers(users_of(replicon).read_all()) == [1, 2, 3]


def test_a_list_that_repeats_itself_for_ever_is_a_failure() -> None:
    answer = {"rows": [{"cells": [{"uri": uri(1)}]}]}
    with scripted({LIST: lambda _: answer}) as replicon, pytest.raises(RepliconError) as caught:
        users_of(replicon).read_all()
    assert caught.value.kind is Failure.PROTOCOL


@pytest.mark.parametrize("answer", [None, {"rows": None}, {"rows": [{"cells": []}]}, {"rows": [{"cells": None}]}, []])
def test_a_list_of_an_unknown_shape_is_a_failure_not_an_empty_tenant(answer: Any) -> None:
    with scripted({LIST: lambda _: answer}) as replicon, pytest.raises(RepliconError) as caught:
        users_of(replicon).read_all()
    assert caught.value.kind is Failure.PROTOCOL


def test_a_bulk_read_without_a_list_is_a_failure_not_vanished_accounts() -> None:
    with scripted({BULK: lambda _: None}) as replicon, pytest.raises(RepliconError) as caught:
        users_of(replicon).read(series(uri(1)))
    assert caught.value.kind is Failure.PROTOCOL


def test_a_missing_permission_stops_the_read() -> None:
    answer = failure(400, {"code": "Sender", "type": "AuthorizationError1"})
    with scripted({BULK: lambda _: answer}) as replicon, pytest.raises(NotPermittedError, match="permission set"):
        users_of(replicon).read(series(uri(1)))


def test_progress_is_told_while_reading() -> None:
    told: list[tuple[str, int, int | None, str]] = []
    many = [uri(number) for number in range(reading.SLICE + 1)]

    def progress(stage: str, done: int, total: int | None, note: str = "") -> None:
        told.append((stage, done, total, note))

    with scripted({BULK: bulk({})}) as replicon:
        users_of(replicon).read(series(*many), progress)
    assert [(done, total) for _, done, total, _ in told] == [(reading.SLICE, len(many)), (len(many), len(many))]
