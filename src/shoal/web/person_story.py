"""A customer's memberships, identifiers and warnings as pages draw them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from shoal.clock import DAY, to_instant
from shoal.views.words import day, money, plain, share, time
from shoal.web.masking import shown, shown_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from shoal.customers.story import Consented, Happened, Said
    from shoal.lang.nodes import Definition
    from shoal.live.engine import Engine
    from shoal.workspace.people import Person

_ALARMING = frozenset(
    {"deceased", "died", "dead", "suppressed", "suppress", "unsubscribed", "blocked", "blacklisted", "fraud", "opted"}
)
_PIECES = re.compile(r"[A-Z]?[a-z]+|[A-Z]+")
SPAN = 90 * DAY
"""So far back, at least, and ahead, at most, the bars of memberships reach."""
GRAPH_ROW, GRAPH_WIDE, GRAPH_LETTERS = 34, 720, 30
MOST_NODES = 40


# ------------------------------------------------------------ memberships


@dataclass(frozen=True, slots=True)
class Bar:
    """A membership with its bar, in hundredths of the width.

    Args:
        slug: of the segment.
        name: of the segment.
        since: when they came in, None where that isn't known.
        until: when they go out if nothing more happens; None where no end is in sight.
        begin: of the bar.
        end: of the bar.
    """

    slug: str
    name: str
    since: int | None
    until: int | None
    begin: float
    end: float


@dataclass(frozen=True, slots=True)
class Bars:
    """Memberships on one axis of time; ``here`` is where now lies on it."""

    rows: tuple[Bar, ...]
    first: int
    last: int
    here: float


def memberships(engine: Engine, customer: str) -> Bars:
    """A customer's memberships, those that end soonest first; the engine's lock must be held."""
    now, found = engine.now, []
    for slug, definition in engine.plan.definitions.items():
        if engine.is_member(slug, customer):
            found.append((slug, definition.name, engine.since(slug, customer), engine.until(slug, customer)))
    first = min([now - SPAN, *(since for _, _, since, _ in found if since is not None)])
    first = max(first, now - 8 * SPAN)
    last = max([now + SPAN // 6, *(min(until, now + SPAN) for _, _, _, until in found if until is not None)])

    def place(at: int) -> float:
        return round(100 * (min(max(at, first), last) - first) / (last - first), 2)

    rows = [
        Bar(slug, name, since, until, place(since if since is not None else first), place(until or last))
        for slug, name, since, until in found
    ]
    rows.sort(key=lambda bar: (bar.until is None, bar.until or 0, bar.name))
    return Bars(tuple(rows), first, last, place(now))


# ------------------------------------------------------------ values


def value_words(value: Any, zone: str) -> str:
    """A value of the store, as it is read.

    >>> value_words(Decimal("12.50"), "UTC"), value_words(True, "UTC"), value_words(["a", "b"], "UTC")
    ('12.5', 'yes', 'a, b')
    """
    match value:
        case bool():
            return "yes" if value else "no"
        case datetime():
            at = to_instant(value)
            return f"{day(at, zone)}, {time(at, zone)}"
        case date():
            return day(to_instant(datetime.fromisoformat(f"{value.isoformat()}T12:00:00+00:00")), "UTC")
        case Decimal() | float():
            return f"{value:,.6f}".rstrip("0").rstrip(".")
        case list() | tuple():
            return ", ".join(value_words(one, zone) for one in value)
        case dict():
            return ", ".join(f"{name} {value_words(one, zone)}" for name, one in value.items())
    return str(value)


def shown_words(person: Person, name: str, value: Any, zone: str) -> str:
    """A value for somebody to see, as it is read; numbers that name something, as an order's, aren't grouped by thousands."""
    found = shown(person, name, value)
    if isinstance(found, Decimal | float) and _NAMES.search(name):
        return value_words(found, zone).replace(",", "")
    return value_words(found, zone)


_NAMES = re.compile(r"(^|[_ .])(id|ids|number|no|nr|code|sku|ean|upc|store|zip|postcode|year)$", re.IGNORECASE)


def said_score(value: Any, zone: str) -> str:
    """A score as it is read: three digits that count, days and lists in words.

    >>> said_score(Decimal("0.123456"), "UTC"), said_score("steady", "UTC")
    ('0.123', 'steady')
    """
    number = isinstance(value, Decimal | float | int) and not isinstance(value, bool)
    return plain(float(value)) if number else value_words(value, zone)


@dataclass(frozen=True, slots=True)
class Figure:
    """One of the scores that people ask for first."""

    label: str
    value: str
    interval: str
    note: str


_FIRST = (
    (re.compile(r"churn_(\d+)d"), "Chance of no order in {} days", "share"),
    (re.compile(r"next_order_on"), "Next order", ""),
    (re.compile(r"next_category"), "Next category", ""),
    (re.compile(r"value_predicted_(\d+)d"), "Value of the next {} days", "money"),
    (re.compile(r"value_historic"), "Value so far", "money"),
    (re.compile(r"orders_expected_(\d+)d"), "Orders in {} days", ""),
    (re.compile(r"replenish_product"), "Due to be bought again", ""),
    (re.compile(r"rfm_segment"), "RFM group", ""),
)


def first_scores(scores: Sequence[Said], currency: str, zone: str) -> tuple[list[Figure], list[tuple[Said, str]]]:
    """The scores that people ask for first, with their intervals and reasons; and all of them as they are read."""
    values = {one.name: one.value for one in scores}

    def written(form: str, value: Any) -> str:
        if form and isinstance(value, Decimal | float | int):
            return money(float(value), currency) if form == "money" else share(float(value))
        # In large letters a day may be broken between its words.
        return said_score(value, zone).replace("\N{NO-BREAK SPACE}", " ")

    found = []
    for pattern, label, form in _FIRST:
        for one in scores:
            match = pattern.fullmatch(one.name)
            if match is None:
                continue
            low, high = (values.get(name) for name in _ends(one.name))
            interval = "" if low is None or high is None else f"{written(form, low)} to {written(form, high)}"
            note = values.get(f"{one.name}_reason", "")
            found.append(Figure(label.format(*match.groups()), written(form, one.value), interval, str(note)))
    return found, [(one, said_score(one.value, zone)) for one in scores]


def _ends(name: str) -> tuple[str, str]:
    """The scores that hold the ends of a score's interval."""
    stem = name.removesuffix("_on")
    return (f"{stem}_from", f"{stem}_until") if stem != name else (f"{name}_low", f"{name}_high")


