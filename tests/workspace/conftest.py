"""The corner shop, loaded once; each test works on a copy of its own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from shoal.workspace import Workspace, open_workspace
from shoal.workspace.proposing import propose_workspace

EXPORTS = Path(__file__).parents[2] / "examples" / "corner-shop" / "exports"
LAPSED = 'sum(revenue of "Order Completed") > 500 and not did "Order Completed" in last 60 days'


@pytest.fixture(scope="session")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace as a new user has it after init, load and one segment."""
    folder = tmp_path_factory.mktemp("corner-shop")
    shutil.copytree(EXPORTS, folder / "exports")
    propose_workspace(folder / "shop", folder / "exports")
    with open_workspace(folder / "shop") as shop:
        shop.load()
        shop.segments.add("Lapsed VIPs", LAPSED, why="Win them back.")
    return folder


@pytest.fixture
def root(loaded: Path, tmp_path: Path) -> Path:
    """A copy of the loaded workspace's folder."""
    shutil.copytree(loaded, tmp_path / "copy")
    return tmp_path / "copy" / "shop"


@pytest.fixture
def shop(root: Path) -> object:
    """The copy, open."""
    with open_workspace(root) as workspace:
        yield workspace


__all__ = ["Workspace"]
