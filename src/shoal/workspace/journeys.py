"""Journeys in an open workspace: funnels, paths, sessions, cohorts, and lifecycle over time."""

from __future__ import annotations

import itertools
import re
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from shoal.clock import SECOND
from shoal.errors import DefinitionError, Refused, ShoalError, UnknownName
from shoal.lang import nodes as n
from shoal.lang.parse import as_step, parse_events
from shoal.shapes import FunnelRule
from shoal.workspace.journeys_told import Funnelled, Grown, Pathed, Retained, Sessions, Span, dated

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from shoal.insight.cohorts import Mode
    from shoal.insight.funnels import Asked as FunnelAsked
    from shoal.insight.models.asof import AsOf
    from shoal.insight.paths import Asked as PathsAsked
    from shoal.insight.paths import Flow
    from shoal.lang.nodes import CalendarUnit
    from shoal.lang.schema import Schema
    from shoal.views.report.funnels import Named
    from shoal.workspace.moments import When
    from shoal.workspace.opening import Workspace

USUAL_DAYS = 90
"""So many days are looked at where nobody says from when on."""
_SHOWN = {"day": 28, "week": 26}
"""So many cohorts of short periods are shown where nobody says from when on."""
_DURATION = re.compile(r"(\d{1,6}) (second|minute|hour|day|week)s?")
_numbers = itertools.count(1)


