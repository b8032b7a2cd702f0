"""Sequences as relations: which events end a chain so far, and for which first events no answer came.

Each step keeps the events that some chain ends in. Of the candidates for the step before an event, the latest before it
is always as good as any other (it is the most likely to be in time, and the least likely to have another event in
between), so one nearest-match join a step is enough.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from shoal.sql import terms as s
from shoal.sql.aggregates import in_window
from shoal.sql.emit.registry import condition
from shoal.sql.plan import Plan, Provider, refused
from shoal.sql.rows import EventRows
from shoal.sql.scopes import InFilter
from shoal.sql.values import Rational

if TYPE_CHECKING:
    from sqlglot import exp

    from shoal.lang import nodes as n
    from shoal.sql.terms import Sql


class Chain(Provider):
    """Whether a sequence holds: a row for each ``k`` for which it does, with ``hit``."""

    def __init__(self, plan: Plan, name: str, node: n.Sequence) -> None:
        super().__init__(name)
        self.plan = plan
        steps = node.steps
        keys = [step.same for step in steps]
        ends = _events(plan, self, node.first, (), keys[0], node.window)
        for index, step in enumerate(steps):
            ahead = keys[index + 1] if index + 1 < len(steps) else ()
            if step.absent:
                if step is not steps[-1] or step.without is not None:
                    raise refused('"then not" before the last step, or with "without"', "Make it the last step.")
                ends = self._unanswered(ends, step)
            else:
                ends = self._followed(ends, step, ahead)
        hits = s.select([s.column("k", "z"), s.named(s.true(), "hit")], s.sub(ends, "z"))
        self._built = hits.distinct(copy=False)

    def query(self) -> exp.Select:
        """The chains that hold."""
        return self._built

    def _followed(self, ends: exp.Select, step: n.Step, ahead: tuple[str, ...]) -> exp.Select:
        """The events of this step that follow an end so far."""
        events = _events(self.plan, self, step.events, step.same, ahead)
        columns = [s.column(name, "b") for name in _handed_on(self.plan, ahead)]
        query = s.joins(s.select(columns, s.sub(events, "b")), s.sub(ends, "a"), _after("b", "a", step), as_of=True)
        conditions: list[Sql | None] = []
        if step.within is not None:
            latest = s.joined("+", s.column("ts", "a"), s.integer(step.within.micros))
            conditions.append(s.compared(s.column("ts", "b"), "<=", latest))
        if step.without is not None:
            between = _events(self.plan, self, step.without, (), ())
            on = s.all_of([_same_k("x", "b"), s.compared(s.column("ts", "b"), ">", s.column("ts", "x"))])
            query = s.joins(query, s.sub(between, "x"), on, left=True, as_of=True)
            none = [s.is_null(s.column("ts", "x")), s.compared(s.column("ts", "x"), "<=", s.column("ts", "a"))]
            conditions.append(s.any_of(none))
        where = s.all_of(conditions)
        return query if where == s.true() else query.where(where, copy=False)

    def _unanswered(self, ends: exp.Select, step: n.Step) -> exp.Select:
        """The ends whose deadline has passed without an answer."""
        if step.within is None:
            raise refused('"then not" without "within"', "Say within how long.")
        events = _events(self.plan, self, step.events, step.same, ())
        order = s.compared(s.column("ts", "a"), "<", s.column("ts", "b"))
        on = s.all_of([_same_k("a", "b"), *_same_keys(step), order])
        query = s.joins(s.select([s.column("k", "a")], s.sub(ends, "a")), s.sub(events, "b"), on, left=True, as_of=True)
        deadline = s.joined("+", s.column("ts", "a"), s.integer(step.within.micros))
        none = [s.is_null(s.column("ts", "b")), s.compared(s.column("ts", "b"), ">", deadline)]
        return query.where(s.all_of([s.compared(deadline, "<=", self.plan.frame.t("a")), s.any_of(none)]), copy=False)


class NotAfter(Provider):
    """Some A in the window with no B in the ``within`` before it."""

    def __init__(self, plan: Plan, name: str, node: n.NotAfter) -> None:
        super().__init__(name)
        events = _events(plan, self, node.events, (), (), node.window)
        before = _events(plan, self, node.before, (), ())
        on = s.all_of([_same_k("a", "b"), s.compared(s.column("ts", "a"), ">", s.column("ts", "b"))])
        chosen = s.select([s.column("k", "a"), s.named(s.true(), "hit")], s.sub(events, "a"))
        query = s.joins(chosen, s.sub(before, "b"), on, left=True, as_of=True)
        since = s.joined("-", s.column("ts", "a"), s.integer(node.within.micros))
        none = [s.is_null(s.column("ts", "b")), s.compared(s.column("ts", "b"), "<", since)]
        self._built = query.where(s.any_of(none), copy=False).distinct(copy=False)

    def query(self) -> exp.Select:
        """Those for whom there is such an A."""
        return self._built


def _events(
    plan: Plan,
    provider: Provider,
    events: n.Events,
    back: tuple[str, ...],
    ahead: tuple[str, ...],
    window: n.Window | None = None,
) -> exp.Select:
    """The matching events as ``k``, ``ts``, the values ``b0…`` to compare with the step before, ``a0…`` for the next."""
    rows = EventRows(plan, events, provider)
    where = None if events.where is None else condition(events.where, InFilter(plan, rows))
    columns: list[Sql] = [s.column(name, "r") for name in _handed_on(plan, ())]
    for letter, names in (("b", back), ("a", ahead)):
        for index, name in enumerate(names):
            value = rows.property(name)
            sql = value.num if isinstance(value, Rational) else value.sql
            assert sql is not None
            columns.append(s.named(sql, f"{letter}{index}"))
    return rows.query(columns, s.all_of([where, in_window(plan, window)]))


def _handed_on(plan: Plan, ahead: tuple[str, ...]) -> list[str]:
    time = ["t"] if plan.frame.moments else []
    return ["k", *time, "ts", *(f"a{i}" for i in range(len(ahead)))]


def _same_k(one: str, other: str) -> Sql:
    return s.compared(s.column("k", one), "=", s.column("k", other))


def _same_keys(step: n.Step) -> list[Sql]:
    """``with same``: known and equal; a missing value equals nothing."""
    return [s.compared(s.column(f"a{i}", "a"), "=", s.column(f"b{i}", "b")) for i in range(len(step.same))]


def _after(later: str, earlier: str, step: n.Step) -> Sql:
    order = s.compared(s.column("ts", later), ">", s.column("ts", earlier))
    return s.all_of([_same_k(earlier, later), *_same_keys(step), order])
