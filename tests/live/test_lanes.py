"""Many customers in lanes: loops and numpy alone name the same members and the same instants at which each is due."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from shoal.live.batches import Events
from shoal.live.columns import MISSING
from shoal.live.engine import Engine
from shoal.live.values import Micro, Moment

from .shop import DAY, NOW, SECOND, engine, memberships

TEXTS = {
    "often": 'count("visit" in last 7 days) >= 3',
    "ever": 'count("visit") >= 2',
    "since": 'did "visit" since 2024-09-20',
    "period": 'did "visit" between 2024-09-01 and 2024-09-20',
    "next": "signup in next 2 days",
    "before": 'count("visit" in 5 days before last 3 days) >= 1',
    "today": 'did "visit" in this day',
    "days": 'count("visit" in last 3 calendar days) >= 2 or active days("visit" in last 10 days) >= 2',
    "spent": 'sum(amount of "order" in last 30 days) >= 100 and not sum(amount of "order") >= 400',
    "spentb": 'sum(amount of "order" where shop = "b" in last 20 days) > 60',
    "first": 'did first "order" in last 20 days',
    "lapsed": 'days since last "visit" > 5 and days since first "visit" < 30',
    "people": 'country = "DE" and age >= 30 or country is missing',
    "young": "age between 20 and 29 or age in (40, 41)",
    "fresh": "signup in last 14 days and days since signup > 2",
    "listed": 'listed in "staff" or consents to "mail"',
    **{f"over{x}": f'did "order" where amount > {x} at least 2 times in last 25 days' for x in range(5, 150, 13)},
}
MANY = 333


def shop(seed: int, *, below: bool, exact: bool) -> Engine:
    """Customers with random pasts and some events to come; amounts below 0, and instants between seconds, where wanted."""
    one, random = engine(TEXTS), Random(seed)
    for i in range(MANY):
        one.add_event(f"c{i}", "visit", NOW - random.randrange(60) * DAY, f"z{i}", {"page": "x"})
        if i % 5:
            one.add_trait(
                f"c{i}", "country", random.choice(["DE", "FR", None]), NOW - random.randrange(-1, 9) * DAY, f"t{i}"
            )
            one.add_trait(f"c{i}", "age", Micro(random.randrange(18, 60) * SECOND), NOW - 50 * DAY, f"u{i}")
            signup = Moment(NOW - random.randrange(-2, 30) * DAY)
            one.add_trait(f"c{i}", "signup", signup, NOW - 50 * DAY, f"v{i}")
            one.add_consent(f"c{i}", "mail", random.random() < 0.5, NOW - random.randrange(-1, 9) * DAY, f"w{i}")
    for number in range(9 * MANY):
        ts = (
            NOW
            - random.randrange(-2, 45) * DAY
            + random.randrange(9) * SECOND
            + (random.randrange(SECOND) if exact else 0)
        )
        who, amount = f"c{int(random.random() ** 2 * MANY)}", random.choice([1, 20, 60, -3 if below else 7]) * SECOND
        if random.random() < 0.5:
            one.add_event(who, "order", ts, f"m{number}", {"amount": Micro(amount), "shop": random.choice("ab")})
        else:
            one.add_event(who, "visit", ts, f"m{number}", {})
    return one


@pytest.mark.parametrize("below", [False, True])
@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("packed", [False, True])
def test_loops_and_numpy_agree(below: bool, exact: bool, packed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Breaks if a lane is judged otherwise than a customer alone: in packed tables, in runs, with what lies ahead."""
    found = []
    for numba in "10":
        monkeypatch.setenv("SHOAL_NUMBA", numba)
        one = shop(21, below=below, exact=exact)
        if packed:
            one.build(quiet=True)
        else:
            one.settle()
        steps = [(memberships(one), one.evaluator.dues.at[:MANY].tolist())]
        for day in (1, 2, 9):
            changes = sorted(one.advance(NOW + day * DAY + 5))
            steps.append((memberships(one), one.evaluator.dues.at[:MANY].tolist(), changes))
        for _ in range(5):
            one.advance(one.next_due() - 1)
            one.build(quiet=True)
            before = memberships(one)
            steps.append((before, one.evaluator.dues.at[:MANY].tolist(), sorted(one.advance(one.next_due()))))
        found.append(steps)
    for loops, plain in zip(*found, strict=True):
        assert loops == plain


@pytest.mark.parametrize("as_rows", [False, True])
def test_columns_may_be_arrays(as_rows: bool) -> None:
    """Breaks if integers of an array, or what is missing among them, come to anything else than a list of them does."""
    random, many = Random(5), 40
    lists, arrays = shop(22, below=False, exact=False), shop(22, below=False, exact=False)
    for each in (lists, arrays):
        each.build()
    for _ in range(5):
        who = [random.randrange(MANY) for _ in range(many)]
        names = [random.choice(["order", "visit"]) for _ in range(many)]
        amounts = [random.choice([None, 10 * SECOND, 80 * SECOND]) for _ in range(many)]
        shops = [random.choice("ab") for _ in range(many)]
        ts = [NOW - random.randrange(9) * DAY + i for i in range(many)]
        held = np.array([MISSING if amount is None else amount for amount in amounts], np.int64)
        ids = [f"c{row}" for row in who]
        rows = np.array([arrays.row(one) for one in ids], np.int64)
        alike = lists.apply_events(Events(ids, names, ts, (), {"amount": amounts, "shop": shops}))
        customers = rows if as_rows else ids
        theirs = Events(customers, names, np.array(ts, np.int64), (), {"amount": held, "shop": shops})
        assert sorted(arrays.apply_events(theirs)) == sorted(alike)
        assert memberships(arrays) == memberships(lists)
