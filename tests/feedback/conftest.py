"""Small real stores of answers, texts and orders, made through the public doors."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest

from shoal.customers.writer import write_records
from shoal.sql.duck import DuckStore, create_store


@pytest.fixture
def store() -> Iterator[DuckStore]:
    """An empty store whose days begin in UTC."""
    made = create_store(":memory:", zone="UTC", now=0, threads=1)
    yield made
    made.close()


@pytest.fixture
def write(store: DuckStore) -> Callable[[Iterable[Any]], None]:
    def door(records: Iterable[Any]) -> None:
        assert write_records(store, records, zone="UTC", received=0).rejected == 0

    return door


@pytest.fixture(scope="session")
def real_data() -> Path:
    folder = os.environ.get("SHOAL_TEST_DATA")
    if not folder:
        pytest.skip("SHOAL_TEST_DATA names no folder of real data")
    return Path(folder)
