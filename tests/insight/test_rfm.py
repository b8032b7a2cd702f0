"""RFM against R's numbers, and the laws of the table of 5 × 5.

Broken scores would put customers into the wrong groups without any error, so each row of the oracle is compared.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
from orders import instant, load_orders, order

from shoal.errors import Unsupported
from shoal.insight import rfm
from shoal.insight.sales import open_sales
from shoal.shapes import ORDER_REFUNDED, Event, RevenueRule

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from shoal.sql.duck import DuckStore

# A cell's better neighbours (more recent, or of more worth) may never stand worse.
FRESHNESS = {
    "Lost": 1, "Can't Lose": 1, "Hibernating": 2, "At Risk": 2, "About To Sleep": 3, "Need Attention": 3,
    "Promising": 4, "Potential Loyalist": 4, "Loyal": 4, "New": 5, "Champions": 5,
}  # fmt: skip
WORTH = {
    "Lost": 1, "Hibernating": 1, "About To Sleep": 1, "Promising": 1, "New": 1, "Potential Loyalist": 2,
    "Need Attention": 3, "At Risk": 3, "Loyal": 4, "Can't Lose": 5, "Champions": 5,
}  # fmt: skip


def test_table_is_total_disjoint_and_every_name_is_reachable() -> None:
    """Published rule sets assign 36 of 125 cells to nobody and three names to no cell at all."""
    cells = Counter(cell for name in rfm.GROUPS for cell in rfm.cells(name))
    assert set(cells) == {(r, fm) for r in range(1, 6) for fm in range(1, 6)}
    assert set(cells.values()) == {1}
    assert all(rfm.cells(name) for name in rfm.GROUPS)
    assert set(rfm.MEANING) == set(rfm.GROUPS)
    assert len(rfm.GROUPS) == 11


def test_table_is_monotone() -> None:
    for r in range(1, 6):
        for fm in range(1, 6):
            here = rfm.group(r, fm)
            if r < 5:
                assert FRESHNESS[rfm.group(r + 1, fm)] >= FRESHNESS[here]
            if fm < 5:
                assert WORTH[rfm.group(r, fm + 1)] >= WORTH[here]


@pytest.mark.parametrize("name", rfm.GROUPS)
def test_group_as_text_holds_for_its_cells_and_no_other(name: str) -> None:
    """The text is evaluated here as Python, since its syntax of ranges translates one to one."""
    python = rfm.where(name).replace("rfm_r between ", "r in between ").replace("rfm_fm between ", "fm in between ")
    python = python.replace("rfm_r = ", "r == ").replace("rfm_fm = ", "fm == ")
    for low in range(1, 6):
        for high in range(1, 6):
            python = python.replace(f"between {low} and {high}", f"range({low}, {high + 1})")
    found = {(r, fm) for r in range(1, 6) for fm in range(1, 6) if eval(python, {"r": r, "fm": fm})}
    assert found == set(rfm.cells(name))


def oracle_store(store: DuckStore, folder: Path) -> None:
    path = folder / "oracles" / "rfm_orders.csv"
    load_orders(
        store, f"SELECT customer_id::VARCHAR AS customer, order_date::TIMESTAMP AS moment, revenue FROM '{path}'"
    )


R_CUTS = rfm.CutPoints((115, 181, 297.4, 482), (4, 5, 6, 8), (255.8, 382, 506.4, 666))
"""The cut points that R's ``rfm`` uses on its own data: quintiles of type 7, plus one."""


def test_scores_of_every_row_equal_those_of_r(store: DuckStore, real_data: Path) -> None:
    oracle_store(store, real_data)
    expected = store.rows(
        f"SELECT customer_id::VARCHAR, recency_days, orders, revenue::DOUBLE, R, F, M "
        f"FROM '{real_data / 'oracles' / 'rfm_expected_scores.csv'}' ORDER BY 1"
    )
    with open_sales(store, RevenueRule(), instant("2006-12-31")) as sales:
        found = store.rows(
            "SELECT k.id, s.recency, s.frequency, s.monetary, s.r, s.f, s.m "
            f"FROM {rfm.scores(sales, R_CUTS)} s JOIN customers k ON k.key = s.customer ORDER BY 1"
        )
        champions = store.rows(
            f"SELECT count(*), sum(frequency), sum(monetary) FROM {rfm.scores(sales, R_CUTS)} "
            "WHERE r >= 4 AND f >= 4 AND m >= 4"
        )
    assert found == expected
    assert champions == [(158, 1234, 120178.0)]


