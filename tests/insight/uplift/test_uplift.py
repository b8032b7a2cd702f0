"""Uplift from an experiment in a workspace on disk: features of before, verdicts, and "who to treat" as a segment."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from uplift.worlds import hillstrom as hillstrom_at
from uplift.worlds import planted

import shoal
from shoal.cli import app
from shoal.clock import DAY
from shoal.errors import Refused, UnknownName
from shoal.insight.models.learning.table import Numbers
from shoal.insight.uplift.record import Record
from shoal.insight.uplift.telling import sentences
from shoal.insight.uplift.units import MOST_CUTS, Units, read
from shoal.views.charts import to_svg
from shoal.views.report import Figure, Table
from shoal.views.report.compose import compose
from shoal.views.report.page import Page
from shoal.workspace import Workspace
from shoal.workspace.uplift import PICTURES, Uplifted


@pytest.fixture(scope="module")
def offer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    """2,400 planted customers."""
    with loaded(planted(tmp_path_factory.mktemp("offer"))) as ws:
        yield ws


@pytest.fixture(scope="module")
def told(offer: Workspace) -> Uplifted:
    """What a T-learner makes of the offer, where an order is worth 10 and an offer costs 1."""
    return offer.uplift("offer", worth=10, cost=1, learner="t")


def loaded(root: Path) -> Workspace:
    """The workspace with all that its files hold."""
    ws = shoal.open(root)
    ws.load()
    return ws


def units_of(ws: Workspace, metric: str = "bought", **options: Any) -> Units:
    """The units of the offer."""
    door = ws.experiments
    with ws.models.as_of() as known:
        return read(known, door.find("offer"), door.state("offer"), ws.metrics.find(metric), **options)


# --------------------------------------------------------------------------- what is known, and when


def test_features_end_before_the_exposure(offer: Workspace) -> None:
    """Breaks when anything of after the exposure is a feature: counted anew from the rows, with each unit's own cut."""
    units = units_of(offer)
    keys = np.array([int(key.split("@")[0]) for key in units.table.keys])
    cuts = np.array([int(key.split("@")[1]) for key in units.table.keys])
    assert 1 < len(np.unique(cuts)) <= MOST_CUTS
    with offer.models.as_of() as known:
        rows = known.arrow(f"SELECT customer, ts FROM ({known.event('Experiment Viewed')})")
        shown = dict(zip(rows["customer"].to_pylist(), rows["ts"].to_pylist(), strict=True))
        seen = known.arrow(f"SELECT customer, ts FROM ({known.event('Page Viewed')})").to_pylist()
    assert all(cut <= shown[key] for key, cut in zip(keys.tolist(), cuts.tolist(), strict=True))
    assert max(shown[k] - c for k, c in zip(keys.tolist(), cuts.tolist(), strict=True)) <= 2 * DAY
    column = units.table.column('"Page Viewed" in the last 30 days')
    assert isinstance(column, Numbers)
    at = dict(zip(keys.tolist(), cuts.tolist(), strict=True))
    counted = dict.fromkeys(at, 0)
    for row in seen:
        who, ts = row["customer"], row["ts"]
        counted[who] += at[who] - 1 - 30 * DAY < ts <= at[who] - 1
    assert column.values.tolist() == [counted[key] for key in keys.tolist()]
    # What comes of the offer is known of nobody before it: a column that is the same for all is no feature.
    _, layout = units.sample("offer")
    assert layout.names
    assert not any("Coupon" in name or "Experiment" in name or "order" in name for name in layout.names)


def test_outcomes_are_those_of_the_window(offer: Workspace) -> None:
    """Breaks when an order of before the exposure counts, or one of long after it."""
    units = units_of(offer)
    effects = {
        plan: units.outcome[(units.arm == 1) & here].mean() - units.outcome[(units.arm == 0) & here].mean()
        for plan, here in _plans(units).items()
    }
    assert effects["gold"] == pytest.approx(0.4, abs=0.08)
    assert effects["basic"] == pytest.approx(-0.2, abs=0.08)


def test_many_customers_are_drawn_by_their_ids(offer: Workspace) -> None:
    """Breaks when who is drawn hangs on rows' order, or a draw isn't told, or arms are held to be as large as the draw's."""
    every, some = units_of(offer), units_of(offer, most=1_500)
    one, other = ([key.split("@")[0] for key in units.table.keys] for units in (every, some))
    assert other == one[:1_500]
    assert np.array_equal(some.outcome, every.outcome[:1_500])
    assert some.counts == every.counts
    assert any("1,500 are learnt from" in note for note in some.notes)


