"""Who is ahead beyond chance: the interval of the difference decides what is said, by customer and with the right sign."""

from __future__ import annotations

import re

import numpy as np
import pytest

from shoal.insight.models.contest import Contest, Ranking, against
from shoal.insight.models.model import Backtest, Evidence, Measure, Period
from shoal.stats.scoring import auc

LESS = {"what": "mae", "higher": False}


def errors(n: int, *means: float, seed: int = 0) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    return {
        who: random.gamma(4, mean / 4, n) for who, mean in zip(("model", "recency", "frequency"), means, strict=False)
    }


def test_an_error_that_is_smaller_is_a_lead() -> None:
    """Breaks if the sign follows the measure and not who is better, or a baseline is lost."""
    found = Contest.of_rows(np.arange(500), errors(500, 1.0, 2.0, 0.5)).leads("mae", higher=False)
    assert [lead.rival for lead in found] == ["recency", "frequency"]
    assert found[0].sure
    assert found[0].value == pytest.approx(1, abs=0.2)
    assert found[1].behind
    assert not found[1].sure
    hits = Contest.of_rows(np.arange(500), errors(500, 1.0, 2.0)).leads("hit", higher=True)
    assert hits[0].behind


def test_a_better_chance_need_not_rank_better() -> None:
    """Breaks if a lead in Brier is read as one in ranking: the same order with chances that are too bold."""
    random = np.random.default_rng(1)
    chance = random.uniform(0.1, 0.9, 2000)
    y = (random.random(2000) < chance).astype(float)
    bold = np.where(chance > 0.5, 1 - (1 - chance) ** 3, chance**3)
    scores = {"model": chance, "bold": bold, "blind": random.random(2000)}
    contest = Contest.of_rows(np.arange(2000), {w: (y - p) ** 2 for w, p in scores.items()}, Ranking(y, scores))
    found = {(lead.what, lead.rival): lead for lead in contest.leads("brier", higher=False)}
    assert found["brier", "bold"].sure
    assert found["auc", "bold"].value == 0
    assert not found["auc", "bold"].sure
    assert found["auc", "blind"].sure
    assert found["auc", "blind"].value == pytest.approx(auc(y, chance) - auc(y, scores["blind"]))
    assert Ranking(np.zeros(50), scores).leads() == ()


def test_two_versions_are_compared_over_the_customers_of_both() -> None:
    """Breaks if customers are paired by their place, or one that only one version speaks of counts as an error of 0."""
    told = np.full(300, 2.0)
    new = Contest.of_rows(np.arange(300), {"model": told})
    old = Contest.of_rows(np.arange(100, 400), {"model": told + np.linspace(0.5, 1.5, 300)})
    lead = against(new, old, **LESS)
    assert lead is not None
    assert lead.n == 400
    assert lead.value == pytest.approx(1, abs=1e-9)
    assert lead.sure
    shuffled = Contest.of_rows(np.arange(300)[::-1], {"model": told})
    assert against(shuffled, old, **LESS) == lead


def period(cut: int, *means: float, n: int = 400) -> Period:
    values = errors(n, *means, seed=cut)
    measures = tuple(Measure(who, "mae", float(column.mean()), n=n) for who, column in values.items())
    return Period(cut, cut + 1, n, measures, Contest.of_rows(np.arange(n), values).leads("mae", higher=False))


def test_a_verdict_says_where_chance_alone_could_have_made_the_difference() -> None:
    """Breaks if "better" stands alone where the interval includes 0."""
    sure = Backtest("", (period(0, 1.0, 2.0), period(1, 1.0, 2.0)), "mae", False)
    assert "in each period, beyond chance: mae" in sure.verdict()
    near = Backtest("", (period(0, 1.0, 2.0), period(1, 1.0, 1.01)), "mae", False)
    assert "beyond chance in 1 of 2: mae" in near.verdict()
    few = Backtest("", (period(0, 1.0, 2.0, n=12),), "mae", False)
    assert "how surely isn't known" in few.verdict()
    assert "no better than recency" in Backtest("", (period(0, 2.0, 1.0),), "mae", False).verdict()


def test_periods_are_pooled_beside_the_count() -> None:
    """Breaks if a lead that each period alone leaves open stays open though there are many, or the sign is lost."""
    near = Backtest("", tuple(period(cut, 1.0, 1.09, n=300) for cut in range(8)), "mae", False)
    found = near.pooled("recency")
    assert found is not None
    assert sum(lead.sure for p in near.periods for lead in p.leads) < 8
    assert found.low > 0
    assert found.low < 0.09 < found.high
    said = (
        f"Over all periods together it is {found.value:.3g} ahead (95 % interval {found.low:.3g} to {found.high:.3g})."
    )
    assert near.verdict().endswith(said)
    lost = Backtest("", tuple(period(cut, 1.3, 1.0) for cut in range(3)), "mae", False)
    assert re.search(
        r"together it is 0\.\d+ behind \(95 % interval 0\.\d+ to 0\.\d+\)\. Rely on recency", lost.verdict()
    )
    document = lost.document()["pooled"]["recency"]
    assert document["low"] < document["value"] < document["high"] < 0


def test_a_pooled_lead_that_may_be_chance_is_said_to_be() -> None:
    """Breaks if "ahead" stands alone where the interval holds 0, or one period or too few customers are pooled."""
    even = Backtest("", tuple(period(cut, 1.0, 1.0) for cut in range(4)), "mae", False)
    found = even.pooled("recency")
    assert found is not None
    assert found.low < 0 < found.high
    assert "), which chance alone could make." in even.verdict()
    assert Backtest("", (period(0, 1.0, 2.0),), "mae", False).pooled("recency") is None
    few = Backtest("", tuple(period(cut, 1.0, 2.0, n=12) for cut in range(3)), "mae", False)
    assert few.pooled("recency") is None
    assert "together" not in few.verdict()


def test_evidence_keeps_its_leads_and_older_evidence_has_none() -> None:
    """Breaks if a version that was kept by an earlier release can't be read any more."""
    leads = period(0, 1.0, 2.0).leads
    evidence = Evidence("what", 0, 1, "f", 5, leads=leads)
    document = evidence.document()
    assert Evidence.from_document(document) == evidence
    assert Evidence.from_document({k: v for k, v in document.items() if k != "leads"}).leads == ()
