"""Many events at once come to what they come to one by one."""

from __future__ import annotations

from random import Random

import pytest

from shoal.live.batches import Events

from .shop import DAY, NOW, SECOND, engine, event, filled, memberships


@pytest.mark.parametrize("merged", [False, True])
@pytest.mark.parametrize("size", [1, 7, 100])
def test_a_batch_is_its_events(size: int, merged: bool) -> None:
    """Breaks if an event of a batch misses its table, a filter's bit, a segment that it touches or an instant that is due."""
    one, many = filled(engine(), 1), filled(engine(), 1)
    for each in (one, many):
        if merged:
            ids = each.state.people.ids
            each.merge(ids[0], ids[1])
            each.merge(ids[2], ids[3])
        each.build()
    random, now = Random(2), NOW
    for step in range(12 if size > 1 else 150):
        now += random.choice([1, SECOND, DAY // 3])
        events = [event(random, 10_000 + step * size + i, now) for i in range(size)]
        assert one.advance(now) == many.advance(now)
        for each in events:
            one.add_event(*each)
        alone = one.settle("received")
        names = ("amount", "shop", "page")
        together = many.apply_events(
            Events(
                [e[0] for e in events],
                [e[1] for e in events],
                [e[2] for e in events],
                [e[3] for e in events],
                {name: [e[4].get(name) for e in events] for name in names},
            ),
            "received",
        )
        assert sorted(alone) == sorted(together)
        assert memberships(one) == memberships(many)


def test_packing_changes_nothing() -> None:
    """Breaks if packing loses or moves an entry, its values, its filters or its message id."""
    loose, packed = filled(engine(), 3), filled(engine(), 3)
    loose.settle()
    packed.settle()
    for table in packed.state.tables():
        table.compact()
    for row in range(len(packed.state.people)):
        for name, table in packed.state.events.items():
            theirs = loose.state.events[name].entries(row)
            ours = table.entries(row)
            assert [(e.ts, e.mid, [e.get(c) for c in table.columns]) for e in ours] == [
                (e.ts, e.mid, [e.get(c) for c in table.columns]) for e in theirs
            ]
    assert loose.advance(NOW + 40 * DAY) == packed.advance(NOW + 40 * DAY)


def test_nothing_of_a_forgotten_customer_stays() -> None:
    """Breaks if an id, a text or an amount of an erased customer is still in memory."""
    one = filled(engine(), 4)
    one.add_event("secret@example.org", "order", NOW - DAY, "secret-message", {"shop": "a", "amount": None})
    one.build()
    one.forget("secret@example.org")
    _, arrays = one.arrays()
    assert not [name for name, array in arrays.items() if b"secret" in array.tobytes()]
    assert all("secret" not in member for members in memberships(one).values() for member in members)


def test_what_an_event_completes() -> None:
    """Breaks if the event by which a number or a total is reached exactly, or just missed, changes nothing or too much."""
    one = engine(
        {"spent": 'sum(amount of "order" in last 30 days) >= 100', "two": 'count("order" in last 9 days) >= 2'}
    )
    orders = [
        ("c1", 60, 12, []),
        ("c2", 59, 3, []),
        ("c1", 40, 0, ["spent"]),
        ("c2", 40, 0, ["two"]),
        ("c2", 1, 29, ["spent"]),
        ("c3", 100, 31, []),
        ("c3", 100, 30, ["spent"]),
    ]
    for customer, amount, days, entered in orders:
        ts = NOW - days * DAY + (SECOND if days else 0)
        told = one.apply_events(Events([customer], ["order"], [ts], (), {"amount": [amount * SECOND]}))
        assert [(change.segment, change.what) for change in told] == [(slug, "entered") for slug in entered]
