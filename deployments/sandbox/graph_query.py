"""One call as the Graph service's reads see it: path keys, query options, who calls; and links to further pages.

No directory here. Made by `graph`, read by `graph_users`, `graph_groups` and `graph_delta`.
"""

from __future__ import annotations

import base64
import binascii
import dataclasses
from collections.abc import Collection, Mapping
from typing import Final
from urllib.parse import quote, urlencode

from deployments.sandbox.graph_errors import GraphError, bad_request, unsupported_query
from deployments.sandbox.graph_filter import Filter, parse_filter
from deployments.sandbox.graph_login import SignedIn
from deployments.sandbox.graph_settings import GraphSettings
from deployments.sandbox.wire import Request

_KNOWN: Final = {"select", "filter", "top", "expand", "count", "skiptoken", "deltatoken", "format"}


@dataclasses.dataclass(frozen=True)
class Call:
    """One GET under /v1.0 or /beta: the ids in its path, and its query options by lower-case name without the $."""

    request: Request
    version: str
    keys: tuple[str, ...]
    options: Mapping[str, str]
    caller: SignedIn
    settings: GraphSettings

    @property
    def base(self) -> str:
        """The service root that the caller used."""
        return f"{self.request.url}/{self.version}"

    @property
    def eventual(self) -> bool:
        """Whether the caller asked for the advanced query capabilities."""
        return self.request.headers.get("consistencylevel", "").lower() == "eventual"

    @property
    def count(self) -> bool:
        """Whether the caller wants the number of all objects; without ConsistencyLevel the wish is passed over."""
        return self.options.get("count", "").lower() == "true" and self.eventual

    @property
    def minimal(self) -> bool:
        """Whether the caller wants changed properties only."""
        return "return=minimal" in self.request.headers.get("prefer", "").replace(" ", "").lower()

    def context(self, what: str) -> str:
        """Give the @odata.context of a response."""
        selected = self.options.get("select")
        return f"{self.base}/$metadata#{what}({selected})" if selected else f"{self.base}/$metadata#{what}"

    def page_size(self) -> int:
        """Give the objects to put on a page; raises `GraphError` (400) for an impossible $top."""
        top = self.options.get("top")
        if top is None:
            return self.settings.default_page
        if not top.isdigit() or not 1 <= int(top) <= self.settings.largest_page:
            raise bad_request(f"Invalid page size specified: '{top}'. Must be between 1 and 999 inclusive.")
        return min(int(top), self.settings.fullest_page or int(top))

    def filter(self) -> Filter | None:
        """Give the parsed $filter; raises `GraphError` (400) when it needs the advanced query capabilities."""
        text = self.options.get("filter")
        if text is None:
            return None
        parsed = parse_filter(text)
        if parsed.advanced and not self.count:
            raise unsupported_query(
                "Operator or property needs the ConsistencyLevel:eventual header and $count=true, which are missing."
            )
        return parsed

    def selected(self, known: Collection[str], default: tuple[str, ...], kind: str) -> tuple[str, ...]:
        """Give the property names to render; raises `GraphError` (400) for a property that `kind` does not have."""
        text = self.options.get("select")
        if not text:
            return default
        spelled = {name.lower(): name for name in known}
        found: dict[str, None] = {}
        for name in (part.strip() for part in text.split(",")):
            if name.lower() not in spelled and not name.startswith("extension_"):
                raise GraphError(
                    400,
                    "BadRequest",
                    f"Parsing OData Select and Expand failed: Could not find a property named '{name}' on type "
                    f"'microsoft.graph.{kind}'.",
                )
            found[spelled.get(name.lower(), name)] = None
        return tuple(found)

    def position(self) -> int:
        """Give where the page starts: -1, or what the skip token holds; raises `GraphError` (400) for a foreign one."""
        token = self.options.get("skiptoken")
        if token is None:
            return -1
        try:
            return int(base64.urlsafe_b64decode(token.encode() + b"=="))
        except (ValueError, binascii.Error) as error:
            raise GraphError(
                400,
                "Directory_ExpiredPageToken",
                "The specified page token value has expired and can no longer be included in your request.",
            ) from error

    def next_link(self, position: int) -> str:
        """Give the link to the page that starts behind `position`, with the options of this call."""
        token = (
            base64.urlsafe_b64encode(b"%010d" % position if position >= 0 else b"%d" % position).decode().rstrip("=")
        )
        kept = {f"${name}": value for name, value in self.options.items() if name != "skiptoken"}
        query = urlencode({**kept, "$skiptoken": token}, safe="$(),'", quote_via=quote)
        path = quote(self.request.path, safe="/()'=,@$")
        return f"{self.request.url}{path}?{query}"


def query_options(query: Mapping[str, str]) -> dict[str, str]:
    """Give the OData options of a query; the $ may be left out, other parameters are passed over.

    Raises `GraphError` (400) for options that this service does not serve, such as $orderby and $search.
    """
    options = {}
    for name, value in query.items():
        bare = name.lower().removeprefix("$")
        if bare in _KNOWN:
            options[bare] = value
        elif name.startswith("$"):
            raise unsupported_query(f"The query option '{name}' is not supported here.")
    return options