def _plans(units: Units) -> dict[str, Any]:
    column = units.table.column("plan")
    return {level: column.codes == i for i, level in enumerate(column.levels)}  # type: ignore[union-attr]


# --------------------------------------------------------------------------- verdicts


def test_planted_effects_are_usable_and_dogs_sleep(told: Uplifted) -> None:
    """Breaks when the plan's effect isn't found, or its worth isn't the planted one."""
    (found,) = told.found
    assert found.code == "usable"
    assert found.asleep.sure
    assert found.policy.share == pytest.approx(0.5, abs=0.15)
    # Half of all gain 0.4 orders worth 10 each, for 1; three standard errors.
    gain = found.policy.value.gain
    assert gain.value == pytest.approx(0.5 * (0.4 * 10 - 1), abs=3 * (gain.high - gain.low) / 2 / 1.96)
    assert found.policy.value.over_all.low > 0
    first, *_ = told.sentences()
    assert first.startswith("Usable: who responds to offer can be told.")
    assert any("leave them alone" in line for line in told.sentences())


def test_less_is_better_the_other_way_round(offer: Workspace, told: Uplifted) -> None:
    """Breaks when a metric of which less is better sends the offer to those whom it drives away."""
    other = offer.uplift("offer", metric="idle", worth=10, cost=1, learner="t")
    assert other.found[0].effect == pytest.approx(told.found[0].effect)
    assert other.found[0].policy.threshold == pytest.approx(told.found[0].policy.threshold)


def test_neither_rows_order_nor_the_future_moves_anything(tmp_path: Path, told: Uplifted) -> None:
    """Breaks when files' order, or what came after the instant that is asked of, reaches a score."""
    at = told.at
    with loaded(planted(tmp_path / "other", order=5, later=True)) as ws:
        again = ws.uplift("offer", worth=10, cost=1, learner="t", as_of=at)
        ids = _scores(ws, again)
    document = told.document()
    assert again.document() == document
    assert told._workspace is not None
    assert ids == _scores(told._workspace, told)


def _scores(ws: Workspace, told: Uplifted) -> dict[str, float]:
    """The held-out effect of each unit, by id."""
    learnt = told._learnt["offer"]
    names = dict(ws.store.rows("SELECT key, id FROM customers"))
    keys = [names[int(key.split("@")[0])] for key in learnt.units.table.keys]
    return dict(zip(keys, learnt.fit.crossed.effect.tolist(), strict=True))


# --------------------------------------------------------------------------- refusals


def test_what_chance_did_not_draw_is_refused(tmp_path: Path) -> None:
    """Breaks when customers whom a branch chose pass for an experiment."""
    ws = loaded(planted(tmp_path / "chosen", chosen=True))
    with ws, pytest.raises(Refused, match=r"tells who is in which arm .*branch"):
        ws.uplift("offer", learner="t")


def test_groups_that_nobody_drew_are_refused_for_that(tmp_path: Path) -> None:
    """Breaks when groups of other sizes than said are told to have lost customers, where nobody drew any by lot."""
    root = planted(tmp_path / "compared")
    file = root / "experiments" / "offer.yaml"
    file.write_text(file.read_text(encoding="utf-8") + "randomised: no\n", encoding="utf-8")
    with loaded(root) as ws, pytest.raises(Refused, match="Chance didn't draw the groups of 'offer'"):
        ws.uplift("offer", learner="t")


def test_metrics_that_say_nothing_of_one_customer_are_refused(offer: Workspace) -> None:
    """Breaks when a ratio is learnt from, or a metric of buyers only, where the offer decides who buys."""
    with pytest.raises(Refused, match="says nothing of a single customer"):
        offer.uplift("offer", metric="order-value")
    with pytest.raises(Refused, match="decides who is looked at"):
        offer.uplift("offer", metric="basket")


def test_what_is_asked_wrongly_is_refused(offer: Workspace, told: Uplifted) -> None:
    """Breaks when a misspelt name or a price without a worth gives figures."""
    for options, match in (
        ({"arm": "offr"}, "offr"), ({"learner": "z"}, "z"), ({"metric": "bougt"}, "bougt"),
    ):  # fmt: skip
        with pytest.raises(UnknownName, match=match):
            offer.uplift("offer", **options)
    with pytest.raises(UnknownName, match="ofer"):
        offer.uplift("ofer")
    for options, match in (
        ({"cost": 1.0}, "isn't money"), ({"cost": -1.0, "worth": 1.0}, "0 or more"), ({"share": 1.5}, "up to 1"),
        ({"arm": "none"}, "is the control"), ({"without": ["plam"]}, "no trait or event 'plam'"),
    ):  # fmt: skip
        with pytest.raises(Refused, match=match):
            offer.uplift("offer", **options)
    with pytest.raises(UnknownName, match="pie"):
        told.chart("pie")


