"""Why, and until when: values beside each part, and the first microsecond at which it changes.

An answer one microsecond off, or one that forgets a stored future event, turns these red.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal

import pytest

from shoal.clock import HOUR
from shoal.lang.nodes import Definition
from shoal.lang.parse import parse
from shoal.lang.schema import Kind
from shoal.shapes import Merge, Point
from shoal.sql.engine import Explanation

from .worlds import World, at

NOW = at("2024-01-10")


def why(w: World, text: str, who: str = "x", now: int = NOW, **lists: str) -> Explanation:
    """The explanation of a text for a customer."""
    key = w.store.rows("SELECT key FROM customers WHERE id = ?", [who])[0][0]
    return w.engine.why(Definition("asked", "asked", parse(text), **lists), key, now)


@pytest.fixture
def one() -> Iterator[World]:
    """The customer of ``past``, for tests that write more."""
    w = a_past()
    yield w
    w.store.close()


@pytest.fixture(scope="module")
def past() -> Iterator[World]:
    """One customer with a past; nobody writes to it."""
    w = a_past()
    yield w
    w.store.close()


def a_past() -> World:
    """One customer, and an event and a trait change that are stored ahead of their time."""
    names = {"lists": frozenset({"staff"}), "scores": frozenset({"churn_risk"})}
    w = World("Europe/Berlin", traits={"age": Kind.NUMBER}, **names)
    w.did("x", "A", "2024-01-08", v=10).did("x", "A", "2024-01-09T12:00:00", v=5)
    w.did("x", "A", "2024-01-20", v=1)
    w.did("x", "B", "2024-01-09T23:00:00")
    w.has("x", "plan", "pro", "2024-01-05").has("x", "plan", "free", "2024-02-01")
    w.has("x", "signed_up", dt.datetime(2024, 1, 1, tzinfo=dt.UTC), "2024-01-01")
    w.has("x", "birthday", dt.date(1990, 3, 5), "2024-01-01")
    w.has("x", "churn_risk", 0.8, "2024-01-01").has("x", "spent", 30, "2024-01-01")
    return w


@pytest.mark.parametrize(
    ("text", "until"),
    [
        ('did "A" in last 3 days', at("2024-01-12T12:00:00")),
        ('did "A" at least 2 times in last 3 days', at("2024-01-11")),
        ('not did "A" in last 3 days', at("2024-01-12T12:00:00")),
        ('did "A" exactly 2 times', at("2024-01-20")),
        ('did "A" in 1 day before last 3 days', at("2024-01-11")),
        ('did "A" in this week', at("2024-01-14T23:00:00")),
        ('did "A" in last 1 calendar weeks', at("2024-01-14T23:00:00")),
        ('did "A" since 2024-01-15', at("2024-01-20")),
        ('days since last "A" > 2.5', at("2024-01-12") + 1),
        ('days since last "A" >= 2.5', at("2024-01-12")),
        ('days since last "A" = 2.5', at("2024-01-12")),
        ('days since last "A" <= 2.5', at("2024-01-12") + 1),
        ("days since signed_up > spent", at("2024-01-31") + 1),
        ('2 * days since signed_up - days since first "A" > 40', at("2024-02-03") + 1),
        ('count("A") / days since first "A" < 0.5', at("2024-01-12") + 1),
        ("1 / (days since signed_up - 10) > 0", at("2024-01-11") + 1),
        ("signed_up in last 10 days", at("2024-01-11")),
        ("anniversary of birthday in next 7 days", at("2024-02-27T23:00:00")),
        ('plan = "pro"', at("2024-02-01")),
        ('held plan = "pro" for 7 days', at("2024-01-12")),
        ("changed plan in last 7 days", at("2024-01-12")),
        ('did "B" then not "A" within 2 hours', at("2024-01-10T01:00:00")),
        ('did "A" then "B" in last 3 days', at("2024-01-12T12:00:00")),
        ('did "B" not after "A" within 11 hours', None),
        ('did "B" not after "A" within 10 hours in last 2 days', at("2024-01-11T23:00:00")),
        ('did first "A" in last 7 days', at("2024-01-15")),
        ('did "A" at least 1 times in 2 of last 2 periods of 1 days', None),
        ('sum(v of "A" in last 3 days) > 9', at("2024-01-11")),
        ('active days("A" in last 3 days) >= 2', at("2024-01-11")),
        ("churn_risk > 0.7", None),
        ('bucket "x" >= 0', None),
    ],
)
def test_until_when(past: World, text: str, until: int | None) -> None:
    """The first instant at which the answer differs, checked against the batch on both sides of it."""
    found = why(past, text)
    assert found.until == until
    before = past.members(text, NOW)
    assert found.truth == (before == {"x"})
    if until is not None:
        assert past.members(text, until - 1) == before
        assert past.members(text, until) != before


def test_parts_and_values(past: World) -> None:
    """The tree as it was written, each part with its own truth, values in people's terms, and its own instant."""
    found = why(past, 'age > 30 or (sum(v of "A") = 15 and not plan = "pro")')
    age, both = found.parts
    assert (found.truth, age.truth, both.truth) == (False, False, False)
    assert age.values == {"age": None}
    assert age.shown == "age: missing"
    total, negation = both.parts
    assert total.values == {'sum(v of "A")': Decimal(15)}
    assert total.until == at("2024-01-20")
    assert (negation.truth, negation.until) == (False, at("2024-02-01"))
    assert negation.parts[0].values == {"plan": "pro"}
    assert found.until is None
    assert both.text == 'sum(v of "A") = 15 and not plan = "pro"'


