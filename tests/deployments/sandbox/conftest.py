"""Fixtures of the sandbox's own tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.deployments.sandbox import replicon_rig


@pytest.fixture
def replicon() -> Iterator[replicon_rig.Rig]:
    """A Replicon with an administrator and a supervisor, on loopback."""
    with replicon_rig.running() as rig:
        yield rig
