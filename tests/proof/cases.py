"""How a named case is written: a definition as text, a short history, and who is in at which instant.

Expected members are written by hand from the language page, so that both evaluators are held against a third opinion.
Names of events, properties and traits are those of ``vocabulary``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .vocabulary import EVENTS, PURPOSES, TRAITS, at
from .world import ConsentChange, Event, ListChange, Merge, Published, Segment, Threshold, TraitChange, World

LONG_AGO = "2020-01-01T00:00:00Z"


@dataclass(frozen=True)
class Asked:
    """Who is in at an instant, as names in a row; ``known`` limits what had been received."""

    when: int
    members: str
    known: int | None = None


@dataclass(frozen=True)
class Case:
    """One trap of the language.

    Args:
        name: what would break.
        text: the definition.
        history: what happened, in the order in which it was received.
        asked: the questions and their answers.
        zone: the workspace's time zone.
        others: definitions that ``member of`` names, as text or (text, always, never).
        always: the list that is always in.
        never: the list that is never in.
    """

    name: str
    text: str
    history: tuple[Any, ...]
    asked: tuple[Asked, ...]
    zone: str = "UTC"
    others: Mapping[str, Any] = field(default_factory=dict)
    always: str | None = None
    never: str | None = None


def instant(when: str | int) -> int:
    """An instant: ISO text in UTC, at times without its time of day or its Z."""
    if isinstance(when, int):
        return when
    text = when if "T" in when else f"{when}T00:00:00"
    return at(text if text.endswith("Z") or "+" in text else f"{text}Z")


def before(when: str | int) -> int:
    """A microsecond earlier."""
    return instant(when) - 1


def after(when: str | int) -> int:
    """A microsecond later."""
    return instant(when) + 1


def q(when: str | int, members: str = "", known: str | int | None = None) -> Asked:
    """One question with its answer."""
    return Asked(instant(when), members, None if known is None else instant(known))


def did(
    who: str, name: str, ts: str | int, mid: str = "", received: str | int | None = None, **properties: Any
) -> Event:
    """An event."""
    when = instant(ts)
    return Event(who, name, when, properties, mid, when if received is None else instant(received))


def became(
    who: str, trait: str, value: Any, ts: str | int, mid: str = "", received: str | int | None = None
) -> TraitChange:
    """A change of a trait; one whose name begins with ``account.`` is of an account."""
    when = instant(ts)
    known = when if received is None else instant(received)
    scope = "account" if trait.startswith("account.") else "customer"
    return TraitChange(who, trait.removeprefix("account."), value, when, mid, known, scope)


def there(*who: str) -> tuple[TraitChange, ...]:
    """Customers who have been there for long, and without an event."""
    return tuple(became(one, "subscribed", True, LONG_AGO) for one in who)


def consented(who: str, purpose: str, granted: bool, ts: str) -> ConsentChange:
    """A consent granted or withdrawn."""
    return ConsentChange(who, purpose, granted, instant(ts), f"consent {who} {purpose} {ts}", instant(ts))


def listed(name: str, who: str, added: bool, ts: str) -> ListChange:
    """A customer put on a list or taken off it."""
    return ListChange(name, who, added, instant(ts), instant(ts))


def recorded(segment: str, who: str, change: str, ts: str) -> Published:
    """A published change of membership."""
    return Published(segment, who, change, instant(ts), instant(ts))


def merged(kept: str, gone: str, received: str, undone: str | None = None) -> Merge:
    """Two customers who turned out to be one."""
    return Merge(kept, gone, instant(received), None if undone is None else instant(undone))


def world(case: Case, wires: Mapping[str, Mapping[str, Any]]) -> World:
    """The world of a case; ``wires`` holds the wire form of the case's definition (``case``) and of the others."""
    segments = {}
    for slug, wire in wires.items():
        _, always, never = _parts(case, slug)
        segments[slug] = Segment(wire, always, never)
    return World(
        zone=case.zone,
        traits=TRAITS,
        events=EVENTS,
        records=tuple(numbered(_of(case, Event, TraitChange))),
        consents=tuple(_of(case, ConsentChange)),
        lists=tuple(_of(case, ListChange)),
        merges=tuple(_of(case, Merge)),
        thresholds=tuple(_of(case, Threshold)),
        published=tuple(_of(case, Published)),
        purposes=PURPOSES,
        segments=segments,
    )


def texts(case: Case) -> dict[str, str]:
    """The case's definitions by slug."""
    return {"case": case.text, **{slug: _parts(case, slug)[0] for slug in case.others}}


def _parts(case: Case, slug: str) -> tuple[str, str | None, str | None]:
    if slug == "case":
        return case.text, case.always, case.never
    other = case.others[slug]
    return (other, None, None) if isinstance(other, str) else other


def _of(case: Case, *types: type) -> list[Any]:
    return [
        record
        for part in case.history
        for record in (part if isinstance(part, tuple) else (part,))
        if isinstance(record, types)
    ]


def numbered(records: Iterable[Event | TraitChange]) -> Iterable[Event | TraitChange]:
    """Ids for the records that don't name one, in their order."""
    for i, record in enumerate(records):
        yield record if record.message_id else replace(record, message_id=f"n{i:03d}")
