"""Reading a served directory as cycles do, and what that takes. Nothing is written to any target."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from deployments.sandbox.sandbox import CLIENT_ID, CLIENT_SECRET
from tasks.connectors.microsoft_graph.client import MicrosoftGraph
from tasks.extract.assignments import extract_assignments
from tasks.extract.changes import Since
from tasks.job import GraphSource, Scope, SecretReference
from tasks.ledger.ledger import Ledger
from tasks.ledger.source import Remember
from tasks.model import CycleKind, Extraction, Presence

ATTRIBUTES: Final = frozenset(
    {
        *("userPrincipalName", "givenName", "surname", "displayName", "mail", "employeeId", "department", "jobTitle"),
        *("physicalDeliveryOfficeName", "city", "country", "state", "streetAddress", "postalCode", "companyName"),
        *("mobile", "telephoneNumber", "preferredLanguage", "usageLocation", "employeeType", "employeeHireDate"),
        *("accountEnabled", "manager", "extensionAttribute1", "extensionAttribute2"),
    }
)
"""25 attributes, those of the default mapping among them."""
_JOB: Final = "measured"
_PART: Final = 50_000


class Reader:
    """One job over a served directory, its ledger in `folder`; everybody who is entitled is linked."""

    def __init__(self, where: Mapping[str, Any], folder: Path) -> None:
        secret = folder / "secret"
        secret.write_text(CLIENT_SECRET)
        self._graph = MicrosoftGraph(
            GraphSource(
                type="microsoft_graph",
                tenant_id=where["tenant_id"],
                client_id=CLIENT_ID,
                client_secret=SecretReference(file=secret),
                application_id=where["application_id"],
                ca_file=Path(where["ca_file"]),
                graph_url=where["graph_url"],
                login_url=where["login_url"],
            )
        )
        self._ledger = Ledger.open(f"sqlite:///{folder / 'ledger.db'}")

    def everything(self) -> tuple[Extraction, float]:
        """Read everybody; give that and the seconds it took."""
        started = time.perf_counter()
        extraction = extract_assignments(self._graph, ATTRIBUTES, Scope())
        return extraction, time.perf_counter() - started

    def changes(self) -> tuple[Extraction, float]:
        """Read what changed; give that and the seconds it took."""
        watermark = self._ledger.job_state(_JOB).watermark
        assert watermark is not None
        since = Since(watermark, self._ledger.source(_JOB))
        started = time.perf_counter()
        extraction = extract_assignments(self._graph, ATTRIBUTES, Scope(), since=since)
        return extraction, time.perf_counter() - started

    def remember(self, extraction: Extraction) -> float:
        """End a cycle of what was read; give the seconds that remembering the source took."""
        assert extraction.manifest.complete, extraction.manifest.missing
        assert extraction.update is not None
        cycle_id = self._ledger.begin_cycle(_JOB, CycleKind.INITIAL)
        frame = extraction.assignments
        entitled = frame.loc[frame["entitled"] & frame["presence"].eq(Presence.PRESENT), "source_id"]
        for start in range(0, len(entitled), _PART):
            part = entitled.iloc[start : start + _PART].tolist()
            self._ledger.put_bulk(_JOB, cycle_id, [], links_rows=[_link(source_id) for source_id in part])
        started = time.perf_counter()
        news = Remember(extraction.update, "settings", ())
        self._ledger.end_cycle(cycle_id, "completed", watermark=extraction.watermark, remember=news)
        return time.perf_counter() - started


def _link(source_id: str) -> dict[str, Any]:
    return {
        "source_id": source_id,
        "source_name": source_id,
        "target_uri": f"urn:{source_id}",
        "target_name": source_id,
        "account_digest": "d",
        "written": "{}",
        "active": True,
    }
