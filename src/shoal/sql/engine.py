"""The SQL engine: all segments together, at any instant, and why and until when for one customer.

``as of`` reads today's knowledge of an instant; ``as known at`` only what had been received by then, with the merges of
then.
"""

from __future__ import annotations

from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING

from shoal.errors import UnknownName
from shoal.lang.nodes import Bucket
from shoal.lang.tree import walk
from shoal.sql.batch import memberships
from shoal.sql.columns import UNITS, columns, hold_units
from shoal.sql.dialects import require
from shoal.sql.execute import Run
from shoal.sql.explain import Explanation, Parts, Words
from shoal.sql.facts import Facts
from shoal.sql.frame import Frame
from shoal.sql.lookups import Lookups
from shoal.sql.measured import measured
from shoal.sql.occurrences import days, occurrences
from shoal.sql.plan import Plan
from shoal.sql.refresh import measure, refresh
from shoal.sql.registry import Registry
from shoal.sql.subjects import existing, merged_table, survivors
from shoal.sql.thresholds import Threshold
from shoal.sql.trees import members_named, segment, with_dependencies
from shoal.sql.until import look_ahead

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import pyarrow as pa

    from shoal.lang.nodes import Definition, Events, Node
    from shoal.lang.schema import Schema
    from shoal.sql.explain import Part
    from shoal.sql.registry import EventType
    from shoal.sql.store import Store
    from shoal.sql.until import Answer

__all__ = ["Evaluation", "Explanation", "SqlEngine"]

_NUMBERS = count()


