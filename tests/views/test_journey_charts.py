"""The charts of journeys: what they draw is what was counted, and a title claims no more than intervals bear."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from itertools import pairwise
from typing import Any

import pyarrow as pa
import pytest

from shoal.insight.cohorts import Cohorts
from shoal.insight.funnels import Funnel, Step
from shoal.insight.paths import Flow, Path, Paths
from shoal.stats.intervals import wilson
from shoal.views import charts, theme
from shoal.views.charts.journeys import cohorts_say, funnel_says, growth_says, paths_say

NAMES = ("Page Viewed", '"Product Viewed" where category in ("shoes", "hats") and price > 10', "Order Completed")
SAID = "Share of customers who took the first step, in order within 7 days"


def steps(counts: Sequence[int]) -> tuple[Step, ...]:
    """Steps with so many customers."""
    before = [counts[0], *counts]
    return tuple(
        Step(name, n, wilson(n, counts[0]), wilson(n, was), None if n is counts[0] else 60.0, 0)
        for name, n, was in zip(NAMES, counts, before, strict=False)
    )


def funnel(counts: Sequence[int], groups: dict[str, Sequence[int]] | None = None) -> Funnel:
    """A funnel with so many customers a step."""
    return Funnel(steps(counts), {k: steps(n) for k, n in (groups or {}).items()}, (), 0, 1, 1, ordered=True, over=True)


GROUPED = funnel((300, 120, 40), {"A group with a rather long name": (150, 80, 30), "B": (150, 40, 10)})
FLOWS = (
    Flow(0, "Page Viewed", "/a page with a rather long name", 50), Flow(0, "Page Viewed", None, 30),
    Flow(0, "Page Viewed", "(other)", 20), Flow(1, "/a page with a rather long name", "Order Completed", 35),
    Flow(1, "/a page with a rather long name", None, 15), Flow(1, "(other)", "Order Completed", 20),
)  # fmt: skip
PATHS = Paths(
    100, (Path(("Page Viewed", "/a page with a rather long name", "Order Completed"), 35, wilson(35, 100)),
          Path(("Page Viewed",), 30, wilson(30, 100))),
    35, 4, FLOWS, False, 0, 1, None,
)  # fmt: skip


def cohorts(grain: Any = "week") -> Cohorts:
    """Two cohorts of a hundred; of the second one age isn't over."""
    rows = [
        {"cohort": first, "age": age, "month": first, "size": 100, "active": active, "rate": active / 100, "low": 0.0,
         "high": 1.0, "finished": finished}
        for first, cells in ((date(2025, 1, 6), [(100, True), (40, True), (9, True)]),
                             (date(2025, 1, 13), [(100, True), (60, True), (2, False)]))
        for age, (active, finished) in enumerate(cells)
    ]  # fmt: skip
    return Cohorts(pa.Table.from_pylist(rows), grain, "on")


GROWTH = [
    {"period": date(2025, 1, 6 + 7 * at), "new": 30 - at, "retained": 10 * at, "resurrected": at,
     "dormant": None if at == 3 else 12 * at, "active": 30 + 10 * at, "finished": at < 3}
    for at in range(4)
]  # fmt: skip

DRAW: dict[str, Callable[[int], Any]] = {
    "funnel_bars": lambda width: charts.funnel_bars(GROUPED, said=SAID, width=width),
    "path_flows": lambda width: charts.path_flows(PATHS, said=SAID, width=width),
    "growth_bars": lambda width: charts.growth_bars(GROWTH, grain="week", said=SAID, width=width),
    "cohort_cells": lambda width: charts.cohort_cells(cohorts(), said=SAID, width=width),
}


@pytest.mark.parametrize("width", [theme.WIDE, theme.NARROW])
def test_groups_are_drawn_beside_each_other(width: int) -> None:
    """Breaks when a group has no dot at a step, or the axis doesn't hold an interval."""
    spec = charts.to_spec(charts.funnel_bars(GROUPED, said=SAID, by="plan", width=width))
    rows = spec["data"]["values"]
    assert {(row["group"], row["step"]) for row in rows} == {(g, at) for g in GROUPED.groups for at in (2, 3)}
    domain = spec["layer"][0]["encoding"]["x"]["scale"]["domain"]
    assert domain[0] == 0
    assert max(row["overall_high"] for row in rows) <= domain[1] <= 1


def test_what_a_funnel_says() -> None:
    """Breaks when the title names the wrong step, or a difference within the intervals."""
    assert funnel_says(funnel((300, 120, 40))) == "13% come through; most are lost after step 1, 180 of 300"
    assert funnel_says(funnel((10, 10, 10))) == "All come through"
    assert funnel_says(GROUPED, "plan") == "By plan, 20% of A group with a rather long name come through, and 6.7% of B"
    close = funnel((40, 20, 10), {"A": (20, 12, 6), "B": (20, 8, 4)})
    assert funnel_says(close, "plan") == "Groups don't clearly differ: 20% to 30% come through"


def test_what_paths_and_cohorts_say() -> None:
    """Breaks when the title isn't the most common path, or an age of one cohort alone is said of all."""
    assert paths_say(PATHS).startswith("Most common, 35%: Page Viewed → /a page")
    assert cohorts_say(cohorts()) == "50% were back one week after"
    assert growth_says(GROWTH, "week") == "In the week of 2025-01-20 more came than went silent: 30 against 24"
    assert growth_says(GROWTH[:1], "week") == "No week after the first is over yet"


def test_ribbons_are_as_high_as_their_customers_and_leave_no_gap() -> None:
    """Breaks when what flows out of a block isn't what the flows say, or two ribbons overlap at a block."""
    spec = charts.to_spec(charts.path_flows(PATHS, said=SAID))
    points = spec["layer"][0]["data"]["values"]
    ends: dict[int, list[tuple[float, float]]] = {0: [], 1: []}
    for number, flow in enumerate(sorted({p["flow"] for p in points})):
        mine = [p for p in points if p["flow"] == flow]
        assert all(p["y1"] - p["y0"] == pytest.approx(mine[0]["customers"]) for p in mine), number
        ends[int(mine[0]["x"])].append((mine[0]["y0"], mine[0]["y1"]))
    assert all(a[1] <= b[0] + 1e-9 for side in ends.values() for a, b in pairwise(sorted(side)))
    blocks = {(b["x"], b["name"]): b["customers"] for b in spec["layer"][1]["data"]["values"]}
    assert blocks[1, "/a page with a rather long name"] == 50
    assert blocks[2, "Order Completed"] == 55
    assert blocks[1, "nothing more"] == 30
