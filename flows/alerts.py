"""The ready alerts of a job as Prefect automations: created, or brought up to date by their names."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any, Final
from uuid import UUID

import httpx
import yaml
from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.events.actions import DoNothing, SendNotification
from prefect.events.schemas.automations import AutomationCore
from prefect.exceptions import ObjectNotFound, PrefectException
from rich.console import Console
from rich.text import Text

from tasks.job import Job
from tasks.model import BadInputError, UnreachableError

_BODY: Final = """\
{{ automation.description }}

{{ event.resource.name }}: {{ event.event }}, {{ event.occurred }}
{% for name, value in event.payload.items() %}{{ name }}: {{ value }}
{% endfor %}"""


def alerts_of(job: str, silence_minutes: float, block_id: UUID | None = None) -> list[AutomationCore]:
    """Give the automations of `deployments/alerts.yaml` for a job.

    `silence_minutes` is how long no cycle may end; `block_id` names the notification block that sends the alert.
    Without one an automation that fires only stands in Prefect's event feed.
    """
    text = (resources.files("deployments") / "alerts.yaml").read_text(encoding="utf-8")
    made = []
    for alert in yaml.safe_load(text):
        trigger = _filled(alert["trigger"], {"JOB": job, "SILENCE": round(silence_minutes * 60)})
        name = f"{job}: {alert['name']}"
        actions: list[Any] = [*alert.get("actions", ())]
        if block_id is not None:
            subject = f"Replicon provisioning, {name}"
            actions.append(SendNotification(block_document_id=block_id, subject=subject, body=_BODY))
        described = {"name": name, "description": alert["description"], "tags": ["replicon-provisioning", f"job:{job}"]}
        made.append(
            AutomationCore.model_validate({**described, "trigger": trigger, "actions": actions or [DoNothing()]})
        )
    return made


def apply_alerts(console: Console, job: Job, silence_minutes: float, block: str = "") -> None:
    """Create the job's alerts, or bring those that are there up to date; name each.

    `block` is a notification block, `TYPE/NAME`. Raises `BadInputError` when there is no such block and
    `UnreachableError` when Prefect's API does not answer.
    """
    try:
        with get_client(sync_client=True) as client:
            alerts = alerts_of(job.name, silence_minutes, _block_id(client, block) if block else None)
            for alert in alerts:
                console.print(Text(f"{_put(client, alert)}  {alert.name}"))
    except (PrefectException, httpx.HTTPError) as error:
        raise UnreachableError(
            f"Prefect's API did not take the alerts: {error}. Set PREFECT_API_URL to a running server and try again."
        ) from error


def _put(client: SyncPrefectClient, alert: AutomationCore) -> str:
    """Create or update one by its name, which Prefect does not keep unique; give which."""
    there = client.read_automations_by_name(alert.name)
    if not there:
        client.create_automation(alert)
        return "created"
    client.update_automation(there[0].id, alert)
    for doubled in there[1:]:
        client.delete_automation(doubled.id)
    return "updated"


def _block_id(client: SyncPrefectClient, block: str) -> UUID:
    kind, _, name = block.partition("/")
    try:
        return client.read_block_document_by_name(name, kind).id
    except ObjectNotFound as error:
        raise BadInputError(
            f"Prefect has no block {block!r}: expected TYPE/NAME, such as slack-webhook/on-call. "
            "`prefect block ls` lists those there are."
        ) from error


def _filled(trigger: Any, values: dict[str, Any]) -> Any:
    """Put the job's values in place of the words that stand for them."""
    text = json.dumps(trigger).replace('"SILENCE"', str(values["SILENCE"]))
    for place in ("provisioning.job.JOB", "prefect.tag.job:JOB"):
        text = text.replace(place, place.replace("JOB", values["JOB"]))
    return json.loads(text)
