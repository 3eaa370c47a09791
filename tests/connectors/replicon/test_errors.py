"""Every documented failure of Replicon is recognised on the wire, with a code, a remedy and the right next step."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from tasks.connectors.replicon.errors import (
    TRAITS,
    Failure,
    Fault,
    NotPermittedError,
    ObjectRefusedError,
    RepliconError,
    StopJobError,
    TryLaterError,
    error_of,
)
from tests.connectors.replicon.scripted import ScriptedReplicon, failure, scripted

UPSERT = "ImportService2.CreateUserOrApplyModifications"
AUTHENTICATION = "urn:replicon-saas-security:authentication-error:"


def upsert(replicon: ScriptedReplicon) -> None:
    service, operation = UPSERT.split(".")
    replicon.client().send(service, operation, b"{}")


def typed(type_: str, *, code: str = "Sender", reason: str = "", **details: Any) -> dict[str, Any]:
    return {"code": code, "reason": reason, "details": details, "type": type_}


DOCUMENTED: dict[str, tuple[int, dict[str, Any], Failure, type[RepliconError], bool]] = {
    "missing parameter": (
        400,
        typed("MissingRequiredParameterError1", displayText="Unit Of Work Id must be a non-empty string value"),
        Failure.MISSING_VALUE,
        ObjectRefusedError,
        False,
    ),
    "no identifier": (400, typed("InvalidUserTargetParameterError1"), Failure.INVALID, ObjectRefusedError, False),
    "two identifiers": (
        500,
        typed("", displayText="invalid target fields specified", target={"employeeId": "1"}),
        Failure.INVALID,
        ObjectRefusedError,
        False,
    ),
    "bad section": (
        400,
        typed("InvalidUserTimeZoneModificationParameterError1", displayText="Invalid parameters"),
        Failure.INVALID,
        ObjectRefusedError,
        False,
    ),
    "unknown uri": (
        400,
        typed("UriError1", code="Client", reason="URI not found : Incorrect URI Type : urn:x", uri="urn:x"),
        Failure.UNKNOWN_URI,
        ObjectRefusedError,
        False,
    ),
    "uri of another tenant": (
        400,
        typed("", reason="Invalid Tenant Selected"),
        Failure.UNKNOWN_URI,
        ObjectRefusedError,
        False,
    ),
    "duplicate login": (
        400,
        typed("SomethingError1", reason="The specified user already exists."),
        Failure.DUPLICATE_LOGIN,
        ObjectRefusedError,
        False,
    ),
    "duplicate login on 500": (
        500,
        typed("", code="Client", reason="The specified user already exists."),
        Failure.DUPLICATE_LOGIN,
        ObjectRefusedError,
        False,
    ),
    "no permission": (400, typed("AuthorizationError1"), Failure.PERMISSION, NotPermittedError, False),
    "no permission by status": (403, {}, Failure.PERMISSION, NotPermittedError, False),
    "sign-in by type": (400, typed("AuthenticationError1"), Failure.SIGN_IN, StopJobError, False),
    "sign-in by status": (401, {}, Failure.SIGN_IN, StopJobError, False),
    "validation": (
        400,
        {
            "code": "Sender",
            "details": {"notifications": [{"displayText": "no", "failureUri": "urn:replicon:validation-failure:x"}]},
        },
        Failure.INVALID,
        ObjectRefusedError,
        False,
    ),
    "rate limit": (429, {}, Failure.THROTTLED, TryLaterError, False),
    "time-out": (500, typed("OperationExecutionTimeoutError1"), Failure.TIME_OUT, TryLaterError, True),
    "gateway time-out": (504, {}, Failure.TIME_OUT, TryLaterError, True),
    "internal fault": (500, {"code": "InternalServiceFault", "reason": "…"}, Failure.INTERNAL, TryLaterError, True),
    "internal fault on 200": (200, {"code": "InternalServiceFault"}, Failure.INTERNAL, TryLaterError, True),
    "undescribed 500": (500, {}, Failure.INTERNAL, TryLaterError, True),
    "unavailable": (503, {}, Failure.UNAVAILABLE, TryLaterError, True),
    "no such page": (404, {}, Failure.PROTOCOL, TryLaterError, True),
}


@pytest.mark.parametrize("name", DOCUMENTED)
def test_a_documented_failure_is_recognised(name: str) -> None:
    status, error, kind, family, unknown = DOCUMENTED[name]
    with scripted({UPSERT: lambda _: failure(status, error)}) as replicon, pytest.raises(RepliconError) as caught:
        upsert(replicon)
    assert (caught.value.kind, type(caught.value), caught.value.outcome_unknown) == (kind, family, unknown)


@pytest.mark.parametrize(
    ("end", "remedy"),
    [
        ("invalid-user-name-or-password", "Check the login name and password"),
        ("password-expired", "new password"),
        ("user-disabled", "Enable the account"),
        ("tenant-disabled", "switched this tenant off"),
        ("no-authentication-credentials-provided", "Check the login name and password"),
        ("invalid-authentication-protocol", "Replicon's own authentication"),
        ("unknown-error", "Check the login name and password"),
    ],
)
def test_a_refused_sign_in_says_what_to_do_about_its_cause(end: str, remedy: str) -> None:
    error = typed("AuthenticationError1", displayText="Authentication error", failureUri=AUTHENTICATION + end)
    with scripted({UPSERT: lambda _: failure(401, error)}) as replicon, pytest.raises(StopJobError) as caught:
        upsert(replicon)
    assert remedy in str(caught.value)
    assert end in str(caught.value)


def test_an_error_text_is_one_paragraph_with_operation_cause_facts_and_remedy() -> None:
    error = typed("UriError1", code="Client", reason="URI not found", displayText="Incorrect URI Type", uri="urn:x")
    with scripted({UPSERT: lambda _: failure(400, error)}) as replicon, pytest.raises(RepliconError) as caught:
        upsert(replicon)
    assert str(caught.value) == (
        "Replicon, ImportService2.CreateUserOrApplyModifications: something the account refers to is not there: "
        "Incorrect URI Type (HTTP 400, UriError1, correlation id 39d4aa00000000000000000000000000). "
        "Create it in Replicon, or correct the mapping."
    )


def test_retry_after_is_kept_for_the_caller() -> None:
    answer = failure(429, {}, **{"retry-after": "12"})
    with scripted({UPSERT: lambda _: answer}) as replicon, pytest.raises(TryLaterError) as caught:
        upsert(replicon)
    assert caught.value.retry_after == 12


@pytest.mark.parametrize("kind", Failure)
def test_every_kind_has_a_code_and_a_remedy_and_survives_pickling(kind: Failure) -> None:
    error = error_of(Fault(kind, "Service1.Operation", "it said so", outcome_unknown=True))
    again = pickle.loads(pickle.dumps(error))
    assert (str(again), again.error_code, again.remedy) == (str(error), TRAITS[kind].error_code, TRAITS[kind].remedy)


@pytest.mark.parametrize("error", ["text", [1], 7])
def test_an_error_of_an_unknown_shape_is_still_an_error(error: Any) -> None:
    with scripted({UPSERT: lambda _: failure(200, error)}) as replicon, pytest.raises(RepliconError) as caught:
        upsert(replicon)
    assert caught.value.kind is Failure.PROTOCOL
