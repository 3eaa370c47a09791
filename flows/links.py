"""Links between people and accounts, looked at and mended by hand: listed, shown, removed, imported from a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from flows.by_hand import by_hand
from flows.parts import Parts, open_ledger, open_parts
from tasks.job import Job, load_job
from tasks.model import STRING, BadInputError
from tasks.report.verdict import StateName

_FACTS: Final = {
    "Person": "source_name",
    "Source id": "source_id",
    "Login": "target_name",
    "Account": "target_uri",
    "In use": "active",
    "Linked (UTC)": "linked_at",
}


def list_links(console: Console, job_file: Path, limit: int) -> None:
    """Print who is linked to which account."""
    links = _links(load_job(job_file))
    table = Table(box=box.SIMPLE_HEAD)
    for title in _FACTS:
        table.add_column(title, overflow="fold")
    for row in links.head(limit).to_dict("records"):
        table.add_row(*_facts(row).values())
    console.print(table if len(links) else Text("Nobody is linked yet."))
    if len(links) > limit:
        console.print(Text(f"and {len(links) - limit:,} more; see them with --limit {len(links)}"))


def show_link(console: Console, job_file: Path, person: str) -> None:
    """Print everything that is remembered of one link. Raises `BadInputError` when there is none."""
    job = load_job(job_file)
    row = _one(_links(job), person, job)
    table = Table.grid(padding=(0, 2))
    for title, value in {**_facts(row), "Last written": str(row["written"])}.items():
        table.add_row(Text(title, style="bright_black"), value)
    console.print(table)


def remove_link(console: Console, job_file: Path, person: str) -> None:
    """End one link; the account stays as it is, and the next cycle matches the person anew."""
    parts = open_parts(job_file)
    with parts.ledger:
        row = _one(_links(parts.job), person, parts.job)
        said = f"link of {row['source_name']} to {row['target_name']} removed"
        with by_hand(parts, though_off=True) as cycle_id:
            parts.ledger.unlink(parts.job.name, cycle_id, [str(row["source_id"])])
            parts.ledger.end_cycle(cycle_id, StateName.COMPLETED, message=said)
    console.print(Text(f"{said[:1].upper()}{said[1:]}. The account stays; the next cycle matches the person anew."))


def import_links(console: Console, job_file: Path, file: Path) -> None:
    """Link people to accounts as a CSV file says: `source_id` with `target_uri` or `login_name`.

    Raises `BadInputError` naming every line that cannot be linked; then nothing is linked.
    """
    wanted = _read_csv(file)
    parts = open_parts(job_file)
    with parts.ledger:
        links = _resolved(parts, wanted, file)
        with by_hand(parts, though_off=True) as cycle_id:
            parts.ledger.put_bulk(parts.job.name, cycle_id, [], links_rows=links)
            said = f"{len(links):,} links imported from {file.name}"
            parts.ledger.end_cycle(cycle_id, StateName.COMPLETED, message=said)
    console.print(Text(f"{said}. The next cycle compares their accounts."))


def _links(job: Job) -> pd.DataFrame:
    with open_ledger(job) as ledger:
        return ledger.links(job.name).sort_values("source_name", ignore_index=True)


def _facts(row: Any) -> dict[str, str]:
    texts = {title: row[name] for title, name in _FACTS.items()}
    texts["In use"] = "yes" if row["active"] else "no, disabled"
    texts["Linked (UTC)"] = f"{row['linked_at']:%Y-%m-%d %H:%M}"
    return {title: "" if pd.isna(value) else str(value) for title, value in texts.items()}


def _one(links: pd.DataFrame, person: str, job: Job) -> dict[str, Any]:
    """Find the link by source id, the person's name, login name or account."""
    name = person.lower()
    names = ("source_id", "source_name", "target_name", "target_uri")
    found = links[sum(links[column].str.lower().eq(name).fillna(value=False).astype(int) for column in names) > 0]
    if len(found) != 1:
        how_many = "nobody" if found.empty else f"{len(found)} people"
        raise BadInputError(
            f"{person!r} names {how_many} among the {len(links):,} links of the job {job.name}. Give a source id, a "
            f"user principal name, a login name or an account's URI; `provision links list {job.file}` shows them."
        )
    return {str(key): value for key, value in found.iloc[0].items()}


def _read_csv(file: Path) -> pd.DataFrame:
    try:
        frame = pd.read_csv(file, dtype=STRING, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise BadInputError(f"{file}: it cannot be read as CSV: {error}. Nothing was linked.") from error
    by = [name for name in ("target_uri", "login_name") if name in frame.columns]
    if "source_id" not in frame.columns or len(by) != 1:
        raise BadInputError(
            f"{file}:1: expected the columns `source_id` and one of `target_uri` and `login_name`, "
            f"found {', '.join(frame.columns)}. Nothing was linked."
        )
    return frame


def _resolved(parts: Parts, wanted: pd.DataFrame, file: Path) -> list[dict[str, Any]]:
    """Give the rows of the links, checked against Replicon and against the links there are."""
    by = "target_uri" if "target_uri" in wanted.columns else "login_name"
    ask = wanted[by].drop_duplicates()
    accounts = parts.target.read(ask) if by == "target_uri" else parts.target.find("LoginName", ask)
    key = accounts["target_uri"] if by == "target_uri" else accounts["target_name"].str.lower()
    accounts = accounts.assign(key=key)[["key", "target_uri", "target_name"]]
    rows = wanted[["source_id"]].assign(key=wanted[by] if by == "target_uri" else wanted[by].str.lower())
    rows = rows.merge(accounts, on="key", how="left")
    links = parts.ledger.links(parts.job.name)
    owner = rows["target_uri"].map(links.set_index("target_uri")["source_id"])
    doubts = {
        "the source id is empty": rows["source_id"].eq(""),
        "the source id stands twice": rows["source_id"].duplicated(keep=False),
        "there is no such account in Replicon": rows["target_uri"].isna(),
        "the account stands twice": rows["target_uri"].notna() & rows["target_uri"].duplicated(keep=False),
        "the account is linked to another person": owner.notna() & owner.ne(rows["source_id"]),
    }
    wrong = [
        f"{file}:{line + 2}: {doubt}."
        for doubt, where in doubts.items()
        for line in rows.index[where.fillna(value=False).astype(bool)]
    ]
    if wrong:
        raise BadInputError("\n".join([*wrong, "Nothing was linked."]))
    facts = rows[["source_id", "target_uri", "target_name"]].to_dict("records")
    fresh = {"account_digest": None, "written": "{}", "active": True}
    return [{**fresh, **row, "source_name": row["source_id"]} for row in facts]
