"""NPS and CSAT by segment: published intervals through a real store, and nothing claimed of chance."""

from __future__ import annotations

import random
from collections.abc import Callable
from math import sqrt
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback.answers import Held, answer, at, order
from shoal.errors import Refused
from shoal.insight.feedback.asked import asked, question
from shoal.insight.feedback.scores import compared, fisher, scores
from shoal.insight.feedback.texts import read_texts
from shoal.insight.sales import open_sales
from shoal.shapes import Event, FeedbackRule, RevenueRule, TraitChange
from shoal.sql.duck import DuckStore
from shoal.stats.intervals import net_promoter, net_promoter_difference

Write = Callable[[list[Any]], None]
RULE = FeedbackRule()


def told(
    store: DuckStore, by_slug: dict[str, set[str]], measure: str = "nps", day: float = 100, rule: Any = RULE
) -> Any:
    with open_sales(store, RevenueRule(), at(day)) as sales:
        found = scores(store, Held(store, at(day), by_slug), sales, asked(store, measure, rule))
    assert found is not None
    return found


# ------------------------------------------------------------ what is counted


@pytest.mark.parametrize(
    ("answers", "value", "centre", "half"),
    [((10, 5, 5), 25, 21.74, 33.46), ((20, 0, 0), 100, 86.96, 17.27), ((50, 30, 20), 30, 29.13, 15.08)],
)
def test_the_published_intervals_come_out_of_a_store(
    store: DuckStore, write: Write, answers: tuple[int, int, int], value: float, centre: float, half: float
) -> None:
    """MODELS.md, oracle 44 (Rocks 2016). Breaks when 20 of 20 promoters are called 100 ± 0."""
    given_scores = [9] * answers[0] + [7] * answers[1] + [6] * answers[2]
    write([answer(f"c{i}", 1, nps=score) for i, score in enumerate(given_scores)])
    found = told(store, {}).everyone
    assert found.estimate.value == value
    assert found.estimate.low == pytest.approx(centre - half, abs=0.01)
    assert found.estimate.high == pytest.approx(min(100, centre + half), abs=0.01)


@pytest.mark.parametrize(("hits", "n", "low", "high"), [(85, 100, 0.7672, 0.9069), (9, 10, 0.5958, 0.9821)])
def test_satisfaction_has_wilsons_interval(
    store: DuckStore, write: Write, hits: int, n: int, low: float, high: float
) -> None:
    write([answer(f"c{i}", 1, csat=4 if i < hits else 3) for i in range(n)])
    found = told(store, {}, "csat").everyone
    assert (found.estimate.low, found.estimate.high) == pytest.approx((low, high), abs=1e-4)


def test_a_score_is_never_a_mean_over_segments(store: DuckStore, write: Write) -> None:
    """Ten content ones in one segment, thirty others in the other: −50, where the mean of the two would be 0."""
    write([answer(f"a{i}", 1, nps=10) for i in range(10)] + [answer(f"b{i}", 1, nps=0) for i in range(30)])
    found = told(store, {"a": {f"a{i}" for i in range(10)}, "b": {f"b{i}" for i in range(30)}})
    assert [s.estimate.value for s in found.standings] == [-50, 100, -100]


def test_the_newest_answer_up_to_the_instant_counts(store: DuckStore, write: Write) -> None:
    """Breaks when an answer counts twice, or one that is yet to come counts at all."""
    write([answer("a", 1, nps=0), answer("a", 2, nps=10), answer("a", 50, nps=0), answer("b", 3, nps=8)])
    found = told(store, {}, day=10).everyone
    assert (found.up, found.middle, found.down) == (1, 1, 0)


def test_what_is_off_the_scale_counts_for_nothing_and_is_said(store: DuckStore, write: Write) -> None:
    """Breaks when a 95 of a slider from 0 to 100 makes a promoter."""
    write([answer("a", 1, nps=95), answer("c", 1, nps=-1)] + [answer(f"b{i}", 1, nps=9) for i in range(60)])
    found = told(store, {})
    assert found.everyone.n == 60
    assert found.response.off_scale == 2
    assert any("2 answers aren't on the scale" in note for note in found.response.notes())


def test_stars_from_one_to_ten_are_another_scale(store: DuckStore, write: Write) -> None:
    """Breaks when the 4 and 5 of ten are called satisfied, and the 9 is dropped."""
    write([Event(f"a{i}", "Review Written", at(1), {"stars": 1 + i % 10, "text": "I love it."}) for i in range(50)])
    with pytest.raises(Refused, match="another scale") as refusal:
        told(store, {}, "csat")
    assert "the highest is 10" in str(refusal.value)
    assert set(read_texts(store, at(100), RULE).happy) == {None}


# ------------------------------------------------------------ where it stands


def test_answers_are_found_by_their_names(store: DuckStore, write: Write) -> None:
    """Stars of a review are satisfaction; stars of anything else are not; a trait counts where no event has one."""
    write([Event("a", "Review Written", at(1), {"stars": 5}), Event("a", "Hotel Booked", at(1), {"stars": 1})])
    assert told(store, {}, "csat").where == 'stars of "Review Written"'
    write([TraitChange("b", "nps", 9, at(1))])
    assert told(store, {}).where == "the trait nps"
    write([answer("c", 1, nps=3)])
    assert told(store, {}).where == 'nps of "Survey Answered"'


