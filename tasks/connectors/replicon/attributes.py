"""The table of attributes that a Replicon account can have: what each is, and by which wire it is read and written.

Mappings are checked against `TARGET_ATTRIBUTES`; reconcile compares by it; `users.py` reads and writes by `binding`.
"""

from __future__ import annotations

import dataclasses
import difflib
import functools
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

from tasks.connectors.replicon.catalogue import Listing
from tasks.connectors.replicon.wires import (
    CustomField,
    EmploymentDate,
    ExtensionField,
    Group,
    LoginEnabled,
    PermissionSets,
    Products,
    SsoName,
    Supervisor,
    Text,
    TimeZone,
    WeekStart,
    Wire,
)
from tasks.model import BadInputError, TargetAttribute

CUSTOM_FIELD: Final = "CustomField:"
"""Begins the name of an attribute that is a custom field; its name or URI in the tenant follows."""
EXTENSION_FIELD: Final = "ExtensionField:"
"""Begins the name of an attribute that is an extension field; its URI in the tenant follows."""


@dataclasses.dataclass(frozen=True)
class Binding:
    """One attribute and its wire. `words` are how an error text of Replicon speaks of it, in lower case."""

    target: TargetAttribute
    wire: Wire
    words: tuple[str, ...]

    @property
    def name(self) -> str:
        """The attribute's name."""
        return self.target.name


def _loose(name: str, kind: str, description: str) -> TargetAttribute:
    """Describe an attribute whose values are found in the tenant without regard to letter case."""
    return TargetAttribute(name, kind, case_exact=False, description=description)


def _detail(name: str) -> tuple[str, ...]:
    return ("userDetails", name)


_TABLE: Final[tuple[Binding, ...]] = (
    Binding(
        TargetAttribute(
            "LoginName",
            "String",
            case_exact=False,
            matchable=True,
            required=True,
            description="What the account signs in with; unique in the tenant without regard to letter case.",
        ),
        Text("loginName", ("securityConfiguration", "loginName"), clearable=False),
        ("login", "already exists"),
    ),
    Binding(
        TargetAttribute("FirstName", "String", max_length=50, description="Given name."),
        Text("firstName", _detail("firstName"), clearable=False),
        ("first name", "firstname"),
    ),
    Binding(
        TargetAttribute("LastName", "String", max_length=50, description="Family name."),
        Text("lastName", _detail("lastName"), clearable=False),
        ("last name", "lastname"),
    ),
    Binding(
        TargetAttribute("DisplayName", "String", description="Name shown instead of the tenant's own format."),
        Text("displayName", _detail("customDisplayName")),
        ("display name", "displayname"),
    ),
    Binding(
        TargetAttribute(
            "EmailAddress",
            "String",
            case_exact=False,
            matchable=True,
            description="E-mail address; Replicon takes plain ASCII only.",
        ),
        Text("emailAddress", _detail("emailAddress"), ascii_only=True),
        ("email", "e-mail"),
    ),
    Binding(
        TargetAttribute(
            "EmployeeId", "String", matchable=True, description="Personnel number; several accounts may share one."
        ),
        Text("employeeId", _detail("employeeId")),
        ("employee id", "employeeid"),
    ),
    Binding(
        TargetAttribute("StartDate", "DateTime", description="First day of employment."),
        EmploymentDate("startDate"),
        ("start date", "employment date"),
    ),
    Binding(
        TargetAttribute("EndDate", "DateTime", description="Last day of employment; cleared when login is given back."),
        EmploymentDate("endDate"),
        ("end date",),
    ),
    Binding(
        TargetAttribute("LoginEnabled", "Boolean", case_exact=False, description="Whether the account may sign in."),
        LoginEnabled(),
        ("login enabled", "enable"),
    ),
    Binding(
        TargetAttribute(
            "SsoName", "String", readable=False, description="Name that an OpenID Connect provider knows them by."
        ),
        SsoName(),
        ("sso", "authentication id"),
    ),
    Binding(
        _loose("Department", "Group", "Department (group)."),
        Group("departmentGroupSchedule", Listing.DEPARTMENT, "departmentGroup", "parent", _detail("department")),
        ("department",),
    ),
    Binding(
        _loose("EmployeeType", "Group", "Employee type (group)."),
        Group("employeeTypeGroupSchedule", Listing.EMPLOYEE_TYPE, "employeeTypeGroup", "parent", ("employeeType",)),
        ("employee type", "employeetype"),
    ),
    Binding(
        _loose("Location", "Group", "Location."),
        Group("locationSchedule", Listing.LOCATION, "location", "parentUri"),
        ("location",),
    ),
    Binding(
        _loose("Division", "Group", "Division."),
        Group("divisionSchedule", Listing.DIVISION, "division", "parentUri"),
        ("division",),
    ),
    Binding(
        _loose("CostCenter", "Group", "Cost center."),
        Group("costCenterSchedule", Listing.COST_CENTER, "costCenter", "parentUri"),
        ("cost center", "costcenter"),
    ),
    Binding(
        _loose("ServiceCenter", "Group", "Service center."),
        Group("serviceCenterSchedule", Listing.SERVICE_CENTER, "serviceCenter", "parentUri"),
        ("service center", "servicecenter"),
    ),
    Binding(
        TargetAttribute(
            "Supervisor", "Reference", description="Account of the manager; needs a permission set for supervision."
        ),
        Supervisor(),
        ("supervis",),
    ),
    Binding(
        _loose("TimeZone", "String", "Time zone, by IANA name such as Europe/London."),
        TimeZone(),
        ("time zone", "timezone"),
    ),
    Binding(
        _loose("WorkWeekStartDay", "String", "Day the work week starts, such as Monday."),
        WeekStart(),
        ("week",),
    ),
    Binding(
        TargetAttribute(
            "PermissionSets",
            "String",
            multivalued=True,
            case_exact=False,
            description="Permission sets, by name; the account holds exactly these.",
        ),
        PermissionSets(),
        ("permission",),
    ),
    Binding(
        TargetAttribute(
            "Products",
            "String",
            multivalued=True,
            case_exact=False,
            description="Licences, such as time-off-plus; the account holds exactly these.",
        ),
        Products(),
        ("product", "licen"),
    ),
)