def pairs(person: Person, event: Happened, zone: str) -> list[tuple[str, str]]:
    """The properties of an event for somebody to see."""
    return [(name, shown_words(person, name, value, zone)) for name, value in event.properties.items()]


@dataclass(frozen=True, slots=True)
class Items:
    """A list of objects of an event as a table."""

    name: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def items(person: Person, event: Happened, zone: str) -> list[Items]:
    """The lists of objects of an event, for somebody to see."""
    found = []
    for name, objects in event.items.items():
        heads = tuple(dict.fromkeys(key for one in objects for key in one))
        rows = tuple(
            tuple(shown_words(person, key, one[key], zone) if key in one else "" for key in heads) for one in objects
        )
        found.append(Items(name, heads, rows))
    return found


# ------------------------------------------------------------ warnings


def warnings(
    traits: Iterable[Said],
    consents: Mapping[str, bool],
    lists: Iterable[str],
    definitions: Mapping[str, Definition],
) -> list[str]:
    """What whoever writes to a customer must know first."""
    found = [
        f"The trait “{one.name}” says {'yes' if one.value is True else one.value}."
        for one in traits
        if _is_alarming(one)
    ]
    kept_out: dict[str, list[str]] = {}
    for definition in definitions.values():
        if definition.never is not None:
            kept_out.setdefault(definition.never, []).append(definition.name)
    found += [
        f"They are on the list “{name}”, which keeps them out of {', '.join(sorted(kept_out[name]))}."
        for name in lists
        if name in kept_out
    ]
    refused = sorted(purpose for purpose, granted in consents.items() if not granted)
    if refused:
        found.append(f"They refuse {', '.join(refused)}: exports and syncs for it leave them out.")
    return found


