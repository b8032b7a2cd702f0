"""Scores of models in the log: a command names customers and the values of some traits, which change from then on.

A fit takes minutes beside the server, and its scores come as many small entries, so that calls go between them: nothing is
paused, and memberships follow each entry as they follow an event.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from shoal.customers.physical import arrow_kind
from shoal.customers.scores import NOBODY, Scores
from shoal.insight.feeding import OF_KIND
from shoal.insight.models.writing import stored
from shoal.lang.schema import Kind
from shoal.sql.registry import Registry
from shoal.sql.store import registered

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Mapping, Sequence

    import pyarrow as pa

    from shoal.customers.learning import Types
    from shoal.insight.models.model import Score
    from shoal.live.engine import Engine
    from shoal.sql.store import Store

Row = dict[int, Any]
"""By the place of a trait, its value."""
VALUES = 1_000
"""So many values of scores make an entry."""
AT_ONCE = 50_000
"""So many customers are compared with the store at a time."""


class Column(NamedTuple):
    """A trait that scores are written to: its name, its type, and how it is computed, for people."""

    name: str
    kind: str
    says: str


class Scored(NamedTuple):
    """Scores of some customers.

    Args:
        by: who says so; see ``customers.scores``.
        at: the instant that they hold from.
        note: is kept with each trait.
        columns: the traits.
        customers: ids.
        rows: for each customer, by the place of a trait, its new value in the stored form (millionths, days since 1970,
            texts); None clears it. All that a customer gets at once stands in one row, so that no segment sees a half.
    """

    by: str
    at: int
    note: dict[str, Any]
    columns: list[Column]
    customers: list[str]
    rows: list[Row]

    @classmethod
    def of(cls, body: Mapping[str, Any]) -> Scored:
        """The scores of a command's body."""
        columns = [Column(*one) for one in body["columns"]]
        return cls(body["by"], body["at"], dict(body["note"]), columns, list(body["customers"]), list(body["rows"]))

    def body(self) -> dict[str, Any]:
        """For a command."""
        return {
            "by": self.by,
            "at": self.at,
            "note": self.note,
            "columns": [list(one) for one in self.columns],
            "customers": self.customers,
            "rows": self.rows,
        }

    def fitting(self, types: Types, scores: Container[str]) -> Scored:
        """Without the traits that are of another type by now, or that data have brought since they were worked out."""
        kept = [i for i, one in enumerate(self.columns) if _is_ours(one, types, scores)]
        if len(kept) == len(self.columns):
            return self
        place = {old: new for new, old in enumerate(kept)}
        rows = [{place[i]: value for i, value in row.items() if i in place} for row in self.rows]
        return self._replace(columns=[self.columns[i] for i in kept], rows=rows)

    def among(self, engine: Engine) -> Scored:
        """Without customers who aren't there: who was erased since they were scored must not come into the log again."""
        known = engine.state.people.known
        there = [i for i, customer in enumerate(self.customers) if known(customer) is not None]
        if len(there) == len(self.customers):
            return self
        return self._replace(customers=[self.customers[i] for i in there], rows=[self.rows[i] for i in there])

    def table(self, place: int) -> pa.Table:
        """Ids and values of a trait, in the stored form."""
        import pyarrow as pa

        found = [
            (customer, row[place]) for customer, row in zip(self.customers, self.rows, strict=True) if place in row
        ]
        values = pa.array([value for _, value in found], arrow_kind(Kind(self.columns[place].kind)))
        return pa.table({"id": pa.array([customer for customer, _ in found], pa.string()), "value": values})


def _is_ours(column: Column, types: Types, scores: Container[str]) -> bool:
    known = types.traits.get(column.name)
    return known is None or (known == column.kind and column.name in scores)


def take(scored: Scored, engine: Engine, position: int) -> None:
    """Let scores take effect in the engine, of traits that a definition asks for; the others are read when one does.

    Args:
        scored: the scores.
        engine: where.
        position: of their entry in the log. It orders scores of one instant as the lines do that the store gives them, so
            that both choose the same one where two customers become one.
    """
    people, state = engine.state.people, engine.state
    held = {}
    for place, column in enumerate(scored.columns):
        if column.name in state.traits and column.name not in state.unread_traits:
            held[place] = (column.name, OF_KIND[Kind(column.kind)])
        else:
            state.unread_traits.add(column.name)
    for nth, (customer, row) in enumerate(zip(scored.customers, scored.rows, strict=True)):
        # Who was erased since they were scored must not come back by it.
        if not held or people.known(customer) is None:
            continue
        mid = _message_id(position, nth)
        for place, value in row.items():
            if place in held:
                name, form = held[place]
                engine.add_trait(customer, name, None if value is None else form(value), scored.at, mid)


