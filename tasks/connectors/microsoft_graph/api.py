"""Single requests to Microsoft Graph: signed, retried, and turned into bodies or typed errors. Reads only.

Listings and the client build on it; what the objects mean is not known here.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from typing import Any, Final

import orjson
import requests

from tasks.connectors.http import HttpSession, RetryPolicy, retry_after, shown
from tasks.connectors.microsoft_graph.errors import BrokenAnswerError, SignInError, error_of
from tasks.connectors.microsoft_graph.permissions import Reading
from tasks.connectors.microsoft_graph.sign_in import Tokens

RETRIES: Final = RetryPolicy(attempts=7, statuses=frozenset({429, 500, 502, 503, 504}))
"""For every read: it changes nothing, so that any failure of the moment may be tried again."""
PARTS_PER_BATCH: Final = 20
"""Requests that one $batch may hold (Microsoft Graph, "Combine multiple HTTP requests using JSON batching")."""

_UNREADABLE_ATTEMPTS: Final = 4
_QUOTA_SECONDS: Final = 10.0
_USED_TOO_FAST: Final = 0.8
"""Share of the quota from which Graph tells how much is used ("Microsoft Graph service-specific throttling limits")."""
_QUOTA_HEADER: Final = "x-ms-throttle-limit-percentage"
_NO_COUNT: Final = frozenset({400, 403, 404, 405, 501})


@dataclasses.dataclass(frozen=True)
class Part:
    """One answer within a $batch."""

    status: int
    """HTTP's; 0 when the batch had no whole answer for it."""
    body: Mapping[str, Any]

    @property
    def problem(self) -> str:
        """Say what Graph answered instead of the object."""
        return "no whole answer" if not self.status else "{} {}: {}".format(self.status, *_code_and_message(self.body))


