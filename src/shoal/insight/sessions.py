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
    from collections.abc import Iterator, Sequence

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
def derived(known: AsOf, rule: SessionRule, since: int | None = None) -> Iterator[AsOf]:
    """The store as of the same instant, with the event ``Session`` beside those that were sent.

    A session bears the instant at which it began; what came of it until the door's instant belongs to it. Where the
    workspace has an event of this name, the door is the same one.

    Args:
        known: the door to the store.
        rule: what ``sessions:`` says.
        since: only sessions that began at this instant or later, for less work; None for all.

    Raises:
        UnknownName: an event that the rule names isn't there.
        Refused: no event says a page or screen, and the rule names none.
    """
    if NAME in known.events:
        yield known
        return
    with laid_out(known, rule, since) as table:
        properties = {name: Property(name, kind, COLUMNS[name], declared=True) for name, kind in PROPERTIES.items()}
        with known.with_events({NAME: EventType(0, NAME, properties, table)}) as found:
            yield found


@contextmanager
def laid_out(known: AsOf, rule: SessionRule, since: int | None = None) -> Iterator[str]:
    """The temporary table of all sessions up to the instant, laid out as an event type's; see ``COLUMNS``.

    With ``since`` only those that began then or later. They are the same: no event longer ago than the gap says whether a
    session begins.

    Raises:
        UnknownName: an event that the rule names isn't there.
        Refused: no event says a page or screen, and the rule names none.
    """
    with known.temporary(f"sessions_{next(_numbers)}", _sessions(known, rule, since)) as table:
        yield table


def _sessions(known: AsOf, rule: SessionRule, since: int | None) -> str:
    events = session_events(known, rule)
    begun = "" if since is None else f" WHERE ts >= {since}"
    return (
        f"WITH placed AS ({_placed(known, rule, events, since)}), found AS MATERIALIZED ({_found(rule, events)}), "
        f"keyed AS ({_keyed(known, rule)}), judged AS ({_judged(rule)}) "
        "SELECT customer, ts, offset_s, NULL::VARCHAR AS message_id, origin, ts AS received, NULL::BIGINT AS retired, "
        f"0 AS load, {_properties()} FROM judged{begun}"
    )


def _placed(known: AsOf, rule: SessionRule, events: Sequence[EventType], since: int | None) -> str:
    """The events, put in order once: which begin or end a session, and how many there were of the customer so far."""
    order = "PARTITION BY customer ORDER BY ts, message_id NULLS FIRST, origin"
    views = page_views(events, rule)
    codes = " ".join(f"WHEN {quoted(event.name)} THEN {at}" for at, event in enumerate(events, 1))
    names = ", ".join(quoted(name) for name in sorted(views)) or "NULL"
    extra = ", coalesce(extra, 0) AS extra" if rule.foreground else ""
    near = "" if since is None else f" WHERE ts >= {since - rule.gap}"
    rows = (
        f"SELECT customer, ts, offset_s, message_id, origin, place, CAST(CASE name {codes} END AS SMALLINT) AS code, "
        f"CAST(coalesce(name IN ({names}), false) AS INTEGER) AS viewed{extra} "
        f"FROM ({stream(known, events, rule, rule.foreground)}) s{near}"
    )
    counted = ", sum(extra) OVER r AS seconds" if rule.foreground else ""
    return (
        f"SELECT *, coalesce(ts - lag(ts) OVER w > {rule.gap}, true) AS begins, "
        f"coalesce(lead(ts) OVER w - ts > {rule.gap}, true) AS ends, count(*) OVER r AS n, sum(viewed) OVER r AS views{counted} "
        f"FROM ({rows}) s WINDOW w AS ({order}), r AS ({order} ROWS UNBOUNDED PRECEDING)"
    )


def _found(rule: SessionRule, events: Sequence[EventType]) -> str:
    """A row a session: where an event begins one, it ends with the same event or the next that is left."""
    names = ", ".join(quoted(event.name) for event in events)
    shown = f"coalesce({shown_place('place')}, list_extract([{names}], code)) AS shown"
    carried = ["ts", "n", "views", "shown", *(["seconds"] if rule.foreground else [])]
    ahead = ", ".join(f"CASE WHEN ends THEN {c} ELSE lead({c}) OVER v END AS last_{c}" for c in carried)
    edges = f"SELECT *, {shown} FROM placed WHERE begins OR ends"
    measured = "(last_seconds - seconds + extra)"
    seconds = (
        f"CAST({measured}{' / 1000' if rule.milliseconds else ''} AS BIGINT)" if rule.foreground else "last_ts - ts"
    )
    return (
        f"SELECT customer, ts, last_ts AS last, offset_s, origin, {seconds} AS seconds, last_n - n + 1 AS events, "
        "CAST(last_views - views + viewed AS BIGINT) AS views, shown AS entry, last_shown AS exit "
        f"FROM (SELECT *, {ahead} FROM ({edges}) e WINDOW v AS (PARTITION BY customer ORDER BY n)) s WHERE begins"
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
