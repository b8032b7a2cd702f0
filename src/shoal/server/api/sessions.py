"""The routes of sessions: for processes of this machine that bear the token, which only the workspace's owner can read."""

from __future__ import annotations

import asyncio
from threading import Thread
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Header, HTTPException, Request, Response
from fastapi.responses import StreamingResponse

from shoal.errors import StoreError
from shoal.server.access import LOCAL
from shoal.server.api.app import live_of
from shoal.workspace.served.link import SESSION
from shoal.workspace.served.wire import encode_error

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from shoal.server.access import Access
    from shoal.server.service import Service
    from shoal.server.sessions import Session, Sessions

HEARTBEAT = 0.5
"""Seconds after which it is known that a client has gone, or the server is to end."""


def _own(request: Request, authorization: Annotated[str | None, Header()] = None) -> None:
    """Only for this machine, and with the token; a key isn't enough, whatever its scopes."""
    access: Access = request.app.state.access
    peer, here = request.scope.get("client"), request.scope.get("server")
    near = peer is not None and (peer[0] in ("127.0.0.1", "::1") or (here is not None and peer[0] == here[0]))
    if not near or access.of(authorization) is not LOCAL:
        raise HTTPException(403, "Only the command line on this machine may do this.")


router = APIRouter(prefix=SESSION, include_in_schema=False, dependencies=[Depends(_own)])


@router.get("")
async def begin(request: Request) -> StreamingResponse:
    """Begin a session: its id, and then nothing more; the session ends with this request."""
    live_of(request)
    service: Service = request.app.state.service
    sessions = service.sessions
    if sessions is None:
        raise HTTPException(503, "The workspace isn't ready.", {"Retry-After": "1"})
    return StreamingResponse(_held(request, service, sessions), media_type="text/plain")


async def _held(request: Request, service: Service, sessions: Sessions) -> AsyncIterator[str]:
    session = await asyncio.to_thread(sessions.begin)
    try:
        yield f"{session.id}\n"
        while not service.ending() and not await request.is_disconnected():
            await asyncio.sleep(HEARTBEAT)
    finally:
        # Undoing what is open may take its time, and this request is being cancelled.
        Thread(target=sessions.end, args=(session,), name="ending a session", daemon=True).start()


@router.post("/{session}/interrupt", status_code=204)
async def interrupt(request: Request, session: str) -> None:
    """Stop what the session is at."""
    found = _session(request, session)
    if found is not None:
        await asyncio.to_thread(found.interrupt)


@router.post("/{session}/{what}")
async def ask(request: Request, session: str, what: str) -> Response:
    """Do something in a session, after what it is at."""
    found = _session(request, session)
    if found is None:
        gone = StoreError("The session has ended; what wasn't committed is undone.", fix="Open the workspace again.")
        return Response(encode_error(gone), 410, media_type="application/msgpack")
    went, answer = await asyncio.wrap_future(found.begin(what, await request.body()))
    return Response(answer, 200 if went else 422, media_type="application/msgpack")


def _session(request: Request, session: str) -> Session | None:
    service: Service = request.app.state.service
    return None if service.sessions is None else service.sessions.find(session)
