"""The charts: each is a valid Vega-Lite definition at every width, draws without a browser, and fits its width."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from test_experiment_charts import DRAW as OF_EXPERIMENTS
from test_journey_charts import DRAW as OF_JOURNEYS
from test_model_charts import DRAW as OF_MODELS

from shoal.errors import Refused
from shoal.insight.contracts.retention import Group, Retention, whole_periods
from shoal.stats.survival import kaplan_meier
from shoal.views import charts, theme

MONTHS = [f"2025-{month:02}-01" for month in range(1, 9)]
SAID = {"title": "A finding that is rather long, so that it has to be wrapped on a phone", "subtitle": "Measure, unit"}
GROUPS = list(theme.GROUPS)

DRAW: dict[str, Callable[[int], Any]] = {
    "action_ranges": lambda width: charts.action_ranges(
        [{"segment": "A long name of a segment that buys often", "action": a, "low": low, "high": high, "value": value}
         for a, low, high, value in (("Win back", 20, 4_000, None), ("Thank", -90, 300, 100))], width=width, **SAID),
    "kpi_lines": lambda width: charts.kpi_lines(
        [{"month": m, "value": None if i == 2 else 10.0 * i, "low": 9.0 * i, "high": 11.0 * i, "complete": i < 7}
         for i, m in enumerate(MONTHS)], width=width, **SAID),
    "size_lines": lambda width: charts.size_lines(
        [{"segment": s, "at": m, "size": 10 * i + n} for n, s in enumerate(["A", "A long name of a segment"])
         for i, m in enumerate(MONTHS)], width=width, **SAID),
    "concentration_curve": lambda width: charts.concentration_curve(
        [{"customers": i / 10, "revenue": (i / 10) ** 0.5} for i in range(1, 11)], width=width, **SAID),
    "interval_dots": lambda width: charts.interval_dots(
        [{"name": n, "value": v, "low": v - 9, "high": v + 9, "n": 40, "all": n == "Everyone"}
         for n, v in (("Everyone", 20), ("A", 35))], domain=(-100, 100), width=width, **SAID),
    "retention_curves": lambda width: charts.retention_curves(
        [{"cohort": c, "period": k, "rate": 0.5 / k, "low": 0.4 / k, "high": 0.6 / k}
         for c in ("2025-01", None) for k in (1, 2, 3)], width=width, **SAID),
    "rfm_grid": lambda width: charts.rfm_grid(
        [{"r": r, "fm": fm, "group": GROUPS[(r + fm) % 11], "customers": r * fm, "revenue": 1.0}
         for r in range(1, 6) for fm in range(1, 6)], width=width, **SAID),
    "cohort_heatmap": lambda width: charts.cohort_heatmap(
        [{"cohort": c, "size": 30, "period": k, "rate": 0.3 / k, "complete": k < 3}
         for c in ("2025-01", "2025-02") for k in (1, 2, 3)], width=width, **SAID),
    "overlap_grid": lambda width: charts.overlap_grid(
        [{"a": a, "b": b, "both": 3, "share": 0.4} for a in "ABC" for b in "ABC" if a != b], width=width, **SAID),
    "lifecycle_bars": lambda width: charts.lifecycle_bars(
        [{"month": m, "state": s, "customers": 5, "complete": True} for m in MONTHS
         for s in ("New", "Retained", "Resurrected", "Dormant")], width=width, **SAID),
    "migration_flows": lambda width: charts.migration_flows(
        [{"before": a, "after": b, "customers": 4, "revenue": 9.0} for a in ("Active", "Lapsed") for b in ("Active", "New")],
        order=["Active", "New", "Lapsed"], dates=("1 May", "1 June"), width=width, **SAID),
    "segment_size": lambda width: charts.segment_size(
        [{"day": m, "size": 1_200 + 90 * i, "published": i > 3} for i, m in enumerate(MONTHS)], width=width, **SAID),
    "segment_flow": lambda width: charts.segment_flow(
        [{"day": m, "entered": 40 + 9 * i, "left": 31 * (i % 3)} for i, m in enumerate(MONTHS)], width=width, **SAID),
    **OF_MODELS,
    **OF_EXPERIMENTS,
    **OF_JOURNEYS,
}  # fmt: skip


def stayed() -> Retention:
    """Thirty customers of whom half left, one after the other."""
    months = [float(1 + i % 10) for i in range(30)]
    left = [i % 2 == 0 for i in range(30)]
    curve = kaplan_meier(months, left)
    steps = whole_periods(curve, months)
    groups = tuple(Group(name, 15, 8, curve, steps) for name in ("Monthly, paid by check", "Yearly"))
    return Retention("month", "plan", 30, 15, curve, steps, "plan", groups)


DRAW["survival_curves"] = lambda width: charts.survival_curves(stayed(), width=width, **SAID)


def test_every_chart_is_drawn_here() -> None:
    """Breaks when a new chart is exported and nobody draws it."""
    assert set(DRAW) == set(charts.__all__) - {"to_png", "to_spec", "to_svg"}


@pytest.mark.parametrize("name", DRAW)
def test_a_chart_is_valid_and_fits_its_width(name: str) -> None:
    """Breaks when a definition isn't Vega-Lite (the report skips that check for speed), or a chart outgrows a phone."""
    for width in (theme.WIDE, theme.NARROW):
        chart = DRAW[name](width)
        chart.to_dict(validate=True)
        svg = charts.to_svg(chart)
        (drawn,) = re.findall(r'viewBox="0 0 ([\d.]+) ', svg)
        assert width - 40 <= float(drawn) <= width + 12, f"{name} is {drawn} wide, not {width}"


