"""What is live in pages: an element with ``data-live`` gets its text from here as it changes, by server-sent events.

A key is ``customers``, ``until``, ``events``, ``rate`` (events of the last minute), ``delay``, or of a segment
``segment:SLUG:size`` and ``segment:SLUG:delay``.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import StreamingResponse

from shoal.clock import SECOND, stopwatch
from shoal.server.api.app import live_of
from shoal.web.people import may, service_of, still_in

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from shoal.workspace.live import Live

router = APIRouter(dependencies=[Depends(may("view"))])
STEP = 0.5
"""Seconds between two looks."""
QUIET = 15.0
"""Seconds of silence after which a comment keeps the line open."""
MINUTE_SECONDS = 60.0
MOST = 500
"""So many values may a page watch."""
_P95 = 1


@router.get("/live")
async def values_as_they_change(
    request: Request, watch: Annotated[str, Query(max_length=100_000)] = ""
) -> StreamingResponse:
    """Server-sent events ``values``: those that have changed, as texts by their keys."""
    live = live_of(request)
    keys = [key for key in watch.split(",") if key][:MOST]
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_events(request, live, keys), media_type="text/event-stream", headers=headers)


async def _events(request: Request, live: Live, keys: Sequence[str]) -> AsyncIterator[str]:
    service, told, silent = service_of(request), dict[str, str](), 0.0
    written: Mapping[str, Callable[..., Any]] = request.app.state.templates.filters
    yield ": values of the page\n\n"
    # A line that stays open must end with the sign-in that opened it.
    while live.ready and not service.ending() and still_in(request) and not await request.is_disconnected():
        now = await asyncio.to_thread(values, live, keys, written)
        if "rate" in keys:
            now["rate"] = written["count"](_rate(request, live.delays.calls.count))
        changed = {key: text for key, text in now.items() if told.get(key) != text}
        silent = 0.0 if changed else silent + STEP
        if changed:
            told |= changed
            yield f"event: values\ndata: {json.dumps(changed)}\n\n"
        elif silent >= QUIET:
            silent = 0.0
            yield ": still here\n\n"
        await asyncio.sleep(STEP)


def _rate(request: Request, count: int) -> int:
    """How many events came in the last minute, or since somebody first looked, where that is less long ago."""
    state, now = request.app.state, stopwatch()
    seen: deque[tuple[float, int]] | None = getattr(state, "live_counts", None)
    if seen is None:
        seen = state.live_counts = deque()
    if not seen or now - seen[-1][0] >= STEP:
        seen.append((now, count))
    while len(seen) > 1 and now - seen[1][0] >= MINUTE_SECONDS:
        seen.popleft()
    return count - seen[0][1]


def values(live: Live, keys: Sequence[str], written: Mapping[str, Callable[..., Any]]) -> dict[str, str]:
    """The texts of keys; what isn't known, as a segment that was removed, has none.

    Args:
        live: the workspace.
        keys: as pages name them.
        written: the filters of templates, so that a number looks as it did when the page was made.
    """
    segments = {slug: what for slug, what in map(_segment, keys) if slug}
    found: dict[str, str] = {}
    with live.lock:
        engine = live.core.engine
        for slug in segments.keys() & engine.plan.definitions.keys():
            found[f"segment:{slug}:size"] = written["count"](engine.size(slug))
        people, now = engine.state.people, engine.now
        standing = len(people) - len(people.gone_rows)
    found["customers"] = written["count"](standing)
    found["until"] = written["when"](now)
    calls = live.delays.calls
    found["events"] = written["count"](calls.count)
    found["delay"] = written["seconds"](calls.total / calls.count / SECOND if calls.count else None)
    if any(key.endswith(":delay") for key in keys):
        found |= _delays(live, written)
    return {key: found[key] for key in keys if key in found}


def _segment(key: str) -> tuple[str, str]:
    kind, _, rest = key.partition(":")
    slug, _, what = rest.rpartition(":")
    return (slug, what) if kind == "segment" else ("", "")


def _delays(live: Live, written: Mapping[str, Callable[..., Any]]) -> dict[str, str]:
    """How long it takes, in 95 of a hundred cases, from an event until a segment's members are of it."""
    of_each = live.delays.segments(live.definitions, live.clock.now())
    return {
        f"segment:{slug}:delay": written["seconds"](sketch.quantiles()[_P95])
        for slug, cause, sketch in of_each
        if cause == "event"
    }
