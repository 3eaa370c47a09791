"""One provisioning job's configuration: one YAML file, validated whole, every problem with its file and line.

Secrets are references to the environment, a file or a Prefect block, never values. Flows load jobs; connectors and
stages take the parts they need.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal, Self
from urllib.parse import urlsplit

import pydantic
import yaml
from pydantic import ConfigDict, Field, field_validator, model_validator

from tasks.model import BadInputError, Operation, Situation

LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
"""Hosts to which credentials may go without TLS: a sandbox on this machine."""


class _Section(pydantic.BaseModel):
    """A part of the job file: unknown keys are errors, values are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True)


BlockReader = Callable[[str, str], str]
"""Gives a field of a Prefect block, named as `type-slug/name`. Raises `BadInputError` when there is none."""


class SecretReference(_Section):
    """Where a secret is: exactly one of an environment variable, a file holding nothing else, and a Prefect block.

    A block is named as `type-slug/name`; `field` is which of its fields holds the secret. It is read anew by every
    cycle, so that a changed secret needs no restart.
    """

    env: str | None = None
    file: Path | None = None
    block: str | None = Field(default=None, pattern=r"^[a-z0-9-]+/[a-z0-9-]+$")
    field: str = "value"

    reads_blocks: ClassVar[BlockReader | None] = None
    """Set by the flows, for nothing here knows Prefect."""

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        if sum(place is not None for place in (self.env, self.file, self.block)) != 1:
            raise ValueError("name exactly one of `env: VARIABLE`, `file: PATH` and `block: TYPE/NAME`")
        if self.block is None and self.field != "value":
            raise ValueError("`field` belongs to a `block`; remove it")
        return self

    def resolve(self, what: str) -> str:
        """Give the secret itself. Raises `BadInputError` naming where it was looked for when it is absent or empty."""
        value, place = self._read(what)
        if not value:
            raise BadInputError(
                f"The {what} is looked for in {place}, which is empty or not set. Set it and try again."
            )
        return value

    def _read(self, what: str) -> tuple[str, str]:
        """Give the secret and the words for where it is."""
        if self.env is not None:
            return os.environ.get(self.env, ""), f"the environment variable {self.env}"
        if self.block is not None:
            if SecretReference.reads_blocks is None:
                raise BadInputError(f"The {what} is in the Prefect block {self.block}, which only flows can read.")
            return SecretReference.reads_blocks(self.block, self.field), f"{self.field} of the block {self.block}"
        try:
            return Path(str(self.file)).read_text(encoding="utf-8").strip(), f"the file {self.file}"
        except OSError as error:
            raise BadInputError(
                f"The {what} is looked for in the file {self.file}, which cannot be read ({error.strerror}). "
                "Create the file with the secret as its only content, readable by this user alone."
            ) from error


def _refuse_inline(value: Any) -> Any:
    if isinstance(value, str | int | float):
        raise ValueError(
            "a secret is never written here; refer to it as `{env: VARIABLE}`, `{file: PATH}` or `{block: TYPE/NAME}` "
            "(and change the one that stood here if the file was shared)"
        )
    return value


Secret = Annotated[SecretReference, pydantic.BeforeValidator(_refuse_inline)]


def _https_or_loopback(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"expected a URL such as https://host, found {url!r}")
    if parts.scheme == "http" and parts.hostname not in LOOPBACK:
        raise ValueError(f"credentials are sent over TLS only: write https instead of http for {parts.hostname}")
    return url.rstrip("/")


Url = Annotated[str, pydantic.AfterValidator(_https_or_loopback)]


class Certificate(_Section):
    """A certificate to sign in with: a PEM holding the private key and the certificate."""

    pem: Secret = Field(description="The private key and the certificate, one after the other, both in PEM.")
    passphrase: Secret | None = Field(default=None, description="Of the private key, if it has one.")


