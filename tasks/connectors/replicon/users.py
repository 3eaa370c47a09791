"""The accounts of a Replicon tenant: found, read, written and probed. Knows nothing of plans.

reconcile finds and reads through it, load prepares and sends, the connection test probes.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tasks.connectors.replicon.attributes import CUSTOM_FIELD, Binding, binding, in_table_order
from tasks.connectors.replicon.catalogue import Catalogue, Entry, Listing
from tasks.connectors.replicon.client import Pacing, RepliconClient
from tasks.connectors.replicon.errors import Failure, Fault, RepliconError, error_of
from tasks.connectors.replicon.reading import LOOKUPS, AccountReader
from tasks.connectors.replicon.values import RefusedValueError, Value
from tasks.connectors.replicon.wires import AS_IS, Group, PermissionSets, TimeZone
from tasks.connectors.replicon.writing import AccountWriter, Prepared, Written, refined, understood
from tasks.model import BadInputError, Operation, Probe, Progress, TargetAttribute, silent

END: Final = "Replicon"
"""What probes call this end."""

_ALWAYS_READ: Final = frozenset({*LOOKUPS, "LoginEnabled", "StartDate", "EndDate"})
_ADMINISTRATION: Final = "urn:replicon:policy:administration"


@dataclasses.dataclass(frozen=True)
class Identity:
    """The account that the job signs in as."""

    uri: str
    login_name: str


class RepliconUsers:
    """The accounts of the tenant that `client` calls, with the `attributes` that the job's mapping writes.

    One object serves one cycle: what the tenant offers (groups, permission sets, ...) is read once, and `today`
    (UTC if not given) is the day as of which schedules are read and from which changed ones count. Safe to use from
    several threads. Every method may raise `RepliconError`; `BadInputError` is raised at once when there is no
    such attribute.
    """

    def __init__(self, client: RepliconClient, attributes: frozenset[str], *, today: dt.date | None = None) -> None:
        self._client = client
        self._bindings = in_table_order(attributes | _ALWAYS_READ)
        self._mapped = in_table_order(attributes)
        self._catalogue = Catalogue(client)
        day = today or dt.datetime.now(dt.UTC).date()
        self._reader = AccountReader(client, self._bindings, day)
        self._writer = AccountWriter(self._catalogue, day, self._current)

    @property
    def pace(self) -> Pacing | None:
        """What decides when requests go out."""
        return self._client.pace

    def paced_by(self, pace: Pacing) -> None:
        """Have `pace` decide when requests go out from now on."""
        self._client.pace = pace

    @property
    def schema(self) -> Mapping[str, TargetAttribute]:
        """The attributes that frames have columns for, and those that are written only."""
        return {entry.name: entry.target for entry in self._bindings}

    @property
    def withheld(self) -> frozenset[str]:
        """URIs that `read` was asked for and that exist, but that the signed-in account may not see."""
        return self._reader.withheld

    def find(self, attribute: str, values: pd.Series) -> pd.DataFrame:
        """Give every account whose `attribute` equals one of `values`, under the attribute's rule for letter case.

        Columns are `TARGET_COLUMNS` and the readable attributes. Raises `BadInputError` when accounts cannot be
        found by it.
        """
        if attribute not in LOOKUPS:
            raise BadInputError(
                f"Replicon accounts cannot be matched by {attribute!r}; match by one of {', '.join(LOOKUPS)}."
            )
        return self._reader.find(binding(attribute), values)

    def read(self, uris: pd.Series, progress: Progress = silent) -> pd.DataFrame:
        """Give the accounts with these URIs, columns as `find`; those that are gone or withheld are absent."""
        return self._reader.read(uris, progress)

    def read_all(self, progress: Progress = silent) -> pd.DataFrame:
        """Give every account of the tenant, columns as `find`."""
        return self._reader.read(self._reader.list_uris(progress), progress)

    def canonical(self, attribute: str, values: pd.Series) -> pd.Series:
        """Give a column of wished values as `read` would give them back: names for URIs and slugs, dates cut short.

        Compare the result, not the wish. Values that the tenant does not have stay as they are; `prepare` refuses
        them. Multi-valued ones are sorted and without repetition. `values` is Arrow-backed, and so is what comes back.
        """
        wire = binding(attribute).wire
        if isinstance(wire, AS_IS):
            return values
        column = pa.chunked_array(pa.array(values.array)).combine_chunks()
        multivalued = pa.types.is_list(column.type)
        coded = (pc.list_flatten(column) if multivalued else column).dictionary_encode()
        known = [self._canonical(wire.canonical, text) for text in coded.dictionary.to_pylist()]
        if not multivalued:
            given = pa.array(known, pa.string()).take(coded.indices)
        else:
            names = dict(zip(coded.dictionary.to_pylist(), known, strict=True))
            rows = [row and sorted({names[text] for text in row}) for row in column.to_pylist()]
            given = pa.array(rows, column.type)
        return pd.Series(pd.array(given, dtype=values.dtype), index=values.index, name=values.name)

    def offered(self) -> Mapping[Listing, Sequence[Entry]]:
        """Give what the tenant offers of everything that the attributes refer to, and its permission sets."""
        lists = {Listing.PERMISSION_SET, *self._listings()} - {Listing.TIME_ZONE}
        if any(entry.name.startswith(CUSTOM_FIELD) for entry in self._mapped):
            lists.add(Listing.CUSTOM_FIELD)
        return {one: tuple(self._catalogue.index(one).by_uri.values()) for one in Listing if one in lists}

    def prepare(
        self,
        operation: Operation,
        target_uri: str | None,
        values: Mapping[str, Value],
        unit_of_work_id: str,
        *,
        current: Mapping[str, Value] | None = None,
    ) -> Prepared:
        """Make the exact request for one operation on one account; the same input gives the same bytes.

        `values` are the attributes to write: null or an empty list clears, `Supervisor` is a target URI. Employment
        dates are written as one range, and enabling clears the end date, so when only one date is written, or on
        enabling, the account's `current` values count: pass its row of `read`, else it is read here. Values that
        the tenant cannot take are left out and named in `refused`. Raises `RepliconError` when the account has no
        login name to be created with (MISSING_VALUE) or is gone (UNKNOWN_USER).
        """
        return self._writer.prepare(operation, target_uri, values, unit_of_work_id, current)

    def send(self, prepared: Prepared) -> Written:
        """Send a prepared request once.

        Where `RepliconError.outcome_unknown` is true it may have been carried out: send the same bytes again if
        they have a unit-of-work id, else look the account up. A refused delete is REFUSED_DELETE, a vanished account
        UNKNOWN_USER, a taken login name DUPLICATE_LOGIN.
        """
        try:
            answer = self._client.send(prepared.service, prepared.operation, prepared.body)
        except RepliconError as error:
            raise refined(prepared, error, self._bindings) from None
        return understood(prepared, answer, self._bindings)

    def identity(self) -> Identity:
        """Give the account that the job signs in as."""
        found = self._client.call("UserAccessControlService1", "GetMyActualUserIdentity", {})
        uri, login = (found.get("uri"), found.get("loginName")) if isinstance(found, Mapping) else (None, None)
        if not uri:
            raise error_of(
                Fault(Failure.PROTOCOL, "UserAccessControlService1.GetMyActualUserIdentity", "expected `uri`")
            )
        return Identity(str(uri), str(login or ""))

    def probe(self) -> list[Probe]:
        """Try what a cycle needs, reading only: the host, the sign-in, its rights, and every list that is used.

        Failures become findings; what needs the host or the sign-in is not tried without.
        """
        found = [self._tried("host", lambda: f"{self._client.company_key} is at {self._client.root}")]
        if found[-1].good:
            found.append(self._tried("sign-in", lambda: f"signed in as {self.identity().login_name}"))
        if found[-1].good:
            found += [self._tried(check, work) for check, work in self._checks()]
        return found

    def _checks(self) -> Iterator[tuple[str, Callable[[], str]]]:
        yield "rights", self._rights
        yield "read accounts", self._reads_itself
        yield "list accounts", lambda: f"{len(self._reader.find(binding('EmailAddress'), _nobody()))} found for a test"
        for listing in self._listings():
            yield f"list {listing.noun}s", functools.partial(self._listed, listing)
        for entry in self._mapped:
            if entry.name.startswith(CUSTOM_FIELD):
                yield entry.name, functools.partial(self._field, entry)

    def _rights(self) -> str:
        operation = "GetAssignedPermissionSetsForUser2"
        found = self._client.call("PermissionSetService1", operation, {"userUri": self.identity().uri})
        held = [entry for entry in found or () if isinstance(entry, Mapping)]
        names = sorted(str((entry.get("permissionSet") or entry).get("name") or "unnamed") for entry in held)
        shown = f"holds {', '.join(names) or 'no permission set'}"
        if not any(entry.get("policyUri") == _ADMINISTRATION for entry in held):
            raise error_of(
                Fault(Failure.PERMISSION, f"PermissionSetService1.{operation}", f"{shown}; none administers")
            )
        return shown

    def _reads_itself(self) -> str:
        me = self.identity()
        if self._reader.read(pd.Series([me.uri])).empty:
            said = f"the account {me.login_name} is not shown even itself"
            raise error_of(Fault(Failure.PERMISSION, "ImportService1.BulkGetUsers3", said))
        return "accounts can be read in bulk"

    def _listings(self) -> list[Listing]:
        """Give the lists that the mapped attributes refer to."""
        used: dict[Listing, None] = {}
        for entry in self._mapped:
            match entry.wire:
                case Group(listing=listing):
                    used[listing] = None
                case PermissionSets():
                    used[Listing.PERMISSION_SET] = None
                case TimeZone():
                    used[Listing.TIME_ZONE] = None
                case _:
                    pass
        return list(used)

    def _listed(self, listing: Listing) -> str:
        return f"{len(self._catalogue.index(listing).by_uri)} found"

    def _field(self, entry: Binding) -> str:
        try:
            field = self._catalogue.find(Listing.CUSTOM_FIELD, entry.name.removeprefix(CUSTOM_FIELD))
        except RefusedValueError as error:
            raise error_of(Fault(Failure.UNKNOWN_URI, "CustomFieldService1.GetAllCustomFields", str(error))) from None
        return f"holds {field.type.value}"

    @staticmethod
    def _tried(check: str, work: Callable[[], str]) -> Probe:
        try:
            return Probe(END, check, True, work())
        except RepliconError as error:
            return Probe(END, check, False, str(error), error.remedy)

    def _canonical(self, canonical: Callable[[str, Catalogue], str], text: str) -> str:
        try:
            return canonical(text, self._catalogue)
        except RefusedValueError:
            return text

    def _current(self, target_uri: str) -> Mapping[str, Any]:
        """Read one account's values, for callers that did not pass them."""
        found = self._reader.read(pd.Series([target_uri]))
        if found.empty:
            said = f"there is no account {target_uri}"
            raise error_of(Fault(Failure.UNKNOWN_USER, "ImportService1.BulkGetUsers3", said))
        return {str(name): value for name, value in found.iloc[0].items()}


def _nobody() -> pd.Series:
    return pd.Series(["nobody@replicon-provisioning.invalid"])
