"""The HTTP layer over loopback: when it sends again, how long it waits, where credentials go, what errors say."""

from __future__ import annotations

import datetime as dt
import email.utils
import socket
from pathlib import Path

import pytest

from tasks.connectors.http import (
    NO_RETRIES,
    ForbiddenHostError,
    HttpSession,
    ReadOnlyError,
    RetryPolicy,
    TransportError,
    origin,
    retry_after,
)
from tasks.model import BadInputError
from tests.connectors.scripted import Answer, scripted

SECRET = "Bearer s3cr3t"
DONE = Answer(body=b'{"done": true}')


def test_a_429_is_waited_out_as_long_as_retry_after_says() -> None:
    waits: list[float] = []
    with scripted(Answer(429, {"Retry-After": "7"}), DONE) as server:
        response = HttpSession([server.url], wait=waits.append).request("GET", server.url)
    assert response.json() == {"done": True}
    assert 7 <= waits[0] <= 8


def test_a_429_without_retry_after_is_waited_out_with_growing_pauses() -> None:
    waits: list[float] = []
    policy = RetryPolicy(attempts=5, first_wait=1.0, longest_wait=3.0)
    with scripted(Answer(429), Answer(429), Answer(429), Answer(429), DONE) as server:
        HttpSession([server.url], wait=waits.append).request("GET", server.url, retry=policy)
    ceilings = [1.0, 2.0, 3.0, 3.0]
    assert all(ceiling / 2 <= wait <= ceiling for wait, ceiling in zip(waits, ceilings, strict=True))


def test_a_retry_after_beyond_the_cap_hands_the_answer_back_without_waiting() -> None:
    waits: list[float] = []
    with scripted(Answer(429, {"Retry-After": "86400"})) as server:
        response = HttpSession([server.url], wait=waits.append).request("GET", server.url)
    assert (response.status_code, waits, len(server.received)) == (429, [], 1)


def test_the_last_attempt_hands_its_answer_back() -> None:
    with scripted(Answer(503)) as server:
        session = HttpSession([server.url], wait=lambda _: None)
        response = session.request("GET", server.url, retry=RetryPolicy(attempts=3))
    assert (response.status_code, len(server.received), session.sent) == (503, 3, 3)


def test_a_lost_connection_is_tried_again() -> None:
    with scripted(Answer(reset=True), DONE) as server:
        response = HttpSession([server.url], wait=lambda _: None).request("GET", server.url)
    assert response.json() == {"done": True}


def test_a_body_that_ends_early_is_tried_again() -> None:
    with scripted(Answer(body=b'{"half', promised=500), DONE) as server:
        response = HttpSession([server.url], wait=lambda _: None).request("GET", server.url)
    assert response.json() == {"done": True}


def test_a_write_whose_answer_was_lost_is_not_sent_again_and_its_outcome_is_unknown() -> None:
    policy = RetryPolicy(after_lost_answer=False)
    with scripted(Answer(reset=True), DONE) as server:
        session = HttpSession([server.url], wait=lambda _: None)
        with pytest.raises(TransportError) as raised:
            session.request("POST", server.url, retry=policy)
    assert (raised.value.sent, len(server.received)) == (True, 1)


def closed_port() -> str:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


def test_a_refused_connection_was_never_sent() -> None:
    url = closed_port()
    with pytest.raises(TransportError, match="refused") as raised:
        HttpSession([url]).request("GET", url, retry=NO_RETRIES)
    assert raised.value.sent is False


def test_an_unknown_host_says_so() -> None:
    url = "https://no-such-host.invalid"
    with pytest.raises(TransportError, match="host name is not known") as raised:
        HttpSession([url]).request("GET", url, retry=NO_RETRIES)
    assert raised.value.sent is False


def test_a_silent_end_is_given_up_after_the_read_time_out() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(TransportError, match=r"silent for 0\.05 s") as raised:
            HttpSession([url]).request("GET", url, retry=NO_RETRIES, read_seconds=0.05)
    assert raised.value.sent is True


