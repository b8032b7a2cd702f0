"""Values and conditions as the columns of a table: numbers as DOUBLE, truths as BOOLEAN, all else in stored form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.lang import nodes as n
from shoal.lang.parse_values import is_condition
from shoal.sql import terms as s
from shoal.sql.batch import with_segments
from shoal.sql.emit.registry import value
from shoal.sql.frame import Begun, Preceding
from shoal.sql.measured import column
from shoal.sql.plan import refused
from shoal.sql.scopes import Scope
from shoal.sql.trees import segment, tree

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from shoal.lang.nodes import Definition, Node
    from shoal.sql.execute import Run
    from shoal.sql.plan import Plan

UNITS = ("k", "who", "begin", "t")
"""Columns of a relation of units: a number a row, the surviving customer's key, and the first and last instant looked at."""


def columns(plan: Plan, run: Run, nodes: Mapping[str, Node], segments: Iterable[Definition], table: str) -> None:
    """Make a temporary view of what each of those asked about has of some values and conditions.

    Args:
        plan: of one instant, or of moments.
        run: runs it; the plan's subjects are there already.
        nodes: values and conditions, by the column that each gets.
        segments: those that conditions are members of, each after what it needs.
        table: its name. Columns: ``k``, and one a node; NULL is missing, a truth never is.
    """
    ordered = [segment(plan, definition) for definition in segments]
    scope = Scope(plan)
    shown = {name: _sql(plan, scope, node) for name, node in nodes.items()}
    tables = run.leaves()
    # A table of leaves has a row for everybody who is asked about: the first one stands for them.
    first = next(iter(tables), plan.frame.subjects)
    kept = plan.frame.kept
    query = s.select([s.column("k", "m"), *(s.column(name, "m") for name in kept)], s.table(first, "m"))
    for index, (leaves, names) in enumerate(tables.items()):
        alias = "m" if leaves == first else f"x{index}"
        if leaves != first:
            query = s.joins(query, s.table(leaves, alias), s.compared(s.column("k", alias), "=", s.column("k", "m")))
        query = query.select(*(s.column(name, alias) for name in names), copy=False)
    inner = s.sql_of(with_segments(plan, run, ordered, query), plan.store)
    taken = "".join(f', {sql} AS "{name}"' for name, sql in shown.items())
    plan.store.execute(f"CREATE TEMP VIEW {table} AS SELECT {', '.join(['k', *kept])}{taken} FROM ({inner}) d")


def _sql(plan: Plan, scope: Scope, node: Node) -> str:
    if is_condition(node):
        return str(tree(plan, node).sql(dialect=plan.store.dialect))
    return column(plan, value(node, scope))


def hold_units(nodes: Iterable[Node]) -> None:
    """Refuse what can't be asked of units that each have an instant of their own.

    Raises:
        Unsupported: a calendar window or an anniversary: their bounds would have to be worked out for each unit.
    """
    from shoal.lang.tree import walk

    for node in nodes:
        for at in walk(node):
            if isinstance(at, n.This | n.LastCalendar | n.Anniversary):
                raise refused(
                    "a calendar window of units that each have their own time",
                    "Write a sliding window, as in last 30 days, or none: the unit's own time.",
                )


__all__ = ["UNITS", "Begun", "Preceding", "columns", "hold_units"]
