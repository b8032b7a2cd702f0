"""Explorable pages: their index, each page with its charts, and keeping the customers of a mark as a list."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.responses import RedirectResponse

from shoal.errors import ShoalError
from shoal.lang.lex import quoted
from shoal.server.asking import Busy
from shoal.views import theme
from shoal.web.audit import note
from shoal.web.charts import ChartWidth, empty
from shoal.web.explore import pictures
from shoal.web.explore.journeys import MOST_STEPS, FunnelView, PathsView
from shoal.web.explore.moves import Migration
from shoal.web.explore.orders import Cohorts, Lifecycle, Rfm
from shoal.web.explore.places import Map
from shoal.web.explore.together import Compare, Overlap
from shoal.web.explore.view import NEW, Given, Ground, checked, instant
from shoal.web.people import Person, may
from shoal.web.render import fragment, is_fragment, page
from shoal.web.telling import tell

if TYPE_CHECKING:
    from shoal.web.explore.view import View

router = APIRouter(prefix="/explore")
Viewer = Annotated[Person, Depends(may("view"))]
Editor = Annotated[Person, Depends(may("edit"))]
VIEWS: dict[str, View] = {
    one.name: one
    for one in (Rfm(), Lifecycle(), Cohorts(), FunnelView(), PathsView(), Migration(), Overlap(), Compare(), Map())
}
KEPT = ("funnel", "paths", "migration", "map")
"""The pages with marks that the segment language can't say."""


@router.get("")
def index(request: Request, person: Viewer) -> Response:
    """All explorable pages."""
    return page(request, "explore/index.html", title="Explore", views=VIEWS.values(), pictures=pictures.PICTURES)


def ground_of(request: Request, name: str, person: Person) -> tuple[View, Ground]:
    """A page, and what its functions work with.

    Raises:
        HTTPException: 404: there is no such page.
    """
    if name not in VIEWS:
        raise HTTPException(404, "There is no such page to explore.")
    return VIEWS[name], Ground(request, name, person, Given(request.query_params.multi_items()))


@router.get("/{name}")
def explore(request: Request, name: str, person: Viewer) -> Response:
    """A page: its question at once, its answer a moment later, as a fragment of the same address."""
    view, ground = ground_of(request, name, person)
    if is_fragment(request) and "hx-history-restore-request" not in request.headers:
        return _found(request, view, ground)
    errors = checked(ground)
    given = ground.given
    values: dict[str, Any] = {
        "view": view, "fields": view.fields(ground), "errors": errors, "names": ground.names(), "address": _address(ground),
        "lists": _list_fields(view, ground), "steps": _step_fields(given) if view.name == "funnel" else (),
        "waits": bool(errors) or (view.name == "funnel" and len([s for s in given.each("step") if s]) < 2),
        "most_steps": MOST_STEPS,
    }  # fmt: skip
    return page(request, "explore/page.html", title=view.title, status=422 if errors else 200, **values)


def _address(ground: Ground) -> str:
    """The page's own address, without what says nothing."""
    said = urlencode(ground.given.without("change"))
    return f"/explore/{ground.page}?{said}" if said else f"/explore/{ground.page}"


def _found(request: Request, view: View, ground: Ground) -> Response:
    """What a page shows, or why it can't."""
    try:
        shown = view.shown(ground)
    except Busy:
        raise
    except ShoalError as error:
        needs = view.needs[0].lower() + view.needs[1:]
        return fragment(request, "explore/_nothing.html", problem=error.problem, fix=error.fix or "", needs=needs)
    query = urlencode(ground.given.without("sort", "search", "page"))
    at = instant(shown.as_of)
    return fragment(request, "explore/_found.html", view=view, shown=shown, query=query, at=at)


@router.get("/{name}/charts/{chart}.json")
def chart(request: Request, name: str, chart: str, person: Viewer, width: ChartWidth = theme.WIDE) -> Response:
    """The definition of one of its charts."""
    view, ground = ground_of(request, name, person)
    ground.given = Given([pair for pair in ground.given.pairs if pair[0] != "width"])
    try:
        return view.chart(ground, chart, width)
    except Busy:
        raise
    except ShoalError as error:
        return empty(" ".join(filter(None, (error.problem, error.fix))), width)


# ------------------------------------------------------------ the steps of a funnel, and lists of segments


def _step_fields(given: Given) -> list[str]:
    """The steps as fields: those that are there, in the order that was asked for, and at least two."""
    steps = [step for step in given.each("step") if step]
    change = given.text("change")
    what, _, at = change.partition("-")
    place = int(at) if at.isdecimal() else -1
    if what == "up" and 0 < place < len(steps):
        steps[place - 1], steps[place] = steps[place], steps[place - 1]
    elif what == "drop" and 0 <= place < len(steps):
        del steps[place]
    if (change == "add" and len(steps) < MOST_STEPS) or not steps:
        steps.append("")
    return steps + [""] * (2 - len(steps))


