"""When each customer did what an ``Events`` node asks for: what funnels are made of."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from shoal.clock import DAY
from shoal.sql import terms as s
from shoal.sql.aggregates import OverEvents
from shoal.sql.rows import ROW
from shoal.sql.values import Rational

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlglot import exp

    from shoal.lang import nodes as n
    from shoal.sql.execute import Run
    from shoal.sql.plan import Plan, Provider


class Occurrences(OverEvents):
    """The instants at which customers did what a node asks for: ``k``, ``ts`` and, where a property is told, ``v``."""

    def __init__(self, plan: Plan, name: str, events: n.Events, told: str | None) -> None:
        super().__init__(plan, name, events)
        columns = [s.column("k", ROW), self.rows.ts]
        if told is None:
            self._built = self.rows.query(columns, self.where).distinct(copy=False)
            return
        found = self.rows.property(told)
        value = found.num if isinstance(found, Rational) else found.sql
        assert value is not None
        query = self.rows.query([*columns, s.named(s.call("min", value), "v")], self.where)
        self._built = query.group_by(*columns, copy=False)

    def query(self) -> exp.Select:
        """The rows, each instant once."""
        return self._built


class Days(OverEvents):
    """The local dates on which customers did what a node asks for: ``k`` and ``day``, in days since 1970."""

    def __init__(self, plan: Plan, name: str, events: n.Events) -> None:
        super().__init__(plan, name, events)
        day = s.named(s.cast(s.floor_div(self.rows.local, DAY), "INTEGER"), "day")
        self._built = self.rows.query([s.column("k", ROW), day], self.where).distinct(copy=False)

    def query(self) -> exp.Select:
        """The rows, each date once."""
        return self._built


def days(plan: Plan, run: Run, wanted: Sequence[n.Events]) -> list[str]:
    """The temporary tables of the local dates of some nodes."""
    return _made(plan, run, [plan.provider(("days", one), partial(_days, plan, one)) for one in wanted])


def _days(plan: Plan, events: n.Events, name: str) -> Days:
    return Days(plan, name, events)


def occurrences(plan: Plan, run: Run, wanted: Sequence[tuple[n.Events, str | None]]) -> list[str]:
    """The temporary tables of some nodes, each with the property that is told of it.

    Args:
        plan: of one instant.
        run: makes the tables; the plan's subjects are there already.
        wanted: nodes, and a property of each or None.
    """
    found = [plan.provider(("occurrences", *one), partial(_occurrences, plan, *one)) for one in wanted]
    return _made(plan, run, found)


def _occurrences(plan: Plan, events: n.Events, told: str | None, name: str) -> Occurrences:
    return Occurrences(plan, name, events, told)


def _made(plan: Plan, run: Run, found: Sequence[Provider]) -> list[str]:
    for provider in plan.in_order():
        run.make(provider)
    return [plan.table_of(provider) for provider in found]
