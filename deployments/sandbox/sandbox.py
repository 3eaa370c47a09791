"""The sandbox as one thing: a directory and a Replicon, served on loopback, with the job file that connects them.

Embedded by tests, the demo and benchmarks; `python -m deployments.sandbox` runs it in the foreground.
"""

from __future__ import annotations

import dataclasses
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar
from urllib.parse import urlsplit

import orjson
import yaml

from deployments.sandbox.fault_bodies import ANSWERED_FAULTS, fault_answer
from deployments.sandbox.faults import FaultRule, Faults
from deployments.sandbox.graph import GraphService
from deployments.sandbox.graph_settings import AppRegistration, GraphSettings
from deployments.sandbox.months import MonthLog, month_passes
from deployments.sandbox.replicon import DiscoveryService, RepliconService
from deployments.sandbox.replicon_seed import add_account, add_existing_accounts, add_orphans, fill_catalog
from deployments.sandbox.replicon_settings import RepliconSettings
from deployments.sandbox.replicon_state import RepliconState
from deployments.sandbox.server import Server
from deployments.sandbox.tenant import Tenant, generate
from deployments.sandbox.tls import CA_FILE, listen_with_ephemeral_authority
from deployments.sandbox.wire import Request, Response

COMPANY_KEY: Final = "northwind"
"""Company key of the sandbox's Replicon."""
ADMIN_LOGIN: Final = "svc.provisioning"
ADMIN_PASSWORD: Final = "sandbox-replicon-password"
"""Sign-in of the account that may do everything in Replicon."""
LIMITED_LOGIN: Final = "svc.limited"
LIMITED_PASSWORD: Final = "sandbox-limited-password"
"""Sign-in of an account that may neither read nor write users in Replicon."""
CLIENT_ID: Final = "c1f0a6d2-3b57-4d0e-8f0c-7a1e5b9d2c44"
CLIENT_SECRET: Final = "sandbox-graph-secret"
"""Sign-in of the app registration that may read the directory."""
LIMITED_CLIENT_ID: Final = "0d5b8a7e-64c1-4f3c-9f0e-2b7d1c9e8a55"
"""An app registration with the same secret that may read users, and neither applications nor groups."""
DEFAULT_MAPPING: Final = Path(__file__).resolve().parent.parent / "mappings" / "replicon.yaml"
"""The mapping that `job_file` names unless told otherwise."""

_Result = TypeVar("_Result")


