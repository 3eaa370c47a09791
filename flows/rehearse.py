"""The third executor of a plan: the same load code carries it out against a sandbox that is made after the real target.

The real Replicon gets no write, and the job's ledger is only read. What the sandbox is, is in `deployments.sandbox`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import secrets
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

import pandas as pd
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from deployments.sandbox.faults import FaultRule
from deployments.sandbox.mirror import COMPANY_KEY, EXTENSION_FIELD, Mirror, Offered
from flows.approval import approved_plan
from flows.by_hand import by_hand, carry_out
from flows.history import target_name
from flows.parts import Parts, open_ledger, open_parts, open_target
from flows.plan import Planned, made, planned_cycle
from flows.progress import bars, current
from flows.undo import meant, planned
from tasks.connectors.replicon.catalogue import Entry, FieldType, Listing
from tasks.job import Ledger, PasswordSignIn, SecretReference
from tasks.ledger.frames import LINK_COLUMNS, records
from tasks.load.prepare import SecondLook
from tasks.model import (
    STRING,
    Accounts,
    BadInputError,
    CycleChoice,
    ExitCode,
    Plan,
    Status,
)
from tasks.reconcile.references import PENDING
from tasks.report.cycle import Told
from tasks.report.terminal import activity_report

USUAL_FAULTS: Final = (
    FaultRule.model_validate({"kind": "rate_limit", "limit": 40, "window": 2, "retry_after": 1}),
    FaultRule.model_validate({"kind": "internal500", "endpoint": "replicon:ImportService*", "probability": 0.02}),
    FaultRule.model_validate({"kind": "lost_response", "endpoint": "replicon:ImportService*", "probability": 0.02}),
    FaultRule.model_validate({"kind": "timeout500", "probability": 0.01, "committed": True}),
)
"""What goes wrong in an ordinary week: the rate limit, faults without a reason, answers that never come."""
_LOGIN: Final = "LoginName"
_SUPERVISOR: Final = "Supervisor"
_NAMED: Final = 10


@dataclasses.dataclass(frozen=True)
class Rehearsal:
    """What a rehearsal found.

    `otherwise` says of each write that did not end as planned how it ended; `elsewhere` are URIs of accounts that were
    changed and that the plan does not name; `again` is a second plan, made over the accounts as they are afterwards.
    """

    told: Told
    activities: pd.DataFrame
    plan: Plan
    otherwise: tuple[str, ...]
    elsewhere: tuple[str, ...]
    again: Plan
    struck: int

    @property
    def exit_code(self) -> int:
        """Give the code of the writes; 3 when all went well and the result is another than planned."""
        odd = self.otherwise or self.elsewhere or self.again.writes.any()
        code = self.told.verdict.exit_code
        return ExitCode.SOME_FAILED if odd and code == ExitCode.DONE else code


def read_fault(text: str) -> FaultRule:
    """Read `kind[@endpoint][,name=value...]`, such as `rate_limit,limit=50,retry_after=1`.

    Raises `BadInputError` when there is no such fault or parameter.
    """
    head, *pairs = text.split(",")
    kind, _, endpoint = head.partition("@")
    given = dict(pair.partition("=")[::2] for pair in pairs)
    try:
        return FaultRule.model_validate({"kind": kind.strip(), "endpoint": endpoint or "replicon:*", **given})
    except ValueError as error:
        raise BadInputError(
            f"--fault {text}: expected KIND[@ENDPOINT][,NAME=VALUE...], such as rate_limit,limit=50,retry_after=1; the "
            f"sandbox's own page lists the kinds. {error}"
        ) from error


def show_rehearsal(
    console: Console, job_file: Path, file: Path | None, choice: CycleChoice, faults: Sequence[FaultRule]
) -> int:
    """Rehearse the saved plan in `file`, or else the job's next plan; print what happened and give the exit code."""
    parts = open_parts(job_file)
    with parts.ledger, bars(console):
        found = rehearse(parts, file, choice, faults)
    console.print(activity_report(found.activities, found.told))
    _show_result(console, found, parts)
    return found.exit_code


def rehearse(parts: Parts, file: Path | None, choice: CycleChoice, faults: Sequence[FaultRule] = ()) -> Rehearsal:
    """Carry a plan out against a sandbox with the catalog and the accounts that it concerns; nothing else is written.

    Raises `BadInputError` when the saved plan in `file` is refused, for the reasons that `provision apply` has.
    """
    prepared = _prepared(parts, file, choice)
    with _stage(parts, prepared.plan) as (stage, mirror):
        for rule in faults:
            mirror.faults.add_rule(rule)
        with by_hand(stage) as cycle_id:
            told = carry_out(stage, cycle_id, prepared.plan, prepared.look)
            activities = stage.ledger.activities(cycle_id=cycle_id)
        struck = mirror.faults.struck()
        mirror.faults.clear()
        named = {*prepared.plan.operations["target_uri"].dropna(), *activities["target_uri"].dropna()}
        facts = dataclasses.replace(told.facts, target=f"a sandbox in place of {target_name(parts.job)}", see="")
        return Rehearsal(
            told=Told(facts, told.verdict),
            activities=activities,
            plan=prepared.plan,
            otherwise=tuple(_otherwise(prepared.plan, activities)),
            elsewhere=tuple(sorted(mirror.run(mirror.changed) - named)),
            again=prepared.again(stage),
            struck=struck,
        )


