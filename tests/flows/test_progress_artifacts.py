"""Progress artifacts: told beside whoever is told anyway, stored while the stage goes on, and never in its way."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from prefect import flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.filters import ArtifactFilter, ArtifactFilterFlowRunId
from prefect.client.schemas.objects import Artifact
from prefect.runtime import flow_run

from flows.progress_artifacts import Standing, progress_artifacts
from tasks.model import silent

NEVER = 3600.0


def of_run(run_id: Any) -> dict[str, Artifact]:
    """Give the artifacts of a run by key."""
    only = ArtifactFilter(flow_run_id=ArtifactFilterFlowRunId(any_=[run_id]))
    with get_client(sync_client=True) as client:
        return {str(found.key): found for found in client.read_artifacts(artifact_filter=only)}


def stored(percent: float | None = None) -> Artifact:
    """Give the present run's artifact of writing as soon as it is stored, and says so many percent if that is given."""
    for _ in range(400):
        found = of_run(flow_run.id).get("provisioning-progress-load-acme")
        if found is not None and percent in {None, found.data}:
            return found
        threading.Event().wait(0.05)
    raise AssertionError("no such artifact was stored")


def test_the_last_word_of_every_long_stage_is_stored_and_everybody_is_told() -> None:
    told: list[tuple[Any, ...]] = []

    @flow
    def run() -> str:
        with progress_artifacts("acme", lambda *word: told.append(word), NEVER) as progress:
            progress("extract", 10, 40, "1 pages")
            progress("transform", 1, 2)
            progress("extract", 30, 40, "3 pages")
        return str(flow_run.id)

    found = of_run(run())
    assert {key: (one.type, one.data) for key, one in found.items()} == {
        "provisioning-progress-extract-acme": ("progress", 75.0)
    }
    assert str(found["provisioning-progress-extract-acme"].description).startswith("30 of 40 people read; 3 pages; 10 ")
    assert told == [("extract", 10, 40, "1 pages"), ("transform", 1, 2, ""), ("extract", 30, 40, "3 pages")]


def test_an_artifact_is_brought_up_to_date_while_the_stage_goes_on() -> None:
    @flow
    def run() -> list[Any]:
        with progress_artifacts("acme", silent, 0.01) as progress:
            progress("load", 1, 4)
            first = stored().data
            progress("load", 3, 4)
            return [first, stored(75.0).data]

    assert run() == [25.0, 75.0]


def test_a_run_goes_on_when_prefect_does_not_store_its_progress(caplog: pytest.LogCaptureFixture) -> None:
    told: list[tuple[Any, ...]] = []

    @flow
    def run() -> str:
        with progress_artifacts("acme", lambda *word: told.append(word), 0.01) as progress:
            progress("load", 1, 4)
            with get_client(sync_client=True) as client:
                client.delete_artifact(stored().id)
            # There is nothing left to bring up to date, so that Prefect's server refuses.
            progress("load", 2, 4)
        progress("load", 4, 4)
        return "done"

    assert (run(), [word[1] for word in told]) == ("done", [1, 2, 4])
    assert "The progress could not be stored as an artifact; the run goes on" in caplog.text


def test_a_failing_run_leaves_how_far_it_got() -> None:
    ids: list[str] = []

    @flow
    def run() -> None:
        ids.append(str(flow_run.id))
        with progress_artifacts("acme", silent, NEVER) as progress:
            progress("extract", 1, 4)
            raise RuntimeError("the read broke off")

    with pytest.raises(RuntimeError, match="broke off"):
        run()
    assert of_run(ids[0])["provisioning-progress-extract-acme"].data == 25.0


@pytest.mark.parametrize(
    ("standing", "percent", "sentence"),
    [
        (Standing(0, None, "2 pages", 0, 1), 0.0, "0 people read; 2 pages"),
        (Standing(0, 0, "5 pages", 0, 1), 100.0, "0 of 0 people read; 5 pages"),
        (Standing(10, 40, "", 100, 102), 25.0, "10 of 40 people read; 5 a second; 30 left, about 6 s"),
        (Standing(1000, 4000, "", 0, 100), 25.0, "1,000 of 4,000 people read; 10 a second; 3,000 left, about 5 min"),
        (Standing(10, 40_000, "x", 0, 10), 0.025, "10 of 40,000 people read; x; 39,990 left, about 11.1 h"),
    ],
)
def test_progress_says_what_is_done_how_fast_and_what_is_left(
    standing: Standing, percent: float, sentence: str
) -> None:
    assert (standing.percent, standing.sentence("people read")) == (percent, sentence)
