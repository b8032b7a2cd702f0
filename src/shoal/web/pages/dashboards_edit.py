"""The editor of dashboards: its page, the form of a tile with its preview, saving as the workspace's file."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse, RedirectResponse

from shoal.errors import DefinitionError, Refused, ShoalError, UnknownName
from shoal.lang.slug import slug_of
from shoal.server.api.app import live_of
from shoal.views import theme
from shoal.views.dashboards.definition import CHOICES, LARGEST, LIVE, MOST, OPTIONS, PERIOD, SIZES, Dashboard
from shoal.views.dashboards.periods import PERIODS, read_period
from shoal.views.dashboards.reading import read_tile
from shoal.web.audit import note
from shoal.web.charts import ChartWidth  # noqa: TC001  FastAPI reads it
from shoal.web.pages.dashboards import all_of, answered, ask, chart_of, filters_of, tile_fragment
from shoal.web.people import Person, may, service_of
from shoal.web.render import fragment, page
from shoal.web.telling import tell
from shoal.workspace.dashboards import Changed, CommentsLost, remove_file, save_file

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shoal.views.dashboards.definition import Tile

router = APIRouter(prefix="/dashboards")
Editor = Annotated[Person, Depends(may("edit"))]
Document = Annotated[str, Query(max_length=20_000)]
NEW = "new"
KINDS = {
    "figure": "Figure", "line": "Line", "bar": "Bar", "table": "Table", "funnel": "Funnel", "retention": "Retention",
    "rfm": "RFM", "map": "Map", "sankey": "Sankey", "text": "Text",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a tile's form.

    Args:
        key: as in the file.
        label: for people.
        kind: text, area, number, select, several, or suggested.
        options: value and words of each, to choose from or suggested.
        hint: how it is written.
    """

    key: str
    label: str
    kind: str = "text"
    options: tuple[tuple[str, str], ...] = ()
    hint: str = ""


# ---------------------------------------------------------------- the page


@router.get("/{slug}/edit")
def edit(request: Request, person: Editor, slug: str) -> Response:
    """The editor of a dashboard; of ``new`` an empty one."""
    catalogue = all_of(request)
    found = catalogue.definitions.get(slug)
    if slug in catalogue.faults:
        raise catalogue.faults[slug]
    if found is None and slug != NEW:
        raise UnknownName("dashboard", slug, list(catalogue.definitions))
    one = found or Dashboard(NEW, "", period=PERIOD)
    segments = sorted(
        ((s, d.name) for s, d in live_of(request).definitions.items()), key=lambda pair: pair[1].casefold()
    )
    return page(
        request, "dashboards/edit.html", title=f"Edit {one.title}" if found else "New dashboard", dashboard=one,
        document=json.dumps(one.document(), ensure_ascii=False), base=catalogue.mark(slug) if found else "",
        fresh=found is None, own=slug in catalogue.texts, shipped=slug in catalogue.shipped, kinds=KINDS,
        sizes=json.dumps(SIZES), segments=segments, periods=[*dict.fromkeys((*PERIODS, one.period))],
    )  # fmt: skip


# ---------------------------------------------------------------- a tile


@router.get("/{slug}/form")
def form(request: Request, person: Editor, slug: str, tile: Document) -> Response:
    """The form of a tile, with what the data offers for each field."""
    given = _document(tile)
    fields = _fields(request, str(given.get("kind", "")))
    return fragment(
        request, "dashboards/_form.html", tile=given, fields=fields, kind=KINDS.get(str(given.get("kind")), "")
    )


@router.get("/{slug}/check")
def check(request: Request, person: Editor, slug: str, tile: Document) -> Response:
    """A tile as it would be saved, or what is wrong with it and at which field."""
    try:
        return JSONResponse({"tile": _checked(_document(tile)).document()})
    except DefinitionError as error:
        key = _culprit(_document(tile))
        return JSONResponse({"problem": error.problem, "fix": error.fix or "", "key": key})


@router.get("/{slug}/preview")
def preview(
    request: Request, person: Editor, slug: str, tile: Document, segment: str = "", period: str = ""
) -> Response:
    """How a tile looks."""
    from urllib.parse import urlencode

    one = _checked(_document(tile))
    filters = filters_of(request, Dashboard(slug, ""), segment, period)
    query = urlencode({"tile": tile, "segment": filters.segment, "period": filters.period})
    return tile_fragment(request, slug, 0, one, filters, f"/dashboards/{slug}/preview.json?{query}")


