"""The enterprise application in Graph: its app roles, who is assigned them, and who is in the assigned groups.

The client calls it; which roles and members count is decided in extract.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from typing import Any, Final
from urllib.parse import quote

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tasks.connectors.microsoft_graph.api import GraphApi
from tasks.connectors.microsoft_graph.errors import NotFoundError, PermissionMissingError
from tasks.connectors.microsoft_graph.listings import PAGE_SIZE, Collection, Listing, Tally, first_ids, read_whole
from tasks.connectors.microsoft_graph.permissions import Reading
from tasks.model import GRANT_COLUMNS, MEMBER_COLUMNS, ROLE_COLUMNS, BadInputError

_GROUP_TYPE: Final = "#microsoft.graph.group"
_USER_TYPE: Final = "#microsoft.graph.user"
_NOBODY: Final = pa.schema([(name, dtype.pyarrow_dtype) for name, dtype in MEMBER_COLUMNS.items()]).empty_table()


@dataclasses.dataclass(frozen=True)
class Application:
    """The service principal of the application, with its app roles (`ROLE_COLUMNS`)."""

    object_id: str
    name: str
    roles: pd.DataFrame


@dataclasses.dataclass(frozen=True)
class Memberships:
    """Members of the assigned groups (`MEMBER_COLUMNS`), and in words which group could not be read whole."""

    members: pd.DataFrame
    problems: tuple[str, ...]


def read_application(api: GraphApi, application_id: str) -> Application:
    """Find the service principal of `application_id`. Raises `BadInputError` when the tenant has none."""
    path = f"/servicePrincipals(appId='{quote(application_id, safe='')}')"
    try:
        body = api.get(path, Reading.APPLICATION, {"$select": "id,appId,displayName,appRoles"}, holding="appRoles")
    except NotFoundError as error:
        raise BadInputError(
            f"The tenant has no enterprise application with the appId {application_id}. Correct `application_id`: it "
            "is the Application ID on the overview page of the Replicon enterprise application."
        ) from error
    roles: Sequence[Mapping[str, Any]] = body["appRoles"]
    return Application(
        object_id=str(body["id"]),
        name=str(body.get("displayName") or application_id),
        roles=pd.DataFrame(
            {
                "role_id": [role.get("id") for role in roles],
                "value": [role.get("value") for role in roles],
                "display_name": [role.get("displayName") for role in roles],
                "enabled": [role.get("isEnabled", True) for role in roles],
            }
        ).astype(dict(ROLE_COLUMNS)),
    )


def assigned_groups(grants: pd.DataFrame) -> dict[str, str]:
    """Give the names of the assigned groups by id."""
    groups = grants[grants["principal_type"].eq("Group").fillna(False)].drop_duplicates("principal_id")
    return dict(zip(groups["principal_id"], groups["principal_name"].fillna(groups["principal_id"]), strict=True))


def read_grants(api: GraphApi, application: Application, tally: Tally) -> tuple[pd.DataFrame, Listing]:
    """List everybody and every group assigned to the application (`GRANT_COLUMNS`), always in full."""
    listing = read_whole(
        api,
        Collection(
            path=f"/servicePrincipals/{quote(application.object_id, safe='')}/appRoleAssignedTo",
            query={},
            reading=Reading.APPLICATION,
            key="assignment_id",
            columns=_grants,
            label="assignments",
        ),
        tally,
    )
    return listing.table.combine_chunks().to_pandas(types_mapper=pd.ArrowDtype), listing


def read_memberships(
    api: GraphApi, groups: Mapping[str, str], *, nested: bool, pool: Executor, tally: Tally
) -> Memberships:
    """Read the members of `groups` (names by id) side by side; with `nested`, those of inner groups too.

    A group that cannot be read is a problem told, not an end. Raises when the permission is missing altogether.
    """
    reads = list(pool.map(lambda group: _read_group(api, *group, nested=nested, tally=tally), groups.items()))
    members = pa.concat_tables([_NOBODY, *(read.table for read in reads)])
    return Memberships(
        members=members.combine_chunks().to_pandas(types_mapper=pd.ArrowDtype),
        problems=tuple(problem for read in reads for problem in read.problems),
    )


def read_memberships_of(api: GraphApi, people: Sequence[str], groups: Container[str], pool: Executor) -> Memberships:
    """Ask for each of some `people` in which of the `groups` they are directly; somebody gone is in none."""
    paths = [f"/users/{quote(person, safe='')}/memberOf?$select=id&$top={PAGE_SIZE}" for person in people]
    rows: list[tuple[str, str, bool]] = []
    problems = []
    for person, part in zip(people, api.batch(paths, Reading.MEMBERS, pool, holding="value"), strict=True):
        if part.status not in {200, 404}:
            problems.append(f"the groups of {person} could not be read ({part.problem})")
        rows += [(group, person, True) for group in set(_ids_on_all_pages(api, part.body)) if group in groups]
    columns = zip(*rows, strict=True) if rows else ([] for _ in MEMBER_COLUMNS)
    members = pd.DataFrame(dict(zip(MEMBER_COLUMNS, columns, strict=True))).astype(dict(MEMBER_COLUMNS))
    return Memberships(members, tuple(problems))


def first_members(api: GraphApi, group_id: str, size: int) -> list[str]:
    """Give the ids of the first people who are directly in a group, at most `size`; none when it is gone."""
    try:
        return first_ids(api, f"/groups/{quote(group_id, safe='')}/members/microsoft.graph.user", Reading.MEMBERS, size)
    except NotFoundError:
        return []


def _ids_on_all_pages(api: GraphApi, page: Mapping[str, Any]) -> Iterator[str]:
    yield from (str(each.get("id")) for each in page.get("value", ()))
    while link := page.get("@odata.nextLink"):
        page = api.get(str(link), Reading.MEMBERS, holding="value")
        yield from (str(each.get("id")) for each in page["value"])


def _read_group(api: GraphApi, group_id: str, name: str, *, nested: bool, tally: Tally) -> Listing:
    label = f"members of group {name!r}"
    try:
        direct = _read_members(api, group_id, "members", label, tally)
        listings = [direct]
        holds_groups = pc.any(pc.equal(direct.table["type"], _GROUP_TYPE)).as_py()
        if nested and holds_groups:
            listings.append(_read_members(api, group_id, "transitiveMembers", f"nested {label}", tally))
    except PermissionMissingError:
        raise
    except NotFoundError:
        return Listing(_NOBODY, 0, (f"{label}: Graph knows no group {group_id}",))
    return Listing(
        table=_direct_and_nested(group_id, direct.table, [listing.table for listing in listings[1:]]),
        pages=sum(listing.pages for listing in listings),
        problems=tuple(problem for listing in listings for problem in listing.problems),
    )


def _read_members(api: GraphApi, group_id: str, kind: str, label: str, tally: Tally) -> Listing:
    path = f"/groups/{quote(group_id, safe='')}/{kind}"
    return read_whole(api, Collection(path, {"$select": "id"}, Reading.MEMBERS, "member_id", _members, label), tally)


def _direct_and_nested(group_id: str, direct: pa.Table, nested: Iterable[pa.Table]) -> pa.Table:
    """Give the members that are people, or of a type that Graph does not tell, as rows of `MEMBER_COLUMNS`."""
    pieces = [(direct, True)]
    for table in nested:
        inner = pc.invert(pc.is_in(table["member_id"], direct["member_id"].combine_chunks()))
        pieces.append((table.filter(inner), False))
    rows = []
    for table, is_direct in pieces:
        people = table.filter(pc.equal(pc.fill_null(table["type"], _USER_TYPE), _USER_TYPE))
        size = len(people)
        columns = [pa.repeat(group_id, size), people["member_id"], pa.repeat(is_direct, size)]
        rows.append(pa.table(dict(zip(MEMBER_COLUMNS, columns, strict=True))))
    return pa.concat_tables(rows)


def _members(objects: Sequence[Mapping[str, Any]]) -> pa.Table:
    return pa.table(
        {
            "member_id": pa.array([each.get("id") for each in objects], pa.string()),
            "type": pa.array([each.get("@odata.type") for each in objects], pa.string()),
        }
    )


def _grants(objects: Sequence[Mapping[str, Any]]) -> pa.Table:
    properties = ("id", "principalId", "principalType", "principalDisplayName", "appRoleId")
    columns = [pa.array([each.get(name) for each in objects], pa.string()) for name in properties]
    return pa.table(dict(zip(GRANT_COLUMNS, columns, strict=True)))
