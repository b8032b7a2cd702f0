"""The charts of models and micro-segments: what they draw is what the rows hold, and nothing is drawn from nothing."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from shoal.clock import DAY
from shoal.errors import Refused
from shoal.insight.models.model import Backtest, Measure, Period
from shoal.views import charts, theme
from shoal.views.charts import models

CALIBRATION = [
    {"foretold": 0.1 * i + 0.05, "came": 0.1 * i + 0.04, "low": 0.1 * i, "high": 0.1 * i + 0.09, "n": 100}
    for i in range(5)
]
DECILES = [
    {"decile": i + 1, "n": 50, "foretold": 0.5 * lift, "came": 0.5 * lift, "lift": lift, "gain": gain}
    for i, (lift, gain) in enumerate(zip((3.0, 2.0, 1.5, 1.0, 0.8, 0.6, 0.5, 0.3, 0.2, 0.1),
                                         (0.3, 0.5, 0.65, 0.75, 0.83, 0.89, 0.94, 0.97, 0.99, 1.0), strict=True))
]  # fmt: skip
# Expected and actual orders in the holdout of CDNOW by repeat orders before (BG/NBD): oracle 7 of the reference numbers.
CDNOW = [
    {"frequency": i, "customers": n, "foretold": foretold, "came": came}
    for i, (n, foretold, came) in enumerate(zip(
        (1411, 439, 214, 100, 62, 38, 29, 64), (0.225, 0.523, 1.044, 1.520, 2.164, 2.654, 3.504, 6.157),
        (0.237, 0.697, 1.393, 1.560, 2.532, 2.947, 3.862, 6.359), strict=True))
]  # fmt: skip
WEEKS = [
    {"week": float(i), "foretold": 10.0, "came": 9.0 + i % 3, "foretold_sum": 10.0 * i, "came_sum": 11.0 * i}
    for i in range(1, 30)
]
NAMES = ("model", "recency", "a baseline with a long name")
PERIODS = [
    {"who": who, "what": "auc", "cut": f"2025-0{m}-01", "until": f"2025-0{m + 1}-01", "value": 0.8 - 0.02 * i + 0.01 * m,
     "low": None if i else 0.7, "high": None if i else 0.9, "n": 100}
    for m in (1, 2, 3) for i, who in enumerate(NAMES)
]  # fmt: skip
STEPS = [{"low": 2.0**i, "high": 2.0 ** (i + 1), "customers": 10 * i, "value": 1.0} for i in range(12)]
SEGMENTS = [
    {"id": f"m{i + 1:02}", "segment": f"Frequent buyers of things with a long name {i}", "x": float(i % 4), "y": float(i // 4),
     "customers": 10 * (20 - i), "jaccard": 0.4 + 0.03 * i, "kind": "constructive" if i % 2 else "natural"}
    for i in range(20)
]  # fmt: skip
EFFECTS = [
    {"id": s["id"], "segment": s["segment"], "trait": f"Days since the newest order of {t}", "effect": t - 2.0,
     "said": "12 against 40"}
    for s in SEGMENTS for t in range(5)
]  # fmt: skip
LOOKED = [{"k": k, "silhouette": 0.3 / k, "null_silhouette": 0.2 / k} for k in range(2, 21)]
SAID = {"title": "A finding that is rather long, so that it has to be wrapped on a phone", "subtitle": "Measure, unit"}

DRAW: dict[str, Callable[[int], Any]] = {
    "calibration_curve": lambda width: charts.calibration_curve(CALIBRATION, width=width),
    "lift_bars": lambda width: charts.lift_bars(DECILES, width=width),
    "gain_curve": lambda width: charts.gain_curve(DECILES, width=width),
    "frequency_bars": lambda width: charts.frequency_bars(CDNOW, width=width),
    "week_lines": lambda width: charts.week_lines(WEEKS, cut=20.0, width=width),
    "backtest_periods": lambda width: charts.backtest_periods(PERIODS, width=width),
    "value_histogram": lambda width: charts.value_histogram(STEPS, currency="$", width=width, **SAID),
    "groups_evidence": lambda width: charts.groups_evidence(LOOKED, chosen=12, width=width, **SAID),
    "segment_map": lambda width: charts.segment_map(SEGMENTS, axes=("orders", "spend"), width=width, **SAID),
    "difference_grid": lambda width: charts.difference_grid(EFFECTS, width=width, **SAID),
    "stability_dots": lambda width: charts.stability_dots(SEGMENTS, width=width, **SAID),
}
EMPTY: dict[str, Callable[[], Any]] = {
    "calibration_curve": lambda: charts.calibration_curve([]),
    "lift_bars": lambda: charts.lift_bars([]),
    "gain_curve": lambda: charts.gain_curve([]),
    "frequency_bars": lambda: charts.frequency_bars([]),
    "week_lines": lambda: charts.week_lines([]),
    "backtest_periods": lambda: charts.backtest_periods([row | {"value": None} for row in PERIODS]),
    "value_histogram": lambda: charts.value_histogram(
        [{"low": 0.0, "high": 0.0, "customers": 9, "value": 0.0}], **SAID
    ),
    "groups_evidence": lambda: charts.groups_evidence([], chosen=1, **SAID),
    "segment_map": lambda: charts.segment_map([], axes=("", ""), **SAID),
    "difference_grid": lambda: charts.difference_grid([], **SAID),
    "stability_dots": lambda: charts.stability_dots([], **SAID),
}


def layers_of(spec: dict[str, Any]) -> list[dict[str, Any]]:
    """All marks of a chart, however its layers are nested."""
    if "layer" not in spec:
        return [spec]
    return [mark for part in spec["layer"] for mark in layers_of({"data": spec.get("data"), **part})]


@pytest.mark.parametrize("name", EMPTY)
def test_nothing_is_drawn_from_nothing(name: str) -> None:
    """Breaks when rows that hold nothing give an empty picture, and nobody is told what to do."""
    with pytest.raises(Refused, match=r"shoal (predict|discover)"):
        EMPTY[name]()


@pytest.mark.parametrize("name", DRAW)
def test_a_reader_who_does_not_see_it_is_told_what_it_shows(name: str) -> None:
    """Breaks when a picture has no description, or one without the finding."""
    spec = charts.to_spec(DRAW[name](theme.WIDE))
    assert len(spec["description"]) > 20
    assert spec["description"].startswith(" ".join(spec["title"]["text"]))


def test_chances_that_hold_are_told_from_those_that_do_not() -> None:
    """Breaks when the title of a calibration says the same of good and of bad chances."""
    bad = [row | {"came": row["came"] / 2, "low": row["low"] / 2, "high": row["high"] / 2} for row in CALIBRATION]
    assert (
        models.calibration_says(CALIBRATION)
        == "25\xa0% were foretold and 24\xa0% came; 5 of 5 groups lie within their interval"
    )
    assert (
        models.calibration_says(bad)
        == "25\xa0% were foretold and 12\xa0% came; 0 of 5 groups lie within their interval"
    )


def test_the_interval_of_each_bin_is_drawn() -> None:
    """Breaks when calibration loses its intervals, so that three customers look as sure as three thousand."""
    rules = [
        mark
        for mark in layers_of(charts.to_spec(DRAW["calibration_curve"](theme.WIDE)))
        if mark["mark"]["type"] == "rule"
    ]
    assert [(mark["encoding"]["y"]["field"], mark["encoding"]["y2"]["field"]) for mark in rules] == [("low", "high")]


def test_gain_reads_off_the_best_fifth_by_customers_not_by_tenths() -> None:
    """Breaks when tenths of unequal size, as ties give, are taken for equal ones."""
    assert models.gain_says(DECILES) == "20\xa0% of customers with the highest scores hold 50\xa0% of all that came"
    lumps = [{"decile": 1, "n": 400, "gain": 0.9}, {"decile": 5, "n": 600, "gain": 1.0}]
    assert models.gain_says(lumps) == "40\xa0% of customers with the highest scores hold 90\xa0% of all that came"


def test_scores_that_rank_nobody_are_not_praised() -> None:
    """Breaks when a lift of one is told as a finding."""
    flat = [row | {"lift": 1.0} for row in DECILES]
    assert models.lift_says(DECILES).startswith("The highest tenth came to 3.0 ×")
    assert models.lift_says(flat).startswith("High scores don't stand out")


def test_the_holdout_of_cdnow_is_told_as_published() -> None:
    """Breaks when totals by frequency don't weigh by customers: 1,653 of 1,882 orders (Fader, Hardie and Lee 2005)."""
    said = models.frequency_says(CDNOW)
    foretold, came = (int(text.replace(",", "")) for text in (said.split(" ")[0], said.split(" and ")[1].split(" ")[0]))
    assert foretold == pytest.approx(1653.4, rel=0.002)
    assert came == pytest.approx(1882, rel=0.002)


