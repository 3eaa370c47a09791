"""How each kind of attribute is read from an item of BulkGetUsers3 and written into CreateUserOrApplyModifications.

One class a kind; `attributes.py` says which attribute is of which kind. Shapes follow Replicon's help pages and
"Understanding error responses"; where the nesting of an answer is documented nowhere, several are understood.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, Protocol

from tasks.connectors.replicon import values
from tasks.connectors.replicon.catalogue import Catalogue, FieldType, Listing
from tasks.connectors.replicon.values import RefusedValueError, Value

Item = Mapping[str, Any]
"""One account as BulkGetUsers3 gives it."""

REPLACE: Final = "urn:replicon:collection-modification-option:replace"


@dataclasses.dataclass
class Draft:
    """The `modifications` of one write while they are filled in, and what filling them in may look at.

    `today` is from when a changed group or supervisor counts; `current` gives the account's values as they are, or
    null when it is being created.
    """

    catalogue: Catalogue
    today: dt.date
    current: Callable[[], Mapping[str, Value]] | None = None
    modifications: dict[str, Any] = dataclasses.field(default_factory=dict)
    dates: dict[str, Any] = dataclasses.field(default_factory=dict)

    def secure(self, key: str, value: Any) -> None:
        """Set one member of `securitySettings`; those not set keep what they are."""
        self.modifications.setdefault("securitySettings", {"value": {}})["value"][key] = {"value": value}

    def from_today(self) -> dict[str, Any] | None:
        """Give the range in which a new assignment counts: always on creation, else from today, history kept."""
        if self.current is None:
            return None
        return {"startDate": values.date_to_wire(self.today.isoformat()), "endDate": None}


class Wire(Protocol):
    """One kind of attribute on Replicon's wire."""

    @property
    def key(self) -> str:
        """The member of `modifications` that it is written to."""

    def read(self, item: Item, today: dt.date, /) -> Value:
        """Give the attribute's value in `item`, as of `today`; null when it has none."""

    def write(self, draft: Draft, value: Value, /) -> None:
        """Put `value` (null clears) into `draft`. Raises `RefusedValueError` when Replicon cannot take it."""

    def canonical(self, value: str, catalogue: Catalogue, /) -> str:
        """Give one text as reading would give it back. Raises `RefusedValueError` when Replicon cannot take it."""


@dataclasses.dataclass(frozen=True)
class Text:
    """A text under `key`, given back at `path`."""

    key: str
    path: tuple[str, ...]
    clearable: bool = True
    ascii_only: bool = False

    def read(self, item: Item, _today: dt.date) -> Value:
        return _text(_dig(item, self.path))

    def write(self, draft: Draft, value: Value) -> None:
        draft.modifications[self.key] = {"value": self._checked(value)}

    def canonical(self, value: str, _catalogue: Catalogue) -> str:
        return value

    def _checked(self, value: Value) -> str | None:
        text = _single(value)
        if text is None and not self.clearable:
            raise RefusedValueError("it cannot be empty in Replicon; give it a value in the mapping")
        if text is not None and self.ascii_only and not text.isascii():
            raise RefusedValueError(f"Replicon takes plain ASCII here, found {text!r}; use NormalizeDiacritics")
        return text


@dataclasses.dataclass(frozen=True)
class SsoName:
    """The name that single sign-on knows an account by; Replicon does not give it back."""

    key: str = "securitySettings"

    def read(self, _item: Item, _today: dt.date) -> Value:
        return None

    def write(self, draft: Draft, value: Value) -> None:
        draft.secure("ssoName", _single(value))

    def canonical(self, value: str, _catalogue: Catalogue) -> str:
        return value


@dataclasses.dataclass(frozen=True)
class LoginEnabled:
    """Whether the account may sign in."""

    key: str = "securitySettings"

    def read(self, item: Item, _today: dt.date) -> Value:
        flag = _dig(item, ("securityConfiguration", "isLoginEnabled"))
        return values.flag_from_wire(_dig(item, ("userDetails", "isEnabled")) if flag is None else flag)

    def write(self, draft: Draft, value: Value) -> None:
        text = _single(value)
        if text is None:
            raise RefusedValueError("expected True or False, found no value; give it one in the mapping")
        draft.secure("loginEnabled", values.flag_to_wire(text))

    def canonical(self, value: str, _catalogue: Catalogue) -> str:
        return str(values.flag_to_wire(value))


