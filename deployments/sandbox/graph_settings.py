"""What can be set about the sandbox's Graph: who may sign in, lives of tokens, page sizes, throttling, odd corners.

Plain data. Read by every part of the Graph service.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Final

LEAST_PERMISSIONS: Final = ("Application.Read.All", "User.Read.All", "GroupMember.Read.All")
"""The application permissions that suffice to read assignments, people and members."""


class DeltaExpiry(StrEnum):
    """How Graph says that a delta token is too old; both are documented."""

    GONE = "gone"
    """410 with a Location that holds an empty $deltaToken (Use delta query to track changes)."""
    SYNC_STATE_NOT_FOUND = "syncStateNotFound"
    """400 with that code (Duration of change tracking tokens for identity and education resources)."""


@dataclasses.dataclass(frozen=True)
class AppRegistration:
    """One application that may sign in: by a secret, by the certificate (PEM) registered for it, or by either."""

    secret: str | None = None
    certificate_pem: str | None = None
    permissions: tuple[str, ...] | None = None
    """Application permissions granted; None grants those of the settings."""


@dataclasses.dataclass
class GraphSettings:
    """Settings of the Graph service; tests change them between requests. Times are in seconds."""

    clients: Mapping[str, str | AppRegistration] = dataclasses.field(default_factory=dict)
    """Application (client) id -> registration, or just its secret, or just its certificate in PEM."""
    permissions: tuple[str, ...] = LEAST_PERMISSIONS
    """Application permissions granted to every application that has none of its own."""
    token_lifetime: float = 3599
    delta_token_life: float = 7 * 24 * 3600
    delta_expiry: DeltaExpiry = DeltaExpiry.GONE
    default_page: int = 100
    largest_page: int = 999
    fullest_page: int | None = None
    """Most objects that a page really holds: Graph may give fewer than $top asks for. None gives what is asked for."""
    delta_page: int = 200
    """Users or groups on one delta page; clients cannot choose it."""
    members_per_delta_page: int = 1000
    """Members told of on one groups/delta page, so that large groups go over several pages."""
    deleted_in_first_delta: bool = True
    """Whether a first users/delta round tells of people in the recycle bin, as Graph may."""
    delta_repeats_manager: bool = False
    """Whether an unchanged manager is told of when another property changed; reports from the field say it is not."""
    deleted_members_in_groups_delta: bool = True
    """Whether deleting a person shows in groups/delta; documented so, yet reported from the field as missing."""
    resource_units: int | None = None
    """Quota in resource units per 10 seconds; None sets it by the size of the directory, as documented."""
    retry_after: bool = True
    """Whether a 429 says when to come back; some identity resources do not."""
    clock: Callable[[], float] = time.time
    """Seconds since 1970, by which tokens age and quotas refill."""

    def registration(self, client_id: str) -> AppRegistration | None:
        """Give the registration of an application, None when there is none."""
        known = self.clients.get(client_id)
        if isinstance(known, str):
            is_certificate = known.lstrip().startswith("-----BEGIN CERTIFICATE-----")
            known = AppRegistration(certificate_pem=known) if is_certificate else AppRegistration(secret=known)
        if known is None or known.permissions is not None:
            return known
        return dataclasses.replace(known, permissions=self.permissions)
