"""The client finds the tenant, signs in there and nowhere else, repeats reads only, and keeps secrets to itself."""

from __future__ import annotations

import base64
import logging
import pickle
import traceback

import pytest

from deployments.sandbox.wire import Response
from tasks.connectors.replicon.client import RepliconClient, checked_root
from tasks.connectors.replicon.errors import Failure, RepliconError, StopJobError, TryLaterError
from tasks.job import PasswordSignIn, RepliconTarget, SecretReference
from tasks.model import BadInputError, ExitCode
from tests.connectors.replicon.scripted import (
    CORRELATION,
    DISCOVERY,
    PASSWORD,
    PASSWORD_VARIABLE,
    enveloped,
    failure,
    one_after_the_other,
    scripted,
)

PING = "UserService1.GetAllUsers"
BUSY = failure(503, {"code": "InternalServiceFault", "reason": "busy"})


def ping(client: RepliconClient) -> object:
    return client.call("UserService1", "GetAllUsers", {})


def refused(client: RepliconClient) -> RepliconError:
    with pytest.raises(RepliconError) as caught:
        ping(client)
    return caught.value


def test_calls_go_to_the_discovered_root_with_basic_sign_in_and_the_application_named() -> None:
    with scripted({PING: lambda _: ["a"]}) as replicon:
        assert ping(replicon.client()) == ["a"]
        request = replicon.requests[-1]
    assert request.path == "/acme/services/UserService1.svc/GetAllUsers"
    expected = base64.b64encode(f"acme\\svc:{PASSWORD}".encode()).decode()
    assert request.headers["authorization"] == f"Basic {expected}"
    assert request.headers["x-replicon-application"].startswith("acme_RepliconProvisioning_")


def test_a_token_is_sent_as_bearer() -> None:
    with scripted({PING: lambda _: []}) as replicon:
        ping(replicon.client(token=True))
        assert replicon.requests[-1].headers["authorization"] == f"Bearer {PASSWORD}"


def test_discovery_is_asked_once_and_without_credentials() -> None:
    with scripted({PING: lambda _: []}) as replicon:
        client = replicon.client()
        ping(client)
        ping(client)
        asked = [request for request in replicon.requests if replicon.endpoint(request) == DISCOVERY]
    assert [("authorization" in request.headers, request.body) for request in asked] == [
        (False, b'{"tenant":{"companyKey":"acme"}}')
    ]


def test_a_root_without_a_path_gets_the_company_key() -> None:
    with scripted({PING: lambda _: []}) as replicon:
        replicon.root = f"{replicon.url}/"
        ping(replicon.client())
        assert replicon.requests[-1].path == "/acme/services/UserService1.svc/GetAllUsers"


@pytest.mark.parametrize(
    "root",
    [
        "https://evil.example/acme/",
        "http://na3.replicon.com/acme/",
        "https://replicon.com.evil.example/acme/",
        "https://evilreplicon.com/acme/",
        "https://na3.replicon.com@evil.example/acme/",
        "https://user:word@na3.replicon.com/acme/",
        "https://evil.example\\.replicon.com/acme/",
        "https://evil.example/.replicon.com/",
        "https://na3.replicon.com:notaport/acme/",
        "ftp://127.0.0.1/acme/",
        "//na3.replicon.com/acme/",
        "",
    ],
)
def test_a_foreign_host_named_by_discovery_is_refused_before_any_credential_is_sent(root: str) -> None:
    with scripted({PING: lambda _: []}, root=root) as replicon:
        replicon.scripts[DISCOVERY] = lambda _: {"applicationRootUrl": root}
        with pytest.raises(StopJobError) as caught:
            ping(replicon.client())
        assert [replicon.endpoint(request) for request in replicon.requests] == [DISCOVERY]
        assert not any("authorization" in request.headers for request in replicon.requests)
    assert caught.value.kind is Failure.FOREIGN_HOST


def test_a_public_discovery_cannot_send_credentials_to_this_machine() -> None:
    with pytest.raises(StopJobError):
        checked_root("http://127.0.0.1:8080/acme/", "https://global.replicon.com", "acme")


def test_a_replicon_host_is_accepted_over_https() -> None:
    root = checked_root("https://na3.replicon.com/acme", "https://global.replicon.com", "acme")
    assert root == "https://na3.replicon.com/acme/"


def test_an_unknown_company_key_says_where_to_correct_it_and_is_not_tried_again() -> None:
    error = {
        "code": "Sender",
        "type": "CompanyKeyError1",
        "details": {
            "companyKey": "acme",
            "displayText": "Unable to locate company 'acme'",
            "failureUri": "urn:replicon-global:company-key-error:unknown-company",
        },
    }
    with scripted({DISCOVERY: lambda _: failure(400, error)}) as replicon:
        with pytest.raises(
            StopJobError, match=r"Unable to locate company 'acme'.*`company_key` in the job file"
        ) as caught:
            ping(replicon.client())
        assert len(replicon.requests) == 1
    assert (caught.value.kind, caught.value.exit_code) == (Failure.COMPANY_KEY, ExitCode.UNREACHABLE)


def test_a_tenant_that_is_switched_off_is_named() -> None:
    details = {"applicationRootUrl": "https://na3.replicon.com/acme/", "tenant": {"isEnabled": False}}
    with scripted({DISCOVERY: lambda _: details}) as replicon, pytest.raises(StopJobError, match="switched off"):
        ping(replicon.client())


def test_a_host_that_nobody_listens_on_is_an_unreachable_end() -> None:
    with scripted() as replicon:
        client = replicon.client()
    with pytest.raises(TryLaterError, match="refused") as caught:
        ping(client)
    assert (caught.value.kind, caught.value.exit_code) == (Failure.UNAVAILABLE, ExitCode.UNREACHABLE)


