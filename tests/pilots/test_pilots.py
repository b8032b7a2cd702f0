"""Pilots in a real workspace: the baseline before the start, the verdict after the end, and what can't be edited in between."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pilots.shops import COST, PILOT, SETTINGS, at, before, make, open_workspace, order, orders, put, turn
from shoal.cli import main
from shoal.clock import DAY
from shoal.errors import DefinitionError, Refused, UnknownName
from shoal.insight.experiments.assignment import Assignment
from shoal.insight.pilots.definition import HELD_OUT
from shoal.insight.pilots.definition import PILOT as DRAWN
from shoal.shapes import Event, TraitChange
from shoal.workspace import Workspace

N = 3000
ARMS = Assignment("pilot-win", {HELD_OUT: 0.3, DRAWN: 0.7})


def more(who: str, i: int) -> float:
    """In the north every second customer who gets it orders once more; in the south nobody does."""
    return 0.5 if ARMS.arm(who) == DRAWN and i % 2 else 0.0


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pilot that began and is over."""
    root = make(tmp_path_factory.mktemp("pilot") / "shop", {"pilots/win.yaml": PILOT})
    with open_workspace(root) as ws:
        before(ws, N)
        ws.pilots.start("win")
        put(ws, list(orders(N, (0.1, 29.9), more, 2)), at(31))
    return root


@pytest.fixture
def ws(root: Path) -> Iterator[Workspace]:
    with open_workspace(root) as ws:
        yield ws
        turn(ws, at(31))


def counts(known: Workspace, since: float, until: float) -> tuple[float, int]:
    """Orders a customer between two instants, counted plainly."""
    rows = known.sql(
        'SELECT count(o.at) AS n, count(DISTINCT c.customer) AS of FROM customers c LEFT JOIN "Order Completed" o '
        f"ON o.customer = c.customer AND epoch_us(o.at) >= {at(since)} AND epoch_us(o.at) < {at(until)}"
    ).to_pylist()[0]
    return rows["n"] / rows["of"], rows["of"]


def test_the_baseline_is_what_stood_before(ws: Workspace) -> None:
    """Breaks when the baseline holds days of the pilot, or of another length than the pilot's."""
    record = ws.pilots.status("win")[0].record
    assert record is not None
    told = record.of("orders")
    assert told is not None
    assert told.end < record.began <= at(0) + DAY
    assert told.end - told.begin + 1 == record.ends - record.began
    value, n = counts(ws, -30, 0)
    assert (told.n, told.value) == (n, pytest.approx(value, rel=1e-3))
    north, south = record.of("orders", "north"), record.of("orders", "south")
    assert north is not None
    assert south is not None
    assert north.n + south.n == told.n


def test_while_it_runs_nothing_is_met(ws: Workspace) -> None:
    """Breaks when a look before the end gives a verdict, or an interval as narrow as one of a single look."""
    early, late = ws.pilots.result("win", as_of="2026-03-20").found, ws.pilots.result("win").found
    assert not early.over
    assert early.verdict.kind == "can't be said"
    assert {one.kind for one in early.kpis} == {"can't be said"}
    assert early.money.each is not None
    assert late.money.each is not None
    width = (early.money.each.high - early.money.each.low) / early.money.each.se
    assert width > 1.4 * (late.money.each.high - late.money.each.low) / late.money.each.se


def test_the_verdict_finds_what_was_planted(ws: Workspace) -> None:
    """A quarter of an order more for each who gets it, of 30 on average. Breaks when arms, costs or margins are mixed up."""
    found = ws.pilots.result("win").found
    assert found.over
    assert found.verdict.kind == "met", found.verdict.says
    n, held = found.n[1], found.n[0]
    assert n + held == N
    kpi = found.kpis[0].measured.comparisons[0].absolute
    assert kpi.low < 0.25 < kpi.high
    money = found.money
    assert money.revenue is not None
    assert money.margin is not None
    assert money.back is not None
    assert money.revenue.low < 0.25 * 30 * n < money.revenue.high
    assert money.margin.value == pytest.approx(money.revenue.value * 2 / 3)
    assert money.spend == 0.5 * n + 100
    assert money.back.profit is not None
    assert money.back.profit.value == pytest.approx(money.margin.value - money.spend)


