"""People in Graph: everybody, everybody in the recycle bin, and some by name through $batch.

The client calls it. Attributes come under their mapping names.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from typing import Final
from urllib.parse import quote, urlencode

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from tasks.connectors.directory import People, give_back
from tasks.connectors.microsoft_graph.api import GraphApi, Part
from tasks.connectors.microsoft_graph.attributes import Selection
from tasks.connectors.microsoft_graph.listings import Collection, Listing, Tally, read_whole
from tasks.connectors.microsoft_graph.permissions import Reading
from tasks.model import Presence

_RECYCLE_BIN: Final = "/directory/deletedItems/microsoft.graph.user"


def read_users(api: GraphApi, selection: Selection, tally: Tally) -> Listing:
    """Read everybody who is in the directory."""
    columns = functools.partial(selection.table, presence=Presence.PRESENT)
    collection = Collection("/users", selection.query, Reading.USERS, "source_id", columns, "users")
    return read_whole(api, collection, tally, people=True)


def read_deleted_users(api: GraphApi, selection: Selection, tally: Tally) -> Listing:
    """Read everybody in the recycle bin; their managers are not told there."""
    columns = functools.partial(selection.table, presence=Presence.SOFT_DELETED)
    query = {"$select": selection.select}
    collection = Collection(_RECYCLE_BIN, query, Reading.DELETED, "source_id", columns, "deleted users")
    return read_whole(api, collection, tally)


def together(tables: list[pa.Table]) -> pd.DataFrame:
    """Give everybody once, each column in one piece; who is in both moved during the read and counts as present.

    `tables` are those present and those deleted. They are taken out of the list, and each column is let go of as soon
    as it is in one piece: a directory held twice would be what bounds its size.
    """
    deleted, present = tables.pop(), tables.pop()
    moved = pc.is_in(deleted["source_id"], present["source_id"].combine_chunks())
    deleted = deleted.filter(pc.invert(moved))
    columns = {}
    for name in present.column_names:
        pieces = [*present[name].chunks, *deleted[name].chunks]
        columns[name] = pa.concat_arrays(pieces) if pieces else pa.array([], present.schema.field(name).type)
        present, deleted = present.drop_columns([name]), deleted.drop_columns([name])
        del pieces
    give_back()
    return pa.table(columns).to_pandas(types_mapper=pd.ArrowDtype)


def find_people(api: GraphApi, names: Sequence[str], selection: Selection, pool: Executor) -> People:
    """Look people up by source id, sign-in name or mail; the recycle bin by source id only.

    Somebody found under no name is left out; `unanswered` and `missing` tell of lookups that failed.
    """
    wanted = list(dict.fromkeys(name.strip() for name in names if name.strip()))
    query = _encoded(selection.query)
    first = _ask(api, wanted, lambda name: f"/users/{quote(name, safe='')}?{query}", Reading.USERS, pool, "id")
    lost = [name for name, part in first.items() if part.status == 404]
    mails = _ask(
        api,
        [name for name in lost if "@" in name],
        lambda name: f"/users?{_encoded({**selection.query, '$filter': _has_mail(name)})}",
        Reading.USERS,
        pool,
        "value",
    )
    bin_query = _encoded({"$select": selection.select})
    deleted = _ask(
        api,
        [name for name in lost if "@" not in name],
        lambda name: f"/directory/deletedItems/{quote(name, safe='')}?{bin_query}",
        Reading.DELETED,
        pool,
        "id",
    )
    present = [part.body for part in first.values() if part.status == 200]
    present += [person for part in mails.values() for person in part.body.get("value", ())]
    present = list({person["id"]: person for person in present}.values())
    binned = [part.body for part in deleted.values() if part.status == 200]
    failed = {
        name: part
        for answers in (first, mails, deleted)
        for name, part in answers.items()
        if part.status not in {200, 404}
    }
    return People(
        users=together([selection.table(present, Presence.PRESENT), selection.table(binned, Presence.SOFT_DELETED)]),
        unanswered=tuple(failed),
        missing=tuple(f"{name} could not be looked up ({part.problem})" for name, part in failed.items()),
    )


def _ask(
    api: GraphApi, names: Sequence[str], path: Callable[[str], str], reading: Reading, pool: Executor, holding: str
) -> dict[str, Part]:
    paths = [path(name) for name in names]
    return dict(zip(names, api.batch(paths, reading, pool, holding=holding), strict=True))


def _encoded(query: Mapping[str, str]) -> str:
    return urlencode(query, quote_via=quote, safe="$(),;=")


def _has_mail(mail: str) -> str:
    literal = mail.replace("'", "''")
    return f"mail eq '{literal}'"
