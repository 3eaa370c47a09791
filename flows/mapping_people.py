"""Mappings tried on a job's real people: one person's values, and what another mapping would change for some or all.

`flows.cli_mapping` calls it. The directory and the ledger are read; Replicon is asked nothing.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final

import pandas as pd
from rich.console import Console, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from flows.mapping_files import open_mapping_file
from flows.mapping_trial import Person, read_expression
from flows.parts import open_ledger, open_mapping
from flows.progress import bars, current
from flows.showing import FAINT, Signs, print_notes, print_path, quoted, visible
from tasks.connectors.directories import open_directory
from tasks.connectors.directory import Directory
from tasks.extract.assignments import extract_assignments, extract_people
from tasks.job import Job, Scope, load_job
from tasks.model import BadInputError, ExitCode, Extraction, Progress
from tasks.transform.expressions.engine import REDACTED, Expression
from tasks.transform.mapping import AttributeMapping
from tasks.transform.preview import Applies, preview
from tasks.transform.schema_model import DIRECTORY, USER, AttributeType
from tasks.transform.source_attributes import USER_PRINCIPAL_NAME, KnownAttributes
from tasks.transform.trial import person_values

_CLEARED: Final = "(cleared)"


def person_of(job_file: Path, name: str, text: str) -> tuple[Expression, Person]:
    """Compile the expression `text` and read the person that it is to be tried for as the job's directory has them.

    `name` is a source id, a sign-in name or a mail address. Raises `BadInputError` when the expression is wrong or
    not exactly one person goes by that name, and what the directory raises.
    """
    job = load_job(job_file)
    mapping = open_mapping(job)
    expression = read_expression(text, KnownAttributes(mapping.document.definitions(DIRECTORY, USER)))
    found = extract_people(
        open_directory(job.source), [name], mapping.source_attributes | expression.attributes, job.scope
    )
    people = found.assignments
    if len(people) != 1:
        raise BadInputError(_not_one(name, job, people, found.manifest.missing))
    source_id = str(people.loc[0, "source_id"])
    known = person_values(people, mapping, source_id)
    called = f"{known.get(USER_PRINCIPAL_NAME) or name} ({source_id}), {people.loc[0, 'entitlement_reason']}"
    return expression, Person(known, called, found.default_domain)


@dataclasses.dataclass(frozen=True)
class Chosen:
    """Whom a preview looks at: people by name; without names so many of those in scope, or everybody when null."""

    names: tuple[str, ...] = ()
    sample: int | None = None

    def read(
        self, directory: Directory, attributes: frozenset[str], scope: Scope, linked: pd.Series, progress: Progress
    ) -> Extraction:
        """Read them, and no more of the directory than they need; of a sample, half are `linked` if so many are.

        Raises `BadInputError` when nobody goes by the names, and what the directory raises.
        """
        if self.names:
            found = extract_people(directory, self.names, attributes, scope, linked[linked.isin(self.names)])
            if not len(found.assignments):
                missing = (
                    f" It did not answer fully: {'; '.join(found.manifest.missing)}." if found.manifest.missing else ""
                )
                raise BadInputError(
                    f"The directory has nobody who goes by {', '.join(self.names)}.{missing} Give --user an id, a "
                    "sign-in name or a mail address."
                )
            return found
        if self.sample is None:
            return extract_assignments(directory, attributes, scope, linked, progress)
        mixed = [*linked.head((self.sample + 1) // 2), *directory.some_people(self.sample, scope)]
        names = list(dict.fromkeys(mixed))[: self.sample]
        known = linked[linked.isin(names)]
        read = extract_people(directory, names, attributes, scope, known)
        people = read.assignments
        concerned = people[people["entitled"] | people["source_id"].isin(known)].reset_index(drop=True)
        return dataclasses.replace(read, assignments=concerned)

    @property
    def note(self) -> str | None:
        """Say that not everybody was looked at; null when that is as asked for."""
        if self.names or self.sample is None:
            return None
        return f"at most {self.sample:,} people were looked at; --all looks at everybody, --sample N at so many"


def show_preview(console: Console, new: Path, against: Path | None, job_file: Path, chosen: Chosen, limit: int) -> int:
    """Print whose accounts the mapping `new` would change, at most `limit` people, and give the exit code.

    It is held against the mapping `against`, or the job's own. Raises `BadInputError` when a file is wrong or nobody
    goes by a name, and what the directory and the ledger raise.
    """
    job = load_job(job_file)
    after = open_mapping_file(new)
    before = open_mapping(job) if against is None else open_mapping_file(against)
    with open_ledger(job) as ledger:
        linked = ledger.links(job.name)["source_id"]
    with bars(Console(stderr=True)):
        extraction = chosen.read(
            open_directory(job.source), before.source_attributes | after.source_attributes, job.scope, linked, current()
        )
        changes = preview(
            extraction.assignments,
            after,
            before,
            now=dt.datetime.now(dt.UTC),
            default_domain=extraction.default_domain,
            progress=current(),
        )
    # Whoever has an account gets no new one.
    changes = changes[~(changes["source_id"].isin(linked) & changes["applies"].eq(Applies.NEW.value))]
    print_path(console, ("Preview  ", "bold"), visible(f"{job.name}: {new} against {before.file}"))
    _print_changes(console, changes, _Words.of(console, before, after, extraction), limit)
    missing = [f"the read of the directory is not whole: {words}" for words in extraction.manifest.missing]
    print_notes(console, [*([chosen.note] if chosen.note else []), *missing, *after.notes])
    return ExitCode.PENDING if len(changes) else ExitCode.DONE


def _not_one(name: str, job: Job, people: pd.DataFrame, missing: Collection[str]) -> str:
    if len(people):
        ids = ", ".join(people["source_id"])
        return f"{len(people)} people of the job {job.name} go by {name!r}: {ids}. Give --user one of these ids."
    told = f" The directory did not answer fully: {'; '.join(missing)}." if missing else ""
    return (
        f"The directory of the job {job.name} has nobody who goes by {name!r}.{told} "
        "Give --user an id, a sign-in name or a mail address, or give values with --set."
    )


@dataclasses.dataclass(frozen=True)
class _Words:
    """How values are written: which attributes are references or hidden, who references point at, and signs.

    `people` is how many were looked at.
    """

    signs: Signs
    references: frozenset[str]
    redacted: frozenset[str]
    names: Mapping[str, str]
    people: int

    @classmethod
    def of(cls, console: Console, before: AttributeMapping, after: AttributeMapping, extraction: Extraction) -> _Words:
        attributes = {**before.by_name, **after.by_name}
        people = extraction.assignments.dropna(subset=[USER_PRINCIPAL_NAME])
        return cls(
            signs=Signs.of(console),
            references=frozenset(
                name for name, one in attributes.items() if one.target.type == AttributeType.REFERENCE
            ),
            redacted=before.redacted | after.redacted,
            names=dict(zip(people["source_id"], people[USER_PRINCIPAL_NAME], strict=True)),
            people=len(extraction.assignments),
        )

    def value(self, attribute: str, value: str | None) -> Text:
        """Show what a mapping writes: nothing, an empty value, several, or one."""
        if value is None:
            return Text(self.signs.nothing, FAINT)
        if not value:
            return Text(_CLEARED, "italic magenta")
        if attribute in self.redacted:
            return Text(REDACTED, FAINT)
        if attribute in self.references:
            return Text(visible(self.names.get(value, value)))
        shown = visible(value)
        # Blanks at an end, and what had to be spelled out, show in quotes only.
        return Text(shown if shown == value.strip() else quoted(value))


def _print_changes(console: Console, changes: pd.DataFrame, words: _Words, limit: int) -> None:
    people = changes["source_id"].nunique()
    if not people:
        console.print(Text.assemble(("Nothing would change", "bold green"), f" for {words.people:,} people."))
        return
    console.print(Text.assemble((f"{people:,} of {words.people:,}", "bold"), " people would change."))
    console.print(Padding(_counts(changes), (1, 0, 1, 2)))
    chosen = changes["source_id"].drop_duplicates().head(limit)
    shown = changes[changes["source_id"].isin(chosen)]
    names = max(shown["attribute"].map(len), default=0)
    if shown[["before", "after"]].fillna("").eq("").any(axis=None):
        legend = f"{words.signs.nothing} nothing is written   {_CLEARED} the account's value is taken away"
        console.print(Padding(Text(legend, FAINT), (0, 0, 1, 2)))
    for _, rows in shown.groupby("source_id", sort=False):
        # Two characters before a person, two before an attribute, two behind it.
        console.print(Padding(_person(rows, words, names, console.width - names - 6), (0, 0, 0, 2)))
    if people > len(chosen):
        console.print(
            Padding(Text(f"and {people - len(chosen):,} more; --limit {people} shows everybody", FAINT), (0, 0, 0, 2))
        )


def _counts(changes: pd.DataFrame) -> Table:
    """Count the people by the attribute that would change."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style=FAINT, show_edge=False)
    table.add_column("Attribute")
    table.add_column("People", justify="right")
    once = changes.drop_duplicates(["source_id", "attribute"])
    for attribute, count in once["attribute"].value_counts().items():
        table.add_row(Text(visible(str(attribute))), Text(f"{count:,}"))
    return table


def _person(rows: pd.DataFrame, words: _Words, names: int, width: int) -> Group:
    """Show one person: the name, then each attribute, in a column of `names` characters, before and after.

    What does not fit on one line beside it, `width` characters, takes a line for each of the two.
    """
    plain = rows.astype(object).where(rows.notna(), None).to_dict("records")
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True, min_width=names)
    table.add_column(overflow="fold")
    for row in plain:
        before, after = (words.value(row["attribute"], row[side]) for side in ("before", "after"))
        after.stylize("bold")
        applies = "" if row["applies"] == Applies.ALL else f"  {row['applies']}"
        arrow = f"{words.signs.arrow} "
        fits = before.cell_len + len(arrow) + after.cell_len + len(applies) < width
        change = Text.assemble(before, " " if fits else "\n", (arrow, FAINT), after, (applies, FAINT))
        table.add_row(Text(visible(row["attribute"])), change)
    name = Text(visible(str(plain[0]["source_name"] or plain[0]["source_id"])), "bold")
    return Group(name, Padding(table, (0, 0, 0, 2)))
