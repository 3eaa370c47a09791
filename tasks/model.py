"""The vocabulary of provisioning: enums, frame schemas, the Plan. Imports nothing of ours; everything imports it."""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final, Protocol, Self

import pandas as pd
import pyarrow as pa

STRING: Final = pd.ArrowDtype(pa.string())
"""dtype of every text column."""
STRINGS: Final = pd.ArrowDtype(pa.list_(pa.string()))
"""dtype of every multi-valued column."""
BOOL: Final = pd.ArrowDtype(pa.bool_())
"""dtype of every flag column."""
INT: Final = pd.ArrowDtype(pa.int64())
"""dtype of every count and duration column."""
TIME: Final = pd.ArrowDtype(pa.timestamp("us", tz="UTC"))
"""dtype of every instant column."""

REDACTED: Final = "[Redact]"
"""What logs show in place of a value that a mapping passes through the function Redact."""

DEFAULT_ACCESS_ROLE_ID: Final = "00000000-0000-0000-0000-000000000000"
"""appRoleId of an assignment made without choosing a role (Microsoft Graph, resource appRoleAssignment)."""


class CycleKind(StrEnum):
    """What a run of a job read, and why it ran."""

    INITIAL = "initial"
    """Reads everything: the first run, or after a restart, a changed mapping or a changed filter."""
    INCREMENTAL = "incremental"
    """Reads what changed since the watermark."""
    ON_DEMAND = "on_demand"
    """Reads named people only, started by a person."""


class CycleChoice(StrEnum):
    """Which kind of cycle a person or a schedule asks for."""

    AUTOMATIC = "automatic"
    """Changes only, or everything when there is no watermark yet or the mapping has changed."""
    INITIAL = "initial"
    """Everything, even if a watermark is there."""
    INCREMENTAL = "incremental"
    """Changes only; refused while there is no watermark."""


class ResetScope(StrEnum):
    """What a restart resets (Microsoft Graph, resource synchronizationJobRestartCriteria, property resetScope)."""

    WATERMARK = "watermark"
    """The next cycle reads and evaluates everybody."""
    ESCROWS = "escrows"
    """Failed operations leave their calendar: who failed is tried again once a cycle looks at them."""
    QUARANTINE = "quarantine"
    """The job leaves quarantine, until a cycle finds a reason again."""
    LINKS = "links"
    """Who is linked to which account is forgotten, and everybody is matched anew; accounts stay as they are."""
    FORCE_DELETES = "force-deletes"
    """The next cycle that is carried out does the removals over the limit, once."""


RESTART: Final = frozenset({ResetScope.WATERMARK, ResetScope.ESCROWS, ResetScope.QUARANTINE})
"""What is reset when nothing is said, as the portal's button Restart provisioning does."""


class Presence(StrEnum):
    """Where a source object stands in the directory's life cycle."""

    PRESENT = "present"
    """An ordinary object of the directory."""
    SOFT_DELETED = "soft_deleted"
    """In the recycle bin; can be restored for 30 days."""
    HARD_DELETED = "hard_deleted"
    """Gone for good: a complete read found it neither in the directory nor in its recycle bin."""


class Situation(StrEnum):
    """What reconcile found for one person and their account."""

    CONFIRMED = "confirmed"
    """Linked, and the account is there."""
    FOUND = "found"
    """Not linked, and exactly one account matches."""
    ABSENT = "absent"
    """In scope, and no account matches."""
    AMBIGUOUS = "ambiguous"
    """Several accounts match."""
    CONTESTED = "contested"
    """The matching account is already linked to somebody else."""
    MISSING = "missing"
    """Linked, but the account has gone from the target."""
    OUT_OF_SCOPE = "out_of_scope"
    """Linked, but no longer assigned or no longer passing the scoping filters."""
    SOURCE_DISABLED = "source_disabled"
    """Linked, and sign-in is blocked or the person is in the recycle bin."""
    SOURCE_DELETED = "source_deleted"
    """Linked, and the person is gone from the directory for good."""
    DRIFTED = "drifted"
    """The account differs from what was last written."""
    ORPHAN = "orphan"
    """An account in the target that nobody manages."""
    UNQUALIFIED = "unqualified"
    """Never provisioned and not to be: disabled, out of scope, or without a matching value."""


class Operation(StrEnum):
    """What is done to one account."""

    CREATE = "create"
    """Make the account."""
    UPDATE = "update"
    """Change attributes of an account."""
    DISABLE = "disable"
    """Take the account's login away; the account and its data stay."""
    ENABLE = "enable"
    """Give the login back, with whatever else has changed meanwhile."""
    DELETE = "delete"
    """Remove the account; where Replicon refuses because it has data, disable it."""
    NONE = "none"
    """Leave the account alone."""


