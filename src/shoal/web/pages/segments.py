"""The inventory of segments: all that there are, how large they are and how they move, and what is the matter with them."""

from __future__ import annotations

import csv
from io import StringIO
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request, Response

from shoal.clock import iso
from shoal.insight.standing import NEVER
from shoal.lang.references import references
from shoal.lang.say import say
from shoal.server.api.app import live_of
from shoal.views import theme
from shoal.views import words as w
from shoal.web.people import Person, may
from shoal.web.render import is_fragment, page
from shoal.web.segment_answers import LONG, asked_of, known
from shoal.web.tables import Column, listed
from shoal.workspace.segment_pages.worked_out import unlive

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from shoal.lang.nodes import Definition
    from shoal.workspace.live import Live
    from shoal.workspace.segment_pages.worked_out import Unlive

    Row = dict[str, Any]

router = APIRouter()
Viewer = Annotated[Person, Depends(may("view"))]
COLUMNS = (
    Column("name", "Segment", note="said"),
    Column("size", "Members", "live", note="of_all"),
    Column("week", "7 days", "signed"),
    Column("month", "30 days", "signed"),
    Column("line", "Course", "spark"),
    Column("state", "State", "state", note="because"),
    Column("changed", "Changed", "day", note="owner"),
    Column("used_by", "Used by", "count"),
    Column("tags", "Tags", "tags"),
)
LIVE, SCHEDULED, OLDER, BROKEN, UNSCORED = "live", "scheduled", "older version", "not in force", "not scored yet"
STATES = {"live": LIVE, "scheduled": SCHEDULED, "unscored": UNSCORED, "fault": "fault"}
HISTORIES = "segment histories"
EXPORTED = (
    "slug", "name", "members", "share", "change_7_days", "change_30_days", "state", "because", "changed", "owner", "tags",
    "used_by",
)  # fmt: skip


@router.get("/segments")
def segments(request: Request, person: Viewer, tag: str = "", state: str = "") -> Response:
    """All segments. What is of this moment comes at once; what happened in the last weeks a moment later."""
    live = live_of(request)
    told = asked_of(request, HISTORIES, LONG) if is_fragment(request) else known(request, HISTORIES)
    everything = rows(live, told)
    tags = sorted({one for row in everything for one in row["tags"]}, key=str.casefold)
    found = [row for row in everything if _fits(row, tag, state)]
    listing = listed(
        request,
        "segments",
        COLUMNS,
        found,
        sort="-size",
        label="segments",
        search=("name", "said", "owner", "tags", "slug"),
    )
    return page(
        request, "segments/list.html", title="Segments", listing=listing, tags=_chosen(request, "tag", tag, tags),
        states=_chosen(request, "state", state, [one for one in STATES if any(_fits(row, "", one) for row in everything)]),
        words=STATES, total=len(everything), waiting=told is None and bool(found), tag=tag, state=state,
        faults=[row for row in everything if row["fault"]], query=request.url.query,
    )  # fmt: skip


def _fits(row: Row, tag: str, state: str) -> bool:
    if tag and tag not in row["tags"]:
        return False
    return not state or (bool(row["fault"]) if state == "fault" else bool(row["state"][0] == STATES.get(state)))


def _chosen(request: Request, name: str, chosen: str, values: Sequence[str]) -> list[tuple[str, str, bool]]:
    """What can be chosen, each with its address and whether it is chosen; choosing it again takes it away."""
    found = []
    for value in values:
        rest = {k: v for k, v in request.query_params.items() if k not in (name, "page")}
        on = value == chosen
        said = urlencode(rest if on else {**rest, name: value})
        found.append((value, f"/segments?{said}" if said else "/segments", on))
    return found


@router.get("/segments.csv")
def as_csv(request: Request, person: Viewer, tag: str = "", state: str = "") -> Response:
    """The inventory as a file."""
    told = asked_of(request, HISTORIES, LONG)
    out = StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(EXPORTED)
    for row in rows(live_of(request), told):
        if _fits(row, tag, state):
            writer.writerow(_exported(row))
    head = {"Content-Disposition": 'attachment; filename="segments.csv"', "Cache-Control": "no-store"}
    return Response("\ufeff" + out.getvalue(), media_type="text/csv; charset=utf-8", headers=head)


