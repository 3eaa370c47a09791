"""ImportService2.CreateUserOrApplyModifications: the upsert of a user, part by part, with partial success.

A part that names something unknown is refused on its own and told in `errors`; the rest of the user is written.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, TypeVar

from deployments.sandbox.replicon_call import USER_EXISTS, Call, Operation
from deployments.sandbox.replicon_catalog import (
    DAYS,
    PRODUCTS,
    SUPERVISION_POLICY,
    Defaults,
    GroupKind,
    day_uri,
    find_zone,
)
from deployments.sandbox.replicon_state import Account, FieldValue, overlay
from deployments.sandbox.replicon_views import user_reference
from deployments.sandbox.replicon_wire import (
    DateRange,
    Json,
    RepliconFault,
    date,
    flag,
    invalid,
    mapping,
    missing,
    notification,
    sequence,
    text,
    unknown_uri,
)

_SAVE: Final = "urn:replicon:user-modification-option:save"
_COLLECTION: Final = "urn:replicon:collection-modification-option:"
_LOGIN_AS_SSO_NAME: Final = "urn:replicon:sso-name-modification-option:login-name"
_Item = TypeVar("_Item")


class RefusedError(Exception):
    """Raised by a part that cannot be applied although the rest of the user can; says why."""


@dataclasses.dataclass
class Draft:
    """A user while modifications are applied to them: the new state, and what was refused so far."""

    call: Call
    account: Account
    """The draft's own copy, which nobody else sees before it is done: it alone is changed in place."""
    refused: list[str] = dataclasses.field(default_factory=list)
    password: str | None = None
    """The password to set, if one was given."""
    _replaced: dict[str, Any] = dataclasses.field(default_factory=dict)

    def set(self, **changes: Any) -> None:
        """Change attributes of the user."""
        for name, value in changes.items():
            self._replaced.setdefault(name, getattr(self.account, name))
            setattr(self.account, name, value)

    def attempt(self, apply: Callable[[Draft, Json], None], modifications: Json) -> None:
        """Apply a part; if it raises, the user is as they were before it."""
        self._replaced = {}
        try:
            apply(self, modifications)
        except (ValueError, TypeError):
            for name, value in self._replaced.items():
                setattr(self.account, name, value)
            raise

    def refuse(self, why: str) -> None:
        """Remember that a part was left out, and why."""
        self.refused.append(why)

    def scalar(self, modifications: Json, key: str) -> tuple[bool, Any]:
        """Read `key: {"value": …}`: whether there is something to do, and the value.

        Raises `ValueError` when it is not of that form.
        """
        given = modifications.get(key)
        if given is None:
            return False, None
        if not isinstance(given, Mapping):
            raise ValueError(f"expected {key} as an object with a value, found {given!r}")
        value = given.get("value")
        return value is not None or self.call.state.settings.null_clears, value


def create_user_or_apply_modifications(call: Call) -> Any:
    """Create a user, or modify the one that `target` names."""
    return call.once(lambda unit: _upsert(call, unit))


def _upsert(call: Call, unit: str) -> dict[str, Any]:
    option = text(call.body.get("userModificationOptionUri"))
    if option not in {None, _SAVE}:
        raise unknown_uri(option)
    modifications = mapping(call.body.get("modifications"))
    before = _target(call)
    draft = _drafted(call, modifications) if before is None else Draft(call, dataclasses.replace(before))
    _identify(draft, modifications)
    for key, apply in _PARTS.items():
        if modifications.get(key) not in (None, []):
            _apply(draft, key, apply, modifications)
    if call.state.login_taken(draft.account.login, draft.account.number):
        return _taken(call)
    call.commit(before, draft.account, unit)
    if draft.password is not None and call.effective:
        call.state.passwords[draft.account.number] = draft.password
    return {"user": user_reference(draft.account), "errors": _errors(call, draft.refused)}


def _target(call: Call) -> Account | None:
    """Give the user to modify, or null to create one."""
    target = call.body.get("target")
    if target is None:
        return None
    account = call.find(mapping(target))
    if account is None and not (mapping(target).get("loginName") and call.state.settings.unknown_login_creates):
        raise RepliconFault(
            "InvalidUserTargetParameterError1",
            "Invalid UserTargetParameter. The specified user does not exist.",
            echo={"target": target},
        )
    return account


