"""Whether the server is well, what isn't in force as it is written, and its figures for Prometheus."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse

from shoal import __version__
from shoal.clock import iso
from shoal.server.api.app import live_of, needs
from shoal.server.figures import figures

if TYPE_CHECKING:
    from shoal.errors import ShoalError
    from shoal.server.service import Service

router = APIRouter(tags=["server"])


@router.get("/healthz", summary="Whether the workspace is ready")
def healthz(request: Request) -> JSONResponse:
    """200 with ``ok`` where calls are taken and memberships are of this moment, else 503.

    ``faults`` names files whose last good version is in force; ``/v1/status`` says why.
    """
    service: Service = request.app.state.service
    live = service.live
    if live is None or not live.ready:
        failed = service.failure is not None or (live is not None and live.failure is not None)
        return JSONResponse({"status": "failed" if failed else "starting"}, 503)
    if live.log.refusing is not None:
        # The disk is full, or refuses: calls get 503 until it takes entries again.
        return JSONResponse({"status": "failed"}, 503)
    backlog = live.backlog
    waiting = {"calls": backlog.calls, "records": backlog.records}
    faults = sorted(service.faulty)
    return JSONResponse({"status": "ok", "now": iso(live.clock.now()), "waiting": waiting, "faults": faults})


@router.get("/v1/status", summary="The served workspace at a glance", dependencies=[needs("read")])
def status(request: Request) -> dict[str, Any]:
    """What it holds, what waits, and each file that isn't in force as it is written, with place and fix."""
    service: Service = request.app.state.service
    live = live_of(request)
    backlog = live.backlog
    with live.lock:
        customers = len(live.core.engine.standing())
        schema, segments = live.core.schema, len(live.definitions)
    return {
        "version": __version__,
        "workspace": live.workspace.config.name,
        "now": iso(live.clock.now()),
        "customers": customers,
        "events": sorted(schema.events),
        "segments": segments,
        "waiting": {"calls": backlog.calls, "records": backlog.records, "bytes": backlog.bytes},
        "faults": [_fault(name, error) for name, error in sorted(service.faulty.items())],
        "at_next_start": service.restart,
    }


def _fault(name: str, error: ShoalError) -> dict[str, str | None]:
    return {"file": name, "problem": error.problem, "place": error.place or name, "fix": error.fix}


@router.get("/metrics", summary="Figures for Prometheus", dependencies=[needs("read")])
def metrics(request: Request) -> PlainTextResponse:
    """Delays over all and by segment, what waits where, how much came, and what it takes of the machine."""
    text = "\n".join(figures(live_of(request), request.app.state.collection.counts)) + "\n"
    return PlainTextResponse(text, media_type="text/plain; version=0.0.4")