def _is_alarming(trait: Said) -> bool:
    words = {word.lower() for word in _PIECES.findall(trait.name)}
    return bool(words & _ALARMING) and trait.value not in (False, None, "", "no", "No", "false", Decimal(0))


def standing_consent(words: Sequence[Consented]) -> dict[str, bool]:
    """Whether a customer consents, by purpose: of ids that were merged a refusal wins."""
    found: dict[str, bool] = {}
    for word in words:
        if word.newest:
            found[word.purpose] = found.get(word.purpose, True) and word.granted
    return found


# ------------------------------------------------------------ the graph of identifiers


@dataclass(frozen=True, slots=True)
class Node:
    """An id or an identifier in the picture."""

    text: str
    kind: str
    x: int
    y: int
    wide: int


@dataclass(frozen=True, slots=True)
class Edge:
    """A line between two, with why."""

    path: str
    because: str
    merge: bool


@dataclass(frozen=True, slots=True)
class Graph:
    """The picture of how identifiers were joined: ids at the left, what they bear at the right."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]
    width: int
    height: int
    left_out: int


def graph(
    person: Person,
    customer: str,
    merged: Sequence[tuple[str, str, str]],
    borne: Sequence[tuple[str, str, str, str]],
) -> Graph:
    """Where everything stands in the picture.

    Args:
        person: who looks.
        customer: who stands for all.
        merged: kept id, id that joined it, why.
        borne: kind, value as it may be shown, the id that it was linked to, why.
    """
    ids = list(dict.fromkeys([customer, *(gone for _, gone, _ in merged)]))
    kept = ids[: MOST_NODES // 2]
    shown_borne = [one for one in borne if one[2] in kept][:MOST_NODES]
    order = sorted(range(len(shown_borne)), key=lambda i: (kept.index(shown_borne[i][2]), i))
    tall = max(len(kept), len(shown_borne), 1)
    left = {one: _middle(i, len(kept), tall) for i, one in enumerate(kept)}
    nodes = [
        Node(_short(shown_id(person, one)), "" if one == customer else "merged", 0, y, 240) for one, y in left.items()
    ]
    edges = []
    for one, gone, because in merged:
        if one in left and gone in left:
            edges.append(Edge(_arc(left[one], left[gone]), because, merge=True))
    for place, index in enumerate(order):
        kind, value, owner, because = shown_borne[index]
        y = _middle(place, len(order), tall)
        nodes.append(Node(_short(value), kind, GRAPH_WIDE - 280, y, 280))
        edges.append(Edge(_across(left[owner], y), because, merge=False))
    total = len(ids) + len(borne)
    return Graph(tuple(nodes), tuple(edges), GRAPH_WIDE + 60, tall * GRAPH_ROW + 8, total - len(nodes))


def _middle(place: int, many: int, tall: int) -> int:
    """Where the middle of one of so many lies, spread over the height."""
    return round((place + 0.5) * tall * GRAPH_ROW / many) + 4


def _short(text: str) -> str:
    return text if len(text) <= GRAPH_LETTERS else f"{text[: GRAPH_LETTERS - 1]}…"


def _across(y: int, other: int) -> str:
    begin, end = 60 + 240, 60 + GRAPH_WIDE - 280
    middle = (begin + end) // 2
    return f"M{begin} {y}C{middle} {y} {middle} {other} {end} {other}"


def _arc(y: int, other: int) -> str:
    return f"M60 {y}C10 {y} 10 {other} 60 {other}"
