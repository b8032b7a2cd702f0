"""Dashboards: the list, one with its filters, its tiles as they come in, the customers behind a mark, and exports."""

from __future__ import annotations

import csv
import io
from base64 import b64decode
from dataclasses import dataclass
from time import sleep
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlencode

import yaml
from fastapi import APIRouter, Depends, HTTPException, Query, Request, Response
from fastapi.responses import RedirectResponse

from shoal.clock import iso
from shoal.destinations.files import defuse
from shoal.errors import Refused, ShoalError, UnknownName
from shoal.server.api.app import live_of
from shoal.server.asking import Busy
from shoal.views import theme
from shoal.views.dashboards import read_dashboards
from shoal.views.dashboards.answers import OPENS, WHERE, Answer
from shoal.views.dashboards.periods import PERIODS, read_period
from shoal.views.dashboards.sheet import Heading, tile_picture, width_of
from shoal.views.dashboards.sheet import png as png_of
from shoal.web.builder.desk import asked_of, desk_of
from shoal.web.builder.reasons import lines
from shoal.web.charts import ChartWidth, answer, empty
from shoal.web.masking import shown_id
from shoal.web.people import Person, may, service_of
from shoal.web.render import fragment, page
from shoal.web.tables import Column, listed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shoal.views.dashboards import Dashboard, Dashboards
    from shoal.views.dashboards.definition import Tile