class GraphSource(_Section):
    """Microsoft Entra ID, read through Microsoft Graph with the app registration `client_id`."""

    type: Literal["microsoft_graph"] = Field(description="Microsoft Entra ID.")
    tenant_id: str = Field(min_length=1, description="Directory (tenant) id, or a verified domain of the tenant.")
    client_id: str = Field(min_length=1, description="Application (client) id of the app registration to sign in as.")
    client_secret: Secret | None = Field(default=None, description="To sign in with; or `certificate`.")
    certificate: Certificate | None = Field(default=None, description="To sign in with; or `client_secret`.")
    application_id: str = Field(
        min_length=1, description="appId of the Replicon enterprise application whose assignments are provisioned."
    )
    ca_file: Path | None = Field(default=None, description="CA certificates (PEM) to trust besides the usual ones.")
    graph_url: Url = Field(default="https://graph.microsoft.com", description="Another one in national clouds.")
    login_url: Url = Field(default="https://login.microsoftonline.com", description="Another one in national clouds.")
    attempts: int = Field(
        default=7,
        ge=1,
        le=12,
        description="How often a read that fails for the moment is tried in all.",
    )
    full_read_hours: float = Field(
        default=24, gt=0, description="How old the last read of everybody may be; then a cycle reads everybody again."
    )

    @model_validator(mode="after")
    def _one_credential(self) -> Self:
        if (self.client_secret is None) == (self.certificate is None):
            raise ValueError("give exactly one of `client_secret` and `certificate`")
        return self


class FilesSource(_Section):
    """A directory exported as CSV or Parquet files: users, groups' members, and assignments.

    Paths are relative to the job file. The columns are described in the page `job-file.md` of the deployments folder.
    """

    type: Literal["directory_files"] = Field(description="An export of the directory.")
    users: Path = Field(description="The people, CSV or Parquet.")
    assignments: Path = Field(description="Who and which groups are assigned.")
    members: Path | None = Field(default=None, description="Who is in which group; needed when groups are assigned.")


class PasswordSignIn(_Section):
    """Basic sign-in of a Replicon account that uses Replicon's own authentication."""

    login_name: str = Field(min_length=1, description="Of an account that uses Replicon's own authentication.")
    password: Secret = Field(description="Of that account.")


class TokenSignIn(_Section):
    """Sign-in with an access token minted in Replicon."""

    token: Secret = Field(description="An access token, instead of login name and password.")


class RepliconTarget(_Section):
    """The Replicon tenant `company_key`; its host is discovered at every start."""

    type: Literal["replicon"] = Field(default="replicon", description="The only one there is.")
    company_key: str = Field(min_length=1, description="The company key that people sign in with.")
    sign_in: PasswordSignIn | TokenSignIn = Field(description="As whom accounts are read and written.")
    discovery_url: Url = Field(default="https://global.replicon.com", description="Where Replicon tells its host.")
    supervisor_permission_set: str | None = Field(
        default=None,
        min_length=1,
        description="Permission set that linked accounts are given when somebody is to report to them.",
    )

    @field_validator("sign_in", mode="before")
    @classmethod
    def _pick(cls, value: Any) -> Any:
        if isinstance(value, Mapping):
            keys = set(value)
            if keys == {"token"}:
                return TokenSignIn.model_validate(value)
            if keys <= {"login_name", "password"} and keys:
                return PasswordSignIn.model_validate(value)
            raise ValueError("give either `login_name` and `password`, or `token`")
        return value


class Scope(_Section):
    """Who is entitled: `assigned` people, or `all` of the directory."""

    who: Literal["assigned", "all"] = Field(
        default="assigned", description="People and groups that are assigned, or all of the directory."
    )
    exclude_default_access: bool = Field(
        default=True, description="Leave out assignments made without a role, as the Replicon connector documents."
    )
    nested_groups: bool = Field(default=False, description="Read members of groups within assigned groups too.")


class Threshold(_Section):
    """A limit by count and by share of the linked accounts; the lower of the two that are set counts."""

    count: int | None = Field(default=None, ge=0, description="At most so many.")
    percent: float | None = Field(default=None, ge=0, le=100, description="At most this share of the linked accounts.")


