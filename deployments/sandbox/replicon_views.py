"""How Replicon shows its users: references, BulkGetUsers3's nested form, GetUserDetails' flat form."""

from __future__ import annotations

import datetime as dt
from typing import Any, Final

from deployments.sandbox.replicon_catalog import GroupKind, PermissionSet, day_uri, zone_reference
from deployments.sandbox.replicon_state import Account, RepliconState, Schedule
from deployments.sandbox.replicon_wire import write_date, write_range

_AUTHENTICATION: Final = "urn:replicon:user-authentication-type:"
# Going through an enum anew for every user would take half of the time of a bulk read.
_SCHEDULES: Final = tuple((f"{kind.member}Schedule", kind) for kind in GroupKind)


def user_reference(account: Account) -> dict[str, Any]:
    """Give the reference to a user."""
    return {
        "uri": account.uri,
        "loginName": account.login,
        "displayText": account.display_text,
        "slug": account.login,
    }


def login_enabled(state: RepliconState, account: Account) -> bool:
    """Tell whether the user may sign in."""
    if state.settings.past_end_date_disables and account.end is not None and account.end < state.settings.today():
        return False
    return account.enabled


def permission_sets(state: RepliconState, account: Account) -> list[PermissionSet]:
    """Give the permission sets of a user."""
    return [state.catalog.permission_sets[number] for number in account.permission_sets]


def supervisor_reference(state: RepliconState, account: Account, day: dt.date) -> dict[str, Any] | None:
    """Give `{"user": reference}` of the supervisor on a day; null when there is none."""
    number = account.supervisor(day)
    above = None if number is None else state.accounts.get(number)
    return None if above is None else {"user": user_reference(above)}


def bulk_view(state: RepliconState, account: Account) -> dict[str, Any]:
    """Give a user with everything, as ImportService1.BulkGetUsers3 does."""
    day = state.settings.today()
    catalog = state.catalog
    enabled = login_enabled(state, account)
    employee_type = account.employee_type_uri
    return {
        "userDetails": {
            "uri": account.uri,
            "displayText": account.display_text,
            "customDisplayName": account.display_name,
            "firstName": account.first_name,
            "lastName": account.last_name,
            "emailAddress": account.email,
            "employeeId": account.employee_id,
            "isEnabled": enabled,
            "employmentDateRange": write_range(account.start, account.end),
            "department": _legacy_department(state, account),
            "supervisor": supervisor_reference(state, account, day),
            "workWeekStartDay": {
                "uri": day_uri(account.week_start),
                "displayText": account.week_start.capitalize(),
            },
            "customFieldValues": custom_field_values(state, account),
            "extensionFieldValues": _extension_field_values(state, account),
        },
        "securityConfiguration": {
            "user": {"displayText": account.display_text},
            "loginName": account.login,
            "isLoginEnabled": enabled,
            "enabledAuthenticationTypeUris": [f"{_AUTHENTICATION}{account.authentication}"],
        },
        "permissionSets": [each.reference for each in permission_sets(state, account)],
        "employeeType": employee_type and _named(employee_type, catalog.legacy_employee_types[employee_type]),
        "timeZone": zone_reference(account.time_zone),
        "timesheetTemplate": None,
        "timesheetApprovalPath": None,
        "timeOffTemplate": None,
        "holidayCalendar": None,
        "schedulePolicies": [],
        "payRuleScriptSchedule": [],
        "assignedProducts": [{"uri": uri, "displayText": uri.rpartition(":")[2]} for uri in account.products],
        "assignedActivities": [],
        **{name: _group_schedule(state, account, kind) for name, kind in _SCHEDULES},
        "timesheetPeriodSchedule": [],
        "supervisorAssignmentSchedule": _supervisor_schedule(state, account.supervisors),
    }


