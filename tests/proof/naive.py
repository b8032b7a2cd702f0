"""The naive evaluator: the language page, read aloud in Python. It has no thought for speed and nothing of the product.

``members`` says who is in a definition, ``holds`` and ``value`` answer for one customer. Values are ``str``,
``Fraction`` (numbers), ``bool``, ``date``, ``Moment`` (instants), tuples of ``str``, points, and None for missing.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import math
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import Any

from .wire import Moment, Node, length
from .world import Event, Knowledge, Segment, World
from .zones import DAY, WEEKDAYS, as_instant, day_start, in_window, local

Trace = Callable[[Node, "Scope", bool], None]
OPERATORS = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
MIRRORED = {"=": "=", "!=": "!=", "<": ">", "<=": ">=", ">": "<", ">=": "<="}


@dataclass(frozen=True)
class Scope:
    """Where a node is evaluated: for whom, when; inside a filter, of which event; inside ``any``, of which item."""

    known: Knowledge
    customer: str
    at: int
    event: Event | None = None
    item: Mapping[str, Any] | None = None
    trace: Trace | None = None

    @property
    def zone(self) -> str:
        """The workspace's time zone."""
        return self.known.world.zone


def members(
    world: World, definition: Segment, at: int, known_at: int | None = None, trace: Trace | None = None
) -> set[str]:
    """The customers (surviving ids) in a segment at an instant."""
    known = world.as_known(known_at)
    return {c for c in known.customers if is_member(definition, Scope(known, c, at, trace=trace))}


def is_member(definition: Segment, s: Scope) -> bool:
    """Whether the customer is in: ``never`` overrules ``always``, which overrules ``where``; first they must exist."""
    if s.known.customers[s.customer] > s.at:
        return False
    truth = holds(definition.condition, s)
    if definition.never is not None and s.known.listed(s.customer, definition.never, s.at):
        return False
    if definition.always is not None and s.known.listed(s.customer, definition.always, s.at):
        return True
    return truth


def holds(node: Node, s: Scope) -> bool:
    """Whether a condition holds. Every part is looked at, so that a trace sees them all."""
    truth = bool(CONDITIONS[node.kind](node, s))
    if s.trace is not None:
        s.trace(node, s, truth)
    return truth


def value(node: Node, s: Scope) -> Any:
    """The value of a node; None is missing."""
    return VALUES[node.kind](node, s)


# ---------------------------------------------------------------- comparing


def compare(left: Any, op: str, right: Any, zone: str) -> bool:
    """A comparison: false with a missing side, ``!=`` too. Against a date, an instant is held to the whole day."""
    if left is None or right is None:
        return False
    if isinstance(left, Moment) and isinstance(right, dt.date):
        return _against_day(left, op, right, zone)
    if isinstance(left, dt.date) and isinstance(right, Moment):
        return _against_day(right, MIRRORED[op], left, zone)
    if type(left) is not type(right):
        raise TypeError(f"{left!r} {op} {right!r} don't compare")
    return bool(OPERATORS[op](left, right))


def _against_day(instant: Moment, op: str, day: dt.date, zone: str) -> bool:
    begins, ends = day_start(zone, day), day_start(zone, day + dt.timedelta(days=1))
    return {
        "=": begins <= instant < ends,
        "!=": not begins <= instant < ends,
        "<": instant < begins,
        "<=": instant < ends,
        ">": instant >= ends,
        ">=": instant >= begins,
    }[op]


def fold(text: str) -> str:
    """Simple Unicode case folding: one character to one character."""
    return "".join(_fold(c) for c in text)


def _fold(c: str) -> str:
    for folded in (c.casefold(), c.lower()):
        if len(folded) == 1:
            return folded
    return c


def _match(node: Node, s: Scope) -> bool:
    found = value(node.value, s)
    if found is None:
        return False
    wanted = [operand.value for operand in node.operands]
    if node.op == "matches":
        flags = re.IGNORECASE if node.ignoring_case else 0
        return re.search(wanted[0], found, flags) is not None
    if node.ignoring_case:
        wanted = [fold(w) for w in wanted]
        found = fold(found) if isinstance(found, str) else tuple(fold(f) for f in found)
    if node.op == "contains any of":
        return any(w in found for w in wanted)
    if node.op == "contains all of":
        return all(w in found for w in wanted)
    if node.op == "contains":
        return wanted[0] in found
    return bool(found.startswith(wanted[0]) if node.op == "starts with" else found.endswith(wanted[0]))


def _compare(node: Node, s: Scope) -> bool:
    return compare(value(node.left, s), node.op, value(node.right, s), s.zone)