class Guards(_Section):
    """What stops a mistake upstream before the first write."""

    removals: Threshold = Field(
        default=Threshold(count=500, percent=20), description="How many disables and deletes go without a person."
    )
    operations: Mapping[Literal["create", "update", "enable"], Threshold] = Field(
        default={}, description="Limits of other operations, by count and by share of the existing accounts."
    )
    attribute_percent: float | None = Field(
        default=None, ge=0, le=100, description="For how many existing accounts one attribute may change, in percent."
    )
    when_exceeded: Literal["hold", "stop"] = Field(
        default="hold", description="Whether the rest of a plan goes on when a limit is exceeded, or nothing does."
    )
    shrink_percent: float = Field(
        default=30, ge=0, le=100, description="How far a read may fall short of the last complete one, in percent."
    )
    grace_days: float = Field(
        default=0, ge=0, description="Days between the first cycle that finds somebody leaving and the disable."
    )
    preview_changes: bool = Field(
        default=True,
        description="Whether the first cycle under a changed mapping or scope only plans, until a person applies it.",
    )
    protected_logins: tuple[str, ...] = Field(
        default=(), description="Login names that are never disabled, deleted, renamed or given other permission sets."
    )
    protected_groups: tuple[str, ...] = Field(
        default=(),
        description="Names of groups in Replicon (departments, locations, ...) whose accounts are protected.",
    )
    protected_permission_sets: tuple[str, ...] = Field(
        default=(), description="Permission sets that are never given, and whose holders are protected."
    )


class SituationAction(StrEnum):
    """What a job does in a situation instead of the default."""

    HOLD = "hold"
    """A person has to look at it first."""
    SKIP = "skip"
    """Nothing; it is told once."""
    DISABLE = "disable"
    """Take the login away instead of deleting the account; for `source_deleted` alone."""


class DriftAction(StrEnum):
    """What becomes of a value that was changed in Replicon outside provisioning."""

    REVERT = "revert"
    """It is put back to what the mapping says."""
    ADOPT = "adopt"
    """It stays until the value at the source changes."""


class Drift(_Section):
    """What becomes of values that were changed in Replicon outside provisioning, by attribute."""

    default: DriftAction = Field(default=DriftAction.REVERT, description="revert: put it back. adopt: leave it.")
    attributes: Mapping[str, DriftAction] = Field(default={}, description="The same for single target attributes.")

    def adopts(self, attribute: str) -> bool:
        """Tell whether a changed value of `attribute` stays."""
        return self.attributes.get(attribute, self.default) is DriftAction.ADOPT


class Load(_Section):
    """How fast Replicon is called."""

    workers: int = Field(
        default=32, ge=1, le=64, description="Writes under way at once, at most; as many as keep answers quick are."
    )
    requests_per_minute: int | None = Field(
        default=None, ge=1, description="Calls in any minute, reads included, at most; fewer if Replicon refuses some."
    )


class QuarantineLimits(_Section):
    """From which failures on a job counts as failing as a whole; a refusal for the rate limit never counts."""

    at_least: int = Field(default=5_000, ge=1, description="From how many failures on the share counts.")
    percent: float = Field(
        default=40, ge=0, le=100, description="Which share of a cycle's operations may fail, references aside."
    )
    failures: int = Field(default=40_000, ge=0, description="How many may fail, references aside.")
    total: int = Field(default=60_000, ge=0, description="How many may fail, references included.")


class Smtp(_Section):
    """The mail server that notifications go through."""

    host: str = Field(min_length=1, description="The mail server.")
    port: int = Field(default=587, ge=1, le=65535, description="Its port.")
    security: Literal["starttls", "tls", "none"] = Field(
        default="starttls", description="TLS on the same port, TLS from the first byte (465), or none."
    )
    user: str | None = Field(default=None, description="To sign in as; nobody signs in if absent.")
    password: Secret | None = Field(default=None, description="Of that user.")
    ca_file: Path | None = Field(default=None, description="CA certificates (PEM) to trust instead of the usual ones.")

    @model_validator(mode="after")
    def _password_over_tls(self) -> Self:
        if (self.user is None) != (self.password is None):
            raise ValueError("give `user` and `password` together, or neither")
        if self.user is not None and self.security == "none" and self.host not in LOOPBACK:
            raise ValueError(f"credentials are sent over TLS only: `security: none` cannot sign in at {self.host}")
        return self


