"""The sandbox's HTTP server: listens on loopback, hands requests to services and lets faults strike.

It knows neither Graph nor Replicon. `Sandbox` puts the services in; `faults` decides what strikes.
"""

from __future__ import annotations

import asyncio
import dataclasses
import random
import socket
import ssl
import struct
import sys
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any, Protocol, TypeVar, runtime_checkable

import orjson
from aiohttp import web

from deployments.sandbox.fault_bodies import ANSWERED_FAULTS, fault_answer
from deployments.sandbox.faults import FaultKind, FaultRule, Faults
from deployments.sandbox.pages import read_page, spoil
from deployments.sandbox.wire import Request, Response, Service

HOST = "127.0.0.1"
"""The only address the sandbox listens on."""
CONTROL_PREFIX = "/_sandbox/"
"""Paths below it steer the sandbox itself, on every listener, and never suffer faults."""

_Result = TypeVar("_Result")
Struck = list[tuple[FaultRule, random.Random]]
Control = Callable[[Request], Any]
"""Answers a request below `/_sandbox/` with something that JSON can hold; `ValueError` becomes a 400."""


@runtime_checkable
class Pretending(Protocol):
    """A service that can answer a write as if it had worked, without doing it."""

    def pretend(self, request: Request) -> Response:
        """Answer as `handle` would and change nothing but what is needed to keep up the appearance."""


@dataclasses.dataclass
class _Listener:
    service: Service
    port: int
    tls: ssl.SSLContext | None
    web_server: web.Server | None = None
    socket_server: asyncio.Server | None = None

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://{HOST}:{self.port}"


