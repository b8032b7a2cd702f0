"""Shops with planted groups and without any, discovered once; each test that changes one works on a copy."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from shoal.workspace import Workspace, open_workspace
from shoal.workspace.discovery import Discovered

from . import shops

GROUPS = (2, 5)


@pytest.fixture(scope="session")
def discovered(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Discovered, dict[str, int]]:
    """The folder of a shop with four planted groups, what was found in it, and the truth."""
    rows, truth = shops.planted()
    people = [(who, ("Bonn", "Kiel", "Jena")[number % 3]) for number, who in enumerate(truth)]
    root = shops.make(tmp_path_factory.mktemp("planted") / "shop", rows, people, "\ndiscovery: {groups: 2-5}\n")
    with open_workspace(root) as shop:
        return root, shop.discovery.discover(), truth


@pytest.fixture
def root(discovered: tuple[Path, Discovered, dict[str, int]], tmp_path: Path) -> Path:
    """A copy of the discovered shop's folder."""
    return Path(shutil.copytree(discovered[0], tmp_path / "shop"))


@pytest.fixture
def shop(root: Path) -> Iterator[Workspace]:
    """The copy, open."""
    with open_workspace(root) as opened:
        yield opened


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder of real data."""
    folder = os.environ.get("SHOAL_TEST_DATA")
    if not folder:
        pytest.skip("SHOAL_TEST_DATA names no folder of real data")
    return Path(folder)
