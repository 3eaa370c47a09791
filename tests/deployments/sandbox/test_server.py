"""The server by itself: loopback only, TLS by its own authority, control paths, ports, work between requests."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from deployments.sandbox.faults import Faults
from deployments.sandbox.server import HOST, Server
from deployments.sandbox.tls import CA_FILE, listen_with_ephemeral_authority
from deployments.sandbox.wire import Request, Response


class Echo:
    """Answers with what it was asked."""

    def __init__(self) -> None:
        self.count = 0

    def endpoint(self, request: Request) -> str:
        return f"echo:{request.path}"

    def handle(self, request: Request) -> Response:
        self.count += 1
        told = "|".join([request.method, request.path, request.query.get("q", ""), request.url, request.body.decode()])
        return Response(200, told.encode(), {"x-count": str(self.count)})


def refuse(request: Request) -> None:
    raise ValueError(f"no {request.query['what']}")


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server(Faults(), {("GET", "hello"): lambda _: {"hello": "you"}, ("POST", "refuse"): refuse})
    server.add("echo", Echo())
    server.start()
    yield server
    server.stop()


def test_a_request_arrives_whole_and_decoded(server: Server) -> None:
    response = requests.post(f"{server.url('echo')}/a%20b", params={"q": "x&ø"}, data="bödy".encode(), timeout=10)
    assert response.content.decode() == f"POST|/a b|x&ø|{server.url('echo')}|bödy"
    assert server.requests == {"echo:/a b": 1}


def test_a_body_of_several_megabytes_arrives_whole(server: Server) -> None:
    body = b"0123456789" * 300_000
    assert requests.post(server.url("echo"), data=body, timeout=10).content.endswith(body)


def test_it_listens_on_loopback_only(server: Server) -> None:
    assert server.url("echo").startswith(f"http://{HOST}:")
    port = int(server.url("echo").rpartition(":")[2])
    # Another address of the loopback network stands for any other address of this machine.
    with socket.socket() as other:
        assert other.connect_ex(("127.0.0.2", port)) != 0


def test_tls_is_trusted_by_its_own_authority_and_nobody_else(tmp_path: Path) -> None:
    context = listen_with_ephemeral_authority(tmp_path)
    server = Server(Faults())
    server.add("echo", Echo(), tls=context)
    server.start()
    try:
        assert server.url("echo").startswith("https://")
        assert requests.get(server.url("echo"), verify=str(tmp_path / CA_FILE), timeout=10).status_code == 200
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(server.url("echo"), timeout=10)
    finally:
        server.stop()


def test_a_port_that_is_taken_is_an_error_and_leaves_nothing_running(server: Server) -> None:
    second = Server(Faults())
    second.add("free", Echo())
    second.add("taken", Echo(), port=int(server.url("echo").rpartition(":")[2]))
    with pytest.raises(OSError, match=HOST):
        second.start()
    with pytest.raises(requests.ConnectionError):
        requests.get(second.url("free"), timeout=10)


def test_control_paths_answer_on_every_listener_and_suffer_no_faults(server: Server) -> None:
    server.faults.add("*", "reset")
    assert requests.get(f"{server.url('echo')}/_sandbox/hello", timeout=10).json() == {"hello": "you"}


def test_a_control_that_refuses_says_why(server: Server) -> None:
    response = requests.post(f"{server.url('echo')}/_sandbox/refuse?what=way", timeout=10)
    assert (response.status_code, response.json()) == (400, {"error": "no way"})


def test_a_control_that_does_not_exist_names_those_that_do(server: Server) -> None:
    response = requests.get(f"{server.url('echo')}/_sandbox/nothing", timeout=10)
    assert response.status_code == 404
    assert "GET /_sandbox/hello" in response.json()["error"]


def test_work_runs_between_two_requests(server: Server) -> None:
    def count() -> int:
        return sum(server.requests.values())

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: requests.get(server.url("echo"), timeout=10), range(20)))
        assert server.run(count) == 20


def test_it_can_be_stopped_twice_and_started_again() -> None:
    server = Server(Faults())
    server.add("echo", Echo())
    server.start()
    port = server.url("echo")
    server.stop()
    server.stop()
    server.start()
    try:
        assert server.url("echo") == port
        assert requests.get(port, timeout=10).status_code == 200
    finally:
        server.stop()