_ADDRESS: Final = r"^[^@\s<>,;]+@[^@\s<>,;]+$"


class Notify(_Section):
    """Mail to the people who look after the job: once a cause, and again when it is over."""

    enabled: bool = Field(default=True, description="Switch it off to keep the addresses and send nothing.")
    to: tuple[Annotated[str, Field(pattern=_ADDRESS)], ...] = Field(min_length=1, description="Mail addresses.")
    sender: str = Field(pattern=_ADDRESS, description="The address that mails come from.")
    failures: bool = Field(
        default=False, description="Mail about failing people, broken cycles and unfinished reads too."
    )
    smtp: Smtp = Field(description="The mail server.")


class Ledger(_Section):
    """Where the job remembers: an SQLAlchemy URL (`sqlite:///file`, `postgresql+psycopg://...`)."""

    url: str = Field(
        default="sqlite:///.provision/ledger.db", description="Or `postgresql+psycopg://USER@HOST/DATABASE`."
    )
    password: Secret | None = Field(default=None, description="Of the URL's user.")

    @field_validator("url")
    @classmethod
    def _no_password(cls, url: str) -> str:
        if re.match(r"[a-z+0-9]+://[^/@:]*:[^/@]+@", url):
            raise ValueError("the URL holds a password; take it out and name it under `password` as a reference")
        if not url.startswith(("sqlite:", "postgresql+psycopg:", "postgresql:")):
            raise ValueError("expected sqlite:///FILE or postgresql+psycopg://USER@HOST/DATABASE")
        return url


class Cluster(_Section):
    """Workers of a Dask cluster, to whom work is handed in parts. They find job, mapping and secrets where this does.

    The parts are passed as files in `folder`, which everybody sees; they hold personal data and are removed after.
    """

    scheduler: str | None = Field(
        default=None,
        pattern=r"^(tcp|tls)://[^/\s]+:[0-9]+$",
        description="Address of the scheduler; without it the work is done here, unless a run names one.",
    )
    folder: Path = Field(description="Where parts are passed as files: a folder that this machine and all workers see.")
    people_per_part: int = Field(
        default=50_000, ge=1, description="People in one part; a cycle that concerns no more than that uses no worker."
    )


class ReportFormat(StrEnum):
    """A form in which activities are kept in files."""

    NDJSON = "ndjson"
    """One JSON object a line."""
    JSON = "json"
    """One JSON array."""
    PARQUET = "parquet"
    """Columns, for tools that analyse."""
    CSV = "csv"
    """The three joined files of Microsoft's download."""


class Report(_Section):
    """What is kept of each cycle beside the ledger, where, and for how long. Paths are relative to the job file."""

    folder: Path | None = Field(default=None, description="Where each cycle's activities go as files; none if absent.")
    formats: frozenset[ReportFormat] = Field(
        default=frozenset({ReportFormat.NDJSON, ReportFormat.PARQUET}),
        min_length=1,
        description="ndjson, json, parquet, csv (the three files of Microsoft's download).",
    )
    keep_days: int | None = Field(
        default=None, ge=1, description="After how many days `provision prune` removes what is told; never if absent."
    )
    metrics_file: Path | None = Field(default=None, description="OpenMetrics text, written anew after each cycle.")


