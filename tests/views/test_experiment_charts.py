"""Charts of experiments and pilots: what is drawn says what the rows say, and nothing by colour alone."""

from __future__ import annotations

from collections.abc import Callable
from math import inf
from typing import Any

import pytest

from shoal.errors import Refused
from shoal.views import charts

SAID: dict[str, Any] = {
    "title": "A finding that is rather long, so that it has to be wrapped on a phone",
    "subtitle": "Measure, unit",
}
DAYS = [f"2026-03-{day:02}" for day in range(1, 15)]
ARMS = ("A mail with a long name of its own", "Another mail")

FOREST = [
    {"metric": metric, "arm": arm, "value": value, "low": low, "high": high, "role": role, "better": better}
    for metric, arm, value, low, high, role, better in (
        ("Visits", ARMS[0], 0.43, 0.36, 0.50, "primary", "higher"),
        ("Spend of a customer within two weeks", ARMS[0], 0.65, -0.05, 1.30, "secondary", "higher"),
        ("Unsubscribed", ARMS[0], 0.12, 0.02, 0.22, "guardrail", "lower"),
        ("Unsubscribed", ARMS[1], -0.02, None, 0.08, "guardrail", "lower"),
        ("Complaints", ARMS[1], -0.3, -inf, -0.1, "guardrail", "lower"),
    )
]
COURSE = [
    {"arm": arm, "at": day, "value": 0.2 + 0.1 * n, "low": -4 / i, "high": 4 / i}
    for n, arm in enumerate(ARMS) for i, day in enumerate(DAYS, 1)
]  # fmt: skip
SIZES = [
    {"arm": arm, "at": day, "share": share, "expected": 0.5, "low": 0.5 - 0.1 / i, "high": 0.5 + 0.1 / i}
    for arm, share in zip(ARMS, (0.52, 0.48), strict=True) for i, day in enumerate(DAYS, 1)
]  # fmt: skip
WHOLE = {"segment": None, "n": 900, "value": 0.05, "low": 0.04, "high": 0.06, "shrunk": None, "shrunk_low": None,
         "shrunk_high": None}  # fmt: skip
PARTS = [
    {"segment": name, "n": 300, "value": v, "low": v - 0.05, "high": v + 0.05, "shrunk": 0.05, "shrunk_low": 0.02,
     "shrunk_high": 0.08} for name, v in (("A long name of a segment that buys often", 0.09), ("Few", 0.01))
]  # fmt: skip
# KPIS.md: exposed 100,000 with 1,200 conversions, holdout 100,000 with 900; spend 50,000, order value 80, margin 40 %.
MONEY: list[dict[str, Any]] = [
    {"step": "Incremental revenue", "amount": 24_000, "total": False, "low": 16_800, "high": 31_200},
    {"step": "Cost of goods", "amount": -14_400, "total": False},
    {"step": "Spend", "amount": -50_000, "total": False},
    {"step": "Profit", "amount": -40_400, "total": True, "low": -43_280, "high": -37_520},
]
BOARD = [
    {"name": name, "kind": kind, "value": v, "low": low, "high": high, "shrunk": shrunk}
    for name, kind, v, low, high, shrunk in (
        ("Win back lapsed customers by mail", "pilot", 42_000, 12_000, 72_000, 31_000),
        ("Spring", "experiment", 16_000, -2_000, 34_000, None),
        ("A coupon for everybody who ever bought", "campaign", -9_000, -20_000, -200, -4_000),
    )
]

DRAW: dict[str, Callable[[int], Any]] = {
    "effect_forest": lambda width: charts.effect_forest(FOREST, width=width, **SAID),
    "cumulative_effect": lambda width: charts.cumulative_effect(COURSE, width=width, **SAID),
    "sample_ratio_lines": lambda width: charts.sample_ratio_lines(SIZES, width=width, **SAID),
    "segment_effects": lambda width: charts.segment_effects([WHOLE, *PARTS], width=width, **SAID),
    "roi_waterfall": lambda width: charts.roi_waterfall(MONEY, width=width, **SAID),
    "scoreboard_bars": lambda width: charts.scoreboard_bars(BOARD, width=width, **SAID),
}


