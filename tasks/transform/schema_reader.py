"""Reads a mapping file into the schema's model, with the line of everything in it. Judges no mapping.

`schema_check` goes on from here. JSON as Microsoft exports it and YAML with the defaults left out give the same model.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pydantic

from tasks.transform.document import DocumentError, Node, Problem, read_document
from tasks.transform.schema_base import Part
from tasks.transform.schema_model import Schema, unknown_keys
from tasks.transform.suggestions import did_you_mean

Location = tuple[str | int, ...]

_SUBJECTS: Final = {"attributeMappings": "targetAttributeName", "attributes": "name", "clauses": "sourceOperandName"}
"""What names an entry of each list, so that a problem inside it can be told by name."""
_ROUNDS: Final = 20
"""How often what cannot be read is left out to look at the rest; each round leaves out all that it finds."""


@dataclass(frozen=True)
class SchemaFile:
    """A mapping file as read: the model, the tree with its lines, and what could not be read."""

    file: Path
    schema: Schema
    root: Node
    problems: tuple[Problem, ...]
    unknown: tuple[tuple[Location, str], ...]
    """Keys that the schema does not know and that no problem was made of: where they stand, and the key."""
    readable: bool = True
    """Whether there is anything to judge; one problem says why not."""

    def problem(self, location: Sequence[str | int], attribute: str, message: str) -> Problem:
        """Make a problem at `location`."""
        return Problem(self.file, self.root.line_of(location), attribute, message)


def read_schema(file: Path) -> SchemaFile:
    """Read the mapping at `file`; whatever cannot be read is left out of the model and told among the problems."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        return _unreadable(file, 1, f"the mapping cannot be read ({reason}). Give the path of a mapping file.")
    is_json = file.suffix.lower() == ".json" or text.lstrip().startswith("{")
    try:
        root, doubled = read_document(text, is_json=is_json)
    except DocumentError as error:
        return _unreadable(file, error.line, f"{error}. Mend the line and try again.")
    if not isinstance(root.value, dict):
        return _unreadable(file, 1, "expected a mapping with the key `synchronizationRules`. Check the file.")
    problems = [Problem(file, line, "", f"the key `{key}` stands twice; keep one.") for key, line in doubled]
    schema = _validate(file, root, problems)
    unknown = []
    for location, key, part in unknown_keys(schema):
        meant = None if is_json else _meant(key, part)
        if meant:
            told = f"there is no key `{key}`. Did you mean {meant}?"
            problems.append(Problem(file, root.line_of(location), _subject(root, location), told))
        else:
            unknown.append((location, key))
    return SchemaFile(file, schema, root, tuple(problems), tuple(unknown))


def _meant(key: str, part: Part) -> str | None:
    """Give the key that a misspelt one stands for; null for one that is nothing like a known key."""
    known = [field.alias or "" for field in type(part).model_fields.values()]
    return next(iter(difflib.get_close_matches(key, known, n=1, cutoff=0.8)), None)


def _unreadable(file: Path, line: int, message: str) -> SchemaFile:
    return SchemaFile(file, Schema(), Node({}, 1), (Problem(file, line, "", message),), (), readable=False)


def _validate(file: Path, root: Node, problems: list[Problem]) -> Schema:
    """Make the model, leaving out of `root` what does not fit until the rest does."""
    for _ in range(_ROUNDS):
        try:
            return Schema.model_validate(root.plain())
        except pydantic.ValidationError as error:
            faults = {tuple(fault["loc"]): fault for fault in error.errors()}
        for location, fault in faults.items():
            sentence = _sentence(location, fault)
            problems.append(Problem(file, root.line_of(location), _subject(root, location), sentence))
        unfit = {
            _held(root, location[:-1] if fault["type"] == "missing" else location) for location, fault in faults.items()
        }
        for location in sorted(unfit, key=_sortable, reverse=True):
            _leave_out(root, location)
    return Schema()


def _sortable(location: Location) -> list[tuple[int, str]]:
    return [(part, "") if isinstance(part, int) else (-1, part) for part in location]


def _sentence(location: Location, fault: Mapping[str, Any]) -> str:
    key = next((part for part in reversed(location) if isinstance(part, str)), "")
    if fault["type"] == "missing":
        return f"the key `{key}` is required and absent. Add it."
    found, message = fault.get("input"), str(fault["msg"]).removeprefix("Value error, ").replace("tuple", "list")
    shown = f", found {found!r}" if isinstance(found, str | int | float | bool) and len(str(found)) < 80 else ""
    expected = (fault.get("ctx") or {}).get("expected")
    if fault["type"] == "enum" and isinstance(found, str) and expected:
        choices = [choice.strip("' ") for choice in str(expected).replace(" or ", ", ").split(",")]
        return f"`{key}` is one of {', '.join(choices)}{shown}.{did_you_mean(found, choices)}"
    return f"`{key}`: {message[:1].lower()}{message[1:]}{shown}."


def _subject(root: Node, location: Location) -> str:
    """Name the innermost named entry on the way to `location`."""
    subject = ""
    for place, node in enumerate(root.trail(location)):
        naming = _SUBJECTS.get(str(location[place - 2])) if place > 1 else None
        name = node.value.get(naming) if naming and isinstance(node.value, dict) else None
        subject = str(name.value) if name is not None and name.value is not None else subject
    return subject


def _held(root: Node, location: Location) -> Location:
    """Give the part of `location` that is there.

    Of a source the whole is given, because the rest of a tree means something else without its part.
    """
    if "source" in location:
        location = location[: location.index("source") + 1]
    return location[: len(root.trail(location)) - 1]


def _leave_out(root: Node, location: Location) -> None:
    if location:
        del root.trail(location)[-2].value[location[-1]]
    else:
        root.value.clear()