def _drafted(call: Call, modifications: Json) -> Draft:
    """Start a new user from the tenant's defaults and what cannot be left out."""
    defaults = _defaults(call, mapping(mapping(call.body.get("template")).get("templateTarget")))
    given = {key: text(mapping(modifications.get(key)).get("value")) for key in ("firstName", "lastName", "loginName")}
    given["loginName"] = given["loginName"] or text(mapping(call.body.get("target")).get("loginName"))
    for key, value in given.items():
        if value is None:
            raise missing(key)
    if modifications.get("securitySettings") is None:
        raise missing("securitySettings")
    number = call.state.new_number()
    account = Account(
        number,
        given["loginName"] or "",
        given["firstName"] or "",
        given["lastName"] or "",
        time_zone=defaults.time_zone,
        week_start=defaults.week_start,
        permission_sets=defaults.permission_sets,
        products=defaults.products,
        has_data=call.state.gets_data(number),
    )
    return Draft(call, account)


def _defaults(call: Call, template: Json) -> Defaults:
    name = text(template.get("name"))
    if name is None:
        return call.state.catalog.defaults
    found = call.state.catalog.templates.get(name.lower())
    if found is None:
        raise RepliconFault(
            "InvalidUserTemplateParameterError1", "Invalid parameters", echo={"template": dict(template)}
        )
    return found


def _apply(draft: Draft, key: str, apply: Callable[[Draft, Json], None], modifications: Json) -> None:
    """Apply one part; a value that breaks a rule fails the call or is told as refused, by the settings."""
    try:
        draft.attempt(apply, modifications)
    except (ValueError, TypeError) as error:
        if draft.call.state.settings.refused_values == "error":
            raise invalid(_SECTIONS.get(key, "Modifications"), modifications[key]) from error
        draft.refuse(f"{key}: {error}")


def _taken(call: Call) -> dict[str, Any]:
    if call.state.settings.duplicate_login == "partial":
        return {"user": None, "errors": _errors(call, [USER_EXISTS])}
    raise call.login_taken()


def _errors(call: Call, refused: list[str]) -> list[dict[str, Any]] | None:
    if not refused and call.state.settings.no_errors_as_null:
        return None
    return [{"notifications": [notification(why)]} for why in refused]


def _identify(draft: Draft, modifications: Json) -> None:
    """Apply the names and the login name, which can be changed but not cleared."""
    limit = draft.call.state.settings.name_limit
    for key, attribute in (("firstName", "first_name"), ("lastName", "last_name"), ("loginName", "login")):

        def apply(draft: Draft, modifications: Json, key: str = key, attribute: str = attribute) -> None:
            todo, value = draft.scalar(modifications, key)
            if not todo:
                return
            name = text(value)
            if name is None:
                raise ValueError("it must not be empty")
            if limit is not None and key != "loginName" and len(name) > limit:
                raise ValueError(f"it must not be longer than {limit} characters, found {len(name)}")
            draft.set(**{attribute: name})

        if key in modifications:
            _apply(draft, key, apply, modifications)


def _plain(key: str, attribute: str) -> Callable[[Draft, Json], None]:
    def apply(draft: Draft, modifications: Json) -> None:
        todo, value = draft.scalar(modifications, key)
        if todo:
            draft.set(**{attribute: text(value)})

    return apply


def _email(draft: Draft, modifications: Json) -> None:
    todo, value = draft.scalar(modifications, "emailAddress")
    address = text(value)
    if todo:
        check_email(draft.call, address)
        draft.set(email=address)


def check_email(call: Call, address: str | None) -> None:
    """Raise `ValueError` when the address breaks a rule of the e-mail field."""
    if address is not None and call.state.settings.email_must_be_ascii and not address.isascii():
        raise ValueError(f"an e-mail address holds ASCII characters only, found {address!r}")


def _employment(draft: Draft, modifications: Json) -> None:
    todo, value = draft.scalar(modifications, "employmentDateRange")
    if todo:
        span = DateRange.read(value)
        draft.set(start=span.start, end=span.end)


def _security(draft: Draft, modifications: Json) -> None:
    todo, value = draft.scalar(modifications, "securitySettings")
    if not todo:
        return
    settings = mapping(value)
    has_enabled, enabled = draft.scalar(settings, "loginEnabled")
    if has_enabled and enabled is not None:
        draft.set(enabled=flag(enabled))
    has_sso_name, sso_name = draft.scalar(settings, "ssoName")
    if has_sso_name:
        draft.set(sso_name=text(sso_name))
    if text(settings.get("ssoNameModificationOptionUri")) == _LOGIN_AS_SSO_NAME:
        draft.set(sso_name=draft.account.login)
    has_password, password = draft.scalar(settings, "password")
    if has_password and password:
        draft.password = str(password)