def test_a_request_to_another_host_is_not_sent() -> None:
    with scripted(DONE) as server, pytest.raises(ForbiddenHostError, match="was not sent"):
        HttpSession(["https://graph.example"]).request("GET", server.url, headers={"Authorization": SECRET})
    assert server.received == []


def test_a_host_that_was_checked_may_be_added() -> None:
    with scripted(DONE) as server:
        session = HttpSession(["https://graph.example"])
        session.allow(server.url)
        assert session.request("GET", server.url).status_code == 200


def test_a_redirect_is_not_followed() -> None:
    with scripted(Answer(302, {"Location": "https://elsewhere.example/"})) as server:
        response = HttpSession([server.url]).request("GET", server.url, headers={"Authorization": SECRET})
    assert (response.status_code, len(server.received)) == (302, 1)


@pytest.mark.parametrize(("method", "writes"), [("POST", None), ("DELETE", None), ("GET", True)])
def test_a_read_only_session_sends_no_write(method: str, writes: bool | None) -> None:
    with scripted(DONE) as server, pytest.raises(ReadOnlyError):
        HttpSession([server.url], read_only=True).request(method, server.url, writes=writes)
    assert server.received == []


@pytest.mark.parametrize(("method", "writes"), [("GET", None), ("POST", False)])
def test_a_read_only_session_sends_reads(method: str, writes: bool | None) -> None:
    with scripted(DONE) as server:
        response = HttpSession([server.url], read_only=True).request(method, server.url, writes=writes)
    assert response.status_code == 200


def test_an_error_shows_neither_credentials_nor_query_and_chains_no_request() -> None:
    url = closed_port()
    session = HttpSession([url])
    with pytest.raises(TransportError) as raised:
        session.request("GET", f"{url}/path?token=abc", headers={"Authorization": SECRET}, retry=NO_RETRIES)
    assert raised.value.__suppress_context__
    assert not [word for word in ("s3cr3t", "abc") if word in str(raised.value)]


def test_cookies_are_not_kept() -> None:
    with scripted(Answer(headers={"Set-Cookie": "session=1; Path=/"}), DONE) as server:
        session = HttpSession([server.url])
        session.request("GET", server.url)
        session.request("GET", server.url)
    assert "Cookie" not in server.received[1][2]


def test_a_netrc_entry_does_not_replace_the_sign_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login eve password other\n")
    monkeypatch.setenv("NETRC", str(netrc))
    with scripted(DONE) as server:
        HttpSession([server.url]).request("GET", server.url, headers={"Authorization": SECRET})
    assert server.received[0][2]["Authorization"] == SECRET


def test_a_loopback_address_is_not_asked_of_the_environments_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy"):
        monkeypatch.setenv(name, closed_port())
    with scripted(DONE) as server:
        assert HttpSession([server.url]).request("GET", server.url, retry=NO_RETRIES).status_code == 200


def test_a_ca_file_that_holds_no_certificate_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("nothing")
    with pytest.raises(BadInputError, match="ca_file"):
        HttpSession(["https://graph.example"], ca_file=file)


def test_a_retry_after_date_is_read_as_time_from_now() -> None:
    later = dt.datetime.now(dt.UTC) + dt.timedelta(seconds=90)
    seconds = retry_after(email.utils.format_datetime(later, usegmt=True))
    assert seconds is not None
    assert 60 < seconds <= 90


@pytest.mark.parametrize("value", [None, "", "soon", "-3"])
def test_an_unreadable_retry_after_is_none(value: str | None) -> None:
    assert retry_after(value) is None


def test_an_origin_always_has_its_port() -> None:
    assert origin("https://user:pw@graph.example/v1.0?x=1") == "https://graph.example:443"


def test_an_address_without_a_host_is_refused() -> None:
    with pytest.raises(BadInputError):
        origin("graph.example")
