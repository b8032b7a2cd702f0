"""KPIs, cohorts, concentration, feedback and migration, against the facts that are known of Online Retail.

A wrong denominator or a refund counted as an order would pass unseen in a report; so each figure is held against an
independent one.
"""

from __future__ import annotations

import itertools
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
from orders import Memberships, instant, load_orders, order

from shoal.insight import lifecycle, migration, rfm
from shoal.insight.cohorts import Asked, Mode, cohorts, retention
from shoal.insight.feedback.asked import asked
from shoal.insight.feedback.scores import standings
from shoal.insight.growth import growth
from shoal.insight.metrics.trading import concentration, kpis, overall
from shoal.insight.models.asof import AsOf
from shoal.insight.sales import open_sales
from shoal.lang.parse import parse_events
from shoal.lang.schema import Schema
from shoal.shapes import ORDER_COMPLETED, ORDER_REFUNDED, SURVEY_ANSWERED, Event, FeedbackRule, RevenueRule
from shoal.sql.registry import learned_schema
from shoal.stats.intervals import net_promoter, wilson

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    import pyarrow as pa

    from shoal.insight.sales import Sales
    from shoal.sql.duck import DuckStore

RULE = RevenueRule()
END = instant("2011-12-10")

_INVOICES = (
    "SELECT CustomerID::INTEGER::VARCHAR AS customer, min(InvoiceDate) AS moment, sum(Quantity * UnitPrice) AS revenue "
    "FROM '{path}' WHERE CustomerID IS NOT NULL AND {test} GROUP BY CustomerID, InvoiceNo"
)


@pytest.fixture
def cleaned(store: DuckStore, real_data: Path) -> Iterator[Sales]:
    """Online Retail, cleaned: customer known, quantity and price above 0."""
    path = real_data / "online_retail" / "online_retail.parquet"
    load_orders(store, _INVOICES.format(path=path, test="Quantity > 0 AND UnitPrice > 0"))
    with open_sales(store, RULE, END) as sales:
        yield sales


@pytest.fixture
def raw(store: DuckStore, real_data: Path) -> Iterator[Sales]:
    """Online Retail with every row that has a customer: cancellations come as refunds."""
    path = real_data / "online_retail" / "online_retail.parquet"
    load_orders(store, _INVOICES.format(path=path, test="InvoiceNo NOT LIKE 'C%'"))
    load_orders(store, _INVOICES.format(path=path, test="InvoiceNo LIKE 'C%'"), event=ORDER_REFUNDED)
    with open_sales(store, RULE, END) as sales:
        yield sales


def cell(table: pa.Table, cohort: date, age: int) -> dict[str, Any]:
    (found,) = [row for row in table.to_pylist() if row["cohort"] == cohort and row["age"] == age]
    return dict(found)


def figures(table: pa.Table, kpi: str) -> dict[date, dict[str, Any]]:
    return {row["period"]: row for row in table.to_pylist() if row["kpi"].startswith(kpi)}


# ------------------------------------------------------------ cohorts


def test_cohort_of_december_2010_cleaned(cleaned: Sales) -> None:
    table, first = retention(cleaned), date(2010, 12, 1)
    assert [cell(table, first, age)["active"] for age in range(3)] == [885, 324, 286]
    assert cell(table, first, 1)["rate"] == pytest.approx(324 / 885)
    assert (cell(table, first, 1)["low"], cell(table, first, 1)["high"]) == pytest.approx(wilson(324, 885)[1:])


def test_cohort_of_december_2010_with_any_row(raw: Sales) -> None:
    table, first = retention(raw, any_line=True), date(2010, 12, 1)
    assert [cell(table, first, age)["active"] for age in range(3)] == [948, 362, 317]
    assert round(cell(table, first, 1)["rate"], 3) == 0.382


@pytest.mark.parametrize("mode", ["on", "on or after"])
def test_cohorts_by_any_event_give_the_same_triangle(cleaned: Sales, store: DuckStore, mode: Mode) -> None:
    """Breaks when first orders are cut into months otherwise than by the report."""
    traits, events = learned_schema(store)
    known = AsOf(store, RULE, Schema(traits=traits, events=events), END)
    bought = parse_events(f'"{ORDER_COMPLETED}"')
    assert cohorts(known, Asked(bought, bought, mode=mode)).found == retention(cleaned, mode=mode)


