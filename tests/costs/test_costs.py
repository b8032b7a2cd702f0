"""Cost KPIs: the test vector, the same figures worked out in plain Python, and what is refused."""

from __future__ import annotations

import csv
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from statistics import median
from typing import Any

import pytest

import shoal
from costs.shop import DAYS, FIRST, SETTINGS, SPENT
from shoal.errors import Refused, UnknownName
from shoal.insight.metrics.closing import closing
from shoal.insight.metrics.figures import COLUMNS


def rows(folder: Path, name: str) -> list[dict[str, str]]:
    """The rows of one of the shop's files."""
    with (folder / f"{name}.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def traced(folder: Path) -> list[tuple[dict[str, str], list[str], bool]]:
    """Each order with the channels of the touches since the one before and of the 30 days before, and whether it is a first."""
    touches: dict[str, list[tuple[datetime, str]]] = defaultdict(list)
    for row in rows(folder, "clicks"):
        touches[row["customer"]].append((at(row["at"]), row["channel"]))
    for row in rows(folder, "mails"):
        touches[row["customer"]].append((at(row["at"]), "Newsletter Opened"))
    before: dict[str, datetime] = {}
    found = []
    for order in sorted(rows(folder, "orders"), key=lambda row: row["at"]):
        who, when = order["customer"], at(order["at"])
        since = max(before.get(who, datetime(2000, 1, 1, tzinfo=UTC)), when - timedelta(days=30, microseconds=1))
        found.append((order, [c for t, c in sorted(touches[who]) if since < t <= when], who not in before))
        before[who] = when
    return found


def one(found: Any, metric: str, group: str | None = None) -> Any:
    """The only figure of a KPI for a group."""
    (figure,) = found.find(metric, group)
    return figure


def test_figures_are_those_of_plain_python(lamps: shoal.Workspace, lamp_folder: Path) -> None:
    """Breaks when spend, paths, shares or the order of division is wrong: each KPI from the files, by linear attribution."""
    found = lamps.costs(by="channel").found
    value, margin, won = defaultdict(float), defaultdict(float), defaultdict(float)
    for order, channels, first in traced(lamp_folder):
        for channel in channels:
            value[channel] += float(order["revenue"]) / len(channels)
            margin[channel] += (float(order["revenue"]) - float(order["cost"])) / len(channels)
            won[channel] += first / len(channels)
    clicks = rows(lamp_folder, "clicks")
    for name in ("Search", "Social", "Affiliate"):
        spent, channel = SPENT[name] * DAYS, name.lower()
        mine = sum(row["channel"] == channel for row in clicks)
        assert one(found, "spend", name).value == spent
        assert one(found, "roas", name).value == pytest.approx(value[channel] / spent)
        assert one(found, "marketing-roi", name).value == pytest.approx((margin[channel] - spent) / spent)
        assert one(found, "cost-per-acquisition", name).value == pytest.approx(spent / won[channel])
        assert one(found, "cost-per-click", name).value == pytest.approx(spent / mine)
        shown = sum(int(row["impressions"] or 0) for row in rows(lamp_folder, "spend") if row["channel"] == name)
        assert one(found, "ad-click-through-rate", name).value == pytest.approx(mine / shown)
    spent = sum(SPENT.values()) * DAYS
    paid = sum(value[name.lower()] for name in SPENT)
    buyers = len({row["customer"] for row in rows(lamp_folder, "orders")})
    assert one(found, "roas").value == pytest.approx(paid / spent)
    assert one(found, "cost-per-acquisition").value == pytest.approx(spent / buyers)
    # Television knows no clicks: its money is in no cost per click.
    known = spent - SPENT["TV"] * DAYS
    assert one(found, "cost-per-click").value == pytest.approx(known / len(clicks))


def test_what_is_behind_a_figure_and_how_sure_it_is(lamps: shoal.Workspace, lamp_folder: Path) -> None:
    """Breaks when n counts touches for conversions, an estimate has no interval, or a count of all has one."""
    found = lamps.costs(by="channel").found
    paths = traced(lamp_folder)
    assert one(found, "roas", "Search").n == sum("search" in channels for _, channels, _ in paths)
    assert one(found, "cost-per-acquisition", "Social").n == sum(first and "social" in c for _, c, first in paths)
    paid = {"search", "social", "affiliate"}
    assert one(found, "roas").n == sum(bool(paid & set(channels)) for _, channels, _ in paths)
    for figure in found.figures:
        estimate = figure.metric in ("roas", "marketing-roi") or (
            figure.metric == "cost-per-acquisition" and figure.group
        )
        if figure.value is None or not estimate:
            assert (figure.low, figure.high) == (None, None)
        else:
            assert figure.low < figure.value < figure.high


def test_periods_are_parts_of_the_whole(lamps: shoal.Workspace) -> None:
    """Breaks when a day's spend, or an order of the evening, falls into no month or into two."""
    whole, months = lamps.costs(by="channel").found, lamps.costs(by="channel", grain="month").found
    for group in (None, "Search", "Social"):
        assert sum(m.value for m in months.find("spend", group)) == one(whole, "spend", group).value
        revenue = sum(
            m.value * s.value for m, s in zip(months.find("roas", group), months.find("spend", group), strict=True)
        )
        assert revenue == pytest.approx(one(whole, "roas", group).value * one(whole, "spend", group).value)
    assert [m.period.finished for m in months.find("spend")] == [True] * 5 + [False]
    table = lamps.costs(grain="month").table()
    assert tuple(table.column_names) == COLUMNS
    assert table["period"].to_pylist()[:2] == [date(2026, 1, 1), date(2026, 2, 1)]


def test_a_span_of_days_counts_both_ends(lamps: shoal.Workspace, lamp_folder: Path) -> None:
    """Breaks when the last day is left out, or spend is read over other days than orders."""
    found = lamps.costs(start="2026-02-10", end="2026-02-12").found
    assert one(found, "spend").value == 3 * sum(SPENT.values())
    firsts: dict[str, str] = {}
    for row in rows(lamp_folder, "orders"):
        firsts[row["customer"]] = min(row["at"][:10], firsts.get(row["customer"], "9999"))
    new = sum("2026-02-10" <= day <= "2026-02-12" for day in firsts.values())
    assert one(found, "cost-per-acquisition").n == new
    with pytest.raises(Refused, match="reaches from 2026-01-01 to 2026-06-30"):
        lamps.costs(start="2025-02-10", end="2025-02-12")


def test_every_figure_names_its_model_window_and_reach(lamps: shoal.Workspace) -> None:
    """Breaks when an attributed figure is printed without saying by what, or an unnamed channel goes without a word."""
    found = lamps.costs(by="channel", model="first").found
    for slug in ("roas", "marketing-roi", "cost-per-acquisition"):
        assert "first touch: the first touch gets all; touches of the 30 days before" in found.kpis[slug].definition
    assert any("TV" in note for note in found.notes)
    assert [str(FIRST + timedelta(days=d)) for d in (0, DAYS - 1)] == [str(day) for day in _reach(found)]
    with pytest.raises(UnknownName, match="first"):
        lamps.costs(model="frist")


def _reach(found: Any) -> list[date]:
    return [date(1970, 1, 1) + timedelta(days=day) for day in found.reaches]


# ------------------------------------------------------------ the test vector, and what is missing

VECTOR = """\
shoal: 1
clock: data-end
currency: USD
revenue: {events: {Order Completed: revenue}, cost: {Order Completed: cost}}
attribution: {touches: {Ad Clicked: channel}}
sources:
  orders:
    from: orders.csv
    events: [{event: Order Completed, customer: customer, at: at, properties: {revenue: revenue, cost: cost}}]
  clicks:
    from: clicks.csv
    events: [{event: Ad Clicked, customer: customer, at: at, properties: {channel: channel}}]
  ads:
    from: spend.csv
    spend: {day: day, amount: cost, channel: channel}
"""


def vector(root: Path, settings: str = VECTOR) -> Path:
    """1,200 orders of 80 with a margin of 40 %, each after a click of the only campaign, which cost 50,000."""
    orders = "".join(f"c{i},2026-05-02,80,48\n" for i in range(1_200))
    clicks = "".join(f"c{i},2026-05-01,search\n" for i in range(1_200))
    (root / "orders.csv").write_text(f"customer,at,revenue,cost\n{orders}")
    (root / "clicks.csv").write_text(f"customer,at,channel\n{clicks}")
    (root / "spend.csv").write_text("day,cost,channel\n2026-05-01,20000.50,search\n2026-05-02,29999.50,search\n")
    (root / "shoal.yaml").write_text(settings)
    return root


def test_the_test_vector(tmp_path: Path) -> None:
    """Breaks when ROAS takes margin, ROI takes revenue, or a total is rounded: attributed ROAS of the vector is 1.92."""
    with shoal.open(vector(tmp_path)) as ws:
        ws.load()
        found = ws.costs().found
    assert one(found, "roas").value == 1.92
    assert one(found, "marketing-roi").value == pytest.approx((0.4 * 96_000 - 50_000) / 50_000)
    assert one(found, "cost-per-acquisition").value == pytest.approx(50_000 / 1_200)
    assert (one(found, "roas").n, one(found, "spend").n) == (1_200, 2)
    # All of them bought the same: whoever is drawn anew, the sum is that.
    assert (one(found, "roas").low, one(found, "roas").high) == (1.92, 1.92)
    assert found.missing.keys() == {"ad-click-through-rate", "cost-per-click"}


@pytest.mark.parametrize(
    ("settings", "slug", "said"),
    [
        (
            VECTOR.replace(", cost: {Order Completed: cost}", ""),
            "marketing-roi",
            "revenue: {cost: {Order Completed: cost}}",
        ),
        (VECTOR.replace("attribution: {touches: {Ad Clicked: channel}}\n", ""), "roas", "attribution: {touches:"),
    ],
)
def test_what_cant_be_said_says_the_way(tmp_path: Path, settings: str, slug: str, said: str) -> None:
    """Breaks when revenue stands in for margin, or all spend for what it was attributed to."""
    with shoal.open(vector(tmp_path, settings)) as ws:
        ws.load()
        found = ws.costs().found
    assert slug not in found.kpis
    assert said in found.missing[slug]
    assert one(found, "cost-per-acquisition").value == pytest.approx(50_000 / 1_200)


def test_without_spend_there_are_no_cost_kpis(tmp_path: Path) -> None:
    """Breaks when nothing spent comes out as zero, or as a division by it."""
    settings = VECTOR[: VECTOR.index("  ads:")]
    with shoal.open(vector(tmp_path, settings)) as ws:
        ws.load()
        with pytest.raises(Refused, match=r"spend: \{day: date"):
            ws.costs()


def test_unknown_cost_of_some_orders_is_said(tmp_path: Path) -> None:
    """Breaks when an order whose cost isn't known counts as one that cost nothing."""
    root = vector(tmp_path)
    text = (root / "orders.csv").read_text().replace("c0,2026-05-02,80,48", "c0,2026-05-02,80,")
    (root / "orders.csv").write_text(text)
    with shoal.open(root) as ws:
        ws.load()
        found = ws.costs().found
    assert one(found, "marketing-roi").value == pytest.approx((1_199 * 32 - 50_000) / 50_000)
    assert "Of 1 conversions the cost isn't known" in found.notes[0]


def test_acquisition_spend_is_what_the_settings_say(tmp_path: Path) -> None:
    """Breaks when what keeps customers is counted among what wins them."""
    root = vector(tmp_path, VECTOR + "costs: {acquisition: {channels: [SEARCH]}}\n")
    with (root / "spend.csv").open("a") as file:
        file.write("2026-05-01,10000,mail to customers\n")
    with shoal.open(root) as ws:
        ws.load()
        found = ws.costs().found
    assert one(found, "spend").value == 60_000
    assert one(found, "cost-per-acquisition").value == pytest.approx(50_000 / 1_200)
    assert "Acquisition spend (SEARCH)" in found.kpis["cost-per-acquisition"].definition


def test_acquisition_spend_that_no_line_bears_isnt_none_spent(tmp_path: Path) -> None:
    """Breaks when a slip of the pen in the settings makes customers cost nothing."""
    with shoal.open(vector(tmp_path, VECTOR + "costs: {acquisition: {channels: [serch]}}\n")) as ws:
        ws.load()
        found = ws.costs().found
    assert "cost-per-acquisition" not in found.kpis
    assert 'Did you mean "search"?' in found.notes[-1]


def test_spend_of_a_day_that_only_begins_isnt_known_yet(tmp_path: Path) -> None:
    """Breaks when a day's spend is held against none of its orders, as of that day's first instant."""
    with shoal.open(vector(tmp_path)) as ws:
        ws.load()
        assert one(ws.costs(as_of="2026-05-02").found, "spend").value == 20_000.50
        assert one(ws.costs(as_of="2026-05-03").found, "spend").value == 50_000


# ------------------------------------------------------------ close rate and sales cycle


def test_closing_is_that_of_plain_python(lamps: shoal.Workspace, lamp_folder: Path) -> None:
    """Breaks when young leads count, customers count as leads, or a late order closes."""
    leads: dict[str, datetime] = {}
    for row in rows(lamp_folder, "samples"):
        leads[row["customer"]] = min(at(row["at"]), leads.get(row["customer"], at(row["at"])))
    orders: dict[str, datetime] = {}
    for row in rows(lamp_folder, "orders"):
        orders[row["customer"]] = min(at(row["at"]), orders.get(row["customer"], at(row["at"])))
    now = datetime.fromtimestamp(lamps.now() / 1e6, UTC)
    new = {who: when for who, when in leads.items() if who not in orders or orders[who] >= when}
    old = {who: when for who, when in new.items() if when <= now - timedelta(days=60)}
    took = [(orders[who] - when) / timedelta(days=1) for who, when in old.items() if who in orders]
    took = [days for days in took if days <= 60]
    found = lamps.costs().closing
    assert found is not None
    assert (found.leads, found.closed) == (len(old), len(took))
    assert (found.young, found.customers) == (len(new) - len(old), len(leads) - len(new))
    assert found.rate.value == pytest.approx(len(took) / len(old))
    assert found.days[0.5].value == pytest.approx(median(took), abs=0.5)
    assert found.days[0.5].low < found.days[0.5].value < found.days[0.5].high
    assert found.days[0.25].value < found.days[0.5].value < found.days[0.75].value


def test_leads_without_the_time_to_close_are_no_failures(lamps: shoal.Workspace) -> None:
    """Breaks when the close rate falls in a month of many new leads: at each date only old leads count, over the same time."""
    with lamps.models.as_of() as known:
        whole = closing(known, ["Sample Requested"], 60)
        with known.before(lamps.instant("2026-03-03")) as early:
            then = closing(early, ["Sample Requested"], 60)
            assert then.leads < 10 < then.young
        with known.before(lamps.instant("2026-02-01")) as never, pytest.raises(Refused, match="60 days ago"):
            closing(never, ["Sample Requested"], 60)
        with pytest.raises(UnknownName, match="Sample Requested"):
            closing(known, ["Sample Request"], 60)
    assert whole.leads > then.leads


def test_without_a_lead_event_the_first_touch_is_the_lead(tmp_path: Path) -> None:
    """Breaks when nothing says what a lead is, though touches do."""
    with shoal.open(vector(tmp_path, VECTOR + "costs: {within: 1 days}\n")) as ws:
        ws.load()
        found = ws.costs().closing
    assert found is not None
    assert found.events == ("Ad Clicked",)
    assert (found.rate.value, found.days[0.5].value) == (1.0, 1.0)


def test_the_settings_of_the_shop_are_read(lamps: shoal.Workspace) -> None:
    """Breaks when the shop of these tests isn't the one that its settings describe."""
    assert "model: linear" in SETTINGS
    assert lamps.config.attribution is not None
    assert lamps.config.attribution.model == "linear"