def test_own_cut_points_are_the_first_values_above_the_quintiles(store: DuckStore, real_data: Path) -> None:
    """R's type 7 quintiles of this data are 3, 4, 5, 7 orders and 114, 180, 296.4, 481 days."""
    oracle_store(store, real_data)
    with open_sales(store, RevenueRule(), instant("2006-12-31")) as sales:
        cuts = rfm.calibrate(sales)
    assert cuts.frequency == (4, 5, 6, 8)
    assert cuts.recency == (116, 181, 297, 482)
    assert (cuts.bins, cuts.buyers, cuts.note) == (5, 995, "")
    assert rfm.CutPoints.from_document(cuts.to_document()) == cuts


def test_equal_values_get_equal_scores_on_cdnow(store: DuckStore, real_data: Path) -> None:
    """Half of CDNOW's customers ordered once. Ranking by row order would give them three different scores."""
    path = real_data / "cdnow" / "CDNOW_master.txt"
    load_orders(
        store,
        "SELECT w[1] AS customer, strptime(w[2], '%Y%m%d') AS moment, w[4]::DOUBLE AS revenue FROM (SELECT "
        f"regexp_split_to_array(trim(line), '\\s+') AS w FROM read_csv('{path}', columns={{'line': 'VARCHAR'}}, "
        "delim='|', header=true))",
    )
    with open_sales(store, RevenueRule(), instant("1998-07-01")) as sales:
        cuts = rfm.calibrate(sales)
        rows = store.rows(f"SELECT recency, r, frequency, f, monetary, m, fm FROM {rfm.scores(sales, cuts)}")
    assert len(rows) == 23_570
    for value, score in ((0, 1), (2, 3), (4, 5)):
        assert len({row[value] for row in rows}) == len({(row[value], row[score]) for row in rows})
    assert all(row[6] == -(-(row[3] + row[5]) // 2) for row in rows), "FM is the mean of F and M, rounded up"
    used = {row[3] for row in rows}
    assert used == set(range(1, 6)) - set(cuts.empty_scores()["frequency"])
    assert len(used) == 4


def buyers(store: DuckStore, count: int) -> None:
    load_orders(
        store,
        "SELECT 'c' || i AS customer, TIMESTAMP '2020-01-01' + to_days((i * 7 % 300)::INTEGER) AS moment, "
        f"5.0 * i AS revenue FROM range({count}) r(i)",
    )


def test_few_buyers_get_three_scores_with_the_reason(store: DuckStore) -> None:
    buyers(store, 90)
    with open_sales(store, RevenueRule(), instant("2021-01-01")) as sales:
        cuts = rfm.calibrate(sales)
        scores = {row for (row,) in store.rows(f"SELECT r FROM {rfm.scores(sales, cuts)}")}
    assert cuts.bins == 3
    assert scores == {1, 3, 5}
    assert "90 buyers" in cuts.note
    assert "500" in cuts.note


def test_too_few_buyers_are_refused(store: DuckStore) -> None:
    buyers(store, 29)
    with (
        open_sales(store, RevenueRule(), instant("2021-01-01")) as sales,
        pytest.raises(Unsupported, match="there are 29"),
    ):
        rfm.calibrate(sales)


def test_refunds_lower_money_but_are_no_orders(store: DuckStore, write: Callable[[list[Event]], None]) -> None:
    records = [order("a", "2020-01-05", 100), Event("a", ORDER_REFUNDED, instant("2020-01-09"), {"revenue": -30})]
    write(records)
    with open_sales(store, RevenueRule(), instant("2020-01-20", 12)) as sales:
        assert store.rows(f"SELECT recency, frequency, monetary FROM {rfm.per_buyer(sales)}") == [(15, 1, 70.0)]
