"""Which events say where a customer was, and what they say: a page or a screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.customers.tracking import PAGE_VIEWED, SCREEN_VIEWED
from shoal.errors import Refused, UnknownName
from shoal.lang.references import event_names, is_wildcard
from shoal.lang.schema import Kind
from shoal.sql.encode import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shoal.insight.models.asof import AsOf
    from shoal.shapes import SessionRule
    from shoal.sql.registry import EventType, Property

PLACES = (
    "page", "screen", "page_name", "screen_name", "path", "page_path", "url", "page_url", "page_location", "document",
)  # fmt: skip
"""Properties that say where, the best first. The calls ``page`` and ``screen`` say it as ``name`` too."""
_NAMED = (PAGE_VIEWED, SCREEN_VIEWED)
_VIEWS = ("page", "screen", "view", "visit")


def place_of(event: EventType, rule: SessionRule) -> Property | None:
    """The property that says where, as text; None where the event doesn't say it."""
    if rule.page:
        names: tuple[str, ...] = (rule.page,)
    else:
        names = ("name", *PLACES) if event.name in _NAMED else PLACES
    folded = {name.casefold(): held for name, held in event.properties.items() if held.kind is Kind.TEXT}
    return next((folded[name.casefold()] for name in names if name.casefold() in folded), None)


def shown_place(col: str) -> str:
    """The SQL of a page as it is shown: of an address, the path.

    >>> shown_place("p1")
    "regexp_replace(p1, '^[a-zA-Z]+://[^/?#]*|[?#].*$', '', 'g')"
    """
    return rf"regexp_replace({col}, '^[a-zA-Z]+://[^/?#]*|[?#].*$', '', 'g')"


def session_events(known: AsOf, rule: SessionRule) -> list[EventType]:
    """The events that sessions are made of: those that are named, or all that say a page or screen.

    Raises:
        UnknownName: one that is named isn't there.
        Refused: none is named, and none says a page or screen.
    """
    if rule.events:
        return named_events(known, rule.events)
    found = [event for event in plain_events(known) if place_of(event, rule)]
    if not found:
        said = f"{rule.page!r}" if rule.page else "a page or screen"
        raise Refused(
            f"No event says {said}, so there is nothing to make sessions of.",
            fix='Name the events of the website or app in shoal.yaml, as sessions: {events: ["Product Viewed"]}.',
        )
    return found


def page_views(events: Iterable[EventType], rule: SessionRule) -> set[str]:
    """Which of the events are page views: those that are named, else those whose name says so, else all."""
    known = {event.name for event in events}
    if rule.pages:
        return {name for wanted in rule.pages for name in event_names(wanted, known)}
    return {name for name in known if any(word in name.casefold() for word in _VIEWS)} or known


def pages(events: Iterable[EventType], rule: SessionRule) -> set[str]:
    """The events that are best told by their page: those that are named, else those whose name says page or screen."""
    known = {event.name for event in events}
    if rule.pages:
        return page_views(events, rule)
    return {name for name in known if any(word in name.casefold() for word in _VIEWS[:2])}


def named_events(known: AsOf, names: Iterable[str]) -> list[EventType]:
    """The events of some names, wildcards among them, each once.

    Raises:
        UnknownName: there is none of a name.
    """
    every = {event.name: event for event in plain_events(known)}
    found: dict[str, EventType] = {}
    for name in names:
        these = event_names(name, every)
        if not these:
            raise UnknownName("event beginning with" if is_wildcard(name) else "event", name.rstrip("*"), every)
        found |= {each: every[each] for each in these}
    return list(found.values())


def plain_events(known: AsOf) -> list[EventType]:
    """All events that were sent, none that was worked out."""
    return [event for event in known.events.values() if event.derived is None]


def stream(known: AsOf, events: Iterable[EventType], rule: SessionRule, extra: str = "") -> str:
    """A query of the rows of events, one below the other.

    Args:
        known: up to which instant.
        events: which.
        rule: says which property says where.
        extra: the name of a number that some bear, as a column of NULLs for those that don't.

    Returns:
        SQL of customer, ts, offset_s, message_id, origin, name (the event's), place (as it was said, NULL where it
        wasn't; see ``shown_place``), ``extra``.
    """
    parts = []
    for event in events:
        place = place_of(event, rule)
        number = event.properties.get(extra)
        shown = place.col if place else "NULL::VARCHAR"
        more = ""
        if extra:
            more = f", {number.col if number and number.kind is Kind.NUMBER else 'NULL::BIGINT'} AS extra"
        rows = known.event(event.name, placed=True)
        parts.append(
            f"SELECT customer, ts, offset_s, message_id, origin, {quoted(event.name)} AS name, {shown} AS place{more} "
            f"FROM ({rows}) e"
        )
    return " UNION ALL ".join(parts)


def label(views: Iterable[str]) -> str:
    """The SQL of what a row of ``stream`` is called: its page where it is a page view that says one, else its event."""
    named = ", ".join(quoted(name) for name in sorted(views)) or "NULL"
    return f"CASE WHEN name IN ({named}) THEN coalesce({shown_place('place')}, name) ELSE name END"