@dataclasses.dataclass(frozen=True)
class EmploymentDate:
    """One end of the employment range. The range is written whole, so the other end comes from the account."""

    end: str
    key: str = "employmentDateRange"

    def read(self, item: Item, _today: dt.date) -> Value:
        return values.date_from_wire(_dig(item, ("userDetails", "employmentDateRange", self.end)))

    def write(self, draft: Draft, value: Value) -> None:
        text = _single(value)
        draft.dates[self.end] = None if text is None else values.date_to_wire(text)

    def canonical(self, value: str, _catalogue: Catalogue) -> str:
        return str(values.date_from_wire(values.date_to_wire(value)))


@dataclasses.dataclass(frozen=True)
class TimeZone:
    """A time zone, by IANA name."""

    key: str = "timeZone"

    def read(self, item: Item, _today: dt.date) -> Value:
        zone = item.get("timeZone") or _dig(item, ("userDetails", "timeZone"))
        if not isinstance(zone, dict):
            return None
        uri = str(zone.get("uri") or "")
        return _text(zone.get("IANAName") or zone.get("ianaName")) or values.time_zone_name(uri) or _name(zone)

    def write(self, draft: Draft, value: Value) -> None:
        text = _single(value)
        zone = None if text is None else draft.catalogue.find(Listing.TIME_ZONE, text)
        draft.modifications[self.key] = {"value": zone and {"uri": zone.uri, "IANAName": None}}

    def canonical(self, value: str, catalogue: Catalogue) -> str:
        return catalogue.find(Listing.TIME_ZONE, value).name


@dataclasses.dataclass(frozen=True)
class WeekStart:
    """The day on which the account's work week starts, by English name."""

    key: str = "workWeekStartDay"

    def read(self, item: Item, _today: dt.date) -> Value:
        uri = _text(_dig(item, ("userDetails", "workWeekStartDay", "uri")))
        return None if uri is None else uri.rpartition(":")[2].capitalize()

    def write(self, draft: Draft, value: Value) -> None:
        text = _single(value)
        day = None if text is None else {"uri": values.DAY_OF_WEEK + values.day_name(text).lower()}
        draft.modifications[self.key] = {"value": day}

    def canonical(self, value: str, _catalogue: Catalogue) -> str:
        return values.day_name(value)


@dataclasses.dataclass(frozen=True)
class Group:
    """Membership of a group, by name: given back as a schedule, of which the entry in force counts."""

    key: str
    listing: Listing
    member: str
    """What an entry of the schedule calls the group."""
    parent: str
    """What the written reference calls the group above."""
    legacy: tuple[str, ...] = ()
    """Where a tenant without this kind of group gives its forerunner."""

    def read(self, item: Item, today: dt.date) -> Value:
        entry = _in_force(item.get(self.key) or _dig(item, ("userDetails", self.key)), today)
        if entry is not None:
            return _name(entry.get("item") or entry.get(self.member) or entry)
        # An empty schedule is no group; only without any schedule the forerunner counts.
        return _name(_dig(item, self.legacy)) if self.legacy and item.get(self.key) is None else None

    def write(self, draft: Draft, value: Value) -> None:
        text = _single(value)
        if text is None:
            raise RefusedValueError(
                f"Replicon documents no way to take an account out of its {self.listing.noun}; assign another one"
            )
        item: dict[str, Any] = {"uri": draft.catalogue.find(self.listing, text).uri, "name": None, self.parent: None}
        if self.parent == "parent":
            item["parameterCorrelationId"] = None
        draft.modifications[self.key] = [{"dateRange": draft.from_today(), "item": item}]

    def canonical(self, value: str, catalogue: Catalogue) -> str:
        return catalogue.find(self.listing, value).name


