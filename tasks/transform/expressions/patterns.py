""".NET regular expressions: their constructs in terms of the `regex` package, replacement texts, time limits.

Source: .NET documentation, "Regular expression language" and "Substitutions in regular expressions". Used by Replace
and by scoping filters. A pattern that the translation does not know is refused, never taken for something else.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

import regex

from tasks.transform.expressions.errors import quoted

_ESCAPES: Final = frozenset("abtrvfnexcuwWsSdDAzZGbBpPk")
"""Letters that .NET knows after a backslash; before any other letter it refuses one."""
_QUANTIFIER: Final = re.compile(r"[*+?]|\{\d+(?:,\d*)?\}")
_GROUP_NAME: Final = re.compile(r"\(\?(?:<([A-Za-z_]\w*)>|'([A-Za-z_]\w*)')", re.ASCII)
_SUBSTITUTION: Final = re.compile(r"\$(?:\$|&|`|'|\+|_|(\d+)|\{(\w+)\})")
MAX_PATTERN_CHARACTERS: Final = 5_000
_MAX_REPEAT: Final = 1_000


class PatternError(ValueError):
    """Raised when a pattern is wrong, or uses a .NET construct that has no translation; its text says which."""


@dataclasses.dataclass(frozen=True, eq=False)
class Pattern:
    """A compiled .NET pattern."""

    text: str
    compiled: regex.Pattern[str]
    groups: tuple[str | int, ...]
    """Group 1, 2, ... as .NET counts them (unnamed ones first), by their key in `compiled`."""

    def group(self, key: str) -> str | int | None:
        """Give a group's key in `compiled` by its .NET name or number, or null when there is none."""
        if key.isdecimal():
            number = int(key)
            return 0 if number == 0 else self.groups[number - 1] if number <= len(self.groups) else None
        return key if key in self.compiled.groupindex else None


@lru_cache(maxsize=512)
def pattern(text: str) -> Pattern:
    """Compile a .NET pattern. Raises `PatternError`."""
    if len(text) > MAX_PATTERN_CHARACTERS:
        raise PatternError(f"the pattern has {len(text):,} characters; the limit is {MAX_PATTERN_CHARACTERS:,}")
    translation = _Translation(text)
    translated = translation.run()
    try:
        compiled = regex.compile(translated, regex.VERSION1)
    except (regex.error, RecursionError, OverflowError, MemoryError) as error:
        raise PatternError(f"the pattern {quoted(text)} is wrong: {error}") from error
    return Pattern(text, compiled, translation.groups())


