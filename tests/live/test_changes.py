"""Changes of memberships as columns: they read as a list of changes, and their order hangs on nothing that memory decides."""

from __future__ import annotations

from random import Random
from zlib import crc32

import numpy as np
import pytest

from shoal.live.changes import ENTERED, LEFT, NONE, WHATS, Change, Changes
from shoal.live.ids import Ids

SLUGS = ("zeta", "alpha", "middle")
ALIKE = ("plumless", "buckeroo")
"""Two words of one CRC-32."""


def drawn(random: Random, names: list[str], many: int, instants: int, causes: tuple[str, ...] = ("",)) -> Changes:
    """Changes of customers in an order of rows that the seed decides."""
    names = random.sample(names, len(names))
    rows = np.array([random.randrange(len(names)) for _ in range(many)], np.int64)
    codes = np.array([random.randrange(3) << 2 | random.choice([LEFT, ENTERED]) for _ in range(many)], np.int64)
    at = np.array([random.randrange(instants) for _ in range(many)], np.int64)
    cause = np.array([random.randrange(len(causes)) for _ in range(many)]) if len(causes) > 1 else None
    return Changes(rows, codes, at, SLUGS, Ids(names), causes, cause)


@pytest.mark.parametrize("many", [0, 1, 2, 23, 24, 25, 300])
@pytest.mark.parametrize("instants", [1, 5])
def test_order_is_of_instant_customer_and_segment(many: int, instants: int) -> None:
    """Breaks if few and many are ordered by different rules, or equal ones change places."""
    random = Random(many)
    changes = drawn(random, [*ALIKE, *(f"c{i}" for i in range(60))], many, instants)
    expected = sorted(changes, key=lambda c: (c.at, crc32(c.customer.encode()), c.customer, c.segment))
    assert list(changes.ordered()) == expected


def test_customers_of_one_hash_are_told_apart() -> None:
    """Breaks if two customers whose ids have one hash are mixed, so that a replay may number their changes otherwise."""
    assert crc32(ALIKE[0].encode()) == crc32(ALIKE[1].encode())
    orders = []
    for names in (ALIKE, ALIKE[::-1]):
        rows = np.arange(60) % 2
        codes = np.repeat(np.arange(3), 20) << 2 | 1
        changes = Changes(rows, codes, np.zeros(60, np.int64), SLUGS, Ids(names))
        orders.append([(c.customer, c.segment) for c in changes.ordered()])
    assert orders[0] == orders[1] == [(who, slug) for who in sorted(ALIKE) for slug in sorted(SLUGS) for _ in range(10)]


def test_where_customers_stand_in_memory_does_not_matter() -> None:
    """Breaks if a replay from a store numbers changes otherwise than one from a snapshot did."""
    names = [f"c{i}" for i in range(40)]
    told = [(name, slug) for name in names for slug in SLUGS]
    found = []
    for seed in range(3):
        places = Random(seed).sample(names, len(names))
        ids, mixed = Ids(places), Random(seed + 10).sample(told, len(told))
        rows = np.array([places.index(name) for name, _ in mixed])
        codes = np.array([SLUGS.index(slug) << 2 | ENTERED for _, slug in mixed])
        found.append(list(Changes(rows, codes, np.zeros(len(mixed), np.int64), SLUGS, ids, ("x",)).ordered()))
    assert found[0] == found[1] == found[2]


def test_they_read_as_a_list() -> None:
    """Breaks if places, slices or sums of changes give other changes than those of the list."""
    random = Random(7)
    one = drawn(random, ["a", "b", "c"], 50, 3, ("time", "event x"))
    other = Changes(one.rows[:5], one.codes[:5], one.at[:5], ("more", "zeta", "last"), one.ids, ("merged",))
    listed = list(one)
    assert {type(change) for change in listed} == {Change}
    assert {change.what for change in listed} <= set(WHATS)
    assert [one[i] for i in range(-50, 50)] == listed + listed
    assert list(one[7:20]) == listed[7:20]
    assert list(one[-3:]) == listed[-3:]
    assert one == listed
    assert one[10:] != listed
    assert list(one + other) == listed + list(other)
    assert Changes.joined((NONE, one, NONE)) is one
    assert list(Changes.joined((one, other, one[3:4]))) == [*listed, *other, listed[3]]
    assert len(NONE) == 0
    assert list(NONE.ordered()) == []
    with pytest.raises(IndexError):
        one[50]


def test_all_may_get_one_cause() -> None:
    """Breaks if a cause that is given to all leaves another's on some."""
    changes = drawn(Random(1), ["a", "b"], 30, 2, ("", "time"))
    assert {change.because for change in changes.because(["definition changed"])} == {"definition changed"}
