"""A small sandbox directory whose listings have several pages, one for each test that asks for it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from deployments.sandbox.sandbox import Sandbox
from tests.extract.rig import small_pages


@pytest.fixture
def small() -> Iterator[Sandbox]:
    with Sandbox(users=60, seed=5, graph_settings=small_pages()) as sandbox:
        yield sandbox