class _Translation:
    """One walk over a .NET pattern, writing it for the `regex` package."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.place = 0
        self.written: list[str] = []
        self.unnamed: list[int] = []
        self.named: list[str] = []
        self.total = 0
        self.repeatable = False
        self.quantified = False
        self.counts_back = False

    def groups(self) -> tuple[str | int, ...]:
        return (*self.unnamed, *self.named)

    def run(self) -> str:
        while self.place < len(self.text):
            match self.text[self.place]:
                case "\\":
                    self._atom(self._escape())
                case "[":
                    self._atom(self._set())
                case "(":
                    self._group()
                case ")" | "|" | "^":
                    self._literal(self.text[self.place] == ")")
                case "$":
                    self._literal(False)
                case "*" | "+" | "?" | "{":
                    self._quantifier()
                case _:
                    self._literal(True)
        if self.counts_back and self.named and self.unnamed:
            raise PatternError(
                f"the pattern {quoted(self.text)} has named and unnamed groups and refers to one by number; "
                "refer to groups by name (\\k<name>)"
            )
        return "".join(self.written)

    def _atom(self, written: str) -> None:
        self.written.append(written)
        self.repeatable, self.quantified = True, False

    def _literal(self, repeatable: bool) -> None:
        self.written.append(self.text[self.place])
        self.place += 1
        self.repeatable, self.quantified = repeatable, False

    def _fail(self, problem: str) -> PatternError:
        return PatternError(f"the pattern {quoted(self.text)} is wrong at character {self.place + 1}: {problem}")

    def _quantifier(self) -> None:
        found = _QUANTIFIER.match(self.text, self.place)
        if not found:
            # A brace that is no quantifier stands for itself in .NET; in `regex` it may mean fuzzy matching.
            self._atom("\\{")
            self.place += 1
            return
        if self.quantified or not self.repeatable:
            raise self._fail(f"{found.group()} has nothing to repeat")
        if any(int(bound) > _MAX_REPEAT for bound in re.findall(r"\d+", found.group())):
            raise self._fail(f"more than {_MAX_REPEAT} repetitions")
        self.written.append(found.group())
        self.place = found.end()
        if self.text[self.place : self.place + 1] == "?":
            self.written.append("?")
            self.place += 1
        self.quantified = True

    def _group(self) -> None:
        self.repeatable = self.quantified = False
        rest = self.text[self.place :]
        if not rest.startswith("(?"):
            self.total += 1
            self.unnamed.append(self.total)
            self._copy("(")
            return
        if name := _GROUP_NAME.match(rest):
            key = name.group(1) or name.group(2)
            if key not in self.named:
                self.total += 1
                self.named.append(key)
            self.written.append(f"(?<{key}>")
            self.place += name.end()
            return
        if comment := re.match(r"\(\?#[^)]*\)", rest):
            self.place += comment.end()
            return
        for start in ("(?:", "(?=", "(?!", "(?<=", "(?<!", "(?>"):
            if rest.startswith(start):
                self._copy(start)
                return
        if options := re.match(r"\(\?([ims]*)(-[ims]+)?[:)]", rest):
            self._copy(options.group())
            return
        raise self._fail(
            f"{quoted(rest[:12])} is a construct that is not supported; named groups, look-around, atomic groups and "
            "the options i, m and s are"
        )

    def _copy(self, text: str) -> None:
        self.written.append(text)
        self.place += len(text)

    def _escape(self) -> str:
        """Translate what starts with a backslash, outside a set."""
        rest = self.text[self.place :]
        if back := re.match(r"\\k(?:<(\w+)>|'(\w+)')", rest):
            self.place += back.end()
            return f"(?P={back.group(1) or back.group(2)})"
        if rest[1:2] in ("z", "Z"):
            self.place += 2
            return r"\Z" if rest[1] == "z" else r"(?=\n?\Z)"
        self.counts_back |= rest[1:2] in "123456789"
        return self._common_escape(rest)

    def _common_escape(self, rest: str) -> str:
        character = rest[1:2]
        if not character:
            raise self._fail("it ends with a backslash")
        if character.isalpha() and character.isascii() and character not in _ESCAPES:
            raise self._fail(f"\\{character} is no known escape")
        if character == "e":
            self.place += 2
            return r"\x1b"
        if control := re.match(r"\\c([A-Za-z])", rest):
            self.place += 3
            return f"\\x{ord(control.group(1).upper()) - 64:02x}"
        if block := re.match(r"\\([pP])\{Is(\w+)\}", rest):
            self.place += block.end()
            return f"\\{block.group(1)}{{Block={block.group(2)}}}"
        whole = re.match(r"\\(?:[pP]\{\w+\}|x[0-9A-Fa-f]{2}|u[0-9A-Fa-f]{4}|\d{1,3}|[^pPxuc0-9])", rest, re.DOTALL)
        if not whole:
            raise self._fail(f"\\{character} is not complete")
        self.place += whole.end()
        return whole.group()

    def _set(self) -> str:
        """Translate a character set; .NET's subtraction `[a-z-[aeiou]]` becomes a look-ahead."""
        start = self.place
        written = "["
        self.place += 1
        if self.text[self.place : self.place + 1] == "^":
            written += "^"
            self.place += 1
        members = 0
        while True:
            character = self.text[self.place : self.place + 1]
            if not character:
                self.place = start
                raise self._fail("the set is not closed")
            if character == "]" and members:
                self.place += 1
                return written + "]"
            if character == "-" and self.text[self.place + 1 : self.place + 2] == "[" and members:
                self.place += 1
                excluded = self._set()
                if self.text[self.place : self.place + 1] != "]":
                    raise self._fail("a subtraction must be the last part of its set")
                self.place += 1
                return f"(?:(?!{excluded}){written}])"
            members += 1
            written += self._member(character)

    def _member(self, character: str) -> str:
        if character == "\\":
            return self._common_escape(self.text[self.place :])
        self.place += 1
        # Two of these in a row, or a bracket, would be set operations in `regex`.
        return "\\" + character if character in "[]&|~" else character


def replacement(text: str, compiled: Pattern) -> Callable[[regex.Match[str]], str]:
    """Give what a .NET replacement text makes of a match: `$1`, `${name}`, `$$`, `$&`, `` $` ``, `$'`, `$+`, `$_`.

    A reference to a group that the pattern does not have stands for itself.
    """
    if "$" not in text:
        return lambda _match: text
    parts: list[Callable[[regex.Match[str]], str]] = []
    place = 0
    for found in _SUBSTITUTION.finditer(text):
        parts.append(_fixed(text[place : found.start()]))
        parts.append(_substitution(found, compiled))
        place = found.end()
    parts.append(_fixed(text[place:]))
    return lambda match: "".join(part(match) for part in parts)


def _fixed(text: str) -> Callable[[regex.Match[str]], str]:
    return lambda _match: text


def _substitution(found: re.Match[str], compiled: Pattern) -> Callable[[regex.Match[str]], str]:
    name = found.group(1) or found.group(2)
    if name:
        key = compiled.group(name)
        return _fixed(found.group()) if key is None else lambda match: match[key] or ""
    last = compiled.groups[-1] if compiled.groups else 0
    whole: dict[str, Callable[[regex.Match[str]], str]] = {
        "$$": _fixed("$"),
        "$&": lambda match: match[0],
        "$`": lambda match: match.string[: match.start()],
        "$'": lambda match: match.string[match.end() :],
        "$+": lambda match: match[last] or "",
        "$_": lambda match: match.string,
    }
    return whole[found.group()]
