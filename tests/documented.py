"""The tables of the operator's pages that code decides, and the commands in the pages' code blocks.

`test_documentation.py` holds the pages to them; `python -m tests.documented` writes the tables anew.
"""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Iterable, Iterator, Mapping, Set
from pathlib import Path
from typing import Any, Final

import pydantic

from tasks.job import Job, SecretReference
from tasks.report.remedies import REMEDIES

ROOT: Final = Path(__file__).parents[1]
PAGES: Final = (ROOT / "README.md", *sorted((ROOT / "deployments").glob("*.md")))
"""The newcomer's page and the operator's."""


def settings() -> Iterator[tuple[str, str, str]]:
    """Give every key of a job file: its path with dots, its default as YAML has it, and what it is."""
    return _settings(Job, "", None)


def settings_table() -> str:
    """Give the table of all keys of a job file."""
    return _table(("Key", "Default", "What it is"), ((f"`{key}`", *rest) for key, *rest in settings()))


def codes_table() -> str:
    """Give the table of all error codes."""
    rows = ((f"`{code}`", remedy.meaning, remedy.action) for code, remedy in sorted(REMEDIES.items()))
    return _table(("Code", "What it means", "What to do"), rows)


TABLES: Final = {
    (ROOT / "deployments" / "job-file.md", "## Every key"): settings_table,
    (ROOT / "deployments" / "error-codes.md", "# What each error code means"): codes_table,
}
"""Under which heading of which page each table stands."""


def table_under(page: Path, heading: str) -> str:
    """Give the first table after a heading of a page."""
    return _found(page, heading).group(2)


def commands(page: Path) -> list[str]:
    """Give the `provision` commands in the shell blocks of a page, in order and without their comments."""
    blocks = re.findall(r"^( *)```sh\n(.*?)^\1```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    lines = re.sub(r"\s+#.*", "", "".join(block for _, block in blocks).replace("\\\n", " "))
    return [line.strip() for line in re.findall(r"(?:^ *|&& )(?:\S*/)?(provision .*)$", lines, re.MULTILINE)]


def _settings(model: type[pydantic.BaseModel], above: str, usual: Any) -> Iterator[tuple[str, str, str]]:
    """Give the keys of a part of the job file; `usual` is that part as it is when left out."""
    for name, field in model.model_fields.items():
        if model is Job and name == "file":
            # Where the job was read from; nobody writes it.
            continue
        nested = [one for one in _models(field.annotation) if one is not SecretReference]
        default = getattr(usual, name, field.default)
        shown = "" if nested else "needed" if field.is_required() else _shown(default)
        yield f"{above}{name}", shown, str(field.description)
        for one in nested:
            yield from _settings(one, f"{above}{name}.", default)


def _models(annotation: Any) -> list[type[pydantic.BaseModel]]:
    """Give the models that a field holds itself; those within a mapping stand under names that a person chooses."""
    if isinstance(annotation, type) and issubclass(annotation, pydantic.BaseModel):
        return [annotation]
    if typing.get_origin(annotation) is typing.Annotated or isinstance(annotation, types.UnionType):
        return [model for part in typing.get_args(annotation) for model in _models(part)]
    return []


def _shown(value: Any) -> str:
    if value is None or value in ((), {}):
        return "none"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Set):
        return ", ".join(sorted(str(one) for one in value))
    return f"{value:g}" if isinstance(value, float) else str(value)


def _table(titles: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    head = list(titles)
    lines = [head, ["---"] * len(head), *map(list, rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _found(page: Path, heading: str) -> re.Match[str]:
    text = page.read_text(encoding="utf-8")
    found = re.search(rf"(^{re.escape(heading)}\n(?:[^|\n].*\n|\n)*)((?:\|.*\n)+)", text, re.MULTILINE)
    if found is None:
        raise ValueError(f"{page}: there is no table under {heading!r}; put one there, with any rows.")
    return found


def _write(tables: Mapping[tuple[Path, str], Any]) -> None:
    for (page, heading), table in tables.items():
        found = _found(page, heading)
        text = found.string[: found.start(2)] + table() + found.string[found.end(2) :]
        page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    _write(TABLES)
