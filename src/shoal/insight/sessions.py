"""Sessions, as an event that is worked out from others: metrics speak of ``"Session"`` as of any event.

A session is a run of a customer's events on a website or in an app with no break longer than the gap (30 minutes unless
``sessions:`` says otherwise; after exactly the gap it still goes on). It is engaged by any one of three: time in the foreground,
page views, or a key event. A key event neither begins nor prolongs a session, unless it is one of the session's events: an
order from the till isn't a visit. It belongs to the session that it falls into, or that ended no longer ago than the gap.

Time in the foreground is what the events measured, where a property says so; else from the first event to the last, so of a
session with one event 0: how long its only page was looked at, nobody noted.
"""

from __future__ import annotations

import itertools
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING

from shoal.clock import SECOND
from shoal.insight.pages import named_events, page_views, session_events, shown_place, stream
from shoal.lang.schema import Kind, PropertyType
from shoal.sql.encode import quoted
from shoal.sql.registry import EventType, Property

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shoal.insight.models.asof import AsOf
    from shoal.lang.schema import Schema
    from shoal.shapes import SessionRule

NAME = "Session"
"""The event's name. Where the workspace has an event of this name, that one is meant, as everywhere else."""

PROPERTIES: dict[str, Kind] = {
    "seconds": Kind.NUMBER,
    "events": Kind.NUMBER,
    "page_views": Kind.NUMBER,
    "engaged": Kind.YESNO,
    "bounced": Kind.YESNO,
    "single_page": Kind.YESNO,
    "entry": Kind.TEXT,
    "exit": Kind.TEXT,
    "converted": Kind.YESNO,
    "key_events": Kind.NUMBER,
}
"""What a session says of itself. ``bounced`` is not engaged; ``single_page`` is the older bounce: one page view, no more."""

COLUMNS = {name: f"p{at}" for at, name in enumerate(PROPERTIES, 1)}
"""The physical column of each property."""

_numbers = itertools.count(1)


def taught(schema: Schema) -> Schema:
    """The schema in which metrics are checked: with sessions, unless the workspace has an event of that name."""
    if NAME in schema.events:
        return schema
    types = {name: PropertyType(kind) for name, kind in PROPERTIES.items()}
    return replace(schema, events={**schema.events, NAME: types})


@contextmanager
def derived(known: AsOf, rule: SessionRule) -> Iterator[AsOf]:
    """The store as of the same instant, with the event ``Session`` beside those that were sent.

    A session bears the instant at which it began; what came of it until the door's instant belongs to it. Where the
    workspace has an event of this name, the door is the same one.

    Args:
        known: the door to the store.
        rule: what ``sessions:`` says.

    Raises:
        UnknownName: an event that the rule names isn't there.
        Refused: no event says a page or screen, and the rule names none.
    """
    if NAME in known.events:
        yield known
        return
    with laid_out(known, rule) as table:
        properties = {name: Property(name, kind, COLUMNS[name], declared=True) for name, kind in PROPERTIES.items()}
        with known.with_events({NAME: EventType(0, NAME, properties, table)}) as found:
            yield found


@contextmanager
def laid_out(known: AsOf, rule: SessionRule) -> Iterator[str]:
    """The temporary table of all sessions up to the instant, laid out as an event type's; see ``COLUMNS``.

    Raises:
        UnknownName: an event that the rule names isn't there.
        Refused: no event says a page or screen, and the rule names none.
    """
    with known.temporary(f"sessions_{next(_numbers)}", _sessions(known, rule)) as table:
        yield table


def _sessions(known: AsOf, rule: SessionRule) -> str:
    return (
        f"WITH placed AS ({_placed(known, rule)}), numbered AS ({_numbered()}), "
        f"found AS MATERIALIZED ({_found(rule)}), keyed AS ({_keyed(known, rule)}), judged AS ({_judged(rule)}) "
        "SELECT customer, ts, offset_s, NULL::VARCHAR AS message_id, origin, ts AS received, NULL::BIGINT AS retired, "
        f"0 AS load, {_properties()} FROM judged"
    )


