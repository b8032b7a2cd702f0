"""What is told of journeys: a question's period, and its answer as a table, a chart and JSON."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from shoal import clock
from shoal.workspace.frames import as_form

if TYPE_CHECKING:
    import altair as alt
    import pyarrow as pa

    from shoal.insight.cohorts import Cohorts
    from shoal.insight.funnels import Funnel
    from shoal.insight.paths import Paths
    from shoal.insight.session_figures import SessionSummary
    from shoal.lang.nodes import CalendarUnit
    from shoal.shapes import SessionRule
    from shoal.workspace.frames import Form

_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Span:
    """The period that was looked at.

    Args:
        at: the instant of the question.
        first: the first local date.
        last: the last one.
    """

    at: int
    first: date
    last: date

    def document(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"as_of": clock.iso(self.at), "from": self.first.isoformat(), "to": self.last.isoformat()}


@dataclass(frozen=True, slots=True)
class Funnelled:
    """A funnel, and what it was asked for.

    Args:
        span: the period in which it was entered.
        within: the time limit in words.
        by: what groups are told apart by; None for none.
        segment: the name of the segment whose members are in it; None for everyone.
        found: the funnel.
        name: that it has in ``shoal.yaml``; None where its steps were given.
    """

    span: Span
    within: str
    by: str | None
    segment: str | None
    found: Funnel
    name: str | None = None

    def table(self, form: Form = "arrow") -> Any:
        """A row a step, of all (``group`` None) and by group.

        Raises:
            Unsupported: for a form that there isn't, or whose library isn't installed.
        """
        return as_form(self.found.table(), form)

    def chart(self, width: int | None = None) -> alt.Chart:
        """Bars with their intervals; by group, dots."""
        from shoal.views import theme
        from shoal.views.charts.journeys import funnel_bars

        return funnel_bars(self.found, by=self.by, said=self.words(), width=theme.WIDE if width is None else width)

    def words(self) -> str:
        """What the shares are of, within how long, and when."""
        who = f"members of {self.segment}" if self.segment else "customers"
        order = "in order" if self.found.ordered else "in any order"
        return f"Share of {who} who took the first step, {order} within {self.within}; entered {_dates(self.span)}"

    def document(self) -> dict[str, Any]:
        """JSON-ready."""
        found = self.found
        return {
            **self.span.document(), "funnel": self.name, "within": self.within,
            "order": "in order" if found.ordered else "any", "by": self.by, "segment": self.segment,
            "entered": found.entered, "converted": dict(found.converted._asdict()),
            "finished": found.finished, "steps": [_plain(row, "group") for row in found.rows() if row["group"] is None],
            "groups": [row for row in found.rows() if row["group"] is not None],
            "instead": [
                {"step": one.step, "event": one.event, "customers": one.customers, **one.share._asdict()}
                for one in found.instead
            ],
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Pathed:
    """Paths, and what they were asked for.

    Args:
        span: the period of their start, or end.
        anchor: where they start or what they lead to; None: from each customer's first event.
        within: how far they go, in words.
        segment: the name of the segment whose members took them; None for everyone.
        found: the paths.
    """

    span: Span
    anchor: str | None
    within: str
    segment: str | None
    found: Paths

    def table(self, form: Form = "arrow") -> Any:
        """A row a path: the steps as a list, customers, share, low, high; the rest has None for steps.

        Raises:
            Unsupported: for a form that there isn't, or whose library isn't installed.
        """
        return as_form(self.found.table(), form)

    def flows(self, form: Form = "arrow") -> Any:
        """A row a step from one event to the next: place, source, target, customers.

        Raises:
            Unsupported: for a form that there isn't, or whose library isn't installed.
        """
        return as_form(self.found.flow_table(), form)

    def chart(self, width: int | None = None) -> alt.Chart:
        """All paths as ribbons from step to step."""
        from shoal.views import theme
        from shoal.views.charts.journeys import path_flows

        return path_flows(self.found, said=self.words(), width=theme.WIDE if width is None else width)

    def words(self) -> str:
        """Whose paths these are, how far they go, and when."""
        who = f"members of {self.segment}" if self.segment else "customers"
        side = "that lead to" if self.found.back else "from"
        anchor = f'"{self.anchor}"' if self.anchor else "their first event"
        return f"Paths of {who} {side} {anchor}, {self.within}; {_dates(self.span)}"

    def document(self) -> dict[str, Any]:
        """JSON-ready."""
        found = self.found
        side = "before" if found.back else "after"
        return {
            **self.span.document(), side: self.anchor, "within": self.within, "segment": self.segment,
            "customers": found.customers, "kinds": found.kinds, "paths": found.rows(),
            "flows": found.flow_table().to_pylist(),
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Sessions:
    """The sessions of a period.

    Args:
        span: the period in which they began.
        over: whether the last date of it is over.
        grain: the length of a period of ``found.periods``.
        rule: what made them.
        found: their figures.
    """

    span: Span
    over: bool
    grain: CalendarUnit
    rule: SessionRule
    found: SessionSummary

    def finished(self, first: date) -> bool:
        """Whether a period, named by its first date, is over and wholly in what was asked for."""
        from shoal.lang.calendar import unit_start

        return dated(unit_start((first - _EPOCH).days, self.grain, -1)) <= self.span.last + timedelta(days=self.over)

    def table(self, form: Form = "arrow") -> Any:
        """A row a period: period, finished, sessions, customers, page_views, median_seconds, and the shares with intervals.

        Raises:
            Unsupported: for a form that there isn't, or whose library isn't installed.
        """
        import pyarrow as pa

        rows = [
            {"period": first, "finished": self.finished(first)} | _flat(one.document())
            for first, one in self.found.periods.items()
        ]
        return as_form(pa.Table.from_pylist(rows), form)

    def document(self) -> dict[str, Any]:
        """JSON-ready."""
        found = self.found
        return {
            **self.span.document(), "gap_seconds": self.rule.gap // clock.SECOND, "engaged_seconds": self.rule.seconds,
            "engaged_page_views": self.rule.page_views, "grain": self.grain,
            "whole": found.whole.document() if found.whole else None,
            "periods": [
                {"period": first.isoformat(), "finished": self.finished(first)} | one.document()
                for first, one in found.periods.items()
            ],
            "entries": [{"entry": name} | one.document() for name, one in found.entries.items()],
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Retained:
    """Cohorts, and what they were asked for.

    Args:
        at: the instant.
        born: what makes a cohort.
        active: what counts as being back.
        segment: the name of the segment whose members are in them; None for everyone.
        found: the cohorts.
    """

    at: int
    born: str
    active: str
    segment: str | None
    found: Cohorts

    def table(self, form: Form = "arrow") -> Any:
        """A row a cell: cohort, age, month (the period at that age), size, active, rate, low, high, finished.

        Raises:
            Unsupported: for a form that there isn't, or whose library isn't installed.
        """
        return as_form(self.found.found, form)

    def chart(self, width: int | None = None) -> alt.Chart:
        """The cells by cohort and age; those that aren't over are hatched."""
        from shoal.views import theme
        from shoal.views.charts.journeys import cohort_cells

        said = f"Share of those with {self.born} who were back with {self.active}, per cent; hatched: not over yet"
        return cohort_cells(self.found, said=said, width=theme.WIDE if width is None else width)

    def document(self) -> dict[str, Any]:
        """JSON-ready."""
        rows = [
            row | {"cohort": row["cohort"].isoformat(), "month": row["month"].isoformat()}
            for row in self.found.found.to_pylist()
        ]
        return {
            "as_of": clock.iso(self.at), "born": self.born, "active": self.active, "grain": self.found.grain,
            "mode": self.found.mode, "definition": self.found.definition, "segment": self.segment, "cells": rows,
            "pooled": self.found.pooled(),
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Grown:
    """Lifecycle over time, and what it was asked for.

    Args:
        at: the instant.
        active: what makes a customer active.
        grain: the length of a period.
        segment: the name of the segment whose members are counted; None for everyone.
        found: a row a period; see ``insight.growth.growth``.
    """

    at: int
    active: str
    grain: CalendarUnit
    segment: str | None
    found: pa.Table

    def table(self, form: Form = "arrow") -> Any:
        """A row a period: period, new, retained, resurrected, dormant, active, finished.

        Raises:
            Unsupported: for a form that there isn't, or whose library isn't installed.
        """
        return as_form(self.found, form)

    def chart(self, width: int | None = None) -> alt.Chart:
        """Bars of who came and stayed above the line, of who went silent below it."""
        from shoal.views import theme
        from shoal.views.charts.journeys import growth_bars

        said = f"Customers by {self.grain}, active with {self.active}"
        return growth_bars(
            self.found.to_pylist(), grain=self.grain, said=said, width=theme.WIDE if width is None else width
        )

    def document(self) -> dict[str, Any]:
        """JSON-ready."""
        rows = [row | {"period": row["period"].isoformat()} for row in self.found.to_pylist()]
        return {
            "as_of": clock.iso(self.at), "active": self.active, "grain": self.grain, "segment": self.segment,
            "periods": rows,
        }  # fmt: skip


def dated(day: int) -> date:
    """A local date, of days since 1970."""
    return _EPOCH + timedelta(days=day)


def _dates(span: Span) -> str:
    return f"{span.first.isoformat()} to {span.last.isoformat()}"


def _plain(row: dict[str, Any], left: str) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key != left}


def _flat(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in document.items():
        if isinstance(value, dict):
            found |= {key: value["value"], f"{key}_low": value["low"], f"{key}_high": value["high"]}
        else:
            found[key] = value
    return found