def flat_view(state: RepliconState, account: Account) -> dict[str, Any]:
    """Give a user as ImportService2.GetUserDetails does."""
    held = permission_sets(state, account)
    return {
        "uri": account.uri,
        "loginName": account.login,
        "firstName": account.first_name,
        "lastName": account.last_name,
        "displayName": account.display_name,
        "emailAddress": account.email,
        "employeeId": account.employee_id,
        "loginEnabled": login_enabled(state, account),
        "startDate": write_date(account.start),
        "endDate": write_date(account.end),
        "permissionSets": [each.reference for each in held],
        "policySets": [],
        "securityConfiguration": {
            "loginName": account.login,
            "authenticationProviders": [{"uri": f"{_AUTHENTICATION}{account.authentication}"}],
        },
        "timeZone": zone_reference(account.time_zone),
        "scheduleTypeSchedule": [],
        "serviceCenterSchedule": _group_schedule(state, account, GroupKind.SERVICE_CENTER),
        "formattings": {"generalFormats": [], "nameFormats": []},
    }


def details_view(state: RepliconState, account: Account) -> dict[str, Any]:
    """Give a user as UserService1.GetUserDetails does."""
    supervisor = supervisor_reference(state, account, state.settings.today())
    return {
        **user_reference(account),
        "firstName": account.first_name,
        "lastName": account.last_name,
        "emailAddress": account.email,
        "employeeId": account.employee_id,
        "department": _legacy_department(state, account),
        "supervisor": supervisor and {"uri": supervisor["user"]["uri"], **supervisor},
        "customFieldValues": custom_field_values(state, account),
    }


def custom_field_values(state: RepliconState, account: Account) -> list[dict[str, Any]]:
    """Give the values of a user's custom fields, the empty ones included."""
    shown = []
    for uri, field in state.catalog.custom_fields.items():
        value = account.fields.get(uri)
        option = field.options.get(value) if isinstance(value, str) else None
        shown.append(
            {
                "customField": field.reference,
                "text": option or (None if value is None else str(value)),
                "date": write_date(value) if isinstance(value, dt.date) else None,
                "number": value if isinstance(value, float) else None,
                "dropDownOption": _named(str(value), option) if option else None,
            }
        )
    return shown


def _extension_field_values(state: RepliconState, account: Account) -> list[dict[str, Any]]:
    shown = []
    for uri, value in account.fields.items():
        field = state.catalog.extension_fields.get(uri)
        if field is not None:
            tag = field.options.get(value) if isinstance(value, str) else None
            shown.append(
                {
                    "definition": {"uri": uri, "displayText": field.name},
                    "textValue": value if isinstance(value, str) and tag is None else None,
                    "numericValue": value if isinstance(value, float) else None,
                    "tag": {"uri": value, "displayText": tag} if tag else None,
                }
            )
    return shown


def _legacy_department(state: RepliconState, account: Account) -> dict[str, Any]:
    departments = state.catalog.legacy_departments
    uri = account.department_uri or next(iter(departments))
    return _named(uri, departments[uri])


def _named(uri: str, name: str) -> dict[str, Any]:
    return {"uri": uri, "displayText": name, "name": name}


def _group_schedule(state: RepliconState, account: Account, kind: GroupKind) -> list[dict[str, Any]]:
    schedule = account.groups[kind.position]
    groups = state.catalog.groups
    shown = [(start, None if number is None else groups[number].reference) for start, number in schedule]
    if state.settings.schedule_entries == "effective_date":
        return [{kind.member: shown_group, "effectiveDate": write_date(start)} for start, shown_group in shown]
    following = [start - dt.timedelta(days=1) if start else None for start, _ in (*shown[1:], (None, None))]
    return [
        {"dateRange": write_range(start, end), "item": item}
        for (start, item), end in zip(shown, following, strict=False)
    ]


def _supervisor_schedule(state: RepliconState, schedule: Schedule) -> dict[str, Any]:
    initial, entries = None, []
    for start, number in schedule:
        account = None if number is None else state.accounts.get(number)
        shown = account and {"user": user_reference(account)}
        if start is None:
            initial = shown
        else:
            entries.append({"supervisor": shown, "effectiveDate": write_date(start)})
    return {"initialSupervisor": initial, "supervisorScheduleEntries": entries}
