"""What happened to one customer, page by page: events with their items, what was said of them when, how they were joined."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from shoal.customers.profiles import decoded
from shoal.lang.schema import Kind
from shoal.sql.registry import CUSTOMER, Registry
from shoal.sql.tables import MESSAGE_ID

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from shoal.sql.registry import EventType, Property
    from shoal.sql.store import Store

FILE_BITS = 40
_TOGETHER = 60
_INSIDE = "IN (SELECT unnest(?::INTEGER[]))"


@dataclass(frozen=True, slots=True)
class Happened:
    """An event.

    Args:
        event: its name.
        ts: when it was.
        received: when it became known.
        properties: those that have a value, by name.
        items: lists of objects, by name: each item's fields that have a value.
        origin: the file and line, or ``api``.
    """

    event: str
    ts: int
    received: int
    properties: dict[str, Any]
    items: dict[str, list[dict[str, Any]]]
    origin: str


@dataclass(frozen=True, slots=True)
class Said:
    """A value of a trait, in force or not.

    Args:
        name: of the trait.
        value: None where the trait was cleared.
        since: from when it was so.
        received: when it became known.
        origin: the file and line, ``api`` or ``computed``.
        under: the id that it came under.
        score: whether a model or computation wrote it.
        times: how often anything was said of the trait.
    """

    name: str
    value: Any
    since: int
    received: int
    origin: str
    under: str
    score: bool
    times: int


@dataclass(frozen=True, slots=True)
class Consented:
    """A word on a purpose: granted or refused, when, under which id, and whether it is the newest of that id."""

    purpose: str
    granted: bool
    ts: int
    origin: str
    under: str
    newest: bool


@dataclass(frozen=True, slots=True)
class Joined:
    """A step by which identifiers came together: linked, repointed, set aside, merged, separated or conflict."""

    what: str
    customer: str | None
    other: str | None
    kind: str | None
    value: str | None
    because: str
    ts: int
    seq: int


class Origins:
    """Names where a row came from.

    Args:
        store: the workspace's store.
    """

    def __init__(self, store: Store) -> None:
        self._files = dict(store.rows("SELECT no, path FROM files"))

    def name(self, origin: int) -> str:
        """The file and line, or ``api``."""
        number, line = origin >> FILE_BITS, origin & ((1 << FILE_BITS) - 1)
        return f"{self._files.get(number, 'file')}:{line}" if number else "api"


# ------------------------------------------------------------ events


class _Head(NamedTuple):
    ts: int
    row: int
    event: EventType


def happened(
    store: Store, keys: Sequence[int], at: int, *, before: int | None = None, event: str | None = None, most: int = 25
) -> tuple[list[Happened], int | None]:
    """Events, the newest first, and the instant before which further ones lie; None where there are none.

    All events of one instant stand on one page.

    Args:
        store: the workspace's store.
        keys: of the customer and of all merged into them.
        at: nothing after that.
        before: only what was earlier.
        event: only those of the name.
        most: about so many.
    """
    bound = f"ts <= {at:d}" if before is None else f"ts < {before:d} AND ts <= {at:d}"
    heads: list[_Head] = []
    for one in Registry.load(store).events.values():
        if event is None or one.name == event:
            rows = store.rows(
                f"SELECT ts, rowid FROM {one.table} WHERE customer {_INSIDE} AND retired IS NULL AND {bound} "
                f"ORDER BY ts DESC LIMIT {most + 1}",
                [list(keys)],
            )
            heads += [_Head(ts, row, one) for ts, row in rows]
    heads.sort(key=lambda head: head.ts, reverse=True)
    if len(heads) <= most:
        return _told(store, heads), None
    last = heads[most - 1].ts
    page = [head for head in heads if head.ts >= last]
    return _told(store, page), last if len(page) < len(heads) else None


def counted(store: Store, keys: Sequence[int], at: int) -> dict[str, int]:
    """How many events of each name a customer has, most first."""
    found = {}
    for one in Registry.load(store).events.values():
        ((many,),) = store.rows(
            f"SELECT count(*) FROM {one.table} WHERE customer {_INSIDE} AND retired IS NULL AND ts <= ?",
            [list(keys), at],
        )
        if many:
            found[one.name] = int(many)
    return dict(sorted(found.items(), key=lambda pair: (-pair[1], pair[0])))


def _told(store: Store, heads: Sequence[_Head]) -> list[Happened]:
    origins, found = Origins(store), {}
    for event in {head.event.name: head.event for head in heads}.values():
        rows = [head.row for head in heads if head.event.name == event.name]
        properties = list(event.properties.values())
        columns = ["rowid", "ts", "received", "origin", *(one.col for one in properties)]
        for row, ts, received, origin, *values in store.rows(
            f"SELECT {', '.join(columns)} FROM {event.table} WHERE rowid IN (SELECT unnest(?::BIGINT[]))", [rows]
        ):
            plain, items = _values(properties, values)
            found[event.name, row] = Happened(event.name, ts, received, plain, items, origins.name(origin))
    return [found[head.event.name, head.row] for head in heads if (head.event.name, head.row) in found]


def _values(properties: Sequence[Property], values: Iterable[Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    plain: dict[str, Any] = {}
    items: dict[str, Any] = {}
    for one, value in zip(properties, values, strict=True):
        if value is None:
            continue
        if one.kind is Kind.OBJECTS:
            items[one.name] = [
                {f.name: decoded(f.kind, item[f.col]) for f in one.fields.values() if item.get(f.col) is not None}
                for item in value
            ]
        else:
            plain[one.name] = decoded(one.kind, value)
    return dict(sorted(plain.items())), items


# ------------------------------------------------------------ traits and consent


def said(store: Store, keys: Sequence[int], at: int) -> list[Said]:
    """The traits of a customer as they are, each with where it came from; scores among them."""
    origins, names = Origins(store), ids(store, keys)
    inside = ", ".join(f"{key:d}" for key in keys)
    traits = [one for one in Registry.load(store).traits.values() if one.scope == CUSTOMER]
    found = []
    for begin in range(0, len(traits), _TOGETHER):
        # One query of many: models write a hundred traits, and asking of each costs more than its answer.
        some = traits[begin : begin + _TOGETHER]
        parts = " UNION ALL ".join(
            f"(SELECT {place} AS place, to_json(value)::VARCHAR AS value, ts, received, origin, owner, count(*) OVER () AS times "
            f"FROM {one.table} WHERE owner IN ({inside}) AND retired IS NULL AND ts <= {at:d} "
            f"ORDER BY ts DESC, {MESSAGE_ID} DESC LIMIT 1)"
            for place, one in enumerate(some)
        )
        for place, value, ts, received, origin, owner, times in store.rows(parts):
            one = some[place]
            plain = None if value is None else decoded(one.kind, json.loads(value))
            source = "computed" if one.score else origins.name(origin)
            found.append(Said(one.name, plain, ts, received, source, names[owner], one.score, times))
    return sorted((one for one in found if one.value is not None), key=lambda one: one.name.casefold())


def past(store: Store, keys: Sequence[int], name: str, at: int, most: int = 50) -> list[Said]:
    """What was said of one trait, the newest first; None is a value that was cleared."""
    trait = Registry.load(store).trait(name)
    if trait is None:
        return []
    origins, names = Origins(store), ids(store, keys)
    rows = store.rows(
        f"SELECT value, ts, received, origin, owner, count(*) OVER () FROM {trait.table} WHERE owner {_INSIDE} "
        f"AND retired IS NULL AND ts <= ? ORDER BY ts DESC, {MESSAGE_ID} DESC LIMIT ?",
        [list(keys), at, most],
    )
    return [
        Said(name, decoded(trait.kind, value), ts, received, origins.name(origin), names[owner], trait.score, times)
        for value, ts, received, origin, owner, times in rows
    ]


def consented(store: Store, keys: Sequence[int], at: int) -> list[Consented]:
    """Every word of consent, the newest first."""
    origins, names = Origins(store), ids(store, keys)
    rows = store.rows(
        f"SELECT purpose, granted, ts, origin, customer, "
        f"row_number() OVER (PARTITION BY customer, purpose ORDER BY ts DESC, {MESSAGE_ID} DESC) = 1 "
        f"FROM consents WHERE customer {_INSIDE} AND retired IS NULL AND ts <= ? ORDER BY ts DESC, purpose",
        [list(keys), at],
    )
    return [
        Consented(purpose, granted, ts, origins.name(origin), names[owner], newest)
        for purpose, granted, ts, origin, owner, newest in rows
    ]


def listed(store: Store, keys: Sequence[int], at: int) -> list[str]:
    """The hand-kept lists that a customer is on."""
    rows = store.rows(
        f"SELECT DISTINCT list FROM (SELECT list, added FROM list_changes WHERE customer {_INSIDE} AND ts <= ? "
        "QUALIFY row_number() OVER (PARTITION BY customer, list ORDER BY ts DESC, received DESC) = 1) "
        "WHERE added ORDER BY list",
        [list(keys), at],
    )
    return [name for (name,) in rows]


def since(store: Store, keys: Sequence[int]) -> int | None:
    """From when on a customer is known."""
    ((found,),) = store.rows(f"SELECT min(first_ts) FROM customers WHERE key {_INSIDE}", [list(keys)])
    return None if found is None else int(found)


# ------------------------------------------------------------ identity


def ids(store: Store, keys: Sequence[int]) -> dict[int, str]:
    """The ids of keys."""
    return dict(store.rows(f"SELECT key, id FROM customers WHERE key {_INSIDE}", [list(keys)]))


def joined(store: Store, keys: Sequence[int]) -> list[Joined]:
    """How a customer's identifiers came together, in order."""
    given = [list(keys), list(keys)]
    return _steps(store, f"(i.customer {_INSIDE} OR i.other {_INSIDE})", given, "seq", 1_000)


