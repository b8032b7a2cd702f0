"""One process owns a workspace."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from shoal.errors import StoreLocked
from shoal.workspace.lock import WorkspaceLock

HOLD = """
import sys, time
from pathlib import Path
from shoal.workspace.lock import WorkspaceLock
lock = WorkspaceLock(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


def test_a_second_owner_is_refused_by_name_and_a_dead_one_is_replaced(tmp_path: Path) -> None:
    """Breaks when two processes could write at once, or a killed one would lock the workspace for ever."""
    path = tmp_path / ".shoal" / "lock"
    with subprocess.Popen([sys.executable, "-c", HOLD, str(path)], stdout=subprocess.PIPE, text=True) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline() == "held\n"
        with pytest.raises(StoreLocked, match=f"process {owner.pid} "):
            WorkspaceLock(path, wait=0.1)
        owner.kill()
    WorkspaceLock(path, wait=5).release()
