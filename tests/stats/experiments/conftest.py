"""Where the published figures lie."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of data sets and figures."""
    folder = os.environ.get("SHOAL_TEST_DATA")
    if folder is None:
        pytest.skip("SHOAL_TEST_DATA names no folder of real data")
    return Path(folder)