class Evaluation:
    """Who was in which segment: a temporary view of the store until ``close``.

    Args:
        store: where the view is.
        at: the instant.
        known_at: what was known, or None for all.
        table: the view's name: ``customer`` (the key) and one BOOLEAN a segment.
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
        counts = ", ".join(f'count(*) FILTER (WHERE "{column}")' for column in self.columns.values())
        sizes = self._store.rows(f"SELECT {counts} FROM {self.table}")[0]
        return {slug: int(size) for slug, size in zip(self.columns, sizes, strict=True)}

    def members(self, slug: str) -> pa.Table:
        """The members of a segment: ``key`` and ``id``, ordered by id."""
        return self._store.arrow(
            f"SELECT c.key, c.id FROM {self.table} e JOIN customers c ON c.key = e.customer "
            f'WHERE e."{self.columns[slug]}" ORDER BY c.id'
        )

    def close(self) -> None:
        """Drop it."""
        self._store.execute(f"DROP VIEW IF EXISTS {self.table}")
        self._store.execute(f"DROP TABLE IF EXISTS {self.table}_bits")


class SqlEngine:
    """Evaluates the whole language as SQL over a workspace's store.

    Args:
        store: the workspace's store; its connection holds the temporary tables.
        schema: types and names, with the definitions that ``member of`` may name.
        derived: events that were worked out from others, by name, in temporary tables of the store's connection.

    Raises:
        Unsupported: if the store's database is one that the emitters don't know.
    """

    def __init__(self, store: Store, schema: Schema, derived: Mapping[str, EventType] | None = None) -> None:
        require(store)
        self.store = store
        self.schema = schema
        self.derived = derived or {}

    def evaluate(
        self,
        definitions: Mapping[str, Definition],
        at: int,
        *,
        known_at: int | None = None,
        drafts: bool = False,
    ) -> Evaluation:
        """Who is in which segment, all of them in one go.

        Args:
            definitions: by slug; what they are members of is looked up here, then in the schema.
            at: the instant.
            known_at: read only what had been received by then, with the merges in force then.
            drafts: the definitions aren't saved yet: a rank that has no threshold by then is held against the one of
                that instant, which isn't recorded.

        Raises:
            DefinitionError: if segments refer to each other in a circle.
            UnknownName: if a segment is named that isn't there.
            Unsupported: if SQL can't evaluate a node.
        """
        ordered = with_dependencies(definitions, self.schema)
        assumed = self._assumed(ordered.values(), at, known_at) if drafts else {}
        with self._asking(at, known_at) as (plan, run):
            plan.assumed.update(assumed)
            drawn = any(isinstance(at, Bucket) for each in ordered.values() for at in walk(each.where))
            run.create(plan.frame.subjects, self._customers(plan, ids=drawn))
            segments = [segment(plan, definition) for definition in ordered.values()]
            table = f"{plan.prefix}_result"
            columns = memberships(plan, run, segments, table)
        return Evaluation(self.store, at, known_at, table, {slug: columns[slug] for slug in definitions})

    def _assumed(
        self, definitions: Iterable[Definition], at: int, known_at: int | None
    ) -> dict[tuple[str, str], list[Threshold]]:
        """What the thresholds of all ranks would be if they were refreshed at an instant."""
        with self._asking(at, known_at) as (plan, run):
            run.create(plan.frame.subjects, self._customers(plan, ids=False))
            found = measure(plan, run, definitions)
        return {(one.value, one.rank): [Threshold(one.num, one.den, at)] for one in found}

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
            run.create(plan.frame.subjects, self._customers(plan, ids=False))
            return refresh(plan, run, ordered.values(), received)

    def values(self, values: Mapping[str, Node], at: int) -> pa.Table:
        """What each customer's values are at an instant, as a definition would compare them.

        Args:
            values: nodes of values by name, as ``parse_value`` of an aggregate gives them.
            at: the instant.

        Returns:
            Ordered by ``k``, the customer's key, and a column a name; see ``sql.measured``.

        Raises:
            Unsupported: if SQL can't evaluate a node.
        """
        with self._asking(at, None) as (plan, run):
            run.create(plan.frame.subjects, self._customers(plan, ids=False))
            return measured(plan, run, values)

    @contextmanager
    def columns(
        self, nodes: Mapping[str, Node], at: int, *, units: str | None = None, kept: tuple[str, ...] = ()
    ) -> Iterator[str]:
        """What each customer, or each unit, has of some values and conditions, as a temporary view.

        Args:
            nodes: values and conditions, by the column that each gets.
            at: the instant; of units, the earliest of theirs.
            units: a relation of ``sql.columns.UNITS``, each row with an instant ``t`` of its own, and with ``Begun`` as its
                own window, from ``begin`` to ``t``.
            kept: further columns of the units, which the view has too.

        Yields:
            The name of the table, which is gone afterwards: ``k``, the customer's key or the unit's number, and a column a
            node, numbers as DOUBLE, truths as BOOLEAN; NULL is missing.

        Raises:
            Unsupported: SQL can't evaluate a node, or not for units.
        """
        named = [slug for node in nodes.values() for slug in members_named(node)]
        needed = with_dependencies({slug: self._segment(slug) for slug in named}, self.schema)
        every = [*nodes.values(), *(one.where for one in needed.values())]
        drawn = any(isinstance(part, Bucket) for node in every for part in walk(node))
        if units is not None:
            hold_units(every)
        with self._asking(at, None, moments=units is not None) as (plan, run):
            if units is not None:
                ((plan.frame.begins,),) = self.store.rows(f"SELECT min(begin) FROM {units}")
                plan.frame.kept = kept
            run.create(
                plan.frame.subjects, self._units(units, drawn, kept) if units else self._customers(plan, ids=drawn)
            )
            table = f"{plan.prefix}_columns"
            columns(plan, run, nodes, needed.values(), table)
            try:
                yield table
            finally:
                self.store.execute(f"DROP VIEW IF EXISTS {table}")

    @contextmanager
    def occurrences(
        self, events: Sequence[Events], at: int, properties: Sequence[str | None] = ()
    ) -> Iterator[list[str]]:
        """When each customer did what some nodes ask for, as temporary tables that are gone afterwards.

        Args:
            events: each with its filter; equal ones share a table.
            at: the instant up to which.
            properties: of each node, a property whose value is told too.

        Yields:
            A table a node: ``k``, the customer's key, ``ts``, once for each instant, and ``v`` (of several events of one
            instant the least).

        Raises:
            Unsupported: SQL can't evaluate a filter.
        """
        told = [*properties, *[None] * (len(events) - len(properties))]
        with self._looking(events, at) as (plan, run):
            yield occurrences(plan, run, list(zip(events, told, strict=True)))

    @contextmanager
    def days(self, events: Sequence[Events], at: int) -> Iterator[list[str]]:
        """On which local dates each customer did what some nodes ask for; see ``occurrences``.

        Yields:
            A table a node: ``k``, the customer's key, and ``day``, in days since 1970, once for each date.

        Raises:
            Unsupported: SQL can't evaluate a filter.
        """
        with self._looking(events, at) as (plan, run):
            yield days(plan, run, events)

    @contextmanager
    def _looking(self, events: Sequence[Events], at: int) -> Iterator[tuple[Plan, Run]]:
        drawn = any(isinstance(part, Bucket) for one in events for part in walk(one))
        with self._asking(at, None) as (plan, run):
            run.create(plan.frame.subjects, self._customers(plan, ids=drawn))
            yield plan, run

    def _segment(self, slug: str) -> Definition:
        if slug not in self.schema.segments:
            raise UnknownName("segment", slug, self.schema.segments)
        return self.schema.segments[slug]

    @staticmethod
    def _units(units: str, ids: bool, kept: tuple[str, ...]) -> str:
        shown = ", ".join(f"u.{name}" for name in dict.fromkeys((*UNITS, *kept)))
        if not ids:
            return f"SELECT {shown} FROM {units} u"
        return f"SELECT {shown}, c.id FROM {units} u JOIN customers c ON c.key = u.who"

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
        registry = Registry.load(self.store).beside(self.derived)
        return Plan(self.store, self.schema, registry, frame, lookups, prefix)

    def _customers(self, plan: Plan, *, ids: bool) -> str:
        """The customers that exist; their ids are texts, so they are carried only where a ``bucket`` asks for them."""
        frame = plan.frame
        there = (
            f"SELECT * FROM ({existing(plan.registry, frame.merged, frame.known_at)}) WHERE first_ts <= {frame.start}"
        )
        if not ids:
            return f"SELECT k FROM ({there}) f"
        return f"SELECT f.k, c.id FROM ({there}) f JOIN customers c ON c.key = f.k"

    def _clear(self, plan: Plan, run: Run) -> None:
        run.close()
        plan.lookups.close()
        if plan.frame.merged is not None:
            self.store.unregister(plan.frame.merged)
