"""The first page: what to do next, how fresh everything is, and the dashboard ``overview``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Request, Response

from shoal.clock import SECOND
from shoal.errors import ShoalError
from shoal.server.api.app import live_of
from shoal.views.dashboards.catalogue import shipped_text
from shoal.views.dashboards.reading import read_dashboard
from shoal.web.pages.dashboards import all_of, values_of
from shoal.web.people import Person, may, service_of
from shoal.web.render import page

if TYPE_CHECKING:
    from shoal.server.service import Service
    from shoal.views.dashboards import Dashboard

router = APIRouter()
NAME = "overview"


@router.get("/overview")
def overview(
    request: Request, person: Annotated[Person, Depends(may("view"))], segment: str | None = None,
    period: str | None = None,
) -> Response:  # fmt: skip
    """The workspace at a glance."""
    live, service = live_of(request), service_of(request)
    with live.lock:
        customers = len(live.core.engine.standing())
        segments, now = len(live.definitions), live.core.engine.now
    delays = live.delays.calls
    found, fault = _dashboard(request)
    faults = sorted([*service.faulty.items(), *([(f"dashboards/{NAME}.yaml", fault)] if fault else [])])
    return page(
        request, "overview/overview.html", title="Overview", segments_in_force=segments, until=now, events=delays.count,
        delay=delays.total / delays.count / SECOND if delays.count else None, faults=faults,
        next=_next(service, person, customers, segments), **values_of(request, found, segment, period),
    )  # fmt: skip


def _dashboard(request: Request) -> tuple[Dashboard, ShoalError | None]:
    """The workspace's own overview; where its file has a fault, the one that ships, and the fault."""
    try:
        return all_of(request).find(NAME), None
    except ShoalError as error:
        return read_dashboard(shipped_text(NAME), slug=NAME, place=NAME), error


def _next(service: Service, person: Person, customers: int, segments: int) -> list[tuple[str, str]]:
    """What to do next, each with the page to do it on, if there is one."""
    found: list[tuple[str, str]] = []
    if not person.chosen:
        found.append(("Choose a password, to sign in without a link next time.", "/account"))
    if not customers:
        found.append(("There is no customer yet: load files with shoal load, or send events with a key.", ""))
    if not segments:
        ready = "/segments/templates" if person.may("edit") else ""
        found.append(("There is no segment yet: take a ready one that fits your data.", ready))
    if person.may("admin") and len(list(service.people)) == 1:
        found.append(("Invite those whom you work with.", "/people"))
    if person.may("admin") and not any(key.revoked is None for key in service.keys):
        found.append(("Make a key, so that your shop can send events.", "/keys"))
    return found
