"""What reconcile needs of the target: accounts found and read in bulk. Connectors fit it; reconcile knows no wire."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import pandas as pd

from tasks.model import TargetAttribute


class Identity(Protocol):
    """The account that the job signs in to the target with."""

    @property
    def uri(self) -> str:
        """The account's URI."""

    @property
    def login_name(self) -> str:
        """The account's login name."""


class TargetReader(Protocol):
    """Reads accounts. Frames have `TARGET_COLUMNS` and a column for each readable attribute of the mapping."""

    @property
    def schema(self) -> Mapping[str, TargetAttribute]:
        """The attributes that the mapping writes, by name."""

    @property
    def withheld(self) -> frozenset[str]:
        """URIs that `read` was asked for and that exist, but that the signed-in account may not see."""

    def find(self, attribute: str, values: pd.Series) -> pd.DataFrame:
        """Give every account whose `attribute` equals one of `values`."""

    def read(self, uris: pd.Series) -> pd.DataFrame:
        """Give the accounts with these URIs, in any order; those that are gone are absent."""

    def canonical(self, attribute: str, values: pd.Series) -> pd.Series:
        """Give wished values as `read` would give them back, such as a group's name for its URI."""

    def identity(self) -> Identity:
        """Give the account that the job signs in with."""


class Matching(Protocol):
    """A matching attribute; the lowest priority above zero is asked first."""

    @property
    def attribute(self) -> str:
        """The target attribute that accounts are found by."""

    @property
    def priority(self) -> int:
        """Its place in the order; zero when it is no matching attribute."""