class Sandbox:
    """A Microsoft Graph and a Replicon on loopback; use it in a `with` statement, or `start` and `stop` it.

    `users` and `seed` make the directory, unless a `tenant` is given. A share `existing` (0 to 1) of its people
    already have an account in Replicon, which has `orphans` accounts of nobody's besides and lacks
    `missing_departments` of the directory's departments. Ports are any free ones unless given.
    """

    def __init__(
        self,
        users: int = 200,
        seed: int = 1,
        *,
        tenant: Tenant | None = None,
        existing: float = 0.0,
        orphans: int = 0,
        missing_departments: int = 0,
        replicon_settings: RepliconSettings | None = None,
        graph_settings: GraphSettings | None = None,
        graph_port: int = 0,
        login_port: int = 0,
        replicon_port: int = 0,
        discovery_port: int = 0,
    ) -> None:
        self.seed = seed
        self.tenant = generate(users, seed) if tenant is None else tenant
        self.replicon = RepliconState(replicon_settings)
        """Everything Replicon knows, for tests to read; change it within `run` only."""
        self.faults = Faults()
        self.company_key = COMPANY_KEY
        self.months = 0
        """How many months have passed since the start."""
        self._fill_replicon(existing, orphans, missing_departments)
        self.graph_settings = graph_settings or GraphSettings()
        """How Graph behaves; `clients` may be added to."""
        self.graph_settings.clients = {
            CLIENT_ID: AppRegistration(CLIENT_SECRET),
            LIMITED_CLIENT_ID: AppRegistration(CLIENT_SECRET, permissions=("User.Read.All",)),
            **self.graph_settings.clients,
        }
        graph = GraphService(self.tenant, self.graph_settings)
        graph.part_gate = self._strike_part
        replicon = RepliconService(self.replicon, COMPANY_KEY)
        discovery = DiscoveryService(replicon, lambda: self.server.url("replicon"))
        self._login: tuple[GraphService, int] = graph, login_port
        self._folder: Path | None = None
        self.server = Server(self.faults, self._controls())
        self.server.add("graph", graph, port=graph_port)
        self.server.add("replicon", replicon, port=replicon_port)
        self.server.add("discovery", discovery, port=discovery_port)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Listen. Raises `OSError` naming the address when a port is taken."""
        self._folder = Path(tempfile.mkdtemp(prefix="provision-sandbox-"))
        try:
            tls = listen_with_ephemeral_authority(self._folder)
            graph, port = self._login
            # MSAL signs in over TLS only.
            self.server.add("login", graph, port=port, tls=tls)
            self.server.start()
        except BaseException:
            self.stop()
            raise
        # Started again after a stop, it is found where it was.
        self._login = graph, urlsplit(self.login_url).port or 0

    def stop(self) -> None:
        """Stop listening; the state stays readable. The CA certificate is gone afterwards."""
        self.server.stop()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    @property
    def graph_url(self) -> str:
        """Where Microsoft Graph is: scheme and authority, without the version."""
        return self.server.url("graph")

    @property
    def login_url(self) -> str:
        """Where tokens are given out; served over TLS by the authority in `ca_file`."""
        return self.server.url("login")

    @property
    def ca_file(self) -> Path:
        """Certificate (PEM) of the authority to trust at `login_url`. Raises `RuntimeError` unless started."""
        if self._folder is None:
            raise RuntimeError("The sandbox has its certificate while it runs only: start it first.")
        return self._folder / CA_FILE

    @property
    def discovery_url(self) -> str:
        """Where Replicon tells a company's address."""
        return self.server.url("discovery")

    @property
    def replicon_url(self) -> str:
        """Where the company's Replicon is; clients learn it from discovery."""
        return f"{self.server.url('replicon')}/{COMPANY_KEY}/"

    @property
    def application_id(self) -> str:
        """appId of the Replicon enterprise application in the directory."""
        return self.tenant.application_id

    def run(self, function: Callable[[], _Result]) -> _Result:
        """Call `function` between two requests, to change the directory or Replicon while the sandbox runs."""
        return self.server.run(function)

    def month_passes(self, seed: int | None = None, share: float = 0.05) -> MonthLog:
        """Let a month pass in the directory: hires, moves, renames, promotions and leavers, `share` of the people.

        Each month has a seed of its own unless one is given.
        """
        return self.run(lambda: self._month_passes(seed, share))

    def environment(self) -> dict[str, str]:
        """Give the environment variables with the secrets that the job file refers to."""
        return {"REPLICON_PASSWORD": ADMIN_PASSWORD, "GRAPH_CLIENT_SECRET": CLIENT_SECRET}

    def job_file(self, folder: Path, **overrides: Any) -> Path:
        """Write `<folder>/<name>.yaml`, a job from this directory to this Replicon with its ledger in `folder`.

        `overrides` are keys of the job file; mappings among them are merged into what stands there, and null
        takes a key away.
        """
        job: dict[str, Any] = {
            "name": "sandbox",
            "source": {
                "type": "microsoft_graph",
                "tenant_id": self.tenant.tenant_id,
                "client_id": CLIENT_ID,
                "client_secret": {"env": "GRAPH_CLIENT_SECRET"},
                "application_id": self.application_id,
                "ca_file": str(self.ca_file),
                "graph_url": self.graph_url,
                "login_url": self.login_url,
            },
            "target": {
                "company_key": COMPANY_KEY,
                "sign_in": {"login_name": ADMIN_LOGIN, "password": {"env": "REPLICON_PASSWORD"}},
                "discovery_url": self.discovery_url,
            },
            "mapping": str(DEFAULT_MAPPING),
            "ledger": {"url": f"sqlite:///{(folder / 'ledger.db').resolve().as_posix()}"},
        }
        job = _merged(job, overrides)
        path = folder / f"{job['name']}.yaml"
        path.write_text(yaml.safe_dump(job, sort_keys=False, allow_unicode=True), encoding="utf-8")
        return path

    def describe(self) -> dict[str, Any]:
        """Give what a client needs to know, JSON-ready: addresses, ids, and the sandbox's own secrets."""
        return {
            "graph_url": self.graph_url,
            "login_url": self.login_url,
            "ca_file": str(self.ca_file),
            "tenant_id": self.tenant.tenant_id,
            "client_id": CLIENT_ID,
            "application_id": self.application_id,
            "discovery_url": self.discovery_url,
            "replicon_url": self.replicon_url,
            "company_key": COMPANY_KEY,
            "login_name": ADMIN_LOGIN,
            "environment": self.environment(),
        }

    def _fill_replicon(self, existing: float, orphans: int, missing_departments: int) -> None:
        fill_catalog(self.replicon.catalog, self.tenant, missing_departments)
        add_account(
            self.replicon,
            ADMIN_PASSWORD,
            "System Administrator",
            login=ADMIN_LOGIN,
            first_name="Provisioning",
            last_name="Service",
        )
        add_account(
            self.replicon, LIMITED_PASSWORD, "User", login=LIMITED_LOGIN, first_name="Limited", last_name="Service"
        )
        add_existing_accounts(self.replicon, self.tenant, existing, self.seed)
        add_orphans(self.replicon, orphans)

    def _month_passes(self, seed: int | None, share: float) -> MonthLog:
        self.months += 1
        return month_passes(self.tenant, self.seed + self.months if seed is None else seed, share)

    def _strike_part(self, endpoint: str, request: Request) -> Response | None:
        """Let faults strike one part of a Graph batch; only those that answer can."""
        for rule, _ in self.faults.strike(endpoint, request, pages=False):
            if rule.kind in ANSWERED_FAULTS:
                return fault_answer(rule, endpoint, request)
        return None

    def _controls(self) -> Mapping[tuple[str, str], Callable[[Request], Any]]:
        return {
            ("GET", "state"): lambda _: self._state(),
            ("GET", "changes"): self._changes,
            ("POST", "faults"): self._add_faults,
            ("DELETE", "faults"): self._remove_faults,
            ("POST", "settings"): self._change_settings,
            ("POST", "month"): self._let_a_month_pass,
        }

    def _state(self) -> dict[str, Any]:
        state = self.replicon
        return {
            "faults": self.faults.describe(),
            "requests": dict(self.server.requests),
            "directory": {"today": self.tenant.today.isoformat(), "months": self.months},
            "replicon": {
                "users": len(state.accounts),
                "changes": len(state.change_log),
                "writes_requested": dict(state.writes_requested),
                "replays": state.replays,
            },
        }

    def _changes(self, request: Request) -> list[dict[str, Any]]:
        since = int(request.query.get("since", 0))
        return [
            {
                "number": change.number,
                "when": change.when.isoformat(),
                "operation": change.operation,
                "kind": change.kind,
                "login": change.login,
                "changes": change.changes,
            }
            for change in self.replicon.change_log[since : since + 1000]
        ]

    def _add_faults(self, request: Request) -> dict[str, Any]:
        given = orjson.loads(request.body)
        rules = [FaultRule.model_validate(rule) for rule in (given if isinstance(given, list) else [given])]
        return {"numbers": [self.faults.add_rule(rule) for rule in rules]}

    def _remove_faults(self, request: Request) -> dict[str, Any]:
        number = request.query.get("number")
        if number is None:
            self.faults.clear()
        elif not self.faults.remove(int(number)):
            raise ValueError(f"No fault has the number {number}; GET /_sandbox/state lists those that are on.")
        return {"faults": self.faults.describe()}

    def _change_settings(self, request: Request) -> dict[str, Any]:
        self.replicon.settings.change(**orjson.loads(request.body))
        values = dataclasses.asdict(self.replicon.settings)
        return {name: value for name, value in values.items() if name != "now"}

    def _let_a_month_pass(self, request: Request) -> dict[str, Any]:
        seed = request.query.get("seed")
        log = self._month_passes(None if seed is None else int(seed), float(request.query.get("share", 0.05)))
        return {name: len(ids) for name, ids in dataclasses.asdict(log).items()}


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Give `base` with `changes` put in, mapping by mapping; a null takes its key away."""
    merged = dict(base)
    for key, value in changes.items():
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, Mapping) and isinstance(merged.get(key), Mapping):
            merged[key] = _merged(merged[key], value)
        else:
            merged[key] = str(value) if isinstance(value, Path) else value
    return merged
