"""The part of .NET's regular expressions that RE2, which Arrow has built in, takes in the same sense, for speed.

RE2 goes over a whole column in linear time. Taken are characters, sets, groups and alternatives, anchors and
quantifiers on single characters, as long as the whole never matches nothing; RE2 treats repeated empty matches and
repeated groups differently. Values must be ASCII. Everything else is for `patterns`. Called by Replace.
"""

from __future__ import annotations

import dataclasses
import re
from functools import lru_cache
from typing import Final

_SET: Final = re.compile(r"\[\^?(?:\\[dsw.\-()/+*?\[\]\\^$|{}]|[^\\\[\]&|~^])+\]", re.ASCII)
_SINGLE: Final = re.compile(r"\\[dDsSwW.\-()/+*?\[\]\\^$|{}]|[A-Za-z0-9 @_/:,;'\"#%&=~<>!-]|\.", re.ASCII)
_QUANTIFIER: Final = re.compile(r"(?:[*+?]|\{(\d{1,3})(?:,\d{0,3})?\})\??", re.ASCII)
_GROUP: Final = re.compile(r"\((?!\?)|\(\?<([A-Za-z_]\w*)>|\(\?:", re.ASCII)
_REFERENCE: Final = re.compile(r"\$(?:(\$)|(&)|(\d+)|\{(\w+)\})", re.ASCII)
_WHITE: Final = r"\t\n\v\f\r "
"""What .NET takes for white space within ASCII; RE2 leaves the vertical tab out."""
_MOST_GROUPS: Final = 9


@dataclasses.dataclass(frozen=True)
class Linear:
    """A pattern and a replacement for RE2; `growth` is the most characters that a matched one can become, and
    `excluded` are characters that a value must not have for RE2 to mean the same."""

    pattern: str
    replacement: str
    growth: int
    excluded: tuple[str, ...]


class _NotLinearError(Exception):
    """The pattern has something that RE2 does not take, or takes differently."""


@lru_cache(maxsize=256)
def linear(pattern: str, replacement: str) -> Linear | None:
    """Give a .NET pattern and replacement for RE2, or null when it may not mean the same there."""
    reader = _Reader(pattern)
    try:
        least = reader.alternatives()
        if least == 0 or reader.place != len(pattern) or reader.groups > _MOST_GROUPS:
            return None
        put, growth = reader.replaced(replacement)
    except _NotLinearError:
        return None
    # Before the last line break, "$" of .NET holds too.
    return Linear("".join(reader.written), put, growth, ("\n",) if reader.anchored else ())


class _Reader:
    """Reads a pattern by descent, writing it for RE2; each method gives how many characters it matches at least."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.place = 0
        self.written: list[str] = []
        self.groups = 0
        self.names: dict[str, int] = {}
        self.unnamed: list[int] = []
        self.anchored = False
        self.depth = 0

    def alternatives(self) -> int:
        least = self._sequence()
        while self._next() == "|":
            self._copy("|")
            least = min(least, self._sequence())
        return least

    def _next(self) -> str:
        return self.text[self.place : self.place + 1]

    def _copy(self, text: str, written: str | None = None) -> None:
        self.written.append(text if written is None else written)
        self.place += len(text)

    def _sequence(self) -> int:
        least = 0
        while self._next() not in ("", "|", ")"):
            if self._next() in "^$":
                self.anchored |= self._next() == "$"
                self._copy(self._next())
            elif group := _GROUP.match(self.text, self.place):
                least += self._group(group)
            else:
                least += self._character()
        return least

    def _group(self, group: re.Match[str]) -> int:
        name = group.group(1)
        if group.group() != "(?:":
            self.groups += 1
            if name in self.names:
                raise _NotLinearError
            if name:
                self.names[name] = self.groups
            else:
                self.unnamed.append(self.groups)
        self._copy(group.group(), f"(?P<{name}>" if name else None)
        self.depth += 1
        least = self.alternatives() if self.depth < 20 else self._refuse()
        if self._next() != ")":
            raise _NotLinearError
        self._copy(")")
        self.depth -= 1
        if _QUANTIFIER.match(self.text, self.place):
            raise _NotLinearError
        return least

    @staticmethod
    def _refuse() -> int:
        raise _NotLinearError

    def _character(self) -> int:
        found = _SET.match(self.text, self.place) or _SINGLE.match(self.text, self.place)
        if not found:
            raise _NotLinearError
        self._copy(found.group(), self._white(found.group()))
        quantifier = _QUANTIFIER.match(self.text, self.place)
        if not quantifier:
            return 1
        self._copy(quantifier.group())
        if self._next() in ("+", "*", "?", "{"):
            raise _NotLinearError
        sign = quantifier.group()[0]
        return int(quantifier.group(1)) if sign == "{" else 1 if sign == "+" else 0

    @staticmethod
    def _white(atom: str) -> str:
        if atom == r"\s":
            return f"[{_WHITE}]"
        if atom == r"\S":
            return f"[^{_WHITE}]"
        return re.sub(r"\\(.)", lambda escape: _WHITE if escape.group(1) == "s" else escape.group(), atom)

    def replaced(self, text: str) -> tuple[str, int]:
        """Give a replacement text for RE2, and the most characters that one matched character becomes."""
        written: list[str] = []
        place = references = 0
        for found in _REFERENCE.finditer(text):
            written.append(text[place : found.start()].replace("\\", r"\\"))
            place = found.end()
            dollar, whole, number, name = found.groups()
            if dollar:
                written.append("$")
                continue
            references += 1
            written.append(f"\\{0 if whole else self._number(number or name)}")
        rest = text[place:]
        if "$" in rest or any("$" in part and part != "$" for part in written):
            raise _NotLinearError
        written.append(rest.replace("\\", r"\\"))
        return "".join(written), len(text) + references

    def _number(self, key: str) -> int:
        """Give RE2's number of a group; .NET counts unnamed groups before named ones."""
        if key in self.names:
            return self.names[key]
        order = [*self.unnamed, *self.names.values()]
        if not key.isdecimal() or not 1 <= int(key) <= len(order):
            raise _NotLinearError
        return order[int(key) - 1]
