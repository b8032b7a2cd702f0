"""Chromium for tests: launched for a module and ended with it, since its event loop stops those of other tests."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A browser of Playwright's."""
    if CHROMIUM is None:
        pytest.skip("There is no Chromium. Install it with: apt-get install chromium")
    playwright = pytest.importorskip("playwright.sync_api", reason="Install it with: pip install playwright")
    with playwright.sync_playwright() as started:
        made = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield made
        made.close()