@dataclasses.dataclass(frozen=True)
class _Prepared:
    """A plan to rehearse, what confirms its removals, and how it is made again where it has been carried out."""

    plan: Plan
    look: SecondLook
    again: Callable[[Parts], Plan]


def _prepared(parts: Parts, file: Path | None, choice: CycleChoice) -> _Prepared:
    approved = None if file is None else approved_plan(parts, file)
    if approved is not None and approved.saved.undoes is not None:
        cycle, deletes = approved.saved.undoes, approved.deletes
        plan = approved.carried_out(parts, planned(parts, cycle, deletes))
        # What is taken back stands in the job's own ledger.
        return _Prepared(
            plan, meant, lambda stage: planned(dataclasses.replace(stage, ledger=parts.ledger), cycle, deletes)
        )
    now = planned_cycle(parts, choice if approved is None else approved.choice, current())
    plan = now.plan if approved is None else approved.carried_out(parts, now.plan)
    mine = now.accounts.people["source_id"].isin(plan.operations["source_id"]).to_numpy(dtype=bool)
    people = _cut(now.accounts, pd.Series(mine))

    def look(source_ids: Sequence[str]) -> pd.DataFrame:
        return people.people[people.people["source_id"].isin(list(source_ids))]

    return _Prepared(plan, look, lambda stage: _made_again(stage, now, people))


def _made_again(stage: Parts, now: Planned, people: Accounts) -> Plan:
    """Plan once more for the people of the plan, over the stage's accounts and links; the other links stand."""
    after = stage.ledger.links(stage.job.name)
    touched = now.memory.links["source_id"].isin([*people.people["source_id"], *after["source_id"]])
    links = pd.concat([now.memory.links[~touched], after], ignore_index=True)
    memory = dataclasses.replace(now.memory, links=links, skips=now.memory.skips.head(0))
    return made(stage, memory, people, now.plan.kind, now.plan.manifest)


def _cut(accounts: Accounts, where: pd.Series) -> Accounts:
    names = ("people", "values", "flows", "on_create", "flows_on_create")
    rows = {name: getattr(accounts, name)[where].reset_index(drop=True) for name in names}
    return dataclasses.replace(accounts, **rows)


@contextlib.contextmanager
def _stage(parts: Parts, plan: Plan) -> Iterator[tuple[Parts, Mirror]]:
    """Give the job as it is rehearsed: a sandbox for its target, a ledger of its own that is thrown away."""
    me = parts.target.identity()
    accounts = _concerned(parts, plan, me.uri)
    try:
        mirror = Mirror(me.uri)
    except ValueError as error:
        raise BadInputError(f"The account that provisioning signs in with cannot be rehearsed: {error}.") from error
    _copy(mirror, parts, plan, accounts)
    if me.uri not in set(accounts["target_uri"]):
        mirror.copy_accounts([(me.uri, {_LOGIN: me.login_name})])
    password = secrets.token_urlsafe(24)
    mirror.sign_in(me.uri, password)
    with tempfile.TemporaryDirectory(prefix="provision-rehearsal-") as folder, mirror:
        secret = Path(folder, "password")
        secret.write_text(password, encoding="utf-8")
        target = parts.job.target.model_copy(
            update={
                "company_key": COMPANY_KEY,
                "sign_in": PasswordSignIn(login_name=me.login_name, password=SecretReference(file=secret)),
                "discovery_url": mirror.discovery_url,
            }
        )
        kept = Ledger(url=f"sqlite:///{Path(folder, 'ledger.db').as_posix()}")
        job = parts.job.model_copy(update={"target": target, "ledger": kept})
        with open_ledger(job) as ledger:
            ledger.withhold(parts.mapping.redacted)
            stage = dataclasses.replace(parts, job=job, target=open_target(job, parts.mapping), ledger=ledger)
            _copy_links(parts, stage, plan, accounts)
            yield stage, mirror


def _concerned(parts: Parts, plan: Plan, me: str) -> pd.DataFrame:
    """Read the accounts that a plan concerns: its own, whom they report to, and who has a login name it would give."""
    references = plan.changes.loc[plan.changes["attribute"].eq(_SUPERVISOR), ["before", "after"]].stack()
    named = pd.concat([plan.operations["target_uri"], references.astype(STRING), pd.Series([me], dtype=STRING)])
    named = named.dropna().drop_duplicates()
    first = parts.target.read(named[~named.str.startswith(PENDING)])
    above = first[_SUPERVISOR].dropna() if _SUPERVISOR in first.columns else pd.Series([], dtype=STRING)
    second = parts.target.read(above[~above.isin(first["target_uri"])].drop_duplicates())
    logins = plan.changes.loc[plan.changes["attribute"].eq(_LOGIN), "after"].dropna().drop_duplicates()
    frames = [first, second, parts.target.find(_LOGIN, logins)]
    return pd.concat(frames, ignore_index=True).drop_duplicates("target_uri", ignore_index=True)


