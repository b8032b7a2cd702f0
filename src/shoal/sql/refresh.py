"""Working thresholds out: the value at each rank of all who have one, exactly, and recording it."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from sqlglot import exp

from shoal.lang import nodes as n
from shoal.lang.tree import walk
from shoal.sql import terms as s
from shoal.sql.emit.registry import number
from shoal.sql.scopes import Scope
from shoal.sql.thresholds import Measured, position, ranks_of, value_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from shoal.sql.execute import Run
    from shoal.sql.plan import Plan
    from shoal.sql.terms import Sql
    from shoal.sql.values import Rational

_FINE = 10**20
"""Quotients with divisors below 10⁹ differ by more than 10⁻¹⁸, so their first 20 places put them in order."""


def refresh(plan: Plan, run: Run, definitions: Iterable[n.Definition], received: int) -> int:
    """Record the thresholds of all ranks in the definitions, as of the plan's instant; how many."""
    found = measure(plan, run, definitions)
    with plan.store.transaction():
        for one in found:
            row = [one.value, one.rank, one.num, one.den, one.count, plan.frame.start, received]
            plan.store.execute("INSERT INTO thresholds VALUES (?, ?, ?::HUGEINT, ?::HUGEINT, ?, ?, ?)", row)
    return len(found)


def measure(plan: Plan, run: Run, definitions: Iterable[n.Definition]) -> list[Measured]:
    """The thresholds of all ranks in the definitions, as of the plan's instant; none for a value that nobody has."""
    ranks: dict[str, tuple[n.Node, dict[str, None]]] = {}
    for definition in definitions:
        for node in walk(definition.where):
            if isinstance(node, n.Ranked | n.Percentile):
                _, wanted = ranks.setdefault(value_text(node.value), (node.value, {}))
                wanted |= dict.fromkeys(ranks_of(node))
    values = {text: number(node, Scope(plan)) for text, (node, _) in ranks.items()}
    columns = {text: _columns(plan, value) for text, value in values.items()}
    tables = {name: table for table, names in run.leaves().items() for name in names}
    found: list[Measured] = []
    for text, (_, wanted) in ranks.items():
        found += _measured(plan, text, values[text], columns[text], list(wanted), tables)
    return found


def _columns(plan: Plan, value: Rational) -> list[str]:
    return [plan.output(part) for part in (value.num, value.den) if part is not None]


def _measured(
    plan: Plan, text: str, value: Rational, columns: list[str], ranks: list[str], tables: dict[str, str]
) -> Iterator[Measured]:
    store = plan.store
    source = _values(columns, tables)
    known = source.where(s.all_of(s.is_known(s.column(c)) for c in columns), copy=False)
    (count,) = store.rows(f"SELECT count(*) FROM ({s.sql_of(known, store)}) v")[0]
    if not count:
        return
    at = {position(rank, count): rank for rank in ranks}
    found = dict(_at_positions(plan, known, columns, sorted(at)))
    for rank in ranks:
        threshold = found[position(rank, count)] * value.factor
        yield Measured(text, rank, threshold.numerator, threshold.denominator, count)


def _values(columns: list[str], tables: dict[str, str]) -> exp.Select:
    """The value's columns of every customer; they may stand in several tables."""
    first = tables[columns[0]]
    query = s.select([s.column(c) for c in columns], s.table(first, "a"))
    for column in columns[1:]:
        if tables[column] != first:
            query = query.join(s.table(tables[column]), using=["k"], join_type="INNER", copy=False)
    return query


def _at_positions(plan: Plan, known: exp.Select, columns: list[str], wanted: list[int]) -> list[tuple[int, Fraction]]:
    """The values at some positions in ascending order."""
    order = exp.Order(expressions=[exp.Ordered(this=key, nulls_first=False) for key in _order(columns)])
    numbered = s.named(exp.Window(this=s.call("row_number"), order=order), "place")
    ranked = s.select([*(s.column(c) for c in columns), numbered], s.sub(known, "v"))
    chosen = s.select(
        [s.column("place"), *(s.column(c) for c in columns)],
        s.sub(ranked, "r"),
        s.one_of(s.column("place"), [s.integer(place) for place in wanted]),
    )
    rows = plan.store.rows(s.sql_of(chosen, plan.store))
    return [(place, Fraction(int(num), int(den[0]) if den else 1)) for place, num, *den in rows]


def _order(columns: list[str]) -> list[Sql]:
    """What puts the values in ascending order: the number, or of a quotient its whole part and its first places."""
    if len(columns) == 1:
        return [s.column(columns[0])]
    num, den = s.huge(s.column(columns[0])), s.huge(s.column(columns[1]))
    rest = s.joined("%", s.joined("+", s.joined("%", num, den), den), den)
    whole = s.joined("//", s.joined("-", num, rest), den)
    return [whole, s.joined("//", s.joined("*", rest, s.integer(_FINE)), den)]
