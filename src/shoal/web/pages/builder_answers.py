"""What the builder asks of a draft: sizes, reach, overlap, members, differences; and suggestions for what is typed."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from shoal.lang.say import say
from shoal.web.builder.desk import asked_of, desk_of
from shoal.web.builder.paths import at, read_path
from shoal.web.builder.reasons import lines
from shoal.web.builder.suggest import at_cursor, for_field
from shoal.web.masking import shown_id
from shoal.web.pages.builder import Editor, Sent  # noqa: TC001  FastAPI reads them
from shoal.web.render import fragment

if TYPE_CHECKING:
    from shoal.web.builder.desk import Asked
    from shoal.web.builder.sizes import Sizes

router = APIRouter(prefix="/segments/build")
SAMPLE = 8
"""So many members are shown."""
_SHOWN = 12
NOTHING = "builder/_nothing.html"


@router.post("/sizes")
def sizes(request: Request, person: Editor, sent: Sent) -> Response:
    """How many are in it, how many each condition holds of, and where people are lost."""
    desk = desk_of(request)
    asked = asked_of(desk, sent)
    kept = asked.reading.kept
    if kept is None:
        said = fragment(request, "builder/_sizes.html", found=None, steps=[], left_out=0)
        return JSONResponse({"html": bytes(said.body).decode(), "rows": {}})
    if not sent.get("patient") and (waiting := desk.sizer.waits(kept, asked.details)):
        words = [say(one, asked.schema) for one in waiting]
        said = fragment(request, "builder/_sizes.html", found=None, steps=[], left_out=0, waiting=words)
        return JSONResponse({"html": bytes(said.body).decode(), "rows": {}, "waiting": True})
    found = desk.sizer.sizes(kept, asked.details)
    said = fragment(
        request, "builder/_sizes.html", found=found, steps=_steps(asked, found), left_out=len(asked.reading.left_out)
    )
    rows = {path: asdict(size) | {"everyone": found.everyone} for path, size in found.by_path.items()}
    body = {"html": bytes(said.body).decode(), "rows": rows, "count": found.count, "seconds": found.seconds}
    return JSONResponse(body)


def _steps(asked: Asked, found: Sizes) -> list[dict[str, Any]]:
    """The conditions that have to be true one after the other, in words, each with who remains."""
    steps = []
    for path in found.steps:
        size = found.by_path[path]
        words = say(at(asked.reading.root, read_path(path)), asked.schema)
        steps.append({"words": words, "size": size, "path": path})
    return steps


@router.post("/reach")
def reach(request: Request, person: Editor, sent: Sent) -> Response:
    """By which channels and for which purposes members can be reached."""
    desk = desk_of(request)
    asked = asked_of(desk, sent)
    if asked.reading.kept is None:
        return fragment(request, NOTHING)
    ways = desk.sizer.reach(asked.reading.kept, asked.details, asked.schema)
    return fragment(request, "builder/_reach.html", ways=ways)


@router.post("/overlap")
def overlap(request: Request, person: Editor, sent: Sent) -> Response:
    """Which segments share members with it, and which is nearly the same."""
    desk = desk_of(request)
    asked = asked_of(desk, sent)
    if asked.reading.kept is None:
        return fragment(request, NOTHING)
    found = desk.sizer.overlaps(asked.reading.kept, asked.details)
    warned = next((one for one in found if one.warned_of), None)
    return fragment(request, "builder/_overlap.html", found=found[:_SHOWN], more=len(found) - _SHOWN, warned=warned)


@router.post("/members")
def members(request: Request, person: Editor, sent: Sent) -> Response:
    """Some members, each with why they are in it."""
    desk = desk_of(request)
    asked = asked_of(desk, sent)
    if asked.reading.kept is None:
        return fragment(request, NOTHING)
    zone = desk.live.workspace.config.zone
    found = desk.sizer.members(asked.reading.kept, asked.details, SAMPLE)
    shown = [
        (customer, shown_id(person, customer), [] if reason is None else lines(reason, person, zone))
        for customer, reason in found
    ]
    return fragment(
        request,
        "builder/_members.html",
        members=shown,
        zone=zone,
    )


@router.post("/difference")
def difference(request: Request, person: Editor, sent: Sent) -> Response:
    """Who would enter the segment and who would leave it, if it were saved so."""
    desk, slug = desk_of(request), sent.get("slug", "")
    asked = asked_of(desk, sent)
    if asked.reading.kept is None or slug not in desk.live.definitions:
        return fragment(request, NOTHING)
    found = desk.sizer.against(asked.reading.kept, asked.details, slug, SAMPLE)
    return fragment(
        request, "builder/_difference.html", found=found, shown=lambda customer: shown_id(person, customer),
    )  # fmt: skip


@router.post("/suggest")
def suggest(request: Request, person: Editor, sent: Sent) -> Response:
    """What may stand in a field."""
    desk = desk_of(request)
    asked = asked_of(desk, sent)
    if asked.reading.root is None:
        return JSONResponse({"options": []})
    typed = sent.get("typed", "")
    found = for_field(asked.reading.root, read_path(sent.get("path", "")), typed, asked.schema, desk.counts)
    return JSONResponse({"options": [asdict(one) for one in found]})


@router.post("/complete")
def complete(request: Request, person: Editor, sent: Sent) -> Response:
    """What may stand at the cursor in the text."""
    desk = desk_of(request)
    text, cursor = sent.get("text", ""), sent.get("cursor", "")
    found = at_cursor(text, int(cursor) if cursor.isdigit() else len(text), desk.schema, desk.counts)
    options = [asdict(one) for one in found.options]
    return JSONResponse({"start": found.start, "end": found.end, "options": options})