def _time_zone(draft: Draft, modifications: Json) -> None:
    todo, value = draft.scalar(modifications, "timeZone")
    if todo:
        default = draft.call.state.catalog.defaults.time_zone
        draft.set(time_zone=default if value is None else find_zone(mapping(value)))


def _week_start(draft: Draft, modifications: Json) -> None:
    todo, value = draft.scalar(modifications, "workWeekStartDay")
    if todo:
        default = draft.call.state.catalog.defaults.week_start
        draft.set(week_start=default if value is None else find_day(mapping(value).get("uri")))


def find_day(uri: Any) -> str:
    """Read a day of the week from its URI. Raises `ValueError` for anything else."""
    for day in DAYS:
        if uri == day_uri(day):
            return day
    raise ValueError(f"expected a day of the week's uri, found {uri!r}")


def _group_schedule(kind: GroupKind) -> Callable[[Draft, Json], None]:
    key = f"{kind.member}Schedule"

    def find(draft: Draft, item: Json) -> int:
        group = draft.call.state.catalog.find_group(kind, item)
        if group is None:
            raise RefusedError(f"{key}: there is no {kind.uri_type} {item.get('uri') or item.get('name')!r}.")
        return group.number

    def apply(draft: Draft, modifications: Json) -> None:
        schedule = draft.account.groups[kind.position]
        for element in sequence(modifications[key]):
            span, item = _entry(element)
            try:
                number = find(draft, item) if item else None
            except RefusedError as error:
                draft.refuse(str(error))
                continue
            schedule = overlay(schedule, number, span.start, span.end)
        groups = list(draft.account.groups)
        groups[kind.position] = schedule
        draft.set(groups=tuple(groups))

    return apply


def _entry(element: Any) -> tuple[DateRange, Json]:
    """Read an element of a schedule: its range, and the identifiers of its item (none: clear the range)."""
    parts = mapping(element)
    item = {name: value for name, value in mapping(parts.get("item")).items() if value is not None}
    return DateRange.read(parts.get("dateRange")), item


def _supervisors(draft: Draft, modifications: Json) -> None:
    schedule = draft.account.supervisors
    for element in sequence(modifications["supervisorSchedule"]):
        span, item = _entry(element)
        try:
            number = find_supervisor(draft.call, item, draft.account) if item else None
        except RefusedError as error:
            draft.refuse(f"supervisorSchedule: {error}")
            continue
        schedule = overlay(schedule, number, span.start, span.end)
    draft.set(supervisors=schedule)


def find_supervisor(call: Call, target: Json, account: Account) -> int:
    """Give the number of the user who is to supervise `account`.

    Raises `RefusedError` when there is no such user, when it is the account itself, or when the user
    has no permission set of the supervision policy; `RepliconFault` for a target without exactly one identifier.
    """
    uri = text(target.get("uri"))
    above = call.state.by_uri(uri) if uri and not target.get("loginName") else call.find(target)
    if above is None:
        raise RefusedError("The specified supervisor does not exist.")
    if above.number == account.number:
        raise RefusedError("A user cannot be their own supervisor.")
    if not call.state.catalog.holds(above.permission_sets, SUPERVISION_POLICY):
        raise RefusedError(
            f"The user {above.display_text} does not have a supervisor permission set and cannot be a supervisor."
        )
    return above.number


def _combine(held: Sequence[_Item], option: Any, items: list[_Item]) -> list[_Item]:
    """Add to, remove from or replace a collection, as its modification option says."""
    if option == f"{_COLLECTION}add":
        return [*held, *(item for item in items if item not in held)]
    if option == f"{_COLLECTION}remove":
        return [item for item in held if item not in items]
    if option == f"{_COLLECTION}replace":
        return items
    raise unknown_uri(option)


