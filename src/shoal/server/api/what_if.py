"""What would happen to a customer if events came or time went on, over HTTP; nothing of it is kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from shoal.clock import iso
from shoal.errors import Refused, UnknownName
from shoal.server import calls as forms
from shoal.server import faults
from shoal.server.api.app import customer_of, live_of, needs
from shoal.server.api.profiles import Identifier  # noqa: TC001  FastAPI reads it
from shoal.server.settings import CollectSettings
from shoal.server.when import instant_of
from shoal.workspace.live.profile import plain
from shoal.workspace.live.whatif import FURTHEST, WhatIf, foreseen

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shoal.customers.tracking import Call
    from shoal.server.collect import Collection
    from shoal.server.service import Service
    from shoal.workspace.live import Live

router = APIRouter(prefix="/v1/profiles", tags=["profiles"])


MOST_VALUES = CollectSettings().most_values


class Supposed(BaseModel):
    """An event that might come."""

    model_config = ConfigDict(extra="forbid")
    event: Annotated[str, Field(max_length=200)]
    properties: dict[str, Any] = {}
    timestamp: Annotated[
        str | None, Field(description="ISO; by default now. One ahead comes when the clock has got there.")
    ] = None


class Asked(BaseModel):
    """What might come, and how far time might go on."""

    model_config = ConfigDict(extra="forbid")
    events: list[Supposed] = []
    until: Annotated[str | None, Field(description="ISO; by default it ends with the last event")] = None


@router.post("/{identifier}/what-if", summary="What would change for a customer", dependencies=[needs("read")])
def what_if(request: Request, identifier: Identifier, asked: Asked) -> dict[str, Any]:
    """Which memberships would change, when and because of what, if events came and time went on; nothing is kept.

    It is exactly what happens if they come so, as long as nothing else does: no other event, threshold or score.
    """
    live = live_of(request)
    customer = customer_of(live, identifier)
    if customer is None:
        raise UnknownName("customer", identifier)
    told = supposed(request, live, customer, [one.model_dump() for one in asked.events], _instant(asked.until, "until"))
    return document(told)


def supposed(
    request: Request, live: Live, customer: str, events: Sequence[Mapping[str, Any]], until: int | None
) -> WhatIf:
    """What would happen if events of a customer were sent, as the collection would take them.

    Args:
        request: to the app that the collection stands before.
        live: the workspace.
        customer: an id.
        events: each with ``event``, and ``properties`` and ``timestamp`` where there are any.
        until: up to when time goes on.

    Raises:
        UnknownName: there is no such customer.
        Refused: the collection wouldn't take an event, or the question is too large.
    """
    now = live.clock.now()
    calls = [_call(request, customer, one, number, now) for number, one in enumerate(events)]
    return foreseen(live.core, customer, calls, now=now, until=until, lock=live.lock)


def _call(request: Request, customer: str, event: Mapping[str, Any], number: int, now: int) -> Call:
    """The event as it would be kept; one that lies ahead is sent when it happens."""
    service: Service = request.app.state.service
    collection: Collection = request.app.state.collection
    plan = collection.plan
    ts = _instant(event.get("timestamp"), f"events.{number}.timestamp")
    received = now if ts is None else max(now, ts)
    arrival = forms.Arrival(
        received, FURTHEST, MOST_VALUES, plan=plan,
        strict=service.strict or (plan is not None and plan.strict),
    )  # fmt: skip
    properties = {name: value for name, value in (event.get("properties") or {}).items() if value is not None}
    wire = forms.Track(user_id=customer, event=event["event"], properties=properties, message_id=f"what-if-{number}")
    wire.timestamp = event.get("timestamp")
    try:
        return forms.kept(wire, arrival)
    except faults.Refused as refusal:
        fault = refusal.fault.within(f"events.{number}")
        raise Refused(fault.message, place=fault.place, fix=fault.fix) from None


def _instant(text: str | None, place: str) -> int | None:
    if text is None:
        return None
    found = instant_of(text)
    if found is None:
        raise Refused(f"{text!r} is no instant.", place=place, fix="Write it as 2026-03-01T12:00:00Z.")
    return found


def document(found: WhatIf) -> dict[str, Any]:
    """What would happen, as JSON."""

    def standing(one: Any) -> dict[str, Any]:
        return {"segment": one.segment, "name": one.name, "until": None if one.until is None else iso(one.until)}

    return {
        "customer": found.customer, "now": iso(found.now), "until": iso(found.until), "complete": found.complete,
        "before": [standing(one) for one in found.before], "after": [standing(one) for one in found.after],
        "changes": [
            {
                "segment": one.segment, "name": one.name, "change": one.change, "at": iso(one.at), "because": one.because,
                "turned": [
                    {
                        "text": t.text, "sentence": t.sentence, "truth": t.truth,
                        "before": {k: plain(v) for k, v in t.before.items()},
                        "after": {k: plain(v) for k, v in t.after.items()},
                    }
                    for t in one.turned
                ],
            }
            for one in found.changes
        ],
        "refused": list(found.refused),
    }  # fmt: skip
