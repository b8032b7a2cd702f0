"""The plan of one question: which leaves its definitions have, and which queries provide what the leaves read.

A *provider* is a query of a column ``k`` and others, run once into a temporary table. Equal leaves, equal aggregates
and equal providers are worked out once, whatever the number of definitions. A row that isn't there leaves NULLs, which
are missing.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from shoal.errors import Unsupported
from shoal.sql import terms as s

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from sqlglot import exp

    from shoal.lang.schema import Schema
    from shoal.sql.frame import Frame
    from shoal.sql.lookups import Lookups
    from shoal.sql.registry import Registry
    from shoal.sql.store import Store
    from shoal.sql.terms import Sql
    from shoal.sql.thresholds import Threshold


class Provider:
    """A query that provides columns by ``k``; ``name`` is its alias and, with the plan's prefix, its table."""

    def __init__(self, name: str, query: Callable[[], exp.Select] | None = None) -> None:
        self.name = name
        self.of_few_values = False
        """Whether all rests on a column ``value`` with far fewer values than rows, as a trait of text mostly is."""
        self.needs: dict[str, Provider] = {}
        self._query = query

    def column(self, name: str) -> exp.Column:
        """One of its columns, for a leaf."""
        return s.column(name, self.name)

    def query(self) -> exp.Select:
        """The query, when all that asks it has been emitted."""
        if self._query is None:
            raise NotImplementedError
        return self._query()


@dataclass
class Plan:
    """Everything that one question needs of the store.

    Args:
        store: the workspace's store.
        schema: types and names.
        registry: where events and traits stand in the store.
        frame: for whom and when.
        lookups: what is worked out once per distinct value outside the engine.
        prefix: begins the names of all temporary tables.
    """

    store: Store
    schema: Schema
    registry: Registry
    frame: Frame
    lookups: Lookups
    prefix: str
    providers: dict[Hashable, Provider] = field(default_factory=dict)
    leaves: dict[Hashable, tuple[str, Sql]] = field(default_factory=dict)
    made: int = 0
    copies: int = 0
    segments: dict[str, str] = field(default_factory=dict)
    memo: dict[Any, Any] = field(default_factory=dict)
    assumed: dict[tuple[str, str], list[Threshold]] = field(default_factory=dict)
    """Thresholds by value and rank for where none is recorded yet."""

    def provider(self, key: Hashable, make: Callable[[str], Provider]) -> Provider:
        """The provider of this key, made at the first asking."""
        found = self.providers.get(key)
        if found is None:
            # Making one may make others that it needs, so names are counted, not the providers.
            self.made += 1
            found = self.providers[key] = make(f"q{self.made}")
        return found

    def named(self, name: str) -> Provider:
        """The provider of a name."""
        return next(provider for provider in self.providers.values() if provider.name == name)

    def table_of(self, provider: Provider) -> str:
        """The temporary table that holds the provider's rows."""
        return f"{self.prefix}_{provider.name}"

    def leaf(self, key: Hashable, condition: Sql) -> str:
        """The name of the column that holds a condition's truth; equal keys share one."""
        return self.output(s.settled(condition), key)

    def output(self, value: Sql, key: Hashable = None) -> str:
        """The name of the column that holds a value; equal keys share one, by default equal values."""
        key = value.sql(dialect=self.store.dialect, copy=False) if key is None else key
        if key not in self.leaves:
            self.leaves[key] = (f"l{len(self.leaves)}", value)
        return self.leaves[key][0]

    def anew(self) -> Plan:
        """A plan of nothing yet over the same store and knowledge; it shares only what was looked up."""
        self.copies += 1
        prefix = f"{self.prefix}_{self.copies}"
        frame = replace(self.frame, subjects=f"{prefix}_subjects", windows=[])
        return Plan(self.store, self.schema, self.registry, frame, self.lookups, prefix)

    def in_order(self) -> list[Provider]:
        """All providers, each after those that it needs."""
        done: dict[str, Provider] = {}

        def visit(provider: Provider) -> None:
            if provider.name not in done:
                for other in provider.needs.values():
                    visit(other)
                done[provider.name] = provider

        for provider in list(self.providers.values()):
            visit(provider)
        return list(done.values())


def refused(what: str, fix: str) -> Unsupported:
    """The refusal of something that SQL doesn't do here."""
    return Unsupported(f"The SQL engine can't evaluate {what}.", fix=fix)
