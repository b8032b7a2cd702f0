"""Cost KPIs: what was spent against what came, in all and by channel or campaign, over a span of days or by period.

Spend, impressions and clicks are what the ad platforms counted. Conversions, revenue and margin are attributed to touches by a
model that each figure's definition names: shared out, and not what the spend brought about (``incremental`` is about that).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from shoal.errors import Refused, did_you_mean, nearest
from shoal.insight.attribution.credit import credits_of
from shoal.insight.attribution.reading import paths_of
from shoal.insight.attribution.sharing import in_words
from shoal.insight.attribution.spread import ends_of, spread_of
from shoal.insight.metrics.figures import COLUMNS
from shoal.insight.metrics.periods import Period, periods
from shoal.insight.spend import key_of, read_spend
from shoal.stats.intervals import Interval

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import numpy.typing as npt
    import pyarrow as pa

    from shoal.insight.attribution.paths import Paths
    from shoal.insight.models.asof import AsOf
    from shoal.insight.spend import By, Spend, Spent
    from shoal.lang.nodes import CalendarUnit
    from shoal.shapes import AttributionRule, CostRule

    Floats = npt.NDArray[np.float64]

_EPOCH = date(1970, 1, 1)
NO_TOUCHES = "Name the events that are touches in shoal.yaml, as attribution: {touches: {Ad Clicked: channel}}."
NO_MARGIN = (
    "Without cost data there is no margin, and revenue doesn't stand in for it. Name the property that holds the cost in "
    "shoal.yaml, as revenue: {cost: {Order Completed: cost}}."
)


class CostKpi(NamedTuple):
    """A cost KPI: its name, unit, which way is better, what ``n`` counts, and its definition in words."""

    slug: str
    name: str
    unit: str
    better: str
    n_is: str
    definition: str


class CostFigure(NamedTuple):
    """One figure. ``value`` is None where nothing can be said, ``low`` and ``high`` where it is no estimate.

    Args:
        metric: the slug of a ``CostKpi``.
        period: over which.
        group: the channel or campaign; None for all.
    """

    metric: str
    period: Period
    group: str | None
    value: float | None
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True, slots=True)
class Costs:
    """Cost KPIs, as far as the data bears them.

    Args:
        at: the instant.
        by: what figures are broken down by; None is nothing.
        figures: by KPI, group (all together first) and period.
        kpis: those that are told, with their definitions.
        missing: by slug, why another isn't.
        notes: what a reader must know.
        reaches: the first and the last local date of what was spent, in days since 1970.
    """

    at: int
    by: By | None
    figures: Sequence[CostFigure]
    kpis: Mapping[str, CostKpi]
    missing: Mapping[str, str]
    notes: Sequence[str]
    reaches: tuple[int, int]

    def find(self, metric: str, group: str | None = None) -> list[CostFigure]:
        """The figures of a KPI for a group, by period."""
        return [one for one in self.figures if (one.metric, one.group) == (metric, group)]

    def rows(self) -> list[dict[str, Any]]:
        """The rows of ``table``."""
        return [
            {
                "metric": one.metric, "period": dated(one.period.first), "ends": dated(one.period.last), "segment": None,
                "by": self.by, "group": one.group, "value": one.value, "low": one.low, "high": one.high, "n": one.n,
                "n_is": self.kpis[one.metric].n_is, "unit": self.kpis[one.metric].unit,
                "better": self.kpis[one.metric].better, "finished": one.period.finished,
            }
            for one in self.figures
        ]  # fmt: skip

    def table(self) -> pa.Table:
        """A row a figure, with the columns of ``metrics.figures``."""
        import pyarrow as pa

        kinds = {
            "period": pa.date32(), "ends": pa.date32(), "value": pa.float64(), "low": pa.float64(), "high": pa.float64(),
            "n": pa.int64(), "finished": pa.bool_(),
        }  # fmt: skip
        schema = pa.schema([(name, kinds.get(name, pa.string())) for name in COLUMNS])
        return pa.Table.from_pylist(self.rows(), schema=schema)


def dated(day: int) -> date:
    """A local date from days since 1970."""
    return _EPOCH + timedelta(days=day)


def costs(
    known: AsOf,
    rule: AttributionRule | None,
    setting: CostRule,
    *,
    by: By | None = None,
    grain: CalendarUnit | None = None,
    start: int | None = None,
    end: int | None = None,
) -> Costs:
    """The cost KPIs that the data bears.

    Args:
        known: the store as of now.
        rule: what is credited with conversions, with ``conversion`` and ``value`` filled in; None where nothing says.
        setting: which spend is to win customers.
        by: ``channel`` or ``campaign``; None for all together only.
        grain: the length of a period; None for one span.
        start: the first local date, in days since 1970; that of the first spend by default.
        end: the last one; that of the last spend by default.

    Raises:
        Refused: nothing says what was spent, or nothing was spent in that time.
    """
    spend = read_spend(known)
    reaches = spend.first, spend.last
    spans = _spans(known, spend, grain, start, end)
    if not any(spend.between(span.first, span.last).lines for span in spans):
        raise Refused(
            f"Nothing was spent in that time: what was spent reaches from {dated(reaches[0])} to {dated(reaches[1])}.",
            fix="Choose other dates.",
        )
    traced = _traced(known, rule, by)
    found = [one for span in spans for one in _of_span(spend, traced, setting, span, by)]
    kpis = {kpi.slug: kpi for kpi in _kpis(traced, setting)}
    told = {one.metric for one in found if one.value is not None}
    place = {slug: i for i, slug in enumerate(kpis)}
    shown = [one for one in found if one.metric in told]
    shown.sort(key=lambda one: (place[one.metric], one.group is not None))
    missing = {slug: why for slug in kpis if slug not in told and (why := _why_not(slug, traced))}
    return Costs(
        known.at,
        by,
        shown,
        {s: k for s, k in kpis.items() if s in told},
        missing,
        [*_notes(spend, traced, by), *_unmatched(spend, setting)],
        reaches,
    )


def _spans(known: AsOf, spend: Spend, grain: CalendarUnit | None, start: int | None, end: int | None) -> list[Period]:
    first, last = spend.first if start is None else start, spend.last if end is None else end
    if last < first:
        raise Refused("The last day would come before the first.", fix="Exchange the two dates.")
    zone = known.zone
    whole = Period(first, last, zone.starts(first), zone.starts(last + 1), zone.starts(last + 1) <= known.at)
    found = [whole] if grain is None else periods(first, last, grain, zone, known.at)
    # What was spent may have been loaded up to an earlier day than the events.
    return [Period(p.first, p.last, p.begin, p.end, p.finished and p.last <= spend.last) for p in found]


# ------------------------------------------------------------ what is held against spend


@dataclass(frozen=True, slots=True, eq=False)
class _Traced:
    """What came, with the paths to it.

    Args:
        paths: to conversions; None where nothing says which events are touches.
        firsts: to first orders.
        rule: of attribution.
        why: no paths.
        first_days: the local dates of all first orders, ascending.
    """

    paths: Paths | None
    firsts: Paths | None
    rule: AttributionRule | None
    why: str
    first_days: npt.NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))


def _traced(known: AsOf, rule: AttributionRule | None, by: By | None) -> _Traced:
    table = known.arrow(
        f"SELECT CAST(min(day) AS BIGINT) AS day FROM {known.sales.table} WHERE is_order GROUP BY customer ORDER BY day"
    )
    days = table["day"].to_numpy()
    touches = (rule.campaigns if by == "campaign" else rule.touches) if rule else {}
    if rule is None or not touches:
        fix = NO_TOUCHES if rule is None else "Name the property that holds it under attribution: campaigns:."
        return _Traced(None, None, rule, f"Nothing says which events are touches of a {by or 'channel'}. {fix}", days)
    orders, cost = known.rule.orders, known.rule.cost.get(rule.conversion)
    paths = paths_of(known, touches, rule.conversion, value=rule.value or None, cost=cost, days=rule.days)
    to_orders = paths if rule.conversion == orders else paths_of(known, touches, orders, days=rule.days)
    return _Traced(paths, to_orders.only(to_orders.turn == 0), rule, "", days)


@dataclass(frozen=True, slots=True, eq=False)
class _Credited:
    """What channels are credited with in a span, under ``key_of`` their names; with draws, and which conversion touched which."""

    place: Mapping[str, int]
    values: Mapping[str, Floats]
    drawn: Mapping[str, Floats]
    pairs: npt.NDArray[np.int64]

    @classmethod
    def of(cls, paths: Paths, rule: AttributionRule) -> _Credited:
        many = len(paths.names)
        place = {key_of(name): i for i, name in enumerate(paths.names)}
        touched = paths.touched
        if not touched.any():
            nothing = np.zeros(many)
            return cls(
                place, dict.fromkeys(("conversions", "value", "margin"), nothing), {}, np.empty((0, 2), np.int64)
            )
        told = credits_of(paths, rule.model, half_life=rule.half_life)
        keys = ["conversions", "value", *([] if paths.margin is None else ["margin"])]
        spread = spread_of(paths, rule.model, half_life=rule.half_life)
        won = touched[paths.path]
        return cls(
            place,
            {key: np.array([getattr(one, key) for one in told]) for key in keys},
            {} if spread is None else {key: getattr(spread, key) for key in keys},
            np.unique(np.column_stack([paths.path[won], paths.channel[won]]), axis=0),
        )

    def of_channels(self, key: str, keys: Sequence[str]) -> tuple[float, Floats | None, int] | None:
        """The sum over some channels, in each draw, and how many are behind it; None where no touch bears their names."""
        which = [self.place[one] for one in keys if one in self.place]
        if not which or key not in self.values:
            return None
        drawn = self.drawn.get(key)
        of_each = None if drawn is None else drawn[:, which].sum(axis=1)
        behind = len(np.unique(self.pairs[np.isin(self.pairs[:, 1], which), 0]))
        return float(self.values[key][which].sum()), of_each, behind


# ------------------------------------------------------------ figures of a span


def _of_span(spend: Spend, traced: _Traced, setting: CostRule, span: Period, by: By | None) -> Iterator[CostFigure]:
    lines = spend.between(span.first, span.last)
    if not lines.lines:
        return
    bought = lines.among(setting.channels, setting.campaigns)
    won = to_first = None
    if traced.paths is not None and traced.firsts is not None and traced.rule is not None:
        won = _Credited.of(traced.paths.between(span.begin, span.end), traced.rule)
        to_first = _Credited.of(traced.firsts.between(span.begin, span.end), traced.rule)
    level: By = by or "channel"
    paid = [key for key, one in lines.by(level).items() if one.micros > 0]
    new = int(np.searchsorted(traced.first_days, span.last + 1) - np.searchsorted(traced.first_days, span.first))
    for one in (*_of_ads(lines.total()), *_of_money(lines.total(), won, paid)):
        yield CostFigure(one[0], span, None, *one[1:])
    blended = _per(bought.total().amount, new) if bought.lines else None
    yield CostFigure("cost-per-acquisition", span, None, blended, None, None, new)
    for key, one_spent in (lines.by(by) if by else {}).items():
        name = one_spent.name or "(none)"
        for one in (*_of_ads(one_spent), *_of_money(one_spent, won, [key])):
            yield CostFigure(one[0], span, name, *one[1:])
    for key, one_spent in (bought.by(by) if by else {}).items():
        yield CostFigure("cost-per-acquisition", span, one_spent.name or "(none)", *_acquired(one_spent, to_first, key))


_Told = tuple[str, float | None, float | None, float | None, int]


def _of_ads(spent: Spent) -> Iterator[_Told]:
    """What the ad platforms counted: no estimates."""
    yield "spend", spent.amount, None, None, spent.rows
    yield "ad-click-through-rate", _per(spent.shown, spent.impressions), None, None, spent.impressions
    yield "cost-per-click", _per(spent.clicked / 1e6, spent.clicks), None, None, spent.clicks


def _of_money(spent: Spent, won: _Credited | None, keys: Sequence[str]) -> Iterator[_Told]:
    if won is None or spent.micros <= 0:
        return
    value = won.of_channels("value", keys)
    if value is not None:
        total, drawn, n = value
        yield "roas", *_with_ends(total / spent.amount, None if drawn is None else drawn / spent.amount), n
    margin = won.of_channels("margin", keys)
    if margin is not None:
        total, drawn, n = margin
        gain = None if drawn is None else drawn / spent.amount - 1
        yield "marketing-roi", *_with_ends(total / spent.amount - 1, gain), n


def _acquired(
    spent: Spent, to_first: _Credited | None, key: str
) -> tuple[float | None, float | None, float | None, int]:
    found = None if to_first is None else to_first.of_channels("conversions", [key])
    if found is None:
        return None, None, None, 0
    total, drawn, n = found
    if total <= 0:
        return None, None, None, n
    with np.errstate(divide="ignore"):
        return *_with_ends(spent.amount / total, None if drawn is None else spent.amount / np.maximum(drawn, 0)), n


def _with_ends(value: float, drawn: Floats | None) -> tuple[float, float | None, float | None]:
    ends = Interval(value, np.nan, np.nan) if drawn is None else ends_of(value, drawn)
    low, high = (float(end) if np.isfinite(end) else None for end in ends[1:])
    return value, low, high


def _per(amount: float, count: float) -> float | None:
    return amount / count if count > 0 else None


# ------------------------------------------------------------ in words


def _kpis(traced: _Traced, setting: CostRule) -> Iterator[CostKpi]:
    rule = traced.rule
    model = in_words(rule.model, rule) if rule else ""
    of_one = "" if traced.paths is None else f" Of one channel or campaign: those attributed to it; {model}."
    conversions = "conversions after a touch of it"
    yield CostKpi(
        "spend",
        "Spend",
        "money",
        "neither",
        "lines of spend",
        "What sources brought as spend, in the workspace's currency.",
    )
    yield CostKpi(
        "ad-click-through-rate", "Click-through rate of ads, total", "share", "higher", "impressions",
        "All clicks / all impressions as the ad platforms count them: a person who clicks twice counts twice. How many people "
        "clicked (unique) their lines don't say.",
    )  # fmt: skip
    yield CostKpi(
        "cost-per-click", "Cost per click", "money", "lower", "clicks", "Spend of the lines that know clicks / clicks."
    )
    which = " and ".join(", ".join(names) for names in (setting.channels, setting.campaigns) if names) or "all spend"
    yield CostKpi(
        "cost-per-acquisition", "Cost per acquisition", "money", "lower", "new customers",
        f"Acquisition spend ({which}) / new customers of the period, whose first order falls in it. All together: all new "
        f"customers, whatever led to them.{of_one}",
    )  # fmt: skip
    yield CostKpi(
        "roas", "Return on ad spend (ROAS)", "number", "higher", conversions,
        f"Attributed revenue / spend; {model}. Conversions of the period, whenever the touches were; refunds aren't in it.",
    )  # fmt: skip
    yield CostKpi(
        "marketing-roi", "Marketing ROI", "share", "higher", conversions,
        f"(Attributed margin − spend) / spend, of conversions whose cost is known; {model}. Margin, not revenue.",
    )  # fmt: skip


def _why_not(slug: str, traced: _Traced) -> str:
    if slug in ("roas", "marketing-roi") and traced.paths is None:
        return traced.why
    if slug == "marketing-roi" and traced.paths is not None and traced.paths.margin is None:
        return NO_MARGIN
    return {
        "ad-click-through-rate": "No line of spend knows impressions; name their column as spend: {impressions: …}.",
        "cost-per-click": "No line of spend knows clicks; name their column as spend: {clicks: …}.",
        "cost-per-acquisition": "No customer has a first order in that time, or nothing was spent to win one.",
        "roas": "No touch bears the name of anything that money was spent on.",
        "marketing-roi": "No touch bears the name of anything that money was spent on.",
    }.get(slug, "")


def _unmatched(spend: Spend, setting: CostRule) -> Iterator[str]:
    """Names of the settings that no spend bears: acquisition spend would lack them without a word."""
    asked: tuple[tuple[By, Sequence[str]], ...] = (("channel", setting.channels), ("campaign", setting.campaigns))
    for what, names in asked:
        there = {key: one.name or "" for key, one in spend.by(what).items() if key}
        for name in names:
            if key_of(name) not in there:
                advice = did_you_mean(nearest(name, there.values())) or f"There are: {', '.join(there.values())}."
                yield f"No spend is on the {what} {name!r} that costs: acquisition: names. {advice}"


def _notes(spend: Spend, traced: _Traced, by: By | None) -> Iterator[str]:
    if traced.paths is None:
        if by:
            yield f"Nothing is attributed to a {by}: {traced.why}"
        return
    bare = {key_of(name) for name in traced.paths.names}
    unnamed = [
        one.name or "(none)" for key, one in spend.by(by or "channel").items() if key not in bare and one.micros > 0
    ]
    if unnamed:
        yield f"No touch bears the name of {', '.join(unnamed)}, so nothing is attributed to it."
    margin = traced.paths.margin
    unknown = 0 if margin is None else int(np.isnan(margin[traced.paths.converted]).sum())
    if unknown:
        yield f"Of {unknown:,} conversions the cost isn't known: their margin is in no marketing ROI, their spend is."
