"""Letter case as .NET has it: one character to one, the invariant culture or a named one; title case.

Called by ToLower, ToUpper and PCase.
"""

from __future__ import annotations

import re
from typing import Final

import regex

_TURKIC: Final = ("tr", "az")
"""Languages whose i keeps its dot in upper case."""
_WORD: Final = regex.compile(r"\p{L}[\p{L}\p{M}\p{N}\p{Cs}\p{Co}\p{Cn}']*")
"""What .NET's ToTitleCase takes for a word: a letter, and all that follows up to a separating category."""
_CULTURE: Final = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")


def is_culture(name: str) -> bool:
    """Tell whether a text has the form of a culture name, such as `tr-TR`."""
    return not name or _CULTURE.fullmatch(name) is not None


def lower(text: str, culture: str | None = None) -> str:
    """Give `text` in lower case. Invariant: İ stays, as in .NET."""
    if _turkic(culture):
        text = text.replace("I", "ı").replace("İ", "i")
    if text.isascii():
        return text.lower()
    return "".join(map(_lower, text))


def upper(text: str, culture: str | None = None) -> str:
    """Give `text` in upper case, character by character: ß stays. Invariant: ı stays, as in .NET."""
    if _turkic(culture):
        text = text.replace("i", "İ").replace("ı", "I")
    if text.isascii():
        return text.upper()
    return "".join(map(_upper, text))


def _turkic(culture: str | None) -> bool:
    return bool(culture) and str(culture).casefold().split("-")[0] in _TURKIC


def _lower(character: str) -> str:
    folded = character.lower()
    return folded if len(folded) == 1 else character


def _upper(character: str) -> str:
    if character == "ı":
        return character
    raised = character.upper()
    if len(raised) > 1:
        raised = character.title()
    return raised if len(raised) == 1 else character


def _title(character: str) -> str:
    raised = character.title()
    return raised if len(raised) == 1 and character != "ı" else character


def proper(text: str, separators: str | None = None) -> str:
    """Give `text` with each word's first letter in upper case and the rest in lower case.

    Words are what .NET's TextInfo.ToTitleCase takes for words (an apostrophe is inside one); with `separators`
    only those characters separate words.
    """
    lowered = lower(text)
    if separators is None:
        return _WORD.sub(lambda match: _title(match.group()[0]) + match.group()[1:], lowered)
    starts = True
    written: list[str] = []
    for character in lowered:
        written.append(_upper(character) if starts else character)
        starts = character in separators
    return "".join(written)
