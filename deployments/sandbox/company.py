"""Draws a believable company from a seed: people in columns, their managers, groups and role assignments.

Pure numbers in, columns out; the same seed gives the same company. `tenant.generate` turns it into a directory.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
import unicodedata
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from deployments.sandbox import names
from deployments.sandbox.tenant_columns import Coded, Column, Derived, Mask, Rows, Texts
from deployments.sandbox.tenant_ids import PeopleIds

DOMAIN: Final = "northwind.example"
INITIAL_DOMAIN: Final = "northwind.onmicrosoft.com"
TODAY: Final = dt.date(2026, 1, 5)
"""The day on which a generated company stands; months pass from here."""

EXTENSIONS: Final = tuple(f"extensionAttribute{number}" for number in range(1, 16))

_SHARES: Final = {"guests": 0.03, "soft_deleted": 0.01, "hard_deleted": 0.003}
_FIRST_DAY: Final = dt.date(1995, 1, 2)


@dataclasses.dataclass(frozen=True)
class GroupPlan:
    """One group to be: its members by row, and the names of the groups within it."""

    name: str
    members: Rows
    nested: tuple[str, ...] = ()
    role: str | None = None
    """Display name of the app role that the group is assigned, "" for Default Access, None for no assignment."""


@dataclasses.dataclass(frozen=True)
class Company:
    """What the directory starts with. Rows number the people; `managers` holds -1 for none."""

    seed: int
    columns: dict[str, Column]
    managers: npt.NDArray[np.int32]
    soft_deleted: Rows
    hard_deleted: Rows
    groups: tuple[GroupPlan, ...]
    direct: tuple[tuple[str, Rows], ...]
    """Role display names ("" for Default Access) and the people who hold them without a group."""


def draw_company(users: int, seed: int) -> Company:
    """Draw a company of `users` people present in the directory, with deleted people on top of that."""
    return _Draw(users, seed).company()


def latin(word: str) -> str:
    """Give the lower-case ASCII letters by which a name is written in a mail address."""
    if word in names.LATIN:
        return names.LATIN[word]
    if "-" in word:
        return "-".join(latin(part) for part in word.split("-"))
    letters = word.lower().translate(_LETTERS)
    folded = unicodedata.normalize("NFKD", letters).encode("ascii", "ignore").decode()
    return "".join(letter for letter in folded if letter.isalnum() or letter in "'-")


_LETTERS: Final = str.maketrans(
    {"ß": "ss", "ø": "o", "æ": "ae", "œ": "oe", "ł": "l", "đ": "d", "ı": "i", "þ": "th", "ð": "d", "’": "'"}
)


def extension_attributes(cost_center: str | None, time_zone: str | None) -> dict[str, str | None]:
    """Give the fifteen extension attributes: 1 is the cost center, 2 the IANA time zone."""
    values: dict[str, str | None] = dict.fromkeys(EXTENSIONS)
    values["extensionAttribute1"], values["extensionAttribute2"] = cost_center, time_zone
    return values


def cost_center(function: int, department: int, region: str) -> str:
    """Give the cost center code of a department in a region."""
    return f"CC-{function:02d}{department:02d}-{region}"


def midnight(day: dt.date) -> str:
    """Give a day as Graph writes instants."""
    return f"{day.isoformat()}T00:00:00Z"


class _Draw:
    """One drawing; its steps share the random numbers, so their order is part of the result."""

    def __init__(self, users: int, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.seed = seed
        soft, hard = (max(1, round(users * _SHARES[kind])) for kind in ("soft_deleted", "hard_deleted"))
        guests = max(1, round(users * _SHARES["guests"])) if users >= 10 else 0
        self.count = users + soft + hard
        self.present_staff = users - guests
        self.staff = self.present_staff + soft + hard
        self.span = max(3, round(self.staff ** (1 / 6)))
        # Staff are numbered from the top of the tree down; the deleted come last, so nobody present reports to them.
        self.row_of = self.rng.permutation(self.count)
        self.rank = np.empty(self.count, dtype=np.int64)
        self.rank[self.row_of] = np.arange(self.count)
        self.guest: Mask = self.rank >= self.staff
        self.leader: Mask = self.rank * self.span + 1 < self.present_staff
        self.soft = self.row_of[self.present_staff : self.present_staff + soft]
        self.hard = self.row_of[self.present_staff + soft : self.staff]
        self._place_in_tree()
        weights = np.array([office.weight for office in names.OFFICES])
        self.office = self.rng.choice(len(names.OFFICES), self.count, p=weights / weights.sum())
        self.employment = self.rng.choice(4, self.count, p=[0.88, 0.09, 0.02, 0.01])
        self.employment[self.leader] = 0
        self.department_code, self.departments = self._departments()

    def company(self) -> Company:
        """Draw everything else and put it together."""
        columns = self._work() | self._names() | self._contact() | self._employment()
        groups, direct = self._access()
        return Company(
            seed=self.seed,
            columns=columns,
            managers=self._managers(),
            soft_deleted=np.sort(self.soft),
            hard_deleted=np.sort(self.hard),
            groups=groups,
            direct=direct,
        )

    def _place_in_tree(self) -> None:
        """Find everyone's level (0 at the top), function and department from their place in the tree."""
        starts = [0]
        while starts[-1] < self.count:
            starts.append(starts[-1] * self.span + 1)
        first_of_level = np.array(starts)
        self.level = np.searchsorted(first_of_level, self.rank, side="right") - 1
        within = self.rank - first_of_level[self.level]
        branch = within // self.span ** np.maximum(self.level - 1, 0)
        twig = within // self.span ** np.maximum(self.level - 2, 0)
        widths = np.array([len(function.departments) for function in names.FUNCTIONS])
        self.function = branch % len(names.FUNCTIONS)
        self.department = twig % widths[self.function]

    def _some(self, share: float, among: Mask | None = None) -> Mask:
        """Mark about `share` of the people in `among`, but at least one when there is anybody."""
        pool = np.flatnonzero(among) if among is not None else np.arange(self.count)
        chosen = self.rng.choice(pool, min(len(pool), max(1, round(len(pool) * share))), replace=False)
        mask = np.zeros(self.count, dtype=bool)
        mask[chosen] = True
        return mask

    def _managers(self) -> npt.NDArray[np.int32]:
        above = self.row_of[np.maximum(self.rank - 1, 0) // self.span]
        unknown = self._some(0.005, ~self.leader & ~self.guest) if self.count > 50 else np.zeros(self.count, dtype=bool)
        return np.where((self.rank == 0) | self.guest | unknown, -1, above).astype(np.int32)

    def _names(self) -> dict[str, Column]:
        """Names, and all that is made from them: principal name, mail, aliases."""
        given, surname = self._draw_names()
        twin = np.flatnonzero(self._some(0.002, ~self.guest))
        model = self.rng.integers(0, self.count, len(twin))
        given.codes[twin], surname.codes[twin] = given.codes[model], surname.codes[model]
        mononym = self._some(0.003, ~self.leader)
        formal = self._some(0.1)
        spoken = _joined(given.texts(), surname.texts(), " ")
        listed = _joined(surname.texts(), given.texts(), ", ")
        shown = _chosen(mononym, surname.texts(), _chosen(formal, listed, spoken))
        local = self._local_parts(given, surname)
        partner = pa.array(names.PARTNERS).take(pa.array(self.rng.integers(0, len(names.PARTNERS), self.count)))
        guest_name = pc.binary_join_element_wise(local, "_", partner, f"#EXT#@{INITIAL_DOMAIN}", "")
        staff_name = _joined(local, _chosen(self._some(0.05), INITIAL_DOMAIN, DOMAIN), "@")
        proud = self._some(0.02)
        staff_name = _chosen(proud, pc.utf8_title(staff_name), staff_name)
        principal = _chosen(self.guest, guest_name, staff_name)
        staff_mail = _chosen(self._some(0.015, ~self.guest), None, _joined(local, pa.scalar(DOMAIN), "@"))
        mail = Texts(_chosen(self.guest, _joined(local, partner, "@"), staff_mail))
        user_names = Texts(principal)
        return {
            "givenName": Coded(np.where(mononym, len(given.words), given.codes), [*given.words, None]),
            "surname": Coded(surname.codes, list(surname.words)),
            "displayName": Texts(shown),
            "userPrincipalName": user_names,
            "mail": mail,
            "mailNickname": Derived(user_names, nickname),
            "onPremisesSamAccountName": Derived(user_names, _sam_account_name),
            "proxyAddresses": Derived(mail, proxy_addresses),
            "otherMails": Derived(Texts(_chosen(self.guest, _joined(local, partner, "@"), None)), _listed),
        }

    def _draw_names(self) -> tuple[_Words, _Words]:
        """Draw given names and surnames that go with the office; some surnames are double-barrelled."""
        pools = {name: place for place, name in enumerate(names.CULTURES)}
        home = np.array([pools[office.culture] for office in names.OFFICES])[self.office]
        abroad = self.rng.integers(0, len(pools), self.count)
        culture = np.where(self.rng.random(self.count) < 0.12, abroad, home)
        double = self.rng.random(self.count) < 0.15
        given, surname = np.zeros(self.count, dtype=np.int64), np.zeros(self.count, dtype=np.int64)
        given_words: list[str] = []
        surname_words: list[str] = []
        for place, pool in enumerate(names.CULTURES.values()):
            rows = np.flatnonzero(culture == place)
            pairs = [f"{one}-{other}" for one in pool.surnames for other in pool.surnames if one != other]
            given[rows] = len(given_words) + self.rng.integers(0, len(pool.given), len(rows))
            single = self.rng.integers(0, len(pool.surnames), len(rows))
            paired = len(pool.surnames) + self.rng.integers(0, len(pairs), len(rows))
            surname[rows] = len(surname_words) + np.where(double[rows], paired, single)
            given_words += pool.given
            surname_words += [*pool.surnames, *pairs]
        long = np.flatnonzero(self._some(0.0005, ~self.guest))
        kind = self.rng.integers(0, len(names.LONG_NAMES), len(long))
        given[long], surname[long] = len(given_words) + kind, len(surname_words) + kind
        given_words += [name for name, _ in names.LONG_NAMES]
        surname_words += [name for _, name in names.LONG_NAMES]
        return _Words(given, given_words), _Words(surname, surname_words)

    def _local_parts(self, given: _Words, surname: _Words) -> pa.Array:
        """Make the part before the @, numbered where several people share a name."""
        plain = _joined(given.texts(latin), surname.texts(latin), ".")
        codes = plain.dictionary_encode().indices.to_numpy()
        order = np.argsort(codes, kind="stable")
        ordered = codes[order]
        starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
        nth = np.empty(self.count, dtype=np.int64)
        nth[order] = np.arange(self.count) - np.repeat(starts, np.diff(np.r_[starts, self.count]))
        return _joined(plain, _chosen(nth == 0, "", pc.cast(pa.array(nth + 1), pa.string())), "")

    def _work(self) -> dict[str, Column]:
        """Identity and place at work."""
        ids = PeopleIds(self.seed).of(np.arange(self.count))
        number = pc.utf8_lpad(pc.cast(pa.array(100_000 + self.rng.permutation(self.count)), pa.string()), 7, "0")
        shared = np.arange(self.count)
        twins = np.flatnonzero(self._some(0.001, ~self.guest))
        shared[twins] = self.rng.integers(0, self.count, len(twins))
        unnumbered = self.guest | self._some(0.01, ~self.guest)
        cloud_only = self.guest
        serial = pc.cast(pa.array(np.arange(self.count) + 1_101), pa.string())
        security = pc.binary_join_element_wise("S-1-5-21-2127521184-1604012920-1887927527", serial, "-")
        return {
            "id": Texts(ids),
            "employeeId": Texts(_chosen(unnumbered, None, number.take(pa.array(shared)))),
            "department": Coded(self.department_code, self.departments),
            "jobTitle": self._titles(),
            "onPremisesExtensionAttributes": self._extensions(),
            "onPremisesSecurityIdentifier": Texts(_chosen(cloud_only, None, security)),
            "onPremisesSyncEnabled": Coded(cloud_only.astype(np.int8), [True, None]),
            "userType": Coded(self.guest.astype(np.int8), ["Member", "Guest"]),
            "externalUserState": Coded(self.guest.astype(np.int8), [None, "Accepted"]),
        }

    def _departments(self) -> tuple[Rows, list[str | None]]:
        words: list[str | None] = [None, names.EXECUTIVE_DEPARTMENT]
        starts = []
        for function in names.FUNCTIONS:
            starts.append(len(words))
            words += function.departments
        codes = np.array(starts)[self.function] + self.department
        codes[self.rank == 0] = 1
        codes[self.guest | self._some(0.01, ~self.leader)] = 0
        return codes, words

    def _titles(self) -> Column:
        words: list[str | None] = [None]
        for function in names.FUNCTIONS:
            words += [title.format(function.name) for title in names.LEADERS]
            words += [grade.format(function.trade) for grade in names.GRADES]
        width = len(names.LEADERS) + len(names.GRADES)
        step = np.where(
            self.leader,
            np.minimum(self.level, len(names.LEADERS) - 1),
            len(names.LEADERS) + self.rng.choice(len(names.GRADES), self.count, p=[0.2, 0.4, 0.25, 0.1, 0.05]),
        )
        return Coded(np.where(self.guest, 0, 1 + self.function * width + step), words)

    def _extensions(self) -> Column:
        """Cost center by department and region, time zone by office."""
        widest = max(len(function.departments) for function in names.FUNCTIONS)
        words: list[Any] = [extension_attributes(None, None)]
        words += [
            extension_attributes(cost_center(function, department, office.region), office.time_zone)
            for function in range(len(names.FUNCTIONS))
            for department in range(widest)
            for office in names.OFFICES
        ]
        code = 1 + (self.function * widest + self.department) * len(names.OFFICES) + self.office
        return Coded(np.where(self.guest | self._some(0.005, ~self.leader), 0, code), words)

    def _contact(self) -> dict[str, Column]:
        """Office, address, phones and language."""
        nowhere = self.guest | self._some(0.01, ~self.leader)
        where = np.where(nowhere, len(names.OFFICES), self.office)

        def of_office(values: Sequence[str | None]) -> Column:
            return Coded(where, [*values, None])

        offices = names.OFFICES
        prefix = pa.array([office.phone_prefix for office in offices]).take(pa.array(self.office))
        desk = _joined(prefix, _digits(self.rng, self.count), " 555 ")
        mobile = _joined(prefix, _digits(self.rng, self.count), " 77 ")
        return {
            "officeLocation": of_office([office.name for office in offices]),
            "city": of_office([office.city for office in offices]),
            "state": of_office([office.state for office in offices]),
            "country": of_office([office.country for office in offices]),
            "usageLocation": of_office([office.usage_location for office in offices]),
            "postalCode": of_office([office.postal_code for office in offices]),
            "streetAddress": of_office([office.street for office in offices]),
            "companyName": of_office([office.company for office in offices]),
            "preferredLanguage": of_office([office.language for office in offices]),
            "businessPhones": Derived(
                Texts(_chosen(nowhere | (self.rng.random(self.count) < 0.2), None, desk)), _listed
            ),
            "mobilePhone": Texts(_chosen(self.rng.random(self.count) < 0.6, None, mobile)),
        }

    def _employment(self) -> dict[str, Column]:
        """Kind of employment, first and last day, and whether sign-in is allowed."""
        length = (TODAY - _FIRST_DAY).days
        hired = (length * self.rng.random(self.count) ** 0.4).astype(np.int64)
        days: list[str | None] = [midnight(_FIRST_DAY + dt.timedelta(days=day)) for day in range(length + 91)]
        blocked = self._some(0.02, ~self.leader & ~self.guest & (self.rank < self.present_staff))
        leaving = self._some(0.01, ~self.leader & ~self.guest)
        last = length + np.where(blocked, -self.rng.integers(1, 60, self.count), self.rng.integers(5, 90, self.count))
        return {
            "accountEnabled": Coded(blocked.astype(np.int8), [True, False]),
            "employeeType": Coded(np.where(self.guest, 3, self.employment), ["Employee", "Contractor", "Intern", None]),
            "employeeHireDate": Coded(np.where(self.guest, len(days), hired), [*days, None]),
            "employeeLeaveDateTime": Coded(np.where(blocked | leaving, last, len(days)), [*days, None]),
            "createdDateTime": Coded(hired, days),
        }

    def _access(self) -> tuple[tuple[GroupPlan, ...], tuple[tuple[str, Rows], ...]]:
        """Most people through few large groups; some directly, some twice, some by Default Access, some nested."""
        staff = ~self.guest
        contractor = staff & (self.employment == 1)
        region = np.array([office.region for office in names.OFFICES])[self.office]
        licensed = staff & ~contractor & (self.rng.random(self.count) < 0.9)
        delivering = np.isin(self.function, [0, 2])
        plans = [
            GroupPlan(f"Replicon Users – {place}", np.flatnonzero(licensed & (region == place)), role="User")
            for place in ("Americas", "EMEA", "APAC")
        ]
        agency = contractor & (self.rng.random(self.count) < 0.3)
        plans += [
            GroupPlan("Replicon Supervisors", np.flatnonzero(self.leader), role="Supervisor"),
            GroupPlan(
                "Replicon Project Managers",
                np.flatnonzero(licensed & delivering & (self.rng.random(self.count) < 0.15)),
                role="Project Manager",
            ),
            GroupPlan(
                "Replicon Extended Workforce",
                np.flatnonzero(contractor & (self.rng.random(self.count) < 0.3)),
                nested=("Contractors",),
                role="User",
            ),
            GroupPlan("Contractors", np.flatnonzero(contractor & ~agency), nested=("Agency Workers",)),
            GroupPlan("Agency Workers", np.flatnonzero(agency), nested=("Contractors",)),
            GroupPlan("All Employees", np.flatnonzero(staff & ~contractor), role=""),
        ]
        plans += [
            GroupPlan(f"Dept – {word}", np.flatnonzero(self.department_code == code))
            for code, word in enumerate(self.departments)
            if word
        ]
        direct = (
            ("User", np.flatnonzero(self._some(0.02, staff))),
            ("User", np.flatnonzero(self._some(0.2, self.guest))),
            ("Supervisor", np.flatnonzero(self._some(0.003, staff))),
            ("", np.flatnonzero(self._some(0.004, staff))),
            ("", np.flatnonzero(self._some(0.1, self.guest))),
        )
        return tuple(plans), direct


@dataclasses.dataclass
class _Words:
    """Names drawn from a list: a code for everyone."""

    codes: Rows
    words: list[str]

    def texts(self, spelled: Any = str) -> pa.Array:
        """Give everyone's name, spelled by a function of the word."""
        return pa.array([spelled(word) for word in self.words]).take(pa.array(self.codes))


def nickname(principal_name: str) -> str:
    """Give the mail nickname that goes with a user principal name."""
    return principal_name.partition("@")[0].replace("#EXT#", "")


def proxy_addresses(mail: str | None) -> list[str]:
    """Give the proxy addresses that go with a mail address: the primary one, and an alias of the initial domain."""
    if mail is None:
        return []
    return [f"SMTP:{mail}", f"smtp:{mail.partition('@')[0]}@{INITIAL_DOMAIN}"]


def _sam_account_name(principal_name: str) -> str | None:
    return None if "#EXT#" in principal_name else nickname(principal_name)[:20]


def _listed(value: str | None) -> list[str]:
    return [] if value is None else [value]


def _digits(rng: np.random.Generator, count: int) -> pa.Array:
    return pc.utf8_lpad(pc.cast(pa.array(rng.integers(0, 100_000, count)), pa.string()), 5, "0")


def _joined(left: pa.Array, right: pa.Array, separator: str) -> pa.Array:
    return pc.binary_join_element_wise(left, right, separator)


def _chosen(mask: Mask, yes: Any, no: Any) -> pa.Array:
    """Take `yes` where marked, else `no`; each is an array, a text or null."""
    sides = [side if isinstance(side, pa.Array) else pa.scalar(side, pa.string()) for side in (yes, no)]
    return pc.if_else(pa.array(mask), *sides)