REMOVALS: Final = frozenset({Operation.DISABLE, Operation.DELETE})
"""Operations that take something away from a person: planned only from a complete read, and guarded."""


class Decision(StrEnum):
    """What the plan says about carrying out one operation."""

    GO = "go"
    """Carry it out."""
    HOLD = "hold"
    """A person has to look at it first."""
    STAGED = "staged"
    """An operation over a threshold, waiting for approval; a removal is reported as StagedDelete."""
    SKIP = "skip"
    """Nothing to carry out; the reason says why."""


class Risk(StrEnum):
    """Why somebody should look twice at one operation before it is carried out."""

    RENAMED = "renamed"
    """The login name of an existing account changes."""
    DEACTIVATED = "deactivated"
    """The account's login, or the account, is taken away."""
    EMAIL_CHANGED = "e-mail changed"
    """The e-mail address of an existing account changes."""
    PERMISSION_RAISED = "permission raised"
    """An existing account gets a permission set that it did not hold."""
    SUPERVISOR_CHANGED = "supervisor changed"
    """An account moves from one supervisor to another, or to none."""
    FIRST_OF_ITS_KIND = "first of its kind"
    """The job has never carried out this operation before."""


class Approval(StrEnum):
    """What somebody decided about a saved plan."""

    EVERYTHING = "everything"
    """Carry out all of it, with what is staged."""
    WITHOUT_REMOVALS = "without_removals"
    """Carry out all of it but disables and deletes."""
    REJECTED = "rejected"
    """Carry out nothing of it, now or later."""


class QuarantineReason(StrEnum):
    """Why a job is in quarantine (Microsoft Graph, synchronizationQuarantine.reason)."""

    EXCEPTION = "EncounteredQuarantineException"
    """An end refuses the credentials, so that no request can succeed."""
    TOO_MANY_DELETES = "TooManyDeletes"
    """More people would be removed than the threshold allows."""
    BASE_THRESHOLD = "EncounteredBaseEscrowThreshold"
    """Too many operations fail, references aside."""
    TOTAL_THRESHOLD = "EncounteredTotalEscrowThreshold"
    """Too many operations fail, references included."""
    PROPORTION_THRESHOLD = "EncounteredEscrowProportionThreshold"
    """Too large a share of the operations fails."""


class Status(StrEnum):
    """How one operation ended (Microsoft Graph, provisioningStatusInfo.status)."""

    SUCCESS = "success"
    """The target confirmed it."""
    WARNING = "warning"
    """Partly done: the refused part is named."""
    FAILURE = "failure"
    """Not done; it is in escrow and will be tried again."""
    SKIPPED = "skipped"
    """Not attempted; the reason says why."""


class ExitCode:
    """What the `provision` command tells the shell."""

    DONE: Final = 0
    """Everything asked for is done."""
    PENDING: Final = 1
    """A plan or check found changes that are waiting."""
    BAD_INPUT: Final = 2
    """A job file, mapping, expression or argument is wrong; nothing was changed."""
    SOME_FAILED: Final = 3
    """Some objects failed; the others are done."""
    HELD: Final = 4
    """Operations are held, or the job is quarantined."""
    UNREACHABLE: Final = 5
    """An end cannot be reached or refuses the credentials."""


class ProvisioningError(Exception):
    """Base of every error this product raises on purpose; its text is one paragraph that says what to do.

    `exit_code` is what the command line ends with. Subclasses: `BadInputError` (2) and `UnreachableError` (5).
    """

    exit_code: int = ExitCode.SOME_FAILED


class BadInputError(ProvisioningError):
    """Raised when a file, expression, attribute or argument is wrong, before anything was changed."""

    exit_code = ExitCode.BAD_INPUT


class UnreachableError(ProvisioningError):
    """Raised when an end cannot be reached, refuses the credentials or withholds a permission it must give."""

    exit_code = ExitCode.UNREACHABLE


class HeldError(ProvisioningError):
    """Raised when the job may not run now: another cycle holds it, or it is quarantined or switched off."""

    exit_code = ExitCode.HELD