class Server:
    """Runs services on loopback ports in a thread of its own; services are called one request at a time."""

    def __init__(self, faults: Faults, controls: Mapping[tuple[str, str], Control] | None = None) -> None:
        self.faults = faults
        self.requests: Counter[str] = Counter()
        """Requests received so far, by endpoint; those that a fault answered included."""
        self._controls = dict(controls or {})
        self._listeners: dict[str, _Listener] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def add(self, name: str, service: Service, *, port: int = 0, tls: ssl.SSLContext | None = None) -> None:
        """Have `service` listened for under `name` from `start` on; port 0 takes any free one."""
        self._listeners[name] = _Listener(service, port, tls)

    def url(self, name: str) -> str:
        """Give the scheme and authority of a listener, such as http://127.0.0.1:8401; known once started."""
        return self._listeners[name].url

    def start(self) -> None:
        """Listen. Raises `OSError` naming the address when a port is taken; nothing is left running then."""
        opened: Future[None] = Future()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._serve, args=(opened,), name="sandbox", daemon=True)
        self._thread.start()
        try:
            opened.result()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop listening, end the open connections and wait until all of it is done."""
        loop, thread = self._loop, self._thread
        if loop is None or thread is None:
            return
        asyncio.run_coroutine_threadsafe(self._close(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
        self._loop = self._thread = None

    def run(self, function: Callable[[], _Result]) -> _Result:
        """Call `function` between two requests and give its result, so that it sees and changes services safely."""
        if self._loop is None:
            return function()

        async def call() -> _Result:
            return function()

        return asyncio.run_coroutine_threadsafe(call(), self._loop).result()

    def _serve(self, opened: Future[None]) -> None:
        loop = self._loop
        assert loop is not None
        asyncio.set_event_loop(loop)
        try:
            loop.run_until_complete(self._open())
        except BaseException as error:  # noqa: BLE001 - told to the thread that waits in start()
            opened.set_exception(error)
        else:
            opened.set_result(None)
        loop.run_forever()

    async def _open(self) -> None:
        loop = asyncio.get_running_loop()
        for listener in self._listeners.values():
            listener.web_server = web.Server(self._handler(listener), access_log=None)
            listener.socket_server = await loop.create_server(
                listener.web_server, HOST, listener.port, ssl=listener.tls, backlog=1024
            )
            listener.port = listener.socket_server.sockets[0].getsockname()[1]

    async def _close(self) -> None:
        for listener in self._listeners.values():
            if listener.socket_server is not None:
                listener.socket_server.close()
            if listener.web_server is not None:
                await listener.web_server.shutdown(timeout=0.2)
            listener.socket_server = listener.web_server = None
        mine = asyncio.current_task()
        for task in asyncio.all_tasks():
            if task is not mine:
                task.cancel()

    def _handler(self, listener: _Listener) -> Callable[[web.BaseRequest], Any]:
        async def handle(http: web.BaseRequest) -> web.StreamResponse:
            request = Request(
                method=http.method,
                path=http.path,
                query=dict(http.query),
                headers={name.lower(): value for name, value in http.headers.items()},
                # Not http.read(), which refuses bodies over 1 MiB: bulk reads may ask for thousands of users.
                body=await http.content.read() if http.can_read_body else b"",
                url=f"{'https' if listener.tls else 'http'}://{http.headers.get('Host', HOST)}",
            )
            if request.path.startswith(CONTROL_PREFIX):
                return _plain(self._control(request))
            return await self._answer(http, request, listener.service)

        return handle

    async def _answer(self, http: web.BaseRequest, request: Request, service: Service) -> web.StreamResponse:
        endpoint = service.endpoint(request)
        self.requests[endpoint] += 1
        struck = self.faults.strike(endpoint, request, pages=False)
        if not struck:
            response: Response | None = service.handle(request)
        else:
            response = await _respond_struck(struck, endpoint, request, service)
        if response is None:
            return _reset(http)
        if not self.faults.watches_pages or read_page(response) is None:
            return _plain(response)
        cut_short = False
        for rule, chance in self.faults.strike(endpoint, request, pages=True):
            if rule.kind is FaultKind.TRUNCATED_PAGE and rule.cut == "body":
                cut_short = True
            else:
                response = spoil(rule, chance, request, response, service)
        return await _cut_short(http, response) if cut_short else _plain(response)

    def _control(self, request: Request) -> Response:
        control = self._controls.get((request.method, request.path.removeprefix(CONTROL_PREFIX)))
        if control is None:
            known = ", ".join(f"{method} {CONTROL_PREFIX}{path}" for method, path in sorted(self._controls))
            return _json(404, {"error": f"{request.method} {request.path} does not exist; there are: {known}"})
        try:
            return _json(200, control(request))
        except ValueError as error:
            return _json(400, {"error": str(error)})


async def _respond_struck(struck: Struck, endpoint: str, request: Request, service: Service) -> Response | None:
    """Give the answer after the faults had their way; null when the connection is to end without one."""
    handle, lost = service.handle, False
    for rule, chance in struck:
        if rule.kind is FaultKind.LATENCY:
            await asyncio.sleep(max(0.0, rule.seconds + chance.uniform(-rule.jitter, rule.jitter)))
        elif rule.kind is FaultKind.RESET:
            return None
        elif rule.kind is FaultKind.NOT_APPLIED and isinstance(service, Pretending):
            handle = service.pretend
        elif rule.kind is FaultKind.LOST_RESPONSE:
            lost = True
        elif rule.kind in ANSWERED_FAULTS:
            if rule.committed:
                handle(request)
            if rule.seconds:
                await asyncio.sleep(rule.seconds)
            return fault_answer(rule, endpoint, request)
    response = handle(request)
    return None if lost else response


def _json(status: int, value: Any) -> Response:
    return Response(status, orjson.dumps(value), {"content-type": "application/json; charset=utf-8"})


def _plain(response: Response) -> web.Response:
    return web.Response(status=response.status, body=response.body, headers=response.headers)


def _reset(http: web.BaseRequest) -> web.Response:
    """Reset the connection, as a lost peer or a proxy that restarts does."""
    if http.transport is not None:
        connection = http.transport.get_extra_info("socket")
        if connection is not None:
            # Without lingering, closing sends RST instead of an orderly end.
            linger = struct.pack("hh" if sys.platform == "win32" else "ii", 1, 0)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        http.transport.abort()
    return web.Response()


async def _cut_short(http: web.BaseRequest, response: Response) -> web.StreamResponse:
    """Send half of the body that the headers promise, and hang up."""
    answer = web.StreamResponse(status=response.status, headers=response.headers)
    answer.content_length = len(response.body)
    await answer.prepare(http)
    await answer.write(response.body[: len(response.body) // 2])
    if http.transport is not None:
        http.transport.close()
    return answer
