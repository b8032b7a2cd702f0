"""What each kind of job does. Each gives back a sentence for its history."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeAlias

from shoal.clock import from_instant
from shoal.config.jobs import DATE
from shoal.wording import counted
from shoal.workspace.moments import local_stamp

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from shoal.config import Job
    from shoal.workspace.opening import Workspace

    Work: TypeAlias = Callable[["Workspace", Job, int], str]
    """Given the workspace, the job and the instant at which the run began."""


def load(workspace: Workspace, job: Job, at: int) -> str:
    """Load what is new or changed, and publish what that changes."""
    return " ".join(workspace.load(only=job.options["only"]).lines())


def recalibrate(workspace: Workspace, job: Job, at: int) -> str:
    """Work out the cut points of RFM and lifecycle anew."""
    return " ".join(workspace.data.recalibrate()) or "Worked out anew."


def predict(workspace: Workspace, job: Job, at: int) -> str:
    """Score all customers; fit what was never fitted, or all anew where the job says so."""
    done = workspace.models.predict(job.options["models"], refit=job.options["refit"])
    said = [f"{counted(len(done.changed), 'trait')} scored by {counted(len(done.versions), 'model')}"]
    said += [f"{name} refused: {why}" for name, why in done.refused.items()]
    said += [f"drift in {name}" for name in done.drift]
    return "; ".join(said) + "."


def assign(workspace: Workspace, job: Job, at: int) -> str:
    """Look by the frozen groups who is in another micro-segment now; what has drifted becomes a proposal."""
    done = workspace.discovery.assign()
    said = f"{done.customers:,} looked at: {done.new:,} new, {done.moved:,} moved, {done.gone:,} gone."
    return said if done.proposal is None else f"{said} A new fit is proposed: shoal discover proposal."


def feedback(workspace: Workspace, job: Job, at: int) -> str:
    """Write the mood of each customer's newest text as a trait, and publish who moves by it."""
    done = workspace.feedback.write()
    said = [f"{counted(many, 'customer')} with another {name}" for name, many in done.changed.items()]
    said += [f"{name} not written: {why}" for name, why in done.skipped.items()]
    return f"{'; '.join(said)}; {done.entered:,} entered a segment by it, {done.left:,} left one."


def alerts(workspace: Workspace, job: Job, at: int) -> str:
    """Look at all metrics that are watched, and tell of what is new or over."""
    door = workspace.metrics.alerts()
    done = door.check()
    sent = door.tell(job.options["to"])
    told = f" {counted(sent, 'mail')} sent." if sent else ""
    return " ".join([done.sentence + told, *done.refused])


def publish(workspace: Workspace, job: Job, at: int) -> str:
    """Evaluate all segments now, and publish who has entered or left."""
    changes = workspace.segments.publish(because="scheduled").changes.values()
    return f"{sum(e for e, _ in changes):,} entered a segment, {sum(gone for _, gone in changes):,} left one."


def report(workspace: Workspace, job: Job, at: int) -> str:
    """Write the report."""
    name = str(job.options["to"]).replace(DATE, local_stamp(at, workspace.config.zone)[: len("2017-09-01")])
    return f"Wrote {workspace.reports.write(name)}."


def dashboard(workspace: Workspace, job: Job, at: int) -> str:
    """Mail a dashboard."""
    from shoal.workspace.dashboard_mail import post

    sent = post(workspace, **job.options, at=at)
    return f"{counted(sent, 'mail')} sent with the dashboard {job.options['dashboard']}."


def backup(workspace: Workspace, job: Job, at: int) -> str:
    """Write a copy, and remove the oldest of this job's own beyond those to keep."""
    folder: Path = job.options["to"]
    folder.mkdir(parents=True, exist_ok=True)
    made = workspace.backup(folder / f"{job.name}-{from_instant(at):%Y%m%dT%H%M%SZ}.zip")
    own = re.compile(rf"{re.escape(job.name)}-\d{{8}}T\d{{6}}Z\.zip")
    old = sorted(path for path in folder.iterdir() if own.fullmatch(path.name))[: -job.options["keep"]]
    for path in old:
        path.unlink()
    removed = f" Removed {counted(len(old), 'older copy', 'older copies')}." if old else ""
    return f"Wrote {made} ({made.stat().st_size / 1e6:.1f} MB).{removed}"


def expire(workspace: Workspace, job: Job, at: int) -> str:
    """Remove events that are older than ``retention:`` allows, and publish what that changes."""
    gone = workspace.privacy.expire()
    if not gone:
        return "No event is older than it may be."
    workspace.refresh()
    workspace.segments.publish(because="retention")
    return f"Removed {', '.join(f'{many:,} {name}' for name, many in gone.items())}."


WORK: Mapping[str, Work] = {
    "load": load,
    "recalibrate": recalibrate,
    "predict": predict,
    "assign": assign,
    "feedback": feedback,
    "alerts": alerts,
    "report": report,
    "dashboard": dashboard,
    "publish": publish,
    "expire": expire,
    "backup": backup,
}
"""Who does what ``run:`` names; the same names as in ``config.jobs.OPTIONS``."""