def _exported(row: Row) -> list[object]:
    share = None if row["share"] is None else round(row["share"], 6)
    told = (
        row["slug"], row["name"], row["size"][1], share, row["week"], row["month"], row["state"][0],
        row["because"], row["changed"] and iso(row["changed"]), row["owner"],
        ", ".join(row["tags"]), row["used_by"],
    )  # fmt: skip
    return [_plain(one) for one in told]


def _plain(value: object) -> object:
    """A text that a spreadsheet would take for a formula begins with an apostrophe."""
    if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t")):
        return f"'{value}"
    return "" if value is None else value


# ---------------------------------------------------------------- rows


def colours(live: Live) -> dict[str, str]:
    """The colour of each segment, the same on every page."""
    names = [one.name for one in live.definitions.values()]
    return {slug: theme.colour_of(one.name, names) for slug, one in live.definitions.items()}


def rows(live: Live, told: Mapping[str, Any] | None) -> list[Row]:
    """A row a segment, those that can't be read among them.

    Args:
        live: the workspace.
        told: the answer to ``segment histories``; None where it isn't there yet.
    """
    with live.lock:
        engine = live.core.engine
        definitions = live.definitions
        sizes = {slug: engine.size(slug) for slug in definitions}
        everyone = len(engine.standing())
    faults, schema = live.catalogue.faults, live.core.schema_with(definitions)
    named = [slug for one in definitions.values() for slug in references(one.where).segments if slug != one.slug]
    hues = colours(live)
    found = []
    for slug, definition in definitions.items():
        past = (told or {}).get(slug) or {}
        set_times = unlive(definition, definitions, schema)
        found.append(
            {
                "slug": slug, "name": definition.name, "href": f"/segments/{slug}", "colour": hues[slug],
                "said": definition.why or say(definition.where, schema),
                "size": (f"segment:{slug}:size", sizes[slug]), "share": sizes[slug] / everyone if everyone else None,
                "of_all": w.share(sizes[slug] / everyone) if everyone else "",
                "week": _since(sizes[slug], past.get("week")), "month": _since(sizes[slug], past.get("month")),
                "line": [*past.get("line", []), sizes[slug]] if past.get("line") else [],
                **_state(slug, faults, past, set_times), "changed": past.get("changed"), "owner": definition.owner,
                "used_by": named.count(slug), "tags": list(definition.tags),
            }
        )  # fmt: skip
    return [*found, *_broken(faults, definitions)]


def _told(set_times: Sequence[Unlive]) -> str:
    first = set_times[0]
    through = f" (in {first.through})" if first.through else ""
    more = f" and {len(set_times) - 1} more" if len(set_times) > 1 else ""
    said = first.condition.removeprefix("The ")
    return f"{said}{through}{more}"


def _since(size: int, before: int | None) -> int | None:
    return None if before is None else size - before


def _state(slug: str, faults: Mapping[str, Any], past: Mapping[str, Any], set_times: Sequence[Unlive]) -> Row:
    """What stands in the column of the state: in force and live, in force and worked out at set times, or not in order."""
    if slug in faults:
        return {"state": (OLDER, "warn"), "fault": _placed(faults[slug]), "because": _placed(faults[slug])}
    if past.get("known_since") == NEVER:
        why = "what it rests on was never worked out"
        return {"state": (UNSCORED, "warn"), "fault": "", "because": why}
    if set_times:
        return {"state": (SCHEDULED, ""), "fault": "", "because": f"not live: {_told(set_times)}"}
    return {"state": (LIVE, "good"), "fault": "", "because": ""}


def _placed(fault: Any) -> str:
    return f"{fault.place}: {fault.problem}" if fault.place else str(fault.problem)


def _broken(faults: Mapping[str, Any], definitions: Mapping[str, Definition]) -> Iterator[Row]:
    for slug, fault in faults.items():
        if slug not in definitions:
            yield {
                "slug": slug, "name": slug, "href": f"/segments/{slug}", "colour": None, "said": "", "size": ("", None),
                "share": None, "week": None, "month": None, "line": [],
                "state": (BROKEN, "bad"), "fault": _placed(fault), "because": _placed(fault), "changed": None, "owner": "",
                "used_by": 0, "tags": [],
            }  # fmt: skip
