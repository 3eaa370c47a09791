"""Words for a name that does not exist: the nearest one that does."""

from __future__ import annotations

from collections.abc import Collection

from tasks.transform.expressions.errors import nearest


def did_you_mean(name: str, known: Collection[str]) -> str:
    """Give " Did you mean X?", or nothing when no known name is near."""
    found = nearest(name, known)
    return f" Did you mean {found}?" if found else ""
