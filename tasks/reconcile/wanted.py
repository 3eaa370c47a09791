"""The accounts that people should have, as Arrow columns with their comparable forms, each worked out once.

`matching`, `compare` and `plan` read them; made from `Accounts` and the target's table of attributes.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

import numpy as np
import pandas as pd
import pyarrow as pa

from tasks.model import Accounts, TargetAttribute
from tasks.reconcile.columns import Mask, Places, array_of, key_of, mask_of, take, text_of
from tasks.reconcile.digest import digests, hashed, total
from tasks.reconcile.fingerprint import Lanes
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
        self._plain = functools.lru_cache(maxsize=None)(self._plain_sums)

    @property
    def references(self) -> list[str]:
        """Names of the attributes that name another person."""
        return [name for name, attribute in self.attributes.items() if attribute.type == REFERENCE]

    def values(self, name: str, *, creating: bool = False) -> pa.Array:
        """Give the attribute's values; for accounts about to be created with their defaults."""
        return array_of((self._accounts.on_create if creating else self._accounts.values)[name])

    def key(self, name: str, people: Places) -> pa.Array:
        """Give the comparable form of the attribute's values of `people`."""
        return key_of(take(self.values(name), people), self.attributes[name])

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
        parts = [(self._plain(readable), np.ones(self.count, bool)) for readable in (True, False)]
        parts += [(hashed(name, one.source_id, None), one.flows) for name, one in resolved.items()]
        return digests(total(parts, self.count), wanted)

    def readable_sums(self, resolved: Mapping[str, Resolved]) -> Lanes:
        """Give the sum of the hashes of all that flows and that the target gives back; a reference is an account's URI.

        An account whose attributes have the same sum, over what flows for its person, holds the same values.
        """
        uris = [
            (hashed(name, one.uri, None), one.flows) for name, one in resolved.items() if self.attributes[name].readable
        ]
        return total([(self._plain(True), np.ones(self.count, bool)), *uris], self.count)

    def _plain_sums(self, readable: bool) -> Lanes:
        """Give the sums over what names nobody else, of what the target gives back or of what it does not."""
        names = [
            name
            for name, attribute in self.attributes.items()
            if attribute.readable is readable and attribute.type != REFERENCE
        ]
        parts = ((hashed(name, self.values(name), self.attributes[name]), self.flows(name)) for name in names)
        return total(parts, self.count)


class Present:
    """Accounts as the target has them, by column; later frames win where two hold the same account.

    Within a frame accounts are unique (`TARGET_COLUMNS`). `rows` are those of the stacked frames that are kept.
    """

    def __init__(self, frames: list[pd.DataFrame]) -> None:
        full = [frame for frame in frames if len(frame)]
        whole = full[0] if len(full) == 1 else pd.concat(frames, ignore_index=True)
        self.rows = np.arange(len(whole))
        if len(full) > 1:
            self.rows = np.flatnonzero(~whole["target_uri"].duplicated(keep="last").to_numpy(dtype=bool))
            whole = whole.iloc[self.rows].reset_index(drop=True)
        self.frame = whole
        self.uri = array_of(whole["target_uri"])
        self.name = array_of(whole["target_name"])

    def has(self, attribute: str) -> bool:
        """Tell whether the target gives the attribute back."""
        return attribute in self.frame.columns

    def values(self, attribute: str, places: Places) -> pa.Array:
        """Give the attribute's values of the accounts at `places`; null where there is none."""
        return take(self.column(attribute), places)

    def column(self, attribute: str) -> pa.Array:
        """Give the attribute's values of all accounts."""
        return array_of(self.frame[attribute])
