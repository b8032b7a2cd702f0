"""The SQL engine: all segments together, at any instant, and why and until when for one customer.

``as of`` reads today's knowledge of an instant; ``as known at`` only what had been received by then, with the merges of
then.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from sqlglot import exp

from shoal.sql import terms as s
from shoal.sql.execute import Run
from shoal.sql.frame import Frame
from shoal.sql.lookups import Lookups
from shoal.sql.plan import Plan
from shoal.sql.registry import Registry
from shoal.sql.subjects import existing, merged_table
from shoal.sql.trees import segment, with_dependencies

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pyarrow as pa

    from shoal.lang.nodes import Definition
    from shoal.lang.schema import Schema
    from shoal.sql.store import Store
    from shoal.sql.trees import Segment

_NUMBERS = count()


class Evaluation:
    """Who was in which segment: a temporary table of the store until ``close``.

    Args:
        store: where the table is.
        at: the instant.
        known_at: what was known, or None for all.
        table: the table's name: ``customer`` (the key) and one BOOLEAN a segment.
        columns: the column of each slug.
    """

    def __init__(self, store: Store, at: int, known_at: int | None, table: str, columns: dict[str, str]) -> None:
        self._store = store
        self.at = at
        self.known_at = known_at
        self.table = table
        self.columns = columns

    def base(self) -> int:
        """How many customers existed."""
        return int(self._store.rows(f"SELECT count(*) FROM {self.table}")[0][0])

    def sizes(self) -> dict[str, int]:
        """How many customers are in each segment."""
        if not self.columns:
            return {}
        counts = ", ".join(f'count(CASE WHEN "{column}" THEN 1 END)' for column in self.columns.values())
        return dict(zip(self.columns, self._store.rows(f"SELECT {counts} FROM {self.table}")[0], strict=True))

    def members(self, slug: str) -> pa.Table:
        """The members of a segment: ``key`` and ``id``, ordered by id."""
        return self._store.arrow(
            f"SELECT c.key, c.id FROM {self.table} e JOIN customers c ON c.key = e.customer "
            f'WHERE e."{self.columns[slug]}" ORDER BY c.id'
        )

    def close(self) -> None:
        """Drop the table."""
        self._store.execute(f"DROP TABLE IF EXISTS {self.table}")


class SqlEngine:
    """Evaluates the whole language as SQL over a workspace's store.

    Args:
        store: the workspace's store; its connection holds the temporary tables.
        schema: types and names, with the definitions that ``member of`` may name.
    """

    def __init__(self, store: Store, schema: Schema) -> None:
        self.store = store
        self.schema = schema

    def evaluate(self, definitions: Mapping[str, Definition], at: int, *, known_at: int | None = None) -> Evaluation:
        """Who is in which segment, all of them in one go.

        Args:
            definitions: by slug; what they are members of is looked up here, then in the schema.
            at: the instant.
            known_at: read only what had been received by then, with the merges in force then.

        Raises:
            DefinitionError: if segments refer to each other in a circle.
            UnknownName: if a segment is named that isn't there.
            Unsupported: if SQL can't evaluate a node.
        """
        ordered = with_dependencies(definitions, self.schema)
        prefix = f"shoal_{next(_NUMBERS)}"
        table = f"{prefix}_result"
        plan = self._plan(prefix, at, known_at)
        run = Run(plan)
        try:
            run.create(plan.frame.subjects, self._customers(plan))
            segments = [segment(plan, definition) for definition in ordered.values()]
            query = _memberships(plan, segments, run.leaves())
            self.store.execute(f"CREATE TEMP TABLE {table} AS {s.sql_of(query, self.store)}")
        finally:
            self._clear(plan, run)
        return Evaluation(self.store, at, known_at, table, {slug: plan.segments[slug] for slug in definitions})

    def _plan(self, prefix: str, at: int, known_at: int | None) -> Plan:
        merged = merged_table(self.store, f"{prefix}_merged", known_at)
        frame = Frame(f"{prefix}_subjects", at, self.schema.zone, known_at, merged)
        lookups = Lookups(self.store, prefix)
        return Plan(self.store, self.schema, Registry.load(self.store), frame, lookups, prefix)

    def _customers(self, plan: Plan) -> str:
        frame = plan.frame
        there = existing(plan.registry, frame.merged, frame.known_at)
        return (
            f"SELECT f.k, f.k AS who, c.id FROM ({there}) f JOIN customers c ON c.key = f.k "
            f"WHERE f.first_ts <= {frame.start}"
        )

    def _clear(self, plan: Plan, run: Run) -> None:
        run.close()
        plan.lookups.close()
        if plan.frame.merged is not None:
            self.store.unregister(plan.frame.merged)


def _memberships(plan: Plan, segments: list[Segment], tables: dict[str, list[str]]) -> exp.Select:
    """One query over the leaves; a segment that others need stands in a query below theirs."""
    query = s.select([s.named(s.column("k", "m"), "k")], s.table(plan.frame.subjects, "m"))
    for index, (table, leaves) in enumerate(tables.items()):
        alias = f"x{index}"
        on = s.compared(s.column("k", alias), "=", s.column("k", "m"))
        query = s.joins(query, s.table(table, alias), on).select(*(s.column(leaf, alias) for leaf in leaves))
    for level in _levels(segments):
        truths = [s.named(each.truth, plan.segments[each.slug]) for each in level]
        query = s.select([exp.Star(), *truths], s.sub(query, "d"))
    columns = [s.column(plan.segments[each.slug]) for each in segments]
    return s.select([s.named(s.column("k", "d"), "customer"), *columns], s.sub(query, "d"))


def _levels(segments: list[Segment]) -> list[list[Segment]]:
    """The segments in levels, each needing only those of the levels before."""
    level_of: dict[str, int] = {}
    for each in segments:
        level_of[each.slug] = 1 + max((level_of[slug] for slug in each.needs), default=-1)
    levels: list[list[Segment]] = [[] for _ in range(1 + max(level_of.values(), default=-1))]
    for each in segments:
        levels[level_of[each.slug]].append(each)
    return levels
