"""A fresh store for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from shoal.sql.duck import DuckStore, create_store

ZONE = "Europe/London"


@pytest.fixture
def store() -> Iterator[DuckStore]:
    """An empty store in memory."""
    with create_store(":memory:", zone=ZONE, now=0, memory="1GB", threads=1) as made:
        yield made