def test_a_feature_can_be_left_out(offer: Workspace) -> None:
    """Breaks when ``without`` is passed over: nothing else tells whom the offer moves."""
    found = offer.uplift("offer", learner="t", without=["plan"]).found[0]
    assert found.code == "none"
    assert "plan" not in units_of(offer, without=["plan"]).table.names


# --------------------------------------------------------------------------- a segment


def test_who_to_treat_is_a_segment(tmp_path: Path) -> None:
    """Breaks when the model isn't kept, its trait isn't written, the segment doesn't ask for it, or later customers have none."""
    root = planted(tmp_path / "kept")
    with loaded(root) as ws:
        told = ws.uplift("offer", worth=10, cost=1, learner="x")
        saved = told.save("who-to-treat")
        assert saved.model == "uplift_who_to_treat"
        text = (root / "segments" / "who-to-treat.yaml").read_text()
        assert f"uplift_who_to_treat > {told.found[0].policy.threshold:.6f}".rstrip("0") in text
        assert "Usable" in text
        gold = ws.segments.evaluate(["who-to-treat"])
        members = set(gold.members("who-to-treat")["id"].to_pylist())
        gold.close()
        assert len(members) == saved.members
        # The plan decides, but for a few whom noise puts on the other side.
        planted_ones = _with_plan(ws, "gold")
        assert len(members & planted_ones) > 0.95 * len(members | planted_ones)
        # It is in force like any model, and stays as it is where the others are fitted anew.
        assert ws.models.version("uplift_who_to_treat").settings.options["experiment"] == "offer"
        again = ws.models.predict(["uplift_who_to_treat"], refit=True)
        assert again.changed == {"uplift_who_to_treat": 0}
        assert again.fitted == ()
        assert "moves it by" in " ".join(ws.models.reasons("p00001", "uplift_who_to_treat")["uplift_who_to_treat"])
        with pytest.raises(Refused, match="learnt from an experiment"):
            ws.models.backtest("uplift_who_to_treat")
        told_of = ws.reports.html()
        assert "judged by customers of the experiment whom it didn" in told_of
        assert "Usable: who responds to offer can be told." in told_of
        _hold_section(compose(ws.reports.facts()), told)
        # Saved once more it is the same segment, and somebody else's stays.
        assert told.save("who-to-treat").segment.slug == "who-to-treat"
        ws.segments.add("Mine", "age > 30", slug="mine")
        with pytest.raises(Refused, match="wasn't written by uplift"):
            told.save("mine")
        with pytest.raises(Refused, match="can't be the name"):
            told.save("Who to treat")
    with (root / "people.csv").open("a") as file:
        file.write("new1,2024-04-01,gold,north,40\nnew2,2024-04-01,basic,north,40\n")
    with loaded(root) as ws:
        ws.models.predict(["uplift_who_to_treat"])
        found = ws.segments.evaluate(["who-to-treat"])
        members = set(found.members("who-to-treat")["id"].to_pylist())
        found.close()
        assert {"new1"} == members & {"new1", "new2"}


def _hold_section(page: Page, told: Uplifted) -> None:
    """The section of the report says what was found, to the last bit, from what was kept alone."""
    (section,) = (one for one in page.sections if one.id == "uplift")
    figures = {block.id: block for block in section.blocks if isinstance(block, Figure)}
    tenths, value = (block for block in section.blocks if isinstance(block, Table))
    found = told.found[0]
    name = "uplift_who_to_treat"
    assert list(figures) == [f"{name}-qini", f"{name}-tenths", f"{name}-value"]
    assert figures[f"{name}-qini"].rows == [one._asdict() for one in found.points]
    assert to_svg(figures[f"{name}-value"].draw(400)) == to_svg(told.chart("value", width=400))
    assert [(row["n"], row["effect"].sort) for row in tenths.rows] == [(g.n, g.effect.value) for g in found.groups]
    assert value.rows[0]["gain"].sort == found.policy.value.gain.value
    assert value.rows[-1]["treat"] == "everybody"
    text = " ".join(block for block in section.blocks if isinstance(block, str))
    assert all(line in text for line in told.sentences()[:1])
    record = Record("Offer", told.metric, found)
    again = Record.from_document(json.loads(json.dumps(record.document())))
    assert again.document() == record.document()
    assert sentences(again.found, again.metric) == told.sentences()


def _with_plan(ws: Workspace, plan: str) -> set[str]:
    segment = ws.segments.add(plan.title(), f'plan = "{plan}"')
    found = ws.segments.evaluate([segment.slug])
    members = set(found.members(segment.slug)["id"].to_pylist())
    found.close()
    return members


