"""Figures of periods that are over, kept beside the store: worked out again only where something they rest on has changed.

A figure's key is a hash of all that it rests on: the metric's meaning, the period, the segment's definition and those that it
names, and the content of every table that any of these reads. So no way of changing data can be forgotten: rows that
were loaded, retired, erased, retyped or merged make another key. Figures that are broken down aren't kept (their labels are
values of customers), nor those of events that are worked out as of now, as sessions.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from shoal.errors import StoreError
from shoal.insight.definitions import write_atomically
from shoal.lang.files import definition_document
from shoal.lang.references import event_names, references
from shoal.shapes import ACCOUNT_PREFIX
from shoal.sql.layout import meta
from shoal.sql.registry import ACCOUNT, CUSTOMER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from shoal.insight.metrics.definition import Metric
    from shoal.insight.metrics.figures import Question
    from shoal.insight.metrics.periods import Period
    from shoal.insight.models.asof import AsOf
    from shoal.lang.nodes import Definition, Node
    from shoal.lang.references import References
    from shoal.sql.registry import Registry
    from shoal.sql.store import Store

FILE = "figures.json"
FORMAT = 1
"""Another number where the same question has another answer than in the release before."""
MOST = 10_000
"""So many figures are kept; those that were written first make room."""
_ALWAYS = (
    "customers", "accounts", "merges", "consents", "lists", "list_changes", "thresholds", "membership_changes", "event_types",
    "properties", "item_fields", "traits",
)  # fmt: skip
"""Tables that any figure may rest on: who there is, since when, who is one with whom, and which types there are."""

Answer: TypeAlias = tuple[float | None, float | None, float | None, int]
"""Value, low, high and n."""


class Kept:
    """The file of kept figures.

    Args:
        path: the file; where it can't be read it counts as empty.
        store: the workspace's store, whose content is hashed.
    """

    def __init__(self, path: Path, store: Store) -> None:
        self.store = store
        self._path = path
        self._found = _read(path)
        self._new: dict[str, Answer] = {}
        self._erasures = _erasures(store)

    def get(self, key: str | None) -> Answer | None:
        """The figure of a key."""
        return None if key is None else self._new.get(key, self._found.get(key))

    def put(self, key: str, answer: Answer) -> None:
        """Keep a figure; ``save`` writes it."""
        self._new[key] = answer

    def save(self) -> None:
        """Write what is new. What can't be written is worked out again."""
        if not self._new or _erasures(self.store) != self._erasures:
            # Who was erased meanwhile is in these figures still.
            return
        every = {key: one for key, one in self._found.items() if key not in self._new} | self._new
        left = dict(list(every.items())[-MOST:])
        try:
            write_atomically(self._path, json.dumps({"format": FORMAT, "figures": left}))
        except StoreError:
            return
        self._found, self._new = left, {}


def _erasures(store: Store) -> list[tuple[object, ...]]:
    return store.rows("SELECT count(*), max(received) FROM tombstones")


def drop(state: Path) -> None:
    """Remove all kept figures: one of a single customer is that customer's.

    Args:
        state: the folder ``.shoal``.
    """
    for path in state.glob(f"*{FILE}*"):
        path.unlink(missing_ok=True)


def _read(path: Path) -> dict[str, Answer]:
    try:
        held = json.loads(path.read_bytes())
        if held["format"] != FORMAT:
            return {}
        return {str(key): (value, low, high, int(n)) for key, (value, low, high, n) in held["figures"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


# --------------------------------------------------------------------------- what a figure rests on


@dataclass(frozen=True, slots=True)
class _Rest:
    """What a metric or a segment rests on: what it says, with all segments that it names, and tables of its own."""

    says: str
    tables: frozenset[str]


class Grounds:
    """What the figures of a question rest on, hashed: each table once.

    Args:
        store: the workspace's store.
        known: the same as of an instant.
        question: what is asked.
    """

    def __init__(self, store: Store, known: AsOf, question: Question) -> None:
        self._grain = question.grain
        derived = {event.table for event in known.events.values() if event.derived}
        rests = {("metric", one.slug): _rest(known, one.version, one.nodes) for one in question.metrics}
        rests |= {("segment", one.slug): _rest(known, _said(one), [one.where], one) for one in question.segments}
        kept = {key: rest for key, rest in rests.items() if not rest.tables & derived}
        found = marks(store, {*_ALWAYS, *(table for rest in kept.values() for table in rest.tables)})
        told = meta(store)
        purposes = sorted((name, str(basis)) for name, basis in known.schema.purposes.items())
        base = [FORMAT, told["zone"], told["tzdata"], purposes, [found[table] for table in _ALWAYS]]
        self._base = _hash(base)
        self._of = {
            key: _hash([rest.says, *([table, *found[table]] for table in sorted(rest.tables))])
            for key, rest in kept.items()
        }

    def key(self, metric: Metric, period: Period, segment: str | None) -> str | None:
        """The key of a figure; None where it can't be kept."""
        parts = [self._of.get(("metric", metric.slug)), "" if segment is None else self._of.get(("segment", segment))]
        if None in parts:
            return None
        return _hash([self._base, *parts, self._grain, period.begin, period.end])


def _rest(known: AsOf, says: str, subjects: Iterable[Node], definition: Definition | None = None) -> _Rest:
    waiting: list[Node | Definition] = [*subjects, *([] if definition is None else [definition])]
    segments: dict[str, str] = {}
    tables: set[str] = set()
    if definition is not None and definition.slug in known.schema.segments:
        # A segment is evaluated as it is defined now, also where it is asked for as it was.
        waiting.append(known.schema.segments[definition.slug])
        segments[definition.slug] = _said(known.schema.segments[definition.slug])
    while waiting:
        found = references(waiting.pop())
        tables |= _tables(found, known.registry)
        for slug in found.segments - segments.keys():
            named = known.schema.segments.get(slug)
            segments[slug] = "" if named is None else _said(named)
            waiting += [] if named is None else [named]
    return _Rest(json.dumps([says, sorted(segments.items())]), frozenset(tables))


def _said(definition: Definition) -> str:
    return json.dumps(definition_document(definition), sort_keys=True)


def _tables(found: References, registry: Registry) -> set[str]:
    names = {name for written in found.events for name in event_names(written, registry.events)}
    tables = {registry.events[name].table for name in names}
    if found.account:
        # Who is of which account is a trait too.
        return tables | {trait.table for trait in registry.traits.values()}
    keys = {
        (ACCOUNT, t.removeprefix(ACCOUNT_PREFIX)) if t.startswith(ACCOUNT_PREFIX) else (CUSTOMER, t)
        for t in found.traits
    }
    return tables | {registry.traits[key].table for key in keys if key in registry.traits}


def marks(store: Store, tables: Iterable[str]) -> Mapping[str, tuple[int, str]]:
    """For each table how many rows it has and the sum of the hashes of its rows: another one after any change."""
    asked = " UNION ALL ".join(
        f"SELECT '{table}' AS name, count(*) AS rows, CAST(sum(hash(t)) AS VARCHAR) AS mark FROM {table} AS t"
        for table in sorted(tables)
    )
    return {name: (many, mark or "") for name, many, mark in store.rows(asked)}


def _hash(parts: object) -> str:
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


__all__ = ["FILE", "MOST", "Grounds", "Kept", "drop", "marks"]
