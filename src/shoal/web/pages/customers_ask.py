"""What happens if: an event that might come, and time that might go on, tried on one customer. Nothing of it is kept."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import RedirectResponse

from shoal.clock import DAY, from_instant, iso, to_instant
from shoal.errors import Refused
from shoal.lang.schema import Kind
from shoal.server.api.app import live_of
from shoal.server.api.what_if import supposed
from shoal.web.builder.desk import desk_of
from shoal.web.builder.reasons import value_text
from shoal.web.masking import shown
from shoal.web.pages.customers import link
from shoal.web.pages.customers_page import frame, standing
from shoal.web.pages.segments import colours
from shoal.web.people import Person, may
from shoal.web.render import fragment, page
from shoal.workspace.live.whatif import FURTHEST

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shoal.lang.schema import PropertyType
    from shoal.workspace.live import Live
    from shoal.workspace.live.whatif import Foreseen, WhatIf

router = APIRouter(prefix="/customers/{customer:path}/what-if")
Viewer = Annotated[Person, Depends(may("view"))]
PREFIX = "p:"
"""Before the name of a property, in the address."""
_INPUTS = {Kind.NUMBER: "number", Kind.DATE: "date", Kind.INSTANT: "datetime-local"}
_HINTS = {
    Kind.TEXTS: "Separated by commas",
    Kind.OBJECTS: "A list of objects as JSON",
    Kind.POINT: '{"latitude": 51.5, "longitude": -0.1}',
}


@dataclass(frozen=True, slots=True)
class Field:
    """A property that may be filled in.

    Args:
        name: of the property.
        kind: its type.
        value: as it was typed.
        error: what is wrong with it.
        values: those that are common.
    """

    name: str
    kind: Kind
    value: str
    error: str = ""
    values: tuple[str, ...] = ()

    @property
    def form(self) -> str:
        """The kind of the input."""
        return "select" if self.kind is Kind.YESNO else _INPUTS.get(self.kind, "text")

    @property
    def hint(self) -> str:
        """How it is to be written, where the input doesn't say."""
        return _HINTS.get(self.kind, "")


@dataclass
class Typed:
    """What was asked, and what is wrong with it, by field."""

    event: str = ""
    at: str = ""
    days: str = ""
    properties: dict[str, Any] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    ts: int | None = None
    until: int | None = None

    @property
    def asks(self) -> bool:
        """Whether anything is asked."""
        return bool(self.event or self.days)


# ---------------------------------------------------------------- what was typed


def typed(request: Request, live: Live) -> Typed:
    """Read the address."""
    given, schema = request.query_params, live.core.types.events
    found = Typed(given.get("event", "").strip(), given.get("at", "").strip(), given.get("days", "").strip())
    for name, text in given.items():
        if name.startswith(PREFIX) and text.strip():
            _take(found, name, text.strip(), schema.get(found.event, {}))
    _times(found, live)
    return found


def _take(found: Typed, name: str, text: str, known: Mapping[str, PropertyType]) -> None:
    prop = name.removeprefix(PREFIX)
    kind = known[prop].kind if prop in known else Kind.TEXT
    try:
        found.properties[prop] = read(kind, text)
    except ValueError as error:
        found.errors[name] = str(error)


def read(kind: Kind, text: str) -> Any:
    """A value as a client would send it.

    Raises:
        ValueError: it isn't of the type; the message is for whoever typed it.

    >>> read(Kind.NUMBER, "12.50"), read(Kind.TEXTS, "a, b"), read(Kind.YESNO, "yes")
    (12.5, ['a', 'b'], True)
    """
    if kind is Kind.NUMBER:
        try:
            return float(text.replace(",", "")) if not text.lstrip("-").isdecimal() else int(text)
        except ValueError:
            raise ValueError(f"Write a number, as 12.50; “{text}” isn't one.") from None
    if kind is Kind.YESNO:
        return text == "yes"
    if kind is Kind.TEXTS:
        return [part.strip() for part in text.split(",") if part.strip()]
    if kind in (Kind.OBJECTS, Kind.POINT):
        try:
            return json.loads(text)
        except ValueError:
            raise ValueError("This isn't JSON.") from None
    return text


def _times(found: Typed, live: Live) -> None:
    now = live.clock.now()
    if found.at:
        try:
            found.ts = local(found.at, live.workspace.config.zone)
        except ValueError:
            found.errors["at"] = "Write a day and a time, as 2026-03-01T12:00."
    if found.days:
        if not found.days.isdecimal() or int(found.days) * DAY > FURTHEST:
            found.errors["days"] = f"Write a whole number of days, at most {FURTHEST // DAY:,}."
        else:
            found.until = max(now, found.ts or now) + int(found.days) * DAY


