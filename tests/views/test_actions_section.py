"""The section of next best actions, from shops with a planted story: what it shows, and what it never claims."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from shop import make_shop

from actions.shops import END, regulars, shop, story
from actions.test_trials import trial_shop
from shoal.views.report import Facts, Figure, Fold, Hint, Table, actions
from shoal.views.report.page import Section
from shoal.workspace import open_workspace


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Facts:
    """Steady and silent customers, and those who stood so before."""
    orders, groups = story()
    with shop(tmp_path_factory.mktemp("story") / "shop", orders, groups, refused=["silent0", "silent1"]) as ws:
        return ws.reports.facts()


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Facts:
    """A shop in which a trial by lot measured what winning back brings."""
    with trial_shop(tmp_path_factory.mktemp("trial") / "shop", 20.0) as ws:
        return ws.reports.facts()


def blocks(section: Section, kind: type) -> list[Any]:
    return [block for block in section.blocks if isinstance(block, kind)]


def test_the_table_is_that_of_the_workspace(told: Facts) -> None:
    """Breaks when the report and ``shoal actions`` name another number, share or stake for one action."""
    assert not isinstance(told.actions, str)
    (table,) = blocks(actions.next_best_actions(told), Table)
    for row, action in zip(table.rows, told.actions.actions, strict=True):
        assert (row["segment"], row["fits"], row["share"]) == (action.segment_name, action.fits, action.share)
        assert (row["stake"] is None) == (action.stake is None)
        assert row["reachable"] == (None if action.reachable is None else action.reachable / action.fits)
    silent = next(row for row in table.rows if row["segment"] == "Silent")
    assert silent["what"] == "Win back"
    assert silent["reachable"] == pytest.approx((silent["fits"] - 2) / silent["fits"]), "consent decides"


def test_what_is_at_stake_is_never_called_a_gain(told: Facts) -> None:
    """Breaks when a reader can take what goes unaided for what a mail would bring."""
    section = actions.next_best_actions(told)
    (figure,) = blocks(section, Figure)
    (table,) = blocks(section, Table)
    assert figure.id == "actions-stake"
    assert "no gain" in figure.alt
    assert not any("gain" in column.head.lower() for column in table.columns)
    assert any(
        "No gain is named yet" in block and "trials:" in block for block in section.blocks if isinstance(block, str)
    )


def test_a_measured_gain_stands_with_its_interval(measured: Facts) -> None:
    """Breaks when a trial's gain is shown without its ends, or for another action than the trial's."""
    section = actions.next_best_actions(measured)
    assert not isinstance(measured.actions, str)
    gains = {(a.segment_name, a.title): a.gain for a in measured.actions.actions if a.gain}
    assert gains
    figure = next(f for f in blocks(section, Figure) if f.id == "actions-gain")
    assert {(r["segment"], r["action"]): (r["value"], r["low"], r["high"]) for r in figure.rows} == gains
    (table,) = blocks(section, Table)
    shown = {(row["segment"], row["what"]): row["gain"] for row in table.rows if row["gain"] is not None}
    assert shown.keys() == gains.keys()
    assert all(" to " in str(cell) for cell in shown.values())
    assert "Worth doing beyond chance: win back" in figure.alt
    assert not any("No gain is named yet" in str(block) for block in section.blocks)


def test_each_action_says_what_it_rests_on(told: Facts) -> None:
    """Breaks when a figure has no reason behind it."""
    assert not isinstance(told.actions, str)
    (fold,) = blocks(actions.next_best_actions(told), Fold)
    assert len(fold.entries) == len(told.actions.actions)
    assert all(said for _, said in fold.entries)


def test_without_orders_or_segments_it_says_what_to_do(tmp_path: Path) -> None:
    """Breaks when an empty workspace gets an empty section, or no report at all."""
    with open_workspace(
        make_shop(tmp_path / "a", customers=20, orders=False, segments={"x": ("X", 'city = "Berlin"')})
    ) as ws:
        (hint,) = blocks(actions.next_best_actions(ws.reports.facts()), Hint)
    assert 'no "Order Completed" yet' in hint.text
    with open_workspace(make_shop(tmp_path / "b", customers=20, segments={})) as ws:
        (hint,) = blocks(actions.next_best_actions(ws.reports.facts()), Hint)
    assert "shoal library" in hint.text


def test_where_nothing_stands_out_it_says_so(tmp_path: Path) -> None:
    """Two groups that order alike. Breaks when chance makes an action."""
    orders = regulars("one", 40, END) + regulars("two", 40, END)
    with shop(tmp_path / "shop", orders, {"one": "One", "two": "Two"}, answers=[("one1", END, 8)]) as ws:
        section = actions.next_best_actions(ws.reports.facts())
    rows = [row for table in blocks(section, Table) for row in table.rows]
    assert all(row["what"] in ("Ask for feedback", "Thank", "Remind of what is due") for row in rows)
    assert not blocks(section, Figure) or rows