# What each fixed column of a frame holds; the mapping's attributes come beside them under their own names,
# which never start with a lower-case word followed by an underscore.
ASSIGNMENT_COLUMNS: Final[Mapping[str, pd.ArrowDtype]] = {
    "source_id": STRING,
    "presence": STRING,
    "entitled": BOOL,
    "entitlement_reason": STRING,
}
"""Assignments: one row a person.

`source_id` unique; `presence` one of `Presence`; `entitlement_reason` says by which role and group, or why not.
Further columns are source attributes under their mapping names, text (`STRING`; booleans as "True"/"False") or
multi-valued (`STRINGS`); `appRoleAssignments` (`STRINGS`) holds the values of the counting roles, `manager` the
source id of the manager. The rows are everyone entitled now and everyone linked, whether entitled or not.
"""

ROLE_COLUMNS: Final[Mapping[str, pd.ArrowDtype]] = {
    "role_id": STRING,
    "value": STRING,
    "display_name": STRING,
    "enabled": BOOL,
}
"""App roles of the application: one row a role, `role_id` unique; `value` may be null."""

GRANT_COLUMNS: Final[Mapping[str, pd.ArrowDtype]] = {
    "assignment_id": STRING,
    "principal_id": STRING,
    "principal_type": STRING,
    "principal_name": STRING,
    "role_id": STRING,
}
"""Assignments as the directory lists them: one row a principal and role; `principal_type` is User, Group or
ServicePrincipal."""

MEMBER_COLUMNS: Final[Mapping[str, pd.ArrowDtype]] = {"group_id": STRING, "member_id": STRING, "direct": BOOL}
"""Members of the assigned groups: one row a group and member; not `direct` when only through an inner group."""

PEOPLE_COLUMNS: Final[Mapping[str, pd.ArrowDtype]] = {
    "source_id": STRING,
    "source_name": STRING,
    "presence": STRING,
    "in_scope": BOOL,
    "scope_reason": STRING,
    "active": BOOL,
    "left_alone": BOOL,
    "error_attribute": STRING,
    "error": STRING,
}
"""Accounts.people: one row a person.

`source_name` is how reports name the person; `scope_reason` why in or out of scope; `active` is false when
IsSoftDeleted; `left_alone` is true when an input filter or IgnoreObjectFlow takes the person out of this cycle;
`error` is why the mapping failed for this person (null when it did not), and at which `error_attribute`.
"""

LEAVING_COLUMNS: Final[Mapping[str, pd.ArrowDtype]] = {"source_id": STRING, "since": TIME}
"""Leaving: one row a linked person who is to lose the login; `since` is when a cycle first found so."""

TARGET_COLUMNS: Final[Mapping[str, pd.ArrowDtype]] = {
    "target_uri": STRING,
    "target_name": STRING,
}
"""Accounts as the target has them: `target_uri` unique, `target_name` the login name as stored; further columns
are target attributes, text or multi-valued, booleans as "True"/"False", dates as yyyy-mm-dd, groups by name,
`Supervisor` by target URI."""

OPERATION_COLUMNS: Final[Mapping[str, pd.ArrowDtype]] = {
    "change_id": STRING,
    "source_id": STRING,
    "source_name": STRING,
    "target_uri": STRING,
    "target_name": STRING,
    "situation": STRING,
    "operation": STRING,
    "decision": STRING,
    "error_code": STRING,
    "reason": STRING,
    "waits_for": STRING,
    "risks": STRING,
    "account_digest": STRING,
}
"""Plan.operations: one row a person that the plan says something about.

`change_id` unique; `target_uri` null until created; `waits_for` is the source id of the supervisor whose row has to
come first, because it makes their account or makes it fit to supervise (null when none); `risks` names why a person
should look twice, parted by commas (`Risk`; null when nothing stands out); `account_digest` is remembered with the
link once the operation is done, so that an unchanged person is known as such without a read. `source_id` is null for
orphans only.
"""

CHANGE_COLUMNS: Final[Mapping[str, pd.ArrowDtype]] = {
    "change_id": STRING,
    "attribute": STRING,
    "before": STRING,
    "after": STRING,
}
"""Plan.changes: one row an attribute that an operation writes. Multi-valued attributes are JSON arrays of text;
null is "no value". `Supervisor` is the target URI, or `source:<source id>` while that account does not exist yet."""

OUTCOME_COLUMNS: Final[Mapping[str, pd.ArrowDtype]] = {
    "change_id": STRING,
    "status": STRING,
    "operation": STRING,
    "error_code": STRING,
    "reason": STRING,
    "remedy": STRING,
    "target_uri": STRING,
    "target_name": STRING,
    "refused": STRINGS,
    "attempts": INT,
    "started_at": TIME,
    "duration_ms": INT,
}
"""Outcomes: one row an operation that load took up or that the plan skipped or held.

`operation` is what was done in the end (a refused delete becomes a disable); `refused` names the attributes the
target did not take; `duration_ms` in milliseconds, requests and waits included.
"""


