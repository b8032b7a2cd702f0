"""The data: sources, loads and their quality; rows put aside; the tracking plan; events, properties and traits."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Form, Query, Request, Response
from fastapi.responses import RedirectResponse

from shoal.destinations.files import defuse
from shoal.errors import Refused
from shoal.server.api.app import live_of
from shoal.web.asked import address, asked, changed
from shoal.web.audit import note
from shoal.web.errands import errands_of
from shoal.web.masking import HIDDEN, shown
from shoal.web.people import Person, may, service_of
from shoal.web.render import fragment, is_fragment, page
from shoal.web.tables import Column, listed
from shoal.web.telling import tell

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shoal.server.plan import Plan
    from shoal.web.errands import Errand

router = APIRouter(prefix="/data")
Viewer = Annotated[Person, Depends(may("view"))]
Editor = Annotated[Person, Depends(may("edit"))]
Officer = Annotated[Person, Depends(may("privacy"))]
Text = Annotated[str, Query(max_length=300)]
TABS = (("Sources and loads", "/data"), ("Quarantine", "/data/quarantine"), ("Tracking plan", "/data/plan"),
        ("What there is", "/data/schema"))  # fmt: skip
VERDICTS = {"ok": ("good", "good"), "warn": ("look at it", "warn"), "stop": ("stops a load", "bad")}
PAGE, ALL = 50, 100_000
SOURCES = (
    Column("name", "Source", note="from"), Column("verdict", "Quality", "state"), Column("score", "Score", "figure", by="score"),
    Column("rows", "Rows", "figure", by="rows"), Column("quarantined", "Put aside", "figure", by="quarantined"),
    Column("duplicates", "Repeated", "figure", by="duplicates"), Column("freshness", "Newest row", "figure", by="freshness"),
)  # fmt: skip
TRAITS = (
    Column("name", "Trait", note="says"), Column("kind", "Type"), Column("customers", "Customers", "count"),
    Column("worked", "Comes from"),
)  # fmt: skip
EVENTS = (
    Column("name", "Event"), Column("count", "How many", "count"), Column("properties", "Properties", "count"),
    Column("first", "Oldest", "day"), Column("last", "Newest", "when"),
)  # fmt: skip


def _here(request: Request) -> str:
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def _running(request: Request) -> Errand | None:
    """The newest errand that brings data in."""
    sources = service_of(request).workspace.config.sources
    held = [errands_of(request).of(what, about) for what in ("load", "retry") for about in ("", *sources)]
    return max((one for one in held if one is not None), key=lambda one: one.began, default=None)


# ------------------------------------------------------------ sources and loads


@router.get("")
def sources(request: Request, person: Viewer) -> Response:
    """Sources, loads, and how fresh events are."""
    if not is_fragment(request):
        return page(
            request, "data/sources.html", title="Data", tabs=TABS, here=_here(request), errand=_running(request)
        )
    found = asked(request, "sources told")
    rows = [
        {**one, "href": f"/data/sources/{quote(one['name'])}",
         "verdict": VERDICTS.get(one["verdict"], ("only looked up" if one["reference"] else "not loaded yet", ""))}
        for one in found["sources"]
    ]  # fmt: skip
    listing = listed(request, "sources", SOURCES, rows, sort="name", label="sources", search=("name", "from"))
    return fragment(request, "data/_sources.html", listing=listing, found=found, person=person)


@router.get("/sources/{name}")
def source(request: Request, person: Viewer, name: str) -> Response:
    """The checks of one source, column by column."""
    found = asked(request, "source told", name=name)
    columns = (
        Column("column", "Column"), Column("measure", "Check"), Column("shown", "Found", "figure", by="value"),
        Column("n", "Rows", "count"), Column("verdict", "Verdict", "state"), Column("note", "Note"),
    )  # fmt: skip
    rows = [
        {**one, "column": one["column"] or "all of it", "verdict": VERDICTS.get(one["verdict"], (one["verdict"], ""))}
        for one in found["checks"]
    ]
    listing = listed(
        request, "checks", columns, rows, sort="place", label="checks", search=("column", "measure", "note")
    )
    return page(request, "data/source.html", title=name, found=found, listing=listing)


@router.get("/load")
def loading(request: Request, person: Viewer) -> Response:
    """How far the load is."""
    found = _running(request)
    answer = fragment(request, "predictions/_fitting.html", errand=found, where="/data/load")
    if found is not None and not found.runs:
        answer.headers["HX-Refresh"] = "true"
    return answer


@router.post("/load")
def load(request: Request, person: Editor, source: Annotated[str, Form(max_length=200)] = "") -> Response:
    """Load what is new or changed."""
    return _begin(request, "load", source, "/data", "data loaded")


@router.post("/retry")
def retry(request: Request, person: Editor, source: Annotated[str, Form(max_length=200)] = "") -> Response:
    """Read rows in quarantine again."""
    return _begin(request, "retry", source, "/data", "quarantine read again")


def _begin(request: Request, errand: str, about: str, back: str, action: str) -> Response:
    answer = RedirectResponse(back, 303)
    if about and about not in service_of(request).workspace.config.sources:
        return tell(answer, f"There is no source {about!r}.", bad=True)
    try:
        errands_of(request).start(errand, about)
    except Refused as refusal:
        return tell(answer, str(refusal), bad=True)
    note(request, action, about)
    return answer


# ------------------------------------------------------------ quarantine


@router.get("/quarantine")
def quarantine(
    request: Request, person: Viewer, search: Text = "", source: Text = "", code: Text = "",
    at: Annotated[int, Query(alias="page", ge=1, le=10_000)] = 1,
) -> Response:  # fmt: skip
    """Rows that couldn't be taken, with the reason of each."""
    if not is_fragment(request):
        return page(request, "data/quarantine.html", title="Quarantine", tabs=TABS, here=_here(request), search=search,
                    source=source, code=code)  # fmt: skip
    found = asked(
        request, "quarantine told", search=search, source=source, code=code, most=PAGE, skip=(at - 1) * PAGE
    )  # fmt: skip
    rows = [one | {"content": _content(person, one["content"]), "reason": shown(person, "reason", one["reason"])}
            for one in found["rows"]]  # fmt: skip
    said = {"search": search, "source": source, "code": code}
    turned = [
        (words, address("/data/quarantine", page=number, **said))
        for words, number in (("Previous", at - 1), ("Next", at + 1))
        if 1 <= number <= max(1, -(-found["found"] // PAGE))
    ]
    return fragment(
        request, "data/_quarantine.html", rows=rows, found=found, turned=turned, person=person, said=said,
        csv=address("/data/quarantine.csv", **said),
    )  # fmt: skip


def _content(person: Person, content: str) -> str:
    """What a row held: whoever needn't see personal data gets none of it, since nothing says which column is which."""
    return content if person.sees_personal else HIDDEN


@router.get("/quarantine.csv")
def quarantine_csv(
    request: Request, person: Officer, search: Text = "", source: Text = "", code: Text = ""
) -> Response:  # fmt: skip
    """The rows that a search finds, as they are."""
    # Not kept as an answer: it is what customers are made of.
    found = changed(request, "quarantine told", search=search, source=source, code=code, most=ALL)
    note(request, "quarantine exported", source)
    out = io.StringIO()
    written = csv.writer(out)
    head = ("source", "path", "line", "code", "reason", "content")
    written.writerow(head)
    written.writerows([defuse(one[key]) for key in head] for one in found["rows"])
    headers = {"Content-Disposition": 'attachment; filename="quarantine.csv"'}
    return Response(out.getvalue(), media_type="text/csv; charset=utf-8", headers=headers)


# ------------------------------------------------------------ plan


@router.get("/plan")
def plan(request: Request, person: Viewer) -> Response:
    """The tracking plan in force, and what calls showed against it."""
    live, service = live_of(request), service_of(request)
    held: Plan | None = request.app.state.collection.plan
    tracking = None if held is None else held.tracking
    issues = [_issue(person, one) for one in live.read(live.workspace.plan.issues)]
    columns = (
        Column("event", "Event", note="property"), Column("problem", "What is wrong"), Column("times", "How often", "count"),
        Column("first", "First"), Column("last", "Last"), Column("sample", "A value"),
    )  # fmt: skip
    listing = listed(
        request, "issues", columns, issues, sort="-times", label="violations", search=("event", "property", "problem"),
    )  # fmt: skip
    return page(
        request, "data/plan.html", title="Tracking plan", tabs=TABS, plan=tracking, listing=listing,
        strict=service.strict or (tracking is not None and tracking.strict), faults=service.workspace.plan.faults,
    )  # fmt: skip


def _issue(person: Person, one: Mapping[str, Any]) -> dict[str, Any]:
    sample = None if one["sample"] is None else shown(person, one["property"] or "", one["sample"])
    return {
        **one,
        "property": one["property"] or "",
        "sample": sample,
        "first": one["first"][:10],
        "last": one["last"][:10],
    }


# ------------------------------------------------------------ what there is


@router.get("/schema")
def schema(request: Request, person: Viewer) -> Response:
    """Events and traits with how many there are."""
    if not is_fragment(request):
        return page(request, "data/schema.html", title="What there is", tabs=TABS, here=_here(request))
    found = asked(request, "schema told")
    events = [one | {"href": f"/data/events/{quote(one['name'], safe='')}"} for one in found["events"]]
    traits = [
        one
        | {
            "href": f"/data/traits/{quote(one['name'], safe='')}",
            "worked": "worked out" if one["score"] else "the data",
        }
        for one in found["traits"]
    ]
    return fragment(
        request, "data/_schema.html",
        events=listed(request, "events", EVENTS, events, sort="-count", label="events", search=("name",), prefix="e-"),
        traits=listed(request, "traits", TRAITS, traits, sort="name", label="traits", search=("name", "says"), prefix="t-"),
    )  # fmt: skip


@router.get("/events/{name:path}")
def event(request: Request, person: Viewer, name: str) -> Response:
    """One event: its properties with their common values."""
    found = asked(request, "event told", name=name)
    properties = [one | {"common": _common(person, one)} for one in found["properties"]]
    return page(request, "data/event.html", title=name, found=found | {"properties": properties}, of=_of_event)


def _of_event(event: str, name: str, value: str) -> str:
    """The address of a new segment of who did an event with a value."""
    return address("/segments/new", where=f"did {_quoted(event)} where {_quoted(name, bare=True)} = {_quoted(value)}")


def _quoted(text: str, *, bare: bool = False) -> str:
    if bare and text.isidentifier():
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _common(person: Person, one: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Common values, as far as somebody may see them."""
    return [(shown(person, one["name"], value), many) for value, many in one.get("common", ())]


@router.get("/traits/{name:path}")
def trait(request: Request, person: Viewer, name: str) -> Response:
    """One trait: its common values."""
    found = asked(request, "trait told", name=name)
    return page(request, "data/trait.html", title=name, found=found | {"common": _common(person, found)})
