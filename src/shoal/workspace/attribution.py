"""Attribution and cost KPIs of an open workspace: what is asked for, over what ``attribution:`` and ``costs:`` say."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from shoal import clock
from shoal.errors import Refused
from shoal.shapes import AttributionRule
from shoal.workspace.frames import as_form

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import altair as alt

    from shoal.insight.attribution import Paths
    from shoal.insight.attribution.sharing import Paid, Shared
    from shoal.insight.metrics.closing import Closing
    from shoal.insight.metrics.costs import Costs
    from shoal.insight.models.asof import AsOf
    from shoal.insight.spend import By
    from shoal.lang.nodes import CalendarUnit
    from shoal.workspace.frames import Form
    from shoal.workspace.moments import When
    from shoal.workspace.opening import Workspace

_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True)
class Attributed:
    """Conversions shared out among channels at an instant.

    Args:
        at: the instant.
        found: what each model credits each channel with.
        start: the first instant of conversions that were counted; None for all.
        end: the first one after them.
    """

    at: int
    found: Shared
    start: int | None
    end: int | None

    def table(self, form: Form = "arrow") -> Any:
        """A row a channel and model: conversions, value and ROAS with their intervals, touches, removal effect, spend.

        Raises:
            Unsupported: for a form that there isn't, or whose library isn't installed.
        """
        import pyarrow as pa

        return as_form(pa.Table.from_pylist(self.found.rows()), form)

    def chart(self, width: int | None = None) -> alt.Chart:
        """The models beside each other, for each channel."""
        from shoal.views import theme
        from shoal.views.charts.attribution import attribution_models

        return attribution_models(self.found, width=theme.WIDE if width is None else width)

    def document(self) -> dict[str, Any]:
        """JSON-ready, without customers."""
        span = {key: None if at is None else clock.iso(at) for key, at in (("start", self.start), ("end", self.end))}
        return {"as_of": clock.iso(self.at), **span, **self.found.document()}


@dataclass(frozen=True, slots=True)
class CostKpis:
    """Cost KPIs at an instant.

    Args:
        found: figures, definitions, and why others are missing.
        closing: close rate and sales cycle; None where the data has no leads.
        why_not: why not.
    """

    found: Costs
    closing: Closing | None
    why_not: str

    def table(self, form: Form = "arrow") -> Any:
        """A row a figure: metric, period, ends, by, group, value, low, high, n, n_is, unit, better, finished.

        Raises:
            Unsupported: for a form that there isn't, or whose library isn't installed.
        """
        return as_form(self.found.table(), form)

    def document(self) -> dict[str, Any]:
        """JSON-ready, without customers."""
        from shoal.insight.metrics.costs import dated

        found = self.found
        return {
            "as_of": clock.iso(found.at),
            "spend_from": str(dated(found.reaches[0])),
            "spend_until": str(dated(found.reaches[1])),
            "figures": [row | {key: str(row[key]) for key in ("period", "ends")} for row in found.rows()],
            "definitions": {slug: kpi.definition for slug, kpi in found.kpis.items()},
            "missing": {**found.missing, **({} if self.closing else {"close-rate": self.why_not})},
            "closing": None if self.closing is None else self.closing.document(),
            "notes": list(found.notes),
        }


def attribution(
    workspace: Workspace,
    *,
    models: Sequence[str] = (),
    by: By = "channel",
    start: When = None,
    end: When = None,
    as_of: When = None,
    **rule: Any,
) -> Attributed:
    """Which channels conversions are credited to, by each of some models.

    Args:
        workspace: where.
        models: which; all by default.
        by: ``channel`` or ``campaign``.
        start: only conversions from this day on.
        end: only conversions up to this day, included.
        as_of: the instant; now by default.
        rule: ``touches``, ``campaigns``, ``conversion``, ``value``, ``days``, ``half_life``, over what ``attribution:`` says.

    Raises:
        UnknownName: there is no such event or model.
        Refused: nothing says what touches are, or no conversion follows one.
    """
    from shoal.insight.attribution import MODELS
    from shoal.insight.attribution.sharing import share_out

    told = _rule(workspace, rule)
    touches = _touches(told, by)
    at = workspace.instant(as_of)
    with workspace.models.as_of(at) as known:
        first, last = (_day(workspace, known, when) for when in (start, end))
        begins = None if first is None else known.zone.starts(first)
        ends = None if last is None else known.zone.starts(last + 1)
        paths = _paths(known, told, touches)
        paid = _paid(known, paths, by, first, last)
    found = share_out(paths.between(begins, ends), told, tuple(models) or MODELS, paid=paid, by=by)
    return Attributed(at, found, begins, ends)


def costs(
    workspace: Workspace,
    *,
    by: By | None = None,
    grain: CalendarUnit | None = None,
    start: When = None,
    end: When = None,
    model: str | None = None,
    as_of: When = None,
) -> CostKpis:
    """Cost KPIs: cost per acquisition, ROAS, marketing ROI, click-through rate, cost per click, close rate, sales cycle.

    Args:
        workspace: where.
        by: ``channel`` or ``campaign``; None for all together only.
        grain: ``day``, ``week``, ``month``, ``quarter`` or ``year``; None for one span.
        start: from this day on; the first day of spend by default.
        end: up to this day, included; the last day of spend by default.
        model: of attribution; by default as ``attribution:`` says.
        as_of: the instant; now by default.

    Raises:
        UnknownName: there is no such event or model.
        Refused: nothing says what was spent.
    """
    from shoal.insight.attribution.credit import check_model
    from shoal.insight.metrics.costs import costs

    config = workspace.config
    told = None if config.attribution is None else _rule(workspace, {})
    if model is not None:
        check_model(model)
        told = None if told is None else replace(told, model=model)
    at = workspace.instant(as_of)
    with workspace.models.as_of(at) as known:
        first, last = (_day(workspace, known, when) for when in (start, end))
        found = costs(known, told, config.costs, by=by, grain=grain, start=first, end=last)
        closing, why = _closing(known, config.costs.lead, told, config.costs.within)
    return CostKpis(found, closing, why)


def _closing(known: AsOf, lead: str, rule: AttributionRule | None, within: int) -> tuple[Closing | None, str]:
    from shoal.insight.metrics.closing import closing

    try:
        return closing(known, [lead] if lead else list(rule.touches if rule else ()), within), ""
    except Refused as refused:
        return None, str(refused)


def _rule(workspace: Workspace, given: Mapping[str, Any]) -> AttributionRule:
    """What is asked for, over what the workspace says; conversion and value filled in from what revenue is."""
    from shoal.insight.metrics.costs import NO_TOUCHES

    said = {key: value for key, value in given.items() if value}
    told = replace(workspace.config.attribution or AttributionRule(), **said)
    if not told.touches:
        raise Refused("Nothing says which events are touches.", fix=NO_TOUCHES)
    revenue = workspace.config.revenue
    conversion = told.conversion or revenue.orders
    return replace(told, conversion=conversion, value=told.value or revenue.events.get(conversion, ""))


def _touches(rule: AttributionRule, by: By) -> Mapping[str, str | None]:
    if by == "channel":
        return rule.touches
    if not rule.campaigns:
        raise Refused(
            "Nothing says which property of a touch holds the campaign.",
            fix="Name it in shoal.yaml, as attribution: {campaigns: {Ad Clicked: campaign}}.",
        )
    return rule.campaigns


def _paths(known: AsOf, rule: AttributionRule, touches: Mapping[str, str | None]) -> Paths:
    from shoal.insight.attribution import paths_of

    return paths_of(known, touches, rule.conversion, value=rule.value or None, days=rule.days)


def _paid(known: AsOf, paths: Paths, by: By, first: int | None, last: int | None) -> Paid | None:
    """What was spent in a span of days, with the conversions of the days for which it is known; None where nothing was."""
    from shoal.insight.attribution.sharing import Paid
    from shoal.insight.spend import read_spend

    try:
        spend = read_spend(known)
    except Refused:
        return None
    begins = spend.first if first is None else max(first, spend.first)
    ends = spend.last if last is None else min(last, spend.last)
    lines = spend.between(begins, ends)
    if not lines.lines:
        return None
    of_days = paths.between(known.zone.starts(begins), known.zone.starts(ends + 1))
    return Paid(lines.by(by), of_days, _EPOCH + timedelta(days=begins), _EPOCH + timedelta(days=ends))


def _day(workspace: Workspace, known: AsOf, when: When) -> int | None:
    return None if when is None else int(known.zone.day(workspace.instant(when)))
