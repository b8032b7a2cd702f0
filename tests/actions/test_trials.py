"""A campaign drawn by lot: the published effect of real data, and what can't be measured is refused."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import shoal
from actions.shops import END, day, regulars, shop
from shoal.insight.actions.trials import Effect
from shoal.insight.discovery.reading import drawn
from shoal.workspace import Workspace

HILLSTROM = """
shoal: 1
name: Hillstrom
clock: data-end
purposes: {mail: legitimate-interest}
default_purpose: mail
sources:
  sent:
    from: sent.csv
    events: [{event: Campaign Sent, customer: customer, at: at, properties: {campaign: campaign, arm: arm}}]
  orders:
    from: orders.csv
    events: [{event: Order Completed, customer: customer, at: at, properties: {revenue: revenue}}]
trials:
  women: {arm: arm, control: No E-Mail, treated: Womens E-Mail, action: cross-sell, within: 14 days}
  men: {arm: arm, control: No E-Mail, treated: Mens E-Mail, action: upsell, within: 14 days}
  tiny: {arm: arm, control: No E-Mail, treated: Nobody, action: thank, within: 14 days}
  missing: {arm: branch, control: a, action: ask, within: 14 days}
"""


@pytest.fixture(scope="module")
def hillstrom(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """64,000 customers, of whom 578 bought within two weeks."""
    folder = os.environ.get("SHOAL_TEST_DATA")
    if not folder:
        pytest.skip("SHOAL_TEST_DATA names no folder of real data")
    root = tmp_path_factory.mktemp("hillstrom")
    with (Path(folder) / "hillstrom" / "hillstrom.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    sent = [(f"c{i}", "2008-03-01", "spring", r["segment"]) for i, r in enumerate(rows)]
    bought = [(f"c{i}", "2008-03-08", r["spend"]) for i, r in enumerate(rows) if float(r["spend"])]
    # Somebody's order long after, so that two weeks are over for all.
    bought.append(("late", "2008-04-30", "1"))
    _write(root / "sent.csv", ["customer", "at", "campaign", "arm"], sent)
    _write(root / "orders.csv", ["customer", "at", "revenue"], bought)
    (root / "shoal.yaml").write_text(HILLSTROM, encoding="utf-8")
    with shoal.open(root) as ws:
        ws.load()
        ws.segments.add("Buyers", 'did "Order Completed"')
        yield ws


def _write(path: Path, head: list[str], rows: list[Any]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([head, *rows])


def effects(ws: Workspace, **options: Any) -> dict[str, Effect]:
    return ws.actions.effects(**options)


def test_the_published_effects_of_hillstrom(hillstrom: Workspace) -> None:
    """MODELS.md, oracle 29: +.4244122 (Welch t 3.256) for the women's mail and +.7698272 (t 5.300) for the men's.

    Breaks when an arm is mixed up, those without an order are left out, or the window cuts orders off.
    """
    found = effects(hillstrom)
    assert found.keys() == {"cross-sell", "upsell"}
    for action, n, value, t in (("cross-sell", 21_387, 0.4244122, 3.256), ("upsell", 21_307, 0.7698272, 5.300)):
        one = found[action]
        assert (one.treated, one.control, one.both) == (n, 21_306, 0)
        assert one.each.value == pytest.approx(value, abs=1e-6)
        error = (one.each.high - one.each.low) / (2 * 1.96)
        assert one.each.value / error == pytest.approx(t, abs=0.005)
        assert one.sure


def test_what_cannot_be_measured_is_said(hillstrom: Workspace) -> None:
    notes = hillstrom.actions.table().notes
    assert any("'tiny' has 0 customers who got it" in note for note in notes)
    assert any("'missing' needs a text 'branch'" in note for note in notes)


def test_before_the_window_is_over_nothing_is_measured(hillstrom: Workspace) -> None:
    """Breaks when orders of half a window count as all of it."""
    assert effects(hillstrom, as_of="2008-03-14") == {}
    assert effects(hillstrom, as_of="2008-03-16").keys() == {"cross-sell", "upsell"}


def trial_shop(folder: Path, each: float, arms: int = 150, *, both: bool = False) -> Workspace:
    """Silent customers, and those whom a trial mailed by lot: half of the mailed came back, with ``both`` of the others too."""
    orders = regulars("steady", 150, END)
    orders += [(f"silent{i}", k, 50.0, "Tea") for i in range(2 * arms) for k in range(5 + i % 20, END - 129, 20)]
    trialled = [(f"tried{i}", k, 50.0, "Tea") for i in range(2 * arms) for k in range(5 + i % 20, 150, 20)]
    came = [
        (f"tried{i}", 205, each * 2 + 0.01 * i, "Tea") for i in range(2 * arms) if i % 4 in ((0, 1) if both else (0,))
    ]
    folder.mkdir(parents=True, exist_ok=True)
    rows = [(f"tried{i}", day(200), "win", "mailed" if i % 2 == 0 else "holdout") for i in range(2 * arms)]
    rows += [("tried1", day(210), "win", "mailed"), ("tried0", day(220), "other", "holdout")]
    _write(folder / "sent.csv", ["customer", "at", "campaign", "arm"], rows)
    settings = """
