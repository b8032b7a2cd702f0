"""Consent and privacy: who agreed to what, who is withheld and why, and what was asked of the privacy officer."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request, Response

from shoal.views import theme
from shoal.web.asked import ChartWidth, asked, chart
from shoal.web.people import Person, may, service_of
from shoal.web.render import fragment, is_fragment, page
from shoal.web.tables import Column, listed

router = APIRouter(prefix="/privacy")
Viewer = Annotated[Person, Depends(may("view"))]
Officer = Annotated[Person, Depends(may("privacy"))]
WITHHELD = (
    Column("name", "Segment", note="purpose"), Column("members", "Members", "count"),
    Column("reachable", "May be written to", "count", term="reach"), Column("share", "Of members", "bar"),
    Column("why", "Withheld"),
)  # fmt: skip
ASKED = {"customer exported": "access", "customer erased": "erasure", "quarantine exported": "export of rows put aside",
         "audit exported": "export of the audit"}  # fmt: skip
"""What the audit calls that which people ask of a privacy officer."""
_NEWEST = 500


@router.get("")
def privacy(request: Request, person: Viewer) -> Response:
    """Consent by purpose, and what is kept how long."""
    if not is_fragment(request):
        return page(request, "privacy/privacy.html", title="Privacy")
    return fragment(request, "privacy/_privacy.html", found=asked(request, "privacy told"))


@router.get("/consents.json")
def consents(
    request: Request, person: Viewer, purpose: Annotated[str, Query(max_length=200)], width: ChartWidth = theme.WIDE
) -> Response:  # fmt: skip
    """Who agreed and who refused, over time."""
    return chart(request, "consents over time", width=width, purpose=purpose)


@router.get("/withheld")
def withheld(request: Request, person: Viewer) -> Response:
    """Members who may not be written to, and why."""
    found = asked(request, "withheld told")
    rows = [
        {**one, "href": f"/segments/{one['slug']}", "share": one["reachable"] / one["members"] if one["members"] else None,
         "why": "; ".join(f"{many:,} {why}" for why, many in one["withheld"].items())}
        for one in found["segments"]
    ]  # fmt: skip
    listing = listed(request, "withheld", WITHHELD, rows, sort="-members", label="segments", search=("name", "purpose"))
    return fragment(request, "privacy/_withheld.html", listing=listing, analysis=found["for_analysis"])


@router.get("/requests")
def requests(request: Request, person: Officer) -> Response:
    """Requests for access and erasure that were answered, and by whom."""
    service = service_of(request)
    found = [one for word in ("exported", "erased") for one in service.audit.entries(word, most=_NEWEST)]
    rows = []
    for one in found:
        if one.action in ASKED:
            by = service.people.get(one.person)
            rows.append({"at": one.at, "what": ASKED[one.action], "by": by.name if by else "the command line",
                         "state": ("done", "good"), "detail": one.detail})  # fmt: skip
    columns = (
        Column("at", "When", "when"), Column("what", "Asked for"), Column("state", "State", "state"), Column("by", "Done by"),
        Column("detail", "What it came to"),
    )  # fmt: skip
    listing = listed(request, "requests", columns, rows, sort="-at", label="requests", search=("what", "by", "detail"))
    return fragment(request, "privacy/_requests.html", listing=listing)