class GraphApi:
    """Microsoft Graph v1.0 at one host, as one signed-in application. Safe to use from several threads."""

    def __init__(
        self,
        http: HttpSession,
        tokens: Tokens,
        graph_url: str,
        wait: Callable[[float], None] = time.sleep,
        attempts: int = RETRIES.attempts,
    ) -> None:
        self._http = http
        self._tokens = tokens
        self._base = f"{graph_url}/v1.0"
        self._wait = wait
        self._retries = dataclasses.replace(RETRIES, attempts=attempts)

    def get(
        self, path: str, reading: Reading, params: Mapping[str, str] | None = None, *, holding: str = ""
    ) -> Mapping[str, Any]:
        """Read one object or page: `path` begins with / or is a whole link that Graph gave.

        `holding` names a member that the body must have to be whole. Raises the errors of `errors.error_of`,
        `SignInError`, and `BrokenAnswerError` when the answer stays unreadable.
        """
        url = self._base + path if path.startswith("/") else path
        return self._readable("GET", url, reading, params=params, holding=holding)

    def count(self, path: str, reading: Reading) -> int | None:
        """Give Graph's own count of a collection, or null where it gives none.

        (Microsoft Graph, "Advanced query capabilities on directory objects".)
        """
        response = self._send(
            "GET",
            self._base + path,
            params={"$count": "true", "$top": "1", "$select": "id"},
            headers={"ConsistencyLevel": "eventual"},
        )
        if response.status_code in _NO_COUNT:
            return None
        if response.status_code != 200:
            raise self._error(response, reading)
        count = (_json_object(response) or {}).get("@odata.count")
        return count if isinstance(count, int) else None

    def batch(self, paths: Sequence[str], reading: Reading, pool: Executor, *, holding: str) -> list[Part]:
        """Read any number of paths, 20 a request and requests side by side; parts come in the order of `paths`.

        Parts that fail for the moment are asked again, the others not; what still fails keeps its status. `holding`
        names a member that the body of a part must have to be whole: an error under status 200 has it not.
        """
        chunks = [paths[start : start + PARTS_PER_BATCH] for start in range(0, len(paths), PARTS_PER_BATCH)]
        return [
            part for parts in pool.map(lambda chunk: self._batch(chunk, reading, holding), chunks) for part in parts
        ]

    def _readable(
        self,
        method: str,
        url: str,
        reading: Reading,
        *,
        params: Mapping[str, str] | None = None,
        json: Any = None,
        holding: str = "",
    ) -> Mapping[str, Any]:
        attempt = 0
        while True:
            attempt += 1
            response = self._send(method, url, params=params, json=json)
            if response.status_code != 200:
                raise self._error(response, reading)
            body = _json_object(response)
            flaw = _flaw(body, holding)
            if body is not None and flaw is None:
                return body
            if attempt >= min(_UNREADABLE_ATTEMPTS, self._retries.attempts):
                raise BrokenAnswerError(
                    f"{shown(url)} was read {attempt} times and {flaw}. Nothing was changed; try again later.",
                    status=200,
                    code=_code_and_message(body)[0],
                )
            self._wait(self._retries.wait_before(attempt, None) or 0.0)

    def _batch(self, paths: Sequence[str], reading: Reading, holding: str) -> list[Part]:
        parts: dict[str, Part] = {}
        waiting = {str(number): path for number, path in enumerate(paths)}
        attempt = 0
        while True:
            attempt += 1
            requested = [{"id": number, "method": "GET", "url": path} for number, path in waiting.items()]
            body = self._readable(
                "POST", f"{self._base}/$batch", reading, json={"requests": requested}, holding="responses"
            )
            pause = self._retries.wait_before(attempt, None)
            self._slow_down(max((_used(_header(answer, _QUOTA_HEADER)) for answer in body["responses"]), default=0.0))
            for answer in body["responses"]:
                number, status = str(answer.get("id")), int(answer.get("status", 0))
                if number not in waiting:
                    continue
                if status in self._retries.statuses and pause is not None:
                    asked = retry_after(_header(answer, "retry-after"))
                    pause = max(pause, self._retries.wait_before(attempt, asked) or pause)
                    continue
                inner = answer.get("body")
                body_of_part = inner if isinstance(inner, Mapping) else {}
                if status == 200 and holding not in body_of_part:
                    continue
                parts[number] = Part(status, body_of_part)
                del waiting[number]
            if not waiting or pause is None:
                return [parts.get(str(number), Part(0, {})) for number in range(len(paths))]
            self._wait(pause)

    def _send(
        self,
        method: str,
        url: str,
        *,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        json: Any = None,
    ) -> requests.Response:
        """Send with the token, and once more with a fresh one when it is refused."""
        token = self._tokens.current()
        response = self._send_as(token, method, url, params, headers, json)
        if response.status_code == 401:
            response = self._send_as(self._tokens.renewed(token), method, url, params, headers, json)
        self._slow_down(_used(response.headers.get(_QUOTA_HEADER)))
        return response

    def _slow_down(self, used: float) -> None:
        """Wait as long as the quota needs to fill up to where Graph stops warning; whoever is told of it waits."""
        if used > _USED_TOO_FAST:
            self._wait(_QUOTA_SECONDS * (used - _USED_TOO_FAST))

    def _send_as(
        self,
        token: str,
        method: str,
        url: str,
        params: Mapping[str, str] | None,
        headers: Mapping[str, str] | None,
        json: Any,
    ) -> requests.Response:
        return self._http.request(
            method,
            url,
            params=params,
            headers={**(headers or {}), "Authorization": f"Bearer {token}"},
            json=json,
            writes=False,
            retry=self._retries,
        )

    def _error(self, response: requests.Response, reading: Reading) -> Exception:
        code, message = _code_and_message(_json_object(response))
        if response.status_code == 401:
            return SignInError(
                f"Graph refuses a token that was just issued, at {shown(response.url)}: {code}: {message}. Check that "
                "`graph_url` and `login_url` belong to the same cloud, and the clock of this machine."
            )
        return error_of(response, code, message, reading)


def _json_object(response: requests.Response) -> Mapping[str, Any] | None:
    try:
        body = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        return None
    return body if isinstance(body, dict) else None


def _flaw(body: Mapping[str, Any] | None, holding: str) -> str | None:
    """Say what keeps a body from being a whole answer; null when nothing does."""
    if body is None:
        return "its answer is not whole JSON"
    if "error" in body:
        code, message = _code_and_message(body)
        return f"its answer is an error under status 200 ({code}: {message})"
    if holding and not (isinstance(body.get(holding), list) and all(isinstance(each, dict) for each in body[holding])):
        return f"its answer has no list of objects called `{holding}`"
    return None


def _code_and_message(body: Mapping[str, Any] | None) -> tuple[str, str]:
    """Give the deepest error code of a body and its message."""
    error = body.get("error") if body else None
    if not isinstance(error, Mapping):
        return "without a code", ""
    code, message = str(error.get("code") or "without a code"), str(error.get("message") or "")
    inner = error.get("innerError") or error.get("innererror")
    while isinstance(inner, Mapping):
        code = str(inner.get("code") or code)
        inner = inner.get("innerError") or inner.get("innererror")
    return code, message


def _used(header: str | None) -> float:
    """Read which share of the quota is used, 1.0 being all of it; 0 where Graph does not say."""
    try:
        return min(float(header or 0), 2.0)
    except ValueError:
        return 0.0


def _header(answer: Mapping[str, Any], name: str) -> str | None:
    headers = answer.get("headers")
    if not isinstance(headers, Mapping):
        return None
    return next((str(value) for key, value in headers.items() if str(key).lower() == name), None)
