"""Every test of the engine runs by compiled loops and by numpy alone."""

from __future__ import annotations

import pytest


@pytest.fixture(params=["numba", "numpy"], autouse=True)
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Which of the two ways is taken."""
    monkeypatch.setenv("SHOAL_NUMBA", "1" if request.param == "numba" else "0")
    return str(request.param)
