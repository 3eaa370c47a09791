"""Faults of paged listings: cut, repeated, shuffled and skipped pages of Graph collections and Replicon lists."""

from __future__ import annotations

import dataclasses
import random
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import orjson

from deployments.sandbox.faults import FaultKind, FaultRule
from deployments.sandbox.wire import Request, Response, Service

_NEXT_LINK = "@odata.nextLink"
_DELTA_LINK = "@odata.deltaLink"


@dataclasses.dataclass
class Page:
    """One page of a listing: the whole document, and the list in it that holds the items."""

    document: dict[str, Any]
    items: list[Any]
    by_number: bool
    """Whether the caller asks for pages by number (Replicon) instead of following links (Graph)."""


def read_page(response: Response) -> Page | None:
    """Take the answer apart if it is a page of a listing: a `value` array, or `rows` within `d`."""
    if response.status != 200 or not response.body.startswith(b"{"):
        return None
    document = orjson.loads(response.body)
    if isinstance(document.get("value"), list):
        return Page(document, document["value"], by_number=False)
    inner = document.get("d")
    if isinstance(inner, dict) and isinstance(inner.get("rows"), list):
        return Page(document, inner["rows"], by_number=True)
    return None


def spoil(rule: FaultRule, chance: random.Random, request: Request, response: Response, service: Service) -> Response:
    """Give the answer with a page fault in it. Cutting the body short is the server's work, not done here."""
    page = read_page(response)
    if page is None:
        return response
    if rule.kind is FaultKind.REORDERED_PAGE:
        chance.shuffle(page.items)
    elif rule.kind is FaultKind.TRUNCATED_PAGE:
        del page.items[len(page.items) // 2 :]
    elif page.by_number:
        return service.handle(_turned(request, -1 if rule.kind is FaultKind.REPEATED_PAGE else 1))
    elif rule.kind is FaultKind.REPEATED_PAGE:
        page.document.pop(_DELTA_LINK, None)
        page.document[_NEXT_LINK] = f"{request.url}{request.path}?{urlencode(request.query)}"
    elif _NEXT_LINK in page.document:
        return service.handle(_following(request, page.document[_NEXT_LINK]))
    else:
        page.items.clear()
    return Response(response.status, orjson.dumps(page.document), dict(response.headers))


def _turned(request: Request, step: int) -> Request:
    """Give the request for the page before or after the one asked for; there is none before the first."""
    body = orjson.loads(request.body)
    return dataclasses.replace(request, body=orjson.dumps({**body, "page": max(1, int(body.get("page", 1)) + step)}))


def _following(request: Request, link: str) -> Request:
    parts = urlsplit(link)
    return dataclasses.replace(request, path=parts.path, query=dict(parse_qsl(parts.query, keep_blank_values=True)))
