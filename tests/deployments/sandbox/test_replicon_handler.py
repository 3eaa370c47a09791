"""A client that nobody here wrote, `replicon-handler` from PyPI, signs in to the sandbox and lists its users."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import pytest
from replicon_handler import RepliconHandler

from tests.deployments.sandbox.replicon_rig import COMPANY, Rig

HEADERS = {"Content-Type": "application/json", "X-Replicon-Application": f"{COMPANY}_SandboxTest_1"}


class LoopbackHandler(RepliconHandler):  # type: ignore[misc]  # the library publishes no types
    """The handler with its one hard-wired address, that of Replicon's discovery, turned to the sandbox."""

    discovery: ClassVar[str]

    def global_services(self, service: str, component: str, additional: str | None = None) -> str:
        """Give the address of a global service."""
        assert additional is None
        return f"{self.discovery}/{service}/{component}"


@pytest.fixture
def handler(replicon: Rig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LoopbackHandler:
    """The handler, signed in with a token minted in the sandbox, its log in a folder of the test."""
    minted = replicon.result(
        "AuthenticationService1.CreateAccessToken2", {"identity": {"loginName": "svc"}, "unitOfWorkId": "handler"}
    )
    monkeypatch.chdir(tmp_path)
    LoopbackHandler.discovery = replicon.server.url("discovery")
    return LoopbackHandler(
        company_key=COMPANY,
        username=None,
        password=None,
        authentication_token=minted["token"],
        method="post",
        headers={**HEADERS, "Authorization": f"Bearer {minted['token']}"},
        log_path=None,
    )


def test_it_discovers_the_tenant(replicon: Rig, handler: LoopbackHandler) -> None:
    assert handler.swimlane == f"{replicon.server.url('replicon')}/{COMPANY}/"
    assert len(handler.tenant_slug) == 32


def test_it_lists_the_users(replicon: Rig, handler: LoopbackHandler) -> None:
    logins = {"svc", "boss", *(f"user{number}" for number in range(5))}
    for number in range(5):
        replicon.create(f"user{number}")
    address = handler.web_service("UserListService1.svc", "GetData")
    columns = [f"urn:replicon:user-list-column:{name}" for name in ("user", "login-name", "enabled")]
    payloads = [{"page": page, "pagesize": 3, "columnUris": columns, "sort": []} for page in (1, 2, 3, 4)]
    pages: list[dict[str, Any]] = handler.threaded_handler(address, payloads, workers=2)
    assert {row["cells"][1]["textValue"] for page in pages for row in page["d"]["rows"]} == logins


def test_it_reads_users_in_bulk(handler: LoopbackHandler) -> None:
    address = handler.web_service("ImportService1.svc", "BulkGetUsers3")
    answer = handler.connection_handler(address, {"users": [{"loginName": "boss"}, {"loginName": "nobody"}]})
    found = answer["d"]
    assert (found[0]["securityConfiguration"]["loginName"], found[1]) == ("boss", None)


def test_it_is_told_errors(handler: LoopbackHandler) -> None:
    address = handler.web_service("UserService1.svc", "GetUserDetails")
    assert handler.connection_handler(address, {"userUri": "nonsense"})["type"] == "UriError1"