def layers(chart: Any) -> list[dict[str, Any]]:
    """All layers of a chart, those within layers too."""
    open_, found = [charts.to_spec(chart)], []
    while open_:
        spec = open_.pop(0)
        found.append(spec)
        open_ += spec.get("layer", [])
    return found


def domain_of(chart: Any, axis: str) -> list[float]:
    """The ends of an axis."""
    scales = (layer.get("encoding", {}).get(axis, {}).get("scale", {}) for layer in layers(chart))
    return next(scale["domain"] for scale in scales if "domain" in scale)


def rows_of(chart: Any, key: str) -> list[dict[str, Any]]:
    """The rows of the first data that hold a key."""
    pools = (layer.get("data", {}).get("values") for layer in layers(chart))
    return next(rows for rows in pools if rows and key in rows[0])


def test_what_chance_may_explain_is_drawn_hollow_and_a_guardrail_as_a_diamond() -> None:
    """Breaks when an effect that may be chance looks as sure as one that isn't, or only its colour tells."""
    states = [row["state"] for row in rows_of(charts.effect_forest(FOREST, **SAID), "state")]
    assert states == ["good", "open", "bad", "open", "good"]
    marks = [layer["mark"] for layer in layers(charts.effect_forest(FOREST, **SAID)) if "mark" in layer]
    points = [mark for mark in marks if mark["type"] == "point"]
    assert {(mark["shape"], mark["filled"]) for mark in points} == {
        ("diamond", True), ("diamond", False), ("circle", True), ("circle", False),
    }  # fmt: skip


def test_an_open_interval_ends_at_the_edge_and_says_so() -> None:
    """Breaks when a one-sided interval is drawn as if it ended, or its infinite end breaks the axis."""
    chart = charts.effect_forest(FOREST, **SAID)
    row = rows_of(chart, "state")[3]
    assert row["low"] == domain_of(chart, "x")[0]
    assert row["said"] == "−2.00% (no limit to +8.00%)"


def test_bands_of_the_first_days_do_not_flatten_the_rest() -> None:
    """Breaks when the width of the first day's band decides the scale."""
    rows = [row | ({"low": -400, "high": 400} if row["at"] == DAYS[0] else {}) for row in COURSE]
    assert max(map(abs, domain_of(charts.cumulative_effect(rows, **SAID), "y"))) < 1


def test_every_share_of_an_arm_is_on_the_picture() -> None:
    """Breaks when an arm that lost half of its units early lies outside of the plot."""
    rows = [row | ({"share": 0.9} if row["at"] == DAYS[0] and row["arm"] == ARMS[0] else {}) for row in SIZES]
    assert domain_of(charts.sample_ratio_lines(rows, **SAID), "y")[1] >= 0.9


def test_the_waterfall_adds_up_to_the_test_vector() -> None:
    """KPIS.md: incremental profit −40,400. Breaks when a bar doesn't begin where the one before it ended."""
    steps = rows_of(charts.roi_waterfall(MONEY, **SAID), "begin")
    assert [(step["begin"], step["end"]) for step in steps] == [
        (0.0, 24_000), (24_000, 9_600), (9_600, -40_400), (0.0, -40_400),
    ]  # fmt: skip
    assert steps[-2]["end"] == steps[-1]["end"], "the total is the sum of the steps"
    assert steps[0]["said"] == "24,000 (16,800 to 31,200)"


def test_a_gain_that_may_be_chance_is_not_coloured_as_one() -> None:
    """Breaks when a campaign whose interval spans 0 looks like a success."""
    states = [row["state"] for row in rows_of(charts.scoreboard_bars(BOARD, **SAID), "state")]
    assert states == ["good", "open", "bad"]


@pytest.mark.parametrize("name", DRAW)
def test_nothing_to_draw_is_refused(name: str) -> None:
    """Breaks when an empty chart is drawn, which looks as if nothing had happened."""
    with pytest.raises(Refused, match="no row"):
        getattr(charts, name)([], **SAID)
