"""Logs and snapshots that earlier releases wrote still open; ``tests/frozen/make_log.py`` made them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from shoal.log import Log, snapshot

FROZEN = Path(__file__).parents[1] / "frozen"


@pytest.mark.parametrize("version", [1])
def test_a_frozen_log_is_read_and_goes_on(version: int, tmp_path: Path) -> None:
    """Breaks if a change of the bytes keeps logs that exist from opening, or reads them differently."""
    folder = tmp_path / "log"
    shutil.copytree(FROZEN / f"log_{version}", folder)
    holds = json.loads((folder / "holds.json").read_text())
    with Log.open(folder) as log:
        assert log.cut_bytes == 28
        assert [[e.position, e.kind, e.payload.decode()] for e in log.read()] == holds
        assert log.append(1, b"goes on") == holds[-1][0] + 1


@pytest.mark.parametrize("version", [1])
def test_a_frozen_snapshot_is_read(version: int) -> None:
    """Breaks if a release can't start from the snapshot of the one before without knowing."""
    loaded, reasons = snapshot.newest(FROZEN / f"log_{version}")
    assert loaded is not None, reasons
    assert (loaded.position, loaded.head) == (14, {"made by": "make_log.py"})
    assert loaded.arrays["counts"].tolist() == list(range(10))
    assert loaded.arrays["counts"].dtype == np.uint32
    assert loaded.arrays["seen"].tolist() == [[True, False]]
    assert loaded.arrays["ids"].tolist() == [b"ann", b"bob"]
