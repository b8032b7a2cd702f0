"""The first page: how many customers and segments there are, how fresh they are, what to do next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Request, Response

from shoal.clock import SECOND
from shoal.server.api.app import live_of
from shoal.web.people import Person, may, service_of
from shoal.web.render import page

if TYPE_CHECKING:
    from shoal.server.service import Service

router = APIRouter()


@router.get("/overview")
def overview(request: Request, person: Annotated[Person, Depends(may("view"))]) -> Response:
    """The workspace at a glance."""
    live, service = live_of(request), service_of(request)
    with live.lock:
        customers = len(live.core.engine.standing())
        segments, now = len(live.definitions), live.core.engine.now
    delays = live.delays.calls
    return page(
        request, "overview/overview.html", title="Overview", customers=customers, segments=segments, until=now,
        events=delays.count, delay=delays.total / delays.count / SECOND if delays.count else None,
        faults=sorted(service.faulty.items()), next=_next(service, person, customers, segments),
    )  # fmt: skip


def _next(service: Service, person: Person, customers: int, segments: int) -> list[tuple[str, str]]:
    """What to do next, each with the page to do it on, if there is one."""
    found: list[tuple[str, str]] = []
    if not person.chosen:
        found.append(("Choose a password, to sign in without a link next time.", "/account"))
    if not customers:
        found.append(("There is no customer yet: load files with shoal load, or send events with a key.", ""))
    if not segments:
        found.append(("There is no segment yet: shoal library lists ready ones that fit your data.", ""))
    if person.may("admin") and len(list(service.people)) == 1:
        found.append(("Invite those whom you work with.", "/people"))
    if person.may("admin") and not any(key.revoked is None for key in service.keys):
        found.append(("Make a key, so that your shop can send events.", "/keys"))
    return found or [("All is well.", "")]
