"""Mapping files checked, shown and turned into the other format. `flows.cli_mapping` calls it; no job is needed."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from flows.showing import FAINT, Signs, print_notes, print_path, shortened, visible
from tasks.connectors.replicon.attributes import TARGET_ATTRIBUTES
from tasks.model import BadInputError, ExitCode
from tasks.transform.document import Problem
from tasks.transform.mapping import AttributeMapping, MappingKind
from tasks.transform.schema import check_mapping, load_mapping
from tasks.transform.schema_model import FlowAction
from tasks.transform.schema_writer import export_json, export_yaml
from tasks.transform.show import mapping_rows, scope_lines

ACTIONS: Final = {FlowAction.ADD: "Create", FlowAction.UPDATE: "Update", FlowAction.DELETE: "Delete"}
"""The portal's words for the target object actions."""
EVERYBODY: Final = "in scope: everybody who is assigned; there is no scoping filter"
"""What is said of a mapping without filters."""

_JSON: Final = ".json"
_FULL_WIDTH: Final = 100
"""Characters in which the table's columns have what they need."""


def open_mapping_file(file: Path) -> AttributeMapping:
    """Load a mapping against what a Replicon account can have. Raises `BadInputError` with every problem."""
    return load_mapping(file, TARGET_ATTRIBUTES)


def show_check(console: Console, file: Path) -> int:
    """Print every problem of a mapping, or that it is good and what it asks for in vain; give the exit code."""
    problems = check_mapping(file, TARGET_ATTRIBUTES)
    if problems:
        _print_problems(console, file, problems)
        return ExitCode.BAD_INPUT
    mapping = open_mapping_file(file)
    print_path(console, (visible(str(file)), "bold"), ": ", ("good", "bold green"))
    matching = ", then ".join(one.attribute for one in mapping.matching)
    console.print(Text(f"{_count(len(mapping.attributes), 'attribute')} mapped; matching by {matching}."))
    print_notes(console, mapping.notes)
    return ExitCode.DONE


def show_table(console: Console, file: Path) -> None:
    """Print a mapping as the table that the portal shows, its scope and its notes.

    Raises `BadInputError` with every problem when it cannot be loaded.
    """
    mapping = open_mapping_file(file)
    actions = [word for action, word in ACTIONS.items() if action in mapping.flow_types]
    console.print(Text(visible(mapping.user_mapping.name), "bold"))
    console.print(Text.assemble(("Target object actions  ", FAINT), ", ".join(actions) or "none"))
    console.print(_table(mapping, console.width))
    for line in scope_lines(mapping) or [EVERYBODY]:
        console.print(Text(visible(line)))
    print_notes(console, mapping.notes)


def import_schema(console: Console, file: Path, out: Path | None, *, force: bool) -> None:
    """Write the schema in `file` as short YAML to `out`, or to the standard output, and tell what is not honoured.

    Raises `BadInputError` when it cannot be loaded, or `out` cannot or may not be written.
    """
    if out is not None and out.suffix.lower() == _JSON:
        raise BadInputError(f"{out} would hold YAML and be read as JSON. Give --out a name that ends in .yaml.")
    mapping = open_mapping_file(file)
    _write(console, export_yaml(mapping), out, mapping, force=force)


def export_schema(console: Console, file: Path, out: Path | None, *, force: bool) -> None:
    """Write the mapping in `file` as JSON for Microsoft Graph to `out`, or to the standard output.

    Raises `BadInputError` when it cannot be loaded, or `out` cannot or may not be written.
    """
    mapping = open_mapping_file(file)
    _write(console, export_json(mapping), out, mapping, force=force)


def _write(console: Console, text: str, out: Path | None, mapping: AttributeMapping, *, force: bool) -> None:
    """Write `text` to `out` and tell about it on `console`; without `out`, `text` alone goes to standard output."""
    if out is None:
        # Straight to the file: rich would wrap and colour what another program is to read.
        console.file.write(text)
        print_notes(Console(stderr=True, highlight=False), mapping.notes)
        return
    try:
        with out.open("w" if force else "x", encoding="utf-8", newline="\n") as file:
            file.write(text)
    except FileExistsError as error:
        raise BadInputError(f"{out} is there already. Choose another name, or overwrite it with --force.") from error
    except OSError as error:
        raise BadInputError(f"{out} cannot be written ({error.strerror}). Choose another name or folder.") from error
    attributes = _count(len(mapping.attributes), "attribute")
    print_path(console, "wrote ", (visible(str(out)), "bold"), f": {attributes} mapped")
    print_notes(console, mapping.notes)


def _print_problems(console: Console, file: Path, problems: list[Problem]) -> None:
    """Print problems in the order of the file, each with the line that it is about."""
    signs, lines = Signs.of(console), _lines(file)
    for problem in problems:
        place = f"{visible(str(problem.file))}:{problem.line}"
        print_path(
            console, (place, "bold"), ": " if problem.attribute else "", (visible(problem.attribute), "bold red")
        )
        console.print(Padding(Text(visible(problem.message)), (0, 0, 0, 4)))
        if 0 < problem.line <= len(lines) and lines[problem.line - 1].strip():
            source = shortened(lines[problem.line - 1], console.width - 6, signs)
            console.print(Padding(Text(f"{signs.stem[0]} {source}", FAINT), (0, 0, 0, 4)))
    console.print(Text(f"\n{_count(len(problems), 'problem')}.", "bold red"))


def _lines(file: Path) -> list[str]:
    """Give the lines of a file that could be read; none of one that could not."""
    try:
        return file.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError):
        return []


def _table(mapping: AttributeMapping, width: int) -> Table:
    rows = mapping_rows(mapping)
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, header_style="bold")
    # Wide enough for the longest attribute name, as far as that leaves the other columns whole.
    table.add_column("Microsoft Entra ID attribute", overflow="fold", min_width=30 if width >= _FULL_WIDTH else None)
    table.add_column("Replicon attribute", overflow="fold")
    table.add_column("Type", no_wrap=True)
    table.add_column("Default if null", overflow="fold", max_width=12)
    table.add_column("Match", justify="right", no_wrap=True)
    table.add_column("Apply", overflow="fold", max_width=13)
    for row in rows:
        # Constants stand in quotes already, as in the expression language.
        source = Text(visible(row.source)) if row.source else Text("no source", FAINT)
        table.add_row(
            source,
            Text(visible(row.target), "bold" if row.match else ""),
            Text(row.kind, "" if row.kind == MappingKind.EXPRESSION else FAINT),
            Text(visible(row.default)),
            Text(row.match, "bold"),
            Text(row.apply, FAINT if row.apply == "Always" else ""),
        )
    return table


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