def test_a_result_without_envelope_is_understood() -> None:
    with scripted({PING: lambda _: Response(200, b'[{"uri": "a"}]')}) as replicon:
        assert ping(replicon.client()) == [{"uri": "a"}]


def test_an_error_on_http_200_is_an_error() -> None:
    answer = failure(200, {"code": "Sender", "type": "AuthorizationError1", "reason": "no"})
    with scripted({PING: lambda _: answer}) as replicon, pytest.raises(RepliconError) as caught:
        ping(replicon.client())
    assert caught.value.kind is Failure.PERMISSION


def test_a_page_that_is_not_json_is_no_success() -> None:
    answer = Response(200, b"<html>Sign in to the guest network</html>")
    with scripted({PING: lambda _: answer}) as replicon, pytest.raises(RepliconError) as caught:
        ping(replicon.client())
    assert caught.value.kind is Failure.PROTOCOL


def test_a_redirect_is_not_followed() -> None:
    answer = Response(302, b"", {"location": "https://evil.example/"})
    with scripted({PING: lambda _: answer}) as replicon, pytest.raises(RepliconError) as caught:
        ping(replicon.client())
    assert (caught.value.kind, caught.value.http_status) == (Failure.PROTOCOL, 302)


def test_a_read_is_repeated_until_it_is_answered() -> None:
    waits: list[float] = []
    with scripted({PING: one_after_the_other(BUSY, BUSY, ["a"])}) as replicon:
        assert ping(replicon.client(waits=waits)) == ["a"]
    assert len(waits) == 2


def test_a_read_waits_at_least_as_long_as_retry_after_says() -> None:
    waits: list[float] = []
    with scripted({PING: one_after_the_other(failure(429, {}, **{"retry-after": "7"}), [])}) as replicon:
        ping(replicon.client(waits=waits))
    assert [wait >= 7 for wait in waits] == [True]


def test_a_read_gives_up_after_the_last_attempt_with_the_last_failure() -> None:
    with scripted({PING: lambda _: BUSY}) as replicon:
        with pytest.raises(TryLaterError):
            ping(replicon.client(attempts=3))
        assert len(replicon.calls(PING)) == 3


@pytest.mark.parametrize("status", [429, 500, 503, 504])
def test_a_write_is_sent_once(status: int) -> None:
    operation = "UserService1.Delete"
    with scripted({operation: lambda _: failure(status, {})}) as replicon:
        with pytest.raises(TryLaterError) as caught:
            replicon.client().send("UserService1", "Delete", b"{}")
        assert len(replicon.calls(operation)) == 1
    assert caught.value.outcome_unknown is (status != 429)


def test_a_write_that_never_left_is_known_not_to_have_happened() -> None:
    with scripted({PING: lambda _: []}) as replicon:
        client = replicon.client()
        ping(client)
    with pytest.raises(TryLaterError) as caught:
        client.send("UserService1", "Delete", b"{}")
    assert not caught.value.outcome_unknown


def test_results_and_errors_keep_the_correlation_id() -> None:
    operation = "UserService1.Delete"
    with scripted({operation: one_after_the_other(enveloped(None), failure(400, {"code": "Sender"}))}) as replicon:
        client = replicon.client()
        assert client.send("UserService1", "Delete", b"{}").correlation_id == CORRELATION
        with pytest.raises(RepliconError, match=CORRELATION) as caught:
            client.send("UserService1", "Delete", b"{}")
    assert caught.value.correlation_id == CORRELATION


@pytest.mark.parametrize("token", [False, True])
def test_secrets_are_in_no_error_and_no_log(token: bool, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    shown: list[str] = []
    answers = one_after_the_other(failure(401, {}), BUSY, Response(200, b"x"), failure(400, {"code": "Sender"}))
    with scripted({PING: answers}) as replicon:
        client = replicon.client(token=token, attempts=1)
        for _ in range(4):
            with pytest.raises(RepliconError) as caught:
                ping(client)
            shown += ["".join(traceback.format_exception(caught.value)), repr(caught.value), repr(client)]
            shown.append(pickle.dumps(caught.value).decode("latin-1"))
    with pytest.raises(RepliconError) as caught:
        ping(client)
    shown += ["".join(traceback.format_exception(caught.value)), caplog.text]
    encoded = base64.b64encode(f"acme\\svc:{PASSWORD}".encode()).decode()
    assert not [text for text in shown if PASSWORD in text or encoded in text]


@pytest.mark.parametrize("answered", [True, False])
def test_no_error_leads_to_the_credentials_by_its_causes_or_frames(answered: bool) -> None:
    encoded = base64.b64encode(f"acme\\svc:{PASSWORD}".encode()).decode()
    with scripted({PING: lambda _: failure(401, {})}) as replicon:
        client = replicon.client()
        if answered:
            caught = refused(client)
    if not answered:
        caught = refused(client)
    frames = [frame for frame, _ in traceback.walk_tb(caught.__traceback__)]
    shown = [repr(value) for frame in frames for value in frame.f_locals.values()]
    assert (caught.__cause__, caught.__context__) == (None, None)
    assert not [text for text in shown if encoded in text]


def test_a_secret_that_is_not_there_is_bad_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(PASSWORD_VARIABLE)
    sign_in = PasswordSignIn(login_name="svc", password=SecretReference(env=PASSWORD_VARIABLE))
    with pytest.raises(BadInputError, match=PASSWORD_VARIABLE):
        RepliconClient(RepliconTarget(company_key="acme", sign_in=sign_in))


def test_a_token_with_a_line_break_is_refused_without_showing_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, "se\ncret")
    with scripted() as replicon, pytest.raises(BadInputError, match="line break") as caught:
        replicon.client(token=True)
    assert "cret" not in str(caught.value).replace("secret", "")
