"""`provision demo`, as a newcomer runs it: one command in an empty directory."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> subprocess.CompletedProcess[str]:
    """Run the demo in an empty directory, in a process of its own that knows nothing of this one's Prefect."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    return subprocess.run(
        [sys.executable, "-m", "flows.cli", "demo"],
        cwd=tmp_path_factory.mktemp("empty"),
        env={**inherited, "COLUMNS": "160", "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
        timeout=280,
    )


def test_the_demo_succeeds(demo: subprocess.CompletedProcess[str]) -> None:
    assert demo.returncode == 0, demo.stdout + demo.stderr
    assert "Traceback" not in demo.stdout + demo.stderr


def test_the_demo_shows_who_was_created_updated_disabled_and_skipped(demo: subprocess.CompletedProcess[str]) -> None:
    said = demo.stdout.lower()
    assert [
        word for word in ("created", "updated", "disabled", "skipped", "@northwind.example") if word not in said
    ] == []


def test_the_demo_says_why_somebody_was_disabled(demo: subprocess.CompletedProcess[str]) -> None:
    said = " ".join(demo.stdout.split())
    assert "Sign-in is blocked in Microsoft Entra ID" in said or "No longer in scope" in said


def test_the_third_cycle_of_the_demo_writes_nothing(demo: subprocess.CompletedProcess[str]) -> None:
    assert "0 writes were sent" in demo.stdout


def test_the_demo_names_what_to_try_next(demo: subprocess.CompletedProcess[str]) -> None:
    assert "provision demo --serve" in demo.stdout
    assert "provision history" in demo.stdout