def test_settings_say_where_they_stand(store: DuckStore, write: Write) -> None:
    write([Event("a", "Call Ended", at(1), {"mark": 10}), answer("b", 1, nps=0)])
    rule = FeedbackRule(nps={"Call Ended": ("mark",), "Never Seen": ("mark",)})
    found = told(store, {}, rule=rule)
    assert (found.where, found.everyone.up, found.everyone.n) == ('mark of "Call Ended"', 1, 1)


def test_where_nobody_was_asked_it_says_how_to_name_it(store: DuckStore, write: Write) -> None:
    write([order("a", 1)])
    assert question(store, "nps", RULE) is None
    with pytest.raises(Refused, match="No event has a number nps") as refusal:
        asked(store, "nps", RULE)
    assert "shoal.yaml" in str(refusal.value)


# ------------------------------------------------------------ against the others


def test_two_scores_of_eleven_differ_by_fifteen() -> None:
    """MODELS.md: 32 against 28 at 200 answers each, ± 10.8 each, ± 15 together. Breaks when margins are added or one is taken."""
    a, b = (104, 56, 40), (96, 64, 40)
    assert (net_promoter(*a).value, net_promoter(*b).value) == (32, 28)
    gap, p = net_promoter_difference(a, b)
    half = (gap.high - gap.low) / 2
    each = [(net_promoter(*one).high - net_promoter(*one).low) / 2 for one in (a, b)]
    assert each == pytest.approx([10.8, 10.8], abs=0.15)
    assert half == pytest.approx(15, abs=0.4)
    assert half == pytest.approx(sqrt(each[0] ** 2 + each[1] ** 2))
    assert p > 0.5


def test_a_segment_that_differs_is_found_and_chance_is_not(store: DuckStore, write: Write) -> None:
    """One planted segment in thirty drawn by lot. Breaks when thirty looks at chance bring a finding."""
    lots = random.Random(3)
    write([answer(f"c{i}", 1, nps=lots.randint(0, 10)) for i in range(900)])
    write([answer(f"s{i}", 1, nps=lots.choice([9, 10, 10, 8])) for i in range(60)])
    drawn = {f"lot-{k}": {f"c{i}" for i in lots.sample(range(900), 90)} for k in range(29)}
    found = told(store, {"planted": {f"s{i}" for i in range(60)}, **drawn})
    differing = [s.slug for s in found.standings if s.against and s.against.differs]
    assert differing == ["planted"]
    assert sum(s.against.p <= 0.05 for s in found.standings if s.against) > 1, "chance alone brought some, uncorrected"


def test_too_few_answers_are_not_compared() -> None:
    found = compared("nps", {None: (100, 0, 0), "few": (9, 0, 0), "nearly-all": (95, 0, 0), "some": (50, 0, 0)})
    assert [s.slug for s in found if s.against] == ["some"]


@given(st.integers(1, 40), st.integers(1, 40), st.data())
def test_fishers_test_is_scipys(n: int, m: int, data: st.DataObject) -> None:
    from scipy.stats import fisher_exact

    a, b = data.draw(st.integers(0, n)), data.draw(st.integers(0, m))
    assert fisher((a, n), (b, m)) == pytest.approx(fisher_exact([[a, n - a], [b, m - b]])[1], abs=1e-9)


def test_fishers_test_of_a_million_is_the_normal_ones() -> None:
    """Breaks when terms that weigh something are left out."""
    found = fisher((300_000, 600_000), (201_000, 400_000))
    assert found == pytest.approx(0.014306, abs=1e-5)
    assert fisher((0, 500_000), (500_000, 500_000)) == 0.0


# ------------------------------------------------------------ who answered


def test_those_who_answer_are_held_beside_the_others(store: DuckStore, write: Write) -> None:
    """Breaks when a score of the busy ones passes for everyone's."""
    write([answer(f"a{i}", 90, nps=9) for i in range(40)] + [order(f"a{i}", 85) for i in range(40)])
    write([order(f"b{i}", 1) for i in range(160)])
    found = told(store, {}).response
    assert (found.customers, found.answered, found.share) == (200, 40, 0.2)
    assert (found.active, found.active_others) == (1.0, 0.0)
    assert found.after_order == 5
    assert found.median_age == 10
    assert any("aren't like the others" in note for note in found.notes())


def test_the_share_is_of_those_who_were_asked(store: DuckStore, write: Write) -> None:
    write([Event(f"a{i}", "Survey Sent", at(1), {}) for i in range(20)] + [order(f"b{i}", 1) for i in range(80)])
    write([answer(f"a{i}", 2, nps=9) for i in range(5)])
    found = told(store, {}).response
    assert (found.asked, found.share) == (20, 0.25)
    assert found.notes()[0] == "5 of 20 who were asked answered (25 %)."
