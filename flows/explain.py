"""Why one person is or is not provisioned, worked out step by step, and what would happen now. Nothing is written.

How it is shown is in `explain_shown`.
"""

from __future__ import annotations

import dataclasses
import functools
from pathlib import Path
from typing import Final

import pandas as pd
from rich.console import Console

from flows.cycle import Memory, remember
from flows.explain_shown import Explanation, print_explanation
from flows.parts import Parts, open_parts, taken_in
from flows.plan import made
from tasks.extract.assignments import extract_people
from tasks.model import BadInputError, CycleChoice, CycleKind, ExitCode, Extraction
from tasks.transform.accounts import source_columns, to_accounts
from tasks.transform.expressions.engine import Rows, Step

_ACTIVITIES: Final = 5


def show_explanation(console: Console, job_file: Path, name: str) -> int:
    """Print import, scope, mapping, match and action for the person `name`; give the exit code as a plan's."""
    parts = open_parts(job_file)
    with parts.ledger:
        found = explained(parts, name)
    print_explanation(console, found)
    return ExitCode.PENDING if found.plan.writes.any() else ExitCode.DONE


def explained(parts: Parts, name: str) -> Explanation:
    """Work out what a cycle would find and do for the person `name`; nothing is written.

    `name` is a source id, a sign-in name, a mail address or the login name of a linked account. Raises
    `BadInputError` when not exactly one person goes by it, and what the two ends raise.
    """
    memory = remember(parts, CycleChoice.AUTOMATIC)
    mine = _linked(memory.links, name)
    extraction = extract_people(
        parts.directory, [*mine, name], parts.mapping.source_attributes, parts.job.scope, known=mine
    )
    if len(extraction.assignments) != 1:
        raise BadInputError(_not_one(name, parts, extraction))
    accounts = to_accounts(
        extraction.assignments,
        parts.mapping,
        now=memory.now,
        default_domain=extraction.default_domain,
        taken=taken_in(parts.target),
        linked=memory.known,
    )
    told = dataclasses.replace(memory, skips=memory.skips.head(0))
    plan = made(parts, told, accounts, CycleKind.ON_DEMAND, extraction.manifest)
    source_id = str(accounts.people.loc[0, "source_id"])
    return Explanation(
        mapping=parts.mapping,
        links=memory.links[memory.links["source_id"].eq(source_id)],
        extraction=extraction,
        accounts=accounts,
        columns=source_columns(extraction.assignments, parts.mapping),
        steps=_steps(parts, memory, extraction, source_id),
        plan=plan,
        past=parts.ledger.activities(job=parts.job.name, source=source_id, limit=_ACTIVITIES),
    )


def _steps(parts: Parts, memory: Memory, extraction: Extraction, source_id: str) -> dict[str, list[Step]]:
    """Give how each attribute's expression came to its value, by attribute.

    One that chooses a free value is asked for new people only, as in a cycle.
    """
    columns = source_columns(extraction.assignments, parts.mapping)
    rows = Rows(columns, 1, memory.now, extraction.default_domain)
    linked = bool(memory.known.eq(source_id).any())
    steps = {}
    for attribute in parts.mapping.attributes:
        if attribute.expression is None or (attribute.chooses_unique and linked):
            continue
        taken = functools.partial(taken_in(parts.target), attribute.name)
        steps[attribute.name] = attribute.expression.explain(dataclasses.replace(rows, taken=taken))
    return steps


def _linked(links: pd.DataFrame, name: str) -> pd.Series:
    """Give the source ids of linked people who go by `name`."""
    named = pd.Series(False, index=links.index)
    for column in ("source_id", "source_name", "target_name"):
        named |= links[column].str.lower().eq(name.lower()).fillna(value=False).astype(bool)
    return links.loc[named, "source_id"]


def _not_one(name: str, parts: Parts, extraction: Extraction) -> str:
    people = extraction.assignments
    if len(people):
        return f"{len(people)} people go by {name!r}: {', '.join(people['source_id'])}. Give one of these ids."
    missing = "; ".join(extraction.manifest.missing)
    told = f" Microsoft Entra ID did not answer fully: {missing}." if missing else ""
    return (
        f"Nobody goes by {name!r} in the directory of the job {parts.job.name}.{told} "
        "Give an id, a sign-in name, a mail address, or the login name of a linked account."
    )
