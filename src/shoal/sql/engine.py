"""The SQL engine: all segments together, at any instant, and why and until when for one customer.

``as of`` reads today's knowledge of an instant; ``as known at`` only what had been received by then, with the merges of
then.
"""

from __future__ import annotations

from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING

from sqlglot import exp

from shoal.sql import terms as s
from shoal.sql.execute import Run
from shoal.sql.explain import Explanation, Parts, Words
from shoal.sql.facts import Facts
from shoal.sql.frame import Frame
from shoal.sql.lookups import Lookups
from shoal.sql.plan import Plan
from shoal.sql.refresh import refresh
from shoal.sql.registry import Registry
from shoal.sql.subjects import existing, merged_table, survivors
from shoal.sql.trees import segment, with_dependencies
from shoal.sql.until import look_ahead

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    import pyarrow as pa

    from shoal.lang.nodes import Definition, Node
    from shoal.lang.schema import Schema
    from shoal.sql.explain import Part
    from shoal.sql.store import Store
    from shoal.sql.trees import Segment
    from shoal.sql.until import Answer

__all__ = ["Evaluation", "Explanation", "SqlEngine"]

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
        with self._asking(at, known_at) as (plan, run):
            run.create(plan.frame.subjects, self._customers(plan))
            segments = [segment(plan, definition) for definition in ordered.values()]
            query = _memberships(plan, segments, run.leaves())
            table = f"{plan.prefix}_result"
            self.store.execute(f"CREATE TEMP TABLE {table} AS {s.sql_of(query, self.store)}")
        return Evaluation(self.store, at, known_at, table, {slug: plan.segments[slug] for slug in definitions})

    def refresh_thresholds(self, definitions: Mapping[str, Definition], at: int, received: int) -> int:
        """Work out the thresholds of all ranks in the definitions and record them.

        Args:
            definitions: by slug; what they are members of counts too.
            at: the instant whose values are ranked, and from which on the thresholds hold.
            received: when they became known.

        Returns:
            How many thresholds were recorded; none for a value that nobody has.
        """
        ordered = with_dependencies(definitions, self.schema)
        with self._asking(at, None) as (plan, run):
            run.create(plan.frame.subjects, self._customers(plan))
            return refresh(plan, run, ordered.values(), received)

    def why(self, definition: Definition, customer_key: int, at: int, *, known_at: int | None = None) -> Explanation:
        """Why a customer is in a segment or not: the tree as it was written, with truths, values and until when.

        Args:
            definition: the segment.
            customer_key: the customer's key; of a merged-away customer, the surviving one answers.
            at: the instant.
            known_at: read only what had been received by then.
        """
        ordered = with_dependencies({definition.slug: definition}, self.schema)
        with self._asking(at, known_at, moments=True) as (plan, _):
            gone = survivors(self.store, known_at)
            who = gone.get(customer_key, customer_key)
            parts = Parts(plan, ordered)
            top = parts.of_definition(definition)
            answers = self._ahead(plan, Facts(plan, [who], gone), [top], list(parts.leaves), whole=False)[who]
            words = Words(plan, self.schema, who, at)
            words.prepare(parts.leaves)
            return words.explain(top, {part: (answer.now, answer.until) for part, answer in answers.items()})

    def until(
        self, definitions: Mapping[str, Definition], customers: Iterable[int], at: int, *, known_at: int | None = None
    ) -> dict[str, dict[int, int | None]]:
        """The earliest instant after ``at`` at which each membership would change if nothing more were received.

        Args:
            definitions: by slug.
            customers: keys of surviving customers.
            at: the instant.
            known_at: read only what had been received by then.

        Returns:
            By slug and customer; None is never.
        """
        ordered = with_dependencies(definitions, self.schema)
        with self._asking(at, known_at, moments=True) as (plan, _):
            parts = Parts(plan, ordered)
            tops = {slug: parts.of_definition(ordered[slug]) for slug in definitions}
            facts = Facts(plan, customers, survivors(self.store, known_at))
            found = self._ahead(plan, facts, list(tops.values()), list(parts.leaves), whole=True)
            return {slug: {who: answers[id(top)].until for who, answers in found.items()} for slug, top in tops.items()}

    def _ahead(
        self, plan: Plan, facts: Facts, tops: list[Part], leaves: list[Node], *, whole: bool
    ) -> dict[int, dict[int, Answer]]:
        first_seen = facts.first_seen(existing(plan.registry, plan.frame.merged, plan.frame.known_at))
        return look_ahead(plan, facts, tops, leaves, first_seen, whole)

    @contextmanager
    def _asking(self, at: int, known_at: int | None, *, moments: bool = False) -> Iterator[tuple[Plan, Run]]:
        """A plan and its run; all that they made is gone afterwards."""
        plan = self._plan(f"shoal_{next(_NUMBERS)}", at, known_at, moments)
        run = Run(plan)
        try:
            yield plan, run
        finally:
            self._clear(plan, run)

    def _plan(self, prefix: str, at: int, known_at: int | None, moments: bool) -> Plan:
        merged = merged_table(self.store, f"{prefix}_merged", known_at)
        frame = Frame(f"{prefix}_subjects", at, self.schema.zone, known_at, merged, moments)
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
