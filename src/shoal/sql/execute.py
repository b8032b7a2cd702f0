"""Runs a plan: providers into temporary tables, leaves in stages that join a few providers at a time.

A provider is made just before the first stage that reads it and dropped after the last, so that not everything is in
memory at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from shoal.sql import terms as s

if TYPE_CHECKING:
    from shoal.sql.plan import Plan, Provider
    from shoal.sql.terms import Sql

AT_ONCE = 12
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
        self.tables: dict[str, list[str]] = {}

    def leaves(self) -> dict[str, list[str]]:
        """Work all leaves out; the tables with ``k`` and a column per leaf, and those leaves."""
        stages = stages_of(self._plan)
        order = [provider.name for provider in self._plan.in_order()]
        by_name = {provider.name: provider for provider in self._plan.providers.values()}
        wanted = [self._with_needs(stage.providers, by_name) for stage in stages]
        for index, stage in enumerate(stages):
            for name in order:
                if name in wanted[index]:
                    self.make(by_name[name])
            self._stage(f"{self._plan.prefix}_l{index}", stage, by_name)
            later = set().union(*wanted[index + 1 :])
            for name in wanted[index] - later:
                self._drop(self._plan.table_of(by_name[name]))
        return self.tables

    def make(self, provider: Provider) -> None:
        """Run a provider's query into its table, once."""
        table = self._plan.table_of(provider)
        if table not in self._made:
            self.create(table, s.sql_of(provider.query(), self._plan.store))

    def create(self, table: str, query: str) -> None:
        """Make a temporary table of a query."""
        self._plan.store.execute(f"CREATE TEMP TABLE {table} AS {query}")
        self._made[table] = None

    def _with_needs(self, names: set[str], by_name: dict[str, Provider]) -> set[str]:
        found: set[str] = set()
        waiting = sorted(names)
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting += by_name[name].needs
        return found

    def _stage(self, table: str, stage: Stage, by_name: dict[str, Provider]) -> None:
        columns = [s.named(leaf, name) for name, leaf in stage.leaves]
        query = s.select([s.column("k", "m"), *columns], s.table(self._plan.frame.subjects, "m"))
        for name in sorted(stage.providers, key=_number):
            on = s.compared(s.column("k", name), "=", s.column("k", "m"))
            query = s.joins(query, s.table(self._plan.table_of(by_name[name]), name), on, left=True)
        self.create(table, s.sql_of(query, self._plan.store))
        self.tables[table] = [name for name, _ in stage.leaves]

    def _drop(self, table: str) -> None:
        if table in self._made:
            self._plan.store.execute(f"DROP TABLE IF EXISTS {table}")
            del self._made[table]

    def close(self) -> None:
        """Drop what is left."""
        for table in list(self._made):
            self._drop(table)
