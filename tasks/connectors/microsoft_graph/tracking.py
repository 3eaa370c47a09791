"""Change tracking of users and groups: who changed since a link, and the links to ask from next time.

Only who changed is taken from Graph's deltas. What they are now is read by id, so that replays, repetitions, any order
and partial objects cannot mislead. The client calls it; the watermark it keeps is opaque to everyone else.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, Self

from tasks.connectors.microsoft_graph.api import GraphApi
from tasks.connectors.microsoft_graph.attributes import Selection
from tasks.connectors.microsoft_graph.errors import BrokenAnswerError, RefusedQueryError, WatermarkExpiredError
from tasks.connectors.microsoft_graph.listings import Tally
from tasks.connectors.microsoft_graph.permissions import Reading

GROUPS_PER_LINK: Final = 50
"""Objects that $filter may name in a delta query (Microsoft Graph, "Use delta query to track changes")."""

_FOLLOWED_AT_MOST: Final = 2
_READ_AGAIN_AT_MOST: Final = 4


@dataclasses.dataclass(frozen=True)
class Tracking:
    """Where change tracking stands: a link for users, and one for every 50 of the assigned groups."""

    attributes: tuple[str, ...]
    nested: bool
    people: int
    """How many people the last whole read had."""
    users: str
    groups: tuple[tuple[tuple[str, ...], str], ...]
    """Group ids, and the link that tells of changes among their members; none when inner groups count."""
    again: tuple[str, ...] = ()
    """Who changed last time: read once more, for the copy that answered then may not have had the change yet."""

    def as_watermark(self) -> dict[str, Any]:
        """Give it JSON-ready."""
        return dataclasses.asdict(self)

    @classmethod
    def of_watermark(cls, watermark: Mapping[str, Any]) -> Self | None:
        """Read what `as_watermark` gave; null when it is something else."""
        try:
            return cls(
                attributes=tuple(watermark["attributes"]),
                nested=bool(watermark["nested"]),
                people=int(watermark["people"]),
                users=str(watermark["users"]),
                groups=tuple((tuple(ids), str(link)) for ids, link in watermark["groups"]),
                again=tuple(watermark["again"]),
            )
        except (KeyError, TypeError, ValueError):
            return None


@dataclasses.dataclass(frozen=True)
class Round:
    """Who changed since the links were given, in the directory or in a tracked group, and the new links."""

    changed: frozenset[str]
    users: str
    groups: tuple[tuple[tuple[str, ...], str], ...]


def start_users(api: GraphApi, selection: Selection, tally: Tally) -> str:
    """Give a link to changes from now on. Taken before everything is read, it misses nothing."""
    query = {"$deltaToken": "latest", "$select": selection.tracked}
    return _follow(api, api.get("/users/delta", Reading.USERS, query, holding="value"), Reading.USERS, tally)[1]


def start_groups(api: GraphApi, group_ids: Iterable[str], tally: Tally) -> tuple[tuple[tuple[str, ...], str], ...]:
    """Give links to changes of the members of these groups from now on."""
    ids = sorted(group_ids)
    links = []
    for start in range(0, len(ids), GROUPS_PER_LINK):
        chunk = tuple(ids[start : start + GROUPS_PER_LINK])
        query = {
            "$deltaToken": "latest",
            "$select": "members",
            "$filter": " or ".join(f"id eq '{group}'" for group in chunk),
        }
        page = api.get("/groups/delta", Reading.MEMBERS, query, holding="value")
        links.append((chunk, _follow(api, page, Reading.MEMBERS, tally)[1]))
    return tuple(links)


def read_round(api: GraphApi, tracking: Tracking, tally: Tally) -> Round | None:
    """Give who changed; null when Graph does not know the links any more.

    Graph counts no changes, so a page that it passes over in silence shows only in comparison: a round is read until
    it tells nothing new. Raises `BrokenAnswerError` when it tells something else every time.
    """
    try:
        changed, users = _read_until_settled(api, tracking.users, Reading.USERS, tally)
        groups = []
        for ids, link in tracking.groups:
            members, onward = _read_until_settled(api, link, Reading.MEMBERS, tally)
            changed |= members
            groups.append((ids, onward))
    except (WatermarkExpiredError, RefusedQueryError):
        return None
    return Round(frozenset(changed), users, tuple(groups))


def _read_until_settled(api: GraphApi, link: str, reading: Reading, tally: Tally) -> tuple[set[str], str]:
    """Read the round behind `link` until a reading has everybody that the earlier ones had, and nobody else.

    The link onward is that of the first reading: what changed since then is told again.
    """
    found, onward = _read_link(api, link, reading, tally)
    for _ in range(_READ_AGAIN_AT_MOST):
        again, _ = _read_link(api, link, reading, tally)
        if again == found:
            return found, onward
        found |= again
    raise _unfinished(reading, "gives other answers every time it is read")


def _read_link(api: GraphApi, link: str, reading: Reading, tally: Tally) -> tuple[set[str], str]:
    return _follow(api, api.get(link, reading, holding="value"), reading, tally)


def _follow(api: GraphApi, page: Mapping[str, Any], reading: Reading, tally: Tally) -> tuple[set[str], str]:
    """Go through the pages of a round; gives the ids of people on them and the link to the next round."""
    found: set[str] = set()
    followed: Counter[str] = Counter()
    while True:
        found.update(_people_on(page, reading))
        tally.page(0)
        link = page.get("@odata.nextLink")
        if not isinstance(link, str):
            break
        followed[link] += 1
        if followed[link] > _FOLLOWED_AT_MOST:
            raise _unfinished(reading, "goes in a circle")
        page = api.get(link, reading, holding="value")
    end = page.get("@odata.deltaLink")
    if not isinstance(end, str):
        raise _unfinished(reading, "ends without a link to the next one")
    return found, end


def _people_on(page: Mapping[str, Any], reading: Reading) -> Iterator[str]:
    for each in page["value"]:
        if reading is Reading.USERS:
            yield str(each["id"])
        else:
            yield from (
                str(member["id"])
                for member in each.get("members@delta") or ()
                if member.get("@odata.type", "#microsoft.graph.user") == "#microsoft.graph.user"
            )


def _unfinished(reading: Reading, how: str) -> BrokenAnswerError:
    return BrokenAnswerError(
        f"The round of changes of {reading.label} {how}. Nothing was changed; try again later.", status=200, code=""
    )
