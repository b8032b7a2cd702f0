"""The section of micro-segments, from a real discovery: what it says first, what it draws, and who moved."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from markupsafe import escape
from shop import END, make_shop

from shoal.clock import Clock, from_instant, to_instant
from shoal.errors import Refused, UnknownName
from shoal.insight.discovery.model import Model
from shoal.insight.discovery.prepare import CategoryPlan, NumberPlan, Plan
from shoal.insight.discovery.projection import gaps, project
from shoal.insight.holdings import means
from shoal.sql.layout import set_meta
from shoal.views.report import Brief, Facts, Figure, Hint, Table, alone, micro, render
from shoal.views.report.compose import compose
from shoal.views.report.page import Section
from shoal.workspace import open_workspace


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop in which micro-segments were discovered once."""
    root = make_shop(tmp_path_factory.mktemp("micro") / "shop", customers=160, consent=True)
    with open_workspace(root) as ws:
        ws.discovery.discover(groups=(3, 5))
    return root


@pytest.fixture(scope="module")
def once(found: Path) -> Facts:
    """The facts after the first look."""
    with open_workspace(found) as ws:
        return ws.reports.facts()


@pytest.fixture(scope="module")
def twice(found: Path, once: Facts) -> Facts:
    """The facts after customers were looked at again, two months later, twice in a row."""
    for days in (60, 62):
        with open_workspace(found) as ws:
            set_meta(ws.store, "clock_offset", str(Clock.showing(to_instant(END + timedelta(days=days))).offset))
        with open_workspace(found) as ws:
            ws.discovery.assign()
    with open_workspace(found) as ws:
        return ws.reports.facts()


def section_of(facts: Facts) -> Section:
    made = micro.micro_segments(facts)
    assert made is not None
    return made


def blocks(section: Section, kind: type) -> Iterator[Any]:
    return (block for block in section.blocks if isinstance(block, kind))


def test_a_workspace_without_a_discovery_has_no_such_section(facts: Facts) -> None:
    """Breaks when a workspace that never discovered gets an empty section."""
    assert facts.micro is None
    assert micro.micro_segments(facts) is None


def test_it_says_first_how_many_groups_the_data_support(once: Facts) -> None:
    """Breaks when made groups are shown before it is said that they were made."""
    assert once.micro is not None
    record = once.micro.version.found
    none = replace(
        once, micro=replace(once.micro, version=replace(once.micro.version, found=replace(record, supported_k=1)))
    )
    some = replace(
        once, micro=replace(once.micro, version=replace(once.micro.version, found=replace(record, supported_k=3)))
    )
    assert section_of(none).lead.startswith("The data support no groups of their own among 160\xa0customers.")
    assert section_of(some).lead.startswith("The data support 3 groups among 160\xa0customers.")
    counts = {s.standing: sum(o.standing == s.standing for o in record.segments) for s in record.segments}
    assert all(f"{n} {standing}" in section_of(once).lead for standing, n in counts.items())
    told = replace(record, explained={"orders": 0.31, "spend": 0.0449})
    lead = section_of(replace(once, micro=replace(once.micro, version=replace(once.micro.version, found=told)))).lead
    assert (
        "Between the segments lie 31\xa0% of the differences in orders and 4.5\xa0% of the differences in spend."
        in lead
    )


def test_the_table_is_that_of_the_discovery(found: Path, once: Facts) -> None:
    """Breaks when the report and the command line give two sizes, values or standings for one segment."""
    table = _table_of(once)
    with open_workspace(found) as ws:
        said = ws.discovery.table().to_pylist()
    assert [(r["name"].split()[0], r["size"], r["revenue"], r["standing"], r["jaccard"]) for r in table.rows] == [
        (r["id"], r["customers"], r["revenue"], r["standing"], r["jaccard"]) for r in said
    ]
    assert {"constructive", "reproducible", "natural", "distinct"} & {r["standing"] for r in table.rows}
    assert all(r["standing"].capitalize() in table.note for r in table.rows)


