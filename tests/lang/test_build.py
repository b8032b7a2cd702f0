"""Python objects: that they read well, and that what Python can't mean is an error with advice.

That every kind of node can be built is in ``test_round_trips``.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from shoal.errors import DefinitionError
from shoal.lang import build as b
from shoal.lang import nodes as n
from shoal.lang.parse import parse

age, plan = b.trait("age"), b.trait("plan")
day = b.duration(1, "day")


@pytest.mark.parametrize(
    ("built", "text"),
    [
        ((age >= 30) & b.did("Order", within=b.last(30, "days")), 'age >= 30 and did "Order" in last 30 days'),
        (~(age > 30) | (plan != "pro") & age.is_known(), 'not age > 30 or plan != "pro" and age is known'),
        ((age > 1) & (age > 2) & (age > 3), "age > 1 and age > 2 and age > 3"),
        ((age > 1) & ((age > 2) & (age > 3)), "age > 1 and (age > 2 and age > 3)"),
        ((age > 1) | (age > 2) | (age > 3), "age > 1 or age > 2 or age > 3"),
        (2 * age - 1 > -age / Decimal("0.5"), "2 * age - 1 > -age / 0.5"),
        (age > 30, "age > 30"),
        (b.literal(30) < age, "30 < age"),
        (1 + age == 1 - age, "1 + age = 1 - age"),
        (1 / age < 2, "1 / age < 2"),
        (age + 0.1 + 0.2 > 0.30000049, "age + 0.1 + 0.2 > 0.3"),
        (b.trait("vip") == True, "vip = yes"),  # noqa: E712 - the language has no bare yes
        (b.trait("birthday") == date(2000, 2, 29), "birthday = 2000-02-29"),
        (b.trait("seen") > datetime(2017, 9, 1, tzinfo=UTC), "seen > 2017-09-01T00:00:00Z"),
        (plan.is_in("pro", "max") & plan.not_in("free"), 'plan in ("pro", "max") and plan not in ("free")'),
        (plan.contains("x", ignoring_case=True), 'plan contains "x" ignoring case'),
        (
            b.did(b.events("Viewed", where=(b.prop("p") > 5) & (b.local("hour") < 9))),
            'did "Viewed" where (p > 5 and hour < 9)',
        ),
        (
            b.did("A", within=b.last(2, "days")).then("B", within=day, same="k").then_not("C", within=day),
            'did "A" then "B" with same k within 1 day then not "C" within 1 day in last 2 days',
        ),
        (b.did("A").not_after("B", within=day), 'did "A" not after "B" within 1 day'),
        (b.distance("home", -1.2864, 36.8172) < b.radius(10, "km"), "distance of home to (-1.2864, 36.8172) < 10 km"),
        (b.total("revenue", "A") > 0.5 * b.count("A"), 'sum(revenue of "A") > 0.5 * count("A")'),
        (b.days_since(b.trait("signed_up")) > 3, "days since signed_up > 3"),
        (b.trait("signed_up").during(b.next_(3, "days")), "signed_up in next 3 days"),
    ],
)  # fmt: skip
def test_objects_read_like_the_text(built: b.Condition, text: str) -> None:
    assert built.text == text
    assert b.of(parse(text)) == built


def test_floats_are_rounded_half_to_even_at_the_door() -> None:
    assert (age > 0.0000005).node == (age > 0).node
    assert (age > 0.0000015).node == (age > Decimal("0.000002")).node
    assert (age > 1e-7).node == (age > 0).node
    assert (age > 0.1 + 0.2).node == (age > Decimal("0.3")).node


def test_nodes_and_objects_mix() -> None:
    """A tree that came from a file can be built upon."""
    tree = parse("age > 30")
    built = b.of(tree) & parse('plan = "pro"') & ~b.of(tree)
    assert built.text == 'age > 30 and plan = "pro" and not age > 30'
    assert (b.of(n.Trait("age")) + n.Number(1_000_000) > 3).text == "age + 1 > 3"


def test_a_comment_stays_beside_its_condition() -> None:
    built = (age > 30).noted("grown up") & (plan == "pro")
    assert built.text == '// grown up\nage > 30\nand plan = "pro"'
    joined = b.all_of(age > 1, age > 2).noted("both") & (age > 3)
    assert joined.text.startswith("// both\n(")


MISUSES: list[tuple[Callable[[], Any], str]] = [
    (lambda: (age > 30) and (plan == "pro"), "Write & for and"),
    (lambda: (age > 30) or (plan == "pro"), "| for or"),
    (lambda: not (age > 30), "~ for not"),
    (lambda: 1 < age < 5, "between"),
    (lambda: "x" in plan, "contains"),
    (lambda: bool(age), "trait('age') > 30"),
    (lambda: (age > 30) & age, "is not a condition"),
    (lambda: (age > 30) & True, "is not a condition"),  # type: ignore[operator]
    (lambda: age + (age > 30), "is not a value"),  # type: ignore[operator]
    (lambda: age == None, "is_missing"),  # noqa: E711
    (lambda: age > object(), "no literal"),  # type: ignore[operator]
    (lambda: age > float("nan"), "not a number"),
    (lambda: age > float("inf"), "not a number"),
    (lambda: age > 10**13, "10^12"),
    (lambda: age > datetime(2017, 9, 1), "tzinfo"),
    (lambda: age.is_in(), "empty"),
    (lambda: plan.contains_any_of(), "needs a text"),
    (lambda: plan.matches(3), "Give a text"),  # type: ignore[arg-type]
    (lambda: (age + 1).in_top(10), "trait or an aggregate"),
    (lambda: age.in_top(101), "0 to 100"),
    (lambda: (age + 1).during(b.last(3, "days")), "is not a trait"),
    (lambda: b.trait(""), "not the name of a trait"),
    (lambda: b.last(3, "months"), "last_calendar(3, 'months')"),
    (lambda: b.last(0, "days"), "at least 1"),
    (lambda: b.last(1.5, "days"), "whole"),  # type: ignore[arg-type]
    (lambda: b.last(3, "dayz"), '"days"'),
    (lambda: b.this("fortnight"), "calendar"),
    (lambda: b.since("2017-01-01"), "Give a date"),  # type: ignore[arg-type]
    (lambda: b.did("A", within=day), "is not a window"),  # type: ignore[arg-type]
    (lambda: b.did("A").then("B", within=b.last(1, "day")), "is not a duration"),  # type: ignore[arg-type]
    (lambda: b.did("A", at_least=1, at_most=2), "one count"),
    (lambda: b.did("A", at_least=-1), "0 or more"),
    (lambda: b.did("A", at_least=1).then("B"), "No step can follow"),
    (lambda: b.did("A").then_not("B", within=day).then("C"), "is the last"),
    (lambda: b.did("A").then("B").not_after("C", within=day), "plain did"),
    (lambda: b.did(3), "Give a text"),  # type: ignore[arg-type]
    (lambda: b.events("A", newest=0), "one or more"),
    (lambda: b.did_regularly("A", times=1, periods=4, of_last=3, length=day), "whole number"),
    (lambda: b.held(b.did("A"), day), "one trait"),
    (lambda: b.held(age > plan, day), "literals"),
    (lambda: b.all_of(age > 3), "two conditions"),
    (lambda: b.anniversary("birthday", days=400), "whole number"),
    (lambda: b.distance("home", 91, 0), "not on Earth"),
    (lambda: b.distance("home", 1, 0) < 3, "radius(10, 'km')"),  # type: ignore[operator]
    (lambda: b.distance("home", 1, 0) == b.radius(3, "km"), "never equal"),
    (lambda: b.radius(3, "miles"), "m, km or mi"),
    (lambda: b.radius(-3, "km"), "negative"),
    (lambda: b.local("minute"), "hour, weekday or date"),  # type: ignore[arg-type]
    (lambda: b.of(n.Last(day)), "neither a value nor a condition"),
]


@pytest.mark.parametrize(("misuse", "says"), MISUSES)
def test_what_python_cannot_mean_is_an_error_with_advice(misuse: Callable[[], Any], says: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        misuse()
    assert says in str(caught.value)


def test_everything_public_is_named() -> None:
    """The door lists what it offers, and nothing that isn't there."""
    assert sorted(b.__all__) == b.__all__
    assert all(hasattr(b, name) for name in b.__all__)