def test_growth_by_any_event_is_lifecycle_over_time(cleaned: Sales, store: DuckStore) -> None:
    """Breaks when a customer is new, back or silent in another month than in the report."""
    traits, events = learned_schema(store)
    known = AsOf(store, RULE, Schema(traits=traits, events=events), END)
    found = growth(known, parse_events(f'"{ORDER_COMPLETED}"'))
    assert (
        found.rename_columns(["month", *found.column_names[1:]]).to_pylist() == lifecycle.over_time(cleaned).to_pylist()
    )


def test_triangle_is_whole_and_its_last_diagonal_unfinished(cleaned: Sales) -> None:
    """A running month drawn like the others would look like a collapse of retention."""
    rows = retention(cleaned).to_pylist()
    assert len(rows) == 13 * 14 // 2
    assert {row["month"] for row in rows if not row["finished"]} == {date(2011, 12, 1)}
    assert all(row["active"] == row["size"] for row in rows if row["age"] == 0)
    assert sum(row["size"] for row in rows if row["age"] == 0) == 4338


def test_on_or_after_never_rises_and_is_never_below_on(cleaned: Sales) -> None:
    on = {(r["cohort"], r["age"]): r["active"] for r in retention(cleaned).to_pylist()}
    after = {(r["cohort"], r["age"]): r["active"] for r in retention(cleaned, mode="on or after").to_pylist()}
    assert on.keys() == after.keys()
    assert all(after[key] >= on[key] for key in on)
    assert all(after[c, a + 1] <= after[c, a] for c, a in after if (c, a + 1) in after)


# ------------------------------------------------------------ KPIs


def test_whole_span_gives_the_known_facts(cleaned: Sales) -> None:
    """18,532 invoices, 4,338 customers, £8,911,407.904, 65.58 % of them repeating."""
    found = {row["kpi"].split(",")[0]: row for row in overall(cleaned, 90).to_pylist()}
    assert found["revenue"]["value"] == pytest.approx(8_911_407.904, abs=0.001)
    assert (found["orders"]["value"], found["active customers"]["value"]) == (18_532, 4_338)
    assert found["new customers"]["value"] == 4_338
    assert round(found["repeat purchase rate"]["value"], 4) == 0.6558
    assert found["average order value"]["value"] == pytest.approx(8_911_407.904 / 18_532)
    assert found["margin"]["value"] is None
    assert "no cost data" in found["margin"]["definition"]


def test_months_add_up_to_the_whole(cleaned: Sales) -> None:
    table = kpis(cleaned, 90)
    revenue, new = figures(table, "revenue"), figures(table, "new")
    assert len(revenue) == 13
    assert sum(row["value"] for row in revenue.values()) == pytest.approx(8_911_407.904, abs=0.001)
    assert sum(row["value"] for row in new.values()) == 4_338
    assert [row["finished"] for row in revenue.values()] == [True] * 12 + [False]
    assert all(row["low"] < row["value"] < row["high"] for row in figures(table, "average order value").values())
    assert all(row["definition"].endswith(".") for row in table.to_pylist())


def test_churn_by_silence_against_sets(cleaned: Sales) -> None:
    """At the end of September: who bought in the 60 days before the last 60, and of those who didn't in the last."""
    end, silence = (date(2011, 9, 30) - date(1970, 1, 1)).days, 60
    days: dict[int, set[int]] = {}
    for customer, day in cleaned.store.rows(f"SELECT DISTINCT customer, day FROM {cleaned.table}"):
        days.setdefault(customer, set()).add(day)
    base = {c for c, d in days.items() if any(end - 2 * silence < x <= end - silence for x in d)}
    gone = {c for c in base if not any(end - silence < x <= end for x in days[c])}
    table = figures(kpis(cleaned, silence), "churn, silent for 60 days")
    found = table[date(2011, 9, 1)]
    assert (found["n"], found["value"]) == (len(base), pytest.approx(len(gone) / len(base)))
    assert found["better"] == "lower"
    assert table[date(2011, 2, 1)]["value"] is None, "the data doesn't reach back 120 days yet"
    assert table[date(2011, 4, 1)]["value"] is not None


