"""The page of a segment: what it is, how it moves, what its members are worth and what sets them apart."""

from __future__ import annotations

from datetime import date
from math import isnan
from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import AfterValidator

from shoal.clock import iso
from shoal.errors import ShoalError
from shoal.lang.nodes import MemberOf
from shoal.lang.say import say
from shoal.lang.show import show
from shoal.server.api.app import live_of
from shoal.server.asking import Busy
from shoal.views import theme
from shoal.views import words as w
from shoal.views.charts import migration_flows, segment_flow, segment_size
from shoal.web.charts import ChartWidth, answer, empty
from shoal.web.pages.segments import colours
from shoal.web.people import Person, may, service_of
from shoal.web.render import fragment, page
from shoal.web.segment_answers import asked_of
from shoal.web.tables import Column, listed
from shoal.workspace.live.delays import EVENT
from shoal.workspace.segment_pages.worked_out import unlive

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shoal.lang.nodes import Definition
    from shoal.workspace.live import Live

    Told = dict[str, Any]

router = APIRouter(prefix="/segments/{slug}")
Viewer = Annotated[Person, Depends(may("view"))]
Grain = Literal["week", "month", "quarter", "year"]
GRAINS: tuple[Grain, ...] = ("week", "month", "quarter", "year")
SPANS = (7, 30, 90)


def _span(days: int) -> int:
    return days if days in SPANS else SPANS[1]


Days = Annotated[int, Query(), AfterValidator(_span)]
"""How long ago moves are looked at from: one of ``SPANS``."""
COURSE, WEEK = 84, 7
"""Days that are looked back, and that a sentence is of."""


# ---------------------------------------------------------------- the frame of all its pages


def tabs(slug: str) -> list[tuple[str, str]]:
    """The pages of a segment."""
    here = f"/segments/{slug}"
    return [
        ("Overview", here), ("What is different", f"{here}/difference"), ("Where they came from", f"{here}/moves"),
        ("Members", f"{here}/members"), ("Quality and use", f"{here}/quality"), ("Versions", f"{here}/versions"),
    ]  # fmt: skip


def found(request: Request, slug: str) -> tuple[Live, Definition]:
    """The live workspace and a segment of it.

    Raises:
        UnknownName: there is no such segment.
        ShoalError: its file can't be read, and none of its versions is in force.
    """
    live = live_of(request)
    return live, live.catalogue.find(slug)


def frame(request: Request, live: Live, definition: Definition, here: str) -> Told:
    """What the head of each of its pages needs; all of it stands in memory."""
    slug = definition.slug
    with live.lock:
        engine = live.core.engine
        size, everyone, now = engine.size(slug), len(engine.standing()), engine.now
    return {
        "definition": definition, "slug": slug, "size": size, "everyone": everyone, "until": now, "here": here,
        "share": size / everyone if everyone else None, "tabs": tabs(slug), "colour": colours(live)[slug],
        "fault": live.catalogue.faults.get(slug), "member_text": show(MemberOf(slug)),
        "compare": f"/explore/compare?segments={slug}",
    }  # fmt: skip


def refused(request: Request, error: ShoalError, title: str = "") -> Response:
    """A part of a page that can't be told, in its own place; who asks too much at once is told to come again."""
    if isinstance(error, Busy):
        raise error
    return fragment(request, "segments/_refused.html", problem=error.problem, fix=error.fix or "", title=title)


# ---------------------------------------------------------------- overview


@router.get("")
def overview(request: Request, person: Viewer, slug: str, grain: Grain = "month") -> Response:
    """What the segment is, how large, how fresh; its course and its KPIs come a moment later."""
    live = live_of(request)
    if slug in live.catalogue.faults and slug not in live.definitions:
        return page(request, "segments/broken.html", title=slug, slug=slug, fault=live.catalogue.faults[slug])
    definition = live.catalogue.find(slug)
    if definition.slug != slug:
        return RedirectResponse(f"/segments/{definition.slug}", 303)
    schema = live.core.schema_with(live.definitions)
    return page(
        request, "segments/overview.html", title=definition.name, sentence=say(definition.where, schema),
        text=show(definition.where, width=88), unlive=unlive(definition, live.definitions, schema),
        fresh=freshness(live, slug), grain=grain,
        grains=[(one.capitalize(), f"/segments/{slug}?grain={one}#kpis") for one in GRAINS],
        **frame(request, live, definition, f"/segments/{slug}"),
    )  # fmt: skip


