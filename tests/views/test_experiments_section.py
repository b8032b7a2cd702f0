"""The sections on what was tried, from a shop with a planted story: what they show, and what they never claim."""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any

import pytest

from pilots.shops import COST, PILOT, SETTINGS, at, before, make, open_workspace, orders, put
from shoal.insight.experiments.assignment import Assignment
from shoal.insight.pilots.definition import HELD_OUT
from shoal.insight.pilots.definition import PILOT as DRAWN
from shoal.shapes import Event, TraitChange
from shoal.views import charts, theme
from shoal.views.report import Facts, Figure, Fold, Hint, Table, experiments
from shoal.views.report.compose import compose, sections
from shoal.views.report.page import Section, render

N = 2000
ARMS = Assignment("pilot-win", {HELD_OUT: 0.3, DRAWN: 0.7})
COUPON = Assignment("coupon", {"control": 0.5, "five": 0.25, "ten": 0.25})
EXPERIMENT = """name: Coupon on the start page
arms: {control: 50%, five: 25%, ten: 25%}
primary: orders
secondary: [revenue]
guardrails: [{average-order-value: 5%}]
plan: {kind: fixed, days: 28}
"""
COMPARED = """name: Regions compared
arms: {south: 50%, north: 50%}
primary: orders
randomised: no
exposure: {trait: region}
"""
TRIALS = "trials:\n  spring: {arm: arm, control: held, action: thank, within: 5 days, only: {campaign: spring}}\n"


def more(who: str, i: int) -> float:
    return (0.6 if ARMS.arm(who) == DRAWN and i % 2 else 0.0) + (0.3 if COUPON.arm(who) == "ten" else 0.0)


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Facts:
    """A pilot that paid in the north, an experiment with one arm that helps, a trial, and campaigns without lots."""
    files = {"pilots/win.yaml": PILOT, "experiments/coupon.yaml": EXPERIMENT, "experiments/later.yaml": EXPERIMENT}
    draw = random.Random(4)
    with open_workspace(make(tmp_path_factory.mktemp("tried") / "shop", files, SETTINGS + COST + TRIALS)) as ws:
        before(ws, N)
        ws.pilots.start("win")
        ws.experiments.start("coupon")
        records: list[Any] = list(orders(N, (0.1, 29.9), more, 2))
        for i in range(N):
            viewed = {"experiment_id": "coupon", "variation_id": COUPON.arm(f"c{i}")}
            records.append(Event(f"c{i}", "Experiment Viewed", at(draw.uniform(0.05, 10)), viewed))
        for i in range(600):
            sent = {"campaign": "spring", "arm": "held" if i % 3 == 0 else "got"}
            records.append(Event(f"c{i}", "Campaign Sent", at(10), sent))
        records += [Event(f"c{i}", "Campaign Sent", at(12), {"campaign": "<b>summer</b>"}) for i in range(0, 300, 2)]
        put(ws, records, at(31))
        return ws.reports.facts()


def blocks(section: Section | None, kind: type) -> list[Any]:
    assert section is not None
    return [block for block in section.blocks if isinstance(block, kind)]


def test_the_scoreboard_is_that_of_the_workspace(told: Facts) -> None:
    """Breaks when report and command name another figure, or another order, for one campaign."""
    assert told.tried is not None
    section = experiments.scoreboard(told)
    (table,) = blocks(section, Table)
    board = told.tried.board
    assert [row["name"] for row in table.rows] == [one.name for one in board.entries]
    assert {row["kind"] for row in table.rows} == {"pilot", "experiment", "trial"}
    for row, one in zip(table.rows, board.entries, strict=True):
        assert one.money.revenue is not None
        assert row["revenue"].sort == one.money.revenue.value
        assert row["held"] == f"{one.money.holdout:,}\xa0held\xa0out"
    (figure,) = blocks(section, Figure)
    assert [row["value"] for row in figure.rows] == [row["revenue"].sort for row in table.rows]


def test_a_campaign_without_lots_has_no_figure(told: Facts) -> None:
    """Breaks when a campaign that nobody was held out of stands among those with a figure."""
    section = experiments.scoreboard(told)
    (fold,) = blocks(section, Fold)
    assert any("<b>summer</b> (150\xa0customers)" in line for _, lines in fold.entries for line in lines)
    assert not any("summer" in str(row) for table in blocks(section, Table) for row in table.rows)


