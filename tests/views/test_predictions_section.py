"""The section of predictions: what it says of a model is what the model's evidence says, and nothing more."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from shop import END, make_shop
from test_model_charts import CALIBRATION, CDNOW, DECILES, PERIODS, WEEKS

from shoal.clock import DAY
from shoal.insight.holdings import holdings
from shoal.insight.models.contest import Lead
from shoal.insight.models.model import Evidence, Measure, Score
from shoal.insight.models.writing import write
from shoal.lang.schema import Kind
from shoal.sql.registry import Registry
from shoal.views.report import Brief, Facts, Figure, predictions
from shoal.views.report.compose import compose
from shoal.views.report.facts import Foretold, Predictions
from shoal.workspace import open_workspace
from shoal.workspace.reports import foretold

AT = 20_000 * DAY


def model(*measures: Measure, by: str = "auc", higher: bool = True, **more: Any) -> Foretold:
    """A churn model with these measures of itself and of its baselines."""
    evidence = Evidence("Who buys nothing in 90 days", AT - 200 * DAY, AT, "f", 500, measures, ("A note.",))
    return replace(
        Foretold("churn", "who will buy nothing more", 2, AT, "365 days", 90, by, higher, evidence, {}), **more
    )


def auc(who: str, value: float, spread: float | None = 0.02) -> Measure:
    low, high = (None, None) if spread is None else (value - spread, value + spread)
    return Measure(who, "auc", value, low, high, 400)


@pytest.mark.parametrize(
    ("measures", "said"),
    [
        ((auc("model", 0.80), auc("recency", 0.70), auc("frequency", 0.75)), "Worth more than the best simple rule."),
        ((auc("model", 0.80), auc("recency", 0.79)), "Ahead of recency alone, but within the noise."),
        ((auc("model", 0.75), auc("recency", 0.79)), "No better than recency alone: rely on that for this."),
        ((auc("model", 0.80, None), auc("recency", 0.70)), "Ahead of recency alone; how surely isn't known."),
        ((auc("model", 0.80, None), auc("recency", 0.80)), "No better than recency alone."),
        ((auc("model", 0.80),), "There is nothing to compare it with."),
        ((), "It couldn't be tried on earlier data: nothing says yet how well it does."),
        (
            (Measure("model", "brier", 0.1), Measure("recency", "brier", 0.2)),
            "It couldn't be tried on earlier data: nothing says yet how well it does.",
        ),
    ],
)
def test_a_model_is_not_praised_for_what_chance_or_a_simple_rule_gives(
    measures: tuple[Measure, ...], said: str
) -> None:
    """Breaks when a difference within the interval, or another measure than the deciding one, is called better."""
    assert predictions.verdict(model(*measures))[0] == said


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0.01, 0.05, "Worth more than the best simple rule."),
        (-0.01, 0.05, "Ahead of recency alone, but within the noise."),
        (None, None, "Ahead of recency alone; how surely isn't known."),
    ],
)
def test_the_interval_of_the_difference_decides(low: float | None, high: float | None, said: str) -> None:
    """Breaks when the model's own interval, which is wider than that of a paired difference, has the last word."""
    one = model(auc("model", 0.80), auc("recency", 0.78))
    led = replace(one, evidence=replace(one.evidence, leads=(Lead("recency", "auc", 0.02, low, high, 400),)))
    found, behind = predictions.verdict(led)
    assert found == said
    assert ("ahead by 0.02" in behind) is (low is not None)


def test_of_an_error_less_is_better() -> None:
    """Breaks when a model with the larger error is called worth more."""
    small, large = Measure("model", "mae", 3.0, 2.8, 3.2, 90), Measure("same rate", "mae", 4.0)
    assert (
        predictions.verdict(model(small, large, by="mae", higher=False))[0] == "Worth more than the best simple rule."
    )
    worse = predictions.verdict(
        model(replace(large, who="model"), replace(small, who="same rate"), by="mae", higher=False)
    )
    assert worse == (
        "No better than same rate alone: rely on that for this.",
        "Mean absolute error 4, same rate 3",
    )


def test_the_verdict_shows_the_figures_that_it_rests_on() -> None:
    """Breaks when a sentence stands without its figures, interval and n."""
    found = predictions.verdict(model(auc("model", 0.8123), auc("recency", 0.7)))
    assert found[1] == "AUC 0.812 (95\xa0%: 0.792 to 0.832), recency 0.7; 400\xa0customers"