def test_segments_are_told_apart(ws: Workspace) -> None:
    """Breaks when customers are put to the segment that they are in afterwards, or the south seems to respond."""
    segments = ws.pilots.result("win").found.segments
    north, south = segments.each
    assert (north.segment, south.segment) == ("north", "south")
    assert segments.tested is not None
    assert segments.tested.p < 1e-6
    assert "respond differently" in segments.says
    assert north.each is not None
    assert south.each is not None
    assert north.each.low < 15 < north.each.high
    assert south.each.low < 0 < south.each.high
    assert segments.drawn["south"].value > south.each.value - 1e-9 or segments.drawn["north"].value < north.each.value


def test_after_the_end_nothing_moves(ws: Workspace) -> None:
    """Breaks when orders after the end count, so that a verdict changes with the day on which it is read."""
    first = ws.pilots.result("win").found
    turn(ws, at(60))
    later = ws.pilots.result("win").found
    assert later.at == first.at
    assert later.money.revenue == pytest.approx(first.money.revenue)


def test_it_starts_once(ws: Workspace) -> None:
    """Breaks when a second start measures a new baseline."""
    with pytest.raises(Refused, match="measured once"):
        ws.pilots.start("win")


def test_what_was_promised_cannot_be_edited(root: Path, ws: Workspace) -> None:
    """Breaks when a target is lowered until it is met."""
    path = root / "pilots" / "win.yaml"
    try:
        path.write_text(PILOT.replace("gain: 5%", "gain: 1%").replace("contact: 0.5", "contact: 0.1"), encoding="utf-8")
        with pytest.raises(Refused, match="its file was edited") as refused:
            ws.pilots.result("win")
        assert "5%" in str(refused.value)
        assert "1%" in str(refused.value)
        assert "cost was" in str(refused.value)
        path.write_text(PILOT.replace("crm@", "cmo@"), encoding="utf-8")
        assert ws.pilots.result("win").found.pilot.owner == "cmo@example.com", "an owner is no promise"
    finally:
        path.write_text(PILOT, encoding="utf-8")


def test_what_comes_late_does_not_change_the_baseline(tmp_path: Path) -> None:
    """Breaks when the baseline is worked out anew from what came to light later."""
    root = make(tmp_path / "shop", {"pilots/win.yaml": PILOT})
    with open_workspace(root) as ws:
        before(ws, 300)
        told = ws.pilots.start("win").record
        put(ws, [order(f"c{i}", -3, 1000.0) for i in range(300)], at(2))
        assert ws.pilots.status("win")[0].record == told


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("end: 2026-03-30", "end: 2026-02-20", "which is past"),
        ("metric: revenue}", "metric: revenues}", "revenues"),
        ("metric: revenue}", "metric: median-revenue}", "a pilot isn't judged by it"),
        ("[north, south]", "[north, west]", "west"),
        ("[north, south]", "[nobody]", "Nobody is in the pilot's segments"),
        ("holdout: 30%", "experiment: mail", "mail"),
    ],
)
def test_what_cannot_begin_is_refused_and_leaves_nothing(tmp_path: Path, old: str, new: str, problem: str) -> None:
    """Breaks when a refused start leaves a baseline or a running experiment behind."""
    nobody = 'name: Nobody\nwhere: |\n  region = "east"\n'
    root = make(tmp_path / "shop", {"pilots/win.yaml": PILOT.replace(old, new), "segments/nobody.yaml": nobody})
    with open_workspace(root) as ws:
        before(ws, 40)
        with pytest.raises((Refused, UnknownName, DefinitionError), match=problem):
            ws.pilots.start("win")
        assert ws.sql("SELECT count(*) AS n FROM customers").to_pylist()[0]["n"] == 40
        assert ws.store.rows("SELECT count(*) FROM definitions WHERE kind IN ('pilot', 'experiment')") == [(0,)]


def test_before_it_begins_there_is_no_result(tmp_path: Path) -> None:
    root = make(tmp_path / "shop", {"pilots/win.yaml": PILOT})
    with open_workspace(root) as ws:
        before(ws, 40)
        with pytest.raises(Refused, match="hasn't begun yet"):
            ws.pilots.result("win")


