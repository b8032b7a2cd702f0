"""Members of a segment, page by page; and handed out as a file, as far as consent for the purpose allows."""

from __future__ import annotations

import secrets
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import StreamingResponse
from starlette.background import BackgroundTask

from shoal.clock import HOUR, SECOND
from shoal.errors import ShoalError, UnknownName
from shoal.lang.schema import Basis
from shoal.web.audit import note
from shoal.web.masking import is_personal, shown_id
from shoal.web.pages.segments_page import found, frame
from shoal.web.people import Person, may, now, service_of
from shoal.web.render import page
from shoal.web.segment_answers import asked_of
from shoal.web.tables import Column, Listing, State

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from shoal.workspace.live import Live

    Row = dict[str, Any]

router = APIRouter(prefix="/segments/{slug}")
Viewer = Annotated[Person, Depends(may("view"))]
Editor = Annotated[Person, Depends(may("edit"))]
SIZE = 50


class Fixed(Column):
    """A column that the table can't be sorted by, since only those who are shown have it."""

    __slots__ = ()

    @property
    def sort(self) -> bool:
        """Whether the table can be sorted by it."""
        return False


COLUMNS = (
    Column("shown", "Customer"),
    Column("since", "In since"),
    Fixed("until", "Until", "when"),
    Fixed("orders", "Orders", "count"),
    Fixed("revenue", "Revenue", "money"),
    Fixed("last", "Last order", "day"),
)
_ORDER = {"shown": "id", "since": "since"}
MOST_TRAITS = 40


@router.get("/members")
def members(request: Request, person: Viewer, slug: str) -> Response:
    """Members with since when and until when they are in."""
    return _page(request, person, slug)


def _page(request: Request, person: Person, slug: str, fault: ShoalError | None = None, status: int = 200) -> Response:
    live, definition = found(request, slug)
    config = service_of(request).workspace.config
    purposes = [name for name, basis in config.purposes.items() if basis is not Basis.NONE]
    return page(
        request, "segments/members.html", title=f"{definition.name}: members", status=status,
        listing=_listing(request, live, person, definition.slug), purposes=purposes, refused=fault,
        traits=_traits(live, person) if person.may("edit") else [],
        **frame(request, live, definition, f"/segments/{definition.slug}/members"),
    )  # fmt: skip


def _listing(request: Request, live: Live, person: Person, slug: str) -> Listing:
    state = State(request, COLUMNS, "-since", size=SIZE)
    state.path = f"/segments/{slug}/members"
    sign = "-" if state.down else ""
    # Who needn't see personal data must know an id as a whole: some shops use the e-mail address as one.
    asked = {
        "sort": sign + _ORDER[state.sort],
        "search": state.search,
        "whole": not person.sees_personal,
        "page": state.page,
    }
    told = asked_of(request, "segment members", seconds=0.0, segment=slug, size=SIZE, **asked)
    rows = _rows(request, live, person, slug, told)
    return Listing("members", COLUMNS, rows, state, total=told["total"], found=told["found"], label="members")


def _rows(request: Request, live: Live, person: Person, slug: str, told: Row) -> list[Row]:
    until = untils(live, slug, [one["id"] for one in told["rows"]])
    when, day = (request.app.state.templates.filters[name] for name in ("when", "day"))
    return [
        one
        | {
            "shown": shown_id(person, one["id"]), "until": until.get(one["id"]),
            "since": when(one["since"]) if one["since"] else f"{day(told['first'])} or before",
            "href": f"/customers/{quote(one['id'], safe='')}" if shown_id(person, one["id"]) == one["id"] else None,
        }
        for one in told["rows"]
    ]  # fmt: skip


def untils(live: Live, slug: str, ids: Sequence[str]) -> dict[str, int | None]:
    """The instants up to which memberships last if nothing more happens; calls go between one customer and the next."""
    found: dict[str, int | None] = {}
    for one in ids:
        with live.lock:
            try:
                engine = live.core.engine
                found[one] = engine.until(slug, one) if engine.is_member(slug, one) else None
            except UnknownName:  # erased or merged since the store was asked
                found[one] = None
    return found


def _traits(live: Live, person: Person) -> list[str]:
    """The traits that somebody may take along."""
    names = sorted(live.core.schema.traits, key=str.casefold)
    return [one for one in names if person.sees_personal or not is_personal(one)][:MOST_TRAITS]


@router.post("/members/file")
def handed_out(
    request: Request,
    person: Editor,
    slug: str,
    purpose: Annotated[str, Form()] = "",
    trait: Annotated[list[str] | None, Form()] = None,
) -> Response:
    """A file of the members whom consent for the purpose lets through; what was withheld is told in the audit."""
    live, definition = found(request, slug)
    allowed = set(_traits(live, person))
    traits = [one for one in trait or () if one in allowed]
    path = _place(service_of(request).workspace.config.root)
    asked: dict[str, Any] = {"segment": definition.slug, "path": str(path), "traits": traits}
    asking = service_of(request).asking
    assert asking is not None
    try:
        told = asking.ask("segment handed out", asked | ({"purpose": purpose} if purpose else {}))
    except ShoalError as error:
        path.unlink(missing_ok=True)
        return _page(request, person, slug, error, 422)
    taken = f" with {', '.join(traits)}" if traits else ""
    note(request, "members handed out", definition.slug, f"{told['sentence']}{taken}")
    file = path.open("rb")
    # What is in it stays until it is closed, and nobody else finds it.
    path.unlink()
    name = quote(f"{definition.slug}-{told['purpose']}.csv")
    head = {"Cache-Control": "no-store", "Content-Disposition": f"attachment; filename*=utf-8''{name}"}
    pieces = iter(partial(file.read, 1 << 16), b"")
    return StreamingResponse(pieces, media_type="text/csv", headers=head, background=BackgroundTask(file.close))


def _place(root: Path) -> Path:
    """Where members are written to for a moment; what a server left that ended in between is removed."""
    folder = root / ".shoal" / "handed-out"
    folder.mkdir(mode=0o700, exist_ok=True)
    for old in folder.iterdir():
        if now() - int(old.stat().st_mtime * SECOND) > HOUR:
            old.unlink(missing_ok=True)
    return folder / f"{secrets.token_hex(12)}.csv"
