"""What is done by itself: jobs of ``shoal.yaml``, when they are due, and how each run went."""

from __future__ import annotations

from shoal.workspace.scheduling.jobs import Jobs
from shoal.workspace.scheduling.runs import Run
from shoal.workspace.scheduling.scheduler import Due, Scheduler, Standing

__all__ = ["Due", "Jobs", "Run", "Scheduler", "Standing"]
