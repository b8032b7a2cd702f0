"""Metrics: the catalogue, one metric over time with why it changed, targets and alerts, costs and attribution."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from fastapi import APIRouter, Depends, Form, Query, Request, Response
from fastapi.responses import RedirectResponse

from shoal.errors import Refused, ShoalError
from shoal.views import theme
from shoal.web.asked import ChartWidth, address, asked, changed, chart, chart_of
from shoal.web.audit import note
from shoal.web.people import Person, may
from shoal.web.render import fragment, is_fragment, page
from shoal.web.tables import Column, listed
from shoal.web.telling import tell

if TYPE_CHECKING:
    from collections.abc import Mapping

router = APIRouter(prefix="/kpis")
Viewer = Annotated[Person, Depends(may("view"))]
Editor = Annotated[Person, Depends(may("edit"))]
Grain = Literal["day", "week", "month", "quarter", "year"]
GRAINS = ("day", "week", "month", "quarter", "year")
Names = Annotated[list[str] | None, Query(max_length=8)]
By = Annotated[str, Query(max_length=500)]
_STATES = {"open": ("open", "bad"), "acknowledged": ("somebody is at it", "accent"), "snoozed": ("quiet for now", ""),
           "resolved": ("over", "good")}  # fmt: skip
_VERDICTS = {"on track": "good", "reached": "good", "behind": "bad", "missed": "bad", "open": "warn"}
COLUMNS = (
    Column("name", "Metric", note="definition"),
    Column("shown", "Newest", "figure", note="interval", by="value"),
    Column("change", "Change", "figure", by="change_by"),
    Column("n", "Customers", "count", term="n"),
    Column("trend", "Trend", "spark"),
    Column("state", "Watched", "state"),
    Column("owner", "Owner", note="version"),
    Column("used", "Used by"),
)


# ------------------------------------------------------------ catalogue


@router.get("")
def catalogue(request: Request, person: Viewer, grain: Grain = "month") -> Response:
    """All metrics; their figures come a moment later."""
    if not is_fragment(request):
        return page(
            request, "kpis/list.html", title="KPIs", grain=grain, grains=_grains("/kpis"), here=_here(request, grain)
        )
    found = asked(request, "kpi catalogue", grain=grain)
    rows = [_line(one, grain) for one in found["metrics"]]
    listing = listed(
        request, "metrics", COLUMNS, rows, sort="place", label="metrics", search=("name", "definition", "slug", "owner"),
    )  # fmt: skip
    periods = sorted({one["period"] for one in found["metrics"] if one["period"]})
    return fragment(request, "kpis/_list.html", listing=listing, found=found, grain=grain, periods=periods)


def _here(request: Request, grain: str) -> str:
    return str(request.url.path) + (f"?{request.url.query}" if request.url.query else "")


def _grains(path: str, **more: Any) -> list[tuple[str, str]]:
    return [(one.capitalize(), address(path, grain=one, **more)) for one in GRAINS]


def _line(one: Mapping[str, Any], grain: str) -> dict[str, Any]:
    trend = [value for value in one["trend"] if value is not None]
    gap = trend[-1] / trend[-2] - 1 if len(trend) > 1 and trend[-2] else None
    return {
        **one, "href": address(f"/kpis/{one['slug']}", grain=grain if grain != "month" else ""),
        "owner": one["owner"] or ("ships" if one["ships"] else ""), "change_by": gap, "state": _watched(one),
        "used": ", ".join(name for _, name, _ in one["used"]), "version": f"version {one['version'][:8]}",
    }  # fmt: skip


def _watched(one: Mapping[str, Any]) -> tuple[str, str] | None:
    if one["alerts"]:
        return ("alert", "bad")
    return ("watched", "good") if one["watched"] or one["target"] else None


# ------------------------------------------------------------ what is watched


@router.get("/alerts")
def alerts(request: Request, person: Viewer) -> Response:
    """Targets, and alerts that go on or are over."""
    if not is_fragment(request):
        return page(request, "kpis/alerts.html", title="Alerts and targets")
    found = asked(request, "kpis watched")
    rows = [_alert(one, found["names"]) for one in found["alerts"]]
    columns = (
        Column("sentence", "What is the matter", note="note"), Column("metric", "Metric"), Column("state", "State", "state"),
        Column("since", "Since"), Column("resolved", "Over since"),
    )  # fmt: skip
    listing = listed(
        request, "alerts", columns, rows, sort="-since", label="alerts", search=("sentence", "metric", "note")
    )
    open_ = [one for one in rows if one["resolved"] is None]
    return fragment(
        request, "kpis/_alerts.html", found=found, listing=listing, open=open_, verdicts=_VERDICTS, person=person
    )


def _alert(one: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {
        **one, "slug": one["metric"], "metric": names.get(one["metric"], one["metric"]), "href": f"/kpis/{one['metric']}",
        "state": _STATES[one["state"]], "since": one["raised"][:10], "over": one["resolved"],
        "resolved": one["resolved"] and one["resolved"][:10],
    }  # fmt: skip


@router.post("/alerts/check")
def check(request: Request, person: Editor) -> Response:
    """Look at all that is watched, now."""
    return _done(request, "/kpis/alerts", "metrics checked", "", "check alerts")


@router.post("/alerts/{alert}/acknowledge")
def acknowledge(
    request: Request, person: Editor, alert: str, said: Annotated[str, Form(max_length=500)] = "",
    back: Annotated[str, Form(max_length=200)] = "/kpis/alerts",
) -> Response:  # fmt: skip
    """Say that somebody is at it."""
    return _done(request, _inside(back), "alert acknowledged", alert, "acknowledge alert", alert=alert, note=said)


@router.post("/alerts/{alert}/snooze")
def snooze(
    request: Request, person: Editor, alert: str, until: Annotated[str, Form(max_length=40)] = "",
    said: Annotated[str, Form(max_length=500)] = "", back: Annotated[str, Form(max_length=200)] = "/kpis/alerts",
) -> Response:  # fmt: skip
    """Keep it quiet up to a day."""
    return _done(
        request, _inside(back), "alert snoozed", alert, "snooze alert", alert=alert, until=until.strip(), note=said
    )


def _inside(path: str) -> str:
    """A page of the metrics to go back to, whatever a form says."""
    return path if path.startswith("/kpis/") and "//" not in path else "/kpis/alerts"


def _done(request: Request, back: str, action: str, about: str, question: str, **said: Any) -> Response:
    """Do it, and go back; what can't be done is said on the page."""
    answer = RedirectResponse(back, 303)
    try:
        done = changed(request, question, **said)
    except ShoalError as error:
        return tell(answer, " ".join(filter(None, (error.problem, error.fix))), bad=True)
    note(request, action, about)
    return tell(answer, done.get("sentence") or f"{action.capitalize()}.")