def _between(node: Node, s: Scope) -> bool:
    v, low, high = value(node.value, s), value(node.low, s), value(node.high, s)
    return compare(low, "<=", v, s.zone) and compare(v, "<=", high, s.zone)


def _in(node: Node, s: Scope) -> bool:
    v = value(node.value, s)
    if v is None:
        return False
    found = any(compare(v, "=", option.value, s.zone) for option in node.options)
    return not found if node.negated else found


def _known(node: Node, s: Scope) -> bool:
    return (value(node.value, s) is not None) == node.known


# ---------------------------------------------------------------- which events


def named(name: str, pattern: str) -> bool:
    """Whether an event's name is the one asked for: a final ``*`` stands for any end, ``\\*`` is a star."""
    if pattern.endswith("*") and not pattern.endswith("\\*"):
        return name.startswith(pattern[:-1].replace("\\*", "*"))
    return name == pattern.replace("\\*", "*")


def matching(events: Node, s: Scope) -> list[Event]:
    """The events that are asked for, with ts ≤ t, by ts, then message id: the newest few are picked, then filtered."""
    pool = s.known.account_events(s.customer, s.at) if events.of_account else s.known.events(s.customer)
    found = [e for e in pool if e.ts <= s.at and named(e.name, events.name)]
    if events.newest is not None:
        found = found[-events.newest :]
    if events.where is None:
        return found
    return [e for e in found if holds(events.where, replace(s, event=e))]


def matching_in(events: Node, window: Node | None, s: Scope) -> list[Event]:
    """Those of them that fall in the window."""
    return [e for e in matching(events, s) if in_window(e.ts, window, s.at, s.zone)]


def _any_item(node: Node, s: Scope) -> bool:
    assert s.event is not None
    items = s.event.properties.get(node.items)
    return True in [holds(node.where, replace(s, item=item)) for item in items or ()]


# ---------------------------------------------------------------- values


def _trait(node: Node, s: Scope) -> Any:
    return s.known.trait(s.customer, node.name, s.at)


def _property(node: Node, s: Scope) -> Any:
    if s.item is not None:
        return s.item.get(node.name)
    assert s.event is not None
    return s.event.properties.get(node.name)


def _local(node: Node, s: Scope) -> Any:
    assert s.event is not None
    when = local(s.zone, s.event.ts)
    if node.part == "hour":
        return Fraction(when.hour)
    return when.date() if node.part == "date" else WEEKDAYS[when.weekday()]


def _aggregate(node: Node, s: Scope) -> Any:
    events = matching_in(node.events, node.window, s)
    if node.fn == "count":
        return Fraction(len(events))
    if node.fn == "active days":
        return Fraction(len({local(s.zone, e.ts).date() for e in events}))
    known = [(e, e.properties.get(node.of)) for e in events if e.properties.get(node.of) is not None]
    return AGGREGATES[node.fn](known)


def _distinct(known: list[tuple[Event, Any]]) -> Fraction:
    elements = {x for _, v in known for x in (v if isinstance(v, tuple) else (v,))}
    return Fraction(len(elements))


def _most_frequent(known: list[tuple[Event, Any]]) -> Any:
    """Ties go to the value that was seen latest, then to the greatest."""
    values = [v for _, v in known]
    return max(set(values), key=lambda v: (values.count(v), max(e.ts for e, x in known if x == v), v), default=None)


AGGREGATES: dict[str, Callable[[list[tuple[Event, Any]]], Any]] = {
    "sum": lambda known: sum((v for _, v in known), Fraction(0)),
    "avg": lambda known: sum((v for _, v in known), Fraction(0)) / len(known) if known else None,
    "min": lambda known: min((v for _, v in known), default=None),
    "max": lambda known: max((v for _, v in known), default=None),
    "first": lambda known: known[0][1] if known else None,
    "last": lambda known: known[-1][1] if known else None,
    "most frequent": _most_frequent,
    "distinct": _distinct,
}


def _days_since_event(node: Node, s: Scope) -> Fraction | None:
    events = matching(node.events, s)
    if not events:
        return None
    return Fraction(s.at - events[0 if node.which == "first" else -1].ts, DAY)


def _days_since(node: Node, s: Scope) -> Fraction | None:
    since = value(node.trait, s)
    return None if since is None else Fraction(s.at - as_instant(since, s.zone), DAY)


def _days_until(node: Node, s: Scope) -> Fraction | None:
    until = value(node.trait, s)
    return None if until is None else Fraction(as_instant(until, s.zone) - s.at, DAY)


