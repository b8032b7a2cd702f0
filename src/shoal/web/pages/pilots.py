"""Pilots: what segmentation is worth, against who was held out by lot; and all campaigns side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse

from shoal.errors import ShoalError
from shoal.views import theme
from shoal.web.asked import ChartWidth, asked, changed, chart_of
from shoal.web.audit import note
from shoal.web.people import Person, may
from shoal.web.render import fragment, is_fragment, page
from shoal.web.tables import Column, listed
from shoal.web.telling import tell

if TYPE_CHECKING:
    from collections.abc import Mapping

router = APIRouter(prefix="/pilots")
Viewer = Annotated[Person, Depends(may("view"))]
Editor = Annotated[Person, Depends(may("edit"))]
STATES = {"planned": ("planned", ""), "running": ("running", "good"), "over": ("over", "accent")}
COLUMNS = (
    Column("name", "Pilot", note="why"), Column("state", "State", "state"), Column("goals", "Promises"),
    Column("began", "Began"), Column("end", "Ends"), Column("owner", "Owner"),
)  # fmt: skip


@router.get("")
def every(request: Request, person: Viewer) -> Response:
    """All pilots."""
    if not is_fragment(request):
        here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return page(request, "pilots/list.html", title="Pilots", here=here)
    found = asked(request, "pilots told")
    rows = [_line(one) for one in found["pilots"]]
    listing = listed(request, "pilots", COLUMNS, rows, sort="-end", label="pilots", search=("name", "why", "owner"))
    return fragment(request, "pilots/_list.html", listing=listing, faults=found["faults"])


def _line(one: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "name": one["name"], "why": one["why"], "href": f"/pilots/{one['slug']}", "state": STATES[one["state"]],
        "goals": "; ".join(f"{goal['metric']}: {goal['target']}" for goal in one["kpis"]), "owner": one["owner"],
        "began": one["started"] and one["started"][:10], "end": one["end"],
    }  # fmt: skip


@router.get("/scoreboard")
def scoreboard(request: Request, person: Viewer) -> Response:
    """All campaigns side by side."""
    if not is_fragment(request):
        return page(request, "pilots/scoreboard.html", title="Scoreboard of campaigns")
    return fragment(request, "pilots/_scoreboard.html", found=asked(request, "scoreboard told"))


@router.get("/scoreboard/charts/{name}.json")
def scoreboard_chart(request: Request, person: Viewer, name: str, width: ChartWidth = theme.WIDE) -> Response:
    """A chart of it."""
    return chart_of(request, "scoreboard told", name, width=width)


@router.get("/{slug}")
def pilot(request: Request, person: Viewer, slug: str) -> Response:
    """One pilot."""
    found = asked(request, "pilot", slug=slug)
    return page(request, "pilots/pilot.html", title=found["name"], found=found, state=STATES[found["state"]])


@router.get("/{slug}/result")
def result(request: Request, person: Viewer, slug: str) -> Response:
    """What came of it."""
    try:
        found, refused = asked(request, "pilot told", slug=slug), None
    except ShoalError as error:
        found, refused = None, error
    return fragment(request, "pilots/_result.html", found=found, refused=refused, slug=slug)


@router.get("/{slug}/charts/{name}.json")
def chart(request: Request, person: Viewer, slug: str, name: str, width: ChartWidth = theme.WIDE) -> Response:
    """A chart of what came of it."""
    return chart_of(request, "pilot told", name, width=width, slug=slug)


@router.post("/{slug}/start")
def start(request: Request, person: Editor, slug: str) -> Response:
    """Record what it promises, and draw its lots."""
    answer = RedirectResponse(f"/pilots/{slug}", 303)
    try:
        changed(request, "start pilot", slug=slug)
    except ShoalError as error:
        return tell(answer, " ".join(filter(None, (error.problem, error.fix))), bad=True)
    note(request, "pilot started", slug)
    return tell(answer, "It runs: what it promises is recorded, and its lots are drawn.")
