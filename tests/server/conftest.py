"""A running collection server for each test that asks for one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .recording import Running, running


@pytest.fixture
def live() -> Iterator[Running]:
    with running() as served:
        yield served
