"""Reads a date written in any common form, as .NET's `DateTime.Parse` does with the invariant culture.

Exact formats are in `date_formats`. The clock of the service is UTC: a time without an offset is taken as UTC, one
with an offset is converted. Used by the date functions and where a parameter takes a date.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import enum
import re
from collections.abc import Sequence
from typing import Final

TICKS: Final = 10_000_000
"""Ticks (100 ns, .NET's unit of time) in a second."""
DAY: Final = 86_400
"""Seconds in a day."""
EPOCH: Final = dt.date(1970, 1, 1).toordinal()
FIRST_SECOND: Final = (1 - EPOCH) * DAY
"""0001-01-01T00:00:00, the earliest instant of .NET, in seconds since 1970."""
LAST_SECOND: Final = (dt.date.max.toordinal() + 1 - EPOCH) * DAY - 1
"""9999-12-31T23:59:59, the latest one."""
TWO_DIGIT_YEAR_MAX: Final = 2049
"""Latest year that two digits stand for (.NET, Calendar.TwoDigitYearMax of the invariant culture)."""

MONTHS: Final = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


class DateTextError(ValueError):
    """Raised when a text does not read as a date; its text says why."""


class Zone(enum.Enum):
    """What a date's text said of its offset (.NET, DateTimeKind)."""

    UNSPECIFIED = ""
    """Nothing."""
    UTC = "Z"
    """`Z` or GMT."""
    LOCAL = "+00:00"
    """An offset; the instant has been converted to the service's clock, which is UTC."""


@dataclasses.dataclass(frozen=True)
class Moment:
    """An instant in ticks since 1970, and what its text said of the offset."""

    ticks: int
    zone: Zone = Zone.UNSPECIFIED

    @property
    def seconds(self) -> int:
        """Whole seconds since 1970."""
        return self.ticks // TICKS


@dataclasses.dataclass
class Fields:
    """What has been read of a date so far; null is "not said"."""

    year: int | None = None
    month: int | None = None
    day: int | None = None
    weekday: int | None = None
    hour: int = 0
    minute: int = 0
    second: int = 0
    fraction: int = 0
    """In ticks."""
    afternoon: bool | None = None
    half_day: bool = False
    """Whether the hour counts from 1 to 12."""
    zone: Zone = Zone.UNSPECIFIED
    offset: int = 0
    """In seconds east of Greenwich."""

    def moment(self, today: dt.date | None) -> Moment:
        """Give the instant. Raises `DateTextError` when there is no such one, or none without `today`."""
        if self.year is None and today is None:
            raise DateTextError("it says no year")
        now = today or dt.date.min
        if self.year is None and self.month is None and self.day is None:
            year, month, day = now.year, now.month, now.day
        else:
            year, month, day = self.year or now.year, self.month or 1, self.day or 1
        try:
            date = dt.date(year, month, day)
        except ValueError:
            raise DateTextError(f"there is no day {year}-{month:02}-{day:02}") from None
        if self.weekday is not None and date.weekday() != self.weekday:
            raise DateTextError(f"{date:%Y-%m-%d} is not a {WEEKDAYS[self.weekday]}")
        clock = self._hour() * 3600 + self._below(self.minute, "minute") * 60 + self._below(self.second, "second")
        seconds = (date.toordinal() - EPOCH) * DAY + clock - self.offset
        if not FIRST_SECOND <= seconds <= LAST_SECOND:
            raise DateTextError("it is outside the years 1 to 9999")
        return Moment(seconds * TICKS + self.fraction, self.zone)

    def _hour(self) -> int:
        if self.afternoon is not None or self.half_day:
            if self.hour > 12 or (self.half_day and self.hour == 0):
                raise DateTextError(f"{self.hour} is not an hour from 1 to 12")
            return self.hour % 12 + (12 if self.afternoon else 0)
        if self.hour > 23:
            raise DateTextError(f"{self.hour} is not an hour from 0 to 23")
        return self.hour

    @staticmethod
    def _below(value: int, unit: str) -> int:
        if value > 59:
            raise DateTextError(f"{value} is not a {unit} from 0 to 59")
        return value


def full_year(digits: str) -> int:
    """Give the year that two digits or four stand for."""
    year = int(digits)
    if len(digits) > 2:
        return year
    century = TWO_DIGIT_YEAR_MAX // 100 * 100
    return year + century if year <= TWO_DIGIT_YEAR_MAX % 100 else year + century - 100


def offset_seconds(sign: str, hours: str, minutes: str | None) -> int:
    """Give an offset in seconds. Raises `DateTextError` beyond 14 hours, as .NET does."""
    seconds = int(hours) * 3600 + int(minutes or 0) * 60
    if seconds > 14 * 3600 or int(minutes or 0) > 59:
        raise DateTextError("its offset is beyond 14 hours")
    return -seconds if sign == "-" else seconds


def fraction_ticks(digits: str) -> int:
    """Give the ticks of a decimal fraction of a second; digits beyond ticks are rounded."""
    return min(round(int(digits[:12]) * TICKS / 10 ** len(digits[:12])), TICKS - 1)


_MONTH = r"(?P<name>[A-Za-z]{3,9})\.?"
_YEAR = r"(?P<y>\d{4}|\d{2})"
_DAY = r"(?P<d>\d{1,2})"
_DATES = (
    rf"(?P<y>\d{{4}})(?P<s>[-/.])(?P<m>\d{{1,2}})(?P=s){_DAY}",
    rf"(?P<m>\d{{1,2}})(?P<s>[-/.]){_DAY}(?P=s){_YEAR}",
    rf"{_DAY}[ /-]{_MONTH},?[ /-]{_YEAR}",
    rf"{_MONTH}[ /-]{_DAY},?[ /-](?P<y>\d{{4}})",
    rf"(?P<y>\d{{4}})[ /-]{_MONTH}[ /-]{_DAY}",
    r"(?P<y>\d{4})[-/](?P<m>\d{1,2})",
    rf"{_MONTH},? (?P<y>\d{{4}})",
    rf"(?P<y>\d{{4}}) {_MONTH}",
    rf"(?P<m>\d{{1,2}})[-/]{_DAY}",
    rf"{_MONTH} {_DAY}",
    rf"{_DAY} {_MONTH}",
)
_HALF = r"(?P<half>[AaPp])[Mm]?"
_CLOCK = r"(?P<h>\d{1,2}):(?P<n>\d{1,2})(?::(?P<sec>\d{1,2})(?:\.(?P<f>\d+))?)?"
_TIME = rf"(?:{_CLOCK}(?:\s*{_HALF})?|(?P<h2>\d{{1,2}})\s*(?P<half2>[AaPp])[Mm])"
_ZONE = r"(?P<z>[Zz]|GMT|UTC)|(?P<sign>[+-])(?P<zh>\d{1,2})(?::?(?P<zm>\d{2}))?"
_WEEKDAY = r"(?:(?P<weekday>[A-Za-z]{3,9}),?\s+)?"
_FORMS: Final = tuple(
    re.compile(rf"{form}\s*(?:{_ZONE})?", re.ASCII)
    for form in (*(rf"{_WEEKDAY}{date}(?:(?:[Tt]|,?\s+){_TIME})?" for date in _DATES), _TIME)
)


def parse_any(text: str, today: dt.date | None = None) -> Moment:
    """Read a date in any of the common forms: ISO 8601 with or without time and offset, `M/d/yyyy h:mm:ss tt`, months
    by name, RFC 1123. What the text does not say is taken from `today`.

    Raises `DateTextError`. (.NET documentation, "Parse date and time strings".)
    """
    trimmed = text.strip()
    for form in _FORMS:
        match = form.fullmatch(trimmed) if len(trimmed) <= 100 else None
        if match:
            fields = _fields(match.groupdict())
            if fields is not None:
                return fields.moment(today)
    raise DateTextError("it is no date in a form that is known, such as 2025-12-31 or 12/31/2025 5:30:00 PM")


def _fields(said: dict[str, str | None]) -> Fields | None:
    """Give the fields of a match, or null when a name in it is no month or weekday."""
    fields = Fields()
    if year := said.get("y"):
        fields.year = full_year(year)
    if month := said.get("m"):
        fields.month = _part(month)
    if name := said.get("name"):
        fields.month = named(MONTHS, name)
        if fields.month is None:
            return None
    if day := said.get("d"):
        fields.day = _part(day)
    if weekday := said.get("weekday"):
        place = named(WEEKDAYS, weekday)
        if place is None:
            return None
        fields.weekday = place - 1
    fields.hour = int(said.get("h") or said.get("h2") or 0)
    fields.minute, fields.second = int(said.get("n") or 0), int(said.get("sec") or 0)
    if digits := said.get("f"):
        fields.fraction = fraction_ticks(digits)
    half = said.get("half") or said.get("half2")
    if half:
        fields.afternoon = half in "Pp"
    if said.get("z"):
        fields.zone = Zone.UTC
    elif sign := said.get("sign"):
        fields.zone, fields.offset = Zone.LOCAL, offset_seconds(sign, said["zh"] or "0", said.get("zm"))
    return fields


def _part(digits: str) -> int:
    number = int(digits)
    if number == 0:
        raise DateTextError("months and days count from 1")
    return number


def named(names: Sequence[str], text: str) -> int | None:
    """Give the place (from 1) of a month or weekday by its full or three-letter English name, in any letter case."""
    word = text.casefold()
    for place, name in enumerate(names, 1):
        if word in (name.casefold(), name[:3].casefold()):
            return place
    return None
