"""What a log has and the store hasn't: after a server that didn't stop in good order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.errors import StoreLocked
from shoal.sql.layout import meta
from shoal.workspace.opening import STATE
from shoal.workspace.privacy import LOG_FOLDER

if TYPE_CHECKING:
    from shoal.workspace.opening import Workspace


def untaken(workspace: Workspace, *, check_all: bool = False) -> int:
    """How many entries were acknowledged that the store hasn't taken; the next server takes them over.

    Args:
        workspace: open. Where a server has it, there are none: it brings the store up to its log for whoever asks.
        check_all: read every file of the log, whether it is sound.

    Raises:
        StoreError: the log is damaged.
    """
    from shoal.log import Log

    folder = workspace.config.root / STATE / LOG_FOLDER
    if workspace.served is not None or not any(folder.glob("*.log")):
        return 0
    taken = int(meta(workspace.store).get("log_position", "0"))
    try:
        with Log.open(folder, check_all=check_all) as log:
            return sum(1 for _ in log.read(max(taken, log.first - 1)))
    except StoreLocked:
        # This process serves the workspace, and has brought the store up to the log.
        return 0