class Job(_Section):
    """One source, one target, one mapping: everything a cycle needs to know.

    `file` is where it was read from; the relative paths in it have been resolved against that file's folder.
    """

    name: str = Field(
        pattern=r"^[a-z0-9][a-z0-9-]{0,62}$",
        description="Small letters, digits and hyphens. The ledger knows the job by it: do not change it later.",
    )
    source: GraphSource | FilesSource = Field(discriminator="type", description="The directory.")
    target: RepliconTarget = Field(description="The Replicon tenant.")
    mapping: Path = Field(description="The attribute mapping: YAML, or JSON as Microsoft exports it.")
    scope: Scope = Field(default=Scope(), description="Who is entitled.")
    actions: frozenset[Literal["create", "update", "delete"]] = Field(
        default=frozenset({"create", "update", "delete"}),
        description="Target object actions that are allowed; a disable is an update.",
    )
    skip_out_of_scope_deletions: bool = Field(
        default=False, description="Leave the account of whoever is no longer in scope as it is."
    )
    situations: Mapping[Situation, SituationAction] = Field(
        default={}, description="What is done in a situation instead of the default: hold, skip, or disable."
    )
    drift: Drift = Field(default=Drift(), description="Values that were changed in Replicon by somebody else.")
    guards: Guards = Field(default=Guards(), description="What waits for a person.")
    load: Load = Field(default=Load(), description="How fast Replicon is called.")
    quarantine: QuarantineLimits = Field(
        default=QuarantineLimits(), description="From how many failures on the job rests."
    )
    ledger: Ledger = Field(default=Ledger(), description="Where the job remembers.")
    cluster: Cluster | None = Field(default=None, description="A Dask cluster that shares the work; none without.")
    report: Report = Field(default=Report(), description="What is kept beside the ledger.")
    notify: Notify | None = Field(default=None, description="Whom to mail; nobody when the key is absent.")
    file: Path = Path()

    @model_validator(mode="before")
    @classmethod
    def _skip_out_of_scope(cls, data: Any) -> Any:
        """Take the administrators' name for it as what it is: nothing is done for whoever is no longer in scope."""
        if not isinstance(data, Mapping) or data.get("skip_out_of_scope_deletions") is not True:
            return data
        situations = data.get("situations") or {}
        if not isinstance(situations, Mapping):
            return data
        if situations.get(Situation.OUT_OF_SCOPE, SituationAction.SKIP) != SituationAction.SKIP:
            raise ValueError(
                "`skip_out_of_scope_deletions` and `situations.out_of_scope` disagree about whoever is no longer in "
                "scope; keep one of the two"
            )
        return {**data, "situations": {**situations, Situation.OUT_OF_SCOPE.value: SituationAction.SKIP.value}}

    @model_validator(mode="after")
    def _may_be_given(self) -> Self:
        name = self.target.supervisor_permission_set
        if name is not None and name.lower() in {one.lower() for one in self.guards.protected_permission_sets}:
            raise ValueError(
                f"target.supervisor_permission_set {name!r} is among guards.protected_permission_sets, which are never "
                "given; take it out of one of the two"
            )
        return self

    @field_validator("situations")
    @classmethod
    def _known_actions(cls, situations: Mapping[Situation, SituationAction]) -> Mapping[Situation, SituationAction]:
        for situation, action in situations.items():
            if situation in {Situation.ORPHAN, Situation.DRIFTED}:
                raise ValueError(
                    f"{situation} cannot be set here: orphans are only listed, drift has its own key `drift`"
                )
            if action is SituationAction.DISABLE and situation is not Situation.SOURCE_DELETED:
                raise ValueError(f"{situation}: expected hold or skip; disable is for source_deleted alone")
        return situations

    @model_validator(mode="after")
    def _one_ledger_for_all(self) -> Self:
        if self.cluster is not None and self.ledger.url.startswith("sqlite:"):
            raise ValueError(
                "the workers of `cluster` share the ledger, which SQLite's file cannot be; name a PostgreSQL database "
                "under `ledger.url`"
            )
        return self

    def allows(self, operation: Operation) -> bool:
        """Tell whether the target object actions allow `operation`."""
        needed = {Operation.CREATE: "create", Operation.DELETE: "delete", Operation.NONE: None}.get(operation, "update")
        return needed is None or needed in self.actions


