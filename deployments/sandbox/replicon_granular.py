"""Replicon's operations that write one thing of one user, give or take permission sets, and delete users.

All but the access token answer null. The upsert of whole users is in `replicon_modify`.
"""

from __future__ import annotations

import datetime as dt
import secrets
from collections.abc import Callable, Mapping
from typing import Any, Final

from deployments.sandbox.replicon_call import Call, Operation
from deployments.sandbox.replicon_catalog import GroupKind, PermissionSet, find_zone
from deployments.sandbox.replicon_modify import RefusedError, check_email, find_day, find_supervisor, with_field
from deployments.sandbox.replicon_state import Account, FieldValue, Schedule, Token, overlay
from deployments.sandbox.replicon_wire import (
    DateRange,
    Json,
    RepliconFault,
    date,
    invalid,
    mapping,
    sequence,
    text,
    unknown_uri,
)

_CHANGE_PASSWORD: Final = "urn:replicon:force-password-change-on-login:"


def _enable_login(call: Call) -> None:
    call.change(call.user(), enabled=True)


def _disable_login(call: Call) -> None:
    call.change(call.user(), enabled=False)


def _rename(call: Call, account: Account, authentication: str) -> None:
    login = text(call.body.get("loginName")) or account.login
    if call.state.login_taken(login, account.number):
        raise call.login_taken()
    call.change(account, login=login, authentication=authentication)


def _set_sso_authentication(call: Call) -> None:
    _rename(call, call.user(), "sso")


def _set_replicon_authentication(call: Call) -> None:
    account = call.user()
    option = call.body.get("forcePasswordChangeOnLoginOption")
    if option not in {None, f"{_CHANGE_PASSWORD}enable", f"{_CHANGE_PASSWORD}do-not-change"}:
        raise unknown_uri(option)
    _rename(call, account, "replicon")
    if text(call.body.get("password")) and call.effective:
        call.state.passwords[account.number] = str(call.body["password"])


def _update_name(member: str, attribute: str) -> Callable[[Call], None]:
    def run(call: Call) -> None:
        account = call.user()
        name, limit = text(call.body.get(member)), call.state.settings.name_limit
        if name is None or (limit is not None and len(name) > limit):
            raise invalid("Modifications", call.body.get(member))
        call.change(account, **{attribute: name})

    return run


def _update_email(call: Call) -> None:
    account, address = call.user(), text(call.body.get("email"))
    try:
        check_email(call, address)
    except ValueError as error:
        raise invalid("Modifications", address) from error
    call.change(account, email=address)


def _update_employee_id(call: Call) -> None:
    call.change(call.user(), employee_id=text(call.body.get("employeeId")))


def _update_employment_date_range(call: Call) -> None:
    account, span = call.user(), _range(call)
    call.change(account, start=span.start, end=span.end)


def _range(call: Call) -> DateRange:
    try:
        return DateRange.read(call.body.get("dateRange"))
    except ValueError as error:
        raise invalid("Modifications", call.body.get("dateRange")) from error


def _effective(entry: Json) -> dt.date | None:
    try:
        return date(entry.get("effectiveDate"))
    except ValueError as error:
        raise invalid("Modifications", entry.get("effectiveDate")) from error


def _supervisor(call: Call, target: Json, account: Account) -> int:
    """Find a supervisor; these operations have no partial success, so that what is refused is an error."""
    uri = target.get("uri")
    if uri is not None and call.state.by_uri(uri) is None:
        raise unknown_uri(uri)
    try:
        return find_supervisor(call, target, account)
    except RefusedError as error:
        raise RepliconFault(
            "InvalidUserSupervisorAssignmentScheduleParameterError1", str(error), echo={"supervisor": dict(target)}
        ) from error


def _supervisor_over_range(call: Call) -> None:
    account, span, uri = call.user(), _range(call), call.body.get("supervisorUri")
    number = None if uri is None else _supervisor(call, {"uri": uri}, account)
    call.change(account, supervisors=overlay(account.supervisors, number, span.start, span.end))


