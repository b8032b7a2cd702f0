"""A customer as the live workspace knows them, for the profile page and the HTTP interface."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from shoal.clock import from_instant, iso, to_instant
from shoal.customers.accounts import account
from shoal.customers.identity import key_of
from shoal.customers.profiles import Profile
from shoal.customers.profiles import profile as stored_profile
from shoal.lang.document import decimal_text
from shoal.live.curve import Curve
from shoal.live.values import Day, Micro, Moment
from shoal.shapes import ACCOUNT_ID

if TYPE_CHECKING:
    from shoal.customers.accounts import Account
    from shoal.live.engine import Engine
    from shoal.workspace.live.service import Live

COMPUTED = "computed"
"""The origin of a trait that Shoal itself works out."""


def profile(live: Live, customer: str, events: int, *, why: bool = False) -> dict[str, Any]:
    """Traits, scores, accounts, consents, identifiers, memberships with since and until, the newest events, as JSON.

    Args:
        live: the workspace.
        customer: who stands for themselves.
        events: how many of the newest.
        why: whether each membership bears its explanation.
    """
    with live.lock:
        engine = live.core.engine
        now = engine.now
        memberships = _memberships(engine, customer)
        identifiers = live.core.identities.identifiers(customer)
    for one in memberships if why else ():
        # One by one: calls take effect in between.
        with live.lock:
            one["why"] = explanation(engine.why(one["segment"], customer))
    found = live.read(lambda store: stored_profile(store, key_of(store, customer), now, newest=events))
    belongs = [t for t in found.traits if t.name == ACCOUNT_ID]
    return {
        "id": found.id,
        "now": iso(now),
        "merged": found.merged_ids,
        "identifiers": [{"kind": kind, "value": value} for kind, value in identifiers],
        **_of_store(found),
        "accounts": [
            {**account_document(live.read(lambda store, t=t: account(store, t.value, now))), "since": iso(t.since)}  # type: ignore[misc]
            for t in belongs
        ],
        "memberships": memberships,
    }


def _of_store(found: Profile) -> dict[str, Any]:
    return {
        "traits": {t.name: plain(t.value) for t in found.traits if t.origin != COMPUTED},
        "scores": {t.name: {"value": plain(t.value), "at": iso(t.since)} for t in found.traits if t.origin == COMPUTED},
        "consents": {p: {"granted": granted, "since": iso(ts)} for p, (granted, ts) in found.consents.items()},
        "lists": found.lists,
        "events": [
            {"event": e.event, "at": iso(e.ts), "properties": {n: plain(v) for n, v in e.properties.items()}}
            for e in found.timeline
        ],
    }


def _memberships(engine: Engine, customer: str) -> list[dict[str, Any]]:
    found = []
    for slug, definition in engine.plan.definitions.items():
        if engine.is_member(slug, customer):
            since, until = engine.since(slug, customer), engine.until(slug, customer)
            found.append(
                {
                    "segment": slug,
                    "name": definition.name,
                    "since": None if since is None else iso(since),
                    "until": None if until is None else iso(until),
                }
            )
    return found


def account_document(found: Account) -> dict[str, Any]:
    """An account as JSON: id and traits."""
    return {"id": found.id, "traits": {t.name: plain(t.value) for t in found.traits}}


def explanation(told: Any) -> dict[str, Any]:
    """An explanation as JSON: text, sentence, truth, values, until, parts."""
    return {
        "text": told.text,
        "sentence": told.sentence,
        "truth": told.truth,
        "values": {label: plain(found) for label, found in told.values.items()},
        "until": None if told.until is None else iso(told.until),
        "unless_rescored": told.unless_rescored,
        "parts": [explanation(part) for part in told.parts],
    }


def plain(value: Any) -> Any:
    """A value as JSON says it: numbers as numbers, dates and instants as ISO text."""
    match value:
        case Micro():
            text = decimal_text(int(value))
            return float(text) if "." in text else int(text)
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case Day():
            return from_instant(int(value) * 86_400_000_000).date().isoformat()
        case Moment():
            return iso(int(value))
        case datetime():
            return iso(to_instant(value))
        case date():
            return value.isoformat()
        case dict():
            return {name: plain(inner) for name, inner in value.items()}
        case list() | tuple() if not isinstance(value, Curve):
            return [plain(inner) for inner in value]
    return value