ACTIVITY_COLUMNS: Final[Mapping[str, pd.ArrowDtype]] = {
    "change_id": STRING,
    "cycle_id": STRING,
    "job": STRING,
    "source_id": STRING,
    "source_name": STRING,
    "target_uri": STRING,
    "target_name": STRING,
    "situation": STRING,
    "operation": STRING,
    "decision": STRING,
    "status": STRING,
    "error_code": STRING,
    "reason": STRING,
    "remedy": STRING,
    "changes": STRING,
    "refused": STRING,
    "attempts": INT,
    "started_at": TIME,
    "duration_ms": INT,
}
"""Activities: one row a change, how it ended. `changes` is JSON [{attribute, before, after}], `refused` a JSON list of
attributes; `duration_ms` in milliseconds. `status` is null while nobody has acted."""


@dataclasses.dataclass(frozen=True)
class Manifest:
    """What a source read did, as proof that it was whole.

    `complete` is true only if every page arrived to its end, no object failed and every group was expanded;
    `missing` says in words what was not. Times are UTC.
    """

    complete: bool
    missing: tuple[str, ...]
    requests: int
    pages: int
    objects: int
    groups: int
    assignments: int
    started_at: dt.datetime
    ended_at: dt.datetime
    digest: str

    def as_dict(self) -> dict[str, Any]:
        """Give the manifest as JSON-ready values."""
        return {
            **dataclasses.asdict(self),
            "missing": list(self.missing),
            "started_at": self.started_at.isoformat(),
            "ended_at": self.ended_at.isoformat(),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
        """Read what `as_dict` gave."""
        return cls(
            **{
                **values,
                "missing": tuple(values["missing"]),
                "started_at": dt.datetime.fromisoformat(values["started_at"]),
                "ended_at": dt.datetime.fromisoformat(values["ended_at"]),
            }
        )


@dataclasses.dataclass(frozen=True)
class SourceUpdate:
    """How a read changes what is remembered of the source.

    `people` has `source_id`, `presence` and source attributes, further columns are passed over; `members`
    (`MEMBER_COLUMNS`) and `grants` (`GRANT_COLUMNS`) are rows to add or replace. With `whole` they are everything and
    replace what was remembered. Else `people_gone` are source ids to forget, `members_gone` and `grants_gone` rows to
    take out first, and `touched` everybody whom the read says something about. `roles` (`ROLE_COLUMNS`) are always all.
    """

    whole: bool
    people: pd.DataFrame
    members: pd.DataFrame
    grants: pd.DataFrame
    roles: pd.DataFrame
    default_domain: str | None
    people_gone: tuple[str, ...] = ()
    members_gone: pd.DataFrame | None = None
    grants_gone: tuple[str, ...] = ()
    touched: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True)
class Extraction:
    """What extract hands over: the Assignments frame, the manifest, and the watermark to keep once all is done.

    `watermark` is JSON-ready and opaque to everyone but the connector that made it.
    """

    assignments: pd.DataFrame
    manifest: Manifest
    watermark: Mapping[str, Any]
    default_domain: str | None = None
    """The tenant's default verified domain, for the mapping function DefaultDomain."""
    whole: bool = True
    """Whether everybody was read. Else `assignments` has only the people whom a change touched, or who have to be
    looked at again: whoever has no row stays as they are."""
    update: SourceUpdate | None = None
    """What the ledger has to remember of the read once the cycle is done; null when it cannot be built upon."""


@dataclasses.dataclass(frozen=True)
class Accounts:
    """What transform hands over: the account each person should have.

    `people` has `PEOPLE_COLUMNS`. `values` has one column a target attribute (`STRING`, or `STRINGS` when
    multi-valued) and `flows` the same columns as `BOOL`: true where the value is to be written (a null value that
    flows clears the target), false where the target keeps what it has. `on_create` is like `values` with the
    defaults that count on creation filled in and creation-only attributes included, and `flows_on_create` its
    flags. All five share one index, `RangeIndex(len(people))`. `add_only` names the multi-valued attributes whose
    values are added to what an account has and never taken away (flowType MultiValueAddOnly).
    """

    people: pd.DataFrame
    values: pd.DataFrame
    flows: pd.DataFrame
    on_create: pd.DataFrame
    flows_on_create: pd.DataFrame
    mapping_digest: str
    add_only: frozenset[str] = frozenset()


@dataclasses.dataclass(frozen=True)
class Verdict:
    """What the guards say of a whole plan: `go`, or which operations are staged, and why."""

    go: bool
    reasons: tuple[str, ...]
    quarantine: str | None = None
    """`TooManyDeletes` when the removals are over the threshold, else null."""
    stopped: bool = False
    """Whether nothing at all is carried out, because the job stops a plan that is over a threshold."""