class Journeys:
    """What customers do one after the other; it is ``workspace.journeys``."""

    def __init__(self, workspace: Workspace) -> None:
        self._ws = workspace

    def funnel(
        self,
        *steps: str,
        within: str | None = None,
        any_order: bool | None = None,
        by: str | None = None,
        segment: str | None = None,
        start: When = None,
        end: When = None,
        as_of: When = None,
        top: int = 5,
    ) -> Funnelled:
        """Of those who took the first step, how many took the next ones; see ``insight.funnels``.

        Args:
            steps: events, as ``Product Viewed`` or ``"Product Viewed" where category = "shoes"``; or the name of a funnel of
                ``funnels:`` in ``shoal.yaml``, which then says what else isn't given here.
            within: the time from the first step to the last, as ``7 days``; 30 days by default.
            any_order: whether steps may be taken in any order; not by default.
            by: tell groups apart by a trait, as ``plan``, or by a property of the first step, as ``channel of "Product Viewed"``.
            segment: only its members at the end of the period, or now.
            start: the first date on which it is entered; 90 days back by default.
            end: the last date; today by default.
            as_of: the instant; now by default.
            top: how many events are told of those who stopped after a step.

        Raises:
            DefinitionError: a step isn't one, or names what isn't there.
            UnknownName: there is no such segment or funnel.
            Refused: the funnel can't be told, as with one step, or nobody entered.
        """
        from shoal.insight.funnels import funnel

        title, rule = self._asked(steps, within, by, any_order)
        with self._door(as_of, rule.steps) as known, ExitStack() as stack:
            span, asked, name = self._funnel(known, rule, (segment, start, end), top, stack)
            told = funnel(known, asked, self._ws.config.sessions)
            return Funnelled(span, rule.within, rule.by or None, name, told, title)

    def came_to(
        self,
        *steps: str,
        step: int,
        stopped: bool = False,
        group: str | None = None,
        within: str | None = None,
        any_order: bool | None = None,
        by: str | None = None,
        segment: str | None = None,
        start: When = None,
        end: When = None,
        as_of: When = None,
    ) -> list[int]:
        """The keys of those who came to a step of a funnel; its own arguments as those of ``funnel``.

        Args:
            steps: of the funnel.
            step: which one, from 1.
            stopped: only those who came no further.
            group: only those of a group of ``by``.
            within: as of ``funnel``.
            any_order: as of ``funnel``.
            by: as of ``funnel``.
            segment: as of ``funnel``.
            start: as of ``funnel``.
            end: as of ``funnel``.
            as_of: the instant; now by default.
        """
        from shoal.insight.funnels import came_to

        _, rule = self._asked(steps, within, by, any_order)
        with self._door(as_of, rule.steps) as known, ExitStack() as stack:
            _, asked, _ = self._funnel(known, rule, (segment, start, end), 0, stack)
            return came_to(known, asked, step, stopped=stopped, group=group)

    def _funnel(
        self, known: AsOf, rule: FunnelRule, who: tuple[str | None, When, When], top: int, stack: ExitStack
    ) -> tuple[Span, FunnelAsked, str | None]:
        """The period, what is asked, and the name of the segment (of ``who``, before the two dates)."""
        from shoal.insight.funnels import Asked

        read = [read_step(step, known.schema) for step in rule.steps]
        span, begin, until = self._span(known, who[1], who[2])
        among, name = self._members(known, who[0], until, stack)
        shown, length = [_shown(one) for one in read], micros(rule.within)
        asked = Asked(read, shown, begin, until, length, not rule.any_order, among, top=top)
        return span, self._grouped(known, asked, rule.by, stack) if rule.by else asked, name

    def newest(self, grain: CalendarUnit, until: int, *, as_of: When = None) -> list[Named]:
        """All funnels that have a name, in the newest month or quarter that is over; of other grains in the last days.

        Args:
            grain: the length of a period.
            until: where the data ends: a period that begins later isn't looked at.
            as_of: the instant; now by default.
        """
        from shoal.insight.metrics.periods import before, period_of
        from shoal.views.report.funnels import Named

        if not self._ws.config.funnels:
            return []
        dates: dict[str, Any] = {}
        whole = grain if grain in ("month", "quarter") else None
        if whole is not None:
            with self._ws.models.as_of(as_of) as known:
                period = period_of(known.zone.day(min(until, known.at - 1)), grain, known.zone, known.at)
                period = period if period.finished else before(period, grain, known.zone)
            dates = {"start": dated(period.first).isoformat(), "end": dated(period.last).isoformat()}
        found = []
        for name in self._ws.config.funnels:
            try:
                told = self.funnel(name, as_of=as_of, **dates)
            except ShoalError as error:
                found.append(Named(name, f"{error.problem} {error.fix or ''}".strip()))
                continue
            found.append(Named(name, told.found, told.within, told.by, told.span.first, told.span.last, whole))
        return found

    def paths(
        self,
        *,
        after: str | None = None,
        before: str | None = None,
        steps: int = 4,
        within: str | None = None,
        events: Sequence[str] = (),
        segment: str | None = None,
        start: When = None,
        end: When = None,
        as_of: When = None,
        top: int = 10,
    ) -> Pathed:
        """What customers did next, or before; see ``insight.paths``.

        Args:
            after: the event that paths start from; each customer's first event by default.
            before: or the event that they lead to.
            steps: how many steps they have beside that one.
            within: for how long they go on, as ``1 day``; until a session would end by default.
            events: the events that are steps, wildcards too; all by default.
            segment: only its members at the end of the period, or now.
            start: the first date of the period; 90 days back by default.
            end: the last date; today by default.
            as_of: the instant; now by default.
            top: how many paths are told.

        Raises:
            DefinitionError: the start or end isn't an event.
            UnknownName: there is no such segment, or no event of a name.
            Refused: both a start and an end, or nobody has a path.
        """
        from shoal.insight.paths import paths

        rule = self._ws.config.sessions
        with self._paths(after, before, steps, within, events, (segment, start, end), as_of, top) as told:
            span, known, asked, name = told
            said = f"within {within}" if within else f"until a break of over {_length(rule.gap)}"
            return Pathed(span, asked.name or None, said, name, paths(known, asked, rule))

    def took(
        self,
        *,
        path: Sequence[str] = (),
        flow: Flow | None = None,
        after: str | None = None,
        before: str | None = None,
        steps: int = 4,
        within: str | None = None,
        events: Sequence[str] = (),
        segment: str | None = None,
        start: When = None,
        end: When = None,
        as_of: When = None,
    ) -> list[int]:
        """The keys of those who took a path, or went from one of its steps to the next; other arguments as of ``paths``.

        Args:
            path: the steps of one.
            flow: or one of ``Paths.flows``.
            after: as of ``paths``.
            before: as of ``paths``.
            steps: as of ``paths``.
            within: as of ``paths``.
            events: as of ``paths``.
            segment: as of ``paths``.
            start: as of ``paths``.
            end: as of ``paths``.
            as_of: the instant; now by default.
        """
        from shoal.insight.paths import took, went

        rule = self._ws.config.sessions
        with self._paths(after, before, steps, within, events, (segment, start, end), as_of, 1) as (
            _,
            known,
            asked,
            _n,
        ):
            return took(known, asked, rule, path) if flow is None else went(known, asked, rule, flow)

    @contextmanager
    def _paths(
        self,
        after: str | None,
        before: str | None,
        steps: int,
        within: str | None,
        events: Sequence[str],
        who: tuple[str | None, When, When],
        as_of: When,
        top: int,
    ) -> Iterator[tuple[Span, AsOf, PathsAsked, str | None]]:
        """The period, the store, what is asked, and the name of the segment (of ``who``, before the two dates)."""
        from shoal.insight.paths import Asked

        if after and before:
            raise Refused("Paths start from an event or lead to one.", fix="Leave one out.")
        length, anchor = None if within is None else micros(within), after or before
        with self._door(as_of, [anchor or ""]) as known, ExitStack() as stack:
            read = None if anchor is None else read_step(anchor, known.schema)
            span, begin, until = self._span(known, who[1], who[2])
            among, name = self._members(known, who[0], until, stack)
            shown = "" if read is None else _shown(read)
            asked = Asked(begin, until, read, shown, bool(before), steps, length, tuple(events), among, top)
            yield span, known, asked, name

    def sessions(
        self,
        *,
        grain: CalendarUnit = "month",
        segment: str | None = None,
        start: When = None,
        end: When = None,
        as_of: When = None,
        top: int = 10,
    ) -> Sessions:
        """Sessions from events: how many, how engaged, and where they began; see ``insight.sessions``.

        Args:
            grain: the length of a period.
            segment: only its members at the end of the period, or now.
            start: the first date; by default that of the period 90 days back.
            end: the last date; today by default.
            as_of: the instant; now by default.
            top: how many pages are told that sessions began with.

        Raises:
            UnknownName: there is no such segment, or no event that ``sessions:`` names.
            Refused: no event says a page or screen, and ``sessions:`` names none.
        """
        from shoal.insight.session_figures import summary
        from shoal.insight.sessions import laid_out

        rule = self._ws.config.sessions
        with self._ws.models.as_of(as_of) as known, ExitStack() as stack:
            span, begin, until = self._span(known, start, end, grain)
            among, _ = self._members(known, segment, until, stack)
            table = stack.enter_context(laid_out(known, rule, begin))
            found = summary(known, table, begin, until, grain, top, among)
            return Sessions(span, until <= known.at, grain, rule, found)

    def cohorts(
        self,
        born: str | None = None,
        active: str | None = None,
        *,
        grain: CalendarUnit = "month",
        mode: Mode = "on",
        ages: int | None = None,
        segment: str | None = None,
        start: When = None,
        as_of: When = None,
    ) -> Retained:
        """Of those who came in a period, how many were back in each period after; see ``insight.cohorts``.

        Args:
            born: the event whose first makes a customer one of a cohort, or a trait with a date; the order by default.
            active: the event that counts as being back; the order by default.
            grain: the length of a period.
            mode: ``on``: back in period k; ``on or after``: in period k or later.
            ages: the most periods that are followed.
            segment: only its members now.
            start: a date in the first cohort; by default 28 days or 26 weeks back, else where the data begins.
            as_of: the instant; now by default.

        Raises:
            DefinitionError: what is named isn't there.
            UnknownName: there is no such segment.
            Refused: nobody is in any cohort, or there are too many.
        """
        from shoal.insight.cohorts import Asked, cohorts
        from shoal.lang.calendar import unit_start

        order = self._ws.config.revenue.orders
        with self._door(as_of, [born or "", active or ""]) as known, ExitStack() as stack:
            dated = next((t for t in known.traits if t.name == born), None)
            read = None if dated else read_step(born or order, known.schema)
            back = read_step(active or order, known.schema)
            among, name = self._members(known, segment, known.at + 1, stack)
            since = None if start is None else unit_start(int(known.zone.day(self._ws.instant(start))), grain)
            if since is None and grain in _SHOWN:
                since = unit_start(known.today, grain, _SHOWN[grain])
            origin = dated if read is None else read
            assert origin is not None
            told = stack.enter_context(_to_newest(known, back, grain))
            found = cohorts(told, Asked(origin, back, grain, mode, since, ages, among))
            what = str(born) if read is None else f"a first {_shown(read)}"
            return Retained(known.at, what, _shown(back), name, found)

    def lifecycle(
        self,
        active: str | None = None,
        *,
        grain: CalendarUnit = "month",
        segment: str | None = None,
        as_of: When = None,
    ) -> Grown:
        """How many customers each period brought, kept, brought back and lost; see ``insight.growth``.

        Args:
            active: the event that makes a customer active; the order by default.
            grain: the length of a period.
            segment: only its members now.
            as_of: the instant; now by default.

        Raises:
            DefinitionError: the event isn't there.
            UnknownName: there is no such segment.
            Refused: nobody was ever active.
        """
        from shoal.insight.growth import growth

        wanted = active or self._ws.config.revenue.orders
        with self._door(as_of, [wanted]) as known, ExitStack() as stack:
            among, name = self._members(known, segment, known.at + 1, stack)
            read = read_step(wanted, known.schema)
            told = stack.enter_context(_to_newest(known, read, grain))
            return Grown(known.at, _shown(read), grain, name, growth(told, read, grain, among))

    # ------------------------------------------------------------ what they share

    def _asked(
        self, steps: Sequence[str], within: str | None, by: str | None, any_order: bool | None
    ) -> tuple[str | None, FunnelRule]:
        """A funnel's name, and what it is: one of ``shoal.yaml``, or the steps as they were given."""
        known = self._ws.config.funnels
        named = steps[0] if len(steps) == 1 and known else None
        if named is not None and named not in known:
            raise UnknownName("funnel", named, known, otherwise=f"There are: {', '.join(known)}.")
        rule = FunnelRule(tuple(steps)) if named is None else known[named]
        given: dict[str, Any] = {"within": within, "by": by, "any_order": any_order}
        return named, replace(rule, **{key: value for key, value in given.items() if value is not None})

    @contextmanager
    def _door(self, as_of: When, named: Sequence[str]) -> Iterator[AsOf]:
        """The store as of an instant, with sessions where a step names them."""
        with self._ws.metrics.as_of(as_of, sessions=any("Session" in text for text in named)) as known:
            yield known

    def _span(self, known: AsOf, start: When, end: When, grain: CalendarUnit = "day") -> tuple[Span, int, int]:
        """The period, its first instant and the one after its last: whole local dates, by default whole periods."""
        from shoal.lang.calendar import unit_start

        last = known.zone.day(known.at - 1) if end is None else int(known.zone.day(self._ws.instant(end)))
        first = (
            unit_start(last - USUAL_DAYS + 1, grain) if start is None else int(known.zone.day(self._ws.instant(start)))
        )
        if last < first:
            raise Refused("The period ends before it begins.", fix="Give a start before the end.")
        return Span(known.at, dated(first), dated(last)), known.zone.starts(first), known.zone.starts(last + 1)

    def _members(self, known: AsOf, segment: str | None, until: int, stack: ExitStack) -> tuple[str | None, str | None]:
        """A relation of a segment's members at the end of the period, or now, and its name."""
        if segment is None:
            return None, None
        import pyarrow as pa

        at = min(until - 1, known.at)
        definition = self._ws.segments.known(at).find(segment)
        with known.before(at) as then:
            mask = then.holds({definition.slug: definition})[definition.slug]
            table = pa.table({"customer": pa.array(then.customers[mask], pa.int32())})
        return stack.enter_context(known.beside(table)), definition.name

    def _grouped(self, known: AsOf, asked: Any, by: str, stack: ExitStack) -> Any:
        """The same question by group."""
        from shoal.insight.funnels import as_text
        from shoal.insight.metrics.grouping import dimension

        told = dimension(by, known.schema)
        if told.node is None:
            if told.events != asked.steps[0].name:
                raise Refused(
                    f"{by} is no property of the first step.", fix=f'Name one of "{asked.steps[0].name}", or a trait.'
                )
            return replace(asked, told=told.prop, told_kind=told.kind)
        table = stack.enter_context(known.columns({"g": told.node}))
        shown = as_text(told.kind, "g", stored=False)
        body = f"SELECT k AS customer, {shown} AS value FROM {table} WHERE g IS NOT NULL"
        return replace(asked, groups=stack.enter_context(known.temporary(f"grouped_{next(_numbers)}", body)))


