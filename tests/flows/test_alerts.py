"""Alerts as automations of a real Prefect server: applied twice they are there once, and one fires on our event."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from prefect.client.orchestration import get_client
from prefect.events.filters import EventFilter, EventNameFilter

from tasks.connectors.microsoft_graph.errors import SignInError
from tests.flows.conftest import Ended, Sandboxes
from tests.flows.running import run_cycle

NAMES = {
    "failure spike",
    "disable spike",
    "no run",
    "credentials failing",
    "quarantine entered",
    "quarantine reason changed",
    "quarantine left",
    "recovery",
    "run lost",
}


def fired(count: int) -> set[str]:
    """Give the names of the automations that fired, once there are `count` of them."""
    found: set[str] = set()
    for _ in range(150):
        # A filter ends at the moment it is made, so that each look needs its own.
        only = EventFilter(event=EventNameFilter(name=["prefect.automation.triggered"]))
        with get_client(sync_client=True) as client:
            answer = client.request("POST", "/events/filter", json={"filter": only.model_dump(mode="json")})
            events = answer.json()["events"]
        found = {event["resource"]["prefect.resource.name"] for event in events}
        if len(found) >= count:
            break
        threading.Event().wait(0.2)
    return found


def test_applying_alerts_creates_them_once(sandboxes: Sandboxes, tmp_path: Path, command: Callable[..., Ended]) -> None:
    job = sandboxes(users=20).job_file(tmp_path, name="alerted")
    first, second = (command("alerts", "apply", job, "--silence", "90") for _ in range(2))
    assert (first.code, first.out.count("created"), second.out.count("updated")) == (0, len(NAMES), len(NAMES))
    with get_client(sync_client=True) as client:
        made = [one for one in client.read_automations() if one.name.startswith("alerted: ")]
    assert sorted(one.name for one in made) == sorted(f"alerted: {name}" for name in NAMES)
    silence = next(one for one in made if one.name == "alerted: no run")
    assert silence.trigger.model_dump()["within"].total_seconds() == 90 * 60


def test_refused_credentials_fire_their_alerts_and_recovery_its_own(
    sandboxes: Sandboxes, tmp_path: Path, command: Callable[..., Ended]
) -> None:
    job = sandboxes(users=20, seed=3).job_file(tmp_path, name="watched")
    command("alerts", "apply", job)
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("GRAPH_CLIENT_SECRET", "not-the-secret")
        with pytest.raises(SignInError):
            run_cycle(job)
    alarmed = {"watched: credentials failing", "watched: quarantine entered"}
    assert fired(len(alarmed)) & {f"watched: {name}" for name in NAMES} == alarmed
    run_cycle(job)
    assert "watched: quarantine left" in fired(len(alarmed) + 1)


def test_a_block_that_is_not_there_is_named(
    sandboxes: Sandboxes, tmp_path: Path, command: Callable[..., Ended]
) -> None:
    job = sandboxes(users=20).job_file(tmp_path, name="blocked")
    ended = command("alerts", "apply", job, "--block", "slack-webhook/nobody")
    assert (ended.code, "slack-webhook/nobody" in ended.err) == (2, True)
