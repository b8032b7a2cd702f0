"""Providers over events: one grouped query per filter with all its measures, and queries that group twice."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from sqlglot import exp

from shoal.clock import DAY
from shoal.lang import nodes as n
from shoal.lang.tree import walk
from shoal.sql import terms as s
from shoal.sql.plan import Plan, Provider
from shoal.sql.rows import ROW, EventRows

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from shoal.sql.terms import Sql

RECENT = 64 * DAY
_UP_TO_NOW = (n.Last, n.Since, n.This)


def in_window(plan: Plan, window: n.Window | None, ts: Sql | None = None) -> Sql:
    """Whether a row (whose ts is never after the instant) falls in the window."""
    if window is None:
        return s.true()
    ts = s.column("ts", ROW) if ts is None else ts
    low, high = plan.frame.bounds(window, ROW)
    if isinstance(window, _UP_TO_NOW) and low is not None:
        return s.compared(ts, ">=", low)
    return s.within(ts, low, high)


def earliest(plan: Plan, window: n.Window | None) -> int | None:
    """The instant before which no row is in the window, where that is one for all who are asked about."""
    return None if window is None else plan.frame.earliest(window)


class OverEvents(Provider):
    """What the providers over one ``Events`` node share: the rows, and their filter."""

    def __init__(self, plan: Plan, name: str, events: n.Events) -> None:
        from shoal.sql.emit.registry import condition
        from shoal.sql.scopes import InFilter

        super().__init__(name)
        self.plan = plan
        self.rows = EventRows(plan, events, self)
        self.where = None if events.where is None else condition(events.where, InFilter(plan, self.rows))
        self._low: int | None = None
        self._open = False

    def reach(self, low: int | None) -> None:
        """Say from where on rows matter to a column; None: from the beginning."""
        if low is None:
            self._open = True
        else:
            self._low = low if self._low is None else min(low, self._low)

    def prune(self) -> None:
        """Leave out the rows that matter to no column. The newest few are picked before the window, so they stay."""
        if not self._open and self.rows.events.newest is None:
            self.rows.since(self._low)


class Grouped(OverEvents):
    """``SELECT k, measures FROM the rows GROUP BY k``: the measures of several filters in one query.

    Grouping costs far more than a filter, so filters that look at nothing but a row's own values are asked inside the measures.
    """

    def __init__(self, plan: Plan, name: str, events: n.Events) -> None:
        super().__init__(plan, name, events)
        self._measures: dict[Hashable, tuple[str, Sql]] = {}
        self._filters: dict[n.Node | None, Sql] = {}

    def passing(self, where: n.Node | None) -> Sql:
        """The filter of some measures as SQL; TRUE without one."""
        from shoal.sql.emit.registry import condition
        from shoal.sql.scopes import InFilter

        if where not in self._filters:
            scope = InFilter(self.plan, self.rows)
            self._filters[where] = s.true() if where is None else condition(where, scope)
        return self._filters[where]

    def measure(self, key: Hashable, measure: Sql, low: int | None) -> exp.Column:
        """A column of the provider; equal keys share one.

        Args:
            key: tells measures apart.
            measure: an aggregate over the rows.
            low: the instant before which no row matters to it; None for all rows.
        """
        if key not in self._measures:
            self._measures[key] = (f"c{len(self._measures)}", measure)
        self.reach(low)
        return self.column(self._measures[key][0])

    def query(self) -> exp.Select:
        """The query, when all measures are known. Rows that pass no filter are left out."""
        self.prune()
        key = s.column("k", ROW)
        columns = [s.named(measure, name) for name, measure in self._measures.values()]
        filters = list(self._filters.values())
        some = s.true() if s.true() in filters else s.any_of(filters)
        return self.rows.query([key, *columns], s.all_of([self.where, some])).group_by(key, copy=False)


@dataclass(frozen=True)
class Share:
    """What one filter and window take of a ``Grouped``."""

    provider: Grouped
    where: n.Node | None
    window: n.Window | None
    low: int | None

    @property
    def rows(self) -> EventRows:
        """The rows that are grouped."""
        return self.provider.rows

    def measure(self, function: str, value: Sql, *more: Sql) -> exp.Column:
        """An aggregate of a value over the rows that pass and are in the window."""
        provider = self.provider
        passes = s.all_of([provider.passing(self.where), in_window(provider.plan, self.window)])
        key = (function, _key(value), self.where, self.window)
        return provider.measure(key, s.call(function, s.when(passes, value), *more), self.low)


def share(plan: Plan, events: n.Events, window: n.Window | None, *, whole: bool = False) -> Share:
    """The measures over the events that pass their filter, in a window.

    In a batch, measures of recent windows don't share a query with those of long ones: they would be asked of every row
    that only the long ones need. More classes than these two cost more in grouping than they save.

    Args:
        plan: the plan that is made.
        events: which events.
        window: which time.
        whole: measure all time up to now, but promise that only what is in the window matters.
    """
    low = earliest(plan, window)
    batch = low is not None and events.newest is None and not plan.frame.moments
    recent = batch and plan.frame.start - (low or 0) <= RECENT
    inline = events.where is not None and events.newest is None and _plain(events.where)
    shared = replace(events, where=None) if inline else events
    provider = plan.provider(("events", shared, recent), lambda name: Grouped(plan, name, shared))
    assert isinstance(provider, Grouped)
    return Share(provider, events.where if inline else None, None if whole else window, low)


def _key(value: Sql) -> str:
    """What tells the values of measures apart: columns of the rows and constants."""
    return str(value.name if isinstance(value, exp.Column | exp.Literal) else value.sql(copy=False))


def _plain(where: n.Node) -> bool:
    """Whether a filter looks at nothing but the values of the row itself."""
    return not any(
        isinstance(at, n.Trait | n.AnyItem) or (isinstance(at, n.Match) and (at.ignoring_case or at.op == "matches"))
        for at in walk(where)
    )


class GroupedTwice(OverEvents):
    """Rows are first grouped by (k, value), then by k: distinct values, and the most frequent."""

    def __init__(
        self, plan: Plan, name: str, events: n.Events, value: Callable[[EventRows], Sql], *, many: bool = False
    ) -> None:
        super().__init__(plan, name, events)
        self._value = value(self.rows)
        self._many = many
        self._windows: dict[n.Window | None, tuple[str, Sql]] = {}

    def distinct_in(self, window: n.Window | None) -> exp.Column:
        """How many values occur in the window."""
        if window not in self._windows:
            self._windows[window] = (f"c{len(self._windows)}", in_window(self.plan, window))
        self.reach(earliest(self.plan, window))
        return self.column(self._windows[window][0])

    def query(self) -> exp.Select:
        """The query, when all windows are known."""
        self.prune()
        value = s.call("unnest", self._value) if self._many else self._value
        flags = [s.named(inside, name) for name, inside in self._windows.values()]
        where = s.all_of([self.where, s.is_known(self._value)])
        each = self.rows.query([s.column("k", ROW), s.named(value, "value"), *flags], where)
        names = [name for name, _ in self._windows.values()]
        seen = [s.named(s.call("bool_or", s.column(name, "a")), name) for name in names]
        once = s.select([s.column("k", "a"), s.column("value", "a"), *seen], s.sub(each, "a"))
        once = once.where(s.is_known(s.column("value", "a")), copy=False).group_by(
            s.column("k", "a"), s.column("value", "a"), copy=False
        )
        counts = [s.named(s.call("count", s.when(s.column(name, "b"), s.integer(1))), name) for name in names]
        return s.select([s.column("k", "b"), *counts], s.sub(once, "b")).group_by(s.column("k", "b"), copy=False)


class MostFrequent(OverEvents):
    """The most frequent value in a window: ties go to the latest, then the greatest."""

    def __init__(self, plan: Plan, name: str, events: n.Events, value: str, window: n.Window | None) -> None:
        super().__init__(plan, name, events)
        from shoal.sql.values import Rational

        found = self.rows.property(value)
        self._value = found.num if isinstance(found, Rational) else found.sql
        self._inside = in_window(plan, window)
        self.reach(earliest(plan, window))

    def query(self) -> exp.Select:
        """Count each value, then take the first in the order of count, newest ts, value."""
        assert self._value is not None
        self.prune()
        where = s.all_of([self.where, s.is_known(self._value), self._inside])
        each = self.rows.query([s.column("k", ROW), s.named(self._value, "value"), self.rows.ts], where)
        key = [s.column("k", "a"), s.column("value", "a")]
        counted = [s.named(s.call("count", exp.Star()), "times"), s.named(s.call("max", s.column("ts", "a")), "latest")]
        once = s.select([*key, *counted], s.sub(each, "a")).group_by(*key, copy=False)
        order = s.call("row", s.column("times", "b"), s.column("latest", "b"), s.column("value", "b"))
        most = s.named(s.call("arg_max", s.column("value", "b"), order), "value")
        return s.select([s.column("k", "b"), most], s.sub(once, "b")).group_by(s.column("k", "b"), copy=False)


class InPeriods(OverEvents):
    """In how many of the last m periods at least n events fall."""

    def __init__(self, plan: Plan, name: str, node: n.Regularly) -> None:
        super().__init__(plan, name, node.events)
        self._node = node
        if not plan.frame.moments:
            self.reach(plan.frame.start - node.of_last * node.length.micros + 1)

    def query(self) -> exp.Select:
        """Number each event's period, count the events of each, count the periods with enough."""
        self.prune()
        ago = s.joined("-", self.plan.frame.t(ROW), self.rows.ts)
        period = s.joined("//", ago, s.integer(self._node.length.micros))
        within = s.compared(ago, "<", s.integer(self._node.of_last * self._node.length.micros))
        each = self.rows.query([s.column("k", ROW), s.named(period, "period")], s.all_of([self.where, within]))
        key = [s.column("k", "a"), s.column("period", "a")]
        enough = s.compared(s.call("count", exp.Star()), ">=", s.integer(self._node.times))
        once = s.select(key, s.sub(each, "a")).group_by(*key, copy=False).having(enough, copy=False)
        count = s.named(s.call("count", exp.Star()), "periods")
        return s.select([s.column("k", "b"), count], s.sub(once, "b")).group_by(s.column("k", "b"), copy=False)
