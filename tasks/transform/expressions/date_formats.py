"""Reads and writes dates in .NET's custom (and one-letter standard) formats, with the invariant culture.

Source of the rules: .NET documentation, "Custom date and time format strings" and "Standard date and time format
strings". Used by FormatDateTime; free-form dates are in `dates`.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Final

from tasks.transform.expressions.dates import (
    DAY,
    EPOCH,
    MONTHS,
    TICKS,
    WEEKDAYS,
    DateTextError,
    Fields,
    Moment,
    Zone,
    fraction_ticks,
    full_year,
    offset_seconds,
)
from tasks.transform.expressions.errors import quoted

_STANDARD: Final = {
    "d": "MM/dd/yyyy",
    "D": "dddd, dd MMMM yyyy",
    "f": "dddd, dd MMMM yyyy HH:mm",
    "F": "dddd, dd MMMM yyyy HH:mm:ss",
    "g": "MM/dd/yyyy HH:mm",
    "G": "MM/dd/yyyy HH:mm:ss",
    "m": "MMMM dd",
    "M": "MMMM dd",
    "o": "yyyy-MM-dd'T'HH:mm:ss.fffffffK",
    "O": "yyyy-MM-dd'T'HH:mm:ss.fffffffK",
    "r": "ddd, dd MMM yyyy HH':'mm':'ss 'GMT'",
    "R": "ddd, dd MMM yyyy HH':'mm':'ss 'GMT'",
    "s": "yyyy'-'MM'-'dd'T'HH':'mm':'ss",
    "t": "HH:mm",
    "T": "HH:mm:ss",
    "u": "yyyy'-'MM'-'dd HH':'mm':'ss'Z'",
    "U": "dddd, dd MMMM yyyy HH:mm:ss",
    "y": "yyyy MMMM",
    "Y": "yyyy MMMM",
}
_SPECIFIERS: Final = "dfFghHKmMstyz"
STYLES: Final = (
    "None",
    "AllowLeadingWhite",
    "AllowTrailingWhite",
    "AllowInnerWhite",
    "AllowWhiteSpaces",
    "NoCurrentDateDefault",
    "AdjustToUniversal",
    "AssumeLocal",
    "AssumeUniversal",
    "RoundtripKind",
)
"""Names of .NET's DateTimeStyles."""


class FormatError(ValueError):
    """Raised when a format string itself is wrong; its text says why."""


@dataclasses.dataclass(frozen=True)
class Token:
    """A piece of a format: a specifier repeated `count` times, or literal text when `count` is 0."""

    text: str
    count: int = 0


@lru_cache(maxsize=256)
def tokens(form: str) -> tuple[Token, ...]:
    """Cut a format string into its pieces. Raises `FormatError`."""
    if not form:
        raise FormatError("the format is empty")
    if len(form) == 1:
        if form not in _STANDARD:
            raise FormatError(f"{quoted(form)} is not a standard format; a custom one of one letter is written %{form}")
        form = _STANDARD[form]
    return tuple(_tokens(form))


def _tokens(form: str) -> Iterator[Token]:
    place = 0
    while place < len(form):
        character = form[place]
        if character in _SPECIFIERS:
            count = len(form) - place - len(form[place:].lstrip(character))
            if character in "fF" and count > 7:
                raise FormatError(f"it has {count} digits of a second's fraction; 7 is the most")
            yield Token(character, 1 if character == "K" else count)
            place += 1 if character == "K" else count
        elif character in "'\"":
            end = form.find(character, place + 1)
            if end < 0:
                raise FormatError(f"the quotation mark {character} in the format {quoted(form)} is not closed")
            yield Token(form[place + 1 : end])
            place = end + 1
        elif character == "\\":
            if place + 1 == len(form):
                raise FormatError(f"the format {quoted(form)} ends with a backslash")
            yield Token(form[place + 1])
            place += 2
        elif character == "%":
            if form[place + 1 : place + 2] in ("", "%"):
                raise FormatError(f"a % in the format {quoted(form)} has no specifier after it")
            place += 1
        else:
            yield Token(character)
            place += 1


def write(moment: Moment, form: str) -> str:
    """Write a date in a format. Raises `FormatError`."""
    seconds, fraction = divmod(moment.ticks, TICKS)
    day, clock = divmod(seconds, DAY)
    date = dt.date.fromordinal(day + EPOCH)
    hour, minute, second = clock // 3600, clock // 60 % 60, clock % 60
    written: list[str] = []
    for token in tokens(form):
        count = token.count
        match token.text if count else "":
            case "":
                written.append(token.text)
            case "d":
                name = WEEKDAYS[date.weekday()]
                written.append(_digits(date.day, count) if count < 3 else name[:3] if count == 3 else name)
            case "M":
                name = MONTHS[date.month - 1]
                written.append(_digits(date.month, count) if count < 3 else name[:3] if count == 3 else name)
            case "y":
                written.append(_digits(date.year % 100, count) if count < 3 else f"{date.year:0{count}}")
            case "h":
                written.append(_digits((hour + 11) % 12 + 1, count))
            case "H":
                written.append(_digits(hour, count))
            case "m":
                written.append(_digits(minute, count))
            case "s":
                written.append(_digits(second, count))
            case "f":
                written.append(f"{fraction:07}"[:count])
            case "F":
                digits = f"{fraction:07}"[:count].rstrip("0")
                if not digits and written and written[-1] == ".":
                    written.pop()
                written.append(digits)
            case "t":
                written.append(("AM" if hour < 12 else "PM")[:count])
            case "g":
                written.append("A.D.")
            case "K":
                written.append(moment.zone.value)
            case _:
                written.append("+00:00" if count > 2 else "+" + "0" * count)
    return "".join(written)