def test_the_last_group_by_frequency_holds_all_above() -> None:
    """Breaks when 7 and more repeat orders are read as exactly 7."""
    bars = layers_of(charts.to_spec(DRAW["frequency_bars"](theme.WIDE)))[0]
    assert [row["group"].split("|")[0] for row in bars["data"]["values"]] == [*"0123456", "7+"]


def test_the_sum_over_weeks_says_which_way_it_is_off() -> None:
    """Breaks when too low is called too high, or the error is taken of the wrong total."""
    assert models.weeks_say(WEEKS, summed=True) == "290 repeat orders expected, 319 came: 9.1\xa0% too low"
    high = [row | {"foretold_sum": row["came_sum"] * 1.5} for row in WEEKS]
    assert models.weeks_say(high, summed=True).endswith("50\xa0% too high")


def test_a_backtest_of_several_periods_becomes_rows_by_period() -> None:
    """Breaks when the rows lose a period, a baseline or an interval; one period has no line to draw."""
    cuts = (20_000 * DAY, 20_090 * DAY)
    found = (Measure("model", "auc", 0.8, 0.7, 0.9, 120), Measure("recency", "auc", 0.75))
    periods = tuple(Period(cut, cut + 90 * DAY, 100, found) for cut in cuts)
    rows = models.period_rows(Backtest("who buys", periods, "auc", True))
    assert [(row["cut"], row["until"]) for row in rows[::2]] == [
        ("2024-10-04", "2025-01-02"),
        ("2025-01-02", "2025-04-02"),
    ]
    assert [row["n"] for row in rows[:2]] == [120, 100]
    several, one = (charts.to_spec(charts.backtest_periods(part)) for part in (rows, rows[:2]))
    assert "line" in {mark["mark"]["type"] for mark in layers_of(several)}
    assert "line" not in {mark["mark"]["type"] for mark in layers_of(one)}


