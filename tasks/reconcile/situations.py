"""What reconcile can find for one person, and what is done about it unless something forbids it: one table.

`plan` reads the table. Whether a job's target object actions or the guards forbid an operation is decided there.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Final

from tasks.model import Decision, Operation, Situation


@dataclasses.dataclass(frozen=True)
class Rule:
    """What is done in a situation, and why: the sentence with which the reason of its rows begins."""

    operation: Operation
    decision: Decision
    why: str


RULES: Final[Mapping[Situation, Rule]] = {
    Situation.CONFIRMED: Rule(Operation.UPDATE, Decision.GO, "The linked account was compared with the mapping"),
    Situation.FOUND: Rule(Operation.UPDATE, Decision.GO, "It is linked to this person"),
    Situation.ABSENT: Rule(Operation.CREATE, Decision.GO, "Assigned and active, and no Replicon account matches"),
    Situation.AMBIGUOUS: Rule(Operation.NONE, Decision.HOLD, "Several Replicon accounts match"),
    Situation.CONTESTED: Rule(Operation.NONE, Decision.HOLD, "Several people claim one Replicon account"),
    Situation.MISSING: Rule(Operation.CREATE, Decision.GO, "The linked account is gone from Replicon"),
    Situation.OUT_OF_SCOPE: Rule(Operation.DISABLE, Decision.GO, "No longer in scope"),
    Situation.SOURCE_DISABLED: Rule(
        Operation.DISABLE, Decision.GO, "Sign-in is blocked in Microsoft Entra ID, or the person is in its recycle bin"
    ),
    Situation.SOURCE_DELETED: Rule(Operation.DELETE, Decision.GO, "Deleted from Microsoft Entra ID for good"),
    Situation.DRIFTED: Rule(
        Operation.UPDATE, Decision.GO, "The account was changed outside provisioning and is put back"
    ),
    Situation.ORPHAN: Rule(Operation.NONE, Decision.SKIP, "Nobody manages this account; it is only listed"),
    Situation.UNQUALIFIED: Rule(Operation.NONE, Decision.SKIP, "Never provisioned"),
}
"""Every situation with its default; a situation that needs a person's eye defaults to HOLD."""