def bucket(salt: str, customer: str) -> Fraction:
    """The stable share of a customer for a salt."""
    digest = hashlib.sha256(salt.encode() + b"\0" + customer.encode()).hexdigest()
    return Fraction(int(digest[:15], 16) % 1_000_000, 1_000_000)


def _negative(node: Node, s: Scope) -> Fraction | None:
    v = value(node.value, s)
    return None if v is None else -v


def _arithmetic(node: Node, s: Scope) -> Fraction | None:
    left, right = value(node.left, s), value(node.right, s)
    if left is None or right is None or (node.op == "/" and right == 0):
        return None
    result = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv}[node.op](left, right)
    assert isinstance(result, Fraction)
    return result


def _literal(node: Node, s: Scope) -> Any:
    return node.value


VALUES: dict[str, Callable[[Node, Scope], Any]] = {
    "number": _literal,
    "text": _literal,
    "yesno": _literal,
    "date": _literal,
    "instant": _literal,
    "trait": _trait,
    "property": _property,
    "local": _local,
    "aggregate": _aggregate,
    "days since event": _days_since_event,
    "days since": _days_since,
    "days until": _days_until,
    "bucket": lambda node, s: bucket(node.salt, s.customer),
    "negative": _negative,
    "arithmetic": _arithmetic,
}


# ---------------------------------------------------------------- conditions of traits


def _when(node: Node, s: Scope) -> bool:
    v = value(node.trait, s)
    return v is not None and in_window(as_instant(v, s.zone), node.window, s.at, s.zone)


def _anniversary(node: Node, s: Scope) -> bool:
    v = value(node.trait, s)
    if v is None:
        return False
    born = local(s.zone, v).date() if isinstance(v, Moment) else v
    today = local(s.zone, s.at).date()
    days = [today + dt.timedelta(days=i) for i in range(node.days)]
    return any(day.year >= born.year and day == falls_in(born, day.year) for day in days)


def falls_in(born: dt.date, year: int) -> dt.date:
    """The day on which a date falls in a year: in a common year 29 February is the 28th."""
    try:
        return born.replace(year=year)
    except ValueError:
        return dt.date(year, 2, 28)


METRES = {"m": Fraction(1), "km": Fraction(1000), "mi": Fraction("1609.344")}
EARTH = Fraction("6371008.8")


def chord_limit(radius: Fraction, unit: str) -> int:
    """floor((2·10⁹·sin(R / 2·6371.0088 km))²); half around the earth and beyond is the whole earth."""
    with localcontext() as context:
        context.prec = 60
        angle = radius * METRES[unit] / (2 * EARTH)
        x = Decimal(angle.numerator) / Decimal(angle.denominator)
        if x >= Decimal("1.57079632679489661923132169163975144209858469968755"):
            return 4 * 10**18
        term, sine, k = x, Decimal(0), 1
        while abs(term) > Decimal(10) ** -55:
            sine += term
            term *= -x * x / ((k + 1) * (k + 2))
            k += 2
        return int((2 * Decimal(10) ** 9 * sine) ** 2)


def _distance(node: Node, s: Scope) -> bool:
    here = value(node.trait, s)
    if here is None:
        return False
    latitude, longitude = math.radians(node.latitude), math.radians(node.longitude)
    there = (
        round(math.cos(latitude) * math.cos(longitude) * 10**9),
        round(math.cos(latitude) * math.sin(longitude) * 10**9),
        round(math.sin(latitude) * 10**9),
    )
    chord = sum((a - b) ** 2 for a, b in zip(here, there, strict=True))
    return bool(OPERATORS[node.op](chord, chord_limit(node.radius, node.unit)))


def traits_in(node: Node) -> set[str]:
    """The names of the traits that a comparison speaks of."""
    if node.kind == "trait":
        return {node.name}
    return {t for f in node.fields.values() if isinstance(f, Node) for t in traits_in(f)}


def _held(node: Node, s: Scope) -> bool:
    """True now, and at every instant from t − W on: the value changes nowhere but at the recorded changes."""
    since = s.at - length(node.length)
    changes = {u for name in traits_in(node.condition) for u in s.known.trait_instants(s.customer, name)}
    instants = [since, *sorted(u for u in changes if since < u <= s.at)]
    return all(holds(node.condition, replace(s, at=u, trace=None)) for u in instants)


def _changed(node: Node, s: Scope) -> bool:
    return any(
        in_window(u, node.window, s.at, s.zone) and _changes_at(node, s, u)
        for u in s.known.trait_instants(s.customer, node.trait.name)
    )