def freshness(live: Live, slug: str) -> Told:
    """Delays of late: from an event, and from the instant at which a membership was due, until they can be read."""
    told: Told = {}
    for one, cause, sketch in live.delays.segments(live.definitions, live.clock.now()):
        if one == slug:
            p50, p95, p99 = sketch.quantiles()
            told["event" if cause == EVENT else "time"] = {
                "p50": p50, "p95": p95, "p99": p99, "count": sketch.count, "late": isnan(p95),
            }  # fmt: skip
    return told


@router.get("/course")
def course(request: Request, person: Viewer, slug: str) -> Response:
    """Its size and flow in figures, with the charts."""
    _, definition = found(request, slug)
    told = asked_of(request, "segment course", segment=slug, days=COURSE)
    points = told["points"]
    flows = [one for one in points if one["entered"] is not None]
    week = flows[-WEEK:]
    return fragment(
        request, "segments/_course.html", slug=slug, size=_size_told(definition, points), flow=_flow_told(week),
        entered=sum(one["entered"] for one in week), left=sum(one["left"] for one in week), days=len(week),
        since=told["since"], before=any(not one["published"] for one in points),
        redefined=[one for one in points if one["redefined"]], moving=any(one["entered"] or one["left"] for one in flows),
        few=len(points) < 2,
    )  # fmt: skip


def _size_told(definition: Definition, points: Sequence[Told]) -> str:
    """The finding of the chart of sizes."""
    if len(points) < 2:
        return f"{definition.name}: size"
    first, last = points[0], points[-1]
    by = w.change(first["size"], last["size"])
    since = w.day(date.fromisoformat(first["day"]))
    if by is None:
        return f"{w.many(last['size'], 'member')} now, none on {since}" if last["size"] else "Nobody is in it yet"
    return f"The size {w.rose(by)} since {since}" if abs(by) >= w.STEADY else f"The size has held steady since {since}"


def _flow_told(week: Sequence[Told]) -> str:
    entered, left = (sum(one[key] for one in week) for key in ("entered", "left"))
    if not entered + left:
        return "Nobody entered or left in the last week"
    if len(week) < WEEK:
        return f"{entered:,} entered and {left:,} left since it is published"
    return f"{entered:,} entered and {left:,} left in the last 7 days"


@router.get("/size.json")
def size_chart(request: Request, person: Viewer, slug: str, width: ChartWidth = theme.WIDE) -> Response:
    """The size day by day."""
    live, definition = found(request, slug)
    points = asked_of(request, "segment course", segment=slug, days=COURSE)["points"]
    if not points:
        return empty("Nothing is known of its size yet.", width)
    rows = [{key: one[key] for key in ("day", "size", "published")} for one in points]
    chart = segment_size(
        rows, title=_size_told(definition, points), subtitle="members at the end of each day", width=width,
        colour=colours(live)[slug],
    )  # fmt: skip
    return answer(chart, rows, {"day": "Day", "size": "Members", "published": "As it was published"})


@router.get("/flow.json")
def flow_chart(request: Request, person: Viewer, slug: str, width: ChartWidth = theme.WIDE) -> Response:
    """Who entered and left, day by day."""
    found(request, slug)
    points = asked_of(request, "segment course", segment=slug, days=COURSE)["points"]
    rows = [{key: one[key] for key in ("day", "entered", "left")} for one in points if one["entered"] is not None]
    if not rows:
        return empty("Nothing was published yet.", width)
    chart = segment_flow(rows, title=_flow_told(rows[-WEEK:]), subtitle="customers a day", width=width)
    return answer(chart, rows, {"day": "Day", "entered": "Entered", "left": "Left"})


@router.get("/kpis")
def kpis(request: Request, person: Viewer, slug: str, grain: Grain = "month") -> Response:
    """Its KPIs beside everyone's."""
    _, definition = found(request, slug)
    try:
        told = asked_of(request, "segment beside", segment=slug, grain=grain)
    except ShoalError as error:
        return refused(request, error)
    return fragment(
        request, "segments/_kpis.html", told=told, definition=definition, period=_period(told),
    )  # fmt: skip


def _period(told: Told) -> str:
    if not told["ends"]:
        return ""
    return " to ".join(w.day(date.fromisoformat(told[key])) for key in ("period", "ends"))


# ---------------------------------------------------------------- what is different


@router.get("/difference")
def difference(request: Request, person: Viewer, slug: str) -> Response:
    """What makes its members different from all others."""
    live, definition = found(request, slug)
    return page(
        request, "segments/difference.html", title=f"{definition.name}: what is different",
        **frame(request, live, definition, f"/segments/{definition.slug}/difference"),
    )  # fmt: skip


