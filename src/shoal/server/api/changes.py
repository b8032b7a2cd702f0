"""Changes of memberships out: in pages, and as they happen (server-sent events), each from a number on."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import StreamingResponse

from shoal.server.api.app import live_of, needs
from shoal.workspace.live.webhooks import document

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from shoal.server.service import Service
    from shoal.workspace.live import Live

router = APIRouter(prefix="/v1/changes", tags=["changes"])
QUIET = 15.0
"""Seconds of silence after which a comment keeps the line open."""
STEP = 0.5
"""Seconds after which a reader's line is let go at the latest, where the server is told to stop."""
_NEWEST = (1 << 63) - 1


@router.get("", summary="Changes after a number", dependencies=[needs("read")])
def page(
    request: Request,
    after: Annotated[int, Query(ge=0, le=_NEWEST, description="the number of the last change that is known")] = 0,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1_000,
) -> dict[str, Any]:
    """The changes after a number, in order; ``next`` is where to go on."""
    found = live_of(request).stream.after(after, limit)
    return {"changes": [document(n) for n in found], "next": found[-1].seq if found else after}


@router.get("/stream", summary="Changes as they happen", dependencies=[needs("read")])
async def stream(
    request: Request,
    after: Annotated[int | None, Query(ge=0, le=_NEWEST)] = None,
    last_event_id: Annotated[str | None, Header()] = None,
) -> StreamingResponse:
    """Server-sent events ``change``; a reader that comes again names the last number (``Last-Event-ID``, or ``after``)."""
    live = live_of(request)
    begin = live.stream.last if after is None else after
    if after is None and last_event_id is not None and last_event_id.isdecimal():
        begin = min(int(last_event_id), _NEWEST)
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_events(live, begin, request), media_type="text/event-stream", headers=headers)


async def _events(live: Live, after: int, request: Request) -> AsyncIterator[str]:
    service: Service = request.app.state.service
    loop, more = asyncio.get_running_loop(), asyncio.Event()

    def wake() -> None:
        loop.call_soon_threadsafe(more.set)

    end = live.stream.watch(wake)
    silent = 0.0
    try:
        # A number alone: who loses the line before the first change comes again with it, and misses nothing.
        yield f": changes of memberships\nid: {after}\n\n"
        while live.ready and not service.ending() and not await request.is_disconnected():
            more.clear()
            found = await asyncio.to_thread(live.stream.after, after) if live.stream.last > after or not silent else []
            for n in found:
                after = n.seq
                yield f"id: {n.seq}\nevent: change\ndata: {json.dumps(document(n))}\n\n"
            if found:
                silent = 0.0
                continue
            try:
                await asyncio.wait_for(more.wait(), STEP)
            except TimeoutError:
                silent += STEP
                if silent >= QUIET:
                    silent = 0.0
                    yield ": still here\n\n"
    finally:
        end()
