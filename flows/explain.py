"""Why one person is or is not provisioned, step by step, and what would happen now. Nothing is written."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pandas as pd
from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from flows.cycle import remember
from flows.parts import Parts, open_parts, taken_in
from flows.plan import NO_CYCLE
from flows.showing import value_text
from tasks.extract.assignments import extract_people
from tasks.model import REDACTED, Accounts, BadInputError, CycleChoice, CycleKind, ExitCode, Extraction, Plan
from tasks.reconcile.grace import still_leaving
from tasks.reconcile.plan import make_plan
from tasks.report.activity import without_values
from tasks.transform.accounts import to_accounts

_ACTIVITIES: Final = 5


def show_explanation(console: Console, job_file: Path, name: str) -> int:
    """Print import, scope, mapping, match and action for the person `name`; give the exit code as a plan's.

    `name` is a source id, a sign-in name, a mail address or the login name of a linked account. Raises
    `BadInputError` when not exactly one person goes by it, and what the two ends raise.
    """
    parts = open_parts(job_file)
    with parts.ledger:
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
        plan = make_plan(
            accounts,
            parts.mapping.matching,
            memory.links,
            memory.skips.head(0),
            parts.target,
            parts.job,
            cycle_id=NO_CYCLE,
            kind=CycleKind.ON_DEMAND,
            manifest=extraction.manifest,
            now=memory.now,
            last_complete=memory.last_complete,
            leaving=still_leaving(accounts, memory.links, memory.leaving, memory.now),
            history=memory.history,
        )
        source_id = str(accounts.people.loc[0, "source_id"])
        past = parts.ledger.activities(job=parts.job.name, source=source_id, limit=_ACTIVITIES)
    person = accounts.people.iloc[0]
    _step(console, "1. Import", _imported(extraction, person))
    _step(console, "2. Scope", _scoped(extraction, person))
    _step(console, "3. Mapping", _mapped(parts, accounts))
    _step(console, "4. Match", Text(_matched(memory.links, source_id, plan)))
    _step(console, "5. What would happen now", _acted(without_values(plan, parts.mapping.redacted)))
    _step(console, "Last activities", _told(past))
    return ExitCode.PENDING if plan.writes.any() else ExitCode.DONE


def _linked(links: pd.DataFrame, name: str) -> pd.Series:
    """Give the source ids of linked people who go by `name`."""
    named = pd.Series(False, index=links.index)
    for column in ("source_id", "source_name", "target_name"):
        named |= links[column].str.lower().eq(name.lower()).fillna(value=False).astype(bool)
    return links.loc[named, "source_id"]


def _imported(extraction: Extraction, person: pd.Series) -> Text:
    whole = "read whole" if extraction.manifest.complete else f"not whole: {'; '.join(extraction.manifest.missing)}"
    found = str(person["presence"]).replace("_", " ")
    return Text(f"{person['source_name']} ({person['source_id']}) is {found} in Microsoft Entra ID; {whole}.")


def _scoped(extraction: Extraction, person: pd.Series) -> Text:
    row = extraction.assignments.iloc[0]
    entitled = "Entitled" if row["entitled"] else "Not entitled"
    within = "in scope" if person["in_scope"] else "not in scope"
    lines = [
        f"{entitled}: {row['entitlement_reason']}.",
        f"The person is {within}: {person['scope_reason']}.",
        f"The account should be {'in use' if person['active'] else 'disabled'}.",
    ]
    if person["left_alone"]:
        lines.append("An input filter or the mapping leaves the person alone in this cycle.")
    if pd.notna(person["error"]):
        lines.append(f"The mapping failed at {person['error_attribute']}: {person['error']}")
    return Text("\n".join(lines))


def _mapped(parts: Parts, accounts: Accounts) -> Table:
    """Show every attribute with its expression and what it gives."""
    table = Table(box=box.SIMPLE_HEAD)
    for title in ("Attribute", "Expression", "Value", "Written"):
        table.add_column(title, overflow="fold")
    for attribute in parts.mapping.attributes:
        if attribute.name not in accounts.values.columns:
            continue
        value = accounts.values[attribute.name].iloc[0]
        hidden = attribute.name in parts.mapping.redacted
        shown = None if not isinstance(value, list) and pd.isna(value) else REDACTED if hidden else value
        expression = "" if attribute.expression is None else attribute.expression.unparse()
        flows = "yes" if bool(accounts.flows[attribute.name].iloc[0]) else "no"
        table.add_row(Text(attribute.name), Text(expression), value_text(shown), flows)
    return table


def _matched(links: pd.DataFrame, source_id: str, plan: Plan) -> str:
    """Say which account belongs to the person."""
    link = links[links["source_id"].eq(source_id)]
    if len(link):
        row = link.iloc[0]
        return f"Linked to the account {row['target_name']} ({row['target_uri']}) since {row['linked_at']:%Y-%m-%d}."
    row = None if plan.operations.empty else plan.operations.iloc[0]
    if row is None or pd.isna(row["target_uri"]):
        return "Not linked, and no account is theirs for certain."
    return f"Not linked yet; the account {row['target_name']} ({row['target_uri']}) matches."


def _acted(plan: Plan) -> Table | Text:
    if plan.operations.empty:
        return Text("Nothing: the account is as it should be, or there is nothing to be done for this person.")
    row = plan.operations.iloc[0]
    table = Table.grid(padding=(0, 2))
    waits = {"go": "", "hold": ", held for a person", "staged": ", waits for approval", "skip": ", skipped"}
    table.add_row("Situation", str(row["situation"]).replace("_", " "))
    table.add_row("Operation", f"{row['operation']}{waits[row['decision']]}")
    table.add_row("Why", Text(str(row["reason"])))
    if pd.notna(row["risks"]):
        table.add_row("Look twice", str(row["risks"]))
    for change in plan.changes.astype(object).where(plan.changes.notna(), "nothing").to_dict("records"):
        table.add_row(Text(str(change["attribute"])), Text(f"{change['before']} -> {change['after']}"))
    return table


def _told(past: pd.DataFrame) -> Table | Text:
    if past.empty:
        return Text("None so far.")
    table = Table.grid(padding=(0, 2))
    for row in past.iloc[::-1].to_dict("records"):
        reason = "" if pd.isna(row["reason"]) else str(row["reason"])
        table.add_row(f"{row['started_at']:%Y-%m-%d %H:%M}", str(row["operation"]), str(row["status"]), Text(reason))
    return table


def _step(console: Console, title: str, content: Table | Text) -> None:
    console.print(Text(f"\n{title}", "bold"))
    console.print(Padding(content, (0, 0, 0, 2)))


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