def load_job(path: Path) -> Job:
    """Read and validate the job file at `path`.

    Raises `BadInputError` listing every problem as `file:line: where: what was expected`.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise BadInputError(
            f"The job file {path} cannot be read ({error.strerror}). Give the path of a job file; "
            "`provision job init` writes one to start from."
        ) from error
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = min(mark.line + 1, len(text.splitlines())) if mark else 1
        problem = getattr(error, "problem", None) or str(error)
        raise BadInputError(f"{path}:{line}: this is not YAML: {problem}. Mend the line and try again.") from error
    if not isinstance(data, dict) or node is None:
        raise BadInputError(f"{path}:1: expected a mapping with `name`, `source`, `target` and `mapping`.")
    doubled = list(_doubled_keys(node))
    if doubled:
        raise BadInputError("\n".join(f"{path}:{line}: `{key}` stands twice; keep one." for key, line in doubled))
    try:
        job = Job.model_validate({**data, "file": path})
    except pydantic.ValidationError as error:
        lines = sorted({(_line_of(node, _place(item)), _sentence(item)) for item in error.errors()})
        raise BadInputError("\n".join(f"{path}:{line}: {sentence}" for line, sentence in lines)) from error
    return _resolved(job, path.resolve().parent)


def _resolved(job: Job, folder: Path) -> Job:
    """Give the job with its relative paths resolved against `folder`."""
    source = job.source
    if isinstance(source, FilesSource):
        source = source.model_copy(
            update={
                name: folder / value
                for name in ("users", "assignments", "members")
                if (value := getattr(source, name)) is not None
            }
        )
    elif source.ca_file is not None:
        source = source.model_copy(update={"ca_file": folder / source.ca_file})
    cluster = job.cluster and job.cluster.model_copy(update={"folder": folder / job.cluster.folder})
    report = job.report.model_copy(
        update={
            name: folder / value
            for name in ("folder", "metrics_file")
            if (value := getattr(job.report, name)) is not None
        }
    )
    notify = job.notify
    if notify is not None and notify.smtp.ca_file is not None:
        smtp = notify.smtp.model_copy(update={"ca_file": folder / notify.smtp.ca_file})
        notify = notify.model_copy(update={"smtp": smtp})
    resolved = {
        "source": source,
        "cluster": cluster,
        "mapping": folder / job.mapping,
        "report": report,
        "notify": notify,
        "file": job.file.resolve(),
    }
    return job.model_copy(update=resolved)


def _place(item: Any) -> tuple[Any, ...]:
    """Give where a problem is; an unknown kind of source is a problem of its `type`."""
    return (*item["loc"], "type") if item["type"].startswith("union_tag") else item["loc"]


def _sentence(item: Any) -> str:
    where = ".".join(str(part) for part in item["loc"] if part not in {"microsoft_graph", "directory_files"})
    message = str(item["msg"]).removeprefix("Value error, ")
    if item["type"] == "missing":
        return f"{where}: this key is required and absent. Add it."
    if item["type"] == "extra_forbidden":
        return f"{where}: there is no such key. Remove it or correct its spelling."
    found = item.get("input")
    shown = f" (found {found!r})" if isinstance(found, str | int | float | bool) and len(str(found)) < 80 else ""
    if any(word in where for word in ("secret", "password", "token", "pem", "passphrase")):
        shown = ""
    return f"{where or 'job'}: {message}{shown}."


def _line_of(node: yaml.Node, location: Iterable[Any]) -> int:
    """Find the line of the deepest node on the way to `location`."""
    line = node.start_mark.line + 1
    for part in location:
        if isinstance(node, yaml.MappingNode):
            entry = next(((key, value) for key, value in node.value if key.value == part), None)
            if entry is None:
                continue
            line, node = entry[0].start_mark.line + 1, entry[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
    return line


def _doubled_keys(node: yaml.Node) -> Iterable[tuple[str, int]]:
    """Find keys that stand twice in one mapping, which YAML readers would pass over in silence."""
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if key.value in seen:
                yield key.value, key.start_mark.line + 1
            seen.add(key.value)
            yield from _doubled_keys(value)
    elif isinstance(node, yaml.SequenceNode):
        for value in node.value:
            yield from _doubled_keys(value)
