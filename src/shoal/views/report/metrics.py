"""Metrics of the newest whole period: all of them beside the period before, and segments beside everyone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shoal.views import words as w
from shoal.views.report.page import Column, Fold, Head, Hint, Section, Shown, Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from datetime import date

    from shoal.insight.metrics.definition import Metric
    from shoal.views.report.facts import Facts

_TITLE = "Metrics"
_LEAST_SHARE = 0.001
_LEAST = 0.0005
"""A smaller change is none."""
EVERYONE = "Everyone"
BY_SEGMENT = ("active-customers", "average-order-value", "revenue-per-customer", "repeat-purchase-rate")
"""What segments are compared by, as far as the data bears it: sums would only say how large they are."""


@dataclass(frozen=True, slots=True)
class Measured:
    """Figures of metrics in the newest whole period and the one before.

    Args:
        metrics: which, in order.
        rows: as of ``insight.metrics.figures``: everyone in both periods, segments in the newest.
        segments: the names of segments by slug.
        last: the first date of the newest whole period; None where none is over yet.
        before: the first date of the one before; None where the data doesn't reach back so far.
        lacking: those that ship and don't stand on this data, by slug: what it lacks.
    """

    metrics: Sequence[Metric]
    rows: Sequence[Mapping[str, Any]]
    segments: Mapping[str, str]
    last: date | None
    before: date | None
    lacking: Mapping[str, str]


def metrics(facts: Facts) -> Section | None:
    """All metrics, then segments side by side; None where nobody gathered them."""
    found = facts.measured
    if found is None:
        return None
    if found.last is None:
        return Section("metrics", _TITLE, "", (Hint(f"The first {facts.grain} isn't over yet: nothing to compare."),))
    lead = (
        f"The {facts.grain} of {_period(found.last, facts)}{_beside(found, facts)}. Estimates bear their 95{w.HARD}% interval; "
        "customers are the units, so ten orders of one customer aren't ten independent ones."
    )
    return Section("metrics", _TITLE, lead, tuple(_blocks(found, facts)))


def _beside(found: Measured, facts: Facts) -> str:
    return "" if found.before is None else f" beside that of {_period(found.before, facts)}"


def _period(first: date, facts: Facts) -> str:
    return (
        w.month(first) if facts.grain == "month" else f"{w.day(first)} on" if facts.grain != "year" else str(first.year)
    )


def _blocks(found: Measured, facts: Facts) -> Iterator[Any]:
    yield _all(found, facts)
    compared = [one for slug in BY_SEGMENT for one in found.metrics if one.slug == slug]
    if found.segments and compared:
        yield Head("Segments beside everyone")
        yield _by_segment(found, compared, facts)
    yield Fold(
        "What each metric is",
        [(one.name, (one.definition, *((one.why,) if one.why else ()))) for one in found.metrics],
    )


def _all(found: Measured, facts: Facts) -> Table:
    now, then = _of(found, found.last), _of(found, found.before)
    rows = []
    for one in found.metrics:
        row, former = now.get(one.slug), then.get(one.slug)
        if row is None:
            continue
        rows.append({
            "name": one.name, "value": _shown(one, row, facts), "interval": _interval(one, row, facts), "n": row["n"],
            "before": _shown(one, former, facts), "change": _change(one, former, row),
        })  # fmt: skip
    columns = [
        Column("name", "Metric"),
        Column("value", _period(found.last, facts) if found.last else "", "figure", note="interval"),
        Column("n", "Customers", "count", "Who are behind the figure."),
    ]
    if found.before is not None:
        columns += [
            Column("before", _period(found.before, facts), "figure"),
            Column("change", "Change", "figure", "In percentage points for shares, else relative."),
        ]
    many = len(found.lacking)
    note = (
        f"{w.many(many, 'more metric')} {'ships' if many == 1 else 'ship'} and {'doesnt' if many == 1 else 'don’t'} stand on "
        "this data: shoal kpi list --all says what is missing."
        if many
        else ""
    ).replace("doesnt", "doesn’t")
    return Table("metrics-table", tuple(columns), rows, note=note)


def _of(found: Measured, period: date | None) -> dict[str, Mapping[str, Any]]:
    return {row["metric"]: row for row in found.rows if row["segment"] is None and row["period"] == period}


def _by_segment(found: Measured, compared: Sequence[Metric], facts: Facts) -> Table:
    rows = []
    for slug, name in ((None, EVERYONE), *found.segments.items()):
        told: dict[str, Any] = {"name": name}
        for one in compared:
            row = next(
                r for r in found.rows
                if r["metric"] == one.slug and r["segment"] == slug and r["period"] == found.last
            )  # fmt: skip
            told |= {one.slug: _shown(one, row, facts), f"{one.slug}-note": _interval(one, row, facts)}
        rows.append(told)
    columns = (
        Column("name", "Segment"),
        *(Column(one.slug, one.name, "figure", one.definition, note=f"{one.slug}-note") for one in compared),
    )
    return Table(
        "metrics-by-segment", columns, rows,
        note="Members at the end of the period. Segments by spend or silence differ in these by their own definition: "
        "whether treating one pays, an experiment says.",
    )  # fmt: skip


def _shown(one: Metric, row: Mapping[str, Any] | None, facts: Facts) -> Shown | None:
    value = None if row is None else row["value"]
    return None if value is None else Shown(amount(one, value, facts.currency), value)


def amount(one: Metric, value: float, currency: str) -> str:
    """A figure in its unit; a share to a tenth of a point, as its change is."""
    if one.unit == "share":
        return w.share(value) if 0 < value < _LEAST_SHARE else f"{100 * value:.1f}{w.HARD}%"
    if one.unit == "money":
        return w.money(value, currency)
    return f"{value:,.0f}" if not one.estimated else w.plain(value)


def _interval(one: Metric, row: Mapping[str, Any], facts: Facts) -> str:
    if row["low"] is None or row["high"] is None:
        return ""
    return f"{amount(one, row['low'], facts.currency)} to {amount(one, row['high'], facts.currency)}"


def _change(one: Metric, former: Mapping[str, Any] | None, row: Mapping[str, Any]) -> Shown | None:
    """By how much; where intervals meet, what chance alone may have done stands as it is, without a word of it."""
    if former is None or former["value"] is None or row["value"] is None:
        return None
    gap = row["value"] - former["value"]
    if one.unit == "share":
        points = f"{abs(100 * gap):.1f} points"
        return Shown(points if points.startswith("0.0") else f"{'+' if gap > 0 else '−'}{points}", gap)
    if one.unit == "score":
        return Shown(f"{'+' if gap >= 0 else '−'}{abs(gap):.3g}", gap)
    by = w.change(former["value"], row["value"])
    if by is None:
        return None
    return Shown(f"0{w.HARD}%" if abs(by) < _LEAST else w.signed(by), by)