@dataclasses.dataclass(frozen=True)
class Supervisor:
    """The account of the supervisor, by URI."""

    key: str = "supervisorSchedule"

    def read(self, item: Item, _today: dt.date) -> Value:
        found = _dig(item, ("userDetails", "supervisor"))
        if not isinstance(found, dict):
            return None
        return _text((found.get("user") or found).get("uri"))

    def write(self, draft: Draft, value: Value) -> None:
        uri = _single(value)
        if uri is None:
            raise RefusedValueError("a supervisor is taken away by a call of its own; it is left for the next cycle")
        target = {"uri": uri, "loginName": None, "employeeId": None, "parameterCorrelationId": None}
        draft.modifications[self.key] = [{"dateRange": draft.from_today(), "item": target}]

    def canonical(self, value: str, _catalogue: Catalogue) -> str:
        return value


@dataclasses.dataclass(frozen=True)
class PermissionSets:
    """The permission sets of the account, by name; written as a whole."""

    key: str = "permissionSets"

    def read(self, item: Item, _today: dt.date) -> Value:
        return _names(item.get(self.key), "permissionSet")

    def write(self, draft: Draft, value: Value) -> None:
        found = {draft.catalogue.find(Listing.PERMISSION_SET, text).uri for text in _several(value)}
        items = [
            {"permissionSetPolicy": {"uri": uri, "name": None}, "groupAccessFilter": None} for uri in sorted(found)
        ]
        draft.modifications[self.key] = [{"modificationOptionUri": REPLACE, "items": items}]

    def canonical(self, value: str, catalogue: Catalogue) -> str:
        return catalogue.find(Listing.PERMISSION_SET, value).name


@dataclasses.dataclass(frozen=True)
class Products:
    """The licences of the account, by the last part of their URI; written as a whole."""

    key: str = "products"

    def read(self, item: Item, _today: dt.date) -> Value:
        found = item.get("assignedProducts")
        uris = [_text((entry.get("product") or entry).get("uri")) for entry in _entries(found)]
        return sorted({uri.removeprefix(values.PRODUCT) for uri in uris if uri})

    def write(self, draft: Draft, value: Value) -> None:
        uris = sorted({values.PRODUCT + self.canonical(text, draft.catalogue) for text in _several(value)})
        items = [{"uri": uri, "name": None} for uri in uris]
        draft.modifications[self.key] = [{"modificationOptionUri": REPLACE, "items": items}]

    def canonical(self, value: str, _catalogue: Catalogue) -> str:
        return value.strip().removeprefix(values.PRODUCT)


@dataclasses.dataclass(frozen=True)
class CustomField:
    """A custom field of the tenant, by its name or URI."""

    field: str
    key: str = "customFields"

    def read(self, item: Item, _today: dt.date) -> Value:
        for entry in _entries(_dig(item, ("userDetails", "customFieldValues"))):
            field = entry.get("customField")
            if isinstance(field, dict) and self.field in (field.get("uri"), _name(field)):
                return (
                    values.date_from_wire(entry.get("date"))
                    or _name(entry.get("dropDownOption"))
                    or (None if entry.get("number") is None else values.number_from_wire(entry["number"]))
                    or _text(entry.get("text"))
                )
        return None

    def write(self, draft: Draft, value: Value) -> None:
        field, text = draft.catalogue.find(Listing.CUSTOM_FIELD, self.field), _single(value)
        held: dict[str, Any] = {"text": None, "date": None, "number": None, "dropDownOption": None}
        if text is not None:
            held |= _held(field.type, text)
        written = {"value": {"customField": {"uri": field.uri, "name": None}, **held}}
        draft.modifications.setdefault(self.key, []).append(written)

    def canonical(self, value: str, catalogue: Catalogue) -> str:
        kind = catalogue.find(Listing.CUSTOM_FIELD, self.field).type
        if kind is FieldType.NUMERIC:
            return str(values.number_to_wire(value))
        if kind is FieldType.DATE:
            return str(values.date_from_wire(values.date_to_wire(value)))
        return value


