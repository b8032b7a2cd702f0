"""Delivery: webhooks with what they failed to hand over, and the stream of changes of memberships."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import RedirectResponse

from shoal.errors import ConfigError
from shoal.server.api.app import live_of
from shoal.web.audit import note
from shoal.web.masking import shown_id
from shoal.web.people import Person, may
from shoal.web.render import page
from shoal.web.tables import Column, listed
from shoal.web.telling import tell

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shoal.workspace.live import Live
    from shoal.workspace.live.webhooks import Webhook

router = APIRouter(prefix="/delivery")
Viewer = Annotated[Person, Depends(may("view"))]
Admin = Annotated[Person, Depends(may("admin"))]
RECENT = 200
CHANGES = (
    Column("seq", "Number", "count"), Column("at", "When", "when"), Column("customer", "Customer"), Column("name", "Segment"),
    Column("change", "Change", "state"), Column("because", "Because of"),
)  # fmt: skip
EMPTY = {"url": "https://", "segments": ""}


@router.get("")
def delivery(request: Request, person: Viewer) -> Response:
    """Webhooks, and the newest changes."""
    return _page(request, person, EMPTY, {})


def _page(
    request: Request, person: Person, typed: Mapping[str, str], errors: Mapping[str, str], *, status: int = 200, secret: str = ""
) -> Response:  # fmt: skip
    live = live_of(request)
    hooks = [_hook(live, one) for one in live.webhooks.all()]
    last = live.stream.last
    with live.lock:
        names = {slug: definition.name for slug, definition in live.definitions.items()}
    found = [_change(person, one, names) for one in live.stream.after(max(0, last - RECENT), RECENT)]
    listing = listed(
        request, "changes", CHANGES, found, sort="-seq", label="changes", search=("customer", "name", "because"), size=25,
    )  # fmt: skip
    return page(
        request, "delivery/delivery.html", title="Delivery", status=status, hooks=hooks, last=last, listing=listing,
        typed=typed, errors=errors, segments=names, secret=secret, dead=sum(one["dead"] for one in hooks),
    )  # fmt: skip


def _hook(live: Live, one: Webhook) -> dict[str, Any]:
    letters = live.webhooks.dead_letters(one.id)
    behind = max(0, live.stream.last - one.position)
    state = ("dead letters", "bad") if letters else ("behind", "warn") if behind else ("delivers", "good")
    return {"id": one.id, "url": one.url, "segments": sorted(one.segments), "behind": behind, "dead": len(letters),
            "position": one.position, "state": state}  # fmt: skip


def _change(person: Person, one: Any, names: Mapping[str, str]) -> dict[str, Any]:
    change = one.change
    entered, told = change.what == "entered", shown_id(person, change.customer)
    href = f"/customers/{quote(change.customer, safe='')}" if told == change.customer else ""
    return {"href": href, "seq": one.seq, "at": change.at, "customer": told, "because": change.because,
            "name": names.get(change.segment, change.segment), "change": (change.what, "good" if entered else "")}  # fmt: skip


@router.post("")
async def add(request: Request, person: Admin) -> Response:
    """Add a webhook; its secret is shown once."""
    given = await request.form()
    typed = {name: str(given.get(name, usual)).strip() for name, usual in EMPTY.items()}
    from starlette.concurrency import run_in_threadpool

    return await run_in_threadpool(_add, request, person, typed)


def _add(request: Request, person: Person, typed: dict[str, str]) -> Response:
    live = live_of(request)
    segments = [one.strip() for one in typed["segments"].split(",") if one.strip()]
    unknown = [one for one in segments if one not in live.definitions]
    if unknown:
        said = f"There is no segment {unknown[0]!r}. Write slugs, as they stand in the segments' addresses."
        return _page(request, person, typed, {"segments": said}, status=422)
    try:
        made = live.webhooks.create(typed["url"], segments)
    except ConfigError as error:
        return _page(request, person, typed, {"url": f"{error.problem} {error.fix}"}, status=422)
    note(request, "webhook added", made.id)
    return _page(request, person, EMPTY, {}, secret=made.secret)


@router.get("/{webhook}")
def letters(request: Request, person: Viewer, webhook: str) -> Response:
    """One webhook's dead letters."""
    live = live_of(request)
    held = next((one for one in live.webhooks.all() if one.id == webhook), None)
    if held is None:
        return tell(RedirectResponse("/delivery", 303), "There is no such webhook any more.", bad=True)
    rows = [_letter(person, one) for one in live.webhooks.dead_letters(webhook)]
    columns = (
        Column("id", "Number", "count"), Column("received", "Given up", "when"), Column("attempts", "Attempts", "count"),
        Column("reason", "Why"), Column("changes", "Changes", "count"), Column("segments", "Segments"),
    )  # fmt: skip
    listing = listed(request, "letters", columns, rows, sort="-id", label="dead letters", search=("reason", "segments"))
    return page(request, "delivery/webhook.html", title="Webhook", hook=_hook(live, held), listing=listing)


def _letter(person: Person, one: Mapping[str, Any]) -> dict[str, Any]:
    """A dead letter without the customers that it is about."""
    try:
        changes = json.loads(one["body"])["changes"]
    except (ValueError, KeyError):
        changes = []
    segments = ", ".join(sorted({change["segment"] for change in changes}))
    return {**one, "changes": len(changes), "segments": segments}


@router.post("/{webhook}/replay")
def replay(request: Request, person: Admin, webhook: str) -> Response:
    """Send its dead letters again."""
    taken, left = live_of(request).webhooks.replay(webhook)
    note(request, "dead letters replayed", webhook, f"{taken} taken, {left} left")
    return tell(RedirectResponse(f"/delivery/{webhook}", 303), f"{taken} taken, {left} not.", bad=left > 0)


@router.post("/{webhook}/remove")
def remove(request: Request, person: Admin, webhook: str) -> Response:
    """Send it nothing more."""
    live_of(request).webhooks.remove(webhook)
    note(request, "webhook removed", webhook)
    return tell(RedirectResponse("/delivery", 303), "Nothing more is sent to it.")