def steps(store: Store, what: Sequence[str], most: int) -> list[Joined]:
    """The newest steps of some kinds, of all customers."""
    return _steps(store, "what IN (SELECT unnest(?::VARCHAR[]))", [list(what)], "seq DESC", most)


def _steps(store: Store, where: str, given: list[Any], order: str, most: int) -> list[Joined]:
    rows = store.rows(
        "SELECT i.what, c.id, o.id, i.kind, i.value, i.because, i.ts, i.seq FROM identity_changes i "
        "LEFT JOIN customers c ON c.key = i.customer LEFT JOIN customers o ON o.key = i.other "
        f"WHERE {where} ORDER BY {order} LIMIT {most:d}",
        given,
    )
    return [Joined(*row) for row in rows]


def merges(store: Store, keys: Sequence[int]) -> list[tuple[str, str, int, str]]:
    """The merges in force among a customer's ids: kept, gone, when it became known, why."""
    rows = store.rows(
        f"SELECT k.id, g.id, m.received, m.because FROM merges m JOIN customers k ON k.key = m.kept "
        f"JOIN customers g ON g.key = m.gone WHERE m.undone IS NULL AND m.gone {_INSIDE} ORDER BY m.received",
        [list(keys)],
    )
    return [(kept, gone, received, because) for kept, gone, received, because in rows]


def borne(store: Store, keys: Sequence[int]) -> list[tuple[str, str, str, int]]:
    """The identifiers that a customer bears: kind, value, the id that it was linked to, and since when."""
    rows = store.rows(
        f"SELECT kind, value, c.id, linked FROM identifiers JOIN customers c ON c.key = customer "
        f"WHERE customer {_INSIDE} AND retired IS NULL ORDER BY kind, value",
        [list(keys)],
    )
    return [(kind, value, owner, linked) for kind, value, owner, linked in rows]
