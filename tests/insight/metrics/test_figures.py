"""Figures of metrics against other ways to the same: the KPIs of the report, sums by hand, and published numbers."""

from __future__ import annotations

import random
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from orders import instant, order

from shoal.clock import HOUR
from shoal.errors import Refused
from shoal.insight.metrics.catalogue import read_metrics
from shoal.insight.metrics.figures import Question, figures
from shoal.insight.metrics.grouping import dimension
from shoal.insight.metrics.periods import periods
from shoal.insight.metrics.reading import read_metric
from shoal.insight.metrics.trading import kpis
from shoal.insight.metrics.wording import Subject
from shoal.insight.models.asof import AsOf
from shoal.lang import nodes as n
from shoal.lang.parse import parse
from shoal.lang.schema import Schema
from shoal.shapes import ORDER_REFUNDED, SURVEY_ANSWERED, ContractRule, Event, FeedbackRule, RevenueRule, TraitChange
from shoal.sql.registry import learned_schema
from shoal.stats.intervals import wilson

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from shoal.insight.metrics.definition import Metric
    from shoal.sql.duck import DuckStore

END = instant("2024-06-11")
RULE = RevenueRule(cost={"Order Completed": "cost"})


def door(store: DuckStore, at: int = END, **segments: str) -> AsOf:
    traits, events = learned_schema(store)
    made = {slug: n.Definition(slug, slug.title(), parse(text)) for slug, text in segments.items()}
    return AsOf(store, RULE, Schema(traits=traits, events=events, segments=made), at)


def shop(write: Callable[[Iterable[Any]], None], customers: int = 40) -> None:
    """Orders with cost, refunds, plans and countries over five months and some days."""
    drawn = random.Random(3)
    records: list[Any] = []
    for number in range(customers):
        who = f"c{number}"
        records.append(TraitChange(who, "plan", drawn.choice(["pro", "free", "team"]), instant("2024-01-01")))
        if number % 7:
            records.append(TraitChange(who, "age", float(drawn.choice([20, 30, 40])), instant("2024-01-01")))
        for _ in range(drawn.randint(0, 9)):
            day = date.fromordinal(date(2024, 1, 1).toordinal() + drawn.randint(0, 160))
            cost = {} if drawn.random() < 0.2 else {"cost": 3.0}
            records.append(order(who, day, drawn.randint(5, 90), store=drawn.choice(["north", "south"]), **cost))
            if drawn.random() < 0.2:
                records.append(Event(who, ORDER_REFUNDED, instant(day, 20), {"revenue": -4.5}))
    write(records)


def shipped(known: AsOf, root: Path, **more: Any) -> dict[str, Metric]:
    return dict(read_metrics(root, known.schema, Subject(RULE, **more)).definitions)


def asked(known: AsOf, metrics: list[Metric], grain: Any = "month", **more: Any) -> list[dict[str, Any]]:
    start = (date(2024, 1, 1) - date(1970, 1, 1)).days
    found = periods(start, known.today, grain, known.zone, known.at)
    rows: list[dict[str, Any]] = figures(known, Question(metrics, found, grain, **more)).to_pylist()
    return rows


def of(rows: list[dict[str, Any]], metric: str, **test: Any) -> list[Any]:
    return [r["value"] for r in rows if r["metric"] == metric and all(r[k] == v for k, v in test.items())]


SAME = {
    "revenue": "revenue",
    "margin": "margin",
    "orders": "orders",
    "active-customers": "active customers",
    "new-customers": "new customers",
    "average-order-value": "average order value",
    "repeat-purchase-rate": "repeat purchase rate",
    "churn-silent": "churn, silent for 30 days",
}


@pytest.mark.parametrize("grain", ["week", "month", "quarter"])
def test_the_report_says_the_same(store: DuckStore, write: Any, tmp_path: Path, grain: Any) -> None:
    """Breaks when a KPI is one thing in the report and another as a metric: refunds, first orders, who counts."""
    shop(write)
    with door(store) as known:
        metrics = shipped(known, tmp_path, silence=30)
        rows = asked(known, [metrics[slug] for slug in SAME], grain)
        told = kpis(known.sales, 30, grain=grain).to_pylist()
    for slug, kpi in SAME.items():
        other = {r["period"]: r["value"] for r in told if r["kpi"] == kpi}
        mine = {r["period"]: r["value"] for r in rows if r["metric"] == slug}
        assert mine.keys() >= other.keys()
        for period, value in other.items():
            # The report takes the day under way as a whole one, and says nothing until the data reaches back far enough.
            if slug == "churn-silent" and (value is None or period == max(other)):
                continue
            assert (mine[period] or 0) == pytest.approx(value or 0, abs=1e-9), (slug, period)