def test_the_value_to_come_of_each_segment_is_that_of_its_members(found: Path, twice: Facts) -> None:
    """Breaks when a segment is shown the value of others, or a column of dashes where no model says any."""
    assert twice.micro is not None
    assert "expected" not in [column.key for column in _table_of(twice).columns]
    with open_workspace(found) as ws:
        profiles = [ws.customers.profile(f"C{number:04d}", newest=1) for number in range(160)]
        shown = means(ws.store, "value", "micro_segment", ws.now())
        assert means(ws.store, "value", "no_such_trait", ws.now()) == means(ws.store, "city", "city", ws.now()) == {}
    members: dict[str, list[float]] = {}
    for known in ({trait.name: trait.value for trait in profile.traits} for profile in profiles):
        if "micro_segment" in known and "value" in known:
            members.setdefault(known["micro_segment"], []).append(float(known["value"]))
    assert shown == pytest.approx({one: sum(values) / len(values) for one, values in members.items()})
    table = _table_of(replace(twice, micro=replace(twice.micro, expected=shown, expected_as="value")))
    assert [row["expected"] for row in table.rows] == [shown.get(s.id) for s in twice.micro.version.found.segments]
    assert "expected" in [column.key for column in table.columns]


def _table_of(facts: Facts) -> Table:
    (table,) = (t for t in blocks(section_of(facts), Table) if t.id == "micro-table")
    assert isinstance(table, Table)
    return table


def test_each_persona_shows_the_figure_behind_each_sentence(once: Facts) -> None:
    """Breaks when a sentence of a persona stands without n, or a segment without its card and rule."""
    section = section_of(once)
    (cards,) = (b for b in section.blocks if isinstance(b, tuple) and isinstance(b[0], Brief))
    assert once.micro is not None
    segments = once.micro.version.found.segments
    assert [card.title for card in cards] == [segment.name for segment in segments]
    for card, segment in zip(cards, segments, strict=True):
        assert card.said
        assert all(re.search("n\xa0=\xa0[0-9,]+", behind) for _, behind in card.said)
        assert [name for name, _ in card.figures] == ["Substantial", "Distinct", "Stable", "Responsive", "Actionable"]
        assert dict(card.figures)["Responsive"] == "not known"
        assert card.rule == (segment.rule.where or "")


def test_the_charts_hold_every_segment(once: Facts) -> None:
    """Breaks when a segment is missing from the map, the heat map or the stability."""
    assert once.micro is not None
    ids = {segment.id for segment in once.micro.version.found.segments}
    drawn = {figure.id: figure for figure in blocks(section_of(once), Figure)}
    assert set(drawn) == {"micro-evidence", "micro-stability", "micro-differences", "micro-map"}
    for name in ("micro-stability", "micro-differences", "micro-map"):
        assert {row["id"] for row in drawn[name].rows} == ids
    assert "principal components" in drawn["micro-map"].alt


def test_moves_show_once_customers_were_looked_at_twice(once: Facts, twice: Facts, found: Path) -> None:
    """Breaks when the first look passes for a move of everybody, or moves aren't those that were recorded."""
    assert any("once so far" in hint.text for hint in blocks(section_of(once), Hint))
    assert twice.micro is not None
    first = twice.micro.version.fitted
    assert twice.micro.since == first
    (figure,) = (f for f in blocks(section_of(twice), Figure) if f.id == "micro-moves")
    with open_workspace(found) as ws:
        recorded = ws.discovery.migration(from_instant(first)).to_pylist()
    assert sum(row["customers"] for row in figure.rows) == sum(row["customers"] for row in recorded) == 160
    moved = {(r["from"], r["to"]): r["customers"] for r in recorded if r["from"] != r["to"]}
    assert moved
    assert {
        (r["before"][:3], r["after"][:3]): r["customers"] for r in figure.rows if r["before"] != r["after"]
    } == moved


