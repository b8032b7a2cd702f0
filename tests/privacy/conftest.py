"""The shop of ``everywhere``: made once, a copy for each test."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
from tests.privacy.everywhere import Shop, made

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Everything loaded, live calls taken, a segment published, a backup made."""
    return made(tmp_path_factory.mktemp("original")).root.parent


@pytest.fixture
def shop(original: Path, tmp_path: Path) -> Shop:
    """A copy of the shop."""
    shutil.copytree(original, tmp_path / "copy")
    folder = tmp_path / "copy"
    return Shop(folder / "shop", folder / "files", folder / "old.zip")