@router.get("/difference/traits")
def traits(request: Request, person: Viewer, slug: str) -> Response:
    """Traits that are over- or under-represented."""
    _, definition = found(request, slug)
    told = asked_of(request, "segment apart", segment=slug)["differences"]
    return fragment(request, "segments/_traits.html", told=told, definition=definition)


@router.get("/difference/behaviour")
def behaviour(request: Request, person: Viewer, slug: str) -> Response:
    """What they do more or less than all others."""
    _, definition = found(request, slug)
    try:
        told = asked_of(request, "segment behaviour", segment=slug)
    except ShoalError as error:
        return refused(request, error)
    own = [one for one in told["differences"] if not one["built"]]
    return fragment(
        request, "segments/_behaviour.html", window=told["window"], own=own, definition=definition,
        built=[one for one in told["differences"] if one["built"]],
    )  # fmt: skip


@router.get("/personas")
def personas(request: Request, person: Viewer, slug: str) -> Response:
    """Which micro-segments its members belong to, or whose persona it is."""
    live, _ = found(request, slug)
    told = asked_of(request, "segment personas", segment=slug)
    groups = ("See the groups that the data suggests", "/discovery")
    return fragment(request, "segments/_personas.html", told=told, there=live.definitions, groups=groups)


# ---------------------------------------------------------------- migration


@router.get("/moves")
def moves(request: Request, person: Viewer, slug: str, days: Days = 30) -> Response:
    """Where members came from, and where those who left went."""
    live, definition = found(request, slug)
    return page(
        request, "segments/moves.html", title=f"{definition.name}: where they came from", days=days,
        spans=[(f"{one} days", f"/segments/{slug}/moves?days={one}") for one in SPANS],
        **frame(request, live, definition, f"/segments/{definition.slug}/moves"),
    )  # fmt: skip


MOVED = (
    Column("name", "Segment", note="way"),
    Column("customers", "Customers", "count"),
    Column("before", "Money in the time before", "money"),
    Column("after", "Money since", "money"),
    Column("change", "Each, since against before", "money"),
)


@router.get("/moves/found")
def moves_found(request: Request, person: Viewer, slug: str, days: Days = 30) -> Response:
    """The moves with their money."""
    live, definition = found(request, slug)
    try:
        told = asked_of(request, "segment moves", segment=slug, days=days)
    except ShoalError as error:
        return refused(request, error)
    rows = told["moves"]
    came, went, stayed = (_moved(live, told, slug, way) for way in ("came", "went", "stayed"))
    return fragment(
        request, "segments/_moves.html", came=came, went=went, stayed=stayed[0] if stayed else None, days=days, slug=slug,
        definition=definition, title=_moves_told(came, went, told, request), before=told["before"], any=bool(rows),
        entered=sum(one["customers"] for one in came), left=sum(one["customers"] for one in went),
        brought=sum(one["after"] for one in came), lost=sum(one["before"] for one in went),
    )  # fmt: skip


def _moved(live: Live, told: Told, slug: str, way: str) -> list[Told]:
    """Moves one way, the largest first."""
    hues, chosen = colours(live), []
    for one in told["moves"]:
        stays = one["source"] == one["target"]
        other = one["source"] if one["target"] == slug else one["target"]
        if (way == "stayed") != stays or (way == "came" and one["target"] != slug):
            continue
        if way == "went" and one["source"] != slug:
            continue
        each = (one["revenue"] - one["revenue_before"]) / one["customers"]
        chosen.append({
            "name": _named(live, told, other), "href": f"/segments/{other}" if other in live.definitions else None,
            "colour": hues.get(other), "customers": one["customers"], "before": one["revenue_before"],
            "after": one["revenue"], "change": each,
        })  # fmt: skip
    return sorted(chosen, key=lambda one: -one["customers"])


def _named(live: Live, told: Told, one: str) -> str:
    definition = live.definitions.get(one)
    return definition.name if definition is not None else str(told["words"].get(one, one))


def _moves_told(came: Sequence[Told], went: Sequence[Told], told: Told, request: Request) -> str:
    since = w.day(told["before"], service_of(request).workspace.config.zone)
    entered, left = (sum(one["customers"] for one in way) for way in (came, went))
    if not entered + left:
        return f"Nobody entered or left since {since}"
    most = f", most from {came[0]['name']}" if came else ""
    return f"{w.many(entered, 'customer')} entered since {since}{most}; {left:,} left"


