"""All segments of all customers at one instant: leaves as bits of the providers' rows, memberships as bits of the result.

Writing a column of booleans costs more than working it out, so truths are packed: each provider keeps, beside its key, one
integer for up to 62 of the leaves that read nothing else. Customers without a row there have the truths of missing values,
which the provider works out in the same query on a row of NULLs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlglot import exp

from shoal.sql import terms as s

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from shoal.sql.execute import Run, Stage
    from shoal.sql.plan import Plan, Provider
    from shoal.sql.terms import Sql
    from shoal.sql.trees import Segment

BITS = 62
"""Truths in one BIGINT."""


def packed(truths: Iterable[Sql], prefix: str) -> list[exp.Alias]:
    """Truths (never NULL) as the bits of integers ``<prefix>0``, ``<prefix>1`` …"""
    words: list[list[Sql]] = []
    for index, truth in enumerate(truths):
        if index % BITS == 0:
            words.append([])
        words[-1].append(s.when(truth, s.integer(1 << index % BITS), s.integer(0)))
    return [s.named(s.cast(_summed(word), "BIGINT"), f"{prefix}{number}") for number, word in enumerate(words)]


def _summed(parts: list[Sql]) -> Sql:
    """Halved again and again, so that the sum doesn't nest deep."""
    if len(parts) == 1:
        return parts[0]
    middle = len(parts) // 2
    return s.joined("+", _summed(parts[:middle]), _summed(parts[middle:]))


def unpacked(word: Sql, index: int) -> Sql:
    """The truth in a bit of its word."""
    bit = s.integer(1 << index % BITS)
    return s.compared(exp.Paren(this=exp.BitwiseAnd(this=word, expression=bit)), "!=", s.integer(0))


class Packed:
    """The leaves of a plan, those of one provider packed into its table.

    Args:
        plan: a plan of a batch whose leaves are complete.
        run: makes the tables.
    """

    def __init__(self, plan: Plan, run: Run) -> None:
        self._plan = plan
        self._run = run
        known = {provider.name for provider in plan.providers.values()}
        self._local: dict[str, list[str]] = {}
        self._kept: dict[str, set[str]] = {}
        self._defaults: dict[str, list[int]] = {}
        for name, leaf in plan.leaves.values():
            tables = s.tables_in(leaf)
            if len(tables) == 1 and tables <= known:
                self._local.setdefault(tables.pop(), []).append(name)
            else:
                for column in leaf.find_all(exp.Column):
                    self._kept.setdefault(column.table, set()).add(column.name)
        needed = {name for provider in plan.providers.values() for name in provider.needs}
        self._needed = needed

    def make(self, provider: Provider) -> None:
        """Run a provider's query into its table: the packed leaves, and the columns that others read."""
        table, plan = self._plan.table_of(provider), self._plan
        if self._run.has(table):
            return
        leaves = self._local.get(provider.name, [])
        query = provider.query()
        if leaves:
            truths = {name: leaf for name, leaf in plan.leaves.values() if name in set(leaves)}
            words = packed([truths[name] for name in leaves], "w")
            query = s.select([*self._columns(provider), *words], s.sub(_with_nobody(query), provider.name))
        self._run.create(table, s.sql_of(query, plan.store))
        if leaves:
            names = ", ".join(f"w{number}" for number in range(len(words)))
            self._defaults[provider.name] = list(plan.store.rows(f"SELECT {names} FROM {table} WHERE k IS NULL")[0])

    def _columns(self, provider: Provider) -> list[Sql]:
        if provider.name in self._needed:
            return [exp.Star()]
        return [s.column("k"), *(s.column(name) for name in sorted(self._kept.get(provider.name, set()) - {"k"}))]

    def leaf(self, name: str, leaf: Sql) -> Sql:
        """A leaf's truth, read from its provider's bits where it is packed; never NULL."""
        tables = s.tables_in(leaf)
        (only,) = tables if len(tables) == 1 else ("",)
        local = self._local.get(only, [])
        if name not in local:
            return leaf
        index = local.index(name)
        number = index // BITS
        word = s.coalesce(s.column(f"w{number}", only), s.integer(self._defaults[only][number]))
        return unpacked(word, index)

    def stage(self, stage: Stage) -> exp.Select:
        """A stage's leaves by ``k``."""
        leaves = [s.named(self.leaf(name, leaf), name) for name, leaf in stage.leaves]
        return self._run.joined(stage, leaves)


def _with_nobody(query: exp.Select) -> exp.Query:
    """The query's rows and one of NULLs, for those who have none."""
    nobody = exp.Select(expressions=[s.named(s.null(), "k")])
    return exp.Union(this=query, expression=nobody, distinct=False, by_name=True)


def memberships(plan: Plan, run: Run, segments: list[Segment], name: str) -> dict[str, str]:
    """Make the packed result table, and over it the view ``name`` with a BOOLEAN a segment.

    Returns:
        The view's column of each slug.
    """
    bits = Packed(plan, run)
    query = _with_segments(plan, segments, run.staged(bits.make, bits.stage))
    truths = [s.column(plan.segments[each.slug], "d") for each in segments]
    table = f"{name}_bits"
    final = s.select([s.named(s.column("k", "d"), "customer"), *packed(truths, "w")], s.sub(query, "d"))
    plan.store.execute(f"CREATE TEMP TABLE {table} AS {s.sql_of(final, plan.store)}")
    columns: dict[str, Sql] = {
        plan.segments[each.slug]: unpacked(s.column(f"w{index // BITS}"), index) for index, each in enumerate(segments)
    }
    view = s.select([s.column("customer"), *(s.named(truth, c) for c, truth in columns.items())], s.table(table))
    plan.store.execute(f"CREATE TEMP VIEW {name} AS {s.sql_of(view, plan.store)}")
    return dict(plan.segments)


def _with_segments(plan: Plan, segments: list[Segment], leaves: exp.Select) -> exp.Select:
    """The leaves with the segments; a segment that others need stands in a query below theirs."""
    query = leaves
    for level in levels(segments):
        truths = [s.named(each.truth, plan.segments[each.slug]) for each in level]
        query = s.select([exp.Star(), *truths], s.sub(query, "d"))
    return query


def levels(segments: Iterable[Segment]) -> list[list[Segment]]:
    """The segments in levels, each needing only those of the levels before."""
    level_of: dict[str, int] = {}
    found: list[list[Segment]] = []
    for each in segments:
        level = level_of[each.slug] = 1 + max((level_of[slug] for slug in each.needs), default=-1)
        if level == len(found):
            found.append([])
        found[level].append(each)
    return found


def packed_stages(plan: Plan, stages: Mapping[str, list[str]]) -> exp.Select:
    """The leaves of several packed stage tables, unpacked, by ``k``."""
    query = s.select([s.column("k", "m")], s.table(plan.frame.subjects, "m"))
    for index, (table, leaves) in enumerate(stages.items()):
        alias = f"x{index}"
        on = s.compared(s.column("k", alias), "=", s.column("k", "m"))
        bits = [s.named(unpacked(s.column(f"w{i // BITS}", alias), i), leaf) for i, leaf in enumerate(leaves)]
        query = s.joins(query, s.table(table, alias), on).select(*bits, copy=False)
    return query
