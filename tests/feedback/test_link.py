"""What customers did after they answered: what was planted is found, what came before isn't taken for what came after."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from feedback.answers import answer, at, order
from shoal.errors import Refused
from shoal.insight.feedback.asked import asked
from shoal.insight.feedback.link import Link, link
from shoal.insight.sales import open_sales
from shoal.shapes import FeedbackRule, RevenueRule
from shoal.sql.duck import DuckStore

Write = Callable[[list[Any]], None]
CAUSAL = re.compile(
    r"\b(caus\w*|because|due to|leads? to|led to|makes?|made|drives?|drove|effects?|impacts?|results? in|thanks to|"
    r"improv\w*|rais\w*|boost\w*|influenc\w*)\b",
    re.IGNORECASE,
)


def linked(store: DuckStore, day: float = 200, days: int = 30, measure: str = "nps") -> Link:
    with open_sales(store, RevenueRule(), at(day)) as sales:
        return link(store, sales, asked(store, measure, FeedbackRule()), days)


def people(name: str, n: int, score: int, more: float = 0.0, seed: int = 1, usual: int = 4) -> list[Any]:
    """Customers who answered on day 100: each with some orders in the month before, and as many and ``more`` after."""
    lots = np.random.default_rng(seed)
    found: list[Any] = []
    for i in range(n):
        who, mean = f"{name}{i}", float(lots.integers(1, usual))
        found.append(answer(who, 100, nps=score))
        found += [order(who, 100 - 1 - k) for k in range(int(mean))]
        found += [order(who, 100 + 1 + k) for k in range(int(lots.poisson(mean + more)))]
    return found


def test_what_was_planted_after_the_answer_is_found(store: DuckStore, write: Write) -> None:
    """All bought alike before; promoters two orders more after. Breaks when sides or groups are swapped."""
    write(people("p", 120, 10, more=2) + people("d", 120, 2, seed=2))
    found = linked(store)
    by_outcome = {c.outcome: c for c in found.comparisons}
    orders = by_outcome["orders"]
    assert (orders.a, orders.b, orders.matched_n) == ("promoters", "detractors", 240)
    assert orders.matched is not None
    assert orders.matched.low < 2 < orders.matched.high
    assert orders.differs
    assert by_outcome["spend"].matched is not None
    assert by_outcome["spend"].matched.value == pytest.approx(10 * orders.matched.value)
    assert next(g for g in found.groups if g.name == "promoters").after["orders"].value == pytest.approx(4, abs=0.5)


def test_who_bought_more_before_isnt_a_finding(store: DuckStore, write: Write) -> None:
    """Heavy buyers are the promoters, and go on as before: the plain difference is large, the matched one none."""
    lots = np.random.default_rng(8)
    events: list[Any] = []
    for i in range(400):
        usual = int(lots.integers(0, 8))
        happy = lots.random() < 0.15 + 0.1 * usual
        events.append(answer(f"c{i}", 100, nps=10 if happy else 3))
        events += [order(f"c{i}", 99 - k) for k in range(usual)]
        events += [order(f"c{i}", 101 + k) for k in range(int(lots.poisson(usual)))]
    write(events)
    orders = next(c for c in linked(store).comparisons if c.outcome == "orders")
    assert orders.difference.low > 1
    assert orders.matched is not None
    assert not orders.matched.excludes(0)
    assert not orders.differs


def test_the_window_begins_with_the_answer_and_is_as_long_for_all(store: DuckStore, write: Write) -> None:
    """Breaks when an order before the answer, after the window, or of the future counts as after."""
    write(
        [
            e
            for i in range(12)
            for e in (answer(f"p{i}", 100, nps=10), order(f"p{i}", 95), order(f"p{i}", 110), order(f"p{i}", 131))
        ]
    )
    write([answer("new", 190, nps=0), order("new", 195), answer("p0", 195, nps=0)])
    found = linked(store)
    promoters = found.groups[0]
    assert (promoters.n, promoters.after["orders"].value, promoters.before["orders"]) == (12, 1.0, 1.0)
    assert (found.answered, found.too_new) == (12, 1)
    assert found.too_small == ("passives", "detractors")


def test_what_comes_later_changes_nothing(store: DuckStore, write: Write) -> None:
    write(people("p", 30, 10, more=1) + people("d", 30, 0, seed=2))
    before = linked(store, day=150).document()
    write([order(f"p{i}", 160) for i in range(30)] + [answer(f"d{i}", 160, nps=10) for i in range(30)])
    assert linked(store, day=150).document() == before


def test_the_words_claim_no_cause_and_say_what_it_takes(store: DuckStore, write: Write) -> None:
    """Breaks when a sentence says that contentment does something, or a small base isn't named."""
    write(people("p", 80, 10, more=2) + people("d", 15, 2, more=1.5, seed=2) + people("q", 60, 8, seed=4))
    said = linked(store).sentences()
    assert not [sentence for sentence in said if CAUSAL.search(sentence)]
    assert "Nobody drew lots" in said[-1]
    assert any(re.search(r"takes about [\d,]+ in each; the smaller has 15", sentence) for sentence in said)
    assert any("Promoters against passives" in s and " more orders in 30 days" in s for s in said)


def test_by_chance_hardly_anything_differs(store: DuckStore, write: Write) -> None:
    """Forty bases in which the answer says nothing. Breaks when six looks bring more findings than one look may."""
    wrong = 0
    for seed in range(40):
        lots = np.random.default_rng(100 + seed)
        events: list[Any] = []
        for i in range(60):
            usual, who = int(lots.integers(0, 4)), f"s{seed}-{i}"
            events.append(answer(who, 100, nps=int(lots.choice([10, 8, 2]))))
            events += [order(who, 99 - k) for k in range(usual)]
            events += [order(who, 101 + k) for k in range(int(lots.poisson(usual)))]
        write(events)
        found = linked(store)
        wrong += any(c.differs for c in found.comparisons)
        store.execute("UPDATE event_1 SET retired = 1 WHERE retired IS NULL")
        store.execute("UPDATE event_2 SET retired = 1 WHERE retired IS NULL")
    assert wrong <= 6


@pytest.mark.parametrize(("day", "problem"), [(110, "has 30 days behind it"), (99, "has 30 days behind it")])
def test_too_early_is_refused(store: DuckStore, write: Write, day: float, problem: str) -> None:
    write(people("p", 20, 10))
    with pytest.raises(Refused, match=problem):
        linked(store, day=day)


def test_without_orders_it_is_refused(store: DuckStore, write: Write) -> None:
    write([answer(f"p{i}", 1, nps=9) for i in range(20)] + [order("somebody", 1)])
    with pytest.raises(Refused, match="Load orders first"):
        linked(store)


def test_satisfaction_can_be_taken_instead(store: DuckStore, write: Write) -> None:
    write([answer(f"p{i}", 100, csat=1 + i % 5) for i in range(60)] + [order(f"p{i}", 105) for i in range(60)])
    found = linked(store, measure="csat")
    assert [(g.name, g.n) for g in found.groups] == [("satisfied", 24), ("others", 36)]
