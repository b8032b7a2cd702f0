"""Whether the server is well, and its figures for Prometheus."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse

from shoal.clock import iso
from shoal.server.api.app import live_of, needs
from shoal.workspace.live.delays import BOUNDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shoal.server.service import Service
    from shoal.workspace.live import Live

router = APIRouter()


@router.get("/healthz", summary="Whether the workspace is ready")
def healthz(request: Request) -> JSONResponse:
    """200 with ``ok`` where calls are taken and memberships are of this moment, else 503."""
    service: Service = request.app.state.service
    live = service.live
    if live is None or not live.ready:
        failed = service.failure is not None or (live is not None and live.failure is not None)
        return JSONResponse({"status": "failed" if failed else "starting"}, 503)
    backlog = live.backlog
    waiting = {"calls": backlog.calls, "records": backlog.records}
    return JSONResponse({"status": "ok", "now": iso(live.clock.now()), "waiting": waiting})


@router.get("/metrics", summary="Figures for Prometheus", dependencies=[needs("read")])
def metrics(request: Request) -> PlainTextResponse:
    """Delay from arrival to membership, what waits where, how much came."""
    live = live_of(request)
    return PlainTextResponse("\n".join(_lines(live)) + "\n", media_type="text/plain; version=0.0.4")


def _lines(live: Live) -> Iterator[str]:
    counts, backlog, delays = live.core.counts, live.backlog, live.delays
    yield from _one("shoal_calls_total", "counter", "Calls that took effect.", counts.calls)
    yield from _one("shoal_duplicates_total", "counter", "Copies of known messages.", counts.duplicates)
    yield from _one("shoal_unidentified_total", "counter", "Calls that name nobody.", counts.unidentified)
    yield from _one("shoal_rejected_total", "counter", "Records that can't be stored.", counts.rejected)
    yield from _one("shoal_changes_total", "counter", "Changes of memberships.", counts.changes)
    yield from _one("shoal_waiting_calls", "gauge", "Calls on disk that haven't taken effect.", backlog.calls)
    yield from _one("shoal_waiting_records", "gauge", "Records that the store hasn't yet.", backlog.records)
    yield from _one("shoal_log_bytes", "gauge", "Bytes of the log on disk.", live.log.size)
    yield from _one("shoal_customers", "gauge", "Customers in memory.", len(live.core.engine.state.people))
    yield from _one("shoal_segments", "gauge", "Segments in force.", len(live.definitions))
    name, total = "shoal_membership_delay_seconds", 0
    yield f"# HELP {name} From a call's arrival until its memberships can be read."
    yield f"# TYPE {name} histogram"
    for bound, number in zip(BOUNDS, delays.classes, strict=True):
        total += number
        yield f'{name}_bucket{{le="{"+Inf" if bound == BOUNDS[-1] else bound}"}} {total}'
    yield f"{name}_sum {delays.total / 1_000_000}"
    yield f"{name}_count {delays.calls}"


def _one(name: str, kind: str, said: str, value: Any) -> Iterator[str]:
    yield f"# HELP {name} {said}"
    yield f"# TYPE {name} {kind}"
    yield f"{name} {value}"