_BY_NAME: Final[Mapping[str, Binding]] = {entry.name: entry for entry in _TABLE}
_PLACE: Final[Mapping[str, int]] = {entry.name: place for place, entry in enumerate(_TABLE)}


@functools.lru_cache(maxsize=1024)
def binding(name: str) -> Binding:
    """Give the binding of the attribute `name`, custom and extension fields included.

    Raises `BadInputError` with the nearest name when there is no such attribute.
    """
    if name in _BY_NAME:
        return _BY_NAME[name]
    for prefix, wire, what in (
        (CUSTOM_FIELD, CustomField, "Custom field"),
        (EXTENSION_FIELD, ExtensionField, "Extension field"),
    ):
        field = name.removeprefix(prefix)
        if name.startswith(prefix) and field.strip():
            return Binding(
                TargetAttribute(name, "String", description=f"{what} {field} of the tenant."),
                wire(field),
                (field.lower(),),
            )
    near = difflib.get_close_matches(name, _BY_NAME, n=1)
    raise BadInputError(
        f"There is no target attribute {name!r}"
        + (f"; did you mean {near[0]}?" if near else ".")
        + f" Replicon accounts have {', '.join(_BY_NAME)}, {CUSTOM_FIELD}<name or URI> and {EXTENSION_FIELD}<URI>."
    )


def attribute(name: str) -> TargetAttribute:
    """Give the attribute `name`. Raises `BadInputError` with the nearest name when there is none."""
    return binding(name).target


def in_table_order(names: Iterable[str]) -> list[Binding]:
    """Give the bindings of `names` in the order in which requests hold them: the table's, then fields by name."""
    return [binding(name) for name in sorted(names, key=lambda name: (_PLACE.get(name, len(_PLACE)), name))]


class _Attributes(Mapping[str, TargetAttribute]):
    """The fixed attributes to iterate over; looking one up also finds custom and extension fields."""

    def __getitem__(self, name: str) -> TargetAttribute:
        try:
            return attribute(name)
        except BadInputError:
            raise KeyError(name) from None

    def __iter__(self) -> Iterator[str]:
        return iter(_BY_NAME)

    def __len__(self) -> int:
        return len(_BY_NAME)


TARGET_ATTRIBUTES: Final[Mapping[str, TargetAttribute]] = _Attributes()
"""Every attribute by name; `CustomField:<name or URI>` and `ExtensionField:<URI>` are found too."""