def _put_supervisors(call: Call) -> None:
    account, initial = call.user(), call.body.get("initialSupervisorUri")
    schedule: Schedule = ()
    if initial is not None:
        schedule = overlay((), _supervisor(call, {"uri": initial}, account), None, None)
    call.change(account, supervisors=_entries(call, account, schedule))


def _put_supervisors2(call: Call) -> None:
    account = call.user()
    call.change(account, supervisors=_entries(call, account, ()))


def _entries(call: Call, account: Account, schedule: Schedule) -> Schedule:
    for entry in map(mapping, sequence(call.body.get("scheduleEntries"))):
        target = mapping(entry.get("supervisor")) or {"uri": entry.get("supervisorUri")}
        number = _supervisor(call, target, account)
        schedule = overlay(schedule, number, _effective(entry), None)
    return schedule


def _put_groups(kind: GroupKind) -> Callable[[Call], None]:
    def run(call: Call) -> None:
        account = call.user()
        schedule: Schedule = ()
        for entry in map(mapping, sequence(call.body.get("scheduleEntries"))):
            group = call.state.catalog.get_group(kind, mapping(entry.get(kind.member)).get("uri"))
            schedule = overlay(schedule, group.number, _effective(entry), None)
        groups = list(account.groups)
        groups[kind.position] = schedule
        call.change(account, groups=tuple(groups))

    return run


def _update_week_start(call: Call) -> None:
    account, uri = call.user(), call.body.get("dayOfWeekUri")
    try:
        call.change(account, week_start=find_day(uri))
    except ValueError as error:
        raise unknown_uri(uri) from error


def _update_time_zone(call: Call) -> None:
    account, uri = call.user(), call.body.get("timeZoneUri")
    try:
        call.change(account, time_zone=find_zone({"uri": uri}))
    except ValueError as error:
        raise unknown_uri(uri) from error


def _update_department(call: Call) -> None:
    account, uri = call.user(), call.body.get("departmentUri")
    if uri not in call.state.catalog.legacy_departments:
        raise unknown_uri(uri)
    call.change(account, department_uri=uri)


def _update_employee_type(call: Call) -> None:
    account, uri = call.user(), call.body.get("employeeTypeUri")
    if uri not in call.state.catalog.legacy_employee_types:
        raise unknown_uri(uri)
    call.change(account, employee_type_uri=uri)


def _update_field(type_: str) -> Callable[[Call], None]:
    def run(call: Call) -> None:
        account, uri = call.user("objectUri"), call.body.get("customFieldUri")
        field = call.state.catalog.custom_fields.get(uri) if isinstance(uri, str) else None
        if field is None or field.type != type_:
            raise unknown_uri(uri)
        given = call.body.get("customFieldDropDownOptionUri" if type_ == "drop-down" else "value")
        if type_ == "drop-down" and given is not None and given not in field.options:
            raise unknown_uri(given)
        try:
            value = _field_value(type_, given)
        except (ValueError, TypeError) as error:
            raise invalid("Modifications", given) from error
        call.change(account, fields=with_field(account.fields, field.uri, value))

    return run


def _field_value(type_: str, given: Any) -> FieldValue | None:
    if type_ == "date":
        return date(given)
    if type_ == "numeric":
        return None if given is None else float(given)
    return text(given)


def _assign_permission_set(call: Call) -> None:
    account, added = call.user(), call.state.catalog.get_permission_set(call.body.get("permissionSetUri"))
    call.change(account, permission_sets=call.state.catalog.holding(account.permission_sets, [added]))


def _remove_permission_set(call: Call) -> None:
    account, gone = call.user(), call.state.catalog.get_permission_set(call.body.get("permissionSetUri"))
    call.change(account, permission_sets=tuple(each for each in account.permission_sets if each != gone.number))