def test_where_there_is_nobody_to_choose_nothing_is_written(offer: Workspace, told: Uplifted) -> None:
    """Breaks when a verdict of nothing usable, or of everybody, becomes a segment."""
    nothing = offer.uplift("offer", worth=10, cost=1, learner="t", without=["plan"])
    with pytest.raises(Refused, match="No usable heterogeneity"):
        nothing.save("nobody")
    all_ = offer.uplift("offer", worth=10, cost=1, learner="t", share=1.0)
    with pytest.raises(Refused, match="as asked"):
        all_.save("everybody")
    assert "nobody" not in offer.definitions
    assert "everybody" not in offer.definitions


# --------------------------------------------------------------------------- doors and pictures


def test_the_command_says_it_and_gives_json(tmp_path: Path) -> None:
    """Breaks when the command's figures aren't those of Python, or a picture isn't written."""
    with loaded(planted(tmp_path / "offer")) as ws:
        root = str(ws.config.root)
    options = ["--value", "10", "--cost", "1", "--learner", "t"]
    said = CliRunner().invoke(app, ["-w", root, "uplift", "offer", *options, "--charts", str(tmp_path / "charts")])
    assert said.exit_code == 0, said.output
    assert "Usable: who responds to offer can be told." in said.output
    assert "Qini: outcomes of the treated among the k best scored" in said.output
    assert len(list((tmp_path / "charts").glob("uplift-offer-*.svg"))) == len(PICTURES)
    told = json.loads(CliRunner().invoke(app, ["-w", root, "uplift", "offer", *options, "--json"]).stdout)
    (arm,) = told["arms"]
    assert (arm["verdict"], arm["worth"], arm["cost"], told["saved"]) == ("usable", 10.0, 1.0, None)
    assert len(arm["tenths"]) == 10
    assert arm["definition"] in said.output


def test_a_segment_is_of_one_arm(tmp_path: Path) -> None:
    """Breaks when the first of several arms is saved as if it had been meant."""
    root = planted(tmp_path / "offer", n=50)
    three = (
        (root / "experiments" / "offer.yaml")
        .read_text()
        .replace("none: 50%, offer: 50%", "none: 50%, offer: 25%, other: 25%")
    )
    (root / "experiments" / "offer.yaml").write_text(three)
    with loaded(root):
        pass
    said = CliRunner().invoke(app, ["-w", str(root), "uplift", "offer", "--save", "who"])
    assert isinstance(said.exception, Refused)
    assert "--arm" in str(said.exception)


@pytest.mark.parametrize("picture", PICTURES)
def test_pictures_are_drawn_at_all_widths(told: Uplifted, picture: str) -> None:
    """Breaks when a chart isn't valid, or its title says something else than the verdict."""
    for width in (358, 892):
        chart = told.chart(picture, width=width)
        chart.to_dict()
        assert "<svg" in to_svg(chart)


def test_the_table_has_the_tenths(told: Uplifted) -> None:
    """Breaks when a tenth or an end of its interval is missing."""
    rows = told.table().to_pylist()
    assert [row["tenth"] for row in rows] == list(range(1, 11))
    assert all(row["low"] < row["effect"] < row["high"] for row in rows)


# --------------------------------------------------------------------------- real data


@pytest.mark.slow
def test_hillstroms_two_emails(tmp_path: Path, real_data: Path) -> None:
    """MODELS.md 6: the women's e-mail has heterogeneity that is of use, the men's has not.

    Breaks when the men's slight difference is called usable, or the women's isn't found; and when an effect isn't the published.
    """
    with loaded(hillstrom_at(tmp_path / "hillstrom", real_data)) as ws:
        told = ws.uplift("mail", worth=1, cost=0.04)
        women, men = told.arm("Womens E-Mail"), told.arm("Mens E-Mail")
        assert (women.treated, women.untreated) == (21_387, 21_306)
        assert women.effect.value == pytest.approx(0.04523, abs=1e-5)
        assert men.effect.value == pytest.approx(0.07659, abs=1e-5)
        assert (women.code, men.usable) == ("usable", False)
        assert women.more > 0.2 > 0.1 > men.more
        # Those who bought women's goods come, and the others hardly do: about half.
        assert women.policy.share == pytest.approx(0.55, abs=0.1)
        assert women.policy.value.over_all.low > 0
        with pytest.raises(Refused, match="No usable heterogeneity"):
            told.save("men", "Mens E-Mail")
        saved = told.save("women", "Womens E-Mail")
        assert saved.members == pytest.approx(0.55 * 64_000, rel=0.15)