def test_refunds_margin_and_empty_months(store: DuckStore, write: Callable[[list[Any]], None]) -> None:
    """A refund in its own month lowers revenue there; a month without orders is there with zeros and no rates."""
    write(
        [
            order("a", "2020-01-10", 100, cost=60),
            order("a", "2020-01-20", 50, cost=20),
            order("b", "2020-01-20", 50),
            Event("a", ORDER_REFUNDED, instant("2020-03-05"), {"revenue": -30}),
        ]
    )
    with open_sales(store, RevenueRule(cost={ORDER_COMPLETED: "cost"}), instant("2020-03-20")) as sales:
        table = kpis(sales, 30)
    january, february, march = date(2020, 1, 1), date(2020, 2, 1), date(2020, 3, 1)
    assert [figures(table, "revenue")[m]["value"] for m in (january, february, march)] == [200, 0, -30]
    assert [figures(table, "margin")[m]["value"] for m in (january, march)] == [70, -30]
    assert figures(table, "average order value")[february]["value"] is None
    assert figures(table, "repeat purchase rate")[january]["value"] == 0.5
    assert figures(table, "orders")[march]["value"] == 0


def test_weeks_begin_on_monday(store: DuckStore, write: Callable[[list[Any]], None]) -> None:
    write([order("a", "2020-01-05"), order("a", "2020-01-06")])
    with open_sales(store, RULE, instant("2020-01-08")) as sales:
        assert list(figures(kpis(sales, 30, grain="week"), "orders")) == [date(2019, 12, 30), date(2020, 1, 6)]


# ------------------------------------------------------------ concentration


def test_best_fifth_brings_three_quarters(cleaned: Sales) -> None:
    table = concentration(cleaned)
    rows = {row["percent"]: row for row in table.to_pylist()}
    assert round(rows[20]["share"], 3) == 0.746
    assert rows[20]["customers"] == 868
    assert rows[100]["share"] == 1
    assert rows[100]["revenue"] == pytest.approx(8_911_407.904, abs=0.001)
    shares = [rows[p]["share"] for p in range(1, 101)]
    assert all(a <= b for a, b in itertools.pairwise(shares))


# ------------------------------------------------------------ feedback


