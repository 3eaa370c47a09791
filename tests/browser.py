"""A real browser for tests: the chromium that the machine has, driven by Playwright.

Import the fixture into a folder's conftest.py: `from tests.browser import page`. While a page is open its event loop
runs in this thread, so run flows before: in a fixture of a wider scope.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from typing import Final

import pytest
from playwright.sync_api import Page, expect, sync_playwright

WIDTH: Final = 1280
"""Pixels that pages have to be readable in."""
PATIENCE_MS: Final = 60_000
"""How long something may take to appear on a busy machine."""
_NAMES: Final = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
_ARGUMENTS: Final = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking")


def browser_path() -> str | None:
    """Give the browser: the one that PROVISION_BROWSER names, else a chromium or Chrome on the path; null if none."""
    named = os.environ.get("PROVISION_BROWSER")
    return named or next((found for name in _NAMES if (found := shutil.which(name))), None)


@pytest.fixture
def page() -> Iterator[Page]:
    """Open an empty page, 1,280 pixels wide. Skips where no browser is installed."""
    path = browser_path()
    if path is None:
        pytest.skip("No browser here: install chromium, or name one in PROVISION_BROWSER.")
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=list(_ARGUMENTS))
        opened = browser.new_page(viewport={"width": WIDTH, "height": 1000})
        opened.set_default_timeout(PATIENCE_MS)
        yield opened
        browser.close()