def test_a_pilot_stands_with_its_promise_its_baseline_and_its_verdict(told: Facts) -> None:
    """Breaks when a verdict is shown without what was promised or what stood before."""
    assert told.tried is not None
    (found,) = told.tried.pilots
    section = experiments.pilots(told)
    kpis, by_segment = blocks(section, Table)
    for row, one in zip(kpis.rows, found.kpis, strict=True):
        assert (row["goal"], row["verdict"]) == (one.goal.text, one.kind)
        assert one.baseline is not None
        assert row["before"].sort == one.baseline.value
    assert [row["segment"] for row in by_segment.rows] == ["north", "south"]
    (figure,) = blocks(section, Figure)
    assert found.money.back is not None
    assert found.money.back.profit is not None
    assert figure.rows[-1]["amount"] == found.money.back.profit.value
    assert "paid" in figure.alt


def test_an_experiment_shows_effects_course_and_health(told: Facts) -> None:
    """Breaks when effects stand without the check of sizes, or a pilot's own draw is told as an experiment too."""
    section = experiments.experiments(told)
    figures = {figure.id: figure for figure in blocks(section, Figure)}
    assert set(figures) == {"experiment-coupon-effects", "experiment-coupon-course", "experiment-coupon-sizes"}
    forest = figures["experiment-coupon-effects"].rows
    assert {(row["metric"], row["role"]) for row in forest} == {
        ("Orders", "primary"), ("Revenue", "secondary"), ("Average order value", "guardrail"),
    }  # fmt: skip
    ten = next(row for row in forest if (row["metric"], row["arm"]) == ("Orders", "ten"))
    assert ten["low"] > 0
    sizes = figures["experiment-coupon-sizes"].rows
    last = [row for row in sizes if row["at"] == sizes[-1]["at"]]
    assert sum(row["share"] for row in last) == pytest.approx(1)
    assert all(row["low"] <= row["share"] <= row["high"] for row in last)
    folds = blocks(section, Fold)
    assert any("hasn't begun" in line for fold in folds for _, lines in fold.entries for line in lines)


def test_every_figure_is_drawn_at_all_widths(told: Facts) -> None:
    """Breaks when a chart can't take the rows of a real result, or outgrows a phone."""
    for make_ in (experiments.scoreboard, experiments.pilots, experiments.experiments):
        for figure in blocks(make_(told), Figure):
            for width in (theme.WIDE, theme.NARROW):
                chart = figure.draw(width)
                chart.to_dict(validate=True)
                (drawn,) = re.findall(r'viewBox="0 0 ([\d.]+) ', charts.to_svg(chart))
                assert float(drawn) <= width + 12, f"{figure.id} is {drawn} wide, not {width}"


def test_the_page_holds_the_sections_and_no_name_breaks_it(told: Facts) -> None:
    """Breaks when a section is lost on the way to the page, two things bear one id, or a campaign's name becomes markup."""
    ids = [section.id for section in sections(told)]
    wanted = ["campaigns", "pilots", "experiments"]
    assert [one for one in ids if one in wanted] == wanted
    text = render(compose(told))
    named = re.findall(r' id="([^"]*)"', text)
    assert len(named) == len(set(named)), "a link leads to the first of two"
    assert "<b>summer</b>" not in text
    assert "&lt;b&gt;summer&lt;/b&gt;" in text


def test_without_any_campaign_there_is_no_section(tmp_path: Path) -> None:
    """Breaks when an empty section takes room, or the report fails without experiments."""
    with open_workspace(make(tmp_path / "shop", {})) as ws:
        before(ws, 30)
        facts = ws.reports.facts()
    assert (experiments.scoreboard(facts), experiments.pilots(facts), experiments.experiments(facts)) == (
        None,
        None,
        None,
    )


def test_groups_that_nobody_drew_are_compared_and_no_effect_is_named(tmp_path: Path) -> None:
    """Breaks when a difference between groups is drawn or called an effect."""
    with open_workspace(make(tmp_path / "shop", {"experiments/regions.yaml": COMPARED})) as ws:
        put(ws, [TraitChange(f"c{i}", "region", "north" if i % 2 else "south", at(-9)) for i in range(400)], at(-5))
        put(ws, [Event(f"c{i}", "Campaign Sent", at(0), {"campaign": "x"}) for i in range(50)], at(1))
        put(ws, list(orders(400, (1, 20), lambda _, i: float(i % 2), 5)), at(31))
        facts = ws.reports.facts()
    section = experiments.experiments(facts)
    assert not any("effects" in figure.id for figure in blocks(section, Figure))
    (table,) = blocks(section, Table)
    assert "Effect" not in [column.head for column in table.columns]
    assert all(row["p"] is None for row in table.rows)
    (hint,) = blocks(experiments.scoreboard(facts), Hint)
    assert "shoal pilot start" in hint.text
