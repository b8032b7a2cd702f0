"""Costs and attribution: what was spent by channel against what came, and which channels that is credited to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shoal.insight.metrics.costs import dated
from shoal.views import words as w
from shoal.views.charts.attribution import attribution_models, attribution_says
from shoal.views.report.page import Column, Figure, Fold, Hint, Section, Shown, Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shoal.insight.attribution.sharing import Shared
    from shoal.insight.metrics.closing import Closing
    from shoal.insight.metrics.costs import CostFigure, Costs
    from shoal.views.charts.attribution import Measure
    from shoal.views.report.facts import Facts

_TITLE = "Costs and attribution"
_ATTRIBUTED = ("cost-per-acquisition", "roas", "marketing-roi")


@dataclass(frozen=True, slots=True)
class Bought:
    """What the section shows.

    Args:
        costs: cost KPIs by channel, over the days for which spend is known; or why there are none.
        closing: close rate and sales cycle; None where the data has no leads.
        shared: conversions shared out among channels; or why they aren't.
    """

    costs: Costs | str
    closing: Closing | None
    shared: Shared | str


def costs(facts: Facts) -> Section | None:
    """Spend against what came, and the models of attribution; None where neither spend nor touches are told."""
    found = facts.bought
    if found is None:
        return None
    blocks = tuple(_blocks(found, facts))
    lead = "" if isinstance(found.costs, str) else _lead(found.costs, facts)
    return Section("costs", _TITLE, lead, blocks)


def _lead(found: Costs, facts: Facts) -> str:
    first, last = (w.day(dated(day)) for day in found.reaches)
    (spent,) = found.find("spend")
    return (
        f"{w.money(spent.value, facts.currency)} were spent from {first} to {last}. Clicks are what the ad platforms counted; "
        "revenue and margin are attributed: shared out among touches by a rule, and not what the spend brought about."
    )


def _blocks(found: Bought, facts: Facts) -> Iterator[Any]:
    if isinstance(found.costs, str):
        yield Hint(found.costs)
    else:
        yield _table(found.costs, facts)
        yield Fold("How these are defined", [(kpi.name, (kpi.definition,)) for kpi in found.costs.kpis.values()])
        yield from found.costs.notes
        # Each reason is said once, though several KPIs lack the same.
        yield from dict.fromkeys(found.costs.missing.values())
    if found.closing is not None:
        yield _closed(found.closing)
    if isinstance(found.shared, str):
        yield Hint(found.shared)
        return
    yield _figure(found.shared, "conversions")
    if found.shared.spend:
        yield _figure(found.shared, "roas")
    yield from found.shared.notes(unmatched=isinstance(found.costs, str))


def _table(found: Costs, facts: Facts) -> Table:
    columns = [Column("name", "Channel"), Column("spend", "Spend", "money")]
    if "ad-click-through-rate" in found.kpis:
        columns += [Column("ctr", "Click-through", "share", found.kpis["ad-click-through-rate"].definition)]
    if "cost-per-click" in found.kpis:
        columns += [Column("cpc", "Per click", "figure", found.kpis["cost-per-click"].definition)]
    heads = {"cost-per-acquisition": "Per new customer", "roas": "ROAS", "marketing-roi": "Marketing ROI"}
    columns += [
        Column(slug, heads[slug], "figure", found.kpis[slug].definition, f"{slug}-note")
        for slug in _ATTRIBUTED
        if slug in found.kpis
    ]
    groups = dict.fromkeys(one.group for one in found.figures)
    return Table("costs-by-channel", columns, [_row(found, group, facts) for group in groups])


def _row(found: Costs, group: str | None, facts: Facts) -> dict[str, Any]:
    mine = {one.metric: one for one in found.figures if one.group == group}
    row: dict[str, Any] = {"name": group or "All", "spend": _value(mine.get("spend")), "ctr": None, "cpc": None}
    row["ctr"] = _value(mine.get("ad-click-through-rate"))
    clicks = _value(mine.get("cost-per-click"))
    row["cpc"] = None if clicks is None else Shown(w.money(clicks, facts.currency), clicks)
    for slug in _ATTRIBUTED:
        one = mine.get(slug)
        value = _value(one)
        row[slug] = None if value is None else Shown(_shown(slug, value, facts), value)
        row[f"{slug}-note"] = "" if one is None or value is None else _behind(found, one, facts)
    return row


def _value(one: CostFigure | None) -> float | None:
    return None if one is None else one.value


def _shown(slug: str, value: float, facts: Facts) -> str:
    if slug == "roas":
        return f"{value:,.2f}"
    return w.money(value, facts.currency) if slug == "cost-per-acquisition" else w.share(value).replace("-", "−")


def _behind(found: Costs, one: CostFigure, facts: Facts) -> str:
    n = f"n {one.n:,}"
    if one.low is None or one.high is None:
        return n
    return f"{_shown(one.metric, one.low, facts)} to {_shown(one.metric, one.high, facts)}; {n}"


def _closed(found: Closing) -> str:
    half = found.days.get(0.5)
    said = (
        f"Of {w.many(found.leads, 'lead')} that had the time, {w.share(found.rate.value)} closed "
        f"({w.share(found.rate.low)} to {w.share(found.rate.high)})"
    )
    return f"{said}; half of those within {w.many(half.value, 'day')}. {found.definition}" if half else f"{said}."


def _figure(found: Shared, measure: Measure) -> Figure:
    said = attribution_says(found, measure)
    rows = [row for row in found.rows() if measure != "roas" or row["roas"] is not None]
    note = f"{w.many(found.conversions, 'conversion')} after a touch, {w.many(found.paths, 'path')}"
    return Figure(
        f"attribution-{measure}", lambda width: attribution_models(found, measure=measure, width=width), rows, said, note,
        half=bool(found.spend),
    )  # fmt: skip