def _message_id(position: int, nth: int) -> str:
    """Stands for a score's line in the store, which isn't known yet: later entries after earlier, and after what is stored.

    Sixteen hexadecimal digits, which the engine packs into eight bytes.
    """
    return f"{0xF << 60 | position << 16 | nth:016x}"


def prepare(store: Store, batch: Sequence[Scored]) -> None:
    """Make the traits of scores that are new, before what else came in the batch is written and learns their names."""
    names = {column.name: Kind(column.kind) for scored in batch for column in scored.columns}
    if names:
        registry = Registry.load(store)
        for name, kind in names.items():
            if registry.trait(name) is None:
                registry.ensure_trait(name, kind, score=True)


def write(store: Store, batch: Sequence[Scored], received: int) -> None:
    """Write scores that took effect, inside a transaction of the caller: an insert a trait and instant."""
    groups: dict[tuple[str, int, str], list[pa.Table]] = {}
    notes: dict[tuple[str, int, str], tuple[Column, Mapping[str, Any]]] = {}
    for scored in batch:
        for place, column in enumerate(scored.columns):
            table = scored.table(place)
            if len(table):
                key = (scored.by, scored.at, column.name)
                groups.setdefault(key, []).append(table)
                notes[key] = (column, scored.note)
    for (by, at), keys in _by_writer(groups).items():
        writer = Scores(store, at, received, by=by)
        for key in keys:
            column, note = notes[key]
            # What data have brought of this name meanwhile stays theirs.
            if writer.refusal(column.name, Kind(column.kind)) is None:
                _append(store, writer, groups[key], column, note)
        writer.finish(clear=False)


def _by_writer(keys: Iterable[tuple[str, int, str]]) -> dict[tuple[str, int], list[tuple[str, int, str]]]:
    found: dict[tuple[str, int], list[tuple[str, int, str]]] = {}
    for key in keys:
        found.setdefault(key[:2], []).append(key)
    return found


def _append(store: Store, writer: Scores, tables: list[pa.Table], column: Column, note: Mapping[str, Any]) -> None:
    import pyarrow as pa

    taken = pa.concat_tables(tables)
    with registered(store, "scores_taken", taken.append_column("nth", pa.array(np.arange(len(taken))))) as name:
        rows = f"SELECT c.key AS owner, s.value, s.nth FROM {name} s JOIN customers c ON c.id = s.id"
        writer.append(column.name, Kind(column.kind), rows, column.says, note)