def _put_permission_sets(call: Call) -> None:
    account, catalog = call.user(), call.state.catalog
    given: list[PermissionSet] = [
        catalog.get_permission_set(uri) for uri in sequence(call.body.get("permissionSetUris"))
    ]
    call.change(account, permission_sets=catalog.holding((), given))


def _delete(call: Call) -> None:
    account = call.user()
    if account.has_data or account.number == call.caller.number:
        why = f"The user {account.display_text} cannot be deleted because there is data associated with the user."
        raise RepliconFault(call.state.settings.delete_refused_type, why, reason=why, echo={"userUri": account.uri})
    call.commit(account, None)


def _create_access_token(call: Call) -> Any:
    return call.once(lambda _: _token(call))


def _token(call: Call) -> Any:
    account = call.find(mapping(call.body.get("identity")))
    if account is None:
        raise RepliconFault(
            "InvalidUserTargetParameterError1",
            "Invalid UserTargetParameter. The specified user does not exist.",
            echo={"target": call.body.get("identity")},
        )
    now, lifetime = call.state.settings.now(), call.body.get("lifetime")
    try:
        life = dt.timedelta(**{name: float(value or 0) for name, value in mapping(lifetime).items()})
    except (TypeError, ValueError) as error:
        raise RepliconFault("InvalidParameterError1", "Invalid parameters", echo={"lifetime": lifetime}) from error
    value = secrets.token_urlsafe(32)
    call.state.tokens[value] = Token(account.number, None if lifetime is None else now + life, now)
    member = call.state.settings.token_member
    return value if member is None else {member: value}


OPERATIONS: Final[Mapping[str, Operation]] = {
    "AuthenticationService1.CreateAccessToken2": Operation(_create_access_token),
    **{
        name: Operation(run, writes=True)
        for name, run in {
            "SecurityService1.EnableLogin": _enable_login,
            "SecurityService1.DisableLogin": _disable_login,
            "SecurityService1.SetSSOAuthenticationForUser": _set_sso_authentication,
            "SecurityService1.SetRepliconAuthenticationForUser": _set_replicon_authentication,
            "UserService1.UpdateFirstName": _update_name("firstname", "first_name"),
            "UserService1.UpdateLastName": _update_name("lastname", "last_name"),
            "UserService1.UpdateEmail": _update_email,
            "UserService1.UpdateEmployeeId": _update_employee_id,
            "UserService1.UpdateEmploymentDateRange": _update_employment_date_range,
            "UserService1.UpdateSupervisorAssignmentScheduleOverDateRange": _supervisor_over_range,
            "UserService1.PutSupervisorAssignmentSchedule": _put_supervisors,
            "UserService1.PutSupervisorAssignmentSchedule2": _put_supervisors2,
            "UserService1.UpdateWorkWeekStartDayForUser": _update_week_start,
            "UserService1.Delete": _delete,
            "InternationalizationService1.UpdateTimeZoneForUser": _update_time_zone,
            "DepartmentService1.UpdateDepartmentForUser": _update_department,
            "EmployeeTypeService1.UpdateEmployeeTypeForUser": _update_employee_type,
            "CustomFieldService1.UpdateTextValue": _update_field("text"),
            "CustomFieldService1.UpdateNumericValue": _update_field("numeric"),
            "CustomFieldService1.UpdateDateValue": _update_field("date"),
            "CustomFieldService1.UpdateDropdownValue": _update_field("drop-down"),
            "PermissionSetService1.AssignPermissionSetToUser": _assign_permission_set,
            "PermissionSetService1.RemovePermissionSetAssignmentFromUser": _remove_permission_set,
            "PermissionSetService1.PutPermissionSetAssignmentsForUser": _put_permission_sets,
            **{
                f"{kind.service}.Put{kind.member[0].upper()}{kind.member[1:]}ScheduleForUser": _put_groups(kind)
                for kind in GroupKind
            },
        }.items()
    },
}
