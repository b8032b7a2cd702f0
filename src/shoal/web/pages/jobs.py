"""Jobs: what is done by itself and when, how the last runs went, and a run now."""

from __future__ import annotations

from threading import Thread
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse

from shoal.errors import ShoalError, UnknownName
from shoal.server.api.app import live_of
from shoal.web.audit import note
from shoal.web.people import Person, may, now, service_of
from shoal.web.render import fragment, is_fragment, page
from shoal.web.tables import Column, listed
from shoal.web.telling import tell

if TYPE_CHECKING:
    from shoal.workspace.scheduling import Run, Standing

router = APIRouter(prefix="/jobs")
Viewer = Annotated[Person, Depends(may("view"))]
Editor = Annotated[Person, Depends(may("edit"))]
STATES = {"running": ("running", "accent"), "done": ("done", "good"), "failed": ("failed", "bad"),
          "interrupted": ("interrupted", "warn")}  # fmt: skip
RUNS = (
    Column("job", "Job"), Column("state", "How it went", "state"), Column("started", "Began", "when"),
    Column("seconds", "Took", "figure", by="took"), Column("message", "What it did"),
)  # fmt: skip
KEPT = 200


@router.get("")
def jobs(request: Request, person: Viewer) -> Response:
    """All jobs and their newest runs."""
    live_of(request)
    scheduler = service_of(request).scheduler
    found = [_job(one) for one in scheduler.table(now())]
    runs = [_run(one) for one in scheduler.history(None, KEPT)]
    listing = listed(request, "runs", RUNS, runs, sort="-started", label="runs", search=("job", "message"), size=25)
    values: dict[str, Any] = {"jobs": found, "listing": listing, "real": now(), "running": _is_running(runs)}
    if is_fragment(request) and request.headers.get("hx-target") == "jobs":
        return fragment(request, "jobs/_jobs.html", **values)
    return page(request, "jobs/jobs.html", title="Jobs", **values)


def _is_running(runs: list[dict[str, Any]]) -> bool:
    return any(one["state"] == STATES["running"] for one in runs)


def _job(one: Standing) -> dict[str, Any]:
    last = None if one.last is None else _run(one.last)
    return {"name": one.job.name, "run": one.job.run, "every": one.job.every.text, "next": one.due, "last": last}


def _run(run: Run) -> dict[str, Any]:
    from shoal.web.words import seconds

    took = None if run.finished is None else (run.finished - run.started) / 1e6
    return {"job": run.job, "state": STATES.get(run.state, (run.state, "")), "started": run.started, "took": took,
            "seconds": seconds(took), "message": run.message}  # fmt: skip


@router.post("/{name}/run")
def run(request: Request, person: Editor, name: str) -> Response:
    """Run a job now."""
    scheduler, answer = service_of(request).scheduler, RedirectResponse("/jobs", 303)
    if name not in scheduler.jobs:
        raise UnknownName("job", name, scheduler.jobs)
    busy = next(
        (one for one in scheduler.history(None, 5) if one.state == "running" and one.job in scheduler.jobs), None
    )
    if busy is not None:
        return tell(answer, f"{busy.job} runs at this moment. Wait until it has finished.", bad=True)
    note(request, "job run by hand", name)
    begun = Thread(target=_run_it, args=(scheduler, name), name=f"job {name}", daemon=True)
    begun.start()
    # A short one is over by then, and the page shows it.
    begun.join(0.5)
    return tell(answer, f"{name} runs." if begun.is_alive() else f"{name} is done; how it went stands below.")


def _run_it(scheduler: Any, name: str) -> None:
    try:
        scheduler.run(name)
    except ShoalError:
        # Another job began in between; the page shows it.
        return
