"""The made-up shop, loaded once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import shoal
from costs.shop import make_shop


@pytest.fixture(scope="session")
def lamp_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the loaded shop; whoever changes it works on a copy."""
    root = make_shop(tmp_path_factory.mktemp("lamps"))
    with shoal.open(root) as ws:
        ws.load()
    return root


@pytest.fixture
def lamps(lamp_folder: Path) -> Iterator[shoal.Workspace]:
    """The loaded shop, open."""
    with shoal.open(lamp_folder) as ws:
        yield ws
