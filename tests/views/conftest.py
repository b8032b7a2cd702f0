"""One full report for all tests of the views, and the workspace behind it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from shop import SEGMENTS, make_shop
from voices import make_voices

from shoal.views.report import Facts
from shoal.workspace import open_workspace

HOSTILE = "<script>alert('hi')</script> & \"co\""


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop with cost, surveys and consent, whose names try to break the page."""
    segments = dict(SEGMENTS) | {"hostile": (HOSTILE, 'city = "Hamburg"'), "formula": ("=1+1", 'city = "Köln"')}
    return make_shop(
        tmp_path_factory.mktemp("shop") / "shop",
        name="<b>Shop</b>",
        cost=True,
        surveys=True,
        consent=True,
        segments=segments,
    )


@pytest.fixture(scope="session")
def facts(shop: Path) -> Facts:
    """The facts of the shop's report."""
    with open_workspace(shop) as ws:
        return ws.reports.facts()


@pytest.fixture(scope="session")
def report(shop: Path) -> Path:
    """The shop's report, written."""
    with open_workspace(shop) as ws:
        return ws.reports.write(shop / "report.html")


@pytest.fixture(scope="session")
def voices(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop whose customers answered surveys and wrote reviews, from real sentences."""
    folder = os.environ.get("SHOAL_TEST_DATA")
    if not folder:
        pytest.skip("SHOAL_TEST_DATA names no folder of real data")
    return make_voices(tmp_path_factory.mktemp("voices") / "shop", Path(folder), each=400)
