"""Everything that is kept about one person, as plain values: rows of the past and retired ones included, nothing of others."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from shoal.clock import iso
from shoal.customers.privacy.forget import quarantined
from shoal.customers.profiles import decoded
from shoal.lang.document import decimal_text
from shoal.lang.schema import Kind
from shoal.sql.registry import CUSTOMER, Registry
from shoal.sql.tables import MESSAGE_ID

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shoal.customers.privacy.forget import Columns
    from shoal.customers.privacy.person import Person
    from shoal.sql.registry import Property
    from shoal.sql.store import Store

SECTIONS: dict[str, tuple[str, ...]] = {
    "identifiers": ("kind", "value", "customer", "since", "received", "until"),
    "traits": ("trait", "value", "at", "received", "replaced", "from", "message_id", "customer"),
    "events": ("event", "at", "properties", "received", "replaced", "from", "message_id", "customer"),
    "consents": ("purpose", "granted", "at", "received", "replaced", "from", "message_id", "customer"),
    "lists": ("list", "added", "at", "received", "customer"),
    "memberships": ("segment", "change", "at", "received", "because", "customer"),
    "identity": ("what", "kind", "value", "customer", "other", "because", "at", "received"),
    "quarantine": ("source", "reason", "content"),
}
"""The parts of an export, and what each of their rows has."""
_SOMEBODY = "somebody else"
_INSIDE = "IN (SELECT unnest(?::INTEGER[]))"
_FILE_BITS = 40


def export_person(store: Store, person: Person, now: int, columns: Columns | None = None) -> dict[str, Any]:
    """Everything about a person, ready for JSON.

    Args:
        store: the workspace's store.
        person: whom ``find`` found.
        now: the instant of the export.
        columns: by source, the columns that hold ids of customers.
    """
    reading = _Reading(store, person)
    return {
        "person": person.ids[0],
        "ids": list(person.ids),
        "exported": iso(now),
        "identifiers": reading.identifiers(),
        "traits": reading.traits(),
        "events": reading.events(),
        "consents": reading.consents(),
        "lists": reading.rows("list_changes", "list, added, ts, received", SECTIONS["lists"]),
        "memberships": reading.rows(
            "membership_changes", "segment, change, ts, received, because", SECTIONS["memberships"]
        ),
        "identity": reading.identity(),
        "quarantine": [
            {"source": source, "reason": reason, "content": content}
            for _, source, reason, content in quarantined(store, person, columns)
        ],
    }


class _Reading:
    """One person's rows on their way to plain values."""

    def __init__(self, store: Store, person: Person) -> None:
        self._store = store
        self._keys = list(person.keys)
        self._ids: Mapping[int, str] = dict(
            store.rows(f"SELECT key, id FROM customers WHERE key {_INSIDE}", [self._keys])
        )
        self._files: Mapping[int, str] = dict(store.rows("SELECT no, path FROM files"))
        self._registry = Registry.load(store)

    def rows(self, table: str, columns: str, names: tuple[str, ...]) -> list[dict[str, Any]]:
        """The rows of a table by time; the customer comes last."""
        found = self._store.rows(
            f"SELECT {columns}, customer FROM {table} WHERE customer {_INSIDE} ORDER BY ts, received", [self._keys]
        )
        rows = [dict(zip(names, row, strict=True)) for row in found]
        return [
            {**row, "at": iso(row["at"]), "received": iso(row["received"]), "customer": self._ids[row["customer"]]}
            for row in rows
        ]

    def identifiers(self) -> list[dict[str, Any]]:
        found = self._store.rows(
            f"SELECT kind, value, customer, linked, received, retired FROM identifiers WHERE customer {_INSIDE} "
            "ORDER BY kind, linked, value",
            [self._keys],
        )
        return [
            {
                "kind": kind, "value": value, "customer": self._ids[key], "since": iso(linked), "received": iso(received),
                "until": _iso(retired),
            }
            for kind, value, key, linked, received, retired in found
        ]  # fmt: skip

    def traits(self) -> list[dict[str, Any]]:
        rows = []
        for trait in sorted(self._registry.traits.values(), key=lambda t: t.name):
            if trait.scope != CUSTOMER:
                continue
            for value, *rest in self._changes(trait.table, "owner", "value"):
                told = {"trait": trait.name, "value": plain(trait.kind, value), **self._told(*rest)}
                rows.append({**told, "from": "computed"} if trait.score else told)
        return [{name: row[name] for name in SECTIONS["traits"]} for row in rows]

    def events(self) -> list[dict[str, Any]]:
        rows = []
        for event in self._registry.events.values():
            properties = list(event.properties.values())
            for row in self._changes(event.table, "customer", *(p.col for p in properties)):
                values, rest = row[: len(properties)], row[len(properties) :]
                said = {
                    p.name: _property(p, value)
                    for p, value in zip(properties, values, strict=True)
                    if value is not None
                }
                rows.append((rest[1], event.name, {"event": event.name, "properties": said, **self._told(*rest)}))
        rows.sort(key=lambda row: row[:2])
        return [{name: row[name] for name in SECTIONS["events"]} for _, _, row in rows]

    def consents(self) -> list[dict[str, Any]]:
        rows = [
            {"purpose": purpose, "granted": granted, **self._told(*rest)}
            for purpose, granted, *rest in self._changes("consents", "customer", "purpose", "granted")
        ]
        return [{name: row[name] for name in SECTIONS["consents"]} for row in rows]

    def identity(self) -> list[dict[str, Any]]:
        found = self._store.rows(
            "SELECT what, kind, value, customer, other, because, ts, received FROM identity_changes "
            f"WHERE customer {_INSIDE} OR other {_INSIDE} ORDER BY seq",
            [self._keys, self._keys],
        )
        # The joins of records that came by another door than live calls have no line there.
        found += self._store.rows(
            "SELECT 'merged', NULL, NULL, kept, gone, because, received, received FROM merges AS m "
            f"WHERE (kept {_INSIDE} OR gone {_INSIDE}) AND NOT EXISTS (SELECT 1 FROM identity_changes AS i "
            "WHERE i.what = 'merged' AND i.customer = m.kept AND i.other = m.gone) ORDER BY received",
            [self._keys, self._keys],
        )
        return [
            {
                "what": what, "kind": kind, "value": value, "customer": self._who(customer), "other": self._who(other),
                "because": because, "at": iso(ts), "received": iso(received),
            }
            for what, kind, value, customer, other, because, ts, received in found
        ]  # fmt: skip

    def _who(self, key: int | None) -> str | None:
        """An id of the person; the ids of others aren't handed out."""
        return None if key is None else self._ids.get(key, _SOMEBODY)

    def _changes(self, table: str, holder: str, *columns: str) -> list[tuple[Any, ...]]:
        chosen = "".join(f"{column}, " for column in columns)
        return self._store.rows(
            f"SELECT {chosen}{holder}, ts, received, retired, origin, {MESSAGE_ID} FROM {table} WHERE {holder} {_INSIDE} "
            f"ORDER BY ts, {MESSAGE_ID}",
            [self._keys],
        )

    def _told(self, key: int, ts: int, received: int, retired: int | None, origin: int, message: str) -> dict[str, Any]:
        number, line = origin >> _FILE_BITS, origin & ((1 << _FILE_BITS) - 1)
        return {
            "customer": self._ids[key],
            "at": iso(ts),
            "received": iso(received),
            "replaced": _iso(retired),
            "from": f"{self._files.get(number, 'file')}:{line}" if number else "api",
            "message_id": message,
        }


def _iso(instant: int | None) -> str | None:
    return None if instant is None else iso(instant)


def _property(prop: Property, value: Any) -> Any:
    if prop.kind is not Kind.OBJECTS:
        return plain(prop.kind, value)
    names = {f.col: f for f in prop.fields.values()}
    return [
        {names[c].name: plain(names[c].kind, v) for c, v in item.items() if c in names and v is not None}
        for item in value
        if item is not None
    ]


def plain(kind: Kind, value: Any) -> Any:
    """A stored value as JSON has it: numbers as numbers, dates and instants as ISO text, points by their degrees."""
    if value is None:
        return None
    match kind:
        case Kind.NUMBER:
            text = decimal_text(value)
            return float(text) if "." in text else int(text)
        case Kind.DATE:
            return decoded(kind, value).isoformat()
        case Kind.INSTANT:
            return iso(value)
        case Kind.POINT:
            x, y, z = (value[axis] / 1e9 for axis in "xyz")
            latitude, longitude = math.degrees(math.asin(max(-1.0, min(1.0, z)))), math.degrees(math.atan2(y, x))
            return {"latitude": round(latitude, 6), "longitude": round(longitude, 6)}
    return value