def test_parts_add_up(store: DuckStore, write: Any, tmp_path: Path) -> None:
    """Breaks when a customer or an event is in no group, in two, or in a group of another period."""
    shop(write)
    with door(store, pro='plan = "pro"', rest='not plan = "pro"') as known:
        metrics = shipped(known, tmp_path)
        sums = [metrics["revenue"], metrics["orders"], metrics["active-customers"]]
        segments = [known.schema.segments[slug] for slug in ("pro", "rest")]
        rows = asked(known, sums, segments=segments)
        for metric in sums:
            parts = zip(of(rows, metric.slug, segment="pro"), of(rows, metric.slug, segment="rest"), strict=True)
            assert [a + b for a, b in parts] == pytest.approx(of(rows, metric.slug, segment=None))
        for by in ("plan", "age"):
            split = asked(known, sums, by=dimension(by, known.schema))
            for metric in sums:
                whole = dict.fromkeys({r["period"] for r in split}, 0.0)
                for r in split:
                    whole[r["period"]] += r["value"] if r["metric"] == metric.slug else 0
                assert [whole[p] for p in sorted(whole)] == pytest.approx(of(rows, metric.slug, segment=None))
        stores = asked(known, sums[1:2], by=dimension('store of "Order Completed"', known.schema))
        each = [of(stores, "orders", group=name) for name in ("north", "south", "(other)")]
        assert [sum(parts) for parts in zip(*each, strict=True)] == of(rows, "orders", segment=None)
        with pytest.raises(Refused, match="counts other events"):
            asked(known, sums[:1], by=dimension('store of "Order Completed"', known.schema))


def test_a_share_has_wilsons_interval_and_who_is_behind_it(store: DuckStore, write: Any, tmp_path: Path) -> None:
    """Breaks when the denominator isn't who ordered, or an unfinished period passes for a whole one."""
    write([order("a", "2024-05-02"), order("a", "2024-05-03"), order("b", "2024-05-04"), order("c", "2024-04-01")])
    with door(store) as known:
        rows = asked(known, [shipped(known, tmp_path)["repeat-purchase-rate"]])
    may = next(r for r in rows if r["period"] == date(2024, 5, 1))
    held = wilson(1, 2)
    assert (may["value"], may["low"], may["high"], may["n"]) == (0.5, held.low, held.high, 2)
    june = rows[-1]
    assert (june["value"], june["n"], june["finished"], june["ends"]) == (None, 0, False, date(2024, 6, 30))


def test_nps_and_csat_of_the_page(store: DuckStore, write: Any, tmp_path: Path) -> None:
    """KPIS.md: 70 promoters, 10 passives and 20 detractors give +50; CSAT counts 4 and 5.

    Breaks when passives leave the denominator, or a missing answer is one of 0.
    """
    scores = [9.0] * 70 + [7.0] * 10 + [6.0] * 20
    answers = [Event(f"c{i}", SURVEY_ANSWERED, instant("2024-05-05"), {"nps": s}) for i, s in enumerate(scores)]
    answers += [
        Event(f"d{i}", SURVEY_ANSWERED, instant("2024-05-06"), {"csat": s}) for i, s in enumerate([5.0, 4.0, 3.0, 1.0])
    ]
    write(answers)
    with door(store) as known:
        rule = FeedbackRule(nps={SURVEY_ANSWERED: ("nps",)}, csat={SURVEY_ANSWERED: ("csat",)})
        metrics = shipped(known, tmp_path, feedback=rule)
        rows = asked(known, [metrics["nps"], metrics["csat"], metrics["csat-mean"]])
    may = {r["metric"]: r for r in rows if r["period"] == date(2024, 5, 1)}
    assert may["nps"]["value"] == pytest.approx(50)
    assert may["nps"]["low"] == pytest.approx(50 - 16.1, abs=0.2)
    assert may["nps"]["n"] == 100
    assert (may["csat"]["value"], may["csat-mean"]["value"]) == (0.5, 3.25)