router = APIRouter(prefix="/dashboards")
Viewer = Annotated[Person, Depends(may("view"))]
_COLUMNS = (
    Column("title", "Dashboard", note="description"), Column("tiles", "Tiles", "count"), Column("owner", "Owner"),
    Column("made", "Made by"),
)  # fmt: skip
_PHONE = 480
_PATIENCE, _STEP = 40.0, 0.2
"""Seconds that a tile waits for its turn among many questions, and between two tries."""
_SAMPLE = 12
FORMS = {
    "html": "text/html; charset=utf-8", "pdf": "application/pdf", "png": "image/png", "svg": "image/svg+xml",
    "yaml": "application/yaml",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Filters:
    """What a dashboard is filtered by, as its address says.

    Args:
        segment: a slug; empty for everyone.
        name: what that segment is called.
        period: as it is written.
        fault: why what the address says can't be.
    """

    segment: str
    name: str
    period: str
    fault: str = ""

    @property
    def query(self) -> str:
        """The same as parameters."""
        return urlencode({"segment": self.segment, "period": self.period})


def all_of(request: Request) -> Dashboards:
    """The dashboards of the served workspace, as their files are now."""
    return read_dashboards(service_of(request).workspace.config.root)


def one_of(request: Request, slug: str) -> Dashboard:
    """A dashboard.

    Raises:
        HTTPException: 404, there is none.
        ShoalError: its file has a fault.
    """
    try:
        return all_of(request).find(slug)
    except UnknownName as error:
        raise HTTPException(404, str(error)) from None


def filters_of(request: Request, dashboard: Dashboard, segment: str | None, period: str | None) -> Filters:
    """What the address filters by; what it doesn't say, the dashboard's file says."""
    slug, span, fault = dashboard.segment if segment is None else segment, period or dashboard.period, ""
    try:
        read_period(span)
    except Refused as error:
        span, fault = dashboard.period, str(error)
    live = live_of(request)
    name = ""
    if slug:
        try:
            found = live.catalogue.find(slug)
            slug, name = found.slug, found.name
        except ShoalError as error:
            slug, fault = "", str(error)
    return Filters(slug, name, span, fault)


# ---------------------------------------------------------------- the list


@router.get("")
def dashboards(request: Request, person: Viewer) -> Response:
    """All dashboards."""
    found = all_of(request)
    rows = [
        {"title": one.title, "description": one.description, "tiles": len(one.tiles), "owner": one.owner or None,
         "made": "ready" if slug in found.shipped else "this workspace", "href": f"/dashboards/{slug}"}
        for slug, one in found.definitions.items()
    ]  # fmt: skip
    listing = listed(
        request, "dashboards", _COLUMNS, rows, sort="made", label="dashboards", search=("title", "description", "owner")
    )
    faults = sorted(found.faults.items())
    return page(request, "dashboards/list.html", title="Dashboards", listing=listing, faults=faults)


# ---------------------------------------------------------------- one


@router.get("/{slug}")
def dashboard(
    request: Request, person: Viewer, slug: str, segment: str | None = None, period: str | None = None
) -> Response:
    """A dashboard; its tiles come in one by one."""
    found = one_of(request, slug)
    return page(request, "dashboards/dashboard.html", title=found.title, **values_of(request, found, segment, period))


def values_of(request: Request, found: Dashboard, segment: str | None, period: str | None) -> dict[str, Any]:
    """What the template of a dashboard takes."""
    filters = filters_of(request, found, segment, period)
    segments = [(slug, one.name) for slug, one in live_of(request).definitions.items()]
    periods = [*dict.fromkeys((*PERIODS, found.period, filters.period))]
    return {
        "dashboard": found, "filters": filters, "segments": sorted(segments, key=lambda one: one[1].casefold()),
        "periods": periods, "own": found.slug in all_of(request).texts,
    }  # fmt: skip


def tile_of(request: Request, slug: str, number: int) -> tuple[Dashboard, Tile]:
    """A tile of a dashboard.

    Raises:
        HTTPException: 404, there is none.
    """
    found = one_of(request, slug)
    if not 0 <= number < len(found.tiles):
        raise HTTPException(404, "The dashboard has no such tile; load its page again.")
    return found, found.tiles[number]


def ask(request: Request, name: str, asked: Mapping[str, Any]) -> dict[str, Any]:
    """A long question, which waits for its turn where many are asked.

    Raises:
        Busy: the turn didn't come for too long.
    """
    live_of(request)
    asking = service_of(request).asking
    assert asking is not None
    waited = 0.0
    while True:
        try:
            return asking.ask(name, dict(asked))
        except Busy:
            waited += _STEP
            if waited >= _PATIENCE:
                raise
            sleep(_STEP)


def answered(request: Request, tile: Tile, filters: Filters, width: int | None = None) -> Answer:
    """The answer to a tile's question: kept by its question, so that the same one is worked out once."""
    wide = theme.NARROW if width is not None and width < _PHONE else width_of(tile)
    asked = {
        "tile": {**tile.document(), "at": [0, 0, tile.w, tile.h]},
        "segment": filters.segment,
        "period": filters.period,
    }
    return Answer.of(ask(request, "tile", asked | {"width": wide}))


@router.get("/{slug}/tiles/{number}")
def tile(
    request: Request, person: Viewer, slug: str, number: int, segment: str | None = None, period: str | None = None
) -> Response:
    """A tile with its answer, as a fragment."""
    found, one = tile_of(request, slug, number)
    return tile_fragment(request, slug, number, one, filters_of(request, found, segment, period))


def tile_fragment(request: Request, slug: str, number: int, one: Tile, filters: Filters, url: str = "") -> Response:
    """A tile with its answer.

    Args:
        request: who asks.
        slug: of the dashboard.
        number: of the tile.
        one: the tile.
        filters: of the page.
        url: where its chart is fetched from; by default from the dashboard's own.
    """
    told = answered(request, one, filters)
    rows = [{**row, "href": _href(slug, row)} for row in told.rows]
    figure_href = _drill(slug, told.figure.where, told.title) if told.figure is not None and told.figure.where else ""
    base = f"/dashboards/{slug}/tiles/{number}"
    return fragment(
        request, "dashboards/_tile.html", tile=one, answer=told, rows=rows, number=number, base=base, query=filters.query,
        chart_url=url or f"{base}/chart.json?{filters.query}", figure_href=figure_href, preview=bool(url),
    )  # fmt: skip


def _href(slug: str, row: Mapping[str, Any]) -> str:
    """Where a row leads to: a page of its own, or the customers behind it."""
    opens = str(row.get(OPENS) or "")
    if opens.startswith("segment:"):
        return f"/segments/{opens.removeprefix('segment:')}"
    said = str(row.get("line") or row.get("group") or row.get("name") or "")
    return _drill(slug, str(row[WHERE]), said) if row.get(WHERE) else ""


def _drill(slug: str, where: str, said: str) -> str:
    return f"/dashboards/{slug}/customers?{urlencode({'where': where, 'of': said})}"


@router.get("/{slug}/tiles/{number}/chart.json")
def chart(
    request: Request, person: Viewer, slug: str, number: int, segment: str | None = None, period: str | None = None,
    width: ChartWidth = theme.WIDE,
) -> Response:  # fmt: skip
    """The definition of a tile's chart, each mark a link to its customers."""
    found, one = tile_of(request, slug, number)
    return chart_of(request, slug, answered(request, one, filters_of(request, found, segment, period), width), width)


def chart_of(request: Request, slug: str, told: Answer, width: int) -> Response:
    """The definition of an answer's chart."""
    if told.chart is None or told.missing:
        return empty(f"{told.missing} {told.fix}".strip() or "There is nothing to draw.", width)
    title = {"text": told.title, "subtitle": told.sub}
    spec = _linked(told.chart | {"title": title}, slug, told.title)
    heads = {one.key: one.head for one in told.heads}
    rows = [{key: row.get(key) for key in heads} | {"href": _href(slug, row) or None} for row in told.rows]
    return answer(spec, rows, heads)


def _linked(part: Any, slug: str, said: str) -> Any:
    """A copy of a definition in which each row's condition became the link to its customers."""
    if isinstance(part, dict):
        if isinstance(part.get(WHERE), str):
            kept = {key: value for key, value in part.items() if key != WHERE}
            return kept | ({"href": _drill(slug, part[WHERE], said)} if part[WHERE] else {})
        return {key: _linked(inner, slug, said) for key, inner in part.items()}
    return [_linked(one, slug, said) for one in part] if isinstance(part, list) else part


# ---------------------------------------------------------------- files of a tile


@router.get("/{slug}/tiles/{number}/file.{form}")
def tile_file(
    request: Request, person: Viewer, slug: str, number: int, form: str, segment: str | None = None,
    period: str | None = None,
) -> Response:  # fmt: skip
    """A tile as CSV, SVG, PNG, or what it is as YAML."""
    found, one = tile_of(request, slug, number)
    if form == "yaml":
        text = yaml.safe_dump(one.document(), sort_keys=False, allow_unicode=True)
        return _file(text.encode(), f"{slug}-{number}.yaml", FORMS["yaml"])
    told = answered(request, one, filters_of(request, found, segment, period))
    if form == "csv":
        return _file(_csv(told).encode(), f"{slug}-{number}.csv", "text/csv; charset=utf-8")
    if form not in ("svg", "png"):
        raise HTTPException(404, "A tile isn't handed out so.")
    picture = tile_picture(one, told, heading(request))
    content = picture.encode() if form == "svg" else png_of(picture)
    return _file(content, f"{slug}-{number}.{form}", FORMS[form])


def heading(request: Request) -> Heading:
    """What stands over a picture."""
    config = service_of(request).workspace.config
    return Heading(config.name, live_of(request).core.engine.now, config.zone, config.currency)


def _csv(told: Answer) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([one.head or one.key for one in told.heads])
    for row in told.rows:
        said = [row.get(one.key) for one in told.heads]
        writer.writerow([
            iso(value) if one.form == "when" and isinstance(value, int) else defuse(value)
            for one, value in zip(told.heads, said, strict=True)
        ])  # fmt: skip
    return out.getvalue()


def _file(content: bytes, name: str, kind: str) -> Response:
    return Response(content, media_type=kind, headers={"Content-Disposition": f'attachment; filename="{name}"'})


@router.get("/{slug}/export/{form}")
def export(
    request: Request, person: Viewer, slug: str, form: str, segment: str | None = None, period: str | None = None
) -> Response:
    """The dashboard as a file."""
    found = one_of(request, slug)
    if form not in FORMS:
        raise HTTPException(404, "A dashboard isn't handed out so.")
    if form == "yaml":
        return _file(all_of(request).text(found.slug).encode(), f"{slug}.yaml", FORMS[form])
    filters = filters_of(request, found, segment, period)
    asked = {"name": slug, "segment": filters.segment, "period": filters.period, "form": f".{form}"}
    return _file(b64decode(ask(request, "dashboard file", asked)["content"]), f"{slug}.{form}", FORMS[form])


# ---------------------------------------------------------------- the customers behind a mark


@router.get("/{slug}/customers")
def customers(
    request: Request, person: Viewer, slug: str, where: Annotated[str, Query(max_length=20_000)] = "", of: str = ""
) -> Response:
    """The customers behind a mark: how many they are, some of them with why, and the way to a segment of them."""
    found = one_of(request, slug)
    if not where:
        return RedirectResponse(f"/dashboards/{slug}", 303)
    desk = desk_of(request)
    asked = asked_of(desk, {"text": where})
    kept = asked.reading.kept
    values: dict[str, Any] = {
        "size": None,
        "members": [],
        "faults": [one for one in asked.reading.faults if not one.doubt],
    }
    if kept is not None and not values["faults"]:
        from shoal.lang.say import say

        members = desk.sizer.members(kept, asked.details, _SAMPLE)
        zone = desk.live.workspace.config.zone
        values |= {
            "size": desk.sizer.sizes(kept, asked.details),
            "members": [
                (customer, shown_id(person, customer), lines(why, person, zone) if why is not None else [])
                for customer, why in members
            ],
            "sentence": f"{say(asked.reading.root, desk.schema)}." if asked.reading.root is not None else "",
        }
    title = f"Customers behind {of}" if of else "Customers behind a mark"
    return page(
        request, "dashboards/customers.html", title=title, dashboard=found, where=where, said=of,
        **values,
    )  # fmt: skip