def _permission_sets(draft: Draft, modifications: Json) -> None:
    catalog = draft.call.state.catalog
    for element in sequence(modifications["permissionSets"]):
        named = []
        for item in sequence(mapping(element).get("items")):
            policy_set = mapping(mapping(item).get("permissionSetPolicy"))
            found = catalog.find_permission_set(policy_set)
            if found is None:
                draft.refuse(
                    f"permissionSets: there is no permission set {policy_set.get('uri') or policy_set.get('name')!r}."
                )
            else:
                named.append(found.number)
        held = _combine(draft.account.permission_sets, mapping(element).get("modificationOptionUri"), named)
        draft.set(permission_sets=catalog.holding((), [catalog.permission_sets[number] for number in held]))


def _products(draft: Draft, modifications: Json) -> None:
    for element in sequence(modifications["products"]):
        named = []
        for item in sequence(mapping(element).get("items")):
            uri = mapping(item).get("uri")
            if uri in PRODUCTS:
                named.append(uri)
            else:
                draft.refuse(f"products: there is no product {uri or mapping(item).get('name')!r}.")
        held = _combine(draft.account.products, mapping(element).get("modificationOptionUri"), named)
        draft.set(products=tuple(sorted(held)))


def _custom_fields(draft: Draft, modifications: Json) -> None:
    for element in sequence(modifications["customFields"]):
        value = mapping(mapping(element).get("value"))
        named = mapping(value.get("customField"))
        field = draft.call.state.catalog.find_field(named)
        if field is None:
            draft.refuse(f"customFields: there is no custom field {named.get('uri') or named.get('name')!r}.")
            continue
        option = mapping(value.get("dropDownOption"))
        given: FieldValue | None
        if field.type == "drop-down":
            wanted = text(option.get("uri")) or text(option.get("name")) or text(value.get("text"))
            given = next((uri for uri, name in field.options.items() if wanted in {uri, name}), None)
            if wanted is not None and given is None:
                draft.refuse(f"customFields: the field {field.name} has no option {wanted!r}.")
                continue
        elif field.type == "date":
            given = date(value.get("date"))
        elif field.type == "numeric":
            given = None if value.get("number") is None else float(value["number"])
        else:
            given = text(value.get("text"))
        draft.set(fields=with_field(draft.account.fields, field.uri, given))


def _extension_fields(draft: Draft, modifications: Json) -> None:
    for element in sequence(modifications["extensionFields"]):
        value = mapping(mapping(element).get("value"))
        named = mapping(value.get("definition"))
        field = draft.call.state.catalog.find_field(named, extension=True)
        tag = text(mapping(value.get("tag")).get("uri"))
        if field is None or (tag is not None and tag not in field.options):
            draft.refuse(f"extensionFields: there is no extension field or tag {tag or named.get('uri')!r}.")
            continue
        numeric = value.get("numericValue")
        given = tag or (float(numeric) if numeric is not None else text(value.get("textValue")))
        draft.set(fields=with_field(draft.account.fields, field.uri, given))


def with_field(fields: Mapping[str, FieldValue], uri: str, value: FieldValue | None) -> Mapping[str, FieldValue]:
    """Give the field values with one of them set, or without it when the value is null."""
    rest = {name: each for name, each in fields.items() if name != uri}
    return rest if value is None else {**rest, uri: value}


_PARTS: Final[Mapping[str, Callable[[Draft, Json], None]]] = {
    "displayName": _plain("displayName", "display_name"),
    "emailAddress": _email,
    "employeeId": _plain("employeeId", "employee_id"),
    "employmentDateRange": _employment,
    "securitySettings": _security,
    "timeZone": _time_zone,
    "workWeekStartDay": _week_start,
    "permissionSets": _permission_sets,
    "products": _products,
    "customFields": _custom_fields,
    "extensionFields": _extension_fields,
    "supervisorSchedule": _supervisors,
    **{f"{kind.member}Schedule": _group_schedule(kind) for kind in GroupKind},
}
"""How each part of the modifications is applied, in this order; parts that the sandbox does not keep are accepted
and forgotten."""
_SECTIONS: Final[Mapping[str, str]] = {
    "timeZone": "TimeZoneModification",
    "workWeekStartDay": "WorkWeekStartDayModification",
    "securitySettings": "SecuritySettingsModification",
    **{
        f"{kind.member}Schedule": f"{kind.member[0].upper()}{kind.member[1:]}ScheduleModification" for kind in GroupKind
    },
}
"""How the error type calls a part, where it has a name of its own."""

OPERATIONS: Final[Mapping[str, Operation]] = {
    "ImportService2.CreateUserOrApplyModifications": Operation(create_user_or_apply_modifications, writes=True),
}