def test_churn_of_contracts_leaves_out_who_joined_in_the_period(store: DuckStore, write: Any, tmp_path: Path) -> None:
    """Breaks when who joined in the period is in the denominator, or who left before it in the numerator."""
    write(
        [
            *(Event(f"old{i}", "Subscribed", instant("2024-01-10")) for i in range(10)),
            *(Event(f"old{i}", "Cancelled", instant("2024-05-10")) for i in range(2)),
            Event("old9", "Cancelled", instant("2024-03-10")),
            *(Event(f"new{i}", "Subscribed", instant("2024-05-02")) for i in range(5)),
            Event("new0", "Cancelled", instant("2024-05-20")),
        ]
    )
    with door(store) as known:
        metrics = shipped(known, tmp_path, contracts=ContractRule(start="Subscribed", end="Cancelled", period="month"))
        rows = asked(known, [metrics["churn-contractual"]])
    may = next(r for r in rows if r["period"] == date(2024, 5, 1))
    assert (may["value"], may["n"]) == (pytest.approx(2 / 9), 9)


def test_the_median_and_its_interval_are_values_of_customers(store: DuckStore, write: Any, tmp_path: Path) -> None:
    """Breaks when a quantile is taken over who didn't order, or its interval isn't one of ranks."""
    write([order(f"c{i}", "2024-05-02", i + 1) for i in range(99)])
    with door(store) as known:
        rows = asked(known, [shipped(known, tmp_path)["median-revenue"]])
    may = next(r for r in rows if r["period"] == date(2024, 5, 1))
    assert (may["value"], may["low"], may["high"], may["n"]) == (50, 40, 61, 99) or (
        may["value"] == 50 and 38 <= may["low"] <= 41 and 59 <= may["high"] <= 62
    )


def test_a_ratio_takes_customers_for_the_units(store: DuckStore, write: Any, tmp_path: Path) -> None:
    """One customer with a hundred orders is one unit: the interval is far wider than that of a hundred orders.

    Breaks when rows of one customer are taken for independent ones (Deng, Knoblich & Lu 2018).
    """
    write(
        [Event("large", "Order Completed", instant("2024-05-01") + i * HOUR, {"revenue": 100}) for i in range(100)]
        + [order(f"c{i}", "2024-05-02", 10) for i in range(20)]
    )
    with door(store) as known:
        rows = asked(known, [shipped(known, tmp_path)["average-order-value"]])
    may = next(r for r in rows if r["period"] == date(2024, 5, 1))
    assert may["value"] == pytest.approx((100 * 100 + 20 * 10) / 120)
    assert may["high"] - may["low"] > 50


def test_a_file_stands_in_for_what_ships(store: DuckStore, write: Any, tmp_path: Path) -> None:
    """Breaks when a company can't have its own meaning of a KPI, or a broken file takes the others with it."""
    shop(write)
    (tmp_path / "metrics").mkdir()
    own = 'name: Large orders\nunit: count\nas: sum\nof: count("Order Completed" where revenue > 50)\n'
    (tmp_path / "metrics" / "orders.yaml").write_text(own, encoding="utf-8")
    (tmp_path / "metrics" / "broken.yaml").write_text(own.replace("revenue", "revenu"), encoding="utf-8")
    with door(store) as known:
        found = read_metrics(tmp_path, known.schema, Subject(RULE))
    assert found.find("Large orders").slug == "orders"
    assert "orders" not in found.shipped
    assert "metrics/broken.yaml:4" in str(found.faults["broken"])
    assert found.lacking["nps"] == "no answer on recommending"
    with pytest.raises(Exception, match="Did you mean"):
        found.find("revenu")


def test_periods_end_where_the_day_does(store: DuckStore, write: Any) -> None:
    """Breaks when an order at midnight counts in two periods or in none."""
    write([Event("a", "Order Completed", instant("2024-05-01"), {"revenue": 1}), order("b", "2024-06-01")])
    metric = read_metric(
        'name: o\nunit: count\nas: sum\nof: count("Order Completed")', slug="o", place="metrics/o.yaml"
    )
    with door(store) as known:
        rows = asked(known, [metric])
    assert [r["value"] for r in rows] == [0, 0, 0, 0, 1, 1]
