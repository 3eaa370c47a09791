"""The browser for the tests of an installation; the installation itself is in `installation.py`."""

from __future__ import annotations

from tests.browser import page

__all__ = ["page"]
