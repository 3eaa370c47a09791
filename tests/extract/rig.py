"""A sandbox directory read cycle by cycle into a ledger, as the flow does it, without a target: everybody is linked.

`state` says what is remembered, `whole` what a whole read gives at the same moment.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pandas as pd

from deployments.sandbox.graph_settings import AppRegistration, GraphSettings
from deployments.sandbox.sandbox import CLIENT_ID, CLIENT_SECRET, Sandbox
from tasks.connectors.microsoft_graph.client import MicrosoftGraph
from tasks.extract.assignments import extract_assignments
from tasks.extract.changes import Since
from tasks.job import GraphSource, Scope, SecretReference
from tasks.ledger.ledger import Ledger
from tasks.ledger.source import Remember
from tasks.model import STRING, STRINGS, CycleKind, Extraction, Presence

ATTRIBUTES: Final = frozenset(
    {"userPrincipalName", "department", "manager", "accountEnabled", "extensionAttribute1", "proxyAddresses"}
)
TYPES: Final = {name: STRINGS if name == "proxyAddresses" else STRING for name in sorted(ATTRIBUTES)}
JOB: Final = "acme"

Rows = dict[str, tuple[Any, ...]]
State = tuple[Rows, set[tuple[Any, ...]], set[tuple[Any, ...]]]


def small_pages() -> GraphSettings:
    """Give settings under which some dozens of people fill several pages of everything."""
    return GraphSettings(
        clients={CLIENT_ID: AppRegistration(CLIENT_SECRET)}, delta_page=7, members_per_delta_page=5, fullest_page=23
    )


class Rig:
    """One job over a running sandbox; `secret` is a file with the client secret."""

    def __init__(self, sandbox: Sandbox, folder: Path, scope: Scope | None = None, name: str = "ledger") -> None:
        self.sandbox = sandbox
        self.scope = scope or Scope()
        secret = folder / "secret"
        secret.write_text(CLIENT_SECRET)
        self.source = GraphSource(
            type="microsoft_graph",
            tenant_id=sandbox.tenant.tenant_id,
            client_id=CLIENT_ID,
            client_secret=SecretReference(file=secret),
            application_id=sandbox.application_id,
            ca_file=sandbox.ca_file,
            graph_url=sandbox.graph_url,
            login_url=sandbox.login_url,
        )
        self.graph = MicrosoftGraph(self.source, wait=lambda _: None)
        self.ledger = Ledger.open(f"sqlite:///{folder / name}.db")
        self.rows: Rows = {}
        """The Assignments frame as it stands after all cycles, a row a person."""

    def read(self, kind: CycleKind, again: Sequence[str] = (), graph: MicrosoftGraph | None = None) -> Extraction:
        """Read as a cycle of this kind would, and remember nothing."""
        watermark, since = self.ledger.job_state(JOB).watermark, None
        if kind is CycleKind.INCREMENTAL:
            assert watermark is not None
            since = Since(watermark, self.ledger.source(JOB), again)
        known = self.ledger.links(JOB)["source_id"]
        return extract_assignments(graph or self.graph, ATTRIBUTES, self.scope, known, since=since)

    def cycle(self, kind: CycleKind = CycleKind.INCREMENTAL, again: Sequence[str] = ()) -> Extraction:
        """Read, and remember it if it was whole, with everybody who is entitled linked."""
        return self.keep(self.read(kind, again), kind)

    def keep(self, extraction: Extraction, kind: CycleKind) -> Extraction:
        """End a cycle of what was read."""
        cycle_id = self.ledger.begin_cycle(JOB, kind)
        frame = extraction.assignments
        entitled = frame.loc[frame["entitled"] & frame["presence"].eq(Presence.PRESENT), "source_id"].tolist()
        links = [
            {
                "source_id": source_id,
                "source_name": source_id,
                "target_uri": f"urn:{source_id}",
                "target_name": source_id,
                "account_digest": "d",
                "written": "{}",
                "active": True,
            }
            for source_id in entitled
        ]
        self.ledger.put_bulk(JOB, cycle_id, [], links_rows=links)
        whole = extraction.manifest.complete and extraction.update is not None
        news = Remember(extraction.update, "settings", ()) if whole and extraction.update is not None else None
        self.ledger.end_cycle(cycle_id, "completed", watermark=extraction.watermark if whole else None, remember=news)
        if whole:
            self.rows = by_person(frame) if extraction.whole else self._merged(extraction)
        return extraction

    def _merged(self, extraction: Extraction) -> Rows:
        assert extraction.update is not None
        others = {who: row for who, row in self.rows.items() if who not in extraction.update.touched}
        return others | by_person(extraction.assignments)

    def state(self) -> State:
        """Say what is remembered: people, memberships, assignments."""
        source = self.ledger.source(JOB)
        groups = [group.id for group in self.sandbox.tenant.groups()]
        people = source.people(None, TYPES)
        return by_person(people), tuples(source.members_of(groups)), tuples(source.grants())

    def whole(self) -> tuple[State, Rows]:
        """Read everything and say what would be remembered of it, and its rows; nothing is remembered."""
        extraction = self.read(CycleKind.INITIAL)
        assert extraction.manifest.missing == ()
        assert extraction.update is not None
        people = extraction.assignments.drop(columns=["entitled", "entitlement_reason", "appRoleAssignments"])
        people = people[people["presence"].ne(Presence.HARD_DELETED)]
        state = by_person(people), tuples(extraction.update.members), tuples(extraction.update.grants)
        return state, by_person(extraction.assignments)


def leavers(extraction: Extraction) -> set[str]:
    """Give whom a frame would have lose their account."""
    frame = extraction.assignments
    return set(frame.loc[~frame["entitled"] | frame["presence"].ne(Presence.PRESENT), "source_id"])


def by_person(frame: pd.DataFrame) -> Rows:
    """Give the rows of a frame by source id, whatever the order of rows and columns; why is left out."""
    columns = sorted(set(frame.columns) - {"entitlement_reason"})
    return {row[columns.index("source_id")]: row for row in tuples(frame[columns])}


def tuples(frame: pd.DataFrame) -> set[tuple[Any, ...]]:
    """Give the rows of a frame as plain values."""
    return {tuple(map(_plain, row)) for row in frame.to_numpy(dtype=object)}


def _plain(value: Any) -> Any:
    if hasattr(value, "__iter__") and not isinstance(value, str):
        return tuple(value)
    return None if pd.isna(value) else value