@dataclasses.dataclass(frozen=True)
class ExtensionField:
    """An extension field of the tenant, by URI: no document says how to list them. A URI as value is a tag."""

    definition: str
    key: str = "extensionFields"

    def read(self, item: Item, _today: dt.date) -> Value:
        for entry in _entries(_dig(item, ("userDetails", "extensionFieldValues"))):
            if _dig(entry, ("definition", "uri")) == self.definition:
                number = entry.get("numericValue")
                return (
                    _text(_dig(entry, ("tag", "uri")))
                    or (None if number is None else values.number_from_wire(number))
                    or _text(entry.get("textValue"))
                )
        return None

    def write(self, draft: Draft, value: Value) -> None:
        text = _single(value)
        tag = text if text is not None and values.is_uri(text) else None
        written = {
            "definition": {"uri": self.definition},
            "textValue": None if tag else text,
            "numericValue": None,
            "tag": tag and {"uri": tag},
        }
        draft.modifications.setdefault(self.key, []).append({"value": written})

    def canonical(self, value: str, _catalogue: Catalogue) -> str:
        return value


AS_IS: Final = (Text, SsoName, Supervisor, ExtensionField)
"""Kinds whose values are read back exactly as they were written."""


def _held(kind: FieldType, text: str) -> dict[str, Any]:
    """Give the one member of a custom field's value that holds `text`."""
    match kind:
        case FieldType.NUMERIC:
            return {"number": values.number_to_wire(text)}
        case FieldType.DATE:
            return {"date": values.date_to_wire(text)}
        case FieldType.DROP_DOWN if values.is_uri(text):
            return {"dropDownOption": {"uri": text, "name": None}}
        case FieldType.DROP_DOWN:
            return {"dropDownOption": {"uri": None, "name": text}}
        case FieldType.TEXT:
            return {"text": text}


def _dig(item: Any, path: tuple[str, ...]) -> Any:
    """Follow `path` into nested objects; null as soon as something is not there."""
    for name in path:
        if not isinstance(item, dict):
            return None
        item = item.get(name)
    return item


def _text(value: Any) -> str | None:
    """Give a text; an empty one is none."""
    return str(value) if value not in (None, "") else None


def _name(reference: Any) -> str | None:
    """Give the name of a named reference."""
    if not isinstance(reference, dict):
        return None
    return _text(reference.get("name")) or _text(reference.get("displayText"))


def _names(found: Any, member: str) -> list[str]:
    """Give the sorted names of references that may each be wrapped in `member`."""
    return sorted({name for entry in _entries(found) if (name := _name(entry.get(member) or entry))})


def _entries(found: Any) -> Iterator[Mapping[str, Any]]:
    """Go over the objects of a list that may be absent or hold nulls."""
    return (entry for entry in found or () if isinstance(entry, dict))


def _in_force(schedule: Any, today: dt.date) -> Mapping[str, Any] | None:
    """Give the entry of a schedule that counts today: of those begun and not ended the latest, else the last one."""
    entries = list(_entries(schedule))
    if len(entries) <= 1:
        return entries[0] if entries else None
    day = today.isoformat()
    begun = [(_began(entry), place, entry) for place, entry in enumerate(entries)]
    counting = [found for found in begun if found[0] <= day <= (_ends(found[2]) or day)]
    return max(counting)[2] if counting else entries[-1]


def _began(entry: Mapping[str, Any]) -> str:
    start = entry.get("effectiveDate") or _dig(entry, ("dateRange", "startDate"))
    return values.date_from_wire(start) or ""


def _ends(entry: Mapping[str, Any]) -> str | None:
    return values.date_from_wire(_dig(entry, ("dateRange", "endDate")))


def _single(value: Value) -> str | None:
    """Give the one text of a value; an empty one is none."""
    if value is None or isinstance(value, str):
        return value or None
    if len(value) > 1:
        raise RefusedValueError(f"expected one value, found {len(value)}; use Join or pick one in the mapping")
    return (value[0] or None) if value else None


def _several(value: Value) -> list[str]:
    """Give the texts of a value without empty ones."""
    return [text for text in ([value] if isinstance(value, str) else value or ()) if text]
