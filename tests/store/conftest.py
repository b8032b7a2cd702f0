"""A fresh store for each test, in memory and in a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from shoal.sql.duck import DuckStore, create_store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ZONE = "Europe/London"


@pytest.fixture
def store() -> Iterator[DuckStore]:
    """An empty store in memory."""
    with create_store(":memory:", zone=ZONE, now=0, memory="1GB", threads=1) as made:
        yield made


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The path of a new, closed store."""
    place = tmp_path / "shop.duckdb"
    create_store(place, zone=ZONE, now=0, memory="1GB", threads=1).close()
    return place
