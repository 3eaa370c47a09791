"""The accounts that people should have, as Arrow columns with their comparable forms, each worked out once.

`matching`, `compare` and `plan` read them; made from `Accounts` and the target's table of attributes.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

import pandas as pd
import pyarrow as pa

from tasks.model import Accounts, TargetAttribute
from tasks.reconcile.columns import Mask, Places, array_of, key_of, mask_of, nulls, take, text_of
from tasks.reconcile.digest import digests
from tasks.reconcile.references import Resolved

REFERENCE = "Reference"
"""Type of an attribute whose value is another account; the mapping gives the other person's source id."""


class Wanted:
    """`Accounts` seen by column. Rows are those of `Accounts.people`."""

    def __init__(self, accounts: Accounts, schema: Mapping[str, TargetAttribute]) -> None:
        self._accounts = accounts
        self.attributes = {str(name): schema[str(name)] for name in accounts.values.columns}
        self.add_only = frozenset(accounts.add_only)
        self.count = len(accounts.people)
        self.key = functools.lru_cache(maxsize=None)(self._key)

    @property
    def references(self) -> list[str]:
        """Names of the attributes that name another person."""
        return [name for name, attribute in self.attributes.items() if attribute.type == REFERENCE]

    def values(self, name: str, *, creating: bool = False) -> pa.Array:
        """Give the attribute's values; for accounts about to be created with their defaults."""
        return array_of((self._accounts.on_create if creating else self._accounts.values)[name])

    def text(self, name: str, people: Places, *, creating: bool = False) -> pa.Array:
        """Give the attribute's values of `people` as a plan writes them."""
        return text_of(take(self.values(name, creating=creating), people), self.attributes[name])

    def flows(self, name: str, *, creating: bool = False) -> Mask:
        """Tell for whom the attribute is written."""
        return mask_of((self._accounts.flows_on_create if creating else self._accounts.flows)[name])

    def digests(self, resolved: Mapping[str, Resolved], wanted: Mask) -> pa.Array:
        """Give the digest of each wanted account, null for the others.

        A reference counts by the other person's source id, and only once that person has an account, so that a
        manager who comes into scope later changes the digest of everyone who reports to them.
        """
        keys = {name: self.key(name) for name in self.attributes if name not in resolved}
        flows = {name: self.flows(name) for name in keys}
        for name, references in resolved.items():
            keys[name] = references.source_id
            flows[name] = references.flows
        return digests(keys, flows, wanted) if self.count else nulls(0)

    def _key(self, name: str) -> pa.Array:
        return key_of(self.values(name), self.attributes[name])


class Present:
    """Accounts as the target has them, by column; later frames win where two hold the same account."""

    def __init__(self, frames: list[pd.DataFrame], attributes: Mapping[str, TargetAttribute]) -> None:
        whole = pd.concat(frames, ignore_index=True).drop_duplicates("target_uri", keep="last", ignore_index=True)
        self._attributes = attributes
        self.frame = whole
        self.uri = array_of(whole["target_uri"])
        self.name = array_of(whole["target_name"])

    def has(self, attribute: str) -> bool:
        """Tell whether the target gives the attribute back."""
        return attribute in self.frame.columns

    def values(self, attribute: str, places: Places) -> pa.Array:
        """Give the attribute's values of the accounts at `places`; null where there is none."""
        return take(array_of(self.frame[attribute]), places)