@dataclass(frozen=True, slots=True)
class Changed:
    """What scores change, worked out some customers at a time: of a million with four scores little is in memory at once.

    Args:
        store: with all that the server has acknowledged.
        by: who says so.
        writer: compares.
        at: the instant that the scores hold from.
        note: is kept with each trait.
        whole: the scores speak for all customers; else only for their owners.
        columns: the traits.
        scores: for each of them its values; None for one that isn't worked out any more, and is cleared.
        skipped: by trait, why it isn't written.
    """

    store: Store
    by: str
    writer: Scores
    at: int
    note: Mapping[str, Any]
    whole: bool
    columns: list[Column]
    scores: list[Score | None]
    skipped: dict[str, str]

    def pieces(self) -> Iterator[Scored]:
        """Entries of about ``VALUES`` values, by the customers' keys; all that a customer gets stands in one of them.

        Who was erased meanwhile is left out.
        """
        size = max(1, VALUES // max(1, len(self.columns)))
        for begin, end in self._ranges():
            tables = [
                self._compared(column, score, begin, end)
                for column, score in zip(self.columns, self.scores, strict=True)
            ]
            keys = [np.asarray(table["owner"]) for table in tables]
            owners = _union(keys)
            ids = self._ids(owners)
            there = owners[np.isin(owners, np.array(list(ids), dtype=np.int32))]
            for first in range(0, len(there), size):
                some = there[first : first + size]
                customers = [ids[owner] for owner in some.tolist()]
                yield Scored(self.by, self.at, dict(self.note), self.columns, customers, _rows(some, keys, tables))

    def _ranges(self) -> Iterator[tuple[int, int]]:
        """Ranges of keys, without their ends, in which some ``AT_ONCE`` customers are."""
        if self.whole or None in self.scores:
            ((least, most),) = self.store.rows("SELECT coalesce(min(key), 0), coalesce(max(key), -1) FROM customers")
            starts = list(range(least, most + 1, AT_ONCE))
        else:
            owners = _union(
                np.sort(np.asarray(score.owners, dtype=np.int32)) for score in self.scores if score is not None
            )
            starts, most = owners[::AT_ONCE].tolist(), int(owners[-1]) if len(owners) else -1
        yield from pairwise([*starts, most + 1])

    def _compared(self, column: Column, score: Score | None, begin: int, end: int) -> pa.Table:
        """Owner and value, a row a change, sorted by owner; of the customers in a range of keys."""
        everyone = f"range({begin:d}, {end:d}) asked(owner)"
        if score is None:
            return self.writer.changes(column.name, NOBODY, whole=True, among=everyone).sort_by("owner")
        with registered(self.store, "scores_to_compare", stored(_within(score, begin, end))) as name:
            values, among = f"SELECT owner, value FROM {name}", everyone if self.whole else name
            return self.writer.changes(column.name, values, whole=self.whole, among=among).sort_by("owner")

    def _ids(self, owners: np.ndarray[Any, Any]) -> dict[int, str]:
        import pyarrow as pa

        if not len(owners):
            return {}
        with registered(self.store, "scored_owners", pa.table({"key": pa.array(owners, pa.int32())})) as name:
            found = self.store.arrow(
                f"SELECT key, id FROM customers SEMI JOIN {name} USING (key) "
                f"WHERE key BETWEEN {int(owners[0])} AND {int(owners[-1])}"
            )
        return dict(zip(found["key"].to_pylist(), found["id"].to_pylist(), strict=True))


def _within(score: Score, begin: int, end: int) -> Score:
    """The values of owners in a range of keys."""
    owners = np.asarray(score.owners)
    inside = np.flatnonzero((owners >= begin) & (owners < end))
    values = score.values
    picked = values[inside] if isinstance(values, np.ndarray) else [values[i] for i in inside.tolist()]
    return replace(score, owners=owners[inside], values=picked)


def _rows(owners: np.ndarray[Any, Any], keys: list[np.ndarray[Any, Any]], tables: list[pa.Table]) -> list[Row]:
    """The values of some owners; ``keys`` are those of the tables."""
    rows: list[Row] = [{} for _ in owners]
    place_of = {owner: i for i, owner in enumerate(owners.tolist())}
    for place, (table, mine) in enumerate(zip(tables, keys, strict=True)):
        begin, end = np.searchsorted(mine, owners[0]), np.searchsorted(mine, owners[-1], side="right")
        values = table["value"][begin:end].to_pylist()
        for owner, value in zip(mine[begin:end].tolist(), values, strict=True):
            if owner in place_of:
                rows[place_of[owner]][place] = value
    return rows


def _union(keys: Iterable[np.ndarray[Any, Any]]) -> np.ndarray[Any, Any]:
    """All keys of sorted arrays once, sorted; numpy's own way goes by a hash table, which costs more time and memory."""
    found = np.zeros(0, dtype=np.int32)
    for mine in keys:
        if not np.array_equal(found, mine):
            both = np.sort(np.concatenate([found, mine]), kind="stable")
            found = both[np.diff(both, prepend=np.int32(-1)) > 0]
    return found


def changed(
    store: Store,
    by: str,
    scores: Sequence[Score],
    at: int,
    note: Mapping[str, Any],
    *,
    whole: bool = True,
    complete: bool = True,
) -> Changed:
    """What scores change against what the store has at an instant: only customers for whom a value is another.

    Args:
        store: with all that the server has acknowledged.
        by: who says so.
        scores: the columns.
        at: the instant that they hold from.
        note: is kept with each trait.
        whole: the columns speak for all customers; else only for their owners.
        complete: they are all that the writer says, so that its other traits are cleared.
    """
    writer = Scores(store, at, at, by=by)
    skipped = {s.name: refusal for s in scores if (refusal := writer.refusal(s.name, s.kind)) is not None}
    kept: list[Score | None] = [s for s in scores if s.name not in skipped]
    columns = [Column(s.name, s.kind.value, s.says) for s in kept if s is not None]
    gone = writer.left_over({c.name for c in columns}) if complete else []
    columns += [Column(trait.name, trait.kind.value, "It isn't worked out any more.") for trait in gone]
    return Changed(store, by, writer, at, note, whole, columns, [*kept, *([None] * len(gone))], skipped)