@router.get("/moves.json")
def moves_chart(
    request: Request, person: Viewer, slug: str, days: Days = 30, width: ChartWidth = theme.WIDE
) -> Response:
    """The moves as ribbons; those who stayed are one of them."""
    live, definition = found(request, slug)
    told = asked_of(request, "segment moves", segment=slug, days=days)
    rows = [
        {"before": _named(live, told, one["source"]), "after": _named(live, told, one["target"]),
         "customers": one["customers"], "revenue": one["revenue"]}
        for one in told["moves"]
    ]  # fmt: skip
    if not rows:
        return empty("Nobody was in it at either date.", width)
    zone = service_of(request).workspace.config.zone
    dates = (w.day(told["before"], zone), w.day(told["now"], zone))
    came, went = (_moved(live, told, slug, way) for way in ("came", "went"))
    chart = migration_flows(
        rows, title=_moves_told(came, went, told, request), subtitle="customers between two dates", dates=dates, width=width,
        order=[definition.name, *(one["name"] for one in came)], colours=_hues(live, told),
    )  # fmt: skip
    heads = {"before": dates[0], "after": dates[1], "customers": "Customers", "revenue": "Revenue between"}
    return answer(chart, rows, heads)


def _hues(live: Live, told: Told) -> dict[str, str]:
    """The colours of names in the chart of moves; who is in no segment is grey."""
    hues = {live.definitions[slug].name: hue for slug, hue in colours(live).items()}
    return hues | dict.fromkeys(told["words"].values(), theme.BASE)


# ---------------------------------------------------------------- quality and use


@router.get("/quality")
def quality(request: Request, person: Viewer, slug: str) -> Response:
    """How far it can be trusted, who uses it, and what was done to it."""
    live, definition = found(request, slug)
    return page(
        request, "segments/quality.html", title=f"{definition.name}: quality and use",
        **frame(request, live, definition, f"/segments/{definition.slug}/quality"),
    )  # fmt: skip


OVERLAPS = (
    Column("name", "Segment"),
    Column("both", "In both", "count"),
    Column("of_mine", "Of this one", "bar"),
    Column("of_other", "Of the other", "bar"),
    Column("lift", "Against chance", "number", term="lift"),
)


@router.get("/quality/card")
def card(request: Request, person: Viewer, slug: str) -> Response:
    """The quality card, overlap and reach."""
    live, definition = found(request, slug)
    told = asked_of(request, "segment checks", segment=slug)
    hues, names = colours(live), live.definitions
    rows = [
        one | {"name": names[one["slug"]].name, "href": f"/segments/{one['slug']}", "colour": hues[one["slug"]]}
        for one in told["overlaps"]
        if one["slug"] in names
    ]
    overlaps = listed(request, "overlaps", OVERLAPS, rows, sort="-both", label="segments", size=500)
    for row in rows[:1]:
        row["both_text"] = f"{show(MemberOf(slug))} and {show(MemberOf(row['slug']))}"
    return fragment(
        request, "segments/_card.html", told=told, definition=definition, overlaps=overlaps, closest=rows[0] if rows else None,
        fresh=freshness(live, slug), unlive=unlive(definition, names, live.core.schema_with(names)),
    )  # fmt: skip


@router.get("/quality/uses")
def uses(request: Request, person: Viewer, slug: str) -> Response:
    """What names the segment."""
    found(request, slug)
    told = asked_of(request, "segment uses", seconds=5.0, segment=slug)["uses"]
    for one in told:
        one["href"] = _PAGES[one["kind"]].format(slug=one["slug"])
    return fragment(request, "segments/_uses.html", uses=told, slug=slug)


_PAGES = {
    "segment": "/segments/{slug}", "metric": "/kpis/{slug}", "experiment": "/experiments/{slug}", "pilot": "/pilots/{slug}",
    "dashboard": "/dashboards/{slug}", "job": "/jobs",
}  # fmt: skip


@router.get("/quality/activity")
def activity(request: Request, person: Viewer, slug: str) -> Response:
    """Who did what to it, and when its definition changed, the newest first."""
    from shoal.web.pages.segment_versions import versions

    live, service = live_of(request), service_of(request)
    told = live.read(lambda store: versions(store, slug))
    people = {one.id: one.name for one in service.people}
    done = [
        {"at": one.at, "what": one.action, "who": people.get(one.person, ""), "detail": one.detail, "real": True}
        for one in service.audit.entries(slug, most=200)
        if one.about == slug
    ]
    changes = [
        {"at": at, "what": f"version {number}: removed" if kept is None else f"version {number} in force", "who": "",
         "detail": "", "real": False}
        for number, at, kept in told
    ]  # fmt: skip
    if not told and slug not in live.definitions:
        raise HTTPException(404, "There is no such segment.")
    return fragment(request, "segments/_activity.html", done=done[:20], changes=changes[:20], slug=slug)


__all__ = ["found", "frame", "iso", "router", "tabs"]