# ------------------------------------------------------------ costs


@router.get("/costs")
def costs(request: Request, person: Viewer) -> Response:
    """What was spent against what came, and which channels that is credited to."""
    if not is_fragment(request):
        return page(request, "kpis/costs.html", title="Costs and attribution")
    return fragment(request, "kpis/_costs.html", found=asked(request, "costs told"))


@router.get("/costs/charts/{name}.json")
def costs_chart(request: Request, person: Viewer, name: str, width: ChartWidth = theme.WIDE) -> Response:
    """A chart of costs."""
    return chart_of(request, "costs told", name, width=width)


# ------------------------------------------------------------ one metric


@router.get("/{slug}")
def metric(
    request: Request, person: Viewer, slug: str, grain: Grain = "month", segment: Names = None, by: By = ""
) -> Response:  # fmt: skip
    """One metric: what it is, how it goes, and why."""
    found = asked(request, "kpi", slug=slug)
    chosen = {"segment": [one for one in segment or [] if one], "by": by.strip()}
    query = address("", grain=grain, **chosen).removeprefix("?")
    return page(
        request, "kpis/metric.html", title=found["name"], found=found, grain=grain, chosen=chosen, query=query,
        grains=_grains(f"/kpis/{slug}", **chosen), here=address(f"/kpis/{slug}", grain=grain, **chosen),
        bys=_bys(found["traits"], chosen["by"]), states=_STATES, open=[one for one in found["alerts"] if one["resolved"] is None],
    )  # fmt: skip


def _bys(traits: list[str], by: Any) -> list[tuple[str, str]]:
    """What a metric can be broken down by, with what the address asks for, which may be a property."""
    names = traits if not by or by in traits else [by, *traits]
    return [("", "Nothing"), *((name, name.replace("_", " ")) for name in names)]


@router.get("/{slug}/figures")
def figures(
    request: Request, person: Viewer, slug: str, grain: Grain = "month", segment: Names = None, by: By = ""
) -> Response:  # fmt: skip
    """Its newest figure, and all of them as a table."""
    said = {"slug": slug, "grain": grain, "segments": segment or [], "by": by or None}
    found = asked(request, "kpi trend", **said)
    shown = [row for row in reversed(found["rows"]) if row["value"] is not None]
    return fragment(
        request, "kpis/_figures.html", found=found, grain=grain, rows=shown[:60], more=max(0, len(shown) - 60)
    )


@router.get("/{slug}/trend.json")
def trend(
    request: Request, person: Viewer, slug: str, grain: Grain = "month", segment: Names = None, by: By = "",
    width: ChartWidth = theme.WIDE,
) -> Response:  # fmt: skip
    """It over time."""
    return chart(
        request, "kpi trend", width=width, slug=slug, grain=grain, segments=segment or [], by=by or None
    )  # fmt: skip


@router.get("/{slug}/expected.json")
def expected(request: Request, person: Viewer, slug: str, width: ChartWidth = theme.WIDE) -> Response:
    """It beside what was to be expected."""
    return chart(request, "kpi expected", width=width, slug=slug)


@router.get("/{slug}/target")
def target(request: Request, person: Viewer, slug: str) -> Response:
    """How far its target is."""
    try:
        found, refused = asked(request, "kpi target", slug=slug), ""
    except Refused as refusal:
        found, refused = {}, str(refusal)
    return fragment(request, "kpis/_target.html", found=found, refused=refused, verdicts=_VERDICTS)


@router.get("/{slug}/causes")
def causes(request: Request, person: Viewer, slug: str, grain: Grain = "month") -> Response:
    """Which groups its newest change sits in."""
    try:
        found, refused = asked(request, "kpi causes", slug=slug, grain=grain), ""
    except Refused as refusal:
        found, refused = {"sentences": [], "dimensions": [], "rows": []}, str(refusal)
    return fragment(request, "kpis/_causes.html", found=found, refused=refused, slug=slug, grain=grain)


@router.get("/{slug}/causes.json")
def causes_chart(
    request: Request, person: Viewer, slug: str, grain: Grain = "month", by: By = "", width: ChartWidth = theme.WIDE
) -> Response:  # fmt: skip
    """What each group is of the change."""
    return chart(request, "kpi causes", width=width, slug=slug, grain=grain, by=by or None)
