"""Replicon's reads of users and of what users can be given: bulk and single reads, permission sets, groups, fields.

`UserListService1` is in `replicon_list`; the shapes of users in `replicon_views`.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from typing import Any, Final

from deployments.sandbox.replicon_call import Call, Operation
from deployments.sandbox.replicon_catalog import Field, Group, GroupKind, all_zones, zone_reference
from deployments.sandbox.replicon_state import Account
from deployments.sandbox.replicon_views import (
    bulk_view,
    details_view,
    flat_view,
    login_enabled,
    permission_sets,
    supervisor_reference,
    user_reference,
)
from deployments.sandbox.replicon_wire import (
    Json,
    RepliconFault,
    date,
    invalid,
    mapping,
    not_authorized,
    sequence,
    text,
    unknown_uri,
)

_OMIT: Final = "urn:replicon:data-load-option:omit-data-if-insufficient-access-permission"
_FAIL: Final = "urn:replicon:data-load-option:fail-if-insufficient-data-access-permission"
_STATUS: Final = "urn:replicon:user-status-option:"
_USER_TYPE: Final = "urn:replicon:object-type:user"
_GROUP_NAMES: Final = {
    GroupKind.DEPARTMENT: "DepartmentGroups",
    GroupKind.EMPLOYEE_TYPE: "EmployeeTypeGroups",
    GroupKind.LOCATION: "Locations",
    GroupKind.DIVISION: "Divisions",
    GroupKind.COST_CENTER: "CostCenters",
    GroupKind.SERVICE_CENTER: "ServiceCenters",
}


def _bulk(view: Callable[[Call, Account], Any]) -> Callable[[Call], Any]:
    """Make a bulk read: an array as long as the request, null where there is no such user."""

    def run(call: Call) -> list[Any]:
        targets = sequence(call.body.get("users"))
        settings, option = call.state.settings, call.body.get("dataLoadOptionUri")
        if option not in {None, _OMIT, _FAIL}:
            raise unknown_uri(option)
        if settings.largest_bulk is not None and len(targets) > settings.largest_bulk:
            raise RepliconFault(
                "InvalidParameterError1", f"No more than {settings.largest_bulk} users can be read at once."
            )
        shown: list[Any] = []
        for target in targets:
            account = _found(call, mapping(target))
            if account is None:
                shown.append(None)
            elif call.readable(account):
                shown.append(view(call, account))
            elif option == _FAIL:
                raise not_authorized(call.state.settings.authorization_status)
            elif settings.unreadable_slots == "null":
                shown.append(None)
        return shown

    return run


def _found(call: Call, target: Json) -> Account | None:
    try:
        return call.find(target)
    except RepliconFault as fault:
        if fault.type == "UriError1" and call.state.settings.unknown_uri_in_bulk == "null":
            return None
        raise


def _one(call: Call, account: Account | None, target: Any) -> Account | None:
    """Give the user that a single read found, if the caller may read them; else null or an error, by the settings."""
    if account is not None and not call.readable(account):
        raise not_authorized(call.state.settings.authorization_status)
    if account is None and call.state.settings.unknown_user_reads == "error":
        raise RepliconFault(
            "InvalidUserTargetParameterError1",
            "Invalid UserTargetParameter. The specified user does not exist.",
            echo={"target": target},
        )
    return account


def _get_user2(call: Call) -> Any:
    target = mapping(call.body.get("user"))
    account = _one(call, call.find(target), target)
    return account and user_reference(account)


def _get_flat_details(call: Call) -> Any:
    target = mapping(call.body.get("user"))
    account = _one(call, call.find(target), target)
    return account and flat_view(call.state, account)


def _get_details(call: Call) -> Any:
    account = _one(call, call.user(), call.body.get("userUri"))
    return account and details_view(call.state, account)


def _bulk_details(call: Call) -> list[Any]:
    accounts = [call.state.by_uri(uri) for uri in sequence(call.body.get("userUri"))]
    return [
        details_view(call.state, account) if account is not None and call.readable(account) else None
        for account in accounts
    ]


def _get_all_users(call: Call) -> list[Any]:
    return [user_reference(account) for account in call.state.accounts.values() if call.readable(account)]


def _get_enabled_users(call: Call) -> list[Any]:
    return [
        user_reference(account)
        for account in call.state.accounts.values()
        if call.readable(account) and login_enabled(call.state, account)
    ]


def _as_of(call: Call) -> dt.date:
    try:
        return date(call.body.get("asOfDate")) or call.state.settings.today()
    except ValueError as error:
        raise invalid("Modifications", call.body.get("asOfDate")) from error


def _get_direct_reports(call: Call) -> list[Any]:
    above, day, option = call.user(), _as_of(call), call.body.get("userStatusOptionUri")
    if option not in {None, f"{_STATUS}include-only-enabled-users", f"{_STATUS}include-all-users"}:
        raise unknown_uri(option)
    return [
        user_reference(account)
        for account in call.state.accounts.values()
        if account.supervisor(day) == above.number
        and (option == f"{_STATUS}include-all-users" or login_enabled(call.state, account))
    ]


def _get_supervisor(call: Call) -> Any:
    found = supervisor_reference(call.state, call.user(), _as_of(call))
    return found and {"supervisor": found}


def _get_my_identity(call: Call) -> Any:
    return user_reference(call.caller)


def _get_effective_permissions(call: Call) -> list[Any]:
    return [{"policyUri": each.policy_uri} for each in permission_sets(call.state, call.user())]


def _get_all_permission_sets(call: Call) -> list[Any]:
    return [each.reference for each in call.state.catalog.permission_sets]


def _assigned(call: Call, account: Account) -> list[Any]:
    return [
        {"policyUri": each.policy_uri, "permissionSet": each.reference} for each in permission_sets(call.state, account)
    ]


def _get_assigned_permission_sets(call: Call) -> list[Any]:
    return _assigned(call, call.user())


def _bulk_get_assigned_permission_sets(call: Call) -> list[Any]:
    users = [call.user_at(uri) for uri in sequence(call.body.get("userUris"))]
    return [{"user": user_reference(each), "permissionSets": _assigned(call, each)} for each in users]


def _groups(kind: GroupKind, *, enabled_only: bool) -> Callable[[Call], list[Any]]:
    def run(call: Call) -> list[Any]:
        found = call.state.catalog.groups_of(kind)
        return [_group(call, each) for each in found if each.enabled or not enabled_only]

    return run


def _group(call: Call, group: Group) -> dict[str, Any]:
    parent = None if group.parent is None else call.state.catalog.groups[group.parent].reference
    return {**group.reference, "parent": parent, "isEnabled": group.enabled}


def _get_company_department(call: Call) -> Any:
    return _get_enabled_departments(call)[0]


def _get_enabled_departments(call: Call) -> list[Any]:
    departments = call.state.catalog.legacy_departments
    return [{"uri": uri, "displayText": name, "name": name} for uri, name in departments.items()]


def _is_legacy(call: Call) -> bool:
    return call.state.settings.legacy_departments


def _get_all_time_zones(_call: Call) -> list[Any]:
    return [zone_reference(name) for name in all_zones()]


def _get_all_custom_fields(call: Call) -> list[Any]:
    if call.body.get("objectUri") != _USER_TYPE:
        raise unknown_uri(call.body.get("objectUri"))
    return [
        {**field.reference, "type": {"uri": f"urn:replicon:custom-field-type:{field.type}"}, "isEnabled": True}
        for field in call.state.catalog.custom_fields.values()
    ]


def _get_options(call: Call) -> list[Any]:
    uri = text(call.body.get("customFieldUri"))
    field: Field | None = call.state.catalog.custom_fields.get(uri or "")
    if field is None:
        raise unknown_uri(uri)
    return [{"uri": option, "displayText": name, "name": name} for option, name in field.options.items()]


OPERATIONS: Final[Mapping[str, Operation]] = {
    "UserAccessControlService1.GetMyIdentity": Operation(_get_my_identity, administrative=False),
    "UserAccessControlService1.GetMyActualUserIdentity": Operation(_get_my_identity, administrative=False),
    **{
        name: Operation(run)
        for name, run in {
            "UserAccessControlService1.GetEffectivePermissions": _get_effective_permissions,
            "ImportService1.BulkGetUsers3": _bulk(lambda call, account: bulk_view(call.state, account)),
            "ImportService2.GetUserDetails": _get_flat_details,
            "UserService1.GetUser2": _get_user2,
            "UserService1.BulkGetUsers2": _bulk(lambda _call, account: user_reference(account)),
            "UserService1.GetUserDetails": _get_details,
            "UserService1.BulkGetUserDetails": _bulk_details,
            "UserService1.GetAllUsers": _get_all_users,
            "UserService1.GetEnabledUsers": _get_enabled_users,
            "UserService1.GetDirectReportsForUser": _get_direct_reports,
            "UserService1.GetSupervisorAssignmentDetails": _get_supervisor,
            "PermissionSetService1.GetAllPermissionSets": _get_all_permission_sets,
            "PermissionSetService1.GetAssignedPermissionSetsForUser2": _get_assigned_permission_sets,
            "PermissionSetService1.BulkGetAssignedPermissionSetsForUsers": _bulk_get_assigned_permission_sets,
            "DepartmentService1.GetCompanyDepartment": _get_company_department,
            "DepartmentService1.GetEnabledDepartments": _get_enabled_departments,
            "DepartmentService1.GetIsLegacyDepartmentEnabled": _is_legacy,
            "EmployeeTypeService1.GetIsLegacyEmployeeTypeEnabled": _is_legacy,
            "InternationalizationService1.GetAllTimeZones": _get_all_time_zones,
            "CustomFieldService1.GetAllCustomFields": _get_all_custom_fields,
            "CustomFieldService1.GetEnabledCustomFieldDropDownOptions": _get_options,
            "CustomFieldService1.GetAllCustomFieldDropDownOptions": _get_options,
            **{
                f"{kind.service}.GetAll{name}": _groups(kind, enabled_only=False) for kind, name in _GROUP_NAMES.items()
            },
            **{
                f"{kind.service}.GetEnabled{name}": _groups(kind, enabled_only=True)
                for kind, name in _GROUP_NAMES.items()
            },
        }.items()
    },
}