def test_a_chart_becomes_a_picture() -> None:
    """Breaks when the renderer and the chart's definition no longer fit."""
    assert charts.to_png(DRAW["rfm_grid"](theme.HALF))[:8] == b"\x89PNG\r\n\x1a\n"


def test_unfinished_cells_are_hatched_and_full_ones_are_not() -> None:
    """Breaks when an unfinished cell can't be told from a full one by someone who doesn't see colours."""
    cell = {"cohort": "2025-01", "size": 30, "period": 1, "rate": 0.3}
    hatched, full = (
        charts.to_svg(charts.cohort_heatmap([cell | {"complete": complete}], **SAID)) for complete in (False, True)
    )
    assert hatched.count("<line") - full.count("<line") == 7


def test_a_gap_stays_a_gap() -> None:
    """Breaks when a missing value is drawn as zero, or bridged."""
    rows = [{"month": m, "value": None if i == 3 else 10.0, "complete": True} for i, m in enumerate(MONTHS)]
    svg = charts.to_svg(charts.kpi_lines(rows, **SAID))
    (line,) = re.findall(rf'd="([^"]*)"[^>]*stroke="{theme.ACCENT}" stroke-width="2"', svg)
    assert line.count("M") == 2
    assert line.count("L") == 5


def test_labels_at_the_ends_of_lines_do_not_touch() -> None:
    """Breaks when two segments of equal size write their names over each other."""
    rows = [{"segment": s, "at": m, "size": 100} for s in "ABCDEF" for m in MONTHS]
    spec = charts.to_spec(charts.size_lines(rows, **SAID))
    places = sorted(row["place"] for row in spec["layer"][1]["data"]["values"])
    assert all(b - a >= 5 for a, b in pairwise(places))


def test_a_segment_keeps_its_colour() -> None:
    """Breaks when an RFM group or a lifecycle state gets another colour on another chart."""
    assert theme.colour_of("Champions", ["x", "Champions"]) == theme.GROUPS["Champions"]
    assert theme.colour_of("Lapsed", ["Lapsed"]) == theme.STATES["Lapsed"]
    assert theme.colour_of("b", ["a", "b"]) == theme.PALETTE[1]


def test_an_interval_that_dwarfs_all_values_is_not_drawn() -> None:
    """Breaks when the interval of two orders squeezes the line of a year flat, or reaches below zero."""
    rows = [{"month": m, "value": 50.0, "low": 49.0, "high": 51.0, "complete": True} for m in MONTHS]
    rows[0] |= {"low": -400.0, "high": 500.0}
    rows[1] |= {"low": -10.0, "high": 80.0}
    data = charts.to_spec(charts.kpi_lines(rows, **SAID))["data"]["values"]
    assert [(row["low"], row["high"]) for row in data[:3]] == [(None, None), (0.0, 80.0), (49.0, 51.0)]


def test_a_range_that_is_hardly_wider_than_nothing_is_seen() -> None:
    """Breaks when an action with 423 to 424 at stake beside one of 40,000 leaves no mark, or two names that are cut alike
    become one row."""
    names = ("Customers who bought something often and lately", "Customers who bought something often and early")
    rows = [{"segment": name, "action": "Thank", "low": low, "high": high, "value": None}
            for name, low, high in zip(names, (423, 8_000), (424, 40_000), strict=True)]  # fmt: skip
    svg = charts.to_svg(charts.action_ranges(rows, width=theme.NARROW, **SAID))
    assert len(re.findall(rf'stroke="{theme.ACCENT}" stroke-width="1.5"', svg)) == 2
    with pytest.raises(Refused):
        charts.action_ranges([], **SAID)