def _changes_at(node: Node, s: Scope, instant: int) -> bool:
    before = value(node.trait, replace(s, at=instant - 1))
    after = value(node.trait, replace(s, at=instant))
    if before == after:
        return False
    comes = node.before is None or compare(before, "=", node.before.value, s.zone)
    goes = node.after is None or compare(after, "=", node.after.value, s.zone)
    return comes and goes


def rank_threshold(values: list[Fraction], end: str, q: Fraction) -> Fraction | None:
    """The threshold at a rank of the customers that have a value: ``top``, ``bottom`` or ``percentile``."""
    if not values:
        return None
    k = max(1, math.ceil(len(values) * q / 100))
    return sorted(values, reverse=end == "top")[k - 1]


def _ranked(node: Node, s: Scope) -> bool:
    v, threshold = value(node.value, s), s.known.threshold(node.value, f"{node.end} {node.percent}", s.at)
    return compare(v, ">=" if node.end == "top" else "<=", threshold, s.zone)


def _percentile(node: Node, s: Scope) -> bool:
    v = value(node.value, s)
    low, high = (s.known.threshold(node.value, f"percentile {p}", s.at) for p in (node.low, node.high))
    return compare(low, "<=", v, s.zone) and compare(v, "<=", high, s.zone)


# ---------------------------------------------------------------- conditions of events


def _did(node: Node, s: Scope) -> bool:
    n = len(matching_in(node.events, node.window, s))
    if node.times is None:
        return n >= 1
    wanted = node.times.n
    return {"at least": n >= wanted, "at most": n <= wanted, "exactly": n == wanted}[node.times.op]


def _sequence(node: Node, s: Scope) -> bool:
    return any(_goes_on(first, node.steps, s) for first in matching_in(node.first, node.window, s))


def _goes_on(before: Event, steps: tuple[Node, ...], s: Scope) -> bool:
    """Whether any choice of events makes the rest of the chain hold."""
    if not steps:
        return True
    step, rest = steps[0], steps[1:]
    found = [e for e in matching(step.events, s) if _answers(e, before, step)]
    if step.absent:
        return before.ts + length(step.within) <= s.at and not found
    if step.without is not None:
        spoilers = matching(step.without, s)
        found = [e for e in found if not any(before.ts < c.ts < e.ts for c in spoilers)]
    return any(_goes_on(e, rest, s) for e in found)


def _answers(e: Event, before: Event, step: Node) -> bool:
    in_time = before.ts < e.ts and (step.within is None or e.ts <= before.ts + length(step.within))
    return in_time and all(
        before.properties.get(k) is not None and before.properties.get(k) == e.properties.get(k) for k in step.same
    )


def _not_after(node: Node, s: Scope) -> bool:
    w = length(node.within)
    before = matching(node.before, s)
    return any(not any(a.ts - w <= b.ts < a.ts for b in before) for a in matching_in(node.events, node.window, s))


def _did_first(node: Node, s: Scope) -> bool:
    events = matching(node.events, s)
    return bool(events) and in_window(events[0].ts, node.window, s.at, s.zone)


def _regularly(node: Node, s: Scope) -> bool:
    w = length(node.length)
    events = matching(node.events, s)
    counts = [len([e for e in events if s.at - (i + 1) * w < e.ts <= s.at - i * w]) for i in range(node.of_last)]
    return len([n for n in counts if n >= node.times]) >= node.periods


# ---------------------------------------------------------------- conditions of membership


def _member_of(node: Node, s: Scope) -> bool:
    return is_member(s.known.world.segments[node.segment], replace(s, trace=None))


def _published(node: Node, s: Scope) -> bool:
    change = {"entered": "entered", "left": "left"}[node.kind]
    return any(in_window(ts, node.window, s.at, s.zone) for ts in s.known.published(s.customer, node.segment, change))


CONDITIONS: dict[str, Callable[[Node, Scope], bool]] = {
    "and": lambda node, s: False not in [holds(part, s) for part in node.parts],
    "or": lambda node, s: True in [holds(part, s) for part in node.parts],
    "not": lambda node, s: not holds(node.part, s),
    "compare": _compare,
    "between": _between,
    "in": _in,
    "match": _match,
    "known": _known,
    "any": _any_item,
    "when": _when,
    "anniversary": _anniversary,
    "distance": _distance,
    "did": _did,
    "sequence": _sequence,
    "not after": _not_after,
    "did first": _did_first,
    "regularly": _regularly,
    "held": _held,
    "changed": _changed,
    "ranked": _ranked,
    "percentile": _percentile,
    "member of": _member_of,
    "listed in": lambda node, s: s.known.listed(s.customer, node.name, s.at),
    "entered": _published,
    "left": _published,
    "consents to": lambda node, s: s.known.consents(s.customer, node.purpose, s.at),
}
