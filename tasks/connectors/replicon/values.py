"""Text as mappings and reports have it, to and from the forms of Replicon's wire. No attribute is named here.

Called by `wires.py` and `catalogue.py`. A text that Replicon cannot take raises `RefusedValueError`.
"""

from __future__ import annotations

import datetime as dt
import functools
import zoneinfo
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final

Value = str | Sequence[str] | None
"""What an attribute holds: text, several texts, or nothing."""

DAY_OF_WEEK: Final = "urn:replicon:day-of-week:"
TIME_ZONE: Final = "urn:replicon:time-zone:"
PRODUCT: Final = "urn:replicon-saas:product:"

_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_LARGEST_WHOLE: Final = 2**53


class RefusedValueError(Exception):
    """Raised when one value of one person cannot be written; its text says what was expected and what to do."""


def is_uri(text: str) -> bool:
    """Tell a URI of an object from its name."""
    return text.lower().startswith("urn:")


def date_to_wire(text: str) -> dict[str, int]:
    """Turn yyyy-mm-dd (a time after it is dropped) into Replicon's date object."""
    try:
        date = dt.date.fromisoformat(text.strip()[:10])
    except ValueError:
        raise RefusedValueError(f"expected a date as yyyy-mm-dd, found {text!r}; correct it at its source") from None
    return {"year": date.year, "month": date.month, "day": date.day}


def date_from_wire(date: Any) -> str | None:
    """Turn Replicon's date object, its parts numbers or digits, into yyyy-mm-dd; null when there is none."""
    if not isinstance(date, dict):
        return None
    try:
        return dt.date(int(date["year"]), int(date["month"]), int(date["day"])).isoformat()
    except (KeyError, TypeError, ValueError):
        return None


def flag_to_wire(text: str) -> bool:
    """Turn True or False in any letter case into a boolean."""
    flag = {"true": True, "false": False}.get(text.strip().lower())
    if flag is None:
        raise RefusedValueError(f"expected True or False, found {text!r}; correct the mapping")
    return flag


def flag_from_wire(flag: Any) -> str | None:
    """Turn a boolean, or a text that means one, into True or False; null when it is neither."""
    if isinstance(flag, bool):
        return str(flag)
    return {"true": "True", "false": "False"}.get(str(flag).lower())


def number_to_wire(text: str) -> int | float:
    """Turn a decimal number into a JSON number."""
    try:
        number = Decimal(text.strip())
    except InvalidOperation:
        number = Decimal("NaN")
    if not number.is_finite() or abs(number) > _LARGEST_WHOLE:
        raise RefusedValueError(f"expected a number such as 12 or 12.5, found {text!r}; correct the mapping")
    return int(number) if number == number.to_integral_value() else float(number)


def number_from_wire(number: Any) -> str | None:
    """Turn a JSON number into its shortest text: 12, not 12.0."""
    try:
        return str(number_to_wire(str(number)))
    except RefusedValueError:
        return None


def day_name(text: str) -> str:
    """Give the English name of a day of the week, written as a name in any letter case or as a URI."""
    name = text.strip().lower().removeprefix(DAY_OF_WEEK).capitalize()
    if name not in _DAYS:
        raise RefusedValueError(f"expected a day such as Monday, found {text!r}; correct the mapping")
    return name


def time_zone_slug(text: str) -> str:
    """Give the last part of a time zone's URI for an IANA name or a URI: America/New_York is america-new-york."""
    tail = text.strip()[len(TIME_ZONE) :] if text.strip().lower().startswith(TIME_ZONE) else text.strip()
    return tail.lower().replace("/", "-").replace("_", "-")


def time_zone_name(text: str) -> str | None:
    """Give the IANA name of a time zone's name or URI; null when the time-zone database does not know it."""
    return _zones_by_slug().get(time_zone_slug(text))


@functools.cache
def _zones_by_slug() -> Mapping[str, str]:
    return {time_zone_slug(name): name for name in sorted(zoneinfo.available_timezones())}