def test_values_of_other_types(past: World) -> None:
    """Dates, instants and yes/no come as Python's own types."""
    assert why(past, "birthday is known").values == {"birthday": dt.date(1990, 3, 5)}
    moment = dt.datetime(2024, 1, 8, tzinfo=dt.UTC)
    assert why(past, 'did first "A" in last 30 days').values == {'first "A"': moment}
    assert why(past, 'held plan = "pro" for 2 days').values["since"] == dt.datetime(2024, 1, 5, tzinfo=dt.UTC)


def test_distances_are_shown_in_the_unit_asked(one: World) -> None:
    """A degree of longitude on the equator is 111.195 km on the mean sphere."""
    one.has("x", "home", Point(0, 1))
    found = why(one, "distance of home to (0, 0) < 50 km")
    assert found.values == {"distance of home in km": Decimal("111.195")}


def test_scores_may_be_rewritten(past: World) -> None:
    """A score takes part: the answer holds unless it is rescored; other parts hold without that."""
    found = why(past, 'churn_risk > 0.7 and did "A"')
    assert found.unless_rescored
    assert [part.unless_rescored for part in found.parts] == [True, False]


def test_lists_and_segments_are_parts(one: World) -> None:
    """Lists overrule the condition and stand beside it; another segment's tree stands below ``member of``."""
    one.segment("vip", 'sum(v of "A") > 10 and did "B"')
    found = why(one, 'member of "vip"', never="staff")
    where, never = found.parts
    assert found.truth
    assert not never.truth
    assert [p.text for p in where.parts[0].parts] == ['sum(v of "A") > 10', 'did "B"']


def test_nobody_before_they_exist(one: World) -> None:
    """A customer whose first record lies ahead is in nothing, until they exist."""
    one.did("new", "A", "2024-01-15")
    found = why(one, 'not did "B"', who="new")
    assert not found.truth
    assert found.until == at("2024-01-15")


def test_a_merged_customer_is_answered_by_the_survivor(one: World) -> None:
    """Asked of an id that is gone, the answer is that of the one who stands for it."""
    one.did("y", "C", "2024-01-09")
    one.write(Merge("x", "y", at("2024-01-09")))
    assert why(one, 'did "C" and did "B"', who="y").truth


def test_many_at_once(one: World) -> None:
    """``until`` answers several segments and customers together as one by one."""
    one.did("y", "A", "2024-01-09T18:00:00")
    keys = dict(one.store.rows("SELECT id, key FROM customers"))
    texts = {"s1": 'did "A" in last 1 days', "s2": 'days since last "A" > 1', "s3": 'did "A" in last 3 hours'}
    wanted = {slug: Definition(slug, slug, parse(text)) for slug, text in texts.items()}
    found = one.engine.until(wanted, keys.values(), NOW)
    x, y = keys["x"], keys["y"]
    assert found["s1"] == {x: at("2024-01-10T12:00:00"), y: at("2024-01-10T18:00:00")}
    assert found["s2"] == {x: at("2024-01-10T12:00:00") + 1, y: at("2024-01-10T18:00:00") + 1}
    assert found["s3"] == {x: at("2024-01-20"), y: None}


def test_many_instants_take_several_rounds(one: World) -> None:
    """An answer that lies beyond the first hundred instants is found all the same."""
    for i in range(150):
        one.did("x", "C", at("2024-01-09") + i * HOUR // 10)
    assert why(one, 'did "C" in last 2 days').until == at("2024-01-11") + 149 * HOUR // 10