def test_a_report_of_a_day_before_the_discovery_does_not_know_it(found: Path, once: Facts) -> None:
    """Breaks when a report of a past day shows segments that were found later."""
    with open_workspace(found) as ws:
        assert ws.reports.facts(as_of=END - timedelta(days=5)).micro is None


def test_the_page_stands_and_names_are_inert(once: Facts) -> None:
    """Breaks when a segment called <script> runs in the reader's browser, or a card can't be rendered."""
    assert once.micro is not None
    record = once.micro.version.found
    first, *rest = record.segments
    bad = replace(record, segments=(replace(first, name="<script>alert(1)</script>"), *rest))
    html = render(compose(replace(once, micro=replace(once.micro, version=replace(once.micro.version, found=bad)))))
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert(1)" in html
    assert html.count('class="brief"') == len(record.segments)


# ------------------------------------------------------------ what the centres tell


def planted() -> Model:
    """Two groups that differ by four standard units in orders, by 0.9 against 0.1 in a level, and not at all in age."""
    plan = Plan(
        (NumberPlan("age", "none", 1.0, 0.0, 1.0, 1.0, 0.0), NumberPlan("orders", "none", 1.0, 0.0, 1.0, 0.5, 0.0)),
        (CategoryPlan("city", ("Berlin",), False, False, 2.0),),
        (),
    )
    # In the prepared space each value is multiplied by its column's weight.
    centres = np.array([[0.0, 3.0 * 0.5, 0.9 * 2.0], [0.0, -1.0 * 0.5, 0.1 * 2.0]])
    return Model(plan, centres, ("m01", "m02"), np.zeros((2, 2)))


def test_gaps_are_in_the_units_of_the_columns() -> None:
    """Breaks when the weight of a column, which only counts in distances, changes how far segments are said to lie apart."""
    found = {(g.place, g.column): g for g in gaps(planted(), np.array([100, 300]))}
    assert found[0, "orders"].effect == pytest.approx(4.0)
    assert found[1, "orders"].effect == pytest.approx(-4.0)
    assert found[0, "age"].effect == 0
    assert (found[0, "city"].segment, found[0, "city"].others) == pytest.approx((0.9, 0.1))
    # Cohen's h of 0.9 and 0.1: 2 asin(√.9) − 2 asin(√.1).
    assert found[0, "city"].effect == pytest.approx(1.8546, abs=1e-4)


def test_the_map_keeps_distances_and_names_its_axes() -> None:
    """Breaks when a projection bends what it shows, or its sign hangs on the library."""
    model = planted()
    flat = project(model, np.array([100, 300]))
    assert flat.shown == pytest.approx(1.0)
    assert np.linalg.norm(flat.places[0] - flat.places[1]) == pytest.approx(
        np.linalg.norm(model.centres[0] - model.centres[1])
    )
    assert flat.axes[0] == ("orders", "city")
    assert flat.places[0, 0] > flat.places[1, 0]


def test_a_persona_is_a_card_in_a_notebook(found: Path, once: Facts) -> None:
    """Breaks when the card says something else than the report's, takes a name for markup, or changes the page around it."""
    assert once.micro is not None
    with open_workspace(found) as ws:
        card = ws.reports.persona("m01")
        with pytest.raises(UnknownName):
            ws.reports.persona("m99")
    html = card._repr_html_()
    mine = micro.brief(once.micro.version.found.segments[0])
    assert card.title == mine.title
    assert all(escape(sentence) in html and escape(behind) in html for sentence, behind in mine.said)
    style = html.split("<style>")[1].split("</style>")[0]
    rules = [selector.strip() for line in style.split("}") if "{" in line for selector in line.split("{")[0].split(",")]
    assert all(selector.startswith(".shoal-card") for selector in rules)
    hostile = alone(Brief("<img src=x onerror=alert(1)>", said=[("<script>", "")]))
    assert "<img" not in hostile.html
    assert "<script" not in hostile.html


def test_without_a_discovery_there_is_no_card(shop: Path) -> None:
    with open_workspace(shop) as ws, pytest.raises(Refused):
        ws.reports.persona("m01")