_ORDER = "PARTITION BY customer ORDER BY ts, message_id NULLS FIRST, origin"


def _placed(known: AsOf, rule: SessionRule) -> str:
    """The events, and which of them begin or end a session."""
    events = session_events(known, rule)
    views = ", ".join(quoted(name) for name in sorted(page_views(events, rule))) or "NULL"
    extra = "extra, " if rule.foreground else ""
    return (
        f"SELECT customer, ts, offset_s, message_id, origin, name, place, {extra}name IN ({views}) AS viewed, "
        f"coalesce(ts - lag(ts) OVER w > {rule.gap}, true) AS begins, coalesce(lead(ts) OVER w - ts > {rule.gap}, true) AS ends "
        f"FROM ({stream(known, events, rule, rule.foreground)}) s WINDOW w AS ({_ORDER})"
    )


def _numbered() -> str:
    """Each event with the number of its session; where it begins or ends one, with what is shown of where it was."""
    shown = f"CASE WHEN begins OR ends THEN coalesce({shown_place('place')}, name) END"
    number = f"sum(CAST(begins AS INTEGER)) OVER ({_ORDER} ROWS UNBOUNDED PRECEDING)"
    return f"SELECT *, {shown} AS shown, {number} AS session FROM placed"


def _found(rule: SessionRule) -> str:
    measured = "sum(extra) / 1000" if rule.milliseconds else "sum(extra)"
    seconds = f"CAST(coalesce({measured}, 0) AS BIGINT)" if rule.foreground else "max(ts) - min(ts)"
    return (
        "SELECT customer, min(ts) AS ts, max(ts) AS last, max(offset_s) FILTER (WHERE begins) AS offset_s, "
        f"max(origin) FILTER (WHERE begins) AS origin, {seconds} AS seconds, count(*) AS events, "
        "count(*) FILTER (WHERE viewed) AS views, max(shown) FILTER (WHERE begins) AS entry, "
        "max(shown) FILTER (WHERE ends) AS exit FROM numbered GROUP BY customer, session"
    )


def _judged(rule: SessionRule) -> str:
    engaged = f"f.seconds >= {rule.seconds * SECOND} OR f.views >= {rule.page_views} OR k.many IS NOT NULL"
    return (
        f"SELECT f.*, coalesce(k.many, 0) AS keys, {engaged} AS engaged "
        "FROM found f LEFT JOIN keyed k ON k.customer = f.customer AND k.ts = f.ts"
    )


def _properties() -> str:
    shown = {
        "seconds": "seconds", "events": "events * 1000000", "page_views": "views * 1000000", "engaged": "engaged",
        "bounced": "NOT engaged", "single_page": "views = 1", "entry": "entry", "exit": "exit", "converted": "keys > 0",
        "key_events": "keys * 1000000",
    }  # fmt: skip
    return ", ".join(f"{shown[name]} AS {COLUMNS[name]}" for name in PROPERTIES)


def _keyed(known: AsOf, rule: SessionRule) -> str:
    """How many key events each session has: those up to the gap after its last event, of the session that began last."""
    names = rule.key_events or tuple({known.rule.orders} & set(known.events))
    rows = [
        f"SELECT customer, ts FROM ({known.event(event.name)}) e"
        for event in (named_events(known, names) if names else ())
    ]
    if not rows:
        return "SELECT 0 AS customer, 0::BIGINT AS ts, 0::BIGINT AS many WHERE false"
    return (
        f"SELECT f.customer, f.ts, count(*) AS many FROM ({' UNION ALL '.join(rows)}) k ASOF JOIN found f "
        f"ON k.customer = f.customer AND k.ts >= f.ts WHERE k.ts <= f.last + {rule.gap} GROUP BY f.customer, f.ts"
    )
