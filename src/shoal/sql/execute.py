"""Runs a plan: providers into temporary tables, leaves in stages that join a few providers at a time.

A provider is made just before the first stage that reads it and dropped after the last, so that not everything is in
memory at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shoal.sql import terms as s

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlglot import exp

    from shoal.sql.plan import Plan, Provider
    from shoal.sql.terms import Sql

AT_ONCE = 32
"""Providers that one stage joins; a leaf that needs more has a stage of its own."""


@dataclass
class Stage:
    """Some leaves, and the providers that they read."""

    providers: set[str] = field(default_factory=set)
    leaves: list[tuple[str, Sql]] = field(default_factory=list)


def stages_of(plan: Plan) -> list[Stage]:
    """The leaves in stages, those with the same providers together."""
    known = {provider.name for provider in plan.providers.values()}
    with_providers = [(s.tables_in(leaf) & known, name, leaf) for name, leaf in plan.leaves.values()]
    stages = [Stage()]
    for names, name, leaf in sorted(
        with_providers, key=lambda found: (sorted(found[0], key=_number), _number(found[1]))
    ):
        stage = stages[-1]
        if stage.providers and len(stage.providers | names) > AT_ONCE:
            stage = Stage()
            stages.append(stage)
        stage.providers |= names
        stage.leaves.append((name, leaf))
    return stages


def _number(name: str) -> int:
    return int(name[1:])


class Run:
    """One run of a plan. ``close`` drops all that it made."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._made: dict[str, None] = {}
        self._by_name: dict[str, Provider] = {}

    def leaves(self) -> dict[str, list[str]]:
        """Work all leaves out; the tables with ``k`` and a column per leaf, and those leaves."""
        tables = {}
        for index, stage in enumerate(self._stages(self.make)):
            table = f"{self._plan.prefix}_l{index}"
            query = self.joined(stage, [s.named(leaf, name) for name, leaf in stage.leaves])
            self.create(table, s.sql_of(query, self._plan.store))
            tables[table] = [name for name, _ in stage.leaves]
        return tables

    def staged(self, make: Callable[[Provider], None], query: Callable[[Stage], exp.Select]) -> exp.Select:
        """A query of all leaves by ``k``; where they need several stages, each is packed into a table first.

        Args:
            make: runs a provider's query.
            query: gives a stage's leaves by ``k``.
        """
        from shoal.sql.batch import packed, packed_stages

        plan = self._plan
        single = len(stages_of(plan)) == 1
        tables: dict[str, list[str]] = {}
        for index, stage in enumerate(self._stages(make, keep=single)):
            if single:
                return query(stage)
            table = f"{plan.prefix}_l{index}"
            names = [name for name, _ in stage.leaves]
            words = packed([s.column(name, "d") for name in names], "w")
            self.create(table, s.sql_of(s.select([s.column("k", "d"), *words], s.sub(query(stage), "d")), plan.store))
            tables[table] = names
        return packed_stages(plan, tables)

    def _stages(self, make: Callable[[Provider], None], *, keep: bool = False) -> Iterator[Stage]:
        """Each stage when its providers are made; those that no later one needs are dropped after it."""
        stages = stages_of(self._plan)
        order = self._plan.in_order()
        self._by_name = {provider.name: provider for provider in order}
        wanted = [self._with_needs(stage.providers) for stage in stages]
        for index, stage in enumerate(stages):
            for provider in order:
                if provider.name in wanted[index]:
                    make(provider)
            yield stage
            later = set().union(*wanted[index + 1 :])
            for name in wanted[index] - later if not keep else ():
                self._drop(self._plan.table_of(self._by_name[name]))

    def joined(self, stage: Stage, columns: list[exp.Alias]) -> exp.Select:
        """Columns over a stage's providers, by ``k``."""
        query = s.select([s.column("k", "m"), *columns], s.table(self._plan.frame.subjects, "m"))
        for name in sorted(stage.providers, key=_number):
            on = s.compared(s.column("k", name), "=", s.column("k", "m"))
            query = s.joins(query, s.table(self._plan.table_of(self._by_name[name]), name), on, left=True)
        return query

    def make(self, provider: Provider) -> None:
        """Run a provider's query into its table, once."""
        table = self._plan.table_of(provider)
        if not self.has(table):
            self.create(table, s.sql_of(provider.query(), self._plan.store))

    def has(self, table: str) -> bool:
        """Whether a table was made and is still there."""
        return table in self._made

    def create(self, table: str, query: str) -> None:
        """Make a temporary table of a query."""
        self._plan.store.execute(f"CREATE TEMP TABLE {table} AS {query}")
        self._made[table] = None

    def _with_needs(self, names: set[str]) -> set[str]:
        found: set[str] = set()
        waiting = sorted(names)
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting += self._by_name[name].needs
        return found

    def _drop(self, table: str) -> None:
        if table in self._made:
            self._plan.store.execute(f"DROP TABLE IF EXISTS {table}")
            del self._made[table]

    def close(self) -> None:
        """Drop what is left."""
        for table in list(self._made):
            self._drop(table)