def _copy(mirror: Mirror, parts: Parts, plan: Plan, accounts: pd.DataFrame) -> None:
    """Give the sandbox what the tenant offers, and the accounts."""
    for listing, entries in parts.target.offered().items():
        if listing is Listing.PERMISSION_SET:
            mirror.copy_permission_sets(Offered(one.uri, one.name) for one in entries)
        elif listing is Listing.CUSTOM_FIELD:
            mirror.copy_fields(_field(one, plan, accounts) for one in entries)
        else:
            mirror.copy_groups(listing.name, [Offered(one.uri, one.name) for one in entries])
    fields = [name.removeprefix(EXTENSION_FIELD) for name in parts.mapping.by_name if name.startswith(EXTENSION_FIELD)]
    mirror.copy_fields([Offered(uri, uri) for uri in fields], extension=True)
    rows = records(accounts, accounts.columns)
    mirror.copy_accounts([(str(row["target_uri"]), {_LOGIN: row["target_name"], **row}) for row in rows])


def _field(entry: Entry, plan: Plan, accounts: pd.DataFrame) -> Offered:
    """Give a custom field. Which options a drop-down has is not listed: those that are in use, or will be."""
    options: tuple[str, ...] = ()
    if entry.type is FieldType.DROP_DOWN:
        names = [f"CustomField:{one}" for one in (entry.name, entry.uri)]
        given = plan.changes.loc[plan.changes["attribute"].isin(names), "after"].dropna()
        held = [accounts[name].dropna() for name in names if name in accounts.columns]
        options = tuple(pd.concat([given, *held]).drop_duplicates().sort_values())
    return Offered(entry.uri, entry.name, entry.type.value, options)


def _copy_links(parts: Parts, stage: Parts, plan: Plan, accounts: pd.DataFrame) -> None:
    """Remember the links of everybody whom the plan concerns."""
    links = parts.ledger.links(parts.job.name)
    mine = links["source_id"].isin(plan.operations["source_id"]) | links["target_uri"].isin(accounts["target_uri"])
    rows = records(links[mine], [name for name in LINK_COLUMNS if name != "linked_at"])
    with by_hand(stage) as cycle_id:
        stage.ledger.put_bulk(stage.job.name, cycle_id, [], links_rows=rows)
        stage.ledger.end_cycle(cycle_id, "Completed", message="links copied")


def _otherwise(plan: Plan, activities: pd.DataFrame) -> Iterator[str]:
    """Say of each write that did not end as planned how it ended."""
    writes = plan.operations.loc[plan.writes, ["change_id", "source_name", "operation"]]
    ended = writes.merge(activities, on="change_id", how="left", suffixes=("_planned", ""))
    odd = ~(ended["status"].eq(Status.SUCCESS.value) & ended["operation"].eq(ended["operation_planned"])).fillna(False)
    for row in ended[odd].to_dict("records"):
        how = "it was not come to" if pd.isna(row["status"]) else f"{row['operation']} ended as {row['status']}"
        why = "" if pd.isna(row["reason"]) else f": {row['reason']}"
        yield f"{row['source_name_planned']}: {row['operation_planned']} was planned, {how}{why}"


def _show_result(console: Console, found: Rehearsal, parts: Parts) -> None:
    """Print whether the rehearsal came out as the plan says."""
    count, again = int(found.plan.writes.sum()), found.again.operations[found.again.writes]
    table = Table.grid(padding=(0, 2))
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row("As planned", Text(f"{count - len(found.otherwise):,} of {count:,} writes ended as the plan says"))
    for line in found.otherwise[:_NAMED]:
        table.add_row("", Text(line))
    if len(found.otherwise) > _NAMED:
        table.add_row("", Text(f"and {len(found.otherwise) - _NAMED:,} more"))
    left = "a second plan over the result is empty"
    if len(again):
        names = ", ".join(again["source_name"].head(_NAMED).astype(object))
        left = f"a second plan over the result still has {len(again):,} writes: {names}"
    table.add_row("Afterwards", Text(left))
    others = ", ".join(found.elsewhere[:_NAMED]) or "no account that the plan does not name was changed"
    table.add_row("Elsewhere", Text(others))
    table.add_row("Faults", Text(f"{found.struck:,} requests were struck"))
    table.add_row("For real", Text(f"{target_name(parts.job)} got no write, and the job's ledger is as it was"))
    console.print(Padding(table, (1, 2)))