@dataclasses.dataclass(frozen=True)
class History:
    """What earlier cycles of a job did, for judging a new plan.

    `operations` are those carried out at least once; null when nothing is known, so that nothing counts as first.
    `per_second` is how many writes a second the latest cycle that wrote anything managed; null when there was none.
    """

    operations: frozenset[Operation] | None = None
    per_second: float | None = None


@dataclasses.dataclass(frozen=True)
class Plan:
    """All operations of a cycle, frozen: `operations` (`OPERATION_COLUMNS`) and `changes` (`CHANGE_COLUMNS`).

    `state_digest` stands for the links that the plan's people had; `per_second` is the measured rate of writes
    (null when none was measured), from which `forecast` comes. `undoes` is the cycle that an undo takes back.
    """

    plan_id: str
    job: str
    cycle_id: str
    kind: CycleKind
    created_at: dt.datetime
    mapping_digest: str
    manifest: Manifest
    operations: pd.DataFrame
    changes: pd.DataFrame
    verdict: Verdict
    state_digest: str = ""
    per_second: float | None = None
    undoes: str | None = None

    @property
    def writes(self) -> pd.Series:
        """Mark the operations that are carried out and send something."""
        going = self.operations["decision"].eq(Decision.GO) & self.operations["operation"].ne(Operation.NONE)
        return going.fillna(value=False).astype(bool)

    @property
    def forecast(self) -> dt.timedelta | None:
        """Say how long the writes will take at the measured rate; null when none was measured."""
        if not self.per_second:
            return None
        return dt.timedelta(seconds=float(self.writes.sum()) / self.per_second)

    def counts(self) -> dict[str, int]:
        """Count the operations by what happens to them: an operation's name for GO, else the decision's."""
        go = self.operations["decision"].eq(Decision.GO)
        label = self.operations["operation"].where(go, self.operations["decision"])
        return {str(name): int(count) for name, count in label.value_counts().items()}


@dataclasses.dataclass(frozen=True)
class TargetAttribute:
    """One attribute that a Replicon account can have; the table of them is in `tasks.connectors.replicon`."""

    name: str
    type: str
    """String, Boolean, DateTime (a date, yyyy-mm-dd), Reference (another account) or Group (by name or URI)."""
    multivalued: bool = False
    case_exact: bool = True
    """Whether values that differ only by letter case differ."""
    matchable: bool = False
    """Whether accounts can be found by it."""
    readable: bool = True
    """Whether the target gives it back; what it does not is compared with what was last written."""
    required: bool = False
    """Whether an account cannot be created without it."""
    max_length: int | None = None
    description: str = ""


@dataclasses.dataclass(frozen=True)
class Probe:
    """One finding of a connection test: which end, what was tried, whether it is good, and what to do if not."""

    end: str
    check: str
    good: bool
    detail: str
    remedy: str = ""


class Progress(Protocol):
    """Told how far a stage is; the command line draws a bar from it, a Prefect task an artifact."""

    def __call__(self, stage: str, done: int, total: int | None, note: str = "") -> None:
        """Say that `done` of `total` units (unknown when null) of `stage` are finished."""


def silent(stage: str, done: int, total: int | None, note: str = "") -> None:
    """Be a `Progress` that tells nobody."""


def empty_frame(columns: Mapping[str, pd.ArrowDtype]) -> pd.DataFrame:
    """Give a frame with no rows and the given columns and dtypes."""
    return pd.DataFrame({name: pd.array([], dtype=dtype) for name, dtype in columns.items()})


def conform(frame: pd.DataFrame, columns: Mapping[str, pd.ArrowDtype], what: str) -> pd.DataFrame:
    """Give `frame` with the fixed `columns` in their dtypes, other columns kept behind them.

    Raises `TypeError` naming `what` and the column when one is absent or cannot be read as its dtype: that is a
    defect of the stage that made the frame, never of a person's input.
    """
    absent = [name for name in columns if name not in frame.columns]
    if absent:
        raise TypeError(
            f"{what}: the frame has no column {', '.join(absent)}; it has {', '.join(map(str, frame.columns))}"
        )
    try:
        typed = frame.astype({name: dtype for name, dtype in columns.items() if frame[name].dtype != dtype})
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, ValueError, TypeError) as error:
        raise TypeError(f"{what}: a column has the wrong type: {error}") from error
    return typed[[*columns, *[name for name in frame.columns if name not in columns]]]