def local(text: str, zone: str) -> int:
    """The instant of a local day and time.

    Raises:
        ValueError: it is none.
    """
    at = datetime.fromisoformat(text)
    return to_instant(at if at.tzinfo is not None else at.replace(tzinfo=ZoneInfo(zone)))


def fields(request: Request, live: Live, asked: Typed) -> list[Field]:
    """The properties of the chosen event, with what was typed, what is wrong with it, and values to choose from."""
    given, counts = request.query_params, desk_of(request).counts
    found = []
    for name, known in sorted(live.core.types.events.get(asked.event, {}).items()):
        key = PREFIX + name
        common = counts.values(name, asked.event)[:12] if known.kind is Kind.TEXT else ()
        values = tuple(str(value) for value, _ in common)
        found.append(Field(name, known.kind, given.get(key, ""), asked.errors.get(key, ""), values))
    return found


# ---------------------------------------------------------------- what would happen


def _looked(request: Request, live: Live, customer: str, asked: Typed) -> WhatIf:
    events: list[dict[str, Any]] = [{"event": asked.event, "properties": asked.properties}] if asked.event else []
    if events and asked.ts is not None:
        events[0]["timestamp"] = iso(asked.ts)
    return supposed(request, live, customer, events, asked.until)


def told(change: Foreseen, person: Person, zone: str) -> list[dict[str, Any]]:
    """The conditions that turned, each with the values that changed."""
    return [
        {
            "sentence": one.sentence, "truth": one.truth,
            "values": [
                (name, _value(person, name, one.before.get(name), zone), _value(person, name, value, zone))
                for name, value in one.after.items()
            ],
        }
        for one in change.turned
    ]  # fmt: skip


def _value(person: Person, name: str, value: Any, zone: str) -> str:
    return value_text(shown(person, name, value), zone)


def because(cause: str) -> str:
    """Why something changed, as it is read.

    >>> because("time"), because("event Order Completed")
    ('since time has passed', 'since “Order Completed” came')
    """
    kind, _, name = cause.partition(" ")
    return (
        "since time has passed"
        if cause == "time"
        else f"since “{name}” came"
        if kind == "event"
        else f"since of {cause}"
    )


@router.get("")
def what_if(request: Request, person: Viewer, customer: str) -> Response:
    """The question; what would happen comes a moment later."""
    live = live_of(request)
    if (who := standing(live, customer)) != customer:
        return RedirectResponse(f"{link(who)}/what-if", 303)
    asked = typed(request, live)
    found = f"{link(customer)}/what-if/found?{request.url.query}" if asked.asks and not asked.errors else ""
    return page(
        request, "customers/what_if.html", title="What happens if", status=422 if asked.errors else 200, asked=asked,
        events=sorted(live.core.types.events, key=str.casefold), fields=fields(request, live, asked), found=found,
        clock=_clock(live), **frame(request, person, live, customer, "/what-if"),
    )  # fmt: skip


@router.get("/found")
def what_would_happen(request: Request, person: Viewer, customer: str) -> Response:
    """What would happen, or why that can't be told."""
    live = live_of(request)
    asked = typed(request, live)
    found, refused, changes = None, None, []
    try:
        found = _looked(request, live, customer, asked)
    except Refused as refusal:
        refused = refusal
    if found is not None:
        zone = live.workspace.config.zone
        changes = [(one, because(one.because), told(one, person, zone)) for one in found.changes]
    new = set() if found is None else {one.segment for one in found.after} - {one.segment for one in found.before}
    return fragment(
        request,
        "customers/_what_if.html",
        found=found,
        refused=refused,
        changes=changes,
        new=new,
        colours=colours(live),
    )


def _clock(live: Live) -> str:
    """Now, as the field of the time takes it."""
    at = from_instant(live.clock.now()).astimezone(ZoneInfo(live.workspace.config.zone))
    return at.strftime("%Y-%m-%dT%H:%M")


@router.get("/fields")
def of_event(
    request: Request, person: Viewer, customer: str, event: Annotated[str, Query(max_length=200)] = ""
) -> Response:
    """The fields of the chosen event's properties."""
    live = live_of(request)
    return fragment(request, "customers/_fields.html", fields=fields(request, live, Typed(event.strip())))
