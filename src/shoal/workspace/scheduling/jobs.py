"""What can be asked of a workspace's jobs, whoever runs them: this process, or the server that has the workspace open."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from shoal.workspace.scheduling.runs import Run
    from shoal.workspace.scheduling.scheduler import Standing


class Jobs(Protocol):
    """The jobs of ``shoal.yaml``."""

    def table(self, now: int) -> list[Standing]:
        """All jobs, in the order of the file."""

    def run(self, name: str) -> Run:
        """Run a job now, whether it is due or not."""

    def run_due(self, now: int) -> list[Run]:
        """Run all that is due at an instant, one after the other; nothing where this is being done already."""

    def history(self, job: str | None = None, limit: int = 20) -> list[Run]:
        """The newest runs, of one job or of all."""
