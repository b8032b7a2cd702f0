"""Groups that the machine found: the evidence for each, and accepted ones as segments."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import RedirectResponse

from shoal.errors import Refused, ShoalError
from shoal.views import theme
from shoal.web.asked import ChartWidth, asked, changed, chart_of
from shoal.web.audit import note
from shoal.web.errands import errands_of
from shoal.web.people import Person, may
from shoal.web.render import fragment, is_fragment, page
from shoal.web.tables import Column, listed
from shoal.web.telling import tell

router = APIRouter(prefix="/discovery")
Viewer = Annotated[Person, Depends(may("view"))]
Editor = Annotated[Person, Depends(may("edit"))]
COLUMNS = (
    Column("name", "Group", note="standing"), Column("size", "Customers", "count"), Column("share", "Share", "bar"),
    Column("revenue_share", "Of revenue", "share"), Column("jaccard", "Comes back", "number"),
    Column("fidelity", "Rule fits", "share"), Column("accepted", "As a segment", "state"),
)  # fmt: skip
PROPOSAL = "proposal"


@router.get("")
def every(request: Request, person: Viewer) -> Response:
    """The groups in force."""
    running = next((one for about in ("", PROPOSAL) if (one := errands_of(request).of("discover", about))), None)
    if not is_fragment(request):
        here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return page(request, "discovery/list.html", title="Groups found", here=here, errand=running)
    found = asked(request, "discovery told")
    rows = [
        {**one, "name": f"{one['id']}  {one['name']}", "href": f"/discovery/{one['id']}",
         "accepted": ("accepted", "good") if _slug(one["id"]) in found["files"] else ("not yet", "")}
        for one in found["segments"]
    ]  # fmt: skip
    listing = listed(
        request, "groups", COLUMNS, rows, sort="-size", label="groups", search=("name", "standing", "where")
    )
    # The first table is the listing above.
    blocks = [block for block in found["blocks"] if block["kind"] != "briefs" and block.get("text") != "Personas"][1:]
    return fragment(request, "discovery/_list.html", listing=listing, found=found | {"blocks": blocks}, person=person)


def _slug(group: str) -> str:
    from shoal.workspace.discovery import SLUG

    return SLUG.format(id=group)


@router.get("/charts/{name}.json")
def chart(request: Request, person: Viewer, name: str, width: ChartWidth = theme.WIDE) -> Response:
    """A chart of the evidence."""
    return chart_of(request, "discovery told", name, width=width)


@router.get("/fit")
def fitting(request: Request, person: Viewer) -> Response:
    """How far the search is."""
    running = next((one for about in ("", PROPOSAL) if (one := errands_of(request).of("discover", about))), None)
    answer = fragment(request, "predictions/_fitting.html", errand=running, where="/discovery/fit")
    if running is not None and not running.runs:
        answer.headers["HX-Refresh"] = "true"
    return answer


@router.post("/fit")
def fit(request: Request, person: Editor, about: Annotated[str, Form(max_length=20)] = "") -> Response:
    """Search anew, in a process of its own."""
    answer = RedirectResponse("/discovery", 303)
    try:
        errands_of(request).start("discover", PROPOSAL if about == PROPOSAL else "")
    except Refused as refusal:
        return tell(answer, str(refusal), bad=True)
    note(request, "groups searched for")
    return answer


@router.post("/use")
def use(request: Request, person: Editor, version: Annotated[int, Form(ge=1)]) -> Response:
    """Put another version in force."""
    answer = RedirectResponse("/discovery", 303)
    try:
        done = changed(request, "use discovery", version=version)
    except ShoalError as error:
        return tell(answer, error.problem, bad=True)
    note(request, "groups of another version", "", str(version))
    return tell(answer, f"Version {version} is in force; {done['customers']:,} customers were assigned by it.")


@router.get("/{group}")
def one(request: Request, person: Viewer, group: str) -> Response:
    """One group: its persona, its rule, its quality."""
    found = asked(request, "discovery told")
    held = next((one for one in found["segments"] if one["id"] == group), None)
    if held is None:
        return tell(RedirectResponse("/discovery", 303), f"There is no group {group!r} any more.", bad=True)
    briefs = [brief for block in found["blocks"] if block["kind"] == "briefs" for brief in block["briefs"]]
    brief = briefs[[one["id"] for one in found["segments"]].index(group)]
    return page(
        request, "discovery/group.html", title=held["name"], found=held, brief=brief, slug=_slug(group),
        accepted=_slug(group) in found["files"],
    )  # fmt: skip


@router.post("/{group}/accept")
def accept(request: Request, person: Editor, group: str) -> Response:
    """Write it as a segment's file."""
    answer = RedirectResponse(f"/discovery/{group}", 303)
    try:
        done = changed(request, "accept group", segment=group)
    except ShoalError as error:
        return tell(answer, " ".join(filter(None, (error.problem, error.fix))), bad=True)
    if done["left"]:
        return tell(answer, " ".join(done["left"].values()), bad=True)
    note(request, "group accepted", _slug(group))
    return tell(answer, f"It is a segment now: segments/{_slug(group)}.yaml.")
