"""Scores of models in the log: a command names customers and the values of some traits, which change from then on.

A fit takes minutes beside the server, and its scores come as many small entries, so that calls go between them: nothing is
paused, and memberships follow each entry as they follow an event.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

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

VALUES = 1_000
"""So many values of scores make an entry."""


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
    rows: list[dict[int, Any]]

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


def take(scored: Scored, engine: Engine) -> None:
    """Let scores take effect in the engine, of traits that a definition asks for; the others are read when one does."""
    people, state = engine.state.people, engine.state
    held = {}
    for place, column in enumerate(scored.columns):
        if column.name in state.traits and column.name not in state.unread_traits:
            held[place] = (column.name, OF_KIND[Kind(column.kind)])
        else:
            state.unread_traits.add(column.name)
    for customer, row in zip(scored.customers, scored.rows, strict=True):
        # Who was erased since they were scored must not come back by it.
        if not held or people.known(customer) is None:
            continue
        for place, value in row.items():
            if place in held:
                name, form = held[place]
                engine.add_trait(customer, name, None if value is None else form(value), scored.at, "")


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

    with registered(store, "scores_taken", pa.concat_tables(tables)) as name:
        rows = f"SELECT c.key AS owner, s.value FROM {name} s JOIN customers c ON c.id = s.id"
        writer.append(column.name, Kind(column.kind), rows, column.says, note)


def pieces(scored: Scored) -> Iterator[Scored]:
    """The same scores in pieces of about ``VALUES`` values."""
    size = max(1, VALUES // max(1, len(scored.columns)))
    for begin in range(0, len(scored.customers), size):
        end = begin + size
        yield scored._replace(customers=scored.customers[begin:end], rows=scored.rows[begin:end])


def changed(
    store: Store,
    by: str,
    scores: Sequence[Score],
    at: int,
    note: Mapping[str, Any],
    *,
    whole: bool = True,
    complete: bool = True,
) -> tuple[Scored, dict[str, str]]:
    """What scores change against what the store has at an instant: only customers for whom a value is another.

    Args:
        store: with all that the server has acknowledged.
        by: who says so.
        scores: the columns.
        at: the instant that they hold from.
        note: is kept with each trait.
        whole: the columns speak for all customers; else only for their owners.
        complete: they are all that the writer says, so that its other traits are cleared.

    Returns:
        The changes; and by trait, why it isn't written.
    """
    writer = Scores(store, at, at, by=by)
    skipped = {s.name: refusal for s in scores if (refusal := writer.refusal(s.name, s.kind)) is not None}
    kept = [s for s in scores if s.name not in skipped]
    columns = [Column(s.name, s.kind.value, s.says) for s in kept]
    by_owner: dict[int, dict[int, Any]] = {}
    for place, score in enumerate(kept):
        with registered(store, "scores_to_compare", stored(score)) as name:
            found = writer.changes(
                score.name, f"SELECT owner, value FROM {name}", whole=whole, among=None if whole else name
            )
        _put(by_owner, place, found)
    for trait in writer.left_over({s.name for s in kept}) if complete else ():
        columns.append(Column(trait.name, trait.kind.value, "It isn't worked out any more."))
        _put(by_owner, len(columns) - 1, writer.changes(trait.name, NOBODY, whole=True))
    ids = _ids(store, by_owner)
    owners = [owner for owner in sorted(by_owner) if owner in ids]
    scored = Scored(by, at, dict(note), columns, [ids[o] for o in owners], [by_owner[o] for o in owners])
    return scored, skipped


def _put(by_owner: dict[int, dict[int, Any]], place: int, found: pa.Table) -> None:
    for owner, value in zip(found["owner"].to_pylist(), found["value"].to_pylist(), strict=True):
        by_owner.setdefault(owner, {})[place] = value


def _ids(store: Store, owners: Iterable[int]) -> dict[int, str]:
    import pyarrow as pa

    with registered(store, "scored_owners", pa.table({"key": pa.array(list(owners), pa.int32())})) as name:
        found = store.arrow(f"SELECT key, id FROM customers SEMI JOIN {name} USING (key)")
    return dict(zip(found["key"].to_pylist(), found["id"].to_pylist(), strict=True))
