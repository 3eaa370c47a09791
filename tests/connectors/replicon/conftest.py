"""What the tests of the Replicon connector share: the secret's place in the environment."""

from __future__ import annotations

import pytest

from tests.connectors.replicon.scripted import PASSWORD, PASSWORD_VARIABLE


@pytest.fixture(autouse=True)
def _password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PASSWORD_VARIABLE, PASSWORD)
