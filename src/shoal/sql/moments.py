"""Questions at many (customer, instant) pairs: the same plan as a batch, over a table of moments."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from shoal.lang import nodes as n
from shoal.lang.calendar import bounds
from shoal.sql.execute import Run
from shoal.sql.frame import days_ahead
from shoal.sql.values import Rational

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

    from shoal.sql.plan import Plan
    from shoal.sql.terms import Sql
    from shoal.sql.values import Value

NOTHING_AHEAD = (0, 1, 0)
"""A span of dates in which nothing falls: it ends before it begins."""


def ask(plan: Plan, moments: Sequence[tuple[int, int]]) -> dict[str, list[Any]]:
    """All columns of a plan at (customer, instant) pairs, in their order.

    Args:
        plan: a plan whose frame has moments.
        moments: surviving customers, each with an instant not before the frame's start.
    """
    run = Run(plan)
    subjects = plan.frame.subjects
    given = f"{subjects}_given"
    plan.store.register(given, _table(plan, moments))
    try:
        run.create(subjects, f"SELECT g.*, c.id FROM {given} g JOIN customers c ON c.key = g.who")
        found: dict[str, list[Any]] = {}
        for table, columns in run.leaves().items():
            rows = plan.store.arrow(f"SELECT * FROM {table} ORDER BY k")
            found |= {name: rows.column(name).to_pylist() for name in columns}
        return found
    finally:
        run.close()
        plan.store.unregister(given)


def _table(plan: Plan, moments: Sequence[tuple[int, int]]) -> pa.Table:
    import pyarrow as pa

    columns: dict[str, Any] = {
        "k": pa.array(range(len(moments)), pa.int32()),
        "who": pa.array([who for who, _ in moments], pa.int32()),
        "t": pa.array([t for _, t in moments], pa.int64()),
    }
    instants = [t for _, t in moments]
    for index, node in enumerate(plan.frame.windows):
        columns |= _spans(f"w{index}", node, instants, plan) if isinstance(node, n.Anniversary) else {}
        if isinstance(node, n.This | n.LastCalendar):
            columns |= _bounds(f"w{index}", node, instants, plan)
    return pa.table(columns)


def _bounds(name: str, window: n.Window, instants: list[int], plan: Plan) -> dict[str, Any]:
    import pyarrow as pa

    ends = {t: bounds(window, t, plan.frame.zone) for t in set(instants)}
    low = pa.array([ends[t][0] for t in instants], pa.int64())
    return {f"{name}_low": low, f"{name}_high": pa.array([ends[t][1] for t in instants], pa.int64())}


def _spans(name: str, node: n.Anniversary, instants: list[int], plan: Plan) -> dict[str, Any]:
    import pyarrow as pa

    found = {}
    for t in set(instants):
        spans = days_ahead(plan.frame.zone.day(t), node.days)
        found[t] = ([*spans, NOTHING_AHEAD])[:2]
    columns = {}
    for i in range(2):
        for part, label in enumerate(("year", "first", "last")):
            columns[f"{name}_{label}{i}"] = pa.array([found[t][i][part] for t in instants], pa.int32())
    return columns


class Column:
    """A value among a plan's columns."""

    def __init__(self, plan: Plan, value: Value) -> None:
        self._value = value
        self._parts = [plan.output(part) for part in _parts(value)]

    def read(self, columns: dict[str, list[Any]], row: int) -> Any:
        """The value of a row: a ``Fraction`` for numbers, else as the store has it; None is missing."""
        parts = [columns[name][row] for name in self._parts]
        if any(part is None for part in parts):
            return None
        if not isinstance(self._value, Rational):
            return parts[0]
        num = int(parts[0]) if self._value.num is not None else 1
        return self._value.factor * Fraction(num, int(parts[1]) if self._value.den is not None else 1)


def _parts(value: Value) -> list[Sql]:
    if isinstance(value, Rational):
        return [part for part in (value.num, value.den) if part is not None]
    return [value.sql]
