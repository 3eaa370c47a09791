"""A directory, its links and its accounts of any size, of which a small share differs. Nothing is measured here."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import numpy as np
import pandas as pd
import pyarrow as pa

from tasks.connectors.replicon.attributes import TARGET_ATTRIBUTES
from tasks.model import BOOL, PEOPLE_COLUMNS, STRING, Accounts, TargetAttribute, conform
from tests.reconcile.world import Identity

ATTRIBUTES = (
    "LoginName",
    "FirstName",
    "LastName",
    "DisplayName",
    "EmailAddress",
    "EmployeeId",
    "StartDate",
    "LoginEnabled",
    "Department",
    "Location",
    "CostCenter",
    "TimeZone",
)


@dataclasses.dataclass(frozen=True)
class Company:
    """What planning is given: the wanted accounts, the links, and the accounts as the target has them."""

    accounts: Accounts
    links: pd.DataFrame
    present: pd.DataFrame
    differing: int


class FrameTarget:
    """A target whose accounts are one frame: its reads cost next to nothing."""

    withheld: frozenset[str] = frozenset()

    def __init__(self, present: pd.DataFrame) -> None:
        self._present = present

    @property
    def schema(self) -> Mapping[str, TargetAttribute]:
        """The real table of attributes."""
        return TARGET_ATTRIBUTES

    def find(self, attribute: str, values: pd.Series) -> pd.DataFrame:
        """Find nobody: everybody is linked."""
        del attribute, values
        return self._present.head(0)

    def read(self, uris: pd.Series) -> pd.DataFrame:
        """Give all accounts: everybody is asked for."""
        assert len(uris) == len(self._present)
        return self._present

    def canonical(self, attribute: str, values: pd.Series) -> pd.Series:
        """Give the values as they are."""
        del attribute
        return values

    def identity(self) -> Identity:
        """Give the account that provisioning signs in with."""
        return Identity()


def company(people: int, share: float, seed: int = 1) -> Company:
    """Make a company in which `share` of the people have another first name than their account."""
    random = np.random.default_rng(seed)
    number = pd.Series(np.arange(people)).astype(STRING)
    source_id = "person-" + number
    login = "user" + number + "@northwind.example"
    names = {name: pd.Series(_some(random, people, name, 400)) for name in ("FirstName", "LastName")}
    wanted = {
        "LoginName": login,
        **names,
        "DisplayName": names["FirstName"] + " " + names["LastName"],
        "EmailAddress": login,
        "EmployeeId": "E" + number,
        "StartDate": pd.Series(_some(random, people, "2020-01-", 28)).str.replace("-2", "-1"),
        "LoginEnabled": pd.Series(["True"] * people, dtype=STRING),
        **{
            name: pd.Series(_some(random, people, name, 60))
            for name in ("Department", "Location", "CostCenter", "TimeZone")
        },
    }
    values = pd.DataFrame({name: wanted[name].astype(STRING) for name in ATTRIBUTES})
    flows = pd.DataFrame({name: pd.array(np.ones(people, bool), dtype=BOOL) for name in ATTRIBUTES})
    uri = "urn:replicon-tenant:acme:user:" + number
    present = values.assign(target_uri=uri, target_name=login)
    differing = random.choice(people, int(people * share), replace=False)
    present.loc[differing, "FirstName"] = "Otherwise"
    return Company(
        Accounts(_people(source_id, login), values, flows, values, flows, "mapping-1"),
        _shuffled(_links(source_id, login, uri), random),
        _shuffled(present[["target_uri", "target_name", *ATTRIBUTES]], random),
        len(differing),
    )


def _shuffled(frame: pd.DataFrame, random: np.random.Generator) -> pd.DataFrame:
    """Give the rows in an order of their own, so that nobody can be found by place."""
    return frame.iloc[random.permutation(len(frame))].reset_index(drop=True)


def _some(random: np.random.Generator, count: int, stem: str, different: int) -> pd.array:  # type: ignore[valid-type]
    texts = pa.array([f"{stem}{number:02}" for number in range(1, different + 1)])
    return pd.array(texts.take(pa.array(random.integers(0, different, count))), dtype=STRING)


def _people(source_id: pd.Series, name: pd.Series) -> pd.DataFrame:
    fixed = {"presence": "present", "in_scope": True, "scope_reason": "role User", "active": True, "left_alone": False}
    frame = pd.DataFrame({"source_id": source_id, "source_name": name, **fixed, "error_attribute": None, "error": None})
    return conform(frame, PEOPLE_COLUMNS, "people")


def _links(source_id: pd.Series, login: pd.Series, uri: pd.Series) -> pd.DataFrame:
    digest = pd.Series(["0" * 32] * len(uri), dtype=STRING)
    links = {"source_id": source_id, "source_name": login, "target_uri": uri, "target_name": login}
    frame = pd.DataFrame({**links, "account_digest": digest, "written": "{}", "active": True})
    return frame.astype({"written": STRING, "active": BOOL})
