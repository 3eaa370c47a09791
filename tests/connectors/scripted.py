"""A loopback HTTP server that answers from a script, for tests of the HTTP layer alone."""

from __future__ import annotations

import dataclasses
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclasses.dataclass(frozen=True)
class Answer:
    """One scripted answer; `reset` ends the connection instead, `promised` is the Content-Length to lie about."""

    status: int = 200
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    body: bytes = b"{}"
    reset: bool = False
    promised: int | None = None


class ScriptedServer:
    """Gives its `answers` one by one, the last one for ever; keeps what was `received` (method, path, headers)."""

    def __init__(self, answers: list[Answer]) -> None:
        self.answers = answers
        self.received: list[tuple[str, str, dict[str, str]]] = []
        self.url = ""

    def next(self) -> Answer:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@contextmanager
def scripted(*answers: Answer) -> Iterator[ScriptedServer]:
    script = ScriptedServer(list(answers))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            script.received.append((self.command, self.path, dict(self.headers)))
            answer = script.next()
            if answer.reset:
                self.connection.shutdown(socket.SHUT_RDWR)
                self.close_connection = True
                return
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(answer.promised or len(answer.body)))
            self.end_headers()
            self.wfile.write(answer.body)
            self.close_connection = answer.promised is not None

        do_GET = do_POST = do_DELETE = answer  # noqa: N815  # the names that the base class looks for

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
            """Keep quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    script.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield script
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