@router.get("/{slug}/preview.json")
def preview_chart(
    request: Request, person: Editor, slug: str, tile: Document, segment: str = "", period: str = "",
    width: ChartWidth = theme.WIDE,
) -> Response:  # fmt: skip
    """The chart of a tile that isn't saved yet."""
    filters = filters_of(request, Dashboard(slug, ""), segment, period)
    return chart_of(request, slug, answered(request, _checked(_document(tile)), filters), width)


def _document(text: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise DefinitionError("This is no tile.", fix="Load the page again.")
    return found


def _checked(document: Mapping[str, Any]) -> Tile:
    """A tile as the page sends it: what was left empty isn't said."""
    kept = {key: value for key, value in document.items() if value not in ("", [], None)}
    return read_tile(kept)


def _culprit(document: Mapping[str, Any]) -> str:
    """The field without which the tile would be one; empty where it isn't one field."""
    for key in document:
        if key in ("kind", "at"):
            continue
        try:
            _checked({name: value for name, value in document.items() if name != key})
        except DefinitionError:
            continue
        return key
    return ""


def _fields(request: Request, kind: str) -> list[Field]:
    if kind not in OPTIONS:
        raise DefinitionError("There is no such kind of tile.", fix=f"Take one of {', '.join(OPTIONS)}.")
    offered = _Offered(request)
    made = [offered.field(kind, key) for key in OPTIONS[kind]]
    return [field for field in made if field is not None]


class _Offered:
    """What the workspace's data offers for the fields of a tile."""

    def __init__(self, request: Request) -> None:
        self._request = request
        live = live_of(request)
        self._schema = live.core.schema_with(live.definitions)
        self._named = tuple((slug, one.name) for slug, one in live.definitions.items())
        self._funnels_known = tuple((name, name) for name in service_of(request).workspace.config.funnels)

    def field(self, kind: str, key: str) -> Field | None:
        """A field; None where the data has nothing to choose from."""
        if (kind, key) in CHOICES:
            words = tuple((word, word.capitalize()) for word in CHOICES[kind, key])
            return Field(key, _LABELS.get((kind, key), key.capitalize()), "select", (("", "–"), *words))
        made = getattr(self, f"_{key}", None)
        return made(kind) if made is not None else Field(key, key.capitalize())

    def _metric(self, kind: str) -> Field:
        known = self._metrics_known()
        return Field("metric", "Metric", "select", (("", "–"), *known))

    def _metrics(self, kind: str) -> Field:
        hint = "Hold Ctrl to choose several; in a line they share one unit."
        return Field("metrics", "Metrics", "several", self._metrics_known(), hint)

    def _metrics_known(self) -> tuple[tuple[str, str], ...]:
        found = ask(self._request, "metrics", {})["metrics"]
        return tuple((one["slug"], one["name"]) for one in found)

    def _segments(self, kind: str) -> Field:
        options = ((LARGEST, "The largest"), *self._named)
        return Field("segments", "Segments", "several", options, "Hold Ctrl to choose several.")

    def _live(self, kind: str) -> Field:
        sizes = tuple((f"size of {slug}", f"Size of {name}") for slug, name in self._named)
        return Field(
            "live", "Or live, as it changes", "select", (("", "–"), *((one, one.capitalize()) for one in LIVE), *sizes)
        )

    def _by(self, kind: str) -> Field:
        props = [f'{name} of "{event}"' for event, types in self._schema.events.items() for name in types]
        options = tuple((one, "") for one in [*self._schema.traits, *props])
        return Field(
            "by", "Broken down by", "suggested", options, 'A trait, as plan; or events, as store of "Order Completed".'
        )

    def _of(self, kind: str) -> Field:
        points = tuple((name, "") for name, found in self._schema.traits.items() if found.value == "geo point")
        return Field("of", "Trait that holds a place", "suggested", points)

    def _funnel(self, kind: str) -> Field | None:
        return (
            Field("funnel", "Named funnel", "select", (("", "–"), *self._funnels_known))
            if self._funnels_known
            else None
        )

    def _steps(self, kind: str) -> Field:
        if kind == "sankey":
            return Field("steps", "Steps", "number", (), "1 to 8")
        return Field(
            "steps",
            "Steps, one a line",
            "area",
            self._events,
            "An event a line; a filter may follow: Product Viewed where …",
        )

    @property
    def _events(self) -> tuple[tuple[str, str], ...]:
        return tuple((name, "") for name in self._schema.events)

    def _event(self, key: str, label: str, hint: str = "") -> Field:
        return Field(key, label, "suggested", self._events, hint)

    def _born(self, kind: str) -> Field:
        return self._event("born", "A cohort begins with", "The first order, where nothing is said.")

    def _active(self, kind: str) -> Field:
        return self._event("active", "Back with", "An order, where nothing is said.")

    def _after(self, kind: str) -> Field:
        return self._event("after", "Or paths after an event")

    def _before(self, kind: str) -> Field:
        return self._event("before", "Or paths before an event")

    def _within(self, kind: str) -> Field:
        return Field("within", "Within", "text", (), "As 7 days; 30 days where nothing is said.")

    def _rows(self, kind: str) -> Field:
        return Field("rows", "Rows", "number", (), "10 where nothing is said.")

    def _text(self, kind: str) -> Field:
        return Field("text", "Text", "area", (), "**bold**, *italic*, [words](/address), # heading, - item")


_LABELS = {
    ("bar", "of"): "Or customers by", ("table", "of"): "Or a table of", ("sankey", "between"): "Moves between",
    ("retention", "mode"): "Back means", ("retention", "as"): "Drawn as",
}  # fmt: skip


# ---------------------------------------------------------------- saving


async def _form(request: Request) -> dict[str, str]:
    return {name: value for name, value in (await request.form()).items() if isinstance(value, str)}


Sent = Annotated[dict[str, str], Depends(_form)]


@router.post("/{slug}/save")
def save(request: Request, person: Editor, slug: str, sent: Sent) -> Response:
    """Save a dashboard as the workspace's file: what is wrong, where it was changed meanwhile, and lost comments are told."""
    try:
        one = _read(sent.get("document", ""))
    except _Wrong as error:
        return JSONResponse({"problem": error.problem, "fix": error.fix, "tile": error.tile, "key": error.key}, 422)
    base = sent.get("base", "")
    if slug == NEW or sent.get("copy") == "yes":
        slug, base = _free(request, one.title), ""
    root = service_of(request).workspace.config.root
    try:
        save_file(root, replace(one, slug=slug), base=base, lose_comments=sent.get("lose") == "yes")
    except (Changed, CommentsLost) as error:
        why = "comments" if isinstance(error, CommentsLost) else "changed"
        return JSONResponse({"problem": error.problem, "fix": error.fix or "", "why": why}, 409)
    note(request, "dashboard saved", slug, f"{len(one.tiles)} tiles")
    # The page's script goes there; what was done is said on that page, as after a redirect.
    onward = tell(RedirectResponse(f"/dashboards/{slug}", 303), f"Saved as dashboards/{slug}.yaml.")
    return JSONResponse({"href": f"/dashboards/{slug}"}, headers={"Set-Cookie": onward.headers["set-cookie"]})


@dataclass
class _Wrong(Exception):
    """What is wrong with a dashboard as the page sent it."""

    problem: str
    fix: str
    tile: int | None = None
    key: str = ""


def _read(text: str) -> Dashboard:
    document = _document(text)
    title = str(document.get("title") or "").strip()
    if not title:
        raise _Wrong("Give it a title.", "", key="title")
    given, tiles = document.get("filters"), document.get("tiles")
    filters = given if isinstance(given, dict) else {}
    tiles = tiles if isinstance(tiles, list) else []
    period = str(filters.get("period") or PERIOD)
    try:
        read_period(period)
    except Refused as error:
        raise _Wrong(error.problem, error.fix or "", key="period") from None
    if len(tiles) > MOST:
        raise _Wrong(f"These are more than {MOST} tiles.", "Make a second dashboard of some of them.")
    said = {key: str(document.get(key) or "").strip() for key in ("description", "owner")}
    return Dashboard(
        NEW, title, segment=str(filters.get("segment") or ""), period=period, tiles=tuple(_tiles(tiles)), **said
    )


def _tiles(documents: list[Any]) -> list[Tile]:
    found = []
    for number, one in enumerate(documents):
        try:
            found.append(_checked(one if isinstance(one, dict) else {}))
        except ShoalError as error:
            raise _Wrong(error.problem, error.fix or "", number) from None
    return found


def _free(request: Request, title: str) -> str:
    """A slug of a title that no dashboard has."""
    wanted, taken = slug_of(title), all_of(request)
    names = {*taken.definitions, *taken.faults, NEW}
    return next(one for one in (wanted, *(f"{wanted}-{n}" for n in range(2, 10_000))) if one not in names)


@router.post("/{slug}/remove")
def remove(request: Request, person: Editor, slug: str) -> Response:
    """Remove a dashboard's file; one that ships is as it ships then."""
    remove_file(service_of(request).workspace.config.root, slug)
    note(request, "dashboard removed", slug)
    return tell(RedirectResponse("/dashboards", 303), f"Removed dashboards/{slug}.yaml.")
