"""Runs a plan: providers into temporary tables, leaves in stages that join a few providers at a time.

A provider is made just before the first stage that reads it and dropped after the last, so that not everything is in
memory at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shoal.sql import terms as s

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

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


def stages_of(plan: Plan, leaves: Iterable[tuple[str, Sql]]) -> list[Stage]:
    """Leaves in stages, those with the same providers together."""
    known = {provider.name for provider in plan.providers.values()}
    with_providers = [(s.tables_in(leaf) & known, name, leaf) for name, leaf in leaves]
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

    def leaves(self) -> dict[str, list[str]]:
        """Work all leaves out; the tables with ``k`` and a column per leaf, and those leaves."""
        return self._tables(list(self._plan.leaves.values()), self.make)

    def staged(self, leaves: list[tuple[str, Sql]], make: Callable[[Provider], None]) -> exp.Select:
        """A query of some leaves by ``k``.

        Args:
            leaves: names and conditions.
            make: runs a provider's query into its table.
        """
        stages = stages_of(self._plan, leaves)
        if len(stages) == 1:
            self._make_all(stages[0], make)
            return self._joined(stages[0])
        query = s.select([s.column("k", "m")], s.table(self._plan.frame.subjects, "m"))
        for index, (table, names) in enumerate(self._tables(leaves, make).items()):
            alias = f"x{index}"
            on = s.compared(s.column("k", alias), "=", s.column("k", "m"))
            query = s.joins(query, s.table(table, alias), on)
            query = query.select(*(s.column(name, alias) for name in names), copy=False)
        return query

    def _tables(self, leaves: list[tuple[str, Sql]], make: Callable[[Provider], None]) -> dict[str, list[str]]:
        """A table a stage, each made when its providers are; a provider that no later stage reads is dropped."""
        tables: dict[str, list[str]] = {}
        stages = stages_of(self._plan, leaves)
        for index, stage in enumerate(stages):
            self._make_all(stage, make)
            table = f"{self._plan.prefix}_l{index}"
            self.create(table, s.sql_of(self._joined(stage), self._plan.store))
            tables[table] = [name for name, _ in stage.leaves]
            later = self._with_needs(set().union(*(other.providers for other in stages[index + 1 :])))
            for name in self._with_needs(stage.providers) - later:
                self.drop(self._plan.table_of(self._plan.named(name)))
        return tables

    def _make_all(self, stage: Stage, make: Callable[[Provider], None]) -> None:
        wanted = self._with_needs(stage.providers)
        for provider in self._plan.in_order():
            if provider.name in wanted:
                make(provider)

    def _joined(self, stage: Stage) -> exp.Select:
        """A stage's leaves over its providers, by ``k``."""
        columns = [s.named(leaf, name) for name, leaf in stage.leaves]
        kept = [s.column(name, "m") for name in self._plan.frame.kept]
        query = s.select([s.column("k", "m"), *kept, *columns], s.table(self._plan.frame.subjects, "m"))
        for name in sorted(stage.providers, key=_number):
            on = s.compared(s.column("k", name), "=", s.column("k", "m"))
            table = self._plan.table_of(self._plan.named(name))
            query = s.joins(query, s.table(table, name), on, left=True)
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

    def declare(self, table: str, columns: str) -> None:
        """Make an empty temporary table."""
        self._plan.store.execute(f"CREATE TEMP TABLE {table} ({columns})")
        self._made[table] = None

    def _with_needs(self, names: set[str]) -> set[str]:
        found: set[str] = set()
        waiting = sorted(names)
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting += self._plan.named(name).needs
        return found

    def drop(self, table: str) -> None:
        """Drop a table, if it is there."""
        if table in self._made:
            self._plan.store.execute(f"DROP TABLE IF EXISTS {table}")
            del self._made[table]

    def close(self) -> None:
        """Drop what is left."""
        for table in list(self._made):
            self.drop(table)
