"""The source attributes that a mapping may name, with what each holds. Reading them is the connectors' work.

The schema's checks call it. Names are those of Microsoft's attribute-mapping page and of Microsoft Graph's user
resource; where the two differ, both are known.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from tasks.transform.schema_model import AttributeDefinition, AttributeType

IS_SOFT_DELETED: Final = "IsSoftDeleted"
"""Computed: whether the person's account is to be switched off."""
APP_ROLES: Final = "appRoleAssignments"
"""Computed: the values of the app roles that count for the person."""
ACCOUNT_ENABLED: Final = "accountEnabled"
"""Whether the person may sign in to the directory."""
USER_PRINCIPAL_NAME: Final = "userPrincipalName"
"""The person's sign-in name, by which reports name them."""
COMPUTED: Final = frozenset({IS_SOFT_DELETED, APP_ROLES})
"""Attributes that no directory holds: they follow from assignments, filters and presence."""

_EXTENSION: Final = re.compile(r"extension_[0-9a-fA-F]{32}_\w+")

_TEXTS: Final = """
    id objectId userPrincipalName originalUserPrincipalName givenName surname displayName mail mailNickname employeeId
    department jobTitle companyName employeeType officeLocation physicalDeliveryOfficeName streetAddress city state
    postalCode country usageLocation preferredLanguage mobile mobilePhone faxNumber facsimileTelephoneNumber
    telephoneNumber onPremisesSecurityIdentifier onPremisesImmutableId immutableId onPremisesDistinguishedName
    onPremisesDomainName onPremisesUserPrincipalName ageGroup legalAgeGroupClassification consentProvidedForMinor
    creationType externalUserState passwordPolicies preferredDataLocation
"""
_LISTS: Final = "businessPhones proxyAddresses otherMails imAddresses appRoleAssignments"
_BOOLEANS: Final = "IsSoftDeleted accountEnabled dirSyncEnabled onPremisesSyncEnabled"
_DATES: Final = """
    employeeHireDate employeeLeaveDateTime createdDateTime deletedDateTime deletedTimestamp
    onPremisesLastSyncDateTime externalUserStateChangeDateTime lastPasswordChangeDateTime
"""
_REFERENCES: Final = "manager"


@dataclass(frozen=True)
class SourceAttribute:
    """One attribute of a person in the directory."""

    name: str
    type: AttributeType = AttributeType.STRING
    multivalued: bool = False


def _named(names: str, kind: AttributeType, *, multivalued: bool = False) -> dict[str, SourceAttribute]:
    return {name: SourceAttribute(name, kind, multivalued) for name in names.split()}


SOURCE_ATTRIBUTES: Final[Mapping[str, SourceAttribute]] = {
    **_named(_TEXTS, AttributeType.STRING),
    **_named(" ".join(f"extensionAttribute{number}" for number in range(1, 16)), AttributeType.STRING),
    **_named(_LISTS, AttributeType.STRING, multivalued=True),
    **_named(_BOOLEANS, AttributeType.BOOLEAN),
    **_named(_DATES, AttributeType.DATE_TIME),
    **_named(_REFERENCES, AttributeType.REFERENCE),
}
"""Attributes that every mapping may name without declaring them."""


class KnownAttributes(Collection[str]):
    """The source attributes that one mapping may name: the usual ones, the source's own, the schema's own."""

    def __init__(self, declared: Mapping[str, AttributeDefinition], offered: Iterable[str] | None = None) -> None:
        known = dict(SOURCE_ATTRIBUTES)
        if offered is not None:
            names = frozenset(offered) | COMPUTED
            known = {name: known.get(name, SourceAttribute(name)) for name in sorted(names)}
        for name, definition in declared.items():
            known[name] = SourceAttribute(name, definition.type, definition.multivalued)
        self._known = known

    def find(self, name: str) -> SourceAttribute | None:
        """Give the attribute called `name`, directory extensions included; null when there is none."""
        found = self._known.get(name)
        if found is None and _EXTENSION.fullmatch(name):
            return SourceAttribute(name)
        return found

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and self.find(name) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    def __len__(self) -> int:
        return len(self._known)