def test_a_pilot_that_is_ended_early_keeps_its_wide_intervals(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Breaks when somebody who stops for what they saw gets the interval of a single planned look, or a later order counts."""
    root = make(tmp_path / "shop", {"pilots/win.yaml": PILOT})
    with open_workspace(root) as ws:
        before(ws, 600)
        ws.pilots.start("win")
        put(ws, list(orders(600, (0.1, 14), lambda *_: 0.0, 2)), at(14))
        ws.experiments.stop("pilot-win", because="It looked well.")
        put(ws, [order(f"c{i}", 20, 5000.0) for i in range(600) if ARMS.arm(f"c{i}") == DRAWN], at(31))
        found = ws.pilots.result("win").found
    assert found.over
    assert found.money.each is not None
    assert found.money.each.value < 1000
    assert (found.money.each.high - found.money.each.low) / found.money.each.se > 2.8 * 1.96
    assert "the lots of the pilot win" in run(capsys, root, "experiment", "list")


# ------------------------------------------------------------ drawn elsewhere

EXPERIMENT = """name: Mail of March
arms: {held: 50%, mailed: 50%}
primary: revenue
exposure: {trait: arm, assigned: elsewhere}
"""
VECTOR = PILOT.replace("holdout: 30%", "experiment: mail").replace("margin: data", "margin: 40%")
VECTOR = VECTOR.replace("{contact: 0.5, fixed: 100}", "{fixed: 500}").replace("segments: [north, south]\n", "")


def drawn(n: int, m: int) -> list[Any]:
    """So many who were mailed, and so many who were held out."""
    return [
        TraitChange(f"{arm[0]}{i}", "arm", arm, at(0)) for arm, of in (("mailed", n), ("held", m)) for i in range(of)
    ]


def test_the_test_vector_of_kpis(tmp_path: Path) -> None:
    """KPIS.md by a hundredth: 12 of 1,000 against 9 of 1,000, orders of 80, a margin of 40 %, 500 spent.

    Incremental conversions 3, revenue 240, iROAS .48, profit −404, ROI −80.8 %. Breaks when revenue is called margin, the
    holdout isn't scaled, or spend is taken off twice.
    """
    root = make(tmp_path / "shop", {"pilots/win.yaml": VECTOR, "experiments/mail.yaml": EXPERIMENT})
    with open_workspace(root) as ws:
        came = [order(f"m{i}", 1 + i, 80.0) for i in range(12)] + [order(f"h{i}", 1 + i, 80.0) for i in range(9)]
        put(ws, [*drawn(1000, 1000), *came], at(30.5))
        ws.pilots.start("win")
        money = ws.pilots.result("win").found.money
    assert money.conversions is not None
    assert money.revenue is not None
    assert money.back is not None
    assert money.back.profit is not None
    assert money.back.roi is not None
    told = [money.conversions, money.revenue, money.back.iroas, money.back.profit, money.back.roi]
    assert [one.value for one in told] == pytest.approx([3, 240, 0.48, -404, -0.808])
    assert all(one.low < one.value < one.high for one in told)


def test_goals_that_are_set_after_the_draw_are_told_as_that(tmp_path: Path) -> None:
    """Breaks when a pilot on data from elsewhere looks as if its goals had been there before."""
    root = make(tmp_path / "shop", {"pilots/win.yaml": VECTOR, "experiments/mail.yaml": EXPERIMENT})
    with open_workspace(root) as ws:
        put(ws, [*drawn(200, 200), *(order(f"m{i}", -5, 10.0 + i) for i in range(100)), order("m1", 2, 5)], at(20))
        record = ws.pilots.start("win").record
        assert record is not None
        told = record.of("orders")
        assert (record.late, told and told.n, told and told.value) == (True, 400, pytest.approx(0.25))
        assert any("after customers had been drawn" in note for note in ws.pilots.result("win").found.notes)


def test_where_an_arm_lost_customers_there_is_no_verdict(tmp_path: Path) -> None:
    """Breaks when an effect is told although the arms can't be what was drawn."""
    root = make(tmp_path / "shop", {"pilots/win.yaml": VECTOR, "experiments/mail.yaml": EXPERIMENT})
    with open_workspace(root) as ws:
        put(ws, [*drawn(1000, 700), *(order(f"m{i}", 2, 80.0) for i in range(500))], at(31))
        ws.pilots.start("win")
        found = ws.pilots.result("win").found
        assert found.fails
        assert found.verdict.kind == "can't be said"
        assert "lost customers of one arm" in found.verdict.says
        (row,) = ws.scoreboard().found.unmeasured
        assert "lost customers" in row.why


def test_groups_that_nobody_drew_are_no_holdout(tmp_path: Path) -> None:
    """Breaks when a pilot rests on a comparison of whoever happened to get it, or the scoreboard gives that a figure."""
    files = {"pilots/win.yaml": VECTOR, "experiments/mail.yaml": EXPERIMENT + "randomised: no\n"}
    with open_workspace(make(tmp_path / "shop", files)) as ws:
        put(ws, [*drawn(200, 200), *(order(f"m{i}", 2, 10.0 + i) for i in range(100))], at(20))
        with pytest.raises(Refused, match="Chance didn't draw the arms") as refused:
            ws.pilots.start("win")
        assert "holdout: 20%" in str(refused.value)
        board = ws.scoreboard().found
        assert board.entries == ()
        assert {one.kind for one in board.unmeasured} == {"pilot"}, "told as the pilot that rests on it"


def test_an_experiment_of_the_workspace_begins_with_its_pilot(tmp_path: Path) -> None:
    """Breaks when a pilot rests on an experiment that ran already: its baseline and goals would come too late."""
    own = EXPERIMENT.replace("{trait: arm, assigned: elsewhere}", "at start")
    for begun in (False, True):
        root = make(tmp_path / f"shop{begun}", {"pilots/win.yaml": VECTOR, "experiments/mail.yaml": own})
        with open_workspace(root) as ws:
            before(ws, 200)
            if begun:
                from shoal.insight.experiments.catalogue import read_experiments
                from shoal.insight.experiments.state import start

                start(ws.store, read_experiments(root, ws.schema).find("mail"), ws.now())
                with pytest.raises(Refused, match="has begun"):
                    ws.pilots.start("win")
                continue
            ws.pilots.start("win")
            put(ws, list(orders(200, (0.1, 20), lambda *_: 0.0, 3)), at(31))
            assert ws.pilots.result("win").found.arm == "mailed"
            assert sum(ws.pilots.result("win").found.n) == 200


def test_without_cost_data_no_margin_is_invented(tmp_path: Path) -> None:
    """Breaks when all of revenue counts as margin because nobody said what goods cost."""
    text = VECTOR.replace("margin: 40%", "margin: data")
    root = make(tmp_path / "shop", {"pilots/win.yaml": text, "experiments/mail.yaml": EXPERIMENT}, SETTINGS)
    assert COST not in SETTINGS
    with open_workspace(root) as ws:
        sold = [Event(f"m{i}", "Order Completed", at(1), {"revenue": 5.0 + i}) for i in range(20)]
        put(ws, [*drawn(300, 300), *sold], at(31))
        ws.pilots.start("win")
        found = ws.pilots.result("win")
        assert found.found.money.margin is None
        assert any("no margin is known" in note for note in found.found.notes)
        with pytest.raises(Refused, match="margin isn't known"):
            found.chart()


# ------------------------------------------------------------ the command


def run(capsys: pytest.CaptureFixture[str], root: Path, *words: str) -> str:
    with pytest.raises(SystemExit) as ended:
        main(["-w", str(root), *words])
    assert ended.value.code == 0
    return capsys.readouterr().out


def test_commands_say_what_python_says(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Breaks when a figure of the command isn't the one of the object."""
    with open_workspace(root) as ws:
        turn(ws, at(31))
        found = ws.pilots.result("win")
        board = ws.scoreboard()
    told = json.loads(run(capsys, root, "pilot", "result", "win", "--json"))
    assert told["verdict"]["kind"] == "met"
    assert told["money"]["revenue"]["value"] == pytest.approx(found.document()["money"]["revenue"]["value"])
    assert "MET" in run(capsys, root, "pilot", "result", "win")
    assert json.loads(run(capsys, root, "pilot", "list", "--json"))["pilots"][0]["state"] == "over"
    assert "Win back" in run(capsys, root, "pilot", "list")
    assert "orders" in run(capsys, root, "pilot", "status", "win")
    assert json.loads(run(capsys, root, "scoreboard", "--json"))["campaigns"][0]["name"] == "Win back"
    assert f"{board.found.entries[0].money.exposed:,}" in run(capsys, root, "scoreboard")


def test_the_table_and_the_chart_hold_the_same(ws: Workspace) -> None:
    """Breaks when the waterfall's profit isn't the table's."""
    found = ws.pilots.result("win")
    rows = found.table().to_pylist()
    assert [row["segment"] for row in rows] == [None, "north", "south"]
    spec = found.chart().to_dict()
    bars = next(v for v in (layer.get("data", {}).get("values") for layer in spec["layer"]) if v and "step" in v[0])
    assert bars[-1]["end"] == pytest.approx(rows[0]["profit"])
    assert bars[-1]["end"] == pytest.approx(bars[-2]["end"]), "steps add up to the total"