def test_a_fallback_and_notes_are_never_left_out() -> None:
    """Breaks when a reader takes what stands in for the model itself."""
    odd = model(auc("model", 0.8), auc("recency", 0.7))
    few = replace(odd.evidence, fallback="too few repeat orders, so the rate of each stands in", notes=tuple("abcde"))
    facts = Predictions([replace(odd, evidence=few)])
    (brief,) = next(b for b in _section(facts).blocks if isinstance(b, tuple))
    assert isinstance(brief, Brief)
    said = [sentence for sentence, _ in brief.said]
    assert "A simpler way stands in: too few repeat orders, so the rate of each stands in" in said
    assert said[-1] == "2\xa0more notes: shoal models show churn"
    assert brief.kicker == "Version 2, looks 365\xa0days ahead"
    assert ("Customers", "500") in brief.figures


def _section(found: Predictions, facts: Any = None) -> Any:
    class Bare:
        """As much of the facts as the section asks for without value."""

        zone, currency, at, predictions = "UTC", "EUR", AT, found

    return predictions.predictions(facts or Bare())  # type: ignore[arg-type]


def test_each_frame_becomes_its_chart_and_no_frame_none() -> None:
    """Breaks when a frame is dropped, or an empty picture stands for one that isn't there."""
    frames = {"calibration": CALIBRATION, "deciles": DECILES, "frequency": CDNOW, "weeks": WEEKS}
    full = model(auc("model", 0.8), auc("recency", 0.7), frames=frames)
    assert list(predictions.figures(full)) == [
        "calibration", "lift", "gain", "frequency", "weeks-summed", "weeks", "baselines",
    ]  # fmt: skip
    assert predictions.figures(model(frames={"weeks": WEEKS[:1], "deciles": []})) == {}
    several = predictions.figures(model(auc("model", 0.8), auc("recency", 0.7), frames={"periods": PERIODS}))
    assert list(several) == ["periods"]


def test_the_process_of_orders_is_shown_once() -> None:
    """Breaks when value and churn, which rest on one process, fill the report with the same charts twice."""
    frames = {"calibration": CALIBRATION, "frequency": CDNOW, "weeks": WEEKS}
    both = [model(frames=frames, name="value"), model(frames=frames)]
    ids = [block.id for block in _section(Predictions(both)).blocks if isinstance(block, Figure)]
    assert ids == [
        "value-calibration", "value-frequency", "value-weeks-summed", "value-weeks", "churn-calibration",
    ]  # fmt: skip


def test_tenths_in_which_nothing_came_have_no_lift() -> None:
    """Breaks when a division by a mean of zero is drawn."""
    nothing = [row | {"came": 0.0, "lift": float("nan"), "gain": float("nan")} for row in DECILES]
    assert predictions.figures(model(frames={"deciles": nothing})) == {}


def test_every_chart_says_when_and_on_how_many() -> None:
    """Breaks when a reader can't tell the time that a chart was judged by, or n."""
    frames = {"calibration": CALIBRATION, "deciles": DECILES}
    found = predictions.figures(model(auc("model", 0.8), auc("recency", 0.7), frames=frames))
    for figure in found.values():
        assert (
            "400\xa0customers; fitted on what was known on 6\xa0July\xa02024, judged by the 90\xa0days after it"
            in figure.note
        )
        assert len(figure.alt) > 20


def test_a_report_without_models_has_no_such_section(facts: Facts) -> None:
    """Breaks when a workspace that never predicts gets an empty section, or a link to it."""
    assert facts.predictions is None
    assert "predictions" not in [section.id for section in compose(facts).sections]


def test_the_lead_counts_the_models_that_are_worth_it() -> None:
    """Breaks when a model that couldn't be tried, or that lost, is counted as proven."""
    models = [model(auc("model", 0.8), auc("recency", 0.7)), model(auc("model", 0.7), auc("recency", 0.8)), model()]
    assert _section(Predictions(models)).lead.startswith(
        "3\xa0models score customers. 1 of the 2 that could be tried on earlier data is clearly worth more"
    )