trials:
  win: {arm: arm, control: holdout, action: win-back, within: 14 days, only: {campaign: win}}
"""
    groups = {"steady": "Steady", "silent": "Silent", "tried": "Tried"}
    source = """
  sent:
    from: sent.csv
    events: [{event: Campaign Sent, customer: customer, at: at, properties: {campaign: campaign, arm: arm}}]
"""
    refused = ["silent0", "silent1"]
    return shop(folder, orders + trialled + came, groups, refused=refused, more=settings, sources=source)


def test_a_measured_gain_is_the_effect_times_those_who_can_be_reached(tmp_path: Path) -> None:
    """Breaks when a gain is of customers who refused, a lookalike's figure stands in its place, or its label is lost."""
    with trial_shop(tmp_path, 20.0) as ws:
        table = ws.actions.table()
        (win,) = [a for a in table.actions if (a.segment, a.action) == ("silent", "win-back")]
    assert win.effect is not None
    assert win.gain is not None
    assert (win.effect.treated, win.effect.control, win.effect.both) == (150, 149, 1), "in both arms: left out"
    assert win.reachable == win.fits - 2
    assert win.gain == pytest.approx(tuple(win.reachable * end for end in win.effect.each))
    assert win.gain[1] > 0
    assert "drawn by lot" in win.assumption
    assert "Assumed: these react as those did." in win.assumption


def test_micro_segments_and_actions_read_the_same_customers(tmp_path: Path) -> None:
    """Breaks when who took part is read in two ways, as customers of both arms once were."""
    with trial_shop(tmp_path, 20.0) as ws:
        effect = ws.actions.effects()["win-back"]
        with ws.models.as_of() as known:
            part = drawn(known, ws.config.trials[0])
    assert part is not None
    assert (int(part.treated.sum()), int((~part.treated).sum())) == (effect.treated, effect.control) == (150, 149)
    assert part.begun == effect.since
    assert int(part.ordered[part.treated].sum()) == 75, "half of those who were mailed came back"
    assert not part.ordered[~part.treated].any()


def test_a_trial_that_shows_nothing_is_told_as_it_is(tmp_path: Path) -> None:
    """As many of both arms came, for as much. Breaks when an interval that spans 0 is hidden or called an effect."""
    with trial_shop(tmp_path, 20.0, both=True) as ws:
        table = ws.actions.table()
        (win,) = [a for a in table.actions if (a.segment, a.action) == ("silent", "win-back")]
    assert win.effect is not None
    assert not win.effect.sure
    assert win.gain is not None
    assert win.gain[1] < 0 < win.gain[2]


def test_a_small_trial_is_refused(tmp_path: Path) -> None:
    with trial_shop(tmp_path, 20.0, arms=60) as ws:
        table = ws.actions.table()
    assert all(a.gain is None for a in table.actions)
    assert any("it takes 100 of each" in note for note in table.notes)


def test_the_scoreboard_of_hillstrom(hillstrom: Workspace) -> None:
    """Both mails were held against the same customers. Breaks when a mail's revenue isn't its effect times those who got it, or
    the total counts the shared holdout's error as two independent ones."""
    board = hillstrom.scoreboard().found
    found = {one.slug: one.money for one in board.entries}
    assert found.keys() == {"women", "men"}
    for name, n, each in (("women", 21_387, 0.4244122), ("men", 21_307, 0.7698272)):
        revenue = found[name].revenue
        assert revenue is not None
        assert revenue.value == pytest.approx(n * each, rel=1e-5)
        assert revenue.low > 0
    # Visits and orders: 189 and 267 of the mailed ordered, 122 of the others (aggregates of the data set).
    gained = {name: one.conversions.value for name, one in found.items() if one.conversions}
    assert gained == pytest.approx({"women": 189 - 122 * 21_387 / 21_306, "men": 267 - 122 * 21_307 / 21_306})
    assert board.total is not None
    parts = [one.revenue for one in found.values() if one.revenue]
    assert board.total.value == pytest.approx(sum(one.value for one in parts))
    apart = sum(((one.high - one.low) / 2) ** 2 for one in parts) ** 0.5
    assert (board.total.high - board.total.low) / 2 > 1.05 * apart
    assert {one.name for one in board.unmeasured} == {"tiny", "missing"}
