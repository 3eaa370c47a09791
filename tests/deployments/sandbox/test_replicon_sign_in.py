"""Finding the tenant, signing in, and the envelope that every answer comes in."""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt

import pytest

from tests.deployments.sandbox.replicon_rig import COMPANY, Rig

IDENTITY = "UserAccessControlService1.GetMyActualUserIdentity"
REFUSED = "urn:replicon-saas-security:authentication-error:"


def discover(replicon: Rig, key: str) -> tuple[int, dict[str, object]]:
    response = replicon.http.post(
        f"{replicon.server.url('discovery')}/DiscoveryService1.svc/GetTenantEndpointDetails",
        json={"tenant": {"companyKey": key}},
        timeout=10,
    )
    return response.status_code, response.json()


def test_discovery_tells_a_root_that_ends_with_a_slash_and_holds_the_company_key(replicon: Rig) -> None:
    status, body = discover(replicon, COMPANY)
    details = body["d"]
    assert isinstance(details, dict)
    assert status == 200
    assert details["applicationRootUrl"] == f"{replicon.server.url('replicon')}/{COMPANY}/"
    assert details["tenant"]["slug"] in details["tenant"]["uri"]


def test_discovery_of_an_unknown_company_key_is_a_company_key_error(replicon: Rig) -> None:
    status, body = discover(replicon, "acne")
    error = body["error"]
    assert isinstance(error, dict)
    assert (status, error["type"]) == (400, "CompanyKeyError1")
    assert error["details"]["companyKey"] == "acne"
    assert error["details"]["failureUri"] == "urn:replicon-global:company-key-error:unknown-company"


def test_basic_sign_in_names_company_and_login(replicon: Rig) -> None:
    assert replicon.result(IDENTITY)["loginName"] == "svc"


@pytest.mark.parametrize(
    ("auth", "why"),
    [
        ((f"{COMPANY}\\svc", "wrong"), "invalid-user-name-or-password"),
        ((f"{COMPANY}\\nobody", "secret"), "invalid-user-name-or-password"),
        (("other\\svc", "secret"), "invalid-user-name-or-password"),
        (("svc", "secret"), "invalid-user-name-or-password"),
        (None, "no-authentication-credentials-provided"),
    ],
)
def test_bad_credentials_are_an_authentication_error(replicon: Rig, auth: tuple[str, str] | None, why: str) -> None:
    error = replicon.error(IDENTITY, status=401, auth=auth)
    assert error["type"] == "AuthenticationError1"
    assert error["details"]["failureUri"] == f"{REFUSED}{why}"


def test_credentials_that_are_not_base64_are_refused(replicon: Rig) -> None:
    error = replicon.error(IDENTITY, status=401, headers={"Authorization": "Basic =?="}, auth=lambda request: request)
    assert error["details"]["failureUri"] == f"{REFUSED}invalid-user-name-or-password"


def test_the_status_of_bad_credentials_is_a_setting(replicon: Rig) -> None:
    replicon.settings.bad_credentials_status = 403
    assert replicon.error(IDENTITY, status=403, auth=None)["type"] == "AuthenticationError1"


def test_a_disabled_account_cannot_sign_in(replicon: Rig) -> None:
    caller = replicon.state.accounts[1]
    replicon.server.run(lambda: replicon.state.put(caller, dataclasses.replace(caller, enabled=False)))
    error = replicon.error(IDENTITY, status=401)
    assert error["details"]["failureUri"] == f"{REFUSED}user-disabled"


def test_a_password_in_other_than_ascii_works(replicon: Rig) -> None:
    replicon.state.passwords[1] = "pässwörd:ø"
    credentials = base64.b64encode(f"{COMPANY}\\svc:pässwörd:ø".encode()).decode()
    headers = {"Authorization": f"Basic {credentials}"}
    assert replicon.result(IDENTITY, headers=headers, auth=lambda request: request)["loginName"] == "svc"


def mint(replicon: Rig, **more: object) -> str:
    body = {"identity": {"loginName": "svc"}, "description": "test", "unitOfWorkId": "mint", **more}
    token: str = replicon.result("AuthenticationService1.CreateAccessToken2", body)["token"]
    return token


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_a_minted_token_signs_in_and_the_same_unit_of_work_gives_the_same_token(replicon: Rig) -> None:
    token = mint(replicon)
    assert mint(replicon) == token
    assert replicon.result(IDENTITY, headers=bearer(token))["loginName"] == "svc"


def test_a_token_works_until_its_lifetime_is_over(replicon: Rig) -> None:
    token = mint(replicon, lifetime={"days": 1, "hours": 0, "minutes": "0", "seconds": 0, "milliseconds": 0})
    later = dt.datetime.now(dt.UTC) + dt.timedelta(days=1, minutes=1)
    replicon.settings.now = lambda: later
    assert replicon.error(IDENTITY, status=401, headers=bearer(token))["type"] == "AuthenticationError1"


def test_a_token_that_nobody_used_for_30_days_stops_working(replicon: Rig) -> None:
    token = mint(replicon)
    later = dt.datetime.now(dt.UTC) + dt.timedelta(days=31)
    replicon.settings.now = lambda: later
    assert replicon.error(IDENTITY, status=401, headers=bearer(token))["type"] == "AuthenticationError1"


def test_an_account_without_an_administrator_set_may_only_ask_who_it_is(replicon: Rig) -> None:
    replicon.state.passwords[2] = "secret"
    auth = (f"{COMPANY}\\boss", "secret")
    assert replicon.result(IDENTITY, auth=auth)["loginName"] == "boss"
    assert replicon.error("UserService1.GetAllUsers", auth=auth)["type"] == "AuthorizationError1"
    replicon.settings.authorization_status = 403
    assert replicon.error("UserService1.GetAllUsers", status=403, auth=auth)["type"] == "AuthorizationError1"


def test_service_and_operation_names_go_in_any_letter_case(replicon: Rig) -> None:
    assert replicon.result("useraccesscontrolservice1.getmyidentity")["displayText"] == "Account, Service"


def test_every_answer_has_a_correlation_id_that_an_error_repeats(replicon: Rig) -> None:
    good = replicon.post(IDENTITY)
    bad = replicon.post("UserService1.GetUserDetails", {})
    assert len(good.headers["x-execution-correlation-id"]) == 32
    assert bad.json()["error"]["correlationId"] == bad.headers["x-execution-correlation-id"]


def test_an_operation_that_does_not_exist_is_not_found(replicon: Rig) -> None:
    response = replicon.post("UserService1.CreateUser")
    assert response.status_code == 404
    assert "x-execution-correlation-id" in response.headers


def test_a_body_that_is_not_json_is_a_described_error(replicon: Rig) -> None:
    response = replicon.http.post(replicon.url(IDENTITY), data=b"{", auth=(f"{COMPANY}\\svc", "secret"), timeout=10)
    assert (response.status_code, response.json()["error"]["code"]) == (400, "Sender")


def test_an_application_header_can_be_insisted_on(replicon: Rig) -> None:
    replicon.settings.application_header_required = True
    assert replicon.error(IDENTITY)["type"] == "MissingRequiredParameterError1"
    assert replicon.result(IDENTITY, headers={"X-Replicon-Application": "acme_test_1"})["loginName"] == "svc"
