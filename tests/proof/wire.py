"""The naive evaluator's own decoder of the wire form. It imports nothing of the product.

An object of the wire form is ``{"node": kind, field: value, …}``; a field at its default may be left out. Numbers, and
all that is counted in millionths, are decimal text and become exact ``Fraction``; dates become ``datetime.date``;
instants become ``Moment`` (microseconds since 1970 UTC).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
MICROSECOND = dt.timedelta(microseconds=1)


class Moment(int):
    """An instant in microseconds since 1970 UTC; a type of its own so that it can't be taken for a number."""


@dataclass(frozen=True)
class Node:
    """A decoded object: its kind, and its fields as attributes."""

    kind: str
    fields: Mapping[str, Any]

    def __getattr__(self, name: str) -> Any:
        try:
            return self.fields[name]
        except KeyError:
            raise AttributeError(f"{self.kind} has no {name}") from None

    def __hash__(self) -> int:
        return hash((self.kind, tuple(self.fields.values())))


REQUIRED = object()
FIELDS: dict[str, dict[str, Any]] = {
    "number": {"value": REQUIRED},
    "text": {"value": REQUIRED},
    "yesno": {"value": REQUIRED},
    "date": {"value": REQUIRED},
    "instant": {"value": REQUIRED},
    "duration": {"amount": REQUIRED, "unit": REQUIRED},
    "last": {"length": REQUIRED},
    "before last": {"length": REQUIRED, "before": REQUIRED},
    "since": {"start": REQUIRED},
    "period": {"start": REQUIRED, "end": REQUIRED},
    "this": {"unit": REQUIRED},
    "last calendar": {"amount": REQUIRED, "unit": REQUIRED},
    "next": {"length": REQUIRED},
    "trait": {"name": REQUIRED},
    "property": {"name": REQUIRED},
    "local": {"part": REQUIRED},
    "events": {"name": REQUIRED, "where": None, "newest": None, "of_account": False},
    "aggregate": {"fn": REQUIRED, "events": REQUIRED, "of": None, "window": None},
    "days since event": {"which": REQUIRED, "events": REQUIRED},
    "days since": {"trait": REQUIRED},
    "days until": {"trait": REQUIRED},
    "bucket": {"salt": REQUIRED},
    "negative": {"value": REQUIRED},
    "arithmetic": {"left": REQUIRED, "op": REQUIRED, "right": REQUIRED},
    "and": {"parts": REQUIRED},
    "or": {"parts": REQUIRED},
    "not": {"part": REQUIRED},
    "compare": {"left": REQUIRED, "op": REQUIRED, "right": REQUIRED},
    "between": {"value": REQUIRED, "low": REQUIRED, "high": REQUIRED},
    "in": {"value": REQUIRED, "options": REQUIRED, "negated": False},
    "match": {"value": REQUIRED, "op": REQUIRED, "operands": REQUIRED, "ignoring_case": False},
    "known": {"value": REQUIRED, "known": True},
    "any": {"items": REQUIRED, "where": REQUIRED},
    "when": {"trait": REQUIRED, "window": REQUIRED},
    "anniversary": {"trait": REQUIRED, "days": REQUIRED},
    "distance": {
        "trait": REQUIRED,
        "latitude": REQUIRED,
        "longitude": REQUIRED,
        "op": REQUIRED,
        "radius": REQUIRED,
        "unit": REQUIRED,
    },
    "times": {"op": REQUIRED, "n": REQUIRED},
    "did": {"events": REQUIRED, "times": None, "window": None},
    "step": {"events": REQUIRED, "within": None, "absent": False, "without": None, "same": ()},
    "sequence": {"first": REQUIRED, "steps": REQUIRED, "window": None},
    "not after": {"events": REQUIRED, "before": REQUIRED, "within": REQUIRED, "window": None},
    "did first": {"events": REQUIRED, "window": REQUIRED},
    "regularly": {"events": REQUIRED, "times": REQUIRED, "periods": REQUIRED, "of_last": REQUIRED, "length": REQUIRED},
    "held": {"condition": REQUIRED, "length": REQUIRED},
    "changed": {"trait": REQUIRED, "before": None, "after": None, "window": None},
    "ranked": {"value": REQUIRED, "end": REQUIRED, "percent": REQUIRED},
    "percentile": {"value": REQUIRED, "low": REQUIRED, "high": REQUIRED},
    "member of": {"segment": REQUIRED},
    "listed in": {"name": REQUIRED},
    "entered": {"segment": REQUIRED, "window": None},
    "left": {"segment": REQUIRED, "window": None},
    "consents to": {"purpose": REQUIRED},
}
DECIMALS = {
    ("number", "value"),
    ("distance", "latitude"),
    ("distance", "longitude"),
    ("distance", "radius"),
    ("ranked", "percent"),
    ("percentile", "low"),
    ("percentile", "high"),
}
UNITS = {
    "second": 1_000_000,
    "minute": 60 * 1_000_000,
    "hour": 3600 * 1_000_000,
    "day": 24 * 3600 * 1_000_000,
    "week": 7 * 24 * 3600 * 1_000_000,
}


def millionths(number: Fraction) -> Fraction:
    """A number at the door: rounded to millionths, half to even (Python's ``round`` of a Fraction)."""
    return Fraction(round(number * 1_000_000), 1_000_000)


def moment(when: dt.datetime) -> Moment:
    """The instant of an aware datetime."""
    return Moment((when - EPOCH) // MICROSECOND)


def length(duration: Node) -> int:
    """A duration in microseconds."""
    return int(duration.amount) * UNITS[duration.unit]


def decode(document: Any) -> Node:
    """The node of a wire object; wrong kinds and unknown or absent fields raise ValueError."""
    kind = document["node"]
    given = {k: v for k, v in document.items() if k not in ("node", "note")}
    unknown = given.keys() - FIELDS[kind].keys()
    if unknown:
        raise ValueError(f"{kind} has no {sorted(unknown)}")
    fields = {}
    for name, default in FIELDS[kind].items():
        value = given.get(name, default)
        if value is REQUIRED:
            raise ValueError(f"{kind} needs {name}")
        fields[name] = _field(kind, name, value)
    return Node(kind, fields)


def _field(kind: str, name: str, value: Any) -> Any:
    if (kind, name) in DECIMALS:
        return millionths(Fraction(value))
    if (kind, name) == ("date", "value"):
        return dt.date.fromisoformat(value)
    if (kind, name) == ("instant", "value"):
        return moment(dt.datetime.fromisoformat(value))
    if isinstance(value, dict):
        return decode(value)
    if isinstance(value, list | tuple):
        return tuple(decode(v) if isinstance(v, dict) else v for v in value)
    return value
