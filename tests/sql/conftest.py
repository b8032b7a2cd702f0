"""The fixture that makes small worlds on real stores."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from .worlds import World


@pytest.fixture
def world() -> Iterator[Callable[..., World]]:
    """Makes worlds, and closes them after the test."""
    made: list[World] = []

    def make(zone: str = "UTC", **schema: Any) -> World:
        made.append(World(zone, **schema))
        return made[-1]

    yield make
    for one in made:
        one.store.close()