def _list_fields(view: View, ground: Ground) -> list[str]:
    """The segments as fields, and an empty one to add another."""
    if not view.most or (view.name == "migration" and ground.given.text("of") != "segments"):
        return []
    chosen = ([one for one in ground.given.each("segments") if one] or view.usual(ground))[: view.most]
    return [*chosen, ""] if len(chosen) < view.most else chosen


# ------------------------------------------------------------ what the language can't say


@router.get("/{name}/keep")
def keep(request: Request, name: str, person: Editor, mark: str = "") -> Response:
    """What a mark is that no segment can say, and its customers as a list."""
    _, ground = ground_of(request, name, person)
    return _keep(request, ground, mark, _suggested(ground, name))


def _suggested(ground: Ground, name: str) -> str:
    at = datetime.fromtimestamp(ground.live.core.engine.now / 1_000_000, tz=ground.live.core.engine.zone.rules)
    return f"{name}-{at:%Y-%m-%d-%H%M}"


def _keep(request: Request, ground: Ground, mark: str, typed: str, error: str = "") -> Response:
    found, problem = None, ""
    try:
        found = len(_members(ground, mark))
    except Busy:
        raise
    except ShoalError as fault:
        problem = " ".join(filter(None, (fault.problem, fault.fix)))
    back = urlencode(ground.given.without("mark"))
    return page(
        request, "explore/keep.html", title="Keep as a list", status=422 if error else 200, found=found, problem=problem,
        what=_what(ground, mark), typed=typed, error=error, view=VIEWS[ground.page], mark=mark,
        back=f"/explore/{ground.page}?{back}", action=f"/explore/{ground.page}/keep?{back}",
    )  # fmt: skip


def _members(ground: Ground, mark: str) -> list[str]:
    if ground.page not in KEPT:
        raise ShoalError("Every mark of this page is a segment.", fix="Click it there.")
    asked = VIEWS[ground.page].question(ground)
    found: list[str] = ground.told("explored members", page=ground.page, mark=mark, asked=asked)["ids"]
    return found


def _what(ground: Ground, mark: str) -> str:
    """A mark in words."""
    import json

    try:
        read = json.loads(mark)
    except ValueError:
        read = mark
    match ground.page, read:
        case "migration", [source, target]:
            return f"Customers who went from {_named(ground, source)} to {_named(ground, target)}"
        case "paths", list():
            return f"Customers whose path was {' → '.join(map(str, read))}"
        case "paths", {"source": source, "target": target}:
            return f"Customers who went from {source or 'nothing before'} to {target or 'nothing more'}"
        case "map", _:
            return f"Customers within the square of one degree around {str(read).replace(',', '°, ')}°"
        case "funnel", _:
            step, _, group = str(read).partition(":")
            number, _, stopped = step.partition("-")
            said = f"Customers who stopped after step {number}" if stopped else f"Customers who came to step {number}"
            return f"{said}, of {group}" if group else said
    return "Customers of this mark"


def _named(ground: Ground, slug: str) -> str:
    known = ground.definitions.get(slug)
    return known.name if known is not None else slug


@router.post("/{name}/keep")
async def kept(request: Request, name: str, person: Editor) -> Response:
    """Put the customers of a mark on a new list, and begin a segment of it."""
    from starlette.concurrency import run_in_threadpool

    form = await request.form()
    mark, listed_as = str(form.get("mark", "")), str(form.get("list", "")).strip()
    _, ground = ground_of(request, name, person)
    return await run_in_threadpool(_made, request, ground, mark, listed_as)


def _made(request: Request, ground: Ground, mark: str, listed_as: str) -> Response:
    if not listed_as:
        return _keep(request, ground, mark, listed_as, "Give the list a name.")
    if listed_as in ground.schema.lists:
        return _keep(request, ground, mark, listed_as, "There is a list of this name already: take another.")
    try:
        found = _members(ground, mark)
    except Busy:
        raise
    except ShoalError:
        return _keep(request, ground, mark, listed_as)
    if not found:
        return _keep(request, ground, mark, listed_as)
    ground.live.command("list", list=listed_as, customers=found, added=True)
    note(request, "list made", listed_as, f"{len(found)} customers, from {VIEWS[ground.page].title}")
    where = f"listed in {quoted(listed_as)}"
    answer = RedirectResponse(f"{NEW}?where={quote(where)}", 303)
    return tell(answer, f"{len(found):,} customers are on the list “{listed_as}”.")