def _digits(number: int, count: int) -> str:
    return f"{number:02}" if count > 1 else str(number)


def read(text: str, form: str, styles: frozenset[str] = frozenset(), today: dt.date | None = None) -> Moment:
    """Read a date written exactly in a format.

    White space around it is let pass unless `styles` (names of DateTimeStyles) are given and do not allow it. What
    the format leaves out is taken from `today`. Raises `DateTextError` or `FormatError`.
    """
    reader = _Reader(text, inner_white=bool(styles & {"AllowInnerWhite", "AllowWhiteSpaces"}))
    lenient = not styles or "AllowWhiteSpaces" in styles
    if lenient or "AllowLeadingWhite" in styles:
        reader.text = reader.text.lstrip()
    if lenient or "AllowTrailingWhite" in styles:
        reader.text = reader.text.rstrip()
    pieces = tokens(form)
    for number, token in enumerate(pieces):
        following = pieces[number + 1] if number + 1 < len(pieces) else None
        reader.take(token, following, form)
    if reader.place != len(reader.text):
        raise DateTextError(f"{quoted(reader.text[reader.place :])} at its end is not in the format {quoted(form)}")
    return reader.fields.moment(dt.date.min if "NoCurrentDateDefault" in styles else today)


class _Reader:
    """Goes through a date's text piece by piece of the format."""

    def __init__(self, text: str, *, inner_white: bool) -> None:
        self.text = text
        self.place = 0
        self.fields = Fields()
        self.inner_white = inner_white

    def take(self, token: Token, following: Token | None, form: str) -> None:
        if self.inner_white:
            self._match(r"\s*")
        if not token.count:
            self._literal(token, following, form)
            return
        if not self._specifier(token):
            rest, part = quoted(self.text[self.place :]), token.text * token.count
            raise DateTextError(f"{rest} does not fit {part} of the format {quoted(form)}")

    def _literal(self, token: Token, following: Token | None, form: str) -> None:
        if self.text.startswith(token.text, self.place):
            self.place += len(token.text)
            if token.text == "Z":
                self.fields.zone = Zone.UTC
        elif not (token.text == "." and following is not None and following.text == "F" and following.count):
            raise DateTextError(f"{quoted(token.text)} of the format {quoted(form)} is not where it should be")

    def _specifier(self, token: Token) -> bool:
        fields, count = self.fields, token.count
        match token.text:
            case "y":
                found = self._match(r"\d{1,2}" if count == 1 else rf"\d{{{count}}}")
                if found:
                    fields.year = full_year(found) if count < 3 else int(found)
            case "M" | "d" if count > 2:
                return self._name(token)
            case "M":
                found = self._number(count)
                fields.month = int(found) if found else None
            case "d":
                found = self._number(count)
                fields.day = int(found) if found else None
            case "h" | "H":
                found = self._number(count)
                fields.hour = int(found or 0)
                fields.half_day = token.text == "h"
            case "m":
                found = self._number(count)
                fields.minute = int(found or 0)
            case "s":
                found = self._number(count)
                fields.second = int(found or 0)
            case "f":
                found = self._match(rf"\d{{{count}}}")
                fields.fraction = fraction_ticks(found) if found else 0
            case "F":
                found = self._match(rf"\d{{0,{count}}}")
                fields.fraction = fraction_ticks(found) if found else 0
                return True
            case "t":
                found = self._match("[AaPp]" if count == 1 else "[AaPp][Mm]")
                if found:
                    fields.afternoon = found[0] in "Pp"
            case "g":
                found = self._match(r"A\.D\.|AD")
            case _:
                return self._zone(token)
        return bool(found)

    def _number(self, count: int) -> str | None:
        return self._match(r"\d{1,2}" if count == 1 else r"\d{2}")

    def _name(self, token: Token) -> bool:
        names = MONTHS if token.text == "M" else WEEKDAYS
        rest = self.text[self.place :].casefold()
        for place, name in enumerate(names):
            word = (name[:3] if token.count == 3 else name).casefold()
            if rest.startswith(word):
                self.place += len(word)
                if token.text == "M":
                    self.fields.month = place + 1
                else:
                    self.fields.weekday = place
                return True
        return False

    def _zone(self, token: Token) -> bool:
        if token.text == "K" and self.place == len(self.text):
            return True
        if token.text == "K" and self._match("Z"):
            self.fields.zone = Zone.UTC
            return True
        whole = token.text == "K" or token.count > 2
        found = self._match(r"[+-]\d{1,2}:?\d{2}" if whole else r"[+-]\d{1,2}")
        if not found:
            return token.text == "K"
        hours, minutes = (found[1:-2].rstrip(":"), found[-2:]) if whole else (found[1:], None)
        self.fields.zone, self.fields.offset = Zone.LOCAL, offset_seconds(found[0], hours, minutes)
        return True

    def _match(self, pattern: str) -> str | None:
        found = re.compile(pattern, re.ASCII).match(self.text, self.place)
        if not found:
            return None
        self.place = found.end()
        return found.group()
