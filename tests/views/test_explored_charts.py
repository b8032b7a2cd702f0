"""Charts of what pages explore: what is drawn is what was counted, and marks keep where they lead."""

from __future__ import annotations

from typing import Any

import pytest

from shoal.views import theme
from shoal.views.charts import migration_flows, to_spec, to_svg
from shoal.views.charts.explored import kpi_dots, part_bars, place_bars, place_map, transition_grid

SIZES = [("Champions", 60), ("Mailed", 50), ("Weekend", 5)]
PARTS = [
    {"inside": ["Champions", "Mailed"], "customers": 40, "href": "/a"},
    {"inside": ["Champions"], "customers": 20, "href": "/b"},
    {"inside": ["Mailed", "Weekend"], "customers": 5},
]
MOVES = [
    {"before": "New", "after": "Active", "customers": 30, "share": 0.75, "revenue": 900.0, "href": "/n"},
    {"before": "New", "after": "Lapsed", "customers": 10, "share": 0.25, "revenue": 0.0},
    {"before": "Active", "after": "Active", "customers": 60, "share": 1.0, "revenue": 4000.0},
]
DATES = ("1 March", "1 June")


def datasets(chart: Any) -> list[list[dict[str, Any]]]:
    """All rows that a chart holds, by set."""
    found: list[list[dict[str, Any]]] = []

    def walk(part: Any) -> None:
        if isinstance(part, dict):
            if isinstance(part.get("values"), list) and part["values"] and isinstance(part["values"][0], dict):
                found.append(part["values"])
            for inner in part.values():
                walk(inner)
        elif isinstance(part, list):
            for inner in part:
                walk(inner)

    walk(dict(to_spec(chart)))
    return found


def has(rows: list[list[dict[str, Any]]], key: str) -> list[dict[str, Any]]:
    return next(each for each in rows if key in each[0])


@pytest.mark.parametrize("width", [theme.WIDE, theme.NARROW])
def test_parts_are_bars_over_the_segments_that_they_are_in(width: int) -> None:
    """Breaks when a bar stands over other segments than its part, or its height isn't its number."""
    chart = part_bars(PARTS, SIZES, title="t", subtitle="s", width=width)
    rows = datasets(chart)
    bars = has(rows, "top")
    assert [row["customers"] for row in bars] == [40, 20, 5]
    heights = [row["top"] - row["base"] for row in bars]
    assert heights[0] == pytest.approx(2 * heights[1]) == pytest.approx(8 * heights[2])
    dots = has(rows, "in")
    filled = {(row["x"], SIZES[int(-row["y"])][0]) for row in dots if row["in"]}
    assert filled == {(0, "Champions"), (0, "Mailed"), (1, "Champions"), (2, "Mailed"), (2, "Weekend")}
    assert [row.get("href") for row in bars] == ["/a", "/b", None]
    assert {(row["x"], row["y"], row["y2"]) for row in has(rows, "y2")} == {(0, -0.5, -1.5), (2, -1.5, -2.5)}
    assert "Champions" in to_svg(chart)


def test_a_narrow_picture_has_fewer_parts() -> None:
    """Breaks when more bars are drawn than a phone has room for."""
    many = [{"inside": ["Champions"], "customers": n} for n in range(30, 0, -1)]
    assert len(has(datasets(part_bars(many, SIZES, title="t", subtitle="s", width=theme.NARROW)), "top")) == 8
    assert len(has(datasets(part_bars(many, SIZES, title="t", subtitle="s")), "top")) == 20


def test_transitions_stand_in_the_order_of_states() -> None:
    """Breaks when a cell stands at other states than its customers moved between, or names without customers have rows."""
    order = ("New", "Active", "Won back", "Lapsed")
    chart = transition_grid(MOVES, order=order, title="t", subtitle="s", dates=DATES)
    spec = str(dict(to_spec(chart)))
    assert "['New', 'Active']" in spec
    assert "['Active', 'Lapsed']" in spec
    assert "Won back" not in spec
    svg = to_svg(chart)
    assert all(f">{number}<" in svg for number in (30, 10, 60))


def test_a_ribbon_and_an_end_lead_where_their_rows_say() -> None:
    """Breaks when a click on a ribbon leads nowhere, or one on a state of now to somebody else."""
    order = ("New", "Active", "Lapsed")
    chart = migration_flows(MOVES, title="t", subtitle="s", order=order, dates=DATES, ends={"Active": "/active"})
    rows = datasets(chart)
    ribbons = has(rows, "flow")
    assert [row["flow"] for row in ribbons if "href" in row] == ["New → Active"]
    assert next(row for row in ribbons if row["flow"] == "New → Active")["href"] == "/n"
    ends = [row for row in has(rows, "side") if "href" in row]
    assert [(row["name"], row["side"], row["href"]) for row in ends] == [("Active", "after", "/active")]


def test_a_kpi_without_a_value_is_no_dot() -> None:
    """Breaks when a segment that has no value is drawn as zero, or everyone isn't told from segments."""
    row = {"low": None, "high": None, "n": 3, "said": "1"}
    rows = [
        {"name": "Everyone", "value": 10.0, "all": True} | row, {"name": "A", "value": None, "all": False} | row,
        {"name": "B", "value": 12.0, "all": False} | row | {"low": 9.0, "high": 15.0},
    ]  # fmt: skip
    found = datasets(kpi_dots(rows, title="t", subtitle="s", unit="money"))
    assert {each["name"] for rows_ in found for each in rows_} == {"Everyone", "B"}
    assert len({each["colour"] for each in found[-1]} | {theme.INK}) == 2


def test_places_are_bars_and_squares_dots() -> None:
    """Breaks when a place has no bar, or the map is so small that a dot at its rim is cut."""
    bars = [{"name": "Kenya", "customers": 9, "share": 0.9, "low": 0.6, "high": 0.98, "href": "/k"}]
    assert ">Kenya<" in to_svg(place_bars(bars, title="t", subtitle="s"))
    dots = [{"latitude": -1.5, "longitude": 36.5, "customers": 4}, {"latitude": 0.5, "longitude": 40.5, "customers": 2}]
    spec = dict(to_spec(place_map(dots, title="t", subtitle="s")))
    (south, north), (west, east) = (spec["encoding"][axis]["scale"]["domain"] for axis in ("y", "x"))
    assert south < -1.5 < 0.5 < north
    assert west < 36.5 < 40.5 < east
