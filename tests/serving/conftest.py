"""A served shop for each test that asks for one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .served import Served, shop

SEGMENTS = {
    "buyers": 'did "Order Completed"',
    "just-bought": 'did "Order Completed" in last 2 seconds',
    "big": 'sum(revenue of "Order Completed" in last 30 days) >= 100',
    "big-pro": 'member of "big" and plan = "pro"',
}


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    """A shop with four segments and no data, being served."""
    found = Served(shop(tmp_path / "shop", SEGMENTS))
    try:
        yield found.start()
    finally:
        found.close()