def read_step(text: str, schema: Schema) -> n.Events:
    """An event and its filter; the quotes about the name may be left out.

    Raises:
        DefinitionError: it isn't one, or names what isn't there.
    """
    from shoal.lang.check import faults

    text = as_step(text)
    events = parse_events(text)
    for fault in faults(n.Did(events), schema, text=text):
        raise fault
    return events


def micros(text: str) -> int:
    """A time in microseconds, as ``7 days``.

    >>> micros("30 minutes")
    1800000000

    Raises:
        DefinitionError: it isn't one.
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None or not int(match[1]):
        raise DefinitionError(f"{text!r} is not a time.", fix="Write it as 7 days, 12 hours or 30 minutes.")
    return int(match[1]) * n.UNIT_MICROSECONDS[match[2]]


def _length(length: int) -> str:
    """A time in words.

    >>> _length(1_800_000_000), _length(90_000_000)
    ('30 minutes', '90 seconds')
    """
    minutes, rest = divmod(length, n.UNIT_MICROSECONDS["minute"])
    return f"{length // SECOND} seconds" if rest else f"{minutes} minutes"


def _to_newest(known: AsOf, events: n.Events, grain: CalendarUnit) -> AsOf:
    """The store as of the instant or, where the present period has none of some events yet, of its beginning.

    A period that has only begun would be drawn as zero.
    """
    from shoal.lang.calendar import unit_start
    from shoal.lang.references import event_names

    begin = known.zone.starts(unit_start(known.today, grain))
    names = event_names(events.name, known.events)
    rows = " UNION ALL ".join(f"SELECT max(ts) AS ts FROM ({known.event(name)})" for name in names)
    newest = known.arrow(f"SELECT max(ts) AS ts FROM ({rows})")["ts"][0].as_py() if rows else None
    return known.before(begin if newest is not None and newest < begin else known.at)


def _shown(events: n.Events) -> str:
    """A step as it is shown: the event's name alone, or with its filter."""
    from shoal.lang.show import show

    return events.name if events.where is None else show(events, width=10_000)