def test_feedback_takes_the_newest_answer_of_each_customer(
    store: DuckStore, write: Callable[[list[Any]], None]
) -> None:
    answers = {"a": [3, 10], "b": [9], "c": [8], "d": [0], "e": [6]}
    write(
        [
            Event(who, SURVEY_ANSWERED, instant("2020-01-01") + i, {"nps": score, "csat": 1 + score // 3})
            for who, scores in answers.items()
            for i, score in enumerate(scores)
        ]
    )
    people = Memberships(store, instant("2020-02-01"), {"x": {"a", "b"}, "none": set()})
    nps, csat = (
        {s.slug: s for s in standings(store, people, asked(store, measure, FeedbackRule()))}
        for measure in ("nps", "csat")
    )
    assert nps.keys() == csat.keys() == {None, "x"}
    assert nps[None].estimate.value == 0
    assert nps["x"].n == 2
    assert nps["x"].estimate == net_promoter(2, 0, 0)
    assert csat[None].estimate.value == pytest.approx(2 / 5)


# ------------------------------------------------------------ migration


def test_lifecycle_migration_keeps_everyone_and_their_money(cleaned: Sales) -> None:
    """Rows sum to the states of the earlier date, and revenue to that of the time between."""
    before, cycle = instant("2011-09-10"), lifecycle.measure_cycle(cleaned)
    rows = migration.of_lifecycle(cleaned, cycle, before).to_pylist()
    assert sum(row["customers"] for row in rows) == 4338
    earlier = cleaned.store.rows(f"SELECT count(DISTINCT customer) FROM {cleaned.table} WHERE ts <= {before}")[0][0]
    assert sum(row["customers"] for row in rows if row["source"] != migration.NOT_YET) == earlier
    (between,) = cleaned.store.rows(f"SELECT sum(revenue) / 1e6 FROM {cleaned.table} WHERE ts > {before}")[0]
    assert sum(row["revenue"] for row in rows) == pytest.approx(between)
    assert {row["target"] for row in rows} <= set(lifecycle.STATES)
    for source in {row["source"] for row in rows}:
        assert sum(row["share"] for row in rows if row["source"] == source) == pytest.approx(1)


def test_rfm_migration_uses_the_same_cut_points(cleaned: Sales) -> None:
    cuts, before = rfm.calibrate(cleaned), instant("2011-09-10")
    rows = migration.of_rfm(cleaned, cuts, before).to_pylist()
    now = dict(cleaned.store.rows(f"SELECT segment, count(*) FROM {rfm.scores(cleaned, cuts)} GROUP BY 1"))
    targets: dict[str, int] = {}
    for row in rows:
        targets[row["target"]] = targets.get(row["target"], 0) + row["customers"]
    assert targets == now
    assert {row["source"] for row in rows} <= {*rfm.GROUPS, migration.NEVER_ORDERED}


def test_segments_migrate_by_priority_and_flow(store: DuckStore, write: Callable[[list[Any]], None]) -> None:
    """a is in both and counts for the first; b leaves, c comes, d is new."""
    write([order(who, "2020-01-01", 10) for who in "abc"] + [order("d", "2020-03-01", 70), order("a", "2020-03-01", 5)])
    before = Memberships(store, instant("2020-02-01"), {"vip": {"a"}, "fan": {"a", "b"}}, table="earlier")
    now = Memberships(store, instant("2020-04-01"), {"vip": {"a", "d"}, "fan": {"c"}, "new": {"d"}})
    with open_sales(store, RULE, now.at) as sales:
        rows = migration.of_segments(sales, before, now, ["vip", "fan"]).to_pylist()
    found = {(r["source"], r["target"]): (r["customers"], r["revenue"]) for r in rows}
    assert found == {
        ("vip", "vip"): (1, 5.0),
        ("fan", migration.IN_NONE): (1, 0.0),
        (migration.IN_NONE, "fan"): (1, 0.0),
        (migration.NOT_YET, "vip"): (1, 70.0),
    }
    flows = {row.pop("slug"): row for row in migration.flows(store, before, now).to_pylist()}
    assert flows == {
        "vip": {"stayed": 1, "entered": 1, "left": 0},
        "fan": {"stayed": 0, "entered": 1, "left": 2},
    }


# ------------------------------------------------------------ no data at all


def test_frames_of_an_empty_workspace_are_empty_and_not_errors(store: DuckStore) -> None:
    """A report on a workspace in which nothing was loaded yet shows empty pages."""
    with open_sales(store, RULE, END) as sales:
        assert kpis(sales, 60).num_rows == 0
        assert {row["value"] for row in overall(sales, 60).to_pylist()} == {0.0, None}
        assert retention(sales).num_rows == 0
        assert retention(sales, mode="on or after").num_rows == 0
        assert concentration(sales).num_rows == 0
        assert lifecycle.over_time(sales).num_rows == 0
        assert migration.of_lifecycle(sales, lifecycle.Cycle(30, 90), instant("2011-01-01")).num_rows == 0
    nobody = Memberships(store, END, {"x": set()})
    assert migration.flows(store, nobody, nobody).to_pylist() == [{"slug": "x", "stayed": 0, "entered": 0, "left": 0}]


def test_customers_without_orders_are_prospects_in_every_frame(
    store: DuckStore, write: Callable[[list[Any]], None]
) -> None:
    write([Event("a", "Signed Up", instant("2011-03-01"))])
    with open_sales(store, RULE, END) as sales:
        rows = migration.of_lifecycle(sales, lifecycle.Cycle(30, 90), instant("2011-01-01")).to_pylist()
        assert kpis(sales, 60).num_rows == 0
    assert [(row["source"], row["target"]) for row in rows] == [(migration.NOT_YET, "Prospect")]