def test_names_beside_lines_do_not_touch() -> None:
    """Breaks when a model and a baseline of equal worth write their names over each other."""
    same = [row | {"value": 0.8} for row in PERIODS]
    texts = [
        mark for mark in layers_of(charts.to_spec(charts.backtest_periods(same))) if mark["mark"]["type"] == "text"
    ]
    places = sorted(row["place"] for row in texts[-1]["data"]["values"])
    domain = texts[-1]["encoding"]["y"]["scale"]["domain"]
    pixels = [(b - a) / (domain[1] - domain[0]) * 230 for a, b in pairwise(places)]
    assert min(pixels) >= 13


def test_two_traits_cut_to_the_same_text_stay_two_rows() -> None:
    """Breaks when shortened names fall together on a phone, and one trait's colours hide the other's."""
    alike = [
        row | {"trait": f"Orders of the department of frozen meat {row['trait'][-1]} in 365 days"} for row in EFFECTS
    ]
    cells = layers_of(charts.to_spec(charts.difference_grid(alike, width=theme.NARROW, **SAID)))[0]
    assert len({row["row"] for row in cells["data"]["values"]}) == 5


def test_made_segments_can_be_told_without_colour() -> None:
    """Breaks when only a colour says that a segment was made rather than found."""
    points = [m for m in layers_of(charts.to_spec(DRAW["stability_dots"](theme.WIDE))) if m["mark"]["type"] == "point"]
    assert [(mark["transform"][0]["filter"], mark["mark"]["filled"]) for mark in points] == [
        ("!datum.made", True),
        ("datum.made", False),
    ]
