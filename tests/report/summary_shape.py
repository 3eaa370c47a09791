"""The documented shape of provisioningObjectSummary as a JSON Schema, for holding our exports against.

Written from the resource types of Microsoft Graph v1.0: provisioningObjectSummary, provisioningStatusInfo,
provisioningErrorInfo, provisioningStep, modifiedProperty, servicePrincipal, provisioningSystem, initiator and
provisionedIdentity. Nothing beyond what is documented is allowed.
"""

from __future__ import annotations

from typing import Any, Final

TEXT: Final = {"type": "string"}
MAYBE: Final = {"type": ["string", "null"]}
DETAILS: Final = {"type": "object", "additionalProperties": MAYBE}


def closed(**properties: Any) -> dict[str, Any]:
    """Give an object that has exactly these properties."""
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def one_of(*words: str) -> dict[str, Any]:
    """Give an enumeration."""
    return {"enum": list(words)}


SYSTEM: Final = closed(id=TEXT, displayName=TEXT, details=DETAILS)
IDENTITY: Final = closed(id=TEXT, displayName=TEXT, identityType=TEXT, details=DETAILS)
STATUS: Final = one_of("success", "warning", "failure", "skipped", "unknownFutureValue")
ERROR: Final = closed(
    errorCode=TEXT,
    reason=MAYBE,
    additionalDetails=MAYBE,
    errorCategory=one_of("failure", "nonServiceFailure", "success", "unknownFutureValue"),
    recommendedAction=MAYBE,
)
STEP: Final = closed(
    name=TEXT,
    provisioningStepType=one_of(
        "import", "scoping", "matching", "processing", "referenceResolution", "export", "unknownFutureValue"
    ),
    status=STATUS,
    description=TEXT,
    details=DETAILS,
)
SUMMARY: Final = closed(
    id=TEXT,
    activityDateTime={"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"},
    tenantId=TEXT,
    jobId=TEXT,
    cycleId=TEXT,
    changeId=TEXT,
    provisioningAction=one_of("create", "update", "delete", "stageddelete", "disable", "other", "unknownFutureValue"),
    durationInMilliseconds={"type": "integer", "minimum": 0},
    provisioningStatusInfo=closed(status=STATUS, errorInformation={"anyOf": [ERROR, {"type": "null"}]}),
    provisioningSteps={"type": "array", "items": STEP, "minItems": 1},
    modifiedProperties={"type": "array", "items": closed(displayName=TEXT, oldValue=MAYBE, newValue=MAYBE)},
    servicePrincipal=closed(id=TEXT, displayName=TEXT),
    sourceSystem=SYSTEM,
    targetSystem=SYSTEM,
    initiatedBy=closed(id=TEXT, displayName=TEXT, initiatorType=one_of("user", "application", "system")),
    sourceIdentity=IDENTITY,
    targetIdentity=IDENTITY,
)