def test_expected_value_is_that_of_the_store(shop: Any, facts: Facts) -> None:
    """Breaks when the histogram loses customers, or the shares aren't those of the values themselves."""
    with open_workspace(shop) as ws:
        found = holdings(ws.store, "value", facts.at)
        table = Registry.load(ws.store).traits["customer", "value"].table
        newest = f"SELECT arg_max(value, ts) / 1e6 FROM {table} GROUP BY owner"
        values = sorted((float(v) for (v,) in ws.store.rows(newest)), reverse=True)
    assert found is not None
    assert found.customers == len(values)
    assert sum(step["customers"] for step in found.steps) == len(values) - found.without
    assert found.total == pytest.approx(sum(v for v in values if v > 0))
    assert found.held_by(20) == pytest.approx(sum(values[: -(-len(values) // 5)]) / sum(values))
    ratios = [step["high"] / step["low"] for step in found.steps]
    assert max(ratios) == pytest.approx(min(ratios))
    assert all(a["high"] == pytest.approx(b["low"]) for a, b in pairwise(found.steps))
    section = _section(
        Predictions([model()], found, "What they spent."), replace(facts, predictions=Predictions([model()], found))
    )
    ids = [block.id for block in section.blocks if isinstance(block, Figure)]
    assert ids == ["value-spread", "value-held"]


def test_value_that_nobody_has_is_no_chart(shop: Any) -> None:
    """Breaks when a trait that isn't there, isn't a number, or is still empty gives a picture."""
    with open_workspace(shop) as ws:
        now = ws.now()
        assert holdings(ws.store, "nothing_of_this_name", now) is None
        assert holdings(ws.store, "city", now) is None
        assert holdings(ws.store, "value", 0) is None


# ------------------------------------------------------------ through a workspace


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop whose customers were scored."""
    root = make_shop(tmp_path_factory.mktemp("scored") / "shop", customers=150, days=400)
    with open_workspace(root) as ws:
        ws.models.predict(["value", "churn"])
    return root


def test_what_models_wrote_stands_in_the_report(scored: Path) -> None:
    """Breaks when the report shows another version, another trial or other values than the store holds."""
    with open_workspace(scored) as ws:
        facts, churn = ws.reports.facts(), ws.models.version("churn")
        best = max(float(row[0]) for row in ws.store.rows(f"SELECT value / 1e6 FROM {_table(ws)}"))
        names = ws.reports.names()
    assert facts.predictions is not None
    held = {one.name: one for one in facts.predictions.models}
    assert set(held) == {"value", "churn"}
    assert (held["churn"].evidence, held["churn"].version) == (churn.evidence, churn.number)
    assert held["churn"].frames == churn.frames
    assert facts.predictions.value is not None
    assert facts.predictions.value.trait == "value_predicted_365d"
    assert facts.predictions.value.curve[0]["value"] >= best
    assert {"churn-calibration", "churn-lift", "churn-gain", "churn-baselines", "value-spread", "value-held"} <= set(
        names
    )


def _table(ws: Any) -> str:
    return str(Registry.load(ws.store).traits["customer", "value_predicted_365d"].table)


def test_charts_follow_a_run_of_models_at_once(tmp_path: Path) -> None:
    """Breaks when a notebook goes on showing the charts, or the scores, from before a run."""
    with open_workspace(make_shop(tmp_path / "shop", customers=80)) as ws:
        before = ws.reports.names()
        ws.models.predict(["value"])
        after = ws.reports.names()
        first = ws.reports.chart("value-spread").to_dict(validate=False)["data"]["values"]
        who, most = ws.store.rows(f"SELECT owner, max(value) FROM {_table(ws)} GROUP BY owner ORDER BY 2 DESC LIMIT 1")[
            0
        ]
        column = Score("value_predicted_365d", Kind.NUMBER, "s", np.array([who]), np.array([most / 1e6 * 50]))
        with ws.store.transaction():
            write(ws.store, "model value", [column], ws.now(), ws.now(), {"model": "value"}, whole=False)
        later = ws.reports.chart("value-spread").to_dict(validate=False)["data"]["values"]
    assert "value-spread" not in before
    assert "value-spread" in after
    assert sum(step["value"] for step in later) > 2 * sum(step["value"] for step in first)


def test_a_report_of_a_day_before_the_fit_does_not_know_the_model(scored: Path) -> None:
    """Breaks when a report of a past day shows a model that was fitted later."""
    with open_workspace(scored) as ws:
        assert ws.reports.facts(as_of=END - timedelta(days=5)).predictions is None


def test_the_page_shows_every_model_and_stays_small(scored: Path, tmp_path: Path) -> None:
    """Breaks when a card can't be rendered, or the file grows too large to mail."""
    with open_workspace(scored) as ws:
        written = ws.reports.write(tmp_path / "report.html")
    text = written.read_text(encoding="utf-8")
    assert '<section id="predictions">' in text
    assert text.count('class="brief"') == 2
    assert written.stat().st_size < 3_000_000


def test_two_fits_become_periods(scored: Path) -> None:
    """Breaks when the trials of several fits are lost, or one fit passes for a history."""
    with open_workspace(scored) as ws:
        (version,) = ws.models.versions("churn")
    older = replace(version, number=1, fitted=version.fitted - 30 * DAY, in_force=False)
    alone, both = foretold(version, [version]), foretold(version, [version, older])
    assert "periods" not in alone.frames
    cuts = [row["cut"] for row in both.frames["periods"] if (row["who"], row["what"]) == ("model", "brier")]
    assert len(cuts) == 2
    assert cuts == sorted(cuts)
    assert "churn-periods" in [figure.id for figure in predictions.figures(both).values()]
